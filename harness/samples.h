/* samples.h - the sample log: one JSON line per document, as the manual (CLI) promises it. */
#ifndef ASSAY_SAMPLES_H
#define ASSAY_SAMPLES_H

#include "harness/metric.h"
#include "harness/resp.h"
#include "harness/task.h"

struct sample {
	const struct suite *suite;
	const struct item *item;
	const struct resp *resp;      /* [item->nreq] */
	const struct value *filtered; /* [suite->nfilters], lists; NULL: the suite does not generate, or the document failed */
	const struct score *score;    /* [suite->nfilters][suite->nmetrics]; NULL: the document failed */
	struct str why;               /* why it failed */
};
/* Appends a line. Prompts of chat messages are rendered by r; log_ids: token ids in place of their counts. */
int sample_line(struct buf *out, const struct sample *s, struct runner *r, bool log_ids, struct arena *a, struct err *e);
/* How many of a suite's filters give scores of their own: all of them where it generates, else one. */
int sample_filters(const struct suite *s);

#endif
