/* uniprop.h - properties of code points, from tables of our own.
 *
 * What a tokenizer does with a character must not depend on which Unicode version an installed library knows. The tables
 * (uni_tables.h) are what Hugging Face `tokenizers` itself answers: categories and properties of its patterns (Unicode 16),
 * and the older or newer tables that some of its components have.
 */
#ifndef ASSAY_UNIPROP_H
#define ASSAY_UNIPROP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/str.h"

/* One bit each: general categories, then properties. A test is one mask: uni_props(c) & (UNI_L | UNI_M). */
#define UNI_LU (1ull << 0)
#define UNI_LL (1ull << 1)
#define UNI_LT (1ull << 2)
#define UNI_LM (1ull << 3)
#define UNI_LO (1ull << 4)
#define UNI_MN (1ull << 5)
#define UNI_MC (1ull << 6)
#define UNI_ME (1ull << 7)
#define UNI_ND (1ull << 8)
#define UNI_NL (1ull << 9)
#define UNI_NO (1ull << 10)
#define UNI_PC (1ull << 11)
#define UNI_PD (1ull << 12)
#define UNI_PS (1ull << 13)
#define UNI_PE (1ull << 14)
#define UNI_PI (1ull << 15)
#define UNI_PF (1ull << 16)
#define UNI_PO (1ull << 17)
#define UNI_SM (1ull << 18)
#define UNI_SC (1ull << 19)
#define UNI_SK (1ull << 20)
#define UNI_SO (1ull << 21)
#define UNI_ZS (1ull << 22)
#define UNI_ZL (1ull << 23)
#define UNI_ZP (1ull << 24)
#define UNI_CC (1ull << 25)
#define UNI_CF (1ull << 26)
#define UNI_CS (1ull << 27)
#define UNI_CO (1ull << 28)
#define UNI_CN (1ull << 29)
#define UNI_ALPHABETIC (1ull << 30)
#define UNI_UPPERCASE (1ull << 31)
#define UNI_LOWERCASE (1ull << 32)
#define UNI_SPACE (1ull << 33)      /* White_Space: \s of patterns, char::is_whitespace */
#define UNI_EMOJI (1ull << 34)
#define UNI_PICTOGRAPH (1ull << 35) /* Extended_Pictographic */
#define UNI_NUMERIC (1ull << 36)    /* char::is_numeric: the pre-tokenizer Digits */
#define UNI_PUNCT (1ull << 37)      /* ASCII punctuation and the categories P of an old table: Punctuation, BertPreTokenizer */
#define UNI_CONTROL (1ull << 38)    /* what BertNormalizer's clean_text takes away */
#define UNI_ACCENT (1ull << 39)     /* what the normalizer StripAccents takes away */
#define UNI_AGE9 (1ull << 40)       /* assigned in Unicode 9.0, the version of the normal forms */

#define UNI_L (UNI_LU | UNI_LL | UNI_LT | UNI_LM | UNI_LO)
#define UNI_M (UNI_MN | UNI_MC | UNI_ME)
#define UNI_N (UNI_ND | UNI_NL | UNI_NO)
#define UNI_P (UNI_PC | UNI_PD | UNI_PS | UNI_PE | UNI_PI | UNI_PF | UNI_PO)
#define UNI_S (UNI_SM | UNI_SC | UNI_SK | UNI_SO)
#define UNI_Z (UNI_ZS | UNI_ZL | UNI_ZP)
#define UNI_C (UNI_CC | UNI_CF | UNI_CS | UNI_CO | UNI_CN)
#define UNI_WORD (UNI_ALPHABETIC | UNI_M | UNI_ND | UNI_PC)

enum { UNI_PAGE = 128, UNI_HIGH = 0x33800 };
extern const uint16_t uni_page[UNI_HIGH / UNI_PAGE];
extern const char uni_pages[][UNI_PAGE + 1];
extern const uint64_t uni_class_props[128];
char uni_class_high(uint32_t cp);

/* The class of a code point: one of fewer than 128; all its properties are uni_class_props[class]. */
static inline unsigned uni_class(uint32_t cp)
{
	return (unsigned char)(cp < UNI_HIGH ? uni_pages[uni_page[cp / UNI_PAGE]][cp % UNI_PAGE] : uni_class_high(cp));
}

static inline uint64_t uni_props(uint32_t cp)
{
	return uni_class_props[uni_class(cp)];
}

/* \w of Rust's regex: added tokens of single words, the pre-tokenizer Whitespace. */
static inline bool uni_is_rust_word(uint32_t cp)
{
	return (uni_props(cp) & UNI_WORD) != 0 || cp == 0x200c || cp == 0x200d;
}

/* Mappings of characters: cp from..to in steps, each to cp + add. Rising. */
struct uni_map {
	uint32_t from, to;
	int32_t step, add;
};
uint32_t uni_mapped(const struct uni_map *map, size_t n, uint32_t cp); /* cp itself where nothing is said of it */

uint32_t uni_rust_lower(uint32_t cp); /* char::to_lowercase; U+0130, which gives two, as it is */

/* A script by its name ("Han", "Latn", ...; case, blanks, _ and - do not count): its n ranges, NULL when unknown. */
const uint32_t (*uni_script(struct str name, size_t *n))[2];

/* The code points that have any of the properties in mask: *n ranges, rising, apart from each other; free() them. */
uint32_t (*uni_ranges(uint64_t mask, size_t *n))[2];

/* Equality without case, one character to one, as Oniguruma has it: the smallest character equal to cp. */
uint32_t uni_fold(uint32_t cp);
/* Calls one() for every character that has others equal to it, with the smallest of them, in no order. */
void uni_fold_each(void (*one)(void *ctx, uint32_t cp, uint32_t smallest), void *ctx);
bool uni_folds_to_many(uint32_t cp);              /* like U+00DF, which equals "ss" */
bool uni_begins_many(uint32_t a, uint32_t b);     /* may ab be the beginning of what such a character equals? */

#endif
