/* block_recurrent.c - layers with a recurrent state.
 *
 *     wide   [n][rows of the linear layer in]   what goes in
 *     mixed  [n][channels of the convolution]   its output
 *     inner  [n][heads x channels]              the recurrence's output
 */
#include "runners/forward_int.h"

#include <string.h>

void recurrent_parts(struct parts *p, const struct model *m, size_t rows)
{
	size_t wide = 0, mixed = 0, inner = 0;
	for (int i = 0; m->block && i < m->cfg.layers; i++) {
		const struct recurrent *r = m->block[i].rec;
		if (!r)
			continue;
		wide = (size_t)r->in.n > wide ? (size_t)r->in.n : wide;
		mixed = (size_t)r->conv.d > mixed ? (size_t)r->conv.d : mixed;
		inner = (size_t)r->out.k > inner ? (size_t)r->out.k : inner;
	}
	if (!wide)
		return;
	PART(p, wide, rows * wide, float);
	PART(p, mixed, rows * (mixed ? mixed : 1), float);
	PART(p, inner, rows * inner, float);
}

/* The gated delta rule (qwen3_next): queries and keys brought to length 1, output normed by head and gated by z. */
void block_delta(const struct forward *f, struct mat y, struct mat x, const struct layer_states *s, const struct batch *b, int layer)
{
	const struct model *m = f->m;
	const struct ops *ops = m->ops;
	const struct recurrent *r = m->block[layer].rec;
	const struct delta *d = &r->delta;
	int qk = d->hk * d->dk, v = d->hv * d->dv;
	struct mat wide = rows_of(f->wide, x.n, r->in.n, r->in.n), mixed = rows_of(f->mixed, x.n, 2 * qk + v, 2 * qk + v);
	struct mat q = columns(mixed, 0, qk), k = columns(mixed, qk, qk), o = rows_of(f->inner, x.n, v, v);
	struct mat z = columns(wide, 2 * qk + v, v), beta = columns(wide, 2 * qk + 2 * v, d->hv), alpha = columns(wide, 2 * qk + 2 * v + d->hv, d->hv);
	float eps = 1e-6f / (float)d->dk; /* of a sum of squares, as one of their mean */

	ops->linear(m->dev, wide, x, &r->in);
	ops->conv(m->dev, mixed, columns(wide, 0, 2 * qk + v), &r->conv, &s->conv, b);
	ops->rmsnorm(m->dev, q, q, d->hk, r->q_unit, eps);
	ops->rmsnorm(m->dev, k, k, d->hk, r->k_unit, eps);
	ops->delta(m->dev, o, q, k, columns(mixed, 2 * qk, v), alpha, beta, d, &s->main, b);
	ops->rmsnorm(m->dev, o, o, d->hv, r->norm, (float)m->cfg.norm_eps);
	ops->act(m->dev, z, z, o, ACT_SILU, NULL);
	ops->linear(m->dev, y, z, &r->out);
}

/* Mamba-2 (Dao and Gu, 2024, arXiv:2405.21060): the output is gated by z, then normed over each group's channels. */
void block_mamba(const struct forward *f, struct mat y, struct mat x, const struct layer_states *s, const struct batch *b, int layer)
{
	const struct model *m = f->m;
	const struct ops *ops = m->ops;
	const struct recurrent *r = m->block[layer].rec;
	const struct ssm *c = &r->ssm;
	int inner = c->heads * c->d, side = c->groups * c->n, all = inner + 2 * side, part = inner / c->groups;
	struct mat wide = rows_of(f->wide, x.n, r->in.n, r->in.n), mixed = rows_of(f->mixed, x.n, all, all), o = rows_of(f->inner, x.n, inner, inner);
	struct mat z = columns(wide, 0, inner);
	const int width[5] = { inner, inner, side, side, c->heads };

	ops->linear(m->dev, wide, x, &r->in);
	for (int i = 0, at = 0; i < 5; at += width[i++])
		if (m->cfg.mamba.scale[i] != 1)
			ops->scale(m->dev, columns(wide, at, width[i]), (float)m->cfg.mamba.scale[i]);
	ops->conv(m->dev, mixed, columns(wide, inner, all), &r->conv, &s->conv, b);
	ops->ssm(m->dev, o, columns(mixed, 0, inner), columns(mixed, inner, side), columns(mixed, inner + side, side),
		 columns(wide, inner + all, c->heads), c, &s->main, b);
	struct mat normed = m->cfg.mamba.norm_first ? o : z;
	if (!m->cfg.mamba.norm_first)
		ops->act(m->dev, z, z, o, ACT_SILU, NULL);
	for (int g = 0; g < c->groups && r->norm; g++) {
		struct mat one = columns(normed, g * part, part);
		ops->rmsnorm(m->dev, one, one, 1, r->norm + g * part, (float)m->cfg.norm_eps);
	}
	if (m->cfg.mamba.norm_first)
		ops->act(m->dev, z, z, o, ACT_SILU, NULL);
	ops->linear(m->dev, y, z, &r->out);
}

/* The gated short convolution (lfm2): out(C * conv(B * x)). */
void block_conv(const struct forward *f, struct mat y, struct mat x, const struct layer_states *s, const struct batch *b, int layer)
{
	const struct model *m = f->m;
	const struct ops *ops = m->ops;
	const struct recurrent *r = m->block[layer].rec;
	int w = m->cfg.width;
	struct mat wide = rows_of(f->wide, x.n, 3 * w, 3 * w), mixed = rows_of(f->mixed, x.n, w, w);
	struct mat before = columns(wide, 0, w), after = columns(wide, w, w);

	ops->linear(m->dev, wide, x, &r->in);
	ops->act(m->dev, before, before, columns(wide, 2 * w, w), ACT_NONE, NULL);
	ops->conv(m->dev, mixed, before, &r->conv, &s->conv, b);
	ops->act(m->dev, after, after, mixed, ACT_NONE, NULL);
	ops->linear(m->dev, y, after, &r->out);
}

/* Lightning attention (MiniMax): S = e^-slope S + k v^T, o = q S, q, k and v through SiLU; the output normed over all heads and gated. */
void block_lightning(const struct forward *f, struct mat y, struct mat x, const struct layer_states *s, const struct batch *b, int layer)
{
	const struct model *m = f->m;
	const struct ops *ops = m->ops;
	const struct recurrent *r = m->block[layer].rec;
	int n = r->ssm.heads * r->ssm.d;
	struct mat wide = rows_of(f->wide, x.n, 4 * n, 4 * n), qkv = columns(wide, 0, 3 * n), gate = columns(wide, 3 * n, n);
	struct mat o = rows_of(f->inner, x.n, n, n);

	ops->linear(m->dev, wide, x, &r->in);
	ops->act(m->dev, qkv, qkv, (struct mat){ 0 }, ACT_SILU, NULL);
	ops->ssm(m->dev, o, columns(wide, 2 * n, n), columns(wide, n, n), columns(wide, 0, n), (struct mat){ 0 }, &r->ssm, &s->main, b);
	ops->rmsnorm(m->dev, o, o, 1, r->norm, 1e-6f);
	ops->act(m->dev, gate, gate, o, ACT_SIGMOID, NULL);
	ops->linear(m->dev, y, gate, &r->out);
}
