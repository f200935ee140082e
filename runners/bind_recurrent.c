/* bind_recurrent.c - the tensors of layers with a recurrent state.
 *
 * What goes in becomes one linear layer, rows
 *     delta        [all q][all k][all v][all z][b of each head][a of each head]      (z gates the output, b the update, a the decay)
 *     mamba        [z][x][B][C][dt], as it is stored
 *     short conv   [B][C][x], as it is stored
 */
#include "runners/bind.h"

#include <stdlib.h>

#include "kernels/base/dmath.h"
#include "runners/bind_values.h"

/* conv1d.weight [d, 1, width] as [width][d] */
static int bind_conv(struct binder *b, struct recurrent *r, int layer, int d, int width, bool bias, bool silu, struct err *e)
{
	const struct role_name *n = bind_role(b, R_REC_CONV, layer);
	const struct tensor *t;
	float *w = NULL;

	if (bind_need(b, &t, n->name, layer, ".weight", d, 1, width, "channels, convolution's width", e) != 0 || bind_finite(b, t, e) != 0)
		return -1;
	w = xcalloc((size_t)d * (size_t)width, sizeof *w);
	for (int i = 0; i < d && !b->random; i++)
		for (int j = 0; j < width; j++)
			w[(size_t)j * (size_t)d + (size_t)i] = value_at(t->data + ((size_t)i * (size_t)width + (size_t)j) * dtype_size(value_type(t)), value_type(t));
	float *device;
	int rc = bind_floats(b, &device, w, (size_t)d * (size_t)width, e);
	free(w);
	r->conv = (struct conv){ .d = d, .width = width, .w = device, .silu = silu };
	if (rc == 0 && bias) {
		rc = bind_vector(b, &device, R_REC_CONV, layer, ".bias", d, 0.0f, "channels", e);
		r->conv.b = device;
	}
	return rc;
}

/* -exp(A_log) and dt_bias of each head */
static int bind_decay(struct binder *b, float **a, float **dt, int layer, int heads, const char *why, struct err *e)
{
	float *log_a;
	if (bind_host(b, &log_a, R_REC_LOG_A, layer, "", heads, why, e) != 0)
		return -1;
	for (int h = 0; h < heads; h++)
		log_a[h] = (float)-dm_exp(log_a[h]);
	if (bind_floats(b, a, log_a, (size_t)heads, e) != 0)
		return -1;
	return bind_vector(b, dt, R_REC_DT, layer, "", heads, 0.0f, why, e);
}

/* ---- gated delta rule ---- */

/* in_proj_qkvz [key head][q, k, its v, its z], in_proj_ba [key head][its b, its a] (qwen3_next) */
static int fused_in(struct binder *b, struct recurrent *r, int layer, int n, struct err *e)
{
	const struct delta_config *d = &b->c->delta;
	int each = d->value_heads / d->key_heads, vd = each * d->value_dim, qk = d->key_heads * d->key_dim, v = d->value_heads * d->value_dim;
	int step = 2 * d->key_dim + 2 * vd, n0[4] = { 0, qk, 2 * qk, 2 * qk + v };
	struct piece qkvz, ba, *p = xcalloc(6 * (size_t)d->key_heads, sizeof *p);
	int rc = bind_piece(b, &qkvz, R_REC_QKVZ, layer, 2 * qk + 2 * v, b->c->width, "heads of linear layers, hidden_size", e) != 0 ||
		 bind_piece(b, &ba, R_REC_BA, layer, 2 * d->value_heads, b->c->width, "2 linear_num_value_heads, hidden_size", e) != 0 ? -1 : 0;
	for (int h = 0; rc == 0 && h < d->key_heads; h++) {
		struct piece *one = p + 6 * h;
		one[0] = piece_rows(&qkvz, h * step, d->key_dim, n0[0] + h * d->key_dim);
		one[1] = piece_rows(&qkvz, h * step + d->key_dim, d->key_dim, n0[1] + h * d->key_dim);
		one[2] = piece_rows(&qkvz, h * step + 2 * d->key_dim, vd, n0[2] + h * vd);
		one[3] = piece_rows(&qkvz, h * step + 2 * d->key_dim + vd, vd, n0[3] + h * vd);
		one[4] = piece_rows(&ba, 2 * h * each, each, n0[3] + v + h * each);
		one[5] = piece_rows(&ba, (2 * h + 1) * each, each, n0[3] + v + d->value_heads + h * each);
	}
	if (rc == 0)
		rc = bind_linear_of(b, &r->in, n, b->c->width, p, 6 * d->key_heads, e);
	free(p);
	return rc;
}

static int bind_delta(struct binder *b, struct recurrent *r, int layer, struct err *e)
{
	const struct delta_config *d = &b->c->delta;
	int qk = d->key_heads * d->key_dim, v = d->value_heads * d->value_dim, n = 2 * qk + 2 * v + 2 * d->value_heads;
	const char *why = "heads of linear layers, hidden_size";
	struct piece p[4];
	float *a, *dt;

	if (family_role(b->f, R_REC_QKVZ) && (bind_has(b, R_REC_QKVZ, layer) || !family_role(b->f, R_REC_QKV))) {
		if (fused_in(b, r, layer, n, e) != 0)
			return -1;
	} else {
		if (bind_piece(b, &p[0], R_REC_QKV, layer, 2 * qk + v, b->c->width, why, e) != 0 || bind_piece(b, &p[1], R_REC_Z, layer, v, b->c->width, why, e) != 0 ||
		    bind_piece(b, &p[2], R_REC_B, layer, d->value_heads, b->c->width, why, e) != 0 ||
		    bind_piece(b, &p[3], R_REC_A, layer, d->value_heads, b->c->width, why, e) != 0)
			return -1;
		p[1].n0 = 2 * qk + v;
		p[2].n0 = 2 * qk + 2 * v;
		p[3].n0 = 2 * qk + 2 * v + d->value_heads;
		if (bind_linear_of(b, &r->in, n, b->c->width, p, 4, e) != 0)
			return -1;
	}
	if (bind_conv(b, r, layer, 2 * qk + v, d->conv, false, true, e) != 0 ||
	    bind_decay(b, &a, &dt, layer, d->value_heads, "linear_num_value_heads", e) != 0 ||
	    bind_vector(b, &r->norm, R_REC_NORM, layer, ".weight", d->value_dim, 0.0f, "linear_value_head_dim", e) != 0 ||
	    bind_linear(b, &r->out, R_REC_OUT, layer, b->c->width, v, "hidden_size, heads of linear layers", e) != 0)
		return -1;
	r->delta = (struct delta){ d->key_heads, d->value_heads, d->key_dim, d->value_dim, a, dt };
	float *unit = ARENA_ARRAY(&b->m->arena, (size_t)d->key_dim, float);
	for (int i = 0; i < d->key_dim; i++)
		unit[i] = (float)(1.0 / d->key_dim);
	if (bind_floats(b, &r->q_unit, unit, (size_t)d->key_dim, e) != 0)
		return -1;
	for (int i = 0; i < d->key_dim; i++)
		unit[i] = (float)dm_pow(d->key_dim, -0.5);
	return bind_floats(b, &r->k_unit, unit, (size_t)d->key_dim, e);
}

/* ---- Mamba-2 ---- */

static int bind_mamba(struct binder *b, struct recurrent *r, int layer, struct err *e)
{
	const struct mamba_config *m = &b->c->mamba;
	int inner = m->heads * m->dim, mixed = inner + 2 * m->groups * m->state;
	float *a, *dt, *skip;

	if (bind_linear(b, &r->in, R_REC_IN, layer, inner + mixed + m->heads, b->c->width, "heads and groups of state, hidden_size", e) != 0 ||
	    bind_conv(b, r, layer, mixed, m->conv, m->conv_bias, true, e) != 0 || bind_decay(b, &a, &dt, layer, m->heads, "heads of state", e) != 0 ||
	    bind_vector(b, &skip, R_REC_SKIP, layer, "", m->heads, 0.0f, "heads of state", e) != 0 ||
	    (m->norm && bind_vector(b, &r->norm, R_REC_NORM, layer, ".weight", inner, 0.0f, "heads x channels of state", e) != 0))
		return -1;
	r->ssm = (struct ssm){ m->heads, m->dim, m->state, m->groups, a, dt, skip, (float)m->dt_min, (float)m->dt_max };
	return bind_linear(b, &r->out, R_REC_OUT, layer, b->c->width, inner, "hidden_size, heads x channels of state", e);
}

static int bind_short(struct binder *b, struct recurrent *r, int layer, struct err *e)
{
	int w = b->c->width;
	if (bind_linear(b, &r->in, R_REC_IN, layer, 3 * w, w, "3 hidden_size, hidden_size", e) != 0 ||
	    bind_conv(b, r, layer, w, b->c->conv_width, b->c->conv_bias, false, e) != 0)
		return -1;
	return bind_linear(b, &r->out, R_REC_OUT, layer, w, w, "hidden_size, hidden_size", e);
}

/* qkv_proj [head][q, k, v][d] and output_gate as [all q][all k][all v][gate] */
static int bind_lightning(struct binder *b, struct recurrent *r, int layer, struct err *e)
{
	const struct config *c = b->c;
	int d = c->head_dim, n = c->heads * d, np = 3 * c->heads + 1;
	struct piece all, *p = xcalloc((size_t)np, sizeof *p);
	float *a = ARENA_ARRAY(&b->m->arena, (size_t)c->heads, float), *decay;
	int rc = bind_piece(b, &all, R_REC_QKV, layer, 3 * n, c->width, "3 num_attention_heads x head_dim, hidden_size", e) != 0 ||
		 bind_piece(b, &p[np - 1], R_REC_Z, layer, n, c->width, "num_attention_heads x head_dim, hidden_size", e) != 0 ? -1 : 0;

	p[np - 1].n0 = 3 * n;
	for (int h = 0; rc == 0 && h < c->heads; h++)
		for (int k = 0; k < 3; k++)
			p[3 * h + k] = piece_rows(&all, (3 * h + k) * d, d, k * n + h * d);
	if (rc == 0)
		rc = bind_linear_of(b, &r->in, 4 * n, c->width, p, np, e);
	free(p);
	for (int h = 0; h < c->heads; h++) {
		double slope = dm_pow(2, -8.0 * (h + 1) / c->heads) * (1 - layer / (c->layers - 1 + 1e-5) + 1e-5);
		a[h] = (float)dm_exp(-slope);
	}
	if (rc != 0 || bind_floats(b, &decay, a, (size_t)c->heads, e) != 0 ||
	    bind_vector(b, &r->norm, R_REC_NORM, layer, ".weight", n, 0.0f, "num_attention_heads x head_dim", e) != 0)
		return -1;
	r->ssm = (struct ssm){ .heads = c->heads, .d = d, .n = d, .groups = c->heads, .a = decay };
	return bind_linear(b, &r->out, R_REC_OUT, layer, c->width, n, "hidden_size, num_attention_heads x head_dim", e);
}

int bind_recurrent(struct binder *b, struct block *k, int layer, struct err *e)
{
	size_t conv, main;
	if (!layer_state(b->c, layer, &conv, &main))
		return 0;
	k->rec = ARENA_NEW(&b->m->arena, struct recurrent);
	*k->rec = (struct recurrent){ .norm = NULL };
	switch ((enum mixer)b->c->mixer[layer]) {
	case MIX_DELTA: return bind_delta(b, k->rec, layer, e);
	case MIX_LIGHTNING: return bind_lightning(b, k->rec, layer, e);
	case MIX_CONV: return bind_short(b, k->rec, layer, e);
	default: return bind_mamba(b, k->rec, layer, e);
	}
}
