/* session_int.h - what session.c and session_pages.c share: the scheduler's books.
 */
#ifndef ASSAY_SESSION_INT_H
#define ASSAY_SESSION_INT_H

#include "runners/session.h"

enum { NONE = -1 };

/* One segment's progress. */
struct part {
	int32_t start, parent; /* as planned, or 0 and NONE once cut loose */
	int32_t live;          /* NONE: holds no pages */
	int32_t at;            /* next row to compute */
	int32_t from;          /* slot of the state that row `at` starts from */
	int32_t pending;       /* children and generations that have not begun, or not yet read the state they begin with */
	size_t want;           /* next want */
	uint32_t batch;        /* that holds its last row; 0: none yet */
	bool begun;
};

/* A sequence that holds pages: a segment or a generation. Its number is its slot of state as well, where it is below session.slots;
 * the others are for segments that need none. */
struct live {
	int32_t *page; /* [pages_per_sequence] */
	int32_t npages;
	int32_t seg;   /* whose, NONE: a generation's, or free */
	uint32_t batch; /* of the last eval it was part of */
	int32_t row;   /* its row of that eval's table */
};

struct stream { /* a generation after its first token */
	uint32_t item;
	int32_t owner; /* segment it goes on from; NONE once begun (with states: and its state read) or cut loose */
	int32_t live;
	int32_t at, len; /* rows computed, rows known: prompt and generated tokens */
	int32_t from;    /* as of a part */
	int32_t most;    /* pages that it may come to hold */
	int32_t promised; /* pages reserved for it and not yet taken */
	int32_t *token;   /* generated */
	int32_t cap;
	bool begun, ended, far;
};

struct hit { /* what a scored row is for */
	int32_t stream; /* or NONE: */
	int32_t seg;
	size_t want, nwants;
	bool logits, draws;
};

struct session {
	const struct machine *m;
	const struct plan *p;
	const struct session_hooks *h;
	struct session_stats stats;
	struct part *seg;
	int32_t *heap, *later, *closed;   /* ready segments; those that wait for the next batch; those that end in this one */
	int32_t *served;                  /* segments whose state this batch reads for somebody who began; [nlive] */
	size_t nheap, nlater, nclosed, nserved;
	int32_t partial;                  /* the segment that the last batch cut, or NONE */
	struct live *live;
	int32_t *live_pages, *live_free, *bare_free; /* free ones: with a slot, without */
	int nlive, slots, nlive_free, nbare_free, ld; /* a model without a state: all of them have a "slot" */
	int32_t *page_refs, *page_filled, *page_free;
	int nfree, promised, reserve, reserve_live;
	struct stream *stream;
	size_t nstreams, cap_streams;
	int running;                      /* streams that have begun */
	uint32_t batch;                   /* number of the batch being filled, from 1 */
	/* the batch */
	int n, nseq, nscored, max_scored;
	int32_t *ids, *pos, *seq, *from, *to, *table, *scored, *target;
	unsigned char *far;
	struct lse *out;
	struct hit *hit;
	float *logits;
	struct draw *draw;
	uint32_t *seen;                   /* seen and penalty: NULL where no item has one */
	float *penalty;
	int32_t *drawn;
	bool want_logits, want_draws;
	double done, total;
};

static inline int32_t pages_of(int32_t rows)
{
	return (int32_t)(((int64_t)rows + KV_PAGE - 1) / KV_PAGE);
}

int32_t page_take(struct session *s, int32_t filled);
void live_drop(struct session *s, int32_t *i);                  /* gives its pages and its slot back */
void live_trim(struct session *s, int32_t i, int32_t npages);   /* gives back pages beyond */
/* A path that goes on at row `start` of segment `parent` (NONE: from nothing), rows up to `end`: new pages needed; whether one of them
 * is a copy; how many pages it would share. */
int32_t pages_needed(const struct session *s, int32_t parent, int32_t start, int32_t end, bool *copy, int32_t *shared);
/* The parent is done with once this one has begun: its pages and slot pass on, nothing new is taken but pages. */
bool live_inherits(const struct session *s, int32_t parent);
/* Shares and takes pages so that rows start..end-1 may be written; bare: without a slot, unless it inherits one; fill_last: no later
 * path may go on inside the last page. owner: the segment, NONE: a generation. Returns the live. */
int32_t live_begin(struct session *s, int32_t owner, int32_t parent, int32_t start, int32_t end, bool bare, bool fill_last);
/* The sequence's row of this batch's page table, NONE when the batch has no room for another sequence. */
int32_t table_row(struct session *s, int32_t live);

#endif
