/* config_recurrent.c - keys of layers with a recurrent state, and which layers have one.
 */
#include "runners/config_int.h"

#include <stdio.h>

#define AT(field) offsetof(struct delta_config, field)
static const struct key delta_keys[] = {
	{ { "linear_num_key_heads" }, K_INT, AT(key_heads), 16, 1, 4096 },
	{ { "linear_num_value_heads" }, K_INT, AT(value_heads), 32, 1, 4096 },
	{ { "linear_key_head_dim" }, K_INT, AT(key_dim), 128, 1, STATE_MOST },
	{ { "linear_value_head_dim" }, K_INT, AT(value_dim), 128, 1, 4096 },
	{ { "linear_conv_kernel_dim" }, K_INT, AT(conv), 4, 2, CONV_WIDTH },
};
#undef AT

#define AT(field) offsetof(struct mamba_config, field)
static const struct key mamba_keys[] = {
	{ { "mamba_n_heads", "mamba_num_heads", "num_heads" }, K_INT, AT(heads), 128, 1, 65536 },
	{ { "mamba_d_head", "mamba_head_dim", "head_dim" }, K_INT, AT(dim), 64, 1, 4096 },
	{ { "mamba_d_state", "ssm_state_size", "state_size" }, K_INT, AT(state), 128, 1, STATE_MOST },
	{ { "mamba_n_groups", "n_groups" }, K_INT, AT(groups), 1, 1, 4096 },
	{ { "mamba_d_conv", "conv_kernel" }, K_INT, AT(conv), 4, 2, CONV_WIDTH },
	{ { "mamba_conv_bias", "use_conv_bias" }, K_BOOL, AT(conv_bias), 1, 0, 1 },
	{ { "mamba_proj_bias", "use_bias" }, K_BOOL, AT(proj_bias), 0, 0, 1 },
};
#undef AT

int config_layer_types(struct config *c, const struct source *s, const char *key, const struct layer_type *types, bool *given, struct err *e)
{
	const struct value *v;
	char known[200] = "";
	size_t n = 0;

	if (config_layer_list(&v, c, s, key, e) != 0)
		return -1;
	*given = v != NULL;
	for (const struct layer_type *t = types; t->name && n < sizeof known; t++)
		n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", t->name);
	for (int i = 0; i < c->layers && v; i++) {
		struct value x = v->list->v[i];
		const struct layer_type *t = types;
		while (t->name && !(x.type == V_STR && str_is(x.s, t->name)))
			t++;
		if (!t->name)
			return err_set(e, E_UNSUPPORTED, "%s: '%s' holds something other than %s for layer %d", s->path, key, known, i);
		c->mixer[i] = t->mixer;
		c->slides[i] = t->slides;
	}
	return 0;
}

/* The activation inside recurrences is SiLU: another is not known. */
int config_only_silu(const struct config *c, const struct source *s, const char *key, struct err *e)
{
	const struct value *v = config_look(s, key);
	if (!v || (v->type == V_STR && (str_is(v->s, "silu") || str_is(v->s, "swish"))))
		return 0;
	return err_set(e, E_UNSUPPORTED, "%s: '%s': the family %s is known with silu only", s->path, key, c->family->name);
}

int config_delta(struct config *c, const struct source *s, struct err *e)
{
	static const struct layer_type types[] = {
		{ "linear_attention", MIX_DELTA, false }, { "full_attention", MIX_ATTENTION, false }, { NULL, 0, false },
	};
	static const struct key every[] = { { { "full_attention_interval" }, K_INT, 0, 4, 1, 1 << 20 } };
	int interval = 4;
	bool given;

	if (config_only_silu(c, s, "hidden_act", e) != 0)
		return -1;
	if (config_keys(s, &c->delta, delta_keys, CONFIG_COUNT(delta_keys), NULL, e) != 0 ||
	    config_layer_types(c, s, "layer_types", types, &given, e) != 0 || config_keys(s, &interval, every, 1, NULL, e) != 0)
		return -1;
	if (c->delta.value_heads % c->delta.key_heads)
		return err_set(e, E_RANGE, "%s: 'linear_num_value_heads' %d is no multiple of 'linear_num_key_heads' %d", c->path,
			       c->delta.value_heads, c->delta.key_heads);
	for (int i = 0; i < c->layers && !given; i++)
		c->mixer[i] = (i + 1) % interval ? MIX_DELTA : MIX_ATTENTION;
	return 0;
}

/* A number; transformers 5 writes the infinite one as an object. -1: none. */
static double number_of(struct value x)
{
	const struct value *v = x.type == V_DICT ? v_getc(x, "__float__") : NULL;
	if (v && v->type == V_STR && str_is(v->s, "Infinity"))
		return 1e300;
	return x.type == V_INT ? (double)x.i : x.type == V_FLOAT ? x.f : -1;
}

int config_mamba(struct config *c, const struct source *s, struct err *e)
{
	static const char *const limits[] = { "time_step_limit", "mamba_dt_limit", NULL };
	struct mamba_config *m = &c->mamba;

	if (config_only_silu(c, s, "mamba_hidden_act", e) != 0 || config_only_silu(c, s, "hidden_act", e) != 0)
		return -1;
	if (config_keys(s, m, mamba_keys, CONFIG_COUNT(mamba_keys), c->family, e) != 0)
		return -1;
	if (m->heads % m->groups)
		return err_set(e, E_RANGE, "%s: %d heads of state are no multiple of 'n_groups' %d", c->path, m->heads, m->groups);
	m->norm = true;
	for (int i = 0; i < 5; i++)
		m->scale[i] = 1;
	m->in_scale = m->out_scale = m->attention_in = m->attention_out = m->key_scale = 1;
	m->dt_min = 0;
	m->dt_max = 1e30;
	for (int i = 0; limits[i]; i++) {
		const struct value *v = config_look(s, limits[i]);
		if (!v)
			continue;
		double d[2] = { 0, 0 };
		for (size_t k = 0; v->type == V_LIST && v->list->n == 2 && k < 2; k++) {
			struct value x = v->list->v[k];
			d[k] = number_of(x);
		}
		if (!(d[0] >= 0 && d[1] > d[0]))
			return err_set(e, E_RANGE, "%s: '%s' is no pair of rising numbers", c->path, limits[i]);
		m->dt_min = d[0];
		m->dt_max = d[1] < 1e30 ? d[1] : 1e30;
	}
	return 0;
}
