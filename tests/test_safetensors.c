/* test_safetensors.c - weight files that lie: every claim of a header, an index or a folder that can be wrong, and the
 * part of the message that must name it. The files are built here, byte by byte.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "kernels/base/arena.h"
#include "runners/safetensors.h"
#include "tests/test.h"

static const char *dir;

static void write_bytes(const char *name, const void *p, size_t n)
{
	char path[4400];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		exit(99);
	}
}

/* [length][header][data bytes 0, 1, 2, ...]; length: the header's own, or `claim` where that is not -1 */
static void write_st(const char *name, const char *header, size_t nheader, long long claim, size_t ndata)
{
	struct buf b = { 0 };
	unsigned long long n = claim >= 0 ? (unsigned long long)claim : nheader;
	for (int i = 0; i < 8; i++)
		buf_putc(&b, (char)(n >> (8 * i) & 255));
	buf_add(&b, header, nheader);
	for (size_t i = 0; i < ndata; i++)
		buf_putc(&b, (char)i);
	write_bytes(name, b.p, b.n);
	buf_fini(&b);
}

static void clean(void)
{
	char cmd[4200];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'/* '%s'/.[a-z]*", dir, dir);
	if (system(cmd) != 0)
		exit(99);
}

#define T(name, dtype, shape, offsets) "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

struct hostile {
	const char *what;
	const char *header;
	long long claim; /* -1: the truth */
	size_t ndata;
	const char *message; /* NULL: it is fine */
};

static const struct hostile table[] = {
	/* what is fine */
	{ "two tensors", "{" T("a", "F32", "[2,3]", "[0,24]") "," T("b", "BF16", "[4]", "[24,32]") "}", -1, 32, NULL },
	{ "order of data is not order of header", "{" T("b", "BF16", "[4]", "[24,32]") "," T("a", "F32", "[2,3]", "[0,24]") "}", -1, 32, NULL },
	{ "a scalar", "{" T("a", "F32", "[]", "[0,4]") "}", -1, 4, NULL },
	{ "an empty tensor", "{" T("a", "F32", "[0,7]", "[0,0]") "," T("b", "U8", "[1]", "[0,1]") "}", -1, 1, NULL },
	{ "no tensors", "{\"__metadata__\":{\"format\":\"pt\"}}", -1, 0, NULL },
	{ "padding behind the header", "{" T("a", "I64", "[1]", "[0,8]") "}      ", -1, 8, NULL },
	{ "every dtype", "{" T("a", "BOOL", "[1]", "[0,1]") "," T("b", "F8_E4M3", "[1]", "[1,2]") "," T("c", "F4", "[4]", "[2,4]") ","
			 T("d", "F6_E2M3", "[4]", "[4,7]") "," T("e", "C64", "[1]", "[7,15]") "," T("f", "F64", "[1]", "[15,23]") ","
			 T("g", "F8_E8M0", "[1]", "[23,24]") "}", -1, 24, NULL },
	{ "an unknown dtype is somebody else's affair until it is used", "{" T("a", "Q9", "[5]", "[0,3]") "}", -1, 3, NULL },
	{ "escapes in a name", "{" T("a\\u0062", "U8", "[1]", "[0,1]") "}", -1, 1, NULL },
	/* the header's length */
	{ "longer than the file", "{}", 1000, 0, "claims 1000 bytes, the file has only 2" },
	{ "one byte longer", "{}", 3, 0, "claims 3 bytes" },
	{ "beyond the format's limit", "{}", 100000001, 0, "at most 100000000" },
	{ "all bits set", "{}", 0x7fffffffffffffffll, 0, "at most 100000000" },
	{ "zero", "{}", 0, 0, "does not begin with '{'" },
	{ "cut off in the middle", "{" T("a", "F32", "[1]", "[0,4]") "}", 20, 4, "json" },
	/* JSON */
	{ "no JSON", "this is no JSON", -1, 0, "does not begin with '{'" },
	{ "a list", "[]", -1, 0, "does not begin with '{'" },
	{ "leading space", " {}", -1, 0, "does not begin with '{'" },
	{ "broken JSON", "{\"a\":}", -1, 0, "" },
	{ "text behind it", "{} x", -1, 0, "" },
	{ "bad UTF-8", "{\"\xff\":1}", -1, 0, "" },
	{ "an integer that no machine holds", "{" T("a", "U8", "[99999999999999999999999]", "[0,1]") "}", -1, 1, "" },
	{ "deep nesting", NULL, -1, 0, "" }, /* made below */
	/* entries */
	{ "an entry that is no object", "{\"a\":7}", -1, 0, "tensor 'a': its entry is no object" },
	{ "an entry that is null", "{\"a\":null}", -1, 0, "tensor 'a': its entry is no object" },
	{ "metadata that is no object", "{\"__metadata__\":[]}", -1, 0, "'__metadata__' is no object" },
	{ "no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", -1, 1, "tensor 'a': 'dtype' is missing" },
	{ "no shape", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", -1, 1, "tensor 'a': 'shape' is missing" },
	{ "no offsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", -1, 1, "tensor 'a': 'data_offsets' is missing" },
	{ "a key misspelt", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offset\":[0,1]}}", -1, 1, "did you mean 'data_offsets'?" },
	{ "a key too many", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":1}}", -1, 1, "unknown key 'more'" },
	{ "dtype that is a number", "{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", -1, 1, "'dtype' is no string" },
	{ "an empty name", "{" T("", "U8", "[1]", "[0,1]") "}", -1, 1, "a tensor without a name" },
	{ "a NUL in a name", "{" T("a\\u0000b", "U8", "[1]", "[0,1]") "}", -1, 1, "NUL" },
	{ "the same name twice", "{" T("a", "U8", "[1]", "[0,1]") "," T("a", "U8", "[1]", "[1,2]") "}", -1, 2, "tensor 'a' is given twice" },
	{ "the same name, once escaped", "{" T("a", "U8", "[1]", "[0,1]") "," T("\\u0061", "U8", "[1]", "[1,2]") "}", -1, 2, "tensor 'a' is given twice" },
	{ "dtype twice", "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", -1, 1, "tensor 'a': a key is given twice" },
	{ "metadata twice", "{\"__metadata__\":{},\"__metadata__\":{}}", -1, 0, "is given twice" },
	/* shapes */
	{ "shape that is a number", "{" T("a", "U8", "1", "[0,1]") "}", -1, 1, "'shape' is no list" },
	{ "shape of strings", "{" T("a", "U8", "[\"1\"]", "[0,1]") "}", -1, 1, "no integer" },
	{ "shape of fractions", "{" T("a", "U8", "[1.0]", "[0,1]") "}", -1, 1, "no integer" },
	{ "shape of booleans", "{" T("a", "U8", "[true]", "[0,1]") "}", -1, 1, "no integer" },
	{ "a negative dimension", "{" T("a", "U8", "[-1]", "[0,1]") "}", -1, 1, "'shape' holds -1" },
	{ "two negative dimensions", "{" T("a", "U8", "[-1,-1]", "[0,1]") "}", -1, 1, "'shape' holds -1" },
	{ "too many dimensions", "{" T("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", -1, 1, "9 dimensions, at most 8" },
	{ "a product that overflows", "{" T("a", "U8", "[4294967296,4294967296]", "[0,0]") "}", -1, 0, "overflows" },
	{ "a product that wraps to the truth", "{" T("a", "U8", "[9223372036854775807,9223372036854775807]", "[0,1]") "}", -1, 1, "overflows" },
	{ "bits that overflow", "{" T("a", "F64", "[1152921504606846976]", "[0,0]") "}", -1, 0, "overflows" },
	{ "shape larger than the bytes", "{" T("a", "F32", "[3]", "[0,8]") "}", -1, 8, "shape [3] of F32 needs 12 bytes, data_offsets [0, 8] hold 8" },
	{ "shape smaller than the bytes", "{" T("a", "F16", "[3]", "[0,8]") "}", -1, 8, "needs 6 bytes" },
	{ "half a byte", "{" T("a", "F4", "[3]", "[0,1]") "}", -1, 1, "do not fill whole bytes" },
	/* offsets */
	{ "offsets that are no list", "{" T("a", "U8", "[1]", "0") "}", -1, 1, "no pair" },
	{ "one offset", "{" T("a", "U8", "[1]", "[0]") "}", -1, 1, "no pair" },
	{ "three offsets", "{" T("a", "U8", "[1]", "[0,1,2]") "}", -1, 1, "no pair" },
	{ "offsets that are fractions", "{" T("a", "U8", "[1]", "[0,1.0]") "}", -1, 1, "no pair" },
	{ "a negative offset", "{" T("a", "U8", "[1]", "[-1,0]") "}", -1, 1, "no pair" },
	{ "descending offsets", "{" T("a", "U8", "[1]", "[2,1]") "}", -1, 2, "data_offsets [2, 1] descend" },
	{ "offsets beyond the file", "{" T("a", "U8", "[9]", "[0,9]") "}", -1, 8, "reach beyond the data (8 bytes)" },
	{ "offsets far beyond the file", "{" T("a", "U8", "[4]", "[9223372036854775803,9223372036854775807]") "}", -1, 8, "reach beyond" },
	{ "overlap", "{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[2,6]") "}", -1, 6, "tensors 'a' and 'b' overlap" },
	{ "the same bytes twice", "{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[0,4]") "}", -1, 4, "overlap" },
	{ "a hole", "{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[4,6]") "}", -1, 6, "2 bytes before tensor 'b'" },
	{ "a hole at the front", "{" T("b", "U8", "[2]", "[4,6]") "}", -1, 6, "4 bytes before tensor 'b'" },
	{ "bytes behind the last tensor", "{" T("a", "U8", "[2]", "[0,2]") "}", -1, 6, "the last 4 bytes belong to no tensor" },
	{ "a truncated file", "{" T("a", "F32", "[4]", "[0,16]") "}", -1, 15, "reach beyond the data (15 bytes)" },
	{ "an unknown dtype beyond the file", "{" T("a", "Q9", "[5]", "[0,3]") "}", -1, 2, "reach beyond" },
};

static void test_header(void)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const struct hostile *h = &table[i];
		struct buf b = { 0 };
		if (h->header) {
			buf_puts(&b, h->header);
		} else {
			buf_puts(&b, "{\"a\":");
			for (int j = 0; j < 100000; j++)
				buf_putc(&b, '[');
		}
		clean();
		write_st("model.safetensors", b.p, b.n, h->claim, h->ndata);
		buf_fini(&b);
		struct safetensors *s = NULL;
		struct err e = { 0 };
		int rc = safetensors_open(&s, dir, &e);
		if (!h->message) {
			CHECK(rc == 0, "%s: refused: %s", h->what, e.msg);
		} else {
			CHECK(rc == -1 && !s && e.code != E_NONE, "%s: accepted", h->what);
			CHECK(strstr(e.msg, "model.safetensors") && (strstr(e.msg, h->message) || !strcmp(h->message, "json")),
			      "%s: message is: %s", h->what, e.msg);
		}
		safetensors_close(s);
	}
}

static void test_values(void)
{
	struct safetensors *s;
	struct err e = { 0 };
	char shape[100], hex[DIGEST_HEX], cmd[4500];
	unsigned char sum[DIGEST_BYTES], file[DIGEST_BYTES];
	const char *header = "{" T("b", "BF16", "[2,2]", "[24,32]") "," T("a", "F32", "[2,3]", "[0,24]") "}";

	clean();
	write_st("model.safetensors", header, strlen(header), -1, 32);
	CU_ASSERT_FATAL(safetensors_open(&s, dir, &e) == 0);
	CU_ASSERT(safetensors_count(s) == 2);
	const struct tensor *a = safetensors_find(s, STR("a")), *b = safetensors_find(s, STR("b"));
	CU_ASSERT_FATAL(a && b && !safetensors_find(s, STR("c")) && !safetensors_find(s, STR("")));
	CU_ASSERT(safetensors_at(s, 0) == a && safetensors_at(s, 1) == b);
	CU_ASSERT(a->dtype == ST_F32 && a->rank == 2 && a->count == 6 && a->bytes == 24 && a->data[0] == 0 && a->data[23] == 23);
	CU_ASSERT(b->dtype == ST_BF16 && b->data[0] == 24 && b->bytes == 8);
	CU_ASSERT_STRING_EQUAL(tensor_shape_text(a, shape, sizeof shape), "[2, 3]");
	CU_ASSERT(st_dtype_bits(ST_F32) == 32 && st_dtype_bits(ST_BF16) == 16 && st_dtype_bits(ST_OTHER) == 0);
	CU_ASSERT(safetensors_files(s) == 1 && safetensors_bytes(s) == 8 + strlen(header) + 32);
	CU_ASSERT(safetensors_digest(s, 0, sum, NULL));
	snprintf(cmd, sizeof cmd, "%s/model.safetensors", dir);
	CU_ASSERT(digest_file(cmd, file, &e) == 0 && !memcmp(sum, file, sizeof sum));
	digest_hex(sum, hex);
	safetensors_drop(s);
	CU_ASSERT(a->data[23] == 23);
	safetensors_close(s);
}

/* ---- indexes and folders ---- */

static void shard(const char *file, const char *tensor)
{
	char header[300];
	snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", tensor);
	write_st(file, header, strlen(header), -1, 1);
}

#define MAP(inside) "{\"metadata\":{\"total_size\":2},\"weight_map\":{" inside "}}"
static const struct {
	const char *what, *index, *message;
} indexes[] = {
	{ "two shards", MAP("\"a\":\"x-1.safetensors\",\"b\":\"x-2.safetensors\""), NULL },
	{ "one of two files named", MAP("\"a\":\"x-1.safetensors\""), NULL },
	{ "a missing shard", MAP("\"a\":\"x-1.safetensors\",\"c\":\"x-3.safetensors\""), "x-3.safetensors" },
	{ "a tensor that the shard lacks", MAP("\"a\":\"x-1.safetensors\",\"c\":\"x-1.safetensors\""),
	  "tensor 'c' is not in x-1.safetensors, where the index places it" },
	{ "a tensor in the other shard", MAP("\"a\":\"x-2.safetensors\",\"b\":\"x-1.safetensors\""), "tensor 'a' is not in x-2.safetensors" },
	{ "the same tensor in two shards, the index decides", MAP("\"a\":\"x-1.safetensors\",\"c\":\"x-4.safetensors\""), NULL },
	{ "the same tensor in two shards, the index is silent", MAP("\"c\":\"x-4.safetensors\",\"d\":\"x-5.safetensors\""), "does not say which 'z' counts, the one in x-4.safetensors or that in x-5.safetensors" },
	{ "a path upwards", MAP("\"a\":\"../x-1.safetensors\""), "'../x-1.safetensors' is no name of a safetensors file beside the index" },
	{ "an absolute path", MAP("\"a\":\"/etc/x.safetensors\""), "is no name of a safetensors file" },
	{ "a path down", MAP("\"a\":\"sub/x-1.safetensors\""), "is no name of a safetensors file" },
	{ "a hidden file", MAP("\"a\":\".x.safetensors\""), "is no name of a safetensors file" },
	{ "a NUL in a name", MAP("\"a\":\"x-1.safetensors\\u0000\""), "is no name of a safetensors file" },
	{ "an empty name", MAP("\"a\":\"\""), "is no name of a safetensors file" },
	{ "a pickle", MAP("\"a\":\"pytorch_model.bin\""), "is no name of a safetensors file" },
	{ "a name that is a number", MAP("\"a\":3"), "is no string" },
	{ "no weight_map", "{\"metadata\":{}}", "'weight_map' is missing" },
	{ "an empty weight_map", MAP(""), "'weight_map' is missing" },
	{ "a weight_map that is a list", "{\"weight_map\":[]}", "'weight_map' is missing" },
	{ "a list", "[1]", "'weight_map' is missing" },
	{ "broken JSON", "{", "" },
};

static void test_index(void)
{
	for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
		struct safetensors *s = NULL;
		struct err e = { 0 };
		clean();
		shard("x-1.safetensors", "a");
		shard("x-2.safetensors", "b");
		const char *two = "{" T("a", "U8", "[1]", "[0,1]") "," T("c", "U8", "[1]", "[1,2]") "," T("z", "U8", "[1]", "[2,3]") "}";
		const char *three = "{" T("d", "U8", "[1]", "[0,1]") "," T("z", "U8", "[1]", "[1,2]") "}";
		write_st("x-4.safetensors", two, strlen(two), -1, 3);
		write_st("x-5.safetensors", three, strlen(three), -1, 2);
		write_bytes("model.safetensors.index.json", indexes[i].index, strlen(indexes[i].index));
		int rc = safetensors_open(&s, dir, &e);
		if (!indexes[i].message) {
			CHECK(rc == 0, "%s: refused: %s", indexes[i].what, e.msg);
			CHECK(rc != 0 || (safetensors_find(s, STR("a")) && safetensors_find(s, STR("a"))->file == 0), "%s: wrong file", indexes[i].what);
		} else {
			CHECK(rc == -1 && strstr(e.msg, indexes[i].message) && strstr(e.msg, "model.safetensors.index.json"),
			      "%s: message is: %s", indexes[i].what, e.msg);
		}
		safetensors_close(s);
	}
}

static void test_folder(void)
{
	static const struct {
		const char *file, *message;
	} cases[] = {
		{ NULL, "neither model.safetensors nor model.safetensors.index.json is there" },
		{ "readme.md", "neither model.safetensors" },
		{ "pytorch_model.bin", "'pytorch_model.bin' is a pickle, which can run code when it is read; take a revision of the model with safetensors, or convert it with" },
		{ "consolidated.00.pth", "'consolidated.00.pth' is a pickle" },
		{ "model.gguf", "'model.gguf' is a GGUF file" },
		{ "consolidated.safetensors", "'consolidated.safetensors' is in the publisher's own layout, whose tensors have other names" },
		{ "consolidated.00.safetensors", "'consolidated.00.safetensors' is in the publisher's own layout" },
		{ "weights.safetensors", "'weights.safetensors' is not named as the hub names weights" },
		{ "adapter_model.safetensors", "'adapter_model.safetensors' is an adapter of another model; merge it" },
		{ "training_args.bin", "'training_args.bin' is a pickle" },
		{ "tf_model.h5", "'tf_model.h5' is of TensorFlow" },
	};
	struct safetensors *s = NULL;
	struct err e = { 0 };
	char path[4200];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		clean();
		if (cases[i].file)
			write_bytes(cases[i].file, "x", 1);
		CHECK(safetensors_open(&s, dir, &e) == -1 && strstr(e.msg, cases[i].message), "message is: %s", e.msg);
	}
	clean();
	write_bytes("model.safetensors", "short", 5);
	CHECK(safetensors_open(&s, dir, &e) == -1 && strstr(e.msg, "5 bytes are too few"), "message is: %s", e.msg);
	clean();
	write_bytes("model.safetensors", "", 0);
	CHECK(safetensors_open(&s, dir, &e) == -1 && strstr(e.msg, "0 bytes are too few"), "message is: %s", e.msg);
	clean();
	snprintf(path, sizeof path, "%s/model.safetensors", dir);
	CU_ASSERT(symlink("/nonexistent/blob", path) == 0);
	CHECK(safetensors_open(&s, dir, &e) == -1 && strstr(e.msg, "model.safetensors: is a link to nothing"), "message is: %s", e.msg);
	clean();
	write_bytes("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n", 57);
	CHECK(safetensors_open(&s, dir, &e) == -1 && strstr(e.msg, "is a Git LFS pointer"), "message is: %s", e.msg);
	clean();
	CU_ASSERT(mkdir(path, 0777) == 0);
	CHECK(safetensors_open(&s, dir, &e) == -1 && strstr(e.msg, "is no regular file"), "message is: %s", e.msg);
	CHECK(safetensors_open(&s, "/nonexistent/folder", &e) == -1 && strstr(e.msg, "/nonexistent/folder"), "message is: %s", e.msg);
	CHECK(safetensors_open_file(&s, "/nonexistent/file", &e) == -1 && strstr(e.msg, "/nonexistent/file"), "message is: %s", e.msg);
	CU_ASSERT(s == NULL);
}

/* Random damage to a good file: refused or opened, never a crash (the sanitizers watch). */
static void test_damage(void)
{
	const char *header = "{" T("a", "F32", "[2,3]", "[0,24]") "," T("b", "BF16", "[4]", "[24,32]") ",\"__metadata__\":{\"x\":\"y\"}}";
	unsigned long long seed = test_seed();
	unsigned char good[400];
	size_t n = strlen(header), opened = 0;

	clean();
	printf("seed %llu ", seed);
	memset(good, 0, sizeof good);
	good[0] = (unsigned char)n;
	memcpy(good + 8, header, n);
	for (int i = 0; i < 3000; i++) {
		unsigned char bad[400];
		size_t len = 8 + n + 32;
		struct safetensors *s = NULL;
		struct err e = { 0 };
		memcpy(bad, good, sizeof bad);
		for (int j = 0; j <= (int)(test_rand(&seed) % 3); j++)
			bad[test_rand(&seed) % (8 + n)] = (unsigned char)test_rand(&seed);
		if (test_rand(&seed) % 4 == 0)
			len = test_rand(&seed) % len;
		write_bytes("model.safetensors", bad, len);
		if (safetensors_open(&s, dir, &e) == 0) {
			opened++;
			for (size_t j = 0; j < safetensors_count(s); j++) {
				const struct tensor *t = safetensors_at(s, j);
				unsigned sum = 0;
				for (size_t k = 0; k < t->bytes; k++)
					sum += t->data[k];
				CU_ASSERT(sum < 1u << 20);
			}
		} else {
			CHECK(e.msg[0] && e.code != E_NONE, "no message");
		}
		safetensors_close(s);
	}
	printf("%zu of 3000 still open ", opened);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "headers that lie", test_header },
		{ "what is read", test_values },
		{ "indexes", test_index },
		{ "folders", test_folder },
		{ "random damage", test_damage },
		{ NULL, NULL },
	};
	dir = test_tmpdir();
	int rc = test_main("safetensors", tests, argc, argv);
	test_rmdir(dir);
	return rc;
}
