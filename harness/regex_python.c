/* regex_python.c - Python's regular expression syntax (re, 3.11) written again for PCRE2, so that each construct means
 * what Python means by it.
 *
 * Most of the two languages is the same; the rest is where scores silently change: \s \w \b (Python takes U+001C..U+001F
 * and U+0085 as space, and its word characters are letters, numbers and '_' in every version), \v, \Z, {,n}, a '[' inside
 * a set, '^' after a final newline, free spacing, flags. So nothing is passed through unseen: the pattern is read item by
 * item, every literal is written escaped, every set is written as code points and properties, named groups become numbers.
 * Known differences: under (?i) Python also takes i, U+0131 and U+0130 for each other; a look-behind may have alternatives of
 * different lengths here.
 * What Python refuses is refused with its reason and the offset in code points (bad escapes, nothing to repeat, multiple
 * repeat, unknown or open groups, global flags that are not at the start). \N{...} and (?L) are not supported.
 * The pattern is read once from left to right; groups are kept on a stack of limited depth, so no input recurses.
 *
 * Reference: Lib/re/_parser.py's documented grammar (Python Library Reference, "re"); pcre2pattern(3).
 */
#include "harness/regex_int.h"

#include <stdio.h>
#include <string.h>

#include "runners/text/utf8.h"

enum { DEPTH_MAX = 100, PATTERN_MAX = 32768, REPEAT_MAX = 65535 };

/* Python's str.isspace, as ranges inside a set, and its complement. */
#define SPACE "\\x{9}-\\x{d}\\x{1c}-\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NOT_SPACE \
	"\\x{0}-\\x{8}\\x{e}-\\x{1b}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}" \
	"\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
#define WORD "\\p{L}\\p{N}_"
/* All other categories; connector punctuation is spelled out, since '_' is one of it. */
#define NOT_WORD \
	"\\p{C}\\p{M}\\p{S}\\p{Z}\\p{Pd}\\p{Ps}\\p{Pe}\\p{Pi}\\p{Pf}\\p{Po}\\x{203f}\\x{2040}\\x{2054}\\x{fe33}\\x{fe34}" \
	"\\x{fe4d}-\\x{fe4f}\\x{ff3f}"
#define BOUNDARY(w) "(?:(?<![" w "])(?=[" w "])|(?<=[" w "])(?![" w "]))"
/* Python's \B does not match in an empty text. */
#define NO_BOUNDARY(w) "(?!\\A\\z)(?:(?<![" w "])(?![" w "])|(?<=[" w "])(?=[" w "]))"
#define A_WORD "a-zA-Z0-9_"

/* What a class escape means inside a set: by default, and under (?a). */
static const struct {
	char letter;
	const char *unicode, *ascii;
} sets[] = {
	{ 'd', "\\p{Nd}", "0-9" },
	{ 'D', "\\P{Nd}", "\\x{0}-\\x{2f}\\x{3a}-\\x{10ffff}" },
	{ 's', SPACE, "\\x{9}-\\x{d}\\x{20}" },
	{ 'S', NOT_SPACE, "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{10ffff}" },
	{ 'w', WORD, A_WORD },
	{ 'W', NOT_WORD, "\\x{0}-\\x{2f}\\x{3a}-\\x{40}\\x{5b}-\\x{5e}\\x{60}\\x{7b}-\\x{10ffff}" },
};

enum last { LAST_NONE, LAST_PLACE, LAST_ITEM, LAST_REPEAT }; /* what a quantifier would repeat */

struct scope {
	int group;      /* number of the capturing group, 0: none */
	bool verbose, ascii;
	int branches;   /* of a conditional: how many are allowed; 0: any number */
};

struct trans {
	struct str p;
	size_t i, cp;  /* byte and code point position */
	struct buf *out;
	struct regex_names *names;
	bool verbose, ascii;
	int needed;    /* highest group that a conditional asks for */
	bool any;      /* something was read that is no global flag */
	enum last last;
	struct scope stack[DEPTH_MAX];
	int depth;
	bool closed[REGEX_GROUPS_MAX + 1];
	struct err *e;
};

const char *regex_show(struct str pattern, char buf[96])
{
	size_t n = pattern.n < 80 ? pattern.n : 80;
	while (n < pattern.n && n > 0 && ((unsigned char)pattern.p[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++)
		buf[i] = (unsigned char)pattern.p[i] < 32 || pattern.p[i] == 127 ? '.' : pattern.p[i];
	strcpy(buf + n, n < pattern.n ? "..." : "");
	return buf;
}

static int fail(struct trans *t, const char *why)
{
	char show[96];
	return err_set(t->e, E_FORMAT, "pattern '%s', character %zu: %s", regex_show(t->p, show), t->cp, why);
}

static bool more(const struct trans *t)
{
	return t->i < t->p.n;
}

static char peek(const struct trans *t)
{
	return more(t) ? t->p.p[t->i] : 0;
}

static bool at(const struct trans *t, const char *s)
{
	size_t n = strlen(s);
	return t->p.n - t->i >= n && memcmp(t->p.p + t->i, s, n) == 0;
}

static uint32_t next(struct trans *t)
{
	t->cp++;
	return utf8_next(t->p, &t->i);
}

static bool take(struct trans *t, char c)
{
	if (!more(t) || peek(t) != c)
		return false;
	next(t);
	return true;
}

static void literal(struct trans *t, uint32_t c)
{
	bool plain = c < 128 && ((c | 32) >= 'a' ? (c | 32) <= 'z' : c >= '0' && c <= '9');
	if (plain)
		buf_putc(t->out, (char)c);
	else
		buf_printf(t->out, "\\x{%x}", (unsigned)c);
}

static int hex(struct trans *t, int digits, uint32_t *out)
{
	uint32_t v = 0;
	for (int k = 0; k < digits; k++) {
		char c = peek(t);
		if (c >= '0' && c <= '9')
			v = v * 16 + (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v * 16 + (uint32_t)((c | 32) - 'a' + 10);
		else
			return fail(t, digits == 2 ? "incomplete escape: \\x takes two hexadecimal digits"
						   : "incomplete escape: \\u takes four and \\U eight hexadecimal digits");
		next(t);
	}
	if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return fail(t, "an escape names no character");
	*out = v;
	return 0;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *set_of(const struct trans *t, char letter)
{
	for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
		if (sets[k].letter == letter)
			return t->ascii ? sets[k].ascii : sets[k].unicode;
	return NULL;
}

/* After a backslash, in or out of a set: 1 and *c for one character, 0 and *set for a class, -1. */
static int escape(struct trans *t, bool in_set, uint32_t *c, const char **set)
{
	if (!more(t))
		return fail(t, "bad escape: a backslash ends the pattern");
	uint32_t x = next(t);
	static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";
	const char *k;
	if (x < 128 && x && (k = strchr(from, (int)x))) {
		*c = (unsigned char)to[k - from];
		return 1;
	}
	if (x == 'b' && in_set) {
		*c = '\b';
		return 1;
	}
	if (x < 128 && (*set = set_of(t, (char)x)))
		return 0;
	if (x == 'x' || x == 'u' || x == 'U')
		return hex(t, x == 'x' ? 2 : x == 'u' ? 4 : 8, c) ? -1 : 1;
	if (x == '0' || (in_set && is_octal((char)x) && x < 128)) { /* \0oo; in a set \ooo too */
		uint32_t v = x - '0';
		for (int n = 0; n < 2 && is_octal(peek(t)); n++)
			v = v * 8 + next(t) - '0';
		if (v > 0377)
			return fail(t, "octal escape above \\377");
		*c = v;
		return 1;
	}
	if (x == 'N')
		return err_set(t->e, E_UNSUPPORTED, "character %zu of a pattern: \\N{...} is not supported", t->cp);
	if (x < 128 && (is_digit((char)x) || ((x | 32) >= 'a' && (x | 32) <= 'z')))
		return fail(t, "bad escape: no such escape in Python");
	*c = x;
	return 1;
}

/* A set, after its '['. */
static int set(struct trans *t)
{
	buf_putc(t->out, '[');
	if (take(t, '^'))
		buf_putc(t->out, '^');
	for (bool first = true;; first = false) {
		if (!more(t))
			return fail(t, "a set is not closed");
		uint32_t lo = 0, hi = 0;
		const char *class_lo = NULL, *class_hi = NULL;
		uint32_t x = next(t);
		if (x == ']' && !first)
			break;
		lo = x;
		if (x == '\\' && escape(t, true, &lo, &class_lo) < 0)
			return -1;
		bool range = peek(t) == '-' && t->i + 1 < t->p.n && t->p.p[t->i + 1] != ']';
		if (peek(t) == '-' && t->i + 1 >= t->p.n)
			return fail(t, "a set is not closed");
		if (!range) {
			if (class_lo)
				buf_puts(t->out, class_lo);
			else
				literal(t, lo);
			continue;
		}
		next(t);
		x = hi = next(t);
		if (x == '\\' && escape(t, true, &hi, &class_hi) < 0)
			return -1;
		if (class_lo || class_hi || hi < lo)
			return fail(t, "bad character range");
		literal(t, lo);
		buf_putc(t->out, '-');
		literal(t, hi);
	}
	buf_putc(t->out, ']');
	t->last = LAST_ITEM;
	return 0;
}

static int reference(struct trans *t, int group)
{
	if (group < 1 || group > t->names->ngroups)
		return fail(t, "invalid group reference");
	if (!t->closed[group])
		return fail(t, "cannot refer to an open group");
	buf_printf(t->out, "\\g{%d}", group);
	t->last = LAST_ITEM;
	return 0;
}

/* A backslash outside a set. */
static int backslash(struct trans *t)
{
	static const struct {
		char letter;
		const char *unicode, *ascii;
	} places[] = {
		{ 'A', "\\A", "\\A" },
		{ 'Z', "\\z", "\\z" },
		{ 'b', BOUNDARY(WORD), BOUNDARY(A_WORD) },
		{ 'B', NO_BOUNDARY(WORD), NO_BOUNDARY(A_WORD) },
	};
	char c = peek(t);
	for (size_t k = 0; k < sizeof places / sizeof *places; k++)
		if (more(t) && places[k].letter == c) {
			next(t);
			buf_puts(t->out, t->ascii ? places[k].ascii : places[k].unicode);
			t->last = LAST_PLACE;
			return 0;
		}
	if (c >= '1' && c <= '9') {
		int group = (int)(next(t) - '0');
		if (is_digit(peek(t))) {
			char d = peek(t);
			if (is_octal(c) && is_octal(d) && t->i + 1 < t->p.n && is_octal(t->p.p[t->i + 1])) {
				uint32_t v = (uint32_t)group * 64 + (next(t) - '0') * 8;
				v += next(t) - '0';
				if (v > 0377)
					return fail(t, "octal escape above \\377");
				literal(t, v);
				t->last = LAST_ITEM;
				return 0;
			}
			group = group * 10 + (int)(next(t) - '0');
		}
		return reference(t, group);
	}
	uint32_t x = 0;
	const char *cls = NULL;
	int r = escape(t, false, &x, &cls);
	if (r < 0)
		return -1;
	if (r == 0)
		buf_printf(t->out, "[%s]", cls);
	else
		literal(t, x);
	t->last = LAST_ITEM;
	return 0;
}

/* name up to `end`; must be an identifier. */
static int group_name(struct trans *t, char end, struct str *out)
{
	size_t start = t->i;
	while (more(t) && peek(t) != end)
		next(t);
	if (!more(t))
		return fail(t, "a group name is not closed");
	*out = (struct str){ t->p.p + start, t->i - start };
	next(t);
	if (!out->n)
		return fail(t, "missing group name");
	return 0;
}

static bool is_identifier(struct str s)
{
	for (size_t i = 0; i < s.n;) {
		bool first = i == 0;
		uint32_t c = utf8_next(s, &i);
		if (c != '_' && !(first ? uni_is_alpha(c) : uni_is_alnum(c)))
			return false;
	}
	return s.n > 0;
}

static int group_of(const struct regex_names *names, struct str name)
{
	for (int g = 1; g <= names->ngroups; g++)
		if (names->name[g].n && str_eq(names->name[g], name))
			return g;
	return 0;
}

static int number_of(struct str s)
{
	int v = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]) || v > 1000)
			return -1;
		v = v * 10 + (s.p[i] - '0');
	}
	return s.n ? v : -1;
}

static int push(struct trans *t, int group, int branches, const char *text)
{
	if (t->depth == DEPTH_MAX)
		return fail(t, "groups are nested more than 100 deep");
	t->stack[t->depth++] = (struct scope){ .group = group, .verbose = t->verbose, .ascii = t->ascii, .branches = branches };
	buf_puts(t->out, text);
	t->last = LAST_NONE;
	return 0;
}

static int capture(struct trans *t, struct str name)
{
	if (t->names->ngroups == REGEX_GROUPS_MAX)
		return fail(t, "more than 100 groups");
	if (name.n && group_of(t->names, name))
		return fail(t, "a group's name is used twice");
	int g = ++t->names->ngroups;
	t->names->name[g] = name;
	return push(t, g, 0, "(");
}

/* (?(1)yes|no) and (?(name)yes|no), after "(?(" */
static int conditional(struct trans *t)
{
	struct str name;
	if (group_name(t, ')', &name))
		return -1;
	int g = number_of(name); /* a number may name a group that comes later */
	if (g < 0)
		g = group_of(t->names, name);
	if (g < 1 || g > REGEX_GROUPS_MAX)
		return fail(t, "invalid group reference in a conditional");
	t->needed = g > t->needed ? g : t->needed;
	char text[24];
	snprintf(text, sizeof text, "(?(%d)", g);
	return push(t, 0, 2, text);
}

/* Flags after "(?": either global (?ims) at the start, or of a group (?i-s: ... ) */
static int flags(struct trans *t, bool at_start)
{
	char on[8] = "", off[8] = "";
	bool verbose = t->verbose, ascii = t->ascii, minus = false, any = false;
	for (;;) {
		if (!more(t))
			return fail(t, "missing ), - or : after flags");
		uint32_t c = next(t);
		if (c == ')' || c == ':') {
			if (!any)
				return fail(t, "missing flag");
			if (c == ')') {
				if (!at_start || minus)
					return fail(t, "global flags not at the start of the expression");
				t->any = false;
				t->verbose = verbose;
				t->ascii = ascii;
				if (*on)
					buf_printf(t->out, "(?%s)", on);
				return 0;
			}
			char text[32];
			snprintf(text, sizeof text, "(?%s%s%s:", on, *off ? "-" : "", off);
			if (push(t, 0, 0, text))
				return -1;
			t->verbose = verbose;
			t->ascii = ascii;
			return 0;
		}
		if (c == '-' && !minus) {
			minus = true;
			any = false;
			continue;
		}
		any = true;
		char *to = minus ? off : on;
		if (c == 'i' || c == 'm' || c == 's') {
			if (!strchr(to, (int)c))
				to[strlen(to) + 1] = 0, to[strlen(to)] = (char)c;
		} else if (c == 'x') {
			verbose = !minus;
		} else if (c == 'a' && !minus) {
			ascii = true;
		} else if (c == 'u' && !minus) {
			ascii = false;
		} else {
			return fail(t, c == 'L' ? "flag L is not supported" : "unknown flag");
		}
	}
}

/* After '('. */
static int open_group(struct trans *t, bool at_start)
{
	if (!take(t, '?'))
		return capture(t, (struct str){ "", 0 });
	if (!more(t))
		return fail(t, "unexpected end of pattern");
	static const char *const plain[] = { ":", "=", "!", "<=", "<!", ">" };
	for (size_t k = 0; k < sizeof plain / sizeof *plain; k++)
		if (at(t, plain[k])) {
			char text[8];
			snprintf(text, sizeof text, "(?%s", plain[k]);
			t->i += strlen(plain[k]);
			t->cp += strlen(plain[k]);
			return push(t, 0, 0, text);
		}
	struct str name;
	if (take(t, 'P')) {
		if (take(t, '<')) {
			if (group_name(t, '>', &name))
				return -1;
			if (!is_identifier(name))
				return fail(t, "bad character in a group name");
			return capture(t, name);
		}
		if (take(t, '=')) {
			if (group_name(t, ')', &name))
				return -1;
			int g = group_of(t->names, name);
			return g ? reference(t, g) : fail(t, "unknown group name");
		}
		return fail(t, "unknown extension (?P...");
	}
	if (take(t, '#')) {
		while (more(t) && peek(t) != ')')
			next(t);
		t->any = !at_start;
		return take(t, ')') ? 0 : fail(t, "a comment is not closed");
	}
	if (take(t, '('))
		return conditional(t);
	if (peek(t) == '<')
		return fail(t, "unknown extension (?<...: a named group is written (?P<name>...)");
	return flags(t, at_start);
}

static int close_group(struct trans *t)
{
	if (!t->depth)
		return fail(t, "unbalanced parenthesis");
	struct scope s = t->stack[--t->depth];
	if (s.group)
		t->closed[s.group] = true;
	t->verbose = s.verbose;
	t->ascii = s.ascii;
	buf_putc(t->out, ')');
	t->last = LAST_ITEM;
	return 0;
}

/* {m,n} after its '{': 1 a quantifier (bounds filled, hi -1: no bound), 0 just a brace, -1 */
static int braces(struct trans *t, long *lo, long *hi)
{
	size_t i = t->i;
	const char *p = t->p.p;
	if (i < t->p.n && p[i] == '}')
		return 0;
	long v[2] = { -1, -1 };
	int k = 0;
	for (; i < t->p.n; i++) {
		if (is_digit(p[i])) {
			v[k] = (v[k] < 0 ? 0 : v[k]) * 10 + (p[i] - '0');
			if (v[k] > 10000000)
				v[k] = 10000000;
		} else if (p[i] == ',' && k == 0) {
			k = 1;
		} else {
			break;
		}
	}
	if (i >= t->p.n || p[i] != '}')
		return 0;
	*lo = v[0] < 0 ? 0 : v[0];
	*hi = k ? v[1] : v[0];
	t->cp += i + 1 - t->i;
	t->i = i + 1;
	if (*hi >= 0 && *hi < *lo)
		return fail(t, "min repeat greater than max repeat");
	if (*lo > REPEAT_MAX || *hi > REPEAT_MAX)
		return fail(t, "repeat counts above 65535 are not supported");
	return 1;
}

/* c is one of * + ? { */
static int quantifier(struct trans *t, uint32_t c)
{
	long lo = 0, hi = -1;
	if (c == '{') {
		int r = braces(t, &lo, &hi);
		if (r < 0)
			return -1;
		if (r == 0) {
			literal(t, c);
			t->last = LAST_ITEM;
			return 0;
		}
	}
	if (t->last == LAST_NONE || t->last == LAST_PLACE)
		return fail(t, "nothing to repeat");
	if (t->last == LAST_REPEAT)
		return fail(t, "multiple repeat");
	if (c != '{')
		buf_putc(t->out, (char)c);
	else if (hi < 0)
		buf_printf(t->out, "{%ld,}", lo);
	else
		buf_printf(t->out, "{%ld,%ld}", lo, hi);
	if (take(t, '?'))
		buf_putc(t->out, '?');
	else if (take(t, '+'))
		buf_putc(t->out, '+');
	t->last = LAST_REPEAT;
	return 0;
}

static int item(struct trans *t)
{
	uint32_t c = next(t);
	if (t->verbose && uni_is_space(c) && c < 128)
		return 0;
	if (t->verbose && c == '#') {
		while (more(t) && peek(t) != '\n')
			next(t);
		return 0;
	}
	bool at_start = !t->any;
	t->any = true;
	switch (c) {
	case '\\':
		return backslash(t);
	case '[':
		return set(t);
	case '(':
		return open_group(t, at_start);
	case ')':
		return close_group(t);
	case '*':
	case '+':
	case '?':
	case '{':
		return quantifier(t, c);
	case '|':
		if (t->depth && t->stack[t->depth - 1].branches && --t->stack[t->depth - 1].branches == 0)
			return fail(t, "conditional with more than two branches");
		buf_putc(t->out, '|');
		t->last = LAST_NONE;
		return 0;
	case '^':
	case '$':
		buf_putc(t->out, (char)c);
		t->last = LAST_PLACE;
		return 0;
	case '.':
		buf_putc(t->out, '.');
		break;
	default:
		literal(t, c);
	}
	t->last = LAST_ITEM;
	return 0;
}

int regex_translate(struct str pattern, struct buf *out, struct regex_names *names, struct err *e)
{
	if (pattern.n > PATTERN_MAX)
		return err_set(e, E_LIMIT, "a pattern has %zu bytes, more than %d", pattern.n, PATTERN_MAX);
	struct trans t = { .p = pattern, .out = out, .names = names, .e = e };
	if (!utf8_valid(pattern))
		return err_set(e, E_FORMAT, "a pattern is not valid UTF-8");
	while (more(&t))
		if (item(&t))
			return -1;
	if (t.depth)
		return fail(&t, "missing ), unterminated group");
	if (t.needed > names->ngroups)
		return fail(&t, "invalid group reference in a conditional");
	return 0;
}
