/* run_int.h - private to run.c and its two helpers: run_ask.c (requests to answers) and run_score.c (answers to rows).
 *
 *     job    one --suite argument: a suite, or a group with many leaves. It has a run id per model.
 *     leaf   one suite of a job with all its documents, and per model their answers
 *
 * Memory: documents and requests live in the run arena; answers and rows of a model in the model arena.
 */
#ifndef ASSAY_RUN_INT_H
#define ASSAY_RUN_INT_H

#include "harness/journal.h"
#include "harness/manifest.h"
#include "harness/metric.h"
#include "harness/run.h"
#include "harness/task.h"

struct leaf {
	const struct suite *suite;
	struct task *task;
	struct item *item;
	size_t n;              /* documents */
	struct resp **resp;    /* [n][item.nreq] */
	struct row *row;       /* [filters][metrics] */
	struct aggregate_result *agg; /* beside each row */
	int nrows;
};

struct job {
	const struct suite *suite;
	struct leaf *leaf;
	int nleaves;
	char run_id[RUN_ID_HEX];
	char dir[4096];        /* DIR/runs/<id> */
	struct value inputs;
};

/* What a run needs while one model answers. */
struct run {
	const struct run_opts *o;
	struct settings *set;          /* o->set, of which `sampling` is the model's */
	const struct run_model *model;
	struct runner *runner;
	struct journal *journal;
	struct job *job;
	int njobs;
	struct arena *all, *per_model;
	struct run_summary *sum;
};

/* Every answer of every leaf: from the journal, else computed in one call of runner_run and journalled. */
int run_ask(struct run *r, struct err *e);
/* Filters, metrics, rows and the sample log of one leaf. */
int run_score_leaf(struct run *r, struct job *j, struct leaf *l, struct err *e);
/* Rows of the job: its groups' rows from the top, then its leaves'. */
int run_rows(struct run *r, struct job *j, struct row **rows, size_t *n, struct err *e);
bool run_stopped(const struct run_opts *o);

#endif
