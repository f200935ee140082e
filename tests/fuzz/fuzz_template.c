/* fuzz_template.c - a template, rendered in both environments with a conversation and a document, under small limits. */
#include "runners/text/jinja.h"
#include "runners/text/json.h"
#include "tests/fuzz/fuzz.h"

static const char vars_json[] =
	"{\"messages\":[{\"role\":\"system\",\"content\":\"You are.\"},{\"role\":\"user\",\"content\":\"Hi <b>\\u00e4\\ud83d\\ude00\"}],"
	"\"tools\":null,\"add_generation_prompt\":true,\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"doc\":{\"q\":\" a b \",\"n\":[3,1.5,-2,null]},"
	"\"choices\":[\"x\",\"yy\",\"\"],\"s\":\"The cat 12\",\"n\":7,\"f\":-2.5,\"big\":9223372036854775807,\"empty\":[],\"d\":{\"b\":1,\"a\":[true]}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct jinja_limits limits = { .steps = 20000, .output_bytes = 1 << 18, .memory_bytes = 8 << 20, .depth = 60 };
	for (int env = JINJA_CHAT; env <= JINJA_SUITE; env++) {
		struct jinja *j = NULL;
		struct err e = { 0 };
		if (jinja_compile(&j, (struct str){ (const char *)data, size }, (enum jinja_env)env, "input", &e)) {
			if (j || !e.msg[0])
				abort();
			continue;
		}
		struct arena a;
		struct value vars;
		struct str out;
		arena_init(&a);
		if (json_parse(&a, str_of(vars_json), "vars", &vars, &e))
			abort();
		jinja_render(j, &a, vars, NULL, &limits, &out, &e);
		arena_fini(&a);
		jinja_free(j);
	}
	return 0;
}
