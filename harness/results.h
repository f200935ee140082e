/* results.h - rows of the leaderboard, its CSV, the gap table, and files that are written whole or not at all. */
#ifndef ASSAY_RESULTS_H
#define ASSAY_RESULTS_H

#include "kernels/base/arena.h"
#include "kernels/base/err.h"
#include "kernels/base/str.h"

/* Columns of leaderboard.csv in order: results.c's table (name, type, text). Numbers: %.17g, empty when not available. */
struct row {
	struct str model, organisation, country, licence;
	double params_total, params_active;
	struct str suite, suite_version, language, metric, filter;
	double value, stderr_, ci_low, ci_high;
	long n, n_failed, n_truncated, n_unparsed;
	int shots;
	int chat; /* 0, 1 */
	struct str profile, numerics;
	long limit; /* -1: none (empty) */
	struct str settings, model_digest, suite_digest, run_id;
};
struct column_info {
	const char *name, *text;
};
const struct column_info *results_columns(void); /* ends with name NULL */

/* Writes path.tmp.PID in the same directory, fsyncs, renames. On any failure the old file stays and no temporary is left. */
struct atomic_file;
int atomic_open(struct atomic_file **out, const char *path, struct err *e);
int atomic_write(struct atomic_file *f, const void *p, size_t n, struct err *e);
int atomic_commit(struct atomic_file *f, struct err *e); /* closes */
void atomic_abort(struct atomic_file *f);
int make_dirs(const char *path, struct err *e); /* mkdir -p */

/* rows of a run, kept beside its manifest, as CSV with the leaderboard's columns */
int results_write(const char *path, const struct row *rows, size_t n, struct err *e);
int results_read(const char *path, struct arena *a, struct row **rows, size_t *n, struct err *e);
/* Rebuilds DIR/leaderboard.csv and DIR/gap.csv from DIR/runs/<id>/rows.csv: sorted, rows equal in all but run_id kept once
 * (lowest id). Returns the rows. */
int board_rebuild(const char *dir, struct arena *a, struct row **rows, size_t *n, struct err *e);
/* format: "text", "csv", "html", or "json" for JSON lines; colour: ANSI. */
int board_print(const char *format, const struct row *rows, size_t n, int colour, int width, struct buf *out, struct err *e);

/* organisation, country, licence of a model's registry row: CSV under the data directory */
struct registry_row {
	struct str name, organisation, country, licence, family;
	double params_total, params_active;
};
int registry_load(const char *path, struct arena *a, struct registry_row **rows, size_t *n, struct err *e);

#endif
