/* test_generate.c - generated text: the published greedy story, stop rules, many texts at once, what fails.
 *
 * golden/stories260k_greedy_200.txt is the text that llama2.c's own program prints for this model (MIT, Andrej Karpathy).
 */
#include "runners/generate.h"
#include "runners/runner.h"
#include "kernels/sample.h"
#include "tests/test.h"

static struct runner *model;

static struct runner *open_model(int rows, int threads, bool alone)
{
	char dir[4096];
	snprintf(dir, sizeof dir, "%s/suites/models/stories260k", test_srcdir());
	struct runner_opts o = { .kind = "engine", .model = dir, .max_level = CPU_LEVELS - 1, .threads = threads, .batch_rows = rows, .no_share = alone };
	struct runner *r;
	struct err e;
	if (runner_open(&r, &o, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		exit(99);
	}
	return r;
}

/* What callbacks keep of answers. */
struct kept {
	char text[4096];
	int32_t ids[600];
	int n, nids, ncontext, nused;
	enum stop stop;
	bool failed;
	char why[300];
	float logits[512]; /* of an ids request: one row, and the last log-probability */
	double logprob;
};

static void keep(void *ctx, size_t i, const struct answer *a)
{
	struct kept *k = (struct kept *)ctx + i;
	k->n++;
	k->failed = a->status == ANSWER_FAILED;
	if (k->failed) {
		snprintf(k->why, sizeof k->why, "%.299s", a->why.msg);
		return;
	}
	snprintf(k->text, sizeof k->text, "%.*s", (int)a->text.n, a->text.p);
	if (a->logits)
		memcpy(k->logits, a->logits, (size_t)(a->vocab < 512 ? a->vocab : 512) * sizeof *k->logits);
	if (a->nlogprobs > 0)
		k->logprob = a->logprobs[a->nlogprobs - 1];
	k->nids = a->nids < 600 ? a->nids : 600;
	if (k->nids > 0)
		memcpy(k->ids, a->ids, (size_t)k->nids * sizeof *k->ids);
	k->stop = a->stop;
	k->ncontext = a->ncontext;
	k->nused = a->nused;
}

static void run(const struct request *q, size_t n, struct kept *k)
{
	struct err e = { 0 };
	memset(k, 0, n * sizeof *k);
	CHECK(runner_run(model, q, n, keep, NULL, k, &e) == 0, "%s", e.msg);
	for (size_t i = 0; i < n; i++)
		CHECK(k[i].n == 1, "request %zu was answered %d times", i, k[i].n);
}

static struct request ask(const char *text, int max_tokens)
{
	return (struct request){ .ask = ASK_GENERATE, .context = { .text = str_of(text) }, .decode = { .max_tokens = max_tokens, .top_p = 1 } };
}

static void test_story(void)
{
	char path[4096], want[2048];
	snprintf(path, sizeof path, "%s/tests/golden/stories260k_greedy_200.txt", test_srcdir());
	FILE *f = fopen(path, "rb");
	CHECK(f != NULL, "%s", path);
	if (!f)
		return;
	size_t n = fread(want, 1, sizeof want - 1, f);
	fclose(f);
	while (n > 0 && want[n - 1] == '\n')
		n--;
	want[n] = 0;
	static const int32_t bos = 1;
	struct request q = ask("", 200);
	q.context = (struct prompt){ .ids = &bos, .nids = 1, .has_ids = true };
	static struct kept k[1];
	run(&q, 1, k);
	const char *got = k->text + (k->text[0] == ' ');
	size_t m = strlen(got);
	while (m > 0 && got[m - 1] == '\n')
		m--;
	CHECK(k->nids == 200 && k->stop == STOP_LENGTH, "%d tokens, stop %s", k->nids, stop_name(k->stop));
	CHECK(m == n && memcmp(got, want, n) == 0, "text: %s", got);
	/* the same from the empty text, whose prompt is BOS alone */
	q = ask("", 200);
	static struct kept k2[1];
	run(&q, 1, k2);
	CHECK(strcmp(k2->text, k->text) == 0 && k2->ncontext == 1, "from the empty text: %s", k2->text);
}

static void test_stops(void)
{
	static struct kept k[8];
	static const char begin[] = "Once upon a time";
	struct request free_run = ask(begin, 120);
	run(&free_run, 1, k);
	static char text[4096];
	memcpy(text, k->text, sizeof text);
	/* native: for stop strings cut out of the text at every place, the text ends before their first occurrence */
	size_t n = strlen(text);
	for (size_t at = 0; at + 9 < n; at += 7)
		for (size_t len = 1; len <= 9; len += 4) {
			struct str until[2] = { { text + at, len }, STR("\x01no such text") };
			struct request q = ask(begin, 120);
			q.decode.until = until;
			q.decode.nuntil = 2;
			run(&q, 1, k);
			char stop[16];
			snprintf(stop, sizeof stop, "%.*s", (int)len, text + at);
			const char *first = strstr(text, stop);
			CHECK(strlen(k->text) == (size_t)(first - text) && strncmp(k->text, text, strlen(k->text)) == 0 && k->stop == STOP_UNTIL,
			      "stop '%s': '%s'", stop, k->text);
			struct request again = ask(begin, k->nids - 1); /* one token fewer: the stop is not there yet */
			if (k->nids > 1) {
				run(&again, 1, k + 1);
				CHECK(strstr(k[1].text, stop) == NULL, "'%s' was there a token earlier", stop);
			}
		}
	/* as lm-evaluation-harness: cut in the list's order, whatever comes first in the text */
	struct str until[] = { STR("."), STR("a") };
	struct request q = ask(begin, 120);
	q.encode.split = SPLIT_LMEVAL;
	q.decode.until = until;
	q.decode.nuntil = 2;
	run(&q, 1, k);
	const char *a = strchr(text, 'a');
	CHECK(strlen(k->text) == (size_t)(a - text) && k->stop == STOP_UNTIL, "lm-eval: '%s'", k->text);
	/* an empty stop string ends it after one token there, and counts for nothing in the native rule */
	struct str empty[] = { STR("") };
	q.decode.until = empty;
	q.decode.nuntil = 1;
	run(&q, 1, k);
	CHECK(k->nids == 1, "empty stop, lm-eval: %d tokens", k->nids);
	q.encode.split = SPLIT_NATIVE;
	run(&q, 1, k);
	CHECK(k->nids == 120, "empty stop: %d tokens", k->nids);
}

static void test_many(void)
{
	/* 60 generations in one run, some with the same prompt, some whose prompts are prefixes of others: as one by one */
	enum { N = 60 };
	static struct kept all[N], one[1];
	static struct request q[N];
	static char prompt[N][64];
	for (int i = 0; i < N; i++) {
		snprintf(prompt[i], sizeof prompt[i], "%.*s", 3 + i % 20 * 2, "Lily and Tom went to the big park with a dog");
		q[i] = ask(prompt[i], 5 + i % 37);
		if (i % 3 == 2) {
			q[i].decode.temperature = 0.8;
			q[i].decode.seed = 7;
			q[i].decode.sample = (uint64_t)i;
			q[i].decode.top_k = i % 2 ? 20 : 0;
			q[i].decode.top_p = i % 4 ? 0.9 : 1;
		}
	}
	run(q, N, all);
	for (int i = 0; i < N; i++) {
		run(&q[i], 1, one);
		CHECK(one->nids == all[i].nids && memcmp(one->ids, all[i].ids, (size_t)one->nids * sizeof *one->ids) == 0 &&
			      strcmp(one->text, all[i].text) == 0,
		      "request %d alone: '%s', together: '%s'", i, one->text, all[i].text);
	}
}

/* What a text with a penalty must be: the model's own logits of every prefix, the rule of transformers, the best or the draw. */
static int penalised(const struct request *q, int32_t *ids)
{
	static struct kept k[1];
	int32_t path[600];
	const int32_t *prompt = q->context.ids;
	int n = q->context.nids, len = n;
	struct gen g;
	gen_init(&g, &q->decode, prompt, n);
	memcpy(path, prompt, (size_t)n * sizeof *path);
	for (; len - n < q->decode.max_tokens; len++) {
		int at = len - 1, best = 0;
		bool seen[512] = { false };
		struct request prefix = { .ask = ASK_IDS, .context = { .ids = path, .nids = len, .has_ids = true }, .logits_at = &at, .nlogits_at = 1 };
		run(&prefix, 1, k);
		for (int i = 0; i < len; i++) {
			float *x = &k->logits[path[i]], p = (float)q->decode.repetition_penalty;
			if (!seen[path[i]])
				*x = *x > 0 ? *x / p : *x * p;
			seen[path[i]] = true;
		}
		for (int i = 1; i < 512; i++)
			best = k->logits[i] > k->logits[best] ? i : best;
		struct draw d;
		g.n = len - n;
		gen_draw(&g, &d);
		path[len] = d.scale > 0 ? sample_c(k->logits, 512, &d) : best;
		if (path[len] == 2) { /* the model's end */
			len++;
			break;
		}
	}
	memcpy(ids, path + n, (size_t)(len - n) * sizeof *ids);
	g.n = 0;
	gen_fini(&g);
	return len - n;
}

static void test_penalty(void)
{
	/* N texts and, between them, what is asked of the model's own logits */
	enum { N = 16, M = N + 4 };
	static const int32_t prompt[] = { 1, 403, 407, 261, 378, 432, 400, 265, 411, 296, 299 };
	static const double penalties[] = { 1.05, 1.3, 5, 0.5, 1, 0 };
	static const int at[] = { 6 };
	static struct request q[M];
	static struct kept want[M], got[M];
	int changed = 0;
	for (int i = 0; i < M; i++) {
		int n = 1 + i * 7 % 11;
		if (i >= N) {
			q[i] = (struct request){ .ask = ASK_IDS, .context = { .ids = prompt, .nids = 7, .has_ids = true }, .logits_at = at, .nlogits_at = 1 };
			run(&q[i], 1, &want[i]);
			continue;
		}
		q[i] = ask("", 20 + i * 5 % 31);
		q[i].context = (struct prompt){ .ids = prompt, .nids = i % 3 ? n : 7, .has_ids = true };
		if (i % 2) {
			q[i].decode.temperature = 0.9;
			q[i].decode.seed = (uint64_t)i;
			q[i].decode.top_p = 0.95;
		}
		run(&q[i], 1, &got[i]);
		double p = q[i].decode.repetition_penalty = penalties[i / 2 % 6];
		if (p != 0 && p != 1)
			want[i].nids = penalised(&q[i], want[i].ids);
		else
			want[i] = got[i]; /* neutral */
		changed += want[i].nids != got[i].nids || memcmp(want[i].ids, got[i].ids, (size_t)want[i].nids * sizeof *want[i].ids) != 0;
	}
	CHECK(changed >= 8 && changed <= 12, "%d texts of 12 with a penalty differ", changed);
	static const struct { int rows, threads; bool alone; } v[] = { { 0, 1, false }, { 1, 1, false }, { 7, 2, false }, { 64, 3, true } };
	struct runner *own = model;
	for (size_t k = 0; k < sizeof v / sizeof *v; k++) {
		model = open_model(v[k].rows, v[k].threads, v[k].alone);
		run(q, M, got);
		for (int i = 0; i < N; i++)
			CHECK(got[i].nids == want[i].nids && memcmp(got[i].ids, want[i].ids, (size_t)want[i].nids * sizeof *want[i].ids) == 0,
			      "schedule %zu, text %d: %d tokens for %d", k, i, got[i].nids, want[i].nids);
		for (int i = N; i < M; i++)
			CHECK(memcmp(got[i].logits, want[i].logits, sizeof want[i].logits) == 0 && got[i].logprob == want[i].logprob, "schedule %zu: logits", k);
		runner_close(model);
	}
	model = own;
}

/* Neutral values leave a journal's key as it was; others are of it, for greedy text too. */
static void test_penalty_key(void)
{
	static const int32_t prompt[] = { 1, 403 };
	static const double penalties[] = { 0, 1, 1.05, 1.1 };
	struct keyed key[8];
	struct err e = { 0 };
	for (int i = 0; i < 8; i++) {
		struct request q = ask("", 5);
		q.context = (struct prompt){ .ids = prompt, .nids = 2, .has_ids = true };
		q.decode.temperature = i / 4;
		q.decode.repetition_penalty = penalties[i % 4];
		CHECK(runner_key(model, &q, &key[i], &e) == 0, "%s", e.msg);
	}
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < i; j++)
			CHECK((memcmp(key[i].key, key[j].key, sizeof key[i].key) == 0) == (i % 4 == 1 && j == i - 1), "keys %d and %d", j, i);
}

static void test_failures(void)
{
	static const int32_t bad[] = { 1, 512 };
	struct request q[8];
	static struct kept k[8];
	struct request wrong = ask("Once", 5);
	wrong.decode.repetition_penalty = 0.001;
	run(&wrong, 1, k);
	CHECK(k->failed && strstr(k->why, "repetition_penalty is 0.001"), "%s", k->why);
	q[0] = ask("Once", 0);
	q[1] = ask("Once", 512); /* no room for a prompt */
	q[2] = ask("Once", 5);
	q[3] = ask("Once", 5);
	q[3].context = (struct prompt){ .ids = bad, .nids = 2, .has_ids = true };
	q[4] = ask("Once", 5);
	q[4].decode.temperature = -1;
	q[5] = ask("Once", 5);
	q[5].decode.temperature = 1;
	q[5].decode.top_p = 0;
	q[6] = ask("Once", 511);
	q[7] = ask("", 5);
	q[7].encode.split = SPLIT_LMEVAL;
	q[7].encode.bos = BOS_OFF;
	run(q, 8, k);
	static const bool fails[8] = { true, true, false, true, true, true, false, true };
	for (int i = 0; i < 8; i++)
		CHECK(k[i].failed == fails[i] && (!fails[i] || k[i].why[0]), "request %d: %s", i, k[i].failed ? k[i].why : "answered");
	CHECK(k[6].nused == 1 && k[6].nids > 0 && k[6].ncontext > 1, "prompt cut to one token: %d used of %d", k[6].nused, k[6].ncontext);
}

/* A row that holds a NaN gives no token: the text is a failed request, never token -1. */
static void test_nan(void)
{
	static const int32_t prompt[] = { 1, 2 };
	const struct decode d = { .max_tokens = 5, .top_p = 1 };
	struct stops stops = { .rule = SPLIT_NATIVE, .tok_eos = -1 };
	struct gen g;
	struct arena a;
	arena_init(&a);
	gen_init(&g, &d, prompt, 2);
	g.stops = &stops;
	CHECK(!gen_next(&g, -1, &a) && g.why.code != E_NONE && strstr(g.why.msg, "not numbers") && g.n == 0, "%s", g.why.msg);
	gen_fini(&g);
	arena_fini(&a);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "the greedy story from BOS", test_story },
		{ "stop strings", test_stops },
		{ "many at once as one by one", test_many },
		{ "repetition penalty", test_penalty },
		{ "repetition penalty in the journal's key", test_penalty_key },
		{ "what cannot be generated", test_failures },
		{ "logits that are not numbers", test_nan },
		{ NULL, NULL },
	};
	model = open_model(0, 1, false);
	int rc = test_main("generate", tests, argc, argv);
	runner_close(model);
	return rc;
}
