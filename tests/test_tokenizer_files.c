/* test_tokenizer_files.c - tokenizers without a tokenizer.json: tests/golden/tokfiles (vectors of transformers and tiktoken), and broken files.
 *
 * Each row of cases.json is a folder: it is put together here, opened, and asked for ids, offsets and text both ways. With the
 * development material the real tokenizer.model files are held against the tokenizer.json beside them.
 */
#include <sys/stat.h>

#include "runners/text/json.h"
#include "runners/tokenizer.h"
#include "tests/test.h"

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

static bool same(const struct value *want, const int32_t *got, size_t n)
{
	if (!want || want->type != V_LIST || want->list->n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (want->list->v[i].i != got[i])
			return false;
	return true;
}

static void one_text(const char *name, size_t i, const struct tokenizer *t, struct str text, struct value want)
{
	struct arena a;
	struct ids plain = { 0 }, special = { 0 };
	struct str dec = STR(""), skip = STR("");
	struct err e = { 0 };
	arena_init(&a);
	bool good = tokenizer_encode(t, text, TOK_OFFSETS, &a, &plain, &e) == 0 && tokenizer_encode(t, text, TOK_SPECIAL, &a, &special, &e) == 0 &&
		    tokenizer_decode(t, plain.id, plain.n, false, &a, &dec, &e) == 0 &&
		    tokenizer_decode(t, special.id, special.n, true, &a, &skip, &e) == 0;
	CHECK(good, "%s: %s", name, e.msg);
	CHECK(same(v_getc(want, "ids"), plain.id, (size_t)plain.n), "%s: text %zu: ids", name, i);
	CHECK(same(v_getc(want, "ids_special"), special.id, (size_t)special.n), "%s: text %zu: ids with special tokens", name, i);
	if (v_getc(want, "off"))
		CHECK(same(v_getc(want, "off"), plain.n ? plain.offset[0] : NULL, 2 * (size_t)plain.n), "%s: text %zu: offsets", name, i);
	CHECK(str_eq(v_getc(want, "dec")->s, dec), "%s: text %zu: decoded '%s', not '%s'", name, i, dec.p, v_getc(want, "dec")->s.p);
	CHECK(str_eq(v_getc(want, "dec_skip")->s, skip), "%s: text %zu: decoded without special tokens", name, i);
	arena_fini(&a);
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
			one_text(name, k, t, texts.list->v[k].s, v_getc(row, "cases")->list->v[k]);
		tokenizer_close(t);
	}
	CHECK(opened >= 55, "only %zu of %zu folders", opened, rows.list->n);
	arena_fini(&a);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "folders", test_golden },
		{ NULL, NULL },
	};
	int rc = test_main("tokenizer_files", tests, argc, argv);
	if (dir)
		test_rmdir(dir);
	return rc;
}
