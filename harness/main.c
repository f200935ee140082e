/* main.c - finds the command, parses its options, runs it, turns errors into one sentence and an exit status.
 *
 * Exit status: 0 done, 1 failed, 2 usage, 3 done but some requests failed, 4 the answer is no, 130/143 stopped by a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "harness/cmd.h"
#include "kernels/base/log.h"

/* The first signal asks the run to stop after the batch in progress; the second one ends the program at once. */
static void on_signal(int sig)
{
	if (cmd_stop) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	cmd_stop = sig;
}

static void usage(FILE *f)
{
	fprintf(f, "usage: assay COMMAND [options]\n\n"
		   "Weighs open language models: runs benchmark suites over open-weight models and writes CSV leaderboards whose\n"
		   "every number can be derived again, to the last bit.\n\nCommands:\n");
	for (const struct cmd *const *c = cmd_table(); *c; c++)
		fprintf(f, "  %-9s %s\n", (*c)->name, (*c)->summary);
	fprintf(f, "\n  assay COMMAND --help    the options of a command\n"
		   "  assay help TOPIC        suite, metrics, filters, profiles, numerics, exit-status, files\n"
		   "  assay --version\n\n"
		   "First steps:\n"
		   "  assay run --model stories260k --suite tiny-cloze\n"
		   "  assay board\n");
}

static const struct cmd *find_cmd(const char *name, struct err *e)
{
	const char *names[64];
	int n = 0;
	for (const struct cmd *const *c = cmd_table(); *c; c++) {
		if (!strcmp((*c)->name, name))
			return *c;
		names[n++] = (*c)->name;
	}
	names[n] = NULL;
	char hint[160];
	err_set(e, E_USAGE, "unknown command '%s'%s", name, err_hint(hint, sizeof hint, name, names));
	return NULL;
}

static int complain(const struct err *e, int colour)
{
	fprintf(stderr, "%sassay: error:%s %s\n", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "", e->msg);
	return e->code == E_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

/* A file opened later must never be taken for a closed standard stream: each closed one becomes /dev/null, opened so that
 * using it still fails. */
static void hold_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(EXIT_FAILED);
}

/* Output that did not reach its place is a failure, whatever the command thought. */
static int end(int status)
{
	errno = 0;
	if ((fflush(stdout) || ferror(stdout)) && status != EXIT_FAILED) {
		fprintf(stderr, "assay: error: standard output: %s\n", errno ? strerror(errno) : "write failed");
		return EXIT_FAILED;
	}
	return status;
}

static int colour_wanted(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(fd) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

int main(int argc, char **argv)
{
	setlocale(LC_ALL, "C"); /* numbers and case never depend on the user's locale; text is UTF-8 by our own code */
	hold_standard_streams();
	struct err e = { E_NONE, "" };
	struct globals g = { 0 };
	g.colour_out = colour_wanted(STDOUT_FILENO);
	g.colour_err = colour_wanted(STDERR_FILENO);
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("assay %s\n", PACKAGE_VERSION);
		return end(EXIT_DONE);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage(stdout);
		return end(EXIT_DONE);
	}
	const struct cmd *c = find_cmd(argv[1], &e);
	if (!c)
		return complain(&e, g.colour_err);
	struct args *a = NULL;
	if (args_parse(&a, c, argc - 2, argv + 2, &g, &e))
		return complain(&e, g.colour_err);
	if (args_flag(a, "help")) {
		cmd_print_help(stdout, c);
		args_free(a);
		return end(EXIT_DONE);
	}
	log_set_level(g.quiet ? LOG_WARN : LOG_NOTE);
	struct sigaction sa = { .sa_handler = on_signal };
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write(), said in one sentence */
	signal(SIGXFSZ, SIG_IGN); /* so is a file size limit */
	int status = c->exec(a, &g, &e);
	args_free(a);
	if (status == -1 && e.code != E_STOPPED)
		status = complain(&e, g.colour_err);
	if (cmd_stop && (status == -1 || e.code == E_STOPPED)) {
		fprintf(stderr, "assay: stopped; what was answered is kept\n");
		return 128 + cmd_stop;
	}
	return end(status);
}
