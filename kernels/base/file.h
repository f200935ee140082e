/* file.h - a whole file in memory, with a limit. */
#ifndef ASSAY_FILE_H
#define ASSAY_FILE_H

#include "kernels/base/arena.h"
#include "kernels/base/err.h"

/* The bytes of a regular file or pipe, NUL put behind; more than max_bytes is E_LIMIT. */
int file_load(struct arena *a, const char *path, size_t max_bytes, struct str *out, struct err *e);

#endif
