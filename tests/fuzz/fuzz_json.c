/* fuzz_json.c - JSON text: what parses is written, parsed again and must come back equal. */
#include "runners/text/json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct value v, w;
	struct err e = { 0 };
	arena_init(&a);
	if (json_parse(&a, (struct str){ (const char *)data, size }, "input", &v, &e) == 0) {
		struct str t = json_text(&a, v, size % 2 ? JSON_ASCII : JSON_COMPACT, size % 3 ? -1 : 2);
		if (json_parse(&a, t, "output", &w, &e) != 0 || !v_equal(v, w))
			abort();
	} else if (e.code == E_NONE || !e.msg[0]) {
		abort();
	}
	arena_fini(&a);
	return 0;
}
