/* tokenizer.h - text to ids and back, from tokenizer.json, by components.
 *
 * Ids, offsets and decoded text equal Hugging Face `tokenizers`. Offsets are code points of the original text. An unknown
 * component is an error that names it. A tokenizer is read-only once open and may be used by many threads.
 */
#ifndef ASSAY_TOKENIZER_H
#define ASSAY_TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/base/arena.h"
#include "kernels/base/digest.h"
#include "kernels/base/err.h"
#include "kernels/base/str.h"

struct tokenizer;

struct ids {
	int32_t *id;
	int32_t (*offset)[2]; /* NULL unless asked */
	int n;
};

enum { TOK_SPECIAL = 1, TOK_OFFSETS = 2 }; /* add special tokens as the post-processor says; fill offsets */

/* path: a directory that holds tokenizer.json (tokenizer_config.json beside it is honoured), or the file itself. Without a
 * tokenizer.json: tokenizer.model, spiece.model, tiktoken.model, *.tiktoken, or vocab.json with merges.txt, the directory or the
 * file; the small files beside it are read either way. */
int tokenizer_open(struct tokenizer **out, const char *path, struct err *e);
void tokenizer_close(struct tokenizer *t);
bool tokenizer_there(const char *dir); /* one of these files */
/* Text that is no UTF-8: each bad byte counts as U+FFFD, as Python's errors="replace" would give. */
int tokenizer_encode(const struct tokenizer *t, struct str text, int flags, struct arena *a, struct ids *out, struct err *e);
int tokenizer_decode(const struct tokenizer *t, const int32_t *ids, int n, bool skip_special, struct arena *a, struct str *out, struct err *e);

int tokenizer_vocab(const struct tokenizer *t);                    /* ids are below this (added tokens included) */
int32_t tokenizer_id(const struct tokenizer *t, struct str token); /* -1: none */
struct str tokenizer_token(const struct tokenizer *t, int32_t id); /* as written in the vocabulary; p NULL: none */
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);
int32_t tokenizer_bos(const struct tokenizer *t);                  /* from tokenizer_config.json; -1: none */
int32_t tokenizer_eos(const struct tokenizer *t);
double tokenizer_model_max_length(const struct tokenizer *t);      /* 0: none or "infinite" (> 1e29) */
void tokenizer_digest(const struct tokenizer *t, unsigned char out[DIGEST_BYTES]); /* over the files and the engine's version */

/* What kinds of components are known: rows for `assay list tokenizers` ("model BPE", "normalizer NFC", ...), NULL-ended. */
const char *const *tokenizer_components(void);

#endif
