/* matmul_cuda.cu - the linear layer on CUDA: matmul.c's chain for every output, so the same bits (NUMERICS.md section 1).
 *
 *     for each chunk c of 256 k:  s = +0;  for k ascending:  s = fma(x[i][k], W[j][k], s);   T = c ? T + s : s
 *     y = T (+ bias, one add);  a NaN becomes 0x7fc00000 as the value is stored
 *
 * Two kernels run it, both over the CPU's panels of 32 outputs (ops.h), read in whole pieces of 16 bytes:
 *   few_rows   up to 32 rows (decoding). A block has one panel; it copies a stage of weights, 16 KiB that lie together,
 *              into shared memory with every load in flight at once, then each lane owns an output and each warp some rows.
 *   many_rows  64 rows x 128 outputs a block, 16 k at a time through two shared buffers, 8 x 8 chains a thread.
 * Where there are too few blocks to fill a device, the chunks of a chain go to different blocks: each writes its s to
 * scratch[chunk][row][output] and fold() adds them in ascending order, which is the same program. Whether that is done
 * depends on the shape alone, and changes no bit.
 *
 * Counted in the code that nvcc 13.0 writes for sm_90, never measured. many_rows: 221 to 243 registers, nothing spilled, 27 KiB:
 * two blocks a multiprocessor; of the issue slots of 16 k, its share of adding T included, 84 % are FFMA (1,024 of 1,217); a k
 * is 4 loads of 16 bytes, none of which meets a bank twice, for 64 FFMA. few_rows, one row: 48 registers, 20 KiB, ten blocks, each
 * with 16 KiB on its way: about 160 KiB a multiprocessor at best, where 40 keep 4.8 TB/s going; 3.4 issue slots a weight and row
 * group, so four rows are bound by issue at about 70 % of an H200's bandwidth and 32 rows by FFMA (64 % of the slots).
 *
 * s is never -0: it starts as +0, no product is small enough to round to zero, and an exact sum of zero is +0. Adding to +0
 * therefore alters nothing, which is used twice: T starts as +0, and a k that is missing at the edge of a stage is the product
 * of two +0.
 */
#include "kernels/cuda.h"

#include <assert.h>
#include <math.h>

#include "kernels/base/half.h"
#include "kernels/cuda_ops.h"
#include "kernels/isa.h"

struct linear_call {
	float *y;
	size_t ldy;
	const float *x;
	size_t ldx;
	const uint4 *panels;
	const float *bias;
	float *partial; /* [chunk][m][n] when the chunks are split */
	int m, n, k;
};

/* Pieces of 16 bytes in one k of a panel. */
template <enum dtype DT> constexpr int PIECES = DT == DT_F32 ? 8 : 4;

static __device__ float flushed(float v)
{
	return fabsf(v) < MATMUL_TINY_A ? 0.0f : v;
}

/* Widening is exact in either form; the instruction takes part in nothing else. */
static __device__ float half_value(uint32_t h)
{
#ifdef __CUDACC__
	float f;
	asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"((unsigned short)h));
	return f;
#else
	return f16_to_f32((uint16_t)h);
#endif
}

static __device__ float low_bf16(uint32_t u)
{
	return __uint_as_float(u << 16);
}

static __device__ float high_bf16(uint32_t u)
{
	return __uint_as_float(u & 0xffff0000u);
}

static __device__ void store(const struct linear_call &c, int row, int out, float total)
{
	float v = c.bias ? __fadd_rn(total, c.bias[out]) : total;
	c.y[(size_t)row * c.ldy + (size_t)out] = v == v ? v : __uint_as_float(0x7fc00000u);
}

static __device__ float *partial(const struct linear_call &c, int chunk, int row, int out)
{
	return c.partial + ((size_t)chunk * (size_t)c.m + (size_t)row) * (size_t)c.n + (size_t)out;
}

static __device__ void store_partial(const struct linear_call &c, int chunk, int row, int out, float s)
{
	*partial(c, chunk, row, out) = s;
}

/* Adds the partial sums of one output in ascending order of chunks. */
#define FOLD_THREADS 256
static __global__ void __launch_bounds__(FOLD_THREADS) fold(struct linear_call c, int chunks)
{
	int out = (int)(blockIdx.x * FOLD_THREADS + threadIdx.x), row = (int)blockIdx.y;
	if (out >= c.n)
		return;
	float total = *partial(c, 0, row, out);
	for (int i = 1; i < chunks; i++)
		total = __fadd_rn(total, *partial(c, i, row, out));
	store(c, row, out, total);
}

/* --- few rows ---------------------------------------------------------------------------------------------------- */

#define FEW_WARPS 4
#define FEW_THREADS (32 * FEW_WARPS)
#define FEW_PIECES 1024 /* of a stage: 16 KiB */

/* Weight of output `lane` at step k of a stage. */
template <enum dtype DT> static __device__ float weight(const uint32_t *w, int k, int lane)
{
	if (DT == DT_F32)
		return __uint_as_float(w[k * 32 + lane]);
	if (DT == DT_F16)
		return half_value(w[k * 16 + lane / 2] >> lane % 2 * 16 & 0xffffu);
	/* bf16: zeros behind the low half or the high one, one instruction with a lane's own choice of bytes */
	return __uint_as_float(__byte_perm(w[k * 16 + lane % 16], 0, lane < 16 ? 0x1044 : 0x3244));
}

/* Block (panel, chunk) with SPLIT, else (panel). Warp w has rows w, w + 4 ...: R of them. */
template <enum dtype DT, int R, bool SPLIT> static __global__ void __launch_bounds__(FEW_THREADS) few_rows(struct linear_call c)
{
	constexpr int STAGE = FEW_PIECES / PIECES<DT>; /* k values: a chunk, or half of one */
	CU_SHARED(uint4, wide, FEW_PIECES);
	CU_SHARED(float4, rows, FEW_WARPS * R * STAGE / 4);
	uint32_t *w = &wide[0].x;
	float *a = &rows[0].x;
	const uint4 *panel = c.panels + (size_t)blockIdx.x * (size_t)c.k * PIECES<DT>;
	int thread = (int)threadIdx.x, lane = thread % 32, out = (int)blockIdx.x * MATMUL_PANEL + lane;
	/* turned from block to block: a single row is not always the same scheduler's work */
	int warp = (int)((threadIdx.x / 32 + blockIdx.x + blockIdx.y) % FEW_WARPS);
	int first = SPLIT ? (int)blockIdx.y * MATMUL_CHUNK : 0;
	int last = SPLIT && c.k - first > MATMUL_CHUNK ? first + MATMUL_CHUNK : c.k;
	int rows_here = c.m < FEW_WARPS * R ? c.m : FEW_WARPS * R; /* of those behind nothing is stored */
	float s[R] = {}, total[R] = {};
	for (int k0 = first; k0 < last; k0 += STAGE) {
		int steps = last - k0 < STAGE ? last - k0 : STAGE;
		uint4 v[FEW_PIECES / FEW_THREADS];
#pragma unroll
		for (int i = 0; i < FEW_PIECES / FEW_THREADS; i++) {
			int at = thread + i * FEW_THREADS;
			v[i] = at < steps * PIECES<DT> ? __ldg(panel + (size_t)k0 * PIECES<DT> + at) : make_uint4(0, 0, 0, 0);
		}
		__syncthreads(); /* the stage before has been read */
#pragma unroll
		for (int i = 0; i < FEW_PIECES / FEW_THREADS; i++)
			wide[thread + i * FEW_THREADS] = v[i];
		for (int at = thread; at < rows_here * STAGE; at += FEW_THREADS) {
			int row = at / STAGE, k = at % STAGE;
			a[at] = k < steps ? flushed(c.x[(size_t)row * c.ldx + (size_t)(k0 + k)]) : 0.0f;
		}
		__syncthreads();
		if (warp >= c.m)
			continue;
		if (k0 % MATMUL_CHUNK == 0)
			for (int i = 0; i < R; i++)
				s[i] = 0.0f;
		for (int k = 0; k < steps; k += 4) { /* at most three steps of zeros behind the last */
			float w0 = weight<DT>(w, k, lane), w1 = weight<DT>(w, k + 1, lane);
			float w2 = weight<DT>(w, k + 2, lane), w3 = weight<DT>(w, k + 3, lane);
#pragma unroll
			for (int i = 0; i < R; i++) {
				float4 x = rows[((warp + i * FEW_WARPS) * STAGE + k) / 4];
				s[i] = __fmaf_rn(x.x, w0, s[i]);
				s[i] = __fmaf_rn(x.y, w1, s[i]);
				s[i] = __fmaf_rn(x.z, w2, s[i]);
				s[i] = __fmaf_rn(x.w, w3, s[i]);
			}
		}
		if ((k0 + steps) % MATMUL_CHUNK == 0 || k0 + steps == last)
			for (int i = 0; i < R; i++)
				total[i] = __fadd_rn(total[i], s[i]);
	}
#pragma unroll
	for (int i = 0; i < R; i++) {
		int row = warp + i * FEW_WARPS;
		if (row >= c.m || out >= c.n)
			continue;
		if (SPLIT)
			store_partial(c, (int)blockIdx.y, row, out, total[i]);
		else
			store(c, row, out, total[i]);
	}
}

/* --- many rows --------------------------------------------------------------------------------------------------- */

#define TILE_ROWS 64
#define TILE_OUTS 128
#define TILE_K 16
#define TILE_THREADS 128
#define ROWS_LD (TILE_ROWS + 4) /* floats from k to k in shared memory */

/* Floats from k to k of the weights: eight lanes that store 16 bytes each, two k of 4 pieces or one of 8, then meet no bank twice. */
template <enum dtype DT> constexpr int OUTS_LD = TILE_OUTS + (DT == DT_BF16 ? 16 : DT == DT_F16 ? 4 : 0);

/* Of one k tile the block's threads bring 16 k of X_ROWS rows, and of W_PANELS panels, at a time. */
#define X_ROWS (TILE_THREADS / TILE_K)
template <enum dtype DT> constexpr int W_PANELS = TILE_THREADS / TILE_K / PIECES<DT>;

/* Where a thread reads: rows and panels behind the last are the last one again, for results that nobody stores. */
template <enum dtype DT> struct source {
	const uint4 *w[TILE_OUTS / MATMUL_PANEL / W_PANELS<DT>];
	const float *x;
	unsigned row[TILE_ROWS / X_ROWS]; /* floats from x */
	int left; /* k from here to the end */
};

/* What a thread brings of the next 16 k: on its way while the 16 before are multiplied. */
template <enum dtype DT> struct ahead {
	uint4 w[TILE_OUTS / MATMUL_PANEL / W_PANELS<DT>];
	float x[TILE_ROWS / X_ROWS];
};

/* k and row of x in a tile: 8 k of 4 rows a warp, which meet 32 banks when stored and whole sectors when read. */
static __device__ int x_k(void)
{
	return (int)(threadIdx.x % 8 + threadIdx.x / 64 * 8);
}

static __device__ int x_row(void)
{
	return (int)(threadIdx.x / 8 % 8);
}

template <enum dtype DT> static __device__ struct source<DT> source_of(const struct linear_call &c, int row0, int out0, int k0)
{
	struct source<DT> f;
	int t = (int)threadIdx.x, panels = (c.n - 1) / MATMUL_PANEL + 1;
#pragma unroll
	for (int i = 0; i < 4 / W_PANELS<DT>; i++) {
		int panel = out0 / MATMUL_PANEL + t / PIECES<DT> / TILE_K + i * W_PANELS<DT>;
		panel = panel < panels ? panel : panels - 1;
		f.w[i] = c.panels + ((size_t)panel * (size_t)c.k + (size_t)k0) * PIECES<DT> + t % (TILE_K * PIECES<DT>);
	}
	f.x = c.x + (size_t)row0 * c.ldx + (size_t)(k0 + x_k());
	f.left = c.k - k0;
#pragma unroll
	for (int i = 0; i < TILE_ROWS / X_ROWS; i++) {
		int row = x_row() + i * X_ROWS;
		f.row[i] = (unsigned)(row < c.m - row0 ? row : c.m - row0 - 1) * (unsigned)c.ldx;
#ifdef __CUDACC__
		asm("" : "+r"(f.row[i])); /* kept in a register: else the compiler computes it again for every tile */
#endif
	}
	return f;
}

/* The next 16 k. */
template <enum dtype DT> static __device__ void fetch(struct ahead<DT> &a, struct source<DT> &f)
{
	bool w = (int)threadIdx.x / PIECES<DT> % TILE_K < f.left, x = x_k() < f.left;
#pragma unroll
	for (int i = 0; i < 4 / W_PANELS<DT>; i++) {
		a.w[i] = w ? __ldg(f.w[i]) : make_uint4(0, 0, 0, 0);
		f.w[i] += TILE_K * PIECES<DT>;
	}
#pragma unroll
	for (int i = 0; i < TILE_ROWS / X_ROWS; i++)
		a.x[i] = x ? __ldg(f.x + f.row[i]) : 0.0f;
	f.x += TILE_K;
	f.left -= TILE_K;
}

static __device__ void four(float *to, float a, float b, float c, float d)
{
	*reinterpret_cast<float4 *>(to) = make_float4(a, b, c, d);
}

/* Widens piece p of a panel's k into its 32 floats. */
template <enum dtype DT> static __device__ void widen(float *to, uint4 v, int p)
{
	if (DT == DT_F32) {
		four(to + 4 * p, __uint_as_float(v.x), __uint_as_float(v.y), __uint_as_float(v.z), __uint_as_float(v.w));
	} else if (DT == DT_F16) {
		four(to + 8 * p, half_value(v.x & 0xffffu), half_value(v.x >> 16), half_value(v.y & 0xffffu), half_value(v.y >> 16));
		four(to + 8 * p + 4, half_value(v.z & 0xffffu), half_value(v.z >> 16), half_value(v.w & 0xffffu), half_value(v.w >> 16));
	} else {
		four(to + 4 * p, low_bf16(v.x), low_bf16(v.y), low_bf16(v.z), low_bf16(v.w));
		four(to + 16 + 4 * p, high_bf16(v.x), high_bf16(v.y), high_bf16(v.z), high_bf16(v.w));
	}
}

/* Into shared memory: w[k][128 outputs], x[k][64 rows]. */
template <enum dtype DT> static __device__ void put(float *w, float *x, const struct ahead<DT> &a)
{
	constexpr int P = PIECES<DT>;
	unsigned t = threadIdx.x;
	w += t / P % TILE_K * OUTS_LD<DT> + t / P / TILE_K * MATMUL_PANEL;
	x += x_k() * ROWS_LD + x_row();
#pragma unroll
	for (int i = 0; i < 4 / W_PANELS<DT>; i++)
		widen<DT>(w + i * W_PANELS<DT> * MATMUL_PANEL, a.w[i], (int)(t % P));
#pragma unroll
	for (int i = 0; i < TILE_ROWS / X_ROWS; i++)
		x[i * X_ROWS] = flushed(a.x[i]);
}

/* A warp has 32 rows and 64 outputs, a lane 4 rows and 16 behind 4 more, 4 outputs and 32 behind 4 more: a load of 16 bytes then
 * touches 64 or 128 bytes that lie together. */
static __device__ int tile_row(int i)
{
	return (int)threadIdx.x / 64 * 32 + (int)threadIdx.x % 32 / 8 * 4 + i % 4 + i / 4 * 16;
}

static __device__ int tile_out(int j)
{
	return (int)threadIdx.x / 32 % 2 * 64 + (int)threadIdx.x % 8 * 4 + j % 4 + j / 4 * 32;
}

template <enum dtype DT> static __device__ void multiply(float (&s)[8][8], const float *w, const float *x)
{
#pragma unroll
	for (int k = 0; k < TILE_K; k++) {
		const float4 *xk = reinterpret_cast<const float4 *>(x + k * ROWS_LD + tile_row(0));
		const float4 *wk = reinterpret_cast<const float4 *>(w + k * OUTS_LD<DT> + tile_out(0));
		float4 x0 = xk[0], x1 = xk[16 / 4], w0 = wk[0], w1 = wk[32 / 4];
		float a[8] = { x0.x, x0.y, x0.z, x0.w, x1.x, x1.y, x1.z, x1.w };
		float b[8] = { w0.x, w0.y, w0.z, w0.w, w1.x, w1.y, w1.z, w1.w };
#pragma unroll
		for (int i = 0; i < 8; i++)
#pragma unroll
			for (int j = 0; j < 8; j++)
				s[i][j] = __fmaf_rn(a[i], b[j], s[i][j]);
	}
}

/* Block (rows, outputs, chunk) with SPLIT, else (rows, outputs): neighbours share their weights in the outer cache. */
template <enum dtype DT, bool SPLIT> static __global__ void __launch_bounds__(TILE_THREADS) many_rows(struct linear_call c)
{
	CU_SHARED(float4, wide_w, 2 * TILE_K * OUTS_LD<DT> / 4);
	CU_SHARED(float4, wide_x, 2 * TILE_K * ROWS_LD / 4);
	float *w = &wide_w[0].x, *x = &wide_x[0].x; /* two buffers each */
	int row0 = (int)blockIdx.x * TILE_ROWS, out0 = (int)blockIdx.y * TILE_OUTS;
	int first = SPLIT ? (int)blockIdx.z * MATMUL_CHUNK : 0;
	int last = SPLIT && c.k - first > MATMUL_CHUNK ? first + MATMUL_CHUNK : c.k;
	float s[8][8] = {}, total[8][8] = {};
	struct source<DT> from = source_of<DT>(c, row0, out0, first);
	struct ahead<DT> a;
	fetch<DT>(a, from);
	put<DT>(w, x, a);
	__syncthreads();
	for (int k0 = first; k0 < last; k0 += TILE_K) {
		int now = k0 / TILE_K % 2, more = last - k0 > TILE_K;
		if (more)
			fetch<DT>(a, from);
		multiply<DT>(s, w + now * TILE_K * OUTS_LD<DT>, x + now * TILE_K * ROWS_LD);
		if (more) /* into the other buffer, read last before the barrier below */
			put<DT>(w + (1 - now) * TILE_K * OUTS_LD<DT>, x + (1 - now) * TILE_K * ROWS_LD, a);
		if (!more || (k0 + TILE_K) % MATMUL_CHUNK == 0) {
#pragma unroll
			for (int i = 0; i < 64; i++) {
				float &t = total[i / 8][i % 8], &si = s[i / 8][i % 8];
				t = __fadd_rn(t, si);
				si = 0.0f;
			}
		}
		__syncthreads();
	}
#pragma unroll
	for (int i = 0; i < 64; i++) {
		int row = row0 + tile_row(i / 8), out = out0 + tile_out(i % 8);
		if (row >= c.m || out >= c.n)
			continue;
		if (SPLIT)
			store_partial(c, (int)blockIdx.z, row, out, total[i / 8][i % 8]);
		else
			store(c, row, out, total[i / 8][i % 8]);
	}
}

/* --- which kernel ------------------------------------------------------------------------------------------------ */

/* Three estimates, none of them measured. An H100 or H200 has 132 multiprocessors.
 *   FEW          rows up to which few_rows runs: at 32, 64 % of its slots are FFMA for as many rows as there are, while a tile of
 *                64 rows would be half empty (84 / 2 = 42 %); they meet near 48 rows, and few_rows holds 32 at most
 *   FEW_BLOCKS   panels that fill a device without a split: 8 blocks of 16 KiB on their way for each multiprocessor
 *   TILE_BLOCKS  tiles that do: one for each; a split then costs a pass over scratch and gains nothing */
#define FEW 32
#define FEW_BLOCKS 1024
#define TILE_BLOCKS 132

static int above(int a, int b) /* a / b, rounded up; a > 0 */
{
	return (a - 1) / b + 1;
}

static int chunks_of(const struct linear *w)
{
	return above(w->k, MATMUL_CHUNK);
}

static bool splits(int m, const struct linear *w)
{
	if (w->k <= MATMUL_CHUNK)
		return false;
	if (m <= FEW)
		return matmul_panels(w->n) < FEW_BLOCKS;
	return (long long)above(m, TILE_ROWS) * above(w->n, TILE_OUTS) < TILE_BLOCKS;
}

template <enum dtype DT, int R> static void launch_few(cudaStream_t s, const struct linear_call &c, int split)
{
	dim3 grid((unsigned)matmul_panels(c.n), split ? (unsigned)above(c.k, MATMUL_CHUNK) : 1);
	if (split)
		CU_LAUNCH((few_rows<DT, R, true>), grid, FEW_THREADS, 0, s, c);
	else
		CU_LAUNCH((few_rows<DT, R, false>), grid, FEW_THREADS, 0, s, c);
}

template <enum dtype DT> static void launch(cudaStream_t s, const struct linear_call &c, int split)
{
	dim3 grid((unsigned)above(c.m, TILE_ROWS), (unsigned)above(c.n, TILE_OUTS), split ? (unsigned)above(c.k, MATMUL_CHUNK) : 1);
	if (c.m <= 4)
		launch_few<DT, 1>(s, c, split);
	else if (c.m <= 8)
		launch_few<DT, 2>(s, c, split);
	else if (c.m <= 16)
		launch_few<DT, 4>(s, c, split);
	else if (c.m <= FEW)
		launch_few<DT, 8>(s, c, split);
	else if (split)
		CU_LAUNCH((many_rows<DT, true>), grid, TILE_THREADS, 0, s, c);
	else
		CU_LAUNCH((many_rows<DT, false>), grid, TILE_THREADS, 0, s, c);
}

size_t cuda_linear_scratch(int m, const struct linear *w)
{
	return m > 0 && splits(m, w) ? (size_t)chunks_of(w) * (size_t)m * (size_t)w->n * sizeof(float) : 0;
}

void cuda_linear(struct CUstream_st *s, struct mat y, struct mat x, const struct linear *w, void *scratch)
{
	struct linear_call c = { y.p, y.ld, x.p, x.ld, static_cast<const uint4 *>(w->panels), w->bias, static_cast<float *>(scratch),
				 x.n, w->n, w->k };
	assert(x.d == w->k && y.d == w->n && x.n == y.n);
	assert(x.ld <= UINT32_MAX / TILE_ROWS && chunks_of(w) <= 65535 && above(w->n, TILE_OUTS) <= 65535); /* what a grid can count */
	if (c.m <= 0)
		return;
	int split = splits(c.m, w);
	if (w->dt == DT_F32)
		launch<DT_F32>(s, c, split);
	else if (w->dt == DT_F16)
		launch<DT_F16>(s, c, split);
	else
		launch<DT_BF16>(s, c, split);
	if (split) {
		dim3 grid((unsigned)above(c.n, FOLD_THREADS), (unsigned)c.m);
		CU_LAUNCH(fold, grid, FOLD_THREADS, 0, s, c, chunks_of(w));
	}
}
