/* test_tok_patterns.c - patterns, pre-tokenizers and normalizers against what PyPI tokenizers made of the same texts.
 *
 * tests/golden/patterns.json (make_patterns.py): about 250 pre-tokenizers, most of them Splits, with the offsets of their
 * pieces, and normalizers with the text they make. The texts hold characters that came with Unicode 15 and 16, so that
 * tables of another version show at once.
 */
#include "runners/text/json.h"
#include "runners/tokenizer.h"
#include "tests/test.h"

static struct value golden(struct arena *a)
{
	char path[4200];
	struct value v = VNONE;
	struct err e = { 0 };
	snprintf(path, sizeof path, "%s/tests/golden/patterns.json", test_srcdir());
	if (json_load(a, path, 1 << 20, &v, &e) < 0) {
		printf("%s\n", e.msg);
		exit(99);
	}
	return v;
}

/* A tokenizer with these parts, written to dir and opened. */
static struct tokenizer *open_parts(struct arena *a, const char *dir, struct value pre, struct value norm, struct value model)
{
	struct tokenizer *t = NULL;
	struct err e = { 0 };
	struct str path = arena_printf(a, "%s/tokenizer.json", dir);
	FILE *f = fopen(path.p, "wb");
	if (!f) {
		perror(path.p);
		exit(99);
	}
	fprintf(f, "{\"version\":\"1.0\",\"added_tokens\":[],\"post_processor\":null,"
		   "\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":%s,\"normalizer\":%s,\"model\":%s}",
		json_text(a, pre, 0, -1).p, json_text(a, norm, 0, -1).p, json_text(a, model, 0, -1).p);
	if (fclose(f) != 0)
		exit(99);
	CHECK(tokenizer_open(&t, path.p, &e) == 0, "%s: %s", json_text(a, pre, 0, -1).p, e.msg);
	return t;
}

static bool same_offsets(struct value want, const struct ids *got)
{
	if (want.type != V_LIST || want.list->n != 2 * (size_t)got->n)
		return false;
	for (size_t i = 0; i < want.list->n; i++)
		if (want.list->v[i].i != got->offset[i / 2][i % 2])
			return false;
	return true;
}

static struct str offsets_text(struct arena *a, const struct ids *got)
{
	struct str s = STR("");
	for (int i = 0; i < got->n; i++)
		s = arena_printf(a, "%s%s%d,%d", s.n ? s.p : "[", s.n ? "," : "", got->offset[i][0], got->offset[i][1]);
	return arena_printf(a, "%s]", s.n ? s.p : "[");
}

static void test_cuts(void)
{
	struct arena a;
	arena_init(&a);
	struct value g = golden(&a), texts = *v_getc(g, "texts"), cuts = *v_getc(g, "cuts");
	char *dir = test_tmpdir();
	size_t cases = 0;
	for (size_t i = 0; i < cuts.list->n; i++) {
		struct value cut = cuts.list->v[i], pre = *v_getc(cut, "pre"), of = *v_getc(cut, "of"), off = *v_getc(cut, "off");
		struct tokenizer *t = open_parts(&a, dir, pre, VNONE, *v_getc(g, "whole"));
		for (size_t k = 0; t && k < of.list->n; k++, cases++) {
			struct ids got = { 0 };
			struct err e = { 0 };
			struct str text = texts.list->v[of.list->v[k].i].s;
			CHECK(tokenizer_encode(t, text, TOK_OFFSETS, &a, &got, &e) == 0, "%s", e.msg);
			CHECK(same_offsets(off.list->v[k], &got), "%s: text %d: %s, not %s", json_text(&a, pre, 0, -1).p,
			      (int)of.list->v[k].i, offsets_text(&a, &got).p, json_text(&a, off.list->v[k], 0, -1).p);
		}
		tokenizer_close(t);
	}
	printf("%zu pre-tokenizers, %zu cases ", cuts.list->n, cases);
	CHECK(cuts.list->n >= 250 && cases >= 1600, "only %zu pre-tokenizers, %zu cases", cuts.list->n, cases);
	test_rmdir(dir);
	arena_fini(&a);
}

static void test_normal(void)
{
	struct arena a;
	arena_init(&a);
	struct value g = golden(&a), texts = *v_getc(g, "texts"), rows = *v_getc(g, "normal");
	char *dir = test_tmpdir();
	size_t cases = 0;
	for (size_t i = 0; i < rows.list->n; i++) {
		struct value norm = *v_getc(rows.list->v[i], "norm"), of = *v_getc(rows.list->v[i], "of"), want = *v_getc(rows.list->v[i], "text");
		struct tokenizer *t = open_parts(&a, dir, *v_getc(g, "plain"), norm, *v_getc(g, "bytes"));
		for (size_t k = 0; t && k < of.list->n; k++, cases++) {
			struct ids got = { 0 };
			struct str s = STR("");
			struct err e = { 0 };
			struct str text = texts.list->v[of.list->v[k].i].s;
			CHECK(tokenizer_encode(t, text, 0, &a, &got, &e) == 0 &&
				      tokenizer_decode(t, got.id, got.n, false, &a, &s, &e) == 0,
			      "%s", e.msg);
			CHECK(str_eq(want.list->v[k].s, s), "%s: '%.*s' is '%.*s', not '%.*s'", json_text(&a, norm, 0, -1).p,
			      (int)text.n, text.p, (int)s.n, s.p, (int)want.list->v[k].s.n, want.list->v[k].s.p);
		}
		tokenizer_close(t);
	}
	printf("%zu normalizers, %zu cases ", rows.list->n, cases);
	CHECK(cases >= 110, "only %zu cases", cases);
	test_rmdir(dir);
	arena_fini(&a);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "patterns and pre-tokenizers cut as PyPI tokenizers", test_cuts },
		{ "normalizers as PyPI tokenizers", test_normal },
		{ NULL, NULL },
	};
	return test_main("tok_patterns", tests, argc, argv);
}
