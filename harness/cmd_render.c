/* cmd_render.c - `assay render`: a chat template or a suite template by itself, JSON lines in and out. */
#include <string.h>

#include "harness/cmd.h"
#include "harness/jsonlines.h"
#include "kernels/base/file.h"
#include "runners/runner.h"
#include "runners/text/jinja.h"
#include "runners/text/json.h"

static const char *const fields[] = { "messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "vars", NULL };

struct template {
	struct jinja *j;
	bool chat;
	const char *date;
	struct named_str *special;
	int nspecial;
};

static int build_vars(const struct template *t, const struct line *x, struct arena *a, struct value *out, bool *cont, struct err *e)
{
	bool add;
	if (line_known(x, fields, e) || line_bool(x, "add_generation_prompt", false, &add, e) ||
	    line_bool(x, "continue_final_message", false, cont, e))
		return -1;
	const struct value *vars = v_getc(x->v, "vars"), *messages = v_getc(x->v, "messages"), *v;
	if (vars && vars->type != V_DICT)
		return err_set(e, E_FORMAT, "line %ld: 'vars' must be an object, not %s", x->number, v_type_name(*vars));
	if (*cont && (!messages || messages->type != V_LIST || !messages->list->n))
		return err_set(e, E_FORMAT, "line %ld: 'continue_final_message' needs 'messages'", x->number);
	if (*cont && add)
		return err_set(e, E_FORMAT, "line %ld: 'continue_final_message' and 'add_generation_prompt' exclude each other", x->number);
	*out = v_dict(a);
	if (t->chat) {
		/* what transformers passes: messages, tools, documents (None when absent), add_generation_prompt, special tokens */
		for (int i = 0; i < t->nspecial; i++)
			v_set(a, *out, t->special[i].name, v_str(t->special[i].value));
		if (messages)
			v_set(a, *out, STR("messages"), *messages);
		v = v_getc(x->v, "tools");
		v_set(a, *out, STR("tools"), v ? *v : VNONE);
		v = v_getc(x->v, "documents");
		v_set(a, *out, STR("documents"), v ? *v : VNONE);
		v_set(a, *out, STR("add_generation_prompt"), v_bool(add));
	} else if (messages) {
		v_set(a, *out, STR("messages"), *messages);
	}
	for (size_t i = 0; vars && i < vars->dict->n; i++)
		v_set(a, *out, vars->dict->v[i].key.s, vars->dict->v[i].val);
	return 0;
}

static int answer(void *ctx, struct line *x, struct arena *a, struct err *e)
{
	const struct template *t = ctx;
	struct value vars;
	struct str text;
	bool cont;
	if (build_vars(t, x, a, &vars, &cont, e))
		return -1;
	if (t->chat ? chat_render(t->j, a, vars, cont, t->date, &text, e) : jinja_render(t->j, a, vars, t->date, NULL, &text, e))
		return err_wrap(e, "line %ld", x->number);
	line_begin(x);
	line_field(x, "text");
	json_write_str(&x->out, text, 0);
	return 0;
}

static int open_template(const struct args *args, struct arena *a, struct template *t, struct err *e)
{
	const char *model = args_str(args, "model", NULL), *file = args_str(args, "template", NULL), *path, *name;
	struct str source;
	if (!model == !file)
		return err_set(e, E_USAGE, "one of --model MODEL and --template FILE is wanted");
	if (file) {
		if (file_load(a, file, (size_t)16 << 20, &source, e))
			return -1;
		return jinja_compile(&t->j, source, t->chat ? JINJA_CHAT : JINJA_SUITE, file, e);
	}
	if (model_resolve(model, a, &path, &name, e) || chat_template_load(path, a, &source, &t->special, &t->nspecial, e))
		return -1;
	if (!source.p)
		return err_set(e, E_FORMAT, "model %s: it has no chat template (neither chat_template.jinja nor one in tokenizer_config.json)", path);
	return jinja_compile(&t->j, source, t->chat ? JINJA_CHAT : JINJA_SUITE, path, e);
}

static int exec(const struct args *args, const struct globals *g, struct err *e)
{
	struct arena run;
	arena_init(&run);
	struct template t = { .chat = strcmp(args_str(args, "env", "chat"), "suite") != 0, .date = g->date };
	int status = -1;
	if (open_template(args, &run, &t, e))
		goto done;
	status = lines_filter(answer, &t, e);
done:
	if (t.j)
		jinja_free(t.j);
	arena_fini(&run);
	return status;
}

static const struct opt opts[] = {
	{ "model", 'm', OPT_STRING, "MODEL", "The model whose chat template is used.", 0, 0, NULL, false, false },
	{ "template", 't', OPT_STRING, "FILE", "A template by itself.", 0, 0, NULL, false, false },
	{ "env", 0, OPT_CHOICE, "chat|suite", "chat (default): as transformers renders; suite: as lm-evaluation-harness does (strict undefined).", 0, 0, "chat|suite", false, false },
	{ NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false },
};

const struct cmd cmd_render = {
	.name = "render",
	.usage = "(--model MODEL | --template FILE) [--env chat|suite] < lines.jsonl",
	.summary = "Renders a chat or suite template, JSON lines in and out.",
	.description =
		"Reads JSON lines from standard input and answers each in order:\n\n"
		"  {\"messages\":[...],\"tools\":[...],\"documents\":[...],\"add_generation_prompt\":true,\n"
		"   \"continue_final_message\":false,\"vars\":{\"bos_token\":\"<s>\"}}  -> {\"text\":\"...\"} | {\"error\":\"...\"}\n\n"
		"The special tokens of --model are given to the template; \"vars\" adds to them or overrides. Any line may carry \"id\".",
	.opts = opts,
	.exec = exec,
};
