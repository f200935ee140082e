/* reader.h - a file of rows as values: the bytes out of their wrapping, then JSON lines, a JSON array, CSV or TSV. */
#ifndef ASSAY_READER_H
#define ASSAY_READER_H

#include "kernels/base/arena.h"
#include "kernels/base/err.h"
#include "runners/text/value.h"

enum row_format { ROWS_JSON, ROWS_CSV, ROWS_TSV, ROWS_UNKNOWN };
enum { READER_MAX_ROWS = 20000000 };
#define READER_MAX_BYTES ((size_t)4 << 30) /* after decompression */

/* By the name's end, compression suffixes left off: .jsonl .ndjson .json .csv .tsv */
enum row_format reader_format(const char *name);
/* The file's contents: plain or within gz, bz2, xz, zstd; of a zip or tar the first member that has rows. member: its name
 * (the path itself when there are no members), for messages. *bytes is malloc'd. */
int reader_unwrap(char **bytes, size_t *n, char member[4096], enum row_format *format, const char *path, struct err *e);
/* Rows of a text; name for messages "NAME:LINE". Each row is a V_DICT. */
int reader_rows(struct value **rows, size_t *nrows, struct arena *a, struct str text, enum row_format f, const char *name, struct err *e);
/* Endings that a split's file may have, NULL-ended: ".jsonl", ".jsonl.gz", ... */
const char *const *reader_endings(void);

#endif
