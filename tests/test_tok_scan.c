/* test_tok_scan.c - the well-known patterns as code against the same patterns as regular expressions, and long runs.
 *
 * Both read the same tables of properties: what is compared is the code (the tables: test_tok_patterns.c).
 */
#include <time.h>

#include "runners/text/utf8.h"
#include "runners/tok_int.h"
#include "tests/test.h"

static uint64_t state = 88172645463325252ull;
static uint32_t below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) * n >> 32);
}

static struct tokrx *open_rx(const char *pattern)
{
	struct tokrx *rx = NULL;
	struct err e = { 0 };
	if (tokrx_open(&rx, str_of(pattern), false, &e) < 0) {
		printf("%s: %s\n", pattern, e.msg);
		exit(99);
	}
	return rx;
}

static bool agree(const struct scanner *scan, const struct tokrx *rx, struct scan *sc, struct str s, const char *pattern)
{
	size_t p = 0, f1 = 0, t1 = 0, f2 = 0, t2 = 0;
	struct err e = { 0 };
	struct rxscan r;
	rxscan_begin(&r, rx, s);
	for (;;) {
		bool a = scanner_next(scan, s, &p, &f1, &t1);
		int b = rxscan_next(&r, sc, &f2, &t2, &e);
		if (a == (b == 1) && (!a || (f1 == f2 && t1 == t2))) {
			if (!a) {
				rxscan_end(&r);
				return true;
			}
			continue;
		}
		CHECK(false, "%.20s...: code %d %zu..%zu, expression %d %zu..%zu in '%.*s'", pattern, a, f1, t1, b, f2,
		      t2, (int)s.n, s.p);
		rxscan_end(&r);
		return false;
	}
}

static uint32_t random_char(void)
{
	static const uint32_t ranges[][2] = {
		{ 0x20, 0x7e },	    { 0x20, 0x7e },	{ 0x20, 0x7e },	  { 0x61, 0x7a },     { 0x41, 0x5a },	  { 0x30, 0x39 },
		{ 0x09, 0x0d },	    { 0x20, 0x20 },	{ 0x27, 0x27 },	  { 0x0a, 0x0a },     { 0x80, 0xff },	  { 0x100, 0x24f },
		{ 0x2b0, 0x36f },   { 0x370, 0x52f },	{ 0x5d0, 0x6ff }, { 0x900, 0xdff },   { 0xe00, 0xe7f },	  { 0x1c00, 0x1fff },
		{ 0x2000, 0x206f }, { 0x2070, 0x24ff }, { 0x3000, 0x30ff }, { 0x4e00, 0x9fff }, { 0xac00, 0xd7a3 }, { 0xf900, 0xffff },
		{ 0x10000, 0x1ffff }, { 0x1f300, 0x1faff }, { 0xe0000, 0xe01ff }, { 0, 0x10ffff },
	};
	static const uint32_t special[] = { 0x17f, 0x1c5, 0x2b0, 0x301, 0x3000, 0xa0, 0x85, 0x2028, 0x200d, 0x212a, 'r', 'e',
					    'S', 'l', 'L', 'D', 't', 'M', 'v', '/', '\r', 0xaa, 0xb2, 0x2167, 0x9fa5, 0x9fa6,
					    0x303f, 0x3040, 0x3100 };
	for (;;) {
		uint32_t k = below(sizeof ranges / sizeof ranges[0] + 4), c;
		if (k >= sizeof ranges / sizeof ranges[0])
			c = special[below(sizeof special / sizeof special[0])];
		else
			c = ranges[k][0] + below(ranges[k][1] - ranges[k][0] + 1);
		if (c < 0xd800 || c >= 0xe000)
			return c;
	}
}

static void test_equal(void)
{
	const char *times = getenv("ASSAY_SCAN_STRINGS"); /* for a long run */
	long n = times ? atol(times) : 20000;
	struct arena a;
	struct scan sc = { 0 };
	struct err e = { 0 };
	arena_init(&a);
	for (size_t k = 0; scanner_pattern(k); k++) {
		const char *pattern = scanner_pattern(k);
		const struct scanner *scan = scanner_find(&a, str_of(pattern));
		struct tokrx *rx = open_rx(pattern);
		bool good = true;
		for (uint32_t c = 0; c < 0x110000 && good; c += c == 0xd7ff ? 0x801 : 1) { /* each character in a few surroundings */
			char p[64];
			size_t m = 0;
			const char *around[] = { "", "a", " ", "1", "\n", "'", NULL };
			for (int i = 0; around[i]; i++) {
				memcpy(p + m, around[i], strlen(around[i]));
				m += strlen(around[i]);
				m += utf8_put(c, p + m);
			}
			good = agree(scan, rx, &sc, (struct str){ p, m }, pattern);
		}
		CHECK(good, "%s", pattern);
		for (long i = 0; i < n && good; i++) {
			char p[256];
			size_t m = 0;
			for (uint32_t left = 1 + below(40); left > 0; left--) {
				uint32_t c = random_char();
				for (uint32_t r = below(8) ? 1 : 1 + below(4); r > 0 && m + 4 < sizeof p; r--)
					m += utf8_put(c, p + m);
			}
			good = agree(scan, rx, &sc, (struct str){ p, m }, pattern);
		}
		CHECK(good, "%s", pattern);
		tokrx_close(rx);
	}
	CHECK(!e.msg[0], "%s", e.msg);
	scan_fini(&sc);
	arena_fini(&a);
}

static void test_other(void)
{
	struct arena a;
	arena_init(&a);
	CHECK(!scanner_find(&a, STR("\\p{N}{1,4}")), "a pattern that is none of them");
	CHECK(!scanner_find(&a, STR("")), "no pattern");
	arena_fini(&a);
}

/* A megabyte of one thing: every scanner, in little processor time. */
static void test_long_runs(void)
{
	static const char *const units[] = { "a", "A", "aA", "\u4e2d", "\u4e2dA", " ", "1", "\n", " \n", "\U0001f600", "!?.,", "\u0301", "'", "'s" };
	enum { SIZE = 1 << 20 };
	char *p = malloc(SIZE + 8);
	struct arena a;
	arena_init(&a);
	for (size_t k = 0; scanner_pattern(k); k++)
		for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
			const struct scanner *scan = scanner_find(&a, str_of(scanner_pattern(k)));
			size_t len = strlen(units[u]), n = 0, pos = 0, from = 0, to = 0, end = 0;
			while (n + len <= SIZE) {
				memcpy(p + n, units[u], len);
				n += len;
			}
			bool forward = true;
			clock_t t0 = clock();
			while (scanner_next(scan, (struct str){ p, n }, &pos, &from, &to)) {
				forward &= from >= end && to > from;
				end = to;
			}
			CHECK(forward, "pattern %zu: matches go back in '%s'", k, units[u]);
			CHECK((double)(clock() - t0) / CLOCKS_PER_SEC < 2, "pattern %zu: a megabyte of '%s' takes long", k,
			      units[u]);
		}
	free(p);
	arena_fini(&a);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "code and regular expression cut alike", test_equal },
		{ "other patterns have no code", test_other },
		{ "long runs take time that grows with their length", test_long_runs },
		{ NULL, NULL },
	};
	return test_main("tok_scan", tests, argc, argv);
}
