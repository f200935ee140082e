/* tok_pieces.c - a trie of the vocabulary's tokens: which of them begin at a place of the text?
 *
 * A double array (Aoe 1989): the child of cell c for a byte is cell base(c) ^ byte, if that one names c as its parent. One look
 * at memory for each byte. Tokens are sorted first, so that the children of a cell are known together; a base for them is
 * sought in the last blocks of 256 cells only, which keeps building near linear.
 *
 * Refuses: vocabularies that need more than 2^26 cells.
 */
#include <stdlib.h>

#include "runners/tok_int.h"

struct key {
	struct str s;
	int32_t id;
};
struct range { /* keys that share their first `depth` bytes, and the cell that stands for those */
	uint32_t lo, hi, depth, cell;
};
struct builder {
	struct key *key;
	struct cell *cell;
	uint32_t n, cap;       /* cells; n is a multiple of 256 */
	uint64_t (*free)[4];   /* by block of 256 cells: one bit each */
	uint32_t window;       /* blocks before are full enough */
	struct range *todo;
	size_t ntodo, captodo;
};
enum { WINDOW = 16, MAX_CELLS = 1 << 26 };

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int c = memcmp(x->s.p, y->s.p, x->s.n < y->s.n ? x->s.n : y->s.n);
	c = c ? c : (x->s.n > y->s.n) - (x->s.n < y->s.n);
	return c ? c : (x->id > y->id) - (x->id < y->id);
}

static void add_block(struct builder *b)
{
	if (b->n == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 1 << 12;
		b->cell = xrealloc(b->cell, b->cap * sizeof *b->cell);
		b->free = xrealloc(b->free, b->cap / 256 * sizeof *b->free);
	}
	for (uint32_t i = 0; i < 256; i++)
		b->cell[b->n + i] = (struct cell){ 0, 0, -1 };
	memset(b->free[b->n / 256], 0xff, sizeof *b->free);
	b->n += 256;
	if (b->n / 256 > b->window + WINDOW)
		b->window++;
}

static bool is_free(const struct builder *b, uint32_t c)
{
	return b->free[c >> 8][c >> 6 & 3] >> (c & 63) & 1;
}

/* A base whose cells for these bytes are free. */
static uint32_t find_base(struct builder *b, const unsigned char *byte, int n)
{
	for (uint32_t block = b->window;; block++) {
		if (block == b->n / 256)
			add_block(b);
		for (uint32_t w = 0; w < 4; w++)
			for (uint64_t m = b->free[block][w]; m; m &= m - 1) {
				uint32_t base = (block * 256 + w * 64 + (uint32_t)__builtin_ctzll(m)) ^ byte[0];
				int k = 1;
				while (k < n && is_free(b, base ^ byte[k]))
					k++;
				if (k == n)
					return base;
			}
	}
}

/* The children of one range of keys. */
static void branch(struct builder *b, struct range r)
{
	unsigned char byte[256];
	uint32_t from[257];
	int n = 0;
	while (r.lo < r.hi && b->key[r.lo].s.n == r.depth) /* of equal pieces the last one counts */
		b->cell[r.cell].id = b->key[r.lo++].id;
	if (r.lo == r.hi)
		return;
	for (uint32_t i = r.lo; i < r.hi; i++) {
		unsigned char c = (unsigned char)b->key[i].s.p[r.depth];
		if (!n || byte[n - 1] != c) {
			byte[n] = c;
			from[n++] = i;
		}
	}
	from[n] = r.hi;
	uint32_t base = find_base(b, byte, n);
	b->cell[r.cell].base = base;
	if (b->ntodo + (size_t)n > b->captodo) {
		b->captodo = 2 * b->captodo + 256;
		b->todo = xrealloc(b->todo, b->captodo * sizeof *b->todo);
	}
	for (int k = 0; k < n; k++) {
		uint32_t c = base ^ byte[k];
		b->cell[c].check = r.cell + 1;
		b->free[c >> 8][c >> 6 & 3] &= ~(1ull << (c & 63));
		b->todo[b->ntodo++] = (struct range){ from[k], from[k + 1], r.depth + 1, c };
	}
}

int pieces_build(struct tokenizer *t, struct pieces *out, struct err *e)
{
	const struct vocab *v = &t->voc;
	struct builder b = { .key = xmalloc((v->ntok + 1) * sizeof *b.key) };
	uint32_t n = 0;
	for (uint32_t i = 0; i < v->ntok; i++)
		if (v->tok[i].n)
			b.key[n++] = (struct key){ v->tok[i], (int32_t)i };
	qsort(b.key, n, sizeof *b.key, compare_keys);
	add_block(&b);
	b.free[0][0] &= ~1ull; /* the root */
	branch(&b, (struct range){ 0, n, 0, 0 });
	while (b.ntodo && b.n <= MAX_CELLS)
		branch(&b, b.todo[--b.ntodo]);
	int rc = b.ntodo ? err_set(e, E_LIMIT, "%s: the vocabulary's pieces are too many or too long", t->name) : 0;
	if (rc == 0) {
		out->cell = ARENA_ARRAY(&t->a, b.n, struct cell);
		memcpy(out->cell, b.cell, b.n * sizeof *b.cell);
	}
	free(b.key);
	free(b.cell);
	free(b.free);
	free(b.todo);
	return rc;
}
