/* test_tokenizer.c - encode and decode against vectors of PyPI tokenizers.
 *
 * tests/golden/tokenizers.json and tokenizer_parts.json: small tokenizers for each component, and the two tiny models. With ASSAY_TOKENIZERS (a folder
 * with vectors.json and one folder for each family) or the development material (tokenizers.tar.xz, unpacked here with
 * libarchive): real tokenizers, and llama.cpp's own vectors.
 */
#include <archive.h>
#include <archive_entry.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "runners/text/json.h"
#include "runners/tok_cache.h"
#include "tests/tokens.h"

/* All cases of a family; report: print the counts. */
static void family(const char *name, const struct tokenizer *t, struct value texts, struct value cases, bool report)
{
	int passed[KINDS] = { 0 };
	size_t n = texts.list->n;
	CHECK(cases.type == V_LIST && cases.list->n == n, "%s: %zu texts", name, n);
	for (size_t i = 0; i < n && i < cases.list->n; i++) {
		bool ok[KINDS];
		one_case(t, texts.list->v[i].s, cases.list->v[i], ok);
		for (int k = 0; k < KINDS; k++) {
			passed[k] += ok[k];
			if (!ok[k] && passed[k] + 3 > (int)i)
				printf("\n    %s: text %zu: %s differ", name, i, kinds[k]);
		}
	}
	if (report)
		printf("\n    %-16s ids %d/%zu  ids_special %d/%zu  offsets %d/%zu  decode %d/%zu  decode_skip %d/%zu",
		       name, passed[IDS], n, passed[SPECIAL], n, passed[OFFSETS], n, passed[DECODE], n,
		       passed[DECODE_SKIP], n);
	for (int k = 0; k < KINDS; k++)
		CHECK(passed[k] == (int)n, "%s: %s: %d of %zu passed", name, kinds[k], passed[k], n);
}

static void write_file(const char *path, struct str s)
{
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(s.p, 1, s.n, f) != s.n || fclose(f) != 0) {
		perror(path);
		exit(99);
	}
}

static struct value golden(struct arena *a, const char *file)
{
	char path[4200];
	struct value v = VNONE;
	struct err e = { 0 };
	snprintf(path, sizeof path, "%s/tests/golden/%s", test_srcdir(), file);
	if (json_load(a, path, 1 << 26, &v, &e) < 0) {
		printf("%s\n", e.msg);
		exit(99);
	}
	return v;
}

/* Opens a golden family: its own tokenizer, or "model:NAME" in suites/models. */
static struct tokenizer *open_golden(struct arena *a, struct str name, struct value fam, const char *dir, struct err *e)
{
	struct tokenizer *t = NULL;
	const struct value *v = v_getc(fam, "tokenizer");
	struct str path = arena_printf(a, "%s/tokenizer.json", dir);
	if (v->type == V_NONE)
		path = arena_printf(a, "%s/suites/models/%.*s", test_srcdir(), (int)name.n - 6, name.p + 6);
	else
		write_file(path.p, json_text(a, *v, 0, -1));
	tokenizer_open(&t, path.p, e);
	return t;
}

static void golden_file(const char *file, size_t least)
{
	struct arena a;
	arena_init(&a);
	struct value g = golden(&a, file), fams = *v_getc(g, "families");
	char *dir = test_tmpdir();
	for (size_t i = 0; i < fams.dict->n; i++) {
		struct err e = { 0 };
		struct str name = fams.dict->v[i].key.s;
		struct tokenizer *t = open_golden(&a, name, fams.dict->v[i].val, dir, &e);
		CHECK(t != NULL, "%s: %s", name.p, e.msg);
		if (t)
			family(name.p, t, *v_getc(g, "texts"), *v_getc(fams.dict->v[i].val, "cases"), false);
		tokenizer_close(t);
	}
	CHECK(fams.dict->n >= least, "%s: only %zu families", file, fams.dict->n);
	test_rmdir(dir);
	arena_fini(&a);
}

static void test_golden(void)
{
	golden_file("tokenizers.json", 60);
}

static void test_parts(void)
{
	golden_file("tokenizer_parts.json", 55);
}

/* ---- real tokenizers ---- */

static void unpack(const char *archive, const char *dir)
{
	struct archive *in = archive_read_new(), *out = archive_write_disk_new();
	struct archive_entry *entry;
	archive_read_support_filter_all(in);
	archive_read_support_format_tar(in);
	archive_write_disk_set_options(out, ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_SYMLINKS);
	if (archive_read_open_filename(in, archive, 1 << 16) != ARCHIVE_OK) {
		printf("%s: %s\n", archive, archive_error_string(in));
		exit(99);
	}
	while (archive_read_next_header(in, &entry) == ARCHIVE_OK) {
		char path[4300];
		snprintf(path, sizeof path, "%s/%s", dir, archive_entry_pathname(entry));
		archive_entry_set_pathname(entry, path);
		if (archive_read_extract2(in, entry, out) > ARCHIVE_WARN)
			continue;
	}
	archive_read_free(in);
	archive_write_free(out);
}

/* The folder with vectors.json below dir, at most two levels deep. */
static bool find_vectors(const char *dir, char out[4300])
{
	static const char *const below[] = { "", "/tokenizers", "/material/tokenizers", NULL };
	for (int i = 0; below[i]; i++) {
		char path[4400];
		snprintf(out, 4300, "%s%s", dir, below[i]);
		snprintf(path, sizeof path, "%s/vectors.json", out);
		if (access(path, R_OK) == 0)
			return true;
	}
	return false;
}

static char *material_tmp;

static const char *real_folder(void)
{
	static char path[4300];
	const char *env = getenv("ASSAY_TOKENIZERS"), *shared = test_shared("material");
	if (env && find_vectors(env, path))
		return path;
	if (!shared)
		return NULL;
	if (find_vectors(shared, path))
		return path;
	snprintf(path, sizeof path, "%s/tokenizers.tar.xz", shared);
	if (access(path, R_OK) != 0)
		return NULL;
	if (!material_tmp) {
		material_tmp = strdup(test_tmpdir());
		unpack(path, material_tmp);
	}
	return find_vectors(material_tmp, path) ? path : NULL;
}

static void test_real(void)
{
	const char *dir = real_folder();
	if (!dir) {
		SKIP("no tokenizers (ASSAY_TOKENIZERS or the material)");
		return;
	}
	struct arena a;
	struct value v;
	struct err e = { 0 };
	char path[4400];
	arena_init(&a);
	snprintf(path, sizeof path, "%s/vectors.json", dir);
	CU_ASSERT_FATAL(json_load(&a, path, 1 << 26, &v, &e) == 0);
	struct value fams = *v_getc(v, "families");
	int opened = 0;
	for (size_t i = 0; i < fams.dict->n; i++) {
		struct tokenizer *t = NULL;
		const char *name = fams.dict->v[i].key.s.p;
		snprintf(path, sizeof path, "%s/%s/tokenizer.json", dir, name);
		struct timespec t0, t1;
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
		e.code = E_NONE;
		if (tokenizer_open(&t, path, &e) < 0) {
			printf("\n    %-16s not read: %s", name, e.msg);
			CHECK(e.code == E_UNSUPPORTED, "%s: %s", name, e.msg);
			continue;
		}
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
		opened++;
		family(name, t, *v_getc(v, "texts"), *v_getc(fams.dict->v[i].val, "cases"), true);
		printf("  load %.0f ms",
		       (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e6);
		tokenizer_close(t);
	}
	struct tokenizer *t = NULL;
	snprintf(path, sizeof path, "%s/internlm2", dir);
	CHECK(tokenizer_open(&t, path, &e) == 0, "%s", e.msg);
	if (t) /* of added_tokens_decoder: what transformers 5.24 gives, not the 92543 that stands there */
		CHECK(tokenizer_id(t, STR("<|im_start|>")) == 92549, "internlm2: <|im_start|>");
	tokenizer_close(t);
	CHECK(opened >= 15, "only %d of %zu families are read", opened, fams.dict->n);
	arena_fini(&a);
}

static struct str slurp(struct arena *a, const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return (struct str){ NULL, 0 };
	char *p = arena_alloc(a, 1 << 16);
	size_t n = fread(p, 1, (1 << 16) - 1, f);
	fclose(f);
	return (struct str){ p, n };
}

/* llama.cpp's cases: texts separated by a line, a line of ids each. PyPI tokenizers gives the same ids in every case of the
 * tokenizer.json files. From Llama 2's tokenizer.model transformers 5 makes a Metaspace that takes a blank at the start of the
 * text for the one it would put there, where llama.cpp has both: the cases in others, and no others, have other ids. */
static void test_llamacpp(void)
{
	static const struct {
		const char *vectors, *file;
		uint64_t others;
	} rows[] = {
		{ "gpt-2", "gpt2/tokenizer.json", 0 },
		{ "qwen2", "qwen2_5/tokenizer.json", 0 },
		{ "llama-bpe", "llama3_1/tokenizer.json", 0 },
		{ "llama-spm", "llama2/tokenizer.json", 0 },
		{ "phi-3", "phi_3_mini/tokenizer.json", 0 },
#define CASE(n) (UINT64_C(1) << (n))
		{ "llama-spm", "llama2/tokenizer.model",
		  CASE(3) | CASE(4) | CASE(5) | CASE(12) | CASE(14) | CASE(15) | CASE(17) | CASE(18) | CASE(24) | CASE(25) |
			  CASE(26) | CASE(27) | CASE(28) | CASE(29) | CASE(44) },
#undef CASE
	};
	static const char sep[] = "\n__ggml_vocab_test__\n";
	const char *dir = real_folder();
	if (!dir) {
		SKIP("no tokenizers (ASSAY_TOKENIZERS or the material)");
		return;
	}
	for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
		char path[4400];
		struct arena a;
		struct tokenizer *t = NULL;
		struct err e = { 0 };
		int all = 0, passed = 0;
		arena_init(&a);
		snprintf(path, sizeof path, "%s/%s", dir, rows[r].file);
		CHECK(tokenizer_open(&t, path, &e) == 0, "%s", e.msg);
		snprintf(path, sizeof path, "%s/llamacpp-vectors/ggml-vocab-%s.gguf.inp", dir, rows[r].vectors);
		struct str in = slurp(&a, path);
		snprintf(path, sizeof path, "%s/llamacpp-vectors/ggml-vocab-%s.gguf.out", dir, rows[r].vectors);
		struct str out = slurp(&a, path);
		const char *line = out.p;
		for (size_t i = 0; t && in.p && line && i < in.n; all++) {
			const char *end = memmem(in.p + i, in.n - i, sep, sizeof sep - 1);
			size_t n = end ? (size_t)(end - in.p) - i : in.n - i;
			if (!end)
				break;
			struct ids got;
			CHECK(tokenizer_encode(t, (struct str){ in.p + i, n }, 0, &a, &got, &e) == 0, "%s", e.msg);
			int k = 0, ok = 1;
			char *stop;
			while (*line && *line != '\n') {
				long want = strtol(line, &stop, 10);
				if (stop == line)
					break;
				ok &= k < got.n && got.id[k] == want;
				k++;
				line = stop;
				while (*line == ' ')
					line++;
			}
			line += *line == '\n';
			ok &= k == got.n;
			CHECK(ok != (int)(rows[r].others >> all & 1), "%s: case %d %s", rows[r].file, all,
			      ok ? "is the same" : "differs");
			passed += ok;
			i += n + sizeof sep - 1;
		}
		printf("\n    llama.cpp %-10s %-24s %d/%d", rows[r].vectors, rows[r].file, passed, all);
		CHECK(all == 46, "%s: %d cases, not 46", rows[r].vectors, all);
		tokenizer_close(t);
		arena_fini(&a);
	}
}

/* ---- properties ---- */

static struct tokenizer *tiny(const char *name)
{
	char path[4400];
	struct tokenizer *t = NULL;
	struct err e = { 0 };
	snprintf(path, sizeof path, "%s/suites/models/%s", test_srcdir(), name);
	tokenizer_open(&t, path, &e);
	CHECK(t != NULL, "%s", e.msg);
	return t;
}

static void test_questions(void)
{
	struct tokenizer *t = tiny("stories260k");
	if (!t)
		return;
	unsigned char d1[DIGEST_BYTES], d2[DIGEST_BYTES];
	CHECK(tokenizer_vocab(t) == 512, "vocab %d", tokenizer_vocab(t));
	CHECK(tokenizer_bos(t) == 1 && tokenizer_eos(t) == 2, "bos %d eos %d", tokenizer_bos(t), tokenizer_eos(t));
	CHECK(tokenizer_model_max_length(t) == 512, "longest input");
	CHECK(tokenizer_id(t, STR("<s>")) == 1 && tokenizer_id(t, STR("no such token")) == -1, "ids of tokens");
	CHECK(str_is(tokenizer_token(t, 2), "</s>") && !tokenizer_token(t, 512).p && !tokenizer_token(t, -1).p,
	      "tokens of ids");
	CHECK(tokenizer_is_special(t, 1) && !tokenizer_is_special(t, 300) && !tokenizer_is_special(t, 99999),
	      "special tokens");
	for (int32_t i = 0; i < tokenizer_vocab(t); i++)
		CHECK(tokenizer_id(t, tokenizer_token(t, i)) == i, "token %d", i);
	tokenizer_digest(t, d1);
	tokenizer_close(t);
	t = tiny("babyllama105");
	if (!t)
		return;
	tokenizer_digest(t, d2);
	CHECK(memcmp(d1, d2, sizeof d1) != 0, "two tokenizers, one digest");
	tokenizer_close(t);
	CHECK(tokenizer_components()[0] != NULL, "components");
}

/* Bad UTF-8 is U+FFFD, ids outside the vocabulary decode to nothing. */
static void test_strange(void)
{
	struct tokenizer *t = tiny("stories260k");
	if (!t)
		return;
	struct arena a;
	struct ids x, y;
	struct str s;
	struct err e = { 0 };
	arena_init(&a);
	CHECK(tokenizer_encode(t, STR("a\xff\xe4\xb8z"), TOK_OFFSETS, &a, &x, &e) == 0 &&
		      tokenizer_encode(t, STR("a\xef\xbf\xbd\xef\xbf\xbdz"), TOK_OFFSETS, &a, &y, &e) == 0,
	      "%s", e.msg);
	CHECK(x.n == y.n && !memcmp(x.id, y.id, sizeof *x.id * (size_t)x.n) &&
		      !memcmp(x.offset, y.offset, sizeof *x.offset * (size_t)x.n),
	      "bad bytes are not U+FFFD");
	static const int32_t ids[] = { -5, 512, 1 << 30, 1, 400 };
	CHECK(tokenizer_decode(t, ids, 5, false, &a, &s, &e) == 0 &&
		      tokenizer_decode(t, ids, 0, false, &a, &s, &e) == 0 && s.n == 0,
	      "%s", e.msg);
	CHECK(tokenizer_encode(t, (struct str){ NULL, 0 }, TOK_SPECIAL | TOK_OFFSETS, &a, &x, &e) == 0 && x.n == 1 &&
		      x.id[0] == 1,
	      "empty text");
	CHECK(tokenizer_encode(t, (struct str){ NULL, 0 }, 0, &a, &x, &e) == 0 && x.n == 0, "empty text");
	arena_fini(&a);
	tokenizer_close(t);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Long runs take n log n, and long texts come back as they were. */
static void test_long(void)
{
	struct arena a;
	arena_init(&a);
	struct value g = golden(&a, "tokenizers.json"), fams = *v_getc(g, "families");
	char *dir = test_tmpdir();
	static const char *const names[] = { "bytes-trim", "bytes-nfc-split", "model:stories260k",
					     "metaspace-always-True" };
	static const char *const units[] = { "a", "the ", " ", "\n", "\xcc\x81", "ab" };
	for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
		struct err e = { 0 };
		struct tokenizer *t = open_golden(&a, str_of(names[k]), *v_getc(fams, names[k]), dir, &e);
		CHECK(t != NULL, "%s", e.msg);
		for (size_t u = 0; t && u < sizeof units / sizeof units[0]; u++) {
			struct arena b;
			struct ids ids;
			size_t n = 0, len = strlen(units[u]);
			arena_init(&b);
			char *p = arena_alloc(&b, 1 << 20);
			for (; n + len <= 1 << 20; n += len)
				memcpy(p + n, units[u], len);
			double t0 = seconds();
			int rc = tokenizer_encode(t, (struct str){ p, n }, 0, &b, &ids, &e);
			double took = seconds() - t0;
			CHECK(rc == 0, "%s: 1 MB of '%s': %s", names[k], units[u], e.msg);
			CHECK(took < 60, /* a quadratic tokenizer takes hours */
			      "%s: 1 MB of '%s' took %.1f s", names[k],
			      units[u], took);
			struct str back;
			if (rc == 0 && strcmp(units[u], "\xcc\x81") != 0 && k != 3) {
				CHECK(tokenizer_decode(t, ids.id, ids.n, true, &b, &back, &e) == 0, "%s", e.msg);
				CHECK(back.n == n && !memcmp(back.p, p, n), "%s: 1 MB of '%s' comes back changed",
				      names[k], units[u]);
			}
			arena_fini(&b);
		}
		tokenizer_close(t);
	}
	test_rmdir(dir);
	arena_fini(&a);
}

/* Many threads, one tokenizer. */
static const struct tokenizer *shared_t;
static struct value shared_texts, shared_cases;
static atomic_int shared_bad;

static void *encode_all(void *arg)
{
	(void)arg;
	for (int round = 0; round < 5; round++)
		for (size_t i = 0; i < shared_texts.list->n; i++) {
			struct arena a;
			struct ids ids = { 0 };
			arena_init(&a);
			if (tokenizer_encode(shared_t, shared_texts.list->v[i].s, 0, &a, &ids, NULL) < 0 ||
			    !same_ints(v_getc(shared_cases.list->v[i], "ids"), ids.id, (size_t)ids.n))
				shared_bad++;
			arena_fini(&a);
		}
	return NULL;
}

static void test_threads(void)
{
	struct arena a;
	struct err e = { 0 };
	pthread_t th[8];
	arena_init(&a);
	struct value g = golden(&a, "tokenizers.json"), fams = *v_getc(g, "families");
	char *dir = test_tmpdir();
	struct value fam = *v_getc(fams, "bytes-nfc-split");
	struct tokenizer *t = open_golden(&a, STR("bytes-nfc-split"), fam, dir, &e);
	CHECK(t != NULL, "%s", e.msg);
	shared_t = t;
	shared_texts = *v_getc(g, "texts");
	shared_cases = *v_getc(fam, "cases");
	for (int i = 0; t && i < 8; i++)
		pthread_create(&th[i], NULL, encode_all, NULL);
	for (int i = 0; t && i < 8; i++)
		pthread_join(th[i], NULL);
	CHECK(shared_bad == 0, "%d texts differ between threads", shared_bad);
	tokenizer_close(t);
	test_rmdir(dir);
	arena_fini(&a);
}

/* Many threads put words into the table of words met before and look for them: words of two lines only, far more than their entries. */
static struct cache shared_words;
static uint32_t crowd[100];
static int ncrowd;

static struct cache_key word_key(uint32_t w)
{
	char p[CACHE_BYTES + 1];
	size_t len = (size_t)snprintf(p, sizeof p, w & 1 ? "%u" : "%010u", w);
	return cache_key(&shared_words, p, len, w & 2);
}
static atomic_int words_known, words_wrong;

static void *words_all(void *arg)
{
	uint32_t x = (uint32_t)(uintptr_t)arg;
	for (int i = 0; i < 1000000; i++) {
		x = x * 1664525 + 1013904223;
		uint32_t w = crowd[(x >> 8) % (uint32_t)ncrowd], n = 1 + w % CACHE_IDS;
		int32_t id[CACHE_IDS] = { 0 }, want[CACHE_IDS] = { (int32_t)w, (int32_t)(w * 7 % (1 << 24)), (1 << 24) - 1 - (int32_t)w };
		struct cache_key k = word_key(w);
		int got = cache_get(&k, id);
		words_known += got > 0;
		words_wrong += got && (got != (int)n || memcmp(id, want, n * sizeof *id));
		if (!got)
			cache_put(&k, want, (int)n);
	}
	return NULL;
}

static void test_words(void)
{
	pthread_t th[4];
	shared_words.line = calloc((size_t)1 << CACHE_BITS, sizeof *shared_words.line);
	for (uint32_t w = 0; w < 1000000 && ncrowd < 100; w++)
		if (word_key(w).line < shared_words.line[2])
			crowd[ncrowd++] = w;
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&th[i], NULL, words_all, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
	CHECK(words_wrong == 0, "%d words have other tokens than were kept", words_wrong);
	CHECK(words_known > 10000, "only %d words were known", words_known);
	free(shared_words.line);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "every component as PyPI tokenizers", test_golden },
		{ "every model kind as PyPI tokenizers", test_parts },
		{ "real tokenizers as PyPI tokenizers", test_real },
		{ "llama.cpp's vectors", test_llamacpp },
		{ "questions about a tokenizer", test_questions },
		{ "strange text and ids", test_strange },
		{ "long runs in n log n", test_long },
		{ "many threads", test_threads },
		{ "words met before, many threads", test_words },
		{ NULL, NULL },
	};
	int rc = test_main("tokenizer", tests, argc, argv);
	if (material_tmp)
		test_rmdir(material_tmp);
	return rc;
}
