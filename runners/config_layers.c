/* config_layers.c - what each layer is: which of them slide, which have no rotary embedding. */
#include "runners/config_int.h"

/* A list of the layers' length, each item 0 or 1 or one of the names; out[i] = 1 where it equals `one`. */
static int read_layers(struct config *c, const struct source *s, const char *name, const char *zero, const char *one,
		       unsigned char *out, bool *given, struct err *e)
{
	const struct value *v = config_look(s, name);
	if (v && v->type == V_LIST && !v->list->n && !zero) /* an empty no_rope_layers says nothing */
		v = NULL;
	*given = v != NULL;
	if (!v)
		return 0;
	if (v->type != V_LIST || v->list->n != (size_t)c->layers)
		return err_set(e, E_FORMAT, "%s: '%s' is no list with one entry for each of the %d layers", s->path, name, c->layers);
	for (int i = 0; i < c->layers; i++) {
		struct value x = v->list->v[i];
		bool is_int = !zero && x.type == V_INT && (x.i == 0 || x.i == 1);
		if (!is_int && !(zero && x.type == V_STR && (str_is(x.s, zero) || str_is(x.s, one))))
			return err_set(e, E_UNSUPPORTED, "%s: '%s' holds something other than %s and %s for layer %d", s->path, name,
				       zero ? zero : "0", zero ? one : "1", i);
		out[i] = is_int ? x.i != 0 : str_is(x.s, one);
	}
	return 0;
}

/* Which layers slide, which have no rotary embedding. */
int config_layers(struct config *c, const struct source *s, struct err *e)
{
	const struct family *f = c->family;
	bool given = false;

	if (f->window == WINDOW_NONE || (f->window == WINDOW_FLAG && !c->use_window))
		c->window = 0;
	if (c->window && f->window != WINDOW_ALL &&
	    read_layers(c, s, "layer_types", "full_attention", "sliding_attention", c->slides, &given, e) != 0)
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
	unsigned char rope[CONFIG_MAX_LAYERS] = { 0 };
	if (read_layers(c, s, "no_rope_layers", NULL, NULL, rope, &given, e) != 0)
		return -1;
	int interval = 4;
	const struct key k = { { "no_rope_layer_interval" }, K_INT, 0, 4, 1, 1 << 20 };
	if (!given && config_keys(s, &interval, &k, 1, NULL, e) != 0)
		return -1;
	for (int i = 0; i < c->layers; i++)
		c->nope[i] = given ? !rope[i] : (i + 1) % interval == 0;
	return 0;
}
