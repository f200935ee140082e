/* attend_cuda.cu - attention over paged keys as a CUDA kernel: the twin of attend.c, bit for bit (NUMERICS.md section 4).
 *
 * One block a (row, query head), 256 threads = the keys of one segment. In the first half of a segment's work thread j is key
 * j: the score's chain over d, which needs nothing of other keys, then the largest of its tile of 64. Each thread then
 * walks the segment's four tiles itself (M is an integer, so every thread gets the same factors) and turns its score into
 * p = 2^(s - M of its tile). In the second half a thread is channel i: one chain over the visible keys in ascending order, and
 * l once more beside it, which costs less than sharing it. The segment is merged into the running sums at once, so segments
 * come in ascending order.
 *
 * This is the form for any head size, latent attention's 576 and 512 among them. Heads of a multiple of 4 channels up to 256, which is
 * nearly all there are, go to the kernels of attend_tile_cuda.cu, which share what they read, unless the device has too little shared memory for them.
 *
 * Only visible keys are read, and no value of a tile whose scores are all -Inf before any other of its segment. A NaN score
 * ends the row: all its channels are NaN.
 */
#include "kernels/cuda.h"

#include <assert.h>

#include "kernels/attend.h"
#include "kernels/attend_cuda.h"
#include "kernels/exactmath.h"

#define TILE KV_PAGE
#define SEGMENT 256
#define TILES (SEGMENT / TILE)
#define WARPS (SEGMENT / 32)

struct head { /* what one block works on */
	const float *k, *v;   /* of the KV head, in page 0 */
	size_t k_page, v_page;
	const int32_t *table;
	int d, dv, lo, pos;   /* visible keys: lo..pos */
	float scale, softcap, slope;
	int has_slope, rounded_bias;
};

struct walk { /* a segment's running maximum after each of its tiles, and the factor that brings what came before to it */
	float m[TILES], r[TILES];
};

static __device__ float none(void)
{
	return f32_of_bits(0xff800000u); /* -Inf */
}

static __device__ float score(const struct head *a, const float *q, int key)
{
	const float *k = a->k + (size_t)a->table[key / TILE] * a->k_page + key % TILE;
	float s = 0.0f;
#pragma unroll 8
	for (int i = 0; i < a->d; i++)
		s = __fmaf_rn(q[i], k[(size_t)i * TILE], s);
	if (a->softcap != 0.0f)
		s = __fmul_rn(a->softcap, xm_tanh(__fdiv_rn(s, a->softcap)));
	if (a->has_slope && a->rounded_bias)
		s = __fmaf_rn(a->scale, attend_rounded(a->slope, key), s);
	else if (a->has_slope)
		s = __fmaf_rn(a->slope, (float)(key - a->pos), s);
	return a->softcap != 0.0f || a->has_slope ? __fmul_rn(s, XM_LOG2E_HI) : s;
}

/* Integer maxima of the tiles of a segment, from the largest score of each warp. */
static __device__ struct walk walk_tiles(const float *top)
{
	struct walk w;
	float m = none();
	for (int t = 0; t < TILES; t++) {
		float a = top[2 * t], b = top[2 * t + 1], mine = xm_ceil(a > b ? a : b);
		float before = m;
		m = mine > m ? mine : m;
		w.m[t] = m;
		w.r[t] = m == none() ? 1.0f : xm_ex2(__fsub_rn(before, m));
	}
	return w;
}

/* Channel i of the segment: o = sum p v, and l = sum p. */
static __device__ float sum_channel(const struct head *a, const struct walk *w, const float *p, int seg, int i, float *l)
{
	float o = 0.0f, sum = 0.0f;
	for (int t = 0; t < TILES; t++) {
		int tile = seg + t * TILE, last = tile + TILE - 1 < a->pos ? tile + TILE - 1 : a->pos;
		int first = tile > a->lo ? tile : a->lo;
		if (first > last || w->m[t] == none())
			continue;
		const float *v = a->v + (size_t)a->table[tile / TILE] * a->v_page + i;
		o = __fmul_rn(o, w->r[t]);
		sum = __fmul_rn(sum, w->r[t]);
#pragma unroll 8
		for (int j = first; j <= last; j++) {
			float e = p[j - seg];
			sum = __fadd_rn(sum, e);
			o = __fmaf_rn(e, v[(size_t)(j - tile) * (size_t)a->dv], o);
		}
	}
	*l = sum;
	return o;
}

static __global__ void attend_kernel(struct mat y, struct mat q, int h, struct kv c, struct attend at, struct batch b)
{
	CU_SHARED_DYNAMIC(float, mem); /* q' [d], the running o [dv] */
	CU_SHARED(float, p, SEGMENT);
	CU_SHARED(float, top, WARPS);
	int tid = (int)threadIdx.x, row = (int)blockIdx.x / h, head = (int)blockIdx.x % h, d = c.d, dv = c.dv, pos = b.pos[row];
	size_t kv_head = (size_t)(head / (h / c.hk)), k_size = (size_t)d * TILE, v_size = (size_t)dv * TILE;
	float *qs = mem, *os = mem + d, *out = y.p + (size_t)row * y.ld + (size_t)head * (size_t)dv;
	const float *from = q.p + (size_t)row * q.ld + (size_t)head * (size_t)d;
	struct head a = { c.k + kv_head * k_size, c.v + kv_head * v_size, (size_t)c.hk * k_size, (size_t)c.hk * v_size,
			  b.table + (size_t)b.seq[row] * (size_t)b.ld_table, d, dv, attend_lo(pos, at.window, at.chunk), pos,
			  at.scale, at.softcap, at.slopes ? at.slopes[head] : 0.0f, at.slopes != nullptr, at.rounded_bias };
	float sink = at.sinks ? at.sinks[head] : none(), m = none(), l = 0.0f;
	int bad = sink != sink;

	for (int i = tid; i < d; i += SEGMENT)
		qs[i] = __fmul_rn(from[i], a.scale);
	for (int i = tid; i < dv; i += SEGMENT)
		os[i] = 0.0f;
	__syncthreads();
	for (int seg = a.lo / SEGMENT * SEGMENT; !bad && seg <= pos; seg += SEGMENT) {
		int key = seg + tid, visible = key >= a.lo && key <= pos;
		float s = visible ? score(&a, qs, key) : none(), best = s;
		for (int i = 16; i; i /= 2) {
			float other = __shfl_xor_sync(0xffffffffu, best, i);
			best = other > best ? other : best;
		}
		if (tid % 32 == 0)
			top[tid / 32] = best;
		bad = __syncthreads_or(s != s);
		if (bad)
			break;
		struct walk w = walk_tiles(top);
		float ms = w.m[TILES - 1];
		p[tid] = visible ? xm_ex2(__fsub_rn(s, w.m[tid / TILE])) : 0.0f;
		__syncthreads();
		if (ms != none()) {
			float mn = ms > m ? ms : m, rt = xm_ex2(__fsub_rn(m, mn)), rs = xm_ex2(__fsub_rn(ms, mn)), ls = 0.0f;
			for (int i = tid; i < dv; i += SEGMENT) {
				float o = sum_channel(&a, &w, p, seg, i, &ls);
				os[i] = __fadd_rn(__fmul_rn(os[i], rt), __fmul_rn(o, rs));
			}
			l = __fadd_rn(__fmul_rn(l, rt), __fmul_rn(ls, rs));
			m = mn;
		}
	} /* no barrier: top was read before the second one, and p is written behind the next first one */
	float mn = xm_ceil(sink);
	mn = mn > m ? mn : m;
	if (at.sinks && mn != none()) {
		float r = xm_ex2(__fsub_rn(m, mn));
		l = __fadd_rn(__fmul_rn(l, r), xm_ex2(__fsub_rn(sink, mn)));
		for (int i = tid; i < dv; i += SEGMENT)
			os[i] = __fmul_rn(os[i], r);
	}
	for (int i = tid; i < dv; i += SEGMENT)
		out[i] = bad ? f32_of_bits(0x7fc00000u) : xm_canon(__fdiv_rn(__fadd_rn(os[i], 0.0f), l));
}

size_t cuda_attend_scratch(int h, const struct kv *c, const struct batch *b)
{
	return b->n && attend_tile_fits(c) ? attend_tile_scratch(h, c, b) : 0;
}

void cuda_attend(struct CUstream_st *s, struct mat y, struct mat q, int h, const struct kv *c, const struct attend *a,
		 const struct batch *b, void *scratch)
{
	size_t shared = ((size_t)c->d + (size_t)c->dv) * sizeof(float);
	assert(y.n == b->n && q.n == b->n && h > 0 && c->hk > 0 && h % c->hk == 0 && q.d == h * c->d && y.d == h * c->dv);
	assert(a->window >= 0 && a->chunk >= 0);
	assert(shared <= 40 * 1024 && (long long)b->n * h <= INT32_MAX);
	if (b->n && !(attend_tile_fits(c) && attend_tile(s, y, q, h, c, a, b, scratch)))
		CU_LAUNCH(attend_kernel, (unsigned)(b->n * h), SEGMENT, shared, s, y, q, h, *c, *a, *b);
}
