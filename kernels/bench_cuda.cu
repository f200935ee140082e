/* bench_cuda.cu - a GPU at its limits: fused multiply-adds in registers, a plain read, a plain copy. What the other kernels are
 * held against, so these do nothing else.
 *
 * 2048 threads a multiprocessor, each with CHAINS independent chains, are more than hide the latency of an FMA. Reads and
 * copies go by 16 bytes a thread, UNROLL of them in flight, with a stride of the whole grid. Results go nowhere but under a
 * condition that never holds, which the compiler cannot know.
 */
#include "kernels/cuda.h"

#include "kernels/bench.h"

#define THREADS 256
#define BLOCKS_EACH 8 /* a multiprocessor */
#define CHAINS 8
#define UNROLL 4

static __global__ void fma_kernel(float *sink, float x, float y, int steps)
{
	float acc[CHAINS], sum = 0.0f;
	for (int i = 0; i < CHAINS; i++)
		acc[i] = x * (float)(threadIdx.x + (unsigned)i);
#pragma unroll 8
	for (int k = 0; k < steps; k++) {
#pragma unroll
		for (int i = 0; i < CHAINS; i++)
			acc[i] = __fmaf_rn(acc[i], x, y);
	}
	for (int i = 0; i < CHAINS; i++)
		sum += acc[i];
	if (sum == -1.0f) /* x, y > 0: never */
		*sink = sum;
}

static __global__ void read_kernel(unsigned *sink, const uint4 *src, size_t n)
{
	size_t stride = (size_t)gridDim.x * THREADS, i = (size_t)blockIdx.x * THREADS + threadIdx.x;
	unsigned sum = 0;
	for (; i + (UNROLL - 1) * stride < n; i += UNROLL * stride) {
		uint4 v[UNROLL];
#pragma unroll
		for (int j = 0; j < UNROLL; j++)
			v[j] = src[i + (size_t)j * stride];
#pragma unroll
		for (int j = 0; j < UNROLL; j++)
			sum |= v[j].x | v[j].y | v[j].z | v[j].w;
	}
	for (; i < n; i += stride)
		sum |= src[i].x;
	if (sum == 1) /* the bits of floats that are not tiny: never */
		*sink = sum;
}

static __global__ void copy_kernel(uint4 *dst, const uint4 *src, size_t n)
{
	size_t stride = (size_t)gridDim.x * THREADS, i = (size_t)blockIdx.x * THREADS + threadIdx.x;
	for (; i + (UNROLL - 1) * stride < n; i += UNROLL * stride) {
		uint4 v[UNROLL];
#pragma unroll
		for (int j = 0; j < UNROLL; j++)
			v[j] = src[i + (size_t)j * stride];
#pragma unroll
		for (int j = 0; j < UNROLL; j++)
			dst[i + (size_t)j * stride] = v[j];
	}
	for (; i < n; i += stride)
		dst[i] = src[i];
}

double cuda_limit(struct CUstream_st *s, enum limit what, void *dst, const void *src, size_t work)
{
	int device = 0, processors = 0;
	if (cudaGetDevice(&device) != cudaSuccess ||
	    cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device) != cudaSuccess || processors < 1)
		return 0;
	unsigned blocks = (unsigned)processors * BLOCKS_EACH;
	size_t n = work / sizeof(uint4);
	double step = 2.0 * CHAINS * THREADS * blocks; /* FLOPs */
	int steps = (int)((double)work / step) + 1;
	switch (what) {
	case LIMIT_FMA:
		CU_LAUNCH(fma_kernel, blocks, THREADS, 0, s, (float *)dst, 0.5f, 0.25f, steps);
		return step * steps;
	case LIMIT_READ:
		CU_LAUNCH(read_kernel, blocks, THREADS, 0, s, (unsigned *)dst, (const uint4 *)src, n);
		return (double)n * sizeof(uint4);
	case LIMIT_COPY:
		CU_LAUNCH(copy_kernel, blocks, THREADS, 0, s, (uint4 *)dst, (const uint4 *)src, n);
		return 2.0 * (double)n * sizeof(uint4);
	default: return 0;
	}
}
