/* config_rope.c - the rotary embedding in config.json: rope_parameters (transformers 5) or rope_theta and rope_scaling. */
#include "runners/config_int.h"

#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct rope_config, field)
static const struct key rope_keys[] = {
	{ { "rope_theta" }, K_NUM, AT(theta), 10000, 2, 1e15 },
	{ { "partial_rotary_factor" }, K_NUM, AT(partial), 1, 0, 1 },
	{ { "factor" }, K_NUM, AT(factor), 0, 1e-6, 1e6 },
	{ { "low_freq_factor" }, K_NUM, AT(low_freq_factor), 0, 1e-6, 1e6 },
	{ { "high_freq_factor" }, K_NUM, AT(high_freq_factor), 0, 1e-6, 1e6 },
	{ { "original_max_position_embeddings" }, K_INT, AT(original_positions), 0, 1, 1 << 30 },
	{ { "beta_fast" }, K_NUM, AT(beta_fast), 32, 1e-6, 1e6 },
	{ { "beta_slow" }, K_NUM, AT(beta_slow), 1, 1e-6, 1e6 },
	{ { "attention_factor" }, K_NUM, AT(attention_factor), 0, 1e-6, 1e6 },
	{ { "mscale" }, K_NUM, AT(mscale), 0, 0, 1e6 },
	{ { "mscale_all_dim" }, K_NUM, AT(mscale_all_dim), 0, 0, 1e6 },
	{ { "alpha" }, K_NUM, AT(alpha), 0, 1e-6, 1e9 },
	{ { "short_mscale" }, K_NUM, AT(short_mscale), 0, 1e-6, 1e6 },
	{ { "long_mscale" }, K_NUM, AT(long_mscale), 0, 1e-6, 1e6 },
	{ { "llama_4_scaling_beta" }, K_NUM, AT(growth), 0, 0, 1e6 },
	{ { "truncate" }, K_BOOL, AT(truncate), 1, 0, 1 },
};
#undef AT

static const struct {
	const char *name;
	enum rope_type type;
	const char *needs[4];
} rope_types[] = {
	{ "default", ROPE_PLAIN, { NULL } },
	{ "mrope", ROPE_PLAIN, { NULL } }, /* positions in three parts, the same for text */
	{ "linear", ROPE_LINEAR, { "factor", NULL } },
	{ "llama3", ROPE_LLAMA3, { "factor", "low_freq_factor", "high_freq_factor", NULL } },
	{ "yarn", ROPE_YARN, { "factor", NULL } },
	{ "longrope", ROPE_LONG, { "short_factor", "long_factor", NULL } },
	{ "su", ROPE_LONG, { "short_factor", "long_factor", NULL } },
	{ "dynamic", ROPE_DYNAMIC, { NULL } },
	{ "proportional", ROPE_PROPORTIONAL, { NULL } },
};
#define TYPES CONFIG_COUNT(rope_types)

static int read_factors(double *out, const struct source *in, const char *name, struct err *e)
{
	const struct value *v = config_look(in, name);
	if (v->type != V_LIST || v->list->n < 1 || v->list->n > ROPE_MAX_PAIRS)
		return err_set(e, E_FORMAT, "%s: '%s%s' is no list of 1 to %d numbers", in->path, in->inside, name, ROPE_MAX_PAIRS);
	for (size_t i = 0; i < v->list->n; i++) {
		struct value x = v->list->v[i];
		out[i] = x.type == V_INT ? (double)x.i : x.type == V_FLOAT ? x.f : 0;
		if (!(out[i] > 1e-6 && out[i] < 1e6))
			return err_set(e, E_RANGE, "%s: '%s%s': value %zu is no factor", in->path, in->inside, name, i);
	}
	for (size_t i = v->list->n; i < ROPE_MAX_PAIRS; i++)
		out[i] = 0; /* config_rope_dims finds lists that are too short */
	return 0;
}

/* longrope: the stretch is that of the longest input over the original one, which stands inside or outside. */
static int read_long(struct config *c, struct rope_config *r, const struct source *s, const struct source *in, struct err *e)
{
	const struct key outer = { { "original_max_position_embeddings" }, K_INT, 0, 0, 1, 1 << 30 };
	int original = 0;
	if (read_factors(r->short_factor, in, "short_factor", e) != 0 || read_factors(r->long_factor, in, "long_factor", e) != 0 ||
	    config_keys(s, &original, &outer, 1, NULL, e) != 0)
		return -1;
	if (original)
		r->original_positions = original;
	else if (!config_look(in, "original_max_position_embeddings"))
		r->original_positions = c->max_positions;
	if (r->original_positions == 1)
		return err_set(e, E_RANGE, "%s: '%soriginal_max_position_embeddings' is 1, 'longrope' needs more", s->path, in->inside);
	if (!r->original_positions || !c->max_positions)
		return err_set(e, E_FORMAT, "%s: '%soriginal_max_position_embeddings' is missing, 'longrope' needs it", s->path, in->inside);
	r->stretch = (double)c->max_positions / r->original_positions;
	if (!original && r->factor > 0)
		r->stretch = r->factor;
	c->rope_switch = r->original_positions;
	return 0;
}

/* One description of a table. theta and partial: what stands outside of it. */
static int read_table(struct config *c, struct rope_config *r, const struct source *s, const struct source *in, struct arena *a, struct err *e)
{
	const char *words[TYPES + 1] = { NULL };
	double theta = r->theta, partial = r->partial;
	char hint[200], known[200] = "";
	size_t k, n = 0;

	const char *type = config_string(in, "rope_type", a, e);
	if (type && !*type)
		type = config_string(in, "type", a, e);
	if (!type || config_keys(in, r, rope_keys, CONFIG_COUNT(rope_keys), NULL, e) != 0)
		return -1;
	if (!config_look(in, "rope_theta"))
		r->theta = theta;
	if (!config_look(in, "partial_rotary_factor"))
		r->partial = partial;
	for (k = 0; k < TYPES && strcmp(rope_types[k].name, *type ? type : "default"); k++) {
		words[k] = rope_types[k].name;
		n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", k ? ", " : "", words[k]);
	}
	if (k == TYPES)
		return err_set(e, E_UNSUPPORTED, "%s: '%srope_type': '%.100s' is not known%s (known: %s)", s->path, in->inside, type,
			       err_hint(hint, sizeof hint, type, words), known);
	r->type = rope_types[k].type;
	for (int j = 0; rope_types[k].needs[j]; j++)
		if (!config_look(in, rope_types[k].needs[j]))
			return err_set(e, E_FORMAT, "%s: '%s%s' is missing, '%s' needs it", s->path, in->inside, rope_types[k].needs[j],
				       rope_types[k].name);
	if (r->type == ROPE_DYNAMIC && r->alpha > 0)
		r->type = ROPE_ALPHA;
	if (r->type == ROPE_LONG)
		return read_long(c, r, s, in, e);
	if (!r->original_positions)
		r->original_positions = c->max_positions;
	if ((r->type == ROPE_LLAMA3 || r->type == ROPE_YARN || r->growth > 0) && !r->original_positions)
		return err_set(e, E_FORMAT, "%s: '%soriginal_max_position_embeddings' is missing, '%s' needs it", s->path, in->inside,
			       rope_types[k].name);
	if (r->type == ROPE_LLAMA3 && r->low_freq_factor >= r->high_freq_factor)
		return err_set(e, E_RANGE, "%s: '%slow_freq_factor' %.9g is not below 'high_freq_factor' %.9g", s->path, in->inside,
			       r->low_freq_factor, r->high_freq_factor);
	return 0;
}

/* The table of layers that slide, where the family has another for them. */
static int local_table(struct config *c, const struct source *s, struct err *e)
{
	const struct key base = { { "rope_local_base_freq" }, K_NUM, 0, 10000, 2, 1e15 };
	struct rope_config *r = &c->rope[1];
	if (c->family->local_rope == LOCAL_SAME)
		return 0;
	r->theta = c->rope[0].theta;
	r->partial = c->rope[0].partial;
	return c->family->local_rope == LOCAL_BASE ? config_keys(s, &r->theta, &base, 1, NULL, e) : 0;
}

int config_rope(struct config *c, const struct source *s, struct arena *a, struct err *e)
{
	static const char *const names[] = { "rope_parameters", "rope_scaling", NULL };
	static const char *const kinds[ROPE_TABLES] = { "full_attention", "sliding_attention" };
	char inside[64];

	c->rope[0].type = ROPE_PLAIN;
	c->rope[1] = c->rope[0];
	for (int i = 0; names[i]; i++) {
		const struct value *v = config_look(s, names[i]);
		if (!v)
			continue;
		if (v->type != V_DICT)
			return err_set(e, E_FORMAT, "%s: '%s' is of type %s, wanted an object", s->path, names[i], v_type_name(*v));
		bool nested = false;
		for (size_t j = 0; j < v->dict->n; j++)
			nested |= v->dict->v[j].val.type == V_DICT;
		if (nested && c->family->local_rope == LOCAL_SAME)
			return err_set(e, E_UNSUPPORTED, "%s: '%s' differs between kinds of layers ('%.60s'), which %s does not know", s->path,
				       names[i], v->dict->v[0].key.s.p, c->family->name);
		for (int k = 0; k < (nested ? ROPE_TABLES : 1); k++) {
			const struct value *one = nested ? v_getc(*v, kinds[k]) : v;
			if (!one || one->type == V_NONE)
				continue;
			if (one->type != V_DICT)
				return err_set(e, E_FORMAT, "%s: '%s.%s' is of type %s, wanted an object", s->path, names[i], kinds[k], v_type_name(*one));
			snprintf(inside, sizeof inside, nested ? "%s.%s." : "%s.", names[i], kinds[k]);
			struct source in = { s->path, inside, *one, VNONE };
			if (read_table(c, &c->rope[k], s, &in, a, e) != 0)
				return -1;
		}
		return nested ? 0 : local_table(c, s, e);
	}
	return local_table(c, s, e);
}

/* How many channels each table rotates; needs the layers' kinds. */
int config_rope_dims(struct config *c, struct err *e)
{
	int given = c->rotary_dim;
	for (int t = 0; t < ROPE_TABLES; t++) {
		struct rope_config *r = &c->rope[t];
		if (c->position != POSITION_ROPE || (t && c->family->local_rope == LOCAL_SAME)) {
			r->dims = 0;
			continue;
		}
		int head = t == 0 && c->full_head_dim ? c->full_head_dim : c->head_dim, dims = given ? given : (int)(head * r->partial);
		if (r->type == ROPE_PROPORTIONAL)
			dims = head;
		if (dims < 2 || dims % 2 || dims > head || (r->type == ROPE_ALPHA && dims < 4))
			return err_set(e, E_RANGE, "%s: %d rotated channels of a head of %d: the number must be even and from 2 to the head's, from 4 with 'alpha'",
				       c->path, dims, head);
		for (int k = 0; r->type == ROPE_LONG && k < dims / 2; k++)
			if (r->short_factor[k] == 0 || r->long_factor[k] == 0)
				return err_set(e, E_FORMAT, "%s: 'short_factor' and 'long_factor' need %d values, one for each rotated pair", c->path,
					       dims / 2);
		r->dims = dims;
	}
	for (int i = 0; i < c->layers && c->family->local_rope != LOCAL_SAME; i++)
		c->table[i] = c->slides[i];
	return 0;
}
