/* arena.c - chunked arenas, checked host allocation, growing buffers, and the allocation guard. */
#include "kernels/base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define ALIGN 16
#define CHUNK_MIN ((size_t)16 << 10)
#define CHUNK_MAX ((size_t)8 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used; /* of the bytes behind this header */
};
#define HEADER ((sizeof(struct arena_chunk) + ALIGN - 1) / ALIGN * ALIGN)

static __thread const char *guarded; /* what must not allocate, or NULL */

static void out_of_memory(size_t size)
{
	fprintf(stderr, "assay: out of memory (%zu bytes asked for)\n", size);
	exit(1);
}

static void guard_check(size_t size)
{
	if (guarded && getenv("ASSAY_ALLOC_GUARD")) {
		fprintf(stderr, "assay: %zu bytes allocated inside %s\n", size, guarded);
		abort();
	}
}

void guard_begin(const char *what)
{
	guarded = what;
}

void guard_end(void)
{
	guarded = NULL;
}

int size_mul(size_t a, size_t b, size_t *out)
{
	return __builtin_mul_overflow(a, b, out) ? -1 : 0;
}

int size_add(size_t a, size_t b, size_t *out)
{
	return __builtin_add_overflow(a, b, out) ? -1 : 0;
}

void *xmalloc(size_t size)
{
	guard_check(size);
	void *p = malloc(size ? size : 1);
	if (!p)
		out_of_memory(size);
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	size_t bytes;
	if (size_mul(count, size, &bytes))
		out_of_memory(SIZE_MAX);
	guard_check(bytes);
	void *p = calloc(bytes ? bytes : 1, 1);
	if (!p)
		out_of_memory(bytes);
	return p;
}

void *xrealloc(void *old, size_t size)
{
	guard_check(size);
	void *p = realloc(old, size ? size : 1);
	if (!p)
		out_of_memory(size);
	return p;
}

char *xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	return memcpy(xmalloc(n), s, n);
}

void arena_init(struct arena *a)
{
	a->chunk = NULL;
	a->used = 0;
}

void arena_fini(struct arena *a)
{
	struct arena_chunk *c = a->chunk;
	while (c) {
		struct arena_chunk *next = c->next;
		ASAN_UNPOISON_MEMORY_REGION((char *)c + HEADER, c->size);
		free(c);
		c = next;
	}
	arena_init(a);
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *keep = a->chunk;
	for (struct arena_chunk *c = a->chunk; c; c = c->next)
		if (c->size > keep->size)
			keep = c;
	for (struct arena_chunk *c = a->chunk, *next; c; c = next) {
		next = c->next;
		if (c == keep)
			continue;
		ASAN_UNPOISON_MEMORY_REGION((char *)c + HEADER, c->size);
		free(c);
	}
	if (keep) {
		keep->next = NULL;
		ASAN_POISON_MEMORY_REGION((char *)keep + HEADER, keep->used); /* the rest still is */
		keep->used = 0;
	}
	a->chunk = keep;
	a->used = 0;
}

/* Large chunks in large pages, where the machine has them: a page fault for every 2 MiB instead of every 4 KiB. */
static void *chunk_bytes(size_t *bytes)
{
	if (*bytes < 2 * HUGE_PAGE)
		return xmalloc(*bytes);
	if (size_add(*bytes, HUGE_PAGE - 1, bytes))
		out_of_memory(SIZE_MAX);
	*bytes &= ~(HUGE_PAGE - 1);
	guard_check(*bytes);
	void *p = aligned_alloc(HUGE_PAGE, *bytes);
	if (!p)
		out_of_memory(*bytes);
#ifdef MADV_HUGEPAGE
	madvise(p, *bytes, MADV_HUGEPAGE); /* a wish: refusal costs speed only */
#endif
	return p;
}

static struct arena_chunk *chunk_new(struct arena *a, size_t need)
{
	size_t size = a->chunk ? 2 * a->chunk->size : CHUNK_MIN, bytes;
	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	if (size < need)
		size = need;
	if (size_add(size, HEADER, &bytes))
		out_of_memory(SIZE_MAX);
	struct arena_chunk *c = chunk_bytes(&bytes);
	c->size = bytes - HEADER;
	c->used = 0;
	c->next = a->chunk;
	a->chunk = c;
	ASAN_POISON_MEMORY_REGION((char *)c + HEADER, c->size);
	return c;
}

void *arena_bytes(struct arena *a, size_t size)
{
	size_t need;
	if (size_add(size, ALIGN - 1, &need))
		out_of_memory(size);
	need &= ~(size_t)(ALIGN - 1);
	struct arena_chunk *c = a->chunk;
	if (!c || c->size - c->used < need)
		c = chunk_new(a, need);
	char *p = (char *)c + HEADER + c->used;
	c->used += need;
	a->used += need;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *p = arena_bytes(a, size);
	if (size)
		memset(p, 0, size);
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t bytes;
	if (size_mul(count, size, &bytes))
		out_of_memory(SIZE_MAX);
	return arena_alloc(a, bytes);
}

struct str arena_str(struct arena *a, const char *p, size_t n)
{
	char *q = arena_bytes(a, n + 1);
	if (n)
		memcpy(q, p, n);
	q[n] = 0;
	return (struct str){ q, n };
}

char *arena_cstr(struct arena *a, struct str s)
{
	return (char *)arena_str(a, s.p, s.n).p;
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	char *p = arena_bytes(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return (struct str){ p, (size_t)n };
}

static void buf_room(struct buf *b, size_t more)
{
	size_t need;
	if (size_add(b->n, more, &need) || size_add(need, 1, &need))
		out_of_memory(SIZE_MAX);
	if (need <= b->cap)
		return;
	size_t cap = b->cap ? b->cap : 256;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	b->p = xrealloc(b->p, cap);
	b->cap = cap;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	buf_room(b, n);
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = 0;
}

void buf_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		buf_room(b, (size_t)n);
		vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}
