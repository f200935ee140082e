/* test_replay.c - recorded answers given back, and files that are not what they should be.
 */
#include "runners/runner.h"
#include "tests/test.h"

static struct runner *open_text(const char *text, struct err *e)
{
	char *dir = test_tmpdir(), path[4200];
	snprintf(path, sizeof path, "%s/recorded.jsonl", dir);
	FILE *f = fopen(path, "wb");
	fputs(text, f);
	fclose(f);
	struct runner *r = NULL;
	struct runner_opts o = { .kind = "replay", .model = path };
	*e = (struct err){ 0 };
	if (runner_open(&r, &o, e))
		r = NULL;
	test_rmdir(dir);
	return r;
}

static const char recorded[] =
	"{\"suite\":\"a\",\"doc_id\":0,\"resps\":[[-1.5,true],[-2,false]]}\n"
	"{\"suite\":\"a\",\"doc_id\":\"x7\",\"resps\":[[[-3.25,false]]]}\n"
	"\n"
	"{\"suite\":\"b\",\"doc_id\":0,\"resps\":[\"The answer is 4.\\u0000\"]}\n"
	"{\"doc_id\":12,\"resps\":[[\"a list of one\"]],\"suite\":\"b\",\"more\":1}\n"
	"{\"suite\":\"c\",\"doc_id\":3,\"resps\":[-152.5]}";

struct kept {
	enum answer_status status;
	double logprob;
	bool greedy;
	char text[64], why[300];
	size_t text_n;
	int n;
};

static void keep(void *ctx, size_t i, const struct answer *a)
{
	struct kept *k = (struct kept *)ctx + i;
	k->status = a->status;
	k->logprob = a->logprob;
	k->greedy = a->greedy;
	k->text_n = a->text.n;
	memcpy(k->text, a->text.p ? a->text.p : "", a->text.n < 63 ? a->text.n : 63);
	snprintf(k->why, sizeof k->why, "%.299s", a->status == ANSWER_FAILED ? a->why.msg : "");
	k->n++;
}

static struct request ask(enum ask a, const char *suite, const char *doc, int index)
{
	struct request q = { .ask = a };
	q.origin.suite = str_of(suite);
	q.origin.doc_id = str_of(doc);
	q.origin.index = index;
	return q;
}

static void test_answers(void)
{
	struct err e;
	struct runner *r = open_text(recorded, &e);
	CHECK(r != NULL, "%s", e.msg);
	if (!r)
		return;
	struct request q[] = {
		ask(ASK_LOGLIK, "a", "0", 1), ask(ASK_LOGLIK, "a", "0", 0), ask(ASK_LOGLIK, "a", "x7", 0), ask(ASK_GENERATE, "b", "0", 0),
		ask(ASK_GENERATE, "b", "12", 0), ask(ASK_ROLLING, "c", "3", 0),
		ask(ASK_LOGLIK, "a", "0", 2), ask(ASK_LOGLIK, "a", "1", 0), ask(ASK_LOGLIK, "d", "0", 0), ask(ASK_GENERATE, "a", "0", 0),
		ask(ASK_LOGLIK, "b", "0", 0), ask(ASK_ROLLING, "b", "12", 0), ask(ASK_IDS, "a", "0", 0), ask(ASK_LOGLIK, "a", "0", -1),
	};
	enum { N = sizeof q / sizeof *q, GOOD = 6 };
	static struct kept k[N];
	CHECK(runner_run(r, q, N, keep, NULL, k, &e) == 0, "%s", e.msg);
	CHECK(k[0].logprob == -2 && !k[0].greedy && k[1].logprob == -1.5 && k[1].greedy && k[2].logprob == -3.25, "log-likelihoods");
	CHECK(k[3].text_n == 17 && memcmp(k[3].text, "The answer is 4.", 17) == 0 && strcmp(k[4].text, "a list of one") == 0, "texts");
	CHECK(k[5].logprob == -152.5, "rolling");
	for (int i = 0; i < N; i++)
		CHECK(k[i].n == 1 && (k[i].status == ANSWER_OK) == (i < GOOD) && (k[i].why[0] != 0) == (i >= GOOD), "request %d: %s", i, k[i].why);
	struct keyed x, y;
	CHECK(runner_key(r, &q[0], &x, &e) == 0 && runner_key(r, &q[1], &y, &e) == 0 && memcmp(x.key, y.key, DIGEST_BYTES) != 0, "keys differ");
	CHECK(runner_key(r, &q[0], &y, &e) == 0 && memcmp(x.key, y.key, DIGEST_BYTES) == 0, "the same key again");
	runner_close(r);
}

static void test_bad_files(void)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "{\"suite\":\"a\",\"doc_id\":0,\"resps\":[]}\n{\"suite\":\"a\"", ":2" },
		{ "[1]\n", ":1" },
		{ "\n\n{\"suite\":\"a\",\"doc_id\":0}\n", ":3" },
		{ "{\"suite\":1,\"doc_id\":0,\"resps\":[]}\n", ":1" },
		{ "{\"suite\":\"a\",\"doc_id\":[],\"resps\":[]}\n", ":1" },
		{ "{\"suite\":\"a\",\"doc_id\":5,\"resps\":[]}\n{\"suite\":\"a\",\"doc_id\":\"5\",\"resps\":[]}\n", "twice" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct err e;
		struct runner *r = open_text(cases[i].text, &e);
		CHECK(!r && strstr(e.msg, cases[i].says), "case %zu: %s", i, r ? "was opened" : e.msg);
		if (r)
			runner_close(r);
	}
	struct err e;
	struct runner *r = open_text("", &e);
	CHECK(r != NULL, "an empty file has no answers: %s", e.msg);
	if (r)
		runner_close(r);
	struct runner_opts o = { .kind = "replay", .model = "/nonexistent/file" };
	CHECK(runner_open(&r, &o, &e) == -1 && strstr(e.msg, "/nonexistent/file"), "%s", e.msg);
	o.kind = "replya";
	CHECK(runner_open(&r, &o, &e) == -1 && e.code == E_USAGE && strstr(e.msg, "did you mean 'replay'"), "%s", e.msg);
}

static void test_bad_models(void)
{
	char dir[4096], model[4096];
	snprintf(dir, sizeof dir, "%s", test_tmpdir());
	snprintf(model, sizeof model, "%s/suites/models/stories260k", test_srcdir());
	struct runner *r;
	struct err e;
	struct runner_opts o = { .kind = "engine", .model = "/nonexistent", .max_level = CPU_LEVELS - 1, .threads = 1 };
	CHECK(runner_open(&r, &o, &e) == -1 && e.code == E_IO && strstr(e.msg, "/nonexistent"), "%s", e.msg);
	o.model = "/dev/null";
	CHECK(runner_open(&r, &o, &e) == -1 && strstr(e.msg, "not a directory"), "%s", e.msg);
	o.model = dir;
	CHECK(runner_open(&r, &o, &e) == -1 && strstr(e.msg, "config.json"), "%s", e.msg);
	char cmd[9000];
	snprintf(cmd, sizeof cmd, "cp '%.4000s'/config.json '%.4000s'/model.safetensors '%.900s'", model, model, dir);
	CHECK(system(cmd) == 0, "%s", cmd);
	CHECK(runner_open(&r, &o, &e) == -1 && strstr(e.msg, "tokenizer.json"), "%s", e.msg);
	o.no_tokenizer = true;
	CHECK(runner_open(&r, &o, &e) == 0, "ids alone need no tokenizer: %s", e.msg);
	CHECK(!runner_info(r)->has_tokenizer && runner_info(r)->vocab == 512 && runner_info(r)->max_length == 512, "info");
	static const int32_t ids[] = { 1, 400, 300 };
	struct request q[] = { ask(ASK_IDS, "", "", 0), ask(ASK_LOGLIK, "", "", 0) };
	q[0].context = (struct prompt){ .ids = ids, .nids = 3, .has_ids = true };
	q[1].context.text = STR("a");
	static struct kept k[2];
	CHECK(runner_run(r, q, 2, keep, NULL, k, &e) == 0 && k[0].status == ANSWER_OK && strstr(k[1].why, "tokenizer"), "%s", k[1].why);
	runner_close(r);
	o.no_tokenizer = false;
	o.model = model;
	o.numerics = "chain32/2";
	CHECK(runner_open(&r, &o, &e) == -1 && e.code == E_USAGE && strstr(e.msg, "did you mean 'chain32/1'"), "%s", e.msg);
	o.numerics = NULL;
	o.device = "gpu";
	CHECK(runner_open(&r, &o, &e) == -1 && strstr(e.msg, "gpu"), "%s", e.msg);
	test_rmdir(dir);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "answers", test_answers },
		{ "files that are not recordings", test_bad_files },
		{ "directories that are no models", test_bad_models },
		{ NULL, NULL },
	};
	return test_main("replay", tests, argc, argv);
}
