/* jinja_format.c - Python's two string formatters: "%s" % x and "{}".format(x).
 *
 * % knows flags, width and precision (also *), mapping keys and the conversions d i u o x X e E f F g G c r s a %.
 * format knows automatic and explicit fields, attributes and items in them, !r !s !a, nested specs, and the format
 * mini-language of str, int and float: fill, align, sign, z, #, 0, width, grouping, precision, type ('n' as in the C
 * locale). Floats are printed by the C library, which rounds correctly as Python does.
 *
 * In the chat environment, and for Markup in both, format() is Python's string.Formatter with jinja2's own look-up of
 * attributes: a field that is missing is an undefined value, "{0[1]}" may follow "{}", and a spec may nest once more. Else
 * it is str.format, whose fields fail when they are missing.
 */
#include "runners/text/jinja_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "runners/text/utf8.h"

#define MAX_PRECISION 10000

/* repr() with everything outside ASCII escaped. */
static int ascii_repr(struct jx *x, struct value v, struct str *out)
{
	struct buf b = { 0 };
	struct str s;
	if (jx_repr(x, v, &s))
		return -1;
	for (size_t i = 0; i < s.n;) {
		size_t from = i;
		uint32_t cp = utf8_next(s, &i);
		if (cp < 0x80)
			buf_add(&b, s.p + from, 1);
		else
			buf_printf(&b, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)cp);
	}
	*out = jx_take(x, &b);
	return 0;
}

/* ---- shared: digits of numbers ---- */

static void digits_of(struct buf *b, uint64_t u, unsigned base, bool upper)
{
	char text[65], *p = text + sizeof text;
	const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	do {
		*--p = set[u % base];
		u /= base;
	} while (u);
	buf_add(b, p, (size_t)(text + sizeof text - p));
}

static void add_fill(struct buf *b, struct str fill, size_t n)
{
	for (; n; n--)
		buf_str(b, fill);
}

/* ---- % ---- */

struct percent {
	struct jx *x;
	struct value arg;
	size_t used;       /* of a tuple */
	bool mapping, single_used, safe;
	struct buf out;
};

struct spec {
	bool minus, plus, blank, zero, alt;
	int64_t width, precision; /* precision -1: none */
	char type;
};

static int next_arg(struct percent *p, struct value *out)
{
	if (p->arg.type == V_TUPLE) {
		if (p->used >= p->arg.list->n)
			return jx_fail(p->x, "not enough arguments for format string");
		*out = p->arg.list->v[p->used++];
		return 0;
	}
	if (p->single_used)
		return jx_fail(p->x, "not enough arguments for format string");
	p->single_used = true;
	*out = p->arg;
	return 0;
}

static int read_number(struct percent *p, struct str f, size_t *i, int64_t *out)
{
	struct value v;
	*out = 0;
	if (*i < f.n && f.p[*i] == '*') {
		++*i;
		if (next_arg(p, &v))
			return -1;
		if (v.type != V_INT && v.type != V_BOOL)
			return jx_fail(p->x, "* wants int");
		return jx_int(p->x, v, NULL, out);
	}
	for (; *i < f.n && f.p[*i] >= '0' && f.p[*i] <= '9'; ++*i) {
		*out = *out * 10 + (f.p[*i] - '0');
		if (*out > INT32_MAX)
			return jx_fail(p->x, "width too big");
	}
	return 0;
}

/* Adds sign and body padded to the width. */
static int add_padded(struct percent *p, const struct spec *s, const char *prefix, struct str body, bool number)
{
	size_t n = strlen(prefix) + str_chars(body), w = s->width > 0 ? (size_t)s->width : 0, fill = w > n ? w - n : 0;
	if (jx_room(p->x, p->out.n + fill + body.n, 1))
		return -1;
	if (fill && !s->minus && !(s->zero && number))
		add_fill(&p->out, STR(" "), fill);
	buf_puts(&p->out, prefix);
	if (fill && !s->minus && s->zero && number)
		add_fill(&p->out, STR("0"), fill);
	buf_str(&p->out, body);
	if (fill && s->minus)
		add_fill(&p->out, STR(" "), fill);
	return 0;
}

static int percent_int(struct percent *p, const struct spec *s, struct value v)
{
	struct buf b = { 0 };
	char prefix[8] = "";
	int64_t i;
	bool dec = strchr("diu", s->type) != NULL;
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(p->x, v);
	if (v.type == V_FLOAT && dec) {
		if (isnan(v.f) || isinf(v.f))
			return jx_fail(p->x, "cannot convert float %s to integer", isnan(v.f) ? "NaN" : "infinity");
		if (v.f >= 9223372036854775808.0 || v.f < -9223372036854775808.0)
			return jx_fail(p->x, "the integer does not fit 64 bits");
		i = (int64_t)v.f;
	} else if (v.type == V_INT || v.type == V_BOOL) {
		i = v.type == V_INT ? v.i : v.b;
	} else {
		return jx_fail(p->x,
			       dec ? "%%%c format: a real number is required, not %s"
				   : "%%%c format: an integer is required, not %s",
			       s->type, v_type_name(v));
	}
	char *q = prefix;
	if (i < 0 || s->plus || s->blank)
		*q++ = i < 0 ? '-' : s->plus ? '+' : ' ';
	if (s->alt && !dec) {
		*q++ = '0';
		*q++ = s->type;
	}
	*q = 0;
	digits_of(&b, i < 0 ? 0 - (uint64_t)i : (uint64_t)i, dec ? 10 : s->type == 'o' ? 8 : 16, s->type == 'X');
	struct str body = { b.p, b.n };
	if (s->precision > (int64_t)b.n) {
		struct buf z = { 0 };
		if (jx_room(p->x, (size_t)s->precision, 1)) {
			buf_fini(&b);
			return -1;
		}
		add_fill(&z, STR("0"), (size_t)s->precision - b.n);
		buf_str(&z, body);
		buf_fini(&b);
		b = z;
		body = (struct str){ b.p, b.n };
	}
	int rc = add_padded(p, s, prefix, body, true);
	buf_fini(&b);
	return rc;
}

static int percent_float(struct percent *p, const struct spec *s, struct value v)
{
	char fmt[8], *text;
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(p->x, v);
	if (!v_is_num(v))
		return jx_fail(p->x, "must be real number, not %s", v_type_name(v));
	double f = v.type == V_FLOAT ? v.f : v.type == V_INT ? (double)v.i : v.b;
	int precision = s->precision < 0 ? 6 : (int)s->precision;
	if (s->precision > MAX_PRECISION)
		return jx_limit(p->x, "a precision of more than %d digits", MAX_PRECISION);
	snprintf(fmt, sizeof fmt, s->alt ? "%%#.*%c" : "%%.*%c", s->type);
	char sign[2] = { signbit(f) && !isnan(f) ? '-' : s->plus ? '+' : s->blank ? ' ' : 0, 0 };
	size_t size = (size_t)precision + 400;
	text = arena_alloc(p->x->a, size);
	int n = snprintf(text, size, fmt, precision, fabs(f));
	return add_padded(p, s, sign, (struct str){ text, (size_t)n }, true);
}

static int percent_text(struct percent *p, const struct spec *s, struct value v)
{
	struct str t;
	if (s->type == 's' ? jx_text(p->x, v, &t) : s->type == 'r' ? jx_repr(p->x, v, &t) : ascii_repr(p->x, v, &t))
		return -1;
	if (p->safe && !(v.type == V_STR && v.safe))
		t = jx_escape(p->x, t);
	if (s->precision >= 0) {
		if (jx_scans(p->x, t.n))
			return -1;
		t = str_sub(t, 0, s->precision);
	}
	return add_padded(p, s, "", t, false);
}

static int percent_char(struct percent *p, const struct spec *s, struct value v)
{
	char utf8[4];
	if (v.type == V_STR && str_chars(v.s) == 1)
		return add_padded(p, s, "", v.s, false);
	if (v.type != V_INT && v.type != V_BOOL)
		return jx_fail(p->x, "%%c requires int or char");
	int64_t i = v.type == V_INT ? v.i : v.b;
	if (i < 0 || i > 0x10ffff)
		return jx_fail(p->x, "%%c arg not in range(0x110000)");
	return add_padded(p, s, "", (struct str){ utf8, utf8_put((uint32_t)i, utf8) }, false);
}

static int percent_one(struct percent *p, struct str f, size_t *i)
{
	struct spec s = { .precision = -1 };
	struct value v = VMISSING;
	if (*i < f.n && f.p[*i] == '%') {
		buf_putc(&p->out, '%');
		++*i;
		return 0;
	}
	if (*i < f.n && f.p[*i] == '(') {
		size_t from = ++*i, depth = 1;
		for (; *i < f.n && depth; ++*i)
			depth += f.p[*i] == '(' ? 1 : f.p[*i] == ')' ? (size_t)-1 : 0;
		if (depth)
			return jx_fail(p->x, "incomplete format key");
		if (!p->mapping)
			return jx_fail(p->x, "format requires a mapping");
		bool found;
		struct value key = v_str((struct str){ f.p + from, *i - 1 - from });
		if (jx_subscript(p->x, p->arg, key, &v, &found))
			return -1;
		p->single_used = true;
		if (!found)
			return jx_fail(p->x, "KeyError: '%.*s'", (int)key.s.n, key.s.p);
	}
	for (; *i < f.n; ++*i) {
		char c = f.p[*i];
		if (c == '-') s.minus = true;
		else if (c == '+') s.plus = true;
		else if (c == ' ') s.blank = true;
		else if (c == '0') s.zero = true;
		else if (c == '#') s.alt = true;
		else break;
	}
	if (read_number(p, f, i, &s.width))
		return -1;
	if (s.width < 0) {
		s.minus = true;
		s.width = s.width == INT64_MIN ? INT64_MAX : -s.width;
	}
	if (*i < f.n && f.p[*i] == '.') {
		++*i;
		if (read_number(p, f, i, &s.precision))
			return -1;
		if (s.precision > INT32_MAX || s.precision < INT32_MIN)
			return jx_fail(p->x, "precision too big");
		s.precision = s.precision < 0 ? 0 : s.precision;
	}
	while (*i < f.n && (f.p[*i] == 'h' || f.p[*i] == 'l' || f.p[*i] == 'L'))
		++*i;
	if (*i >= f.n)
		return jx_fail(p->x, "incomplete format");
	s.type = f.p[(*i)++];
	if (!s.type || !strchr("diuoxXeEfFgGcrsa", s.type))
		return jx_fail(p->x, "unsupported format character '%c' at index %zu", s.type, *i - 1);
	if (v_is_missing(v) && next_arg(p, &v))
		return -1;
	if (strchr("diuoxX", s.type))
		return percent_int(p, &s, v);
	if (strchr("eEfFgG", s.type))
		return percent_float(p, &s, v);
	return s.type == 'c' ? percent_char(p, &s, v) : percent_text(p, &s, v);
}

int jx_format_percent(struct jx *x, struct str f, struct value arg, bool safe, struct value *out)
{
	/* Python takes everything with items, except tuples and strings, for a mapping */
	bool mapping =
		arg.type == V_DICT || arg.type == V_LIST || arg.type == V_UNDEFINED || jx_is(arg, &jinja_range_type);
	struct percent p = { .x = x, .arg = arg, .mapping = mapping, .safe = safe };
	for (size_t i = 0; i < f.n;) {
		const char *hit = memchr(f.p + i, '%', f.n - i);
		size_t k = hit ? (size_t)(hit - f.p) : f.n;
		buf_add(&p.out, f.p + i, k - i);
		i = k + 1;
		if (hit && (jx_step(x, 1) || percent_one(&p, f, &i))) {
			buf_fini(&p.out);
			return -1;
		}
	}
	if (arg.type == V_TUPLE ? p.used < arg.list->n : !p.single_used && !mapping) {
		buf_fini(&p.out);
		return jx_fail(x, "not all arguments converted during string formatting");
	}
	*out = jx_str(x, &p.out);
	out->safe = safe;
	return 0;
}

/* ---- the mini-language of format ---- */

struct mini {
	struct str fill;
	char align, sign, group, type; /* 0: not given */
	bool alt, zero, positive; /* z: no negative zero */
	int64_t width, precision;      /* -1: not given */
};

static int mini_parse(struct jx *x, struct str s, bool number, struct mini *m)
{
	size_t i = 0, k = 0;
	bool filled = false;
	*m = (struct mini){ .fill = STR(" "), .width = -1, .precision = -1 };
	if (s.n) {
		utf8_next(s, &k);
		if (k < s.n && s.p[k] && strchr("<>=^", s.p[k])) {
			m->fill = (struct str){ s.p, k };
			filled = true;
			m->align = s.p[k];
			i = k + 1;
		} else if (strchr("<>=^", s.p[0])) {
			m->align = s.p[0];
			i = 1;
		}
	}
	if (i < s.n && s.p[i] && strchr("+- ", s.p[i]))
		m->sign = s.p[i++];
	if (i < s.n && s.p[i] == 'z') {
		m->positive = true;
		i++;
	}
	if (i < s.n && s.p[i] == '#') {
		m->alt = true;
		i++;
	}
	if (i < s.n && s.p[i] == '0' && !filled) {
		m->zero = true;
		i++;
		m->fill = STR("0");
		if (!m->align && number)
			m->align = '=';
	}
	for (int part = 0; part < 2; part++) {
		int64_t *n = part ? &m->precision : &m->width;
		if (part) {
			if (i < s.n && (s.p[i] == ',' || s.p[i] == '_'))
				m->group = s.p[i++];
			if (i >= s.n || s.p[i] != '.')
				break;
			i++;
			if (i >= s.n || s.p[i] < '0' || s.p[i] > '9')
				return jx_fail(x, "Format specifier missing precision");
		}
		for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
			*n = (*n < 0 ? 0 : *n) * 10 + (s.p[i] - '0');
			if (*n > INT64_MAX / 100)
				return jx_fail(x, "Too many decimal digits in format string");
		}
	}
	if (i < s.n)
		m->type = s.p[i++];
	if (i < s.n)
		return jx_fail(x, "Invalid format specifier");
	if (m->group && m->type && !strchr(m->group == ',' ? "deEfFgG%" : "deEfFgG%boxX", m->type))
		return jx_fail(x, "Cannot specify '%c' with '%c'.", m->group, m->type);
	return 0;
}

static int mini_pad(struct jx *x, const struct mini *m, char align, struct str prefix, struct str body, struct str *out)
{
	size_t n = str_chars(prefix) + str_chars(body), w = m->width > 0 ? (size_t)m->width : 0,
	       fill = w > n ? w - n : 0;
	struct buf b = { 0 };
	align = m->align ? m->align : align;
	if (jx_room(x, fill, m->fill.n))
		return -1;
	size_t left = align == '>' ? fill : align == '^' ? fill / 2 : 0;
	add_fill(&b, m->fill, left);
	buf_str(&b, prefix);
	add_fill(&b, m->fill, align == '=' ? fill : 0);
	buf_str(&b, body);
	add_fill(&b, m->fill, align == '=' ? 0 : fill - left);
	*out = jx_take(x, &b);
	return 0;
}

static int bad_type(struct jx *x, const struct mini *m, const char *type)
{
	return jx_fail(x, "Unknown format code '%c' for object of type '%s'", m->type, type);
}

static int format_text(struct jx *x, const struct mini *m, struct str s, struct str *out)
{
	if (m->type && m->type != 's')
		return bad_type(x, m, "str");
	if (m->positive)
		return jx_fail(x, "Negative zero coercion (z) not allowed in string format specifier");
	if (m->sign || m->alt || m->group || m->align == '=')
		return jx_fail(x, m->sign    ? "Sign not allowed in string format specifier"
				  : m->alt   ? "Alternate form (#) not allowed in string format specifier"
				  : m->group ? "Cannot specify ',' with 's'."
					     : "'=' alignment not allowed in string format specifier");
	if (m->precision >= 0) {
		if (jx_scans(x, s.n))
			return -1;
		s = str_sub(s, 0, m->precision);
	}
	return mini_pad(x, m, '<', STR(""), s, out);
}

/* Groups the digits in front of a point, exponent or % by three (four for b, o, x); zeros fill up to the width. */
static struct str group_digits(struct jx *x, const struct mini *m, struct str body, size_t prefix)
{
	size_t n = 0, size = m->type && strchr("boxX", m->type) ? 4 : 3;
	struct buf digits = { 0 }, b = { 0 };
	while (n < body.n && ((body.p[n] >= '0' && body.p[n] <= '9') || (size == 4 && body.p[n] >= 'A')))
		n++;
	bool pad = m->align == '=' && str_is(m->fill, "0");
	size_t want = pad && m->width > (int64_t)(prefix + body.n - n) ? (size_t)m->width - prefix - (body.n - n) : 0,
	       zeros = 0;
	while (want && n + zeros + (m->group ? (n + zeros - 1) / size : 0) < want)
		zeros++;
	add_fill(&digits, STR("0"), zeros);
	buf_add(&digits, body.p, n);
	for (size_t i = 0; i < digits.n; i++) {
		if (m->group && i && (digits.n - i) % size == 0)
			buf_putc(&b, m->group);
		buf_putc(&b, digits.p[i]);
	}
	buf_add(&b, body.p + n, body.n - n);
	buf_fini(&digits);
	return jx_take(x, &b);
}

static int format_float(struct jx *x, const struct mini *m, double f, struct str *out)
{
	char fmt[8], sign[2] = { signbit(f) && !isnan(f) ? '-' : m->sign == '+' || m->sign == ' ' ? m->sign : 0, 0 };
	double g = fabs(f);
	int precision = m->precision < 0 ? 6 : (int)m->precision;
	char type = m->type == 'n' ? 'g' : m->type ? m->type : 'r', *text;
	size_t size = (size_t)precision + 400;
	if (m->precision > MAX_PRECISION)
		return jx_limit(x, "a precision of more than %d digits", MAX_PRECISION);
	if (m->type == 'r' || !strchr("eEfFgG%r", type))
		return bad_type(x, m, "float");
	text = arena_alloc(x->a, size);
	if (type == '%')
		snprintf(text, size, "%.*f%%", precision, g * 100);
	else if (type == 'r' && m->precision < 0)
		snprintf(text, size, "%s", v_float_repr(x->a, g).p);
	else if (type == 'r') { /* 'g' that switches to an exponent one digit earlier and always shows a fraction */
		precision = precision ? precision : 1;
		snprintf(text, size, "%.*e", precision - 1, g);
		char *e = strchr(text, 'e'), *p = e ? e : text + strlen(text);
		int exp = e ? atoi(e + 1) : 0;
		if (exp >= -4 && exp < precision - 1) {
			snprintf(text, size, m->alt ? "%#.*g" : "%.*g", precision, g);
			if (!strpbrk(text, ".en"))
				strcat(text, ".0");
		} else if (!m->alt && memchr(text, '.', (size_t)(p - text))) {
			while (p[-1] == '0')
				p--;
			p -= p[-1] == '.';
			if (e)
				memmove(p, e, strlen(e) + 1);
		}
	} else {
		snprintf(fmt, sizeof fmt, m->alt ? "%%#.*%c" : "%%.*%c", type);
		snprintf(text, size, fmt, precision, g);
	}
	char *tail = strchr(text, 'e');
	if (m->alt && type == 'r' && tail && !memchr(text, '.', (size_t)(tail - text))) {
		memmove(tail + 1, tail, strlen(tail) + 1);
		*tail = '.';
	}
	if (m->positive && sign[0] == '-' && strspn(text, "0.%") == strcspn(text, "eE") && !isinf(f))
		sign[0] = m->sign == '+' || m->sign == ' ' ? m->sign : 0;
	if (isnan(f) || isinf(f))
		return mini_pad(x, m, '>', str_of(sign), str_of(text), out);
	return mini_pad(x, m, '>', str_of(sign), group_digits(x, m, str_of(text), strlen(sign)), out);
}

static int format_int(struct jx *x, const struct mini *m, int64_t i, struct str *out)
{
	struct buf b = { 0 };
	char prefix[8], *q = prefix, utf8[4], type = m->type ? m->type : 'd';
	if (strchr("eEfFgG%", type))
		return format_float(x, m, (double)i, out);
	type = type == 'n' ? 'd' : type;
	if (m->precision >= 0 || m->positive)
		return jx_fail(x, "%s not allowed in integer format specifier", m->positive ? "Negative zero coercion (z)" : "Precision");
	if (type == 'c') {
		if (m->sign || m->alt)
			return jx_fail(x, "%s not allowed with integer format specifier 'c'", m->sign ? "Sign" : "Alternate form (#)");
		if (i < 0 || i > 0x10ffff)
			return jx_fail(x, "%%c arg not in range(0x110000)");
		return mini_pad(x, m, '<', STR(""), (struct str){ utf8, utf8_put((uint32_t)i, utf8) }, out);
	}
	if (!strchr("dboxX", type))
		return bad_type(x, m, "int");
	if (i < 0 || m->sign == '+' || m->sign == ' ')
		*q++ = i < 0 ? '-' : m->sign;
	if (m->alt && type != 'd') {
		*q++ = '0';
		*q++ = type;
	}
	*q = 0;
	digits_of(&b, i < 0 ? 0 - (uint64_t)i : (uint64_t)i,
		  type == 'd'	? 10
		  : type == 'b' ? 2
		  : type == 'o' ? 8
				: 16,
		  type == 'X');
	struct str body = jx_take(x, &b);
	return mini_pad(x, m, '>', str_of(prefix), group_digits(x, m, body, strlen(prefix)), out);
}

static int format_value(struct jx *x, struct value v, struct str spec, struct str *out)
{
	struct mini m;
	if (!spec.n)
		return jx_text(x, v, out);
	if (v.type != V_STR && !v_is_num(v))
		return v.type == V_UNDEFINED
			       ? jx_undef_fail(x, v)
			       : jx_fail(x, "unsupported format string passed to %s.__format__", v_type_name(v));
	if (mini_parse(x, spec, v.type != V_STR, &m))
		return -1;
	if (m.width > 0 && jx_room(x, (size_t)m.width, 2))
		return -1;
	if (v.type == V_STR)
		return format_text(x, &m, v.s, out);
	if (v.type == V_FLOAT)
		return format_float(x, &m, v.f, out);
	return format_int(x, &m, v.type == V_INT ? v.i : v.b, out);
}

/* ---- {} ---- */

struct braces {
	struct jx *x;
	const struct args *args;
	size_t next;
	bool automatic, manual;
	bool formatter;  /* string.Formatter, not str.format */
	bool safe;       /* Markup: fields are escaped */
};

/* ".name" and "[key]" of a field. */
static int field_step(struct braces *f, struct value obj, bool attr, struct str part, struct value *out)
{
	struct jx *x = f->x;
	int64_t at = 0;
	bool big, found = false;
	struct value key = v_str(part);
	if (!attr && part.n < 19 && strspn(arena_cstr(x->a, part), "0123456789") == part.n && jx_parse_int(x, part, 10, &at, &big))
		key = v_int(at);
	if (x->j->env == JINJA_CHAT && f->formatter)
		return attr ? jx_getattr(x, obj, part, out) : jx_getitem(x, obj, key, out);
	if (obj.type == V_UNDEFINED)
		return jx_undef_fail(x, obj);
	int rc = attr ? jx_attribute(x, obj, part, jinja_method_find(obj.type, part), out) : jx_subscript(x, obj, key, out, &found) ? -1 : found;
	if (rc < 0)
		return -1;
	if (!rc)
		return jx_fail(x, attr ? "'%s' object has no attribute '%.*s'" : "'%s' object has no item '%.*s'", v_type_name(obj),
			       (int)part.n, part.p);
	return out->type == V_UNDEFINED && !f->formatter ? jx_undef_fail(x, *out) : 0;
}

/* The value of "0.name[key]". */
static int field_value(struct braces *f, struct str name, struct value *out)
{
	struct jx *x = f->x;
	size_t i = 0, digits = 0;
	while (i < name.n && name.p[i] != '.' && name.p[i] != '[') {
		digits += name.p[i] >= '0' && name.p[i] <= '9';
		i++;
	}
	struct str first = { name.p, i };
	if (digits == i) {
		int64_t at = (int64_t)f->next;
		bool check = !i || !f->formatter || i == name.n; /* string.Formatter looks at bare numbers only */
		if (check && (i ? f->automatic : f->manual))
			return jx_fail(
				x, i ? "cannot switch from automatic field numbering to manual field specification"
				     : "cannot switch from manual field specification to automatic field numbering");
		if (i) {
			bool big;
			f->manual |= check;
			if (i > 6 || !jx_parse_int(x, first, 10, &at, &big))
				return jx_fail(x, "Too many decimal digits in format string");
		} else {
			f->automatic = true;
			f->next++;
		}
		if ((uint64_t)at >= f->args->npos)
			return jx_fail(x, "Replacement index %lld out of range for positional args tuple",
				       (long long)at);
		*out = f->args->pos[at];
	} else {
		const struct value *v = NULL;
		for (size_t k = 0; k < f->args->nkw; k++)
			if (f->args->kw[k].key.type == V_STR && str_eq(f->args->kw[k].key.s, first))
				v = &f->args->kw[k].val;
		if (!v)
			return jx_fail(x, "KeyError: '%.*s'", (int)first.n, first.p);
		*out = *v;
	}
	while (i < name.n) {
		bool attr = name.p[i++] == '.';
		size_t from = i;
		while (i < name.n && (attr ? name.p[i] != '.' && name.p[i] != '[' : name.p[i] != ']'))
			i++;
		struct str part = { name.p + from, i - from };
		if (!part.n)
			return jx_fail(x, "Empty attribute in format string");
		if (!attr) {
			if (i >= name.n)
				return jx_fail(x, "Missing ']' in format string");
			i++;
			if (i < name.n && name.p[i] != '.' && name.p[i] != '[')
				return jx_fail(x, "Only '.' or '[' may follow ']' in format field specifier");
		}
		if (field_step(f, *out, attr, part, out))
			return -1;
	}
	return 0;
}

static int format_into(struct braces *f, struct str s, int depth, struct buf *b);

/* One "{...}" from behind its opening brace. */
static int format_field(struct braces *f, struct str s, size_t *i, int depth, struct buf *b)
{
	struct jx *x = f->x;
	size_t from = *i, nest = 0;
	while (*i < s.n && s.p[*i] != '}' && s.p[*i] != ':' && s.p[*i] != '!') {
		if (s.p[*i] == '{')
			return jx_fail(x, "unexpected '{' in field name");
		if (s.p[*i] == '[')
			while (*i < s.n && s.p[*i] != ']')
				++*i;
		*i += *i < s.n;
	}
	struct str name = { s.p + from, *i - from }, spec = STR(""), text;
	char conv = 0;
	if (*i < s.n && s.p[*i] == '!') {
		conv = *i + 1 < s.n ? s.p[*i + 1] : 0;
		*i += 2;
		if (*i < s.n && s.p[*i] != ':' && s.p[*i] != '}')
			return jx_fail(x, "expected ':' after conversion specifier");
	}
	if (*i < s.n && s.p[*i] == ':') {
		from = ++*i;
		for (; *i < s.n && (s.p[*i] != '}' || nest); ++*i)
			nest += s.p[*i] == '{' ? 1 : s.p[*i] == '}' ? (size_t)-1 : 0;
		spec = (struct str){ s.p + from, *i - from };
	}
	if (*i >= s.n)
		return jx_fail(x, "expected '}' before end of string");
	++*i;
	struct value v;
	if (field_value(f, name, &v))
		return -1;
	if (conv) {
		if (conv != 'r' && conv != 's' && conv != 'a')
			return jx_fail(x, "Unknown conversion specifier '%c'", conv);
		if (conv == 'r' ? jx_repr(x, v, &text) : conv == 's' ? jx_text(x, v, &text) : ascii_repr(x, v, &text))
			return -1;
		v = v_str(text);
	}
	if (memchr(spec.p, '{', spec.n)) {
		struct buf inner = { 0 };
		int rc = format_into(f, spec, depth + 1, &inner);
		spec = jx_take(x, &inner);
		if (rc)
			return -1;
	}
	if (f->safe && v.type == V_STR && v.safe && spec.n)
		return jx_fail(x, "Unsupported format specification for Markup.");
	if (format_value(x, v, spec, &text))
		return -1;
	if (f->safe && !(v.type == V_STR && v.safe))
		text = jx_escape(x, text);
	if (jx_room(x, b->n + text.n, 1))
		return -1;
	buf_str(b, text);
	return 0;
}

static int format_into(struct braces *f, struct str s, int depth, struct buf *b)
{
	if (depth > 1 + f->formatter)
		return jx_fail(f->x, "Max string recursion exceeded");
	for (size_t i = 0; i < s.n;) {
		char c = s.p[i++];
		if ((c == '{' || c == '}') && i < s.n && s.p[i] == c) {
			buf_putc(b, c);
			i++;
		} else if (c == '}') {
			return jx_fail(f->x, "Single '}' encountered in format string");
		} else if (c == '{') {
			if (i >= s.n)
				return jx_fail(f->x, "Single '{' encountered in format string");
			if (jx_step(f->x, 1) || format_field(f, s, &i, depth, b))
				return -1;
		} else {
			buf_putc(b, c);
		}
	}
	return 0;
}

int jx_format_braces(struct jx *x, struct value fmt, const struct args *args, struct value *out)
{
	struct braces f = { .x = x, .args = args, .safe = fmt.safe, .formatter = fmt.safe || x->j->env == JINJA_CHAT };
	struct buf b = { 0 };
	int rc = format_into(&f, fmt.s, 0, &b);
	*out = jx_str(x, &b);
	out->safe = fmt.safe;
	return rc;
}
