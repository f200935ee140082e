/* jinja_expr.c - the parser's expressions.
 *
 * Precedence as in jinja2, loosest first: if-else, or, and, not, comparisons and (not) in, + -, ~, * / // %, **, unary minus,
 * then postfix: .name [index] (call) and, looser than those, |filter and "is test". Three places differ from Python:
 * ~ binds tighter than +, ** is left-associative, and -x|f is (-x)|f.
 * Chains of one precedence become one flat node, so that a long sum does not nest. What does nest is limited.
 */
#include "runners/text/jinja_int.h"

#include <stdio.h>

bool at_op(const struct parser *p, const char *op)
{
	return p->t->type == T_OP && str_is(p->t->s, op);
}

bool at_word(const struct parser *p, const char *word)
{
	return p->t->type == T_NAME && str_is(p->t->s, word);
}

bool skip_op(struct parser *p, const char *op)
{
	bool yes = at_op(p, op);
	p->t += yes;
	return yes;
}

bool skip_word(struct parser *p, const char *word)
{
	bool yes = at_word(p, word);
	p->t += yes;
	return yes;
}

int parse_unexpected(const struct parser *p, const char *wanted)
{
	static const char *const names[] = { "end of template", "template data", "begin of statement block",
		"end of statement block",
		"begin of print statement", "end of print statement", NULL, NULL, NULL, NULL, NULL };
	const struct token *t = p->t;
	char what[80];
	if (names[t->type])
		snprintf(what, sizeof what, "%s", names[t->type]);
	else
		snprintf(what, sizeof what, "'%.*s'", (int)(t->s.n < 60 ? t->s.n : 60), t->s.p);
	if (!wanted)
		return parse_fail(p, t, "unexpected %s", what);
	return parse_fail(p, t, "expected %s, got %s", wanted, what);
}

int expect_op(struct parser *p, const char *op)
{
	char want[8];
	if (skip_op(p, op))
		return 0;
	snprintf(want, sizeof want, "'%s'", op);
	return parse_unexpected(p, want);
}

int expect_name(struct parser *p, struct str *out)
{
	if (p->t->type != T_NAME)
		return parse_unexpected(p, "a name");
	*out = p->t++->s;
	return 0;
}

int parser_enter(struct parser *p)
{
	if (++p->depth > JINJA_PARSE_DEPTH)
		return jinja_fail_at(p->src, p->t->line, E_LIMIT, "expressions or blocks nest more than %d deep",
				     JINJA_PARSE_DEPTH);
	return 0;
}

static struct node *constant(struct parser *p, struct value v, int line)
{
	struct node *n = jinja_node(p->src, N_CONST, line, 0);
	n->v = v;
	return n;
}

static struct node *with_kids(struct parser *p, enum node_type type, int line, struct node *a, struct node *b)
{
	struct node *n = jinja_node(p->src, type, line, 2);
	n->kid[0] = a;
	n->kid[1] = b;
	return n;
}

/* ---- primaries ---- */

static int parse_items(struct parser *p, const char *close, struct node *into)
{
	p->t++;
	while (!at_op(p, close)) {
		struct node *item;
		if (into->n && expect_op(p, ","))
			return -1;
		if (at_op(p, close))
			break;
		if (parse_expr(p, &item))
			return -1;
		node_add(p->src, into, item);
		if (into->type != N_DICT)
			continue;
		if (expect_op(p, ":") || parse_expr(p, &item))
			return -1;
		node_add(p->src, into, item);
	}
	return expect_op(p, close);
}

static int parse_name(struct parser *p, bool namespaces, struct node **out)
{
	const struct token *t = p->t++;
	if (str_is(t->s, "true") || str_is(t->s, "True") || str_is(t->s, "false") || str_is(t->s, "False")) {
		*out = constant(p, v_bool(t->s.p[0] == 't' || t->s.p[0] == 'T'), t->line);
	} else if (str_is(t->s, "none") || str_is(t->s, "None")) {
		*out = constant(p, VNONE, t->line);
	} else if (namespaces && skip_op(p, ".")) {
		*out = jinja_node(p->src, N_NSREF, t->line, 0);
		(*out)->s = t->s;
		(*out)->v = v_str(STR(""));
		return expect_name(p, &(*out)->v.s);
	} else {
		*out = jinja_node(p->src, N_NAME, t->line, 0);
		(*out)->s = t->s;
	}
	return 0;
}

int parse_primary(struct parser *p, bool namespaces, struct node **out)
{
	const struct token *t = p->t;
	int rc = 0;
	if (parser_enter(p))
		return -1;
	switch (t->type) {
	case T_NAME:
		rc = parse_name(p, namespaces, out);
		break;
	case T_STRING: {
		struct str s = t->s;
		for (p->t++; p->t->type == T_STRING; p->t++) {
			char *both = arena_alloc(p->src->a, s.n + p->t->s.n + 1);
			memcpy(both, s.p, s.n);
			memcpy(both + s.n, p->t->s.p, p->t->s.n);
			s = (struct str){ both, s.n + p->t->s.n };
		}
		*out = constant(p, v_str(s), t->line);
		break;
	}
	case T_INT:
		p->t++;
		*out = constant(p, v_int(t->i), t->line);
		break;
	case T_FLOAT:
		p->t++;
		*out = constant(p, v_float(t->f), t->line);
		break;
	default:
		if (skip_op(p, "(")) {
			rc = parse_tuple(p, false, true, true, false, out) || expect_op(p, ")") ? -1 : 0;
		} else if (at_op(p, "[") || at_op(p, "{")) {
			bool list = at_op(p, "[");
			*out = jinja_node(p->src, list ? N_LIST : N_DICT, t->line, 0);
			rc = parse_items(p, list ? "]" : "}", *out);
		} else {
			rc = parse_unexpected(p, NULL);
		}
	}
	p->depth--;
	return rc;
}

static bool tuple_ends(const struct parser *p)
{
	return p->t->type == T_VAR_END || p->t->type == T_BLOCK_END || at_op(p, ")");
}

int parse_tuple(struct parser *p, bool simple, bool cond, bool parens, bool namespaces,
		struct node **out)
{
	struct node *tuple = jinja_node(p->src, N_TUPLE, p->t->line, 0);
	bool is_tuple = false;
	for (;;) {
		struct node *item;
		if (tuple->n && expect_op(p, ","))
			return -1;
		if (tuple_ends(p)) /* not at "in" nor "recursive": jinja2 means to, but takes them for names */
			break;
		if (simple ? parse_primary(p, namespaces, &item)
		    : cond ? parse_expr(p, &item)
			   : parse_expr_nocond(p, &item))
			return -1;
		node_add(p->src, tuple, item);
		if (!at_op(p, ","))
			break;
		is_tuple = true;
	}
	if (!is_tuple && tuple->n) {
		*out = tuple->kid[0];
		return 0;
	}
	if (!is_tuple && !parens)
		return parse_unexpected(p, "an expression");
	*out = tuple;
	return 0;
}

/* ---- postfix ---- */

static int parse_index(struct parser *p, struct node **out)
{
	struct node *part[3] = { NULL, NULL, NULL };
	int line = p->t->line;
	if (!at_op(p, ":")) {
		if (parse_expr(p, &part[0]))
			return -1;
		if (!at_op(p, ":")) {
			*out = part[0];
			return 0;
		}
	}
	for (int i = 1; i < 3 && skip_op(p, ":"); i++)
		if (!at_op(p, ":") && !at_op(p, "]") && !at_op(p, ",") && parse_expr(p, &part[i]))
			return -1;
	*out = jinja_node(p->src, N_SLICE, line, 3);
	memcpy((*out)->kid, part, sizeof part);
	return 0;
}

static int parse_subscript(struct parser *p, struct node **node)
{
	const struct token *t = p->t++;
	struct node *n;
	if (str_is(t->s, ".")) {
		const struct token *a = p->t++;
		if (a->type == T_NAME) {
			n = jinja_node(p->src, N_ATTR, t->line, 1);
			n->kid[0] = *node;
			n->s = a->s;
			*node = n;
			return 0;
		}
		if (a->type != T_INT)
			return parse_fail(p, a, "expected name or number");
		*node = with_kids(p, N_ITEM, t->line, *node, constant(p, v_int(a->i), a->line));
		return 0;
	}
	struct node *indices = jinja_node(p->src, N_TUPLE, t->line, 0);
	while (!at_op(p, "]")) {
		if ((indices->n && expect_op(p, ",")) || parse_index(p, &n))
			return -1;
		node_add(p->src, indices, n);
	}
	p->t++;
	for (size_t i = 0; indices->n > 1 && i < indices->n; i++)
		if (indices->kid[i]->type == N_SLICE)
			return parse_fail(p, t, "a slice among several indices is not supported");
	*node = with_kids(p, N_ITEM, t->line, *node, indices->n == 1 ? indices->kid[0] : indices);
	return 0;
}

static int bad_call(const struct parser *p, const struct token *t)
{
	return parse_fail(p, t, "invalid syntax for function call expression");
}

static int parse_call_args(struct parser *p, struct node **out)
{
	const struct token *open = p->t;
	struct node *args = jinja_node(p->src, N_ARGS, open->line, 4), *n;
	struct node *pos = args->kid[0] = jinja_node(p->src, N_BODY, open->line, 0);
	struct node *kw = args->kid[1] = jinja_node(p->src, N_BODY, open->line, 0);
	*out = args;
	p->t++;
	for (bool comma = false; !at_op(p, ")"); comma = true) {
		if (comma && expect_op(p, ","))
			return -1;
		if (comma && at_op(p, ")"))
			break;
		if (at_op(p, "*")) {
			if (args->kid[2] || args->kid[3])
				return bad_call(p, open);
			p->t++;
			if (parse_expr(p, &args->kid[2]))
				return -1;
		} else if (at_op(p, "**")) {
			if (args->kid[3])
				return bad_call(p, open);
			p->t++;
			if (parse_expr(p, &args->kid[3]))
				return -1;
		} else if (p->t->type == T_NAME && p->t[1].type == T_OP && str_is(p->t[1].s, "=")) {
			if (args->kid[3])
				return bad_call(p, open);
			struct node *k = jinja_node(p->src, N_KEYWORD, p->t->line, 1);
			k->s = p->t->s;
			p->t += 2;
			for (size_t i = 0; i < kw->n; i++)
				if (str_eq(kw->kid[i]->s, k->s))
					return parse_fail(p, open, "keyword argument repeated: %.*s", (int)k->s.n,
							  k->s.p);
			if (parse_expr(p, &k->kid[0]))
				return -1;
			node_add(p->src, kw, k);
		} else {
			if (args->kid[2] || args->kid[3] || kw->n)
				return bad_call(p, open);
			if (parse_expr(p, &n))
				return -1;
			node_add(p->src, pos, n);
		}
	}
	return expect_op(p, ")");
}

static int parse_call(struct parser *p, struct node **node)
{
	struct node *args;
	int line = p->t->line;
	if (parse_call_args(p, &args))
		return -1;
	*node = with_kids(p, N_CALL, line, *node, args);
	return 0;
}

static int parse_postfix(struct parser *p, struct node **node)
{
	for (int n = 0;; n++) {
		if (n > JINJA_PARSE_DEPTH)
			return jinja_fail_at(p->src, p->t->line, E_LIMIT,
					     "more than %d attributes, items or calls in a row", JINJA_PARSE_DEPTH);
		if (at_op(p, ".") || at_op(p, "[")) {
			if (parse_subscript(p, node))
				return -1;
		} else if (at_op(p, "(")) {
			if (parse_call(p, node))
				return -1;
		} else {
			return 0;
		}
	}
}

static int dotted_name(struct parser *p, struct str *out)
{
	struct str more = { NULL, 0 };
	if (expect_name(p, out))
		return -1;
	while (skip_op(p, ".")) {
		if (expect_name(p, &more))
			return -1;
		*out = arena_printf(p->src->a, "%.*s.%.*s", (int)out->n, out->p, (int)more.n, more.p);
	}
	return 0;
}

static int parse_filter(struct parser *p, struct node **node)
{
	struct node *f = jinja_node(p->src, N_FILTER, p->t->line, 2);
	f->kid[0] = *node;
	*node = f;
	if (dotted_name(p, &f->s))
		return -1;
	return at_op(p, "(") ? parse_call_args(p, &f->kid[1]) : 0;
}

int parse_filters(struct parser *p, struct node *value, bool inline_first, struct node **out)
{
	*out = value;
	for (int n = 0; inline_first || skip_op(p, "|"); n++) {
		if (n > JINJA_PARSE_DEPTH)
			return jinja_fail_at(p->src, p->t->line, E_LIMIT, "more than %d filters in a row",
					     JINJA_PARSE_DEPTH);
		inline_first = false;
		if (parse_filter(p, out))
			return -1;
	}
	return 0;
}

/* "x is test", "x is not test", "x is test arg": one argument may stand without brackets. */
static int parse_test(struct parser *p, struct node **node)
{
	int line = p->t++->line;
	bool negated = skip_word(p, "not");
	struct node *t = jinja_node(p->src, N_TEST, line, 2), *arg;
	t->kid[0] = *node;
	*node = t;
	if (dotted_name(p, &t->s))
		return -1;
	if (at_op(p, "(")) {
		if (parse_call_args(p, &t->kid[1]))
			return -1;
	} else if ((p->t->type == T_NAME || p->t->type == T_STRING || p->t->type == T_INT || p->t->type == T_FLOAT ||
		    at_op(p, "[") || at_op(p, "{")) &&
		   !at_word(p, "else") && !at_word(p, "or") && !at_word(p, "and")) {
		if (at_word(p, "is"))
			return parse_fail(p, p->t, "You cannot chain multiple tests with is");
		if (parse_primary(p, false, &arg) || parse_postfix(p, &arg))
			return -1;
		struct node *args = t->kid[1] = jinja_node(p->src, N_ARGS, line, 4);
		args->kid[0] = jinja_node(p->src, N_BODY, line, 0);
		args->kid[1] = jinja_node(p->src, N_BODY, line, 0);
		node_add(p->src, args->kid[0], arg);
	}
	if (negated) {
		struct node *no = jinja_node(p->src, N_NOT, line, 1);
		no->kid[0] = t;
		*node = no;
	}
	return 0;
}

static int parse_filter_expr(struct parser *p, struct node **node)
{
	for (int n = 0;; n++) {
		int rc = 0;
		if (n > JINJA_PARSE_DEPTH)
			return jinja_fail_at(p->src, p->t->line, E_LIMIT, "more than %d filters in a row",
					     JINJA_PARSE_DEPTH);
		if (skip_op(p, "|"))
			rc = parse_filter(p, node);
		else if (at_word(p, "is"))
			rc = parse_test(p, node);
		else if (at_op(p, "("))
			rc = parse_call(p, node);
		else
			return 0;
		if (rc)
			return -1;
	}
}

static int parse_unary(struct parser *p, bool with_filter, struct node **out)
{
	int line = p->t->line, rc = 0;
	if (parser_enter(p))
		return -1;
	if (at_op(p, "-") || at_op(p, "+")) {
		struct node *n = jinja_node(p->src, at_op(p, "-") ? N_NEG : N_POS, line, 1);
		p->t++;
		rc = parse_unary(p, false, &n->kid[0]);
		*out = n;
	} else {
		rc = parse_primary(p, false, out);
	}
	if (!rc)
		rc = parse_postfix(p, out);
	if (!rc && with_filter)
		rc = parse_filter_expr(p, out);
	p->depth--;
	return rc;
}

/* ---- operators ---- */

struct op {
	const char *text;
	char code;
};

static char op_here(const struct parser *p, const struct op *ops)
{
	for (; ops->text; ops++)
		if (at_op(p, ops->text))
			return ops->code;
	return 0;
}

/* A left-associative chain of one precedence. */
static int parse_chain(struct parser *p, const struct op *ops, enum node_type type,
		       int (*next)(struct parser *, struct node **), struct node **out)
{
	int line = p->t->line;
	struct node *n = NULL, *kid;
	struct buf codes = { 0 };
	char code;
	int rc = next(p, out);
	while (!rc && (code = op_here(p, ops))) {
		if (!n) {
			n = jinja_node(p->src, type, line, 0);
			node_add(p->src, n, *out);
		}
		p->t++;
		buf_putc(&codes, code);
		rc = next(p, &kid);
		if (!rc)
			node_add(p->src, n, kid);
	}
	if (!rc && n) {
		n->s = arena_str(p->src->a, codes.p, codes.n);
		*out = n;
	}
	buf_fini(&codes);
	return rc;
}

static int parse_operand(struct parser *p, struct node **out)
{
	return parse_unary(p, true, out);
}

static int parse_pow(struct parser *p, struct node **out)
{
	static const struct op ops[] = { { "**", 'p' }, { NULL, 0 } };
	return parse_chain(p, ops, N_CHAIN, parse_operand, out);
}

static int parse_term(struct parser *p, struct node **out)
{
	static const struct op ops[] = { { "*", '*' }, { "/", '/' }, { "//", 'f' }, { "%", '%' }, { NULL, 0 } };
	return parse_chain(p, ops, N_CHAIN, parse_pow, out);
}

static int parse_concat(struct parser *p, struct node **out)
{
	static const struct op ops[] = { { "~", '~' }, { NULL, 0 } };
	return parse_chain(p, ops, N_CONCAT, parse_term, out);
}

static int parse_sum(struct parser *p, struct node **out)
{
	static const struct op ops[] = { { "+", '+' }, { "-", '-' }, { NULL, 0 } };
	return parse_chain(p, ops, N_CHAIN, parse_concat, out);
}

static char compare_here(struct parser *p)
{
	static const struct op ops[] = { { "==", '=' }, { "!=", '!' }, { "<", '<' }, { ">", '>' }, { "<=", 'l' },
		{ ">=", 'g' }, { NULL, 0 } };
	char code = op_here(p, ops);
	if (code) {
		p->t++;
	} else if (skip_word(p, "in")) {
		code = 'i';
	} else if (at_word(p, "not") && p->t[1].type == T_NAME && str_is(p->t[1].s, "in")) {
		p->t += 2;
		code = 'n';
	}
	return code;
}

static int parse_compare(struct parser *p, struct node **out)
{
	int line = p->t->line;
	struct node *n = NULL, *kid;
	struct buf codes = { 0 };
	char code;
	int rc = parse_sum(p, out);
	while (!rc && (code = compare_here(p))) {
		if (!n) {
			n = jinja_node(p->src, N_COMPARE, line, 0);
			node_add(p->src, n, *out);
		}
		buf_putc(&codes, code);
		rc = parse_sum(p, &kid);
		if (!rc)
			node_add(p->src, n, kid);
	}
	if (!rc && n) {
		n->s = arena_str(p->src->a, codes.p, codes.n);
		*out = n;
	}
	buf_fini(&codes);
	return rc;
}

static int parse_not(struct parser *p, struct node **out)
{
	if (!at_word(p, "not"))
		return parse_compare(p, out);
	struct node *n = jinja_node(p->src, N_NOT, p->t++->line, 1);
	*out = n;
	if (parser_enter(p) || parse_not(p, &n->kid[0]))
		return -1;
	p->depth--;
	return 0;
}

static int parse_words(struct parser *p, const char *word, enum node_type type,
		       int (*next)(struct parser *, struct node **), struct node **out)
{
	int line = p->t->line;
	struct node *n = NULL, *kid;
	if (next(p, out))
		return -1;
	while (skip_word(p, word)) {
		if (!n) {
			n = jinja_node(p->src, type, line, 0);
			node_add(p->src, n, *out);
			*out = n;
		}
		if (next(p, &kid))
			return -1;
		node_add(p->src, n, kid);
	}
	return 0;
}

static int parse_and(struct parser *p, struct node **out)
{
	return parse_words(p, "and", N_AND, parse_not, out);
}

int parse_expr_nocond(struct parser *p, struct node **out)
{
	return parse_words(p, "or", N_OR, parse_and, out);
}

int parse_expr(struct parser *p, struct node **out)
{
	int line = p->t->line;
	if (parser_enter(p) || parse_expr_nocond(p, out))
		return -1;
	for (int n = 0; skip_word(p, "if"); n++) {
		struct node *c = jinja_node(p->src, N_COND, line, 3);
		if (n > JINJA_PARSE_DEPTH)
			return jinja_fail_at(p->src, p->t->line, E_LIMIT, "more than %d conditions in a row",
					     JINJA_PARSE_DEPTH);
		c->kid[1] = *out;
		*out = c;
		if (parse_expr_nocond(p, &c->kid[0]))
			return -1;
		if (skip_word(p, "else") && parse_expr(p, &c->kid[2]))
			return -1;
	}
	p->depth--;
	return 0;
}
