/* arena.h - memory with four lifetimes, and the few allocation helpers.
 *
 * Lifetimes in this project: run (suite, names, schema), item (reset after each document or batch), model (one block,
 * views into it), session (scratch sized at open). An arena is one of the first two: allocate, never free, reset all.
 * Host memory that runs out ends the program with a sentence (it is a program); device memory returns an err.
 * Under AddressSanitizer the unused tail of every chunk is poisoned.
 *
 *     chunk:  [header][alloc][alloc]...[free tail]  ->  next chunk (twice as large, at most 8 MiB, or as large as asked)
 */
#ifndef ASSAY_ARENA_H
#define ASSAY_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "kernels/base/str.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *chunk; /* newest first */
	size_t used;               /* bytes handed out since init or reset */
};

void arena_init(struct arena *a);
void arena_fini(struct arena *a);
void arena_reset(struct arena *a); /* keeps the largest chunk */

/* arena_alloc: `size` zeroed bytes, 16-byte aligned; size 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t size);
/* arena_array: count*size with overflow checked (a program error: callers check sizes from files before). */
void *arena_array(struct arena *a, size_t count, size_t size);
void *arena_bytes(struct arena *a, size_t size);                  /* as arena_alloc, but not zeroed: for text */
struct str arena_str(struct arena *a, const char *p, size_t n);   /* copy, NUL put behind */
char *arena_cstr(struct arena *a, struct str s);                  /* copy as a C string */
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, n, type) ((type *)arena_array((a), (n), sizeof(type)))

/* Checked host allocation: never NULL. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);

/* A growing byte buffer over xmalloc: {0} is empty; .p is NUL-terminated once anything was added. */
struct buf {
	char *p;
	size_t n, cap;
};
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_fini(struct buf *b);

/* size_mul: 0 and *out = a*b, or -1 when it overflows. size_add likewise. */
int size_mul(size_t a, size_t b, size_t *out);
int size_add(size_t a, size_t b, size_t *out);

/* Allocation guard: between begin and end on this thread, xmalloc, arenas that grow and xrealloc abort in test builds
 * (when the environment has ASSAY_ALLOC_GUARD=1); a forward pass must not allocate. */
void guard_begin(const char *what);
void guard_end(void);

#endif
