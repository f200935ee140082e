/* value.h - Python-like values: what documents hold, what templates compute, what JSON says.
 *
 * A small tagged union passed by value; lists, dicts and strings live in an arena and are never freed one by one.
 * Dicts keep insertion order, as Python's and the hub's rows do. Integers are 64-bit; what does not fit is an error where
 * it arises (never a silent float).
 */
#ifndef ASSAY_VALUE_H
#define ASSAY_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/arena.h"
#include "kernels/base/err.h"
#include "kernels/base/str.h"

enum vtype {
	V_UNDEFINED, /* {0}; a Jinja undefined */
	V_NONE,
	V_BOOL,
	V_INT,
	V_FLOAT,
	V_STR,
	V_LIST,
	V_TUPLE,
	V_DICT,
	V_OBJECT,    /* private to the Jinja evaluator: macros, namespaces, loop, methods, ranges */
};

struct value;
struct list {
	struct value *v;
	size_t n, cap;
};
struct pair;
struct dict {
	struct pair *v;      /* in insertion order */
	size_t n, cap;
	uint32_t *index;     /* open-addressing hash of positions + 1, built from 8 entries up */
	size_t nindex;
};
struct value {
	enum vtype type;
	bool safe;           /* strings: marked safe (Jinja Markup); kept for autoescape-off equality with jinja2 */
	union {
		bool b;
		int64_t i;
		double f;
		struct str s;
		struct list *list; /* LIST, TUPLE */
		struct dict *dict;
		void *obj;
	};
};
struct pair {
	struct value key, val; /* keys from JSON are strings; Jinja dict literals may have others */
};

#define VNONE ((struct value){ .type = V_NONE })
static inline struct value v_bool(bool b) { return (struct value){ .type = V_BOOL, .b = b }; }
static inline struct value v_int(int64_t i) { return (struct value){ .type = V_INT, .i = i }; }
static inline struct value v_float(double f) { return (struct value){ .type = V_FLOAT, .f = f }; }
static inline struct value v_str(struct str s) { return (struct value){ .type = V_STR, .s = s }; }
static inline struct value v_cstr(const char *s) { return v_str(str_of(s)); }

struct value v_list(struct arena *a, size_t cap);
struct value v_tuple(struct arena *a, size_t cap);
struct value v_dict(struct arena *a);
void v_push(struct arena *a, struct value list, struct value item);
void v_set(struct arena *a, struct value dict, struct str key, struct value val);          /* replaces, keeps the place */
void v_set_key(struct arena *a, struct value dict, struct value key, struct value val);
const struct value *v_get(struct value dict, struct str key);                               /* NULL: absent */
const struct value *v_get_indexed(const struct dict *d, struct str key);                    /* a dict with an index */
const struct value *v_get_key(struct value dict, struct value key);
const struct value *v_getc(struct value dict, const char *key);
struct value v_copy(struct arena *a, struct value v);                                       /* deep */

/* v_get in place, for the evaluator: the keys of a small dict are compared one by one, eight bytes at a time. */
static inline bool v_same_bytes(const char *a, const char *b, size_t n)
{
	uint64_t p, q, r, s;
	if (n > 16)
		return memcmp(a, b, n) == 0;
	if (n >= 8) {
		memcpy(&p, a, 8);
		memcpy(&q, b, 8);
		memcpy(&r, a + n - 8, 8);
		memcpy(&s, b + n - 8, 8);
		return p == q && r == s;
	}
	if (n >= 4) {
		uint32_t t, u, v, w;
		memcpy(&t, a, 4);
		memcpy(&u, b, 4);
		memcpy(&v, a + n - 4, 4);
		memcpy(&w, b + n - 4, 4);
		return t == u && v == w;
	}
	return !n || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}

static inline const struct value *v_item(const struct dict *d, struct str key)
{
	if (d->index)
		return v_get_indexed(d, key);
	for (const struct pair *p = d->v, *end = p + d->n; p < end; p++)
		if (p->key.type == V_STR && p->key.s.n == key.n && v_same_bytes(p->key.s.p, key.p, key.n))
			return &p->val;
	return NULL;
}

const char *v_type_name(struct value v);        /* Python's: "NoneType" "bool" "int" "float" "str" "list" "tuple" "dict" */
bool v_truth(struct value v);
bool v_equal(struct value a, struct value b);   /* ==: 1 == 1.0 == True */
struct str v_text(struct arena *a, struct value v);  /* str(v) */
struct str v_repr(struct arena *a, struct value v);  /* repr(v): strings quoted as Python does, floats shortest round trip */
struct str v_float_repr(struct arena *a, double f);
/* What a V_OBJECT points at begins with this: how it names, prints, tests and compares itself. truth NULL: true; equal NULL:
 * identity. */
struct vwalk;
struct vobject_type {
	const char *name;                                          /* type(x).__name__ */
	void (*repr)(struct buf *out, const void *obj, struct vwalk *w);
	bool (*truth)(const void *obj);
	bool (*equal)(const void *a, const void *b, struct vwalk *w); /* both of this type */
	bool (*hashable)(const void *obj);                         /* NULL: always */
};
struct vobject {
	const struct vobject_type *type;
};

/* Walks over values that a template built: shared parts can make a short program's value print as 2^40 items, and nesting
 * can be deep. `left` counts items and string bytes, `depth` levels; `over` is set when one of them runs out. */
struct vwalk {
	uint64_t left;
	int depth;
	bool over;
	bool (*fails)(struct value undefined); /* comparing this undefined value is an error: `failed` keeps it, `over` is set */
	struct value failed;
};
#define VWALK_DEPTH 1000
bool v_walk_in(struct vwalk *w, size_t cost); /* one level down: false (and over) when it must stop; undo with w->depth++ */
void v_write_repr(struct buf *out, struct value v, struct vwalk *w);
bool v_equal_walk(struct value a, struct value b, struct vwalk *w);
int v_compare_num(struct value a, struct value b); /* bool, int, float exactly as Python: -1, 0, 1; 2 when one is a NaN */
static inline bool v_is_num(struct value v)        /* bool, int or float */
{
	return v.type >= V_BOOL && v.type <= V_FLOAT;
}
bool v_hashable(struct value v);                   /* may be a key of a dict: no list or dict in it, nor a million items */

/* ast.literal_eval: numbers, strings, lists, tuples, dicts, True/False/None, negatives. -1 with E_FORMAT otherwise. */
int v_literal(struct arena *a, struct str s, struct value *out, struct err *e);

#endif
