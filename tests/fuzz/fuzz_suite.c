/* fuzz_suite.c - the YAML of a suite definition, loaded through the schema. */
#include "harness/suite.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct suites *all = NULL;
	struct suite *s = NULL, **leaves;
	struct err e = { 0 };
	int n;
	fuzz_put("x.yaml", data, size);
	if (suites_open(&all, (const char *const[]){ fuzz_dir(), NULL }, &e))
		return 0;
	if (suite_find(all, "x", &s, &e) == 0)
		suite_leaves(all, s, &leaves, &n);
	else if (!e.msg[0])
		abort();
	suites_close(all);
	return 0;
}
