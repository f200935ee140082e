/* field.h - the value of a suite's field on a document (SCORING.md 2.1.5). */
#ifndef ASSAY_FIELD_H
#define ASSAY_FIELD_H

#include "harness/suite.h"

/* description, answer_prefix, counted, rows[].map.value: the raw column when the text is a column's name, else the rendered
 * template. A field that is not set gives V_NONE. */
int field_plain(struct value *out, struct arena *a, const struct field *f, struct value row, struct err *e);
/* prompt: as field_plain; with choices, a rendered text that is all digits is an integer. */
int field_prompt(struct value *out, struct arena *a, const struct field *f, bool has_choices, struct value row, struct err *e);
/* target: as field_prompt; and a rendered text that looks like [...] is read as a Python list where it is one. */
int field_target(struct value *out, struct arena *a, const struct field *f, bool has_choices, struct value row, struct err *e);
/* choices: a list of strings; a rendered template is read as a Python literal. */
int field_choices(struct str **out, int *n, struct arena *a, const struct field *f, struct value row, struct err *e);

#endif
