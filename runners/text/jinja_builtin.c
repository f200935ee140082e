/* jinja_builtin.c - where filters are found by name, and the tests ("x is even").
 *
 * Filters live in three tables (text, sequences, HTML) plus one row each that only one environment has. The list of all
 * names is what messages suggest from and what the manual prints.
 */
#include "runners/text/jinja_int.h"

static const struct builtin *find(const struct builtin *table, struct str name)
{
	for (; table->name; table++)
		if (str_is(name, table->name))
			return table;
	return NULL;
}

const struct builtin *jinja_filter_find(struct str name, enum jinja_env env)
{
	if (env == JINJA_CHAT && str_is(name, "tojson"))
		return &jinja_tojson_chat;
	if (env == JINJA_SUITE && str_is(name, "regex_replace"))
		return &jinja_regex_replace;
	const struct builtin *f = find(jinja_filters_text, name);
	f = f ? f : find(jinja_filters_seq, name);
	return f ? f : find(jinja_filters_html, name);
}

const char *const *jinja_filters(enum jinja_env env)
{
	static const char *const names[] = { "regex_replace", /* of suites only */ "abs", "attr", "batch", "capitalize", "center", "count", "d", "default",
		"dictsort", "e", "escape",
		"filesizeformat", "first", "float", "forceescape", "format", "groupby", "indent", "int", "items",
		"join", "last", "length", "list",
		"lower", "map", "max", "min", "pprint", "random", "reject", "rejectattr", "replace",
		"reverse", "round", "safe",
		"select", "selectattr", "slice", "sort", "string", "striptags", "sum", "title", "tojson", "trim",
		"truncate", "unique", "upper",
		"urlencode", "urlize", "wordcount", "wordwrap", "xmlattr", NULL };
	return names + (env == JINJA_CHAT);
}

/* ---- tests ---- */

static int answer(bool yes, struct value *out)
{
	*out = v_bool(yes);
	return 0;
}

static int modulo_is(struct jx *x, struct value v, struct value by, int64_t want, struct value *out)
{
	struct value m;
	if (jx_binop(x, '%', v, by, &m))
		return -1;
	return answer(v_equal(m, v_int(want)), out);
}

static int t_odd(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return modulo_is(x, v, v_int(2), 1, out);
}

static int t_even(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return modulo_is(x, v, v_int(2), 0, out);
}

static int t_divisibleby(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return modulo_is(x, v, arg[0], 0, out);
}

static int t_defined(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type != V_UNDEFINED, out);
}

static int t_undefined(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_UNDEFINED, out);
}

static int unhashable(struct jx *x, struct value v)
{
	if (v.type == V_UNDEFINED && x->strict)
		return jx_undef_fail(x, v);
	return v_hashable(v) ? 0 : jx_fail(x, "unhashable type: '%s'", v_type_name(v));
}

static int t_filter(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return unhashable(x, v) || answer(v.type == V_STR && jinja_filter_find(v.s, x->j->env), out) ? -1 : 0;
}

static int t_test(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return unhashable(x, v) || answer(v.type == V_STR && jinja_test_find(v.s), out) ? -1 : 0;
}

static int t_none(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_NONE, out);
}

static int t_boolean(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_BOOL, out);
}

static int t_true(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_BOOL && v.b, out);
}

static int t_false(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_BOOL && !v.b, out);
}

static int t_integer(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_INT, out);
}

static int t_float(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_FLOAT, out);
}

static int t_number(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v_is_num(v), out);
}

static int t_string(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_STR, out);
}

static int t_mapping(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_DICT, out);
}

static int case_test(struct jx *x, struct value v, const char *method, struct value *out)
{
	struct str s;
	if (jx_text(x, v, &s))
		return -1;
	return jinja_method_find(V_STR, str_of(method))->call(x, v_str(s), NULL, out);
}

static int t_lower(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return case_test(x, v, "islower", out);
}

static int t_upper(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return case_test(x, v, "isupper", out);
}

static int t_sequence(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_UNDEFINED
			      ? !x->strict
			      : jx_has_len(v) && !jx_is(v, &jinja_view_type) && !jx_is(v, &jinja_loop_type),
		      out);
}

static int t_iterable(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	bool unused;
	if (v.type == V_UNDEFINED && jx_truth(x, v, &unused))
		return -1;
	return answer(jx_iterable(x, v), out);
}

static int t_callable(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_UNDEFINED || jx_is(v, &jinja_macro_type) || jx_is(v, &jinja_function_type) ||
			      jx_is(v, &jinja_bound_type) || jx_is(v, &jinja_joiner_type) || jx_is(v, &jinja_loop_type),
		      out);
}

/* "is": singletons, the same list or dict, and (as CPython shares them) equal short strings and small integers. */
static int t_sameas(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	struct value o = arg[0];
	bool same = v.type == o.type;
	if (same &&
	    (v.type == V_LIST || v.type == V_TUPLE || v.type == V_DICT || v.type == V_OBJECT || v.type == V_UNDEFINED))
		same = v.obj == o.obj || (v.type == V_TUPLE && !v.list->n && !o.list->n);
	else if (same)
		return jx_equal(x, v, o, &same) || answer(same, out) ? -1 : 0;
	return answer(same, out);
}

static int t_escaped(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	return answer(v.type == V_STR && v.safe, out);
}

static int t_in(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	bool yes;
	return jx_in(x, v, arg[0], &yes) ? -1 : answer(yes, out);
}

static int t_eq(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	bool yes;
	return jx_equal(x, v, arg[0], &yes) ? -1 : answer(yes, out);
}

static int t_ne(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	bool yes;
	return jx_equal(x, v, arg[0], &yes) ? -1 : answer(!yes, out);
}

static int t_lt(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	int c;
	return jx_less(x, v, arg[0], "<", &c) ? -1 : answer(c == -1, out);
}

static int t_le(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	int c;
	return jx_less(x, v, arg[0], "<=", &c) ? -1 : answer(c <= 0, out);
}

static int t_gt(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	int c;
	return jx_less(x, v, arg[0], ">", &c) ? -1 : answer(c == 1, out);
}

static int t_ge(struct jx *x, struct value v, struct value *arg, struct value *out)
{
	int c;
	return jx_less(x, v, arg[0], ">=", &c) ? -1 : answer(c == 0 || c == 1, out);
}

static const struct builtin tests[] = {
	{ "odd", "", t_odd, NULL },
	{ "even", "", t_even, NULL },
	{ "divisibleby", "num!", t_divisibleby, NULL },
	{ "defined", "", t_defined, NULL },
	{ "undefined", "", t_undefined, NULL },
	{ "filter", "", t_filter, NULL },
	{ "test", "", t_test, NULL },
	{ "none", "", t_none, NULL },
	{ "boolean", "", t_boolean, NULL },
	{ "false", "", t_false, NULL },
	{ "true", "", t_true, NULL },
	{ "integer", "", t_integer, NULL },
	{ "float", "", t_float, NULL },
	{ "lower", "", t_lower, NULL },
	{ "upper", "", t_upper, NULL },
	{ "string", "", t_string, NULL },
	{ "mapping", "", t_mapping, NULL },
	{ "number", "", t_number, NULL },
	{ "sequence", "", t_sequence, NULL },
	{ "iterable", "", t_iterable, NULL },
	{ "callable", "", t_callable, NULL },
	{ "sameas", "other!", t_sameas, NULL },
	{ "escaped", "", t_escaped, NULL },
	{ "in", "seq!", t_in, NULL },
	{ "==", "other!", t_eq, NULL },
	{ "eq", "other!", t_eq, NULL },
	{ "equalto", "other!", t_eq, NULL },
	{ "!=", "other!", t_ne, NULL },
	{ "ne", "other!", t_ne, NULL },
	{ ">", "other!", t_gt, NULL },
	{ "gt", "other!", t_gt, NULL },
	{ "greaterthan", "other!", t_gt, NULL },
	{ "ge", "other!", t_ge, NULL },
	{ ">=", "other!", t_ge, NULL },
	{ "<", "other!", t_lt, NULL },
	{ "lt", "other!", t_lt, NULL },
	{ "lessthan", "other!", t_lt, NULL },
	{ "<=", "other!", t_le, NULL },
	{ "le", "other!", t_le, NULL },
	{ NULL, NULL, NULL, NULL },
};

const struct builtin *jinja_test_find(struct str name)
{
	return find(tests, name);
}

const char *const *jinja_tests(void)
{
	static const char *const names[] = { "boolean", "callable", "defined", "divisibleby", "eq", "equalto",
		"escaped", "even", "false", "filter",
		"float", "ge", "greaterthan", "gt", "in", "integer", "iterable", "le", "lessthan", "lower", "lt",
		"mapping", "ne", "none", "number",
		"odd", "sameas", "sequence", "string", "test", "true", "undefined", "upper", NULL };
	return names;
}
