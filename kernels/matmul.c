/* matmul.c - the linear layer: its definition in plain C, packing of weights, and how a call is dealt to threads.
 *
 * chain32/1 (NUMERICS.md section 1), for every output y[i][j]:
 *     for each chunk c of 256 k:  s = +0;  for k ascending:  s = fma(x[i][k], W[j][k], s);   T = c ? T + s : s
 *     y = T (+ bias, one add);  a NaN becomes 0x7fc00000
 * Activations below 2^-40 and weights below 2^-40 (f32) or 2^-55 (bf16) count as +0, so no partial sum is denormal.
 * run_c below is that loop; the vector variants run it over 32 outputs at a time and must give its bits. Where NaN is made
 * canonical: at the very end, after the bias, in every variant, as the value is stored.
 *
 * Threads own whole outputs: panels are split first, since a thread then streams its own weights once; row tiles too where
 * there are fewer panels than threads can use.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "kernels/isa.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kernels/base/fma.h"
#include "kernels/base/half.h"

static float canonical(float v)
{
	return v == v ? v : f32_of_bits(0x7fc00000u);
}

static float flushed(float v, float tiny)
{
	return v < tiny && v > -tiny ? 0.0f : v;
}

/* Weight of output t (0..31) at step k of a panel. */
static float weight(const void *panel, enum dtype dt, int k, int t)
{
	size_t at = (size_t)k * MATMUL_PANEL;
	switch (dt) {
	case DT_F32:
		return ((const float *)panel)[at + (size_t)t];
	case DT_F16:
		return f16_to_f32(((const uint16_t *)panel)[at + (size_t)t]);
	default: { /* dword t % 16: output t % 16 low, 16 + t % 16 high */
		uint32_t u = ((const uint32_t *)panel)[at / 2 + (size_t)(t % 16)];
		return f32_of_bits(t < 16 ? u << 16 : u & 0xffff0000u);
	}
	}
}

/* One row against one panel: 32 chains side by side. */
static void row_c(const struct matmul_job *j, int row, int panel)
{
	const char *p = (const char *)j->panels + (size_t)panel * matmul_panel_bytes(j->dt, MATMUL_PANEL, j->k);
	const float *x = j->x + (size_t)row * j->ldx;
	float total[MATMUL_PANEL];
	for (int k0 = 0; k0 < j->k; k0 += MATMUL_CHUNK) {
		float s[MATMUL_PANEL] = { 0 };
		int end = j->k - k0 < MATMUL_CHUNK ? j->k : k0 + MATMUL_CHUNK;
		for (int k = k0; k < end; k++) {
			float a = flushed(x[k], MATMUL_TINY_A), w[MATMUL_PANEL];
			for (int t = 0; t < MATMUL_PANEL; t++)
				w[t] = weight(p, j->dt, k, t);
			for (int t = 0; t < MATMUL_PANEL; t++)
				s[t] = xfmaf(a, w[t], s[t]);
		}
		for (int t = 0; t < MATMUL_PANEL; t++)
			total[t] = k0 ? total[t] + s[t] : s[t];
	}
	float *y = j->y + (size_t)row * j->ldy;
	for (int t = 0, o = panel * MATMUL_PANEL; t < MATMUL_PANEL && o < j->n; t++, o++)
		y[o] = canonical(j->bias ? total[t] + j->bias[o] : total[t]);
}

static void run_c(const struct matmul_job *j, int panel0, int panel1, int tile0, int tile1)
{
	for (int panel = panel0; panel < panel1; panel++)
		for (int row = tile0; row < tile1; row++)
			row_c(j, row, panel);
}

const struct matmul_isa matmul_c = { CPU_SCALAR, 1, NULL, run_c, NULL, NULL };

const struct matmul_isa *matmul_isa(enum cpu_level max)
{
	static const struct matmul_isa *const rising[] = {
		&matmul_c,
#if defined(HAVE_NEON)
		&matmul_neon,
#endif
#if defined(HAVE_AVX2)
		&matmul_avx2,
#endif
#if defined(HAVE_AVX512)
		&matmul_avx512,
#endif
	};
	const struct matmul_isa *best = rising[0];
	for (size_t i = 1; i < sizeof rising / sizeof rising[0]; i++)
		if (rising[i]->level <= max && cpu_has(rising[i]->level))
			best = rising[i];
	return best;
}

/* --- packing weights --------------------------------------------------------------------------------------------- */

size_t matmul_panel_bytes(enum dtype dt, int n, int k)
{
	return (size_t)matmul_panels(n) * MATMUL_PANEL * (size_t)k * dtype_size(dt);
}

size_t matmul_linear_size(struct device *dev, enum dtype dt, int n, int k)
{
	(void)dev;
	if (n < 1 || k < 1 || n > INT32_MAX - MATMUL_PANEL || (size_t)k > SIZE_MAX / 8 / ((size_t)matmul_panels(n) * MATMUL_PANEL))
		return 0;
	return matmul_panel_bytes(dt, n, k);
}

struct pack_rows {
	char *panels;
	enum dtype dt;
	int k, n0, rows;
	const char *src;
	size_t ld;
};

#define PACK_STEP 64 /* k values gathered from a panel's rows before they are spread */

static void pack_f32(float *to, const char *const row[MATMUL_PANEL], const int *at, int outputs, int steps)
{
	for (int i = 0; i < outputs; i++) {
		float v[PACK_STEP];
		memcpy(v, row[i], (size_t)steps * sizeof *v);
		for (int k = 0; k < steps; k++)
			to[k * MATMUL_PANEL + at[i]] = flushed(v[k], MATMUL_TINY_A);
	}
}

static void pack_16(uint16_t *to, const char *const row[MATMUL_PANEL], const int *at, int outputs, int steps, int bf16)
{
	const uint16_t tiny = (127 - 55) << 7; /* 2^-55 in bf16 */
	for (int i = 0; i < outputs; i++) {
		uint16_t v[PACK_STEP];
		int o = bf16 ? at[i] % 16 * 2 + at[i] / 16 : at[i];
		memcpy(v, row[i], (size_t)steps * sizeof *v);
		for (int k = 0; k < steps; k++)
			to[k * MATMUL_PANEL + o] = bf16 && (v[k] & 0x7fff) < tiny ? 0 : v[k];
	}
}

/* part: one of the panels that the rows touch */
static void pack_part(void *ctx, int part, int nparts)
{
	const struct pack_rows *c = ctx;
	size_t size = dtype_size(c->dt), k = (size_t)c->k;
	int panel = c->n0 / MATMUL_PANEL + part;
	int first = panel * MATMUL_PANEL, last = first + MATMUL_PANEL, end = c->n0 + c->rows;
	const char *row[MATMUL_PANEL];
	int at[MATMUL_PANEL], outputs = 0;
	(void)nparts;
	for (int o = first < c->n0 ? c->n0 : first; o < last && o < end; o++, outputs++) {
		at[outputs] = o - first;
		row[outputs] = c->src + (size_t)(o - c->n0) * c->ld * size;
	}
	char *to = c->panels + (size_t)panel * MATMUL_PANEL * k * size;
	for (int k0 = 0; k0 < c->k; k0 += PACK_STEP) {
		int steps = c->k - k0 < PACK_STEP ? c->k - k0 : PACK_STEP;
		if (c->dt == DT_F32)
			pack_f32((float *)(void *)to, row, at, outputs, steps);
		else
			pack_16((uint16_t *)(void *)to, row, at, outputs, steps, c->dt == DT_BF16);
		to += (size_t)steps * MATMUL_PANEL * size;
		for (int i = 0; i < outputs; i++)
			row[i] += (size_t)steps * size;
	}
}

void matmul_pack_rows(struct pool *pool, void *panels, enum dtype dt, int k, int n0, const void *src, size_t ld, int rows)
{
	struct pack_rows c = { panels, dt, k, n0, rows, src, ld };
	assert(k > 0 && n0 >= 0 && rows > 0 && ld >= (size_t)k);
	int touched = (n0 + rows - 1) / MATMUL_PANEL - n0 / MATMUL_PANEL + 1;
	pool_run(pool, pack_part, &c, touched);
}

/* --- dealing a call to threads ----------------------------------------------------------------------------------- */

#define BLOCK_FLOATS (1 << 20) /* packed activations kept at a time: they stay in the outer cache */
#define ALONE_FMA (1 << 18)    /* below this the caller is done before a thread would wake */
#define ALONE_PACK (1 << 15)

static int block_tiles(const struct matmul_isa *isa, int k)
{
	int t = BLOCK_FLOATS / k / isa->rows;
	return t > 1 ? t : 1;
}

size_t matmul_scratch(const struct matmul_isa *isa, int m, int k)
{
	int rows = block_tiles(isa, k) * isa->rows;
	return isa->pack ? (size_t)(m < rows ? m : rows) * (size_t)k : 0;
}

struct deal {
	const struct matmul_isa *isa;
	const struct matmul_job *j;
	int panels, tiles; /* all there are */
	int across;        /* parts along the panels; the rest goes along the tiles */
};

/* The first of `all` things that part p of n owns. */
static int cut(int all, int p, int n)
{
	return (int)((long long)all * p / n);
}

static void pack_deal(void *ctx, int part, int nparts)
{
	const struct deal *d = ctx;
	d->isa->pack(d->j, cut(d->tiles, part, nparts), cut(d->tiles, part + 1, nparts));
}

static void run_deal(void *ctx, int part, int nparts)
{
	const struct deal *d = ctx;
	int down = nparts / d->across, a = part % d->across, b = part / d->across;
	d->isa->run(d->j, cut(d->panels, a, d->across), cut(d->panels, a + 1, d->across), cut(d->tiles, b, down),
		    cut(d->tiles, b + 1, down));
}

/* The split of `threads` into across x down whose largest part is smallest; more across at a tie. Returns across * down. */
static int deal_out(struct deal *d, int threads)
{
	long long best = -1;
	int parts = 1;
	d->across = 1;
	for (int across = threads < d->panels ? threads : d->panels; across >= 1; across--) {
		int down = threads / across < d->tiles ? threads / across : d->tiles;
		long long most = (long long)((d->panels - 1) / across + 1) * ((d->tiles - 1) / down + 1);
		if (best < 0 || most < best) {
			best = most;
			d->across = across;
			parts = across * down;
		}
	}
	return parts;
}

void matmul(struct pool *pool, const struct matmul_isa *isa, const struct matmul_job *job, float *scratch)
{
	struct matmul_job j = *job;
	struct deal d = { .isa = isa, .j = &j, .panels = matmul_panels(j.n) };
	int threads = pool_threads(pool), rows = isa->pack ? block_tiles(isa, j.k) * isa->rows : job->m;
	j.packed = scratch;
	for (int i = 0; i < job->m; i += rows) {
		j.m = job->m - i < rows ? job->m - i : rows;
		j.x = job->x + (size_t)i * j.ldx;
		j.y = job->y + (size_t)i * j.ldy;
		d.tiles = (j.m - 1) / isa->rows + 1;
		j.height = (j.m - 1) / d.tiles + 1;
		long long work = (long long)j.m * j.n * j.k;
		if (isa->pack) {
			int parts = (long long)j.m * j.k < ALONE_PACK ? 1 : threads < d.tiles ? threads : d.tiles;
			pool_run(pool, pack_deal, &d, parts);
		}
		pool_run(pool, run_deal, &d, deal_out(&d, work < ALONE_FMA ? 1 : threads));
	}
}
