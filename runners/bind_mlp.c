/* bind_mlp.c - the tensors of a dense feed-forward part. */
#include "runners/bind.h"

static int bind_up(struct binder *b, struct block *k, int layer, struct err *e)
{
	const struct config *c = b->c;
	int inner = k->inner;
	struct piece part[2];

	if (!b->f->gated)
		return bind_linear(b, &k->up, R_UP, layer, inner, c->width, WHY_MLP, e);
	if (family_role(b->f, R_GATE_UP))
		return bind_linear(b, &k->up, R_GATE_UP, layer, 2 * inner, c->width, "2 intermediate_size, hidden_size", e);
	if (bind_piece(b, &part[0], R_GATE, layer, inner, c->width, WHY_MLP, e) != 0 ||
	    bind_piece(b, &part[1], R_UP, layer, inner, c->width, WHY_MLP, e) != 0)
		return -1;
	part[1].n0 = inner;
	return bind_linear_of(b, &k->up, 2 * inner, c->width, part, 2, e);
}

int bind_mlp(struct binder *b, struct block *k, int layer, struct err *e)
{
	if (bind_up(b, k, layer, e) != 0)
		return -1;
	return bind_linear(b, &k->down, R_DOWN, layer, b->c->width, k->inner, "hidden_size, intermediate_size", e);
}
