/* jinja_range.c - Python's ranges: printing, equality, slices, count and index. They are never written out, so any range of
 * 64-bit numbers costs the same; a slice whose ends do not fit 64 bits is refused.
 */
#include "runners/text/jinja_int.h"

static void range_repr(struct buf *out, const void *o, struct vwalk *w)
{
	const struct o_range *r = o;
	if (r->step == 1)
		buf_printf(out, "range(%lld, %lld)", (long long)r->start, (long long)r->stop);
	else
		buf_printf(out, "range(%lld, %lld, %lld)", (long long)r->start, (long long)r->stop, (long long)r->step);
}

static bool range_truth(const void *o)
{
	return ((const struct o_range *)o)->n != 0;
}

static bool range_equal(const void *a, const void *b, struct vwalk *w)
{
	const struct o_range *r = a, *s = b;
	return r->n == s->n && (r->n == 0 || (r->start == s->start && (r->n == 1 || r->step == s->step)));
}

const struct vobject_type jinja_range_type = { "range", range_repr, range_truth, range_equal, NULL };

int64_t jx_range_at(const struct o_range *r, int64_t i)
{
	return (int64_t)((uint64_t)r->start + (uint64_t)r->step * (uint64_t)i);
}

/* Where the range would be at place i, which may lie behind its end or before its start. */
static bool place(const struct o_range *r, int64_t i, int64_t *out)
{
	__extension__ typedef __int128 i128;
	i128 v = (i128)r->step * i + r->start;
	*out = (int64_t)v;
	return v >= INT64_MIN && v <= INT64_MAX;
}

int jx_range_slice(struct jx *x, const struct o_range *r, int64_t from, int64_t to, int64_t step, int64_t count, struct value *out)
{
	struct o_range *s = ARENA_NEW(x->a, struct o_range);
	*s = (struct o_range){ .o = { &jinja_range_type }, .n = count };
	if (!place(r, from, &s->start) || !place(r, to, &s->stop) || __builtin_mul_overflow(r->step, step, &s->step))
		return jx_fail(x, "a slice of this range does not fit 64 bits");
	*out = jx_object(s);
	return 0;
}

/* Where v stands in the range; -1: nowhere. */
static int64_t range_find(const struct o_range *r, struct value v)
{
	if (v.type == V_FLOAT && v.f >= -0x1p63 && v.f < 0x1p63 && (double)(int64_t)v.f == v.f)
		v = v_int((int64_t)v.f);
	else if (v.type == V_BOOL)
		v = v_int(v.b);
	if (v.type != V_INT || !r->n)
		return -1;
	uint64_t far = r->step > 0 ? (uint64_t)v.i - (uint64_t)r->start : (uint64_t)r->start - (uint64_t)v.i;
	uint64_t step = r->step > 0 ? (uint64_t)r->step : 0 - (uint64_t)r->step;
	if (r->step > 0 ? v.i < r->start : v.i > r->start)
		return -1;
	return far % step || far / step >= (uint64_t)r->n ? -1 : (int64_t)(far / step);
}

static int range_count(struct jx *x, struct value self, struct value *arg, struct value *out)
{
	*out = v_int(range_find(self.obj, arg[0]) >= 0);
	return 0;
}

static int range_index(struct jx *x, struct value self, struct value *arg, struct value *out)
{
	struct str s;
	int64_t at = range_find(self.obj, arg[0]);
	*out = v_int(at);
	if (at >= 0)
		return 0;
	return jx_repr(x, arg[0], &s) ? -1 : jx_fail(x, "%.*s is not in range", (int)(s.n < 200 ? s.n : 200), s.p);
}

int jx_range_attr(struct jx *x, struct value obj, struct str name, struct value *out)
{
	static const struct method methods[] = { { "count", "value!", range_count, NULL, false }, { "index", "value!", range_index, NULL, false } };
	const struct o_range *r = obj.obj;
	if (str_is(name, "start") || str_is(name, "stop") || str_is(name, "step"))
		*out = v_int(str_is(name, "start") ? r->start : str_is(name, "stop") ? r->stop : r->step);
	else if (str_is(name, "count") || str_is(name, "index"))
		*out = jx_bound(x, obj, &methods[str_is(name, "index")]);
	else
		return 0;
	return 1;
}
