/* budget.h - how a run's memory is dealt out, and what a model would hold: decided before anything large is allocated.
 *
 * The limit counts KV pages, states and scratch, not weights. Scratch gets at most half of it (batches shrink until it
 * does), logits of scored rows at most a quarter, states of recurrent layers half of what is left (all of it where no layer
 * keeps keys), pages the rest. One page and one state are the least; budget_check refuses a limit that does not hold them.
 * What is dealt out changes no bit of any result.
 */
#ifndef ASSAY_BUDGET_H
#define ASSAY_BUDGET_H

#include "runners/model.h"
#include "runners/runner.h"

struct budget {
	const struct model *model;
	size_t memory;          /* for pages, states and scratch */
	int rows, scored;       /* of one forward pass */
	int max_length;         /* of a sequence */
	int pages_per_sequence; /* of max_length, but no more than there can be: page tables grow with it */
};

/* memory 0: a sensible share; batch_rows 0: as many as is usual. The model may be planned only. */
void budget_make(struct budget *b, const struct model *m, size_t memory, int batch_rows, int max_length);
int budget_states(const struct budget *b); /* slots of recurrent state beside the scratch; 0: the model has none */
int budget_pages(const struct budget *b);  /* KV pages beside the scratch and the states */
/* Says what will be held, and refuses what does not fit; name: the model's, for messages. */
int budget_check(const struct budget *b, const char *name, struct err *e);
int budget_rows(const struct budget *b, struct plan_row *rows, int max); /* the same as a table: rows filled */

#endif
