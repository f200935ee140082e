/* bench_tokens.c - `assay bench tokens`: megabytes of text a second and processor time, by one thread.
 *
 * Texts are cut at line ends into documents of about 1 kB, as prompts are. "cold" is the first pass after opening, when the tokenizer has
 * met none of the words; "warm" is the best of the passes behind it. Long runs of one character are one document of 10^6 bytes each:
 * what grows faster than the text shows there. Nothing is judged and there is no floor: peers are held beside by
 * tests/tools/tokens_peers.py.
 */
#include "harness/bench_tokens.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "harness/cmd.h"
#include "kernels/base/file.h"
#include "runners/runner.h"

static const char *const own[] = { "gsm8k_excerpt", "mmlu_excerpt", "tiny-cloze" };
enum { OWN = sizeof own / sizeof *own, DOCUMENT = 1000, RUN = 1000000, PASSES = 5, MOST_TEXT = 1 << 28 };

static double processor(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct pass {
	struct tokens *t;
	struct str text;
	size_t document; /* bytes, then on to the end of the line */
	size_t documents, ids;
};

/* One walk over the text; seconds, or -1. */
static double walk(struct pass *p, struct err *e)
{
	double start = processor();
	p->documents = p->ids = 0;
	for (size_t from = 0, to; from < p->text.n; from = to) {
		to = p->text.n - from > p->document ? from + p->document : p->text.n;
		const char *end = to < p->text.n ? memchr(p->text.p + to, '\n', p->text.n - to) : NULL;
		to = end ? (size_t)(end - p->text.p) + 1 : p->text.n;
		struct arena a;
		int32_t *ids;
		int n;
		arena_init(&a);
		int rc = tokens_encode(p->t, (struct str){ p->text.p + from, to - from }, false, &a, &ids, NULL, &n, e);
		arena_fini(&a);
		if (rc)
			return -1;
		p->documents++;
		p->ids += (size_t)n;
	}
	return processor() - start;
}

static void report(bench_fn *row, void *ctx, const char *what, const char *shape, double value, const char *unit)
{
	struct bench_row r = { .value = value, .numerics = "-", .device = "cpu, 1 thread" };
	snprintf(r.what, sizeof r.what, "%s", what);
	snprintf(r.shape, sizeof r.shape, "%s", shape);
	snprintf(r.unit, sizeof r.unit, "%s", unit);
	row(ctx, &r);
}

/* A first pass and the best of some more; `again` 0: the first alone. */
static int measure(struct pass *p, const char *name, int again, bench_fn *row, void *ctx, struct err *e)
{
	char shape[64];
	double first = walk(p, e), best = first;
	for (int i = 0; i < again && best >= 0; i++) {
		double s = walk(p, e);
		best = s < best ? s : best;
	}
	if (first < 0 || best < 0)
		return err_wrap(e, "%s", name);
	snprintf(shape, sizeof shape, "%.36s %zu x %zu ids", name, p->documents, p->documents ? p->ids / p->documents : 0);
	report(row, ctx, "tokens cold", shape, (double)p->text.n / first * 1e-6, "MB/s");
	if (again)
		report(row, ctx, "tokens warm", shape, (double)p->text.n / best * 1e-6, "MB/s");
	return 0;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

struct source {
	const char *name;
	struct str text;
};

/* All texts before anything is measured, so that a file that cannot be read leaves nothing on standard output. */
static int load_texts(struct source *out, const char *const *files, int n, struct arena *a, struct err *e)
{
	for (int i = 0; i < n; i++) {
		out[i].name = last_part(files[i]);
		if (file_load(a, files[i], MOST_TEXT, &out[i].text, e))
			return -1;
		if (!out[i].text.n)
			return err_set(e, E_FORMAT, "%s is empty", files[i]);
	}
	return 0;
}

/* Rows of embedded suites, as they lie in the files. */
static int load_own(struct source *out, struct arena *a, struct err *e)
{
	for (int i = 0; i < OWN; i++) {
		const char *path = arena_printf(a, "%s/suites/data/assay__%s/default/test.jsonl", data_dir(), own[i]).p;
		if (load_texts(&out[i], &path, 1, a, e))
			return -1;
		out[i].name = own[i];
	}
	return 0;
}

static int bench_runs(struct tokens *t, struct arena *a, bench_fn *row, void *ctx, struct err *e)
{
	static const struct {
		const char *name, *text;
	} runs[] = { { "run of a", "a" }, { "run of blanks", " " }, { "run of digits", "7" }, { "run of line ends", "\n" },
		     { "run of U+4E2D", "\xe4\xb8\xad" }, { "run of U+1F917", "\xf0\x9f\xa4\x97" } };
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		size_t n = strlen(runs[i].text), count = RUN / n;
		char *p = arena_alloc(a, count * n);
		for (size_t k = 0; k < count; k++)
			memcpy(p + k * n, runs[i].text, n);
		struct pass one = { .t = t, .text = { p, count * n }, .document = RUN };
		if (measure(&one, runs[i].name, 0, row, ctx, e))
			return -1;
	}
	return 0;
}

int bench_tokens(const char *path, const char *const *files, int nfiles, bench_fn *row, void *ctx, struct err *e)
{
	struct arena a;
	struct tokens *t = NULL;
	arena_init(&a);
	int n = nfiles ? nfiles : OWN;
	struct source *texts = ARENA_ARRAY(&a, n, struct source);
	int rc = nfiles ? load_texts(texts, files, n, &a, e) : load_own(texts, &a, e);
	double start = processor();
	if (!rc)
		rc = tokens_open(&t, path, e);
	if (!rc)
		report(row, ctx, "tokens load", last_part(path), (processor() - start) * 1e3, "ms");
	for (int i = 0; i < n && !rc; i++)
		rc = measure(&(struct pass){ .t = t, .text = texts[i].text, .document = DOCUMENT }, texts[i].name, PASSES, row, ctx, e);
	if (!rc)
		rc = bench_runs(t, &a, row, ctx, e);
	tokens_close(t);
	arena_fini(&a);
	return rc;
}
