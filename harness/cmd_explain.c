/* cmd_explain.c - `assay explain SUITE --doc N --model MODEL`: one document from YAML to score, for a person at a terminal.
 *
 * Prompt with its white space made visible, tokens with the context|continuation boundary, log-probability per token, the
 * margin between the best and the second choice, the trace through the filters, the metrics. It is an ordinary client of
 * the same task, runner, filter and metric code that `assay run` uses.
 */
#include <stdlib.h>
#include <string.h>

#include "harness/cmd.h"
#include "harness/common.h"
#include "harness/filter.h"
#include "harness/metric.h"
#include "harness/task.h"
#include "runners/text/json.h"
#include "runners/text/utf8.h"

struct shown {
	struct resp resp;
	double *logprobs;
	int32_t *argmax, *ids;
	int nlogprobs, nids;
};

struct job {
	struct arena *a;
	struct shown *s;
};

struct paint {
	const char *dim, *bold, *mark, *off;
};

static void on_answer(void *ctx, size_t i, const struct answer *ans)
{
	struct job *j = ctx;
	struct shown *s = &j->s[i];
	resp_from_answer(&s->resp, ans, j->a);
	s->nlogprobs = ans->nlogprobs;
	s->logprobs = ARENA_ARRAY(j->a, ans->nlogprobs, double);
	s->argmax = ARENA_ARRAY(j->a, ans->nargmax, int32_t);
	if (ans->nlogprobs)
		memcpy(s->logprobs, ans->logprobs, (size_t)ans->nlogprobs * sizeof(double));
	if (ans->nargmax)
		memcpy(s->argmax, ans->argmax, (size_t)ans->nargmax * sizeof(int32_t));
	s->nids = ans->nids;
	s->ids = ARENA_ARRAY(j->a, ans->nids, int32_t);
	if (ans->nids)
		memcpy(s->ids, ans->ids, (size_t)ans->nids * sizeof(int32_t));
}

/* White space that the eye misses: blank as a middle dot, newline as an arrow and a new line, tab, other controls. */
static void visible(const struct paint *p, struct str s, const char *indent)
{
	size_t i = 0;
	printf("%s", indent);
	while (i < s.n) {
		size_t from = i;
		uint32_t cp = utf8_next(s, &i);
		if (cp == ' ')
			printf("%s\u00b7%s", p->dim, p->off);
		else if (cp == '\n')
			printf("%s\u21b5%s\n%s", p->dim, p->off, i < s.n ? indent : "");
		else if (cp == '\t')
			printf("%s\u2192%s", p->dim, p->off);
		else if (cp < 32 || cp == 127 || cp == 0xa0 || cp == 0x3000)
			printf("%s<U+%04X>%s", p->dim, cp, p->off);
		else
			fwrite(s.p + from, 1, i - from, stdout);
	}
	if (!s.n || s.p[s.n - 1] != '\n')
		putchar('\n');
}

static int token_text(struct runner *r, int32_t id, struct arena *a, char *out, size_t size, struct err *e)
{
	struct str s;
	if (runner_decode(r, &id, 1, false, a, &s, e))
		return -1;
	struct buf b = { 0 };
	json_write_str(&b, s, 0);
	snprintf(out, size, "%s", b.p);
	buf_fini(&b);
	return 0;
}

/* Continuation tokens with their log-probabilities; the last few tokens of the context before the boundary. */
static int show_tokens(const struct paint *p, struct runner *r, const struct request *q, const struct shown *s, struct arena *a, struct err *e)
{
	struct encoded enc;
	char text[400], best[400];
	if (runner_encode(r, q, a, &enc, e))
		return -1;
	int from = enc.ncontext > 6 ? enc.ncontext - 6 : 0;
	printf("    tokens: %d of context, %d of continuation\n", enc.ncontext, enc.nids - enc.ncontext);
	if (from)
		printf("      %s... %d before%s\n", p->dim, from, p->off);
	for (int i = from; i < enc.nids; i++) {
		if (i == enc.ncontext)
			printf("      %s---- context | continuation ----%s\n", p->mark, p->off);
		if (token_text(r, enc.ids[i], a, text, sizeof text, e))
			return -1;
		printf("      %6d  %-20s", enc.ids[i], text);
		int k = i - enc.ncontext;
		if (k >= 0 && k < s->nlogprobs) {
			printf(" %12.6f", s->logprobs[k]);
			if (s->argmax[k] == enc.ids[i]) {
				printf("  greedy");
			} else if (token_text(r, s->argmax[k], a, best, sizeof best, e)) {
				return -1;
			} else {
				printf("  %sthe model would say %s%s", p->dim, best, p->off);
			}
		}
		putchar('\n');
	}
	return 0;
}

static void show_value(const char *what, struct value v, struct arena *a)
{
	struct str s = json_text(a, v, 0, -1);
	printf("%s%.*s\n", what, (int)s.n, s.p);
}

static int show_request(const struct paint *p, struct runner *r, const struct item *it, int i, const struct shown *s, struct arena *a, struct err *e)
{
	const struct request *q = &it->req[i];
	struct str text;
	if (i == 0 || !str_eq(it->context[i], it->context[i - 1])) {
		if (runner_render(r, q, a, &text, e))
			return -1;
		printf("%sprompt%s (%zu bytes)\n", p->bold, p->off, text.n);
		visible(p, text, "  | ");
	}
	printf("%srequest %d%s", p->bold, i, p->off);
	if (!s->resp.answered) {
		printf(": failed: %.*s\n", (int)s->resp.why.n, s->resp.why.p);
		return 0;
	}
	switch (q->ask) {
	case ASK_LOGLIK:
		printf(": log p(continuation | prompt) = %.9g over %d tokens%s\n", s->resp.logprob, s->resp.ntokens, s->resp.greedy ? ", greedy" : "");
		visible(p, q->continuation, "    > ");
		return show_tokens(p, r, q, s, a, e);
	case ASK_ROLLING:
		printf(": log p(text) = %.9g over %d tokens in %d windows\n", s->resp.logprob, s->resp.ntokens, s->resp.nwindows);
		return 0;
	case ASK_GENERATE:
		printf(": %d tokens generated, ended by %s\n", s->nids, stop_name(s->resp.stop));
		visible(p, s->resp.text, "    > ");
		return 0;
	case ASK_IDS:
		return 0;
	}
	return 0;
}

/* The distance between the best and the second choice, and whether the gold one won. */
static void show_margin(const struct item *it, const struct shown *s)
{
	int best = -1, second = -1;
	for (int i = 0; i < it->nchoices && i < it->nreq; i++) {
		if (!s[i].resp.answered)
			return;
		if (best < 0 || s[i].resp.logprob > s[best].resp.logprob) {
			second = best;
			best = i;
		} else if (second < 0 || s[i].resp.logprob > s[second].resp.logprob) {
			second = i;
		}
	}
	if (second >= 0)
		printf("margin: choice %d leads choice %d by %.6g nats\n", best, second, s[best].resp.logprob - s[second].resp.logprob);
}

/* EXIT_DONE, EXIT_SOME_FAILED when a request failed (there is nothing to score then), or -1 */
static int show_scores(const struct suite *su, const struct item *it, const struct shown *s, struct arena *a, struct err *e)
{
	struct resp *resps = ARENA_ARRAY(a, it->nreq, struct resp);
	struct str *texts = ARENA_ARRAY(a, it->nreq, struct str);
	for (int i = 0; i < it->nreq; i++) {
		if (!s[i].resp.answered)
			return EXIT_SOME_FAILED;
		resps[i] = s[i].resp;
		texts[i] = s[i].resp.text;
	}
	for (int f = 0; f < su->nfilters; f++) {
		struct value filtered = { 0 };
		if (su->kind == KIND_GENERATE) {
			struct filter part = su->filter[f];
			printf("filter %.*s\n", (int)part.name.n, part.name.p);
			for (part.nsteps = 1; part.nsteps <= su->filter[f].nsteps; part.nsteps++) {
				if (filter_apply(&part, a, &it->row, texts, it->nreq, &filtered, e))
					return -1;
				printf("  after step %d (%s): ", part.nsteps, filter_table()[part.step[part.nsteps - 1].kind].name);
				show_value("", filtered, a);
			}
		} else if (f) {
			break;
		}
		for (int m = 0; m < su->nmetrics; m++) {
			struct score sc;
			const struct metric_info *info = metric_find(su->metric[m].name);
			if (metric_doc(&su->metric[m], su, it, resps, su->kind == KIND_GENERATE ? &filtered : NULL, a, &sc, e))
				return -1;
			printf("%.*s,%.*s = %.9g", (int)su->metric[m].name.n, su->metric[m].name.p, (int)su->filter[f].name.n, su->filter[f].name.p, sc.v);
			if (info && info->pair)
				printf(" (weight %.9g)", sc.w);
			putchar('\n');
		}
	}
	return EXIT_DONE;
}

/* an exit status or -1 */
static int explain(const struct suite *su, const struct settings *set, const struct data_sources *d, struct runner *r, size_t doc,
		   const struct paint *p, struct arena *a, struct err *e)
{
	struct task *t;
	struct item it;
	int got = 0, status = -1;
	if (task_open(&t, su, set, d, e))
		return -1;
	do
		got = task_next(t, a, &it, e);
	while (got > 0 && it.doc != doc);
	if (got <= 0) {
		if (got == 0)
			err_set(e, E_RANGE, "suite %.*s: there is no document %zu (the split %s has %zu)", (int)su->name.n, su->name.p, doc, task_split(t), task_size(t));
		goto done;
	}
	printf("%s%.*s%s, document %zu of split %s, %d shots\n", p->bold, (int)su->name.n, su->name.p, p->off, it.doc, task_split(t), task_shots(t));
	show_value("document: ", it.row, a);
	show_value("target: ", it.target, a);
	struct job j = { a, ARENA_ARRAY(a, it.nreq, struct shown) };
	if (runner_run(r, it.req, (size_t)it.nreq, on_answer, NULL, &j, e))
		goto done;
	for (int i = 0; i < it.nreq; i++)
		if (show_request(p, r, &it, i, &j.s[i], a, e))
			goto done;
	if (su->kind == KIND_CHOICE)
		show_margin(&it, j.s);
	status = show_scores(su, &it, j.s, a, e);
done:
	task_close(t);
	return status;
}

static int exec(const struct args *args, const struct globals *g, struct err *e)
{
	int n, nmodels, status = -1;
	const char *const *w = args_words(args, &n);
	const struct paint plain = { "", "", "", "" }, coloured = { "\033[2m", "\033[1m", "\033[33m", "\033[0m" };
	struct arena a;
	struct suites *suites = NULL;
	struct suite *su;
	struct settings set;
	struct data_sources data;
	struct run_model *model;
	struct runner_opts o;
	struct runner *r = NULL;
	arena_init(&a);
	const char *dirs[] = { arena_printf(&a, "%s/suites", data_dir()).p, NULL };
	if (common_models(args, &a, &model, &nmodels, e) || common_settings(args, g, &a, &set, e) || common_data(args, &a, &data, e) ||
	    suites_open(&suites, dirs, e) || suite_find(suites, w[0], &su, e))
		goto done;
	if (su->kind == KIND_GROUP) {
		err_set(e, E_USAGE, "%s is a group: name one of its suites (assay list suites)", w[0]);
		goto done;
	}
	if (common_files_used(args, suites, &su, 1, e))
		goto done;
	common_runner(args, g, &o);
	o.model = model[0].path;
	if ((set.generation_config && runner_sampling(&set.sampling, o.model, e)) || runner_open(&r, &o, e))
		goto done;
	status = explain(su, &set, &data, r, (size_t)args_int(args, "doc", 0), g->colour_out ? &coloured : &plain, &a, e);
done:
	runner_close(r);
	suites_close(suites);
	arena_fini(&a);
	return status;
}

static const struct opt opts[] = {
	{ "model", 'm', OPT_STRING, "MODEL", "A model's folder, or the name of an embedded model.", 0, 0, NULL, false, false },
	{ "doc", 0, OPT_INT, "N", "The document: its position in the evaluated split (default 0).", 0, 1000000000, NULL, false, false },
	COMMON_SETTING_OPTS
	{ NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false },
};

const struct cmd cmd_explain = {
	.name = "explain",
	.usage = "SUITE --doc N --model MODEL [options]",
	.summary = "Shows one document from prompt to score, token by token.",
	.description = "Prints the prompt byte by byte (white space made visible), the tokens with the boundary between context and continuation, the "
		       "log-probability of every token and what the model would have said, the margin, the trace through the filters, the metrics.",
	.opts = opts,
	.min_words = 1,
	.max_words = 1,
	.word = "the suite",
	.exec = exec,
};
