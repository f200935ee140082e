/* tok_word.c - WordPiece and WordLevel: models that look whole words up.
 *
 * WordLevel: a word is a token or unknown. WordPiece (Schuster & Nakajima 2012, as BERT runs it): the longest token that
 * begins the word, then the longest one of the rest with a prefix ("##") in front, and so on; where nothing fits, or the
 * word has too many characters, all of it is one unknown token. Words come from the pre-tokenizer.
 *
 * Refuses: a model without the members that tokenizers asks for, texts that need an unknown token that is not in the
 * vocabulary.
 */
#include <stdlib.h>

#include "runners/text/utf8.h"
#include "runners/tok_int.h"

static int unknown(struct enc *x, struct piece pc)
{
	const struct words *w = &x->t->words;
	if (w->unk < 0)
		return err_set(x->e, E_FORMAT,
			       "%s: the text needs the unknown token '%.*s', which is not in the vocabulary",
			       x->t->name, str_shown(w->unk_token), w->unk_token.p);
	return enc_token(x, w->unk, pc, 0, pc.n, NULL);
}

int wordlevel_piece(struct enc *x, struct piece pc)
{
	int32_t id = vocab_find(&x->t->voc, (struct str){ pc.p, pc.n });
	return id < 0 ? unknown(x, pc) : enc_token(x, id, pc, 0, pc.n, NULL);
}

int wordpiece_piece(struct enc *x, struct piece pc)
{
	const struct words *w = &x->t->words;
	struct str s = { pc.p, pc.n };
	size_t start = x->n, from = 0;
	if (pc.n > w->max_chars && utf8_len(s) > w->max_chars)
		return unknown(x, pc);
	while (from < s.n) {
		uint32_t at = from ? w->prefix_at : 0;
		size_t to = from;
		int32_t id = -1;
		for (size_t k = from; k < s.n && (!from || w->continues) && pieces_step(&w->pieces, &at, s.p[k]); k++)
			if (w->pieces.cell[at].id >= 0) {
				id = w->pieces.cell[at].id;
				to = k + 1;
			}
		if (id < 0) {
			x->n = start;
			return unknown(x, pc);
		}
		if (enc_token(x, id, pc, from, to, NULL) < 0)
			return -1;
		from = to;
	}
	return 0;
}

/* ---- loading ---- */

enum { UNK = 1, PREFIX = 2, MAX_CHARS = 4, VOCAB = 8 };

static int load(struct tokenizer *t, struct js *j, unsigned wanted, struct err *e)
{
	static const char *const names[] = { "unk_token", "continuing_subword_prefix", "max_input_chars_per_word",
					     "vocab" };
	struct words *w = &t->words;
	struct str key, s;
	unsigned seen = 0;
	bool first = true, has = true;
	int more;
	if (js_open(j, '{', e) < 0)
		return -1;
	while ((more = js_member(j, &first, &key, e)) > 0) {
		unsigned k = 0;
		while (k < 4 && !(str_is(key, names[k]) && (wanted >> k & 1)))
			k++;
		if (k < 4 && (seen >> k & 1))
			return js_fail(j, e, "model.%s stands twice", names[k]);
		seen |= k < 4 ? 1u << k : 0;
		uint32_t max = 0;
		int rc = k == 0	  ? model_text(t, j, &has, &w->unk_token, e)
			 : k == 1 ? model_text(t, j, &has, &w->prefix, e)
			 : k == 2 ? js_uint(j, UINT32_MAX, &max, e)
			 : k == 3 ? vocab_read(t, j, e)
				  : js_skip(j, &s, e);
		if (rc < 0)
			return -1;
		if (!has)
			return js_fail(j, e, "model.%s must be a string", names[k]);
		if (k == 2)
			w->max_chars = max;
	}
	for (unsigned k = 0; more == 0 && k < 4; k++)
		if ((wanted & ~seen) >> k & 1)
			return err_set(e, E_FORMAT, "%s: model has no %s", t->name, names[k]);
	return more < 0 ? -1 : 0;
}

int wordpiece_load(struct tokenizer *t, struct js *j, struct err *e)
{
	return load(t, j, UNK | PREFIX | MAX_CHARS | VOCAB, e);
}

int wordlevel_load(struct tokenizer *t, struct js *j, struct err *e)
{
	return load(t, j, UNK | VOCAB, e);
}

int wordlevel_finish(struct tokenizer *t, struct err *e)
{
	(void)e;
	t->words.unk = vocab_find(&t->voc, t->words.unk_token);
	return 0;
}

int wordpiece_finish(struct tokenizer *t, struct err *e)
{
	struct words *w = &t->words;
	w->unk = vocab_find(&t->voc, w->unk_token);
	if (pieces_build(t, &w->pieces, e) < 0)
		return -1;
	w->continues = true;
	for (size_t i = 0; i < w->prefix.n && w->continues; i++)
		w->continues = pieces_step(&w->pieces, &w->prefix_at, w->prefix.p[i]);
	return 0;
}
