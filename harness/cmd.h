/* cmd.h - commands and options as tables: parser, --help, the man page and shell completion read the same rows. */
#ifndef ASSAY_CMD_H
#define ASSAY_CMD_H

#include <stdbool.h>
#include <stdio.h>

#include "kernels/base/arena.h"
#include "kernels/base/cpu.h"
#include "kernels/base/err.h"

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SOME_FAILED = 3, EXIT_ANSWER_NO = 4 };

enum opt_type { OPT_FLAG, OPT_STRING, OPT_INT, OPT_SIZE, OPT_CHOICE, OPT_DATE };
struct opt {
	const char *name;        /* "limit": --limit N or --limit=N */
	char letter;             /* 'n' or 0 */
	enum opt_type type;
	const char *arg;         /* "N", for help */
	const char *text;        /* one sentence */
	long min, max;           /* OPT_INT */
	const char *choices;     /* OPT_CHOICE: "a|b|c" */
	bool multi;              /* may be given again: values collect (--model A --model B; also --model A B for `greedy`) */
	bool greedy;             /* takes following words up to the next option: --model A B */
};

/* Values after parsing, by option name. */
struct args;
const char *args_str(const struct args *a, const char *name, const char *def);
long args_int(const struct args *a, const char *name, long def);
bool args_flag(const struct args *a, const char *name);
const char *const *args_list(const struct args *a, const char *name, int *n);
const char *const *args_words(const struct args *a, int *n); /* positional */

/* Global options, parsed for every command. */
struct globals {
	int threads;
	const char *device, *numerics, *date;
	size_t memory;
	enum cpu_level cpu_mask;
	bool json, quiet, colour_out, colour_err;
};

struct cmd {
	const char *name;
	const char *usage;          /* "--model MODEL... --suite SUITE... [options]" */
	const char *summary;        /* one line */
	const char *description;    /* a few paragraphs, for --help and the man page */
	const struct opt *opts;     /* ends with name NULL */
	int min_words, max_words;   /* positional; max -1: any */
	const char *word;           /* name of the positional, for usage errors */
	int (*exec)(const struct args *a, const struct globals *g, struct err *e); /* an exit status; on -1 e is printed and the status is 1 (E_USAGE: 2) */
};
extern const struct cmd cmd_run, cmd_board, cmd_score, cmd_tokens, cmd_render, cmd_explain, cmd_list, cmd_doctor, cmd_help, cmd_bench;
const struct cmd *const *cmd_table(void);       /* NULL-ended */
const struct opt *global_opts(void);

int args_parse(struct args **out, const struct cmd *c, int argc, char **argv, struct globals *g, struct err *e);
void args_free(struct args *a);
/* The options that were given, as words again, appended to argv[argc] (for a plan whose options the command line overrides). */
int args_again(const struct args *a, struct arena *ar, int argc, char **argv, char ***out);
void cmd_print_help(FILE *f, const struct cmd *c);

/* Where the program's own data lie: suites/ and models/ (ASSAY_DATADIR, else beside the build, else the installed folder). */
const char *data_dir(void);
/* MODEL or MODEL=NAME -> path and name; a bare name is looked up among the embedded models. */
int model_resolve(const char *spec, struct arena *a, const char **path, const char **name, struct err *e);

extern volatile int cmd_stop; /* set by SIGINT/SIGTERM: 2 or 15 */

#endif
