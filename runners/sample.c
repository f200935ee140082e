/* sample.c - temperature, top-k and top-p sampling in integers (sample.h).
 *
 * A token's weight is 2^((logit - max) * log2(e) / temperature) as an integer of 31 fractional bits, made by an integer
 * polynomial; sums of weights are exact in 64 bits, so no order of summation and no rounding matters. The only floating
 * operations are one subtraction and two products in double, which IEEE 754 defines exactly.
 * top_k keeps the k likeliest (ties: lowest id); of those, top_p keeps the likeliest until their share reaches top_p, the
 * one that reaches it included. Then a 64-bit draw, scaled to the sum, is looked up in rising order of id.
 */
#include "runners/sample.h"

#include <stdbool.h>
#include <stdlib.h>

#include "kernels/base/arena.h"

__extension__ typedef unsigned __int128 u128;

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
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

/* ln(2)^k / k! in units of 2^-32, k = 0..12: the series of 2^-f alternates, each term smaller than the one before. */
static const uint64_t series[] = { 4294967296u, 2977044472u, 1031764991u, 238388332u, 41309550u, 5726720u, 661577u,
				   65510u, 5676u, 437u, 30u, 2u };

uint32_t sample_exp2(double d)
{
	if (!(d < 32))
		return 0;
	if (d < 0)
		d = 0;
	uint64_t v = (uint64_t)(d * 4294967296.0), f = v & 0xffffffffu;
	int n = (int)(v >> 32), k = (int)(sizeof series / sizeof *series) - 1;
	uint64_t h = series[k];
	while (k-- > 0)
		h = series[k] - ((h * f) >> 32);
	return (uint32_t)((h >> 1) >> n);
}

struct sample_rank {
	double d; /* distance to the maximum */
	int32_t id;
	uint32_t weight;
};

static int by_rank(const void *x, const void *y)
{
	const struct sample_rank *a = x, *b = y;
	if (a->d != b->d)
		return a->d < b->d ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

void sample_scratch_free(struct sample_scratch *w)
{
	free(w->rank);
	*w = (struct sample_scratch){ 0 };
}

static uint64_t draw64(const struct sampler *s, uint64_t position)
{
	const unsigned char *p = s->prompt;
	uint32_t key[2] = { (uint32_t)s->seed, (uint32_t)(s->seed >> 32) }, out[4];
	uint32_t counter[4] = { (uint32_t)position, (uint32_t)s->sample,
				(uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24,
				((uint32_t)p[4] | (uint32_t)p[5] << 8 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 24) ^ (uint32_t)(s->sample >> 32) };
	philox4x32(counter, key, out);
	return (uint64_t)out[1] << 32 | out[0];
}

/* The last token that top_k and top_p keep; everything that ranks behind it is out. */
static struct sample_rank last_kept(const struct sampler *s, struct sample_scratch *w, const float *logits, int v, double top, double scale)
{
	if (w->cap < v) {
		w->rank = xrealloc(w->rank, (size_t)v * sizeof *w->rank);
		w->cap = v;
	}
	int n = 0;
	for (int i = 0; i < v; i++) {
		double d = (top - (double)logits[i]) * scale;
		uint32_t weight = sample_exp2(d);
		if (weight)
			w->rank[n++] = (struct sample_rank){ d, i, weight };
	}
	qsort(w->rank, (size_t)n, sizeof *w->rank, by_rank);
	if (s->top_k > 0 && s->top_k < n)
		n = s->top_k;
	if (s->top_p < 1) {
		uint64_t total = 0, sum = 0, share = (uint64_t)(s->top_p * 4294967296.0);
		for (int i = 0; i < n; i++)
			total += w->rank[i].weight;
		for (int i = 0; i < n; i++) {
			sum += w->rank[i].weight;
			if ((u128)sum << 32 >= (u128)total * share) {
				n = i + 1;
				break;
			}
		}
	}
	return w->rank[n - 1];
}

int32_t sample_draw(const struct sampler *s, struct sample_scratch *w, const float *logits, int v, uint64_t position)
{
	int32_t best = 0;
	for (int i = 1; i < v; i++)
		if (logits[i] > logits[best])
			best = i;
	double top = logits[best], scale = 1.4426950408889634 / s->temperature;
	if (!(top - top == 0)) /* an infinite maximum has no weights beside it */
		return best;
	struct sample_rank last = { 32, 0, 0 };
	bool cut = (s->top_k > 0 && s->top_k < v) || s->top_p < 1;
	if (cut)
		last = last_kept(s, w, logits, v, top, scale);
	uint64_t total = 0, pick = 0, sum = 0;
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < v; i++) {
			double d = (top - (double)logits[i]) * scale;
			if (cut && (d > last.d || (d == last.d && i > last.id)))
				continue;
			uint32_t weight = sample_exp2(d);
			if (!pass)
				total += weight;
			else if ((sum += weight) > pick)
				return i;
		}
		pick = (uint64_t)(((u128)draw64(s, position) * total) >> 64);
	}
	return best;
}
