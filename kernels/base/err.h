/* err.h - the one error idiom.
 *
 * A function that can fail for reasons outside our code returns 0 or -1 and takes a `struct err *` last. It fails with
 *     return err_set(e, E_FORMAT, "%s:%d: unknown key '%s'%s", file, line, key, err_hint(hint, sizeof hint, key, words));
 * and callers add context on the way up with err_wrap(e, "suite %s", name), which puts "suite NAME: " in front.
 * Messages are one sentence without a final period or newline, and name file and place. Nothing below harness/cmd_*
 * prints or exits. A NULL `e` is allowed: the message is dropped.
 */
#ifndef ASSAY_ERR_H
#define ASSAY_ERR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum err_code {
	E_NONE,
	E_USAGE,       /* the caller's words are off: exit status 2 */
	E_IO,          /* the operating system said no: missing file, full disk */
	E_FORMAT,      /* a file does not say what it must */
	E_RANGE,       /* a value lies outside what is allowed */
	E_UNSUPPORTED, /* well-formed, but not something this program knows */
	E_LIMIT,       /* a step, size, depth or match limit was reached */
	E_MEMORY,      /* it does not fit */
	E_DEVICE,      /* the device failed */
	E_STOPPED,     /* the user asked to stop */
};

struct err {
	enum err_code code;
	char msg[1000];
};

int err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* err_errno: err_set with ": " strerror(errno) behind. */
int err_errno(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* err_nearest: the word of the NULL-ended list `words` nearest to `word`, or NULL when none is near enough
 * (Damerau-Levenshtein distance at most 1 + length/4). */
const char *err_nearest(const char *word, const char *const *words);
/* err_hint: writes ", did you mean 'X'?" (or "") into buf and returns buf. */
const char *err_hint(char *buf, size_t size, const char *word, const char *const *words);

#ifdef __cplusplus
}
#endif

#endif
