/* test_dataset.c - rows in every format and wrapping, damaged ones, where splits are looked for, row operations. */
#include "tests/test.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include "harness/dataset.h"
#include "harness/reader.h"
#include "harness/rows.h"
#include "runners/text/json.h"

static char dir[4096];

static const char *in_dir(const char *name)
{
	static char path[2][8192];
	static int k;
	k = !k;
	snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
	return path[k];
}

static void put_bytes(const char *name, const void *p, size_t n)
{
	FILE *f = fopen(in_dir(name), "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f)) {
		perror(name);
		exit(99);
	}
}

static void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

struct member {
	const char *name, *text;
};

/* An archive with libarchive: filter 0 none; format 0 raw. */
static void put_archive(const char *name, int filter, int format, const struct member *m, int n)
{
	struct archive *w = archive_write_new();
	if (filter)
		archive_write_add_filter(w, filter);
	if (format)
		archive_write_set_format(w, format);
	else
		archive_write_set_format_raw(w);
	if (archive_write_open_filename(w, in_dir(name)) != ARCHIVE_OK)
		exit(99);
	for (int i = 0; i < n; i++) {
		struct archive_entry *x = archive_entry_new();
		archive_entry_set_pathname(x, m[i].name);
		archive_entry_set_filetype(x, AE_IFREG);
		archive_entry_set_perm(x, 0644);
		archive_entry_set_size(x, (la_int64_t)strlen(m[i].text));
		if (archive_write_header(w, x) != ARCHIVE_OK || archive_write_data(w, m[i].text, strlen(m[i].text)) < 0)
			exit(99);
		archive_entry_free(x);
	}
	archive_write_close(w);
	archive_write_free(w);
}

static struct str rows_json(struct arena *a, const struct rows *r)
{
	struct value l = v_list(a, r->n);
	for (size_t i = 0; i < r->n; i++)
		v_push(a, l, r->v[i]);
	return json_text(a, l, JSON_COMPACT, -1);
}

static void expect(const char *name, const char *want)
{
	struct arena a;
	struct rows r;
	struct err e = { 0 };
	arena_init(&a);
	int rc = dataset_read(&r, &a, in_dir(name), &e);
	CHECK(rc == 0, "%s: %s", name, e.msg);
	if (rc == 0) {
		struct str got = rows_json(&a, &r);
		CHECK(str_is(got, want), "%s: wanted %s, got %s", name, want, got.p);
	}
	arena_fini(&a);
}

static void expect_error(const char *name, const char *want)
{
	struct arena a;
	struct rows r;
	struct err e = { 0 };
	arena_init(&a);
	int rc = dataset_read(&r, &a, in_dir(name), &e);
	CHECK(rc != 0, "%s was read; wanted: %s", name, want);
	CHECK(rc == 0 || strstr(e.msg, want), "%s: wanted '%s', got '%s'", name, want, e.msg);
	CHECK(rc == 0 || strstr(e.msg, name), "%s: the message does not name the file: %s", name, e.msg);
	arena_fini(&a);
}

static const struct {
	const char *name, *text, *want;
} good[] = {
	{ "a.jsonl", "{\"b\":1,\"a\":[\"x\",null]}\n\n  \n{\"b\":2.5,\"a\":{}}\r\n", "[{\"b\":1,\"a\":[\"x\",null]},{\"b\":2.5,\"a\":{}}]" },
	{ "b.jsonl", "\xef\xbb\xbf{\"a\":\"\xc3\xa9\"}", "[{\"a\":\"\xc3\xa9\"}]" },
	{ "c.json", " [ {\"a\":1},\n{\"a\":true} ] ", "[{\"a\":1},{\"a\":true}]" },
	{ "d.ndjson", "{\"a\":1}", "[{\"a\":1}]" },
	{ "e.csv", "q,a\nx,1\n\"y,\"\"z\"\"\n2nd\",  2 \n,\n", "[{\"q\":\"x\",\"a\":\"1\"},{\"q\":\"y,\\\"z\\\"\\n2nd\",\"a\":\"  2 \"},{\"q\":\"\",\"a\":\"\"}]" },
	{ "f.csv", "q,a\r\n1,2\r\n", "[{\"q\":\"1\",\"a\":\"2\"}]" },
	{ "g.tsv", "q\ta\nsay \"hi\"\tb, c \n", "[{\"q\":\"say \\\"hi\\\"\",\"a\":\"b, c \"}]" },
	{ "h.csv", "a\n5", "[{\"a\":\"5\"}]" },
};

static void test_formats(void)
{
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		put(good[i].name, good[i].text);
		expect(good[i].name, good[i].want);
	}
}

static void test_wrappings(void)
{
	static const struct {
		const char *end;
		int filter;
	} filters[] = { { "gz", ARCHIVE_FILTER_GZIP }, { "bz2", ARCHIVE_FILTER_BZIP2 }, { "xz", ARCHIVE_FILTER_XZ }, { "zst", ARCHIVE_FILTER_ZSTD } };
	for (size_t f = 0; f < sizeof filters / sizeof *filters; f++)
		for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
			char name[100];
			snprintf(name, sizeof name, "%s.%s", good[i].name, filters[f].end);
			put_archive(name, filters[f].filter, 0, &(struct member){ "data", good[i].text }, 1);
			expect(name, good[i].want);
		}
	static const struct member m[] = { { "README.txt", "nothing" }, { "x/.hidden.jsonl", "{" }, { "x/rows.csv", "a\n5\n" }, { "x/more.csv", "b\n6\n" } };
	put_archive("w.zip", 0, ARCHIVE_FORMAT_ZIP, m, 4);
	put_archive("w.tar", 0, ARCHIVE_FORMAT_TAR_USTAR, m, 4);
	put_archive("w.tar.xz", ARCHIVE_FILTER_XZ, ARCHIVE_FORMAT_TAR_USTAR, m, 4);
	put_archive("w.jsonl.zip", 0, ARCHIVE_FORMAT_ZIP, m, 4);
	expect("w.zip", "[{\"a\":\"5\"}]");
	expect("w.tar", "[{\"a\":\"5\"}]");
	expect("w.tar.xz", "[{\"a\":\"5\"}]");
	expect("w.jsonl.zip", "[{\"a\":\"5\"}]");
	put_archive("none.zip", 0, ARCHIVE_FORMAT_ZIP, m, 2);
	expect_error("none.zip", "no member of this archive is .jsonl, .json, .csv or .tsv");
}

static void test_damaged(void)
{
	static const struct {
		const char *name, *text, *want;
	} bad[] = {
		{ "a1.jsonl", "{\"a\":1}\n{\"a\":}\n", "a1.jsonl:2:" },
		{ "a2.jsonl", "{\"a\":1}\n\n[1]\n", "a2.jsonl:3: a row must be an object, not a list" },
		{ "a3.jsonl", "{\"a\":1} {\"a\":2}\n", "a3.jsonl:1:" },
		{ "a4.jsonl", "{\"a\":123456789012345678901234567890}\n", "a4.jsonl:1:" },
		{ "a5.jsonl", "{\"a\":1}\n{\"a\":\"\xff\"}\n", "a5.jsonl:2: not UTF-8" },
		{ "a6.jsonl", "\n\n", "holds no rows" },
		{ "a7.jsonl", "", "is empty" },
		{ "a8.jsonl", "{\n\"a\": 1\n}\n", "a8.jsonl:1:" },
		{ "b1.json", "[{\"a\":1},2]", "item 1 of the array must be an object, not a int" },
		{ "b2.json", "[{\"a\":1},\n{\"a\":1]", "b2.json:2:" },
		{ "b3.json", "[]", "holds no rows" },
		{ "c1.csv", "a,b\n1,2\n3\n", "c1.csv:3: 1 fields, the header has 2" },
		{ "c2.csv", "a,b\n1,2,3\n", "c2.csv:2: 3 fields, the header has 2" },
		{ "c3.csv", "a,b\n\"x\ny\",2\n1\n", "c3.csv:4: 1 fields" },
		{ "c4.csv", "a,a\n1,2\n", "c4.csv:1: two columns are called 'a'" },
		{ "c5.csv", "a,b\n1,\"2\n3,4\n", "a quoted field is not closed (it began in the record of line 2)" },
		{ "c6.csv", "a,b\n1,x\"y\"\n", "c6.csv:2: a quotation mark inside a field" },
		{ "c7.csv", "a,b\n", "holds no rows" },
		{ "d1.txt", "hello", "rows must be .jsonl, .json, .csv or .tsv" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		put(bad[i].name, bad[i].text);
		expect_error(bad[i].name, bad[i].want);
	}
	put_bytes("nul.csv", "a\n\0\n", 4);
	expect_error("nul.csv", "holds a NUL byte");
	expect_error("absent.csv", "cannot be opened");
	mkdir(in_dir("folder.csv"), 0755);
	expect_error("folder.csv", "not a file");
}

/* A compressed file cut anywhere: an error, never half the rows. */
static void test_cut(void)
{
	static const int filters[] = { ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_BZIP2 };
	static const char *const names[] = { "cut.jsonl.gz", "cut.jsonl.xz", "cut.jsonl.zst", "cut.jsonl.bz2" };
	char text[4000] = "";
	for (int i = 0; i < 100; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "{\"n\":%d,\"x\":\"%d\"}\n", i, i * i * 7919);
	for (int f = 0; f < 4; f++) {
		put_archive(names[f], filters[f], 0, &(struct member){ "data", text }, 1);
		struct stat st;
		static char bytes[8000];
		FILE *in = fopen(in_dir(names[f]), "rb");
		CU_ASSERT_FATAL(in && fstat(fileno(in), &st) == 0 && (size_t)st.st_size < sizeof bytes);
		size_t n = fread(bytes, 1, sizeof bytes, in);
		fclose(in);
		for (size_t k = 1; k + 1 < n; k += 1 + n / 40) {
			struct arena a;
			struct rows r;
			struct err e = { 0 };
			arena_init(&a);
			put_bytes(names[f], bytes, k);
			int rc = dataset_read(&r, &a, in_dir(names[f]), &e);
			CHECK(rc != 0, "%s cut after %zu of %zu bytes was read", names[f], k, n);
			arena_fini(&a);
		}
	}
}

/* Texts with bytes changed or cut: rows or one sentence, never a crash. */
static void test_mutations(void)
{
	unsigned long long seed = test_seed();
	int read = 0, refused = 0;
	printf("(seed %llu) ", seed);
	for (int round = 0; round < 3000; round++) {
		struct arena a;
		struct value *rows;
		struct err e = { 0 };
		size_t n = 0, which = test_rand(&seed) % (sizeof good / sizeof *good);
		char text[200];
		size_t len = strlen(good[which].text);
		memcpy(text, good[which].text, len);
		for (int k = (int)(test_rand(&seed) % 4); k >= 0; k--)
			text[test_rand(&seed) % len] = "\"\\,{}[]:\n\r\t0\xff\xe2\0"[test_rand(&seed) % 15];
		if (test_rand(&seed) % 4 == 0)
			len = test_rand(&seed) % len;
		arena_init(&a);
		char *exact = malloc(len ? len : 1); /* no byte behind the end, so that a sanitizer sees one read too many */
		memcpy(exact, text, len);
		int rc = reader_rows(&rows, &n, &a, (struct str){ exact, len }, reader_format(good[which].name), "t", &e);
		CHECK(rc == 0 ? n > 0 : e.msg[0] == 't', "round %d: %s", round, e.msg);
		*(rc ? &refused : &read) += 1;
		free(exact);
		arena_fini(&a);
	}
	CHECK(read > 200 && refused > 500, "%d read, %d refused", read, refused);
}

static void test_finding(void)
{
	struct suite s = { .name = STR("s"), .dataset = STR("org/set"), .config = STR("default"), .file = STR("s.yaml"), .test_split = STR("test") };
	struct arena a;
	arena_init(&a);
	const char *dirs[] = { arena_cstr(&a, str_of(in_dir("d1"))), arena_cstr(&a, str_of(in_dir("d2"))), NULL };
	char path[4096];
	bool local;
	struct data_file f = { "s", "test", arena_cstr(&a, str_of(in_dir("mine.csv"))) };
	struct data_sources d = { .dirs = dirs };
	struct rows r;
	struct err e = { 0 };
	CU_ASSERT(mkdir(in_dir("d1"), 0755) == 0 && mkdir(in_dir("d2"), 0755) == 0 && mkdir(in_dir("d2/org__set"), 0755) == 0 &&
		  mkdir(in_dir("d2/org__set/default"), 0755) == 0);
	put("mine.csv", "a\n1\n");
	CU_ASSERT(dataset_find(&s, "test", &d, path, &local) == 0);
	CU_ASSERT(dataset_load(&r, &a, &s, "test", &d, &e) != 0 && e.code == E_IO);
	CHECK(strstr(e.msg, "no rows for split 'test' of org/set (default): looked for org__set/default/test.jsonl") && strstr(e.msg, dirs[1]) &&
		      strstr(e.msg, "--files s:test=PATH"),
	      "%s", e.msg);
	put_archive("d2/org__set/default/test.csv.gz", ARCHIVE_FILTER_GZIP, 0, &(struct member){ "data", "a\n2\n" }, 1);
	CU_ASSERT(dataset_load(&r, &a, &s, "test", &d, &e) == 0 && r.n == 1 && !r.local && str_is(v_getc(r.v[0], "a")->s, "2"));
	unsigned char digest[DIGEST_BYTES];
	CU_ASSERT(digest_file(r.path, digest, &e) == 0 && !memcmp(digest, r.digest, sizeof digest));
	struct split_digest pin = { .split = STR("test") };
	s.sha256 = &pin;
	s.nsha256 = 1;
	CHECK(dataset_load(&r, &a, &s, "test", &d, &e) != 0 && strstr(e.msg, "SHA-256 is"), "%s", e.msg);
	d.file = &f;
	d.nfiles = 1;
	CU_ASSERT(dataset_load(&r, &a, &s, "test", &d, &e) == 0 && r.local && str_is(v_getc(r.v[0], "a")->s, "1"));
	/* names that would leave the folder */
	static const char *const evil[] = { "..", "../org", ".hidden", "" };
	d.nfiles = 0;
	for (size_t i = 0; i < sizeof evil / sizeof *evil; i++) {
		s.dataset = str_of(evil[i]);
		CU_ASSERT(dataset_find(&s, "test", &d, path, &local) == 0);
		s.dataset = STR("org/set");
		CU_ASSERT(dataset_find(&s, evil[i], &d, path, &local) == 0);
	}
	arena_fini(&a);
}

static void test_operations(void)
{
	static const char rows[] = "{\"id\":1,\"t\":\"  a [x]  b \",\"l\":[\" p\",\"q \"],\"n\":\"7\"}\n{\"id\":2,\"t\":\"c\",\"l\":[],\"n\":\" [1, 'z'] \"}\n";
	static const struct {
		const char *ops, *want; /* starting with '!': an error */
	} cases[] = {
		{ "filter: {column: id, equals: 2}", "[{\"id\":2,\"t\":\"c\",\"l\":[],\"n\":\" [1, 'z'] \"}]" },
		{ "filter: {column: id, equals: [1, 5]}\n  - drop: {column: [t, l]}", "[{\"id\":1,\"n\":\"7\"}]" },
		{ "filter: {column: t, equals: c, negate: true}\n  - drop: {column: [t, l, n]}", "[{\"id\":1}]" },
		{ "strip: {column: [t, l]}\n  - drop: {column: n}", "[{\"id\":1,\"t\":\"a [x]  b\",\"l\":[\"p\",\"q\"]},{\"id\":2,\"t\":\"c\",\"l\":[]}]" },
		{ "replace: {column: t, text: '  ', with: _}\n  - drop: {column: [n, l]}", "[{\"id\":1,\"t\":\"_a [x]_b \"},{\"id\":2,\"t\":\"c\"}]" },
		{ "replace: {column: [t, l], pattern: '\\s*(\\w)', with: '<\\1>'}\n  - drop: {column: n}",
		  "[{\"id\":1,\"t\":\"<a> [<x>]<b> \",\"l\":[\"<p>\",\"<q> \"]},{\"id\":2,\"t\":\"<c>\",\"l\":[]}]" },
		{ "rename: {column: t, into: text}\n  - drop: {column: [l, n]}", "[{\"id\":1,\"text\":\"  a [x]  b \"},{\"id\":2,\"text\":\"c\"}]" },
		{ "split: {column: t, text: '[x]', into: parts}\n  - drop: {column: [t, l, n]}", "[{\"id\":1,\"parts\":[\"  a \",\"  b \"]},{\"id\":2,\"parts\":[\"c\"]}]" },
		{ "map: {column: k, value: l}\n  - drop: {column: [t, l, n]}", "[{\"id\":1,\"k\":[\" p\",\"q \"]},{\"id\":2,\"k\":[]}]" },
		{ "map: {column: id, value: id, type: string}\n  - drop: {column: [t, l, n]}", "[{\"id\":\"1\"},{\"id\":\"2\"}]" },
		{ "filter: {column: id, equals: 2}\n  - map: {column: n, value: n, type: list}\n  - drop: {column: [t, l]}", "[{\"id\":2,\"n\":[1,\"z\"]}]" },
		{ "map: {column: n, value: n, type: int}", "!row 1: " },
		{ "strip: {column: tt}", "!no column 'tt'; there are: id, t, l, n" },
		{ "strip: {column: id}", "!column 'id' holds a int, not text" },
		{ "rename: {column: t, into: id}", "!there is a column 'id' already" },
		{ "filter: {column: id, equals: 9}", "!no row is left" },
		{ "filter: {column: zz, equals: 9}", "!no column 'zz'" },
	};
	struct err e = { 0 };
	put("r.jsonl", rows);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char yaml[2000];
		struct suites *all;
		struct suite *s;
		struct arena a;
		struct rows r;
		snprintf(yaml, sizeof yaml, "suite: x\ndataset: {id: a/b}\nsplits: {test: test}\nkind: generate\nprompt: q\ntarget: a\nrows:\n  - %s\n", cases[i].ops);
		put("x.yaml", yaml);
		arena_init(&a);
		int rc = suites_open(&all, (const char *const[]){ dir, NULL }, &e);
		CU_ASSERT_FATAL(rc == 0);
		CHECK(suite_find(all, "x", &s, &e) == 0, "%s", e.msg);
		struct data_file f = { "x", "test", in_dir("r.jsonl") };
		struct data_sources d = { .file = &f, .nfiles = 1 };
		rc = dataset_load(&r, &a, s, "test", &d, &e);
		if (cases[i].want[0] == '!') {
			CHECK(rc != 0 && strstr(e.msg, cases[i].want + 1) && strstr(e.msg, "r.jsonl"), "case %zu: %s", i, rc ? e.msg : "accepted");
		} else {
			CHECK(rc == 0, "case %zu: %s", i, e.msg);
			struct str got = rc ? STR("") : rows_json(&a, &r);
			CHECK(str_is(got, cases[i].want), "case %zu: wanted %s, got %s", i, cases[i].want, got.p);
		}
		suites_close(all);
		arena_fini(&a);
	}
}

/* A pattern that would run for ever ends in a sentence with file, row and line of the suite. */
static void test_backtracking(void)
{
	struct err e = { 0 };
	struct suites *all;
	struct suite *s;
	struct arena a;
	struct rows r;
	struct data_file f = { "x", "test", NULL };
	struct data_sources d = { .file = &f, .nfiles = 1 };
	arena_init(&a);
	f.path = arena_cstr(&a, str_of(in_dir("long.jsonl")));
	put("long.jsonl", "{\"t\":\"ok\"}\n{\"t\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"}\n");
	put("x.yaml", "suite: x\ndataset: {id: a/b}\nsplits: {test: test}\nkind: generate\nprompt: q\ntarget: a\nrows:\n"
		      "  - replace: {column: t, pattern: '(a|aa)+$', with: x}\n");
	CU_ASSERT_FATAL(suites_open(&all, (const char *const[]){ dir, NULL }, &e) == 0);
	CHECK(suite_find(all, "x", &s, &e) == 0, "%s", e.msg);
	CHECK(dataset_load(&r, &a, s, "test", &d, &e) != 0 && e.code == E_LIMIT && strstr(e.msg, "long.jsonl: row 1: ") && strstr(e.msg, "x.yaml:8"), "%s", e.msg);
	suites_close(all);
	arena_fini(&a);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "formats", test_formats },    { "wrappings", test_wrappings }, { "damaged files", test_damaged },
					     { "files cut short", test_cut }, { "damaged texts", test_mutations }, { "where splits are", test_finding }, { "row operations", test_operations },
					     { "a pattern that runs for ever", test_backtracking },
					     { NULL, NULL } };
	snprintf(dir, sizeof dir, "%s", test_tmpdir());
	int rc = test_main("dataset", tests, argc, argv);
	test_rmdir(dir);
	return rc;
}
