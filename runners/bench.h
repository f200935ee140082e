/* bench.h - runner_bench behind its device: what the tests run over the emulated one. Private to runners/ and its tests. */
#ifndef ASSAY_RUNNERS_BENCH_H
#define ASSAY_RUNNERS_BENCH_H

#include "kernels/ops.h"
#include "runners/runner.h"

#ifdef __cplusplus
extern "C" {
#endif

/* o: as runner_bench has checked it */
int bench_passes(struct device *dev, const struct bench_opts *o, const struct bench_effort *how, bench_fn *row, void *ctx, struct err *e);

#ifdef __cplusplus
}
#endif

#endif
