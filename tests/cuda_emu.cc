/* cuda_emu.cc - the emulator's engine: fibers, blocks, barriers, warps, shared memory, reports (see cuda_emu.h).
 *
 * A block's threads are fibers on stacks of their own with a guard page below each. A fiber runs until it waits: at a
 * barrier until all threads of the block stand at the same line of text, at a warp operation until all lanes that its
 * mask names stand at the same operation. When nobody can run, the report says who waits where. Behind a warp operation either
 * the other warps come first, so that all go in step (EMU_FORWARD), or the warp goes on alone to the next barrier
 * (EMU_BACKWARD); EMU_RANDOM draws which at each barrier. Stack tops are staggered, since 128 stacks whose tops share a cache set
 * would cost more than a switch does.
 * A fault leaves by siglongjmp to emu_expect_fault, or prints and exits. One thread of the process at a time.
 */
#undef _FORTIFY_SOURCE /* its longjmp refuses to leave a fiber */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/cuda_emu.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <vector>

#include "tests/cuda_emu_mem.h"
#include "tests/cuda_emu_switch.h"

#if defined __SANITIZE_ADDRESS__
#define EMU_ASAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define EMU_ASAN 1
#endif
#endif
#ifdef EMU_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#include <ucontext.h>

#define MAX_THREADS 1024
#define MAX_STATIC (48u << 10)
#define MAX_SHARED (227u << 10)
#ifdef EMU_ASAN
#define STACK_BYTES (256u << 10)
#else
#define STACK_BYTES (64u << 10)
#endif
#define PAGE 4096u
#define FRONT 64u /* bytes before an array that are checked */

enum state { RUN, AT_BARRIER, AT_WARP, DONE };

struct fiber {
	struct emu_context context;
	enum state state;
	enum emu_op op; /* what it waits at */
	const char *file;
	int line, width;
	unsigned mask, arg;
	uint64_t v; /* what it brings to a warp operation or barrier, then what it gets */
	uint3 tid;
	char *stack;
#ifdef EMU_ASAN
	void *fake;
#endif
};

struct region { /* memory of one CU_SHARED: kept from block to block */
	struct emu_site *site;
	const char *name;
	char *map, *p;
	size_t len, bytes;
};

struct tally {
	const char *name;
	unsigned long launches, blocks, threads;
	double seconds;
};

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
unsigned long emu_block;

static struct fiber fibers[MAX_THREADS], host;
static int stacks;              /* fibers that have one */
static int perm[MAX_THREADS];   /* order of the threads, those of a warp together */
static bool ahead;              /* a warp goes on alone behind a warp operation */
static int n, pos, cur, at_barrier, live;
static unsigned arrived[MAX_THREADS / 32]; /* lanes at a warp operation */
static const struct emu_launch *launch;    /* the running one */
static enum emu_order order;
static uint64_t seed = 1, rng;
static bool seeded;
static unsigned long launches, switches;
static std::vector<struct region> regions;
static std::vector<size_t> used; /* regions of the running block */
static size_t static_bytes;
static struct region dynamic;
static std::vector<struct tally> tallies;

static sigjmp_buf *expecting;
static char report[1024];

/* ---- reports ---- */

static const char *at(char *to, size_t size, uint3 v)
{
	snprintf(to, size, "(%u,%u,%u)", v.x, v.y, v.z);
	return to;
}

static void leave(void) __attribute__((noreturn));
static void leave(void)
{
	bool fiber = launch && cur >= 0;
	launch = nullptr;
	cur = -1;
	if (!expecting) {
		fflush(stdout);
		fprintf(stderr, "%s\n", report);
		fflush(stderr);
		_exit(1);
	}
#ifdef EMU_ASAN
	if (fiber)
		__sanitizer_start_switch_fiber(nullptr, host.stack, (size_t)host.v);
#endif
	siglongjmp(*expecting, fiber ? 2 : 1);
}

void emu_fault(const char *fmt, ...)
{
	char b[48], t[48], text[640];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (launch && cur >= 0)
		snprintf(report, sizeof report, "kernel %s, block %s, thread %s: %s; order %s, ASSAY_SEED=%llu", launch->name,
			 at(b, sizeof b, blockIdx), at(t, sizeof t, fibers[cur].tid), text, emu_order_name(order),
			 (unsigned long long)emu_seed_now());
	else if (launch)
		snprintf(report, sizeof report, "kernel %s, block %s: %s; order %s, ASSAY_SEED=%llu", launch->name,
			 at(b, sizeof b, blockIdx), text, emu_order_name(order), (unsigned long long)emu_seed_now());
	else
		snprintf(report, sizeof report, "host: %s", text);
	leave();
}

static bool within(const void *p, const char *map, size_t len)
{
	return map && (const char *)p >= map && (const char *)p < map + len;
}

/* Says of an address in the surroundings of [p, p+bytes) where it is. */
static void emu_place(char *to, size_t size, const char *a, const char *p, size_t bytes)
{
	if (a >= p + bytes)
		snprintf(to, size, "%zu bytes behind the end", (size_t)(a - (p + bytes)));
	else if (a < p)
		snprintf(to, size, "%zu bytes before the start", (size_t)(p - a));
	else
		snprintf(to, size, "%zu bytes after the start", (size_t)(a - p));
}

static void on_fault(int sig, siginfo_t *si, void *context)
{
	char where[64], what[16] = "access";
	const char *a = (const char *)si->si_addr;
#if defined __x86_64__
	snprintf(what, sizeof what, "%s", ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & 2 ? "write" : "read");
#endif
	(void)context;
	if (sig == SIGSEGV && si->si_code > 0 && si->si_code != SI_KERNEL) {
		struct emu_region r;
		if (emu_find(a, &r)) {
			emu_place(where, sizeof where, a, r.p, r.bytes);
			emu_fault("%s %s of %s #%d of %zu bytes%s", what, where, r.call, r.serial, r.bytes,
				  r.live ? "" : ", which was freed");
		}
		for (const struct region &s : regions)
			if (within(a, s.map, s.len)) {
				emu_place(where, sizeof where, a, s.p, s.bytes);
				emu_fault("%s %s of shared array %s of %zu bytes", what, where, s.name, s.bytes);
			}
		if (within(a, dynamic.map, dynamic.len)) {
			emu_place(where, sizeof where, a, dynamic.p, dynamic.bytes);
			emu_fault("%s %s of the dynamic shared memory of %zu bytes", what, where, dynamic.bytes);
		}
		if (launch && cur >= 0 && a < fibers[cur].stack && a >= fibers[cur].stack - PAGE)
			emu_fault("the stack of %u bytes is full", STACK_BYTES);
	}
	if (launch && cur >= 0)
		emu_fault(si->si_code == SI_KERNEL || sig == SIGBUS ? "misaligned access, or a wild pointer"
								    : "%s at %p, which is in no allocation",
			  what, (const void *)a);
	signal(sig, SIG_DFL); /* not ours: the instruction runs again and ends the process */
}

void emu_handlers(void)
{
	static __thread bool done;
	if (done)
		return;
	done = true;
	stack_t ss = {};
	ss.ss_size = 64 << 10;
	ss.ss_sp = mmap(nullptr, ss.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaltstack(&ss, nullptr);
	struct sigaction sa = {};
	sa.sa_sigaction = on_fault;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigaction(SIGSEGV, &sa, nullptr);
	sigaction(SIGBUS, &sa, nullptr);
	pthread_attr_t a;
	if (pthread_getattr_np(pthread_self(), &a) == 0) {
		void *p;
		size_t size;
		pthread_attr_getstack(&a, &p, &size);
		host.stack = (char *)p;
		host.v = size;
		pthread_attr_destroy(&a);
	}
}

const char *emu_expect_fault(void (*fn)(void *ctx), void *ctx)
{
	sigjmp_buf here, *outer = expecting;
	emu_handlers();
	int how = sigsetjmp(here, 1);
	if (!how) {
		expecting = &here;
		fn(ctx);
	}
#ifdef EMU_ASAN
	if (how == 2)
		__sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
	expecting = outer;
	return how ? report : nullptr;
}

/* ---- whose turn it is ---- */

static void jump(struct fiber *from, struct fiber *to, bool last)
{
	switches++;
	if (to != &host) {
		cur = (int)(to - fibers);
		threadIdx = to->tid;
	} else
		cur = -1;
	(void)last;
#ifdef EMU_ASAN
	__sanitizer_start_switch_fiber(last ? nullptr : &from->fake, to->stack, to == &host ? (size_t)host.v : STACK_BYTES);
#endif
	emu_context_switch(&from->context, &to->context);
#ifdef EMU_ASAN
	__sanitizer_finish_switch_fiber(from->fake, nullptr, nullptr);
#endif
}

static uint64_t draw(uint64_t below)
{
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return (rng * 0x2545f4914f6cdd1dull >> 32) * below >> 32;
}

static void mix(int *p, int count)
{
	for (int i = count - 1; i > 0; i--) {
		int j = (int)draw((uint64_t)i + 1), t = p[i];
		p[i] = p[j];
		p[j] = t;
	}
}

/* A random order of the warps, of the threads in each, and whether warps keep step. */
static void shuffle(void)
{
	int warps[MAX_THREADS / 32], count = (n + 31) / 32, k = 0;
	for (int i = 0; i < count; i++)
		warps[i] = 32 * i;
	mix(warps, count);
	for (int i = 0; i < count; i++) {
		int from = k;
		for (int t = warps[i]; t < n && t < warps[i] + 32; t++)
			perm[k++] = t;
		mix(perm + from, k - from);
	}
	ahead = draw(2);
}

static const char *op_name(enum emu_op op)
{
	static const char *const names[EMU_OPS] = { "__syncthreads", "__syncthreads_count", "__syncthreads_and", "__syncthreads_or",
		"__syncwarp", "__shfl_sync", "__shfl_up_sync", "__shfl_down_sync", "__shfl_xor_sync", "__ballot_sync", "__any_sync",
		"__all_sync", "__reduce_add_sync", "__reduce_min_sync", "__reduce_max_sync", "__reduce_min_sync", "__reduce_max_sync",
		"__reduce_and_sync", "__reduce_or_sync", "__reduce_xor_sync" };
	return names[op];
}

/* "thread (3,0,0) is at __syncthreads (x.cu:12)" */
static const char *whereabouts(char *to, size_t size, const struct fiber *f)
{
	char t[48];
	at(t, sizeof t, f->tid);
	if (f->state == DONE)
		snprintf(to, size, "thread %s has returned", t);
	else if (f->state == AT_WARP)
		snprintf(to, size, "thread %s is at %s with mask %08x (%s:%d)", t, op_name(f->op), f->mask, f->file, f->line);
	else
		snprintf(to, size, "thread %s is at %s (%s:%d)", t, op_name(f->op), f->file, f->line);
	return to;
}

static void complain(const struct fiber *f, const struct fiber *g)
{
	char a[256], b[256];
	cur = (int)(f - fibers);
	emu_fault("%s: %s, %s",
		  f->state == AT_WARP ? "a warp operation that not all lanes of its mask reach" : "a barrier that not all threads reach",
		  whereabouts(a, sizeof a, f), whereabouts(b, sizeof b, g));
}

static bool same_place(const struct fiber *f, const struct fiber *g)
{
	return f->state == g->state && f->op == g->op && f->line == g->line && (f->file == g->file || !strcmp(f->file, g->file));
}

/* Nobody can run. */
static void stuck(void)
{
	for (int i = 0; i < n; i++) {
		const struct fiber *f = &fibers[i];
		for (int l = 0, w = i & ~31; f->state == AT_WARP && l < 32; l++)
			if (f->mask >> l & 1 && (!same_place(f, &fibers[w + l]) || fibers[w + l].mask != f->mask))
				complain(f, &fibers[w + l]);
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; fibers[i].state == AT_BARRIER && j < n; j++)
			if (fibers[j].state != AT_BARRIER)
				complain(&fibers[i], &fibers[j]);
	emu_fault("no thread can run");
}

static void release_barrier(void)
{
	uint64_t count = 0, r;
	for (int i = 0; i < n; i++) {
		if (!same_place(&fibers[0], &fibers[i]))
			complain(&fibers[0], &fibers[i]);
		count += fibers[i].v;
	}
	enum emu_op op = fibers[0].op;
	r = op == EMU_SYNC_AND ? count == (uint64_t)n : op == EMU_SYNC_OR ? count != 0 : count;
	for (int i = 0; i < n; i++) {
		fibers[i].v = r;
		fibers[i].state = RUN;
	}
	at_barrier = 0;
	if (order == EMU_RANDOM)
		shuffle();
	pos = n - 1;
}

/* The next thread that can run. */
static struct fiber *turn(void)
{
	for (int i = 0; i < n; i++) {
		pos = pos + 1 < n ? pos + 1 : 0;
		if (fibers[perm[pos]].state == RUN)
			return &fibers[perm[pos]];
	}
	stuck();
	return nullptr;
}

static void wait_turn(struct fiber *me)
{
	struct fiber *next = turn();
	if (next != me)
		jump(me, next, false);
}

static struct fiber *self(enum emu_op op)
{
	if (!launch || cur < 0)
		emu_fault("%s outside a kernel", op_name(op));
	return &fibers[cur];
}

int emu_barrier(enum emu_op op, int pred, const char *file, int line)
{
	struct fiber *f = self(op);
	f->state = AT_BARRIER;
	f->op = op;
	f->file = file;
	f->line = line;
	f->v = pred != 0;
	if (++at_barrier == n)
		release_barrier();
	wait_turn(f);
	return (int)f->v;
}

/* ---- warps ---- */

/* The lane that `lane` reads from, as PTX's shfl.sync has it. */
static unsigned source(const struct fiber *f, unsigned lane)
{
	unsigned segment = ~((unsigned)f->width - 1) & 31, first = lane & segment, last = first | (31 & ~segment);
	switch (f->op) {
	case EMU_SHFL:
		return first | (f->arg & ~segment & 31);
	case EMU_SHFL_UP:
		return f->arg > lane - first ? lane : lane - f->arg;
	case EMU_SHFL_DOWN:
		return f->arg > last - lane ? lane : lane + f->arg;
	default:
		return ((lane ^ f->arg) & 31) > last ? lane : (lane ^ f->arg) & 31;
	}
}

static uint32_t reduce(enum emu_op op, uint32_t a, uint32_t b)
{
	switch (op) {
	case EMU_RADD:
		return a + b;
	case EMU_RMIN:
		return a < b ? a : b;
	case EMU_RMAX:
		return a > b ? a : b;
	case EMU_RIMIN:
		return (int32_t)a < (int32_t)b ? a : b;
	case EMU_RIMAX:
		return (int32_t)a > (int32_t)b ? a : b;
	case EMU_RAND:
	case EMU_ALL:
		return a & b;
	case EMU_RXOR:
		return a ^ b;
	default:
		return a | b;
	}
}

/* All lanes of the mask are there: gives each its result and lets it run. */
static void release_warp(struct fiber *warp, const struct fiber *first)
{
	uint64_t v[32], all = 0;
	unsigned mask = first->mask;
	enum emu_op op = first->op;
	bool any = false;
	for (unsigned l = 0; l < 32; l++) {
		if (!(mask >> l & 1))
			continue;
		v[l] = op == EMU_BALLOT ? warp[l].v << l : warp[l].v;
		all = any ? reduce(op, (uint32_t)all, (uint32_t)v[l]) : v[l];
		any = true;
	}
	for (unsigned l = 0; l < 32; l++) {
		if (!(mask >> l & 1))
			continue;
		if (op >= EMU_SHFL && op <= EMU_SHFL_XOR) {
			unsigned s = source(&warp[l], l);
			if (!(mask >> s & 1)) {
				cur = (int)(&warp[l] - fibers);
				emu_fault("%s from lane %u, which mask %08x leaves out (%s:%d)", op_name(op), s, mask, warp[l].file,
					  warp[l].line);
			}
			warp[l].v = v[s];
		} else
			warp[l].v = all;
		warp[l].state = RUN;
	}
	arrived[(warp - fibers) / 32] &= ~mask;
	if (!ahead)
		return;
	while (pos >= 0 && &fibers[perm[pos] & ~31] == warp)
		pos--; /* the warp's first thread is next */
}

uint64_t emu_warp(enum emu_op op, unsigned mask, uint64_t v, unsigned arg, int width, const char *file, int line)
{
	struct fiber *f = self(op), *warp = &fibers[cur & ~31];
	unsigned lane = (unsigned)cur & 31, *here = &arrived[cur / 32];
	unsigned there = n - (cur & ~31) >= 32 ? ~0u : (1u << (n - (cur & ~31))) - 1;
	if (!(mask >> lane & 1))
		emu_fault("%s with mask %08x by lane %u, which it leaves out (%s:%d)", op_name(op), mask, lane, file, line);
	if (mask & ~there)
		emu_fault("%s with mask %08x names lanes that the block of %d threads does not have (%s:%d)", op_name(op), mask, n,
			  file, line);
	if (width < 1 || width > 32 || (width & (width - 1)))
		emu_fault("%s with width %d (%s:%d)", op_name(op), width, file, line);
	f->state = AT_WARP;
	f->op = op;
	f->file = file;
	f->line = line;
	f->mask = mask;
	f->arg = arg;
	f->width = width;
	f->v = v;
	*here |= 1u << lane;
	bool all = (*here & mask) == mask;
	for (unsigned l = 0; all && l < 32; l++)
		if (mask >> l & 1)
			all = warp[l].mask == mask && same_place(f, &warp[l]);
	if (all)
		release_warp(warp, f);
	wait_turn(f);
	return f->v;
}

/* ---- shared memory ---- */

uint32_t emu_poison(void)
{
	static const uint32_t nan[EMU_ORDERS] = { 0xffffffffu, 0x7fff7fffu, 0xffc1ffc1u };
	return nan[order];
}

static void fill(char *from, char *end)
{
	uint32_t u = emu_poison();
	for (char *p = from; p < end; p++)
		*p = (char)(u >> 8 * ((uintptr_t)p & 3));
}

static void region_make(struct region *r, size_t capacity)
{
	size_t pages = (capacity + FRONT + PAGE - 1) / PAGE * PAGE;
	r->len = pages + 2 * EMU_GUARD;
	r->map = (char *)emu_reserve(r->len, pages);
}

/* Places `bytes` at the end of the region, poisons them and what surrounds them. */
static void region_fill(struct region *r, size_t bytes)
{
	char *end = r->map + r->len - EMU_GUARD;
	r->bytes = bytes;
	r->p = end - (bytes + 15) / 16 * 16;
	fill(r->p - FRONT, end);
}

static void region_check(const struct region *r)
{
	const char *end = r->map + r->len - EMU_GUARD;
	uint32_t u = emu_poison();
	for (const char *p = r->p - FRONT; p < end; p++) {
		if (p == r->p)
			p += r->bytes;
		if (p < end && *p != (char)(u >> 8 * ((uintptr_t)p & 3)))
			emu_fault("a write just %s shared array %s of %zu bytes", p < r->p ? "before" : "behind", r->name, r->bytes);
	}
}

void *emu_shared(struct emu_site *s, size_t bytes, const char *file, int line)
{
	size_t i = 0;
	if (!launch || cur < 0)
		emu_fault("CU_SHARED %s outside a kernel (%s:%d)", s->name, file, line);
	while (i < regions.size() && regions[i].site != s)
		i++;
	if (i == regions.size()) {
		struct region r = {};
		r.site = s;
		r.name = s->name;
		region_make(&r, bytes);
		regions.push_back(r);
	}
	static_bytes += (bytes + 15) / 16 * 16;
	if (static_bytes > MAX_STATIC || static_bytes + launch->shared > MAX_SHARED)
		emu_fault("%zu bytes of static and %zu of dynamic shared memory (%s:%d)", static_bytes, launch->shared, file, line);
	region_fill(&regions[i], bytes);
	used.push_back(i);
	s->block = emu_block;
	return s->p = regions[i].p;
}

void *emu_dynamic(void)
{
	if (!launch || cur < 0 || !launch->shared)
		emu_fault("CU_SHARED_DYNAMIC without dynamic shared memory in the launch");
	return dynamic.p;
}

/* ---- blocks and launches ---- */

static void entry(void)
{
#ifdef EMU_ASAN
	__sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
	launch->run(launch->args);
	struct fiber *f = &fibers[cur];
	f->state = DONE;
	jump(f, --live ? turn() : &host, true);
}

static void prepare(void)
{
	if (!stacks) {
		size_t len = (size_t)MAX_THREADS * (STACK_BYTES + PAGE);
		char *p = (char *)mmap(nullptr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			emu_fault("no memory for stacks");
		fibers[0].stack = p + PAGE;
	}
	for (; stacks < n; stacks++) {
		fibers[stacks].stack = fibers[0].stack + (size_t)stacks * (STACK_BYTES + PAGE);
		if (mprotect(fibers[stacks].stack, STACK_BYTES, PROT_READ | PROT_WRITE) != 0)
			emu_fault("no memory for stacks");
	}
}

static void run_block(void)
{
	emu_block++;
	used.clear();
	static_bytes = 0;
	at_barrier = 0;
	live = n;
	memset(arrived, 0, sizeof arrived);
	if (launch->shared)
		region_fill(&dynamic, launch->shared);
	for (int i = 0; i < n; i++) {
		struct fiber *f = &fibers[i];
		unsigned u = (unsigned)i;
		f->tid = { u % blockDim.x, u / blockDim.x % blockDim.y, u / blockDim.x / blockDim.y };
		f->state = RUN;
		perm[i] = order == EMU_BACKWARD ? n - 1 - i : i;
#ifdef EMU_ASAN
		f->fake = nullptr;
		__asan_unpoison_memory_region(f->stack, STACK_BYTES);
#endif
		emu_context_make(&f->context, f->stack, f->stack + STACK_BYTES - (u % 29) * 128, entry);
	}
	ahead = order == EMU_BACKWARD;
	if (order == EMU_RANDOM)
		shuffle();
	pos = n - 1;
	jump(&host, turn(), false);
	for (size_t i : used)
		region_check(&regions[i]);
	if (launch->shared)
		region_check(&dynamic);
}

static void check_launch(const struct emu_launch *l, uint64_t threads)
{
	const dim3 &g = l->grid, &b = l->block;
	if (!g.x || !g.y || !g.z || g.x > 0x7fffffffu || g.y > 65535 || g.z > 65535)
		emu_fault("a grid of %u x %u x %u", g.x, g.y, g.z);
	if (!threads || threads > MAX_THREADS || b.z > 64)
		emu_fault("a block of %u x %u x %u: at most %d threads", b.x, b.y, b.z, MAX_THREADS);
	if (l->shared > MAX_SHARED)
		emu_fault("%zu bytes of dynamic shared memory: at most %u", l->shared, MAX_SHARED);
	size_t allowed = emu_dynamic_limit(l->kernel);
	if (l->shared > allowed)
		emu_fault("%zu bytes of dynamic shared memory: cudaFuncSetAttribute allows %zu", l->shared, allowed);
}

static struct tally *tally_of(const char *name)
{
	for (struct tally &t : tallies)
		if (!strcmp(t.name, name))
			return &t;
	tallies.push_back({ name, 0, 0, 0, 0 });
	return &tallies.back();
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void emu_run(const struct emu_launch *l)
{
	if (launch)
		emu_fault("a launch of %s inside a kernel", l->name);
	if (emu_failing("launch") || emu_losing())
		return;
	emu_handlers();
	double start = now();
	blockIdx = { 0, 0, 0 };
	launch = l;
	cur = -1;
	uint64_t threads = (uint64_t)l->block.x * l->block.y * l->block.z;
	check_launch(l, threads);
	if (l->shared && !dynamic.map) {
		dynamic.name = "(dynamic)";
		region_make(&dynamic, MAX_SHARED);
	}
	n = (int)threads;
	prepare();
	blockDim = l->block;
	gridDim = l->grid;
	launches++;
	rng = (emu_seed_now() + launches) * 0x9e3779b97f4a7c15ull | 1;
	uint64_t blocks = (uint64_t)l->grid.x * l->grid.y * l->grid.z;
	static std::vector<uint32_t> which; /* static: a fault leaves without unwinding */
	which.resize(blocks);
	for (uint64_t i = 0; i < blocks; i++) { /* inside out: a random order of the blocks */
		uint64_t j = draw(i + 1);
		which[i] = which[j];
		which[j] = (uint32_t)i;
	}
	for (uint32_t b : which) {
		blockIdx = { b % gridDim.x, b / gridDim.x % gridDim.y, b / gridDim.x / gridDim.y };
		run_block();
	}
	emu_check_canaries();
	launch = nullptr;
	struct tally *t = tally_of(l->name);
	t->launches++;
	t->blocks += blocks;
	t->threads += blocks * threads;
	t->seconds += now() - start;
}

/* ---- for tests ---- */

void emu_order(enum emu_order o)
{
	order = o;
}

const char *emu_order_name(enum emu_order o)
{
	static const char *const names[EMU_ORDERS] = { "forward", "backward", "random" };
	return names[o];
}

void emu_seed(uint64_t s)
{
	seed = s;
	seeded = true;
}

uint64_t emu_seed_now(void)
{
	const char *s = seeded ? nullptr : getenv("ASSAY_SEED");
	if (s)
		seed = strtoull(s, nullptr, 0);
	seeded = true;
	return seed;
}

unsigned long emu_launches(void)
{
	return launches;
}

unsigned long emu_switches(void)
{
	return switches;
}

double emu_seconds(void)
{
	double s = 0;
	for (const struct tally &t : tallies)
		s += t.seconds;
	return s;
}

void emu_summary(FILE *f)
{
	for (const struct tally &t : tallies)
		fprintf(f, "%-32s %8lu launches %10lu blocks %12lu threads %9.3f s\n", t.name, t.launches, t.blocks, t.threads, t.seconds);
}
