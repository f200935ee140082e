/* metric_int.h - private to metric.c and metric_text.c. */
#ifndef ASSAY_METRIC_INT_H
#define ASSAY_METRIC_INT_H

#include "harness/metric.h"

/* len(re.split(r"\s+", text)): runs of white space, and one. */
size_t text_words(struct str text);
/* A generated answer (what the filter gave, one element) against the target: the share of equal pairs, 0 or 1. */
int text_exact_match(const struct suite_metric *m, const struct suite *s, const struct item *it, const struct value *filtered,
		     struct arena *a, double *out, struct err *e);

#endif
