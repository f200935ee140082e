/* test_tokenizer_hostile.c - broken and malicious tokenizer files: each one is refused with one clear sentence, none crashes. */
#include <sys/stat.h>

#include "runners/tokenizer.h"
#include "tests/test.h"

static char *dir;

static void put(const char *name, const char *p, size_t n)
{
	char path[4200];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		exit(99);
	}
}

/* Opens the folder; on failure the message must be one sentence that names the file and holds `want`. */
static void refuses(const char *what, const char *want)
{
	struct tokenizer *t = NULL;
	struct err e = { 0 };
	int rc = tokenizer_open(&t, dir, &e);
	CHECK(rc < 0 && !t, "%s: was opened", what);
	CHECK(strstr(e.msg, want) != NULL, "%s: '%s' does not say '%s'", what, e.msg, want);
	CHECK(strstr(e.msg, dir) != NULL, "%s: '%s' names no file", what, e.msg);
	CHECK(e.code != E_NONE && !strchr(e.msg, '\n') && strlen(e.msg) < 900 && e.msg[strlen(e.msg) - 1] != '.', "%s: '%s' is no sentence", what, e.msg);
	tokenizer_close(t);
}

static void refuses_json(const char *json, const char *want)
{
	put("tokenizer.json", json, strlen(json));
	refuses(json, want);
}

#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}"

static void test_model(void)
{
	static const char *const rows[][2] = {
		{ "", "the file ends" },
		{ "x", "an object" },
		{ "[]", "an object" },
		{ "{}", "no model" },
		{ "{\"model\":null}", "an object" },
		{ "{\"model\":{}}", "no type" },
		{ "{\"model\":{\"type\":\"BPE\"}}", "model has no vocab" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", "model has no merges" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", "vocab is empty" },
		{ "{\"model\":{\"type\":7}}", "a string should stand" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":[],\"merges\":[]}}", "an object should stand" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}", "empty" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":\"a\",\"merges\":[]}}", "an object should stand" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"0\"},\"merges\":[]}}", "a whole number" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "a whole number" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1.5},\"merges\":[]}}", "a whole number" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1e3},\"merges\":[]}}", "a whole number" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4294967295},\"merges\":[]}}", "too large" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999999999999999999999},\"merges\":[]}}", "too large" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "both have id 0" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", "two ids" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"vocab\":{\"a\":0},\"merges\":[]}}", "stands twice" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", "names 'b'" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[\"a b\"]}}", "makes 'ab'" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[\"a b b\"]}}", "one blank" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[\"ab\"]}}", "one blank" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[[\"a\"]]}}", "two strings" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[[\"a\",\"b\",\"c\"]]}}", "two strings" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[[0,1]]}}", "two strings" },
		{ "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":{\"a\":\"b\"}}}", "a list should stand" },
		{ "{\"model\":{\"type\":\"BPE\",\"merges\":[\"a b\"],\"vocab\":{\"a\":0}}}", "names 'b'" },
		{ "{\"model\":{\"dropout\":0.1,\"vocab\":{\"a\":0},\"merges\":[]}}", "random" },
		{ "{\"model\":{\"fuse_unk\":1,\"vocab\":{\"a\":0},\"merges\":[]}}", "true or false" },
		{ "{\"model\":{\"unk_token\":[],\"vocab\":{\"a\":0},\"merges\":[]}}", "a string or null" },
		{ "{\"model\":{\"continuing_subword_prefix\":\"###########################################################################\",\"vocab\":{\"a\":0},\"merges\":[]}}", "may have" },
		{ "{\"version\":\"2.0\"," MODEL "}", "version" },
		{ "{" MODEL "," MODEL "}", "stands twice" },
		{ "{" MODEL "}x", "behind the object" },
		{ "{" MODEL ",}", "a string should stand" },
		{ "{\"model\":{\"vocab\":{\"\\ud800\":0},\"merges\":[]}}", "lone surrogate" },
		{ "{\"model\":{\"vocab\":{\"\\x41\":0},\"merges\":[]}}", "unknown escape" },
		{ "{\"model\":{\"vocab\":{\"\\u12\":0},\"merges\":[]}}", "four hex digits" },
		{ "{\"model\":{\"vocab\":{\"a\nb\":0},\"merges\":[]}}", "control character" },
		{ "{\"model\":{\"vocab\":{\"a\":0", "the file ends" },
		{ "{\"model\":{\"vocab\":{\"a", "inside a string" },
		{ "{\"model\":{\"vocab\":{\"a\\", "inside a string" },
		{ "{\"model\":{\"vocab\":{\"\xff\":0},\"merges\":[]}}", "not UTF-8" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		refuses_json(rows[i][0], rows[i][1]);
}

static void test_components(void)
{
	static const char *const rows[][2] = {
		{ "\"normalizer\":{}", "a type" },
		{ "\"normalizer\":[]", "a type" },
		{ "\"normalizer\":{\"type\":\"Lowercse\"}", "did you mean 'Lowercase'" },
		{ "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"\"}", "a trie of 0 bytes" },
		{ "\"normalizer\":{\"type\":\"Sequence\"}", "must be a list" },
		{ "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[null]}", "is null" },
		{ "\"normalizer\":{\"type\":\"Strip\"}", "strip_left" },
		{ "\"normalizer\":{\"type\":\"Prepend\",\"prepend\":3}", "prepend must be a string" },
		{ "\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"\"}", "prepends nothing" },
		{ "\"normalizer\":{\"type\":\"Replace\",\"content\":\"x\"}", "pattern must be" },
		{ "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"x\"}", "'(' without ')'" },
		{ "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"x\"}", "empty" },
		{ "\"pre_tokenizer\":{\"type\":\"BertPreTokenize\"}", "did you mean 'BertPreTokenizer'" },
		{ "\"pre_tokenizer\":{\"type\":\"ByteLevl\"}", "did you mean 'ByteLevel'" },
		{ "\"pre_tokenizer\":{\"type\":\"ByteLevel\"}", "add_prefix_space" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[\"},\"behavior\":\"Isolated\",\"invert\":false}", "'[' without ']'" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a)\"},\"behavior\":\"Isolated\",\"invert\":false}", "')' without '('" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"*a\"},\"behavior\":\"Isolated\",\"invert\":false}", "nothing to repeat" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{Nonsense}\"},\"behavior\":\"Isolated\",\"invert\":false}", "does not compile" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a{99999}\"},\"behavior\":\"Isolated\",\"invert\":false}", "does not compile" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a&&b]\"},\"behavior\":\"Isolated\",\"invert\":false}", "intersection" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a[bc]]\"},\"behavior\":\"Isolated\",\"invert\":false}", "inside a class" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\bx\"},\"behavior\":\"Isolated\",\"invert\":false}", "not supported" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?m:x)\"},\"behavior\":\"Isolated\",\"invert\":false}", "not supported" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\\"},\"behavior\":\"Isolated\",\"invert\":false}", "backslash" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Isolate\",\"invert\":false}", "did you mean 'Isolated'" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\",\"String\":\"a\"},\"behavior\":\"Isolated\",\"invert\":false}", "pattern must be" },
		{ "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}", "one character" },
		{ "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"firs\"}", "did you mean 'first'" },
		{ "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"always\",\"add_prefix_space\":false}", "contradicts" },
		{ "\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":\"yes\"}", "true or false" },
		{ "\"post_processor\":{\"type\":\"RobertaProcessing\"}", "cls must be a token" },
		{ "\"post_processor\":{\"type\":\"TemplateProcessing\"}", "single must be a list" },
		{ "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[]}", "0 times" },
		{ "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[\"$A\"]}", "neither" },
		{ "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\"}}]}", "neither" },
		{ "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{}}", "'<s>'" },
		{ "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{\"ids\":[3],\"tokens\":[\"<s>\"]}}}", "no token has" },
		{ "\"decoder\":{\"type\":\"WordPiece\"}", "prefix must be a string" },
		{ "\"decoder\":{\"type\":\"Strip\",\"content\":\"\",\"start\":0,\"stop\":0}", "one character" },
		{ "\"decoder\":{\"type\":\"Strip\",\"content\":\"x\",\"start\":-1,\"stop\":0}", "start" },
		{ "\"decoder\":7", "a type" },
		{ "\"added_tokens\":{}", "must be a list" },
		{ "\"added_tokens\":[1]", "objects are expected" },
		{ "\"added_tokens\":[{\"id\":3}]", "content" },
		{ "\"added_tokens\":[{\"id\":-3,\"content\":\"x\"}]", "id must be" },
		{ "\"added_tokens\":[{\"id\":1e9,\"content\":\"x\"}]", "id must be" },
		{ "\"added_tokens\":[{\"id\":3,\"content\":\"x\"}]", "single_word" },
		{ "\"added_tokens\":[{\"id\":9,\"content\":\"x\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}]", "says id 9" },
		{ "\"added_tokens\":[{\"id\":1,\"content\":\"a\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}]", "says id 1" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char json[2000];
		snprintf(json, sizeof json, "{%s," MODEL "}", rows[i][0]);
		refuses_json(json, rows[i][1]);
	}
}

static void test_config(void)
{
	static const char *const rows[][2] = {
		{ "", "the file ends" },
		{ "[]", "an object" },
		{ "{\"bos_token\":7}", "bos_token must be" },
		{ "{\"eos_token\":{\"id\":7}}", "eos_token must be" },
		{ "{\"model_max_length\":\"long\"}", "must be a number" },
		{ "{\"model_max_length\":-1}", "must be a number" },
		{ "{\"a\":1", "the file ends" },
	};
	put("tokenizer.json", "{" MODEL "}", strlen("{" MODEL "}"));
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		put("tokenizer_config.json", rows[i][0], strlen(rows[i][0]));
		refuses(rows[i][0], rows[i][1]);
	}
	/* what is fine: a length beyond 64 bits; named tokens are special, the post-processor stays */
	static const char good[] = "{\"model_max_length\":1000000000000000019884624838656,\"bos_token\":{\"content\":\"a\"},\"eos_token\":\"b\","
				   "\"add_bos_token\":true,\"add_eos_token\":true,\"tokenizer_class\":\"LlamaTokenizerFast\"}";
	struct tokenizer *t = NULL;
	struct err e = { 0 };
	struct arena a;
	struct ids ids;
	arena_init(&a);
	put("tokenizer_config.json", good, sizeof good - 1);
	CHECK(tokenizer_open(&t, dir, &e) == 0, "%s", e.msg);
	if (t) {
		CHECK(tokenizer_model_max_length(t) == 0 && tokenizer_bos(t) == 0 && tokenizer_eos(t) == 1, "configuration");
		CHECK(tokenizer_encode(t, STR("ab"), TOK_SPECIAL, &a, &ids, &e) == 0 && ids.n == 2 && ids.id[0] == 0 && ids.id[1] == 1,
		      "tokens that the configuration names are cut out of the text");
		CHECK(tokenizer_is_special(t, 0) && tokenizer_is_special(t, 1) && !tokenizer_is_special(t, 2), "special tokens");
	}
	tokenizer_close(t);
	arena_fini(&a);
	char path[4200];
	snprintf(path, sizeof path, "%s/tokenizer_config.json", dir);
	unlink(path);
}

/* 50 MB of brackets, deep sequences, every prefix of a good file. */
static void test_size(void)
{
	size_t n = 50 << 20;
	char *p = malloc(n);
	static const char *const opens[] = { "[", "{\"a\":", "[{\"\":" };
	for (int k = 0; k < 3; k++) {
		size_t len = strlen(opens[k]), m = 0;
		m += (size_t)sprintf(p, k == 1 ? "" : "{\"x\":");
		while (m + len < n) {
			memcpy(p + m, opens[k], len);
			m += len;
		}
		put("tokenizer.json", p, m);
		refuses("50 MB of brackets", "64 levels");
	}
	size_t m = (size_t)sprintf(p, "{\"decoder\":");
	for (int i = 0; i < 20; i++)
		m += (size_t)sprintf(p + m, "{\"type\":\"Sequence\",\"decoders\":[");
	m += (size_t)sprintf(p + m, "{\"type\":\"Fuse\"}");
	for (int i = 0; i < 20; i++)
		m += (size_t)sprintf(p + m, "]}");
	m += (size_t)sprintf(p + m, "," MODEL "}");
	put("tokenizer.json", p, m);
	refuses("sequences of sequences", "inside each other");
	m = (size_t)sprintf(p, "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}");
	for (int i = 0; i < 100; i++)
		m += (size_t)sprintf(p + m, ",{\"type\":\"NFC\"}");
	m += (size_t)sprintf(p + m, "]}," MODEL "}");
	put("tokenizer.json", p, m);
	refuses("a hundred normalizers", "more than");
	free(p);

	static const char whole[] = "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
				    "\"normalized\":false,\"special\":true}],\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Split\","
				    "\"pattern\":{\"Regex\":\"\\\\s+|\\\\w\"},\"behavior\":\"Isolated\",\"invert\":false}," MODEL "}";
	for (size_t i = 0; i < sizeof whole - 1; i++) {
		struct tokenizer *t = NULL;
		struct err e = { 0 };
		put("tokenizer.json", whole, i);
		CHECK(tokenizer_open(&t, dir, &e) < 0 && e.msg[0], "the first %zu bytes were opened", i);
	}
	unsigned long long seed = test_seed();
	printf("seed %llu ", seed);
	for (int i = 0; i < 3000; i++) { /* one byte changed: opened or refused, and usable when opened */
		char copy[sizeof whole];
		struct tokenizer *t = NULL;
		struct err e = { 0 };
		memcpy(copy, whole, sizeof whole);
		copy[test_rand(&seed) % (sizeof whole - 1)] = (char)test_rand(&seed);
		put("tokenizer.json", copy, sizeof whole - 1);
		if (tokenizer_open(&t, dir, &e) == 0) {
			struct arena a;
			struct ids ids;
			arena_init(&a);
			tokenizer_encode(t, STR("ab<s> b\xc3\xa9 a"), TOK_OFFSETS | TOK_SPECIAL, &a, &ids, &e);
			arena_fini(&a);
		} else {
			CHECK(e.msg[0], "no message");
		}
		tokenizer_close(t);
	}
}

static void test_patterns(void)
{
	static const char *const bombs[] = { "(a+)+[^a]", "(?:a|aa)+[^a]", "(?:a*)*[^a]", "(?:(?:a{0,30}){0,30}){0,30}[^a]" };
	char text[4000];
	memset(text, 'a', sizeof text);
	for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
		char json[1000];
		struct tokenizer *t = NULL;
		struct err e = { 0 };
		struct arena a;
		struct ids ids;
		arena_init(&a);
		snprintf(json, sizeof json, "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"%s\"},\"behavior\":\"Isolated\",\"invert\":false}," MODEL "}", bombs[i]);
		put("tokenizer.json", json, strlen(json));
		if (tokenizer_open(&t, dir, &e) == 0)
			CHECK(tokenizer_encode(t, (struct str){ text, sizeof text }, 0, &a, &ids, &e) < 0 && e.code == E_LIMIT,
			      "%s: came to an end: %s", bombs[i], e.msg);
		CHECK(strstr(e.msg, "limit") || strstr(e.msg, "compile"), "%s: '%s'", bombs[i], e.msg);
		tokenizer_close(t);
		arena_fini(&a);
	}
}

static void test_files(void)
{
	struct tokenizer *t = NULL;
	struct err e = { 0 };
	char path[4200];
	snprintf(path, sizeof path, "%s/none", dir);
	CHECK(tokenizer_open(&t, path, &e) < 0 && strstr(e.msg, "No such file"), "%s", e.msg);
	snprintf(path, sizeof path, "%s/tokenizer.json", dir);
	unlink(path);
	refuses("an empty folder", "no tokenizer (");
	mkdir(path, 0700);
	refuses("a folder for a file", "not a regular file");
	rmdir(path);
	/* a text that needs an unknown token which is not there */
	struct arena a;
	struct ids ids;
	arena_init(&a);
	static const char json[] = "{\"model\":{\"unk_token\":\"<u>\",\"vocab\":{\"a\":0},\"merges\":[]}}";
	put("tokenizer.json", json, sizeof json - 1);
	CHECK(tokenizer_open(&t, dir, &e) == 0, "%s", e.msg);
	if (t)
		CHECK(tokenizer_encode(t, STR("az"), 0, &a, &ids, &e) < 0 && strstr(e.msg, "'<u>'"), "%s", e.msg);
	tokenizer_close(t);
	arena_fini(&a);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "models", test_model },
		{ "components", test_components },
		{ "tokenizer_config.json", test_config },
		{ "size, depth, truncation, noise", test_size },
		{ "patterns that explode", test_patterns },
		{ "files", test_files },
		{ NULL, NULL },
	};
	dir = strdup(test_tmpdir());
	int rc = test_main("tokenizer_hostile", tests, argc, argv);
	test_rmdir(dir);
	return rc;
}
