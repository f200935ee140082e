/* session.h - computes a plan: batches of rows from many sequences, KV pages shared along the trie, continuous generation.
 *
 * Which rows sit in one batch, which pages they use and in which order segments come changes no bit of any result
 * (NUMERICS.md), so everything here is chosen for speed and memory alone. The machine is a table of two functions, so that
 * tests can run the scheduler over a fake that checks what every row can see.
 */
#ifndef ASSAY_SESSION_H
#define ASSAY_SESSION_H

#include "kernels/base/err.h"
#include "kernels/ops.h"
#include "runners/model.h"
#include "runners/plan.h"

/* What computes. Limits are of one eval; a path may use at most pages_per_sequence pages. What eval is given, beside what model.h
 * says: the rows of one sequence are consecutive and ascend, and no slot is written that another sequence of the batch reads or writes. */
struct machine {
	void *ctx;
	int (*eval)(void *ctx, const struct eval *v, struct err *e);
	void (*copy)(void *ctx, int dst, int src, int slots); /* the first slots of page src to page dst, all layers */
	int vocab, rows, scored, sequences, pages_per_sequence;
	int pages; /* of the cache */
	int states;      /* slots that keep a sequence's recurrent state; 0: the model has none. One is enough, however slow; the plan must be split */
	int rope_switch; /* sequences longer than this use the long rope tables for all their rows; 0: none do */
	size_t logits_bytes; /* at most this much for full rows of logits in one eval; 0: 64 MiB */
};

struct session_hooks {
	void *ctx;
	/* One scored row of an item. Rows of one item come in rising order. logits: only where the item asked for them. */
	void (*scored)(void *ctx, uint32_t item, int32_t row, const struct lse *l, const float *logits);
	/* An item that draws: how its next token is drawn. */
	void (*draw)(void *ctx, uint32_t item, struct draw *out);
	/* A generating item: its next token; -1: the logits hold a NaN. True: go on with it. False: it has ended. */
	bool (*next)(void *ctx, uint32_t item, int32_t token);
	/* After each batch: rows computed, rows expected (generation counts its maximum). Non-zero: stop with E_STOPPED. */
	int (*progress)(void *ctx, double rows, double total);
	/* An item with a penalty: sets the bits (seen_words of the vocabulary) of its prompt's and generated ids; they come cleared. */
	void (*seen)(void *ctx, uint32_t item, uint32_t *bits);
};

struct session_stats {
	size_t batches, rows, scored, copies;
	size_t loosened;   /* segments computed from their first row again, because memory was short */
	size_t crossed;    /* generations computed again because they grew longer than rope_switch */
	int peak_pages, pages_left; /* most in use at once; in use at the end (0) */
	int lives_left;    /* sequences that hold pages or a slot at the end (0) */
};

/* Every item of the plan must fit: ceil((n + growth) / 64) <= pages and <= pages_per_sequence, at least 1 of each limit. */
int session_run(const struct machine *m, const struct plan *p, const struct session_hooks *h, struct session_stats *stats, struct err *e);

#endif
