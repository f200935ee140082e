/* run.c - the main job from top to bottom: suites and data become requests, requests answers, answers scores and files.
 *
 *     suite -> task_next (documents, prompts)          once, whatever the number of models
 *     for every model:
 *         run_ask: runner_key -> journal_get -> runner_run for what is missing, all suites in one call -> journal_put
 *         run_score_leaf: filters -> metrics -> aggregates, samples/<suite>.jsonl
 *         rows.csv, manifest.json, leaderboard.csv, gap.csv
 *
 * Nothing that is written depends on the machine, the threads, the order of answers or the time; files are replaced whole.
 * A request that fails is counted and logged and never journalled; a signal keeps what was answered and ends with E_STOPPED.
 */
#include <stdio.h>

#include "harness/run_int.h"

enum { GROUP_DEPTH = 16, LEAVES_MAX = 4096 };

bool run_stopped(const struct run_opts *o)
{
	return o->view && o->view->stop && *o->view->stop;
}

static void phase(const struct run_opts *o, const char *model, const struct suite *s, const char *what)
{
	if (o->view && o->view->phase)
		o->view->phase(o->view->ctx, model, s ? s->name.p : "", what);
}

/* ---- suites to documents ---- */

static int count_leaves(const struct suite *s, int depth, struct err *e)
{
	int n = 0;
	if (s->kind != KIND_GROUP)
		return 1;
	if (depth == GROUP_DEPTH)
		return err_set(e, E_LIMIT, "group %.*s is nested more than %d deep", (int)s->name.n, s->name.p, GROUP_DEPTH);
	for (int i = 0; i < s->nmembers && n >= 0; i++) {
		int k = count_leaves(s->member[i], depth + 1, e);
		n = k < 0 ? -1 : n + k;
	}
	return n > LEAVES_MAX ? err_set(e, E_LIMIT, "group %.*s has more than %d suites", (int)s->name.n, s->name.p, LEAVES_MAX) : n;
}

static struct leaf *fill_leaves(const struct suite *s, struct leaf *at)
{
	if (s->kind != KIND_GROUP) {
		at->suite = s;
		return at + 1;
	}
	for (int i = 0; i < s->nmembers; i++)
		at = fill_leaves(s->member[i], at);
	return at;
}

/* What the replay runner looks answers up by: the data's own id where they have one, else the position. */
static void set_origin(struct item *it, const struct suite *s, struct arena *a)
{
	bool own = it->doc_id.type != V_NONE && it->doc_id.type != V_UNDEFINED;
	struct str id = own ? v_text(a, it->doc_id) : arena_printf(a, "%zu", it->doc);
	for (int k = 0; k < it->nreq; k++) {
		it->req[k].origin.suite = s->name;
		it->req[k].origin.doc_id = id;
		it->req[k].origin.index = k;
	}
}

static int read_documents(const struct run_opts *o, struct leaf *l, struct arena *a, struct err *e)
{
	int got = 1;
	phase(o, "", l->suite, "prompts");
	if (task_open(&l->task, l->suite, &o->set, &o->data, e))
		return -1;
	size_t size = task_size(l->task);
	l->item = ARENA_ARRAY(a, size, struct item);
	while (l->n < size && (got = task_next(l->task, a, &l->item[l->n], e)) > 0) {
		set_origin(&l->item[l->n++], l->suite, a);
		if (run_stopped(o))
			return err_set(e, E_STOPPED, "stopped before anything was asked");
	}
	if (got < 0)
		return -1;
	return l->n ? 0 : err_set(e, E_FORMAT, "suite %.*s: no document is left to ask", (int)l->suite->name.n, l->suite->name.p);
}

static int open_job(const struct run_opts *o, struct job *j, const struct suite *s, struct arena *a, struct err *e)
{
	int n = count_leaves(s, 0, e);
	if (n < 0)
		return -1;
	if (n == 0)
		return err_set(e, E_FORMAT, "group %.*s has no suites", (int)s->name.n, s->name.p);
	j->suite = s;
	j->leaf = ARENA_ARRAY(a, (size_t)n, struct leaf);
	j->nleaves = n;
	fill_leaves(s, j->leaf);
	for (int i = 0; i < n; i++)
		if (read_documents(o, &j->leaf[i], a, e))
			return -1;
	return 0;
}

/* ---- one model ---- */

static const struct manifest_leaf *manifest_leaves(const struct job *j, struct arena *a)
{
	struct manifest_leaf *m = ARENA_ARRAY(a, (size_t)j->nleaves, struct manifest_leaf);
	for (int i = 0; i < j->nleaves; i++)
		m[i] = (struct manifest_leaf){ j->leaf[i].suite, j->leaf[i].task };
	return m;
}

static int identify(struct run *r, struct job *j, struct err *e)
{
	j->inputs = manifest_inputs(r->per_model, runner_info(r->runner), j->suite, manifest_leaves(j, r->per_model), j->nleaves, &r->o->set);
	manifest_run_id(r->per_model, j->inputs, j->run_id);
	int n = snprintf(j->dir, sizeof j->dir, "%s/runs/%s", r->o->out, j->run_id);
	if (n < 0 || (size_t)n >= sizeof j->dir)
		return err_set(e, E_USAGE, "the path of the results folder is too long");
	return make_dirs(arena_printf(r->per_model, "%s/samples", j->dir).p, e);
}

static int finish_job(struct run *r, struct job *j, struct err *e)
{
	struct row *rows;
	size_t n;
	for (int i = 0; i < j->nleaves; i++) {
		phase(r->o, r->model->name, j->leaf[i].suite, "scores");
		if (run_stopped(r->o))
			return err_set(e, E_STOPPED, "stopped: every answer is kept");
		if (run_score_leaf(r, j, &j->leaf[i], e))
			return -1;
	}
	if (run_rows(r, j, &rows, &n, e) || results_write(arena_printf(r->per_model, "%s/rows.csv", j->dir).p, rows, n, e))
		return -1;
	return manifest_write(r->per_model, j->dir, j->run_id, j->inputs, r->model->name, runner_info(r->runner),
			      manifest_leaves(j, r->per_model), j->nleaves, e);
}

static int run_model(struct run *r, struct err *e)
{
	struct runner_opts opts = r->o->runner;
	struct row *rows;
	size_t n;
	opts.model = r->model->path;
	phase(r->o, r->model->name, NULL, "opening");
	if ((r->set->generation_config && runner_sampling(&r->set->sampling, opts.model, e)) || runner_open(&r->runner, &opts, e))
		return err_wrap(e, "model %s", r->model->name);
	for (int i = 0; i < r->njobs; i++)
		if (identify(r, &r->job[i], e))
			return -1;
	phase(r->o, r->model->name, r->njobs == 1 ? r->job[0].suite : NULL, "answers");
	if (run_ask(r, e))
		return -1;
	for (int i = 0; i < r->njobs; i++)
		if (finish_job(r, &r->job[i], e))
			return -1;
	return board_rebuild(r->o->out, r->per_model, &rows, &n, e);
}

/* ---- everything ---- */

int run_all(const struct run_opts *opts, struct run_summary *summary, struct err *e)
{
	struct arena all, per_model;
	struct run_opts own = *opts, *o = &own; /* what a model's generation_config.json says changes with the model */
	struct run r = { .o = o, .set = &own.set, .all = &all, .per_model = &per_model, .sum = summary };
	int status = -1;
	arena_init(&all);
	arena_init(&per_model);
	*summary = (struct run_summary){ 0 };
	r.job = ARENA_ARRAY(&all, (size_t)o->nsuites, struct job);
	for (; r.njobs < o->nsuites; r.njobs++)
		if (open_job(o, &r.job[r.njobs], o->suite[r.njobs], &all, e)) {
			r.njobs++; /* its tasks are to be closed too */
			goto done;
		}
	/* nothing is created before suites and data are known to be sound */
	if (make_dirs(o->out, e) || journal_open(&r.journal, arena_printf(&all, "%s/journal.db", o->out).p, e))
		goto done;
	for (int i = 0; i < o->nmodels; i++) {
		r.model = &o->model[i];
		int failed = run_model(&r, e);
		runner_close(r.runner);
		r.runner = NULL;
		arena_reset(&per_model);
		if (failed)
			goto done;
	}
	status = 0;
done:
	for (int i = 0; i < r.njobs; i++)
		for (int k = 0; k < r.job[i].nleaves; k++)
			task_close(r.job[i].leaf[k].task);
	if (journal_close(r.journal, status == 0 ? e : NULL))
		status = -1;
	arena_fini(&per_model);
	arena_fini(&all);
	return status;
}
