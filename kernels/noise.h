/* noise.h - random weights for benchmarks: value i of a block follows from (seed, i) alone, on every device.
 *
 * j in -127..127 comes from the finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014) over seed and i; the value is
 * j * (scale / 128), one product, exact in every type when scale is a power of two. Not meant to be anything but
 * unlike zero and unlike its neighbours. Private to kernels/.
 */
#ifndef ASSAY_NOISE_H
#define ASSAY_NOISE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/half.h"
#include "kernels/base/pool.h"
#include "kernels/ops.h"

#ifdef __CUDACC__
#define NOISE_FN static __host__ __device__ inline
#else
#define NOISE_FN static inline
#endif

NOISE_FN int noise_step(uint64_t seed, uint64_t i)
{
	uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (int)((z >> 32) * 255 >> 32) - 127;
}

/* step: scale / 128 */
NOISE_FN void noise_put(void *p, enum dtype dt, size_t i, uint64_t seed, float step)
{
	float v = (float)noise_step(seed, i) * step;
	if (dt == DT_F32)
		((float *)p)[i] = v;
	else
		((uint16_t *)p)[i] = dt == DT_F16 ? f32_to_f16(v) : f32_to_bf16(v);
}

#undef NOISE_FN

#ifdef __cplusplus
extern "C" {
#endif

void noise_fill(struct pool *pool, void *p, enum dtype dt, size_t n, uint64_t seed, float scale); /* host memory (noise.c) */

#ifdef __cplusplus
}
#endif

#endif
