/* tok_int.h - inside the tokenizer: its parts, and one call's scratch.
 *
 * Text flows through a tokenizer as pieces:
 *
 *   text -> added tokens (raw) -> normalizers -> added tokens (normalized) -> pre-tokenizers -> model -> post-processors
 *
 * Every step hands each of its results on at once (no list of all pieces is kept), so memory stays small and the words of
 * a text are still in cache when BPE reads them. A piece knows where its bytes come from in the original text: either it is
 * a plain part of it (al NULL: byte i stands for original byte o+i), or each byte carries the original span it came from,
 * as tokenizers' alignments do. Spans are kept only when somebody will look at them (enc.track).
 */
#ifndef ASSAY_TOK_INT_H
#define ASSAY_TOK_INT_H

#include "runners/text/value.h"
#include "runners/tok_cache.h"
#include "runners/tokenizer.h"

enum {
	TOK_MAX_ID = 1 << 24,          /* ids of vocabularies stay below */
	TOK_MAX_HOLES = 1 << 20,       /* ids beyond four times the number of tokens */
	TOK_MAX_TOKEN = 1 << 16,       /* bytes of one token */
	TOK_MAX_AFFIX = 64,            /* bytes of continuing_subword_prefix and end_of_word_suffix */
	TOK_MAX_FILE = 1 << 28,        /* bytes of tokenizer.json */
	TOK_MAX_TEXT = 1 << 30,        /* bytes of one text */
	TOK_MAX_NAMED = 4096,
	TOK_MAX_COMPONENTS = 64,       /* after flattening sequences */
};

/* ---- JSON, streamed (tok_json.c): vocabularies have half a million entries, so no tree is built of them ---- */

struct js {
	const char *begin, *p, *end;
	const char *name;              /* file, for messages */
	struct arena *a;               /* strings with escapes are unescaped here */
};
int js_fail(struct js *j, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int js_open(struct js *j, char c, struct err *e);                 /* '{' or '[' */
/* The next member: 1 and *key, 0 at the end. *first true before the first one. */
int js_member(struct js *j, bool *first, struct str *key, struct err *e);
int js_item(struct js *j, bool *first, struct err *e);            /* the next item of an array: 1, or 0 at its end */
int js_str(struct js *j, struct str *out, struct err *e);
int js_uint(struct js *j, uint32_t limit, uint32_t *out, struct err *e); /* a whole number below limit */
int js_skip(struct js *j, struct str *extent, struct err *e);     /* any value; its bytes */
int js_value(struct js *j, struct arena *a, struct value *out, struct err *e); /* any value, copied to a */
char js_peek(struct js *j);                                       /* next byte that is no blank; 0 at the end */

/* ---- regular expressions (tok_regex.c): Oniguruma's dialect on PCRE2 ---- */

struct tokrx;
struct scan { /* what matching needs per call */
	void *data, *context, *stack;
};
int tokrx_open(struct tokrx **out, struct str pattern, bool literal, struct err *e);
void tokrx_close(struct tokrx *rx);
/* One walk over the matches in s: begin, next until 0, end (in every case). next: 1 and bytes [*from, *to) of s, 0: no more. */
struct rxscan {
	const struct tokrx *rx;
	struct str s;
	size_t n, pos, last; /* characters */
	uint8_t *kind;
	uint32_t *at;        /* character -> byte */
	uint8_t small[256];
	uint32_t small_at[256];
};
void rxscan_begin(struct rxscan *r, const struct tokrx *rx, struct str s);
int rxscan_next(struct rxscan *r, struct scan *sc, size_t *from, size_t *to, struct err *e);
void rxscan_end(struct rxscan *r);
void scan_fini(struct scan *sc);

/* ---- well-known patterns as code (tok_scan.c) ---- */

struct scanner;
const struct scanner *scanner_find(struct arena *a, struct str pattern); /* NULL: none for this pattern */
enum { SCANNER_GPT2 };
const char *scanner_pattern(size_t k);                                   /* the patterns there are; NULL behind them */
bool scanner_next(const struct scanner *sc, struct str s, size_t *pos, size_t *from, size_t *to); /* as rxscan_next */

/* ---- pieces and one call ---- */

struct span {
	uint32_t s, e; /* bytes of the original text */
};
struct piece {
	const char *p;
	size_t n;
	const struct span *al;
	uint32_t o;
};
struct enc {
	const struct tokenizer *t;
	struct arena scratch;          /* normalized text, spans */
	struct scan scan;
	struct str text;               /* original, valid UTF-8 */
	uint32_t *cp;                  /* byte -> code point number, text.n + 1 entries; NULL unless offsets are asked */
	bool track;
	int32_t *id;
	int32_t (*offset)[2];
	struct str *value;             /* tokens as text, when a post-processor trims offsets */
	size_t n, cap;
	struct sym *sym;               /* BPE scratch */
	size_t nsym;
	void *heap;
	size_t nheap;
	struct err *e;
};
int enc_token(struct enc *x, int32_t id, struct piece pc, size_t from, size_t to, const struct str *value);
static inline struct piece piece_slice(struct piece pc, size_t from, size_t to)
{
	return (struct piece){ pc.p + from, to - from, pc.al ? pc.al + from : NULL,
			       pc.al && from < pc.n ? pc.al[from].s : pc.o + (uint32_t)from };
}

/* ---- hash of strings to ids ---- */

struct strmap {
	struct strslot {
		uint32_t hash;
		int32_t id; /* -1: free */
	} *slot;
	uint32_t mask;
};
static inline uint32_t str_hash(const char *p, size_t n)
{
	uint64_t h = 0x9e3779b97f4a7c15ull ^ n, w = 0;
	const char *end = p + n;
	for (; end - p > 8; p += 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	/* the last bytes by loads of fixed size, which may overlap */
	if (n >= 8) {
		memcpy(&w, end - 8, 8);
	} else if (n >= 4) {
		uint32_t lo, hi;
		memcpy(&lo, p, 4);
		memcpy(&hi, end - 4, 4);
		w = (uint64_t)hi << 32 | lo;
	} else if (n) {
		w = (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8 | (uint64_t)(unsigned char)end[-1] << 16;
	}
	h = (h ^ w) * 0xff51afd7ed558ccdull;
	h ^= h >> 32;
	h *= 0xc4ceb9fe1a85ec53ull;
	return (uint32_t)(h >> 32);
}
/* Memory is taken for every id, used or not. */
static inline bool ids_fit(uint32_t max, size_t count)
{
	return max < TOK_MAX_HOLES || (max - TOK_MAX_HOLES) / 4 <= count;
}
/* The id of s among tok, or -1; *at is the slot where it is or would go. */
static inline int32_t strmap_find(const struct strmap *m, const struct str *tok, struct str s, uint32_t h, uint32_t *at)
{
	uint32_t k = h & m->mask;
	for (; m->slot[k].id >= 0; k = (k + 1) & m->mask)
		if (m->slot[k].hash == h && tok[m->slot[k].id].n == s.n && !memcmp(tok[m->slot[k].id].p, s.p, s.n))
			break;
	*at = k;
	return m->slot[k].id;
}
void strmap_init(struct strmap *m, struct arena *a, size_t count);
/* Puts id under tok[id]; -1 when the map has that string already, under *other. */
int strmap_put(struct strmap *m, const struct str *tok, int32_t id, int32_t *other);
static inline int str_shown(struct str s) /* for %.*s: long tokens are cut in messages */
{
	size_t n = s.n < 60 ? s.n : 60;
	while (n < s.n && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80) /* no part of a character */
		n--;
	return (int)n;
}

/* ---- the vocabulary of any model (tok_vocab.c) ---- */

struct vocab {
	struct str *tok;               /* by id; p NULL: a hole */
	uint32_t ntok, count;          /* ids below ntok, count of them used */
	struct strmap map;
	size_t max_len;                /* longest token, bytes */
	char *pool;                    /* room for the tokens still to come */
};
int vocab_read(struct tokenizer *t, struct js *j, struct err *e); /* the object {"token": id, ...} */
/* From elsewhere: room for ids below n, `count` tokens, `bytes` bytes of them and a zero each; then the tokens. */
void vocab_init(struct tokenizer *t, uint32_t n, size_t count, size_t bytes);
void vocab_set(struct vocab *v, uint32_t id, struct str s); /* puts nothing into the map */
static inline int32_t vocab_find(const struct vocab *v, struct str s)
{
	uint32_t at;
	return strmap_find(&v->map, v->tok, s, str_hash(s.p, s.n), &at);
}
int32_t vocab_find_hashed(const struct vocab *v, struct str s, uint32_t hash);
void vocab_warm(const struct vocab *v, const uint32_t *hash, size_t n);

/* ---- the model (tok_model.c): its kind's functions ---- */

enum { MODEL_NEEDS = 3 };
struct model_kind {
	const char *name, *needs[MODEL_NEEDS]; /* members that tell it where no type is given */
	bool list;                             /* its vocabulary is a list */
	int (*load)(struct tokenizer *t, struct js *j, struct err *e);   /* the model object */
	int (*finish)(struct tokenizer *t, struct err *e);               /* normalizers and pre-tokenizers are known now */
	int (*piece)(struct enc *x, struct piece pc);                    /* pc, not empty, to enc_token */
	void (*free)(struct tokenizer *t);                               /* what is not in the arena; NULL: nothing */
};
int model_load(struct tokenizer *t, struct js *j, struct err *e);
/* Members of the model object: true, false (null is false); a string or null. */
int model_flag(struct js *j, const char *key, bool *out, struct err *e);
int model_text(struct tokenizer *t, struct js *j, bool *has, struct str *out, struct err *e);

/* ---- BPE (tok_bpe.c, tok_load.c) ---- */

struct sym {
	int32_t id;
	uint32_t len;  /* bytes; 0: merged into its left neighbour */
	int32_t prev, next;
};
struct merge {
	uint64_t key;  /* left << 32 | right; UINT64_MAX: free */
	uint32_t rank;
	int32_t id;
};
struct bpe {
	const struct vocab *v;
	struct merge *merge;
	uint32_t merge_mask;
	struct str unk_token, prefix, suffix;
	bool has_unk, fuse_unk, fallback, ignore_merges;
	int32_t unk, fallback_id[256];
	int32_t **char_id;             /* one-character tokens: pages of 256 */
	bool bytes;                    /* the pre-tokenizer ends in ByteLevel and every byte has a token: work on raw bytes */
	int32_t byte_id[256];
	struct str *raw;               /* tokens as raw bytes (bytes only) */
	struct strmap rawmap;
	uint64_t *edge;                /* bits: pairs of characters (hashed) that some merge may join; others are safe cuts */
	int edge_shift;                /* of the hash; 0: cutting is off */
	uint64_t edge_ascii[128][2];   /* the same for ASCII, not hashed */
	struct chars *chars;           /* bytes only (tok_chars.c) */
	struct cache cache;            /* line NULL: none */
	_Atomic unsigned char *whole;  /* by id: 1 the token's own text encodes to just it, 2 it does not, 0 not yet known */
};
int bpe_load(struct tokenizer *t, struct js *j, struct err *e);
int bpe_finish(struct tokenizer *t, struct err *e);
int bpe_piece(struct enc *x, struct piece pc);
static inline uint32_t pair_hash(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 32);
}
static inline const struct merge *pair_find(const struct bpe *b, int32_t l, int32_t r)
{
	uint64_t key = (uint64_t)(uint32_t)l << 32 | (uint32_t)r;
	for (uint32_t k = pair_hash(key) & b->merge_mask;; k = (k + 1) & b->merge_mask) {
		if (b->merge[k].key == key)
			return &b->merge[k];
		if (b->merge[k].key == UINT64_MAX)
			return NULL;
	}
}
/* How a token begins and ends, for walks over all merges: 8 bytes a token stay in cache where the tokens would not. */
struct ends {
	uint32_t head, tail;           /* a character; what else there is, is for who fills it in to say */
};
static inline uint64_t edge_hash(const struct bpe *b, uint32_t l, uint32_t r)
{
	return ((uint64_t)l << 21 | r) * 0x9e3779b97f4a7c15ull >> b->edge_shift;
}
/* May a merge join a text that ends in character l to one that begins with r? */
static inline bool edge_joins(const struct bpe *b, uint32_t l, uint32_t r)
{
	if (l < 128 && r < 128)
		return b->edge_ascii[l][r >> 6] >> (r & 63) & 1;
	uint64_t h = edge_hash(b, l, r);
	return b->edge[h >> 6] >> (h & 63) & 1;
}
void edge_init(struct tokenizer *t, size_t merges);
void edge_put(struct bpe *b, uint32_t left, uint32_t right);

/* Characters of byte-level text (tok_chars.c): what a merge may do at their borders. */
struct charinfo {
	int32_t id;                    /* its bytes become this token before anything else happens to them; -1: not so */
	unsigned char tail, head;      /* a border l|r with tail(l) & head(r): a merge may take a part of a character across */
};
struct chars {
	struct charinfo *page[0x110000 >> 8];
	unsigned char head1[256], head2[64][64], tail1[64], tail2[64][64];
};
void chars_prepare(struct tokenizer *t);
struct charinfo chars_other(const struct chars *c, const char *p, size_t n);
extern const uint16_t tok_byte_char[256];  /* GPT-2's printable stand-ins of bytes */
int tok_char_byte(uint32_t cp);            /* back; -1: none */

/* ---- tokens that begin at a place (tok_pieces.c) ---- */

struct pieces {
	struct cell {
		uint32_t base;         /* children are at base ^ byte */
		uint32_t check;        /* the parent's index + 1; 0: free */
		int32_t id;            /* the token that ends here, -1: none */
	} *cell;                       /* cell 0: the root */
};
int pieces_build(struct tokenizer *t, struct pieces *out, struct err *e); /* over t->voc */
static inline bool pieces_step(const struct pieces *p, uint32_t *at, char byte)
{
	uint32_t c = p->cell[*at].base ^ (unsigned char)byte;
	if (p->cell[c].check != *at + 1)
		return false;
	*at = c;
	return true;
}

/* ---- Unigram (tok_unigram.c), WordPiece and WordLevel (tok_word.c) ---- */

int unigram_load(struct tokenizer *t, struct js *j, struct err *e);
int unigram_finish(struct tokenizer *t, struct err *e);
int unigram_piece(struct enc *x, struct piece pc);
void unigram_free(struct tokenizer *t);

struct words {
	struct str unk_token, prefix;
	int32_t unk;                   /* -1: not in the vocabulary */
	size_t max_chars;
	struct pieces pieces;          /* WordPiece */
	bool continues;                /* some token begins with the prefix: in pieces it ends at prefix_at */
	uint32_t prefix_at;
};
int wordpiece_load(struct tokenizer *t, struct js *j, struct err *e);
int wordpiece_finish(struct tokenizer *t, struct err *e);
int wordpiece_piece(struct enc *x, struct piece pc);
int wordlevel_load(struct tokenizer *t, struct js *j, struct err *e);
int wordlevel_finish(struct tokenizer *t, struct err *e);
int wordlevel_piece(struct enc *x, struct piece pc);

/* ---- classes of characters (tok_class.c) ---- */

bool class_nonspacing(uint32_t c); /* what BertNormalizer's strip_accents takes away */
int class_script(uint32_t c);      /* equal numbers: one script; 0: joins any */
enum { /* how a character joins its neighbours to a grapheme cluster (UAX 29) */
	JOIN_MARK = 1,                 /* Extend, SpacingMark, ZWJ: joins what is before it */
	JOIN_PREPEND = 2,
	JOIN_CONTROL = 4,
	JOIN_EXTEND = 8,               /* of the marks, those that may stand between a pictograph and its joiner */
	JOIN_PICTOGRAPH = 16,
	JOIN_CONSONANT = 32,
	JOIN_LINKER = 64,
	JOIN_INSIDE = 128,             /* may stand beside a linker inside a conjunct */
};
unsigned class_join(uint32_t c);

/* ---- added tokens (tok_added.c) ---- */

struct added {
	struct str content, normal;    /* normal: what is searched in normalized text */
	int32_t id;
	bool single_word, lstrip, rstrip, normalized, special;
};
struct trie_node {
	unsigned char byte;
	int32_t child, sibling, token; /* -1: none; token: index into added */
};
struct trie {
	struct trie_node *node;
	int32_t n, cap;
	int32_t root[256];
};
int added_load(struct tokenizer *t, struct value list, struct err *e);
/* Cuts pc at added tokens; what lies between goes to rest(). */
int added_scan(struct enc *x, const struct trie *tr, struct piece pc, int (*rest)(struct enc *x, struct piece pc));
struct added *added_find(const struct tokenizer *t, struct str content); /* NULL: none */
const struct added *added_by_id(const struct tokenizer *t, int32_t id);

/* ---- normalizers, pre-tokenizers, post-processors, decoders ---- */

/* What a normalizer does to a text: its characters, each with a change (see tok_norm.c). */
struct edit {
	uint32_t cp;
	int32_t change;
};
struct edits {
	struct edit *v;
	size_t n, cap;
};
void edits_add(struct edits *ed, uint32_t cp, int32_t change);
/* Applies edits to the whole piece; `skip` characters were removed at its beginning. */
void norm_edit(struct enc *x, struct piece *pc, const struct edits *ed, size_t skip);

struct norm {
	int (*run)(struct enc *x, const struct norm *n, struct piece *pc);
	const char *form;              /* NFC ... */
	bool left, right;
	struct str text;               /* Prepend, Replace: content */
	struct tokrx *rx;
	struct charsmap *map;          /* Precompiled */
	bool clean, chinese, accents, lower; /* BertNormalizer */
};
int norm_form(struct enc *x, const struct norm *n, struct piece *pc);
int norm_lower(struct enc *x, const struct norm *n, struct piece *pc);
/* tok_charsmap.c */
int charsmap_load(struct tokenizer *t, struct norm *n, struct value v, struct err *e);
int norm_charsmap(struct enc *x, const struct norm *n, struct piece *pc);
/* tok_bert.c: BertNormalizer, StripAccents, Nmt, ByteLevel */
int norm_bert_load(struct tokenizer *t, struct norm *n, struct value v, struct err *e);
int norm_bert(struct enc *x, const struct norm *n, struct piece *pc);
int norm_strip_accents(struct enc *x, const struct norm *n, struct piece *pc);
int norm_nmt(struct enc *x, const struct norm *n, struct piece *pc);
int norm_bytes(struct enc *x, const struct norm *n, struct piece *pc);
int norm_load(struct tokenizer *t, struct value v, struct err *e);
int norm_run(struct enc *x, struct piece *pc);
int norm_prepend(struct enc *x, struct piece *pc, struct str s);
int norm_replace(struct enc *x, struct piece *pc, const struct tokrx *rx, struct str content);

enum behavior { REMOVED, ISOLATED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS };
enum scheme { ALWAYS, FIRST, NEVER };
struct pre {
	int (*run)(struct enc *x, size_t stage, struct piece pc);
	struct tokrx *rx;
	const struct scanner *scan;    /* instead of rx: its pattern as code */
	bool (*match)(uint32_t cp, const struct pre *p); /* instead of rx: single characters */
	enum behavior behavior;
	bool invert, prefix_space, split;
	enum scheme scheme;
	uint32_t cp;                   /* Metaspace, CharDelimiterSplit: the character */
	size_t length;                 /* FixedLength */
	struct str text;
};
int pre_load(struct tokenizer *t, struct value v, struct err *e);
int pre_run(struct enc *x, size_t stage, struct piece pc);

struct post {
	bool trim, prefix_space;       /* ByteLevel */
	struct post_piece {            /* TemplateProcessing: NULL otherwise */
		bool sequence;
		int32_t *id;
		struct str *token;
		int n;
	} *tpl;
	int ntpl;
};
int post_load(struct tokenizer *t, struct value v, struct err *e);
int post_run(struct enc *x, bool special);

struct dec {
	int (*run)(struct arena *a, const struct dec *d, struct str **tok, size_t *n, struct err *e);
	struct tokrx *rx;
	struct str text;
	uint32_t cp;
	size_t start, stop;
	enum scheme scheme;
	bool cleanup;                  /* WordPiece */
};
int dec_load(struct tokenizer *t, struct value v, struct err *e);

struct tokenizer {
	struct arena a;
	char *name;                    /* path of tokenizer.json */
	const struct model_kind *kind;
	struct vocab voc;
	struct bpe bpe;                /* the kind's own */
	struct unigram *uni;
	struct words words;
	struct added *added;
	int nadded;
	struct strmap added_map;       /* content -> index into added */
	int32_t *added_of;             /* id -> index into added or -1; voc.ntok .. vocab too */
	int32_t vocab;
	struct trie raw, normal;
	struct norm norm[TOK_MAX_COMPONENTS];
	struct pre pre[TOK_MAX_COMPONENTS];
	struct post post[TOK_MAX_COMPONENTS];
	struct dec dec[TOK_MAX_COMPONENTS];
	size_t nnorm, npre, npost, ndec;
	bool has_decoder, byte_level_last, needs_track, trims;
	/* what the small files beside a tokenizer.json say: added_tokens_decoder by id (else added_tokens.json), named special tokens */
	const struct addtok *decoder, *named;
	const int32_t *legacy_id;      /* of added_tokens.json's; NULL: they are added_tokens_decoder's */
	size_t ndecoder, nnamed, nkeyed; /* nkeyed of nnamed stand under a key of their own */
	bool legacy;                   /* there is no added_tokens_decoder */
	int32_t bos, eos, unk;
	double max_length;
	bool clean_up;                 /* blanks in decoded text, as tokenizer_config.json wishes */
	unsigned char digest[DIGEST_BYTES];
};

/* Metaspace as pre-tokenizer and as decoder. */
int metaspace_scheme(struct tokenizer *t, struct value v, const char *where, enum scheme *out, uint32_t *cp, struct str *text, struct err *e);

/* Reads of component objects; `where` names the component in messages. */
int comp_type(const struct tokenizer *t, struct value v, const char *where, struct str *type, struct err *e);
int comp_str(const struct tokenizer *t, struct value v, const char *where, const char *key, struct str *out, struct err *e);
int comp_bool(const struct tokenizer *t, struct value v, const char *where, const char *key, int fallback, bool *out, struct err *e);
int comp_pattern(const struct tokenizer *t, struct value v, const char *where, struct tokrx **out, struct err *e);
/* An unknown component: an error that names it and the nearest known word of `words`. */
int comp_unknown(const struct tokenizer *t, const char *where, struct str type, const char *const *words, struct err *e);
/* Calls one() for v, or for each member of a (nested) Sequence whose members sit under `key`. */
int comp_each(struct tokenizer *t, struct value v, const char *where, const char *key,
	      int (*one)(struct tokenizer *t, struct value v, struct str type, struct err *e), int depth, struct err *e);

#endif
