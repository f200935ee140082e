/* sample.h - drawing a token from a row of logits in integers (NUMERICS.md section 5): one text for the CPU and for CUDA.
 *
 * A token's distance d is ((double)top - (double)logit) * scale, the only floating operations there are; IEEE 754 defines
 * both exactly. Its weight is 2^-d as an integer of 31 fractional bits, by an integer polynomial. Sums of weights are exact in 64
 * bits (fewer than 2^31 tokens of at most 2^31 each), so no order of summation matters and nothing can differ between devices.
 * Tokens rank by (d, id). top_k and top_p both cut behind a rank: the first at which a running sum over ranks - of ones, or of
 * weights - reaches an amount. That rank is found without sorting, digit by digit (sample_digit), as in a radix sort of which
 * only one bucket is followed. min_p then drops the tokens farther from the best than a distance. A uniform 64-bit number of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1,
 * 2, 3", SC 2011), scaled to the sum of what is kept, is then looked up in rising order of id.
 *
 * Not here: temperature, top_p and seeds as users give them; struct draw (ops.h) is made from them in runners/generate.c.
 */
#ifndef ASSAY_SAMPLE_H
#define ASSAY_SAMPLE_H

#include <string.h>

#include "kernels/ops.h"

#ifdef __CUDACC__
#define SAMPLE_FN static __host__ __device__ inline
#else
#define SAMPLE_FN static inline __attribute__((unused))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The definition (sample.c): the id drawn from v >= 1 logits, -1 when one is a NaN. */
int32_t sample_c(const float *logits, int v, const struct draw *draw);
void penalise_c(float *logits, int v, const uint32_t *seen, float penalty);

#ifdef __cplusplus
}
#endif

SAMPLE_FN void sample_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
	uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
	for (int round = 0; round < 10; round++) {
		uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
		c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
		c1 = (uint32_t)b;
		c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
		c3 = (uint32_t)a;
		k0 += 0x9E3779B9u; /* the golden ratio and sqrt(3) - 1, as the paper has them */
		k1 += 0xBB67AE85u;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

/* 2^-d in units of 2^-31, within 2 of the truth: 2^31 for d = 0, 0 for d >= 32 and NaN. The coefficients are ln(2)^k / k! in
 * units of 2^-32: the series of 2^-f alternates, each term smaller than the one before. */
SAMPLE_FN uint32_t sample_exp2(double d)
{
	if (!(d < 32))
		return 0;
	uint64_t v = (uint64_t)(d * 4294967296.0), f = v & 0xffffffffu, h = 2;
#define SAMPLE_STEP(c) h = UINT64_C(c) - ((h * f) >> 32)
	SAMPLE_STEP(30);
	SAMPLE_STEP(437);
	SAMPLE_STEP(5676);
	SAMPLE_STEP(65510);
	SAMPLE_STEP(661577);
	SAMPLE_STEP(5726720);
	SAMPLE_STEP(41309550);
	SAMPLE_STEP(238388332);
	SAMPLE_STEP(1031764991);
	SAMPLE_STEP(2977044472);
	SAMPLE_STEP(4294967296);
#undef SAMPLE_STEP
	return (uint32_t)((h >> 1) >> (v >> 32));
}

/* Has it any weight? */
SAMPLE_FN uint32_t sample_weighs(double d)
{
	return d < 30 || sample_exp2(d) != 0;
}

/* A row while it is drawn from. Its tokens up to the rank `last` are kept, all of them while cut is 0. */
struct sample_row {
	const float *x;
	int v;
	float top; /* the largest logit */
	double scale;
	double last_d;
	int32_t last_id;
	int cut;
	double far; /* a further limit on d; 0: none */
};

SAMPLE_FN double sample_distance(const struct sample_row *r, int i)
{
#ifdef __CUDA_ARCH__
	double d = __dmul_rn(__dsub_rn((double)r->top, (double)r->x[i]), r->scale);
#else
	double d = ((double)r->top - (double)r->x[i]) * r->scale;
#endif
	return d > 0 ? d : 0.0; /* -0, where zeros of both signs are the largest */
}

SAMPLE_FN int sample_kept(const struct sample_row *r, double d, int id)
{
	return (!r->cut || d < r->last_d || (d == r->last_d && id <= r->last_id)) && (r->far == 0 || d <= r->far);
}

SAMPLE_FN uint32_t sample_weight(const struct sample_row *r, int i)
{
	double d = sample_distance(r, i);
	return sample_kept(r, d, i) ? sample_exp2(d) : 0;
}

/* Digits of a rank (d, id), d < 32, the most telling first: comparing digit by digit is comparing ranks. Three are of d as a
 * fraction of 32, which spread likely tokens evenly; six of d's bits, which ascend with d, for what those leave equal; three of
 * the id. The last has 9 bits, so that at most 512 tokens share all digits before it. */
#define SAMPLE_LEVELS 12
#define SAMPLE_BUCKETS 2048
#define SAMPLE_LAST 512
SAMPLE_FN uint32_t sample_digit(int level, double d, int id)
{
	uint64_t u;
	if (level < 3)
		return (uint32_t)((uint64_t)(d * 0x1p59) >> (53 - 11 * level)) & 2047u;
	if (level >= 9)
		return level == 9 ? (uint32_t)id >> 20 : level == 10 ? (uint32_t)id >> 9 & 2047u : (uint32_t)id & 511u;
	memcpy(&u, &d, sizeof u);
	return level < 8 ? (uint32_t)(u >> (53 - 11 * (level - 3))) & 2047u : (uint32_t)u & 511u;
}

/* The least sum with sum * 2^32 >= total * share; share < 2^32. */
SAMPLE_FN uint64_t sample_reach(uint64_t total, uint64_t share)
{
	uint64_t low = (total & 0xffffffffu) * share, sum = (total >> 32) * share + (low >> 32) + ((low & 0xffffffffu) != 0);
	return sum ? sum : 1;
}

/* The draw, scaled to 0 .. total - 1. */
SAMPLE_FN uint64_t sample_pick(const struct draw *q, uint64_t total)
{
	uint32_t out[4];
	sample_philox(q->counter, q->key, out);
	uint64_t u = (uint64_t)out[1] << 32 | out[0];
#ifdef __CUDA_ARCH__
	return __umul64hi(u, total);
#else
	__extension__ typedef unsigned __int128 u128;
	return (uint64_t)(((u128)u * total) >> 64);
#endif
}

#endif
