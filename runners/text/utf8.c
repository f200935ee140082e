/* utf8.c - UTF-8, and Python's str methods.
 *
 * Decoding follows Unicode's "maximal subpart" practice, which is what bytes.decode("utf-8", "replace") does: a lead byte
 * and the continuation bytes that could still belong to it are replaced together by one U+FFFD.
 *
 * Python's str.lower/upper/title use the full mappings (SpecialCasing.txt: one character may become three) and the rule of
 * the final sigma; isupper/islower the derived properties. All of it comes from tables of our own, Unicode 16 (uniprop.h;
 * utf8_tables.h, made by tests/golden/make_utf8.py): no score depends on the Unicode version of a library or of a Python.
 *
 * Nothing here refuses input: bad bytes count as U+FFFD everywhere.
 */
#include "runners/text/utf8.h"

#include "runners/text/uniprop.h"
#include "runners/text/utf8_tables.h"

/* ---- coding ---- */

uint32_t utf8_next(struct str s, size_t *i)
{
	const unsigned char *p = (const unsigned char *)s.p + *i;
	size_t left = s.n - *i;
	uint32_t c = p[0];
	if (c < 0x80) {
		*i += 1;
		return c;
	}
	/* how many continuation bytes, and the range of the first of them (no overlong forms, surrogates, > U+10FFFF) */
	unsigned need, lo = 0x80, hi = 0xbf;
	if (c >= 0xc2 && c <= 0xdf) {
		need = 1;
		c &= 0x1f;
	} else if (c >= 0xe0 && c <= 0xef) {
		need = 2;
		lo = c == 0xe0 ? 0xa0 : 0x80;
		hi = c == 0xed ? 0x9f : 0xbf;
		c &= 0x0f;
	} else if (c >= 0xf0 && c <= 0xf4) {
		need = 3;
		lo = c == 0xf0 ? 0x90 : 0x80;
		hi = c == 0xf4 ? 0x8f : 0xbf;
		c &= 0x07;
	} else {
		*i += 1;
		return 0xfffd;
	}
	for (unsigned k = 1; k <= need; k++) {
		if (k >= left || p[k] < lo || p[k] > hi) {
			*i += k;
			return 0xfffd;
		}
		c = c << 6 | (p[k] & 0x3f);
		lo = 0x80;
		hi = 0xbf;
	}
	*i += need + 1;
	return c;
}

size_t utf8_put(uint32_t cp, char out[4])
{
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		cp = 0xfffd;
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/* The first position at or after i whose byte is not ASCII. */
static size_t skip_ascii(struct str s, size_t i)
{
	uint64_t w;
	while (i + 8 <= s.n) {
		memcpy(&w, s.p + i, 8);
		if (w & 0x8080808080808080ull)
			break;
		i += 8;
	}
	while (i < s.n && !(s.p[i] & 0x80))
		i++;
	return i;
}

bool utf8_valid(struct str s)
{
	for (size_t i = 0; (i = skip_ascii(s, i)) < s.n;) {
		size_t at = i;
		const unsigned char *p = (const unsigned char *)s.p + i;
		/* what most characters are: two bytes, or three that need no look at ranges */
		if (s.n - i >= 3 && p[0] >= 0xc2 && (p[1] & 0xc0) == 0x80) {
			if (p[0] < 0xe0) {
				i += 2;
				continue;
			}
			if (p[0] > 0xe0 && p[0] < 0xf0 && p[0] != 0xed && (p[2] & 0xc0) == 0x80) {
				i += 3;
				continue;
			}
		}
		/* U+FFFD itself is three bytes EF BF BD; the replacement of a bad sequence never reads so */
		if (utf8_next(s, &i) == 0xfffd &&
		    !(i - at == 3 && (unsigned char)s.p[at + 2] == 0xbd && (unsigned char)s.p[at] == 0xef))
			return false;
	}
	return true;
}

size_t utf8_len(struct str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n;) {
		size_t j = skip_ascii(s, i);
		n += j - i;
		i = j;
		if (i < s.n) {
			utf8_next(s, &i);
			n++;
		}
	}
	return n;
}

size_t utf8_offset(struct str s, size_t cp)
{
	size_t i = 0;
	for (; cp > 0 && i < s.n; cp--)
		utf8_next(s, &i);
	return i;
}

/* A string under construction in an arena: sized once for the worst case by the callers, or growing. */
struct out {
	struct arena *a;
	char *p;
	size_t n, cap;
};

static void out_cp(struct out *o, uint32_t cp)
{
	if (o->n + 5 > o->cap) {
		size_t cap = o->cap ? 2 * o->cap : 32;
		char *p = arena_alloc(o->a, cap);
		if (o->n)
			memcpy(p, o->p, o->n);
		o->p = p;
		o->cap = cap;
	}
	o->n += utf8_put(cp, o->p + o->n);
}

static struct out out_new(struct arena *a, size_t cap)
{
	return (struct out){ .a = a, .p = arena_alloc(a, cap + 5), .cap = cap + 5 };
}

static struct str out_end(struct out *o)
{
	o->p[o->n] = 0;
	return (struct str){ o->p, o->n };
}

struct str utf8_clean(struct arena *a, struct str s)
{
	if (utf8_valid(s))
		return s;
	struct out o = out_new(a, s.n + s.n / 2);
	for (size_t i = 0; i < s.n;)
		out_cp(&o, utf8_next(s, &i));
	return out_end(&o);
}

/* ---- properties ---- */

static bool in_ranges(const uint32_t (*r)[2], size_t n, uint32_t cp)
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (cp > r[mid][1])
			lo = mid + 1;
		else if (cp < r[mid][0])
			hi = mid;
		else
			return true;
	}
	return false;
}
#define IN(table, cp) in_ranges(table, sizeof(table) / sizeof((table)[0]), cp)

static inline bool is_ascii_space(uint32_t cp)
{
	return cp == ' ' || (cp >= 9 && cp <= 13) || (cp >= 0x1c && cp <= 0x1f);
}

bool uni_is_space(uint32_t cp)
{
	if (cp < 0x80)
		return is_ascii_space(cp);
	return cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 ||
	       cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

bool uni_is_digit(uint32_t cp)
{
	if (cp < 0x80)
		return cp >= '0' && cp <= '9';
	uint64_t p = uni_props(cp);
	return (p & UNI_ND) || ((p & UNI_NO) && IN(digit_no, cp));
}

bool uni_is_alpha(uint32_t cp)
{
	if (cp < 0x80)
		return (cp | 32) >= 'a' && (cp | 32) <= 'z';
	return uni_props(cp) & UNI_L;
}

bool uni_is_alnum(uint32_t cp)
{
	if (cp < 0x80)
		return ((cp | 32) >= 'a' && (cp | 32) <= 'z') || (cp >= '0' && cp <= '9');
	return uni_props(cp) & (UNI_L | UNI_N);
}

bool uni_is_punct(uint32_t cp)
{
	return uni_props(cp) & UNI_P;
}

bool uni_is_upper(uint32_t cp)
{
	if (cp < 0x80)
		return cp >= 'A' && cp <= 'Z';
	return uni_props(cp) & UNI_UPPERCASE;
}

bool uni_is_lower(uint32_t cp)
{
	if (cp < 0x80)
		return cp >= 'a' && cp <= 'z';
	return uni_props(cp) & UNI_LOWERCASE;
}

bool uni_is_decimal(uint32_t cp)
{
	return uni_props(cp) & UNI_ND;
}

bool uni_is_numeric(uint32_t cp)
{
	return (uni_props(cp) & UNI_N) || IN(numeric_other, cp);
}

bool uni_is_title(uint32_t cp)
{
	return uni_props(cp) & UNI_LT;
}

bool uni_is_printable(uint32_t cp)
{
	return cp < 0x80 ? cp >= 0x20 && cp < 0x7f : !(uni_props(cp) & (UNI_C | UNI_Z));
}

static bool in_identifier(uint32_t cp, bool first)
{
	uint64_t p = uni_props(cp);
	if (((p & (UNI_L | UNI_NL)) && !IN(id_never, cp)) || IN(id_start, cp))
		return !first || !IN(id_not_first, cp);
	return !first && ((p & (UNI_MN | UNI_MC | UNI_ND | UNI_PC)) || IN(id_part, cp));
}

bool uni_is_identifier(struct str s)
{
	size_t i = 0;
	bool good = s.n > 0 && in_identifier(utf8_next(s, &i), true);
	while (good && i < s.n)
		good = in_identifier(utf8_next(s, &i), false);
	return good;
}

static bool is_cased(uint32_t cp)
{
	return uni_props(cp) & (UNI_UPPERCASE | UNI_LOWERCASE | UNI_LT);
}

/* Case_Ignorable: marks, format characters, modifier letters and symbols, and the middle punctuation of words. */
static bool is_case_ignorable(uint32_t cp)
{
	static const uint32_t middle[] = { 0x27,   0x2e,   0x3a,   0xb7,   0x387,  0x55f,  0x5f4,  0x2018, 0x2019,
					   0x2024, 0x2027, 0xfe13, 0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a };
	for (size_t i = 0; i < sizeof middle / sizeof middle[0]; i++)
		if (cp == middle[i])
			return true;
	return uni_props(cp) & (UNI_MN | UNI_ME | UNI_CF | UNI_LM | UNI_SK);
}

/* ---- case ---- */

/* A Greek capital sigma that ends at byte `after` is final when a cased letter stands before it and none after it, ignorables skipped. */
static bool final_sigma(struct str s, size_t after, bool cased_before)
{
	if (!cased_before)
		return false;
	for (size_t i = after; i < s.n;) {
		uint32_t c = utf8_next(s, &i);
		if (!is_case_ignorable(c))
			return !is_cased(c);
	}
	return true;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The characters that cp becomes by a table of full mappings; false: none is there. */
static bool put_full(struct out *o, const uint32_t (*full)[4], size_t n, uint32_t cp)
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (full[mid][0] < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == n || full[lo][0] != cp)
		return false;
	for (int k = 1; k < 4 && full[lo][k]; k++)
		out_cp(o, full[lo][k]);
	return true;
}

static void put_upper(struct out *o, uint32_t cp)
{
	if (cp < 0x80)
		out_cp(o, cp >= 'a' && cp <= 'z' ? cp - 32 : cp);
	else if (!put_full(o, full_upper, COUNT(full_upper), cp))
		out_cp(o, uni_mapped(simple_upper, COUNT(simple_upper), cp));
}

static void put_title(struct out *o, uint32_t cp)
{
	if (cp < 0x80) {
		put_upper(o, cp);
		return;
	}
	if (put_full(o, full_title, COUNT(full_title), cp))
		return;
	uint32_t to = uni_mapped(simple_title, COUNT(simple_title), cp);
	if (to != cp || IN(title_same, cp))
		out_cp(o, to);
	else
		put_upper(o, cp);
}

/* The table has letters of a later Unicode too. */
static uint32_t simple_lower(uint32_t cp)
{
	return uni_props(cp) & UNI_CN ? cp : uni_rust_lower(cp);
}

static void put_lower(struct out *o, uint32_t cp, bool final)
{
	if (cp == 0x3a3) {
		out_cp(o, final ? 0x3c2 : 0x3c3);
	} else if (cp == 0x130) {
		out_cp(o, 'i');
		out_cp(o, 0x307);
	} else {
		out_cp(o, cp < 0x80 ? (cp >= 'A' && cp <= 'Z' ? cp + 32 : cp) : simple_lower(cp));
	}
}

static void put_fold(struct out *o, uint32_t cp)
{
	if (cp < 0x80) {
		out_cp(o, cp >= 'A' && cp <= 'Z' ? cp + 32 : cp);
		return;
	}
	if (IN(fold_same, cp)) {
		out_cp(o, cp);
		return;
	}
	if (put_full(o, full_casefold, COUNT(full_casefold), cp))
		return;
	uint32_t to = uni_mapped(simple_fold, COUNT(simple_fold), cp);
	out_cp(o, to != cp ? to : simple_lower(cp));
}

enum how { LOWER, TITLE, CAPITALIZE };

static struct str recase(struct arena *a, struct str s, enum how how)
{
	struct out o = out_new(a, s.n);
	bool before = false; /* is the last character that is not case-ignorable a cased one? */
	bool in_word = false;
	for (size_t i = 0; i < s.n;) {
		size_t at = i;
		uint32_t c = utf8_next(s, &i);
		bool title = how == TITLE ? !in_word : how == CAPITALIZE && at == 0;
		if (title)
			put_title(&o, c);
		else
			put_lower(&o, c, c == 0x3a3 && final_sigma(s, i, before));
		in_word = is_cased(c);
		if (!is_case_ignorable(c))
			before = in_word;
	}
	return out_end(&o);
}

struct str uni_lower(struct arena *a, struct str s)
{
	return recase(a, s, LOWER);
}

struct str uni_title(struct arena *a, struct str s)
{
	return recase(a, s, TITLE);
}

struct str uni_capitalize(struct arena *a, struct str s)
{
	return recase(a, s, CAPITALIZE);
}

struct str uni_upper(struct arena *a, struct str s)
{
	struct out o = out_new(a, s.n);
	for (size_t i = 0; i < s.n;)
		put_upper(&o, utf8_next(s, &i));
	return out_end(&o);
}

struct str uni_casefold(struct arena *a, struct str s)
{
	struct out o = out_new(a, s.n);
	for (size_t i = 0; i < s.n;)
		put_fold(&o, utf8_next(s, &i));
	return out_end(&o);
}

/* ---- strip ---- */

/* Both go over ASCII by bytes, with which most text begins and ends. */
struct str str_lstrip(struct str s)
{
	size_t i = 0;
	while (i < s.n && is_ascii_space((unsigned char)s.p[i]))
		i++;
	while (i < s.n) {
		size_t at = i;
		if ((unsigned char)s.p[i] < 0x80 ? !is_ascii_space((unsigned char)s.p[i++]) : !uni_is_space(utf8_next(s, &i)))
			return (struct str){ s.p + at, s.n - at };
	}
	return (struct str){ s.p ? s.p + s.n : "", 0 };
}

struct str str_rstrip(struct str s)
{
	while (s.n) {
		size_t at = s.n - 1;
		unsigned char c = (unsigned char)s.p[at];
		if (c < 0x80) {
			if (!is_ascii_space(c))
				break;
			s.n = at;
			continue;
		}
		while (at > 0 && s.n - at < 3 &&
		       ((unsigned char)s.p[at] & 0xc0) == 0x80) /* no white space has four bytes */
			at--;
		size_t i = at;
		if (!uni_is_space(utf8_next(s, &i)) || i != s.n)
			break;
		s.n = at;
	}
	return s;
}

struct str str_strip(struct str s)
{
	return str_lstrip(str_rstrip(s));
}
