/* cmd.c - the table of commands and the text that is made from it: usage, --help. */
#include "harness/cmd.h"

#include <string.h>

volatile int cmd_stop;

static const struct cmd *const table[] = {
	&cmd_run, &cmd_board, &cmd_explain, &cmd_list, &cmd_score, &cmd_tokens, &cmd_render, &cmd_bench, &cmd_doctor, &cmd_help, NULL,
};

const struct cmd *const *cmd_table(void)
{
	return table;
}

/* Writes text wrapped at 100 columns, every line after `indent` blanks; the first line starts at column `at`. */
static void wrap(FILE *f, const char *text, int indent, int at)
{
	int col = at;
	while (*text) {
		if (*text == '\n') {
			fputc('\n', f);
			text++;
			col = 0;
			if (*text != '\n' && *text)
				col = fprintf(f, "%*s", indent, "");
			continue;
		}
		size_t n = strcspn(text, " \n");
		if (col + (int)n > 100 && col > indent) {
			fputc('\n', f);
			col = fprintf(f, "%*s", indent, "");
		}
		fwrite(text, 1, n, f);
		col += (int)n;
		text += n;
		while (*text == ' ') {
			if (col < 100)
				fputc(' ', f);
			col++;
			text++;
		}
	}
	fputc('\n', f);
}

static void print_opts(FILE *f, const struct opt *o)
{
	for (; o && o->name; o++) {
		int n = fprintf(f, "  ");
		if (o->letter)
			n += fprintf(f, "-%c, ", o->letter);
		n += fprintf(f, "--%s", o->name);
		if (o->arg)
			n += fprintf(f, " %s%s", o->arg, o->greedy ? "..." : "");
		if (n > 28) {
			fputc('\n', f);
			n = 0;
		}
		fprintf(f, "%*s", 30 - n, "");
		wrap(f, o->text, 30, 30);
	}
}

void cmd_print_help(FILE *f, const struct cmd *c)
{
	fprintf(f, "usage: assay %s %s\n\n", c->name, c->usage);
	wrap(f, c->description, 0, 0);
	if (c->opts && c->opts->name) {
		fprintf(f, "\nOptions:\n");
		print_opts(f, c->opts);
	}
	fprintf(f, "\nOptions of every command:\n");
	print_opts(f, global_opts());
}
