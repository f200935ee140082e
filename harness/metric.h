/* metric.h - per-document metrics and their aggregation (SCORING.md 2.3, 2.4, 2.8): one table, one row per metric. */
#ifndef ASSAY_METRIC_H
#define ASSAY_METRIC_H

#include "harness/resp.h"
#include "harness/settings.h"
#include "harness/task.h"

enum aggregate {
	AGG_MEAN,
	AGG_BRIER,               /* a mean to which lm-eval gives no standard error */
	AGG_PERPLEXITY,          /* exp(-mean) */
	AGG_WEIGHTED_PERPLEXITY, /* exp(-sum v / sum w) */
	AGG_BITS_PER_BYTE,       /* -(sum v / sum w) / ln 2 */
};

struct metric_info {
	const char *name;      /* "acc" */
	const char *text;      /* one sentence */
	unsigned kinds;        /* bit per enum suite_kind */
	enum aggregate agg;
	bool higher_is_better;
	bool pair;             /* a document gives [sum, weight] */
};
const struct metric_info *metric_find(struct str name); /* NULL: unknown */
const struct metric_info *metric_table(void);           /* ends with name NULL */
/* default metrics of a kind, when the suite names none (SCORING.md 2.3): NULL-ended names */
const char *const *metric_defaults(enum suite_kind k);

struct score {
	double v, w; /* pairs: sum and weight; else w = 1 */
};
int metric_compile(struct suite_metric *m, struct err *e);
void metric_free(struct suite_metric *m); /* what metric_compile made */
/* One document: filtered is what the filter gave (generate) or V_UNDEFINED; resps are the answers to it->req. */
int metric_doc(const struct suite_metric *m, const struct suite *s, const struct item *it, const struct resp *resps,
	       const struct value *filtered, struct arena *a, struct score *out, struct err *e);

struct aggregate_result {
	double value, stderr_; /* stderr NaN: not available ("N/A") */
	double ci_low, ci_high;  /* 95 %: Wilson for 0/1 metrics, Student's t otherwise (perplexities: on the log scale); NaN: not available */
	size_t n;
};
/* x[n]: documents in order. Standard errors as the profile says (bootstrap: SCORING.md 2.8; what lm-eval leaves out is
 * given outside its profiles: the delta method for ratios). threads, 0: all: for the bootstrap; changes no bit. */
void metric_aggregate(const struct metric_info *m, const struct score *x, size_t n, const struct profile *p, int threads,
		      struct aggregate_result *out);
/* A group over leaf results (SCORING.md 2.8). */
void metric_group(const struct aggregate_result *leaf, int n, bool weight_by_size, const struct profile *p, struct aggregate_result *out);

#endif
