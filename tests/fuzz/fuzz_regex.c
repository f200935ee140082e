/* fuzz_regex.c - PATTERN 0xff REPLACEMENT 0xff TEXT: Python regular expressions over PCRE2. */
#include "harness/filter.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p, *w;
	size_t np = fuzz_part(&data, &size, &p), nw = fuzz_part(&data, &size, &w), start, end;
	struct str text = { (const char *)data, size }, with = { (const char *)w, nw }, s;
	struct regex *r = NULL;
	struct value v;
	struct err e = { 0 };
	struct arena a;
	if (regex_compile(&r, (struct str){ (const char *)p, np }, np % 2, &e))
		return 0;
	arena_init(&a);
	if (regex_search(r, text, 0, &start, &end, &e) == 1 && (start > end || end > size))
		abort();
	regex_findall(r, &a, text, &v, &e);
	regex_sub(r, &a, with, text, &s, &e);
	regex_split(r, &a, text, &v, &e);
	arena_fini(&a);
	regex_free(r);
	return 0;
}
