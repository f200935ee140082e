/* test_regex.c - regular expressions against vectors made by Python's own re (tests/golden/make_regex.py), limits, bad text. */
#include "tests/test.h"

#include <time.h>

#include "harness/filter.h"
#include "runners/text/json.h"

static struct arena all, tmp;
static struct value texts;
static struct value lines;

/* A tuple of groups is a list in JSON. */
static bool same(struct value got, struct value want)
{
	bool lists = (got.type == V_LIST || got.type == V_TUPLE) && want.type == V_LIST;
	if (!lists)
		return v_equal(got, want);
	if (got.list->n != want.list->n)
		return false;
	for (size_t i = 0; i < got.list->n; i++)
		if (!same(got.list->v[i], want.list->v[i]))
			return false;
	return true;
}

static void load(void)
{
	char path[4200], line[1 << 16];
	struct err e;
	struct value v;
	if (lines.type == V_LIST)
		return;
	arena_init(&all);
	arena_init(&tmp);
	lines = v_list(&all, 400);
	snprintf(path, sizeof path, "%s/tests/golden/regex.jsonl", test_srcdir());
	FILE *f = fopen(path, "r");
	if (!f) {
		CU_FAIL_FATAL("tests/golden/regex.jsonl is missing");
		return;
	}
	while (fgets(line, sizeof line, f)) {
		if (json_parse(&all, str_of(line), "regex.jsonl", &v, &e)) {
			CHECK(0, "%s", e.msg);
			break;
		}
		if (v_getc(v, "texts"))
			texts = *v_getc(v, "texts");
		else
			v_push(&all, lines, v);
	}
	fclose(f);
}

/* Calls fn for every line that has `field`. */
static int each(const char *field, void (*fn)(struct value line, struct str pattern))
{
	int n = 0;
	load();
	for (size_t i = 0; i < lines.list->n; i++)
		if (v_getc(lines.list->v[i], field)) {
			fn(lines.list->v[i], v_getc(lines.list->v[i], "pattern")->s);
			arena_reset(&tmp);
			n++;
		}
	CU_ASSERT(n > 0);
	return n;
}

static struct regex *compiled(struct str pattern)
{
	struct regex *r = NULL;
	struct err e;
	CHECK(regex_compile(&r, pattern, false, &e) == 0, "pattern %s: %s", pattern.p, e.msg);
	return r;
}

static void find_line(struct value line, struct str pattern)
{
	struct regex *r = compiled(pattern);
	struct value got;
	struct err e = { 0 };
	const struct value *want = v_getc(line, "find");
	for (size_t i = 0; r && i < texts.list->n; i++) {
		int ok = regex_findall(r, &tmp, texts.list->v[i].s, &got, &e) == 0;
		CHECK(ok && same(got, want->list->v[i]), "findall %s in text %zu: %s, wanted %s", pattern.p, i, ok ? v_repr(&tmp, got).p : e.msg,
		      v_repr(&tmp, want->list->v[i]).p);
	}
	regex_free(r);
}

static void split_line(struct value line, struct str pattern)
{
	struct regex *r = compiled(pattern);
	struct value got;
	struct err e = { 0 };
	const struct value *want = v_getc(line, "split");
	for (size_t i = 0; r && i < texts.list->n; i++) {
		int ok = regex_split(r, &tmp, texts.list->v[i].s, &got, &e) == 0;
		CHECK(ok && same(got, want->list->v[i]), "split %s of text %zu: %s, wanted %s", pattern.p, i, ok ? v_repr(&tmp, got).p : e.msg,
		      v_repr(&tmp, want->list->v[i]).p);
	}
	regex_free(r);
}

static void sub_line(struct value line, struct str pattern)
{
	struct regex *r = compiled(pattern);
	struct str got = { "", 0 };
	struct err e = { 0 };
	const struct value *want = v_getc(line, "result");
	for (size_t i = 0; r && i < texts.list->n; i++) {
		int ok = regex_sub(r, &tmp, v_getc(line, "sub")->s, texts.list->v[i].s, &got, &e) == 0;
		CHECK(ok && str_eq(got, want->list->v[i].s), "sub %s in text %zu: %s, wanted %s", pattern.p, i, ok ? got.p : e.msg, want->list->v[i].s.p);
	}
	regex_free(r);
}

static void bad_line(struct value line, struct str pattern)
{
	struct regex *r = NULL;
	struct err e = { 0 };
	CHECK(regex_compile(&r, pattern, false, &e) == -1, "pattern %s was taken", pattern.p);
	CHECK(e.msg[0] && r == NULL, "pattern %s: no message", pattern.p);
	regex_free(r);
}

static void bad_sub_line(struct value line, struct str pattern)
{
	struct regex *r = compiled(pattern);
	struct str got;
	struct err e = { 0 };
	CHECK(r && regex_sub(r, &tmp, v_getc(line, "bad_sub")->s, STR("a"), &got, &e) == -1, "replacement %s was taken", v_getc(line, "bad_sub")->s.p);
	CU_ASSERT(e.msg[0]);
	regex_free(r);
}

static void test_find(void)
{
	CHECK(each("find", find_line) > 140, "few patterns");
}

static void test_split(void)
{
	each("split", split_line);
}

static void test_sub(void)
{
	each("sub", sub_line);
}

static void test_refused(void)
{
	each("bad", bad_line);
	each("bad_sub", bad_sub_line);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Patterns that backtrack without end: a sentence that names them, soon, whatever the call. */
static void test_limits(void)
{
	static const char *const evil[] = { "(a+)+$", "(a|aa)+$", "(a|a)*[bc]", "(.*a){20}$", "(?:a?){40}a{40}[bc]", "^(([a-z])+.)+[A-Z]([a-z])+$" };
	load();
	char *text = xmalloc(100001);
	memset(text, 'a', 100000);
	text[99999] = '!';
	for (size_t i = 0; i < sizeof evil / sizeof *evil; i++) {
		struct regex *r = compiled(str_of(evil[i]));
		struct value v;
		struct str s;
		size_t from, to;
		struct str in = { text + 99900, 100 };
		double t = seconds();
		struct err e = { 0 };
		CHECK(regex_findall(r, &tmp, in, &v, &e) == -1 && e.code == E_LIMIT, "%s: findall did not stop", evil[i]);
		CHECK(strstr(e.msg, evil[i]) != NULL, "%s is not named in '%s'", evil[i], e.msg);
		e = (struct err){ 0 };
		CHECK(regex_sub(r, &tmp, STR("x"), in, &s, &e) == -1 && e.code == E_LIMIT, "%s: sub did not stop", evil[i]);
		CHECK(regex_search(r, in, 0, &from, &to, &e) == -1 && e.code == E_LIMIT, "%s: search did not stop", evil[i]);
		CHECK(seconds() - t < 60, "%s took %.1f s", evil[i], seconds() - t);
		regex_free(r);
	}
	/* long texts are no reason to stop */
	struct regex *r = compiled(STR("(?s).*!|(\\w+)"));
	struct value v;
	struct err e = { 0 };
	CHECK(regex_findall(r, &tmp, (struct str){ text, 100000 }, &v, &e) == 0, "%s", e.msg);
	regex_free(r);
	free(text);
}

static void test_search(void)
{
	load();
	struct regex *r = compiled(STR("b+"));
	size_t from = 0, to = 0;
	struct err e = { 0 };
	CU_ASSERT_EQUAL(regex_search(r, STR("abba"), 0, &from, &to, &e), 1);
	CU_ASSERT(from == 1 && to == 3);
	CU_ASSERT_EQUAL(regex_search(r, STR("abba"), 3, &from, &to, &e), 0);
	CU_ASSERT_EQUAL(regex_search(r, STR("abba"), 4, &from, &to, &e), 0);
	CU_ASSERT_EQUAL(regex_search(r, STR("abba"), 5, &from, &to, &e), -1);
	CU_ASSERT_EQUAL(regex_search(r, STR("\xc3\xa9"), 1, &from, &to, &e), -1);
	CU_ASSERT_EQUAL(regex_search(r, STR("\xc3("), 0, &from, &to, &e), -1);
	regex_free(r);
	CU_ASSERT_EQUAL(regex_compile(&r, STR("AbC"), true, &e), 0);
	CU_ASSERT_EQUAL(regex_search(r, STR("xaBcx"), 0, &from, &to, &e), 1);
	CU_ASSERT(from == 1 && to == 4);
	regex_free(r);
}

/* Bytes that are no UTF-8 count as U+FFFD, as Python's decoder with errors="replace" gives them. */
static void test_bad_text(void)
{
	load();
	struct regex *r = compiled(STR("[^a]"));
	struct value v;
	struct str s;
	struct err e = { 0 };
	CU_ASSERT_EQUAL(regex_findall(r, &tmp, STR("a\xff\xc3(\xe4\xb8"), &v, &e), 0);
	CU_ASSERT_EQUAL(v.list->n, 4);
	CU_ASSERT_EQUAL(regex_sub(r, &tmp, STR("-"), STR("a\xff""a"), &s, &e), 0);
	CU_ASSERT(str_is(s, "a-a"));
	regex_free(r);
	CU_ASSERT_EQUAL(regex_compile(&r, STR("a\xff"), false, &e), -1);
	CU_ASSERT_EQUAL(regex_compile(&r, (struct str){ "", 0 }, false, &e), 0);
	regex_free(r);
	struct buf b = { 0 };
	for (int i = 0; i < 40000; i++)
		buf_putc(&b, 'a');
	CU_ASSERT_EQUAL(regex_compile(&r, (struct str){ b.p, b.n }, false, &e), -1);
	b.n = 0;
	for (int i = 0; i < 10000; i++)
		buf_putc(&b, '(');
	CU_ASSERT_EQUAL(regex_compile(&r, (struct str){ b.p, b.n }, false, &e), -1);
	CHECK(strlen(e.msg) < 200, "a long pattern makes a long message");
	buf_fini(&b);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "findall as Python", test_find }, { "split as Python", test_split }, { "sub as Python", test_sub },
					     { "what Python refuses is refused", test_refused }, { "runaway patterns end with a sentence", test_limits },
					     { "search", test_search }, { "text that is no UTF-8", test_bad_text }, { NULL, NULL } };
	int r = test_main("regex", tests, argc, argv);
	arena_fini(&all);
	arena_fini(&tmp);
	return r;
}
