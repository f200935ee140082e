/* filter.c - from what a model said to what is scored: the steps of a named pipeline (SCORING.md 2.7), one table row each.
 *
 * A document's responses start as a list of strings. Most steps map every element; take_first and majority_vote choose;
 * after take_first the pipeline holds one value, as in lm-evaluation-harness, and filter_apply gives a list of it.
 * Where that harness would end with an exception, one document gets an error sentence here and the run goes on; one case
 * is softer: a group_select beyond the matches gives the fallback. A pattern past its limits gives E_LIMIT.
 * multi_choice_regex needs a column `choices` in the document, a list of strings, at most 26.
 *
 * Facts: lm_eval 0.4.13, filters/{extraction,selection,transformation}.py.
 */
#include "harness/filter.h"

#include <stdlib.h>

#include "runners/text/utf8.h"

/* Compiled form behind filter_step.regex. */
struct compiled {
	struct regex *main;
	struct regex *ignore[8];
};

struct state {
	struct arena *a;
	const struct value *doc;
	struct value v; /* a list, or one value after take_first */
	bool scalar;
};

static struct str fallback_of(const struct filter_step *s)
{
	return s->fallback.p ? s->fallback : STR("[invalid]");
}

/* ---- what a pattern makes of one text ---- */

/* The chosen match, stripped: 1, or 0 when there is none (or only empty groups). */
static int pick(const struct regex *r, int group_select, struct arena *a, struct str text, struct str *out, struct err *e)
{
	struct value all;
	if (regex_findall(r, a, text, &all, e))
		return -1;
	size_t n = all.list->n;
	size_t i = group_select < 0 ? n - (size_t)-(long)group_select : (size_t)group_select;
	if (i >= n) /* none, or beyond the matches on either side: n - k wraps */
		return 0;
	struct value m = all.list->v[i];
	if (m.type == V_TUPLE) {
		size_t k = 0;
		while (k < m.list->n && !m.list->v[k].s.n)
			k++;
		if (k == m.list->n)
			return 0;
		m = m.list->v[k];
	}
	*out = str_strip(m.s);
	return 1;
}

static struct str text_of(const struct value *v)
{
	return v->type == V_STR ? v->s : (struct str){ "", 0 };
}

static int do_regex(const struct filter_step *s, struct state *t, struct value *v, struct err *e)
{
	const struct compiled *c = s->regex;
	struct str m;
	int r = pick(c->main, s->group_select, t->a, text_of(v), &m, e);
	if (r < 0)
		return -1;
	*v = v_str(r ? m : fallback_of(s));
	return 0;
}

/* ---- multi_choice_regex ---- */

static struct str no_punctuation(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < s.n;) {
		size_t from = i;
		if (!uni_is_punct(utf8_next(s, &i))) {
			memcpy(p + n, s.p + from, i - from);
			n += i - from;
		}
	}
	return (struct str){ p, n };
}

static int ignored(const struct filter_step *s, struct arena *a, struct str *text, struct err *e)
{
	const struct compiled *c = s->regex;
	for (int i = 0; i < s->nignore; i++)
		if (regex_sub(c->ignore[i], a, STR(""), *text, text, e))
			return -1;
	if (s->ignore_case)
		*text = uni_lower(a, *text);
	if (s->ignore_punctuation)
		*text = no_punctuation(a, *text);
	return 0;
}

/* re.escape */
static struct str escaped(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, 2 * s.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] && strchr("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", s.p[i]))
			p[n++] = '\\';
		p[n++] = s.p[i];
	}
	return (struct str){ p, n };
}

struct branch {
	struct str text;
	size_t len, order;
};

static int longest_first(const void *x, const void *y)
{
	const struct branch *a = x, *b = y;
	if (a->len != b->len)
		return a->len < b->len ? 1 : -1;
	return a->order < b->order ? -1 : 1;
}

/* One text searched by a pattern made for this document. */
static int pick_once(struct buf *pattern, int group_select, struct arena *a, struct str text, struct str *out, struct err *e)
{
	struct regex *r;
	int got = regex_compile(&r, (struct str){ pattern->p ? pattern->p : "", pattern->n }, false, e);
	if (got == 0) {
		got = pick(r, group_select, a, text, out, e);
		regex_free(r);
	}
	return got;
}

/* Second try: a choice's own text in the response gives its letter. */
static int by_text(const struct filter_step *s, struct state *t, const struct value *choices, struct str text, struct str *out, struct err *e)
{
	size_t n = choices->list->n;
	struct str *m = ARENA_ARRAY(t->a, n, struct str);
	struct branch *b = ARENA_ARRAY(t->a, n, struct branch);
	for (size_t i = 0; i < n; i++) {
		m[i] = str_strip(text_of(&choices->list->v[i]));
		if (ignored(s, t->a, &m[i], e))
			return -1;
		struct str esc = escaped(t->a, m[i]);
		b[i] = (struct branch){ esc, utf8_len(esc), i };
	}
	qsort(b, n, sizeof *b, longest_first);
	struct buf pattern = { 0 };
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_putc(&pattern, '|');
		buf_str(&pattern, b[i].text);
	}
	int got = ignored(s, t->a, &text, e) ? -1 : pick_once(&pattern, s->group_select, t->a, text, out, e);
	buf_fini(&pattern);
	for (size_t i = n; got > 0 && i-- > 0;) /* of equal texts the last letter wins */
		if (out->n && str_eq(m[i], *out)) {
			*out = arena_printf(t->a, "(%c)", (char)('A' + i));
			break;
		}
	return got;
}

/* Third try: ": B". */
static int by_letter(const struct filter_step *s, struct state *t, size_t n, struct str text, struct str *out, struct err *e)
{
	struct buf pattern = { 0 };
	buf_puts(&pattern, ":[\\s]*(");
	for (size_t i = 0; i < n; i++)
		buf_printf(&pattern, "%s%c", i ? "|" : "", (char)('A' + i));
	buf_putc(&pattern, ')');
	int got = pick_once(&pattern, s->group_select, t->a, text, out, e);
	buf_fini(&pattern);
	if (got > 0 && out->n)
		*out = arena_printf(t->a, "(%.*s)", (int)out->n, out->p);
	return got;
}

static int do_multi_choice(const struct filter_step *s, struct state *t, struct value *v, struct err *e)
{
	const struct compiled *c = s->regex;
	const struct value *choices = t->doc ? v_getc(*t->doc, "choices") : NULL;
	struct str text = text_of(v), m = { "", 0 };
	if (!choices || choices->type != V_LIST || choices->list->n > 26)
		return err_set(e, E_FORMAT, "filter multi_choice_regex needs a column 'choices', a list of at most 26 strings");
	int r = pick(c->main, s->group_select, t->a, text, &m, e);
	if (r >= 0 && !m.n)
		r = by_text(s, t, choices, text, &m, e);
	if (r >= 0 && !m.n)
		r = by_letter(s, t, choices->list->n, text, &m, e);
	if (r < 0)
		return -1;
	*v = v_str(m.n ? m : fallback_of(s));
	return 0;
}

/* ---- steps on every element ---- */

static int need_str(const struct value *v, const char *step, struct err *e)
{
	if (v->type == V_STR)
		return 0;
	return err_set(e, E_FORMAT, "filter %s needs strings, but a step before it gave %s", step, v_type_name(*v));
}

static int do_lowercase(const struct filter_step *s, struct state *t, struct value *v, struct err *e)
{
	if (need_str(v, "lowercase", e))
		return -1;
	*v = v_str(uni_lower(t->a, v->s));
	return 0;
}

static int do_uppercase(const struct filter_step *s, struct state *t, struct value *v, struct err *e)
{
	if (need_str(v, "uppercase", e))
		return -1;
	*v = v_str(uni_upper(t->a, v->s));
	return 0;
}

static int do_strip(const struct filter_step *s, struct state *t, struct value *v, struct err *e)
{
	if (need_str(v, "remove_whitespace", e))
		return -1;
	*v = v_str(str_strip(v->s));
	return 0;
}

static int do_map(const struct filter_step *s, struct state *t, struct value *v, struct err *e)
{
	const struct value *to = s->mapping.type == V_DICT ? v_get_key(s->mapping, *v) : NULL;
	*v = to ? *to : s->default_value.type == V_UNDEFINED ? VNONE : s->default_value;
	return 0;
}

/* ---- steps on the whole list ---- */

static int do_take_first(const struct filter_step *s, struct state *t, struct err *e)
{
	if (!t->v.list->n)
		return err_set(e, E_FORMAT, "filter take_first found no response");
	t->v = t->v.list->v[0];
	t->scalar = true;
	return 0;
}

static int do_take_first_k(const struct filter_step *s, struct state *t, struct err *e)
{
	size_t n = t->v.list->n;
	if (s->k < 1 || n < (size_t)s->k)
		return err_set(e, E_RANGE, "filter take_first_k needs %d responses per document, but there are %zu", s->k, n);
	struct value first = v_list(t->a, (size_t)s->k);
	for (int i = 0; i < s->k; i++)
		v_push(t->a, first, t->v.list->v[i]);
	t->v = first;
	return 0;
}

/* collections.Counter.most_common(1): of equal counts the first seen. Quadratic: repeats are few. */
static int do_majority(const struct filter_step *s, struct state *t, struct err *e)
{
	const struct list *l = t->v.list;
	size_t best = 0, best_count = 0;
	for (size_t i = 0; i < l->n; i++) {
		size_t count = 0;
		bool seen = false;
		for (size_t k = 0; k < l->n; k++) {
			bool same = v_equal(l->v[i], l->v[k]);
			seen = seen || (same && k < i);
			count += same;
		}
		if (!seen && count > best_count) {
			best = i;
			best_count = count;
		}
	}
	if (!best_count)
		return err_set(e, E_FORMAT, "filter majority_vote found no response");
	struct value one = v_list(t->a, 1);
	v_push(t->a, one, l->v[best]);
	t->v = one;
	return 0;
}

/* ---- the table ---- */

static const struct filter_info infos[] = {
	{ "take_first", "Keeps the first response.", FILTER_TAKE_FIRST },
	{ "take_first_k", "Keeps the first k responses.", FILTER_TAKE_FIRST_K },
	{ "regex", "Keeps what a pattern finds (match number group_select), else the fallback.", FILTER_REGEX },
	{ "multi_choice_regex", "As regex, then the text of a choice, then ': LETTER'; needs a column 'choices'.", FILTER_MULTI_CHOICE_REGEX },
	{ "majority_vote", "Keeps the response that occurs most often, of equals the first.", FILTER_MAJORITY },
	{ "lowercase", "Turns every response into lower case.", FILTER_LOWERCASE },
	{ "uppercase", "Turns every response into upper case.", FILTER_UPPERCASE },
	{ "map", "Replaces every response by its value in a table, else by default_value.", FILTER_MAP },
	{ "remove_whitespace", "Strips white space at both ends.", FILTER_REMOVE_WHITESPACE },
	{ "strip", "The same as remove_whitespace.", FILTER_STRIP },
	{ NULL, NULL, 0 },
};

typedef int each_fn(const struct filter_step *s, struct state *t, struct value *v, struct err *e);
typedef int whole_fn(const struct filter_step *s, struct state *t, struct err *e);

static const struct {
	each_fn *each;
	whole_fn *whole;
} steps[FILTER_KINDS] = {
	[FILTER_TAKE_FIRST] = { NULL, do_take_first },
	[FILTER_TAKE_FIRST_K] = { NULL, do_take_first_k },
	[FILTER_REGEX] = { do_regex, NULL },
	[FILTER_MAJORITY] = { NULL, do_majority },
	[FILTER_LOWERCASE] = { do_lowercase, NULL },
	[FILTER_UPPERCASE] = { do_uppercase, NULL },
	[FILTER_STRIP] = { do_strip, NULL },
	[FILTER_REMOVE_WHITESPACE] = { do_strip, NULL },
	[FILTER_MAP] = { do_map, NULL },
	[FILTER_MULTI_CHOICE_REGEX] = { do_multi_choice, NULL },
};

const struct filter_info *filter_table(void)
{
	return infos;
}

static const char *name_of(enum filter_kind k)
{
	for (const struct filter_info *i = infos; i->name; i++)
		if (i->kind == k)
			return i->name;
	return "?";
}

int filter_step_compile(struct filter_step *s, struct err *e)
{
	s->regex = NULL;
	if (s->kind == FILTER_TAKE_FIRST_K && s->k < 1)
		return err_set(e, E_RANGE, "filter take_first_k needs k, at least 1");
	if (s->kind != FILTER_REGEX && s->kind != FILTER_MULTI_CHOICE_REGEX)
		return 0;
	struct compiled *c = xcalloc(1, sizeof *c);
	s->regex = c;
	int r = regex_compile(&c->main, s->pattern.p ? s->pattern : STR("#### (\\-?[0-9\\.\\,]+)"), false, e);
	for (int i = 0; r == 0 && i < s->nignore; i++)
		r = regex_compile(&c->ignore[i], s->regexes_to_ignore[i], false, e);
	if (r)
		filter_step_free(s);
	return r;
}

void filter_step_free(struct filter_step *s)
{
	struct compiled *c = s->regex;
	if (!c)
		return;
	regex_free(c->main);
	for (size_t i = 0; i < sizeof c->ignore / sizeof *c->ignore; i++)
		regex_free(c->ignore[i]);
	free(c);
	s->regex = NULL;
}

static int step_apply(const struct filter_step *s, struct state *t, struct err *e)
{
	if (steps[s->kind].whole) {
		if (t->scalar)
			return err_set(e, E_FORMAT, "filter %s needs the list of responses, but one was already taken", name_of(s->kind));
		return steps[s->kind].whole(s, t, e);
	}
	if (t->scalar)
		return steps[s->kind].each(s, t, &t->v, e);
	for (size_t i = 0; i < t->v.list->n; i++)
		if (steps[s->kind].each(s, t, &t->v.list->v[i], e))
			return -1;
	return 0;
}

int filter_apply(const struct filter *f, struct arena *a, const struct value *doc, const struct str *resps, int n, struct value *out, struct err *e)
{
	struct state t = { .a = a, .doc = doc, .v = v_list(a, (size_t)n) };
	for (int i = 0; i < n; i++)
		v_push(a, t.v, v_str(resps[i]));
	for (int i = 0; i < f->nsteps; i++)
		if (step_apply(&f->step[i], &t, e))
			return err_wrap(e, "filter %.*s", (int)f->name.n, f->name.p);
	*out = v_list(a, 1);
	v_push(a, *out, t.v);
	return 0;
}
