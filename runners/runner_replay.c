/* runner_replay.c - answers read from a recorded file, so that scores can be computed again without a model.
 *
 * The file is JSON lines {"suite","doc_id","resps":[...]}: one line a document, resps in the order of its requests. A
 * request says where it comes from (request.origin), and answer number origin.index of that line is given back:
 *     loglik     [log-probability, greedy]
 *     rolling    a number
 *     generate   a string
 * An answer may stand in a list of its own (one repeat). A request whose line or answer is missing or of another shape is
 * a failed request; a line that is no such object, or a document twice, is an error when the file is opened. There are no
 * tokens here: counts are zero, and log-likelihoods of parts are not known. Keys are made of the file's digest and origin.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runners/kinds.h"
#include "runners/text/json.h"

enum { MAX_FILE = 1 << 30 };

struct line {
	struct str suite, doc_id;
	const struct list *resps;
};

struct replay {
	struct runner base;
	struct arena arena;
	char *path;
	struct line *line;
	size_t nlines, cap;
	uint32_t *index; /* open addressing: line number + 1 */
	size_t nindex;
	unsigned char digest[DIGEST_BYTES];
};

static uint64_t hash(struct str a, struct str b) /* FNV-1a */
{
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < a.n; i++)
		h = (h ^ (unsigned char)a.p[i]) * 1099511628211u;
	h = (h ^ 255) * 1099511628211u;
	for (size_t i = 0; i < b.n; i++)
		h = (h ^ (unsigned char)b.p[i]) * 1099511628211u;
	return h ^ h >> 29;
}

/* The slot that holds the document, or the free one where it belongs. */
static uint32_t *slot(struct replay *r, struct str suite, struct str doc_id)
{
	size_t i = (size_t)hash(suite, doc_id) & (r->nindex - 1);
	for (;; i = (i + 1) & (r->nindex - 1)) {
		if (!r->index[i])
			return &r->index[i];
		const struct line *l = &r->line[r->index[i] - 1];
		if (str_eq(l->suite, suite) && str_eq(l->doc_id, doc_id))
			return &r->index[i];
	}
}

static int add_line(struct replay *r, struct str text, int number, struct err *e)
{
	struct value v;
	char name[4200];
	snprintf(name, sizeof name, "%s:%d", r->path, number);
	if (json_parse(&r->arena, text, name, &v, e))
		return -1;
	if (v.type != V_DICT)
		return err_set(e, E_FORMAT, "%s: not an object", name);
	const struct value *suite = v_getc(v, "suite"), *id = v_getc(v, "doc_id"), *resps = v_getc(v, "resps");
	if (!suite || suite->type != V_STR || !id || (id->type != V_STR && id->type != V_INT) || !resps || resps->type != V_LIST)
		return err_set(e, E_FORMAT, "%s: a recorded answer has \"suite\" (a string), \"doc_id\" (a string or an integer) and \"resps\" (a list)", name);
	if (r->nlines == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 256;
		r->line = xrealloc(r->line, r->cap * sizeof *r->line);
	}
	r->line[r->nlines++] = (struct line){ suite->s, id->type == V_STR ? id->s : v_text(&r->arena, *id), resps->list };
	return 0;
}

static int read_lines(struct replay *r, struct str text, struct err *e)
{
	int number = 1;
	for (size_t i = 0; i < text.n; number++) {
		const char *nl = memchr(text.p + i, '\n', text.n - i);
		size_t end = nl ? (size_t)(nl - text.p) : text.n;
		struct str s = { text.p + i, end - i };
		bool blank = true;
		for (size_t k = 0; k < s.n; k++)
			blank &= s.p[k] == ' ' || s.p[k] == '\r' || s.p[k] == '\t';
		if (!blank && add_line(r, s, number, e))
			return -1;
		i = end + 1;
	}
	for (r->nindex = 16; r->nindex < 2 * r->nlines + 2;)
		r->nindex *= 2;
	r->index = xcalloc(r->nindex, sizeof *r->index);
	for (size_t i = 0; i < r->nlines; i++) {
		uint32_t *at = slot(r, r->line[i].suite, r->line[i].doc_id);
		if (*at)
			return err_set(e, E_FORMAT, "%s: suite '%.*s' has document '%.*s' twice", r->path, (int)r->line[i].suite.n, r->line[i].suite.p,
				       (int)r->line[i].doc_id.n, r->line[i].doc_id.p);
		*at = (uint32_t)i + 1;
	}
	return 0;
}

static int read_file(const char *path, struct buf *b, struct err *e)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return err_errno(e, E_IO, "%s", path);
	char block[65536];
	size_t n;
	while ((n = fread(block, 1, sizeof block, f)) > 0 && b->n <= MAX_FILE)
		buf_add(b, block, n);
	int rc = ferror(f) ? err_errno(e, E_IO, "%s", path) : b->n > MAX_FILE ? err_set(e, E_LIMIT, "%s: more than 1 GiB", path) : 0;
	fclose(f);
	return rc;
}

static void replay_close(struct runner *base)
{
	struct replay *r = (struct replay *)base;
	arena_fini(&r->arena);
	free(r->path);
	free(r->line);
	free(r->index);
	free(r);
}

static int replay_open(struct runner **out, const struct runner_opts *o, struct err *e)
{
	if (!o->model)
		return err_set(e, E_USAGE, "the replay runner needs a file (replay:FILE)");
	struct replay *r = xcalloc(1, sizeof *r);
	r->base.kind = &runner_replay;
	arena_init(&r->arena);
	r->path = xstrdup(o->model);
	struct buf text = { 0 };
	int rc = read_file(r->path, &text, e);
	rc = rc ? rc : read_lines(r, (struct str){ text.p, text.n }, e);
	digest_of(text.p ? text.p : "", text.n, r->digest);
	buf_fini(&text);
	if (rc) {
		replay_close(&r->base);
		return -1;
	}
	struct runner_info *in = &r->base.info;
	*in = (struct runner_info){ .bos = -1, .eos = -1, .prefix = -1, .max_length = 0 };
	snprintf(in->family, sizeof in->family, "replay");
	snprintf(in->numerics, sizeof in->numerics, "replay/1");
	snprintf(in->device, sizeof in->device, "none");
	digest_hex(r->digest, in->digest);
	unsigned char none[DIGEST_BYTES];
	digest_of("", 0, none);
	digest_hex(none, in->tokenizer_digest);
	*out = &r->base;
	return 0;
}

static const struct value *single(const struct value *v, enum vtype t)
{
	if (v->type == V_LIST && v->list->n == 1)
		v = &v->list->v[0];
	return v->type == t || (t == V_FLOAT && v->type == V_INT) ? v : NULL;
}

static double number(const struct value *v)
{
	return v->type == V_INT ? (double)v->i : v->f;
}

static int look_up(struct replay *r, const struct request *q, const struct value **out, struct err *e)
{
	const struct str suite = q->origin.suite, id = q->origin.doc_id;
	uint32_t at = *slot(r, suite, id);
	if (!at)
		return err_set(e, E_RANGE, "%s has no answers for document '%.*s' of suite '%.*s'", r->path, (int)id.n, id.p, (int)suite.n, suite.p);
	const struct list *resps = r->line[at - 1].resps;
	if (q->origin.index < 0 || (size_t)q->origin.index >= resps->n)
		return err_set(e, E_RANGE, "%s has %zu answers for document '%.*s' of suite '%.*s', number %d is asked for", r->path, resps->n, (int)id.n,
			       id.p, (int)suite.n, suite.p, q->origin.index + 1);
	*out = &resps->v[q->origin.index];
	return 0;
}

static int answer_of(struct replay *r, const struct request *q, struct answer *a, struct err *e)
{
	const struct value *v = NULL, *x;
	if (look_up(r, q, &v, e))
		return -1;
	switch (q->ask) {
	case ASK_LOGLIK:
		if (v->type == V_LIST && v->list->n == 1)
			v = &v->list->v[0];
		if (v->type == V_LIST && v->list->n == 2 && single(&v->list->v[0], V_FLOAT) && single(&v->list->v[1], V_BOOL)) {
			a->logprob = number(&v->list->v[0]);
			a->greedy = v->list->v[1].b;
			return 0;
		}
		break;
	case ASK_ROLLING:
		if ((x = single(v, V_FLOAT))) {
			a->logprob = number(x);
			return 0;
		}
		break;
	case ASK_GENERATE:
		if ((x = single(v, V_STR))) {
			a->text = x->s;
			return 0;
		}
		break;
	case ASK_IDS:
		break;
	}
	static const char *const want[] = { "[log-probability, greedy]", "a number", "a string", "nothing that can be recorded" };
	return err_set(e, E_FORMAT, "%s: answer %d of document '%.*s' is not %s", r->path, q->origin.index + 1, (int)q->origin.doc_id.n,
		       q->origin.doc_id.p, want[q->ask]);
}

static int replay_run(struct runner *base, const struct request *q, size_t n, answer_fn *done, progress_fn *progress, void *ctx, struct err *e)
{
	struct replay *r = (struct replay *)base;
	for (size_t i = 0; i < n; i++) {
		struct answer a = { .status = ANSWER_OK };
		if (answer_of(r, &q[i], &a, &a.why))
			a.status = ANSWER_FAILED;
		done(ctx, i, &a);
		struct progress p = { .done = i + 1, .total = n };
		if (progress && (i % 256 == 255 || i + 1 == n) && progress(ctx, &p))
			return err_set(e, E_STOPPED, "stopped");
	}
	return 0;
}

static int replay_render(struct runner *base, const struct request *q, struct arena *a, struct str *out, struct err *e)
{
	(void)base, (void)e;
	struct buf b = { 0 };
	for (int i = 0; i < q->context.nmessages; i++) { /* no chat template here: the messages one after the other */
		buf_str(&b, q->context.messages[i].role);
		buf_puts(&b, "\n");
		buf_str(&b, q->context.messages[i].content);
		buf_puts(&b, "\n\n");
	}
	*out = b.n ? arena_str(a, b.p, b.n) : q->context.text;
	buf_fini(&b);
	return 0;
}

static int replay_encode(struct runner *base, const struct request *q, struct arena *a, struct encoded *out, struct err *e)
{
	*out = (struct encoded){ 0 };
	return replay_render(base, q, a, &out->text, e);
}

static int replay_key(struct runner *base, const struct request *q, struct keyed *out, struct err *e)
{
	(void)e;
	struct replay *r = (struct replay *)base;
	*out = (struct keyed){ .ncontext = 0 };
	struct digest *d = digest_new();
	digest_field(d, "assay replay 1", 14);
	digest_field(d, r->digest, sizeof r->digest);
	digest_u64(d, (uint64_t)q->ask);
	digest_field(d, q->origin.suite.p, q->origin.suite.n);
	digest_field(d, q->origin.doc_id.p, q->origin.doc_id.n);
	digest_u64(d, (uint64_t)q->origin.index);
	digest_end(d, out->key);
	return 0;
}

static int replay_decode(struct runner *base, const int32_t *ids, int n, bool skip_special, struct arena *a, struct str *out, struct err *e)
{
	(void)base, (void)ids, (void)n, (void)skip_special, (void)a, (void)out;
	return err_set(e, E_UNSUPPORTED, "the replay runner has no tokenizer");
}

const struct runner_kind runner_replay = {
	.name = "replay",
	.open = replay_open,
	.close = replay_close,
	.encode = replay_encode,
	.render = replay_render,
	.key = replay_key,
	.run = replay_run,
	.decode = replay_decode,
};
