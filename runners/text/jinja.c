/* jinja.c - compile once, render many times.
 *
 * A compiled template owns one arena with its source, tokens and tree and never changes afterwards, so that threads may
 * share it. A render puts its values and its result into the caller's arena. Text without any tag is not even parsed:
 * rendering gives it back (with the environment's rule for the last line end applied).
 */
#include "runners/text/jinja_int.h"

#include <stdlib.h>

#define MAX_SOURCE ((size_t)16 << 20)
#define OUTPUT_START 4096 /* bytes of output before any are allocated */

static bool has_tags(struct str s)
{
	for (size_t i = 0; i + 1 < s.n; i++)
		if (s.p[i] == '{' && (s.p[i + 1] == '{' || s.p[i + 1] == '%' || s.p[i + 1] == '#'))
			return true;
	return false;
}

static int compile(struct jinja *j, struct source *src)
{
	struct tokens t = { 0 };
	if (j->source.n > MAX_SOURCE)
		return jinja_fail_at(src, 1, E_LIMIT, "a template of more than %zu bytes", MAX_SOURCE);
	if (jinja_lex(src, j->source, &t) || jinja_parse(src, &t, &j->root))
		return -1;
	if (jinja_resolve(src, j->root))
		return -1;
	j->names = src->names;
	j->nnames = src->nnames;
	return 0;
}

int jinja_compile(struct jinja **out, struct str source, enum jinja_env env, const char *name, struct err *e)
{
	struct jinja *j = xcalloc(1, sizeof *j);
	arena_init(&j->a);
	j->env = env;
	j->source = arena_str(&j->a, source.p ? source.p : "", source.n);
	j->name = arena_str(&j->a, name ? name : "template", strlen(name ? name : "template"));
	j->plain = !has_tags(source);
	struct source src = { .a = &j->a, .env = env, .name = j->name.p, .e = e };
	if (compile(j, &src)) {
		jinja_free(j);
		*out = NULL;
		return -1;
	}
	*out = j;
	return 0;
}

void jinja_free(struct jinja *j)
{
	if (!j)
		return;
	arena_fini(&j->a);
	free(j);
}

bool jinja_is_plain(const struct jinja *j)
{
	return j->plain;
}

static void set_limits(struct jx *x, const struct jinja_limits *given)
{
	if (given)
		x->limit = *given;
	if (!x->limit.steps)
		x->limit.steps = 50000000;
	if (!x->limit.output_bytes)
		x->limit.output_bytes = (size_t)64 << 20;
	if (!x->limit.memory_bytes)
		x->limit.memory_bytes = (size_t)256 << 20;
	if (x->limit.depth <= 0)
		x->limit.depth = 200;
	if (x->limit.depth > 2000) /* the C stack */
		x->limit.depth = 2000;
}

static void look_up_names(struct jx *x, struct value vars)
{
	x->names = ARENA_ARRAY(x->a, x->j->nnames, struct value);
	for (size_t i = 0; i < x->j->nnames; i++) {
		const struct free_name *f = &x->j->names[i];
		const struct value *v = vars.type == V_DICT ? v_item(vars.dict, f->name) : NULL;
		x->names[i] = v ? *v : f->global;
	}
}

int jinja_render(const struct jinja *j, struct arena *a, struct value vars, const char *date,
		 const struct jinja_limits *limits, struct str *out, struct err *e)
{
	struct frame root = { 0 };
	struct err mine = { 0 };
	struct jx x = { .j = j, .a = a, .e = e ? e : &mine, .date = date, .used0 = a->used, .at = j->root,
		.strict = j->env == JINJA_SUITE, .frame = &root };
	char first[OUTPUT_START];
	set_limits(&x, limits);
	x.first = first;
	x.out = (struct buf){ .p = first, .cap = x.limit.output_bytes < sizeof first ? x.limit.output_bytes : sizeof first };
	size_t n = (size_t)j->root->scope.nslots;
	root.slot = ARENA_ARRAY(a, n, struct value);
	for (size_t i = 0; i < n; i++)
		root.slot[i] = VMISSING;
	look_up_names(&x, vars);
	jx_scope_enter(&x, &j->root->scope);
	enum flow f = jx_fits(&x, j->root) ? FLOW_ERROR : jx_run(&x, j->root);
	if (f != FLOW_ERROR && jx_step(&x, 0))
		f = FLOW_ERROR;
	if (f != FLOW_ERROR)
		*out = jx_cut(&x, 0);
	if (x.out.p != first)
		buf_fini(&x.out);
	return f == FLOW_ERROR ? -1 : 0;
}
