/* tok_charsmap.c - the normalizer Precompiled: SentencePiece's table of replacements ("precompiled_charsmap").
 *
 * The table, in base64: bytes of a trie (u32), the trie (u32 units of a double array, as darts-clone writes it), then the
 * replacements, each ended by a zero byte; the trie's values are places among them. As tokenizers applies it: the text is cut
 * into grapheme clusters (Unicode UAX 29); a cluster of less than 6 bytes is looked up as a whole, and where any key begins
 * it, the *shortest* such key's replacement stands for all of the cluster; otherwise its characters are looked up one by one.
 *
 * Refuses: bad base64, a trie longer than the table, replacements that are no UTF-8, and, when a text meets them, values that
 * point outside the replacements or into a character. Links of the trie that lead outside of it match nothing.
 */
#include <stdlib.h>

#include "runners/text/base64.h"
#include "runners/text/utf8.h"
#include "runners/tok_int.h"

struct charsmap {
	uint32_t *unit;
	uint32_t n;
	struct str text;    /* replacements */
	bool plain[128];    /* ASCII characters that nothing replaces */
};
enum { WHOLE = 6 };         /* clusters of fewer bytes are looked up as a whole */

/* ---- lookup ---- */

/* The replacement of the shortest key that s begins with: 1 and *out, or 0. */
static int lookup(const struct charsmap *m, struct str s, struct str *out, struct err *e)
{
	uint32_t at = 0, u = m->unit[0];
	at ^= (u >> 10) << ((u & (1u << 9)) >> 6);
	for (size_t i = 0; i < s.n && s.p[i]; i++) {
		unsigned char c = (unsigned char)s.p[i];
		at ^= c;
		if (at >= m->n || ((u = m->unit[at]) & (1u << 31 | 0xff)) != c)
			return 0;
		at ^= (u >> 10) << ((u & (1u << 9)) >> 6);
		if (!(u >> 8 & 1))
			continue;
		if (at >= m->n)
			return 0;
		size_t from = m->unit[at] & 0x7fffffff;
		if (from > m->text.n || (from < m->text.n && ((unsigned char)m->text.p[from] & 0xc0) == 0x80))
			return err_set(e, E_FORMAT,
				       "normalizer Precompiled: the table has a value, %zu, that is no place of a replacement",
				       from);
		const char *end = from < m->text.n ? memchr(m->text.p + from, 0, m->text.n - from) : NULL;
		*out = (struct str){ m->text.p + from, end ? (size_t)(end - m->text.p) - from : m->text.n - from };
		return 1;
	}
	return 0;
}

/* ---- a text ---- */

struct sink { /* edits where spans are kept, else the new text alone */
	bool track, changed;
	struct edits ed;
	struct buf text;
};

static void keep(struct sink *k, struct str s)
{
	if (!k->track) {
		buf_str(&k->text, s);
		return;
	}
	for (size_t i = 0; i < s.n;)
		edits_add(&k->ed, utf8_next(s, &i), 0);
}

/* New characters take the place of old ones as long as there are any; what is left over counts as removed behind the last
 * character written, even where that is none of the new ones. */
static void replace(struct sink *k, struct str old, struct str new)
{
	k->changed = true;
	if (!k->track) {
		buf_str(&k->text, new);
		return;
	}
	size_t n_old = utf8_len(old), n_new = 0;
	for (size_t i = 0; i < new.n; n_new++)
		edits_add(&k->ed, utf8_next(new, &i), 0);
	for (size_t i = n_old; i < n_new; i++)
		k->ed.v[k->ed.n - 1 - (i - n_old)].change = 1;
	if (n_new < n_old && k->ed.n)
		k->ed.v[k->ed.n - 1].change -= (int32_t)(n_old - n_new);
}

/* Hangul: the parts of a syllable that a character is. */
enum { NO_HANGUL, L, V, T, LV, LVT };

static int hangul(uint32_t c)
{
	if (c < 0x1100 || c > 0xd7fb)
		return NO_HANGUL;
	if (c >= 0xac00 && c <= 0xd7a3)
		return (c - 0xac00) % 28 ? LVT : LV;
	return c <= 0x115f || (c >= 0xa960 && c <= 0xa97c)   ? L
	       : c <= 0x11a7 || (c >= 0xd7b0 && c <= 0xd7c6) ? V
	       : c <= 0x11ff || c >= 0xd7cb		     ? T
							     : NO_HANGUL;
}

static bool hangul_joins(int a, int b)
{
	return a == L ? b == L || b == V || b == LV || b == LVT
	       : a == V || a == LV ? b == V || b == T
				   : (a == T || a == LVT) && b == T;
}

static unsigned join_bits(uint32_t c)
{
	return c < 0x80 ? c < 0x20 || c == 0x7f ? JOIN_CONTROL : 0 : class_join(c);
}

/* The end of the grapheme cluster that begins at i. Pairs of regional indicators are not kept together: at 8 bytes they are
 * looked up one by one either way. */
static size_t cluster(struct str s, size_t i)
{
	uint32_t c = utf8_next(s, &i);
	unsigned p = join_bits(c);
	int conjunct = p & JOIN_CONSONANT ? 1 : 0;   /* 2: a consonant and a linker have been seen */
	int pictograph = p & JOIN_PICTOGRAPH ? 1 : 0; /* 2: with a joiner at its end */
	int h = hangul(c);
	while (i < s.n) {
		size_t k = i;
		uint32_t d = utf8_next(s, &k);
		unsigned q = join_bits(d);
		if (c == '\r' && d == '\n')
			return k;
		if ((p | q) & JOIN_CONTROL)
			break;
		int g = hangul(d);
		if (!(q & JOIN_MARK) && !(p & JOIN_PREPEND) && !hangul_joins(h, g) &&
		    !(q & JOIN_CONSONANT && conjunct == 2) && !(q & JOIN_PICTOGRAPH && pictograph == 2))
			break;
		conjunct = q & JOIN_CONSONANT ? 1 : !(q & (JOIN_LINKER | JOIN_INSIDE)) ? 0 : q & JOIN_LINKER && conjunct ? 2 : conjunct;
		pictograph = q & JOIN_PICTOGRAPH ? 1 : d == 0x200d && pictograph == 1 ? 2 : q & JOIN_EXTEND && pictograph == 1 ? 1 : 0;
		c = d;
		p = q;
		h = g;
		i = k;
	}
	return i;
}

static int one_cluster(const struct charsmap *m, struct str s, struct sink *k, struct err *e)
{
	struct str new;
	int rc = s.n < WHOLE ? lookup(m, s, &new, e) : 0;
	if (rc > 0)
		replace(k, s, new);
	for (size_t i = 0; i < s.n && rc == 0;) {
		size_t at = i;
		utf8_next(s, &i);
		struct str c = { s.p + at, i - at };
		int found = lookup(m, c, &new, e);
		if (found < 0)
			return -1;
		if (found)
			replace(k, c, new);
		else
			keep(k, c);
	}
	return rc < 0 ? -1 : 0;
}

/* Bytes from i that are clusters of their own and that nothing replaces. */
static size_t plain_run(const struct charsmap *m, struct str s, size_t i)
{
	size_t k = i;
	while (k < s.n && !(s.p[k] & 0x80) && m->plain[(unsigned char)s.p[k]] && s.p[k] != '\r')
		k++;
	return k < s.n && (s.p[k] & 0x80) && k > i ? k - 1 : k; /* what follows may belong to the last one */
}

int norm_charsmap(struct enc *x, const struct norm *n, struct piece *pc)
{
	const struct charsmap *m = n->map;
	struct str s = { pc->p, pc->n };
	struct sink k = { .track = x->track };
	int rc = 0;
	size_t i = plain_run(m, s, 0);
	if (i == s.n)
		return 0;
	keep(&k, (struct str){ s.p, i });
	while (i < s.n && rc == 0) {
		size_t end = plain_run(m, s, i);
		if (end > i) {
			keep(&k, (struct str){ s.p + i, end - i });
		} else {
			end = cluster(s, i);
			rc = one_cluster(m, (struct str){ s.p + i, end - i }, &k, x->e);
			if (rc < 0)
				err_wrap(x->e, "%s", x->t->name);
		}
		i = end;
	}
	if (rc == 0 && k.changed && k.track)
		norm_edit(x, pc, &k.ed, 0);
	if (rc == 0 && k.changed && !k.track) {
		struct str t = arena_str(&x->scratch, k.text.p, k.text.n);
		*pc = (struct piece){ t.p, t.n, NULL, pc->o };
	}
	free(k.ed.v);
	buf_fini(&k.text);
	return rc;
}

/* ---- loading ---- */

static uint32_t read_u32(const char *p)
{
	const unsigned char *b = (const unsigned char *)p;
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

int charsmap_load(struct tokenizer *t, struct norm *n, struct value v, struct err *e)
{
	static const char where[] = "normalizer Precompiled";
	struct str s, raw;
	if (comp_str(t, v, where, "precompiled_charsmap", &s, e) < 0)
		return -1;
	if (base64_decode(&t->a, s, &raw) < 0)
		return err_set(e, E_FORMAT, "%s: %s: precompiled_charsmap is not base64", t->name, where);
	uint32_t size = raw.n < 4 ? 0 : read_u32(raw.p) / 4 * 4;
	if (size < 4 || size > raw.n - 4)
		return err_set(e, E_FORMAT, "%s: %s: a trie of %u bytes in a table of %zu", t->name, where, size, raw.n);
	struct charsmap *m = n->map = ARENA_NEW(&t->a, struct charsmap);
	m->n = size / 4;
	m->unit = ARENA_ARRAY(&t->a, m->n, uint32_t);
	for (uint32_t i = 0; i < m->n; i++)
		m->unit[i] = read_u32(raw.p + 4 + 4 * (size_t)i);
	m->text = (struct str){ raw.p + 4 + size, raw.n - 4 - size };
	if (!utf8_valid(m->text))
		return err_set(e, E_FORMAT, "%s: %s: the replacements are not UTF-8", t->name, where);
	for (int c = 0; c < 128; c++) {
		struct str found;
		char byte = (char)c;
		m->plain[c] = lookup(m, (struct str){ &byte, 1 }, &found, NULL) == 0;
	}
	return 0;
}
