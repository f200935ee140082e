/* config_int.h - how config.json is read: tables of keys over one object. Private to config*.c.
 *
 * A part of the configuration with keys of its own (config_rope.c, config_layers.c, ...) has its table of keys there, over
 * the same struct config, and reads it with config_keys().
 */
#ifndef ASSAY_CONFIG_INT_H
#define ASSAY_CONFIG_INT_H

#include <stddef.h>

#include "kernels/base/arena.h"
#include "runners/config.h"
#include "runners/families.h"
#include "runners/text/value.h"

enum key_type { K_INT, K_NUM, K_BOOL, K_EACH /* an integer, or a list of one for each layer, all the same */ };
#define MAX_NAMES 6
#define NEEDED (-1e300) /* default of a key that must be there */

struct key {
	const char *names[MAX_NAMES];
	enum key_type type;
	size_t offset;
	double def, lo, hi;
};

#define CONFIG_AT(field) offsetof(struct config, field)
#define CONFIG_COUNT(table) (sizeof(table) / sizeof(table)[0])

struct source {
	const char *path;           /* of the file, for messages */
	const char *inside;         /* "" or "rope_scaling." */
	struct value first, second; /* text_config, if any, and the outer object */
};

/* A key's value; nulls count as absent. */
const struct value *config_look(const struct source *s, const char *name);
bool config_null(const struct source *s, const char *name); /* the key is there and null */
/* The string of a key, "" where it is absent, NULL on error. */
const char *config_string(const struct source *s, const char *name, struct arena *a, struct err *e);
/* Every key of the table into the struct at base; a row of the family's defaults (f may be NULL) goes before the table's. */
int config_keys(const struct source *s, void *base, const struct key *table, size_t n, const struct family *f, struct err *e);

/* One switch; *on where the file is silent is `otherwise`. */
int config_switch(bool *on, const struct source *s, const char *name, bool otherwise, struct err *e);
/* The list under `key`, which has one entry for each layer; NULL: there is none. */
int config_layer_list(const struct value **list, const struct config *c, const struct source *s, const char *key, struct err *e);

int config_rope(struct config *c, const struct source *s, struct arena *a, struct err *e);
int config_quant(struct config *c, const struct source *s, struct err *e);
int config_rope_dims(struct config *c, struct err *e);
/* A list of the layers' kinds under `key`: mixer[] and slides[] by name. */
struct layer_type {
	const char *name;
	enum mixer mixer;
	bool slides;
};
int config_layer_types(struct config *c, const struct source *s, const char *key, const struct layer_type *types, bool *given, struct err *e);
int config_only_silu(const struct config *c, const struct source *s, const char *key, struct err *e);
int config_delta(struct config *c, const struct source *s, struct err *e);
int config_mla(struct config *c, const struct source *s, struct err *e);
int config_mamba(struct config *c, const struct source *s, struct err *e);
int config_layers(struct config *c, const struct source *s, struct err *e);
int config_moe(struct config *c, const struct source *s, struct err *e); /* only of families with experts */

#endif
