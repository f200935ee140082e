/* pool.c - a fixed team of threads: every call hands each part to a thread known beforehand.
 *
 * One call at a time, from one thread. A call is published by raising `gen`; a worker that sees it does its parts and
 * counts itself out of `left`; the caller does its own parts and waits for zero. Both sides spin for a few microseconds
 * first and then sleep. Whoever sleeps says so (`sleepers`, `waiting`) before it looks a last time, and whoever changes
 * the state changes it before it looks for sleepers, all sequentially consistent: so no wake-up is lost and an awake
 * team never touches the mutex. A pool of one thread has no workers and no locking.
 * Signals are blocked in workers: the program's handlers run in its own thread.
 */
#include "kernels/base/pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) || defined(__SSE__)
#include <xmmintrin.h>
#endif

#define SPINS 2000

struct worker {
	struct pool *pool;
	pthread_t thread;
	int id; /* 1.. */
};

struct pool {
	int threads;
	pool_fn *fn; /* the call: written before gen rises, read after */
	void *ctx;
	int nparts;
	_Atomic unsigned gen; /* calls published so far */
	_Atomic int left;     /* workers still at it */
	_Atomic int stop;
	_Atomic int sleepers, waiting;
	pthread_mutex_t lock;
	pthread_cond_t wake, done;
	struct worker *workers; /* threads - 1 */
};

/* --- the floating environment ------------------------------------------------------------------------------------ */

static inline uint64_t fpenv_default(void) /* returns what was set before */
{
#if defined(__x86_64__) || defined(__SSE__)
	unsigned old = _mm_getcsr();
	_mm_setcsr(0x1F80); /* nearest, all exceptions masked, neither FTZ nor DAZ */
	return old;
#elif defined(__aarch64__)
	uint64_t old;
	__asm__ volatile("mrs %0, fpcr" : "=r"(old));
	__asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
	return old;
#else
	return 0;
#endif
}

static inline void fpenv_restore(uint64_t old)
{
#if defined(__x86_64__) || defined(__SSE__)
	_mm_setcsr((unsigned)old);
#elif defined(__aarch64__)
	__asm__ volatile("msr fpcr, %0" : : "r"(old));
#else
	(void)old;
#endif
}

static inline void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__SSE__)
	_mm_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* --- the team ---------------------------------------------------------------------------------------------------- */

static void do_parts(const struct pool *p, int id)
{
	for (int part = id; part < p->nparts; part += p->threads)
		p->fn(p->ctx, part, p->nparts);
}

static void wait_for_call(struct pool *p, unsigned seen)
{
	for (int i = 0; i < SPINS; i++) {
		if (atomic_load(&p->gen) != seen || atomic_load(&p->stop))
			return;
		pause_briefly();
	}
	pthread_mutex_lock(&p->lock);
	atomic_fetch_add(&p->sleepers, 1);
	while (atomic_load(&p->gen) == seen && !atomic_load(&p->stop))
		pthread_cond_wait(&p->wake, &p->lock);
	atomic_fetch_sub(&p->sleepers, 1);
	pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;
	unsigned seen = 0;
	fpenv_default();
	for (;;) {
		wait_for_call(p, seen);
		if (atomic_load(&p->gen) == seen) /* so it was stop */
			return NULL;
		seen++;
		do_parts(p, w->id);
		if (atomic_fetch_sub(&p->left, 1) == 1 && atomic_load(&p->waiting)) {
			pthread_mutex_lock(&p->lock);
			pthread_cond_signal(&p->done);
			pthread_mutex_unlock(&p->lock);
		}
	}
}

static void wake_all(struct pool *p)
{
	if (!atomic_load(&p->sleepers))
		return;
	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

static void wait_for_team(struct pool *p)
{
	for (int i = 0; i < SPINS; i++) {
		if (!atomic_load(&p->left))
			return;
		pause_briefly();
	}
	pthread_mutex_lock(&p->lock);
	atomic_store(&p->waiting, 1);
	while (atomic_load(&p->left))
		pthread_cond_wait(&p->done, &p->lock);
	atomic_store(&p->waiting, 0);
	pthread_mutex_unlock(&p->lock);
}

void pool_run(struct pool *p, pool_fn *fn, void *ctx, int nparts)
{
	uint64_t env = fpenv_default();
	if (p->threads == 1 || nparts <= 1) {
		for (int part = 0; part < nparts; part++)
			fn(ctx, part, nparts);
		fpenv_restore(env);
		return;
	}
	assert(!atomic_load(&p->left)); /* one call at a time */
	p->fn = fn;
	p->ctx = ctx;
	p->nparts = nparts;
	atomic_store(&p->left, p->threads - 1);
	atomic_fetch_add(&p->gen, 1);
	wake_all(p);
	do_parts(p, 0);
	wait_for_team(p);
	fpenv_restore(env);
}

int pool_open(struct pool **out, int threads, struct err *e)
{
	if (threads < 0 || threads > POOL_MAX)
		return err_set(e, E_RANGE, "%d threads: the number must be 0 (all) to %d", threads, POOL_MAX);
	if (!threads)
		threads = pool_cpus();
	struct pool *p = calloc(1, sizeof *p);
	struct worker *w = calloc((size_t)threads, sizeof *w);
	if (!p || !w) {
		free(p);
		free(w);
		return err_set(e, E_MEMORY, "no memory for %d threads", threads);
	}
	p->threads = 1;
	p->workers = w;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	pthread_cond_init(&p->done, NULL);
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	int rc = 0, started = 1;
	for (; started < threads && !rc; started++) {
		w[started - 1] = (struct worker){ .pool = p, .id = started };
		rc = pthread_create(&w[started - 1].thread, NULL, work, &w[started - 1]);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc) {
		p->threads = started - 1; /* those that run are joined */
		pool_close(p);
		errno = rc;
		return err_errno(e, E_MEMORY, "could not start thread %d of %d", started, threads);
	}
	p->threads = threads;
	*out = p;
	return 0;
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	atomic_store(&p->stop, 1);
	wake_all(p);
	for (int i = 0; i < p->threads - 1; i++)
		pthread_join(p->workers[i].thread, NULL);
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p->workers);
	free(p);
}

int pool_threads(const struct pool *p)
{
	return p->threads;
}

/* --- how many processors there are for us ------------------------------------------------------------------------ */

static int affinity_count(void)
{
	for (int cpus = 1024; cpus <= 1 << 16; cpus *= 4) {
		cpu_set_t *set = CPU_ALLOC((size_t)cpus);
		size_t size = CPU_ALLOC_SIZE((size_t)cpus);
		int n = 0;
		if (set && sched_getaffinity(0, size, set) == 0)
			n = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (n)
			return n;
	}
	return 1;
}

/* The quota of one cgroup v2 folder in processors, rounded up; 0 when it sets none. */
static int quota_of(const char *folder)
{
	char path[4200], quota[32];
	long long period = 0;
	snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", folder);
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	int n = fscanf(f, "%31s %lld", quota, &period);
	fclose(f);
	long long q = n == 2 ? strtoll(quota, NULL, 10) : 0; /* "max": 0 */
	if (q <= 0 || period <= 0)
		return 0;
	q = (q - 1) / period + 1;
	return q > POOL_MAX ? POOL_MAX : (int)q;
}

/* The smallest quota of this process's cgroup and those above it; 0 when there is none. */
static int cgroup_quota(void)
{
	char line[4096], folder[4096] = "";
	FILE *f = fopen("/proc/self/cgroup", "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof line, f))
		if (!strncmp(line, "0::/", 4)) {
			line[strcspn(line, "\n")] = 0;
			strcpy(folder, line + 3);
		}
	fclose(f);
	int least = 0;
	for (;;) {
		char *slash = strrchr(folder, '/');
		if (slash && !slash[1])
			*slash = 0; /* "/" is the folder "" */
		int q = quota_of(folder);
		if (q && (!least || q < least))
			least = q;
		slash = strrchr(folder, '/');
		if (!slash)
			return least;
		*slash = 0;
	}
}

int pool_cpus(void)
{
	int n = affinity_count(), q = cgroup_quota();
	if (q && q < n)
		n = q;
	return n < 1 ? 1 : n > POOL_MAX ? POOL_MAX : n;
}
