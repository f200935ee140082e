/* requests.h - a mixed set of requests and one hash an answer, for tests that the answers do not depend on the schedule or the device.
 */
#ifndef ASSAY_TESTS_REQUESTS_H
#define ASSAY_TESTS_REQUESTS_H

#include "kernels/base/digest.h"
#include "runners/runner.h"
#include "tests/test.h"

enum { MOST = 400 };

/* One hash over the hashes of the set's answers, by model; the same on every machine, compiler and device. */
#define STORIES_HASH "ba9073d7c612ee1cddb2e400713edbe17a3db623d61148997bddfefe3f46ae1e"
#define BABYLLAMA_HASH "fc1d13e22b9a05dcd422dd631bd87d9685e0be950ffafff56dfedf78e02cde6e"

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

#endif
