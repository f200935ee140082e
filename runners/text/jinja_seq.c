/* jinja_seq.c - filters on sequences: sorting, grouping, selecting, joining.
 *
 * map, select, reject (and ...attr), unique, batch, slice and items give generators: nothing happens until they are iterated,
 * they can be iterated once, and they have no length, as in jinja2. Sorting is stable and compares as Python's < does;
 * strings compare in lower case unless case_sensitive. An attribute is a dotted path ("a.b.0"); sort takes several,
 * separated by commas.
 */
#include "runners/text/jinja_int.h"

#include <stdio.h>

#include "runners/text/utf8.h"

/* ---- attribute paths ---- */

static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.n;)
		if (!uni_is_digit(utf8_next(s, &i)))
			return false;
	return s.n > 0;
}

/* Follows "a.b.0" from v; `fallback` (unless missing) stands for undefined steps. */
static int follow(struct jx *x, struct value v, struct value path, struct value fallback, struct value *out)
{
	*out = v;
	if (v_is_missing(path) || path.type == V_NONE)
		return 0;
	struct str rest = path.type == V_STR ? path.s : STR("");
	for (bool more = true; more;) {
		struct value key = path;
		more = false;
		if (path.type == V_STR) {
			const char *dot = rest.n ? memchr(rest.p, '.', rest.n) : NULL;
			struct str part = { rest.p, dot ? (size_t)(dot - rest.p) : rest.n };
			bool big;
			int64_t i;
			key = v_str(part);
			if (all_digits(part) && jx_parse_int(x, part, 10, &i, &big))
				key = v_int(i);
			more = dot != NULL;
			if (dot)
				rest = (struct str){ dot + 1, rest.n - part.n - 1 };
		}
		if (jx_getitem(x, *out, key, out))
			return -1;
		if (out->type == V_UNDEFINED && !v_is_missing(fallback) && fallback.type != V_NONE)
			*out = fallback;
	}
	return 0;
}

static struct value fold(struct jx *x, struct value v, bool case_sensitive)
{
	return v.type == V_STR && !case_sensitive ? v_str(uni_lower(x->a, v.s)) : v;
}

static int flag(struct jx *x, struct value v, bool *out)
{
	*out = false;
	return v_is_missing(v) ? 0 : jx_truth(x, v, out);
}

/* ---- sorting ---- */

struct keyed {
	struct value key, val;
};

static int merge(struct jx *x, struct keyed *v, struct keyed *tmp, size_t n, bool reverse)
{
	if (n < 2)
		return 0;
	size_t half = n / 2, i = 0, k = half, o = 0;
	if (merge(x, v, tmp, half, reverse) || merge(x, v + half, tmp, n - half, reverse))
		return -1;
	while (i < half && k < n) {
		int c;
		/* the right one goes first only when it is truly less (reversed: greater) */
		if (reverse ? jx_less(x, v[i].key, v[k].key, "<", &c) : jx_less(x, v[k].key, v[i].key, "<", &c))
			return -1;
		tmp[o++] = c == -1 ? v[k++] : v[i++];
	}
	while (i < half)
		tmp[o++] = v[i++];
	memcpy(v, tmp, o * sizeof *v);
	return 0;
}

static int sort_keyed(struct jx *x, struct keyed *v, size_t n, bool reverse)
{
	if (jx_room(x, n, sizeof *v))
		return -1;
	return merge(x, v, ARENA_ARRAY(x->a, n, struct keyed), n, reverse);
}

static int make_keyed(struct jx *x, struct value v, struct keyed **out, size_t *n)
{
	struct value list;
	if (jx_to_list(x, v, &list))
		return -1;
	*n = list.list->n;
	*out = ARENA_ARRAY(x->a, *n, struct keyed);
	for (size_t i = 0; i < *n; i++)
		(*out)[i].val = (*out)[i].key = list.list->v[i];
	return 0;
}

/* The keys of sort: one per attribute, compared in turn. */
static int sort_key(struct jx *x, struct value v, struct value attribute, bool case_sensitive, struct value *out)
{
	struct value key;
	if (attribute.type != V_STR || !memchr(attribute.s.p, ',', attribute.s.n)) {
		if (follow(x, v, attribute, VMISSING, &key))
			return -1;
		if (!case_sensitive && jx_reads(x, key))
			return -1;
		*out = fold(x, key, case_sensitive);
		if (out->type != V_STR && !v_is_num(*out)) { /* in a list, where equal items are not asked for their order */
			key = *out;
			*out = v_list(x->a, 1);
			v_push(x->a, *out, key);
		}
		return 0;
	}
	struct value names;
	if (jx_split(x, attribute.s, v_cstr(","), -1, false, &names))
		return -1;
	*out = v_list(x->a, names.list->n);
	for (size_t i = 0; i < names.list->n; i++) {
		if (follow(x, v, names.list->v[i], VMISSING, &key))
			return -1;
		if (!case_sensitive && jx_reads(x, key))
			return -1;
		v_push(x->a, *out, fold(x, key, case_sensitive));
	}
	return 0;
}

static int f_sort(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	bool reverse, cs;
	struct keyed *k;
	size_t n;
	if (flag(x, arg[0], &reverse) || flag(x, arg[1], &cs) || make_keyed(x, v, &k, &n))
		return -1;
	for (size_t i = 0; i < n; i++)
		if (sort_key(x, k[i].val, arg[2], cs, &k[i].key))
			return -1;
	if (sort_keyed(x, k, n, reverse))
		return -1;
	*out = v_list(x->a, n);
	for (size_t i = 0; i < n; i++)
		v_push(x->a, *out, k[i].val);
	return 0;
}

static int f_dictsort(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	bool cs, reverse, by_value = arg[1].type == V_STR && str_is(arg[1].s, "value");
	if (!v_is_missing(arg[1]) && !by_value && !(arg[1].type == V_STR && str_is(arg[1].s, "key")))
		return jx_fail(x, "You can only sort by either \"key\" or \"value\"");
	if (flag(x, arg[0], &cs) || flag(x, arg[2], &reverse))
		return -1;
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(x, v);
	if (v.type != V_DICT)
		return jx_fail(x, "'%s' object has no attribute 'items'", v_type_name(v));
	size_t n = v.dict->n;
	struct keyed *k = ARENA_ARRAY(x->a, n, struct keyed);
	for (size_t i = 0; i < n; i++) {
		k[i].key = fold(x, by_value ? v.dict->v[i].val : v.dict->v[i].key, cs);
		k[i].val = v_tuple(x->a, 2);
		v_push(x->a, k[i].val, v.dict->v[i].key);
		v_push(x->a, k[i].val, v.dict->v[i].val);
	}
	if (sort_keyed(x, k, n, reverse))
		return -1;
	*out = v_list(x->a, n);
	for (size_t i = 0; i < n; i++)
		v_push(x->a, *out, k[i].val);
	return 0;
}

static int f_groupby(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	bool cs;
	struct keyed *k;
	size_t n;
	if (flag(x, arg[2], &cs) || make_keyed(x, v, &k, &n))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (follow(x, k[i].val, arg[0], arg[1], &k[i].key))
			return -1;
		if (!cs && jx_reads(x, k[i].key))
			return -1;
		k[i].key = fold(x, k[i].key, cs);
	}
	if (sort_keyed(x, k, n, false))
		return -1;
	*out = v_list(x->a, 0);
	for (size_t i = 0; i < n;) {
		struct value items = v_list(x->a, 0), group = v_tuple(x->a, 2), key;
		bool same = true;
		size_t first = i;
		while (i < n && same) {
			v_push(x->a, items, k[i++].val);
			if (i < n && jx_equal(x, k[first].key, k[i].key, &same))
				return -1;
		}
		if (follow(x, k[first].val, arg[0], arg[1], &key)) /* the first item's own spelling */
			return -1;
		v_push(x->a, group, key);
		v_push(x->a, group, items);
		group.safe = true; /* has the attributes grouper and list */
		v_push(x->a, *out, group);
	}
	return 0;
}

static int min_max(struct jx *x, struct value v, struct value *arg, bool max, struct value *out)
{
	struct iter it;
	struct value item, key, best = VMISSING;
	bool cs;
	int rc, c;
	if (flag(x, arg[0], &cs) || jx_iter(x, v, &it))
		return -1;
	while ((rc = jx_next(x, &it, &item)) > 0) {
		if (follow(x, item, arg[1], VMISSING, &key))
			return -1;
		if (!cs && jx_reads(x, key))
			return -1;
		key = fold(x, key, cs);
		if (!v_is_missing(best)) {
			if (jx_less(x, key, best, max ? ">" : "<", &c))
				return -1;
			if (c != (max ? 1 : -1))
				continue;
		}
		best = key;
		*out = item;
	}
	if (rc < 0)
		return -1;
	if (v_is_missing(best))
		*out = jx_undef_hint(x, "No aggregated item, sequence was empty.");
	return 0;
}

static int f_min(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return min_max(x, v, arg, false, out);
}

static int f_max(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return min_max(x, v, arg, true, out);
}

/* ---- ends, list, join, sum ---- */

static int f_first(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct iter it;
	if (jx_iter(x, v, &it))
		return -1;
	int rc = jx_next(x, &it, out);
	if (!rc)
		*out = jx_undef_hint(x, "No first item, sequence was empty.");
	return rc < 0 ? -1 : 0;
}

static bool reversible(struct value v)
{
	return jx_has_len(v) && !jx_is(v, &jinja_loop_type);
}

static int f_last(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct value list;
	int64_t n;
	if (!reversible(v))
		return jx_fail(x, "'%s' object is not reversible", v_type_name(v));
	if (jx_len(x, v, &n))
		return -1;
	if (!n) {
		*out = jx_undef_hint(x, "No last item, sequence was empty.");
		return 0;
	}
	bool found = false;
	if (v.type != V_DICT && jx_subscript(x, v, v_int(-1), out, &found))
		return -1;
	if (found)
		return 0;
	if (jx_to_list(x, v, &list))
		return -1;
	*out = list.list->v[list.list->n - 1];
	return 0;
}

static int f_list(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return jx_to_list(x, v, out);
}

static int reversed_next(struct jx *x, struct o_generator *g, struct value *out)
{
	if (g->count <= 0)
		return 0;
	*out = g->seen.list->v[--g->count];
	return 1;
}

static int f_reverse(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct value list;
	if (v.type == V_STR) {
		struct value part[3] = { VNONE, VNONE, v_int(-1) };
		return jx_slice(x, v, part, out);
	}
	if (!jx_iterable(x, v))
		return jx_fail(x, "argument must be iterable");
	if (jx_to_list(x, v, &list))
		return -1;
	if (!reversible(v)) {
		*out = v_list(x->a, list.list->n);
		for (size_t i = list.list->n; i-- > 0;)
			v_push(x->a, *out, list.list->v[i]);
		return 0;
	}
	struct o_generator *g = jx_generator(x, v, reversed_next);
	g->seen = list;
	g->count = (int64_t)list.list->n;
	g->filter = "list_reverseiterator";
	*out = jx_object(g);
	return 0;
}

static int f_join(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct iter it;
	struct value item;
	struct buf b = { 0 };
	struct str sep = STR(""), s;
	int rc;
	if ((!v_is_missing(arg[0]) && jx_text(x, arg[0], &sep)) || jx_iter(x, v, &it))
		return -1;
	for (size_t i = 0; (rc = jx_next(x, &it, &item)) > 0; i++) {
		if (follow(x, item, arg[1], VMISSING, &item) || jx_text(x, item, &s) ||
		    jx_room(x, b.n + s.n + sep.n, 1)) {
			rc = -1;
			break;
		}
		if (i)
			buf_str(&b, sep);
		buf_str(&b, s);
	}
	*out = jx_str(x, &b);
	return rc;
}

static int f_sum(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct iter it;
	struct value item;
	int rc;
	*out = v_is_missing(arg[1]) ? v_int(0) : arg[1];
	if (jx_iter(x, v, &it))
		return -1;
	if (out->type == V_STR)
		return jx_fail(x, "sum() can't sum strings [use ''.join(seq) instead]");
	while ((rc = jx_next(x, &it, &item)) > 0)
		if (follow(x, item, arg[0], VMISSING, &item) || jx_binop(x, '+', *out, item, out))
			return -1;
	return rc;
}

/* ---- generators ---- */

/* The start of a lazy filter: `if value: ...` in jinja2, so a false value gives nothing. */
static int begin(struct jx *x, struct o_generator *g, bool check)
{
	bool yes = true;
	if (g->started)
		return 1;
	g->started = true;
	if (check && jx_truth(x, g->value, &yes))
		return -1;
	if (!yes)
		return 0;
	return jx_iter(x, g->value, &g->src) ? -1 : 1;
}

static const struct value *keyword(const struct args *a, const char *name)
{
	for (size_t i = 0; i < a->nkw; i++)
		if (str_is(a->kw[i].key.s, name))
			return &a->kw[i].val;
	return NULL;
}

static int lookup(struct jx *x, struct o_generator *g, struct value name, bool filter)
{
	struct str s;
	if (name.type == V_UNDEFINED)
		return jx_undef_fail(x, name);
	if (jx_text(x, name, &s))
		return -1;
	g->fn = name.type != V_STR ? NULL : filter ? jinja_filter_find(s, x->j->env) : jinja_test_find(s);
	if (g->fn)
		return 0;
	char hint[100], word[80];
	snprintf(word, sizeof word, "%.*s", (int)(s.n < 70 ? s.n : 70), s.p);
	err_hint(hint, sizeof hint, word, filter ? jinja_filters(x->j->env) : jinja_tests());
	return jx_fail(x, "no %s named '%s'%s", filter ? "filter" : "test", word, hint);
}

static int map_begin(struct jx *x, struct o_generator *g)
{
	const struct value *attribute = keyword(&g->args, "attribute"), *fallback = keyword(&g->args, "default");
	int rc = begin(x, g, true);
	if (rc <= 0)
		return rc;
	if (!g->args.npos && attribute) {
		if (g->args.nkw > (fallback ? 2u : 1u))
			return jx_fail(x, "Unexpected keyword argument for map");
		g->flag = true;
		g->attr = *attribute;
		g->extra = fallback ? *fallback : VMISSING;
		return 1;
	}
	if (!g->args.npos)
		return jx_fail(x, "map requires a filter argument");
	if (lookup(x, g, g->args.pos[0], true))
		return -1;
	g->args.pos++;
	g->args.npos--;
	return 1;
}

static int map_next(struct jx *x, struct o_generator *g, struct value *out)
{
	struct value item;
	int rc = g->started ? 1 : map_begin(x, g);
	if (rc <= 0 || (rc = jx_next(x, &g->src, &item)) <= 0)
		return rc;
	if (g->flag)
		return follow(x, item, g->attr, g->extra, out) ? -1 : 1;
	return jx_apply(x, g->fn, item, &g->args, out) ? -1 : 1;
}

/* select and reject: flag: by attribute; negate: reject. */
static int select_begin(struct jx *x, struct o_generator *g)
{
	int rc = begin(x, g, true);
	size_t used = 0;
	if (rc <= 0)
		return rc;
	g->attr = VMISSING;
	if (g->flag) {
		if (!g->args.npos)
			return jx_fail(x, "Missing parameter for attribute name");
		g->attr = g->args.pos[used++];
	}
	if (g->args.npos > used && lookup(x, g, g->args.pos[used++], false))
		return -1;
	g->args.pos += used;
	g->args.npos -= used;
	return 1;
}

static int select_next(struct jx *x, struct o_generator *g, struct value *out)
{
	int rc = g->started ? 1 : select_begin(x, g);
	while (rc > 0 && (rc = jx_next(x, &g->src, out)) > 0) {
		struct value v, r;
		bool yes;
		if (follow(x, *out, g->attr, VMISSING, &v))
			return -1;
		r = v;
		if ((g->fn && jx_apply(x, g->fn, v, &g->args, &r)) || jx_truth(x, r, &yes))
			return -1;
		if (yes != g->negate)
			return 1;
	}
	return rc;
}

static int unique_next(struct jx *x, struct o_generator *g, struct value *out)
{
	int rc = begin(x, g, false);
	while (rc > 0 && (rc = jx_next(x, &g->src, out)) > 0) {
		struct value key;
		if (follow(x, *out, g->attr, VMISSING, &key))
			return -1;
		key = fold(x, key, g->flag);
		if (key.type == V_UNDEFINED && x->strict)
			return jx_undef_fail(x, key);
		if (!v_hashable(key))
			return jx_fail(x, "unhashable type: '%s'", v_type_name(key));
		if (jx_reads(x, key))
			return -1;
		if (v_get_key(g->seen, key))
			continue;
		v_set_key(x->a, g->seen, key, VNONE);
		return 1;
	}
	return rc;
}

static int batch_next(struct jx *x, struct o_generator *g, struct value *out)
{
	struct value item;
	int rc = begin(x, g, false);
	if (rc <= 0)
		return rc;
	struct value row = v_list(x->a, 0);
	if (!v_is_missing(g->seen)) /* the item that did not fit the last row */
		v_push(x->a, row, g->seen);
	g->seen = VMISSING;
	while ((rc = jx_next(x, &g->src, &item)) > 0) {
		bool full = (int64_t)row.list->n == g->count;
		if (full && row.list->n) {
			g->seen = item;
			*out = row;
			return 1;
		}
		if (full) { /* a count of 0: jinja2 gives one empty row, then all items as they no longer match */
			g->seen = item;
			*out = row;
			g->count = -1;
			return 1;
		}
		v_push(x->a, row, item);
	}
	if (rc < 0 || !row.list->n)
		return rc;
	if (!v_is_missing(g->extra) && g->extra.type != V_NONE && g->count > (int64_t)row.list->n) {
		if (jx_room(x, (size_t)(g->count - (int64_t)row.list->n), sizeof(struct value)))
			return -1;
		while ((int64_t)row.list->n < g->count)
			v_push(x->a, row, g->extra);
	}
	*out = row;
	return 1;
}

static int slice_next(struct jx *x, struct o_generator *g, struct value *out)
{
	if (!g->started) {
		g->started = true;
		if (jx_to_list(x, g->value, &g->seen))
			return -1;
		if (!g->count)
			return jx_fail(x, "integer division or modulo by zero");
		g->src.i = 0;
	}
	int64_t n = (int64_t)g->seen.list->n, k = (int64_t)g->src.i, slices = g->count;
	if (k >= slices)
		return 0;
	int64_t each = n / slices, extra = n % slices;
	int64_t from = k * each + (k < extra ? k : extra), to = from + each + (k < extra);
	*out = v_list(x->a, (size_t)(to - from) + 1);
	for (int64_t i = from; i < to; i++)
		v_push(x->a, *out, g->seen.list->v[i]);
	if (!v_is_missing(g->extra) && g->extra.type != V_NONE && k >= extra)
		v_push(x->a, *out, g->extra);
	g->src.i++;
	return 1;
}

static int items_next(struct jx *x, struct o_generator *g, struct value *out)
{
	if (!g->started) {
		g->started = true;
		if (g->value.type == V_UNDEFINED)
			return 0;
		if (g->value.type != V_DICT)
			return jx_fail(x, "Can only get item pairs from a mapping.");
		struct o_view *view = ARENA_NEW(x->a, struct o_view);
		*view = (struct o_view){ { &jinja_view_type }, g->value, 'i' };
		if (jx_iter(x, jx_object(view), &g->src))
			return -1;
	}
	return g->value.type == V_DICT ? jx_next(x, &g->src, out) : 0;
}

static struct o_generator *lazy(struct jx *x, struct value v, const struct args *args, const char *name,
				int (*next)(struct jx *, struct o_generator *, struct value *), struct value *out)
{
	struct o_generator *g = jx_generator(x, v, next);
	if (args)
		g->args = *args;
	g->filter = name;
	g->attr = g->extra = g->seen = VMISSING;
	*out = jx_object(g);
	return g;
}

static int f_map(struct jx *x, struct value v, const struct args *args, struct value *out)
{
	lazy(x, v, args, "generator", map_next, out);
	return 0;
}

static int f_select(struct jx *x, struct value v, const struct args *args, struct value *out)
{
	lazy(x, v, args, "generator", select_next, out);
	return 0;
}

static int f_reject(struct jx *x, struct value v, const struct args *args, struct value *out)
{
	lazy(x, v, args, "generator", select_next, out)->negate = true;
	return 0;
}

static int f_selectattr(struct jx *x, struct value v, const struct args *args, struct value *out)
{
	lazy(x, v, args, "generator", select_next, out)->flag = true;
	return 0;
}

static int f_rejectattr(struct jx *x, struct value v, const struct args *args, struct value *out)
{
	struct o_generator *g = lazy(x, v, args, "generator", select_next, out);
	g->negate = g->flag = true;
	return 0;
}

static int f_unique(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct o_generator *g = lazy(x, v, NULL, "generator", unique_next, out);
	g->seen = v_dict(x->a);
	g->attr = arg[1];
	return flag(x, arg[0], &g->flag);
}

static int f_batch(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct o_generator *g = lazy(x, v, NULL, "generator", batch_next, out);
	g->extra = arg[1];
	return jx_int(x, arg[0], NULL, &g->count);
}

static int f_slice(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct o_generator *g = lazy(x, v, NULL, "generator", slice_next, out);
	g->extra = arg[1];
	return jx_int(x, arg[0], NULL, &g->count);
}

static int f_items(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	lazy(x, v, NULL, "generator", items_next, out);
	return 0;
}

const struct builtin jinja_filters_seq[] = {
	{ "batch", "linecount! fill_with", f_batch, NULL },
	{ "dictsort", "case_sensitive by reverse", f_dictsort, NULL },
	{ "first", "", f_first, NULL },
	{ "groupby", "attribute! default case_sensitive", f_groupby, NULL },
	{ "items", "", f_items, NULL },
	{ "join", "d attribute", f_join, NULL },
	{ "last", "", f_last, NULL },
	{ "list", "", f_list, NULL },
	{ "map", NULL, NULL, f_map },
	{ "max", "case_sensitive attribute", f_max, NULL },
	{ "min", "case_sensitive attribute", f_min, NULL },
	{ "reject", NULL, NULL, f_reject },
	{ "rejectattr", NULL, NULL, f_rejectattr },
	{ "reverse", "", f_reverse, NULL },
	{ "select", NULL, NULL, f_select },
	{ "selectattr", NULL, NULL, f_selectattr },
	{ "slice", "slices! fill_with", f_slice, NULL },
	{ "sort", "reverse case_sensitive attribute", f_sort, NULL },
	{ "sum", "attribute start", f_sum, NULL },
	{ "unique", "case_sensitive attribute", f_unique, NULL },
	{ NULL, NULL, NULL, NULL },
};
