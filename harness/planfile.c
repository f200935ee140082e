/* planfile.c - see planfile.h. There is no second list of settings: a key is an option's name, and its value goes through the
 * same checks as on the command line. */
#include "harness/planfile.h"

#include <string.h>

#include "harness/yaml.h"

struct words {
	struct arena *a;
	char **v;
	int n, cap;
};

static void push(struct words *w, const char *s)
{
	if (w->n + 1 >= w->cap) {
		int cap = w->cap ? 2 * w->cap : 32;
		char **v = ARENA_ARRAY(w->a, cap, char *);
		if (w->n)
			memcpy(v, w->v, (size_t)w->n * sizeof *v);
		w->v = v;
		w->cap = cap;
	}
	w->v[w->n++] = (char *)s;
	w->v[w->n] = NULL;
}

static int bad(const struct yaml *y, const char *what, struct err *e)
{
	return err_set(e, E_FORMAT, "%s:%d: %s", y->file, y->line, what);
}

static int push_option(struct words *w, const struct opt *o, const struct yaml *y, struct err *e)
{
	bool on;
	if (y->type != YAML_TEXT)
		return bad(y, arena_printf(w->a, "'%s' must be one value or a list of values", o->name).p, e);
	if (memchr(y->text.p, 0, y->text.n))
		return bad(y, "a NUL byte in a value", e);
	if (o->type == OPT_FLAG) {
		if (!yaml_bool(y, &on))
			return bad(y, arena_printf(w->a, "'%s' must be true or false", o->name).p, e);
		if (on)
			push(w, arena_printf(w->a, "--%s", o->name).p);
		return 0;
	}
	push(w, arena_printf(w->a, "--%s=%.*s", o->name, (int)y->text.n, y->text.p).p);
	return 0;
}

static int push_files(struct words *w, const struct yaml *y, struct err *e)
{
	for (size_t i = 0; i < y->n; i++) {
		const struct yaml *splits = y->item[i];
		if (splits->type != YAML_MAP)
			return bad(splits, "'files' wants suite: {split: path}", e);
		for (size_t j = 0; j < splits->n; j++) {
			if (splits->item[j]->type != YAML_TEXT)
				return bad(splits->item[j], "'files' wants suite: {split: path}", e);
			push(w, arena_printf(w->a, "--files=%s:%s=%s", y->key[i]->text.p, splits->key[j]->text.p, splits->item[j]->text.p).p);
		}
	}
	return 0;
}

static const struct opt *option(const struct cmd *c, struct str key)
{
	const struct opt *tables[2] = { c->opts, global_opts() };
	for (int t = 0; t < 2; t++)
		for (const struct opt *o = tables[t]; o->name; o++)
			if (str_is(key, o->name))
				return o;
	return NULL;
}

static int unknown_key(const struct yaml *key, const struct cmd *c, struct err *e)
{
	const char *names[128];
	int n = 0;
	const struct opt *tables[2] = { c->opts, global_opts() };
	for (int t = 0; t < 2; t++)
		for (const struct opt *o = tables[t]; o->name && n < 127; o++)
			names[n++] = o->name;
	names[n] = NULL;
	char hint[160];
	return err_set(e, E_FORMAT, "%s:%d: unknown key '%s'%s", key->file, key->line, key->text.p, err_hint(hint, sizeof hint, key->text.p, names));
}

int plan_words(const char *path, const struct cmd *c, struct arena *a, int *argc, char ***argv, struct err *e)
{
	struct yaml **doc;
	size_t n;
	struct words w = { .a = a };
	if (yaml_load(&doc, &n, a, path, e))
		return -1;
	if (n != 1 || doc[0]->type != YAML_MAP)
		return err_set(e, E_FORMAT, "%s: a plan is one map of options: model, suite, limit, ...", path);
	for (size_t i = 0; i < doc[0]->n; i++) {
		const struct yaml *key = doc[0]->key[i], *v = doc[0]->item[i];
		const struct opt *o = option(c, key->text);
		if (!o || !strcmp(o->name, "help"))
			return unknown_key(key, c, e);
		if (v->type == YAML_MAP && !strcmp(o->name, "files")) {
			if (push_files(&w, v, e))
				return -1;
		} else if (v->type == YAML_LIST) {
			if (!o->multi)
				return bad(v, arena_printf(a, "'%s' takes one value", o->name).p, e);
			for (size_t j = 0; j < v->n; j++)
				if (push_option(&w, o, v->item[j], e))
					return -1;
		} else if (push_option(&w, o, v, e)) {
			return -1;
		}
	}
	*argc = w.n;
	*argv = w.v;
	return 0;
}
