/* jinja_method.c - the methods of str, list, tuple, dict, int and float that templates may call.
 *
 * Rows of tables: name, argument names ('!': must be given), function. Behaviour is Python 3.11's. Methods that would change
 * a list or dict are known by name only, to be refused: documents are read-only here (the chat environment of transformers
 * refuses them too). Absent: encode, translate, maketrans, fromkeys.
 */
#include "runners/text/jinja_int.h"

#include <math.h>
#include <stdlib.h>

#include "runners/text/utf8.h"

/* ---- arguments ---- */

static int opt_int(struct jx *x, struct value v, int64_t absent, int64_t *out)
{
	*out = absent;
	if (v_is_missing(v))
		return 0;
	return jx_int(x, v, NULL, out);
}

/* start and end as in str.find: None and absent are the ends, negative counts from the right. In characters. */
static int opt_range(struct jx *x, struct value from, struct value to, int64_t n, int64_t *a, int64_t *b)
{
	*a = 0;
	*b = n;
	if (from.type != V_NONE && !v_is_missing(from) && jx_int(x, from, NULL, a))
		return -1;
	if (to.type != V_NONE && !v_is_missing(to) && jx_int(x, to, NULL, b))
		return -1;
	*a = *a < 0 ? (*a < -n ? 0 : *a + n) : *a;
	*b = *b < 0 ? (*b < -n ? 0 : *b + n) : *b > n ? n : *b;
	return 0;
}

static struct value like(struct value self, struct str s)
{
	struct value v = v_str(s);
	v.safe = self.safe;
	return v;
}

/* ---- str: case and kind ---- */

static int m_upper(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	*out = like(s, uni_upper(x->a, s.s));
	return 0;
}

static int m_lower(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	*out = like(s, uni_lower(x->a, s.s));
	return 0;
}

static int m_title(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	*out = like(s, uni_title(x->a, s.s));
	return 0;
}

static int m_capitalize(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	*out = like(s, uni_capitalize(x->a, s.s));
	return 0;
}

static int m_swapcase(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < s.s.n;) {
		size_t from = i;
		uint32_t cp = utf8_next(s.s, &i);
		struct str one = { s.s.p + from, i - from };
		buf_str(&b, uni_is_upper(cp) ? uni_lower(x->a, one) : uni_is_lower(cp) ? uni_upper(x->a, one) : one);
	}
	*out = like(s, jx_take(x, &b));
	return 0;
}

static int m_casefold(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	*out = like(s, uni_casefold(x->a, s.s));
	return 0;
}

/* All characters satisfy f, and there is one. */
static bool all_chars(struct str s, bool (*f)(uint32_t))
{
	for (size_t i = 0; i < s.n;)
		if (!f(utf8_next(s, &i)))
			return false;
	return s.n > 0;
}

#define ALL_CHARS(name, f) \
	static int name(struct jx *x, struct value s, struct value *arg, struct value *out) \
	{ \
		*out = v_bool(all_chars(s.s, f)); \
		return 0; \
	}
ALL_CHARS(m_isalpha, uni_is_alpha)
ALL_CHARS(m_isalnum, uni_is_alnum)
ALL_CHARS(m_isdigit, uni_is_digit)
ALL_CHARS(m_isspace, uni_is_space)
ALL_CHARS(m_isdecimal, uni_is_decimal)
ALL_CHARS(m_isnumeric, uni_is_numeric)

static int m_isascii(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	*out = v_bool(str_ascii(s.s));
	return 0;
}

static int m_isprintable(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	*out = v_bool(s.s.n == 0 || all_chars(s.s, uni_is_printable));
	return 0;
}

static int m_isidentifier(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	*out = v_bool(uni_is_identifier(s.s));
	return 0;
}

/* isupper: some upper, no lower or title letter; islower likewise. */
static int m_isupper(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	bool some = false, bad = false;
	for (size_t i = 0; i < s.s.n && !bad;) {
		uint32_t cp = utf8_next(s.s, &i);
		bad = uni_is_lower(cp) || uni_is_title(cp);
		some |= uni_is_upper(cp);
	}
	*out = v_bool(some && !bad);
	return 0;
}

static int m_islower(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	bool some = false, bad = false;
	for (size_t i = 0; i < s.s.n && !bad;) {
		uint32_t cp = utf8_next(s.s, &i);
		bad = uni_is_upper(cp) || uni_is_title(cp);
		some |= uni_is_lower(cp);
	}
	*out = v_bool(some && !bad);
	return 0;
}

static int m_istitle(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	bool some = false, bad = false, cased = false;
	for (size_t i = 0; i < s.s.n && !bad;) {
		uint32_t cp = utf8_next(s.s, &i);
		bool upper = uni_is_upper(cp) || uni_is_title(cp), lower = uni_is_lower(cp);
		bad = (upper && cased) || (lower && !cased);
		cased = upper || lower;
		some |= cased;
	}
	*out = v_bool(some && !bad);
	return 0;
}

/* ---- str: cutting ---- */

int jx_strip(struct jx *x, struct value s, struct value chars, bool left, bool right, struct value *out)
{
	struct str set, t = s.s;
	if (v_is_missing(chars) || chars.type == V_NONE) {
		t = left ? str_lstrip(t) : t;
		t = right ? str_rstrip(t) : t;
	} else {
		if (jx_want_str(x, chars, "strip arg", &set))
			return -1;
		t = str_strip_chars(t, set, left, right);
	}
	*out = like(s, t);
	return 0;
}

static int m_strip(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	return jx_strip(x, s, arg[0], true, true, out);
}

static int m_lstrip(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	return jx_strip(x, s, arg[0], true, false, out);
}

static int m_rstrip(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	return jx_strip(x, s, arg[0], false, true, out);
}

static void mark_items(struct value self, struct value list)
{
	for (size_t i = 0; self.safe && i < list.list->n; i++)
		list.list->v[i].safe = true;
}

static int split(struct jx *x, struct value s, struct value *arg, bool right, struct value *out)
{
	int64_t max;
	if (opt_int(x, arg[1], -1, &max) || jx_split(x, s.s, arg[0], max < 0 ? -1 : max, right, out))
		return -1;
	mark_items(s, *out);
	return 0;
}

static int m_split(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	return split(x, s, arg, false, out);
}

static int m_rsplit(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	return split(x, s, arg, true, out);
}

static int m_splitlines(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	bool keep = false;
	if (!v_is_missing(arg[0]) && jx_truth(x, arg[0], &keep))
		return -1;
	if (str_split_lines(x, s.s, keep, out))
		return -1;
	mark_items(s, *out);
	return 0;
}

static int partition(struct jx *x, struct value s, struct value sep, bool right, struct value *out)
{
	struct str by, t = s.s;
	if (jx_want_str(x, sep, "the separator", &by))
		return -1;
	if (!by.n)
		return jx_fail(x, "empty separator");
	const char *hit;
	if (str_find(x, t, by, right, &hit))
		return -1;
	size_t at = hit ? (size_t)(hit - t.p) : right ? 0 : t.n, behind = hit ? at + by.n : right ? 0 : t.n;
	*out = v_tuple(x->a, 3);
	v_push(x->a, *out, like(s, (struct str){ t.p, at }));
	v_push(x->a, *out, hit && !s.safe ? sep : like(s, hit ? by : STR("")));
	v_push(x->a, *out, like(s, (struct str){ t.p + behind, t.n - behind }));
	return 0;
}

static int m_partition(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	return partition(x, s, arg[0], false, out);
}

static int m_rpartition(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	return partition(x, s, arg[0], true, out);
}

static int m_removeprefix(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	struct str p;
	if (jx_want_str(x, arg[0], "removeprefix() argument", &p))
		return -1;
	*out = like(s, str_starts(s.s, p) ? (struct str){ s.s.p + p.n, s.s.n - p.n } : s.s);
	return 0;
}

static int m_removesuffix(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	struct str p;
	if (jx_want_str(x, arg[0], "removesuffix() argument", &p))
		return -1;
	*out = like(s, p.n && str_ends(s.s, p) ? (struct str){ s.s.p, s.s.n - p.n } : s.s);
	return 0;
}

/* ---- str: searching ---- */

/* The part [start, end) of a string, or false when start lies past the end (then nothing is found, not even ""). */
static int window(struct jx *x, struct str s, struct value *arg, struct str *out, int64_t *from, bool *inside)
{
	int64_t to, n = (int64_t)str_chars(s);
	if (opt_range(x, arg[0], arg[1], n, from, &to))
		return -1;
	*inside = *from <= n && *from <= to;
	*out = *inside ? str_sub(s, *from, to) : STR("");
	if (*inside && out->n == 0)
		out->p = s.p;
	return 0;
}

static int find(struct jx *x, struct value s, struct value *arg, bool right, int64_t *at)
{
	struct str sub, part;
	int64_t from;
	bool inside;
	if (jx_want_str(x, arg[0], "the argument", &sub) || window(x, s.s, arg + 1, &part, &from, &inside))
		return -1;
	const char *hit = NULL;
	if (inside && str_find(x, part, sub, right, &hit))
		return -1;
	*at = hit ? from + (int64_t)str_chars((struct str){ part.p, (size_t)(hit - part.p) }) : -1;
	return jx_step(x, s.s.n / 64);
}

static int m_find(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	int64_t at;
	int rc = find(x, s, arg, false, &at);
	*out = v_int(at);
	return rc;
}

static int m_rfind(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	int64_t at;
	int rc = find(x, s, arg, true, &at);
	*out = v_int(at);
	return rc;
}

static int m_index(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	return m_find(x, s, arg, out) ? -1 : out->i < 0 ? jx_fail(x, "substring not found") : 0;
}

static int m_rindex(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	return m_rfind(x, s, arg, out) ? -1 : out->i < 0 ? jx_fail(x, "substring not found") : 0;
}

static int m_count(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	struct str sub, part;
	int64_t from, n = 0;
	bool inside;
	if (jx_want_str(x, arg[0], "the argument", &sub) || window(x, s.s, arg + 1, &part, &from, &inside))
		return -1;
	if (inside && !sub.n)
		n = (int64_t)str_chars(part) + 1;
	for (const char *p; inside && sub.n && !str_find(x, part, sub, false, &p) && p; n++) {
		size_t behind = (size_t)(p - part.p) + sub.n;
		part = (struct str){ part.p + behind, part.n - behind };
	}
	*out = v_int(n);
	return jx_step(x, s.s.n / 64);
}

static int affix(struct jx *x, struct value s, struct value *arg, bool (*test)(struct str, struct str), const char *fn,
		 struct value *out)
{
	struct str part, sub;
	int64_t from;
	bool inside, yes = false;
	if (window(x, s.s, arg + 1, &part, &from, &inside))
		return -1;
	bool tuple = arg[0].type == V_TUPLE;
	for (size_t i = 0; i < (tuple ? arg[0].list->n : 1) && !yes; i++) {
		if (jx_want_str(x, tuple ? arg[0].list->v[i] : arg[0], fn, &sub))
			return -1;
		if (jx_step(x, 1 + sub.n / 64))
			return -1;
		yes = inside && test(part, sub);
	}
	*out = v_bool(yes);
	return 0;
}

static int m_startswith(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	return affix(x, s, arg, str_starts, "startswith first arg", out);
}

static int m_endswith(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	return affix(x, s, arg, str_ends, "endswith first arg", out);
}

/* ---- str: building ---- */

static int m_replace(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	struct str old, with, r;
	int64_t count;
	if (jx_want_str(x, arg[0], "replace() argument 1", &old) ||
	    (s.safe ? jx_text(x, arg[1], &with) : jx_want_str(x, arg[1], "replace() argument 2", &with)) ||
	    opt_int(x, arg[2], -1, &count))
		return -1;
	if (s.safe && !(arg[1].type == V_STR && arg[1].safe))
		with = jx_escape(x, with);
	if (jx_replace(x, s.s, old, with, count < 0 ? -1 : count, &r))
		return -1;
	*out = like(s, r);
	return 0;
}

static int m_join(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	struct iter it;
	struct value item;
	struct buf b = { 0 };
	int rc;
	if (jx_iter(x, arg[0], &it))
		return -1;
	for (size_t i = 0; (rc = jx_next(x, &it, &item)) > 0; i++) {
		if (item.type != V_STR && !s.safe) {
			rc = jx_fail(x, "sequence item %zu: expected str instance, %s found", i, v_type_name(item));
			break;
		}
		struct str t;
		if (jx_text(x, item, &t) || jx_room(x, b.n + t.n + s.s.n, 1)) {
			rc = -1;
			break;
		}
		if (i)
			buf_str(&b, s.s);
		buf_str(&b, s.safe && !(item.type == V_STR && item.safe) ? jx_escape(x, t) : t);
	}
	if (rc < 0) {
		buf_fini(&b);
		return -1;
	}
	*out = like(s, jx_take(x, &b));
	return 0;
}

/* Pads to `width` characters; left: how many of the pad go to the left. */
static int pad(struct jx *x, struct value s, int64_t width, struct value fill, int side, struct value *out)
{
	struct str c = STR(" ");
	int64_t n = (int64_t)str_chars(s.s), all = width > n ? width - n : 0, left = 0;
	struct buf b = { 0 };
	if (!v_is_missing(fill)) {
		if (jx_want_str(x, fill, "the fill character", &c))
			return -1;
		if (s.safe && !fill.safe)
			c = jx_escape(x, c);
		if (str_chars(c) != 1)
			return jx_fail(x, "The fill character must be exactly one character long");
	}
	if (jx_room(x, (size_t)all, c.n))
		return -1;
	if (side == 'r')
		left = all;
	else if (side == 'c')
		left = all / 2 + (all & width & 1);
	for (int64_t i = 0; i < left; i++)
		buf_str(&b, c);
	buf_str(&b, s.s);
	for (int64_t i = left; i < all; i++)
		buf_str(&b, c);
	*out = like(s, jx_take(x, &b));
	return 0;
}

static int m_center(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	int64_t w;
	return jx_int(x, arg[0], NULL, &w) || pad(x, s, w, arg[1], 'c', out) ? -1 : 0;
}

static int m_ljust(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	int64_t w;
	return jx_int(x, arg[0], NULL, &w) || pad(x, s, w, arg[1], 'l', out) ? -1 : 0;
}

static int m_rjust(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	int64_t w;
	return jx_int(x, arg[0], NULL, &w) || pad(x, s, w, arg[1], 'r', out) ? -1 : 0;
}

static int m_zfill(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	int64_t w;
	bool sign = s.s.n && (s.s.p[0] == '-' || s.s.p[0] == '+');
	struct value rest = like(s, (struct str){ s.s.p + sign, s.s.n - sign });
	if (jx_int(x, arg[0], NULL, &w))
		return -1;
	if (pad(x, rest, w - sign, v_cstr("0"), 'r', out))
		return -1;
	if (sign) {
		char *p = arena_alloc(x->a, out->s.n + 2);
		p[0] = s.s.p[0];
		memcpy(p + 1, out->s.p, out->s.n);
		out->s = (struct str){ p, out->s.n + 1 };
	}
	return 0;
}

static int m_expandtabs(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	int64_t size, column = 0;
	struct buf b = { 0 };
	if (opt_int(x, arg[0], 8, &size))
		return -1;
	for (size_t i = 0; i < s.s.n;) {
		size_t from = i;
		uint32_t cp = utf8_next(s.s, &i);
		if (cp == '\t') {
			int64_t n = size > 0 ? size - column % size : 0;
			if (jx_room(x, b.n + (size_t)n, 1)) {
				buf_fini(&b);
				return -1;
			}
			for (int64_t k = 0; k < n; k++)
				buf_putc(&b, ' ');
			column += n;
			continue;
		}
		buf_add(&b, s.s.p + from, i - from);
		column = cp == '\n' || cp == '\r' ? 0 : column + 1;
	}
	*out = like(s, jx_take(x, &b));
	return 0;
}

static int m_format(struct jx *x, struct value s, const struct args *args, struct value *out)
{
	return jx_format_braces(x, s, args, out);
}

static int m_format_map(struct jx *x, struct value s, struct value *arg, struct value *out)
{
	struct args a = { 0 };
	if (arg[0].type != V_DICT)
		return jx_fail(x, "format_map() argument must be a mapping, not %s", v_type_name(arg[0]));
	a.kw = arg[0].dict->v;
	a.nkw = arg[0].dict->n;
	return jx_format_braces(x, s, &a, out);
}

/* ---- list, tuple ---- */

static int m_list_index(struct jx *x, struct value l, struct value *arg, struct value *out)
{
	int64_t from, to;
	bool same = false;
	if (opt_range(x, arg[1], arg[2], (int64_t)l.list->n, &from, &to))
		return -1;
	for (int64_t i = from; i < to; i++) {
		if (jx_same(x, l.list->v[i], arg[0], &same))
			return -1;
		if (same) {
			*out = v_int(i);
			return 0;
		}
	}
	struct str r;
	if (jx_repr(x, arg[0], &r))
		return -1;
	if (l.type == V_TUPLE)
		return jx_fail(x, "tuple.index(x): x not in tuple");
	return jx_fail(x, "%.*s is not in list", (int)(r.n < 300 ? r.n : 300), r.p);
}

static int m_list_count(struct jx *x, struct value l, struct value *arg, struct value *out)
{
	int64_t n = 0;
	bool same;
	for (size_t i = 0; i < l.list->n; i++) {
		if (jx_same(x, l.list->v[i], arg[0], &same))
			return -1;
		n += same;
	}
	*out = v_int(n);
	return 0;
}

static int m_list_copy(struct jx *x, struct value l, struct value *arg, struct value *out)
{
	return jx_to_list(x, l, out);
}

static int m_refused(struct jx *x, struct value self, const struct args *args, struct value *out)
{
	return jx_fail(x, "changing a %s is not supported: documents are read-only", v_type_name(self));
}

/* ---- dict ---- */

static int m_get(struct jx *x, struct value d, struct value *arg, struct value *out)
{
	if (arg[0].type == V_UNDEFINED && x->strict)
		return jx_undef_fail(x, arg[0]);
	if (!v_hashable(arg[0]))
		return jx_fail(x, "unhashable type: '%s'", v_type_name(arg[0]));
	if (jx_reads(x, arg[0]))
		return -1;
	const struct value *v = v_get_key(d, arg[0]);
	*out = v ? *v : v_is_missing(arg[1]) ? VNONE : arg[1];
	return 0;
}

static int view(struct jx *x, struct value d, int what, struct value *out)
{
	struct o_view *v = ARENA_NEW(x->a, struct o_view);
	*v = (struct o_view){ { &jinja_view_type }, d, what };
	*out = jx_object(v);
	return 0;
}

static int m_keys(struct jx *x, struct value d, struct value *arg, struct value *out)
{
	return view(x, d, 'k', out);
}

static int m_values(struct jx *x, struct value d, struct value *arg, struct value *out)
{
	return view(x, d, 'v', out);
}

static int m_items(struct jx *x, struct value d, struct value *arg, struct value *out)
{
	return view(x, d, 'i', out);
}

static int m_dict_copy(struct jx *x, struct value d, struct value *arg, struct value *out)
{
	*out = v_dict(x->a);
	for (size_t i = 0; i < d.dict->n; i++)
		v_set_key(x->a, *out, d.dict->v[i].key, d.dict->v[i].val);
	return jx_step(x, d.dict->n);
}

/* ---- numbers ---- */

static int m_is_integer(struct jx *x, struct value f, struct value *arg, struct value *out)
{
	*out = v_bool(!isnan(f.f) && !isinf(f.f) && jx_fmod(f.f, 1) == 0);
	return 0;
}

static int m_bit_length(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	int64_t i = v.type == V_INT ? v.i : v.b, n = 0;
	for (uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i; u; u >>= 1)
		n++;
	*out = v_int(n);
	return 0;
}

/* ---- tables ---- */

static const struct method str_methods[] = {
	{ "capitalize", "", m_capitalize, NULL, false },
	{ "casefold", "", m_casefold, NULL, false },
	{ "center", "width! fillchar", m_center, NULL, false },
	{ "count", "sub! start end", m_count, NULL, false },
	{ "endswith", "suffix! start end", m_endswith, NULL, false },
	{ "expandtabs", "tabsize", m_expandtabs, NULL, false },
	{ "find", "sub! start end", m_find, NULL, false },
	{ "format", NULL, NULL, m_format, false },
	{ "format_map", "mapping!", m_format_map, NULL, false },
	{ "index", "sub! start end", m_index, NULL, false },
	{ "isalnum", "", m_isalnum, NULL, false },
	{ "isalpha", "", m_isalpha, NULL, false },
	{ "isascii", "", m_isascii, NULL, false },
	{ "isdecimal", "", m_isdecimal, NULL, false },
	{ "isdigit", "", m_isdigit, NULL, false },
	{ "isidentifier", "", m_isidentifier, NULL, false },
	{ "islower", "", m_islower, NULL, false },
	{ "isnumeric", "", m_isnumeric, NULL, false },
	{ "isprintable", "", m_isprintable, NULL, false },
	{ "isspace", "", m_isspace, NULL, false },
	{ "istitle", "", m_istitle, NULL, false },
	{ "isupper", "", m_isupper, NULL, false },
	{ "join", "iterable!", m_join, NULL, false },
	{ "ljust", "width! fillchar", m_ljust, NULL, false },
	{ "lower", "", m_lower, NULL, false },
	{ "lstrip", "chars", m_lstrip, NULL, false },
	{ "partition", "sep!", m_partition, NULL, false },
	{ "removeprefix", "prefix!", m_removeprefix, NULL, false },
	{ "removesuffix", "suffix!", m_removesuffix, NULL, false },
	{ "replace", "old! new! count", m_replace, NULL, false },
	{ "rfind", "sub! start end", m_rfind, NULL, false },
	{ "rindex", "sub! start end", m_rindex, NULL, false },
	{ "rjust", "width! fillchar", m_rjust, NULL, false },
	{ "rpartition", "sep!", m_rpartition, NULL, false },
	{ "rsplit", "sep maxsplit", m_rsplit, NULL, false },
	{ "rstrip", "chars", m_rstrip, NULL, false },
	{ "split", "sep maxsplit", m_split, NULL, false },
	{ "splitlines", "keepends", m_splitlines, NULL, false },
	{ "startswith", "prefix! start end", m_startswith, NULL, false },
	{ "strip", "chars", m_strip, NULL, false },
	{ "swapcase", "", m_swapcase, NULL, false },
	{ "title", "", m_title, NULL, false },
	{ "upper", "", m_upper, NULL, false },
	{ "zfill", "width!", m_zfill, NULL, false },
	{ NULL, NULL, NULL, NULL, false },
};

static const struct method list_methods[] = {
	{ "count", "value!", m_list_count, NULL, false },
	{ "index", "value! start stop", m_list_index, NULL, false },
	{ "copy", "", m_list_copy, NULL, false },
	{ "append", NULL, NULL, m_refused, true },
	{ "clear", NULL, NULL, m_refused, true },
	{ "extend", NULL, NULL, m_refused, true },
	{ "insert", NULL, NULL, m_refused, true },
	{ "pop", NULL, NULL, m_refused, true },
	{ "remove", NULL, NULL, m_refused, true },
	{ "reverse", NULL, NULL, m_refused, true },
	{ "sort", NULL, NULL, m_refused, true },
	{ NULL, NULL, NULL, NULL, false },
};

static const struct method tuple_methods[] = {
	{ "count", "value!", m_list_count, NULL, false },
	{ "index", "value! start stop", m_list_index, NULL, false },
	{ NULL, NULL, NULL, NULL, false },
};

static const struct method dict_methods[] = {
	{ "get", "key! default", m_get, NULL, false },
	{ "items", "", m_items, NULL, false },
	{ "keys", "", m_keys, NULL, false },
	{ "values", "", m_values, NULL, false },
	{ "copy", "", m_dict_copy, NULL, false },
	{ "clear", NULL, NULL, m_refused, true },
	{ "pop", NULL, NULL, m_refused, true },
	{ "popitem", NULL, NULL, m_refused, true },
	{ "setdefault", NULL, NULL, m_refused, true },
	{ "update", NULL, NULL, m_refused, true },
	{ NULL, NULL, NULL, NULL, false },
};

static const struct method float_methods[] = {
	{ "is_integer", "", m_is_integer, NULL, false },
	{ NULL, NULL, NULL, NULL, false },
};

static const struct method int_methods[] = {
	{ "bit_length", "", m_bit_length, NULL, false },
	{ NULL, NULL, NULL, NULL, false },
};

const struct method *jinja_method_find(enum vtype self, struct str name)
{
	static const struct method *const tables[] = { [V_BOOL] = int_methods, [V_INT] = int_methods,
		[V_FLOAT] = float_methods,
		[V_STR] = str_methods, [V_LIST] = list_methods, [V_TUPLE] = tuple_methods, [V_DICT] = dict_methods,
		[V_OBJECT] = NULL };
	for (const struct method *m = tables[self]; m && m->name; m++)
		if (str_is(name, m->name))
			return m;
	return NULL;
}
