/* selfcheck.c - every operation that has vectors, at every instruction set this machine has, compared bit for bit with plain C.
 *
 * What `assay doctor` shows. Small odd shapes, so that whole vectors, remainders and padding all take part; the same inputs
 * for every level; memcmp of all that was written. The tests go further; this is for the machine at hand.
 */
#include "kernels/selfcheck.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/half.h"
#include "kernels/isa.h"
#include "kernels/ops.h"

#define OUT_FLOATS 8192

struct check {
	const char *name;
	int arg;
	/* fills out (zeroed before) with everything that the operation computed; -1 when memory ran out */
	int (*run)(struct device *d, float *out, int arg);
};

static float noise(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (float)(int32_t)*state * 0x1p-29f; /* -4 .. 4 */
}

static void fill(float *p, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = noise(&seed);
}

static struct mat view(float *p, int n, int d)
{
	return (struct mat){ p, n, d, (size_t)d };
}

static int run_linear(struct device *d, float *out, int dt)
{
	enum { M = 17, N = 77, K = 301 };
	float x[M * K], w[N * K];
	const struct ops *o = device_ops(d);
	struct linear l;
	uint16_t *half = malloc((size_t)N * K * sizeof *half);
	if (!half || o->linear_init(d, &l, (enum dtype)dt, N, K, 1, NULL) < 0) {
		free(half);
		return -1;
	}
	fill(x, M * K, 1);
	fill(w, N * K, 2);
	for (int i = 0; i < N * K; i++)
		half[i] = dt == DT_F16 ? f32_to_f16(w[i]) : f32_to_bf16(w[i]);
	o->linear_rows(d, &l, 0, dt == DT_F32 ? (void *)w : (void *)half, K, N);
	o->put(d, l.bias, w, N * sizeof *w);
	o->linear(d, view(out, M, N), view(x, M, K), &l);
	out += M * N;
	for (int m = 1; m <= 6; out += m * N, m++) /* the few-row paths */
		o->linear(d, view(out, m, N), view(x, m, K), &l);
	o->linear_free(d, &l);
	free(half);
	return 0;
}

#define ROWS 5
#define WIDTH 333

static int run_rmsnorm(struct device *d, float *out, int arg)
{
	float x[ROWS * WIDTH], w[WIDTH];
	(void)arg;
	fill(x, ROWS * WIDTH, 3);
	fill(w, WIDTH, 4);
	device_ops(d)->rmsnorm(d, view(out, ROWS, WIDTH), view(x, ROWS, WIDTH), 1, w, 1e-6f);
	return 0;
}

static int run_layernorm(struct device *d, float *out, int arg)
{
	float x[ROWS * WIDTH], w[2 * WIDTH];
	(void)arg;
	fill(x, ROWS * WIDTH, 5);
	fill(w, 2 * WIDTH, 6);
	device_ops(d)->layernorm(d, view(out, ROWS, WIDTH), view(x, ROWS, WIDTH), 1, w, w + WIDTH, 1e-5f);
	return 0;
}

static int run_act(struct device *d, float *out, int act)
{
	float x[ROWS * WIDTH], up[ROWS * WIDTH];
	fill(x, ROWS * WIDTH, 7);
	fill(up, ROWS * WIDTH, 8);
	const float p[4] = { 0.9f, 1.5f, 0.5f, -1e-6f };
	struct mat single = act == ACT_SWIGLU_CLAMPED ? view(up, ROWS, WIDTH) : (struct mat){ 0 };
	device_ops(d)->act(d, view(out, ROWS, WIDTH), view(x, ROWS, WIDTH), view(up, ROWS, WIDTH), (enum act)act, p);
	device_ops(d)->act(d, view(out + ROWS * WIDTH, ROWS, WIDTH), view(x, ROWS, WIDTH), single, (enum act)act, p);
	return 0;
}

static int run_scalings(struct device *d, float *out, int arg)
{
	static const int32_t to[ROWS] = { 3, 0, 4, 1, 2 };
	float x[ROWS * WIDTH];
	const struct ops *o = device_ops(d);
	struct mat all = view(out, ROWS, WIDTH);
	(void)arg;
	fill(x, ROWS * WIDTH, 16);
	fill(out, ROWS * WIDTH, 17);
	o->softcap(d, all, 2.0f);
	o->axpy(d, all, view(x, ROWS, WIDTH), 0.3f);
	o->scale(d, all, 1.1f);
	o->scatter(d, all, view(x, ROWS, WIDTH), to, x);
	o->scale_rows(d, all, x, to);
	o->clip(d, all, 1.5f);
	return 0;
}

static int run_route(struct device *d, float *out, int score)
{
	enum { K = 2, GROUPS = 9 };
	float x[ROWS * WIDTH], bias[WIDTH];
	struct router r = { .score = (enum route_score)score, .experts = WIDTH, .k = K, .normalise = 1, .factor = 2.5f, .jitter = 0.1f };
	fill(x, ROWS * WIDTH, 18);
	fill(bias, WIDTH, 19);
	if (score != ROUTE_SPARSEMIX) {
		r.bias = bias;
		r.groups = GROUPS;
		r.groups_kept = 3;
		r.best_of = 2;
	}
	device_ops(d)->route(d, (int32_t *)(void *)out, out + ROWS * K, view(x, ROWS, WIDTH), &r);
	return 0;
}

static int run_add(struct device *d, float *out, int arg)
{
	float x[ROWS * WIDTH];
	(void)arg;
	fill(x, ROWS * WIDTH, 9);
	fill(out, ROWS * WIDTH, 10);
	device_ops(d)->add(d, view(out, ROWS, WIDTH), view(x, ROWS, WIDTH));
	return 0;
}

static int run_embed(struct device *d, float *out, int dt)
{
	static const int32_t ids[ROWS] = { 3, 0, 6, 6, 1 };
	float t[7 * WIDTH];
	uint16_t half[7 * WIDTH];
	fill(t, 7 * WIDTH, 11);
	for (int i = 0; i < 7 * WIDTH; i++)
		half[i] = dt == DT_F16 ? f32_to_f16(t[i]) : f32_to_bf16(t[i]);
	struct table table = { (enum dtype)dt, 7, WIDTH, dt == DT_F32 ? (void *)t : (void *)half };
	device_ops(d)->embed(d, view(out, ROWS, WIDTH), &table, ids);
	return 0;
}

static int run_rope(struct device *d, float *out, int layout)
{
	enum { HEADS = 3, D = 44, DIMS = 38, POS = 9 };
	static const int32_t pos[ROWS] = { 0, 8, 3, 4, 1 };
	float c[2 * POS * DIMS / 2];
	fill(c, sizeof c / sizeof c[0], 12);
	fill(out, ROWS * HEADS * D, 13);
	struct rope r = { DIMS, (enum rope_layout)layout, POS, c, c + POS * DIMS / 2 };
	device_ops(d)->rope(d, view(out, ROWS, HEADS * D), HEADS, &r, pos);
	return 0;
}

enum { PLAIN, WINDOW, SOFTCAP, ALIBI, SINKS, CHUNK, ROUNDED, LATENT };

static int run_attend(struct device *d, float *out, int kind)
{
	enum { N = 3, H = 4, HK = 2, D = 36, PAGES = 6, KEYS = 330 };
	static const int32_t pos[N] = { 329, 60, 256 }, seq[N] = { 0, 0, 0 }, table[PAGES] = { 4, 1, 5, 0, 2, 3 };
	float k[PAGES * HK * D * KV_PAGE], v[PAGES * HK * D * KV_PAGE]; /* no slot behind KEYS is ever read */
	float q[N * H * D], row[2 * HK * D];
	const float per_head[H] = { -0.5f, -0.25f, -0.125f, -0.0625f };
	const struct ops *o = device_ops(d);
	int dv = kind == LATENT ? 20 : D;
	struct kv c = { k, v, HK, D, PAGES, dv };
	struct attend a = { .scale = 0.1f, .softcap = kind == SOFTCAP ? 20.0f : 0, .window = kind == WINDOW ? 100 : 0,
			    .slopes = kind == ALIBI || kind == ROUNDED ? per_head : NULL, .rounded_bias = kind == ROUNDED,
			    .chunk = kind == CHUNK ? 100 : 0, .sinks = kind == SINKS ? per_head : NULL };
	for (int32_t t = 0, one = 0; t < KEYS; t++) {
		fill(row, 2 * HK * D, 14 + (uint32_t)t);
		struct batch b = { 1, NULL, &t, &one, table, PAGES };
		o->kv_write(d, &c, view(row, 1, HK * D), view(row + HK * D, 1, HK * dv), &b);
	}
	fill(q, N * H * D, 999);
	struct batch b = { N, NULL, pos, seq, table, PAGES };
	o->attend(d, view(out, N, H * dv), view(q, N, H * D), H, &c, &a, &b);
	return 0;
}

/* Seven rows in two runs that start from a slot and from nothing; slots are left by the way. They follow y in out. */
enum { RUNS = 2, TOKENS = 7, SLOTS = 2, HEADS = 2, CHANNELS = 77, STATE = 5, ACROSS = HEADS * CHANNELS };

static struct batch run_batch(void)
{
	static const int32_t run[RUNS + 1] = { 0, 4, TOKENS }, to[TOKENS] = { -1, 0, -1, 0, -1, -1, 1 };
	static const int32_t from[TOKENS] = { 0, STATE_CHAIN, STATE_CHAIN, STATE_CHAIN, STATE_ZERO, STATE_CHAIN, STATE_CHAIN };
	return (struct batch){ .n = TOKENS, .run = run, .from = from, .to = to, .runs = RUNS };
}

static int run_conv(struct device *d, float *out, int width)
{
	float x[TOKENS * ACROSS], w[(CONV_WIDTH + 1) * ACROSS];
	struct batch b = run_batch();
	struct conv c = { ACROSS, width, w, w + width * ACROSS, 1 };
	struct states s = { out + TOKENS * ACROSS, conv_state(&c), SLOTS };
	fill(x, TOKENS * ACROSS, 20);
	fill(w, sizeof w / sizeof w[0], 21);
	fill(s.p, SLOTS * s.size, 22);
	device_ops(d)->conv(d, view(out, TOKENS, ACROSS), view(x, TOKENS, ACROSS), &c, &s, &b);
	return 0;
}

enum { SCAN_MAMBA, SCAN_LIGHTNING, SCAN_DELTA };

static int run_scan(struct device *d, float *out, int kind)
{
	float x[TOKENS * ACROSS], side[2 * TOKENS * STATE], gate[2 * TOKENS * HEADS];
	static const float a[HEADS] = { -0.5f, -0.125f }, bias[HEADS] = { 0.25f, -1.0f };
	const struct ops *o = device_ops(d);
	struct batch b = run_batch();
	struct states s = { out + TOKENS * ACROSS, HEADS * STATE * CHANNELS, SLOTS };
	struct mat y = view(out, TOKENS, ACROSS), v = view(x, TOKENS, ACROSS), q = view(side, TOKENS, STATE), k = view(side + TOKENS * STATE, TOKENS, STATE);
	struct mat alpha = view(gate, TOKENS, HEADS), beta = view(gate + TOKENS * HEADS, TOKENS, HEADS);
	struct ssm ssm = { HEADS, CHANNELS, STATE, 1, a, bias, kind == SCAN_MAMBA ? bias : NULL, 0.001f, 2.0f };
	struct delta delta = { 1, HEADS, STATE, CHANNELS, a, bias };
	fill(x, TOKENS * ACROSS, 23);
	fill(side, 2 * TOKENS * STATE, 24);
	fill(gate, 2 * TOKENS * HEADS, 25);
	fill(s.p, SLOTS * s.size, 26);
	if (kind == SCAN_DELTA)
		o->delta(d, y, q, k, v, alpha, beta, &delta, &s, &b);
	else
		o->ssm(d, y, v, k, q, kind == SCAN_MAMBA ? alpha : (struct mat){ 0 }, &ssm, &s, &b);
	return 0;
}

static int run_lse(struct device *d, float *out, int arg)
{
	enum { N = 2, V = 8200 + 77 };
	float x[N * V];
	static const int32_t target[N] = { 8210, -1 };
	struct lse l[N];
	(void)arg;
	fill(x, N * V, 15);
	memset(l, 0, sizeof l);
	device_ops(d)->lse(d, l, view(x, N, V), target);
	memcpy(out, l, sizeof l);
	return 0;
}

static const struct check checks[] = {
	{ "linear f32", DT_F32, run_linear },
	{ "linear f16", DT_F16, run_linear },
	{ "linear bf16", DT_BF16, run_linear },
	{ "rmsnorm", 0, run_rmsnorm },
	{ "layernorm", 0, run_layernorm },
	{ "add", 0, run_add },
	{ "embed f32", DT_F32, run_embed },
	{ "embed f16", DT_F16, run_embed },
	{ "embed bf16", DT_BF16, run_embed },
	{ "rope halves", ROPE_HALF, run_rope },
	{ "rope pairs", ROPE_INTERLEAVED, run_rope },
	{ "silu", ACT_SILU, run_act },
	{ "gelu", ACT_GELU_ERF, run_act },
	{ "gelu tanh", ACT_GELU_TANH, run_act },
	{ "relu", ACT_RELU, run_act },
	{ "no activation", ACT_NONE, run_act },
	{ "relu squared", ACT_RELU2, run_act },
	{ "sigmoid", ACT_SIGMOID, run_act },
	{ "quick gelu", ACT_QUICK_GELU, run_act },
	{ "xielu", ACT_XIELU, run_act },
	{ "swiglu clamped", ACT_SWIGLU_CLAMPED, run_act },
	{ "scalings", 0, run_scalings },
	{ "route softmax", ROUTE_SOFTMAX, run_route },
	{ "route sigmoid", ROUTE_SIGMOID, run_route },
	{ "route top", ROUTE_TOP, run_route },
	{ "route gate", ROUTE_GATE, run_route },
	{ "route sparsemix", ROUTE_SPARSEMIX, run_route },
	{ "attend", PLAIN, run_attend },
	{ "attend window", WINDOW, run_attend },
	{ "attend softcap", SOFTCAP, run_attend },
	{ "attend alibi", ALIBI, run_attend },
	{ "attend sinks", SINKS, run_attend },
	{ "attend chunks", CHUNK, run_attend },
	{ "attend rounded", ROUNDED, run_attend },
	{ "attend latent", LATENT, run_attend },
	{ "convolution", 4, run_conv },
	{ "mamba", SCAN_MAMBA, run_scan },
	{ "lightning", SCAN_LIGHTNING, run_scan },
	{ "delta rule", SCAN_DELTA, run_scan },
	{ "lse", 0, run_lse },
};

/* avx512bf16 has no kernels of its own in chain32. */
static const enum cpu_level levels[] = { CPU_NEON, CPU_AVX2, CPU_AVX512 };

int selfcheck_run(struct selfcheck *rows, int max)
{
	float *out[2] = { calloc(OUT_FLOATS, sizeof(float)), calloc(OUT_FLOATS, sizeof(float)) };
	struct device *plain = NULL, *dev = NULL;
	int n = 0;
	if (!out[0] || !out[1] ||
	    device_open(&plain, &(struct device_opts){ .name = "cpu", .threads = 1, .max_level = CPU_SCALAR }, NULL) < 0)
		max = 0;
	for (size_t l = 0; l < sizeof levels / sizeof levels[0]; l++) {
		int have = cpu_has(levels[l]) && matmul_isa(levels[l])->level == levels[l];
		if (have && n < max &&
		    device_open(&dev, &(struct device_opts){ .name = "cpu", .threads = 2, .max_level = levels[l] }, NULL) < 0)
			break;
		for (size_t i = 0; i < sizeof checks / sizeof checks[0] && n < max; i++) {
			rows[n] = (struct selfcheck){ checks[i].name, levels[l], -1 };
			if (have) {
				memset(out[0], 0, OUT_FLOATS * sizeof(float));
				memset(out[1], 0, OUT_FLOATS * sizeof(float));
				int ran = checks[i].run(plain, out[0], checks[i].arg) == 0 &&
					  checks[i].run(dev, out[1], checks[i].arg) == 0;
				rows[n].ok = ran && memcmp(out[0], out[1], OUT_FLOATS * sizeof(float)) == 0;
			}
			n++;
		}
		device_close(dev);
		dev = NULL;
	}
	device_close(plain);
	free(out[0]);
	free(out[1]);
	return n;
}
