/* families_recurrent.c - rows of families with a recurrent state, alone or beside attention.
 */
#include "runners/families_int.h"

#define DELTA_NAMES \
	{ R_REC_OUT, "model.layers.{}.linear_attn.out_proj", BIAS_NEVER }, \
	{ R_REC_CONV, "model.layers.{}.linear_attn.conv1d", 0 }, \
	{ R_REC_NORM, "model.layers.{}.linear_attn.norm", 0 }, \
	{ R_REC_LOG_A, "model.layers.{}.linear_attn.A_log", 0 }, \
	{ R_REC_DT, "model.layers.{}.linear_attn.dt_bias", 0 }
#define QK_NAMES \
	{ R_Q_NORM, "model.layers.{}.self_attn.q_norm", 0 }, \
	{ R_K_NORM, "model.layers.{}.self_attn.k_norm", 0 }

static const struct role_name qwen3_5_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	QK_NAMES,
	LLAMA_MLP(BIAS_NEVER),
	{ R_REC_QKV, "model.layers.{}.linear_attn.in_proj_qkv", BIAS_NEVER },
	{ R_REC_Z, "model.layers.{}.linear_attn.in_proj_z", BIAS_NEVER },
	{ R_REC_B, "model.layers.{}.linear_attn.in_proj_b", BIAS_NEVER },
	{ R_REC_A, "model.layers.{}.linear_attn.in_proj_a", BIAS_NEVER },
	DELTA_NAMES,
	{ R_END },
};
static const struct role_name mamba2_names[] = {
	{ R_EMBED, "backbone.embeddings", 0 },
	{ R_EMBED, "backbone.embedding", 0 },
	{ R_FINAL_NORM, "backbone.norm_f", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "backbone.layers.{}.norm", 0 },
	{ R_REC_IN, "backbone.layers.{}.mixer.in_proj", BIAS_PROJ },
	{ R_REC_OUT, "backbone.layers.{}.mixer.out_proj", BIAS_PROJ },
	{ R_REC_CONV, "backbone.layers.{}.mixer.conv1d", 0 },
	{ R_REC_NORM, "backbone.layers.{}.mixer.norm", 0 },
	{ R_REC_LOG_A, "backbone.layers.{}.mixer.A_log", 0 },
	{ R_REC_DT, "backbone.layers.{}.mixer.dt_bias", 0 },
	{ R_REC_SKIP, "backbone.layers.{}.mixer.D", 0 },
	{ R_END },
};
static const struct role_name lfm2_names[] = {
	{ R_EMBED, "model.embed_tokens", 0 },
	{ R_FINAL_NORM, "model.embedding_norm", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "model.layers.{}.operator_norm", 0 },
	{ R_NORM2, "model.layers.{}.ffn_norm", 0 },
	{ R_Q, "model.layers.{}.self_attn.q_proj", BIAS_NEVER },
	{ R_K, "model.layers.{}.self_attn.k_proj", BIAS_NEVER },
	{ R_V, "model.layers.{}.self_attn.v_proj", BIAS_NEVER },
	{ R_O, "model.layers.{}.self_attn.out_proj", BIAS_NEVER },
	{ R_Q_NORM, "model.layers.{}.self_attn.q_layernorm", 0 },
	{ R_K_NORM, "model.layers.{}.self_attn.k_layernorm", 0 },
	{ R_GATE, "model.layers.{}.feed_forward.w1", BIAS_NEVER },
	{ R_UP, "model.layers.{}.feed_forward.w3", BIAS_NEVER },
	{ R_DOWN, "model.layers.{}.feed_forward.w2", BIAS_NEVER },
	{ R_REC_IN, "model.layers.{}.conv.in_proj", BIAS_PRESENT },
	{ R_REC_OUT, "model.layers.{}.conv.out_proj", BIAS_PRESENT },
	{ R_REC_CONV, "model.layers.{}.conv.conv", 0 },
	{ R_END },
};
static const char *const mtp_junk[] = { "mtp.*", LLAMA_JUNK, NULL };

static int qwen3_5_derive(struct config *c, const struct source *s, struct err *e)
{
	c->gated_attention = true;
	return config_delta(c, s, e);
}

static int mamba2_derive(struct config *c, const struct source *s, struct err *e)
{
	for (int i = 0; i < c->layers; i++) {
		c->mixer[i] = MIX_MAMBA;
		c->ff[i] = FF_NONE;
	}
	return config_mamba(c, s, e);
}

/* Which layers attend; the width of the feed-forward part may be a multiple of two thirds of what is stated. */
static int lfm2_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct layer_type types[] = { { "conv", MIX_CONV, false }, { "full_attention", MIX_ATTENTION, false }, { NULL, 0, false } };
	static const struct key own[] = {
		{ { "conv_L_cache" }, K_INT, CONFIG_AT(conv_width), 3, 2, 8 },
		{ { "conv_bias" }, K_BOOL, CONFIG_AT(conv_bias), 0, 0, 1 },
	};
	static const struct key widths[] = {
		{ { "block_multiple_of" }, K_NUM, 0, 256, 1, 1 << 20 },
		{ { "block_ffn_dim_multiplier" }, K_NUM, sizeof(double), 1, 1e-6, 1e6 },
	};
	const struct value *adjust = config_look(s, "block_auto_adjust_ff_dim"), *full = config_look(s, "full_attn_idxs");
	double w[2];
	bool given;

	if (config_keys(s, c, own, CONFIG_COUNT(own), NULL, e) != 0 || config_layer_types(c, s, "layer_types", types, &given, e) != 0 ||
	    config_keys(s, w, widths, CONFIG_COUNT(widths), NULL, e) != 0)
		return -1;
	for (int i = 0; i < c->layers && !given; i++)
		c->mixer[i] = full ? MIX_CONV : MIX_ATTENTION;
	for (size_t i = 0; !given && full && full->type == V_LIST && i < full->list->n; i++) {
		struct value x = full->list->v[i];
		if (x.type != V_INT || x.i < 0 || x.i >= c->layers)
			return err_set(e, E_RANGE, "%s: 'full_attn_idxs' names a layer that is not one of %d", c->path, c->layers);
		c->mixer[x.i] = MIX_ATTENTION;
	}
	if (!adjust || adjust->type != V_BOOL || adjust->b) {
		double inner = (double)(int)(2.0 * c->inner / 3);
		inner = (double)(int)(w[1] * inner);
		int step = (int)w[0];
		c->inner = ((int)inner + step - 1) / step * step;
	}
	return 0;
}

const struct family families_recurrent[] = {
	{
		.name = "qwen3_5",
		.text = "Qwen 3.5, dense: gated delta rule in three of four layers, attention with a gated output in the fourth",
		.architectures = { "Qwen3_5ForConditionalGeneration", "Qwen3_5ForCausalLM" },
		.model_types = { "qwen3_5", "qwen3_5_text" },
		.names = qwen3_5_names,
		.prefix = "model.",
		.junk = mtp_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "head_dim", 256 }, { "partial_rotary_factor", 0.25 } },
		.only = { { "attn_output_gate", 1 } },
		.derive = qwen3_5_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.norm_plus_one = true,
		.qk_norm = QK_HEAD,
		.gated = true,
	},
	{
		.name = "mamba2",
		.text = "Mamba-2: state space layers alone",
		.architectures = { "Mamba2ForCausalLM" },
		.model_types = { "mamba2" },
		.names = mamba2_names,
		.prefix = "backbone.",
		.defaults = { { "norm_eps", 1e-5 }, { "num_heads", 128 }, { "n_groups", 8 } },
		.derive = mamba2_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.position = POSITION_NONE,
	},
	{
		.name = "lfm2",
		.text = "LFM2: gated short convolutions, some layers with attention",
		.architectures = { "Lfm2ForCausalLM" },
		.model_types = { "lfm2" },
		.names = lfm2_names,
		.prefix = "model.",
		.junk = mtp_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 1000000 }, { "tie_word_embeddings", 1 } },
		.derive = lfm2_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.qk_norm = QK_HEAD,
		.gated = true,
	},
	{ .name = NULL },
};
