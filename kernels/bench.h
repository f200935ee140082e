/* bench.h - what the parts of `assay bench kernels` share: limits.c and bench_cuda.cu drive a device at its limits, bench.c the
 * operations beside them. Private to kernels/. */
#ifndef ASSAY_KERNELS_BENCH_H
#define ASSAY_KERNELS_BENCH_H

#include "kernels/base/bench.h"
#include "kernels/base/pool.h"
#include "kernels/device.h"
#include "kernels/isa.h"

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st;

/* What device.h says of `limit`, for each kind of device. */
double cpu_limit(struct pool *pool, const struct matmul_isa *isa, enum limit what, void *dst, const void *src, size_t work);
double cuda_limit(struct CUstream_st *s, enum limit what, void *dst, const void *src, size_t work);

/* FLOP/s of the large square product of struct limits. */
int bench_square(struct device *dev, double *out, const struct bench_effort *how, struct err *e);
/* All rows of `assay bench kernels` on an open device. */
int bench_device(struct device *dev, const struct bench_effort *how, bench_fn *row, void *ctx, struct err *e);

#ifdef __cplusplus
}
#endif

#endif
