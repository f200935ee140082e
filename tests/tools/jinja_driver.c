/* jinja_driver.c - renders templates given as JSON lines, for tests/tools/jinja_fuzz.py.
 *
 * in:  {"env":"chat"|"suite","template":T,"vars":{...},"date":D}     out: {"ok":TEXT} or {"error":MESSAGE,"code":N}
 * With "repeat":N (for tests/tools/jinja_peers.py) the compiled template is rendered N more times, each into an arena that
 * is reset, as for the documents of a run: "seconds" is their processor time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runners/text/jinja.h"
#include "runners/text/json.h"

static double processor_time(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double repeat(const struct jinja *j, struct value vars, int64_t times)
{
	struct arena item;
	struct err e = { 0 };
	struct str text;
	arena_init(&item);
	double start = processor_time();
	for (int64_t i = 0; i < times; i++) {
		jinja_render(j, &item, vars, NULL, NULL, &text, &e);
		arena_reset(&item);
	}
	double seconds = processor_time() - start;
	arena_fini(&item);
	return seconds;
}

static void answer(struct arena *a, struct str line)
{
	struct value in, out = v_dict(a);
	struct err e = { 0 };
	struct jinja *j = NULL;
	struct str text;
	if (json_parse(a, line, "line", &in, &e) == 0) {
		const struct value *date = v_getc(in, "date"), *times = v_getc(in, "repeat");
		enum jinja_env env = str_is(v_getc(in, "env")->s, "chat") ? JINJA_CHAT : JINJA_SUITE;
		struct jinja_limits limits = { .steps = 3000000 };
		if (jinja_compile(&j, v_getc(in, "template")->s, env, "t", &e) == 0 &&
		    jinja_render(j, a, *v_getc(in, "vars"), date ? arena_cstr(a, date->s) : NULL, &limits, &text, &e) == 0) {
			v_set(a, out, STR("ok"), v_str(text));
			if (times)
				v_set(a, out, STR("seconds"), v_float(repeat(j, *v_getc(in, "vars"), times->i)));
		}
	}
	if (e.code != E_NONE) {
		v_set(a, out, STR("error"), v_cstr(e.msg));
		v_set(a, out, STR("code"), v_int(e.code));
	}
	jinja_free(j);
	text = json_text(a, out, JSON_ASCII, -1);
	fwrite(text.p, 1, text.n, stdout);
	putchar('\n');
	fflush(stdout);
}

int main(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	struct arena a;
	arena_init(&a);
	while ((n = getline(&line, &cap, stdin)) > 0) {
		answer(&a, (struct str){ line, (size_t)n });
		arena_reset(&a);
	}
	arena_fini(&a);
	free(line);
	return 0;
}
