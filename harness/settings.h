/* settings.h - what a user chose for a run, and the profile that gives every choice its default.
 *
 * A setting that differs from its profile's default is recorded in the row (canonical JSON, sorted keys, no spaces).
 */
#ifndef ASSAY_SETTINGS_H
#define ASSAY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/base/arena.h"
#include "kernels/base/err.h"
#include "runners/runner.h"
#include "runners/text/jinja.h"

#define SETTINGS_SEED 1234 /* of shots, when nobody says otherwise */

/* One row per profile (profile.c): what lm-evaluation-harness of a version, or assay itself, does. */
struct profile {
	const char *name;         /* "native", "lm-eval-0.4.13", "lm-eval-0.4.9.1" */
	const char *text;         /* one sentence */
	enum bos bos;             /* default */
	enum split_rule split;
	bool multiturn;           /* shots as turns when a chat template is applied */
	bool lmeval;              /* field semantics, shots, metrics and standard errors as SCORING.md 2.1-2.8 */
	bool macro_se_pooled;     /* group standard errors of macro means as before 0.4.13 */
	bool chat_delimiter_kept; /* keep target_delimiter under chat (before Nov 2024) */
	bool chat_prefix_delimiter; /* keep it where answer_prefix does not end in white space (since Jan 2026) */
};
const struct profile *profile_find(const char *name, struct err *e); /* NULL: e names the nearest */
const struct profile *profile_table(void);                           /* ends with name NULL */

enum onoff { UNSET = -1, OFF, ON };

struct docs_range {
	size_t first, last; /* inclusive */
};

struct settings {
	const struct profile *profile;
	int shots;               /* -1: the suite's */
	size_t limit;            /* 0: all */
	int64_t seed;            /* shots; -1: 1234 */
	bool chat;
	enum onoff multiturn;
	const char *system;      /* NULL: none */
	enum bos bos;            /* BOS_AUTO: the profile's */
	int max_tokens;          /* 0: the suite's */
	const char *date;        /* NULL: default */
	const struct docs_range *docs; /* only these documents */
	int ndocs;
	bool generation_config;
	struct sampling sampling; /* generation_config: what the model's own says; it goes before the suite's */
	bool strict;
	bool log_ids;
};

/* Canonical JSON of what differs from the profile's defaults; `files`: the suite's local files as a JSON object, or NULL.
 * What cannot matter is left out, so that equal runs get equal ids: max_tokens where nothing is generated. */
struct str settings_json(struct arena *a, const struct settings *s, bool generates, const char *files);

#endif
