/* test_lmeval_prompts.c - every prompt of ours against what lm-evaluation-harness 0.4.13 sent to its model.
 *
 * The oracle (ASSAY_ORACLE) holds, per task and setting, contexts, continuations, stop strings, and SHA-256 of document,
 * first context and target; the rows are those of ASSAY_MATERIAL, mapped to splits by the oracle's tasks.json. Every file
 * whose task is one of our suites is compared document by document, byte by byte; chat contexts go through the templates
 * of the models' tokenizers, which are in the material too.
 */
#include "tests/test.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <sys/stat.h>

#include "harness/task.h"
#include "kernels/base/log.h"
#include "runners/chat.h"
#include "runners/text/json.h"

enum kind { DOC_ID, DOC_HASH, TARGET_HASH, PROMPT_HASH, REQUESTS, CONTEXT, CONTINUATION, GENERATION, FAILED, KINDS };
static const char *const kind_names[KINDS] = { "doc_id", "doc_hash", "target_hash", "prompt_hash", "number of requests", "context",
					       "continuation", "generation", "failed" };
static size_t files, documents, chat_documents, contexts, mismatches[KINDS];
static struct value tasks_json;
static const char *oracle, *material;
static char tmp[4096];

static struct {
	const char *model, *tokenizer;
	struct chat chat;
} chats[] = { { "tiny-llama3", "llama3_1", { { 0 } } }, { "tiny-qwen2", "qwen2_5", { { 0 } } } };
enum { NCHATS = sizeof chats / sizeof *chats };

static void extract(struct archive *ar, const char *tokenizer)
{
	char path[8192], block[8192];
	la_ssize_t n;
	snprintf(path, sizeof path, "%s/%s", tmp, tokenizer);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/%s/tokenizer_config.json", tmp, tokenizer);
	FILE *f = fopen(path, "wb");
	CU_ASSERT_FATAL(f != NULL);
	while ((n = archive_read_data(ar, block, sizeof block)) > 0)
		fwrite(block, 1, (size_t)n, f);
	fclose(f);
}

/* The chat templates out of the material's tokenizers.tar.xz. */
static void open_chats(void)
{
	char path[8192];
	struct archive *ar = archive_read_new();
	struct archive_entry *x;
	struct err e = { 0 };
	int left = NCHATS;
	archive_read_support_filter_xz(ar);
	archive_read_support_format_tar(ar);
	snprintf(path, sizeof path, "%s/tokenizers.tar.xz", material);
	CU_ASSERT(archive_read_open_filename(ar, path, 1 << 16) == ARCHIVE_OK);
	while (left && archive_read_next_header(ar, &x) == ARCHIVE_OK)
		for (int i = 0; i < NCHATS; i++) {
			snprintf(path, sizeof path, "tokenizers/%s/tokenizer_config.json", chats[i].tokenizer);
			if (strcmp(archive_entry_pathname(x), path) != 0)
				continue;
			extract(ar, chats[i].tokenizer);
			left--;
		}
	archive_read_free(ar);
	for (int i = 0; i < NCHATS; i++) {
		snprintf(path, sizeof path, "%s/%s", tmp, chats[i].tokenizer);
		CHECK(chat_open(&chats[i].chat, path, &e) == 0, "%s", e.msg);
	}
}

/* The prompt as the model gets it; file begins with the model's name. */
static struct str prompt_text(const char *file, struct arena *a, const struct request *q)
{
	struct err e = { 0 };
	struct str text;
	if (!q->context.nmessages)
		return q->context.text;
	for (int i = 0; i < NCHATS; i++)
		if (!strncmp(file, chats[i].model, strlen(chats[i].model)))
			return chat_prompt(&chats[i].chat, &q->context, NULL, false, a, &text, &e) ? str_of(arena_cstr(a, str_of(e.msg))) : text;
	return STR("no template for this model");
}

static void mismatch(enum kind k, const char *file, size_t doc, struct str want, struct str got)
{
	size_t at = 0;
	if (mismatches[k]++ >= 5)
		return;
	while (at < want.n && at < got.n && want.p[at] == got.p[at])
		at++;
	at = at > 30 ? at - 30 : 0;
	printf("\n    %s document %zu: %s differs near byte %zu: want '%.*s' got '%.*s'", file, doc, kind_names[k], at,
	       (int)(want.n - at > 90 ? 90 : want.n - at), want.p + at, got.n >= at ? (int)(got.n - at > 90 ? 90 : got.n - at) : 0,
	       got.n >= at ? got.p + at : "");
}

static void compare(enum kind k, const char *file, size_t doc, struct str want, struct str got)
{
	if (!str_eq(want, got))
		mismatch(k, file, doc, want, got);
}

static void compare_hash(enum kind k, const char *file, size_t doc, struct value line, const char *key, const unsigned char d[DIGEST_BYTES])
{
	char hex[DIGEST_HEX];
	const struct value *want = v_getc(line, key);
	digest_hex(d, hex);
	compare(k, file, doc, want ? want->s : STR(""), str_of(hex));
}

static void compare_generation(const char *file, struct value kwargs, const struct item *it, const struct request *q)
{
	const struct value *until = v_getc(kwargs, "until"), *max = v_getc(kwargs, "max_gen_toks");
	bool same = until && until->type == V_LIST && until->list->n == (size_t)q->decode.nuntil;
	for (int i = 0; same && i < q->decode.nuntil; i++)
		same = str_eq(until->list->v[i].s, q->decode.until[i]);
	same &= q->decode.max_tokens == (max ? max->i : 256) && q->decode.temperature == 0;
	if (!same)
		mismatch(GENERATION, file, it->doc, STR("the arguments"), STR("something else"));
}

static void compare_requests(const char *file, struct arena *a, struct value line, const struct item *it)
{
	const struct value *args = v_getc(line, "arguments"), *ctx = v_getc(line, "contexts");
	if (args->list->n != (size_t)it->nreq) {
		mismatch(REQUESTS, file, it->doc, arena_printf(a, "%zu", args->list->n), arena_printf(a, "%d", it->nreq));
		return;
	}
	struct str text = { 0 };
	for (int i = 0; i < it->nreq; i++) {
		const struct list *arg = args->list->v[i].list;
		const struct request *q = &it->req[i];
		if (arg->n == 1) { /* rolling */
			compare(CONTEXT, file, it->doc, arg->v[0].s, q->context.text);
			contexts++;
			continue;
		}
		if (i == 0 || q->context.messages != it->req[0].context.messages || !q->context.nmessages)
			text = prompt_text(file, a, q);
		compare(CONTEXT, file, it->doc, ctx->list->v[arg->v[0].i].s, text);
		contexts++;
		if (arg->v[1].type == V_DICT)
			compare_generation(file, arg->v[1], it, q);
		else
			compare(CONTINUATION, file, it->doc, arg->v[1].s, q->continuation);
	}
}

static void compare_line(const char *file, struct arena *a, struct value line, const struct item *it, bool chat)
{
	unsigned char d[DIGEST_BYTES];
	if (v_getc(line, "doc_id")->i != (int64_t)it->doc)
		mismatch(DOC_ID, file, it->doc, v_text(a, *v_getc(line, "doc_id")), arena_printf(a, "%zu", it->doc));
	compare_hash(DOC_HASH, file, it->doc, line, "doc_hash", it->doc_hash);
	struct str target = v_text(a, it->target);
	digest_of(target.p, target.n, d);
	compare_hash(TARGET_HASH, file, it->doc, line, "target_hash", d);
	compare_requests(file, a, line, it);
	struct str first = prompt_text(file, a, &it->req[0]);
	digest_of(first.p, first.n, d);
	compare_hash(PROMPT_HASH, file, it->doc, line, "prompt_hash", d);
	documents++;
	chat_documents += chat;
}

static int64_t int_of(struct value setting, const char *key, int64_t def)
{
	const struct value *v = v_getc(setting, key);
	return v && v->type == V_INT ? v->i : def;
}

static bool true_of(struct value setting, const char *key)
{
	const struct value *v = v_getc(setting, key);
	return v && v->type == V_BOOL && v->b;
}

static void settings_of(struct settings *set, struct docs_range *range, struct arena *a, struct value setting)
{
	const struct value *system = v_getc(setting, "system_instruction"), *gen = v_getc(setting, "gen_kwargs"), *samples = v_getc(setting, "samples");
	*set = (struct settings){ .profile = profile_find("lm-eval-0.4.13", NULL), .seed = -1, .multiturn = UNSET };
	set->shots = (int)int_of(setting, "num_fewshot", -1);
	set->limit = (size_t)int_of(setting, "limit", 0);
	set->chat = true_of(setting, "apply_chat_template");
	if (set->chat)
		set->multiturn = true_of(setting, "fewshot_as_multiturn") ? ON : OFF;
	if (system && system->type == V_STR)
		set->system = arena_cstr(a, system->s);
	if (gen && gen->type == V_DICT)
		set->max_tokens = (int)int_of(*gen, "max_gen_toks", 0);
	if (samples && samples->type == V_LIST) {
		*range = (struct docs_range){ (size_t)samples->list->v[0].i, (size_t)samples->list->v[1].i };
		set->docs = range;
		set->ndocs = 1;
		set->limit = 0;
	}
}

/* The task's files by the oracle's tasks.json. */
static int files_of(struct data_file *out, struct arena *a, const char *task)
{
	const struct value *t = v_getc(tasks_json, task), *k = t ? v_getc(*t, "dataset_kwargs") : NULL, *f = k ? v_getc(*k, "data_files") : NULL;
	if (!f)
		return 0;
	for (size_t i = 0; i < f->dict->n; i++)
		out[i] = (struct data_file){ task, f->dict->v[i].key.s.p, arena_printf(a, "%s/rows/%s", material, f->dict->v[i].val.s.p).p };
	return (int)f->dict->n;
}

static void compare_file(const char *path, const char *file, struct suite *s)
{
	struct arena a, item;
	struct rows lines;
	struct settings set;
	struct docs_range range;
	struct data_file df[8];
	struct err e = { 0 };
	struct task *t = NULL;
	struct item it;
	arena_init(&a);
	arena_init(&item);
	int rc = dataset_read(&lines, &a, path, &e);
	if (rc == 0) {
		struct data_sources d = { .file = df, .nfiles = files_of(df, &a, s->name.p) };
		settings_of(&set, &range, &a, *v_getc(lines.v[0], "setting"));
		rc = task_open(&t, s, &set, &d, &e);
	}
	for (size_t i = 0; rc == 0 && i < lines.n; i++) {
		arena_reset(&item);
		rc = task_next(t, &item, &it, &e) == 1 ? 0 : -1;
		if (rc == 0)
			compare_line(file, &item, lines.v[i], &it, set.chat);
	}
	if (rc == 0 && task_next(t, &item, &it, &e) != 0)
		mismatch(FAILED, file, lines.n, STR("no more documents"), STR("one more"));
	if (rc)
		mismatch(FAILED, file, 0, STR("no error"), str_of(e.msg[0] ? e.msg : "documents end early"));
	files++;
	task_close(t);
	arena_fini(&a);
	arena_fini(&item);
}

static void compare_folder(const char *model, struct suites *suites)
{
	char dir[4096], path[8192], task[256];
	struct dirent **names;
	snprintf(dir, sizeof dir, "%s/lmeval/%s", oracle, model);
	int n = scandir(dir, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		size_t k = strcspn(name, "+.");
		struct suite *s;
		struct err e = { 0 };
		snprintf(task, sizeof task, "%.*s", (int)k, name);
		snprintf(path, sizeof path, "%s/%s", dir, name);
		if (strstr(name, ".jsonl.gz")) {
			if (suite_find(suites, task, &s, &e) == 0)
				compare_file(path, path + strlen(oracle) + 8, s);
			else if (e.code != E_USAGE) /* a suite of ours that does not load */
				mismatch(FAILED, name, 0, STR("the suite"), str_of(e.msg));
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static void test_oracle(void)
{
	static const char *const models[] = { "stories260k-hf", "tiny-llama3", "tiny-pythia", "tiny-qwen2" };
	char dir[4096], path[8192];
	struct arena a;
	struct suites *suites;
	struct err e = { 0 };
	oracle = test_shared("oracle");
	material = test_shared("material");
	if (!oracle || !material) {
		SKIP("the oracle of lm-evaluation-harness is not here (ASSAY_ORACLE, ASSAY_MATERIAL)");
		return;
	}
	log_set_level(LOG_QUIET);
	arena_init(&a);
	snprintf(dir, sizeof dir, "%s/suites", test_srcdir());
	snprintf(path, sizeof path, "%s/lmeval/tasks.json", oracle);
	CHECK(json_load(&a, path, 1 << 24, &tasks_json, &e) == 0, "%s", e.msg);
	CHECK(suites_open(&suites, (const char *const[]){ dir, NULL }, &e) == 0, "%s", e.msg);
	snprintf(tmp, sizeof tmp, "%s", test_tmpdir());
	open_chats();
	for (size_t i = 0; i < sizeof models / sizeof *models; i++)
		compare_folder(models[i], suites);
	for (int i = 0; i < NCHATS; i++)
		chat_close(&chats[i].chat);
	test_rmdir(tmp);
	suites_close(suites);
	arena_fini(&a);
	printf("\n    %zu files, %zu documents with %zu contexts, %zu of them under chat ", files, documents, contexts, chat_documents);
	for (int k = 0; k < KINDS; k++)
		CHECK(mismatches[k] == 0, "%zu mismatches of %s", mismatches[k], kind_names[k]);
	CHECK(documents > 3000 && contexts > 10000 && chat_documents > 500, "too few documents");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "prompts of lm-evaluation-harness 0.4.13", test_oracle }, { NULL, NULL } };
	return test_main("lmeval_prompts", tests, argc, argv);
}
