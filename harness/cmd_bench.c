/* cmd_bench.c - `assay bench`: each figure beside the floor measured in the same run, as CSV. */
#include <string.h>

#include "harness/cmd.h"
#include "kernels/selfcheck.h"

/* A field as RFC 4180 wants it: quoted when it holds a comma or a quote. */
static void print_field(const char *s)
{
	if (!strpbrk(s, ",\"\n")) {
		fputs(s, stdout);
		return;
	}
	putchar('"');
	for (; *s; s++) {
		if (*s == '"')
			putchar('"');
		putchar(*s);
	}
	putchar('"');
}

static void print_row(void *ctx, const struct bench_row *r)
{
	(void)ctx;
	print_field(r->what);
	putchar(',');
	print_field(r->shape);
	putchar(',');
	print_field(r->numerics);
	putchar(',');
	print_field(r->device);
	printf(",%.6g,%s,", r->value, r->unit);
	if (r->floor > 0)
		printf("%.6g,%.3f\n", r->floor, r->value / r->floor);
	else
		printf(",\n");
	fflush(stdout);
}

static int exec(const struct args *args, const struct globals *g, struct err *e)
{
	int n;
	const char *const *w = args_words(args, &n);
	if (n && strcmp(w[0], "kernels") != 0) {
		const char *known[] = { "kernels", NULL };
		char hint[160];
		return err_set(e, E_USAGE, "nothing to bench under '%s'%s", w[0], err_hint(hint, sizeof hint, w[0], known));
	}
	printf("what,shape,numerics,device,value,unit,floor,fraction\n");
	return bench_kernels(g->device, g->numerics, g->cpu_mask, g->threads ? g->threads : 1, print_row, NULL, e) ? -1 : EXIT_DONE;
}

static const struct opt opts[] = { { NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false } };

const struct cmd cmd_bench = {
	.name = "bench",
	.usage = "[kernels] [--threads N] [--cpu-mask LEVEL]",
	.summary = "Measures the kernels against the machine's own limits.",
	.description = "Prints CSV: what, shape, numerics, device, value, unit, floor, fraction of the floor. The floor is the peak of fused "
		       "multiply-adds, or the bandwidth of a plain read, measured in the same run. One thread unless --threads says otherwise.",
	.opts = opts,
	.max_words = 1,
	.word = "what to bench",
	.exec = exec,
};
