/* test_mla.c - latent attention: what is read of a configuration and what refused, what of a file is; layers behind the last one;
 * sizes of what is kept and numbers of operations; rows taken in pieces; layers of two halves; random weights.
 *
 * Numbers against float64 are test_families.c's.
 */
#include <string.h>

#include "tests/family_cases.h"

/* ---- config.json ---- */

#define BASE "\"vocab_size\":64,\"hidden_size\":36,\"num_hidden_layers\":4,\"num_attention_heads\":5"
#define V2 "\"model_type\":\"deepseek_v2\",\"num_experts_per_tok\":2," BASE
#define V3 "\"model_type\":\"deepseek_v3\"," BASE
#define KIMI "\"model_type\":\"kimi_k2\"," BASE
#define LONGCAT "\"model_type\":\"longcat_flash\"," BASE
#define YARN(extra) ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":40,\"original_max_position_embeddings\":64" extra "}"

static const struct {
	const char *config;
	int q_rank, kv_rank, nope, rope, value, groups, layers;
	double scale; /* of scores, times (nope + rope)^1/2 */
} accepted[] = {
	{ "{" V2 "}", 1536, 512, 128, 64, 128, 1, 4, 1 },
	{ "{" V2 ",\"q_lora_rank\":null}", 0, 512, 128, 64, 128, 1, 4, 1 },
	{ "{" V2 ",\"q_lora_rank\":24,\"kv_lora_rank\":40,\"qk_nope_head_dim\":20,\"qk_rope_head_dim\":16,\"v_head_dim\":28}", 24, 40, 20, 16, 28, 1, 4, 1 },
	{ "{" V2 ",\"n_group\":8,\"topk_group\":3}", 1536, 512, 128, 64, 128, 1, 4, 1 }, /* greedy */
	{ "{" V2 ",\"n_group\":8,\"topk_group\":3,\"topk_method\":\"group_limited_greedy\"}", 1536, 512, 128, 64, 128, 8, 4, 1 },
	{ "{" V3 "}", 1536, 512, 128, 64, 128, 8, 4, 1 },
	{ "{" V3 ",\"head_dim\":64,\"num_key_value_heads\":5,\"n_group\":1,\"topk_group\":1}", 1536, 512, 128, 64, 128, 1, 4, 1 },
	{ "{" KIMI YARN("") "}", 1536, 512, 128, 64, 128, 8, 4, 1 },
	{ "{" KIMI YARN(",\"mscale\":1,\"mscale_all_dim\":0.5") "}", 1536, 512, 128, 64, 128, 8, 4, 1.40290752448 }, /* (1 + 0.05 ln 40)^2 */
	{ "{" LONGCAT ",\"num_layers\":3,\"q_lora_rank\":9}", 9, 512, 128, 64, 128, 1, 6, 2 },
	{ "{" LONGCAT ",\"num_layers\":3,\"mla_scale_q_lora\":false}", 1536, 512, 128, 64, 128, 1, 6, 1 },
	{ "{" LONGCAT ",\"mla_scale_q_lora\":false}", 1536, 512, 128, 64, 128, 1, 4, 1 },
};

static void test_read(void)
{
	static struct config c;
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
		struct err e = { 0 };
		test_put(dir, "config.json", accepted[i].config);
		CHECK(config_load(&c, dir, &e) == 0, "%s: %s", accepted[i].config, e.msg);
		CHECK(c.mla.q_rank == accepted[i].q_rank && c.mla.kv_rank == accepted[i].kv_rank && c.mla.nope == accepted[i].nope &&
		      c.mla.rope == accepted[i].rope && c.mla.value == accepted[i].value && c.rope[0].dims == c.mla.rope,
		      "%s: ranks %d and %d, widths %d, %d, %d", accepted[i].config, c.mla.q_rank, c.mla.kv_rank, c.mla.nope, c.mla.rope, c.mla.value);
		CHECK(c.moe.groups == accepted[i].groups && c.layers == accepted[i].layers, "%s: %d groups, %d layers", accepted[i].config, c.moe.groups,
		      c.layers);
		double scale = c.score_scale * sqrt(c.mla.nope + c.mla.rope);
		CHECK(fabs(scale - accepted[i].scale) < 1e-7, "%s: scale %.17g", accepted[i].config, scale);
	}
}

static const struct refused refused[] = {
	{ "{" V3 ",\"kv_lora_rank\":1000,\"qk_rope_head_dim\":26}", "a cached key of 1026 channels" },
	{ "{" V3 ",\"kv_lora_rank\":0}", "'kv_lora_rank' is 0" },
	{ "{" V3 ",\"q_lora_rank\":0}", "'q_lora_rank' is 0" },
	{ "{" V3 ",\"q_lora_rank\":\"none\"}", "'q_lora_rank' is of type str" },
	{ "{" V3 ",\"qk_rope_head_dim\":7}", "7 rotated channels" },
	{ "{" V3 ",\"v_head_dim\":2000}", "'v_head_dim' is 2000" },
	{ "{" V3 ",\"topk_method\":\"greedy\"}", "'topk_method': the family deepseek_v3 is known with 'noaux_tc' only" },
	{ "{" V3 ",\"scoring_func\":\"softmax\"}", "'scoring_func': the family deepseek_v3 is known with 'sigmoid' only" },
	{ "{" V3 ",\"partial_rotary_factor\":0.5}", "'partial_rotary_factor'" },
	{ "{" V2 ",\"topk_method\":\"noaux_tc\"}", "'greedy' and 'group_limited_greedy' only" },
	{ "{" V2 ",\"topk_method\":3}", "'topk_method'" },
	{ "{" V2 ",\"norm_topk_prob\":true}", "'norm_topk_prob'" },
	{ "{\"model_type\":\"deepseek_v2\"," BASE "}", "0 experts of 64 for a token" },
	{ "{" LONGCAT ",\"zero_expert_type\":\"copy\"}", "'zero_expert_type'" },
	{ "{" LONGCAT ",\"num_layers\":513}", "'num_layers' is 513, at most 512" },
	{ "{" LONGCAT ",\"num_hidden_layers\":3}", "'num_hidden_layers' is 3" },
	{ "{" LONGCAT ",\"n_routed_experts\":8,\"zero_expert_num\":4,\"moe_topk\":13}", "13 experts of 12" },
};

static void test_refused(void)
{
	check_refused(refused, sizeof refused / sizeof refused[0]);
}

/* ---- whole models ---- */

/* What config.json says otherwise than the tensors. */
static const struct contrary contrary[] = {
	{ "deepseek-v3", "\"kv_lora_rank\": 40", "\"kv_lora_rank\": 41", "self_attn.kv_a_proj_with_mqa.weight' has shape [56, 80]" },
	{ "deepseek-v3", "\"q_lora_rank\": 36", "\"q_lora_rank\": 35", "self_attn.q_a_proj.weight' has shape [36, 80]" },
	{ "deepseek-v3", "\"q_lora_rank\": 36", "\"q_lora_rank\": null", "layers.0.self_attn.q_proj.weight' is missing" },
	{ "deepseek-v3", "\"qk_nope_head_dim\": 20", "\"qk_nope_head_dim\": 21", "self_attn.q_b_proj.weight' has shape [144, 36]" },
	{ "deepseek-v3", "\"v_head_dim\": 24", "\"v_head_dim\": 25", "self_attn.kv_b_proj.weight' has shape [176, 40]" },
	{ "deepseek-v3", "\"attention_bias\": false", "\"attention_bias\": true", "self_attn.q_a_proj.bias' is missing" },
	{ "deepseek-v2-lite", "\"q_lora_rank\": null", "\"q_lora_rank\": 36", "layers.0.self_attn.q_a_proj.weight' is missing" },
	{ "longcat-flash", "\"zero_expert_num\": 4", "\"zero_expert_num\": 3", "mlp.router.classifier.weight' has shape [12, 64]" },
	{ "longcat-flash", "\"num_layers\": 2", "\"num_layers\": 3", "layers.2.input_layernorm.0.weight' is missing" },
};

static void test_contrary(void)
{
	check_contrary(contrary, sizeof contrary / sizeof contrary[0]);
}

/* Counted by hand from the shapes of deepseek-v3's tiny model: 3 layers, the first without experts; 4 of 16 experts for a row. */
static void test_sizes(void)
{
	const struct value *tensors = v_getc(golden("deepseek-v3"), "tensors");
	double params = 0, attention, dense, sparse;
	int behind = 0;
	struct machine k;
	struct err e = { 0 };

	for (size_t i = 0; i < tensors->list->n; i++) {
		const struct list *t = tensors->list->v[i].list;
		double n = 1;
		if (str_starts(t->v[0].s, STR("model.layers.3."))) {
			behind++;
			continue;
		}
		for (size_t j = 0; j < t->v[2].list->n; j++)
			n *= (double)t->v[2].list->v[j].i;
		params += n;
	}
	write_checkpoint(dir, golden("deepseek-v3"));
	CHECK(machine_open(&k, dir, 1, cpu_best(), 1, &e) == 0, "%s", e.msg);
	if (!k.m)
		return;
	const struct model_info *i = model_info(k.m);
	CHECK(behind > 0 && i->skipped == behind, "%d skipped, %d are there", i->skipped, behind);
	CHECK(i->params_total == params, "%.0f parameters, the tensors have %.0f", i->params_total, params);
	CHECK(i->kv_page_bytes == 3 * 64 * (40 + 16 + 40) * 4, "%zu bytes a page", i->kv_page_bytes);
	CHECK(i->key_flops == 3 * 2.0 * 4 * (56 + 40), "%.0f operations a key", i->key_flops);
	attention = 80 * (36 + 56) + 36 * 4 * 36 + 4 * (20 * 40 + 40 * 24) + 4 * 24 * 80;
	dense = 3 * 80 * 172;
	sparse = 16 * 80 + 3 * 80 * 44 + 4 * 3 * 80 * 44;
	CHECK(i->row_flops == 2 * (3 * attention + dense + 2 * sparse), "%.0f operations a row", i->row_flops);
	machine_close(&k);

	write_checkpoint(dir, golden("longcat-flash"));
	CHECK(machine_open(&k, dir, 1, cpu_best(), 1, &e) == 0, "%s", e.msg);
	CHECK(k.m && model_info(k.m)->layers == 4 && model_info(k.m)->kv_page_bytes == 4 * 64 * (56 + 40) * 4, "two halves a layer");
	machine_close(&k);
}

/* ---- random weights ---- */

static void test_random(void)
{
	static const char *const models[] = { "deepseek-v2-lite", "deepseek-v2", "deepseek-v3", "kimi-k2", "longcat-flash" };
	static int32_t ids[100];
	for (int i = 0; i < 100; i++)
		ids[i] = i * 3;
	for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
		write_config(models[i]);
		check_random(models[i], ids, 100, 7);
	}
}

/* So many heads that a call's rows are taken in pieces: 2^24 floats of queries are 66 rows. */
static void test_pieces(void)
{
	static int32_t ids[70];
	for (int i = 0; i < 70; i++)
		ids[i] = i * 5 % 64;
	test_put(dir, "config.json", "{\"model_type\":\"deepseek_v2\",\"vocab_size\":64,\"hidden_size\":16,\"num_hidden_layers\":1,\"num_attention_heads\":4096,"
		 "\"intermediate_size\":16,\"first_k_dense_replace\":1,\"num_experts_per_tok\":1,\"q_lora_rank\":null,\"kv_lora_rank\":60,"
		 "\"qk_nope_head_dim\":1,\"qk_rope_head_dim\":2,\"v_head_dim\":1}");
	check_random("4096 heads", ids, 70, 33);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "configurations", test_read },
		{ "configurations that are refused", test_refused },
		{ "tensors that contradict the configuration", test_contrary },
		{ "sizes and numbers of operations", test_sizes },
		{ "random weights", test_random },
		{ "rows in pieces", test_pieces },
		{ NULL, NULL },
	};
	return cases_main("mla", tests, argc, argv);
}
