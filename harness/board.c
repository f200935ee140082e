/* board.c - the leaderboard from what a results folder holds: leaderboard.csv, gap.csv, a table for a person, a page.
 *
 * Every DIR/runs/<id>/rows.csv is read; rows are sorted by all columns from left to right and those equal in all but run_id
 * are kept once (the lowest id), so the same runs give the same bytes in whatever order they were made.
 * gap.csv: for each combination of suite, metric and settings, the best model from the US, the best from China (country
 * codes US and CN), their difference and its standard error (independent scores), and who is ahead: empty when the
 * difference is within 1.96 standard errors. Scores of different profiles, numerics or settings never meet.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "harness/metric.h"
#include "harness/results_int.h"
#include "harness/stats.h"
#include "runners/text/json.h"
#include "runners/text/utf8.h"

/* ---- collecting ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of runs, sorted. No folder: none. */
static int list_runs(const char *dir, struct arena *a, char ***names, size_t *n, struct err *e)
{
	size_t cap = 0;
	*names = NULL;
	*n = 0;
	DIR *d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : err_errno(e, E_IO, "%s: cannot open", dir);
	for (struct dirent *x; (x = readdir(d));) {
		if (x->d_name[0] == '.')
			continue;
		if (*n == cap) {
			char **more = ARENA_ARRAY(a, cap ? 2 * cap : 64, char *);
			if (cap)
				memcpy(more, *names, cap * sizeof *more);
			*names = more;
			cap = cap ? 2 * cap : 64;
		}
		(*names)[(*n)++] = arena_cstr(a, str_of(x->d_name));
	}
	closedir(d);
	if (*n)
		qsort(*names, *n, sizeof **names, by_name);
	return 0;
}

static int collect(const char *dir, struct arena *a, struct row **rows, size_t *n, struct err *e)
{
	char **name;
	size_t nnames, cap = 0;
	struct str runs = arena_printf(a, "%s/runs", dir);
	if (list_runs(runs.p, a, &name, &nnames, e))
		return -1;
	*rows = NULL;
	*n = 0;
	for (size_t i = 0; i < nnames; i++) {
		struct row *r;
		size_t k;
		struct str path = arena_printf(a, "%s/%s/rows.csv", runs.p, name[i]);
		FILE *there = fopen(path.p, "re");
		if (!there) /* a run that was stopped before its rows were written */
			continue;
		fclose(there);
		if (results_read(path.p, a, &r, &k, e))
			return -1;
		if (*n + k > cap) {
			cap = 2 * (*n + k);
			struct row *more = ARENA_ARRAY(a, cap, struct row);
			if (*n)
				memcpy(more, *rows, *n * sizeof *more);
			*rows = more;
		}
		if (k)
			memcpy(*rows + *n, r, k * sizeof *r);
		*n += k;
	}
	return 0;
}

static size_t unique(struct row *rows, size_t n)
{
	size_t kept = 0;
	if (n)
		qsort(rows, n, sizeof *rows, rows_compare);
	for (size_t i = 0; i < n; i++)
		if (!kept || !rows_equal_but_run(&rows[kept - 1], &rows[i]))
			rows[kept++] = rows[i];
	return kept;
}

/* ---- the gap ---- */

static const char *const gap_key[] = { "suite", "suite_version", "language", "metric", "filter", "shots", "chat",
				       "profile", "numerics", "limit", "settings", "suite_digest", NULL };

static const struct column *column(const char *name)
{
	const struct column *c = results_column;
	while (c->name && strcmp(c->name, name) != 0)
		c++;
	return c;
}

static int gap_compare(const void *x, const void *y)
{
	char na[40], nb[40];
	for (int k = 0; gap_key[k]; k++) {
		const struct column *c = column(gap_key[k]);
		struct str a = results_cell(x, c, na), b = results_cell(y, c, nb);
		int r = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
		if (r || a.n != b.n)
			return r ? r : a.n < b.n ? -1 : 1;
	}
	return 0;
}

static bool higher_is_better(const struct row *r)
{
	const struct metric_info *m = metric_find(r->metric);
	return !m || m->higher_is_better;
}

/* The best of a country; of equals the first name. */
static const struct row *best_of(const struct row *r, size_t n, const char *country)
{
	const struct row *best = NULL;
	for (size_t i = 0; i < n; i++) {
		if (!str_is(r[i].country, country) || r[i].value != r[i].value)
			continue;
		if (!best || (higher_is_better(best) ? r[i].value > best->value : r[i].value < best->value) ||
		    (r[i].value == best->value && rows_compare(&r[i], best) < 0))
			best = &r[i];
	}
	return best;
}

static void gap_row(struct buf *out, const struct row *us, const struct row *cn)
{
	char number[40];
	double gap = us->value - cn->value, se = stats_sqrt(us->stderr_ * us->stderr_ + cn->stderr_ * cn->stderr_);
	double lead = higher_is_better(us) ? gap : -gap;
	for (int k = 0; gap_key[k]; k++) {
		csv_cell(out, results_cell(us, column(gap_key[k]), number));
		buf_putc(out, ',');
	}
	for (int k = 0; k < 2; k++) {
		const struct row *r = k ? cn : us;
		csv_cell(out, r->model);
		buf_putc(out, ',');
		csv_number(out, r->value);
		buf_putc(out, ',');
		csv_number(out, r->stderr_);
		buf_putc(out, ',');
	}
	csv_number(out, gap);
	buf_putc(out, ',');
	csv_number(out, se);
	buf_printf(out, ",%s\n", !(__builtin_fabs(lead) > 1.96 * se) ? "" : lead > 0 ? "US" : "CN");
}

static void gap_table(struct buf *out, const struct row *rows, size_t n, struct arena *a)
{
	for (int k = 0; gap_key[k]; k++)
		buf_printf(out, "%s,", gap_key[k]);
	buf_puts(out, "us_model,us_value,us_stderr,cn_model,cn_value,cn_stderr,gap,gap_stderr,ahead\n");
	if (!n)
		return;
	struct row *r = ARENA_ARRAY(a, n, struct row);
	memcpy(r, rows, n * sizeof *r);
	qsort(r, n, sizeof *r, gap_compare);
	for (size_t i = 0, j; i < n; i = j) {
		for (j = i + 1; j < n && gap_compare(&r[i], &r[j]) == 0; j++)
			;
		const struct row *us = best_of(r + i, j - i, "US"), *cn = best_of(r + i, j - i, "CN");
		if (us && cn)
			gap_row(out, us, cn);
	}
}

static int rebuild(const char *dir, struct arena *a, struct row **rows, size_t *n, struct err *e)
{
	struct buf b = { 0 };
	if (collect(dir, a, rows, n, e))
		return -1;
	*n = unique(*rows, *n);
	int r = results_write(arena_printf(a, "%s/leaderboard.csv", dir).p, *rows, *n, e);
	if (r == 0) {
		gap_table(&b, *rows, *n, a);
		r = file_write(arena_printf(a, "%s/gap.csv", dir).p, &b, e);
	}
	buf_fini(&b);
	return r;
}

/* One process at a time, so that none that read DIR/runs earlier writes its table later. Where locks do not exist it goes on. */
int board_rebuild(const char *dir, struct arena *a, struct row **rows, size_t *n, struct err *e)
{
	int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (lock >= 0 && flock(lock, LOCK_EX) && errno == EINTR)
		;
	int r = rebuild(dir, a, rows, n, e);
	if (lock >= 0)
		close(lock);
	return r;
}

/* ---- showing: cells of a table, then text or HTML ---- */

enum { SHOWN = 8 };
static const char *const heading[SHOWN] = { "suite", "metric", "model", "value", "95 % interval", "n", "shots", "remarks" };
static const bool right[SHOWN] = { false, false, false, true, true, true, true, false };

static struct str four(struct arena *a, double d)
{
	if (!__builtin_isfinite(d))
		return STR("n/a");
	return __builtin_fabs(d) < 100 ? arena_printf(a, "%.4f", d) : arena_printf(a, "%.5g", d);
}

/* What a reader must know beside the number. */
static struct str remarks(struct arena *a, const struct row *r)
{
	struct buf b = { 0 };
	if (r->n_failed)
		buf_printf(&b, "%ld failed, ", r->n_failed);
	if (r->n_truncated)
		buf_printf(&b, "%ld truncated, ", r->n_truncated);
	if (r->n_unparsed)
		buf_printf(&b, "%ld unparsed, ", r->n_unparsed);
	if (r->limit >= 0)
		buf_printf(&b, "first %ld only, ", r->limit);
	if (r->chat == 1)
		buf_puts(&b, "chat, ");
	if (!str_is(r->profile, "native"))
		buf_printf(&b, "%.*s, ", (int)r->profile.n, r->profile.p);
	if (!str_is(r->numerics, "chain32/1"))
		buf_printf(&b, "%.*s, ", (int)r->numerics.n, r->numerics.p);
	if (r->settings.n > 2)
		buf_printf(&b, "%.*s, ", (int)r->settings.n, r->settings.p);
	struct str out = arena_str(a, b.p ? b.p : "", b.n >= 2 ? b.n - 2 : 0);
	buf_fini(&b);
	return out;
}

/* Best first among those that compare. */
static int show_compare(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	int r = gap_compare(a, b);
	if (r)
		return r;
	if (a->value != b->value && a->value == a->value && b->value == b->value)
		return (a->value > b->value) == higher_is_better(a) ? -1 : 1;
	return rows_compare(a, b);
}

static struct str (*cells(const struct row *rows, size_t n, struct arena *a))[SHOWN]
{
	struct row *r = ARENA_ARRAY(a, n, struct row);
	struct str (*c)[SHOWN] = arena_array(a, n, sizeof *c);
	if (n) {
		memcpy(r, rows, n * sizeof *r);
		qsort(r, n, sizeof *r, show_compare);
	}
	for (size_t i = 0; i < n; i++) {
		bool none = str_is(r[i].filter, "none") || !r[i].filter.n;
		c[i][0] = r[i].suite;
		c[i][1] = none ? r[i].metric : arena_printf(a, "%s,%s", r[i].metric.p, r[i].filter.p);
		c[i][2] = r[i].model;
		c[i][3] = four(a, r[i].value);
		c[i][4] = r[i].ci_low == r[i].ci_low ? arena_printf(a, "%s .. %s", four(a, r[i].ci_low).p, four(a, r[i].ci_high).p) : STR("n/a");
		c[i][5] = arena_printf(a, "%ld", r[i].n);
		c[i][6] = r[i].shots >= 0 ? arena_printf(a, "%d", r[i].shots) : STR("");
		c[i][7] = remarks(a, &r[i]);
	}
	return c;
}

/* Columns that a terminal gives a code point; wide ones take two in most. */
static size_t columns_of(struct str s)
{
	size_t w = 0;
	for (size_t i = 0; i < s.n;) {
		uint32_t c = utf8_next(s, &i);
		w += (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
				     (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
				     (c >= 0x20000 && c <= 0x3fffd) ? 2 : 1;
	}
	return w;
}

/* Text from files must not drive the terminal: control characters become '?'; at most `max` columns. */
static size_t put_cell(struct buf *out, struct str s, size_t max)
{
	size_t w = 0;
	for (size_t i = 0; i < s.n;) {
		size_t from = i;
		uint32_t c = utf8_next(s, &i);
		size_t k = columns_of((struct str){ s.p + from, i - from });
		if (w + k > max)
			break;
		if (c < 32 || (c >= 127 && c < 160))
			buf_putc(out, '?');
		else
			buf_add(out, s.p + from, i - from);
		w += k;
	}
	return w;
}

static void pad(struct buf *out, size_t n)
{
	while (n--)
		buf_putc(out, ' ');
}

static void text_line(struct buf *out, const struct str c[SHOWN], const size_t w[SHOWN], size_t room)
{
	size_t used = 0;
	for (int k = 0; k < SHOWN && used < room; k++) {
		size_t max = room - used < w[k] ? room - used : w[k], len = columns_of(c[k]);
		size_t gap = len < max ? max - len : 0;
		if (right[k])
			pad(out, gap);
		put_cell(out, c[k], max);
		if (!right[k] && k + 1 < SHOWN)
			pad(out, gap);
		used += max + 2;
		if (k + 1 < SHOWN && used < room)
			buf_puts(out, "  ");
	}
	while (out->n && out->p[out->n - 1] == ' ')
		out->n--;
	buf_putc(out, '\n');
}

static void text_table(struct buf *out, struct str (*c)[SHOWN], size_t n, int colour, int width)
{
	struct str head[SHOWN], shown[SHOWN];
	size_t w[SHOWN], room = width > 0 ? (size_t)width : (size_t)-1;
	for (int k = 0; k < SHOWN; k++) {
		head[k] = str_of(heading[k]);
		w[k] = head[k].n;
		for (size_t i = 0; i < n; i++)
			w[k] = columns_of(c[i][k]) > w[k] ? columns_of(c[i][k]) : w[k];
	}
	buf_puts(out, colour ? "\x1b[1m" : "");
	text_line(out, head, w, room);
	buf_puts(out, colour ? "\x1b[0m" : "");
	for (size_t i = 0; i < n; i++) {
		bool same = i > 0;
		for (int k = 0; k < SHOWN; k++) { /* suite and metric once per block */
			same = same && k < 2 && str_eq(c[i][k], c[i - 1][k]);
			shown[k] = same ? STR("") : c[i][k];
		}
		text_line(out, shown, w, room);
	}
	if (!n)
		buf_puts(out, "no results yet\n");
}

static void html_text(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];
		if (ch == '<' || ch == '>' || ch == '&' || ch == '"')
			buf_printf(out, "&#%d;", ch);
		else
			buf_putc(out, ch);
	}
}

static void html_page(struct buf *out, struct str (*c)[SHOWN], size_t n)
{
	buf_puts(out,
		 "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n"
		 "<title>assay: leaderboard</title>\n<style>\n:root{color-scheme:light dark}\nbody{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em}\n"
		 "table{border-collapse:collapse;width:100%}\nth,td{padding:.25em .7em;text-align:left;border-bottom:1px solid #8884}\n"
		 "td.r,th.r{text-align:right;font-variant-numeric:tabular-nums}\ntd.note{font-size:85%;overflow-wrap:anywhere}\n</style>\n</head>\n<body>\n"
		 "<h1>Leaderboard</h1>\n<p>Intervals are 95 %. Scores compare only where the remarks are equal. The numbers in full are in leaderboard.csv.</p>\n"
		 "<table>\n<thead><tr>");
	for (int k = 0; k < SHOWN; k++)
		buf_printf(out, "<th%s>%s</th>", right[k] ? " class=\"r\"" : "", heading[k]);
	buf_puts(out, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < n; i++) {
		buf_puts(out, "<tr>");
		for (int k = 0; k < SHOWN; k++) {
			buf_puts(out, right[k] ? "<td class=\"r\">" : k + 1 == SHOWN ? "<td class=\"note\">" : "<td>");
			html_text(out, c[i][k]);
			buf_puts(out, "</td>");
		}
		buf_puts(out, "</tr>\n");
	}
	buf_puts(out, "</tbody>\n</table>\n</body>\n</html>\n");
}

/* One line per row: the columns of the CSV, empty numbers as null. */
static void json_lines(struct buf *out, const struct row *rows, size_t n)
{
	char number[40];
	for (size_t i = 0; i < n; i++) {
		for (const struct column *c = results_column; c->name; c++) {
			struct str cell = results_cell(&rows[i], c, number);
			buf_printf(out, "%s\"%s\":", c == results_column ? "{" : ",", c->name);
			if (c->type == COL_TEXT)
				json_write_str(out, cell, 0);
			else
				buf_puts(out, cell.n ? cell.p : "null");
		}
		buf_puts(out, "}\n");
	}
}

int board_print(const char *format, const struct row *rows, size_t n, int colour, int width, struct buf *out, struct err *e)
{
	struct arena a;
	int r = 0;
	arena_init(&a);
	if (!strcmp(format, "csv"))
		rows_write(out, rows, n);
	else if (!strcmp(format, "json"))
		json_lines(out, rows, n);
	else if (!strcmp(format, "html"))
		html_page(out, cells(rows, n, &a), n);
	else if (!strcmp(format, "text"))
		text_table(out, cells(rows, n, &a), n, colour, width);
	else
		r = err_set(e, E_USAGE, "unknown format '%.40s': text, csv or html", format);
	arena_fini(&a);
	return r;
}
