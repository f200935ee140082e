/* tok_chars.c - characters of byte-level BPE: which may begin as one symbol, and which borders no merge crosses.
 *
 * Byte-level BPE begins with bytes, so a Chinese word of ten characters begins with thirty symbols. Two facts, worked out
 * from the merges when a tokenizer is opened, spare most of that and change no id. Text is valid UTF-8 here; a merge (L, R)
 * crosses the border of two characters c|d when L ends where c ends and R begins where d begins.
 *
 *  - If no merge has an L that ends in c (or in a part of it) and an R that begins with d (or a part of it), nothing ever
 *    crosses c|d: the text may be cut there. Whole characters are kept as a set of hashed pairs (edge: a false "may join"
 *    only costs time); parts of characters, which are rare, as flags of c and d (tail, head).
 *  - If no part of c can be taken across either of its borders, its bytes merge among themselves as they would alone. When
 *    they end as one token, and the last of these merges (the greatest rank among them) ranks before every merge that uses
 *    this token, then by the time a merge could want the token it is there: merges elsewhere of smaller rank have happened
 *    either way, merges of larger rank have not. So c may begin as that token.
 *
 * Where a condition fails the character is spelled in bytes, or the border is kept.
 */
#include <stdlib.h>

#include "runners/text/utf8.h"
#include "runners/tok_int.h"

enum { WHOLE_PART = 1, PART_WHOLE = 2, PART_PART = 4 };

/* Bytes of the character that begins with b; 0 for a continuation byte. */
static size_t length_of(unsigned char b)
{
	return b < 0x80 ? 1 : b < 0xc0 ? 0 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* How a side of a merge meets a border: not at all, with a whole character, or with some bytes of one. */
enum meets { NOT, WITH_WHOLE, WITH_PART };

static enum meets tail_of(struct str s, uint32_t *cp)
{
	size_t i = s.n;
	while (i > 0 && continues(s.p[i - 1]))
		i--;
	if (i == 0)
		return s.n < 4 ? WITH_PART : NOT;
	i--;
	if (length_of((unsigned char)s.p[i]) != s.n - i)
		return NOT;
	*cp = utf8_next(s, &i);
	return WITH_WHOLE;
}

static enum meets head_of(struct str s, uint32_t *cp)
{
	size_t want = length_of((unsigned char)s.p[0]), have = 1, i = 0;
	while (have < s.n && have < want && continues(s.p[have]))
		have++;
	if (want && have == want) {
		*cp = utf8_next(s, &i);
		return WITH_WHOLE;
	}
	return want && have == s.n ? WITH_PART : NOT;
}

/* All characters that begin, or end, with the bytes s. Of three bytes two are looked at: more characters are flagged. */
static void flag_head(struct chars *c, struct str s, unsigned char flag)
{
	unsigned char a = (unsigned char)s.p[0];
	if (s.n == 1)
		c->head1[a] |= flag;
	else
		c->head2[a & 63][s.p[1] & 63] |= flag;
}

static void flag_tail(struct chars *c, struct str s, unsigned char flag)
{
	if (s.n == 1)
		c->tail1[s.p[0] & 63] |= flag;
	else
		c->tail2[s.p[s.n - 2] & 63][s.p[s.n - 1] & 63] |= flag;
}

struct charinfo chars_other(const struct chars *c, const char *p, size_t n)
{
	if (n == 1) /* no character begins or ends with a part of itself that is all of it */
		return (struct charinfo){ -1, 0, 0 };
	unsigned char tail = c->tail1[p[n - 1] & 63], head = c->head1[(unsigned char)p[0]];
	head |= c->head2[p[0] & 63][p[1] & 63];
	if (n > 2)
		tail |= c->tail2[p[n - 2] & 63][p[n - 1] & 63];
	return (struct charinfo){ -1, tail, head };
}

static struct charinfo *page_of(struct tokenizer *t, uint32_t cp)
{
	struct charinfo **page = &t->bpe.chars->page[cp >> 8];
	if (!*page) {
		*page = ARENA_ARRAY(&t->a, 256, struct charinfo);
		for (int i = 0; i < 256; i++)
			(*page)[i].id = -1;
	}
	return &(*page)[cp & 255];
}

/* The bytes of s merged with nothing around them: the token they become, and the greatest rank on the way; -1: several. */
static int32_t alone(const struct bpe *b, struct str s, uint32_t *rank)
{
	int32_t id[4];
	size_t n = s.n;
	for (size_t i = 0; i < n; i++)
		id[i] = b->byte_id[(unsigned char)s.p[i]];
	*rank = 0;
	while (n > 1) {
		const struct merge *best = NULL;
		size_t at = 0;
		for (size_t i = 0; i + 1 < n; i++) {
			const struct merge *m = pair_find(b, id[i], id[i + 1]);
			if (m && (!best || m->rank < best->rank)) {
				best = m;
				at = i;
			}
		}
		if (!best)
			return -1;
		*rank = best->rank > *rank ? best->rank : *rank;
		id[at] = best->id;
		n--;
		for (size_t i = at + 1; i < n; i++)
			id[i] = id[i + 1];
	}
	return id[0];
}

enum { MEETS = 24, CHARACTER = (1 << MEETS) - 1 }; /* struct ends: a character, and how it is met above */

static struct ends *find_ends(const struct bpe *b)
{
	struct ends *ends = xmalloc(b->v->ntok * sizeof *ends);
	for (uint32_t id = 0; id < b->v->ntok; id++) {
		struct str s = b->raw[id];
		uint32_t head = 0, tail = 0;
		ends[id] = (struct ends){ 0, 0 }; /* NOT */
		if (!s.n)
			continue;
		ends[id].head = (uint32_t)head_of(s, &head) << MEETS;
		ends[id].tail = (uint32_t)tail_of(s, &tail) << MEETS;
		ends[id].head |= head;
		ends[id].tail |= tail;
	}
	return ends;
}

static void flag_borders(struct tokenizer *t)
{
	struct bpe *b = &t->bpe;
	struct chars *c = b->chars;
	struct ends *ends = find_ends(b);
	for (size_t i = 0; i <= b->merge_mask; i++) {
		uint64_t key = b->merge[i].key;
		if (key == UINT64_MAX)
			continue;
		uint32_t lc = ends[key >> 32].tail & CHARACTER, rc = ends[(uint32_t)key].head & CHARACTER;
		enum meets tail = ends[key >> 32].tail >> MEETS, head = ends[(uint32_t)key].head >> MEETS;
		if (tail == NOT || head == NOT)
			continue;
		if (tail == WITH_WHOLE && head == WITH_WHOLE) {
			edge_put(b, lc, rc);
			continue;
		}
		struct str l = b->raw[key >> 32], r = b->raw[(uint32_t)key];
		unsigned char flag = tail == WITH_WHOLE ? WHOLE_PART : head == WITH_WHOLE ? PART_WHOLE : PART_PART;
		if (tail == WITH_WHOLE)
			page_of(t, lc)->tail |= flag;
		else
			flag_tail(c, l, flag);
		if (head == WITH_WHOLE)
			page_of(t, rc)->head |= flag;
		else
			flag_head(c, r, flag);
	}
	free(ends);
}

/* The flags of parts, put into the pages, so that a look at one place tells all. */
static void bake(struct chars *c)
{
	for (uint32_t k = 0; k < 0x110000 >> 8; k++)
		for (uint32_t i = 0; c->page[k] && i < 256; i++) {
			char s[4];
			size_t n = utf8_put(k << 8 | i, s);
			struct charinfo in = chars_other(c, s, n);
			c->page[k][i].tail |= in.tail;
			c->page[k][i].head |= in.head;
		}
}

void chars_prepare(struct tokenizer *t)
{
	struct bpe *b = &t->bpe;
	uint32_t *used = xmalloc(b->v->ntok * sizeof *used); /* the first merge that uses a token */
	b->chars = ARENA_NEW(&t->a, struct chars);
	edge_init(t, b->merge_mask / 2);
	memset(used, 0xff, b->v->ntok * sizeof *used);
	for (size_t i = 0; i <= b->merge_mask; i++) {
		const struct merge *m = &b->merge[i];
		if (m->key == UINT64_MAX)
			continue;
		uint32_t l = (uint32_t)(m->key >> 32), r = (uint32_t)m->key;
		used[l] = m->rank < used[l] ? m->rank : used[l];
		used[r] = m->rank < used[r] ? m->rank : used[r];
	}
	for (uint32_t i = 0; i < 128; i++)
		page_of(t, i)->id = b->byte_id[i];
	for (uint32_t k = 0; k < b->v->ntok; k++) {
		struct str s = b->raw[k];
		uint32_t cp, rank;
		if (s.n < 2 || s.n > 4 || length_of((unsigned char)s.p[0]) != s.n || tail_of(s, &cp) != WITH_WHOLE)
			continue;
		int32_t id = alone(b, s, &rank);
		if (id >= 0 && rank < used[id])
			page_of(t, cp)->id = id;
	}
	free(used);
	flag_borders(t);
	bake(b->chars);
}
