/* jinja_scope.c - which variable a name means, decided once per template as jinja2's compiler does.
 *
 * jinja2 turns a template into Python functions whose local variables are named by scope level and name. What a template sees
 * (a loop's assignments end with the iteration, an "if" has no scope, a macro sees later assignments of the template) follows
 * from that construction, so it is repeated here: each scope has symbols with references, loads (what entering the scope does:
 * look up in the render's variables, copy from the outer scope's variable, start unset) and stores. A reference becomes a slot
 * in the frame of a function: the template, a macro, a call block, the body of a recursive loop or a loop's filter.
 *
 *     {% set x = 1 %}{% for i in y %}{{ x }}{% set x = i %}{% endfor %}{{ x }}
 *     root: x unset, y looked up        loop: i parameter, x copied from the root's at every iteration
 *
 * (After jinja2's idtracking and compiler modules, version 3.1.)
 */
#include "runners/text/jinja_int.h"

#include <stdio.h>

#define MAX_VARIABLES 1000

struct function {
	struct source *src;
	int depth;
	struct { int level; struct str name; } *var;
	size_t n, cap;
};

struct ref {
	struct str name;
	struct function *fn;
	uint16_t at;
};

struct sload {
	struct function *fn;
	uint16_t at;
	enum load_action action;
	struct str name;
	struct ref from;
};

struct names {
	struct str *v;
	size_t n;
};

struct symbols {
	struct source *src;
	struct symbols *parent;
	struct function *fn;
	int level;
	struct ref *refs;
	size_t nrefs;
	struct sload *loads;
	size_t nloads;
	struct names stores;
};

/* Appends to an array whose capacity is the next power of two. */
static void *grow(struct arena *a, void *v, size_t n, size_t size)
{
	if (n & (n - 1))
		return v;
	char *w = arena_array(a, n ? n * 2 : 1, size);
	if (n)
		memcpy(w, v, n * size);
	return w;
}

static bool has_name(const struct names *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i], name))
			return true;
	return false;
}

static void add_name(struct source *src, struct names *s, struct str name)
{
	if (has_name(s, name))
		return;
	s->v = grow(src->a, s->v, s->n, sizeof *s->v);
	s->v[s->n++] = name;
}

static uint16_t variable(struct function *fn, int level, struct str name)
{
	for (size_t i = 0; i < fn->n; i++)
		if (fn->var[i].level == level && str_eq(fn->var[i].name, name))
			return (uint16_t)i;
	if (fn->n == MAX_VARIABLES) {
		fn->src->over = true;
		return 0;
	}
	fn->var = grow(fn->src->a, fn->var, fn->n, sizeof *fn->var);
	fn->var[fn->n].level = level;
	fn->var[fn->n].name = name;
	return (uint16_t)fn->n++;
}

static struct function *new_function(struct source *src, struct function *up)
{
	struct function *fn = ARENA_NEW(src->a, struct function);
	fn->src = src;
	fn->depth = up ? up->depth + 1 : 0;
	return fn;
}

static struct symbols *inner(struct symbols *s, struct function *fn)
{
	struct symbols *n = ARENA_NEW(s->src->a, struct symbols);
	n->src = s->src;
	n->parent = s;
	n->fn = fn;
	n->level = s->level + 1;
	return n;
}

static struct ref *own_ref(struct symbols *s, struct str name)
{
	for (size_t i = 0; i < s->nrefs; i++)
		if (str_eq(s->refs[i].name, name))
			return &s->refs[i];
	return NULL;
}

static struct ref *find_ref(struct symbols *s, struct str name)
{
	for (; s; s = s->parent) {
		struct ref *r = own_ref(s, name);
		if (r)
			return r;
	}
	return NULL;
}

static void set_ref(struct symbols *s, struct ref r)
{
	struct ref *old = own_ref(s, r.name);
	if (old) {
		*old = r;
		return;
	}
	s->refs = grow(s->src->a, s->refs, s->nrefs, sizeof *s->refs);
	s->refs[s->nrefs++] = r;
}

static void set_load(struct symbols *s, struct sload l)
{
	for (size_t i = 0; i < s->nloads; i++)
		if (s->loads[i].fn == l.fn && s->loads[i].at == l.at) {
			s->loads[i] = l;
			return;
		}
	s->loads = grow(s->src->a, s->loads, s->nloads, sizeof *s->loads);
	s->loads[s->nloads++] = l;
}

static void define(struct symbols *s, struct str name, enum load_action action, const struct ref *from)
{
	struct ref r = { name, s->fn, variable(s->fn, s->level, name) };
	struct sload l = { .fn = r.fn, .at = r.at, .action = action, .name = name };
	if (from)
		l.from = *from;
	set_ref(s, r);
	set_load(s, l);
}

static void sym_store(struct symbols *s, struct str name)
{
	add_name(s->src, &s->stores, name);
	if (own_ref(s, name))
		return;
	struct ref *outer = s->parent ? find_ref(s->parent, name) : NULL;
	if (outer)
		define(s, name, LOAD_ALIAS, outer);
	else
		define(s, name, LOAD_UNDEFINED, NULL);
}

static void sym_param(struct symbols *s, struct str name)
{
	add_name(s->src, &s->stores, name);
	define(s, name, LOAD_PARAM, NULL);
}

static void sym_load(struct symbols *s, struct str name)
{
	if (!find_ref(s, name))
		define(s, name, LOAD_RESOLVE, NULL);
}

/* An array whose capacity is the next power of two, copied. */
static void *copy_array(struct arena *a, const void *v, size_t n, size_t size)
{
	size_t cap = 1;
	if (!n)
		return NULL;
	while (cap < n)
		cap *= 2;
	return memcpy(arena_array(a, cap, size), v, n * size);
}

static struct symbols *sym_copy(const struct symbols *s)
{
	if (s->src->scratch->used > (size_t)256 << 20)
		s->src->over = true;
	struct symbols *c = ARENA_NEW(s->src->scratch, struct symbols);
	*c = *s;
	c->refs = copy_array(s->src->scratch, s->refs, s->nrefs, sizeof *s->refs);
	c->loads = copy_array(s->src->scratch, s->loads, s->nloads, sizeof *s->loads);
	c->stores.v = copy_array(s->src->scratch, s->stores.v, s->stores.n, sizeof *s->stores.v);
	return c;
}

/* What the branches of an if stored may not have happened: it starts as the outer variable or as a look-up. */
static void branch_update(struct symbols *s, struct symbols **branch, size_t n)
{
	struct names stores = { 0 };
	size_t nrefs = s->nrefs, nloads = s->nloads, nstores = s->stores.n; /* the branches began as copies of these */
	for (size_t b = 0; b < n; b++)
		for (size_t i = nstores; i < branch[b]->stores.n; i++)
			add_name(s->src, &stores, branch[b]->stores.v[i]);
	for (size_t b = 0; b < n; b++) {
		if (nrefs)
			memcpy(s->refs, branch[b]->refs, nrefs * sizeof *s->refs);
		for (size_t i = nrefs; i < branch[b]->nrefs; i++)
			set_ref(s, branch[b]->refs[i]);
		if (nloads)
			memcpy(s->loads, branch[b]->loads, nloads * sizeof *s->loads);
		for (size_t i = nloads; i < branch[b]->nloads; i++)
			set_load(s, branch[b]->loads[i]);
		for (size_t i = nstores; i < branch[b]->stores.n; i++)
			add_name(s->src, &s->stores, branch[b]->stores.v[i]);
	}
	for (size_t i = 0; i < stores.n; i++) {
		struct ref *target = find_ref(s, stores.v[i]);
		struct ref *outer = s->parent ? find_ref(s->parent, stores.v[i]) : NULL;
		struct sload l = { .fn = target->fn, .at = target->at, .action = LOAD_RESOLVE, .name = stores.v[i] };
		if (outer) {
			l.action = LOAD_ALIAS;
			l.from = *outer;
		}
		set_load(s, l);
	}
}

/* ---- what a piece of the tree does to the symbols of its scope ---- */

static void analyze(struct symbols *s, const struct node *n, bool as_param);

static void analyze_kids(struct symbols *s, const struct node *n, bool as_param)
{
	for (size_t i = 0; n && i < n->n; i++)
		analyze(s, n->kid[i], as_param);
}

static void analyze_if(struct symbols *s, const struct node *n)
{
	/* three branches: the body, all elifs (each an if of its own there), the else */
	struct symbols *branch[3], *one;
	bool has_else = n->n & 1;
	size_t last = n->n - has_else;
	analyze(s, n->kid[0], false);
	for (int b = 0; b < 3; b++)
		branch[b] = sym_copy(s);
	analyze(branch[0], n->kid[1], false);
	for (size_t i = 2; i < last && !s->src->over; i += 2) {
		analyze(branch[1], n->kid[i], false);
		one = sym_copy(branch[1]);
		analyze(one, n->kid[i + 1], false);
		branch_update(branch[1], &one, 1);
	}
	if (has_else)
		analyze(branch[2], n->kid[n->n - 1], false);
	branch_update(s, branch, 3);
}

static void analyze(struct symbols *s, const struct node *n, bool as_param)
{
	if (!n || s->src->over)
		return;
	switch (n->type) {
	case N_NAME:
		if (as_param || n->ctx == CTX_PARAM)
			sym_param(s, n->s);
		else if (n->ctx == CTX_STORE)
			sym_store(s, n->s);
		else
			sym_load(s, n->s);
		break;
	case N_NSREF:
		sym_load(s, n->s);
		break;
	case N_IF:
		analyze_if(s, n);
		break;
	case N_MACRO:
		sym_store(s, n->s);
		break;
	case N_SET:
		analyze(s, n->kid[1], false);
		analyze(s, n->kid[0], false);
		break;
	case N_SET_BLOCK:
		analyze(s, n->kid[0], false);
		break;
	case N_FOR:
		analyze(s, n->kid[1], false);
		break;
	case N_CALL_BLOCK:
		analyze(s, n->kid[0], false);
		break;
	case N_FILTER_BLOCK:
	case N_WITH:
		analyze_kids(s, n->kid[1], false);
		if (n->type == N_FILTER_BLOCK)
			analyze(s, n->kid[1], false);
		break;
	case N_AUTOESCAPE:
		break;
	default:
		analyze_kids(s, n, as_param);
	}
}

/* Which of the names (caller, kwargs, varargs or loop) are read before being assigned; found[i] is set. */
static void undeclared(const struct node *n, struct str *names, bool *dropped, bool *found, size_t count)
{
	if (!n)
		return;
	if (n->type == N_NAME)
		for (size_t i = 0; i < count; i++)
			if (str_eq(n->s, names[i]) && !dropped[i]) {
				if (n->ctx == CTX_LOAD)
					found[i] = true;
				else
					dropped[i] = true;
			}
	for (size_t i = 0; i < n->n; i++)
		undeclared(n->kid[i], names, dropped, found, count);
}

static const struct node *find_loop_store(const struct node *n)
{
	if (!n)
		return NULL;
	if (n->type == N_NAME && n->ctx == CTX_STORE && str_is(n->s, "loop"))
		return n;
	for (size_t i = 0; i < n->n; i++) {
		const struct node *f = find_loop_store(n->kid[i]);
		if (f)
			return f;
	}
	return NULL;
}

/* ---- writing the result into the tree ---- */

static struct slot slot_from(const struct function *fn, const struct function *to, uint16_t at)
{
	return (struct slot){ (uint16_t)(fn->depth - to->depth), at };
}

static struct slot slot_of(struct symbols *s, struct str name)
{
	struct ref *r = find_ref(s, name);
	return slot_from(s->fn, r->fn, r->at);
}

static uint32_t free_name(struct source *src, struct str name)
{
	const struct value *known = v_get(src->name_at, name);
	if (known)
		return (uint32_t)known->i;
	v_set(src->scratch, src->name_at, name, v_int((int64_t)src->nnames));
	src->names = grow(src->a, src->names, src->nnames, sizeof *src->names);
	struct free_name *f = &src->names[src->nnames++];
	f->name = name;
	if (!jx_global(name, &f->global, src->env))
		f->global = VMISSING;
	return (uint32_t)src->nnames - 1;
}

static void fill_scope(struct symbols *s, struct scope *out)
{
	out->v = ARENA_ARRAY(s->src->a, s->nloads, struct load);
	out->n = s->nloads;
	for (size_t i = 0; i < s->nloads; i++) {
		const struct sload *l = &s->loads[i];
		out->v[i] = (struct load){ .slot = slot_from(s->fn, l->fn, l->at), .action = l->action };
		if (l->action == LOAD_RESOLVE)
			out->v[i].name = free_name(s->src, l->name);
		if (l->action == LOAD_ALIAS)
			out->v[i].from = slot_from(s->fn, l->from.fn, l->from.at);
	}
}

static int resolve(struct symbols *s, struct node *n, bool soft);

static int resolve_kids(struct symbols *s, struct node *n, bool soft)
{
	for (size_t i = 0; n && i < n->n; i++)
		if (resolve(s, n->kid[i], soft))
			return -1;
	return 0;
}

static struct node *clone(struct source *src, const struct node *n)
{
	struct node *c = jinja_node(src, n->type, n->line, n->n);
	struct node **kid = c->kid;
	*c = *n;
	c->kid = kid;
	for (size_t i = 0; i < n->n; i++)
		c->kid[i] = clone(src, n->kid[i]);
	return c;
}

static int resolve_for(struct symbols *s, struct node *n, bool soft)
{
	struct source *src = s->src;
	struct function *fn = n->flag ? new_function(src, s->fn) : s->fn;
	struct symbols *loop = inner(s, fn), *other = inner(s, fn);
	struct str name = STR("loop");
	bool dropped = false, found = false;
	const struct node *bad = find_loop_store(n);
	undeclared(n->kid[2], &name, &dropped, &found, 1);
	n->flag2 = n->flag || found;
	if (n->flag2)
		sym_param(loop, name);
	analyze(loop, n->kid[0], true);
	analyze(loop, n->kid[2], false);
	if (bad)
		return jinja_fail_at(src, bad->line, E_FORMAT,
				     "can't assign to special loop variable in for-loop target");
	if (resolve(s, n->kid[1], soft))
		return -1;
	if (n->kid[4]) {
		struct function *tfn = new_function(src, s->fn);
		struct symbols *test = inner(s, tfn);
		struct node **kid = ARENA_ARRAY(src->a, 6, struct node *);
		memcpy(kid, n->kid, 5 * sizeof *kid);
		kid[5] = clone(src, n->kid[0]);
		n->kid = kid; /* n stays 5: the copy of the target is reached by jx_run only */
		analyze(test, n->kid[0], true);
		analyze(test, n->kid[4], false);
		if (resolve(test, kid[5], false) || resolve(test, n->kid[4], false))
			return -1;
		fill_scope(test, &n->scope3);
		n->scope3.nslots = (int)tfn->n;
	}
	if (n->kid[3])
		analyze(other, n->kid[3], false);
	if (resolve(loop, n->kid[0], false) || resolve(loop, n->kid[2], false) || resolve(other, n->kid[3], false))
		return -1;
	if (n->flag2)
		n->special[0] = slot_of(loop, name);
	fill_scope(loop, &n->scope);
	fill_scope(other, &n->scope2);
	n->scope.nslots = (int)fn->n;
	return 0;
}

/* Macros and call blocks: the kids from `first` on are arguments, defaults and body. */
static int resolve_macro(struct symbols *s, struct node *n, size_t first)
{
	static const struct str names[3] = { { "caller", 6 }, { "kwargs", 6 }, { "varargs", 7 } };
	struct function *fn = new_function(s->src, s->fn);
	struct symbols *m = inner(s, fn);
	struct node *args = n->kid[first], *defaults = n->kid[first + 1];
	bool dropped[3] = { false }, found[3] = { false }, given[3] = { false };
	for (size_t k = first; k < first + 3; k++)
		analyze(m, n->kid[k], false);
	undeclared(n->kid[first + 2], (struct str *)names, dropped, found, 3);
	for (size_t i = 0; i < args->n; i++)
		for (int k = 0; k < 3; k++)
			if (str_eq(args->kid[i]->s, names[k])) {
				given[k] = true;
				if (k == 0 && found[0] && i + defaults->n < args->n)
					return jinja_fail_at(
						s->src, n->line, E_FORMAT,
						"when defining macros or call blocks the special \"caller\" "
						"argument must be omitted or be given a default");
			}
	for (int k = 0; k < 3; k++)
		if (found[k] && !given[k])
			sym_param(m, names[k]);
	for (size_t k = first; k < first + 3; k++)
		analyze(m, n->kid[k], false);
	for (size_t k = first; k < first + 3; k++)
		if (resolve(m, n->kid[k], false))
			return -1;
	n->catch_caller = found[0];
	n->catch_kwargs = found[1] && !given[1];
	n->catch_varargs = found[2] && !given[2];
	for (int k = 0; k < 3; k++)
		if (found[k] && !given[k])
			n->special[k] = slot_of(m, names[k]);
	fill_scope(m, &n->scope);
	n->scope.nslots = (int)fn->n;
	return 0;
}

static int resolve_with(struct symbols *s, struct node *n, bool soft)
{
	struct symbols *w = inner(s, s->fn);
	analyze_kids(w, n->kid[0], false);
	analyze(w, n->kid[2], false);
	if (resolve_kids(s, n->kid[1], soft) || resolve_kids(w, n->kid[0], false) || resolve(w, n->kid[2], false))
		return -1;
	fill_scope(w, &n->scope);
	return 0;
}

/* A body in a scope of its own, with a filter that sees that scope. */
static int resolve_scoped(struct symbols *s, struct node *n, struct node *body, struct node *filter)
{
	struct symbols *b = inner(s, s->fn);
	analyze(b, body, false);
	if (n->type == N_FILTER_BLOCK) /* but of a set block jinja2 looks at the body only */
		analyze(b, filter, false);
	if (resolve(b, body, false) || resolve(b, filter, false))
		return -1;
	fill_scope(b, &n->scope);
	return 0;
}

static int unknown_builtin(struct source *src, const struct node *n)
{
	char word[80], hint[120];
	bool filter = n->type == N_FILTER;
	snprintf(word, sizeof word, "%.*s", (int)(n->s.n < 70 ? n->s.n : 70), n->s.p);
	err_hint(hint, sizeof hint, word, filter ? jinja_filters(src->env) : jinja_tests());
	return jinja_fail_at(src, n->line, E_FORMAT, "no %s named '%s'%s", filter ? "filter" : "test", word, hint);
}

/* The methods of that name by type of value, NULL when no type has one. */
static const struct method *const *methods_named(struct source *src, struct str name)
{
	const struct method *m, **all = NULL;
	for (int type = V_NONE; type < V_OBJECT; type++) {
		if (!(m = jinja_method_find((enum vtype)type, name)))
			continue;
		if (!all)
			all = ARENA_ARRAY(src->a, V_OBJECT + 1, const struct method *);
		all[type] = m;
	}
	return all;
}

static int resolve(struct symbols *s, struct node *n, bool soft)
{
	if (!n)
		return 0;
	if (s->src->over)
		return jinja_fail_at(s->src, n->line, E_LIMIT,
				     "more than %d variables, or too many of them in conditions", MAX_VARIABLES);
	switch (n->type) {
	case N_NAME:
	case N_NSREF:
		if (!find_ref(s, n->s)) /* jinja2 stops with an internal error here */
			return jinja_fail_at(s->src, n->line, E_FORMAT,
					     "the filter of a set block uses '%.*s', which nothing else in the block or around it does",
					     (int)(n->s.n < 100 ? n->s.n : 100), n->s.p);
		n->slot = slot_of(s, n->s);
		return 0;
	case N_FOR:
		return resolve_for(s, n, soft);
	case N_MACRO:
		n->slot = slot_of(s, n->s);
		return resolve_macro(s, n, 0);
	case N_CALL_BLOCK:
		return resolve(s, n->kid[0], soft) ? -1 : resolve_macro(s, n, 1);
	case N_WITH:
		return resolve_with(s, n, soft);
	case N_SET_BLOCK:
		return resolve(s, n->kid[0], soft) ? -1 : resolve_scoped(s, n, n->kid[2], n->kid[1]);
	case N_FILTER_BLOCK:
		return resolve_scoped(s, n, n->kid[0], n->kid[1]);
	case N_AUTOESCAPE:
		return resolve_scoped(s, n, n->kid[1], NULL);
	case N_COND:
		if (!n->kid[2])
			n->s = arena_printf(s->src->a, "the inline if-expression on line %d evaluated to false and no else section was "
						       "defined", n->line);
		return resolve_kids(s, n, true);
	case N_IF:
		return resolve_kids(s, n, true);
	case N_CHAIN:
		n->flag = n->n == 1 + strspn(n->s.p, "+"); /* a sum */
		return resolve_kids(s, n, soft);
	case N_ITEM:
		if (n->kid[1]->type == N_CONST && n->kid[1]->v.type == V_STR) {
			n->type = N_KEY;
			n->s = n->kid[1]->v.s;
		}
		return resolve_kids(s, n, soft);
	case N_ATTR:
		n->methods = methods_named(s->src, n->s);
		n->field = (uint8_t)jx_loop_field(n->s);
		return resolve_kids(s, n, soft);
	case N_FILTER:
	case N_TEST:
		n->fn = n->type == N_FILTER ? jinja_filter_find(n->s, s->src->env) : jinja_test_find(n->s);
		if (!n->fn && !soft) /* inside a condition it counts only when it is reached */
			return unknown_builtin(s->src, n);
		if (n->fn && n->fn->call)
			n->nparams = (uint8_t)jx_params(n->fn->spec, n->kid[1], &n->flag);
		return resolve_kids(s, n, soft);
	default:
		return resolve_kids(s, n, soft);
	}
}

/* Steps and nesting of every expression. Argument lists, keywords and slices are parts of the node that holds them. A body of
 * one statement becomes that statement. */
static void measure(struct node *n, uint32_t level)
{
	bool expression = n->type >= N_CONST,
	     counts = expression && n->type != N_ARGS && n->type != N_KEYWORD && n->type != N_SLICE;
	n->level = expression || n->type == N_BODY ? level + counts : 0;
	n->cost = 0;
	n->height = 0;
	for (size_t i = 0; i < n->n; i++) {
		struct node *k = n->kid[i];
		if (!k)
			continue;
		if ((n->type == N_IF || n->type == N_FOR) && k->type == N_BODY && k->n == 1)
			k = n->kid[i] = k->kid[0];
		measure(k, n->level);
		n->cost += expression || k->type >= N_CONST ? k->cost : 0; /* statements inside count when they run */
		n->height = k->height > n->height ? k->height : n->height;
	}
	n->cost += counts || !expression;
	n->height += counts;
}

int jinja_resolve(struct source *src, struct node *root)
{
	struct function *fn = new_function(src, NULL);
	struct symbols *s = ARENA_NEW(src->a, struct symbols);
	s->src = src;
	s->fn = fn;
	struct arena scratch;
	arena_init(&scratch);
	src->scratch = &scratch;
	src->name_at = v_dict(&scratch);
	analyze(s, root, false);
	int rc = resolve(s, root, false);
	if (!rc && src->over) /* met in the last scope of all */
		rc = jinja_fail_at(src, root->line, E_LIMIT,
				   "more than %d variables, or too many of them in conditions", MAX_VARIABLES);
	if (!rc) {
		fill_scope(s, &root->scope);
		root->scope.nslots = (int)fn->n;
		measure(root, 0);
	}
	arena_fini(&scratch);
	return rc;
}
