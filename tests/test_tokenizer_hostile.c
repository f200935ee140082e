/* test_tokenizer_hostile.c - broken and malicious tokenizer files: each one is refused with one clear sentence, none crashes. */
#include <sys/stat.h>
#include <time.h>

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
		{ "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0}}", "no vocab" },
		{ "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":16777215},\"unk_token\":\"a\"}}", "far beyond its 1 tokens" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":{\"a\":0}}}", "a list should stand" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]],\"vocab\":[[\"a\",-1]]}}", "stands twice" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[\"a\"]}}", "a list should stand" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[]]}}", "a string and a score" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", "a string and a score" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1,2]]}}", "a string and a score" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[1,\"a\"]]}}", "a string should stand" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",\"-1\"]]}}", "must be a number" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",NaN]]}}", "must be a number" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-Infinity]]}}", "must be a number" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",null]]}}", "must be a number" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1e309]]}}", "too large" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1e99999999999999999999]]}}", "too large" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",01]]}}", "must be a number" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-.5]]}}", "must be a number" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1.]]}}", "must be a number" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1e]]}}", "must be a number" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1}}", "should stand" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]],\"unk_id\":1}}", "unk_id is 1" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]],\"unk_id\":-1}}", "a whole number" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]],\"unk_id\":16777216}}", "too large" },
		{ "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]],\"byte_fallback\":1}}", "true or false" },
		{ "{\"model\":{\"vocab\":[[\"a\",-1]],\"unk_id\":7}}", "unk_id is 7" },
		{ "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}", "no unk_token" },
		{ "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0},\"unk_token\":\"a\"}}", "no continuing_subword_prefix" },
		{ "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0},\"unk_token\":\"a\",\"continuing_subword_prefix\":\"##\"}}", "no max_input_chars_per_word" },
		{ "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0},\"unk_token\":null,\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":9}}", "must be a string" },
		{ "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0},\"unk_token\":\"a\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":-1}}", "a whole number" },
		{ "{\"model\":{\"type\":\"WordPiece\",\"vocab\":[],\"unk_token\":\"a\"}}", "an object should stand" },
		{ "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{},\"unk_token\":\"a\"}}", "is empty" },
		{ "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"a\"}}", "no vocab" },
		{ "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0},\"unk_token\":\"a\",\"unk_token\":\"b\"}}", "stands twice" },
		{ "{\"model\":{\"type\":\"WordLvel\",\"vocab\":{\"a\":0}}}", "did you mean 'WordLevel'" },
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
		{ "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAA\"}", "not base64" },
		{ "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAA*\"}", "not base64" },
		{ "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA=A\"}", "not base64" },
		{ "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAB=\"}", "not base64" },
		{ "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"====\"}", "not base64" },
		{ "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}", "a trie of 0 bytes" },
		{ "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"BAAAAA==\"}", "a trie of 4 bytes" },
		{ "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/////wAAAAA=\"}", "a trie of 4294967292 bytes" },
		{ "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AwAAAAAAAAA=\"}", "a trie of 0 bytes" },
		{ "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"BAAAAAAAAAD/\"}", "not UTF-8" },
		{ "\"normalizer\":{\"type\":\"Precompiled\"}", "must be a string" },
		{ "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true}", "lowercase must be" },
		{ "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,\"lowercase\":true,\"strip_accents\":1}", "strip_accents must be" },
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
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a(?#b\"},\"behavior\":\"Isolated\",\"invert\":false}", "'(?#' without ')'" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"*a\"},\"behavior\":\"Isolated\",\"invert\":false}", "nothing to repeat" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{Nonsense}\"},\"behavior\":\"Isolated\",\"invert\":false}", "property 'Nonsense'" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a{99999}\"},\"behavior\":\"Isolated\",\"invert\":false}", "does not compile" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[^]a]\"},\"behavior\":\"Isolated\",\"invert\":false}", "empty class" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a[:b:]]\"},\"behavior\":\"Isolated\",\"invert\":false}", "the class" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\Kabcdefghi\u00e9\u00e9\"},\"behavior\":\"Isolated\",\"invert\":false}", "'\\Kabcdefghi' at byte 0" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a)\\\\1\"},\"behavior\":\"Isolated\",\"invert\":false}", "not supported" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:[a\u00df])\"},\"behavior\":\"Isolated\",\"invert\":false}", "not supported" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\\"},\"behavior\":\"Isolated\",\"invert\":false}", "backslash" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Isolate\",\"invert\":false}", "did you mean 'Isolated'" },
		{ "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\",\"String\":\"a\"},\"behavior\":\"Isolated\",\"invert\":false}", "pattern must be" },
		{ "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}", "one character" },
		{ "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"firs\"}", "did you mean 'first'" },
		{ "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"always\",\"add_prefix_space\":false}", "contradicts" },
		{ "\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":\"yes\"}", "true or false" },
		{ "\"post_processor\":{\"type\":\"RobertaProcessing\"}", "cls must be a token" },
		{ "\"pre_tokenizer\":{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}", "one character" },
		{ "\"pre_tokenizer\":{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"\"}", "one character" },
		{ "\"pre_tokenizer\":{\"type\":\"FixedLength\",\"length\":0}", "a whole number from 1" },
		{ "\"pre_tokenizer\":{\"type\":\"FixedLength\",\"length\":-1}", "a whole number from 1" },
		{ "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",0]}", "sep must be a token" },
		{ "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",0],\"sep\":[\"b\",99]}", "no token has" },
		{ "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",-1],\"sep\":[\"b\",1]}", "no token has" },
		{ "\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",\"0\"],\"sep\":[\"b\",1]}", "cls must be a token" },
		{ "\"post_processor\":{\"type\":\"RobertaProcessing\",\"cls\":[\"a\",0],\"sep\":[\"b\",1]}", "trim_offsets" },
		{ "\"decoder\":{\"type\":\"CTC\",\"pad_token\":\"a\",\"word_delimiter_token\":\"b\",\"cleanup\":true}", "'CTC' is not supported" },
		{ "\"decoder\":{\"type\":\"BPEDecoder\"}", "suffix must be a string" },
		{ "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\"}", "cleanup must be" },
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
	m = (size_t)sprintf(p, "{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"invert\":false,\"pattern\":{\"Regex\":\"");
	for (int i = 0; i < 32000; i++)
		m += (size_t)sprintf(p + m, "\\\\b");
	m += (size_t)sprintf(p + m, "\"}}," MODEL "}");
	put("tokenizer.json", p, m);
	refuses("ten thousands of classes", "ranges of characters");
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
	static const char *const bombs[] = { "(a+)+[^a]|[0-9]x", "(?:a|aa)+[^a]|[0-9]x", "(?:a*)*[^a]|[0-9]x", "(?:(?:a{0,30}){0,30}){0,30}[^a]|[0-9]x" };
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

/* Opens json; encodes text: must it fail, with which message? NULL: must it pass, with n ids (-1: any)? */
static void encodes(const char *json, struct str text, const char *want, int n)
{
	struct tokenizer *t = NULL;
	struct err e = { 0 };
	struct arena a;
	struct ids ids = { 0 };
	arena_init(&a);
	put("tokenizer.json", json, strlen(json));
	CHECK(tokenizer_open(&t, dir, &e) == 0, "%.200s: %s", json, e.msg);
	if (t) {
		int rc = tokenizer_encode(t, text, TOK_OFFSETS, &a, &ids, &e);
		CHECK(want ? rc < 0 && strstr(e.msg, want) : rc == 0, "%.200s: '%s'", json, e.msg);
		CHECK(want || n < 0 || ids.n == n, "%.200s: %d ids", json, ids.n);
	}
	tokenizer_close(t);
	arena_fini(&a);
}

static void put_u32(struct buf *b, uint32_t v)
{
	char p[4] = { (char)v, (char)(v >> 8), (char)(v >> 16), (char)(v >> 24) };
	buf_add(b, p, 4);
}

/* A tokenizer whose charsmap has these units and replacements. */
static char *charsmap_json(const uint32_t *unit, uint32_t n, struct str text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct buf raw = { 0 }, out = { 0 };
	put_u32(&raw, 4 * n);
	for (uint32_t i = 0; i < n; i++)
		put_u32(&raw, unit[i]);
	buf_str(&raw, text);
	buf_puts(&out, "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"");
	for (size_t i = 0; i < raw.n; i += 3) {
		uint32_t v = 0;
		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (i + k < raw.n ? (unsigned char)raw.p[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			buf_add(&out, i + k <= raw.n ? &digits[v >> (18 - 6 * k) & 63] : "=", 1);
	}
	buf_add(&out, "\"}," MODEL "}", strlen("\"}," MODEL "}") + 1);
	buf_fini(&raw);
	return out.p;
}

/* Tries whose links lead out of them, to themselves or to strange places. */
static void test_charsmaps(void)
{
	enum { N = 512, LEAF = 1 << 8 };
	uint32_t unit[N];
	const char *wants[3] = { NULL, "no place", "no place" };
	for (uint32_t k = 0; k < 3; k++) { /* 'a' at 256 ^ 'a', its value behind: none, beyond the text, inside a character */
		memset(unit, 0, sizeof unit);
		unit[0] = 256u << 10;
		unit[256 ^ 'a'] = 'a' | LEAF | (uint32_t)((256 ^ 'a') ^ (k ? 300 : 70000)) << 10;
		unit[300] = 1u << 31 | (k == 1 ? 77 : 1);
		char *json = charsmap_json(unit, N, STR("\xc3\xa9"));
		encodes(json, STR("ab\xc3\xa9 a"), wants[k], -1);
		free(json);
	}
	for (uint32_t i = 0; i < N; i++) /* every byte leads back to the root */
		unit[i] = (i & 0xff) | 256u << 10;
	char *loop = charsmap_json(unit, N, STR(""));
	encodes(loop, STR("abcabcabcabc\xe4\xbb\x8a"), NULL, -1);
	free(loop);
	static const uint32_t outside = UINT32_MAX;
	char *one = charsmap_json(&outside, 1, STR(""));
	encodes(one, STR("ab"), NULL, -1);
	free(one);
	unsigned long long seed = test_seed();
	for (int round = 0; round < 300; round++) { /* noise */
		for (uint32_t i = 0; i < N; i++)
			unit[i] = (uint32_t)test_rand(&seed) & (round & 1 ? 0x0003ffff : 0xffffffff);
		char *json = charsmap_json(unit, N, STR("text\0more"));
		struct tokenizer *t = NULL;
		struct err e = { 0 };
		struct arena a;
		struct ids ids;
		arena_init(&a);
		put("tokenizer.json", json, strlen(json));
		CHECK(tokenizer_open(&t, dir, &e) == 0, "%s", e.msg);
		for (uint32_t c = 0; t && c < 256; c++) {
			char text[2] = { (char)c, (char)test_rand(&seed) };
			int rc = tokenizer_encode(t, (struct str){ text, 2 }, c & 1 ? TOK_OFFSETS : 0, &a, &ids, &e);
			CHECK(rc == 0 || strstr(e.msg, "no place"), "%s", e.msg);
		}
		tokenizer_close(t);
		arena_fini(&a);
		free(json);
	}
}

/* Texts that a model has no answer for; long runs where pieces overlap without end. */
static void test_models(void)
{
	static const char *const none = "the text needs";
	encodes("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]]}}", STR("aab"), none, 0);
	encodes("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]]}}", STR("aaa"), NULL, 3);
	encodes("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"\",-1],[\"a\",-1],[\"a\",-2]],\"unk_id\":0}}", STR("abba"), NULL, 3);
	encodes("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0},\"unk_token\":\"b\"}}", STR("aa"), none, 0);
	/* a prefix that stands behind the merges holds for them; a long run of ids is fine, one far off is not (below) */
	encodes("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"##b\":1,\"ab\":2},\"merges\":[\"a ##b\"],\"continuing_subword_prefix\":\"##\"}}", STR("ab"), NULL, 1);
	encodes("{\"model\":{\"type\":\"BPE\",\"merges\":[\"a ##b\"],\"continuing_subword_prefix\":\"##\",\"vocab\":{\"a\":0,\"##b\":1,\"ab\":2}}}", STR("ab"), NULL, 1);
	encodes("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":1048575},\"unk_token\":\"a\"}}", STR("aa"), NULL, 1);
	encodes("{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0},\"unk_token\":\"b\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":9}}",
		STR("aa"), none, 0);
	enum { LEN = 1 << 20 };
	char *run = malloc(LEN);
	memset(run, 'a', LEN);
	static const char *const vocab[] = {
		"\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<u>\",0],[\"a\",-1],[\"aa\",-1.5],[\"aaa\",-1.7],[\"aaaaaaaaaaaaaaaa\",-2]]",
		"\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<u>\",0],[\"b\",-1]]",
		"\"WordPiece\",\"unk_token\":\"a\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":9999999,\"vocab\":{\"a\":0,\"##aaa\":1,\"##a\":2,\"##aaaaaaaaaaaaaaaa\":3}",
	};
	for (int k = 0; k < 3; k++) {
		char json[500];
		struct timespec t0, t1;
		snprintf(json, sizeof json, "{\"model\":{\"type\":%s}}", vocab[k]);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
		encodes(json, (struct str){ run, LEN }, NULL, k == 0 ? LEN / 16 : k == 1 ? 1 : 1 + 65535 + 15 / 3);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
		double s = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
		CHECK(s < 2, "1 MB of one letter took %.2f s", s);
	}
	free(run);
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
		{ "charsmaps", test_charsmaps },
		{ "models and texts", test_models },
		{ "files", test_files },
		{ NULL, NULL },
	};
	dir = strdup(test_tmpdir());
	int rc = test_main("tokenizer_hostile", tests, argc, argv);
	test_rmdir(dir);
	return rc;
}
