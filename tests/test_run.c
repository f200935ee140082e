/* test_run.c - the main job end to end: recorded answers to rows and sample lines, the same bytes again, what fails by itself,
 * stopping and going on, a full disk; with the replay runner, and with the embedded model where answers must be computed.
 */
#include "tests/test.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/run.h"
#include "kernels/base/log.h"
#include "runners/text/json.h"

static struct arena a;
static char *dir;
static const char *const dirs[] = { NULL, NULL };

static const char *file(const char *name)
{
	return arena_printf(&a, "%s/%s", dir, name).p;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(file(name), "w");
	if (!f) {
		perror(name);
		exit(99);
	}
	fputs(text, f);
	fclose(f);
}

static struct str get(const char *path)
{
	struct buf b = { 0 };
	char block[4096];
	size_t n;
	FILE *f = fopen(path, "r");
	if (!f)
		return STR("(no file)");
	while ((n = fread(block, 1, sizeof block, f)) > 0)
		buf_add(&b, block, n);
	fclose(f);
	struct str s = arena_str(&a, b.p ? b.p : "", b.n);
	buf_fini(&b);
	return s;
}

/* SHA-256 over names and bytes of all files of a folder, but the journal and what the machine was like. */
static void digest_tree(struct digest *d, const char *path, const char *inside)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		struct str full = arena_printf(&a, "%s/%s", path, name), in = arena_printf(&a, "%s/%s", inside, name);
		struct stat st;
		if (name[0] != '.' && strncmp(name, "journal.db", 10) != 0 && strcmp(name, "environment.json") != 0 && stat(full.p, &st) == 0) {
			if (S_ISDIR(st.st_mode)) {
				digest_tree(d, full.p, in.p);
			} else {
				struct str text = get(full.p);
				digest_field(d, in.p, in.n);
				digest_field(d, text.p, text.n);
			}
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static struct str digest_of_folder(const char *name)
{
	unsigned char sum[DIGEST_BYTES];
	char hex[DIGEST_HEX];
	struct digest *d = digest_new();
	digest_tree(d, file(name), "");
	digest_end(d, sum);
	digest_hex(sum, hex);
	return arena_str(&a, hex, 64);
}

static int temporaries(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort), found = 0;
	for (int i = 0; i < n; i++) {
		struct str full = arena_printf(&a, "%s/%s", path, names[i]->d_name);
		struct stat st;
		if (names[i]->d_name[0] != '.' && stat(full.p, &st) == 0)
			found += S_ISDIR(st.st_mode) ? temporaries(full.p) : strstr(names[i]->d_name, ".tmp.") != NULL;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return found;
}

/* ---- a small world: suites, rows, recorded answers ---- */

static void make_world(void)
{
	put("quiz.yaml", "suite: quiz\nversion: 2\nlanguage: en\nlicence: MIT\nsource: here\ndataset: {id: t/quiz}\nsplits: {test: test}\nkind: multiple_choice\n"
			 "prompt: \"{{q}}\"\ntarget: answer\nchoices: choices\nmetrics: [acc, acc_norm]\n");
	put("quiz2.yaml", "suite: quiz2\nversion: 1\nlanguage: en\nlicence: MIT\nsource: here\ndataset: {id: t/quiz}\nsplits: {test: test}\nkind: multiple_choice\n"
			  "prompt: \"{{q}}\"\ntarget: answer\nchoices: choices\nmetrics: [acc]\n");
	put("both.yaml", "suite: both\nversion: 1\nlanguage: en\nlicence: MIT\nsource: here\ngroup: {members: [quiz, quiz2]}\n");
	put("sums.yaml", "suite: sums\nversion: 1\nlanguage: en\nlicence: MIT\nsource: here\ndataset: {id: t/sums}\nsplits: {test: test}\nkind: generate\n"
			 "prompt: \"{{q}} =\"\ntarget: \"{{a}}\"\nshots: 0\ngeneration: {until: [\"\\n\"], max_tokens: 5}\n"
			 "filters:\n  - name: number\n    steps:\n      - {function: regex, regex_pattern: '(\\d+)'}\n      - {function: take_first}\n"
			 "  - name: slow\n    steps:\n      - {function: regex, regex_pattern: '(a+)+$'}\n      - {function: take_first}\n"
			 "metrics: [exact_match]\n");
	put("text.yaml", "suite: text\nversion: 1\nlanguage: en\nlicence: MIT\nsource: here\ndataset: {id: t/text}\nsplits: {test: test}\nkind: rolling\n"
			 "prompt: \"\"\ntarget: page\nmetrics: [word_perplexity, byte_perplexity, bits_per_byte]\n");
	put("quiz.jsonl", "{\"id\":\"q1\",\"q\":\"One day\",\"choices\":[\"a cat\",\"the dog\"],\"answer\":0}\n{\"id\":\"q2\",\"q\":\"One day\",\"choices\":[\"a cat\",\"xyz\"],\"answer\":1}\n"
			  "{\"id\":\"q3\",\"q\":\"She said\",\"choices\":[\"yes\",\"no\"],\"answer\":1}\n{\"id\":\"q4\",\"q\":\"He ran\",\"choices\":[\"fast\",\"slow\"],\"answer\":0}\n");
	put("sums.jsonl", "{\"q\":\"1 + 1\",\"a\":2}\n{\"q\":\"2 + 2\",\"a\":4}\n{\"q\":\"3 + 3\",\"a\":6}\n{\"q\":\"4 + 4\",\"a\":8}\n");
	put("text.jsonl", "{\"page\":\"Once upon a time there was a cat.\"}\n{\"page\":\"The sun was big and the sky was blue.\"}\n");
	put("replay.jsonl", "{\"suite\":\"quiz\",\"doc_id\":\"q1\",\"resps\":[[-1.5,true],[-2.25,false]]}\n{\"suite\":\"quiz\",\"doc_id\":\"q2\",\"resps\":[[-1,false],[-3,false]]}\n"
			    "{\"suite\":\"quiz\",\"doc_id\":\"q3\",\"resps\":[[-1,false]]}\n"
			    "{\"suite\":\"quiz2\",\"doc_id\":\"q1\",\"resps\":[[-1,false],[-3,false]]}\n{\"suite\":\"quiz2\",\"doc_id\":\"q2\",\"resps\":[[-1,false],[-3,false]]}\n"
			    "{\"suite\":\"quiz2\",\"doc_id\":\"q3\",\"resps\":[[-1,false],[-3,false]]}\n{\"suite\":\"quiz2\",\"doc_id\":\"q4\",\"resps\":[[-1,false],[-3,false]]}\n"
			    "{\"suite\":\"sums\",\"doc_id\":0,\"resps\":[\"it is 2.\"]}\n{\"suite\":\"sums\",\"doc_id\":1,\"resps\":[\"\\\"five\\\"\\n\"]}\n"
			    "{\"suite\":\"sums\",\"doc_id\":2,\"resps\":[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\"]}\n{\"suite\":\"sums\",\"doc_id\":3,\"resps\":[\"8 8\"]}\n"
			    "{\"suite\":\"text\",\"doc_id\":0,\"resps\":[-40.5]}\n{\"suite\":\"text\",\"doc_id\":1,\"resps\":[-60]}\n");
}

struct world {
	struct suites *suites;
	struct suite *suite[8];
	struct data_file files[8];
	struct run_model model;
	struct run_opts o;
	const char *paths[2];
};

/* suites: names without .yaml, NULL-ended */
static void open_world(struct world *w, const char *out, const char *model, const char *const *names)
{
	static const char *const data[][2] = { { "quiz", "quiz.jsonl" }, { "quiz2", "quiz.jsonl" }, { "sums", "sums.jsonl" }, { "text", "text.jsonl" } };
	struct err e = { 0 };
	*w = (struct world){ .paths = { dir, NULL } };
	CHECK(suites_open(&w->suites, w->paths, &e) == 0, "%s", e.msg);
	for (int i = 0; names[i]; i++)
		CHECK(suite_find(w->suites, names[i], &w->suite[w->o.nsuites++], &e) == 0, "%s: %s", names[i], e.msg);
	for (int i = 0; i < 4; i++)
		w->files[i] = (struct data_file){ data[i][0], "test", file(data[i][1]) };
	w->model = (struct run_model){ .path = file("replay.jsonl"), .name = "recorded" };
	w->o.runner.kind = "replay";
	if (model) {
		w->model = (struct run_model){ .path = arena_printf(&a, "%s/suites/models/%s", test_srcdir(), model).p, .name = model };
		w->o.runner = (struct runner_opts){ .kind = "engine", .device = "cpu", .threads = 1, .max_level = CPU_AVX512BF16 };
	}
	w->o.out = file(out);
	w->o.model = &w->model;
	w->o.nmodels = 1;
	w->o.suite = w->suite;
	w->o.data = (struct data_sources){ .dirs = dirs, .file = w->files, .nfiles = 4 };
	w->o.set = (struct settings){ .profile = profile_find("native", NULL), .shots = -1, .seed = -1, .multiturn = UNSET };
}

static void run_world(struct world *w, struct run_summary *s)
{
	struct err e = { 0 };
	CHECK(run_all(&w->o, s, &e) == 0, "%s", e.msg);
}

static const struct row *find_row(const struct row *r, size_t n, const char *suite, const char *metric, const char *filter)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(r[i].suite, suite) && str_is(r[i].metric, metric) && (!filter || str_is(r[i].filter, filter)))
			return &r[i];
	CHECK(0, "no row %s %s", suite, metric);
	static const struct row none;
	return &none;
}

static const char *sample_path(const char *out, const struct row *r, const char *suite)
{
	return arena_printf(&a, "%s/%s/runs/%s/samples/%s.jsonl", dir, out, r->run_id.p, suite).p;
}

static struct value line_of(struct str text, int number)
{
	struct value v = { 0 };
	struct err e;
	const char *p = text.p;
	for (int i = 0; i < number && p; i++)
		p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL;
	CU_ASSERT_FATAL(p != NULL);
	const char *end = strchr(p, '\n');
	CHECK(end && json_parse(&a, (struct str){ p, (size_t)(end - p) }, "line", &v, &e) == 0, "line %d", number);
	return v;
}

static void test_replay(void)
{
	static const char *const names[] = { "both", "sums", "text", NULL };
	struct world w;
	struct run_summary s;
	struct row *r;
	size_t n;
	struct err e = { 0 };
	open_world(&w, "replay", NULL, names);
	run_world(&w, &s);
	CHECK(s.requests == 22 && s.computed == 19 && s.answered_before == 0 && s.failed == 4, "%zu requests, %zu computed, %zu before, %zu failed", s.requests,
	      s.computed, s.answered_before, s.failed); /* three answers are not there; one text is too much for a filter */
	CHECK(results_read(arena_printf(&a, "%s/replay/leaderboard.csv", dir).p, &a, &r, &n, &e) == 0 && n == 10, "%s, %zu rows", e.msg, n);
	const struct row *quiz = find_row(r, n, "quiz", "acc", NULL), *both = find_row(r, n, "both", "acc", NULL), *sums = find_row(r, n, "sums", "exact_match", "number"),
			 *text = find_row(r, n, "text", "bits_per_byte", NULL), *quiz2 = find_row(r, n, "quiz2", "acc", NULL);
	CU_ASSERT(quiz->value == 0.5 && quiz->n == 2 && quiz->n_failed == 2 && str_is(quiz->suite_version, "2"));
	CU_ASSERT(quiz2->value == 0.5 && quiz2->n == 4 && quiz2->n_failed == 0);
	CU_ASSERT(both->value == 0.5 && both->n == 6 && both->n_failed == 2 && str_eq(both->run_id, quiz->run_id));
	CHECK(sums->value == 2.0 / 3 && sums->n == 3 && sums->n_failed == 1 && sums->n_unparsed == 1, "%g of %ld, %ld unparsed", sums->value, sums->n, sums->n_unparsed);
	CHECK(text->value > 0 && text->n == 2, "%g", text->value);
	CU_ASSERT(strstr(quiz->settings.p, "\"files\":") != NULL);

	struct str lines = get(sample_path("replay", quiz, "quiz"));
	CHECK(str_starts(lines, STR("{\"suite\":\"quiz\",\"doc\":0,\"doc_id\":\"q1\",\"doc_hash\":\"")), "%.80s", lines.p);
	CU_ASSERT(strstr(lines.p, "\"target\":0,\"requests\":[{\"kind\":\"loglik\",\"context\":\"One day\",\"continuation\":\" a cat\",\"ids_context\":0,\"ids_continuation\":0,"
				  "\"logprob\":-1.5,\"ntokens\":0,\"greedy\":true},{") != NULL);
	CU_ASSERT(strstr(lines.p, "\"filtered\":{},\"metrics\":{\"acc,none\":1,\"acc_norm,none\":1},\"status\":\"ok\"}\n") != NULL);
	struct value third = line_of(lines, 2), fourth = line_of(lines, 3);
	CU_ASSERT(str_is(v_getc(third, "status")->s, "failed") && strstr(v_getc(third, "error")->s.p, "number 2 is asked for"));
	CU_ASSERT(v_getc(third, "requests")->list->n == 2 && v_getc(third, "metrics")->dict->n == 0);
	CU_ASSERT(str_is(v_getc(fourth, "status")->s, "failed") && strstr(v_getc(fourth, "error")->s.p, "no answers for document 'q4'"));
	lines = get(sample_path("replay", sums, "sums"));
	CU_ASSERT(strstr(lines.p, "\"text\":\"it is 2.\",\"ntokens\":0,\"stop\":\"none\"}],\"filtered\":{\"number\":[\"2\"],\"slow\":[\"[invalid]\"]},"
				  "\"metrics\":{\"exact_match,number\":1,\"exact_match,slow\":0},\"status\":\"ok\"}\n") != NULL);
	third = line_of(lines, 2);
	CU_ASSERT(str_is(v_getc(third, "status")->s, "failed") && strstr(v_getc(third, "error")->s.p, "filter slow: pattern '(a+)+$'"));
	lines = get(sample_path("replay", text, "text"));
	CU_ASSERT(strstr(lines.p, "\"requests\":[{\"kind\":\"rolling\",\"text\":\"Once upon a time there was a cat.\",\"windows\":[],\"logprob\":-40.5,\"ntokens\":0}]") != NULL);
	CU_ASSERT(strstr(lines.p, "\"word_perplexity,none\":[-40.5,8],\"byte_perplexity,none\":[-40.5,33]") != NULL);

	struct str before = digest_of_folder("replay");
	run_world(&w, &s);
	CHECK(s.computed == 0 && s.answered_before == 19, "the same again: %zu computed", s.computed);
	CU_ASSERT(str_eq(before, digest_of_folder("replay")));
	w.o.set.limit = 2;
	run_world(&w, &s);
	CU_ASSERT(s.computed == 0 && s.requests == 12);
	CHECK(results_read(arena_printf(&a, "%s/replay/leaderboard.csv", dir).p, &a, &r, &n, &e) == 0 && n == 20, "%zu rows", n); /* beside the others */
	suites_close(w.suites);
}

/* The inputs decide the run id; names and threads do not. */
static void test_run_id(void)
{
	static const char *const names[] = { "quiz2", NULL };
	struct world w;
	struct run_summary s;
	struct str ids[6];
	for (int i = 0; i < 6; i++) {
		struct row *r;
		size_t n;
		struct err e = { 0 };
		const char *out = arena_printf(&a, "id%d", i).p;
		open_world(&w, out, NULL, names);
		w.model.name = i == 1 ? "other" : "recorded";
		w.o.runner.threads = i == 1 ? 3 : 1;
		w.o.set.limit = i == 2 ? 3 : 0;
		w.o.set.seed = i == 3 ? 7 : -1;
		w.o.set.profile = profile_find(i == 4 ? "lm-eval-0.4.13" : "native", NULL);
		if (i == 5)
			put("quiz.jsonl", arena_printf(&a, "%s\n", get(file("quiz.jsonl")).p).p); /* other bytes, same rows */
		run_world(&w, &s);
		CHECK(results_read(arena_printf(&a, "%s/%s/leaderboard.csv", dir, out).p, &a, &r, &n, &e) == 0 && n == 1, "%s", e.msg);
		ids[i] = r[0].run_id;
		CU_ASSERT(ids[i].n == 16);
		struct value m;
		CHECK(json_load(&a, arena_printf(&a, "%s/%s/runs/%s/manifest.json", dir, out, ids[i].p).p, 1 << 20, &m, &e) == 0, "%s", e.msg);
		struct str inputs = json_text(&a, *v_getc(m, "inputs"), JSON_SORT | JSON_COMPACT, -1);
		unsigned char d[DIGEST_BYTES];
		char hex[DIGEST_HEX];
		digest_of(inputs.p, inputs.n, d);
		digest_hex(d, hex);
		CHECK(!strncmp(hex, ids[i].p, 16), "the manifest's inputs give %s", hex);
		suites_close(w.suites);
	}
	make_world();
	CU_ASSERT(str_eq(ids[0], ids[1]));
	for (int i = 2; i < 6; i++)
		CHECK(!str_eq(ids[0], ids[i]), "case %d has the same run id", i);
}

/* ---- with the embedded model ---- */

static volatile int stop;
static size_t stop_after;

static void on_progress(void *ctx, const struct progress *p)
{
	if (stop_after && p->done >= stop_after)
		stop = 2;
}

static void test_engine(void)
{
	static const char *const names[] = { "quiz", "quiz2", "sums", "text", NULL }, *const reversed[] = { "text", "sums", "quiz2", "quiz", NULL };
	struct world w;
	struct run_summary s;
	open_world(&w, "engine", "stories260k", names);
	run_world(&w, &s);
	/* quiz and quiz2 ask the same 8 requests; q1 and q2 share one of them */
	CHECK(s.requests == 22 && s.computed == 13 && s.failed == 0, "%zu requests, %zu computed, %zu failed", s.requests, s.computed, s.failed);
	struct str want = digest_of_folder("engine");
	run_world(&w, &s);
	CHECK(s.computed == 0 && s.answered_before == 22, "%zu computed again", s.computed);
	CU_ASSERT(str_eq(want, digest_of_folder("engine")));
	suites_close(w.suites);
	open_world(&w, "engine2", "stories260k", reversed);
	w.o.runner.threads = 2;
	w.o.runner.batch_rows = 7;
	run_world(&w, &s);
	CHECK(str_eq(want, digest_of_folder("engine2")), "threads, batches or the order of suites change bytes");
	suites_close(w.suites);

	struct run_view view = { .progress = on_progress, .stop = &stop };
	struct err e = { 0 };
	size_t before = 0;
	open_world(&w, "stopped", "stories260k", names);
	w.o.view = &view;
	w.o.runner.batch_rows = 8;
	for (int round = 0; round < 3; round++) {
		stop = 0;
		stop_after = 3;
		int r = run_all(&w.o, &s, &e);
		if (r == 0)
			break;
		CHECK(r == -1 && e.code == E_STOPPED, "round %d: %d %s", round, e.code, e.msg);
	}
	stop = 0;
	stop_after = 0;
	before = s.answered_before;
	run_world(&w, &s);
	CHECK(s.answered_before > before || s.computed < 13, "nothing was kept");
	CHECK(str_eq(want, digest_of_folder("stopped")), "stopping and going on changes bytes");
	suites_close(w.suites);
}

/* Files may have 30 kB: the run fails with a sentence, nothing is half-written, and afterwards the same command gives what it should. */
static void test_full_disk(void)
{
	static const char *const names[] = { "quiz", "sums", NULL };
	struct world w;
	struct run_summary s;
	struct err e = { 0 };
	int status;
	open_world(&w, "whole", NULL, names);
	run_world(&w, &s);
	suites_close(w.suites);
	for (unsigned limit = 0; limit < 40000; limit = limit ? limit * 3 : 400) {
		pid_t pid = fork();
		if (pid == 0) {
			struct rlimit lim = { limit, limit };
			open_world(&w, "disk", NULL, names);
			signal(SIGXFSZ, SIG_IGN);
			setrlimit(RLIMIT_FSIZE, &lim);
			_exit(run_all(&w.o, &s, &e) == 0 ? 0 : e.code == E_IO && strstr(e.msg, "disk/") ? 1 : 2);
		}
		waitpid(pid, &status, 0);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 2, "limit %u: ended with %d", limit, status);
		CHECK(limit > 10000 || WEXITSTATUS(status) == 1, "limit %u was enough", limit);
		CU_ASSERT_EQUAL(temporaries(file("disk")), 0);
	}
	open_world(&w, "disk", NULL, names);
	run_world(&w, &s);
	CU_ASSERT(str_eq(digest_of_folder("whole"), digest_of_folder("disk")));
	suites_close(w.suites);
}

static void test_errors(void)
{
	static const char *const names[] = { "quiz", NULL };
	struct world w;
	struct run_summary s;
	struct err e = { 0 };
	open_world(&w, "errors", NULL, names);
	w.model.path = file("absent.jsonl");
	CHECK(run_all(&w.o, &s, &e) == -1 && strstr(e.msg, "absent.jsonl"), "%s", e.msg);
	w.model.path = file("replay.jsonl");
	w.files[0].path = file("absent.jsonl");
	CHECK(run_all(&w.o, &s, &e) == -1 && strstr(e.msg, "absent.jsonl"), "%s", e.msg);
	w.files[0].path = file("quiz.jsonl");
	put("blocked", "a file");
	w.o.out = file("blocked/x");
	CHECK(run_all(&w.o, &s, &e) == -1 && e.code == E_IO && strstr(e.msg, "blocked"), "%s", e.msg);
	w.o.out = file("errors");
	put("errors/journal.db", "this is no database, and it is long enough to be seen as one that is damaged .....................................................");
	CHECK(run_all(&w.o, &s, &e) == -1 && strstr(e.msg, "not a journal"), "%s", e.msg);
	CU_ASSERT(access(file("errors/leaderboard.csv"), F_OK) != 0);
	suites_close(w.suites);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "recorded answers to rows", test_replay }, { "run id", test_run_id }, { "computed answers", test_engine },
					     { "full disk", test_full_disk }, { "errors", test_errors }, { NULL, NULL } };
	log_set_level(LOG_QUIET);
	arena_init(&a);
	dir = test_tmpdir();
	make_world();
	int r = test_main("run", tests, argc, argv);
	test_rmdir(dir);
	arena_fini(&a);
	return r;
}
