/* logprob_cuda.cu - lse on CUDA: logprob.c's definition, so the same bits (NUMERICS.md section 3).
 *
 * A block has one row of logits and eight groups of 128 threads; a group takes a segment of 8192 ids, a thread one of its
 * lanes (id mod 128, ids ascending). Both the maximum and the sums go through the tree 64 ... 1 in shared memory. Then the
 * block's first thread merges the eight segments in ascending order, and the groups take the next eight.
 *
 * The order of the maximum does not matter: of equal logits the lower id wins in every step, so the argmax is the lowest, and
 * the largest logit is read back from there (-0 and +0 are equal, and ceil makes +0 of either). A NaN compares as not larger;
 * any thread that met one makes the whole row NaN at the end.
 */
#include "kernels/cuda.h"

#include <assert.h>

#include "kernels/cuda_ops.h"
#include "kernels/exactmath.h"

#define SEGMENT 8192
#define LANES 128
#define GROUPS 8

struct part { /* of one segment */
	float m, l, top;
	int32_t id;
};

static __device__ float infinity(void)
{
	return __uint_as_float(0x7f800000u);
}

/* The largest of a segment and its lowest id, from one candidate a lane; at lane 0 of both arrays. All threads call. */
static __device__ void tree_max(float *top, int32_t *id, int lane)
{
	for (int h = LANES / 2; h; h /= 2) {
		__syncthreads();
		if (lane < h && (top[lane + h] > top[lane] || (top[lane + h] == top[lane] && id[lane + h] < id[lane]))) {
			top[lane] = top[lane + h];
			id[lane] = id[lane + h];
		}
	}
	__syncthreads();
}

static __device__ void tree_sum(float *s, int lane)
{
	for (int h = LANES / 2; h; h /= 2) {
		__syncthreads();
		if (lane < h)
			s[lane] = __fadd_rn(s[lane], s[lane + h]);
	}
	__syncthreads();
}

static __global__ void __launch_bounds__(LANES *GROUPS) lse_rows(struct lse *out, const float *logits, size_t ld, int v, const int32_t *target)
{
	CU_SHARED(float, value, LANES * GROUPS);
	CU_SHARED(int32_t, ids, LANES * GROUPS);
	CU_SHARED(struct part, parts, GROUPS);
	int lane = (int)threadIdx.x, group = (int)threadIdx.y, nan = 0;
	const float *x = logits + (size_t)blockIdx.x * ld;
	float *mine = value + group * LANES;
	struct part all = { -infinity(), 0.0f, -infinity(), 0 }; /* kept by the first thread */
	for (int base = 0; base < v; base += GROUPS * SEGMENT) {
		int start = group * SEGMENT < v - base ? base + group * SEGMENT : v; /* v: a group without a segment */
		int end = v - start < SEGMENT ? v : start + SEGMENT;
		float top = -infinity();
		int32_t id = INT32_MAX;
		for (int i = start + lane; i < end; i += LANES) {
			float l = x[i];
			nan |= l != l;
			if (l > top || id == INT32_MAX) {
				top = l;
				id = i;
			}
		}
		mine[lane] = top;
		ids[group * LANES + lane] = id;
		tree_max(mine, ids + group * LANES, lane);
		top = mine[0];
		id = ids[group * LANES];
		float m = xm_ceil(__fmul_rn(top, XM_LOG2E_HI)), s = 0.0f;
		__syncthreads();
		for (int i = start + lane; i < end; i += LANES)
			s = __fadd_rn(s, xm_ex2(__fadd_rn(__fmul_rn(x[i], XM_LOG2E_HI), -m)));
		mine[lane] = s;
		tree_sum(mine, lane);
		if (lane == 0)
			parts[group] = { m, mine[0], top, id };
		__syncthreads();
		for (int g = 0; lane == 0 && group == 0 && g < GROUPS; g++) {
			struct part p = parts[g];
			if (p.top > all.top) {
				all.top = p.top;
				all.id = p.id;
			}
			if (p.m == -infinity()) /* none, or -Inf alone */
				continue;
			float mn = p.m > all.m ? p.m : all.m;
			all.l = __fadd_rn(__fmul_rn(all.l, xm_ex2(__fadd_rn(all.m, -mn))), __fmul_rn(p.l, xm_ex2(__fadd_rn(p.m, -mn))));
			all.m = mn;
		}
		if (v - base <= GROUPS * SEGMENT)
			break;
	}
	nan = __syncthreads_or(nan);
	if (lane || group)
		return;
	float none = __uint_as_float(0x7fc00000u);
	int t = target[blockIdx.x];
	if (nan)
		out[blockIdx.x] = { none, none, none, -1, none };
	else
		out[blockIdx.x] = { all.m == -infinity() ? 0.0f : all.m, xm_canon(all.l), t < 0 ? 0.0f : __fmul_rn(x[t], XM_LOG2E_HI), all.id,
				    x[all.id] };
}

void cuda_lse(struct CUstream_st *s, struct lse *out, struct mat logits, const int32_t *target)
{
	assert(logits.d > 0);
	if (logits.n > 0)
		CU_LAUNCH(lse_rows, (unsigned)logits.n, dim3(LANES, GROUPS), 0, s, out, logits.p, logits.ld, logits.d, target);
}
