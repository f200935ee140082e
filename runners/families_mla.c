/* families_mla.c - rows of families with multi-head latent attention and a mixture of experts.
 */
#include "runners/families_int.h"

#define MLA_NAMES(part) \
	{ R_MLA_Q_A, "model.layers.{}.self_attn" part ".q_a_proj", BIAS_ATTENTION }, \
	{ R_MLA_Q_NORM, "model.layers.{}.self_attn" part ".q_a_layernorm", 0 }, \
	{ R_MLA_Q_B, "model.layers.{}.self_attn" part ".q_b_proj", BIAS_NEVER }, \
	{ R_MLA_KV_A, "model.layers.{}.self_attn" part ".kv_a_proj_with_mqa", BIAS_ATTENTION }, \
	{ R_MLA_KV_NORM, "model.layers.{}.self_attn" part ".kv_a_layernorm", 0 }, \
	{ R_MLA_KV_B, "model.layers.{}.self_attn" part ".kv_b_proj", BIAS_NEVER }, \
	{ R_O, "model.layers.{}.self_attn" part ".o_proj", BIAS_ATTENTION }

static const struct role_name deepseek_v2_names[] = {
	LLAMA_ENDS,	  LLAMA_NORMS,	    MLA_NAMES(""), { R_Q, "model.layers.{}.self_attn.q_proj", BIAS_NEVER }, LLAMA_MLP(BIAS_MLP),
	DEEPSEEK_EXPERTS, SHARED_EXPERT("shared_experts", BIAS_MLP), { R_END },
};
static const struct role_name deepseek_v3_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	MLA_NAMES(""),
	{ R_Q, "model.layers.{}.self_attn.q_proj", BIAS_NEVER },
	LLAMA_MLP(BIAS_NEVER),
	DEEPSEEK_EXPERTS,
	DEEPSEEK_CHOICE,
	SHARED_EXPERT("shared_experts", BIAS_NEVER),
	{ R_END },
};
/* The second "{}" is the half of the layer. */
static const struct role_name longcat_names[] = {
	LLAMA_ENDS,
	{ R_NORM1, "model.layers.{}.input_layernorm.{}", 0 },
	{ R_NORM2, "model.layers.{}.post_attention_layernorm.{}", 0 },
	MLA_NAMES(".{}"),
	{ R_Q, "model.layers.{}.self_attn.{}.q_proj", BIAS_NEVER },
	{ R_GATE, "model.layers.{}.mlps.{}.gate_proj", BIAS_NEVER },
	{ R_UP, "model.layers.{}.mlps.{}.up_proj", BIAS_NEVER },
	{ R_DOWN, "model.layers.{}.mlps.{}.down_proj", BIAS_NEVER },
	{ R_ROUTER, "model.layers.{}.mlp.router.classifier", BIAS_PRESENT },
	{ R_ROUTER_BIAS, "model.layers.{}.mlp.router.e_score_correction_bias", BIAS_ALWAYS },
	{ R_X_GATE, "model.layers.{}.mlp.experts.{}.gate_proj", BIAS_NEVER },
	{ R_X_UP, "model.layers.{}.mlp.experts.{}.up_proj", BIAS_NEVER },
	{ R_X_DOWN, "model.layers.{}.mlp.experts.{}.down_proj", BIAS_NEVER },
	{ R_END },
};
static const char *const longcat_junk[] = { "model.mtp.*", LLAMA_JUNK, NULL };

/* A key that may be absent or one of two words; which: 0 or 1, -1 where it is absent. */
static int word(const struct config *c, const struct source *s, const char *key, const char *first, const char *second, int *which, struct err *e)
{
	const struct value *v = config_look(s, key);
	*which = -1;
	if (!v)
		return 0;
	if (v->type == V_STR && (str_is(v->s, first) || (second && str_is(v->s, second)))) {
		*which = str_is(v->s, first) ? 0 : 1;
		return 0;
	}
	return err_set(e, E_UNSUPPORTED, "%s: '%s': the family %s is known with '%s'%s%s%s only", s->path, key, c->family->name, first,
		       second ? " and '" : "", second ? second : "", second ? "'" : "");
}

/* Groups count in one of the two methods only, the default is the other. */
static int deepseek_v2_derive(struct config *c, const struct source *s, struct err *e)
{
	int method, score;
	if (word(c, s, "topk_method", "greedy", "group_limited_greedy", &method, e) != 0 || word(c, s, "scoring_func", "softmax", NULL, &score, e) != 0)
		return -1;
	if (method != 1)
		c->moe.groups = c->moe.groups_kept = 1;
	return config_mla(c, s, e);
}

static int deepseek_v3_derive(struct config *c, const struct source *s, struct err *e)
{
	const struct key own = { { "rope_interleave" }, K_BOOL, 0, 1, 0, 1 };
	bool interleaved;
	int method, score;
	if (config_keys(s, &interleaved, &own, 1, NULL, e) != 0 || word(c, s, "topk_method", "noaux_tc", NULL, &method, e) != 0 || word(c, s, "scoring_func", "sigmoid", NULL, &score, e) != 0)
		return -1;
	c->rope_layout = interleaved ? ROPE_INTERLEAVED : ROPE_HALF;
	return config_mla(c, s, e);
}

/* Each layer is two: attention and MLP, twice; the experts read what the first MLP reads. */
static int longcat_derive(struct config *c, const struct source *s, struct err *e)
{
	const struct key own = { { "num_layers" }, K_INT, 0, 0, 1, CONFIG_MAX_LAYERS };
	int layers, zero;

	if (config_keys(s, &layers, &own, 1, NULL, e) != 0 || word(c, s, "zero_expert_type", "identity", NULL, &zero, e) != 0)
		return -1;
	if (!layers && c->layers % 2)
		return err_set(e, E_RANGE, "%s: 'num_hidden_layers' is %d, the family %s has an even number", c->path, c->layers, c->family->name);
	if (layers > CONFIG_MAX_LAYERS / 2)
		return err_set(e, E_RANGE, "%s: 'num_layers' is %d, at most %d are allowed for they count twice", c->path, layers, CONFIG_MAX_LAYERS / 2);
	if (layers)
		c->layers = 2 * layers;
	c->halves = true;
	for (int i = 0; i < c->layers; i++)
		c->ff[i] = i % 2 || !c->moe.experts ? FF_DENSE : FF_SHORTCUT;
	return config_mla(c, s, e);
}

const struct family families_mla[] = {
	{
		.name = "deepseek_v2",
		.text = "DeepSeek V2 and V2 Lite: latent attention, experts chosen by softmax, shared experts",
		.architectures = { "DeepseekV2ForCausalLM" },
		.model_types = { "deepseek_v2" },
		.names = deepseek_v2_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 }, { "head_dim", 64 }, { "intermediate_size", 11008 }, { "max_position_embeddings", 2048 },
			      { "n_routed_experts", 64 }, { "moe_intermediate_size", 1407 }, { "n_shared_experts", 2 }, { "q_lora_rank", 1536 } },
		.only = { { "norm_topk_prob", 0 }, { "partial_rotary_factor", 1 }, { "rope_interleave", 1 } },
		.derive = deepseek_v2_derive,
		.rope = ROPE_INTERLEAVED,
		.moe = { .present = true, .score = ROUTE_SOFTMAX, .steps_from_zero = true },
	},
	{
		.name = "deepseek_v3",
		.text = "DeepSeek V3 and R1, Kimi K2: latent attention, experts in groups with a bias that only chooses, a shared expert",
		.architectures = { "DeepseekV3ForCausalLM", "KimiK2ForCausalLM" },
		.model_types = { "deepseek_v3", "kimi_k2" },
		.names = deepseek_v3_names,
		LLAMA_KIN,
		.beyond = "model.layers.",
		.defaults = { { "norm_eps", 1e-6 }, { "head_dim", 64 }, { "intermediate_size", 18432 }, { "max_position_embeddings", 4096 },
			      { "n_routed_experts", 256 }, { "num_experts_per_tok", 8 }, { "moe_intermediate_size", 2048 }, { "n_shared_experts", 1 },
			      { "first_k_dense_replace", 3 }, { "norm_topk_prob", 1 }, { "routed_scaling_factor", 2.5 }, { "n_group", 8 },
			      { "topk_group", 4 }, { "q_lora_rank", 1536 } },
		.only = { { "partial_rotary_factor", 1 } },
		.derive = deepseek_v3_derive,
		.rope = ROPE_INTERLEAVED,
		.moe = { .present = true, .score = ROUTE_SIGMOID, .best_of = 2, .floor = 1e-20, .steps_from_zero = true },
	},
	{
		.name = "longcat_flash",
		.text = "LongCat Flash: latent attention and an MLP twice a layer, experts beside the second, some of them identities",
		.architectures = { "LongcatFlashForCausalLM" },
		.model_types = { "longcat_flash" },
		.names = longcat_names,
		.prefix = "model.",
		.junk = longcat_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 1e7 }, { "head_dim", 64 }, { "intermediate_size", 12288 },
			      { "max_position_embeddings", 131072 }, { "n_routed_experts", 512 }, { "zero_expert_num", 256 }, { "moe_topk", 12 },
			      { "expert_ffn_hidden_size", 2048 }, { "routed_scaling_factor", 6 }, { "q_lora_rank", 1536 },
			      { "mla_scale_q_lora", 1 }, { "mla_scale_kv_lora", 1 } },
		.only = { { "norm_topk_prob", 0 }, { "partial_rotary_factor", 1 }, { "rope_interleave", 1 } },
		.derive = longcat_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.rope = ROPE_INTERLEAVED,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_SOFTMAX },
	},
	{ .name = NULL },
};
