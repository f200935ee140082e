/* progress.c - the bar: at most ten drawings a second, the rate over the whole phase, the ETA from the work that is left.
 *
 * ETA is taken from unique tokens where the runner plans them (they are what costs time), else from requests.
 */
#include "harness/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/log.h"

double now_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void erase(void *ctx)
{
	struct bar *b = ctx;
	if (b->drawn && b->terminal)
		fputs("\r\033[K", stderr);
	b->drawn = false;
}

void bar_open(struct bar *b, bool quiet, bool colour)
{
	memset(b, 0, sizeof *b);
	b->on = !quiet;
	b->terminal = isatty(STDERR_FILENO);
	b->colour = colour;
	b->start = b->last_line = now_seconds();
	if (b->on)
		log_hook(erase, NULL, b);
}

void bar_label(struct bar *b, const char *model, const char *suite, const char *what)
{
	snprintf(b->label, sizeof b->label, "%s%s%s%s%s", model, suite ? " " : "", suite ? suite : "", what ? " " : "",
		 what ? what : "");
	b->start = b->last_line = now_seconds();
	b->last_draw = 0;
	b->done = b->total = 0;
}

static void eta_text(char *out, size_t size, double seconds)
{
	if (!(seconds >= 0) || seconds > 360000)
		snprintf(out, size, "--:--");
	else if (seconds >= 3600)
		snprintf(out, size, "%d:%02d:%02d", (int)seconds / 3600, (int)seconds / 60 % 60, (int)seconds % 60);
	else
		snprintf(out, size, "%d:%02d", (int)seconds / 60, (int)seconds % 60);
}

static void draw(struct bar *b, double now)
{
	double spent = now - b->start;
	double share = b->work_total > 0 ? b->work_done / b->work_total : b->total ? (double)b->done / (double)b->total : 0;
	if (share > 1)
		share = 1;
	char eta[32];
	eta_text(eta, sizeof eta, share > 0 ? spent * (1 - share) / share : -1);
	double rate = spent > 0 ? (double)b->done / spent : 0, tokens = spent > 0 ? b->work_done / spent : 0;
	char text[256];
	int n = snprintf(text, sizeof text, "%zu/%zu  %.0f req/s", b->done, b->total, rate);
	if (b->work_total > 0 && n < 200)
		n += snprintf(text + n, sizeof text - (size_t)n, "  %.0f tok/s", tokens);
	snprintf(text + n, sizeof text - (size_t)n, "  ETA %s", eta);
	if (!b->terminal) {
		fprintf(stderr, "assay: %s: %s\n", b->label, text);
		return;
	}
	struct winsize w;
	int cols = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 80;
	int room = cols - (int)strlen(b->label) - (int)strlen(text) - 6;
	fprintf(stderr, "\r\033[K%s ", b->label);
	if (room >= 8) {
		int full = (int)(share * room + 0.5);
		fprintf(stderr, "%s[", b->colour ? "\033[36m" : "");
		for (int i = 0; i < room; i++)
			fputc(i < full ? '#' : '.', stderr);
		fprintf(stderr, "]%s ", b->colour ? "\033[0m" : "");
	}
	fputs(text, stderr);
	fflush(stderr);
	b->drawn = true;
}

void bar_update(struct bar *b, size_t done, size_t total, double work_done, double work_total)
{
	b->done = done;
	b->total = total;
	b->work_done = work_done;
	b->work_total = work_total;
	if (!b->on || !total)
		return;
	double now = now_seconds();
	if (b->terminal ? now - b->last_draw < 0.1 : now - b->last_line < 60)
		return;
	b->last_draw = b->last_line = now;
	draw(b, now);
}

void bar_close(struct bar *b)
{
	if (!b->on)
		return;
	erase(b);
	log_hook(NULL, NULL, NULL);
	b->on = false;
}
