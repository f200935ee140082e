/* tok_regex.c - the regular expressions of tokenizer.json, which are written for Oniguruma, run by PCRE2.
 *
 * The dialects differ in what the same letters mean, so a pattern is translated first:
 *   \s \S \w \W \d \D \h \H   become Unicode properties as Oniguruma defines them (PCRE2's \s takes U+180E, its \w lacks marks)
 *   \uHHHH                    becomes \x{HHHH}
 *   {n,m}+                    is a repeated repetition (PCRE2 would read a possessive one): (?:X{n,m})+
 *   {,n}                      becomes {0,n}
 *   ^ $                       match at every line, newline is \n only
 * What has no translation here (class intersections, nested classes, \b, \X, inline options but i, ...) is an error that
 * names it: a pattern that silently cuts text elsewhere would shift every score.
 *
 * Matching uses JIT code; where its stack is too small a larger one is tried (up to 64 MiB), then the interpreter, both
 * under match limits, so that a pattern that explodes ends in a sentence and not in a night without results.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "runners/text/utf8.h"
#include "runners/tok_int.h"

struct tokrx {
	pcre2_code *code; /* NULL: literal */
	char *literal;
	size_t n;
	bool jit;
};

enum { MATCH_LIMIT = 50000000, STACK_MIN = 1 << 20, STACK_MAX = 1 << 26, MAX_PATTERN = 1 << 16, MAX_GROUPS = 100 };

/* Classes of Oniguruma as members of a bracket class; [1] where a negation stands outside of one. */
static const struct {
	char letter;
	const char *inside, *outside;
} classes[] = {
	{ 's', "\\p{White_Space}", "\\p{White_Space}" },
	{ 'S', "\\P{White_Space}", "\\P{White_Space}" },
	{ 'd', "\\p{Nd}", "\\p{Nd}" },
	{ 'D', "\\P{Nd}", "\\P{Nd}" },
	{ 'h', "0-9a-fA-F", "[0-9a-fA-F]" },
	{ 'H', NULL, "[^0-9a-fA-F]" },
	{ 'w', "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}", "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]" },
	{ 'W', NULL, "[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]" },
};

struct tr {
	struct str s;
	size_t i;
	struct buf out;
	size_t atom;  /* where in out the last atom begins; SIZE_MAX: none */
	bool counted; /* the last thing was X{n,m}: a following + repeats it */
	size_t group[MAX_GROUPS];
	int depth;
};

static int no(struct tr *t, struct err *e, const char *what, size_t from)
{
	size_t n = t->i - from < 12 ? t->i - from : 12;
	return err_set(e, E_UNSUPPORTED, "the pattern has %s '%.*s' at byte %zu, which is not supported", what, (int)n,
		       t->s.p + from, from);
}

static int escape(struct tr *t, bool in_class, struct err *e)
{
	size_t at = t->i++;
	if (t->i >= t->s.n)
		return err_set(e, E_FORMAT, "the pattern ends in a backslash");
	char c = t->s.p[t->i++];
	for (size_t k = 0; k < sizeof classes / sizeof classes[0]; k++)
		if (c == classes[k].letter) {
			const char *r = in_class ? classes[k].inside : classes[k].outside;
			if (!r)
				return no(t, e, "inside a class", at);
			buf_puts(&t->out, r);
			return 0;
		}
	if (c == 'u') {
		if (t->s.n - t->i < 4)
			return no(t, e, "a short escape", at);
		buf_printf(&t->out, "\\x{%.4s}", t->s.p + t->i);
		t->i += 4;
		return 0;
	}
	bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
	bool digit = c >= '0' && c <= '9';
	/* letters that mean the same in both; in a class no assertions */
	if ((letter && !strchr(in_class ? "pPxntrfea" : "pPxntrfeaAzZ", c)) || (digit && (in_class || c == '0')))
		return no(t, e, "the escape", at);
	buf_putc(&t->out, '\\');
	buf_putc(&t->out, c);
	if ((c | 32) == 'p' || (c == 'x' && t->i < t->s.n && t->s.p[t->i] == '{')) {
		size_t n = 0;
		while (t->i + n < t->s.n && t->s.p[t->i + n] != '}' && n < 40)
			n++;
		if (t->i >= t->s.n || t->s.p[t->i] != '{' || t->i + n >= t->s.n || t->s.p[t->i + n] != '}')
			return no(t, e, "an escape without braces", at);
		buf_add(&t->out, t->s.p + t->i, n + 1);
		t->i += n + 1;
	}
	return 0;
}

static int bracket(struct tr *t, struct err *e)
{
	size_t at = t->i;
	buf_putc(&t->out, '[');
	t->i++;
	if (t->i < t->s.n && t->s.p[t->i] == '^') {
		buf_putc(&t->out, '^');
		t->i++;
	}
	for (bool first = true; t->i < t->s.n; first = false) {
		char c = t->s.p[t->i];
		if (c == ']' && !first) {
			buf_putc(&t->out, c);
			t->i++;
			return 0;
		}
		if (c == '\\') {
			if (escape(t, true, e) < 0)
				return -1;
			continue;
		}
		if (c == '[' && t->i + 1 < t->s.n && t->s.p[t->i + 1] == ':') { /* [:alpha:] */
			size_t n = 2;
			while (t->i + n < t->s.n && t->s.p[t->i + n] != ']')
				n++;
			if (t->i + n >= t->s.n || t->s.p[t->i + n - 1] != ':' || n > 14)
				return no(t, e, "a class inside a class", t->i);
			buf_add(&t->out, t->s.p + t->i, n + 1);
			t->i += n + 1;
			continue;
		}
		if (c == '[' || (c == ']' && first))
			return no(t, e, "a bracket inside a class", at);
		if (c == '&' && t->i + 1 < t->s.n && t->s.p[t->i + 1] == '&')
			return no(t, e, "a class intersection", at);
		buf_putc(&t->out, c);
		t->i++;
	}
	return err_set(e, E_FORMAT, "the pattern has a '[' without ']' at byte %zu", at);
}

/* What follows "(?": groups without capture, lookaround, atomic groups, names, and the option i. */
static int group_open(struct tr *t, struct err *e)
{
	static const char *const kinds[] = { "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i)", "(?i:", "(?-i:" };
	size_t at = t->i;
	if (t->depth == MAX_GROUPS)
		return err_set(e, E_LIMIT, "the pattern has more than %d groups inside each other", MAX_GROUPS);
	t->group[t->depth] = t->out.n;
	if (t->i + 1 < t->s.n && t->s.p[t->i + 1] == '?') {
		struct str rest = { t->s.p + t->i, t->s.n - t->i };
		for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
			if (!str_starts(rest, str_of(kinds[k])))
				continue;
			buf_puts(&t->out, kinds[k]);
			t->i += strlen(kinds[k]);
			if (strcmp(kinds[k], "(?i)") != 0)
				t->depth++;
			t->atom = SIZE_MAX;
			return 0;
		}
		t->i += 3;
		return no(t, e, "the group", at);
	}
	buf_putc(&t->out, '(');
	t->i++;
	t->depth++;
	t->atom = SIZE_MAX;
	return 0;
}

/* {n}, {n,}, {,m}, {n,m} at t->i: its length, else 0. */
static size_t interval(struct tr *t)
{
	size_t i = t->i + 1;
	bool digits = false;
	while (i < t->s.n && ((t->s.p[i] >= '0' && t->s.p[i] <= '9') || t->s.p[i] == ',')) {
		digits |= t->s.p[i] != ',';
		i++;
	}
	return digits && i < t->s.n && t->s.p[i] == '}' ? i + 1 - t->i : 0;
}

static int quantifier(struct tr *t, struct err *e)
{
	char c = t->s.p[t->i];
	size_t n = c == '{' ? interval(t) : 1;
	if (c == '{' && !n) { /* a plain brace */
		t->atom = t->out.n;
		buf_puts(&t->out, "\\{");
		t->i++;
		t->counted = false;
		return 0;
	}
	if (t->atom == SIZE_MAX)
		return no(t, e, "nothing to repeat before", t->i);
	if (t->counted && c == '+') { /* X{n,m}+ */
		char *copy = xmalloc(t->out.n - t->atom + 1);
		size_t len = t->out.n - t->atom;
		memcpy(copy, t->out.p + t->atom, len);
		t->out.n = t->atom;
		buf_puts(&t->out, "(?:");
		buf_add(&t->out, copy, len);
		buf_puts(&t->out, ")+");
		free(copy);
		t->i++;
		t->counted = false;
		return 0;
	}
	if (c == '{') {
		struct str in = { t->s.p + t->i + 1, n - 2 };
		buf_putc(&t->out, '{');
		if (in.p[0] == ',')
			buf_putc(&t->out, '0');
		buf_str(&t->out, in);
		buf_putc(&t->out, '}');
		t->counted = true;
	} else {
		buf_putc(&t->out, c);
		t->counted = false;
	}
	t->i += n;
	return 0;
}

static int translate(struct tr *t, struct err *e)
{
	while (t->i < t->s.n) {
		char c = t->s.p[t->i];
		if (c == '*' || c == '+' || c == '?' || c == '{') {
			if (quantifier(t, e) < 0)
				return -1;
			continue;
		}
		t->counted = false;
		if (c == '(') {
			if (group_open(t, e) < 0)
				return -1;
			continue;
		}
		if (c == ')') {
			if (!t->depth)
				return err_set(e, E_FORMAT, "the pattern has a ')' without '(' at byte %zu", t->i);
			t->atom = t->group[--t->depth];
			buf_putc(&t->out, c);
			t->i++;
			continue;
		}
		t->atom = t->out.n;
		if (c == '|')
			t->atom = SIZE_MAX;
		if (c == '[' || c == '\\') {
			if ((c == '[' ? bracket(t, e) : escape(t, false, e)) < 0)
				return -1;
			continue;
		}
		size_t from = t->i;
		utf8_next(t->s, &t->i);
		buf_add(&t->out, t->s.p + from, t->i - from);
	}
	return t->depth ? err_set(e, E_FORMAT, "the pattern has a '(' without ')'") : 0;
}

int tokrx_open(struct tokrx **out, struct str pattern, bool literal, struct err *e)
{
	if (!pattern.n)
		return err_set(e, E_UNSUPPORTED, "the pattern is empty");
	if (pattern.n > MAX_PATTERN)
		return err_set(e, E_LIMIT, "the pattern is longer than %d bytes", MAX_PATTERN);
	struct tokrx *rx = xcalloc(1, sizeof *rx);
	*out = rx;
	if (literal) {
		rx->literal = xmalloc(pattern.n + 1);
		memcpy(rx->literal, pattern.p, pattern.n);
		rx->n = pattern.n;
		return 0;
	}
	struct tr t = { .s = pattern, .atom = SIZE_MAX };
	int rc = translate(&t, e);
	if (rc == 0) {
		int code;
		PCRE2_SIZE at;
		pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
		pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
		rx->code = pcre2_compile((PCRE2_SPTR)t.out.p, t.out.n,
					 PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &at,
					 cc);
		pcre2_compile_context_free(cc);
		if (!rx->code) {
			char msg[200];
			pcre2_get_error_message(code, (PCRE2_UCHAR *)msg, sizeof msg);
			rc = err_set(e, E_FORMAT, "the pattern does not compile: %s at byte %zu", msg, (size_t)at);
		} else {
			rx->jit = pcre2_jit_compile(rx->code, PCRE2_JIT_COMPLETE) == 0;
		}
	}
	buf_fini(&t.out);
	if (rc < 0) {
		tokrx_close(rx);
		*out = NULL;
	}
	return rc;
}

void tokrx_close(struct tokrx *rx)
{
	if (!rx)
		return;
	if (rx->code)
		pcre2_code_free(rx->code);
	free(rx->literal);
	free(rx);
}

void scan_fini(struct scan *sc)
{
	if (sc->data)
		pcre2_match_data_free(sc->data);
	if (sc->context)
		pcre2_match_context_free(sc->context);
	if (sc->stack)
		pcre2_jit_stack_free(sc->stack);
	*sc = (struct scan){ NULL, NULL, NULL };
}

static int match(const struct tokrx *rx, struct scan *sc, struct str s, size_t pos, struct err *e)
{
	if (!sc->data) {
		sc->data = pcre2_match_data_create(1, NULL);
		sc->context = pcre2_match_context_create(NULL);
		if (!sc->data || !sc->context)
			return err_set(e, E_MEMORY, "out of memory for matching");
		pcre2_set_match_limit(sc->context, MATCH_LIMIT);
		pcre2_set_heap_limit(sc->context, 256 * 1024);
	}
	int rc = rx->jit ? pcre2_jit_match(rx->code, (PCRE2_SPTR)s.p, s.n, pos, PCRE2_NO_UTF_CHECK, sc->data,
					   sc->context)
			 : PCRE2_ERROR_JIT_STACKLIMIT;
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT && rx->jit && !sc->stack) {
		sc->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
		if (sc->stack) {
			pcre2_jit_stack_assign(sc->context, NULL, sc->stack);
			rc = pcre2_jit_match(rx->code, (PCRE2_SPTR)s.p, s.n, pos, PCRE2_NO_UTF_CHECK, sc->data,
					     sc->context);
		}
	}
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(rx->code, (PCRE2_SPTR)s.p, s.n, pos, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, sc->data,
				 sc->context);
	if (rc >= 0)
		return 1;
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	char msg[200];
	pcre2_get_error_message(rc, (PCRE2_UCHAR *)msg, sizeof msg);
	return err_set(e, E_LIMIT, "a pattern of the tokenizer fails on this text at byte %zu: %s", pos, msg);
}

int tokrx_next(const struct tokrx *rx, struct scan *sc, struct str s, size_t *pos, size_t *last, size_t *from,
	       size_t *to, struct err *e)
{
	if (!rx->code) {
		const char *hit = *pos <= s.n ? memmem(s.p + *pos, s.n - *pos, rx->literal, rx->n) : NULL;
		if (!hit)
			return 0;
		*from = (size_t)(hit - s.p);
		*pos = *to = *from + rx->n;
		return 1;
	}
	while (*pos <= s.n) {
		int rc = match(rx, sc, s, *pos, e);
		if (rc <= 0)
			return rc;
		PCRE2_SIZE *ov = pcre2_get_ovector_pointer(sc->data);
		*from = ov[0];
		*to = ov[1];
		if (ov[1] < ov[0])
			return err_set(e, E_UNSUPPORTED, "a pattern of the tokenizer matches backwards");
		if (*from == *to && *last == *to) { /* no empty match right behind another match */
			if (*pos >= s.n)
				return 0;
			utf8_next(s, pos);
			continue;
		}
		*pos = *last = *to;
		return 1;
	}
	return 0;
}
