/* recur.h - recurrent layers on the CPU: one token of one block of channels per call of the table, and the walk over runs.
 *
 * Private to kernels/ and its tests. recur.c is the definition of a step; recur_avx2.c etc. compile recur_simd.h over their vectors
 * and must give the same bits. ops_recur.c goes through the runs of a batch: every channel of a state is a recurrence of its own,
 * so units of work are (run, head, block of channels), and a unit's state stays in the first-level cache while its tokens pass.
 *
 * A step reads the state at src and writes the next one at dst, which may be the same place: the first token of a run reads the slot
 * itself, the token whose state is asked for writes the slot itself, and nothing is copied in between.
 */
#ifndef ASSAY_RECUR_H
#define ASSAY_RECUR_H

#include "kernels/base/pool.h"
#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RECUR_BLOCK 64 /* channels of a head in a unit; of a convolution four times as many */
#define CONV_BLOCK 256

struct recur_step { /* d channels of one head and one token; state [n][..] with channels innermost */
	float *y;
	const float *value, *key, *query; /* [d], [n], [n]: ssm x B C, delta v k q */
	const float *src;
	float *dst;
	size_t lds, ldd; /* floats from row to row of src and dst */
	int n, d;
	float g;         /* decay */
	float b;         /* ssm: dt after softplus; delta: beta after sigmoid */
	int plain;       /* ssm: b is not multiplied in */
	float skip;      /* ssm, read when has_skip */
	int has_skip;
	int keep;        /* dst is a slot: a NaN is stored canonical */
};

struct recurops {
	/* one token, d channels: x[j] the row that is width - 1 - j tokens back; w [width][..] ldw apart; b [d] or NULL */
	void (*conv)(float *y, const float *const *x, const float *w, size_t ldw, const float *b, int width, int d, int silu);
	void (*ssm)(const struct recur_step *s);
	void (*delta)(const struct recur_step *s);
};
void recurops_c(struct recurops *r); /* fills every entry */
void recurops_avx2(struct recurops *r);
void recurops_avx512(struct recurops *r);
void recurops_neon(struct recurops *r);
void recurops_init(struct recurops *r, enum cpu_level max);

struct recur_job { /* one call: exactly one of conv, ssm and delta */
	const struct recurops *isa;
	const struct conv *conv;
	const struct ssm *ssm;
	const struct delta *delta;
	struct mat y, x;             /* delta: v */
	struct mat key, query;       /* ssm: B, C */
	struct mat gate, beta;       /* ssm: dt; delta: alpha, beta */
	const struct states *states;
	const struct batch *batch;
	/* made by recur_plan */
	void (*unit)(const struct recur_job *j, int run, int unit, float *scratch);
	int units;                   /* of one run */
	int block, blocks;           /* channels of a unit, units of a head */
	size_t scratch;              /* floats that a part needs, in whole cache lines */
	double cost;                 /* floats touched by a unit and token */
};
void recur_plan(struct recur_job *j);
void recur_run(struct pool *pool, const struct recur_job *j, float *scratch, int parts); /* scratch: parts * j->scratch floats */

#ifdef __cplusplus
}
#endif

#endif
