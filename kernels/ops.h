/* ops.h - the seam between model code and arithmetic: a device, its buffers, and one table of operations.
 *
 * runners/ opens a device once, allocates weights, KV pages and scratch through it, and queues operations over its
 * buffers; it reads results after ops->sync(), which also brings back the device's errors. On the CPU operations run
 * at once and sync has nothing to do. The bits of every operation are fixed by NUMERICS.md (chain32/1): no operation's
 * result for a row depends on the other rows of the call, on the number of threads or on the instruction set.
 *
 * Dimension letters, everywhere:  n rows (tokens)   d width of a row or of a head   h query heads   hk key/value heads
 *                                 k inner dimension of a linear layer               v vocabulary    p pages
 * Legal shapes cannot fail: operations return void; an illegal shape is our own mistake (assert).
 */
#ifndef ASSAY_OPS_H
#define ASSAY_OPS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/bench.h"
#include "kernels/base/cpu.h"
#include "kernels/base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

enum dtype { DT_F32, DT_F16, DT_BF16, DT_COUNT };
static inline size_t dtype_size(enum dtype t) { return t == DT_F32 ? 4 : 2; }
const char *dtype_name(enum dtype t); /* "f32" "f16" "bf16" */

/* n rows of d floats, ld floats from row to row (ld >= d), in device memory. */
struct mat {
	float *p;
	int n, d;
	size_t ld;
};

/* A linear layer's weights W[n][k] in the device's packed layout, made by linear_init/linear_rows, and its bias.
 *   CPU layout: panels of 32 outputs, panel j = outputs 32j..32j+31, zero-padded; inside a panel k ascending, 32 values
 *   a k. f32 and f16: in output order. bf16: dword t (0..15) = output t in the low half, output 16+t in the high half.
 *   Weights whose magnitude is below 2^-40 (f32) or 2^-55 (bf16) are flushed to +0 when packed (NUMERICS.md section 1). */
struct linear {
	enum dtype dt;   /* of the rows given to linear_rows */
	enum dtype held; /* of the values in panels */
	int n, k;
	void *panels; /* device */
	float *bias;  /* device, [n], or NULL */
	size_t bytes; /* of panels */
};

/* A table of rows for embedding: row-major values as in the checkpoint, [v][d]. */
struct table {
	enum dtype dt;
	int v, d;
	const void *rows; /* device; where ops->host_rows it may point into the mapped file, any alignment */
};

/* KV cache of one layer. Page = 64 positions = one canonical key tile; position t of a sequence lives in page
 * table[t / 64], slot t % 64.
 *   k: [page][hk][d][64]   (slots innermost: scores of 64 keys are one vector loop)
 *   v: [page][hk][64][dv]  */
#define KV_PAGE 64
struct kv {
	float *k, *v; /* device */
	int hk, d, pages;
	int dv; /* channels of a value; d but for latent attention, where values are the first channels of the keys */
};

/* The rows of one call: which sequence and position each is. All arrays in device memory. */
struct batch {
	int n;
	const int32_t *ids;   /* [n] token ids */
	const int32_t *pos;   /* [n] absolute positions */
	const int32_t *seq;   /* [n] row of `table` */
	const int32_t *table; /* [sequences][ld_table] page numbers in position order */
	int ld_table;
	/* Recurrent layers: rows of a sequence are neighbours, in order. A run is a row that starts from a slot or from nothing
	 * and the rows that go on from it. Runs read only what earlier calls wrote, so they may be computed side by side: the caller
	 * sees to it that a slot which a run writes is read by no other run of the call, and written by none. A run may write the
	 * slot it starts from, and several slots by the way. */
	const int32_t *run;   /* [runs + 1] first row of each run, and n */
	const int32_t *from;  /* [n] slot whose state the row starts from, or one of the two below */
	const int32_t *to;    /* [n] slot that receives the state after the row; -1: none */
	int runs;
};
enum { STATE_ZERO = -1 /* an empty state */, STATE_CHAIN = -2 /* that of the row before */ };

/* Recurrent state of one layer: [slots][size] floats in device memory. */
struct states {
	float *p;
	size_t size;
	int slots;
};

enum rope_layout { ROPE_HALF, ROPE_INTERLEAVED }; /* pairs (i, i + dims/2), or (2i, 2i + 1) */
struct rope {
	int dims;               /* rotated channels: the first `dims` of each head, even */
	enum rope_layout layout;
	int positions;          /* rows of the tables */
	const float *cos, *sin; /* device, [positions][dims/2], rounded once from double */
};

struct attend {
	float scale;         /* q is multiplied by this once; log2(e) is folded in when softcap == 0 and slopes == NULL */
	float softcap;       /* 0: none; s = cap * tanh(s / cap) */
	const float *slopes; /* device, [h], or NULL: ALiBi */
	int window;          /* 0: none; else key j is visible to position i iff 0 <= i - j < window */
	const float *sinks;  /* device, [h] in log2 units, or NULL */
	int chunk;           /* 0: none; else key j is visible to position i iff also j / chunk == i / chunk (llama4) */
	int rounded_bias;    /* falcon-rw: the bias of key j is scale * bf16(slope * bf16(j)) with bf16 slopes, in place of
	                      * slope * (j - i); scale is 1/sqrt(d) without log2(e) as with slopes otherwise */
};

/* Which experts a row goes to (NUMERICS.md section 5, "Experts": ties to the lowest expert). score is what experts compete with:
 *   SOFTMAX   softmax over all; the chosen weigh their probability          SIGMOID  likewise, sigmoid of the logit
 *   TOP       the logits; the chosen weigh their softmax among themselves   GATE     the logits; the chosen weigh their sigmoid
 *   SPARSEMIX Phi-3.5-MoE's two masked softmaxes (k = 2)
 * bias [experts] is added to the score for the choice alone. With groups > 1 (experts in equal runs) only the groups_kept groups
 * with the best group score compete: the best member (best_of 1) or the sum of the two best (2). */
enum { ROUTE_EXPERTS = 1024, ROUTE_K = 64 }; /* the most of both */
enum route_score { ROUTE_SOFTMAX, ROUTE_SIGMOID, ROUTE_TOP, ROUTE_GATE, ROUTE_SPARSEMIX };
struct router {
	enum route_score score;
	int experts, k;
	const float *bias; /* device, [experts], or NULL */
	int groups, groups_kept, best_of;
	int normalise;     /* divide the weights by their sum, taken in rising order of experts, plus `floor` */
	float floor, factor; /* factor: the weights are multiplied by it last; 1 where there is none */
	float jitter;      /* SPARSEMIX */
};

/* Causal convolution along the sequence, each channel by itself: y_t = act(sum_j w[j] x_(t - width + 1 + j) + b), an fma chain in
 * rising j from +0, rows before the first are 0. State: the last width - 1 rows of x, [width - 1][d], oldest first. */
enum { CONV_WIDTH = 8 }; /* the most of width */
struct conv {
	int d, width;      /* width 2..CONV_WIDTH */
	const float *w, *b; /* device, [width][d]; [d] or NULL */
	int silu;          /* else no activation */
};
static inline size_t conv_state(const struct conv *c) { return (size_t)(c->width - 1) * (size_t)c->d; }

/* Mamba-2's scan, head h of `heads` with d channels and a state of n per channel; head h uses group h / (heads / groups) of B and C.
 *   t = softplus(dt + dt_bias), clamped to [dt_min, dt_max];  g = exp(t * a[h]);  u_i = t * x_i     (dt.p NULL: g = a[h], u = x)
 *   S[j][i] = fma(g, S[j][i], B_j * u_i);  y_i = (fma chain over j of S[j][i] C_j), then fma(skip[h], x_i, y_i) unless skip is NULL
 * State: [heads][n][d]. Lightning attention is the case dt.p NULL: x values, B keys, C queries, a = exp(-slope). */
enum { STATE_MOST = 2048 }; /* the most of n, and of dk below: what every device can hold of a channel */
struct ssm {
	int heads, d, n, groups;
	const float *a, *dt_bias, *skip; /* device, [heads]; a is -exp(A_log) */
	float dt_min, dt_max;
};
static inline size_t ssm_state(const struct ssm *c) { return (size_t)c->heads * (size_t)c->n * (size_t)c->d; }

/* Gated delta rule (Yang et al., 2024, arXiv:2412.06464): hv value heads of dv channels, head h with key head h / (hv / hk) of dk.
 *   g = exp(a[h] * softplus(alpha + dt_bias[h])); b = sigmoid(beta);  S *= g;  m_j = chain over i of S[i][j] k_i;  u_j = b * (v_j - m_j)
 *   S[i][j] = fma(k_i, u_j, S[i][j]);  y_j = chain over i of S[i][j] q_i.      q and k come normalised and scaled. State: [hv][dk][dv]. */
struct delta {
	int hk, hv, dk, dv;
	const float *a, *dt_bias; /* device, [hv]; a is -exp(A_log) */
};
static inline size_t delta_state(const struct delta *c) { return (size_t)c->hv * (size_t)c->dk * (size_t)c->dv; }

/* Parameters p of the last two: XIELU ap, an, beta, eps: x > 0: fma(ap x, x, beta x), else fma(an, expm1(min(x, eps)) - x, beta x)
 * (not gated); SWIGLU_CLAMPED alpha, limit: g = min(gate, limit), u = clamp(up, -limit, limit): (u + 1) * (g * sigmoid(alpha g)) (gated). */
enum act {
	ACT_SILU, ACT_GELU_ERF, ACT_GELU_TANH, ACT_RELU, ACT_RELU2, ACT_SIGMOID, ACT_NONE, ACT_QUICK_GELU /* x sigmoid(1.702 x) */,
	ACT_XIELU, ACT_SWIGLU_CLAMPED, ACT_COUNT
};
const char *act_name(enum act a);

/* What is left of a row of logits (NUMERICS.md section 3), z = logit * log2(e) rounded once. The log-probability of the
 * target is lse_logprob(): (z - m) * ln2 - log(l), in double, with dm_log. */
struct lse {
	float m;        /* integer maximum, in log2 units */
	float l;        /* sum of 2^(z - m) */
	float z;        /* z of the target id, 0 when the target is -1 */
	int32_t argmax; /* lowest id of the largest logit; -1 when the row holds a NaN */
	float top;      /* the largest logit itself; canonical NaN when the row holds a NaN */
};
double lse_logprob(const struct lse *r); /* NaN when the row holds a NaN */

/* How the next token of one row is drawn (NUMERICS.md section 5; kernels/sample.h has the program): integers decide, so every device
 * draws the same id. */
struct draw {
	double scale;          /* log2(e) / temperature, rounded once; 0: greedy, the lowest id of the largest logit */
	uint64_t share;        /* top_p in units of 2^-32; 2^32 or more: off */
	int32_t top_k;         /* 0: off */
	double far;            /* tokens whose distance from the best (sample.h) is above this are dropped last; 0: off (min_p) */
	uint32_t counter[4], key[2]; /* of Philox4x32-10 */
};

static inline size_t seen_words(int vocab) { return ((size_t)vocab + 31) / 32; } /* of a bit for every id: id % 32 of word id / 32 */

struct device;
struct device_opts {
	const char *name;          /* "auto", "cpu", "cuda", "cuda:N" (others: an error that names what there is) */
	int threads;               /* 0: all that the process may use */
	enum cpu_level max_level;  /* CPU: highest instruction set used */
	const char *numerics;      /* NULL or "chain32/1"; "fast": tensor cores for the linear layers, CUDA only */
};
int device_open(struct device **out, const struct device_opts *o, struct err *e);
void device_close(struct device *d);
/* For people: a row for each device that can be opened, and for a kind without any a row that says why. Returns how many. */
struct device_row {
	char name[16]; /* "cpu" "cuda:0" */
	int there;
	char text[256];
};
int device_list(struct device_row *rows, int max);
const struct ops *device_ops(const struct device *d);
const char *device_describe(const struct device *d); /* one line: "cpu avx512, 2 threads, AMD EPYC ..." */
int device_threads(const struct device *d);
/* What a device can do at best, measured when asked (limits.c): FLOP/s of fused multiply-adds in registers, bytes/s of a plain read
 * and of a copy (read and written both counted); 0: not known. fast: FLOP/s of a product of 8192 x 8192 x 8192 in bf16 by
 * ops->linear, where numerics are fast. */
struct limits {
	double fma, read, copy, fast;
};
int device_limits(struct device *d, struct limits *out, const struct bench_effort *how, struct err *e);
/* The whole id of what decides the bits: "chain32/1", or "fast/<arch>/<cublasLt version>/<kernel digest>". */
const char *device_numerics(const struct device *d);

/* What forward passes queue. y may be x where a line says "in place allowed". */
struct ops {
	const char *name; /* "cpu" "cuda" */
	int host_rows;    /* 1: rows of a struct table may lie in host memory; 0: the caller copies them with alloc and put */

	/* memory: zeroed, 64-byte aligned; NULL and e filled when there is none */
	void *(*alloc)(struct device *dev, size_t bytes, struct err *e);
	/* With `reserved` bytes about to be allocated: bytes that alloc could give beside them at most; bytes that a caller may sensibly
	 * plan with. linear_size: bytes of a linear layer's panels, the bias apart; 0: the shape is not possible. */
	size_t (*left)(struct device *dev, size_t reserved);
	size_t (*room)(struct device *dev, size_t reserved);
	size_t (*linear_size)(struct device *dev, enum dtype dt, int n, int k);
	void (*release)(struct device *dev, void *p);
	void (*put)(struct device *dev, void *dst, const void *host, size_t bytes); /* host bytes may be reused at once */
	void (*get)(struct device *dev, void *host, const void *src, size_t bytes); /* valid after sync */
	int (*sync)(struct device *dev, struct err *e);

	/* linear_init: allocates panels for n x k and, where `bias`, a zeroed bias. linear_rows: packs `rows` rows of the
	 * row-major host matrix src (ld values from row to row, dtype w->dt) as outputs n0.. ; bias values are put by the caller. */
	int (*linear_init)(struct device *dev, struct linear *w, enum dtype dt, int n, int k, int bias, struct err *e);
	void (*linear_rows)(struct device *dev, struct linear *w, int n0, const void *src, size_t ld, int rows);
	void (*linear_free)(struct device *dev, struct linear *w);
	void (*linear)(struct device *dev, struct mat y, struct mat x, const struct linear *w); /* y = x W^T (+ bias) */

	void (*embed)(struct device *dev, struct mat y, const struct table *t, const int32_t *ids); /* exact widening */
	void (*gather)(struct device *dev, struct mat y, struct mat x, const int32_t *rows); /* y[i] = x[rows[i]] */
	void (*add)(struct device *dev, struct mat y, struct mat x);                         /* y = y + x */
	/* Norms, in place allowed: a row is `parts` equal pieces (heads), each normed by itself with the same w and b [d / parts].
	 * rmsnorm: y = (x * 1/sqrt(mean(x^2) + eps)) * w. layernorm: two-pass; y = fma((x - mean) * r, w, b). w and b may be NULL
	 * (1 and 0: then without that operation) */
	void (*rmsnorm)(struct device *dev, struct mat y, struct mat x, int parts, const float *w, float eps);
	void (*layernorm)(struct device *dev, struct mat y, struct mat x, int parts, const float *w, const float *b, float eps);
	/* rotates x in place; x.d = heads * d of a head; pos as in batch */
	void (*rope)(struct device *dev, struct mat x, int heads, const struct rope *r, const int32_t *pos);
	/* y = fma(x, s, y);  x = x * s;  x[i] = x[i] * t[at[i]] (at NULL: t[i]), t and at in device memory */
	void (*axpy)(struct device *dev, struct mat y, struct mat x, float s);
	void (*scale)(struct device *dev, struct mat x, float s);
	void (*scale_rows)(struct device *dev, struct mat x, const float *t, const int32_t *at);
	void (*clip)(struct device *dev, struct mat x, float limit);   /* to [-limit, limit]; a NaN stays */
	void (*softcap)(struct device *dev, struct mat x, float cap);  /* x = cap * tanh(x / cap) */
	/* ids[n][k] ascending and weights[n][k], device memory; logits [n][experts], of which no row keeps its values */
	void (*route)(struct device *dev, int32_t *ids, float *weights, struct mat logits, const struct router *r);
	/* y[rows[i]] = fma(w[i], x[i], y[rows[i]]); rows NULL: i, else each at most once; w NULL: 1. rows and w in device memory */
	void (*scatter)(struct device *dev, struct mat y, struct mat x, const int32_t *rows, const float *w);
	/* recurrent layers; y is not x. Of each mat the rows of the batch: conv x and y [n][d]; ssm x and y [n][heads d], B and C
	 * [n][groups n], dt [n][heads]; delta q and k [n][hk dk], v and y [n][hv dv], alpha and beta [n][hv] */
	void (*conv)(struct device *dev, struct mat y, struct mat x, const struct conv *c, const struct states *s, const struct batch *b);
	void (*ssm)(struct device *dev, struct mat y, struct mat x, struct mat B, struct mat C, struct mat dt, const struct ssm *c,
		    const struct states *s, const struct batch *b);
	void (*delta)(struct device *dev, struct mat y, struct mat q, struct mat k, struct mat v, struct mat alpha, struct mat beta,
		      const struct delta *c, const struct states *s, const struct batch *b);
	void (*kv_write)(struct device *dev, const struct kv *c, struct mat k, struct mat v, const struct batch *b);
	/* copies the first `slots` slots of page src to page dst, for a branch inside a page */
	void (*kv_copy)(struct device *dev, const struct kv *c, int dst, int src, int slots);
	/* y[n][h*dv]; q[n][h*d]; keys 0..pos of the row's sequence, written before */
	void (*attend)(struct device *dev, struct mat y, struct mat q, int h, const struct kv *c, const struct attend *a,
		       const struct batch *b);
	/* gated (up.p != NULL): y = act(gate) * up; else y = act(gate). In place allowed for gate. p: host, NULL where a has none */
	void (*act)(struct device *dev, struct mat y, struct mat gate, struct mat up, enum act a, const float p[4]);
	/* out[i] for row i of logits (d = vocabulary); target[i] an id or -1. out and target in device memory */
	void (*lse)(struct device *dev, struct lse *out, struct mat logits, const int32_t *target);
	/* Repetition penalty: row i's values of the ids whose bits are set in seen[i][seen_words(d)] become x / penalty[i] above 0,
	 * x * penalty[i] else (a NaN stays); a row whose penalty is 1 is left alone. In place; seen and penalty in device memory */
	void (*penalise)(struct device *dev, struct mat logits, const uint32_t *seen, const float *penalty);
	/* out[i]: the id drawn from row i of logits (d = vocabulary); -1 when the row holds a NaN. out and draw in device memory */
	void (*sample)(struct device *dev, int32_t *out, struct mat logits, const struct draw *draw);
	/* Random weights for benchmarks, made on the device: value i of p = scale * j / 128, j in -127..127 from a hash of (seed, i).
	 * With a power of two as scale it is exact in every type; for a linear layer p may be its panels, dt what they hold. */
	void (*noise)(struct device *dev, void *p, enum dtype dt, size_t n, uint64_t seed, float scale);
};

#ifdef __cplusplus
}
#endif

#endif
