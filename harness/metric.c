/* metric.c - per-document metrics and their aggregation: one table, one row per metric (SCORING.md 2.3, 2.4, 2.8, 2.14).
 *
 * A document's value is computed from the answers to its requests (and for generation from what the filter made of them);
 * values are aggregated in document order. argmax takes the first of equals; acc_norm divides by code points, acc_bytes by
 * UTF-8 bytes, both of the choice without its delimiter. A gold index out of range scores 0, as in lm-evaluation-harness
 * (`assay check` is where it is an error); brier_score has no meaning then and fails the document.
 * Standard errors: mean -> sample stdev / stats_sqrt(n); perplexity -> bootstrap; ratios: not available in the lm-eval profiles,
 * else the delta method. Intervals are 95 %: Wilson where every value is 0 or 1, else Student's t, for perplexities on the
 * scale of log-probabilities and carried through exp.
 *
 * Facts: lm_eval 0.4.13, api/{task,metrics,group}.py. Miller 2024 (arXiv 2411.00640) on error bars of evaluations.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness/filter.h"
#include "harness/metric_int.h"
#include "harness/stats.h"
#include "kernels/base/dmath.h"
#include "runners/text/utf8.h"

#define LN2 0.6931471805599453

/* What a metric's function is given. */
struct view {
	const struct suite_metric *m;
	const struct suite *s;
	const struct item *it;
	const struct resp *resps;
	const struct value *filtered;
	struct arena *a;
};
typedef int doc_fn(const struct view *v, struct score *out, struct err *e);

/* ---- multiple choice ---- */

enum norm { NORM_NONE, NORM_CHARS, NORM_BYTES };

static double choice_score(const struct view *v, int i, enum norm norm)
{
	double ll = v->resps[i].logprob;
	struct str c = v->it->choice[i];
	return norm == NORM_NONE ? ll : ll / (double)(norm == NORM_CHARS ? utf8_len(c) : c.n);
}

/* numpy.argmax: the first maximum; a NaN counts as the maximum. */
static int argmax(const struct view *v, enum norm norm)
{
	int best = 0;
	double top = choice_score(v, 0, norm);
	for (int i = 1; i < v->it->nchoices && top == top; i++) {
		double x = choice_score(v, i, norm);
		if (x > top || x != x) {
			best = i;
			top = x;
		}
	}
	return best;
}

/* The index of a choice that a target names; -1: none. */
static int gold_index(const struct item *it, struct value t)
{
	if (t.type == V_INT)
		return t.i >= 0 && t.i < it->nchoices ? (int)t.i : -1;
	if (t.type == V_BOOL)
		return (int)t.b < it->nchoices ? (int)t.b : -1;
	for (int i = 0; t.type == V_STR && i < it->nchoices; i++)
		if (str_eq(it->choice[i], t.s))
			return i;
	return -1;
}

static struct value gold_of(const struct item *it)
{
	return it->gold.type == V_UNDEFINED ? it->target : it->gold;
}

/* Does `yes` hold for any accepted index? */
static bool any_gold(const struct view *v, bool (*yes)(const struct view *, int gold, int arg), int arg)
{
	struct value t = gold_of(v->it);
	bool many = t.type == V_LIST || t.type == V_TUPLE;
	for (size_t k = 0; k < (many ? t.list->n : 1); k++) {
		int g = gold_index(v->it, many ? t.list->v[k] : t);
		if (g >= 0 && yes(v, g, arg))
			return true;
	}
	return false;
}

static bool is_arg(const struct view *v, int gold, int arg)
{
	return gold == arg;
}

static bool is_greedy(const struct view *v, int gold, int arg)
{
	return v->resps[gold].greedy;
}

static int do_acc(const struct view *v, struct score *out, struct err *e)
{
	if (v->s->kind == KIND_LOGLIK)
		out->v = v->resps[0].greedy;
	else
		out->v = any_gold(v, is_arg, argmax(v, NORM_NONE));
	return 0;
}

static int do_acc_norm(const struct view *v, struct score *out, struct err *e)
{
	out->v = any_gold(v, is_arg, argmax(v, NORM_CHARS));
	return 0;
}

static int do_acc_bytes(const struct view *v, struct score *out, struct err *e)
{
	out->v = any_gold(v, is_arg, argmax(v, NORM_BYTES));
	return 0;
}

static int do_exact_match(const struct view *v, struct score *out, struct err *e)
{
	if (v->s->kind == KIND_GENERATE)
		return text_exact_match(v->m, v->s, v->it, v->filtered, v->a, &out->v, e);
	out->v = any_gold(v, is_greedy, 0);
	return 0;
}

static int do_brier(const struct view *v, struct score *out, struct err *e)
{
	int n = v->it->nchoices, gold = gold_index(v->it, gold_of(v->it));
	if (gold < 0)
		return err_set(e, E_RANGE, "brier_score needs a target that is one of the %d choices", n);
	double top = v->resps[argmax(v, NORM_NONE)].logprob, sum = 0;
	double *p = ARENA_ARRAY(v->a, (size_t)n, double);
	for (int i = 0; i < n; i++) {
		p[i] = dm_exp(v->resps[i].logprob - top);
		sum += p[i];
	}
	for (int i = 0; i < n; i++) {
		double d = p[i] / sum - (i == gold);
		out->v += d * d;
	}
	return 0;
}

/* ---- log-likelihoods ---- */

static int do_logprob(const struct view *v, struct score *out, struct err *e)
{
	out->v = v->resps[0].logprob;
	return 0;
}

static struct str counted(const struct item *it)
{
	return it->counted.p ? it->counted : it->req[0].context.text;
}

static int do_per_word(const struct view *v, struct score *out, struct err *e)
{
	*out = (struct score){ v->resps[0].logprob, (double)text_words(counted(v->it)) };
	return 0;
}

static int do_per_byte(const struct view *v, struct score *out, struct err *e)
{
	*out = (struct score){ v->resps[0].logprob, (double)counted(v->it).n };
	return 0;
}

/* ---- the table ---- */

#define CHOICE (1u << KIND_CHOICE)
#define LOGLIK (1u << KIND_LOGLIK)
#define ROLLING (1u << KIND_ROLLING)
#define GENERATE (1u << KIND_GENERATE)

static const struct metric_info infos[] = {
	{ "acc", "The likeliest choice is right; for a single continuation: every token of it is the likeliest.", CHOICE | LOGLIK, AGG_MEAN, true, false },
	{ "acc_norm", "As acc, log-probabilities divided by the choice's length in characters.", CHOICE, AGG_MEAN, true, false },
	{ "acc_bytes", "As acc, log-probabilities divided by the choice's length in UTF-8 bytes.", CHOICE, AGG_MEAN, true, false },
	{ "exact_match", "The extracted answer equals a target; for choices: the right one is what greedy decoding gives.", CHOICE | GENERATE, AGG_MEAN, true, false },
	{ "brier_score", "Squared distance between the choices' probabilities and the right answer.", CHOICE, AGG_BRIER, false, false },
	{ "perplexity", "exp of the mean negative log-probability of the continuations.", LOGLIK, AGG_PERPLEXITY, false, false },
	{ "word_perplexity", "exp of the negative log-probability per word.", ROLLING, AGG_WEIGHTED_PERPLEXITY, false, true },
	{ "byte_perplexity", "exp of the negative log-probability per UTF-8 byte.", ROLLING, AGG_WEIGHTED_PERPLEXITY, false, true },
	{ "bits_per_byte", "Negative log2-probability per UTF-8 byte.", ROLLING, AGG_BITS_PER_BYTE, false, true },
	{ NULL, NULL, 0, 0, false, false },
};
static doc_fn *const docs[] = { /* in the order of infos */
	do_acc, do_acc_norm, do_acc_bytes, do_exact_match, do_brier, do_logprob, do_per_word, do_per_byte, do_per_byte,
};
_Static_assert(sizeof docs / sizeof *docs + 1 == sizeof infos / sizeof *infos, "a function per metric");

const struct metric_info *metric_table(void)
{
	return infos;
}

const struct metric_info *metric_find(struct str name)
{
	for (const struct metric_info *m = infos; m->name; m++)
		if (str_is(name, m->name))
			return m;
	return NULL;
}

const char *const *metric_defaults(enum suite_kind k)
{
	static const char *const choice[] = { "acc", "acc_norm", NULL }, *const loglik[] = { "perplexity", "acc", NULL },
			  *const rolling[] = { "word_perplexity", "byte_perplexity", "bits_per_byte", NULL },
			  *const generate[] = { "exact_match", NULL }, *const none[] = { NULL };
	switch (k) {
	case KIND_CHOICE:
		return choice;
	case KIND_LOGLIK:
		return loglik;
	case KIND_ROLLING:
		return rolling;
	case KIND_GENERATE:
		return generate;
	default:
		return none;
	}
}

static int unknown(struct str name, struct err *e)
{
	const char *words[sizeof infos / sizeof *infos];
	char hint[80], word[64];
	size_t n = 0;
	for (const struct metric_info *m = infos; m->name; m++)
		words[n++] = m->name;
	words[n] = NULL;
	snprintf(word, sizeof word, "%.*s", (int)(name.n < 60 ? name.n : 60), name.p);
	return err_set(e, E_FORMAT, "unknown metric '%s'%s", word, err_hint(hint, sizeof hint, word, words));
}

int metric_compile(struct suite_metric *m, struct err *e)
{
	m->ignore_regex = NULL;
	if (!metric_find(m->name))
		return unknown(m->name, e);
	if (m->nignore <= 0)
		return 0;
	m->ignore_regex = xcalloc((size_t)m->nignore, sizeof *m->ignore_regex);
	for (int i = 0; i < m->nignore; i++) {
		struct regex *r;
		if (regex_compile(&r, m->ignore[i], false, e)) {
			metric_free(m);
			return err_wrap(e, "metric %.*s", (int)m->name.n, m->name.p);
		}
		m->ignore_regex[i] = r;
	}
	return 0;
}

void metric_free(struct suite_metric *m)
{
	for (int i = 0; m->ignore_regex && i < m->nignore; i++)
		regex_free(m->ignore_regex[i]);
	free(m->ignore_regex);
	m->ignore_regex = NULL;
}

int metric_doc(const struct suite_metric *m, const struct suite *s, const struct item *it, const struct resp *resps,
	       const struct value *filtered, struct arena *a, struct score *out, struct err *e)
{
	const struct metric_info *info = metric_find(m->name);
	struct view v = { m, s, it, resps, filtered, a };
	*out = (struct score){ 0, 1 };
	if (!info)
		return unknown(m->name, e);
	if (!(info->kinds & 1u << s->kind))
		return err_set(e, E_FORMAT, "metric %s is not defined for suites of kind %s", info->name, suite_kind_name(s->kind));
	if (it->nreq < 1 || (s->kind == KIND_CHOICE && (it->nchoices < 1 || it->nreq < it->nchoices)))
		return err_set(e, E_FORMAT, "metric %s: the document has %d requests for %d choices", info->name, it->nreq, it->nchoices);
	return docs[info - infos](&v, out, e);
}

/* ---- aggregation ---- */

static double exp_neg(double m)
{
	return dm_exp(-m);
}

static bool all_zero_or_one(const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (x[i] != 0 && x[i] != 1)
			return false;
	return true;
}

static void t_interval(double centre, double se, double df, struct aggregate_result *out)
{
	double half = se == se && df >= 1 ? stats_t_quantile(0.975, df) * se : STATS_NAN;
	out->ci_low = centre - half;
	out->ci_high = centre + half;
}

/* Mean of x, and functions of it. */
static void of_mean(const struct metric_info *m, const double *x, size_t n, bool lmeval, int threads, struct aggregate_result *out)
{
	double mean = stats_mean(x, n), se = stats_mean_se(x, n);
	if (m->agg == AGG_PERPLEXITY) {
		t_interval(mean, se, (double)n - 1, out);
		double low = exp_neg(out->ci_high);
		out->ci_high = exp_neg(out->ci_low);
		out->ci_low = low;
		out->value = exp_neg(mean);
		out->stderr_ = stats_bootstrap_se(exp_neg, x, n, threads);
		return;
	}
	out->value = mean;
	out->stderr_ = m->agg == AGG_BRIER && lmeval ? STATS_NAN : se;
	if (all_zero_or_one(x, n))
		stats_wilson(mean, n, &out->ci_low, &out->ci_high);
	else
		t_interval(mean, se, (double)n - 1, out);
}

/* R = sum v / sum w and functions of it. Its standard error by linearisation: residuals v - R w. */
static void of_ratio(const struct metric_info *m, const struct score *x, size_t n, bool lmeval, struct aggregate_result *out)
{
	double sv = 0, sw = 0, rr = 0;
	for (size_t i = 0; i < n; i++) {
		sv += x[i].v;
		sw += x[i].w;
	}
	double ratio = sv / sw;
	for (size_t i = 0; i < n; i++) {
		double d = x[i].v - ratio * x[i].w;
		rr += d * d;
	}
	double se = n > 1 ? stats_sqrt((double)n / (double)(n - 1) * rr) / sw : STATS_NAN;
	t_interval(ratio, se, (double)n - 1, out);
	double low = out->ci_low, high = out->ci_high;
	if (m->agg == AGG_BITS_PER_BYTE) {
		out->value = -ratio / LN2;
		out->stderr_ = se / LN2;
		out->ci_low = -high / LN2;
		out->ci_high = -low / LN2;
	} else {
		out->value = exp_neg(ratio);
		out->stderr_ = out->value * se;
		out->ci_low = exp_neg(high);
		out->ci_high = exp_neg(low);
	}
	if (lmeval)
		out->stderr_ = STATS_NAN;
}

void metric_aggregate(const struct metric_info *m, const struct score *x, size_t n, const struct profile *p, int threads,
		      struct aggregate_result *out)
{
	*out = (struct aggregate_result){ STATS_NAN, STATS_NAN, STATS_NAN, STATS_NAN, n };
	if (!n)
		return;
	if (m->pair) {
		of_ratio(m, x, n, p->lmeval, out);
		return;
	}
	double *v = xcalloc(n, sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = x[i].v;
	of_mean(m, v, n, p->lmeval, threads, out);
	free(v);
}

void metric_group(const struct aggregate_result *leaf, int n, bool weight_by_size, const struct profile *p, struct aggregate_result *out)
{
	double value = 0, weights = 0, docs_all = 0, pooled = 0, squares = 0;
	*out = (struct aggregate_result){ STATS_NAN, STATS_NAN, STATS_NAN, STATS_NAN, 0 };
	for (int i = 0; i < n; i++) {
		double size = (double)leaf[i].n, w = weight_by_size ? size : 1, se = leaf[i].stderr_;
		value += leaf[i].value * w;
		weights += w;
		docs_all += size;
		pooled += (size - 1) * (se * se) * size;
		squares += se * se;
		out->n += leaf[i].n;
	}
	if (!(weights > 0))
		return;
	out->value = value / weights;
	if (weight_by_size || p->macro_se_pooled)
		out->stderr_ = docs_all > n ? stats_sqrt(pooled / (docs_all - n) / docs_all) : STATS_NAN;
	else
		out->stderr_ = stats_sqrt(squares) / n;
	t_interval(out->value, out->stderr_, docs_all - n, out);
}
