/* test_pyrandom.c - CPython's generator: golden vectors (golden/make_pyrandom.py) and those that SCORING.md 2.5 names. */
#include "tests/test.h"

#include "harness/pyrandom.h"

enum { MAX = 4096 };

static int numbers(const char *p, size_t *v)
{
	int n = 0;
	char *end;
	for (; n < MAX; n++, p = end) {
		v[n] = strtoull(p, &end, 10);
		if (end == p)
			break;
	}
	return n;
}

static int same(const size_t *a, const size_t *b, size_t n)
{
	return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}

static void check_line(char *line, struct pyrandom *chain)
{
	char what[20];
	unsigned long long seed, n, k;
	static size_t want[MAX], got[MAX];
	char *colon = strchr(line, ':');
	if (!colon || sscanf(line, "%19s %llu %llu %llu", what, &seed, &n, &k) != 4 || k > MAX || n + k == 0)
		return;
	struct pyrandom r;
	pyrandom_seed(&r, seed);
	if (!strcmp(what, "random")) {
		char *p = colon + 1;
		for (unsigned i = 0; i < k; i++)
			CHECK(strtod(p, &p) == pyrandom_random(&r), "%s", line);
		return;
	}
	CHECK((size_t)numbers(colon + 1, want) == (!strcmp(what, "shuffle") ? n : k), "line cut: %s", line);
	if (!strcmp(what, "below"))
		for (unsigned i = 0; i < k; i++)
			got[i] = pyrandom_below(&r, n);
	else if (!strcmp(what, "sample"))
		pyrandom_sample(&r, n, k, got);
	else if (!strcmp(what, "choices"))
		pyrandom_choices(&r, n, k, got);
	else if (!strcmp(what, "chain"))
		pyrandom_sample(chain, n, k, got);
	else {
		for (unsigned i = 0; i < n; i++)
			got[i] = i;
		pyrandom_shuffle(&r, got, n);
	}
	CHECK(same(got, want, k), "%s", line);
}

static void test_golden(void)
{
	char path[4096], *line = malloc(1 << 16);
	int lines = 0;
	snprintf(path, sizeof path, "%s/tests/golden/pyrandom.vec", test_srcdir());
	FILE *f = fopen(path, "r");
	CU_ASSERT_FATAL(f != NULL);
	struct pyrandom chain;
	pyrandom_seed(&chain, 1234);
	for (; fgets(line, 1 << 16, f); lines++)
		check_line(line, &chain);
	fclose(f);
	free(line);
	CHECK(lines > 600, "only %d lines", lines);
}

static void test_scoring(void)
{
	static const size_t gsm8k[3][5] = { { 6374, 3610, 957, 61, 742 }, { 7462, 6610, 4769, 286, 5501 }, { 5677, 687, 806, 6279, 2905 } };
	static const size_t hellaswag[11] = { 28883, 7657, 490, 5940, 38156, 2288, 5500, 6450, 23241, 15519, 1142 };
	static const size_t pool16[3][3] = { { 14, 1, 0 }, { 2, 14, 12 }, { 1, 10, 11 } }, pool5[5] = { 3, 0, 4, 2, 1 };
	static const size_t arc[5] = { 902, 239, 15, 185, 71 };
	size_t got[32];
	struct pyrandom r;
	pyrandom_seed(&r, 1234);
	CU_ASSERT(pyrandom_random(&r) == 0.9664535356921388);
	CU_ASSERT(pyrandom_random(&r) == 0.4407325991753527);
	pyrandom_seed(&r, 1234);
	for (int i = 0; i < 3; i++) {
		pyrandom_sample(&r, 7473, 5, got);
		CU_ASSERT(same(got, gsm8k[i], 5));
	}
	pyrandom_seed(&r, 1234);
	pyrandom_sample(&r, 39905, 11, got);
	CU_ASSERT(same(got, hellaswag, 11));
	pyrandom_seed(&r, 1234);
	for (int i = 0; i < 3; i++) {
		pyrandom_sample(&r, 16, 3, got);
		CU_ASSERT(same(got, pool16[i], 3));
	}
	pyrandom_seed(&r, 1234);
	pyrandom_sample(&r, 5, 5, got);
	CU_ASSERT(same(got, pool5, 5));
	pyrandom_seed(&r, 1234);
	pyrandom_sample(&r, 1119, 25, got);
	CU_ASSERT(same(got, arc, 5));
}

static void test_letters(void)
{
	static const struct {
		int seed;
		const char *want[3];
	} cases[] = { { 0, { "CABD", "ABDC", "ACBD" } }, { 42, { "CBDA", "DCAB", "BDCA" } } };
	static const size_t choices[8] = { 84, 75, 42, 25, 51, 40, 78, 30 };
	size_t got[8];
	struct pyrandom r;
	for (int c = 0; c < 2; c++) {
		pyrandom_seed(&r, (uint64_t)cases[c].seed);
		for (int i = 0; i < 3; i++) {
			size_t v[4] = { 0, 1, 2, 3 };
			char text[5] = "";
			pyrandom_shuffle(&r, v, 4);
			for (int k = 0; k < 4; k++)
				text[k] = (char)('A' + v[k]);
			CHECK(!strcmp(text, cases[c].want[i]), "seed %d: %s, not %s", cases[c].seed, text, cases[c].want[i]);
		}
	}
	pyrandom_seed(&r, 0);
	pyrandom_choices(&r, 100, 8, got);
	CU_ASSERT(same(got, choices, 8));
}

/* What a sample must be whatever the seed: k different positions below n. */
static void test_properties(void)
{
	unsigned long long seed = test_seed();
	printf("(seed %llu) ", seed);
	for (int round = 0; round < 300; round++) {
		size_t n = 1 + test_rand(&seed) % 3000, k = test_rand(&seed) % (n < 300 ? n + 1 : 300), out[301];
		unsigned char seen[3001] = { 0 };
		int good = 1;
		struct pyrandom r;
		pyrandom_seed(&r, test_rand(&seed));
		pyrandom_sample(&r, n, k, out);
		for (size_t i = 0; i < k; i++) {
			good &= out[i] < n && !seen[out[i]];
			if (out[i] < n)
				seen[out[i]] = 1;
		}
		CHECK(good, "n %zu k %zu", n, k);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "golden vectors of CPython", test_golden },
					     { "vectors of SCORING.md", test_scoring },
					     { "letters and choices", test_letters },
					     { "samples are samples", test_properties },
					     { NULL, NULL } };
	return test_main("pyrandom", tests, argc, argv);
}
