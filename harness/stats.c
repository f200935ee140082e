/* stats.c - means, standard errors and intervals.
 *
 * Sums run in document order, as lm-evaluation-harness's do. The bootstrap repeats its generator exactly (chunk i of 1,000
 * resamples uses random.Random(i).choices), so its standard errors agree to the last digits of the order of summation;
 * chunks are dealt to threads, each writes its own part, and the final sum is taken in order: the number of threads
 * changes no bit. Student's t comes from the incomplete beta function by its continued fraction.
 *
 * Wilson 1927; Lentz 1976 in Press et al., Numerical Recipes, 6.4; Abramowitz and Stegun 26.7.1; Efron 1979.
 */
#include "harness/stats.h"

#include <stdlib.h>

#include "harness/pyrandom.h"
#include "kernels/base/arena.h"
#include "kernels/base/dmath.h"
#include "kernels/base/pool.h"

enum { CHUNKS = 100, CHUNK = 1000 };
#define Z95 1.959963984540054 /* the normal quantile of 0.975 */

double stats_mean(const double *x, size_t n)
{
	double s = 0;
	for (size_t i = 0; i < n; i++)
		s += x[i];
	return s / (double)n;
}

double stats_stdev(const double *x, size_t n)
{
	if (n < 2)
		return STATS_NAN;
	double mu = stats_mean(x, n), s = 0;
	for (size_t i = 0; i < n; i++)
		s += (x[i] - mu) * (x[i] - mu);
	return stats_sqrt(s / (double)(n - 1));
}

double stats_mean_se(const double *x, size_t n)
{
	return stats_stdev(x, n) / stats_sqrt((double)n);
}

/* Continued fraction of the incomplete beta function, x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1);
	d = 1 / (d > -tiny && d < tiny ? tiny : d);
	double h = d;
	for (int m = 1; m < 20000; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double step[2] = { even, odd }, change = 1;
		for (int k = 0; k < 2; k++) {
			d = 1 + step[k] * d;
			c = 1 + step[k] / c;
			d = 1 / (d > -tiny && d < tiny ? tiny : d);
			c = c > -tiny && c < tiny ? tiny : c;
			change = c * d;
			h *= change;
		}
		if (change > 1 - 1e-16 && change < 1 + 1e-15)
			break;
	}
	return h;
}

/* Regularised incomplete beta function I_x(a, b). */
static double beta_inc(double a, double b, double x)
{
	if (!(x > 0))
		return 0;
	if (x >= 1)
		return 1;
	double front = dm_exp(dm_lgamma(a + b) - dm_lgamma(a) - dm_lgamma(b) + a * dm_log(x) + b * dm_log1p(-x));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* P(T <= t) for t >= 0 */
static double t_below(double t, double df)
{
	return 1 - 0.5 * beta_inc(0.5 * df, 0.5, df / (df + t * t));
}

double stats_t_quantile(double p, double df)
{
	if (!(df > 0) || !(p >= 0.5 && p < 1))
		return STATS_NAN;
	double low = 0, high = 2;
	while (t_below(high, df) < p && high < 1e12) {
		low = high;
		high *= 2;
	}
	for (int i = 0; i < 200 && high - low > 1e-14 * high; i++) {
		double mid = low + 0.5 * (high - low);
		if (t_below(mid, df) < p)
			low = mid;
		else
			high = mid;
	}
	return low + 0.5 * (high - low);
}

void stats_wilson(double share, size_t n, double *low, double *high)
{
	double m = (double)n, zz = Z95 * Z95;
	double centre = (share + zz / (2 * m)) / (1 + zz / m);
	double half = Z95 / (1 + zz / m) * stats_sqrt(share * (1 - share) / m + zz / (4 * m * m));
	*low = share > 0 ? centre - half : 0; /* exactly 0 and 1 at the ends, where rounding would miss them */
	*high = share < 1 ? centre + half : 1;
}

struct bootstrap {
	stats_fn *f;
	const double *x;
	size_t n;
	double *out;
};

static void bootstrap_chunk(void *ctx, int part, int nparts)
{
	struct bootstrap *b = ctx;
	struct pyrandom r;
	double n = (double)b->n;
	pyrandom_seed(&r, (uint64_t)part);
	for (int k = 0; k < CHUNK; k++) {
		double s = 0;
		for (size_t i = 0; i < b->n; i++)
			s += b->x[(size_t)(pyrandom_random(&r) * n)]; /* choices: floor(random() * n) */
		b->out[(size_t)part * CHUNK + (size_t)k] = b->f(s / n);
	}
}

double stats_bootstrap_se(stats_fn *f, const double *x, size_t n, int threads)
{
	struct bootstrap b = { .f = f, .x = x, .n = n };
	struct pool *pool = NULL;
	if (n < 2)
		return STATS_NAN;
	b.out = xcalloc((size_t)CHUNKS * CHUNK, sizeof *b.out);
	if (pool_open(&pool, threads, NULL) == 0) {
		pool_run(pool, bootstrap_chunk, &b, CHUNKS);
		pool_close(pool);
	} else { /* no thread to be had: the same numbers, one after the other */
		for (int i = 0; i < CHUNKS; i++)
			bootstrap_chunk(&b, i, CHUNKS);
	}
	double se = stats_stdev(b.out, (size_t)CHUNKS * CHUNK);
	free(b.out);
	return se;
}
