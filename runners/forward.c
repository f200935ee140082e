/* forward.c - the one forward pass: rows of any mix of sequences and positions through every layer, by the switches of the
 * family's row.
 *
 * A row is one token of one sequence at one position. Its keys and values are written before attention, so that rows of one
 * call see each other as earlier rows of other calls; no result of a row depends on which other rows are in the call
 * (NUMERICS.md). Only rows that score something go through the final norm and the head, a chunk at a time, and what is
 * left of a row of logits is a struct lse and a drawn token; whole rows leave the device only when asked for.
 *
 * All scratch is made at open (forward_open.c). A call first checks every index against its bounds - ids, positions, pages,
 * scored rows - and then cannot fail but for the device itself.
 *
 *     x     [n][width]             residual stream
 *     h     [n][width]             normed input, later a branch's output
 *     side  [n][width]             parallel residual: the output of attention while the MLP runs; the experts' until the next layer ends, or until
 *                               the dense part's is added
 *     top   [chunk][width], logits [chunk][vocab]
 */
#include "runners/forward_int.h"

#include <assert.h>
#include <stdlib.h>

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
	for (int i = 0; i < v->n && f->from; i++) {
		if (!v->from || !v->to || (i == 0 && v->from[i] == STATE_CHAIN))
			return err_set(e, E_RANGE, "row %d has no state to start from", i);
		if (v->from[i] < STATE_CHAIN || v->from[i] >= c->states || v->to[i] < -1 || v->to[i] >= c->states)
			return err_set(e, E_RANGE, "row %d reads state %d and writes state %d of %d", i, v->from[i], v->to[i], c->states);
		if (v->from[i] == STATE_CHAIN && (v->seq[i] != v->seq[i - 1] || v->pos[i] != v->pos[i - 1] + 1))
			return err_set(e, E_RANGE, "row %d does not follow the row before it", i);
	}
	for (int i = 0; i < v->nscored; i++) {
		if (v->scored[i] < 0 || v->scored[i] >= v->n)
			return err_set(e, E_RANGE, "scored row %d is outside the %d rows of the call", v->scored[i], v->n);
		if (v->target[i] < -1 || v->target[i] >= vocab)
			return err_set(e, E_RANGE, "target id %d is outside the vocabulary of %d", v->target[i], vocab);
		if (v->draw && (!(v->draw[i].scale >= 0 && v->draw[i].scale < 0x1p64) || v->draw[i].top_k < 0))
			return err_set(e, E_RANGE, "a draw with scale %g and top_k %d cannot be", v->draw[i].scale, v->draw[i].top_k);
		if (v->penalty && !(v->penalty[i] > 0 && v->penalty[i] < 0x1p64f))
			return err_set(e, E_RANGE, "a repetition penalty of %g cannot be", v->penalty[i]);
	}
	return 0;
}

/* ---- the pass ---- */

void forward_norm_parts(const struct forward *f, struct mat y, struct mat x, int parts, const struct norm *w)
{
	const struct ops *ops = f->m->ops;
	float eps = (float)f->m->cfg.norm_eps;
	if (f->m->cfg.family->norm == NORM_RMS)
		ops->rmsnorm(f->m->dev, y, x, parts, w->w, eps);
	else
		ops->layernorm(f->m->dev, y, x, parts, w->w, w->b, eps);
}

void forward_norm(const struct forward *f, struct mat y, struct mat x, const struct norm *w)
{
	forward_norm_parts(f, y, x, 1, w);
}

/* Attention and Mamba-2 side by side on one input, x, which does not keep its values. */
static void mix_both(const struct forward *f, struct mat y, struct mat x, const struct cache *c, const struct batch *b, int i)
{
	const struct model *m = f->m;
	const struct mamba_config *s = &m->cfg.mamba;
	struct mat side = rows_of(f->side, x.n, x.d, x.d);

	if (s->attention_in != 1)
		m->ops->scale(m->dev, x, (float)s->attention_in);
	block_attention(f, side, x, &c->layer[i], b, i);
	if (s->in_scale != s->attention_in)
		m->ops->scale(m->dev, x, (float)(s->in_scale / s->attention_in));
	block_mamba(f, y, x, &c->state[i], b, i);
	if (s->out_scale != 1)
		m->ops->scale(m->dev, y, (float)s->out_scale);
	m->ops->axpy(m->dev, y, side, (float)s->attention_out);
}

/* y = what mixes positions in layer i, of x; y may be x */
static void mix(const struct forward *f, struct mat y, struct mat x, const struct cache *c, const struct batch *b, int i)
{
	switch ((enum mixer)f->m->cfg.mixer[i]) {
	case MIX_ATTENTION: block_attention(f, y, x, &c->layer[i - f->m->cfg.kv_back[i]], b, i); break;
	case MIX_DELTA: block_delta(f, y, x, &c->state[i], b, i); break;
	case MIX_MAMBA: block_mamba(f, y, x, &c->state[i], b, i); break;
	case MIX_MLA: block_mla(f, y, x, &c->layer[i], b, i); break;
	case MIX_CONV: block_conv(f, y, x, &c->state[i], b, i); break;
	case MIX_LIGHTNING: block_lightning(f, y, x, &c->state[i], b, i); break;
	case MIX_BOTH: mix_both(f, y, x, c, b, i); break;
	default: assert(!"a mixer"); break;
	}
}

/* y = the feed-forward part of layer i, of x; y may be x */
static void feed(const struct forward *f, struct mat y, struct mat x, int i)
{
	switch ((enum ff)f->m->cfg.ff[i]) {
	case FF_DENSE: block_mlp(f, y, x, i); break;
	case FF_MOE: block_moe(f, y, x, i); break;
	case FF_SHORTCUT:
		block_moe(f, rows_of(f->side, x.n, f->m->cfg.width, f->m->cfg.width), x, i);
		block_mlp(f, y, x, i);
		break;
	case FF_BESIDE: block_beside(f, y, x, i); break;
	default: assert(!"a feed-forward part"); break;
	}
}

static void add_branch(const struct forward *f, struct mat x, struct mat h)
{
	const struct model *m = f->m;
	if (m->cfg.branch_scale == 1)
		m->ops->add(m->dev, x, h);
	else
		m->ops->axpy(m->dev, x, h, (float)m->cfg.branch_scale);
}

/* What a branch reads: the normed stream in h; or the stream itself, normed in place where it goes on from there, or as it is. */
static struct mat branch_input(const struct forward *f, struct mat h, struct mat x, const struct norm *before)
{
	if (!before->present || f->m->cfg.norm_after)
		return x;
	struct mat to = f->m->cfg.residual_normed ? x : h;
	forward_norm(f, to, x, before);
	return to;
}

/* x + post(h), h a branch's output; where norms stand behind the sum, the norm of that */
static void branch_output(const struct forward *f, struct mat x, struct mat h, const struct norm *before, const struct norm *post, int kind)
{
	const struct model *m = f->m;
	const struct config *c = &m->cfg;
	if (post->present)
		forward_norm(f, h, h, post);
	if (c->residual_normed && (c->keep[kind] != 1 || c->gain[kind] != 1)) {
		m->ops->scale(m->dev, x, (float)c->keep[kind]);
		m->ops->axpy(m->dev, x, h, (float)c->gain[kind]);
	} else {
		add_branch(f, x, h);
	}
	if (f->m->cfg.norm_after && before->present)
		forward_norm(f, x, x, before);
}

static void layer(const struct forward *f, const struct cache *c, const struct batch *b, int i)
{
	const struct model *m = f->m;
	const struct block *k = &m->block[i];
	int width = m->cfg.width;
	struct mat x = rows_of(f->x, b->n, width, width), h = rows_of(f->h, b->n, width, width);

	if (m->cfg.parallel) {
		struct mat side = rows_of(f->side, b->n, width, width);
		forward_norm(f, h, x, &k->norm1);
		mix(f, side, h, c, b, i);
		if (k->norm2.present)
			forward_norm(f, h, x, &k->norm2);
		add_branch(f, x, side);
		feed(f, h, h, i);
		add_branch(f, x, h);
		return;
	}
	if (m->cfg.mixer[i] != MIX_NONE) {
		mix(f, h, branch_input(f, h, x, &k->norm1), c, b, i);
		branch_output(f, x, h, &k->norm1, &k->post1, m->cfg.mixer[i] != MIX_ATTENTION);
	}
	if (m->cfg.ff[i] != FF_NONE) {
		feed(f, h, branch_input(f, h, x, &k->norm2), i);
		branch_output(f, x, h, &k->norm2, &k->post2, 2);
	}
	if (i > 0 && m->cfg.ff[i - 1] == FF_SHORTCUT)
		add_branch(f, x, rows_of(f->side, b->n, width, width));
	if (m->cfg.layer_input)
		block_layer_input(f, x, h, i);
	if (k->scale != 1)
		m->ops->scale(m->dev, x, k->scale);
}

static bool drawn(const struct eval *v, int i)
{
	return v->draw[i].scale != 0 || (v->penalty && v->penalty[i] != 1);
}

/* Draws for those of the scored rows i..i+n-1 that want it: one call from the first to the last of them. */
static void draw(const struct forward *f, const struct eval *v, int i, int n)
{
	const struct ops *ops = f->m->ops;
	int vocab = f->m->cfg.vocab, end = i + n, zero = i;
	size_t words = seen_words(vocab);
	if (v->penalty) {
		ops->put(f->m->dev, f->seen, v->seen + (size_t)i * words, (size_t)n * words * sizeof *f->seen);
		ops->penalise(f->m->dev, rows_of(f->logits, n, vocab, vocab), f->seen, f->penalty + i);
	}
	while (i < end && !drawn(v, i))
		i++;
	while (end > i && !drawn(v, end - 1))
		end--;
	if (end > i)
		ops->sample(f->m->dev, f->drawn + i, rows_of(f->logits + (size_t)(i - zero) * (size_t)vocab, end - i, vocab, vocab), f->draw + i);
}

/* Final norm, head, log-sum-exp and draws of the scored rows. */
static int score(const struct forward *f, const struct eval *v, struct err *e)
{
	const struct model *m = f->m;
	int width = m->cfg.width, vocab = m->cfg.vocab;
	struct mat x = rows_of(f->x, v->n, width, width);

	for (int i = 0; i < v->nscored; i += f->chunk) {
		int n = v->nscored - i < f->chunk ? v->nscored - i : f->chunk;
		struct mat top = rows_of(f->top, n, width, width), logits = rows_of(f->logits, n, vocab, vocab);
		m->ops->gather(m->dev, top, x, f->scored + i);
		if (m->final_norm.present)
			forward_norm(f, top, top, &m->final_norm);
		if (m->cfg.embed_width) {
			struct mat narrow = rows_of(f->narrow, n, m->cfg.embed_width, m->cfg.embed_width);
			m->ops->linear(m->dev, narrow, top, &m->project_out);
			top = narrow;
		}
		m->ops->linear(m->dev, logits, top, &m->head);
		if (m->cfg.logit_scale != 1)
			m->ops->scale(m->dev, logits, (float)m->cfg.logit_scale);
		if (m->cfg.logit_cap != 0)
			m->ops->softcap(m->dev, logits, (float)m->cfg.logit_cap);
		m->ops->lse(m->dev, f->lse + i, logits, f->target + i);
		if (v->logits)
			m->ops->get(m->dev, v->logits + (size_t)i * (size_t)vocab, f->logits, (size_t)n * (size_t)vocab * sizeof(float));
		if (v->draw)
			draw(f, v, i, n); /* penalties change the logits */
	}
	if (v->nscored)
		m->ops->get(m->dev, v->out, f->lse, (size_t)v->nscored * sizeof *v->out);
	if (v->nscored && v->draw)
		m->ops->get(m->dev, v->drawn, f->drawn, (size_t)v->nscored * sizeof *v->drawn);
	return m->ops->sync(m->dev, e);
}

/* Rows of an int32 array on the device: pos + offset, or for far rows pos + further. */
static void put_shifted(struct forward *f, int32_t *to, const struct eval *v, int offset, int further)
{
	for (int i = 0; i < v->n; i++)
		f->shifted[i] = v->pos[i] + (v->far && v->far[i] ? further : offset);
	f->m->ops->put(f->m->dev, to, f->shifted, (size_t)v->n * sizeof *to);
}

/* x = what enters the first layer */
static void embed(struct forward *f, struct mat x, const struct eval *v)
{
	const struct model *m = f->m;
	const struct config *c = &m->cfg;
	const struct ops *ops = m->ops;
	struct mat h = rows_of(f->h, v->n, c->width, c->width);

	if (c->embed_width) {
		struct mat narrow = rows_of(f->narrow, v->n, c->embed_width, c->embed_width);
		ops->embed(m->dev, narrow, &m->embed, f->ids);
		ops->linear(m->dev, x, narrow, &m->project_in);
	} else {
		ops->embed(m->dev, x, &m->embed, f->ids);
	}
	if (c->embed_scale != 1)
		ops->scale(m->dev, x, (float)c->embed_scale);
	if (f->where) {
		put_shifted(f, f->where, v, c->family->position_offset, c->family->position_offset);
		ops->embed(m->dev, h, &m->positions, f->where);
		ops->add(m->dev, x, h);
	}
	if (c->layer_input)
		layer_inputs(f, x);
	if (f->turn)
		put_shifted(f, f->turn, v, 0, f->max_position);
}

/* Where states come from and go, and which rows are runs. */
static void put_runs(struct forward *f, struct batch *b, const struct eval *v)
{
	const struct model *m = f->m;
	int n = 0;
	for (int i = 0; i < v->n; i++)
		if (v->from[i] != STATE_CHAIN)
			f->runs[n++] = i;
	f->runs[n] = v->n;
	b->runs = n;
	b->run = f->run;
	b->from = f->from;
	b->to = f->to;
	m->ops->put(m->dev, f->run, f->runs, (size_t)(n + 1) * sizeof *f->run);
	m->ops->put(m->dev, f->from, v->from, (size_t)v->n * sizeof *v->from);
	m->ops->put(m->dev, f->to, v->to, (size_t)v->n * sizeof *v->to);
}

static int pass(struct forward *f, const struct cache *c, const struct eval *v, struct err *e)
{
	const struct model *m = f->m;
	const struct ops *ops = m->ops;
	size_t n = (size_t)v->n;
	struct mat x = rows_of(f->x, v->n, m->cfg.width, m->cfg.width);
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
		if (v->draw && v->penalty)
			ops->put(m->dev, f->penalty, v->penalty, (size_t)v->nscored * sizeof *v->penalty);
	}
	if (f->from)
		put_runs(f, &b, v);
	embed(f, x, v);
	if (m->embed_norm.present)
		forward_norm(f, x, x, &m->embed_norm);
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
	if (moe_error(f, e) != 0)
		rc = -1;
	guard_end();
	return rc;
}
