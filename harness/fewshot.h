/* fewshot.h - which documents of the pool precede a question (SCORING.md 2.5, 2.15.4). */
#ifndef ASSAY_FEWSHOT_H
#define ASSAY_FEWSHOT_H

#include "harness/pyrandom.h"
#include "runners/text/value.h"
#include "kernels/base/digest.h"

struct fewshot {
	const struct value *pool;
	size_t npool;
	bool first_n;      /* the first n; else drawn */
	bool exclude;      /* the evaluated document may be in the pool: n + 1 are drawn and it is dropped */
	bool by_document;  /* native: every document has its own generator; else one for the suite, in document order */
	uint64_t seed;
	struct pyrandom rng;
};

void fewshot_init(struct fewshot *f, const struct value *pool, size_t npool, uint64_t seed);
/* n positions of the pool for the document `doc` with hash `hash`. */
int fewshot_draw(struct fewshot *f, size_t n, struct value doc, const unsigned char hash[DIGEST_BYTES], size_t *out, struct err *e);

#endif
