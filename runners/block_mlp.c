/* block_mlp.c - the dense feed-forward part: down(act(gate x) * up x), or down(act(up x)).
 *
 *     up    [n][2 inner or inner]  gate | up; the product in gate's place
 */
#include "runners/forward_int.h"

void mlp_parts(struct parts *p, const struct model *m, size_t rows)
{
	int most = 0;
	for (int i = 0; i < m->cfg.layers; i++)
		most = m->block && m->block[i].up.n > most ? m->block[i].up.n : most;
	if (most)
		PART(p, up, rows * (size_t)most, float);
}

void block_mlp(const struct forward *f, struct mat y, struct mat x, int layer)
{
	const struct model *m = f->m;
	const struct block *k = &m->block[layer];
	int inner = k->down.k, ld = k->up.n;
	struct mat all = rows_of(f->up, x.n, ld, ld), gate = columns(all, 0, inner), up = { 0 };

	m->ops->linear(m->dev, all, x, &k->up);
	if (m->cfg.family->gated)
		up = columns(all, inner, inner);
	if (m->cfg.gate_scale != 1)
		m->ops->scale(m->dev, gate, (float)m->cfg.gate_scale);
	m->ops->act(m->dev, gate, gate, up, m->cfg.act, k->act);
	m->ops->linear(m->dev, y, gate, &k->down);
	if (m->cfg.down_scale != 1)
		m->ops->scale(m->dev, y, (float)m->cfg.down_scale);
}
