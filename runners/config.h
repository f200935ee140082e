/* config.h - config.json and generation_config.json as one struct, read by table.
 */
#ifndef ASSAY_CONFIG_H
#define ASSAY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/base/digest.h"
#include "kernels/base/err.h"
#include "kernels/ops.h"

#define CONFIG_MAX_LAYERS 1024
#define CONFIG_MAX_EOS 16
#define ROPE_TABLES 2

struct family;

/* Norms of queries and keys: over each head by itself, before rotary or AFTER it; over all heads at once; with weights of its own for
 * each head; without weights, behind rotary and only where there is one (llama4). */
enum qk_norm { QK_NONE, QK_HEAD, QK_HEAD_AFTER, QK_PROJECTION, QK_OWN, QK_PLAIN };
enum alibi { ALIBI_EVEN /* odd slopes of the next power of two behind the others */, ALIBI_MPT, ALIBI_FALCON /* rounded to bf16 */ };
enum position_kind { POSITION_ROPE, POSITION_LEARNED, POSITION_ALIBI, POSITION_NONE };
enum qkv_layout {
	QKV_GROUPED, /* rows [key/value head][its query heads, k, v][d]; with as many of each this is [head][q, k, v][d] */
	QKV_PLAIN,   /* rows [all q][all k][all v] */
	QKV_SHARDS,  /* four shards of rows [q, v, k], each a quarter of all heads (codegen) */
};

/* What mixes positions in a layer, and what follows it. */
enum mixer {
	MIX_ATTENTION, MIX_NONE,
	MIX_DELTA,     /* gated delta rule */
	MIX_MAMBA,     /* Mamba-2 */
	MIX_CONV,      /* gated short convolution (lfm2) */
	MIX_LIGHTNING, /* linear attention with a decay of each head (minimax) */
	MIX_BOTH,      /* attention and Mamba-2 side by side (falcon_h1) */
	MIX_MLA,       /* multi-head latent attention */
};
enum ff {
	FF_DENSE, FF_NONE, FF_MOE,
	FF_SHORTCUT, /* dense, and experts whose output joins behind the next layer (longcat_flash) */
	FF_BESIDE,   /* dense, and experts beside it with norms of their own (gemma4) */
};

enum rope_type { ROPE_PLAIN, ROPE_LINEAR, ROPE_LLAMA3, ROPE_YARN, ROPE_LONG, ROPE_ALPHA, ROPE_DYNAMIC, ROPE_PROPORTIONAL };
#define ROPE_MAX_PAIRS 512

struct rope_config {
	enum rope_type type;
	int dims;         /* rotated channels; 0: there is no such table */
	double theta;
	double partial;   /* share of a head's channels that is rotated */
	double factor;
	double low_freq_factor, high_freq_factor; /* llama3 */
	double beta_fast, beta_slow;              /* yarn */
	double attention_factor, mscale, mscale_all_dim; /* yarn; 0: not given */
	int original_positions;                   /* 0: not given */
	double alpha;                             /* hunyuan: the base is theta alpha^(d/(d-2)) */
	double short_factor[ROPE_MAX_PAIRS], long_factor[ROPE_MAX_PAIRS], short_mscale, long_mscale; /* longrope; mscale 0: not given */
	double stretch;                           /* longrope: longest input over original_positions */
	double growth;                            /* llama_4_scaling_beta */
	bool truncate;                            /* yarn: whole channel numbers as bounds of the ramp */
};

/* How weights of fewer than 16 bits are stored (config_quant.c). */
enum quant { QUANT_NONE, QUANT_FP8, QUANT_MXFP4 };
struct quant_config {
	enum quant method;
	int block_rows, block_cols; /* of a scale; 0: no blocks */
};

/* Mixture of experts: which layers are, and how many experts of what kind. */
struct moe_config {
	int experts, k;      /* 0 experts: none */
	int identity;        /* further experts, after these, that give back their input */
	int inner;           /* of an expert */
	int dense;           /* llama4: inner width of layers without experts, where `inner` of the file is an expert's; 0: not given */
	int shared;          /* inner width of the shared expert; 0: none */
	int shared_count;    /* the shared expert is so many of an expert's width; 0: not given */
	enum route_score score;
	bool normalise;      /* the chosen weights are divided by their sum */
	double factor, floor, jitter;
	int groups, groups_kept, best_of;
	int first, last, step; /* layers first..last (-1: to the end) are sparse, every step-th of all */
	enum act act;
	float act_p[4];
};
/* Layers with a recurrent state. conv: width of the convolution before it. */
struct delta_config {
	int key_heads, value_heads, key_dim, value_dim, conv;
};
struct mamba_config {
	int heads, dim, state, groups, conv; /* dim: channels of a head */
	bool norm_first;                     /* the norm before the gate */
	bool conv_bias, proj_bias, norm;     /* norm: of the gated output, each group by itself */
	double dt_min, dt_max;
	double scale[5];                     /* of what goes in: z, x, B, C, dt (falcon_h1) */
	double in_scale, out_scale, attention_in, attention_out, key_scale; /* MIX_BOTH: of the branches' inputs and outputs, of keys */
};

/* Multi-head latent attention. */
struct mla_config {
	int q_rank, kv_rank;         /* of latents; q_rank 0: queries come from the stream */
	int nope, rope, value;       /* channels of a head: of its query without position, rotated; of its value */
	bool scale_q, scale_kv;      /* queries times (width / q_rank)^1/2, latents times (width / kv_rank)^1/2 */
	double kv_scale;             /* latents are multiplied by it */
};

struct config {
	char path[4096];             /* of config.json, for messages */
	const struct family *family;
	int vocab, layers, width, heads, kv_heads, head_dim, inner;
	int max_positions;           /* 0: not given (SCORING.md 2.2.7: n_positions, max_position_embeddings, n_ctx) */
	enum act act;
	double norm_eps;
	struct rope_config rope[ROPE_TABLES]; /* the second only where some layers have another (table[]) */
	double embed_scale;          /* embeddings are multiplied by it */
	double branch_scale;         /* what a branch adds to the residual stream is */
	double logit_scale, logit_cap; /* logits are; cap tanh(logit / cap) after that where cap is not 0 */
	double score_scale;          /* scores of attention are; 0: head_dim^-1/2 */
	bool score_by_layer;         /* in layer i scores are divided by i + 1 too (gpt2's switch) */
	double score_cap;            /* 0: none */
	double clip_qkv;             /* queries, keys and values stay within +-clip; 0: none */
	struct moe_config moe;
	enum position_kind position; /* the family's, unless its keys say otherwise */
	enum qkv_layout qkv;
	enum qk_norm qk_norm;
	double keep[3], gain[3];     /* residual_normed: the stream times keep, a branch times gain: of attention, other mixers, feed-forward */
	bool residual_normed;        /* the residual stream goes on from the normed input of a branch (bloom's switch, minimax) */
	struct delta_config delta;
	struct mamba_config mamba;
	double gate_scale, down_scale; /* of a dense feed-forward part: what the activation sees, what comes out */
	struct mla_config mla;
	bool halves;                 /* tensors are numbered by pairs of layers: layer i is half i % 2 of layer i / 2 (longcat_flash) */
	int conv_width;              /* of layers MIX_CONV */
	bool conv_bias;
	int full_head_dim, full_kv_heads; /* of layers that do not slide; 0: the same (gemma4) */
	short kv_back[CONFIG_MAX_LAYERS]; /* layer i reads keys and values of layer i - kv_back[i]; 0: its own */
	bool keys_are_values;        /* layers that do not slide: values are the keys before norm and rotary */
	bool value_norm;             /* values are normed by head, without weights */
	bool wide_inner;             /* layers that read others' keys have twice the inner width */
	int layer_input;             /* width of what the tokens give each layer besides; 0: nothing */
	bool gated_attention;        /* query rows bring a gate for the output: [head][q, gate][d] */
	bool no_final_norm;
	bool norm_after;             /* norms behind the residual sum, none at the end (opt-350m) */
	bool alibi_twice;            /* slopes count twice (falcon's eager code) */
	bool no_norm2;               /* parallel: one norm for both */
	bool head_normed;            /* rows of the head have length 1 (baichuan2) */
	int embed_width;             /* of the embedding and the head; 0: width (opt-350m) */
	double q_growth;             /* queries grow with position: times 1 + q_growth ln(1 + floor((p + q_from) / q_every)); 0: they do not */
	int q_every, q_from;
	bool q_nope_only;            /* only in layers without rotary embedding (llama4) */
	int chunk;                   /* attention of layers that slide sees its chunk of so many positions; 0: none (llama4) */
	int rope_switch;             /* longer sequences use the far half of the rotary tables; 0: there is none */
	bool attention_bias, out_bias, mlp_bias, parallel, use_window;
	bool tied, tied_given;       /* tie_word_embeddings, and whether the file says it */
	int window;                  /* 0: none */
	int window_from;             /* first layer that slides (qwen2's max_window_layers) */
	unsigned char mixer[CONFIG_MAX_LAYERS], ff[CONFIG_MAX_LAYERS]; /* enum mixer, enum ff: of layer i */
	unsigned char slides[CONFIG_MAX_LAYERS]; /* attention of layer i sees `window` positions */
	unsigned char nope[CONFIG_MAX_LAYERS];   /* layer i has no rotary embedding */
	unsigned char table[CONFIG_MAX_LAYERS]; /* layer i rotates by rope[table[i]] */
	enum rope_layout rope_layout; /* the family's, unless its keys say otherwise */
	int rotary_dim;              /* gpt-j's way to say it; 0: rope.partial counts */
	int32_t bos;                 /* -1: none */
	int32_t eos[CONFIG_MAX_EOS];
	int neos;
	struct quant_config quant;
	char dtype[16];              /* torch_dtype as stated, "" when not */
	unsigned char digest[DIGEST_BYTES]; /* of config.json's canonical JSON and the stop ids */
};

void config_start(struct config *c); /* what needs no key: c->family is set, the rest zero */
static inline int layer_head_dim(const struct config *c, int i) { return c->full_head_dim && !c->slides[i] ? c->full_head_dim : c->head_dim; }
static inline bool layer_dense(const struct config *c, int i) { return c->ff[i] == FF_DENSE || c->ff[i] == FF_SHORTCUT || c->ff[i] == FF_BESIDE; }
static inline bool layer_experts(const struct config *c, int i) { return c->ff[i] == FF_MOE || c->ff[i] == FF_SHORTCUT || c->ff[i] == FF_BESIDE; }
static inline int layer_kv_heads(const struct config *c, int i) { return c->full_kv_heads && !c->slides[i] ? c->full_kv_heads : c->kv_heads; }
/* Reads DIR/config.json, finds the family, and DIR/generation_config.json where there is one. */
int config_load(struct config *c, const char *dir, struct err *e);

#endif
