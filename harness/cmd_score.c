/* cmd_score.c - `assay score`: log-probabilities and generations, JSON lines through a model alone.
 *
 * Each line becomes one struct request; a whole batch of lines goes to runner_run at once, so that shared prefixes are
 * computed once whatever the order of the lines; answers are written in input order.
 */
#include <stdlib.h>

#include "harness/cmd.h"
#include "harness/jsonlines.h"
#include "harness/progress.h"
#include "harness/settings.h"
#include "runners/runner.h"
#include "runners/text/json.h"
#include "runners/text/utf8.h"

static const char *const fields[] = { "context", "continuation", "text", "ids", "logits", "generate", "messages", NULL };
static const char *const generate_fields[] = { "max_tokens", "until", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed", "sample", NULL };

struct job {
	struct runner *runner;
	struct lines *lines;
	struct line *line;
	size_t *of;            /* request -> line */
	const struct request *req;
	struct bar *bar;
};

static int number(const struct value *v, double *out)
{
	if (v->type == V_INT)
		*out = (double)v->i;
	else if (v->type == V_FLOAT)
		*out = v->f;
	else
		return -1;
	return 0;
}

static int read_until(const struct line *x, const struct value *v, struct arena *a, struct decode *d, struct err *e)
{
	if (v->type == V_STR && !v->s.n)
		return err_set(e, E_FORMAT, "line %ld: generate: 'until' is empty: it would stop before the first token", x->number);
	if (v->type == V_STR) {
		struct str *s = ARENA_NEW(a, struct str);
		*s = v->s;
		d->until = s;
		d->nuntil = 1;
		return 0;
	}
	if (v->type != V_LIST)
		return err_set(e, E_FORMAT, "line %ld: generate: 'until' must be a string or a list of strings, not %s", x->number, v_type_name(*v));
	struct str *s = ARENA_ARRAY(a, v->list->n, struct str);
	for (size_t i = 0; i < v->list->n; i++) {
		if (v->list->v[i].type != V_STR || v->list->v[i].s.n == 0)
			return err_set(e, E_FORMAT, "line %ld: generate: 'until': entry %zu is no string with something in it", x->number, i);
		s[i] = v->list->v[i].s;
	}
	d->until = s;
	d->nuntil = (int)v->list->n;
	return 0;
}

static int read_decode(const struct line *x, const struct value *g, struct arena *a, struct decode *d, struct err *e)
{
	*d = (struct decode){ .max_tokens = 256, .temperature = 0, .top_p = 1 };
	if (g->type != V_DICT)
		return err_set(e, E_FORMAT, "line %ld: 'generate' must be an object, not %s", x->number, v_type_name(*g));
	struct line sub = { .number = x->number, .v = *g };
	if (line_known(&sub, generate_fields, e))
		return -1;
	struct {
		const char *name;
		double min, max;
		bool whole;
		double value;
	} n[] = { { "max_tokens", 1, 1000000, true, 256 }, { "temperature", 0, 1000, false, 0 }, { "top_p", 0, 1, false, 1 },
		  { "top_k", 0, 1e9, true, 0 }, { "seed", 0, 9007199254740992.0, true, 0 }, { "sample", 0, 9007199254740992.0, true, 0 },
		  { "min_p", 0, 1, false, 0 }, { "repetition_penalty", 0.01, 10, false, 1 } };
	for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
		const struct value *v = v_getc(*g, n[i].name);
		if (!v)
			continue;
		double f;
		if (number(v, &f) || !(f >= n[i].min && f <= n[i].max) || (n[i].whole && v->type != V_INT))
			return err_set(e, E_RANGE, "line %ld: generate: '%s' must be a %s between %.16g and %.16g", x->number, n[i].name,
				       n[i].whole ? "whole number" : "number", n[i].min, n[i].max);
		n[i].value = f;
	}
	d->max_tokens = (int)n[0].value;
	d->temperature = n[1].value;
	d->top_p = n[2].value;
	d->top_k = (int)n[3].value;
	d->seed = (uint64_t)n[4].value;
	d->sample = (uint64_t)n[5].value;
	d->min_p = n[6].value;
	d->repetition_penalty = n[7].value;
	const struct value *until = v_getc(*g, "until");
	return until ? read_until(x, until, a, d, e) : 0;
}

static int read_messages(const struct line *x, const struct value *v, struct arena *a, struct prompt *p, struct err *e)
{
	if (v->type != V_LIST || !v->list->n)
		return err_set(e, E_FORMAT, "line %ld: 'messages' must be a list with at least one message", x->number);
	struct message *m = ARENA_ARRAY(a, v->list->n, struct message);
	for (size_t i = 0; i < v->list->n; i++) {
		const struct value *role = NULL, *content = NULL;
		if (v->list->v[i].type == V_DICT) {
			role = v_getc(v->list->v[i], "role");
			content = v_getc(v->list->v[i], "content");
		}
		if (!role || role->type != V_STR || !content || content->type != V_STR)
			return err_set(e, E_FORMAT, "line %ld: message %zu needs the strings 'role' and 'content'", x->number, i);
		m[i] = (struct message){ role->s, content->s };
	}
	p->messages = m;
	p->nmessages = (int)v->list->n;
	p->add_generation_prompt = !str_is(m[p->nmessages - 1].role, "assistant");
	p->continue_final_message = !p->add_generation_prompt;
	return 0;
}

static int read_logits(const struct line *x, const struct value *v, struct arena *a, struct request *q, struct err *e)
{
	if (v->type != V_LIST)
		return err_set(e, E_FORMAT, "line %ld: 'logits' must be a list of positions", x->number);
	int *at = ARENA_ARRAY(a, v->list->n, int);
	for (size_t i = 0; i < v->list->n; i++) {
		struct value p = v->list->v[i];
		if (p.type != V_INT || p.i < 0 || p.i >= q->context.nids || (i && p.i <= at[i - 1]))
			return err_set(e, E_RANGE, "line %ld: 'logits' must be ascending positions below %d", x->number, q->context.nids);
		at[i] = (int)p.i;
	}
	q->logits_at = at;
	q->nlogits_at = (int)v->list->n;
	return 0;
}

/* Exactly one of the forms that CLI.md lists. */
static int read_request(const struct line *x, const struct encode *enc, bool chat, struct arena *a, struct request *q, struct err *e)
{
	struct str context, continuation, text;
	bool has_context, has_continuation, has_text, has_ids;
	int32_t *ids = NULL;
	int nids = 0;
	*q = (struct request){ .encode = *enc };
	if (line_known(x, fields, e) || line_str(x, "context", a, &context, &has_context, e) ||
	    line_str(x, "continuation", a, &continuation, &has_continuation, e) || line_str(x, "text", a, &text, &has_text, e) ||
	    line_ids(x, "ids", a, &ids, &nids, &has_ids, e))
		return -1;
	const struct value *generate = v_getc(x->v, "generate"), *messages = v_getc(x->v, "messages"), *logits = v_getc(x->v, "logits");
	if (has_context + has_text + has_ids + (messages != NULL) != 1)
		return err_set(e, E_FORMAT, "line %ld: one of 'context', 'text', 'ids' and 'messages' is wanted", x->number);
	if (has_continuation && (has_text || has_ids || generate))
		return err_set(e, E_FORMAT, "line %ld: 'continuation' goes with 'context' or 'messages' alone", x->number);
	if (logits && (!has_ids || generate))
		return err_set(e, E_FORMAT, "line %ld: 'logits' goes with 'ids' alone", x->number);
	if (has_text && generate)
		return err_set(e, E_FORMAT, "line %ld: 'generate' goes with 'context', 'messages' or 'ids'", x->number);
	if ((has_context || messages) && !has_continuation && !generate)
		return err_set(e, E_FORMAT, "line %ld: '%s' needs 'continuation' or 'generate' beside it", x->number,
			       has_context ? "context" : "messages");
	if (messages && read_messages(x, messages, a, &q->context, e))
		return -1;
	if (has_context && chat) {
		struct message *m = ARENA_NEW(a, struct message);
		*m = (struct message){ STR("user"), context };
		q->context.messages = m;
		q->context.nmessages = 1;
		q->context.add_generation_prompt = true;
	} else if (has_context) {
		q->context.text = context;
	}
	if (has_text) {
		q->ask = ASK_ROLLING;
		q->context.text = text;
	} else if (has_ids) {
		q->ask = generate ? ASK_GENERATE : ASK_IDS;
		q->context.ids = ids;
		q->context.nids = nids;
		q->context.has_ids = true;
		if (logits && read_logits(x, logits, a, q, e))
			return -1;
	} else {
		q->ask = generate ? ASK_GENERATE : ASK_LOGLIK;
		q->continuation = continuation;
	}
	return generate ? read_decode(x, generate, a, &q->decode, e) : 0;
}

static void write_doubles(struct buf *b, const double *v, int n)
{
	buf_putc(b, '[');
	for (int i = 0; i < n; i++) {
		if (i)
			buf_putc(b, ',');
		json_write_double(b, v[i]);
	}
	buf_putc(b, ']');
}

static void write_ints(struct buf *b, const int32_t *v, int n)
{
	buf_putc(b, '[');
	for (int i = 0; i < n; i++)
		buf_printf(b, i ? ",%d" : "%d", v[i]);
	buf_putc(b, ']');
}

/* SHA-256 of the log-probabilities as little-endian doubles. */
static void hash_doubles(const double *v, int n, char hex[DIGEST_HEX])
{
	struct digest *d = digest_new();
	for (int i = 0; i < n; i++) {
		uint64_t u;
		memcpy(&u, &v[i], sizeof u);
		digest_u64(d, u);
	}
	unsigned char out[DIGEST_BYTES];
	digest_end(d, out);
	digest_hex(out, hex);
}

static void write_answer(struct line *x, const struct request *q, const struct answer *a)
{
	struct buf *b = &x->out;
	char hex[DIGEST_HEX];
	line_begin(x);
	switch (q->ask) {
	case ASK_LOGLIK:
		line_field(x, "logprob");
		json_write_double(b, a->logprob);
		line_field(x, "ntokens");
		buf_printf(b, "%d", a->ntokens);
		line_field(x, "greedy");
		buf_puts(b, a->greedy ? "true" : "false");
		break;
	case ASK_ROLLING:
		line_field(x, "logprob");
		json_write_double(b, a->logprob);
		line_field(x, "ntokens");
		buf_printf(b, "%d", a->ntokens);
		line_field(x, "nbytes");
		buf_printf(b, "%zu", q->context.text.n);
		line_field(x, "nchars");
		buf_printf(b, "%zu", utf8_len(q->context.text));
		break;
	case ASK_GENERATE:
		line_field(x, "text");
		json_write_str(b, a->text, 0);
		line_field(x, "ids");
		write_ints(b, a->ids, a->nids);
		line_field(x, "stop");
		json_write_str(b, str_of(stop_name(a->stop)), 0);
		break;
	case ASK_IDS:
		line_field(x, "logprobs");
		write_doubles(b, a->logprobs, a->nlogprobs);
		line_field(x, "argmax");
		write_ints(b, a->argmax, a->nargmax);
		line_field(x, "hash");
		hash_doubles(a->logprobs, a->nlogprobs, hex);
		json_write_str(b, str_of(hex), 0);
		if (!q->logits_at)
			break;
		line_field(x, "logits");
		buf_putc(b, '[');
		for (int i = 0; i < q->nlogits_at; i++) {
			buf_puts(b, i ? ",[" : "[");
			for (int j = 0; j < a->vocab; j++) {
				if (j)
					buf_putc(b, ',');
				json_write_float(b, a->logits[(size_t)i * (size_t)a->vocab + (size_t)j]);
			}
			buf_putc(b, ']');
		}
		buf_putc(b, ']');
		break;
	}
}

static void on_answer(void *ctx, size_t i, const struct answer *a)
{
	struct job *j = ctx;
	struct line *x = &j->line[j->of[i]];
	if (a->status != ANSWER_OK) {
		struct err why = a->why;
		err_wrap(&why, "line %ld", x->number);
		line_fail(j->lines, x, &why);
		return;
	}
	write_answer(x, &j->req[i], a);
}

static int on_progress(void *ctx, const struct progress *p)
{
	struct job *j = ctx;
	bar_update(j->bar, p->done, p->total, p->tokens_done, p->tokens_total);
	return cmd_stop != 0;
}

static int batch(struct job *j, const struct encode *enc, bool chat, struct arena *a, size_t n, struct err *e)
{
	struct request *q = ARENA_ARRAY(a, n, struct request);
	j->of = ARENA_ARRAY(a, n, size_t);
	size_t k = 0;
	for (size_t i = 0; i < n; i++) {
		struct err why;
		if (j->line[i].bad)
			continue;
		if (read_request(&j->line[i], enc, chat, a, &q[k], &why)) {
			line_fail(j->lines, &j->line[i], &why);
			continue;
		}
		j->of[k++] = i;
	}
	j->req = q;
	return k ? runner_run(j->runner, q, k, on_answer, on_progress, j, e) : 0;
}

static int exec(const struct args *args, const struct globals *g, struct err *e)
{
	const char *model = args_str(args, "model", NULL), *path, *name, *bos = args_str(args, "bos", "auto");
	if (!model)
		return err_set(e, E_USAGE, "--model is missing (assay score %s)", cmd_score.usage);
	const struct profile *profile = profile_find(args_str(args, "profile", "native"), e);
	if (!profile)
		return -1;
	bool chat = args_flag(args, "chat");
	struct encode enc = { .bos = profile->bos, .split = profile->split, .max_length = (int)args_int(args, "max-length", 0), .date = g->date };
	if (strcmp(bos, "auto") != 0)
		enc.bos = !strcmp(bos, "on") ? BOS_ON : BOS_OFF;
	struct arena run, item;
	arena_init(&run);
	arena_init(&item);
	struct job j = { 0 };
	struct bar bar;
	int status = -1, got;
	bar_open(&bar, g->quiet, g->colour_err);
	j.bar = &bar;
	if (model_resolve(model, &run, &path, &name, e))
		goto done;
	struct runner_opts o = { .kind = "engine", .model = path, .device = g->device, .numerics = g->numerics, .threads = g->threads,
				 .max_level = g->cpu_mask, .memory = g->memory, .batch_rows = (int)args_int(args, "batch", 0), .no_tokenizer = true };
	if (runner_open(&j.runner, &o, e) || lines_open(&j.lines, e))
		goto done;
	bar_label(&bar, name, "score", NULL);
	size_t n;
	while ((got = lines_next(j.lines, &item, &j.line, &n, e)) > 0) {
		if (batch(&j, &enc, chat, &item, n, e))
			goto done;
		if (lines_write(j.line, n, e))
			goto done;
		arena_reset(&item);
	}
	if (got == 0)
		status = lines_failed(j.lines) ? EXIT_SOME_FAILED : EXIT_DONE;
done:
	bar_close(&bar);
	lines_close(j.lines);
	runner_close(j.runner);
	arena_fini(&item);
	arena_fini(&run);
	return status;
}

static const struct opt opts[] = {
	{ "model", 'm', OPT_STRING, "MODEL", "A folder in Hugging Face layout, or the name of an embedded model.", 0, 0, NULL, false, false },
	{ "profile", 'p', OPT_STRING, "P", "Whose rules turn text into ids: native (default), lm-eval-0.4.13, ... (assay list profiles).", 0, 0, NULL, false, false },
	{ "bos", 0, OPT_CHOICE, "auto|on|off", "A BOS token in front: as the tokenizer does (auto), always, never.", 0, 0, "auto|on|off", false, false },
	{ "max-length", 0, OPT_INT, "N", "Context window in tokens; 0 or absent: the model's own.", 0, 100000000, NULL, false, false },
	{ "chat", 0, OPT_FLAG, NULL, "Contexts are a user's turn in the model's chat template.", 0, 0, NULL, false, false },
	{ "batch", 0, OPT_INT, "N", "Tokens in one forward pass; 0: default. Changes no bit.", 0, 1000000, NULL, false, false },
	{ NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false },
};

const struct cmd cmd_score = {
	.name = "score",
	.usage = "--model MODEL [options] < lines.jsonl",
	.summary = "Log-probabilities and generations, JSON lines in and out.",
	.description =
		"Reads JSON lines from standard input and answers each in order:\n\n"
		"  {\"context\":\"...\",\"continuation\":\"...\"}  -> {\"logprob\":-1.5,\"ntokens\":2,\"greedy\":false}\n"
		"  {\"text\":\"...\"}                          -> {\"logprob\":...,\"ntokens\":...,\"nbytes\":...,\"nchars\":...}\n"
		"  {\"ids\":[...]}                           -> {\"logprobs\":[...],\"argmax\":[...],\"hash\":\"...\"}\n"
		"  {\"ids\":[...],\"logits\":[positions]}      -> the same and \"logits\":[[...]]\n"
		"  {\"context\":\"...\",\"generate\":{\"max_tokens\":64,\"until\":[\"\\n\\n\"],\"temperature\":0,\"top_p\":1,\"top_k\":0,\n"
		"   \"min_p\":0,\"repetition_penalty\":1,\"seed\":0,\"sample\":0}}\n"
		"                                          -> {\"text\":\"...\",\"ids\":[...],\"stop\":\"eos|until|length\"}\n"
		"  {\"messages\":[...],\"generate\":{...}}     -> the same, through the model's chat template\n"
		"  {\"ids\":[...],\"generate\":{...}}          -> the same from ids as given\n\n"
		"Log-probabilities are natural logarithms. hash is the SHA-256 of the log-probs as little-endian doubles. "
		"A bad line gives {\"error\":\"...\"} in its place and exit status 3. Any line may carry \"id\", which is given back first. "
		"No answer depends on the order, the number or the company of the lines.",
	.opts = opts,
	.exec = exec,
};
