/* cmd_tokens.c - `assay tokens`: text to ids and back, JSON lines through a tokenizer alone. */
#include "harness/cmd.h"
#include "harness/jsonlines.h"
#include "runners/runner.h"
#include "runners/text/json.h"

static const char *const fields[] = { "text", "special", "ids", "skip_special", NULL };

static void write_ids(struct line *x, const char *name, const int32_t *ids, int n)
{
	line_field(x, name);
	buf_putc(&x->out, '[');
	for (int i = 0; i < n; i++)
		buf_printf(&x->out, i ? ",%d" : "%d", ids[i]);
	buf_putc(&x->out, ']');
}

static int answer(void *ctx, struct line *x, struct arena *a, struct err *e)
{
	struct tokens *t = ctx;
	struct str text;
	bool has_text, has_ids, special, skip;
	int32_t *ids, *offsets;
	int n;
	if (line_known(x, fields, e) || line_str(x, "text", a, &text, &has_text, e) || line_bool(x, "special", true, &special, e) ||
	    line_ids(x, "ids", a, &ids, &n, &has_ids, e) || line_bool(x, "skip_special", false, &skip, e))
		return -1;
	if (has_text == has_ids)
		return err_set(e, E_FORMAT, "line %ld: one of 'text' and 'ids' is wanted", x->number);
	if (has_ids) {
		if (tokens_decode(t, ids, n, skip, a, &text, e))
			return err_wrap(e, "line %ld", x->number);
		line_begin(x);
		line_field(x, "text");
		json_write_str(&x->out, text, 0);
		return 0;
	}
	if (tokens_encode(t, text, special, a, &ids, &offsets, &n, e))
		return err_wrap(e, "line %ld", x->number);
	line_begin(x);
	write_ids(x, "ids", ids, n);
	line_field(x, "offsets");
	buf_putc(&x->out, '[');
	for (int i = 0; i < n; i++)
		buf_printf(&x->out, "%s[%d,%d]", i ? "," : "", offsets[2 * i], offsets[2 * i + 1]);
	buf_putc(&x->out, ']');
	return 0;
}

static int exec(const struct args *args, const struct globals *g, struct err *e)
{
	const char *model = args_str(args, "model", NULL), *file = args_str(args, "tokenizer", NULL);
	if (!model == !file)
		return err_set(e, E_USAGE, "one of --model MODEL and --tokenizer FILE is wanted");
	struct arena run;
	arena_init(&run);
	struct tokens *t = NULL;
	int status = -1;
	const char *path = file, *name;
	if (model && model_resolve(model, &run, &path, &name, e))
		goto done;
	if (tokens_open(&t, path, e))
		goto done;
	status = lines_filter(answer, t, e);
done:
	tokens_close(t);
	arena_fini(&run);
	return status;
}

static const struct opt opts[] = {
	{ "model", 'm', OPT_STRING, "MODEL", "The model whose tokenizer is used: a folder or the name of an embedded model.", 0, 0, NULL, false, false },
	{ "tokenizer", 't', OPT_STRING, "FILE", "A tokenizer by itself: tokenizer.json, tokenizer.model, *.tiktoken or vocab.json, or a folder that holds one.", 0, 0, NULL, false, false },
	{ NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false },
};

const struct cmd cmd_tokens = {
	.name = "tokens",
	.usage = "(--model MODEL | --tokenizer FILE) < lines.jsonl",
	.summary = "Tokenizes and detokenizes, JSON lines in and out.",
	.description =
		"Reads JSON lines from standard input and answers each in order.\n\n"
		"  {\"text\":\"...\",\"special\":true}        -> {\"ids\":[...],\"offsets\":[[start,end],...]}\n"
		"  {\"ids\":[...],\"skip_special\":false}   -> {\"text\":\"...\"}\n\n"
		"Offsets count code points of the text. Text that is no UTF-8 comes as {\"base64\":\"...\"}. A bad line gives "
		"{\"error\":\"...\"} in its place and exit status 3. Any line may carry \"id\", which is given back first.",
	.opts = opts,
	.exec = exec,
};
