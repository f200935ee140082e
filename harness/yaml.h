/* yaml.h - YAML text as a small tree in which every node knows its file, line and column.
 *
 * libyaml reads the text, we keep its events. Refused, each with file:line: anchors and aliases (an alias may double a file
 * at every line), tags (`!function`), two equal keys in one map, keys that are not plain text, more than YAML_DEPTH levels,
 * YAML_NODES nodes or YAML_BYTES bytes. Plain scalars keep their spelling: schema.c says what they mean.
 */
#ifndef ASSAY_YAML_H
#define ASSAY_YAML_H

#include <stdbool.h>

#include "kernels/base/arena.h"
#include "kernels/base/err.h"
#include "kernels/base/str.h"

enum { YAML_DEPTH = 32, YAML_NODES = 200000, YAML_BYTES = 8 << 20 };

enum yaml_type { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml {
	enum yaml_type type;
	const char *file;      /* as given to yaml_load */
	int line, column;      /* from 1 */
	struct str text;       /* YAML_TEXT */
	bool plain;            /* YAML_TEXT: written without quotes, so that 5 is a number and true a truth value */
	struct yaml **item;    /* YAML_LIST: the items; YAML_MAP: the values */
	struct yaml **key;     /* YAML_MAP */
	size_t n, cap;
};

/* The documents of a file, in order, in arena a. An empty file gives none. */
int yaml_load(struct yaml ***docs, size_t *ndocs, struct arena *a, const char *path, struct err *e);
int yaml_parse(struct yaml ***docs, size_t *ndocs, struct arena *a, struct str text, const char *file, struct err *e);

struct yaml *yaml_get(const struct yaml *map, const char *key); /* NULL: absent */
/* base with the keys of `over` put over it: maps are merged key by key, all else is replaced. New nodes where needed. */
struct yaml *yaml_merge(struct arena *a, const struct yaml *base, const struct yaml *over);
/* A new map without `key`. */
struct yaml *yaml_without(struct arena *a, const struct yaml *map, const char *key);
/* Every text of the tree with {{ NAME }} replaced for each NAME that is a key of `vars`; the keys of maps stay. */
int yaml_substitute(struct yaml **out, struct arena *a, const struct yaml *y, const struct yaml *vars, struct err *e);

/* What a plain scalar spells. 1 yes, 0 no. */
int yaml_int(const struct yaml *y, long long *out);
int yaml_number(const struct yaml *y, double *out);
int yaml_bool(const struct yaml *y, bool *out);
bool yaml_is_null(const struct yaml *y);

#endif
