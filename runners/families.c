/* families.c - the list of architectures (`assay list families`) and how one is found.
 *
 * One row a family, data only, in families_*.c. A new family is a row there, a golden vector, and a paragraph in MODELS.md; it is
 * listed only once its logits agree with the reference implementation's in double precision (tests/test_families.c).
 *
 * Facts: the model code and released checkpoints of each family. Names given are those of the released checkpoints.
 */
#include "runners/families_int.h"

#include <stdio.h>
#include <string.h>

static const struct family *const tables[] = { families_llama, families_gpt, families_moe, families_recurrent, families_gemma, families_mla, families_vision };
#define TABLES (sizeof tables / sizeof tables[0])
#define MAX_WORDS 1024

/* Models of several kinds of input around a language model that is a family of its own: text_config's model_type says which. */
static const struct wrapper wrappers[] = {
	{ "internvl", "InternVL: a language model of the family that text_config names", { "InternVLForConditionalGeneration" } },
	{ "llava", "LLaVA 1.5: a language model of the family that text_config names", { "LlavaForConditionalGeneration" } },
	{ "llava_next", "LLaVA 1.6: a language model of the family that text_config names", { "LlavaNextForConditionalGeneration" } },
	{ "llava_onevision", "LLaVA OneVision: a language model of the family that text_config names", { "LlavaOnevisionForConditionalGeneration" } },
	{ "mistral3", "Mistral Small 3.1 and later, Ministral 3: the family that text_config names", { "Mistral3ForConditionalGeneration" } },
	{ .name = NULL },
};

const struct family *family_at(int i)
{
	for (size_t t = 0; t < TABLES; t++)
		for (const struct family *f = tables[t]; f->name; f++)
			if (i-- == 0)
				return f;
	return NULL;
}

const struct wrapper *family_wrapper_at(int i)
{
	return wrappers[i].name ? &wrappers[i] : NULL;
}

int family_find(const struct family **out, const char *architecture, const char *model_type, struct err *e)
{
	for (const struct wrapper *w = wrappers; w->name && architecture && model_type; w++)
		if (!strcmp(w->architectures[0], architecture))
			architecture = NULL;
	const char *words[MAX_WORDS + 1], *word = architecture ? architecture : model_type;
	char hint[200];
	size_t nwords = 0;

	for (int i = 0; family_at(i); i++) {
		const struct family *f = family_at(i);
		const char *const *list = architecture ? f->architectures : f->model_types;
		for (int j = 0; j < 4 && list[j] && word; j++) {
			if (!strcmp(list[j], word)) {
				*out = f;
				return 0;
			}
			if (nwords < MAX_WORDS)
				words[nwords++] = list[j];
		}
	}
	for (const struct wrapper *w = wrappers; w->name && architecture && nwords < MAX_WORDS; w++)
		words[nwords++] = w->architectures[0];
	words[nwords] = NULL;
	if (!word)
		return err_set(e, E_FORMAT, "neither 'architectures' nor 'model_type' says what the model is");
	return err_set(e, E_UNSUPPORTED, "%s '%.100s' is not known%s ('assay list families' names all that are)",
		       architecture ? "architecture" : "model_type", word, err_hint(hint, sizeof hint, word, words));
}

const struct role_name *family_role(const struct family *f, enum role r)
{
	for (const struct role_name *n = f->names; n->role != R_END; n++)
		if (n->role == r)
			return n;
	return NULL;
}

bool family_match(const char *pattern, struct str s)
{
	size_t i = 0;
	for (; *pattern; pattern++) {
		if (*pattern == '*') { /* only at the end of a pattern */
			return true;
		} else if (pattern[0] == '{' && pattern[1] == '}') {
			size_t from = i;
			while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
				i++;
			if (i == from)
				return false;
			pattern++;
		} else if (i >= s.n || s.p[i++] != *pattern) {
			return false;
		}
	}
	return i == s.n;
}
