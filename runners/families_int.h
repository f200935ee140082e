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

#define LLAMA_JUNK "model.layers.{}.self_attn.rotary_emb.inv_freq"

extern const struct family families_moe[];
extern const struct family families_llama[], families_gpt[];

#endif
