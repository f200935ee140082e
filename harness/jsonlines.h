/* jsonlines.h - the filters `score`, `tokens`, `render`: JSON lines in, JSON lines out, in input order.
 *
 * Lines are gathered into batches: all of a file up to a limit, or what a pipe holds at the moment, so that a program that
 * asks line by line is answered line by line. A bad line gives {"error":"..."} in its place.
 */
#ifndef ASSAY_JSONLINES_H
#define ASSAY_JSONLINES_H

#include <stdbool.h>

#include "kernels/base/arena.h"
#include "kernels/base/err.h"
#include "runners/text/value.h"

struct line {
	long number;          /* from 1 */
	struct value v;       /* V_DICT when good */
	const struct value *id; /* "id" of the line, given back first; NULL: none */
	bool bad;
	struct buf out;       /* the answer without the closing "}\n"; begun by line_begin */
	bool begun;
};

/* Reads the next batch from stdin into arena a (reset by the caller). 1 lines, 0 end, -1 error (reading failed). */
struct lines;
int lines_open(struct lines **out, struct err *e);
int lines_next(struct lines *l, struct arena *a, struct line **line, size_t *n, struct err *e);
void lines_close(struct lines *l);
bool lines_failed(const struct lines *l); /* was any line answered with an error? */

void line_fail(struct lines *l, struct line *x, const struct err *why); /* {"error": ...} */
void line_begin(struct line *x);              /* "{" and "id": then add fields with line_field */
void line_field(struct line *x, const char *name); /* writes ,"name": */
int lines_write(struct line *line, size_t n, struct err *e); /* to stdout, in order; frees the buffers */

/* The whole of a filter that answers line by line: reads to the end, calls answer(ctx, line, arena, e) for each good line (-1: the
 * line is answered with that error), writes in order. Gives an exit status, or -1 when reading or writing failed. */
typedef int line_answer(void *ctx, struct line *x, struct arena *a, struct err *e);
int lines_filter(line_answer *answer, void *ctx, struct err *e);

/* Refuses fields that are not in the NULL-ended list: "line 3: unknown field 'x', did you mean 'y'?" */
int line_known(const struct line *x, const char *const *names, struct err *e);
/* Typed access; absent gives the default and 0. -1: wrong type, e says line and field. */
int line_str(const struct line *x, const char *name, struct arena *a, struct str *out, bool *has, struct err *e);
int line_bool(const struct line *x, const char *name, bool def, bool *out, struct err *e);
int line_ids(const struct line *x, const char *name, struct arena *a, int32_t **ids, int *n, bool *has, struct err *e);

#endif
