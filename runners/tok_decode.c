/* tok_decode.c - decoders: a list of tokens back to text.
 *
 * A decoder maps a list of strings to another one; what is left is joined. ByteLevel and ByteFallback may meet bytes that
 * are no UTF-8 (a token can hold half a character): ByteLevel replaces as Rust's from_utf8_lossy does, one U+FFFD for each
 * maximal part; ByteFallback puts one U+FFFD for each byte token of a run that is not valid as a whole.
 *
 * Refuses: components it does not know, by name (CTC, of speech models, is one).
 */
#include "runners/text/utf8.h"
#include "runners/tok_int.h"

static int dec_byte_level(struct arena *a, const struct dec *d, struct str **tok, size_t *n, struct err *e)
{
	(void)d;
	(void)e;
	size_t total = 0, m = 0;
	for (size_t i = 0; i < *n; i++)
		total += (*tok)[i].n;
	char *p = arena_alloc(a, total + 1);
	for (size_t i = 0; i < *n; i++) {
		struct str s = (*tok)[i];
		size_t at = m;
		for (size_t k = 0; k < s.n;) {
			int b = tok_char_byte(utf8_next(s, &k));
			if (b < 0) { /* one strange character: the whole token stands for itself */
				memcpy(p + at, s.p, s.n);
				m = at + s.n;
				break;
			}
			p[m++] = (char)b;
		}
	}
	struct str *out = ARENA_NEW(a, struct str);
	*out = utf8_clean(a, (struct str){ p, m });
	*tok = out;
	*n = 1;
	return 0;
}

/* The byte of "<0xHH>", -1: another token. Rust's number parser takes a plus sign for the first digit. */
static int fallback_byte(struct str s)
{
	if (s.n != 6 || memcmp(s.p, "<0x", 3) != 0 || s.p[5] != '>')
		return -1;
	int v = 0;
	for (int i = 3; i < 5; i++) {
		int c = s.p[i], h = c >= '0' && c <= '9' ? c - '0'
				    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
									 : -1;
		if (h < 0 && !(i == 3 && c == '+'))
			return -1;
		v = v * 16 + (h < 0 ? 0 : h);
	}
	return v;
}

static int dec_byte_fallback(struct arena *a, const struct dec *d, struct str **tok, size_t *n, struct err *e)
{
	(void)d;
	(void)e;
	struct str *out = ARENA_ARRAY(a, *n + 1, struct str);
	char *bytes = arena_alloc(a, *n + 1);
	size_t m = 0, run = 0;
	for (size_t i = 0; i <= *n; i++) {
		int b = i < *n ? fallback_byte((*tok)[i]) : -1;
		if (b >= 0) {
			bytes[run++] = (char)b;
			continue;
		}
		if (run && utf8_valid((struct str){ bytes, run }))
			out[m++] = arena_str(a, bytes, run);
		else
			for (size_t k = 0; k < run; k++)
				out[m++] = STR("\xef\xbf\xbd");
		run = 0;
		if (i < *n)
			out[m++] = (*tok)[i];
	}
	*tok = out;
	*n = m;
	return 0;
}

static int dec_metaspace(struct arena *a, const struct dec *d, struct str **tok, size_t *n, struct err *e)
{
	(void)e;
	struct str *out = ARENA_ARRAY(a, *n, struct str);
	for (size_t i = 0; i < *n; i++) {
		struct str s = (*tok)[i];
		char *p = arena_alloc(a, s.n + 1);
		size_t m = 0;
		for (size_t k = 0; k < s.n;) {
			size_t at = k;
			if (utf8_next(s, &k) != d->cp) {
				memcpy(p + m, s.p + at, k - at);
				m += k - at;
			} else if (i > 0 || d->scheme == NEVER) {
				p[m++] = ' ';
			}
		}
		out[i] = (struct str){ p, m };
	}
	*tok = out;
	return 0;
}

static int dec_fuse(struct arena *a, const struct dec *d, struct str **tok, size_t *n, struct err *e)
{
	(void)d;
	(void)e;
	size_t total = 0, m = 0;
	for (size_t i = 0; i < *n; i++)
		total += (*tok)[i].n;
	char *p = arena_alloc(a, total + 1);
	for (size_t i = 0; i < *n; i++) {
		memcpy(p + m, (*tok)[i].p, (*tok)[i].n);
		m += (*tok)[i].n;
	}
	struct str *out = ARENA_NEW(a, struct str);
	*out = (struct str){ p, m };
	*tok = out;
	*n = 1;
	return 0;
}

static int dec_strip(struct arena *a, const struct dec *d, struct str **tok, size_t *n, struct err *e)
{
	(void)e;
	struct str *out = ARENA_ARRAY(a, *n, struct str);
	char c[4];
	size_t len = utf8_put(d->cp, c);
	for (size_t i = 0; i < *n; i++) {
		struct str s = (*tok)[i];
		for (size_t k = 0; k < d->start && str_starts(s, (struct str){ c, len }); k++) {
			s.p += len;
			s.n -= len;
		}
		for (size_t k = 0; k < d->stop && str_ends(s, (struct str){ c, len }); k++)
			s.n -= len;
		out[i] = s;
	}
	*tok = out;
	return 0;
}

static int dec_replace(struct arena *a, const struct dec *d, struct str **tok, size_t *n, struct err *e)
{
	struct str *out = ARENA_ARRAY(a, *n, struct str);
	struct scan sc = { NULL, NULL, NULL };
	int rc = 0;
	for (size_t i = 0; i < *n && rc >= 0; i++) {
		struct str s = (*tok)[i];
		struct buf b = { NULL, 0, 0 };
		size_t done = 0, from, to;
		struct rxscan r;
		rxscan_begin(&r, d->rx, s);
		while (s.n && (rc = rxscan_next(&r, &sc, &from, &to, e)) > 0) {
			buf_add(&b, s.p + done, from - done);
			buf_str(&b, d->text);
			done = to;
		}
		rxscan_end(&r);
		if (done || b.n) {
			buf_add(&b, s.p + done, s.n - done);
			s = arena_str(a, b.p, b.n);
		}
		buf_fini(&b);
		out[i] = s;
	}
	scan_fini(&sc);
	*tok = out;
	return rc < 0 ? -1 : 0;
}

/* s with every `from` turned into `to`, as Rust's str::replace has it: an empty one stands around each character. */
static struct str replace_all(struct arena *a, struct str s, struct str from, struct str to)
{
	struct buf b = { NULL, 0, 0 };
	size_t done = 0;
	for (size_t i = 0; i + from.n <= s.n;) {
		if (memcmp(s.p + i, from.p, from.n) != 0) {
			i++;
			continue;
		}
		buf_add(&b, s.p + done, i - done);
		buf_str(&b, to);
		done = i;
		if (!from.n && i < s.n)
			utf8_next(s, &i);
		else
			i += from.n ? from.n : 1;
		done += from.n;
	}
	if (done || b.n) {
		buf_add(&b, s.p + done, s.n - done);
		s = arena_str(a, b.p ? b.p : "", b.n);
	}
	buf_fini(&b);
	return s;
}

/* Blanks that English does not have. tokenizers shortens "do not" too, transformers does not. */
static struct str clean_up(struct arena *a, struct str s, bool do_not)
{
	static const char *const rows[][2] = {
		{ " .", "." },	   { " ?", "?" },     { " !", "!" },	       { " ,", "," },
		{ " ' ", "'" },	   { " n't", "n't" }, { " 'm", "'m" },	       { " do not", " don't" },
		{ " 's", "'s" },   { " 've", "'ve" }, { " 're", "'re" },
	};
	for (size_t k = 0; k < sizeof rows / sizeof rows[0] && s.n && memchr(s.p, ' ', s.n); k++)
		if (do_not || strcmp(rows[k][0], " do not") != 0)
			s = replace_all(a, s, str_of(rows[k][0]), str_of(rows[k][1]));
	return s;
}

static int dec_word_piece(struct arena *a, const struct dec *d, struct str **tok, size_t *n, struct err *e)
{
	(void)e;
	struct str *out = ARENA_ARRAY(a, *n, struct str);
	for (size_t i = 0; i < *n; i++) {
		struct str s = (*tok)[i];
		if (i > 0 && str_starts(s, d->text)) {
			s = (struct str){ s.p + d->text.n, s.n - d->text.n };
		} else if (i > 0) {
			char *p = arena_alloc(a, s.n + 1);
			p[0] = ' ';
			if (s.n)
				memcpy(p + 1, s.p, s.n);
			s = (struct str){ p, s.n + 1 };
		}
		out[i] = d->cleanup ? clean_up(a, s, true) : s;
	}
	*tok = out;
	return 0;
}

static int dec_bpe(struct arena *a, const struct dec *d, struct str **tok, size_t *n, struct err *e)
{
	(void)e;
	struct str *out = ARENA_ARRAY(a, *n, struct str);
	for (size_t i = 0; i < *n; i++)
		out[i] = replace_all(a, (*tok)[i], d->text, i + 1 < *n ? STR(" ") : STR(""));
	*tok = out;
	return 0;
}

int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, int n, bool skip_special, struct arena *a,
		     struct str *out, struct err *e)
{
	struct arena scratch;
	arena_init(&scratch);
	struct str *tok = ARENA_ARRAY(&scratch, (size_t)(n > 0 ? n : 0) * 2 + 1,
				      struct str); /* blanks between, without a decoder */
	size_t m = 0;
	for (int i = 0; i < n; i++) {
		const struct added *ad = added_by_id(t, ids[i]);
		struct str s = ad ? ad->normal : tokenizer_token(t, ids[i]);
		/* tokenizers asks whether the string it would show is a special token's: one changed by normalizing is not */
		const struct added *shown =
			ad && !str_eq(ad->normal, ad->content) ? added_by_id(t, tokenizer_id(t, ad->normal)) : ad;
		if (!s.p || (skip_special && shown && shown->special))
			continue; /* an id without a token says nothing */
		if (!t->has_decoder && m)
			tok[m++] = STR(" ");
		tok[m++] = s;
	}
	int rc = 0;
	for (size_t i = 0; i < t->ndec && rc == 0; i++)
		rc = t->dec[i].run(&scratch, &t->dec[i], &tok, &m, e);
	if (rc == 0) {
		dec_fuse(&scratch, NULL, &tok, &m, e);
		struct str s = t->clean_up ? clean_up(&scratch, tok[0], false) : tok[0];
		*out = arena_str(a, s.p, s.n);
	}
	arena_fini(&scratch);
	return rc;
}

/* ---- loading ---- */

/* Metaspace as pre-tokenizer and decoder: its character and when it is put in front. */
int metaspace_scheme(struct tokenizer *t, struct value v, const char *where, enum scheme *out, uint32_t *cp,
		     struct str *text, struct err *e)
{
	static const char *const schemes[] = { "always", "first", "never", NULL };
	struct str rep, s;
	bool prefix;
	if (comp_str(t, v, where, "replacement", &rep, e) < 0)
		return -1;
	size_t i = 0;
	*cp = rep.n ? utf8_next(rep, &i) : 0;
	if (!rep.n || i != rep.n)
		return err_set(e, E_FORMAT, "%s: %s: replacement must be one character", t->name, where);
	*text = rep;
	*out = ALWAYS;
	if (v_getc(v, "prepend_scheme")) {
		int k = 0;
		if (comp_str(t, v, where, "prepend_scheme", &s, e) < 0)
			return -1;
		while (schemes[k] && !str_is(s, schemes[k]))
			k++;
		if (!schemes[k])
			return comp_unknown(t, "prepend_scheme", s, schemes, e);
		*out = (enum scheme)k;
	}
	if (comp_bool(t, v, where, "add_prefix_space", 1, &prefix, e) < 0)
		return -1;
	if (!prefix) {
		if (v_getc(v, "prepend_scheme") && *out != NEVER)
			return err_set(e, E_FORMAT, "%s: %s: add_prefix_space contradicts prepend_scheme", t->name,
				       where);
		*out = NEVER;
	}
	return 0;
}

static int read_count(struct tokenizer *t, struct value v, const char *key, size_t *out, struct err *e)
{
	const struct value *c = v_getc(v, key);
	if (!c || c->type != V_INT || c->i < 0)
		return err_set(e, E_FORMAT, "%s: decoder Strip: %s must be a whole number from 0 up", t->name, key);
	*out = (size_t)c->i;
	return 0;
}

static int load_metaspace(struct tokenizer *t, struct dec *d, struct value v, struct err *e)
{
	return metaspace_scheme(t, v, "decoder Metaspace", &d->scheme, &d->cp, &d->text, e);
}

static int load_replace(struct tokenizer *t, struct dec *d, struct value v, struct err *e)
{
	return comp_str(t, v, "decoder Replace", "content", &d->text, e) < 0
		       ? -1
		       : comp_pattern(t, v, "decoder Replace", &d->rx, e);
}

static int load_strip(struct tokenizer *t, struct dec *d, struct value v, struct err *e)
{
	if (comp_str(t, v, "decoder Strip", "content", &d->text, e) < 0)
		return -1;
	size_t i = 0;
	d->cp = d->text.n ? utf8_next(d->text, &i) : 0;
	if (!d->text.n || i != d->text.n)
		return err_set(e, E_FORMAT, "%s: decoder Strip: content must be one character", t->name);
	return read_count(t, v, "start", &d->start, e) < 0 ? -1 : read_count(t, v, "stop", &d->stop, e);
}

static int load_word_piece(struct tokenizer *t, struct dec *d, struct value v, struct err *e)
{
	return comp_str(t, v, "decoder WordPiece", "prefix", &d->text, e) < 0
		       ? -1
		       : comp_bool(t, v, "decoder WordPiece", "cleanup", -1, &d->cleanup, e);
}

static int load_bpe(struct tokenizer *t, struct dec *d, struct value v, struct err *e)
{
	return comp_str(t, v, "decoder BPEDecoder", "suffix", &d->text, e);
}

static int dec_one(struct tokenizer *t, struct value v, struct str type, struct err *e)
{
	static const struct {
		const char *name;
		int (*run)(struct arena *, const struct dec *, struct str **, size_t *, struct err *);
		int (*load)(struct tokenizer *, struct dec *, struct value, struct err *); /* NULL: no options */
	} kinds[] = {
		{ "ByteLevel", dec_byte_level, NULL },
		{ "ByteFallback", dec_byte_fallback, NULL },
		{ "Metaspace", dec_metaspace, load_metaspace },
		{ "WordPiece", dec_word_piece, load_word_piece },
		{ "BPEDecoder", dec_bpe, load_bpe },
		{ "Fuse", dec_fuse, NULL },
		{ "Strip", dec_strip, load_strip },
		{ "Replace", dec_replace, load_replace },
	};
	enum { N = sizeof kinds / sizeof kinds[0] };
	const char *words[N + 2] = { NULL };
	if (t->ndec == TOK_MAX_COMPONENTS)
		return err_set(e, E_LIMIT, "%s: more than %d decoders", t->name, TOK_MAX_COMPONENTS);
	for (size_t k = 0; k < N; k++) {
		words[k] = kinds[k].name;
		if (!str_is(type, kinds[k].name))
			continue;
		struct dec *d = &t->dec[t->ndec++];
		d->run = kinds[k].run;
		return kinds[k].load ? kinds[k].load(t, d, v, e) : 0;
	}
	words[N] = "Sequence";
	return comp_unknown(t, "decoder", type, words, e);
}

int dec_load(struct tokenizer *t, struct value v, struct err *e)
{
	t->has_decoder = v.type != V_NONE && v.type != V_UNDEFINED;
	return comp_each(t, v, "decoder", "decoders", dec_one, 0, e);
}
