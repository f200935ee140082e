/* test_tokenizer_files.c - tokenizers without a tokenizer.json: tests/golden/tokfiles (vectors of transformers and
 * tiktoken), and broken files.
 *
 * Each row of cases.json is a folder: it is put together here, opened, and asked for ids, offsets and text both ways.
 * Llama 2's own tokenizer.model is held against llama.cpp's vectors in test_tokenizer.c.
 */
#include <sys/stat.h>
#include <time.h>

#include "runners/text/json.h"
#include "tests/tokens.h"

static char *dir;

static struct str slurp(struct arena *a, const char *path)
{
	FILE *f = fopen(path, "rb");
	struct buf b = { 0 };
	char part[4096];
	size_t n;
	if (!f) {
		printf("%s: cannot be read\n", path);
		exit(99);
	}
	while ((n = fread(part, 1, sizeof part, f)) > 0)
		buf_add(&b, part, n);
	fclose(f);
	struct str s = arena_str(a, b.p ? b.p : "", b.n);
	buf_fini(&b);
	return s;
}

static void put(const char *name, const void *p, size_t n)
{
	char path[4200];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		exit(99);
	}
}

static void fresh(void)
{
	if (dir)
		test_rmdir(dir);
	dir = test_tmpdir();
}

static struct str golden(struct arena *a, const char *name)
{
	return slurp(a, arena_printf(a, "%s/tests/golden/tokfiles/%s", test_srcdir(), name).p);
}

static void make_folder(struct arena *a, struct value files)
{
	fresh();
	for (size_t i = 0; i < files.dict->n; i++) {
		struct value v = files.dict->v[i].val;
		struct str s = v.type == V_STR ? golden(a, v.s.p) : json_text(a, v, 0, -1);
		put(files.dict->v[i].key.s.p, s.p, s.n);
	}
}

static void one_row(const char *name, size_t i, const struct tokenizer *t, struct str text, struct value want)
{
	bool ok[KINDS];
	one_case(t, text, want, ok);
	for (int k = 0; k < KINDS; k++)
		CHECK(ok[k] || (k == OFFSETS && !v_getc(want, "off")), "%s: text %zu: %s differ", name, i, kinds[k]);
}

static void test_golden(void)
{
	struct arena a;
	struct value v;
	struct err e = { 0 };
	arena_init(&a);
	struct str s = golden(&a, "cases.json");
	CU_ASSERT_FATAL(json_parse(&a, s, "cases.json", &v, &e) == 0);
	size_t opened = 0;
	struct value texts = *v_getc(v, "texts"), rows = *v_getc(v, "folders");
	for (size_t i = 0; i < rows.list->n; i++) {
		struct value row = rows.list->v[i];
		struct tokenizer *t = NULL;
		const char *name = v_getc(row, "name")->s.p;
		make_folder(&a, *v_getc(row, "files"));
		CHECK(tokenizer_open(&t, dir, &e) == 0, "%s: %s", name, e.msg);
		if (!t)
			continue;
		opened++;
		CHECK(tokenizer_bos(t) == v_getc(row, "bos")->i, "%s: bos %d", name, tokenizer_bos(t));
		CHECK(tokenizer_eos(t) == v_getc(row, "eos")->i, "%s: eos %d", name, tokenizer_eos(t));
		for (size_t k = 0; k < texts.list->n; k++)
			one_row(name, k, t, texts.list->v[k].s, v_getc(row, "cases")->list->v[k]);
		tokenizer_close(t);
	}
	CHECK(opened >= 55, "only %zu of %zu folders", opened, rows.list->n);
	arena_fini(&a);
}

/* ---- broken files: one sentence each ---- */

static void refuses(const char *what, const char *want)
{
	struct tokenizer *t = NULL;
	struct err e = { 0 };
	CHECK(tokenizer_open(&t, dir, &e) < 0, "%s: opened", what);
	CHECK(strstr(e.msg, want) != NULL, "%s: '%s' does not say '%s'", what, e.msg, want);
	tokenizer_close(t);
}

/* Protobuf: a field of bytes, a field with a number. */
static void pb_bytes(struct buf *b, unsigned field, const void *p, size_t n)
{
	buf_putc(b, (char)(field << 3 | 2));
	for (size_t v = n; v > 127 || (buf_putc(b, (char)v), 0); v >>= 7)
		buf_putc(b, (char)(v | 128));
	buf_add(b, p, n);
}

static void pb_number(struct buf *b, unsigned field, uint64_t v)
{
	for (uint64_t tag = field << 3; tag > 127 || (buf_putc(b, (char)tag), 0); tag >>= 7)
		buf_putc(b, (char)(tag | 128));
	for (; v > 127 || (buf_putc(b, (char)v), 0); v >>= 7)
		buf_putc(b, (char)(v | 128));
}

static void pb_piece(struct buf *b, const char *text, size_t n, float score, unsigned type)
{
	struct buf p = { 0 };
	pb_bytes(&p, 1, text, n);
	buf_putc(&p, 2 << 3 | 5);
	buf_add(&p, &score, 4);
	pb_number(&p, 3, type);
	pb_bytes(b, 1, p.p, p.n);
	buf_fini(&p);
}

/* <unk> and a; then what a case adds; then a trainer_spec with one number. */
static struct buf model(unsigned field, uint64_t v)
{
	struct buf b = { 0 }, spec = { 0 };
	pb_piece(&b, "<unk>", 5, 0, 2);
	pb_piece(&b, "a", 1, -1, 1);
	pb_number(&spec, 3, 2);
	if (field)
		pb_number(&spec, field, v);
	pb_bytes(&b, 2, spec.p, spec.n);
	buf_fini(&spec);
	return b;
}

static void sp(struct buf *b, const char *what, const char *want)
{
	put("tokenizer.model", b->p ? b->p : "", b->n);
	refuses(what, want);
	buf_fini(b);
}

static void test_protobuf(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *want;
	} raw[] = {
		{ "", 0, "no pieces" },
		{ "\x0a\x03\x0a\x01\x61", 5, "1 pieces and no trainer_spec behind them: the file is cut off" },
		{ "\x08\x01", 2, "pieces has wire type 0" },
		{ "\x15\x01\x02\x03\x04", 5, "trainer_spec has wire type 5" },
		{ "\x0a\xff\xff\xff\xff\x0f", 6, "a length beyond the end" },
		{ "\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11, "a length beyond the end" },
		{ "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, "beyond 64 bits" },
		{ "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, "beyond 64 bits" },
		{ "\x0b", 1, "wire type" },
		{ "\x0f", 1, "wire type" },
		{ "\x02\x00", 2, "no protobuf field" },
		{ "\x0a", 1, "ends inside a number" },
		{ "\x29\x00\x00", 3, "ends inside a number" },
		{ "\x0a\x02\x08\x01", 4, "piece has wire type 0" },
		{ "\x0a\x02\x12\x00", 4, "score has wire type 2" },
		{ "\x0a\x00", 2, "piece 0 is empty" },
		{ "\x12\x02\x1a\x00", 4, "model_type has wire type 2" },
		{ "\x1a\x02\x10\x00", 4, "precompiled_charsmap has wire type 0" },
	};
	static const struct {
		unsigned field;
		uint64_t v;
		const char *want;
	} spec[] = {
		{ 3, 3, "type WORD" },
		{ 3, 4, "type CHAR" },
		{ 3, 77, "model_type 77" },
		{ 24, 1, "treat_whitespace_as_suffix" },
	};
	fresh();
	for (size_t i = 0; i < sizeof raw / sizeof raw[0]; i++) {
		put("tokenizer.model", raw[i].bytes, raw[i].n);
		refuses(raw[i].want, raw[i].want);
	}
	for (size_t i = 0; i < sizeof spec / sizeof spec[0]; i++) {
		struct buf b = model(spec[i].field, spec[i].v);
		sp(&b, spec[i].want, spec[i].want);
	}
	struct buf b = model(0, 0);
	struct tokenizer *t = NULL;
	struct err e = { 0 };
	put("tokenizer.model", b.p, b.n);
	CHECK(tokenizer_open(&t, dir, &e) == 0, "the smallest model: %s", e.msg);
	tokenizer_close(t);
	pb_piece(&b, "a", 1, -2, 1);
	sp(&b, "a piece twice", "'a' has two ids, 1 and 2");
	b = model(0, 0);
	pb_piece(&b, "a\0b", 3, -2, 1);
	sp(&b, "NUL", "piece 2 holds NUL");
	b = model(0, 0);
	pb_piece(&b, "\xff", 1, -2, 1);
	sp(&b, "no UTF-8", "piece 2 is no UTF-8");
	b = model(0, 0);
	pb_piece(&b, "b", 1, (float)(1e308 * 1e10), 1);
	sp(&b, "an endless score", "score that is no number");
	b = model(0, 0);
	pb_piece(&b, "b", 1, 0, 9);
	sp(&b, "type 9", "an unknown type");
	b = model(0, 0);
	char *big = xcalloc(1, 5000);
	memset(big, 'x', 5000);
	pb_piece(&b, big, 5000, 0, 1);
	free(big);
	sp(&b, "a long piece", "is too long");
	b = model(3, 1);
	struct buf unk = { 0 };
	pb_number(&unk, 40, 7);
	pb_bytes(&b, 2, unk.p, unk.n);
	buf_fini(&unk);
	sp(&b, "unk_id", "unk_id 7 is no piece");
	put("config.json", "{\"model_type\":\"t5\"}", 19);
	b = model(0, 0);
	sp(&b, "T5 of BPE", "a T5Tokenizer is not made from a SentencePiece model of type BPE");
	put("tokenizer_config.json", "{\"tokenizer_class\":\"AlbertTokenizerFast\"}", 41);
	b = model(0, 0);
	sp(&b, "a class with its own rules", "'AlbertTokenizerFast' is not supported");
}

/* Every way to cut a model off, and noise: an answer or a sentence, and nothing else. */
static void test_noise(void)
{
	struct arena a;
	arena_init(&a);
	struct str good[] = { golden(&a, "bpe_user.model"), golden(&a, "uni_user.model"),
			      golden(&a, "ranks.tiktoken") };
	uint64_t x = test_seed();
	fresh();
	put("config.json", "{\"model_type\":\"llama\"}", 22);
	for (size_t m = 0; m < 3; m++) {
		char *copy = arena_alloc(&a, good[m].n);
		for (int i = 0; i < 400; i++) {
			size_t n = good[m].n;
			memcpy(copy, good[m].p, n);
			x = x * 6364136223846793005u + 1442695040888963407u;
			if (i % 2)
				n = (size_t)(x >> 33) % n;
			else
				for (int k = 0; k < 1 + i / 50;
				     k++, x = x * 6364136223846793005u + 1442695040888963407u)
					copy[(size_t)(x >> 33) % n] = (char)(x >> 20);
			struct tokenizer *t = NULL;
			struct err e = { 0 };
			put("tokenizer.model", copy, n);
			struct ids ids;
			if (tokenizer_open(&t, dir, &e) == 0)
				tokenizer_encode(t, STR("Hello <user> 12 \xe6\xbc\xa2"), TOK_SPECIAL, &a, &ids, &e);
			else
				CHECK(e.msg[0] && !strchr(e.msg, '\n'), "model %zu, case %d: '%s'", m, i, e.msg);
			tokenizer_close(t);
		}
	}
	arena_fini(&a);
}

struct broken {
	const char *what, *file, *text, *want;
};

static void break_files(struct arena *a, struct value files, const struct broken *rows)
{
	for (; rows->what; rows++) {
		make_folder(a, files);
		put(rows->file, rows->text, strlen(rows->text));
		refuses(rows->what, rows->want);
	}
}

static void test_text(void)
{
	static const struct broken ranks[] = {
		{ "an unknown family", "config.json", "{\"model_type\":\"nosuch\"}", "known family (Qwen, Kimi" },
		{ "no rank", "tokenizer.model", "IQ== 0\nIg==\n", "tokenizer.model:2: a line must be" },
		{ "a third word", "tokenizer.model", "IQ== 0\nIg== 1 2\n", "tokenizer.model:2: a line must be" },
		{ "base64", "tokenizer.model", "IQ== 0\nI*== 1\n", "tokenizer.model:2: 'I*==' is not base64" },
		{ "three digits", "tokenizer.model", "IQ== 0\nIgA 1\n", "'IgA' is not base64" },
		{ "a rank twice", "tokenizer.model", "IQ== 0\nIg== 0\n", "tokenizer.model:2: rank 0 stands twice" },
		{ "a token twice", "tokenizer.model", "IQ== 0\nIQ== 1\n", "'!' has two ids, 0 and 1" },
		{ "a rank too large", "tokenizer.model", "IQ== 0\nIg== 99999999999999999999\n", "rank below" },
		{ "an id far behind the ranks", "tokenizer_config.json",
		  "{\"added_tokens_decoder\":{\"16777215\":{\"content\":\"<far>\"}}}",
		  "tokenizer_config.json: added_tokens_decoder has id 16777215, but the ranks end at 700" },
		{ "a rank far off", "tokenizer.model", "IQ== 0\nIg== 16777215\n", "tokenizer.model:2: rank 16777215 is far beyond" },
		{ "a hole", "tokenizer.model", "IQ== 0\nIg== 2\n", "rank 2 is missing" },
		{ NULL, NULL, NULL, NULL },
	};
	static const struct broken vocab[] = {
		{ "a merge of nothing", "merges.txt", "#version: 0.2\nh e\nqq e\n",
		  "merges.txt:3: the merge names 'qq'" },
		{ "a merge to nothing", "merges.txt", "h h\n", "merges.txt:1: the merge makes 'hh'" },
		{ "three words", "merges.txt", "h e l\n", "merges.txt:1: 'h e l' must be two tokens" },
		{ "no merges", "merges.txt", "\xff", "merges.txt: not UTF-8" },
		{ "no object", "vocab.json", "[1]", "vocab.json:1: '[' where an object should stand" },
		{ "an id twice", "vocab.json", "{\"a\":0,\n\"b\":0}",
		  "vocab.json:2: the tokens 'a' and 'b' both have id 0" },
		{ "an id too large", "vocab.json", "{\"a\":99999999}", "too large" },
		{ "an id far off", "vocab.json", "{\"a\":16777215}", "id 16777215 is far beyond the 1 tokens" },
		{ "an empty vocabulary", "vocab.json", "{}", "no tokens" },
		{ "a class that is not made from it", "config.json", "{\"model_type\":\"nosuch\"}",
		  "tokenizer_class in tokenizer_config.json" },
		{ "a blank before a known name", "config.json", "{\"model_type\":\" audioflamingo3\"}",
		  "tokenizer_class in tokenizer_config.json" },
		{ "a known name, NUL, more", "config.json", "{\"model_type\":\"vibevoice\\u0000xxxxxxxxxxxxxxx\"}",
		  "tokenizer_class in tokenizer_config.json" },
		{ "two known names", "config.json", "{\"model_type\":\"qwen2 qwen2_5_omni\"}",
		  "tokenizer_class in tokenizer_config.json" },
		{ "a long name", "config.json",
		  "{\"model_type\":\"gpt2xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
		  "tokenizer_class in tokenizer_config.json" },
		{ "no vocabulary", "vocab.json", "", "vocab.json:1: " },
		{ NULL, NULL, NULL, NULL },
	};
	static const struct broken config[] = {
		{ "legacy", "tokenizer_config.json", "{\"legacy\":\"yes\"}", "legacy must be true or false" },
		{ "add_bos_token", "tokenizer_config.json", "{\"add_bos_token\":1}",
		  "add_bos_token must be true or false" },
		{ "clean_up", "tokenizer_config.json", "{\"clean_up_tokenization_spaces\":1}",
		  "must be true or false" },
		{ "bos_token", "tokenizer_config.json", "{\"bos_token\":1}", "bos_token must be a string" },
		{ "decoder", "tokenizer_config.json", "{\"added_tokens_decoder\":[]}",
		  "added_tokens_decoder must be an object" },
		{ "decoder id", "tokenizer_config.json", "{\"added_tokens_decoder\":{\"x\":{\"content\":\"y\"}}}",
		  "'x' is no id" },
		{ "decoder token", "tokenizer_config.json", "{\"added_tokens_decoder\":{\"1\":\"y\"}}",
		  "'1' must be an object" },
		{ "decoder flag", "tokenizer_config.json",
		  "{\"added_tokens_decoder\":{\"1\":{\"content\":\"y\",\"lstrip\":1}}}", "lstrip must be" },
		{ "decoder place", "tokenizer_config.json",
		  "{\"tokenizer_class\":\"LlamaTokenizer\",\"added_tokens_decoder\":{\"5\":{\"content\":\"y\"}}}",
		  "says id 5, but its place" },
		{ "extra", "tokenizer_config.json", "{\"extra_special_tokens\":[1]}",
		  "extra_special_tokens must be a string" },
		{ "a tail", "tokenizer_config.json", "{} x", "something stands behind" },
		{ "no JSON", "config.json", "{", "config.json:1:" },
		{ "special_tokens_map.json", "special_tokens_map.json", "[]", "special_tokens_map.json:1:" },
		{ "added_tokens.json", "added_tokens.json", "{\"a\":-1}", "added_tokens.json:1:" },
		{ "another ranks file", "tokenizer.model", "", "no pieces" },
		{ NULL, NULL, NULL, NULL },
	};
	static const char files[] =
		"[{\"tokenizer.model\":\"ranks.tiktoken\",\"config.json\":{\"model_type\":\"qwen\"}},"
		"{\"vocab.json\":\"vocab.json\",\"merges.txt\":\"merges.txt\",\"config.json\":{\"model_type\":\"gpt2\"}"
		"},"
		"{\"tokenizer.model\":\"bpe.model\"}]";
	static const struct broken *const rows[] = { ranks, vocab, config };
	struct arena a;
	struct value v;
	struct err e = { 0 };
	arena_init(&a);
	CU_ASSERT_FATAL(json_parse(&a, str_of(files), "files", &v, &e) == 0);
	for (size_t i = 0; i < 3; i++)
		break_files(&a, v.list->v[i], rows[i]);
	fresh();
	put("cl100k_base.tiktoken", "", 0);
	refuses("no ranks", "cl100k_base.tiktoken: no tokens");
	put("cl100k_base.tiktoken", "IQ==\n", 5);
	refuses("no rank in the first line", "cl100k_base.tiktoken:1: a line must be");
	fresh();
	put("a.tiktoken", "IQ== 0\n", 7);
	put("b.tiktoken", "IQ== 0\n", 7);
	refuses("two files", "2 files end in .tiktoken");
	arena_fini(&a);
}

/* added_tokens_decoder beside a tokenizer.json, as transformers 5.24 and tokenizers 0.23 take it: flags of tokens that are
 * there, next free ids for others. */
static void test_decoder(void)
{
	static const char json[] =
		"{\"added_tokens\":[{\"id\":3,\"content\":\"<x>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
		"\"normalized\":true,\"special\":false}],\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"
		"\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"b\":1,\"z\":9},\"unk_token\":\"a\"}}";
	static const char config[] =
		"{\"bos_token\":\"<y>\",\"added_tokens_decoder\":{\"77\":{\"content\":\"<w>\",\"special\":true},\"5\":{\"content\":\"<x>\","
		"\"lstrip\":true,\"rstrip\":false,\"single_word\":false,\"normalized\":false,\"special\":true},"
		"\"6\":{\"content\":\"z\",\"special\":true},\"7\":{\"content\":\"<y>\",\"normalized\":true}}}";
	static const int32_t want[] = { 0, 3, 1, 4, 9, 5 }, offsets[] = { 0, 1, 1, 5, 6, 7, 7, 10, 10, 11, 11, 14 };
	struct arena a;
	struct ids ids = { 0 };
	struct str text;
	struct err e = { 0 };
	struct tokenizer *t = NULL;
	arena_init(&a);
	fresh();
	put("tokenizer.json", json, sizeof json - 1);
	put("tokenizer_config.json", config, sizeof config - 1);
	CHECK(tokenizer_open(&t, dir, &e) == 0, "%s", e.msg);
	if (t) {
		CHECK(tokenizer_vocab(t) == 10 && tokenizer_bos(t) == 4, "%d ids, bos %d", tokenizer_vocab(t), tokenizer_bos(t));
		CHECK(tokenizer_is_special(t, 3) && tokenizer_is_special(t, 4) && tokenizer_is_special(t, 9), "special");
		CHECK(tokenizer_encode(t, STR("a <x> b<y>z<w>"), TOK_OFFSETS, &a, &ids, &e) == 0, "%s", e.msg);
		CHECK(ids.n == 6 && !memcmp(ids.id, want, sizeof want) && !memcmp(ids.offset, offsets, sizeof offsets), "ids");
		CHECK(tokenizer_decode(t, want, 6, true, &a, &text, &e) == 0 && str_is(text, "a b"), "decoded '%s'", text.p);
	}
	tokenizer_close(t);
	put("tokenizer_config.json", "{\"added_tokens_decoder\":{\"1\":3}}", 32);
	refuses("a token that is a number", "tokenizer_config.json: added_tokens_decoder: '1' must be an object");
	put("tokenizer_config.json", "{}", 2);
	put("special_tokens_map.json", "{\"eos_token\":3}", 15);
	refuses("a number in the map", "special_tokens_map.json: eos_token must be a string");
	put("special_tokens_map.json", "{\"additional_special_tokens\":[[]]}", 34);
	refuses("a list in a list of the map", "special_tokens_map.json: additional_special_tokens must be a string");
	arena_fini(&a);
}

/* Special tokens that the files beside a tokenizer.json name: ids as PreTrainedTokenizerFast of transformers 5.24 gives them. */
static void test_named(void)
{
	static const char json[] =
		"{\"added_tokens\":[{\"id\":2,\"content\":\"<x>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":true,"
		"\"normalized\":true,\"special\":false}],\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"
		"\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"u\":0,\"b\":1},\"unk_token\":\"u\"}}";
	static const struct {
		const char *config, *map, *added, *text, *plain; /* plain: decoded without special tokens */
		int n, ids[6];
	} rows[] = {
		{ "{\"pad_token\":\"<p>\",\"bos_token\":\"<s>\",\"img_token\":\"<i>\"}", NULL, NULL, "<p><s>b<i>", "b", 4, { 4, 3, 1, 5 } },
		{ "{\"pad_token\":\"b\",\"extra_special_tokens\":[\"<q>\",\"<x>\"]}", NULL, NULL, "abc<q><x> b", "u u <x>", 6, { 0, 1, 0, 3, 2, 1 } },
		{ "{\"extra_special_tokens\":{\"a\":\"<q>\"},\"additional_special_tokens\":[\"<r>\"]}", NULL, NULL, "<r><q>", "", 2, { 4, 3 } },
		{ "{\"eos_token\":\"<x>\"}", NULL, NULL, "b<x>", "b", 2, { 1, 2 } },
		{ "{\"eos_token\":\"<x>\",\"added_tokens_decoder\":{}}", NULL, NULL, "b<x>", "b <x>", 2, { 1, 2 } },
		{ "{\"bos_token\":\"<s>\"}", "{\"bos_token\":{\"content\":\"<t>\",\"lstrip\":true}}", NULL, "b <t><s>", "b u", 3, { 1, 3, 0 } },
		{ "{\"bos_token\":\"<s>\",\"added_tokens_decoder\":{}}", "{\"bos_token\":\"<t>\"}", NULL, "<s><t>", "u", 2, { 3, 0 } },
		{ "{\"img_token\":\"<i>\"}", "{\"img_token\":\"<j>\",\"extra_special_tokens\":[\"<k>\"]}", NULL, "<i><j><k>", "u", 3, { 3, 0, 4 } },
		{ NULL, "{\"pad_token\":\"<n>\"}", "{\"<m>\":9,\"<n>\":7,\"<o>\":2,\"b\":9}", "<n>b<m>", "b u", 3, { 3, 1, 0 } },
	};
	struct arena a;
	arena_init(&a);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = { 0 };
		struct ids ids = { 0 };
		struct str text = { "", 0 };
		struct tokenizer *t = NULL;
		fresh();
		put("tokenizer.json", json, sizeof json - 1);
		if (rows[i].config)
			put("tokenizer_config.json", rows[i].config, strlen(rows[i].config));
		if (rows[i].map)
			put("special_tokens_map.json", rows[i].map, strlen(rows[i].map));
		if (rows[i].added)
			put("added_tokens.json", rows[i].added, strlen(rows[i].added));
		bool ok = tokenizer_open(&t, dir, &e) == 0 && tokenizer_encode(t, str_of(rows[i].text), 0, &a, &ids, &e) == 0 &&
			  tokenizer_decode(t, ids.id, ids.n, true, &a, &text, &e) == 0;
		CHECK(ok, "row %zu: %s", i, e.msg);
		CHECK(ids.n == rows[i].n && !memcmp(ids.id, rows[i].ids, (size_t)ids.n * sizeof *ids.id), "row %zu: %d ids, the first %d", i, ids.n,
		      ids.n ? ids.id[0] : -1);
		CHECK(str_is(text, rows[i].plain), "row %zu: '%.*s'", i, (int)text.n, text.p);
		tokenizer_close(t);
	}
	arena_fini(&a);
}

/* Two hundred thousand tokens in each of the small files: reading takes n log n. */
static void test_many(void)
{
	static const char json[] = "{\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"u\":0},\"unk_token\":\"u\"}}";
	enum { MANY = 200000 };
	struct buf extra = { 0 }, added = { 0 };
	struct tokenizer *t = NULL;
	struct err e = { 0 };
	for (int i = 0; i < MANY; i++) {
		buf_printf(&extra, "%s\"<e%d>\"", i ? "," : "{\"extra_special_tokens\":[", i);
		buf_printf(&added, "%s\"<a%d>\":%d", i ? "," : "{", i, i + 1);
	}
	buf_puts(&extra, "]}");
	buf_puts(&added, "}");
	fresh();
	put("tokenizer.json", json, sizeof json - 1);
	put("tokenizer_config.json", extra.p, extra.n);
	put("added_tokens.json", added.p, added.n);
	clock_t start = clock();
	CHECK(tokenizer_open(&t, dir, &e) == 0 && tokenizer_vocab(t) == 2 * MANY + 1, "%s", e.msg);
	CHECK(clock() - start < 15 * CLOCKS_PER_SEC, "%.0f s", (double)(clock() - start) / CLOCKS_PER_SEC);
	tokenizer_close(t);
	buf_fini(&extra);
	buf_fini(&added);
}

/* A file by its own name is the folder's; the digest covers each file that is read. */
static void test_digest(void)
{
	static const char *const rows[][2] = { { "tokenizer.model", "bpe_bytes.model" },
					       { "r50k_base.tiktoken", "ranks.tiktoken" } };
	static const char *const small[][2] = { { "tokenizer_config.json", "{\"legacy\":true}" },
						{ "special_tokens_map.json", "{\"bos_token\":\"<s>\"}" },
						{ "added_tokens.json", "{\"<s>\":1}" },
						{ "config.json", "{\"model_type\":\"mistral\"}" } };
	struct arena a;
	struct err e = { 0 };
	arena_init(&a);
	for (size_t i = 0; i < 2; i++) {
		unsigned char was[DIGEST_BYTES], now[DIGEST_BYTES];
		struct str s = golden(&a, rows[i][1]);
		char path[4200];
		fresh();
		put(rows[i][0], s.p, s.n);
		snprintf(path, sizeof path, "%s/%s", dir, rows[i][0]);
		for (size_t k = 0; k <= (i ? 0 : 4); k++) {
			struct tokenizer *t = NULL, *u = NULL;
			if (k)
				put(small[k - 1][0], small[k - 1][1], strlen(small[k - 1][1]));
			CHECK(tokenizer_open(&t, dir, &e) == 0 && tokenizer_open(&u, path, &e) == 0, "%s: %s",
			      rows[i][0], e.msg);
			if (!t || !u)
				break;
			tokenizer_digest(u, now);
			if (k)
				CHECK(memcmp(was, now, sizeof now) != 0, "%s is not in the digest", small[k - 1][0]);
			tokenizer_digest(t, was);
			CHECK(memcmp(was, now, sizeof now) == 0, "the file's digest is not the folder's");
			CHECK(tokenizer_there(dir), "there");
			tokenizer_close(t);
			tokenizer_close(u);
		}
	}
	fresh();
	CHECK(!tokenizer_there(dir), "nothing is there");
	arena_fini(&a);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "folders", test_golden },  { "protobuf", test_protobuf },	   { "noise", test_noise },
		{ "text files", test_text }, { "names and digests", test_digest }, { "decoder", test_decoder }, { "named", test_named }, { "many", test_many }, { NULL, NULL },
	};
	int rc = test_main("tokenizer_files", tests, argc, argv);
	if (dir)
		test_rmdir(dir);
	return rc;
}
