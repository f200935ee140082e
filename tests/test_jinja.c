/* test_jinja.c - templates against jinja2 3.1.6: small cases of every feature (tests/golden/jinja.json), and where the
 * development material is present, 93 published chat templates in 11 conversations each. */
#include "tests/test.h"

#include <time.h>

#include "runners/text/jinja.h"
#include "runners/text/json.h"

static struct arena arena, item;

/* 0 and the text, or -1 and the error. */
static int render(enum jinja_env env, struct str source, struct value vars, const char *date, struct str *out, struct err *e)
{
	struct jinja *j;
	*e = (struct err){ 0 };
	if (jinja_compile(&j, source, env, "t", e))
		return -1;
	int rc = jinja_render(j, &item, vars, date, NULL, out, e);
	jinja_free(j);
	return rc;
}

static int load(const char *folder, const char *file, struct value *out)
{
	char path[4300];
	struct err e = { 0 };
	snprintf(path, sizeof path, "%s/%s", folder, file);
	if (access(path, R_OK) != 0)
		return -1;
	int rc = json_load(&arena, path, 64 << 20, out, &e);
	CHECK(rc == 0, "%s", e.msg);
	return rc;
}

static void test_golden(void)
{
	struct value g;
	CU_ASSERT_FATAL(load(test_srcdir(), "tests/golden/jinja.json", &g) == 0);
	struct value cases = *v_getc(g, "cases"), vars = *v_getc(g, "vars");
	const char *date = v_getc(g, "date")->s.p;
	struct str before = json_text(&arena, vars, 0, -1);
	size_t passed = 0;
	for (size_t i = 0; i < cases.list->n; i++) {
		struct value c = cases.list->v[i];
		const struct value *want = v_getc(c, "ok");
		struct str source = v_getc(c, "template")->s, got = STR("");
		struct err e;
		enum jinja_env env = str_is(v_getc(c, "env")->s, "chat") ? JINJA_CHAT : JINJA_SUITE;
		int rc = render(env, source, vars, date, &got, &e);
		bool good = want ? rc == 0 && str_eq(got, want->s) : rc == -1 && e.code != E_NONE && strncmp(e.msg, "t: line ", 8) == 0;
		passed += good;
		CHECK(good, "%s %s\n      got  %s\n      want %s", v_getc(c, "env")->s.p, source.p, rc ? e.msg : got.p, want ? want->s.p : "an error");
		arena_reset(&item);
	}
	printf("%zu of %zu ", passed, cases.list->n);
	CHECK(str_eq(before, json_text(&arena, vars, 0, -1)), "the variables are as before");
}

static const char *templates(void)
{
	const char *env = getenv("ASSAY_TEMPLATES");
	static const char *const places[] = { "/templates", "", NULL };
	static char path[4200];
	if (env)
		return env;
	for (int i = 0; places[i] && test_shared("material"); i++) {
		snprintf(path, sizeof path, "%s%s", test_shared("material"), places[i]);
		char probe[4300];
		snprintf(probe, sizeof probe, "%s/renders.json", path);
		if (access(probe, R_OK) == 0)
			return path;
	}
	return NULL;
}

static struct str read_file(const char *folder, const char *file)
{
	char path[4300];
	struct buf b = { 0 };
	snprintf(path, sizeof path, "%s/%s", folder, file);
	FILE *f = fopen(path, "rb");
	for (int c; f && (c = getc(f)) != EOF;)
		buf_putc(&b, (char)c);
	if (f)
		fclose(f);
	struct str s = arena_str(&arena, b.p ? b.p : "", b.n);
	buf_fini(&b);
	return s;
}

static void test_published(void)
{
	struct value r;
	const char *folder = templates();
	size_t all = 0, passed = 0;
	if (!folder || load(folder, "renders.json", &r)) {
		SKIP("no renders.json (set ASSAY_TEMPLATES)");
		return;
	}
	struct value list = *v_getc(r, "templates"), contexts = *v_getc(r, "contexts");
	for (size_t i = 0; i < list.dict->n; i++) {
		struct value t = list.dict->v[i].val, renders = *v_getc(t, "renders"), special = *v_getc(t, "special");
		struct str source = read_file(folder, v_getc(t, "path")->s.p);
		struct jinja *j;
		struct err e = { 0 };
		int bad = jinja_compile(&j, source, JINJA_CHAT, list.dict->v[i].key.s.p, &e);
		CHECK(!bad, "%s", e.msg);
		for (size_t k = 0; !bad && k < renders.dict->n; k++) {
			struct value want = renders.dict->v[k].val, vars = v_copy(&item, *v_get_key(contexts, renders.dict->v[k].key));
			struct str got = STR("");
			for (size_t n = 0; n < special.dict->n; n++)
				v_set_key(&item, vars, special.dict->v[n].key, special.dict->v[n].val);
			int rc = jinja_render(j, &item, vars, "2026-01-31T12:34:56", NULL, &got, &e);
			bool good = want.type == V_STR ? rc == 0 && str_eq(got, want.s) : rc == -1;
			all++;
			passed += good;
			CHECK(good, "%s, %s: %s", list.dict->v[i].key.s.p, renders.dict->v[k].key.s.p, rc ? e.msg : got.p);
			arena_reset(&item);
		}
		jinja_free(bad ? NULL : j);
	}
	printf("%zu of %zu ", passed, all);
}

static void test_unit(void)
{
	struct value u;
	const char *folder = templates();
	size_t all = 0, passed = 0;
	char path[4300];
	if (folder)
		snprintf(path, sizeof path, "%s/unit.json", folder);
	if (!folder || access(path, R_OK) != 0) {
		SKIP("no unit.json (set ASSAY_TEMPLATES)");
		return;
	}
	/* one case has a NUL in a key, which JSON reading refuses here: rename it in the text */
	struct str text = read_file(folder, "unit.json");
	char *p = (char *)text.p;
	for (char *q; (q = strstr(p, "\"\\u0000\\t")); p = q)
		memcpy(q + 3, "0001", 4);
	struct err e = { 0 };
	CU_ASSERT_FATAL(json_parse(&arena, text, "unit.json", &u, &e) == 0);
	for (size_t i = 0; i < u.dict->n; i++) {
		struct value c = u.dict->v[i].val, want = *v_getc(c, "python");
		struct str got = STR("");
		if (v_truth(*v_getc(c, "has_functions")) || strstr(v_getc(c, "template")->s.p, "ensure_ascii"))
			continue;
		int rc = render(JINJA_CHAT, v_getc(c, "template")->s, *v_getc(c, "context"), NULL, &got, &e);
		bool good = want.type == V_STR ? rc == 0 && str_eq(got, want.s) : rc == -1;
		all++;
		passed += good;
		CHECK(good, "%s: %s, not %s", u.dict->v[i].key.s.p, rc ? e.msg : got.p, want.type == V_STR ? want.s.p : "an error");
		arena_reset(&item);
	}
	printf("%zu of %zu ", passed, all);
}

static void test_e2e(void)
{
	struct value u;
	const char *folder = templates();
	size_t passed = 0;
	char path[4300];
	if (folder)
		snprintf(path, sizeof path, "%s/e2e.json", folder);
	if (!folder || access(path, R_OK) != 0) {
		SKIP("no e2e.json (set ASSAY_TEMPLATES)");
		return;
	}
	struct err e = { 0 };
	CU_ASSERT_FATAL(json_parse(&arena, read_file(folder, "e2e.json"), "e2e.json", &u, &e) == 0);
	for (size_t i = 0; i < u.list->n; i++) {
		struct value c = u.list->v[i];
		const struct value *want = v_getc(c, "python_render") ? v_getc(c, "python_render") : v_getc(c, "target");
		struct str got = STR("");
		int rc = render(JINJA_CHAT, v_getc(c, "chat_template")->s, *v_getc(c, "data"), "2026-01-31T12:34:56", &got, &e);
		passed += rc == 0 && str_eq(got, want->s);
		CHECK(rc == 0 && str_eq(got, want->s), "%s: %s, not %s", v_getc(c, "name")->s.p, rc ? e.msg : got.p, want->s.p);
		arena_reset(&item);
	}
	printf("%zu of %zu ", passed, u.list->n);
}

static void expect(enum jinja_env env, const char *source, const char *want_error)
{
	struct err e;
	struct str got = STR("");
	int rc = render(env, str_of(source), v_dict(&item), NULL, &got, &e);
	CHECK(rc == -1 && strstr(e.msg, want_error), "%s: %s", source, rc ? e.msg : got.p);
}

static void test_messages(void)
{
	expect(JINJA_CHAT, "a\nb\n{{ raise_exception('only this') }}", "t: line 3: only this");
	expect(JINJA_CHAT, "\n\n{% for x in y %}", "line 3: unexpected end of template; the innermost block that needs to be closed is 'for'");
	expect(JINJA_CHAT, "{{ 'a'|uper }}", "no filter named 'uper', did you mean 'upper'?");
	expect(JINJA_SUITE, "{{ 'a'|regex_replac('a', 'b') }}", "no filter named 'regex_replac', did you mean 'regex_replace'?");
	struct err e;
	struct str got;
	CHECK(render(JINJA_CHAT, STR("{{ 'a'|regex_replace('a', 'b') }}"), v_dict(&item), NULL, &got, &e) == -1 && strstr(e.msg, "no filter named 'regex_replace'") && !strstr(e.msg, "mean"),
	      "no hint to what only suites have: %s", e.msg);
	expect(JINJA_CHAT, "{{ 1 is od }}", "no test named 'od'");
	expect(JINJA_CHAT, "{% inclde 'x' %}", "unknown tag 'inclde'");
	expect(JINJA_CHAT, "{% include 'x' %}", "{% include %} is not supported");
	expect(JINJA_SUITE, "{% extends 'x' %}", "{% extends %} is not supported");
	expect(JINJA_SUITE, "{{ question }}", "'question' is undefined");
	expect(JINJA_CHAT, "{{ {}.a.b }}", "'dict object' has no attribute 'a'");
	expect(JINJA_CHAT, "{{ [].append(1) }}", "access to attribute 'append' of 'list' object is unsafe");
	expect(JINJA_SUITE, "{{ [].append(1) }}", "read-only");
	expect(JINJA_CHAT, "{{ 9223372036854775807 + 1 }}", "does not fit 64 bits");
	expect(JINJA_CHAT, "{{ 99999999999999999999 }}", "does not fit 64 bits");
	expect(JINJA_CHAT, "{{ [1]|random }}", "repeatable");
	expect(JINJA_SUITE, "{% break %}", "unknown tag 'break'");
}

static void test_api(void)
{
	struct jinja *j;
	struct err e = { 0 };
	struct str out;
	CU_ASSERT_FATAL(jinja_compile(&j, str_of("no tags { % }\n"), JINJA_SUITE, NULL, &e) == 0);
	CHECK(jinja_is_plain(j), "plain");
	CHECK(jinja_render(j, &item, v_dict(&item), NULL, NULL, &out, &e) == 0 && str_is(out, "no tags { % }\n"), "gives itself back");
	jinja_free(j);
	CU_ASSERT_FATAL(jinja_compile(&j, str_of("{{ strftime_now('%Y-%m-%d') }}"), JINJA_CHAT, "x", &e) == 0);
	CHECK(!jinja_is_plain(j), "not plain");
	CHECK(jinja_render(j, &item, v_dict(&item), NULL, NULL, &out, &e) == 0 && str_is(out, "2025-01-01"), "the default date");
	CHECK(jinja_render(j, &item, v_dict(&item), "1999-12-31", NULL, &out, &e) == 0 && str_is(out, "1999-12-31"), "a given date");
	CHECK(jinja_render(j, &item, v_dict(&item), "2023-02-28T10:00:00x", NULL, &out, &e) == -1, "something behind the time");
	CHECK(jinja_render(j, &item, v_dict(&item), "2023-02-29", NULL, &out, &e) == -1, "a day that does not exist");
	jinja_free(j);
	jinja_free(NULL);
	CHECK(jinja_compile(&j, str_of("{{"), JINJA_CHAT, "x", NULL) == -1 && j == NULL, "no err to fill");
	for (const char *const *f = jinja_filters(JINJA_SUITE); *f; f++) {
		char t[100];
		snprintf(t, sizeof t, "{{ '%s' is filter }}", *f);
		CHECK(render(strcmp(*f, "regex_replace") ? JINJA_CHAT : JINJA_SUITE, str_of(t), v_dict(&item), NULL, &out, &e) == 0 && str_is(out, "True"), "%s", t);
	}
	for (const char *const *f = jinja_tests(); *f; f++) {
		char t[100];
		snprintf(t, sizeof t, "{{ '%s' is test }}", *f);
		CHECK(render(JINJA_SUITE, str_of(t), v_dict(&item), NULL, &out, &e) == 0 && str_is(out, "True"), "%s", t);
	}
}

static void test_speed(void)
{
	struct jinja *j;
	struct err e = { 0 };
	struct str out;
	struct value d = v_dict(&arena);
	struct timespec a, b;
	const int n = 50000;
	v_set(&arena, d, STR("question"), v_cstr("Why is the sky blue?"));
	v_set(&arena, d, STR("answer"), v_cstr(" Rayleigh scattering. "));
	CU_ASSERT_FATAL(jinja_compile(&j, str_of("Question: {{question}}\nAnswer: {{answer.strip()}}"), JINJA_SUITE, "t", &e) == 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	for (int i = 0; i < n; i++) {
		jinja_render(j, &item, d, NULL, NULL, &out, &e);
		arena_reset(&item);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	double s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
	printf("%.0f renders/s ", n / s);
	CHECK(s < 60, "50000 small renders took %.1f s", s);
	jinja_free(j);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "golden cases", test_golden }, { "published chat templates", test_published }, { "unit cases", test_unit }, { "end-to-end cases", test_e2e },
		{ "messages", test_messages }, { "interface", test_api }, { "speed", test_speed }, { NULL, NULL } };
	arena_init(&arena);
	arena_init(&item);
	int rc = test_main("jinja", tests, argc, argv);
	arena_fini(&arena);
	arena_fini(&item);
	return rc;
}
