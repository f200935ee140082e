/* jinja_object.c - the things a template can hold beyond plain values, and calling them.
 *
 * range (jinja_range.c), namespace, cycler, joiner, dict and the two functions of the chat environment are global names; macros, loops,
 * generators (what map, select, batch, ... give: they run when iterated, once), views of dicts and bound methods arise while
 * rendering. Each kind has a type for values (name, printing, truth) and rows in the two tables here: attributes and calls.
 */
#include "runners/text/jinja_int.h"

#include <stdio.h>

#include "runners/text/utf8.h"

/* ---- printing, truth, equality ---- */

static void namespace_repr(struct buf *out, const void *o, struct vwalk *w)
{
	buf_puts(out, "<Namespace ");
	v_write_repr(out, ((const struct o_namespace *)o)->dict, w);
	buf_puts(out, ">");
}

static void macro_repr(struct buf *out, const void *o, struct vwalk *w)
{
	const struct node *n = ((const struct o_macro *)o)->node;
	buf_puts(out, "<Macro ");
	if (n->type == N_MACRO)
		v_write_repr(out, v_str(n->s), w);
	else
		buf_puts(out, "anonymous");
	buf_puts(out, ">");
}

static void view_repr(struct buf *out, const void *o, struct vwalk *w)
{
	const struct o_view *view = o;
	const struct dict *d = view->dict.dict;
	buf_puts(out, view->what == 'k' ? "dict_keys([" : view->what == 'v' ? "dict_values([" : "dict_items([");
	for (size_t i = 0; i < d->n && !w->over; i++) {
		if (i)
			buf_puts(out, ", ");
		if (view->what == 'i')
			buf_putc(out, '(');
		if (view->what != 'v')
			v_write_repr(out, d->v[i].key, w);
		if (view->what == 'i')
			buf_puts(out, ", ");
		if (view->what != 'k')
			v_write_repr(out, d->v[i].val, w);
		if (view->what == 'i')
			buf_putc(out, ')');
	}
	buf_puts(out, "])");
}

static bool view_truth(const void *o)
{
	return ((const struct o_view *)o)->dict.dict->n != 0;
}

/* keys() and items() are like sets, values() is not. */
static bool view_equal(const void *a, const void *b, struct vwalk *w)
{
	const struct o_view *v = a, *u = b;
	const struct dict *d = v->dict.dict;
	if (v->what == 'v' || u->what == 'v' || d->n != u->dict.dict->n)
		return false;
	if (v->what != u->what)
		return d->n == 0;
	if (v->what == 'i')
		return v_equal_walk(v->dict, u->dict, w);
	if (!v_walk_in(w, d->n))
		return false;
	w->depth++;
	for (size_t i = 0; i < d->n; i++)
		if (!v_get_key(u->dict, d->v[i].key))
			return false;
	return true;
}

static bool view_hashable(const void *o)
{
	return ((const struct o_view *)o)->what == 'v';
}

static void generator_repr(struct buf *out, const void *o, struct vwalk *w)
{
	const struct o_generator *g = o;
	buf_printf(out, "<%s object>", g->filter ? g->filter : "generator");
}

static void loop_repr(struct buf *out, const void *o, struct vwalk *w)
{
	const struct o_loop *l = o;
	long long n = l->length;
	if (n < 0 && (l->iterable.type == V_LIST || l->iterable.type == V_TUPLE))
		n = (long long)l->iterable.list->n;
	else if (n < 0 && l->iterable.type == V_DICT)
		n = (long long)l->iterable.dict->n;
	else if (n < 0 && l->iterable.type == V_STR)
		n = (long long)str_chars(l->iterable.s);
	else if (n < 0 && jx_is(l->iterable, &jinja_range_type))
		n = (long long)((const struct o_range *)l->iterable.obj)->n;
	else if (n < 0 && jx_is(l->iterable, &jinja_view_type))
		n = (long long)((const struct o_view *)l->iterable.obj)->dict.dict->n;
	buf_printf(out, "<LoopContext %lld/%lld>", (long long)l->index0 + 1, n);
}

static void plain_repr(struct buf *out, const void *o, struct vwalk *w)
{
	buf_printf(out, "<%s object>", ((const struct vobject *)o)->type->name);
}

static void bound_repr(struct buf *out, const void *o, struct vwalk *w)
{
	const struct o_bound *b = o;
	buf_printf(out, "<built-in method %s of %s object>", b->m->name, v_type_name(b->self));
}

static void function_repr(struct buf *out, const void *o, struct vwalk *w)
{
	const struct o_function *f = o;
	bool type = strcmp(f->name, "dict") == 0;
	buf_printf(out, type ? "<class '%s'>" : "<function %s>", f->name);
}

const struct vobject_type jinja_namespace_type = { "Namespace", namespace_repr, NULL, NULL, NULL };
const struct vobject_type jinja_macro_type = { "Macro", macro_repr, NULL, NULL, NULL };
const struct vobject_type jinja_cycler_type = { "Cycler", plain_repr, NULL, NULL, NULL };
const struct vobject_type jinja_joiner_type = { "Joiner", plain_repr, NULL, NULL, NULL };
const struct vobject_type jinja_view_type = { "dict view", view_repr, view_truth, view_equal, view_hashable };
const struct vobject_type jinja_generator_type = { "generator", generator_repr, NULL, NULL, NULL };
const struct vobject_type jinja_loop_type = { "LoopContext", loop_repr, NULL, NULL, NULL };
const struct vobject_type jinja_bound_type = { "builtin_function_or_method", bound_repr, NULL, NULL, NULL };
const struct vobject_type jinja_function_type = { "function", function_repr, NULL, NULL, NULL };

/* ---- binding arguments ---- */

int jx_bind(struct jx *x, const char *fn, const struct args *args, const char *spec, struct value *out)
{
	size_t n = 0;
	bool used[JX_MAX_ARGS] = { false };
	const char *p = spec;
	while (*p) {
		size_t len = strcspn(p, " ");
		bool needed = p[len - 1] == '!';
		struct str name = { p, len - needed };
		out[n] = n < args->npos ? args->pos[n] : VMISSING;
		for (size_t k = 0; k < args->nkw && k < JX_MAX_ARGS; k++)
			if (str_eq(args->kw[k].key.s, name)) {
				if (n < args->npos)
					return jx_fail(x, "%s() got multiple values for argument '%.*s'", fn,
						       (int)name.n, name.p);
				out[n] = args->kw[k].val;
				used[k] = true;
			}
		if (needed && v_is_missing(out[n]))
			return jx_fail(x, "%s() missing 1 required positional argument: '%.*s'", fn, (int)name.n,
				       name.p);
		n++;
		p += len;
		p += strspn(p, " ");
	}
	if (args->npos > n)
		return jx_fail(x, "%s() takes at most %zu argument%s (%zu given)", fn, n, n == 1 ? "" : "s",
			       args->npos);
	for (size_t k = 0; k < args->nkw; k++)
		if (k >= JX_MAX_ARGS || !used[k])
			return jx_fail(x, "%s() got an unexpected keyword argument '%.*s'", fn,
				       (int)args->kw[k].key.s.n, args->kw[k].key.s.p);
	return 0;
}

size_t jx_params(const char *spec, const struct node *args, bool *fit)
{
	size_t n = *spec != 0, needed = 0, given = args ? args->kid[0]->n : 0;
	for (; *spec; spec++) {
		n += *spec == ' ';
		needed += *spec == '!';
	}
	*fit = given >= needed && given <= n && (!args || (!args->kid[1]->n && !args->kid[2] && !args->kid[3]));
	return n;
}

int jx_apply(struct jx *x, const struct builtin *b, struct value v, const struct args *args, struct value *out)
{
	struct value arg[JX_MAX_ARGS];
	if (jx_reads(x, v))
		return -1;
	if (b->raw)
		return b->raw(x, v, args, out);
	if (jx_bind(x, b->name, args, b->spec, arg))
		return -1;
	return b->call(x, v, arg, out);
}

/* ---- global functions ---- */

static int no_keywords(struct jx *x, const char *fn, const struct args *a)
{
	return a->nkw ? jx_fail(x, "%s() takes no keyword arguments", fn) : 0;
}

static int call_range(struct jx *x, const struct args *a, struct value *out)
{
	int64_t v[3] = { 0, 0, 1 };
	if (no_keywords(x, "range", a))
		return -1;
	if (a->npos < 1 || a->npos > 3)
		return jx_fail(x, "range expected at %s, got %zu", a->npos ? "most 3 arguments" : "least 1 argument",
			       a->npos);
	for (size_t i = 0; i < a->npos; i++)
		if (jx_int(x, a->pos[i], NULL, &v[a->npos == 1 ? 1 : i]))
			return -1;
	if (!v[2])
		return jx_fail(x, "range() arg 3 must not be zero");
	uint64_t span = v[2] > 0 ? (v[1] > v[0] ? (uint64_t)v[1] - (uint64_t)v[0] : 0)
				 : (v[0] > v[1] ? (uint64_t)v[0] - (uint64_t)v[1] : 0);
	uint64_t step = v[2] > 0 ? (uint64_t)v[2] : 0 - (uint64_t)v[2], n = span ? (span - 1) / step + 1 : 0;
	if (x->j->env == JINJA_CHAT && n > 100000)
		return jx_fail(x, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
	if (n > INT64_MAX)
		return jx_limit(x, "range() is too long");
	struct o_range *r = ARENA_NEW(x->a, struct o_range);
	*r = (struct o_range){ { &jinja_range_type }, v[0], v[1], v[2], (int64_t)n };
	*out = jx_object(r);
	return 0;
}

/* dict(mapping or pairs, **more) */
static int call_dict(struct jx *x, const struct args *a, struct value *out)
{
	struct iter it;
	struct value item, pair;
	*out = v_dict(x->a);
	if (a->npos > 1)
		return jx_fail(x, "dict expected at most 1 argument, got %zu", a->npos);
	if (a->npos && a->pos[0].type == V_DICT) {
		for (size_t i = 0; i < a->pos[0].dict->n; i++)
			v_set_key(x->a, *out, a->pos[0].dict->v[i].key, a->pos[0].dict->v[i].val);
	} else if (a->npos) {
		int rc;
		if (a->pos[0].type == V_UNDEFINED) /* which is asked for its keys */
			return jx_undef_fail(x, a->pos[0]);
		if (jx_iter(x, a->pos[0], &it))
			return -1;
		for (size_t i = 0; (rc = jx_next(x, &it, &item)) > 0; i++) {
			if (jx_to_list(x, item, &pair))
				return -1;
			if (pair.list->n != 2)
				return jx_fail(x,
					       "dictionary update sequence element #%zu has length %zu; 2 is required",
					       i, pair.list->n);
			if (!v_hashable(pair.list->v[0]))
				return jx_fail(x, "unhashable type: '%s'", v_type_name(pair.list->v[0]));
			v_set_key(x->a, *out, pair.list->v[0], pair.list->v[1]);
		}
		if (rc < 0)
			return -1;
	}
	for (size_t i = 0; i < a->nkw; i++)
		v_set_key(x->a, *out, a->kw[i].key, a->kw[i].val);
	return 0;
}

static int call_namespace(struct jx *x, const struct args *a, struct value *out)
{
	struct o_namespace *n = ARENA_NEW(x->a, struct o_namespace);
	n->o.type = &jinja_namespace_type;
	*out = jx_object(n);
	return call_dict(x, a, &n->dict);
}

static int call_cycler(struct jx *x, const struct args *a, struct value *out)
{
	if (no_keywords(x, "cycler", a))
		return -1;
	if (!a->npos)
		return jx_fail(x, "at least one item has to be provided");
	struct o_cycler *c = ARENA_NEW(x->a, struct o_cycler);
	*c = (struct o_cycler){ { &jinja_cycler_type }, v_tuple(x->a, a->npos), 0 };
	for (size_t i = 0; i < a->npos; i++)
		v_push(x->a, c->items, a->pos[i]);
	*out = jx_object(c);
	return 0;
}

static int call_joiner(struct jx *x, const struct args *a, struct value *out)
{
	struct value sep;
	if (jx_bind(x, "joiner", a, "sep", &sep))
		return -1;
	struct o_joiner *j = ARENA_NEW(x->a, struct o_joiner);
	*j = (struct o_joiner){ { &jinja_joiner_type }, v_is_missing(sep) ? v_cstr(", ") : sep, false };
	*out = jx_object(j);
	return 0;
}

static int call_raise(struct jx *x, const struct args *a, struct value *out)
{
	struct value msg;
	struct str s;
	if (jx_bind(x, "raise_exception", a, "message!", &msg) || jx_text(x, msg, &s))
		return -1;
	return jx_fail(x, "%.*s", (int)s.n, s.p);
}

static int call_strftime(struct jx *x, const struct args *a, struct value *out)
{
	struct value fmt;
	struct str s;
	if (jx_bind(x, "strftime_now", a, "format!", &fmt))
		return -1;
	if (fmt.type == V_UNDEFINED)
		return jx_undef_fail(x, fmt);
	if (fmt.type != V_STR)
		return jx_fail(x, "strftime() argument 1 must be str, not %s", v_type_name(fmt));
	if (jx_strftime(x, fmt.s, &s))
		return -1;
	*out = v_str(s);
	return 0;
}

struct global {
	struct o_function f;
	bool chat_only;
};

bool jx_global(struct str name, struct value *out, enum jinja_env env)
{
	static const struct global globals[] = {
		{ { { &jinja_function_type }, "range", call_range }, false },
		{ { { &jinja_function_type }, "dict", call_dict }, false },
		{ { { &jinja_function_type }, "namespace", call_namespace }, false },
		{ { { &jinja_function_type }, "cycler", call_cycler }, false },
		{ { { &jinja_function_type }, "joiner", call_joiner }, false },
		{ { { &jinja_function_type }, "raise_exception", call_raise }, true },
		{ { { &jinja_function_type }, "strftime_now", call_strftime }, true },
	};
	for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
		if (str_is(name, globals[i].f.name) && (!globals[i].chat_only || env == JINJA_CHAT)) {
			*out = jx_object(&globals[i].f);
			return true;
		}
	return false;
}

/* ---- loops ---- */

static int loop_peek(struct jx *x, struct o_loop *l)
{
	if (!v_is_missing(l->after))
		return 1;
	int rc = jx_next(x, &l->it, &l->after);
	if (rc <= 0) /* a generator may have left an item there that it did not take */
		l->after = VMISSING;
	return rc;
}

int jx_loop_next(struct jx *x, struct o_loop *l, struct value *out)
{
	if (!v_is_missing(l->after)) {
		*out = l->after;
		l->after = VMISSING;
	} else {
		int rc = jx_next(x, &l->it, out);
		if (rc <= 0)
			return rc;
	}
	l->index0++;
	l->before = l->current;
	l->current = *out;
	return 1;
}

static int loop_length(struct jx *x, struct o_loop *l, int64_t *out)
{
	if (l->length < 0) {
		if (jx_has_len(l->iterable)) {
			if (jx_len(x, l->iterable, &l->length))
				return -1;
		} else { /* a generator: what is left of it becomes a list */
			struct value rest = v_list(x->a, 0), item;
			int rc;
			while ((rc = jx_next(x, &l->it, &item)) > 0)
				v_push(x->a, rest, item);
			if (rc < 0 || jx_iter(x, rest, &l->it))
				return -1;
			l->length = (int64_t)rest.list->n + l->index0 + 1 + !v_is_missing(l->after);
		}
	}
	*out = l->length;
	return 0;
}

static int loop_cycle(struct jx *x, struct value self, const struct args *a, struct value *out)
{
	const struct o_loop *l = self.obj;
	if (no_keywords(x, "cycle", a))
		return -1;
	if (!a->npos)
		return jx_fail(x, "no items for cycling given");
	*out = a->pos[(uint64_t)l->index0 % a->npos];
	return 0;
}

static int loop_changed(struct jx *x, struct value self, const struct args *a, struct value *out)
{
	struct o_loop *l = self.obj;
	struct value now = v_tuple(x->a, a->npos);
	bool same = false;
	if (no_keywords(x, "changed", a))
		return -1;
	for (size_t i = 0; i < a->npos; i++)
		v_push(x->a, now, a->pos[i]);
	if (!v_is_missing(l->changed) && jx_equal(x, l->changed, now, &same))
		return -1;
	*out = v_bool(!same);
	if (!same)
		l->changed = now;
	return 0;
}

static int cycler_next(struct jx *x, struct value self, struct value *arg, struct value *out)
{
	struct o_cycler *c = self.obj;
	*out = c->items.list->v[c->pos];
	c->pos = (c->pos + 1) % c->items.list->n;
	return 0;
}

static int cycler_reset(struct jx *x, struct value self, struct value *arg, struct value *out)
{
	((struct o_cycler *)self.obj)->pos = 0;
	*out = VNONE;
	return 0;
}

static const struct method loop_methods[] = { { "cycle", NULL, NULL, loop_cycle, false }, { "changed", NULL, NULL,
	loop_changed, false } };
static const struct method cycler_methods[] = { { "next", "", cycler_next, NULL, false }, { "reset", "", cycler_reset,
	NULL, false } };

struct value jx_bound(struct jx *x, struct value self, const struct method *m)
{
	struct o_bound *b = ARENA_NEW(x->a, struct o_bound);
	*b = (struct o_bound){ { &jinja_bound_type }, self, m };
	return jx_object(b);
}

enum { INDEX0 = 1, INDEX, FIRST, LAST, LENGTH, REVINDEX, REVINDEX0, PREVITEM, NEXTITEM, DEPTH, DEPTH0, CYCLE, CHANGED };

int jx_loop_field(struct str name)
{
	static const char *const names[] = { [INDEX0] = "index0", [INDEX] = "index", [FIRST] = "first", [LAST] = "last",
		[LENGTH] = "length", [REVINDEX] = "revindex", [REVINDEX0] = "revindex0", [PREVITEM] = "previtem",
		[NEXTITEM] = "nextitem", [DEPTH] = "depth", [DEPTH0] = "depth0", [CYCLE] = "cycle", [CHANGED] = "changed" };
	for (int i = 1; i < (int)(sizeof names / sizeof *names); i++)
		if (str_is(name, names[i]))
			return i;
	return 0;
}

int jx_loop_get(struct jx *x, struct o_loop *l, int field, struct value *out)
{
	int64_t n = 0;
	int rc = 0;
	switch (field) {
	case INDEX0:
	case INDEX:
		*out = v_int(l->index0 + (field == INDEX));
		return 0;
	case FIRST:
		*out = v_bool(l->index0 == 0);
		return 0;
	case LAST:
	case NEXTITEM:
		if ((rc = loop_peek(x, l)) < 0)
			return -1;
		*out = field == LAST ? v_bool(!rc) : rc ? l->after : jx_undef_hint(x, "there is no next item");
		return 0;
	case LENGTH:
	case REVINDEX:
	case REVINDEX0:
		if (loop_length(x, l, &n))
			return -1;
		*out = v_int(field == LENGTH ? n : n - l->index0 - (field == REVINDEX0));
		return 0;
	case PREVITEM:
		*out = l->index0 == 0 ? jx_undef_hint(x, "there is no previous item") : l->before;
		return 0;
	case DEPTH:
	case DEPTH0:
		*out = v_int(l->depth0 + (field == DEPTH));
		return 0;
	default:
		*out = jx_bound(x, jx_object(l), &loop_methods[field == CHANGED]);
		return 0;
	}
}

/* ---- attributes ---- */

static int macro_attr(struct jx *x, const struct o_macro *m, struct str name, struct value *out)
{
	const struct node *n = m->node, *params = n->kid[n->type == N_MACRO ? 0 : 1];
	if (str_is(name, "name")) {
		*out = n->type == N_MACRO ? v_str(n->s) : VNONE;
	} else if (str_is(name, "arguments")) {
		*out = v_tuple(x->a, params->n);
		for (size_t i = 0; i < params->n; i++)
			v_push(x->a, *out, v_str(params->kid[i]->s));
	} else if (str_is(name, "catch_kwargs") || str_is(name, "catch_varargs") || str_is(name, "caller")) {
		*out = v_bool(str_is(name, "caller") ? n->catch_caller : str_is(name, "catch_kwargs") ? n->catch_kwargs : n->catch_varargs);
	} else {
		return 0;
	}
	return 1;
}

int jx_object_attr(struct jx *x, struct value obj, struct str name, struct value *out)
{
	if (jx_is(obj, &jinja_loop_type)) {
		int field = jx_loop_field(name);
		return !field ? 0 : jx_loop_get(x, obj.obj, field, out) ? -1 : 1;
	}
	if (jx_is(obj, &jinja_namespace_type)) {
		const struct value *v = v_get(((struct o_namespace *)obj.obj)->dict, name);
		if (v)
			*out = *v;
		return v != NULL;
	}
	if (jx_is(obj, &jinja_cycler_type)) {
		struct o_cycler *c = obj.obj;
		if (str_is(name, "next") || str_is(name, "reset"))
			*out = jx_bound(x, obj, &cycler_methods[str_is(name, "reset")]);
		else if (str_is(name, "current"))
			*out = c->items.list->v[c->pos];
		else if (str_is(name, "pos"))
			*out = v_int((int64_t)c->pos);
		else if (str_is(name, "items"))
			*out = c->items;
		else
			return 0;
		return 1;
	}
	if (jx_is(obj, &jinja_joiner_type)) {
		struct o_joiner *j = obj.obj;
		if (!str_is(name, "sep") && !str_is(name, "used"))
			return 0;
		*out = str_is(name, "sep") ? j->sep : v_bool(j->used);
		return 1;
	}
	if (jx_is(obj, &jinja_range_type))
		return jx_range_attr(x, obj, name, out);
	if (jx_is(obj, &jinja_macro_type))
		return macro_attr(x, obj.obj, name, out);
	return 0;
}

/* ---- calls ---- */

int jx_object_call(struct jx *x, struct value f, const struct args *args, struct value *out)
{
	struct value arg[JX_MAX_ARGS];
	if (jx_is(f, &jinja_bound_type)) {
		const struct o_bound *b = f.obj;
		if (jx_reads(x, b->self))
			return -1;
		if (b->m->raw)
			return b->m->raw(x, b->self, args, out);
		if (jx_bind(x, b->m->name, args, b->m->spec, arg))
			return -1;
		return b->m->call(x, b->self, arg, out);
	}
	if (jx_is(f, &jinja_function_type))
		return ((const struct o_function *)f.obj)->call(x, args, out);
	if (jx_is(f, &jinja_macro_type))
		return jx_macro_call(x, f.obj, args, out);
	if (jx_is(f, &jinja_joiner_type)) {
		struct o_joiner *j = f.obj;
		if (jx_bind(x, "joiner", args, "", arg))
			return -1;
		*out = j->used ? j->sep : v_cstr("");
		j->used = true;
		return 0;
	}
	if (jx_is(f, &jinja_loop_type)) {
		const struct o_loop *l = f.obj;
		if (jx_bind(x, "loop", args, "iterable!", arg))
			return -1;
		if (!l->node)
			return jx_fail(x, "The loop must have the 'recursive' marker to be called recursively.");
		return jx_loop_call(x, l->node, l->up, arg[0], l->depth0 + 1, out);
	}
	return jx_fail(x, "'%s' object is not callable", v_type_name(f));
}

int jx_call(struct jx *x, struct value callee, const struct args *args, struct value *out)
{
	if (callee.type == V_UNDEFINED)
		return jx_undef_fail(x, callee);
	if (callee.type != V_OBJECT)
		return jx_fail(x, "'%s' object is not callable", v_type_name(callee));
	if (jx_enter(x))
		return -1;
	int rc = jx_object_call(x, callee, args, out);
	jx_leave(x);
	return rc;
}

/* ---- iteration ---- */

struct o_generator *jx_generator(struct jx *x, struct value from,
				 int (*next)(struct jx *, struct o_generator *, struct value *))
{
	struct o_generator *g = ARENA_NEW(x->a, struct o_generator);
	g->o.type = &jinja_generator_type;
	g->value = from;
	g->next = next;
	return g;
}

bool jx_iterable(struct jx *x, struct value v)
{
	if (v.type == V_OBJECT)
		return jx_is(v, &jinja_range_type) || jx_is(v, &jinja_view_type) || jx_is(v, &jinja_generator_type) ||
		       jx_is(v, &jinja_loop_type);
	return v.type >= V_STR || v.type == V_UNDEFINED;
}

int jx_iter(struct jx *x, struct value v, struct iter *it)
{
	bool unused;
	*it = (struct iter){ .over = v };
	if (v.type == V_UNDEFINED)
		return jx_truth(x, v, &unused); /* strict ones fail */
	if (!jx_iterable(x, v))
		return jx_fail(x, "'%s' object is not iterable", v_type_name(v));
	return 0;
}

static int next_object(struct jx *x, struct iter *it, struct value *out)
{
	if (jx_is(it->over, &jinja_range_type)) {
		const struct o_range *r = it->over.obj;
		if (it->i >= (uint64_t)r->n)
			return 0;
		*out = v_int(jx_range_at(r, (int64_t)it->i++));
		return 1;
	}
	if (jx_is(it->over, &jinja_view_type)) {
		const struct o_view *view = it->over.obj;
		const struct dict *d = view->dict.dict;
		if (it->i >= d->n)
			return 0;
		struct pair *p = &d->v[it->i++];
		*out = view->what == 'k' ? p->key : p->val;
		if (view->what == 'i') {
			*out = v_tuple(x->a, 2);
			v_push(x->a, *out, p->key);
			v_push(x->a, *out, p->val);
		}
		return 1;
	}
	if (jx_is(it->over, &jinja_loop_type)) {
		struct value item;
		int rc = jx_loop_next(x, it->over.obj, &item);
		if (rc > 0) {
			*out = v_tuple(x->a, 2);
			v_push(x->a, *out, item);
			v_push(x->a, *out, it->over);
		}
		return rc;
	}
	struct o_generator *g = it->over.obj;
	if (g->done)
		return 0;
	if (jx_enter(x))
		return -1;
	int rc = g->next(x, g, out);
	jx_leave(x);
	g->done = rc <= 0;
	return rc;
}

int jx_next(struct jx *x, struct iter *it, struct value *out)
{
	if (jx_step(x, 1))
		return -1;
	switch (it->over.type) {
	case V_LIST:
	case V_TUPLE:
		if (it->i >= it->over.list->n)
			return 0;
		*out = it->over.list->v[it->i++];
		return 1;
	case V_DICT:
		if (it->i >= it->over.dict->n)
			return 0;
		*out = it->over.dict->v[it->i++].key;
		return 1;
	case V_STR: {
		size_t from = it->i;
		if (from >= it->over.s.n)
			return 0;
		utf8_next(it->over.s, &it->i);
		*out = v_str((struct str){ it->over.s.p + from, it->i - from });
		return 1;
	}
	case V_OBJECT:
		return next_object(x, it, out);
	default:
		return 0;
	}
}

int jx_to_list(struct jx *x, struct value v, struct value *out)
{
	struct iter it;
	struct value item;
	int rc;
	if (jx_iter(x, v, &it))
		return -1;
	*out = v_list(x->a, v.type == V_LIST || v.type == V_TUPLE ? v.list->n : 0);
	while ((rc = jx_next(x, &it, &item)) > 0)
		v_push(x->a, *out, item);
	return rc;
}
