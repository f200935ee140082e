/* test_config.c - config.json: what is read from it, defaults by family, and what is refused with which words; the rotary
 * tables that follow from it, against values computed in Python with mpmath (given in the table).
 */
#include <fcntl.h>

#include "kernels/base/arena.h"
#include "runners/runner.h"
#include "runners/config.h"
#include "runners/families.h"
#include "runners/ropetable.h"
#include "tests/test.h"

static const char *dir;

static void put(const char *name, const char *text)
{
	char path[4400];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (text)
		test_put(dir, name, text);
	else
		unlink(path);
}

#define LLAMA(more) \
	"{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"vocab_size\":512,\"hidden_size\":64,\"num_hidden_layers\":4," \
	"\"num_attention_heads\":8,\"intermediate_size\":172" more "}"
#define NEOX(more) \
	"{\"architectures\":[\"GPTNeoXForCausalLM\"],\"vocab_size\":512,\"hidden_size\":64,\"num_hidden_layers\":4," \
	"\"num_attention_heads\":8,\"intermediate_size\":172" more "}"
#define QWEN2(more) \
	"{\"architectures\":[\"Qwen2ForCausalLM\"],\"vocab_size\":512,\"hidden_size\":64,\"num_hidden_layers\":4," \
	"\"num_attention_heads\":8,\"intermediate_size\":172" more "}"
#define MISTRAL(more) \
	"{\"model_type\":\"mistral\",\"vocab_size\":512,\"hidden_size\":64,\"num_hidden_layers\":4,\"num_attention_heads\":8," \
	"\"intermediate_size\":172" more "}"
#define OF(type, more) /* a family by its model_type */ \
	"{\"model_type\":\"" type "\",\"vocab_size\":512,\"hidden_size\":64,\"num_hidden_layers\":4,\"num_attention_heads\":8" more "}"
#define SMOLLM3(more) \
	"{\"architectures\":[\"SmolLM3ForCausalLM\"],\"vocab_size\":512,\"hidden_size\":64,\"num_hidden_layers\":4," \
	"\"num_attention_heads\":8,\"intermediate_size\":172" more "}"

static int load(struct config *c, const char *config, const char *generation, struct err *e)
{
	memset(e, 0, sizeof *e);
	put("config.json", config);
	put("generation_config.json", generation);
	return config_load(c, dir, e);
}

static void test_sampling(void)
{
	static const struct {
		const char *json;
		struct sampling want;
		const char *message;
	} cases[] = {
		{ "{}", { true, 0, 1, 0, 0 }, NULL },
		{ "{\"temperature\":0.7,\"top_p\":0.8}", { true, 0, 1, 0, 0 }, NULL }, /* generate() would not draw */
		{ "{\"do_sample\":true}", { true, 1, 1, 0, 50 }, NULL },
		{ "{\"do_sample\":true,\"temperature\":0.6,\"top_p\":0.95,\"top_k\":20,\"min_p\":0.05}", { true, 0.6, 0.95, 0.05, 20 }, NULL },
		{ "{\"do_sample\":true,\"top_k\":0,\"top_p\":null,\"repetition_penalty\":1.0,\"num_beams\":1,\"bad_words_ids\":null,"
		  "\"suppress_tokens\":[],\"token_healing\":false,\"max_new_tokens\":9}", { true, 1, 1, 0, 0 }, NULL },
		{ "{\"repetition_penalty\":1.05}", { true, 0, 1, 0, 0, 1.05 }, NULL }, /* greedy text has it too */
		{ "{\"do_sample\":true,\"temperature\":0.7,\"top_p\":0.8,\"top_k\":20,\"repetition_penalty\":1.1}", { true, 0.7, 0.8, 0, 20, 1.1 }, NULL },
		{ "{\"repetition_penalty\":0}", { 0 }, "'repetition_penalty' is no number from 0.01 to 10" },
		{ "{\"presence_penalty\":1.5}", { 0 }, "generation_config.json: 'presence_penalty' is set, which --generation-config cannot apply" },
		{ "{\"frequency_penalty\":0.5}", { 0 }, "'frequency_penalty' is set" },
		{ "{\"num_beams\":4}", { 0 }, "'num_beams' is set" },
		{ "{\"suppress_tokens\":[1]}", { 0 }, "'suppress_tokens' is set" },
		{ "{\"token_healing\":true}", { 0 }, "'token_healing' is set" },
		{ "{\"do_sample\":1}", { 0 }, "'do_sample' is neither true nor false" },
		{ "{\"do_sample\":true,\"temperature\":0}", { 0 }, "'temperature' is no number from 1e-06" },
		{ "{\"do_sample\":true,\"min_p\":\"x\"}", { 0 }, "'min_p' is no number from 0 to 1" },
		{ "{\"do_sample\":true,\"top_k\":20.5}", { 0 }, "generation_config.json: 'top_k' is no whole number" },
		{ "[]", { 0 }, "generation_config.json: is no JSON object" },
		{ NULL, { 0 }, "generation_config.json: is not there" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct sampling s;
		struct err e = { 0 };
		put("generation_config.json", cases[i].json);
		int rc = runner_sampling(&s, dir, &e);
		if (cases[i].message)
			CHECK(rc == -1 && strstr(e.msg, cases[i].message), "%s: %s", cases[i].json ? cases[i].json : "no file", e.msg);
		else
			CHECK(rc == 0 && s.set == cases[i].want.set && s.temperature == cases[i].want.temperature && s.top_p == cases[i].want.top_p &&
			      s.min_p == cases[i].want.min_p && s.top_k == cases[i].want.top_k && s.repetition_penalty == cases[i].want.repetition_penalty, "%s: %s", cases[i].json, e.msg);
	}
}

static void test_defaults(void)
{
	static struct config c;
	struct err e;

	CU_ASSERT_FATAL(load(&c, LLAMA(""), NULL, &e) == 0);
	CU_ASSERT(!strcmp(c.family->name, "llama") && c.vocab == 512 && c.width == 64 && c.layers == 4 && c.heads == 8);
	CU_ASSERT(c.kv_heads == 8 && c.head_dim == 8 && c.inner == 172 && c.max_positions == 0 && c.rope[0].dims == 8);
	CU_ASSERT(c.norm_eps == 1e-6 && c.rope[0].theta == 10000 && c.rope[0].type == ROPE_PLAIN && c.act == ACT_SILU);
	CU_ASSERT(!c.attention_bias && !c.mlp_bias && !c.tied && !c.tied_given && c.window == 0 && !c.parallel);
	CU_ASSERT(c.bos == -1 && c.neos == 0);

	CU_ASSERT_FATAL(load(&c, NEOX(""), NULL, &e) == 0);
	CU_ASSERT(!strcmp(c.family->name, "gpt_neox") && c.attention_bias && c.parallel && c.norm_eps == 1e-5);
	CU_ASSERT(c.rope[0].dims == 2 && c.act == ACT_GELU_ERF && c.rope[0].theta == 10000);
}

static void test_values(void)
{
	static struct config c;
	struct err e;

	CU_ASSERT_FATAL(load(&c, LLAMA(",\"num_key_value_heads\":2,\"head_dim\":16,\"rms_norm_eps\":0.5,\"rope_theta\":500000,"
				       "\"max_position_embeddings\":2048,\"tie_word_embeddings\":true,\"attention_bias\":true,\"mlp_bias\":true,"
				       "\"hidden_act\":\"gelu_new\",\"torch_dtype\":\"bfloat16\",\"bos_token_id\":1,\"eos_token_id\":[2,7],"
				       "\"sliding_window\":32,\"something\":{\"else\":[1]}"), NULL, &e) == 0);
	CU_ASSERT(c.kv_heads == 2 && c.head_dim == 16 && c.norm_eps == 0.5 && c.rope[0].theta == 500000 && c.max_positions == 2048);
	CU_ASSERT(c.tied && c.tied_given && c.attention_bias && c.mlp_bias && c.act == ACT_GELU_TANH && !strcmp(c.dtype, "bfloat16"));
	CU_ASSERT(c.bos == 1 && c.neos == 2 && c.eos[0] == 2 && c.eos[1] == 7);
	CU_ASSERT(c.window == 0); /* llama has no window */

	/* nulls are absent; generation_config.json's stop ids go first */
	CU_ASSERT_FATAL(load(&c, LLAMA(",\"num_key_value_heads\":null,\"rope_scaling\":null,\"eos_token_id\":2,\"bos_token_id\":null,"
				       "\"hidden_act\":null,\"tie_word_embeddings\":null"), "{\"eos_token_id\":[5,6]}", &e) == 0);
	CU_ASSERT(c.kv_heads == 8 && c.bos == -1 && c.neos == 2 && c.eos[0] == 5 && c.eos[1] == 6 && !c.tied_given);
	CU_ASSERT_FATAL(load(&c, LLAMA(",\"eos_token_id\":2"), "{\"eos_token_id\":9}", &e) == 0);
	CU_ASSERT(c.neos == 1 && c.eos[0] == 9);
	CU_ASSERT_FATAL(load(&c, LLAMA(",\"eos_token_id\":2"), "{\"eos_token_id\":null}", &e) == 0);
	CU_ASSERT(c.neos == 1 && c.eos[0] == 2);
	CU_ASSERT_FATAL(load(&c, LLAMA(",\"eos_token_id\":2"), "{}", &e) == 0);
	CU_ASSERT(c.neos == 1 && c.eos[0] == 2);

	/* the order of names that bound positions; text_config first */
	CU_ASSERT_FATAL(load(&c, LLAMA(",\"n_ctx\":3,\"max_position_embeddings\":2"), NULL, &e) == 0);
	CU_ASSERT(c.max_positions == 2);
	CU_ASSERT_FATAL(load(&c, LLAMA(",\"n_ctx\":3,\"n_positions\":1,\"max_position_embeddings\":2"), NULL, &e) == 0);
	CU_ASSERT(c.max_positions == 1);
	CU_ASSERT_FATAL(load(&c, LLAMA(",\"max_position_embeddings\":2,\"text_config\":{\"max_position_embeddings\":77,\"vocab_size\":99,\"head_dim\":null}"),
			     NULL, &e) == 0);
	CU_ASSERT(c.max_positions == 77 && c.vocab == 99 && c.width == 64);

	/* transformers 5 */
	CU_ASSERT_FATAL(load(&c, LLAMA(",\"rope_parameters\":{\"rope_theta\":1234.5,\"rope_type\":\"default\"},\"dtype\":\"float16\""), NULL, &e) == 0);
	CU_ASSERT(c.rope[0].theta == 1234.5 && c.rope[0].type == ROPE_PLAIN && !strcmp(c.dtype, "float16"));
	CU_ASSERT_FATAL(load(&c, NEOX(",\"rope_parameters\":{\"rope_theta\":77,\"partial_rotary_factor\":0.5}"), NULL, &e) == 0);
	CU_ASSERT(c.rope[0].theta == 77 && c.rope[0].dims == 4);
	CU_ASSERT_FATAL(load(&c, NEOX(",\"rotary_pct\":1.0,\"rotary_emb_base\":100,\"use_parallel_residual\":false,\"hidden_act\":\"gelu_fast\""), NULL, &e) == 0);
	CU_ASSERT(c.rope[0].theta == 100 && c.rope[0].dims == 8 && !c.parallel && c.act == ACT_GELU_TANH);

	/* model_type where architectures is missing */
	CU_ASSERT_FATAL(load(&c, "{\"model_type\":\"gpt_neox\",\"vocab_size\":5,\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":1,"
				 "\"intermediate_size\":3}", NULL, &e) == 0);
	CU_ASSERT(!strcmp(c.family->name, "gpt_neox"));
}

static void test_quant(void)
{
#define CONFIG(x) LLAMA(",\"quantization_config\":{" x "}")
#define WEIGHTS(w) CONFIG("\"quant_method\":\"compressed-tensors\",\"format\":\"float-quantized\",\"kv_cache_scheme\":null,\"ignore\":[\"lm_head\"]," \
			  "\"config_groups\":{\"group_0\":{\"input_activations\":{\"num_bits\":8,\"dynamic\":true},\"targets\":[\"Linear\"]," \
			  "\"weights\":{\"num_bits\":8,\"type\":\"float\",\"symmetric\":true," w "}}}")
	static const struct {
		const char *json;
		enum quant method;
		int rows, cols;
	} cases[] = {
		{ LLAMA(""), QUANT_NONE, 0, 0 },
		{ LLAMA(",\"quantization_config\":null"), QUANT_NONE, 0, 0 },
		{ CONFIG("\"quant_method\":\"fp8\",\"fmt\":\"e4m3\",\"activation_scheme\":\"dynamic\",\"weight_block_size\":[128,64]"), QUANT_FP8, 128, 64 },
		{ CONFIG("\"quant_method\":\"fp8\",\"activation_scheme\":\"static\",\"ignored_layers\":[\"lm_head\"]"), QUANT_FP8, 128, 128 },
		{ CONFIG("\"quant_method\":\"fp8\",\"weight_block_size\":null"), QUANT_FP8, 128, 128 },
		{ CONFIG("\"quant_method\":\"fbgemm_fp8\",\"activation_scale_ub\":1200.0"), QUANT_FP8, 128, 128 },
		{ CONFIG("\"quant_method\":\"mxfp4\",\"modules_to_not_convert\":[\"lm_head\"]"), QUANT_MXFP4, 0, 0 },
		{ WEIGHTS("\"strategy\":\"channel\""), QUANT_FP8, 0, 0 },
		{ WEIGHTS("\"strategy\":\"tensor\",\"block_structure\":null"), QUANT_FP8, 0, 0 },
		{ WEIGHTS("\"strategy\":\"block\",\"block_structure\":[64,32]"), QUANT_FP8, 64, 32 },
	};
	static struct config c;
	struct err e;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		CHECK(load(&c, cases[i].json, NULL, &e) == 0, "case %zu: %s", i, e.msg);
		CHECK(c.quant.method == cases[i].method && c.quant.block_rows == cases[i].rows && c.quant.block_cols == cases[i].cols,
		      "case %zu: method %d, blocks of %d x %d", i, (int)c.quant.method, c.quant.block_rows, c.quant.block_cols);
	}
}

static void test_layers(void)
{
	static struct config c;
	struct err e;

	CU_ASSERT_FATAL(load(&c, QWEN2(",\"sliding_window\":32,\"use_sliding_window\":false,\"max_window_layers\":1"), NULL, &e) == 0);
	CU_ASSERT(c.window == 0 && !c.slides[1]);
	CU_ASSERT_FATAL(load(&c, QWEN2(",\"sliding_window\":32,\"use_sliding_window\":true,\"max_window_layers\":1"), NULL, &e) == 0);
	CU_ASSERT(c.window == 32 && !c.slides[0] && c.slides[1] && c.slides[3]);
	CU_ASSERT_FATAL(load(&c, QWEN2(",\"sliding_window\":32,\"use_sliding_window\":true,\"layer_types\":[\"sliding_attention\","
				       "\"full_attention\",\"full_attention\",\"sliding_attention\"]"), NULL, &e) == 0);
	CU_ASSERT(c.slides[0] && !c.slides[1] && !c.slides[2] && c.slides[3]);
	CU_ASSERT_FATAL(load(&c, MISTRAL(",\"sliding_window\":7"), NULL, &e) == 0);
	CU_ASSERT(c.window == 7 && c.slides[0] && c.slides[3]);
	CU_ASSERT_FATAL(load(&c, MISTRAL(",\"sliding_window\":null"), NULL, &e) == 0);
	CU_ASSERT(c.window == 0 && !c.slides[0]);
	CU_ASSERT_FATAL(load(&c, MISTRAL(""), NULL, &e) == 0);
	CU_ASSERT(c.window == 4096);
	CU_ASSERT_FATAL(load(&c, SMOLLM3(""), NULL, &e) == 0);
	CU_ASSERT(!c.nope[0] && !c.nope[2] && c.nope[3] && c.rope[0].theta == 2000000);
	CU_ASSERT_FATAL(load(&c, SMOLLM3(",\"no_rope_layer_interval\":2"), NULL, &e) == 0);
	CU_ASSERT(!c.nope[0] && c.nope[1] && c.nope[3]);
	CU_ASSERT_FATAL(load(&c, SMOLLM3(",\"no_rope_layers\":[0,1,1,0]"), NULL, &e) == 0);
	CU_ASSERT(c.nope[0] && !c.nope[1] && c.nope[3]);
	CU_ASSERT_FATAL(load(&c, SMOLLM3(",\"sliding_window\":5,\"use_sliding_window\":true"), NULL, &e) == 0);
	CU_ASSERT(!c.slides[0] && !c.slides[2] && c.slides[3]);
	CU_ASSERT_FATAL(load(&c, OF("exaone4", ",\"intermediate_size\":32"), NULL, &e) == 0);
	CU_ASSERT(c.window == 4096 && c.slides[0] && !c.slides[3] && !c.nope[0] && c.nope[3]);
	CU_ASSERT_FATAL(load(&c, OF("exaone4", ",\"intermediate_size\":32,\"sliding_window\":null"), NULL, &e) == 0);
	CU_ASSERT(c.window == 0 && !c.slides[0] && !c.nope[0] && !c.nope[3]);
	CU_ASSERT_FATAL(load(&c, OF("cohere2", ",\"intermediate_size\":32,\"sliding_window\":null"), NULL, &e) == 0);
	CU_ASSERT(c.window == 0 && c.nope[0] && c.nope[3]);
}

/* What a family's class takes where the file is silent, and where it says null. */
static void test_silence(void)
{
	static struct config c;
	struct err e;

	CU_ASSERT_FATAL(load(&c, OF("gemma2", ",\"intermediate_size\":32"), NULL, &e) == 0);
	CU_ASSERT(c.score_cap == 50 && c.logit_cap == 30 && c.kv_heads == 4 && c.head_dim == 256 && c.window == 4096);
	CU_ASSERT_FATAL(load(&c, OF("gemma2", ",\"intermediate_size\":32,\"attn_logit_softcapping\":null,\"num_key_value_heads\":null,\"head_dim\":null"),
			     NULL, &e) == 0);
	CU_ASSERT(c.score_cap == 0 && c.logit_cap == 30 && c.kv_heads == 8 && c.head_dim == 8);
	CU_ASSERT_FATAL(load(&c, OF("cohere", ",\"intermediate_size\":32"), NULL, &e) == 0);
	CU_ASSERT(c.rope[0].theta == 500000 && c.tied && c.logit_scale == 0.0625 && c.kv_heads == 8);
	CU_ASSERT_FATAL(load(&c, OF("apertus", ",\"intermediate_size\":32"), NULL, &e) == 0);
	CU_ASSERT(c.rope[0].type == ROPE_LLAMA3 && c.rope[0].theta == 12000000 && c.rope[0].original_positions == 8192);
	CU_ASSERT_FATAL(load(&c, OF("glm4", ",\"intermediate_size\":32"), NULL, &e) == 0);
	CU_ASSERT(c.attention_bias && c.kv_heads == 2 && c.head_dim == 128 && c.rope[0].dims == 64);
	CU_ASSERT_FATAL(load(&c, OF("starcoder2", ",\"intermediate_size\":32"), NULL, &e) == 0);
	CU_ASSERT(c.kv_heads == 2 && c.attention_bias && c.window == 0 && c.tied);
	CU_ASSERT_FATAL(load(&c, OF("qwen3_next", ",\"intermediate_size\":32"), NULL, &e) == 0);
	CU_ASSERT(c.kv_heads == 2 && c.moe.normalise && c.moe.experts == 512 && c.moe.k == 10);
	CU_ASSERT_FATAL(load(&c, OF("qwen3_5_text", ",\"intermediate_size\":32"), NULL, &e) == 0);
	CU_ASSERT(c.kv_heads == 4 && c.head_dim == 256);
}

static const struct {
	const char *what, *config, *generation, *message;
} refused[] = {
	{ "no JSON", "{", NULL, "config.json" },
	{ "a list", "[]", NULL, "config.json: is no JSON object" },
	{ "an unknown architecture", "{\"architectures\":[\"LammaForCausalLM\"]}", NULL,
	  "architecture 'LammaForCausalLM' is not known, did you mean 'LlamaForCausalLM'? ('assay list families' names all" },
	{ "a wrapper's name, misspelt", "{\"architectures\":[\"LlavaForConditionalGeneratio\"],\"model_type\":\"llava\"}", NULL, "did you mean 'LlavaForConditionalGeneration'?" },
	{ "a wrapper of an unknown model type",
	  "{\"architectures\":[\"LlavaForConditionalGeneration\"],\"model_type\":\"llava\",\"text_config\":{\"model_type\":\"lama\"}}", NULL,
	  "model_type 'lama' is not known, did you mean 'llama'?" },
	{ "another", "{\"architectures\":[\"T5ForConditionalGeneration\"]}", NULL, "architecture 'T5ForConditionalGeneration' is not known" },
	{ "an unknown model type", "{\"model_type\":\"gpt_neoz\"}", NULL, "model_type 'gpt_neoz' is not known, did you mean 'gpt_neox'?" },
	{ "no architecture", "{}", NULL, "neither 'architectures' nor 'model_type'" },
	{ "architectures of numbers", "{\"architectures\":[1]}", NULL, "'architectures' is no list of strings" },
	{ "architectures as string", "{\"architectures\":\"LlamaForCausalLM\"}", NULL, "'architectures' is no list of strings" },
	{ "model_type as number", "{\"model_type\":1}", NULL, "'model_type' is of type int, wanted a string" },
	{ "a missing key", "{\"model_type\":\"llama\"}", NULL, "'vocab_size' is missing" },
	{ "no inner width", "{\"model_type\":\"llama\",\"vocab_size\":5,\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":1}", NULL,
	  "'intermediate_size' is missing" },
	{ "a string for a number", LLAMA(",\"rope_theta\":\"10000\""), NULL, "'rope_theta' is of type str, wanted a number" },
	{ "a fraction for an integer", LLAMA(",\"head_dim\":8.0"), NULL, "'head_dim' is of type float, wanted an integer" },
	{ "a number for a boolean", LLAMA(",\"attention_bias\":1"), NULL, "'attention_bias' is of type int, wanted true or false" },
	{ "a boolean for a number", LLAMA(",\"head_dim\":true"), NULL, "'head_dim' is of type bool, wanted an integer" },
	{ "too small", LLAMA(",\"head_dim\":-3"), NULL, "'head_dim' is -3, allowed is 1 to 1024" },
	{ "too large", LLAMA(",\"max_position_embeddings\":99999999999"), NULL, "'max_position_embeddings' is 99999999999, allowed is" },
	{ "too many layers", "{\"model_type\":\"llama\",\"vocab_size\":5,\"hidden_size\":8,\"num_hidden_layers\":2000}", NULL, "'num_hidden_layers' is 2000" },
	{ "heads that do not divide", LLAMA(",\"num_key_value_heads\":3"), NULL,
	  "'num_attention_heads' 8 is no multiple of 'num_key_value_heads' 3" },
	{ "a width that does not divide", "{\"model_type\":\"llama\",\"vocab_size\":5,\"hidden_size\":10,\"num_hidden_layers\":1,"
					  "\"num_attention_heads\":3,\"intermediate_size\":4}", NULL,
	  "'hidden_size' 10 is no multiple of 'num_attention_heads' 3" },
	{ "an odd head", LLAMA(",\"head_dim\":7"), NULL, "7 rotated channels of a head of 7" },
	{ "nothing rotated", LLAMA(",\"partial_rotary_factor\":0.1"), NULL, "0 rotated channels of a head of 8" },
	{ "an unknown activation", LLAMA(",\"hidden_act\":\"sillu\""), NULL, "'hidden_act': activation 'sillu' is not known, did you mean 'silu'? (known: silu, swish, gelu, " },
	{ "an activation of no kin", LLAMA(",\"hidden_act\":\"mish\""), NULL, "activation 'mish' is not known" },
	{ "activation as number", LLAMA(",\"hidden_act\":3"), NULL, "'hidden_act' is of type int, wanted a string" },
	{ "an unknown scaling", LLAMA(",\"rope_scaling\":{\"type\":\"ntk\",\"factor\":2}"), NULL,
	  "'rope_scaling.rope_type': 'ntk' is not known (known: default, mrope, linear, llama3, yarn, longrope, su, dynamic, proportional)" },
	{ "a scaling misspelt", LLAMA(",\"rope_scaling\":{\"rope_type\":\"lama3\"}"), NULL, "did you mean 'llama3'?" },
	{ "a scaling without factor", LLAMA(",\"rope_scaling\":{\"type\":\"linear\"}"), NULL, "'rope_scaling.factor' is missing, 'linear' needs it" },
	{ "llama3 without a bound", LLAMA(",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"original_max_position_embeddings\":64}"),
	  NULL, "'rope_scaling.high_freq_factor' is missing" },
	{ "llama3 without context", LLAMA(",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4}"),
	  NULL, "'rope_scaling.original_max_position_embeddings' is missing" },
	{ "llama3 with bounds swapped", LLAMA(",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":1,"
					      "\"original_max_position_embeddings\":64}"), NULL, "'rope_scaling.low_freq_factor' 4 is not below" },
	{ "a scaling that is a string", LLAMA(",\"rope_scaling\":\"linear\""), NULL, "'rope_scaling' is of type str, wanted an object" },
	{ "a factor of zero", LLAMA(",\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}"), NULL, "'rope_scaling.factor' is 0" },
	{ "tables by kind of layer", LLAMA(",\"rope_parameters\":{\"full_attention\":{\"rope_theta\":1}}"), NULL, "differs between kinds of layers ('full_attention')" },
#define QUANT(x) LLAMA(",\"quantization_config\":{" x "}")
	{ "weights of 4 bits by another way", QUANT("\"quant_method\":\"awq\",\"bits\":4"), NULL, "weights quantised by 'awq' are not known (known: fp8, " },
	{ "weights quantised somehow", QUANT(""), NULL, "weights quantised by '?' are not known" },
	{ "e5m2", QUANT("\"quant_method\":\"fp8\",\"fmt\":\"e5m2\""), NULL, "'quantization_config.fmt': 'e5m2' is not known" },
	{ "blocks of three sizes", QUANT("\"quant_method\":\"fp8\",\"weight_block_size\":[1,2,3]"), NULL, "'quantization_config.weight_block_size' is no list of two" },
	{ "blocks of nothing", QUANT("\"quant_method\":\"fp8\",\"weight_block_size\":[0,128]"), NULL, "sizes of blocks are 1 to" },
	{ "experts of 4 bits", QUANT("\"quant_method\":\"fp8\",\"expert_dtype\":\"fp4\""), NULL, "'quantization_config.expert_dtype': 'fp4' is not known" },
	{ "packed integers", QUANT("\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\""), NULL, "compressed as 'pack-quantized' are not known" },
	{ "compressed without groups", QUANT("\"quant_method\":\"compressed-tensors\",\"format\":\"float-quantized\""), NULL, "'quantization_config.config_groups' is missing" },
#define GROUP(w) QUANT("\"quant_method\":\"compressed-tensors\",\"format\":\"float-quantized\",\"config_groups\":{\"group_0\":{\"weights\":{" w "}}}")
	{ "a group of integers", GROUP("\"num_bits\":8,\"type\":\"int\""), NULL, "'quantization_config.config_groups.group_0': weights of 8 bits of type 'int'" },
	{ "a group with zero points", GROUP("\"num_bits\":8,\"type\":\"float\",\"symmetric\":false"), NULL, "weights that are not symmetric" },
	{ "a group by another strategy", GROUP("\"num_bits\":8,\"type\":\"float\",\"strategy\":\"group\""), NULL, "strategy 'group' is not known" },
	{ "quantised weights", LLAMA(",\"quantization_config\":{\"quant_method\":\"gptq\"}"), NULL, "weights quantised by 'gptq' are not known" },
	{ "layer types of the wrong length", QWEN2(",\"sliding_window\":8,\"use_sliding_window\":true,\"layer_types\":[\"full_attention\"]"), NULL,
	  "'layer_types' is no list with one entry for each of the 4 layers" },
	{ "an unknown layer type", QWEN2(",\"sliding_window\":8,\"use_sliding_window\":true,\"layer_types\":[\"full_attention\",\"a\",\"b\",\"c\"]"), NULL,
	  "'layer_types' holds something other than full_attention, sliding_attention for layer 1" },
	{ "a switch that is not known", "{\"model_type\":\"opt\",\"vocab_size\":5,\"hidden_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":1,"
					"\"ffn_dim\":4,\"max_position_embeddings\":9,\"layer_norm_elementwise_affine\":false}", NULL,
	  "'layer_norm_elementwise_affine': the family opt is known with the value true only" },
	{ "learned positions without their number", "{\"model_type\":\"opt\",\"vocab_size\":5,\"hidden_size\":8,\"num_hidden_layers\":1,"
						    "\"num_attention_heads\":1,\"ffn_dim\":4}", NULL, "'max_position_embeddings' is missing" },
	{ "an activation with parameters", LLAMA(",\"hidden_act\":\"xielu\""), NULL, "activation 'xielu' is not known in the family llama" },
	{ "experts with parameters", OF("mixtral", ",\"intermediate_size\":32,\"hidden_act\":\"xielu\""), NULL, "'xielu' is not known in the family mixtral" },
	{ "no experts where there must be", OF("mixtral", ",\"intermediate_size\":32,\"num_local_experts\":0"), NULL,
	  "layer 0 has no experts, which the family mixtral does not know" },
	{ "a dense layer where there is none", OF("mixtral", ",\"intermediate_size\":32,\"mlp_only_layers\":[2]"), NULL, "layer 2 has no experts" },
	{ "shared experts of no width", OF("mixtral", ",\"n_shared_experts\":2"), NULL, "'intermediate_size' are missing" },
	{ "too wide shared experts", OF("hunyuan_v1_moe", ",\"intermediate_size\":1048576,\"num_shared_expert\":4096"), NULL, "4096 shared experts of width 1048576" },
	{ "groups beside identities", OF("longcat_flash", ",\"num_layers\":2,\"ffn_hidden_size\":32,\"n_routed_experts\":8,\"moe_topk\":2,\"n_group\":2"), NULL,
	  "groups of experts ('n_group' 2) beside experts that give back their input" },
	{ "an inner width out of bounds", OF("lfm2", ",\"intermediate_size\":1000,\"block_ffn_dim_multiplier\":1000000"), NULL, "'block_ffn_dim_multiplier' 1e+06 makes" },
	{ "an inner width of nothing", OF("lfm2", ",\"intermediate_size\":1"), NULL, "'intermediate_size' is missing" },
	{ "kinds of layers without end", OF("gpt_neo", ",\"max_position_embeddings\":8,\"attention_types\":[[[],9223372036854775807]]"), NULL,
	  "'attention_types' names no kind" },
	{ "kinds of too many layers", OF("gpt_neo", ",\"max_position_embeddings\":8,\"attention_types\":[[[\"local\"],5]]"), NULL, "or more layers than there are" },
	{ "a kind of layer misspelt", OF("gpt_neo", ",\"max_position_embeddings\":8,\"attention_types\":[[[\"global\",\"locl\"],2]]"), NULL,
	  "'attention_types' holds something other than global and local for layer 1" },
	{ "kinds for fewer layers", OF("gpt_neo", ",\"max_position_embeddings\":8,\"attention_types\":[[[\"global\"],3]]"), NULL, "gives 3 of the 4 layers" },
	{ "a list for fewer layers", OF("gpt_neo", ",\"max_position_embeddings\":8,\"attention_layers\":[\"local\"]"), NULL,
	  "'attention_layers' is no list with one entry for each of the 4 layers" },
	{ "a switch that is a number", OF("phi", ",\"intermediate_size\":32,\"qk_layernorm\":1"), NULL, "'qk_layernorm' is of type int, wanted true or false" },
	{ "a switch that is a word", OF("gpt2", ",\"max_position_embeddings\":8,\"scale_attn_weights\":\"no\""), NULL, "'scale_attn_weights' is of type str" },
	{ "rotary embedding by a word", OF("smollm3", ",\"intermediate_size\":32,\"no_rope_layers\":[0,1,2,1]"), NULL,
	  "'no_rope_layers' holds something other than 0 and 1 for layer 2" },
	{ "a table that is a word", OF("gemma3_text", ",\"intermediate_size\":32,\"rope_parameters\":{\"full_attention\":{},\"sliding_attention\":\"x\"}"), NULL,
	  "'rope_parameters.sliding_attention' is of type str, wanted an object" },
	{ "a third kind of attention", OF("minimax", ",\"intermediate_size\":32,\"attn_type_list\":[0,1,2,1]"), NULL,
	  "'attn_type_list' holds something other than 0 and 1 for layer 2" },
	{ "layers that attend as a number", OF("lfm2", ",\"intermediate_size\":32,\"full_attn_idxs\":2"), NULL, "'full_attn_idxs' is of type int" },
	{ "positions by a number", OF("granitemoehybrid", ",\"intermediate_size\":32,\"position_embedding_type\":1"), NULL, "'position_embedding_type' is 'int'" },
	{ "attention ahead, said otherwise", OF("gemma4_text", ",\"intermediate_size\":32,\"use_bidirectional_attention\":true"), NULL,
	  "'use_bidirectional_attention' is 'bool'" },
	{ "a temperature of words", OF("llama4_text", ",\"intermediate_size\":32,\"attn_temperature_tuning\":\"on\""), NULL,
	  "'attn_temperature_tuning' is of type str" },
	{ "experts weighed by another norm", OF("dbrx", ",\"ffn_config\":{\"ffn_hidden_size\":32,\"moe_normalize_expert_weights\":2}"), NULL,
	  "'ffn_config.moe_normalize_expert_weights': the family dbrx is known with the value 1 only" },
	{ "longrope from one position", OF("phi3", ",\"intermediate_size\":32,\"max_position_embeddings\":64,\"original_max_position_embeddings\":1,"
				       "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1,1],\"long_factor\":[1,1,1,1]}"), NULL,
	  "'rope_scaling.original_max_position_embeddings' is 1" },
	{ "alpha of one pair", OF("hunyuan_v1_dense", ",\"intermediate_size\":32,\"head_dim\":2,\"rope_scaling\":{\"type\":\"dynamic\",\"alpha\":2}"), NULL,
	  "from 4 with 'alpha'" },
	{ "attention that looks ahead", OF("gemma3_text", ",\"intermediate_size\":32,\"use_bidirectional_attention\":true"), NULL,
	  "'use_bidirectional_attention': the family gemma3 is known with the value false only" },
	{ "an activation in a state", OF("qwen3_5_text", ",\"intermediate_size\":32,\"hidden_act\":\"gelu\""), NULL, "is known with silu only" },
	{ "a state that no device holds", OF("qwen3_5_text", ",\"intermediate_size\":32,\"linear_key_head_dim\":4096"), NULL, "'linear_key_head_dim' is 4096, allowed is 1 to 2048" },
	{ "multipliers that are infinite", OF("falcon_h1", ",\"intermediate_size\":32,\"mlp_multipliers\":[1,1e300]"), NULL, "'mlp_multipliers' holds 1e+300" },
	{ "letters for layers", OF("exaone4", ",\"intermediate_size\":32,\"sliding_window\":4,\"sliding_window_pattern\":\"LLLG\""), NULL,
	  "'sliding_window_pattern' is of type str" },
	{ "an id that is none", LLAMA(",\"bos_token_id\":\"<s>\""), NULL, "'bos_token_id' is no token id" },
	{ "a negative id", LLAMA(",\"eos_token_id\":-5"), NULL, "'eos_token_id' is no token id" },
	{ "a list with a string", LLAMA(",\"eos_token_id\":[1,\"x\"]"), NULL, "'eos_token_id' is no token id" },
	{ "too many ids", LLAMA(",\"eos_token_id\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]"), NULL, "'eos_token_id' lists 17 ids, at most 16" },
	{ "a broken generation_config", LLAMA(""), "{", "generation_config.json" },
	{ "a generation_config that is a list", LLAMA(""), "[]", "generation_config.json: is no JSON object" },
	{ "a bad id in generation_config", LLAMA(""), "{\"eos_token_id\":1.5}", "generation_config.json: 'eos_token_id' is no token id" },
};

static void test_refused(void)
{
	static struct config c;
	struct err e;

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		int rc = load(&c, refused[i].config, refused[i].generation, &e);
		CHECK(rc == -1, "%s: accepted", refused[i].what);
		CHECK(strstr(e.msg, refused[i].message) && strstr(e.msg, "config.json"), "%s: message is: %s", refused[i].what, e.msg);
	}
	put("config.json", NULL);
	CHECK(config_load(&c, dir, &e) == -1 && strstr(e.msg, "config.json"), "message is: %s", e.msg);
}

/* Random damage to a good file: read or refused with a sentence, never a crash (the sanitizers watch). */
static void test_damage(void)
{
	static const char *const good[] = {
		QWEN2(",\"sliding_window\":32,\"use_sliding_window\":true,\"layer_types\":[\"sliding_attention\",\"full_attention\",\"full_attention\","
		      "\"sliding_attention\"],\"eos_token_id\":[1,2],\"bos_token_id\":1,\"hidden_act\":\"silu\""),
		LLAMA(",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
		      "\"original_max_position_embeddings\":64},\"text_config\":{\"head_dim\":4}"),
		LLAMA(",\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":8,\"beta_fast\":32,\"truncate\":false},\"max_position_embeddings\":64"),
	};
	unsigned long long seed = test_seed();
	static struct config c;
	int opened = 0;

	for (int i = 0; i < 3000; i++) {
		char text[1000];
		struct err e;
		snprintf(text, sizeof text, "%s", good[i % 3]);
		size_t n = strlen(text);
		for (int j = 0; j <= (int)(test_rand(&seed) % 3); j++) {
			size_t at = test_rand(&seed) % n;
			text[at] = test_rand(&seed) % 2 ? "0123456789-.eE[]{},:\"ntf"[test_rand(&seed) % 24] : (char)(1 + test_rand(&seed) % 255);
		}
		if (load(&c, text, NULL, &e) == 0) {
			double freq[512];
			opened++;
			CHECK(c.layers >= 1 && c.layers <= CONFIG_MAX_LAYERS && c.heads % c.kv_heads == 0 && c.rope[0].dims <= c.head_dim, "accepted: %s", text);
			ropetable_frequencies(freq, &c.rope[0], c.rope[0].dims, false);
		} else {
			CHECK(e.msg[0] && e.code != E_NONE, "no message for: %s", text);
		}
	}
	printf("%d of 3000 still open ", opened);
}

/* The digest follows what the file says, not how it is laid out, and the stop ids. */
static void test_digest(void)
{
	static struct config a, b;
	struct err e;
	CU_ASSERT(load(&a, LLAMA(",\"rope_theta\":5000,\"eos_token_id\":2"), NULL, &e) == 0);
	CU_ASSERT(load(&b, LLAMA(" ,\n \"eos_token_id\" : 2, \"rope_theta\":5000"), NULL, &e) == 0);
	CU_ASSERT(!memcmp(a.digest, b.digest, DIGEST_BYTES));
	CU_ASSERT(load(&b, LLAMA(",\"rope_theta\":5001,\"eos_token_id\":2"), NULL, &e) == 0);
	CU_ASSERT(memcmp(a.digest, b.digest, DIGEST_BYTES) != 0);
	CU_ASSERT(load(&b, LLAMA(",\"rope_theta\":5000,\"eos_token_id\":2"), "{\"eos_token_id\":3}", &e) == 0);
	CU_ASSERT(memcmp(a.digest, b.digest, DIGEST_BYTES) != 0);
}

static void test_families(void)
{
	CU_ASSERT(family_match("a.{}.b", STR("a.12.b")) && !family_match("a.{}.b", STR("a..b")) && !family_match("a.{}.b", STR("a.1x.b")));
	CU_ASSERT(!family_match("a.{}.b", STR("a.1.bc")) && !family_match("a.{}.b", STR("a.1.")) && family_match("m.*", STR("m.x.y")));
	CU_ASSERT(!family_match("m.*", STR("n.x")) && family_match("", STR("")) && !family_match("a", STR("")));
	for (int i = 0; family_at(i); i++) {
		const struct family *f = family_at(i), *g = NULL;
		struct err e;
		CHECK(f->name && f->text && f->names && f->act, "row %d is not complete", i);
		CHECK(family_find(&g, f->architectures[0], NULL, &e) == 0 && g == f, "%s is not found by architecture", f->name);
		CHECK(!f->model_types[0] || (family_find(&g, NULL, f->model_types[0], &e) == 0 && g == f), "%s is not found by model_type", f->name);
		CHECK(family_role(f, R_EMBED) && (family_role(f, R_O) || family_role(f, R_REC_OUT)), "%s lacks a role", f->name);
		CHECK(!family_role(f, R_O) || family_role(f, R_QKV) || family_role(f, R_MLA_KV_B) || (family_role(f, R_Q) && family_role(f, R_K) && family_role(f, R_V)), "%s lacks q, k, v", f->name);
		CHECK(!f->gated || !family_role(f, R_DOWN) || family_role(f, R_GATE_UP) || (family_role(f, R_GATE) && family_role(f, R_UP)), "%s lacks gate, up", f->name);
	}
}

#include "tests/golden/ropetable.h"

static void test_ropetable(void)
{
	for (size_t i = 0; i < sizeof golden_rope / sizeof golden_rope[0]; i++) {
		const struct golden_rope *g = &golden_rope[i];
		double freq[128];
		float cos[128], sin[128];
		int half = g->dims / 2;
		ropetable_frequencies(freq, &g->config, g->dims, false);
		double scale = ropetable_scale(&g->config, false);
		CHECK(scale > g->scale * (1 - 1e-14) && scale < g->scale * (1 + 1e-14), "%s: scale %.17g, wanted %.17g", g->name, scale, g->scale);
		for (int k = 0; k < half; k++)
			CHECK(freq[k] >= g->freq[k] * (1 - 1e-14) && freq[k] <= g->freq[k] * (1 + 1e-14), "%s: frequency %d is %.17g, wanted %.17g",
			      g->name, k, freq[k], g->freq[k]);
		for (int p = 0; p < GOLDEN_ROPE_POSITIONS; p++) {
			ropetable_fill(cos, sin, freq, scale, g->dims, golden_rope_at[p], 1);
			for (int k = 0; k < half; k++)
				/* one unit in the last place of a float near 1.4, or an angle that is off by 1e-14 of itself */
				CHECK(cos[k] - g->cos[p][k] < 1.2e-7 && g->cos[p][k] - cos[k] < 1.2e-7 && sin[k] - g->sin[p][k] < 1.2e-7 &&
					      g->sin[p][k] - sin[k] < 1.2e-7, "%s: position %d, pair %d", g->name, golden_rope_at[p], k);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "defaults", test_defaults },
		{ "drawing", test_sampling },
		{ "weights of fewer bits", test_quant },
		{ "what is read", test_values },
		{ "kinds of layers", test_layers },
		{ "what a silent file means", test_silence },
		{ "what is refused", test_refused },
		{ "random damage", test_damage },
		{ "digest", test_digest },
		{ "the table of families", test_families },
		{ "rotary tables", test_ropetable },
		{ NULL, NULL },
	};
	dir = test_tmpdir();
	int rc = test_main("config", tests, argc, argv);
	test_rmdir(dir);
	return rc;
}
