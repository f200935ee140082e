/* tok_load.c - the BPE model of tokenizer.json: merges, and what BPE prepares from them (the vocabulary: tok_vocab.c).
 *
 * Read in one pass where the vocabulary and continuing_subword_prefix stand before the merges, as every known file has it;
 * otherwise the merges are read behind. Merges whose sides or result are no tokens are errors.
 *
 * Refuses: dropout (its results are random), files that say neither vocabulary nor merges.
 */
#include <stdio.h>
#include <stdlib.h>

#include "runners/text/utf8.h"
#include "runners/tok_int.h"

/* GPT-2's bytes_to_unicode: printable bytes stand for themselves, the others for U+0100 and up, in order. */
const uint16_t tok_byte_char[256] = {
	256, 257, 258, 259, 260, 261, 262, 263, 264, 265, 266, 267, 268, 269, 270, 271, 272, 273, 274, 275, 276, 277, 278, 279,
	280, 281, 282, 283, 284, 285, 286, 287, 288, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81,
	82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109,
	110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 289, 290, 291, 292, 293, 294, 295,
	296, 297, 298, 299, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309, 310, 311, 312, 313, 314, 315, 316, 317, 318, 319,
	320, 321, 322, 161, 162, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 323, 174, 175, 176, 177, 178, 179, 180, 181,
	182, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 197, 198, 199, 200, 201, 202, 203, 204, 205,
	206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216, 217, 218, 219, 220, 221, 222, 223, 224, 225, 226, 227, 228, 229,
	230, 231, 232, 233, 234, 235, 236, 237, 238, 239, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252, 253,
	254, 255,
};

int tok_char_byte(uint32_t cp)
{
	if ((cp > 32 && cp < 127) || (cp > 160 && cp < 256 && cp != 173))
		return (int)cp;
	if (cp < 256 || cp > 323)
		return -1;
	return cp <= 288 ? (int)cp - 256 : cp <= 322 ? (int)cp - 289 + 127 : 173;
}

/* ---- merges ---- */

/* Sides of merges are looked up in batches, so that memory is waited for together. */
enum { BATCH = 64, AHEAD = 16 };
struct batch {
	struct str s[BATCH][2];
	uint32_t hash[BATCH][2];
	const char *at[BATCH]; /* in the file, for messages */
	int n;
	int32_t made; /* by the last merge */
	char text[2 * TOK_MAX_TOKEN];
};

static int batch_add(struct tokenizer *t, struct js *j, struct batch *m, struct str l, struct str r, uint32_t rank,
		     struct err *e)
{
	if (l.n > TOK_MAX_TOKEN || r.n > TOK_MAX_TOKEN)
		return js_fail(j, e, "merge %u has a side longer than %d bytes", rank, TOK_MAX_TOKEN);
	if (r.n < t->bpe.prefix.n)
		return js_fail(j, e, "merge %u: '%.*s' is shorter than continuing_subword_prefix", rank, str_shown(r), r.p);
	m->s[m->n][0] = l;
	m->s[m->n][1] = r;
	m->at[m->n] = j->p;
	for (int k = 0; k < 2; k++)
		m->hash[m->n][k] = str_hash(m->s[m->n][k].p, m->s[m->n][k].n);
	m->n++;
	return 0;
}

/* The token that l and r make together: nearly always the one that the merge before made, or the next one. */
static int32_t made_id(const struct vocab *v, struct batch *m, struct str l, struct str r)
{
	for (uint32_t id = (uint32_t)m->made; id <= (uint32_t)m->made + 1 && id < v->ntok; id++) {
		struct str s = v->tok[id];
		if (s.p && s.n == l.n + r.n && !memcmp(s.p, l.p, l.n) && !memcmp(s.p + l.n, r.p, r.n))
			return (int32_t)id;
	}
	memcpy(m->text, l.p, l.n);
	memcpy(m->text + l.n, r.p, r.n);
	return vocab_find(v, (struct str){ m->text, l.n + r.n });
}

static int not_there(struct js *j, size_t rank, const char *fault, struct str s, struct err *e)
{
	return js_fail(j, e, "merge %zu %s '%.*s', which is not in the vocabulary", rank, fault, str_shown(s), s.p);
}

/* Looks the batch up and appends its merges to out[*n]. */
static int batch_run(struct tokenizer *t, struct js *j, struct batch *m, struct merge *out, size_t *n, struct err *e)
{
	size_t prefix = t->bpe.prefix.n;
	vocab_warm(&t->voc, m->hash[0], 2 * (size_t)m->n);
	for (int i = 0; i < m->n; i++) {
		struct str l = m->s[i][0], r = m->s[i][1];
		int32_t left = vocab_find_hashed(&t->voc, l, m->hash[i][0]), right = vocab_find_hashed(&t->voc, r, m->hash[i][1]);
		if (left < 0 || right < 0) {
			j->p = m->at[i];
			return not_there(j, *n, "names", left < 0 ? l : r, e);
		}
		r = (struct str){ r.p + prefix, r.n - prefix };
		int32_t made = made_id(&t->voc, m, l, r);
		if (made < 0) {
			j->p = m->at[i];
			return not_there(j, *n, "makes", (struct str){ m->text, l.n + r.n }, e);
		}
		out[*n] = (struct merge){ (uint64_t)(uint32_t)left << 32 | (uint32_t)right, (uint32_t)*n, made };
		++*n;
		m->made = made;
	}
	m->n = 0;
	return 0;
}

/* Both sides of the merge at j: ["a", "b"] or "a b". */
static int read_pair(struct js *j, uint32_t rank, struct str *l, struct str *r, struct err *e)
{
	struct str s;
	if (js_peek(j) == '[') {
		bool first = true;
		js_open(j, '[', e);
		if (js_item(j, &first, e) != 1 || js_str(j, l, e) < 0 || js_item(j, &first, e) != 1 ||
		    js_str(j, r, e) < 0 || js_item(j, &first, e) != 0)
			return js_fail(j, e, "merge %u must be two strings", rank);
		return 0;
	}
	if (js_str(j, &s, e) < 0)
		return -1;
	const char *blank = memchr(s.p, ' ', s.n);
	if (!blank || memchr(blank + 1, ' ', s.n - (size_t)(blank + 1 - s.p)))
		return js_fail(j, e, "merge %u, '%.*s', must be two tokens with one blank between", rank, str_shown(s),
			       s.p);
	*l = (struct str){ s.p, (size_t)(blank - s.p) };
	*r = (struct str){ blank + 1, s.n - l->n - 1 };
	return 0;
}

static void pair_put(struct bpe *b, struct merge m)
{
	uint32_t k = pair_hash(m.key) & b->merge_mask;
	while (b->merge[k].key != UINT64_MAX && b->merge[k].key != m.key)
		k = (k + 1) & b->merge_mask;
	b->merge[k] = m; /* the last of two equal pairs counts, as in tokenizers */
}

static void index_merges(struct tokenizer *t, const struct merge *v, size_t n)
{
	struct bpe *b = &t->bpe;
	size_t size = 16;
	while (size < n + n / 2)
		size *= 2;
	b->merge = arena_bytes(&t->a, size * sizeof *b->merge);
	b->merge_mask = (uint32_t)(size - 1);
	memset(b->merge, 0xff, size * sizeof *b->merge); /* keys of UINT64_MAX */
	for (size_t i = 0; i < n; i++) {
		if (i + AHEAD < n)
			__builtin_prefetch(&b->merge[pair_hash(v[i + AHEAD].key) & b->merge_mask], 1);
		pair_put(b, v[i]);
	}
}

static int read_merges(struct tokenizer *t, struct js *j, struct err *e)
{
	struct merge *v = NULL;
	size_t n = 0, cap = 0;
	struct batch *m = xcalloc(1, sizeof *m);
	bool first = true;
	int rc = js_open(j, '[', e), more = 0;
	while (rc == 0 && (more = js_item(j, &first, e)) > 0) {
		struct str l, r;
		size_t rank = n + (size_t)m->n;
		if (rank + BATCH >= cap) {
			cap = cap ? 2 * cap : 4096;
			v = xrealloc(v, cap * sizeof *v);
		}
		rc = read_pair(j, (uint32_t)rank, &l, &r, e);
		/* old files carry the "#version" line of merges.txt along */
		if (rc == 0 && rank == 0 && str_starts(l, STR("#version")))
			continue;
		if (rc == 0)
			rc = rank < TOK_MAX_ID ? batch_add(t, j, m, l, r, (uint32_t)rank, e)
					       : js_fail(j, e, "too many merges");
		if (rc == 0 && m->n == BATCH)
			rc = batch_run(t, j, m, v, &n, e);
	}
	if (more < 0)
		rc = -1;
	if (rc == 0)
		rc = batch_run(t, j, m, v, &n, e);
	if (rc == 0)
		index_merges(t, v, n);
	free(v);
	free(m);
	return rc;
}

/* ---- the object ---- */

static int read_dropout(struct js *j, struct err *e)
{
	struct str s;
	if (js_skip(j, &s, e) < 0)
		return -1;
	bool zero = s.n > 0 && s.p[0] == '0';
	for (size_t i = 0; i < s.n; i++)
		zero &= s.p[i] == '0' || s.p[i] == '.';
	if (str_is(s, "null") || zero)
		return 0;
	return err_set(e, E_UNSUPPORTED, "%s: model.dropout %.*s makes encoding random, which is not supported",
		       j->name, str_shown(s), s.p);
}

int bpe_load(struct tokenizer *t, struct js *j, struct err *e)
{
	struct bpe *b = &t->bpe;
	b->v = &t->voc;
	struct str key, skipped, merges = { NULL, 0 };
	const char *merges_at = NULL;
	bool first = true, has, vocab = false, prefix = false, done = false;
	int more;
	if (js_open(j, '{', e) < 0)
		return -1;
	while ((more = js_member(j, &first, &key, e)) > 0) {
		int rc;
		if (str_is(key, "dropout")) {
			rc = read_dropout(j, e);
		} else if (str_is(key, "unk_token")) {
			rc = model_text(t, j, &b->has_unk, &b->unk_token, e);
		} else if (str_is(key, "continuing_subword_prefix")) {
			rc = model_text(t, j, &has, &b->prefix, e);
			prefix = true;
		} else if (str_is(key, "end_of_word_suffix")) {
			rc = model_text(t, j, &has, &b->suffix, e);
		} else if (str_is(key, "fuse_unk")) {
			rc = model_flag(j, "fuse_unk", &b->fuse_unk, e);
		} else if (str_is(key, "byte_fallback")) {
			rc = model_flag(j, "byte_fallback", &b->fallback, e);
		} else if (str_is(key, "ignore_merges")) {
			rc = model_flag(j, "ignore_merges", &b->ignore_merges, e);
		} else if (str_is(key, "vocab")) {
			rc = vocab ? js_fail(j, e, "model.vocab stands twice") : vocab_read(t, j, e);
			vocab = true;
		} else if (str_is(key, "merges")) {
			if (merges.p || done)
				return js_fail(j, e, "model.merges stands twice");
			js_peek(j);
			merges_at = j->p;
			done = vocab && prefix;
			rc = done ? read_merges(t, j, e) : js_skip(j, &merges, e);
		} else {
			rc = js_skip(j, &skipped, e);
		}
		if (rc < 0)
			return -1;
		if (b->prefix.n > TOK_MAX_AFFIX || b->suffix.n > TOK_MAX_AFFIX)
			return js_fail(j, e, "continuing_subword_prefix and end_of_word_suffix may have %d bytes",
				       TOK_MAX_AFFIX);
	}
	if (more < 0)
		return -1;
	if (!vocab || (!done && !merges.p))
		return err_set(e, E_FORMAT, "%s: model has no %s", t->name, vocab ? "merges" : "vocab");
	if (!done) {
		struct js k = *j;
		k.p = merges_at;
		return read_merges(t, &k, e);
	}
	return 0;
}

/* ---- preparation ---- */

static void prepare_chars(struct tokenizer *t)
{
	struct bpe *b = &t->bpe;
	b->char_id = ARENA_ARRAY(&t->a, 0x110000 >> 8, int32_t *);
	for (uint32_t id = 0; id < b->v->ntok; id++) {
		size_t i = 0;
		if (!b->v->tok[id].n || b->v->tok[id].n > 4)
			continue;
		uint32_t cp = utf8_next(b->v->tok[id], &i);
		if (i != b->v->tok[id].n)
			continue;
		int32_t **page = &b->char_id[cp >> 8];
		if (!*page) {
			*page = ARENA_ARRAY(&t->a, 256, int32_t);
			for (int k = 0; k < 256; k++)
				(*page)[k] = -1;
		}
		(*page)[cp & 255] = (int32_t)id;
	}
}

static void prepare_fallback(struct tokenizer *t)
{
	struct bpe *b = &t->bpe;
	for (int k = 0; k < 256; k++) {
		char s[8];
		snprintf(s, sizeof s, "<0x%02X>", (unsigned)k);
		b->fallback_id[k] = vocab_find(b->v, str_of(s));
	}
}

/* Raw bytes instead of their stand-ins: only when every byte has a token, else the strange rules for missing ones apply. */
static void prepare_bytes(struct tokenizer *t)
{
	struct bpe *b = &t->bpe;
	if (!t->byte_level_last || b->prefix.n || b->suffix.n)
		return;
	for (int k = 0; k < 256; k++) {
		uint32_t cp = tok_byte_char[k];
		b->byte_id[k] = b->char_id[cp >> 8] ? b->char_id[cp >> 8][cp & 255] : -1;
		if (b->byte_id[k] < 0)
			return;
	}
	size_t total = 0;
	for (uint32_t id = 0; id < b->v->ntok; id++)
		total += b->v->tok[id].n + 1;
	char *pool = arena_alloc(&t->a, total);
	b->raw = ARENA_ARRAY(&t->a, b->v->ntok, struct str);
	strmap_init(&b->rawmap, &t->a, b->v->count);
	for (uint32_t id = 0; id < b->v->ntok; id++) {
		size_t n = 0, i = 0;
		int byte = 0;
		while (i < b->v->tok[id].n && (byte = tok_char_byte(utf8_next(b->v->tok[id], &i))) >= 0)
			pool[n++] = (char)byte;
		if (byte < 0 || !n) /* not spelled in stand-ins: no text can be this token */
			continue;
		int32_t other;
		b->raw[id] = (struct str){ pool, n };
		strmap_put(&b->rawmap, b->raw, (int32_t)id, &other);
		pool += n;
	}
	b->bytes = true;
}

static uint32_t last_char(struct str s)
{
	size_t i = s.n - 1;
	while (i > 0 && ((unsigned char)s.p[i] & 0xc0) == 0x80)
		i--;
	return utf8_next(s, &i);
}

void edge_init(struct tokenizer *t, size_t merges)
{
	int bits = 10;
	while (bits < 22 && (size_t)1 << bits < 8 * merges)
		bits++;
	t->bpe.edge = ARENA_ARRAY(&t->a, (size_t)1 << (bits - 6), uint64_t);
	t->bpe.edge_shift = 64 - bits;
}

void edge_put(struct bpe *b, uint32_t l, uint32_t r)
{
	if (l < 128 && r < 128) {
		b->edge_ascii[l][r >> 6] |= 1ull << (r & 63);
		return;
	}
	uint64_t h = edge_hash(b, l, r);
	b->edge[h >> 6] |= 1ull << (h & 63);
}

enum { EMPTY = 0x110000 }; /* of struct ends: no character */

static void prepare_edges(struct tokenizer *t)
{
	struct bpe *b = &t->bpe;
	if (b->bytes || b->prefix.n || b->suffix.n)
		return;
	edge_init(t, b->merge_mask / 2);
	struct ends *ends = xmalloc(b->v->ntok * sizeof *ends);
	for (uint32_t id = 0; id < b->v->ntok; id++) {
		struct str s = b->v->tok[id];
		size_t k = 0;
		ends[id] = s.n ? (struct ends){ utf8_next(s, &k), last_char(s) } : (struct ends){ EMPTY, EMPTY };
	}
	for (size_t i = 0; i <= b->merge_mask; i++) {
		uint64_t key = b->merge[i].key;
		if (key == UINT64_MAX)
			continue;
		uint32_t l = ends[key >> 32].tail, r = ends[(uint32_t)key].head;
		if (l != EMPTY && r != EMPTY)
			edge_put(b, l, r);
	}
	free(ends);
}

int bpe_finish(struct tokenizer *t, struct err *e)
{
	struct bpe *b = &t->bpe;
	(void)e;
	b->unk = b->has_unk ? vocab_find(b->v, b->unk_token) : -1;
	b->whole = ARENA_ARRAY(&t->a, b->v->ntok, _Atomic unsigned char);
	prepare_chars(t);
	prepare_fallback(t);
	prepare_bytes(t);
	if (b->bytes)
		chars_prepare(t);
	prepare_edges(t);
	if (b->bytes || !b->ignore_merges) /* else a word's tokens depend on what stands around it */
		b->cache.line = xcalloc((size_t)1 << CACHE_BITS, sizeof *b->cache.line);
	return 0;
}
