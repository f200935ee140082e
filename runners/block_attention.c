/* block_attention.c - attention with query, key and value heads.
 *
 *     qkv   [n][(h + 2 hk) d]      queries, keys, values side by side
 *     att   [n][h d]               attention's output
 */
#include "runners/forward_int.h"

#include "kernels/base/dmath.h"

void attention_parts(struct parts *p, const struct model *m, size_t rows)
{
	const struct config *c = &m->cfg;
	size_t wide = 0, heads = 0;
	for (int i = 0; m->block && i < c->layers; i++) {
		const struct block *k = &m->block[i];
		if (c->mixer[i] != MIX_ATTENTION && c->mixer[i] != MIX_BOTH)
			continue;
		wide = (size_t)k->qkv.n > wide ? (size_t)k->qkv.n : wide;
		heads = (size_t)k->out.k > heads ? (size_t)k->out.k : heads;
	}
	if (!wide)
		return;
	PART(p, qkv, rows * wide, float);
	PART(p, att, rows * heads, float);
}

/* A norm with weights of its own for each head. */
static void normalise_own(const struct forward *f, struct mat x, int heads, const struct norm *w)
{
	int d = x.d / heads;
	for (int h = 0; h < heads; h++) {
		struct mat one = columns(x, h * d, d);
		struct norm own = { w->w + h * d, w->b ? w->b + h * d : NULL, true };
		forward_norm(f, one, one, &own);
	}
}

static void normalise_heads(const struct forward *f, struct mat x, int heads, const struct norm *w)
{
	enum qk_norm how = f->m->cfg.qk_norm;
	if (how == QK_PLAIN)
		f->m->ops->rmsnorm(f->m->dev, x, x, heads, NULL, (float)f->m->cfg.norm_eps);
	else if (how == QK_OWN && w->present)
		normalise_own(f, x, heads, w);
	else if (w->present)
		forward_norm_parts(f, x, x, how == QK_PROJECTION ? 1 : heads, w);
}

static struct attend scores(const struct model *m, int layer)
{
	const struct config *c = &m->cfg;
	double scale = c->score_scale != 0 ? c->score_scale : dm_pow(layer_head_dim(c, layer), -0.5);
	if (c->score_by_layer)
		scale /= layer + 1;
	struct attend a = { .softcap = (float)c->score_cap, .slopes = m->slopes, .sinks = m->block[layer].sinks,
			    .window = c->slides[layer] ? c->window : 0, .chunk = c->slides[layer] ? c->chunk : 0,
			    .rounded_bias = m->slopes && c->family->alibi == ALIBI_FALCON };
	a.scale = (float)(a.softcap != 0 || a.slopes ? scale : scale * LOG2E);
	return a;
}

void block_attention(const struct forward *f, struct mat y, struct mat x, const struct kv *kv, const struct batch *b, int layer)
{
	const struct model *m = f->m;
	const struct config *c = &m->cfg;
	const struct block *k = &m->block[layer];
	bool own = !c->kv_back[layer];
	int d = layer_head_dim(c, layer), hk = layer_kv_heads(c, layer), nq = c->heads * d, nk = own ? hk * d : 0, ld = k->qkv.n;
	struct mat qkv = rows_of(f->qkv, b->n, ld, ld), att = rows_of(f->att, b->n, nq, nq);
	struct mat q = columns(qkv, 0, nq), key = columns(qkv, nq, nk), val = columns(qkv, nq + nk, nk);
	struct mat turned = columns(qkv, 0, nq + nk); /* queries and keys lie side by side */
	struct attend a = scores(m, layer);
	bool rotary = c->position == POSITION_ROPE && !c->nope[layer];
	bool after = c->qk_norm == QK_HEAD_AFTER || c->qk_norm == QK_PLAIN;

	m->ops->linear(m->dev, qkv, x, &k->qkv);
	if (c->mamba.key_scale != 0 && c->mamba.key_scale != 1)
		m->ops->scale(m->dev, key, (float)c->mamba.key_scale);
	if (!after) {
		normalise_heads(f, q, c->heads, &k->q_norm);
		if (own)
			normalise_heads(f, key, hk, &k->k_norm);
	}
	if (own && c->value_norm)
		m->ops->rmsnorm(m->dev, val, val, hk, NULL, (float)c->norm_eps);
	if (c->clip_qkv > 0)
		m->ops->clip(m->dev, qkv, (float)c->clip_qkv);
	if (rotary)
		m->ops->rope(m->dev, turned, c->heads + (own ? hk : 0), &f->rope[c->table[layer]], f->turn ? f->turn : b->pos);
	if (after && (rotary || c->qk_norm != QK_PLAIN)) {
		normalise_heads(f, q, c->heads, &k->q_norm);
		normalise_heads(f, key, hk, &k->k_norm);
	}
	if (f->growth && (!c->q_nope_only || c->nope[layer]))
		m->ops->scale_rows(m->dev, q, f->growth, b->pos);
	if (own)
		m->ops->kv_write(m->dev, kv, key, val, b);
	m->ops->attend(m->dev, att, q, c->heads, kv, &a, b);
	if (c->gated_attention) {
		struct mat gate = columns(qkv, nq + 2 * nk, nq);
		m->ops->act(m->dev, gate, gate, att, ACT_SIGMOID, NULL);
		att = gate;
	}
	m->ops->linear(m->dev, y, att, &k->out);
}
