/* test_shapes.c - shapes by name against the published config.json files they stand for, and the published numbers of parameters;
 * random weights: finite answers, the same at every opening, in every family's own arrangement of tensors. */
#include <math.h>

#include "kernels/base/arena.h"
#include "runners/model.h"
#include "runners/runner.h"
#include "runners/shapes.h"
#include "tests/test.h"

static const char *dir;

static const struct published {
	const char *name, *json;
	double params; /* of the model's card, the embedding counted once where it is tied */
	int qkv_bias;
} published[] = {
	{ "llama-1b",
	  "{\"architectures\":[\"LlamaForCausalLM\"],\"attention_bias\":false,\"head_dim\":64,\"hidden_act\":\"silu\",\"hidden_size\":2048,"
	  "\"intermediate_size\":8192,\"max_position_embeddings\":131072,\"mlp_bias\":false,\"model_type\":\"llama\",\"num_attention_heads\":32,"
	  "\"num_hidden_layers\":16,\"num_key_value_heads\":8,\"rms_norm_eps\":1e-05,\"rope_scaling\":{\"factor\":32.0,\"high_freq_factor\":4.0,"
	  "\"low_freq_factor\":1.0,\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"},\"rope_theta\":500000.0,"
	  "\"tie_word_embeddings\":true,\"vocab_size\":128256}",
	  1235814400, 0 },
	{ "llama-8b",
	  "{\"architectures\":[\"LlamaForCausalLM\"],\"attention_bias\":false,\"hidden_act\":\"silu\",\"hidden_size\":4096,"
	  "\"intermediate_size\":14336,\"max_position_embeddings\":131072,\"mlp_bias\":false,\"model_type\":\"llama\",\"num_attention_heads\":32,"
	  "\"num_hidden_layers\":32,\"num_key_value_heads\":8,\"rms_norm_eps\":1e-05,\"rope_scaling\":{\"factor\":8.0,\"low_freq_factor\":1.0,"
	  "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"},\"rope_theta\":500000.0,"
	  "\"tie_word_embeddings\":false,\"vocab_size\":128256}",
	  8030261248, 0 },
	{ "bench-qwen-350m",
	  "{\"architectures\":[\"Qwen2ForCausalLM\"],\"hidden_act\":\"silu\",\"hidden_size\":896,\"intermediate_size\":4864,"
	  "\"max_position_embeddings\":32768,\"max_window_layers\":21,\"model_type\":\"qwen2\",\"num_attention_heads\":14,"
	  "\"num_hidden_layers\":24,\"num_key_value_heads\":2,\"rms_norm_eps\":1e-06,\"rope_theta\":1000000.0,\"sliding_window\":32768,"
	  "\"tie_word_embeddings\":true,\"use_sliding_window\":false,\"vocab_size\":151936}",
	  494032768, 1 },
};

static void test_published(void)
{
	static struct config c, want;
	for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
		const struct published *p = &published[i];
		struct err e = { 0 };
		test_put(dir, "config.json", p->json);
		CHECK(config_load(&want, dir, &e) == 0, "%s", e.msg);
		CHECK(shape_config(&c, p->name, &e) == 0, "%s", e.msg);
#define SAME(field) CHECK(c.field == want.field, "%s: " #field " is %g, published %g", p->name, (double)c.field, (double)want.field)
		CHECK(c.family == want.family, "%s: family", p->name);
		SAME(vocab);
		SAME(width);
		SAME(layers);
		SAME(heads);
		SAME(kv_heads);
		SAME(head_dim);
		SAME(inner);
		SAME(max_positions);
		SAME(act);
		SAME(norm_eps);
		SAME(rope[0].dims);
		SAME(attention_bias);
		SAME(mlp_bias);
		SAME(parallel);
		SAME(tied);
		SAME(rope[0].type);
		SAME(rope[0].theta);
		SAME(rope[0].partial);
		SAME(rope[0].factor);
		if (want.rope[0].type == ROPE_LLAMA3) {
			SAME(rope[0].low_freq_factor);
			SAME(rope[0].high_freq_factor);
			SAME(rope[0].original_positions);
		}
#undef SAME
		CHECK(memcmp(c.slides, want.slides, sizeof c.slides) == 0 && memcmp(c.nope, want.nope, sizeof c.nope) == 0, "%s: layers", p->name);
		double d = c.head_dim, w = c.width, q = c.heads * d, kv = c.kv_heads * d;
		double layer = w * (2 * q + 2 * kv + 3.0 * c.inner + 2) + (p->qkv_bias ? q + 2 * kv : 0);
		double all = layer * c.layers + w + (double)c.vocab * w * (c.tied ? 1 : 2);
		CHECK(all == p->params, "%s: %.0f parameters, published %.0f", p->name, all, p->params);
	}
}

static void test_words(void)
{
	static struct config c;
	struct err e = { 0 };
	CHECK(shape_config(&c, "llama-8", &e) == -1 && e.code == E_USAGE && strstr(e.msg, "did you mean 'llama-8b'"), "%s", e.msg);
	CHECK(shape_config(&c, "", &e) == -1 && strstr(e.msg, "known: llama-1b, "), "%s", e.msg);
	int n = 0;
	for (const struct list_row *r = runner_shapes(); r->name; r++, n++)
		CHECK(shape_config(&c, r->name, &e) == 0 && c.heads % c.kv_heads == 0, "%s: %s", r->name, e.msg);
	CHECK(n >= 5, "%d shapes", n);
}

/* Log-probabilities of a few rows of a model with random weights. */
static void answers(struct lse *out, int n, const struct config *c, enum dtype dt, struct model_info *info)
{
	struct device_opts o = { .name = "cpu", .threads = 1, .max_level = cpu_best() };
	struct device *dev;
	struct model *m = NULL;
	struct forward *f = NULL;
	struct cache cache;
	struct err e = { 0 };
	int32_t ids[16], pos[16], seq[16] = { 0 }, rows[16], target[16], table[1] = { 0 };
	for (int i = 0; i < n; i++) {
		ids[i] = 3 * i + 1;
		pos[i] = rows[i] = i;
		target[i] = i;
	}
	CU_ASSERT_FATAL(device_open(&dev, &o, &e) == 0);
	CHECK(model_random(&m, c, dt, dev, &e) == 0, "%s", e.msg);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	*info = *model_info(m);
	CU_ASSERT_FATAL(cache_open(&cache, m, 1, 1, &e) == 0 && forward_open(&f, m, n, n, 1, 1, &e) == 0);
	struct eval v = { .n = n, .ids = ids, .pos = pos, .seq = seq, .table = table, .sequences = 1, .ld_table = 1, .nscored = n,
			  .scored = rows, .target = target, .out = out };
	CHECK(forward_eval(f, &cache, &v, &e) == 0, "%s", e.msg);
	forward_close(f);
	cache_close(&cache, m);
	model_close(m);
	device_close(dev);
}

/* Rows that are alike would be weights of zero; infinite ones would be out of all proportion. */
static void check_answers(const struct config *c, const char *name)
{
	struct model_info i, j;
	struct lse a[12], b[12];
	answers(a, 12, c, DT_BF16, &i);
	answers(b, 12, c, DT_BF16, &j);
	CHECK(memcmp(a, b, sizeof a) == 0, "%s: other answers at the second opening", name);
	for (int r = 0; r < 12; r++)
		CHECK(isfinite(lse_logprob(&a[r])) && lse_logprob(&a[r]) < 0, "%s: row %d: %g", name, r, lse_logprob(&a[r]));
	CHECK(lse_logprob(&a[0]) != lse_logprob(&a[1]), "%s: all rows alike", name);
	CHECK(i.layers == c->layers && i.row_flops > 0 && i.head_flops == 2.0 * c->vocab * c->width && i.linear_bytes <= i.packed_bytes,
	      "%s: what a row costs", name);
}

static void test_random(void)
{
	static const char *const models[] = { "llama", "qwen2", "neox", "neox-sequential" };
	static struct config c;
	struct err e = { 0 };
	CU_ASSERT_FATAL(shape_config(&c, "bench-tiny", &e) == 0);
	check_answers(&c, "bench-tiny");
	for (int i = 0; i < 4; i++) {
		char path[4400];
		snprintf(path, sizeof path, "%s/tests/golden/models/%s", test_srcdir(), models[i]);
		CHECK(config_load(&c, path, &e) == 0, "%s", e.msg);
		check_answers(&c, models[i]);
	}
	test_put(dir, "config.json", "{\"architectures\":[\"GPT2LMHeadModel\"],\"vocab_size\":397,\"activation_function\":\"gelu_new\",\"n_embd\":96,\"n_head\":4,"
		   "\"n_layer\":3,\"n_positions\":320,\"layer_norm_epsilon\":1e-05}");
	CHECK(config_load(&c, dir, &e) == 0, "%s", e.msg); /* learned positions, [in, out], biases everywhere */
	check_answers(&c, "gpt2");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "published configurations", test_published },
		{ "names", test_words },
		{ "random weights", test_random },
		{ NULL, NULL },
	};
	dir = test_tmpdir();
	int rc = test_main("shapes", tests, argc, argv);
	test_rmdir(dir);
	return rc;
}
