/* manual.c - assay.1 (mdoc) and the bash completion. Nothing here is typed twice: commands, options, suite keys, result
 * columns, metrics, filters and profiles come from the tables that the program itself runs on. */
#include "harness/manual.h"

#include <stdbool.h>
#include <string.h>

#include "config.h"
#include "harness/cmd.h"
#include "harness/filter.h"
#include "harness/metric.h"
#include "harness/results.h"
#include "harness/settings.h"
#include "harness/suite.h"

static const struct manual_topic topics[] = {
	{ "environment", "ENVIRONMENT",
	  "ASSAY_DATADIR  the folder that holds suites/ (definitions, embedded data and models)\n"
	  "NO_COLOR       no colours, even on a terminal" },
	{ "files", "FILES",
	  "results/journal.db                        answers, keyed by model, tokenizer, numerics, token ids and decoding (SQLite)\n"
	  "results/leaderboard.csv                   one row per model, suite, metric and settings\n"
	  "results/gap.csv                           the best US model against the best Chinese one, suite by suite\n"
	  "results/runs/<run-id>/manifest.json       what the run was made of; its digest is the run id\n"
	  "results/runs/<run-id>/environment.json    machine, threads, instruction set: not part of any digest\n"
	  "results/runs/<run-id>/rows.csv            the run's rows of the leaderboard\n"
	  "results/runs/<run-id>/samples/<suite>.jsonl   every document, request, answer and score" },
	{ "exit-status", "EXIT STATUS",
	  "0    done\n"
	  "1    failed; nothing is half-written\n"
	  "2    usage: the command line is off\n"
	  "3    done, but some requests failed; each is in the sample log (or in its line's place)\n"
	  "4    it ran, and the answer is no\n"
	  "130  stopped by SIGINT, 143 by SIGTERM; what was answered is kept" },
	{ "reproducibility", "REPRODUCIBILITY",
	  "A score is a function of weights, tokenizer, suite, settings and numerics id, to the last bit. Batch size, order of\n"
	  "requests, threads, shared prefixes, restarts and instruction set change nothing. NUMERICS.md says why; the option\n"
	  "--cpu-mask and --threads let anybody try." },
	{ NULL, NULL, NULL },
};

const struct manual_topic *manual_topics(void)
{
	return topics;
}

/* mdoc text: backslashes doubled, a leading dot or quote guarded. */
static void text(FILE *f, const char *s)
{
	int line_start = 1;
	for (; *s; s++) {
		if (line_start && (*s == '.' || *s == '\''))
			fputs("\\&", f);
		if (*s == '\\')
			fputs("\\e", f);
		else if (*s == '-')
			fputs("\\-", f);
		else
			fputc(*s, f);
		line_start = *s == '\n';
	}
	fputc('\n', f);
}

static void literal(FILE *f, const char *s)
{
	fputs(".Bd -literal -compact\n", f);
	text(f, s);
	fputs(".Ed\n", f);
}

/* A description: paragraphs are filled, lines that begin with blanks stand as they are. */
static void description(FILE *f, const char *s)
{
	bool shown = false;
	while (*s) {
		size_t n = strcspn(s, "\n");
		bool literal_line = n && s[0] == ' ';
		char line[4096];
		snprintf(line, sizeof line, "%.*s", (int)n, s);
		if (literal_line != shown)
			fputs(literal_line ? ".Bd -literal -compact\n" : ".Ed\n", f);
		shown = literal_line;
		if (n)
			text(f, line);
		else if (!shown)
			fputs(".Pp\n", f);
		s += n + (s[n] == '\n');
	}
	if (shown)
		fputs(".Ed\n", f);
}

static void options(FILE *f, const struct opt *o)
{
	if (!o || !o->name)
		return;
	fputs(".Pp\n.Bl -tag -width Ds -compact\n", f);
	for (; o->name; o++) {
		fputs(".It ", f);
		if (o->letter)
			fprintf(f, "Fl %c , ", o->letter);
		fprintf(f, "Fl \\-%s", o->name);
		if (o->arg)
			fprintf(f, " Ar %s%s", o->arg, o->greedy ? " ..." : "");
		fputc('\n', f);
		text(f, o->text);
	}
	fputs(".El\n", f);
}

static void item(FILE *f, const char *name, const char *what)
{
	fprintf(f, ".It Cm %s\n", name);
	text(f, what);
}

void manual_man(FILE *f)
{
	fprintf(f, ".\\\" Made by `assay help --man` from the program's own tables: do not edit.\n"
		   ".Dd November 24, 2026\n.Dt ASSAY 1\n.Os\n.Sh NAME\n.Nm assay\n.Nd reproducible benchmarks of open language models\n.Sh SYNOPSIS\n");
	for (const struct cmd *const *c = cmd_table(); *c; c++) {
		fprintf(f, ".Nm assay Cm %s\n.Li ", (*c)->name);
		text(f, (*c)->usage[0] ? (*c)->usage : "[options]");
		if (c[1])
			fputs(".Pp\n", f);
	}
	fputs(".Sh DESCRIPTION\n.Nm\nruns benchmark suites over open\\-weight language models through an inference core of its own and writes CSV\n"
	      "leaderboards whose every number can be derived again, to the last bit.\n.Sh COMMANDS\n",
	      f);
	for (const struct cmd *const *c = cmd_table(); *c; c++) {
		fprintf(f, ".Ss %s\n", (*c)->name);
		text(f, (*c)->summary);
		fputs(".Pp\n", f);
		description(f, (*c)->description);
		options(f, (*c)->opts);
	}
	fputs(".Ss Options of every command\n", f);
	options(f, global_opts());
	fputs(".Sh SUITE FILES\nA suite is a YAML file. Its keys:\n.Bl -tag -width Ds -compact\n", f);
	for (const struct schema_key *k = schema_keys(); k->key; k++) {
		fprintf(f, ".It Cm %s Pq %s%s%s\n", k->key, k->type, k->def[0] ? ", default " : "", k->def);
		text(f, k->text);
	}
	fputs(".El\n.Ss Metrics\n.Bl -tag -width Ds -compact\n", f);
	for (const struct metric_info *m = metric_table(); m->name; m++)
		item(f, m->name, m->text);
	fputs(".El\n.Ss Filters\n.Bl -tag -width Ds -compact\n", f);
	for (const struct filter_info *x = filter_table(); x->name; x++)
		item(f, x->name, x->text);
	fputs(".El\n.Ss Profiles\n.Bl -tag -width Ds -compact\n", f);
	for (const struct profile *p = profile_table(); p->name; p++)
		item(f, p->name, p->text);
	fputs(".El\n.Sh RESULTS\nColumns of leaderboard.csv, in order:\n.Bl -tag -width Ds -compact\n", f);
	for (const struct column_info *x = results_columns(); x->name; x++)
		item(f, x->name, x->text);
	fputs(".El\n", f);
	for (const struct manual_topic *t = topics; t->name; t++) {
		fprintf(f, ".Sh %s\n", t->title);
		literal(f, t->text);
	}
}

void manual_completion(FILE *f)
{
	fputs("# bash completion of assay; made by `assay help --completion` from the program's own tables\n"
	      "_assay()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=${COMP_WORDS[1]}\n\tCOMPREPLY=()\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tCOMPREPLY=($(compgen -W \"",
	      f);
	for (const struct cmd *const *c = cmd_table(); *c; c++)
		fprintf(f, "%s ", (*c)->name);
	fputs("--help --version\" -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $prev in\n"
	      "\t--suite|-s) COMPREPLY=($(compgen -W \"$(assay list suites 2>/dev/null | cut -d' ' -f1)\" -- \"$cur\") $(compgen -f -X '!*.yaml' -- \"$cur\")); return;;\n"
	      "\t--model|-m) COMPREPLY=($(compgen -W \"$(assay list models 2>/dev/null | cut -d' ' -f1)\" -- \"$cur\") $(compgen -d -- \"$cur\")); return;;\n"
	      "\t--profile|-p) COMPREPLY=($(compgen -W \"$(assay list profiles 2>/dev/null | cut -d' ' -f1)\" -- \"$cur\")); return;;\n"
	      "\t--out|--data|-o|-d) COMPREPLY=($(compgen -d -- \"$cur\")); return;;\n",
	      f);
	for (const struct cmd *const *c = cmd_table(); *c; c++)
		for (const struct opt *o = (*c)->opts; o && o->name; o++) {
			if (o->type != OPT_CHOICE)
				continue;
			int again = 0; /* the first command that has an option of this name decides */
			for (const struct cmd *const *d = cmd_table(); d != c; d++)
				for (const struct opt *p = (*d)->opts; p && p->name; p++)
					again |= p->type == OPT_CHOICE && !strcmp(p->name, o->name);
			if (again)
				continue;
			fprintf(f, "\t--%s) COMPREPLY=($(compgen -W \"", o->name);
			for (const char *s = o->choices; *s; s++)
				fputc(*s == '|' ? ' ' : *s, f);
			fputs("\" -- \"$cur\")); return;;\n", f);
		}
	fputs("\tesac\n\tcase $cmd in\n", f);
	for (const struct cmd *const *c = cmd_table(); *c; c++) {
		fprintf(f, "\t%s) COMPREPLY=($(compgen -W \"", (*c)->name);
		for (const struct opt *o = (*c)->opts; o && o->name; o++)
			fprintf(f, "--%s ", o->name);
		for (const struct opt *o = global_opts(); o->name; o++)
			fprintf(f, "--%s ", o->name);
		fputs("\" -- \"$cur\") $(compgen -f -- \"$cur\"));;\n", f);
	}
	fputs("\tesac\n}\ncomplete -F _assay assay\n", f);
}
