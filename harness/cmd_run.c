/* cmd_run.c - `assay run`: reads the options of the main job, opens the suites, calls run_all, says what was done. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/cmd.h"
#include "harness/common.h"
#include "harness/planfile.h"
#include "harness/progress.h"
#include "harness/run.h"
#include "kernels/base/log.h"
#include "runners/text/json.h"

struct view {
	struct bar bar;
};

static void on_phase(void *ctx, const char *model, const char *suite, const char *what)
{
	bar_label(&((struct view *)ctx)->bar, model, suite, what);
}

static void on_progress(void *ctx, const struct progress *p)
{
	bar_update(&((struct view *)ctx)->bar, p->done, p->total, p->tokens_done, p->tokens_total);
}

static void say_summary(const struct globals *g, const struct run_opts *o, const struct run_summary *s)
{
	if (g->json) {
		struct buf b = { 0 }, path = { 0 };
		buf_printf(&path, "%s/leaderboard.csv", o->out);
		json_write_str(&b, (struct str){ path.p, path.n }, 0);
		printf("{\"requests\":%zu,\"answered_before\":%zu,\"computed\":%zu,\"failed\":%zu,\"leaderboard\":%s}\n", s->requests,
		       s->answered_before, s->computed, s->failed, b.p);
		buf_fini(&b);
		buf_fini(&path);
		return;
	}
	if (g->quiet) {
		if (s->failed)
			fprintf(stderr, "assay: warning: %zu requests failed (each is in the sample log)\n", s->failed);
		return;
	}
	fprintf(stderr, "assay: %zu requests: %zu computed", s->requests, s->computed);
	if (s->computed && s->seconds_compute > 0)
		fprintf(stderr, " in %.2f s (%.0f/s)", s->seconds_compute, (double)s->computed / s->seconds_compute);
	fprintf(stderr, ", %zu answered before", s->answered_before);
	if (s->failed)
		fprintf(stderr, ", %zu failed (each is in the sample log)", s->failed);
	fprintf(stderr, "\nassay: leaderboard in %s/leaderboard.csv\n", o->out);
}

static int run(const struct args *args, const struct globals *g, struct err *e)
{
	struct arena a;
	arena_init(&a);
	struct suites *suites = NULL;
	struct view v;
	int status = -1;
	struct run_opts o = { 0 };
	bar_open(&v.bar, g->quiet, g->colour_err);
	struct run_view view = { on_phase, on_progress, &v, &cmd_stop };
	o.view = &view;
	if (common_out(args, &o.out, e) || common_models(args, &a, &o.model, &o.nmodels, e) || common_settings(args, g, &a, &o.set, e) ||
	    common_suites(args, &a, &suites, &o.suite, &o.nsuites, e) || common_data(args, &a, &o.data, e) ||
	    common_files_used(args, suites, o.suite, o.nsuites, e))
		goto done;
	common_runner(args, g, &o.runner);
	struct run_summary s = { 0 };
	if (run_all(&o, &s, e))
		goto done;
	bar_close(&v.bar);
	if (o.set.strict && log_warnings()) {
		err_set(e, E_FORMAT, "--strict: %d warning%s", log_warnings(), log_warnings() == 1 ? "" : "s");
		goto done;
	}
	say_summary(g, &o, &s);
	if (!g->json && !g->quiet && board_show(o.out, "text", g, e) < 0)
		goto done;
	status = s.failed ? EXIT_SOME_FAILED : EXIT_DONE;
done:
	bar_close(&v.bar);
	suites_close(suites);
	arena_fini(&a);
	return status;
}

/* A plan's options, then those of the command line over them. */
static int run_plan(const char *path, const struct args *args, const struct globals *g, struct err *e)
{
	struct arena a;
	struct args *all = NULL;
	struct globals both = *g;
	char **words;
	int n, status = -1;
	arena_init(&a);
	if (plan_words(path, &cmd_run, &a, &n, &words, e) == 0) {
		n = args_again(args, &a, n, words, &words);
		if (args_parse(&all, &cmd_run, n, words, &both, e))
			err_wrap(e, "%s", path);
		else
			status = run(all, &both, e);
	}
	args_free(all);
	arena_fini(&a);
	return status;
}

static int exec(const struct args *args, const struct globals *g, struct err *e)
{
	int n;
	const char *const *w = args_words(args, &n);
	return n ? run_plan(w[0], args, g, e) : run(args, g, e);
}

static const struct opt opts[] = {
	COMMON_RUN_OPTS
	{ "out", 'o', OPT_STRING, "DIR", "Results folder: journal, leaderboard, runs (default: results).", 0, 0, NULL, false, false },
	{ NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false },
};

const struct cmd cmd_run = {
	.name = "run",
	.usage = "(PLAN.yaml | --model MODEL... --suite SUITE...) [options]",
	.summary = "Runs suites over models and writes the leaderboard.",
	.description =
		"Asks every model every question of every suite, scores the answers and writes DIR/leaderboard.csv, a manifest and a "
		"sample log per run. Answers are kept in DIR/journal.db as they come: the same command again computes nothing that is "
		"there and writes the same bytes; a run that was stopped or killed goes on where it was.\n\n"
		"A MODEL is a folder in Hugging Face layout (config.json, *.safetensors, tokenizer.json), or the name of an embedded model; "
		"MODEL=NAME gives its name in the registry. A SUITE is a name (assay list suites), a group such as mmlu, or a path to a .yaml.\n\n"
		"PLAN.yaml holds the same options as keys (model: [...], suite: [...], limit: 100); those of the command line come on top.",
	.opts = opts,
	.max_words = 1,
	.word = "the plan",
	.exec = exec,
};
