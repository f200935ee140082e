/* run.h - the main job: models x suites -> answers -> scores -> rows. run.c is the straight line of the program. */
#ifndef ASSAY_RUN_H
#define ASSAY_RUN_H

#include "harness/dataset.h"
#include "harness/results.h"
#include "harness/settings.h"
#include "harness/suite.h"

struct run_model {
	const char *path;  /* directory, or replay file */
	const char *name;  /* shown in the row: registry name, else the directory's last part */
	struct registry_row registry;
};

/* How progress is shown: called by run_all; NULL members are skipped. */
struct run_view {
	void (*phase)(void *ctx, const char *model, const char *suite, const char *what); /* "prompts", "answers", "scores" */
	void (*progress)(void *ctx, const struct progress *p);
	void *ctx;
	const volatile int *stop; /* set by a signal: stop soon, keep what was answered */
};

struct run_opts {
	const char *out;               /* results directory */
	struct run_model *model;
	int nmodels;
	struct suite **suite;
	int nsuites;
	struct settings set;
	struct data_sources data;
	struct runner_opts runner;     /* model is filled per model */
	const struct run_view *view;
};

struct run_summary {
	size_t requests, answered_before, computed, failed;
	double seconds_compute; /* wall time inside runner_run; for the terminal only */
};

/* 0, or -1 with e; summary->failed > 0 means exit status 3. Writes DIR/runs/<id>/{manifest.json,rows.csv,samples/...} and the board. */
int run_all(const struct run_opts *o, struct run_summary *summary, struct err *e);

#endif
