/* block_layer_input.c - gemma4: what the tokens give each layer besides the residual stream.
 *
 *     given  [n][layers x width of a layer's]   (norm(projection(embedding) / sqrt(H)) + own embedding * sqrt(P)) / sqrt(2)
 *     tokens [n][layers x width of a layer's]   the own embedding; later the gate of a layer
 */
#include "runners/forward_int.h"

#include "kernels/base/dmath.h"

void layer_input_parts(struct parts *p, const struct model *m, size_t rows)
{
	size_t all = (size_t)m->cfg.layers * (size_t)m->cfg.layer_input;
	if (!all)
		return;
	PART(p, given, rows * all, float);
	PART(p, tokens, rows * all, float);
}

void layer_inputs(const struct forward *f, struct mat x)
{
	const struct model *m = f->m;
	const struct config *c = &m->cfg;
	const struct ops *ops = m->ops;
	int all = c->layers * c->layer_input;
	struct mat given = rows_of(f->given, x.n, all, all), tokens = rows_of(f->tokens, x.n, all, all);

	ops->linear(m->dev, given, x, &m->given_of);
	ops->scale(m->dev, given, (float)dm_pow(c->width, -0.5));
	forward_norm_parts(f, given, given, c->layers, &m->given_norm);
	ops->embed(m->dev, tokens, &m->given, f->ids);
	ops->axpy(m->dev, given, tokens, (float)dm_pow(c->layer_input, 0.5));
	ops->scale(m->dev, given, (float)dm_pow(2, -0.5));
}

/* x += norm(take(act(give(x)) * given)) */
void block_layer_input(const struct forward *f, struct mat x, struct mat h, int layer)
{
	const struct model *m = f->m;
	const struct config *c = &m->cfg;
	const struct block *k = &m->block[layer];
	int w = c->layer_input, all = c->layers * w;
	struct mat gate = rows_of(f->tokens, x.n, w, w), given = columns(rows_of(f->given, x.n, all, all), layer * w, w);

	m->ops->linear(m->dev, gate, x, &k->give);
	m->ops->act(m->dev, gate, gate, given, c->act, NULL);
	m->ops->linear(m->dev, h, gate, &k->take);
	forward_norm(f, h, h, &k->taken);
	m->ops->add(m->dev, x, h);
}
