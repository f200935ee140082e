/* test_pool - every part once, by the thread it belongs to, in the default floating environment; sleeping and waking. */
#include "tests/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "kernels/base/pool.h"

#define PARTS 1000

struct seen {
	int count[PARTS], nparts;
	pthread_t by[PARTS];
	uint64_t env[PARTS];
};

static uint64_t env_now(void)
{
#if defined(__x86_64__)
	return _mm_getcsr() & 0xffc0u;
#elif defined(__aarch64__)
	uint64_t v;
	__asm__ volatile("mrs %0, fpcr" : "=r"(v));
	return v;
#else
	return 0;
#endif
}

static void see(void *ctx, int part, int nparts)
{
	struct seen *s = ctx;
	s->count[part]++;
	s->by[part] = pthread_self();
	s->env[part] = env_now();
	if (part == 0)
		s->nparts = nparts;
}

static struct pool *team(int threads)
{
	struct pool *p = NULL;
	struct err e = { 0 };
	int rc = pool_open(&p, threads, &e);
	CHECK(rc == 0, "%s", e.msg);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	return p;
}

static void test_parts(void)
{
	static const int threads[] = { 1, 2, 3, 5, 16 }, parts[] = { 0, 1, 2, 3, 7, 16, 17, PARTS };
	static struct seen s;
	for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
		struct pool *p = team(threads[t]);
		CU_ASSERT_EQUAL(pool_threads(p), threads[t]);
		for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
			int n = parts[i], wrong = 0;
			memset(&s, 0, sizeof s);
			pool_run(p, see, &s, n);
			for (int k = 0; k < PARTS; k++) {
				wrong += s.count[k] != (k < n);
				if (k < n) /* part k belongs to thread k % threads; thread 0 is this one */
					wrong += !pthread_equal(s.by[k], s.by[k % threads[t]]);
			}
			CHECK(!wrong, "%d threads, %d parts: %d wrong", threads[t], n, wrong);
			if (n) {
				CU_ASSERT_EQUAL(s.nparts, n);
				CU_ASSERT(pthread_equal(s.by[0], pthread_self()));
			}
		}
		pool_close(p);
	}
}

static void test_environment(void)
{
#if defined(__x86_64__)
	static struct seen s;
	unsigned old = _mm_getcsr(), odd = 0x1f80u | 0x8040u | 0x6000u;
	for (int threads = 1; threads <= 3; threads++) {
		_mm_setcsr(odd);
		struct pool *p = team(threads); /* its threads inherit this */
		memset(&s, 0, sizeof s);
		pool_run(p, see, &s, 9);
		CU_ASSERT_EQUAL(_mm_getcsr() & 0xffc0u, odd);
		pool_close(p);
		_mm_setcsr(old);
		for (int i = 0; i < 9; i++)
			CU_ASSERT_EQUAL(s.env[i], 0x1f80u);
	}
#else
	SKIP("written for MXCSR");
#endif
}

struct sum {
	const int *in;
	long out[64];
	int n;
};

static void add_up(void *ctx, int part, int nparts)
{
	struct sum *s = ctx;
	long t = 0;
	for (int i = s->n * part / nparts; i < s->n * (part + 1) / nparts; i++)
		t += s->in[i];
	s->out[part] = t;
}

/* Many short calls, some after a pause long enough for the team to fall asleep: what the caller wrote before a call is
 * seen in it, what parts wrote is seen after it. */
static void test_many_calls(void)
{
	static int in[500];
	struct pool *p = team(4);
	for (int call = 0; call < 3000; call++) {
		struct sum s = { .in = in, .n = 500 };
		for (int i = 0; i < 500; i++)
			in[i] = call + i;
		pool_run(p, add_up, &s, 1 + call % 9);
		long t = 0;
		for (int i = 0; i < 1 + call % 9; i++)
			t += s.out[i];
		if (t != 500L * call + 499 * 250)
			CU_FAIL("a part was lost");
		if (call % 500 == 0)
			nanosleep(&(struct timespec){ 0, 3000000 }, NULL);
	}
	pool_close(p);
}

static void test_refused(void)
{
	static const int bad[] = { -1, POOL_MAX + 1 };
	for (size_t i = 0; i < 2; i++) {
		struct pool *p = NULL;
		struct err e = { 0 };
		CU_ASSERT_EQUAL(pool_open(&p, bad[i], &e), -1);
		CU_ASSERT_EQUAL(e.code, E_RANGE);
		CU_ASSERT_PTR_NULL(p);
	}
	pool_close(NULL);
	int n = pool_cpus();
	CU_ASSERT(n >= 1 && n <= POOL_MAX);
	struct pool *p = team(0);
	CU_ASSERT_EQUAL(pool_threads(p), n);
	pool_close(p);
	for (int i = 0; i < 100; i++) /* opened and closed at once: threads that never saw a call */
		pool_close(team(3));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "every part once, by its thread", test_parts },
		{ "floating environment", test_environment },
		{ "many calls", test_many_calls },
		{ "sizes, opening and closing", test_refused },
		{ NULL, NULL },
	};
	return test_main("pool", tests, argc, argv);
}
