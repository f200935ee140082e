/* family_cases.h - what tests of a kind of layer share: a folder with a configuration or a checkpoint in it, configurations that are refused,
 * tensors that contradict a configuration, random weights.
 */
#ifndef ASSAY_TESTS_FAMILY_CASES_H
#define ASSAY_TESTS_FAMILY_CASES_H

#include "runners/config.h"
#include "tests/families.h"
#include "tests/machine.h"

static struct arena arena;
static char *dir;

static inline struct value golden(const char *model)
{
	struct value g = VNONE;
	load_golden(&arena, model, &g);
	return g;
}

/* Configurations of which the message says something, and names the file. */
struct refused {
	const char *config, *message;
};

static inline void check_refused(const struct refused *r, size_t n)
{
	static struct config c;
	for (; n--; r++) {
		struct err e = { 0 };
		test_put(dir, "config.json", r->config);
		CHECK(config_load(&c, dir, &e) == -1, "%s: accepted", r->config);
		CHECK(strstr(e.msg, r->message) && strstr(e.msg, "config.json"), "%s: message is: %s", r->config, e.msg);
	}
}

/* A golden model with one piece of its config.json replaced, and what is said of that. */
struct contrary {
	const char *model, *from, *to, *message;
};

static inline void write_changed(const char *model, const char *from, const char *to)
{
	struct buf text = { 0 }, changed = { 0 };
	write_checkpoint(dir, golden(model));
	json_write(&text, *v_getc(golden(model), "config"), 0, -1);
	buf_putc(&text, 0);
	char *at = strstr(text.p, from);
	CHECK(at != NULL, "%s: no %s in %s", model, from, text.p);
	if (at) {
		buf_printf(&changed, "%.*s%s%s", (int)(at - text.p), text.p, to, at + strlen(from));
		write_file(dir, "config.json", &changed);
	}
	buf_fini(&text);
	buf_fini(&changed);
}

static inline void check_contrary(const struct contrary *c, size_t n)
{
	for (; n--; c++) {
		struct machine k;
		struct err e = { 0 };
		write_changed(c->model, c->from, c->to);
		CHECK(machine_open(&k, dir, 1, cpu_best(), 1, &e) == -1, "%s with %s: opened", c->model, c->to);
		CHECK(strstr(e.msg, c->message), "%s with %s: message is: %s", c->model, c->to, e.msg);
		machine_close(&k);
	}
}

static inline void write_config(const char *model)
{
	struct buf text = { 0 };
	json_write(&text, *v_getc(golden(model), "config"), 0, -1);
	write_file(dir, "config.json", &text);
	buf_fini(&text);
}

/* What config.json in the folder says, with random weights: ids in calls of `step` rows, each row finite. */
static inline void run_random(struct lse *out, const int32_t *ids, int n, int step, const char *what)
{
	static struct config c;
	struct device_opts o = { "cpu", 2, cpu_best() };
	struct machine k = { 0 };
	struct err e = { 0 };
	int rc = config_load(&c, dir, &e) != 0 || device_open(&k.dev, &o, &e) != 0 || model_random(&k.m, &c, DT_BF16, k.dev, &e) != 0 ||
		 cache_open(&k.cache, k.m, PAGES, 0, &e) != 0 || forward_open(&k.f, k.m, step, step, 1, PAGES, &e) != 0;
	CHECK(rc == 0, "%s: %s", what, e.msg);
	if (rc == 0 && run(&k, ids, n, step, out, NULL) == 0)
		for (int j = 0; j < n; j++)
			CHECK(out[j].argmax >= 0, "%s: row %d is not finite", what, j);
	machine_close(&k);
}

/* Two models of the same random weights, one of them in calls of `step` rows, give the same bits. */
static inline void check_random(const char *what, const int32_t *ids, int n, int step)
{
	static struct lse out[2][MAX_IDS];
	run_random(out[0], ids, n, n, what);
	run_random(out[1], ids, n, step, what);
	CHECK(memcmp(out[0], out[1], (size_t)n * sizeof out[0][0]) == 0, "%s: calls of %d rows and of %d differ", what, n, step);
}

static inline int cases_main(const char *suite, const struct test *tests, int argc, char **argv)
{
	arena_init(&arena);
	dir = test_tmpdir();
	int rc = test_main(suite, tests, argc, argv);
	test_rmdir(dir);
	arena_fini(&arena);
	return rc;
}

#endif
