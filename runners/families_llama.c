/* families_llama.c - rows of the kin of Llama: RMSNorm, gated feed-forward, rotary positions.
 */
#include "runners/families_int.h"

#include "kernels/base/dmath.h"

const struct role_name llama_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION), LLAMA_MLP(BIAS_MLP), { R_END },
};
static const struct role_name helium_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_NEVER), LLAMA_MLP(BIAS_MLP), { R_END },
};
const struct role_name qwen2_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ALWAYS, BIAS_NEVER), LLAMA_MLP(BIAS_NEVER), { R_END },
};
const struct role_name qwen3_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	LLAMA_QK_NORMS,
	LLAMA_MLP(BIAS_NEVER),
	{ R_END },
};
static const struct role_name olmo2_names[] = {
	LLAMA_ENDS,
	{ R_POST1, "model.layers.{}.post_attention_layernorm", 0 },
	{ R_POST2, "model.layers.{}.post_feedforward_layernorm", 0 },
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	LLAMA_QK_NORMS,
	LLAMA_MLP(BIAS_NEVER),
	{ R_END },
};
static const struct role_name exaone4_names[] = {
	LLAMA_ENDS,
	{ R_POST1, "model.layers.{}.post_attention_layernorm", 0 },
	{ R_POST2, "model.layers.{}.post_feedforward_layernorm", 0 },
	LLAMA_ATTENTION(BIAS_NEVER, BIAS_NEVER),
	LLAMA_QK_NORMS,
	LLAMA_MLP(BIAS_NEVER),
	{ R_END },
};
const struct key ernie_keys[] = {
	{ { "use_bias" }, K_BOOL, CONFIG_AT(attention_bias), 0, 0, 1 },
	{ { "use_bias" }, K_BOOL, CONFIG_AT(mlp_bias), 0, 0, 1 },
	{ { NULL } },
};
static const struct role_name seed_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_OUT), LLAMA_MLP(BIAS_MLP), { R_END },
};
static const struct role_name baichuan_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	{ R_QKV, "model.layers.{}.self_attn.W_pack", BIAS_NEVER },
	{ R_O, "model.layers.{}.self_attn.o_proj", BIAS_NEVER },
	LLAMA_MLP(BIAS_NEVER),
	{ R_END },
};
static const struct role_name phi3_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	{ R_QKV, "model.layers.{}.self_attn.qkv_proj", BIAS_NEVER },
	{ R_O, "model.layers.{}.self_attn.o_proj", BIAS_NEVER },
	{ R_GATE_UP, "model.layers.{}.mlp.gate_up_proj", BIAS_NEVER },
	{ R_DOWN, "model.layers.{}.mlp.down_proj", BIAS_NEVER },
	{ R_END },
};
static const struct role_name glm_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_NEVER),
	{ R_GATE_UP, "model.layers.{}.mlp.gate_up_proj", BIAS_NEVER },
	{ R_DOWN, "model.layers.{}.mlp.down_proj", BIAS_NEVER },
	{ R_END },
};
static const struct role_name glm4_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	{ R_POST1, "model.layers.{}.post_self_attn_layernorm", 0 },
	{ R_POST2, "model.layers.{}.post_mlp_layernorm", 0 },
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_NEVER),
	{ R_GATE_UP, "model.layers.{}.mlp.gate_up_proj", BIAS_NEVER },
	{ R_DOWN, "model.layers.{}.mlp.down_proj", BIAS_NEVER },
	{ R_END },
};
const char *const llama_junk[] = { LLAMA_JUNK, NULL };
static const char *const mimo_junk[] = { "model.mtp_layers.*", NULL };

const struct role_name arcee_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	{ R_UP, "model.layers.{}.mlp.up_proj", BIAS_MLP }, { R_DOWN, "model.layers.{}.mlp.down_proj", BIAS_MLP }, { R_END },
};
static const struct role_name apertus_names[] = {
	LLAMA_ENDS,
	{ R_NORM1, "model.layers.{}.attention_layernorm", 0 },
	{ R_NORM2, "model.layers.{}.feedforward_layernorm", 0 },
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	LLAMA_QK_NORMS,
	{ R_UP, "model.layers.{}.mlp.up_proj", BIAS_MLP },
	{ R_DOWN, "model.layers.{}.mlp.down_proj", BIAS_MLP },
	{ R_ACT, "model.layers.{}.mlp.act_fn", 0 },
	{ R_END },
};
static const struct role_name hunyuan_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	{ R_Q_NORM, "model.layers.{}.self_attn.query_layernorm", 0 },
	{ R_K_NORM, "model.layers.{}.self_attn.key_layernorm", 0 },
	LLAMA_MLP(BIAS_MLP),
	{ R_END },
};
static const struct role_name olmo_names[] = { /* norms without weights: the names are of no tensor */
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION), LLAMA_MLP(BIAS_NEVER), { R_END },
};
static const struct role_name internlm2_names[] = {
	{ R_EMBED, "model.tok_embeddings", 0 },
	{ R_FINAL_NORM, "model.norm", 0 },
	{ R_HEAD, "output", BIAS_NEVER },
	{ R_NORM1, "model.layers.{}.attention_norm", 0 },
	{ R_NORM2, "model.layers.{}.ffn_norm", 0 },
	{ R_QKV, "model.layers.{}.attention.wqkv", BIAS_ATTENTION },
	{ R_O, "model.layers.{}.attention.wo", BIAS_ATTENTION },
	{ R_GATE, "model.layers.{}.feed_forward.w1", BIAS_NEVER },
	{ R_UP, "model.layers.{}.feed_forward.w3", BIAS_NEVER },
	{ R_DOWN, "model.layers.{}.feed_forward.w2", BIAS_NEVER },
	{ R_END },
};
static const struct role_name qwen1_names[] = {
	{ R_EMBED, "transformer.wte", 0 },
	{ R_FINAL_NORM, "transformer.ln_f", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "transformer.h.{}.ln_1", 0 },
	{ R_NORM2, "transformer.h.{}.ln_2", 0 },
	{ R_QKV, "transformer.h.{}.attn.c_attn", BIAS_ALWAYS },
	{ R_O, "transformer.h.{}.attn.c_proj", BIAS_NEVER },
	{ R_GATE, "transformer.h.{}.mlp.w2", BIAS_NEVER },
	{ R_UP, "transformer.h.{}.mlp.w1", BIAS_NEVER },
	{ R_DOWN, "transformer.h.{}.mlp.c_proj", BIAS_NEVER },
	{ R_END },
};
static const struct role_name chatglm_names[] = {
	{ R_EMBED, "transformer.embedding.word_embeddings", 0 },
	{ R_FINAL_NORM, "transformer.encoder.final_layernorm", 0 },
	{ R_HEAD, "transformer.output_layer", BIAS_NEVER },
	{ R_NORM1, "transformer.encoder.layers.{}.input_layernorm", 0 },
	{ R_NORM2, "transformer.encoder.layers.{}.post_attention_layernorm", 0 },
	{ R_QKV, "transformer.encoder.layers.{}.self_attention.query_key_value", BIAS_ATTENTION },
	{ R_O, "transformer.encoder.layers.{}.self_attention.dense", BIAS_NEVER },
	{ R_GATE_UP, "transformer.encoder.layers.{}.mlp.dense_h_to_4h", BIAS_NEVER },
	{ R_DOWN, "transformer.encoder.layers.{}.mlp.dense_4h_to_h", BIAS_NEVER },
	{ R_END },
};
static const struct role_name cohere_names[] = {
	LLAMA_ENDS,
	{ R_NORM1, "model.layers.{}.input_layernorm", 0 },
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	LLAMA_QK_NORMS,
	LLAMA_MLP(BIAS_NEVER),
	{ R_END },
};
static const char *const chatglm_junk[] = { "transformer.rotary_pos_emb.inv_freq", NULL };
static const char *const qwen1_junk[] = { "transformer.rotary_emb.inv_freq", "transformer.h.{}.attn.masked_bias", "transformer.h.{}.attn.rotary_emb.inv_freq", NULL };
static const char *const internlm2_junk[] = { "model.layers.{}.attention.rotary_emb.inv_freq", NULL };

/* ---- keys and formulas of single families ---- */

const struct key granite_keys[] = {
	{ { "embedding_multiplier" }, K_NUM, CONFIG_AT(embed_scale), 1, -1e9, 1e9 },
	{ { "attention_multiplier" }, K_NUM, CONFIG_AT(score_scale), 1, 1e-9, 1e9 },
	{ { "residual_multiplier" }, K_NUM, CONFIG_AT(branch_scale), 1, -1e9, 1e9 },
	{ { "logits_scaling" }, K_NUM, CONFIG_AT(logit_scale), 1, 1e-9, 1e9 },
	{ { NULL } },
};

int granite_derive(struct config *c, const struct source *s, struct err *e)
{
	(void)s;
	(void)e;
	c->logit_scale = 1 / c->logit_scale;
	return 0;
}

static int minicpm_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct key own[] = {
		{ { "scale_emb" }, K_NUM, 0, 1, -1e9, 1e9 },
		{ { "scale_depth" }, K_NUM, sizeof(double), 1, -1e9, 1e9 },
		{ { "dim_model_base" }, K_NUM, 2 * sizeof(double), 1, 1e-9, 1e9 },
	};
	double v[3];
	if (config_keys(s, v, own, CONFIG_COUNT(own), NULL, e) != 0)
		return -1;
	c->embed_scale = v[0];
	c->branch_scale = v[1] / dm_pow(c->layers, 0.5);
	c->logit_scale = v[2] / c->width;
	return 0;
}

/* 13B models have no rotary embedding and say nothing of positions; Baichuan 2's config has z_loss_weight. */
static int baichuan_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct key length[] = { { { "model_max_length" }, K_INT, CONFIG_AT(max_positions), 0, 1, 1 << 30 } };
	c->head_normed = config_look(s, "z_loss_weight") != NULL;
	if (c->max_positions)
		return 0;
	c->position = POSITION_ALIBI;
	return config_keys(s, c, length, 1, NULL, e);
}

static int qwen1_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct key length[] = { { { "seq_length" }, K_INT, CONFIG_AT(max_positions), 0, 1, 1 << 30 } };
	if (c->inner % 2)
		return err_set(e, E_RANGE, "%s: 'intermediate_size' %d is odd", c->path, c->inner);
	c->inner /= 2;
	/* beyond seq_length use_dynamic_ntk and use_logn_attn would change scores: that is the longest input */
	return config_look(s, "seq_length") ? config_keys(s, c, length, 1, NULL, e) : 0;
}

static int chatglm_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct key own[] = {
		{ { "rope_ratio" }, K_NUM, 0, 1, 1e-9, 1e9 },
		{ { "padded_vocab_size" }, K_NUM, sizeof(double), 0, 1, 1 << 24 },
	};
	double v[2];
	bool shared;
	if (config_keys(s, v, own, CONFIG_COUNT(own), NULL, e) != 0 || config_switch(&shared, s, "multi_query_attention", false, e) != 0)
		return -1;
	c->rope[0].theta *= v[0];
	if (v[1] > 0)
		c->vocab = (int)v[1];
	if (!shared)
		c->kv_heads = c->heads;
	return 0;
}

static const struct key cohere_keys[] = {
	{ { "logit_scale" }, K_NUM, CONFIG_AT(logit_scale), 0.0625, -1e9, 1e9 },
	{ { NULL } },
};

const struct key clip_keys[] = {
	{ { "clip_qkv", "attn_config.clip_qkv" }, K_NUM, CONFIG_AT(clip_qkv), 0, 1e-9, 1e9 },
	{ { NULL } },
};

/* Without a list layers slide that have no rotary embedding. */
static int smollm3_derive(struct config *c, const struct source *s, struct err *e)
{
	(void)e;
	for (int i = 0; i < c->layers && !config_look(s, "layer_types"); i++)
		c->slides[i] = c->window && c->nope[i];
	return 0;
}

static bool says_rope(const struct source *s)
{
	return config_look(s, "rope_parameters") || config_look(s, "rope_scaling") || config_look(s, "rope_theta");
}

/* What a file says nothing of is stretched as llama3 does. */
static int apertus_derive(struct config *c, const struct source *s, struct err *e)
{
	struct rope_config *r = &c->rope[0];
	(void)e;
	if (says_rope(s))
		return 0;
	r->type = ROPE_LLAMA3;
	r->factor = 8;
	r->low_freq_factor = 1;
	r->high_freq_factor = 4;
	r->original_positions = 8192;
	return 0;
}

/* rope_parameters.llama_4_scaling_beta */
static int ministral3_derive(struct config *c, const struct source *s, struct err *e)
{
	if (!says_rope(s))
		return err_set(e, E_FORMAT, "%s: 'rope_parameters' is missing", c->path);
	c->q_growth = c->rope[0].growth;
	c->q_every = c->rope[0].original_positions;
	return 0;
}

const struct family families_llama[] = {
	{
		.name = "llama",
		.text = "Llama 1 to 3.3 and everything in its shape (Yi, SmolLM2, DeepSeek LLM, Vicuna, ...)",
		.architectures = { "LlamaForCausalLM", "LLaMAForCausalLM" },
		.model_types = { "llama" },
		.names = llama_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 } },
	},
	{
		.name = "mistral",
		.text = "Mistral 7B and its kin, with or without a sliding window",
		.architectures = { "MistralForCausalLM" },
		.model_types = { "mistral" },
		.names = llama_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 }, { "num_key_value_heads", 8 }, { "sliding_window", 4096 } },
		.window = WINDOW_ALL,
	},
	{
		.name = "qwen2",
		.text = "Qwen 1.5, 2 and 2.5",
		.architectures = { "Qwen2ForCausalLM" },
		.model_types = { "qwen2" },
		.names = qwen2_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 } },
		.window = WINDOW_FLAG,
	},
	{
		.name = "mimo",
		.text = "MiMo 7B: Qwen 2 with layers for multi-token prediction that are skipped",
		.architectures = { "MiMoForCausalLM" },
		.model_types = { "mimo" },
		.names = qwen2_names,
		.prefix = "model.",
		.junk = mimo_junk,
		.defaults = { { "norm_eps", 1e-6 } },
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
		.window = WINDOW_FLAG,
	},
	{
		.name = "qwen3",
		.text = "Qwen 3, dense",
		.architectures = { "Qwen3ForCausalLM" },
		.model_types = { "qwen3" },
		.names = qwen3_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 }, { "head_dim", 128 } },
		.qk_norm = QK_HEAD,
		.window = WINDOW_FLAG,
	},
	{
		.name = "smollm3",
		.text = "SmolLM3: every fourth layer without rotary embedding",
		.architectures = { "SmolLM3ForCausalLM" },
		.model_types = { "smollm3" },
		.names = llama_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 }, { "rope_theta", 2000000 }, { "num_key_value_heads", 4 }, { "tie_word_embeddings", 1 } },
		.derive = smollm3_derive,
		.window = WINDOW_FLAG,
		.nope = NOPE_LIST,
	},
	{
		.name = "olmo2",
		.text = "OLMo 2: norms behind the branches, query and key normed over all heads",
		.architectures = { "Olmo2ForCausalLM" },
		.model_types = { "olmo2" },
		.names = olmo2_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 } },
		.qk_norm = QK_PROJECTION,
	},
	{
		.name = "exaone4",
		.text = "EXAONE 4: norms behind the branches, no rotary embedding in full layers",
		.architectures = { "Exaone4ForCausalLM" },
		.model_types = { "exaone4" },
		.names = exaone4_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 }, { "sliding_window", 4096 } },
		.qk_norm = QK_HEAD,
		.window = WINDOW_PATTERN,
		.window_pattern = 4,
		.nope = NOPE_FULL,
	},
	{
		.name = "seed_oss",
		.text = "Seed-OSS: Llama with biases by separate switches",
		.architectures = { "SeedOssForCausalLM" },
		.model_types = { "seed_oss" },
		.names = seed_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 }, { "attention_bias", 1 }, { "num_key_value_heads", 8 }, { "head_dim", 128 } },
	},
	{
		.name = "ernie4_5",
		.text = "ERNIE 4.5, dense: interleaved rotary pairs",
		.architectures = { "Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM" },
		.model_types = { "ernie4_5" },
		.names = llama_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 500000 }, { "tie_word_embeddings", 1 }, { "num_key_value_heads", 2 }, { "head_dim", 128 } },
		.keys = ernie_keys,
		.rope = ROPE_INTERLEAVED,
	},
	{
		.name = "glm",
		.text = "GLM-4 9B: half of a head rotated in interleaved pairs, gate and up fused",
		.architectures = { "GlmForCausalLM" },
		.model_types = { "glm" },
		.names = glm_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1.5625e-7 }, { "partial_rotary_factor", 0.5 }, { "attention_bias", 1 }, { "num_key_value_heads", 2 }, { "head_dim", 128 } },
		.rope = ROPE_INTERLEAVED,
	},
	{
		.name = "glm4",
		.text = "GLM-4-0414: GLM with norms before and behind each branch",
		.architectures = { "Glm4ForCausalLM" },
		.model_types = { "glm4" },
		.names = glm4_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1.5625e-7 }, { "partial_rotary_factor", 0.5 }, { "attention_bias", 1 }, { "num_key_value_heads", 2 }, { "head_dim", 128 } },
		.rope = ROPE_INTERLEAVED,
	},
	{
		.name = "baichuan",
		.text = "Baichuan 1 and 2: query, key and value in one tensor; rotary (7B) or ALiBi (13B)",
		.architectures = { "BaichuanForCausalLM", "BaiChuanForCausalLM" },
		.model_types = { "baichuan" },
		.derive = baichuan_derive,
		.names = baichuan_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 } },
		.qkv = QKV_PLAIN,
	},
	{
		.name = "phi3",
		.text = "Phi 3 and 4: fused projections, sliding window",
		.architectures = { "Phi3ForCausalLM" },
		.model_types = { "phi3" },
		.names = phi3_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 } },
		.qkv = QKV_PLAIN,
		.window = WINDOW_ALL,
	},
	{
		.name = "granite",
		.text = "Granite 3: Llama with four multipliers",
		.architectures = { "GraniteForCausalLM" },
		.model_types = { "granite" },
		.names = llama_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-6 } },
		.keys = granite_keys,
		.derive = granite_derive,
	},
	{
		.name = "minicpm",
		.text = "MiniCPM: Llama with multipliers of embeddings, branches and logits",
		.architectures = { "MiniCPMForCausalLM" },
		.model_types = { "minicpm" },
		.names = llama_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 }, { "tie_word_embeddings", 1 } },
		.derive = minicpm_derive,
	},
	{
		.name = "arcee",
		.text = "Arcee AFM: squared ReLU, not gated",
		.architectures = { "ArceeForCausalLM" },
		.model_types = { "arcee" },
		.names = arcee_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 } },
		.act = "relu2",
		.norm = NORM_RMS,
	},
	{
		.name = "apertus",
		.text = "Apertus: xIELU, not gated, norms of query and key heads",
		.architectures = { "ApertusForCausalLM" },
		.model_types = { "apertus" },
		.names = apertus_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 12000000 } },
		.only = { { "post_norm", 0 }, { "qk_norm", 1 } },
		.derive = apertus_derive,
		.act = "xielu",
		.norm = NORM_RMS,
		.qk_norm = QK_HEAD,
	},
	{
		.name = "ministral3",
		.text = "Ministral 3: Mistral with YaRN and queries that grow with position",
		.architectures = { "Ministral3ForCausalLM" },
		.model_types = { "ministral3", "mistral3" },
		.names = llama_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 }, { "num_key_value_heads", 8 }, { "head_dim", 128 } },
		.derive = ministral3_derive,
		.window = WINDOW_ALL,
	},
	{
		.name = "hunyuan_dense",
		.text = "Hunyuan, dense: norms of heads behind rotary, a base stretched by alpha",
		.architectures = { "HunYuanDenseV1ForCausalLM" },
		.model_types = { "hunyuan_v1_dense" },
		.names = hunyuan_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 } },
		.only = { { "use_cla", 0 } },
		.qk_norm = QK_HEAD_AFTER,
		.qk_norm_key = { "use_qk_norm", 1 },
	},
	{
		.name = "olmo",
		.text = "OLMo 1: LayerNorm without weights, queries, keys and values clipped",
		.architectures = { "OlmoForCausalLM" },
		.model_types = { "olmo" },
		.names = olmo_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 } },
		.keys = clip_keys,
		.act = "silu",
		.norm = NORM_LAYER_PLAIN,
		.gated = true,
	},
	{
		.name = "olmo3",
		.text = "OLMo 3: OLMo 2 with sliding layers, whose rotary table is not stretched",
		.architectures = { "Olmo3ForCausalLM" },
		.model_types = { "olmo3" },
		.names = olmo2_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 500000 }, { "sliding_window", 4096 } },
		.qk_norm = QK_PROJECTION,
		.window = WINDOW_PATTERN,
		.window_pattern = 4,
		.local_rope = LOCAL_PLAIN,
	},
	{
		.name = "internlm2",
		.text = "InternLM 2 and 2.5: query, key and value in one tensor by key heads",
		.architectures = { "InternLM2ForCausalLM" },
		.model_types = { "internlm2" },
		.names = internlm2_names,
		.prefix = "model.",
		.junk = internlm2_junk,
		.defaults = { { "norm_eps", 1e-6 } },
		.act = "silu",
		.norm = NORM_RMS,
		.qkv = QKV_GROUPED,
		.gated = true,
	},
	{
		.name = "qwen",
		.text = "Qwen 1: biases on query, key and value, the gate in w2",
		.architectures = { "QWenLMHeadModel" },
		.model_types = { "qwen" },
		.names = qwen1_names,
		.prefix = "transformer.",
		.junk = qwen1_junk,
		.defaults = { { "norm_eps", 1e-6 } },
		.only = { { "no_bias", 1 }, { "scale_attn_weights", 1 } },
		.derive = qwen1_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.qkv = QKV_PLAIN,
		.gated = true,
	},
	{
		.name = "chatglm",
		.text = "ChatGLM 2 and 3, GLM-4 (remote code): half of a head rotated in interleaved pairs",
		.architectures = { "ChatGLMModel", "ChatGLMForConditionalGeneration" },
		.model_types = { "chatglm" },
		.names = chatglm_names,
		.prefix = "transformer.",
		.junk = chatglm_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "partial_rotary_factor", 0.5 } },
		.only = { { "add_bias_linear", 0 }, { "rmsnorm", 1 }, { "post_layer_norm", 1 }, { "apply_residual_connection_post_layernorm", 0 } },
		.derive = chatglm_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.rope = ROPE_INTERLEAVED,
		.qkv = QKV_PLAIN,
		.gated = true,
	},
	{
		.name = "cohere",
		.text = "Command R: parallel branches, LayerNorm without bias, logits scaled",
		.architectures = { "CohereForCausalLM" },
		.model_types = { "cohere" },
		.names = cohere_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 500000 }, { "tie_word_embeddings", 1 } },
		.keys = cohere_keys,
		.act = "silu",
		.norm = NORM_LAYER_NOBIAS,
		.parallel = PARALLEL_ALWAYS,
		.rope = ROPE_INTERLEAVED,
		.qk_norm = QK_OWN,
		.qk_norm_key = { "use_qk_norm", 0 },
		.gated = true,
	},
	{
		.name = "cohere2",
		.text = "Command R7B and A: Command R with sliding layers, no rotary embedding in the others",
		.architectures = { "Cohere2ForCausalLM" },
		.model_types = { "cohere2" },
		.names = cohere_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "tie_word_embeddings", 1 }, { "sliding_window", 4096 } },
		.only = { { "use_qk_norm", 0 } },
		.keys = cohere_keys,
		.act = "silu",
		.norm = NORM_LAYER_NOBIAS,
		.parallel = PARALLEL_ALWAYS,
		.rope = ROPE_INTERLEAVED,
		.window = WINDOW_PATTERN,
		.window_pattern = 4,
		.nope = NOPE_ALL_FULL,
		.gated = true,
	},
	{
		.name = "helium",
		.text = "Helium: Llama with interleaved rotary pairs",
		.architectures = { "HeliumForCausalLM" },
		.model_types = { "helium" },
		.names = helium_names,
		LLAMA_KIN,
		.defaults = { { "norm_eps", 1e-8 }, { "rope_theta", 100000 }, { "head_dim", 128 } },
		.rope = ROPE_INTERLEAVED,
	},
	{ .name = NULL },
};
