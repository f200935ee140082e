/* cmd_doctor.c - `assay doctor [MODEL]`: the plan of memory for a model; the machine, its instruction sets, self-tests,
 * libraries, and what is slow and why. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "harness/cmd.h"
#include "harness/libraries.h"
#include "kernels/base/pool.h"
#include "kernels/selfcheck.h"
#include "runners/runner.h"
#include "runners/text/json.h"

struct report {
	bool json, colour;
	int bad;
};

/* One finding. state: "ok", "no" (absent, no harm), "bad". bytes: -1: none. */
static void say(struct report *r, const char *section, const char *what, const char *state, const char *text, double bytes)
{
	if (!strcmp(state, "bad"))
		r->bad++;
	if (r->json) {
		struct buf b = { 0 };
		const char *names[] = { "section", "what", "state", "text" }, *values[] = { section, what, state, text };
		for (int i = 0; i < 4; i++) {
			buf_printf(&b, "%s\"%s\":", i ? "," : "{", names[i]);
			json_write_str(&b, str_of(values[i]), 0);
		}
		if (bytes >= 0)
			buf_printf(&b, ",\"bytes\":%.0f", bytes);
		printf("%s}\n", b.p);
		buf_fini(&b);
		return;
	}
	const char *c = !r->colour ? "" : !strcmp(state, "ok") ? "\033[32m" : !strcmp(state, "bad") ? "\033[31m" : "\033[33m";
	printf("%-11s %-*s %s%-4s%s %s\n", section, bytes >= 0 ? 46 : 22, what, c, state, *c ? "\033[0m" : "", text);
}

static void machine(struct report *r)
{
	char text[256];
	snprintf(text, sizeof text, "%s, %d processors for this process", cpu_brand(), pool_cpus());
	say(r, "machine", "processor", "ok", text, -1);
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	snprintf(text, sizeof text, "%.1f GiB", (double)pages * (double)size / 1073741824.0);
	say(r, "machine", "memory", "ok", text, -1);
	for (int l = CPU_SCALAR; l < CPU_LEVELS; l++) {
		int has = cpu_has((enum cpu_level)l);
		const char *why = has ? "" : l == CPU_NEON ? "this is no ARM processor" : "the processor or the system does not offer it: slower, same bits";
#ifndef HAVE_AVX2
		if (l == CPU_AVX2)
			why = "not compiled in";
#endif
#ifndef HAVE_AVX512
		if (l >= CPU_AVX512)
			why = "not compiled in";
#endif
		say(r, "isa", cpu_level_name((enum cpu_level)l), has ? "ok" : "no", why, -1);
	}
}

static void self_tests(struct report *r)
{
	struct selfcheck rows[200];
	int n = selfcheck_run(rows, 200);
	for (int i = 0; i < n; i++) {
		char what[80];
		snprintf(what, sizeof what, "%s %s", rows[i].name, cpu_level_name(rows[i].level));
		say(r, "self-test", what, rows[i].ok > 0 ? "ok" : rows[i].ok < 0 ? "no" : "bad",
		    rows[i].ok > 0 ? "the same bits as scalar" : rows[i].ok < 0 ? "not on this machine" : "OTHER BITS than scalar: do not trust results of this level", -1);
	}
}

/* What can be named behind --device, and for what cannot why. */
static void devices(struct report *r)
{
	for (const struct list_row *d = runner_devices(); d->name; d++)
		say(r, "device", d->name, d->absent ? "no" : "ok", d->text, -1);
}

static void libraries(struct report *r)
{
	struct library lib[16];
	int n = libraries_used(lib, 16);
	for (int i = 0; i < n; i++)
		say(r, "library", lib[i].name, "ok", lib[i].version, -1);
}

static int plan(struct report *r, const char *spec, const struct globals *g, struct err *e)
{
	struct arena a;
	struct plan_row rows[64];
	const char *path, *name;
	int n = -1;
	arena_init(&a);
	if (model_resolve(spec, &a, &path, &name, e) == 0) {
		struct runner_opts o = { .kind = "engine", .model = path, .device = g->device, .numerics = g->numerics, .threads = g->threads,
					 .max_level = g->cpu_mask, .memory = g->memory };
		n = runner_plan(&o, rows, 64, e);
	}
	for (int i = 0; i < n; i++)
		say(r, "plan", rows[i].what, rows[i].bad ? "bad" : "ok", rows[i].size, rows[i].bytes);
	arena_fini(&a);
	return n < 0 ? -1 : 0;
}

static int exec(const struct args *args, const struct globals *g, struct err *e)
{
	int n;
	const char *const *w = args_words(args, &n);
	struct report r = { .json = g->json, .colour = g->colour_out };
	if (n)
		return plan(&r, w[0], g, e) ? -1 : r.bad ? EXIT_FAILED : EXIT_DONE;
	say(&r, "assay", "version", "ok", PACKAGE_VERSION, -1);
	say(&r, "assay", "data", access(data_dir(), R_OK) ? "bad" : "ok", data_dir(), -1);
	machine(&r);
	self_tests(&r);
	devices(&r);
	libraries(&r);
	return r.bad ? EXIT_FAILED : EXIT_DONE;
}

static const struct opt opts[] = { { NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false } };

const struct cmd cmd_doctor = {
	.name = "doctor",
	.usage = "[MODEL]",
	.summary = "Examines the machine; with a MODEL: the memory it would need.",
	.description = "Without a MODEL: instruction sets, self-tests of every kernel against its scalar twin, GPU, libraries. With one: what would be "
		       "held in memory, without reading its weights. Exit status 1 when a self-test fails or the model does not fit.",
	.opts = opts,
	.max_words = 1,
	.word = "the model",
	.exec = exec,
};
