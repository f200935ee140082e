/* test_suite.c - definitions: every mistake has its sentence with file and line, include and each do what they say, and
 * all that is shipped loads. */
#include "tests/test.h"

#include "harness/schema.h"
#include "harness/suite.h"
#include "harness/yaml.h"
#include "kernels/base/file.h"
#include "runners/text/json.h"

static char dir[4096];

static void put(const char *name, const char *text)
{
	char path[8192];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(text, 1, strlen(text), f) != strlen(text) || fclose(f)) {
		perror(path);
		exit(99);
	}
}

static void drop(const char *name)
{
	char path[8192];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	unlink(path);
}

static struct suites *open_dir(struct err *e)
{
	struct suites *s = NULL;
	if (suites_open(&s, (const char *const[]){ dir, NULL }, e))
		return NULL;
	return s;
}

#define BASE "suite: x\ndataset: {id: a/b}\nsplits: {test: test}\nkind: generate\nprompt: q\ntarget: a\n"
#define CHOICE "suite: x\ndataset: {id: a/b}\nsplits: {test: test}\nkind: multiple_choice\nprompt: q\ntarget: a\n"

/* One file x.yaml and what looking up x says. */
static const struct {
	const char *text, *want;
} mistakes[] = {
	{ BASE "num_fewshots: 3\n", "x.yaml:7: unknown key 'num_fewshots'" },
	{ BASE "shotz: 3\n", "x.yaml:7: unknown key 'shotz', did you mean 'shots'?" },
	{ BASE "num_fewshot: 3\n", "x.yaml:7: unknown key 'num_fewshot': what lm-evaluation-harness calls num_fewshot is 'shots' here" },
	{ BASE "doc_to_text: 3\n", "is 'prompt' here" },
	{ BASE "generation: {untl: [a]}\n", "x.yaml:7: unknown key 'generation.untl', did you mean 'until'?" },
	{ BASE "generation:\n  until: [a]\n  max_gen_toks: 5\n", "x.yaml:9: unknown key 'generation.max_gen_toks': what lm-evaluation-harness calls max_gen_toks is 'max_tokens' here" },
	{ BASE "shots: many\n", "x.yaml:7: shots must be an int 0..1000, not 'many'" },
	{ BASE "shots: 1001\n", "x.yaml:7: shots must be an int 0..1000, not '1001'" },
	{ BASE "shots: -1\n", "x.yaml:7: shots must be an int 0..1000, not '-1'" },
	{ BASE "shots: \"5\"\n", "x.yaml:7: shots must be an int 0..1000, not '5'" },
	{ BASE "shots: 5.5\n", "x.yaml:7: shots must be an int 0..1000, not '5.5'" },
	{ BASE "shots: 99999999999999999999999\n", "x.yaml:7: shots must be an int 0..1000" },
	{ BASE "shots: [5]\n", "x.yaml:7: shots must be an int 0..1000, not a list" },
	{ BASE "chance: 1.5\n", "x.yaml:7: chance must be a number 0..1, not '1.5'" },
	{ BASE "chance: nan\n", "x.yaml:7: chance must be a number 0..1, not 'nan'" },
	{ BASE "description: [a]\n", "x.yaml:7: description must be a template, not a list" },
	{ BASE "description: {a: b}\n", "x.yaml:7: description must be a template, not a map" },
	{ BASE "language: a b\n", "x.yaml:7: language must be a word" },
	{ BASE "shot_sampler: best\n", "x.yaml:7: shot_sampler must be one of random|first_n, not 'best'" },
	{ BASE "generation: 5\n", "x.yaml:7: generation must be a map of keys, not '5'" },
	{ BASE "generation: {until: {a: b}}\n", "x.yaml:7: generation.until must be a string or list of strings, not a map" },
	{ BASE "generation: {until: [[a]]}\n", "x.yaml:7: generation.until must be a string or list of strings, not a list" },
	{ BASE "generation: {temperature: hot}\n", "x.yaml:7: generation.temperature must be a number 0..100, not 'hot'" },
	{ BASE "repeats: 0\n", "x.yaml:7: repeats must be an int 1..1024, not '0'" },
	{ BASE "rows: {strip: {column: a}}\n", "x.yaml:7: rows must be a list of operations, not a map" },
	{ BASE "rows:\n  - strip: {colunm: a}\n", "x.yaml:8: unknown key 'rows[].strip.colunm', did you mean 'column'?" },
	{ BASE "rows:\n  - stripp: {column: a}\n", "x.yaml:8: unknown key 'rows[].stripp', did you mean 'strip'?" },
	{ BASE "rows:\n  - {strip: {column: a}, drop: {column: b}}\n", "x.yaml:8: an item of rows must be one operation" },
	{ BASE "rows:\n  - filter: {column: a}\n", "x.yaml:8: rows[].filter needs equals" },
	{ BASE "rows:\n  - map: {column: a}\n", "x.yaml:8: rows[].map needs value" },
	{ BASE "rows:\n  - map: {column: a, value: b, type: float}\n", "x.yaml:8: rows[].map.type must be one of int|string|list, not 'float'" },
	{ BASE "rows:\n  - replace: {column: a, pattern: b}\n", "x.yaml:8: rows[].replace needs with" },
	{ BASE "rows:\n  - replace: {column: a, with: b}\n", "x.yaml:8: rows[].replace needs pattern or text" },
	{ BASE "rows:\n  - replace: {column: a, with: b, text: c, pattern: d}\n", "takes pattern or text, not both" },
	{ BASE "rows:\n  - replace: {column: a, with: b, pattern: '['}\n", "x.yaml:8: " },
	{ BASE "rows:\n  - rename: {column: a}\n", "x.yaml:8: rows[].rename needs into" },
	{ BASE "rows:\n  - drop: {}\n", "x.yaml:8: rows[].drop needs column" },
	{ BASE "rows:\n  - map: {column: a, value: '{{b'}\n", "x.yaml:8: rows[].map.value" },
	{ BASE "filters: regex\n", "x.yaml:7: filters must be a list of maps, not 'regex'" },
	{ BASE "filters: [{name: a}]\n", "x.yaml:7: a filter needs name and steps" },
	{ BASE "filters:\n  - name: a\n    steps: [{function: regx}]\n", "x.yaml:9: unknown filter 'regx', did you mean 'regex'?" },
	{ BASE "filters:\n  - name: a\n    steps: [{regex_pattern: a}]\n", "x.yaml:9: a step needs function" },
	{ BASE "filters:\n  - name: a\n    steps: [{function: regex, regex_pattern: '(a'}]\n", "x.yaml:9: " },
	{ BASE "filters:\n  - {name: a, steps: [{function: take_first}]}\n  - {name: a, steps: [{function: take_first}]}\n", "x.yaml:9: two filters are named 'a'" },
	{ BASE "metrics: [exact_macth]\n", "x.yaml:7: unknown metric 'exact_macth', did you mean 'exact_match'?" },
	{ BASE "metrics: [acc_norm]\n", "x.yaml:7: metric acc_norm is not for kind generate" },
	{ BASE "metrics: [exact_match, exact_match]\n", "x.yaml:7: metric 'exact_match' is given twice" },
	{ BASE "metrics:\n  - metric: exact_match\n    ignore_cse: true\n", "x.yaml:9: unknown key 'metrics[].ignore_cse', did you mean 'ignore_case'?" },
	{ BASE "metrics:\n  - metric: exact_match\n    ignore_case: yes\n", "x.yaml:9: metrics[].ignore_case must be true or false, not 'yes'" },
	{ BASE "metrics:\n  - metric: exact_match\n    regexes_to_ignore: ['(']\n", "x.yaml:8: " },
	{ BASE "metrics: []\n", "x.yaml:7: metrics must be a list of names or maps" },
	{ BASE "target_delimiter: [a]\n", "x.yaml:7: target_delimiter must be a string, not a list" },
	{ BASE "description: '{% if a %}'\n", "x.yaml:7: description" },
	{ BASE "description: '{{ a | nosuchfilter }}'\n", "x.yaml:7: description" },
	{ BASE "counted: a\n", "x.yaml:7: counted means nothing for kind generate" },
	{ BASE "version: one\n", "x.yaml:7: version must be an int" },
	{ BASE "kind: rolling\n", "x.yaml:7: key 'kind' is given twice (first in line 4)" },
	{ BASE "title: &a hello\n", "x.yaml:7: anchors (&name) are not supported" },
	{ BASE "title: *a\n", "x.yaml:7" },
	{ BASE "title: !function utils.x\n", "x.yaml:7: tags (!name) are not supported" },
	{ BASE "? [a]\n: b\n", "x.yaml:7: a key must be plain text" },
	{ BASE "title: \"unclosed\n", "x.yaml:" },
	{ BASE "\ttitle: tab\n", "x.yaml:7" },
	{ BASE "shot_examples: [a]\n", "x.yaml:7: shot_examples must be a list of maps, not 'a'" },
	{ BASE "member_of: nowhere\n", "x.yaml:1: member_of: no group is called 'nowhere'" },
	{ BASE "include: /etc/x.yaml\n", "x.yaml:7: include '/etc/x.yaml' must be a .yaml file in the same folder or below" },
	{ BASE "include: ../x.yaml\n", "must be a .yaml file in the same folder or below" },
	{ BASE "include: nothere.yaml\n", "x.yaml:7: include 'nothere.yaml' cannot be opened" },
	{ BASE "include: x.yaml\n", "x.yaml:7: include 'x.yaml' includes itself" },
	{ BASE "each: []\n", "x.yaml:7: each must be a list of 1..10000 maps" },
	{ BASE "each: [a]\n", "x.yaml:7: an item of each must be a map" },
	{ BASE "each: [{a: [b]}]\n", "x.yaml:7: each: 'a' must be a text" },
	{ CHOICE, "x.yaml:1: a suite of kind multiple_choice needs choices" },
	{ CHOICE "choices: []\n", "x.yaml:7: choices must not be empty" },
	{ CHOICE "choices: [a, [b]]\n", "x.yaml:7: choices must be a template, or list of strings, not a list" },
	{ CHOICE "choices: [a]\ngeneration: {max_tokens: 5}\n", "x.yaml:8: generation means nothing for kind multiple_choice" },
	{ CHOICE "choices: [a]\nfilters: [{name: a, steps: [{function: take_first}]}]\n", "x.yaml:8: filters means nothing for kind multiple_choice" },
	{ "suite: x\nkind: loglik\nsplits: {test: test}\nprompt: q\ntarget: a\n", "x.yaml:1: a suite needs dataset.id" },
	{ "suite: x\nkind: loglik\ndataset: {id: a}\nprompt: q\ntarget: a\n", "a suite needs splits.test or splits.validation" },
	{ "suite: x\ndataset: {id: a}\nsplits: {test: test}\nprompt: q\ntarget: a\n", "a suite needs kind" },
	{ "suite: x\nkind: classify\n", "x.yaml:2: kind must be one of multiple_choice|loglik|rolling|generate, not 'classify'" },
	{ "suite: x\nkind: loglik\ndataset: {id: a}\nsplits: {test: test}\ntarget: a\n", "needs prompt" },
	{ "suite: x\nkind: loglik\ndataset: {id: a}\nsplits: {test: test}\nprompt: a\n", "needs target" },
	{ "suite: x\ndataset: {id: a, sha256: {test: 12}}\n", "x.yaml:2: dataset.sha256.test must be 64 hexadecimal digits" },
	{ "suite: x\ndataset: {id: a, sha256: 12}\n", "x.yaml:2: dataset.sha256 must be a map of split to SHA-256, not '12'" },
	{ "suite: x\ngroup: {}\n", "x.yaml:1: group 'x' has no members" },
	{ "suite: x\ngroup: {members: [y]}\n", "x.yaml:2: no suite is called 'y'" },
	{ "suite: x\ngroup: {members: [x]}\n", "contains itself" },
	{ "suite: x\ngroup: {members: y}\n", "x.yaml:2: group.members must be a list of strings" },
	{ "suite: x\ngroup: {members: [x], weight_by_size: maybe}\n", "x.yaml:2: group.weight_by_size must be true or false, not 'maybe'" },
	{ "suite: x\nkind: loglik\ngroup: {members: [x]}\n", "a group has no kind" },
	{ "suite: x\nprompt: a\ngroup: {members: [x]}\n", "x.yaml:2: prompt means nothing for kind group" },
	{ "title: no name\n", "x.yaml:1: a suite needs suite (its name)" },
	{ "- a\n- b\n", "x.yaml:1: a definition must be a map of keys" },
	{ "", "x.yaml:1: no suite is defined here" },
	{ BASE "---\n" BASE, "x.yaml:8: suite 'x' is defined already in" },
};

static void test_mistakes(void)
{
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct err e = { 0 };
		struct suite *s;
		put("x.yaml", mistakes[i].text);
		struct suites *all = open_dir(&e);
		CU_ASSERT_FATAL(all != NULL);
		int rc = suite_find(all, "x", &s, &e);
		CHECK(rc != 0, "case %zu was accepted: %s", i, mistakes[i].want);
		CHECK(rc == 0 || strstr(e.msg, mistakes[i].want), "case %zu: wanted '%s', got '%s'", i, mistakes[i].want, e.msg);
		CHECK(!strchr(e.msg, '\n'), "case %zu: more than a line", i);
		suites_close(all);
	}
	drop("x.yaml");
}

static void test_bytes(void)
{
	static const char *const texts[] = { "suite: \"a\\0b\"\n", "suite: x\0y\n", "\xff\xfe", "suite: \xc3\x28\n", "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n", "{", "a: b: c\n", "%YAML 9.9\n---\na\n" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct arena a;
		struct yaml **docs;
		size_t n;
		struct err e = { 0 };
		arena_init(&a);
		int rc = yaml_parse(&docs, &n, &a, str_of(texts[i]), "t.yaml", &e);
		CHECK(rc == 0 || !strncmp(e.msg, "t.yaml:", 7), "%s", e.msg);
		arena_fini(&a);
	}
	/* every prefix of a good file: an answer, never a crash */
	static const char good[] = "suite: mmlu_{{s}}\neach: [{s: a}, {s: 'b c'}]\nchoices: [\"no\", \"yes\"]\nrows:\n  - map: {column: q, value: |-\n      x}\n";
	for (size_t k = 0; k < sizeof good; k++) {
		struct arena a;
		struct yaml **docs;
		size_t n;
		arena_init(&a);
		yaml_parse(&docs, &n, &a, (struct str){ good, k }, "t.yaml", NULL);
		arena_fini(&a);
	}
	CU_PASS("no crash");
}

#define PART "dataset: {id: a/b}\nsplits: {test: test, train: train}\nkind: generate\nprompt: q\ntarget: a\n"

static void test_include_and_each(void)
{
	struct err e = { 0 };
	struct suite *s, *g, **list;
	int n;
	put("_part.yaml", "version: 3\nchance: 0.5\n" PART "generation: {until: [a, b], max_tokens: 7}\n");
	put("leaf.yaml", "suite: leaf\ninclude: _part.yaml\nsplits: {train: null}\ngeneration: {until: [c]}\nchance: 0.25\n");
	put("many.yaml", "suite: many\ngroup: {members: [leaf], weight_by_size: false}\n---\nsuite: many_{{ n }}\ninclude: _part.yaml\nmember_of: many\n"
			 "each: [{n: b, about: beta}, {n: a, about: alpha}]\ndescription: about {{about}} and {{q}} and {{about }}\ndataset: {config: '{{n}}'}\n");
	struct suites *all = open_dir(&e);
	CU_ASSERT_FATAL(all != NULL);
	CHECK(suite_find(all, "leaf", &s, &e) == 0, "%s", e.msg);
	CU_ASSERT(s->version == 3 && s->chance == 0.25 && s->max_tokens == 7 && s->nuntil == 1 && str_is(s->until[0], "c"));
	CU_ASSERT(str_is(s->test_split, "test") && s->train_split.n == 0 && str_is(s->config, "default"));
	CU_ASSERT(s->nfilters == 1 && str_is(s->filter[0].name, "none") && s->nmetrics == 1 && str_is(s->metric[0].name, "exact_match"));
	CHECK(suite_find(all, "many", &g, &e) == 0, "%s", e.msg);
	CU_ASSERT(g->kind == KIND_GROUP && g->nmembers == 3 && !g->weight_by_size);
	CU_ASSERT(suite_leaves(all, g, &list, &n) == 0 && n == 3);
	CU_ASSERT(list[0] == s && str_is(list[1]->name, "many_b") && str_is(list[2]->name, "many_a"));
	CHECK(str_is(list[2]->description.text, "about alpha and {{q}} and alpha"), "%s", list[2]->description.text.p);
	CU_ASSERT(str_is(list[2]->config, "a") && memcmp(list[1]->digest, list[2]->digest, DIGEST_BYTES) != 0);
	CU_ASSERT(suites_all(all, &list, &n, &e) == 0 && n == 4 && str_is(list[0]->name, "leaf") && str_is(list[3]->name, "many_b"));
	CU_ASSERT(suite_find(all, "manny", &s, &e) != 0 && e.code == E_USAGE);
	CHECK(strstr(e.msg, "did you mean 'many'?"), "%s", e.msg);
	suites_close(all);
	drop("_part.yaml");
	drop("leaf.yaml");
	drop("many.yaml");
}

static void test_include_traps(void)
{
	struct err e = { 0 };
	struct suite *s;
	char path[8192];
	put("_a.yaml", "include: _b.yaml\n" PART);
	put("_b.yaml", "include: _a.yaml\n" PART);
	put("x.yaml", "suite: x\ninclude: _a.yaml\n");
	put("y.yaml", "suite: y\ninclude: _link.yaml\n");
	put("z.yaml", "suite: z\ninclude: _many.yaml\n");
	put("_many.yaml", PART "---\n" PART);
	put("w.yaml", "suite: w\ninclude: _bad.yaml\n");
	put("_bad.yaml", PART "shots: x\n");
	put("v.yaml", "suite: v\ninclude: _tpl.yaml\ntitle: V\n");
	put("_tpl.yaml", PART "rows:\n  - replace: {column: a, pattern: '(', with: b}\n");
	snprintf(path, sizeof path, "%s/_link.yaml", dir);
	CU_ASSERT(symlink("/etc/hostname", path) == 0);
	struct suites *all = open_dir(&e);
	CU_ASSERT_FATAL(all != NULL);
	CHECK(suite_find(all, "x", &s, &e) != 0 && strstr(e.msg, "includes itself"), "%s", e.msg);
	CHECK(suite_find(all, "y", &s, &e) != 0 && strstr(e.msg, "leads out of its folder"), "%s", e.msg);
	CHECK(suite_find(all, "z", &s, &e) != 0 && strstr(e.msg, "must hold one definition, it holds 2"), "%s", e.msg);
	CHECK(suite_find(all, "w", &s, &e) != 0 && strstr(e.msg, "_bad.yaml:6: shots must be"), "%s", e.msg);
	CHECK(suite_find(all, "v", &s, &e) != 0 && strstr(e.msg, "_tpl.yaml:7: "), "%s", e.msg);
	suites_close(all);
	static const char *const names[] = { "v.yaml", "_tpl.yaml", "_a.yaml", "_b.yaml", "x.yaml", "y.yaml", "z.yaml", "_many.yaml", "w.yaml", "_bad.yaml", "_link.yaml" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		drop(names[i]);
}

/* A broken file does not hide the others; paths work; digests see what matters and nothing else. */
static void test_lookup(void)
{
	struct err e = { 0 };
	struct suite *s, *t;
	char path[8192], other[8192];
	unsigned char d[DIGEST_BYTES];
	put("x.yaml", BASE);
	put("bad.yaml", "suite: [\n");
	struct suites *all = open_dir(&e);
	CU_ASSERT_FATAL(all != NULL);
	CHECK(suite_find(all, "x", &s, &e) == 0, "%s", e.msg);
	memcpy(d, s->digest, sizeof d);
	CHECK(suite_find(all, "y", &t, &e) != 0 && strstr(e.msg, "bad.yaml:2"), "%s", e.msg);
	snprintf(path, sizeof path, "%s/x.yaml", dir);
	CU_ASSERT(suite_find(all, path, &t, &e) == 0 && t == s);
	snprintf(other, sizeof other, "%s/none.yaml", dir);
	CHECK(suite_find(all, other, &t, &e) != 0 && e.code == E_IO, "%s", e.msg);
	suites_close(all);
	drop("bad.yaml");
	static const struct {
		const char *text;
		bool same;
	} variants[] = {
		{ "# a comment\n" BASE "title: New\nlicence: MIT\nsource: a page\n", true },
		{ "kind: generate\nsuite: x\ntarget: a\nprompt: \"q\"\nsplits:\n  test: test\ndataset:\n  id: a/b\n", true },
		{ BASE "shots: 1\n", false },
		{ BASE "target_delimiter: ''\n", false },
		{ BASE "generation: {until: [a]}\n", false },
	};
	for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
		put("x.yaml", variants[i].text);
		all = open_dir(&e);
		CHECK(suite_find(all, "x", &s, &e) == 0, "%s", e.msg);
		CHECK((memcmp(d, s->digest, sizeof d) == 0) == variants[i].same, "variant %zu", i);
		suites_close(all);
	}
	put("x.yaml", BASE "---\nsuite: z\ninclude: x.yaml\n");
	all = open_dir(&e);
	CHECK(suite_find(all, path, &s, &e) == 0 && str_is(s->name, "x"), "%s", e.msg); /* called as the file */
	suites_close(all);
	drop("x.yaml");
}

/* What the words of a definition become. */
static void test_values(void)
{
	struct err e = { 0 };
	struct suite *s;
	put("x.yaml", "suite: x\ndataset: {id: a/b, sha256: {test: " "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" "}}\n"
		      "splits: {test: test}\nkind: multiple_choice\nprompt: 5\ntarget: [no, 7]\nchoices: [no, yes, off, 1, null]\nshots: 0\n"
		      "target_delimiter: ''\nshot_delimiter: \"\\n\"\nshot_examples: [{a: 1, b: 1.5, c: true, d: null, e: 'x', f: [yes]}]\n"
		      "rows:\n  - replace: {column: [a, b], text: x, with: ''}\n  - filter: {column: a, equals: [1, two], negate: true}\n"
		      "metrics: [acc, {metric: acc_norm}]\n");
	struct suites *all = open_dir(&e);
	CHECK(suite_find(all, "x", &s, &e) == 0, "%s", e.msg);
	if (e.code == 0) {
		CU_ASSERT(s->prompt.is_int && s->prompt.i == 5 && s->target.is_list && s->target.nitems == 2 && s->target.items[1].is_int);
		CU_ASSERT(s->choices.nitems == 5 && str_is(s->choices.items[0].text, "no") && str_is(s->choices.items[2].text, "off"));
		CU_ASSERT(s->shots == 0 && s->shots_given && s->target_delimiter.n == 0 && s->shot_delimiter.n == 1);
		CU_ASSERT(s->nrows == 3 && str_is(s->rows[1].column, "b") && s->rows[1].literal && s->rows[2].negate);
		CU_ASSERT(s->nmetrics == 2 && str_is(s->metric[1].name, "acc_norm") && s->nsha256 == 1 && s->sha256[0].digest[15] == 0xff);
		struct arena a;
		arena_init(&a);
		struct str json = json_text(&a, s->shot_examples, JSON_COMPACT, -1);
		CHECK(str_is(json, "[{\"a\":1,\"b\":1.5,\"c\":true,\"d\":null,\"e\":\"x\",\"f\":[\"yes\"]}]"), "%s", json.p);
		arena_fini(&a);
	}
	suites_close(all);
	drop("x.yaml");
}

static void test_shipped(void)
{
	static const char *const names[] = { "arc_easy", "arc_challenge", "hellaswag", "piqa", "boolq", "openbookqa", "gsm8k", "mmlu", "mgsm_direct_zh",
					     "lambada_openai", "wikitext", "tiny-cloze", "gsm8k_excerpt", "mmlu_excerpt", "mmlu_stem", "mmlu_humanities",
					     "mmlu_social_sciences", "mmlu_other", "mmlu_anatomy", "mmlu_us_foreign_policy", NULL };
	char path[4096];
	struct err e = { 0 };
	struct suites *all;
	struct suite *s, **list;
	int n;
	snprintf(path, sizeof path, "%s/suites", test_srcdir());
	CHECK(suites_open(&all, (const char *const[]){ path, NULL }, &e) == 0, "%s", e.msg);
	CHECK(suites_all(all, &list, &n, &e) == 0 && n >= 74, "%d suites: %s", n, e.msg);
	for (int i = 0; names[i]; i++) {
		CHECK(suite_find(all, names[i], &s, &e) == 0, "%s", e.msg);
		CHECK(s->title.n && s->language.n && s->licence.n && s->source.n && s->version > 0, "%s lacks title, language, licence, source or version", names[i]);
		CHECK(s->chance >= 0 || s->kind == KIND_ROLLING, "%s lacks chance", names[i]);
	}
	static const struct {
		const char *group;
		int leaves;
	} groups[] = { { "mmlu", 57 }, { "mmlu_stem", 19 }, { "mmlu_humanities", 13 }, { "mmlu_social_sciences", 12 }, { "mmlu_other", 13 } };
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		CU_ASSERT(suite_find(all, groups[i].group, &s, &e) == 0 && suite_leaves(all, s, &list, &n) == 0);
		CHECK(n == groups[i].leaves, "%s has %d leaves", groups[i].group, n);
	}
	suites_close(all);
}

/* The text of a file with a few bytes changed, lost or doubled. */
static struct str mutate(struct arena *a, struct str text, unsigned long long *seed)
{
	static const char bits[] = "{}[]:,-&*!|>'\"%@`#?\n\t \\0x~\xff\xc3";
	char *p = arena_alloc(a, text.n + 64);
	size_t n = text.n;
	memcpy(p, text.p, n);
	for (int k = 1 + (int)(test_rand(seed) % 4); k > 0 && n > 8; k--) {
		size_t at = test_rand(seed) % (n - 1), len = 1 + test_rand(seed) % 8;
		switch (test_rand(seed) % 3) {
		case 0:
			p[at] = bits[test_rand(seed) % (sizeof bits - 1)];
			break;
		case 1:
			len = at + len > n ? n - at : len;
			memmove(p + at, p + at + len, n - at - len);
			n -= len;
			break;
		default:
			memmove(p + at + 1, p + at, n - at);
			n++;
		}
	}
	return (struct str){ p, n };
}

/* Damaged definitions: one sentence or a suite, never a crash. */
static void test_mutations(void)
{
	static const char *const files[] = { "hellaswag.yaml", "gsm8k.yaml", "mmlu.yaml", "wikitext.yaml", "mgsm_direct_zh.yaml", "_mmlu.yaml" };
	unsigned long long seed = test_seed();
	int loaded = 0, refused = 0;
	printf("(seed %llu) ", seed);
	for (int round = 0; round < 400; round++) {
		struct arena a;
		struct str text;
		struct suites *all;
		struct suite **list;
		struct err e = { 0 };
		int n;
		char path[4096];
		arena_init(&a);
		snprintf(path, sizeof path, "%s/suites/%s", test_srcdir(), files[test_rand(&seed) % 6]);
		if (file_load(&a, path, 1 << 20, &text, &e) == 0) {
			text = mutate(&a, text, &seed);
			FILE *f = fopen(arena_printf(&a, "%s/x.yaml", dir).p, "wb");
			fwrite(text.p, 1, text.n, f);
			fclose(f);
			all = open_dir(&e);
			CU_ASSERT_FATAL(all != NULL);
			int rc = suites_all(all, &list, &n, &e);
			CHECK(rc == 0 || (e.msg[0] && strstr(e.msg, "x.yaml")), "round %d: '%s'", round, e.msg);
			*(rc ? &refused : &loaded) += 1;
			suites_close(all);
		}
		arena_fini(&a);
	}
	drop("x.yaml");
	CHECK(refused > 100 && loaded + refused == 400, "%d loaded, %d refused", loaded, refused);
}

/* The table says of itself what it must. */
static void test_table(void)
{
	int n = 0;
	for (const struct schema_key *k = schema_keys(); k->key; k++, n++) {
		CHECK(*k->type && *k->text && k->text[strlen(k->text) - 1] == '.', "%s: no type, or no sentence", k->key);
		for (const struct schema_key *j = schema_keys(); j != k; j++)
			CHECK(strcmp(j->key, k->key) != 0, "%s is there twice", k->key);
	}
	CU_ASSERT(n > 60);
}

static void cell(struct buf *b, const char *s)
{
	for (; *s; s++)
		buf_puts(b, *s == '|' ? "\\|" : (char[]){ *s, 0 });
}

/* suites/README.md has the table as it is. */
static void test_readme(void)
{
	char path[4096];
	struct arena a;
	struct str text;
	struct err e = { 0 };
	arena_init(&a);
	snprintf(path, sizeof path, "%s/suites/README.md", test_srcdir());
	CHECK(file_load(&a, path, 1 << 20, &text, &e) == 0, "%s", e.msg);
	for (const struct schema_key *k = schema_keys(); k->key && !e.code; k++) {
		struct buf b = { 0 };
		buf_printf(&b, "| `%s` | ", k->key);
		cell(&b, k->type);
		buf_puts(&b, " | ");
		if (*k->def) {
			buf_putc(&b, '`');
			cell(&b, k->def);
			buf_putc(&b, '`');
		}
		buf_puts(&b, " | ");
		cell(&b, k->text);
		buf_puts(&b, " |\n");
		CHECK(strstr(text.p, b.p), "suites/README.md lacks: %s", b.p);
		buf_fini(&b);
	}
	arena_fini(&a);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "mistakes and their sentences", test_mistakes },
					     { "bytes that are no YAML", test_bytes },
					     { "include, each, groups", test_include_and_each },
					     { "include that leads astray", test_include_traps },
					     { "names, paths, digests", test_lookup },
					     { "values", test_values },
					     { "shipped suites load", test_shipped },
					     { "damaged definitions", test_mutations },
					     { "the table of keys", test_table },
					     { "the table in suites/README.md", test_readme },
					     { NULL, NULL } };
	snprintf(dir, sizeof dir, "%s", test_tmpdir());
	int rc = test_main("suite", tests, argc, argv);
	test_rmdir(dir);
	return rc;
}
