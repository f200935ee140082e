/* bind_attention.c - the tensors of an attention layer with query, key and value heads. */
#include "runners/bind.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/dmath.h"
#include "runners/bind_values.h"

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
		p[3 * j] = piece_rows(all, row, g * d, j * g * d);
		p[3 * j + 1] = piece_rows(all, row + g * d, d, q + j * d);
		p[3 * j + 2] = piece_rows(all, row + (g + 1) * d, d, q + kv + j * d);
	}
	int rc = bind_linear_of(b, out, q + 2 * kv, c->width, p, 3 * c->kv_heads, e);
	free(p);
	return rc;
}

/* Rows of four shards [q, v, k], as pieces of [all q][all k][all v]. */
static int sharded(struct binder *b, struct linear *out, const struct piece *all, struct err *e)
{
	static const int order[3] = { 0, 2, 1 };
	struct piece p[12];
	int q = b->c->heads * b->c->head_dim, rows = q / 4;
	if (q % 4 || b->c->kv_heads != b->c->heads)
		return err_set(e, E_RANGE, "%s: 'n_head' %d times %d channels, which four shards do not divide, or heads that share keys", b->c->path,
			       b->c->heads, b->c->head_dim);
	for (int i = 0; i < 12; i++)
		p[i] = piece_rows(all, i * rows, rows, order[i % 3] * q + i / 3 * rows);
	return bind_linear_of(b, out, 3 * q, b->c->width, p, 12, e);
}

/* Query rows of [head][q, gate][d]: [all q][all k][all v][all gates]. */
static int with_gates(struct binder *b, struct linear *out, const struct piece part[3], struct err *e)
{
	const struct config *c = b->c;
	int d = c->head_dim, q = c->heads * d, kv = c->kv_heads * d, n = 2;
	struct piece *p = xcalloc(2 * (size_t)c->heads + 2, sizeof *p);
	p[0] = part[1];
	p[1] = part[2];
	for (int h = 0; h < c->heads; h++)
		for (int gate = 0; gate < 2; gate++)
			p[n++] = piece_rows(&part[0], (2 * h + gate) * d, d, h * d + (gate ? q + 2 * kv : 0));
	int rc = bind_linear_of(b, out, 2 * q + 2 * kv, c->width, p, n, e);
	free(p);
	return rc;
}

/* Query, key and value as one layer, rows [all q][all k][all v]. */
static int bind_qkv(struct binder *b, struct linear *out, int layer, struct err *e)
{
	const struct config *c = b->c;
	int d = layer_head_dim(c, layer), q = c->heads * d, kv = layer_kv_heads(c, layer) * d, n = q + 2 * kv;
	struct piece all, part[4];
	int gates = c->gated_attention ? q : 0;

	if (c->kv_back[layer])
		return bind_linear(b, out, R_Q, layer, q, c->width, WHY_Q, e);
	if (!family_role(b->f, R_QKV)) {
		if (bind_piece(b, &part[0], R_Q, layer, q + gates, c->width, WHY_Q, e) != 0 ||
		    bind_piece(b, &part[1], R_K, layer, kv, c->width, WHY_KV, e) != 0 ||
		    bind_piece(b, &part[2], c->keys_are_values && !c->slides[layer] ? R_K : R_V, layer, kv, c->width, WHY_KV, e) != 0)
			return -1;
		part[1].n0 = q;
		part[2].n0 = q + kv;
		return gates ? with_gates(b, out, part, e) : bind_linear_of(b, out, n, c->width, part, 3, e);
	}
	if (bind_piece(b, &all, R_QKV, layer, n, c->width, "(num_attention_heads + 2 num_key_value_heads) x head_dim, hidden_size", e) != 0)
		return -1;
	if (c->qkv == QKV_SHARDS)
		return sharded(b, out, &all, e);
	return c->qkv == QKV_PLAIN ? bind_linear_of(b, out, n, c->width, &all, 1, e) : grouped(b, out, &all, e);
}

/* Norms of queries or keys: one weight for all heads, one for the projection, or one a head (a tensor [heads][d], or one each). */
static int bind_qk_norm(struct binder *b, struct norm *out, enum role role, int layer, int heads, struct err *e)
{
	const struct config *c = b->c;
	const struct role_name *r = bind_role(b, role, layer);
	const struct tensor *t;
	int d = layer_head_dim(c, layer);

	if (!r || c->qk_norm == QK_NONE || c->qk_norm == QK_PLAIN)
		return 0;
	if (c->qk_norm != QK_OWN)
		return bind_norm(b, out, role, layer, c->qk_norm == QK_PROJECTION ? heads * d : d,
				 c->qk_norm == QK_PROJECTION ? "heads x head_dim" : "head_dim", e);
	out->present = true;
	if (!(out->w = bind_alloc(b, (size_t)heads * (size_t)d * sizeof(float), e)))
		return -1;
	bool each = strstr(strstr(r->name, "{}") + 2, "{}") != NULL;
	for (int h = 0; h < (each ? heads : 1); h++) {
		b->expert = h;
		if (bind_need(b, &t, r->name, layer, ".weight", each ? d : heads, each ? 0 : d, 0, "heads, head_dim", e) != 0 ||
		    bind_put(b, out->w + h * d, t, 0, each ? (size_t)d : (size_t)heads * (size_t)d, 0.0f, e) != 0)
			return -1;
	}
	return 0;
}

/* Logits of the sinks, in units of log2. */
static int bind_sinks(struct binder *b, struct block *k, int layer, struct err *e)
{
	float *host;
	if (!family_role(b->f, R_SINKS))
		return 0;
	if (bind_host(b, &host, R_SINKS, layer, "", b->c->heads, "num_attention_heads", e) != 0)
		return -1;
	for (int i = 0; i < b->c->heads; i++)
		host[i] = (float)(host[i] * 1.4426950408889634);
	return bind_floats(b, &k->sinks, host, (size_t)b->c->heads, e);
}

int bind_attention(struct binder *b, struct block *k, int layer, struct err *e)
{
	const struct config *c = b->c;

	if (bind_qk_norm(b, &k->q_norm, R_Q_NORM, layer, c->heads, e) != 0 ||
	    (!c->kv_back[layer] && bind_qk_norm(b, &k->k_norm, R_K_NORM, layer, layer_kv_heads(c, layer), e) != 0) ||
	    bind_sinks(b, k, layer, e) != 0 || bind_qkv(b, &k->qkv, layer, e) != 0)
		return -1;
	return bind_linear(b, &k->out, R_O, layer, c->width, c->heads * layer_head_dim(c, layer), "hidden_size, num_attention_heads x head_dim", e);
}

/* Slopes of ALiBi (Press et al., 2022, arXiv:2108.12409): 2^(-8i/n) for n heads, n a power of two; for other numbers the two ways that
 * families have. falcon-rw rounds them to bf16. */
int bind_slopes(struct binder *b, struct err *e)
{
	const struct config *c = b->c;
	int below = 1, n = 0;
	float *slope;

	if (c->position != POSITION_ALIBI)
		return 0;
	while (2 * below <= c->heads)
		below *= 2;
	slope = ARENA_ARRAY(&b->m->arena, (size_t)(2 * below), float);
	if (c->family->alibi == ALIBI_MPT && below < c->heads) {
		for (int from = 2; from >= 1; from--) /* slopes 2, 4, 6 ... of the next power of two, then 1, 3, 5 ... */
			for (int i = from; i <= 2 * below && n < c->heads; i += 2)
				slope[n++] = (float)dm_pow(2, -8.0 * i / (2 * below));
	} else {
		for (int i = 1; i <= below; i++)
			slope[n++] = (float)dm_pow(2, -8.0 * i / below);
		for (int i = 1; n < c->heads; i += 2)
			slope[n++] = (float)dm_pow(2, -8.0 * i / (2 * below));
	}
	for (int i = 0; i < c->heads && c->family->alibi == ALIBI_FALCON; i++)
		slope[i] = bf16_to_f32(f32_to_bf16(slope[i])) * (c->alibi_twice ? 2.0f : 1.0f);
	return bind_floats(b, &b->m->slopes, slope, (size_t)c->heads, e);
}
