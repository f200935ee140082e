/* chat.c - finds a model's chat template and renders messages with it, as transformers' apply_chat_template does.
 *
 * The template: chat_template.jinja in the model's directory, else "chat_template" of tokenizer_config.json (a string, or
 * a list of {"name", "template"} of which "default" is taken). Templates see messages, tools, documents (both none),
 * add_generation_prompt and the special tokens of tokenizer_config.json or special_tokens_map.json.
 * A message is left open (continue_final_message) the way transformers does it: a mark is put behind the last message's
 * text, and the rendered text is cut at the mark; where the template stripped the mark's own trailing blank it strips
 * texts, so the blanks before the mark go too.
 */
#include "runners/chat.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "runners/text/json.h"
#include "runners/text/utf8.h"
#include "runners/text/value.h"

enum { MAX_FILE = 64 << 20, MAX_TEMPLATE = 4 << 20, INT_DIGITS = 18 };

/* JSON whose integers of many digits are written as fractions: "model_max_length" is often 10^30 for "no limit". */
static struct str shorten_integers(struct arena *a, struct str s)
{
	struct buf b = { 0 };
	bool quoted = false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (quoted && c == '\\' && i + 1 < s.n) {
			buf_add(&b, s.p + i++, 2);
			continue;
		}
		quoted ^= c == '"';
		if (quoted || c < '0' || c > '9') {
			buf_putc(&b, c);
			continue;
		}
		size_t end = i;
		while (end < s.n && strchr("0123456789.eE+-", s.p[end]) && s.p[end])
			end++;
		bool whole = !memchr(s.p + i, '.', end - i) && !memchr(s.p + i, 'e', end - i) && !memchr(s.p + i, 'E', end - i);
		buf_add(&b, s.p + i, end - i);
		if (whole && end - i > INT_DIGITS)
			buf_puts(&b, ".0");
		i = end - 1;
	}
	struct str out = arena_str(a, b.p ? b.p : "", b.n);
	buf_fini(&b);
	return out;
}

/* DIR/NAME as JSON; out undefined when there is no such file. */
static int load_json(struct arena *a, const char *dir, const char *name, struct value *out, struct err *e)
{
	struct str path = arena_printf(a, "%s/%s", dir, name);
	*out = (struct value){ .type = V_UNDEFINED };
	if (access(path.p, F_OK) != 0)
		return 0;
	struct str text;
	if (file_load(a, path.p, MAX_FILE, &text, e) || json_parse(a, shorten_integers(a, text), path.p, out, e))
		return -1;
	return out->type == V_DICT ? 0 : err_set(e, E_FORMAT, "%s: not an object", path.p);
}

static struct str text_of(const struct value *v) /* "x" or {"content": "x"} */
{
	if (v && v->type == V_DICT)
		v = v_getc(*v, "content");
	return v && v->type == V_STR ? v->s : (struct str){ NULL, 0 };
}

/* The template that tokenizer_config.json holds; p NULL: none. */
static int config_template(struct value config, const char *dir, struct str *out, struct err *e)
{
	const struct value *t = config.type == V_DICT ? v_getc(config, "chat_template") : NULL;
	if (!t || t->type == V_NONE)
		return 0;
	if (t->type == V_STR) {
		*out = t->s;
		return 0;
	}
	if (t->type != V_LIST)
		return err_set(e, E_FORMAT, "%s/tokenizer_config.json: \"chat_template\" is neither a string nor a list", dir);
	for (size_t i = 0; i < t->list->n; i++) {
		const struct value row = t->list->v[i];
		if (row.type != V_DICT)
			return err_set(e, E_FORMAT, "%s/tokenizer_config.json: \"chat_template\" item %zu is not an object", dir, i);
		const struct value *name = v_getc(row, "name"), *text = v_getc(row, "template");
		if (name && text && name->type == V_STR && text->type == V_STR && str_is(name->s, "default"))
			*out = text->s;
	}
	if (t->list->n && !out->p)
		return err_set(e, E_FORMAT, "%s/tokenizer_config.json: \"chat_template\" is a list without one named \"default\"", dir);
	return 0;
}

int chat_template_load(const char *dir, struct arena *a, struct str *text, struct named_str **special, int *nspecial, struct err *e)
{
	static const char *const names[] = { "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token" };
	enum { NAMES = sizeof names / sizeof *names };
	struct value config, map;
	*text = (struct str){ NULL, 0 };
	*special = ARENA_ARRAY(a, NAMES, struct named_str);
	*nspecial = 0;
	if (load_json(a, dir, "tokenizer_config.json", &config, e) || load_json(a, dir, "special_tokens_map.json", &map, e))
		return -1;
	for (int i = 0; i < NAMES; i++) {
		struct str value = text_of(config.type == V_DICT ? v_getc(config, names[i]) : NULL);
		if (!value.p)
			value = text_of(map.type == V_DICT ? v_getc(map, names[i]) : NULL);
		if (value.p)
			(*special)[(*nspecial)++] = (struct named_str){ str_of(names[i]), value };
	}
	struct str path = arena_printf(a, "%s/chat_template.jinja", dir);
	if (access(path.p, F_OK) == 0)
		return file_load(a, path.p, MAX_TEMPLATE, text, e);
	return config_template(config, dir, text, e);
}

int chat_open(struct chat *c, const char *dir, struct err *e)
{
	*c = (struct chat){ 0 };
	arena_init(&c->arena);
	struct str text;
	if (chat_template_load(dir, &c->arena, &text, &c->special, &c->nspecial, e)) {
		chat_close(c);
		return -1;
	}
	/* no folder in the name: it would be written into the log of a run, which is the same wherever the model lies */
	if (text.p && jinja_compile(&c->jinja, text, JINJA_CHAT, "the chat template", &c->broken))
		c->jinja = NULL;
	return 0;
}

void chat_close(struct chat *c)
{
	if (c->jinja)
		jinja_free(c->jinja);
	arena_fini(&c->arena);
	*c = (struct chat){ 0 };
}

#define MARK "CONTINUE_FINAL_MESSAGE_TAG"

static int cut_at_mark(struct str *text, struct err *e)
{
	size_t n = sizeof MARK - 1;
	for (size_t i = text->n < n ? 0 : text->n - n + 1; i-- > 0;)
		if (memcmp(text->p + i, MARK, n) == 0) {
			bool kept = i + n < text->n && text->p[i + n] == ' ';
			text->n = i;
			if (!kept)
				*text = str_rstrip(*text);
			return 0;
		}
	return err_set(e, E_FORMAT, "the chat template leaves out the last message, so it cannot be continued");
}

int chat_render(const struct jinja *j, struct arena *a, struct value vars, bool continue_final, const char *date, struct str *out, struct err *e)
{
	if (!continue_final)
		return jinja_render(j, a, vars, date, NULL, out, e);
	const struct value *messages = v_getc(vars, "messages");
	if (!messages || messages->type != V_LIST || messages->list->n == 0)
		return err_set(e, E_RANGE, "there is no last message to continue");
	struct value copy = v_copy(a, *messages), *last = &copy.list->v[copy.list->n - 1];
	const struct value *content = last->type == V_DICT ? v_getc(*last, "content") : NULL;
	if (!content || content->type != V_STR)
		return err_set(e, E_RANGE, "the last message has no text to continue");
	struct buf marked = { 0 }; /* the text may hold NUL bytes */
	buf_str(&marked, content->s);
	buf_puts(&marked, MARK " ");
	v_set(a, *last, STR("content"), v_str(arena_str(a, marked.p, marked.n)));
	buf_fini(&marked);
	struct value with = v_dict(a);
	for (size_t i = 0; i < vars.dict->n; i++)
		v_set_key(a, with, vars.dict->v[i].key, vars.dict->v[i].val);
	v_set(a, with, STR("messages"), copy);
	if (jinja_render(j, a, with, date, NULL, out, e) || cut_at_mark(out, e))
		return -1;
	*out = arena_str(a, out->p, out->n);
	return 0;
}

int chat_prompt(const struct chat *c, const struct prompt *p, const char *date, bool drop_system, struct arena *a, struct str *out, struct err *e)
{
	if (c->broken.code != E_NONE)
		return err_set(e, c->broken.code, "%s", c->broken.msg);
	if (!c->jinja)
		return err_set(e, E_UNSUPPORTED, "the model has no chat template (neither chat_template.jinja nor tokenizer_config.json holds one)");
	struct value vars = v_dict(a), messages = v_list(a, (size_t)p->nmessages);
	for (int i = 0; i < p->nmessages; i++) {
		if (drop_system && str_is(p->messages[i].role, "system"))
			continue;
		struct value m = v_dict(a);
		v_set(a, m, STR("role"), v_str(p->messages[i].role));
		v_set(a, m, STR("content"), v_str(p->messages[i].content));
		v_push(a, messages, m);
	}
	v_set(a, vars, STR("messages"), messages);
	v_set(a, vars, STR("tools"), VNONE);
	v_set(a, vars, STR("documents"), VNONE);
	v_set(a, vars, STR("add_generation_prompt"), v_bool(p->add_generation_prompt));
	for (int i = 0; i < c->nspecial; i++)
		v_set(a, vars, c->special[i].name, v_str(c->special[i].value));
	return chat_render(c->jinja, a, vars, p->continue_final_message, date, out, e);
}
