/* resp.h - an answer as the harness keeps it: what the journal stores and filters, metrics and sample logs read. */
#ifndef ASSAY_RESP_H
#define ASSAY_RESP_H

#include "kernels/base/arena.h"
#include "runners/runner.h"

struct resp {
	bool answered;         /* false: the request failed (`why`) */
	struct str why;
	double logprob;
	int ntokens;
	bool greedy;
	int ncontext, ncontinuation, nused; /* from runner_key, not stored */
	struct window *windows;
	int nwindows;
	struct str text;
	enum stop stop;
};

void resp_from_answer(struct resp *out, const struct answer *a, struct arena *ar); /* deep copy */

#endif
