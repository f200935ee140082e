/* log.h - warnings and notes to stderr, from any layer; results never go here.
 *
 * A warning is something a careful user wants to read (counted, so that --strict can make it an error).
 */
#ifndef ASSAY_LOG_H
#define ASSAY_LOG_H

enum log_level { LOG_QUIET, LOG_WARN, LOG_NOTE, LOG_DEBUG };

void log_set_level(enum log_level l); /* default LOG_NOTE */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int log_warnings(void); /* how many warnings were given since the start, printed or not */
/* log_hook: called before and after a line is written, so that a progress bar can get out of the way. */
void log_hook(void (*before)(void *), void (*after)(void *), void *ctx);

#endif
