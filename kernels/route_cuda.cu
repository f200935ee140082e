/* route_cuda.cu - routing to experts on CUDA: route.c's definition, so the same experts and bits (NUMERICS.md section 5).
 *
 * A block of 128 threads has one row: thread = lane of section 2 in every sum. Nobody sorts: an expert's rank is the number of those
 * in front of it, which each thread counts for its own experts (1024 at most, so 8 times 1024 comparisons), and an expert is chosen
 * when its rank is below k. Its place in rising order is the number of chosen ones below it. So nothing depends on the order of
 * threads. What competes holds no NaN at that point: the row would have gone to the lowest k experts with NaN weights before.
 */
#include "kernels/cuda.h"

#include <assert.h>

#include "kernels/cuda_ops.h"
#include "kernels/exactmath.h"
#include "kernels/rowops.h"

#define LANES 128

/* The tree over 128 lanes; every thread gets the sum, or with `most` the largest. s may be used again afterwards. */
static __device__ float tree(float *s, float mine, int most)
{
	int lane = (int)threadIdx.x;
	s[lane] = mine;
	__syncthreads();
	for (int h = LANES / 2; h; h /= 2) {
		if (lane < h && most)
			s[lane] = s[lane + h] > s[lane] ? s[lane + h] : s[lane];
		else if (lane < h)
			s[lane] = __fadd_rn(s[lane], s[lane + h]);
		__syncthreads();
	}
	float all = s[0];
	__syncthreads();
	return all;
}

/* Over x[0..n-1] in shared memory, of which a thread has written its own lane's. */
static __device__ void softmax(float *s, float *x, int n)
{
	float top = __uint_as_float(0xff800000u), sum = 0.0f;
	for (int i = (int)threadIdx.x; i < n; i += LANES)
		top = x[i] > top ? x[i] : top;
	float m = xm_ceil(__fmul_rn(tree(s, top, 1), XM_LOG2E_HI));
	for (int i = (int)threadIdx.x; i < n; i += LANES) {
		x[i] = xm_ex2(__fsub_rn(__fmul_rn(x[i], XM_LOG2E_HI), m));
		sum = __fadd_rn(sum, x[i]);
	}
	sum = tree(s, sum, 0);
	for (int i = (int)threadIdx.x; i < n; i += LANES)
		x[i] = xm_canon(__fdiv_rn(x[i], sum));
	__syncthreads();
}

/* The best of a group, or the sum of its two best. */
static __device__ float group_score(const float *v, int size, int best_of)
{
	float one = v[0], two = __uint_as_float(0xff800000u);
	for (int i = 1; i < size; i++) {
		two = v[i] > one ? one : v[i] > two ? v[i] : two;
		one = v[i] > one ? v[i] : one;
	}
	return best_of == 2 ? __fadd_rn(one, two) : one;
}

/* How many of the n values stand in front of number i: larger, or equal with a lower number. Where there are groups, of kept ones. */
static __device__ int rank_of(const float *v, int n, int i, const unsigned char *kept, int size)
{
	int rank = 0;
	for (int j = 0; j < n; j++)
		rank += (!kept || kept[j / size]) && (v[j] > v[i] || (v[j] == v[i] && j < i));
	return rank;
}

/* route.c's sparsemix, with `near` as room */
static __device__ float sparsemix(float *s, float *near, const float *x, const struct router &r, int one, int gone)
{
	float top = x[one], most = __fadd_rn(r.jitter, r.jitter);
	for (int i = (int)threadIdx.x; i < r.experts; i += LANES) {
		float a = x[i] < 0.0f ? -x[i] : x[i], by = a > top ? a : top;
		near[i] = i == gone || __fdiv_rn(__fsub_rn(top, x[i]), by) > most ? __uint_as_float(0xff800000u) : x[i];
	}
	softmax(s, near, r.experts);
	float share = near[one];
	__syncthreads();
	return share;
}

static __global__ void route_kernel(int32_t *ids, float *weights, struct mat logits, struct router r)
{
	CU_SHARED(float, s, LANES);
	CU_SHARED(float, score, ROUTE_EXPERTS);
	CU_SHARED(float, rival, ROUTE_EXPERTS);
	CU_SHARED(float, group, ROUTE_EXPERTS);
	CU_SHARED(unsigned char, kept, ROUTE_EXPERTS);
	CU_SHARED(unsigned char, chosen, ROUTE_EXPERTS);
	CU_SHARED(float, w, ROUTE_K);
	CU_SHARED(int32_t, id, ROUTE_K);
	CU_SHARED(int32_t, first, 1);
	int me = (int)threadIdx.x, n = r.experts, groups = r.groups > 1 ? r.groups : 1, size = n / groups, nan = 0;
	const float *x = logits.p + (size_t)blockIdx.x * logits.ld;
	size_t at = (size_t)blockIdx.x * (size_t)r.k + (size_t)me;

	for (int i = me; i < n; i += LANES)
		score[i] = r.score == ROUTE_SIGMOID ? xm_sigmoid(x[i]) : x[i];
	if (r.score == ROUTE_SOFTMAX)
		softmax(s, score, n);
	for (int i = me; i < n; i += LANES) {
		rival[i] = r.bias ? __fadd_rn(score[i], r.bias[i]) : score[i];
		nan |= rival[i] != rival[i];
	}
	nan = __syncthreads_or(nan);
	for (int g = me; groups > 1 && g < groups; g += LANES) {
		group[g] = group_score(rival + g * size, size, r.best_of);
		nan |= group[g] != group[g];
	}
	nan = __syncthreads_or(nan);
	if (nan) {
		if (me < r.k) {
			ids[at] = me;
			weights[at] = __uint_as_float(0x7fc00000u);
		}
		return;
	}
	for (int g = me; g < groups; g += LANES)
		kept[g] = groups == 1 || rank_of(group, groups, g, nullptr, 1) < r.groups_kept;
	__syncthreads();
	for (int i = me; i < n; i += LANES) {
		int rank = kept[i / size] ? rank_of(rival, n, i, groups > 1 ? kept : nullptr, size) : n;
		chosen[i] = rank < r.k;
		if (rank == 0)
			first[0] = i;
	}
	__syncthreads();
	for (int i = me; i < n; i += LANES) {
		int place = 0;
		for (int j = 0; chosen[i] && j < i; j++)
			place += chosen[j];
		if (chosen[i])
			id[place] = i;
	}
	__syncthreads();
	if (me < r.k)
		w[me] = r.score == ROUTE_GATE ? xm_sigmoid(score[id[me]]) : score[id[me]];
	if (r.score == ROUTE_TOP)
		softmax(s, w, r.k);
	for (int i = 0; r.score == ROUTE_SPARSEMIX && i < 2; i++) {
		float share = sparsemix(s, rival, score, r, id[i], id[i] == first[0] ? -1 : first[0]);
		if (me == i)
			w[i] = share;
	}
	__syncthreads();
	if (me >= r.k)
		return;
	float sum = 0.0f;
	for (int i = 0; i < r.k; i++)
		sum = __fadd_rn(sum, w[i]);
	sum = __fadd_rn(sum, r.floor);
	ids[at] = id[me];
	weights[at] = xm_canon(__fmul_rn(r.normalise ? __fdiv_rn(w[me], sum) : w[me], r.factor));
}

void cuda_route(struct CUstream_st *s, int32_t *ids, float *weights, struct mat logits, const struct router *r)
{
	route_check(logits.d, r);
	if (logits.n)
		CU_LAUNCH(route_kernel, (unsigned)logits.n, LANES, 0, s, ids, weights, logits, *r);
}
