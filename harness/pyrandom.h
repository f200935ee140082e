/* pyrandom.h - CPython's random.Random: MT19937, init_by_array, random(), randbelow, sample, choices, shuffle.
 *
 * Matsumoto and Nishimura 1998; CPython Lib/random.py and Modules/_randommodule.c. Vectors in SCORING.md 2.5 are tests.
 */
#ifndef ASSAY_PYRANDOM_H
#define ASSAY_PYRANDOM_H

#include <stddef.h>
#include <stdint.h>

struct pyrandom {
	uint32_t state[624];
	int index;
};

void pyrandom_seed(struct pyrandom *r, uint64_t seed); /* Random(seed), seed >= 0 */
double pyrandom_random(struct pyrandom *r);
uint64_t pyrandom_below(struct pyrandom *r, uint64_t n);
/* sample(range(n), k) into out[k]; k <= n */
void pyrandom_sample(struct pyrandom *r, size_t n, size_t k, size_t *out);
/* choices(range(n), k=k) into out[k] */
void pyrandom_choices(struct pyrandom *r, size_t n, size_t k, size_t *out);
void pyrandom_shuffle(struct pyrandom *r, size_t *v, size_t n);

#endif
