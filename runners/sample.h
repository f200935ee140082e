/* sample.h - drawing the next token from a row of logits, with the same result everywhere (NUMERICS.md section 5).
 *
 * Randomness is Philox4x32-10, a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011): the draw for a position depends on (seed, prompt, sample, position) alone, never on what was drawn before or
 * on what else runs.
 */
#ifndef ASSAY_SAMPLE_H
#define ASSAY_SAMPLE_H

#include <stdint.h>

#include "kernels/base/digest.h"

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]); /* 10 rounds */

/* 2^-d as an integer in units of 2^-31: 2^31 for d = 0, 0 for d >= 32 and NaN. Within 2 units of the truth. */
uint32_t sample_exp2(double d);

struct sampler {
	double temperature; /* > 0 */
	double top_p;       /* (0, 1]; 1: off */
	int top_k;          /* 0: off */
	uint64_t seed, sample;
	unsigned char prompt[DIGEST_BYTES]; /* SHA-256 of the prompt's ids, 4 bytes each, little-endian */
};

/* What it needs to sort when top_k or top_p is on; {0} at first, freed by sample_scratch_free. */
struct sample_scratch {
	struct sample_rank *rank;
	int cap;
};
void sample_scratch_free(struct sample_scratch *w);

/* A token id for `position` (number of tokens before it: prompt and generated), from v logits without NaN. */
int32_t sample_draw(const struct sampler *s, struct sample_scratch *w, const float *logits, int v, uint64_t position);

#endif
