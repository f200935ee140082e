/* cmd_board.c - `assay board`: rebuilds the leaderboard from what a results folder holds, and shows it. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "harness/cmd.h"
#include "harness/common.h"
#include "harness/results.h"

/* Rebuilds and prints; also what `assay run` ends with. */
int board_show(const char *dir, const char *format, const struct globals *g, struct err *e)
{
	struct arena a;
	struct buf out = { 0 };
	struct row *rows;
	size_t n;
	struct winsize w;
	int width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 0, status = -1;
	arena_init(&a);
	if (board_rebuild(dir, &a, &rows, &n, e) || board_print(format, rows, n, g->colour_out, width, &out, e))
		goto done;
	fwrite(out.p ? out.p : "", 1, out.n, stdout);
	status = EXIT_DONE;
done:
	buf_fini(&out);
	arena_fini(&a);
	return status;
}

static int exec(const struct args *args, const struct globals *g, struct err *e)
{
	const char *dir;
	if (common_out(args, &dir, e))
		return -1;
	if (access(dir, R_OK))
		return err_errno(e, E_IO, "%s", dir);
	return board_show(dir, g->json ? "json" : args_str(args, "format", "text"), g, e);
}

static const struct opt opts[] = {
	{ "out", 'o', OPT_STRING, "DIR", "The results folder (default: results).", 0, 0, NULL, false, false },
	{ "format", 'f', OPT_CHOICE, "text|csv|html", "How it is shown (default: text).", 0, 0, "text|csv|html", false, false },
	{ NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false },
};

const struct cmd cmd_board = {
	.name = "board",
	.usage = "[--out DIR] [--format text|csv|html]",
	.summary = "Rebuilds and shows the leaderboard of a results folder.",
	.description = "Collects the rows of every run under DIR/runs, writes DIR/leaderboard.csv and DIR/gap.csv (the best US model against "
		       "the best Chinese one, suite by suite), and shows the leaderboard. --json: one line per row, the columns of the CSV as its fields.",
	.opts = opts,
	.exec = exec,
};
