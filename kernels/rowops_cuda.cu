/* rowops_cuda.cu - the operations on rows alone as CUDA kernels: embedding, gather, addition, norms, rotary positions, keys and
 * values into their pages, activations, scalings. Twins of embed.c, norm.c, rope.c, act.c and of ops_cpu.c's copies, bit for bit.
 *
 * Element kernels take a row in spans of SPAN elements, one block a span, so that one wide row keeps many processors busy
 * and many narrow ones need no loop over rows. Norms take one block of 128 threads a row: thread = lane of NUMERICS.md
 * section 2, the tree runs in shared memory. A thread reads and writes the same elements of a row only, so in place is as
 * good as elsewhere. Every product and sum is an operation with explicit rounding; what is stored is canonical.
 * Indices (ids, positions, pages) are checked by the caller on the host: a kernel has nobody to tell.
 */
#include "kernels/cuda.h"

#include <assert.h>

#include "kernels/base/half.h"
#include "kernels/cuda_ops.h"
#include "kernels/exactmath.h"

#define THREADS 256
#define SPAN 1024
#define LANES 128

/* Blocks for n rows of d elements; block b works on span b % spans of row b / spans. */
static unsigned blocks_for(int n, long long d)
{
	long long blocks = n * ((d - 1) / SPAN + 1);
	assert(blocks > 0 && blocks <= INT32_MAX);
	return (unsigned)blocks;
}

static __device__ int row_of(int d)
{
	return (int)blockIdx.x / ((d - 1) / SPAN + 1);
}

static __device__ int first_of(int d)
{
	return (int)blockIdx.x % ((d - 1) / SPAN + 1) * SPAN + (int)threadIdx.x;
}

static __device__ int last_of(int d)
{
	int end = ((int)blockIdx.x % ((d - 1) / SPAN + 1) + 1) * SPAN;
	return end < d ? end : d;
}

static __device__ float *at_row(struct mat m, int i)
{
	return m.p + (size_t)i * m.ld;
}

/* --- embedding, gather, addition, activations -------------------------------------------------------------------- */

static __global__ void embed_kernel(struct mat y, const void *table, enum dtype dt, const int32_t *ids)
{
	int row = row_of(y.d), last = last_of(y.d);
	size_t at = (size_t)ids[row] * (size_t)y.d;
	uint32_t *to = (uint32_t *)at_row(y, row); /* bits, so that a NaN keeps its payload */
	for (int i = first_of(y.d); i < last; i += THREADS) {
		if (dt == DT_F32)
			to[i] = ((const uint32_t *)table)[at + i];
		else if (dt == DT_BF16)
			to[i] = (uint32_t)((const uint16_t *)table)[at + i] << 16;
		else
			to[i] = f32_bits(f16_to_f32(((const uint16_t *)table)[at + i]));
	}
}

static __global__ void gather_kernel(struct mat y, struct mat x, const int32_t *rows)
{
	int row = row_of(y.d), last = last_of(y.d);
	uint32_t *to = (uint32_t *)at_row(y, row);
	const uint32_t *from = (const uint32_t *)at_row(x, rows[row]);
	for (int i = first_of(y.d); i < last; i += THREADS)
		to[i] = from[i];
}

static __global__ void add_kernel(struct mat y, struct mat x)
{
	int row = row_of(y.d), last = last_of(y.d);
	float *to = at_row(y, row);
	const float *from = at_row(x, row);
	for (int i = first_of(y.d); i < last; i += THREADS)
		to[i] = xm_canon(__fadd_rn(to[i], from[i]));
}

/* y[rows[i]] = fma(x[i], w[i], y[rows[i]]); rows NULL: i; w NULL: s */
static __global__ void scatter_kernel(struct mat y, struct mat x, const int32_t *rows, const float *w, float s)
{
	int row = row_of(x.d), last = last_of(x.d);
	float *to = at_row(y, rows ? rows[row] : row), by = w ? w[row] : s;
	const float *from = at_row(x, row);
	for (int i = first_of(x.d); i < last; i += THREADS)
		to[i] = xm_canon(__fmaf_rn(from[i], by, to[i]));
}

enum each { SCALE, CLIP, SOFTCAP };

static __device__ float each_of(float x, float s, enum each how)
{
	switch (how) {
	case CLIP: return xm_clip(x, s);
	case SOFTCAP: return xm_softcap(x, s);
	default: return xm_canon(__fmul_rn(x, s));
	}
}

/* Every element of x by s, or by t[at[i]] in row i; at NULL: t[i]. */
static __global__ void each_kernel(struct mat x, enum each how, float s, const float *t, const int32_t *at)
{
	int row = row_of(x.d), last = last_of(x.d);
	float *p = at_row(x, row), by = t ? t[at ? at[row] : row] : s;
	for (int i = first_of(x.d); i < last; i += THREADS)
		p[i] = each_of(p[i], by, how);
}

struct act_params {
	float v[4];
};

static __device__ float act_of(float x, enum act a, const float *p)
{
	switch (a) {
	case ACT_SILU: return xm_silu(x);
	case ACT_GELU_ERF: return xm_gelu_erf(x);
	case ACT_GELU_TANH: return xm_gelu_tanh(x);
	case ACT_RELU: return xm_relu(x);
	case ACT_RELU2: return xm_relu2(x);
	case ACT_SIGMOID: return xm_sigmoid(x);
	case ACT_QUICK_GELU: return xm_swish(x, 1.702f);
	case ACT_XIELU: return xm_xielu(x, p[0], p[1], p[2], p[3]);
	default: return xm_canon(x);
	}
}

static __global__ void act_kernel(struct mat y, struct mat gate, struct mat up, enum act a, struct act_params p)
{
	int row = row_of(y.d), last = last_of(y.d);
	float *to = at_row(y, row);
	const float *g = at_row(gate, row), *u = up.p ? at_row(up, row) : nullptr;
	for (int i = first_of(y.d); i < last; i += THREADS) {
		if (a == ACT_SWIGLU_CLAMPED) {
			to[i] = xm_swiglu_clamped(g[i], u[i], p.v[0], p.v[1]);
			continue;
		}
		float t = act_of(g[i], a, p.v);
		to[i] = u ? xm_canon(__fmul_rn(t, u[i])) : t;
	}
}

/* --- norms ------------------------------------------------------------------------------------------------------- */

/* The tree over 128 lanes; every thread gets the sum. s may be used again afterwards. */
static __device__ float tree(float *s, float mine)
{
	int lane = (int)threadIdx.x;
	s[lane] = mine;
	__syncthreads();
	for (int h = LANES / 2; h; h /= 2) {
		if (lane < h)
			s[lane] = __fadd_rn(s[lane], s[lane + h]);
		__syncthreads();
	}
	float sum = s[0];
	__syncthreads();
	return sum;
}

/* 1 / sqrt(sum / d + eps), with r = 1 / d */
static __device__ float scale_of(float sum, float r, float eps)
{
	return __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(__fmul_rn(sum, r), eps)));
}

/* The piece of this block, of `parts` a row with d elements each. */
static __device__ float *piece_of(struct mat m, int parts, int d)
{
	return at_row(m, (int)blockIdx.x / parts) + (size_t)((int)blockIdx.x % parts) * (size_t)d;
}

static __global__ void rmsnorm_kernel(struct mat y, struct mat x, int parts, const float *w, float eps)
{
	CU_SHARED(float, s, LANES);
	int d = x.d / parts;
	const float *from = piece_of(x, parts, d);
	float *to = piece_of(y, parts, d), sum = 0.0f;
	for (int i = (int)threadIdx.x; i < d; i += LANES)
		sum = __fmaf_rn(from[i], from[i], sum);
	float q = scale_of(tree(s, sum), __fdiv_rn(1.0f, (float)d), eps);
	for (int i = (int)threadIdx.x; i < d; i += LANES) {
		float t = __fmul_rn(from[i], q);
		to[i] = xm_canon(w ? __fmul_rn(t, w[i]) : t);
	}
}

static __global__ void layernorm_kernel(struct mat y, struct mat x, int parts, const float *w, const float *b, float eps)
{
	CU_SHARED(float, s, LANES);
	int d = x.d / parts;
	const float *from = piece_of(x, parts, d);
	float *to = piece_of(y, parts, d), sum = 0.0f, r = __fdiv_rn(1.0f, (float)d);
	for (int i = (int)threadIdx.x; i < d; i += LANES)
		sum = __fadd_rn(sum, from[i]);
	float mean = __fmul_rn(tree(s, sum), r), squares = 0.0f;
	for (int i = (int)threadIdx.x; i < d; i += LANES) {
		float c = __fsub_rn(from[i], mean);
		squares = __fmaf_rn(c, c, squares);
	}
	float q = scale_of(tree(s, squares), r, eps);
	for (int i = (int)threadIdx.x; i < d; i += LANES) {
		float t = __fmul_rn(__fsub_rn(from[i], mean), q);
		if (w && b)
			t = __fmaf_rn(t, w[i], b[i]);
		else if (w)
			t = __fmul_rn(t, w[i]);
		else if (b)
			t = __fadd_rn(t, b[i]);
		to[i] = xm_canon(t);
	}
}

/* --- rotary positions -------------------------------------------------------------------------------------------- */

/* One thread a pair; a row has heads * dims/2 of them. */
static __global__ void rope_kernel(struct mat x, int heads, struct rope r, const int32_t *pos)
{
	int half = r.dims / 2, pairs = heads * half, d = x.d / heads, row = row_of(pairs), last = last_of(pairs);
	int step = r.layout == ROPE_INTERLEAVED ? 2 : 1, other = r.layout == ROPE_INTERLEAVED ? 1 : half;
	const float *cos = r.cos + (size_t)pos[row] * (size_t)half, *sin = r.sin + (size_t)pos[row] * (size_t)half;
	for (int e = first_of(pairs); e < last; e += THREADS) {
		int i = e % half;
		float *p = at_row(x, row) + (size_t)(e / half) * (size_t)d + i * step;
		float x0 = p[0], x1 = p[other], c = cos[i], s = sin[i];
		p[0] = xm_canon(__fmaf_rn(x0, c, -__fmul_rn(x1, s)));
		p[other] = xm_canon(__fmaf_rn(x0, s, __fmul_rn(x1, c)));
	}
}

/* --- keys and values --------------------------------------------------------------------------------------------- */

/* The wider of the two, whose elements the spans are of. */
static __host__ __device__ int widest(struct mat k, struct mat v)
{
	return k.d > v.d ? k.d : v.d;
}

static __global__ void kv_write_kernel(struct kv c, struct mat k, struct mat v, struct batch b)
{
	int most = widest(k, v), row = row_of(most), last = last_of(most), pos = b.pos[row];
	size_t page = (size_t)b.table[(size_t)b.seq[row] * (size_t)b.ld_table + (size_t)(pos / KV_PAGE)];
	size_t d = (size_t)c.d, dv = (size_t)c.dv, slot = (size_t)(pos % KV_PAGE);
	const uint32_t *key = (const uint32_t *)at_row(k, row), *value = (const uint32_t *)at_row(v, row);
	for (int e = first_of(most); e < last; e += THREADS) {
		if (e < k.d)
			((uint32_t *)c.k)[((page * (size_t)c.hk + (size_t)e / d) * d + (size_t)e % d) * KV_PAGE + slot] = key[e];
		if (e < v.d)
			((uint32_t *)c.v)[((page * (size_t)c.hk + (size_t)e / dv) * KV_PAGE + slot) * dv + (size_t)e % dv] = value[e];
	}
}

/* One row: all (head, channel, slot) of a page, of which the first `slots` slots are copied. */
static __global__ void kv_copy_kernel(struct kv c, int dst, int src, int slots)
{
	int keys = c.hk * c.d * KV_PAGE, values = c.hk * c.dv * KV_PAGE, all = keys > values ? keys : values, last = last_of(all);
	const uint32_t *ks = (const uint32_t *)c.k + (size_t)src * keys, *vs = (const uint32_t *)c.v + (size_t)src * values;
	uint32_t *kd = (uint32_t *)c.k + (size_t)dst * keys, *vd = (uint32_t *)c.v + (size_t)dst * values;
	for (int e = first_of(all); e < last; e += THREADS) {
		if (e < keys && e % KV_PAGE < slots)
			kd[e] = ks[e];
		if (e < values && e / c.dv % KV_PAGE < slots)
			vd[e] = vs[e];
	}
}

/* --- launches ---------------------------------------------------------------------------------------------------- */

void cuda_embed(struct CUstream_st *s, struct mat y, const struct table *t, const int32_t *ids)
{
	assert(y.d == t->d);
	if (y.n)
		CU_LAUNCH(embed_kernel, blocks_for(y.n, y.d), THREADS, 0, s, y, t->rows, t->dt, ids);
}

void cuda_gather(struct CUstream_st *s, struct mat y, struct mat x, const int32_t *rows)
{
	assert(y.d == x.d && (y.p != x.p || !y.n));
	if (y.n)
		CU_LAUNCH(gather_kernel, blocks_for(y.n, y.d), THREADS, 0, s, y, x, rows);
}

void cuda_add(struct CUstream_st *s, struct mat y, struct mat x)
{
	assert(y.n == x.n && y.d == x.d);
	if (y.n)
		CU_LAUNCH(add_kernel, blocks_for(y.n, y.d), THREADS, 0, s, y, x);
}

void cuda_axpy(struct CUstream_st *s, struct mat y, struct mat x, float by)
{
	assert(y.n == x.n && y.d == x.d);
	if (y.n)
		CU_LAUNCH(scatter_kernel, blocks_for(x.n, x.d), THREADS, 0, s, y, x, (const int32_t *)nullptr, (const float *)nullptr, by);
}

void cuda_scatter(struct CUstream_st *s, struct mat y, struct mat x, const int32_t *rows, const float *w)
{
	assert(y.d == x.d && (rows || x.n <= y.n));
	if (x.n)
		CU_LAUNCH(scatter_kernel, blocks_for(x.n, x.d), THREADS, 0, s, y, x, rows, w, 1.0f);
}

static void each(struct CUstream_st *s, struct mat x, enum each how, float by, const float *t, const int32_t *at)
{
	if (x.n)
		CU_LAUNCH(each_kernel, blocks_for(x.n, x.d), THREADS, 0, s, x, how, by, t, at);
}

void cuda_scale(struct CUstream_st *s, struct mat x, float by)
{
	each(s, x, SCALE, by, nullptr, nullptr);
}

void cuda_scale_rows(struct CUstream_st *s, struct mat x, const float *t, const int32_t *at)
{
	assert(t || !x.n);
	each(s, x, SCALE, 1.0f, t, at);
}

void cuda_clip(struct CUstream_st *s, struct mat x, float limit)
{
	assert(limit >= 0);
	each(s, x, CLIP, limit, nullptr, nullptr);
}

void cuda_softcap(struct CUstream_st *s, struct mat x, float cap)
{
	assert(cap > 0);
	each(s, x, SOFTCAP, cap, nullptr, nullptr);
}

void cuda_rmsnorm(struct CUstream_st *s, struct mat y, struct mat x, int parts, const float *w, float eps)
{
	assert(y.n == x.n && y.d == x.d && parts > 0 && y.d % parts == 0 && y.n <= INT32_MAX / parts);
	if (y.n)
		CU_LAUNCH(rmsnorm_kernel, (unsigned)(y.n * parts), LANES, 0, s, y, x, parts, w, eps);
}

void cuda_layernorm(struct CUstream_st *s, struct mat y, struct mat x, int parts, const float *w, const float *b, float eps)
{
	assert(y.n == x.n && y.d == x.d && parts > 0 && y.d % parts == 0 && y.n <= INT32_MAX / parts);
	if (y.n)
		CU_LAUNCH(layernorm_kernel, (unsigned)(y.n * parts), LANES, 0, s, y, x, parts, w, b, eps);
}

void cuda_rope(struct CUstream_st *s, struct mat x, int heads, const struct rope *r, const int32_t *pos)
{
	assert(heads > 0 && x.d % heads == 0 && r->dims % 2 == 0 && r->dims > 0 && r->dims <= x.d / heads);
	if (x.n)
		CU_LAUNCH(rope_kernel, blocks_for(x.n, heads * (r->dims / 2)), THREADS, 0, s, x, heads, *r, pos);
}

void cuda_kv_write(struct CUstream_st *s, const struct kv *c, struct mat k, struct mat v, const struct batch *b)
{
	assert(k.n == v.n && k.n == b->n && k.d == c->hk * c->d && v.d == c->hk * c->dv);
	if (b->n)
		CU_LAUNCH(kv_write_kernel, blocks_for(k.n, widest(k, v)), THREADS, 0, s, *c, k, v, *b);
}

void cuda_kv_copy(struct CUstream_st *s, const struct kv *c, int dst, int src, int slots)
{
	assert(dst >= 0 && dst < c->pages && src >= 0 && src < c->pages && dst != src && slots >= 0 && slots <= KV_PAGE);
	int most = c->d > c->dv ? c->d : c->dv;
	assert((long long)c->hk * most * KV_PAGE <= INT32_MAX);
	if (slots)
		CU_LAUNCH(kv_copy_kernel, blocks_for(1, c->hk * most * KV_PAGE), THREADS, 0, s, *c, dst, src, slots);
}

void cuda_act(struct CUstream_st *s, struct mat y, struct mat gate, struct mat up, enum act a, const float p[4])
{
	struct act_params all = {};
	assert(y.n == gate.n && y.d == gate.d && (!up.p || (up.n == y.n && up.d == y.d)) && (unsigned)a < ACT_COUNT);
	assert((p || a < ACT_XIELU) && (up.p || a != ACT_SWIGLU_CLAMPED || !y.n));
	for (int i = 0; p && i < 4; i++)
		all.v[i] = p[i];
	if (y.n)
		CU_LAUNCH(act_kernel, blocks_for(y.n, y.d), THREADS, 0, s, y, gate, up, a, all);
}
