/* tokens.h - a text to ids, with and without special tokens, and back, held against a case of the golden files. */
#ifndef ASSAY_TESTS_TOKENS_H
#define ASSAY_TESTS_TOKENS_H

#include "runners/text/value.h"
#include "runners/tokenizer.h"
#include "tests/test.h"

enum { IDS, SPECIAL, OFFSETS, DECODE, DECODE_SKIP, KINDS };
static const char *const kinds[KINDS] = { "ids", "ids_special", "off", "dec", "dec_skip" };

static bool same_ints(const struct value *want, const int32_t *got, size_t n)
{
	if (!want || want->type != V_LIST || want->list->n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (want->list->v[i].type != V_INT || want->list->v[i].i != got[i])
			return false;
	return true;
}

static bool same_text(const struct value *want, struct str got)
{
	return want && want->type == V_STR && str_eq(want->s, got);
}

/* One text against one case: ok[kind] set. */
static void one_case(const struct tokenizer *t, struct str text, struct value want, bool ok[KINDS])
{
	struct arena a;
	struct ids plain = { 0 }, special = { 0 };
	struct str dec = STR(""), skip = STR("");
	struct err e = { 0 };
	arena_init(&a);
	bool good = tokenizer_encode(t, text, TOK_OFFSETS, &a, &plain, &e) == 0 &&
		    tokenizer_encode(t, text, TOK_SPECIAL, &a, &special, &e) == 0 &&
		    tokenizer_decode(t, plain.id, plain.n, false, &a, &dec, &e) == 0 &&
		    tokenizer_decode(t, special.id, special.n, true, &a, &skip, &e) == 0;
	CHECK(good, "%s", e.msg);
	ok[IDS] = same_ints(v_getc(want, "ids"), plain.id, (size_t)plain.n);
	ok[SPECIAL] = same_ints(v_getc(want, "ids_special"), special.id, (size_t)special.n);
	ok[OFFSETS] = same_ints(v_getc(want, "off"), plain.n ? plain.offset[0] : NULL, 2 * (size_t)plain.n);
	ok[DECODE] = same_text(v_getc(want, "dec"), dec);
	ok[DECODE_SKIP] = same_text(v_getc(want, "dec_skip"), skip);
	arena_fini(&a);
}

#endif
