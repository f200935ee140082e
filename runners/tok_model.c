/* tok_model.c - the model object of tokenizer.json: which kind it is, and what all kinds share.
 *
 * Kinds are rows of a table. The object's "type" says which one it is; old files have no type and are told by
 * their members, as tokenizers does. Reading streams: the object is looked through only as far as its type, which is the
 * first member in all known files.
 *
 * Refuses: kinds that are not in the table, by name.
 */
#include "runners/tok_int.h"

static const struct model_kind kinds[] = {
	{ "BPE", { "merges" }, false, bpe_load, bpe_finish, bpe_piece, NULL },
	{ "WordPiece", { "unk_token", "continuing_subword_prefix", "max_input_chars_per_word" }, false, wordpiece_load,
	  wordpiece_finish, wordpiece_piece, NULL },
	{ "WordLevel", { "unk_token" }, false, wordlevel_load, wordlevel_finish, wordlevel_piece, NULL },
	{ "Unigram", { NULL }, true, unigram_load, unigram_finish, unigram_piece, unigram_free },
};
enum { NKINDS = sizeof kinds / sizeof kinds[0] };

int model_flag(struct js *j, const char *key, bool *out, struct err *e)
{
	struct str s;
	if (js_skip(j, &s, e) < 0)
		return -1;
	*out = str_is(s, "true");
	return *out || str_is(s, "false") || str_is(s, "null") ? 0
							       : js_fail(j, e, "model.%s must be true or false", key);
}

/* A string or null. */
int model_text(struct tokenizer *t, struct js *j, bool *has, struct str *out, struct err *e)
{
	struct str s;
	*has = js_peek(j) == '"';
	*out = STR("");
	if (!*has)
		return js_skip(j, &s, e) < 0 ? -1
		       : str_is(s, "null")   ? 0
					     : js_fail(j, e, "a string or null is expected");
	if (js_str(j, &s, e) < 0)
		return -1;
	*out = arena_str(&t->a, s.p, s.n);
	return 0;
}


/* A model without a type: the first kind whose members are all there. seen: one bit for each of its needs. */
static const struct model_kind *by_members(const unsigned seen[NKINDS], bool list)
{
	for (size_t k = 0; k < NKINDS; k++) {
		unsigned all = 0;
		while (all < MODEL_NEEDS && kinds[k].needs[all])
			all++;
		if (kinds[k].list == list && seen[k] == (1u << all) - 1)
			return &kinds[k];
	}
	return NULL;
}

/* The kind of the object at j, which is not moved. */
static int find_kind(struct js j, const struct tokenizer *t, const struct model_kind **out, struct err *e)
{
	const char *words[NKINDS + 1] = { NULL };
	unsigned seen[NKINDS] = { 0 };
	struct str key, s;
	bool first = true, list = false;
	int more;
	for (size_t k = 0; k < NKINDS; k++)
		words[k] = kinds[k].name;
	if (js_open(&j, '{', e) < 0)
		return -1;
	while ((more = js_member(&j, &first, &key, e)) > 0) {
		if (str_is(key, "type")) {
			if (js_str(&j, &s, e) < 0)
				return -1;
			for (size_t k = 0; k < NKINDS; k++)
				if (str_is(s, kinds[k].name)) {
					*out = &kinds[k];
					return 0;
				}
			return comp_unknown(t, "model", s, words, e);
		}
		for (size_t k = 0; k < NKINDS; k++)
			for (unsigned i = 0; i < MODEL_NEEDS && kinds[k].needs[i]; i++)
				if (str_is(key, kinds[k].needs[i]))
					seen[k] |= 1u << i;
		if (str_is(key, "vocab"))
			list = js_peek(&j) == '[';
		if (js_skip(&j, &s, e) < 0)
			return -1;
	}
	*out = by_members(seen, list);
	if (more == 0 && !*out)
		return err_set(e, E_UNSUPPORTED, "%s: model has no type, and its members fit none (vocab with merges makes BPE, a list of pieces Unigram)", t->name);
	return more < 0 ? -1 : 0;
}

int model_load(struct tokenizer *t, struct js *j, struct err *e)
{
	return find_kind(*j, t, &t->kind, e) < 0 ? -1 : t->kind->load(t, j, e);
}
