/* tok_bpe.c - byte pair encoding: a piece of text to ids.
 *
 * The rule (Sennrich et al. 2016, arXiv 1508.07909, as tokenizers runs it): begin with characters; merge, again and again,
 * the adjacent pair of lowest rank, the leftmost of equals, until no pair has a merge. Three observations make it fast, and
 * none changes an id:
 *
 *  - Byte-level vocabularies spell bytes as printable characters. Where every byte has a token we never spell: vocabulary
 *    and text are both kept as raw bytes.
 *  - Most words are one token. Whether a token's own text encodes to just that token never changes, so it is worked out
 *    once, when the word is first met, and kept in one byte per token (an atomic; two threads that race write the same).
 *  - A pair of characters that no merge ever joins (last of its left side, first of its right side) can be cut between: no
 *    merge could cross. Texts of SentencePiece-style models, which come as one huge piece, fall into words this way.
 *
 * Short words scan all pairs for the lowest; long ones use a heap of (rank, position): n log n, 1 MB of one letter included.
 */
#include <stdlib.h>

#include "runners/text/utf8.h"
#include "runners/tok_int.h"

enum { SHORT = 40 }; /* symbols: below, scanning beats the heap */

/* ---- lookups ---- */

static inline int32_t char_find(const struct bpe *b, uint32_t cp)
{
	const int32_t *page = b->char_id[cp >> 8];
	return page ? page[cp & 255] : -1;
}

/* ---- merging ---- */

static inline void room(struct enc *x, size_t n)
{
	if (n > x->nsym) {
		x->nsym = n + n / 2 + 64;
		x->sym = xrealloc(x->sym, x->nsym * sizeof *x->sym);
	}
}

/* Symbols side by side in s[0..n): the number left. */
static size_t merge_short(const struct bpe *b, struct sym *s, size_t n)
{
	uint32_t rank[SHORT];
	int32_t id[SHORT];
	for (size_t i = 0; i + 1 < n; i++) {
		const struct merge *m = pair_find(b, s[i].id, s[i + 1].id);
		rank[i] = m ? m->rank : UINT32_MAX;
		id[i] = m ? m->id : -1;
	}
	while (n > 1) {
		size_t best = 0;
		for (size_t i = 1; i + 1 < n; i++)
			if (rank[i] < rank[best])
				best = i;
		if (rank[best] == UINT32_MAX)
			break;
		s[best].id = id[best];
		s[best].len += s[best + 1].len;
		n--;
		for (size_t i = best + 1; i < n; i++)
			s[i] = s[i + 1];
		for (size_t i = best + 1; i + 1 < n; i++) {
			rank[i] = rank[i + 1];
			id[i] = id[i + 1];
		}
		for (size_t i = best ? best - 1 : 0; i <= best && i + 1 < n; i++) {
			const struct merge *m = pair_find(b, s[i].id, s[i + 1].id);
			rank[i] = m ? m->rank : UINT32_MAX;
			id[i] = m ? m->id : -1;
		}
	}
	return n;
}

struct waiting {
	uint64_t key; /* rank << 32 | position */
	int32_t id;
};
struct heap {
	struct waiting *v;
	size_t n, cap;
};

static void heap_push(struct heap *h, const struct bpe *b, const struct sym *s, int32_t pos, int32_t next)
{
	const struct merge *m = pair_find(b, s[pos].id, s[next].id);
	if (!m)
		return;
	if (h->n == h->cap) {
		h->cap = h->cap ? 2 * h->cap : 256;
		h->v = xrealloc(h->v, h->cap * sizeof *h->v);
	}
	struct waiting w = { (uint64_t)m->rank << 32 | (uint32_t)pos, m->id };
	size_t i = h->n++;
	for (; i > 0 && h->v[(i - 1) / 4].key > w.key; i = (i - 1) / 4)
		h->v[i] = h->v[(i - 1) / 4];
	h->v[i] = w;
}

static struct waiting heap_pop(struct heap *h)
{
	struct waiting top = h->v[0], w = h->v[--h->n];
	size_t i = 0;
	for (;;) {
		size_t c = 4 * i + 1, best = c;
		if (c >= h->n)
			break;
		for (size_t k = c + 1; k < c + 4 && k < h->n; k++)
			if (h->v[k].key < h->v[best].key)
				best = k;
		if (h->v[best].key >= w.key)
			break;
		h->v[i] = h->v[best];
		i = best;
	}
	if (h->n)
		h->v[i] = w;
	return top;
}

static size_t merge_long(struct enc *x, struct sym *s, size_t n)
{
	const struct bpe *b = &x->t->bpe;
	struct heap h = { x->heap, 0, x->nheap };
	for (size_t i = 0; i < n; i++) {
		s[i].prev = (int32_t)i - 1;
		s[i].next = i + 1 < n ? (int32_t)i + 1 : -1;
	}
	for (size_t i = 0; i + 1 < n; i++)
		heap_push(&h, b, s, (int32_t)i, (int32_t)i + 1);
	while (h.n) {
		struct waiting w = heap_pop(&h);
		int32_t i = (int32_t)(uint32_t)w.key, k;
		if (!s[i].len || (k = s[i].next) < 0)
			continue;
		const struct merge *m = pair_find(b, s[i].id, s[k].id);
		if (!m || m->id != w.id) /* the pair has changed since */
			continue;
		s[i].id = m->id;
		s[i].len += s[k].len;
		s[i].next = s[k].next;
		s[k].len = 0;
		if (s[i].next >= 0)
			s[s[i].next].prev = i;
		if (s[i].prev >= 0)
			heap_push(&h, b, s, s[i].prev, i);
		if (s[i].next >= 0)
			heap_push(&h, b, s, i, s[i].next);
	}
	x->heap = h.v;
	x->nheap = h.cap;
	size_t m = 0;
	for (size_t i = 0; i < n; i++)
		if (s[i].len)
			s[m++] = s[i];
	return m;
}

/* ---- words ---- */

static inline void add(struct sym *s, size_t *n, int32_t id, size_t len)
{
	s[(*n)++] = (struct sym){ id, (uint32_t)len, 0, 0 };
}

/* The token of one character with the prefix or suffix it takes at its place; *c becomes what was looked up. */
static int32_t affixed(const struct bpe *b, struct str *c, bool first, bool last, char *buf)
{
	size_t m = 0;
	if (!first && b->prefix.n) {
		memcpy(buf, b->prefix.p, b->prefix.n);
		m = b->prefix.n;
	}
	memcpy(buf + m, c->p, c->n);
	m += c->n;
	if (last && b->suffix.n) {
		memcpy(buf + m, b->suffix.p, b->suffix.n);
		m += b->suffix.n;
	}
	*c = (struct str){ buf, m };
	return vocab_find(b->v, *c);
}

/* The symbols a word begins with, in x->sym. An unknown token waits (for others to fuse with) until a known one comes. */
static int split_chars(struct enc *x, struct str w, size_t *count)
{
	const struct bpe *b = &x->t->bpe;
	bool affix = b->prefix.n || b->suffix.n;
	size_t n = 0, pending = 0;
	room(x, w.n + 8);
	for (size_t i = 0; i < w.n;) {
		char buf[2 * TOK_MAX_AFFIX + 4];
		size_t at = i;
		uint32_t cp = utf8_next(w, &i);
		struct str c = { w.p + at, i - at };
		int32_t id = affix ? affixed(b, &c, at == 0, i == w.n, buf) : char_find(b, cp);
		room(x, n + c.n + 2);
		if (id >= 0) {
			if (pending)
				add(x->sym, &n, b->unk, pending);
			pending = 0;
			add(x->sym, &n, id, i - at);
			continue;
		}
		bool bytes = b->fallback;
		for (size_t k = 0; bytes && k < c.n; k++)
			bytes = b->fallback_id[(unsigned char)c.p[k]] >= 0;
		if (bytes) {
			for (size_t k = 0; k < c.n; k++)
				add(x->sym, &n, b->fallback_id[(unsigned char)c.p[k]], 1);
			continue;
		}
		if (!b->has_unk)
			continue;
		if (b->unk < 0)
			return err_set(x->e, E_FORMAT,
				       "%s: the text needs the unknown token '%.*s', which is not in the vocabulary",
				       x->t->name, (int)(b->unk_token.n < 60 ? b->unk_token.n : 60), b->unk_token.p);
		if (pending && !b->fuse_unk) {
			add(x->sym, &n, b->unk, pending);
			pending = 0;
		}
		pending += i - at;
	}
	if (pending)
		add(x->sym, &n, b->unk, pending);
	*count = n;
	return 0;
}

/* Puts out the first n symbols; *at as below. */
static inline int emit(struct enc *x, struct piece pc, size_t n, size_t *at)
{
	const struct sym *s = x->sym;
	for (size_t i = 0; i < n; i++) {
		if (enc_token(x, s[i].id, pc, *at, *at + s[i].len, NULL) < 0)
			return -1;
		*at += s[i].len;
	}
	return 0;
}

/* One word, pc[from..to). *at is where its tokens are said to stand: the sum of the lengths so far. It differs from `from` when
 * characters without a token were dropped, as in tokenizers. */
static int word(struct enc *x, struct piece pc, size_t from, size_t to, size_t *at)
{
	const struct bpe *b = &x->t->bpe;
	struct str w = { pc.p + from, to - from };
	int32_t whole = -1;
	if (w.n <= b->v->max_len && !b->prefix.n && !b->suffix.n) {
		uint32_t slot;
		whole = b->bytes ? strmap_find(&b->rawmap, b->raw, w, str_hash(w.p, w.n), &slot) : vocab_find(b->v, w);
	}
	bool full = w.n == pc.n; /* ignore_merges speaks of whole pieces, not of words cut out of one */
	if (whole >= 0 &&
	    ((b->ignore_merges && full) || atomic_load_explicit(&b->whole[whole], memory_order_relaxed) == 1)) {
		*at += w.n;
		return enc_token(x, whole, pc, *at - w.n, *at, NULL);
	}
	size_t n = 0;
	if (b->bytes) {
		room(x, w.n);
		for (size_t i = 0; i < w.n; i++)
			add(x->sym, &n, b->byte_id[(unsigned char)w.p[i]], 1);
	} else if (split_chars(x, w, &n) < 0) {
		return -1;
	}
	n = n <= SHORT ? merge_short(b, x->sym, n) : merge_long(x, x->sym, n);
	if (whole >= 0)
		atomic_store_explicit(&b->whole[whole], n == 1 && x->sym[0].id == whole && x->sym[0].len == w.n ? 1 : 2,
				      memory_order_relaxed);
	return emit(x, pc, n, at);
}

/* ---- words met before ---- */

/* May words be looked up and kept? With offsets the lengths of tokens are needed too: then words are worked out. */
static inline bool caches(const struct enc *x, size_t n)
{
	return n <= CACHE_BYTES && !x->cp && x->t->bpe.cache.line;
}

/* The ids of a word known already: 1 when they were put out. */
static inline int known(struct enc *x, const struct cache_key *key, struct piece pc)
{
	int32_t id[CACHE_IDS];
	int n = cache_get(key, id);
	if (n && x->n + CACHE_IDS <= x->cap) {
		memcpy(x->id + x->n, id, sizeof id); /* what is beyond n will be written over */
		x->n += (size_t)n;
		return 1;
	}
	for (int i = 0; i < n; i++)
		if (enc_token(x, id[i], pc, 0, pc.n, NULL) < 0)
			return -1;
	return n > 0;
}

/* Keeps what was put out since there were `start` tokens. */
static inline void remember(const struct enc *x, const struct cache_key *key, size_t start)
{
	if (x->n > start && x->n - start <= CACHE_IDS)
		cache_put(key, x->id + start, (int)(x->n - start));
}

static int known_word(struct enc *x, struct piece pc, size_t from, size_t to, size_t *at)
{
	if (!caches(x, to - from))
		return word(x, pc, from, to, at);
	struct cache_key key = cache_key(&x->t->bpe.cache, pc.p + from, to - from, false);
	size_t start = x->n;
	int rc = known(x, &key, pc);
	if (rc)
		return rc < 0 ? -1 : 0;
	rc = word(x, pc, from, to, at);
	if (rc == 0)
		remember(x, &key, start);
	return rc;
}

/* ---- words of bytes ---- */

/* Merges the n symbols of pc[from..to), a part of a word that no merge can leave. */
static inline int part(struct enc *x, struct piece pc, size_t from, size_t to, size_t n, size_t *at)
{
	const struct bpe *b = &x->t->bpe;
	struct sym *s = x->sym;
	const struct merge *m;
	if (n > 2 && caches(x, to - from)) {
		struct cache_key key = cache_key(&b->cache, pc.p + from, to - from, true);
		size_t start = x->n;
		int rc = known(x, &key, pc);
		if (rc)
			return rc < 0 ? -1 : 0;
		rc = emit(x, pc, merge_short(b, s, n), at);
		if (rc == 0)
			remember(x, &key, start);
		return rc;
	}
	if (n == 2 && (m = pair_find(b, s[0].id, s[1].id))) {
		s[0].id = m->id;
		s[0].len += s[1].len;
		n = 1;
	} else if (n > 2) {
		n = n <= SHORT ? merge_short(b, s, n) : merge_long(x, s, n);
	}
	return emit(x, pc, n, at);
}

static inline struct charinfo char_info(const struct chars *c, uint32_t cp, const char *p, size_t n)
{
	const struct charinfo *page = c->page[cp >> 8];
	return page ? page[cp & 255] : chars_other(c, p, n);
}

/* A word with characters beyond ASCII: they begin as one symbol where they may, and borders that no merge crosses part it. */
static int parts(struct enc *x, struct piece pc)
{
	const struct bpe *b = &x->t->bpe;
	struct str w = { pc.p, pc.n };
	size_t n = 0, i = 0, from = 0, at = 0, begin = 0; /* begin: of the part */
	bool before = false; /* may a part of a character cross the border before? */
	room(x, w.n);
	uint32_t c = utf8_next(w, &i);
	struct charinfo in = char_info(b->chars, c, w.p, i);
	for (;;) {
		size_t to = i;
		uint32_t d = 0;
		struct charinfo next = { -1, 0, 0 };
		bool behind = false, cut = true;
		if (to < w.n) {
			d = utf8_next(w, &i);
			next = char_info(b->chars, d, w.p + to, i - to);
			behind = in.tail & next.head;
			cut = !behind && !edge_joins(b, c, d);
		}
		if (in.id >= 0 && !before && !behind)
			add(x->sym, &n, in.id, to - from);
		else
			for (size_t k = from; k < to; k++)
				add(x->sym, &n, b->byte_id[(unsigned char)w.p[k]], 1);
		if (cut) {
			if (part(x, pc, begin, to, n, &at) < 0)
				return -1;
			n = 0;
			begin = to;
		}
		if (to == w.n)
			return 0;
		from = to;
		before = behind;
		c = d;
		in = next;
	}
}

static bool all_ascii(const char *p, size_t n)
{
	uint64_t w, any = 0;
	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&w, p, 8);
		any |= w;
	}
	if (n) {
		w = 0;
		memcpy(&w, p, n);
		any |= w;
	}
	return !(any & 0x8080808080808080ull);
}

static int byte_word(struct enc *x, struct piece pc)
{
	const struct bpe *b = &x->t->bpe;
	struct cache_key key;
	size_t at = 0, start = x->n;
	int rc;
	if (caches(x, pc.n)) {
		key = cache_key(&b->cache, pc.p, pc.n, false);
		rc = known(x, &key, pc);
		if (rc)
			return rc < 0 ? -1 : 0;
	}
	if (pc.n <= CACHE_BYTES || all_ascii(pc.p, pc.n) || (b->ignore_merges && pc.n <= b->v->max_len)) {
		struct str w = { pc.p, pc.n };
		uint32_t slot;
		int32_t id = pc.n > b->v->max_len ? -1
						  : strmap_find(&b->rawmap, b->raw, w, str_hash(w.p, w.n), &slot);
		rc = id >= 0 && b->ignore_merges        ? enc_token(x, id, pc, 0, pc.n, NULL)
		     : id >= 0 || all_ascii(pc.p, pc.n) ? word(x, pc, 0, pc.n, &at)
							: parts(x, pc);
	} else {
		rc = parts(x, pc);
	}
	if (rc == 0 && caches(x, pc.n))
		remember(x, &key, start);
	return rc;
}

int bpe_piece(struct enc *x, struct piece pc)
{
	const struct bpe *b = &x->t->bpe;
	size_t out = 0;
	if (b->bytes)
		return byte_word(x, pc);
	if (!b->edge_shift)
		return known_word(x, pc, 0, pc.n, &out);
	struct str s = { pc.p, pc.n };
	if (b->ignore_merges && pc.n <= b->v->max_len) {
		int32_t id = vocab_find(b->v, s);
		if (id >= 0)
			return enc_token(x, id, pc, 0, pc.n, NULL);
	}
	size_t from = 0, i = 0, begin = 0; /* begin: of the character `left` */
	uint32_t left = utf8_next(s, &i);
	int32_t id = char_find(b, left);
	while (i < s.n) {
		size_t at = i;
		uint32_t c = utf8_next(s, &i);
		int32_t next = char_find(b, c);
		/* beside an unknown character nothing is cut: bytes and fusing */
		if (id >= 0 && next >= 0 && !edge_joins(b, left, c)) {
			if (begin == from) { /* a word of one character is its token */
				if (enc_token(x, id, pc, out, out + at - from, NULL) < 0)
					return -1;
				out += at - from;
			} else if (known_word(x, pc, from, at, &out) < 0) {
				return -1;
			}
			from = at;
		}
		left = c;
		id = next;
		begin = at;
	}
	return known_word(x, pc, from, s.n, &out);
}
