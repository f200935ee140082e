/* cunit_shim.h - the few words of CUnit that tests/test.h and the tests of the kernels use, for machines without CUnit.
 *
 * One suite a program, run at once; a failed assertion is counted and listed behind its test, a fatal one ends the test.
 * Output and counts look like CUnit's verbose mode. Included by test.h where CUnit is not there (or with ASSAY_NO_CUNIT);
 * everything is static, so a program is one that includes it once.
 */
#ifndef ASSAY_CUNIT_SHIM_H
#define ASSAY_CUNIT_SHIM_H

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CU_FALSE 0
#define CU_TRUE 1
#define CU_SHIM_TESTS 200
#define CU_SHIM_LISTED 100 /* failures of a test that are listed */

struct cu_shim {
	const char *suite;
	struct { const char *name; void (*fn)(void); } tests[CU_SHIM_TESTS];
	int count;
	struct { const char *file, *cond; unsigned line; } failed[CU_SHIM_LISTED];
	unsigned long asserts, failures, here; /* here: failures of the test that runs */
	jmp_buf end;
};
static struct cu_shim cu_shim_;

static inline void cu_shim_assert(int ok, unsigned line, const char *cond, const char *file, int fatal)
{
	struct cu_shim *s = &cu_shim_;
	s->asserts++;
	if (ok)
		return;
	if (s->here < CU_SHIM_LISTED) {
		s->failed[s->here].file = file;
		s->failed[s->here].cond = cond;
		s->failed[s->here].line = line;
	}
	s->here++;
	s->failures++;
	if (fatal)
		longjmp(s->end, 1);
}

/* Registers a test; 0 when there are too many. */
static inline int cu_shim_add(const char *name, void (*fn)(void))
{
	struct cu_shim *s = &cu_shim_;
	if (s->count >= CU_SHIM_TESTS)
		return 0;
	s->tests[s->count].name = name;
	s->tests[s->count].fn = fn;
	s->count++;
	return 1;
}

/* Runs all tests and prints the summary. Returns the number of failures. */
static inline unsigned long cu_shim_run(const char *suite)
{
	struct cu_shim *s = &cu_shim_;
	static volatile int i, failed; /* kept over longjmp */
	clock_t start = clock();
	s->suite = suite;
	printf("\n\nSuite: %s", suite);
	for (i = 0; i < s->count; i++) {
		s->here = 0;
		printf("\n  Test: %s ...", s->tests[i].name);
		if (!setjmp(s->end))
			s->tests[i].fn();
		printf(s->here ? "FAILED" : "passed");
		failed += s->here != 0;
		for (unsigned long f = 0; f < s->here && f < CU_SHIM_LISTED; f++)
			printf("\n    %lu. %s:%u  - %s", f + 1, s->failed[f].file, s->failed[f].line, s->failed[f].cond);
	}
	printf("\n\nRun Summary:    Type  Total    Ran Passed Failed Inactive\n"
	       "              suites %6d %6d    n/a %6d %8d\n"
	       "               tests %6d %6d %6d %6d %8d\n"
	       "             asserts %6lu %6lu %6lu %6lu      n/a\n\nElapsed time = %8.3f seconds\n",
	       1, 1, 0, 0, s->count, s->count, s->count - failed, failed, 0, s->asserts, s->asserts, s->asserts - s->failures, s->failures,
	       (double)(clock() - start) / CLOCKS_PER_SEC);
	return s->failures;
}

#define CU_SHIM_ASSERT_(ok, text, fatal) cu_shim_assert(!!(ok), __LINE__, text, __FILE__, fatal)
#define CU_assertImplementation(ok, line, cond, file, function, fatal) cu_shim_assert(ok, (unsigned)(line), cond, file, fatal)
#define CU_PASS(text) CU_SHIM_ASSERT_(1, text, 0)
#define CU_FAIL(text) CU_SHIM_ASSERT_(0, text, 0)
#define CU_FAIL_FATAL(text) CU_SHIM_ASSERT_(0, text, 1)
#define CU_ASSERT(v) CU_SHIM_ASSERT_(v, #v, 0)
#define CU_ASSERT_FATAL(v) CU_SHIM_ASSERT_(v, #v, 1)
#define CU_ASSERT_EQUAL(a, b) CU_SHIM_ASSERT_((a) == (b), "CU_ASSERT_EQUAL(" #a "," #b ")", 0)
#define CU_ASSERT_EQUAL_FATAL(a, b) CU_SHIM_ASSERT_((a) == (b), "CU_ASSERT_EQUAL_FATAL(" #a "," #b ")", 1)
#define CU_ASSERT_PTR_NULL(p) CU_SHIM_ASSERT_(!(p), "CU_ASSERT_PTR_NULL(" #p ")", 0)
#define CU_ASSERT_PTR_NOT_NULL(p) CU_SHIM_ASSERT_((p) != NULL, "CU_ASSERT_PTR_NOT_NULL(" #p ")", 0)
#define CU_ASSERT_PTR_NOT_NULL_FATAL(p) CU_SHIM_ASSERT_((p) != NULL, "CU_ASSERT_PTR_NOT_NULL_FATAL(" #p ")", 1)
#define CU_ASSERT_STRING_EQUAL(a, b) CU_SHIM_ASSERT_(!strcmp(a, b), "CU_ASSERT_STRING_EQUAL(" #a "," #b ")", 0)

#endif
