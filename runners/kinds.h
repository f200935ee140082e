/* kinds.h - what a kind of runner is: the rows of runner.c's table. Private to runner*.c. */
#ifndef ASSAY_KINDS_H
#define ASSAY_KINDS_H

#include "runners/runner.h"

struct runner_kind {
	const char *name;
	int (*open)(struct runner **out, const struct runner_opts *o, struct err *e);
	void (*close)(struct runner *r);
	int (*encode)(struct runner *r, const struct request *q, struct arena *a, struct encoded *out, struct err *e);
	int (*render)(struct runner *r, const struct request *q, struct arena *a, struct str *out, struct err *e);
	int (*key)(struct runner *r, const struct request *q, struct keyed *out, struct err *e);
	int (*run)(struct runner *r, const struct request *q, size_t n, answer_fn *done, progress_fn *progress, void *ctx, struct err *e);
	int (*decode)(struct runner *r, const int32_t *ids, int n, bool skip_special, struct arena *a, struct str *out, struct err *e);
};

/* Every kind's own struct begins with this one. */
struct runner {
	const struct runner_kind *kind;
	struct runner_info info;
};

extern const struct runner_kind runner_engine, runner_replay;

int engine_plan(const struct runner_opts *o, struct plan_row *rows, int max, struct err *e);

#endif
