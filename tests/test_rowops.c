/* test_rowops.c - the row operations: every level that the machine offers against scalar, bit for bit; scalar against
 * straightforward double references; and the edges that NUMERICS.md fixes.
 */
#include "kernels/base/dmath.h"
#include "kernels/exactmath.h"
#include "tests/check_rowops.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

static const struct {
	enum cpu_level level;
	void (*fill)(struct rowops *);
} levels[] = {
#ifdef HAVE_NEON
	{ CPU_NEON, rowops_neon },
#endif
#ifdef HAVE_AVX2
	{ CPU_AVX2, rowops_avx2 },
#endif
#ifdef HAVE_AVX512
	{ CPU_AVX512, rowops_avx512 },
#endif
	{ CPU_SCALAR, rowops_c },
};

static void test_levels(void)
{
	for (int i = 0; i < COUNT(levels); i++) {
		struct rowops c, v;
		rowops_c(&c);
		if (!cpu_has(levels[i].level)) {
			SKIP("%s: not offered by this machine", cpu_level_name(levels[i].level));
			continue;
		}
		rowops_c(&v);
		levels[i].fill(&v);
		check_rowops(&c, &v, cpu_level_name(levels[i].level), 1500);
	}
}

static void test_table(void)
{
	struct rowops c, v;
	rowops_c(&c);
	rowops_init(&v, CPU_SCALAR);
	CHECK(!memcmp(&c, &v, sizeof c), "the scalar mask gives the scalar table");
	for (enum cpu_level l = CPU_SCALAR; l < CPU_LEVELS; l++) {
		rowops_init(&v, l);
		CHECK(v.rmsnorm && v.layernorm && v.rope && v.act && v.add && v.axpy && v.scale && v.clip && v.softcap && v.softmax && v.widen &&
			      v.attend && v.lse,
		      "no entry is empty");
	}
}

static double absd(double x)
{
	return x < 0 ? -x : x;
}

static double dtanh(double x)
{
	double e = dm_expm1(-2 * absd(x));
	return x < 0 ? e / (2 + e) : -e / (2 + e);
}

static double root(double x) /* Newton, from above */
{
	double y = x > 1 ? x : 1, z;
	while ((z = (y + x / y) / 2) < y)
		y = z;
	return y;
}

static void test_norm_accuracy(void)
{
	check_state = test_seed();
	for (int i = 0; i < COUNT(check_widths); i++) {
		int d = check_widths[i];
		float x[4096], w[4096], b[4096], y[4096];
		check_fill(x, (size_t)d, FILL_PLAIN);
		check_fill(w, (size_t)d, FILL_PLAIN);
		check_fill(b, (size_t)d, FILL_PLAIN);
		double ss = 0, s = 0, var = 0, worst = 0;
		for (int j = 0; j < d; j++) {
			ss += (double)x[j] * x[j];
			s += x[j];
		}
		double r = 1 / root(ss / d + (double)1e-6f), mean = s / d;
		for (int j = 0; j < d; j++)
			var += (x[j] - mean) * (x[j] - mean);
		rmsnorm_c(y, x, w, d, 1e-6f);
		for (int j = 0; j < d; j++) {
			double e = absd(y[j] - x[j] * r * w[j]) / (absd(x[j] * r * w[j]) + 1e-30);
			worst = e > worst ? e : worst;
		}
		CHECK(worst < 4 * 0x1p-23, "rmsnorm d=%d: relative error %g", d, worst);
		r = 1 / root(var / d + (double)1e-5f);
		worst = 0;
		layernorm_c(y, x, w, b, d, 1e-5f);
		for (int j = 0; j < d; j++) {
			double t = (x[j] - mean) * r * w[j], scale = (absd(x[j]) + absd(mean)) * r * absd(w[j]) + absd(b[j]);
			double e = absd(y[j] - (t + b[j])) / (scale + 1e-30);
			worst = e > worst ? e : worst;
		}
		CHECK(worst < 6 * 0x1p-23, "layernorm d=%d: relative error %g", d, worst);
	}
}

/* A softmax sums to one and is e^x over its sum. */
static void test_softmax(void)
{
	check_state = test_seed();
	for (int i = 0; i < COUNT(check_widths); i++)
		for (int scale = 1; scale <= 16; scale *= 4) {
			int d = check_widths[i];
			float x[4096], y[4096];
			double top = -1e300, l = 0, sum = 0, worst = 0;
			for (int j = 0; j < d; j++) {
				y[j] = x[j] = check_plain() * (float)scale;
				top = x[j] > top ? (double)x[j] : top;
			}
			for (int j = 0; j < d; j++)
				l += dm_exp(x[j] - top);
			softmax_c(y, d);
			for (int j = 0; j < d; j++) {
				double want = dm_exp(x[j] - top) / l, e = absd(y[j] - want) / (want + 1e-30) / (1 + absd(x[j]) + absd(top));
				worst = e > worst ? e : worst;
				sum += y[j];
			}
			CHECK(worst < 4 * 0x1p-23 && absd(sum - 1) < 1e-6, "softmax d=%d: relative error %g, sum %g", d, worst, sum);
		}
	float y[3] = { f32_of_bits(0xff800000u), 2, f32_of_bits(0xff800000u) };
	softmax_c(y, 3);
	CHECK(y[0] == 0 && y[1] == 1 && y[2] == 0, "the only finite one is certain");
	float z[2] = { 1, f32_of_bits(0x7f800000u) };
	softmax_c(z, 2);
	CHECK(check_canonical(z, 2) && z[0] != z[0] && z[1] != z[1], "+Inf makes all NaN");
}

/* What the scalings and the activations with parameters are, where the answer is exact. */
static void test_scalings(void)
{
	float inf = f32_of_bits(0x7f800000u), nan = f32_of_bits(0xffc00001u);
	float x[5] = { -3, -0.0f, 0.5f, inf, nan }, y[5] = { 1, 1, 1, 1, 1 }, z[5];
	axpy_c(y, x, 2, 5);
	CHECK(y[0] == -5 && y[1] == 1 && y[2] == 2 && y[3] == inf && f32_bits(y[4]) == 0x7fc00000u, "axpy");
	float a[1] = { -1.0f }, b[1] = { 1.0f + 0x1p-12f };
	axpy_c(a, b, 1.0f - 0x1p-12f, 1);
	CHECK(a[0] == -0x1p-24f, "axpy rounds once: %a", (double)a[0]);
	memcpy(z, x, sizeof z);
	scale_c(z, -2, 5);
	CHECK(z[0] == 6 && f32_bits(z[1]) == 0 && z[2] == -1 && z[3] == -inf && f32_bits(z[4]) == 0x7fc00000u, "scale");
	memcpy(z, x, sizeof z);
	clip_c(z, 0.25f, 5);
	CHECK(z[0] == -0.25f && f32_bits(z[1]) == 0x80000000u && z[2] == 0.25f && z[3] == 0.25f && f32_bits(z[4]) == 0x7fc00000u, "clip");
	memcpy(z, x, sizeof z);
	softcap_c(z, 30, 5);
	CHECK(absd(z[0] - 30 * dtanh(-0.1)) < 1e-6 && z[3] == 30 && f32_bits(z[4]) == 0x7fc00000u, "softcap");
	act_c(z, x, NULL, 5, ACT_NONE, NULL);
	CHECK(z[0] == -3 && f32_bits(z[1]) == 0x80000000u && z[3] == inf && f32_bits(z[4]) == 0x7fc00000u, "none");
	act_c(z, x, NULL, 5, ACT_RELU2, NULL);
	CHECK(z[0] == 0 && z[2] == 0.25f && z[3] == inf && f32_bits(z[4]) == 0x7fc00000u, "relu2");
	const float p[4] = { 2.0f, 3.0f, 0.5f, -0.25f };
	act_c(z, x, NULL, 4, ACT_XIELU, p);
	CHECK(absd(z[0] - (3 * (dm_expm1(-3) + 3) - 1.5)) < 1e-6 && absd(z[1] - 3 * dm_expm1(-0.25)) < 1e-7 && z[2] == 0.75f && z[3] == inf, "xielu");
	const float q[4] = { 1.702f, 2.0f };
	float g[4] = { 5, -1, inf, nan }, u[4] = { -7, 1, inf, 1 };
	act_c(z, g, u, 4, ACT_SWIGLU_CLAMPED, q);
	double most = 2 / (1 + dm_exp(-2 * 1.702));
	CHECK(absd(z[0] + most) < 1e-6 && absd(z[1] + 2 / (1 + dm_exp(1.702))) < 1e-6 && absd(z[2] - 3 * most) < 1e-6 &&
		      f32_bits(z[3]) == 0x7fc00000u,
	      "swiglu clamped: %g %g %g", (double)z[0], (double)z[1], (double)z[2]);
}

/* A length-preserving rotation, at the right pairs. */
static void test_rope_pairs(void)
{
	float c[3] = { 0.6f, 0.0f, 1.0f }, s[3] = { 0.8f, 1.0f, 0.0f };
	float x[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	rope_c(x, 1, 8, c, s, 6, ROPE_HALF); /* pairs (0,3) (1,4) (2,5); 6 and 7 stay */
	float want[8] = { 1 * 0.6f - 4 * 0.8f, -5, 3, 1 * 0.8f + 4 * 0.6f, 2, 6, 7, 8 };
	for (int i = 0; i < 8; i++)
		CHECK(absd(x[i] - want[i]) < 1e-6, "half: channel %d is %g, not %g", i, (double)x[i], (double)want[i]);
	float z[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	rope_c(z, 1, 8, c, s, 6, ROPE_INTERLEAVED); /* pairs (0,1) (2,3) (4,5) */
	float want2[8] = { 1 * 0.6f - 2 * 0.8f, 1 * 0.8f + 2 * 0.6f, -4, 3, 5, 6, 7, 8 };
	for (int i = 0; i < 8; i++)
		CHECK(absd(z[i] - want2[i]) < 1e-6, "interleaved: channel %d is %g, not %g", i, (double)z[i], (double)want2[i]);
}

/* To eight significant bits, to nearest even, by arithmetic: x is no denormal. */
static double bf16_double(double x)
{
	int e = 0;
	if (x == 0)
		return 0;
	while (absd(x) < 128)
		x *= 2, e--;
	while (absd(x) >= 256)
		x /= 2, e++;
	x = x + 0x1.8p52 - 0x1.8p52;
	for (; e > 0; e--)
		x *= 2;
	for (; e < 0; e++)
		x /= 2;
	return x;
}

static int sees(const struct attend_head *a, int key)
{
	return (!a->window || a->pos - key < a->window) && (!a->chunk || key / a->chunk == a->pos / a->chunk);
}

/* Softmax attention as every textbook has it, in double. Returns the largest score. */
static double attend_double(double *o, const struct attend_head *a, int log2_folded)
{
	double s[1024], m = -1e300, l = 0, ln2 = 0x1.62e42fefa39efp-1;
	for (int j = 0; j <= a->pos; j++) {
		const float *k = a->k + (size_t)a->table[j / KV_PAGE] * a->k_page + j % KV_PAGE;
		if (!sees(a, j))
			continue;
		s[j] = 0;
		for (int i = 0; i < a->d; i++)
			s[j] += (double)a->q[i] * a->scale * k[i * KV_PAGE];
		if (a->softcap != 0)
			s[j] = a->softcap * dtanh(s[j] / a->softcap);
		if (a->has_slope && a->rounded_bias)
			s[j] += (double)a->scale * bf16_double(a->slope * bf16_double(j));
		else if (a->has_slope)
			s[j] += (double)a->slope * (j - a->pos);
		if (log2_folded)
			s[j] *= ln2;
		m = s[j] > m ? s[j] : m;
	}
	if (a->has_sink && a->sink * ln2 > m)
		m = a->sink * ln2;
	for (int i = 0; i < a->dv; i++)
		o[i] = 0;
	for (int j = 0; j <= a->pos; j++) {
		const float *v = a->v + (size_t)a->table[j / KV_PAGE] * a->v_page + (j % KV_PAGE) * a->dv;
		if (!sees(a, j))
			continue;
		double p = dm_exp(s[j] - m);
		l += p;
		for (int i = 0; i < a->dv; i++)
			o[i] += p * v[i];
	}
	if (a->has_sink)
		l += dm_exp(a->sink * ln2 - m);
	for (int i = 0; i < a->dv; i++)
		o[i] /= l;
	return m;
}

static void test_attend_accuracy(void)
{
	static const struct { int d, pos, window; float softcap, slope, sink; int dv, chunk, rounded; } rows[] = {
		{ 64, 0, 0, 0, 0, 0 },	 { 64, 5, 0, 0, 0, 0 },	    { 64, 63, 0, 0, 0, 0 },	{ 64, 64, 0, 0, 0, 0 },	   { 16, 700, 0, 0, 0, 0 },
		{ 128, 600, 0, 0, 0, 0 }, { 64, 500, 100, 0, 0, 0 }, { 64, 500, 0, 30, 0, 0 },	{ 64, 300, 0, 0, 0.25f, 0 }, { 32, 300, 0, 50, 0.5f, 0 },
		{ 64, 300, 128, 0, 0, 2 }, { 64, 300, 0, 0, 0, 40 }, { 80, 257, 1, 0, 0, 0 },	{ 7, 90, 0, 0, 0, -5 },	   { 256, 400, 0, 0, 0, 0 },
		/* two widths; chunks, also with a window and where a chunk has just begun; falcon-rw's slopes of 32 heads, past key 256 */
		{ 24, 300, 0, 0, 0, 0, 16 }, { 192, 200, 0, 0, 0, 0, 128 }, { 576, 90, 0, 0, 0, 0, 512 }, { 16, 300, 0, 0, 0, 0, 40 },
		{ 64, 300, 0, 0, 0, 0, 64, 128 }, { 64, 256, 0, 0, 0, 0, 64, 128 }, { 32, 299, 0, 0, 0, 0, 32, 100 }, { 64, 200, 30, 0, 0, 0, 64, 96 },
		{ 64, 200, 150, 0, 0, 3, 64, 96 }, { 32, 600, 0, 0, 0.83984375f, 0, 32, 0, 1 }, { 64, 450, 0, 0, 0.70703125f, 0, 64, 0, 1 },
		{ 64, 700, 0, 0, -0.00390625f, 0, 64, 0, 1 },
		/* a soft cap with a window, no power of two as slope, sinks with windows, all of them */
		{ 64, 500, 100, 30, 0, 0 }, { 64, 400, 0, 0, 0.7071067811865476f, 0 }, { 64, 400, 65, 0, 0, 5 }, { 32, 600, 200, 50, 0.3535f, 4, 24, 256 },
	};
	check_state = test_seed();
	for (int i = 0; i < COUNT(rows); i++) {
		int d = rows[i].d, dv = rows[i].dv ? rows[i].dv : d, folded = rows[i].softcap == 0 && rows[i].slope == 0;
		struct check_kv kv;
		float q[576], o[512], scratch[ATTEND_SCRATCH(576, 512)];
		double want[512];
		check_kv_fill(&kv, 1, d, dv, rows[i].pos + 1, FILL_PLAIN, FILL_PLAIN);
		check_fill(q, (size_t)d, FILL_PLAIN);
		struct attend_head a = { .q = q, .k = kv.k, .v = kv.v, .k_page = (size_t)d * KV_PAGE, .v_page = (size_t)dv * KV_PAGE, .table = kv.table,
					 .pos = rows[i].pos, .d = d, .dv = dv, .scale = 0.3f, .chunk = rows[i].chunk, .rounded_bias = rows[i].rounded,
					 .softcap = rows[i].softcap, .slope = rows[i].slope, .has_slope = rows[i].slope != 0,
					 .sink = rows[i].sink, .has_sink = rows[i].sink != 0, .window = rows[i].window };
		attend_c(o, &a, scratch);
		double worst = 0, most = absd(attend_double(want, &a, folded));
		for (int j = 0; j < dv; j++) {
			double e = absd(o[j] - want[j]);
			worst = e > worst ? e : worst;
		}
		/* values are about 1; a score errs by some 2^-20, and by the last roundings where it is large */
		CHECK(worst < 3e-6 + 0x1p-23 * most, "attend row %d, d=%d pos=%d: error %g", i, d, rows[i].pos, worst);
		free(kv.k), free(kv.v);
	}
}

/* One key: its value within the roundings of p v / p. Scores that are integers: exact weights. */
static void test_attend_exact(void)
{
	float q[4] = { 1, 2, 3, 4 }, k[2 * 4 * 64] = { 0 }, v[2 * 4 * 64] = { 0 }, o[4], scratch[ATTEND_SCRATCH(4, 4)];
	int32_t table[2] = { 1, 0 };
	struct attend_head a = { .q = q, .k = k, .v = v, .k_page = 4 * 64, .v_page = 4 * 64, .table = table, .pos = 0, .d = 4, .dv = 4, .scale = 1.7f };
	for (int i = 0; i < 4; i++) {
		k[256 + i * 64] = (float)i - 1.5f;
		v[256 + i] = i == 2 ? -0.0f : 0.1f * (float)i;
	}
	attend_c(o, &a, scratch);
	for (int i = 0; i < 4; i++)
		CHECK(absd(o[i] - 0.1f * (float)(i == 2 ? 0 : i)) < 1e-7, "one key: channel %d is %g", i, (double)o[i]);
	CHECK(f32_bits(o[2]) == 0, "a zero comes out as +0");
	a.pos = 1; /* the second key scores 0 as the first does now */
	for (int i = 0; i < 4; i++) {
		k[256 + i * 64] = 0;
		v[256 + i] = 1;
		v[256 + 4 + i] = 2;
	}
	attend_c(o, &a, scratch);
	CHECK(o[0] == 1.5f && o[3] == 1.5f, "two equal keys: %g", (double)o[0]);
	a.window = 1;
	attend_c(o, &a, scratch);
	CHECK(o[0] == 2.0f, "a window of one key: %g", (double)o[0]);
	a.window = 0;
	a.has_sink = 1;
	a.sink = 1.0f; /* weighs as two keys of score 0 */
	attend_c(o, &a, scratch);
	CHECK(o[0] == 0.75f, "a sink: %g", (double)o[0]);
	a.has_sink = 0;
	k[256 + 64] = f32_of_bits(0x7f800001u);
	attend_c(o, &a, scratch);
	CHECK(f32_bits(o[0]) == 0x7fc00000u && f32_bits(o[3]) == 0x7fc00000u, "a NaN score makes the row NaN");
	k[256 + 64] = f32_of_bits(0xff800000u); /* the first key never */
	attend_c(o, &a, scratch);
	CHECK(o[0] == 2.0f, "a score of -Inf weighs nothing: %g", (double)o[0]);
}

static void test_lse(void)
{
	static float x[60000];
	check_state = test_seed();
	static const int widths[] = { 1, 2, 100, 128, 8192, 8193, 32000, 50257 };
	for (int i = 0; i < COUNT(widths); i++)
		for (int scale = 1; scale <= 16; scale *= 4) {
			int v = widths[i], target = (int)check_rand((unsigned)v), best = 0;
			double m = -1e300, l = 0;
			for (int j = 0; j < v; j++) {
				x[j] = check_plain() * (float)scale;
				best = x[j] > x[best] ? j : best;
				m = x[j] > m ? (double)x[j] : m;
			}
			for (int j = 0; j < v; j++)
				l += dm_exp(x[j] - m);
			struct lse r;
			lse_c(&r, x, v, target);
			double want = x[target] - m - dm_log(l), got = lse_logprob(&r);
			CHECK(r.argmax == best && r.top == x[best], "v=%d: argmax %d, not %d", v, r.argmax, best);
			CHECK(r.m == xm_ceil(r.m), "v=%d: the maximum %g is no integer", v, (double)r.m);
			CHECK(absd(got - want) < 3e-7 * (absd(x[target]) + absd(m) + 1), "v=%d: %.9g, not %.9g", v, got, want);
		}
	struct lse r;
	float tie[6] = { 1, 3, 3, -0.0f, 3, 2 };
	lse_c(&r, tie, 6, -1);
	CHECK(r.argmax == 1 && r.z == 0.0f, "a tie goes to the lowest id");
	float zeros[3] = { -1, -0.0f, 0.0f };
	lse_c(&r, zeros, 3, 2);
	CHECK(r.argmax == 1 && f32_bits(r.top) == 0x80000000u, "-0 equals +0");
	tie[5] = f32_of_bits(0xffc00001u);
	lse_c(&r, tie, 6, 0);
	double lp = lse_logprob(&r);
	CHECK(r.argmax == -1 && f32_bits(r.top) == 0x7fc00000u && lp != lp, "a NaN logit");
	float same[4] = { 7, 7, 7, 7 };
	lse_c(&r, same, 4, 2);
	CHECK(absd(lse_logprob(&r) + 2 * 0x1.62e42fefa39efp-1) < 2e-7, "four equal logits: %.9g", lse_logprob(&r));
	float low[3] = { f32_of_bits(0xff800000u), f32_of_bits(0xff800000u), f32_of_bits(0xff800000u) };
	lse_c(&r, low, 3, 1);
	lp = lse_logprob(&r);
	CHECK(r.argmax == 0 && r.m == 0 && r.l == 0 && lp != lp, "all -Inf");
	low[1] = 5;
	lse_c(&r, low, 3, 1);
	CHECK(absd(lse_logprob(&r)) < 1e-7, "the only finite logit is certain");
	lse_c(&r, low, 3, 0);
	CHECK(lse_logprob(&r) < -1e300, "-Inf has no probability");
}

static uint64_t fnv(uint64_t h, const void *p, size_t n)
{
	for (const unsigned char *c = p; n--; c++)
		h = (h ^ *c) * 0x100000001b3ull;
	return h;
}

/* The numerics id promises these bits: a change of one of them is a new version of chain32 (NUMERICS.md). */
static void test_kept_bits(void)
{
	static float (*const f[])(float) = { xm_ex2, xm_exp, xm_expm1, xm_log1p, xm_tanh, xm_sigmoid, xm_softplus,
					     xm_silu, xm_gelu_tanh, xm_gelu_erf, xm_relu };
	uint64_t functions = 0xcbf29ce484222325ull, rows = functions;
	for (int i = 0; i < COUNT(f); i++)
		for (uint64_t u = 0; u <= 0xffffffffu; u += 100003) {
			float y = f[i](f32_of_bits((uint32_t)u));
			functions = fnv(functions, &y, sizeof y);
		}
	check_state = 1;
	for (int n = 0; n < 40; n++) {
		int d = 8 + 11 * n;
		float x[600], w[600], y[600], s[ATTEND_SCRATCH(600, 600)];
		struct check_kv kv;
		struct lse l;
		check_fill(x, (size_t)d, FILL_PLAIN);
		check_fill(w, (size_t)d, FILL_PLAIN);
		check_kv_fill(&kv, 1, d, d, 17 * n + 1, FILL_PLAIN, FILL_PLAIN);
		rmsnorm_c(y, x, w, d, 1e-6f);
		rows = fnv(rows, y, (size_t)d * sizeof *y);
		layernorm_c(y, x, w, x, d, 1e-5f);
		rows = fnv(rows, y, (size_t)d * sizeof *y);
		rope_c(y, 2, d / 4 * 2, x, w, d / 4 * 2, n % 2 ? ROPE_HALF : ROPE_INTERLEAVED);
		rows = fnv(rows, y, (size_t)d * sizeof *y);
		lse_c(&l, x, d, n);
		rows = fnv(rows, &l, sizeof l);
		struct attend_head a = { .q = x, .k = kv.k, .v = kv.v, .k_page = (size_t)d * KV_PAGE, .v_page = (size_t)d * KV_PAGE, .table = kv.table,
					 .pos = 17 * n, .d = d, .dv = d, .scale = 0.2f, .softcap = n % 3 ? 0.0f : 30.0f, .slope = 0.125f, .has_slope = n % 4 == 0, .sink = 2.5f,
					 .has_sink = n % 5 == 0, .window = n % 2 ? 100 : 0 };
		attend_c(y, &a, s);
		rows = fnv(rows, y, (size_t)d * sizeof *y);
		free(kv.k), free(kv.v);
	}
	uint64_t acts = 0xcbf29ce484222325ull, routes = acts;
	const float p[4] = { 0.9f, 1.5f, 0.5f, -1e-6f };
	for (enum act k = ACT_RELU2; k < ACT_COUNT; k++)
		for (uint64_t u = 0; u <= 0xffffffffu; u += 1000003) {
			float x = f32_of_bits((uint32_t)u), y;
			act_c(&y, &x, &x, 1, k, p);
			acts = fnv(acts, &y, sizeof y);
		}
	struct rowops ops;
	rowops_c(&ops);
	for (int n = 0; n < 50; n++) {
		struct router r = { .score = (enum route_score)(n % 5), .experts = 8 + 7 * n, .k = 2, .normalise = n % 2, .factor = 1.5f, .jitter = 0.1f };
		float x[400], w[2];
		int32_t ids[2];
		check_fill(x, 400, FILL_PLAIN);
		route_row(ids, w, x, &r, &ops);
		routes = fnv(fnv(routes, ids, sizeof ids), w, sizeof w);
	}
	CHECK(acts == 0x4958c01cc00b8df5ull, "activations: %016llx", (unsigned long long)acts);
	CHECK(routes == 0x8dafcb1c96ac6365ull, "routes: %016llx", (unsigned long long)routes);
	CHECK(functions == 0xe51bf1c5855422cbull, "functions: %016llx", (unsigned long long)functions);
	CHECK(rows == 0xb2329741bc8f0418ull, "rows: %016llx", (unsigned long long)rows);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "the table is full at every mask", test_table },
		{ "norms against double", test_norm_accuracy },
		{ "softmax against double", test_softmax },
		{ "scalings and activations with parameters", test_scalings },
		{ "rope turns the right pairs", test_rope_pairs },
		{ "attention against double", test_attend_accuracy },
		{ "attention where the answer is exact", test_attend_exact },
		{ "log-sum-exp, argmax and their edges", test_lse },
		{ "the bits that the numerics id promises", test_kept_bits },
		{ "every level gives the bits of scalar", test_levels },
		{ NULL, NULL },
	};
	return test_main("rowops", tests, argc, argv);
}
