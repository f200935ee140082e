/* jinja_html.c - filters about HTML and URLs. Escaping is off in both environments, so a "safe" string prints like any other;
 * the mark matters only where Markup meets plain text (+, join, replace, %), which then is escaped, as in Python.
 *
 * striptags knows the numeric entities, as html.unescape has them, and the few named ones of plain HTML text. urlize is refused.
 */
#include "runners/text/jinja_int.h"

#include "runners/text/utf8.h"

struct str jx_escape(struct jx *x, struct str s)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		const char *e = c == '&'    ? "&amp;"
				: c == '<'  ? "&lt;"
				: c == '>'  ? "&gt;"
				: c == '"'  ? "&#34;"
				: c == '\'' ? "&#39;"
					    : NULL;
		if (e)
			buf_puts(&b, e);
		else
			buf_putc(&b, c);
	}
	return jx_take(x, &b);
}

static int safe(struct str s, struct value *out)
{
	*out = v_str(s);
	out->safe = true;
	return 0;
}

static int f_escape(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct str s;
	if (jx_text(x, v, &s))
		return -1;
	return safe(v.type == V_STR && v.safe ? s : jx_escape(x, s), out);
}

static int f_forceescape(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct str s;
	return jx_text(x, v, &s) ? -1 : safe(jx_escape(x, s), out);
}

static int f_safe(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct str s;
	return jx_text(x, v, &s) ? -1 : safe(s, out);
}

/* ---- striptags ---- */

static struct str without_tags(struct jx *x, struct str s)
{
	struct buf b = { 0 };
	size_t pos = 0;
	const char *open;
	while (pos < s.n && (open = memchr(s.p + pos, '<', s.n - pos))) {
		size_t at = (size_t)(open - s.p), from = at;
		bool comment = s.n - at >= 4 && memcmp(open, "<!--", 4) == 0;
		from = comment ? at + 4 : at;
		const char *close = from > s.n ? NULL
				    : comment  ? memmem(s.p + from, s.n - from, "-->", 3)
					       : memchr(s.p + from, '>', s.n - from);
		if (!close)
			break;
		buf_add(&b, s.p + pos, at - pos);
		pos = (size_t)(close - s.p) + (comment ? 3 : 1);
	}
	buf_add(&b, s.p + pos, s.n - pos);
	return jx_take(x, &b);
}

/* What HTML makes of the number of a reference; false: nothing. */
static bool reference_char(uint32_t n, uint32_t *cp)
{
	/* 0x80 to 0x9f mean Windows-1252 */
	static const uint16_t windows[] = { 0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160,
					    0x2039, 0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
					    0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178 };
	*cp = n >= 0x80 && n < 0xa0 ? windows[n - 0x80] : n;
	if (n == 0 || (n >= 0xd800 && n < 0xe000) || n > 0x10ffff)
		*cp = 0xfffd;
	else if ((n < 0x20 && !strchr("\t\n\f\r", (int)n)) || n == 0x7f || (n >= 0xfdd0 && n < 0xfdf0) || (n & 0xfffe) == 0xfffe)
		return false;
	return true;
}

/* A reference by number behind its '&' ("#65;", "#x41"): its length, 0 for none. */
static size_t number_reference(struct str s, uint32_t *n)
{
	bool hex = s.n > 1 && (s.p[1] | 32) == 'x';
	size_t first = hex ? 2 : 1, i = first;
	*n = 0;
	if (!s.n || s.p[0] != '#')
		return 0;
	for (; i < s.n; i++) {
		int c = (unsigned char)s.p[i];
		int d = c >= '0' && c <= '9' ? c - '0' : hex && (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
		if (d < 0)
			break;
		if (*n <= 0x10ffff) /* beyond, it stays beyond */
			*n = *n * (hex ? 16 : 10) + (uint32_t)d;
	}
	return i == first ? 0 : i + (i < s.n && s.p[i] == ';');
}

/* A reference by name; 0: none that is known. */
static size_t name_reference(struct str s, uint32_t *cp)
{
	static const struct {
		const char *name;
		uint32_t cp;
	} names[] = {
		{ "amp;", '&' }, { "lt;", '<' }, { "gt;", '>' }, { "quot;", '"' }, { "apos;", '\'' },
		{ "nbsp;", 0xa0 }, { "copy;", 0xa9 }, { "reg;", 0xae }, { "laquo;", 0xab }, { "raquo;", 0xbb },
		{ "hellip;", 0x2026 }, { "ndash;", 0x2013 }, { "mdash;", 0x2014 }, { "lsquo;", 0x2018 },
		{ "rsquo;", 0x2019 }, { "ldquo;", 0x201c }, { "rdquo;", 0x201d }, { "times;", 0xd7 },
		{ "deg;", 0xb0 }, { "euro;", 0x20ac },
	};
	for (size_t k = 0; k < sizeof names / sizeof *names; k++)
		if (str_starts(s, str_of(names[k].name))) {
			*cp = names[k].cp;
			return strlen(names[k].name);
		}
	return 0;
}

static struct str unescape(struct jx *x, struct str s)
{
	struct buf b = { 0 };
	char utf8[4];
	for (size_t i = 0; i < s.n; i++) {
		struct str rest = { s.p + i + 1, s.n - i - 1 };
		uint32_t n, cp = 0;
		size_t len = s.p[i] == '&' ? number_reference(rest, &n) : 0;
		bool shown = len == 0 || reference_char(n, &cp);
		if (!len && s.p[i] == '&')
			len = name_reference(rest, &cp);
		if (!len)
			buf_putc(&b, s.p[i]);
		else if (shown)
			buf_add(&b, utf8, utf8_put(cp, utf8));
		i += len;
	}
	return jx_take(x, &b);
}

static int f_striptags(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct str s;
	struct value words;
	struct buf b = { 0 };
	if (jx_text(x, v, &s) || jx_split(x, without_tags(x, s), VNONE, -1, false, &words))
		return -1;
	for (size_t i = 0; i < words.list->n; i++) {
		if (i)
			buf_putc(&b, ' ');
		buf_str(&b, words.list->v[i].s);
	}
	*out = v_str(unescape(x, jx_take(x, &b)));
	return 0;
}

/* ---- URLs ---- */

static void quote(struct buf *b, struct str s, bool query)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
			     (c && strchr("_.-~", c)) || (c == '/' && !query);
		if (plain) {
			buf_putc(b, (char)c);
		} else if (c == ' ' && query) {
			buf_putc(b, '+');
		} else {
			buf_putc(b, '%');
			buf_putc(b, hex[c >> 4]);
			buf_putc(b, hex[c & 15]);
		}
	}
}

static int f_urlencode(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct buf b = { 0 };
	struct str s;
	struct iter it;
	struct value item, pair;
	int rc = 0;
	if (v.type == V_STR || !jx_iterable(x, v)) {
		if (jx_text(x, v, &s))
			return -1;
		quote(&b, s, false);
		*out = jx_str(x, &b);
		return 0;
	}
	if (v.type == V_DICT) {
		struct o_view *view = ARENA_NEW(x->a, struct o_view);
		*view = (struct o_view){ { &jinja_view_type }, v, 'i' };
		v = jx_object(view);
	}
	if (jx_iter(x, v, &it))
		return -1;
	for (size_t i = 0; (rc = jx_next(x, &it, &item)) > 0; i++) {
		if (jx_to_list(x, item, &pair)) {
			rc = -1;
			break;
		}
		if (pair.list->n != 2) {
			rc = jx_fail(x, "%s values to unpack (expected 2)",
				     pair.list->n < 2 ? "not enough" : "too many");
			break;
		}
		for (int k = 0; k < 2 && rc > 0; k++) {
			if (k || i)
				buf_putc(&b, k ? '=' : '&');
			if (jx_text(x, pair.list->v[k], &s))
				rc = -1;
			else
				quote(&b, s, true);
		}
		if (rc < 0 || (rc = jx_room(x, b.n, 1)) < 0)
			break;
	}
	*out = jx_str(x, &b);
	return rc;
}

static int f_urlize(struct jx *x, struct value v, const struct args *args, struct value *out)
{
	return jx_fail(x, "the filter 'urlize' is not supported");
}

static int f_xmlattr(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct buf b = { 0 };
	bool space = true;
	struct str s;
	if (!v_is_missing(arg[0]) && jx_truth(x, arg[0], &space))
		return -1;
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(x, v);
	if (v.type != V_DICT)
		return jx_fail(x, "'%s' object has no attribute 'items'", v_type_name(v));
	for (size_t i = 0; i < v.dict->n; i++) {
		struct value key = v.dict->v[i].key, val = v.dict->v[i].val;
		int rc = 0;
		if (val.type == V_NONE || val.type == V_UNDEFINED)
			continue;
		if (key.type != V_STR)
			rc = jx_fail(x, "expected string or bytes-like object, got '%s'", v_type_name(key));
		for (size_t k = 0; !rc && k < key.s.n; k++)
			if (key.s.p[k] && strchr(" \t\n\r\f\v/>=", key.s.p[k]))
				rc = jx_fail(x, "Invalid character in attribute name: '%.*s'", (int)key.s.n, key.s.p);
		if (rc || jx_text(x, val, &s)) {
			buf_fini(&b);
			return -1;
		}
		if (b.n || space)
			buf_putc(&b, ' ');
		buf_str(&b, key.safe ? key.s : jx_escape(x, key.s));
		buf_puts(&b, "=\"");
		buf_str(&b, val.type == V_STR && val.safe ? s : jx_escape(x, s));
		buf_putc(&b, '"');
	}
	*out = jx_str(x, &b);
	return 0;
}

const struct builtin jinja_filters_html[] = {
	{ "e", "", f_escape, NULL },
	{ "escape", "", f_escape, NULL },
	{ "forceescape", "", f_forceescape, NULL },
	{ "safe", "", f_safe, NULL },
	{ "striptags", "", f_striptags, NULL },
	{ "urlencode", "", f_urlencode, NULL },
	{ "urlize", NULL, NULL, f_urlize },
	{ "xmlattr", "autospace", f_xmlattr, NULL },
	{ NULL, NULL, NULL, NULL },
};
