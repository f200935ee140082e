/* bind_layer_input.c - gemma4: the tensors of what the tokens give each layer besides the residual stream, and a layer's scale.
 */
#include "runners/bind.h"

int bind_given(struct binder *b, struct err *e)
{
	const struct config *c = b->c;
	int all = c->layers * c->layer_input;
	if (!c->layer_input)
		return 0;
	return bind_table(b, &b->m->given, R_GIVEN, c->vocab, all, "vocab_size, num_hidden_layers x hidden_size_per_layer_input", e) != 0 ||
	       bind_linear(b, &b->m->given_of, R_GIVEN_OF, 0, all, c->width, "num_hidden_layers x hidden_size_per_layer_input, hidden_size", e) != 0 ?
		       -1 :
		       bind_norm(b, &b->m->given_norm, R_GIVEN_NORM, 0, c->layer_input, "hidden_size_per_layer_input", e);
}

static int layer_scale(struct binder *b, struct block *k, int layer, struct err *e)
{
	double scale = 1;
	if (family_role(b->f, R_SCALE) && bind_single(b, &scale, R_SCALE, layer, "", false, e) != 0)
		return -1;
	k->scale = (float)scale;
	return 0;
}

int bind_layer_input(struct binder *b, struct block *k, int layer, struct err *e)
{
	const struct config *c = b->c;
	if (layer_scale(b, k, layer, e) != 0)
		return -1;
	if (!c->layer_input)
		return 0;
	if (bind_linear(b, &k->give, R_GIVE, layer, c->layer_input, c->width, "hidden_size_per_layer_input, hidden_size", e) != 0 ||
	    bind_linear(b, &k->take, R_TAKE, layer, c->width, c->layer_input, "hidden_size, hidden_size_per_layer_input", e) != 0)
		return -1;
	return bind_norm(b, &k->taken, R_TAKEN, layer, c->width, "hidden_size", e);
}
