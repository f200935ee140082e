/* tok_bert.c - normalizers that keep, drop or change single characters: BertNormalizer, StripAccents, Nmt, ByteLevel.
 *
 * BertNormalizer (Devlin et al. 2018): control characters go and white space becomes a blank, Chinese characters get blanks
 * around them, accents go (after NFD; when strip_accents is null, with lowercase), letters become small. A character that is
 * dropped belongs, in offsets, to the one before it.
 */
#include <stdlib.h>

#include "runners/text/uniprop.h"
#include "runners/text/utf8.h"
#include "runners/tok_int.h"

/* One pass: to() gives what a character becomes, DROP for nothing. */
enum { DROP = 0x110000 };

static void filter(struct enc *x, struct piece *pc, uint32_t (*to)(uint32_t c))
{
	struct edits ed = { NULL, 0, 0 };
	struct str s = { pc->p, pc->n };
	size_t skip = 0;
	bool changed = false;
	for (size_t i = 0; i < s.n;) {
		uint32_t c = utf8_next(s, &i), d = to(c);
		changed |= c != d;
		if (d != DROP)
			edits_add(&ed, d, 0);
		else if (ed.n)
			ed.v[ed.n - 1].change--;
		else
			skip++;
	}
	if (changed)
		norm_edit(x, pc, &ed, ed.n ? skip : 0);
	free(ed.v);
}

static uint32_t clean(uint32_t c)
{
	uint64_t props = uni_props(c);
	return props & UNI_CONTROL ? DROP : props & UNI_SPACE ? ' ' : c;
}

static uint32_t no_nonspacing(uint32_t c)
{
	return class_nonspacing(c) ? DROP : c;
}

static uint32_t no_combining(uint32_t c)
{
	return uni_props(c) & UNI_ACCENT ? DROP : c;
}

static uint32_t nmt(uint32_t c)
{
	if ((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f)
		return DROP;
	if (c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) || c == 0x2028 ||
	    c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd)
		return ' ';
	return c;
}

static bool is_chinese(uint32_t c)
{
	static const uint32_t rows[][2] = {
		{ 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },   { 0xf900, 0xfaff },	  { 0x20000, 0x2a6df },
		{ 0x2a700, 0x2b81f }, { 0x2b920, 0x2ceaf }, { 0x2f800, 0x2fa1f },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0] && c >= rows[i][0]; i++)
		if (c <= rows[i][1])
			return true;
	return false;
}

static void set_apart_chinese(struct enc *x, struct piece *pc)
{
	struct edits ed = { NULL, 0, 0 };
	struct str s = { pc->p, pc->n };
	bool any = false;
	for (size_t i = 0; i < s.n && !any;)
		any = is_chinese(utf8_next(s, &i));
	for (size_t i = 0; any && i < s.n;) {
		uint32_t c = utf8_next(s, &i);
		bool chinese = is_chinese(c);
		if (chinese)
			edits_add(&ed, ' ', 0);
		edits_add(&ed, c, chinese);
		if (chinese)
			edits_add(&ed, ' ', 1);
	}
	if (any)
		norm_edit(x, pc, &ed, 0);
	free(ed.v);
}

int norm_bert(struct enc *x, const struct norm *n, struct piece *pc)
{
	static const struct norm nfd = { .form = "NFD" };
	if (n->clean)
		filter(x, pc, clean);
	if (n->chinese)
		set_apart_chinese(x, pc);
	if (n->accents) {
		norm_form(x, &nfd, pc);
		filter(x, pc, no_nonspacing);
	}
	return n->lower ? norm_lower(x, n, pc) : 0;
}

int norm_bert_load(struct tokenizer *t, struct norm *n, struct value v, struct err *e)
{
	static const char where[] = "normalizer BertNormalizer";
	return comp_bool(t, v, where, "clean_text", -1, &n->clean, e) < 0 ||
			       comp_bool(t, v, where, "handle_chinese_chars", -1, &n->chinese, e) < 0 ||
			       comp_bool(t, v, where, "lowercase", -1, &n->lower, e) < 0 ||
			       comp_bool(t, v, where, "strip_accents", n->lower, &n->accents, e) < 0
		       ? -1
		       : 0;
}

int norm_strip_accents(struct enc *x, const struct norm *n, struct piece *pc)
{
	(void)n;
	filter(x, pc, no_combining);
	return 0;
}

int norm_nmt(struct enc *x, const struct norm *n, struct piece *pc)
{
	(void)n;
	filter(x, pc, nmt);
	return 0;
}

int norm_bytes(struct enc *x, const struct norm *n, struct piece *pc)
{
	(void)n;
	struct edits ed = { NULL, 0, 0 };
	struct str s = { pc->p, pc->n };
	for (size_t i = 0; i < s.n; i++)
		edits_add(&ed, tok_byte_char[(unsigned char)s.p[i]], ((unsigned char)s.p[i] & 0xc0) == 0x80);
	norm_edit(x, pc, &ed, 0);
	free(ed.v);
	return 0;
}
