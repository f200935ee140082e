/* tok_pre.c - pre-tokenizers: where a text is cut before the model sees it.
 *
 * Every stage gets a piece and hands each of its parts to the next stage at once. What is cut is described by matches
 * (of a pattern, or of characters with a property) and by one of five behaviors of tokenizers:
 *     "the-final--countdown" at "-":
 *     Removed             the final countdown
 *     Isolated            the - final - - countdown
 *     MergedWithPrevious  the- final- - countdown
 *     MergedWithNext      the -final - -countdown
 *     Contiguous          the - final -- countdown
 *
 * Refuses: components it does not know, by name.
 */
#include "runners/text/uniprop.h"
#include "runners/text/utf8.h"
#include "runners/tok_int.h"

int pre_run(struct enc *x, size_t stage, struct piece pc)
{
	if (!pc.n)
		return 0;
	if (stage == x->t->npre)
		return x->t->kind->piece(x, pc);
	return x->t->pre[stage].run(x, stage, pc);
}

/* ---- cutting ---- */

/* Folds the stream of (part, is it a match?) by a behavior; `from == to` parts are possible (empty matches). */
struct cut {
	struct enc *x;
	size_t stage;
	struct piece pc;
	enum behavior behavior;
	bool has, prev;
	size_t from, to; /* the part that waits for its neighbour */
};

static int put(struct cut *c, size_t from, size_t to)
{
	return pre_run(c->x, c->stage + 1, piece_slice(c->pc, from, to));
}

static int part(struct cut *c, size_t from, size_t to, bool match)
{
	switch (c->behavior) {
	case ISOLATED:
		return put(c, from, to);
	case REMOVED:
		return match ? 0 : put(c, from, to);
	case MERGED_WITH_NEXT: /* a match waits; text behind it joins it */
		if (c->has && !match) {
			c->has = false;
			return put(c, c->from, to);
		}
		if (!match)
			return put(c, from, to);
		if (c->has && put(c, c->from, c->to) < 0)
			return -1;
		break;
	case MERGED_WITH_PREVIOUS:
	case CONTIGUOUS: {
		bool join = c->has && (c->behavior == CONTIGUOUS ? match == c->prev : match && !c->prev);
		c->prev = match;
		if (join) {
			c->to = to;
			return 0;
		}
		if (c->has && put(c, c->from, c->to) < 0)
			return -1;
		break;
	}
	}
	c->has = true;
	c->from = from;
	c->to = to;
	return 0;
}

/* The next match at or after *pos: 1, 0: none. */
static int next_match(struct rxscan *r, struct enc *x, const struct pre *p, struct str s, size_t *pos, size_t *from, size_t *to)
{
	int rc = 0;
	if (p->scan)
		return scanner_next(p->scan, s, pos, from, to);
	if (p->rx)
		return rxscan_next(r, &x->scan, from, to, x->e);
	while (*pos < s.n && !rc) {
		*from = *pos;
		rc = p->match(utf8_next(s, pos), p);
	}
	*to = *pos;
	return rc;
}

static int cut_run(struct enc *x, size_t stage, struct piece pc)
{
	const struct pre *p = &x->t->pre[stage];
	struct cut c = { .x = x, .stage = stage, .pc = pc, .behavior = p->behavior };
	struct str s = { pc.p, pc.n };
	struct rxscan r;
	size_t done = 0, pos = 0, from = 0, to = 0;
	int rc;
	if (p->rx && !p->scan)
		rxscan_begin(&r, p->rx, s);
	while ((rc = next_match(&r, x, p, s, &pos, &from, &to)) > 0) {
		if ((done != from && part(&c, done, from, p->invert) < 0) || part(&c, from, to, !p->invert) < 0) {
			rc = -1;
			break;
		}
		done = to;
	}
	if (p->rx && !p->scan)
		rxscan_end(&r);
	if (rc < 0 || (done != s.n && part(&c, done, s.n, p->invert) < 0))
		return -1;
	return c.has ? put(&c, c.from, c.to) : 0;
}

/* ---- characters that match ---- */

static bool is_numeric(uint32_t c, const struct pre *p)
{
	(void)p;
	return uni_props(c) & UNI_NUMERIC;
}

static bool is_punctuation(uint32_t c, const struct pre *p)
{
	(void)p;
	return uni_props(c) & UNI_PUNCT;
}

static bool is_white(uint32_t c, const struct pre *p)
{
	(void)p;
	return uni_props(c) & UNI_SPACE;
}

static bool is_same(uint32_t c, const struct pre *p)
{
	return c == p->cp;
}

/* Whitespace: the pattern \w+|[^\w\s]+ of Rust's regex, whose \w has the joiners too. */
static int words_run(struct enc *x, size_t stage, struct piece pc)
{
	struct str s = { pc.p, pc.n };
	size_t from = 0, i = 0;
	int kind = 0; /* of the run from..i: 0 white, 1 word, 2 other */
	while (i < s.n) {
		size_t at = i;
		uint32_t c = utf8_next(s, &i);
		int k = uni_is_rust_word(c) ? 1 : uni_props(c) & UNI_SPACE ? 0 : 2;
		if (k == kind)
			continue;
		if (kind && pre_run(x, stage + 1, piece_slice(pc, from, at)) < 0)
			return -1;
		kind = k;
		from = at;
	}
	return kind ? pre_run(x, stage + 1, piece_slice(pc, from, s.n)) : 0;
}

/* ---- Metaspace ---- */

static int metaspace_run(struct enc *x, size_t stage, struct piece pc)
{
	const struct pre *p = &x->t->pre[stage];
	if (norm_replace(x, &pc, p->rx, p->text) < 0)
		return -1;
	bool starts = str_starts((struct str){ pc.p, pc.n }, p->text);
	if (!starts && (p->scheme == ALWAYS || (p->scheme == FIRST && pc.o == 0)))
		norm_prepend(x, &pc, p->text);
	if (!p->split)
		return pre_run(x, stage + 1, pc);
	struct cut c = { .x = x, .stage = stage, .pc = pc, .behavior = MERGED_WITH_NEXT };
	struct str s = { pc.p, pc.n };
	size_t done = 0;
	for (size_t i = 0; i < s.n;) {
		size_t from = i;
		if (!is_same(utf8_next(s, &i), p))
			continue;
		if ((done != from && part(&c, done, from, false) < 0) || part(&c, from, i, true) < 0)
			return -1;
		done = i;
	}
	if (done != s.n && part(&c, done, s.n, false) < 0)
		return -1;
	return c.has ? put(&c, c.from, c.to) : 0;
}

/* ---- ByteLevel ---- */

/* Bytes as their printable characters. Only where BPE cannot take raw bytes (see bpe.bytes). */
static int spell_bytes(struct enc *x, struct piece *pc)
{
	char *p = arena_alloc(&x->scratch, pc->n * 2 + 1);
	struct span *al = x->track ? ARENA_ARRAY(&x->scratch, pc->n * 2 + 1, struct span) : NULL;
	struct str s = { pc->p, pc->n };
	size_t n = 0;
	for (size_t i = 0; i < s.n;) {
		size_t at = i;
		utf8_next(s, &i);
		struct span sp = pc->al ? pc->al[at] : (struct span){ pc->o + (uint32_t)at, pc->o + (uint32_t)i };
		for (size_t k = at; k < i; k++) {
			size_t len = utf8_put(tok_byte_char[(unsigned char)s.p[k]], p + n);
			for (size_t m = 0; al && m < len; m++)
				al[n + m] = sp;
			n += len;
		}
	}
	*pc = (struct piece){ p, n, al, pc->o };
	return 0;
}

/* The part of ByteLevel behind its pattern. */
static int bytes_run(struct enc *x, size_t stage, struct piece pc)
{
	if (!x->t->bpe.bytes && spell_bytes(x, &pc) < 0)
		return -1;
	return pre_run(x, stage + 1, pc);
}

static int prefix_run(struct enc *x, size_t stage, struct piece pc)
{
	if (pc.p[0] != ' ' && norm_prepend(x, &pc, STR(" ")) < 0)
		return -1;
	return pre_run(x, stage + 1, pc);
}

/* ---- FixedLength, UnicodeScripts ---- */

static int fixed_length_run(struct enc *x, size_t stage, struct piece pc)
{
	struct str s = { pc.p, pc.n };
	for (size_t i = 0; i < s.n;) {
		size_t from = i;
		for (size_t k = 0; k < x->t->pre[stage].length && i < s.n; k++)
			utf8_next(s, &i);
		if (pre_run(x, stage + 1, piece_slice(pc, from, i)) < 0)
			return -1;
	}
	return 0;
}

/* Cuts where the script changes. What stands before the first character that has a script is dropped, as tokenizers does. */
static int scripts_run(struct enc *x, size_t stage, struct piece pc)
{
	struct str s = { pc.p, pc.n };
	size_t from = 0;
	int last = 0;
	for (size_t i = 0; i < s.n;) {
		size_t at = i;
		int script = class_script(utf8_next(s, &i));
		if (!script || script == last)
			continue;
		if (last && pre_run(x, stage + 1, piece_slice(pc, from, at)) < 0)
			return -1;
		last = script;
		from = at;
	}
	return last ? pre_run(x, stage + 1, piece_slice(pc, from, s.n)) : 0;
}

/* ---- loading ---- */

static const char *const behaviors[] = { "Removed", "Isolated", "MergedWithPrevious",
					 "MergedWithNext", "Contiguous", NULL };

static int read_behavior(struct tokenizer *t, struct value v, const char *where, enum behavior *out, struct err *e)
{
	struct str s;
	if (comp_str(t, v, where, "behavior", &s, e) < 0)
		return -1;
	for (int k = 0; behaviors[k]; k++)
		if (str_is(s, behaviors[k])) {
			*out = (enum behavior)k;
			return 0;
		}
	return comp_unknown(t, "behavior of a pre-tokenizer", s, behaviors, e);
}

static struct pre *push(struct tokenizer *t, int (*run)(struct enc *, size_t, struct piece))
{
	struct pre *p = &t->pre[t->npre++];
	*p = (struct pre){ .run = run };
	return p;
}

static int pre_byte_level(struct tokenizer *t, struct value v, struct err *e)
{
	bool prefix, regex;
	if (comp_bool(t, v, "pre-tokenizer ByteLevel", "add_prefix_space", -1, &prefix, e) < 0 ||
	    comp_bool(t, v, "pre-tokenizer ByteLevel", "use_regex", 1, &regex, e) < 0)
		return -1;
	if (prefix)
		push(t, prefix_run);
	if (regex) {
		struct pre *p = push(t, cut_run);
		p->behavior = ISOLATED;
		p->scan = scanner_find(&t->a, str_of(scanner_pattern(SCANNER_GPT2)));
	}
	push(t, bytes_run);
	return 0;
}

static int pre_split(struct tokenizer *t, struct value v, struct err *e)
{
	struct pre *p = push(t, cut_run);
	if (comp_bool(t, v, "pre-tokenizer Split", "invert", -1, &p->invert, e) < 0 ||
	    read_behavior(t, v, "pre-tokenizer Split", &p->behavior, e) < 0)
		return -1;
	const struct value *pattern = v_getc(v, "pattern");
	const struct value *r = pattern && pattern->type == V_DICT && pattern->dict->n == 1 ? v_getc(*pattern, "Regex") : NULL;
	if (r && r->type == V_STR && (p->scan = scanner_find(&t->a, r->s)))
		return 0;
	return comp_pattern(t, v, "pre-tokenizer Split", &p->rx, e);
}

static int pre_metaspace(struct tokenizer *t, struct value v, struct err *e)
{
	struct pre *p = push(t, metaspace_run);
	if (metaspace_scheme(t, v, "pre-tokenizer Metaspace", &p->scheme, &p->cp, &p->text, e) < 0 ||
	    comp_bool(t, v, "pre-tokenizer Metaspace", "split", 1, &p->split, e) < 0)
		return -1;
	t->needs_track |= p->scheme == FIRST;
	return tokrx_open(&p->rx, STR(" "), true, e);
}

static int pre_digits(struct tokenizer *t, struct value v, struct err *e)
{
	bool each;
	struct pre *p = push(t, cut_run);
	p->match = is_numeric;
	if (comp_bool(t, v, "pre-tokenizer Digits", "individual_digits", -1, &each, e) < 0)
		return -1;
	p->behavior = each ? ISOLATED : CONTIGUOUS;
	return 0;
}

static int pre_punctuation(struct tokenizer *t, struct value v, struct err *e)
{
	struct pre *p = push(t, cut_run);
	p->match = is_punctuation;
	p->behavior = ISOLATED;
	return v_getc(v, "behavior") ? read_behavior(t, v, "pre-tokenizer Punctuation", &p->behavior, e) : 0;
}

static int pre_whitespace(struct tokenizer *t, struct value v, struct err *e)
{
	(void)v;
	(void)e;
	push(t, words_run);
	return 0;
}

static int pre_whitespace_split(struct tokenizer *t, struct value v, struct err *e)
{
	(void)v;
	(void)e;
	struct pre *p = push(t, cut_run);
	p->behavior = REMOVED;
	p->match = is_white;
	return 0;
}

static int pre_bert(struct tokenizer *t, struct value v, struct err *e)
{
	(void)v;
	(void)e;
	struct pre *p = push(t, cut_run);
	p->behavior = REMOVED;
	p->match = is_white;
	p = push(t, cut_run);
	p->behavior = ISOLATED;
	p->match = is_punctuation;
	return 0;
}

static int pre_delimiter(struct tokenizer *t, struct value v, struct err *e)
{
	struct str s;
	struct pre *p = push(t, cut_run);
	size_t i = 0;
	p->behavior = REMOVED;
	p->match = is_same;
	if (comp_str(t, v, "pre-tokenizer CharDelimiterSplit", "delimiter", &s, e) < 0)
		return -1;
	p->cp = s.n ? utf8_next(s, &i) : 0;
	return s.n && i == s.n ? 0 : err_set(e, E_FORMAT, "%s: pre-tokenizer CharDelimiterSplit: delimiter must be one character", t->name);
}

static int pre_fixed_length(struct tokenizer *t, struct value v, struct err *e)
{
	struct pre *p = push(t, fixed_length_run);
	const struct value *n = v_getc(v, "length");
	p->length = 5;
	if (n && (n->type != V_INT || n->i < 1))
		return err_set(e, E_FORMAT, "%s: pre-tokenizer FixedLength: length must be a whole number from 1 up", t->name);
	if (n)
		p->length = (size_t)n->i;
	return 0;
}

static int pre_scripts(struct tokenizer *t, struct value v, struct err *e)
{
	(void)v;
	(void)e;
	push(t, scripts_run);
	return 0;
}

static int pre_one(struct tokenizer *t, struct value v, struct str type, struct err *e)
{
	static const struct {
		const char *name;
		int (*load)(struct tokenizer *t, struct value v, struct err *e);
	} kinds[] = {
		{ "ByteLevel", pre_byte_level },
		{ "Metaspace", pre_metaspace },
		{ "Split", pre_split },
		{ "Digits", pre_digits },
		{ "Punctuation", pre_punctuation },
		{ "Whitespace", pre_whitespace },
		{ "WhitespaceSplit", pre_whitespace_split },
		{ "BertPreTokenizer", pre_bert },
		{ "CharDelimiterSplit", pre_delimiter },
		{ "UnicodeScripts", pre_scripts },
		{ "FixedLength", pre_fixed_length },
	};
	enum { N = sizeof kinds / sizeof kinds[0] };
	if (t->npre + 3 > TOK_MAX_COMPONENTS)
		return err_set(e, E_LIMIT, "%s: more than %d pre-tokenizers", t->name, TOK_MAX_COMPONENTS / 3);
	const char *words[N + 2] = { NULL };
	for (size_t k = 0; k < N; k++) {
		if (str_is(type, kinds[k].name))
			return kinds[k].load(t, v, e);
		words[k] = kinds[k].name;
	}
	words[N] = "Sequence";
	return comp_unknown(t, "pre-tokenizer", type, words, e);
}

int pre_load(struct tokenizer *t, struct value v, struct err *e)
{
	if (comp_each(t, v, "pre-tokenizer", "pretokenizers", pre_one, 0, e) < 0)
		return -1;
	t->byte_level_last = t->npre && t->pre[t->npre - 1].run == bytes_run;
	for (size_t i = 0; i + 1 < t->npre; i++)
		if (t->pre[i].run == bytes_run)
			t->byte_level_last = false;
	return 0;
}
