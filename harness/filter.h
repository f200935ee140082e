/* filter.h - from what a model said to what is scored (SCORING.md 2.7): named pipelines of steps from one table.
 *
 * Regular expressions are Python's, run by PCRE2 without JIT and with match and depth limits: past a limit the document
 * fails with E_LIMIT, the run goes on. */
#ifndef ASSAY_FILTER_H
#define ASSAY_FILTER_H

#include "harness/suite.h"

/* Python regular expression over PCRE2: UTF, UCP, newline LF, Python's \s and \Z. Shared by filters, metrics, row operations. */
struct regex;
int regex_compile(struct regex **out, struct str pattern, bool ignore_case, struct err *e); /* message: pattern, offset, reason */
void regex_free(struct regex *r);
/* re.findall: out is a list of strings, or of tuples with several groups. */
int regex_findall(const struct regex *r, struct arena *a, struct str subject, struct value *out, struct err *e);
/* re.search: 1 found (spans of whole match in *start, *end), 0 not, -1 limit. */
int regex_search(const struct regex *r, struct str subject, size_t from, size_t *start, size_t *end, struct err *e);
/* re.sub with Python's replacement escapes (\1, \g<name>, \n). */
int regex_sub(const struct regex *r, struct arena *a, struct str with, struct str subject, struct str *out, struct err *e);
/* re.split without groups */
int regex_split(const struct regex *r, struct arena *a, struct str subject, struct value *out, struct err *e);

int filter_step_compile(struct filter_step *s, struct err *e);
void filter_step_free(struct filter_step *s); /* what filter_step_compile made */
/* resps: the document's responses (strings, in order); out: the list that the metric sees (lm-eval's filtered_resps: usually one). */
int filter_apply(const struct filter *f, struct arena *a, const struct value *doc, const struct str *resps, int n, struct value *out, struct err *e);

struct filter_info {
	const char *name, *text;
	enum filter_kind kind;
};
const struct filter_info *filter_table(void); /* ends with name NULL */

#endif
