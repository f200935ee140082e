/* rows.h - the row operations of a suite (rows: in its YAML), applied to a split that was read. */
#ifndef ASSAY_ROWS_H
#define ASSAY_ROWS_H

#include "harness/dataset.h"

int rows_apply(struct rows *r, struct arena *a, const struct suite *s, struct err *e);
/* "no column 'x'; there are: a, b, c" behind what e says so far; for all that looks a column up. Returns -1. */
int rows_no_column(struct value row, struct str column, struct err *e);

#endif
