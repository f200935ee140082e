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
	size_t d = (size_t)c->head_dim, heads = (size_t)c->heads, kv = (size_t)c->kv_heads;
	PART(p, qkv, rows * (heads + 2 * kv) * d, float);
	PART(p, att, rows * heads * d, float);
}

/* Norms on queries or keys: over each head by itself, or over the whole projection. */
static void normalise_heads(const struct forward *f, struct mat x, int heads, const struct norm *w)
{
	if (w->present)
		forward_norm_parts(f, x, x, f->m->cfg.family->qk_norm == QK_HEAD ? heads : 1, w);
}

void block_attention(const struct forward *f, struct mat y, struct mat x, const struct kv *kv, const struct batch *b, int layer)
{
	const struct model *m = f->m;
	const struct config *c = &m->cfg;
	const struct block *k = &m->block[layer];
	int d = c->head_dim, nq = c->heads * d, nk = c->kv_heads * d, ld = nq + 2 * nk;
	struct mat qkv = rows_of(f->qkv, b->n, ld, ld), att = rows_of(f->att, b->n, nq, nq);
	struct mat q = rows_of(f->qkv, b->n, nq, ld), key = rows_of(f->qkv + nq, b->n, nk, ld), val = rows_of(f->qkv + nq + nk, b->n, nk, ld);
	struct attend a = { .scale = (float)(dm_pow(d, -0.5) * LOG2E), .window = c->slides[layer] ? c->window : 0 };

	m->ops->linear(m->dev, qkv, x, &k->qkv);
	normalise_heads(f, q, c->heads, &k->q_norm);
	normalise_heads(f, key, c->kv_heads, &k->k_norm);
	if (c->position == POSITION_ROPE && !c->nope[layer]) /* queries and keys lie side by side */
		m->ops->rope(m->dev, rows_of(f->qkv, b->n, nq + nk, ld), c->heads + c->kv_heads, &f->rope[c->table[layer]], b->pos);
	m->ops->kv_write(m->dev, kv, key, val, b);
	m->ops->attend(m->dev, att, q, c->heads, kv, &a, b);
	m->ops->linear(m->dev, y, att, &k->out);
}
