/* test_json.c - JSON in and out against CPython's json module (tests/golden/value.json), and what is refused. */
#include "tests/test.h"

#include <math.h>

#include "runners/text/json.h"

static struct arena arena;

static void test_dumps(void)
{
	static const struct { const char *name; int flags, indent; } ways[] = { { "plain", 0, -1 }, { "ascii", JSON_ASCII, -1 },
		{ "sorted", JSON_ASCII | JSON_SORT, -1 }, { "compact", JSON_COMPACT, -1 }, { "indent2", 0, 2 }, { "indent0", JSON_ASCII, 0 } };
	struct value all, back;
	struct err e = { 0 };
	char path[4200];
	snprintf(path, sizeof path, "%s/tests/golden/value.json", test_srcdir());
	CU_ASSERT_FATAL(json_load(&arena, path, 16 << 20, &all, &e) == 0);
	all = *v_getc(all, "dumps");
	for (size_t i = 0; i < all.list->n; i++)
		for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
			struct value v = *v_getc(all.list->v[i], "value");
			struct str got = json_text(&arena, v, ways[k].flags, ways[k].indent), want = v_getc(all.list->v[i], ways[k].name)->s;
			CHECK(str_eq(got, want), "%s: %s, not %s", ways[k].name, got.p, want.p);
			CHECK(json_parse(&arena, got, "x", &back, &e) == 0 && v_equal(v, back), "%s reads back", ways[k].name);
		}
}

static void test_read(void)
{
	static const struct { const char *in, *out; } good[] = {
		{ "{\"a\": 1, \"b\": 2, \"a\": 3}", "{'a': 3, 'b': 2}" }, { "[1, 1.0, 1e2, -0, -0.0]", "[1, 1.0, 100.0, 0, -0.0]" },
		{ "\"\\ud800\"", "'\xef\xbf\xbd'" }, { "\"\\udc00x\\ud83e\\udd17\\ud83e\"", "'\xef\xbf\xbdx\xf0\x9f\xa4\x97\xef\xbf\xbd'" },
		{ "\"\\\\ud800\"", "'\\\\ud800'" }, { "\"a\\u0000b\"", "'a\\x00b'" }, { " null ", "None" }, { "true", "True" }, { "9223372036854775807", "9223372036854775807" },
		{ "{\"\": []}", "{'': []}" },
	};
	static const char *const bad[] = { "", "{", "[1,]", "{\"a\" 1}", "nul", "1 2", "9223372036854775808", "[1e999]", "\"\xff\"", "\"\\ud8\"", "'a'", "01", "{1: 2}",
		"\"\\x\"", "\"a\nb\"", "NaN", "\xef\xbb\xbf{}", "\\ud800" };
	struct value v;
	struct err e;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		e = (struct err){ 0 };
		int rc = json_parse(&arena, str_of(good[i].in), "x", &v, &e);
		CHECK(rc == 0 && str_is(v_repr(&arena, v), good[i].out), "%s: %s", good[i].in, rc ? e.msg : v_repr(&arena, v).p);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		e = (struct err){ 0 };
		CHECK(json_parse(&arena, str_of(bad[i]), "name", &v, &e) == -1 && e.code == E_FORMAT && strncmp(e.msg, "name:", 5) == 0, "%s: '%s'", bad[i], e.msg);
	}
	CHECK(json_parse(&arena, str_of("[1,\n2,\nx]"), "f.json", &v, &e) == -1 && strstr(e.msg, "f.json:3:"), "names the line: %s", e.msg);
}

static void test_deep(void)
{
	struct value v;
	struct err e = { 0 };
	char *deep = xmalloc(4000001);
	memset(deep, '[', 4000000);
	CHECK(json_parse(&arena, (struct str){ deep, 4000000 }, "x", &v, &e) == -1, "four million brackets");
	memset(deep, '[', 2000);
	memset(deep + 2000, ']', 2000);
	CHECK(json_parse(&arena, (struct str){ deep, 4000 }, "x", &v, &e) == 0, "2000 levels: %s", e.msg);
	CHECK(json_text(&arena, v, 0, -1).n == 4000, "and out again");
	free(deep);
}

static void test_numbers(void)
{
	struct buf b = { 0 };
	json_write_double(&b, 0.1);
	buf_putc(&b, ' ');
	json_write_double(&b, 1);
	buf_putc(&b, ' ');
	json_write_double(&b, NAN);
	buf_putc(&b, ' ');
	json_write_float(&b, 0.1f);
	buf_putc(&b, ' ');
	json_write_float(&b, -INFINITY);
	CHECK(strcmp(b.p, "0.10000000000000001 1 null 0.100000001 null") == 0, "%s", b.p);
	buf_fini(&b);
	CHECK(str_is(json_text(&arena, v_float(NAN), JSON_NAN, -1), "NaN") && str_is(json_text(&arena, v_float(INFINITY), 0, -1), "null"), "not finite");
	struct value d = v_dict(&arena);
	v_set_key(&arena, d, v_int(1), VNONE);
	v_set_key(&arena, d, v_float(2.5), VNONE);
	v_set_key(&arena, d, VNONE, v_bool(false));
	v_set_key(&arena, d, v_bool(false), VNONE);
	CHECK(str_is(json_text(&arena, d, 0, -1), "{\"1\": null, \"2.5\": null, \"null\": false, \"false\": null}"), "keys: %s", json_text(&arena, d, 0, -1).p);
}

static void test_files(void)
{
	struct value v;
	struct err e = { 0 };
	CHECK(json_load(&arena, "/nonexistent/x.json", 100, &v, &e) == -1 && e.code == E_IO && strstr(e.msg, "/nonexistent/x.json"), "%s", e.msg);
	char path[4200];
	snprintf(path, sizeof path, "%s/tests/golden/value.json", test_srcdir());
	CHECK(json_load(&arena, path, 100, &v, &e) == -1 && e.code == E_LIMIT, "%s", e.msg);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "dumps as Python", test_dumps }, { "reading", test_read }, { "deep", test_deep }, { "numbers and keys", test_numbers },
		{ "files", test_files }, { NULL, NULL } };
	arena_init(&arena);
	int rc = test_main("json", tests, argc, argv);
	arena_fini(&arena);
	return rc;
}
