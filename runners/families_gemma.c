/* families_gemma.c - rows of Google's Gemma.
 */
#include "runners/families_int.h"

#include "kernels/base/dmath.h"

#define GEMMA2_NAMES \
	LLAMA_ENDS, \
	{ R_NORM1, "model.layers.{}.input_layernorm", 0 }, \
	{ R_POST1, "model.layers.{}.post_attention_layernorm", 0 }, \
	{ R_NORM2, "model.layers.{}.pre_feedforward_layernorm", 0 }, \
	{ R_POST2, "model.layers.{}.post_feedforward_layernorm", 0 }, \
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION), \
	LLAMA_QK_NORMS, \
	LLAMA_MLP(BIAS_NEVER)
static const struct role_name gemma2_names[] = { GEMMA2_NAMES, { R_END } };
static const struct role_name gemma4_names[] = {
	GEMMA2_NAMES,
	{ R_GIVEN, "model.embed_tokens_per_layer", 0 },
	{ R_GIVEN_OF, "model.per_layer_model_projection", BIAS_NEVER },
	{ R_GIVEN_NORM, "model.per_layer_projection_norm", 0 },
	{ R_GIVE, "model.layers.{}.per_layer_input_gate", BIAS_NEVER },
	{ R_TAKE, "model.layers.{}.per_layer_projection", BIAS_NEVER },
	{ R_TAKEN, "model.layers.{}.post_per_layer_input_norm", 0 },
	{ R_SCALE, "model.layers.{}.layer_scalar", 0 },
	{ R_ROUTER_NORM, "model.layers.{}.router.scale", 0 },
	{ R_ROUTER, "model.layers.{}.router.proj", BIAS_NEVER },
	{ R_ROUTER_SCALE, "model.layers.{}.router.per_expert_scale", 0 },
	{ R_X_GATE_UP, "model.layers.{}.experts.gate_up_proj", BIAS_NEVER },
	{ R_X_DOWN, "model.layers.{}.experts.down_proj", BIAS_NEVER },
	{ R_POST_DENSE, "model.layers.{}.post_feedforward_layernorm_1", 0 },
	{ R_NORM_X, "model.layers.{}.pre_feedforward_layernorm_2", 0 },
	{ R_POST_X, "model.layers.{}.post_feedforward_layernorm_2", 0 },
	{ R_END },
};

static const struct key gemma_keys[] = {
	{ { "query_pre_attn_scalar" }, K_NUM, CONFIG_AT(score_scale), 256, 1e-9, 1e9 },
	{ { "attn_logit_softcapping" }, K_NUM, CONFIG_AT(score_cap), 0, 1e-9, 1e9 },
	{ { "final_logit_softcapping" }, K_NUM, CONFIG_AT(logit_cap), 0, 1e-9, 1e9 },
	{ { NULL } },
};

static int gemma_derive(struct config *c, const struct source *s, struct err *e)
{
	(void)e;
	c->embed_scale = dm_pow(c->width, 0.5);
	if (c->family->keys)
		c->score_scale = dm_pow(c->score_scale, -0.5);
	if (c->act == ACT_GELU_ERF && !config_look(s, "hidden_activation")) /* what hidden_act calls gelu is the other one */
		c->act = ACT_GELU_TANH;
	return 0;
}

/* transformers' gemma3 reads attn_logit_softcapping and does not apply it */
static const struct key gemma3_keys[] = {
	{ { "query_pre_attn_scalar" }, K_NUM, CONFIG_AT(score_scale), 256, 1e-9, 1e9 },
	{ { "final_logit_softcapping" }, K_NUM, CONFIG_AT(logit_cap), 0, 1e-9, 1e9 },
	{ { NULL } },
};
static const struct key gemma4_keys[] = {
	{ { "final_logit_softcapping" }, K_NUM, CONFIG_AT(logit_cap), 0, 1e-9, 1e9 },
	{ { "global_head_dim" }, K_INT, CONFIG_AT(full_head_dim), 512, 1, 1024 },
	{ { "attention_k_eq_v" }, K_BOOL, CONFIG_AT(keys_are_values), 0, 0, 1 },
	{ { "use_double_wide_mlp" }, K_BOOL, CONFIG_AT(wide_inner), 0, 0, 1 },
	{ { "hidden_size_per_layer_input" }, K_INT, CONFIG_AT(layer_input), 256, 0, 1 << 16 },
	{ { NULL } },
};

/* The last layers read keys and values of the last layer of their kind before them. */
static int gemma4_share(struct config *c, int shared, struct err *e)
{
	int first = c->layers - shared;
	for (int i = first; i < c->layers; i++) {
		int from = first - 1;
		while (from >= 0 && c->slides[from] != c->slides[i])
			from--;
		if (from < 0)
			return err_set(e, E_RANGE, "%s: 'num_kv_shared_layers' %d leaves no layer of the kind of layer %d to read from", c->path, shared, i);
		c->kv_back[i] = (short)(i - from);
	}
	return 0;
}

/* enable_moe_block: experts beside the dense part of every layer; without it their keys say nothing. */
static int gemma4_experts(struct config *c, const struct source *s, struct err *e)
{
	static const struct key key = { { "enable_moe_block" }, K_BOOL, 0, 0, 0, 1 };
	static const char *const needed[] = { "num_experts", "top_k_experts", "moe_intermediate_size" };
	bool on;

	if (config_keys(s, &on, &key, 1, NULL, e) != 0)
		return -1;
	if (!on)
		return 0;
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
		if (!config_look(s, needed[i]))
			return err_set(e, E_FORMAT, "%s: '%s' is missing, 'enable_moe_block' needs it", c->path, needed[i]);
	if (config_moe(c, s, e) != 0)
		return -1;
	if (!c->moe.experts)
		return err_set(e, E_RANGE, "%s: 'num_experts' is 0, 'enable_moe_block' needs some", c->path);
	c->moe.normalise = true;
	for (int i = 0; i < c->layers; i++)
		c->ff[i] = FF_BESIDE;
	return 0;
}

static int gemma4_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct key own[] = {
		{ { "num_global_key_value_heads" }, K_INT, 0, 0, 1, 4096 },
		{ { "num_kv_shared_layers" }, K_INT, sizeof(int), 0, 0, CONFIG_MAX_LAYERS },
	};
	const struct value *both = config_look(s, "use_bidirectional_attention");
	int v[2];

	if (config_keys(s, v, own, CONFIG_COUNT(own), NULL, e) != 0)
		return -1;
	if (both && !(both->type == V_STR && str_is(both->s, "vision")) && !(both->type == V_BOOL && !both->b))
		return err_set(e, E_UNSUPPORTED, "%s: 'use_bidirectional_attention' is '%.40s': attention that looks ahead is not known but in images "
			       "('vision')", c->path, both->type == V_STR ? both->s.p : v_type_name(*both));
	if (v[1] >= c->layers)
		return err_set(e, E_RANGE, "%s: 'num_kv_shared_layers' %d of %d layers", c->path, v[1], c->layers);
	c->full_kv_heads = c->keys_are_values ? v[0] : 0;
	if (c->full_kv_heads && c->heads % c->full_kv_heads)
		return err_set(e, E_RANGE, "%s: 'num_attention_heads' %d is no multiple of 'num_global_key_value_heads' %d", c->path, c->heads, c->full_kv_heads);
	c->slides[c->layers - 1] = 0; /* the last layer is always full */
	c->score_scale = 1;
	c->value_norm = true;
	c->embed_scale = dm_pow(c->width, 0.5);
	if (!config_look(s, "rope_parameters")) {
		c->rope[0].type = ROPE_PROPORTIONAL;
		c->rope[0].partial = 0.25;
		c->rope[0].theta = 1000000;
		c->rope[1].type = ROPE_PLAIN;
		c->rope[1].partial = 1;
		c->rope[1].theta = 10000;
	}
	return gemma4_experts(c, s, e) != 0 ? -1 : gemma4_share(c, v[1], e);
}

const struct family families_gemma[] = {
	{
		.name = "gemma",
		.text = "Gemma 1: norms with 1 + weight, embeddings times sqrt(width)",
		.architectures = { "GemmaForCausalLM" },
		.model_types = { "gemma" },
		.names = llama_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "tie_word_embeddings", 1 }, { "head_dim", 256 }, { "num_key_value_heads", 16 } },
		.only = { { "use_bidirectional_attention", 0 } },
		.derive = gemma_derive,
		.act = "gelu_pytorch_tanh",
		.norm = NORM_RMS,
		.gated = true,
		.norm_plus_one = true,
	},
	{
		.name = "gemma2",
		.text = "Gemma 2: four norms a layer, soft caps, every other layer slides",
		.architectures = { "Gemma2ForCausalLM" },
		.model_types = { "gemma2" },
		.names = gemma2_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "tie_word_embeddings", 1 }, { "head_dim", 256 }, { "num_key_value_heads", 4 }, { "sliding_window", 4096 }, { "attn_logit_softcapping", 50 }, { "final_logit_softcapping", 30 } },
		.only = { { "use_bidirectional_attention", 0 } },
		.keys = gemma_keys,
		.derive = gemma_derive,
		.act = "gelu_pytorch_tanh",
		.norm = NORM_RMS,
		.window = WINDOW_PATTERN,
		.window_pattern = 2,
		.gated = true,
		.norm_plus_one = true,
	},
	{
		.name = "gemma3",
		.text = "Gemma 3: norms of heads, two rotary tables, five of six layers slide",
		.architectures = { "Gemma3ForCausalLM", "Gemma3ForConditionalGeneration" },
		.model_types = { "gemma3_text", "gemma3" },
		.names = gemma2_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "tie_word_embeddings", 1 }, { "head_dim", 256 }, { "num_key_value_heads", 4 }, { "sliding_window", 4096 }, { "rope_theta", 1000000 } },
		.only = { { "use_bidirectional_attention", 0 } },
		.keys = gemma3_keys,
		.derive = gemma_derive,
		.act = "gelu_pytorch_tanh",
		.norm = NORM_RMS,
		.qk_norm = QK_HEAD,
		.window = WINDOW_PATTERN,
		.window_pattern = 6,
		.local_rope = LOCAL_BASE,
		.gated = true,
		.norm_plus_one = true,
	},
	{
		.name = "gemma4",
		.text = "Gemma 4: keys shared between layers, what tokens give each layer, wider heads in full layers, experts beside the dense part",
		.architectures = { "Gemma4ForConditionalGeneration", "Gemma4ForCausalLM" },
		.model_types = { "gemma4", "gemma4_text" },
		.names = gemma4_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "tie_word_embeddings", 1 }, { "head_dim", 256 }, { "num_key_value_heads", 4 }, { "sliding_window", 512 } },
		.keys = gemma4_keys,
		.derive = gemma4_derive,
		.moe = { .score = ROUTE_SOFTMAX, .layout = EXPERTS_OUT_IN }, /* where enable_moe_block says so: gemma4_experts */
		.act = "gelu_pytorch_tanh",
		.norm = NORM_RMS,
		.gated = true,
		.qk_norm = QK_HEAD,
		.window = WINDOW_PATTERN,
		.window_pattern = 6,
		.local_rope = LOCAL_BASE,
	},
	{ .name = NULL },
};
