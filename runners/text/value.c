/* value.c - lists, dicts, equality and truth of Python-like values.
 *
 * Dicts are an array of pairs in insertion order; from 8 entries up an open-addressing table of positions finds keys.
 * Keys hash as Python's do where equality demands it: 1, 1.0 and True are the same key. Nothing is ever removed.
 * Numbers compare exactly: an integer beyond 2^53 and the float next to it differ, as in Python.
 * What walks into nested values takes a struct vwalk, a budget of items and levels, because a template can build a
 * value that shares its parts (x = [x, x], forty times) and no walk over it would end.
 */
#include "runners/text/value.h"

#include <math.h>

#define INDEX_FROM 8

bool v_walk_in(struct vwalk *w, size_t cost)
{
	if (w->over || w->depth <= 0 || w->left <= cost) {
		w->over = true;
		return false;
	}
	w->left -= cost + 1;
	w->depth--;
	return true;
}

static struct value sequence(struct arena *a, enum vtype type, size_t cap)
{
	struct list *l = ARENA_NEW(a, struct list);
	if (cap)
		l->v = ARENA_ARRAY(a, cap, struct value);
	l->cap = cap;
	return (struct value){ .type = type, .list = l };
}

struct value v_list(struct arena *a, size_t cap)
{
	return sequence(a, V_LIST, cap);
}

struct value v_tuple(struct arena *a, size_t cap)
{
	return sequence(a, V_TUPLE, cap);
}

struct value v_dict(struct arena *a)
{
	return (struct value){ .type = V_DICT, .dict = ARENA_NEW(a, struct dict) };
}

void v_push(struct arena *a, struct value list, struct value item)
{
	struct list *l = list.list;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 4;
		struct value *v = ARENA_ARRAY(a, cap, struct value);
		if (l->n)
			memcpy(v, l->v, l->n * sizeof *v);
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = item;
}

/* ---- keys ---- */

static uint32_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ull;
	return (uint32_t)(h >> 32);
}

static uint32_t hash_str(struct str s)
{
	uint64_t h = 0xcbf29ce484222325ull ^ s.n;
	size_t i = 0;
	for (; i + 8 <= s.n; i += 8) {
		uint64_t w;
		memcpy(&w, s.p + i, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	for (; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3ull;
	return mix(h);
}

static uint32_t hash_float(double f)
{
	if (f >= -9223372036854775808.0 && f < 9223372036854775808.0 && f == (double)(int64_t)f)
		return mix((uint64_t)(int64_t)f);
	uint64_t bits;
	memcpy(&bits, &f, sizeof bits);
	return mix(bits);
}

/* A tuple by its first `*left` items: one built of itself has endlessly many. */
static uint32_t hash_key(struct value k, int *left)
{
	switch (k.type) {
	case V_BOOL:
		return mix(k.b);
	case V_INT:
		/* a float can equal this integer only if the integer is exactly that float: same 64-bit value either way */
		return mix((uint64_t)k.i);
	case V_FLOAT:
		return hash_float(k.f);
	case V_STR:
		return hash_str(k.s);
	case V_LIST:
	case V_TUPLE: {
		uint64_t h = 0x345678;
		for (size_t i = 0; i < k.list->n && *left > 0; i++) {
			--*left;
			h = h * 1000003 + hash_key(k.list->v[i], left);
		}
		return mix(h);
	}
	default:
		return mix(k.type);
	}
}

static bool hashable(struct value v, struct vwalk *w)
{
	if (v.type == V_LIST || v.type == V_DICT)
		return false;
	if (v.type == V_OBJECT) {
		const struct vobject_type *type = ((const struct vobject *)v.obj)->type;
		return !type->hashable || type->hashable(v.obj);
	}
	if (v.type != V_TUPLE)
		return true;
	if (!v_walk_in(w, v.list->n))
		return false;
	for (size_t i = 0; i < v.list->n; i++)
		if (!hashable(v.list->v[i], w))
			return false;
	w->depth++;
	return true;
}

bool v_hashable(struct value v)
{
	return hashable(v, &(struct vwalk){ .left = 1 << 20, .depth = VWALK_DEPTH });
}

static bool same_key(struct value a, struct value b)
{
	if (a.type == V_STR)
		return b.type == V_STR && str_eq(a.s, b.s);
	return v_equal(a, b);
}

static size_t slot_of(const struct dict *d, struct value key)
{
	int left = 64;
	size_t mask = d->nindex - 1, at = hash_key(key, &left) & mask;
	while (d->index[at] && !same_key(d->v[d->index[at] - 1].key, key))
		at = (at + 1) & mask;
	return at;
}

static struct pair *find(const struct dict *d, struct value key)
{
	if (d->index) {
		size_t at = slot_of(d, key);
		return d->index[at] ? &d->v[d->index[at] - 1] : NULL;
	}
	for (size_t i = 0; i < d->n; i++)
		if (same_key(d->v[i].key, key))
			return &d->v[i];
	return NULL;
}

static void index_build(struct arena *a, struct dict *d)
{
	d->nindex = d->cap * 2; /* capacities are powers of two: at most half full */
	d->index = ARENA_ARRAY(a, d->nindex, uint32_t);
	for (size_t i = 0; i < d->n; i++)
		d->index[slot_of(d, d->v[i].key)] = (uint32_t)i + 1;
}

void v_set_key(struct arena *a, struct value dict, struct value key, struct value val)
{
	struct dict *d = dict.dict;
	struct pair *p = find(d, key);
	if (p) {
		p->val = val;
		return;
	}
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 4;
		struct pair *v = ARENA_ARRAY(a, cap, struct pair);
		if (d->n)
			memcpy(v, d->v, d->n * sizeof *v);
		d->v = v;
		d->cap = cap;
		d->index = NULL;
	}
	d->v[d->n++] = (struct pair){ key, val };
	if (d->n < INDEX_FROM)
		return;
	if (!d->index)
		index_build(a, d);
	else
		d->index[slot_of(d, key)] = (uint32_t)d->n;
}

void v_set(struct arena *a, struct value dict, struct str key, struct value val)
{
	v_set_key(a, dict, v_str(key), val);
}

const struct value *v_get_key(struct value dict, struct value key)
{
	if (dict.type != V_DICT)
		return NULL;
	struct pair *p = find(dict.dict, key);
	return p ? &p->val : NULL;
}

const struct value *v_get(struct value dict, struct str key)
{
	return dict.type == V_DICT ? v_item(dict.dict, key) : NULL;
}

const struct value *v_get_indexed(const struct dict *d, struct str key)
{
	struct pair *p = find(d, v_str(key));
	return p ? &p->val : NULL;
}

const struct value *v_getc(struct value dict, const char *key)
{
	return v_get_key(dict, v_cstr(key));
}

/* ---- whole values ---- */

static struct value copy(struct arena *a, struct value v, int depth)
{
	if (depth > 2 * VWALK_DEPTH + 100)
		return VNONE;
	if (v.type == V_STR) {
		v.s = arena_str(a, v.s.p, v.s.n);
	} else if (v.type == V_LIST || v.type == V_TUPLE) {
		struct value l = sequence(a, v.type, v.list->n);
		for (size_t i = 0; i < v.list->n; i++)
			v_push(a, l, copy(a, v.list->v[i], depth + 1));
		v.list = l.list;
	} else if (v.type == V_DICT) {
		struct value d = v_dict(a);
		for (size_t i = 0; i < v.dict->n; i++)
			v_set_key(a, d, copy(a, v.dict->v[i].key, depth + 1), copy(a, v.dict->v[i].val, depth + 1));
		v.dict = d.dict;
	}
	return v;
}

struct value v_copy(struct arena *a, struct value v)
{
	return copy(a, v, 0);
}

const char *v_type_name(struct value v)
{
	static const char *const names[] = { "Undefined", "NoneType", "bool", "int", "float", "str", "list", "tuple",
		"dict" };
	if (v.type == V_OBJECT)
		return ((const struct vobject *)v.obj)->type->name;
	return names[v.type];
}

static int compare_int_float(int64_t i, double f)
{
	if (isnan(f))
		return 2;
	if (f >= 9223372036854775808.0)
		return -1;
	if (f < -9223372036854775808.0)
		return 1;
	int64_t t = (int64_t)f; /* towards zero */
	if (i != t)
		return i < t ? -1 : 1;
	double rest = f - (double)t;
	return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

int v_compare_num(struct value a, struct value b)
{
	int64_t i = a.type == V_BOOL ? a.b : a.i, j = b.type == V_BOOL ? b.b : b.i;
	if (a.type == V_FLOAT && b.type == V_FLOAT) {
		if (isnan(a.f) || isnan(b.f))
			return 2;
		return (a.f > b.f) - (a.f < b.f);
	}
	if (b.type == V_FLOAT)
		return compare_int_float(i, b.f);
	if (a.type == V_FLOAT) {
		int c = compare_int_float(j, a.f);
		return c == 2 ? 2 : -c;
	}
	return (i > j) - (i < j);
}

bool v_truth(struct value v)
{
	switch (v.type) {
	case V_BOOL:
		return v.b;
	case V_INT:
		return v.i != 0;
	case V_FLOAT:
		return v.f != 0;
	case V_STR:
		return v.s.n != 0;
	case V_LIST:
	case V_TUPLE:
		return v.list->n != 0;
	case V_DICT:
		return v.dict->n != 0;
	case V_OBJECT: {
		const struct vobject_type *t = ((const struct vobject *)v.obj)->type;
		return t->truth ? t->truth(v.obj) : true;
	}
	default:
		return false;
	}
}

static bool equal_lists(const struct list *x, const struct list *y, struct vwalk *w)
{
	if (x == y)
		return true;
	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (w->over || !v_equal_walk(x->v[i], y->v[i], w))
			return false;
	return true;
}

static bool equal_dicts(const struct dict *x, const struct dict *y, struct vwalk *w)
{
	if (x == y)
		return true;
	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++) {
		const struct pair *p = find(y, x->v[i].key);
		if (!p || !v_equal_walk(x->v[i].val, p->val, w))
			return false;
	}
	return true;
}

bool v_equal_walk(struct value a, struct value b, struct vwalk *w)
{
	if (w->fails && (a.type == V_UNDEFINED || b.type == V_UNDEFINED)) {
		if (a.type == b.type && a.obj == b.obj)
			return true;
		w->failed = w->fails(a) ? a : b;
		if (w->fails(w->failed)) {
			w->over = true;
			return false;
		}
	}
	if (v_is_num(a) && v_is_num(b))
		return v_compare_num(a, b) == 0;
	if (a.type != b.type)
		return false;
	if (a.type == V_STR) {
		uint64_t cost = a.s.n == b.s.n ? a.s.n / 64 : 0;
		w->over |= w->left <= cost;
		w->left -= w->over ? 0 : cost;
		return !w->over && str_eq(a.s, b.s);
	}
	if (a.type <= V_NONE)
		return true;
	if (!v_walk_in(w, 0))
		return false;
	bool same = false;
	if (a.type == V_DICT) {
		same = equal_dicts(a.dict, b.dict, w);
	} else if (a.type != V_OBJECT) {
		same = equal_lists(a.list, b.list, w);
	} else if (a.obj == b.obj) {
		same = true;
	} else {
		const struct vobject_type *t = ((const struct vobject *)a.obj)->type;
		same = t == ((const struct vobject *)b.obj)->type && t->equal && t->equal(a.obj, b.obj, w);
	}
	w->depth++;
	return same;
}

bool v_equal(struct value a, struct value b)
{
	return v_equal_walk(a, b, &(struct vwalk){ .left = 64u << 20, .depth = VWALK_DEPTH });
}
