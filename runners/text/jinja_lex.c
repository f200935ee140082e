/* jinja_lex.c - template source to tokens, with jinja2's rules for white space.
 *
 * Line ends become '\n' first; one at the very end is dropped unless the environment keeps it. Then, outside tags:
 *   a '-' beside a tag strips all white space on that side;
 *   lstrip_blocks strips blanks between a line's start and a block or comment tag, unless the tag begins with '+';
 *   trim_blocks drops one line end behind a block or comment tag, unless the tag ends with '+'.
 * The two options are on in the chat environment and off in the suite environment. Inside a tag, "}}" and "%}" end it only
 * when all brackets are closed. Numbers must fit 64 bits. Escapes in strings are Python's ("\n", "\x41", "A"), except
 * "\N{NAME}", which is refused.
 */
#include "runners/text/jinja_int.h"

#include <errno.h>
#include <stdlib.h>

#include "runners/text/uniprop.h"
#include "runners/text/utf8.h"

#define MAX_BRACKETS 200

struct lexer {
	struct source *src;
	struct str s;
	size_t i;
	int line;
	bool trim, lstrip, line_starting;
	char open[MAX_BRACKETS];
	int nopen;
	struct tokens *out;
};

static struct token *add(struct lexer *l, enum tok_type type, struct str s)
{
	struct tokens *t = l->out;
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct token *v = ARENA_ARRAY(l->src->a, cap, struct token);
		if (t->n)
			memcpy(v, t->v, t->n * sizeof *v);
		t->v = v;
		t->cap = cap;
	}
	t->v[t->n] = (struct token){ .type = type, .line = l->line, .s = s };
	return &t->v[t->n++];
}

static int at(const struct lexer *l, size_t i)
{
	return i < l->s.n ? (unsigned char)l->s.p[i] : -1;
}

static bool here(const struct lexer *l, size_t i, const char *text)
{
	size_t n = strlen(text);
	return i + n <= l->s.n && memcmp(l->s.p + i, text, n) == 0;
}

/* Past white space from i on. */
static size_t skip_space(const struct lexer *l, size_t i)
{
	while (i < l->s.n) {
		size_t k = i;
		if (!uni_is_space(utf8_next(l->s, &k)))
			break;
		i = k;
	}
	return i;
}

static void advance(struct lexer *l, size_t to)
{
	for (const char *p = l->s.p + l->i, *end = l->s.p + to; p < end && (p = memchr(p, '\n', (size_t)(end - p)));
	     p++)
		l->line++;
	if (to > l->i)
		l->line_starting = l->s.p[to - 1] == '\n';
	l->i = to;
}

/* The length of a tag's end at i ("-%}", "+%}", "%}" and what it swallows behind), or 0. */
static size_t tag_end(const struct lexer *l, size_t i, const char *end, bool plus, bool trim)
{
	size_t n = strlen(end);
	if (at(l, i) == '-' && here(l, i + 1, end))
		return skip_space(l, i + 1 + n) - i;
	if (plus && at(l, i) == '+' && here(l, i + 1, end))
		return n + 1;
	if (here(l, i, end))
		return n + (trim && at(l, i + n) == '\n');
	return 0;
}

/* Is "{% raw %}" at i? Its length, 0 when not. */
static size_t raw_begin(const struct lexer *l, size_t i)
{
	size_t k = i + 2;
	if (!here(l, i, "{%"))
		return 0;
	k += at(l, k) == '-' || at(l, k) == '+';
	k = skip_space(l, k);
	if (!here(l, k, "raw"))
		return 0;
	k = skip_space(l, k + 3);
	size_t n = tag_end(l, k, "%}", false, false);
	return n ? k + n - i : 0;
}

static size_t raw_end(const struct lexer *l, size_t i)
{
	size_t k = i + 2;
	if (!here(l, i, "{%"))
		return 0;
	k += at(l, k) == '-' || at(l, k) == '+';
	k = skip_space(l, k);
	if (!here(l, k, "endraw"))
		return 0;
	k = skip_space(l, k + 6);
	size_t n = tag_end(l, k, "%}", true, l->trim);
	return n ? k + n - i : 0;
}

/* Text up to a tag whose sign ('-', '+' or 0) decides what is stripped from its end. */
static void data(struct lexer *l, size_t from, size_t to, int sign, bool variable)
{
	struct str t = { l->s.p + from, to - from };
	if (sign == '-') {
		t = str_rstrip(t);
	} else if (sign != '+' && l->lstrip && !variable) {
		size_t start = t.n;
		while (start > 0 && t.p[start - 1] != '\n')
			start--;
		struct str tail = { t.p + start, t.n - start };
		if ((start > 0 || l->line_starting) && str_strip(tail).n == 0)
			t.n = start;
	}
	if (t.n)
		add(l, T_DATA, t);
}

static int fail(const struct lexer *l, const char *what)
{
	return jinja_fail_at(l->src, l->line, E_FORMAT, "%s", what);
}

/* ---- inside tags ---- */

static int hex_digit(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* One escape behind a backslash at *i; appends what it stands for. */
static int unescape_one(const struct lexer *l, struct str s, size_t *i, struct buf *b)
{
	static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
	char c = s.p[*i], utf8[4];
	const char *known = c ? strchr(from, c) : NULL;
	int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	uint32_t cp = 0;
	++*i;
	if (c == '\n')
		return 0;
	if (known) {
		buf_putc(b, to[known - from]);
		return 0;
	}
	if (digits) {
		for (int k = 0; k < digits; k++, ++*i) {
			int d = *i < s.n ? hex_digit((unsigned char)s.p[*i]) : -1;
			if (d < 0)
				return fail(l, c == 'x'	  ? "truncated \\xXX escape"
					       : c == 'u' ? "truncated \\uXXXX escape"
							  : "truncated \\UXXXXXXXX escape");
			cp = cp << 4 | (uint32_t)d;
		}
		if (cp > 0x10ffff)
			return fail(l, "illegal Unicode character");
		buf_add(b, utf8, utf8_put(cp, utf8));
		return 0;
	}
	if (c >= '0' && c <= '7') {
		cp = (uint32_t)(c - '0');
		for (int k = 0; k < 2 && *i < s.n && s.p[*i] >= '0' && s.p[*i] <= '7'; k++, ++*i)
			cp = cp * 8 + (uint32_t)(s.p[*i] - '0');
		buf_add(b, utf8, utf8_put(cp, utf8));
		return 0;
	}
	if (c == 'N')
		return fail(l, "\\N{...} escapes are not supported");
	buf_putc(b, '\\');
	buf_putc(b, c);
	return 0;
}

static int string(struct lexer *l)
{
	int quote = at(l, l->i);
	size_t end = l->i + 1;
	bool escapes = false;
	while (at(l, end) >= 0 && at(l, end) != quote) {
		escapes |= at(l, end) == '\\';
		end += at(l, end) == '\\' ? 2 : 1;
	}
	if (at(l, end) != quote)
		return jinja_fail_at(l->src, l->line, E_FORMAT, "unexpected char %s: a string that is never closed",
				     quote == '"' ? "'\"'" : "\"'\"");
	struct str s = { l->s.p + l->i + 1, end - l->i - 1 };
	struct buf b = { 0 };
	for (size_t i = 0; escapes && i < s.n;) {
		const char *bs = memchr(s.p + i, '\\', s.n - i);
		size_t k = bs ? (size_t)(bs - s.p) : s.n;
		buf_add(&b, s.p + i, k - i);
		i = k + 1;
		if (k < s.n && unescape_one(l, s, &i, &b)) {
			buf_fini(&b);
			return -1;
		}
	}
	add(l, T_STRING, escapes ? arena_str(l->src->a, b.p ? b.p : "", b.n) : s);
	buf_fini(&b);
	advance(l, end + 1);
	return 0;
}

static bool digit_in(int c, int base)
{
	int d = c < 0 ? -1 : hex_digit(c);
	return d >= 0 && d < base;
}

/* Past digits with single underscores between them. */
static size_t digits(const struct lexer *l, size_t i, int base)
{
	while (digit_in(at(l, i), base) || (at(l, i) == '_' && digit_in(at(l, i + 1), base)))
		i++;
	return i;
}

/* The end of a number with a point or an exponent; 0: none stands here. Behind a point there are whole numbers only: a.0.1 */
static size_t real_end(const struct lexer *l)
{
	size_t end = digits(l, l->i, 10);
	bool real = false;
	if (l->i > 0 && l->s.p[l->i - 1] == '.')
		return 0;
	if (at(l, end) == '.' && digit_in(at(l, end + 1), 10)) {
		end = digits(l, end + 1, 10);
		real = true;
	}
	if ((at(l, end) | 32) == 'e') {
		size_t e = end + 1;
		e += at(l, e) == '+' || at(l, e) == '-';
		if (digit_in(at(l, e), 10)) {
			end = digits(l, e, 10);
			real = true;
		}
	}
	return real ? end : 0;
}

/* The end of a whole number, and its base. A 0 in front takes only zeros along: 01 is two numbers. */
static size_t whole_end(const struct lexer *l, int *base)
{
	bool zero = at(l, l->i) == '0';
	int mark = at(l, l->i + 1) | 32;
	size_t end = l->i;
	*base = zero && mark == 'x' ? 16 : zero && mark == 'o' ? 8 : zero && mark == 'b' ? 2 : 10;
	if (*base != 10 && digit_in(at(l, l->i + 2 + (at(l, l->i + 2) == '_')), *base))
		return digits(l, l->i + 2, *base);
	*base = 10;
	if (!zero)
		return digits(l, l->i, 10);
	while (at(l, end) == '0' || (at(l, end) == '_' && at(l, end + 1) == '0'))
		end++;
	return end;
}

static int number(struct lexer *l)
{
	char text[512];
	size_t n = 0, end = real_end(l);
	int base = 10;
	bool real = end > 0;
	if (!real)
		end = whole_end(l, &base);
	for (size_t i = l->i + (base == 10 ? 0 : 2); i < end; i++)
		if (l->s.p[i] != '_' && n < sizeof text - 1)
			text[n++] = l->s.p[i];
	text[n] = 0;
	if (n == sizeof text - 1)
		return fail(l, "a number of more than 500 digits");
	errno = 0;
	struct token *t = add(l, real ? T_FLOAT : T_INT, (struct str){ l->s.p + l->i, end - l->i });
	if (real)
		t->f = strtod(text, NULL);
	else
		t->i = strtoll(text, NULL, base);
	if (!real && errno)
		return jinja_fail_at(l->src, l->line, E_FORMAT, "the integer %.40s does not fit 64 bits", text);
	advance(l, end);
	return 0;
}

static bool name_part(uint32_t cp)
{
	if (cp < 0x80)
		return cp == '_' || uni_is_alnum(cp);
	return uni_is_alnum(cp) || (uni_props(cp) & UNI_M) || cp == 0xb7;
}

static int name(struct lexer *l, bool *found)
{
	size_t end = l->i;
	for (size_t k = end; k < l->s.n && name_part(utf8_next(l->s, &k));)
		end = k;
	struct str s = { l->s.p + l->i, end - l->i };
	*found = s.n > 0;
	if (!*found)
		return 0;
	if (!uni_is_identifier(s))
		return fail(l, "invalid character in identifier");
	add(l, T_NAME, s);
	advance(l, end);
	return 0;
}

static int bracket(struct lexer *l, char c)
{
	if (c == '(' || c == '[' || c == '{') {
		if (l->nopen == MAX_BRACKETS)
			return jinja_fail_at(l->src, l->line, E_LIMIT, "more than %d nested brackets", MAX_BRACKETS);
		l->open[l->nopen++] = c == '(' ? ')' : c == '[' ? ']' : '}';
	} else if (c == ')' || c == ']' || c == '}') {
		if (!l->nopen)
			return jinja_fail_at(l->src, l->line, E_FORMAT, "unexpected '%c'", c);
		char want = l->open[--l->nopen];
		if (want != c)
			return jinja_fail_at(l->src, l->line, E_FORMAT, "unexpected '%c', expected '%c'", c, want);
	}
	return 0;
}

static int operator_(struct lexer *l)
{
	static const char *const ops[] = { "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]",
		"(", ")", "{", "}",
		">", "<", "=", ".", ":", "|", ",", ";", NULL };
	for (const char *const *op = ops; *op; op++)
		if (here(l, l->i, *op)) {
			if (!(*op)[1] && bracket(l, **op))
				return -1;
			add(l, T_OP, str_of(*op));
			advance(l, l->i + strlen(*op));
			return 0;
		}
	size_t k = l->i;
	utf8_next(l->s, &k);
	return jinja_fail_at(l->src, l->line, E_FORMAT, "unexpected char '%.*s' at %zu", (int)(k - l->i), l->s.p + l->i,
			     utf8_len((struct str){ l->s.p, l->i }));
}

/* Tokens up to the end of a tag. */
static int tag(struct lexer *l, bool variable)
{
	l->nopen = 0;
	while (l->i < l->s.n) {
		size_t end = l->nopen	? 0
			     : variable ? tag_end(l, l->i, "}}", false, false)
					: tag_end(l, l->i, "%}", true, l->trim);
		bool found = false;
		if (end) {
			add(l, variable ? T_VAR_END : T_BLOCK_END, STR(""));
			advance(l, l->i + end);
			return 0;
		}
		size_t past = skip_space(l, l->i);
		if (past > l->i) {
			advance(l, past);
			continue;
		}
		int c = at(l, l->i);
		if (c == '"' || c == '\'') {
			if (string(l))
				return -1;
		} else if (c >= '0' && c <= '9') {
			if (number(l))
				return -1;
		} else if (name(l, &found) || (!found && operator_(l))) {
			return -1;
		}
	}
	return 0; /* the parser meets the end of the template */
}

static int comment(struct lexer *l)
{
	for (size_t i = l->i; i < l->s.n; i++) {
		size_t n = tag_end(l, i, "#}", true, l->trim);
		if (n) {
			advance(l, i + n);
			return 0;
		}
	}
	/* a comment opened by the last characters of the source is silently empty in jinja2 */
	return l->i < l->s.n ? fail(l, "Missing end of comment tag") : 0;
}

static int raw(struct lexer *l)
{
	for (size_t i = l->i; i < l->s.n; i++) {
		size_t n = raw_end(l, i);
		if (n) {
			int sign = at(l, i + 2);
			data(l, l->i, i, sign == '-' || sign == '+' ? sign : 0, false);
			advance(l, i + n);
			return 0;
		}
	}
	return l->i < l->s.n ? fail(l, "Missing end of raw directive") : 0;
}

/* Text up to the next tag and that tag. */
static int root(struct lexer *l)
{
	size_t i = l->i;
	for (; i < l->s.n; i++) {
		const char *brace = memchr(l->s.p + i, '{', l->s.n - i);
		i = brace ? (size_t)(brace - l->s.p) : l->s.n;
		int c = at(l, i + 1);
		if (c == '{' || c == '%' || c == '#')
			break;
	}
	if (i >= l->s.n) {
		add(l, T_DATA, (struct str){ l->s.p + l->i, l->s.n - l->i });
		advance(l, l->s.n);
		return 0;
	}
	int kind = at(l, i + 1), sign = at(l, i + 2);
	size_t n = raw_begin(l, i);
	bool signed_ = sign == '-' || sign == '+';
	data(l, l->i, i, signed_ ? sign : 0, kind == '{');
	if (n) {
		advance(l, i + n);
		return raw(l);
	}
	advance(l, i);
	if (kind != '#')
		add(l, kind == '{' ? T_VAR_BEGIN : T_BLOCK_BEGIN, STR(""));
	advance(l, i + 2 + signed_);
	return kind == '#' ? comment(l) : tag(l, kind == '{');
}

int jinja_lex(struct source *src, struct str text, struct tokens *out)
{
	char *p = arena_alloc(src->a, text.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\r') {
			p[n++] = '\n';
			i += i + 1 < text.n && text.p[i + 1] == '\n';
		} else {
			p[n++] = text.p[i];
		}
	}
	if (src->env == JINJA_CHAT && n && p[n - 1] == '\n')
		n--;
	bool chat = src->env == JINJA_CHAT;
	struct lexer l = { .src = src, .s = { p, n }, .line = 1, .trim = chat, .lstrip = chat, .line_starting = true,
		.out = out };
	while (l.i < l.s.n)
		if (root(&l))
			return -1;
	add(&l, T_EOF, STR(""));
	return 0;
}
