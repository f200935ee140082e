/* selfcheck.h - what `assay doctor` and `assay bench` may ask of the kernels: self-tests and speed, nothing of tensors. */
#ifndef ASSAY_SELFCHECK_H
#define ASSAY_SELFCHECK_H

#include "kernels/base/cpu.h"
#include "kernels/base/err.h"

struct selfcheck {
	const char *name;   /* "matmul f32", "attend", ... */
	enum cpu_level level;
	int ok;             /* 1 same bits as scalar, 0 not, -1 the machine lacks the level */
};
/* Runs every operation at every level against scalar on small shapes; at most `max` rows are filled; returns how many. */
int selfcheck_run(struct selfcheck *rows, int max);

struct bench_row {
	char what[32], shape[48], unit[16], isa[16];
	double value, floor; /* in `unit`; floor: the measured peak of the same run, 0 when not known */
};
typedef void bench_fn(void *ctx, const struct bench_row *r);
/* Measures matmul (M x N x K, per dtype), attention, norms, against the FMA peak and the memory bandwidth measured beside. */
int bench_kernels(enum cpu_level max, int threads, bench_fn *row, void *ctx, struct err *e);

#endif
