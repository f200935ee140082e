/* pyrandom.c - random.Random of CPython 3, bit for bit.
 *
 * MT19937 (Matsumoto and Nishimura, ACM TOMACS 8(1), 1998) seeded by init_by_array over the seed's 32-bit words; random()
 * from 53 bits; integers below n from bit_length(n) bits with rejection; sample() by a shrinking pool or by a set of what
 * was taken, as CPython chooses (setsize 21, plus 4^ceil(log4(3k)) from k = 6 up).
 */
#include "harness/pyrandom.h"

#include <stdbool.h>
#include <stdlib.h>

#include "kernels/base/arena.h"

enum { N = 624, M = 397 };

static void seed_word(struct pyrandom *r, uint32_t s)
{
	r->state[0] = s;
	for (int i = 1; i < N; i++)
		r->state[i] = 1812433253u * (r->state[i - 1] ^ (r->state[i - 1] >> 30)) + (uint32_t)i;
	r->index = N;
}

void pyrandom_seed(struct pyrandom *r, uint64_t seed)
{
	uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
	int nkey = key[1] ? 2 : 1, i = 1, j = 0;
	uint32_t *s = r->state;
	seed_word(r, 19650218u);
	for (int k = N; k; k--) {
		s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1664525u)) + key[j] + (uint32_t)j;
		if (++i >= N) {
			s[0] = s[N - 1];
			i = 1;
		}
		if (++j >= nkey)
			j = 0;
	}
	for (int k = N - 1; k; k--) {
		s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1566083941u)) - (uint32_t)i;
		if (++i >= N) {
			s[0] = s[N - 1];
			i = 1;
		}
	}
	s[0] = 0x80000000u;
}

static void refill(struct pyrandom *r)
{
	uint32_t *s = r->state;
	for (int i = 0; i < N; i++) {
		uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % N] & 0x7fffffffu);
		s[i] = s[(i + M) % N] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
	}
	r->index = 0;
}

static uint32_t next_word(struct pyrandom *r)
{
	if (r->index >= N)
		refill(r);
	uint32_t y = r->state[r->index++];
	y ^= y >> 11;
	y ^= (y << 7) & 0x9d2c5680u;
	y ^= (y << 15) & 0xefc60000u;
	return y ^ (y >> 18);
}

double pyrandom_random(struct pyrandom *r)
{
	uint32_t a = next_word(r) >> 5, b = next_word(r) >> 6;
	return (a * 67108864.0 + b) * (1.0 / 9007199254740992.0);
}

static uint64_t bits(struct pyrandom *r, int k)
{
	if (k <= 0)
		return 0;
	if (k <= 32)
		return next_word(r) >> (32 - k);
	uint64_t low = next_word(r);
	return low | (uint64_t)(next_word(r) >> (64 - k)) << 32;
}

uint64_t pyrandom_below(struct pyrandom *r, uint64_t n)
{
	if (n == 0)
		return 0;
	int k = 64 - __builtin_clzll(n);
	uint64_t x = bits(r, k);
	while (x >= n)
		x = bits(r, k);
	return x;
}

static void sample_from_pool(struct pyrandom *r, size_t n, size_t k, size_t *out)
{
	size_t *pool = xcalloc(n ? n : 1, sizeof *pool);
	for (size_t i = 0; i < n; i++)
		pool[i] = i;
	for (size_t i = 0; i < k; i++) {
		size_t j = pyrandom_below(r, n - i);
		out[i] = pool[j];
		pool[j] = pool[n - i - 1];
	}
	free(pool);
}

/* Is x taken? If not, takes it. A small open-addressing table of x + 1; size is a power of two. */
static bool take(size_t *table, size_t size, size_t x)
{
	for (size_t h = x * 0x9e3779b97f4a7c15ull >> 20;; h++) {
		size_t *slot = &table[h & (size - 1)];
		if (*slot == x + 1)
			return false;
		if (*slot == 0) {
			*slot = x + 1;
			return true;
		}
	}
}

void pyrandom_sample(struct pyrandom *r, size_t n, size_t k, size_t *out)
{
	size_t setsize = 21, power = 1, size = 16;
	if (k > 5) {
		while (power < 3 * k)
			power *= 4;
		setsize += power;
	}
	if (n <= setsize) {
		sample_from_pool(r, n, k, out);
		return;
	}
	while (size < 2 * k)
		size *= 2;
	size_t *table = xcalloc(size, sizeof *table);
	for (size_t i = 0; i < k; i++) {
		do
			out[i] = pyrandom_below(r, n);
		while (!take(table, size, out[i]));
	}
	free(table);
}

void pyrandom_choices(struct pyrandom *r, size_t n, size_t k, size_t *out)
{
	for (size_t i = 0; i < k; i++)
		out[i] = (size_t)(pyrandom_random(r) * (double)n);
}

void pyrandom_shuffle(struct pyrandom *r, size_t *v, size_t n)
{
	for (size_t i = n; i-- > 1;) {
		size_t j = pyrandom_below(r, i + 1), x = v[i];
		v[i] = v[j];
		v[j] = x;
	}
}
