/* families_int.h - what the tables of families share: names that many checkpoints use. Private to families*.c.
 *
 * A table is a file of rows, ended by a row without a name; families.c lists the tables.
 */
#ifndef ASSAY_FAMILIES_INT_H
#define ASSAY_FAMILIES_INT_H

#include "runners/config_int.h"

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

#define LLAMA_QK_NORMS \
	{ R_Q_NORM, "model.layers.{}.self_attn.q_norm", 0 }, \
	{ R_K_NORM, "model.layers.{}.self_attn.k_norm", 0 }

/* Experts and shared expert as DeepSeek and Mixtral name them, which many follow. */
#define DEEPSEEK_EXPERTS \
	{ R_ROUTER, "model.layers.{}.mlp.gate", BIAS_NEVER }, \
	{ R_X_GATE, "model.layers.{}.mlp.experts.{}.gate_proj", BIAS_NEVER }, \
	{ R_X_UP, "model.layers.{}.mlp.experts.{}.up_proj", BIAS_NEVER }, \
	{ R_X_DOWN, "model.layers.{}.mlp.experts.{}.down_proj", BIAS_NEVER }
#define SHARED_EXPERT(name, bias) \
	{ R_S_GATE, "model.layers.{}.mlp." name ".gate_proj", bias }, \
	{ R_S_UP, "model.layers.{}.mlp." name ".up_proj", bias }, \
	{ R_S_DOWN, "model.layers.{}.mlp." name ".down_proj", bias }
#define DEEPSEEK_CHOICE { R_ROUTER_BIAS, "model.layers.{}.mlp.gate.e_score_correction_bias", BIAS_ALWAYS }
#define MIXTRAL_EXPERTS \
	{ R_ROUTER, "model.layers.{}.block_sparse_moe.gate", BIAS_NEVER }, \
	{ R_X_GATE, "model.layers.{}.block_sparse_moe.experts.{}.w1", BIAS_NEVER }, \
	{ R_X_UP, "model.layers.{}.block_sparse_moe.experts.{}.w3", BIAS_NEVER }, \
	{ R_X_DOWN, "model.layers.{}.block_sparse_moe.experts.{}.w2", BIAS_NEVER }
#define GRANITE_EXPERTS \
	{ R_ROUTER, "model.layers.{}.block_sparse_moe.router.layer", BIAS_NEVER }, \
	{ R_X_GATE_UP, "model.layers.{}.block_sparse_moe.input_linear.weight", BIAS_NEVER }, \
	{ R_X_DOWN, "model.layers.{}.block_sparse_moe.output_linear.weight", BIAS_NEVER }

#define DELTA_NAMES \
	{ R_REC_OUT, "model.layers.{}.linear_attn.out_proj", BIAS_NEVER }, \
	{ R_REC_CONV, "model.layers.{}.linear_attn.conv1d", 0 }, \
	{ R_REC_NORM, "model.layers.{}.linear_attn.norm", 0 }, \
	{ R_REC_LOG_A, "model.layers.{}.linear_attn.A_log", 0 }, \
	{ R_REC_DT, "model.layers.{}.linear_attn.dt_bias", 0 }
#define DELTA_APART_NAMES \
	DELTA_NAMES, \
	{ R_REC_QKV, "model.layers.{}.linear_attn.in_proj_qkv", BIAS_NEVER }, \
	{ R_REC_Z, "model.layers.{}.linear_attn.in_proj_z", BIAS_NEVER }, \
	{ R_REC_B, "model.layers.{}.linear_attn.in_proj_b", BIAS_NEVER }, \
	{ R_REC_A, "model.layers.{}.linear_attn.in_proj_a", BIAS_NEVER }

#define LLAMA_JUNK "model.layers.{}.self_attn.rotary_emb.inv_freq"

/* What the rows of Llama's kin share. */
#define LLAMA_KIN .prefix = "model.", .junk = llama_junk, .act = "silu", .norm = NORM_RMS, .gated = true

extern const char *const llama_junk[];
extern const struct role_name llama_names[], qwen2_names[], qwen3_names[], arcee_names[];
extern const struct key granite_keys[], clip_keys[], ernie_keys[];
int granite_derive(struct config *c, const struct source *s, struct err *e);

extern const struct family families_llama[], families_gpt[], families_moe[], families_recurrent[], families_gemma[], families_mla[], families_vision[];

#endif
