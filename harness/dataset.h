/* dataset.h - rows of a split as values: JSON lines, JSON, CSV, TSV, plain or inside gz/bz2/xz/zstd/zip/tar.
 *
 * Where a split is found, in this order: --files / --files-from for the suite; each data directory as
 * DIR/<dataset with / as __>/<config or "default">/<split>.<ext>. Errors name file and line.
 */
#ifndef ASSAY_DATASET_H
#define ASSAY_DATASET_H

#include "harness/suite.h"

struct data_file {
	const char *suite, *split, *path; /* from --files */
};
struct data_sources {
	const char *const *dirs; /* NULL-ended */
	const struct data_file *file;
	int nfiles;
};

struct rows {
	struct value *v; /* V_DICT each, columns in file order */
	size_t n;
	char path[4096];
	unsigned char digest[DIGEST_BYTES]; /* SHA-256 of the file's bytes */
	bool local;      /* came from --files */
};

/* Loads a split whole into arena a and applies the suite's row operations. */
int dataset_load(struct rows *out, struct arena *a, const struct suite *s, const char *split, const struct data_sources *d, struct err *e);
/* Does the split exist for this suite? 1 yes (path filled), 0 no. */
int dataset_find(const struct suite *s, const char *split, const struct data_sources *d, char path[4096], bool *local);
/* A file of rows by itself. */
int dataset_read(struct rows *out, struct arena *a, const char *path, struct err *e);

#endif
