/* test_results.c - rows as CSV, files written whole or not at all, the board and the gap, the registry. */
#include "tests/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "harness/results_int.h"

static struct arena a;
static char *dir;

static const char *file(const char *name)
{
	static char path[8][4200];
	static int k;
	k = (k + 1) & 7;
	snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
	return path[k];
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	CU_ASSERT_FATAL(f != NULL);
	fputs(text, f);
	fclose(f);
}

static struct str get(const char *path)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "r");
	if (!f)
		return STR("(no file)");
	size_t n = fread(text, 1, sizeof text - 1, f);
	text[n] = 0;
	fclose(f);
	return (struct str){ text, n };
}

static int entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;
	for (struct dirent *x; d && (x = readdir(d));)
		n += x->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static struct row row(const char *model, const char *country, const char *suite, double value, double se, const char *id)
{
	return (struct row){ .model = str_of(model), .organisation = STR("o"), .country = str_of(country), .licence = STR("MIT"), .params_total = 1e9,
			     .params_active = __builtin_nan(""), .suite = str_of(suite), .suite_version = STR("1"), .language = STR("en"),
			     .metric = STR("acc"), .filter = STR("none"), .value = value, .stderr_ = se, .ci_low = value - 2 * se, .ci_high = value + 2 * se,
			     .n = 100, .shots = 5, .profile = STR("native"), .numerics = STR("chain32/1"), .limit = -1, .settings = STR("{}"),
			     .model_digest = str_of(model), .suite_digest = STR("d"), .run_id = str_of(id) };
}

static void test_round_trip(void)
{
	struct row rows[] = { row("a,b \"c\"\nd", "US", "s", 0.1 + 0.2, 1e-300, "1"), row(" x ", "", "\xe6\x95\xb0", __builtin_nan(""), __builtin_inf(), "2"),
			      row("", "CN", "s", -0.0, 5e-324, "3") };
	struct row *back;
	size_t n;
	struct err e = { 0 };
	rows[1].limit = 40;
	rows[1].shots = -1;
	rows[1].chat = 1;
	rows[2].settings = STR("{\"bos\":\"on\",\"system\":\"x, y\"}");
	CHECK(results_write(file("r.csv"), rows, 3, &e) == 0, "%s", e.msg);
	struct str first = arena_str(&a, get(file("r.csv")).p, get(file("r.csv")).n);
	CU_ASSERT(str_starts(first, STR("model,organisation,country,licence,params_total,params_active,suite,suite_version,language,metric,filter,value,"
					"stderr,ci_low,ci_high,n,n_failed,n_truncated,n_unparsed,shots,chat,profile,numerics,limit,settings,model_digest,"
					"suite_digest,run_id\n")));
	CU_ASSERT(strstr(first.p, "0.30000000000000004,1e-300,") != NULL);
	CU_ASSERT(strstr(first.p, "\"a,b \"\"c\"\"\nd\"") != NULL);
	CU_ASSERT(strchr(first.p, '\r') == NULL);
	CHECK(results_read(file("r.csv"), &a, &back, &n, &e) == 0 && n == 3, "%s", e.msg);
	for (size_t i = 0; i < 3 && n == 3; i++) {
		struct row want = rows[i];
		if (i == 1)
			want.stderr_ = want.ci_low = want.ci_high = __builtin_nan("");
		CHECK(rows_compare(&back[i], &want) == 0, "row %zu came back changed", i);
	}
	CU_ASSERT_EQUAL(results_write(file("r2.csv"), back, n, &e), 0);
	CU_ASSERT(str_eq(first, get(file("r2.csv"))));
}

static void test_refused(void)
{
	struct buf head = { 0 }, bad = { 0 };
	struct row *rows;
	size_t n;
	struct row one = row("m", "US", "s", 1, 1, "1");
	rows_write(&head, &one, 1);
	const char *line = strchr(head.p, '\n') + 1;
	int header = (int)(line - head.p);
	static const struct {
		const char *text, *says;
	} t[] = {
		{ "", "empty" },
		{ "model,x\n", ":1: column 2 must be 'organisation'" },
		{ "H", "" },
		{ "Hx\n", ":2: 1 cells" },
		{ "Hm,o,US,MIT,many,,s,1,en,acc,none,1,1,1,1,100,0,0,0,5,0,native,c,,{},d,d,1\n", ":2: 'many' is no value for column params_total" },
		{ "Hm,o,US,MIT,1,,s,1,en,acc,none,1,1,1,1,100,0,0,0,5,0,native,c,,{},d,d,1\n"
		  "m,o,US,MIT,1,,s,1,en,acc,none,nan,1,1,1,100,0,0,0,5,0,native,c,,{},d,d,1\n", ":3: 'nan' is no value for column value" },
		{ "Hm,o,US,MIT,1,,s,1,en,acc,none,1e999,1,1,1,100,0,0,0,5,0,native,c,,{},d,d,1\n", "column value" },
		{ "Hm,o,US,MIT,1,,s,1,en,acc,none,1,1,1,1,1.5,0,0,0,5,0,native,c,,{},d,d,1\n", "column n" },
		{ "Hm,o,US,MIT,1,,s,1,en,acc,none,1,1,1,1,-3,0,0,0,5,0,native,c,,{},d,d,1\n", "column n" },
		{ "Hm,o,US,MIT,1,,s,1,en,acc,none,1,1,1,1,1,0,0,0,99999999999,0,native,c,,{},d,d,1\n", "column shots" },
		{ "H\"m\nx,o,US\n", ":2: a quoted cell is not closed" },
		{ "H\xff,o,US,MIT,1,,s,1,en,acc,none,1,1,1,1,1,0,0,0,5,0,native,c,,{},d,d,1\n", "column model" },
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct err e = { 0 };
		bool with = t[i].text[0] == 'H';
		bad.n = 0;
		if (with)
			buf_add(&bad, head.p, (size_t)header);
		buf_puts(&bad, t[i].text + with);
		put(file("bad.csv"), bad.n ? bad.p : "");
		int r = results_read(file("bad.csv"), &a, &rows, &n, &e);
		if (!*t[i].says) {
			CHECK(r == 0 && n == 0, "a header alone: %s", e.msg);
			continue;
		}
		CHECK(r == -1 && e.code == E_FORMAT && strstr(e.msg, t[i].says) && strstr(e.msg, "bad.csv"), "case %zu: %d '%s', wanted '%s'", i, r, e.msg, t[i].says);
	}
	struct err e = { 0 };
	CU_ASSERT(results_read(file("absent.csv"), &a, &rows, &n, &e) == -1 && e.code == E_IO);
	CU_ASSERT(results_read(dir, &a, &rows, &n, &e) == -1 && e.code == E_IO);
	buf_fini(&head);
	buf_fini(&bad);
}

static int count_bytes(const char *path, char want)
{
	struct str s = get(path);
	int n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == want;
	return n;
}

/* In a child that may write 100 kB: an error, the old file as it was, no temporary left. */
static void test_full_disk(void)
{
	CU_ASSERT(make_dirs(file("full"), NULL) == 0);
	put(file("full/x"), "old");
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit lim = { 100000, 100000 };
		struct atomic_file *f;
		struct err e = { 0 };
		char block[5000];
		memset(block, 'n', sizeof block);
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &lim);
		if (atomic_open(&f, file("full/x"), &e))
			_exit(1);
		for (int i = 0; i < 100; i++)
			if (atomic_write(f, block, sizeof block, &e)) {
				atomic_abort(f);
				_exit(e.code == E_IO && strstr(e.msg, "full/x: cannot write") ? 0 : 2);
			}
		_exit(atomic_commit(f, &e) ? 0 : 3);
	}
	int status;
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
	CU_ASSERT(str_is(get(file("full/x")), "old"));
	CU_ASSERT_EQUAL(entries(file("full")), 1);
}

static void test_atomic(void)
{
	struct atomic_file *f;
	struct err e = { 0 };
	char block[1000];
	CU_ASSERT(make_dirs(file("at/om/ic"), &e) == 0 && make_dirs(file("at/om/ic/"), &e) == 0);
	put(file("at/file"), "a file");
	CU_ASSERT(make_dirs(file("at/file/x"), &e) == -1 && e.code == E_IO && strstr(e.msg, "at/file"));
	CU_ASSERT(make_dirs(file("at/file"), &e) == -1);
	CU_ASSERT_EQUAL(atomic_open(&f, file("at/om/x"), &e), 0);
	memset(block, 'n', sizeof block);
	for (int i = 0; i < 300; i++)
		CU_ASSERT_EQUAL(atomic_write(f, block, sizeof block, &e), 0);
	CU_ASSERT(access(file("at/om/x"), F_OK) != 0); /* nothing before the commit */
	CU_ASSERT_EQUAL(atomic_commit(f, &e), 0);
	CU_ASSERT_EQUAL(count_bytes(file("at/om/x"), 'n'), 300000);
	CU_ASSERT_EQUAL(entries(file("at/om")), 2);
	CU_ASSERT_EQUAL(atomic_open(&f, file("at/om/x"), &e), 0);
	atomic_write(f, "new", 3, &e);
	atomic_abort(f);
	CU_ASSERT_EQUAL(count_bytes(file("at/om/x"), 'n'), 300000);
	CU_ASSERT_EQUAL(entries(file("at/om")), 2);
	CU_ASSERT(atomic_open(&f, file("at/none/x"), &e) == -1 && e.code == E_IO && strstr(e.msg, "at/none/x"));
	CU_ASSERT_EQUAL(atomic_open(&f, file("at/om/ic"), &e), 0); /* the target is a folder */
	atomic_write(f, "new", 3, &e);
	CU_ASSERT(atomic_commit(f, &e) == -1 && e.code == E_IO);
	CU_ASSERT_EQUAL(entries(file("at/om")), 2);
}

static void save_run(const char *board, const char *id, const struct row *rows, size_t n)
{
	struct err e = { 0 };
	CU_ASSERT(make_dirs(arena_printf(&a, "%s/runs/%s", file(board), id).p, &e) == 0);
	CHECK(results_write(arena_printf(&a, "%s/runs/%s/rows.csv", file(board), id).p, rows, n, &e) == 0, "%s", e.msg);
}

static void test_board(void)
{
	struct row *rows;
	size_t n = 9;
	struct err e = { 0 };
	struct buf out = { 0 };
	struct row us1 = row("us-one", "US", "quiz", 0.5, 0.01, "b1"), us2 = row("us-two", "US", "quiz", 0.7, 0.01, "b2"),
		   cn1 = row("cn-one", "CN", "quiz", 0.6, 0.01, "b3"), cn2 = row("cn-<two>&", "CN", "quiz", 0.2, 0.01, "b4"),
		   fr = row("fr", "FR", "quiz", 0.9, 0.01, "b5"), again = us1, close_us = row("us-one", "US", "race", 0.5, 0.05, "b1"),
		   close_cn = row("cn-one", "CN", "race", 0.52, 0.05, "b3"), ppl_us = row("us-one", "US", "text", 12, 0.5, "b1"),
		   ppl_cn = row("cn-one", "CN", "text", 9, 0.5, "b3"), other = row("cn-one", "CN", "quiz", 0.95, 0.01, "b6");
	again.run_id = STR("a0");
	ppl_us.metric = ppl_cn.metric = STR("perplexity");
	other.profile = STR("lm-eval-0.4.13"); /* never meets the others */
	CHECK(board_rebuild(file("b"), &a, &rows, &n, &e) == -1, "a board in a folder that is not there");
	CU_ASSERT(make_dirs(file("b"), &e) == 0);
	CHECK(board_rebuild(file("b"), &a, &rows, &n, &e) == 0 && n == 0, "an empty board: %s", e.msg);
	const struct row one[] = { us1, close_us, ppl_us }, three[] = { cn1, close_cn, ppl_cn };
	save_run("b", "b1", one, 3);
	save_run("b", "b2", &us2, 1);
	save_run("b", "b3", three, 3);
	save_run("b", "b4", &cn2, 1);
	save_run("b", "b5", &fr, 1);
	save_run("b", "b6", &other, 1);
	save_run("b", "a0", &again, 1);
	CU_ASSERT(make_dirs(file("b/runs/stopped"), &e) == 0); /* a run without rows yet */
	CHECK(board_rebuild(file("b"), &a, &rows, &n, &e) == 0 && n == 10, "%s (%zu rows)", e.msg, n);
	for (size_t i = 1; i < n; i++)
		CU_ASSERT(rows_compare(&rows[i - 1], &rows[i]) < 0);
	struct str gap = arena_str(&a, get(file("b/gap.csv")).p, get(file("b/gap.csv")).n);
	CHECK(strstr(gap.p, "\nquiz,1,en,acc,none,5,0,native,chain32/1,,{},d,us-two,0.69999999999999996,0.01,cn-one,0.59999999999999998,0.01,"
			    "0.099999999999999978,0.014142135623730951,US\n") != NULL, "%s", gap.p);
	CHECK(strstr(gap.p, ",-0.020000000000000018,0.070710678118654766,\n") != NULL, "%s", gap.p); /* too close to call */
	CHECK(strstr(gap.p, ",us-one,12,0.5,cn-one,9,0.5,3,0.70710678118654757,CN\n") != NULL, "%s", gap.p); /* lower is better */
	CU_ASSERT_EQUAL(count_bytes(file("b/gap.csv"), '\n'), 4);
	CU_ASSERT_EQUAL(board_print("text", rows, n, 0, 0, &out, &e), 0);
	CU_ASSERT(strstr(out.p, "  fr") < strstr(out.p, "us-two") && strstr(out.p, "us-two") < strstr(out.p, "us-one"));
	CU_ASSERT(strstr(out.p, "0.6800 .. 0.7200") != NULL);
	out.n = 0;
	CU_ASSERT_EQUAL(board_print("text", rows, n, 0, 40, &out, &e), 0);
	for (const char *p = out.p, *nl; (nl = strchr(p, '\n')); p = nl + 1)
		CHECK(nl - p <= 40, "a line of %ld columns", (long)(nl - p));
	out.n = 0;
	CU_ASSERT_EQUAL(board_print("html", rows, n, 0, 0, &out, &e), 0);
	CU_ASSERT(strstr(out.p, "cn-&#60;two&#62;&#38;") != NULL && strstr(out.p, "cn-<two>") == NULL);
	out.n = 0;
	CU_ASSERT_EQUAL(board_print("csv", rows, n, 0, 0, &out, &e), 0);
	CU_ASSERT(str_eq((struct str){ out.p, out.n }, get(file("b/leaderboard.csv"))));
	CU_ASSERT(board_print("pdf", rows, n, 0, 0, &out, &e) == -1 && e.code == E_USAGE);
	out.n = 0;
	struct row evil = row("\x1b[2Jred\x07", "US", "\xe5\x9b\xbd", 0.5, 0.1, "1");
	CU_ASSERT_EQUAL(board_print("text", &evil, 1, 1, 80, &out, &e), 0);
	CU_ASSERT(strstr(out.p, "\x1b[2J") == NULL && strchr(out.p, 7) == NULL);
	put(file("b/runs/b5/rows.csv"), "x\n");
	CU_ASSERT(board_rebuild(file("b"), &a, &rows, &n, &e) == -1 && strstr(e.msg, "b5/rows.csv:1"));
	CU_ASSERT(str_eq(gap, get(file("b/gap.csv"))));
	buf_fini(&out);
}

static void test_registry(void)
{
	struct registry_row *r;
	size_t n;
	struct err e = { 0 };
	char path[4200];
	snprintf(path, sizeof path, "%s/suites/registry.csv", test_srcdir());
	CHECK(registry_load(path, &a, &r, &n, &e) == 0 && n >= 2, "%s", e.msg);
	for (size_t i = 0; i < n; i++)
		if (str_is(r[i].name, "stories260k"))
			CU_ASSERT(str_is(r[i].licence, "MIT") && r[i].params_total == 260032);
	static const struct {
		const char *text, *says;
	} t[] = {
		{ "name,organisation\nx,y\n", "'country' is missing" },
		{ "name,organisation,country,licence,family,params_total,params_active\nx,,,,,lots,\n", ":2: 'lots'" },
		{ "name,organisation,country,licence,family,params_total,params_active\n,,,,,1,\n", ":2: a model without a name" },
		{ "name,organisation,country,licence,family,params_total,params_active\nx,,,,,1,\ny,,,,,1,\nx,,,,,1,\n", ":4: 'x' is in line 2 already" },
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		put(file("reg.csv"), t[i].text);
		e.msg[0] = 0;
		CHECK(registry_load(file("reg.csv"), &a, &r, &n, &e) == -1 && strstr(e.msg, t[i].says), "case %zu: '%s'", i, e.msg);
	}
	put(file("reg.csv"), "country,extra,name,organisation,licence,family,params_total,params_active\nUS,\"a, b\",x,o,MIT,f,7e9,\n");
	CHECK(registry_load(file("reg.csv"), &a, &r, &n, &e) == 0 && n == 1 && str_is(r[0].name, "x") && r[0].params_total == 7e9 &&
		      r[0].params_active != r[0].params_active, "%s", e.msg);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "rows to CSV and back", test_round_trip }, { "CSV that is refused", test_refused }, { "atomic files", test_atomic },
					     { "full disk", test_full_disk }, { "board and gap", test_board }, { "registry", test_registry }, { NULL, NULL } };
	arena_init(&a);
	dir = test_tmpdir();
	int r = test_main("results", tests, argc, argv);
	test_rmdir(dir);
	arena_fini(&a);
	return r;
}
