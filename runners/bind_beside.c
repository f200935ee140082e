/* bind_beside.c - gemma4: the norms of experts beside a dense feed-forward part (block_beside.c).
 *
 * The router's input is normed without weights and multiplied by a vector and by H^-1/2: here one norm whose weights are the
 * product, rounded once.
 */
#include "runners/bind.h"

#include "kernels/base/dmath.h"

static int router_norm(struct binder *b, struct norm *out, int layer, struct err *e)
{
	int width = b->c->width;
	double root = dm_pow(width, -0.5);
	float *w;

	if (bind_host(b, &w, R_ROUTER_NORM, layer, "", width, "hidden_size", e) != 0)
		return -1;
	for (int i = 0; i < width; i++)
		w[i] = (float)(w[i] * root);
	out->present = true;
	return bind_floats(b, &out->w, w, (size_t)width, e);
}

int bind_beside(struct binder *b, struct block *k, int layer, struct err *e)
{
	struct beside *x = k->beside = ARENA_NEW(&b->m->arena, struct beside);
	int width = b->c->width;

	*x = (struct beside){ 0 };
	if (router_norm(b, &x->route, layer, e) != 0 || bind_norm(b, &x->dense, R_POST_DENSE, layer, width, "hidden_size", e) != 0 ||
	    bind_norm(b, &x->before, R_NORM_X, layer, width, "hidden_size", e) != 0)
		return -1;
	return bind_norm(b, &x->after, R_POST_X, layer, width, "hidden_size", e);
}
