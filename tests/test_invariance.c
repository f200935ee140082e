/* test_invariance.c - one hash over every answer of a mixed set of requests, the same whatever the schedule.
 *
 * Varied: sharing of prefixes, rows in a batch, threads, instruction set, order of requests, grouping into runs, memory.
 * Both models of suites/models. The hashes themselves are committed: another machine or compiler must give the same.
 */
#include "tests/requests.h"

static void vary(const char *name, const char *golden)
{
	static struct set want, got;
	char dir[4096], hex[DIGEST_HEX];
	unsigned char all[DIGEST_BYTES];
	snprintf(dir, sizeof dir, "%s/suites/models/%s", test_srcdir(), name);
	const struct runner_opts base = { .kind = "engine", .model = dir, .max_level = CPU_LEVELS - 1, .threads = 1 };
	run_set(&base, &want, 0, 1, 1);
	digest_of(want.hash, want.n * DIGEST_BYTES, all);
	digest_hex(all, hex);
	CHECK(strcmp(hex, golden) == 0, "%s: hash %s, committed %s", name, hex, golden);
	struct {
		const char *what;
		int rows, threads, level, runs, every;
		size_t memory;
		bool alone;
		unsigned long long shuffle;
	} v[] = {
		{ .what = "nothing shared", .alone = true },
		{ .what = "nothing shared, 3 rows", .alone = true, .rows = 3 },
		{ .what = "1 row", .rows = 1 },
		{ .what = "2 rows", .rows = 2, .shuffle = 9 },
		{ .what = "7 rows", .rows = 7 },
		{ .what = "63 rows", .rows = 63, .shuffle = 3 },
		{ .what = "4096 rows", .rows = 4096, .memory = 1 << 28 },
		{ .what = "2 threads", .threads = 2 },
		{ .what = "3 threads", .threads = 3, .rows = 100 },
		{ .what = "another order", .shuffle = 1 },
		{ .what = "another order, 3 runs", .shuffle = 2, .runs = 3 },
		{ .what = "40 runs", .runs = 40 },
		{ .what = "3 MiB", .memory = 3 << 20 },
		{ .what = "3 MiB, another order, 2 threads", .memory = 3 << 20, .shuffle = 4, .threads = 2 },
		{ .what = "6 MiB, 16 rows", .memory = 6 << 20, .rows = 16 },
		{ .what = "scalar", .level = CPU_SCALAR + 1, .rows = 200, .every = 7 }, /* slow: some of them */
		{ .what = "neon", .level = CPU_NEON + 1 },
		{ .what = "avx2", .level = CPU_AVX2 + 1, .threads = 2 },
		{ .what = "avx512", .level = CPU_AVX512 + 1, .rows = 33 },
		{ .what = "avx512bf16", .level = CPU_AVX512BF16 + 1 },
	};
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct runner_opts o = base;
		o.no_share = v[i].alone;
		o.batch_rows = v[i].rows;
		o.threads = v[i].threads ? v[i].threads : 1;
		o.memory = v[i].memory;
		if (v[i].level) {
			o.max_level = (enum cpu_level)(v[i].level - 1);
			if (!cpu_has(o.max_level)) {
				SKIP("%s: not on this machine", v[i].what);
				continue;
			}
		}
		int every = v[i].every ? v[i].every : 1, differ = 0;
		run_set(&o, &got, v[i].shuffle, v[i].runs ? v[i].runs : 1, every);
		for (size_t k = 0; k < want.n; k += (size_t)every)
			differ += memcmp(got.hash[k], want.hash[k], DIGEST_BYTES) != 0;
		CHECK(differ == 0, "%s: %s: %d answers have other bits", name, v[i].what, differ);
	}
}

static void test_stories(void)
{
	vary("stories260k", STORIES_HASH);
}

static void test_babyllama(void)
{
	vary("babyllama105", BABYLLAMA_HASH);
}

static void test_least_memory(void)
{
	char dir[4096];
	snprintf(dir, sizeof dir, "%s/suites/models/stories260k", test_srcdir());
	struct runner_opts o = { .kind = "engine", .model = dir, .max_level = CPU_LEVELS - 1, .threads = 1, .memory = 1000 };
	struct runner *r;
	struct err e = { 0 };
	CHECK(runner_open(&r, &o, &e) == -1 && e.code == E_MEMORY && strstr(e.msg, "1000 B are allowed"), "%s", e.msg);
	struct plan_row rows[16];
	int n = runner_plan(&o, rows, 16, &e);
	int bad = 0;
	CHECK(n >= 5, "plan of memory: %s", e.msg);
	for (int i = 0; i < n; i++) {
		CHECK(rows[i].what[0] && rows[i].bytes >= 0, "row %d", i);
		bad += rows[i].bad;
	}
	CU_ASSERT(bad > 0);
	o.memory = 0;
	n = runner_plan(&o, rows, 16, &e);
	for (int i = 0; i < n; i++)
		CHECK(!rows[i].bad, "row %d: %s", i, rows[i].what);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "stories260k", test_stories },
		{ "babyllama105", test_babyllama },
		{ "a limit that holds nothing", test_least_memory },
		{ NULL, NULL },
	};
	return test_main("invariance", tests, argc, argv);
}
