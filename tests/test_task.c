/* test_task.c - requests of small suites against those of lm-evaluation-harness's own code (golden/make_task.py), and what
 * assay adds: errors that name the document, --docs and --limit, stand-in splits, the native profile's shots. */
#include "tests/test.h"

#include "harness/task.h"
#include "kernels/base/log.h"
#include "runners/text/json.h"

static char dir[4096];
static struct arena all; /* the golden file and paths */

static const char *in_dir(const char *name)
{
	return arena_printf(&all, "%s/%s", dir, name).p;
}

static void put(const char *path, struct str text)
{
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(text.p, 1, text.n, f) != text.n || fclose(f)) {
		perror(path);
		exit(99);
	}
}

static void put_rows(const char *path, const struct value *v, size_t n)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < n; i++) {
		json_write(&b, v[i], 0, -1);
		buf_putc(&b, '\n');
	}
	put(path, (struct str){ b.p ? b.p : "", b.n });
	buf_fini(&b);
}

/* A suite from a definition (JSON is YAML), in a collection of its own. */
static int load(struct suites **suites, struct suite **s, struct str definition, struct err *e)
{
	const char *path = in_dir("x.yaml");
	put(path, definition);
	if (suites_open(suites, (const char *const[]){ dir, NULL }, e))
		return -1;
	return suite_find(*suites, path, s, e);
}

static struct settings plain(const char *profile)
{
	return (struct settings){ .profile = profile_find(profile, NULL), .shots = -1, .seed = -1, .multiturn = UNSET };
}

/* ==== Golden ==== */

static int number(struct value d, const char *key, int def)
{
	const struct value *v = v_getc(d, key);
	return v && v->type == V_INT ? (int)v->i : def;
}

static bool flag(struct value d, const char *key)
{
	const struct value *v = v_getc(d, key);
	return v && v->type == V_BOOL && v->b;
}

static struct settings settings_of(struct value d)
{
	struct settings set = plain("lm-eval-0.4.13");
	const struct value *docs = v_getc(d, "docs"), *system = v_getc(d, "system");
	set.shots = number(d, "shots", -1);
	set.seed = number(d, "seed", -1);
	set.limit = (size_t)number(d, "limit", 0);
	set.chat = flag(d, "chat");
	if (set.chat)
		set.multiturn = flag(d, "multiturn") ? ON : OFF;
	set.system = system ? system->s.p : NULL;
	if (docs) {
		struct docs_range *r = ARENA_ARRAY(&all, docs->list->n, struct docs_range);
		for (size_t i = 0; i < docs->list->n; i++)
			r[i].first = r[i].last = (size_t)docs->list->v[i].i;
		set.docs = r;
		set.ndocs = (int)docs->list->n;
	}
	return set;
}

/* The messages as make_task.py's template writes them. */
static struct str messages_json(struct arena *a, const struct prompt *p)
{
	struct value l = v_list(a, 2), m = v_list(a, (size_t)p->nmessages);
	for (int i = 0; i < p->nmessages; i++) {
		struct value one = v_dict(a);
		v_set(a, one, STR("role"), v_str(p->messages[i].role));
		v_set(a, one, STR("content"), v_str(p->messages[i].content));
		v_push(a, m, one);
	}
	v_push(a, l, m);
	v_push(a, l, v_bool(p->add_generation_prompt));
	CU_ASSERT(p->continue_final_message == !p->add_generation_prompt);
	return json_text(a, l, JSON_COMPACT, -1);
}

static void same(const char *name, size_t doc, const char *what, struct str want, struct str got)
{
	CHECK(str_eq(want, got), "%s: document %zu: %s: wanted '%s', got '%.*s'", name, doc, what, want.p, (int)got.n, got.p);
}

static void compare_request(const char *name, struct arena *a, size_t doc, struct value want, const struct request *q)
{
	const struct list *w = want.list;
	same(name, doc, "context", w->v[0].s, q->context.nmessages ? messages_json(a, &q->context) : q->context.text);
	if (w->n < 2) {
		CU_ASSERT(q->ask == ASK_ROLLING);
		return;
	}
	if (w->v[1].type == V_STR) {
		CU_ASSERT(q->ask == ASK_LOGLIK);
		same(name, doc, "continuation", w->v[1].s, q->continuation);
		return;
	}
	const struct value *until = v_getc(w->v[1], "until");
	CHECK(q->ask == ASK_GENERATE && (size_t)q->decode.nuntil == until->list->n, "%s: %d stops", name, q->decode.nuntil);
	for (int i = 0; i < q->decode.nuntil; i++)
		same(name, doc, "stop", until->list->v[i].s, q->decode.until[i]);
}

static void compare_item(const char *name, struct arena *a, size_t i, struct value want, const struct item *it)
{
	char hex[DIGEST_HEX];
	const struct value *req = v_getc(want, "requests");
	digest_hex(it->doc_hash, hex);
	same(name, i, "doc_hash", v_getc(want, "doc_hash")->s, str_of(hex));
	same(name, i, "target", v_getc(want, "target")->s, v_text(a, it->target));
	CHECK(req->list->n == (size_t)it->nreq, "%s: %d requests, not %zu", name, it->nreq, req->list->n);
	for (int k = 0; k < it->nreq && (size_t)k < req->list->n; k++)
		compare_request(name, a, i, req->list->v[k], &it->req[k]);
}

static void run_case(struct value c, const struct value *rowsets)
{
	struct arena a;
	struct suites *suites = NULL;
	struct suite *s;
	struct task *t = NULL;
	struct item it;
	struct err e = { 0 };
	const char *name = v_getc(c, "name")->s.p;
	const struct value *docs = v_getc(c, "docs"), rows = rowsets[v_getc(c, "rows")->i];
	struct settings set = settings_of(*v_getc(c, "settings"));
	struct data_file f[8];
	struct data_sources d = { .file = f, .nfiles = (int)rows.dict->n };
	arena_init(&a);
	int rc = load(&suites, &s, json_text(&a, *v_getc(c, "suite"), 0, -1), &e);
	for (size_t i = 0; rc == 0 && i < rows.dict->n; i++) {
		const struct pair *p = &rows.dict->v[i];
		f[i] = (struct data_file){ s->name.p, p->key.s.p, arena_printf(&a, "%s/%s.jsonl", dir, p->key.s.p).p };
		put_rows(f[i].path, p->val.list->v, p->val.list->n);
	}
	if (rc == 0)
		rc = task_open(&t, s, &set, &d, &e);
	CHECK(rc != 0 || task_size(t) == docs->list->n, "%s: %zu documents, not %zu", name, task_size(t), docs->list->n);
	for (size_t i = 0; rc == 0 && i < docs->list->n; i++) {
		rc = task_next(t, &a, &it, &e) == 1 ? 0 : -1;
		if (rc == 0)
			compare_item(name, &a, i, docs->list->v[i], &it);
	}
	CHECK(rc == 0, "%s: %s", name, e.msg);
	CU_ASSERT(rc != 0 || task_next(t, &a, &it, &e) == 0);
	task_close(t);
	suites_close(suites);
	arena_fini(&a);
}

static void test_golden(void)
{
	struct value golden;
	struct err e = { 0 };
	char path[4096];
	snprintf(path, sizeof path, "%s/tests/golden/task.json", test_srcdir());
	CHECK(json_load(&all, path, 1 << 24, &golden, &e) == 0, "%s", e.msg);
	if (e.code)
		return;
	const struct list *cases = v_getc(golden, "cases")->list;
	for (size_t i = 0; i < cases->n; i++)
		run_case(cases->v[i], v_getc(golden, "rows")->list->v);
	CHECK(cases->n > 300, "only %zu cases", cases->n);
}

/* ==== What is ours ==== */

#define HEAD "suite: x\ndataset: {id: golden/rows}\n"
#define CHOICE HEAD "splits: {test: test, validation: validation, train: train}\nkind: multiple_choice\nprompt: \"{{q}}\"\ntarget: g\nchoices: c\n"

static void write_split(const char *split, int n, int first)
{
	struct buf b = { 0 };
	for (int i = first; i < first + n; i++)
		buf_printf(&b, "{\"id\":\"i%d\",\"q\":\"Question %d?\",\"c\":[\"a%d\",\"b\"],\"g\":%d,\"n\":null}\n", i, i, i, i % 2);
	put(arena_printf(&all, "%s/data/golden__rows/default/%s.jsonl", dir, split).p, (struct str){ b.p, b.n });
	buf_fini(&b);
}

static struct data_sources folder(void)
{
	const char **dirs = ARENA_ARRAY(&all, 2, const char *);
	dirs[0] = in_dir("data");
	return (struct data_sources){ .dirs = dirs };
}

static void make_folder(void)
{
	char cmd[3 * sizeof dir];
	snprintf(cmd, sizeof cmd, "rm -rf '%s/data'; mkdir -p '%s/data/golden__rows/default'", dir, dir);
	CU_ASSERT_FATAL(system(cmd) == 0);
}

/* The first error of going through a suite; NULL when there is none. */
static const char *first_error(const char *definition, const struct settings *set, const struct data_sources *d, struct err *e)
{
	struct suites *suites = NULL;
	struct suite *s;
	struct task *t = NULL;
	struct item it;
	struct arena a;
	int rc;
	arena_init(&a);
	*e = (struct err){ 0 };
	rc = load(&suites, &s, str_of(definition), e) || task_open(&t, s, set, d, e) ? -1 : 1;
	while (rc == 1)
		rc = task_next(t, &a, &it, e);
	task_close(t);
	suites_close(suites);
	arena_fini(&a);
	return rc ? e->msg : NULL;
}

static void test_errors(void)
{
	static const struct {
		const char *extra, *want; /* of CHOICE with these keys in place of its own */
	} cases[] = {
		{ "target: 7", "suite x: " },
		{ "target: 7", "document 0: target: choice 7 is out of range: there are 2 choices" },
		{ "target: -1", "document 0: target: choice -1 is out of range" },
		{ "target: '{{q}}'", "document 0: target 'Question 0?' is none of the 2 choices" },
		{ "target: n", "target must be the number or the text of a choice, not a NoneType" },
		{ "target: '{{nope}}'", "; the columns are: id, q, c, g, n" },
		{ "target: '{{nope}}'", "document 0: target: " },
		{ "target: '{{id.x.y}}'", "document 0: target: " },
		{ "choices: '{{q}}'", "document 0: choices: " },
		{ "choices: q", "document 0: choices: choices must give a list, not a str" },
		{ "choices: '{{[1, 2]}}'", "document 0: choices: choice 0 is a int, not text" },
		{ "choices: '{{[]}}'", "document 0: choices: choices gave a list of 0" },
		{ "prompt: n", "prompt must give text, not a NoneType" },
		{ "prompt: g", "document 0: target must give text where the choices are the contexts, not a int" },
		{ "choices: c\ntarget: q\nprompt: '{{g + 5}}'", "document 0: target: choice 5 is out of range: there are 2 choices" },
		{ "description: g\nprompt: c", "prompt must give text, not a list" },
		{ "description: c", "description must give text, not a list" },
		{ "shots: 9", "9 shots are wanted, the pool has 4 documents to draw from" },
		{ "shots: 9\nshot_sampler: first_n", "9 shots are wanted, the pool has 4 documents to draw from" },
	};
	struct err e;
	struct data_sources d = folder();
	struct settings set = plain("native");
	make_folder();
	write_split("test", 3, 0);
	write_split("train", 4, 10);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf b = { 0 };
		const char *line = CHOICE;
		for (; *line; line += strcspn(line, "\n") + 1)
			if (!strstr(cases[i].extra, arena_cstr(&all, (struct str){ line, strcspn(line, ":") + 1 })))
				buf_add(&b, line, strcspn(line, "\n") + 1);
		buf_puts(&b, cases[i].extra);
		buf_putc(&b, '\n');
		const char *msg = first_error(b.p, &set, &d, &e);
		CHECK(msg && strstr(msg, cases[i].want) && (strstr(msg, "test.jsonl") || strstr(msg, "shots")), "case %zu: wanted '%s', got '%s'", i,
		      cases[i].want, msg ? msg : "no error");
		buf_fini(&b);
	}
	/* the lm-eval profiles score such a document as wrong */
	set = plain("lm-eval-0.4.13");
	int before = log_warnings();
	log_set_level(LOG_QUIET);
	CHECK(!first_error(HEAD "splits: {test: test}\nkind: multiple_choice\nprompt: q\ntarget: 7\nchoices: c\n", &set, &d, &e), "%s", e.msg);
	CU_ASSERT(log_warnings() == before + 3);
}

static void test_documents(void)
{
	static const struct docs_range two[] = { { 0, 0 }, { 2, 3 } }, past[] = { { 1, 5 } };
	struct err e;
	struct data_sources d = folder();
	struct settings set = plain("native");
	struct suites *suites;
	struct suite *s;
	struct task *t;
	struct item it;
	struct arena a;
	arena_init(&a);
	make_folder();
	write_split("test", 5, 0);
	set.docs = past;
	set.ndocs = 1;
	const char *msg = first_error(CHOICE, &set, &d, &e);
	CHECK(msg && strstr(msg, "there is no document 5: split 'test' has 5 (0 to 4)") && e.code == E_USAGE, "%s", e.msg);
	set.limit = 2;
	msg = first_error(CHOICE, &set, &d, &e);
	CHECK(msg && strstr(msg, "--docs and --limit exclude each other"), "%s", e.msg);
	struct data_file wrong = { "x", "tset", "y.jsonl" };
	d.file = &wrong;
	d.nfiles = 1;
	set = plain("native");
	msg = first_error(CHOICE, &set, &d, &e);
	CHECK(msg && strstr(msg, "suite x has no split 'tset', did you mean 'test'?"), "%s", e.msg);
	d.nfiles = 0;
	set.docs = two;
	set.ndocs = 2;
	CHECK(load(&suites, &s, STR(CHOICE), &e) == 0 && task_open(&t, s, &set, &d, &e) == 0, "%s", e.msg);
	CU_ASSERT(task_size(t) == 3 && !strcmp(task_split(t), "test") && task_shots(t) == 0 && task_files_json(t) == NULL);
	static const size_t want[] = { 0, 2, 3 };
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT(task_next(t, &a, &it, &e) == 1 && it.doc == want[i]);
		CU_ASSERT(it.doc_id.type == V_STR && it.doc_id.s.p[1] == "023"[i]);
		CU_ASSERT(it.nreq == 2 && it.req[0].context.text.p == it.req[1].context.text.p && str_is(it.req[1].continuation, " b"));
	}
	CU_ASSERT(task_next(t, &a, &it, &e) == 0);
	struct str json = settings_json(&a, &set, false, "{\"test\":\"=validation\"}");
	CHECK(str_is(json, "{\"docs\":\"0,2-3\",\"files\":{\"test\":\"=validation\"}}"), "%s", json.p);
	task_close(t);
	suites_close(suites);
	arena_fini(&a);
}

/* Splits that are not there: validation stands in for test, and the row must say so. */
static void test_standins(void)
{
	struct err e;
	struct data_sources d = folder();
	struct settings set = plain("native");
	struct suites *suites;
	struct suite *s;
	struct task *t = NULL;
	struct item it;
	struct arena a;
	const struct task_file *files = NULL;
	arena_init(&a);
	log_set_level(LOG_QUIET);
	make_folder();
	const char *msg = first_error(CHOICE, &set, &d, &e);
	CHECK(msg && strstr(msg, "no rows for split 'test' of golden/rows"), "%s", e.msg);
	write_split("validation", 4, 0);
	int before = log_warnings();
	set.shots = 3;
	CHECK(load(&suites, &s, STR(CHOICE), &e) == 0 && task_open(&t, s, &set, &d, &e) == 0, "%s", e.msg);
	CU_ASSERT(log_warnings() == before + 2 && task_files(t, &files) == 2);
	CU_ASSERT(!strcmp(files[0].split, "validation") && !strcmp(files[0].wanted, "test") && files[0].rows == 4 && !files[0].local);
	CHECK(task_files_json(t) && !strcmp(task_files_json(t), "{\"test\":\"=validation\",\"train\":\"=validation\"}"), "%s", task_files_json(t));
	/* the pool now holds the document itself: it must never be its own shot */
	for (int i = 0; i < 4; i++) {
		char self[40];
		CHECK(task_next(t, &a, &it, &e) == 1, "%s", e.msg);
		snprintf(self, sizeof self, "Question %d?", i);
		const char *first = strstr(it.req[0].context.text.p, self);
		CHECK(first && !strstr(first + 1, self), "%s", it.req[0].context.text.p);
	}
	task_close(t);
	suites_close(suites);
	struct data_file mine = { "x", "test", in_dir("mine.jsonl") };
	put(mine.path, STR("{\"q\":\"A\",\"c\":[\"x\",\"y\"],\"g\":0}\n"));
	d.file = &mine;
	d.nfiles = 1;
	set.shots = 0;
	CHECK(load(&suites, &s, STR(CHOICE), &e) == 0 && task_open(&t, s, &set, &d, &e) == 0, "%s", e.msg);
	CU_ASSERT(task_files(t, &files) == 1 && files[0].local && task_size(t) == 1 && strlen(task_files_json(t)) == 64 + 11);
	task_close(t);
	suites_close(suites);
	arena_fini(&a);
}

/* Native: the shots of a document are the same whatever else is evaluated; another seed gives others. */
static void test_native_shots(void)
{
	static const struct docs_range one = { 7, 7 };
	struct err e;
	struct data_sources d = folder();
	struct suites *suites;
	struct suite *s;
	struct arena a;
	struct str context[3] = { { 0 } };
	arena_init(&a);
	make_folder();
	write_split("test", 9, 0);
	write_split("train", 50, 100);
	CHECK(load(&suites, &s, STR(CHOICE), &e) == 0, "%s", e.msg);
	for (int i = 0; i < 3; i++) {
		struct settings set = plain("native");
		struct task *t;
		struct item it;
		set.shots = 5;
		set.seed = i == 2 ? 99 : -1;
		set.docs = &one;
		set.ndocs = i > 0;
		CHECK(task_open(&t, s, &set, &d, &e) == 0, "%s", e.msg);
		while (task_next(t, &a, &it, &e) == 1)
			if (it.doc == 7)
				context[i] = it.req[0].context.text;
		task_close(t);
	}
	CU_ASSERT(context[0].n > 50 && str_eq(context[0], context[1]) && !str_eq(context[0], context[2]));
	suites_close(suites);
	arena_fini(&a);
}

static void test_requests(void)
{
	struct err e;
	struct data_sources d = folder();
	struct settings set = plain("lm-eval-0.4.9.1");
	struct suites *suites;
	struct suite *s;
	struct task *t = NULL;
	struct item it;
	struct arena a;
	arena_init(&a);
	make_folder();
	write_split("test", 1, 0);
	set.max_tokens = 17;
	set.date = "2026-02-03";
	CHECK(load(&suites, &s, STR(HEAD "splits: {test: test}\nkind: generate\nprompt: q\ntarget: q\nrepeats: 3\n"
				    "generation: {until: [a, b], max_tokens: 9, temperature: 0.5, top_p: 0.9, top_k: 4, min_p: 0.1, repetition_penalty: 1.2}\n"), &e) == 0 &&
		      task_open(&t, s, &set, &d, &e) == 0 && task_next(t, &a, &it, &e) == 1,
	      "%s", e.msg);
	CU_ASSERT(it.nreq == 3 && it.req[2].ask == ASK_GENERATE && it.req[2].decode.sample == 2 && it.req[2].decode.max_tokens == 17);
	CU_ASSERT(it.req[0].decode.temperature == 0.5 && it.req[0].decode.top_p == 0.9 && it.req[0].decode.top_k == 4 && it.req[0].decode.nuntil == 2);
	CU_ASSERT(it.req[0].decode.min_p == 0.1 && it.req[0].decode.repetition_penalty == 1.2);
	CU_ASSERT(it.req[0].encode.bos == BOS_OFF && it.req[0].encode.split == SPLIT_LMEVAL && !strcmp(it.req[0].encode.date, "2026-02-03"));
	task_close(t);
	suites_close(suites);
	set = plain("native");
	set.bos = BOS_ON;
	CHECK(load(&suites, &s, STR(HEAD "splits: {test: test}\nkind: rolling\ntarget: '{{q}}!'\ncounted: q\nprompt: ''\n"), &e) == 0 &&
		      task_open(&t, s, &set, &d, &e) == 0 && task_next(t, &a, &it, &e) == 1,
	      "%s", e.msg);
	CU_ASSERT(it.nreq == 1 && it.req[0].ask == ASK_ROLLING && str_is(it.req[0].context.text, "Question 0?!") && str_is(it.counted, "Question 0?"));
	CU_ASSERT(it.req[0].encode.bos == BOS_ON && it.req[0].encode.split == SPLIT_NATIVE && it.nchoices == 0);
	task_close(t);
	suites_close(suites);
	struct str json = settings_json(&a, &set, true, NULL);
	CHECK(str_is(json, "{\"bos\":\"on\"}"), "%s", json.p);
	set = (struct settings){ .profile = profile_find("native", NULL), .shots = 5, .seed = 1234, .multiturn = ON, .chat = true, .date = "2025-01-01T00:00:00" };
	CU_ASSERT(str_is(settings_json(&a, &set, true, NULL), "{}"));
	set = (struct settings){ .profile = profile_find("native", NULL), .seed = 0, .multiturn = OFF, .chat = true, .date = "2026-01-01", .system = "S\"\xc3\xa9",
				 .max_tokens = 9, .generation_config = true, .sampling = { true, 0.75, 0.5, 0.125, 20, 1.25 } };
	json = settings_json(&a, &set, true, NULL);
	CHECK(str_is(json, "{\"date\":\"2026-01-01\",\"generation_config\":{\"min_p\":0.125,\"repetition_penalty\":1.25,\"temperature\":0.75,\"top_k\":20,\"top_p\":0.5},\"max_tokens\":9,\"multiturn\":\"off\",\"seed\":0,\"system\":\"S\\\"\xc3\xa9\"}"), "%s", json.p);
	set = (struct settings){ .profile = profile_find("native", NULL), .seed = -1, .max_tokens = 9 };
	CU_ASSERT(str_is(settings_json(&a, &set, false, NULL), "{}"));
	CU_ASSERT(str_is(settings_json(&a, &set, true, NULL), "{\"max_tokens\":9}"));
	struct err e2 = { 0 };
	CU_ASSERT(!profile_find("lm-eval-0.4.12", &e2) && e2.code == E_USAGE && strstr(e2.msg, "did you mean 'lm-eval-0.4.13'?"));
	arena_fini(&a);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "requests as lm-evaluation-harness makes them", test_golden },
					     { "errors name file and document", test_errors },
					     { "which documents", test_documents },
					     { "splits that stand in", test_standins },
					     { "native shots", test_native_shots },
					     { "decoding, rolling, settings", test_requests },
					     { NULL, NULL } };
	arena_init(&all);
	snprintf(dir, sizeof dir, "%s", test_tmpdir());
	int rc = test_main("task", tests, argc, argv);
	test_rmdir(dir);
	arena_fini(&all);
	return rc;
}
