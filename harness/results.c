/* results.c - rows of the leaderboard: one table of columns, CSV out and in (RFC 4180, LF, numbers as %.17g).
 *
 * leaderboard.csv, rows.csv and the page all read the table below. Reading is strict: the header must be the table's, every
 * row must have as many cells, numbers must be numbers; errors say file, line and column. CSV is read by libcsv; writing is
 * ten lines here, since every byte of it is promised. Files are written through atomic_file.
 */
#include "harness/results_int.h"

#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runners/text/utf8.h"

enum { CSV_BYTES_MAX = 256 << 20 };

#define COL(name, type, text) { #name, type, offsetof(struct row, name), text }
const struct column results_column[] = {
	COL(model, COL_TEXT, "the model's name in the registry, else its folder's"),
	COL(organisation, COL_TEXT, "who made it"),
	COL(country, COL_TEXT, "where they are: ISO 3166 code"),
	COL(licence, COL_TEXT, "licence of the weights"),
	COL(params_total, COL_NUMBER, "parameters"),
	COL(params_active, COL_NUMBER, "parameters that one token uses"),
	COL(suite, COL_TEXT, "suite or group"),
	COL(suite_version, COL_TEXT, "version in the suite's file"),
	COL(language, COL_TEXT, "language of the suite"),
	COL(metric, COL_TEXT, "metric"),
	COL(filter, COL_TEXT, "filter that made the scored text"),
	COL(value, COL_NUMBER, "the score"),
	{ "stderr", COL_NUMBER, offsetof(struct row, stderr_), "its standard error as the profile defines it" },
	COL(ci_low, COL_NUMBER, "95 % interval, low end"),
	COL(ci_high, COL_NUMBER, "95 % interval, high end"),
	COL(n, COL_LONG, "documents scored"),
	COL(n_failed, COL_LONG, "documents that failed: not in the score"),
	COL(n_truncated, COL_LONG, "documents with a prompt cut to the model's length, or a generation that its limit ended"),
	COL(n_unparsed, COL_LONG, "generations in which the filter found nothing"),
	COL(shots, COL_INT, "worked examples in the prompt; empty: leaves differ"),
	COL(chat, COL_INT, "1: through the chat template"),
	COL(profile, COL_TEXT, "whose rules"),
	COL(numerics, COL_TEXT, "how numbers were rounded: scores compare within one id"),
	COL(limit, COL_LONG, "only the first so many documents; empty: all"),
	COL(settings, COL_TEXT, "what differs from the profile's defaults, as JSON"),
	COL(model_digest, COL_TEXT, "SHA-256 of weights and config"),
	COL(suite_digest, COL_TEXT, "SHA-256 of the suite's definition"),
	COL(run_id, COL_TEXT, "digest of the run's inputs"),
	{ NULL, COL_TEXT, 0, NULL },
};
enum { COLUMNS = sizeof results_column / sizeof *results_column - 1 };

const struct column_info *results_columns(void)
{
	static struct column_info info[COLUMNS + 1];
	for (int i = 0; i < COLUMNS; i++) /* the same words whoever writes them */
		info[i] = (struct column_info){ results_column[i].name, results_column[i].text };
	return info;
}

static void *field(const struct row *r, const struct column *c)
{
	return (char *)(uintptr_t)r + c->offset;
}

struct str results_cell(const struct row *r, const struct column *c, char number[40])
{
	void *p = field(r, c);
	number[0] = 0;
	switch (c->type) {
	case COL_TEXT:
		return *(struct str *)p;
	case COL_NUMBER:
		if (__builtin_isfinite(*(double *)p))
			snprintf(number, 40, "%.17g", *(double *)p);
		break;
	case COL_LONG:
		if (*(long *)p >= 0)
			snprintf(number, 40, "%ld", *(long *)p);
		break;
	case COL_INT:
		if (*(int *)p >= 0)
			snprintf(number, 40, "%d", *(int *)p);
		break;
	}
	return str_of(number);
}

void csv_cell(struct buf *out, struct str s)
{
	bool quote = false;
	for (size_t i = 0; i < s.n && !quote; i++)
		quote = s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r';
	/* libcsv, like many readers, strips blanks around an unquoted cell */
	quote = quote || (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'));
	if (!quote) {
		buf_str(out, s);
		return;
	}
	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			buf_putc(out, '"');
		buf_putc(out, s.p[i]);
	}
	buf_putc(out, '"');
}

void csv_number(struct buf *out, double d)
{
	if (__builtin_isfinite(d))
		buf_printf(out, "%.17g", d);
}

int rows_compare(const void *x, const void *y)
{
	char na[40], nb[40];
	for (const struct column *c = results_column; c->name; c++) {
		struct str a = results_cell(x, c, na), b = results_cell(y, c, nb);
		int r = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
		if (r || a.n != b.n)
			return r ? r : a.n < b.n ? -1 : 1;
	}
	return 0;
}

bool rows_equal_but_run(const struct row *x, const struct row *y)
{
	char na[40], nb[40];
	for (const struct column *c = results_column; c->name; c++)
		if (c->offset != offsetof(struct row, run_id) && !str_eq(results_cell(x, c, na), results_cell(y, c, nb)))
			return false;
	return true;
}

void rows_write(struct buf *out, const struct row *rows, size_t n)
{
	char number[40];
	for (const struct column *c = results_column; c->name; c++)
		buf_printf(out, "%s%s", c == results_column ? "" : ",", c->name);
	buf_putc(out, '\n');
	for (size_t i = 0; i < n; i++) {
		for (const struct column *c = results_column; c->name; c++) {
			if (c != results_column)
				buf_putc(out, ',');
			csv_cell(out, results_cell(&rows[i], c, number));
		}
		buf_putc(out, '\n');
	}
}

int file_write(const char *path, const struct buf *b, struct err *e)
{
	struct atomic_file *f;
	if (atomic_open(&f, path, e))
		return -1;
	if (atomic_write(f, b->p ? b->p : "", b->n, e)) {
		atomic_abort(f);
		return -1;
	}
	return atomic_commit(f, e);
}

int results_write(const char *path, const struct row *rows, size_t n, struct err *e)
{
	struct buf b = { 0 };
	rows_write(&b, rows, n);
	int r = file_write(path, &b, e);
	buf_fini(&b);
	return r;
}

/* ---- reading ---- */

static int slurp(struct buf *b, const char *path, struct err *e)
{
	struct stat st;
	char chunk[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	if (fd < 0)
		return err_errno(e, E_IO, "%s: cannot open", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		r = err_set(e, E_IO, "%s: is not a file", path);
	while (r == 0) {
		ssize_t k = read(fd, chunk, sizeof chunk);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			r = err_errno(e, E_IO, "%s: cannot read", path);
		if (k <= 0)
			break;
		buf_add(b, chunk, (size_t)k);
		if (b->n > CSV_BYTES_MAX)
			r = err_set(e, E_LIMIT, "%s: more than %d MiB", path, CSV_BYTES_MAX >> 20);
	}
	close(fd);
	return r;
}

/* What libcsv's callbacks fill. */
struct reading {
	struct csv_table *t;
	struct arena *a;
	struct str *row;      /* the row being read */
	size_t n, cap, rows_cap;
	int line, started;    /* line now, line where the row began */
	const char *path;
	struct err *e;
	int failed;
};

static void on_cell(void *p, size_t n, void *ctx)
{
	struct reading *r = ctx;
	if (r->n == r->cap) {
		struct str *more = ARENA_ARRAY(r->a, r->cap ? 2 * r->cap : 32, struct str);
		if (r->n)
			memcpy(more, r->row, r->n * sizeof *more);
		r->row = more;
		r->cap = r->cap ? 2 * r->cap : 32;
	}
	r->row[r->n++] = arena_str(r->a, p, n);
}

static void on_row(int end, void *ctx)
{
	struct reading *r = ctx;
	struct csv_table *t = r->t;
	if (r->failed)
		return;
	if (!t->rows)
		t->columns = r->n;
	if (r->n != t->columns) {
		r->failed = err_set(r->e, E_FORMAT, "%s:%d: %zu cells, but the header has %zu", r->path, r->started, r->n, t->columns);
		return;
	}
	if (t->rows == r->rows_cap) {
		size_t cap = r->rows_cap ? 2 * r->rows_cap : 64;
		struct str **cell = ARENA_ARRAY(r->a, cap, struct str *);
		int *line = ARENA_ARRAY(r->a, cap, int);
		if (t->rows) {
			memcpy(cell, t->cell, t->rows * sizeof *cell);
			memcpy(line, t->line, t->rows * sizeof *line);
		}
		t->cell = cell;
		t->line = line;
		r->rows_cap = cap;
	}
	t->line[t->rows] = r->started;
	t->cell[t->rows++] = r->row;
	r->row = NULL;
	r->n = r->cap = 0;
}

int csv_load(struct csv_table *out, struct arena *a, const char *path, struct err *e)
{
	struct buf b = { 0 };
	struct csv_parser p;
	*out = (struct csv_table){ 0 };
	struct reading r = { .t = out, .a = a, .line = 1, .started = 1, .path = path, .e = e };
	if (slurp(&b, path, e)) {
		buf_fini(&b);
		return -1;
	}
	csv_init(&p, CSV_STRICT | CSV_STRICT_FINI);
	for (size_t at = 0; at < b.n && !r.failed;) { /* a line at a time, to know where a row began */
		const char *nl = memchr(b.p + at, '\n', b.n - at);
		size_t n = nl ? (size_t)(nl - b.p) + 1 - at : b.n - at, rows = out->rows;
		if (csv_parse(&p, b.p + at, n, on_cell, on_row, &r) != n)
			r.failed = err_set(e, E_FORMAT, "%s:%d: %s", path, r.line, csv_strerror(csv_error(&p)));
		at += n;
		r.line++;
		if (out->rows != rows)
			r.started = r.line;
	}
	if (!r.failed && csv_fini(&p, on_cell, on_row, &r) && !r.failed)
		r.failed = err_set(e, E_FORMAT, "%s:%d: a quoted cell is not closed", path, r.started);
	csv_free(&p);
	buf_fini(&b);
	if (!r.failed && !out->rows)
		r.failed = err_set(e, E_FORMAT, "%s: is empty, not even a header", path);
	return r.failed ? -1 : 0;
}

int csv_to_number(struct str s, double *out)
{
	char text[64], *end;
	*out = __builtin_nan("");
	if (!s.n)
		return 0;
	if (s.n >= sizeof text || !strchr("+-.0123456789", s.p[0]))
		return -1;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	*out = strtod(text, &end);
	return *end || !__builtin_isfinite(*out) ? -1 : 0;
}

static int set_cell(struct row *r, const struct column *c, struct str s)
{
	void *p = field(r, c);
	double d = 0;
	if (c->type == COL_TEXT) {
		*(struct str *)p = s;
		return utf8_valid(s) ? 0 : -1;
	}
	if (csv_to_number(s, &d))
		return -1;
	if (c->type == COL_NUMBER) {
		*(double *)p = d;
		return 0;
	}
	long v = s.n ? (long)d : -1;
	if (s.n && (d < 0 || d > (c->type == COL_INT ? 2147483647.0 : 9007199254740992.0) || (double)v != d))
		return -1;
	if (c->type == COL_LONG)
		*(long *)p = v;
	else
		*(int *)p = (int)v;
	return 0;
}

int results_read(const char *path, struct arena *a, struct row **rows, size_t *n, struct err *e)
{
	struct csv_table t;
	*rows = NULL;
	*n = 0;
	if (csv_load(&t, a, path, e))
		return -1;
	for (size_t k = 0; k < (t.columns > COLUMNS ? t.columns : COLUMNS); k++)
		if (k >= t.columns || k >= COLUMNS || !str_is(t.cell[0][k], results_column[k].name))
			return err_set(e, E_FORMAT, "%s:1: column %zu must be '%s'", path, k + 1, k < COLUMNS ? results_column[k].name : "(none)");
	struct row *out = ARENA_ARRAY(a, t.rows, struct row);
	for (size_t i = 1; i < t.rows; i++)
		for (size_t k = 0; k < COLUMNS; k++)
			if (set_cell(&out[i - 1], &results_column[k], t.cell[i][k]))
				return err_set(e, E_FORMAT, "%s:%d: '%.40s' is no value for column %s", path, t.line[i], t.cell[i][k].p, results_column[k].name);
	*rows = out;
	*n = t.rows - 1;
	return 0;
}
