/* config_layers.c - what each layer is: which of them slide, which have no rotary embedding. */
#include "runners/config_int.h"

/* no_rope_layers: 0 or 1 for each layer, 1 where it rotates; an empty list says nothing. */
static int read_nope(struct config *c, const struct source *s, bool *given, struct err *e)
{
	const struct value *v = config_look(s, "no_rope_layers");
	*given = v && !(v->type == V_LIST && !v->list->n);
	if (*given && config_layer_list(&v, c, s, "no_rope_layers", e) != 0)
		return -1;
	for (int i = 0; i < c->layers && *given; i++) {
		struct value x = v->list->v[i];
		if (x.type != V_INT || (x.i != 0 && x.i != 1))
			return err_set(e, E_UNSUPPORTED, "%s: 'no_rope_layers' holds something other than 0 and 1 for layer %d", s->path, i);
		c->nope[i] = x.i == 0;
	}
	return 0;
}

/* Which layers slide, which have no rotary embedding. */
int config_layers(struct config *c, const struct source *s, struct err *e)
{
	static const struct layer_type types[] = { { "full_attention", MIX_ATTENTION, false }, { "sliding_attention", MIX_ATTENTION, true }, { NULL, 0, false } };
	const struct family *f = c->family;
	bool given = false;

	if (f->window == WINDOW_NONE || (f->window == WINDOW_FLAG && !c->use_window))
		c->window = 0;
	if (c->window && f->window != WINDOW_ALL && config_layer_types(c, s, "layer_types", types, &given, e) != 0)
		return -1;
	int pattern = f->window_pattern;
	const struct key p = { { "sliding_window_pattern", "_sliding_window_pattern" }, K_INT, 0, pattern, 1, 1 << 20 };
	if (c->window && f->window == WINDOW_PATTERN && !given && config_keys(s, &pattern, &p, 1, NULL, e) != 0)
		return -1;
	for (int i = 0; i < c->layers && c->window && !given; i++)
		c->slides[i] = f->window == WINDOW_ALL || (f->window == WINDOW_FLAG && i >= c->window_from) ||
			       (f->window == WINDOW_PATTERN && (i + 1) % pattern != 0);

	for (int i = 0; i < c->layers && (f->nope == NOPE_FULL || f->nope == NOPE_ALL_FULL); i++)
		c->nope[i] = (c->window || f->nope == NOPE_ALL_FULL) && !c->slides[i];
	if (f->nope != NOPE_LIST)
		return 0;
	if (read_nope(c, s, &given, e) != 0)
		return -1;
	int interval = 4;
	const struct key k = { { "no_rope_layer_interval" }, K_INT, 0, 4, 1, 1 << 20 };
	if (!given && config_keys(s, &interval, &k, 1, NULL, e) != 0)
		return -1;
	for (int i = 0; i < c->layers && !given; i++)
		c->nope[i] = (i + 1) % interval == 0;
	return 0;
}
