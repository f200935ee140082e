/* jinja_macro.c - calling macros and the bodies of call blocks.
 *
 * Arguments are distributed as jinja2's Macro class does: positional ones, then keywords, then defaults (evaluated inside the
 * macro, in order, so that one may use an earlier argument); what is left goes to varargs and kwargs where the body uses
 * those names, and is an error where it does not. `caller` is passed by call blocks.
 */
#include "runners/text/jinja_int.h"

static const struct value *take_kw(struct args *a, bool *used, struct str name)
{
	for (size_t i = 0; i < a->nkw; i++)
		if (!used[i] && str_eq(a->kw[i].key.s, name)) {
			used[i] = true;
			return &a->kw[i].val;
		}
	return NULL;
}

/* Distributes the arguments over the slots of the new frame; x->frame is that frame. */
static int macro_arguments(struct jx *x, const struct node *n, size_t first, struct args *a, bool *used)
{
	const struct node *params = n->kid[first], *defaults = n->kid[first + 1];
	bool found_caller = false;
	const char *name = n->type == N_MACRO ? arena_cstr(x->a, n->s) : NULL;
	for (size_t i = 0; i < params->n; i++) {
		struct str p = params->kid[i]->s;
		const struct value *v = i < a->npos ? &a->pos[i] : take_kw(a, used, p);
		if (str_is(p, "caller"))
			found_caller = true;
		if (v)
			*jx_slot(x, params->kid[i]->slot) = *v;
	}
	if (n->catch_caller && !found_caller) {
		const struct value *v = take_kw(a, used, STR("caller"));
		*jx_slot(x, n->special[0]) = v && v->type != V_NONE ? *v : jx_undef_hint(x, "No caller defined");
	}
	struct value rest = v_dict(x->a), more = v_tuple(x->a, 0);
	for (size_t i = 0; i < a->nkw; i++) {
		if (used[i])
			continue;
		if (!n->catch_kwargs) {
			if (str_is(a->kw[i].key.s, "caller"))
				return jx_fail(x,
					       "macro '%s' was invoked with two values for the special caller argument",
					       name ? name : "None");
			return jx_fail(x, "macro '%s' takes no keyword argument '%.*s'", name ? name : "None",
				       (int)a->kw[i].key.s.n, a->kw[i].key.s.p);
		}
		v_set_key(x->a, rest, a->kw[i].key, a->kw[i].val);
	}
	for (size_t i = params->n; i < a->npos; i++) {
		if (!n->catch_varargs)
			return jx_fail(x, "macro '%s' takes not more than %zu argument(s)", name ? name : "None",
				       params->n);
		v_push(x->a, more, a->pos[i]);
	}
	if (n->catch_kwargs)
		*jx_slot(x, n->special[1]) = rest;
	if (n->catch_varargs)
		*jx_slot(x, n->special[2]) = more;
	jx_scope_enter(x, &n->scope);
	for (size_t i = 0; i < params->n; i++) {
		struct value *slot = jx_slot(x, params->kid[i]->slot);
		if (!v_is_missing(*slot))
			continue;
		if (i + defaults->n >= params->n) {
			struct value v;
			if (jx_eval(x, defaults->kid[i + defaults->n - params->n], &v))
				return -1;
			*slot = v;
		} else {
			struct str p = params->kid[i]->s;
			*slot = jx_undef_hint(x, arena_printf(x->a, "parameter '%.*s' was not provided", (int)p.n, p.p).p);
		}
	}
	return 0;
}

int jx_macro_call(struct jx *x, struct o_macro *m, const struct args *args, struct value *out)
{
	const struct node *n = m->node;
	size_t first = n->type == N_MACRO ? 0 : 1;
	struct frame *outer = x->frame;
	struct args a = *args;
	struct str text;
	const struct node *at = x->at;
	int rc = -1;
	if (jx_enter(x) || jx_fits(x, n))
		return -1;
	bool *used = ARENA_ARRAY(x->a, a.nkw, bool);
	x->frame = jx_frame(x, n->scope.nslots, m->up);
	if (macro_arguments(x, n, first, &a, used) == 0 && jx_capture(x, n->kid[first + 2], &text) == FLOW_ON) {
		*out = v_str(text);
		x->at = at;
		rc = 0;
	}
	x->frame = outer;
	jx_leave(x);
	return rc;
}
