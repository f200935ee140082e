/* samples.c - one JSON line per document: what was asked, what came back, what the filters made of it, what it scored.
 *
 * Fields and their order are a contract (the command line's manual). A line holds nothing that depends on the machine, the
 * threads or the time, so the same run leaves the same bytes. A failed document has status "failed" and says why; its
 * requests that were answered are there all the same.
 */
#include "harness/samples.h"

#include "runners/text/json.h"

int sample_filters(const struct suite *s)
{
	return s->kind == KIND_GENERATE ? s->nfilters : 1;
}

static void key(struct buf *out, const char *name)
{
	buf_printf(out, "%s\"%s\":", out->n && out->p[out->n - 1] != '{' ? "," : "", name);
}

static void put_str(struct buf *out, const char *name, struct str s)
{
	key(out, name);
	json_write_str(out, s, 0);
}

static void put_int(struct buf *out, const char *name, long v)
{
	key(out, name);
	buf_printf(out, "%ld", v);
}

static void put_double(struct buf *out, const char *name, double v)
{
	key(out, name);
	json_write_double(out, v);
}

static void put_value(struct buf *out, const char *name, struct value v)
{
	key(out, name);
	json_write(out, v, JSON_COMPACT, -1);
}

static void put_ids(struct buf *out, const char *name, const int32_t *ids, int n)
{
	key(out, name);
	buf_putc(out, '[');
	for (int i = 0; i < n; i++)
		buf_printf(out, "%s%d", i ? "," : "", (int)ids[i]);
	buf_putc(out, ']');
}

/* Counts of tokens, or the ids themselves. A request that cannot be encoded (it failed for that) has its counts. */
static void put_context(struct buf *out, const struct request *q, const struct resp *p, struct runner *r, bool log_ids, struct arena *a)
{
	struct encoded enc;
	if (log_ids && runner_encode(r, q, a, &enc, NULL) == 0) {
		put_ids(out, "ids_context", enc.ids, enc.ncontext);
		if (q->ask == ASK_LOGLIK)
			put_ids(out, "ids_continuation", enc.ids + enc.ncontext, enc.nids - enc.ncontext);
		return;
	}
	put_int(out, "ids_context", p->ncontext);
	if (q->ask == ASK_LOGLIK)
		put_int(out, "ids_continuation", p->ncontinuation);
}

static void put_windows(struct buf *out, const struct resp *p)
{
	key(out, "windows");
	buf_putc(out, '[');
	for (int i = 0; i < p->nwindows; i++)
		buf_printf(out, "%s[%d,%d]", i ? "," : "", p->windows[i].context, p->windows[i].predicted);
	buf_putc(out, ']');
}

static int put_request(struct buf *out, const struct sample *s, int i, struct runner *r, bool log_ids, struct arena *a, struct err *e)
{
	static const char *const kinds[] = { [ASK_LOGLIK] = "loglik", [ASK_ROLLING] = "rolling", [ASK_GENERATE] = "generate", [ASK_IDS] = "ids" };
	const struct request *q = &s->item->req[i];
	const struct resp *p = &s->resp[i];
	struct str context = q->ask == ASK_ROLLING ? q->context.text : s->item->context[i];
	if (q->context.nmessages > 0 && runner_render(r, q, a, &context, e)) {
		if (p->answered)
			return -1;
		context = s->item->context[i]; /* it failed because its template did */
	}
	buf_puts(out, i ? ",{" : "{");
	put_str(out, "kind", str_of(kinds[q->ask]));
	put_str(out, q->ask == ASK_ROLLING ? "text" : "context", context);
	if (q->ask == ASK_LOGLIK)
		put_str(out, "continuation", q->continuation);
	if (q->ask == ASK_ROLLING)
		put_windows(out, p);
	else
		put_context(out, q, p, r, log_ids, a);
	if (!p->answered) {
		put_str(out, "error", p->why);
	} else if (q->ask == ASK_GENERATE) {
		put_int(out, "ids_used", p->nused);
		put_str(out, "text", p->text);
		put_int(out, "ntokens", p->ntokens);
		put_str(out, "stop", str_of(stop_name(p->stop)));
	} else {
		put_double(out, "logprob", p->logprob);
		put_int(out, "ntokens", p->ntokens);
		if (q->ask == ASK_LOGLIK)
			buf_printf(out, ",\"greedy\":%s", p->greedy ? "true" : "false");
	}
	buf_putc(out, '}');
	return 0;
}

static void put_metrics(struct buf *out, const struct sample *s, struct arena *a)
{
	key(out, "metrics");
	buf_putc(out, '{');
	for (int f = 0; s->score && f < sample_filters(s->suite); f++)
		for (int m = 0; m < s->suite->nmetrics; m++) {
			struct str name = s->suite->metric[m].name;
			const struct metric_info *info = metric_find(name);
			const struct score *x = &s->score[f * s->suite->nmetrics + m];
			struct str full = arena_printf(a, "%.*s,%.*s", (int)name.n, name.p, (int)s->suite->filter[f].name.n, s->suite->filter[f].name.p);
			if (f || m)
				buf_putc(out, ',');
			json_write_str(out, full, 0);
			buf_puts(out, info && info->pair ? ":[" : ":");
			json_write_double(out, x->v);
			if (info && info->pair) {
				buf_putc(out, ',');
				json_write_double(out, x->w);
				buf_putc(out, ']');
			}
		}
	buf_putc(out, '}');
}

int sample_line(struct buf *out, const struct sample *s, struct runner *r, bool log_ids, struct arena *a, struct err *e)
{
	char hex[DIGEST_HEX];
	digest_hex(s->item->doc_hash, hex);
	buf_putc(out, '{');
	put_str(out, "suite", s->suite->name);
	put_int(out, "doc", (long)s->item->doc);
	put_value(out, "doc_id", s->item->doc_id.type == V_UNDEFINED ? VNONE : s->item->doc_id);
	put_str(out, "doc_hash", str_of(hex));
	put_value(out, "target", s->item->target);
	key(out, "requests");
	buf_putc(out, '[');
	for (int i = 0; i < s->item->nreq; i++)
		if (put_request(out, s, i, r, log_ids, a, e))
			return err_wrap(e, "suite %.*s, document %zu", (int)s->suite->name.n, s->suite->name.p, s->item->doc);
	buf_putc(out, ']');
	key(out, "filtered");
	buf_putc(out, '{');
	for (int f = 0; s->filtered && f < s->suite->nfilters; f++) {
		buf_puts(out, f ? "," : "");
		json_write_str(out, s->suite->filter[f].name, 0);
		buf_putc(out, ':');
		json_write(out, s->filtered[f], JSON_COMPACT, -1);
	}
	buf_putc(out, '}');
	put_metrics(out, s, a);
	put_str(out, "status", s->score ? STR("ok") : STR("failed"));
	if (!s->score)
		put_str(out, "error", s->why);
	buf_puts(out, "}\n");
	return 0;
}
