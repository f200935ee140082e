/* route.c - which experts a row goes to, and what they weigh: the scalar definition (NUMERICS.md section 5, "Experts").
 *
 * Scores are a softmax or a sigmoid over all experts, or the logits themselves. Experts compete with score + bias, of two equal
 * ones (-0 equals +0) the lower number wins; with groups only the members of the best groups compete. The chosen are put in rising
 * order and weighed by their score. Every sum has one order, so the weights have the same bits on every device; only softmax and
 * sigmoid are worth vectors, and those the caller's table of row operations has.
 *
 * A row in which what competes, or the score of a group, holds a NaN goes to the lowest k experts with NaN weights: ids are valid
 * whatever the logits. Forms and sources: Mixtral (Jiang et al., 2024, arXiv:2401.04088), DeepSeek-V2 and V3 (arXiv:2405.04434,
 * 2412.19437), SparseMixer (Liu et al., 2024, arXiv:2409.12136).
 */
#include <assert.h>
#include <string.h>

#include "kernels/exactmath.h"
#include "kernels/rowops.h"

#define LANES 128

void softmax_c(float *x, int d)
{
	float s[LANES] = { 0 }, top = x[0];
	for (int i = 1; i < d; i++)
		top = x[i] > top ? x[i] : top;
	float m = xm_ceil(top * XM_LOG2E_HI);
	for (int i = 0; i < d; i++) {
		x[i] = xm_ex2(x[i] * XM_LOG2E_HI - m);
		s[i % LANES] += x[i];
	}
	for (int h = LANES / 2; h; h /= 2)
		for (int i = 0; i < h; i++)
			s[i] += s[i + h];
	for (int i = 0; i < d; i++)
		x[i] = xm_canon(x[i] / s[0]);
}

/* Puts candidate `id` among the best `most` of those before it, of which there are *n; equals stay in front of it. */
static void enter(int *best, float *value, int *n, int most, int id, float v)
{
	int at = *n;
	if (at == most && !(v > value[at - 1]))
		return;
	if (at < most)
		++*n;
	else
		at--;
	for (; at > 0 && v > value[at - 1]; at--) {
		best[at] = best[at - 1];
		value[at] = value[at - 1];
	}
	best[at] = id;
	value[at] = v;
}

/* What experts compete with. */
static float rival(const float *score, const struct router *r, int i)
{
	return r->bias ? score[i] + r->bias[i] : score[i];
}

static float group_score(const float *score, const struct router *r, int first, int size)
{
	float two[2];
	int ids[2], n = 0;
	for (int i = first; i < first + size; i++)
		enter(ids, two, &n, r->best_of, i, rival(score, r, i));
	return n == 2 ? two[0] + two[1] : two[0];
}

/* Marks in kept[] the groups that compete. 0 when the score of one is a NaN. */
static int keep_groups(unsigned char *kept, const float *score, const struct router *r)
{
	float value[ROUTE_EXPERTS];
	int best[ROUTE_EXPERTS], n = 0, size = r->experts / r->groups;
	for (int g = 0; g < r->groups; g++) {
		float v = group_score(score, r, g * size, size);
		if (v != v)
			return 0;
		enter(best, value, &n, r->groups_kept, g, v);
	}
	memset(kept, 0, (size_t)r->groups);
	for (int i = 0; i < n; i++)
		kept[best[i]] = 1;
	return 1;
}

/* The k best in best[], the best first. 0 when there is a NaN. */
static int choose(int *best, const float *score, const struct router *r)
{
	unsigned char kept[ROUTE_EXPERTS];
	float value[ROUTE_K];
	int n = 0, size = r->groups > 1 ? r->experts / r->groups : r->experts;
	for (int i = 0; i < r->experts; i++)
		if (rival(score, r, i) != rival(score, r, i))
			return 0;
	if (r->groups > 1 && !keep_groups(kept, score, r))
		return 0;
	for (int i = 0; i < r->experts; i++)
		if (r->groups <= 1 || kept[i / size])
			enter(best, value, &n, r->k, i, rival(score, r, i));
	return 1;
}

/* The probability of expert `one` among those whose logits are near the largest, its own; `gone`, if not negative, has left. */
static float sparsemix(const float *x, const struct router *r, int one, int gone, const struct rowops *row)
{
	float near[ROUTE_EXPERTS], top = x[one], most = r->jitter + r->jitter;
	for (int i = 0; i < r->experts; i++) {
		float a = x[i] < 0.0f ? -x[i] : x[i], by = a > top ? a : top;
		near[i] = i == gone || (top - x[i]) / by > most ? f32_of_bits(0xff800000) : x[i];
	}
	row->softmax(near, r->experts);
	return near[one];
}

static void weigh(float *w, const int32_t *ids, const int *best, const float *score, const struct router *r, const struct rowops *row)
{
	for (int i = 0; i < r->k; i++)
		w[i] = score[ids[i]];
	if (r->score == ROUTE_TOP)
		row->softmax(w, r->k);
	else if (r->score == ROUTE_GATE)
		row->act(w, w, NULL, r->k, ACT_SIGMOID, NULL);
	else if (r->score == ROUTE_SPARSEMIX)
		for (int i = 0; i < 2; i++)
			w[i] = sparsemix(score, r, ids[i], ids[i] == best[0] ? -1 : best[0], row);
	float sum = 0.0f;
	for (int i = 0; i < r->k; i++)
		sum += w[i];
	sum += r->floor;
	for (int i = 0; i < r->k; i++)
		w[i] = xm_canon((r->normalise ? w[i] / sum : w[i]) * r->factor);
}

void route_check(int d, const struct router *r)
{
	int groups = r->groups > 1 ? r->groups : 1, size = r->experts / groups;
	assert(d == r->experts && d >= 1 && d <= ROUTE_EXPERTS && d % groups == 0);
	assert(groups == 1 || (r->groups_kept >= 1 && r->groups_kept <= groups && r->best_of >= 1 && r->best_of <= 2 && r->best_of <= size));
	assert(r->k >= 1 && r->k <= ROUTE_K && r->k <= (groups > 1 ? r->groups_kept : 1) * size);
	assert(r->score != ROUTE_SPARSEMIX || (r->k == 2 && groups == 1 && !r->bias));
	(void)d, (void)groups, (void)size;
}

void route_row(int32_t *ids, float *weights, float *x, const struct router *r, const struct rowops *row)
{
	int best[ROUTE_K], n = 0;
	unsigned char chosen[ROUTE_EXPERTS] = { 0 };
	if (r->score == ROUTE_SOFTMAX)
		row->softmax(x, r->experts);
	else if (r->score == ROUTE_SIGMOID)
		row->act(x, x, NULL, r->experts, ACT_SIGMOID, NULL);
	if (!choose(best, x, r)) {
		for (int i = 0; i < r->k; i++) {
			ids[i] = i;
			weights[i] = f32_of_bits(0x7fc00000);
		}
		return;
	}
	for (int i = 0; i < r->k; i++)
		chosen[best[i]] = 1;
	for (int i = 0; n < r->k; i++)
		if (chosen[i])
			ids[n++] = i;
	weigh(weights, ids, best, x, r, row);
}
