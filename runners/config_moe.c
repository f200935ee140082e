/* config_moe.c - mixtures of experts in config.json: how many, how wide, which layers have them, how a row's are chosen.
 *
 * Families name the same things differently; one table knows all names. Numbers that some checkpoints give a layer
 * (lists) must be the same in all layers. What the router computes is the family's (struct moe_family).
 */
#include "runners/config_int.h"

#include <string.h>

#define AT(field) offsetof(struct config, moe.field)
static const struct key keys[] = {
	{ { "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "ffn_config.moe_num_experts" }, K_INT, AT(experts), NEEDED, 0, ROUTE_EXPERTS },
	{ { "num_experts_per_tok", "experts_per_token", "moe_k", "moe_topk", "ffn_config.moe_top_k", "top_k_experts" }, K_EACH, AT(k), 0, 0, ROUTE_K },
	{ { "zero_expert_num" }, K_INT, AT(identity), 0, 0, ROUTE_EXPERTS },
	{ { "moe_intermediate_size", "expert_ffn_hidden_size" }, K_EACH, AT(inner), 0, 1, 1 << 20 },
	{ { "intermediate_size_mlp" }, K_INT, AT(dense), 0, 1, 1 << 20 },
	{ { "shared_expert_intermediate_size", "shared_intermediate_size" }, K_INT, AT(shared), 0, 0, 1 << 20 },
	{ { "n_shared_experts", "moe_num_shared_experts", "num_shared_expert" }, K_EACH, AT(shared_count), 0, 0, 4096 },
	{ { "norm_topk_prob" }, K_BOOL, AT(normalise), 0, 0, 1 },
	{ { "routed_scaling_factor" }, K_NUM, AT(factor), 1, 0, 1e6 },
	{ { "router_jitter_noise" }, K_NUM, AT(jitter), 0, 0, 1 },
	{ { "n_group" }, K_INT, AT(groups), 1, 1, 4096 },
	{ { "topk_group" }, K_INT, AT(groups_kept), 1, 1, 4096 },
	{ { "first_k_dense_replace", "num_dense_layers", "moe_layer_start_index", "moe_layer_num_skipped" }, K_INT, AT(first), 0, -1, 1 << 20 },
	{ { "moe_layer_end_index" }, K_INT, AT(last), -1, -1, 1 << 20 },
	{ { "decoder_sparse_step", "moe_layer_freq", "interleave_moe_layer_step", "moe_layer_interval" }, K_INT, AT(step), 1, 1, 1 << 20 },
};
#undef AT

/* Every layer that the list names gets this kind. */
static int named_layers(struct config *c, const struct source *s, const char *name, enum ff kind, struct err *e)
{
	const struct value *v = config_look(s, name);
	if (!v)
		return 0;
	if (v->type != V_LIST)
		return err_set(e, E_FORMAT, "%s: '%s' is of type %s, wanted a list of layers", s->path, name, v_type_name(*v));
	for (size_t i = 0; i < v->list->n; i++) {
		struct value x = v->list->v[i];
		if (x.type != V_INT || x.i < 0 || x.i >= c->layers)
			return err_set(e, E_RANGE, "%s: '%s' holds something that is none of the %d layers", s->path, name, c->layers);
		c->ff[x.i] = (unsigned char)kind;
	}
	return 0;
}

/* mlp_layer_types, as transformers 5 writes it: "dense" or "sparse" for each layer. */
static int typed_layers(struct config *c, const struct source *s, struct err *e)
{
	const struct value *v;
	if (config_layer_list(&v, c, s, "mlp_layer_types", e) != 0)
		return -1;
	for (int i = 0; i < c->layers && v; i++) {
		struct value x = v->list->v[i];
		if (x.type != V_STR || !(str_is(x.s, "dense") || str_is(x.s, "sparse")))
			return err_set(e, E_UNSUPPORTED, "%s: 'mlp_layer_types' holds something other than dense and sparse for layer %d", s->path, i);
		c->ff[i] = str_is(x.s, "sparse") ? FF_MOE : FF_DENSE;
	}
	return 0;
}

static int pick_layers(struct config *c, const struct source *s, struct err *e)
{
	const struct moe_config *m = &c->moe;
	bool listed = config_look(s, "moe_layers") != NULL;

	for (int i = 0; i < c->layers && m->experts; i++) {
		bool in = i >= m->first && (m->last < 0 || i <= m->last);
		int number = c->family->moe.steps_from_zero ? i : i + 1;
		if (c->ff[i] == FF_DENSE && in && number % m->step == 0 && !listed)
			c->ff[i] = FF_MOE;
	}
	if (!m->experts)
		return 0;
	if (named_layers(c, s, "moe_layers", FF_MOE, e) != 0 || named_layers(c, s, "mlp_only_layers", FF_DENSE, e) != 0)
		return -1;
	return typed_layers(c, s, e);
}

static int check(const struct config *c, struct err *e)
{
	const struct moe_config *m = &c->moe;
	if (m->k < 1 || m->k > m->experts + m->identity)
		return err_set(e, E_RANGE, "%s: %d experts of %d for a token cannot be ('num_experts_per_tok')", c->path, m->k, m->experts + m->identity);
	if (m->experts + m->identity > ROUTE_EXPERTS)
		return err_set(e, E_RANGE, "%s: %d experts, at most %d are allowed ('zero_expert_num')", c->path, m->experts + m->identity, ROUTE_EXPERTS);
	if (m->groups > 1 && m->identity)
		return err_set(e, E_UNSUPPORTED, "%s: groups of experts ('n_group' %d) beside experts that give back their input", c->path, m->groups);
	if (m->groups > 1 && (m->experts % m->groups || m->groups_kept > m->groups || m->experts / m->groups < m->best_of))
		return err_set(e, E_RANGE, "%s: %d experts in %d groups of which %d are kept cannot be ('n_group', 'topk_group')", c->path, m->experts,
			       m->groups, m->groups_kept);
	if (m->groups > 1 && m->k > m->groups_kept * (m->experts / m->groups))
		return err_set(e, E_RANGE, "%s: %d experts for a token, but the groups kept hold %d ('num_experts_per_tok', 'topk_group')", c->path,
			       m->k, m->groups_kept * (m->experts / m->groups));
	if (m->score == ROUTE_SPARSEMIX && (m->k != 2 || m->groups > 1))
		return err_set(e, E_UNSUPPORTED, "%s: 'num_experts_per_tok' is %d, the family %s is known with 2 only, and without groups", c->path, m->k,
			       c->family->name);
	if (m->shared && !family_role(c->family, R_S_DOWN))
		return err_set(e, E_UNSUPPORTED, "%s: a shared expert ('shared_intermediate_size' or a number of shared experts), which the family %s does not know",
			       c->path, c->family->name);
	return 0;
}

int config_moe(struct config *c, const struct source *s, struct err *e)
{
	struct moe_config *m = &c->moe;
	const struct moe_family *f = &c->family->moe;

	if (config_keys(s, c, keys, CONFIG_COUNT(keys), c->family, e) != 0)
		return -1;
	m->score = f->score;
	m->best_of = f->best_of ? f->best_of : 1;
	m->floor = f->floor;
	m->normalise = m->normalise && (m->score == ROUTE_SOFTMAX || m->score == ROUTE_SIGMOID);
	m->act = c->act;
	if (!m->inner)
		m->inner = c->inner;
	if (!m->inner && (m->experts || m->shared_count))
		return err_set(e, E_FORMAT, "%s: 'moe_intermediate_size' and 'intermediate_size' are missing", c->path);
	if (m->dense)
		c->inner = m->dense;
	if (m->shared_count) {
		if (m->shared_count > (1 << 20) / m->inner)
			return err_set(e, E_RANGE, "%s: %d shared experts of width %d are more than a shared expert can hold ('n_shared_experts')", c->path,
				       m->shared_count, m->inner);
		m->shared = m->shared_count * m->inner;
	}
	if (pick_layers(c, s, e) != 0)
		return -1;
	return m->experts ? check(c, e) : 0;
}
