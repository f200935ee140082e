/* forward_int.h - one forward pass and its scratch. Private to forward*.c and block_*.c.
 *
 * A block computes y = f(x) over the rows of one call, x normed, y of the same width, with operations queued on the device.
 * What scratch it needs it says in its *_parts function, which forward_open and forward_bytes both read.
 */
#ifndef ASSAY_FORWARD_INT_H
#define ASSAY_FORWARD_INT_H

#include <stddef.h>

#include "runners/model_int.h"

#define LOG2E 1.4426950408889634

/* block_moe.c. The first group is [rows][...], the second [MOE_ROWS][...] for the rows of one expert. */
struct moe_scratch {
	float *logits, *sorted, *sum;
	int32_t *choice, *order, *zeros;
	float *in, *up, *out, *gate;
	float *zero;             /* one row */
	struct moe_host *host;
};

/* block_mla.c: [rows], then [rows at once] of each. */
struct mla_scratch {
	float *down, *nope, *rope, *q, *o, *v;
};

struct forward {
	struct model *m;
	int max_rows, max_scored, max_sequences, max_pages; /* max_pages: of a sequence */
	int max_position;                                   /* positions are below this */
	int chunk;                                          /* rows of logits at once */
	/* device */
	int32_t *ids, *pos, *seq, *table, *where, *turn, *scored, *target; /* turn: rows of the rotary tables, where pos does not say it */
	float *x, *h, *side, *top, *logits;
	int32_t *from, *to, *run; /* recurrent layers: struct batch */
	float *wide, *mixed, *inner; /* block_recurrent.c */
	float *narrow;    /* [n][embed_width] */
	float *growth;    /* [positions]: what queries are multiplied by */
	float *tokens, *given; /* block_layer_input.c */
	float *qkv, *att; /* block_attention.c */
	float *up;        /* block_mlp.c */
	struct moe_scratch moe;
	struct mla_scratch mla;
	struct lse *lse;
	struct draw *draw;
	uint32_t *seen;   /* [chunk][seen_words] */
	float *penalty;
	int32_t *drawn;
	float *cos[ROPE_TABLES], *sin[ROPE_TABLES];
	struct rope rope[ROPE_TABLES];
	/* host */
	int32_t *runs;    /* first rows of runs */
	int32_t *shifted; /* learned positions and far rows: pos + offset; NULL: none */
};

/* Device memory of a pass: field of struct forward, or of a struct within, that receives it, and how much. */
struct part {
	size_t at, count, size;
};
struct parts {
	struct part part[64];
	int n;
};
void part_add(struct parts *p, size_t at, size_t count, size_t size);
#define PART(parts, field, count, type) part_add(parts, offsetof(struct forward, field), count, sizeof(type))

static inline struct mat rows_of(float *p, int n, int d, int ld)
{
	return (struct mat){ p, n, d, (size_t)ld };
}

static inline struct mat columns(struct mat m, int from, int d)
{
	return (struct mat){ m.p + from, m.n, d, m.ld };
}

/* y = norm(x) with the family's kind of norm; y may be x */
void forward_norm(const struct forward *f, struct mat y, struct mat x, const struct norm *w);
void forward_norm_parts(const struct forward *f, struct mat y, struct mat x, int parts, const struct norm *w); /* each piece of a row by itself */

/* y may be x */
void attention_parts(struct parts *p, const struct model *m, size_t rows);
void block_attention(const struct forward *f, struct mat y, struct mat x, const struct kv *kv, const struct batch *b, int layer);
void mla_parts(struct parts *p, const struct model *m, size_t rows);
void block_mla(const struct forward *f, struct mat y, struct mat x, const struct kv *kv, const struct batch *b, int layer);
void recurrent_parts(struct parts *p, const struct model *m, size_t rows);
void block_delta(const struct forward *f, struct mat y, struct mat x, const struct layer_states *s, const struct batch *b, int layer);
void block_mamba(const struct forward *f, struct mat y, struct mat x, const struct layer_states *s, const struct batch *b, int layer);
void block_lightning(const struct forward *f, struct mat y, struct mat x, const struct layer_states *s, const struct batch *b, int layer);
void block_conv(const struct forward *f, struct mat y, struct mat x, const struct layer_states *s, const struct batch *b, int layer);
/* gemma4: what the tokens give each layer, from the embeddings x; and its way into the stream at the end of a layer. h is scratch. */
void layer_input_parts(struct parts *p, const struct model *m, size_t rows);
void layer_inputs(const struct forward *f, struct mat x);
void block_layer_input(const struct forward *f, struct mat x, struct mat h, int layer);
void mlp_parts(struct parts *p, const struct model *m, size_t rows);
void block_mlp(const struct forward *f, struct mat y, struct mat x, int layer);
void moe_parts(struct parts *p, const struct model *m, size_t rows);
void moe_open(struct forward *f); /* host memory; never fails */
void moe_close(struct forward *f);
void block_moe(const struct forward *f, struct mat y, struct mat x, int layer);
/* The two halves of block_moe, where the router reads something else: -1 of the first leaves nothing to do, the call fails in the end. */
int moe_choose(const struct forward *f, struct mat x, int layer);
void moe_experts(const struct forward *f, struct mat y, struct mat x, int layer);
/* gemma4: dense part and experts beside each other; x is the normed stream */
void block_beside(const struct forward *f, struct mat y, struct mat x, int layer);
int moe_error(const struct forward *f, struct err *e); /* what a block could not say, once */

#endif
