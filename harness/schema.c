/* schema.c - the walk that reads a definition through the table of keys (schema_keys.h).
 *
 * A range is read from the type's text ("int 0..64"), so that what is printed is what is checked. A null is as if the key
 * were not there: it takes back what an include gave.
 * Every error is "FILE:LINE: ..."; an unknown key names the nearest known one, and the keys of lm-evaluation-harness
 * name ours.
 */
#include "harness/schema.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/filter.h"
#include "harness/metric.h"
#include "runners/text/json.h"

struct ctx {
	struct arena *a;
};
struct place;
typedef int put_fn(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		   struct value *canon, struct err *e);
struct place {
	put_fn *put;
	size_t at;    /* offset of the value in the object of its section */
	size_t count; /* offset of its int count, for lists */
};

static put_fn put_word, put_string, put_field, put_choices, put_int, put_number, put_truth, put_strings, put_value, put_section,
	put_digests, put_rows, put_filters, put_steps, put_metrics, put_group, put_function, put_kind, put_shots, put_ignored;

/* An item of `rows:` while it is read: one operation, perhaps over several columns. */
struct row_draft {
	struct row_op op;
	struct str *column;
	int ncolumns;
	struct str text;
};

#include "harness/schema_keys.h"

#define X(key, type, def, text, put, at, count) { key, type, def, text },
static const struct schema_key keys[] = { KEYS{ NULL, NULL, NULL, NULL } };
#undef X
#define X(key, type, def, text, put, at, count) { put, at, count },
static const struct place places[] = { KEYS };
#undef X

enum { NKEYS = sizeof places / sizeof *places };

const struct schema_key *schema_keys(void)
{
	return keys;
}

static const struct {
	const char *theirs, *ours;
} lmeval_names[] = {
	{ "task", "suite" }, { "dataset_path", "dataset.id" }, { "dataset_name", "dataset.config" }, { "test_split", "splits.test" },
	{ "validation_split", "splits.validation" }, { "training_split", "splits.train" }, { "fewshot_split", "splits.shots" },
	{ "output_type", "kind" }, { "doc_to_text", "prompt" }, { "doc_to_target", "target" }, { "doc_to_choice", "choices" },
	{ "gen_prefix", "answer_prefix" }, { "fewshot_delimiter", "shot_delimiter" }, { "num_fewshot", "shots" },
	{ "fewshot_config", "shot_sampler" }, { "generation_kwargs", "generation" }, { "max_gen_toks", "max_tokens" },
	{ "filter_list", "filters" }, { "metric_list", "metrics" }, { "process_docs", "rows" }, { "metadata", "version" },
};

/* ==== Finding keys ==== */

static int find_key(const char *prefix, struct str name)
{
	size_t n = strlen(prefix);
	for (int i = 0; i < NKEYS; i++)
		if (!strncmp(keys[i].key, prefix, n) && str_is(name, keys[i].key + n))
			return i;
	return -1;
}

static int unknown_key(struct arena *a, const char *prefix, const struct yaml *key, struct err *e)
{
	const char **words = ARENA_ARRAY(a, NKEYS + 1, const char *);
	size_t n = strlen(prefix), nwords = 0;
	for (int i = 0; i < NKEYS; i++)
		if (!strncmp(keys[i].key, prefix, n) && !strpbrk(keys[i].key + n, ".["))
			words[nwords++] = keys[i].key + n;
	char hint[200];
	for (size_t i = 0; i < sizeof lmeval_names / sizeof *lmeval_names; i++)
		if (str_is(key->text, lmeval_names[i].theirs))
			return err_set(e, E_FORMAT, "%s:%d: unknown key '%s%.100s': what lm-evaluation-harness calls %s is '%s' here",
				       key->file, key->line, prefix, key->text.p, lmeval_names[i].theirs, lmeval_names[i].ours);
	return err_set(e, E_FORMAT, "%s:%d: unknown key '%s%.100s'%s", key->file, key->line, prefix, key->text.p,
		       err_hint(hint, sizeof hint, key->text.p, words));
}

int schema_check_key(const struct yaml *key, const char *prefix, struct arena *a, struct err *e)
{
	return find_key(prefix, key->text) < 0 ? unknown_key(a, prefix, key, e) : 0;
}

static struct str describe(struct arena *a, const struct yaml *y)
{
	if (y->type == YAML_LIST)
		return STR("a list");
	if (y->type == YAML_MAP)
		return STR("a map");
	return arena_printf(a, "'%.60s%s'", y->text.p, y->text.n > 60 ? "..." : "");
}

/* A type as it reads in a sentence: "an int 0..64". */
static int wrong(struct ctx *c, const char *key, const char *type, const struct yaml *y, struct err *e)
{
	const char *article = !strncmp(type, "one of", 6) || !strncmp(type, "true or", 7) || !strncmp(type, "any", 3) ? ""
			      : type[0] == 'i'								      ? "an "
															: "a ";
	return err_set(e, E_FORMAT, "%s:%d: %s must be %s%s, not %s", y->file, y->line, key, article, type, describe(c->a, y).p);
}

/* Reads the keys of a map under `prefix` into obj. */
static int walk(struct ctx *c, const char *prefix, void *obj, const struct yaml *map, struct value *canon, struct err *e)
{
	*canon = v_dict(c->a);
	for (size_t i = 0; i < map->n; i++) {
		int k = find_key(prefix, map->key[i]->text);
		if (k < 0)
			return unknown_key(c->a, prefix, map->key[i], e);
		struct value v = { 0 };
		if (yaml_is_null(map->item[i]))
			continue;
		if (places[k].put(c, &places[k], keys[k].key, keys[k].type, obj, map->item[i], &v, e))
			return -1;
		if (v.type != V_UNDEFINED)
			v_set(c->a, *canon, map->key[i]->text, v);
	}
	return 0;
}

/* ==== Values ==== */

static void *at(void *obj, size_t offset)
{
	return (char *)obj + offset;
}

static bool is_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
		      strchr("_-.+", s.p[i])) ||
		    s.p[i] == 0)
			return false;
	return s.n > 0 && s.n <= 200 && s.p[0] != '.';
}

/* "one of a|b|c": is s among them? */
static bool among(const char *type, struct str s)
{
	const char *p = type + strlen("one of ");
	for (;;) {
		size_t n = strcspn(p, "|");
		if (s.n == n && !memcmp(s.p, p, n))
			return true;
		if (!p[n])
			return false;
		p += n + 1;
	}
}

static int put_word(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		    struct value *canon, struct err *e)
{
	if (y->type != YAML_TEXT)
		return wrong(c, key, type, y, e);
	if (!strncmp(type, "one of", 6) && !among(type, y->text))
		return wrong(c, key, type, y, e);
	if (!is_word(y->text))
		return err_set(e, E_FORMAT, "%s:%d: %s must be a word of letters, digits and _-.+, not %s", y->file, y->line, key,
			       describe(c->a, y).p);
	*(struct str *)at(obj, p->at) = y->text;
	*canon = v_str(y->text);
	return 0;
}

static int put_string(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		      struct value *canon, struct err *e)
{
	if (y->type != YAML_TEXT)
		return wrong(c, key, type, y, e);
	*(struct str *)at(obj, p->at) = y->text;
	*canon = v_str(y->text);
	return 0;
}

static void range_of(const char *type, double *min, double *max)
{
	const char *p = strchr(type, ' '); /* "int 0..64" */
	*min = strtod(p, NULL);
	*max = strtod(strstr(p, "..") + 2, NULL);
}

static int put_int(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		   struct value *canon, struct err *e)
{
	long long i;
	double min, max;
	range_of(type, &min, &max);
	if (!yaml_int(y, &i) || (double)i < min || (double)i > max)
		return wrong(c, key, type, y, e);
	*(int *)at(obj, p->at) = (int)i;
	*canon = v_int(i);
	return 0;
}

static int put_shots(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		     struct value *canon, struct err *e)
{
	*(bool *)at(obj, p->count) = true;
	return put_int(c, p, key, type, obj, y, canon, e);
}

static int put_number(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		      struct value *canon, struct err *e)
{
	double d, min, max;
	range_of(type, &min, &max);
	if (!yaml_number(y, &d) || !(d >= min && d <= max))
		return wrong(c, key, type, y, e);
	*(double *)at(obj, p->at) = d;
	*canon = v_float(d);
	return 0;
}

static int put_truth(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		     struct value *canon, struct err *e)
{
	bool b;
	if (!yaml_bool(y, &b))
		return wrong(c, key, type, y, e);
	*(bool *)at(obj, p->at) = b;
	*canon = v_bool(b);
	return 0;
}

static int strings(struct ctx *c, const char *key, const char *type, const struct yaml *y, struct str **out, int *n,
		   struct value *canon, struct err *e)
{
	bool one = y->type == YAML_TEXT && !strncmp(type, "string or", 9);
	if (!one && y->type != YAML_LIST)
		return wrong(c, key, type, y, e);
	*n = one ? 1 : (int)y->n;
	*out = ARENA_ARRAY(c->a, (size_t)*n, struct str);
	*canon = v_list(c->a, (size_t)*n);
	for (int i = 0; i < *n; i++) {
		const struct yaml *item = one ? y : y->item[i];
		if (item->type != YAML_TEXT)
			return wrong(c, key, type, item, e);
		(*out)[i] = item->text;
		v_push(c->a, *canon, v_str(item->text));
	}
	return 0;
}

static int put_strings(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		       struct value *canon, struct err *e)
{
	return strings(c, key, type, y, at(obj, p->at), at(obj, p->count), canon, e);
}

/* Any YAML as a value, plain scalars by the core schema. */
static struct value any_value(struct arena *a, const struct yaml *y)
{
	long long i;
	double d;
	bool b;
	struct value v;
	if (y->type == YAML_LIST) {
		v = v_list(a, y->n);
		for (size_t k = 0; k < y->n; k++)
			v_push(a, v, any_value(a, y->item[k]));
		return v;
	}
	if (y->type == YAML_MAP) {
		v = v_dict(a);
		for (size_t k = 0; k < y->n; k++)
			v_set(a, v, y->key[k]->text, any_value(a, y->item[k]));
		return v;
	}
	if (yaml_is_null(y))
		return VNONE;
	if (yaml_int(y, &i))
		return v_int(i);
	if (yaml_number(y, &d))
		return v_float(d);
	if (yaml_bool(y, &b))
		return v_bool(b);
	return v_str(y->text);
}

static int put_value(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		     struct value *canon, struct err *e)
{
	if (!strcmp(type, "map") && y->type != YAML_MAP)
		return wrong(c, key, type, y, e);
	if (!strcmp(type, "list of maps")) {
		if (y->type != YAML_LIST)
			return wrong(c, key, type, y, e);
		for (size_t i = 0; i < y->n; i++)
			if (y->item[i]->type != YAML_MAP)
				return wrong(c, key, type, y->item[i], e);
	}
	*(struct value *)at(obj, p->at) = *canon = any_value(c->a, y);
	return 0;
}

/* ==== Fields ==== */

static int field_read(struct ctx *c, const char *key, const char *type, const struct yaml *y, struct field *f, struct value *canon,
		      struct err *e)
{
	long long i;
	if (y->type != YAML_TEXT)
		return wrong(c, key, type, y, e);
	*f = (struct field){ .set = true, .text = y->text, .file = y->file, .line = y->line };
	if (yaml_int(y, &i)) {
		f->is_int = true;
		f->i = i;
		*canon = v_int(i);
	} else
		*canon = v_str(y->text);
	return 0;
}

static int field_list(struct ctx *c, const char *key, const char *type, const struct yaml *y, struct field *f, struct value *canon,
		      struct err *e)
{
	*f = (struct field){ .set = true, .is_list = true, .file = y->file, .line = y->line };
	f->items = ARENA_ARRAY(c->a, y->n, struct field);
	f->nitems = (int)y->n;
	*canon = v_list(c->a, y->n);
	for (size_t i = 0; i < y->n; i++) {
		struct value item;
		if (field_read(c, key, type, y->item[i], &f->items[i], &item, e))
			return -1;
		v_push(c->a, *canon, item);
	}
	return 0;
}

static int put_field(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		     struct value *canon, struct err *e)
{
	if (y->type == YAML_LIST && !strcmp(key, "target"))
		return field_list(c, key, type, y, at(obj, p->at), canon, e);
	return field_read(c, key, type, y, at(obj, p->at), canon, e);
}

static int put_choices(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		       struct value *canon, struct err *e)
{
	struct field *f = at(obj, p->at);
	if (y->type != YAML_LIST)
		return field_read(c, key, type, y, f, canon, e);
	if (y->n == 0)
		return err_set(e, E_FORMAT, "%s:%d: choices must not be empty", y->file, y->line);
	return field_list(c, key, type, y, f, canon, e);
}

/* ==== Sections and lists ==== */

static int put_section(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		       struct value *canon, struct err *e)
{
	char prefix[100];
	if (y->type != YAML_MAP)
		return err_set(e, E_FORMAT, "%s:%d: %s must be a map of keys, not %s", y->file, y->line, key, describe(c->a, y).p);
	snprintf(prefix, sizeof prefix, "%s.", key);
	return walk(c, prefix, obj, y, canon, e);
}

static int put_group(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		     struct value *canon, struct err *e)
{
	((struct suite *)obj)->kind = KIND_GROUP;
	return put_section(c, p, key, type, obj, y, canon, e);
}

static int put_digests(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		       struct value *canon, struct err *e)
{
	if (y->type != YAML_MAP)
		return wrong(c, key, type, y, e);
	struct split_digest *d = ARENA_ARRAY(c->a, y->n, struct split_digest);
	*canon = v_dict(c->a);
	for (size_t i = 0; i < y->n; i++) {
		d[i].split = y->key[i]->text;
		if (y->item[i]->type != YAML_TEXT || digest_unhex(y->item[i]->text.p, d[i].digest))
			return err_set(e, E_FORMAT, "%s:%d: %s.%.60s must be 64 hexadecimal digits", y->file, y->item[i]->line, key,
				       y->key[i]->text.p);
		v_set(c->a, *canon, d[i].split, v_str(y->item[i]->text));
	}
	*(struct split_digest **)at(obj, p->at) = d;
	*(int *)at(obj, p->count) = (int)y->n;
	return 0;
}

static const struct {
	const char *name;
	enum row_op_kind kind;
} row_ops[] = { { "filter", ROW_FILTER }, { "map", ROW_MAP },	{ "replace", ROW_REPLACE }, { "strip", ROW_STRIP },
		{ "rename", ROW_RENAME }, { "drop", ROW_DROP }, { "split", ROW_SPLIT } };

/* What an operation cannot do without. */
static int check_row_op(const struct row_draft *d, const struct yaml *y, struct err *e)
{
	const struct row_op *o = &d->op;
	const char *lacks = o->column.n == 0 && d->ncolumns == 0			 ? "column"
			    : o->kind == ROW_FILTER && o->equals.type == V_UNDEFINED	 ? "equals"
			    : o->kind == ROW_MAP && !o->map.set				 ? "value"
			    : o->kind == ROW_RENAME && o->into.n == 0			 ? "into"
			    : o->kind == ROW_REPLACE && o->with.p == NULL		 ? "with"
			    : (o->kind == ROW_REPLACE || o->kind == ROW_SPLIT) && o->pattern.n == 0 && d->text.n == 0 ? "pattern or text"
												      : NULL;
	if (lacks)
		return err_set(e, E_FORMAT, "%s:%d: rows[].%s needs %s", y->file, y->line, y->key[0]->text.p, lacks);
	if (o->pattern.n && d->text.n)
		return err_set(e, E_FORMAT, "%s:%d: rows[].%s takes pattern or text, not both", y->file, y->line, y->key[0]->text.p);
	return 0;
}

static int read_row_op(struct ctx *c, struct row_draft *d, const struct yaml *y, struct value *canon, struct err *e)
{
	if (y->type != YAML_MAP || y->n != 1)
		return err_set(e, E_FORMAT, "%s:%d: an item of rows must be one operation: filter, map, replace, strip, rename, drop or split",
			       y->file, y->line);
	if (walk(c, "rows[].", d, y, canon, e))
		return -1;
	for (size_t i = 0; i < sizeof row_ops / sizeof *row_ops; i++)
		if (str_is(y->key[0]->text, row_ops[i].name))
			d->op.kind = row_ops[i].kind;
	d->op.file = y->file;
	d->op.line = y->line;
	if (check_row_op(d, y, e))
		return -1;
	if (d->text.n) {
		d->op.pattern = d->text;
		d->op.literal = true;
	}
	return 0;
}

static int put_rows(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		    struct value *canon, struct err *e)
{
	if (y->type != YAML_LIST)
		return wrong(c, key, type, y, e);
	struct row_draft *d = ARENA_ARRAY(c->a, y->n, struct row_draft);
	size_t n = 0;
	*canon = v_list(c->a, y->n);
	for (size_t i = 0; i < y->n; i++) {
		struct value v;
		if (read_row_op(c, &d[i], y->item[i], &v, e))
			return -1;
		v_push(c->a, *canon, v);
		n += d[i].ncolumns ? (size_t)d[i].ncolumns : 1;
	}
	struct row_op *op = ARENA_ARRAY(c->a, n, struct row_op);
	n = 0;
	for (size_t i = 0; i < y->n; i++)
		for (int k = 0; k < (d[i].ncolumns ? d[i].ncolumns : 1); k++, n++) {
			op[n] = d[i].op;
			if (d[i].ncolumns)
				op[n].column = d[i].column[k];
		}
	*(struct row_op **)at(obj, p->at) = op;
	*(int *)at(obj, p->count) = (int)n;
	return 0;
}

static int put_function(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
			struct value *canon, struct err *e)
{
	const char *words[64];
	int n = 0;
	char hint[200];
	if (y->type != YAML_TEXT)
		return wrong(c, key, type, y, e);
	for (const struct filter_info *f = filter_table(); f->name; f++) {
		if (str_is(y->text, f->name)) {
			*(enum filter_kind *)at(obj, p->at) = f->kind;
			*canon = v_str(y->text);
			return 0;
		}
		if (n < 63)
			words[n++] = f->name;
	}
	words[n] = NULL;
	return err_set(e, E_FORMAT, "%s:%d: unknown filter '%.60s'%s", y->file, y->line, y->text.p,
		       err_hint(hint, sizeof hint, y->text.p, words));
}

static int step_ignore(struct ctx *c, struct filter_step *s, const struct yaml *y, struct value canon, struct err *e)
{
	const struct yaml *l = yaml_get(y, "regexes_to_ignore");
	struct str *list;
	struct value v;
	if (!l || yaml_is_null(l))
		return 0;
	if (strings(c, "filters[].steps[].regexes_to_ignore", "list of strings", l, &list, &s->nignore, &v, e))
		return -1;
	int max = (int)(sizeof s->regexes_to_ignore / sizeof *s->regexes_to_ignore);
	if (s->nignore > max)
		return err_set(e, E_FORMAT, "%s:%d: regexes_to_ignore takes at most %d patterns", l->file, l->line, max);
	for (int i = 0; i < s->nignore; i++)
		s->regexes_to_ignore[i] = list[i];
	v_set(c->a, canon, STR("regexes_to_ignore"), v);
	return 0;
}

static int put_steps(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		     struct value *canon, struct err *e)
{
	if (y->type != YAML_LIST || y->n == 0)
		return wrong(c, key, type, y, e);
	struct filter_step *s = ARENA_ARRAY(c->a, y->n, struct filter_step);
	*canon = v_list(c->a, y->n);
	for (size_t i = 0; i < y->n; i++) {
		struct value v;
		const struct yaml *item = y->item[i];
		if (item->type != YAML_MAP)
			return wrong(c, key, type, item, e);
		s[i].file = item->file;
		s[i].line = item->line;
		s[i].k = 1;
		if (walk(c, "filters[].steps[].", &s[i], item, &v, e) || step_ignore(c, &s[i], item, v, e))
			return -1;
		if (!yaml_get(item, "function"))
			return err_set(e, E_FORMAT, "%s:%d: a step needs function", item->file, item->line);
		v_push(c->a, *canon, v);
	}
	*(struct filter_step **)at(obj, p->at) = s;
	*(int *)at(obj, p->count) = (int)y->n;
	return 0;
}

static int put_filters(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		       struct value *canon, struct err *e)
{
	if (y->type != YAML_LIST || y->n == 0)
		return wrong(c, key, type, y, e);
	struct filter *f = ARENA_ARRAY(c->a, y->n, struct filter);
	*canon = v_list(c->a, y->n);
	for (size_t i = 0; i < y->n; i++) {
		struct value v;
		const struct yaml *item = y->item[i];
		if (item->type != YAML_MAP)
			return wrong(c, key, type, item, e);
		if (walk(c, "filters[].", &f[i], item, &v, e))
			return -1;
		if (!f[i].name.n || !f[i].nsteps)
			return err_set(e, E_FORMAT, "%s:%d: a filter needs name and steps", item->file, item->line);
		for (size_t k = 0; k < i; k++)
			if (str_eq(f[k].name, f[i].name))
				return err_set(e, E_FORMAT, "%s:%d: two filters are named '%s'", item->file, item->line, f[i].name.p);
		v_push(c->a, *canon, v);
	}
	*(struct filter **)at(obj, p->at) = f;
	*(int *)at(obj, p->count) = (int)y->n;
	return 0;
}

static int check_metric_name(const struct suite_metric *m, const struct yaml *y, struct err *e)
{
	const char *words[128];
	int n = 0;
	char hint[200];
	if (!m->name.n)
		return err_set(e, E_FORMAT, "%s:%d: an item of metrics needs metric", y->file, y->line);
	if (metric_find(m->name))
		return 0;
	for (const struct metric_info *i = metric_table(); i->name && n < 127; i++)
		words[n++] = i->name;
	words[n] = NULL;
	return err_set(e, E_FORMAT, "%s:%d: unknown metric '%.60s'%s", y->file, y->line, m->name.p,
		       err_hint(hint, sizeof hint, m->name.p, words));
}

static int put_metrics(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		       struct value *canon, struct err *e)
{
	if (y->type != YAML_LIST || y->n == 0)
		return wrong(c, key, type, y, e);
	struct suite_metric *m = ARENA_ARRAY(c->a, y->n, struct suite_metric);
	*canon = v_list(c->a, y->n);
	for (size_t i = 0; i < y->n; i++) {
		const struct yaml *item = y->item[i];
		struct value v;
		m[i].file = item->file;
		m[i].line = item->line;
		if (item->type == YAML_TEXT) {
			m[i].name = item->text;
			v = v_dict(c->a);
			v_set(c->a, v, STR("metric"), v_str(item->text));
		} else if (item->type == YAML_MAP) {
			if (walk(c, "metrics[].", &m[i], item, &v, e))
				return -1;
		} else
			return wrong(c, key, type, item, e);
		if (check_metric_name(&m[i], item, e))
			return -1;
		for (size_t k = 0; k < i; k++)
			if (str_eq(m[k].name, m[i].name))
				return err_set(e, E_FORMAT, "%s:%d: metric '%s' is given twice", item->file, item->line, m[i].name.p);
		v_push(c->a, *canon, v);
	}
	*(struct suite_metric **)at(obj, p->at) = m;
	*(int *)at(obj, p->count) = (int)y->n;
	return 0;
}

static const char *const kind_names[] = { "multiple_choice", "loglik", "rolling", "generate", "group" };

const char *suite_kind_name(enum suite_kind k)
{
	return kind_names[k];
}

static int put_kind(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		    struct value *canon, struct err *e)
{
	for (int k = 0; k < KIND_GROUP; k++)
		if (y->type == YAML_TEXT && str_is(y->text, kind_names[k])) {
			*(enum suite_kind *)at(obj, p->at) = (enum suite_kind)k;
			*canon = v_str(y->text);
			return 0;
		}
	return wrong(c, key, type, y, e);
}

/* Read elsewhere (suite.c, step_ignore). */
static int put_ignored(struct ctx *c, const struct place *p, const char *key, const char *type, void *obj, const struct yaml *y,
		       struct value *canon, struct err *e)
{
	return 0;
}

/* ==== The whole ==== */

static int needs(const struct yaml *def, const char *what, const char *key, struct err *e)
{
	return err_set(e, E_FORMAT, "%s:%d: a suite %sneeds %s", def->file, def->line, what, key);
}

static const struct yaml *given(const struct yaml *def, const char *key)
{
	const struct yaml *y = yaml_get(def, key);
	return y && !yaml_is_null(y) ? y : NULL;
}

static int not_for(const struct yaml *y, const char *key, const struct suite *s, struct err *e)
{
	return err_set(e, E_FORMAT, "%s:%d: %s means nothing for kind %s", y->file, y->line, key, suite_kind_name(s->kind));
}

/* Keys that only some kinds have: bits by enum suite_kind. */
static const struct {
	const char *key;
	unsigned kinds;
} only_for[] = {
	{ "choices", 1u << KIND_CHOICE | 1u << KIND_GENERATE },
	{ "generation", 1u << KIND_GENERATE },
	{ "repeats", 1u << KIND_GENERATE },
	{ "filters", 1u << KIND_GENERATE },
	{ "counted", 1u << KIND_ROLLING },
	{ "answer_prefix", 1u << KIND_CHOICE | 1u << KIND_LOGLIK | 1u << KIND_GENERATE },
	{ "prompt", ~(1u << KIND_GROUP) },
	{ "target", ~(1u << KIND_GROUP) },
	{ "splits", ~(1u << KIND_GROUP) },
	{ "dataset", ~(1u << KIND_GROUP) },
	{ "rows", ~(1u << KIND_GROUP) },
	{ "metrics", ~(1u << KIND_GROUP) },
	{ "shots", ~(1u << KIND_GROUP) },
};

static int check_whole(struct suite *s, const struct yaml *def, struct err *e)
{
	const struct yaml *y;
	if (!s->name.n)
		return needs(def, "", "suite (its name)", e);
	if (s->kind == KIND_GROUP && given(def, "kind"))
		return err_set(e, E_FORMAT, "%s:%d: a group has no kind", given(def, "kind")->file, given(def, "kind")->line);
	for (size_t i = 0; i < sizeof only_for / sizeof *only_for; i++)
		if (!(only_for[i].kinds & 1u << s->kind) && (y = given(def, only_for[i].key)))
			return not_for(y, only_for[i].key, s, e);
	if (s->kind == KIND_GROUP)
		return 0;
	if (!given(def, "kind"))
		return needs(def, "", "kind", e);
	if (!s->dataset.n)
		return needs(def, "", "dataset.id", e);
	if (!s->test_split.n && !s->validation_split.n)
		return needs(def, "", "splits.test or splits.validation", e);
	if (!s->target.set)
		return needs(def, "", "target", e);
	if (!s->prompt.set && s->kind != KIND_ROLLING)
		return needs(def, "of this kind ", "prompt", e);
	if (s->kind == KIND_CHOICE && !s->choices.set)
		return needs(def, "of kind multiple_choice ", "choices", e);
	for (int i = 0; i < s->nmetrics; i++)
		if (!(metric_find(s->metric[i].name)->kinds & 1u << s->kind))
			return err_set(e, E_FORMAT, "%s:%d: metric %s is not for kind %s", s->metric[i].file,
				       s->metric[i].line, s->metric[i].name.p, suite_kind_name(s->kind));
	return 0;
}

int schema_read(struct suite *s, struct arena *a, const struct yaml *def, struct err *e)
{
	struct ctx c = { a };
	*s = (struct suite){ .chance = -1, .config = STR("default"), .target_delimiter = STR(" "), .shot_delimiter = STR("\n\n"),
			     .shot_sampler = STR("random"), .max_tokens = 256, .sampling = { .top_p = 1, .repetition_penalty = 1 }, .repeats = 1, .weight_by_size = true };
	s->file = str_of(def->file);
	if (def->type != YAML_MAP)
		return err_set(e, E_FORMAT, "%s:%d: a definition must be a map of keys", def->file, def->line);
	if (walk(&c, "", s, def, &s->definition, e))
		return -1;
	return check_whole(s, def, e);
}
