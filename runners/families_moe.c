/* families_moe.c - rows of families with a mixture of experts in place of the dense feed-forward part, and attention of the usual kind.
 */
#include "runners/families_int.h"

#include <string.h>

static const struct role_name mixtral_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_NEVER, BIAS_NEVER), MIXTRAL_EXPERTS, { R_END },
};
static const struct role_name qwen2_moe_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_NEVER),
	LLAMA_MLP(BIAS_NEVER),
	DEEPSEEK_EXPERTS,
	SHARED_EXPERT("shared_expert", BIAS_NEVER),
	{ R_S_WEIGHT, "model.layers.{}.mlp.shared_expert_gate", BIAS_NEVER },
	{ R_END },
};
static const struct role_name qwen3_moe_names[] = {
	LLAMA_ENDS,	    LLAMA_NORMS, LLAMA_QK_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION), LLAMA_MLP(BIAS_NEVER),
	DEEPSEEK_EXPERTS, { R_END },
};
static const struct role_name gpt_oss_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	{ R_SINKS, "model.layers.{}.self_attn.sinks", 0 },
	{ R_ROUTER, "model.layers.{}.mlp.router", BIAS_ALWAYS },
	{ R_X_GATE_UP, "model.layers.{}.mlp.experts.gate_up_proj", BIAS_ALWAYS },
	{ R_X_DOWN, "model.layers.{}.mlp.experts.down_proj", BIAS_ALWAYS },
	{ R_END },
};
#define LLAMA4 "language_model.model."
static const struct role_name llama4_names[] = {
	{ R_EMBED, LLAMA4 "embed_tokens", 0 },
	{ R_FINAL_NORM, LLAMA4 "norm", 0 },
	{ R_HEAD, "language_model.lm_head", BIAS_NEVER },
	{ R_NORM1, LLAMA4 "layers.{}.input_layernorm", 0 },
	{ R_NORM2, LLAMA4 "layers.{}.post_attention_layernorm", 0 },
	{ R_Q, LLAMA4 "layers.{}.self_attn.q_proj", BIAS_ATTENTION },
	{ R_K, LLAMA4 "layers.{}.self_attn.k_proj", BIAS_ATTENTION },
	{ R_V, LLAMA4 "layers.{}.self_attn.v_proj", BIAS_ATTENTION },
	{ R_O, LLAMA4 "layers.{}.self_attn.o_proj", BIAS_ATTENTION },
	{ R_GATE, LLAMA4 "layers.{}.feed_forward.gate_proj", BIAS_NEVER },
	{ R_UP, LLAMA4 "layers.{}.feed_forward.up_proj", BIAS_NEVER },
	{ R_DOWN, LLAMA4 "layers.{}.feed_forward.down_proj", BIAS_NEVER },
	{ R_ROUTER, LLAMA4 "layers.{}.feed_forward.router", BIAS_NEVER },
	{ R_X_GATE_UP, LLAMA4 "layers.{}.feed_forward.experts.gate_up_proj", BIAS_NEVER },
	{ R_X_DOWN, LLAMA4 "layers.{}.feed_forward.experts.down_proj", BIAS_NEVER },
	{ R_S_GATE, LLAMA4 "layers.{}.feed_forward.shared_expert.gate_proj", BIAS_NEVER },
	{ R_S_UP, LLAMA4 "layers.{}.feed_forward.shared_expert.up_proj", BIAS_NEVER },
	{ R_S_DOWN, LLAMA4 "layers.{}.feed_forward.shared_expert.down_proj", BIAS_NEVER },
	{ R_END },
};
static const struct role_name granite_moe_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION), GRANITE_EXPERTS, { R_END },
};
#define DBRX "transformer.blocks.{}."
static const struct role_name dbrx_names[] = {
	{ R_EMBED, "transformer.wte", 0 },
	{ R_FINAL_NORM, "transformer.norm_f", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, DBRX "norm_attn_norm.norm_1", 0 },
	{ R_NORM2, DBRX "norm_attn_norm.norm_2", 0 },
	{ R_QKV, DBRX "norm_attn_norm.attn.Wqkv", BIAS_NEVER },
	{ R_O, DBRX "norm_attn_norm.attn.out_proj", BIAS_NEVER },
	{ R_ROUTER, DBRX "ffn.router.layer", BIAS_NEVER },
	{ R_X_GATE, DBRX "ffn.experts.mlp.w1", BIAS_NEVER },
	{ R_X_UP, DBRX "ffn.experts.mlp.v1", BIAS_NEVER },
	{ R_X_DOWN, DBRX "ffn.experts.mlp.w2", BIAS_NEVER },
	{ R_END },
};
static const struct role_name ernie_moe_names[] = {
	{ R_EMBED, "model.embed_tokens", 0 },
	{ R_FINAL_NORM, "model.norm", 0 },
	{ R_HEAD, "lm_head", BIAS_MLP },
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	LLAMA_MLP(BIAS_MLP),
	DEEPSEEK_EXPERTS,
	SHARED_EXPERT("shared_experts", BIAS_MLP),
	{ R_ROUTER_BIAS, "model.layers.{}.mlp.moe_statics.e_score_correction_bias", BIAS_PRESENT },
	{ R_END },
};
static const struct role_name hunyuan_moe_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	{ R_Q_NORM, "model.layers.{}.self_attn.query_layernorm", 0 },
	{ R_K_NORM, "model.layers.{}.self_attn.key_layernorm", 0 },
	LLAMA_MLP(BIAS_PRESENT),
	{ R_ROUTER, "model.layers.{}.mlp.gate.wg", BIAS_NEVER },
	{ R_X_GATE, "model.layers.{}.mlp.experts.{}.gate_proj", BIAS_PRESENT },
	{ R_X_UP, "model.layers.{}.mlp.experts.{}.up_proj", BIAS_PRESENT },
	{ R_X_DOWN, "model.layers.{}.mlp.experts.{}.down_proj", BIAS_PRESENT },
	SHARED_EXPERT("shared_mlp", BIAS_PRESENT),
	{ R_END },
};
static const struct role_name minimax_m2_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_QK_NORMS,
	LLAMA_ATTENTION(BIAS_NEVER, BIAS_NEVER),
	MIXTRAL_EXPERTS,
	{ R_ROUTER_BIAS, "model.layers.{}.block_sparse_moe.e_score_correction_bias", BIAS_PRESENT },
	{ R_END },
};
static const struct role_name glm4_moe_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_QK_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_NEVER),
	LLAMA_MLP(BIAS_NEVER),
	DEEPSEEK_EXPERTS,
	DEEPSEEK_CHOICE,
	SHARED_EXPERT("shared_experts", BIAS_NEVER),
	{ R_END },
};
static const struct role_name dots1_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_QK_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	LLAMA_MLP(BIAS_NEVER),
	DEEPSEEK_EXPERTS,
	DEEPSEEK_CHOICE,
	SHARED_EXPERT("shared_experts", BIAS_NEVER),
	{ R_END },
};
static const struct role_name phimoe_names[] = {
	{ R_EMBED, "model.embed_tokens", 0 },
	{ R_FINAL_NORM, "model.norm", 0 },
	{ R_HEAD, "lm_head", BIAS_PRESENT },
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	MIXTRAL_EXPERTS,
	{ R_END },
};

static const char *const llama4_junk[] = { "vision_model.*", "multi_modal_projector.*", NULL };
static const char *const ernie_junk[] = { "model.mtp_*", NULL };

/* ---- keys and formulas of single families ---- */

static int qwen2_moe_derive(struct config *c, const struct source *s, struct err *e)
{
	(void)e;
	for (int i = 0; i < c->layers && c->window && !config_look(s, "layer_types"); i++)
		c->slides[i] = i % 2 == 0 && i < c->window_from;
	return 0;
}

static int qwen3_moe_derive(struct config *c, const struct source *s, struct err *e)
{
	(void)s;
	(void)e;
	for (int i = 0; i < c->layers; i++)
		c->slides[i] = c->window != 0;
	return 0;
}

static int gpt_oss_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct key own[] = {
		{ { "swiglu_alpha" }, K_NUM, 0, 1.702, 0, 1e6 },
		{ { "swiglu_limit" }, K_NUM, sizeof(double), 7, 0, 1e6 },
	};
	double v[2];
	if (config_keys(s, v, own, CONFIG_COUNT(own), NULL, e) != 0)
		return -1;
	c->moe.act = ACT_SWIGLU_CLAMPED;
	c->moe.act_p[0] = (float)v[0];
	c->moe.act_p[1] = (float)v[1];
	if (config_look(s, "rope_parameters") || config_look(s, "rope_scaling"))
		return 0;
	c->rope[0].type = ROPE_YARN; /* what the family's class does where the file is silent */
	c->rope[0].factor = 32;
	c->rope[0].beta_fast = 32;
	c->rope[0].beta_slow = 1;
	c->rope[0].original_positions = 4096;
	return 0;
}

static const struct key llama4_keys[] = {
	{ { "attention_chunk_size" }, K_INT, CONFIG_AT(chunk), 8192, 1, 1 << 30 },
	{ { "attn_scale" }, K_NUM, CONFIG_AT(q_growth), 0.1, 0, 1e6 },
	{ { "floor_scale" }, K_INT, CONFIG_AT(q_every), 8192, 1, 1 << 30 },
	{ { NULL } },
};

static int llama4_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct layer_type types[] = { { "chunked_attention", MIX_ATTENTION, true }, { "full_attention", MIX_ATTENTION, false }, { NULL, 0, false } };
	const struct value *tuning = config_look(s, "attn_temperature_tuning"); /* true or false, in released files a number */
	bool given;

	if (tuning && tuning->type != V_BOOL && tuning->type != V_INT)
		return err_set(e, E_FORMAT, "%s: 'attn_temperature_tuning' is of type %s, wanted true or false", s->path, v_type_name(*tuning));
	if (tuning && !(tuning->type == V_BOOL ? tuning->b : tuning->i != 0))
		c->q_growth = 0;
	c->q_nope_only = true;
	c->q_from = 1;
	if (config_null(s, "attention_chunk_size"))
		c->chunk = 0;
	if (config_layer_types(c, s, "layer_types", types, &given, e) != 0)
		return -1;
	for (int i = 0; i < c->layers && !given; i++)
		c->slides[i] = !c->nope[i];
	c->moe.shared = c->moe.inner;
	return 0;
}

/* moe_normalize_expert_weights is the p of a norm; null: none. Weights over their sum are the softmax of the chosen. */
static int dbrx_derive(struct config *c, const struct source *s, struct err *e)
{
	(void)e;
	if (config_null(s, "ffn_config.moe_normalize_expert_weights"))
		c->moe.score = ROUTE_SOFTMAX;
	return 0;
}

static int hunyuan_moe_derive(struct config *c, const struct source *s, struct err *e)
{
	int count = c->moe.shared_count > 1 ? c->moe.shared_count : 1;
	if (count > (1 << 20) / c->inner)
		return err_set(e, E_RANGE, "%s: %d shared experts of width %d are more than a shared expert can hold ('num_shared_expert')", s->path, count, c->inner);
	c->moe.shared = count * c->inner; /* as wide as intermediate_size says, whatever the experts' width */
	return 0;
}

/* Transformers scales long sequences by long_mscale, but divides frequencies by short_factor at every length. */
static int phimoe_derive(struct config *c, const struct source *s, struct err *e)
{
	(void)s;
	(void)e;
	memcpy(c->rope[0].long_factor, c->rope[0].short_factor, sizeof c->rope[0].long_factor);
	return 0;
}

const struct family families_moe[] = {
	{
		.name = "mixtral",
		.text = "Mixtral: Mistral with experts in every layer",
		.architectures = { "MixtralForCausalLM" },
		.model_types = { "mixtral" },
		.names = mixtral_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 1e6 }, { "num_key_value_heads", 8 }, { "num_local_experts", 8 }, { "num_experts_per_tok", 2 } },
		.window = WINDOW_ALL,
		.moe = { .present = true, .score = ROUTE_TOP },
	},
	{
		.name = "qwen2_moe",
		.text = "Qwen 1.5 and 2 with experts, and a shared expert behind a gate",
		.architectures = { "Qwen2MoeForCausalLM" },
		.model_types = { "qwen2_moe" },
		.names = qwen2_moe_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 }, { "num_key_value_heads", 16 }, { "qkv_bias", 1 }, { "intermediate_size", 5632 }, { "sliding_window", 4096 },
			      { "num_experts", 60 }, { "num_experts_per_tok", 4 }, { "moe_intermediate_size", 1408 }, { "shared_expert_intermediate_size", 5632 } },
		.derive = qwen2_moe_derive,
		.window = WINDOW_FLAG,
		.moe = { .present = true, .score = ROUTE_SOFTMAX },
	},
	{
		.name = "qwen3_moe",
		.text = "Qwen 3 with experts",
		.architectures = { "Qwen3MoeForCausalLM" },
		.model_types = { "qwen3_moe" },
		.names = qwen3_moe_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 }, { "num_key_value_heads", 4 }, { "intermediate_size", 6144 }, { "sliding_window", 4096 },
			      { "num_experts", 128 }, { "num_experts_per_tok", 8 }, { "moe_intermediate_size", 768 } },
		.derive = qwen3_moe_derive,
		.qk_norm = QK_HEAD,
		.window = WINDOW_FLAG,
		.moe = { .present = true, .score = ROUTE_SOFTMAX },
	},
	{
		.name = "olmoe",
		.text = "OLMoE: experts, query and key normed over all heads",
		.architectures = { "OlmoeForCausalLM" },
		.model_types = { "olmoe" },
		.names = qwen3_moe_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 }, { "intermediate_size", 2048 }, { "num_experts", 64 }, { "num_experts_per_tok", 8 } },
		.keys = clip_keys,
		.qk_norm = QK_PROJECTION,
		.moe = { .present = true, .score = ROUTE_SOFTMAX },
	},
	{
		.name = "gpt_oss",
		.text = "OpenAI gpt-oss: experts in MXFP4 with biases, sinks, every other layer slides",
		.architectures = { "GptOssForCausalLM" },
		.model_types = { "gpt_oss" },
		.names = gpt_oss_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 150000 }, { "head_dim", 64 }, { "num_key_value_heads", 8 }, { "attention_bias", 1 },
			      { "intermediate_size", 2880 }, { "sliding_window", 128 }, { "num_local_experts", 128 }, { "num_experts_per_tok", 4 },
			      { "max_position_embeddings", 131072 } },
		.derive = gpt_oss_derive,
		.window = WINDOW_PATTERN,
		.window_pattern = 2,
		.moe = { .present = true, .score = ROUTE_TOP, .layout = EXPERTS_IN_OUT, .interleaved = true },
	},
	{
		.name = "llama4",
		.text = "Llama 4, text: attention in chunks, layers without rotary embedding, experts and a shared expert",
		.architectures = { "Llama4ForConditionalGeneration", "Llama4ForCausalLM" },
		.model_types = { "llama4", "llama4_text" },
		.names = llama4_names,
		.prefix = "language_model.",
		.junk = llama4_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 500000 }, { "head_dim", 128 }, { "num_key_value_heads", 8 }, { "intermediate_size", 8192 },
			      { "intermediate_size_mlp", 16384 }, { "num_local_experts", 16 }, { "num_experts_per_tok", 1 } },
		.keys = llama4_keys,
		.derive = llama4_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.rope = ROPE_INTERLEAVED,
		.qk_norm = QK_PLAIN,
		.qk_norm_key = { "use_qk_norm", 1 },
		.nope = NOPE_LIST,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_GATE, .layout = EXPERTS_IN_OUT, .weigh_input = true },
	},
	{
		.name = "granitemoe",
		.text = "Granite 3 with experts: the four multipliers, all experts in one tensor",
		.architectures = { "GraniteMoeForCausalLM" },
		.model_types = { "granitemoe" },
		.names = granite_moe_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 }, { "num_local_experts", 8 }, { "num_experts_per_tok", 2 } },
		.keys = granite_keys,
		.derive = granite_derive,
		.moe = { .present = true, .score = ROUTE_TOP, .layout = EXPERTS_OUT_IN },
	},
	{
		.name = "dbrx",
		.text = "DBRX: LayerNorm, clipped queries, keys and values, experts in three tensors",
		.architectures = { "DbrxForCausalLM" },
		.model_types = { "dbrx" },
		.names = dbrx_names,
		.prefix = "transformer.",
		.defaults = { { "norm_eps", 1e-5 }, { "attn_config.kv_n_heads", 1 }, { "intermediate_size", 3584 }, { "moe_num_experts", 4 }, { "ffn_config.moe_top_k", 1 } },
		.only = { { "ffn_config.moe_normalize_expert_weights", 1 } },
		.keys = clip_keys,
		.derive = dbrx_derive,
		.act = "silu",
		.norm = NORM_LAYER_NOBIAS,
		.qkv = QKV_PLAIN,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_TOP, .layout = EXPERTS_ROWS },
	},
	{
		.name = "ernie4_5_moe",
		.text = "ERNIE 4.5 with experts: interleaved rotary pairs, a bias that only chooses, shared experts",
		.architectures = { "Ernie4_5_MoeForCausalLM", "Ernie4_5_MoEForCausalLM" },
		.model_types = { "ernie4_5_moe" },
		.names = ernie_moe_names,
		.prefix = "model.",
		.junk = ernie_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 500000 }, { "num_key_value_heads", 4 }, { "tie_word_embeddings", 1 }, { "intermediate_size", 12288 },
			      { "moe_num_experts", 64 }, { "moe_k", 6 }, { "moe_intermediate_size", 1536 }, { "moe_num_shared_experts", 2 },
			      { "moe_layer_start_index", 1 }, { "norm_topk_prob", 1 } },
		.keys = ernie_keys,
		.act = "silu",
		.norm = NORM_RMS,
		.rope = ROPE_INTERLEAVED,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_SOFTMAX, .floor = 1e-12 },
	},
	{
		.name = "hunyuan_moe",
		.text = "Hunyuan with experts: norms of heads behind rotary, a base stretched by alpha, a shared expert",
		.architectures = { "HunYuanMoEV1ForCausalLM", "HunYuanForCausalLM" },
		.model_types = { "hunyuan_v1_moe" },
		.names = hunyuan_moe_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 }, { "num_experts", 1 }, { "moe_topk", 1 } },
		.only = { { "use_cla", 0 }, { "use_mixed_mlp_moe", 1 } },
		.derive = hunyuan_moe_derive,
		.qk_norm = QK_HEAD_AFTER,
		.qk_norm_key = { "use_qk_norm", 1 },
		.moe = { .present = true, .score = ROUTE_TOP },
	},
	{
		.name = "minimax_m2",
		.text = "MiniMax M2: partial rotary, query and key normed over all heads, experts with a bias that only chooses",
		.architectures = { "MiniMaxM2ForCausalLM" },
		.model_types = { "minimax_m2" },
		.names = minimax_m2_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 }, { "rope_theta", 5e6 }, { "head_dim", 128 }, { "num_key_value_heads", 8 }, { "num_local_experts", 256 },
			      { "num_experts_per_tok", 8 }, { "norm_topk_prob", 1 } },
		.only = { { "use_qk_norm", 1 } },
		.qk_norm = QK_PROJECTION,
		.moe = { .present = true, .score = ROUTE_SIGMOID },
	},
	{
		.name = "glm4_moe",
		.text = "GLM 4.5 to 4.7: half of a head rotated, experts with groups, a shared expert, layers for multi-token prediction skipped",
		.architectures = { "Glm4MoeForCausalLM" },
		.model_types = { "glm4_moe" },
		.names = glm4_moe_names,
		LLAMA_KIN,
		.beyond = "model.layers.",
		.defaults = { { "norm_eps", 1e-5 }, { "partial_rotary_factor", 0.5 }, { "num_key_value_heads", 8 }, { "intermediate_size", 10944 },
			      { "n_routed_experts", 128 }, { "num_experts_per_tok", 8 }, { "moe_intermediate_size", 1408 }, { "n_shared_experts", 1 },
			      { "first_k_dense_replace", 1 }, { "norm_topk_prob", 1 } },
		.qk_norm = QK_HEAD,
		.qk_norm_key = { "use_qk_norm", 0 },
		.moe = { .present = true, .score = ROUTE_SIGMOID, .best_of = 2, .floor = 1e-20 },
	},
	{
		.name = "dots1",
		.text = "dots.llm1: Qwen 3's attention, DeepSeek V3's experts",
		.architectures = { "Dots1ForCausalLM" },
		.model_types = { "dots1" },
		.names = dots1_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 }, { "intermediate_size", 10944 }, { "moe_intermediate_size", 1408 }, { "use_sliding_window", 1 },
			      { "sliding_window", 4096 }, { "max_window_layers", 62 } },
		.qk_norm = QK_HEAD,
		.window = WINDOW_FLAG,
		.moe = { .present = true, .score = ROUTE_SIGMOID, .best_of = 2, .floor = 1e-20 },
	},
	{
		.name = "phimoe",
		.text = "Phi 3.5 with experts: LayerNorm, biases, two experts by sparsemixer",
		.architectures = { "PhiMoEForCausalLM", "PhimoeForCausalLM" },
		.model_types = { "phimoe" },
		.names = phimoe_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 1e6 }, { "num_key_value_heads", 8 }, { "num_local_experts", 16 },
			      { "num_experts_per_tok", 2 }, { "router_jitter_noise", 0.01 } },
		.derive = phimoe_derive,
		.act = "silu",
		.norm = NORM_LAYER,
		.window = WINDOW_ALL,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_SPARSEMIX },
	},
	{ .name = NULL },
};
