/* jinja_int.h - what the files of the template engine share; private to them.
 *
 * The stages, one file or two each:
 *   jinja_lex.c      source -> tokens             (white space control, raw blocks, comments)
 *   jinja_parse.c    tokens -> statements         jinja_expr.c  expressions
 *   jinja_scope.c    names  -> slots              (jinja2's scoping, decided once at compile time)
 *   jinja_run.c      runs statements              jinja_eval.c  expressions
 *   jinja_op.c       operators, attributes, items, slices
 *   jinja_object.c   loops, generators, iteration;   jinja_range.c  ranges; jinja_macro.c calls macros
 *   jinja_builtin.c  tables of filters and tests; jinja_filter.c, jinja_seq.c, jinja_str.c, jinja_html.c hold the filters
 *   jinja_method.c   methods of str, list, dict;  jinja_format.c  % and str.format
 *   jinja_time.c     strftime                     jinja_regex.c   re.sub
 *
 * Every node is {type, line, text or constant, children}; what the children mean is written beside each type. A child may
 * be NULL where the language lets it be absent.
 */
#ifndef ASSAY_JINJA_INT_H
#define ASSAY_JINJA_INT_H

#include "runners/text/jinja.h"

/* ---- tokens ---- */

enum tok_type {
	T_EOF,
	T_DATA,
	T_BLOCK_BEGIN,
	T_BLOCK_END,
	T_VAR_BEGIN,
	T_VAR_END,
	T_NAME,
	T_STRING,
	T_INT,
	T_FLOAT,
	T_OP, /* s is the operator */
};

struct token {
	enum tok_type type;
	int line;
	struct str s; /* T_STRING: unescaped */
	int64_t i;
	double f;
};

struct tokens {
	struct token *v;
	size_t n, cap;
};

/* Where a compile stands: the file's name for messages, the arena of the template. */
struct source {
	struct arena *a;
	enum jinja_env env;
	const char *name;
	struct err *e;
	struct arena *scratch; /* of jinja_resolve */
	struct free_name *names; /* what a render looks up, once each */
	size_t nnames;
	struct value name_at;  /* of jinja_resolve: a dict, where a name stands among them */
	bool over;             /* too many variables */
};

int jinja_lex(struct source *src, struct str text, struct tokens *out);
int jinja_fail_at(const struct source *src, int line, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* ---- the tree ---- */

enum node_type {
	/* statements */
	N_BODY,        /* kids in sequence */
	N_DATA,        /* s */
	N_OUTPUT,      /* kids: expressions or N_DATA */
	N_FOR,         /* target, iter, body, else, test; flag: recursive; flag2: has a loop object */
	N_IF,          /* test, body, test, body, ..., [else body]: an odd last kid is the else */
	N_SET,         /* target, value */
	N_SET_BLOCK,   /* target, filter, body */
	N_MACRO,       /* args(N_BODY of N_NAME), defaults(N_BODY), body; s: name */
	N_CALL_BLOCK,  /* call, args, defaults, body; call NULL: {% generation %} */
	N_FILTER_BLOCK,/* body, filter */
	N_WITH,        /* targets(N_BODY), values(N_BODY), body */
	N_AUTOESCAPE,  /* value, body */
	N_BREAK,
	N_CONTINUE,
	/* expressions */
	N_CONST,       /* v */
	N_NAME,        /* s; ctx; slot */
	N_NSREF,       /* s.v.s = ...; slot */
	N_LIST, N_TUPLE,
	N_DICT,        /* key, value, key, value, ... */
	N_CHAIN,       /* a op b op c, of one precedence: ops in s, one character each: + - * / f(loor) % p(ow); flag: all + */
	N_CONCAT,
	N_AND, N_OR,   /* two or more kids */
	N_NOT, N_NEG, N_POS,
	N_COMPARE,     /* first, operand, ...: ops in s: = ! < > l(e) g(e) i(n) n(ot in) */
	N_COND,        /* test, then, else or NULL (s: the message about that) */
	N_ATTR,        /* object; s */
	N_ITEM,        /* object, index */
	N_KEY,         /* object, index; s: the index is this constant string */
	N_SLICE,       /* start, stop, step: only as the index of N_ITEM */
	N_CALL,        /* callee, args(N_ARGS) */
	N_FILTER,      /* value or NULL (a block's text), args; s: name; fn */
	N_TEST,        /* value, args; s: name; fn */
	N_ARGS,        /* positional(N_BODY), keywords(N_BODY of N_KEYWORD), star or NULL, starstar or NULL */
	N_KEYWORD,     /* value; s */
};

enum name_ctx { CTX_LOAD, CTX_STORE, CTX_PARAM };

/* A variable: `up` functions out of the running one, `at` its place there. */
struct slot {
	uint16_t up, at;
};

/* A name that no scope of the template defines where it is read: a variable of the render, else a global. */
struct free_name {
	struct str name;
	struct value global; /* or VMISSING */
};

/* What entering a scope does to its variables, in order. */
enum load_action { LOAD_PARAM, LOAD_RESOLVE, LOAD_ALIAS, LOAD_UNDEFINED };
struct load {
	struct slot slot;
	enum load_action action;
	uint32_t name;     /* RESOLVE: which free name */
	struct slot from;  /* ALIAS */
};
struct scope {
	struct load *v;
	size_t n;
	int nslots; /* of the function it opens, when it opens one */
};

struct builtin;
struct method;
struct node {
	enum node_type type;
	int line;
	struct slot slot;
	bool flag, flag2;
	bool catch_kwargs, catch_varargs, catch_caller; /* macros */
	uint8_t nparams;        /* filters and tests: of fn; flag: the arguments are positional and fit */
	uint8_t field;          /* attributes: which of a loop's, 0: none */
	uint32_t level, height; /* expressions: levels down to this node in its statement; from it down to the leaves. Statements: the highest inside */
	uint32_t cost;          /* evaluated nodes, this one included; of a statement those of its own expressions */
	enum name_ctx ctx;
	struct node **kid;
	size_t n;
	struct str s;
	struct value v;
	const struct builtin *fn;
	const struct method *const *methods; /* attributes: the method of that name by type; NULL: no type has one */
	struct slot special[3]; /* macros: caller, kwargs, varargs; loops: [0] the loop object */
	struct scope scope, scope2, scope3; /* body; for: else, test */
};

struct node *jinja_node(struct source *src, enum node_type type, int line, size_t nkids);
int jinja_parse(struct source *src, struct tokens *t, struct node **root);
int jinja_resolve(struct source *src, struct node *root);

/* Parser, shared by statements and expressions. */
struct parser {
	struct source *src;
	struct token *t; /* current */
	int depth, loops; /* loops around: break and continue are allowed */
};
#define JINJA_PARSE_DEPTH 400
int parse_expr(struct parser *p, struct node **out);
int parse_expr_nocond(struct parser *p, struct node **out);
int parse_primary(struct parser *p, bool namespaces, struct node **out);
int parse_tuple(struct parser *p, bool simple, bool cond, bool parens, bool namespaces, struct node **out);
int parse_filters(struct parser *p, struct node *value, bool inline_first, struct node **out);
int parse_fail(const struct parser *p, const struct token *t, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int parse_unexpected(const struct parser *p, const char *wanted);
bool at_op(const struct parser *p, const char *op);
bool at_word(const struct parser *p, const char *word);
bool skip_op(struct parser *p, const char *op);
bool skip_word(struct parser *p, const char *word);
int expect_op(struct parser *p, const char *op);
int expect_name(struct parser *p, struct str *out);
int parser_enter(struct parser *p);
void node_add(struct source *src, struct node *n, struct node *kid);

/* ---- running ---- */

struct jinja {
	struct arena a;
	enum jinja_env env;
	struct str source, name;
	bool plain;
	struct node *root;
	const struct free_name *names;
	size_t nnames;
};

/* A running function (the template, a macro, a recursive loop): its variables and the function it was made in. */
struct frame {
	struct value *slot;
	struct frame *up;
};

struct jx {
	const struct jinja *j;
	struct arena *a;
	struct err *e;
	struct value *names; /* the values of the template's free names */
	const char *date;
	struct jinja_limits limit;
	uint64_t steps;
	size_t used0;      /* arena bytes at the start */
	int depth;
	bool strict;       /* StrictUndefined */
	const struct node *at; /* what runs, for its line in messages */
	struct buf out;    /* the text so far; captures take theirs off its end. Not NUL-terminated */
	char *first;       /* where it begins: a buffer of the caller's */
	struct frame *frame;
	const struct str *block_text; /* what a filter without a value works on */
};

/* An undefined value: message parts for when it is used. */
struct undef {
	bool strict;
	const char *hint;     /* the whole message, or NULL */
	struct str name;      /* 'name' is undefined */
	const char *of;       /* type of the object that lacks it, or NULL */
	struct value key;     /* when the missing item is not a string */
	bool is_item;
};

struct args {
	struct value *pos;
	size_t npos;
	struct pair *kw; /* keys are strings */
	size_t nkw;
};

int jx_fail(struct jx *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int jx_limit(struct jx *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int jx_over(struct jx *x);
/* Counts n steps and looks at the memory used: -1 with E_LIMIT. */
static inline int jx_step(struct jx *x, uint64_t n)
{
	x->steps += n;
	return x->steps > x->limit.steps || x->a->used - x->used0 > x->limit.memory_bytes ? jx_over(x) : 0;
}
int jx_room(struct jx *x, size_t count, size_t size); /* may count*size more bytes be used? */
/* The steps of a filter or method that looks at all of a text. */
static inline int jx_reads(struct jx *x, struct value v)
{
	return v.type == V_STR && v.s.n >= 256 ? jx_step(x, v.s.n / 4) : 0;
}
/* The steps of a comparison or a search, which is fast, over n bytes. */
static inline int jx_scans(struct jx *x, size_t n)
{
	return n >= 256 ? jx_step(x, n / 64) : 0;
}
int jx_enter(struct jx *x);                  /* depth */
int jx_fits(struct jx *x, const struct node *n); /* may a function whose expressions nest as deep as n's run here? */
#define jx_leave(x) ((void)(x)->depth--)
struct vwalk jx_walk(struct jx *x);
int jx_walked(struct jx *x, const struct vwalk *w); /* -1 with E_LIMIT when the walk ran over */

struct value jx_undefined(struct jx *x, struct undef u);
struct value jx_undef_hint(struct jx *x, const char *hint);
int jx_undef_fail(struct jx *x, struct value v);
extern const char jinja_missing_mark;
#define VMISSING ((struct value){ .type = V_UNDEFINED, .obj = (void *)&jinja_missing_mark })
static inline bool v_is_missing(struct value v)
{
	return v.type == V_UNDEFINED && v.obj == (const void *)&jinja_missing_mark;
}

int jx_text(struct jx *x, struct value v, struct str *out);      /* str(v) */
int jx_repr(struct jx *x, struct value v, struct str *out);
int jx_truth(struct jx *x, struct value v, bool *out);
int jx_equal(struct jx *x, struct value a, struct value b, bool *out);
int jx_same(struct jx *x, struct value a, struct value b, bool *out); /* equal, or the same undefined value: items of lists */
int jx_less(struct jx *x, struct value a, struct value b, const char *op, int *out); /* -1 0 1, 2: unordered (NaN) */
int jx_in(struct jx *x, struct value item, struct value in, bool *out);
int jx_len(struct jx *x, struct value v, int64_t *out);          /* TypeError where Python has none */
bool jx_has_len(struct value v);
int jx_int(struct jx *x, struct value v, const char *what, int64_t *out); /* an index or count: bool, int */
int jx_getattr(struct jx *x, struct value obj, struct str name, struct value *out);
int jx_getitem(struct jx *x, struct value obj, struct value key, struct value *out);
int jx_subscript(struct jx *x, struct value obj, struct value key, struct value *out, bool *found); /* obj[key] alone */
/* getattr alone, m being the method of that name that jinja_method_find gives for obj: 1, 0: none, -1 */
int jx_attribute(struct jx *x, struct value obj, struct str name, const struct method *m, struct value *out);
int jx_member(struct jx *x, const struct value *obj, const struct node *n, struct value *out); /* getattr of an N_ATTR, as a method too */
int jx_slice(struct jx *x, struct value obj, const struct value part[3], struct value *out);
int jx_binop(struct jx *x, char op, struct value a, struct value b, struct value *out);
double jx_fmod(double a, double b);
int jx_negate(struct jx *x, char op, struct value a, struct value *out);
int jx_call(struct jx *x, struct value callee, const struct args *args, struct value *out);
int jx_emit_slow(struct jx *x, struct str s);
static inline int jx_emit(struct jx *x, struct str s)
{
	struct buf *b = &x->out;
	if (s.n > b->cap - b->n) /* the capacity never exceeds the limit */
		return jx_emit_slow(x, s);
	if (s.n)
		memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
	return 0;
}
struct str jx_cut(struct jx *x, size_t from); /* takes the text from there on off the output, as an arena string */
struct str jx_take(struct jx *x, struct buf *b); /* the buffer as an arena string; frees it */
struct value jx_str(struct jx *x, struct buf *b);
struct str jx_escape(struct jx *x, struct str s);

int jx_eval(struct jx *x, const struct node *n, struct value *out);
int jx_test(struct jx *x, const struct node *n);   /* its truth: 1, 0, -1 */
int jx_output(struct jx *x, const struct node *n); /* {{ n }} */
int jx_args(struct jx *x, const struct node *n, struct args *out); /* the arguments of a call; n NULL: none */
enum flow { FLOW_ERROR = -1, FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };
enum flow jx_run(struct jx *x, const struct node *n);
void jx_scope_enter(struct jx *x, const struct scope *s);
void jx_scope_leave(struct jx *x, const struct scope *s);
struct frame *jx_frame(struct jx *x, int nslots, struct frame *up);
enum flow jx_capture(struct jx *x, const struct node *body, struct str *out);
static inline struct value *jx_slot(struct jx *x, struct slot s)
{
	struct frame *f = x->frame;
	for (unsigned up = s.up; up; up--)
		f = f->up;
	return &f->slot[s.at];
}
int jx_assign(struct jx *x, const struct node *target, struct value v);

/* Arguments of builtins: spec lists the names in order; a name with '!' behind it must be given. Fills `out`, absent ones
 * with VMISSING. "width fill!" */
int jx_bind(struct jx *x, const char *fn, const struct args *args, const char *spec, struct value *out);
#define JX_MAX_ARGS 8
/* How many arguments a spec names; fit: whether the arguments of a call are that many or fewer, positional and enough. */
size_t jx_params(const char *spec, const struct node *args, bool *fit);

/* ---- iteration ---- */

struct iter {
	struct value over;
	size_t i;
	int kind;
};
int jx_iter(struct jx *x, struct value v, struct iter *it);
int jx_next(struct jx *x, struct iter *it, struct value *out); /* 1: an item, 0: the end, -1 */
bool jx_iterable(struct jx *x, struct value v);
int jx_to_list(struct jx *x, struct value v, struct value *out); /* list(v): always a new one */

/* ---- objects ---- */

struct o_range { struct vobject o; int64_t start, stop, step, n; };
struct o_namespace { struct vobject o; struct value dict; };
struct o_macro { struct vobject o; const struct node *node; struct frame *up; };
struct o_cycler { struct vobject o; struct value items; size_t pos; };
struct o_joiner { struct vobject o; struct value sep; bool used; };
struct o_view { struct vobject o; struct value dict; int what; /* 'k' 'v' 'i' */ };
struct o_generator {
	struct vobject o;
	int (*next)(struct jx *x, struct o_generator *g, struct value *out);
	struct iter src;
	struct value value;       /* what it was made from */
	bool started, done;
	const struct builtin *fn; /* the filter or test it applies */
	struct args args;
	struct value attr, extra; /* attribute path; a default, a fill */
	struct value seen;        /* unique: a dict */
	bool negate, flag;
	int64_t count;
	const char *filter;       /* its name, for messages */
	const struct node *node;  /* a loop's filter: evaluated in frame */
	struct frame *frame;
};
struct o_loop {
	struct vobject o;
	struct iter it;
	struct value iterable;
	int64_t index0, length; /* length -1: not yet known */
	int depth0;
	struct value current, before, after, changed;
	const struct node *node;  /* recursive: the for; else NULL */
	struct frame *up;
};
struct o_bound { struct vobject o; struct value self; const struct method *m; };
struct o_function { struct vobject o; const char *name; int (*call)(struct jx *x, const struct args *args, struct value *out); };

extern const struct vobject_type jinja_range_type, jinja_namespace_type, jinja_macro_type, jinja_cycler_type, jinja_joiner_type,
	jinja_view_type, jinja_generator_type, jinja_loop_type, jinja_bound_type, jinja_function_type;
static inline bool jx_is(struct value v, const struct vobject_type *t)
{
	return v.type == V_OBJECT && ((const struct vobject *)v.obj)->type == t;
}
static inline struct value jx_object(const void *o)
{
	return (struct value){ .type = V_OBJECT, .obj = (void *)o };
}
struct o_generator *jx_generator(struct jx *x, struct value from, int (*next)(struct jx *, struct o_generator *, struct value *));
int jx_object_attr(struct jx *x, struct value obj, struct str name, struct value *out);
int jx_object_call(struct jx *x, struct value obj, const struct args *args, struct value *out);
int jx_loop_call(struct jx *x, const struct node *loop, struct frame *up, struct value iterable, int depth0, struct value *out);
int jx_loop_field(struct str name); /* 0: a loop has no such attribute */
int jx_loop_get(struct jx *x, struct o_loop *l, int field, struct value *out);
int jx_loop_next(struct jx *x, struct o_loop *l, struct value *out);
int jx_macro_call(struct jx *x, struct o_macro *m, const struct args *args, struct value *out);
bool jx_global(struct str name, struct value *out, enum jinja_env env);
int64_t jx_range_at(const struct o_range *r, int64_t i);
int jx_range_attr(struct jx *x, struct value obj, struct str name, struct value *out);
struct value jx_bound(struct jx *x, struct value self, const struct method *m); /* a method of self */
int jx_range_slice(struct jx *x, const struct o_range *r, int64_t from, int64_t to, int64_t step, int64_t count, struct value *out);

/* ---- builtins ---- */

struct builtin {
	const char *name;
	const char *spec; /* of the arguments behind the value; NULL: takes raw args */
	int (*call)(struct jx *x, struct value v, struct value *arg, struct value *out);
	int (*raw)(struct jx *x, struct value v, const struct args *args, struct value *out);
};
const struct builtin *jinja_filter_find(struct str name, enum jinja_env env);
const struct builtin *jinja_test_find(struct str name);
int jx_apply(struct jx *x, const struct builtin *b, struct value v, const struct args *args, struct value *out);
extern const struct builtin jinja_filters_text[], jinja_filters_seq[], jinja_filters_html[];
extern const struct builtin jinja_tojson_chat, jinja_regex_replace; /* of one environment only */

struct method {
	const char *name, *spec;
	int (*call)(struct jx *x, struct value self, struct value *arg, struct value *out);
	int (*raw)(struct jx *x, struct value self, const struct args *args, struct value *out);
	bool mutates;
};
const struct method *jinja_method_find(enum vtype self, struct str name);
int jx_strip(struct jx *x, struct value s, struct value chars, bool left, bool right, struct value *out);

/* ---- text helpers ---- */

bool str_ascii(struct str s);
int jx_want_str(struct jx *x, struct value v, const char *what, struct str *out);
size_t str_chars(struct str s);
struct str str_sub(struct str s, int64_t from, int64_t to); /* characters [from, to), clipped */
struct str str_strip_chars(struct str s, struct str chars, bool left, bool right);
int str_split_lines(struct jx *x, struct str s, bool keep_ends, struct value *list);
int jx_format_percent(struct jx *x, struct str fmt, struct value arg, bool safe, struct value *out);
int jx_format_braces(struct jx *x, struct value fmt, const struct args *args, struct value *out);
int jx_parse_int(struct jx *x, struct str s, int base, int64_t *out, bool *big); /* 1: ok, 0: not a number */
bool jx_parse_float(struct str s, double *out);
int jx_strftime(struct jx *x, struct str fmt, struct str *out);
int jx_regex_sub(struct jx *x, struct str s, struct str pattern, struct str repl, int64_t count, struct str *out);
int str_find(struct jx *x, struct str s, struct str sub, bool last, const char **hit); /* NULL: not in s */
int jx_word_chunks(struct jx *x, struct str s, bool hyphens, struct value *list);
int jx_replace(struct jx *x, struct str s, struct str old, struct str with, int64_t count, struct str *out);
int jx_split(struct jx *x, struct str s, struct value sep, int64_t max, bool right, struct value *out);
int jx_round(struct jx *x, struct value v, int64_t digits, struct value *out);

#endif
