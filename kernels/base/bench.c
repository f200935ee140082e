/* bench.c - the stop-watch of bench.h. */
#include "kernels/base/bench.h"

#include <time.h>

#define LONG_SECONDS 5.0  /* once is enough */
#define BATCH_SECONDS 0.01 /* work queued between two readings of the clock */
#define MOST_TIMES 2000
#define LEAST_BATCHES 3

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int once(double *seconds, bench_work *work, void *ctx, int times, struct err *e)
{
	double start = now();
	if (work(ctx, times, e) < 0)
		return -1;
	double t = (now() - start) / times;
	*seconds = t > 0 ? t : 1e-9;
	return 0;
}

int bench_time(double *seconds, bench_work *work, void *ctx, double least, struct err *e)
{
	double t, start = now();
	if (once(seconds, work, ctx, 1, e) < 0)
		return -1;
	if (least <= 0 || *seconds > LONG_SECONDS)
		return 0;
	if (once(seconds, work, ctx, 1, e) < 0)
		return -1;
	double fit = BATCH_SECONDS / *seconds;
	int times = fit < 1 ? 1 : fit > MOST_TIMES ? MOST_TIMES : (int)fit;
	for (int i = 0; (i < LEAST_BATCHES || now() - start < least) && now() - start < LONG_SECONDS; i++) {
		if (once(&t, work, ctx, times, e) < 0)
			return -1;
		if (t < *seconds)
			*seconds = t;
	}
	return 0;
}
