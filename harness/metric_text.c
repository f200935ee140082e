/* metric_text.c - metrics on text: exact_match and its options, and the words of a page.
 *
 * Options apply to both sides in this order (SCORING.md 2.8): patterns are deleted, then lower case, then ASCII punctuation,
 * then ASCII digits are deleted. Full-width punctuation stays, and ignore_punctuation takes the minus sign with it: that is
 * what lm-evaluation-harness does, and a score that is compared with its scores must do the same.
 * The target: with choices the choice that the target's number names; a list: any of its elements; a number as Python
 * prints it. A pattern that meets its limits fails the document.
 *
 * Facts: lm_eval 0.4.13, api/metrics.py exact_match_hf_evaluate, api/task.py process_results.
 */
#include "harness/filter.h"
#include "harness/metric_int.h"
#include "runners/text/utf8.h"

size_t text_words(struct str text)
{
	size_t runs = 0;
	bool in = false;
	for (size_t i = 0; i < text.n;) {
		bool space = uni_is_space(utf8_next(text, &i));
		runs += space && !in;
		in = space;
	}
	return runs + 1;
}

static struct str without(struct arena *a, struct str s, const char *set)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !strchr(set, s.p[i]))
			p[n++] = s.p[i];
	return (struct str){ p, n };
}

static int plain(const struct suite_metric *m, struct arena *a, struct value v, struct str *out, struct err *e)
{
	*out = v.type == V_STR ? v.s : v_text(a, v);
	for (int i = 0; i < m->nignore; i++)
		if (regex_sub(m->ignore_regex[i], a, STR(""), *out, out, e))
			return -1;
	if (m->ignore_case)
		*out = uni_lower(a, *out);
	if (m->ignore_punctuation)
		*out = without(a, *out, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
	if (m->ignore_numbers)
		*out = without(a, *out, "0123456789");
	return 0;
}

static int same(const struct suite_metric *m, struct arena *a, struct str want, struct value got, double *out, struct err *e)
{
	struct str text;
	if (plain(m, a, got, &text, e))
		return -1;
	*out = str_eq(text, want);
	return 0;
}

/* One accepted answer against what was extracted: a value, or a list of several (the share that is equal). */
static int one_target(const struct suite_metric *m, struct arena *a, struct value want, struct value got, double *out, struct err *e)
{
	struct str text;
	if (plain(m, a, want, &text, e))
		return -1;
	if (got.type != V_LIST)
		return same(m, a, text, got, out, e);
	double sum = 0, x = 0;
	for (size_t i = 0; i < got.list->n; i++) {
		if (same(m, a, text, got.list->v[i], &x, e))
			return -1;
		sum += x;
	}
	*out = got.list->n ? sum / (double)got.list->n : 0;
	return 0;
}

int text_exact_match(const struct suite_metric *m, const struct suite *s, const struct item *it, const struct value *filtered,
		     struct arena *a, double *out, struct err *e)
{
	struct value want = it->target;
	if (!filtered || filtered->type != V_LIST || !filtered->list->n)
		return err_set(e, E_FORMAT, "exact_match was given no response");
	struct value got = filtered->list->v[0];
	if (it->nchoices && want.type == V_INT) {
		if (want.i < 0 || want.i >= it->nchoices)
			return err_set(e, E_RANGE, "target %lld, but there are %d choices", (long long)want.i, it->nchoices);
		want = v_str(it->choice[want.i]);
	}
	if (want.type != V_LIST && want.type != V_TUPLE)
		return one_target(m, a, want, got, out, e);
	*out = 0;
	for (size_t i = 0; i < want.list->n && *out == 0; i++) {
		if (one_target(m, a, want.list->v[i], got, out, e))
			return -1;
		*out = *out > 0;
	}
	return 0;
}
