/* tok_json.c - a reader for tokenizer.json that builds no tree.
 *
 * The vocabulary and the merges of a large model are half a million entries in 30 MB; as a tree they cost a second and
 * hundreds of megabytes. This reader walks the bytes once: strings without escapes are slices of the file, others are
 * unescaped into the arena. The rest of the file (components, added tokens: 6,415 in gemma3) is read to values by js_value.
 *
 * Refuses: anything that is not JSON (RFC 8259), lone surrogates, nesting deeper than 64, numbers that are no ids. Every
 * message names file and line.
 */
#include <stdarg.h>
#include <stdio.h>

#include "runners/text/json.h"
#include "runners/text/utf8.h"
#include "runners/tok_int.h"

enum { MAX_DEPTH = 64 };

int js_fail(struct js *j, struct err *e, const char *fmt, ...)
{
	long line = 1;
	for (const char *p = j->begin; (p = memchr(p, '\n', (size_t)(j->p - p))) != NULL; p++)
		line++;
	char msg[600];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof msg, fmt, ap);
	va_end(ap);
	return err_set(e, E_FORMAT, "%s:%ld: %s", j->name, line, msg);
}

enum { EIGHT = 8 }; /* bytes looked at together */

static void blanks(struct js *j)
{
	const char *p = j->p, *end = j->end;
	if (p < end && (unsigned char)*p > ' ')
		return;
	p += p < end && *p == '\n'; /* then mostly an indent */
	while (end - p >= EIGHT && !memcmp(p, "        ", EIGHT))
		p += EIGHT;
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	j->p = p;
}

char js_peek(struct js *j)
{
	blanks(j);
	return j->p < j->end ? *j->p : 0;
}

static int unexpected(struct js *j, struct err *e, const char *wanted)
{
	char c = js_peek(j);
	if (j->p >= j->end)
		return js_fail(j, e, "the file ends where %s should stand", wanted);
	if (c >= 32 && c < 127)
		return js_fail(j, e, "'%c' where %s should stand", c, wanted);
	return js_fail(j, e, "byte 0x%02x where %s should stand", (unsigned char)c, wanted);
}

int js_open(struct js *j, char c, struct err *e)
{
	if (js_peek(j) != c)
		return unexpected(j, e, c == '{' ? "an object" : "a list");
	j->p++;
	return 0;
}

int js_item(struct js *j, bool *first, struct err *e)
{
	char c = js_peek(j);
	if (c == ']') {
		j->p++;
		return 0;
	}
	if (!*first) {
		if (c != ',')
			return unexpected(j, e, "',' or ']'");
		j->p++;
	}
	*first = false;
	return 1;
}

int js_member(struct js *j, bool *first, struct str *key, struct err *e)
{
	char c = js_peek(j);
	if (c == '}') {
		j->p++;
		return 0;
	}
	if (!*first) {
		if (c != ',')
			return unexpected(j, e, "',' or '}'");
		j->p++;
	}
	*first = false;
	if (js_str(j, key, e) < 0)
		return -1;
	if (js_peek(j) != ':')
		return unexpected(j, e, "':'");
	j->p++;
	return 1;
}

static int hex4(const char *p)
{
	int v = 0;
	for (int i = 0; i < 4; i++) {
		int c = p[i], d = c >= '0' && c <= '9' ? c - '0'
				  : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
								       : -1;
		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* \uXXXX at p (behind the backslash and u), a pair of them for characters beyond the BMP. */
static int unicode_escape(struct js *j, const char **p, uint32_t *cp, struct err *e)
{
	int hi = j->end - *p >= 4 ? hex4(*p) : -1;
	if (hi < 0)
		return js_fail(j, e, "\\u needs four hex digits");
	*p += 4;
	*cp = (uint32_t)hi;
	if (hi >= 0xd800 && hi < 0xe000) {
		int lo = hi < 0xdc00 && j->end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' ? hex4(*p + 2) : -1;
		if (lo < 0xdc00 || lo > 0xdfff)
			return js_fail(j, e, "a lone surrogate \\u%04x", (unsigned)hi);
		*cp = 0x10000 + ((uint32_t)(hi - 0xd800) << 10) + (uint32_t)(lo - 0xdc00);
		*p += 6;
	}
	return 0;
}

/* The first byte from p on that is a quote, a backslash or a control character; end if there is none. Eight bytes together say
 * whether one of them is such a byte; which one, the walk over them tells, on machines of either byte order. */
static const char *plain(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
	for (uint64_t w; end - p >= EIGHT; p += EIGHT) {
		memcpy(&w, p, EIGHT);
		uint64_t quote = w ^ '"' * ones, back = w ^ '\\' * ones;
		uint64_t hit = (((quote - ones) & ~quote) | ((back - ones) & ~back) | ((w - ' ' * ones) & ~w)) & tops;
		if (hit)
			break;
	}
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 32)
		p++;
	return p;
}

int js_str(struct js *j, struct str *out, struct err *e)
{
	if (js_peek(j) != '"')
		return unexpected(j, e, "a string");
	const char *start = ++j->p, *p = plain(j->p, j->end);
	if (p < j->end && *p == '"') {
		*out = (struct str){ start, (size_t)(p - start) };
		j->p = p + 1;
		return 0;
	}
	/* escapes: find the end, then unescape; the result is never longer than the source */
	const char *q = p;
	while (q < j->end && *q != '"' && (unsigned char)*q >= 32)
		q += *q == '\\' && j->end - q > 1 ? 2 : 1;
	if (q >= j->end || *q != '"') {
		j->p = q < j->end ? q : j->end;
		return q < j->end ? js_fail(j, e, "a control character inside a string")
				  : js_fail(j, e, "the file ends inside a string");
	}
	char *buf = arena_alloc(j->a, (size_t)(q - start) + 4);
	size_t n = (size_t)(p - start);
	memcpy(buf, start, n);
	while (p < q) {
		if (*p != '\\') {
			buf[n++] = *p++;
			continue;
		}
		static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
		const char *f = strchr(from, p[1]);
		j->p = p;
		if (p[1] == 'u') {
			uint32_t cp = 0;
			p += 2;
			if (unicode_escape(j, &p, &cp, e) < 0)
				return -1;
			n += utf8_put(cp, buf + n);
		} else if (p[1] && f) {
			buf[n++] = to[f - from];
			p += 2;
		} else {
			return js_fail(j, e, "an unknown escape in a string");
		}
	}
	buf[n] = 0;
	*out = (struct str){ buf, n };
	j->p = q + 1;
	return 0;
}

int js_uint(struct js *j, uint32_t limit, uint32_t *out, struct err *e)
{
	js_peek(j);
	const char *p = j->p;
	uint64_t v = 0;
	while (p < j->end && *p >= '0' && *p <= '9' && v < limit)
		v = v * 10 + (uint64_t)(*p++ - '0');
	if (p == j->p || (p < j->end && (*p == '.' || *p == 'e' || *p == 'E')) || (p - j->p > 1 && *j->p == '0'))
		return unexpected(j, e, "a whole number from 0 up");
	if (v >= limit)
		return js_fail(j, e, "a number that is too large (the limit is %u)", limit - 1);
	*out = (uint32_t)v;
	j->p = p;
	return 0;
}

/* Skips a number or one of true, false, null. */
static int skip_word(struct js *j, struct err *e)
{
	static const char *const words[] = { "true", "false", "null" };
	for (int i = 0; i < 3; i++) {
		size_t n = strlen(words[i]);
		if ((size_t)(j->end - j->p) >= n && !memcmp(j->p, words[i], n)) {
			j->p += n;
			return 0;
		}
	}
	const char *p = j->p;
	while (p < j->end && *p && strchr("+-0123456789.eE", *p))
		p++;
	if (p == j->p)
		return unexpected(j, e, "a value");
	j->p = p;
	return 0;
}

/* ---- small values ---- */

static int value_at(struct js *j, struct arena *a, int depth, struct value *out, struct err *e);

static int dict_at(struct js *j, struct arena *a, int depth, struct value *out, struct err *e)
{
	struct str key;
	struct value v;
	bool first = true;
	int more;
	*out = v_dict(a);
	j->p++;
	while ((more = js_member(j, &first, &key, e)) > 0) {
		if (value_at(j, a, depth, &v, e) < 0)
			return -1;
		v_set(a, *out, arena_str(a, key.p, key.n), v);
	}
	return more;
}

static int list_at(struct js *j, struct arena *a, int depth, struct value *out, struct err *e)
{
	struct value v;
	bool first = true;
	int more;
	*out = v_list(a, 0);
	j->p++;
	while ((more = js_item(j, &first, e)) > 0) {
		if (value_at(j, a, depth, &v, e) < 0)
			return -1;
		v_push(a, *out, v);
	}
	return more;
}

/* A number or a word: what is no short whole number goes to the general parser. */
static int scalar_at(struct js *j, struct arena *a, struct value *out, struct err *e)
{
	enum { SURE = 18 }; /* digits that fit 64 bits */
	struct str s;
	int64_t v = 0;
	size_t i = 0;
	if (js_skip(j, &s, e) < 0)
		return -1;
	for (; i < s.n && i < SURE && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		v = 10 * v + (s.p[i] - '0');
	if (i < s.n || !s.n || (s.p[0] == '0' && s.n > 1)) {
		if (json_parse(a, s, j->name, out, e) == 0)
			return 0;
		j->p = s.p;
		return js_fail(j, e, "'%.*s' is no number", str_shown(s), s.p);
	}
	*out = v_int(v);
	return 0;
}

static int value_at(struct js *j, struct arena *a, int depth, struct value *out, struct err *e)
{
	struct str s;
	char c = js_peek(j);
	if ((c == '{' || c == '[') && depth == MAX_DEPTH)
		return js_fail(j, e, "more than %d levels of brackets", MAX_DEPTH);
	if (c == '{')
		return dict_at(j, a, depth + 1, out, e);
	if (c == '[')
		return list_at(j, a, depth + 1, out, e);
	if (c != '"')
		return scalar_at(j, a, out, e);
	if (js_str(j, &s, e) < 0)
		return -1;
	*out = v_str(arena_str(a, s.p, s.n));
	return 0;
}

int js_value(struct js *j, struct arena *a, struct value *out, struct err *e)
{
	return value_at(j, a, 0, out, e);
}

/* ---- skipping ---- */

/* Skips one value without recursion: only the depth and the kind of each open bracket are kept. */
int js_skip(struct js *j, struct str *extent, struct err *e)
{
	char open[MAX_DEPTH];
	int depth = 0;
	js_peek(j);
	const char *start = j->p;
	do {
		char c = js_peek(j);
		if (c == '{' || c == '[') {
			if (depth == MAX_DEPTH)
				return js_fail(j, e, "more than %d levels of brackets", MAX_DEPTH);
			open[depth++] = c;
			j->p++;
		} else if (depth && (c == '}' || c == ']')) {
			if ((c == '}') != (open[depth - 1] == '{'))
				return unexpected(j, e, open[depth - 1] == '{' ? "'}'" : "']'");
			depth--;
			j->p++;
		} else if (depth && (c == ',' || c == ':')) {
			j->p++;
		} else if (c == '"') {
			const char *p = j->p + 1;
			while (p < j->end && *p != '"')
				p += *p == '\\' ? 2 : 1;
			if (p >= j->end)
				return js_fail(j, e, "the file ends inside a string");
			j->p = p + 1;
		} else if (skip_word(j, e) < 0) {
			return -1;
		}
	} while (depth);
	*extent = (struct str){ start, (size_t)(j->p - start) };
	return 0;
}
