/* attend_tile_cuda.cu - attention for heads of up to 256 channels: a block brings each tile of keys and values into shared
 * memory once for many queries. The program of every query is attend.c's (NUMERICS.md section 4), so the same bits.
 *
 * A line is one query head of one row. A block has L neighbouring lines of one KV head (rows ascending, the row's heads inside)
 * and 128 threads. Tiles come in ascending order; of one tile, the lines whose table names the same page are done together,
 * so rows share what their sequences share, and rows that share nothing are right as well, only slower. Per tile:
 *   scores   a register tile of LS lines x KS keys a thread, one chain over d each; the largest of a line by shuffles
 *   values   LP lines x 4Q channels a thread, one chain over the visible keys in ascending order
 * Keys have d channels and values dv; the kernel is chosen by dv, and where its tiles do not fit, attend_cuda.cu's does the work.
 *
 * A key that a line does not see gets the mark -1 instead of a p and is left out, whatever lies there; a tile without marks,
 * the usual one, is done without looking. r = 1 for a line that a tile does not concern.
 *
 * L = 64 (32 above 128 channels) is for prefill: 64 FFMA for 4 loads of 16 bytes in the values' loop. L = 8 is for decoding,
 * bound by bytes: K and V tile, 64 KiB at d = 128, are on their way together. Where rows of many sequences are neighbours, so
 * that a large block would walk through many pages a tile, its 8-line blocks work instead: both are launched, and both
 * look at the rows' sequences to know whose turn it is. Where blocks would be too few, each has one segment and writes (M, l, o)
 * to scratch; merge_kernel adds them in ascending order. A NaN score makes M a NaN there.
 *
 * Counted in the code that nvcc 13.0 writes for sm_90, never measured; nothing is spilled:
 *   L, channels   registers   KiB shared   blocks   FFMA of issue slots: scores, values
 *   64, 64        172         68           2        86 %, 82 %
 *   64, 128       245         86           2        87 %, 89 %    with exponentials and the rest about 74 % of a tile
 *   32, 256       241         111          2        81 %, 87 %
 *   8, 128        80          73           3        192 KiB on their way at best; 4 lines: about 1,700 slots and 1,900 turns of
 *                                                   shared memory for a 64 KiB pair of tiles, for which an H200 takes 3,100 cycles
 * The threads' maps keep 16-byte accesses of a warp in one or two rows of banks, but for the queries' stores, once a block.
 */
#include "kernels/cuda.h"

#include <assert.h>

#include "kernels/attend.h"
#include "kernels/attend_cuda.h"
#include "kernels/exactmath.h"

#define TILE KV_PAGE
#define TILES 4 /* of a segment */
#define THREADS 128
#define MARK (-1.0f)
#define P_LD (TILE + 4)

struct job {
	struct mat y, q;
	int h;
	struct kv c;
	struct attend at;
	struct batch b;
	float *part; /* [row][head][segment][dv + 2], or NULL: not split */
	int segs, lines;
	int large; /* lines of a large block where large and small ones share the work, else 0 */
};

template <int L, int Q> struct shape {
	static constexpr int KS = L == 8 ? 2 : 4, KT = TILE / KS, SG = THREADS / KT, LS = L / SG, W = LS < 4 ? LS : 4;
	static constexpr int CT = L == 8 ? 32 : 16, LG = THREADS / CT, LP = L / LG, Q_LD = L + 4;
	static constexpr int CHANNELS = 4 * CT * Q;
	typedef float sums[LP][4 * Q]; /* a thread's part of the values: its lines, its channels */
	/* line i of a thread's scores, and of its values: of the latter a warp of a small block has neighbours */
	static __device__ int line_s(int group, int i) { return group * W + i % W + i / W * (SG * W); }
	static __device__ int line_v(int group, int i) { return L == 8 ? group * LP + i : group + i * LG; }
	/* turned from block to block: where only some warps have lines to serve, they are not always the same scheduler's */
	static __device__ int thread(void)
	{
		return L == 8 ? (int)((threadIdx.x + 32 * (blockIdx.x + blockIdx.y + blockIdx.z)) % THREADS) : (int)threadIdx.x;
	}
	static __device__ int own(void) { return line_v(thread() / CT, thread() % CT % LP); } /* the line whose l a thread keeps */
	static constexpr bool ONE = L > 8 && Q > 1; /* K and V take turns in one buffer: two blocks fit */
	/* floats: up to V, where K lies, and up to q; a row of V is read past its end */
	static __host__ __device__ size_t to_v(int d) { return ONE ? 0 : (size_t)d * TILE; }
	static __host__ __device__ size_t to_q(int d, int dv) { return (size_t)(ONE && d > dv ? d : dv) * TILE + CHANNELS + to_v(d); }
	static __host__ __device__ size_t floats(int d, int dv) { return to_q(d, dv) + (size_t)d * Q_LD + L * P_LD; }
};

static __device__ float none(void)
{
	return f32_of_bits(0xff800000u); /* -Inf */
}

static __device__ void copy16(float *to, const float *from)
{
#ifdef __CUDACC__
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from) : "memory");
#else
	*reinterpret_cast<float4 *>(to) = *reinterpret_cast<const float4 *>(from);
#endif
}

static __device__ void copy_commit(void)
{
#ifdef __CUDACC__
	asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/* Until all groups of this thread's copies but the last N have arrived. */
template <int N> static __device__ void copy_wait(void)
{
#ifdef __CUDACC__
	asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

/* One tile of K or V of a head: d * 64 floats that lie together. */
static __device__ void bring(float *to, const float *from, int d)
{
	for (int i = (int)threadIdx.x; i < d * (TILE / 4); i += THREADS)
		copy16(to + 4 * i, from + 4 * i);
	copy_commit();
}

template <int N> static __device__ void load(float *to, const float *from)
{
	if constexpr (N == 4) {
		float4 v = *reinterpret_cast<const float4 *>(from);
		to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
	} else {
		float2 v = *reinterpret_cast<const float2 *>(from);
		to[0] = v.x, to[1] = v.y;
	}
}

/* --- whose turn, and the walk over pages ------------------------------------------------------------------------- */

/* Is the piece of `large` lines around this line work for a large block: of at most two runs of one sequence? All lanes call. */
static __device__ bool for_large(const struct job &j, int line, int large)
{
	int group = j.h / j.c.hk, all = j.b.n * group, first = line / large * large, last = first + large < all ? first + large : all;
	int row0 = first / group, rows = (last - 1) / group - row0 + 1, lane = (int)threadIdx.x % 32;
	unsigned runs = 0;
	for (int i = 0; i < rows; i += 32) {
		int r = i + lane;
		unsigned change = __ballot_sync(0xffffffffu, r > 0 && r < rows && j.b.seq[row0 + r] != j.b.seq[row0 + r - 1]);
		for (; change; change &= change - 1)
			runs++;
	}
	return runs <= 1;
}

/* A lane knows lines lane and lane + 32; every warp walks alike. */
struct walk {
	int pos[2], lo[2], seq[2], page[2];
	unsigned left[2], mask[2]; /* lines that this tile still has to serve, those it serves now */
	int tile, last, now;       /* tile number, the last one, the page: -1 at the end */
};

template <int L> static __device__ void walk_on(struct walk &w, const struct batch &b)
{
	while (!(w.left[0] | w.left[1])) {
		if (++w.tile > w.last) {
			w.now = -1;
			return;
		}
#pragma unroll
		for (int i = 0; i < (L > 32 ? 2 : 1); i++) {
			bool sees = w.pos[i] >= w.tile * TILE && w.lo[i] < (w.tile + 1) * TILE;
			w.page[i] = sees ? b.table[(size_t)w.seq[i] * (size_t)b.ld_table + (size_t)w.tile] : -1;
			w.left[i] = __ballot_sync(0xffffffffu, sees);
		}
	}
	int first = w.left[0] ? __ffs((int)w.left[0]) - 1 : __ffs((int)w.left[1]) - 1;
	w.now = __shfl_sync(0xffffffffu, w.left[0] ? w.page[0] : w.page[1], first);
#pragma unroll
	for (int i = 0; i < (L > 32 ? 2 : 1); i++) {
		w.mask[i] = __ballot_sync(0xffffffffu, w.page[i] == w.now) & w.left[i];
		w.left[i] &= ~w.mask[i];
	}
}

/* --- scores ------------------------------------------------------------------------------------------------------ */

template <int L> struct lines { /* of a block, in shared memory */
	int pos[L], lo[L], seq[L], bad[L];
	float slope[L], m[L], all[L], r[L]; /* m: the segment's running maximum; all: that of the segments before */
};

static __device__ float finished(const struct job &j, float s, float slope, int key, int pos)
{
	if (j.at.softcap != 0.0f)
		s = __fmul_rn(j.at.softcap, xm_tanh(__fdiv_rn(s, j.at.softcap)));
	if (j.at.slopes && j.at.rounded_bias)
		s = __fmaf_rn(j.at.scale, attend_rounded(slope, key), s);
	else if (j.at.slopes)
		s = __fmaf_rn(slope, (float)(key - pos), s);
	return j.at.softcap != 0.0f || j.at.slopes ? __fmul_rn(s, XM_LOG2E_HI) : s;
}

/* p of the lines in mask into p[line][key], the lines' maxima and factors. Returns whether a mark was written. */
template <int L, int Q>
static __device__ int scores(const struct job &j, struct lines<L> &ln, float *p, const float *q, const float *k, const struct walk &w)
{
	typedef shape<L, Q> S;
	int at = S::thread() % S::KT, group = S::thread() / S::KT, d = j.c.d, marks = 0;
	unsigned any = 0;
	float s[S::LS][S::KS] = {};
#pragma unroll
	for (int l = 0; l < S::LS; l++)
		any |= w.mask[l / S::W * (S::SG * S::W) / 32] >> S::line_s(group, l) % 32 & 1;
	if (!__any_sync(0xffffffffu, (int)any))
		d = 0;
	q += group * S::W;
	k += at * S::KS;
#pragma unroll 4
	for (int i = 0; i < d; i++) {
		float a[S::LS], b[S::KS];
#pragma unroll
		for (int l = 0; l < S::LS; l += S::W)
			load<S::W>(a + l, q + i * S::Q_LD + l / S::W * (S::SG * S::W));
		load<S::KS>(b, k + i * TILE);
#pragma unroll
		for (int l = 0; l < S::LS; l++)
#pragma unroll
			for (int e = 0; e < S::KS; e++)
				s[l][e] = __fmaf_rn(a[l], b[e], s[l][e]);
	}
#pragma unroll
	for (int l = 0; l < S::LS; l++) {
		int line = S::line_s(group, l), pos = ln.pos[line], lo = ln.lo[line];
		int key = w.tile * TILE + at * S::KS, mine = (int)(w.mask[l / S::W * (S::SG * S::W) / 32] >> line % 32 & 1), nan = 0;
		float top = none(), before = ln.m[line];
#pragma unroll
		for (int e = 0; e < S::KS; e++) {
			s[l][e] = finished(j, s[l][e], ln.slope[line], key + e, pos);
			bool sees = mine && key + e >= lo && key + e <= pos;
			nan |= sees && s[l][e] != s[l][e];
			top = sees && s[l][e] > top ? s[l][e] : top;
		}
#pragma unroll
		for (int i = S::KT / 2; i; i /= 2) {
			float other = __shfl_xor_sync(0xffffffffu, top, i);
			top = other > top ? other : top;
		}
		top = xm_ceil(top);
		float m = top > before ? top : before;
		int off = !mine || m == none();
#pragma unroll
		for (int e = 0; e < S::KS; e++) {
			bool sees = !off && key + e >= lo && key + e <= pos;
			s[l][e] = sees ? xm_ex2(__fsub_rn(s[l][e], m)) : MARK;
			marks |= !sees;
		}
		float *to = p + line * P_LD + at * S::KS;
		if constexpr (S::KS == 4)
			*reinterpret_cast<float4 *>(to) = make_float4(s[l][0], s[l][1], s[l][2], s[l][3]);
		else
			*reinterpret_cast<float2 *>(to) = make_float2(s[l][0], s[l][1]);
		if (nan)
			ln.bad[line] = 1;
		__syncwarp();
		if (at == 0) {
			ln.r[line] = off ? 1.0f : xm_ex2(__fsub_rn(before, m));
			ln.m[line] = m;
		}
	}
	return marks;
}

/* --- values ------------------------------------------------------------------------------------------------------ */

template <int L, int Q, bool MARKS>
static __device__ void values(typename shape<L, Q>::sums &o, float &sum, const float *p, const float *v, int dv)
{
	typedef shape<L, Q> S;
	int c = S::thread() % S::CT;
	const float *own = p + S::own() * P_LD;
	p += S::line_v(S::thread() / S::CT, 0) * P_LD;
	v += 4 * c;
#pragma unroll 1
	for (int k = 0; k < TILE; k += 4) {
		float e[S::LP][4], one[4];
		load<4>(one, own + k);
#pragma unroll
		for (int i = 0; i < S::LP; i++)
			load<4>(e[i], p + S::line_v(0, i) * P_LD + k);
#pragma unroll
		for (int n = 0; n < 4; n++, v += dv) {
			if (!MARKS || !(one[n] < 0.0f))
				sum = __fadd_rn(sum, one[n]);
#pragma unroll
			for (int t = 0; t < Q; t++) {
				float x[4];
				load<4>(x, v + t * (4 * S::CT));
#pragma unroll
				for (int i = 0; i < S::LP; i++) {
					if (MARKS && e[i][n] < 0.0f)
						continue;
#pragma unroll
					for (int a = 0; a < 4; a++)
						o[i][4 * t + a] = __fmaf_rn(e[i][n], x[a], o[i][4 * t + a]);
				}
			}
		}
	}
}

/* --- a block ----------------------------------------------------------------------------------------------------- */

/* What a thread keeps: its lines' channels and one line's l, of the running segment and of all before. */
template <int L, int Q> struct sums {
	float o[shape<L, Q>::LP][4 * Q], all[shape<L, Q>::LP][4 * Q], l, all_l;
};

template <int L, int Q> static __device__ void rescale(struct sums<L, Q> &s, const struct lines<L> &ln)
{
	typedef shape<L, Q> S;
	s.l = __fmul_rn(s.l, ln.r[S::own()]);
#pragma unroll
	for (int i = 0; i < S::LP; i++) {
		float r = ln.r[S::line_v(S::thread() / S::CT, i)];
#pragma unroll
		for (int a = 0; a < 4 * Q; a++)
			s.o[i][a] = __fmul_rn(s.o[i][a], r);
	}
}

static __device__ float *part_of(const struct job &j, int row, int head, int seg)
{
	return j.part + (((size_t)row * (size_t)j.h + (size_t)head) * (size_t)j.segs + (size_t)seg) * (size_t)(j.c.dv + 2);
}

/* Adds the segment to those before, and begins another one. */
template <int L, int Q> static __device__ void end_segment(struct sums<L, Q> &s, struct lines<L> &ln)
{
	typedef shape<L, Q> S;
	int group = S::thread() / S::CT, own = S::own();
#pragma unroll
	for (int i = 0; i < S::LP; i++) {
		int line = S::line_v(group, i);
		float ms = ln.m[line], m = ln.all[line], mn = ms > m ? ms : m;
		float rt = xm_ex2(__fsub_rn(m, mn)), rs = xm_ex2(__fsub_rn(ms, mn));
		bool any = ms != none();
		for (int a = 0; a < 4 * Q; a++) {
			float o = __fadd_rn(__fmul_rn(s.all[i][a], rt), __fmul_rn(s.o[i][a], rs));
			s.all[i][a] = any ? o : s.all[i][a];
			s.o[i][a] = 0.0f;
		}
		if (line == own) {
			s.all_l = any ? __fadd_rn(__fmul_rn(s.all_l, rt), __fmul_rn(s.l, rs)) : s.all_l;
			s.l = 0.0f;
		}
	}
	__syncthreads();
	for (int i = (int)threadIdx.x; i < L; i += THREADS) {
		ln.all[i] = ln.m[i] > ln.all[i] ? ln.m[i] : ln.all[i];
		ln.m[i] = none();
	}
	__syncthreads();
}

/* The segment as it is, for merge_kernel. */
template <int L, int Q>
static __device__ void write_part(const struct job &j, const struct sums<L, Q> &s, const struct lines<L> &ln, int line0, int lines, int seg)
{
	typedef shape<L, Q> S;
	int c = S::thread() % S::CT, group = S::thread() / S::CT, per = j.h / j.c.hk;
#pragma unroll
	for (int i = 0; i < S::LP; i++) {
		int line = S::line_v(group, i), t = line0 + line;
		if (line >= lines || ln.pos[line] < seg * TILES * TILE || ln.lo[line] >= (seg + 1) * TILES * TILE)
			continue;
		float *to = part_of(j, t / per, (int)blockIdx.y * per + t % per, seg);
		if (c % S::LP == i && c < S::LP) {
			to[0] = ln.bad[line] ? f32_of_bits(0x7fc00000u) : ln.m[line];
			to[1] = s.l;
		}
		for (int a = 0; a < 4 * Q; a++)
			if (4 * (c + a / 4 * S::CT) < j.c.dv)
				to[2 + 4 * (c + a / 4 * S::CT) + a % 4] = s.o[i][a];
	}
}

/* One more key with v = 0, its score t in log2 units: the factor of what there is, and what l gains. */
static __device__ float with_sink(float m, float t, float *gain)
{
	float mn = xm_ceil(t);
	mn = mn > m ? mn : m;
	*gain = mn == none() ? 0.0f : xm_ex2(__fsub_rn(t, mn));
	return mn == none() ? 1.0f : xm_ex2(__fsub_rn(m, mn));
}

template <int L, int Q>
static __device__ void write_rows(const struct job &j, const struct sums<L, Q> &s, struct lines<L> &ln, int line0, int lines)
{
	typedef shape<L, Q> S;
	int c = S::thread() % S::CT, group = S::thread() / S::CT, per = j.h / j.c.hk;
	if (c < S::LP)
		ln.slope[S::own()] = s.all_l; /* no more needed for slopes */
	__syncthreads();
#pragma unroll
	for (int i = 0; i < S::LP; i++) {
		int line = S::line_v(group, i), t = line0 + line, head = (int)blockIdx.y * per + t % per;
		if (line >= lines)
			continue;
		float l = ln.slope[line], r = 1.0f, gain = 0.0f, sink = j.at.sinks ? j.at.sinks[head] : none();
		bool bad = ln.bad[line] || sink != sink;
		if (j.at.sinks) {
			r = with_sink(ln.all[line], sink, &gain);
			l = __fadd_rn(__fmul_rn(l, r), gain);
		}
		float *out = j.y.p + (size_t)(t / per) * j.y.ld + (size_t)head * (size_t)j.c.dv;
		for (int a = 0; a < 4 * Q; a++)
			if (4 * (c + a / 4 * S::CT) < j.c.dv)
				out[4 * (c + a / 4 * S::CT) + a % 4] =
					bad ? f32_of_bits(0x7fc00000u)
					    : xm_canon(__fdiv_rn(__fadd_rn(__fmul_rn(s.all[i][a], r), 0.0f), l));
	}
}

template <int L> static __device__ void begin(const struct job &j, struct lines<L> &ln, int line0, int lines)
{
	int per = j.h / j.c.hk;
	for (int i = (int)threadIdx.x; i < L; i += THREADS) {
		int t = line0 + i, row = i < lines ? t / per : 0, pos = i < lines ? j.b.pos[row] : -1;
		ln.pos[i] = pos;
		ln.lo[i] = attend_lo(pos, j.at.window, j.at.chunk);
		ln.seq[i] = i < lines ? j.b.seq[row] : 0;
		ln.bad[i] = 0;
		ln.slope[i] = j.at.slopes && i < lines ? j.at.slopes[(int)blockIdx.y * per + t % per] : 0.0f;
		ln.m[i] = ln.all[i] = none();
		ln.r[i] = 1.0f;
	}
	__syncthreads();
}

/* The scaled queries into q[d][L]. */
template <int L, int Q> static __device__ void queries(const struct job &j, float *q, int line0, int lines)
{
	int per = j.h / j.c.hk, d = j.c.d;
	for (int i = (int)threadIdx.x; i < L * d; i += THREADS) {
		int line = i / d, a = i % d, t = line0 + line;
		float v = 0.0f;
		if (line < lines)
			v = __fmul_rn(j.q.p[(size_t)(t / per) * j.q.ld + (size_t)(((int)blockIdx.y * per + t % per) * d + a)], j.at.scale);
		q[a * shape<L, Q>::Q_LD + line] = v;
	}
}

/* The tiles of this block: all that its lines see, or those of segment `seg`. */
template <int L> static __device__ void walk_from(struct walk &w, const struct lines<L> &ln, int seg)
{
	int lane = (int)threadIdx.x % 32, lo = INT32_MAX, pos = -1;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		int line = lane + 32 * i;
		w.pos[i] = line < L ? ln.pos[line] : -1;
		w.lo[i] = line < L ? ln.lo[line] : 0;
		w.seq[i] = line < L ? ln.seq[line] : 0;
		w.page[i] = -1;
		w.left[i] = w.mask[i] = 0;
		if (w.pos[i] >= 0) {
			lo = w.lo[i] < lo ? w.lo[i] : lo;
			pos = w.pos[i] > pos ? w.pos[i] : pos;
		}
	}
	for (int i = 16; i; i /= 2) {
		int a = __shfl_xor_sync(0xffffffffu, lo, i), b = __shfl_xor_sync(0xffffffffu, pos, i);
		lo = a < lo ? a : lo;
		pos = b > pos ? b : pos;
	}
	int first = lo / TILE, last = pos >= 0 ? pos / TILE : -1;
	if (seg >= 0) {
		first = seg * TILES > first ? seg * TILES : first;
		last = seg * TILES + TILES - 1 < last ? seg * TILES + TILES - 1 : last;
	}
	w.tile = first - 1;
	w.last = last;
}

/* Block (lines, KV head, segment when split). The last lines come first: they have most keys. */
template <int L, int Q> static __global__ void __launch_bounds__(THREADS, 2) tile_kernel(struct job j)
{
	typedef shape<L, Q> S;
	CU_SHARED_DYNAMIC(float, mem);
	CU_SHARED(struct lines<L>, shared, 1);
	struct lines<L> &ln = shared[0];
	int d = j.c.d, dv = j.c.dv, line0 = (int)(gridDim.x - 1 - blockIdx.x) * j.lines;
	int left = j.b.n * (j.h / j.c.hk) - line0, lines = left < j.lines ? left : j.lines;
	float *k = mem, *v = mem + S::to_v(d), *q = mem + S::to_q(d, dv), *p = q + d * S::Q_LD;
	size_t head = (size_t)blockIdx.y, page = (size_t)j.c.hk, k_size = (size_t)d * TILE, v_size = (size_t)dv * TILE;
	if (j.large && for_large(j, line0, j.large) != (L > 8))
		return;
	begin<L>(j, ln, line0, lines);
	struct walk w;
	struct sums<L, Q> s = {};
	walk_from<L>(w, ln, j.part ? (int)blockIdx.z : -1);
	walk_on<L>(w, j.b);
	if (w.now >= 0) {
		bring(k, j.c.k + ((size_t)w.now * page + head) * k_size, d);
		queries<L, Q>(j, q, line0, lines);
	}
	while (w.now >= 0) {
		const float *from = j.c.v + ((size_t)w.now * page + head) * v_size;
		int seg = w.tile / TILES;
		if (!S::ONE)
			bring(v, from, dv);
		copy_wait<S::ONE ? 0 : 1>();
		__syncthreads();
		int marks = __syncthreads_or(scores<L, Q>(j, ln, p, q, k, w));
		bool serves = L > 8 || w.mask[0] >> S::line_v(S::thread() / S::CT, 0) & ((1u << S::LP) - 1);
		walk_on<L>(w, j.b);
		if (S::ONE)
			bring(v, from, dv);
		else if (w.now >= 0)
			bring(k, j.c.k + ((size_t)w.now * page + head) * k_size, d);
		if (S::ONE || w.now < 0)
			copy_wait<0>();
		else
			copy_wait<1>();
		__syncthreads();
		if (serves) {
			rescale<L, Q>(s, ln);
			if (marks)
				values<L, Q, true>(s.o, s.l, p, v, dv);
			else
				values<L, Q, false>(s.o, s.l, p, v, dv);
		}
		__syncthreads();
		if (!j.part && (w.now < 0 || w.tile / TILES != seg))
			end_segment<L, Q>(s, ln);
		if (S::ONE && w.now >= 0)
			bring(k, j.c.k + ((size_t)w.now * page + head) * k_size, d);
	}
	if (j.part)
		write_part<L, Q>(j, s, ln, line0, lines, (int)blockIdx.z);
	else
		write_rows<L, Q>(j, s, ln, line0, lines);
}

/* Block (row, head): adds the segments that the row sees, ascending. A thread has channels tid, tid + 128. */
static __global__ void __launch_bounds__(THREADS) merge_kernel(struct job j)
{
	int row = (int)blockIdx.x, head = (int)blockIdx.y, d = j.c.dv, pos = j.b.pos[row], tid = (int)threadIdx.x;
	int lo = attend_lo(pos, j.at.window, j.at.chunk), last = pos / (TILES * TILE);
	float sink = j.at.sinks ? j.at.sinks[head] : none(), m = none(), l = 0.0f, o[2] = {}, gain = 0.0f;
	bool bad = sink != sink;
	for (int seg = lo / (TILES * TILE); seg <= last; seg++) {
		const float *part = part_of(j, row, head, seg);
		float ms = part[0], mn = ms > m ? ms : m;
		bad |= ms != ms;
		if (ms == none())
			continue;
		float rt = xm_ex2(__fsub_rn(m, mn)), rs = xm_ex2(__fsub_rn(ms, mn));
		l = __fadd_rn(__fmul_rn(l, rt), __fmul_rn(part[1], rs));
		for (int i = 0; i < 2; i++)
			if (tid + i * THREADS < d)
				o[i] = __fadd_rn(__fmul_rn(o[i], rt), __fmul_rn(part[2 + tid + i * THREADS], rs));
		m = mn;
	}
	float r = j.at.sinks ? with_sink(m, sink, &gain) : 1.0f;
	if (j.at.sinks)
		l = __fadd_rn(__fmul_rn(l, r), gain);
	float *out = j.y.p + (size_t)row * j.y.ld + (size_t)head * (size_t)d;
	for (int i = 0; i < 2; i++)
		if (tid + i * THREADS < d)
			out[tid + i * THREADS] = bad ? f32_of_bits(0x7fc00000u)
						     : xm_canon(__fdiv_rn(__fadd_rn(__fmul_rn(o[i], r), 0.0f), l));
}

/* --- launches ---------------------------------------------------------------------------------------------------- */

#define ALONE 8              /* rows up to which there are small blocks only, one a row and 8 heads */
#define FULL 264             /* blocks that fill a device: two a multiprocessor of 132 */
#define MOST ((size_t)64 << 20) /* bytes of scratch, above which nothing is split */

static int large_of(int dv)
{
	return dv > 128 ? 32 : 64;
}

static int segments(const struct batch *b)
{
	return (b->ld_table + TILES - 1) / TILES;
}

size_t attend_tile_scratch(int h, const struct kv *c, const struct batch *b)
{
	long long lines = (long long)b->n * (h / c->hk), per = b->n <= ALONE ? 8 : large_of(c->dv);
	size_t bytes = (size_t)b->n * (size_t)h * (size_t)(c->dv + 2) * sizeof(float), segs = (size_t)segments(b);
	if (segs < 2 || (lines + per - 1) / per * c->hk >= FULL || bytes > MOST / segs)
		return 0;
	return bytes * segs;
}

/* Asks for the shared memory of a kernel. False: this device has less. */
template <int L, int Q> static bool room(const struct kv *c)
{
	bool given = cudaFuncSetAttribute(tile_kernel<L, Q>, cudaFuncAttributeMaxDynamicSharedMemorySize,
					  (int)(shape<L, Q>::floats(c->d, c->dv) * sizeof(float))) == cudaSuccess;
	if (!given)
		cudaGetLastError();
	return given;
}

static bool rooms(const struct kv *c, bool alone)
{
	bool large = alone || (c->dv <= 64 ? room<64, 1>(c) : c->dv <= 128 ? room<64, 2>(c) : room<32, 4>(c));
	return large && (c->dv <= 128 ? room<8, 1>(c) : room<8, 2>(c));
}

template <int L, int Q> static void launch(cudaStream_t s, struct job j, int lines)
{
	long long all = (long long)j.b.n * (j.h / j.c.hk);
	size_t shared = shape<L, Q>::floats(j.c.d, j.c.dv) * sizeof(float);
	dim3 grid((unsigned)((all + lines - 1) / lines), (unsigned)j.c.hk, j.part ? (unsigned)j.segs : 1);
	j.lines = lines;
	CU_LAUNCH((tile_kernel<L, Q>), grid, THREADS, shared, s, j);
}

int attend_tile_fits(const struct kv *c)
{
	return c->d % 4 == 0 && c->d <= 256 && c->dv % 4 == 0 && c->dv <= 256;
}

int attend_tile(cudaStream_t s, struct mat y, struct mat q, int h, const struct kv *c, const struct attend *a, const struct batch *b,
		void *scratch)
{
	bool split = scratch && attend_tile_scratch(h, c, b) > 0, alone = b->n <= ALONE;
	int group = h / c->hk, large = large_of(c->dv);
	struct job j = { y, q, h, *c, *a, *b, split ? static_cast<float *>(scratch) : nullptr, segments(b), 0, alone ? 0 : large };
	assert(h <= 65535 && j.segs <= 65535 && (long long)b->n * group <= INT32_MAX);
	int lines = alone && group < 8 ? group : 8;
	if (!rooms(c, alone))
		return 0;
	if (!alone && c->dv <= 64)
		launch<64, 1>(s, j, large);
	else if (!alone && c->dv <= 128)
		launch<64, 2>(s, j, large);
	else if (!alone)
		launch<32, 4>(s, j, large);
	if (c->dv <= 128)
		launch<8, 1>(s, j, lines);
	else
		launch<8, 2>(s, j, lines);
	if (split)
		CU_LAUNCH(merge_kernel, dim3((unsigned)b->n, (unsigned)h), THREADS, 0, s, j);
	return 1;
}
