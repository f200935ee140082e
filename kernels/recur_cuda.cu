/* recur_cuda.cu - recurrent layers as CUDA kernels: twins of recur.c and ops_recur.c, bit for bit.
 *
 * A convolution's rows need no order: one thread a row and channel, looking back through the rows of its run and into the slot that
 * the run starts from. Slots are written by a second kernel, one thread a run and channel, since a run may write the slot it starts from.
 *
 * A state's channels are recurrences of their own: a block has the state of up to CHANNELS channels of one head of one run in shared
 * memory, thread = channel, and goes through the run's tokens. Keys, queries, values and gates of up to TOKENS tokens are fetched
 * together, so that the memory's latency is paid once for all of them. Wider states take fewer channels a block, down to one.
 */
#include "kernels/cuda.h"

#include <assert.h>

#include "kernels/base/half.h"
#include "kernels/cuda_ops.h"
#include "kernels/exactmath.h"

#define THREADS 256
#define CHANNELS 32
#define TOKENS 8
#define SHARED_FLOATS 10240 /* of a block, dynamic */

static __device__ float *at_row(struct mat m, int i)
{
	return m.p + (size_t)i * m.ld;
}

static unsigned grid_of(long long blocks)
{
	assert(blocks > 0 && blocks <= INT32_MAX);
	return (unsigned)blocks;
}

/* --- convolutions ------------------------------------------------------------------------------------------------ */

static __global__ void conv_kernel(struct mat y, struct mat x, struct conv c, struct states s, struct batch b)
{
	int spans = (c.d - 1) / THREADS + 1, row = (int)blockIdx.x / spans, i = (int)blockIdx.x % spans * THREADS + (int)threadIdx.x;
	if (i >= c.d)
		return;
	int back = 0; /* rows of the run before this one, as far as they count */
	while (back < c.width - 1 && b.from[row - back] == STATE_CHAIN)
		back++;
	int slot = b.from[row - back];
	float sum = 0.0f;
	for (int j = 0; j < c.width; j++) {
		int k = c.width - 1 - j; /* rows back */
		float v = 0.0f;
		if (k <= back)
			v = at_row(x, row - k)[i];
		else if (slot >= 0)
			v = s.p[(size_t)slot * s.size + (size_t)(c.width - 1 - (k - back)) * (size_t)c.d + (size_t)i];
		sum = __fmaf_rn(c.w[(size_t)j * (size_t)c.d + (size_t)i], v, sum);
	}
	if (c.b)
		sum = __fadd_rn(sum, c.b[i]);
	at_row(y, row)[i] = c.silu ? xm_silu(sum) : xm_canon(sum);
}

static __global__ void conv_state_kernel(struct mat x, struct conv c, struct states s, struct batch b)
{
	int spans = (c.d - 1) / THREADS + 1, run = (int)blockIdx.x / spans, i = (int)blockIdx.x % spans * THREADS + (int)threadIdx.x;
	if (i >= c.d)
		return;
	int first = b.run[run], last = b.run[run + 1], keep = c.width - 1, slot = b.from[first];
	uint32_t *states = (uint32_t *)s.p, before[CONV_WIDTH - 1]; /* bits, so that a NaN keeps its payload */
	for (int k = 0; k < CONV_WIDTH - 1; k++)
		before[k] = slot >= 0 && k < keep ? states[(size_t)slot * s.size + (size_t)k * (size_t)c.d + (size_t)i] : 0;
	for (int row = first; row < last; row++) {
		if (b.to[row] < 0)
			continue;
		uint32_t *to = states + (size_t)b.to[row] * s.size + (size_t)i;
		for (int k = 0; k < CONV_WIDTH - 1; k++) { /* those from before the run move up by its rows so far */
			int at = k - (row - first) - 1;
			if (k < keep && at >= 0)
				to[(size_t)at * (size_t)c.d] = before[k];
		}
		for (int at = 0; at < keep; at++) {
			int r = row - keep + 1 + at;
			if (r >= first)
				to[(size_t)at * (size_t)c.d] = ((const uint32_t *)at_row(x, r))[i];
		}
	}
}

/* --- states of heads --------------------------------------------------------------------------------------------- */

struct scan {
	int delta;                   /* else ssm */
	struct mat y, x, key, query; /* delta: x is v */
	struct mat gate, beta;       /* ssm: dt; delta: alpha, beta */
	const float *a, *bias, *skip;
	float dt_min, dt_max;
	int heads, shared_by;        /* heads that share a key */
	int d, n;
	int channels, tokens;        /* of a block at a time */
	struct states s;
	struct batch b;
};

/* What a block shares, besides the tile of the state [n][channels] and keys and queries [tokens][n] in dynamic memory. */
struct fetched {
	float g[TOKENS], b[TOKENS], value[TOKENS * CHANNELS];
};

static __device__ void gates(const struct scan *c, int row, int head, float *g, float *b)
{
	float a = c->a[head];
	*g = a;
	*b = 1.0f;
	if (!c->gate.p)
		return;
	float t = xm_softplus(__fadd_rn(at_row(c->gate, row)[head], c->bias[head]));
	if (c->delta) {
		*b = xm_sigmoid(at_row(c->beta, row)[head]);
	} else {
		t = t < c->dt_min ? c->dt_min : t > c->dt_max ? c->dt_max : t;
		*b = t;
	}
	*g = xm_exp(__fmul_rn(t, a));
}

static __device__ void fetch(const struct scan *c, struct fetched *f, float *keys, float *queries, int row, int tokens, int head, int i0)
{
	size_t group = (size_t)(head / c->shared_by) * (size_t)c->n;
	for (int t = 0; t < tokens; t++) {
		const float *k = at_row(c->key, row + t) + group, *q = at_row(c->query, row + t) + group;
		for (int j = (int)threadIdx.x; j < c->n; j += (int)blockDim.x) {
			keys[t * c->n + j] = k[j];
			queries[t * c->n + j] = q[j];
		}
		if (i0 + (int)threadIdx.x < c->d)
			f->value[t * CHANNELS + (int)threadIdx.x] = at_row(c->x, row + t)[(size_t)head * (size_t)c->d + (size_t)i0 + threadIdx.x];
	}
	for (int t = (int)threadIdx.x; t < tokens; t += (int)blockDim.x)
		gates(c, row + t, head, &f->g[t], &f->b[t]);
}

/* One token of one channel; tile: its column of the state, `step` floats from row to row. */
static __device__ float ssm_token(float *tile, int step, int n, const float *key, const float *query, float g, float u)
{
	float y = 0.0f;
	for (int j = 0; j < n; j++) {
		float t = __fmaf_rn(g, tile[j * step], __fmul_rn(key[j], u));
		tile[j * step] = t;
		y = __fmaf_rn(t, query[j], y);
	}
	return y;
}

static __device__ float delta_token(float *tile, int step, int n, const float *key, const float *query, float g, float b, float v)
{
	float m = 0.0f, y = 0.0f;
	for (int j = 0; j < n; j++)
		m = __fmaf_rn(__fmul_rn(g, tile[j * step]), key[j], m);
	float u = __fmul_rn(b, __fsub_rn(v, m));
	for (int j = 0; j < n; j++) {
		float t = __fmaf_rn(key[j], u, __fmul_rn(g, tile[j * step]));
		tile[j * step] = t;
		y = __fmaf_rn(t, query[j], y);
	}
	return y;
}

static __global__ void scan_kernel(struct scan c)
{
	CU_SHARED(struct fetched, f, 1);
	CU_SHARED_DYNAMIC(float, dynamic);
	int chunks = (c.d - 1) / c.channels + 1, i0 = (int)blockIdx.x % chunks * c.channels, lane = (int)threadIdx.x, i = i0 + lane;
	int head = (int)blockIdx.x / chunks % c.heads, run = (int)blockIdx.x / chunks / c.heads;
	int first = c.b.run[run], last = c.b.run[run + 1], slot = c.b.from[first];
	float *tile = dynamic + lane, *keys = dynamic + c.n * c.channels, *queries = keys + c.tokens * c.n;
	float *home = c.s.p + (size_t)head * (size_t)c.n * (size_t)c.d + (size_t)i;
	for (int j = 0; j < c.n && i < c.d; j++)
		tile[j * c.channels] = slot >= 0 ? home[(size_t)slot * c.s.size + (size_t)j * (size_t)c.d] : 0.0f;
	for (int row = first; row < last; row += c.tokens) {
		int tokens = last - row < c.tokens ? last - row : c.tokens;
		__syncthreads();
		fetch(&c, f, keys, queries, row, tokens, head, i0);
		__syncthreads();
		for (int t = 0; t < tokens && i < c.d; t++) {
			const float *key = keys + t * c.n, *query = queries + t * c.n;
			float v = f->value[t * CHANNELS + lane], y;
			if (c.delta)
				y = delta_token(tile, c.channels, c.n, key, query, f->g[t], f->b[t], v);
			else
				y = ssm_token(tile, c.channels, c.n, key, query, f->g[t], c.gate.p ? __fmul_rn(f->b[t], v) : v);
			if (c.skip)
				y = __fmaf_rn(c.skip[head], v, y);
			at_row(c.y, row + t)[(size_t)head * (size_t)c.d + (size_t)i] = xm_canon(y);
			int to = c.b.to[row + t];
			for (int j = 0; j < c.n && to >= 0; j++)
				home[(size_t)to * c.s.size + (size_t)j * (size_t)c.d] = xm_canon(tile[j * c.channels]);
		}
	}
}

/* --- launches ---------------------------------------------------------------------------------------------------- */

static_assert(STATE_MOST <= SHARED_FLOATS / 3, "the largest state and a channel fit into shared memory");

static void scan(struct CUstream_st *s, struct scan *c)
{
	assert(c->n > 0 && c->n <= SHARED_FLOATS / 3 && c->d > 0 && c->y.p != c->x.p);
	for (c->channels = CHANNELS; c->n * (c->channels + 2) > SHARED_FLOATS; )
		c->channels /= 2;
	c->tokens = (SHARED_FLOATS / c->n - c->channels) / 2;
	if (c->tokens > TOKENS)
		c->tokens = TOKENS;
	long long blocks = ((long long)(c->d - 1) / c->channels + 1) * c->heads;
	assert(blocks <= INT32_MAX);
	CU_LAUNCH(scan_kernel, grid_of(blocks * c->b.runs), (unsigned)c->channels,
		  (size_t)c->n * (size_t)(c->channels + 2 * c->tokens) * sizeof(float), s, *c);
}

void cuda_conv(struct CUstream_st *s, struct mat y, struct mat x, const struct conv *c, const struct states *st, const struct batch *b)
{
	if (!b->n)
		return;
	assert(y.n == b->n && x.n == b->n && y.d == c->d && x.d == c->d && y.p != x.p && c->width >= 2 && c->width <= CONV_WIDTH);
	assert(!st->slots || st->size >= conv_state(c));
	long long spans = (c->d - 1) / THREADS + 1;
	CU_LAUNCH(conv_kernel, grid_of(spans * b->n), THREADS, 0, s, y, x, *c, *st, *b);
	if (st->slots)
		CU_LAUNCH(conv_state_kernel, grid_of(spans * b->runs), THREADS, 0, s, x, *c, *st, *b);
}

void cuda_ssm(struct CUstream_st *s, struct mat y, struct mat x, struct mat B, struct mat C, struct mat dt, const struct ssm *c,
	      const struct states *st, const struct batch *b)
{
	if (!b->n)
		return;
	assert(y.n == b->n && x.n == b->n && B.n == b->n && C.n == b->n && (!dt.p || dt.n == b->n));
	assert(c->groups > 0 && c->heads % c->groups == 0 && y.d == c->heads * c->d && x.d == y.d && B.d == c->groups * c->n && C.d == B.d);
	assert(!st->slots || st->size >= ssm_state(c));
	struct scan k = {};
	k.y = y, k.x = x, k.key = B, k.query = C, k.gate = dt, k.s = *st, k.b = *b;
	k.a = c->a, k.bias = c->dt_bias, k.skip = c->skip, k.dt_min = c->dt_min, k.dt_max = c->dt_max;
	k.heads = c->heads, k.shared_by = c->heads / c->groups, k.d = c->d, k.n = c->n;
	scan(s, &k);
}

void cuda_delta(struct CUstream_st *s, struct mat y, struct mat q, struct mat k, struct mat v, struct mat alpha, struct mat beta,
		const struct delta *c, const struct states *st, const struct batch *b)
{
	if (!b->n)
		return;
	assert(y.n == b->n && q.n == b->n && k.n == b->n && v.n == b->n && alpha.n == b->n && beta.n == b->n);
	assert(c->hk > 0 && c->hv % c->hk == 0 && y.d == c->hv * c->dv && v.d == y.d && k.d == c->hk * c->dk && q.d == k.d);
	assert(!st->slots || st->size >= delta_state(c));
	struct scan n = {};
	n.delta = 1;
	n.y = y, n.x = v, n.key = k, n.query = q, n.gate = alpha, n.beta = beta, n.s = *st, n.b = *b;
	n.a = c->a, n.bias = c->dt_bias;
	n.heads = c->hv, n.shared_by = c->hv / c->hk, n.d = c->dv, n.n = c->dk;
	scan(s, &n);
}
