/* regex.c - Python's re.findall, search, sub and split over PCRE2.
 *
 * The pattern is written again by regex_python.c, so that PCRE2 finds what Python finds; this file is about matching.
 * Matching runs without JIT (JIT counts match limits otherwise) and under a match limit, a depth limit and a heap limit: a
 * pattern that backtracks without end costs a moment, then E_LIMIT with a sentence that names the pattern; the caller
 * fails that document and goes on. Texts that are no UTF-8 are cleaned first as Python's errors="replace" would;
 * regex_search, which gives offsets, refuses them instead.
 * Empty matches follow Python >= 3.7: after a match the next may start where it ended, but one that was empty may not be
 * followed by an empty one at the same place (PCRE2_NOTEMPTY_ATSTART is exactly this rule).
 * A compiled expression is read-only: threads may share it.
 *
 * Reference: Python Library Reference "re"; pcre2api(3), pcre2limits(3).
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "harness/filter.h"
#include "harness/regex_int.h"
#include "runners/text/utf8.h"

enum { MATCH_LIMIT = 10000000, DEPTH_LIMIT = 1000000, HEAP_LIMIT_KIB = 65536 };

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits;
	struct regex_names names;
};

int regex_compile(struct regex **out, struct str pattern, bool ignore_case, struct err *e)
{
	struct regex *r = xcalloc(1, sizeof *r);
	struct buf text = { 0 };
	int code = 0;
	PCRE2_SIZE offset = 0;
	pcre2_compile_context *cc = NULL;
	*out = NULL;
	buf_add(&r->names.text, pattern.p, pattern.n); /* names point into this copy */
	if (regex_translate((struct str){ r->names.text.p ? r->names.text.p : "", pattern.n }, &text, &r->names, e))
		goto fail;
	if (!(cc = pcre2_compile_context_create(NULL)) || !(r->limits = pcre2_match_context_create(NULL))) {
		err_set(e, E_MEMORY, "no memory for a pattern");
		goto fail;
	}
	pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
	uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_ALT_CIRCUMFLEX | (ignore_case ? PCRE2_CASELESS : 0);
	r->code = pcre2_compile((PCRE2_SPTR)(text.p ? text.p : ""), text.n, options, &code, &offset, cc);
	if (!r->code) {
		char show[96];
		PCRE2_UCHAR why[128];
		pcre2_get_error_message(code, why, sizeof why);
		err_set(e, E_FORMAT, "pattern '%s': %s", regex_show(pattern, show), (const char *)why);
		goto fail;
	}
	pcre2_set_match_limit(r->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(r->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(r->limits, HEAP_LIMIT_KIB);
	pcre2_compile_context_free(cc);
	buf_fini(&text);
	*out = r;
	return 0;
fail:
	pcre2_compile_context_free(cc);
	buf_fini(&text);
	regex_free(r);
	return -1;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_code_free(r->code);
	pcre2_match_context_free(r->limits);
	buf_fini(&r->names.text);
	free(r);
}

static struct str pattern_of(const struct regex *r)
{
	return (struct str){ r->names.text.p ? r->names.text.p : "", r->names.text.n };
}

/* A walk over the matches of a subject. */
struct scan {
	const struct regex *r;
	struct str s;
	pcre2_match_data *md;
	size_t from;
	bool after_empty;
	const PCRE2_SIZE *span; /* pairs: whole match, groups */
	int nspan;              /* pairs that are set */
};

static void scan_begin(struct scan *c, const struct regex *r, struct str s)
{
	*c = (struct scan){ .r = r, .s = { s.p ? s.p : "", s.n }, .md = pcre2_match_data_create_from_pattern(r->code, NULL) };
}

static void scan_end(struct scan *c)
{
	pcre2_match_data_free(c->md);
}

/* 1 a match, 0 no more, -1 */
static int scan_next(struct scan *c, struct err *e)
{
	char show[96];
	if (!c->md)
		return err_set(e, E_MEMORY, "no memory for a match");
	if (c->from > c->s.n)
		return 0;
	uint32_t options = PCRE2_NO_UTF_CHECK | (c->after_empty ? PCRE2_NOTEMPTY_ATSTART : 0);
	int n = pcre2_match(c->r->code, (PCRE2_SPTR)c->s.p, c->s.n, c->from, options, c->md, c->r->limits);
	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	if (n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_DEPTHLIMIT || n == PCRE2_ERROR_HEAPLIMIT)
		return err_set(e, E_LIMIT, "pattern '%s' backtracked past the limit on a text of %zu bytes",
			       regex_show(pattern_of(c->r), show), c->s.n);
	if (n < 0) {
		PCRE2_UCHAR why[128];
		pcre2_get_error_message(n, why, sizeof why);
		return err_set(e, E_FORMAT, "pattern '%s': %s", regex_show(pattern_of(c->r), show), (const char *)why);
	}
	c->span = pcre2_get_ovector_pointer(c->md);
	c->nspan = n;
	c->after_empty = c->span[1] == c->span[0];
	c->from = c->span[1];
	return 1;
}

static struct str scan_group(const struct scan *c, int g)
{
	if (g >= c->nspan || c->span[2 * g] == PCRE2_UNSET)
		return (struct str){ "", 0 };
	return (struct str){ c->s.p + c->span[2 * g], c->span[2 * g + 1] - c->span[2 * g] };
}

static struct value copied(struct arena *a, struct str s)
{
	return v_str(arena_str(a, s.p, s.n));
}

int regex_findall(const struct regex *r, struct arena *a, struct str subject, struct value *out, struct err *e)
{
	struct scan c;
	int got, n = r->names.ngroups;
	*out = v_list(a, 4);
	scan_begin(&c, r, utf8_clean(a, subject));
	while ((got = scan_next(&c, e)) > 0) {
		if (n <= 1) {
			v_push(a, *out, copied(a, scan_group(&c, n)));
			continue;
		}
		struct value t = v_tuple(a, (size_t)n);
		for (int g = 1; g <= n; g++)
			v_push(a, t, copied(a, scan_group(&c, g)));
		v_push(a, *out, t);
	}
	scan_end(&c);
	return got;
}

int regex_search(const struct regex *r, struct str subject, size_t from, size_t *start, size_t *end, struct err *e)
{
	if (!utf8_valid(subject))
		return err_set(e, E_FORMAT, "a text of %zu bytes is not valid UTF-8", subject.n);
	if (from > subject.n || (from < subject.n && ((unsigned char)subject.p[from] & 0xc0) == 0x80))
		return err_set(e, E_RANGE, "a search starts at byte %zu of a text of %zu bytes, where no character starts", from, subject.n);
	struct scan c;
	scan_begin(&c, r, subject);
	c.from = from;
	int got = scan_next(&c, e);
	if (got > 0) {
		*start = c.span[0];
		*end = c.span[1];
	}
	scan_end(&c);
	return got;
}

/* ---- replacement text: a list of pieces, literal or group ---- */

struct piece {
	struct str text;
	int group; /* -1: text */
};

static int template_error(struct str with, const char *why, struct err *e)
{
	char show[96];
	return err_set(e, E_FORMAT, "replacement '%s': %s", regex_show(with, show), why);
}

static bool octal(char c)
{
	return c >= '0' && c <= '7';
}

/* \g<name> or \g<number>; *i is behind the g. */
static int named_group(const struct regex *r, struct str with, size_t *i, int *group, struct err *e)
{
	size_t start = *i + 1, end = start;
	if (*i >= with.n || with.p[*i] != '<')
		return template_error(with, "missing < after \\g", e);
	while (end < with.n && with.p[end] != '>')
		end++;
	if (end >= with.n || end == start)
		return template_error(with, end == start ? "missing group name" : "missing >, unterminated name", e);
	struct str name = { with.p + start, end - start };
	*i = end + 1;
	int v = 0;
	bool number = true;
	for (size_t k = 0; k < name.n; k++) {
		number = number && name.p[k] >= '0' && name.p[k] <= '9' && k < 4;
		v = number ? v * 10 + (name.p[k] - '0') : v;
	}
	if (number) {
		*group = v;
		return v <= r->names.ngroups ? 0 : template_error(with, "invalid group reference", e);
	}
	for (int g = 1; g <= r->names.ngroups; g++)
		if (r->names.name[g].n && str_eq(r->names.name[g], name)) {
			*group = g;
			return 0;
		}
	return template_error(with, "unknown group name", e);
}

/* One backslash sequence; *i is behind the backslash. A character goes to *c (-1: none), a group to *group (-1: none). */
static int template_escape(const struct regex *r, struct str with, size_t *i, int *c, int *group, struct err *e)
{
	static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
	char x = with.p[(*i)++];
	const char *k;
	*c = *group = -1;
	if (x == 'g')
		return named_group(r, with, i, group, e);
	if (x && (k = strchr(from, x))) {
		*c = (unsigned char)to[k - from];
		return 0;
	}
	bool three = octal(x) && *i + 1 < with.n && octal(with.p[*i]) && octal(with.p[*i + 1]);
	if (x == '0' || three) {
		int v = x - '0';
		for (int n = 0; n < 2 && *i < with.n && octal(with.p[*i]); n++)
			v = v * 8 + (with.p[(*i)++] - '0');
		*c = v;
		return v <= 0377 ? 0 : template_error(with, "octal escape above \\377", e);
	}
	if (x >= '1' && x <= '9') {
		*group = x - '0';
		if (*i < with.n && with.p[*i] >= '0' && with.p[*i] <= '9')
			*group = *group * 10 + (with.p[(*i)++] - '0');
		return *group <= r->names.ngroups ? 0 : template_error(with, "invalid group reference", e);
	}
	if ((x | 32) >= 'a' && (x | 32) <= 'z')
		return template_error(with, "bad escape: no such escape in Python", e);
	(*i)--; /* not an escape: the backslash stays, and so does what follows */
	*c = '\\';
	return 0;
}

static int template_parse(const struct regex *r, struct arena *a, struct str with, struct piece **out, size_t *n, struct err *e)
{
	struct piece *piece = ARENA_ARRAY(a, with.n + 1, struct piece);
	char *text = arena_alloc(a, 2 * with.n + 1);
	size_t used = 0, np = 0;
	for (size_t i = 0; i < with.n;) {
		int c = (unsigned char)with.p[i++], group = -1;
		bool code_point = false;
		if (c == '\\') {
			if (i >= with.n)
				return template_error(with, "a backslash ends it", e);
			if (template_escape(r, with, &i, &c, &group, e))
				return -1;
			code_point = true;
		}
		if (group >= 0) {
			piece[np++] = (struct piece){ .group = group };
			continue;
		}
		if (!np || piece[np - 1].group >= 0)
			piece[np++] = (struct piece){ .text = { text + used, 0 }, .group = -1 };
		size_t before = used;
		if (code_point)
			used += utf8_put((uint32_t)c, text + used); /* \377 is U+00FF: two bytes, from four */
		else
			text[used++] = (char)c;
		piece[np - 1].text.n += used - before;
	}
	*out = piece;
	*n = np;
	return 0;
}

int regex_sub(const struct regex *r, struct arena *a, struct str with, struct str subject, struct str *out, struct err *e)
{
	struct piece *piece = NULL;
	size_t n = 0, at = 0;
	struct buf b = { 0 };
	struct scan c;
	int got;
	if (template_parse(r, a, utf8_clean(a, with), &piece, &n, e))
		return -1;
	subject = utf8_clean(a, subject);
	scan_begin(&c, r, subject);
	while ((got = scan_next(&c, e)) > 0) {
		buf_add(&b, subject.p + at, c.span[0] - at);
		for (size_t k = 0; k < n; k++)
			buf_str(&b, piece[k].group < 0 ? piece[k].text : scan_group(&c, piece[k].group));
		at = c.span[1];
	}
	scan_end(&c);
	if (got == 0) {
		buf_add(&b, subject.p + at, subject.n - at);
		*out = arena_str(a, b.p ? b.p : "", b.n);
	}
	buf_fini(&b);
	return got;
}

int regex_split(const struct regex *r, struct arena *a, struct str subject, struct value *out, struct err *e)
{
	size_t at = 0;
	struct scan c;
	int got;
	subject = utf8_clean(a, subject);
	*out = v_list(a, 8);
	scan_begin(&c, r, subject);
	while ((got = scan_next(&c, e)) > 0) {
		v_push(a, *out, copied(a, (struct str){ subject.p + at, c.span[0] - at }));
		at = c.span[1];
	}
	scan_end(&c);
	if (got == 0)
		v_push(a, *out, copied(a, (struct str){ subject.p + at, subject.n - at }));
	return got;
}
