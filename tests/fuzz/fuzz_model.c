/* fuzz_model.c - CONFIG.JSON 0xff MODEL.SAFETENSORS: the file alone, a model over both, and where the configuration is of a small
 * model, one with random weights that computes a few rows: what config.json may say must not reach a kernel as an illegal shape.
 *
 * Half of the changes are made to the text of the configuration as such: another number, another key, one key more.
 */
#include "runners/config.h"
#include "runners/model.h"
#include "runners/safetensors.h"
#include "tests/fuzz/fuzz.h"

#define FLOATS 3e6 /* of a model that is computed, about */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* ---- changes ---- */

static const char *const keys[] = {
	"vocab_size", "hidden_size", "num_hidden_layers", "num_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size",
	"max_position_embeddings", "rms_norm_eps", "rope_theta", "partial_rotary_factor", "rotary_dim", "attention_bias", "mlp_bias", "use_bias",
	"use_parallel_residual", "use_sliding_window", "sliding_window", "max_window_layers", "tie_word_embeddings", "hidden_act", "layer_types",
	"no_rope_layers", "no_rope_layer_interval", "sliding_window_pattern", "num_local_experts", "num_experts", "n_routed_experts",
	"num_experts_per_tok", "zero_expert_num", "moe_intermediate_size", "intermediate_size_mlp", "shared_expert_intermediate_size",
	"n_shared_experts", "norm_topk_prob", "routed_scaling_factor", "n_group", "topk_group", "first_k_dense_replace", "moe_layer_end_index",
	"decoder_sparse_step", "moe_layers", "mlp_only_layers", "mlp_layer_types", "linear_num_key_heads", "linear_num_value_heads",
	"linear_key_head_dim", "linear_value_head_dim", "linear_conv_kernel_dim", "full_attention_interval", "mamba_n_heads", "mamba_d_head",
	"mamba_d_state", "mamba_n_groups", "mamba_d_conv", "mamba_conv_bias", "mamba_proj_bias", "num_heads", "state_size", "n_groups",
	"conv_L_cache", "block_multiple_of", "block_ffn_dim_multiplier", "full_attn_idxs", "hybrid_override_pattern", "attention_types",
	"embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling", "logit_scale", "query_pre_attn_scalar",
	"attn_logit_softcapping", "final_logit_softcapping", "global_head_dim", "num_global_key_value_heads", "num_kv_shared_layers",
	"attention_k_eq_v", "use_double_wide_mlp", "hidden_size_per_layer_input", "attention_chunk_size", "attn_scale", "floor_scale",
	"use_qk_norm", "qk_layernorm", "clip_qkv", "word_embed_proj_dim", "do_layer_norm_before", "new_decoder_architecture", "multi_query",
	"parallel_attn", "alibi", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "rope_scaling",
	"rope_type", "factor", "original_max_position_embeddings", "alpha", "llama_4_scaling_beta", "kv_channels", "multi_query_group_num",
	"enable_moe_block", "top_k_experts",
};
static const char *const values[] = {
	"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "12", "16", "31", "64", "128", "1023", "1024", "4096", "65536", "1048576", "2147483647",
	"-1", "0.5", "1e9", "1e-9", "1e400", "null", "true", "false", "[]", "[0]", "[0, 1]", "{}", "\"xielu\"", "\"relu2\"", "\"gelu\"",
	"\"full_attention\"", "\"sliding_attention\"", "\"conv\"", "\"yarn\"", "\"linear\"", "\"dynamic\"", "9223372036854775807",
};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static unsigned next(unsigned *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Puts text in place of data[from..to). 0: it does not fit. */
static size_t put(uint8_t *data, size_t size, size_t max, size_t from, size_t to, const char *text)
{
	size_t n = strlen(text);
	if (size - (to - from) + n > max)
		return 0;
	memmove(data + from + n, data + to, size - to);
	memcpy(data + from, text, n);
	return size - (to - from) + n;
}

static int is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '+';
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	const uint8_t *mark = size ? memchr(data, 0xff, size) : NULL;
	size_t n = mark ? (size_t)(mark - data) : size, at, end;
	char text[128];

	if (n < 2 || next(&seed) % 2)
		return LLVMFuzzerMutate(data, size, max);
	at = next(&seed) % n;
	switch (next(&seed) % 3) {
	case 0: /* one key more, behind a brace or a comma */
		while (at < n && data[at] != '{' && data[at] != ',')
			at++;
		if (at == n)
			break;
		snprintf(text, sizeof text, "\"%s\": %s,", keys[next(&seed) % COUNT(keys)], values[next(&seed) % COUNT(values)]);
		return put(data, size, max, at + 1, at + 1, text);
	case 1: /* another value behind a colon */
		while (at < n && data[at] != ':')
			at++;
		for (at++; at < n && data[at] == ' '; at++)
			;
		for (end = at; end < n && is_word(data[end]); end++)
			;
		if (end == at || end >= n)
			break;
		return put(data, size, max, at, end, values[next(&seed) % COUNT(values)]);
	default: /* another value in a list, or in front of a comma */
		while (at < n && !(data[at] >= '0' && data[at] <= '9'))
			at++;
		for (end = at; end < n && is_word(data[end]); end++)
			;
		if (end == at)
			break;
		return put(data, size, max, at, end, values[next(&seed) % COUNT(values)]);
	}
	return LLVMFuzzerMutate(data, size, max);
}

/* ---- what is done with an input ---- */

/* About how many floats the model has. */
static double floats(const struct config *c)
{
	int d = c->full_head_dim > c->head_dim ? c->full_head_dim : c->head_dim;
	double rows = 4.0 * c->heads * d + 6.0 * c->inner + (c->moe.experts + 1.0) * 3 * c->moe.inner + 3.0 * c->moe.shared + 4.0 * c->layer_input;
	double state = (double)c->heads * d * d;
	rows += 4.0 * c->delta.value_heads * c->delta.value_dim + 2.0 * c->delta.key_heads * c->delta.key_dim;
	state += (double)c->delta.value_heads * c->delta.value_dim * c->delta.key_dim;
	rows += 4.0 * c->mamba.heads * c->mamba.dim + 2.0 * c->mamba.groups * c->mamba.state;
	state += (double)c->mamba.heads * c->mamba.dim * c->mamba.state;
	rows += 2.0 * c->mla.q_rank + c->mla.kv_rank + c->heads * (2.0 * c->mla.kv_rank + c->mla.nope + c->mla.rope + 2.0 * c->mla.value);
	if (c->position == POSITION_LEARNED)
		state += c->max_positions * (double)c->width;
	return c->vocab * ((double)c->width + c->embed_width + (double)c->layers * c->layer_input) * 2 +
	       c->layers * ((rows + 4.0 * c->width) * (c->width + 64.0) + state);
}

/* Three rows of one sequence and two of another, then one more of each; every index is legal. */
static void compute(struct model *m)
{
	enum { ROWS = 5, SCORED = 2, PAGES = 2 };
	const int32_t ids[ROWS] = { 0 }, seq[ROWS] = { 0, 0, 0, 1, 1 }, table[PAGES] = { 0, 1 }, scored[SCORED] = { 2, 4 }, target[SCORED] = { 0, -1 };
	const int32_t pos[ROWS] = { 0, 1, 2, 0, 1 }, from[ROWS] = { STATE_ZERO, STATE_CHAIN, STATE_CHAIN, STATE_ZERO, STATE_CHAIN };
	const int32_t to[ROWS] = { -1, -1, 0, -1, 1 };
	const unsigned char far[ROWS] = { 0, 0, 0, 1, 1 };
	struct lse out[SCORED];
	struct forward *f = NULL;
	struct cache c;
	struct err e = { 0 };

	if (cache_open(&c, m, PAGES, 2, &e) != 0)
		return;
	if (forward_open(&f, m, ROWS, SCORED, 2, 1, &e) == 0) {
		struct eval v = { .n = ROWS, .ids = ids, .pos = pos, .seq = seq, .from = from, .to = to, .far = far, .table = table, .sequences = 2,
				  .ld_table = 1, .nscored = SCORED, .scored = scored, .target = target, .out = out };
		if (forward_eval(f, &c, &v, &e) != 0 && !e.msg[0])
			abort();
		v.n = 1;
		v.pos = (const int32_t[]){ 3 };
		v.from = (const int32_t[]){ 0 };
		v.to = (const int32_t[]){ 0 };
		v.nscored = 1;
		v.scored = (const int32_t[]){ 0 };
		if (forward_eval(f, &c, &v, &e) != 0 && !e.msg[0])
			abort();
	}
	forward_close(f);
	cache_close(&c, m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct device *dev;
	static struct config config;
	struct safetensors *s = NULL;
	struct model *m = NULL;
	struct err e = { 0 };
	const uint8_t *c;
	char path[128];
	size_t n = fuzz_part(&data, &size, &c);
	if (!dev && device_open(&dev, &(struct device_opts){ .name = "cpu", .threads = 1, .max_level = CPU_AVX2 }, &e))
		abort();
	fuzz_put("config.json", c, n);
	fuzz_put("model.safetensors", data, size);
	snprintf(path, sizeof path, "%s/model.safetensors", fuzz_dir());
	if (safetensors_open_file(&s, path, &e) == 0) {
		unsigned sum = 0;
		for (size_t i = 0; i < safetensors_count(s); i++) {
			const struct tensor *t = safetensors_at(s, i);
			for (size_t b = 0; b < t->bytes; b++)
				sum += t->data[b];
			if (safetensors_find(s, t->name) != t)
				abort();
		}
		safetensors_close(s);
		if (sum == 1)
			return 0;
	} else if (s || !e.msg[0]) {
		abort();
	}
	if (config_load(&config, fuzz_dir(), &e) != 0)
		return 0;
	if (model_open(&m, fuzz_dir(), dev, &e) == 0)
		model_close(m);
	m = NULL;
	if (floats(&config) < FLOATS && model_random(&m, &config, DT_BF16, dev, &e) == 0) {
		compute(m);
		model_close(m);
	}
	return 0;
}
