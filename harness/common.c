/* common.c - options that several commands share, turned into the structs that run_all and explain take. */
#include "harness/common.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "runners/text/json.h"

static void fill_registry(struct run_model *m, const struct registry_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(rows[i].name, m->name)) {
			m->registry = rows[i];
			return;
		}
}

const char *common_registry(const struct args *args, struct arena *a)
{
	const char *path = args_str(args, "registry", NULL);
	return path ? path : arena_printf(a, "%s/suites/registry.csv", data_dir()).p;
}

int common_models(const struct args *args, struct arena *a, struct run_model **out, int *n, struct err *e)
{
	int k;
	const char *const *spec = args_list(args, "model", &k);
	const char *runner = args_str(args, "runner", "engine");
	bool replay = !strncmp(runner, "replay:", 7);
	if (strcmp(runner, "engine") != 0 && !replay)
		return err_set(e, E_USAGE, "--runner wants engine or replay:FILE, not '%s'", runner);
	if (!k && !replay)
		return err_set(e, E_USAGE, "--model is missing (assay list models shows the embedded ones)");
	if (replay && k > 1)
		return err_set(e, E_USAGE, "--runner replay answers for one --model, not %d", k);
	struct run_model *m = ARENA_ARRAY(a, k ? k : 1, struct run_model);
	struct registry_row *rows;
	size_t nrows;
	if (registry_load(common_registry(args, a), a, &rows, &nrows, e))
		return -1;
	for (int i = 0; i < k; i++) {
		if (replay) {
			const char *eq = strrchr(spec[i], '=');
			m[i].name = eq && eq[1] ? eq + 1 : spec[i];
			m[i].path = runner + 7;
		} else if (model_resolve(spec[i], a, &m[i].path, &m[i].name, e)) {
			return -1;
		}
		for (int j = 0; j < i; j++)
			if (!strcmp(m[i].name, m[j].name))
				return err_set(e, E_USAGE, "--model: two models are called '%s'; name one of them with DIR=NAME", m[i].name);
		fill_registry(&m[i], rows, nrows);
	}
	if (!k) {
		m[0].path = runner + 7;
		m[0].name = "replay";
		k = 1;
	}
	*out = m;
	*n = k;
	return 0;
}

/* "0,7,40-79" -> ranges */
static int parse_docs(const char *s, struct arena *a, struct settings *out, struct err *e)
{
	const char *list = s;
	size_t cap = 1;
	for (const char *p = s; *p; p++)
		cap += *p == ',';
	struct docs_range *r = ARENA_ARRAY(a, cap, struct docs_range);
	int n = 0;
	for (;;) {
		char *end;
		if (*s < '0' || *s > '9')
			return err_set(e, E_USAGE, "--docs wants a list such as 0,7,40-79, not '%s'", list);
		errno = 0;
		unsigned long long first = strtoull(s, &end, 10), last = first;
		if (*end == '-') {
			s = end + 1;
			if (*s < '0' || *s > '9')
				return err_set(e, E_USAGE, "--docs wants a list such as 0,7,40-79, not '%s'", list);
			last = strtoull(s, &end, 10);
		}
		if (errno || last < first || last > 1000000000ull)
			return err_set(e, E_USAGE, "--docs: the range %llu-%llu makes no sense", first, last);
		r[n++] = (struct docs_range){ (size_t)first, (size_t)last };
		if (!*end)
			break;
		if (*end != ',')
			return err_set(e, E_USAGE, "--docs wants a list such as 0,7,40-79, not '%s'", list);
		s = end + 1;
	}
	out->docs = r;
	out->ndocs = n;
	return 0;
}

int common_settings(const struct args *args, const struct globals *g, struct arena *a, struct settings *out, struct err *e)
{
	const char *bos = args_str(args, "bos", NULL), *turn = args_str(args, "multiturn", NULL), *docs = args_str(args, "docs", NULL);
	*out = (struct settings){ .profile = profile_find(args_str(args, "profile", "native"), e) };
	if (!out->profile)
		return -1;
	if (args_flag(args, "chat") && args_flag(args, "no-chat"))
		return err_set(e, E_USAGE, "--chat and --no-chat exclude each other");
	out->shots = (int)args_int(args, "shots", -1);
	out->limit = (size_t)args_int(args, "limit", 0);
	out->seed = args_int(args, "seed", -1);
	out->chat = args_flag(args, "chat");
	out->multiturn = !turn ? UNSET : !strcmp(turn, "on") ? ON : OFF;
	out->system = args_str(args, "system", NULL);
	out->bos = !bos || !strcmp(bos, "auto") ? BOS_AUTO : !strcmp(bos, "on") ? BOS_ON : BOS_OFF;
	out->max_tokens = (int)args_int(args, "max-tokens", 0);
	out->date = g->date;
	out->generation_config = args_flag(args, "generation-config");
	out->strict = args_flag(args, "strict");
	out->log_ids = args_flag(args, "log-ids");
	return docs ? parse_docs(docs, a, out, e) : 0;
}

int common_suites(const struct args *args, struct arena *a, struct suites **s, struct suite ***out, int *n, struct err *e)
{
	int k;
	const char *const *names = args_list(args, "suite", &k);
	if (!k)
		return err_set(e, E_USAGE, "--suite is missing (assay list suites shows what there is)");
	const char **dirs = ARENA_ARRAY(a, 2, const char *);
	dirs[0] = arena_printf(a, "%s/suites", data_dir()).p;
	if (suites_open(s, dirs, e))
		return -1;
	struct suite **v = ARENA_ARRAY(a, k, struct suite *);
	int used = 0;
	for (int i = 0; i < k; i++) {
		if (suite_find(*s, names[i], &v[used], e))
			return -1;
		int again = 0;
		for (int j = 0; j < used; j++)
			again |= v[j] == v[used];
		used += !again;
	}
	*out = v;
	*n = used;
	return 0;
}

static int add_file(struct data_sources *d, struct data_file *f, const char *suite, const char *split, const char *path, struct err *e)
{
	for (int i = 0; i < d->nfiles; i++)
		if (!strcmp(f[i].suite, suite) && !strcmp(f[i].split, split))
			return err_set(e, E_USAGE, "--files: %s:%s is given twice", suite, split);
	f[d->nfiles++] = (struct data_file){ suite, split, path };
	return 0;
}

/* {"suite":{"split":"path"}}, paths relative to the map's folder */
static int files_from(const char *map, struct arena *a, struct data_sources *d, struct data_file **f, int extra, struct err *e)
{
	struct value v;
	if (json_load(a, map, (size_t)64 << 20, &v, e))
		return err_wrap(e, "--files-from");
	if (v.type != V_DICT)
		return err_set(e, E_FORMAT, "--files-from: %s: an object {\"suite\":{\"split\":\"path\"}} is wanted", map);
	const char *slash = strrchr(map, '/');
	struct str dir = slash ? (struct str){ map, (size_t)(slash - map) } : STR(".");
	size_t total = 0;
	for (size_t i = 0; i < v.dict->n; i++) {
		if (v.dict->v[i].val.type != V_DICT)
			return err_set(e, E_FORMAT, "--files-from: %s: '%s' must be an object {\"split\":\"path\"}", map, v.dict->v[i].key.s.p);
		total += v.dict->v[i].val.dict->n;
	}
	*f = ARENA_ARRAY(a, total + (size_t)extra, struct data_file);
	for (size_t i = 0; i < v.dict->n; i++) {
		struct dict *splits = v.dict->v[i].val.dict;
		for (size_t j = 0; j < splits->n; j++) {
			struct value p = splits->v[j].val;
			if (p.type != V_STR || !p.s.n)
				return err_set(e, E_FORMAT, "--files-from: %s: %s: '%s' must be a path", map, v.dict->v[i].key.s.p, splits->v[j].key.s.p);
			const char *path = p.s.p[0] == '/' ? p.s.p : arena_printf(a, "%.*s/%s", (int)dir.n, dir.p, p.s.p).p;
			if (add_file(d, *f, v.dict->v[i].key.s.p, splits->v[j].key.s.p, path, e))
				return -1;
		}
	}
	return 0;
}

int common_data(const struct args *args, struct arena *a, struct data_sources *out, struct err *e)
{
	int ndirs, nfiles;
	const char *const *dirs = args_list(args, "data", &ndirs), *const *files = args_list(args, "files", &nfiles);
	const char *map = args_str(args, "files-from", NULL);
	*out = (struct data_sources){ 0 };
	const char **d = ARENA_ARRAY(a, ndirs + 2, const char *);
	for (int i = 0; i < ndirs; i++)
		d[i] = dirs[i];
	d[ndirs] = arena_printf(a, "%s/suites/data", data_dir()).p;
	out->dirs = d;
	struct data_file *f = ARENA_ARRAY(a, nfiles, struct data_file);
	if (map && files_from(map, a, out, &f, nfiles, e))
		return -1;
	for (int i = 0; i < nfiles; i++) {
		const char *eq = strchr(files[i], '='), *colon = eq ? memchr(files[i], ':', (size_t)(eq - files[i])) : NULL;
		if (!eq || !colon || colon == files[i] || colon + 1 == eq || !eq[1])
			return err_set(e, E_USAGE, "--files wants SUITE:SPLIT=PATH, not '%s'", files[i]);
		const char *suite = arena_cstr(a, (struct str){ files[i], (size_t)(colon - files[i]) });
		const char *split = arena_cstr(a, (struct str){ colon + 1, (size_t)(eq - colon) - 1 });
		if (add_file(out, f, suite, split, eq + 1, e))
			return -1;
	}
	out->file = f;
	return 0;
}

static bool has_leaf(struct suites *s, struct suite *const *suite, int n, struct str name)
{
	struct suite **leaf;
	int k;
	bool found = false;
	for (int i = 0; i < n && !found; i++) {
		suite_leaves(s, suite[i], &leaf, &k);
		while (k-- > 0)
			found = found || str_eq(leaf[k]->name, name);
	}
	return found;
}

int common_files_used(const struct args *args, struct suites *s, struct suite *const *suite, int n, struct err *e)
{
	int k;
	const char *const *files = args_list(args, "files", &k);
	for (int i = 0; i < k; i++) {
		struct str name = { files[i], strcspn(files[i], ":") };
		if (!has_leaf(s, suite, n, name))
			return err_set(e, E_USAGE, "--files %s: no suite of this run is called '%.*s'", files[i], (int)name.n, name.p);
	}
	return 0;
}

int common_out(const struct args *args, const char **dir, struct err *e)
{
	*dir = args_str(args, "out", "results");
	return **dir ? 0 : err_set(e, E_USAGE, "--out: the name of the results folder is empty");
}

void common_runner(const struct args *args, const struct globals *g, struct runner_opts *out)
{
	const char *kind = args_str(args, "runner", "engine");
	*out = (struct runner_opts){ .kind = !strncmp(kind, "replay:", 7) ? "replay" : "engine", .device = g->device, .numerics = g->numerics,
				     .threads = g->threads, .max_level = g->cpu_mask, .memory = g->memory, .batch_rows = (int)args_int(args, "batch", 0),
				     .strict = args_flag(args, "strict") };
}
