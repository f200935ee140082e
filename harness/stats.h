/* stats.h - means, standard errors and intervals, over dm_* functions only: the same bits on every machine. */
#ifndef ASSAY_STATS_H
#define ASSAY_STATS_H

#include <stddef.h>

#define STATS_NAN (__builtin_nan(""))

/* The correctly rounded square root, as the instruction: the library's sqrt would be called for errno. */
static inline double stats_sqrt(double x)
{
#if defined(__x86_64__)
	__asm__("sqrtsd %1, %0" : "=x"(x) : "x"(x));
	return x;
#elif defined(__aarch64__)
	__asm__("fsqrt %d0, %d1" : "=w"(x) : "w"(x));
	return x;
#else
	return __builtin_sqrt(x);
#endif
}

double stats_mean(const double *x, size_t n);                 /* sum in order, divided by n */
double stats_stdev(const double *x, size_t n);                /* sample standard deviation (n - 1); NaN for n < 2 */
double stats_mean_se(const double *x, size_t n);              /* stdev / sqrt(n); NaN for n < 2 */
double stats_t_quantile(double p, double df);                 /* Student's t, 0.5 <= p < 1 */
void stats_wilson(double share, size_t n, double *low, double *high); /* 95 % for a proportion */

/* lm-evaluation-harness's bootstrap of a statistic f(mean of a resample): 100 chunks of 1,000 resamples, chunk i drawn by
 * random.Random(i).choices; the sample standard deviation of the 100,000 values. threads 0: all. */
typedef double stats_fn(double mean);
double stats_bootstrap_se(stats_fn *f, const double *x, size_t n, int threads);

#endif
