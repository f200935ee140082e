/* common.h - the options that `run` and `explain` share: models, suites, settings, data. */
#ifndef ASSAY_COMMON_H
#define ASSAY_COMMON_H

#include "harness/cmd.h"
#include "harness/run.h"

/* The registry of models: --registry, else the one that is shipped. */
const char *common_registry(const struct args *args, struct arena *a);
int common_models(const struct args *args, struct arena *a, struct run_model **out, int *n, struct err *e);
int common_settings(const struct args *args, const struct globals *g, struct arena *a, struct settings *out, struct err *e);
/* Opens the suite folders; the names are those of --suite. */
int common_suites(const struct args *args, struct arena *a, struct suites **s, struct suite ***out, int *n, struct err *e);
int common_data(const struct args *args, struct arena *a, struct data_sources *out, struct err *e);
/* Every --files names a suite among `suite`. A map of --files-from may hold more than one run asks for. */
int common_files_used(const struct args *args, struct suites *s, struct suite *const *suite, int n, struct err *e);
int common_out(const struct args *args, const char **dir, struct err *e); /* the results folder */
void common_runner(const struct args *args, const struct globals *g, struct runner_opts *out);
int board_show(const char *dir, const char *format, const struct globals *g, struct err *e);

/* The settings of a run, row by row of the option table. */
#define COMMON_SETTING_OPTS \
	{ "data", 'd', OPT_STRING, "DIR", "A folder of datasets, <dataset with __ for />/<config>/<split>.jsonl[.gz]; may be repeated.", 0, 0, NULL, true, false }, \
	{ "files", 0, OPT_STRING, "SUITE:SPLIT=PATH", "Local rows in place of the published ones; may be repeated. The row says so.", 0, 0, NULL, true, false }, \
	{ "files-from", 0, OPT_STRING, "MAP.json", "The same from a file {\"suite\":{\"split\":\"path\"}}, paths relative to it.", 0, 0, NULL, false, false }, \
	{ "profile", 'p', OPT_STRING, "P", "Whose rules hold: native (default), lm-eval-0.4.13, ... (assay list profiles).", 0, 0, NULL, false, false }, \
	{ "limit", 'n', OPT_INT, "N", "Only the first N documents of every suite; the row says so.", 1, 1000000000, NULL, false, false }, \
	{ "docs", 0, OPT_STRING, "LIST", "Only these documents: 0,7,40-79.", 0, 0, NULL, false, false }, \
	{ "shots", 'k', OPT_INT, "N", "Worked examples before each question (default: the suite's).", 0, 1000, NULL, false, false }, \
	{ "seed", 0, OPT_INT, "N", "Seed of the choice of shots (default 1234).", 0, 2147483647, NULL, false, false }, \
	{ "chat", 0, OPT_FLAG, NULL, "Prompts go through the model's chat template.", 0, 0, NULL, false, false }, \
	{ "no-chat", 0, OPT_FLAG, NULL, "They do not (the default).", 0, 0, NULL, false, false }, \
	{ "system", 0, OPT_STRING, "TEXT", "A system instruction before everything else.", 0, 0, NULL, false, false }, \
	{ "multiturn", 0, OPT_CHOICE, "on|off", "Shots as turns of their own under --chat (default: the profile's).", 0, 0, "on|off", false, false }, \
	{ "bos", 0, OPT_CHOICE, "auto|on|off", "A BOS token in front (default: the profile's).", 0, 0, "auto|on|off", false, false }, \
	{ "generation-config", 0, OPT_FLAG, NULL, "Draw as the model's generation_config.json says (default: as the suite says).", 0, 0, NULL, false, false }, \
	{ "max-tokens", 0, OPT_INT, "N", "Longest generation in tokens (default: the suite's).", 1, 1000000, NULL, false, false },

#define COMMON_REGISTRY_OPT \
	{ "registry", 0, OPT_STRING, "FILE", "Registry of models: CSV with name, organisation, country, licence, family, params_total, params_active.", 0, 0, NULL, false, false },

#define COMMON_RUN_OPTS \
	COMMON_REGISTRY_OPT \
	{ "model", 'm', OPT_STRING, "MODEL", "A model's folder, DIR=NAME, or the name of an embedded model; several may follow.", 0, 0, NULL, true, true }, \
	{ "suite", 's', OPT_STRING, "SUITE", "A suite's name, a group, or a path to a .yaml; several may follow.", 0, 0, NULL, true, true }, \
	COMMON_SETTING_OPTS \
	{ "strict", 0, OPT_FLAG, NULL, "Warnings are errors.", 0, 0, NULL, false, false }, \
	{ "log-ids", 0, OPT_FLAG, NULL, "Token ids in the sample log in place of their counts.", 0, 0, NULL, false, false }, \
	{ "batch", 0, OPT_INT, "N", "Tokens in one forward pass; 0: default. Changes no bit.", 0, 1000000, NULL, false, false }, \
	{ "runner", 0, OPT_STRING, "KIND", "engine (default), or replay:FILE: answers from a recorded file.", 0, 0, NULL, false, false },

#endif
