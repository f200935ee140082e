/* fuzz_tokenizer.c - TOKENIZER.JSON 0xff TOKENIZER_CONFIG.JSON 0xff TEXT: loaded, then text to ids and back. */
#include "runners/tokenizer.h"
#include "tests/fuzz/fuzz.h"

static void encode(const struct tokenizer *t, struct str text, int flags)
{
	struct arena a;
	struct ids ids;
	struct str back;
	struct err e = { 0 };
	arena_init(&a);
	if (tokenizer_encode(t, text, flags, &a, &ids, &e) == 0) {
		for (int i = 0; i < ids.n; i++)
			if (ids.id[i] < 0 || ids.id[i] >= tokenizer_vocab(t))
				abort();
		tokenizer_decode(t, ids.id, ids.n, flags & TOK_SPECIAL, &a, &back, &e);
	}
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tokenizer *t = NULL;
	struct err e = { 0 };
	const uint8_t *p, *c;
	size_t n = fuzz_part(&data, &size, &p), nc = fuzz_part(&data, &size, &c);
	fuzz_put("tokenizer.json", p, n);
	fuzz_put("tokenizer_config.json", nc ? c : (const uint8_t *)"{}", nc ? nc : 2);
	if (tokenizer_open(&t, fuzz_dir(), &e)) {
		if (t || !e.msg[0])
			abort();
		return 0;
	}
	encode(t, (struct str){ (const char *)data, size }, TOK_SPECIAL | TOK_OFFSETS);
	encode(t, str_of("Once upon a time,  there was a caf\xc3\xa9 (3 x 12).\n<s> \xff\xe2\x96\x81 it's"), TOK_OFFSETS);
	tokenizer_close(t);
	return 0;
}
