/* ops_recur.c - recurrent layers on the CPU: the runs of a batch, their slots, and who computes what.
 *
 * Units of a run are (head, block of channels), of a convolution blocks of channels alone; they share nothing, so one long run keeps
 * all threads busy and so do many short ones. Each part gets units in order, about the same number of tokens. A slot may be
 * read and written by one run; a slot that a run writes is not touched by any other of the call (the caller sees to that),
 * and so runs need no order.
 */
#include "kernels/recur.h"

#include <assert.h>
#include <string.h>

#include "kernels/exactmath.h"

#define START 2 /* tokens' worth of work that a run costs before its first: its state comes from memory */

static float *row_of(struct mat m, int i)
{
	return m.p + (size_t)i * m.ld;
}

static float *slot_of(const struct recur_job *j, int32_t slot)
{
	assert(slot >= 0 && slot < j->states->slots);
	return j->states->p + (size_t)slot * j->states->size;
}

/* --- convolutions ------------------------------------------------------------------------------------------------ */

/* scratch: the state that the run starts from, [width - 1][CONV_BLOCK]: its slot may be written while it is still needed. */
static void conv_unit(const struct recur_job *j, int run, int unit, float *scratch)
{
	const struct conv *c = j->conv;
	const struct batch *b = j->batch;
	int first = b->run[run], last = b->run[run + 1], back = c->width - 1, i = unit * j->block;
	int d = c->d - i < j->block ? c->d - i : j->block;
	size_t bytes = (size_t)d * sizeof(float);
	const float *from = b->from[first] == STATE_ZERO ? NULL : slot_of(j, b->from[first]);
	for (int k = 0; k < back; k++)
		if (from)
			memcpy(scratch + k * CONV_BLOCK, from + (size_t)k * (size_t)c->d + i, bytes);
		else
			memset(scratch + k * CONV_BLOCK, 0, bytes);
	for (int r = first; r < last; r++) {
		const float *x[CONV_WIDTH];
		for (int k = 0, t = r - first - back; k < c->width; k++, t++)
			x[k] = t < 0 ? scratch + (t + back) * CONV_BLOCK : row_of(j->x, first + t) + i;
		j->isa->conv(row_of(j->y, r) + i, x, c->w + i, (size_t)c->d, c->b ? c->b + i : NULL, c->width, d, c->silu);
		for (int k = 0; k < back && b->to[r] >= 0; k++)
			memcpy(slot_of(j, b->to[r]) + (size_t)k * (size_t)c->d + i, x[k + 1], bytes);
	}
}

/* --- states of heads --------------------------------------------------------------------------------------------- */

static void ssm_gate(struct recur_step *s, const struct recur_job *j, int row, int head)
{
	const struct ssm *c = j->ssm;
	size_t group = (size_t)(head / (c->heads / c->groups)) * (size_t)c->n;
	s->key = row_of(j->key, row) + group;
	s->query = row_of(j->query, row) + group;
	s->g = c->a[head];
	s->plain = !j->gate.p;
	if (s->plain)
		return;
	float t = xm_softplus(row_of(j->gate, row)[head] + c->dt_bias[head]);
	t = t < c->dt_min ? c->dt_min : t > c->dt_max ? c->dt_max : t;
	s->b = t;
	s->g = xm_exp(t * c->a[head]);
}

static void delta_gate(struct recur_step *s, const struct recur_job *j, int row, int head)
{
	const struct delta *c = j->delta;
	size_t group = (size_t)(head / (c->hv / c->hk)) * (size_t)c->dk;
	s->key = row_of(j->key, row) + group;
	s->query = row_of(j->query, row) + group;
	s->g = xm_exp(c->a[head] * xm_softplus(row_of(j->gate, row)[head] + c->dt_bias[head]));
	s->b = xm_sigmoid(row_of(j->beta, row)[head]);
}

/* scratch: the running state, [n][RECUR_BLOCK]. */
static void head_unit(const struct recur_job *j, int run, int unit, float *scratch)
{
	const struct batch *b = j->batch;
	int first = b->run[run], last = b->run[run + 1], head = unit / j->blocks, i = unit % j->blocks * j->block;
	int wide = j->ssm ? j->ssm->d : j->delta->dv;
	struct recur_step s = { .n = j->ssm ? j->ssm->n : j->delta->dk, .d = wide - i < j->block ? wide - i : j->block };
	size_t column = (size_t)head * (size_t)wide + (size_t)i, at = (size_t)head * (size_t)s.n * (size_t)wide + (size_t)i;
	if (j->ssm && j->ssm->skip) {
		s.has_skip = 1;
		s.skip = j->ssm->skip[head];
	}
	s.src = scratch;
	s.lds = RECUR_BLOCK;
	if (b->from[first] == STATE_ZERO) {
		memset(scratch, 0, (size_t)s.n * RECUR_BLOCK * sizeof *scratch);
	} else {
		s.src = slot_of(j, b->from[first]) + at;
		s.lds = (size_t)wide;
	}
	for (int r = first; r < last; r++) {
		s.keep = b->to[r] >= 0;
		s.dst = s.keep ? slot_of(j, b->to[r]) + at : scratch;
		s.ldd = s.keep ? (size_t)wide : RECUR_BLOCK;
		s.y = row_of(j->y, r) + column;
		s.value = row_of(j->x, r) + column;
		if (j->ssm) {
			ssm_gate(&s, j, r, head);
			j->isa->ssm(&s);
		} else {
			delta_gate(&s, j, r, head);
			j->isa->delta(&s);
		}
		s.src = s.dst;
		s.lds = s.ldd;
	}
}

/* --- calls ------------------------------------------------------------------------------------------------------- */

static void check_shapes(const struct recur_job *j)
{
	const struct batch *b = j->batch;
	int n = b->n;
	if (!n)
		return;
	assert(j->y.n == n && j->x.n == n && j->y.p != j->x.p && j->y.d == j->x.d);
	assert(b->runs > 0 && b->run[0] == 0 && b->run[b->runs] == n);
	for (int i = 0; i < b->runs; i++)
		assert(b->run[i] < b->run[i + 1] && b->from[b->run[i]] >= STATE_ZERO);
	if (j->conv) {
		const struct conv *c = j->conv;
		assert(c->width >= 2 && c->width <= CONV_WIDTH && j->x.d == c->d && (!j->states->slots || j->states->size >= conv_state(c)));
	} else if (j->ssm) {
		const struct ssm *c = j->ssm;
		assert(c->groups > 0 && c->heads % c->groups == 0 && j->x.d == c->heads * c->d && j->key.d == c->groups * c->n);
		assert(j->query.d == j->key.d && j->key.n == n && j->query.n == n && (!j->gate.p || j->gate.n == n));
		assert(!j->states->slots || j->states->size >= ssm_state(c));
	} else {
		const struct delta *c = j->delta;
		assert(c->hk > 0 && c->hv % c->hk == 0 && j->x.d == c->hv * c->dv && j->key.d == c->hk * c->dk);
		assert(j->query.d == j->key.d && j->key.n == n && j->query.n == n && j->gate.n == n && j->beta.n == n);
		assert(!j->states->slots || j->states->size >= delta_state(c));
	}
}

void recur_plan(struct recur_job *j)
{
	check_shapes(j);
	int heads = 1, wide = j->conv ? j->conv->d : 0, n = CONV_WIDTH;
	j->unit = j->conv ? conv_unit : head_unit;
	j->block = j->conv ? CONV_BLOCK : RECUR_BLOCK;
	if (j->ssm)
		heads = j->ssm->heads, wide = j->ssm->d, n = j->ssm->n;
	else if (j->delta)
		heads = j->delta->hv, wide = j->delta->dv, n = j->delta->dk;
	j->blocks = (wide - 1) / j->block + 1;
	j->units = heads * j->blocks;
	j->scratch = (size_t)n * (size_t)j->block;
	j->cost = (double)n * (wide < j->block ? wide : j->block) * (j->conv ? 1.0 : 2.0);
}

struct recur_ctx {
	const struct recur_job *j;
	float *scratch;
	long long whole;
};

/* The units that begin in this part's share of the whole cost. */
static void recur_part(void *ctx, int part, int nparts)
{
	const struct recur_ctx *c = ctx;
	const struct recur_job *j = c->j;
	long long lo = c->whole * part / nparts, hi = c->whole * (part + 1) / nparts, at = 0;
	for (int r = 0; r < j->batch->runs && at < hi; r++) {
		long long cost = j->batch->run[r + 1] - j->batch->run[r] + START;
		long long u = at < lo ? (lo - at + cost - 1) / cost : 0;
		for (; u < j->units && at + u * cost < hi; u++)
			j->unit(j, r, (int)u, c->scratch + (size_t)part * j->scratch);
		at += cost * j->units;
	}
}

void recur_run(struct pool *pool, const struct recur_job *j, float *scratch, int parts)
{
	struct recur_ctx c = { j, scratch, (j->batch->n + (long long)START * j->batch->runs) * j->units };
	pool_run(pool, recur_part, &c, parts);
}
