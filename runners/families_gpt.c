/* families_gpt.c - rows of the kin of GPT: LayerNorm, biases, learned or rotary positions.
 */
#include "runners/families_int.h"

static const struct role_name neox_names[] = {
	{ R_EMBED, "gpt_neox.embed_in", 0 },
	{ R_FINAL_NORM, "gpt_neox.final_layer_norm", 0 },
	{ R_HEAD, "embed_out", BIAS_NEVER },
	{ R_NORM1, "gpt_neox.layers.{}.input_layernorm", 0 },
	{ R_NORM2, "gpt_neox.layers.{}.post_attention_layernorm", 0 },
	{ R_QKV, "gpt_neox.layers.{}.attention.query_key_value", BIAS_ATTENTION },
	{ R_O, "gpt_neox.layers.{}.attention.dense", BIAS_ATTENTION },
	{ R_UP, "gpt_neox.layers.{}.mlp.dense_h_to_4h", BIAS_ALWAYS },
	{ R_DOWN, "gpt_neox.layers.{}.mlp.dense_4h_to_h", BIAS_ALWAYS },
	{ R_END },
};
static const struct role_name stablelm_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_NEVER), LLAMA_MLP(BIAS_NEVER), { R_Q_NORM, "model.layers.{}.self_attn.q_layernorm.norms.{}", 0 }, { R_K_NORM, "model.layers.{}.self_attn.k_layernorm.norms.{}", 0 }, { R_END },
};
static const struct role_name starcoder2_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	{ R_UP, "model.layers.{}.mlp.c_fc", BIAS_ATTENTION },
	{ R_DOWN, "model.layers.{}.mlp.c_proj", BIAS_ATTENTION },
	{ R_END },
};
static const struct role_name phi_names[] = {
	{ R_EMBED, "model.embed_tokens", 0 },
	{ R_FINAL_NORM, "model.final_layernorm", 0 },
	{ R_HEAD, "lm_head", BIAS_ALWAYS },
	{ R_NORM1, "model.layers.{}.input_layernorm", 0 },
	{ R_Q, "model.layers.{}.self_attn.q_proj", BIAS_ALWAYS },
	{ R_K, "model.layers.{}.self_attn.k_proj", BIAS_ALWAYS },
	{ R_V, "model.layers.{}.self_attn.v_proj", BIAS_ALWAYS },
	{ R_O, "model.layers.{}.self_attn.dense", BIAS_ALWAYS },
	{ R_Q_NORM, "model.layers.{}.self_attn.q_layernorm", 0 },
	{ R_K_NORM, "model.layers.{}.self_attn.k_layernorm", 0 },
	{ R_UP, "model.layers.{}.mlp.fc1", BIAS_ALWAYS },
	{ R_DOWN, "model.layers.{}.mlp.fc2", BIAS_ALWAYS },
	{ R_END },
};
static const struct role_name gptj_names[] = {
	{ R_EMBED, "transformer.wte", 0 },
	{ R_FINAL_NORM, "transformer.ln_f", 0 },
	{ R_HEAD, "lm_head", BIAS_ALWAYS },
	{ R_NORM1, "transformer.h.{}.ln_1", 0 },
	{ R_Q, "transformer.h.{}.attn.q_proj", BIAS_NEVER },
	{ R_K, "transformer.h.{}.attn.k_proj", BIAS_NEVER },
	{ R_V, "transformer.h.{}.attn.v_proj", BIAS_NEVER },
	{ R_O, "transformer.h.{}.attn.out_proj", BIAS_NEVER },
	{ R_UP, "transformer.h.{}.mlp.fc_in", BIAS_ALWAYS },
	{ R_DOWN, "transformer.h.{}.mlp.fc_out", BIAS_ALWAYS },
	{ R_END },
};
static const struct role_name codegen_names[] = {
	{ R_EMBED, "transformer.wte", 0 },
	{ R_FINAL_NORM, "transformer.ln_f", 0 },
	{ R_HEAD, "lm_head", BIAS_ALWAYS },
	{ R_NORM1, "transformer.h.{}.ln_1", 0 },
	{ R_QKV, "transformer.h.{}.attn.qkv_proj", BIAS_NEVER },
	{ R_O, "transformer.h.{}.attn.out_proj", BIAS_NEVER },
	{ R_UP, "transformer.h.{}.mlp.fc_in", BIAS_ALWAYS },
	{ R_DOWN, "transformer.h.{}.mlp.fc_out", BIAS_ALWAYS },
	{ R_END },
};
static const struct role_name gpt2_names[] = {
	{ R_EMBED, "transformer.wte", 0 },
	{ R_POSITIONS, "transformer.wpe", 0 },
	{ R_FINAL_NORM, "transformer.ln_f", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "transformer.h.{}.ln_1", 0 },
	{ R_NORM2, "transformer.h.{}.ln_2", 0 },
	{ R_QKV, "transformer.h.{}.attn.c_attn", BIAS_ALWAYS },
	{ R_O, "transformer.h.{}.attn.c_proj", BIAS_ALWAYS },
	{ R_UP, "transformer.h.{}.mlp.c_fc", BIAS_ALWAYS },
	{ R_DOWN, "transformer.h.{}.mlp.c_proj", BIAS_ALWAYS },
	{ R_END },
};
static const struct role_name opt_names[] = {
	{ R_EMBED, "model.decoder.embed_tokens", 0 },
	{ R_POSITIONS, "model.decoder.embed_positions", 0 },
	{ R_PROJECT_IN, "model.decoder.project_in", BIAS_NEVER },
	{ R_PROJECT_OUT, "model.decoder.project_out", BIAS_NEVER },
	{ R_FINAL_NORM, "model.decoder.final_layer_norm", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "model.decoder.layers.{}.self_attn_layer_norm", 0 },
	{ R_NORM2, "model.decoder.layers.{}.final_layer_norm", 0 },
	{ R_Q, "model.decoder.layers.{}.self_attn.q_proj", BIAS_ATTENTION },
	{ R_K, "model.decoder.layers.{}.self_attn.k_proj", BIAS_ATTENTION },
	{ R_V, "model.decoder.layers.{}.self_attn.v_proj", BIAS_ATTENTION },
	{ R_O, "model.decoder.layers.{}.self_attn.out_proj", BIAS_ATTENTION },
	{ R_UP, "model.decoder.layers.{}.fc1", BIAS_ATTENTION },
	{ R_DOWN, "model.decoder.layers.{}.fc2", BIAS_ATTENTION },
	{ R_END },
};

static const char *const gpt_junk[] = { "transformer.h.{}.attn.bias", "transformer.h.{}.attn.masked_bias", NULL };
static const char *const codegen_junk[] = { "transformer.h.{}.attn.causal_mask", NULL };
static const char *const neox_junk[] = {
	"gpt_neox.layers.{}.attention.bias",
	"gpt_neox.layers.{}.attention.masked_bias",
	"gpt_neox.layers.{}.attention.rotary_emb.inv_freq",
	NULL,
};

static const struct role_name bloom_names[] = {
	{ R_EMBED, "transformer.word_embeddings", 0 },
	{ R_EMBED_NORM, "transformer.word_embeddings_layernorm", 0 },
	{ R_FINAL_NORM, "transformer.ln_f", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "transformer.h.{}.input_layernorm", 0 },
	{ R_NORM2, "transformer.h.{}.post_attention_layernorm", 0 },
	{ R_QKV, "transformer.h.{}.self_attention.query_key_value", BIAS_ALWAYS },
	{ R_O, "transformer.h.{}.self_attention.dense", BIAS_ALWAYS },
	{ R_UP, "transformer.h.{}.mlp.dense_h_to_4h", BIAS_ALWAYS },
	{ R_DOWN, "transformer.h.{}.mlp.dense_4h_to_h", BIAS_ALWAYS },
	{ R_END },
};
static const struct role_name falcon_names[] = {
	{ R_EMBED, "transformer.word_embeddings", 0 },
	{ R_FINAL_NORM, "transformer.ln_f", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "transformer.h.{}.input_layernorm", 0 },
	{ R_NORM1, "transformer.h.{}.ln_attn", 0 },
	{ R_NORM2, "transformer.h.{}.post_attention_layernorm", 0 },
	{ R_NORM2, "transformer.h.{}.ln_mlp", 0 },
	{ R_QKV, "transformer.h.{}.self_attention.query_key_value", BIAS_ATTENTION },
	{ R_O, "transformer.h.{}.self_attention.dense", BIAS_ATTENTION },
	{ R_UP, "transformer.h.{}.mlp.dense_h_to_4h", BIAS_ATTENTION },
	{ R_DOWN, "transformer.h.{}.mlp.dense_4h_to_h", BIAS_ATTENTION },
	{ R_END },
};
static const struct role_name mpt_names[] = {
	{ R_EMBED, "transformer.wte", 0 },
	{ R_FINAL_NORM, "transformer.norm_f", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "transformer.blocks.{}.norm_1", 0 },
	{ R_NORM2, "transformer.blocks.{}.norm_2", 0 },
	{ R_QKV, "transformer.blocks.{}.attn.Wqkv", BIAS_NEVER },
	{ R_O, "transformer.blocks.{}.attn.out_proj", BIAS_NEVER },
	{ R_UP, "transformer.blocks.{}.ffn.up_proj", BIAS_NEVER },
	{ R_DOWN, "transformer.blocks.{}.ffn.down_proj", BIAS_NEVER },
	{ R_END },
};
static const struct role_name gptneo_names[] = {
	{ R_EMBED, "transformer.wte", 0 },
	{ R_POSITIONS, "transformer.wpe", 0 },
	{ R_FINAL_NORM, "transformer.ln_f", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "transformer.h.{}.ln_1", 0 },
	{ R_NORM2, "transformer.h.{}.ln_2", 0 },
	{ R_Q, "transformer.h.{}.attn.attention.q_proj", BIAS_NEVER },
	{ R_K, "transformer.h.{}.attn.attention.k_proj", BIAS_NEVER },
	{ R_V, "transformer.h.{}.attn.attention.v_proj", BIAS_NEVER },
	{ R_O, "transformer.h.{}.attn.attention.out_proj", BIAS_ALWAYS },
	{ R_UP, "transformer.h.{}.mlp.c_fc", BIAS_ALWAYS },
	{ R_DOWN, "transformer.h.{}.mlp.c_proj", BIAS_ALWAYS },
	{ R_END },
};
static const char *const gptneo_junk[] = { "transformer.h.{}.attn.attention.bias", "transformer.h.{}.attn.attention.masked_bias", NULL };

/* ---- keys and formulas of single families ---- */

/* parallel branches share one norm */
static int stablelm_derive(struct config *c, const struct source *s, struct err *e)
{
	(void)s;
	(void)e;
	c->no_norm2 = c->parallel;
	return 0;
}

static const struct key gpt2_keys[] = {
	{ { "scale_attn_by_inverse_layer_idx" }, K_BOOL, CONFIG_AT(score_by_layer), 0, 0, 1 },
	{ { NULL } },
};

static int gpt2_derive(struct config *c, const struct source *s, struct err *e)
{
	bool scaled;
	if (config_switch(&scaled, s, "scale_attn_weights", true, e) != 0)
		return -1;
	if (!scaled)
		c->score_scale = 1;
	return 0;
}

/* one key head behind all queries, or heads of [q, k, v] */
static int bigcode_derive(struct config *c, const struct source *s, struct err *e)
{
	bool one;
	if (config_switch(&one, s, "multi_query", true, e) != 0)
		return -1;
	c->kv_heads = one ? 1 : c->heads;
	c->qkv = one ? QKV_PLAIN : QKV_GROUPED;
	return gpt2_derive(c, s, e);
}

static const struct key starcoder2_keys[] = {
	{ { "use_bias" }, K_BOOL, CONFIG_AT(attention_bias), 1, 0, 1 },
	{ { NULL } },
};

static const struct key bloom_keys[] = {
	{ { "apply_residual_connection_post_layernorm" }, K_BOOL, CONFIG_AT(residual_normed), 0, 0, 1 },
	{ { NULL } },
};

/* Three generations: one key head and one norm (7B), key groups and two norms (40B, 11B), ALiBi without parallel branches (RW). */
static int falcon_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct key norms[] = { { { "num_ln_in_parallel_attn" }, K_INT, 0, 2, 1, 2 } };
	bool new_kind, one, parallel, alibi;
	int n;
	if (config_switch(&new_kind, s, "new_decoder_architecture", false, e) != 0 || config_switch(&one, s, "multi_query", true, e) != 0 ||
	    config_switch(&parallel, s, "parallel_attn", true, e) != 0 || config_switch(&alibi, s, "alibi", false, e) != 0 ||
	    config_keys(s, &n, norms, 1, NULL, e) != 0)
		return -1;
	if (!new_kind)
		c->kv_heads = one ? 1 : c->heads;
	if (c->heads % c->kv_heads)
		return err_set(e, E_RANGE, "%s: 'num_attention_heads' %d is no multiple of 'num_kv_heads' %d", c->path, c->heads, c->kv_heads);
	c->parallel = new_kind || parallel;
	c->no_norm2 = c->parallel && !(new_kind && n == 2);
	if (alibi)
		c->position = POSITION_ALIBI;
	/* The model has its bias once, as transformers' default attention does; the eager code of transformers 5 adds it twice. */
	for (int i = 0; i < 2; i++) {
		const struct value *how = config_look(s, i ? "attn_implementation" : "_attn_implementation");
		c->alibi_twice |= how && how->type == V_STR && str_is(how->s, "eager");
	}
	return 0;
}

static const struct key mpt_keys[] = {
	{ { "attn_config.clip_qkv" }, K_NUM, CONFIG_AT(clip_qkv), 0, 1e-9, 1e9 },
	{ { "attn_config.softmax_scale" }, K_NUM, CONFIG_AT(score_scale), 0, 1e-9, 1e9 },
	{ { NULL } },
};

static int gptneo_kind(struct config *c, int i, struct value kind, const char *key, struct err *e)
{
	if (kind.type != V_STR || !(str_is(kind.s, "local") || str_is(kind.s, "global")))
		return err_set(e, E_UNSUPPORTED, "%s: '%s' holds something other than global and local for layer %d", c->path, key, i);
	c->slides[i] = str_is(kind.s, "local");
	return 0;
}

/* attention_layers, or attention_types: [[[kinds], times], ...]; scores are not divided by sqrt(d) */
static int gptneo_derive(struct config *c, const struct source *s, struct err *e)
{
	const struct value *list, *types = config_look(s, "attention_types");
	int n = 0;

	c->score_scale = 1;
	if (config_layer_list(&list, c, s, "attention_layers", e) != 0)
		return -1;
	for (int i = 0; i < c->layers && list; i++)
		if (gptneo_kind(c, i, list->list->v[i], "attention_layers", e) != 0)
			return -1;
	for (int i = 0; i < c->layers && !list && !types; i++)
		c->slides[i] = i % 2;
	if (list || !types)
		return 0;
	if (types->type != V_LIST)
		return err_set(e, E_FORMAT, "%s: 'attention_types' is no list of [[kinds], times]", c->path);
	for (size_t i = 0; i < types->list->n; i++) {
		struct value run = types->list->v[i];
		if (run.type != V_LIST || run.list->n != 2 || run.list->v[0].type != V_LIST || run.list->v[1].type != V_INT)
			return err_set(e, E_FORMAT, "%s: 'attention_types' is no list of [[kinds], times]", c->path);
		struct value kinds = run.list->v[0];
		if (!kinds.list->n || run.list->v[1].i > c->layers)
			return err_set(e, E_FORMAT, "%s: 'attention_types' names no kind, or more layers than there are", c->path);
		for (int64_t r = 0; r < run.list->v[1].i && n < c->layers; r++)
			for (size_t k = 0; k < kinds.list->n; k++, n++)
				if (n < c->layers && gptneo_kind(c, n, kinds.list->v[k], "attention_types", e) != 0)
					return -1;
	}
	if (n != c->layers)
		return err_set(e, E_FORMAT, "%s: 'attention_types' gives %d of the %d layers a kind", c->path, n, c->layers);
	return 0;
}

static const struct key opt_keys[] = {
	{ { "word_embed_proj_dim" }, K_INT, CONFIG_AT(embed_width), 0, 1, 1 << 18 },
	{ { "enable_bias" }, K_BOOL, CONFIG_AT(attention_bias), 1, 0, 1 },
	{ { "_remove_final_layer_norm" }, K_BOOL, CONFIG_AT(no_final_norm), 0, 0, 1 },
	{ { NULL } },
};

static int opt_derive(struct config *c, const struct source *s, struct err *e)
{
	bool before;
	if (config_switch(&before, s, "do_layer_norm_before", true, e) != 0)
		return -1;
	if (c->embed_width == c->width)
		c->embed_width = 0;
	c->norm_after = !before;
	c->no_final_norm |= c->norm_after;
	return 0;
}

const struct family families_gpt[] = {
	{
		.name = "gpt_neox",
		.text = "GPT-NeoX and Pythia: LayerNorm, biases, parallel or sequential residual, partial rotary",
		.architectures = { "GPTNeoXForCausalLM" },
		.model_types = { "gpt_neox" },
		.names = neox_names,
		.prefix = "gpt_neox.",
		.junk = neox_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "partial_rotary_factor", 0.25 }, { "attention_bias", 1 }, { "use_parallel_residual", 1 } },
		.act = "gelu",
		.norm = NORM_LAYER,
		.parallel = PARALLEL_CONFIG,
		.qkv = QKV_GROUPED,
	},
	{
		.name = "phi",
		.text = "Phi 1, 1.5 and 2: parallel residual with one norm, biases, partial rotary",
		.architectures = { "PhiForCausalLM" },
		.model_types = { "phi" },
		.names = phi_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "partial_rotary_factor", 0.5 } },
		.act = "gelu_new",
		.norm = NORM_LAYER,
		.parallel = PARALLEL_ALWAYS,
		.qk_norm = QK_HEAD,
		.qk_norm_key = { "qk_layernorm", 0 },
	},
	{
		.name = "stablelm",
		.text = "StableLM 2: LayerNorm, partial rotary",
		.architectures = { "StableLmForCausalLM", "StableLMEpochForCausalLM" },
		.model_types = { "stablelm" },
		.names = stablelm_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "partial_rotary_factor", 0.25 } },
		.derive = stablelm_derive,
		.act = "silu",
		.norm = NORM_LAYER,
		.qk_norm = QK_OWN,
		.qk_norm_key = { "qk_layernorm", 0 },
		.gated = true,
		.parallel = PARALLEL_CONFIG,
	},
	{
		.name = "starcoder2",
		.text = "StarCoder 2: LayerNorm, biases, sliding window",
		.architectures = { "Starcoder2ForCausalLM" },
		.model_types = { "starcoder2" },
		.names = starcoder2_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "tie_word_embeddings", 1 }, { "num_key_value_heads", 2 } },
		.keys = starcoder2_keys,
		.act = "gelu_pytorch_tanh",
		.norm = NORM_LAYER,
		.window = WINDOW_ALL,
	},
	{
		.name = "gptj",
		.text = "GPT-J: parallel residual with one norm, interleaved partial rotary",
		.architectures = { "GPTJForCausalLM" },
		.model_types = { "gptj" },
		.names = gptj_names,
		.prefix = "transformer.",
		.junk = gpt_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rotary_dim", 64 } },
		.only = { { "rotary", 1 } },
		.act = "gelu_new",
		.norm = NORM_LAYER,
		.parallel = PARALLEL_ALWAYS,
		.rope = ROPE_INTERLEAVED,
		.inner_4x = true,
	},
	{
		.name = "gpt2",
		.text = "GPT-2: learned positions, weights stored as [in, out]",
		.architectures = { "GPT2LMHeadModel" },
		.model_types = { "gpt2" },
		.names = gpt2_names,
		.prefix = "transformer.",
		.junk = gpt_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "tie_word_embeddings", 1 } },
		.only = { { "add_cross_attention", 0 } },
		.keys = gpt2_keys,
		.derive = gpt2_derive,
		.act = "gelu_new",
		.norm = NORM_LAYER,
		.position = POSITION_LEARNED,
		.qkv = QKV_PLAIN,
		.transposed = true,
		.inner_4x = true,
	},
	{
		.name = "opt",
		.text = "OPT: learned positions behind an offset of two, ReLU",
		.architectures = { "OPTForCausalLM" },
		.model_types = { "opt" },
		.names = opt_names,
		.prefix = "model.",
		.defaults = { { "norm_eps", 1e-5 }, { "tie_word_embeddings", 1 } },
		.only = { { "layer_norm_elementwise_affine", 1 } },
		.keys = opt_keys,
		.derive = opt_derive,
		.act = "relu",
		.norm = NORM_LAYER,
		.position = POSITION_LEARNED,
		.position_offset = 2,
	},
	{
		.name = "bloom",
		.text = "BLOOM: ALiBi, a norm behind the embedding",
		.architectures = { "BloomForCausalLM", "BloomModel" },
		.model_types = { "bloom" },
		.names = bloom_names,
		.prefix = "transformer.",
		.defaults = { { "norm_eps", 1e-5 }, { "tie_word_embeddings", 1 } },
		.keys = bloom_keys,
		.act = "gelu_pytorch_tanh",
		.norm = NORM_LAYER,
		.position = POSITION_ALIBI,
		.qkv = QKV_GROUPED,
		.inner_4x = true,
	},
	{
		.name = "falcon",
		.text = "Falcon 7B, 40B, 180B, 11B and RW: parallel branches, one key head or groups, or ALiBi",
		.architectures = { "FalconForCausalLM", "RWForCausalLM" },
		.model_types = { "falcon" },
		.names = falcon_names,
		.prefix = "transformer.",
		.defaults = { { "norm_eps", 1e-5 }, { "tie_word_embeddings", 1 } },
		.derive = falcon_derive,
		.act = "gelu",
		.norm = NORM_LAYER,
		.qkv = QKV_GROUPED,
		.alibi = ALIBI_FALCON,
		.inner_4x = true,
	},
	{
		.name = "mpt",
		.text = "MPT: ALiBi, no biases",
		.architectures = { "MPTForCausalLM", "MptForCausalLM" },
		.model_types = { "mpt" },
		.names = mpt_names,
		.prefix = "transformer.",
		.defaults = { { "norm_eps", 1e-5 }, { "tie_word_embeddings", 1 } },
		.only = { { "no_bias", 1 }, { "expansion_ratio", 4 }, { "attn_config.alibi", 1 }, { "attn_config.alibi_bias_max", 8 }, { "attn_config.qk_ln", 0 }, { "attn_config.prefix_lm", 0 } },
		.keys = mpt_keys,
		.act = "gelu",
		.norm = NORM_LAYER_NOBIAS,
		.position = POSITION_ALIBI,
		.qkv = QKV_PLAIN,
		.alibi = ALIBI_MPT,
		.inner_4x = true,
	},
	{
		.name = "gpt_neo",
		.text = "GPT-Neo: scores without 1/sqrt(d), every other layer local",
		.architectures = { "GPTNeoForCausalLM" },
		.model_types = { "gpt_neo" },
		.names = gptneo_names,
		.prefix = "transformer.",
		.junk = gptneo_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "tie_word_embeddings", 1 }, { "sliding_window", 256 } },
		.derive = gptneo_derive,
		.act = "gelu_new",
		.norm = NORM_LAYER,
		.position = POSITION_LEARNED,
		.window = WINDOW_ALL,
		.inner_4x = true,
	},
	{
		.name = "nemotron",
		.text = "Nemotron 4 and Minitron: LayerNorm with 1 + weight, squared ReLU, partial rotary",
		.architectures = { "NemotronForCausalLM" },
		.model_types = { "nemotron" },
		.names = arcee_names,
		.prefix = "model.",
		.defaults = { { "norm_eps", 1e-5 }, { "partial_rotary_factor", 0.5 } },
		.act = "relu2",
		.norm = NORM_LAYER,
		.norm_plus_one = true,
	},
	{
		.name = "codegen",
		.text = "CodeGen 1: GPT-J with query, value and key in one tensor, by four shards",
		.architectures = { "CodeGenForCausalLM" },
		.model_types = { "codegen" },
		.names = codegen_names,
		.prefix = "transformer.",
		.junk = codegen_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rotary_dim", 64 } },
		.act = "gelu_new",
		.norm = NORM_LAYER,
		.parallel = PARALLEL_ALWAYS,
		.rope = ROPE_INTERLEAVED,
		.qkv = QKV_SHARDS,
		.inner_4x = true,
	},
	{
		.name = "gpt_bigcode",
		.text = "StarCoder 1 and SantaCoder: GPT-2 with one key head",
		.architectures = { "GPTBigCodeForCausalLM" },
		.model_types = { "gpt_bigcode" },
		.names = gpt2_names,
		.prefix = "transformer.",
		.junk = gpt_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "n_positions", 1024 }, { "tie_word_embeddings", 1 } },
		.only = { { "add_cross_attention", 0 } },
		.keys = gpt2_keys,
		.derive = bigcode_derive,
		.act = "gelu_pytorch_tanh",
		.norm = NORM_LAYER,
		.position = POSITION_LEARNED,
		.inner_4x = true,
	},
	{ .name = NULL },
};
