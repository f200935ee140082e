/* pyrepr.c - Python's str(), repr() and ast.literal_eval() for values.
 *
 * repr(float) is the shortest text that reads back as the same double, written with an exponent when the first digit stands
 * at 10^16 or above or below 10^-4 (CPython's float_repr_style 'short'). "%.17g" always reads back, so the shortest of the
 * widths 1..17 that does is found by trying; the C library rounds correctly both ways.
 * repr(str) takes ' unless the text holds ' and no "; it escapes what str.isprintable() refuses.
 * literal_eval refuses what the values cannot hold: bytes, sets, complex numbers, integers beyond 64 bits.
 */
#include "runners/text/value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runners/text/utf8.h"

#define LITERAL_DEPTH 100

/* ---- floats ---- */

/* The next decimal up in size: one more in the last digit of "d.ddde-xx". A carry out of the first digit is not followed: no
 * caller needs it, as the text then would have been shorter. */
static void digit_up(char *text)
{
	char *p = strchr(text, 'e');
	while (p-- > text && *p == '9')
		*p = '0';
	if (p >= text && *p >= '0' && *p < '9')
		++*p;
	else if (p > text && *p == '.' && p[-1] < '9')
		++p[-1];
}

static bool power_of_two(double f)
{
	uint64_t bits;
	memcpy(&bits, &f, sizeof bits);
	return (bits & (((uint64_t)1 << 52) - 1)) == 0;
}

static void float_repr(char out[40], double f)
{
	if (isnan(f) || isinf(f)) {
		strcpy(out, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
		return;
	}
	char digits[40];
	/* 15 digits identify what was written with 15 or fewer, which then is this text without its trailing zeros; denormal
	 * numbers hold fewer digits, so all widths are tried there */
	int prec = fabs(f) < 2.3e-308 ? 1 : 15;
	for (; prec <= 17; prec++) {
		snprintf(digits, sizeof digits, "%.*e", prec - 1, f);
		if (strtod(digits, NULL) == f)
			break;
		if (!power_of_two(f))
			continue;
		digit_up(digits); /* the doubles above lie twice as far apart as those below: a decimal farther off may still be read as f */
		if (strtod(digits, NULL) == f)
			break;
	}
	char *e = strchr(digits, 'e');
	int exp = atoi(e + 1);
	const char *p = digits;
	char *o = out;
	if (*p == '-')
		*o++ = *p++;
	char d[20];
	int n = 0;
	for (; p < e; p++)
		if (*p != '.')
			d[n++] = *p;
	while (n > 1 && d[n - 1] == '0')
		n--;
	d[n] = 0;
	if (exp < -4 || exp >= 16) {
		*o++ = d[0];
		if (n > 1) {
			*o++ = '.';
			memcpy(o, d + 1, (size_t)n - 1);
			o += n - 1;
		}
		sprintf(o, "e%c%02d", exp < 0 ? '-' : '+', abs(exp));
	} else if (exp < 0) {
		o += sprintf(o, "0.");
		for (int i = -1; i > exp; i--)
			*o++ = '0';
		strcpy(o, d);
	} else {
		for (int i = 0; i <= exp || i < n; i++) {
			if (i == exp + 1)
				*o++ = '.';
			*o++ = i < n ? d[i] : '0';
		}
		strcpy(o, n <= exp + 1 ? ".0" : "");
	}
}

struct str v_float_repr(struct arena *a, double f)
{
	char text[40];
	float_repr(text, f);
	return arena_str(a, text, strlen(text));
}

/* ---- repr ---- */

static void escape(struct buf *out, uint32_t cp)
{
	if (cp == '\n')
		buf_puts(out, "\\n");
	else if (cp == '\r')
		buf_puts(out, "\\r");
	else if (cp == '\t')
		buf_puts(out, "\\t");
	else if (cp < 0x100)
		buf_printf(out, "\\x%02x", (unsigned)cp);
	else if (cp < 0x10000)
		buf_printf(out, "\\u%04x", (unsigned)cp);
	else
		buf_printf(out, "\\U%08x", (unsigned)cp);
}

static void repr_str(struct buf *out, struct str s)
{
	bool single = s.n && memchr(s.p, '\'', s.n), twice = s.n && memchr(s.p, '"', s.n);
	char quote = single && !twice ? '"' : '\'';
	buf_putc(out, quote);
	for (size_t i = 0; i < s.n;) {
		size_t from = i;
		uint32_t cp = utf8_next(s, &i);
		if (cp == (unsigned char)quote || cp == '\\') {
			buf_putc(out, '\\');
			buf_putc(out, (char)cp);
		} else if (uni_is_printable(cp)) {
			buf_add(out, s.p + from, i - from);
		} else {
			escape(out, cp);
		}
	}
	buf_putc(out, quote);
}

static void repr_items(struct buf *out, const struct list *l, struct vwalk *w)
{
	for (size_t i = 0; i < l->n && !w->over; i++) {
		if (i)
			buf_puts(out, ", ");
		v_write_repr(out, l->v[i], w);
	}
}

static void repr_pairs(struct buf *out, const struct dict *d, struct vwalk *w)
{
	for (size_t i = 0; i < d->n && !w->over; i++) {
		if (i)
			buf_puts(out, ", ");
		v_write_repr(out, d->v[i].key, w);
		buf_puts(out, ": ");
		v_write_repr(out, d->v[i].val, w);
	}
}

void v_write_repr(struct buf *out, struct value v, struct vwalk *w)
{
	char text[40];
	if (!v_walk_in(w, v.type == V_STR ? v.s.n : 0)) {
		buf_puts(out, "...");
		return;
	}
	switch (v.type) {
	case V_UNDEFINED:
		buf_puts(out, "Undefined");
		break;
	case V_NONE:
		buf_puts(out, "None");
		break;
	case V_BOOL:
		buf_puts(out, v.b ? "True" : "False");
		break;
	case V_INT:
		buf_printf(out, "%lld", (long long)v.i);
		break;
	case V_FLOAT:
		float_repr(text, v.f);
		buf_puts(out, text);
		break;
	case V_STR:
		if (v.safe)
			buf_puts(out, "Markup(");
		repr_str(out, v.s);
		if (v.safe)
			buf_putc(out, ')');
		break;
	case V_LIST:
		buf_putc(out, '[');
		repr_items(out, v.list, w);
		buf_putc(out, ']');
		break;
	case V_TUPLE:
		buf_putc(out, '(');
		repr_items(out, v.list, w);
		buf_puts(out, v.list->n == 1 ? ",)" : ")");
		break;
	case V_DICT:
		buf_putc(out, '{');
		repr_pairs(out, v.dict, w);
		buf_putc(out, '}');
		break;
	case V_OBJECT:
		((const struct vobject *)v.obj)->type->repr(out, v.obj, w);
		break;
	}
	w->depth++;
}

struct str v_repr(struct arena *a, struct value v)
{
	struct buf b = { 0 };
	v_write_repr(&b, v, &(struct vwalk){ .left = 256u << 20, .depth = VWALK_DEPTH });
	struct str s = arena_str(a, b.p ? b.p : "", b.n);
	buf_fini(&b);
	return s;
}

struct str v_text(struct arena *a, struct value v)
{
	if (v.type == V_STR)
		return v.s;
	if (v.type == V_UNDEFINED)
		return STR("");
	if (v.type == V_INT)
		return arena_printf(a, "%lld", (long long)v.i);
	return v_repr(a, v);
}

/* ---- ast.literal_eval ---- */

struct reader {
	struct arena *a;
	struct str s;
	size_t i;
	int depth;    /* of brackets: newlines count as space inside them */
	struct err *e;
};

static int bad(struct reader *r, const char *what)
{
	return err_set(r->e, E_FORMAT, "not a Python literal: %s at character %zu", what,
		utf8_len((struct str){ r->s.p, r->i }) + 1);
}

static int peek(const struct reader *r, size_t ahead)
{
	return r->i + ahead < r->s.n ? (unsigned char)r->s.p[r->i + ahead] : -1;
}

static void space(struct reader *r)
{
	for (int c; (c = peek(r, 0)) >= 0;) {
		if (c == '#')
			while (peek(r, 0) >= 0 && peek(r, 0) != '\n')
				r->i++;
		else if (c == ' ' || c == '\t' || c == '\f' || (r->depth && (c == '\n' || c == '\r')))
			r->i++;
		else if (c == '\\' && peek(r, 1) == '\n')
			r->i += 2;
		else
			break;
	}
}

static bool is_digit(int c, int base)
{
	int d = c >= '0' && c <= '9'   ? c - '0'
		: c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10
				       : 99;
	return d < base;
}

static bool is_word(int c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

/* Digits with single underscores between them, copied without the underscores. */
static int digits(struct reader *r, struct buf *b, int base)
{
	if (!is_digit(peek(r, 0), base))
		return -1;
	while (is_digit(peek(r, 0), base) || (peek(r, 0) == '_' && is_digit(peek(r, 1), base))) {
		if (peek(r, 0) != '_')
			buf_putc(b, r->s.p[r->i]);
		r->i++;
	}
	return 0;
}

static int number_text(struct reader *r, struct buf *b, bool *real)
{
	*real = false;
	if (peek(r, 0) != '.' && digits(r, b, 10))
		return bad(r, "a number was expected");
	if (peek(r, 0) == '.') {
		*real = true;
		buf_putc(b, '.');
		r->i++;
		if (digits(r, b, 10) && b->n == 1)
			return bad(r, "a number was expected");
	}
	int sign = peek(r, 1) == '+' || peek(r, 1) == '-';
	if ((peek(r, 0) == 'e' || peek(r, 0) == 'E') && is_digit(peek(r, 1 + (size_t)sign), 10)) {
		*real = true;
		buf_add(b, r->s.p + r->i, 1 + (size_t)sign);
		r->i += 1 + (size_t)sign;
		digits(r, b, 10);
	}
	return 0;
}

static int number(struct reader *r, bool negative, struct value *out)
{
	struct buf b = { 0 };
	int base = 10, rc = 0, c = peek(r, 1) | 32;
	bool real = false;
	if (negative)
		buf_putc(&b, '-');
	if (peek(r, 0) == '0' && (c == 'x' || c == 'o' || c == 'b')) {
		base = c == 'x' ? 16 : c == 'o' ? 8 : 2;
		r->i += 2;
		r->i += peek(r, 0) == '_';
		rc = digits(r, &b, base) ? bad(r, "a digit was expected") : 0;
	} else {
		struct buf t = { 0 };
		rc = number_text(r, &t, &real);
		if (!rc && !real && t.p[0] == '0' && strspn(t.p, "0") != t.n)
			rc = bad(r, "an integer with leading zeros");
		if (!rc)
			buf_add(&b, t.p, t.n);
		buf_fini(&t);
	}
	if (!rc && is_word(peek(r, 0)))
		rc = bad(r, "a letter behind a number");
	if (!rc && real) {
		*out = v_float(strtod(b.p, NULL));
	} else if (!rc) {
		errno = 0;
		*out = v_int(strtoll(b.p, NULL, base));
		if (errno)
			rc = bad(r, "an integer beyond 64 bits");
	}
	buf_fini(&b);
	return rc;
}

/* One escape behind a backslash at r->i. Unknown ones keep their backslash, as in Python. */
static int string_escape(struct reader *r, struct buf *b)
{
	static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
	int c = peek(r, 0), n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	const char *known = c > 0 ? strchr(from, c) : NULL;
	uint32_t cp = 0;
	char utf8[4];
	if (c == '\n') {
		r->i++;
	} else if (known) {
		buf_putc(b, to[known - from]);
		r->i++;
	} else if (n) {
		r->i++;
		for (int k = 0; k < n; k++, r->i++) {
			int d = peek(r, 0);
			if (!is_digit(d, 16))
				return bad(r, "a truncated escape");
			cp = cp << 4 | (uint32_t)(d <= '9' ? d - '0' : (d | 32) - 'a' + 10);
		}
		if (cp > 0x10ffff)
			return bad(r, "an escape beyond Unicode");
		buf_add(b, utf8, utf8_put(cp, utf8));
	} else if (is_digit(c, 8)) {
		for (int k = 0; k < 3 && is_digit(peek(r, 0), 8); k++, r->i++)
			cp = cp * 8 + (uint32_t)(peek(r, 0) - '0');
		buf_add(b, utf8, utf8_put(cp, utf8));
	} else if (c == 'N') {
		return bad(r, "a \\N{...} escape, which is not known here");
	} else {
		buf_putc(b, '\\');
	}
	return 0;
}

static int string_part(struct reader *r, struct buf *b, bool raw)
{
	int quote = peek(r, 0);
	bool triple = peek(r, 1) == quote && peek(r, 2) == quote;
	r->i += triple ? 3 : 1;
	for (int c; (c = peek(r, 0)) >= 0;) {
		if (c == quote && (!triple || (peek(r, 1) == quote && peek(r, 2) == quote))) {
			r->i += triple ? 3 : 1;
			return 0;
		}
		if (c == '\n' && !triple)
			break;
		if (c == 0)
			return bad(r, "a NUL byte");
		r->i++;
		if (c != '\\') {
			buf_putc(b, (char)c);
		} else if (raw) {
			buf_putc(b, '\\');
			if (peek(r, 0) >= 0) {
				buf_putc(b, r->s.p[r->i]);
				r->i++;
			}
		} else if (string_escape(r, b)) {
			return -1;
		}
	}
	return bad(r, "an unterminated string");
}

/* Where a string starts here: the length of its prefix, or -1. */
static int string_prefix(const struct reader *r)
{
	int n = 0;
	while (n < 2 && peek(r, (size_t)n) > 0 && strchr("rRuUbBfF", peek(r, (size_t)n)))
		n++;
	int c = peek(r, (size_t)n);
	return c == '\'' || c == '"' ? n : -1;
}

static int string(struct reader *r, struct value *out)
{
	struct buf b = { 0 };
	int rc = 0;
	for (int n; !rc && (n = string_prefix(r)) >= 0; space(r)) {
		bool raw = false, other = n == 2;
		for (int k = 0; k < n; k++) {
			int c = peek(r, (size_t)k) | 32;
			raw |= c == 'r';
			other |= c == 'b' || c == 'f';
		}
		if (other) {
			rc = bad(r, "bytes and formatted strings are not known here");
			break;
		}
		r->i += (size_t)n;
		rc = string_part(r, &b, raw);
	}
	if (!rc)
		*out = v_str(arena_str(r->a, b.p ? b.p : "", b.n));
	buf_fini(&b);
	return rc;
}

static int literal(struct reader *r, struct value *out);

static int open_bracket(struct reader *r)
{
	if (r->depth >= LITERAL_DEPTH)
		return bad(r, "too many nested brackets");
	r->depth++;
	r->i++;
	space(r);
	return 0;
}

/* Items up to `close`; *commas counts the commas so that "(1)" can be told from "(1,)". */
static int items(struct reader *r, int close, struct value list, size_t *commas)
{
	if (open_bracket(r))
		return -1;
	*commas = 0;
	while (peek(r, 0) != close) {
		struct value v;
		if (literal(r, &v))
			return -1;
		v_push(r->a, list, v);
		space(r);
		if (peek(r, 0) == ',') {
			++*commas;
			r->i++;
			space(r);
		} else if (peek(r, 0) != close) {
			return bad(r, peek(r, 0) < 0 ? "a bracket is never closed"
						     : "',' or a closing bracket was expected");
		}
	}
	r->i++;
	r->depth--;
	return 0;
}

static int dict(struct reader *r, struct value *out)
{
	*out = v_dict(r->a);
	if (open_bracket(r))
		return -1;
	while (peek(r, 0) != '}') {
		struct value k, v;
		if (literal(r, &k))
			return -1;
		if (!v_hashable(k))
			return bad(r, "a list or dict as key");
		space(r);
		if (peek(r, 0) != ':')
			return bad(r, peek(r, 0) == ',' || peek(r, 0) == '}' ? "sets are not known here"
									     : "':' was expected");
		r->i++;
		space(r);
		if (literal(r, &v))
			return -1;
		v_set_key(r->a, *out, k, v);
		space(r);
		if (peek(r, 0) == ',') {
			r->i++;
			space(r);
		} else if (peek(r, 0) != '}') {
			return bad(r, peek(r, 0) < 0 ? "a bracket is never closed" : "',' or '}' was expected");
		}
	}
	r->i++;
	r->depth--;
	return 0;
}

static int word(struct reader *r, struct value *out)
{
	size_t n = 0;
	while (is_word(peek(r, n)))
		n++;
	struct str w = { r->s.p + r->i, n };
	if (str_is(w, "True") || str_is(w, "False"))
		*out = v_bool(str_is(w, "True"));
	else if (str_is(w, "None"))
		*out = VNONE;
	else
		return bad(r, n ? "an unknown word" : peek(r, 0) < 0 ? "it ends too early" : "an unexpected character");
	r->i += n;
	return 0;
}

static int literal(struct reader *r, struct value *out)
{
	int c = peek(r, 0);
	size_t commas;
	if (c == '-' || c == '+') {
		r->i++;
		space(r);
		int d = peek(r, 0);
		if (!is_digit(d, 10) && d != '.')
			return bad(r, "a number was expected");
		return number(r, c == '-', out);
	}
	if (is_digit(c, 10) || (c == '.' && is_digit(peek(r, 1), 10)))
		return number(r, false, out);
	if (string_prefix(r) >= 0)
		return string(r, out);
	if (c == '[') {
		*out = v_list(r->a, 0);
		return items(r, ']', *out, &commas);
	}
	if (c == '(') {
		struct value t = v_tuple(r->a, 0);
		if (items(r, ')', t, &commas))
			return -1;
		*out = t.list->n == 1 && !commas ? t.list->v[0] : t;
		return 0;
	}
	if (c == '{')
		return dict(r, out);
	return word(r, out);
}

/* "1, 2" without brackets is a tuple too. */
static int top(struct reader *r, struct value *out)
{
	if (literal(r, out))
		return -1;
	space(r);
	if (peek(r, 0) != ',')
		return 0;
	struct value t = v_tuple(r->a, 0);
	v_push(r->a, t, *out);
	*out = t;
	while (peek(r, 0) == ',') {
		struct value v;
		r->i++;
		space(r);
		if (peek(r, 0) < 0 || peek(r, 0) == '\n')
			break;
		if (literal(r, &v))
			return -1;
		v_push(r->a, t, v);
		space(r);
	}
	return 0;
}

int v_literal(struct arena *a, struct str s, struct value *out, struct err *e)
{
	struct reader r = { .a = a, .s = s, .e = e, .depth = 1 };
	space(&r); /* blank lines may stand in front */
	r.depth = 0;
	if (top(&r, out))
		return -1;
	r.depth = 1;
	space(&r);
	if (r.i < s.n)
		return bad(&r, "something behind the literal");
	return 0;
}
