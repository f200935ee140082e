/* noise_cuda.cu - random weights made where they are used, so that a benchmark of a large model reads no file and copies nothing:
 * the values of noise.h. Each thread takes every value at a stride of the whole grid.
 */
#include "kernels/cuda.h"

#include "kernels/cuda_ops.h"
#include "kernels/noise.h"

#define THREADS 256
#define MOST_BLOCKS 4096

static __global__ void noise_kernel(void *p, enum dtype dt, size_t n, uint64_t seed, float step)
{
	for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += (size_t)gridDim.x * THREADS)
		noise_put(p, dt, i, seed, step);
}

void cuda_noise(struct CUstream_st *s, void *p, enum dtype dt, size_t n, uint64_t seed, float scale)
{
	size_t blocks = n ? (n - 1) / THREADS + 1 : 0;
	if (blocks)
		CU_LAUNCH(noise_kernel, (unsigned)(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS), THREADS, 0, s, p, dt, n, seed, scale * 0x1p-7f);
}
