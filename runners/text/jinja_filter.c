/* jinja_filter.c - filters on text and numbers, and tojson.
 *
 * Each takes the value and its bound arguments (absent ones are VMISSING). round() rounds the exact decimal value of the
 * double to even, as Python does, by way of the C library's printf. tojson is json.dumps: in the chat environment as
 * transformers defines it (no HTML escaping, not ASCII, any separators), in the suite environment as jinja2 does (sorted
 * keys, ASCII, < > & ' escaped, the result safe).
 */
#include "runners/text/jinja_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/dmath.h"
#include "runners/text/json.h"
#include "runners/text/utf8.h"

/* ---- helpers ---- */

static int text_of(struct jx *x, struct value v, struct value *out) /* soft_str */
{
	struct str s;
	*out = v;
	if (v.type == V_STR)
		return 0;
	if (jx_text(x, v, &s))
		return -1;
	*out = v_str(s);
	return 0;
}

static int flag(struct jx *x, struct value v, bool *out)
{
	*out = false;
	return v_is_missing(v) ? 0 : jx_truth(x, v, out);
}

static int method(struct jx *x, struct value v, const char *name, struct value *arg, struct value *out)
{
	struct value s;
	if (text_of(x, v, &s))
		return -1;
	return jinja_method_find(V_STR, str_of(name))->call(x, s, arg, out);
}

/* ---- text ---- */

static int f_upper(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return method(x, v, "upper", arg, out);
}

static int f_lower(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return method(x, v, "lower", arg, out);
}

static int f_capitalize(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return method(x, v, "capitalize", arg, out);
}

static int f_trim(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	if (text_of(x, v, out))
		return -1;
	if (!v_is_missing(arg[0]))
		return jx_strip(x, *out, arg[0], true, true, out);
	out->s = str_strip(out->s);
	return 0;
}

static int f_center(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct value a[2] = { v_is_missing(arg[0]) ? v_int(80) : arg[0], VMISSING };
	return method(x, v, "center", a, out);
}

static int f_string(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return text_of(x, v, out);
}

static int f_title(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct value s;
	struct buf b = { 0 };
	if (text_of(x, v, &s))
		return -1;
	for (size_t i = 0, word = 0, state = 2; i <= s.s.n;) {
		/* state: 0 inside a word, 1 inside separators, 2 at the start */
		size_t from = i;
		uint32_t cp = i < s.s.n ? utf8_next(s.s, &i) : 0;
		size_t now = from == s.s.n									 ? 3
			     : cp == '-' || cp == '(' || cp == '{' || cp == '[' || cp == '<' || uni_is_space(cp) ? 1
														 : 0;
		if (now != state && state != 2) {
			size_t first = word;
			utf8_next(s.s, &first);
			buf_str(&b, uni_upper(x->a, (struct str){ s.s.p + word, first - word }));
			buf_str(&b, uni_lower(x->a, (struct str){ s.s.p + first, from - first }));
		}
		if (now != state)
			word = from;
		state = now;
		if (from == s.s.n)
			break;
	}
	*out = jx_str(x, &b);
	return 0;
}

static int f_replace(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct str s, old, with, r;
	int64_t count = -1;
	if (jx_text(x, v, &s) || jx_text(x, arg[0], &old) || jx_text(x, arg[1], &with))
		return -1;
	if (!v_is_missing(arg[2]) && arg[2].type != V_NONE && jx_int(x, arg[2], NULL, &count))
		return -1;
	if (jx_replace(x, s, old, with, count < 0 ? -1 : count, &r))
		return -1;
	*out = v_str(r);
	return 0;
}

static int f_regex_replace(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct str s, pattern, repl, r;
	int64_t count = 0;
	if (jx_want_str(x, v, "expected string or bytes-like object: regex_replace's value", &s) ||
	    jx_want_str(x, arg[0], "the pattern", &pattern) || jx_want_str(x, arg[1], "the replacement", &repl) ||
	    (!v_is_missing(arg[2]) && jx_int(x, arg[2], NULL, &count)) || jx_regex_sub(x, s, pattern, repl, count, &r))
		return -1;
	*out = v_str(r);
	return 0;
}

static int f_indent(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct str s, in;
	struct value lines, width;
	struct buf b = { 0 };
	bool first, blank;
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(x, v);
	if (jx_want_str(x, v, "the value of indent", &s) || flag(x, arg[1], &first) || flag(x, arg[2], &blank))
		return -1;
	if (arg[0].type == V_STR) {
		in = arg[0].s;
	} else {
		if (jx_binop(x, '*', v_cstr(" "), v_is_missing(arg[0]) ? v_int(4) : arg[0], &width))
			return -1;
		in = width.s;
	}
	bool markup = arg[0].type == V_STR && arg[0].safe && !v.safe; /* escapes the lines it is added to */
	char *joined = arena_alloc(x->a, s.n + 2); /* jinja2 adds a line end before splitting, so that a last one gives a line */
	memcpy(joined, s.p, s.n);
	joined[s.n] = '\n';
	if (str_split_lines(x, (struct str){ joined, s.n + 1 }, false, &lines))
		return -1;
	for (size_t i = 0; i < lines.list->n; i++) {
		struct str line = lines.list->v[i].s;
		if (jx_room(x, b.n + line.n + in.n, 1)) {
			buf_fini(&b);
			return -1;
		}
		if (i)
			buf_putc(&b, '\n');
		if (i ? line.n || blank : first && !markup)
			buf_str(&b, in);
		buf_str(&b, markup && (i || blank) ? jx_escape(x, line) : line);
	}
	*out = jx_str(x, &b);
	out->safe = v.safe || (markup && blank);
	return markup && first ? jx_binop(x, '+', arg[0], *out, out) : 0;
}

static int f_truncate(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	int64_t length = 255, leeway = 5, n, nend = 3;
	bool kill;
	struct str s;
	if ((!v_is_missing(arg[0]) && jx_int(x, arg[0], NULL, &length)) || flag(x, arg[1], &kill) ||
	    (!v_is_missing(arg[2]) && jx_len(x, arg[2], &nend)) ||
	    (!v_is_missing(arg[3]) && arg[3].type != V_NONE && jx_int(x, arg[3], NULL, &leeway)))
		return -1;
	if (length < nend)
		return jx_fail(x, "expected length >= %lld, got %lld", (long long)nend, (long long)length);
	if (leeway < 0)
		return jx_fail(x, "expected leeway >= 0, got %lld", (long long)leeway);
	*out = v;
	if (jx_len(x, v, &n))
		return -1;
	if (n - leeway <= length) /* of anything that has a length */
		return 0;
	if (jx_want_str(x, v, "the value of truncate", &s))
		return -1;
	struct str t = str_sub(s, 0, length - nend);
	if (!kill) {
		const char *space = t.n ? memrchr(t.p, ' ', t.n) : NULL;
		t.n = space ? (size_t)(space - t.p) : t.n;
	}
	struct value head = v_str(t), tail = v_is_missing(arg[2]) ? v_cstr("...") : arg[2];
	head.safe = v.safe;
	return jx_binop(x, '+', head, tail, out);
}

static bool word_char(uint32_t cp)
{
	return cp == '_' || uni_is_alnum(cp);
}

static int f_wordcount(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct str s;
	int64_t n = 0;
	bool inside = false;
	if (jx_text(x, v, &s))
		return -1;
	for (size_t i = 0; i < s.n;) {
		bool w = word_char(utf8_next(s, &i));
		n += w && !inside;
		inside = w;
	}
	*out = v_int(n);
	return 0;
}

static bool blank(struct str s)
{
	return str_strip(s).n == 0;
}

/* A word longer than the room left: its head, and what stays. After textwrap._handle_long_word. */
static struct str cut_long_word(struct str *word, int64_t room, bool hyphens)
{
	struct str head = str_sub(*word, 0, room);
	const char *dash = hyphens && head.n && (int64_t)str_chars(*word) > room ? memrchr(head.p, '-', head.n) : NULL;
	if (dash && dash > head.p) {
		size_t n = (size_t)(dash - head.p);
		for (size_t i = 0; i < n; i++)
			if (head.p[i] != '-') {
				head.n = n + 1;
				break;
			}
	}
	*word = (struct str){ word->p + head.n, word->n - head.n };
	return head;
}

/* textwrap.wrap of one line, appended to b with `join` between lines. */
static int wrap_line(struct jx *x, struct str s, int64_t width, bool break_long, bool hyphens, struct str join,
		     bool escape, struct buf *b)
{
	struct value chunks;
	bool any = false;
	if (jx_word_chunks(x, s, hyphens, &chunks))
		return -1;
	struct value *c = chunks.list->v, *end = chunks.list->n ? c + chunks.list->n : c;
	while (c < end) {
		struct buf line = { 0 };
		int64_t used = 0;
		size_t last = 0; /* where the last chunk of the line begins */
		if (blank(c->s) && any && ++c == end)
			break;
		for (; c < end && used + (int64_t)str_chars(c->s) <= width; c++) {
			last = line.n;
			used += (int64_t)str_chars(c->s);
			buf_str(&line, c->s);
		}
		if (c < end && (int64_t)str_chars(c->s) > width) {
			last = break_long || !line.n ? line.n : last;
			if (break_long)
				buf_str(&line, cut_long_word(&c->s, width - used > 0 ? width - used : 0, hyphens));
			else if (!line.n)
				buf_str(&line, c++->s);
		}
		if (line.n && blank((struct str){ line.p + last, line.n - last }))
			line.n = last;
		if (line.n) {
			if (any)
				buf_str(b, join);
			struct str text = { line.p, line.n };
			buf_str(b, escape ? jx_escape(x, text) : text);
			any = true;
		}
		buf_fini(&line);
		if (jx_step(x, 1))
			return -1;
	}
	return 0;
}

static int f_wordwrap(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	int64_t width = 79;
	bool long_words = true, hyphens = true;
	struct str s, join = STR("\n");
	struct value lines;
	struct buf b = { 0 };
	if ((!v_is_missing(arg[0]) && jx_int(x, arg[0], NULL, &width)) ||
	    (!v_is_missing(arg[1]) && jx_truth(x, arg[1], &long_words)) ||
	    (!v_is_missing(arg[2]) && arg[2].type != V_NONE && jx_want_str(x, arg[2], "wrapstring", &join)) ||
	    (!v_is_missing(arg[3]) && jx_truth(x, arg[3], &hyphens)) ||
	    jx_want_str(x, v, "the value of wordwrap", &s) || str_split_lines(x, s, false, &lines))
		return -1;
	if (width <= 0 && lines.list->n)
		return jx_fail(x, "invalid width %lld (must be > 0)", (long long)width);
	for (size_t i = 0; i < lines.list->n; i++) {
		if (i)
			buf_str(&b, join);
		if (jx_room(x, b.n, 1) || wrap_line(x, lines.list->v[i].s, width, long_words, hyphens, join, arg[2].safe, &b)) {
			buf_fini(&b);
			return -1;
		}
	}
	*out = jx_str(x, &b);
	out->safe = arg[2].safe;
	return 0;
}

static int f_format(struct jx *x, struct value v, const struct args *args, struct value *out)
{
	struct value s, a;
	if (args->npos && args->nkw)
		return jx_fail(x, "can't handle positional and keyword arguments at the same time");
	if (text_of(x, v, &s))
		return -1;
	if (args->nkw) {
		a = v_dict(x->a);
		for (size_t i = 0; i < args->nkw; i++)
			v_set_key(x->a, a, args->kw[i].key, args->kw[i].val);
	} else {
		a = v_tuple(x->a, args->npos);
		for (size_t i = 0; i < args->npos; i++)
			v_push(x->a, a, args->pos[i]);
	}
	return jx_format_percent(x, s.s, a, s.safe, out);
}

/* ---- numbers ---- */

static int f_abs(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(x, v);
	if (!v_is_num(v))
		return jx_fail(x, "bad operand type for abs(): '%s'", v_type_name(v));
	if (v.type == V_FLOAT) {
		*out = v_float(fabs(v.f));
		return 0;
	}
	return jx_negate(x, v.type == V_INT && v.i < 0 ? '-' : '+', v, out);
}

static int float_to_int(struct jx *x, double f, struct value *out)
{
	if (f >= 9223372036854775808.0 || f < -9223372036854775808.0)
		return jx_fail(x, "the integer does not fit 64 bits");
	*out = v_int((int64_t)f);
	return 0;
}

static int f_int(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	int64_t base = 10, i;
	double f;
	bool big;
	if (!v_is_missing(arg[1]) && jx_int(x, arg[1], NULL, &base))
		return -1;
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(x, v);
	*out = v_is_missing(arg[0]) ? v_int(0) : arg[0];
	if (v.type == V_STR) {
		if (base != 0 && (base < 2 || base > 36))
			base = -1; /* ValueError in int(), so float() is tried */
		if (base >= 0 && jx_parse_int(x, v.s, (int)base, &i, &big)) {
			if (big)
				return jx_fail(x, "the integer does not fit 64 bits");
			*out = v_int(i);
		} else if (jx_parse_float(v.s, &f) && !isnan(f) && !isinf(f)) {
			return float_to_int(x, f, out);
		}
		return 0;
	}
	if (v.type == V_FLOAT && isinf(v.f))
		return jx_fail(x, "cannot convert float infinity to integer");
	if (v.type == V_FLOAT && !isnan(v.f))
		return float_to_int(x, v.f, out);
	if (v.type == V_INT || v.type == V_BOOL)
		*out = v_int(v.type == V_INT ? v.i : v.b);
	return 0;
}

static int f_float(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	double f = 0;
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(x, v);
	if (v_is_num(v))
		f = v.type == V_FLOAT ? v.f : v.type == V_INT ? (double)v.i : v.b;
	else if (v.type != V_STR || !jx_parse_float(v.s, &f)) {
		*out = v_is_missing(arg[0]) ? v_float(0) : arg[0];
		return 0;
	}
	*out = v_float(f);
	return 0;
}

static int round_int(struct jx *x, int64_t i, int64_t digits, struct value *out)
{
	*out = v_int(i);
	if (digits >= 0)
		return 0;
	if (digits < -18) {
		*out = v_int(0);
		return digits == -19 ? jx_fail(x, "rounding to 19 digits does not fit 64 bits") : 0;
	}
	int64_t p = 1;
	for (; digits; digits++)
		p *= 10;
	int64_t r = i % p, q = i - r, half = p / 2;
	r = r < 0 ? -r : r;
	if (r > half || (r == half && (q / p) % 2 != 0))
		if (__builtin_add_overflow(q, i < 0 ? -p : p, &q))
			return jx_fail(x, "the result of integer arithmetic does not fit 64 bits");
	*out = v_int(q);
	return 0;
}

int jx_round(struct jx *x, struct value v, int64_t digits, struct value *out)
{
	char text[800];
	if (v.type != V_FLOAT)
		return round_int(x, v.type == V_INT ? v.i : v.b, digits, out);
	*out = v;
	if (isnan(v.f) || isinf(v.f) || digits > 323)
		return 0;
	if (digits >= 0) {
		snprintf(text, sizeof text, "%.*f", (int)digits, v.f);
	} else {
		/* digits in front of the point: keep as many as stand left of the place, by the decimal exponent */
		snprintf(text, sizeof text, "%.0e", v.f);
		int exp = digits < -330 ? -1000 : atoi(strchr(text, 'e') + 1);
		snprintf(text, sizeof text, "%.17e", v.f);
		exp = exp == -1000 ? exp : atoi(strchr(text, 'e') + 1);
		if (exp + digits >= 0) {
			snprintf(text, sizeof text, "%.*e", (int)(exp + digits), v.f);
		} else { /* below the place: 0, or one unit of it when more than half (printf's %.0f of the fraction decides) */
			double unit = 1;
			for (int64_t d = digits; d < 0 && d > -330; d++)
				unit *= 10;
			snprintf(text, sizeof text, fabs(v.f) > unit / 2 && digits > -309 ? "%s1e%lld" : "%s0",
				 signbit(v.f) ? "-" : "", -(long long)digits);
		}
	}
	*out = v_float(strtod(text, NULL));
	return isinf(out->f) ? jx_fail(x, "rounded value too large to represent") : 0;
}

static int f_round(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct str how = STR("common");
	int64_t digits = 0;
	struct value p = v_is_missing(arg[0]) ? v_int(0) : arg[0], scale, scaled, whole;
	if (!v_is_missing(arg[1]) && arg[1].type == V_STR)
		how = arg[1].s;
	if ((!v_is_missing(arg[1]) && arg[1].type != V_STR) ||
	    (!str_is(how, "common") && !str_is(how, "ceil") && !str_is(how, "floor")))
		return jx_fail(x, "method must be common, ceil or floor");
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(x, v);
	if (str_is(how, "common")) {
		if (!v_is_num(v))
			return jx_fail(x, "type %s doesn't define __round__ method", v_type_name(v));
		if (p.type == V_NONE) { /* round(x): an integer */
			if (jx_round(x, v, 0, out))
				return -1;
			return out->type == V_FLOAT ? float_to_int(x, out->f, out) : 0;
		}
		return jx_int(x, p, NULL, &digits) ? -1 : jx_round(x, v, digits, out);
	}
	if (jx_binop(x, 'p', v_int(10), p, &scale) || jx_binop(x, '*', v, scale, &scaled))
		return -1;
	if (!v_is_num(scaled))
		return jx_fail(x, "must be real number, not %s", v_type_name(scaled));
	whole = scaled;
	if (scaled.type == V_FLOAT) {
		double f = scaled.f, down = dm_floor(f);
		if (isnan(f) || isinf(f))
			return jx_fail(x, "cannot convert float %s to integer", isnan(f) ? "NaN" : "infinity");
		whole = v_float((str_is(how, "floor") || down == f ? down : down + 1) + 0.0); /* an integer in Python: no -0 */
	}
	return jx_binop(x, '/', whole, scale, out);
}

static int f_filesizeformat(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB", "KiB", "MiB", "GiB",
		"TiB", "PiB", "EiB", "ZiB", "YiB" };
	bool binary;
	double n = 0, base, unit;
	int i = 0;
	if (flag(x, arg[0], &binary))
		return -1;
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(x, v);
	if (v_is_num(v))
		n = v.type == V_FLOAT ? v.f : v.type == V_INT ? (double)v.i : v.b;
	else if (v.type != V_STR || !jx_parse_float(v.s, &n))
		return jx_fail(x, "could not convert %s to float", v.type == V_STR ? "string" : v_type_name(v));
	base = binary ? 1024 : 1000;
	if (isinf(n) && n < 0)
		return jx_fail(x, "cannot convert float infinity to integer");
	if (n == 1) {
		*out = v_cstr("1 Byte");
	} else if (n < base) {
		*out = v_str(arena_printf(x->a, "%.0f Bytes", n - jx_fmod(n, 1)));
	} else {
		for (unit = base * base; !(n < unit) && i < 7; i++) /* not a number: the last */
			unit *= base;
		*out = v_str(arena_printf(x->a, "%.1f %s", isnan(n) ? fabs(n) : base * n / unit, units[i + (binary ? 8 : 0)]));
	}
	return 0;
}

/* ---- the rest ---- */

static int f_default(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	bool yes = true, boolean;
	if (flag(x, arg[1], &boolean))
		return -1;
	if (v.type != V_UNDEFINED && boolean && jx_truth(x, v, &yes))
		return -1;
	*out = v.type == V_UNDEFINED || !yes ? (v_is_missing(arg[0]) ? v_cstr("") : arg[0]) : v;
	return 0;
}

static int f_length(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	int64_t n;
	if (jx_len(x, v, &n))
		return -1;
	*out = v_int(n);
	return 0;
}

static int f_attr(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct str name;
	if (jx_want_str(x, arg[0], "the attribute name", &name))
		return -1;
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(x, v);
	int rc = jx_attribute(x, v, name, jinja_method_find(v.type, name), out);
	if (!rc)
		*out = jx_undefined(x, (struct undef){ .of = v_type_name(v), .name = name });
	return rc < 0 ? -1 : 0;
}

static int f_random(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return jx_fail(x, "the filter 'random' is not supported: a run must be repeatable");
}

/* pprint of what fits one line of 80 characters: repr with sorted keys. */
static struct value sorted_keys(struct jx *x, struct value v, int depth)
{
	if (depth > 50)
		return v;
	if (v.type == V_LIST || v.type == V_TUPLE) {
		struct value l = v.type == V_LIST ? v_list(x->a, v.list->n) : v_tuple(x->a, v.list->n);
		for (size_t i = 0; i < v.list->n && i < 100; i++)
			v_push(x->a, l, sorted_keys(x, v.list->v[i], depth + 1));
		return l;
	}
	if (v.type != V_DICT || v.dict->n > 100)
		return v;
	struct value d = v_dict(x->a);
	bool *used = ARENA_ARRAY(x->a, v.dict->n, bool);
	for (size_t k = 0; k < v.dict->n; k++) {
		size_t best = v.dict->n;
		for (size_t i = 0; i < v.dict->n; i++) {
			struct value a = v.dict->v[i].key, b = best < v.dict->n ? v.dict->v[best].key : VNONE;
			if (!used[i] &&
			    (best == v.dict->n || (a.type == V_STR && b.type == V_STR
							   ? strcmp(arena_cstr(x->a, a.s), arena_cstr(x->a, b.s)) < 0
							   : v_is_num(a) && v_is_num(b) && v_compare_num(a, b) < 0)))
				best = i;
		}
		used[best] = true;
		v_set_key(x->a, d, v.dict->v[best].key, sorted_keys(x, v.dict->v[best].val, depth + 1));
	}
	return d;
}

static int f_pprint(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct str s;
	if (jx_repr(x, v, &s))
		return -1;
	if (str_chars(s) <= 80 && jx_repr(x, sorted_keys(x, v, 0), &s))
		return -1;
	if (str_chars(s) > 80)
		return jx_fail(x, "the filter 'pprint' is not supported for values longer than 80 characters");
	*out = v_str(s);
	return 0;
}

/* ---- tojson ---- */

static int check_json(struct jx *x, struct value v, bool sort, int depth)
{
	if (jx_step(x, 1))
		return -1;
	if (depth > VWALK_DEPTH - 10)
		return jx_limit(x, "a value is too large or nests too deeply");
	if (v.type == V_UNDEFINED || v.type == V_OBJECT)
		return jx_fail(x, "Object of type %s is not JSON serializable",
			       v.type == V_UNDEFINED && x->strict ? "StrictUndefined" : v_type_name(v));
	if (v.type == V_LIST || v.type == V_TUPLE)
		for (size_t i = 0; i < v.list->n; i++)
			if (check_json(x, v.list->v[i], sort, depth + 1))
				return -1;
	for (size_t i = 0; v.type == V_DICT && i < v.dict->n; i++) {
		struct value k = v.dict->v[i].key, k0 = v.dict->v[0].key;
		if (k.type != V_STR && k.type != V_NONE && !v_is_num(k))
			return jx_fail(x, "keys must be str, int, float, bool or None, not %s", v_type_name(k));
		if (sort && v.dict->n > 1 && !((k.type == V_STR && k0.type == V_STR) || (v_is_num(k) && v_is_num(k0))))
			return jx_fail(x, "'<' not supported between instances of '%s' and '%s'", v_type_name(k),
				       v_type_name(k0));
		if (check_json(x, v.dict->v[i].val, sort, depth + 1))
			return -1;
	}
	return 0;
}

static int json_indent(struct jx *x, struct value v, struct json_style *style)
{
	struct value s;
	if (v_is_missing(v) || v.type == V_NONE)
		return 0;
	style->indented = true;
	if (v.type == V_STR) {
		style->indent = v.s;
		return 0;
	}
	if (jx_binop(x, '*', v_cstr(" "), v, &s))
		return -1;
	style->indent = s.s;
	return 0;
}

static int dump(struct jx *x, struct value v, const struct json_style *style, struct buf *b)
{
	struct vwalk w = jx_walk(x);
	uint64_t before = w.left;
	if (check_json(x, v, style->flags & JSON_SORT, 0))
		return -1;
	json_write_styled(b, v, style, &w);
	return jx_walked(x, &w) || jx_step(x, (before - w.left) / 64) || jx_room(x, b->n, 1) ? -1 : 0;
}

/* tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False) */
static int tojson_chat(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct json_style style = { .flags = JSON_NAN };
	struct buf b = { 0 };
	bool ascii, sort;
	if (flag(x, arg[0], &ascii) || json_indent(x, arg[1], &style) || flag(x, arg[3], &sort))
		return -1;
	style.flags |= (ascii ? JSON_ASCII : 0) | (sort ? JSON_SORT : 0);
	style.item_sep = style.indented ? STR(",") : STR(", ");
	style.key_sep = STR(": ");
	if (!v_is_missing(arg[2]) && arg[2].type != V_NONE) {
		struct value pair;
		if (jx_to_list(x, arg[2], &pair))
			return -1;
		if (pair.list->n != 2)
			return jx_fail(x, "separators must be two strings");
		if (jx_want_str(x, pair.list->v[0], "a separator", &style.item_sep) ||
		    jx_want_str(x, pair.list->v[1], "a separator", &style.key_sep))
			return -1;
	}
	int rc = dump(x, v, &style, &b);
	*out = jx_str(x, &b);
	return rc;
}

static int tojson_suite(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct json_style style = { .flags = JSON_NAN | JSON_ASCII | JSON_SORT };
	struct buf b = { 0 }, h = { 0 };
	if (json_indent(x, arg[0], &style))
		return -1;
	style.item_sep = style.indented ? STR(",") : STR(", ");
	style.key_sep = STR(": ");
	int rc = dump(x, v, &style, &b);
	for (size_t i = 0; i < b.n; i++) {
		char c = b.p[i];
		if (c == '<' || c == '>' || c == '&' || c == '\'')
			buf_printf(&h, "\\u%04x", (unsigned)c);
		else
			buf_putc(&h, c);
	}
	buf_fini(&b);
	*out = jx_str(x, &h);
	out->safe = true;
	return rc;
}

const struct builtin jinja_tojson_chat = { "tojson", "ensure_ascii indent separators sort_keys", tojson_chat, NULL };
const struct builtin jinja_regex_replace = { "regex_replace", "pattern! repl! count", f_regex_replace, NULL };

const struct builtin jinja_filters_text[] = {
	{ "abs", "", f_abs, NULL },
	{ "attr", "name!", f_attr, NULL },
	{ "capitalize", "", f_capitalize, NULL },
	{ "center", "width", f_center, NULL },
	{ "count", "", f_length, NULL },
	{ "d", "default_value boolean", f_default, NULL },
	{ "default", "default_value boolean", f_default, NULL },
	{ "filesizeformat", "binary", f_filesizeformat, NULL },
	{ "float", "default", f_float, NULL },
	{ "format", NULL, NULL, f_format },
	{ "indent", "width first blank", f_indent, NULL },
	{ "int", "default base", f_int, NULL },
	{ "length", "", f_length, NULL },
	{ "lower", "", f_lower, NULL },
	{ "pprint", "", f_pprint, NULL },
	{ "random", "", f_random, NULL },
	{ "replace", "old! new! count", f_replace, NULL },
	{ "round", "precision method", f_round, NULL },
	{ "string", "", f_string, NULL },
	{ "title", "", f_title, NULL },
	{ "tojson", "indent", tojson_suite, NULL },
	{ "trim", "chars", f_trim, NULL },
	{ "truncate", "length killwords end leeway", f_truncate, NULL },
	{ "upper", "", f_upper, NULL },
	{ "wordcount", "", f_wordcount, NULL },
	{ "wordwrap", "width break_long_words wrapstring break_on_hyphens", f_wordwrap, NULL },
	{ NULL, NULL, NULL, NULL },
};
