/* tok_scan.c - the patterns everybody uses, as code instead of regular expressions.
 *
 * Most tokenizer.json files cut text with one of a handful of patterns (GPT-2's, cl100k's as Llama 3 and Qwen 2 have it,
 * o200k's, DeepSeek's three). A pattern that is byte for byte one of them is matched by a function here, several times faster
 * than by a general matcher; any other goes to tok_regex.c. tests/test_tok_scan.c compares both on random Unicode.
 *
 * No pattern here looks back, so each function answers one question: where does the match that begins at s.p[i] end? (i: there
 * is none.) Alternatives are tried in the pattern's order; where the pattern would backtrack, the code says what is left then.
 * Every function reads a run of characters at most a few times, so time is linear in the text.
 */
#include "runners/text/uniprop.h"
#include "runners/text/utf8.h"
#include "runners/tok_int.h"

enum {
	LETTER = 1,
	NUMBER = 2,
	SPACE = 4,
	NEWLINE = 8, /* \r \n */
	MARK = 16,
	SIGN = 32,   /* \p{P} \p{S} */
	UPPER = 64,  /* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] */
	LOWER = 128, /* [\p{Ll}\p{Lm}\p{Lo}\p{M}] */
};

struct scanner {
	unsigned char ascii[128], of_class[128];
	size_t (*end)(const struct scanner *sc, struct str s, size_t i);
};

static unsigned char flags_of(uint64_t p)
{
	unsigned f = 0;
	f |= p & UNI_L ? LETTER : 0;
	f |= p & UNI_N ? NUMBER : 0;
	f |= p & UNI_SPACE ? SPACE : 0;
	f |= p & UNI_M ? MARK : 0;
	f |= p & (UNI_P | UNI_S) ? SIGN : 0;
	f |= p & (UNI_LU | UNI_LT | UNI_LM | UNI_LO | UNI_M) ? UPPER : 0;
	f |= p & (UNI_LL | UNI_LM | UNI_LO | UNI_M) ? LOWER : 0;
	return (unsigned char)f;
}

/* The flags of the character at i < s.n, and how many bytes it has. */
static inline unsigned look(const struct scanner *sc, struct str s, size_t i, size_t *len)
{
	const unsigned char *p = (const unsigned char *)s.p + i;
	if (p[0] < 0x80) {
		*len = 1;
		return sc->ascii[p[0]];
	}
	uint32_t c;
	if ((p[0] & 0xf0) == 0xe0 && s.n - i >= 3) {
		c = (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
		*len = 3;
	} else {
		size_t k = i;
		c = utf8_next(s, &k);
		*len = k - i;
	}
	return sc->of_class[uni_class(c)];
}

/* The end of the run of characters from i that have one of the flags `any`. */
static inline size_t run(const struct scanner *sc, struct str s, size_t i, unsigned any)
{
	size_t len;
	while (i < s.n && look(sc, s, i, &len) & any)
		i += len;
	return i;
}

static inline size_t run_without(const struct scanner *sc, struct str s, size_t i, unsigned none)
{
	size_t len;
	while (i < s.n && !(look(sc, s, i, &len) & none))
		i += len;
	return i;
}

static inline bool is_at(const struct scanner *sc, struct str s, size_t i, unsigned any)
{
	size_t len;
	return i < s.n && look(sc, s, i, &len) & any;
}

/* 's 't 're 've 'm 'll 'd at i, in any case when fold; U+017F is an s then. Its end, or i. */
static size_t contraction(struct str s, size_t i, bool fold)
{
	if (i + 1 >= s.n || s.p[i] != '\'')
		return i;
	unsigned char a = (unsigned char)s.p[i + 1], b = i + 2 < s.n ? (unsigned char)s.p[i + 2] : 0;
	if (fold && a == 0xc5 && b == 0xbf)
		return i + 3;
	if (fold) {
		a |= a >= 'A' && a <= 'Z' ? 32 : 0;
		b |= b >= 'A' && b <= 'Z' ? 32 : 0;
	}
	if (a == 's' || a == 't' || a == 'm' || a == 'd')
		return i + 2;
	return ((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l') ? i + 3 : i;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ at a white character; newline: is the first alternative there? */
static size_t white(const struct scanner *sc, struct str s, size_t i, bool newline)
{
	size_t at = i, last = i, after = i, len = 0;
	unsigned f;
	while (at < s.n && (f = look(sc, s, at, &len)) & SPACE) {
		last = at;
		at += len;
		if (f & NEWLINE)
			after = at;
	}
	if (newline && after > i) /* gives back white space until a newline is last */
		return after;
	if (at == s.n) /* nothing behind */
		return at;
	return last > i ? last : at; /* gives back one character, when it has two */
}

/* ... [^\s\p{L}\p{N}]+[\r\n]* or the like: a blank before the run belongs to it; more: bytes that may follow. */
static size_t signs(const struct scanner *sc, struct str s, size_t i, const char *more)
{
	size_t at = i + (s.p[i] == ' '), end = run_without(sc, s, at, SPACE | LETTER | NUMBER);
	if (end == at)
		return i;
	while (end < s.n && s.p[end] && strchr(more, s.p[end]))
		end++;
	return end;
}

static size_t up_to(const struct scanner *sc, struct str s, size_t i, int max)
{
	size_t len;
	for (; max > 0 && i < s.n && look(sc, s, i, &len) & NUMBER; max--)
		i += len;
	return i;
}

static size_t gpt2_end(const struct scanner *sc, struct str s, size_t i)
{
	size_t at = contraction(s, i, false);
	if (at > i)
		return at;
	at = i + (s.p[i] == ' ');
	size_t len;
	unsigned f = at < s.n ? look(sc, s, at, &len) : SPACE;
	if (f & LETTER)
		return run(sc, s, at, LETTER);
	if (f & NUMBER)
		return run(sc, s, at, NUMBER);
	if (!(f & SPACE))
		return run_without(sc, s, at, SPACE | LETTER | NUMBER);
	return white(sc, s, i, false);
}

static inline size_t cl100k(const struct scanner *sc, struct str s, size_t i, int digits)
{
	size_t len, at = contraction(s, i, true);
	if (at > i)
		return at;
	unsigned f = look(sc, s, i, &len);
	if (f & LETTER)
		return run(sc, s, i + len, LETTER);
	if (f & NUMBER)
		return up_to(sc, s, i, digits);
	if (!(f & NEWLINE) && is_at(sc, s, i + len, LETTER))
		return run(sc, s, i + len, LETTER);
	at = signs(sc, s, i, "\r\n");
	return at > i ? at : white(sc, s, i, true);
}

static size_t llama3_end(const struct scanner *sc, struct str s, size_t i)
{
	return cl100k(sc, s, i, 3);
}

static size_t qwen2_end(const struct scanner *sc, struct str s, size_t i)
{
	return cl100k(sc, s, i, 1);
}

/* [UPPER]*[LOWER]+ at i: its end, or i. */
static size_t capital(const struct scanner *sc, struct str s, size_t i)
{
	size_t at = i, last = i, len;
	unsigned f = 0;
	while (at < s.n && (f = look(sc, s, at, &len)) & UPPER) {
		at += len;
		if (f & LOWER)
			last = at;
	}
	if (at < s.n && f & LOWER) /* f is of the character at `at` */
		return run(sc, s, at, LOWER);
	return last; /* gives back until a character of both kinds is last */
}

static size_t o200k_end(const struct scanner *sc, struct str s, size_t i)
{
	size_t len, end = i;
	unsigned f = look(sc, s, i, &len);
	bool prefix = !(f & (NEWLINE | LETTER | NUMBER));
	size_t at = prefix ? i + len : i;
	if (at < s.n && (end = capital(sc, s, at)) > at)
		return contraction(s, end, true);
	if (prefix && (end = capital(sc, s, i)) > i)
		return contraction(s, end, true);
	if ((end = run(sc, s, at, UPPER)) > at)
		return contraction(s, end, true);
	if (f & NUMBER)
		return up_to(sc, s, i, 3);
	at = signs(sc, s, i, "\r\n/");
	return at > i ? at : white(sc, s, i, true);
}

static size_t numbers_end(const struct scanner *sc, struct str s, size_t i)
{
	return up_to(sc, s, i, 3);
}

static size_t cjk_end(const struct scanner *sc, struct str s, size_t i)
{
	(void)sc;
	while (i + 2 < s.n) {
		const unsigned char *p = (const unsigned char *)s.p + i;
		uint32_t c = (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
		if ((p[0] & 0xf0) != 0xe0 || !((c >= 0x4e00 && c <= 0x9fa5) || (c >= 0x3040 && c <= 0x30ff)))
			break;
		i += 3;
	}
	return i;
}

static bool ascii_letter(char c)
{
	return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static size_t deepseek_end(const struct scanner *sc, struct str s, size_t i)
{
	size_t len, at = i + 1;
	unsigned f = look(sc, s, i, &len);
	if (f & SIGN && len == 1 && at < s.n && ascii_letter(s.p[at])) {
		while (at < s.n && ascii_letter(s.p[at]))
			at++;
		return at;
	}
	if (f & (LETTER | MARK))
		return run(sc, s, i + len, LETTER | MARK);
	if (!(f & (NEWLINE | SIGN)) && is_at(sc, s, i + len, LETTER | MARK))
		return run(sc, s, i + len, LETTER | MARK);
	at = i + (s.p[i] == ' ');
	size_t end = run(sc, s, at, SIGN);
	if (end > at) {
		while (end < s.n && (s.p[end] == '\r' || s.p[end] == '\n'))
			end++;
		return end;
	}
	return f & SPACE ? white(sc, s, i, true) : i;
}

static const struct {
	const char *pattern;
	size_t (*end)(const struct scanner *sc, struct str s, size_t i);
} known[] = {
	{ "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", gpt2_end },
	{ "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
	  "\\s+(?!\\S)|\\s+",
	  llama3_end },
	{ "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
	  "\\s+(?!\\S)|\\s+",
	  qwen2_end },
	{ "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
	  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
	  "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
	  o200k_end },
	{ "\\p{N}{1,3}", numbers_end },
	{ "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", cjk_end },
	{ "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|"
	  "\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
	  deepseek_end },
};

const struct scanner *scanner_find(struct arena *a, struct str pattern)
{
	for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
		if (!str_is(pattern, known[k].pattern))
			continue;
		struct scanner *sc = ARENA_NEW(a, struct scanner);
		for (unsigned i = 0; i < 128; i++) {
			sc->of_class[i] = flags_of(uni_class_props[i]);
			sc->ascii[i] = flags_of(uni_props(i));
		}
		sc->ascii['\r'] |= NEWLINE;
		sc->ascii['\n'] |= NEWLINE;
		sc->end = known[k].end;
		return sc;
	}
	return NULL;
}

const char *scanner_pattern(size_t k)
{
	return k < sizeof known / sizeof known[0] ? known[k].pattern : NULL;
}

bool scanner_next(const struct scanner *sc, struct str s, size_t *pos, size_t *from, size_t *to)
{
	size_t i = *pos, len;
	while (i < s.n) {
		size_t end = sc->end(sc, s, i);
		if (end > i) {
			*from = i;
			*pos = *to = end;
			return true;
		}
		look(sc, s, i, &len);
		i += len;
	}
	return false;
}
