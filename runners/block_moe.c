/* block_moe.c - mixture of experts: each row goes through k of the experts, and through a shared one where there is one.
 *
 *     logits [n][experts]         of the router; choice: the ids [n][k] of the chosen, experts rising, then their weights [n][k]
 *     order  [n k] rows sorted by expert, rows rising within, then [n] 0, 1, 2, ...; sorted [n k] their weights in that order
 *     sum    [n][width]           y = fma(weight, expert(x), y) from +0, experts rising, the shared one last
 *     in, out [MOE_ROWS][width], up [MOE_ROWS][2 inner], gate [MOE_ROWS]    a piece of the rows of one expert
 *
 * The choice is read back to sort the rows: one copy and one wait for the device, a layer and call. An expert computes each of
 * its rows by itself, and a row adds up its own experts only, so no row's result depends on the others of the call (NUMERICS.md,
 * section 5).
 */
#include "runners/forward_int.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/arena.h"

#define MOE_ROWS 1024

struct moe_host {
	int32_t *choice, *order; /* as on the device */
	float *sorted;
	size_t *start;        /* [experts + 1] first place in order, and the end */
	struct err trouble;   /* of the first block that could not */
};

static bool has_experts(const struct config *c)
{
	for (int i = 0; i < c->layers; i++)
		if (layer_experts(c, i))
			return true;
	return false;
}

void moe_parts(struct parts *p, const struct model *m, size_t rows)
{
	const struct moe_config *c = &m->cfg.moe;
	size_t k = (size_t)c->k, width = (size_t)m->cfg.width, piece = rows < MOE_ROWS ? rows : MOE_ROWS;
	int inner = c->inner > c->shared ? c->inner : c->shared;

	if (!has_experts(&m->cfg))
		return;
	PART(p, moe.logits, rows * (size_t)(c->experts + c->identity), float);
	PART(p, moe.choice, 2 * rows * k, int32_t);
	PART(p, moe.order, rows * k + rows, int32_t);
	PART(p, moe.sorted, rows * k, float);
	PART(p, moe.sum, rows * width, float);
	PART(p, moe.zeros, rows, int32_t); /* these two stay zero */
	PART(p, moe.zero, width, float);
	PART(p, moe.in, piece * width, float);
	PART(p, moe.out, piece * width, float);
	PART(p, moe.up, piece * 2 * (size_t)inner, float);
	PART(p, moe.gate, piece, float);
}

void moe_open(struct forward *f)
{
	const struct moe_config *c = &f->m->cfg.moe;
	size_t rows = (size_t)f->max_rows, k = (size_t)c->k;
	struct moe_host *h;

	if (!has_experts(&f->m->cfg))
		return;
	h = f->moe.host = xcalloc(1, sizeof *h);
	h->choice = xcalloc(2 * rows * k, sizeof *h->choice);
	h->order = xcalloc(rows * (k + 1), sizeof *h->order);
	h->sorted = xcalloc(rows * k, sizeof *h->sorted);
	h->start = xcalloc((size_t)(c->experts + c->identity) + 1, sizeof *h->start);
}

void moe_close(struct forward *f)
{
	struct moe_host *h = f->moe.host;
	if (!h)
		return;
	free(h->choice);
	free(h->order);
	free(h->sorted);
	free(h->start);
	free(h);
}

int moe_error(const struct forward *f, struct err *e)
{
	struct moe_host *h = f->moe.host;
	if (!h || !h->trouble.code)
		return 0;
	struct err first = h->trouble;
	h->trouble.code = E_NONE;
	return err_set(e, first.code, "%s", first.msg);
}

/* Counting sort of the chosen by expert. -1: nothing can be said of the choice, the call fails in the end. */
static int sort(struct moe_host *h, size_t n, const struct moe_block *b)
{
	const struct router *r = &b->rule;
	size_t k = (size_t)r->k, total = n * k;
	const int32_t *ids = h->choice;

	memset(h->start, 0, ((size_t)r->experts + 1) * sizeof *h->start);
	for (size_t i = 0; i < total; i++) {
		if (ids[i] < 0 || ids[i] >= r->experts) {
			if (!h->trouble.code)
				err_set(&h->trouble, E_DEVICE, "the router chose expert %d of %d", ids[i], r->experts);
			return -1;
		}
		h->start[ids[i] + 1]++;
	}
	for (int i = 0; i < r->experts; i++)
		h->start[i + 1] += h->start[i];
	for (size_t i = 0; i < total; i++) {
		size_t at = h->start[ids[i]]++;
		h->order[at] = (int32_t)(i / k);
		memcpy(&h->sorted[at], &ids[total + i], sizeof *h->sorted);
		if (b->scale)
			h->sorted[at] *= b->scale[ids[i]];
	}
	for (int i = r->experts; i > 0; i--) /* each start has moved to the next one's */
		h->start[i] = h->start[i - 1];
	h->start[0] = 0;
	for (size_t i = 0; i < n; i++)
		h->order[total + i] = (int32_t)i;
	return 0;
}

/* Chooses experts for the n rows of x and sorts the rows by them, here and on the device. */
int moe_choose(const struct forward *f, struct mat x, int layer)
{
	const struct moe_block *k = f->m->block[layer].moe;
	const struct ops *ops = f->m->ops;
	struct device *dev = f->m->dev;
	const struct moe_scratch *s = &f->moe;
	struct moe_host *h = s->host;
	size_t total = (size_t)x.n * (size_t)k->rule.k;
	struct mat logits = rows_of(s->logits, x.n, k->rule.experts, k->rule.experts);
	struct err e;

	ops->linear(dev, logits, x, &k->router);
	ops->route(dev, s->choice, (float *)(s->choice + total), logits, &k->rule);
	ops->get(dev, h->choice, s->choice, 2 * total * sizeof *h->choice);
	if (ops->sync(dev, &e) != 0) {
		if (!h->trouble.code)
			h->trouble = e;
		return -1;
	}
	if (sort(h, (size_t)x.n, k) != 0)
		return -1;
	ops->put(dev, s->order, h->order, (total + (size_t)x.n) * sizeof *h->order);
	ops->put(dev, s->sorted, h->sorted, total * sizeof *h->sorted);
	return 0;
}

/* in -> up -> out: down(act(gate in) * up in) */
static void expert(const struct forward *f, int n, const struct linear *up, const struct linear *down)
{
	const struct model *m = f->m;
	const struct moe_scratch *s = &f->moe;
	int width = m->cfg.width, inner = down->k, ld = up->n;
	struct mat all = rows_of(s->up, n, ld, ld), gate = columns(all, 0, inner), second = { 0 };

	m->ops->linear(m->dev, all, rows_of(s->in, n, width, width), up);
	if (m->cfg.family->gated)
		second = columns(all, inner, inner);
	m->ops->act(m->dev, gate, gate, second, m->cfg.moe.act, m->cfg.moe.act_p);
	m->ops->linear(m->dev, rows_of(s->out, n, width, width), gate, down);
}

/* Rows at..at+n-1 of the sorted ones, all of expert i. */
static void add_expert(const struct forward *f, struct mat x, const struct moe_block *k, int i, size_t at, int n)
{
	const struct model *m = f->m;
	const struct moe_scratch *s = &f->moe;
	int width = m->cfg.width;
	struct mat sum = rows_of(s->sum, x.n, width, width), in = rows_of(s->in, n, width, width), out = rows_of(s->out, n, width, width);
	bool weigh_input = m->cfg.family->moe.weigh_input;

	m->ops->gather(m->dev, in, x, s->order + at);
	if (i >= m->cfg.moe.experts) { /* gives back its input */
		m->ops->scatter(m->dev, sum, in, s->order + at, s->sorted + at);
		return;
	}
	if (weigh_input)
		m->ops->scale_rows(m->dev, in, s->sorted + at, NULL);
	expert(f, n, &k->up[i], &k->down[i]);
	m->ops->scatter(m->dev, sum, out, s->order + at, weigh_input ? NULL : s->sorted + at);
}

static void add_shared(const struct forward *f, struct mat x, const struct moe_block *k, int at, int n)
{
	const struct model *m = f->m;
	const struct moe_scratch *s = &f->moe;
	int width = m->cfg.width;
	struct mat in = rows_of(s->in, n, width, width), out = rows_of(s->out, n, width, width), gate = rows_of(s->gate, n, 1, 1);
	bool weighed = k->shared_weight.n != 0;
	const int32_t *rows = s->order + (size_t)x.n * (size_t)k->rule.k + at;

	m->ops->gather(m->dev, in, x, rows);
	expert(f, n, &k->shared_up, &k->shared_down);
	if (weighed) {
		m->ops->linear(m->dev, gate, in, &k->shared_weight);
		m->ops->act(m->dev, gate, gate, (struct mat){ 0 }, ACT_SIGMOID, NULL);
	}
	m->ops->scatter(m->dev, rows_of(s->sum, x.n, width, width), out, rows, weighed ? s->gate : NULL);
}

void moe_experts(const struct forward *f, struct mat y, struct mat x, int layer)
{
	const struct model *m = f->m;
	const struct moe_block *k = m->block[layer].moe;
	const struct moe_scratch *s = &f->moe;
	const size_t *start = s->host->start;
	int width = m->cfg.width;
	struct mat sum = rows_of(s->sum, x.n, width, width);

	m->ops->gather(m->dev, sum, rows_of(s->zero, 1, width, width), s->zeros);
	for (int i = 0; i < k->rule.experts; i++)
		for (size_t at = start[i]; at < start[i + 1]; at += MOE_ROWS)
			add_expert(f, x, k, i, at, start[i + 1] - at < MOE_ROWS ? (int)(start[i + 1] - at) : MOE_ROWS);
	for (int at = 0; at < x.n && k->shared_down.n; at += MOE_ROWS)
		add_shared(f, x, k, at, x.n - at < MOE_ROWS ? x.n - at : MOE_ROWS);
	m->ops->gather(m->dev, y, sum, s->order + (size_t)x.n * (size_t)k->rule.k);
}

void block_moe(const struct forward *f, struct mat y, struct mat x, int layer)
{
	if (moe_choose(f, x, layer) == 0)
		moe_experts(f, y, x, layer);
}
