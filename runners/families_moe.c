/* families_moe.c - rows of families with a mixture of experts in place of the dense feed-forward part.
 */
#include "runners/families_int.h"

#define MIXTRAL_EXPERTS \
	{ R_ROUTER, "model.layers.{}.block_sparse_moe.gate", BIAS_NEVER }, \
	{ R_X_GATE, "model.layers.{}.block_sparse_moe.experts.{}.w1", BIAS_NEVER }, \
	{ R_X_UP, "model.layers.{}.block_sparse_moe.experts.{}.w3", BIAS_NEVER }, \
	{ R_X_DOWN, "model.layers.{}.block_sparse_moe.experts.{}.w2", BIAS_NEVER }

static const struct role_name mixtral_names[] = {
	LLAMA_ENDS, LLAMA_NORMS, LLAMA_ATTENTION(BIAS_NEVER, BIAS_NEVER), MIXTRAL_EXPERTS, { R_END },
};

static const char *const moe_junk[] = { LLAMA_JUNK, NULL };

const struct family families_moe[] = {
	{
		.name = "mixtral",
		.text = "Mixtral: Mistral with experts in every layer",
		.architectures = { "MixtralForCausalLM" },
		.model_types = { "mixtral" },
		.names = mixtral_names,
		.prefix = "model.",
		.junk = moe_junk,
		.defaults = { { "norm_eps", 1e-5 }, { "rope_theta", 1e6 }, { "num_key_value_heads", 8 }, { "num_local_experts", 8 }, { "num_experts_per_tok", 2 } },
		.act = "silu",
		.norm = NORM_RMS,
		.window = WINDOW_ALL,
		.gated = true,
		.moe = { .present = true, .score = ROUTE_TOP },
	},
	{ .name = NULL },
};
