/* jinja_regex.c - Python's re.sub over PCRE2, for the filter regex_replace of suites, and the word splitter of wordwrap.
 *
 * Patterns mean the same in both for what suites use; \Z (Python's is the very end), \v, \u and \U are rewritten. Matching is by
 * Unicode code points with Unicode classes, as for Python's str. Empty matches follow Python 3.7+: one directly behind a
 * non-empty match counts. The match and depth limits turn catastrophic patterns into E_LIMIT.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "runners/text/jinja_int.h"

#include <pcre2.h>

#include "runners/text/utf8.h"

#define MATCH_LIMIT 2000000

static struct str python_pattern(struct jx *x, struct str p)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < p.n; i++) {
		char c = p.p[i], next = i + 1 < p.n ? p.p[i + 1] : 0;
		size_t digits = next == 'u' ? 4 : next == 'U' ? 8 : 0;
		if (c != '\\' || i + 1 == p.n) {
			buf_putc(&b, c);
			continue;
		}
		i++;
		if (digits && p.n - i > digits && strspn(arena_cstr(x->a, (struct str){ p.p + i + 1, digits }), "0123456789abcdefABCDEF") == digits) {
			buf_printf(&b, "\\x{%.*s}", (int)digits, p.p + i + 1);
			i += digits;
		} else if (next == 'v') {
			buf_puts(&b, "\\x0b");
		} else {
			/* letters that mean nothing to Python are an error there: PCRE2 refuses \i */
			bool letter = ((next | 32) >= 'a' && (next | 32) <= 'z') && !strchr("AbBdDsSwWZafnrtx", next);
			buf_putc(&b, '\\');
			buf_putc(&b, letter ? 'i' : next == 'Z' ? 'z' : next);
		}
	}
	return jx_take(x, &b);
}

struct regex {
	pcre2_code *code;
	pcre2_match_data *m;
	pcre2_match_context *ctx;
	bool checked; /* the subject is known to be UTF-8 */
	bool matched; /* m holds a match */
};

static void regex_close(struct regex *r)
{
	pcre2_match_context_free(r->ctx);
	pcre2_match_data_free(r->m);
	pcre2_code_free(r->code);
}

static int regex_open(struct jx *x, struct regex *r, struct str pattern, uint32_t options)
{
	int error;
	PCRE2_SIZE at;
	unsigned char why[160];
	struct str p = python_pattern(x, pattern);
	*r = (struct regex){ 0 };
	r->code = pcre2_compile((PCRE2_SPTR)p.p, p.n, PCRE2_UTF | PCRE2_UCP | options, &error, &at, NULL);
	if (!r->code) {
		pcre2_get_error_message(error, why, sizeof why);
		return jx_fail(x, "regular expression '%.*s': %s at position %zu",
			       (int)(pattern.n < 200 ? pattern.n : 200), pattern.p, (char *)why, (size_t)at);
	}
	r->m = pcre2_match_data_create_from_pattern(r->code, NULL);
	r->ctx = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(r->ctx, MATCH_LIMIT);
	pcre2_set_depth_limit(r->ctx, 100000);
	return 0;
}

/* 1: found, 0: not, -1. */
static int regex_match(struct jx *x, struct regex *r, struct str s, size_t at, bool not_empty)
{
	uint32_t options = (not_empty ? PCRE2_NOTEMPTY_ATSTART : 0) | (r->checked ? PCRE2_NO_UTF_CHECK : 0);
	int rc = pcre2_match(r->code, (PCRE2_SPTR)s.p, s.n, at, options, r->m, r->ctx);
	r->checked |= rc >= 0;
	r->matched = rc >= 0;
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT || rc == PCRE2_ERROR_HEAPLIMIT)
		return jx_limit(x, "a regular expression needs too many steps");
	if (rc < 0)
		return jx_fail(x, "a regular expression failed (PCRE2 error %d)", rc);
	return jx_step(x, 1) ? -1 : 1;
}

static int add_group(struct jx *x, struct regex *r, struct str s, int64_t group, struct buf *b)
{
	uint32_t count;
	pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &count);
	if (group < 0 || (uint64_t)group > count)
		return jx_fail(x, "invalid group reference %lld", (long long)group);
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->m);
	if (r->matched && v[2 * group] != PCRE2_UNSET && v[2 * group + 1] >= v[2 * group])
		buf_add(b, s.p + v[2 * group], v[2 * group + 1] - v[2 * group]);
	return 0;
}

static int add_named(struct jx *x, struct regex *r, struct str s, struct str name, struct buf *b)
{
	int64_t n;
	bool big;
	if (name.n && strspn(arena_cstr(x->a, name), "0123456789") == name.n)
		return jx_parse_int(x, name, 10, &n, &big) && !big ? add_group(x, r, s, n, b)
								   : jx_fail(x, "invalid group reference");
	int group = pcre2_substring_number_from_name(r->code, (PCRE2_SPTR)arena_cstr(x->a, name));
	if (group < 0)
		return jx_fail(x, "unknown group name '%.*s'", (int)name.n, name.p);
	return add_group(x, r, s, group, b);
}

/* The number behind a backslash at t.p[*i], which goes to its last digit: octal after 0 or of three octal digits, else a group of
 * one or two digits. */
static int add_digits(struct jx *x, struct regex *r, struct str s, struct str t, size_t *i, struct buf *b)
{
	const char *p = t.p + *i;
	size_t left = t.n - *i, n = 1, most = p[0] == '0' ? 3 : 2;
	char last = p[0] == '0' ? '7' : '9', utf8[4];
	while (n < most && n < left && p[n] >= '0' && p[n] <= last)
		n++;
	bool three = p[0] != '0' && n == 2 && left > 2 && p[0] < '8' && p[1] < '8' && p[2] >= '0' && p[2] < '8';
	int v = 0;
	n += three;
	*i += n - 1;
	for (size_t k = 0; k < n; k++)
		v = v * (p[0] == '0' || three ? 8 : 10) + (p[k] - '0');
	if (p[0] != '0' && !three)
		return add_group(x, r, s, v, b);
	if (three && v > 0377)
		return jx_fail(x, "octal escape value \\%.3s outside of range 0-0o377", p);
	buf_add(b, utf8, utf8_put((uint32_t)v & 0xff, utf8));
	return 0;
}

/* The replacement's escapes: \1, \g<1>, \g<name>, octal, and the letters Python knows. */
static int add_replacement(struct jx *x, struct regex *r, struct str s, struct str t, struct buf *b)
{
	static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];
		if (c != '\\') {
			buf_putc(b, c);
			continue;
		}
		if (++i >= t.n)
			return jx_fail(x, "bad escape (end of pattern)");
		c = t.p[i];
		const char *known = c ? strchr(from, c) : NULL;
		if (c == 'g') {
			const char *close = i + 1 < t.n && t.p[i + 1] == '<' ? memchr(t.p + i, '>', t.n - i) : NULL;
			if (!close)
				return jx_fail(x, "missing group name in the replacement");
			struct str name = { t.p + i + 2, (size_t)(close - t.p) - i - 2 };
			if (add_named(x, r, s, name, b))
				return -1;
			i = (size_t)(close - t.p);
		} else if (c >= '0' && c <= '9') {
			if (add_digits(x, r, s, t, &i, b))
				return -1;
		} else if (known) {
			buf_putc(b, to[known - from]);
		} else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
			return jx_fail(x, "bad escape \\%c", c);
		} else {
			buf_putc(b, '\\');
			buf_putc(b, c);
		}
	}
	return 0;
}

int jx_regex_sub(struct jx *x, struct str s, struct str pattern, struct str repl, int64_t count, struct str *out)
{
	struct regex r;
	struct buf b = { 0 };
	size_t at = 0, copied = 0;
	bool after_empty = false;
	int rc = 0;
	if (regex_open(x, &r, pattern, 0))
		return -1;
	if (add_replacement(x, &r, s, repl, &b)) { /* a bad one is an error without a match too */
		buf_fini(&b);
		regex_close(&r);
		return -1;
	}
	b.n = 0;
	for (int64_t n = 0; (count <= 0 || n < count) && at <= s.n; n++) {
		rc = regex_match(x, &r, s, at, after_empty);
		if (rc <= 0)
			break;
		const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r.m);
		size_t from = v[0], to = v[1];
		if (to < from) { /* \K in a lookahead */
			rc = jx_fail(x, "a match that ends before it starts");
			break;
		}
		buf_add(&b, s.p + copied, from > copied ? from - copied : 0);
		if (add_replacement(x, &r, s, repl, &b) || jx_room(x, b.n, 1)) {
			rc = -1;
			break;
		}
		copied = at = to;
		after_empty = from == to;
		rc = 0;
	}
	if (rc >= 0) {
		buf_add(&b, s.p + copied, s.n - copied);
		*out = jx_take(x, &b);
	}
	buf_fini(&b);
	regex_close(&r);
	return rc < 0 ? -1 : 0;
}

/* The chunks textwrap cuts a line into: words (parts of hyphenated ones), dashes, runs of blanks. */
int jx_word_chunks(struct jx *x, struct str s, bool hyphens, struct value *list)
{
	static const char with_hyphens[] =
		"[\\t\\n\\x0b\\x0c\\r ]+|(?<=[\\w!\"'&.,?])-{2,}(?=\\w)|[^\\t\\n\\x0b\\x0c\\r ]+?(?:"
		"-(?:(?<=[^\\d\\W]{2}-)|(?<=[^\\d\\W]-[\\w!\"'&.,?]-))(?=[^\\d\\W]-?[^\\d\\W])"
		"|(?=[\\t\\n\\x0b\\x0c\\r ]|\\Z)|(?<=[\\w!\"'&.,?])(?=-{2,}\\w))";
	static const char simple[] = "[\\t\\n\\x0b\\x0c\\r ]+";
	struct regex r;
	size_t at = 0;
	int rc = 0;
	*list = v_list(x->a, 0);
	if (regex_open(x, &r, str_of(hyphens ? with_hyphens : simple), 0))
		return -1;
	while (at < s.n && (rc = regex_match(x, &r, s, at, true)) > 0) {
		const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r.m);
		if (v[0] > at)
			v_push(x->a, *list, v_str((struct str){ s.p + at, v[0] - at }));
		if (v[1] > v[0])
			v_push(x->a, *list, v_str((struct str){ s.p + v[0], v[1] - v[0] }));
		at = v[1];
	}
	if (rc == 0 && at < s.n)
		v_push(x->a, *list, v_str((struct str){ s.p + at, s.n - at }));
	regex_close(&r);
	return rc < 0 ? -1 : 0;
}
