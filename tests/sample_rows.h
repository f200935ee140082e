/* sample_rows.h - rows of logits for the tests of sampling, by integer operations that golden/make_sample.py does too. */
#ifndef ASSAY_TESTS_SAMPLE_ROWS_H
#define ASSAY_TESTS_SAMPLE_ROWS_H

#include <stdint.h>

/* Of v equal logits, the draw with this counter (its first word, the rest and the key 0) is exactly the sum of the weights before id:
 * that sum does not exceed it, so id is the token. One draw in 2^31 is such. */
static const struct sample_exact {
	uint32_t counter;
	int v, id;
} sample_exact[] = {
	{ 1009622, 385, 107 }, { 1009622, 1155, 321 }, { 1263760, 860, 813 }, { 6353578, 175, 129 }, { 6353578, 1400, 1032 },
};

enum sample_kind {
	ROW_PLAIN,    /* -8..8, even */
	ROW_COARSE,   /* eight values: ties everywhere */
	ROW_EQUAL,    /* one value */
	ROW_HUGE,     /* one of 2^100 among plain ones */
	ROW_HALF,     /* half of them -Inf */
	ROW_CLOSE,    /* within 2^-13 of each other, many ties */
	ROW_PEAKED,   /* few likely ones, as a model writes them */
	ROW_NOTHING,  /* -Inf alone */
	ROW_INFINITE, /* two +Inf */
	ROW_ZEROS,    /* -0 and +0 */
	ROW_KINDS
};

static inline void sample_row(float *x, int v, int kind, uint32_t seed)
{
	uint64_t s = seed * UINT64_C(2654435769) + 1;
	const float inf = __builtin_inff();
	for (int i = 0; i < v; i++) {
		s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		int32_t u = (int32_t)(s >> 40), j = u - (1 << 23);
		switch (kind) {
		case ROW_COARSE: x[i] = (float)(u >> 21) * 0.5f - 2.0f; break;
		case ROW_EQUAL: x[i] = 1.5f; break;
		case ROW_HUGE: x[i] = (uint32_t)i == seed % (uint32_t)v ? 0x1p100f : (float)j * 0x1p-20f; break;
		case ROW_HALF: x[i] = u & 1 ? -inf : (float)j * 0x1p-21f; break;
		case ROW_CLOSE: x[i] = 20.0f + (float)(u & 63) * 0x1p-19f; break;
		case ROW_PEAKED: x[i] = (u & 127) == 5 ? (float)j * 0x1p-18f : (float)((double)j * 0x1p-22 - 12.0); break;
		case ROW_NOTHING: x[i] = -inf; break;
		case ROW_INFINITE: x[i] = i == v / 2 || i == v - 1 ? inf : (float)j * 0x1p-20f; break;
		case ROW_ZEROS: x[i] = u & 1 ? -0.0f : 0.0f; break;
		default: x[i] = (float)j * 0x1p-20f; break;
		}
	}
}

#endif
