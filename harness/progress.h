/* progress.h - what a person sees of long work, on stderr: a bar with rate and ETA on a terminal, a line a minute otherwise. */
#ifndef ASSAY_PROGRESS_H
#define ASSAY_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct bar {
	bool on, terminal, colour, drawn;
	char label[96];
	double start, last_draw, last_line; /* seconds of the monotonic clock */
	size_t done, total;
	double work_done, work_total;       /* unique tokens; 0: only requests are counted */
};

void bar_open(struct bar *b, bool quiet, bool colour);  /* also keeps log lines from tearing the bar */
void bar_label(struct bar *b, const char *model, const char *suite, const char *what);
void bar_update(struct bar *b, size_t done, size_t total, double work_done, double work_total);
void bar_close(struct bar *b);
double now_seconds(void); /* monotonic */

#endif
