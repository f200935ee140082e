/* forward.c - the one forward pass: rows of any mix of sequences and positions through every layer, by the switches of the
 * family's row.
 *
 * A row is one token of one sequence at one position. Its keys and values are written before attention, so that rows of one
 * call see each other as earlier rows of other calls; no result of a row depends on which other rows are in the call
 * (NUMERICS.md). Only rows that score something go through the final norm and the head, a chunk at a time, and what is
 * left of a row of logits is a struct lse and a drawn token; whole rows leave the device only when asked for.
 *
 * All scratch is made at open. A call first checks every index against its bounds - ids, positions, pages, scored rows -
 * and then cannot fail but for the device itself.
 *
 *     x     [n][width]             residual stream
 *     h     [n][width]             normed input, later a branch's output
 *     qkv   [n][(h + 2 hk) d]      queries, keys, values side by side
 *     att   [n][h d]               attention's output
 *     side  [n][width]             parallel residual: the output of attention while the MLP runs
 *     up    [n][2 inner or inner]  gate | up; the product in gate's place
 *     top   [chunk][width], logits [chunk][vocab]
 */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/arena.h"
#include "kernels/base/dmath.h"
#include "runners/model_int.h"
#include "runners/ropetable.h"

#define LOGITS_FLOATS (1u << 20) /* logits scratch holds about this many, and at least LOGITS_ROWS rows */
#define LOGITS_ROWS 64
#define LOG2E 1.4426950408889634
#define ROPE_ROWS 1024           /* rows of the rotary tables made at a time on the host */

struct forward {
	struct model *m;
	int max_rows, max_scored, max_sequences, max_pages; /* max_pages: of a sequence */
	int max_position;                                   /* positions are below this */
	int chunk;                                          /* rows of logits at once */
	/* device */
	int32_t *ids, *pos, *seq, *table, *where, *scored, *target;
	float *x, *h, *qkv, *att, *side, *up, *top, *logits;
	struct lse *lse;
	struct draw *draw;
	int32_t *drawn;
	float *cos, *sin;
	struct rope rope;
	float scale; /* of scores: d^-1/2 log2(e), rounded once */
	/* host */
	int32_t *shifted; /* learned positions: pos + offset; NULL: none */
};

static int chunk_rows(const struct model *m, int max_scored)
{
	int n = (int)(LOGITS_FLOATS / (unsigned)m->cfg.vocab);
	if (n < LOGITS_ROWS)
		n = LOGITS_ROWS;
	return n < max_scored ? n : max_scored;
}

/* What forward_open allocates, in one table that both it and forward_bytes read. */
struct part {
	size_t at; /* offset of the pointer in struct forward */
	size_t count, size;
};
#define PARTS 24
static int list_parts(struct part part[PARTS], const struct model *m, int max_rows, int max_scored, int sequences, int pages, int positions)
{
	const struct config *c = &m->cfg;
	size_t n = (size_t)max_rows, w = (size_t)c->width, d = (size_t)c->head_dim, chunk = (size_t)chunk_rows(m, max_scored);
	size_t up = (size_t)c->inner * (c->family->gated ? 2 : 1), heads = (size_t)c->heads, kv = (size_t)c->kv_heads;
	int k = 0;
#define PART(field, count_, type) part[k++] = (struct part){ offsetof(struct forward, field), count_, sizeof(type) }
	PART(ids, n, int32_t);
	PART(pos, n, int32_t);
	PART(seq, n, int32_t);
	PART(table, (size_t)sequences * (size_t)pages, int32_t);
	PART(scored, (size_t)max_scored, int32_t);
	PART(target, (size_t)max_scored, int32_t);
	PART(x, n * w, float);
	PART(h, n * w, float);
	PART(qkv, n * (heads + 2 * kv) * d, float);
	PART(att, n * heads * d, float);
	if (c->parallel)
		PART(side, n * w, float);
	PART(up, n * up, float);
	PART(top, chunk * w, float);
	PART(logits, chunk * (size_t)c->vocab, float);
	PART(lse, (size_t)max_scored, struct lse);
	PART(draw, (size_t)max_scored, struct draw);
	PART(drawn, (size_t)max_scored, int32_t);
	if (c->family->position == POSITION_ROPE) {
		PART(cos, (size_t)positions * (size_t)(c->rotary_dim / 2), float);
		PART(sin, (size_t)positions * (size_t)(c->rotary_dim / 2), float);
	} else {
		PART(where, n, int32_t);
	}
#undef PART
	assert(k <= PARTS);
	return k;
}

size_t forward_bytes(const struct model *m, int max_rows, int max_scored)
{
	struct part part[PARTS];
	int positions = m->cfg.max_positions ? m->cfg.max_positions : 2048;
	int pages = (positions + KV_PAGE - 1) / KV_PAGE;
	int n = list_parts(part, m, max_rows, max_scored, 1, pages, pages * KV_PAGE);
	size_t bytes = 0;
	for (int i = 0; i < n; i++)
		bytes += part[i].count * part[i].size;
	return bytes;
}

static void fill_rope(struct forward *f)
{
	const struct config *c = &f->m->cfg;
	int dims = c->rotary_dim, half = dims / 2;
	double *freq = xmalloc((size_t)half * sizeof *freq);
	float *host = xmalloc(2 * (size_t)ROPE_ROWS * (size_t)half * sizeof *host);
	float *sin = host + (size_t)ROPE_ROWS * (size_t)half;

	ropetable_frequencies(freq, &c->rope, dims);
	for (int from = 0; from < f->max_position; from += ROPE_ROWS) {
		int n = f->max_position - from < ROPE_ROWS ? f->max_position - from : ROPE_ROWS;
		size_t at = (size_t)from * (size_t)half, bytes = (size_t)n * (size_t)half * sizeof(float);
		ropetable_fill(host, sin, freq, ropetable_scale(&c->rope), dims, from, n);
		f->m->ops->put(f->m->dev, f->cos + at, host, bytes);
		f->m->ops->put(f->m->dev, f->sin + at, sin, bytes);
	}
	f->rope = (struct rope){ dims, c->family->rope, f->max_position, f->cos, f->sin };
	free(freq);
	free(host);
}

int forward_open(struct forward **out, struct model *m, int max_rows, int max_scored, int max_sequences, int max_pages_per_sequence,
		 struct err *e)
{
	struct part part[PARTS];
	struct forward *f;

	*out = NULL;
	if (max_rows < 1 || max_scored < 1 || max_sequences < 1 || max_pages_per_sequence < 1)
		return err_set(e, E_RANGE, "a forward pass of %d rows, %d scored, %d sequences, %d pages cannot be", max_rows, max_scored,
			       max_sequences, max_pages_per_sequence);
	if (max_pages_per_sequence > (1 << 30) / KV_PAGE)
		return err_set(e, E_RANGE, "%d pages in a sequence are more than positions can number", max_pages_per_sequence);
	f = xcalloc(1, sizeof *f);
	f->m = m;
	f->max_rows = max_rows;
	f->max_scored = max_scored;
	f->max_sequences = max_sequences;
	f->max_pages = max_pages_per_sequence;
	f->chunk = chunk_rows(m, max_scored);
	f->scale = (float)(dm_pow(m->cfg.head_dim, -0.5) * LOG2E);
	f->max_position = max_pages_per_sequence * KV_PAGE;
	if (m->cfg.family->position == POSITION_LEARNED && f->max_position > m->cfg.max_positions)
		f->max_position = m->cfg.max_positions;

	int n = list_parts(part, m, max_rows, max_scored, max_sequences, max_pages_per_sequence, f->max_position);
	for (int i = 0; i < n; i++) {
		size_t bytes;
		void *p = NULL;
		if (size_mul(part[i].count, part[i].size, &bytes) != 0)
			err_set(e, E_MEMORY, "scratch of %d rows is more than memory can number", max_rows);
		else
			p = m->ops->alloc(m->dev, bytes, e);
		if (!p) {
			forward_close(f);
			return err_wrap(e, "scratch for %d rows, %d scored", max_rows, max_scored);
		}
		memcpy((char *)f + part[i].at, &p, sizeof p);
	}
	if (f->where)
		f->shifted = xmalloc((size_t)max_rows * sizeof *f->shifted);
	else
		fill_rope(f);
	*out = f;
	return 0;
}

void forward_close(struct forward *f)
{
	struct part part[PARTS];

	if (!f)
		return;
	int n = list_parts(part, f->m, f->max_rows, f->max_scored, f->max_sequences, f->max_pages, f->max_position);
	for (int i = 0; i < n; i++) {
		void *p;
		memcpy(&p, (char *)f + part[i].at, sizeof p);
		if (p)
			f->m->ops->release(f->m->dev, p);
	}
	free(f->shifted);
	free(f);
}

/* ---- checks ---- */

static int check(const struct forward *f, const struct cache *c, const struct eval *v, struct err *e)
{
	int vocab = f->m->cfg.vocab;

	if (v->n < 0 || v->n > f->max_rows || v->nscored < 0 || v->nscored > f->max_scored)
		return err_set(e, E_RANGE, "%d rows with %d scored, this pass was opened for %d with %d", v->n, v->nscored, f->max_rows,
			       f->max_scored);
	if (v->sequences < 0 || v->sequences > f->max_sequences || v->ld_table < 0 || v->ld_table > f->max_pages)
		return err_set(e, E_RANGE, "%d sequences of %d pages, this pass was opened for %d of %d", v->sequences, v->ld_table,
			       f->max_sequences, f->max_pages);
	for (int i = 0; i < v->n; i++) {
		if (v->ids[i] < 0 || v->ids[i] >= vocab)
			return err_set(e, E_RANGE, "token id %d is outside the vocabulary of %d", v->ids[i], vocab);
		if (v->seq[i] < 0 || v->seq[i] >= v->sequences)
			return err_set(e, E_RANGE, "row %d belongs to sequence %d of %d", i, v->seq[i], v->sequences);
		if (v->pos[i] < 0 || v->pos[i] >= f->max_position)
			return err_set(e, E_RANGE, "position %d is outside the %d positions that this pass was opened for", v->pos[i],
				       f->max_position);
		if (v->pos[i] / KV_PAGE >= v->ld_table)
			return err_set(e, E_RANGE, "position %d lies behind the %d pages of sequence %d", v->pos[i], v->ld_table, v->seq[i]);
		const int32_t *page = v->table + (size_t)v->seq[i] * (size_t)v->ld_table;
		for (int j = 0; j <= v->pos[i] / KV_PAGE; j++)
			if (page[j] < 0 || page[j] >= c->pages)
				return err_set(e, E_RANGE, "page %d of sequence %d is number %d of %d", j, v->seq[i], page[j], c->pages);
	}
	for (int i = 0; i < v->nscored; i++) {
		if (v->scored[i] < 0 || v->scored[i] >= v->n)
			return err_set(e, E_RANGE, "scored row %d is outside the %d rows of the call", v->scored[i], v->n);
		if (v->target[i] < -1 || v->target[i] >= vocab)
			return err_set(e, E_RANGE, "target id %d is outside the vocabulary of %d", v->target[i], vocab);
		if (v->draw && (!(v->draw[i].scale >= 0 && v->draw[i].scale < 0x1p64) || v->draw[i].top_k < 0))
			return err_set(e, E_RANGE, "a draw with scale %g and top_k %d cannot be", v->draw[i].scale, v->draw[i].top_k);
	}
	return 0;
}

/* ---- the pass ---- */

static struct mat rows(float *p, int n, int d, int ld)
{
	return (struct mat){ p, n, d, (size_t)ld };
}

/* Over each of `parts` equal pieces of a row by itself. */
static void normalise_parts(const struct forward *f, struct mat y, struct mat x, int parts, const struct norm *w)
{
	const struct ops *ops = f->m->ops;
	float eps = (float)f->m->cfg.norm_eps;
	if (f->m->cfg.family->norm == NORM_RMS)
		ops->rmsnorm(f->m->dev, y, x, parts, w->w, eps);
	else
		ops->layernorm(f->m->dev, y, x, parts, w->w, w->b, eps);
}

static void normalise(const struct forward *f, struct mat y, struct mat x, const struct norm *w)
{
	normalise_parts(f, y, x, 1, w);
}

/* Norms on queries or keys: over each head by itself, or over the whole projection. */
static void normalise_heads(const struct forward *f, struct mat x, int heads, const struct norm *w)
{
	if (w->present)
		normalise_parts(f, x, x, f->m->cfg.family->qk_norm == QK_HEAD ? heads : 1, w);
}

/* y = attention over x, which is normed; y may be x */
static void attention(const struct forward *f, struct mat y, struct mat x, const struct kv *kv, const struct batch *b, int layer)
{
	const struct model *m = f->m;
	const struct config *c = &m->cfg;
	const struct block *k = &m->block[layer];
	int d = c->head_dim, nq = c->heads * d, nk = c->kv_heads * d, ld = nq + 2 * nk;
	struct mat qkv = rows(f->qkv, b->n, ld, ld), att = rows(f->att, b->n, nq, nq);
	struct mat q = rows(f->qkv, b->n, nq, ld), key = rows(f->qkv + nq, b->n, nk, ld), val = rows(f->qkv + nq + nk, b->n, nk, ld);
	struct attend a = { .scale = f->scale, .window = c->slides[layer] ? c->window : 0 };

	m->ops->linear(m->dev, qkv, x, &k->qkv);
	normalise_heads(f, q, c->heads, &k->q_norm);
	normalise_heads(f, key, c->kv_heads, &k->k_norm);
	if (c->family->position == POSITION_ROPE && !c->nope[layer]) /* queries and keys lie side by side */
		m->ops->rope(m->dev, rows(f->qkv, b->n, nq + nk, ld), c->heads + c->kv_heads, &f->rope, b->pos);
	m->ops->kv_write(m->dev, kv, key, val, b);
	m->ops->attend(m->dev, att, q, c->heads, kv, &a, b);
	m->ops->linear(m->dev, y, att, &k->out);
}

/* y = mlp(x), x normed; y may be x */
static void mlp(const struct forward *f, struct mat y, struct mat x, int layer)
{
	const struct model *m = f->m;
	const struct block *k = &m->block[layer];
	int inner = m->cfg.inner, ld = k->up.n;
	struct mat all = rows(f->up, x.n, ld, ld), gate = rows(f->up, x.n, inner, ld), up = { 0 };

	m->ops->linear(m->dev, all, x, &k->up);
	if (m->cfg.family->gated)
		up = rows(f->up + inner, x.n, inner, ld);
	m->ops->act(m->dev, gate, gate, up, m->cfg.act, NULL);
	m->ops->linear(m->dev, y, gate, &k->down);
}

static void layer(const struct forward *f, const struct cache *c, const struct batch *b, int i)
{
	const struct model *m = f->m;
	const struct block *k = &m->block[i];
	int width = m->cfg.width;
	struct mat x = rows(f->x, b->n, width, width), h = rows(f->h, b->n, width, width);

	if (m->cfg.parallel) {
		struct mat side = rows(f->side, b->n, width, width);
		normalise(f, h, x, &k->norm1);
		attention(f, side, h, &c->layer[i], b, i);
		if (k->norm2.present)
			normalise(f, h, x, &k->norm2);
		m->ops->add(m->dev, x, side);
		mlp(f, h, h, i);
		m->ops->add(m->dev, x, h);
		return;
	}
	if (k->norm1.present)
		normalise(f, h, x, &k->norm1);
	attention(f, h, k->norm1.present ? h : x, &c->layer[i], b, i);
	if (k->post1.present)
		normalise(f, h, h, &k->post1);
	m->ops->add(m->dev, x, h);
	if (k->norm2.present)
		normalise(f, h, x, &k->norm2);
	mlp(f, h, k->norm2.present ? h : x, i);
	if (k->post2.present)
		normalise(f, h, h, &k->post2);
	m->ops->add(m->dev, x, h);
}

/* Draws for those of the scored rows i..i+n-1 that want it: one call from the first to the last of them. */
static void draw(const struct forward *f, const struct eval *v, int i, int n)
{
	int vocab = f->m->cfg.vocab, end = i + n, zero = i;
	while (i < end && v->draw[i].scale == 0)
		i++;
	while (end > i && v->draw[end - 1].scale == 0)
		end--;
	if (end > i)
		f->m->ops->sample(f->m->dev, f->drawn + i, rows(f->logits + (size_t)(i - zero) * (size_t)vocab, end - i, vocab, vocab),
				  f->draw + i);
}

/* Final norm, head, log-sum-exp and draws of the scored rows. */
static int score(const struct forward *f, const struct eval *v, struct err *e)
{
	const struct model *m = f->m;
	int width = m->cfg.width, vocab = m->cfg.vocab;
	struct mat x = rows(f->x, v->n, width, width);

	for (int i = 0; i < v->nscored; i += f->chunk) {
		int n = v->nscored - i < f->chunk ? v->nscored - i : f->chunk;
		struct mat top = rows(f->top, n, width, width), logits = rows(f->logits, n, vocab, vocab);
		m->ops->gather(m->dev, top, x, f->scored + i);
		normalise(f, top, top, &m->final_norm);
		m->ops->linear(m->dev, logits, top, &m->head);
		m->ops->lse(m->dev, f->lse + i, logits, f->target + i);
		if (v->draw)
			draw(f, v, i, n);
		if (!v->logits)
			continue;
		m->ops->get(m->dev, v->logits + (size_t)i * (size_t)vocab, f->logits, (size_t)n * (size_t)vocab * sizeof(float));
	}
	if (v->nscored)
		m->ops->get(m->dev, v->out, f->lse, (size_t)v->nscored * sizeof *v->out);
	if (v->nscored && v->draw)
		m->ops->get(m->dev, v->drawn, f->drawn, (size_t)v->nscored * sizeof *v->drawn);
	return m->ops->sync(m->dev, e);
}

static int pass(struct forward *f, const struct cache *c, const struct eval *v, struct err *e)
{
	const struct model *m = f->m;
	const struct ops *ops = m->ops;
	size_t n = (size_t)v->n;
	struct mat x = rows(f->x, v->n, m->cfg.width, m->cfg.width), h = rows(f->h, v->n, m->cfg.width, m->cfg.width);
	struct batch b = { v->n, f->ids, f->pos, f->seq, f->table, v->ld_table };

	ops->put(m->dev, f->ids, v->ids, n * sizeof *v->ids);
	ops->put(m->dev, f->pos, v->pos, n * sizeof *v->pos);
	ops->put(m->dev, f->seq, v->seq, n * sizeof *v->seq);
	ops->put(m->dev, f->table, v->table, (size_t)v->sequences * (size_t)v->ld_table * sizeof *v->table);
	if (v->nscored) {
		ops->put(m->dev, f->scored, v->scored, (size_t)v->nscored * sizeof *v->scored);
		ops->put(m->dev, f->target, v->target, (size_t)v->nscored * sizeof *v->target);
		if (v->draw)
			ops->put(m->dev, f->draw, v->draw, (size_t)v->nscored * sizeof *v->draw);
	}
	ops->embed(m->dev, x, &m->embed, f->ids);
	if (f->where) {
		for (size_t i = 0; i < n; i++)
			f->shifted[i] = v->pos[i] + m->cfg.family->position_offset;
		ops->put(m->dev, f->where, f->shifted, n * sizeof *f->shifted);
		ops->embed(m->dev, h, &m->positions, f->where);
		ops->add(m->dev, x, h);
	}
	for (int i = 0; i < m->cfg.layers; i++)
		layer(f, c, &b, i);
	return score(f, v, e);
}

int forward_eval(struct forward *f, struct cache *c, const struct eval *v, struct err *e)
{
	if (check(f, c, v, e) != 0)
		return -1;
	if (!v->n)
		return 0;
	guard_begin("forward_eval");
	int rc = pass(f, c, v, e);
	guard_end();
	return rc;
}
