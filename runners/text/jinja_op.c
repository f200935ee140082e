/* jinja_op.c - operators, comparisons, attributes, items and slices as Python has them.
 *
 * Integers are 64-bit: a result beyond that is an error, never a float. / of two integers is a float, // and % round towards
 * minus infinity. ** of integers is exact; of floats a double-double product for whole exponents (so 1.1 ** 2 has Python's
 * bits), else dm_pow. Strings compare by code point, which is the byte order of UTF-8; their indices count code points.
 * jinja2 looks attributes up as Python attributes first (methods), then as items; x[...] the other way round. Names of
 * Python's internals (__class__) are never reachable; in the chat environment neither are methods that change a list or dict.
 */
#include "runners/text/jinja_int.h"

#include <math.h>

#include "kernels/base/dmath.h"
#include "runners/text/utf8.h"

/* ---- undefined values ---- */

const char jinja_missing_mark;

struct value jx_undefined(struct jx *x, struct undef u)
{
	struct undef *p = arena_bytes(x->a, sizeof *p);
	*p = u;
	p->strict = x->strict;
	return (struct value){ .type = V_UNDEFINED, .obj = p };
}

struct value jx_undef_hint(struct jx *x, const char *hint)
{
	return jx_undefined(x, (struct undef){ .hint = hint });
}

static bool is_strict(struct value v)
{
	return v.type == V_UNDEFINED && !v_is_missing(v) && v.obj && ((const struct undef *)v.obj)->strict;
}

int jx_undef_fail(struct jx *x, struct value v)
{
	const struct undef *u = v_is_missing(v) ? NULL : v.obj;
	if (!u)
		return jx_fail(x, "a value is undefined");
	if (u->hint)
		return jx_fail(x, "%s", u->hint);
	if (!u->of)
		return jx_fail(x, "'%.*s' is undefined", (int)u->name.n, u->name.p);
	const char *object = strcmp(u->of, "NoneType") ? " object" : "", *of = *object ? u->of : "None";
	if (u->is_item)
		return jx_fail(x, "%s%s has no element %s", of, object, arena_cstr(x->a, v_repr(x->a, u->key)));
	return jx_fail(x, "'%s%s' has no attribute '%.*s'", of, object, (int)u->name.n, u->name.p);
}

static struct value no_attribute(struct jx *x, struct value obj, struct str name)
{
	return jx_undefined(x, (struct undef){ .of = v_type_name(obj), .name = name });
}

/* ---- text, truth, equality, order ---- */

int jx_text(struct jx *x, struct value v, struct str *out)
{
	if (v.type == V_STR) {
		*out = v.s;
		return 0;
	}
	if (v.type == V_UNDEFINED) {
		*out = STR("");
		return is_strict(v) ? jx_undef_fail(x, v) : 0;
	}
	return jx_repr(x, v, out);
}

int jx_repr(struct jx *x, struct value v, struct str *out)
{
	struct buf b = { 0 };
	struct vwalk w = jx_walk(x);
	v_write_repr(&b, v, &w);
	if (jx_walked(x, &w) || jx_step(x, b.n / 64) || jx_room(x, b.n, 1)) {
		buf_fini(&b);
		return -1;
	}
	*out = jx_take(x, &b);
	return 0;
}

int jx_truth(struct jx *x, struct value v, bool *out)
{
	*out = v_truth(v);
	return is_strict(v) ? jx_undef_fail(x, v) : 0;
}

int jx_equal(struct jx *x, struct value a, struct value b, bool *out)
{
	if (is_strict(a) || is_strict(b))
		return jx_undef_fail(x, is_strict(a) ? a : b);
	if (v_is_num(a) && v_is_num(b)) {
		*out = v_compare_num(a, b) == 0;
		return 0;
	}
	struct vwalk w = jx_walk(x);
	uint64_t before = w.left;
	w.fails = x->strict ? is_strict : NULL;
	*out = v_equal_walk(a, b, &w);
	if (w.over && is_strict(w.failed))
		return jx_undef_fail(x, w.failed);
	return jx_walked(x, &w) || jx_step(x, before - w.left);
}

int jx_same(struct jx *x, struct value a, struct value b, bool *out)
{
	*out = a.type == V_UNDEFINED && b.type == V_UNDEFINED && a.obj == b.obj;
	return *out ? 0 : jx_equal(x, a, b, out);
}

static int compare_str(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? (c > 0) - (c < 0) : (a.n > b.n) - (a.n < b.n);
}

int jx_less(struct jx *x, struct value a, struct value b, const char *op, int *out)
{
	if (jx_step(x, 1))
		return -1;
	if (v_is_num(a) && v_is_num(b)) {
		*out = v_compare_num(a, b);
		return 0;
	}
	if (a.type == V_STR && b.type == V_STR) {
		*out = compare_str(a.s, b.s);
		return jx_scans(x, a.s.n < b.s.n ? a.s.n : b.s.n);
	}
	if (a.type == V_UNDEFINED || b.type == V_UNDEFINED)
		return jx_undef_fail(x, a.type == V_UNDEFINED ? a : b);
	if ((a.type == V_LIST || a.type == V_TUPLE) && a.type == b.type) {
		const struct list *p = a.list, *q = b.list;
		for (size_t i = 0; i < p->n && i < q->n; i++) {
			bool same;
			if (jx_same(x, p->v[i], q->v[i], &same))
				return -1;
			if (same)
				continue;
			if (jx_enter(x))
				return -1;
			int rc = jx_less(x, p->v[i], q->v[i], op, out);
			jx_leave(x);
			return rc;
		}
		*out = (p->n > q->n) - (p->n < q->n);
		return 0;
	}
	return jx_fail(x, "'%s' not supported between instances of '%s' and '%s'", op, v_type_name(a), v_type_name(b));
}

static bool contains(struct str in, struct str s)
{
	return s.n == 0 || (in.n && memmem(in.p, in.n, s.p, s.n));
}

int jx_in(struct jx *x, struct value item, struct value in, bool *out)
{
	struct iter it;
	struct value v;
	*out = false;
	if (in.type == V_STR) {
		if (item.type != V_STR)
			return jx_fail(x, "'in <string>' requires string as left operand, not %s", v_type_name(item));
		*out = contains(in.s, item.s);
		return jx_scans(x, in.s.n);
	}
	if (jx_is(in, &jinja_view_type) && ((const struct o_view *)in.obj)->what == 'k')
		in = ((const struct o_view *)in.obj)->dict;
	if (in.type == V_DICT) {
		if (is_strict(item))
			return jx_undef_fail(x, item);
		if (!v_hashable(item))
			return jx_fail(x, "unhashable type: '%s'", v_type_name(item));
		*out = v_get_key(in, item) != NULL;
		return jx_reads(x, item);
	}
	if (!jx_iterable(x, in) && in.type != V_UNDEFINED)
		return jx_fail(x, "argument of type '%s' is not iterable", v_type_name(in));
	if (jx_iter(x, in, &it))
		return -1;
	for (int rc; !*out && (rc = jx_next(x, &it, &v));)
		if (rc < 0 || jx_same(x, v, item, out))
			return -1;
	return 0;
}

bool jx_has_len(struct value v)
{
	return v.type == V_STR || v.type == V_LIST || v.type == V_TUPLE || v.type == V_DICT || v.type == V_UNDEFINED ||
	       jx_is(v, &jinja_range_type) || jx_is(v, &jinja_view_type) || jx_is(v, &jinja_loop_type);
}

int jx_len(struct jx *x, struct value v, int64_t *out)
{
	struct value n = v_int(0);
	*out = 0;
	switch (v.type) {
	case V_STR:
		*out = (int64_t)str_chars(v.s);
		return 0;
	case V_LIST:
	case V_TUPLE:
		*out = (int64_t)v.list->n;
		return 0;
	case V_DICT:
		*out = (int64_t)v.dict->n;
		return 0;
	case V_UNDEFINED:
		return is_strict(v) ? jx_undef_fail(x, v) : 0;
	default:
		if (jx_is(v, &jinja_range_type))
			*out = ((const struct o_range *)v.obj)->n;
		else if (jx_is(v, &jinja_view_type))
			*out = (int64_t)((const struct o_view *)v.obj)->dict.dict->n;
		else if (jx_is(v, &jinja_loop_type) && jx_object_attr(x, v, STR("length"), &n) < 0)
			return -1;
		else if (jx_is(v, &jinja_loop_type))
			*out = n.i;
		else
			return jx_fail(x, "object of type '%s' has no len()", v_type_name(v));
		return 0;
	}
}

int jx_int(struct jx *x, struct value v, const char *what, int64_t *out)
{
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(x, v);
	if (v.type != V_INT && v.type != V_BOOL)
		return jx_fail(x, "%s%s'%s' object cannot be interpreted as an integer", what ? what : "",
			       what ? ": " : "", v_type_name(v));
	*out = v.type == V_INT ? v.i : v.b;
	return 0;
}

/* ---- attributes and items ---- */

static bool is_dunder(struct str name)
{
	return name.n > 4 && memcmp(name.p, "__", 2) == 0 && memcmp(name.p + name.n - 2, "__", 2) == 0;
}

int jx_attribute(struct jx *x, struct value obj, struct str name, const struct method *m, struct value *out)
{
	if (obj.type == V_OBJECT)
		return jx_object_attr(x, obj, name, out);
	if (m && m->mutates && x->j->env == JINJA_CHAT) {
		*out = jx_undef_hint(x, arena_printf(x->a, "access to attribute '%s' of '%s' object is unsafe", m->name, v_type_name(obj)).p);
		return 1;
	}
	if (m) {
		struct o_bound *b = ARENA_NEW(x->a, struct o_bound);
		*b = (struct o_bound){ { &jinja_bound_type }, obj, m };
		*out = jx_object(b);
		return 1;
	}
	if (obj.type == V_TUPLE && obj.safe && (str_is(name, "grouper") || str_is(name, "list"))) {
		*out = obj.list->v[str_is(name, "list")];
		return 1;
	}
	if ((obj.type == V_INT || obj.type == V_BOOL) && (str_is(name, "real") || str_is(name, "numerator"))) {
		*out = v_int(obj.type == V_INT ? obj.i : obj.b);
		return 1;
	}
	if (obj.type == V_FLOAT && str_is(name, "real")) {
		*out = obj;
		return 1;
	}
	if (is_dunder(name) && obj.type != V_UNDEFINED && !v_get(obj, name)) {
		*out = jx_undef_hint(x, arena_printf(x->a, "access to attribute '%.*s' of '%s' object is unsafe", (int)name.n, name.p,
						     v_type_name(obj)).p);
		return 1;
	}
	return 0;
}

static int item_str(struct jx *x, struct value obj, int64_t i, struct value *out, bool *found)
{
	int64_t n = (int64_t)str_chars(obj.s);
	i += i < 0 ? n : 0;
	*found = i >= 0 && i < n;
	if (*found) {
		*out = v_str(str_sub(obj.s, i, i + 1));
		out->safe = obj.safe;
	}
	return obj.s.n < 256 ? 0 : jx_step(x, obj.s.n / (str_ascii(obj.s) ? 256 : 16));
}

int jx_subscript(struct jx *x, struct value obj, struct value key, struct value *out, bool *found)
{
	bool index = key.type == V_INT || key.type == V_BOOL;
	int64_t i = key.type == V_INT ? key.i : index && key.b;
	*found = false;
	if (obj.type == V_UNDEFINED)
		return jx_undef_fail(x, obj);
	if (obj.type == V_DICT) {
		if (is_strict(key))
			return jx_undef_fail(x, key);
		const struct value *v = v_hashable(key) ? v_get_key(obj, key) : NULL;
		if (v)
			*out = *v;
		*found = v != NULL;
		return jx_reads(x, key);
	} else if (!index) {
		return 0;
	} else if (obj.type == V_LIST || obj.type == V_TUPLE) {
		int64_t n = (int64_t)obj.list->n;
		i += i < 0 ? n : 0;
		*found = i >= 0 && i < n;
		if (*found)
			*out = obj.list->v[i];
	} else if (obj.type == V_STR) {
		return item_str(x, obj, i, out, found);
	} else if (jx_is(obj, &jinja_range_type)) {
		const struct o_range *r = obj.obj;
		i += i < 0 ? r->n : 0;
		*found = i >= 0 && i < r->n;
		if (*found)
			*out = v_int(jx_range_at(r, i));
	}
	return 0;
}

/* Python's own attributes of an undefined value: the sandbox finds them, and gives another undefined value instead. */
static bool undefined_has(struct str name)
{
	static const char *const names[] = { "__add__", "__bool__", "__call__", "__class__", "__doc__", "__eq__", "__float__", "__format__",
		"__getattr__", "__getattribute__", "__getitem__", "__hash__", "__init__", "__int__", "__iter__", "__len__", "__module__", "__new__", "__repr__", "__slots__", "__str__", "__sub__", NULL };
	for (const char *const *n = names; *n; n++)
		if (str_is(name, *n))
			return true;
	return false;
}

static int getattr_with(struct jx *x, struct value obj, struct str name, const struct method *m, struct value *out)
{
	bool found;
	if (obj.type == V_UNDEFINED && x->j->env == JINJA_CHAT && is_dunder(name) && undefined_has(name)) {
		*out = jx_undef_hint(x, "access to an attribute of an undefined value is unsafe");
		return 0;
	}
	if (obj.type == V_UNDEFINED)
		return jx_undef_fail(x, obj);
	int rc = jx_attribute(x, obj, name, m, out);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (jx_subscript(x, obj, v_str(name), out, &found))
		return -1;
	if (!found)
		*out = no_attribute(x, obj, name);
	return 0;
}

int jx_getattr(struct jx *x, struct value obj, struct str name, struct value *out)
{
	return getattr_with(x, obj, name, jinja_method_find(obj.type, name), out);
}

int jx_member(struct jx *x, const struct value *obj, const struct node *n, struct value *out)
{
	if (obj->type == V_DICT && !n->methods && !is_dunder(n->s)) { /* an item or nothing */
		const struct value *item = v_item(obj->dict, n->s);
		*out = item ? *item : no_attribute(x, *obj, n->s);
		return 0;
	}
	return getattr_with(x, *obj, n->s, n->methods ? n->methods[obj->type] : NULL, out);
}

int jx_getitem(struct jx *x, struct value obj, struct value key, struct value *out)
{
	bool found;
	int rc = 0;
	if (jx_subscript(x, obj, key, out, &found))
		return -1;
	if (!found && key.type == V_STR)
		rc = jx_attribute(x, obj, key.s, jinja_method_find(obj.type, key.s), out);
	if (found || rc)
		return rc < 0 ? -1 : 0;
	if (key.type == V_STR)
		*out = no_attribute(x, obj, key.s);
	else
		*out = jx_undefined(x, (struct undef){ .of = v_type_name(obj), .is_item = true, .key = key });
	return 0;
}

/* ---- slices ---- */

/* One bound of a slice of n items, as Python clips it. */
static int slice_bound(struct jx *x, struct value v, int64_t n, bool backwards, bool is_start, int64_t *out)
{
	if (v.type == V_NONE) {
		*out = backwards ? (is_start ? n - 1 : -1) : (is_start ? 0 : n);
		return 0;
	}
	if (v.type == V_UNDEFINED)
		return jx_undef_fail(x, v);
	if (v.type != V_INT && v.type != V_BOOL)
		return jx_fail(x, "slice indices must be integers or None or have an __index__ method");
	int64_t i = v.type == V_INT ? v.i : v.b;
	if (i < 0) {
		i = i < -n ? -1 : i + n;
		if (i < 0)
			i = backwards ? -1 : 0;
	}
	if (i >= n)
		i = backwards ? n - 1 : n;
	*out = i;
	return 0;
}

static struct str slice_str(struct jx *x, struct str s, int64_t from, int64_t step, int64_t count)
{
	if (step == 1)
		return str_sub(s, from, from + count);
	bool ascii = str_ascii(s);
	size_t n = str_chars(s), *at = NULL;
	if (!ascii) { /* byte offsets of all characters */
		at = ARENA_ARRAY(x->a, n + 1, size_t);
		for (size_t i = 0, k = 0; i < s.n; k++) {
			at[k] = i;
			utf8_next(s, &i);
		}
		at[n] = s.n;
	}
	struct buf b = { 0 };
	for (int64_t k = 0, i = from; k < count; k++, i += step) {
		size_t p = ascii ? (size_t)i : at[i], q = ascii ? (size_t)i + 1 : at[i + 1];
		buf_add(&b, s.p + p, q - p);
		if (k + 1 == count)
			break;
	}
	return jx_take(x, &b);
}

int jx_slice(struct jx *x, struct value obj, const struct value part[3], struct value *out)
{
	int64_t n, from, to, step = 1, count = 0;
	if (obj.type == V_UNDEFINED)
		return jx_undef_fail(x, obj);
	bool range = jx_is(obj, &jinja_range_type);
	if (obj.type != V_STR && obj.type != V_LIST && obj.type != V_TUPLE && !range)
		return obj.type == V_DICT ? jx_fail(x, "unhashable type: 'slice'")
					  : jx_fail(x, "'%s' object is not subscriptable", v_type_name(obj));
	if (part[2].type != V_NONE && jx_int(x, part[2], NULL, &step))
		return -1;
	if (!step)
		return jx_fail(x, "slice step cannot be zero");
	if (step == INT64_MIN)
		step++;
	if (jx_len(x, obj, &n) || slice_bound(x, part[0], n, step < 0, true, &from) ||
	    slice_bound(x, part[1], n, step < 0, false, &to))
		return -1;
	if (step > 0 && to > from)
		count = (to - from - 1) / step + 1;
	else if (step < 0 && from > to)
		count = (from - to - 1) / -step + 1;
	if (!range && (jx_step(x, (uint64_t)count / 16) || (obj.type == V_STR && jx_scans(x, obj.s.n)) || jx_room(x, (size_t)count, obj.type == V_STR ? 4 : sizeof(struct value))))
		return -1;
	if (obj.type == V_STR) {
		*out = v_str(count ? slice_str(x, obj.s, from, step, count) : STR(""));
		out->safe = obj.safe;
	} else if (range) {
		return jx_range_slice(x, obj.obj, from, to, step, count, out);
	} else {
		*out = obj.type == V_LIST ? v_list(x->a, (size_t)count) : v_tuple(x->a, (size_t)count);
		out->list->n = (size_t)count;
		if (count && step == 1)
			memcpy(out->list->v, obj.list->v + from, (size_t)count * sizeof *out->list->v);
		for (int64_t k = 0, i = from; k < count && step != 1; k++) {
			out->list->v[k] = obj.list->v[i];
			if (k + 1 < count)
				i += step;
		}
	}
	return 0;
}

/* ---- arithmetic ---- */

static double as_double(struct value v)
{
	return v.type == V_FLOAT ? v.f : v.type == V_INT ? (double)v.i : v.b;
}

static int64_t as_int(struct value v)
{
	return v.type == V_INT ? v.i : v.b;
}

static int too_big(struct jx *x)
{
	return jx_fail(x, "the result of integer arithmetic does not fit 64 bits");
}

/* x ** n for whole n by squaring in double-double: within one unit of the last place of a 106-bit product. */
static double power_whole(double base, int64_t n)
{
	double h = 1, l = 0, bh = base, bl = 0;
	for (uint64_t e = n < 0 ? 0 - (uint64_t)n : (uint64_t)n; e; e >>= 1) {
		double ph, pl;
		if (e & 1) {
			ph = h * bh;
			pl = dm_fma(h, bh, -ph) + (h * bl + l * bh);
			h = ph + pl;
			l = pl - (h - ph);
		}
		ph = bh * bh;
		pl = dm_fma(bh, bh, -ph) + 2 * (bh * bl);
		bh = ph + pl;
		bl = pl - (bh - ph);
	}
	if (n >= 0)
		return h;
	double q = 1 / h, r = dm_fma(-q, h, 1) - q * l;
	return q + r / h;
}

static int power_float(struct jx *x, double a, double b, struct value *out)
{
	double r;
	if (b == 0 || a == 1) {
		r = 1;
	} else if (a == 0 && b < 0) {
		return jx_fail(x, "0.0 cannot be raised to a negative power");
	} else if (isnan(a) || isnan(b)) {
		r = NAN;
	} else if (a == 0) {
		bool odd = b == dm_floor(b) && dm_floor(b / 2) * 2 != b;
		r = isinf(b) || !odd ? 0 : a;
	} else if (isinf(a) || isinf(b)) {
		double big = a < 0 ? -a : a;
		bool odd = b == dm_floor(b) && dm_floor(b / 2) * 2 != b;
		if (isinf(b))
			r = big == 1 ? 1 : (big > 1) == (b > 0) ? INFINITY : 0;
		else
			r = b > 0 ? (a < 0 && odd ? -INFINITY : INFINITY) : (a < 0 && odd ? -0.0 : 0);
	} else if (b == dm_floor(b) && b >= -1024 && b <= 1024) {
		r = power_whole(a, (int64_t)b);
		if (isnan(r) || isinf(r)) { /* the low parts overflow first */
			r = dm_pow(a < 0 ? -a : a, b);
			r = a < 0 && ((int64_t)b & 1) ? -r : r;
		}
		if (isinf(r))
			return jx_fail(x, "(34, 'Numerical result out of range')");
	} else if (a < 0 && b != dm_floor(b)) {
		return jx_fail(x, "a negative number to a fractional power is complex, which is not supported");
	} else {
		r = b == 0.5 ? sqrt(a) : dm_pow(a < 0 ? -a : a, b);
		r = a < 0 && dm_floor(b / 2) * 2 != b ? -r : r;
		if (isinf(r))
			return jx_fail(x, "(34, 'Numerical result out of range')");
	}
	*out = v_float(r);
	return 0;
}

static int power_int(struct jx *x, int64_t a, int64_t b, struct value *out)
{
	int64_t r = 1;
	if (b < 0)
		return a ? power_float(x, (double)a, (double)b, out)
			 : jx_fail(x, "0.0 cannot be raised to a negative power");
	if (a == 0 || a == 1 || a == -1) {
		*out = v_int(b == 0 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : a);
		return 0;
	}
	if (b > 63)
		return too_big(x);
	for (; b; b--)
		if (__builtin_mul_overflow(r, a, &r))
			return too_big(x);
	*out = v_int(r);
	return 0;
}

static int binop_int(struct jx *x, char op, int64_t a, int64_t b, struct value *out)
{
	int64_t r = 0;
	bool over = false;
	switch (op) {
	case '+':
		over = __builtin_add_overflow(a, b, &r);
		break;
	case '-':
		over = __builtin_sub_overflow(a, b, &r);
		break;
	case '*':
		over = __builtin_mul_overflow(a, b, &r);
		break;
	case 'p':
		return power_int(x, a, b, out);
	default:
		if (!b)
			return jx_fail(x, op == '/'   ? "division by zero"
					  : op == '%' ? "integer modulo by zero"
						      : "integer division or modulo by zero");
		if (op == '/') {
			/* both halves exact in the wider type, one rounding to 64 bits, one to 53 */
			*out = v_float((double)((long double)a / (long double)b));
			return 0;
		}
		if (b == -1) {
			over = op == 'f' && a == INT64_MIN;
			r = op == 'f' && !over ? -a : 0;
		} else {
			int64_t q = a / b, m = a % b;
			if (m && (m < 0) != (b < 0)) {
				m += b;
				q--;
			}
			r = op == 'f' ? q : m;
		}
	}
	if (over)
		return too_big(x);
	*out = v_int(r);
	return 0;
}

/* a - trunc(a / b) * b exactly, by shifting and subtracting the significands; b is not 0. */
double jx_fmod(double a, double b)
{
	if (isnan(a) || isnan(b) || isinf(a))
		return NAN;
	double x = fabs(a), y = fabs(b);
	if (isinf(b) || x < y)
		return a;
	uint64_t m, n;
	int e, f;
	memcpy(&m, &x, 8);
	memcpy(&n, &y, 8);
	e = (int)(m >> 52);
	f = (int)(n >> 52);
	m &= ((uint64_t)1 << 52) - 1;
	n &= ((uint64_t)1 << 52) - 1;
	m |= e ? (uint64_t)1 << 52 : 0;
	n |= f ? (uint64_t)1 << 52 : 0;
	e = e ? e : 1;
	f = f ? f : 1;
	for (; !(m >> 52); e--)
		m <<= 1;
	for (; !(n >> 52); f--)
		n <<= 1;
	for (; e > f; e--)
		m = (m >= n ? m - n : m) << 1;
	m = m >= n ? m - n : m;
	for (; m && !(m >> 52) && e > 1; e--)
		m <<= 1;
	for (; e < 1; e++) /* exact: what is left is a multiple of the smallest number */
		m >>= 1;
	m = m >> 52 ? (m & (((uint64_t)1 << 52) - 1)) | (uint64_t)e << 52 : m;
	memcpy(&x, &m, 8);
	return copysign(x, a);
}

/* Floor division and modulo of floats, after CPython's float_divmod. */
static double divmod_float(double a, double b, double *mod)
{
	double m = jx_fmod(a, b), div = (a - m) / b;
	if (m != 0) {
		if ((b < 0) != (m < 0)) {
			m += b;
			div -= 1;
		}
	} else {
		m = copysign(0, b);
	}
	*mod = m;
	if (div == 0)
		return copysign(0, a / b);
	double floor_ = dm_floor(div);
	return div - floor_ > 0.5 ? floor_ + 1 : floor_;
}

static int binop_float(struct jx *x, char op, double a, double b, struct value *out)
{
	double r, m;
	if (op == 'p')
		return power_float(x, a, b, out);
	if (b == 0 && (op == '/' || op == 'f' || op == '%'))
		return jx_fail(x, op == '/'   ? "float division by zero"
				  : op == '%' ? "float modulo"
					      : "float floor division by zero");
	r = op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : op == '/' ? a / b : divmod_float(a, b, &m);
	*out = v_float(op == '%' ? m : r);
	return 0;
}

static int concat_str(struct jx *x, struct value a, struct value b, struct value *out)
{
	struct str p = a.s, q = b.s;
	if (a.safe != b.safe) { /* Markup escapes what it meets */
		if (a.safe)
			q = jx_escape(x, q);
		else
			p = jx_escape(x, p);
	}
	if (jx_room(x, p.n + q.n, 1))
		return -1;
	char *s = arena_alloc(x->a, p.n + q.n + 1);
	memcpy(s, p.p, p.n);
	memcpy(s + p.n, q.p, q.n);
	*out = v_str((struct str){ s, p.n + q.n });
	out->safe = a.safe || b.safe;
	return 0;
}

static int concat_lists(struct jx *x, struct value a, struct value b, struct value *out)
{
	size_t n = a.list->n + b.list->n;
	if (jx_room(x, n, sizeof(struct value)))
		return -1;
	*out = a.type == V_LIST ? v_list(x->a, n) : v_tuple(x->a, n);
	for (size_t i = 0; i < n; i++)
		v_push(x->a, *out, i < a.list->n ? a.list->v[i] : b.list->v[i - a.list->n]);
	return 0;
}

static int repeat(struct jx *x, struct value a, int64_t count, struct value *out)
{
	size_t n = a.type == V_STR ? a.s.n : a.list->n, k = count < 0 || n == 0 ? 0 : (size_t)count;
	if (jx_room(x, k, n * (a.type == V_STR ? 1 : sizeof(struct value))) || jx_step(x, k * n / 64))
		return -1;
	if (a.type == V_STR) {
		char *s = arena_alloc(x->a, k * n + 1);
		for (size_t i = 0; i < k; i++)
			memcpy(s + i * n, a.s.p, n);
		*out = v_str((struct str){ s, k * n });
		out->safe = a.safe;
		return 0;
	}
	*out = a.type == V_LIST ? v_list(x->a, k * n) : v_tuple(x->a, k * n);
	for (size_t i = 0; i < k * n; i++)
		v_push(x->a, *out, a.list->v[i % n]);
	return 0;
}

static bool is_sequence(struct value v)
{
	return v.type == V_STR || v.type == V_LIST || v.type == V_TUPLE;
}

static int bad_operands(struct jx *x, char op, struct value a, struct value b)
{
	const char *text = op == 'f'   ? "//"
			   : op == 'p' ? "** or pow()"
				       : NULL,
		   *ta = v_type_name(a), *tb = v_type_name(b);
	char one[2] = { op, 0 };
	if (op == '+' && is_sequence(a))
		return jx_fail(x, "can only concatenate %s (not \"%s\") to %s", ta, tb, ta);
	if (op == '*' && (is_sequence(a) || is_sequence(b)))
		return jx_fail(x, "can't multiply sequence by non-int of type '%s'", is_sequence(a) ? tb : ta);
	return jx_fail(x, "unsupported operand type(s) for %s: '%s' and '%s'", text ? text : one, ta, tb);
}

int jx_binop(struct jx *x, char op, struct value a, struct value b, struct value *out)
{
	if (v_is_num(a) && v_is_num(b)) {
		if (a.type == V_FLOAT || b.type == V_FLOAT)
			return binop_float(x, op, as_double(a), as_double(b), out);
		return binop_int(x, op, as_int(a), as_int(b), out);
	}
	/* a string's % comes before the right side's own operator */
	if (op == '%' && a.type == V_STR)
		return jx_format_percent(x, a.s, b, a.safe, out);
	if (a.type == V_UNDEFINED || b.type == V_UNDEFINED)
		return jx_undef_fail(x, a.type == V_UNDEFINED ? a : b);
	if (op == '+' && a.type == V_STR && b.type == V_STR)
		return concat_str(x, a, b, out);
	if (op == '+' && a.type == b.type && is_sequence(a))
		return concat_lists(x, a, b, out);
	if (op == '*' && is_sequence(a) && (b.type == V_INT || b.type == V_BOOL))
		return repeat(x, a, as_int(b), out);
	if (op == '*' && is_sequence(b) && (a.type == V_INT || a.type == V_BOOL))
		return repeat(x, b, as_int(a), out);
	return bad_operands(x, op, a, b);
}

int jx_negate(struct jx *x, char op, struct value a, struct value *out)
{
	if (a.type == V_UNDEFINED)
		return jx_undef_fail(x, a);
	if (!v_is_num(a))
		return jx_fail(x, "bad operand type for unary %c: '%s'", op, v_type_name(a));
	if (a.type == V_FLOAT)
		*out = v_float(op == '-' ? -a.f : a.f);
	else if (op == '-' && as_int(a) == INT64_MIN)
		return too_big(x);
	else
		*out = v_int(op == '-' ? -as_int(a) : as_int(a));
	return 0;
}
