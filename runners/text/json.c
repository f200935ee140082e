/* json.c - values to JSON text, as Python's json.dumps writes it.
 *
 * Floats are repr(float); keys that are not strings become strings as Python makes them; strings escape what Python's
 * encoder escapes (control characters, and with JSON_ASCII everything outside ' '..'~', by UTF-16 units). Writing recurses
 * at most VWALK_DEPTH levels or so and takes a budget, as the values may come from a template.
 */
#include "runners/text/json.h"

#include <math.h>
#include <stdlib.h>

#include "runners/text/utf8.h"

void json_write_str(struct buf *out, struct str s, int flags)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	bool ascii = flags & JSON_ASCII;
	buf_putc(out, '"');
	size_t plain = 0; /* start of the run not yet written */
	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		if (c >= 0x20 && c != '"' && c != '\\' && (c < 0x7f || !ascii)) {
			i++;
			continue;
		}
		buf_add(out, s.p + plain, i - plain);
		const char *known = c ? strchr(from, c) : NULL;
		if (known) {
			buf_putc(out, '\\');
			buf_putc(out, to[known - from]);
			i++;
		} else {
			uint32_t cp = utf8_next(s, &i);
			if (cp >= 0x10000)
				buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((cp - 0x10000) >> 10)),
					   (unsigned)(0xdc00 + (cp & 0x3ff)));
			else
				buf_printf(out, "\\u%04x", (unsigned)cp);
		}
		plain = i;
	}
	buf_add(out, s.p + plain, s.n - plain);
	buf_putc(out, '"');
}

static void write_float(struct buf *out, double f, int flags)
{
	if (isnan(f) || isinf(f)) {
		buf_puts(out, !(flags & JSON_NAN) ? "null" : isnan(f) ? "NaN" : f < 0 ? "-Infinity" : "Infinity");
		return;
	}
	v_write_repr(out, v_float(f), &(struct vwalk){ .left = 1000, .depth = 2 });
}

static void write_key(struct buf *out, struct value k, int flags)
{
	if (k.type == V_STR) {
		json_write_str(out, k.s, flags);
		return;
	}
	buf_putc(out, '"');
	if (k.type == V_FLOAT)
		write_float(out, k.f, flags);
	else if (k.type == V_INT)
		buf_printf(out, "%lld", (long long)k.i);
	else
		buf_puts(out, k.type == V_BOOL ? (k.b ? "true" : "false") : "null");
	buf_putc(out, '"');
}

static int compare_pairs(const void *x, const void *y)
{
	struct value a = (*(struct pair *const *)x)->key, b = (*(struct pair *const *)y)->key;
	if (v_is_num(a) && v_is_num(b))
		return v_compare_num(a, b);
	if (a.type != V_STR || b.type != V_STR)
		return (int)a.type - (int)b.type;
	size_t n = a.s.n < b.s.n ? a.s.n : b.s.n;
	int c = n ? memcmp(a.s.p, b.s.p, n) : 0;
	return c ? c : (a.s.n > b.s.n) - (a.s.n < b.s.n);
}

struct writer {
	struct buf *out;
	const struct json_style *style;
	struct vwalk *walk;
};

static void newline(const struct writer *w, int level)
{
	if (!w->style->indented)
		return;
	buf_putc(w->out, '\n');
	for (int i = 0; i < level; i++)
		buf_str(w->out, w->style->indent);
}

static void write_value(const struct writer *w, struct value v, int level);

static void write_dict(const struct writer *w, const struct dict *d, int level)
{
	struct pair **order = NULL;
	if (w->style->flags & JSON_SORT) {
		order = xmalloc((d->n + 1) * sizeof(struct pair *));
		for (size_t i = 0; i < d->n; i++)
			order[i] = &d->v[i];
		qsort(order, d->n, sizeof(struct pair *), compare_pairs);
	}
	buf_putc(w->out, '{');
	for (size_t i = 0; i < d->n && !w->walk->over; i++) {
		const struct pair *p = order ? order[i] : &d->v[i];
		if (i)
			buf_str(w->out, w->style->item_sep);
		newline(w, level + 1);
		write_key(w->out, p->key, w->style->flags);
		buf_str(w->out, w->style->key_sep);
		write_value(w, p->val, level + 1);
	}
	if (d->n)
		newline(w, level);
	buf_putc(w->out, '}');
	free(order);
}

static void write_value(const struct writer *w, struct value v, int level)
{
	if (!v_walk_in(w->walk,
		       (v.type == V_STR ? v.s.n : 0) + (w->style->indented ? (size_t)level * w->style->indent.n : 0)))
		return;
	switch (v.type) {
	case V_BOOL:
		buf_puts(w->out, v.b ? "true" : "false");
		break;
	case V_INT:
		buf_printf(w->out, "%lld", (long long)v.i);
		break;
	case V_FLOAT:
		write_float(w->out, v.f, w->style->flags);
		break;
	case V_STR:
		json_write_str(w->out, v.s, w->style->flags);
		break;
	case V_LIST:
	case V_TUPLE:
		buf_putc(w->out, '[');
		for (size_t i = 0; i < v.list->n && !w->walk->over; i++) {
			if (i)
				buf_str(w->out, w->style->item_sep);
			newline(w, level + 1);
			write_value(w, v.list->v[i], level + 1);
		}
		if (v.list->n)
			newline(w, level);
		buf_putc(w->out, ']');
		break;
	case V_DICT:
		write_dict(w, v.dict, level);
		break;
	default:
		buf_puts(w->out, "null");
	}
	w->walk->depth++;
}

void json_write_styled(struct buf *out, struct value v, const struct json_style *style, struct vwalk *walk)
{
	write_value(&(struct writer){ out, style, walk }, v, 0);
}

void json_write(struct buf *out, struct value v, int flags, int indent)
{
	static const char blanks[] = "                                ";
	bool compact = flags & JSON_COMPACT;
	struct json_style style = { .flags = flags, .indented = indent >= 0 };
	style.item_sep = compact || indent >= 0 ? STR(",") : STR(", ");
	style.key_sep = compact ? STR(":") : STR(": ");
	style.indent = (struct str){ blanks, indent < 0 ? 0 : (size_t)indent < sizeof blanks ? (size_t)indent : sizeof blanks - 1 };
	json_write_styled(out, v, &style, &(struct vwalk){ .left = UINT64_MAX, .depth = 2 * VWALK_DEPTH + 100 });
}

struct str json_text(struct arena *a, struct value v, int flags, int indent)
{
	struct buf b = { 0 };
	json_write(&b, v, flags, indent);
	struct str s = arena_str(a, b.p ? b.p : "", b.n);
	buf_fini(&b);
	return s;
}

static void write_number(struct buf *out, double d, int digits)
{
	if (isnan(d) || isinf(d))
		buf_puts(out, "null");
	else
		buf_printf(out, "%.*g", digits, d);
}

void json_write_double(struct buf *out, double d)
{
	write_number(out, d, 17);
}

void json_write_float(struct buf *out, float f)
{
	write_number(out, (double)f, 9);
}
