/* families_vision.c - rows of language models that exist as a part of models of images and video alone.
 *
 * Their text is that of a family in another table, with defaults and layouts of its own. Positions come in three parts (time,
 * height, width: `mrope_section`), which are the same number for text, so that plain rotary embedding is exact. The other parts'
 * tensors are counted as skipped. Models that wrap a family as it is need no row: families.c lists their names.
 */
#include "runners/families_int.h"


/* Of all experts in one tensor, or each one's own as 8-bit files have them. */
#define EITHER_EXPERTS \
	{ R_X_GATE_UP, "model.layers.{}.mlp.experts.gate_up_proj", BIAS_NEVER }, \
	{ R_X_DOWN, "model.layers.{}.mlp.experts.down_proj", BIAS_NEVER }, \
	DEEPSEEK_EXPERTS
static const struct role_name qwen3_vl_moe_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_QK_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION), LLAMA_MLP(BIAS_NEVER), EITHER_EXPERTS, { R_END },
};
static const struct role_name qwen3_5_moe_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_QK_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	DELTA_APART_NAMES,
	EITHER_EXPERTS,
	SHARED_EXPERT("shared_expert", BIAS_NEVER),
	{ R_S_WEIGHT, "model.layers.{}.mlp.shared_expert_gate", BIAS_NEVER },
	{ R_END },
};
static const struct role_name glm4v_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	{ R_POST1, "model.layers.{}.post_self_attn_layernorm", 0 },
	{ R_POST2, "model.layers.{}.post_mlp_layernorm", 0 },
	LLAMA_ATTENTION(BIAS_ALWAYS, BIAS_NEVER),
	{ R_GATE_UP, "model.layers.{}.mlp.gate_up_proj", BIAS_NEVER },
	{ R_DOWN, "model.layers.{}.mlp.down_proj", BIAS_NEVER },
	{ R_END },
};
static const struct role_name glm4v_moe_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_NEVER),
	LLAMA_MLP(BIAS_NEVER),
	DEEPSEEK_EXPERTS,
	DEEPSEEK_CHOICE,
	SHARED_EXPERT("shared_experts", BIAS_NEVER),
	{ R_END },
};
static const char *const vision_junk[] = { "visual.*", "mtp.*", LLAMA_JUNK, NULL };

/* always divided by their sum, whatever norm_topk_prob says */
static int qwen3_vl_moe_derive(struct config *c, const struct source *s, struct err *e)
{
	(void)s;
	(void)e;
	c->moe.normalise = true;
	return 0;
}

static int qwen3_5_moe_derive(struct config *c, const struct source *s, struct err *e)
{
	c->moe.normalise = true;
	c->gated_attention = true;
	for (int i = 0; i < c->layers; i++)
		c->ff[i] = FF_MOE;
	return config_delta(c, s, e);
}

const struct family families_vision[] = {
	{
		.name = "qwen2_vl",
		.text = "Qwen 2 VL and 2.5 VL, text: Qwen 2",
		.architectures = { "Qwen2VLForConditionalGeneration", "Qwen2_5_VLForConditionalGeneration" },
		.model_types = { "qwen2_vl", "qwen2_5_vl", "qwen2_vl_text", "qwen2_5_vl_text" },
		.names = qwen2_names,
		.prefix = "model.",
		.junk = vision_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 1000000 }, { "num_key_value_heads", 8 }, { "sliding_window", 4096 }, { "max_window_layers", 80 } },
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
		.window = WINDOW_FLAG,
	},
	{
		.name = "qwen3_vl",
		.text = "Qwen 3 VL, dense, text: Qwen 3",
		.architectures = { "Qwen3VLForConditionalGeneration" },
		.model_types = { "qwen3_vl", "qwen3_vl_text" },
		.names = qwen3_names,
		.prefix = "model.",
		.junk = vision_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "rope_theta", 500000 }, { "head_dim", 128 } },
		.act = "silu",
		.norm = NORM_RMS,
		.qk_norm = QK_HEAD,
		.gated = true,
	},
	{
		.name = "qwen3_vl_moe",
		.text = "Qwen 3 VL with experts, text: Qwen 3 with all experts in one tensor",
		.architectures = { "Qwen3VLMoeForConditionalGeneration" },
		.model_types = { "qwen3_vl_moe", "qwen3_vl_moe_text" },
		.names = qwen3_vl_moe_names,
		.prefix = "model.",
		.junk = vision_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "rope_theta", 500000 }, { "num_key_value_heads", 16 }, { "intermediate_size", 5632 }, { "num_experts", 60 },
			      { "num_experts_per_tok", 4 }, { "moe_intermediate_size", 1408 } },
		.derive = qwen3_vl_moe_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.qk_norm = QK_HEAD,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_SOFTMAX, .layout = EXPERTS_EITHER },
	},
	{
		.name = "qwen3_5_moe",
		.text = "Qwen 3.5 with experts: gated delta rule and gated attention, experts with a shared one",
		.architectures = { "Qwen3_5MoeForConditionalGeneration", "Qwen3_5MoeForCausalLM" },
		.model_types = { "qwen3_5_moe", "qwen3_5_moe_text" },
		.names = qwen3_5_moe_names,
		.prefix = "model.",
		.junk = vision_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "head_dim", 256 }, { "num_key_value_heads", 2 }, { "partial_rotary_factor", 0.25 }, { "num_experts", 256 },
			      { "num_experts_per_tok", 8 }, { "moe_intermediate_size", 512 }, { "shared_expert_intermediate_size", 512 } },
		.only = { { "attn_output_gate", 1 } },
		.derive = qwen3_5_moe_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.norm_plus_one = true,
		.qk_norm = QK_HEAD,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_SOFTMAX, .layout = EXPERTS_OUT_IN },
	},
	{
		.name = "glm4v",
		.text = "GLM 4.1 V, text: GLM-4-0414 with biases",
		.architectures = { "Glm4vForConditionalGeneration" },
		.model_types = { "glm4v", "glm4v_text" },
		.names = glm4v_names,
		.prefix = "model.",
		.junk = vision_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "num_key_value_heads", 2 } },
		.act = "silu",
		.norm = NORM_RMS,
		.rope = ROPE_INTERLEAVED,
		.gated = true,
	},
	{
		.name = "glm4v_moe",
		.text = "GLM 4.5 V and 4.6 V, text: GLM 4.5 without norms of heads",
		.architectures = { "Glm4vMoeForConditionalGeneration" },
		.model_types = { "glm4v_moe", "glm4v_moe_text" },
		.names = glm4v_moe_names,
		.prefix = "model.",
		.junk = vision_junk,
		.beyond = "model.layers.",
		.defaults = { { "norm_eps", 1e-5 }, { "partial_rotary_factor", 0.5 }, { "num_key_value_heads", 8 }, { "attention_bias", 1 }, { "intermediate_size", 10944 },
			      { "n_routed_experts", 128 }, { "num_experts_per_tok", 8 }, { "moe_intermediate_size", 1408 }, { "n_shared_experts", 1 },
			      { "first_k_dense_replace", 1 }, { "norm_topk_prob", 1 } },
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_SIGMOID, .best_of = 2, .floor = 1e-20 },
	},
	{ .name = NULL },
};
