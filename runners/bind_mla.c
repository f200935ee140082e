/* bind_mla.c - the tensors of a layer with multi-head latent attention.
 *
 * kv_b_proj has rows [head][key part without position, value][channels], of kv_lora_rank inputs. Attention runs over the latents
 * themselves, so a head's key rows are needed the other way round: they take its query to the latents' channels.
 */
#include "runners/bind.h"

#include <stdlib.h>
#include <string.h>

#define WHY_Q "num_attention_heads x (qk_nope_head_dim + qk_rope_head_dim), q_lora_rank or hidden_size"
#define WHY_KV_A "kv_lora_rank + qk_rope_head_dim, hidden_size"
#define WHY_KV_B "num_attention_heads x (qk_nope_head_dim + v_head_dim), kv_lora_rank"

/* What comes from the stream: the queries' latent, where there is one, the keys' and values', and the key part to rotate. */
static int bind_down(struct binder *b, struct mla *k, int layer, struct err *e)
{
	const struct mla_config *c = &b->c->mla;
	int kv = c->kv_rank + c->rope, n = 0;
	struct piece p[2];

	if (c->q_rank && bind_piece(b, &p[n++], R_MLA_Q_A, layer, c->q_rank, b->c->width, "q_lora_rank, hidden_size", e) != 0)
		return -1;
	if (bind_piece(b, &p[n], R_MLA_KV_A, layer, kv, b->c->width, WHY_KV_A, e) != 0)
		return -1;
	p[n++].n0 = c->q_rank;
	if (c->q_rank && bind_vector(b, &k->q_norm, R_MLA_Q_NORM, layer, ".weight", c->q_rank, 0.0f, "q_lora_rank", e) != 0)
		return -1;
	if (bind_vector(b, &k->kv_norm, R_MLA_KV_NORM, layer, ".weight", c->kv_rank, 0.0f, "kv_lora_rank", e) != 0)
		return -1;
	return bind_linear_of(b, &k->down, c->q_rank + kv, b->c->width, p, n, e);
}

/* Rows [head][nope, rope] of the queries as two layers. */
static int bind_queries(struct binder *b, struct mla *k, int layer, struct err *e)
{
	const struct mla_config *c = &b->c->mla;
	int heads = b->c->heads, d = c->nope + c->rope, from = c->q_rank ? c->q_rank : b->c->width;
	struct piece all, *p;

	if (bind_piece(b, &all, c->q_rank ? R_MLA_Q_B : R_Q, layer, heads * d, from, WHY_Q, e) != 0)
		return -1;
	p = xcalloc(2 * (size_t)heads, sizeof *p);
	for (int h = 0; h < heads; h++) {
		p[h] = piece_rows(&all, h * d, c->nope, h * c->nope);
		p[heads + h] = piece_rows(&all, h * d + c->nope, c->rope, h * c->rope);
	}
	int rc = bind_linear_of(b, &k->nope, heads * c->nope, from, p, heads, e);
	if (rc == 0)
		rc = bind_linear_of(b, &k->rope, heads * c->rope, from, p + heads, heads, e);
	free(p);
	return rc;
}

static int bind_heads(struct binder *b, struct mla *k, int layer, struct err *e)
{
	const struct mla_config *c = &b->c->mla;
	int heads = b->c->heads, d = c->nope + c->value;
	struct piece all;

	k->key = ARENA_ARRAY(&b->m->arena, (size_t)heads, struct linear);
	k->value = ARENA_ARRAY(&b->m->arena, (size_t)heads, struct linear);
	memset(k->key, 0, (size_t)heads * sizeof *k->key);
	memset(k->value, 0, (size_t)heads * sizeof *k->value);
	if (bind_piece(b, &all, R_MLA_KV_B, layer, heads * d, c->kv_rank, WHY_KV_B, e) != 0)
		return -1;
	for (int h = 0; h < heads; h++) {
		struct piece key = piece_rows(&all, 0, c->kv_rank, 0), value = piece_rows(&all, h * d + c->nope, c->value, 0);
		key.base = (int64_t)h * d * c->kv_rank;
		key.row_step = 1;
		key.col_step = c->kv_rank;
		if (bind_linear_of(b, &k->key[h], c->kv_rank, c->nope, &key, 1, e) != 0 ||
		    bind_linear_of(b, &k->value[h], c->value, c->kv_rank, &value, 1, e) != 0)
			return -1;
	}
	return 0;
}

int bind_mla(struct binder *b, struct block *k, int layer, struct err *e)
{
	k->mla = ARENA_NEW(&b->m->arena, struct mla);
	*k->mla = (struct mla){ .q_norm = NULL };
	if (bind_down(b, k->mla, layer, e) != 0 || bind_queries(b, k->mla, layer, e) != 0 || bind_heads(b, k->mla, layer, e) != 0)
		return -1;
	return bind_linear(b, &k->out, R_O, layer, b->c->width, b->c->heads * b->c->mla.value, "hidden_size, num_attention_heads x v_head_dim", e);
}
