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
	{ { "truncate" }, K_BOOL, AT(truncate), 1, 0, 1 },
};
#undef AT

static const struct {
	const char *name;
	enum rope_type type;
	const char *needs[4];
} rope_types[] = {
	{ "default", ROPE_PLAIN, { NULL } },
	{ "linear", ROPE_LINEAR, { "factor", NULL } },
	{ "llama3", ROPE_LLAMA3, { "factor", "low_freq_factor", "high_freq_factor", NULL } },
	{ "yarn", ROPE_YARN, { "factor", NULL } },
};

int config_rope(struct config *c, const struct source *s, struct arena *a, struct err *e)
{
	static const char *const names[] = { "rope_parameters", "rope_scaling", NULL };
	struct rope_config *r = &c->rope[0];
	double theta = r->theta, partial = r->partial;
	char inside[32], hint[200];

	r->type = ROPE_PLAIN;
	for (int i = 0; names[i]; i++) {
		const struct value *v = config_look(s, names[i]);
		if (!v)
			continue;
		if (v->type != V_DICT)
			return err_set(e, E_FORMAT, "%s: '%s' is of type %s, wanted an object", s->path, names[i], v_type_name(*v));
		snprintf(inside, sizeof inside, "%s.", names[i]);
		struct source in = { s->path, inside, *v, VNONE };
		for (size_t j = 0; j < v->dict->n; j++)
			if (v->dict->v[j].val.type == V_DICT)
				return err_set(e, E_UNSUPPORTED, "%s: '%s' differs between kinds of layers ('%.60s'), which %s does not know",
					       s->path, names[i], v->dict->v[j].key.s.p, c->family->name);
		const char *type = config_string(&in, "rope_type", a, e);
		if (type && !*type)
			type = config_string(&in, "type", a, e);
		if (!type || config_keys(&in, r, rope_keys, sizeof rope_keys / sizeof rope_keys[0], NULL, e) != 0)
			return -1;
		if (!config_look(&in, "rope_theta"))
			r->theta = theta;
		if (!config_look(&in, "partial_rotary_factor"))
			r->partial = partial;
		const char *words[sizeof rope_types / sizeof rope_types[0] + 1] = { NULL };
		size_t k, n = sizeof rope_types / sizeof rope_types[0];
		for (k = 0; k < n && strcmp(rope_types[k].name, *type ? type : "default"); k++)
			words[k] = rope_types[k].name;
		if (k == n)
			return err_set(e, E_UNSUPPORTED, "%s: '%srope_type': '%.100s' is not known%s (known: default, linear, llama3, yarn)",
				       s->path, inside, type, err_hint(hint, sizeof hint, type, words));
		r->type = rope_types[k].type;
		for (int j = 0; rope_types[k].needs[j]; j++)
			if (!config_look(&in, rope_types[k].needs[j]))
				return err_set(e, E_FORMAT, "%s: '%s%s' is missing, '%s' needs it", s->path, inside,
					       rope_types[k].needs[j], rope_types[k].name);
		if (!r->original_positions)
			r->original_positions = c->max_positions;
		if ((r->type == ROPE_LLAMA3 || r->type == ROPE_YARN) && !r->original_positions)
			return err_set(e, E_FORMAT, "%s: '%soriginal_max_position_embeddings' is missing, '%s' needs it", s->path, inside,
				       rope_types[k].name);
		if (r->type == ROPE_LLAMA3 && r->low_freq_factor >= r->high_freq_factor)
			return err_set(e, E_RANGE, "%s: '%slow_freq_factor' %.9g is not below 'high_freq_factor' %.9g", s->path, inside,
				       r->low_freq_factor, r->high_freq_factor);
		return 0;
	}
	return 0;
}
