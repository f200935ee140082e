/* jinja_eval.c - gives the value of an expression, as a walk over its tree.
 *
 * Operands are evaluated from left to right; "and", "or" and conditions evaluate only what they need. What an operator does
 * with its operands is in jinja_op.c, what a call does in jinja_object.c.
 */
#include "runners/text/jinja_int.h"

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
		v_set_key(x->a, *out, k, v);
	}
	return 0;
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

static int compare(struct jx *x, char op, struct value a, struct value b, bool *out)
{
	static const char codes[] = "<>lg", *const texts[] = { "<", ">", "<=", ">=" };
	int c;
	switch (op) {
	case '=':
	case '!':
		if (jx_equal(x, a, b, out))
			return -1;
		*out ^= op == '!';
		return 0;
	case 'i':
	case 'n':
		if (jx_in(x, a, b, out))
			return -1;
		*out ^= op == 'n';
		return 0;
	}
	if (jx_less(x, a, b, texts[strchr(codes, op) - codes], &c))
		return -1;
	*out = c != 2 && (op == '<' ? c < 0 : op == '>' ? c > 0 : op == 'l' ? c <= 0 : c >= 0);
	return 0;
}

static int eval_compare(struct jx *x, const struct node *n, struct value *out)
{
	struct value a, b;
	bool yes = true;
	if (jx_eval(x, n->kid[0], &a))
		return -1;
	for (size_t i = 1; i < n->n && yes; i++) {
		if (jx_eval(x, n->kid[i], &b) || compare(x, n->s.p[i - 1], a, b, &yes))
			return -1;
		a = b;
	}
	*out = v_bool(yes);
	return 0;
}

static int eval_chain(struct jx *x, const struct node *n, struct value *out)
{
	struct value b;
	if (jx_eval(x, n->kid[0], out))
		return -1;
	for (size_t i = 1; i < n->n; i++)
		if (jx_eval(x, n->kid[i], &b) || jx_binop(x, n->s.p[i - 1], *out, b, out))
			return -1;
	return 0;
}

static int eval_words(struct jx *x, const struct node *n, struct value *out)
{
	for (size_t i = 0; i < n->n; i++) {
		bool yes;
		if (jx_eval(x, n->kid[i], out))
			return -1;
		if (i + 1 == n->n)
			break;
		if (jx_truth(x, *out, &yes))
			return -1;
		if (yes == (n->type == N_OR))
			break;
	}
	return 0;
}

static int eval_item(struct jx *x, const struct node *n, struct value *out)
{
	struct value obj, key, part[3] = { VNONE, VNONE, VNONE };
	const struct node *index = n->kid[1];
	if (jx_eval(x, n->kid[0], &obj))
		return -1;
	if (index->type != N_SLICE)
		return jx_eval(x, index, &key) || jx_getitem(x, obj, key, out) ? -1 : 0;
	for (int i = 0; i < 3; i++)
		if (index->kid[i] && jx_eval(x, index->kid[i], &part[i]))
			return -1;
	return jx_slice(x, obj, part, out);
}

static int eval_cond(struct jx *x, const struct node *n, struct value *out)
{
	struct value v;
	bool yes;
	if (jx_eval(x, n->kid[0], &v) || jx_truth(x, v, &yes))
		return -1;
	if (yes || n->kid[2])
		return jx_eval(x, n->kid[yes ? 1 : 2], out);
	*out = jx_undefined(x, (struct undef){ .hint = arena_printf(x->a, "the inline if-expression on line %d evaluated to false and no "
								  "else section was defined", n->line).p });
	((struct undef *)out->obj)->strict = false;
	return 0;
}

static int eval_filter(struct jx *x, const struct node *n, struct value *out)
{
	struct value v;
	struct args args;
	if (!n->kid[0])
		v = v_str(x->block_text ? *x->block_text : STR(""));
	else if (jx_eval(x, n->kid[0], &v))
		return -1;
	if (jx_args(x, n->kid[1], &args))
		return -1;
	if (!n->fn)
		return jx_fail(x, "no %s named '%.*s' found", n->type == N_FILTER ? "filter" : "test", (int)n->s.n,
			       n->s.p);
	x->line = n->line;
	return jx_apply(x, n->fn, v, &args, out);
}

static int eval_call(struct jx *x, const struct node *n, struct value *out)
{
	struct value callee;
	struct args args;
	if (jx_eval(x, n->kid[0], &callee) || jx_args(x, n->kid[1], &args))
		return -1;
	x->line = n->line;
	return jx_call(x, callee, &args, out);
}

static int eval_node(struct jx *x, const struct node *n, struct value *out)
{
	struct value v;
	bool yes;
	switch (n->type) {
	case N_CONST:
		*out = n->v;
		return 0;
	case N_NAME:
		*out = *jx_slot(x, n->slot);
		if (v_is_missing(*out))
			*out = jx_undefined(x, (struct undef){ .name = n->s });
		return 0;
	case N_LIST:
	case N_TUPLE:
		return eval_items(x, n, out);
	case N_DICT:
		return eval_dict(x, n, out);
	case N_CHAIN:
		return eval_chain(x, n, out);
	case N_CONCAT:
		return eval_concat(x, n, out);
	case N_AND:
	case N_OR:
		return eval_words(x, n, out);
	case N_NOT:
		if (jx_eval(x, n->kid[0], &v) || jx_truth(x, v, &yes))
			return -1;
		*out = v_bool(!yes);
		return 0;
	case N_NEG:
	case N_POS:
		return jx_eval(x, n->kid[0], &v) || jx_negate(x, n->type == N_NEG ? '-' : '+', v, out) ? -1 : 0;
	case N_COMPARE:
		return eval_compare(x, n, out);
	case N_COND:
		return eval_cond(x, n, out);
	case N_ATTR:
		return jx_eval(x, n->kid[0], &v) || jx_getattr(x, v, n->s, out) ? -1 : 0;
	case N_ITEM:
		return eval_item(x, n, out);
	case N_CALL:
		return eval_call(x, n, out);
	case N_FILTER:
	case N_TEST:
		return eval_filter(x, n, out);
	default:
		return jx_fail(x, "not an expression");
	}
}

int jx_eval(struct jx *x, const struct node *n, struct value *out)
{
	x->line = n->line;
	if (jx_step(x, 1) || jx_enter(x))
		return -1;
	int rc = eval_node(x, n, out);
	jx_leave(x);
	return rc;
}
