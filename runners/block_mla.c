/* block_mla.c - multi-head latent attention (DeepSeek-V2, arXiv:2405.04434), absorbed: keys and values stay latents.
 *
 * A position keeps its normed latent and one rotated key part for all heads. A head's query goes to the latents' channels before
 * attention, its output leaves them after it; keys and values of a head are never made. Prefill and decoding compute the same.
 *
 *     down  [n][q rank + kv rank + rope]   what comes from the stream
 *     nope  [m][h nope], rope [m][h rope]  a head's query: its part without position, its rotated part
 *     q     [m][h (kv rank + rope)]        the query as attention sees it
 *     o     [m][h kv rank]                 attention's output;   v [m][h value] that of the heads
 *
 * Behind the cache rows are taken m at a time, for a query is wide here: 73728 floats in DeepSeek V3.
 */
#include "runners/forward_int.h"

#define INNER_EPS 1e-6f      /* of the norms inside, whatever config.json says */
#define QUERY_FLOATS (1 << 24)

static bool has_mla(const struct config *c)
{
	for (int i = 0; i < c->layers; i++)
		if (c->mixer[i] == MIX_MLA)
			return true;
	return false;
}

static int rows_at_once(const struct config *c)
{
	int n = QUERY_FLOATS / (c->heads * (c->mla.kv_rank + c->mla.rope));
	return n > 1 ? n : 1;
}

void mla_parts(struct parts *p, const struct model *m, size_t rows)
{
	const struct config *c = &m->cfg;
	const struct mla_config *a = &c->mla;
	size_t heads = (size_t)c->heads, kv = (size_t)a->kv_rank, most;

	if (!has_mla(c))
		return;
	most = (size_t)rows_at_once(c) < rows ? (size_t)rows_at_once(c) : rows;
	PART(p, mla.down, rows * ((size_t)a->q_rank + kv + (size_t)a->rope), float);
	PART(p, mla.nope, most * heads * (size_t)a->nope, float);
	PART(p, mla.rope, most * heads * (size_t)a->rope, float);
	PART(p, mla.q, most * heads * (kv + (size_t)a->rope), float);
	PART(p, mla.o, most * heads * kv, float);
	PART(p, mla.v, most * heads * (size_t)a->value, float);
}

static struct mat rows_from(struct mat m, int at, int n)
{
	return (struct mat){ m.p + (size_t)at * m.ld, n, m.d, m.ld };
}

/* y of some rows, their keys and values written: x is what queries come from, pos the rows of the rotary table. */
static void attend_rows(const struct forward *f, struct mat y, struct mat x, const struct kv *kv, const struct batch *b, const int32_t *pos, int layer)
{
	const struct model *m = f->m;
	const struct ops *ops = m->ops;
	const struct config *c = &m->cfg;
	const struct mla_config *d = &c->mla;
	const struct mla *k = m->block[layer].mla;
	int h = c->heads, n = x.n, wide = d->kv_rank + d->rope;
	struct mat nope = rows_of(f->mla.nope, n, h * d->nope, h * d->nope), rope = rows_of(f->mla.rope, n, h * d->rope, h * d->rope);
	struct mat q = rows_of(f->mla.q, n, h * wide, h * wide), o = rows_of(f->mla.o, n, h * d->kv_rank, h * d->kv_rank);
	struct mat v = rows_of(f->mla.v, n, h * d->value, h * d->value);
	struct attend a = { .scale = (float)(c->score_scale * LOG2E) };

	ops->linear(m->dev, nope, x, &k->nope);
	ops->linear(m->dev, rope, x, &k->rope);
	ops->rope(m->dev, rope, h, &f->rope[c->table[layer]], pos);
	for (int i = 0; i < h; i++)
		ops->linear(m->dev, columns(q, i * wide, d->kv_rank), columns(nope, i * d->nope, d->nope), &k->key[i]);
	/* a head is a row here: its rotated part goes behind its latent one */
	ops->act(m->dev, rows_of(f->mla.q + d->kv_rank, n * h, d->rope, wide), rows_of(f->mla.rope, n * h, d->rope, d->rope), (struct mat){ 0 },
		 ACT_NONE, NULL);
	ops->attend(m->dev, o, q, h, kv, &a, b);
	for (int i = 0; i < h; i++)
		ops->linear(m->dev, columns(v, i * d->value, d->value), columns(o, i * d->kv_rank, d->kv_rank), &k->value[i]);
	ops->linear(m->dev, y, v, &m->block[layer].out);
}

void block_mla(const struct forward *f, struct mat y, struct mat x, const struct kv *kv, const struct batch *b, int layer)
{
	const struct model *m = f->m;
	const struct ops *ops = m->ops;
	const struct config *c = &m->cfg;
	const struct mla_config *d = &c->mla;
	const struct mla *k = m->block[layer].mla;
	int ld = k->down.n, most = rows_at_once(c);
	struct mat down = rows_of(f->mla.down, x.n, ld, ld), low = columns(down, 0, d->q_rank), key = columns(down, d->q_rank, d->kv_rank + d->rope);
	struct mat latent = columns(key, 0, d->kv_rank), from = d->q_rank ? low : x;
	const int32_t *pos = f->turn ? f->turn : b->pos;

	ops->linear(m->dev, down, x, &k->down);
	if (d->q_rank)
		ops->rmsnorm(m->dev, low, low, 1, k->q_norm, INNER_EPS);
	ops->rmsnorm(m->dev, latent, latent, 1, k->kv_norm, INNER_EPS);
	if (d->kv_scale != 1)
		ops->scale(m->dev, latent, (float)d->kv_scale);
	ops->rope(m->dev, columns(key, d->kv_rank, d->rope), 1, &f->rope[c->table[layer]], pos);
	ops->kv_write(m->dev, kv, key, latent, b);
	for (int at = 0; at < x.n; at += most) {
		int n = x.n - at < most ? x.n - at : most;
		struct batch some = { .n = n, .ids = b->ids + at, .pos = b->pos + at, .seq = b->seq + at, .table = b->table, .ld_table = b->ld_table };
		attend_rows(f, rows_from(y, at, n), rows_from(from, at, n), kv, &some, pos + at, layer);
	}
}
