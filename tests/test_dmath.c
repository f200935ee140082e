/* test_dmath - our own functions against mpmath's values (tests/golden/make_dmath.py), in units of the last place. */
#include "tests/test.h"

#include <math.h>

#include "kernels/base/dmath.h"
#include "kernels/base/fma.h"
#include "kernels/base/half.h"

typedef double fn1(double x);

static const struct {
	const char *name;
	fn1 *fn;
	double limit; /* ulp; 0: exact */
} functions[] = {
	{ "log", dm_log, 1 },	  { "log1p", dm_log1p, 1 }, { "exp", dm_exp, 1 },     { "expm1", dm_expm1, 1 },
	{ "sin", dm_sin, 1 },	  { "cos", dm_cos, 1 },	    { "log2", dm_log2, 1 },   { "floor", dm_floor, 0 },
	{ "lgamma", dm_lgamma, 450 } /* 1e-13 */, { "pow", NULL, 2 }, { "fma", NULL, 0 },
};
#define FUNCTIONS (sizeof functions / sizeof functions[0])

static int same_bits(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0;
}

static double ulp_of(double v)
{
	uint64_t u;
	memcpy(&u, &v, sizeof u);
	u &= 0x7ff0000000000000ull;
	if (u <= 53ull << 52) /* the unit itself would be subnormal */
		return 0x1p-1074 * (double)(u ? 1ull << ((u >> 52) - 1) : 1);
	u -= 52ull << 52;
	memcpy(&v, &u, sizeof v);
	return v;
}

static void test_golden(void)
{
	char path[4200], line[400];
	snprintf(path, sizeof path, "%s/tests/golden/dmath.tsv", test_srcdir());
	FILE *f = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	double worst[FUNCTIONS] = { 0 };
	int count[FUNCTIONS] = { 0 };
	while (fgets(line, sizeof line, f)) {
		char *col[6], *save;
		int n = 0;
		for (char *p = strtok_r(line, "\t\n", &save); p && n < 6; p = strtok_r(NULL, "\t\n", &save))
			col[n++] = p;
		CU_ASSERT_EQUAL_FATAL(n, 6);
		double x = strtod(col[1], NULL), y = strtod(col[2], NULL), z = strtod(col[3], NULL);
		double want = strtod(col[4], NULL), rest = strtod(col[5], NULL), got = 0;
		size_t i = 0;
		while (i < FUNCTIONS && strcmp(functions[i].name, col[0]))
			i++;
		CU_ASSERT_FATAL(i < FUNCTIONS);
		if (functions[i].fn)
			got = functions[i].fn(x);
		else if (col[0][0] == 'p')
			got = dm_pow(x, y);
		else
			got = dm_fma_soft(x, y, z);
		count[i]++;
		if (col[0][0] == 'f' && col[0][1] == 'm')
			CHECK(same_bits(dm_fma(x, y, z), got), "fma(%a, %a, %a): two paths differ", x, y, z);
		if (isinf(want) || functions[i].limit == 0) {
			CHECK(got == want, "%s(%s, %s, %s) = %a, want %a", col[0], col[1], col[2], col[3], got, want);
			continue;
		}
		double err = fabs((got - want) - rest) / ulp_of(want);
		CHECK(err <= functions[i].limit, "%s(%s, %s) = %a, want %a: %.3f ulp", col[0], col[1], col[2], got, want,
		      err);
		if (err > worst[i])
			worst[i] = err;
	}
	fclose(f);
	for (size_t i = 0; i < FUNCTIONS; i++) {
		printf("\n    %-7s %5d values, worst %.3f ulp", functions[i].name, count[i], worst[i]);
		CU_ASSERT(count[i] > 100);
	}
	printf(" ");
}

static void test_edges(void)
{
	static const struct {
		const char *name;
		fn1 *fn;
		double x, want;
	} t[] = {
		{ "log", dm_log, 0, -INFINITY },      { "log", dm_log, -0.0, -INFINITY },   { "log", dm_log, -1, NAN },
		{ "log", dm_log, INFINITY, INFINITY }, { "log", dm_log, NAN, NAN },          { "log", dm_log, 1, 0 },
		{ "log", dm_log, -INFINITY, NAN },    { "log1p", dm_log1p, -1, -INFINITY }, { "log1p", dm_log1p, -2, NAN },
		{ "log1p", dm_log1p, -0.0, -0.0 },    { "log1p", dm_log1p, 0x1p-300, 0x1p-300 },
		{ "log1p", dm_log1p, INFINITY, INFINITY }, { "exp", dm_exp, 0, 1 },	    { "exp", dm_exp, 1e300, INFINITY },
		{ "exp", dm_exp, -1e300, 0 },	      { "exp", dm_exp, INFINITY, INFINITY }, { "exp", dm_exp, -INFINITY, 0 },
		{ "exp", dm_exp, NAN, NAN },	      { "expm1", dm_expm1, -0.0, -0.0 },    { "expm1", dm_expm1, -1000, -1 },
		{ "expm1", dm_expm1, -INFINITY, -1 }, { "expm1", dm_expm1, INFINITY, INFINITY },
		{ "expm1", dm_expm1, NAN, NAN },      { "sin", dm_sin, 0, 0 },		    { "sin", dm_sin, -0.0, -0.0 },
		{ "sin", dm_sin, 0x1p30, NAN },	      { "sin", dm_sin, INFINITY, NAN },	    { "cos", dm_cos, 0, 1 },
		{ "cos", dm_cos, -0x1p30, NAN },      { "cos", dm_cos, NAN, NAN },	    { "log2", dm_log2, 8, 3 },
		{ "log2", dm_log2, 0x1p-1074, -1074 }, { "log2", dm_log2, 0x1p1023, 1023 }, { "log2", dm_log2, 0, -INFINITY },
		{ "floor", dm_floor, -0.0, -0.0 },    { "floor", dm_floor, -0.25, -1 },	    { "floor", dm_floor, 0.75, 0 },
		{ "floor", dm_floor, -INFINITY, -INFINITY }, { "floor", dm_floor, NAN, NAN }, { "floor", dm_floor, 1e300, 1e300 },
		{ "lgamma", dm_lgamma, 1, 0 },	      { "lgamma", dm_lgamma, 2, 0 },	    { "lgamma", dm_lgamma, 0, INFINITY },
		{ "lgamma", dm_lgamma, -1, NAN },     { "lgamma", dm_lgamma, INFINITY, INFINITY },
	};
	static const struct {
		double x, y, want;
	} p[] = {
		{ 0, 2, 0 }, { 0, -2, INFINITY }, { 0, 0, 1 }, { 1, NAN, 1 }, { NAN, 0, 1 }, { NAN, 1, NAN }, { 2, NAN, NAN },
		{ -2, 2, NAN }, { INFINITY, 1, INFINITY }, { INFINITY, -1, 0 }, { 2, INFINITY, INFINITY }, { 2, -INFINITY, 0 },
		{ 0.5, INFINITY, 0 }, { 0.5, -INFINITY, INFINITY }, { 10, 400, INFINITY }, { 10, -400, 0 }, { 2, 10, 1024 },
		{ 1.0000000000000002, 1e300, INFINITY },
	};
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		double got = t[i].fn(t[i].x);
		CHECK(isnan(t[i].want) ? isnan(got) : same_bits(got, t[i].want), "%s(%g) = %g, want %g", t[i].name, t[i].x,
		      got, t[i].want);
	}
	for (size_t i = 0; i < sizeof p / sizeof p[0]; i++) {
		double got = dm_pow(p[i].x, p[i].y);
		CHECK(isnan(p[i].want) ? isnan(got) : got == p[i].want, "pow(%g, %g) = %g, want %g", p[i].x, p[i].y, got,
		      p[i].want);
	}
}

#if defined(__x86_64__)
#define HARDWARE __attribute__((target("fma")))
#define HAVE_HARDWARE __builtin_cpu_supports("fma")
#elif defined(__aarch64__)
#define HARDWARE
#define HAVE_HARDWARE 1
#else
#define HARDWARE
#define HAVE_HARDWARE 0
#endif

HARDWARE static double hard_fma(double a, double b, double c)
{
	return __builtin_fma(a, b, c);
}

HARDWARE static float hard_fmaf(float a, float b, float c)
{
	return __builtin_fmaf(a, b, c);
}

/* The processor's own instruction is the oracle of both software paths. */
static void test_fma(void)
{
	unsigned long long s = test_seed();
	long bad = 0, bad32 = 0;
	if (!HAVE_HARDWARE) {
		SKIP("this processor has no fused multiply-add");
		return;
	}
	printf("seed %llu ", s);
	for (int i = 0; i < 2000000; i++) {
		double v[3];
		float w[3];
		for (int j = 0; j < 3; j++) {
			unsigned long long u = test_rand(&s);
			if (i & 1) /* close exponents, few bits: cancellation and halfway cases */
				u = (u & 0x800ff00000000003ull) | (1018 + (u >> 40 & 7)) << 52;
			memcpy(&v[j], &u, sizeof v[j]);
			uint32_t x = (uint32_t)(test_rand(&s) >> 32);
			if (i & 1)
				x = (x & 0x80700003u) | (123 + (x >> 8 & 7)) << 23;
			else if (i % 4 == 2) /* products and sums around the subnormals */
				x = (x & 0x807fffffu) | ((j == 2 ? 0u : 60u) + (x >> 8 & 7)) << 23;
			w[j] = f32_of_bits(x);
		}
		double a = dm_fma_soft(v[0], v[1], v[2]), b = hard_fma(v[0], v[1], v[2]);
		bad += !(same_bits(a, b) || (isnan(a) && isnan(b)));
		float c = xfmaf_soft(w[0], w[1], w[2]), d = hard_fmaf(w[0], w[1], w[2]);
		bad32 += !(f32_bits(c) == f32_bits(d) || (isnan(c) && isnan(d)));
	}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_EQUAL(bad32, 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "golden values", test_golden },
		{ "edges", test_edges },
		{ "fused multiply-add in software", test_fma },
		{ NULL, NULL },
	};
	return test_main("dmath", tests, argc, argv);
}
