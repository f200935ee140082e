/* isa.h - what a matmul variant is: one struct a level, chosen when a device is opened. Private to kernels/ and its tests.
 *
 * A job is y[m][n] = x[m][k] W[n][k]^T (+ bias) over packed weights (struct linear in ops.h). Activations are packed a
 * call into tiles of `height` rows (the last tile: what is left), k ascending inside, so that a tile's step reads its
 * rows as neighbours:
 *
 *     packed:  tile 0 [k][R] | tile 1 [k][R] | ... | last tile [k][m - R*tiles before]      R = height
 *
 * run() computes whole outputs for panels panel0..panel1-1 and tiles tile0..tile1-1; calls on disjoint ranges may run
 * side by side. No range changes a bit.
 */
#ifndef ASSAY_ISA_H
#define ASSAY_ISA_H

#include "kernels/base/cpu.h"
#include "kernels/base/pool.h"
#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MATMUL_CHUNK 256         /* k values of one partial chain: NUMERICS.md section 1 */
#define MATMUL_PANEL 32          /* outputs of one panel */
#define MATMUL_TINY_A 0x1p-40f   /* activations below are +0 */
#define MATMUL_TINY_BF16 0x1p-55f /* bf16 weights below are +0; f32 weights: MATMUL_TINY_A; f16 has none so small */

struct matmul_job {
	float *y;
	size_t ldy;
	const float *x;
	size_t ldx;
	const float *bias; /* [n] or NULL */
	int m, n, k;
	enum dtype dt;
	const void *panels;
	int height;    /* rows of a tile, at most those of the variant: m = 16 is 8 + 8, not 12 + 4 */
	float *packed; /* [m][k] in tiles; unused where pack is NULL */
};

struct matmul_isa {
	enum cpu_level level;
	int rows; /* of the highest tile */
	void (*pack)(const struct matmul_job *j, int tile0, int tile1); /* NULL: run reads x itself */
	void (*run)(const struct matmul_job *j, int panel0, int panel1, int tile0, int tile1);
	/* yardsticks for bench.c, NULL where there is none */
	double (*peak)(long steps);                      /* independent FMAs in registers; returns how many flops */
	unsigned (*scan)(const void *p, size_t bytes);   /* plain loads of whole blocks of 256 bytes; a sum of them */
};

extern const struct matmul_isa matmul_c, matmul_avx2, matmul_avx512, matmul_neon;

/* The highest variant compiled in, offered by the machine and not above max. */
const struct matmul_isa *matmul_isa(enum cpu_level max);

/* Floats of scratch that matmul() needs for m rows. */
size_t matmul_scratch(const struct matmul_isa *isa, int m, int k);
void matmul(struct pool *pool, const struct matmul_isa *isa, const struct matmul_job *j, float *scratch);

size_t matmul_panel_bytes(enum dtype dt, int n, int k);
size_t matmul_linear_size(struct device *dev, enum dtype dt, int n, int k); /* linear_size of ops.h for chain32 on every device */
/* Packs rows of the host matrix src (ld values from row to row, any alignment) as outputs n0.. of panels for n x k. */
void matmul_pack_rows(struct pool *pool, void *panels, enum dtype dt, int k, int n0, const void *src, size_t ld, int rows);

static inline int matmul_panels(int n)
{
	return (n - 1) / MATMUL_PANEL + 1;
}

#ifdef __cplusplus
}
#endif

#endif
