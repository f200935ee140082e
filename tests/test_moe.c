/* test_moe.c - layers with experts: which layers have them, what of a configuration is refused, what of a file is; that a row's
 * bits do not depend on the others of the call, also where an expert's rows are more than go through it at once; that a failure in
 * the middle of a pass is the call's; random weights.
 *
 * Numbers against float64 are test_families.c's; routing by itself is test_route.c's.
 */
#include <string.h>

#include "tests/family_cases.h"

#include "runners/model_int.h"

#define SEQUENCES 5
#define LENGTH 300 /* SEQUENCES * LENGTH is more than an expert takes at once */

/* ---- config.json ---- */

#define BASE "\"vocab_size\":64,\"hidden_size\":32,\"num_hidden_layers\":6,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":8,\"intermediate_size\":16"
#define QWEN "\"model_type\":\"qwen3_moe\",\"num_experts\":8,\"num_experts_per_tok\":2,\"moe_intermediate_size\":12," BASE
#define MIXTRAL "\"model_type\":\"mixtral\"," BASE
#define ERNIE "\"model_type\":\"ernie4_5_moe\",\"moe_num_experts\":8,\"moe_k\":2,\"moe_intermediate_size\":12," BASE
#define GLM "\"model_type\":\"glm4_moe\",\"n_routed_experts\":8,\"num_experts_per_tok\":2,\"moe_intermediate_size\":12," BASE
#define LLAMA4 "\"model_type\":\"llama4_text\"," BASE
#define GEMMA "\"model_type\":\"gemma4_text\",\"num_experts\":8,\"moe_intermediate_size\":12,\"hidden_size_per_layer_input\":0," BASE
#define HUNYUAN "\"model_type\":\"hunyuan_v1_moe\",\"num_experts\":8," BASE

static const struct {
	const char *config, *layers; /* x: experts, b: beside a dense part */
	int k, inner, dense, shared;
} accepted[] = {
	{ "{" MIXTRAL "}", "xxxxxx", 2, 16, 16, 0 },
	{ "{" QWEN "}", "xxxxxx", 2, 12, 16, 0 },
	{ "{" QWEN ",\"decoder_sparse_step\":2}", ".x.x.x", 2, 12, 16, 0 },
	{ "{" QWEN ",\"mlp_only_layers\":[0,3]}", ".xx.xx", 2, 12, 16, 0 },
	{ "{" QWEN ",\"decoder_sparse_step\":3,\"mlp_only_layers\":[5]}", "..x...", 2, 12, 16, 0 },
	{ "{" ERNIE "}", ".xxxxx", 2, 12, 16, 24 },
	{ "{" ERNIE ",\"moe_layer_interval\":2,\"moe_layer_end_index\":4,\"moe_num_shared_experts\":0}", ".x.x..", 2, 12, 16, 0 },
	{ "{" GLM "}", ".xxxxx", 2, 12, 16, 12 },
	{ "{" GLM ",\"first_k_dense_replace\":3,\"n_shared_experts\":3}", "...xxx", 2, 12, 16, 36 },
	{ "{" GLM ",\"mlp_layer_types\":[\"sparse\",\"dense\",\"dense\",\"sparse\",\"dense\",\"dense\"]}", "x..x..", 2, 12, 16, 12 },
	{ "{" LLAMA4 "}", "xxxxxx", 1, 16, 16384, 16 },
	{ "{" LLAMA4 ",\"interleave_moe_layer_step\":2,\"intermediate_size_mlp\":40}", ".x.x.x", 1, 16, 40, 16 },
	{ "{" LLAMA4 ",\"moe_layers\":[1,2]}", ".xx...", 1, 16, 16384, 16 },
	{ "{" HUNYUAN ",\"moe_topk\":[3,3,3,3,3,3],\"moe_intermediate_size\":[12,12,12,12,12,12]}", "xxxxxx", 3, 12, 16, 16 },
	{ "{" GEMMA ",\"top_k_experts\":2,\"enable_moe_block\":true}", "bbbbbb", 2, 12, 16, 0 },
	{ "{" GEMMA ",\"enable_moe_block\":false}", "......", 0, 0, 16, 0 },
	{ "{" GEMMA "}", "......", 0, 0, 16, 0 },
};

static void test_read(void)
{
	static struct config c;
	struct err e = { 0 };
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		char layers[7] = "";
		test_put(dir, "config.json", accepted[i].config);
		CHECK(config_load(&c, dir, &e) == 0, "%s: %s", accepted[i].config, e.msg);
		for (int l = 0; l < 6; l++)
			layers[l] = c.ff[l] == FF_MOE ? 'x' : c.ff[l] == FF_BESIDE ? 'b' : '.';
		CHECK(!strcmp(layers, accepted[i].layers), "%s: layers %s", accepted[i].config, layers);
		CHECK(c.moe.k == accepted[i].k && c.moe.inner == accepted[i].inner && c.inner == accepted[i].dense && c.moe.shared == accepted[i].shared,
		      "%s: k %d, inner %d, dense %d, shared %d", accepted[i].config, c.moe.k, c.moe.inner, c.inner, c.moe.shared);
	}
}

static const struct refused refused[] = {
	{ "{" MIXTRAL ",\"num_local_experts\":2,\"num_experts_per_tok\":3}", "3 experts of 2 for a token cannot be" },
	{ "{\"model_type\":\"mixtral\",\"vocab_size\":64,\"hidden_size\":32,\"num_hidden_layers\":1,\"num_attention_heads\":8}",
	  "'moe_intermediate_size' and 'intermediate_size' are missing" },
	{ "{" MIXTRAL ",\"num_experts_per_tok\":0}", "0 experts of 8 for a token cannot be" },
	{ "{" MIXTRAL ",\"num_local_experts\":100000}", "'num_local_experts' is 100000, allowed is 0 to 1024" },
	{ "{" MIXTRAL ",\"num_local_experts\":\"8\"}", "'num_local_experts' is of type str" },
	{ "{" MIXTRAL ",\"shared_intermediate_size\":4}", "a shared expert" },
	{ "{" QWEN ",\"mlp_only_layers\":[6]}", "'mlp_only_layers' holds something that is none of the 6 layers" },
	{ "{" QWEN ",\"mlp_only_layers\":3}", "'mlp_only_layers' is of type int, wanted a list of layers" },
	{ "{" QWEN ",\"decoder_sparse_step\":0}", "'decoder_sparse_step' is 0" },
	{ "{" GLM ",\"n_group\":3,\"topk_group\":1}", "8 experts in 3 groups of which 1 are kept" },
	{ "{" GLM ",\"n_group\":2,\"topk_group\":3}", "8 experts in 2 groups of which 3 are kept" },
	{ "{" GLM ",\"n_group\":8,\"topk_group\":1}", "8 experts in 8 groups" },
	{ "{" GLM ",\"n_group\":4,\"topk_group\":1,\"num_experts_per_tok\":3}", "the groups kept hold 2" },
	{ "{" GLM ",\"mlp_layer_types\":[\"sparse\"]}", "one entry for each of the 6 layers" },
	{ "{" GLM ",\"mlp_layer_types\":[\"sparse\",\"dense\",\"dense\",\"sparse\",\"dense\",\"thin\"]}", "something other than dense and sparse for layer 5" },
	{ "{" GLM ",\"n_shared_experts\":4096,\"moe_intermediate_size\":1000000}", "4096 shared experts of width 1000000" },
	{ "{\"model_type\":\"hunyuan_v1_moe\",\"num_experts\":8,\"vocab_size\":64,\"hidden_size\":32,\"num_hidden_layers\":1,\"num_attention_heads\":4,"
	  "\"moe_intermediate_size\":1,\"intermediate_size\":1048576,\"num_shared_expert\":4096}", "4096 shared experts of width 1048576" },
	{ "{" HUNYUAN ",\"moe_topk\":[1,2,1,1,1,1]}", "'moe_topk' differs between layers" },
	{ "{" HUNYUAN ",\"moe_topk\":[]}", "'moe_topk' differs between layers" },
	{ "{\"model_type\":\"phimoe\"," BASE ",\"num_experts_per_tok\":1}", "known with 2 only" },
	{ "{\"model_type\":\"dbrx\"," BASE ",\"ffn_config\":{\"moe_normalize_expert_weights\":2}}", "known with the value 1 only" },
	{ "{" GEMMA ",\"enable_moe_block\":true}", "'top_k_experts' is missing, 'enable_moe_block' needs it" },
	{ "{" GEMMA ",\"enable_moe_block\":true,\"top_k_experts\":9}", "9 experts of 8 for a token cannot be" },
	{ "{" GEMMA ",\"enable_moe_block\":1,\"top_k_experts\":2}", "'enable_moe_block' is of type int, wanted true or false" },
	{ "{" LLAMA4 ",\"layer_types\":[\"chunked_attention\"]}", "one entry for each of the 6 layers" },
};

static void test_refused(void)
{
	check_refused(refused, sizeof refused / sizeof refused[0]);
}

/* Random damage: read, and then within bounds, or refused with a sentence. */
static void test_damage(void)
{
	enum { N = sizeof accepted / sizeof accepted[0] };
	unsigned long long seed = test_seed();
	static struct config c;
	int opened = 0;
	for (int i = 0; i < 6000; i++) {
		char text[1000];
		struct err e = { 0 };
		snprintf(text, sizeof text, "%s", accepted[i % N].config);
		size_t n = strlen(text);
		for (int j = 0; j <= (int)(test_rand(&seed) % 3); j++) {
			size_t at = test_rand(&seed) % n;
			text[at] = test_rand(&seed) % 4 ? "0123456789-.eE[]{},:\"ntf"[test_rand(&seed) % 24] : (char)(1 + test_rand(&seed) % 255);
		}
		test_put(dir, "config.json", text);
		if (config_load(&c, dir, &e) != 0) {
			CHECK(e.msg[0] && e.code != E_NONE, "no message for: %s", text);
			continue;
		}
		const struct moe_config *m = &c.moe;
		int all = m->experts + m->identity, sparse = 0;
		opened++;
		for (int l = 0; l < c.layers; l++)
			sparse += c.ff[l] == FF_MOE;
		CHECK(!sparse || (m->experts >= 1 && all <= ROUTE_EXPERTS && m->k >= 1 && m->k <= ROUTE_K && m->k <= all), "accepted: %s", text);
		CHECK(!sparse || (m->inner >= 1 && m->inner <= 1 << 20 && m->shared >= 0 && m->shared <= 1 << 20), "accepted: %s", text);
		CHECK(!sparse || m->groups <= 1 || all % m->groups == 0, "accepted: %s", text);
	}
	printf("%d of 6000 still open ", opened);
}

/* ---- whole models ---- */

/* What config.json says otherwise than the tensors. */
static const struct contrary contrary[] = {
	{ "qwen2-moe", "\"num_experts\": 12", "\"num_experts\": 13", "model.layers.0.mlp.gate.weight' has shape [12, 64]" },
	{ "qwen2-moe", "\"moe_intermediate_size\": 36", "\"moe_intermediate_size\": 40", "model.layers.0.mlp.experts.0.gate_proj.weight' has shape [36, 64]" },
	{ "qwen2-moe", "\"shared_expert_intermediate_size\": 84", "\"shared_expert_intermediate_size\": 85", "shared_expert.gate_proj.weight' has shape [84, 64]" },
	{ "granite-moe", "\"intermediate_size\": 44", "\"intermediate_size\": 45", "input_linear.weight' has shape [8, 88, 64]" },
	{ "dbrx", "\"ffn_hidden_size\": 60", "\"ffn_hidden_size\": 61", "ffn.experts.mlp.w1' has shape [480, 64]" },
	{ "gpt-oss-mxfp4", "\"intermediate_size\": 64", "\"intermediate_size\": 32", "gate_up_proj_bias' has shape [8, 128]" },
	{ "llama4-text", "\"interleave_moe_layer_step\": 2", "\"interleave_moe_layer_step\": 1", "layers.0.feed_forward.router.weight' is missing" },
	{ "gemma4-moe", "\"num_experts\": 9", "\"num_experts\": 8", "layers.0.router.proj.weight' has shape [9, 96]" },
	{ "gemma4-moe", "\"moe_intermediate_size\": 28", "\"moe_intermediate_size\": 30", "layers.0.experts.gate_up_proj' has shape [9, 56, 96]" },
	{ "minimax-m2", "\"num_local_experts\": 12", "\"num_local_experts\": 11", "block_sparse_moe.gate.weight' has shape [12, 64]" },
};

static void test_contrary(void)
{
	check_contrary(contrary, sizeof contrary / sizeof contrary[0]);
}

/* Without one tensor. */
static const struct {
	const char *model, *tensor;
	bool opens;
} missing[] = {
	{ "gemma4-moe", "model.language_model.layers.1.layer_scalar", false },
	{ "gemma4-moe", "model.language_model.layers.2.router.scale", false },
	{ "gemma4-moe", "model.language_model.layers.0.router.per_expert_scale", false },
	{ "gemma4-moe", "model.language_model.layers.0.post_feedforward_layernorm_1.weight", false },
	{ "glm4-moe", "model.layers.1.mlp.gate.e_score_correction_bias", false },
	{ "apertus", "model.layers.1.mlp.act_fn.alpha_n", false },
	{ "apertus", "model.layers.1.mlp.act_fn.beta", true },
};

static void test_missing(void)
{
	for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
		struct value g = golden(missing[i].model);
		struct list *t = v_getc(g, "tensors")->list;
		struct machine k;
		struct err e = { 0 };
		size_t at = 0;
		char message[200];
		while (at < t->n && !str_is(t->v[at].list->v[0].s, missing[i].tensor))
			at++;
		CHECK(at < t->n, "%s has no %s", missing[i].model, missing[i].tensor);
		if (at == t->n)
			continue;
		t->v[at] = t->v[--t->n];
		write_checkpoint(dir, g);
		snprintf(message, sizeof message, "model.safetensors: tensor '%s' is missing", missing[i].tensor);
		int rc = machine_open(&k, dir, 1, cpu_best(), 1, &e);
		CHECK(missing[i].opens ? rc == 0 : rc == -1 && strstr(e.msg, message), "%s without %s: message is: %s", missing[i].model, missing[i].tensor, e.msg);
		machine_close(&k);
	}
}

/* Layers behind the last one: those of a model cut short by its configuration. */
static void test_beyond(void)
{
	struct machine k;
	struct err e = { 0 };
	const struct value *tensors = v_getc(golden("glm4-moe"), "tensors");
	int behind = 0;
	for (size_t i = 0; i < tensors->list->n; i++)
		behind += str_starts(tensors->list->v[i].list->v[0].s, STR("model.layers.2."));
	write_changed("glm4-moe", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
	CHECK(machine_open(&k, dir, 1, cpu_best(), 1, &e) == 0, "%s", e.msg);
	CHECK(k.m && behind > 0 && model_info(k.m)->skipped == behind, "%d skipped, %d are there", k.m ? model_info(k.m)->skipped : -1, behind);
	machine_close(&k);
}

/* All sequences in one call, the rows of all interleaved. */
static void run_together(struct machine *k, const int32_t *ids, int n, struct lse *out)
{
	enum { ROWS = SEQUENCES * LENGTH };
	static int32_t id[ROWS], pos[ROWS], seq[ROWS], scored[ROWS], target[ROWS], table[SEQUENCES * PAGES];
	static unsigned char far[ROWS];
	struct err e = { 0 };
	for (int i = 0; i < SEQUENCES * PAGES; i++)
		table[i] = SEQUENCES * PAGES - 1 - i;
	for (int i = 0; i < SEQUENCES * n; i++) {
		seq[i] = i % SEQUENCES;
		pos[i] = i / SEQUENCES;
		id[i] = ids[pos[i]];
		scored[i] = i;
		target[i] = pos[i] + 1 < n ? ids[pos[i] + 1] : -1;
		far[i] = model_info(k->m)->rope_switch && n > model_info(k->m)->rope_switch;
	}
	struct eval v = { .n = SEQUENCES * n, .ids = id, .pos = pos, .seq = seq, .table = table, .sequences = SEQUENCES, .ld_table = PAGES,
			  .nscored = SEQUENCES * n, .scored = scored, .target = target, .out = out,
			  .far = model_info(k->m)->rope_switch ? far : NULL };
	CHECK(forward_eval(k->f, &k->cache, &v, &e) == 0, "%s", e.msg);
}

static void test_rows(void)
{
	static const char *const models[] = { "mixtral", "qwen2-moe", "gpt-oss-mxfp4", "llama4-text", "phi-moe" };
	static int32_t ids[LENGTH];
	static struct lse alone[LENGTH], together[SEQUENCES * LENGTH];
	for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
		for (int same = 0; same < 2; same++) { /* equal ids: all rows go to the same experts, and are more than these take at once */
			struct machine k;
			struct err e = { 0 };
			write_checkpoint(dir, golden(models[i]));
			int rc = machine_open(&k, dir, 2, cpu_best(), SEQUENCES, &e);
			CHECK(rc == 0, "%s: %s", models[i], e.msg);
			for (int j = 0; rc == 0 && j < LENGTH; j++)
				ids[j] = same ? 7 : (j * 37 + 11) % 300;
			if (rc == 0 && run(&k, ids, LENGTH, 61, alone, NULL) == 0) {
				run_together(&k, ids, LENGTH, together);
				int bad = 0;
				for (int j = 0; j < SEQUENCES * LENGTH; j++)
					bad += memcmp(&together[j], &alone[j / SEQUENCES], sizeof alone[0]) != 0;
				CHECK(bad == 0, "%s: %d rows of %d have other bits in a large call", models[i], bad, SEQUENCES * LENGTH);
			}
			machine_close(&k);
		}
}

/* A device that fails in the middle of a pass: the first failure is the call's, and the next call knows nothing of it. */
static int fail_at, stray;
static const struct ops *real;

static int failing_sync(struct device *dev, struct err *e)
{
	int rc = real->sync(dev, e);
	return fail_at && --fail_at == 0 ? err_set(e, E_DEVICE, "the device has had enough") : rc;
}

static void stray_route(struct device *dev, int32_t *ids, float *weights, struct mat logits, const struct router *r)
{
	real->route(dev, ids, weights, logits, r);
	if (stray)
		ids[logits.n * r->k - 1] = stray;
}

static void test_failures(void)
{
	static int32_t ids[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	static const struct { int fail, stray; const char *message; } cases[] = {
		{ 1, 0, "had enough" }, { 2, 0, "had enough" }, { 0, 8, "the router chose expert 8 of 8" }, { 0, -1, "expert -1" }, { 1, 100, "had enough" },
	};
	struct lse good[8], out[8];
	int32_t pos[8], seq[8] = { 0 }, target[8], table[PAGES] = { 0, 1, 2, 3, 4, 5, 6, 7 };
	struct machine k;
	struct err e = { 0 };

	write_checkpoint(dir, golden("mixtral"));
	int rc = machine_open(&k, dir, 1, cpu_best(), 1, &e);
	CHECK(rc == 0, "%s", e.msg);
	if (rc != 0)
		return;
	real = k.m->ops;
	struct ops bad = *real;
	bad.sync = failing_sync;
	bad.route = stray_route;
	for (int i = 0; i < 8; i++) {
		pos[i] = i;
		target[i] = -1;
	}
	struct eval v = { .n = 8, .ids = ids, .pos = pos, .seq = seq, .table = table, .sequences = 1, .ld_table = PAGES, .nscored = 8, .scored = pos,
			  .target = target, .out = good };
	CHECK(forward_eval(k.f, &k.cache, &v, &e) == 0, "%s", e.msg);
	k.m->ops = &bad;
	v.out = out;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		fail_at = cases[i].fail;
		stray = cases[i].stray;
		CHECK(forward_eval(k.f, &k.cache, &v, &e) == -1 && strstr(e.msg, cases[i].message), "case %zu: message is: %s", i, e.msg);
		fail_at = stray = 0;
		CHECK(forward_eval(k.f, &k.cache, &v, &e) == 0 && memcmp(good, out, sizeof good) == 0, "case %zu: the next call is not as before", i);
	}
	k.m->ops = real;
	machine_close(&k);
}

/* Random weights of the shape of each golden model. */
static void test_random(void)
{
	static const char *const models[] = { "mixtral", "qwen2-moe", "gpt-oss-mxfp4", "llama4-text", "dbrx", "glm4-moe" };
	static int32_t ids[64];
	for (int i = 0; i < 64; i++)
		ids[i] = i * 3;
	for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
		write_config(models[i]);
		check_random(models[i], ids, 64, 9);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "layers and widths", test_read },
		{ "configurations that are refused", test_refused },
		{ "random damage", test_damage },
		{ "tensors that contradict the configuration", test_contrary },
		{ "tensors that are missing", test_missing },
		{ "layers behind the last", test_beyond },
		{ "rows in large calls", test_rows },
		{ "a device that fails", test_failures },
		{ "random weights", test_random },
		{ NULL, NULL },
	};
	return cases_main("moe", tests, argc, argv);
}
