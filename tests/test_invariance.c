/* test_invariance.c - one hash over every answer of a mixed set of requests, the same whatever the schedule.
 *
 * Varied: sharing of prefixes, rows in a batch, threads, instruction set, order of requests, grouping into runs, memory.
 * Both models of suites/models. The hashes themselves are committed: another machine or compiler must give the same.
 */
#include "kernels/base/digest.h"
#include "runners/runner.h"
#include "tests/test.h"

enum { MOST = 400 };

static const char *const texts[] = {
	"Once upon a time, there was a little girl named Lily. She loved to play outside in the park.",
	"Once upon a time, there was a big red ball. It rolled down the hill and into the river.",
	"Tom and his dog went to the beach. They saw many birds and fish. Tom's dog wanted to",
	"The cat sat on the mat. The cat was happy. The cat",
	"One day, a boy named Tim found a box.\n\nHe opened the box and saw a",
	"",
	"   ",
	"Question: What do cows drink?\nAnswer:",
};
static const char *const ends[] = { " water", " milk and honey", " was very happy", ".", " She said, \"Hello!\"", " played", "\n\nThe end", " waters" };

enum { TEXTS = sizeof texts / sizeof *texts, ENDS = sizeof ends / sizeof *ends };

struct set {
	struct request q[MOST];
	unsigned char hash[MOST][DIGEST_BYTES];
	int32_t ids[4][200];
	char longtext[3000];
	size_t n;
	int answers;
};

static struct str lit(const char *s)
{
	return str_of(s);
}

static struct request *new_request(struct set *s, enum ask a)
{
	s->q[s->n] = (struct request){ .ask = a };
	return &s->q[s->n++];
}

static void make_set(struct set *s, int vocab)
{
	static const int at[] = { 0, 17, 50 };
	static const struct str until[] = { { ".", 1 }, { "\n", 1 } };
	s->n = 0;
	for (int i = 0; i < TEXTS; i++)
		for (int k = 0; k < ENDS; k++) {
			struct request *q = new_request(s, ASK_LOGLIK);
			q->context.text = lit(texts[i]);
			q->continuation = lit(ends[k]);
			q->encode.split = (i + k) % 3 ? SPLIT_LMEVAL : SPLIT_NATIVE;
			q->encode.max_length = k == 7 ? 20 : 0; /* truncation */
		}
	s->longtext[0] = 0;
	for (int i = 0; i < 20; i++)
		strcat(s->longtext, texts[i % 5]);
	for (int i = 0; i < 3; i++) {
		struct request *q = new_request(s, ASK_ROLLING);
		q->context.text = i == 2 ? lit(texts[2]) : lit(s->longtext);
		q->encode.max_length = i ? 100 : 0;
		q->encode.split = i ? SPLIT_LMEVAL : SPLIT_NATIVE;
	}
	unsigned long long rng = 5;
	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 200; j++)
			s->ids[i][j] = i && j < 70 * i ? s->ids[i - 1][j] : (int32_t)(test_rand(&rng) % (unsigned)vocab);
		struct request *q = new_request(s, ASK_IDS);
		q->context = (struct prompt){ .ids = s->ids[i], .nids = 51 + i * 49, .has_ids = true };
		q->logits_at = at;
		q->nlogits_at = i % 2 ? 3 : 0;
	}
	for (int i = 0; i < 16; i++) {
		struct request *q = new_request(s, ASK_GENERATE);
		q->context.text = lit(texts[i % 5]);
		q->decode = (struct decode){ .max_tokens = 3 + 9 * (i % 5), .until = until, .nuntil = i % 3, .top_p = 1 };
		q->encode.split = i % 2 ? SPLIT_LMEVAL : SPLIT_NATIVE;
		if (i % 4 == 3)
			q->decode = (struct decode){ .max_tokens = 20, .temperature = 1, .top_p = 0.95, .top_k = 40, .seed = 3, .sample = (uint64_t)i };
	}
}

struct order { /* requests of one runner_run, and where their answers go */
	struct set *s;
	const size_t *at;
};

static void on_answer(void *ctx, size_t i, const struct answer *a)
{
	struct order *o = ctx;
	struct digest *d = digest_new();
	digest_u64(d, (uint64_t)a->status);
	digest_field(d, &a->logprob, sizeof a->logprob);
	digest_u64(d, (uint64_t)a->ntokens);
	digest_u64(d, a->greedy);
	digest_field(d, a->logprobs, (size_t)a->nlogprobs * sizeof *a->logprobs);
	digest_field(d, a->argmax, (size_t)a->nargmax * sizeof *a->argmax);
	digest_field(d, a->ids, (size_t)a->nids * sizeof *a->ids);
	digest_field(d, a->text.p, a->text.n);
	digest_field(d, a->windows, (size_t)a->nwindows * sizeof *a->windows);
	if (a->logits)
		digest_field(d, a->logits, 3 * (size_t)a->vocab * sizeof *a->logits);
	digest_end(d, o->s->hash[o->at[i]]);
	o->s->answers++;
}

/* Runs every `every`-th request of the set in `runs` parts, in an order made from `shuffle` (0: as it is). */
static void run_set(const struct runner_opts *o, struct set *s, unsigned long long shuffle, int runs, int every)
{
	struct runner *r;
	struct err e = { 0 };
	memset(s->hash, 0, sizeof s->hash);
	if (runner_open(&r, o, &e)) {
		CHECK(0, "%s", e.msg);
		return;
	}
	make_set(s, runner_info(r)->vocab);
	static size_t at[MOST];
	static struct request q[MOST];
	size_t n = 0;
	for (size_t i = 0; i < s->n; i += (size_t)every)
		at[n++] = i;
	for (size_t i = n; shuffle && i-- > 1;) {
		size_t k = (size_t)(test_rand(&shuffle) % (i + 1)), t = at[i];
		at[i] = at[k];
		at[k] = t;
	}
	for (size_t i = 0; i < n; i++)
		q[i] = s->q[at[i]];
	s->answers = 0;
	for (int k = 0; k < runs; k++) {
		size_t from = n * (size_t)k / (size_t)runs, to = n * (size_t)(k + 1) / (size_t)runs;
		struct order order = { s, at + from };
		CHECK(runner_run(r, q + from, to - from, on_answer, NULL, &order, &e) == 0, "%s", e.msg);
	}
	CHECK(s->answers == (int)n, "%d answers to %zu requests", s->answers, n);
	runner_close(r);
}

static void vary(const char *name, const char *golden)
{
	static struct set want, got;
	char dir[4096], hex[DIGEST_HEX];
	unsigned char all[DIGEST_BYTES];
	snprintf(dir, sizeof dir, "%s/suites/models/%s", test_srcdir(), name);
	const struct runner_opts base = { .kind = "engine", .model = dir, .max_level = CPU_LEVELS - 1, .threads = 1 };
	run_set(&base, &want, 0, 1, 1);
	digest_of(want.hash, want.n * DIGEST_BYTES, all);
	digest_hex(all, hex);
	CHECK(strcmp(hex, golden) == 0, "%s: hash %s, committed %s", name, hex, golden);
	struct {
		const char *what;
		int rows, threads, level, runs, every;
		size_t memory;
		bool alone;
		unsigned long long shuffle;
	} v[] = {
		{ .what = "nothing shared", .alone = true },
		{ .what = "nothing shared, 3 rows", .alone = true, .rows = 3 },
		{ .what = "1 row", .rows = 1 },
		{ .what = "2 rows", .rows = 2, .shuffle = 9 },
		{ .what = "7 rows", .rows = 7 },
		{ .what = "63 rows", .rows = 63, .shuffle = 3 },
		{ .what = "4096 rows", .rows = 4096, .memory = 1 << 28 },
		{ .what = "2 threads", .threads = 2 },
		{ .what = "3 threads", .threads = 3, .rows = 100 },
		{ .what = "another order", .shuffle = 1 },
		{ .what = "another order, 3 runs", .shuffle = 2, .runs = 3 },
		{ .what = "40 runs", .runs = 40 },
		{ .what = "3 MiB", .memory = 3 << 20 },
		{ .what = "3 MiB, another order, 2 threads", .memory = 3 << 20, .shuffle = 4, .threads = 2 },
		{ .what = "6 MiB, 16 rows", .memory = 6 << 20, .rows = 16 },
		{ .what = "scalar", .level = CPU_SCALAR + 1, .rows = 200, .every = 7 }, /* slow: some of them */
		{ .what = "neon", .level = CPU_NEON + 1 },
		{ .what = "avx2", .level = CPU_AVX2 + 1, .threads = 2 },
		{ .what = "avx512", .level = CPU_AVX512 + 1, .rows = 33 },
		{ .what = "avx512bf16", .level = CPU_AVX512BF16 + 1 },
	};
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct runner_opts o = base;
		o.no_share = v[i].alone;
		o.batch_rows = v[i].rows;
		o.threads = v[i].threads ? v[i].threads : 1;
		o.memory = v[i].memory;
		if (v[i].level) {
			o.max_level = (enum cpu_level)(v[i].level - 1);
			if (!cpu_has(o.max_level)) {
				SKIP("%s: not on this machine", v[i].what);
				continue;
			}
		}
		int every = v[i].every ? v[i].every : 1, differ = 0;
		run_set(&o, &got, v[i].shuffle, v[i].runs ? v[i].runs : 1, every);
		for (size_t k = 0; k < want.n; k += (size_t)every)
			differ += memcmp(got.hash[k], want.hash[k], DIGEST_BYTES) != 0;
		CHECK(differ == 0, "%s: %s: %d answers have other bits", name, v[i].what, differ);
	}
}

static void test_stories(void)
{
	vary("stories260k", "ba9073d7c612ee1cddb2e400713edbe17a3db623d61148997bddfefe3f46ae1e");
}

static void test_babyllama(void)
{
	vary("babyllama105", "fc1d13e22b9a05dcd422dd631bd87d9685e0be950ffafff56dfedf78e02cde6e");
}

static void test_least_memory(void)
{
	char dir[4096];
	snprintf(dir, sizeof dir, "%s/suites/models/stories260k", test_srcdir());
	struct runner_opts o = { .kind = "engine", .model = dir, .max_level = CPU_LEVELS - 1, .threads = 1, .memory = 1000 };
	struct runner *r;
	struct err e = { 0 };
	CHECK(runner_open(&r, &o, &e) == 0, "%s", e.msg);
	static struct set s;
	static size_t at[1];
	struct order order = { &s, at };
	make_set(&s, 512);
	CHECK(runner_run(r, s.q, 1, on_answer, NULL, &order, &e) == -1 && e.code == E_MEMORY && strstr(e.msg, "1000"), "%s", e.msg);
	runner_close(r);
	struct plan_row rows[16];
	int n = runner_plan(&o, rows, 16, &e);
	CHECK(n >= 5, "plan of memory: %s", e.msg);
	for (int i = 0; i < n; i++)
		CHECK(rows[i].what[0] && rows[i].bytes >= 0, "row %d", i);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "stories260k", test_stories },
		{ "babyllama105", test_babyllama },
		{ "a limit that holds nothing", test_least_memory },
		{ NULL, NULL },
	};
	return test_main("invariance", tests, argc, argv);
}
