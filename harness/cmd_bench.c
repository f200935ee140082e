/* cmd_bench.c - `assay bench`: each figure beside the floor measured in the same run, as CSV. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "harness/bench_tokens.h"
#include "harness/cmd.h"
#include "kernels/selfcheck.h"
#include "runners/runner.h"

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

/* The head comes with the first row, so that an error leaves nothing on standard output. */
static void print_row(void *ctx, const struct bench_row *r)
{
	bool *head = ctx;
	if (!*head)
		puts("what,shape,numerics,device,value,unit,floor,fraction");
	*head = true;
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

/* "1,8,64" -> numbers; how many, or -1 */
static int parse_batches(int *out, int max, const char *s, struct err *e)
{
	for (int n = 0; n < max;) {
		char *end;
		long v = strtol(s, &end, 10);
		if (end == s || v < 1 || v > 4096 || (*end && *end != ','))
			break;
		out[n++] = (int)v;
		if (!*end)
			return n;
		s = end + 1;
	}
	return err_set(e, E_USAGE, "--batch wants numbers from 1 to 4096 with commas between, at most %d of them", max);
}

static int bench_model(const struct args *args, const struct globals *g, bool decode, struct err *e)
{
	struct arena a;
	int batch[16], rc = -1;
	bool head = false;
	const char *model = args_str(args, "model", NULL), *name;
	struct bench_opts o = { .decode = decode, .shape = args_str(args, "shape", NULL), .dtype = args_str(args, "dtype", NULL),
				.device = g->device, .numerics = g->numerics, .threads = g->threads ? g->threads : 1, .max_level = g->cpu_mask,
				.tokens = (int)args_int(args, "tokens", 2048), .context = (int)args_int(args, "context", 512), .batch = batch };
	if (!model == !o.shape)
		return err_set(e, E_USAGE, "bench %s wants one of --model and --shape", decode ? "decode" : "prefill");
	if (model && o.dtype)
		return err_set(e, E_USAGE, "--dtype is for --shape: a model has the types of its files");
	if ((o.nbatch = parse_batches(batch, 16, args_str(args, "batch", "1"), e)) < 0)
		return -1;
	arena_init(&a);
	if (!model || model_resolve(model, &a, &o.model, &name, e) == 0)
		rc = runner_bench(&o, print_row, &head, e);
	arena_fini(&a);
	return rc;
}

static int bench_ops(const struct args *args, const struct globals *g, struct err *e)
{
	bool head = false;
	(void)args;
	return bench_kernels(g->device, g->numerics, g->cpu_mask, g->threads ? g->threads : 1, print_row, &head, e);
}

static int bench_text(const struct args *args, const struct globals *g, struct err *e)
{
	struct arena a;
	bool head = false;
	int n, rc = -1;
	const char *const *w = args_words(args, &n);
	const char *model = args_str(args, "model", NULL), *path = args_str(args, "tokenizer", NULL), *name;
	(void)g;
	if (!model == !path)
		return err_set(e, E_USAGE, "bench tokens wants one of --model and --tokenizer");
	arena_init(&a);
	if (!model || model_resolve(model, &a, &path, &name, e) == 0)
		rc = bench_tokens(path, w + 1, n - 1, print_row, &head, e);
	arena_fini(&a);
	return rc;
}

static int bench_prefill(const struct args *args, const struct globals *g, struct err *e)
{
	return bench_model(args, g, false, e);
}

static int bench_decode(const struct args *args, const struct globals *g, struct err *e)
{
	return bench_model(args, g, true, e);
}

static const struct opt opts[] = {
	{ "model", 0, OPT_STRING, "MODEL", "prefill, decode, tokens: a model's directory, or the name of an embedded one.", 0, 0, NULL, false, false },
	{ "shape", 0, OPT_STRING, "NAME", "prefill, decode: random weights in this shape, made on the device (assay list shapes).", 0, 0, NULL, false, false },
	{ "tokenizer", 0, OPT_STRING, "FILE", "tokens: a tokenizer by itself.", 0, 0, NULL, false, false },
	{ "dtype", 0, OPT_CHOICE, "TYPE", "Type of random weights: bf16 (default), f16, f32.", 0, 0, "bf16|f16|f32", false, false },
	{ "tokens", 0, OPT_INT, "N", "prefill: tokens of the prompt (2048).", 1, 1 << 20, NULL, false, false },
	{ "context", 0, OPT_INT, "N", "decode: tokens before (512).", 0, 1 << 20, NULL, false, false },
	{ "batch", 0, OPT_STRING, "N,N,...", "decode: sequences at once, a line for each number (1).", 0, 0, NULL, false, false },
	{ NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false },
};

static const struct subject {
	const char *name;
	int (*exec)(const struct args *args, const struct globals *g, struct err *e);
	const char *takes[5]; /* of the options above */
} subjects[] = {
	{ "kernels", bench_ops, { NULL } },
	{ "prefill", bench_prefill, { "model", "shape", "dtype", "tokens", NULL } },
	{ "decode", bench_decode, { "model", "shape", "dtype", "context", "batch" } },
	{ "tokens", bench_text, { "model", "tokenizer", NULL } },
};
enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

/* Every option given must be one that the subject takes. */
static int check_options(const struct subject *s, const struct args *args, struct err *e)
{
	for (const struct opt *o = opts; o->name; o++) {
		bool taken = !args_str(args, o->name, NULL);
		for (size_t i = 0; i < sizeof s->takes / sizeof s->takes[0] && s->takes[i]; i++)
			taken = taken || strcmp(s->takes[i], o->name) == 0;
		if (!taken)
			return err_set(e, E_USAGE, "--%s is not for bench %s", o->name, s->name);
	}
	return 0;
}

static int exec(const struct args *args, const struct globals *g, struct err *e)
{
	const char *known[SUBJECTS + 1] = { NULL };
	char hint[160];
	int n;
	const char *const *w = args_words(args, &n);
	const char *what = n ? w[0] : subjects[0].name;
	signal(SIGINT, SIG_DFL); /* rows are out as they come and nothing is kept: the first signal ends it */
	signal(SIGTERM, SIG_DFL);
	for (int i = 0; i < SUBJECTS; i++) {
		known[i] = subjects[i].name;
		if (strcmp(what, subjects[i].name) != 0)
			continue;
		if (n > 1 && subjects[i].exec != bench_text)
			return err_set(e, E_USAGE, "'%s' is one word too many (bench %s)", w[1], what);
		return check_options(&subjects[i], args, e) || subjects[i].exec(args, g, e) ? -1 : EXIT_DONE;
	}
	return err_set(e, E_USAGE, "nothing to bench under '%s'%s (there is: kernels, prefill, decode, tokens)", what,
		       err_hint(hint, sizeof hint, what, known));
}

const struct cmd cmd_bench = {
	.name = "bench",
	.usage = "[kernels|prefill|decode|tokens] [--model MODEL|--shape NAME|--tokenizer FILE] [options] [TEXT...]",
	.summary = "Measures operations, forward passes and tokenizers, where there are limits against those of the machine.",
	.description =
		"Prints CSV: what, shape, numerics, device, value, unit, floor, fraction of the floor. kernels: every operation beside the device's "
		"limits (fused multiply-adds in registers, a plain read and copy of memory), measured in the same run. prefill: tokens a "
		"second of a prompt. decode: tokens a second of sequences at once, behind a context. The floor of these two is what floating-point "
		"operations and bytes of the model allow at those limits. On a processor one thread unless --threads says otherwise. tokens: "
		"load time, and text a second of processor time by one thread: files named behind it or rows of the embedded suites, and long runs of one "
		"character.",
	.opts = opts,
	.max_words = -1,
	.word = "what to bench",
	.exec = exec,
};
