/* tok_vocab.c - the vocabulary of any model: tokens by id, and ids by token.
 *
 * Read from the object {"token": id, ...} of tokenizer.json in one pass, or built from arrays. Ids may have holes.
 *
 * Refuses: an empty vocabulary, two tokens with one id, one token with two ids, tokens beyond 64 KiB, ids beyond 2^24 or far
 * beyond the number of tokens.
 */
#include <stdlib.h>

#include "runners/tok_int.h"

void strmap_init(struct strmap *m, struct arena *a, size_t count)
{
	size_t n = 16;
	while (n < 2 * count)
		n *= 2;
	m->slot = arena_bytes(a, n * sizeof *m->slot);
	memset(m->slot, 0xff, n * sizeof *m->slot); /* ids of -1 */
	m->mask = (uint32_t)(n - 1);
}

int strmap_put(struct strmap *m, const struct str *tok, int32_t id, int32_t *other)
{
	uint32_t h = str_hash(tok[id].p, tok[id].n), at;
	*other = strmap_find(m, tok, tok[id], h, &at);
	if (*other >= 0)
		return -1;
	m->slot[at] = (struct strslot){ h, id };
	return 0;
}

int32_t vocab_find_hashed(const struct vocab *v, struct str s, uint32_t h)
{
	uint32_t at;
	return strmap_find(&v->map, v->tok, s, h, &at);
}

/* Fetches what vocab_find_hashed will read for n strings, all at once: three waits for memory instead of three for each. */
void vocab_warm(const struct vocab *v, const uint32_t *h, size_t n)
{
	for (size_t i = 0; i < n; i++)
		__builtin_prefetch(&v->map.slot[h[i] & v->map.mask]);
	for (size_t i = 0; i < n; i++) {
		int32_t id = v->map.slot[h[i] & v->map.mask].id;
		__builtin_prefetch(&v->tok[id < 0 ? 0 : id]);
	}
	for (size_t i = 0; i < n; i++) {
		int32_t id = v->map.slot[h[i] & v->map.mask].id;
		__builtin_prefetch(v->tok[id < 0 ? 0 : id].p);
	}
}

/* Room for ids below n, `bytes` bytes of tokens with a zero behind each. */
void vocab_init(struct tokenizer *t, uint32_t n, size_t count, size_t bytes)
{
	struct vocab *v = &t->voc;
	v->ntok = n;
	v->count = (uint32_t)count;
	v->tok = ARENA_ARRAY(&t->a, n, struct str);
	v->pool = arena_bytes(&t->a, bytes + 1);
	strmap_init(&v->map, &t->a, count);
}

/* Copies s to tok[id], which must be free. */
void vocab_set(struct vocab *v, uint32_t id, struct str s)
{
	if (s.n)
		memcpy(v->pool, s.p, s.n);
	v->pool[s.n] = 0;
	v->tok[id] = (struct str){ v->pool, s.n };
	v->pool += s.n + 1;
	v->max_len = s.n > v->max_len ? s.n : v->max_len;
}

struct entries {
	struct str *tok;
	uint32_t *id;
	size_t n, cap;
};

enum { AHEAD = 16 };

static int build(struct tokenizer *t, struct js *j, const struct entries *in, uint32_t max, size_t bytes, struct err *e)
{
	struct vocab *v = &t->voc;
	if (!in->n)
		return js_fail(j, e, "model.vocab is empty");
	if (!ids_fit(max, in->n))
		return js_fail(j, e, "model.vocab has id %u, far beyond its %zu tokens", max, in->n);
	vocab_init(t, max + 1, in->n, bytes);
	for (size_t i = 0; i < in->n; i++) {
		if (i + AHEAD < in->n) /* where it will go: to read the key twice costs less than to wait for memory */
			__builtin_prefetch(&v->map.slot[str_hash(in->tok[i + AHEAD].p, in->tok[i + AHEAD].n) & v->map.mask], 1);
		struct str s = in->tok[i], *at = &v->tok[in->id[i]];
		int32_t other;
		if (at->p)
			return js_fail(j, e, "the tokens '%.*s' and '%.*s' both have id %u", str_shown(*at), at->p,
				       str_shown(s), s.p, in->id[i]);
		vocab_set(v, in->id[i], s);
		if (strmap_put(&v->map, v->tok, (int32_t)in->id[i], &other) < 0)
			return js_fail(j, e, "the token '%.*s' has two ids, %d and %u", str_shown(s), s.p, other,
				       in->id[i]);
	}
	return 0;
}

int vocab_read(struct tokenizer *t, struct js *j, struct err *e)
{
	struct entries v = { NULL, NULL, 0, 0 };
	bool first = true;
	struct str key;
	uint32_t max = 0;
	size_t bytes = 0;
	int rc = 0, more = 0;
	if (js_open(j, '{', e) < 0)
		return -1;
	while (rc == 0 && (more = js_member(j, &first, &key, e)) > 0) {
		if (v.n == v.cap) {
			v.cap = v.cap ? 2 * v.cap : 1024;
			v.tok = xrealloc(v.tok, v.cap * sizeof *v.tok);
			v.id = xrealloc(v.id, v.cap * sizeof *v.id);
		}
		rc = key.n > TOK_MAX_TOKEN
			     ? js_fail(j, e, "a token of %zu bytes, the limit is %d", key.n, TOK_MAX_TOKEN)
			     : js_uint(j, TOK_MAX_ID, &v.id[v.n], e);
		if (rc < 0)
			break;
		max = v.id[v.n] > max ? v.id[v.n] : max;
		bytes += key.n + 1;
		v.tok[v.n++] = key;
	}
	if (more < 0)
		rc = -1;
	if (rc == 0)
		rc = build(t, j, &v, max, bytes, e);
	free(v.tok);
	free(v.id);
	return rc;
}
