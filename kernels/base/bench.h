/* bench.h - how benchmarks measure and what they report.
 *
 * A figure is always that of repeated work between two points at which the device has finished: short operations are
 * queued many times, so that the cost of one call is what a queue of them costs. The best of several such measurements
 * counts, since other programs only ever make it slower.
 */
#ifndef ASSAY_BENCH_H
#define ASSAY_BENCH_H

#include "kernels/base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bench_row {
	char what[48], shape[64], unit[16], numerics[96], device[160];
	double value, floor; /* in `unit`; floor: what the limits measured in the same run allow; 0: not known */
};
typedef void bench_fn(void *ctx, const struct bench_row *r);

/* How long to try. A test sets shrink above 1 (shapes are divided by it) and seconds 0: everything runs once. */
struct bench_effort {
	int shrink;
	double seconds;
};
#define BENCH_EFFORT ((struct bench_effort){ 1, 0.25 })

/* Does the work `times` times and returns when all of it is done; 0, or -1 and e. */
typedef int bench_work(void *ctx, int times, struct err *e);
/* Seconds of one time. A first call longer than some seconds is the measurement; a shorter one warms up. */
int bench_time(double *seconds, bench_work *work, void *ctx, double least, struct err *e);

#ifdef __cplusplus
}
#endif

#endif
