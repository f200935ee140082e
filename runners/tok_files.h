/* tok_files.h - checkpoints without a tokenizer.json: every other format becomes the text of one.
 *
 *   tokenizer.model, spiece.model   tok_sentencepiece.c    |
 *   *.tiktoken, tiktoken.model      tok_tiktoken.c         |-> struct make -> make_text (tok_make.c) -> the loader of tokenizer.json
 *   vocab.json + merges.txt         tok_vocabjson.c            |
 *
 * so that there is one encoder, one set of limits and one place to be wrong. What the small files beside them say is read by
 * tok_config.c; which tokenizer class that means, and what such a class is made of, is a table in tok_family.c.
 */
#ifndef ASSAY_TOK_FILES_H
#define ASSAY_TOK_FILES_H

#include "runners/tok_int.h"

enum { TOK_MAX_SMALL = 1 << 26 }; /* bytes of each of the small files */
enum { SP_BOS, SP_EOS, SP_UNK, SP_SEP, SP_PAD, SP_CLS, SP_MASK, SP_KEYS };
extern const char *const tok_special_keys[SP_KEYS + 1]; /* "bos_token" ... */

struct addtok {
	struct str content;
	bool single_word, lstrip, rstrip, normalized, special;
	bool said;                     /* normalized stood there */
};

/* What tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json say. */
struct tokconf {
	struct str dir;                /* the folder, for messages */
	const char *name;              /* and the file in it */
	struct str file[4];            /* the bytes of the four, for the digest */
	struct value config;           /* tokenizer_config.json, the wanted keys */
	struct value specific, extra;  /* named tokens beside the seven of tok_special_keys: by key; a list */
	struct str class, model_type, model_class; /* tokenizer_class; config.json's model_type and tokenizer_class */
	struct addtok *added;          /* by ascending id */
	int32_t *added_id;
	size_t nadded;
	double max_length;
};
/* Reads the four files; config.json (`model`) only where there is no tokenizer.json. */
int tokconf_load(struct tokenizer *t, struct tokconf *c, const char *dir, bool model, struct err *e);
/* The special tokens that they name, in transformers' order: bos to mask, other keys that end in _token (*keyed so far), the
 * extra ones. Marks those of c->added. */
int tokconf_named(struct tokenizer *t, struct tokconf *c, struct addtok **out, size_t *n, size_t *keyed, struct err *e);
/* true, false or null (fallback); anything else is an error. */
int tokconf_bool(const struct tokconf *c, const char *key, bool fallback, bool null, bool *out, struct err *e);
/* A token of the configuration: 1 and *out, 0 when key is absent or null (*given tells which). */
int tokconf_token(const struct tokconf *c, const char *key, struct addtok *out, bool *given, struct err *e);
/* One item of a list of special tokens. */
int tokconf_extra(const struct tokconf *c, struct value v, struct addtok *out, struct err *e);
int tok_read_file(struct str *out, struct arena *a, const char *path, size_t limit, struct err *e); /* NUL put behind */

/* ---- classes ---- */

enum { READS_BPE = 1, READS_UNIGRAM = 2, READS_VOCAB = 4 };
struct tokclass {
	const char *name;
	unsigned reads;                /* which files it can be made from */
	const char *special[SP_KEYS];  /* its defaults */
	/* JSON; \1 stands for the prepend scheme, \2 for add_prefix_space */
	const char *normalizer, *pre, *decoder;
	const char *bare;              /* the decoder without add_prefix_space, where it is another */
	const char *post;              /* JSON, \3: the eos token and \4 its id; NULL: bos and eos as add_bos_token says */
	const char *model;             /* JSON members of the model */
	bool unk;                      /* the model knows the unk token */
	int unk_id;                    /* of a Unigram model */
	bool sentinels;                /* T5's <extra_id_99> ... <extra_id_0> stand behind the pieces */
	bool prefix;                   /* default of add_prefix_space */
};
bool tok_listed(const char *words, struct str w); /* words between blanks */
extern const struct tokclass tok_generic; /* unknown classes: TokenizersBackend */
/* The class that transformers' AutoTokenizer would take; NULL: one that is known and refused. */
const struct tokclass *tokclass_find(const struct tokconf *c);

/* ---- one tokenizer.json in the making ---- */

struct make {
	struct tokenizer *t;
	struct arena a;                /* until the text is written */
	const struct tokconf *conf;
	const struct tokclass *cls;
	struct str *tok;               /* by id; p NULL: a hole */
	double *score;                 /* Unigram, else NULL */
	uint32_t ntok, count, cap;
	struct strmap map;
	struct addtok *first;          /* added tokens that the file itself has; they stand before all others */
	size_t nfirst;
	struct addtok *extra;          /* and those that stand behind, unless the configuration has a list of its own */
	size_t nextra;
	bool raw;                      /* added_tokens_decoder's tokens are searched in raw text */
	struct str special[SP_KEYS];   /* defaults that the file itself gives; p NULL: none */
	struct buf normalizer, pre, decoder, post, merges, model; /* JSON */
};
void make_fini(struct make *m);
struct str make_line(struct str file, size_t *i);            /* the line at *i, which goes to the next one */
/* The place of a token: tok and ntok grow to have it. */
struct str *make_room(struct make *m, uint32_t id);
int32_t make_id(const struct make *m, struct str token);
/* Indexes tok: two ids of one token are an error. */
int make_index(struct make *m, struct err *e);
/* Appends one merge to m->merges. */
void make_merge(struct make *m, struct str left, struct str right);
/* The text of the tokenizer.json; added tokens, special tokens and the post-processor come from the configuration. */
int make_text(struct make *m, struct buf *out, struct err *e);

int spm_make(struct make *m, struct str file, struct err *e);
bool tiktoken_is(struct str file);     /* begins with a word and a rank; SentencePiece models begin with a line feed */
int tiktoken_make(struct make *m, struct str file, struct err *e);
int vocab_make(struct make *m, struct str vocab, struct str merges, const char *merges_path, struct err *e);

/* Opens what a folder has when there is no tokenizer.json, or the file `only` in it: out is the text, digest gets every file. */
int tok_other(struct tokenizer *t, const char *dir, const char *only, struct tokconf *c, struct buf *out, struct digest *d,
	      struct err *e);
bool tok_other_there(const char *dir); /* such a folder */

#endif
