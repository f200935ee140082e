/* cmd_help.c - `assay help [TOPIC]`: a command, or a table: suite keys, metrics, filters, profiles, columns, files. */
#include <string.h>

#include "harness/cmd.h"
#include "harness/filter.h"
#include "harness/manual.h"
#include "harness/metric.h"
#include "harness/results.h"
#include "harness/settings.h"
#include "harness/suite.h"
#include "runners/runner.h"

static void entry(const char *name, const char *text)
{
	printf("  %-24s %s\n", name, text);
}

static void help_suite(void)
{
	printf("Keys of a suite file (YAML):\n\n");
	for (const struct schema_key *k = schema_keys(); k->key; k++) {
		printf("  %-28s %s%s%s\n", k->key, k->type, k->def[0] ? ", default " : "", k->def);
		printf("  %-28s %s\n", "", k->text);
	}
}

static void help_metrics(void)
{
	for (const struct metric_info *m = metric_table(); m->name; m++)
		entry(m->name, m->text);
}

static void help_filters(void)
{
	for (const struct filter_info *f = filter_table(); f->name; f++)
		entry(f->name, f->text);
}

static void help_profiles(void)
{
	for (const struct profile *p = profile_table(); p->name; p++)
		entry(p->name, p->text);
}

static void help_numerics(void)
{
	for (const struct list_row *r = runner_numerics(); r->name; r++)
		entry(r->name, r->text);
}

static void help_columns(void)
{
	for (const struct column_info *c = results_columns(); c->name; c++)
		entry(c->name, c->text);
}

static const struct topic {
	const char *name, *text;
	void (*fn)(void);
} topics[] = {
	{ "suite", "keys of a suite file", help_suite },
	{ "metrics", "what is measured", help_metrics },
	{ "filters", "what is done to an answer before it is scored", help_filters },
	{ "profiles", "whose rules hold", help_profiles },
	{ "numerics", "what decides the bits", help_numerics },
	{ "columns", "columns of leaderboard.csv", help_columns },
};
#define NTOPICS (sizeof topics / sizeof *topics)

static void overview(void)
{
	printf("assay help TOPIC, where TOPIC is a command or one of\n\n");
	for (size_t i = 0; i < NTOPICS; i++)
		entry(topics[i].name, topics[i].text);
	for (const struct manual_topic *t = manual_topics(); t->name; t++)
		entry(t->name, "a section of the manual");
	printf("\nCommands:\n\n");
	for (const struct cmd *const *c = cmd_table(); *c; c++)
		entry((*c)->name, (*c)->summary);
}

static int exec(const struct args *args, const struct globals *g, struct err *e)
{
	int n, k = 0;
	const char *const *w = args_words(args, &n);
	if (args_flag(args, "man")) {
		manual_man(stdout);
		return EXIT_DONE;
	}
	if (args_flag(args, "completion")) {
		manual_completion(stdout);
		return EXIT_DONE;
	}
	if (!n) {
		overview();
		return EXIT_DONE;
	}
	const char *names[64];
	for (const struct cmd *const *c = cmd_table(); *c; c++) {
		if (!strcmp((*c)->name, w[0])) {
			cmd_print_help(stdout, *c);
			return EXIT_DONE;
		}
		names[k++] = (*c)->name;
	}
	for (size_t i = 0; i < NTOPICS; i++) {
		if (!strcmp(topics[i].name, w[0])) {
			topics[i].fn();
			return EXIT_DONE;
		}
		names[k++] = topics[i].name;
	}
	for (const struct manual_topic *t = manual_topics(); t->name; t++) {
		if (!strcmp(t->name, w[0])) {
			printf("%s\n", t->text);
			return EXIT_DONE;
		}
		names[k++] = t->name;
	}
	names[k] = NULL;
	char hint[160];
	return err_set(e, E_USAGE, "no help on '%s'%s", w[0], err_hint(hint, sizeof hint, w[0], names));
}

static const struct opt opts[] = {
	{ "man", 0, OPT_FLAG, NULL, "Prints the man page (mdoc).", 0, 0, NULL, false, false },
	{ "completion", 0, OPT_FLAG, NULL, "Prints the bash completion.", 0, 0, NULL, false, false },
	{ NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false },
};

const struct cmd cmd_help = {
	.name = "help",
	.usage = "[TOPIC]",
	.summary = "Explains a command, the keys of a suite, metrics, filters, files.",
	.description = "Without a TOPIC: the list of topics.",
	.opts = opts,
	.max_words = 1,
	.word = "the topic",
	.exec = exec,
};
