/* tok_unigram.c - Unigram: the cheapest way to cover a text with pieces of a vocabulary that has scores.
 *
 * Viterbi over byte positions (Kudo 2018, arXiv 1804.10959, as tokenizers runs it): from each character the pieces that begin
 * there are tried in order of length; a way that ends at a position replaces an older one only when its sum of scores, added
 * up in double from the left, is greater. A character that is no piece itself can also be passed as unknown, for the lowest
 * score less 10; neighbours that are passed so become one unknown. The text of an unknown may still be in the vocabulary
 * (then it is that token), or be spelled in byte tokens.
 *
 * Pieces are found in a trie (tok_pieces.c). Where no piece reaches across a
 * position, every way leads through it: what lies before is written out at once, so the table stays as small as a word.
 *
 * Scores are read with the arithmetic of tokenizers' JSON reader, which is not always the nearest double.
 *
 * Refuses: pieces longer than 2 KiB (time is text x longest piece), an unk_id outside the vocabulary, scores that are no
 * finite numbers, texts that need an unknown token where there is no unk_id.
 */
#include <stdio.h>
#include <stdlib.h>

#include "runners/tok_int.h"

enum { MAX_PIECE = 2048 };

struct unigram {
	double *score;  /* by id */
	struct pieces pieces;
	double unk_score;
	int32_t unk;    /* -1: none */
	bool fallback;
	int32_t fallback_id[256];
};

/* ---- scores ---- */

/* a * 10 + d, unless that is beyond 64 bits. */
static bool push_digit(uint64_t *a, unsigned d)
{
	if (*a > UINT64_MAX / 10 || (*a == UINT64_MAX / 10 && d > UINT64_MAX % 10))
		return false;
	*a = *a * 10 + d;
	return true;
}

/* sig x 10^exp by at most one division or multiplication where 10^exp is a double; false: too large. */
static bool scale(double *f, int64_t exp)
{
	while (exp != 0 && *f != 0) {
		int64_t k = exp < 0 ? -exp : exp, step = k < 308 ? k : 308;
		char text[16];
		snprintf(text, sizeof text, "1e%d", (int)step);
		double p = strtod(text, NULL); /* the nearest double to a power of ten */
		*f = exp < 0 ? *f / p : *f * p;
		if (*f > 1.7976931348623157e308)
			return false;
		exp += exp < 0 ? step : -step;
	}
	return true;
}

static int read_score(struct js *j, double *out, struct err *e)
{
	js_peek(j);
	const char *p = j->p, *digits;
	bool negative = p < j->end && *p == '-', room = true;
	uint64_t sig = 0;
	int64_t exp = 0;
	digits = p += negative;
	for (; p < j->end && *p >= '0' && *p <= '9'; p++) {
		room = room && push_digit(&sig, (unsigned)(*p - '0'));
		exp += !room;
	}
	if (p == digits || (*digits == '0' && p > digits + 1))
		return js_fail(j, e, "a score must be a number");
	if (p < j->end && *p == '.') {
		digits = ++p;
		for (; p < j->end && *p >= '0' && *p <= '9'; p++) {
			room = room && push_digit(&sig, (unsigned)(*p - '0'));
			exp -= room;
		}
		if (p == digits)
			return js_fail(j, e, "a score must be a number");
	}
	if (p < j->end && (*p == 'e' || *p == 'E')) {
		int64_t v = 0, sign = 1;
		p++;
		if (p < j->end && (*p == '+' || *p == '-'))
			sign = *p++ == '-' ? -1 : 1;
		digits = p;
		for (; p < j->end && *p >= '0' && *p <= '9'; p++)
			v = v < 100000 ? v * 10 + (*p - '0') : v;
		if (p == digits)
			return js_fail(j, e, "a score must be a number");
		exp += sign * v;
	}
	double f = (double)sig;
	if (!scale(&f, exp))
		return js_fail(j, e, "a score is too large for a number");
	*out = negative ? -f : f;
	j->p = p;
	return 0;
}

/* ---- loading ---- */

static int read_piece(struct js *j, size_t n, struct str *tok, double *score, struct err *e)
{
	bool first = true;
	int more;
	if (js_open(j, '[', e) < 0 || (more = js_item(j, &first, e)) < 0 || (more && js_str(j, tok, e) < 0))
		return -1;
	if (!more || (more = js_item(j, &first, e)) < 0 || (more && read_score(j, score, e) < 0))
		return more ? -1 : js_fail(j, e, "piece %zu must be a string and a score", n);
	if (!more || (more = js_item(j, &first, e)) != 0)
		return more < 0 ? -1 : js_fail(j, e, "piece %zu must be a string and a score", n);
	return tok->n > MAX_PIECE ? js_fail(j, e, "piece %zu has %zu bytes, the limit is %d", n, tok->n, MAX_PIECE) : 0;
}

static int read_pieces(struct tokenizer *t, struct js *j, struct unigram *u, struct err *e)
{
	struct str *tok = NULL;
	size_t n = 0, cap = 0, bytes = 0;
	bool first = true;
	int rc = js_open(j, '[', e), more = 0;
	while (rc == 0 && (more = js_item(j, &first, e)) > 0) {
		if (n == cap) {
			cap = cap ? 2 * cap : 1024;
			tok = xrealloc(tok, cap * sizeof *tok);
			u->score = xrealloc(u->score, cap * sizeof *u->score);
		}
		rc = n + 1 < TOK_MAX_ID ? read_piece(j, n, &tok[n], &u->score[n], e)
					: js_fail(j, e, "too many pieces");
		if (rc == 0)
			bytes += tok[n++].n + 1;
	}
	if (rc == 0 && more == 0 && !n)
		rc = js_fail(j, e, "model.vocab is empty");
	if (rc == 0 && more == 0) {
		vocab_init(t, (uint32_t)n, n, bytes);
		for (uint32_t i = 0; i < n; i++) {
			vocab_set(&t->voc, i, tok[i]);
			uint32_t h = str_hash(tok[i].p, tok[i].n), at;
			strmap_find(&t->voc.map, t->voc.tok, tok[i], h, &at);
			t->voc.map.slot[at] = (struct strslot){ h, (int32_t)i }; /* of equal pieces the last one counts */
		}
	}
	free(tok);
	return rc < 0 || more < 0 ? -1 : 0;
}

static int read_members(struct tokenizer *t, struct js *j, struct unigram *u, struct err *e)
{
	struct str key, s;
	bool first = true;
	int more;
	if (js_open(j, '{', e) < 0)
		return -1;
	while ((more = js_member(j, &first, &key, e)) > 0) {
		int rc;
		uint32_t unk = 0;
		if (str_is(key, "vocab")) {
			rc = u->score ? js_fail(j, e, "model.vocab stands twice") : read_pieces(t, j, u, e);
		} else if (str_is(key, "byte_fallback")) {
			rc = model_flag(j, "byte_fallback", &u->fallback, e);
		} else if (str_is(key, "unk_id") && js_peek(j) != 'n') {
			rc = js_uint(j, TOK_MAX_ID, &unk, e);
			u->unk = (int32_t)unk;
		} else {
			rc = js_skip(j, &s, e);
		}
		if (rc < 0)
			return -1;
	}
	if (more < 0)
		return -1;
	if (!u->score)
		return err_set(e, E_FORMAT, "%s: model has no vocab", t->name);
	if (u->unk >= (int32_t)t->voc.ntok)
		return err_set(e, E_FORMAT, "%s: model.unk_id is %d, but there are %u pieces", t->name, u->unk,
			       t->voc.ntok);
	return 0;
}

int unigram_load(struct tokenizer *t, struct js *j, struct err *e)
{
	struct unigram *u = t->uni = ARENA_NEW(&t->a, struct unigram);
	u->unk = -1;
	return read_members(t, j, u, e);
}

int unigram_finish(struct tokenizer *t, struct err *e)
{
	struct unigram *u = t->uni;
	double min = u->score[0];
	for (uint32_t i = 1; i < t->voc.ntok; i++)
		min = u->score[i] < min ? u->score[i] : min;
	u->unk_score = min - 10.0;
	for (int k = 0; k < 256; k++) {
		char s[8];
		snprintf(s, sizeof s, "<0x%02X>", (unsigned)k);
		u->fallback_id[k] = vocab_find(&t->voc, str_of(s));
	}
	return pieces_build(t, &u->pieces, e);
}

void unigram_free(struct tokenizer *t)
{
	if (t->uni)
		free(t->uni->score);
}

/* ---- a piece of text ---- */

struct way { /* the best way to a position */
	double score;
	uint32_t from; /* where its last step begins */
	int32_t id;    /* the piece of that step; -1: no way yet */
};
struct walk {
	struct enc *x;
	struct piece pc;
	size_t base, end;         /* ways are known from base to end */
	size_t unk_from, unk_to;  /* unknown text that waits for more of it */
};

static int put_unknown(struct walk *w)
{
	struct enc *x = w->x;
	const struct unigram *u = x->t->uni;
	size_t from = w->unk_from, to = w->unk_to;
	struct str s = { w->pc.p + from, to - from };
	int32_t id = vocab_find(&x->t->voc, s);
	w->unk_from = w->unk_to;
	bool bytes = id < 0 && u->fallback;
	for (size_t i = 0; bytes && i < s.n; i++)
		bytes = u->fallback_id[(unsigned char)s.p[i]] >= 0;
	if (!bytes)
		return enc_token(x, id < 0 ? u->unk : id, w->pc, from, to, &s);
	for (size_t i = 0; i < s.n; i++)
		if (enc_token(x, u->fallback_id[(unsigned char)s.p[i]], w->pc, from, to, NULL) < 0)
			return -1;
	return 0;
}

/* Writes out the best way from w->base to `end`, where every way leads through. */
static int put_way(struct walk *w, size_t end)
{
	struct way *way = w->x->heap;
	size_t k = end - w->base, next = 0, from = 0;
	while (k > 0) { /* turn the chain round */
		size_t before = way[k].from;
		way[k].from = (uint32_t)next;
		next = k;
		k = before;
	}
	for (size_t to = next; from < end - w->base; from = to, to = way[to].from) {
		if (way[to].id == w->x->t->uni->unk) {
			if (w->unk_from == w->unk_to)
				w->unk_from = w->base + from;
			w->unk_to = w->base + to;
			continue;
		}
		if (w->unk_from < w->unk_to && put_unknown(w) < 0)
			return -1;
		if (enc_token(w->x, way[to].id, w->pc, w->base + from, w->base + to, NULL) < 0)
			return -1;
	}
	way[0] = (struct way){ way[end - w->base].score, 0, -1 };
	w->base = w->end = end;
	return 0;
}

static struct way *reach(struct walk *w, size_t to)
{
	struct enc *x = w->x;
	size_t need = to - w->base + 1;
	if (need > x->nheap) {
		x->nheap = need + need / 2 + 64;
		x->heap = xrealloc(x->heap, x->nheap * sizeof(struct way));
	}
	struct way *way = x->heap;
	for (; w->end < to; w->end++)
		way[w->end + 1 - w->base].id = -1;
	return way;
}

static inline size_t char_bytes(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* All steps from position i. */
static int step(struct walk *w, size_t i)
{
	const struct unigram *u = w->x->t->uni;
	struct piece pc = w->pc;
	struct way *way = reach(w, i);
	double till_here = way[i - w->base].score;
	size_t one = i + char_bytes((unsigned char)pc.p[i]);
	bool single = false;
	uint32_t at = 0;
	for (size_t k = i; k < pc.n;) {
		if (!pieces_step(&u->pieces, &at, pc.p[k++]))
			break;
		int32_t id = u->pieces.cell[at].id;
		if (id < 0)
			continue;
		if (k > w->end)
			way = reach(w, k);
		struct way *to = &way[k - w->base];
		double score = u->score[id] + till_here;
		if (to->id < 0 || score > to->score)
			*to = (struct way){ score, (uint32_t)(i - w->base), id };
		single |= k == one;
	}
	if (single)
		return 0;
	way = reach(w, one);
	struct way *to = &way[one - w->base];
	double score = u->unk_score + till_here;
	if (to->id >= 0 && score <= to->score)
		return 0;
	if (u->unk < 0)
		return err_set(w->x->e, E_FORMAT, "%s: the text needs an unknown token, but the model has no unk_id",
			       w->x->t->name);
	*to = (struct way){ score, (uint32_t)(i - w->base), u->unk };
	return 0;
}

int unigram_piece(struct enc *x, struct piece pc)
{
	struct walk w = { .x = x, .pc = pc };
	reach(&w, 0)[0] = (struct way){ 0, 0, -1 };
	for (size_t i = 0; i < pc.n; i += char_bytes((unsigned char)pc.p[i])) {
		if (i == w.end && i > w.base && put_way(&w, i) < 0)
			return -1;
		if (step(&w, i) < 0)
			return -1;
	}
	if (put_way(&w, pc.n) < 0)
		return -1;
	return w.unk_from < w.unk_to ? put_unknown(&w) : 0;
}
