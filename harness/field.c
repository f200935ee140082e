/* field.c - raw column or template, and the readings that lm-evaluation-harness gives to what a template said.
 *
 * Its rules, kept to the letter because prompts and scores hang on them: a text equal to a column's name is that column,
 * of whatever type; a rendered text of digits becomes an integer only where the suite has choices (Python's isdigit, then
 * ast.literal_eval: "007" and full-width digits are errors there too); a rendered target in brackets is read as a literal
 * and stays text where it is none. Items of a YAML list are texts, never templates.
 */
#include "harness/field.h"

#include "harness/rows.h"
#include "runners/text/utf8.h"

/* A template that names what is not there: say what is. */
static int render_failed(struct value row, struct err *e)
{
	char list[300], old[sizeof e->msg];
	if (!e || !strstr(e->msg, "undefined"))
		return -1;
	memcpy(old, e->msg, sizeof old);
	return err_set(e, e->code, "%.600s; the columns are: %s", old, rows_columns(row, list, sizeof list));
}

static int render(struct value *out, struct arena *a, const struct field *f, struct value row, struct err *e)
{
	struct str s = f->text;
	if (f->template && jinja_render(f->template, a, row, NULL, NULL, &s, e))
		return render_failed(row, e);
	*out = v_str(s);
	return 0;
}

/* 1: *out is a column. 0: it is none. */
static int raw_column(struct value *out, const struct field *f, struct value row)
{
	const struct value *v = row.type == V_DICT ? v_get(row, f->text) : NULL;
	if (v)
		*out = *v;
	return v != NULL;
}

int field_plain(struct value *out, struct arena *a, const struct field *f, struct value row, struct err *e)
{
	*out = VNONE;
	if (!f->set || (f->text.n == 0 && !f->is_list))
		return 0;
	return raw_column(out, f, row) ? 0 : render(out, a, f, row, e);
}

static bool is_digits(struct str s)
{
	for (size_t i = 0; i < s.n;)
		if (!uni_is_digit(utf8_next(s, &i)))
			return false;
	return s.n > 0;
}

static int digits_to_int(struct value *v, struct arena *a, bool has_choices, struct err *e)
{
	struct value i;
	if (v->type != V_STR || !has_choices || !is_digits(v->s))
		return 0;
	if (v_literal(a, v->s, &i, e))
		return -1;
	*v = i;
	return 0;
}

int field_prompt(struct value *out, struct arena *a, const struct field *f, bool has_choices, struct value row, struct err *e)
{
	if (f->is_int) {
		*out = v_int(f->i);
		return 0;
	}
	if (!f->set) {
		*out = v_str(STR(""));
		return 0;
	}
	if (raw_column(out, f, row))
		return 0;
	return render(out, a, f, row, e) || digits_to_int(out, a, has_choices, e) ? -1 : 0;
}

static struct value list_value(struct arena *a, const struct field *f)
{
	struct value l = v_list(a, (size_t)f->nitems);
	for (int i = 0; i < f->nitems; i++)
		v_push(a, l, f->items[i].is_int ? v_int(f->items[i].i) : v_str(f->items[i].text));
	return l;
}

int field_target(struct value *out, struct arena *a, const struct field *f, bool has_choices, struct value row, struct err *e)
{
	struct value list;
	if (f->is_list) {
		*out = list_value(a, f);
		return 0;
	}
	if (f->is_int || raw_column(out, f, row))
		return f->is_int ? field_prompt(out, a, f, has_choices, row, e) : 0;
	if (render(out, a, f, row, e))
		return -1;
	struct str s = out->s;
	if (has_choices && is_digits(s))
		return digits_to_int(out, a, has_choices, e);
	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']' && v_literal(a, s, &list, NULL) == 0)
		*out = list;
	return 0;
}

int field_choices(struct str **out, int *n, struct arena *a, const struct field *f, struct value row, struct err *e)
{
	struct value v;
	if (f->is_list) {
		*n = f->nitems;
		*out = ARENA_ARRAY(a, (size_t)*n, struct str);
		for (int i = 0; i < *n; i++)
			(*out)[i] = f->items[i].text;
		return 0;
	}
	if (!raw_column(&v, f, row)) {
		if (render(&v, a, f, row, e))
			return -1;
		struct str s = v.s;
		if (v_literal(a, s, &v, e))
			return err_wrap(e, "choices must give a Python list");
	}
	if (v.type != V_LIST && v.type != V_TUPLE)
		return err_set(e, E_FORMAT, "choices must give a list, not a %s", v_type_name(v));
	if (v.list->n == 0 || v.list->n > 100000)
		return err_set(e, E_FORMAT, "choices gave a list of %zu", v.list->n);
	*n = (int)v.list->n;
	*out = ARENA_ARRAY(a, v.list->n, struct str);
	for (size_t i = 0; i < v.list->n; i++) {
		if (v.list->v[i].type != V_STR)
			return err_set(e, E_FORMAT, "choice %zu is a %s, not text", i, v_type_name(v.list->v[i]));
		(*out)[i] = v.list->v[i].s;
	}
	return 0;
}
