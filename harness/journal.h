/* journal.h - what is answered: SQLite (WAL), one row per answer, keyed by runner_key.
 *
 * Answers arrive one by one and are committed in groups (every 512 answers or half a second), so kill -9 loses at most the
 * open group and never corrupts; a full disk is an error and what was committed stays. A damaged file is refused with a
 * sentence, not repaired in silence.
 */
#ifndef ASSAY_JOURNAL_H
#define ASSAY_JOURNAL_H

#include "harness/resp.h"

struct journal;
int journal_open(struct journal **out, const char *path, struct err *e); /* creates it */
int journal_close(struct journal *j, struct err *e);                      /* commits */
/* 1 found, 0 not, -1 error */
int journal_get(struct journal *j, const unsigned char key[DIGEST_BYTES], enum ask ask, struct arena *a, struct resp *out, struct err *e);
int journal_put(struct journal *j, const unsigned char key[DIGEST_BYTES], enum ask ask, const struct resp *r, struct err *e);
int journal_commit(struct journal *j, struct err *e);
struct journal_stats {
	uint64_t answers[4]; /* by enum ask */
	uint64_t bytes;
};
int journal_stats(struct journal *j, struct journal_stats *out, struct err *e);

#endif
