/* results_int.h - private to results.c and board.c: columns as a table, cells as text, CSV by line. */
#ifndef ASSAY_RESULTS_INT_H
#define ASSAY_RESULTS_INT_H

#include "harness/results.h"

enum column_type { COL_TEXT, COL_NUMBER, COL_LONG, COL_INT }; /* NaN and negative integers are empty cells */
struct column {
	const char *name;
	enum column_type type;
	size_t offset; /* in struct row */
	const char *text;
};
extern const struct column results_column[]; /* ends with name NULL */

/* The cell as leaderboard.csv spells it, without quoting. `number` is room for numbers. */
struct str results_cell(const struct row *r, const struct column *c, char number[40]);
void csv_cell(struct buf *out, struct str s);                   /* quoted where RFC 4180 asks for it */
void csv_number(struct buf *out, double d);                     /* %.17g, empty when not finite */
int rows_compare(const void *a, const void *b);                 /* by all columns from left to right, as bytes */
bool rows_equal_but_run(const struct row *a, const struct row *b);
void rows_write(struct buf *out, const struct row *rows, size_t n); /* header and rows */
int file_write(const char *path, const struct buf *b, struct err *e); /* a whole file, atomically */

/* Reads a CSV whole: cells[row][column] in a; rows that have another number of cells than the header are an error. */
struct csv_table {
	struct str **cell;
	int *line;      /* of each row's first byte in the file */
	size_t rows;    /* the header is row 0 */
	size_t columns;
};
int csv_load(struct csv_table *out, struct arena *a, const char *path, struct err *e);
/* A cell that must be a number: empty gives NaN. */
int csv_to_number(struct str s, double *out);

#endif
