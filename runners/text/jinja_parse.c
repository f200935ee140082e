/* jinja_parse.c - tokens to the tree: statements.
 *
 * Each statement is a row of a table: its word, the environments that know it, and the function that parses it. Templates
 * stand alone here: include, import, from, extends and block are refused with a sentence, as nothing could be loaded.
 * "break" and "continue" (chat only, as transformers loads the extension) need a loop around them in the same macro.
 */
#include "runners/text/jinja_int.h"

#include <stdarg.h>
#include <stdio.h>

static int vfail_at(const struct source *src, int line, enum err_code code, const char *fmt, va_list ap)
{
	char msg[700];
	vsnprintf(msg, sizeof msg, fmt, ap);
	return err_set(src->e, code, "%s: line %d: %s", src->name, line, msg);
}

int jinja_fail_at(const struct source *src, int line, enum err_code code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfail_at(src, line, code, fmt, ap);
	va_end(ap);
	return -1;
}

int parse_fail(const struct parser *p, const struct token *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfail_at(p->src, t->line, E_FORMAT, fmt, ap);
	va_end(ap);
	return -1;
}

struct node *jinja_node(struct source *src, enum node_type type, int line, size_t nkids)
{
	struct node *n = ARENA_NEW(src->a, struct node);
	n->type = type;
	n->line = line;
	n->n = nkids;
	if (nkids)
		n->kid = ARENA_ARRAY(src->a, nkids, struct node *);
	return n;
}

/* Lists grow at powers of two, so no capacity needs to be kept. */
void node_add(struct source *src, struct node *n, struct node *kid)
{
	if ((n->n & (n->n - 1)) == 0) {
		struct node **v = ARENA_ARRAY(src->a, n->n ? n->n * 2 : 1, struct node *);
		if (n->n)
			memcpy(v, n->kid, n->n * sizeof *v);
		n->kid = v;
	}
	n->kid[n->n++] = kid;
}

static int parse_until(struct parser *p, const char *tag, const char *const *ends, struct node **out);

/* The body of a block statement up to one of the words `ends`, which stays the current token. */
static int parse_body(struct parser *p, const char *tag, const char *const *ends, struct node **out)
{
	skip_op(p, ":");
	if (p->t->type != T_BLOCK_END)
		return parse_unexpected(p, "end of statement block");
	p->t++;
	return parse_until(p, tag, ends, out);
}

static int parse_whole_body(struct parser *p, const char *tag, const char *end, struct node **out)
{
	const char *const ends[] = { end, NULL };
	if (parse_body(p, tag, ends, out))
		return -1;
	p->t++;
	return 0;
}

/* ---- assignment targets ---- */

static int mark_target(struct parser *p, struct node *n, enum name_ctx ctx)
{
	if (n->type == N_NAME) {
		n->ctx = ctx;
		return 0;
	}
	if (n->type == N_NSREF && ctx == CTX_STORE)
		return 0;
	if (n->type != N_TUPLE) {
		static const struct token none;
		struct token at = none;
		at.line = n->line;
		return parse_fail(p, &at, "can't assign to %s",
				  n->type == N_CONST  ? "a constant"
				  : n->type == N_LIST ? "a list"
				  : n->type == N_DICT ? "a dict"
						      : "this expression");
	}
	for (size_t i = 0; i < n->n; i++)
		if (mark_target(p, n->kid[i], ctx))
			return -1;
	return 0;
}

static int parse_target(struct parser *p, bool namespaces, enum name_ctx ctx, struct node **out)
{
	if (parse_tuple(p, true, true, false, namespaces, out))
		return -1;
	return mark_target(p, *out, ctx);
}

static int parse_param(struct parser *p, enum name_ctx ctx, struct node **out)
{
	int line = p->t->line;
	struct str name;
	static const char *const reserved[] = { "true", "false", "none", "True", "False", "None", NULL };
	if (expect_name(p, &name))
		return -1;
	for (const char *const *r = reserved; *r; r++)
		if (str_is(name, *r))
			return parse_fail(p, p->t - 1, "can't assign to '%s'", *r);
	*out = jinja_node(p->src, N_NAME, line, 0);
	(*out)->s = name;
	(*out)->ctx = ctx;
	return 0;
}

/* ---- statements: the word itself is consumed when these are called ---- */

static int parse_for(struct parser *p, int line, struct node **out)
{
	static const char *const ends[] = { "endfor", "else", NULL };
	struct node *n = *out = jinja_node(p->src, N_FOR, line, 5);
	if (parse_target(p, false, CTX_STORE, &n->kid[0]))
		return -1;
	if (!skip_word(p, "in"))
		return parse_unexpected(p, "'in'");
	if (parse_tuple(p, false, false, false, false, &n->kid[1]))
		return -1;
	if (skip_word(p, "if") && parse_expr(p, &n->kid[4]))
		return -1;
	n->flag = skip_word(p, "recursive");
	p->loops++;
	int rc = parse_body(p, "for", ends, &n->kid[2]);
	p->loops--;
	if (rc)
		return -1;
	if (str_is(p->t++->s, "else"))
		return parse_whole_body(p, "for", "endfor", &n->kid[3]);
	return 0;
}

static int parse_if(struct parser *p, int line, struct node **out)
{
	static const char *const ends[] = { "elif", "else", "endif", NULL };
	struct node *n = *out = jinja_node(p->src, N_IF, line, 0), *k;
	for (;;) {
		if (parse_tuple(p, false, false, false, false, &k))
			return -1;
		node_add(p->src, n, k);
		if (parse_body(p, "if", ends, &k))
			return -1;
		node_add(p->src, n, k);
		struct str end = p->t++->s;
		if (str_is(end, "elif"))
			continue;
		if (str_is(end, "else")) {
			if (parse_whole_body(p, "if", "endif", &k))
				return -1;
			node_add(p->src, n, k);
		}
		return 0;
	}
}

static int parse_set(struct parser *p, int line, struct node **out)
{
	struct node *target, *n;
	if (parse_target(p, true, CTX_STORE, &target))
		return -1;
	if (skip_op(p, "=")) {
		n = *out = jinja_node(p->src, N_SET, line, 2);
		n->kid[0] = target;
		return parse_tuple(p, false, true, false, false, &n->kid[1]);
	}
	n = *out = jinja_node(p->src, N_SET_BLOCK, line, 3);
	n->kid[0] = target;
	if (parse_filters(p, NULL, false, &n->kid[1]))
		return -1;
	return parse_whole_body(p, "set", "endset", &n->kid[2]);
}

static int parse_signature(struct parser *p, struct node *args, struct node *defaults)
{
	if (expect_op(p, "("))
		return -1;
	while (!at_op(p, ")")) {
		struct node *n;
		if ((args->n && expect_op(p, ",")) || parse_param(p, CTX_PARAM, &n))
			return -1;
		for (size_t i = 0; i < args->n; i++)
			if (str_eq(args->kid[i]->s, n->s))
				return parse_fail(p, p->t - 1, "duplicate argument '%.*s' in function definition",
						  (int)n->s.n, n->s.p);
		node_add(p->src, args, n);
		if (skip_op(p, "=")) {
			if (parse_expr(p, &n))
				return -1;
			node_add(p->src, defaults, n);
		} else if (defaults->n) {
			return parse_fail(p, p->t, "non-default argument follows default argument");
		}
	}
	p->t++;
	return 0;
}

/* break and continue do not reach out of a macro. */
static int parse_macro_body(struct parser *p, const char *tag, const char *end, struct node **out)
{
	int loops = p->loops;
	p->loops = 0;
	int rc = parse_whole_body(p, tag, end, out);
	p->loops = loops;
	return rc;
}

static int parse_macro(struct parser *p, int line, struct node **out)
{
	struct node *n = *out = jinja_node(p->src, N_MACRO, line, 3), *name;
	if (parse_param(p, CTX_STORE, &name))
		return -1;
	n->s = name->s;
	n->kid[0] = jinja_node(p->src, N_BODY, line, 0);
	n->kid[1] = jinja_node(p->src, N_BODY, line, 0);
	if (parse_signature(p, n->kid[0], n->kid[1]))
		return -1;
	return parse_macro_body(p, "macro", "endmacro", &n->kid[2]);
}

static int parse_call_block(struct parser *p, int line, struct node **out)
{
	struct node *n = *out = jinja_node(p->src, N_CALL_BLOCK, line, 4);
	n->kid[1] = jinja_node(p->src, N_BODY, line, 0);
	n->kid[2] = jinja_node(p->src, N_BODY, line, 0);
	if (at_op(p, "(") && parse_signature(p, n->kid[1], n->kid[2]))
		return -1;
	if (parse_expr(p, &n->kid[0]))
		return -1;
	if (n->kid[0]->type != N_CALL)
		return jinja_fail_at(p->src, line, E_FORMAT, "expected call");
	const struct node *kw = n->kid[0]->kid[1]->kid[1];
	for (size_t i = 0; i < kw->n; i++)
		if (str_is(kw->kid[i]->s, "caller"))
			return jinja_fail_at(p->src, line, E_FORMAT, "keyword argument repeated: caller");
	return parse_macro_body(p, "call", "endcall", &n->kid[3]);
}

static int parse_generation(struct parser *p, int line, struct node **out)
{
	struct node *n = *out = jinja_node(p->src, N_CALL_BLOCK, line, 4);
	n->kid[1] = jinja_node(p->src, N_BODY, line, 0);
	n->kid[2] = jinja_node(p->src, N_BODY, line, 0);
	return parse_macro_body(p, "generation", "endgeneration", &n->kid[3]);
}

static int parse_filter_block(struct parser *p, int line, struct node **out)
{
	struct node *n = *out = jinja_node(p->src, N_FILTER_BLOCK, line, 2);
	if (parse_filters(p, NULL, true, &n->kid[1]))
		return -1;
	return parse_whole_body(p, "filter", "endfilter", &n->kid[0]);
}

static int parse_with(struct parser *p, int line, struct node **out)
{
	struct node *n = *out = jinja_node(p->src, N_WITH, line, 3), *k;
	n->kid[0] = jinja_node(p->src, N_BODY, line, 0);
	n->kid[1] = jinja_node(p->src, N_BODY, line, 0);
	while (p->t->type != T_BLOCK_END) {
		if (n->kid[0]->n && expect_op(p, ","))
			return -1;
		if (parse_target(p, false, CTX_PARAM, &k))
			return -1;
		node_add(p->src, n->kid[0], k);
		if (expect_op(p, "=") || parse_expr(p, &k))
			return -1;
		node_add(p->src, n->kid[1], k);
	}
	return parse_whole_body(p, "with", "endwith", &n->kid[2]);
}

static int parse_print(struct parser *p, int line, struct node **out)
{
	struct node *n = *out = jinja_node(p->src, N_OUTPUT, line, 0), *k;
	while (p->t->type != T_BLOCK_END) {
		if ((n->n && expect_op(p, ",")) || parse_expr(p, &k))
			return -1;
		node_add(p->src, n, k);
	}
	return 0;
}

static int parse_autoescape(struct parser *p, int line, struct node **out)
{
	struct node *n = *out = jinja_node(p->src, N_AUTOESCAPE, line, 2);
	if (parse_expr(p, &n->kid[0]))
		return -1;
	if (n->kid[0]->type != N_CONST || v_truth(n->kid[0]->v))
		return jinja_fail_at(p->src, line, E_UNSUPPORTED, "autoescape can only be turned off");
	return parse_whole_body(p, "autoescape", "endautoescape", &n->kid[1]);
}

static int parse_jump(struct parser *p, int line, struct node **out)
{
	bool brk = str_is(p->t[-1].s, "break");
	if (!p->loops)
		return jinja_fail_at(p->src, line, E_FORMAT,
				     brk ? "'break' outside loop" : "'continue' not properly in loop");
	*out = jinja_node(p->src, brk ? N_BREAK : N_CONTINUE, line, 0);
	return 0;
}

static int parse_refused(struct parser *p, int line, struct node **out)
{
	struct str w = p->t[-1].s;
	return jinja_fail_at(p->src, line, E_UNSUPPORTED, "{%% %.*s %%} is not supported: a template stands alone here",
			     (int)w.n, w.p);
}

struct statement {
	const char *word;
	bool chat_only;
	int (*parse)(struct parser *p, int line, struct node **out);
};

static const struct statement statements[] = {
	{ "for", false, parse_for },
	{ "if", false, parse_if },
	{ "set", false, parse_set },
	{ "macro", false, parse_macro },
	{ "call", false, parse_call_block },
	{ "filter", false, parse_filter_block },
	{ "with", false, parse_with },
	{ "print", false, parse_print },
	{ "autoescape", false, parse_autoescape },
	{ "generation", true, parse_generation },
	{ "break", true, parse_jump },
	{ "continue", true, parse_jump },
	{ "block", false, parse_refused },
	{ "extends", false, parse_refused },
	{ "include", false, parse_refused },
	{ "import", false, parse_refused },
	{ "from", false, parse_refused },
	{ NULL, false, NULL },
};

static int unknown_tag(const struct parser *p, const struct token *t, const char *tag)
{
	static const char *const words[] = { "for", "endfor", "if", "elif", "else", "endif", "set", "endset", "macro",
		"endmacro", "call",
		"endcall", "filter", "endfilter", "with", "endwith", "print", "generation", "endgeneration", "break",
		"continue", "raw", NULL };
	char word[64], hint[100];
	snprintf(word, sizeof word, "%.*s", (int)(t->s.n < 60 ? t->s.n : 60), t->s.p);
	err_hint(hint, sizeof hint, word, words);
	for (const char *const *w = words; *w; w++)
		if (strcmp(*w, word) == 0)
			hint[0] = 0;
	if (tag)
		return parse_fail(p, t,
				  "encountered unknown tag '%s'%s; the innermost block that needs to be closed is '%s'",
				  word, hint, tag);
	return parse_fail(p, t, "encountered unknown tag '%s'%s", word, hint);
}

static int parse_statement(struct parser *p, const char *tag, struct node **out)
{
	const struct token *t = p->t;
	if (t->type != T_NAME)
		return parse_fail(p, t, "tag name expected");
	for (const struct statement *s = statements; s->word; s++)
		if (str_is(t->s, s->word) && (!s->chat_only || p->src->env == JINJA_CHAT)) {
			p->t++;
			return s->parse(p, t->line, out);
		}
	return unknown_tag(p, t, tag);
}

static void flush(struct parser *p, struct node *body, struct node **output)
{
	if (*output)
		node_add(p->src, body, *output);
	*output = NULL;
}

/* Text, prints and statements; ends NULL: to the end of the template. */
static int parse_until(struct parser *p, const char *tag, const char *const *ends, struct node **out)
{
	struct node *body = *out = jinja_node(p->src, N_BODY, p->t->line, 0), *output = NULL, *n;
	if (parser_enter(p))
		return -1;
	for (; p->t->type != T_EOF;) {
		if (p->t->type != T_BLOCK_BEGIN && !output)
			output = jinja_node(p->src, N_OUTPUT, p->t->line, 0);
		if (p->t->type == T_DATA) {
			n = jinja_node(p->src, N_DATA, p->t->line, 0);
			n->s = p->t++->s;
			node_add(p->src, output, n);
		} else if (p->t->type == T_VAR_BEGIN) {
			p->t++;
			if (parse_tuple(p, false, true, false, false, &n))
				return -1;
			node_add(p->src, output, n);
			if (p->t->type != T_VAR_END)
				return parse_unexpected(p, "end of print statement");
			p->t++;
		} else {
			flush(p, body, &output);
			p->t++;
			for (const char *const *e = ends; e && *e; e++)
				if (at_word(p, *e)) {
					p->depth--;
					return 0;
				}
			if (parse_statement(p, tag, &n))
				return -1;
			node_add(p->src, body, n);
			if (p->t->type != T_BLOCK_END)
				return parse_unexpected(p, "end of statement block");
			p->t++;
		}
	}
	flush(p, body, &output);
	p->depth--;
	if (!ends)
		return 0;
	return parse_fail(p, p->t, "unexpected end of template; the innermost block that needs to be closed is '%s'",
			  tag);
}

int jinja_parse(struct source *src, struct tokens *t, struct node **root)
{
	struct parser p = { .src = src, .t = t->v };
	return parse_until(&p, NULL, NULL, root);
}
