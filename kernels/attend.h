/* attend.h - what every form of attention shares, on every device: the first key that a position sees, and falcon-rw's bias.
 *
 * falcon-rw has its ALiBi in bf16, made of absolute positions and added before the scores are scaled: bf16(slope * bf16(key)), where
 * slope is a bf16 value, so that the product is exact in fp32 and rounded once. transformers multiplies a bf16 tensor of slopes by an
 * integer tensor of positions, which torch first brings to bf16: keys 256 and 257 get the same bias, whatever the slope.
 */
#ifndef ASSAY_ATTEND_H
#define ASSAY_ATTEND_H

#include "kernels/base/half.h"

#ifdef __CUDACC__
#define ATTEND_FN static __host__ __device__ inline
#else
#define ATTEND_FN static inline
#endif

/* 0 as window or chunk: there is none. */
ATTEND_FN int attend_lo(int pos, int window, int chunk)
{
	int lo = window > 0 && window <= pos ? pos - window + 1 : 0, start = chunk > 0 ? pos / chunk * chunk : 0;
	return lo > start ? lo : start;
}

ATTEND_FN float attend_rounded(float slope, int key)
{
	return bf16_to_f32(f32_to_bf16(slope * bf16_to_f32(f32_to_bf16((float)key))));
}

#endif
