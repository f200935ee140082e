/* tok_regex.c - the regular expressions of tokenizer.json, which are written for Oniguruma, run by PCRE2.
 *
 * The dialects differ in what the same letters mean, and libraries in the Unicode version they know. So PCRE2 never sees a
 * character: every class and literal of a pattern becomes a set of code points (tok_set.c); code points that no set tells
 * apart form one kind, and there are at most 250 kinds. The text is mapped to one byte a character, its kind, and the pattern
 * to one over these bytes, which also is PCRE2's fastest mode. What remains are the rules of matching:
 *   {n,m}+   is a repeated repetition (PCRE2 would read a possessive one): (?:X{n,m})+
 *   {n}?     is an optional one: (?:X{n})?        {,n} is {0,n}
 *   (?i)     lasts to the end of its group, alternatives included: a(?i)b|c is a(?i:b|c)
 *   ^ $ \Z   know lines, newline is \n only      (?m) lets . match it
 * What has no translation here (back references, \X, \G, \K, absent operators, a caseless class with a character such as
 * U+00DF that equals two, ...) is an error that names it: a pattern that silently cuts text elsewhere would shift every score.
 *
 * Matching uses JIT code; where its stack is too small a larger one is tried (up to 64 MiB), then the interpreter, both
 * under match limits, so that a pattern that explodes ends in a sentence and not in a night without results.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "runners/text/utf8.h"
#include "runners/tok_set.h"
#include "runners/tok_int.h"

enum {
	MATCH_LIMIT = 50000000,
	STACK_MIN = 1 << 20,
	STACK_MAX = 1 << 26,
	MAX_PATTERN = 1 << 16,
	MAX_GROUPS = 100,
	MAX_SETS = 512,
	MAX_KINDS = 250,
	MAX_RANGES = 1000000, /* of all classes together: what a pattern may cost to open */
	WORDS = MAX_SETS / 64,
	NPAGES = 0x110000 / 256,
};

struct tokrx {
	pcre2_code *code; /* NULL: literal */
	char *literal;
	size_t n;
	bool jit;
	uint16_t page[NPAGES];   /* code point / 256 -> block */
	uint8_t (*block)[256];   /* kinds */
	size_t nblock;
};

struct tr {
	struct str s;
	size_t i;
	struct buf out;  /* the pattern; a set stands as byte 1 and two bytes of its number */
	size_t atom;     /* where in out the last atom begins; SIZE_MAX: none */
	bool quantified; /* the last atom has a quantifier */
	bool icase, dotall, extended;
	uint32_t before; /* caseless: the literal just before; UINT32_MAX: none */
	struct level {
		size_t atom;
		int extra; /* groups that options opened and the end of this one closes */
		bool icase, dotall, extended;
	} level[MAX_GROUPS + 1];
	int depth;
	struct cpset set[MAX_SETS];
	size_t nset, ranges;
};

static int no(struct tr *t, struct err *e, const char *what, size_t from)
{
	return class_refuse(t->s, from, what, e);
}

/* Puts one character of the set, which is taken over, into the pattern. */
static int put_set(struct tr *t, struct cpset *s, struct err *e)
{
	size_t k = 0;
	t->ranges += s->n;
	if (t->ranges > MAX_RANGES) {
		cpset_free(s);
		return err_set(e, E_LIMIT, "the pattern's classes have more than %d ranges of characters together", MAX_RANGES);
	}
	while (k < t->nset && !(t->set[k].n == s->n && (!s->n || !memcmp(t->set[k].r, s->r, s->n * sizeof *s->r))))
		k++;
	if (k == t->nset) {
		if (k == MAX_SETS) {
			cpset_free(s);
			return err_set(e, E_LIMIT, "the pattern has more than %d different characters and classes", MAX_SETS);
		}
		t->set[t->nset++] = *s;
	} else {
		cpset_free(s);
	}
	buf_putc(&t->out, 1);
	buf_putc(&t->out, (char)(k & 255));
	buf_putc(&t->out, (char)(k >> 8));
	return 0;
}

static int put_char(struct tr *t, uint32_t c, size_t at, struct err *e)
{
	struct cpset s = { NULL, 0, 0 };
	if (t->icase && (uni_folds_to_many(c) || (t->before != UINT32_MAX && uni_begins_many(t->before, c))))
		return no(t, e, "without case, characters that equal others of another number", at);
	t->before = c;
	cpset_add(&s, c, c);
	if (t->icase)
		cpset_fold(&s);
	return put_set(t, &s, e);
}

/* A set that one of the names or letters below stands for; 'n' is newline, 'w' a character of a word at its edge. */
static int put_named(struct tr *t, char letter, bool inverse, struct err *e)
{
	struct cpset s = { NULL, 0, 0 };
	if (letter == 'n')
		cpset_add(&s, '\n', '\n');
	else if (letter == 'v') {
		cpset_add(&s, '\n', '\r');
		cpset_add(&s, 0x85, 0x85);
		cpset_add(&s, 0x2028, 0x2029);
	} else if (letter == 'r')
		cpset_add(&s, '\r', '\r');
	else if (letter == 'w')
		class_type(&s, 'w', true);
	if (inverse)
		cpset_invert(&s);
	return put_set(t, &s, e);
}

/* Text in which N stands for newline, V and R for line ends and \r, W for a word's character, @ for any. */
static int put_text(struct tr *t, const char *p, struct err *e)
{
	for (; *p; p++) {
		int rc = 0;
		if (strchr("NVRW@", *p))
			rc = put_named(t, (char)(*p | 32), *p == '@', e);
		else
			buf_putc(&t->out, *p);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int escape(struct tr *t, struct err *e)
{
	static const struct {
		char letter;
		const char *text;
	} anchors[] = {
		{ 'A', "\\A" }, { 'z', "\\z" }, { 'Z', "(?=N?\\z)" }, { 'b', "(?:(?<=W)(?!W)|(?<!W)(?=W))" },
		{ 'B', "(?:(?<=W)(?=W)|(?<!W)(?!W))" }, { 'R', "(?>RN|V)" }, { 'O', "@" },
	};
	size_t at = t->i;
	char c = at + 1 < t->s.n ? t->s.p[at + 1] : 0;
	struct cpset s = { NULL, 0, 0 };
	uint32_t one;
	for (size_t k = 0; k < sizeof anchors / sizeof anchors[0]; k++)
		if (c == anchors[k].letter) {
			t->i += 2;
			return put_text(t, anchors[k].text, e);
		}
	if (c == 'N') {
		t->i += 2;
		return put_named(t, 'n', true, e);
	}
	if (c == 'p' || c == 'P') {
		struct str name;
		bool negated;
		if (class_name(&name, &negated, t->s, &t->i, e) < 0)
			return -1;
		bool inverse = name.n == 5 && name.p[0] == '^';
		if (name.n - inverse == 4 && !strncasecmp(name.p + inverse, "word", 4)) { /* outside of brackets: \w */
			class_type(&s, 'w', true);
			negated ^= inverse;
		} else if (class_property(&s, name, e) < 0) {
			return -1;
		}
		if (negated)
			cpset_invert(&s);
		return put_set(t, &s, e);
	}
	if (class_type(&s, c, true)) {
		t->i += 2;
		return put_set(t, &s, e);
	}
	if (class_char(&one, t->s, &t->i, e) < 0)
		return -1;
	return put_char(t, one, at, e);
}

static int bracket(struct tr *t, struct err *e)
{
	size_t at = t->i;
	struct cpset s = { NULL, 0, 0 };
	bool negated;
	if (class_bracket(&s, &negated, t->s, &t->i, 0, e) < 0) {
		cpset_free(&s);
		return -1;
	}
	if (t->icase && !negated && cpset_has_many(&s)) {
		cpset_free(&s);
		return no(t, e, "without case, a class with a character that equals several", at);
	}
	if (t->icase)
		cpset_fold(&s);
	if (negated)
		cpset_invert(&s);
	return put_set(t, &s, e);
}

/* Options at t->s.p[t->i]: "imx-imx" up to ')' or ':'. */
static int options(struct tr *t, size_t at, struct err *e)
{
	bool on = true, icase = t->icase, dotall = t->dotall, extended = t->extended;
	for (; t->i < t->s.n && t->s.p[t->i] != ')' && t->s.p[t->i] != ':'; t->i++) {
		char c = t->s.p[t->i];
		if (c == '-')
			on = false;
		else if (c == 'i')
			icase = on;
		else if (c == 'm')
			dotall = on;
		else if (c == 'x')
			extended = on;
		else
			return no(t, e, "the group", at);
	}
	if (t->i >= t->s.n)
		return no(t, e, "the group", at);
	if (t->s.p[t->i++] == ':')
		t->depth++;
	else
		t->level[t->depth].extra++;
	buf_puts(&t->out, "(?:");
	t->icase = icase;
	t->dotall = dotall;
	t->extended = extended;
	return 0;
}

static int group_open(struct tr *t, struct err *e)
{
	static const char *const kinds[] = { "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>" };
	size_t at = t->i;
	struct str rest = { t->s.p + at, t->s.n - at };
	if (t->depth == MAX_GROUPS || t->level[t->depth].extra == MAX_GROUPS)
		return err_set(e, E_LIMIT, "the pattern has more than %d groups inside each other", MAX_GROUPS);
	struct level up = { t->out.n, 0, t->icase, t->dotall, t->extended };
	int rc = 0, depth = t->depth;
	const char *open = "(?:";
	size_t len = 1;
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
		if (str_starts(rest, str_of(kinds[k]))) {
			open = kinds[k];
			len = strlen(open);
		}
	if (len == 1 && rest.n > 2 && rest.p[1] == '?' && (rest.p[2] == '<' || rest.p[2] == '\'')) { /* a name */
		const char *end = memchr(rest.p + 3, rest.p[2] == '<' ? '>' : '\'', rest.n - 3);
		if (!end)
			return no(t, e, "the group", at);
		len = (size_t)(end + 1 - rest.p);
	} else if (len == 1 && rest.n > 1 && rest.p[1] == '?') {
		t->i += 2;
		rc = options(t, at, e);
		len = 0;
	}
	t->i += len;
	if (len) {
		buf_puts(&t->out, open);
		t->depth++;
	}
	if (t->depth > depth)
		t->level[t->depth] = up;
	t->atom = SIZE_MAX;
	return rc;
}

static void close_extra(struct tr *t)
{
	for (int k = 0; k < t->level[t->depth].extra; k++)
		buf_putc(&t->out, ')');
}

static int group_close(struct tr *t, struct err *e)
{
	if (!t->depth)
		return err_set(e, E_FORMAT, "the pattern has a ')' without '(' at byte %zu", t->i);
	struct level *l = &t->level[t->depth];
	close_extra(t);
	buf_putc(&t->out, ')');
	t->icase = l->icase;
	t->dotall = l->dotall;
	t->extended = l->extended;
	t->atom = l->atom;
	t->depth--;
	t->i++;
	return 0;
}

/* {n}, {n,}, {,m}, {n,m} at t->i: its length, else 0. */
static size_t interval(struct tr *t, bool *exact)
{
	size_t i = t->i + 1, digits = 0, commas = 0;
	while (i < t->s.n && ((t->s.p[i] >= '0' && t->s.p[i] <= '9') || t->s.p[i] == ',')) {
		digits += t->s.p[i] != ',';
		commas += t->s.p[i] == ',';
		i++;
	}
	*exact = !commas;
	return digits && commas < 2 && i < t->s.n && t->s.p[i] == '}' ? i + 1 - t->i : 0;
}

static void wrap(struct tr *t)
{
	size_t n = t->out.n - t->atom;
	buf_puts(&t->out, "(?:");
	memmove(t->out.p + t->atom + 3, t->out.p + t->atom, n);
	memcpy(t->out.p + t->atom, "(?:", 3);
	buf_putc(&t->out, ')');
}

static int quantifier(struct tr *t, struct err *e)
{
	char c = t->s.p[t->i];
	bool exact = false;
	size_t n = c == '{' ? interval(t, &exact) : 1;
	if (c == '{' && !n) { /* a plain brace */
		t->atom = t->out.n;
		t->quantified = false;
		return put_char(t, '{', t->i++, e);
	}
	if (t->atom == SIZE_MAX)
		return no(t, e, "nothing to repeat before", t->i);
	if (t->quantified)
		wrap(t);
	struct str q = { t->s.p + t->i, n };
	t->i += n;
	char next = t->i < t->s.n ? t->s.p[t->i] : 0;
	if (c == '{' && q.p[1] == ',') {
		buf_puts(&t->out, "{0");
		q = (struct str){ q.p + 1, q.n - 1 };
	}
	buf_str(&t->out, q);
	t->quantified = true;
	if (next == '?' && exact) {
		wrap(t);
		buf_putc(&t->out, '?');
		t->i++;
	} else if (next == '?' || (next == '+' && c != '{')) {
		buf_putc(&t->out, next);
		t->i++;
	}
	t->before = UINT32_MAX;
	return 0;
}

static int one_atom(struct tr *t, char c, struct err *e)
{
	size_t at = t->i;
	t->quantified = false;
	if (c == '(' || c == ')') {
		t->before = UINT32_MAX;
		return c == '(' ? group_open(t, e) : group_close(t, e);
	}
	t->atom = t->out.n;
	if (c == '|') {
		t->atom = SIZE_MAX;
		t->before = UINT32_MAX;
		buf_putc(&t->out, c);
		t->i++;
		return 0;
	}
	if (c == '^' || c == '$' || c == '.') {
		t->before = UINT32_MAX;
		t->i++;
		if (c == '.')
			return t->dotall ? put_text(t, "@", e) : put_named(t, 'n', true, e);
		return put_text(t, c == '^' ? "(?:\\A|(?<=N)(?!\\z))" : "(?:(?=N)|\\z)", e);
	}
	if (c == '[') {
		t->before = UINT32_MAX;
		return bracket(t, e);
	}
	if (c == '\\')
		return escape(t, e);
	return put_char(t, utf8_next(t->s, &t->i), at, e);
}

static int translate(struct tr *t, struct err *e)
{
	t->before = UINT32_MAX;
	while (t->i < t->s.n) {
		char c = t->s.p[t->i];
		if (t->extended && (c == ' ' || (c >= '\t' && c <= '\r'))) {
			t->i++;
			continue;
		}
		if (t->extended && c == '#') {
			while (t->i < t->s.n && t->s.p[t->i] != '\n')
				t->i++;
			continue;
		}
		if (str_starts((struct str){ t->s.p + t->i, t->s.n - t->i }, STR("(?#"))) {
			const char *end = memchr(t->s.p + t->i, ')', t->s.n - t->i);
			if (!end)
				return err_set(e, E_FORMAT, "the pattern has a comment '(?#' without ')' at byte %zu", t->i);
			t->i = (size_t)(end + 1 - t->s.p);
			continue;
		}
		bool repeat = c == '*' || c == '+' || c == '?' || c == '{';
		if ((repeat ? quantifier(t, e) : one_atom(t, c, e)) < 0)
			return -1;
	}
	close_extra(t);
	return t->depth ? err_set(e, E_FORMAT, "the pattern has a '(' without ')'") : 0;
}

/* ---- kinds ---- */

struct edge {
	uint32_t at;
	uint32_t set;
};

static int by_place(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;
	return x->at < y->at ? -1 : x->at > y->at;
}

struct kinds {
	uint64_t has[MAX_KINDS][WORDS]; /* which sets hold a kind */
	int n;
};

static int kind_of(struct kinds *k, const uint64_t in[WORDS])
{
	for (int i = 0; i < k->n; i++)
		if (!memcmp(k->has[i], in, sizeof k->has[i]))
			return i;
	if (k->n == MAX_KINDS)
		return -1;
	memcpy(k->has[k->n], in, sizeof k->has[0]);
	return k->n++;
}

static void fill(struct tokrx *rx, uint32_t from, uint32_t to, int kind)
{
	for (uint32_t c = from; c < to;) {
		uint32_t p = c >> 8, end = to < (p + 1) << 8 ? to : (p + 1) << 8;
		if ((c & 255) == 0 && end - c == 256 && p && rx->page[p - 1] != UINT16_MAX) { /* a whole page like the one before? */
			const uint8_t *b = rx->block[rx->page[p - 1]];
			if (b[0] == kind && !memcmp(b, b + 1, 255)) {
				rx->page[p] = rx->page[p - 1];
				c = end;
				continue;
			}
		}
		if (rx->page[p] == UINT16_MAX) {
			if ((rx->nblock & (rx->nblock - 1)) == 0)
				rx->block = xrealloc(rx->block, (rx->nblock ? 2 * rx->nblock : 1) * sizeof *rx->block);
			rx->page[p] = (uint16_t)rx->nblock++;
		}
		memset(rx->block[rx->page[p]] + (c & 255), kind, end - c);
		c = end;
	}
}

/* Tells the kinds apart and maps every code point to its own. */
static int make_kinds(struct tokrx *rx, const struct tr *t, struct kinds *k, struct err *e)
{
	size_t n = 0, w = 0;
	for (size_t i = 0; i < t->nset; i++)
		n += 2 * t->set[i].n;
	struct edge *ed = xcalloc(n + 1, sizeof *ed);
	for (uint32_t i = 0; i < t->nset; i++)
		for (size_t r = 0; r < t->set[i].n; r++) {
			ed[w++] = (struct edge){ t->set[i].r[r][0], i };
			ed[w++] = (struct edge){ t->set[i].r[r][1] + 1, i };
		}
	qsort(ed, n, sizeof *ed, by_place);
	memset(rx->page, 0xff, sizeof rx->page);
	uint64_t in[WORDS] = { 0 };
	uint32_t from = 0;
	int kind = 0;
	for (size_t i = 0; from < 0x110000 && kind >= 0;) {
		for (; i < n && ed[i].at <= from; i++)
			in[ed[i].set / 64] ^= 1ull << ed[i].set % 64;
		uint32_t to = i < n ? ed[i].at : 0x110000;
		kind = kind_of(k, in);
		if (kind >= 0)
			fill(rx, from, to, kind);
		from = to;
	}
	free(ed);
	return kind < 0 ? err_set(e, E_LIMIT, "the pattern tells more than %d kinds of characters apart", MAX_KINDS) : 0;
}

/* The pattern over kinds. */
static void expand(struct buf *out, const struct tr *t, const struct kinds *k)
{
	for (size_t i = 0; i < t->out.n; i++) {
		if (t->out.p[i] != 1) {
			buf_putc(out, t->out.p[i]);
			continue;
		}
		unsigned set = (unsigned char)t->out.p[i + 1] | (unsigned)(unsigned char)t->out.p[i + 2] << 8;
		bool any = false;
		i += 2;
		for (int c = 0; c < k->n; c++)
			if (k->has[c][set / 64] >> set % 64 & 1) {
				buf_printf(out, any ? "\\x%02x" : "[\\x%02x", (unsigned)c);
				any = true;
			}
		buf_puts(out, any ? "]" : "(?!)");
	}
}

static int compile(struct tokrx *rx, const struct tr *t, struct err *e)
{
	struct kinds *k = xcalloc(1, sizeof *k);
	struct buf p = { 0 };
	int code, rc = make_kinds(rx, t, k, e);
	PCRE2_SIZE at;
	if (rc == 0) {
		expand(&p, t, k);
		rx->code = pcre2_compile((PCRE2_SPTR)p.p, p.n, PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE, &code, &at, NULL);
		if (!rx->code) {
			char msg[200];
			pcre2_get_error_message(code, (PCRE2_UCHAR *)msg, sizeof msg);
			rc = err_set(e, E_UNSUPPORTED, "the pattern does not compile: %s", msg);
		} else {
			rx->jit = pcre2_jit_compile(rx->code, PCRE2_JIT_COMPLETE) == 0;
		}
	}
	buf_fini(&p);
	free(k);
	return rc;
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
	struct tr *t = xcalloc(1, sizeof *t);
	t->s = pattern;
	t->atom = SIZE_MAX;
	int rc = translate(t, e);
	if (rc == 0)
		rc = compile(rx, t, e);
	for (size_t i = 0; i < t->nset; i++)
		cpset_free(&t->set[i]);
	buf_fini(&t->out);
	free(t);
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
	free(rx->block);
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

static int match(const struct rxscan *r, struct scan *sc, struct err *e)
{
	const struct tokrx *rx = r->rx;
	PCRE2_SPTR p = r->kind;
	if (!sc->data) {
		sc->data = pcre2_match_data_create(1, NULL);
		sc->context = pcre2_match_context_create(NULL);
		if (!sc->data || !sc->context)
			return err_set(e, E_MEMORY, "out of memory for matching");
		pcre2_set_match_limit(sc->context, MATCH_LIMIT);
		pcre2_set_heap_limit(sc->context, 256 * 1024);
	}
	int rc = rx->jit ? pcre2_jit_match(rx->code, p, r->n, r->pos, 0, sc->data, sc->context)
			 : PCRE2_ERROR_JIT_STACKLIMIT;
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT && rx->jit && !sc->stack) {
		sc->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
		if (sc->stack) {
			pcre2_jit_stack_assign(sc->context, NULL, sc->stack);
			rc = pcre2_jit_match(rx->code, p, r->n, r->pos, 0, sc->data, sc->context);
		}
	}
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(rx->code, p, r->n, r->pos, PCRE2_NO_JIT, sc->data, sc->context);
	if (rc >= 0)
		return 1;
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	char msg[200];
	pcre2_get_error_message(rc, (PCRE2_UCHAR *)msg, sizeof msg);
	return err_set(e, E_LIMIT, "a pattern of the tokenizer fails on this text at character %zu: %s", r->pos, msg);
}

void rxscan_begin(struct rxscan *r, const struct tokrx *rx, struct str s)
{
	r->rx = rx;
	r->s = s;
	r->pos = 0;
	r->last = SIZE_MAX;
	r->kind = r->small;
	r->at = r->small_at;
	if (!rx->code)
		return;
	if (s.n >= sizeof r->small) {
		r->kind = xmalloc(s.n + 1);
		r->at = xmalloc((s.n + 1) * sizeof *r->at);
	}
	size_t n = 0;
	const uint8_t *ascii = rx->block[rx->page[0]];
	for (size_t i = 0; i < s.n; n++) {
		unsigned char b = (unsigned char)s.p[i];
		r->at[n] = (uint32_t)i;
		if (b < 0x80) {
			r->kind[n] = ascii[b];
			i++;
		} else {
			uint32_t c = utf8_next(s, &i);
			r->kind[n] = rx->block[rx->page[c >> 8]][c & 255];
		}
	}
	r->at[n] = (uint32_t)s.n;
	r->n = n;
}

void rxscan_end(struct rxscan *r)
{
	if (r->kind != r->small) {
		free(r->kind);
		free(r->at);
	}
}

int rxscan_next(struct rxscan *r, struct scan *sc, size_t *from, size_t *to, struct err *e)
{
	if (!r->rx->code) {
		const char *hit = r->pos <= r->s.n ? memmem(r->s.p + r->pos, r->s.n - r->pos, r->rx->literal, r->rx->n) : NULL;
		if (!hit)
			return 0;
		*from = (size_t)(hit - r->s.p);
		r->pos = *to = *from + r->rx->n;
		return 1;
	}
	while (r->pos <= r->n) {
		int rc = match(r, sc, e);
		if (rc <= 0)
			return rc;
		PCRE2_SIZE *ov = pcre2_get_ovector_pointer(sc->data);
		if (ov[0] == ov[1] && r->last == ov[1]) { /* no empty match right behind another match */
			if (r->pos >= r->n)
				return 0;
			r->pos++;
			continue;
		}
		r->pos = r->last = ov[1];
		*from = r->at[ov[0]];
		*to = r->at[ov[1]];
		return 1;
	}
	return 0;
}
