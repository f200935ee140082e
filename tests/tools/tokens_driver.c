/* tokens_driver.c - encodes and decodes many texts for tests/tools/tokens_diff.py, in a binary form that both sides write fast.
 *
 * usage: tokens_driver TOKENIZER < in > out      all numbers are 32 bits, this machine's order
 * in:   kind n bytes[n]    kind 0: text, ids without special tokens; 1: with them; 2: ids to decode
 * out:  size, then size bytes. Texts: n, n ids, n pairs of offsets, length and text decoded, the same without special tokens.
 *       Ids: both decodings. An error: the number -1 and the message.
 * Texts are encoded a second time without offsets, as words met before then come from the table of tok_cache.h: other ids are an error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runners/tokenizer.h"

static void put(struct buf *b, uint32_t v)
{
	buf_add(b, (const char *)&v, sizeof v);
}

static int decode(const struct tokenizer *t, struct arena *a, const int32_t *id, int n, struct buf *out, struct err *e)
{
	for (int skip = 0; skip < 2; skip++) {
		struct str s;
		if (tokenizer_decode(t, id, n, skip, a, &s, e) < 0)
			return -1;
		put(out, (uint32_t)s.n);
		buf_str(out, s);
	}
	return 0;
}

static int answer(const struct tokenizer *t, struct arena *a, uint32_t kind, struct str in, struct buf *out, struct err *e)
{
	struct ids r, again;
	unsigned flags = kind ? TOK_SPECIAL : 0;
	if (kind == 2)
		return decode(t, a, (const int32_t *)in.p, (int)(in.n / 4), out, e);
	if (tokenizer_encode(t, in, TOK_OFFSETS | flags, a, &r, e) < 0 || tokenizer_encode(t, in, flags, a, &again, e) < 0)
		return -1;
	if (again.n != r.n || (r.n && memcmp(again.id, r.id, (size_t)r.n * sizeof *r.id)))
		return err_set(e, E_FORMAT, "without offsets the ids are others");
	put(out, (uint32_t)r.n);
	buf_add(out, (const char *)r.id, (size_t)r.n * 4);
	buf_add(out, (const char *)r.offset, (size_t)r.n * 8);
	return decode(t, a, r.id, r.n, out, e);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	struct tokenizer *t;
	uint32_t head[2];
	struct buf out = { 0 };
	if (argc != 2 || tokenizer_open(&t, argv[1], &e) < 0) {
		fprintf(stderr, "tokens_driver: %s\n", argc != 2 ? "usage: tokens_driver TOKENIZER" : e.msg);
		return 1;
	}
	struct arena a;
	arena_init(&a);
	while (fread(head, sizeof head, 1, stdin) == 1) {
		char *p = arena_alloc(&a, (size_t)head[1] + 8);
		if (fread(p, 1, head[1], stdin) != head[1])
			return 1;
		struct err bad = { 0 };
		out.n = 0;
		if (answer(t, &a, head[0], (struct str){ p, head[1] }, &out, &bad) < 0) {
			out.n = 0;
			put(&out, UINT32_MAX);
			buf_puts(&out, bad.msg);
		}
		uint32_t size = (uint32_t)out.n;
		fwrite(&size, sizeof size, 1, stdout);
		fwrite(out.p, 1, out.n, stdout);
		arena_reset(&a);
	}
	fflush(stdout);
	arena_fini(&a);
	buf_fini(&out);
	tokenizer_close(t);
	return 0;
}
