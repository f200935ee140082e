/* tok_added.c - added tokens: strings that are cut out of the text before anything else looks at it.
 *
 * Two tries, as tokenizers has it: tokens with normalized=false are searched in the raw text, the others, normalized
 * themselves, in the normalized pieces between. The leftmost match wins, of several there the longest. A match that
 * single_word rejects still uses up its text. lstrip and rstrip take the white space beside a token along.
 *
 * Refuses: added tokens whose id differs from what tokenizers would give them (the vocabulary's, else the next free one):
 * that program warns and goes on with ids that the model was not trained on.
 */
#include <stdlib.h>

#include "runners/text/uniprop.h"
#include "runners/text/utf8.h"
#include "runners/tok_files.h"

static int32_t new_node(struct trie *tr, unsigned char byte)
{
	if (tr->n == tr->cap) {
		tr->cap = tr->cap ? 2 * tr->cap : 64;
		tr->node = xrealloc(tr->node, (size_t)tr->cap * sizeof *tr->node);
	}
	tr->node[tr->n] = (struct trie_node){ byte, -1, -1, -1 };
	return tr->n++;
}

static void trie_init(struct trie *tr)
{
	for (int i = 0; i < 256; i++)
		tr->root[i] = -1;
}

static void trie_add(struct trie *tr, struct str s, int32_t token)
{
	unsigned char b = (unsigned char)s.p[0];
	if (tr->root[b] < 0) {
		int32_t n = new_node(tr, b);
		tr->root[b] = n;
	}
	int32_t at = tr->root[b];
	for (size_t i = 1; i < s.n; i++) {
		b = (unsigned char)s.p[i];
		int32_t c = tr->node[at].child;
		while (c >= 0 && tr->node[c].byte != b)
			c = tr->node[c].sibling;
		if (c < 0) {
			c = new_node(tr, b);
			tr->node[c].sibling = tr->node[at].child;
			tr->node[at].child = c;
		}
		at = c;
	}
	tr->node[at].token = token;
}

/* The longest token that begins at s.p[i]: its length, 0 for none. */
static size_t longest(const struct trie *tr, struct str s, size_t i, int32_t *token)
{
	size_t len = 0;
	int32_t at = tr->root[(unsigned char)s.p[i]];
	for (size_t k = i + 1; at >= 0; k++) {
		if (tr->node[at].token >= 0) {
			len = k - i;
			*token = tr->node[at].token;
		}
		if (k >= s.n)
			break;
		at = tr->node[at].child;
		while (at >= 0 && tr->node[at].byte != (unsigned char)s.p[k])
			at = tr->node[at].sibling;
	}
	return len;
}

static bool is_white(uint32_t c)
{
	return uni_props(c) & UNI_SPACE;
}

/* The character that ends at byte i > 0, and where it begins. */
static uint32_t char_before(struct str s, size_t i, size_t *from)
{
	size_t at = i - 1;
	while (at > 0 && ((unsigned char)s.p[at] & 0xc0) == 0x80)
		at--;
	*from = at;
	return utf8_next(s, &at);
}

static uint32_t char_at(struct str s, size_t i)
{
	return utf8_next(s, &i);
}

static bool single(struct str s, size_t from, size_t to)
{
	size_t at;
	return (from == 0 || !uni_is_rust_word(char_before(s, from, &at))) && (to == s.n || !uni_is_rust_word(char_at(s, to)));
}

int added_scan(struct enc *x, const struct trie *tr, struct piece pc, int (*rest)(struct enc *x, struct piece pc))
{
	struct str s = { pc.p, pc.n };
	size_t done = 0;
	if (!tr->n)
		return pc.n ? rest(x, pc) : 0;
	for (size_t i = 0; i < s.n;) {
		int32_t token = -1;
		size_t len = tr->root[(unsigned char)s.p[i]] < 0 ? 0 : longest(tr, s, i, &token);
		if (!len) {
			i++;
			continue;
		}
		const struct added *a = &x->t->added[token];
		size_t from = i, to = i + len;
		i = to;
		if (a->single_word && !single(s, from, to))
			continue;
		if (a->lstrip) {
			size_t at;
			while (from > done && is_white(char_before(s, from, &at)))
				from = at;
		}
		if (a->rstrip)
			for (size_t k = to; k < s.n && is_white(utf8_next(s, &k));)
				to = k;
		if (done < from && rest(x, piece_slice(pc, done, from)) < 0)
			return -1;
		struct str value = { s.p + from, to - from };
		if (enc_token(x, a->id, pc, from, to, &value) < 0)
			return -1;
		done = to;
	}
	return done < s.n ? rest(x, piece_slice(pc, done, s.n)) : 0;
}

struct added *added_find(const struct tokenizer *t, struct str content)
{
	uint32_t h = str_hash(content.p, content.n);
	for (uint32_t k = h & t->added_map.mask; t->nadded && t->added_map.slot[k].id >= 0; k = (k + 1) & t->added_map.mask)
		if (t->added_map.slot[k].hash == h && str_eq(t->added[t->added_map.slot[k].id].content, content))
			return &t->added[t->added_map.slot[k].id];
	return NULL;
}

const struct added *added_by_id(const struct tokenizer *t, int32_t id)
{
	return id >= 0 && id < t->vocab && t->added_of[id] >= 0 ? &t->added[t->added_of[id]] : NULL;
}

/* ---- loading ---- */

static int read_one(struct tokenizer *t, struct value v, struct added *a, struct err *e)
{
	const char *where = "added token";
	if (v.type != V_DICT)
		return err_set(e, E_FORMAT, "%s: added_tokens holds a %s, objects are expected", t->name,
			       v_type_name(v));
	const struct value *id = v_getc(v, "id");
	if (comp_str(t, v, where, "content", &a->content, e) < 0)
		return -1;
	if (!id || id->type != V_INT || id->i < 0 || id->i >= TOK_MAX_ID)
		return err_set(e, E_FORMAT, "%s: added token '%.*s': id must be a whole number from 0 to %d", t->name,
			       str_shown(a->content), a->content.p, TOK_MAX_ID - 1);
	a->id = (int32_t)id->i;
	if (a->content.n > TOK_MAX_TOKEN)
		return err_set(e, E_LIMIT, "%s: an added token has %zu bytes, the limit is %d", t->name, a->content.n,
			       TOK_MAX_TOKEN);
	if (comp_bool(t, v, where, "single_word", -1, &a->single_word, e) < 0 ||
	    comp_bool(t, v, where, "lstrip", -1, &a->lstrip, e) < 0 ||
	    comp_bool(t, v, where, "rstrip", -1, &a->rstrip, e) < 0 ||
	    comp_bool(t, v, where, "normalized", -1, &a->normalized, e) < 0 ||
	    comp_bool(t, v, where, "special", -1, &a->special, e) < 0)
		return -1;
	return 0;
}

static int normalize_content(struct tokenizer *t, struct added *a, struct err *e)
{
	a->normal = a->content;
	if (!a->normalized || !t->nnorm)
		return 0;
	struct enc x = { .t = t, .e = e };
	arena_init(&x.scratch);
	struct piece pc = { a->content.p, a->content.n, NULL, 0 };
	int rc = norm_run(&x, &pc);
	if (rc == 0)
		a->normal = arena_str(&t->a, pc.p, pc.n);
	scan_fini(&x.scan);
	arena_fini(&x.scratch);
	return rc;
}

/* The id that tokenizers gives a token, against the one the file says. */
static int check_id(struct tokenizer *t, const struct added *a, int32_t *next, struct err *e)
{
	int32_t id = vocab_find(&t->voc, a->content);
	if (id < 0) {
		int32_t known = tokenizer_id(t, a->content);
		id = known >= 0 ? known : (*next)++;
	}
	if (id != a->id)
		return err_set(e, E_FORMAT, "%s: added token '%.*s' says id %d, but its place in the vocabulary is %d",
			       t->name, str_shown(a->content), a->content.p, a->id, id);
	return 0;
}

static void map_put(struct strmap *m, uint32_t h, int32_t i)
{
	uint32_t k = h & m->mask;
	while (m->slot[k].id >= 0)
		k = (k + 1) & m->mask;
	m->slot[k] = (struct strslot){ h, i };
}

static void put(struct tokenizer *t, struct added a)
{
	t->added[t->nadded] = a;
	map_put(&t->added_map, str_hash(a.content.p, a.content.n), t->nadded);
	t->nadded++;
}

/* Adds a token of the configuration as tokenizers does: one that is there gets its flags, another the vocabulary's id or the
 * next free one, whatever id the configuration gives it. */
static int add_one(struct tokenizer *t, const struct addtok *w, int32_t *next, int32_t *max, struct err *e)
{
	struct added *old = added_find(t, w->content);
	struct added a = { .content = w->content, .single_word = w->single_word, .lstrip = w->lstrip, .rstrip = w->rstrip,
			   .normalized = w->normalized, .special = w->special };
	if (!a.content.n)
		return 0;
	if (a.content.n > TOK_MAX_TOKEN)
		return err_set(e, E_LIMIT, "%s: an added token of the configuration has %zu bytes, the limit is %d", t->name, a.content.n, TOK_MAX_TOKEN);
	if (normalize_content(t, &a, e) < 0)
		return -1;
	a.id = old ? old->id : vocab_find(&t->voc, a.content);
	if (a.id < 0)
		a.id = (*next)++;
	if (old) {
		a.special |= old->special; /* once special, always */
		*old = a;
	} else {
		put(t, a);
	}
	*max = a.id > *max ? a.id : *max;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct added *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

/* Without added_tokens_decoder, added_tokens.json and tokenizer.json's own tokens stand for it: all by id, its own where both
 * have one. Its own are there already; again they say their flags. */
static int add_legacy(struct tokenizer *t, int32_t *next, int32_t *max, struct err *e)
{
	size_t n = (size_t)t->nadded, i = 0, k = 0;
	struct added *own = xmalloc((n + 1) * sizeof *own);
	int rc = 0;
	if (n)
		memcpy(own, t->added, n * sizeof *own);
	qsort(own, n, sizeof *own, by_id);
	while (rc == 0 && (i < t->ndecoder || k < n)) {
		if (k == n || (i < t->ndecoder && t->legacy_id[i] < own[k].id)) {
			rc = add_one(t, &t->decoder[i++], next, max, e);
			continue;
		}
		struct added *old = added_find(t, own[k].content);
		i += i < t->ndecoder && t->legacy_id[i] == own[k].id;
		own[k].special |= old->special;
		*old = own[k++];
	}
	free(own);
	return rc;
}

static int add_decoder(struct tokenizer *t, int32_t *next, int32_t *max, struct err *e)
{
	if (t->legacy_id)
		return add_legacy(t, next, max, e);
	for (size_t i = 0; i < t->ndecoder; i++)
		if (add_one(t, &t->decoder[i], next, max, e) < 0)
			return -1;
	return 0;
}

/* Named tokens that nothing before has are added; of two with one text the later says the flags. */
static int add_named(struct tokenizer *t, int32_t *next, int32_t *max, struct err *e)
{
	int32_t before = t->nadded;
	for (size_t i = 0; i < t->nnamed; i++) {
		struct added *old = added_find(t, t->named[i].content);
		if (old && t->legacy && i < t->nkeyed)
			old->special = true; /* tokenizer.json stands for added_tokens_decoder */
		if ((!old || old - t->added >= before) && add_one(t, &t->named[i], next, max, e) < 0)
			return -1;
	}
	return 0;
}

int added_load(struct tokenizer *t, struct value list, struct err *e)
{
	trie_init(&t->raw);
	trie_init(&t->normal);
	size_t n = list.type == V_LIST ? list.list->n : 0;
	if (list.type != V_LIST && list.type != V_NONE)
		return err_set(e, E_FORMAT, "%s: added_tokens must be a list", t->name);
	if (n > TOK_MAX_ID)
		return err_set(e, E_LIMIT, "%s: too many added tokens", t->name);
	t->added = ARENA_ARRAY(&t->a, n + t->ndecoder + t->nnamed + 1, struct added);
	strmap_init(&t->added_map, &t->a, n + t->ndecoder + t->nnamed);
	int32_t next = (int32_t)t->voc.count, max = (int32_t)t->voc.ntok - 1;
	for (size_t i = 0; i < n; i++) {
		struct added *a = &t->added[t->nadded];
		if (read_one(t, list.list->v[i], a, e) < 0)
			return -1;
		if (!a->content.n)
			continue;
		if (check_id(t, a, &next, e) < 0 || normalize_content(t, a, e) < 0)
			return -1;
		max = a->id > max ? a->id : max;
		put(t, *a);
	}
	if (add_decoder(t, &next, &max, e) < 0 || add_named(t, &next, &max, e) < 0)
		return -1;
	t->vocab = max + 1;
	t->added_of = ARENA_ARRAY(&t->a, (size_t)t->vocab + 1, int32_t);
	for (int32_t i = 0; i < t->vocab; i++)
		t->added_of[i] = -1;
	for (int32_t i = 0; i < t->nadded; i++) {
		struct added *a = &t->added[i];
		t->added_of[a->id] = i; /* the later of two with one content wins, as in tokenizers */
		if (a->normal.n)
			trie_add(a->normalized ? &t->normal : &t->raw, a->normal, i);
	}
	return 0;
}
