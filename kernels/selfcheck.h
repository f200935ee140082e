/* selfcheck.h - what `assay doctor` and `assay bench` may ask of the kernels: self-tests and speed, nothing of tensors. */
#ifndef ASSAY_SELFCHECK_H
#define ASSAY_SELFCHECK_H

#include "kernels/base/bench.h"
#include "kernels/base/cpu.h"
#include "kernels/base/err.h"

struct selfcheck {
	const char *name;   /* "matmul f32", "attend", ... */
	enum cpu_level level;
	int ok;             /* 1 same bits as scalar, 0 not, -1 the machine lacks the level */
};
/* Runs every operation at every level against scalar on small shapes; at most `max` rows are filled; returns how many. */
int selfcheck_run(struct selfcheck *rows, int max);

/* Measures what a device can do at best and every operation beside it (bench.c). numerics: NULL for the device's exact ones. */
int bench_kernels(const char *device, const char *numerics, enum cpu_level max, int threads, bench_fn *row, void *ctx, struct err *e);

#endif
