/* schema.h - from a resolved definition to a struct suite, through the one table of keys (schema_keys in suite.h). */
#ifndef ASSAY_SCHEMA_H
#define ASSAY_SCHEMA_H

#include "harness/suite.h"
#include "harness/yaml.h"

/* Fills s from a map whose include and each are gone. Nothing is compiled yet: templates and patterns are texts.
 * s->definition gets the typed values that were given. */
int schema_read(struct suite *s, struct arena *a, const struct yaml *def, struct err *e);
/* `key` must be one of the top-level keys; for parts of files that are read before they are resolved. */
int schema_check_key(const struct yaml *key, const char *prefix, struct arena *a, struct err *e);

#endif
