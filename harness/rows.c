/* rows.c - what a suite does to its rows before prompts are made: filter, map, replace, strip, rename, drop, split.
 *
 * The counterpart of lm-evaluation-harness's process_docs, declared instead of programmed. Operations run in order on
 * every row; document hashes are taken afterwards. One function per operation, one table; string operations go through
 * every string of a list column. A column that the data lack is an error that names the file, the row, and what there is.
 */
#include "harness/rows.h"

#include <stdio.h>

#include "harness/field.h"
#include "harness/filter.h"
#include "runners/text/utf8.h"

const char *rows_columns(struct value row, char *out, size_t size)
{
	size_t n = 0;
	out[0] = 0;
	for (size_t i = 0; row.type == V_DICT && i < row.dict->n && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%.60s", i ? ", " : "", row.dict->v[i].key.s.p);
	return out;
}

static int no_column(struct value row, struct str column, struct err *e)
{
	char list[600];
	return err_set(e, E_FORMAT, "no column '%.100s'; there are: %s", column.p, rows_columns(row, list, sizeof list));
}

/* Applies op to a row; *keep false takes the row out. */
typedef int op_fn(struct arena *a, const struct row_op *o, struct value *row, bool *keep, struct err *e);

static int column_of(struct value row, struct str name, const struct value **out, struct err *e)
{
	*out = v_get(row, name);
	return *out ? 0 : no_column(row, name, e);
}

static int op_filter(struct arena *a, const struct row_op *o, struct value *row, bool *keep, struct err *e)
{
	const struct value *v;
	if (column_of(*row, o->column, &v, e))
		return -1;
	bool equal = v_equal(*v, o->equals);
	if (!equal && o->equals.type == V_LIST)
		for (size_t i = 0; i < o->equals.list->n && !equal; i++)
			equal = v_equal(*v, o->equals.list->v[i]);
	*keep = equal != o->negate;
	return 0;
}

static int to_type(struct arena *a, const struct row_op *o, struct value *v, struct err *e)
{
	struct value lit;
	if (o->type.n == 0)
		return 0;
	if (str_is(o->type, "string")) {
		*v = v_str(v_text(a, *v));
		return 0;
	}
	if (v->type == V_STR) {
		if (v_literal(a, str_strip(v->s), &lit, e))
			return err_wrap(e, "column '%.60s'", o->column.p);
		*v = lit;
	}
	if (v->type == V_TUPLE)
		v->type = V_LIST;
	if (v->type != (str_is(o->type, "int") ? V_INT : V_LIST))
		return err_set(e, E_FORMAT, "column '%.60s': the value is a %s, not a %s", o->column.p, v_type_name(*v), o->type.p);
	return 0;
}

static int op_map(struct arena *a, const struct row_op *o, struct value *row, bool *keep, struct err *e)
{
	struct value v;
	if (field_plain(&v, a, &o->map, *row, e) || to_type(a, o, &v, e))
		return -1;
	v_set(a, *row, o->column, v);
	return 0;
}

typedef int text_fn(struct arena *a, const struct row_op *o, struct str in, struct value *out, struct err *e);

/* fn over a string, or over every string of a list. */
static int each_text(struct arena *a, const struct row_op *o, text_fn *fn, struct value in, struct value *out, struct err *e)
{
	if (in.type == V_STR)
		return fn(a, o, in.s, out, e);
	if (in.type != V_LIST)
		return err_set(e, E_FORMAT, "column '%.60s' holds a %s, not text", o->column.p, v_type_name(in));
	*out = v_list(a, in.list->n);
	for (size_t i = 0; i < in.list->n; i++) {
		struct value v;
		if (in.list->v[i].type != V_STR)
			return err_set(e, E_FORMAT, "column '%.60s' holds a list with a %s, not text", o->column.p,
				       v_type_name(in.list->v[i]));
		if (fn(a, o, in.list->v[i].s, &v, e))
			return -1;
		v_push(a, *out, v);
	}
	return 0;
}

static int over_column(struct arena *a, const struct row_op *o, text_fn *fn, struct value *row, struct str into, struct err *e)
{
	const struct value *v;
	struct value out;
	if (column_of(*row, o->column, &v, e) || each_text(a, o, fn, *v, &out, e))
		return -1;
	v_set(a, *row, into, out);
	return 0;
}

static int text_strip(struct arena *a, const struct row_op *o, struct str in, struct value *out, struct err *e)
{
	struct str s = str_strip(in);
	*out = v_str(arena_str(a, s.p, s.n));
	return 0;
}

static int op_strip(struct arena *a, const struct row_op *o, struct value *row, bool *keep, struct err *e)
{
	return over_column(a, o, text_strip, row, o->column, e);
}

/* Position of the next `what` in s from i, or s.n. */
static size_t find_text(struct str s, size_t i, struct str what)
{
	const char *p = what.n <= s.n - i ? memmem(s.p + i, s.n - i, what.p, what.n) : NULL;
	return p ? (size_t)(p - s.p) : s.n;
}

static int text_replace(struct arena *a, const struct row_op *o, struct str in, struct value *out, struct err *e)
{
	struct str s;
	if (!o->literal) {
		if (regex_sub(o->regex, a, o->with, in, &s, e))
			return -1;
		*out = v_str(s);
		return 0;
	}
	struct buf b = { 0 };
	for (size_t i = 0; i < in.n;) {
		size_t at = find_text(in, i, o->pattern);
		buf_add(&b, in.p + i, at - i);
		if (at < in.n)
			buf_str(&b, o->with);
		i = at < in.n ? at + o->pattern.n : at;
	}
	*out = v_str(arena_str(a, b.p ? b.p : "", b.n));
	buf_fini(&b);
	return 0;
}

static int op_replace(struct arena *a, const struct row_op *o, struct value *row, bool *keep, struct err *e)
{
	return over_column(a, o, text_replace, row, o->column, e);
}

static int text_split(struct arena *a, const struct row_op *o, struct str in, struct value *out, struct err *e)
{
	if (!o->literal)
		return regex_split(o->regex, a, in, out, e);
	*out = v_list(a, 4);
	for (size_t i = 0;;) {
		size_t at = find_text(in, i, o->pattern);
		v_push(a, *out, v_str(arena_str(a, in.p + i, at - i)));
		if (at >= in.n)
			return 0;
		i = at + o->pattern.n;
	}
}

static int op_split(struct arena *a, const struct row_op *o, struct value *row, bool *keep, struct err *e)
{
	return over_column(a, o, text_split, row, o->into.n ? o->into : o->column, e);
}

/* A new row: columns in order, `from` called `to`, or left out when to.p is NULL. */
static int rebuild(struct arena *a, struct value *row, struct str from, struct str to, struct err *e)
{
	const struct value *v;
	if (column_of(*row, from, &v, e))
		return -1;
	if (to.p && !str_eq(from, to) && v_get(*row, to))
		return err_set(e, E_FORMAT, "rename: there is a column '%.60s' already", to.p);
	struct value out = v_dict(a);
	for (size_t i = 0; i < row->dict->n; i++) {
		const struct pair *p = &row->dict->v[i];
		if (!str_eq(p->key.s, from))
			v_set(a, out, p->key.s, p->val);
		else if (to.p)
			v_set(a, out, to, p->val);
	}
	*row = out;
	return 0;
}

static int op_rename(struct arena *a, const struct row_op *o, struct value *row, bool *keep, struct err *e)
{
	return rebuild(a, row, o->column, o->into, e);
}

static int op_drop(struct arena *a, const struct row_op *o, struct value *row, bool *keep, struct err *e)
{
	return rebuild(a, row, o->column, (struct str){ 0 }, e);
}

static op_fn *const ops[] = { [ROW_FILTER] = op_filter, [ROW_MAP] = op_map,   [ROW_REPLACE] = op_replace, [ROW_STRIP] = op_strip,
			      [ROW_RENAME] = op_rename, [ROW_DROP] = op_drop, [ROW_SPLIT] = op_split };

int rows_apply(struct rows *r, struct arena *a, const struct suite *s, struct err *e)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->n; i++) {
		bool keep = true;
		for (int k = 0; k < s->nrows && keep; k++)
			if (ops[s->rows[k].kind](a, &s->rows[k], &r->v[i], &keep, e))
				return err_wrap(e, "%s: row %zu: %s:%d", r->path, i, s->rows[k].file, s->rows[k].line);
		if (keep)
			r->v[kept++] = r->v[i];
	}
	r->n = kept;
	return 0;
}
