/* jsonlines.c - reading, answering and writing JSON lines (see jsonlines.h). A line longer than 256 MiB ends the program's
 * reading with an error; a batch holds at most 200,000 lines or 256 MiB. */
#include "harness/jsonlines.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/cmd.h"
#include "runners/text/base64.h"
#include "runners/text/json.h"

#define LINE_MAX_BYTES ((size_t)256 << 20)
#define BATCH_LINES 200000
#define BATCH_BYTES ((size_t)256 << 20)

struct lines {
	char *data;
	size_t start, end, cap; /* unread bytes are data[start..end) */
	size_t searched;        /* no newline in data[start..searched) */
	bool eof, failed;
	long number;
};

int lines_open(struct lines **out, struct err *e)
{
	(void)e;
	*out = xcalloc(1, sizeof **out);
	return 0;
}

void lines_close(struct lines *l)
{
	if (!l)
		return;
	free(l->data);
	free(l);
}

bool lines_failed(const struct lines *l)
{
	return l->failed;
}

/* Reads some more bytes. 1 got some, 0 end of input, -1 error. */
static int fill(struct lines *l, struct err *e)
{
	if (l->start && l->start == l->end)
		l->start = l->end = l->searched = 0;
	if (l->cap - l->end < 65536) {
		if (l->start) {
			memmove(l->data, l->data + l->start, l->end - l->start);
			l->end -= l->start;
			l->searched -= l->start;
			l->start = 0;
		}
		if (l->cap - l->end < 65536) {
			l->cap = l->cap ? l->cap * 2 : (size_t)1 << 20;
			l->data = xrealloc(l->data, l->cap);
		}
	}
	for (;;) {
		ssize_t n = read(STDIN_FILENO, l->data + l->end, l->cap - l->end);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, E_IO, "standard input");
		if (n == 0) {
			l->eof = true;
			return 0;
		}
		l->end += (size_t)n;
		return 1;
	}
}

static bool more_waiting(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	return poll(&p, 1, 0) > 0;
}

/* The next whole line, or the last one without a newline; p NULL when there is none yet. */
static struct str take_line(struct lines *l)
{
	char *p = l->data + l->start, *nl = l->end > l->searched ? memchr(l->data + l->searched, '\n', l->end - l->searched) : NULL;
	struct str s = { NULL, 0 };
	l->searched = l->end;
	if (nl) {
		s = (struct str){ p, (size_t)(nl - p) };
		l->start += s.n + 1;
		l->searched = l->start;
	} else if (l->eof && l->end > l->start) {
		s = (struct str){ p, l->end - l->start };
		l->start = l->end;
	} else {
		return s;
	}
	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

static bool blank(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != ' ' && s.p[i] != '\t')
			return false;
	return true;
}

static void parse(struct lines *l, struct line *x, struct arena *a, struct str text)
{
	struct err why;
	char name[48];
	snprintf(name, sizeof name, "line %ld", x->number);
	if (json_parse(a, text, name, &x->v, &why)) {
		line_fail(l, x, &why);
		return;
	}
	if (x->v.type != V_DICT) {
		err_set(&why, E_FORMAT, "line %ld: a JSON object is wanted, not %s", x->number, v_type_name(x->v));
		line_fail(l, x, &why);
		return;
	}
	x->id = v_getc(x->v, "id");
}

int lines_next(struct lines *l, struct arena *a, struct line **line, size_t *n, struct err *e)
{
	size_t cap = 0, bytes = 0;
	struct line *v = NULL;
	*n = 0;
	for (;;) {
		struct str s = take_line(l);
		if (!s.p) {
			if (l->eof)
				break;
			if (l->end - l->start > LINE_MAX_BYTES)
				return err_set(e, E_LIMIT, "standard input: line %ld is longer than 256 MiB", l->number + 1);
			if (*n && !more_waiting())
				break;
			if (fill(l, e) < 0)
				return -1;
			continue;
		}
		l->number++;
		if (blank(s))
			continue; /* an empty line asks nothing */
		if (*n == cap) {
			struct line *bigger = ARENA_ARRAY(a, cap ? cap * 2 : 64, struct line);
			if (cap)
				memcpy(bigger, v, cap * sizeof *v);
			v = bigger;
			cap = cap ? cap * 2 : 64;
		}
		v[*n] = (struct line){ .number = l->number };
		parse(l, &v[*n], a, s);
		++*n;
		bytes += s.n;
		if (*n >= BATCH_LINES || bytes >= BATCH_BYTES)
			break;
	}
	*line = v;
	return *n > 0;
}

void line_begin(struct line *x)
{
	x->out.n = 0;
	x->begun = false;
	buf_putc(&x->out, '{');
	if (x->id) {
		line_field(x, "id");
		json_write(&x->out, *x->id, JSON_COMPACT, -1);
	}
}

void line_field(struct line *x, const char *name)
{
	if (x->begun)
		buf_putc(&x->out, ',');
	x->begun = true;
	json_write_str(&x->out, str_of(name), 0);
	buf_putc(&x->out, ':');
}

void line_fail(struct lines *l, struct line *x, const struct err *why)
{
	x->bad = true;
	l->failed = true;
	line_begin(x);
	line_field(x, "error");
	json_write_str(&x->out, str_of(why->msg), 0);
}

int lines_write(struct line *line, size_t n, struct err *e)
{
	int bad = 0;
	for (size_t i = 0; i < n; i++) {
		buf_puts(&line[i].out, "}\n");
		if (!bad && fwrite(line[i].out.p, 1, line[i].out.n, stdout) != line[i].out.n)
			bad = 1;
		buf_fini(&line[i].out);
	}
	if (bad || fflush(stdout))
		return err_errno(e, E_IO, "standard output");
	return 0;
}

int line_known(const struct line *x, const char *const *names, struct err *e)
{
	for (size_t i = 0; i < x->v.dict->n; i++) {
		struct str key = x->v.dict->v[i].key.s;
		int known = str_is(key, "id");
		for (const char *const *w = names; *w && !known; w++)
			known = str_is(key, *w);
		if (!known) {
			char hint[160], word[80];
			snprintf(word, sizeof word, "%.*s", (int)(key.n < 60 ? key.n : 60), key.p);
			return err_set(e, E_FORMAT, "line %ld: unknown field '%s'%s", x->number, word,
				       err_hint(hint, sizeof hint, word, names));
		}
	}
	return 0;
}

int line_str(const struct line *x, const char *name, struct arena *a, struct str *out, bool *has, struct err *e)
{
	const struct value *v = v_getc(x->v, name);
	*has = v != NULL;
	if (!v)
		return 0;
	if (v->type == V_STR) {
		*out = v->s;
		return 0;
	}
	const struct value *b = v->type == V_DICT && v->dict->n == 1 ? v_getc(*v, "base64") : NULL;
	if (b && b->type == V_STR)
		return base64_decode(a, b->s, out) < 0 ? err_set(e, E_FORMAT, "line %ld: field '%s': not base64", x->number, name) : 0;
	return err_set(e, E_FORMAT, "line %ld: field '%s' must be a string or {\"base64\":\"...\"}, not %s", x->number, name,
		       v_type_name(*v));
}

int line_bool(const struct line *x, const char *name, bool def, bool *out, struct err *e)
{
	const struct value *v = v_getc(x->v, name);
	*out = def;
	if (!v || v->type == V_NONE)
		return 0;
	if (v->type != V_BOOL)
		return err_set(e, E_FORMAT, "line %ld: field '%s' must be true or false, not %s", x->number, name, v_type_name(*v));
	*out = v->b;
	return 0;
}

int line_ids(const struct line *x, const char *name, struct arena *a, int32_t **ids, int *n, bool *has, struct err *e)
{
	const struct value *v = v_getc(x->v, name);
	*has = v != NULL;
	if (!v)
		return 0;
	if (v->type != V_LIST)
		return err_set(e, E_FORMAT, "line %ld: field '%s' must be a list of token ids, not %s", x->number, name, v_type_name(*v));
	if (v->list->n > 100000000)
		return err_set(e, E_LIMIT, "line %ld: field '%s' has %zu ids", x->number, name, v->list->n);
	*ids = ARENA_ARRAY(a, v->list->n, int32_t);
	*n = (int)v->list->n;
	for (int i = 0; i < *n; i++) {
		struct value id = v->list->v[i];
		if (id.type != V_INT || id.i < 0 || id.i > INT32_MAX)
			return err_set(e, E_FORMAT, "line %ld: field '%s': entry %d is no token id", x->number, name, i);
		(*ids)[i] = (int32_t)id.i;
	}
	return 0;
}

int lines_filter(line_answer *answer, void *ctx, struct err *e)
{
	struct lines *l = NULL;
	struct line *x;
	struct arena item;
	size_t n;
	int status = -1, got;
	arena_init(&item);
	if (lines_open(&l, e))
		goto done;
	while ((got = lines_next(l, &item, &x, &n, e)) > 0) {
		for (size_t i = 0; i < n; i++) {
			struct err why;
			if (!x[i].bad && answer(ctx, &x[i], &item, &why))
				line_fail(l, &x[i], &why);
		}
		if (lines_write(x, n, e))
			goto done;
		arena_reset(&item);
	}
	if (got == 0)
		status = lines_failed(l) ? EXIT_SOME_FAILED : EXIT_DONE;
done:
	lines_close(l);
	arena_fini(&item);
	return status;
}
