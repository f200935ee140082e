/* test_encode.c - from text to ids: split, special tokens, truncation, windows, failures.
 *
 * golden/encode.jsonl was made by golden/make_encode.py with Hugging Face tokenizers. Limits and failures are checked here
 * against what they must be; the recorded requests of lm-evaluation-harness are in test_lmeval_scores.c.
 */
#include "runners/encode.h"
#include "runners/text/json.h"
#include "tests/test.h"

static struct tokenizer *tok;
static struct encoder en;

static struct value load_lines(struct arena *a, const char *name)
{
	char path[4200];
	snprintf(path, sizeof path, "%s/tests/golden/%s", test_srcdir(), name);
	FILE *f = fopen(path, "rb");
	struct value all = v_list(a, 64);
	char *line = NULL;
	size_t cap = 0;
	CHECK(f != NULL, "%s", path);
	for (ssize_t n; f && (n = getline(&line, &cap, f)) > 0;) {
		struct value v;
		struct err e;
		if (json_parse(a, arena_str(a, line, (size_t)n), name, &v, &e))
			CHECK(0, "%s", e.msg);
		else
			v_push(a, all, v);
	}
	free(line);
	if (f)
		fclose(f);
	return all;
}

static enum bos bos_of(struct value row)
{
	const struct value *b = v_getc(row, "bos");
	return b->type != V_BOOL ? BOS_AUTO : b->b ? BOS_ON : BOS_OFF;
}

static int same_ids(const int32_t *ids, int n, const struct value *want)
{
	if ((size_t)n != want->list->n)
		return 0;
	for (int i = 0; i < n; i++)
		if (ids[i] != want->list->v[i].i)
			return 0;
	return 1;
}

static void check_pair(struct value row, const char *name, enum split_rule split, int line)
{
	struct arena a;
	struct err e = { 0 };
	struct work w;
	arena_init(&a);
	struct request q = { .ask = ASK_LOGLIK, .encode = { .split = split, .bos = bos_of(row) } };
	q.context.text = v_getc(row, "context")->s;
	q.continuation = v_getc(row, "continuation")->s;
	const struct value *want = v_getc(row, name);
	bool fails = v_getc(*want, "fails") != NULL;
	int rc = encode_request(&en, &q, q.context.text, &a, &w, &e);
	CHECK((rc != 0) == fails && (!rc || e.msg[0]), "line %d, %s: %s", line, name, rc ? e.msg : "not refused");
	if (rc == 0 && !fails) {
		const struct encoded *x = &w.encoded;
		CHECK(same_ids(x->ids, x->ncontext, v_getc(*want, "context")), "line %d, %s: context", line, name);
		CHECK(same_ids(x->ids + x->ncontext, w.ncontinuation, v_getc(*want, "continuation")), "line %d, %s: continuation", line, name);
		int inputs = x->nids - 1 < 512 ? x->nids - 1 : 512;
		CHECK(w.nitems == 1 && w.item->n == inputs && w.item->first == inputs - w.ncontinuation &&
			      w.item->ids + w.item->n == x->ids + x->nids - 1,
		      "line %d, %s: %d inputs from %d", line, name, w.item->n, w.item->first);
	}
	arena_fini(&a);
}

static void check_windows(struct value row, int line)
{
	struct arena a;
	struct err e = { 0 };
	struct work w;
	arena_init(&a);
	struct request q = { .ask = ASK_ROLLING, .encode = { .split = SPLIT_LMEVAL, .bos = bos_of(row) } };
	q.context.text = v_getc(row, "text")->s;
	CHECK(encode_request(&en, &q, q.context.text, &a, &w, &e) == 0, "line %d: %s", line, e.msg);
	const struct value *ids = v_getc(row, "ids"), *win = v_getc(row, "windows");
	CHECK((size_t)w.nitems == win->list->n, "line %d: %d windows", line, w.nitems);
	if (w.nitems)
		CHECK(w.encoded.ids[0] == 1 && same_ids(w.encoded.ids + 1, w.encoded.nids - 1, ids), "line %d: ids", line);
	int predicted = 0;
	for (int i = 0; i < w.nitems && (size_t)i < win->list->n; i++) {
		const struct work_item *it = &w.item[i];
		CHECK(it->context == win->list->v[i].list->v[0].i && it->n - it->first == win->list->v[i].list->v[1].i, "line %d: window %d", line, i);
		CHECK(it->n <= 512 && it->ids + it->first == w.encoded.ids + predicted, "line %d: window %d does not go on", line, i);
		predicted += it->n - it->first;
	}
	CHECK(predicted == (int)ids->list->n, "line %d: %d of %zu predicted", line, predicted, ids->list->n);
	/* native: the same windows over the text's own ids, without a second BOS */
	q.encode.split = SPLIT_NATIVE;
	CHECK(encode_request(&en, &q, q.context.text, &a, &w, &e) == 0, "line %d: %s", line, e.msg);
	int own = ids->list->n > 0 && ids->list->v[0].i == 1, all = 0;
	for (int i = 0; i < w.nitems; i++)
		all += w.item[i].n - w.item[i].first;
	CHECK(all == (int)ids->list->n - own, "line %d, native: %d predicted", line, all);
	arena_fini(&a);
}

static void test_golden(void)
{
	struct arena a;
	arena_init(&a);
	struct value rows = load_lines(&a, "encode.jsonl");
	CHECK(rows.list->n > 150, "%zu lines", rows.list->n);
	for (size_t i = 0; i < rows.list->n; i++) {
		struct value row = rows.list->v[i];
		if (v_getc(row, "text")) {
			check_windows(row, (int)i + 1);
		} else {
			check_pair(row, "lmeval", SPLIT_LMEVAL, (int)i + 1);
			check_pair(row, "native", SPLIT_NATIVE, (int)i + 1);
		}
	}
	arena_fini(&a);
}

/* The text that ids of the continuation stand for begins where the continuation does, or before, inside its first token. */
static void test_native_loses_nothing(void)
{
	static const char text[] = "Once upon a time, Tim's caf\xc3\xa9 had 12 big\xe3\x80\x80\xe9\xbe\x99\xe3\x80\x82\n\n And <s> then?";
	struct arena a;
	arena_init(&a);
	for (size_t at = 0; at + 1 < sizeof text; at++) {
		if (((unsigned char)text[at] & 0xc0) == 0x80)
			continue;
		struct request q = { .ask = ASK_LOGLIK, .continuation = { text + at, sizeof text - 1 - at } };
		struct str head = { text, at };
		struct work w;
		struct err e = { 0 };
		CHECK(encode_request(&en, &q, head, &a, &w, &e) == 0, "at %zu: %s", at, e.msg);
		struct ids whole;
		tokenizer_encode(tok, str_of(text), TOK_SPECIAL, &a, &whole, &e);
		CHECK(w.encoded.nids == whole.n && memcmp(w.encoded.ids, whole.id, (size_t)whole.n * sizeof *whole.id) == 0,
		      "at %zu: not the whole text's ids", at);
	}
	arena_fini(&a);
}

static void test_limits(void)
{
	static int32_t ids[600];
	static const int rise[] = { 0, 3, 9 }, fall[] = { 3, 3 }, past[] = { 10 };
	static const struct {
		enum ask ask;
		int nids, max_length, max_tokens, bad;
		const int *at;
		int nat;
		bool ok;
		int inputs, used;
	} cases[] = {
		{ ASK_IDS, 10, 0, 0, -1, NULL, 0, true, 10, 0 },
		{ ASK_IDS, 512, 0, 0, -1, NULL, 0, true, 512, 0 },
		{ ASK_IDS, 513, 0, 0, -1, NULL, 0, false, 0, 0 },
		{ ASK_IDS, 11, 10, 0, -1, NULL, 0, false, 0, 0 },
		{ ASK_IDS, 0, 0, 0, -1, NULL, 0, false, 0, 0 },
		{ ASK_IDS, 10, 513, 0, -1, NULL, 0, false, 0, 0 },
		{ ASK_IDS, 10, 0, 0, 4, NULL, 0, false, 0, 0 },
		{ ASK_IDS, 10, 0, 0, -1, rise, 3, true, 10, 0 },
		{ ASK_IDS, 10, 0, 0, -1, fall, 2, false, 0, 0 },
		{ ASK_IDS, 10, 0, 0, -1, past, 1, false, 0, 0 },
		{ ASK_GENERATE, 10, 0, 20, -1, NULL, 0, true, 10, 10 },
		{ ASK_GENERATE, 500, 0, 20, -1, NULL, 0, true, 492, 492 },
		{ ASK_GENERATE, 500, 100, 99, -1, NULL, 0, true, 1, 1 },
		{ ASK_GENERATE, 500, 100, 100, -1, NULL, 0, false, 0, 0 },
		{ ASK_GENERATE, 0, 0, 20, -1, NULL, 0, false, 0, 0 },
		{ ASK_GENERATE, 10, 0, 20, 9, NULL, 0, false, 0, 0 },
		{ ASK_ROLLING, 600, 0, 0, -1, NULL, 0, true, 512, 0 },
		{ ASK_ROLLING, 600, 0, 0, 599, NULL, 0, false, 0, 0 },
		{ ASK_ROLLING, 600, 1, 0, -1, NULL, 0, true, 1, 0 },
	};
	struct arena a;
	arena_init(&a);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (int k = 0; k < 600; k++)
			ids[k] = k == cases[i].bad ? 512 : 3 + k % 500;
		struct request q = { .ask = cases[i].ask, .encode = { .max_length = cases[i].max_length }, .logits_at = cases[i].at,
				     .nlogits_at = cases[i].nat };
		q.context = (struct prompt){ .ids = ids, .nids = cases[i].nids, .has_ids = true };
		q.decode.max_tokens = cases[i].max_tokens;
		struct work w;
		struct err e = { 0 };
		int rc = encode_request(&en, &q, STR(""), &a, &w, &e);
		CHECK((rc == 0) == cases[i].ok && (rc == 0 || e.msg[0]), "case %zu: %s", i, rc ? e.msg : "not refused");
		if (rc == 0)
			CHECK(w.item->n == cases[i].inputs && w.nused == cases[i].used, "case %zu: %d inputs, %d used", i, w.item->n, w.nused);
	}
	arena_fini(&a);
}

static void test_without_tokenizer(void)
{
	struct encoder bare;
	struct err e = { 0 };
	struct arena a;
	struct work w;
	arena_init(&a);
	CHECK(encoder_init(&bare, NULL, 512, 64, &e) == 0, "%s", e.msg);
	static const enum ask asks[] = { ASK_LOGLIK, ASK_ROLLING, ASK_GENERATE };
	for (size_t i = 0; i < 3; i++) {
		struct request q = { .ask = asks[i], .continuation = STR("x"), .decode = { .max_tokens = 3 } };
		CHECK(encode_request(&bare, &q, STR("a"), &a, &w, &e) == -1 && strstr(e.msg, "tokenizer"), "kind %zu: %s", i, e.msg);
	}
	encoder_fini(&bare);
	arena_fini(&a);
	CHECK(encoder_max_length(512, tok) == 512 && encoder_max_length(0, tok) == 512 && encoder_max_length(0, NULL) == 2048, "longest input");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "golden splits and windows", test_golden },
		{ "the native split keeps the whole text's ids", test_native_loses_nothing },
		{ "limits and bad ids", test_limits },
		{ "without a tokenizer", test_without_tokenizer },
		{ NULL, NULL },
	};
	char dir[4096];
	struct err e = { 0 };
	snprintf(dir, sizeof dir, "%s/suites/models/stories260k", test_srcdir());
	if (tokenizer_open(&tok, dir, &e) || encoder_init(&en, tok, 512, 512, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		return 99;
	}
	int rc = test_main("encode", tests, argc, argv);
	encoder_fini(&en);
	tokenizer_close(tok);
	return rc;
}
