/* test_stats.c - quantiles, intervals and the bootstrap against mpmath and Python (tests/golden/make_stats.py). */
#include "tests/test.h"

#include "harness/stats.h"
#include "kernels/base/dmath.h"

static int lines;

static double relative(double got, double want)
{
	double d = got > want ? got - want : want - got, w = want > 0 ? want : -want;
	return w > 0 ? d / w : d;
}

static double exp_neg(double m)
{
	return dm_exp(-m);
}

/* Fields behind the kind, as numbers. */
static int fields(char *line, double v[64])
{
	int n = 0;
	for (char *p = strtok(line, "\t\n"); n < 64 && (p = strtok(NULL, "\t\n")); n++)
		v[n] = strtod(p, NULL);
	return n;
}

static void each(const char *kind, void (*fn)(const double *v, int n))
{
	char path[4200], line[8192];
	double v[64];
	snprintf(path, sizeof path, "%s/tests/golden/stats.tsv", test_srcdir());
	FILE *f = fopen(path, "r");
	CU_ASSERT_FATAL(f != NULL);
	lines = 0;
	while (fgets(line, sizeof line, f)) {
		size_t k = strcspn(line, "\t");
		if (strlen(kind) == k && !strncmp(line, kind, k)) {
			int n = fields(line, v);
			fn(v, n);
			lines++;
		}
	}
	fclose(f);
	CU_ASSERT(lines > 0);
}

static void t_line(const double *v, int n)
{
	double got = stats_t_quantile(v[0], v[1]);
	CHECK(relative(got, v[2]) < 1e-10, "t(%g, %g) = %.17g, wanted %.17g", v[0], v[1], got, v[2]);
}

static void wilson_line(const double *v, int n)
{
	double low, high;
	stats_wilson(v[0] / v[1], (size_t)v[1], &low, &high);
	CHECK(relative(low, v[0] > 0 ? v[2] : 0) < 1e-13, "%g of %g: low %.17g, wanted %.17g", v[0], v[1], low, v[2]);
	CHECK(relative(high, v[0] < v[1] ? v[3] : 1) < 1e-13, "%g of %g: high %.17g, wanted %.17g", v[0], v[1], high, v[3]);
}

static void bootstrap_line(const double *v, int n)
{
	double first = 0;
	for (int threads = 1; threads <= 3; threads++) {
		double got = stats_bootstrap_se(exp_neg, v + 2, (size_t)v[0], threads);
		CHECK(relative(got, v[1]) < 1e-11, "bootstrap of %g values: %.17g, wanted %.17g", v[0], got, v[1]);
		first = threads == 1 ? got : first;
		CHECK(got == first, "%d threads give other bits", threads);
	}
}

static void se_line(const double *v, int n)
{
	CHECK(relative(stats_mean_se(v + 2, (size_t)v[0]), v[1]) < 1e-15, "standard error of %g values", v[0]);
}

static void test_t(void)
{
	each("t", t_line);
	double bad[] = { stats_t_quantile(0.975, 0), stats_t_quantile(0.4, 3), stats_t_quantile(1, 3), stats_t_quantile(0.975, STATS_NAN) };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CU_ASSERT(bad[i] != bad[i]);
	CU_ASSERT(stats_t_quantile(0.5, 3) < 1e-10);
}

static void test_wilson(void)
{
	each("wilson", wilson_line);
}

static void test_bootstrap(void)
{
	double one = 1;
	each("bootstrap", bootstrap_line);
	CU_ASSERT(stats_bootstrap_se(exp_neg, &one, 1, 1) != stats_bootstrap_se(exp_neg, &one, 1, 1)); /* NaN */
}

static void test_se(void)
{
	double x[] = { 3, 3, 3 }, se = stats_mean_se(x, 1);
	each("se", se_line);
	CU_ASSERT(se != se);
	CU_ASSERT(stats_mean_se(x, 3) == 0);
	CU_ASSERT(stats_sqrt(2) == 0x1.6a09e667f3bcdp+0);
	CU_ASSERT(stats_sqrt(-1) != stats_sqrt(-1));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "Student's t", test_t }, { "Wilson", test_wilson }, { "bootstrap", test_bootstrap }, { "standard error", test_se }, { NULL, NULL } };
	return test_main("stats", tests, argc, argv);
}
