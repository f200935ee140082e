/* test_model.c - checkpoints through the whole forward pass.
 *
 *   accuracy    tiny models (tests/golden/models, made by make_models.py) against float64 logits: max |difference| / max |logit|
 *               at most 1e-5 (every family: test_families.c, and `make check-models`)
 *   invariance  the same bits whatever the batch, the order of sequences, the threads, the instruction set
 *   bits        SHA-256 over all log-probabilities of the two small trained models, committed
 *   refusals    what a checkpoint may get wrong, each with its sentence
 */
#include <math.h>
#include <unistd.h>

#include "kernels/base/arena.h"
#include "kernels/base/log.h"
#include "runners/model.h"
#include "runners/runner.h"
#include "runners/text/json.h"
#include "tests/machine.h"
#include "tests/test.h"

static double number(struct value v)
{
	return v.type == V_INT ? (double)v.i : v.f;
}

/* One case {ids, logits_at, logits, logprobs}; returns max |difference| / max |logit| and that of log-probs. */
static void compare(struct machine *k, struct value c, double *logit_err, double *logprob_err)
{
	const struct value *vids = v_getc(c, "ids"), *at = v_getc(c, "logits_at"), *want = v_getc(c, "logits"), *lp = v_getc(c, "logprobs");
	static int32_t ids[MAX_IDS];
	static struct lse out[MAX_IDS];
	int n = (int)vids->list->n, vocab = model_info(k->m)->vocab;
	double worst = 0, top = 0;

	if (n > MAX_IDS)
		return;
	for (int i = 0; i < n; i++)
		ids[i] = (int32_t)vids->list->v[i].i;
	float *logits = xcalloc((size_t)n * (size_t)vocab, sizeof *logits);
	if (run(k, ids, n, n, out, logits) == 0) {
		for (size_t i = 0; i < at->list->n; i++)
			for (int j = 0; j < vocab; j++) {
				double w = number(want->list->v[i].list->v[j]), g = logits[(size_t)at->list->v[i].i * (size_t)vocab + (size_t)j];
				worst = fabs(g - w) > worst || g != g ? fabs(g - w) : worst;
				top = fabs(w) > top ? fabs(w) : top;
			}
		*logit_err = worst / top > *logit_err || worst != worst ? worst / top : *logit_err;
		for (int i = 0; i + 1 < n; i++) {
			double d = fabs(lse_logprob(&out[i]) - number(lp->list->v[i]));
			*logprob_err = d > *logprob_err || d != d ? d : *logprob_err;
		}
	} else {
		*logit_err = NAN;
	}
	free(logits);
}

static const char *golden_dir(const char *name)
{
	static char path[4400];
	snprintf(path, sizeof path, "%s/tests/golden/models/%s", test_srcdir(), name);
	return path;
}

static const char *const golden[] = { "llama", "qwen2", "neox", "neox-sequential" };
#define NGOLDEN (int)(sizeof golden / sizeof golden[0])

static void test_golden(void)
{
	for (int i = 0; i < NGOLDEN; i++) {
		struct machine k;
		struct arena a;
		struct err e = { 0 };
		struct value v;
		char path[4500];
		double logit_err = 0, logprob_err = 0;

		arena_init(&a);
		snprintf(path, sizeof path, "%s/expected.json", golden_dir(golden[i]));
		CHECK(json_load(&a, path, 1 << 24, &v, &e) == 0, "%s", e.msg);
		if (machine_open(&k, golden_dir(golden[i]), 1, cpu_best(), 1, &e) == 0) {
			compare(&k, v, &logit_err, &logprob_err);
			printf("\n    %-16s max|dlogit|/max|logit| %.2g, max|dlogprob| %.2g ", golden[i], logit_err, logprob_err);
			CHECK(logit_err <= 1e-5, "%s: error %.3g", golden[i], logit_err);
			CHECK(logprob_err <= 1e-4, "%s: log-prob error %.3g", golden[i], logprob_err);
		} else {
			CHECK(0, "%s: %s", golden[i], e.msg);
		}
		machine_close(&k);
		arena_fini(&a);
	}
}

/* ---- invariance ---- */

static int random_ids(int32_t *ids, int n, int vocab, unsigned long long seed)
{
	for (int i = 0; i < n; i++)
		ids[i] = (int32_t)(test_rand(&seed) % (unsigned)vocab);
	return n;
}

static void same_bits(const struct lse *a, const struct lse *b, int n, const char *what, const char *model)
{
	for (int i = 0; i < n; i++)
		if (memcmp(&a[i], &b[i], sizeof a[i]) != 0) {
			CHECK(0, "%s: %s: row %d differs (%.9g %.9g)", model, what, i, lse_logprob(&a[i]), lse_logprob(&b[i]));
			return;
		}
	CU_ASSERT(1);
}

static void test_invariance(void)
{
	static const int steps[] = { 1, 7, 64, 65, 300 };
	static int32_t ids[MAX_IDS];
	static struct lse ref[MAX_IDS], out[MAX_IDS];
	const int n = 300;

	for (int g = 0; g < NGOLDEN; g++) {
		struct machine k;
		struct err e = { 0 };
		char what[100];
		for (int level = CPU_SCALAR; level < CPU_LEVELS; level++) {
			if (!cpu_has((enum cpu_level)level))
				continue;
			for (int threads = 1; threads <= 3; threads++) {
				if (machine_open(&k, golden_dir(golden[g]), threads, (enum cpu_level)level, 1, &e) != 0) {
					CHECK(0, "%s", e.msg);
					machine_close(&k);
					return;
				}
				random_ids(ids, n, model_info(k.m)->vocab, test_seed());
				if (level == CPU_SCALAR && threads == 1)
					run(&k, ids, n, n, ref, NULL);
				for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
					if (steps[s] == 1 && threads > 1)
						continue;
					snprintf(what, sizeof what, "%s, %d threads, %d rows a call", cpu_level_name((enum cpu_level)level), threads, steps[s]);
					memset(out, 0, sizeof out);
					run(&k, ids, n, steps[s], out, NULL);
					same_bits(ref, out, n, what, golden[g]);
				}
				machine_close(&k);
			}
		}
	}
}

/* Three sequences of different length in one call, rows interleaved at random, against each by itself. */
static void test_mixed(void)
{
	enum { S = 3 };
	static const int len[S] = { 130, 64, 201 };
	static int32_t ids[S][MAX_IDS];
	static struct lse ref[S][MAX_IDS], out[S * MAX_IDS];
	static int32_t rid[S * MAX_IDS], pos[S * MAX_IDS], seq[S * MAX_IDS], scored[S * MAX_IDS], target[S * MAX_IDS];

	for (int g = 0; g < NGOLDEN; g++) {
		struct machine k;
		struct err e = { 0 };
		unsigned long long seed = test_seed() + (unsigned)g;
		int32_t table[S * PAGES];
		int done[S] = { 0 };

		CHECK(machine_open(&k, golden_dir(golden[g]), 2, cpu_best(), S, &e) == 0, "%s", e.msg);
		if (!k.f)
			return;
		for (int s = 0; s < S; s++) {
			random_ids(ids[s], len[s], model_info(k.m)->vocab, seed + 7 * (unsigned)s);
			run(&k, ids[s], len[s], 50, ref[s], NULL);
		}
		for (int i = 0; i < S * PAGES; i++) /* pages interleaved between sequences */
			table[i] = (i % PAGES) * S + i / PAGES;
		while (done[0] < len[0] || done[1] < len[1] || done[2] < len[2]) {
			int n = 0, rows = 1 + (int)(test_rand(&seed) % 90);
			while (n < rows && (done[0] < len[0] || done[1] < len[1] || done[2] < len[2])) {
				int s = (int)(test_rand(&seed) % S);
				if (done[s] == len[s])
					continue;
				rid[n] = ids[s][done[s]];
				pos[n] = done[s];
				seq[n] = s;
				scored[n] = n;
				target[n] = done[s] + 1 < len[s] ? ids[s][done[s] + 1] : -1;
				done[s]++;
				n++;
			}
			for (int i = n - 1; i > 0; i--) { /* scored in another order than the rows */
				int j = (int)(test_rand(&seed) % (unsigned)(i + 1)), t = scored[i];
				scored[i] = scored[j];
				scored[j] = t;
			}
			int32_t want[S * MAX_IDS];
			for (int i = 0; i < n; i++)
				want[i] = target[scored[i]];
			struct eval v = { .n = n, .ids = rid, .pos = pos, .seq = seq, .table = table, .sequences = S, .ld_table = PAGES,
					  .nscored = n, .scored = scored, .target = want, .out = out };
			CHECK(forward_eval(k.f, &k.cache, &v, &e) == 0, "%s", e.msg);
			for (int i = 0; i < n; i++)
				same_bits(&ref[seq[scored[i]]][pos[scored[i]]], &out[i], 1, "mixed sequences", golden[g]);
		}
		machine_close(&k);
	}
}

/* Only what is asked for comes back, and nothing scored is no error. */
static void test_partial(void)
{
	static int32_t ids[MAX_IDS], pos[MAX_IDS], seq[MAX_IDS];
	static struct lse ref[MAX_IDS], out[4];
	int32_t table[PAGES] = { 0, 1, 2, 3, 4, 5, 6, 7 }, scored[4] = { 99, 3, 3, 50 }, target[4] = { -1, 5, -1, 0 };
	struct machine k;
	struct err e = { 0 };

	CU_ASSERT_FATAL(machine_open(&k, golden_dir("llama"), 1, cpu_best(), 1, &e) == 0);
	random_ids(ids, 100, 83, 5);
	for (int i = 0; i < 100; i++)
		pos[i] = i;
	run(&k, ids, 100, 100, ref, NULL);
	struct eval v = { .n = 100, .ids = ids, .pos = pos, .seq = seq, .table = table, .sequences = 1, .ld_table = PAGES };
	CU_ASSERT(forward_eval(k.f, &k.cache, &v, &e) == 0);
	v.nscored = 4;
	v.scored = scored;
	v.target = target;
	v.out = out;
	CU_ASSERT(forward_eval(k.f, &k.cache, &v, &e) == 0);
	CU_ASSERT(out[0].argmax == ref[99].argmax && out[0].m == ref[99].m && out[0].l == ref[99].l && out[0].z == 0);
	CU_ASSERT(out[1].l == ref[3].l && out[2].l == ref[3].l && out[3].l == ref[50].l && out[3].top == ref[50].top);
	v.n = v.nscored = 0;
	CU_ASSERT(forward_eval(k.f, &k.cache, &v, &e) == 0);
	CU_ASSERT(forward_bytes(k.m, 2 * MAX_IDS, 8) > forward_bytes(k.m, MAX_IDS, 8));
	machine_close(&k);
}

/* Indices out of bounds are refused before any work. */
static void test_bounds(void)
{
	static const struct {
		const char *what;
		int id, pos, seq, page, scored, target, n, nscored, ld_table, sequences;
		const char *message;
	} cases[] = {
		{ "an id beyond", 83, 0, 0, 0, 0, 0, 1, 1, PAGES, 1, "token id 83 is outside the vocabulary of 83" },
		{ "a negative id", -1, 0, 0, 0, 0, 0, 1, 1, PAGES, 1, "token id -1" },
		{ "a position beyond", 0, PAGES * 64, 0, 0, 0, 0, 1, 1, PAGES, 1, "position 512 is outside the 512 positions" },
		{ "a negative position", 0, -1, 0, 0, 0, 0, 1, 1, PAGES, 1, "position -1" },
		{ "a position behind the table", 0, 64, 0, 0, 0, 0, 1, 1, 1, 1, "position 64 lies behind the 1 pages of sequence 0" },
		{ "a sequence beyond", 0, 0, 1, 0, 0, 0, 1, 1, PAGES, 1, "row 0 belongs to sequence 1 of 1" },
		{ "a page beyond", 0, 0, 0, PAGES, 0, 0, 1, 1, PAGES, 1, "page 0 of sequence 0 is number 8 of 8" },
		{ "a negative page", 0, 0, 0, -1, 0, 0, 1, 1, PAGES, 1, "page 0 of sequence 0 is number -1" },
		{ "a scored row beyond", 0, 0, 0, 0, 1, 0, 1, 1, PAGES, 1, "scored row 1 is outside" },
		{ "a target beyond", 0, 0, 0, 0, 0, 83, 1, 1, PAGES, 1, "target id 83" },
		{ "a target below -1", 0, 0, 0, 0, 0, -2, 1, 1, PAGES, 1, "target id -2" },
		{ "too many rows", 0, 0, 0, 0, 0, 0, MAX_IDS + 1, 1, PAGES, 1, "513 rows with 1 scored, this pass was opened for 512 with 512" },
		{ "too many scored", 0, 0, 0, 0, 0, 0, 1, MAX_IDS + 1, PAGES, 1, "1 rows with 513 scored" },
		{ "too many sequences", 0, 0, 0, 0, 0, 0, 1, 1, PAGES, 2, "2 sequences of 8 pages" },
		{ "too many pages", 0, 0, 0, 0, 0, 0, 1, 1, PAGES + 1, 1, "1 sequences of 9 pages" },
	};
	struct machine k;
	struct err e = { 0 };
	struct cache none;
	struct forward *f;

	CU_ASSERT_FATAL(machine_open(&k, golden_dir("llama"), 1, cpu_best(), 1, &e) == 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		static int32_t ids[MAX_IDS + 1], pos[MAX_IDS + 1], seq[MAX_IDS + 1], scored[MAX_IDS + 1], target[MAX_IDS + 1], table[2 * PAGES + 2];
		static struct lse out[MAX_IDS + 1];
		ids[0] = cases[i].id;
		pos[0] = cases[i].pos;
		seq[0] = cases[i].seq;
		table[0] = cases[i].page;
		scored[0] = cases[i].scored;
		target[0] = cases[i].target;
		struct eval v = { .n = cases[i].n, .ids = ids, .pos = pos, .seq = seq, .table = table, .sequences = cases[i].sequences,
				  .ld_table = cases[i].ld_table, .nscored = cases[i].nscored, .scored = scored, .target = target, .out = out };
		CHECK(forward_eval(k.f, &k.cache, &v, &e) == -1 && strstr(e.msg, cases[i].message), "%s: message is: %s", cases[i].what, e.msg);
	}
	CU_ASSERT(cache_open(&none, k.m, 0, 1, &e) == -1 && forward_open(&f, k.m, 0, 1, 1, 1, &e) == -1 && !f);
	CU_ASSERT(forward_open(&f, k.m, 1, 1, 1, 1 << 26, &e) == -1 && !f);
	machine_close(&k);
}

/* ---- what a checkpoint may get wrong ---- */

static const char *tmp;

/* A one-layer llama: vocab 5, width 4, 2 heads of 2, inner 3; `edit` may drop, rename or reshape one tensor. */
struct edit {
	const char *what;
	const char *tensor;  /* that is changed */
	const char *name;    /* new name; "" drops it; NULL keeps it */
	int d0, d1;          /* new shape where d0 > 0 */
	const char *dtype;   /* new dtype */
	const char *more;    /* added to config.json */
	float value;         /* of its third element; 0: none */
	const char *message; /* NULL: it opens */
	int warnings, skipped;
};

static void write_model(const struct edit *x)
{
	static const struct {
		const char *name;
		int d0, d1;
	} tensors[] = {
		{ "model.embed_tokens.weight", 5, 4 },
		{ "model.layers.0.input_layernorm.weight", 4, 0 },
		{ "model.layers.0.mlp.down_proj.weight", 4, 3 },
		{ "model.layers.0.mlp.gate_proj.weight", 3, 4 },
		{ "model.layers.0.mlp.up_proj.weight", 3, 4 },
		{ "model.layers.0.post_attention_layernorm.weight", 4, 0 },
		{ "model.layers.0.self_attn.k_proj.weight", 4, 4 },
		{ "model.layers.0.self_attn.o_proj.weight", 4, 4 },
		{ "model.layers.0.self_attn.q_proj.weight", 4, 4 },
		{ "model.layers.0.self_attn.v_proj.weight", 4, 4 },
		{ "model.norm.weight", 4, 0 },
		{ "lm_head.weight", 5, 4 },
		{ "extra", 1, 0 },
	};
	struct buf head = { 0 }, data = { 0 }, all = { 0 }, config = { 0 };

	buf_putc(&head, '{');
	for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
		bool here = x->tensor && !strcmp(x->tensor, tensors[i].name);
		const char *name = here && x->name ? x->name : tensors[i].name, *dtype = here && x->dtype ? x->dtype : "F32";
		int d0 = here && x->d0 ? x->d0 : tensors[i].d0, d1 = here && x->d0 ? x->d1 : tensors[i].d1;
		size_t n = (size_t)d0 * (size_t)(d1 ? d1 : 1), from = data.n, size = !strcmp(dtype, "F64") ? 8 : !strcmp(dtype, "BF16") ? 2 : 4;
		if (!*name || (!strcmp(name, "extra") && !here))
			continue;
		for (size_t j = 0; j < n; j++) {
			float v = here && x->value != 0 && j == 2 ? x->value : (float)(0.1 * (double)((i * 7 + j * 3) % 11) - 0.5);
			char raw[8] = { 0 };
			memcpy(raw, (char *)&v + (size == 2 ? 2 : 0), size == 2 ? 2 : 4);
			buf_add(&data, raw, size);
		}
		buf_printf(&head, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%d", from ? "," : "", name, dtype, d0);
		if (d1)
			buf_printf(&head, ",%d", d1);
		buf_printf(&head, "],\"data_offsets\":[%zu,%zu]}", from, data.n);
	}
	buf_putc(&head, '}');
	for (int i = 0; i < 8; i++)
		buf_putc(&all, (char)(head.n >> (8 * i) & 255));
	buf_add(&all, head.p, head.n);
	buf_add(&all, data.p, data.n);
	test_write(tmp, "model.safetensors", all.p, all.n);
	buf_printf(&config, "{\"architectures\":[\"LlamaForCausalLM\"],\"vocab_size\":5,\"hidden_size\":4,\"num_hidden_layers\":1,\"num_attention_heads\":2,"
		   "\"intermediate_size\":3%s}", x->more ? x->more : "");
	test_write(tmp, "config.json", config.p, config.n);
	buf_fini(&config);
	buf_fini(&head);
	buf_fini(&data);
	buf_fini(&all);
}

#define Q "model.layers.0.self_attn.q_proj.weight"
#define NORMED ",\"architectures\":[\"BaichuanForCausalLM\"],\"max_position_embeddings\":64,\"z_loss_weight\":0"
static const struct edit edits[] = {
	{ "as it should be" },
	{ "no head: the embedding serves", "lm_head.weight", "" },
	{ "an inner width that differs", NULL, .more = ",\"intermediate_size\":4",
	  .message = "tensor 'model.layers.0.mlp.gate_proj.weight' has shape [3, 4], but" },
	{ "heads that differ", NULL, .more = ",\"num_key_value_heads\":1",
	  .message = "has shape [4, 4], but" },
	{ "the same, with what was wanted", NULL, .more = ",\"num_key_value_heads\":1",
	  .message = "config.json wants [2, 4] (num_key_value_heads x head_dim, hidden_size)" },
	{ "a vocabulary that differs", NULL, .more = ",\"vocab_size\":6", .message = "wants [6, 4] (vocab_size, hidden_size)" },
	{ "a layer too many", NULL, .more = ",\"num_hidden_layers\":2", .message = "tensor 'model.layers.1.input_layernorm.weight' is missing" },
	{ "a missing tensor", Q, "", .message = "tensor '" Q "' is missing" },
	{ "a missing embedding", "model.embed_tokens.weight", "", .message = "tensor 'model.embed_tokens.weight' is missing" },
	{ "a missing final norm", "model.norm.weight", "", .message = "tensor 'model.norm.weight' is missing" },
	{ "a matrix that is a vector", Q, NULL, 16, 0, .message = "has shape [16], but" },
	{ "a vector that is a matrix", "model.norm.weight", NULL, 2, 2, .message = "wants [4] (hidden_size)" },
	{ "a dtype that cannot be computed with", Q, .dtype = "F64", .message = "tensor '" Q "' has dtype 'F64', known are F32, F16, BF16 and F8_E4M3" },
	{ "a dtype that nobody knows", Q, .dtype = "Q4", .message = "tensor '" Q "' has dtype 'Q4'" },
	{ "one part of a joined layer in another dtype", Q, .dtype = "BF16" },
	{ "an unknown tensor", "extra", "model.layers.0.self_attn.rope.table", .warnings = 1 },
	{ "an unknown tensor of an unknown dtype", "extra", "who.knows", .dtype = "Q4", .warnings = 1 },
	{ "a known buffer", "extra", "model.layers.0.self_attn.rotary_emb.inv_freq", .skipped = 1 },
	{ "a bias that config.json denies", "extra", "model.layers.0.self_attn.q_proj.bias", 4, 0,
	  .message = "tensor 'model.layers.0.self_attn.q_proj.bias' is there, but" },
	{ "a bias that the family never has", "extra", "lm_head.bias", 5, 0, .message = "the family llama has no such bias" },
	{ "a bias that config.json promises", NULL, .more = ",\"attention_bias\":true", .message = "has 'attention_bias' true" },
	{ "an mlp bias that config.json promises", NULL, .more = ",\"mlp_bias\":true", .message = "has 'mlp_bias' true" },
	{ "tied, with a head that is the same", NULL, .more = ",\"tie_word_embeddings\":true" },
	{ "tied, with a head that differs", "lm_head.weight", .value = 3, .more = ",\"tie_word_embeddings\":true", .message = "'lm_head.weight' differs from the embedding" },
	{ "untied, without a head", "lm_head.weight", "", .more = ",\"tie_word_embeddings\":false", .message = "'tie_word_embeddings' false" },
	{ "a head of rows of length 1", "extra", "model.layers.0.self_attn.W_pack.weight", 12, 4, .more = NORMED, .warnings = 3 },
	{ "the same, tied", "extra", "model.layers.0.self_attn.W_pack.weight", 12, 4, .more = NORMED ",\"tie_word_embeddings\":true", .warnings = 3 },
	{ "a layer without experts in a family of them", NULL, .more = ",\"architectures\":[\"MixtralForCausalLM\"],\"num_key_value_heads\":2,\"mlp_only_layers\":[0]",
	  .message = "layer 0 has no experts, which the family mixtral does not know" },
	{ "NaN in a matrix", Q, .value = NAN, .message = "tensor '" Q "': value 2 is NaN" },
	{ "infinity in a matrix", Q, .value = INFINITY, .message = "tensor '" Q "': value 2 is infinite" },
	{ "infinity in bf16", Q, .dtype = "BF16", .value = -INFINITY, .message = "tensor '" Q "': value 2 is minus infinite" },
	{ "NaN in the embedding", "model.embed_tokens.weight", .value = NAN, .message = "tensor 'model.embed_tokens.weight': value 2 is NaN" },
	{ "NaN in a norm", "model.norm.weight", .value = NAN, .message = "tensor 'model.norm.weight': value 2 is NaN" },
};

static void test_refusals(void)
{
	struct device_opts o = { "cpu", 1, CPU_SCALAR };
	struct device *dev;
	struct err e = { 0 };

	tmp = test_tmpdir();
	CU_ASSERT_FATAL(device_open(&dev, &o, &e) == 0);
	log_set_level(LOG_QUIET);
	for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
		struct model *m = NULL;
		int warned = log_warnings();
		memset(&e, 0, sizeof e);
		write_model(&edits[i]);
		int rc = model_open(&m, tmp, dev, &e);
		if (edits[i].message) {
			CHECK(rc == -1 && !m && strstr(e.msg, edits[i].message), "%s: message is: %s", edits[i].what, e.msg);
		} else {
			CHECK(rc == 0, "%s: refused: %s", edits[i].what, e.msg);
			CHECK(log_warnings() - warned == edits[i].warnings, "%s: %d warnings", edits[i].what, log_warnings() - warned);
			CHECK(!m || model_info(m)->skipped == edits[i].skipped, "%s: %d skipped", edits[i].what, model_info(m)->skipped);
		}
		model_close(m);
	}
	log_set_level(LOG_NOTE);
	device_close(dev);
	test_rmdir(tmp);
}

/* What is planned from the headers is what is held, and planning reads no weights: NaN in them is found only later. */
static void test_plan(void)
{
	struct device_opts o = { "cpu", 1, CPU_SCALAR };
	struct device *dev;
	struct model *m;
	struct err e = { 0 };
	const struct edit nan = { "", Q, .value = NAN }, shape = { "", Q, NULL, 16, 0 };

	CU_ASSERT_FATAL(device_open(&dev, &o, &e) == 0);
	for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
		CU_ASSERT_FATAL(model_plan(&m, golden_dir(golden[i]), dev, &e) == 0);
		struct model_info plan = *model_info(m);
		size_t scratch = forward_bytes(m, 7, 3);
		CHECK(model_read(m, &e) == 0, "%s: %s", golden[i], e.msg);
		const struct model_info *is = model_info(m);
		CU_ASSERT(plan.packed_bytes == is->packed_bytes && plan.weights_bytes == is->weights_bytes && plan.kv_page_bytes == is->kv_page_bytes);
		CU_ASSERT(plan.params_total == is->params_total && plan.skipped == is->skipped && plan.table_bytes == is->table_bytes);
		CU_ASSERT(plan.state_bytes == is->state_bytes && plan.linear_bytes == is->linear_bytes && scratch == forward_bytes(m, 7, 3));
		model_close(m);
	}
	tmp = test_tmpdir();
	write_model(&nan);
	CU_ASSERT(model_plan(&m, tmp, dev, &e) == 0);
	CU_ASSERT(model_read(m, &e) == -1);
	model_close(m);
	write_model(&shape);
	CU_ASSERT(model_plan(&m, tmp, dev, &e) == -1 && !m);
	test_rmdir(tmp);
	device_close(dev);
}

/* With --strict what would be a warning is an error; known buffers never are. */
static void test_strict(void)
{
	const struct edit unknown = { "", "extra", "who.knows" }, buffer = { "", "extra", "model.layers.0.self_attn.rotary_emb.inv_freq" };
	struct runner_opts o = { .kind = "engine", .threads = 1, .max_level = CPU_SCALAR, .no_tokenizer = true };
	struct runner *r;
	struct err e = { 0 };

	o.model = tmp = test_tmpdir();
	log_set_level(LOG_QUIET);
	write_model(&unknown);
	CU_ASSERT_FATAL(runner_open(&r, &o, &e) == 0);
	CU_ASSERT(runner_info(r)->weights_unknown == 1 && runner_info(r)->weights_skipped == 0);
	runner_close(r);
	o.strict = true;
	CHECK(runner_open(&r, &o, &e) == -1 && strstr(e.msg, "tensor 'who.knows' is not known to the family llama (1 in all)"), "message is: %s", e.msg);
	write_model(&buffer);
	CU_ASSERT_FATAL(runner_open(&r, &o, &e) == 0);
	CU_ASSERT(runner_info(r)->weights_unknown == 0 && runner_info(r)->weights_skipped == 1);
	runner_close(r);
	log_set_level(LOG_NOTE);
	test_rmdir(tmp);
}

static void test_info(void)
{
	struct machine k, again;
	struct err e = { 0 };
	CU_ASSERT_FATAL(machine_open(&k, golden_dir("llama"), 1, cpu_best(), 1, &e) == 0);
	const struct model_info *i = model_info(k.m);
	CU_ASSERT(!strcmp(i->family, "llama") && i->vocab == 83 && i->layers == 2 && i->width == 40 && i->heads == 6 && i->kv_heads == 2);
	CU_ASSERT(i->head_dim == 8 && i->max_positions == 512 && i->neos == 1 && i->eos[0] == 2 && i->bos == 1 && i->skipped == 2);
	/* 2 embeddings, the last norm; a layer: q o, k v, three of the MLP, two norms */
	CU_ASSERT(i->params_total == 2 * 83 * 40 + 40 + 2 * (2 * 48 * 40 + 2 * 16 * 40 + 3 * 52 * 40 + 2 * 40));
	CU_ASSERT(i->params_active == i->params_total && i->kv_page_bytes == 2 * 2 * 2 * 8 * 64 * 4);
	CU_ASSERT(i->packed_bytes > 2 * (size_t)i->params_total && model_device(k.m) == k.dev);
	CU_ASSERT_FATAL(machine_open(&again, golden_dir("llama"), 2, CPU_SCALAR, 1, &e) == 0);
	CU_ASSERT(!memcmp(i->digest, model_info(again.m)->digest, DIGEST_BYTES));
	machine_close(&again);
	CU_ASSERT_FATAL(machine_open(&again, golden_dir("qwen2"), 1, CPU_SCALAR, 1, &e) == 0);
	CU_ASSERT(memcmp(i->digest, model_info(again.m)->digest, DIGEST_BYTES) != 0);
	CU_ASSERT(model_info(again.m)->skipped == 0 && !strcmp(model_info(again.m)->family, "qwen2"));
	machine_close(&again);
	machine_close(&k);
}

/* ---- the small trained models ---- */

static const char *trained_dir(const char *name)
{
	static char path[4400];
	snprintf(path, sizeof path, "%s/suites/models/%s/model.safetensors", test_srcdir(), name);
	if (access(path, R_OK) == 0) {
		path[strlen(path) - strlen("/model.safetensors")] = 0;
		return path;
	}
	const char *m = test_shared("material");
	if (!m)
		return NULL;
	snprintf(path, sizeof path, "%s/models/%s-hf", m, name);
	return access(path, R_OK) == 0 ? path : NULL;
}

/* SHA-256 of 250 log-probabilities (doubles, little-endian) of ids from a generator, then of 100 greedy ids. */
static void test_bits(void)
{
	static const struct {
		const char *name, *sha256;
	} models[] = {
#include "tests/golden/bits.h"
	};
	for (size_t g = 0; g < sizeof models / sizeof models[0]; g++) {
		static int32_t ids[MAX_IDS];
		static struct lse out[MAX_IDS];
		const char *dir = trained_dir(models[g].name);
		char hex[DIGEST_HEX];
		unsigned char sum[DIGEST_BYTES];
		if (!dir) {
			SKIP("%s is not here", models[g].name);
			continue;
		}
		for (int level = CPU_SCALAR; level < CPU_LEVELS; level++) {
			struct machine k;
			struct err e = { 0 };
			if (!cpu_has((enum cpu_level)level))
				continue;
			int rc = machine_open(&k, dir, 2, (enum cpu_level)level, 1, &e);
			CHECK(rc == 0, "%s", e.msg);
			if (rc != 0) {
				machine_close(&k);
				continue;
			}
			struct digest *d = digest_new();
			int n = random_ids(ids, 250, model_info(k.m)->vocab, 1);
			run(&k, ids, n, n, out, NULL);
			for (int i = 0; i + 1 < n; i++) {
				double lp = lse_logprob(&out[i]);
				uint64_t u;
				memcpy(&u, &lp, sizeof u);
				digest_u64(d, u);
			}
			ids[0] = model_info(k.m)->bos;
			for (int i = 0; i < 100; i++) {
				int32_t pos = i, seq = 0, scored = 0, target = -1, table[PAGES] = { 0, 1, 2, 3, 4, 5, 6, 7 };
				struct eval v = { .n = 1, .ids = &ids[i], .pos = &pos, .seq = &seq, .table = table, .sequences = 1, .ld_table = PAGES,
						  .nscored = 1, .scored = &scored, .target = &target, .out = &out[i] };
				CHECK(forward_eval(k.f, &k.cache, &v, &e) == 0, "%s", e.msg);
				ids[i + 1] = out[i].argmax;
				digest_u64(d, (uint64_t)out[i].argmax);
			}
			digest_end(d, sum);
			digest_hex(sum, hex);
			CHECK(!strcmp(hex, models[g].sha256), "%s, %s: %s", models[g].name, cpu_level_name((enum cpu_level)level), hex);
			machine_close(&k);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "logits of tiny models", test_golden },
		{ "bits: batches, threads, instruction sets", test_invariance },
		{ "bits: mixed sequences", test_mixed },
		{ "bits: trained models", test_bits },
		{ "scored rows", test_partial },
		{ "bounds", test_bounds },
		{ "checkpoints that are wrong", test_refusals },
		{ "what is planned is what is held", test_plan },
		{ "strict", test_strict },
		{ "what is known of a model", test_info },
		{ NULL, NULL },
	};
	return test_main("model", tests, argc, argv);
}
