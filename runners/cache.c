/* cache.c - what sequences keep between calls: pages of keys and values, slots of recurrent state.
 */
#include <stdlib.h>

#include "kernels/base/arena.h"
#include "runners/model_int.h"

/* What layer i keeps of each position. False: nothing. */
bool layer_kv(const struct config *c, int i, struct kv *out)
{
	int d = layer_head_dim(c, i);
	*out = (struct kv){ .hk = layer_kv_heads(c, i), .d = d, .dv = d };
	if (c->mixer[i] == MIX_MLA)
		*out = (struct kv){ .hk = 1, .d = c->mla.kv_rank + c->mla.rope, .dv = c->mla.kv_rank };
	if (c->kv_back[i])
		return false;
	return c->mixer[i] == MIX_MLA || c->mixer[i] == MIX_ATTENTION || c->mixer[i] == MIX_BOTH;
}

bool layer_state(const struct config *c, int i, size_t *conv, size_t *main)
{
	const struct delta_config *d = &c->delta;
	const struct mamba_config *m = &c->mamba;
	size_t width;

	*conv = *main = 0;
	switch ((enum mixer)c->mixer[i]) {
	case MIX_DELTA:
		width = 2 * (size_t)d->key_heads * (size_t)d->key_dim + (size_t)d->value_heads * (size_t)d->value_dim;
		*conv = (size_t)(d->conv - 1) * width;
		*main = (size_t)d->value_heads * (size_t)d->key_dim * (size_t)d->value_dim;
		return true;
	case MIX_MAMBA:
	case MIX_BOTH:
		width = (size_t)m->heads * (size_t)m->dim + 2 * (size_t)m->groups * (size_t)m->state;
		*conv = (size_t)(m->conv - 1) * width;
		*main = (size_t)m->heads * (size_t)m->dim * (size_t)m->state;
		return true;
	case MIX_CONV:
		*conv = (size_t)(c->conv_width - 1) * (size_t)c->width;
		return true;
	case MIX_LIGHTNING:
		*main = (size_t)c->heads * (size_t)c->head_dim * (size_t)c->head_dim;
		return true;
	default:
		return false;
	}
}

static int open_kv(struct kv *k, const struct model *m, struct err *e)
{
	size_t key, value;
	if (size_mul((size_t)k->pages, (size_t)k->hk * (size_t)k->d * KV_PAGE * sizeof(float), &key) != 0 ||
	    size_mul((size_t)k->pages, (size_t)k->hk * (size_t)k->dv * KV_PAGE * sizeof(float), &value) != 0)
		return err_set(e, E_RANGE, "a KV cache of %d pages cannot be", k->pages);
	return (k->k = m->ops->alloc(m->dev, key, e)) && (k->v = m->ops->alloc(m->dev, value, e)) ? 0 : -1;
}

static int open_states(struct states *s, const struct model *m, size_t size, int slots, struct err *e)
{
	size_t bytes;
	*s = (struct states){ .size = size, .slots = slots };
	if (!size)
		return 0;
	if (size_mul(size * sizeof(float), (size_t)slots, &bytes) != 0)
		return err_set(e, E_RANGE, "%d slots of recurrent state cannot be", slots);
	return (s->p = m->ops->alloc(m->dev, bytes, e)) ? 0 : -1;
}

static int open_layer(struct cache *c, const struct model *m, int i, struct err *e)
{
	struct kv *k = &c->layer[i];
	size_t conv, main;
	if (layer_kv(&m->cfg, i, k)) {
		k->pages = c->pages;
		if (open_kv(k, m, e) != 0)
			return err_wrap(e, "KV cache of %d pages (%zu bytes a page)", c->pages, m->info.kv_page_bytes);
	}
	if (c->states && layer_state(&m->cfg, i, &conv, &main) &&
	    (open_states(&c->state[i].conv, m, conv, c->states, e) != 0 || open_states(&c->state[i].main, m, main, c->states, e) != 0))
		return err_wrap(e, "%d slots of recurrent state (%zu bytes each)", c->states, m->info.state_bytes);
	return 0;
}

int cache_open(struct cache *c, const struct model *m, int pages, int states, struct err *e)
{
	*c = (struct cache){ .pages = pages, .states = m->info.state_bytes ? states : 0 };
	if (m->info.state_bytes && states < 1)
		return err_set(e, E_RANGE, "%d states of a sequence cannot be", states);
	if (pages < 1)
		return err_set(e, E_RANGE, "a KV cache of %d pages cannot be", pages);
	c->layer = xcalloc((size_t)m->cfg.layers, sizeof *c->layer);
	if (c->states)
		c->state = xcalloc((size_t)m->cfg.layers, sizeof *c->state);
	for (int i = 0; i < m->cfg.layers; i++)
		if (open_layer(c, m, i, e) != 0) {
			cache_close(c, m);
			return -1;
		}
	return 0;
}

void cache_close(struct cache *c, const struct model *m)
{
	for (int i = 0; c->layer && i < m->cfg.layers; i++) {
		void *all[] = { c->layer[i].k, c->layer[i].v, c->state ? c->state[i].conv.p : NULL, c->state ? c->state[i].main.p : NULL };
		for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
			if (all[j])
				m->ops->release(m->dev, all[j]);
	}
	free(c->layer);
	free(c->state);
	*c = (struct cache){ 0 };
}
