/* resp.c - an answer copied out of the runner's callback, where it would not live on. */
#include "harness/resp.h"

void resp_from_answer(struct resp *out, const struct answer *a, struct arena *ar)
{
	*out = (struct resp){ .answered = a->status == ANSWER_OK };
	if (!out->answered) {
		out->why = arena_str(ar, a->why.msg, strlen(a->why.msg));
		return;
	}
	out->logprob = a->logprob;
	out->ntokens = a->nids ? a->nids : a->ntokens;
	out->greedy = a->greedy;
	out->ncontext = a->ncontext;
	out->ncontinuation = a->ncontinuation;
	out->nused = a->nused;
	out->text = arena_str(ar, a->text.p ? a->text.p : "", a->text.n);
	out->stop = a->stop;
	out->nwindows = a->nwindows;
	if (a->nwindows > 0) {
		out->windows = ARENA_ARRAY(ar, (size_t)a->nwindows, struct window);
		memcpy(out->windows, a->windows, (size_t)a->nwindows * sizeof *out->windows);
	}
}
