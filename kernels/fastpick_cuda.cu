/* fastpick_cuda.cu - which algorithms a shape is computed with: the first, in an order that nothing measured decides, whose results for a row
 * do not depend on the rows beside it.
 *
 * The self-test of one shape: FAST_IDENTITIES different rows, and weights, of random bf16 values over eight binades, from a fixed seed. Each
 * row is first computed alone: in the smallest bucket, all other rows zero, at one of its places. Then every bucket is filled
 * with these rows, row i being number (i + shift) mod 13, which puts each at places of every residue of any tile, and every row of
 * the result must equal, in all its bits, what that row gave alone. An algorithm that adds in another order at another
 * place, size or split fails it; its bucket then takes the next of the same family, and a family that fills not all buckets gives way
 * to the next. Only a wrong answer or a refusal moves the choice on: a device error, or no memory, ends it.
 *
 * No clock is read here: the choice for a shape is a function of what the library offers (digested into the numerics id) and of
 * the hardware's arithmetic. With or without a cache, on every start, it is the same.
 */
#include "kernels/fast.h"

#include <string.h>

#include "kernels/cuda.h"
#include "kernels/device.h"

#define FAST_IDENTITIES 13 /* prime to every tile */
#define TRIES_FIRST 8      /* algorithms of a family tried for the smallest bucket, which makes the reference */
#define TRIES 32           /* and for every other */
#define LOOKED_AT 4096     /* combinations asked about, at most */
#define SMALL 4            /* buckets up to 16 << 4 rows are filled at several shifts */
#define THREADS 256

/* Number r of the test's rows, value k: a random sign, eight binades around 1/2, seven bits; in every order of adding another sum. */
static __device__ uint16_t test_value(uint32_t row, uint32_t k)
{
	uint64_t h = ((uint64_t)row << 32 | k) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9ull;
	h = (h ^ h >> 32) * 0x94d049bb133111ebull;
	uint32_t u = (uint32_t)(h >> 32);
	return (uint16_t)((u & 0x8000u) | ((122u + (u >> 16 & 7u)) << 7) | (u & 0x7fu));
}

/* rows x k values. only < 0: row i is number (first + i) mod `period`; else row `only` is number first and the others are zero. */
static __global__ void fast_fill(uint16_t *x, int k, uint32_t first, uint32_t period, int only)
{
	uint32_t row = blockIdx.y, number = only >= 0 ? first : (first + row) % period;
	for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < (uint32_t)k; i += gridDim.x * blockDim.x)
		x[(size_t)row * (size_t)k + i] = only >= 0 && row != (uint32_t)only ? 0 : test_value(number, i);
}

/* Counts the values of y whose bits are not those of the row alone. */
static __global__ void fast_compare(const uint32_t *y, const uint32_t *alone, int n, uint32_t shift, unsigned *wrong)
{
	uint32_t row = blockIdx.y;
	const uint32_t *want = alone + (size_t)((row + shift) % FAST_IDENTITIES) * (size_t)n;
	unsigned bad = 0;
	for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < (uint32_t)n; i += gridDim.x * blockDim.x)
		bad += y[(size_t)row * (size_t)n + i] != want[i];
	if (bad)
		atomicAdd(wrong, bad);
}

struct bench {
	const struct fast_lt *l;
	struct fast_shape *s;
	void *w, *x;
	float *y, *alone;
	unsigned *wrong;
};

/* A row of `width` values: whole warps, 256 threads a block at most, 64 blocks at most. */
static unsigned threads(int width)
{
	return width < THREADS ? ((unsigned)width + 31) / 32 * 32 : THREADS;
}

static unsigned across(int width)
{
	int blocks = (width + THREADS - 1) / THREADS;
	return (unsigned)(blocks < 64 ? blocks : 64);
}

static void fill(const struct bench *t, void *x, unsigned rows, uint32_t first, uint32_t period, int only)
{
	CU_LAUNCH(fast_fill, dim3(across(t->s->k), rows), threads(t->s->k), 0, t->l->stream, (uint16_t *)x, t->s->k, first, period, only);
}

static int device_failed(cudaError_t r, struct err *e)
{
	cudaGetLastError();
	return err_set(e, r == cudaErrorMemoryAllocation ? E_MEMORY : E_DEVICE, "the self-test of numerics fast: %s (%s)", cudaGetErrorString(r),
		       cudaGetErrorName(r));
}

/* 1: queued; 0: the library will not do it with this algorithm; -1: an error. */
static int product(const struct bench *t, int bucket, const struct lt_algo *a, struct err *e)
{
	int status = fast_product(t->l, t->s, bucket, a, t->y, t->x, t->w);
	if (status == LT_OK)
		return 1;
	if (status == LT_NOT_SUPPORTED || status == LT_INVALID_VALUE || status == LT_ARCH_MISMATCH)
		return 0;
	return err_set(e, status == LT_ALLOC_FAILED ? E_MEMORY : E_DEVICE, "the self-test of numerics fast: cublasLtMatmul: %s",
		       t->l->lt.status_name(status));
}

/* Every row alone, in the smallest bucket. 1, 0, -1 as product. */
static int reference(const struct bench *t, const struct lt_algo *a, struct err *e)
{
	size_t row = (size_t)t->s->n * sizeof(float);
	for (uint32_t i = 0; i < FAST_IDENTITIES; i++) {
		int place = (int)(i * 5 % 16);
		fill(t, t->x, FAST_ROWS(0), i, 1, place);
		int rc = product(t, 0, a, e);
		if (rc != 1)
			return rc;
		cudaError_t r = cudaMemcpyAsync((char *)t->alone + i * row, (char *)t->y + (size_t)place * row, row, cudaMemcpyDeviceToDevice,
						t->l->stream);
		if (r != cudaSuccess)
			return device_failed(r, e);
	}
	return 1;
}

/* Does this algorithm give every row of the bucket the reference's bits? 1, 0, -1 as product. */
static int passes(const struct bench *t, int bucket, const struct lt_algo *a, struct err *e)
{
	unsigned wrong = 0, rows = (unsigned)FAST_ROWS(bucket);
	cudaError_t r = cudaMemsetAsync(t->wrong, 0, sizeof wrong, t->l->stream);
	for (uint32_t shift = 0; shift < (bucket <= SMALL ? 12u : 3u); shift += 3) {
		fill(t, t->x, rows, shift, FAST_IDENTITIES, -1);
		int rc = product(t, bucket, a, e);
		if (rc != 1)
			return rc;
		CU_LAUNCH(fast_compare, dim3(across(t->s->n), rows), threads(t->s->n), 0, t->l->stream, (const uint32_t *)t->y, (const uint32_t *)t->alone,
			  t->s->n, shift, t->wrong);
	}
	if (r == cudaSuccess)
		r = cudaGetLastError();
	if (r == cudaSuccess)
		r = cudaMemcpyAsync(&wrong, t->wrong, sizeof wrong, cudaMemcpyDeviceToHost, t->l->stream);
	if (r == cudaSuccess)
		r = cudaStreamSynchronize(t->l->stream);
	return r == cudaSuccess ? wrong == 0 : device_failed(r, e);
}

/* The next algorithm of f for this bucket from *i on that the library says it can do: 1, or 0. */
static int next(const struct bench *t, const struct fast_family *f, int bucket, int *i, struct lt_algo *a)
{
	while (*i < LOOKED_AT) {
		int rc = fast_candidate(t->l, f, t->s->n, bucket, (*i)++, a);
		if (rc == 0)
			return 0;
		if (rc > 0 && fast_fits(t->l, t->s, bucket, a))
			return 1;
	}
	return 0;
}

/* The buckets behind the first, all from f: 1, 0, -1. */
static int others(const struct bench *t, const struct fast_family *f, struct err *e)
{
	for (int b = 1; b < t->s->buckets; b++) {
		int i = 0, tried = 0, rc = 0;
		while (rc == 0 && tried++ < TRIES && next(t, f, b, &i, &t->s->algo[b]))
			rc = passes(t, b, &t->s->algo[b], e);
		if (rc != 1)
			return rc;
	}
	return 1;
}

static int family(const struct bench *t, const struct fast_family *f, struct err *e)
{
	int i = 0, tried = 0, rc = 0;
	while (rc == 0 && tried++ < TRIES_FIRST && next(t, f, 0, &i, &t->s->algo[0])) {
		rc = reference(t, &t->s->algo[0], e);
		if (rc == 1)
			rc = passes(t, 0, &t->s->algo[0], e);
		if (rc == 1)
			rc = others(t, f, e);
	}
	return rc;
}

int fast_pick(const struct fast_lt *l, struct fast_shape *s, struct device *dev, void *w, void *x, float *y, struct err *e)
{
	struct bench t = { l, s, w, x, y, nullptr, nullptr };
	int rc = 0;
	t.alone = (float *)dev->ops->alloc(dev, (size_t)FAST_IDENTITIES * (size_t)s->n * sizeof(float), e);
	t.wrong = t.alone ? (unsigned *)dev->ops->alloc(dev, sizeof *t.wrong, e) : nullptr;
	if (!t.wrong)
		rc = -1;
	for (int n = 0; rc == 0 && n < s->n; n += 32768) /* 32768 rows a launch; numbers behind those of x */
		fill(&t, (uint16_t *)w + (size_t)n * (size_t)s->k, (unsigned)(s->n - n < 32768 ? s->n - n : 32768), 1000u + (uint32_t)n, 1u << 31, -1);
	for (int i = 0; rc == 0 && i < l->nfamilies; i++)
		rc = family(&t, &l->family[i], e);
	dev->ops->release(dev, t.wrong);
	dev->ops->release(dev, t.alone);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, E_UNSUPPORTED, "numerics fast: none of the %d families of algorithms that cublasLt %zu.%zu.%zu offers here gives a row "
			       "the same bits in every batch, for %d outputs and %d inputs", l->nfamilies, l->lt.version / 10000, l->lt.version / 100 % 100,
			       l->lt.version % 100, s->n, s->k);
	return 0;
}
