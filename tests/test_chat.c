/* test_chat.c - where a chat template is found, what it sees, and how a last message is left open.
 *
 * Expected texts are written by hand from what transformers' apply_chat_template does with such templates.
 */
#include <sys/stat.h>

#include "runners/chat.h"
#include "tests/test.h"

static char *folder;

static void put(const char *name, const char *text)
{
	char path[4400];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (!text) {
		remove(path);
		return;
	}
	FILE *f = fopen(path, "wb");
	fputs(text, f);
	fclose(f);
}

static void test_found(void)
{
	static const struct {
		const char *jinja, *config, *map;
		const char *text, *bos, *error; /* what must come out */
	} cases[] = {
		{ NULL, NULL, NULL, NULL, NULL, NULL },
		{ NULL, "{\"bos_token\":\"<s>\"}", NULL, NULL, "<s>", NULL },
		{ "A", NULL, NULL, "A", NULL, NULL },
		{ "A", "{\"chat_template\":\"B\"}", NULL, "A", NULL, NULL },
		{ NULL, "{\"chat_template\":\"B\",\"bos_token\":{\"content\":\"<b>\",\"lstrip\":false}}", NULL, "B", "<b>", NULL },
		{ NULL, "{\"chat_template\":null}", "{\"bos_token\":\"<m>\"}", NULL, "<m>", NULL },
		{ NULL, "{\"bos_token\":null}", "{\"bos_token\":{\"content\":\"<m>\"}}", NULL, "<m>", NULL },
		{ NULL, "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"T\"},{\"name\":\"default\",\"template\":\"D\"}]}", NULL, "D", NULL, NULL },
		{ NULL, "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"T\"}]}", NULL, NULL, NULL, "default" },
		{ NULL, "{\"chat_template\":[\"x\"]}", NULL, NULL, NULL, "item 0" },
		{ NULL, "{\"chat_template\":5}", NULL, NULL, NULL, "neither" },
		{ NULL, "[]", NULL, NULL, NULL, "not an object" },
		{ NULL, "{", NULL, NULL, NULL, "tokenizer_config.json" },
		{ NULL, "{\"model_max_length\":1000000000000000019884624838656,\"chat_template\":\"1000000000000000000000\\\"2000000000000000000000\"}", NULL,
		  "1000000000000000000000\"2000000000000000000000", NULL, NULL },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct arena a;
		struct str text;
		struct named_str *special;
		int n;
		struct err e = { 0 };
		arena_init(&a);
		put("chat_template.jinja", cases[i].jinja);
		put("tokenizer_config.json", cases[i].config);
		put("special_tokens_map.json", cases[i].map);
		int rc = chat_template_load(folder, &a, &text, &special, &n, &e);
		if (cases[i].error) {
			CHECK(rc == -1 && strstr(e.msg, cases[i].error), "case %zu: %s", i, rc ? e.msg : "not refused");
		} else {
			CHECK(rc == 0, "case %zu: %s", i, e.msg);
			CHECK(cases[i].text ? text.p && str_is(text, cases[i].text) : !text.p, "case %zu: template", i);
			CHECK(n == (cases[i].bos != NULL) && (n == 0 || str_is(special[0].value, cases[i].bos)), "case %zu: special tokens", i);
		}
		arena_fini(&a);
	}
	put("chat_template.jinja", NULL);
	put("tokenizer_config.json", NULL);
	put("special_tokens_map.json", NULL);
}

#define PLAIN "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
#define TRIM "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</>\n{% endfor %}"
#define STRICT "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system here') }}{% endif %}[{{ m.content }}]{% endfor %}"

static void test_rendered(void)
{
	static const struct {
		const char *template, *system, *last_role, *last;
		bool add, open, drop;
		const char *text; /* NULL: fails with `error` */
		const char *error;
	} cases[] = {
		{ PLAIN, NULL, "user", "Hi", true, false, false, "<s><user>Hi</><assistant>", NULL },
		{ PLAIN, "Be kind", "user", "Hi", false, false, false, "<s><system>Be kind</><user>Hi</>", NULL },
		{ PLAIN, NULL, "assistant", "The answer is", false, true, false, "<s><assistant>The answer is", NULL },
		{ PLAIN, NULL, "assistant", "The answer is ", false, true, false, "<s><assistant>The answer is ", NULL },
		{ PLAIN, NULL, "assistant", "", false, true, false, "<s><assistant>", NULL },
		{ TRIM, NULL, "assistant", "The answer is", false, true, false, "<assistant>The answer is", NULL },
		{ TRIM, NULL, "assistant", "The answer is ", false, true, false, "<assistant>The answer is", NULL },
		{ STRICT, "Be kind", "user", "Hi", false, false, false, NULL, "no system here" },
		{ STRICT, "Be kind", "user", "Hi", false, false, true, "[Hi]", NULL },
		{ "nothing of them", NULL, "assistant", "x", false, true, false, NULL, "leaves out" },
	};
	put("tokenizer_config.json", "{\"bos_token\":\"<s>\"}");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		put("chat_template.jinja", cases[i].template);
		struct chat c;
		struct err e = { 0 };
		struct arena a;
		struct str text;
		arena_init(&a);
		if (chat_open(&c, folder, &e)) {
			CHECK(0, "case %zu: %s", i, e.msg);
			continue;
		}
		struct message m[2];
		int n = 0;
		if (cases[i].system)
			m[n++] = (struct message){ STR("system"), str_of(cases[i].system) };
		m[n++] = (struct message){ str_of(cases[i].last_role), str_of(cases[i].last) };
		struct prompt p = { .messages = m, .nmessages = n, .add_generation_prompt = cases[i].add, .continue_final_message = cases[i].open };
		int rc = chat_prompt(&c, &p, NULL, cases[i].drop, &a, &text, &e);
		if (cases[i].text)
			CHECK(rc == 0 && str_is(text, cases[i].text), "case %zu: '%s'", i, rc ? e.msg : text.p);
		else
			CHECK(rc == -1 && strstr(e.msg, cases[i].error), "case %zu: %s", i, rc ? e.msg : text.p);
		chat_close(&c);
		arena_fini(&a);
	}
	put("chat_template.jinja", "{% for m in messages %}");
	struct chat c;
	struct err e = { 0 };
	struct arena a;
	struct str text;
	arena_init(&a);
	struct message m = { STR("user"), STR("x") };
	struct prompt p = { .messages = &m, .nmessages = 1 };
	CHECK(chat_open(&c, folder, &e) == 0, "%s", e.msg); /* the model is of use without it */
	CHECK(chat_prompt(&c, &p, NULL, false, &a, &text, &e) == -1 && !strncmp(e.msg, "the chat template: line 1: ", 27), "%s", e.msg);
	chat_close(&c);
	arena_fini(&a);
}

struct kept {
	int ncontext;
	bool failed;
	double logprob;
};

static void keep(void *ctx, size_t i, const struct answer *a)
{
	struct kept *k = (struct kept *)ctx + i;
	*k = (struct kept){ a->ncontext, a->status == ANSWER_FAILED, a->logprob };
}

/* A runner over a model with a template: a prompt of messages is the rendered text; a refused system message. */
static void test_runner(void)
{
	char cmd[9000];
	snprintf(cmd, sizeof cmd, "cp '%.4000s'/suites/models/stories260k/* '%.900s'", test_srcdir(), folder);
	CHECK(system(cmd) == 0, "%s", cmd);
	put("chat_template.jinja", STRICT);
	struct runner *r;
	struct err e = { 0 };
	struct runner_opts o = { .kind = "engine", .model = folder, .max_level = CPU_LEVELS - 1, .threads = 1 };
	CHECK(runner_open(&r, &o, &e) == 0, "%s", e.msg);
	CHECK(runner_info(r)->has_chat_template, "it has a template");
	static const struct message kind[] = { { { "system", 6 }, { "Be kind", 7 } }, { { "user", 4 }, { "Hi", 2 } } };
	struct request q[4] = { 0 };
	for (int i = 0; i < 4; i++) {
		q[i].continuation = STR(" there");
		q[i].encode.split = SPLIT_LMEVAL;
		q[i].context = (struct prompt){ .messages = kind + 1, .nmessages = 1 };
	}
	q[1].context = (struct prompt){ .text = STR("[Hi]") };
	q[2].context = (struct prompt){ .messages = kind, .nmessages = 2 }; /* as lm-evaluation-harness: again without system */
	q[3].context = q[2].context;
	q[3].encode.split = SPLIT_NATIVE;
	struct kept k[4];
	CHECK(runner_run(r, q, 4, keep, NULL, k, &e) == 0, "%s", e.msg);
	CHECK(!k[0].failed && k[0].logprob == k[1].logprob && k[0].ncontext == k[1].ncontext, "messages are the text they render to");
	CHECK(!k[2].failed && k[2].logprob == k[1].logprob, "without the system message");
	CHECK(k[3].failed, "native: the template's refusal is a failed request");
	struct keyed x, y;
	CHECK(runner_key(r, &q[0], &x, &e) == 0 && runner_key(r, &q[1], &y, &e) == 0 && memcmp(x.key, y.key, DIGEST_BYTES) == 0, "keys are of ids");
	CHECK(runner_key(r, &q[3], &x, &e) == -1 && strstr(e.msg, "no system here"), "%s", e.msg);
	runner_close(r);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "where a template is found", test_found },
		{ "rendered messages", test_rendered },
		{ "a runner with a template", test_runner },
		{ NULL, NULL },
	};
	folder = test_tmpdir();
	int rc = test_main("chat", tests, argc, argv);
	test_rmdir(folder);
	return rc;
}
