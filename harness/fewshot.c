/* fewshot.c - lm-evaluation-harness's two samplers on CPython's generator.
 *
 * "random": n of the pool, or n + 1 where the evaluated document may be among them; those equal to it are dropped and the
 * first n kept; where duplicates leave fewer, n are drawn anew from the pool without it. "first_n": the first n that are
 * not the document. In the lm-eval profiles one generator serves a suite in document order, so the shots of a document
 * depend on all before it; in the native profile they are a function of (seed, document hash) alone: the generator is
 * seeded for every document by the first 8 bytes of SHA-256(seed as 8 bytes little-endian, document hash).
 */
#include "harness/fewshot.h"

#include <stdlib.h>

void fewshot_init(struct fewshot *f, const struct value *pool, size_t npool, uint64_t seed)
{
	*f = (struct fewshot){ .pool = pool, .npool = npool, .seed = seed };
	pyrandom_seed(&f->rng, seed);
}

static void seed_by_document(struct fewshot *f, const unsigned char hash[DIGEST_BYTES])
{
	unsigned char mix[DIGEST_BYTES];
	uint64_t seed = 0;
	struct digest *d = digest_new();
	digest_u64(d, f->seed);
	digest_add(d, hash, DIGEST_BYTES);
	digest_end(d, mix);
	for (int i = 7; i >= 0; i--)
		seed = seed << 8 | mix[i];
	pyrandom_seed(&f->rng, seed);
}

static int too_few(size_t n, size_t there, struct err *e)
{
	return err_set(e, E_RANGE, "%zu shots are wanted, the pool has %zu document%s to draw from", n, there, there == 1 ? "" : "s");
}

/* Positions of the pool's documents that are not `doc`, into all[npool]. */
static size_t others(const struct fewshot *f, struct value doc, size_t *all)
{
	size_t k = 0;
	for (size_t i = 0; i < f->npool; i++)
		if (!v_equal(f->pool[i], doc))
			all[k++] = i;
	return k;
}

static int draw_again(struct fewshot *f, size_t n, struct value doc, size_t *out, struct err *e)
{
	size_t *all = xcalloc(f->npool, sizeof *all), k = others(f, doc, all);
	int rc = k < n ? too_few(n, k, e) : 0;
	if (rc == 0) {
		pyrandom_sample(&f->rng, k, n, out);
		for (size_t i = 0; i < n; i++)
			out[i] = all[out[i]];
	}
	free(all);
	return rc;
}

static int draw_first(const struct fewshot *f, size_t n, struct value doc, size_t *out, struct err *e)
{
	size_t k = 0;
	for (size_t i = 0; i < f->npool && k < n; i++)
		if (!f->exclude || !v_equal(f->pool[i], doc))
			out[k++] = i;
	return k < n ? too_few(n, k, e) : 0;
}

int fewshot_draw(struct fewshot *f, size_t n, struct value doc, const unsigned char hash[DIGEST_BYTES], size_t *out, struct err *e)
{
	if (f->first_n)
		return draw_first(f, n, doc, out, e);
	if (f->by_document)
		seed_by_document(f, hash);
	size_t want = n + f->exclude, k = 0;
	if (want > f->npool)
		return too_few(want, f->npool, e);
	size_t *drawn = xcalloc(want, sizeof *drawn);
	pyrandom_sample(&f->rng, f->npool, want, drawn);
	for (size_t i = 0; i < want && k < n; i++)
		if (!f->exclude || !v_equal(f->pool[drawn[i]], doc))
			out[k++] = drawn[i];
	free(drawn);
	return k < n ? draw_again(f, n, doc, out, e) : 0;
}
