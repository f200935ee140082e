/* jinja_str.c - strings as Python cuts them: by characters, lines, separators.
 *
 * Text is UTF-8; what Python counts in characters is counted in code points here, with a short way for ASCII. Lines end at
 * everything str.splitlines() knows (also U+000B, U+000C, U+001C-1E, U+0085, U+2028, U+2029), which is more than '\n'.
 */
#include "runners/text/jinja_int.h"

#include <stdlib.h>
#include <strings.h>


#include "runners/text/utf8.h"

bool str_ascii(struct str s)
{
	size_t i = 0;
	for (; i + 8 <= s.n; i += 8) {
		uint64_t w;
		memcpy(&w, s.p + i, 8);
		if (w & 0x8080808080808080ull)
			return false;
	}
	for (; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

size_t str_chars(struct str s)
{
	return str_ascii(s) ? s.n : utf8_len(s);
}

struct str str_sub(struct str s, int64_t from, int64_t to)
{
	from = from < 0 ? 0 : from;
	if (to <= from)
		return STR("");
	if (str_ascii(s)) {
		size_t a = (uint64_t)from < s.n ? (size_t)from : s.n, b = (uint64_t)to < s.n ? (size_t)to : s.n;
		return (struct str){ s.p + a, b - a };
	}
	size_t a = utf8_offset(s, (size_t)from);
	struct str rest = { s.p + a, s.n - a };
	rest.n = utf8_offset(rest, (size_t)(to - from));
	return rest;
}

static bool holds(struct str set, uint32_t cp)
{
	for (size_t i = 0; i < set.n;)
		if (utf8_next(set, &i) == cp)
			return true;
	return false;
}

struct str str_strip_chars(struct str s, struct str chars, bool left, bool right)
{
	size_t i = 0;
	while (left && i < s.n) {
		size_t k = i;
		if (!holds(chars, utf8_next(s, &k)))
			break;
		i = k;
	}
	s = (struct str){ s.p + i, s.n - i };
	while (right && s.n) {
		size_t k = s.n - 1, at;
		while (k > 0 && ((unsigned char)s.p[k] & 0xc0) == 0x80)
			k--;
		at = k;
		if (!holds(chars, utf8_next(s, &k)))
			break;
		s.n = at;
	}
	return s;
}

int jx_want_str(struct jx *x, struct value v, const char *what, struct str *out)
{
	if (v.type == V_UNDEFINED && !v_is_missing(v))
		return jx_undef_fail(x, v);
	if (v.type != V_STR)
		return jx_fail(x, "%s must be str, not %s", what, v_type_name(v));
	*out = v.s;
	return 0;
}

static bool is_line_end(uint32_t cp)
{
	return (cp >= 0x0a && cp <= 0x0d) || (cp >= 0x1c && cp <= 0x1e) || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
}

int str_split_lines(struct jx *x, struct str s, bool keep_ends, struct value *list)
{
	*list = v_list(x->a, 0);
	for (size_t i = 0, from = 0; i < s.n;) {
		size_t at = i;
		uint32_t cp = utf8_next(s, &i);
		bool end = is_line_end(cp);
		if (!end && i < s.n)
			continue;
		if (cp == '\r' && i < s.n && s.p[i] == '\n')
			i++;
		size_t to = !end || keep_ends ? i : at;
		if (jx_step(x, 1))
			return -1;
		v_push(x->a, *list, v_str((struct str){ s.p + from, to - from }));
		from = i;
	}
	return 0;
}

/* memmem takes linear time. From behind each place is tried, and those where a long text begins alike count as steps. */
int str_find(struct jx *x, struct str s, struct str sub, bool last, const char **hit)
{
	*hit = NULL;
	if (sub.n > s.n)
		return 0;
	if (!sub.n) {
		*hit = last ? s.p + s.n : s.p;
		return 0;
	}
	if (!last) {
		*hit = sub.n == 1 ? memchr(s.p, *sub.p, s.n) : memmem(s.p, s.n, sub.p, sub.n);
		return 0;
	}
	for (size_t i = s.n - sub.n + 1; !*hit && i-- > 0;) {
		if (s.p[i] != *sub.p)
			continue;
		if (jx_scans(x, sub.n))
			return -1;
		if (memcmp(s.p + i, sub.p, sub.n) == 0)
			*hit = s.p + i;
	}
	return 0;
}

int jx_replace(struct jx *x, struct str s, struct str old, struct str with, int64_t count, struct str *out)
{
	struct buf b = { 0 };
	size_t i = 0;
	if (count == 0) {
		*out = s;
		return 0;
	}
	while (count != 0) {
		const char *hit;
		if (str_find(x, (struct str){ s.p + i, s.n - i }, old, false, &hit) || !hit)
			break;
		buf_add(&b, s.p + i, (size_t)(hit - s.p) - i);
		buf_str(&b, with);
		i = (size_t)(hit - s.p) + old.n;
		count -= count > 0;
		if (!old.n) { /* between all characters */
			size_t k = i;
			if (k >= s.n)
				break;
			utf8_next(s, &k);
			buf_add(&b, s.p + i, k - i);
			i = k;
		}
		if (jx_step(x, 1) || jx_room(x, b.n, 1)) {
			buf_fini(&b);
			return -1;
		}
	}
	buf_add(&b, s.p + i, s.n - i);
	*out = jx_take(x, &b);
	return 0;
}

/* ---- split ---- */

static int split_space(struct jx *x, struct str s, int64_t max, bool right, struct value list)
{
	/* words from one end; past `max` of them the rest stays whole, without blanks at the end where cutting began */
	struct str rest = right ? str_rstrip(s) : str_lstrip(s);
	while (rest.n) {
		if (max >= 0 && (int64_t)list.list->n == max) {
			v_push(x->a, list, v_str(right ? str_rstrip(rest) : rest));
			return 0;
		}
		if (jx_step(x, 1))
			return -1;
		if (!right) {
			size_t i = 0, end = rest.n;
			while (i < rest.n) {
				size_t k = i;
				if (uni_is_space(utf8_next(rest, &k))) {
					end = i;
					break;
				}
				i = k;
			}
			v_push(x->a, list, v_str((struct str){ rest.p, end }));
			rest = str_lstrip((struct str){ rest.p + end, rest.n - end });
		} else {
			size_t from = rest.n;
			while (from > 0) {
				size_t k = from - 1, at;
				while (k > 0 && ((unsigned char)rest.p[k] & 0xc0) == 0x80)
					k--;
				at = k;
				if (uni_is_space(utf8_next(rest, &k)))
					break;
				from = at;
			}
			v_push(x->a, list, v_str((struct str){ rest.p + from, rest.n - from }));
			rest = str_rstrip((struct str){ rest.p, from });
		}
	}
	return 0;
}

static int split_on(struct jx *x, struct str s, struct str sep, int64_t max, bool right, struct value list)
{
	for (;;) {
		const char *hit = NULL;
		if ((max < 0 || (int64_t)list.list->n < max) && str_find(x, s, sep, right, &hit))
			return -1;
		if (jx_step(x, 1))
			return -1;
		if (!hit) {
			v_push(x->a, list, v_str(s));
			return 0;
		}
		size_t at = (size_t)(hit - s.p), behind = at + sep.n;
		v_push(x->a, list, v_str(right ? (struct str){ s.p + behind, s.n - behind } : (struct str){ s.p, at }));
		s = right ? (struct str){ s.p, at } : (struct str){ s.p + behind, s.n - behind };
	}
}

int jx_split(struct jx *x, struct str s, struct value sep, int64_t max, bool right, struct value *out)
{
	struct str by;
	int rc;
	*out = v_list(x->a, 0);
	if (v_is_missing(sep) || sep.type == V_NONE) {
		rc = split_space(x, s, max, right, *out);
	} else {
		if (jx_want_str(x, sep, "the separator", &by))
			return -1;
		if (!by.n)
			return jx_fail(x, "empty separator");
		rc = split_on(x, s, by, max, right, *out);
	}
	struct list *l = out->list;
	for (size_t i = 0; right && i < l->n / 2; i++) {
		struct value t = l->v[i];
		l->v[i] = l->v[l->n - 1 - i];
		l->v[l->n - 1 - i] = t;
	}
	return rc;
}

/* ---- numbers in text ---- */

/* The value of a decimal digit of any script, or -1: they come in runs of ten. */
static int decimal_digit(uint32_t cp)
{
	uint32_t first = cp;
	if (cp < 0x80)
		return cp >= '0' && cp <= '9' ? (int)cp - '0' : -1;
	if (!uni_is_decimal(cp))
		return -1;
	while (uni_is_decimal(first - 1))
		first--;
	return (int)((cp - first) % 10);
}

/* Digits of all scripts as ASCII, single underscores between digits left out. */
static struct str plain_number(struct str s, bool real, char *buf, size_t size, bool *bad)
{
	size_t n = 0;
	int before = 0; /* 'd': a digit or, in an integer, anything; '_' */
	*bad = s.n == 0 || s.n >= size;
	for (size_t i = 0; i < s.n && !*bad;) {
		uint32_t cp = utf8_next(s, &i);
		int d = decimal_digit(cp);
		if (cp == '_') {
			*bad = before != 'd';
			before = '_';
			continue;
		}
		*bad = (cp >= 0x80 && d < 0) || (real && before == '_' && d < 0);
		buf[n++] = (char)(d >= 0 ? '0' + d : (int)cp);
		before = d >= 0 || !real ? 'd' : 0;
	}
	*bad |= before == '_';
	buf[n] = 0;
	return (struct str){ buf, n };
}

int jx_parse_int(struct jx *x, struct str s, int base, int64_t *out, bool *big)
{
	char text[400];
	bool bad, negative = false;
	s = str_strip(s);
	*big = false;
	if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
		negative = s.p[0] == '-';
		s = (struct str){ s.p + 1, s.n - 1 };
	}
	if (s.n > 2 && s.p[0] == '0') {
		char mark = (char)(s.p[1] | 32);
		int b = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
		if (b && (base == b || base == 0)) {
			base = b;
			s = (struct str){ s.p + 2, s.n - 2 };
			if (s.n > 1 && s.p[0] == '_')
				s = (struct str){ s.p + 1, s.n - 1 };
		}
	}
	bool from_zero = base == 0;
	base = base ? base : 10;
	s = plain_number(s, false, text, sizeof text, &bad);
	if (bad || !s.n || (from_zero && s.n > 1 && s.p[0] == '0' && strspn(text, "0") != s.n))
		return 0;
	int64_t v = 0;
	for (size_t i = 0; i < s.n; i++) {
		int c = (unsigned char)s.p[i], d = c >= '0' && c <= '9'			? c - '0'
						   : (c | 32) >= 'a' && (c | 32) <= 'z' ? (c | 32) - 'a' + 10
											: 99;
		if (d >= base)
			return 0;
		*big |= __builtin_mul_overflow(v, base, &v) || __builtin_sub_overflow(v, d, &v);
	}
	*big |= !negative && v == INT64_MIN;
	*out = negative || *big ? v : -v;
	return 1;
}

bool jx_parse_float(struct str s, double *out)
{
	static const char *const words[] = { "inf", "infinity", "nan" };
	char text[800], *end;
	bool bad;
	s = plain_number(str_strip(s), true, text, sizeof text, &bad);
	if (bad || strlen(text) != s.n)
		return false;
	const char *p = text + (text[0] == '-' || text[0] == '+');
	for (int i = 0; i < 3; i++)
		if (strcasecmp(p, words[i]) == 0) {
			*out = strtod(text, NULL);
			return true;
		}
	if (!*p || strspn(p, "0123456789.eE+-") != strlen(p)) /* no hexadecimal floats, no "nan(...)" */
		return false;
	*out = strtod(text, &end);
	return *end == 0;
}
