/* families_recurrent.c - rows of families with a recurrent state, alone or beside attention.
 */
#include "runners/families_int.h"

static const struct role_name qwen3_5_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	LLAMA_QK_NORMS,
	LLAMA_MLP(BIAS_NEVER),
	DELTA_APART_NAMES,
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
#define LFM2_NAMES \
	{ R_EMBED, "model.embed_tokens", 0 }, \
	{ R_FINAL_NORM, "model.embedding_norm", 0 }, \
	{ R_HEAD, "lm_head", BIAS_NEVER }, \
	{ R_NORM1, "model.layers.{}.operator_norm", 0 }, \
	{ R_NORM2, "model.layers.{}.ffn_norm", 0 }, \
	{ R_Q, "model.layers.{}.self_attn.q_proj", BIAS_NEVER }, \
	{ R_K, "model.layers.{}.self_attn.k_proj", BIAS_NEVER }, \
	{ R_V, "model.layers.{}.self_attn.v_proj", BIAS_NEVER }, \
	{ R_O, "model.layers.{}.self_attn.out_proj", BIAS_NEVER }, \
	{ R_Q_NORM, "model.layers.{}.self_attn.q_layernorm", 0 }, \
	{ R_K_NORM, "model.layers.{}.self_attn.k_layernorm", 0 }, \
	{ R_GATE, "model.layers.{}.feed_forward.w1", BIAS_NEVER }, \
	{ R_UP, "model.layers.{}.feed_forward.w3", BIAS_NEVER }, \
	{ R_DOWN, "model.layers.{}.feed_forward.w2", BIAS_NEVER }, \
	{ R_REC_IN, "model.layers.{}.conv.in_proj", BIAS_PRESENT }, \
	{ R_REC_OUT, "model.layers.{}.conv.out_proj", BIAS_PRESENT }, \
	{ R_REC_CONV, "model.layers.{}.conv.conv", 0 }
static const struct role_name lfm2_names[] = { LFM2_NAMES, { R_END } };
static const struct role_name lfm2_moe_names[] = {
	LFM2_NAMES,
	{ R_ROUTER, "model.layers.{}.feed_forward.gate", BIAS_NEVER },
	{ R_ROUTER_BIAS, "model.layers.{}.feed_forward.expert_bias", BIAS_PRESENT },
	{ R_X_GATE, "model.layers.{}.feed_forward.experts.{}.w1", BIAS_NEVER },
	{ R_X_UP, "model.layers.{}.feed_forward.experts.{}.w3", BIAS_NEVER },
	{ R_X_DOWN, "model.layers.{}.feed_forward.experts.{}.w2", BIAS_NEVER },
	{ R_END },
};
#define MAMBA_NAMES(at) \
	{ R_REC_IN, at ".in_proj", BIAS_PROJ }, \
	{ R_REC_OUT, at ".out_proj", BIAS_PROJ }, \
	MAMBA_REST(at)
#define MAMBA_REST(at) \
	{ R_REC_CONV, at ".conv1d", 0 }, \
	{ R_REC_NORM, at ".norm", 0 }, \
	{ R_REC_LOG_A, at ".A_log", 0 }, \
	{ R_REC_DT, at ".dt_bias", 0 }, \
	{ R_REC_SKIP, at ".D", 0 }

static const struct role_name qwen3_next_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	LLAMA_QK_NORMS,
	LLAMA_MLP(BIAS_NEVER),
	{ R_REC_QKVZ, "model.layers.{}.linear_attn.in_proj_qkvz", BIAS_NEVER },
	{ R_REC_BA, "model.layers.{}.linear_attn.in_proj_ba", BIAS_NEVER },
	DELTA_NAMES,
	DEEPSEEK_EXPERTS,
	SHARED_EXPERT("shared_expert", BIAS_NEVER),
	{ R_S_WEIGHT, "model.layers.{}.mlp.shared_expert_gate", BIAS_NEVER },
	{ R_END },
};
static const struct role_name falcon_h1_names[] = {
	{ R_EMBED, "model.embed_tokens", 0 },
	{ R_FINAL_NORM, "model.final_layernorm", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "model.layers.{}.input_layernorm", 0 },
	{ R_NORM2, "model.layers.{}.pre_ff_layernorm", 0 },
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	{ R_GATE, "model.layers.{}.feed_forward.gate_proj", BIAS_MLP },
	{ R_UP, "model.layers.{}.feed_forward.up_proj", BIAS_MLP },
	{ R_DOWN, "model.layers.{}.feed_forward.down_proj", BIAS_MLP },
	{ R_REC_IN, "model.layers.{}.mamba.in_proj", BIAS_PROJ },
	{ R_REC_OUT, "model.layers.{}.mamba.out_proj", BIAS_PRESENT },
	MAMBA_REST("model.layers.{}.mamba"),
	{ R_END },
};
static const struct role_name nemotron_h_names[] = {
	{ R_EMBED, "backbone.embeddings", 0 },
	{ R_FINAL_NORM, "backbone.norm_f", 0 },
	{ R_HEAD, "lm_head", BIAS_NEVER },
	{ R_NORM1, "backbone.layers.{}.norm", 0 },
	{ R_NORM2, "backbone.layers.{}.norm", 0 },
	{ R_Q, "backbone.layers.{}.mixer.q_proj", BIAS_PRESENT },
	{ R_K, "backbone.layers.{}.mixer.k_proj", BIAS_PRESENT },
	{ R_V, "backbone.layers.{}.mixer.v_proj", BIAS_PRESENT },
	{ R_O, "backbone.layers.{}.mixer.o_proj", BIAS_PRESENT },
	{ R_UP, "backbone.layers.{}.mixer.up_proj", BIAS_MLP },
	{ R_DOWN, "backbone.layers.{}.mixer.down_proj", BIAS_MLP },
	MAMBA_NAMES("backbone.layers.{}.mixer"),
	{ R_ROUTER, "backbone.layers.{}.mixer.gate", BIAS_NEVER },
	{ R_ROUTER_BIAS, "backbone.layers.{}.mixer.gate.e_score_correction_bias", BIAS_ALWAYS },
	{ R_X_UP, "backbone.layers.{}.mixer.experts.{}.up_proj", BIAS_MLP },
	{ R_X_DOWN, "backbone.layers.{}.mixer.experts.{}.down_proj", BIAS_MLP },
	{ R_S_UP, "backbone.layers.{}.mixer.shared_experts.up_proj", BIAS_MLP },
	{ R_S_DOWN, "backbone.layers.{}.mixer.shared_experts.down_proj", BIAS_MLP },
	{ R_END },
};
static const struct role_name granite_hybrid_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_ATTENTION, BIAS_ATTENTION),
	MAMBA_NAMES("model.layers.{}.mamba"),
	GRANITE_EXPERTS,
	{ R_S_GATE_UP, "model.layers.{}.shared_mlp.input_linear", BIAS_NEVER },
	{ R_S_DOWN, "model.layers.{}.shared_mlp.output_linear", BIAS_NEVER },
	{ R_GATE_UP, "model.layers.{}.shared_mlp.input_linear", BIAS_NEVER }, /* where there are no experts */
	{ R_DOWN, "model.layers.{}.shared_mlp.output_linear", BIAS_NEVER },
	{ R_END },
};
static const struct role_name minimax_names[] = {
	LLAMA_ENDS,
	LLAMA_NORMS,
	LLAMA_ATTENTION(BIAS_NEVER, BIAS_NEVER),
	MIXTRAL_EXPERTS,
	{ R_REC_QKV, "model.layers.{}.self_attn.qkv_proj", BIAS_NEVER },
	{ R_REC_Z, "model.layers.{}.self_attn.output_gate", BIAS_NEVER },
	{ R_REC_NORM, "model.layers.{}.self_attn.norm", 0 },
	{ R_REC_OUT, "model.layers.{}.self_attn.out_proj", BIAS_NEVER },
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

static const struct key lfm2_keys[] = {
	{ { "conv_L_cache" }, K_INT, CONFIG_AT(conv_width), 3, 2, CONV_WIDTH },
	{ { "conv_bias" }, K_BOOL, CONFIG_AT(conv_bias), 0, 0, 1 },
	{ { NULL } },
};
static const struct layer_type lfm2_types[] = { { "conv", MIX_CONV, false }, { "full_attention", MIX_ATTENTION, false }, { NULL, 0, false } };

/* Which layers attend; the width of the feed-forward part may be a multiple of two thirds of what is stated. */
static int lfm2_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct key widths[] = {
		{ { "block_multiple_of" }, K_NUM, 0, 256, 1, 1 << 20 },
		{ { "block_ffn_dim_multiplier" }, K_NUM, sizeof(double), 1, 1e-6, 1e6 },
	};
	const struct value *full = config_look(s, "full_attn_idxs");
	double w[2];
	bool given, adjust;

	if (config_layer_types(c, s, "layer_types", lfm2_types, &given, e) != 0 || config_keys(s, w, widths, CONFIG_COUNT(widths), NULL, e) != 0 || config_switch(&adjust, s, "block_auto_adjust_ff_dim", true, e) != 0)
		return -1;
	if (full && full->type != V_LIST)
		return err_set(e, E_FORMAT, "%s: 'full_attn_idxs' is of type %s, wanted a list of layers", c->path, v_type_name(*full));
	for (int i = 0; i < c->layers && !given; i++)
		c->mixer[i] = full ? MIX_CONV : MIX_ATTENTION;
	for (size_t i = 0; !given && full && i < full->list->n; i++) {
		struct value x = full->list->v[i];
		if (x.type != V_INT || x.i < 0 || x.i >= c->layers)
			return err_set(e, E_RANGE, "%s: 'full_attn_idxs' names a layer that is not one of %d", c->path, c->layers);
		c->mixer[x.i] = MIX_ATTENTION;
	}
	if (adjust) {
		double inner = w[1] * (double)(int)(2.0 * c->inner / 3);
		int step = (int)w[0];
		if (inner > 1 << 20)
			return err_set(e, E_RANGE, "%s: 'block_ffn_dim_multiplier' %g makes an inner width of %.0f, at most %d is allowed", c->path,
				       w[1], inner, 1 << 20);
		c->inner = ((int)inner + step - 1) / step * step;
	}
	return 0;
}

static int lfm2_moe_derive(struct config *c, const struct source *s, struct err *e)
{
	bool given;
	if (config_layer_types(c, s, "layer_types", lfm2_types, &given, e) != 0)
		return -1;
	return given ? 0 : err_set(e, E_FORMAT, "%s: 'layer_types' is missing", c->path);
}

static int read_list(double *out, int n, const struct source *s, const char *name, struct err *e)
{
	const struct value *v = config_look(s, name);
	if (!v)
		return 0;
	if (v->type != V_LIST || v->list->n != (size_t)n)
		return err_set(e, E_FORMAT, "%s: '%s' is no list of %d numbers", s->path, name, n);
	for (int i = 0; i < n; i++) {
		struct value x = v->list->v[i];
		if (x.type != V_INT && x.type != V_FLOAT)
			return err_set(e, E_FORMAT, "%s: '%s' is no list of %d numbers", s->path, name, n);
		out[i] = x.type == V_INT ? (double)x.i : x.f;
		if (!(out[i] >= -1e9 && out[i] <= 1e9))
			return err_set(e, E_RANGE, "%s: '%s' holds %g, allowed is -1e9 to 1e9", s->path, name, out[i]);
	}
	return 0;
}

static const struct key falcon_h1_keys[] = {
	{ { "embedding_multiplier" }, K_NUM, CONFIG_AT(embed_scale), 1, -1e9, 1e9 },
	{ { "lm_head_multiplier" }, K_NUM, CONFIG_AT(logit_scale), 1, -1e9, 1e9 },
	{ { NULL } },
};

static int falcon_h1_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct key own[] = {
		{ { "key_multiplier" }, K_NUM, CONFIG_AT(mamba.key_scale), 1, 1e-9, 1e9 },
		{ { "attention_in_multiplier" }, K_NUM, CONFIG_AT(mamba.attention_in), 1, 1e-9, 1e9 },
		{ { "attention_out_multiplier" }, K_NUM, CONFIG_AT(mamba.attention_out), 1, -1e9, 1e9 },
		{ { "ssm_in_multiplier" }, K_NUM, CONFIG_AT(mamba.in_scale), 1, 1e-9, 1e9 },
		{ { "ssm_out_multiplier" }, K_NUM, CONFIG_AT(mamba.out_scale), 1, -1e9, 1e9 },
		{ { "mamba_rms_norm" }, K_BOOL, CONFIG_AT(mamba.norm), 0, 0, 1 },
		{ { "mamba_norm_before_gate" }, K_BOOL, CONFIG_AT(mamba.norm_first), 1, 0, 1 },
	};
	static const struct key inner[] = { { { "mamba_d_ssm" }, K_INT, 0, 1024, 1, 1 << 20 } };
	double mlp[2] = { 1, 1 };
	const struct value *given = config_look(s, "mamba_d_ssm");
	int d_ssm = 0;

	for (int i = 0; i < c->layers; i++)
		c->mixer[i] = MIX_BOTH;
	if (config_mamba(c, s, e) != 0 || config_keys(s, c, own, CONFIG_COUNT(own), NULL, e) != 0 ||
	    read_list(c->mamba.scale, 5, s, "ssm_multipliers", e) != 0 || read_list(mlp, 2, s, "mlp_multipliers", e) != 0 ||
	    (given && config_keys(s, &d_ssm, inner, 1, NULL, e) != 0))
		return -1;
	if (given && d_ssm != c->mamba.heads * c->mamba.dim)
		return err_set(e, E_RANGE, "%s: 'mamba_d_ssm' %d is not 'mamba_n_heads' %d x 'mamba_d_head' %d", c->path, d_ssm, c->mamba.heads, c->mamba.dim);
	c->gate_scale = mlp[0];
	c->down_scale = mlp[1];
	return 0;
}

static char kind_of(struct value x)
{
	static const struct { const char *name; char letter; } kinds[] = {
		{ "mamba", 'M' }, { "linear_attention", 'M' }, { "attention", '*' }, { "full_attention", '*' }, { "mlp", '-' }, { "moe", 'E' },
	};
	for (size_t i = 0; i < CONFIG_COUNT(kinds) && x.type == V_STR; i++)
		if (str_is(x.s, kinds[i].name))
			return kinds[i].letter;
	return '?';
}

/* hybrid_override_pattern: M state space, - feed-forward, * attention, E experts; each layer is one of them */
static int nemotron_h_derive(struct config *c, const struct source *s, struct err *e)
{
	const struct value *p = config_look(s, "hybrid_override_pattern"), *types = config_look(s, "layers_block_type");
	if (p && (p->type != V_STR || p->s.n != (size_t)c->layers))
		return err_set(e, E_FORMAT, "%s: 'hybrid_override_pattern' does not hold one letter for each of the %d layers", c->path, c->layers);
	if (!p && (!types || types->type != V_LIST || types->list->n != (size_t)c->layers))
		return err_set(e, E_FORMAT, "%s: neither 'hybrid_override_pattern' nor 'layers_block_type' says what the %d layers are", c->path, c->layers);
	for (int i = 0; i < c->layers; i++) {
		struct value x = p ? VNONE : types->list->v[i];
		char letter = p ? p->s.p[i] : kind_of(x);
		if (letter != 'M' && letter != '*' && letter != '-' && letter != 'E')
			return err_set(e, E_UNSUPPORTED, "%s: layer %d is of a kind other than state space (M), attention (*), feed-forward (-) and experts (E)", c->path, i);
		c->mixer[i] = letter == 'M' ? MIX_MAMBA : letter == '*' ? MIX_ATTENTION : MIX_NONE;
		c->ff[i] = letter == '-' ? FF_DENSE : letter == 'E' ? FF_MOE : FF_NONE;
		if (letter == 'E' && !c->moe.experts)
			return err_set(e, E_FORMAT, "%s: layer %d has experts, but 'n_routed_experts' is missing", c->path, i);
	}
	static const struct key shared[] = { { { "moe_shared_expert_intermediate_size" }, K_INT, CONFIG_AT(moe.shared), 7688, 1, 1 << 20 } };
	if (c->moe.experts && config_keys(s, c, shared, 1, NULL, e) != 0)
		return -1;
	static const struct key bias[] = { { { "use_bias" }, K_BOOL, CONFIG_AT(mamba.proj_bias), 0, 0, 1 } };
	return config_mamba(c, s, e) != 0 ? -1 : config_keys(s, c, bias, 1, NULL, e);
}

static int granite_hybrid_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct layer_type types[] = { { "mamba", MIX_MAMBA, false }, { "attention", MIX_ATTENTION, false },
						   { "linear_attention", MIX_MAMBA, false }, { "full_attention", MIX_ATTENTION, false }, { NULL, 0, false } };
	static const char *const lists[] = { "layers_block_type", "layer_types" };
	const struct value *kind = config_look(s, "position_embedding_type");
	bool given = false;

	for (int i = 0; i < 2 && !given; i++)
		if (config_layer_types(c, s, lists[i], types, &given, e) != 0)
			return -1;
	for (int i = 0; i < c->layers && !given; i++)
		c->mixer[i] = MIX_MAMBA;
	if (kind && !(kind->type == V_STR && (str_is(kind->s, "nope") || str_is(kind->s, "rope"))))
		return err_set(e, E_UNSUPPORTED, "%s: 'position_embedding_type' is '%.40s', known are nope and rope", c->path,
			       kind->type == V_STR ? kind->s.p : v_type_name(*kind));
	if (!kind || str_is(kind->s, "nope"))
		c->position = POSITION_NONE;
	if (!c->moe.experts)
		c->inner = c->moe.shared;
	return granite_derive(c, s, e) != 0 ? -1 : config_mamba(c, s, e);
}

static int minimax_derive(struct config *c, const struct source *s, struct err *e)
{
	static const struct layer_type types[] = { { "linear_attention", MIX_LIGHTNING, false }, { "full_attention", MIX_ATTENTION, false }, { NULL, 0, false } };
	static const struct key own[] = {
		{ { "full_attn_alpha_factor", "layernorm_full_attention_alpha" }, K_NUM, CONFIG_AT(keep[0]), 1, -1e9, 1e9 },
		{ { "linear_attn_alpha_factor", "layernorm_linear_attention_alpha" }, K_NUM, CONFIG_AT(keep[1]), 1, -1e9, 1e9 },
		{ { "mlp_alpha_factor", "layernorm_mlp_alpha" }, K_NUM, CONFIG_AT(keep[2]), 1, -1e9, 1e9 },
		{ { "full_attn_beta_factor", "layernorm_full_attention_beta" }, K_NUM, CONFIG_AT(gain[0]), 1, -1e9, 1e9 },
		{ { "linear_attn_beta_factor", "layernorm_linear_attention_beta" }, K_NUM, CONFIG_AT(gain[1]), 1, -1e9, 1e9 },
		{ { "mlp_beta_factor", "layernorm_mlp_beta" }, K_NUM, CONFIG_AT(gain[2]), 1, -1e9, 1e9 },
	};
	const struct value *v;
	bool given;

	if (config_only_silu(c, s, "hidden_act", e) != 0)
		return -1;
	c->residual_normed = true;
	if (config_keys(s, c, own, CONFIG_COUNT(own), NULL, e) != 0 || config_layer_types(c, s, "layer_types", types, &given, e) != 0 ||
	    config_layer_list(&v, c, s, "attn_type_list", e) != 0)
		return -1;
	for (int i = 0; i < c->layers && !given; i++) { /* every other layer, where the file is silent */
		int64_t full = !v ? i % 2 : v->list->v[i].type == V_INT ? v->list->v[i].i : -1;
		if (full != 0 && full != 1)
			return err_set(e, E_UNSUPPORTED, "%s: 'attn_type_list' holds something other than 0 and 1 for layer %d", c->path, i);
		c->mixer[i] = full ? MIX_ATTENTION : MIX_LIGHTNING;
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
		.defaults = { { "norm_eps", 1e-6 }, { "head_dim", 256 }, { "num_key_value_heads", 4 }, { "partial_rotary_factor", 0.25 } },
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
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 1000000 }, { "num_key_value_heads", 8 }, { "tie_word_embeddings", 1 } },
		.keys = lfm2_keys,
		.derive = lfm2_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.qk_norm = QK_HEAD,
		.gated = true,
	},
	{
		.name = "qwen3_next",
		.text = "Qwen 3 Next: gated delta rule and gated attention, experts with a shared one",
		.architectures = { "Qwen3NextForCausalLM" },
		.model_types = { "qwen3_next" },
		.names = qwen3_next_names,
		.prefix = "model.",
		.junk = mtp_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "head_dim", 256 }, { "num_key_value_heads", 2 }, { "partial_rotary_factor", 0.25 }, { "num_experts", 512 }, { "num_experts_per_tok", 10 },
			      { "moe_intermediate_size", 512 }, { "shared_expert_intermediate_size", 512 }, { "norm_topk_prob", 1 } },
		.derive = qwen3_5_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.norm_plus_one = true,
		.qk_norm = QK_HEAD,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_SOFTMAX },
	},
	{
		.name = "lfm2_moe",
		.text = "LFM2 with experts",
		.architectures = { "Lfm2MoeForCausalLM" },
		.model_types = { "lfm2_moe" },
		.names = lfm2_moe_names,
		.prefix = "model.",
		.junk = mtp_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 1000000 }, { "tie_word_embeddings", 1 }, { "num_dense_layers", 2 }, { "num_experts", 32 }, { "num_experts_per_tok", 4 },
			      { "num_key_value_heads", 8 }, { "moe_intermediate_size", 1792 }, { "norm_topk_prob", 1 } },
		.keys = lfm2_keys,
		.derive = lfm2_moe_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.qk_norm = QK_HEAD,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_SIGMOID, .floor = 1e-6 },
	},
	{
		.name = "falcon_h1",
		.text = "Falcon H1: attention and Mamba-2 side by side, a multiplier everywhere",
		.architectures = { "FalconH1ForCausalLM" },
		.model_types = { "falcon_h1" },
		.names = falcon_h1_names,
		.prefix = "model.",
		.junk = mtp_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "num_key_value_heads", 8 }, { "mamba_d_state", 256 } },
		.only = { { "mamba_use_mlp", 1 } },
		.keys = falcon_h1_keys,
		.derive = falcon_h1_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
	},
	{
		.name = "nemotron_h",
		.text = "Nemotron-H: layers of Mamba-2, feed-forward, experts or attention, without positions",
		.architectures = { "NemotronHForCausalLM" },
		.model_types = { "nemotron_h" },
		.names = nemotron_h_names,
		.prefix = "backbone.",
		.defaults = { { "norm_eps", 1e-5 }, { "head_dim", 128 }, { "num_key_value_heads", 8 }, { "n_groups", 8 }, { "n_routed_experts", 0 }, { "num_experts_per_tok", 2 },
			      { "moe_intermediate_size", 7688 }, { "norm_topk_prob", 1 } },
		.derive = nemotron_h_derive,
		.act = "relu2",
		.norm = NORM_RMS,
		.position = POSITION_NONE,
		.only = { { "moe_latent_size", 0 } },
		.moe = { .present = true, .score = ROUTE_SIGMOID, .best_of = 2, .floor = 1e-20 },
	},
	{
		.name = "granitemoehybrid",
		.text = "Granite 4: Mamba-2 and attention, experts with a shared one or that alone",
		.architectures = { "GraniteMoeHybridForCausalLM" },
		.model_types = { "granitemoehybrid" },
		.names = granite_hybrid_names,
		.prefix = "model.",
		.junk = mtp_junk,
		.defaults = { { "norm_eps", 1e-6 }, { "num_local_experts", 8 }, { "num_experts_per_tok", 2 }, { "shared_intermediate_size", 1024 },
			      { "mamba_d_state", 256 } },
		.keys = granite_keys,
		.derive = granite_hybrid_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_TOP, .layout = EXPERTS_OUT_IN },
	},
	{
		.name = "minimax",
		.text = "MiniMax-Text-01 and M1: lightning attention, the residual stream normed, experts",
		.architectures = { "MiniMaxForCausalLM", "MiniMaxText01ForCausalLM", "MiniMaxM1ForCausalLM" },
		.model_types = { "minimax", "minimax_text_01", "minimax_m1" },
		.names = minimax_names,
		.prefix = "model.",
		.junk = mtp_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 1000000 }, { "num_key_value_heads", 8 }, { "num_local_experts", 8 }, { "num_experts_per_tok", 2 } },
		.only = { { "postnorm", 1 }, { "shared_intermediate_size", 0 } },
		.derive = minimax_derive,
		.act = "silu",
		.norm = NORM_RMS,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_TOP },
	},
	{ .name = NULL },
};
