/* plan.h - all token sequences of a run as one trie, flattened: every distinct prefix is computed once.
 *
 * An item is a token sequence and the rows (positions) of it whose next token is scored. Items are sorted by their ids;
 * what an item shares with the one before it (longest common prefix) is not computed again. What is left of each item is
 * a segment: rows [start, end) of one path, hanging under the segment that holds row start - 1.
 *
 *     <s> The cat sat          segment 0: rows 0..3                     items (by memcmp of ids, shorter first)
 *     <s> The cat ran away     segment 1: rows 3..4, parent 0
 *     <s> The dog              segment 2: rows 2..2, parent 0
 *
 * Segments are numbered in preorder, so that a walk by rising number is depth first. A want is one scored row: it is kept
 * by the segment that computes the row, whichever items asked for it. Wants of a segment are sorted by row and target.
 *
 * A split plan is for models that carry a state from row to row: there a path can go on only where the state was kept, so
 * segments are cut wherever a child branches off, and every child begins at its parent's end (the prompt of a generation
 * ends at its segment's end in any plan). Above: 0: rows 0..1, 1: row 2 under 0, 2: row 3 under 1,
 * 3: rows 3..4 under 1, 4: row 2 under 0.
 *
 * Items that are far (their rows use the rope tables of long sequences) share nothing with those that are not.
 * Nothing here knows a model, memory or time; session.c walks the plan.
 */
#ifndef ASSAY_PLAN_H
#define ASSAY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan_item {
	const int32_t *ids; /* n inputs; ids[n] is the target of the last row unless `open` */
	int32_t n;          /* input rows, >= 1 */
	int32_t first;      /* rows first..n-1 are scored; first == n: none */
	bool far;           /* the sequence is longer than the model's rope_switch: all its rows use the long tables */
	bool open;          /* the last row has no target: only its argmax (and logits) are wanted */
	bool generate;      /* after the last row the sequence goes on */
	int32_t growth;     /* generate: rows that may follow */
	bool draws;         /* generate: the next token is drawn, not the argmax */
	float penalty;      /* draws: repetition penalty; 0: none */
	const int *logits_at; /* rows whose logits are wanted, ascending (all of them scored) */
	int nlogits_at;
};

struct want {
	int32_t row, target; /* target -1: none */
	uint32_t item;
	bool logits;
};

struct seg {
	uint32_t item;              /* its ids are the path; rows [start, end) are computed */
	int32_t start, end;
	int32_t parent;             /* segment, -1: none */
	int32_t child, sibling;     /* first child, next sibling (-1: none), ascending */
	int32_t nchildren;
	int32_t keep;               /* rows that something after this segment still needs: the largest start of a child, n of a generation */
	int32_t ngenerate;          /* generations that go on from this segment */
	size_t want, nwants;        /* in plan.wants */
};

struct plan {
	const struct plan_item *items;
	size_t nitems;
	struct seg *segs;
	size_t nsegs;
	struct want *wants;
	size_t nwants;
	size_t rows;                /* unique rows: the sum over segments */
	int32_t longest;            /* rows of the longest path, growth included */
	bool logits;                /* some row's logits are wanted */
	bool split;                 /* every child begins at its parent's end */
};

/* share false: every item is a segment of its own, nothing is shared. items must outlive the plan; at most 2^30 - 1 of them. */
void plan_make(struct plan *p, const struct plan_item *items, size_t n, bool share, bool split);
void plan_free(struct plan *p);

#endif
