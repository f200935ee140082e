/* reader.c - rows out of files that somebody else wrote: nothing about them is trusted.
 *
 * libarchive takes the wrapping off (gz, bz2, xz, zstd; zip, tar); its raw format makes a plain file look like an archive
 * of one member, so there is one path through the code. What comes out is limited in bytes and rows, must be UTF-8, and
 * every complaint names file and line. CSV (RFC 4180, by libcsv in strict mode, blanks kept) and TSV (no quoting) have a
 * header row and give strings only; JSON keeps its types. A blank line between JSON lines is nothing.
 */
#include "harness/reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "runners/text/json.h"
#include "runners/text/utf8.h"

static const struct {
	const char *ending;
	enum row_format format;
} formats[] = { { ".jsonl", ROWS_JSON }, { ".ndjson", ROWS_JSON }, { ".json", ROWS_JSON }, { ".csv", ROWS_CSV }, { ".tsv", ROWS_TSV } };

static const char *const wrappings[] = { ".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", ".txz" };

static const char *const endings[] = {
	".jsonl", ".jsonl.gz", ".jsonl.xz", ".jsonl.zst", ".jsonl.bz2", ".json", ".json.gz", ".json.xz", ".json.zst", ".json.bz2",
	".ndjson", ".ndjson.gz", ".csv", ".csv.gz", ".csv.xz", ".csv.zst", ".csv.bz2", ".tsv", ".tsv.gz", ".tsv.xz", ".tsv.zst",
	".tsv.bz2", ".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tgz", NULL,
};

const char *const *reader_endings(void)
{
	return endings;
}

static bool cut_end(struct str *name, const char *ending)
{
	struct str end = str_of(ending);
	if (!str_ends(*name, end) || name->n == end.n)
		return false;
	name->n -= end.n;
	return true;
}

enum row_format reader_format(const char *path)
{
	struct str name = str_of(path);
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < sizeof wrappings / sizeof *wrappings; i++)
			again |= cut_end(&name, wrappings[i]);
	}
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (str_ends(name, str_of(formats[i].ending)))
			return formats[i].format;
	return ROWS_UNKNOWN;
}

/* ==== Wrapping ==== */

static int read_member(struct archive *ar, struct buf *b, const char *path, struct err *e)
{
	char block[1 << 16];
	for (;;) {
		la_ssize_t n = archive_read_data(ar, block, sizeof block);
		if (n < 0)
			return err_set(e, E_FORMAT, "%s: damaged or cut short: %s", path,
				       archive_error_string(ar) ? archive_error_string(ar) : "cannot be decompressed");
		if (n == 0)
			return 0;
		if (b->n + (size_t)n > READER_MAX_BYTES)
			return err_set(e, E_LIMIT, "%s: more than %zu MiB of rows", path, READER_MAX_BYTES >> 20);
		buf_add(b, block, (size_t)n);
	}
}

/* Goes to the first member that holds rows. */
static int find_member(struct archive *ar, const char *path, char member[4096], enum row_format *format, struct err *e)
{
	struct archive_entry *entry;
	for (int seen = 0;; seen++) {
		int rc = archive_read_next_header(ar, &entry);
		if (rc == ARCHIVE_EOF)
			return err_set(e, E_FORMAT, "%s: no member of this archive is .jsonl, .json, .csv or .tsv", path);
		if (rc < ARCHIVE_WARN)
			return err_set(e, E_FORMAT, "%s: %s", path, archive_error_string(ar) ? archive_error_string(ar) : "cannot be read");
		if (archive_format(ar) == ARCHIVE_FORMAT_RAW) {
			snprintf(member, 4096, "%s", path);
			*format = reader_format(path);
			return 0;
		}
		const char *name = archive_entry_pathname(entry), *slash = name ? strrchr(name, '/') : NULL;
		const char *base = slash ? slash + 1 : name;
		if (seen > 100000)
			return err_set(e, E_LIMIT, "%s: too many members", path);
		if (!name || archive_entry_filetype(entry) != AE_IFREG || base[0] == '.' || reader_format(name) == ROWS_UNKNOWN)
			continue;
		snprintf(member, 4096, "%.2000s(%.2000s)", path, name);
		*format = reader_format(name);
		return 0;
	}
}

static int unwrap(struct archive *ar, struct buf *b, char member[4096], enum row_format *format, const char *path, struct err *e)
{
	archive_read_support_filter_gzip(ar);
	archive_read_support_filter_bzip2(ar);
	archive_read_support_filter_xz(ar);
	archive_read_support_filter_zstd(ar);
	archive_read_support_format_zip(ar);
	archive_read_support_format_tar(ar);
	archive_read_support_format_raw(ar);
	if (archive_read_open_filename(ar, path, 1 << 16) != ARCHIVE_OK)
		return err_set(e, E_FORMAT, "%s: %s", path, archive_error_string(ar) ? archive_error_string(ar) : "cannot be read");
	if (find_member(ar, path, member, format, e))
		return -1;
	if (*format == ROWS_UNKNOWN)
		return err_set(e, E_FORMAT, "%s: rows must be .jsonl, .json, .csv or .tsv (and may be .gz, .bz2, .xz, .zst, .zip, .tar)", path);
	return read_member(ar, b, path, e);
}

int reader_unwrap(char **bytes, size_t *n, char member[4096], enum row_format *format, const char *path, struct err *e)
{
	struct stat st;
	struct buf b = { 0 };
	if (stat(path, &st))
		return err_errno(e, E_IO, "%s: cannot be opened", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, E_IO, "%s: not a file", path);
	if (st.st_size == 0)
		return err_set(e, E_FORMAT, "%s: is empty", path);
	struct archive *ar = archive_read_new();
	int rc = ar ? unwrap(ar, &b, member, format, path, e) : err_set(e, E_MEMORY, "%s: out of memory", path);
	if (ar)
		archive_read_free(ar);
	if (rc) {
		buf_fini(&b);
		return -1;
	}
	*bytes = b.p;
	*n = b.n;
	return 0;
}

/* ==== Rows ==== */

struct gather {
	struct arena *a;
	struct value *v;
	size_t n, cap;
	const char *name;
	/* CSV */
	struct str *column, *cell;
	size_t ncolumns, ncells, cap_cells;
	size_t line, start; /* of the text fed; where the record began */
	struct err err;     /* the first complaint */
};

static int push_row(struct gather *g, struct value row, size_t line, struct err *e)
{
	if (row.type != V_DICT)
		return err_set(e, E_FORMAT, "%s:%zu: a row must be an object, not a %s", g->name, line, v_type_name(row));
	if (g->n >= READER_MAX_ROWS)
		return err_set(e, E_LIMIT, "%s:%zu: more than %d rows", g->name, line, READER_MAX_ROWS);
	if (g->n == g->cap) {
		g->cap = g->cap ? 2 * g->cap : 256;
		g->v = xrealloc(g->v, g->cap * sizeof *g->v);
	}
	g->v[g->n++] = row;
	return 0;
}

static bool blank(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\r' && s.p[i] != '\n')
			return false;
	return true;
}

static int json_array(struct gather *g, struct str text, struct err *e)
{
	struct value v;
	if (json_parse(g->a, text, g->name, &v, e))
		return -1;
	for (size_t i = 0; i < v.list->n; i++)
		if (v.list->v[i].type != V_DICT)
			return err_set(e, E_FORMAT, "%s: item %zu of the array must be an object, not a %s", g->name, i,
				       v_type_name(v.list->v[i]));
		else if (push_row(g, v.list->v[i], i, e))
			return -1;
	return 0;
}

static int json_lines(struct gather *g, struct str text, struct err *e)
{
	size_t line = 0;
	for (size_t i = 0; i < text.n;) {
		const char *nl = memchr(text.p + i, '\n', text.n - i);
		struct str one = { text.p + i, nl ? (size_t)(nl - text.p) - i : text.n - i };
		struct err why = { 0 };
		struct value v;
		i += one.n + (nl != NULL);
		line++;
		if (blank(one))
			continue;
		if (json_parse(g->a, one, "", &v, &why)) {
			const char *m = strncmp(why.msg, ":1", 2) ? why.msg : why.msg + 2; /* ":1:COLUMN: reason" */
			return err_set(e, why.code, "%s:%zu%s%s", g->name, line, *m == ':' ? "" : ": ", m);
		}
		if (push_row(g, v, line, e))
			return -1;
	}
	return 0;
}

static void csv_cell(void *p, size_t n, void *ctx)
{
	struct gather *g = ctx;
	if (g->ncells == g->cap_cells) {
		g->cap_cells = g->cap_cells ? 2 * g->cap_cells : 16;
		g->cell = xrealloc(g->cell, g->cap_cells * sizeof *g->cell);
	}
	g->cell[g->ncells++] = arena_str(g->a, p ? p : "", n);
}

static void csv_header(struct gather *g)
{
	g->ncolumns = g->ncells;
	g->column = ARENA_ARRAY(g->a, g->ncells, struct str);
	for (size_t i = 0; i < g->ncells; i++) {
		g->column[i] = g->cell[i];
		for (size_t k = 0; k < i; k++)
			if (str_eq(g->column[k], g->column[i]) && !g->err.code)
				err_set(&g->err, E_FORMAT, "%s:%zu: two columns are called '%.100s'", g->name, g->start, g->column[i].p);
	}
}

static void csv_row(int c, void *ctx)
{
	struct gather *g = ctx;
	if (g->err.code)
		return;
	if (!g->column)
		csv_header(g);
	else if (g->ncells != g->ncolumns)
		err_set(&g->err, E_FORMAT, "%s:%zu: %zu fields, the header has %zu", g->name, g->start, g->ncells, g->ncolumns);
	else {
		struct value row = v_dict(g->a);
		for (size_t i = 0; i < g->ncells; i++)
			v_set(g->a, row, g->column[i], v_str(g->cell[i]));
		push_row(g, row, g->start, &g->err);
	}
	g->ncells = 0;
	g->start = g->line + 1;
}

static int never(unsigned char c)
{
	return 0;
}

static int feed(struct gather *g, struct csv_parser *p, struct str text, struct err *e)
{
	for (size_t i = 0; i < text.n && !g->err.code;) {
		const char *nl = memchr(text.p + i, '\n', text.n - i);
		size_t n = nl ? (size_t)(nl - text.p) - i + 1 : text.n - i;
		g->line++;
		if (csv_parse(p, text.p + i, n, csv_cell, csv_row, g) != n)
			return err_set(e, E_FORMAT, "%s:%zu: a quotation mark inside a field must be doubled, and its field quoted", g->name,
				       g->line);
		if (g->ncells == 0 && !csv_get_buffer_size(p))
			g->start = g->line + 1;
		i += n;
	}
	if (!g->err.code && csv_fini(p, csv_cell, csv_row, g))
		return err_set(e, E_FORMAT, "%s:%zu: a quoted field is not closed (it began in the record of line %zu)", g->name, g->line, g->start);
	if (g->err.code)
		return err_set(e, g->err.code, "%s", g->err.msg);
	if (!g->column)
		return err_set(e, E_FORMAT, "%s:1: no header row", g->name);
	return 0;
}

static int csv_rows(struct gather *g, struct str text, bool tabs, struct err *e)
{
	struct csv_parser p;
	if (memchr(text.p, 0, text.n))
		return err_set(e, E_FORMAT, "%s: holds a NUL byte", g->name);
	if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI))
		return err_set(e, E_MEMORY, "%s: out of memory", g->name);
	csv_set_space_func(&p, never);
	if (tabs) {
		csv_set_delim(&p, CSV_TAB);
		csv_set_quote(&p, 0);
	}
	g->start = 1;
	int rc = feed(g, &p, text, e);
	csv_free(&p);
	free(g->cell);
	return rc;
}

static size_t line_of_bad_utf8(struct str text)
{
	size_t line = 1;
	for (size_t i = 0; i < text.n;) {
		const char *nl = memchr(text.p + i, '\n', text.n - i);
		size_t n = nl ? (size_t)(nl - text.p) - i + 1 : text.n - i;
		if (!utf8_valid((struct str){ text.p + i, n }))
			return line;
		i += n;
		line++;
	}
	return line;
}

int reader_rows(struct value **rows, size_t *nrows, struct arena *a, struct str text, enum row_format f, const char *name, struct err *e)
{
	struct gather g = { .a = a, .name = name };
	int rc;
	if (str_starts(text, STR("\xef\xbb\xbf")))
		text = (struct str){ text.p + 3, text.n - 3 };
	size_t i = 0;
	while (i < text.n && (text.p[i] == ' ' || text.p[i] == '\t' || text.p[i] == '\r' || text.p[i] == '\n'))
		i++;
	if (!utf8_valid(text))
		rc = err_set(e, E_FORMAT, "%s:%zu: not UTF-8", name, line_of_bad_utf8(text));
	else if (f == ROWS_JSON)
		rc = i < text.n && text.p[i] == '[' ? json_array(&g, text, e) : json_lines(&g, text, e);
	else
		rc = csv_rows(&g, text, f == ROWS_TSV, e);
	if (rc == 0 && g.n == 0)
		rc = err_set(e, E_FORMAT, "%s: holds no rows", name);
	if (rc == 0) {
		*rows = ARENA_ARRAY(a, g.n, struct value);
		memcpy(*rows, g.v, g.n * sizeof **rows);
		*nrows = g.n;
	}
	free(g.v);
	return rc;
}
