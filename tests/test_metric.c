/* test_metric.c - metrics on made-up documents, aggregates and groups against numbers worked out by hand or in Python.
 *
 * Agreement with lm-evaluation-harness on real documents is test_scripted's; here are the edges: ties, lengths in code points
 * and bytes, gold answers of every shape, the options of exact_match one by one, what cannot be scored.
 */
#include "tests/test.h"

#include "harness/metric.h"
#include "harness/metric_int.h"
#include "harness/stats.h"

static struct arena a;
static const struct profile lmeval = { .name = "l", .lmeval = true }, native = { .name = "n" }, pooled = { .name = "p", .lmeval = true, .macro_se_pooled = true };

static bool close_to(double got, double want)
{
	double d = got > want ? got - want : want - got;
	return d <= 1e-14 * (want > 0 ? want : -want) || got == want;
}

static struct value list_of(struct value x, struct value y)
{
	struct value l = v_list(&a, 2);
	v_push(&a, l, x);
	v_push(&a, l, y);
	return l;
}

/* One metric on one document; NaN when it fails. */
static double score(const char *metric, enum suite_kind kind, struct item *it, const struct resp *resp, struct value *filtered, struct err *e)
{
	struct suite_metric m = { .name = str_of(metric) };
	struct suite s = { .name = STR("s"), .kind = kind };
	struct score out;
	if (metric_compile(&m, e) || metric_doc(&m, &s, it, resp, filtered, &a, &out, e))
		return STATS_NAN;
	metric_free(&m);
	return out.v;
}

static void test_choice(void)
{
	static struct str c[] = { { "yes", 3 }, { "no", 2 }, { "\xe4\xb8\xad\xe5\x9b\xbd", 6 }, { "", 0 } };
	const struct {
		const char *what;
		double ll[4];
		int n;
		struct value gold;
		double acc, norm, bytes;
	} t[] = {
		{ "plain", { -3, -1, -9 }, 3, v_int(1), 1, 1, 1 },          /* -1, -.5, -4.5 a character; the third -1.5 a byte */
		{ "first of equals", { -2, -2, -2 }, 3, v_int(0), 1, 1, 0 },
		{ "longer wins", { -1.2, -1, -9 }, 2, v_int(0), 0, 1, 1 },
		{ "code points, bytes", { -9, -2.5, -2.6 }, 3, v_int(2), 0, 0, 1 },
		{ "the choice itself", { -3, -1, -9 }, 3, v_str(STR("no")), 1, 1, 1 },
		{ "no such choice", { -3, -1, -9 }, 3, v_str(STR("maybe")), 0, 0, 0 },
		{ "beyond", { -3, -1, -9 }, 3, v_int(3), 0, 0, 0 },
		{ "negative", { -3, -1, -9 }, 3, v_int(-2), 0, 0, 0 },
		{ "true is 1", { -3, -1, -9 }, 3, v_bool(true), 1, 1, 1 },
		{ "any of", { -3, -1, -9 }, 3, list_of(v_int(0), v_int(1)), 1, 1, 1 },
		{ "any of, one beyond", { -3, -1, -9 }, 3, list_of(v_int(9), v_int(1)), 1, 1, 1 },
		{ "none", { -3, -1, -9 }, 3, VNONE, 0, 0, 0 },
		{ "empty choice", { -3, -1, -9, -20 }, 4, v_int(1), 1, 1, 1 },
		{ "infinities", { -__builtin_inf(), -__builtin_inf(), -5 }, 3, v_int(2), 1, 1, 1 },
		{ "a NaN is the largest, as in numpy", { -1, __builtin_nan(""), -5 }, 3, v_int(1), 1, 1, 1 },
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct resp r[4] = { { 0 } };
		struct item it = { .choice = c, .nchoices = t[i].n, .nreq = t[i].n, .gold = t[i].gold };
		struct err e = { 0 };
		for (int k = 0; k < 4; k++)
			r[k] = (struct resp){ .answered = true, .logprob = t[i].ll[k] };
		double acc = score("acc", KIND_CHOICE, &it, r, NULL, &e), norm = score("acc_norm", KIND_CHOICE, &it, r, NULL, &e),
		       bytes = score("acc_bytes", KIND_CHOICE, &it, r, NULL, &e);
		CHECK(acc == t[i].acc, "%s: acc %g %s", t[i].what, acc, e.msg);
		CHECK(norm == t[i].norm, "%s: acc_norm %g", t[i].what, norm);
		CHECK(bytes == t[i].bytes, "%s: acc_bytes %g", t[i].what, bytes);
	}
}

static void test_choice_more(void)
{
	static struct str c[] = { { "a", 1 }, { "b", 1 }, { "c", 1 } };
	struct resp r[] = { { .logprob = -1, .greedy = true }, { .logprob = -2 }, { .logprob = -3, .greedy = true } };
	struct item it = { .choice = c, .nchoices = 3, .nreq = 3, .gold = v_int(1), .target = v_int(0) };
	struct err e = { 0 };
	CU_ASSERT(score("acc", KIND_CHOICE, &it, r, NULL, &e) == 0); /* gold, not target */
	CU_ASSERT(score("exact_match", KIND_CHOICE, &it, r, NULL, &e) == 0);
	double brier = score("brier_score", KIND_CHOICE, &it, r, NULL, &e);
	CHECK(close_to(brier, 1.0210861157808093), "brier %.17g", brier);
	it.gold = list_of(v_int(1), v_int(2));
	CU_ASSERT(score("exact_match", KIND_CHOICE, &it, r, NULL, &e) == 1);
	it.gold = v_int(7);
	double bad = score("brier_score", KIND_CHOICE, &it, r, NULL, &e);
	CU_ASSERT(bad != bad && e.code == E_RANGE);
	it.gold = (struct value){ 0 };
	CU_ASSERT(score("acc", KIND_CHOICE, &it, r, NULL, &e) == 1); /* no gold of its own: the target */
	it.nreq = 2;
	bad = score("acc", KIND_CHOICE, &it, r, NULL, &e);
	CU_ASSERT(bad != bad && e.code == E_FORMAT);
	it.nreq = 3;
	bad = score("perplexity", KIND_CHOICE, &it, r, NULL, &e);
	CU_ASSERT(bad != bad && strstr(e.msg, "multiple_choice"));
	bad = score("acc_nrom", KIND_CHOICE, &it, r, NULL, &e);
	CHECK(bad != bad && strstr(e.msg, "did you mean 'acc_norm'"), "%s", e.msg);
}

static void test_loglik(void)
{
	struct resp r = { .logprob = -7.25, .greedy = true };
	struct request q = { .context = { .text = STR("two words\xc2\xa0here\x1cor five ") } };
	struct item it = { .req = &q, .nreq = 1 };
	struct suite_metric m = { .name = STR("word_perplexity") };
	struct suite s = { .kind = KIND_ROLLING };
	struct score out;
	struct err e = { 0 };
	CU_ASSERT(score("acc", KIND_LOGLIK, &it, &r, NULL, &e) == 1);
	CU_ASSERT(score("perplexity", KIND_LOGLIK, &it, &r, NULL, &e) == -7.25);
	CU_ASSERT(metric_doc(&m, &s, &it, &r, NULL, &a, &out, &e) == 0 && out.v == -7.25 && out.w == 6); /* re.split counts the empty end */
	m.name = STR("bits_per_byte");
	CU_ASSERT(metric_doc(&m, &s, &it, &r, NULL, &a, &out, &e) == 0 && out.v == -7.25 && out.w == 24);
	it.counted = STR("  ");
	CU_ASSERT(metric_doc(&m, &s, &it, &r, NULL, &a, &out, &e) == 0 && out.w == 2);
	m.name = STR("word_perplexity");
	CU_ASSERT(metric_doc(&m, &s, &it, &r, NULL, &a, &out, &e) == 0 && out.w == 2);
	CU_ASSERT_EQUAL(text_words((struct str){ "", 0 }), 1);
}

enum { CASE = 1, PUNCT = 2, DIGITS = 4 };

static void test_exact_match(void)
{
	static struct str comma[] = { { ",", 1 } }, gsm[] = { { ",", 1 }, { "\\$", 2 }, { "(?s).*#### ", 11 }, { "\\.$", 3 } };
	const struct {
		const char *what;
		struct value target, got;
		int options;
		struct str *ignore;
		int nignore;
		double want;
	} t[] = {
		{ "equal", v_str(STR("18")), v_str(STR("18")), 0, NULL, 0, 1 },
		{ "a blank counts", v_str(STR("18")), v_str(STR("18 ")), 0, NULL, 0, 0 },
		{ "case", v_str(STR("Yes")), v_str(STR("yES")), 0, NULL, 0, 0 },
		{ "case ignored", v_str(STR("Yes")), v_str(STR("yES")), CASE, NULL, 0, 1 },
		{ "case of all scripts", v_str(STR("ΑΣ")), v_str(STR("ας")), CASE, NULL, 0, 1 },
		{ "punctuation", v_str(STR("it's!")), v_str(STR("its")), PUNCT, NULL, 0, 1 },
		{ "the minus sign goes too", v_str(STR("45")), v_str(STR("-45.")), PUNCT, NULL, 0, 1 },
		{ "full-width punctuation stays", v_str(STR("18")), v_str(STR("18\xe3\x80\x82")), PUNCT, NULL, 0, 0 },
		{ "digits", v_str(STR("a1b22")), v_str(STR("ab")), DIGITS, NULL, 0, 1 },
		{ "full-width digits stay", v_str(STR("a")), v_str(STR("a\xef\xbc\x91")), DIGITS, NULL, 0, 0 },
		{ "patterns, on both sides", v_str(STR("x\n#### 1,234")), v_str(STR("$1234.")), 0, gsm, 4, 1 },
		{ "patterns in order", v_str(STR("1.")), v_str(STR("1.,")), 0, gsm, 4, 1 },
		{ "patterns before case", v_str(STR("A,b")), v_str(STR("aB")), CASE, comma, 1, 1 },
		{ "a number is its text", v_int(18), v_str(STR("18")), 0, NULL, 0, 1 },
		{ "a float is its text", v_float(1.5), v_str(STR("1.5")), 0, NULL, 0, 1 },
		{ "any of", list_of(v_str(STR("a")), v_str(STR("b"))), v_str(STR("b")), 0, NULL, 0, 1 },
		{ "none of", list_of(v_str(STR("a")), v_str(STR("b"))), v_str(STR("c")), 0, NULL, 0, 0 },
		{ "a mapped value", v_str(STR("1")), v_int(1), 0, NULL, 0, 1 },
		{ "nothing mapped", v_str(STR("1")), VNONE, 0, NULL, 0, 0 },
		{ "several answers: the share", v_str(STR("a")), list_of(v_str(STR("a")), v_str(STR("b"))), 0, NULL, 0, 0.5 },
		{ "several of several", list_of(v_str(STR("a")), v_str(STR("b"))), list_of(v_str(STR("x")), v_str(STR("b"))), 0, NULL, 0, 1 },
		{ "empty", v_str(STR("")), v_str(STR("")), 0, NULL, 0, 1 },
	};
	struct suite s = { .kind = KIND_GENERATE };
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct suite_metric m = { .name = STR("exact_match"), .ignore_case = t[i].options & CASE, .ignore_punctuation = t[i].options & PUNCT,
					  .ignore_numbers = t[i].options & DIGITS, .ignore = t[i].ignore, .nignore = t[i].nignore };
		struct item it = { .target = t[i].target, .nreq = 1 };
		struct value filtered = v_list(&a, 1);
		struct score out = { 0 };
		struct err e = { 0 };
		v_push(&a, filtered, t[i].got);
		int ok = metric_compile(&m, &e) == 0 && metric_doc(&m, &s, &it, NULL, &filtered, &a, &out, &e) == 0;
		CHECK(ok && out.v == t[i].want, "%s: %g %s", t[i].what, out.v, e.msg);
		metric_free(&m);
	}
	static struct str evil[] = { { "(a+)+$", 6 } }, broken[] = { { "ok", 2 }, { "(", 1 } };
	struct suite_metric m = { .name = STR("exact_match"), .ignore = evil, .nignore = 1 };
	struct item it = { .target = v_str(STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")), .nreq = 1 };
	struct value filtered = list_of(v_str(STR("x")), VNONE);
	struct score out;
	struct err e = { 0 };
	CU_ASSERT(metric_compile(&m, &e) == 0 && metric_doc(&m, &s, &it, NULL, &filtered, &a, &out, &e) == -1 && e.code == E_LIMIT);
	metric_free(&m);
	m = (struct suite_metric){ .name = STR("exact_match"), .ignore = broken, .nignore = 2 };
	CU_ASSERT(metric_compile(&m, &e) == -1 && strstr(e.msg, "metric exact_match") && m.ignore_regex == NULL);
}

static struct aggregate_result aggregate(const char *name, const struct score *x, size_t n, const struct profile *p)
{
	struct aggregate_result g;
	metric_aggregate(metric_find(str_of(name)), x, n, p, 1, &g);
	return g;
}

static void test_aggregate(void)
{
	static const struct score graded[] = { { 0.5, 1 }, { 0.25, 1 }, { 1, 1 } }, bits[] = { { 1, 1 }, { 0, 1 }, { 1, 1 }, { 1, 1 } },
				  pairs[] = { { -10, 3 }, { -20, 7 }, { -5, 1 } };
	double low, high, t2 = stats_t_quantile(0.975, 2);
	struct aggregate_result g = aggregate("acc", graded, 3, &lmeval);
	CHECK(close_to(g.value, 0.5833333333333334) && close_to(g.stderr_, 0.22047927592204922) && g.n == 3, "%.17g %.17g", g.value, g.stderr_);
	CHECK(close_to(g.ci_low, g.value - t2 * g.stderr_) && close_to(g.ci_high, g.value + t2 * g.stderr_), "%.17g", g.ci_low);
	g = aggregate("acc", bits, 4, &native);
	stats_wilson(0.75, 4, &low, &high);
	CU_ASSERT(g.value == 0.75 && g.stderr_ == 0.25 && g.ci_low == low && g.ci_high == high);
	g = aggregate("acc", bits, 1, &native);
	CU_ASSERT(g.value == 1 && g.stderr_ != g.stderr_ && g.ci_low == g.ci_low && g.ci_high == 1);
	g = aggregate("acc", bits, 0, &native);
	CU_ASSERT(g.value != g.value && g.stderr_ != g.stderr_ && g.ci_low != g.ci_low && g.n == 0);
	g = aggregate("word_perplexity", pairs, 3, &native);
	CHECK(close_to(g.value, 24.090514692959104) && close_to(g.stderr_, 7.901344318155043), "%.17g %.17g", g.value, g.stderr_);
	CU_ASSERT(g.ci_low < g.value && g.value < g.ci_high);
	g = aggregate("bits_per_byte", pairs, 3, &native);
	CHECK(close_to(g.value, 4.590393311919429) && close_to(g.stderr_, 0.4731833424667387), "%.17g %.17g", g.value, g.stderr_);
	CHECK(close_to(g.ci_high, g.value + t2 * g.stderr_), "%.17g", g.ci_high);
	g = aggregate("bits_per_byte", pairs, 3, &lmeval);
	CU_ASSERT(g.stderr_ != g.stderr_ && g.ci_low == g.ci_low);
	g = aggregate("brier_score", graded, 3, &lmeval);
	CU_ASSERT(g.stderr_ != g.stderr_);
	g = aggregate("brier_score", graded, 3, &native);
	CU_ASSERT(close_to(g.stderr_, 0.22047927592204922));
	g = aggregate("perplexity", pairs, 1, &lmeval);
	CU_ASSERT(g.value > 22026 && g.value < 22027 && g.stderr_ != g.stderr_ && g.ci_low != g.ci_low);
	g = aggregate("perplexity", pairs, 3, &lmeval);
	CU_ASSERT(g.ci_low < g.value && g.value < g.ci_high && g.ci_low > 0 && g.stderr_ > 0);
}

static void test_group(void)
{
	struct aggregate_result leaf[] = { { .value = 0.5, .stderr_ = 0.1, .n = 10 }, { .value = 0.25, .stderr_ = 0.2, .n = 30 }, { .value = 0.8, .stderr_ = 0.05, .n = 5 } }, g;
	metric_group(leaf, 3, true, &lmeval, &g);
	CHECK(close_to(g.value, 0.36666666666666664) && close_to(g.stderr_, 0.13753306480749972) && g.n == 45, "%.17g %.17g", g.value, g.stderr_);
	metric_group(leaf, 3, false, &lmeval, &g);
	CHECK(close_to(g.value, 0.5166666666666667) && close_to(g.stderr_, 0.07637626158259735), "%.17g %.17g", g.value, g.stderr_);
	metric_group(leaf, 3, false, &pooled, &g);
	CHECK(close_to(g.value, 0.5166666666666667) && close_to(g.stderr_, 0.13753306480749972), "%.17g %.17g", g.value, g.stderr_);
	leaf[1].stderr_ = STATS_NAN;
	metric_group(leaf, 3, true, &lmeval, &g);
	CU_ASSERT(g.value == g.value && g.stderr_ != g.stderr_ && g.ci_low != g.ci_low);
	leaf[0].n = leaf[1].n = leaf[2].n = 1;
	metric_group(leaf, 3, true, &lmeval, &g);
	CU_ASSERT(g.stderr_ != g.stderr_);
	metric_group(leaf, 0, true, &lmeval, &g);
	CU_ASSERT(g.value != g.value);
}

static void test_table(void)
{
	for (const struct metric_info *m = metric_table(); m->name; m++)
		CU_ASSERT(metric_find(str_of(m->name)) == m && m->text[0] && m->kinds);
	CU_ASSERT(metric_find(STR("bleurt")) == NULL);
	for (int k = 0; k <= KIND_GROUP; k++)
		for (const char *const *d = metric_defaults((enum suite_kind)k); *d; d++)
			CHECK(metric_find(str_of(*d)) && metric_find(str_of(*d))->kinds & 1u << k, "default %s of kind %d", *d, k);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "multiple choice", test_choice }, { "multiple choice, other metrics", test_choice_more }, { "log-likelihood", test_loglik },
					     { "exact_match", test_exact_match }, { "aggregates", test_aggregate }, { "groups", test_group }, { "table", test_table }, { NULL, NULL } };
	arena_init(&a);
	int r = test_main("metric", tests, argc, argv);
	arena_fini(&a);
	return r;
}
