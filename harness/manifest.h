/* manifest.h - the inputs of a run, their digest (run_id), and the manifest beside its results. */
#ifndef ASSAY_MANIFEST_H
#define ASSAY_MANIFEST_H

#include "harness/task.h"

#define RUN_ID_HEX 17 /* 16 digits and the NUL */

struct manifest_leaf {
	const struct suite *suite;
	const struct task *task;
};
/* Everything that decides the scores: model, tokenizer, numerics, suites, data, profile, settings. A dict in a. */
struct value manifest_inputs(struct arena *a, const struct runner_info *model, const struct suite *asked, const struct manifest_leaf *leaf,
			     int nleaves, const struct settings *set);
/* First 16 hex digits of the SHA-256 of the inputs as canonical JSON (sorted keys, no spaces). */
void manifest_run_id(struct arena *a, struct value inputs, char id[RUN_ID_HEX]);
/* DIR/manifest.json: run_id, inputs, model name, SHA-256 of rows.csv and of each DIR/samples/<suite>.jsonl; and
 * DIR/environment.json (device, version), written once and never changed. */
int manifest_write(struct arena *a, const char *dir, const char *run_id, struct value inputs, const char *model_name,
		   const struct runner_info *model, const struct manifest_leaf *leaf, int nleaves, struct err *e);

#endif
