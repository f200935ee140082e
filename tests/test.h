/* test.h - what every test program shares: registering table-driven cases with CUnit, a printed seed, the material's folders.
 *
 *     static void test_x(void) { ... CU_ASSERT(...); }
 *     int main(int argc, char **argv)
 *     {
 *             static const struct test tests[] = { { "what it shows", test_x }, { NULL, NULL } };
 *             return test_main("module", tests, argc, argv);
 *     }
 * Where CUnit is not there, ASSAY_NO_CUNIT takes tests/cunit_shim.h in its place.
 * `program NAME` runs only the tests whose name contains NAME. CHECK(cond, fmt, ...) counts an assertion and prints on failure.
 */
#ifndef ASSAY_TEST_H
#define ASSAY_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef ASSAY_NO_CUNIT
#include "tests/cunit_shim.h"
#else
#include <CUnit/Basic.h>
#endif

struct test {
	const char *name;
	void (*fn)(void);
};

#define CHECK(cond, ...) \
	do { \
		int check_ok_ = !!(cond); \
		if (!check_ok_) { \
			printf("\n    %s:%d: ", __FILE__, __LINE__); \
			printf(__VA_ARGS__); \
		} \
		CU_assertImplementation(check_ok_, __LINE__, #cond, __FILE__, "", CU_FALSE); \
	} while (0)

/* A line that a test did not run, and why. */
#define SKIP(...) \
	do { \
		printf("\n    skipped: "); \
		printf(__VA_ARGS__); \
		printf(" "); \
	} while (0)

static inline int test_main(const char *suite, const struct test *tests, int argc, char **argv)
{
	int n = 0;
#ifndef ASSAY_NO_CUNIT
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 99;
	CU_pSuite s = CU_add_suite(suite, NULL, NULL);
#endif
	for (const struct test *t = tests; t->name; t++)
		if (argc < 2 || strstr(t->name, argv[1]))
#ifdef ASSAY_NO_CUNIT
			n += cu_shim_add(t->name, t->fn);
#else
			n += CU_add_test(s, t->name, t->fn) != NULL;
#endif
	if (!n) {
		fprintf(stderr, "no test matches '%s'\n", argc > 1 ? argv[1] : "");
		return 99;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
#ifdef ASSAY_NO_CUNIT
	return cu_shim_run(suite) != 0;
#else
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	int failed = (int)CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
#endif
}

/* The seed of random tests: ASSAY_SEED, else a fixed one; printed by the caller. */
static inline unsigned long long test_seed(void)
{
	const char *s = getenv("ASSAY_SEED");
	return s ? strtoull(s, NULL, 0) : 20261124ull;
}

static inline unsigned long long test_rand(unsigned long long *state) /* xorshift64* */
{
	unsigned long long x = *state ? *state : 88172645463325252ull;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 2685821657736338717ull;
}

/* Folder of this project's sources at run time: srcdir as `make check` sets it, else the folder of the build. */
static inline const char *test_srcdir(void)
{
	const char *s = getenv("srcdir");
	return s && *s ? s : ASSAY_SRCDIR;
}

/* "material" or "oracle": the development data, or NULL when this machine has none. */
static inline const char *test_shared(const char *what)
{
	static char path[2][4096];
	const char *env = getenv(what[0] == 'm' ? "ASSAY_MATERIAL" : "ASSAY_ORACLE");
	char *p = path[what[0] == 'm'];
	if (env)
		snprintf(p, 4096, "%s", env);
	else
		snprintf(p, 4096, "%s/../shared/%s", test_srcdir(), what);
	return access(p, R_OK) == 0 ? p : NULL;
}

/* A new empty folder under TMPDIR, removed by the caller's test_rmdir. */
static inline char *test_tmpdir(void)
{
	static char path[4096];
	const char *t = getenv("TMPDIR");
	snprintf(path, sizeof path, "%s/assay-test-XXXXXX", t ? t : "/tmp");
	if (!mkdtemp(path)) {
		perror("mkdtemp");
		exit(99);
	}
	return path;
}

static inline void test_write(const char *dir, const char *name, const void *p, size_t n)
{
	char path[4400];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		exit(99);
	}
}

static inline void test_put(const char *dir, const char *name, const char *text)
{
	test_write(dir, name, text, strlen(text));
}

static inline void test_rmdir(const char *path)
{
	char cmd[4200];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", path);
	if (system(cmd) != 0)
		fprintf(stderr, "could not remove %s\n", path);
}

#endif
