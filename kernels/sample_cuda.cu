/* sample_cuda.cu - drawing tokens on CUDA: sample.c's definition, so the same ids (sample.h says how and why).
 *
 * A block has one row. Everything that decides is an integer, so sums may be taken in any order: amounts go to buckets by atomic
 * additions, tokens that are left are gathered in whatever order they come. A selection is one bucket of a radix sort followed
 * down, one pass over the row a digit, until the tokens in it fit shared memory; there each thread adds up what ranks up to its
 * own token, and the one whose token reaches the amount needed has found it. The lookup narrows a range of ids: each of 32
 * warps sums a piece of it, the piece that holds the draw is the next range.
 */
#include "kernels/cuda.h"

#include <assert.h>

#include "kernels/cuda_ops.h"
#include "kernels/sample.h"

#define THREADS 1024
#define WARPS 32
#define HELD 1024 /* at least SAMPLE_LAST, at most THREADS */
#define ALL 0xffffffffu

typedef unsigned long long u64;

struct select { /* in shared memory */
	u64 bucket[SAMPLE_BUCKETS];
	u64 part[WARPS];
	double d[HELD];
	int32_t id[HELD];
	unsigned amount[HELD];
	unsigned nheld;
	double last_d;
	int32_t last_id;
};

static __device__ u64 warp_sum(u64 x)
{
	for (int lanes = 16; lanes; lanes /= 2)
		x += __shfl_xor_sync(ALL, x, lanes);
	return x;
}

static __device__ u64 block_max(u64 x, u64 *part)
{
	for (int lanes = 16; lanes; lanes /= 2) {
		u64 other = __shfl_xor_sync(ALL, x, lanes);
		x = other > x ? other : x;
	}
	if (threadIdx.x % 32 == 0)
		part[threadIdx.x / 32] = x;
	__syncthreads();
	for (int i = 0; i < WARPS; i++)
		x = part[i] > x ? part[i] : x;
	__syncthreads();
	return x;
}

/* Above every smaller float, and of equal ones the lower id above the higher; -0 as +0. No NaN. */
static __device__ u64 order_of(float x, int id)
{
	unsigned u = __float_as_uint(__fadd_rn(x, 0.0f));
	u ^= u >> 31 ? ALL : 0x80000000u;
	return (u64)u << 32 | (unsigned)~id;
}

static __device__ int shares_digits(const int *digit, int level, double d, int id)
{
	for (int k = 0; k < level; k++)
		if ((int)sample_digit(k, d, id) != digit[k])
			return 0;
	return 1;
}

/* One pass: amounts by digit, and where `hold`, the tokens themselves as long as there is room. All threads call. */
static __device__ void count(struct select *s, const struct sample_row *r, const int *digit, int level, int weights, int hold)
{
	for (int i = (int)threadIdx.x; i < SAMPLE_BUCKETS; i += THREADS)
		s->bucket[i] = 0;
	if (threadIdx.x == 0)
		s->nheld = 0;
	__syncthreads();
	for (int i = (int)threadIdx.x; i < r->v; i = r->v - i > THREADS ? i + THREADS : r->v) {
		double d = sample_distance(r, i);
		if (!(d < 32) || !sample_kept(r, d, i) || !shares_digits(digit, level, d, i))
			continue;
		unsigned amount = weights ? sample_exp2(d) : sample_weighs(d);
		if (!amount)
			continue;
		atomicAdd(&s->bucket[sample_digit(level, d, i)], (u64)amount);
		unsigned slot = hold ? atomicAdd(&s->nheld, 1u) : HELD;
		if (slot < HELD) {
			s->d[slot] = d;
			s->id[slot] = i;
			s->amount[slot] = amount;
		}
	}
	__syncthreads();
	const u64 *mine = s->bucket + threadIdx.x / 32 * (SAMPLE_BUCKETS / WARPS);
	u64 sum = 0;
	for (int i = (int)threadIdx.x % 32; i < SAMPLE_BUCKETS / WARPS; i += 32)
		sum += mine[i];
	sum = warp_sum(sum);
	if (threadIdx.x % 32 == 0)
		s->part[threadIdx.x / 32] = sum;
	__syncthreads();
}

/* Of the tokens held, the first in order of rank at which the running sum reaches need: in last_d and last_id. */
static __device__ void first_of(struct select *s, u64 need)
{
	unsigned me = threadIdx.x, n = s->nheld;
	if (me < n) {
		double d = s->d[me];
		int32_t id = s->id[me];
		u64 before = 0;
		for (unsigned i = 0; i < n; i++)
			before += s->d[i] < d || (s->d[i] == d && s->id[i] < id) ? s->amount[i] : 0;
		if (before < need && need <= before + s->amount[me]) {
			s->last_d = d;
			s->last_id = id;
		}
	}
	__syncthreads();
}

/* Cuts the row behind the first rank at which the running sum reaches top_k ones, or top_p's share of the weights. */
static __device__ void cut(struct select *s, struct sample_row *r, const struct draw *q, int weights)
{
	int digit[SAMPLE_LEVELS];
	u64 need = (u64)q->top_k, total = 0;
	for (int level = 0; level < SAMPLE_LEVELS; level++) {
		int hold = level > 0 || r->v <= HELD;
		count(s, r, digit, level, weights, hold);
		for (int i = 0; level == 0 && i < WARPS; i++)
			total += s->part[i];
		if (level == 0 && weights)
			need = sample_reach(total, q->share);
		if (need > total) /* top_k keeps more than there is */
			break;
		if (hold && s->nheld <= HELD) {
			first_of(s, need);
			r->last_d = s->last_d;
			r->last_id = s->last_id;
			r->cut = 1;
			break;
		}
		int w = 0;
		for (; w < WARPS - 1 && need > s->part[w]; w++)
			need -= s->part[w];
		int b = w * (SAMPLE_BUCKETS / WARPS), end = b + SAMPLE_BUCKETS / WARPS - 1;
		for (; b < end && need > s->bucket[b]; b++)
			need -= s->bucket[b];
		digit[level] = b;
		__syncthreads();
	}
	__syncthreads();
}

/* The token at which the running sum of the kept weights, ids ascending, exceeds the draw. */
static __device__ int look_up(u64 *part, const struct sample_row *r, const struct draw *q)
{
	int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, lo = 0, hi = r->v;
	u64 pick = 0;
	for (int first = 1; first || hi - lo > 1; first = 0) {
		int step = (hi - lo - 1) / WARPS + 1;
		int from = hi - lo > warp * (long long)step ? lo + warp * step : hi, to = hi - from > step ? from + step : hi;
		u64 sum = 0, total = 0;
		for (int i = from + lane; i < to; i += 32)
			sum += sample_weight(r, i);
		sum = warp_sum(sum);
		if (lane == 0)
			part[warp] = sum;
		__syncthreads();
		if (first) {
			for (int i = 0; i < WARPS; i++)
				total += part[i];
			pick = sample_pick(q, total);
		}
		int w = 0;
		for (; w < WARPS - 1 && pick >= part[w]; w++)
			pick -= part[w];
		lo += w * step;
		hi = hi - lo > step ? lo + step : hi;
		__syncthreads();
	}
	return lo;
}

static __global__ void __launch_bounds__(THREADS) sample_rows(int32_t *out, const float *logits, size_t ld, int v, const struct draw *draw)
{
	CU_SHARED(struct select, shared, 1);
	struct select *s = &shared[0];
	const struct draw *q = draw + blockIdx.x;
	const float *x = logits + (size_t)blockIdx.x * ld;
	u64 best = 0;
	int nan = 0;
	for (int i = (int)threadIdx.x; i < v; i = v - i > THREADS ? i + THREADS : v) {
		nan |= x[i] != x[i];
		u64 o = order_of(x[i], i);
		best = o > best ? o : best;
	}
	nan = __syncthreads_or(nan);
	best = block_max(best, s->part);
	int id = nan ? -1 : (int)~(unsigned)best;
	float top = nan ? 0.0f : x[id];
	if (!nan && q->scale > 0 && __fsub_rn(top, top) == 0.0f) { /* an infinite maximum has no weights beside it */
		struct sample_row r = { x, v, top, q->scale, 0.0, 0, 0, 0.0 };
		if (q->top_k > 0 && q->top_k < v)
			cut(s, &r, q, 0);
		if (q->share < (u64)1 << 32)
			cut(s, &r, q, 1);
		r.far = q->far;
		id = look_up(s->part, &r, q);
	}
	if (threadIdx.x == 0)
		out[blockIdx.x] = id;
}

void cuda_sample(struct CUstream_st *s, int32_t *out, struct mat logits, const struct draw *draw)
{
	assert(logits.d > 0);
	if (logits.n > 0)
		CU_LAUNCH(sample_rows, (unsigned)logits.n, THREADS, 0, s, out, logits.p, logits.ld, logits.d, draw);
}

/* A block has one row; the lanes of a warp read one word of `seen`. */
static __global__ void __launch_bounds__(THREADS) penalise_rows(float *logits, size_t ld, int v, const uint32_t *seen, size_t words, const float *penalty)
{
	float *x = logits + (size_t)blockIdx.x * ld, p = penalty[blockIdx.x];
	seen += (size_t)blockIdx.x * words;
	for (int i = (int)threadIdx.x; p != 1.0f && i < v; i += THREADS) {
		if (!(seen[i / 32] >> i % 32 & 1))
			continue;
		if (x[i] > 0.0f)
			x[i] = __fdiv_rn(x[i], p);
		else if (x[i] <= 0.0f)
			x[i] = __fmul_rn(x[i], p);
	}
}

void cuda_penalise(struct CUstream_st *s, struct mat logits, const uint32_t *seen, const float *penalty)
{
	assert(logits.d > 0 && logits.d <= INT32_MAX - THREADS);
	if (logits.n > 0)
		CU_LAUNCH(penalise_rows, (unsigned)logits.n, THREADS, 0, s, logits.p, logits.ld, logits.d, seen, seen_words(logits.d), penalty);
}
