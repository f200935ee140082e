/* test_families.c - every row of the table of families against transformers in float64, and against committed hashes.
 *
 * tests/golden/families/NAME.json holds, for a tiny model, config.json, each tensor as a function of a seed, and two cases:
 * token ids, the exact log-probabilities, one row of logits. tests/checkpoint.h makes the weights. The bound is NUMERICS.md's:
 * the larger of 1e-5 and twice PyTorch's own fp32 error, of max |logit|.
 *
 * tests/golden/families/hashes holds the SHA-256 of each case's log-probabilities, as `assay score` gives it. The long case
 * is hashed at every instruction set but scalar, the short one at all; threads and the rows of a call differ between them.
 *
 * A memory limit that the plan accepts holds a page and a state beside the scratch, whatever a model keeps.
 */
#include "kernels/base/log.h"
#include "runners/budget.h"
#include "runners/families.h"
#include "tests/families.h"
#include "tests/machine.h"

static void hash_of(const struct lse *out, int n, char hex[DIGEST_HEX])
{
	static double p[MAX_IDS];
	for (int i = 0; i + 1 < n; i++)
		p[i] = lse_logprob(&out[i]);
	hash_logprobs(hex, p, n - 1);
}

/* One case against the golden numbers. */
static void compare(struct machine *k, const char *name, double fp32, struct value one)
{
	static int32_t ids[MAX_IDS];
	static struct lse out[MAX_IDS];
	const struct value *want = v_getc(one, "logits"), *lp = v_getc(one, "logprobs");
	int n = read_ids(ids, MAX_IDS, one), vocab = model_info(k->m)->vocab, at = (int)v_getc(one, "logits_at")->i;
	double worst = 0, top = 0, logprob_err = 0, bound = 2 * fp32 > 1e-5 ? 2 * fp32 : 1e-5;
	bool sizes = n <= MAX_IDS && (int)want->list->n == vocab && at < n && (int)lp->list->n + 1 == n;

	CHECK(sizes, "%s: sizes", name);
	if (!sizes)
		return;
	float *logits = xcalloc((size_t)n * (size_t)vocab, sizeof *logits);
	CHECK(run(k, ids, n, 97, out, logits) == 0, "%s", name);
	for (int j = 0; j < vocab; j++) {
		double w = number(want->list->v[j]), d = fabs(logits[(size_t)at * (size_t)vocab + (size_t)j] - w);
		worst = d > worst || d != d ? d : worst;
		top = fabs(w) > top ? fabs(w) : top;
	}
	free(logits);
	for (int i = 0; i + 1 < n; i++) {
		double d = fabs(lse_logprob(&out[i]) - number(lp->list->v[i]));
		logprob_err = d > logprob_err || d != d ? d : logprob_err;
	}
	printf("\n    %-18s %-12s %3d ids: logits %.1e of max |logit|, log-probs %.1e, PyTorch fp32 %.1e ", name, model_info(k->m)->family, n,
	       worst / top, logprob_err / top, fp32);
	CHECK(worst / top <= bound, "%s: logits are off by %.3g of max |logit|", name, worst / top);
	CHECK(logprob_err / top <= bound, "%s: log-probs are off by %.3g of max |logit|", name, logprob_err / top);
}

/* The hash of each case at one level. */
static void compare_hashes(const char *dir, const char *name, struct value cases, char want[CASES][DIGEST_HEX], enum cpu_level level)
{
	static int32_t ids[MAX_IDS];
	static struct lse out[MAX_IDS];
	struct machine k;
	struct err e = { 0 };

	int rc = machine_open(&k, dir, level == cpu_best() ? 1 : 2, level, 1, &e);
	CHECK(rc == 0, "%s: %s", name, e.msg);
	for (int c = 0; rc == 0 && c < (level == CPU_SCALAR ? 1 : CASES); c++) {
		int n = read_ids(ids, MAX_IDS, cases.list->v[c]);
		char hex[DIGEST_HEX];
		if (n > MAX_IDS || run(&k, ids, n, level == CPU_SCALAR ? 31 : 300, out, NULL) != 0)
			continue;
		hash_of(out, n, hex);
		CHECK(!strcmp(hex, want[c]), "%s: %d ids at %s: hash %s", name, n, cpu_level_name(level), hex);
	}
	machine_close(&k);
}

static void check_limits(const struct model *m, const char *name)
{
	const struct model_info *mi = model_info(m);
	int accepted = 0, refused = 0;
	log_set_level(LOG_QUIET);
	for (size_t limit = 1 << 14; limit < 1 << 24; limit += limit / 16) {
		struct budget b;
		struct err e = { 0 };
		budget_make(&b, m, limit, 1, MAX_IDS);
		if (budget_check(&b, name, &e)) {
			refused++;
			CHECK(e.code == E_MEMORY && strstr(e.msg, "--memory"), "%s, %zu bytes: %s", name, limit, e.msg);
			continue;
		}
		int pages = budget_pages(&b), states = budget_states(&b);
		size_t held = forward_bytes(m, b.rows, b.scored) + (size_t)states * mi->state_bytes + (size_t)pages * mi->kv_page_bytes;
		accepted++;
		CHECK(pages >= 1 && b.pages_per_sequence >= 1 && (states >= 1) == (mi->state_bytes > 0) && held <= limit,
		      "%s, %zu bytes: %d pages, %d states, %zu held", name, limit, pages, states, held);
	}
	log_set_level(LOG_NOTE);
	CHECK(accepted > 0 && refused > 0, "%s: %d limits accepted, %d refused", name, accepted, refused);
}

static void test_one(const char *dir, const char *name, unsigned char *seen)
{
	struct arena a;
	struct err e = { 0 };
	struct value golden;
	struct machine k;
	char hash[CASES][DIGEST_HEX];
	bool hashed = find_hashes(hash, name);

	arena_init(&a);
	int rc = load_golden(&a, name, &golden);
	if (rc == 0) {
		struct value cases = *v_getc(golden, "cases");
		write_checkpoint(dir, golden);
		rc = machine_open(&k, dir, 1, cpu_best(), 1, &e);
		CHECK(rc == 0, "%s: %s", name, e.msg);
		CHECK(hashed, "%s has no line in families/hashes", name);
		for (int c = 0; rc == 0 && c < CASES; c++)
			compare(&k, name, number(*v_getc(golden, "fp32_err")), cases.list->v[c]);
		CHECK(rc != 0 || model_info(k.m)->unknown == 0, "%s: %d tensors are not known", name, model_info(k.m)->unknown);
		for (int f = 0; rc == 0 && family_at(f); f++)
			seen[f] |= !strcmp(family_at(f)->name, model_info(k.m)->family);
		if (rc == 0)
			check_limits(k.m, name);
		machine_close(&k);
		for (int level = CPU_SCALAR; rc == 0 && hashed && level < CPU_LEVELS; level++)
			if (cpu_has((enum cpu_level)level))
				compare_hashes(dir, name, cases, hash, (enum cpu_level)level);
	}
	arena_fini(&a);
}

static void test_all(void)
{
	char *name[256], *tmp = test_tmpdir();
	unsigned char *seen = xcalloc(1024, 1);

	int n = list_models(name);
	for (int i = 0; i < n; i++) {
		test_one(tmp, name[i], seen);
		free(name[i]);
	}
	for (int f = 0; family_at(f); f++)
		CHECK(seen[f], "the family %s has no golden vector", family_at(f)->name);
	free(seen);
	test_rmdir(tmp);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "logits and log-probs of every family", test_all },
		{ NULL, NULL },
	};
	return test_main("families", tests, argc, argv);
}
