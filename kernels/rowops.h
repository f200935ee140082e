/* rowops.h - the CPU's per-row operations: one table, filled scalar first and overwritten in rising ISA order.
 *
 * Private to kernels/ and its tests. Every function works on one row, or one row and one head, with unaligned pointers;
 * `ops_cpu.c` deals rows to threads. The scalar file (norm.c, rope.c, act.c, route.c, attend.c, logprob.c) is the definition;
 * norm_avx2.c etc. compile the same *_simd.h template over simd_avx2.h, simd_avx512.h, simd_neon.h and must give the same bits.
 */
#ifndef ASSAY_ROWOPS_H
#define ASSAY_ROWOPS_H

#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

struct attend_head { /* one query head of one row against its KV head */
	const float *q;        /* [d], not yet scaled */
	const float *k, *v;    /* the KV head's base of page 0: page p is at k + p*k_page and v + p*v_page */
	size_t k_page, v_page; /* floats between pages: hk*d*64, hk*dv*64 */
	const int32_t *table;  /* pages of the sequence */
	int pos;               /* keys 0..pos */
	int d, dv;             /* channels of a key and of a value */
	float scale, softcap, slope, sink; /* sink: read when has_sink */
	int has_slope, has_sink, window, chunk, rounded_bias;
};

struct rowops {
	void (*rmsnorm)(float *y, const float *x, const float *w, int d, float eps);
	void (*layernorm)(float *y, const float *x, const float *w, const float *b, int d, float eps);
	void (*rope)(float *x, int heads, int d, const float *cos, const float *sin, int dims, enum rope_layout layout);
	void (*act)(float *y, const float *gate, const float *up, int d, enum act a, const float *p); /* up NULL: not gated */
	void (*add)(float *y, const float *x, int d);
	void (*axpy)(float *y, const float *x, float s, int d);
	void (*scale)(float *x, float s, int d);
	void (*clip)(float *x, float limit, int d);
	void (*softcap)(float *x, float cap, int d);
	void (*softmax)(float *x, int d); /* of the router: in powers of two from an integer maximum */
	void (*widen)(float *y, const void *x, int d, enum dtype dt);
	void (*attend)(float *o, const struct attend_head *a, float *scratch); /* o [dv]; scratch: ATTEND_SCRATCH(d, dv) floats */
	void (*lse)(struct lse *out, const float *logits, int v, int target);
};
#define ATTEND_SCRATCH(d, dv) ((size_t)(d) + 2 * (size_t)(dv) + 512)

/* the definitions: plain C, one file each */
void rmsnorm_c(float *y, const float *x, const float *w, int d, float eps);
void layernorm_c(float *y, const float *x, const float *w, const float *b, int d, float eps);
void rope_c(float *x, int heads, int d, const float *cos, const float *sin, int dims, enum rope_layout layout);
void act_c(float *y, const float *gate, const float *up, int d, enum act a, const float *p);
void add_c(float *y, const float *x, int d);
void axpy_c(float *y, const float *x, float s, int d);
void scale_c(float *x, float s, int d);
void clip_c(float *x, float limit, int d);
void softcap_c(float *x, float cap, int d);
void softmax_c(float *x, int d);
void widen_c(float *y, const void *x, int d, enum dtype dt);
void attend_c(float *o, const struct attend_head *a, float *scratch);
void lse_c(struct lse *out, const float *logits, int v, int target);

/* route.c: one row of logits x, which is lost, to experts in rising order and their weights, by `row`'s softmax and activations */
void route_check(int d, const struct router *r); /* asserts that logits [n][d] may be routed so */
void route_row(int32_t *ids, float *weights, float *x, const struct router *r, const struct rowops *row);

void rowops_c(struct rowops *r);      /* fills every entry */
void rowops_avx2(struct rowops *r);   /* overwrite what they have */
void rowops_avx512(struct rowops *r);
void rowops_neon(struct rowops *r);
void rowops_init(struct rowops *r, enum cpu_level max); /* scalar, then each level offered up to max */

#ifdef __cplusplus
}
#endif

#endif
