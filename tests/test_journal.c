/* test_journal.c - the journal: exact answers back, damage refused, a full disk and kill -9 in the middle of writing. */
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "harness/journal.h"

static struct arena a;
static char *dir;

static const char *file(const char *name)
{
	static char path[4][4200];
	static int k;
	k = (k + 1) & 3;
	snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
	return path[k];
}

static void key_of(uint64_t i, unsigned char key[DIGEST_BYTES])
{
	digest_of(&i, sizeof i, key);
}

/* An answer that depends on i alone. */
static struct resp resp_of(uint64_t i)
{
	static struct window w[3];
	static char text[64];
	struct resp r = { .answered = true, .logprob = -(double)i / 3, .ntokens = (int)(i % 1000), .greedy = i & 1, .stop = (enum stop)(i % 4) };
	w[0] = (struct window){ 1, (int)i };
	w[1] = (struct window){ (int)(i * 7), 3 };
	w[2] = (struct window){ 0, 0 };
	r.windows = w;
	r.nwindows = (int)(i % 4);
	r.text.n = (size_t)snprintf(text, sizeof text, "text %llu", (unsigned long long)i);
	text[4] = 0; /* a NUL inside */
	r.text.p = text;
	return r;
}

static bool same_bits(double x, double y)
{
	return memcmp(&x, &y, sizeof x) == 0;
}

static bool equal(const struct resp *x, const struct resp *y)
{
	if (!same_bits(x->logprob, y->logprob) || x->ntokens != y->ntokens || x->greedy != y->greedy || x->stop != y->stop ||
	    x->nwindows != y->nwindows || !str_eq(x->text, y->text) || !x->answered)
		return false;
	return !x->nwindows || memcmp(x->windows, y->windows, (size_t)x->nwindows * sizeof *x->windows) == 0;
}

static void put_range(struct journal *j, uint64_t from, uint64_t to)
{
	unsigned char key[DIGEST_BYTES];
	struct err e = { 0 };
	for (uint64_t i = from; i < to; i++) {
		struct resp r = resp_of(i);
		key_of(i, key);
		if (journal_put(j, key, (enum ask)(i % 4), &r, &e)) {
			CHECK(0, "put %llu: %s", (unsigned long long)i, e.msg);
			return;
		}
	}
}

/* How many of 0..n-1 are there; every one must be right. */
static uint64_t count_right(struct journal *j, uint64_t n)
{
	unsigned char key[DIGEST_BYTES];
	uint64_t found = 0;
	struct err e = { 0 };
	for (uint64_t i = 0; i < n; i++) {
		struct resp got = { 0 }, want = resp_of(i);
		key_of(i, key);
		int r = journal_get(j, key, (enum ask)(i % 4), &a, &got, &e);
		CHECK(r >= 0, "get %llu: %s", (unsigned long long)i, e.msg);
		if (r == 1 && !equal(&got, &want))
			CHECK(0, "answer %llu came back changed", (unsigned long long)i);
		found += r == 1;
	}
	arena_reset(&a);
	return found;
}

static void test_round_trip(void)
{
	static const double odd[] = { 0.0, -0.0, 5e-324, -1.7976931348623157e308, __builtin_inf(), -0.1 };
	struct journal *j;
	struct err e = { 0 };
	struct journal_stats st;
	unsigned char key[DIGEST_BYTES];
	struct resp got;
	CHECK(journal_open(&j, file("a.db"), &e) == 0, "%s", e.msg);
	put_range(j, 0, 3000);
	CU_ASSERT_EQUAL(count_right(j, 3000), 3000); /* before the last commit too */
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		struct resp r = { .answered = true, .logprob = odd[i] };
		key_of(1000000 + i, key);
		CU_ASSERT_EQUAL(journal_put(j, key, ASK_LOGLIK, &r, &e), 0);
		CU_ASSERT_EQUAL(journal_get(j, key, ASK_LOGLIK, &a, &got, &e), 1);
		CU_ASSERT(same_bits(got.logprob, odd[i]));
	}
	CU_ASSERT_EQUAL(journal_close(j, &e), 0);
	CHECK(journal_open(&j, file("a.db"), &e) == 0, "%s", e.msg);
	CU_ASSERT_EQUAL(count_right(j, 3100), 3000);
	key_of(4, key);
	CU_ASSERT_EQUAL(journal_get(j, key, ASK_LOGLIK, &a, &got, &e), 1);
	CU_ASSERT_EQUAL(journal_get(j, key, ASK_GENERATE, &a, &got, &e), 0); /* another kind */
	struct resp other = { .answered = true, .logprob = 1 };
	CU_ASSERT_EQUAL(journal_put(j, key, ASK_LOGLIK, &other, &e), 0); /* what is there stays */
	CU_ASSERT_EQUAL(count_right(j, 10), 10);
	CU_ASSERT_EQUAL(journal_stats(j, &st, &e), 0);
	CU_ASSERT_EQUAL(st.answers[ASK_ROLLING], 750);
	CU_ASSERT_EQUAL(st.answers[ASK_LOGLIK], 756);
	CU_ASSERT(st.bytes > 100000);
	struct buf big = { 0 };
	for (int i = 0; i < 3000000; i++)
		buf_putc(&big, (char)i);
	struct resp r = { .answered = true, .text = { big.p, big.n } };
	key_of(7777777, key);
	CU_ASSERT_EQUAL(journal_put(j, key, ASK_GENERATE, &r, &e), 0);
	CU_ASSERT_EQUAL(journal_get(j, key, ASK_GENERATE, &a, &got, &e), 1);
	CU_ASSERT(str_eq(got.text, r.text));
	buf_fini(&big);
	CU_ASSERT_EQUAL(journal_close(j, &e), 0);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void test_rate(void)
{
	struct journal *j;
	struct err e = { 0 };
	CHECK(journal_open(&j, file("rate.db"), &e) == 0, "%s", e.msg);
	double t = seconds();
	put_range(j, 0, 50000);
	CU_ASSERT_EQUAL(journal_close(j, &e), 0);
	double put = seconds() - t;
	CHECK(journal_open(&j, file("rate.db"), &e) == 0, "%s", e.msg);
	t = seconds();
	CU_ASSERT_EQUAL(count_right(j, 50000), 50000);
	printf("\n    %.0f puts/s, %.0f gets/s ", 50000 / put, 50000 / (seconds() - t));
	journal_close(j, &e);
}

static void write_bytes(const char *path, const void *p, size_t n, long at)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0666);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT(pwrite(fd, p, n, at) == (ssize_t)n);
	close(fd);
}

static void sql(const char *path, const char *text)
{
	sqlite3 *db;
	CU_ASSERT(sqlite3_open(path, &db) == SQLITE_OK && sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
	sqlite3_close(db);
}

/* Opening fails with this code, and a sentence that names the file and says what is wrong. */
static void refused(const char *name, enum err_code code, const char *says)
{
	struct journal *j;
	struct err e = { 0 };
	int r = journal_open(&j, file(name), &e);
	CHECK(r == -1 && j == NULL && e.code == code, "%s: result %d, code %d, '%s'", name, r, e.code, e.msg);
	CHECK(strstr(e.msg, name) && strstr(e.msg, says) && !strchr(e.msg, '\n'), "%s: '%s' does not say '%s'", name, e.msg, says);
}

static void make(const char *name, uint64_t n)
{
	struct journal *j;
	struct err e = { 0 };
	CHECK(journal_open(&j, file(name), &e) == 0, "%s", e.msg);
	put_range(j, 0, n);
	CU_ASSERT_EQUAL(journal_close(j, &e), 0);
}

static void test_refused(void)
{
	static char noise[8192];
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)(i * 7 + 3);
	write_bytes(file("noise.db"), noise, sizeof noise, 0);
	refused("noise.db", E_FORMAT, "not a journal");
	sql(file("other.db"), "CREATE TABLE t(x)");
	refused("other.db", E_FORMAT, "another program");
	make("schema.db", 3);
	sql(file("schema.db"), "PRAGMA user_version=99");
	refused("schema.db", E_FORMAT, "schema 99");
	mkdir(file("folder.db"), 0777);
	refused("folder.db", E_IO, "cannot open");
	refused("no/such/folder.db", E_IO, "cannot open");
	make("cut.db", 3000);
	CU_ASSERT(truncate(file("cut.db"), 8192) == 0);
	struct journal *j;
	struct err e = { 0 };
	struct resp got;
	unsigned char key[DIGEST_BYTES];
	int failed = journal_open(&j, file("cut.db"), &e);
	for (uint64_t i = 0; !failed && i < 3000; i++) {
		key_of(i, key);
		failed = journal_get(j, key, (enum ask)(i % 4), &a, &got, &e) < 0;
	}
	CHECK(failed && e.code == E_FORMAT && strstr(e.msg, "damaged"), "a cut file: '%s'", e.msg);
	journal_close(j, NULL);
	if (geteuid() != 0) {
		make("readonly.db", 3);
		chmod(file("readonly.db"), 0444);
		refused("readonly.db", E_IO, "read-only");
	}
}

/* One flipped bit in a payload is noticed, wherever it is. */
static void test_flipped_bits(void)
{
	make("flip.db", 8);
	for (int byte = 0; byte < 40; byte += 3) {
		char text[400];
		snprintf(text, sizeof text,
			 "UPDATE answer SET payload=CAST(substr(payload,1,%d)||CASE WHEN substr(payload,%d,1)=x'41' THEN x'42' ELSE x'41' END||substr(payload,%d) AS BLOB)",
			 byte, byte + 1, byte + 2);
		unlink(file("flip.db"));
		make("flip.db", 8);
		sql(file("flip.db"), text);
		struct journal *j;
		struct err e = { 0 };
		struct resp got;
		unsigned char key[DIGEST_BYTES];
		CHECK(journal_open(&j, file("flip.db"), &e) == 0, "%s", e.msg);
		for (uint64_t i = 1; j && i < 8; i++) {
			key_of(i, key);
			int r = journal_get(j, key, (enum ask)(i % 4), &a, &got, &e);
			CHECK(r == -1 && e.code == E_FORMAT && strstr(e.msg, "damaged"), "byte %d changed: result %d", byte, r);
		}
		journal_close(j, NULL);
	}
}

/* A child that may write 200 kB only: an error, not a signal; what was committed stays, and the file is sound. */
static void test_full_disk(void)
{
	int pipefd[2];
	CU_ASSERT_FATAL(pipe(pipefd) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit lim = { 200000, 200000 };
		struct journal *j;
		struct err e = { 0 };
		unsigned char key[DIGEST_BYTES];
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &lim);
		if (journal_open(&j, file("full.db"), &e))
			_exit(1);
		for (uint64_t i = 0; i < 100000; i++) {
			struct resp r = resp_of(i);
			key_of(i, key);
			if (journal_put(j, key, (enum ask)(i % 4), &r, &e)) {
				ssize_t n = write(pipefd[1], e.msg, strlen(e.msg));
				journal_close(j, NULL);
				_exit(n > 0 && e.code == E_IO ? 0 : 2);
			}
		}
		_exit(3);
	}
	int status;
	char msg[1000] = "";
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
	close(pipefd[1]);
	CU_ASSERT(read(pipefd[0], msg, sizeof msg - 1) > 0);
	close(pipefd[0]);
	CHECK(strstr(msg, "full.db") && strstr(msg, "cannot write"), "'%s'", msg);
	struct journal *j;
	struct err e = { 0 };
	CHECK(journal_open(&j, file("full.db"), &e) == 0, "%s", e.msg);
	uint64_t n = j ? count_right(j, 100000) : 0;
	CHECK(n >= 512 && n % 512 == 0, "%llu answers are left", (unsigned long long)n);
	journal_close(j, &e);
}

/* kill -9 at ten moments: the file is sound, what was committed is there, and the next writer goes on. */
static void test_kill(void)
{
	struct err e = { 0 };
	uint64_t had = 0;
	for (int round = 0; round < 10; round++) {
		int pipefd[2];
		CU_ASSERT_FATAL(pipe(pipefd) == 0);
		pid_t pid = fork();
		if (pid == 0) {
			struct journal *j;
			unsigned char key[DIGEST_BYTES];
			if (journal_open(&j, file("kill.db"), &e))
				_exit(1);
			for (uint64_t i = had;; i++) { /* one byte for each answer that the journal took */
				struct resp r = resp_of(i);
				key_of(i, key);
				if (journal_put(j, key, (enum ask)(i % 4), &r, &e) || write(pipefd[1], ".", 1) != 1)
					_exit(2);
			}
		}
		close(pipefd[1]);
		uint64_t taken = 0, enough = 700 + 397 * (uint64_t)round;
		char sink[256];
		ssize_t k;
		while (taken < enough && (k = read(pipefd[0], sink, sizeof sink)) > 0)
			taken += (uint64_t)k;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while ((k = read(pipefd[0], sink, sizeof sink)) > 0)
			taken += (uint64_t)k;
		close(pipefd[0]);
		struct journal *j;
		CHECK(journal_open(&j, file("kill.db"), &e) == 0, "round %d: %s", round, e.msg);
		if (!j)
			return;
		uint64_t now = count_right(j, had + taken + 600);
		CHECK(now + 1024 > had + taken && now <= had + taken + 1, "round %d: %llu there, %llu before, %llu taken", round,
		      (unsigned long long)now, (unsigned long long)had, (unsigned long long)taken);
		CHECK(count_right(j, now) == now, "round %d: not the first %llu", round, (unsigned long long)now);
		had = now;
		journal_close(j, &e);
	}
	CHECK(had > 5000, "%llu answers", (unsigned long long)had);
}

/* Several processes make one journal at the same moment: each opens it. */
static void test_made_at_once(void)
{
	enum { ROUNDS = 60, CHILDREN = 6 };
	for (int round = 0; round < ROUNDS; round++) {
		char name[32];
		int gate[2], failures = 0;
		snprintf(name, sizeof name, "once%d.db", round);
		CU_ASSERT_FATAL(pipe(gate) == 0);
		for (int i = 0; i < CHILDREN; i++) {
			if (fork() == 0) {
				struct journal *j;
				struct err e = { 0 };
				char go;
				close(gate[1]);
				if (read(gate[0], &go, 1) != 0) /* ends when the parent opens the gate */
					_exit(2);
				if (journal_open(&j, file(name), &e) == 0)
					_exit(journal_close(j, &e) ? 3 : 0);
				printf("%s\n", e.msg);
				_exit(1);
			}
		}
		close(gate[0]);
		close(gate[1]);
		for (int status; wait(&status) > 0;)
			failures += status != 0;
		CHECK(failures == 0, "round %d: %d of %d did not open it", round, failures, CHILDREN);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "made by several processes at once", test_made_at_once }, { "exact answers back", test_round_trip }, { "rate", test_rate }, { "refused with a sentence", test_refused },
					     { "a changed byte is noticed", test_flipped_bits }, { "full disk", test_full_disk }, { "kill -9", test_kill }, { NULL, NULL } };
	arena_init(&a);
	dir = test_tmpdir();
	int r = test_main("journal", tests, argc, argv);
	test_rmdir(dir);
	arena_fini(&a);
	return r;
}
