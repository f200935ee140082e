/* tok_set.c - the character classes of Oniguruma's patterns, worked out to sets of code points.
 *
 * Sets make nested classes, intersections and negations plain, and take PCRE2's Unicode version (and what it means by the
 * same letters) out of the game: properties come from uniprop.h. Where Oniguruma itself is odd, so are we: \w outside of
 * brackets has the superscripts and fractions of Latin-1, inside it has not; [[:punct:]] has symbols, \p{Punct} has not.
 *
 * Refuses, by name: properties and escapes that it does not know, ranges that end in a class.
 */
#include "runners/tok_set.h"

#include <stdlib.h>

#include "kernels/base/arena.h"
#include "runners/text/utf8.h"

enum { MAX_NESTED = 20 };

void cpset_free(struct cpset *s)
{
	free(s->r);
	*s = (struct cpset){ NULL, 0, 0 };
}

void cpset_add(struct cpset *s, uint32_t from, uint32_t to)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 8;
		s->r = xrealloc(s->r, s->cap * sizeof *s->r);
	}
	s->r[s->n][0] = from;
	s->r[s->n++][1] = to;
}

static int by_start(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

void cpset_normal(struct cpset *s)
{
	size_t w = 0;
	if (s->n > 1)
		qsort(s->r, s->n, sizeof *s->r, by_start);
	for (size_t i = 0; i < s->n; i++) {
		if (w && s->r[i][0] <= s->r[w - 1][1] + 1) {
			if (s->r[i][1] > s->r[w - 1][1])
				s->r[w - 1][1] = s->r[i][1];
		} else {
			s->r[w][0] = s->r[i][0];
			s->r[w++][1] = s->r[i][1];
		}
	}
	s->n = w;
}

void cpset_union(struct cpset *s, const struct cpset *b)
{
	for (size_t i = 0; i < b->n; i++)
		cpset_add(s, b->r[i][0], b->r[i][1]);
	cpset_normal(s);
}

void cpset_intersect(struct cpset *s, const struct cpset *b)
{
	struct cpset out = { NULL, 0, 0 };
	for (size_t i = 0, k = 0; i < s->n && k < b->n;) {
		uint32_t from = s->r[i][0] > b->r[k][0] ? s->r[i][0] : b->r[k][0];
		uint32_t to = s->r[i][1] < b->r[k][1] ? s->r[i][1] : b->r[k][1];
		if (from <= to)
			cpset_add(&out, from, to);
		if (s->r[i][1] < b->r[k][1])
			i++;
		else
			k++;
	}
	cpset_free(s);
	*s = out;
}

void cpset_invert(struct cpset *s)
{
	struct cpset out = { NULL, 0, 0 };
	uint32_t next = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (s->r[i][0] > next)
			cpset_add(&out, next, s->r[i][0] - 1);
		next = s->r[i][1] + 1;
	}
	if (next <= 0x10ffff)
		cpset_add(&out, next, 0x10ffff);
	cpset_free(s);
	*s = out;
}

static bool has(const struct cpset *s, uint32_t c)
{
	size_t lo = 0, hi = s->n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (c > s->r[mid][1])
			lo = mid + 1;
		else if (c < s->r[mid][0])
			hi = mid;
		else
			return true;
	}
	return false;
}

struct folding {
	const struct cpset *s;
	struct cpset low, more;
};

static void fold_down(void *ctx, uint32_t c, uint32_t smallest)
{
	struct folding *f = ctx;
	if (has(f->s, c))
		cpset_add(&f->low, smallest, smallest);
}

static void fold_up(void *ctx, uint32_t c, uint32_t smallest)
{
	struct folding *f = ctx;
	if (has(f->s, smallest))
		cpset_add(&f->more, c, c);
}

void cpset_fold(struct cpset *s)
{
	struct folding f = { .s = s };
	uni_fold_each(fold_down, &f);
	cpset_union(s, &f.low);
	uni_fold_each(fold_up, &f);
	cpset_union(s, &f.more);
	cpset_free(&f.low);
	cpset_free(&f.more);
}

bool cpset_has_many(const struct cpset *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (uint32_t c = s->r[i][0]; c <= s->r[i][1] && c < 0x10000; c++)
			if (uni_folds_to_many(c))
				return true;
	return false;
}

void cpset_mask(struct cpset *s, uint64_t mask)
{
	size_t n;
	uint32_t (*r)[2] = uni_ranges(mask, &n);
	for (size_t i = 0; i < n; i++)
		cpset_add(s, r[i][0], r[i][1]);
	free(r);
	cpset_normal(s);
}

/* ---- names ---- */

static const struct {
	const char *name;
	uint64_t mask;
} names[] = {
	{ "l", UNI_L },           { "letter", UNI_L },        { "lc", UNI_LU | UNI_LL | UNI_LT },
	{ "casedletter", UNI_LU | UNI_LL | UNI_LT },
	{ "lu", UNI_LU },         { "uppercaseletter", UNI_LU }, { "ll", UNI_LL }, { "lowercaseletter", UNI_LL },
	{ "lt", UNI_LT },         { "titlecaseletter", UNI_LT }, { "lm", UNI_LM }, { "modifierletter", UNI_LM },
	{ "lo", UNI_LO },         { "otherletter", UNI_LO },  { "m", UNI_M },      { "mark", UNI_M },
	{ "mn", UNI_MN },         { "nonspacingmark", UNI_MN }, { "mc", UNI_MC },  { "spacingmark", UNI_MC },
	{ "me", UNI_ME },         { "enclosingmark", UNI_ME }, { "n", UNI_N },     { "number", UNI_N },
	{ "nd", UNI_ND },         { "decimalnumber", UNI_ND }, { "digit", UNI_ND }, { "nl", UNI_NL },
	{ "letternumber", UNI_NL }, { "no", UNI_NO },         { "othernumber", UNI_NO }, { "p", UNI_P },
	{ "punctuation", UNI_P }, { "punct", UNI_P },         { "pc", UNI_PC },    { "connectorpunctuation", UNI_PC },
	{ "pd", UNI_PD },         { "dashpunctuation", UNI_PD }, { "ps", UNI_PS }, { "openpunctuation", UNI_PS },
	{ "pe", UNI_PE },         { "closepunctuation", UNI_PE }, { "pi", UNI_PI }, { "initialpunctuation", UNI_PI },
	{ "pf", UNI_PF },         { "finalpunctuation", UNI_PF }, { "po", UNI_PO }, { "otherpunctuation", UNI_PO },
	{ "s", UNI_S },           { "symbol", UNI_S },        { "sm", UNI_SM },    { "mathsymbol", UNI_SM },
	{ "sc", UNI_SC },         { "currencysymbol", UNI_SC }, { "sk", UNI_SK },  { "modifiersymbol", UNI_SK },
	{ "so", UNI_SO },         { "othersymbol", UNI_SO },  { "z", UNI_Z },      { "separator", UNI_Z },
	{ "zs", UNI_ZS },         { "spaceseparator", UNI_ZS }, { "zl", UNI_ZL },  { "lineseparator", UNI_ZL },
	{ "zp", UNI_ZP },         { "paragraphseparator", UNI_ZP }, { "c", UNI_C }, { "other", UNI_C },
	{ "cc", UNI_CC },         { "control", UNI_CC },      { "cntrl", UNI_CC }, { "cf", UNI_CF },
	{ "format", UNI_CF },     { "cs", UNI_CS },           { "surrogate", UNI_CS }, { "co", UNI_CO },
	{ "privateuse", UNI_CO }, { "cn", UNI_CN },           { "unassigned", UNI_CN }, { "any", ~0ull },
	{ "assigned", ~(UNI_CN | UNI_ALPHABETIC) & (UNI_CN - 1) }, { "alphabetic", UNI_ALPHABETIC },
	{ "alpha", UNI_ALPHABETIC }, { "word", UNI_WORD }, { "alnum", UNI_ALPHABETIC | UNI_ND }, { "uppercase", UNI_UPPERCASE },
	{ "upper", UNI_UPPERCASE }, { "lowercase", UNI_LOWERCASE }, { "lower", UNI_LOWERCASE },
	{ "whitespace", UNI_SPACE }, { "space", UNI_SPACE },  { "emoji", UNI_EMOJI },
	{ "extendedpictographic", UNI_PICTOGRAPH }, { "extpict", UNI_PICTOGRAPH },
};

/* Names that no mask describes. */
static bool special_name(struct cpset *out, const char *name)
{
	if (!strcmp(name, "ascii")) {
		cpset_add(out, 0, 0x7f);
	} else if (!strcmp(name, "xdigit")) {
		cpset_add(out, '0', '9');
		cpset_add(out, 'A', 'F');
		cpset_add(out, 'a', 'f');
	} else if (!strcmp(name, "blank")) {
		cpset_mask(out, UNI_ZS);
		cpset_add(out, 9, 9);
	} else if (!strcmp(name, "graph") || !strcmp(name, "print")) {
		cpset_mask(out, UNI_SPACE | UNI_CC | UNI_CN | UNI_CS);
		cpset_invert(out);
		if (*name == 'p')
			cpset_mask(out, UNI_ZS);
	} else {
		return false;
	}
	cpset_normal(out);
	return true;
}

int class_property(struct cpset *out, struct str name, struct err *e)
{
	struct cpset own = { NULL, 0, 0 };
	char low[40];
	size_t len = 0, n;
	bool inverse = name.n && name.p[0] == '^', found;
	for (size_t i = inverse; i < name.n && len + 1 < sizeof low; i++) {
		char c = name.p[i];
		if (c != ' ' && c != '_' && c != '-')
			low[len++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	low[len] = 0;
	found = special_name(&own, low);
	for (size_t k = 0; !found && k < sizeof names / sizeof names[0]; k++)
		if (!strcmp(names[k].name, low)) {
			cpset_mask(&own, names[k].mask);
			found = true;
		}
	if (!found) {
		const uint32_t (*r)[2] = uni_script(str_of(low), &n);
		for (size_t i = 0; r && i < n; i++)
			cpset_add(&own, r[i][0], r[i][1]);
		found = r != NULL;
	}
	if (!found)
		return err_set(e, E_UNSUPPORTED, "the pattern has the property '%.*s', which is not supported",
			       (int)(name.n < 40 ? name.n : 40), name.p);
	if (inverse)
		cpset_invert(&own);
	cpset_union(out, &own);
	cpset_free(&own);
	return 0;
}

bool class_type(struct cpset *out, char letter, bool outside)
{
	struct cpset own = { NULL, 0, 0 };
	switch (letter | 32) {
	case 's':
		cpset_mask(&own, UNI_SPACE);
		break;
	case 'd':
		cpset_mask(&own, UNI_ND);
		break;
	case 'h':
		special_name(&own, "xdigit");
		break;
	case 'w':
		cpset_mask(&own, UNI_WORD);
		for (const char *p = outside ? "\xb2\xb3\xb9\xbc\xbd\xbe" : ""; *p; p++)
			cpset_add(&own, (unsigned char)*p, (unsigned char)*p);
		cpset_normal(&own);
		break;
	default:
		return false;
	}
	if (letter < 'a')
		cpset_invert(&own);
	cpset_union(out, &own);
	cpset_free(&own);
	return true;
}

int class_refuse(struct str s, size_t at, const char *what, struct err *e)
{
	size_t n = s.n - at < 12 ? s.n - at : 12;
	while (at + n < s.n && ((unsigned char)s.p[at + n] & 0xc0) == 0x80) /* no part of a character */
		n--;
	return err_set(e, E_UNSUPPORTED, "the pattern has %s '%.*s' at byte %zu, which is not supported", what, (int)n, s.p + at, at);
}

static int hex(struct str s, size_t from, size_t n, uint32_t *out)
{
	*out = 0;
	for (size_t i = from; i < from + n; i++) {
		char c = i < s.n ? s.p[i] : 0;
		int v = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
		if (v < 0)
			return -1;
		*out = *out << 4 | (uint32_t)v;
	}
	return 0;
}

int class_char(uint32_t *out, struct str s, size_t *i, struct err *e)
{
	static const char letters[] = "tnrfvae", values[] = "\t\n\r\f\v\a\x1b";
	size_t at = *i, n = 0;
	if (at + 1 >= s.n)
		return err_set(e, E_FORMAT, "the pattern ends in a backslash");
	char c = s.p[at + 1];
	*i = at + 2;
	const char *k = strchr(letters, c);
	if (c && k) {
		*out = (unsigned char)values[k - letters];
		return 0;
	}
	if (c == 'u' && !hex(s, *i, 4, out)) {
		*i += 4;
		return 0;
	}
	if (c == 'x' && *i < s.n && s.p[*i] == '{') {
		while (*i + 1 + n < s.n && s.p[*i + 1 + n] != '}')
			n++;
		if (n && n <= 6 && *i + 1 + n < s.n && !hex(s, *i + 1, n, out) && *out <= 0x10ffff) {
			*i += n + 2;
			return 0;
		}
	} else if (c == 'x' && !hex(s, *i, 2, out) && *out < 0x80) { /* above, it would be a byte */
		*i += 2;
		return 0;
	}
	if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'))
		return class_refuse(s, at, "the escape", e);
	*i = at + 1;
	*out = utf8_next(s, i);
	return 0;
}

int class_name(struct str *name, bool *negated, struct str s, size_t *i, struct err *e)
{
	size_t at = *i, from = at + 3, n = 0;
	if (at + 2 >= s.n || s.p[at + 2] != '{')
		return class_refuse(s, at, "an escape without braces", e);
	while (from + n < s.n && s.p[from + n] != '}')
		n++;
	if (from + n >= s.n || n > 60)
		return class_refuse(s, at, "an escape without a closing brace", e);
	*name = (struct str){ s.p + from, n };
	*negated = s.p[at + 1] == 'P';
	*i = from + n + 1;
	return 0;
}

/* [:name:] and [:^name:] at s.p[*i] = '['. */
static int posix(struct cpset *out, struct str s, size_t *i, struct err *e)
{
	struct cpset own = { NULL, 0, 0 };
	static const char *const known[] = { "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit", "word" };
	size_t at = *i, from = at + 2;
	bool inverse = from < s.n && s.p[from] == '^';
	from += inverse;
	struct str rest = { s.p + from, s.n - from };
	for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
		size_t n = strlen(known[k]);
		if (!str_starts(rest, str_of(known[k])) || rest.n < n + 2 || memcmp(rest.p + n, ":]", 2) != 0)
			continue;
		if (!strcmp(known[k], "word"))
			cpset_mask(&own, UNI_WORD);
		else if (!strcmp(known[k], "punct"))
			cpset_mask(&own, UNI_P | UNI_S);
		else if (class_property(&own, str_of(known[k]), e) < 0)
			return -1;
		if (inverse)
			cpset_invert(&own);
		cpset_union(out, &own);
		cpset_free(&own);
		*i = from + n + 2;
		return 0;
	}
	return class_refuse(s, at, "the class", e);
}

/* One member at s.p[*i]: 1 a character in *c, 0 a set that has joined out. */
static int member(struct cpset *out, uint32_t *c, struct str s, size_t *i, int depth, struct err *e)
{
	struct cpset own = { NULL, 0, 0 };
	bool negated = false;
	if (s.p[*i] == '[') {
		if (*i + 1 < s.n && s.p[*i + 1] == ':')
			return posix(out, s, i, e);
		if (class_bracket(&own, &negated, s, i, depth + 1, e) < 0)
			goto fail;
	} else if (s.p[*i] != '\\') {
		*c = utf8_next(s, i);
		return 1;
	} else if (*i + 1 < s.n && (s.p[*i + 1] | 32) == 'p') {
		struct str name;
		if (class_name(&name, &negated, s, i, e) < 0 || class_property(&own, name, e) < 0)
			goto fail;
	} else if (*i + 1 < s.n && class_type(&own, s.p[*i + 1], false)) {
		*i += 2;
	} else {
		if (*i + 1 < s.n && s.p[*i + 1] == 'b') {
			*c = 8;
			*i += 2;
			return 1;
		}
		return class_char(c, s, i, e) < 0 ? -1 : 1;
	}
	if (negated)
		cpset_invert(&own);
	cpset_union(out, &own);
	cpset_free(&own);
	return 0;
fail:
	cpset_free(&own);
	return -1;
}

int class_bracket(struct cpset *out, bool *negated, struct str s, size_t *i, int depth, struct err *e)
{
	size_t at = (*i)++;
	struct cpset part = { NULL, 0, 0 };
	bool and = false;
	if (depth > MAX_NESTED)
		return err_set(e, E_LIMIT, "the pattern has more than %d classes inside each other", MAX_NESTED);
	*negated = *i < s.n && s.p[*i] == '^';
	*i += *negated;
	if (*i < s.n && s.p[*i] == ']')
		return class_refuse(s, at, "an empty class", e);
	for (;;) {
		uint32_t c, to;
		if (*i >= s.n) {
			cpset_free(&part);
			return err_set(e, E_FORMAT, "the pattern has a '[' without ']' at byte %zu", at);
		}
		bool amp = s.p[*i] == '&' && *i + 1 < s.n && s.p[*i + 1] == '&';
		if (s.p[*i] == ']' || amp) {
			cpset_normal(&part);
			if (and)
				cpset_intersect(out, &part);
			else
				cpset_union(out, &part);
			cpset_free(&part);
			and = true;
			*i += amp ? 2 : 1;
			if (amp)
				continue;
			return 0;
		}
		int rc = member(&part, &c, s, i, depth, e);
		if (rc > 0) {
			to = c;
			if (*i + 1 < s.n && s.p[*i] == '-' && s.p[*i + 1] != ']') {
				size_t dash = (*i)++;
				rc = s.p[*i] == '[' || s.p[*i] == '&' ? 0 : member(&part, &to, s, i, depth, e);
				if (rc == 0 || (rc > 0 && to < c))
					rc = class_refuse(s, dash, "a range that ends in", e);
			}
			if (rc > 0)
				cpset_add(&part, c, to);
		} else if (rc == 0 && *i + 1 < s.n && s.p[*i] == '-' && s.p[*i + 1] != ']') {
			rc = class_refuse(s, *i, "a range that begins in a class", e);
		}
		if (rc < 0) {
			cpset_free(&part);
			return -1;
		}
	}
}
