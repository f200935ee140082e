/* test_utf8.c - code points, properties, case, strip and normal forms against vectors from Python (tests/golden/utf8.txt). */
#include "runners/text/utf8.h"
#include "runners/tok_int.h"
#include "tests/test.h"

static char *golden;
static size_t golden_n;

/* The next line of kind `kind` from *p, without the kind; NULL at the end. */
static bool next_line(const char **p, const char *kind, char line[2048])
{
	size_t nk = strlen(kind);
	while (**p) {
		const char *nl = strchr(*p, '\n');
		size_t n = nl ? (size_t)(nl - *p) : strlen(*p);
		const char *at = *p;
		*p += n + (nl != NULL);
		if (n > nk && n < 2047 && !memcmp(at, kind, nk) && at[nk] == ' ') {
			memcpy(line, at + nk + 1, n - nk - 1);
			line[n - nk - 1] = 0;
			return true;
		}
	}
	return false;
}

static const char *const names[] = { "space", "digit", "alpha", "alnum", "upper", "lower", "punct",
					   "decimal", "numeric", "titled", "printable", "idstart", "idpart", "assigned" };
enum { ASSIGNED = sizeof names / sizeof *names - 1 };
static unsigned char prop[ASSIGNED + 1][0x110000];

static void load(void)
{
	if (golden)
		return;
	char path[4200];
	snprintf(path, sizeof path, "%s/tests/golden/utf8.txt", test_srcdir());
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(99);
	}
	golden = malloc(4 << 20);
	golden_n = fread(golden, 1, (4 << 20) - 1, f);
	golden[golden_n] = 0;
	fclose(f);
	char line[2048], name[16];
	unsigned lo, hi;
	for (const char *p = golden; next_line(&p, "range", line);) {
		if (sscanf(line, "%15s %x %x", name, &lo, &hi) != 3)
			continue;
		for (int k = 0; k <= ASSIGNED; k++)
			if (!strcmp(names[k], name))
				memset(prop[k] + lo, 1, hi - lo + 1);
	}
}

static struct str unhex(struct arena *a, const char *h)
{
	size_t n = *h == '-' ? 0 : strlen(h) / 2;
	char *p = arena_alloc(a, n + 1);
	for (size_t i = 0; i < n; i++) {
		unsigned x;
		sscanf(h + 2 * i, "%2x", &x);
		p[i] = (char)x;
	}
	return (struct str){ p, n };
}

/* Characters that were there in the golden file's Unicode 14 and changed up to 16: two got capitals, five became lower case letters. */
static bool changed(uint32_t c)
{
	return c == 0x19b || c == 0x264 || c == 0x10fc || (c >= 0xa7f2 && c <= 0xa7f4) || c == 0xab69;
}

static bool starts_id(uint32_t cp)
{
	char s[4];
	return uni_is_identifier((struct str){ s, utf8_put(cp, s) });
}

static bool in_id(uint32_t cp)
{
	char s[5] = "a";
	return uni_is_identifier((struct str){ s, 1 + utf8_put(cp, s + 1) });
}

static void test_props(void)
{
	static bool (*const fn[])(uint32_t) = { uni_is_space, uni_is_digit, uni_is_alpha, uni_is_alnum,
						uni_is_upper, uni_is_lower, uni_is_punct, uni_is_decimal,
						uni_is_numeric, uni_is_title, uni_is_printable, starts_id, in_id };
	load();
	for (int k = 0; k < ASSIGNED; k++) {
		int bad = 0;
		for (uint32_t c = 0; c < 0x110000; c++)
			if (prop[ASSIGNED][c] && !changed(c) && fn[k](c) != prop[k][c] && bad++ < 5)
				printf("\n    U+%04X is%s %s", c, prop[k][c] ? "" : " not", names[k]);
		CHECK(bad == 0, "%d code points differ from Python in '%s'", bad, names[k]);
	}
}

static void test_maps(void)
{
	static const char *const cases[] = { "lower", "upper", "title", "casefold" };
	static struct str (*const fn[])(struct arena *, struct str) = { uni_lower, uni_upper, uni_title, uni_casefold };
	load();
	struct arena a;
	arena_init(&a);
	for (int k = 0; k < 4; k++) {
		static uint32_t want[0x110000][3];
		for (uint32_t c = 0; c < 0x110000; c++) {
			want[c][0] = c;
			want[c][1] = want[c][2] = 0;
		}
		char line[2048], name[16];
		for (const char *p = golden; next_line(&p, "map", line);) {
			unsigned c, m[3] = { 0 };
			if (sscanf(line, "%15s %x %x %x %x", name, &c, m, m + 1, m + 2) >= 3 && !strcmp(name, cases[k]))
				memcpy(want[c], m, sizeof m);
		}
		int bad = 0;
		for (uint32_t c = 0; c < 0x110000; c++) {
			if (!prop[ASSIGNED][c] || changed(c))
				continue;
			char in[4], out[12];
			size_t n = utf8_put(c, in), m = 0;
			for (int j = 0; j < 3 && (j == 0 || want[c][j]); j++)
				m += utf8_put(want[c][j], out + m);
			arena_reset(&a);
			struct str got = fn[k](&a, (struct str){ in, n });
			if (!str_eq(got, (struct str){ out, m }) && bad++ < 5)
				printf("\n    %s of U+%04X: got '%.*s', want '%.*s'", cases[k], c, (int)got.n, got.p,
				       (int)m, out);
		}
		CHECK(bad == 0, "%d code points differ from Python in '%s'", bad, cases[k]);
	}
	arena_fini(&a);
}

/* What came after the golden file's Unicode 14, up to Unicode 16 and not beyond: from UnicodeData.txt. */
static void test_later(void)
{
	static const struct {
		uint32_t cp, lower, upper, title, fold;
	} rows[] = {
		{ 0x1c89, 0x1c8a, 0x1c89, 0x1c89, 0x1c8a }, { 0x1c8a, 0x1c8a, 0x1c89, 0x1c89, 0x1c8a }, { 0xa7cb, 0x264, 0xa7cb, 0xa7cb, 0x264 },
		{ 0x264, 0x264, 0xa7cb, 0xa7cb, 0x264 }, { 0xa7cc, 0xa7cd, 0xa7cc, 0xa7cc, 0xa7cd }, { 0xa7db, 0xa7db, 0xa7da, 0xa7da, 0xa7db },
		{ 0xa7dc, 0x19b, 0xa7dc, 0xa7dc, 0x19b }, { 0x19b, 0x19b, 0xa7dc, 0xa7dc, 0x19b }, { 0x10d50, 0x10d70, 0x10d50, 0x10d50, 0x10d70 },
		{ 0x10d85, 0x10d85, 0x10d65, 0x10d65, 0x10d85 }, { 0xa7d2, 0xa7d2, 0xa7d2, 0xa7d2, 0xa7d2 }, { 0xa7d3, 0xa7d3, 0xa7d3, 0xa7d3, 0xa7d3 },
		{ 0x16ea0, 0x16ea0, 0x16ea0, 0x16ea0, 0x16ea0 },
	};
	struct arena a;
	arena_init(&a);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str (*const fn[])(struct arena *, struct str) = { uni_lower, uni_upper, uni_title, uni_casefold };
		const uint32_t want[] = { rows[i].lower, rows[i].upper, rows[i].title, rows[i].fold };
		char in[4];
		struct str s = { in, utf8_put(rows[i].cp, in) };
		for (int k = 0; k < 4; k++) {
			size_t at = 0;
			uint32_t got = utf8_next(fn[k](&a, s), &at);
			CHECK(got == want[k], "U+%04X, mapping %d: U+%04X, not U+%04X", rows[i].cp, k, got, want[k]);
		}
	}
	CHECK(uni_is_decimal(0x11de9) == false && uni_is_decimal(0x10d49), "digits of Garay are Unicode 16's, those of Tolong Siki 17's");
	CHECK(uni_is_alpha(0x1e5d0) && uni_is_punct(0x1e5ff) && !uni_is_alpha(0x16ea0), "Ol Onal is Unicode 16's, Beria Erfe 17's");
	arena_fini(&a);
}

static struct str strip2(struct arena *a, struct str s)
{
	(void)a;
	return str_strip(s);
}
static struct str lstrip2(struct arena *a, struct str s)
{
	(void)a;
	return str_lstrip(s);
}
static struct str rstrip2(struct arena *a, struct str s)
{
	(void)a;
	return str_rstrip(s);
}

/* What a tokenizer's normalizer of this name makes of s. */
static struct str normal_form(struct arena *a, struct str s, const char *name)
{
	struct enc x = { .text = s };
	struct norm n = { .form = name };
	struct piece pc = { s.p, s.n, NULL, 0 };
	arena_init(&x.scratch);
	CHECK(norm_form(&x, &n, &pc) == 0, "%s", name);
	struct str out = arena_str(a, pc.p, pc.n);
	arena_fini(&x.scratch);
	return out;
}

static void test_strings(void)
{
	static const struct {
		const char *name;
		struct str (*fn)(struct arena *, struct str);
	} fns[] = { { "lower", uni_lower }, { "upper", uni_upper },
		    { "title", uni_title }, { "capitalize", uni_capitalize },
		    { "strip", strip2 },    { "lstrip", lstrip2 },
		    { "rstrip", rstrip2 } };
	load();
	struct arena a;
	arena_init(&a);
	char line[2048], name[16], in[1000], out[1000];
	int n = 0;
	for (const char *p = golden; next_line(&p, "str", line);) {
		if (sscanf(line, "%15s %999s %999s", name, in, out) != 3)
			continue;
		arena_reset(&a);
		struct str s = unhex(&a, in), want = unhex(&a, out), got = { NULL, 0 };
		if (name[0] == 'N')
			got = normal_form(&a, s, name);
		for (size_t k = 0; k < sizeof fns / sizeof fns[0]; k++)
			if (!strcmp(fns[k].name, name))
				got = fns[k].fn(&a, s);
		CHECK(str_eq(got, want), "%s('%s'): got '%.*s', want '%.*s'", name, in, (int)got.n, got.p, (int)want.n,
		      want.p);
		n++;
	}
	CHECK(n > 2000, "only %d string vectors", n);
	arena_fini(&a);
}

static void test_decode(void)
{
	load();
	struct arena a;
	arena_init(&a);
	char line[2048], in[1000], out[1000];
	int n = 0;
	for (const char *p = golden; next_line(&p, "dec", line);) {
		if (sscanf(line, "%999s %999s", in, out) != 2)
			continue;
		arena_reset(&a);
		struct str s = unhex(&a, in), want = unhex(&a, out);
		char *exact = malloc(s.n + 1); /* no byte behind: the sanitizer sees a read past the end */
		memcpy(exact, s.p, s.n);
		char *tight = realloc(exact, s.n ? s.n : 1);
		s.p = tight;
		struct str got = utf8_clean(&a, s);
		CHECK(str_eq(got, want), "clean('%s') is not what Python decodes", in);
		CHECK(utf8_valid(s) == str_eq(s, want), "valid('%s')", in);
		size_t len = 0;
		for (size_t i = 0; i < want.n; len++)
			utf8_next(want, &i);
		CHECK(utf8_len(s) == len, "len('%s') is %zu, want %zu", in, utf8_len(s), len);
		CHECK(utf8_offset(s, len) == s.n && utf8_offset(s, len + 9) == s.n, "offset('%s')", in);
		free(tight);
		n++;
	}
	CHECK(n > 1000, "only %d decoding vectors", n);
	arena_fini(&a);
}

static void test_round_trip(void)
{
	int bad = 0;
	for (uint32_t c = 0; c < 0x110100; c++) {
		char b[4];
		size_t n = utf8_put(c, b), i = 0;
		uint32_t want = c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0xfffd : c;
		bad += utf8_next((struct str){ b, n }, &i) != want || i != n || !utf8_valid((struct str){ b, n });
	}
	CHECK(bad == 0, "%d code points do not survive", bad);
	CHECK(utf8_valid(STR("")) && utf8_len(STR("")) == 0 && utf8_offset(STR(""), 3) == 0, "empty string");
	struct str s = STR("a\xc3\x9f\xe4\xb8\xad!");
	CHECK(utf8_offset(s, 2) == 3 && utf8_offset(s, 3) == 6 && utf8_offset(s, 4) == 7, "offsets");
	CHECK(str_strip((struct str){ NULL, 0 }).n == 0, "empty with a NULL pointer");
	CHECK(str_rstrip(STR("a\xa0")).n == 2, "a bad byte is no space");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "properties of every code point equal Python's", test_props },
		{ "case of every code point equals Python's", test_maps },
		{ "letters of Unicode 15 and 16, and none of 17", test_later },
		{ "case, strip and normal forms of strings", test_strings },
		{ "bad UTF-8 decodes as errors='replace'", test_decode },
		{ "round trip and edges", test_round_trip },
		{ NULL, NULL },
	};
	return test_main("utf8", tests, argc, argv);
}
