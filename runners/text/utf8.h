/* utf8.h - code points, Python's notions of whitespace, digits, case and punctuation, and string length.
 *
 * Where Python and Unicode differ, Python wins: str.isspace() and strip() take U+001C..U+001F and U+0085 too.
 */
#ifndef ASSAY_UTF8_H
#define ASSAY_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/arena.h"
#include "kernels/base/str.h"

/* Decodes one code point at s.p[*i] and moves *i past it. Bad UTF-8: U+FFFD, as many bytes as Python's decoder with
 * errors="replace" would swallow (maximal subpart, Unicode 3.9). *i must be < s.n. */
uint32_t utf8_next(struct str s, size_t *i);
bool utf8_valid(struct str s);
size_t utf8_put(uint32_t cp, char out[4]);      /* bytes written, 1..4; surrogates and > U+10FFFF give U+FFFD */
size_t utf8_len(struct str s);                  /* code points */
size_t utf8_offset(struct str s, size_t cp);    /* byte offset of code point number cp; s.n when past the end */
struct str utf8_clean(struct arena *a, struct str s); /* bad bytes replaced by U+FFFD; s itself when valid */

bool uni_is_space(uint32_t cp);      /* str.isspace of one character */
bool uni_is_digit(uint32_t cp);      /* str.isdigit: decimal digits and digits like superscripts */
bool uni_is_alpha(uint32_t cp);
bool uni_is_alnum(uint32_t cp);
bool uni_is_punct(uint32_t cp);      /* category P* */
bool uni_is_upper(uint32_t cp);
bool uni_is_lower(uint32_t cp);
bool uni_is_title(uint32_t cp);      /* category Lt */
bool uni_is_decimal(uint32_t cp);    /* str.isdecimal */
bool uni_is_numeric(uint32_t cp);    /* str.isnumeric */
bool uni_is_printable(uint32_t cp);  /* str.isprintable */
bool uni_is_identifier(struct str s); /* str.isidentifier */

struct str uni_lower(struct arena *a, struct str s);      /* str.lower(), full mapping (final sigma too) */
struct str uni_upper(struct arena *a, struct str s);      /* str.upper(), full mapping (ß -> SS) */
struct str uni_title(struct arena *a, struct str s);      /* str.title() */
struct str uni_capitalize(struct arena *a, struct str s); /* str.capitalize(): first in title case, the rest lower */
struct str uni_casefold(struct arena *a, struct str s);   /* str.casefold() */
struct str str_strip(struct str s);                       /* str.strip() */
struct str str_lstrip(struct str s);
struct str str_rstrip(struct str s);

#endif
