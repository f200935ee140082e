/* bind_attention.c - the tensors of an attention layer with query, key and value heads. */
#include "runners/bind.h"

#include <stdlib.h>

#define WHY_Q "num_attention_heads x head_dim, hidden_size"
#define WHY_KV "num_key_value_heads x head_dim, hidden_size"

/* Rows of [key/value head][its query heads, k, v][d], as pieces of [all q][all k][all v]. */
static int grouped(struct binder *b, struct linear *out, const struct piece *all, struct err *e)
{
	const struct config *c = b->c;
	int d = c->head_dim, q = c->heads * d, kv = c->kv_heads * d, g = c->heads / c->kv_heads;
	struct piece *p = xcalloc((size_t)c->kv_heads * 3, sizeof *p);
	for (int j = 0; j < c->kv_heads; j++) {
		int row = j * (g + 2) * d;
		const struct { int row0, rows, n0; } part[3] = {
			{ row, g * d, j * g * d }, { row + g * d, d, q + j * d }, { row + (g + 1) * d, d, q + kv + j * d },
		};
		for (int i = 0; i < 3; i++) {
			p[3 * j + i] = *all;
			p[3 * j + i].row0 = part[i].row0;
			p[3 * j + i].rows = part[i].rows;
			p[3 * j + i].n0 = part[i].n0;
		}
	}
	int rc = bind_linear_of(b, out, q + 2 * kv, c->width, p, 3 * c->kv_heads, e);
	free(p);
	return rc;
}

/* Query, key and value as one layer, rows [all q][all k][all v]. */
static int bind_qkv(struct binder *b, struct linear *out, int layer, struct err *e)
{
	const struct config *c = b->c;
	int d = c->head_dim, q = c->heads * d, kv = c->kv_heads * d, n = q + 2 * kv;
	struct piece all, part[3];

	if (!family_role(b->f, R_QKV)) {
		if (bind_piece(b, &part[0], R_Q, layer, q, c->width, WHY_Q, e) != 0 ||
		    bind_piece(b, &part[1], R_K, layer, kv, c->width, WHY_KV, e) != 0 ||
		    bind_piece(b, &part[2], R_V, layer, kv, c->width, WHY_KV, e) != 0)
			return -1;
		part[1].n0 = q;
		part[2].n0 = q + kv;
		return bind_linear_of(b, out, n, c->width, part, 3, e);
	}
	if (bind_piece(b, &all, R_QKV, layer, n, c->width, "(num_attention_heads + 2 num_key_value_heads) x head_dim, hidden_size", e) != 0)
		return -1;
	return c->qkv == QKV_PLAIN ? bind_linear_of(b, out, n, c->width, &all, 1, e) : grouped(b, out, &all, e);
}

int bind_attention(struct binder *b, struct block *k, int layer, struct err *e)
{
	const struct config *c = b->c;
	bool whole = b->f->qk_norm == QK_PROJECTION;
	int d = c->head_dim;

	if (bind_norm(b, &k->q_norm, R_Q_NORM, layer, whole ? c->heads * d : d, whole ? WHY_Q : "head_dim", e) != 0 ||
	    bind_norm(b, &k->k_norm, R_K_NORM, layer, whole ? c->kv_heads * d : d, whole ? WHY_KV : "head_dim", e) != 0 ||
	    bind_qkv(b, &k->qkv, layer, e) != 0)
		return -1;
	return bind_linear(b, &k->out, R_O, layer, c->width, c->heads * d, "hidden_size, num_attention_heads x head_dim", e);
}
