/* model.h - a checkpoint bound to one transformer description, read-only once open.
 *
 * config.json is read by table (config.c), the architecture is a row of families.c, weights are mapped by safetensors.c
 * and packed once onto the device.
 */
#ifndef ASSAY_MODEL_H
#define ASSAY_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/base/digest.h"
#include "kernels/base/err.h"
#include "kernels/ops.h"

struct model;

struct model_info {
	char family[32];
	int vocab, layers, width, heads, kv_heads, head_dim;
	int max_positions;   /* 0: config.json gives none */
	int32_t eos[16];     /* generation_config.json, else config.json */
	int neos;
	int32_t bos;         /* config.json; -1: none */
	double params_total, params_active;
	int skipped;         /* tensors known and not used */
	int unknown;         /* tensors that neither the family nor anything else knows: each is a warning */
	char first_unknown[160];
	size_t weights_bytes, packed_bytes; /* of the files, mapped; on the device */
	size_t table_bytes;  /* of embeddings: in the mapped files, or part of packed_bytes (ops->host_rows) */
	double row_flops, head_flops; /* of the linear layers, one row: all blocks; the head */
	double key_flops;    /* of attention, all layers, one row and one key that it sees */
	size_t linear_bytes; /* packed, the head included */
	size_t kv_page_bytes; /* all layers, one page of 64 positions, K and V */
	size_t state_bytes;   /* all recurrent layers, the state of one sequence; 0: there are none */
	int rope_switch;      /* sequences longer than this use the long rope tables for all their rows; 0: none do */
	unsigned char digest[DIGEST_BYTES];
};

/* Reads config.json and the headers of the files, checks every name and shape; info says what will be held, without the digest, and
 * forward_bytes works. Nothing large is allocated. model_read then reads the weights; after an error only model_close is left. */
int model_plan(struct model **out, const char *dir, struct device *dev, struct err *e);
int model_read(struct model *m, struct err *e);
/* Both. */
int model_open(struct model **out, const char *dir, struct device *dev, struct err *e);
/* The same model with random weights made on the device: no file, no copy. The digest is zero. */
struct config;
int model_random(struct model **out, const struct config *c, enum dtype dt, struct device *dev, struct err *e);
void model_close(struct model *m);
const struct model_info *model_info(const struct model *m);
struct device *model_device(const struct model *m);

/* What sequences keep: the KV cache of all layers, `pages` pages; of models with a recurrent state, `states` slots of it (else 0). */
struct layer_states {
	struct states conv, main; /* size 0: none */
};
struct cache {
	struct kv *layer; /* [layers] */
	struct layer_states *state; /* [layers]; NULL where the model has none */
	int pages, states;
};
int cache_open(struct cache *c, const struct model *m, int pages, int states, struct err *e);
void cache_close(struct cache *c, const struct model *m);

/* One forward pass: scratch for up to max_rows rows and max_scored scored rows, sized at open; no allocation later. */
struct forward;
struct eval {
	int n;                      /* rows */
	const int32_t *ids, *pos, *seq; /* host, [n] */
	/* Of models with a recurrent state, else NULL: the slot of the state that a row starts from, or STATE_ZERO, STATE_CHAIN; the slot
	 * that the state after a row is written to, -1: none. A slot may be read before it is written by the same sequence's rows, no other. */
	const int32_t *from, *to;   /* host, [n] */
	const unsigned char *far;   /* host, [n] or NULL: rows that use the rope tables of long sequences */
	const int32_t *table;       /* host, [sequences][ld_table] */
	int sequences, ld_table;
	int nscored;
	const int32_t *scored;      /* host, [nscored]: rows whose logits are wanted */
	const int32_t *target;      /* host, [nscored]: id or -1 */
	struct lse *out;            /* host, [nscored] */
	float *logits;              /* host, [nscored][vocab], or NULL: logits are reduced and never stored */
	const struct draw *draw;    /* host, [nscored]: how the next token is drawn; or NULL: none is */
	/* host, [nscored][seen_words(vocab)] and [nscored], or both NULL, with draws: ops->penalise before the draw; a penalty of 1: none.
	 * out and logits are the model's own. */
	const uint32_t *seen;
	const float *penalty;
	int32_t *drawn;             /* host, [nscored], where there are draws: the token; scale 0 and no penalty: the argmax or nothing */
};
int forward_open(struct forward **out, struct model *m, int max_rows, int max_scored, int max_sequences, int max_pages_per_sequence, struct err *e);
void forward_close(struct forward *f);
size_t forward_bytes(const struct model *m, int max_rows, int max_scored); /* scratch that forward_open will hold */
int forward_eval(struct forward *f, struct cache *c, const struct eval *v, struct err *e);

#endif
