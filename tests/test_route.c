/* test_route.c - routing to experts against the definitions in double, computed another way (sorting), and its edges: ties, NaN,
 * infinities, groups, biases, every expert chosen; the same bits at every level, number of threads and batch. Then scatter and
 * scale_rows through a device.
 */
#include <stdlib.h>

#include "kernels/base/dmath.h"
#include "kernels/base/fma.h"
#include "tests/check_rowops.h"

#define MOST ROUTE_EXPERTS

static const struct router kinds[] = {
	{ .score = ROUTE_SOFTMAX, .experts = 8, .k = 2, .normalise = 1, .factor = 1 },				 /* mixtral */
	{ .score = ROUTE_SOFTMAX, .experts = 60, .k = 4, .factor = 1 },						 /* qwen2-moe */
	{ .score = ROUTE_SOFTMAX, .experts = 160, .k = 6, .groups = 8, .groups_kept = 3, .best_of = 1, .factor = 16 }, /* deepseek-v2 */
	{ .score = ROUTE_SIGMOID, .experts = 256, .k = 8, .bias = (float *)1, .groups = 8, .groups_kept = 4, .best_of = 2, .normalise = 1,
	  .floor = 1e-20f, .factor = 2.5f },									 /* deepseek-v3 */
	{ .score = ROUTE_SIGMOID, .experts = 32, .k = 4, .bias = (float *)1, .normalise = 1, .floor = 1e-6f, .factor = 1 }, /* lfm2 */
	{ .score = ROUTE_SOFTMAX, .experts = 64, .k = 6, .bias = (float *)1, .normalise = 1, .factor = 1 },	 /* ernie */
	{ .score = ROUTE_SOFTMAX, .experts = 768, .k = 12, .bias = (float *)1, .factor = 6 },			 /* longcat */
	{ .score = ROUTE_TOP, .experts = 128, .k = 4, .factor = 1 },						 /* gpt-oss */
	{ .score = ROUTE_GATE, .experts = 16, .k = 1, .factor = 1 },						 /* llama4 */
	{ .score = ROUTE_SPARSEMIX, .experts = 16, .k = 2, .jitter = 0.01f, .factor = 1 },			 /* phi-moe */
	{ .score = ROUTE_SPARSEMIX, .experts = 200, .k = 2, .jitter = 0.2f, .factor = 1 },
	{ .score = ROUTE_SOFTMAX, .experts = MOST, .k = ROUTE_K, .normalise = 1, .factor = 1 },
	{ .score = ROUTE_TOP, .experts = ROUTE_K, .k = ROUTE_K, .factor = 1 },
	{ .score = ROUTE_SIGMOID, .experts = 7, .k = 7, .factor = 0.5f },
	{ .score = ROUTE_SOFTMAX, .experts = 1, .k = 1, .normalise = 1, .factor = 1 },
	{ .score = ROUTE_SIGMOID, .experts = 12, .k = 6, .groups = 6, .groups_kept = 3, .best_of = 2, .factor = 1 },
	{ .score = ROUTE_SOFTMAX, .experts = 33, .k = 5, .groups = 33, .groups_kept = 5, .best_of = 1, .factor = 1 },
};

static double absd(double x)
{
	return x < 0 ? -x : x;
}

/* ---- the definition in double: choices from the float scores, by sorting; weights from the logits */

static const float *rank_of; /* what by_rank compares */

static int by_rank(const void *a, const void *b)
{
	int i = *(const int *)a, j = *(const int *)b;
	if (rank_of[i] != rank_of[j])
		return rank_of[i] > rank_of[j] ? -1 : 1;
	return i < j ? -1 : 1;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void sorted(int *ids, const float *value, int n)
{
	for (int i = 0; i < n; i++)
		ids[i] = i;
	rank_of = value;
	qsort(ids, (size_t)n, sizeof *ids, by_rank);
}

/* e^x over the sum of those with in[] set */
static double share(const float *x, const unsigned char *in, int n, int one)
{
	double l = 0;
	for (int i = 0; i < n; i++)
		if (in[i])
			l += dm_exp((double)x[i] - x[one]);
	return 1 / l;
}

static double masked_share(const float *x, int n, int one, int gone, double jitter)
{
	unsigned char in[MOST];
	for (int i = 0; i < n; i++) {
		double a = absd(x[i]), by = a > x[one] ? a : x[one];
		in[i] = i != gone && !((x[one] - x[i]) / by > 2 * jitter);
	}
	return share(x, in, n, one);
}

/* ids in rising order and weights, of logits x; rival: the floats that compete, as the kernel has them */
static void define(int *ids, double *w, const float *x, const float *rival, const struct router *r)
{
	int n = r->experts, order[MOST], groups = r->groups > 1 ? r->groups : 1, size = n / groups, in = 0;
	float group[MOST], r2[MOST];
	unsigned char kept[MOST] = { 0 }, all[MOST], chosen[MOST] = { 0 };
	double sum = 0;
	for (int g = 0; g < groups; g++) {
		sorted(order, rival + g * size, size);
		group[g] = rival[g * size + order[0]];
		if (groups > 1 && r->best_of == 2)
			group[g] += rival[g * size + order[1]];
	}
	sorted(order, group, groups);
	for (int g = 0; g < (groups > 1 ? r->groups_kept : 1); g++)
		kept[order[g]] = 1;
	memcpy(r2, rival, (size_t)n * sizeof *r2);
	sorted(order, r2, n);
	for (int i = 0; in < r->k; i++)
		if (kept[order[i] / size])
			ids[in++] = order[i];
	int first = ids[0];
	qsort(ids, (size_t)in, sizeof *ids, by_number);
	memset(all, 1, sizeof all);
	for (int i = 0; i < in; i++)
		chosen[ids[i]] = 1;
	for (int i = 0; i < in; i++) {
		switch (r->score) {
		case ROUTE_SOFTMAX: w[i] = share(x, all, n, ids[i]); break;
		case ROUTE_TOP: w[i] = share(x, chosen, n, ids[i]); break;
		case ROUTE_SPARSEMIX: w[i] = masked_share(x, n, ids[i], ids[i] == first ? -1 : first, (double)r->jitter); break;
		default: w[i] = 1 / (1 + dm_exp(-x[ids[i]])); break;
		}
		sum += w[i];
	}
	for (int i = 0; i < in; i++)
		w[i] = (r->normalise ? w[i] / (sum + r->floor) : w[i]) * r->factor;
}

static void test_against_definition(void)
{
	struct rowops ops;
	rowops_c(&ops);
	check_state = test_seed();
	for (int kind = 0; kind < COUNT(kinds); kind++)
		for (int turn = 0; turn < 60; turn++) {
			struct router r = kinds[kind];
			float x[MOST], score[MOST], bias[MOST], w[ROUTE_K];
			int want[ROUTE_K], n = r.experts;
			int32_t ids[ROUTE_K];
			double weight[ROUTE_K], worst = 0;
			for (int i = 0; i < n; i++) {
				x[i] = turn % 3 ? check_plain() * (float)(1 << turn % 5) : (float)check_rand(5) * 0.5f - 1; /* ties */
				bias[i] = turn % 3 ? check_plain() * 0.3f : (float)check_rand(3);
			}
			memcpy(score, x, sizeof score);
			if (r.score == ROUTE_SOFTMAX)
				ops.softmax(score, n);
			else if (r.score == ROUTE_SIGMOID)
				ops.act(score, score, NULL, n, ACT_SIGMOID, NULL);
			if (r.bias)
				r.bias = bias;
			for (int i = 0; r.bias && i < n; i++)
				score[i] += bias[i];
			define(want, weight, x, score, &r);
			memcpy(score, x, sizeof score);
			route_row(ids, w, score, &r, &ops);
			for (int i = 0; i < r.k; i++) {
				CHECK(ids[i] == want[i], "kind %d turn %d: expert %d is %d, not %d", kind, turn, i, ids[i], want[i]);
				double e = absd(w[i] - weight[i]) / (weight[i] + 1e-30);
				worst = e > worst ? e : worst;
			}
			CHECK(worst < 1e-5, "kind %d turn %d: relative error %g", kind, turn, worst);
		}
}

/* ---- edges */

static void routed(int32_t *ids, float *w, const float *x, struct router r)
{
	struct rowops ops;
	float copy[MOST];
	rowops_c(&ops);
	memcpy(copy, x, (size_t)r.experts * sizeof *x);
	route_row(ids, w, copy, &r, &ops);
}

static void test_edges(void)
{
	float inf = f32_of_bits(0x7f800000u), nan = f32_of_bits(0x7f800001u), x[8] = { 0 }, w[8], bias[8] = { 0 };
	int32_t ids[8];
	struct router soft = { .score = ROUTE_SOFTMAX, .experts = 8, .k = 3, .normalise = 1, .factor = 1 }, top = soft, gate = soft, sig = soft;
	top.score = ROUTE_TOP;
	top.normalise = 0;
	gate.score = ROUTE_GATE;
	sig.score = ROUTE_SIGMOID;
	gate.normalise = sig.normalise = 0;

	routed(ids, w, x, soft);
	CHECK(ids[0] == 0 && ids[1] == 1 && ids[2] == 2 && w[0] == w[1] && w[2] == 1.0f / 3, "all equal: the lowest, a third each");
	x[3] = -0.0f, x[0] = -1, x[6] = 1;
	routed(ids, w, x, gate);
	CHECK(ids[0] == 1 && ids[1] == 2 && ids[2] == 6 && w[0] == 0.5f, "-0 equals +0: the lowest of both");
	x[6] = -0.0f, x[1] = x[2] = x[4] = x[5] = -2;
	routed(ids, w, x, gate);
	CHECK(ids[0] == 3 && ids[1] == 6 && ids[2] == 7, "-0 in front of +0 behind it");

	/* a NaN anywhere, in the logits or the bias: the lowest k, weights NaN */
	for (int at = 0; at < 8; at++)
		for (int kind = 0; kind < 5; kind++) {
			struct router r = kind == 0 ? soft : kind == 1 ? top : kind == 2 ? gate : sig;
			float y[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, b[8] = { 0 };
			*(kind == 4 ? &b[at] : &y[at]) = nan;
			if (kind == 4)
				r.bias = b;
			routed(ids, w, y, r);
			CHECK(ids[0] == 0 && ids[1] == 1 && ids[2] == 2, "NaN at %d, kind %d: ids %d %d %d", at, kind, ids[0], ids[1], ids[2]);
			CHECK(f32_bits(w[0]) == 0x7fc00000u && f32_bits(w[1]) == 0x7fc00000u && f32_bits(w[2]) == 0x7fc00000u, "NaN weights");
		}
	struct router mix = { .score = ROUTE_SPARSEMIX, .experts = 8, .k = 2, .jitter = 0.01f, .factor = 1 };
	float y[8] = { 1, 2, nan, 4, 5, 6, 7, 8 };
	routed(ids, w, y, mix);
	CHECK(ids[0] == 0 && ids[1] == 1 && w[0] != w[0] && w[1] != w[1], "sparsemix with a NaN");

	/* infinities: +Inf is certain for a sigmoid and impossible to share; -Inf is never taken while there are others */
	float z[8] = { -inf, 1, -inf, inf, 2, -inf, -inf, 3 };
	routed(ids, w, z, sig);
	CHECK(ids[0] == 3 && ids[1] == 4 && ids[2] == 7 && w[0] == 1, "sigmoid of +Inf is 1");
	routed(ids, w, z, soft);
	CHECK(ids[0] == 0 && ids[2] == 2 && w[0] != w[0], "softmax with +Inf is NaN");
	z[3] = 0;
	routed(ids, w, z, top);
	CHECK(ids[0] == 1 && ids[1] == 4 && ids[2] == 7 && w[0] > 0, "-Inf stays behind");
	for (int i = 0; i < 8; i++)
		z[i] = i == 5 ? 1 : -inf;
	routed(ids, w, z, top);
	CHECK(ids[0] == 0 && ids[1] == 1 && ids[2] == 5 && w[0] == 0 && w[1] == 0 && w[2] == 1, "one finite logit");
	routed(ids, w, z, mix);
	CHECK(ids[0] == 0 && ids[1] == 5 && w[1] == 1 && w[0] != w[0], "sparsemix: the second of one finite logit has no share");
	for (int i = 0; i < 8; i++)
		z[i] = -inf;
	routed(ids, w, z, soft);
	CHECK(ids[0] == 0 && ids[1] == 1 && ids[2] == 2 && w[0] != w[0], "all -Inf");

	/* groups: {0,1} {2,3} {4,5} {6,7}, a tie of groups goes to the lower; the sum of two beats the best one */
	struct router g = { .score = ROUTE_GATE, .experts = 8, .k = 2, .groups = 4, .groups_kept = 1, .best_of = 1, .factor = 1 };
	float q[8] = { 1, 1, 3, 0, 2, 2, 3, 2.5f };
	routed(ids, w, q, g);
	CHECK(ids[0] == 2 && ids[1] == 3, "by the best member: the lower of equal groups");
	g.best_of = 2;
	routed(ids, w, q, g);
	CHECK(ids[0] == 6 && ids[1] == 7, "by the sum of the two best");
	g.groups_kept = 2;
	routed(ids, w, q, g);
	CHECK(ids[0] == 6 && ids[1] == 7, "two groups: {6,7} and {4,5}, of which 3 and 2.5 are the best");
	bias[4] = 10, bias[5] = -inf, bias[0] = inf;
	g.bias = bias;
	g.groups_kept = 1;
	routed(ids, w, q, g);
	CHECK(ids[0] == 0 && ids[1] == 1, "a bias of +Inf decides for its group");
	bias[1] = -inf;
	routed(ids, w, q, g);
	CHECK(ids[0] == 0 && ids[1] == 1 && w[0] != w[0], "Inf - Inf as a group's score: NaN weights");

	/* the bias chooses and does not weigh */
	float even[8] = { 0 }, push[8] = { 0, 0, 0, 0, 0, 1, 1, 1 };
	sig.bias = push;
	routed(ids, w, even, sig);
	CHECK(ids[0] == 5 && ids[2] == 7 && w[0] == 0.5f, "chosen by the bias, weighed without");
	/* floor and factor */
	sig.normalise = 1;
	sig.floor = 0.5f;
	sig.factor = 4;
	routed(ids, w, even, sig);
	CHECK(w[0] == 1.0f && w[1] == 1.0f && w[2] == 1.0f, "0.5 / (1.5 + 0.5) * 4");
}

/* Phi-3.5-MoE: near is what differs from the largest by no more than 2 jitter of the larger magnitude. */
static void test_sparsemix(void)
{
	struct router mix = { .score = ROUTE_SPARSEMIX, .experts = 4, .k = 2, .jitter = 0.25f, .factor = 1 };
	float w[2], x[4] = { 2, 4, 1, -8 }; /* of 4: (4-2)/4 = .5 is near, (4-1)/4 and 12/8 are not; of 2, without 4: (2-1)/2 is near */
	int32_t ids[2];
	routed(ids, w, x, mix);
	double first = 1 / (1 + dm_exp(-2)), second = 1 / (1 + dm_exp(-1));
	CHECK(ids[0] == 0 && ids[1] == 1, "experts %d %d", ids[0], ids[1]);
	CHECK(absd(w[1] - first) < 1e-7 && absd(w[0] - second) < 1e-7, "weights %g %g, not %g %g", (double)w[0], (double)w[1], second, first);
	float none[4] = { 0, 0, 0, 0 }; /* 0/0 is not above the threshold: all are near */
	routed(ids, w, none, mix);
	CHECK(ids[0] == 0 && ids[1] == 1 && w[0] == 0.25f && absd(w[1] - 1.0 / 3) < 1e-7, "zeros: %g %g", (double)w[0], (double)w[1]);
}

/* ---- through devices */

static struct device *opened(enum cpu_level level, int threads)
{
	struct device *d = NULL;
	struct err e = { 0 };
	if (device_open(&d, &(struct device_opts){ .name = "cpu", .threads = threads, .max_level = level }, &e) < 0) {
		printf("%s\n", e.msg);
		exit(99);
	}
	return d;
}

/* Every kind on nasty rows: whole at scalar against every level, threads, and rows one by one. */
static void test_levels(void)
{
	enum { N = 60, LD = MOST + 3 };
	static float x[N * LD], y[N * LD], bias[MOST], w[N * ROUTE_K], v[N * ROUTE_K];
	static int32_t ids[N * ROUTE_K], got[N * ROUTE_K];
	check_state = test_seed();
	for (int kind = 0; kind < COUNT(kinds); kind++)
		for (enum cpu_level level = CPU_SCALAR; level < CPU_LEVELS; level++) {
			struct router r = kinds[kind];
			size_t all = (size_t)(N * r.k);
			if (!cpu_has(level))
				continue;
			for (int i = 0; i < N; i++)
				for (int j = 0; j < LD; j++)
					x[i * LD + j] = check_value((enum fill)(i % FILLS)) * (i % 3 ? 1.0f : 4.0f);
			check_fill(bias, MOST, level == CPU_SCALAR ? FILL_MIXED : FILL_PLAIN);
			if (r.bias)
				r.bias = bias;
			struct device *plain = opened(CPU_SCALAR, 1), *dev = opened(level, 3);
			memcpy(y, x, sizeof y);
			device_ops(plain)->route(plain, ids, w, (struct mat){ y, N, r.experts, LD }, &r);
			for (int turn = 0; turn < 2; turn++) {
				memcpy(y, x, sizeof y);
				memset(got, 0x55, sizeof got);
				for (int i = 0; i < (turn ? N : 1); i++)
					device_ops(dev)->route(dev, got + i * r.k, v + i * r.k, (struct mat){ y + i * LD, turn ? 1 : N, r.experts, LD }, &r);
				CHECK(!memcmp(got, ids, all * sizeof *ids), "kind %d at %s: experts differ", kind, cpu_level_name(level));
				CHECK(!memcmp(v, w, all * sizeof *w), "kind %d at %s: weights differ", kind, cpu_level_name(level));
				CHECK(all == N * ROUTE_K || got[all] == 0x55555555, "wrote behind the last");
			}
			for (int i = 0; i < N; i++)
				for (int j = 0; j < r.k; j++) {
					int id = ids[i * r.k + j];
					CHECK(id >= 0 && id < r.experts && (j == 0 || id > ids[i * r.k + j - 1]), "row %d: expert %d is %d", i, j, id);
				}
			device_close(plain);
			device_close(dev);
		}
}

static void test_scatter(void)
{
	enum { N = 40, D = 50, LD = 53, V = 90 };
	static float x[N * LD], y[V * LD], z[V * LD], w[N], t[N];
	int32_t to[N], at[N];
	struct device *d = opened(CPU_SCALAR, 3);
	const struct ops *o = device_ops(d);
	check_state = test_seed();
	for (int kind = 0; kind < 4; kind++) {
		int has_rows = kind & 1, has_w = kind & 2, bad = 0;
		check_fill(x, N * LD, FILL_PLAIN);
		check_fill(y, V * LD, FILL_PLAIN);
		check_fill(w, N, FILL_PLAIN);
		memcpy(z, y, sizeof z);
		for (int i = 0; i < N; i++)
			to[i] = (i * 7 + 3) % V; /* each once */
		o->scatter(d, (struct mat){ y, V, D, LD }, (struct mat){ x, N, D, LD }, has_rows ? to : NULL, has_w ? w : NULL);
		for (int i = 0; i < N; i++)
			for (int j = 0; j < D; j++) {
				float *was = &z[(has_rows ? to[i] : i) * LD + j];
				*was = xfmaf(x[i * LD + j], has_w ? w[i] : 1.0f, *was);
			}
		CHECK(!memcmp(y, z, sizeof y), "scatter, rows %d, weights %d", has_rows, has_w);
		for (int i = 0; i < N; i++) {
			t[i] = check_plain();
			at[i] = (i * 3) % N;
		}
		memcpy(z, x, sizeof z / V * N);
		o->scale_rows(d, (struct mat){ x, N, D, LD }, t, kind & 1 ? at : NULL);
		for (int i = 0; i < N; i++)
			for (int j = 0; j < LD; j++)
				bad += x[i * LD + j] != (j < D ? z[i * LD + j] * t[kind & 1 ? at[i] : i] : z[i * LD + j]);
		CHECK(!bad, "scale_rows: %d values differ", bad);
		memcpy(z, x, sizeof z / V * N);
		o->scale(d, (struct mat){ x, N, D, LD }, 1.5f);
		o->clip(d, (struct mat){ x, N, D, LD }, 1.0f);
		for (int i = 0; i < N; i++)
			for (int j = 0; j < LD; j++) {
				float s = z[i * LD + j] * 1.5f, c = s > 1 ? 1 : s < -1 ? -1 : s;
				bad += x[i * LD + j] != (j < D ? c : z[i * LD + j]);
			}
		CHECK(!bad, "scale and clip: %d values differ", bad);
		memcpy(z, y, sizeof z);
		o->axpy(d, (struct mat){ y, N, D, LD }, (struct mat){ x, N, D, LD }, 0.3f);
		for (int i = 0; i < N; i++)
			for (int j = 0; j < LD; j++)
				bad += y[i * LD + j] != (j < D ? xfmaf(x[i * LD + j], 0.3f, z[i * LD + j]) : z[i * LD + j]);
		CHECK(!bad, "axpy: %d values differ", bad);
	}
	o->scatter(d, (struct mat){ y, V, D, LD }, (struct mat){ x, 0, D, LD }, to, w); /* no rows: nothing happens */
	device_close(d);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "the definitions in double", test_against_definition },
		{ "ties, NaN, infinities, groups, biases", test_edges },
		{ "the two masked softmaxes of Phi-3.5-MoE", test_sparsemix },
		{ "every level, threads, rows alone", test_levels },
		{ "scatter, scale, clip, axpy through a device", test_scatter },
		{ NULL, NULL },
	};
	return test_main("route", tests, argc, argv);
}
