/* test_exactmath.c - the functions of kernels/exactmath.h over the whole range of floats, against double references.
 *
 * Floats are visited in steps of a prime through all 2^32 bit patterns (ASSAY_STEP; 1 visits every one), plus the
 * neighbourhood of each threshold. Errors are in units of the last place of the result; below 2^-120, where an
 * intermediate value underflows by definition, a result need only be as small.
 */
#include "kernels/base/dmath.h"
#include "kernels/exactmath.h"
#include "tests/test.h"

#define LN2 0x1.62e42fefa39efp-1
#define ROOT_HALF 0x1.6a09e667f3bcdp-1

static double absd(double x)
{
	return x < 0 ? -x : x;
}

static double d_ex2(double x)
{
	double n = dm_floor(x);
	if (x > 200)
		return dm_exp(1000);
	return x < -200 ? 0 : dm_exp((x - n) * LN2) * dm_pow(2, n);
}

static double d_tanh(double x)
{
	double e = dm_expm1(-2 * absd(x));
	return x < 0 ? e / (2 + e) : -e / (2 + e);
}

static double d_sigmoid(double x)
{
	return 1 / (1 + dm_exp(-x));
}

static double d_softplus(double x)
{
	return (x > 0 ? x : 0) + dm_log1p(dm_exp(-absd(x)));
}

static double d_silu(double x)
{
	return x / (1 + dm_exp(-x));
}

static double d_gelu_tanh(double x)
{
	double u = 0x1.9884533d43651p-1 * (x + 0.044715 * x * x * x); /* sqrt(2/pi) */
	return x / (1 + dm_exp(-2 * u));
}

/* erfc(a) for a >= 0: the series of erf below 2, above a continued fraction (Lentz's would do no better from this end). */
static double erfc_pos(double a)
{
	if (a < 2) {
		double t = a, s = a;
		for (int n = 1; n < 60; n++) {
			t *= -a * a / n;
			s += t / (2 * n + 1);
		}
		return 1 - s * 0x1.20dd750429b6dp+0; /* 2/sqrt(pi) */
	}
	double f = 0;
	for (int n = 120; n > 0; n--)
		f = n / 2.0 / (a + f);
	return dm_exp(-a * a) / (a + f) * 0x1.20dd750429b6dp-1;
}

static double d_gelu_erf(double x)
{
	double a = absd(x) * ROOT_HALF;
	if (a > 30)
		return x > 0 ? x : 0;
	double q = erfc_pos(a) / 2;
	return x > 0 ? x - x * q : x * q;
}

static double d_relu(double x)
{
	return x > 0 ? x : 0;
}

static float relu2(float x)
{
	return xm_relu2(x);
}

static double d_relu2(double x)
{
	return x > 0 ? x * x : 0;
}

static float quick_gelu(float x)
{
	return xm_swish(x, 1.702f);
}

static double d_quick_gelu(double x)
{
	return x / (1 + dm_exp(-(double)1.702f * x));
}

static float swish_one(float x)
{
	return xm_swish(x, 1.0f);
}

static float clip(float x)
{
	return xm_clip(x, 7.5f);
}

static double d_clip(double x)
{
	return x > 7.5 ? 7.5 : x < -7.5 ? -7.5 : x;
}

/* Where x / 30 is denormal it loses digits: left out. */
static float softcap(float x)
{
	return absd(x) < 0x1p-121 ? x : xm_softcap(x, 30.0f);
}

static double d_softcap(double x)
{
	return absd(x) < 0x1p-121 ? x : 30 * d_tanh(x / 30);
}

static const struct row {
	const char *name;
	float (*f)(float);
	double (*d)(double);
	double ulp;
} rows[] = {
	{ "ex2", xm_ex2, d_ex2, 1.0 },
	{ "exp", xm_exp, dm_exp, 1.25 },
	{ "expm1", xm_expm1, dm_expm1, 1.5 },
	{ "log1p", xm_log1p, dm_log1p, 1.25 },
	{ "tanh", xm_tanh, d_tanh, 1.5 },
	{ "sigmoid", xm_sigmoid, d_sigmoid, 2.5 },
	{ "softplus", xm_softplus, d_softplus, 1.75 },
	{ "silu", xm_silu, d_silu, 2.5 },
	{ "gelu_tanh", xm_gelu_tanh, d_gelu_tanh, 2.5 },
	{ "gelu_erf", xm_gelu_erf, d_gelu_erf, 5.0 },
	{ "relu", xm_relu, d_relu, 0.5 },
	{ "relu2", relu2, d_relu2, 0.5 },
	{ "swish 1.702", quick_gelu, d_quick_gelu, 2.5 },
	{ "swish 1", swish_one, d_silu, 2.5 },
	{ "clip", clip, d_clip, 0.5 },
	{ "softcap 30", softcap, d_softcap, 3.0 },
};

static double ulp_of(double x) /* of a float of this size */
{
	double u = 0x1p-149;
	for (x = absd(x); u < 0x1p+104 && x >= u * 0x1p+24; u *= 2)
		;
	return u;
}

/* Error in ulp of y = f(x), or -1 when y is of the wrong kind. */
static double error_of(const struct row *r, float x, float y)
{
	double want = r->d(x), tiny = 0x1p-120;
	if (x != x || want != want)
		return f32_bits(y) == 0x7fc00000u ? 0 : -1;
	if (y != y)
		return -1;
	if (absd(want) > 0x1.fffffep+127)
		return absd(y) >= 0x1.fffffcp+127 && (y > 0) == (want > 0) ? 0 : -1;
	if (absd(y) > 0x1.fffffep+127)
		return absd(want) >= 0x1.fffffcp+127 && (y > 0) == (want > 0) ? 0 : -1;
	if (absd(want) < tiny && absd(x) > 1)
		return absd(y) < tiny * 1.001 ? 0 : -1;
	return absd(y - want) / ulp_of(want);
}

static void test_whole_range(void)
{
	const char *env = getenv("ASSAY_STEP");
	unsigned long step = env ? strtoul(env, NULL, 0) : 2003;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double worst = 0;
		float at = 0, wrong = 0;
		long bad = 0;
		for (uint64_t u = 0; u <= 0xffffffffu; u += step) {
			float x = f32_of_bits((uint32_t)u);
			double e = error_of(&rows[i], x, rows[i].f(x));
			if (e < 0) {
				bad++;
				wrong = x;
			}
			if (e > worst) {
				worst = e;
				at = x;
			}
		}
		CHECK(!bad, "%s: %ld values of the wrong kind, such as %s(%a) = %a", rows[i].name, bad, rows[i].name, (double)wrong,
		      (double)rows[i].f(wrong));
		CHECK(worst <= rows[i].ulp, "%s(%a): error %.2f ulp, more than %.2f", rows[i].name, (double)at, worst, rows[i].ulp);
	}
}

/* Where a function changes from one branch or limit to another. */
static void test_thresholds(void)
{
	static const float points[] = { 0.0f,	0.35f,	0.5f,  0.6f,   0.7f,  1.0f,   0.41421357f, 0.29289323f, 2.5f,  13.2f,   13.4f, 14.0f, 16.0f,
					17.5f,	18.0f,	87.0f, 87.33f, 88.0f, 88.72f, 89.0f,	   124.5f,	125.5f, 126.0f, 127.0f, 127.5f, 128.0f };
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t p = 0; p < sizeof points / sizeof points[0]; p++)
			for (int sign = 0; sign < 2; sign++)
				for (int step = -3000; step <= 3000; step++) {
					uint32_t u = f32_bits(points[p]);
					if (step < 0 && (uint32_t)-step > u)
						continue;
					float x = f32_of_bits((u + (uint32_t)step) | (uint32_t)sign << 31);
					double e = error_of(&rows[i], x, rows[i].f(x));
					if (!(e >= 0 && e <= rows[i].ulp))
						CHECK(0, "%s(%a) = %a: error %.2f ulp", rows[i].name, (double)x, (double)rows[i].f(x), e);
				}
}

static void test_exact_values(void)
{
	for (int n = -125; n < 128; n++)
		CHECK(f32_bits(xm_ex2((float)n)) == (uint32_t)(n + 127) << 23, "ex2(%d) is not the power of two", n);
	static const uint32_t inf = 0x7f800000u, ninf = 0xff800000u, nan = 0x7fc00000u;
	static const struct { float (*f)(float); uint32_t x, y; } t[] = {
		{ xm_ex2, 0xc2fc0000u, 0 }, { xm_ex2, 0x43000000u, 0x7f800000u }, { xm_ex2, ninf, 0 }, { xm_ex2, inf, inf },
		{ xm_exp, 0, 0x3f800000u }, { xm_exp, 0x80000000u, 0x3f800000u }, { xm_exp, ninf, 0 }, { xm_exp, inf, inf },
		{ xm_expm1, 0x80000000u, 0x80000000u }, { xm_expm1, ninf, 0xbf800000u }, { xm_expm1, inf, inf }, { xm_expm1, 1, 1 },
		{ xm_log1p, 0x80000000u, 0x80000000u }, { xm_log1p, 0xbf800000u, ninf }, { xm_log1p, inf, inf },
		{ xm_log1p, 0xbf800001u, nan }, { xm_log1p, 0x80000001u, 0x80000001u },
		{ xm_tanh, 0x80000000u, 0x80000000u }, { xm_tanh, inf, 0x3f800000u }, { xm_tanh, ninf, 0xbf800000u }, { xm_tanh, 1, 1 },
		{ xm_sigmoid, 0, 0x3f000000u }, { xm_sigmoid, ninf, 0 }, { xm_sigmoid, inf, 0x3f800000u },
		{ xm_softplus, ninf, 0 }, { xm_softplus, inf, inf },
		{ xm_silu, 0, 0 }, { xm_silu, 0x80000000u, 0x80000000u }, { xm_silu, inf, inf }, { xm_silu, ninf, nan },
		{ xm_gelu_tanh, 0x80000000u, 0x80000000u }, { xm_gelu_tanh, inf, inf },
		{ xm_gelu_erf, 0x80000000u, 0x80000000u }, { xm_gelu_erf, inf, inf },
		{ xm_relu, 0x80000000u, 0 }, { xm_relu, inf, inf }, { xm_relu, ninf, 0 },
		{ xm_ceil, 0xbf000000u, 0 }, { xm_ceil, 0x3f000000u, 0x3f800000u }, { xm_ceil, 0x4afffffdu, 0x4afffffeu },
		{ xm_ceil, ninf, ninf }, { xm_ceil, 0xff7fffffu, 0xff7fffffu }, { xm_ceil, 0x40400000u, 0x40400000u },
	};
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		uint32_t y = f32_bits(t[i].f(f32_of_bits(t[i].x)));
		CHECK(y == t[i].y, "row %zu: f(%08x) = %08x, not %08x", i, t[i].x, y, t[i].y);
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (uint32_t u = 0; u < 4; u++)
			CHECK(f32_bits(rows[i].f(f32_of_bits(0x7f800001u | u << 30))) == nan, "%s of a NaN", rows[i].name);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "values that are exact", test_exact_values },
		{ "around thresholds", test_thresholds },
		{ "the whole range against double", test_whole_range },
		{ NULL, NULL },
	};
	return test_main("exactmath", tests, argc, argv);
}
