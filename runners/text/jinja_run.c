/* jinja_run.c - runs the statements of the tree, which append to the current buffer; limits, errors and variables.
 *
 * Errors are messages with template name and line; nothing catches them. Every evaluated node counts as a step and looks at
 * the memory used, every operator and call as a level of nesting. All text goes to one buffer; what a statement captures
 * (set blocks, filter blocks, macros, recursive loops) is taken off its end.
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
	return err_set(x->e, code, "%s: line %d: %s", x->j->name.p, x->at->line, msg);
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

int jx_over(struct jx *x)
{
	if (x->steps > x->limit.steps)
		return jx_limit(x, "the template took more than %llu steps", (unsigned long long)x->limit.steps);
	return jx_limit(x, "the template used more than %zu bytes of memory", x->limit.memory_bytes);
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

int jx_fits(struct jx *x, const struct node *n)
{
	if (x->depth + (int64_t)n->height > x->limit.depth)
		return jx_limit(x, "calls and expressions nest more than %d deep", x->limit.depth);
	return 0;
}

struct vwalk jx_walk(struct jx *x)
{
	uint64_t steps = x->limit.steps > x->steps ? x->limit.steps - x->steps : 0, bytes = x->limit.memory_bytes;
	return (struct vwalk){ .left = (steps < bytes ? steps : bytes) + 1, .depth = VWALK_DEPTH };
}

int jx_walked(struct jx *x, const struct vwalk *w)
{
	if (w->over)
		return jx_limit(x, "a value is too large or nests too deeply");
	return 0;
}

int jx_emit_slow(struct jx *x, struct str s)
{
	struct buf *b = &x->out;
	size_t limit = x->limit.output_bytes, cap = b->cap;
	if (s.n > limit || b->n > limit - s.n)
		return jx_limit(x, "the output is longer than %zu bytes", limit);
	cap = cap > limit / 2 ? limit : cap * 2;
	if (cap < b->n + s.n)
		cap = b->n + s.n;
	if (b->p == x->first)
		b->p = memcpy(xmalloc(cap), x->first, b->n);
	else
		b->p = xrealloc(b->p, cap);
	b->cap = cap;
	return jx_emit(x, s);
}

struct str jx_cut(struct jx *x, size_t from)
{
	struct str s = arena_str(x->a, x->out.p + from, x->out.n - from);
	x->out.n = from;
	return s;
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

void jx_scope_enter(struct jx *x, const struct scope *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct load *l = &s->v[i];
		if (l->action == LOAD_RESOLVE)
			*jx_slot(x, l->slot) = x->names[l->name];
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
	if (target->type == N_NAME) {
		*jx_slot(x, target->slot) = v;
		return 0;
	}
	if (target->type == N_TUPLE)
		return unpack(x, target, v);
	struct value ns = *jx_slot(x, target->slot);
	if (!jx_is(ns, &jinja_namespace_type))
		return jx_fail(x, "cannot assign attribute on non-namespace object");
	v_set(x->a, ((struct o_namespace *)ns.obj)->dict, target->v.s, v);
	return 0;
}

static inline int assign(struct jx *x, const struct node *target, struct value v)
{
	if (target->type != N_NAME)
		return jx_assign(x, target, v);
	*jx_slot(x, target->slot) = v;
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

/* Runs a body and takes its text off the output. */
enum flow jx_capture(struct jx *x, const struct node *body, struct str *out)
{
	size_t from = x->out.n;
	enum flow f = jx_run(x, body);
	if (f == FLOW_ON && jx_room(x, x->out.n - from, 1))
		f = FLOW_ERROR;
	if (f == FLOW_ON)
		*out = jx_cut(x, from);
	else
		x->out.n = from; /* an error, or break or continue inside the captured text */
	return f;
}

static enum flow run_output(struct jx *x, const struct node *n)
{
	for (size_t i = 0; i < n->n; i++) {
		const struct node *k = n->kid[i];
		if (k->type == N_DATA ? jx_emit(x, k->s) : jx_output(x, k))
			return FLOW_ERROR;
	}
	return FLOW_ON;
}

/* The next item of a filtered loop: the filter has variables of its own. */
static int filtered_next(struct jx *x, struct o_generator *g, struct value *out)
{
	struct frame *outer = x->frame;
	int rc = -1;
	x->frame = g->frame;
	if (!g->started) {
		g->started = true;
		if (jx_fits(x, g->node->kid[4]) || jx_iter(x, g->value, &g->src))
			goto done;
		jx_scope_enter(x, &g->node->scope3);
	}
	for (;;) {
		struct value item;
		int yes;
		rc = jx_next(x, &g->src, &item);
		if (rc <= 0)
			break;
		if (jx_assign(x, g->node->kid[5], item) || (yes = jx_test(x, g->node->kid[4])) < 0) {
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
		*jx_slot(x, n->special[0]) = jx_object(loop);
	}
	for (;;) {
		struct value item;
		int rc = loop ? jx_loop_next(x, loop, &item) : jx_next(x, &it, &item);
		if (rc < 0 || (rc && assign(x, n->kid[0], item)))
			return FLOW_ERROR;
		if (!rc)
			break;
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
	size_t from = x->out.n;
	struct frame *outer = x->frame;
	if (jx_enter(x) || jx_fits(x, n))
		return -1;
	x->frame = jx_frame(x, n->scope.nslots, up);
	enum flow f = run_loop(x, n, iterable, up, depth0);
	x->frame = outer;
	if (f != FLOW_ERROR && jx_room(x, x->out.n - from, 1) == 0)
		*out = v_str(jx_cut(x, from));
	else
		f = FLOW_ERROR;
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
		int yes = jx_test(x, n->kid[i]);
		if (yes < 0)
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

static enum flow run_call_block(struct jx *x, const struct node *n)
{
	struct value caller = make_macro(x, n), callee, v;
	struct args args = { 0 };
	if (!n->kid[0]) { /* {% generation %} */
		if (jx_macro_call(x, caller.obj, &args, &v))
			return FLOW_ERROR;
	} else {
		if (jx_eval(x, n->kid[0]->kid[0], &callee) || jx_args(x, n->kid[0]->kid[1], &args))
			return FLOW_ERROR;
		for (size_t i = 0; i < args.nkw; i++)
			if (str_is(args.kw[i].key.s, "caller"))
				return jx_fail(x, "got multiple values for keyword argument 'caller'"), FLOW_ERROR;
		/* the caller stands behind the keywords that are written out and before those of ** */
		struct pair *kw = ARENA_ARRAY(x->a, args.nkw + 1, struct pair);
		size_t written = n->kid[0]->kid[1]->kid[1]->n;
		for (size_t i = 0; i < args.nkw; i++)
			kw[i + (i >= written)] = args.kw[i];
		kw[written] = (struct pair){ v_cstr("caller"), caller };
		args.kw = kw;
		args.nkw++;
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

static enum flow run_set(struct jx *x, const struct node *n)
{
	struct value v;
	if ((n->kid[0]->type != N_NAME && check_namespaces(x, n->kid[0])) || jx_eval(x, n->kid[1], &v) || assign(x, n->kid[0], v))
		return FLOW_ERROR;
	return FLOW_ON;
}

static enum flow run_macro(struct jx *x, const struct node *n)
{
	*jx_slot(x, n->slot) = make_macro(x, n);
	return FLOW_ON;
}

static enum flow run_autoescape(struct jx *x, const struct node *n)
{
	jx_scope_enter(x, &n->scope);
	enum flow f = jx_run(x, n->kid[1]);
	jx_scope_leave(x, &n->scope);
	return f;
}

static enum flow run_break(struct jx *x, const struct node *n)
{
	return FLOW_BREAK;
}

static enum flow run_continue(struct jx *x, const struct node *n)
{
	return FLOW_CONTINUE;
}

static enum flow run_body(struct jx *x, const struct node *n)
{
	enum flow f = FLOW_ON;
	for (size_t i = 0; i < n->n && f == FLOW_ON; i++)
		f = jx_run(x, n->kid[i]);
	return f;
}

enum flow jx_run(struct jx *x, const struct node *n)
{
	static enum flow (*const runs[])(struct jx *x, const struct node *n) = {
		[N_BODY] = run_body,
		[N_OUTPUT] = run_output,
		[N_FOR] = run_for,
		[N_IF] = run_if,
		[N_SET] = run_set,
		[N_SET_BLOCK] = run_set_block,
		[N_MACRO] = run_macro,
		[N_CALL_BLOCK] = run_call_block,
		[N_FILTER_BLOCK] = run_filter_block,
		[N_WITH] = run_with,
		[N_AUTOESCAPE] = run_autoescape,
		[N_BREAK] = run_break,
		[N_CONTINUE] = run_continue,
	};
	x->at = n;
	x->steps += n->cost; /* looked at by calls, filters and loops, without which nothing runs for long */
	return runs[n->type](x, n);
}
