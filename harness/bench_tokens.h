/* bench_tokens.h - speed of a tokenizer: rows for `assay bench tokens`. */
#ifndef ASSAY_BENCH_TOKENS_H
#define ASSAY_BENCH_TOKENS_H

#include "kernels/base/bench.h"

/* path: a model's directory or a tokenizer's file; files: texts, none: rows of the embedded suites. */
int bench_tokens(const char *path, const char *const *files, int nfiles, bench_fn *row, void *ctx, struct err *e);

#endif
