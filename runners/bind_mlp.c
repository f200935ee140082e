/* bind_mlp.c - the tensors of a dense feed-forward part. */
#include "runners/bind.h"

#include "kernels/base/dmath.h"

int bind_gate_up(struct binder *b, struct linear *w, struct gate_up r, int layer, int inner, const char *why, struct err *e)
{
	int width = b->c->width;
	struct piece part[2];

	if (!b->f->gated)
		return bind_linear(b, w, r.up, layer, inner, width, why, e);
	if (family_role(b->f, r.both))
		return bind_linear(b, w, r.both, layer, 2 * inner, width, why, e);
	if (bind_piece(b, &part[0], r.gate, layer, inner, width, why, e) != 0 || bind_piece(b, &part[1], r.up, layer, inner, width, why, e) != 0)
		return -1;
	part[1].n0 = inner;
	return bind_linear_of(b, w, 2 * inner, width, part, 2, e);
}

/* xIELU's parameters: softplus(alpha_p), beta + softplus(alpha_n), beta, eps */
static int bind_xielu(struct binder *b, struct block *k, int layer, struct err *e)
{
	static const char *const names[4] = { ".alpha_p", ".alpha_n", ".beta", ".eps" };
	double v[4] = { 0.5, 0.5, 0.5, -1e-6 };
	for (int i = 0; i < 4; i++)
		if (bind_single(b, &v[i], R_ACT, layer, names[i], i >= 2, e) != 0)
			return -1;
	k->act[0] = (float)dm_log1p(dm_exp(v[0]));
	k->act[1] = (float)(v[2] + dm_log1p(dm_exp(v[1])));
	k->act[2] = (float)v[2];
	k->act[3] = (float)v[3];
	return 0;
}

int bind_mlp(struct binder *b, struct block *k, int layer, int inner, struct err *e)
{
	if (b->c->act == ACT_XIELU && family_role(b->f, R_ACT) && bind_xielu(b, k, layer, e) != 0)
		return -1;
	if (bind_gate_up(b, &k->up, (struct gate_up){ R_GATE, R_UP, R_GATE_UP }, layer, inner, WHY_MLP, e) != 0)
		return -1;
	return bind_linear(b, &k->down, R_DOWN, layer, b->c->width, inner, "hidden_size, intermediate_size", e);
}
