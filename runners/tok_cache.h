/* tok_cache.h - words whose tokens are known: a small table beside a tokenizer that all its threads share.
 *
 * Text repeats its words. A word of at most 15 bytes that gave at most three tokens is kept in one entry of 32 bytes: two
 * loads that together hold all its bytes (they overlap from 8 bytes on), its length, its ids, and a count of the times the
 * entry was written. A word may stand in two entries, both of one cache line; the one written less often gives way. So the
 * table never grows, and no id depends on what it holds.
 *
 * Threads share it without waiting (a sequence lock for each entry, Boehm 2012, "Can seqlocks get along with programming
 * language memory models?"): a writer marks an entry busy, which only one can do, writes it, and publishes it with the next
 * count; a reader takes what it read only if the count is the same before and after.
 */
#ifndef ASSAY_TOK_CACHE_H
#define ASSAY_TOK_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { CACHE_BITS = 14, CACHE_BYTES = 15, CACHE_IDS = 3, CACHE_BUSY = 31 }; /* 2 << CACHE_BITS entries: 1 MiB */

struct cached {
	_Atomic uint64_t a, b; /* the bytes of the word */
	_Atomic uint64_t what; /* bits 0-4 length and kind (0: free), 5-7 ids, 8-31 the first of them, 32-63 the count */
	_Atomic uint64_t more; /* bits 0-23 the second, 24-47 the third */
};
struct cache {
	struct cached (*line)[2];
};
struct cache_key {
	uint64_t a, b, len;
	struct cached *line;
};

/* n from 1 to CACHE_BYTES; part: a part of a word, to which other rules may apply. */
static inline struct cache_key cache_key(const struct cache *c, const char *p, size_t n, bool part)
{
	struct cache_key k = { 0, 0, n + (part ? CACHE_BYTES : 0), NULL };
	if (n >= 8) {
		memcpy(&k.a, p, 8);
		memcpy(&k.b, p + n - 8, 8);
	} else if (n >= 4) {
		uint32_t x, y;
		memcpy(&x, p, 4);
		memcpy(&y, p + n - 4, 4);
		k.a = x | (uint64_t)y << 32;
	} else {
		k.a = (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8 |
		      (uint64_t)(unsigned char)p[n - 1] << 16;
	}
	uint64_t h = (k.a ^ k.len * 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull;
	h = ((h ^ h >> 32) + k.b) * 0xc4ceb9fe1a85ec53ull;
	h ^= h >> 32;
	k.line = c->line[h * 0x9e3779b97f4a7c15ull >> (64 - CACHE_BITS)];
	return k;
}

/* The ids of a word: how many; 0: not known. */
static inline int cache_get(const struct cache_key *k, int32_t id[CACHE_IDS])
{
	for (int i = 0; i < 2; i++) {
		struct cached *w = &k->line[i];
		uint64_t what = atomic_load_explicit(&w->what, memory_order_acquire);
		uint64_t more = atomic_load_explicit(&w->more, memory_order_relaxed);
		if ((what & 31) != k->len || atomic_load_explicit(&w->a, memory_order_relaxed) != k->a ||
		    atomic_load_explicit(&w->b, memory_order_relaxed) != k->b)
			continue;
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&w->what, memory_order_relaxed) != what)
			continue;
		id[0] = (int32_t)(what >> 8 & 0xffffff);
		id[1] = (int32_t)(more & 0xffffff);
		id[2] = (int32_t)(more >> 24 & 0xffffff);
		return (int)(what >> 5 & 7);
	}
	return 0;
}

static inline void cache_put(const struct cache_key *k, const int32_t *id, int n)
{
	uint64_t x = atomic_load_explicit(&k->line[0].what, memory_order_relaxed);
	uint64_t y = atomic_load_explicit(&k->line[1].what, memory_order_relaxed);
	struct cached *w = &k->line[y >> 32 < x >> 32];
	uint64_t old = y >> 32 < x >> 32 ? y : x, v[CACHE_IDS] = { 0 };
	if ((old & 31) == CACHE_BUSY ||
	    !atomic_compare_exchange_strong_explicit(&w->what, &old, (old & ~(uint64_t)31) | CACHE_BUSY,
						     memory_order_acquire, memory_order_relaxed))
		return; /* somebody else writes there: next time */
	atomic_thread_fence(memory_order_release);
	for (int j = 0; j < n; j++)
		v[j] = (uint64_t)(uint32_t)id[j];
	atomic_store_explicit(&w->a, k->a, memory_order_relaxed);
	atomic_store_explicit(&w->b, k->b, memory_order_relaxed);
	atomic_store_explicit(&w->more, v[1] | v[2] << 24, memory_order_relaxed);
	atomic_store_explicit(&w->what, k->len | (uint64_t)n << 5 | v[0] << 8 | ((old >> 32) + 1) << 32,
			      memory_order_release);
}

#endif
