/* fuzz_sentencepiece.c - CONFIGURATION 0xff FILE: tokenizers without a tokenizer.json, opened, then text to ids and back.
 *
 * The configuration is tokenizer_config.json and config.json in one. A file that begins as an object is a vocab.json, 0xff and a
 * merges.txt; any other is a tokenizer.model, which may hold tiktoken's lines.
 */
#include "runners/tokenizer.h"
#include "tests/fuzz/fuzz.h"

static void encode(const struct tokenizer *t, struct str text)
{
	struct arena a;
	struct ids ids;
	struct str back;
	struct err e = { 0 };
	arena_init(&a);
	if (tokenizer_encode(t, text, TOK_SPECIAL | TOK_OFFSETS, &a, &ids, &e) == 0) {
		for (int i = 0; i < ids.n; i++)
			if (ids.id[i] < 0 || ids.id[i] >= tokenizer_vocab(t))
				abort();
		tokenizer_decode(t, ids.id, ids.n, true, &a, &back, &e);
	}
	arena_fini(&a);
}

static void forget(const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", fuzz_dir(), name);
	unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tokenizer *t = NULL;
	struct err e = { 0 };
	const uint8_t *c, *v;
	size_t nc = fuzz_part(&data, &size, &c);
	fuzz_put("tokenizer_config.json", c, nc);
	fuzz_put("config.json", c, nc);
	if (size && data[0] == '{') {
		size_t nv = fuzz_part(&data, &size, &v);
		forget("tokenizer.model");
		fuzz_put("vocab.json", v, nv);
		fuzz_put("merges.txt", data, size);
	} else {
		fuzz_put("tokenizer.model", data, size);
	}
	if (tokenizer_open(&t, fuzz_dir(), &e)) {
		if (t || !e.msg[0])
			abort();
		return 0;
	}
	encode(t, str_of("Once upon a time,  there was a caf\xc3\xa9 (3 x 12).\n<s> \xff\xe2\x96\x81 it's <user>\xe6\xbc\xa2"));
	encode(t, str_of(" "));
	tokenizer_close(t);
	return 0;
}
