/* regex_int.h - private to regex.c and regex_python.c: a Python pattern written again for PCRE2. */
#ifndef ASSAY_REGEX_INT_H
#define ASSAY_REGEX_INT_H

#include "kernels/base/arena.h"
#include "kernels/base/err.h"
#include "kernels/base/str.h"

#define REGEX_GROUPS_MAX 100 /* Python's own limit in references; more is refused */

struct regex_names {
	int ngroups;                         /* capturing groups, the whole match not counted */
	struct str name[REGEX_GROUPS_MAX + 1]; /* by number; n == 0: no name. Bytes in `text`. */
	struct buf text;                     /* owns the pattern's copy that names point into */
};

/* pattern (valid UTF-8) -> out: the same language for PCRE2 with PCRE2_UTF | PCRE2_UCP | PCRE2_ALT_CIRCUMFLEX, newline LF.
 * names->text must hold a copy of the pattern. E_FORMAT: what Python would refuse too; E_UNSUPPORTED: what we do not know. */
int regex_translate(struct str pattern, struct buf *out, struct regex_names *names, struct err *e);
/* Pattern for a message: cut at 80 bytes, control characters shown as '.'. Returns buf. */
const char *regex_show(struct str pattern, char buf[96]);

#endif
