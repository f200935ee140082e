/* block_beside.c - gemma4: a dense feed-forward part and experts beside each other.
 *
 *     y = dense(mlp(norm2(x))) + after(experts(before(x), router(route(x))))     each name a norm but mlp, experts and router
 *
 * Router and experts read the residual stream, not what the dense part reads; the norms before and behind all of it are the
 * layer's. The second sum uses [n][width] of f->side.
 */
#include "runners/forward_int.h"

void block_beside(const struct forward *f, struct mat y, struct mat x, int layer)
{
	const struct model *m = f->m;
	const struct beside *k = m->block[layer].beside;
	int width = m->cfg.width;
	struct mat stream = rows_of(f->x, x.n, width, width), side = rows_of(f->side, x.n, width, width);

	block_mlp(f, y, x, layer);
	forward_norm(f, y, y, &k->dense);
	forward_norm(f, side, stream, &k->route);
	if (moe_choose(f, side, layer) != 0)
		return;
	forward_norm(f, side, stream, &k->before);
	moe_experts(f, side, side, layer);
	forward_norm(f, side, side, &k->after);
	m->ops->add(m->dev, y, side);
}
