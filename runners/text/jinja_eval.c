/* jinja_eval.c - gives the value of an expression, as a walk over its tree.
 *
 * Operands are evaluated from left to right; "and", "or" and conditions evaluate only what they need. What an operator does
 * with its operands is in jinja_op.c, what a call does in jinja_object.c.
 *
 * Statements count the steps of their expressions, functions (the template, macros) look at how deep theirs nest: the
 * resolver measured both. Calls, filters and tests look at the limits, because what they do has no fixed size. Constants and variables are used where
 * they stand, without a copy: nothing that runs inside an expression assigns the variables of the function it is in. A
 * condition is evaluated to a truth without making a value of it, and the parts of a sum or of a ~ go straight to the
 * output where they are printed. Builtins called with positional arguments that fit get them without binding names.
 */
#include "runners/text/jinja_int.h"

/* Keeps the frames of the functions it would be inlined into small. */
#define OUT_OF_LINE __attribute__((noinline))

static int (*const evals[])(struct jx *x, const struct node *n, struct value *out);

int jx_eval(struct jx *x, const struct node *n, struct value *out)
{
	x->at = n;
	return evals[n->type](x, n, out);
}

/* An operand where it stands, else evaluated into room; NULL: it failed. */
static inline const struct value *operand(struct jx *x, const struct node *n, struct value *room)
{
	x->at = n;
	if (n->type == N_CONST)
		return &n->v;
	if (n->type == N_NAME) {
		const struct value *v = jx_slot(x, n->slot);
		if (v->type != V_UNDEFINED)
			return v;
	}
	return evals[n->type](x, n, room) ? NULL : room;
}

/* ---- truth ---- */

static int truth(struct jx *x, const struct value *v)
{
	bool yes;
	if (v->type == V_BOOL)
		return v->b;
	if (v->type == V_STR)
		return v->s.n != 0;
	return jx_truth(x, *v, &yes) ? -1 : yes;
}

/* One comparison: 1, 0, -1. */
static OUT_OF_LINE int compare_any(struct jx *x, char op, const struct value *a, const struct value *b)
{
	static const char codes[] = "<>lg", *const texts[] = { "<", ">", "<=", ">=" };
	bool yes;
	int c;
	switch (op) {
	case '=':
	case '!':
		return jx_equal(x, *a, *b, &yes) ? -1 : yes ^ (op == '!');
	case 'i':
	case 'n':
		return jx_in(x, *a, *b, &yes) ? -1 : yes ^ (op == 'n');
	}
	if (jx_less(x, *a, *b, texts[strchr(codes, op) - codes], &c))
		return -1;
	return c != 2 && (op == '<' ? c < 0 : op == '>' ? c > 0 : op == 'l' ? c <= 0 : c >= 0);
}

static inline int compare(struct jx *x, char op, const struct value *a, const struct value *b)
{
	if (a->type == V_STR && b->type == V_STR && a->s.n < 256 && (op == '=' || op == '!'))
		return (a->s.n == b->s.n && v_same_bytes(a->s.p, b->s.p, a->s.n)) ^ (op == '!');
	if (a->type == V_STR && b->type == V_DICT && a->s.n < 256 && (op == 'i' || op == 'n'))
		return (v_item(b->dict, a->s) != NULL) ^ (op == 'n');
	return compare_any(x, op, a, b);
}

static OUT_OF_LINE int test_compare(struct jx *x, const struct node *n)
{
	struct value room[2];
	int yes = 1;
	const struct value *a = operand(x, n->kid[0], &room[0]), *b;
	if (!a)
		return -1;
	for (size_t i = 1; i < n->n && yes == 1; i++, a = b) {
		b = operand(x, n->kid[i], &room[i & 1]);
		if (!b)
			return -1;
		yes = compare(x, n->s.p[i - 1], a, b);
	}
	return yes;
}

static OUT_OF_LINE int test_words(struct jx *x, const struct node *n)
{
	int yes = 0, on = n->type == N_AND;
	for (size_t i = 0; i < n->n; i++) {
		yes = jx_test(x, n->kid[i]);
		if (yes != on)
			break;
	}
	return yes;
}

static int test_not(struct jx *x, const struct node *n)
{
	int yes = jx_test(x, n->kid[0]);
	return yes < 0 ? yes : !yes;
}

static OUT_OF_LINE int test_value(struct jx *x, const struct node *n)
{
	struct value room;
	const struct value *v = operand(x, n, &room);
	return v ? truth(x, v) : -1;
}

int jx_test(struct jx *x, const struct node *n)
{
	x->at = n;
	switch (n->type) {
	case N_NOT:
		return test_not(x, n);
	case N_AND:
	case N_OR:
		return test_words(x, n);
	case N_COMPARE:
		return test_compare(x, n);
	default:
		return test_value(x, n);
	}
}

static int eval_truth(struct jx *x, const struct node *n, struct value *out)
{
	int yes = jx_test(x, n);
	*out = v_bool(yes == 1);
	return yes < 0 ? -1 : 0;
}

/* "and" and "or" give the operand that decided. */
static int eval_words(struct jx *x, const struct node *n, struct value *out)
{
	for (size_t i = 0;; i++) {
		if (jx_eval(x, n->kid[i], out))
			return -1;
		if (i + 1 == n->n)
			return 0;
		int yes = truth(x, out);
		if (yes < 0)
			return -1;
		if (yes == (n->type == N_OR))
			return 0;
	}
}

/* ---- values ---- */

static int eval_const(struct jx *x, const struct node *n, struct value *out)
{
	*out = n->v;
	return 0;
}

static int eval_name(struct jx *x, const struct node *n, struct value *out)
{
	*out = *jx_slot(x, n->slot);
	if (v_is_missing(*out))
		*out = jx_undefined(x, (struct undef){ .name = n->s });
	return 0;
}

static int eval_items(struct jx *x, const struct node *n, struct value *out)
{
	struct value v;
	*out = n->type == N_LIST ? v_list(x->a, n->n) : v_tuple(x->a, n->n);
	for (size_t i = 0; i < n->n; i++) {
		if (jx_eval(x, n->kid[i], &v))
			return -1;
		v_push(x->a, *out, v);
	}
	return 0;
}

static int eval_dict(struct jx *x, const struct node *n, struct value *out)
{
	*out = v_dict(x->a);
	for (size_t i = 0; i < n->n; i += 2) {
		struct value k, v;
		if (jx_eval(x, n->kid[i], &k) || jx_eval(x, n->kid[i + 1], &v))
			return -1;
		if (k.type == V_UNDEFINED && x->strict)
			return jx_undef_fail(x, k);
		if (!v_hashable(k))
			return jx_fail(x, "unhashable type: '%s'", v_type_name(k));
		if (jx_reads(x, k))
			return -1;
		v_set_key(x->a, *out, k, v);
	}
	return 0;
}

/* ---- operators ---- */

static int eval_chain(struct jx *x, const struct node *n, struct value *out)
{
	struct value room;
	const struct value *a = operand(x, n->kid[0], out), *b;
	for (size_t i = 1; i < n->n && a; i++, a = out) {
		b = operand(x, n->kid[i], &room);
		if (!b || jx_binop(x, n->s.p[i - 1], *a, *b, out))
			return -1;
	}
	return a ? 0 : -1;
}

static int eval_concat(struct jx *x, const struct node *n, struct value *out)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < n->n; i++) {
		struct value v;
		struct str s;
		if (jx_eval(x, n->kid[i], &v) || jx_text(x, v, &s) || jx_room(x, b.n + s.n, 1)) {
			buf_fini(&b);
			return -1;
		}
		buf_str(&b, s);
	}
	*out = jx_str(x, &b);
	return 0;
}

static int eval_sign(struct jx *x, const struct node *n, struct value *out)
{
	struct value room;
	const struct value *v = operand(x, n->kid[0], &room);
	return v ? jx_negate(x, n->type == N_NEG ? '-' : '+', *v, out) : -1;
}

static struct value no_else(struct jx *x, const struct node *n)
{
	struct value v = jx_undefined(x, (struct undef){ .hint = n->s.p });
	((struct undef *)v.obj)->strict = false;
	return v;
}

static int eval_cond(struct jx *x, const struct node *n, struct value *out)
{
	int yes = jx_test(x, n->kid[0]);
	if (yes < 0)
		return -1;
	if (yes || n->kid[2])
		return jx_eval(x, n->kid[yes ? 1 : 2], out);
	*out = no_else(x, n);
	return 0;
}

static int eval_attr(struct jx *x, const struct node *n, struct value *out)
{
	struct value room;
	const struct value *obj = operand(x, n->kid[0], &room), *item;
	if (!obj)
		return -1;
	if (obj->type == V_DICT && !n->methods && (item = v_item(obj->dict, n->s))) { /* all that the name can mean */
		*out = *item;
		return 0;
	}
	if (n->field && jx_is(*obj, &jinja_loop_type))
		return jx_loop_get(x, obj->obj, n->field, out);
	return jx_member(x, obj, n, out);
}

static int eval_key(struct jx *x, const struct node *n, struct value *out)
{
	struct value room;
	const struct value *obj = operand(x, n->kid[0], &room), *item;
	if (!obj)
		return -1;
	if (obj->type == V_DICT && (item = v_item(obj->dict, n->s))) {
		*out = *item;
		return 0;
	}
	return jx_getitem(x, *obj, n->kid[1]->v, out);
}

static OUT_OF_LINE int eval_slice(struct jx *x, const struct value *obj, const struct node *slice, struct value *out)
{
	struct value part[3] = { VNONE, VNONE, VNONE };
	for (int i = 0; i < 3; i++)
		if (slice->kid[i] && jx_eval(x, slice->kid[i], &part[i]))
			return -1;
	return jx_slice(x, *obj, part, out);
}

static int eval_item(struct jx *x, const struct node *n, struct value *out)
{
	struct value room, room2;
	const struct node *index = n->kid[1];
	const struct value *obj = operand(x, n->kid[0], &room), *key;
	if (!obj)
		return -1;
	if (index->type == N_SLICE)
		return eval_slice(x, obj, index, out);
	key = operand(x, index, &room2);
	return key ? jx_getitem(x, *obj, *key, out) : -1;
}

/* ---- calls ---- */

int jx_args(struct jx *x, const struct node *n, struct args *out)
{
	*out = (struct args){ 0 };
	if (!n)
		return 0;
	const struct node *pos = n->kid[0], *kw = n->kid[1];
	struct value v;
	out->npos = pos->n;
	out->nkw = kw->n;
	out->pos = ARENA_ARRAY(x->a, pos->n, struct value);
	out->kw = ARENA_ARRAY(x->a, kw->n, struct pair);
	for (size_t i = 0; i < pos->n; i++)
		if (jx_eval(x, pos->kid[i], &out->pos[i]))
			return -1;
	for (size_t i = 0; i < kw->n; i++) {
		out->kw[i].key = v_str(kw->kid[i]->s);
		if (jx_eval(x, kw->kid[i]->kid[0], &out->kw[i].val))
			return -1;
	}
	if (n->kid[2]) {
		struct value list;
		if (jx_eval(x, n->kid[2], &v) || jx_to_list(x, v, &list))
			return -1;
		struct value *all = ARENA_ARRAY(x->a, pos->n + list.list->n, struct value);
		memcpy(all, out->pos, pos->n * sizeof *all);
		if (list.list->n)
			memcpy(all + pos->n, list.list->v, list.list->n * sizeof *all);
		out->pos = all;
		out->npos += list.list->n;
	}
	if (n->kid[3]) {
		if (jx_eval(x, n->kid[3], &v))
			return -1;
		if (v.type == V_UNDEFINED)
			return jx_undef_fail(x, v);
		if (v.type != V_DICT)
			return jx_fail(x, "argument after ** must be a mapping, not %s", v_type_name(v));
		struct pair *all = ARENA_ARRAY(x->a, kw->n + v.dict->n, struct pair);
		memcpy(all, out->kw, kw->n * sizeof *all);
		for (size_t i = 0; i < v.dict->n; i++) {
			if (v.dict->v[i].key.type != V_STR)
				return jx_fail(x, "keywords must be strings");
			for (size_t k = 0; k < kw->n; k++)
				if (str_eq(all[k].key.s, v.dict->v[i].key.s))
					return jx_fail(x, "got multiple values for keyword argument '%.*s'",
						       (int)all[k].key.s.n, all[k].key.s.p);
			all[out->nkw++] = v.dict->v[i];
		}
		out->kw = all;
	}
	return 0;
}

/* Positional arguments of a builtin, the absent ones marked. */
static inline int positional(struct jx *x, const struct node *args, size_t nparams, struct value *arg)
{
	size_t n = args ? args->kid[0]->n : 0;
	for (size_t i = 0; i < n; i++)
		if (jx_eval(x, args->kid[0]->kid[i], &arg[i]))
			return -1;
	for (size_t i = n; i < nparams; i++)
		arg[i] = VMISSING;
	return 0;
}

static OUT_OF_LINE int apply_any(struct jx *x, const struct node *n, const struct value *v, struct value *out)
{
	struct args args;
	if (jx_args(x, n->kid[1], &args))
		return -1;
	if (!n->fn)
		return jx_fail(x, "no %s named '%.*s' found", n->type == N_FILTER ? "filter" : "test", (int)n->s.n,
			       n->s.p);
	x->at = n;
	return jx_apply(x, n->fn, *v, &args, out);
}

/* Filters and tests. */
static int eval_filter(struct jx *x, const struct node *n, struct value *out)
{
	struct value room, arg[JX_MAX_ARGS];
	const struct value *v = &room;
	int rc;
	if (!n->kid[0])
		room = v_str(x->block_text ? *x->block_text : STR(""));
	else if (!(v = operand(x, n->kid[0], &room)))
		return -1;
	x->depth += (int)n->level;
	if (!n->flag) {
		rc = apply_any(x, n, v, out);
	} else if (!(rc = positional(x, n->kid[1], n->nparams, arg)) && !(rc = jx_reads(x, *v))) {
		x->at = n;
		rc = n->fn->call(x, *v, arg, out);
	}
	x->depth -= (int)n->level;
	return rc || jx_step(x, 0) ? -1 : 0;
}

/* A method of a plain value, called where it is named: no bound method is made of it. */
static int call_method(struct jx *x, const struct node *n, const struct value *self, const struct method *m, size_t nparams,
		       struct value *out)
{
	struct value arg[JX_MAX_ARGS];
	if (positional(x, n->kid[1], nparams, arg))
		return -1;
	x->at = n;
	return jx_reads(x, *self) ? -1 : m->call(x, *self, arg, out);
}

static int eval_call(struct jx *x, const struct node *n, struct value *out)
{
	struct value room, callee;
	struct args args;
	const struct node *f = n->kid[0];
	int rc;
	if (f->type == N_ATTR) {
		x->at = f;
		const struct value *self = operand(x, f->kid[0], &room);
		if (!self)
			return -1;
		const struct method *m = f->methods ? f->methods[self->type] : NULL;
		bool fit = false;
		size_t nparams = m && m->call && !m->mutates ? jx_params(m->spec, n->kid[1], &fit) : 0;
		if (fit)
			return call_method(x, n, self, m, nparams, out) || jx_step(x, 0) ? -1 : 0;
		if (jx_member(x, self, f, &callee))
			return -1;
	} else if (jx_eval(x, f, &callee)) {
		return -1;
	}
	if (jx_args(x, n->kid[1], &args))
		return -1;
	x->at = n;
	x->depth += (int)n->level;
	rc = jx_call(x, callee, &args, out);
	x->depth -= (int)n->level;
	return rc || jx_step(x, 0) ? -1 : 0;
}

static int (*const evals[])(struct jx *x, const struct node *n, struct value *out) = {
	[N_CONST] = eval_const,
	[N_NAME] = eval_name,
	[N_LIST] = eval_items,
	[N_TUPLE] = eval_items,
	[N_DICT] = eval_dict,
	[N_CHAIN] = eval_chain,
	[N_CONCAT] = eval_concat,
	[N_AND] = eval_words,
	[N_OR] = eval_words,
	[N_NOT] = eval_truth,
	[N_NEG] = eval_sign,
	[N_POS] = eval_sign,
	[N_COMPARE] = eval_truth,
	[N_COND] = eval_cond,
	[N_ATTR] = eval_attr,
	[N_ITEM] = eval_item,
	[N_KEY] = eval_key,
	[N_CALL] = eval_call,
	[N_FILTER] = eval_filter,
	[N_TEST] = eval_filter,
};

/* ---- printing ---- */

static int print_value(struct jx *x, const struct value *v)
{
	struct str s;
	if (v->type == V_STR)
		return jx_emit(x, v->s);
	return jx_text(x, *v, &s) || jx_emit(x, s) ? -1 : 0;
}

/* a + b + c: strings one after the other; from the first other value on as any sum. */
static int print_sum(struct jx *x, const struct node *n)
{
	struct value room, sum;
	const struct value *v;
	size_t i, from = x->out.n;
	for (i = 0; i < n->n; i++) {
		v = operand(x, n->kid[i], &room);
		if (!v)
			return -1;
		if (v->type != V_STR || v->safe)
			break;
		if (jx_emit(x, v->s))
			return -1;
	}
	if (i == n->n)
		return 0;
	sum = *v;
	if (i && jx_binop(x, '+', v_str(jx_cut(x, from)), *v, &sum))
		return -1;
	while (++i < n->n)
		if (!(v = operand(x, n->kid[i], &room)) || jx_binop(x, '+', sum, *v, &sum))
			return -1;
	return print_value(x, &sum);
}

int jx_output(struct jx *x, const struct node *n)
{
	struct value room;
	const struct value *v;
	int yes;
	x->at = n;
	switch (n->type) {
	case N_CHAIN:
		if (n->flag)
			return print_sum(x, n);
		break;
	case N_CONCAT:
		for (size_t i = 0; i < n->n; i++)
			if (!(v = operand(x, n->kid[i], &room)) || print_value(x, v))
				return -1;
		return 0;
	case N_COND:
		yes = jx_test(x, n->kid[0]);
		if (yes < 0)
			return -1;
		if (yes || n->kid[2])
			return jx_output(x, n->kid[yes ? 1 : 2]);
		return 0;
	default:
		break;
	}
	v = operand(x, n, &room);
	return v ? print_value(x, v) : -1;
}

