/* cmd_list.c - `assay list`: every table that a user chooses from, as text or JSON lines. */
#include <string.h>

#include "harness/cmd.h"
#include "harness/common.h"
#include "harness/filter.h"
#include "harness/metric.h"
#include "harness/results.h"
#include "harness/settings.h"
#include "harness/suite.h"
#include "runners/runner.h"
#include "runners/text/json.h"

/* One line of a listing: name, a few named fields, one sentence. */
struct out {
	bool json;
	struct buf b;
};

static void begin(struct out *o, const char *name)
{
	if (o->json) {
		buf_puts(&o->b, "{\"name\":");
		json_write_str(&o->b, str_of(name), 0);
	} else {
		buf_printf(&o->b, "%-28s", name);
	}
}

static void field(struct out *o, const char *key, struct str v, int width)
{
	if (o->json) {
		buf_printf(&o->b, ",\"%s\":", key);
		json_write_str(&o->b, v, 0);
	} else {
		buf_printf(&o->b, " %-*.*s", width, (int)v.n, v.p);
	}
}

static void end(struct out *o)
{
	if (o->json) {
		buf_puts(&o->b, "}\n");
		return;
	}
	while (o->b.n && o->b.p[o->b.n - 1] == ' ')
		o->b.n--;
	buf_putc(&o->b, '\n');
}

static int list_suites(struct out *o, const struct args *args, struct arena *a, struct err *e)
{
	const char *dirs[] = { arena_printf(a, "%s/suites", data_dir()).p, NULL };
	struct suites *s;
	struct suite **v;
	int n, status = -1;
	if (suites_open(&s, dirs, e))
		return -1;
	if (suites_all(s, &v, &n, e) == 0) {
		for (int i = 0; i < n; i++) {
			begin(o, arena_cstr(a, v[i]->name));
			field(o, "kind", str_of(suite_kind_name(v[i]->kind)), 16);
			field(o, "language", v[i]->language, 8);
			field(o, "licence", v[i]->licence, 18);
			field(o, "title", v[i]->title, 0);
			end(o);
		}
		status = 0;
	}
	suites_close(s);
	return status;
}

static int list_models(struct out *o, const struct args *args, struct arena *a, struct err *e)
{
	struct registry_row *rows;
	size_t n;
	if (registry_load(common_registry(args, a), a, &rows, &n, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		begin(o, arena_cstr(a, rows[i].name));
		field(o, "organisation", rows[i].organisation, 20);
		field(o, "country", rows[i].country, 8);
		field(o, "family", rows[i].family, 12);
		field(o, "licence", rows[i].licence, 12);
		end(o);
	}
	return 0;
}

static int list_metrics(struct out *o, const struct args *args, struct arena *a, struct err *e)
{
	for (const struct metric_info *m = metric_table(); m->name; m++) {
		begin(o, m->name);
		field(o, "better", str_of(m->higher_is_better ? "higher" : "lower"), 7);
		field(o, "text", str_of(m->text), 0);
		end(o);
	}
	return 0;
}

static int list_filters(struct out *o, const struct args *args, struct arena *a, struct err *e)
{
	for (const struct filter_info *f = filter_table(); f->name; f++) {
		begin(o, f->name);
		field(o, "text", str_of(f->text), 0);
		end(o);
	}
	return 0;
}

static int list_profiles(struct out *o, const struct args *args, struct arena *a, struct err *e)
{
	for (const struct profile *p = profile_table(); p->name; p++) {
		begin(o, p->name);
		field(o, "text", str_of(p->text), 0);
		end(o);
	}
	return 0;
}

/* Names that config.json may have for a family: behind its sentence, or an array. */
static void architectures(struct out *o, const char *const *name)
{
	buf_puts(&o->b, o->json ? ",\"architectures\":[" : " (");
	for (int i = 0; name[i]; i++) {
		buf_puts(&o->b, !i ? "" : o->json ? "," : ", ");
		if (o->json)
			json_write_str(&o->b, str_of(name[i]), 0);
		else
			buf_puts(&o->b, name[i]);
	}
	buf_puts(&o->b, o->json ? "]" : ")");
}

static int list_rows(struct out *o, const struct list_row *r)
{
	for (; r->name; r++) {
		begin(o, r->name);
		field(o, "text", str_of(r->text), 0);
		if (r->architectures)
			architectures(o, r->architectures);
		end(o);
	}
	return 0;
}

static int list_families(struct out *o, const struct args *args, struct arena *a, struct err *e)
{
	return list_rows(o, runner_families());
}

static int list_numerics(struct out *o, const struct args *args, struct arena *a, struct err *e)
{
	return list_rows(o, runner_numerics());
}

static int list_devices(struct out *o, const struct args *args, struct arena *a, struct err *e)
{
	return list_rows(o, runner_devices());
}

static int list_tokenizers(struct out *o, const struct args *args, struct arena *a, struct err *e)
{
	return list_rows(o, runner_tokenizers());
}

static int list_shapes(struct out *o, const struct args *args, struct arena *a, struct err *e)
{
	return list_rows(o, runner_shapes());
}

static const struct topic {
	const char *name;
	int (*fn)(struct out *o, const struct args *args, struct arena *a, struct err *e);
} topics[] = {
	{ "suites", list_suites },     { "models", list_models },     { "metrics", list_metrics },
	{ "filters", list_filters },   { "families", list_families }, { "numerics", list_numerics },
	{ "profiles", list_profiles }, { "devices", list_devices },   { "tokenizers", list_tokenizers },
	{ "shapes", list_shapes },
};

static int exec(const struct args *args, const struct globals *g, struct err *e)
{
	int n;
	const char *word = args_words(args, &n)[0];
	const char *names[sizeof topics / sizeof *topics + 1] = { NULL };
	struct out o = { .json = g->json };
	struct arena a;
	arena_init(&a);
	int status = -1;
	for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
		names[i] = topics[i].name;
		if (strcmp(topics[i].name, word) != 0)
			continue;
		if (topics[i].fn(&o, args, &a, e) == 0) {
			fwrite(o.b.p ? o.b.p : "", 1, o.b.n, stdout);
			status = EXIT_DONE;
		}
		goto done;
	}
	char hint[160];
	err_set(e, E_USAGE, "nothing to list under '%s'%s", word, err_hint(hint, sizeof hint, word, names));
done:
	buf_fini(&o.b);
	arena_fini(&a);
	return status;
}

static const struct opt opts[] = { COMMON_REGISTRY_OPT { NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false } };

const struct cmd cmd_list = {
	.name = "list",
	.usage = "suites|models|metrics|filters|families|numerics|profiles|devices|tokenizers|shapes",
	.summary = "Lists what there is to choose from.",
	.description = "Prints one line per entry; with --json one object per line with the fields \"name\" and what belongs to it.",
	.opts = opts,
	.min_words = 1,
	.max_words = 1,
	.word = "what to list",
	.exec = exec,
};
