/* run_ask.c - the requests of all suites become answers: keys, the journal, one call of the runner for what is missing.
 *
 * Equal keys are one request: it is looked up, computed and journalled once, and every document that asked it gets a copy.
 * The runner sees the distinct missing requests of all suites together, so prefixes are shared across suites. Answers
 * arrive in any order; each is copied and journalled as it comes. When the journal fails (a full disk) the runner is told to
 * stop, and the journal's sentence is the error. A request that cannot be encoded has no key: it fails by itself.
 */
#include <stdlib.h>
#include <time.h>

#include "harness/run_int.h"

/* One request among all. */
struct entry {
	struct request *q;
	struct resp *r;
	struct keyed key;
	size_t first; /* the entry with the same key that came first (itself) */
	bool keyed;
};

struct asking {
	struct run *run;
	struct entry *entry;
	size_t n;
	size_t *missing;    /* entries to compute, in order */
	size_t nmissing;
	bool failed;
	struct err *e;
};

static size_t collect(struct run *r, struct entry *out)
{
	size_t n = 0;
	for (int j = 0; j < r->njobs; j++)
		for (int k = 0; k < r->job[j].nleaves; k++) {
			struct leaf *l = &r->job[j].leaf[k];
			if (out)
				l->resp = ARENA_ARRAY(r->per_model, l->n, struct resp *);
			for (size_t d = 0; d < l->n; d++) {
				size_t nreq = (size_t)l->item[d].nreq;
				if (out)
					l->resp[d] = ARENA_ARRAY(r->per_model, nreq, struct resp);
				for (size_t q = 0; out && q < nreq; q++)
					out[n + q] = (struct entry){ .q = &l->item[d].req[q], .r = &l->resp[d][q] };
				n += nreq;
			}
		}
	return n;
}

static void fail_entry(struct asking *s, struct entry *x, const struct err *why)
{
	*x->r = (struct resp){ .why = arena_str(s->run->per_model, why->msg, strlen(why->msg)) };
}

static int find_keys(struct asking *s, struct err *e)
{
	struct err why;
	for (size_t i = 0; i < s->n; i++) {
		struct entry *x = &s->entry[i];
		if (i % 64 == 0 && run_stopped(s->run->o))
			return err_set(e, E_STOPPED, "stopped before anything was asked");
		why = (struct err){ 0 };
		x->keyed = runner_key(s->run->runner, x->q, &x->key, &why) == 0;
		if (!x->keyed)
			fail_entry(s, x, &why);
	}
	return 0;
}

/* Open addressing on the first bytes of the digest. */
static void find_equals(struct asking *s)
{
	size_t size = 16;
	while (size < 2 * s->n)
		size *= 2;
	size_t *slot = xcalloc(size, sizeof *slot); /* entry + 1 */
	for (size_t i = 0; i < s->n; i++) {
		struct entry *x = &s->entry[i];
		uint64_t h;
		x->first = i;
		if (!x->keyed)
			continue;
		memcpy(&h, x->key.key, sizeof h);
		size_t at = (size_t)h & (size - 1);
		while (slot[at] && memcmp(s->entry[slot[at] - 1].key.key, x->key.key, DIGEST_BYTES) != 0)
			at = (at + 1) & (size - 1);
		if (slot[at])
			x->first = slot[at] - 1;
		else
			slot[at] = i + 1;
	}
	free(slot);
}

static int look_up(struct asking *s, struct err *e)
{
	struct run *r = s->run;
	s->missing = ARENA_ARRAY(r->per_model, s->n, size_t);
	for (size_t i = 0; i < s->n; i++) {
		struct entry *x = &s->entry[i];
		if (!x->keyed || x->first != i)
			continue;
		int got = journal_get(r->journal, x->key.key, x->q->ask, r->per_model, x->r, e);
		if (got < 0)
			return -1;
		if (got == 0)
			s->missing[s->nmissing++] = i;
	}
	return 0;
}

static void on_answer(void *ctx, size_t i, const struct answer *a)
{
	struct asking *s = ctx;
	struct entry *x = &s->entry[s->missing[i]];
	resp_from_answer(x->r, a, s->run->per_model);
	if (x->r->answered && !s->failed && journal_put(s->run->journal, x->key.key, x->q->ask, x->r, s->e))
		s->failed = true;
}

static int on_progress(void *ctx, const struct progress *p)
{
	struct asking *s = ctx;
	const struct run_view *v = s->run->o->view;
	if (v && v->progress)
		v->progress(v->ctx, p);
	return s->failed || run_stopped(s->run->o);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compute(struct asking *s, struct err *e)
{
	struct run *r = s->run;
	struct err why = { 0 }, journal = { 0 };
	if (!s->nmissing)
		return 0;
	struct request *q = ARENA_ARRAY(r->per_model, s->nmissing, struct request);
	for (size_t i = 0; i < s->nmissing; i++)
		q[i] = *s->entry[s->missing[i]].q;
	s->e = &journal;
	double start = now();
	int status = runner_run(r->runner, q, s->nmissing, on_answer, on_progress, s, &why);
	r->sum->seconds_compute += now() - start;
	if (!s->failed && journal_commit(r->journal, &journal))
		s->failed = true;
	if (s->failed) {
		*e = journal;
		return -1;
	}
	if (status && why.code == E_STOPPED)
		return err_set(e, E_STOPPED, "stopped: what was answered is kept, the same command goes on from there");
	if (status) {
		*e = why;
		if (why.code == E_DEVICE || why.code == E_MEMORY)
			err_set(e, why.code, "%s (what was answered is kept, the same command goes on from there)", why.msg);
		return err_wrap(e, "model %s", r->model->name);
	}
	return 0;
}

/* Copies to equal requests; counts that belong to the request and not to its answer. */
static void spread(struct asking *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct entry *x = &s->entry[i];
		if (x->first != i)
			*x->r = *s->entry[x->first].r;
		if (x->keyed) {
			x->r->ncontext = x->key.ncontext;
			x->r->ncontinuation = x->key.ncontinuation;
			x->r->nused = x->key.nused;
		}
	}
}

/* Requests that equal another one of this run count as answered before. */
static void count(struct asking *s)
{
	struct run_summary *sum = s->run->sum;
	size_t failed = 0, computed = 0;
	for (size_t i = 0; i < s->n; i++)
		failed += !s->entry[i].r->answered;
	for (size_t i = 0; i < s->nmissing; i++)
		computed += s->entry[s->missing[i]].r->answered;
	sum->requests += s->n;
	sum->computed += computed;
	sum->failed += failed;
	sum->answered_before += s->n - failed - computed;
}

int run_ask(struct run *r, struct err *e)
{
	struct asking s = { .run = r };
	s.n = collect(r, NULL);
	s.entry = ARENA_ARRAY(r->per_model, s.n, struct entry);
	collect(r, s.entry);
	if (find_keys(&s, e))
		return -1;
	find_equals(&s);
	if (look_up(&s, e) || compute(&s, e))
		return -1;
	spread(&s);
	count(&s);
	return 0;
}
