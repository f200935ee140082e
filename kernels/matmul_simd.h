/* matmul_simd.h - the vector matmul, a template over simd.h: compiled once an instruction set by matmul_avx2.c and its kin.
 *
 * Lanes run over outputs, never over k, so every lane is the scalar chain of matmul.c. The unit is a *pair*: the two
 * vectors at outputs VW*h and 16 + VW*h of a panel, h = 0 .. 16/VW - 1, which is what one vector of bf16 dwords expands to.
 *
 *     panel of 32 outputs, VW = 8:    | pair 0 | pair 1 | pair 0 | pair 1 |
 *                              output   0..7     8..15    16..23   24..31
 *
 * A tile is R rows x P pairs of accumulators in registers: R = MR, P = 1 in bulk (12 x 32 with 32 registers of 16 lanes,
 * 6 x 16 with 16 of 8). With few rows, where the weights' bandwidth is the limit, P = 4 or 2 keeps enough independent
 * chains in flight. Order of loops in bulk: panel, chunk of 256 k, tile: a chunk's weights (16 or 32 KiB) stay in
 * the inner cache while the packed activations stream by; between chunks the running total lies in y. Meanwhile each
 * tile asks for its share of the next chunk's weights.
 *
 * The including file defines MR (rows of a tile), ISA_LEVEL and ISA_SYMBOL.
 */
#include <string.h>

#include "kernels/isa.h"

#define PAIRS (16 / VW) /* of a panel */
#define INLINE static inline __attribute__((always_inline))
#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 32")
#else
#define UNROLL _Pragma("unroll")
#endif

/* --- activations ------------------------------------------------------------------------------------------------- */

#define STEP 64

static void pack_tile(float *to, const float *x, size_t ldx, int rows, int k)
{
	float t[MR][STEP];
	const vf tiny = vf_set1(MATMUL_TINY_A);
	for (int k0 = 0; k0 < k; k0 += STEP) {
		int n = k - k0 < STEP ? k - k0 : STEP;
		for (int r = 0; r < rows; r++) {
			const float *from = x + (size_t)r * ldx + k0;
			for (int i = 0; i < n; i += VW) {
				vf v = n - i >= VW ? vf_load(from + i) : vf_load_n(from + i, n - i);
				/* a NaN is not below the bound and passes */
				vf_store(t[r] + i, vf_sel(vf_gt(tiny, vf_abs(v)), vf_zero(), v));
			}
		}
		if (rows == MR) {
			for (int i = 0; i < n; i++, to += MR)
				for (int r = 0; r < MR; r++)
					to[r] = t[r][i];
		} else {
			for (int i = 0; i < n; i++, to += rows)
				for (int r = 0; r < rows; r++)
					to[r] = t[r][i];
		}
	}
}

static int tile_rows(const struct matmul_job *j, int tile)
{
	int left = j->m - tile * j->height;
	return left < j->height ? left : j->height;
}

static void pack(const struct matmul_job *j, int tile0, int tile1)
{
	for (int t = tile0; t < tile1; t++) {
		size_t row = (size_t)t * (size_t)j->height;
		pack_tile(j->packed + row * (size_t)j->k, j->x + row * j->ldx, j->ldx, tile_rows(j, t), j->k);
	}
}

#define AHEAD_BYTES 4096 /* how far ahead of a stream of weights to ask */

/* --- one tile, one chunk ----------------------------------------------------------------------------------------- */

/* What a tile's chunk needs: activations at its first k, weights of each pair at its first k, where it stores. */
struct spot {
	const float *a;
	const void *w[4];
	const char *next; /* weights wanted soon: a line a step, `ahead` bytes apart */
	size_t ahead;
	const struct matmul_job *j;
	int row, pair; /* the first of each */
	int k0, steps;   /* first k of this chunk, how many */
	int first, last; /* of the chunks? */
};

/* step k of a pair: its two vectors, widened */
INLINE void pair_load(vf w[2], const void *base, size_t k, enum dtype dt)
{
	if (dt == DT_F32) {
		const float *p = (const float *)base + k * MATMUL_PANEL;
		w[0] = vf_load(p);
		w[1] = vf_load(p + 16);
	} else if (dt == DT_F16) {
		const uint16_t *p = (const uint16_t *)base + k * MATMUL_PANEL;
		w[0] = vf_f16(p);
		w[1] = vf_f16(p + 16);
	} else {
		vi d = vi_load((const uint32_t *)base + k * (MATMUL_PANEL / 2));
		w[0] = vf_bf16_lo(d);
		w[1] = vf_bf16_hi(d);
	}
}

INLINE void store(const struct spot *s, float *y, int col, vf v)
{
	int n = s->j->n - col;
	if (n <= 0)
		return;
	if (n >= VW) {
		if (!s->first)
			v = vf_add(vf_load(y + col), v);
		if (s->last) {
			if (s->j->bias)
				v = vf_add(v, vf_load(s->j->bias + col));
			v = vf_canon(v);
		}
		vf_store(y + col, v);
	} else {
		if (!s->first)
			v = vf_add(vf_load_n(y + col, n), v);
		if (s->last) {
			if (s->j->bias)
				v = vf_add(v, vf_load_n(s->j->bias + col, n));
			v = vf_canon(v);
		}
		vf_store_n(y + col, v, n);
	}
}

INLINE void tile(const struct spot *s, const int R, const int P, const enum dtype dt)
{
	const size_t bytes = MATMUL_PANEL * (dt == DT_F32 ? 4 : 2); /* of a panel's step */
	vf acc[MR][4][2];
	const float *a = s->a;
#ifdef __clang__ /* keeps this loop rolled otherwise, and the accumulators with it in memory */
	memset(acc, 0, sizeof acc);
#else
	UNROLL
	for (int r = 0; r < R; r++) {
		UNROLL
		for (int p = 0; p < P; p++)
			acc[r][p][0] = acc[r][p][1] = vf_zero();
	}
#endif
	for (int k = 0; k < s->steps; k++, a += R) {
		vf w[4][2];
		if (P == 1)
			__builtin_prefetch(s->next + (size_t)k * s->ahead, 0, 2);
		UNROLL
		for (int p = 0; p < P; p++) {
			if (P > 1) /* a stream: AHEAD_BYTES on, perhaps past its end, which harms nobody */
				__builtin_prefetch((const char *)s->w[p] + (size_t)k * bytes + AHEAD_BYTES, 0, 3);
			pair_load(w[p], s->w[p], (size_t)k, dt);
		}
		UNROLL
		for (int r = 0; r < R; r++) {
			vf x = vf_bcast(a + r);
			UNROLL
			for (int p = 0; p < P; p++) {
				acc[r][p][0] = vf_fma(x, w[p][0], acc[r][p][0]);
				acc[r][p][1] = vf_fma(x, w[p][1], acc[r][p][1]);
			}
		}
	}
	UNROLL
	for (int r = 0; r < R; r++) {
		float *y = s->j->y + (size_t)(s->row + r) * s->j->ldy;
		UNROLL
		for (int p = 0; p < P; p++) {
			int q = s->pair + p, col = q / PAIRS * MATMUL_PANEL + q % PAIRS * VW;
			store(s, y, col, acc[r][p][0]);
			store(s, y, col + 16, acc[r][p][1]);
		}
	}
}

typedef void tile_fn(const struct spot *s);

#define TILE(R, P, NAME, DT) \
	static void tile_##R##_##P##_##NAME(const struct spot *s) { tile(s, R, P, DT); }
#define EACH_DT(R, P) TILE(R, P, f32, DT_F32) TILE(R, P, f16, DT_F16) TILE(R, P, bf16, DT_BF16)
#define ROW(R, P) { tile_##R##_##P##_f32, tile_##R##_##P##_f16, tile_##R##_##P##_bf16 }

EACH_DT(1, 1) EACH_DT(2, 1) EACH_DT(3, 1) EACH_DT(4, 1) EACH_DT(5, 1) EACH_DT(6, 1)
EACH_DT(1, 4) EACH_DT(2, 2)
#if MR > 6
EACH_DT(3, 2) EACH_DT(4, 2) EACH_DT(5, 2) EACH_DT(6, 2)
EACH_DT(7, 1) EACH_DT(8, 1) EACH_DT(9, 1) EACH_DT(10, 1) EACH_DT(11, 1) EACH_DT(12, 1)
#endif

static tile_fn *const bulk[MR][DT_COUNT] = {
	ROW(1, 1), ROW(2, 1), ROW(3, 1), ROW(4, 1), ROW(5, 1), ROW(6, 1),
#if MR > 6
	ROW(7, 1), ROW(8, 1), ROW(9, 1), ROW(10, 1), ROW(11, 1), ROW(12, 1),
#endif
};
static tile_fn *const wide[][DT_COUNT] = {
	ROW(1, 4), ROW(2, 2),
#if MR > 6
	ROW(3, 2), ROW(4, 2), ROW(5, 2), ROW(6, 2),
#endif
};
#define FEW (int)(sizeof wide / sizeof wide[0])

/* --- the loops around it ----------------------------------------------------------------------------------------- */

/* weights of pair q at step k */
static const void *weights(const struct matmul_job *j, int q, int k)
{
	size_t unit = j->dt == DT_F32 ? 4 : 2; /* bytes a value */
	size_t at = ((size_t)(q / PAIRS) * (size_t)j->k + (size_t)k) * MATMUL_PANEL * unit;
	size_t lane = (size_t)(q % PAIRS) * VW * (j->dt == DT_F16 ? 2 : 4);
	return (const char *)j->panels + at + lane;
}

/* pairs q .. q+count-1 against one tile of up to FEW rows, all chunks */
static void few_rows(const struct matmul_job *j, int tile_no, tile_fn *fn, int q, int count)
{
	int rows = tile_rows(j, tile_no);
	struct spot s = { .j = j, .next = j->panels, .row = tile_no * j->height, .pair = q };
	const float *a = j->packed + (size_t)s.row * (size_t)j->k;
	for (int k = 0; k < j->k; k += MATMUL_CHUNK) {
		s.a = a + (size_t)k * (size_t)rows;
		s.steps = j->k - k < MATMUL_CHUNK ? j->k - k : MATMUL_CHUNK;
		s.first = k == 0;
		s.last = k + s.steps == j->k;
		for (int p = 0; p < count; p++)
			s.w[p] = weights(j, q + p, k);
		fn(&s);
	}
}

static void bulk_tile(const struct matmul_job *j, struct spot *s, int t)
{
	int rows = tile_rows(j, t);
	s->row = t * j->height;
	s->a = j->packed + (size_t)s->row * (size_t)j->k + (size_t)s->k0 * (size_t)rows;
	bulk[rows - 1][j->dt](s);
}

static void run(const struct matmul_job *j, int panel0, int panel1, int tile0, int tile1)
{
	if (tile1 - tile0 == 1 && tile_rows(j, tile0) <= FEW) {
		int rows = tile_rows(j, tile0), q = panel0 * PAIRS, end = panel1 * PAIRS, step = rows == 1 ? 4 : 2;
		for (; end - q >= step; q += step)
			few_rows(j, tile0, wide[rows - 1][j->dt], q, step);
		for (; q < end; q++)
			few_rows(j, tile0, bulk[rows - 1][j->dt], q, 1);
		return;
	}
	size_t chunk = (size_t)MATMUL_CHUNK * MATMUL_PANEL * (j->dt == DT_F32 ? 4 : 2); /* bytes */
	size_t share = chunk / (size_t)(tile1 - tile0) / PAIRS;
	const char *end = (const char *)weights(j, panel1 * PAIRS, 0);
	for (int panel = panel0; panel < panel1; panel++)
		for (int k = 0; k < j->k; k += MATMUL_CHUNK) {
			struct spot s = { .j = j, .k0 = k, .first = k == 0, .ahead = share / MATMUL_CHUNK };
			s.steps = j->k - k < MATMUL_CHUNK ? j->k - k : MATMUL_CHUNK;
			s.last = k + s.steps == j->k;
			s.next = (const char *)weights(j, panel * PAIRS, k) + chunk;
			if (s.next + chunk > end)
				s.next = (const char *)weights(j, panel * PAIRS, k); /* at the end: what is here already */
			for (s.pair = panel * PAIRS; s.pair < (panel + 1) * PAIRS; s.pair++) {
				s.w[0] = weights(j, s.pair, k);
				for (int t = tile0; t < tile1; t++, s.next += share)
					bulk_tile(j, &s, t);
			}
		}
}

/* --- yardsticks -------------------------------------------------------------------------------------------------- */

static double peak(long steps)
{
	enum { CHAINS = 2 * MR };
	volatile float start = 1.0f, sink; /* so that the compiler knows no value */
	vf acc[CHAINS], x = vf_set1(start), y = vf_set1(start);
	float out[VW];
	UNROLL
	for (int i = 0; i < CHAINS; i++)
		acc[i] = vf_set1(start);
	for (long k = 0; k < steps; k++) {
		UNROLL
		for (int i = 0; i < CHAINS; i++)
			acc[i] = vf_fma(x, y, acc[i]);
	}
	for (int i = 1; i < CHAINS; i++)
		acc[0] = vf_add(acc[0], acc[i]);
	vf_store(out, acc[0]);
	sink = out[0];
	(void)sink;
	return 2.0 * CHAINS * VW * (double)steps;
}

static unsigned scan(const void *p, size_t bytes)
{
	vi s[4] = { vi_set1(0), vi_set1(0), vi_set1(0), vi_set1(0) };
	const char *q = (const char *)p;
	float out[VW];
	unsigned sum = 0;
	for (size_t i = 0; i + 256 <= bytes; i += 256) {
		UNROLL
		for (int b = 0; b < 64 / VW; b++)
			s[b % 4] = vi_add(s[b % 4], vi_load(q + i + b * VW * 4));
	}
	vf_store(out, vf_of_bits(vi_add(vi_add(s[0], s[1]), vi_add(s[2], s[3]))));
	for (int i = 0; i < VW; i++) {
		unsigned u;
		memcpy(&u, &out[i], sizeof u);
		sum += u;
	}
	return sum;
}

const struct matmul_isa ISA_SYMBOL = { ISA_LEVEL, MR, pack, run, peak, scan };
