/* test_filter.c - answer filters against lm-evaluation-harness's own (tests/golden/make_filter.py), and their errors. */
#include "tests/test.h"

#include "harness/filter.h"
#include "runners/text/json.h"

static struct arena a;

static struct str str_at(struct value d, const char *key)
{
	const struct value *v = v_getc(d, key);
	return v && v->type == V_STR ? v->s : (struct str){ NULL, 0 };
}

static bool true_at(struct value d, const char *key)
{
	const struct value *v = v_getc(d, key);
	return v && v->type == V_BOOL && v->b;
}

static int step_of(struct filter_step *s, struct value d)
{
	const struct value *group = v_getc(d, "group_select"), *k = v_getc(d, "k"), *map = v_getc(d, "mapping_dict"), *def = v_getc(d, "default_value"),
			   *ignore = v_getc(d, "regexes_to_ignore");
	struct str name = str_at(d, "function");
	const struct filter_info *i = filter_table();
	while (i->name && !str_is(name, i->name))
		i++;
	*s = (struct filter_step){ .kind = i->kind, .pattern = str_at(d, "regex_pattern"), .fallback = str_at(d, "fallback"),
				   .group_select = group ? (int)group->i : 0, .k = k ? (int)k->i : 0,
				   .ignore_case = true_at(d, "ignore_case"), .ignore_punctuation = true_at(d, "ignore_punctuation") };
	if (map)
		s->mapping = *map;
	if (def)
		s->default_value = *def;
	for (size_t n = 0; ignore && n < ignore->list->n; n++)
		s->regexes_to_ignore[s->nignore++] = ignore->list->v[n].s;
	return i->name ? 0 : -1;
}

static void one_line(int number, struct value line)
{
	const struct list *steps = v_getc(line, "steps")->list, *resps = v_getc(line, "resps")->list;
	struct filter_step step[8];
	struct filter f = { .name = STR("f"), .step = step, .nsteps = (int)steps->n };
	struct str *text = ARENA_ARRAY(&a, resps->n, struct str);
	struct err e = { 0 };
	struct value out;
	for (size_t i = 0; i < steps->n; i++)
		if (step_of(&step[i], steps->v[i]) || filter_step_compile(&step[i], &e)) {
			CHECK(0, "filter.jsonl:%d: %s", number, e.msg);
			return;
		}
	for (size_t i = 0; i < resps->n; i++)
		text[i] = resps->v[i].s;
	int ok = filter_apply(&f, &a, &line, text, (int)resps->n, &out, &e) == 0;
	CHECK(ok && v_equal(out, *v_getc(line, "want")), "filter.jsonl:%d: %s: %s, wanted %s", number, v_repr(&a, *v_getc(line, "steps")).p,
	      ok ? v_repr(&a, out).p : e.msg, v_repr(&a, *v_getc(line, "want")).p);
	for (int i = 0; i < f.nsteps; i++)
		filter_step_free(&step[i]);
}

static void test_golden(void)
{
	char path[4200], line[1 << 16];
	int number = 0;
	snprintf(path, sizeof path, "%s/tests/golden/filter.jsonl", test_srcdir());
	FILE *f = fopen(path, "r");
	CU_ASSERT_FATAL(f != NULL);
	while (fgets(line, sizeof line, f)) {
		struct value v;
		struct err e;
		number++;
		if (json_parse(&a, str_of(line), "filter.jsonl", &v, &e) == 0)
			one_line(number, v);
		else
			CHECK(0, "%s", e.msg);
		arena_reset(&a);
	}
	fclose(f);
	CU_ASSERT(number > 200);
}

static int apply(struct filter_step *step, int n, const char *resp, struct value *out, struct err *e)
{
	struct filter f = { .name = STR("name"), .step = step, .nsteps = n };
	struct str text = str_of(resp);
	*e = (struct err){ 0 };
	int r = 0;
	for (int i = 0; i < n && r == 0; i++)
		r = filter_step_compile(&step[i], e);
	if (r == 0)
		r = filter_apply(&f, &a, NULL, &text, resp ? 1 : 0, out, e);
	for (int i = 0; i < n; i++)
		filter_step_free(&step[i]);
	return r;
}

static void test_errors(void)
{
	struct value out;
	struct err e;
	struct value none = v_dict(&a);
	struct {
		const char *what;
		struct filter_step step[2];
		int n;
		const char *resp, *says;
		enum err_code code;
	} t[] = {
		{ "bad pattern", { { .kind = FILTER_REGEX, .pattern = STR("(a") } }, 1, "x", "pattern '(a'", E_FORMAT },
		{ "k missing", { { .kind = FILTER_TAKE_FIRST_K } }, 1, "x", "take_first_k", E_RANGE },
		{ "k too large", { { .kind = FILTER_TAKE_FIRST_K, .k = 2 } }, 1, "x", "needs 2 responses", E_RANGE },
		{ "nothing to take", { { .kind = FILTER_TAKE_FIRST } }, 1, NULL, "no response", E_FORMAT },
		{ "nothing to vote on", { { .kind = FILTER_MAJORITY } }, 1, NULL, "no response", E_FORMAT },
		{ "no choices", { { .kind = FILTER_MULTI_CHOICE_REGEX, .pattern = STR("z") } }, 1, "x", "choices", E_FORMAT },
		{ "taken twice", { { .kind = FILTER_TAKE_FIRST }, { .kind = FILTER_TAKE_FIRST } }, 2, "x", "already taken", E_FORMAT },
		{ "no string", { { .kind = FILTER_MAP, .mapping = none }, { .kind = FILTER_LOWERCASE } }, 2, "x", "NoneType", E_FORMAT },
		{ "runaway", { { .kind = FILTER_REGEX, .pattern = STR("(a+)+$") } }, 1, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "(a+)+$", E_LIMIT },
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		int r = apply(t[i].step, t[i].n, t[i].resp, &out, &e);
		CHECK(r == -1 && e.code == t[i].code, "%s: %d, code %d: %s", t[i].what, r, e.code, e.msg);
		CHECK(strstr(e.msg, t[i].says) != NULL, "%s: '%s' does not say '%s'", t[i].what, e.msg, t[i].says);
	}
	/* beyond the matches: the fallback */
	struct filter_step far[] = { { .kind = FILTER_REGEX, .pattern = STR("\\d"), .group_select = 3 } };
	CU_ASSERT_EQUAL(apply(far, 1, "1 2", &out, &e), 0);
	CU_ASSERT(str_is(out.list->v[0].list->v[0].s, "[invalid]"));
	far[0].group_select = -3;
	CU_ASSERT_EQUAL(apply(far, 1, "1 2", &out, &e), 0);
	CU_ASSERT(str_is(out.list->v[0].list->v[0].s, "[invalid]"));
	far[0].group_select = -2;
	CU_ASSERT_EQUAL(apply(far, 1, "1 2", &out, &e), 0);
	CU_ASSERT(str_is(out.list->v[0].list->v[0].s, "1"));
}

static void test_table(void)
{
	bool seen[FILTER_KINDS] = { false };
	for (const struct filter_info *i = filter_table(); i->name; i++) {
		CU_ASSERT(i->text && i->text[0] && i->kind < FILTER_KINDS);
		seen[i->kind] = true;
	}
	for (int k = 0; k < FILTER_KINDS; k++)
		CHECK(seen[k], "kind %d has no row", k);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "as lm-evaluation-harness", test_golden }, { "errors", test_errors }, { "table", test_table }, { NULL, NULL } };
	arena_init(&a);
	int r = test_main("filter", tests, argc, argv);
	arena_fini(&a);
	return r;
}
