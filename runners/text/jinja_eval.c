/* jinja_eval.c - runs the tree: statements append to the current buffer, expressions give values.
 *
 * Errors are messages with template name and line; nothing catches them. Every evaluated node counts as a step and looks at
 * the memory used, every expression and call as a level of nesting. Text that a statement captures (set blocks, filter
 * blocks, macros, recursive loops) goes to a buffer of its own, which is freed on every path.
 * The order in which scopes are entered, targets assigned and defaults evaluated is that of jinja2's generated code. Two of
 * its habits are kept: a loop's else also runs when no iteration reached the end of its body (break, continue), and a
 * loop's filter is evaluated lazily, one item ahead only when loop.last or loop.nextitem ask.
 */
#include "runners/text/jinja_int.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- limits and errors ---- */

static int vfail(struct jx *x, enum err_code code, const char *fmt, va_list ap)
{
	char msg[800];
	vsnprintf(msg, sizeof msg, fmt, ap);
	return err_set(x->e, code, "%s: line %d: %s", x->j->name.p, x->line, msg);
}

int jx_fail(struct jx *x, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfail(x, E_FORMAT, fmt, ap);
	va_end(ap);
	return -1;
}

int jx_limit(struct jx *x, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfail(x, E_LIMIT, fmt, ap);
	va_end(ap);
	return -1;
}

int jx_step(struct jx *x, uint64_t n)
{
	x->steps += n;
	if (x->steps > x->limit.steps)
		return jx_limit(x, "the template took more than %llu steps", (unsigned long long)x->limit.steps);
	if (x->a->used - x->used0 > x->limit.memory_bytes)
		return jx_limit(x, "the template used more than %zu bytes of memory", x->limit.memory_bytes);
	return 0;
}

int jx_room(struct jx *x, size_t count, size_t size)
{
	size_t bytes, used = x->a->used - x->used0;
	if (size_mul(count, size, &bytes) || used > x->limit.memory_bytes || bytes > x->limit.memory_bytes - used)
		return jx_limit(x, "the template used more than %zu bytes of memory", x->limit.memory_bytes);
	return 0;
}

int jx_enter(struct jx *x)
{
	if (++x->depth > x->limit.depth)
		return jx_limit(x, "calls and expressions nest more than %d deep", x->limit.depth);
	return 0;
}

struct vwalk jx_walk(struct jx *x)
{
	uint64_t steps = x->limit.steps - x->steps, bytes = x->limit.memory_bytes;
	return (struct vwalk){ .left = (steps < bytes ? steps : bytes) + 1, .depth = VWALK_DEPTH };
}

int jx_walked(struct jx *x, const struct vwalk *w)
{
	if (w->over)
		return jx_limit(x, "a value is too large or nests too deeply");
	return 0;
}

int jx_emit(struct jx *x, struct str s)
{
	if (s.n > x->limit.output_bytes || x->out->n > x->limit.output_bytes - s.n)
		return jx_limit(x, "the output is longer than %zu bytes", x->limit.output_bytes);
	buf_add(x->out, s.p, s.n);
	return 0;
}

struct str jx_take(struct jx *x, struct buf *b)
{
	struct str s = arena_str(x->a, b->p ? b->p : "", b->n);
	buf_fini(b);
	return s;
}

struct value jx_str(struct jx *x, struct buf *b)
{
	return v_str(jx_take(x, b));
}

/* ---- variables ---- */

struct value *jx_slot(struct jx *x, struct slot s)
{
	struct frame *f = x->frame;
	for (unsigned up = s.up; up; up--)
		f = f->up;
	return &f->slot[s.at];
}

static struct value lookup(struct jx *x, struct str name)
{
	struct value v;
	const struct value *p = v_get(x->vars, name);
	if (p)
		return *p;
	return jx_global(name, &v, x->j->env) ? v : VMISSING;
}

void jx_scope_enter(struct jx *x, const struct scope *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct load *l = &s->v[i];
		if (l->action == LOAD_RESOLVE)
			*jx_slot(x, l->slot) = lookup(x, l->name);
		else if (l->action == LOAD_ALIAS)
			*jx_slot(x, l->slot) = *jx_slot(x, l->from);
		else if (l->action == LOAD_UNDEFINED)
			*jx_slot(x, l->slot) = VMISSING;
	}
}

void jx_scope_leave(struct jx *x, const struct scope *s)
{
	for (size_t i = 0; i < s->n; i++)
		*jx_slot(x, s->v[i].slot) = VMISSING;
}

struct frame *jx_frame(struct jx *x, int nslots, struct frame *up)
{
	struct frame *f = ARENA_NEW(x->a, struct frame);
	f->slot = ARENA_ARRAY(x->a, (size_t)nslots, struct value);
	for (int i = 0; i < nslots; i++)
		f->slot[i] = VMISSING;
	f->up = up;
	return f;
}

static int unpack(struct jx *x, const struct node *target, struct value v)
{
	struct iter it;
	struct value item;
	if (jx_iter(x, v, &it))
		return -1;
	for (size_t i = 0; i < target->n; i++) {
		int rc = jx_next(x, &it, &item);
		if (rc < 0)
			return -1;
		if (!rc)
			return jx_fail(x, "not enough values to unpack (expected %zu, got %zu)", target->n, i);
		if (jx_assign(x, target->kid[i], item))
			return -1;
	}
	int rc = jx_next(x, &it, &item);
	return rc < 0 ? -1 : rc ? jx_fail(x, "too many values to unpack (expected %zu)", target->n) : 0;
}

int jx_assign(struct jx *x, const struct node *target, struct value v)
{
	if (target->type == N_TUPLE)
		return unpack(x, target, v);
	if (target->type == N_NAME) {
		*jx_slot(x, target->slot) = v;
		return 0;
	}
	struct value ns = *jx_slot(x, target->slot);
	if (!jx_is(ns, &jinja_namespace_type))
		return jx_fail(x, "cannot assign attribute on non-namespace object");
	v_set(x->a, ((struct o_namespace *)ns.obj)->dict, target->v.s, v);
	return 0;
}

/* Namespaces among the targets are checked before the value is evaluated. */
static int check_namespaces(struct jx *x, const struct node *target)
{
	if (target->type == N_NSREF && !jx_is(*jx_slot(x, target->slot), &jinja_namespace_type))
		return jx_fail(x, "cannot assign attribute on non-namespace object");
	if (target->type == N_TUPLE)
		for (size_t i = 0; i < target->n; i++)
			if (check_namespaces(x, target->kid[i]))
				return -1;
	return 0;
}

/* ---- statements ---- */

/* Runs a body with its text going to a buffer of its own. */
enum flow jx_capture(struct jx *x, const struct node *body, struct str *out)
{
	struct buf b = { 0 }, *outer = x->out;
	x->out = &b;
	enum flow f = jx_run(x, body);
	x->out = outer;
	if (f == FLOW_ON && jx_room(x, b.n, 1) == 0)
		*out = jx_take(x, &b);
	else if (f == FLOW_ON)
		f = FLOW_ERROR;
	buf_fini(&b);
	return f;
}

static enum flow run_output(struct jx *x, const struct node *n)
{
	for (size_t i = 0; i < n->n; i++) {
		const struct node *k = n->kid[i];
		struct value v;
		struct str s = k->s;
		if (k->type != N_DATA) {
			if (jx_eval(x, k, &v) || jx_text(x, v, &s))
				return FLOW_ERROR;
		}
		if (jx_emit(x, s))
			return FLOW_ERROR;
	}
	return FLOW_ON;
}

/* The next item of a filtered loop: the filter has variables of its own. */
static int filtered_next(struct jx *x, struct o_generator *g, struct value *out)
{
	struct frame *outer = x->frame;
	int rc = -1;
	bool yes = false;
	x->frame = g->frame;
	if (!g->started) {
		g->started = true;
		if (jx_iter(x, g->value, &g->src))
			goto done;
		jx_scope_enter(x, &g->node->scope3);
	}
	for (;;) {
		struct value item, test;
		rc = jx_next(x, &g->src, &item);
		if (rc <= 0)
			break;
		if (jx_assign(x, g->node->kid[5], item) || jx_eval(x, g->node->kid[4], &test) ||
		    jx_truth(x, test, &yes)) {
			rc = -1;
			break;
		}
		if (yes) {
			*out = item;
			break;
		}
	}
done:
	x->frame = outer;
	return rc;
}

/* The iterations of a loop in the current frame, its else included. `up`: the frame outside of a recursive loop's function. */
static enum flow run_loop(struct jx *x, const struct node *n, struct value over, struct frame *up, int depth0)
{
	struct o_loop *loop = NULL;
	struct iter it;
	bool finished = false; /* some iteration ran to its end */
	if (n->kid[4]) {
		struct o_generator *g = jx_generator(x, over, filtered_next);
		g->node = n;
		g->frame = jx_frame(x, n->scope3.nslots, up);
		g->filter = "loop filter";
		over = jx_object(g);
	}
	if (jx_iter(x, over, &it))
		return FLOW_ERROR;
	if (n->flag2) {
		loop = ARENA_NEW(x->a, struct o_loop);
		*loop = (struct o_loop){ .o = { &jinja_loop_type }, .it = it, .iterable = over, .index0 = -1, .length = -1, .depth0 = depth0,
			.current = VMISSING, .before = VMISSING, .after = VMISSING, .changed = VMISSING,
			.node = n->flag ? n : NULL, .up = up };
	}
	for (;;) {
		struct value item;
		int rc = loop ? jx_loop_next(x, loop, &item) : jx_next(x, &it, &item);
		if (rc < 0 || (rc && (jx_step(x, 1) || jx_assign(x, n->kid[0], item))))
			return FLOW_ERROR;
		if (!rc)
			break;
		if (loop)
			*jx_slot(x, n->special[0]) = jx_object(loop);
		jx_scope_enter(x, &n->scope);
		enum flow f = jx_run(x, n->kid[2]);
		if (f == FLOW_ERROR)
			return f;
		if (f == FLOW_BREAK)
			break;
		finished |= f == FLOW_ON;
	}
	jx_scope_leave(x, &n->scope);
	if (finished || !n->kid[3])
		return FLOW_ON;
	jx_scope_enter(x, &n->scope2);
	enum flow f = jx_run(x, n->kid[3]);
	jx_scope_leave(x, &n->scope2);
	return f;
}

int jx_loop_call(struct jx *x, const struct node *n, struct frame *up, struct value iterable, int depth0,
		 struct value *out)
{
	struct buf b = { 0 }, *outer_out = x->out;
	struct frame *outer = x->frame;
	if (jx_enter(x))
		return -1;
	x->frame = jx_frame(x, n->scope.nslots, up);
	x->out = &b;
	enum flow f = run_loop(x, n, iterable, up, depth0);
	x->out = outer_out;
	x->frame = outer;
	if (f != FLOW_ERROR && jx_room(x, b.n, 1) == 0)
		*out = jx_str(x, &b);
	else
		f = FLOW_ERROR;
	buf_fini(&b);
	jx_leave(x);
	return f == FLOW_ERROR ? -1 : 0;
}

static enum flow run_for(struct jx *x, const struct node *n)
{
	struct value over, text;
	if (jx_eval(x, n->kid[1], &over))
		return FLOW_ERROR;
	if (!n->flag)
		return run_loop(x, n, over, x->frame, 0);
	if (jx_loop_call(x, n, x->frame, over, 0, &text) || jx_emit(x, text.s))
		return FLOW_ERROR;
	return FLOW_ON;
}

static enum flow run_if(struct jx *x, const struct node *n)
{
	size_t i = 0;
	for (; i + 1 < n->n; i += 2) {
		struct value v;
		bool yes;
		if (jx_eval(x, n->kid[i], &v) || jx_truth(x, v, &yes))
			return FLOW_ERROR;
		if (yes)
			return jx_run(x, n->kid[i + 1]);
	}
	return i < n->n ? jx_run(x, n->kid[i]) : FLOW_ON;
}

static enum flow run_set_block(struct jx *x, const struct node *n)
{
	struct str text;
	jx_scope_enter(x, &n->scope);
	enum flow f = jx_capture(x, n->kid[2], &text);
	if (f != FLOW_ON)
		return f;
	struct value v = v_str(text);
	if (n->kid[1]) {
		const struct str *outer = x->block_text;
		x->block_text = &text;
		int rc = jx_eval(x, n->kid[1], &v);
		x->block_text = outer;
		if (rc)
			return FLOW_ERROR;
	}
	if (jx_assign(x, n->kid[0], v))
		return FLOW_ERROR;
	jx_scope_leave(x, &n->scope);
	return FLOW_ON;
}

/* What a block yields is joined without str(): it must be text. */
static int emit_text(struct jx *x, struct value v)
{
	if (v.type != V_STR)
		return jx_fail(x, "expected str instance, %s found", v_type_name(v));
	return jx_emit(x, v.s);
}

static enum flow run_filter_block(struct jx *x, const struct node *n)
{
	struct str text;
	struct value v;
	jx_scope_enter(x, &n->scope);
	enum flow f = jx_capture(x, n->kid[0], &text);
	if (f != FLOW_ON)
		return f;
	const struct str *outer = x->block_text;
	x->block_text = &text;
	int rc = jx_eval(x, n->kid[1], &v);
	x->block_text = outer;
	if (rc || emit_text(x, v))
		return FLOW_ERROR;
	jx_scope_leave(x, &n->scope);
	return FLOW_ON;
}

static struct value make_macro(struct jx *x, const struct node *n)
{
	struct o_macro *m = ARENA_NEW(x->a, struct o_macro);
	*m = (struct o_macro){ .o = { &jinja_macro_type }, .node = n, .up = x->frame };
	return jx_object(m);
}

static int eval_args(struct jx *x, const struct node *n, struct args *out);

static enum flow run_call_block(struct jx *x, const struct node *n)
{
	struct value caller = make_macro(x, n), callee, v;
	struct args args = { 0 };
	if (!n->kid[0]) { /* {% generation %} */
		if (jx_macro_call(x, caller.obj, &args, &v))
			return FLOW_ERROR;
	} else {
		if (jx_eval(x, n->kid[0]->kid[0], &callee) || eval_args(x, n->kid[0]->kid[1], &args))
			return FLOW_ERROR;
		struct pair *kw = ARENA_ARRAY(x->a, args.nkw + 1, struct pair);
		if (args.nkw)
			memcpy(kw, args.kw, args.nkw * sizeof *kw);
		kw[args.nkw++] = (struct pair){ v_cstr("caller"), caller };
		args.kw = kw;
		if (jx_call(x, callee, &args, &v))
			return FLOW_ERROR;
	}
	return emit_text(x, v) ? FLOW_ERROR : FLOW_ON;
}

static enum flow run_with(struct jx *x, const struct node *n)
{
	jx_scope_enter(x, &n->scope);
	for (size_t i = 0; i < n->kid[0]->n; i++) {
		struct value v;
		if (jx_eval(x, n->kid[1]->kid[i], &v) || jx_assign(x, n->kid[0]->kid[i], v))
			return FLOW_ERROR;
	}
	enum flow f = jx_run(x, n->kid[2]);
	jx_scope_leave(x, &n->scope);
	return f;
}

enum flow jx_run(struct jx *x, const struct node *n)
{
	struct value v;
	enum flow f = FLOW_ON;
	x->line = n->line;
	if (jx_step(x, 1))
		return FLOW_ERROR;
	switch (n->type) {
	case N_BODY:
		for (size_t i = 0; i < n->n && f == FLOW_ON; i++)
			f = jx_run(x, n->kid[i]);
		return f;
	case N_OUTPUT:
		return run_output(x, n);
	case N_FOR:
		return run_for(x, n);
	case N_IF:
		return run_if(x, n);
	case N_SET:
		if (check_namespaces(x, n->kid[0]) || jx_eval(x, n->kid[1], &v) || jx_assign(x, n->kid[0], v))
			return FLOW_ERROR;
		return FLOW_ON;
	case N_SET_BLOCK:
		return run_set_block(x, n);
	case N_MACRO:
		*jx_slot(x, n->slot) = make_macro(x, n);
		return FLOW_ON;
	case N_CALL_BLOCK:
		return run_call_block(x, n);
	case N_FILTER_BLOCK:
		return run_filter_block(x, n);
	case N_WITH:
		return run_with(x, n);
	case N_AUTOESCAPE:
		jx_scope_enter(x, &n->scope);
		f = jx_run(x, n->kid[1]);
		jx_scope_leave(x, &n->scope);
		return f;
	case N_BREAK:
		return FLOW_BREAK;
	case N_CONTINUE:
		return FLOW_CONTINUE;
	default:
		return jx_fail(x, "not a statement"), FLOW_ERROR;
	}
}

/* ---- expressions ---- */

static int eval_args(struct jx *x, const struct node *n, struct args *out)
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
	if (eval_args(x, n->kid[1], &args))
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
	if (jx_eval(x, n->kid[0], &callee) || eval_args(x, n->kid[1], &args))
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
