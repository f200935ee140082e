/* tok_norm.c - normalizers: text to the text that is cut and looked up, with the way back to the original.
 *
 * A normalizer yields characters, each with a change: 0 it replaces the next character of the old text, 1 it is new (it
 * belongs to the character before it), -k it replaces one and swallows the k after it. From these follow the spans, as
 * `NormalizedString::transform` of tokenizers has it. NFC of e + U+0301 therefore points at the e alone.
 *
 * Normal forms come from utf8proc's data, character by character (Unicode Standard, 3.11), because spans are needed; text
 * without any character that a form could change or combine is recognized first and left alone.
 *
 * Refuses: components it does not know, by name.
 */
#include <utf8proc.h>

#include "runners/text/uniprop.h"
#include "runners/text/utf8.h"
#include "runners/tok_int.h"

void edits_add(struct edits *ed, uint32_t cp, int32_t change)
{
	if (ed->n == ed->cap) {
		ed->cap = ed->cap ? 2 * ed->cap : 64;
		ed->v = xrealloc(ed->v, ed->cap * sizeof *ed->v);
	}
	ed->v[ed->n++] = (struct edit){ cp, change };
}

/* The spans of a piece that is a plain part of the original: each byte of a character has the whole character. */
static const struct span *spans(struct enc *x, struct piece pc)
{
	if (pc.al || !x->track)
		return pc.al;
	struct span *al = ARENA_ARRAY(&x->scratch, pc.n + 1, struct span);
	struct str s = { pc.p, pc.n };
	for (size_t i = 0; i < pc.n;) {
		size_t at = i;
		utf8_next(s, &i);
		for (size_t k = at; k < i; k++)
			al[k] = (struct span){ pc.o + (uint32_t)at, pc.o + (uint32_t)i };
	}
	return al;
}

static size_t char_len(struct piece pc, size_t i)
{
	size_t k = i;
	if (i >= pc.n)
		return 0;
	utf8_next((struct str){ pc.p, pc.n }, &k);
	return k - i;
}

/* Applies edits to the whole piece; `skip` characters were removed at its beginning. */
void norm_edit(struct enc *x, struct piece *pc, const struct edits *ed, size_t skip)
{
	const struct span *old = spans(x, *pc);
	char *p = arena_alloc(&x->scratch, ed->n * 4 + 1);
	struct span *al = old ? ARENA_ARRAY(&x->scratch, ed->n * 4 + 1, struct span) : NULL;
	uint32_t first = old && pc->n ? old[0].s : pc->o;
	size_t n = 0, off = 0;
	for (; skip > 0 && off < pc->n; skip--)
		off += char_len(*pc, off);
	for (size_t i = 0; i < ed->n; i++) {
		size_t len = utf8_put(ed->v[i].cp, p + n);
		if (al) {
			struct span s = { first, first };
			if (ed->v[i].change <= 0)
				s = off < pc->n ? old[off] : s;
			else if (off > 0)
				s = old[off - 1];
			for (size_t k = 0; k < len; k++)
				al[n + k] = s;
		}
		n += len;
		for (int32_t k = ed->v[i].change; k <= 0; k++)
			off += char_len(*pc, off);
	}
	*pc = (struct piece){ p, n, al, al && n ? al[0].s : first };
}

/* ---- normal forms ---- */

/* Could any normal form change a text at this character? No for blocks whose characters neither decompose nor combine. */
static bool is_inert(uint32_t c, bool compat)
{
	if (c < 0x80)
		return true;
	if (compat)
		return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3041 && c <= 0x304a);
	return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x400 && c <= 0x44f && c != 0x400 && c != 0x401 && c != 0x403 &&
						c != 0x407 && (c < 0x40c || c > 0x40e) && c != 0x419 && c != 0x439);
}

static bool is_normal_already(struct piece pc, const char *form)
{
	bool composed = form[strlen(form) - 1] == 'C', compat = form[2] == 'K';
	struct str s = { pc.p, pc.n };
	size_t i = 0;
	while (i < s.n) {
		if (!(s.p[i] & 0x80)) {
			i++;
			continue;
		}
		uint32_t c = utf8_next(s, &i);
		if (is_inert(c, compat))
			continue;
		/* composed forms leave Latin and Cyrillic letters, Hangul syllables and general punctuation as they are */
		if (composed && !compat &&
		    (c < 0x300 || (c >= 0x400 && c < 0x483) || (c >= 0xac00 && c <= 0xd7a3) ||
		     (c >= 0x2010 && c <= 0x2027) || (c >= 0x3001 && c <= 0x3029) || (c >= 0xff01 && c <= 0xffdc)))
			continue;
		return false;
	}
	return true;
}

/* Newer than the Unicode version whose normal forms tokenizers computes. What older characters decompose to and combine with
 * never changes (Unicode's stability policy), so this test makes every version of utf8proc give the same. */
static bool is_late(uint32_t c)
{
	return !(uni_props(c) & UNI_AGE9);
}

static uint32_t ccc(uint32_t c)
{
	return c < 0x300 || is_late(c) ? 0 : (uint32_t)utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
}

/* Stable sort of a run of combining marks by class. */
static void sort_marks(struct edit *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct edit x = v[i];
		uint32_t c = ccc(x.cp);
		size_t j = i;
		for (; j > 0 && ccc(v[j - 1].cp) > c; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

static void decompose(struct str s, bool compat, struct edits *ed)
{
	utf8proc_option_t option = (utf8proc_option_t)(UTF8PROC_DECOMPOSE | (compat ? UTF8PROC_COMPAT : 0));
	size_t run = 0; /* start of the current run of marks */
	for (size_t i = 0; i < s.n;) {
		utf8proc_int32_t d[32];
		uint32_t c = utf8_next(s, &i);
		int bound = 0;
		utf8proc_ssize_t n = -1;
		if (c >= 0x80 && !is_late(c))
			n = utf8proc_decompose_char((utf8proc_int32_t)c, d, 32, option, &bound);
		if (n < 1 || n > 32) {
			d[0] = (utf8proc_int32_t)c;
			n = 1;
		}
		for (utf8proc_ssize_t k = 0; k < n; k++) {
			if (ccc((uint32_t)d[k]) == 0) {
				if (ed->n > run)
					sort_marks(ed->v + run, ed->n - run);
				edits_add(ed, (uint32_t)d[k], k > 0);
				run = ed->n;
			} else {
				edits_add(ed, (uint32_t)d[k], k > 0);
			}
		}
	}
	if (ed->n > run)
		sort_marks(ed->v + run, ed->n - run);
}

/* The primary composite of a and b, 0: none. */
static uint32_t composite(uint32_t a, uint32_t b)
{
	if (b < 0x300 || b == 0x11a7) /* one below the first final jamo: it joins nothing, though utf8proc swallows it */
		return 0;
	utf8proc_int32_t v[2] = { (utf8proc_int32_t)a, (utf8proc_int32_t)b };
	if (utf8proc_normalize_utf32(v, 2, (utf8proc_option_t)(UTF8PROC_COMPOSE | UTF8PROC_STABLE)) != 1 ||
	    is_late((uint32_t)v[0]))
		return 0;
	return (uint32_t)v[0];
}

static void compose(struct edits *ed)
{
	size_t starter = SIZE_MAX, w = 0;
	uint32_t last = 0; /* class of the last mark kept behind the starter; 0: none */
	for (size_t i = 0; i < ed->n; i++) {
		struct edit x = ed->v[i];
		uint32_t c = ccc(x.cp);
		if (starter != SIZE_MAX && (last == 0 || last < c)) { /* nothing between them blocks x */
			uint32_t r = composite(ed->v[starter].cp, x.cp);
			if (r) {
				ed->v[starter].cp = r;
				ed->v[starter].change += x.change - 1;
				continue;
			}
		}
		ed->v[w] = x;
		if (c == 0) {
			starter = w;
			last = 0;
		} else {
			last = c;
		}
		w++;
	}
	ed->n = w;
}

int norm_form(struct enc *x, const struct norm *n, struct piece *pc)
{
	if (is_normal_already(*pc, n->form))
		return 0;
	struct edits ed = { NULL, 0, 0 };
	decompose((struct str){ pc->p, pc->n }, n->form[2] == 'K', &ed);
	if (n->form[strlen(n->form) - 1] == 'C')
		compose(&ed);
	norm_edit(x, pc, &ed, 0);
	free(ed.v);
	return 0;
}

/* ---- the others ---- */

int norm_lower(struct enc *x, const struct norm *n, struct piece *pc)
{
	(void)n;
	struct edits ed = { NULL, 0, 0 };
	struct str s = { pc->p, pc->n };
	for (size_t i = 0; i < s.n;) {
		uint32_t c = utf8_next(s, &i);
		if (c == 0x130) { /* the one character whose lower case has two */
			edits_add(&ed, 'i', 0);
			edits_add(&ed, 0x307, 1);
		} else {
			edits_add(&ed, uni_rust_lower(c), 0);
		}
	}
	norm_edit(x, pc, &ed, 0);
	free(ed.v);
	return 0;
}

static bool is_white(uint32_t c)
{
	return uni_props(c) & UNI_SPACE;
}

static int norm_strip(struct enc *x, const struct norm *n, struct piece *pc)
{
	(void)x;
	struct str s = { pc->p, pc->n };
	size_t from = 0, to = 0;
	for (size_t i = 0; n->left && i < s.n && is_white(utf8_next(s, &i));)
		from = i;
	for (size_t i = from; i < s.n;)
		if (!is_white(utf8_next(s, &i)))
			to = i;
	*pc = piece_slice(*pc, from, n->right ? to < from ? from : to : s.n);
	return 0;
}

int norm_prepend(struct enc *x, struct piece *pc, struct str s)
{
	if (!pc->n)
		return 0;
	const struct span *old = spans(x, *pc);
	char *p = arena_alloc(&x->scratch, pc->n + s.n + 1);
	memcpy(p, s.p, s.n);
	memcpy(p + s.n, pc->p, pc->n);
	struct span *al = NULL;
	if (old) {
		al = ARENA_ARRAY(&x->scratch, pc->n + s.n, struct span);
		for (size_t i = 0; i < s.n; i++)
			al[i] = old[0];
		memcpy(al + s.n, old, pc->n * sizeof *al);
	}
	*pc = (struct piece){ p, pc->n + s.n, al, pc->o };
	return 0;
}

static int norm_do_prepend(struct enc *x, const struct norm *n, struct piece *pc)
{
	return norm_prepend(x, pc, n->text);
}

int norm_replace(struct enc *x, struct piece *pc, const struct tokrx *rx, struct str content)
{
	struct str s = { pc->p, pc->n };
	const struct span *old = NULL;
	struct span *al = NULL;
	char *p = NULL;
	size_t n = 0, cap = 0, done = 0, from, to;
	struct rxscan r;
	int rc = 0;
	rxscan_begin(&r, rx, s);
	while (s.n && (rc = rxscan_next(&r, &x->scan, &from, &to, x->e)) > 0) {
		size_t need = n + (s.n - done) + content.n + 1;
		if (need > cap) { /* room for everything that may still follow when matches do not grow much */
			cap = need + need / 2;
			if (cap > TOK_MAX_TEXT) {
				rc = err_set(x->e, E_LIMIT, "the text grows beyond %d bytes when it is normalized",
					     TOK_MAX_TEXT);
				break;
			}
			char *q = arena_alloc(&x->scratch, cap);
			if (n)
				memcpy(q, p, n);
			p = q;
			if (x->track) {
				old = old ? old : spans(x, *pc);
				struct span *more = ARENA_ARRAY(&x->scratch, cap, struct span);
				if (n)
					memcpy(more, al, n * sizeof *more);
				al = more;
			}
		}
		memcpy(p + n, s.p + done, from - done);
		if (al) {
			memcpy(al + n, old + done, (from - done) * sizeof *al);
			struct span sp = to > 0 ? old[to - 1] : (struct span){ old[0].s, old[0].s };
			for (size_t i = 0; i < content.n; i++)
				al[n + (from - done) + i] = sp;
		}
		n += from - done;
		memcpy(p + n, content.p, content.n);
		n += content.n;
		done = to;
	}
	rxscan_end(&r);
	if (rc < 0 || !p)
		return rc;
	memcpy(p + n, s.p + done, s.n - done);
	if (al)
		memcpy(al + n, old + done, (s.n - done) * sizeof *al);
	n += s.n - done;
	*pc = (struct piece){ p, n, al, al && n ? al[0].s : pc->o };
	return 0;
}

static int norm_do_replace(struct enc *x, const struct norm *n, struct piece *pc)
{
	return norm_replace(x, pc, n->rx, n->text);
}

int norm_run(struct enc *x, struct piece *pc)
{
	for (size_t i = 0; i < x->t->nnorm; i++)
		if (x->t->norm[i].run(x, &x->t->norm[i], pc) < 0)
			return -1;
	return 0;
}

/* ---- loading ---- */

static int load_strip(struct tokenizer *t, struct norm *n, struct value v, struct err *e)
{
	return comp_bool(t, v, "normalizer Strip", "strip_left", -1, &n->left, e) < 0
		       ? -1
		       : comp_bool(t, v, "normalizer Strip", "strip_right", -1, &n->right, e);
}

static int load_prepend(struct tokenizer *t, struct norm *n, struct value v, struct err *e)
{
	if (comp_str(t, v, "normalizer Prepend", "prepend", &n->text, e) < 0)
		return -1;
	return n->text.n ? 0 : err_set(e, E_UNSUPPORTED, "%s: normalizer Prepend prepends nothing", t->name);
}

static int load_replace(struct tokenizer *t, struct norm *n, struct value v, struct err *e)
{
	return comp_str(t, v, "normalizer Replace", "content", &n->text, e) < 0
		       ? -1
		       : comp_pattern(t, v, "normalizer Replace", &n->rx, e);
}

static const struct {
	const char *name;
	int (*run)(struct enc *x, const struct norm *n, struct piece *pc);
	int (*load)(struct tokenizer *t, struct norm *n, struct value v, struct err *e); /* NULL: it has no options */
} kinds[] = {
	{ "NFC", norm_form, NULL },
	{ "NFD", norm_form, NULL },
	{ "NFKC", norm_form, NULL },
	{ "NFKD", norm_form, NULL },
	{ "Lowercase", norm_lower, NULL },
	{ "Strip", norm_strip, load_strip },
	{ "StripAccents", norm_strip_accents, NULL },
	{ "Prepend", norm_do_prepend, load_prepend },
	{ "Replace", norm_do_replace, load_replace },
	{ "Precompiled", norm_charsmap, charsmap_load },
	{ "BertNormalizer", norm_bert, norm_bert_load },
	{ "Nmt", norm_nmt, NULL },
	{ "ByteLevel", norm_bytes, NULL },
};
enum { NKINDS = sizeof kinds / sizeof kinds[0] };

static int norm_one(struct tokenizer *t, struct value v, struct str type, struct err *e)
{
	const char *words[NKINDS + 2] = { NULL };
	if (t->nnorm == TOK_MAX_COMPONENTS)
		return err_set(e, E_LIMIT, "%s: more than %d normalizers", t->name, TOK_MAX_COMPONENTS);
	for (size_t k = 0; k < NKINDS; k++) {
		words[k] = kinds[k].name;
		if (!str_is(type, kinds[k].name))
			continue;
		struct norm *n = &t->norm[t->nnorm++];
		n->run = kinds[k].run;
		n->form = kinds[k].name;
		return kinds[k].load ? kinds[k].load(t, n, v, e) : 0;
	}
	words[NKINDS] = "Sequence";
	return comp_unknown(t, "normalizer", type, words, e);
}

int norm_load(struct tokenizer *t, struct value v, struct err *e)
{
	return comp_each(t, v, "normalizer", "normalizers", norm_one, 0, e);
}
