/* sample.c - drawing a token from a row of logits: the definition, in plain C (sample.h says how and why).
 *
 * A selection follows one bucket of a radix sort: each pass over the row sums the amounts (ones or weights) of the tokens that
 * share the digits so far by their next digit, and the bucket in which the running sum reaches what is needed gives that digit.
 * As soon as few tokens are left they are gathered, sorted and added up. Usually two passes do; rows full of ties need more.
 * Nothing is allocated.
 */
#include "kernels/sample.h"

#include <assert.h>
#include <stdbool.h>

#define PIECES 256

struct rank {
	double d;
	int32_t id;
	uint32_t amount;
};

struct select {
	uint64_t bucket[SAMPLE_BUCKETS];
	struct rank held[SAMPLE_LAST];
	int nheld; /* above SAMPLE_LAST: too many to hold */
	uint32_t digit[SAMPLE_LEVELS];
};

static bool shares_digits(const struct select *s, int level, double d, int id)
{
	for (int k = 0; k < level; k++)
		if (sample_digit(k, d, id) != s->digit[k])
			return false;
	return true;
}

/* One pass: amounts by digit; the tokens themselves as long as they are few. */
static void count(struct select *s, const struct sample_row *r, int level, bool weights)
{
	memset(s->bucket, 0, sizeof s->bucket);
	s->nheld = 0;
	for (int i = 0; i < r->v; i++) {
		double d = sample_distance(r, i);
		if (!(d < 32) || !sample_kept(r, d, i) || !shares_digits(s, level, d, i))
			continue;
		uint32_t amount = weights ? sample_exp2(d) : sample_weighs(d);
		if (!amount)
			continue;
		s->bucket[sample_digit(level, d, i)] += amount;
		if (s->nheld < SAMPLE_LAST)
			s->held[s->nheld] = (struct rank){ d, i, amount };
		s->nheld += s->nheld <= SAMPLE_LAST;
	}
}

/* Of the tokens held, the first in order of rank at which the running sum reaches need. Ids came in rising order. */
static struct rank first_of(struct select *s, uint64_t need)
{
	for (int i = 1; i < s->nheld; i++) {
		struct rank one = s->held[i];
		int k = i;
		for (; k > 0 && s->held[k - 1].d > one.d; k--)
			s->held[k] = s->held[k - 1];
		s->held[k] = one;
	}
	int i = 0;
	for (; i < s->nheld - 1 && need > s->held[i].amount; i++)
		need -= s->held[i].amount;
	return s->held[i];
}

/* Cuts the row behind the first rank at which the running sum reaches top_k ones, or top_p's share of the weights. */
static void cut(struct sample_row *r, const struct draw *q, bool weights)
{
	struct select s;
	uint64_t need = (uint64_t)q->top_k, total = 0;
	for (int level = 0; level < SAMPLE_LEVELS; level++) {
		count(&s, r, level, weights);
		for (int i = 0; level == 0 && i < SAMPLE_BUCKETS; i++)
			total += s.bucket[i];
		if (level == 0 && weights)
			need = sample_reach(total, q->share);
		if (need > total) /* top_k keeps more than there is */
			return;
		if (s.nheld <= SAMPLE_LAST) {
			struct rank last = first_of(&s, need);
			r->last_d = last.d;
			r->last_id = last.id;
			r->cut = 1;
			return;
		}
		uint32_t b = 0;
		for (; b < SAMPLE_BUCKETS - 1 && need > s.bucket[b]; b++)
			need -= s.bucket[b];
		s.digit[level] = b;
	}
	assert(!"the last digit leaves few tokens");
}

/* The token at which the running sum of the kept weights, ids ascending, exceeds the draw. */
static int32_t look_up(const struct sample_row *r, const struct draw *q)
{
	uint64_t sum[PIECES], total = 0;
	int step = r->v / PIECES + 1, k = 0;
	for (int i = 0; i < r->v; k++) {
		int end = r->v - i < step ? r->v : i + step;
		for (sum[k] = 0; i < end; i++)
			sum[k] += sample_weight(r, i);
		total += sum[k];
	}
	uint64_t pick = sample_pick(q, total);
	for (k = 0; pick >= sum[k]; k++)
		pick -= sum[k];
	int i = k * step;
	for (uint32_t w; pick >= (w = sample_weight(r, i)); i++)
		pick -= w;
	return i;
}

int32_t sample_c(const float *logits, int v, const struct draw *q)
{
	int32_t best = 0;
	bool nan = false;
	assert(v > 0 && q->scale >= 0 && q->top_k >= 0);
	for (int i = 0; i < v; i++) {
		nan |= logits[i] != logits[i];
		if (logits[i] > logits[best])
			best = i;
	}
	float top = logits[best];
	if (nan)
		return -1;
	if (q->scale == 0 || top - top != 0) /* an infinite maximum has no weights beside it */
		return best;
	struct sample_row r = { .x = logits, .v = v, .top = top, .scale = q->scale };
	if (q->top_k > 0 && q->top_k < v)
		cut(&r, q, false);
	if (q->share < UINT64_C(1) << 32)
		cut(&r, q, true);
	r.far = q->far;
	return look_up(&r, q);
}

void penalise_c(float *logits, int v, const uint32_t *seen, float penalty)
{
	for (int i = 0; i < v && penalty != 1; i++) {
		if (!(seen[i / 32] >> i % 32 & 1))
			continue;
		if (logits[i] > 0)
			logits[i] = logits[i] / penalty;
		else if (logits[i] <= 0)
			logits[i] = logits[i] * penalty;
	}
}
