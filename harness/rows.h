/* rows.h - the row operations of a suite (rows: in its YAML), applied to a split that was read. */
#ifndef ASSAY_ROWS_H
#define ASSAY_ROWS_H

#include "harness/dataset.h"

int rows_apply(struct rows *r, struct arena *a, const struct suite *s, struct err *e);
/* The names of a row's columns, "a, b, c", for messages. Returns out. */
const char *rows_columns(struct value row, char *out, size_t size);

#endif
