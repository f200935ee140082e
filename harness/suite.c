/* suite.c - the collection of suites: an index of names, definitions resolved and compiled when they are asked for.
 *
 * suites_open reads every *.yaml of the folders (names that begin with _ or . are parts for include, not suites) and keeps
 * name -> document; include, each and templates are worked out by suite_find for the one suite wanted, so that a start
 * costs milliseconds and a mistake in one file does not hide the others. A file may hold several documents (---), a
 * document with `each` makes one suite per item.
 *
 * include stays inside its folder: no absolute path, no "..", nothing that a link leads out; at most 8 levels, no cycle.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/filter.h"
#include "harness/metric.h"
#include "harness/schema.h"
#include "harness/suite.h"
#include "harness/yaml.h"
#include "runners/text/json.h"

struct entry {
	struct str name, member_of;
	const struct yaml *def;  /* as written */
	const struct yaml *vars; /* item of `each`, or NULL */
	struct suite *suite;     /* once loaded */
	bool loading;
};

struct suites {
	struct arena a;
	struct entry **entry;
	size_t n, cap;
	struct err broken; /* the first file that could not be read */
	void **compiled;   /* what must be freed: templates, then patterns */
	void (**freer)(void *);
	size_t ncompiled, compiled_cap;
};

/* ==== The index ==== */

static void add_entry(struct suites *s, struct str name, const struct yaml *def, const struct yaml *vars, struct str member_of)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->entry = xrealloc(s->entry, s->cap * sizeof *s->entry);
	}
	struct entry *x = ARENA_NEW(&s->a, struct entry);
	*x = (struct entry){ .name = name, .member_of = member_of, .def = def, .vars = vars };
	s->entry[s->n++] = x;
}

static struct entry *find_entry(const struct suites *s, struct str name, const char *file)
{
	for (int same = 1; same >= 0; same--)
		for (size_t i = 0; i < s->n; i++)
			if (str_eq(s->entry[i]->name, name) && (!same || (file && !strcmp(s->entry[i]->def->file, file))))
				return s->entry[i];
	return NULL;
}

static struct str text_of(const struct yaml *y)
{
	return y && y->type == YAML_TEXT && !yaml_is_null(y) ? y->text : (struct str){ 0 };
}

static int index_one(struct suites *s, const struct yaml *doc, const struct yaml *vars, struct err *e)
{
	const struct yaml *name = yaml_get(doc, "suite"), *member = yaml_get(doc, "member_of");
	struct yaml *n, *m = NULL;
	if (!vars) {
		add_entry(s, name->text, doc, NULL, text_of(member));
		return 0;
	}
	if (vars->type != YAML_MAP)
		return err_set(e, E_FORMAT, "%s:%d: an item of each must be a map of names to texts", vars->file, vars->line);
	for (size_t i = 0; i < vars->n; i++)
		if (vars->item[i]->type != YAML_TEXT)
			return err_set(e, E_FORMAT, "%s:%d: each: '%s' must be a text", vars->file, vars->item[i]->line,
				       vars->key[i]->text.p);
	if (yaml_substitute(&n, &s->a, name, vars, e) || (member && yaml_substitute(&m, &s->a, member, vars, e)))
		return -1;
	add_entry(s, n->text, doc, vars, text_of(m));
	return 0;
}

static int index_document(struct suites *s, const struct yaml *doc, struct err *e)
{
	const struct yaml *name, *each;
	if (doc->type != YAML_MAP)
		return err_set(e, E_FORMAT, "%s:%d: a definition must be a map of keys", doc->file, doc->line);
	for (size_t i = 0; i < doc->n; i++)
		if (schema_check_key(doc->key[i], "", &s->a, e))
			return -1;
	name = yaml_get(doc, "suite");
	if (!name || !text_of(name).n)
		return err_set(e, E_FORMAT, "%s:%d: a suite needs suite (its name); a part for include has a file name that begins with _",
			       doc->file, doc->line);
	each = yaml_get(doc, "each");
	if (!each || yaml_is_null(each))
		return index_one(s, doc, NULL, e);
	if (each->type != YAML_LIST || each->n == 0 || each->n > 10000)
		return err_set(e, E_FORMAT, "%s:%d: each must be a list of 1..10000 maps", each->file, each->line);
	for (size_t i = 0; i < each->n; i++)
		if (index_one(s, doc, each->item[i], e))
			return -1;
	return 0;
}

static int index_file(struct suites *s, const char *path, size_t first_of_folder, struct err *e)
{
	struct yaml **docs;
	size_t ndocs, before = s->n;
	if (yaml_load(&docs, &ndocs, &s->a, path, e))
		return -1;
	if (ndocs == 0)
		return err_set(e, E_FORMAT, "%s:1: no suite is defined here", path);
	for (size_t i = 0; i < ndocs; i++)
		if (index_document(s, docs[i], e)) {
			s->n = before;
			return -1;
		}
	for (size_t i = before; i < s->n; i++)
		for (size_t k = first_of_folder; k < i; k++)
			if (str_eq(s->entry[i]->name, s->entry[k]->name)) {
				err_set(e, E_FORMAT, "%s:%d: suite '%s' is defined already in %s:%d", path, s->entry[i]->def->line,
					s->entry[i]->name.p, s->entry[k]->def->file, s->entry[k]->def->line);
				s->n = before;
				return -1;
			}
	return 0;
}

static bool ends_in_yaml(const char *name)
{
	size_t n = strlen(name);
	return n > 5 && !strcmp(name + n - 5, ".yaml");
}

static int is_definition(const struct dirent *d)
{
	return d->d_name[0] != '_' && d->d_name[0] != '.' && ends_in_yaml(d->d_name);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int index_folder(struct suites *s, const char *dir, struct err *e)
{
	struct dirent **names;
	size_t first = s->n;
	int n = scandir(dir, &names, is_definition, by_name);
	if (n < 0)
		return err_errno(e, E_IO, "%s: cannot be read", dir);
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];
		struct err bad = { 0 };
		int len = snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
		if (len < 0 || (size_t)len >= sizeof path)
			err_set(&bad, E_IO, "%s: too long a path", dir);
		else
			index_file(s, path, first, &bad);
		if (bad.code && !s->broken.code)
			s->broken = bad;
		free(names[i]);
	}
	free(names);
	return 0;
}

int suites_open(struct suites **out, const char *const *dirs, struct err *e)
{
	struct suites *s = xcalloc(1, sizeof *s);
	arena_init(&s->a);
	for (; *dirs; dirs++)
		if (index_folder(s, *dirs, e)) {
			suites_close(s);
			return -1;
		}
	*out = s;
	return 0;
}

void suites_close(struct suites *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->ncompiled; i++)
		s->freer[i](s->compiled[i]);
	free(s->compiled);
	free(s->freer);
	free(s->entry);
	arena_fini(&s->a);
	free(s);
}

/* ==== Resolving: include and each ==== */

struct chain {
	const char *path;
	const struct chain *up;
};

static int include_path(struct suites *s, const struct yaml *inc, const char **path, struct err *e)
{
	char folder[PATH_MAX], want[PATH_MAX], *real_folder, *real;
	if (inc->type != YAML_TEXT || !inc->text.n || strlen(inc->text.p) != inc->text.n)
		return err_set(e, E_FORMAT, "%s:%d: include must be a file name", inc->file, inc->line);
	const char *slash = strrchr(inc->file, '/');
	int n = slash ? (int)(slash - inc->file) : 1;
	if (snprintf(folder, sizeof folder, "%.*s", n ? n : 1, slash ? inc->file : ".") >= (int)sizeof folder ||
	    snprintf(want, sizeof want, "%s/%s", folder, inc->text.p) >= (int)sizeof want)
		return err_set(e, E_FORMAT, "%s:%d: include: too long a path", inc->file, inc->line);
	if (inc->text.p[0] == '/' || strstr(inc->text.p, "..") || !ends_in_yaml(inc->text.p))
		return err_set(e, E_FORMAT, "%s:%d: include '%s' must be a .yaml file in the same folder or below", inc->file, inc->line,
			       inc->text.p);
	real_folder = realpath(folder, NULL);
	real = realpath(want, NULL);
	size_t k = real_folder ? strlen(real_folder) : 0;
	int rc = 0;
	if (!real)
		rc = err_errno(e, E_IO, "%s:%d: include '%s' cannot be opened", inc->file, inc->line, inc->text.p);
	else if (!real_folder || strncmp(real, real_folder, k) || (real[k] != '/' && k > 1))
		rc = err_set(e, E_FORMAT, "%s:%d: include '%s' leads out of its folder", inc->file, inc->line, inc->text.p);
	free(real_folder);
	free(real);
	*path = arena_cstr(&s->a, str_of(want));
	return rc;
}

/* The definition with its include put under it. */
static int resolve(struct suites *s, const struct yaml *def, const struct chain *up, const struct yaml **out, struct err *e)
{
	const struct yaml *inc = yaml_get(def, "include");
	struct yaml **docs;
	size_t ndocs;
	const char *path;
	int depth = 0;
	*out = def;
	if (!inc || yaml_is_null(inc))
		return 0;
	if (include_path(s, inc, &path, e))
		return -1;
	for (const struct chain *c = up; c; c = c->up, depth++)
		if (!strcmp(c->path, path))
			return err_set(e, E_FORMAT, "%s:%d: include '%s' includes itself", inc->file, inc->line, inc->text.p);
	if (depth >= 8)
		return err_set(e, E_FORMAT, "%s:%d: more than 8 levels of include", inc->file, inc->line);
	if (yaml_load(&docs, &ndocs, &s->a, path, e))
		return err_wrap(e, "%s:%d: include", inc->file, inc->line);
	if (ndocs != 1 || docs[0]->type != YAML_MAP)
		return err_set(e, E_FORMAT, "%s:%d: include '%s' must hold one definition, it holds %zu", inc->file, inc->line, inc->text.p,
			       ndocs);
	struct chain here = { path, up };
	const struct yaml *base;
	if (resolve(s, docs[0], &here, &base, e))
		return -1;
	static const char *const own[] = { "include", "suite", "each", "member_of", NULL };
	for (int i = 0; own[i]; i++)
		base = yaml_without(&s->a, base, own[i]);
	struct yaml *merged = yaml_merge(&s->a, base, yaml_without(&s->a, def, "include"));
	merged->file = def->file;
	merged->line = def->line;
	*out = merged;
	return 0;
}

/* ==== Compiling ==== */

static void keep(struct suites *s, void *p, void (*fn)(void *))
{
	if (!p)
		return;
	if (s->ncompiled == s->compiled_cap) {
		s->compiled_cap = s->compiled_cap ? 2 * s->compiled_cap : 64;
		s->compiled = xrealloc(s->compiled, s->compiled_cap * sizeof *s->compiled);
		s->freer = xrealloc(s->freer, s->compiled_cap * sizeof *s->freer);
	}
	s->freer[s->ncompiled] = fn;
	s->compiled[s->ncompiled++] = p;
}

static void free_template(void *p)
{
	jinja_free(p);
}

static void free_regex(void *p)
{
	regex_free(p);
}

static void free_step(void *p)
{
	filter_step_free(p);
}

static void free_metric(void *p)
{
	metric_free(p);
}

static int compile_field(struct suites *s, struct field *f, const char *key, struct err *e)
{
	if (!f->set || f->is_list || f->is_int || !(memchr(f->text.p, '{', f->text.n) || memchr(f->text.p, '\r', f->text.n)))
		return 0;
	struct str name = arena_printf(&s->a, "%s:%d: %s", f->file, f->line, key);
	if (jinja_compile(&f->template, f->text, JINJA_SUITE, name.p, e))
		return -1;
	keep(s, f->template, free_template);
	return 0;
}

static int compile_rows(struct suites *s, struct suite *u, struct err *e)
{
	for (int i = 0; i < u->nrows; i++) {
		struct row_op *o = &u->rows[i];
		struct regex *r;
		if (o->kind == ROW_MAP && compile_field(s, &o->map, "rows[].map.value", e))
			return -1;
		if ((o->kind != ROW_REPLACE && o->kind != ROW_SPLIT) || o->literal)
			continue;
		if (regex_compile(&r, o->pattern, false, e))
			return err_wrap(e, "%s:%d", o->file, o->line);
		o->regex = r;
		keep(s, r, free_regex);
	}
	return 0;
}

static int compile_scoring(struct suites *s, struct suite *u, struct err *e)
{
	if (u->nfilters == 0) {
		struct filter_step *step = ARENA_NEW(&s->a, struct filter_step);
		step->kind = FILTER_TAKE_FIRST;
		u->filter = ARENA_NEW(&s->a, struct filter);
		*u->filter = (struct filter){ .name = STR("none"), .step = step, .nsteps = 1 };
		u->nfilters = 1;
	}
	for (int i = 0; i < u->nfilters; i++)
		for (int k = 0; k < u->filter[i].nsteps; k++) {
			struct filter_step *step = &u->filter[i].step[k];
			if (filter_step_compile(step, e))
				return err_wrap(e, "%s:%d", step->file, step->line);
			keep(s, step, free_step);
		}
	if (u->nmetrics == 0) {
		const char *const *names = metric_defaults(u->kind);
		while (names[u->nmetrics])
			u->nmetrics++;
		u->metric = ARENA_ARRAY(&s->a, (size_t)u->nmetrics, struct suite_metric);
		for (int i = 0; i < u->nmetrics; i++)
			u->metric[i].name = str_of(names[i]);
	}
	for (int i = 0; i < u->nmetrics; i++) {
		struct suite_metric *m = &u->metric[i];
		if (m->nignore && !m->ignore_regex)
			m->ignore_regex = ARENA_ARRAY(&s->a, (size_t)m->nignore, void *);
		if (metric_compile(m, e))
			return err_wrap(e, "%s:%d", m->file ? m->file : u->file.p, m->line);
		keep(s, m, free_metric);
	}
	return 0;
}

static int compile(struct suites *s, struct suite *u, struct err *e)
{
	const struct {
		struct field *f;
		const char *key;
	} fields[] = { { &u->description, "description" }, { &u->prompt, "prompt" },	      { &u->target, "target" },
		       { &u->choices, "choices" },	   { &u->answer_prefix, "answer_prefix" }, { &u->counted, "counted" } };
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (compile_field(s, fields[i].f, fields[i].key, e))
			return -1;
	return compile_rows(s, u, e) || compile_scoring(s, u, e) ? -1 : 0;
}

/* ==== Loading ==== */

static int load_entry(struct suites *s, struct entry *x, struct err *e);

static int push_member(struct suites *s, struct suite *g, struct entry *m, struct err *e)
{
	for (int i = 0; i < g->nmembers; i++)
		if (str_eq(g->member[i]->name, m->name))
			return 0; /* listed, and says member_of too */
	if (load_entry(s, m, e))
		return -1;
	if ((g->nmembers & (g->nmembers - 1)) == 0) { /* 0, 1, 2, 4, ...: room for the next power of two */
		struct suite **more = ARENA_ARRAY(&s->a, g->nmembers ? 2 * (size_t)g->nmembers : 1, struct suite *);
		if (g->nmembers)
			memcpy(more, g->member, (size_t)g->nmembers * sizeof *more);
		g->member = more;
	}
	g->member[g->nmembers++] = m->suite;
	return 0;
}

static int no_such_suite(struct suites *s, struct str name, enum err_code code, struct err *e)
{
	const char **words = ARENA_ARRAY(&s->a, s->n + 1, const char *);
	char hint[300];
	for (size_t i = 0; i < s->n; i++)
		words[i] = s->entry[i]->name.p;
	return err_set(e, code, "no suite is called '%.200s'%s%s%s", name.p, err_hint(hint, sizeof hint, name.p, words),
		       s->broken.code ? "; one definition could not be read: " : "", s->broken.code ? s->broken.msg : "");
}

static int load_group(struct suites *s, struct suite *g, const struct yaml *def, struct err *e)
{
	const struct yaml *list = yaml_get(yaml_get(def, "group"), "members");
	if (list && list->type != YAML_LIST)
		return err_set(e, E_FORMAT, "%s:%d: group.members must be a list of strings", list->file, list->line);
	for (size_t i = 0; list && i < list->n; i++) {
		struct entry *m = find_entry(s, text_of(list->item[i]), def->file);
		if (!m) {
			no_such_suite(s, list->item[i]->text.p ? list->item[i]->text : STR(""), E_FORMAT, e);
			return err_wrap(e, "%s:%d", list->file, list->item[i]->line);
		}
		if (push_member(s, g, m, e))
			return err_wrap(e, "%s:%d: member", list->file, list->item[i]->line);
	}
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->entry[i]->member_of, g->name) && find_entry(s, s->entry[i]->name, def->file) == s->entry[i] &&
		    push_member(s, g, s->entry[i], e))
			return -1;
	if (g->nmembers == 0)
		return err_set(e, E_FORMAT, "%s:%d: group '%s' has no members", def->file, def->line, g->name.p);
	struct value members = v_list(&s->a, (size_t)g->nmembers);
	for (int i = 0; i < g->nmembers; i++) {
		char hex[DIGEST_HEX];
		digest_hex(g->member[i]->digest, hex);
		v_push(&s->a, members, v_str(arena_printf(&s->a, "%s %s", g->member[i]->name.p, hex)));
	}
	v_set(&s->a, g->definition, STR("members"), members);
	return 0;
}

static void digest_definition(struct suites *s, struct suite *u)
{
	static const char *const words_only[] = { "title", "licence", "source" };
	struct value d = v_dict(&s->a);
	for (size_t i = 0; i < u->definition.dict->n; i++) {
		const struct pair *p = &u->definition.dict->v[i];
		bool skip = false;
		for (size_t k = 0; k < sizeof words_only / sizeof *words_only; k++)
			skip |= str_is(p->key.s, words_only[k]);
		if (!skip)
			v_set(&s->a, d, p->key.s, p->val);
	}
	struct str json = json_text(&s->a, d, JSON_SORT | JSON_COMPACT, -1);
	digest_of(json.p, json.n, u->digest);
}

static int load_entry(struct suites *s, struct entry *x, struct err *e)
{
	const struct yaml *def;
	struct yaml *filled;
	if (x->suite)
		return 0;
	if (x->loading)
		return err_set(e, E_FORMAT, "%s:%d: group '%s' contains itself", x->def->file, x->def->line, x->name.p);
	if (x->member_of.n && !find_entry(s, x->member_of, x->def->file))
		return err_set(e, E_FORMAT, "%s:%d: member_of: no group is called '%s'", x->def->file, x->def->line, x->member_of.p);
	struct chain here = { x->def->file, NULL };
	if (resolve(s, x->def, &here, &def, e))
		return -1;
	if (x->vars) {
		if (yaml_substitute(&filled, &s->a, yaml_without(&s->a, def, "each"), x->vars, e))
			return -1;
		def = filled;
	}
	struct suite *u = ARENA_NEW(&s->a, struct suite);
	if (schema_read(u, &s->a, def, e))
		return -1;
	x->loading = true;
	int rc = u->kind == KIND_GROUP ? load_group(s, u, def, e) : compile(s, u, e);
	x->loading = false;
	if (rc)
		return -1;
	digest_definition(s, u);
	x->suite = u;
	return 0;
}

/* A path to a .yaml: its only suite, or the one that is called as the file. */
static int find_path(struct suites *s, const char *path, struct suite **out, struct err *e)
{
	size_t first = s->n;
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->entry[i]->def->file, path)) {
			first = i;
			break;
		}
	if (first == s->n && index_file(s, path, s->n, e))
		return -1;
	size_t last = first;
	while (last < s->n && !strcmp(s->entry[last]->def->file, path))
		last++;
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	struct entry *x = last == first + 1 ? s->entry[first] : NULL;
	for (size_t i = first; i < last && !x; i++)
		if (s->entry[i]->name.n == strlen(base) - 5 && !memcmp(s->entry[i]->name.p, base, s->entry[i]->name.n))
			x = s->entry[i];
	if (!x)
		return err_set(e, E_USAGE, "%s defines %zu suites and none is called as the file: name one of them", path, last - first);
	if (load_entry(s, x, e))
		return -1;
	*out = x->suite;
	return 0;
}

int suite_find(struct suites *s, const char *name, struct suite **out, struct err *e)
{
	if (strchr(name, '/') || ends_in_yaml(name))
		return find_path(s, name, out, e);
	struct entry *x = find_entry(s, str_of(name), NULL);
	if (!x)
		return no_such_suite(s, str_of(name), E_USAGE, e);
	if (load_entry(s, x, e))
		return -1;
	*out = x->suite;
	return 0;
}

static int suite_by_name(const void *a, const void *b)
{
	const struct suite *const *x = a, *const *y = b;
	return strcmp((*x)->name.p, (*y)->name.p);
}

int suites_all(struct suites *s, struct suite ***out, int *n, struct err *e)
{
	struct suite **all = ARENA_ARRAY(&s->a, s->n, struct suite *);
	int k = 0;
	if (s->broken.code)
		return err_set(e, s->broken.code, "%s", s->broken.msg);
	for (size_t i = 0; i < s->n; i++) {
		if (find_entry(s, s->entry[i]->name, NULL) != s->entry[i])
			continue; /* hidden by an earlier folder */
		if (load_entry(s, s->entry[i], e))
			return -1;
		all[k++] = s->entry[i]->suite;
	}
	qsort(all, (size_t)k, sizeof *all, suite_by_name);
	*out = all;
	*n = k;
	return 0;
}

static void count_leaves(struct suite *g, struct suite **out, int *n)
{
	if (g->kind != KIND_GROUP) {
		if (out)
			out[*n] = g;
		++*n;
		return;
	}
	for (int i = 0; i < g->nmembers; i++)
		count_leaves(g->member[i], out, n);
}

int suite_leaves(struct suites *s, struct suite *g, struct suite ***out, int *n)
{
	int k = 0;
	count_leaves(g, NULL, &k);
	*out = ARENA_ARRAY(&s->a, (size_t)k, struct suite *);
	*n = 0;
	count_leaves(g, *out, n);
	return 0;
}

bool suite_generates(const struct suite *s)
{
	bool any = s->kind == KIND_GENERATE;
	for (int i = 0; i < s->nmembers && !any; i++)
		any = suite_generates(s->member[i]);
	return any;
}
