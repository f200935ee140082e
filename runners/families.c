/* families.c - the table of architectures.
 *
 * One row a family, data only. A new family is a row here, a golden vector, and a paragraph in MODELS.md; it is listed
 * only once its logits agree with the reference implementation's in double precision (tests/test_model.c).
 *
 * Facts: the model code and released checkpoints of each family. Names given are those of the released checkpoints.
 */
#include "runners/families.h"

#include <stdio.h>

#define LLAMA_ATTENTION(bias_qkv, bias_o) \
	{ R_Q, "model.layers.{}.self_attn.q_proj", bias_qkv }, \
	{ R_K, "model.layers.{}.self_attn.k_proj", bias_qkv }, \
	{ R_V, "model.layers.{}.self_attn.v_proj", bias_qkv }, \
	{ R_O, "model.layers.{}.self_attn.o_proj", bias_o }
#define LLAMA_MLP(bias) \
	{ R_GATE, "model.layers.{}.mlp.gate_proj", bias }, \
	{ R_UP, "model.layers.{}.mlp.up_proj", bias }, \
	{ R_DOWN, "model.layers.{}.mlp.down_proj", bias }
#define LLAMA_NORMS \
	{ R_NORM1, "model.layers.{}.input_layernorm", 0 }, \
	{ R_NORM2, "model.layers.{}.post_attention_layernorm", 0 }
#define LLAMA_ENDS \
	{ R_EMBED, "model.embed_tokens", 0 }, \
	{ R_FINAL_NORM, "model.norm", 0 }, \
	{ R_HEAD, "lm_head", BIAS_NEVER }

static const struct role_name llama_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION), LLAMA_MLP(BIAS_MLP), { R_END },
};
static const struct role_name qwen2_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ALWAYS, BIAS_NEVER), LLAMA_MLP(BIAS_NEVER), { R_END },
};
static const struct role_name qwen3_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	{ R_Q_NORM, "model.layers.{}.self_attn.q_norm", 0 },
	{ R_K_NORM, "model.layers.{}.self_attn.k_norm", 0 },
	LLAMA_MLP(BIAS_NEVER),
	{ R_END },
};
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
static const struct role_name olmo2_names[] = {
	LLAMA_ENDS,
	{ R_POST1, "model.layers.{}.post_attention_layernorm", 0 },
	{ R_POST2, "model.layers.{}.post_feedforward_layernorm", 0 },
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	{ R_Q_NORM, "model.layers.{}.self_attn.q_norm", 0 },
	{ R_K_NORM, "model.layers.{}.self_attn.k_norm", 0 },
	LLAMA_MLP(BIAS_NEVER),
	{ R_END },
};
static const struct role_name exaone4_names[] = {
	LLAMA_ENDS,
	{ R_POST1, "model.layers.{}.post_attention_layernorm", 0 },
	{ R_POST2, "model.layers.{}.post_feedforward_layernorm", 0 },
	LLAMA_ATTENTION(BIAS_NEVER, BIAS_NEVER),
	{ R_Q_NORM, "model.layers.{}.self_attn.q_norm", 0 },
	{ R_K_NORM, "model.layers.{}.self_attn.k_norm", 0 },
	LLAMA_MLP(BIAS_NEVER),
	{ R_END },
};
static const struct role_name seed_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_OUT), LLAMA_MLP(BIAS_MLP), { R_END },
};
static const struct role_name stablelm_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_NEVER), LLAMA_MLP(BIAS_NEVER), { R_END },
};
static const struct role_name starcoder2_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ALWAYS, BIAS_ALWAYS),
	{ R_UP, "model.layers.{}.mlp.c_fc", BIAS_ALWAYS },
	{ R_DOWN, "model.layers.{}.mlp.c_proj", BIAS_ALWAYS },
	{ R_END },
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
static const struct role_name phi_names[] = {
	{ R_EMBED, "model.embed_tokens", 0 },
	{ R_FINAL_NORM, "model.final_layernorm", 0 },
	{ R_HEAD, "lm_head", BIAS_ALWAYS },
	{ R_NORM1, "model.layers.{}.input_layernorm", 0 },
	{ R_Q, "model.layers.{}.self_attn.q_proj", BIAS_ALWAYS },
	{ R_K, "model.layers.{}.self_attn.k_proj", BIAS_ALWAYS },
	{ R_V, "model.layers.{}.self_attn.v_proj", BIAS_ALWAYS },
	{ R_O, "model.layers.{}.self_attn.dense", BIAS_ALWAYS },
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
	{ R_FINAL_NORM, "model.decoder.final_layer_norm", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "model.decoder.layers.{}.self_attn_layer_norm", 0 },
	{ R_NORM2, "model.decoder.layers.{}.final_layer_norm", 0 },
	{ R_Q, "model.decoder.layers.{}.self_attn.q_proj", BIAS_ALWAYS },
	{ R_K, "model.decoder.layers.{}.self_attn.k_proj", BIAS_ALWAYS },
	{ R_V, "model.decoder.layers.{}.self_attn.v_proj", BIAS_ALWAYS },
	{ R_O, "model.decoder.layers.{}.self_attn.out_proj", BIAS_ALWAYS },
	{ R_UP, "model.decoder.layers.{}.fc1", BIAS_ALWAYS },
	{ R_DOWN, "model.decoder.layers.{}.fc2", BIAS_ALWAYS },
	{ R_END },
};

static const char *const llama_junk[] = { "model.layers.{}.self_attn.rotary_emb.inv_freq", NULL };
static const char *const mimo_junk[] = { "model.mtp_layers.*", NULL };
static const char *const gpt_junk[] = { "transformer.h.{}.attn.bias", "transformer.h.{}.attn.masked_bias", NULL };
static const char *const neox_junk[] = {
	"gpt_neox.layers.{}.attention.bias",
	"gpt_neox.layers.{}.attention.masked_bias",
	"gpt_neox.layers.{}.attention.rotary_emb.inv_freq",
	NULL,
};

const struct family families[] = {
	{
		.name = "llama",
		.text = "Llama 1 to 3.3 and everything in its shape (Yi, SmolLM2, DeepSeek LLM, Vicuna, ...)",
		.architectures = { "LlamaForCausalLM", "LLaMAForCausalLM" },
		.model_types = { "llama" },
		.names = llama_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-6 } },
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
	},
	{
		.name = "mistral",
		.text = "Mistral 7B and its kin, with or without a sliding window",
		.architectures = { "MistralForCausalLM" },
		.model_types = { "mistral" },
		.names = llama_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "sliding_window", 4096 } },
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
		.window = WINDOW_ALL,
	},
	{
		.name = "qwen2",
		.text = "Qwen 1.5, 2 and 2.5",
		.architectures = { "Qwen2ForCausalLM" },
		.model_types = { "qwen2" },
		.names = qwen2_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-6 } },
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
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
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "head_dim", 128 } },
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
		.qk_norm = QK_HEAD,
		.window = WINDOW_FLAG,
	},
	{
		.name = "smollm3",
		.text = "SmolLM3: every fourth layer without rotary embedding",
		.architectures = { "SmolLM3ForCausalLM" },
		.model_types = { "smollm3" },
		.names = llama_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "rope_theta", 2000000 }, { "tie_word_embeddings", 1 } },
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
		.window = WINDOW_FLAG,
		.nope = NOPE_LIST,
	},
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
		.name = "olmo2",
		.text = "OLMo 2: norms behind the branches, query and key normed over all heads",
		.architectures = { "Olmo2ForCausalLM" },
		.model_types = { "olmo2" },
		.names = olmo2_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 } },
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
		.qk_norm = QK_PROJECTION,
	},
	{
		.name = "exaone4",
		.text = "EXAONE 4: norms behind the branches, no rotary embedding in full layers",
		.architectures = { "Exaone4ForCausalLM" },
		.model_types = { "exaone4" },
		.names = exaone4_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 } },
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
		.qk_norm = QK_HEAD,
		.window = WINDOW_TYPES,
		.nope = NOPE_FULL,
	},
	{
		.name = "seed_oss",
		.text = "Seed-OSS: Llama with biases by separate switches",
		.architectures = { "SeedOssForCausalLM" },
		.model_types = { "seed_oss" },
		.names = seed_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "attention_bias", 1 } },
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
	},
	{
		.name = "ernie4_5",
		.text = "ERNIE 4.5, dense: interleaved rotary pairs",
		.architectures = { "Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM" },
		.model_types = { "ernie4_5" },
		.names = llama_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 500000 }, { "tie_word_embeddings", 1 }, { "head_dim", 128 } },
		.only = { { "use_bias", 0 } },
		.act = "silu",
		.norm = NORM_RMS,
		.rope = ROPE_INTERLEAVED,
		.gated = true,
	},
	{
		.name = "glm",
		.text = "GLM-4 9B: half of a head rotated in interleaved pairs, gate and up fused",
		.architectures = { "GlmForCausalLM" },
		.model_types = { "glm" },
		.names = glm_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1.5625e-7 }, { "partial_rotary_factor", 0.5 }, { "attention_bias", 1 }, { "head_dim", 128 } },
		.act = "silu",
		.norm = NORM_RMS,
		.rope = ROPE_INTERLEAVED,
		.gated = true,
	},
	{
		.name = "glm4",
		.text = "GLM-4-0414: GLM with norms before and behind each branch",
		.architectures = { "Glm4ForCausalLM" },
		.model_types = { "glm4" },
		.names = glm4_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1.5625e-7 }, { "partial_rotary_factor", 0.5 }, { "head_dim", 128 } },
		.act = "silu",
		.norm = NORM_RMS,
		.rope = ROPE_INTERLEAVED,
		.gated = true,
	},
	{
		.name = "baichuan",
		.text = "Baichuan 1 7B: query, key and value in one tensor",
		.architectures = { "BaiChuanForCausalLM" },
		.names = baichuan_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-6 } },
		.act = "silu",
		.norm = NORM_RMS,
		.qkv = QKV_PLAIN,
		.gated = true,
	},
	{
		.name = "phi3",
		.text = "Phi 3 and 4: fused projections, sliding window",
		.architectures = { "Phi3ForCausalLM" },
		.model_types = { "phi3" },
		.names = phi3_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 } },
		.act = "silu",
		.norm = NORM_RMS,
		.qkv = QKV_PLAIN,
		.window = WINDOW_ALL,
		.gated = true,
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
		.only = { { "qk_layernorm", 0 } },
		.act = "gelu_new",
		.norm = NORM_LAYER,
		.parallel = PARALLEL_ALWAYS,
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
		.only = { { "qk_layernorm", 0 }, { "use_parallel_residual", 0 } },
		.act = "silu",
		.norm = NORM_LAYER,
		.gated = true,
	},
	{
		.name = "starcoder2",
		.text = "StarCoder 2: LayerNorm, biases, sliding window",
		.architectures = { "Starcoder2ForCausalLM" },
		.model_types = { "starcoder2" },
		.names = starcoder2_names,
		.prefix = "model.",
		.junk = llama_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "tie_word_embeddings", 1 } },
		.only = { { "use_bias", 1 } },
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
		.only = { { "scale_attn_weights", 1 }, { "scale_attn_by_inverse_layer_idx", 0 }, { "add_cross_attention", 0 } },
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
		.only = { { "do_layer_norm_before", 1 }, { "_remove_final_layer_norm", 0 }, { "enable_bias", 1 } },
		.act = "relu",
		.norm = NORM_LAYER,
		.position = POSITION_LEARNED,
		.position_offset = 2,
	},
};
const int nfamilies = sizeof families / sizeof families[0];

int family_find(const struct family **out, const char *architecture, const char *model_type, struct err *e)
{
	const char *words[4 * (sizeof families / sizeof families[0]) + 1], *word = architecture ? architecture : model_type;
	char known[800], hint[200];
	size_t nwords = 0, n = 0;

	for (int i = 0; i < nfamilies; i++) {
		const char *const *list = architecture ? families[i].architectures : families[i].model_types;
		for (int j = 0; j < 4 && list[j] && word; j++) {
			if (!strcmp(list[j], word)) {
				*out = &families[i];
				return 0;
			}
			words[nwords++] = list[j];
			if (j == 0 && n < sizeof known)
				n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", list[0]);
		}
	}
	words[nwords] = NULL;
	if (!word)
		return err_set(e, E_FORMAT, "neither 'architectures' nor 'model_type' says what the model is");
	return err_set(e, E_UNSUPPORTED, "%s '%.100s' is not known%s (known: %s)", architecture ? "architecture" : "model_type", word,
		       err_hint(hint, sizeof hint, word, words), known);
}

const struct role_name *family_role(const struct family *f, enum role r)
{
	for (const struct role_name *n = f->names; n->role != R_END; n++)
		if (n->role == r)
			return n;
	return NULL;
}

bool family_match(const char *pattern, struct str s)
{
	size_t i = 0;
	for (; *pattern; pattern++) {
		if (*pattern == '*') { /* only at the end of a pattern */
			return true;
		} else if (pattern[0] == '{' && pattern[1] == '}') {
			size_t from = i;
			while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
				i++;
			if (i == from)
				return false;
			pattern++;
		} else if (i >= s.n || s.p[i++] != *pattern) {
			return false;
		}
	}
	return i == s.n;
}
