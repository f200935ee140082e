/* str.h - a string with its length: text from files may hold NUL bytes.
 *
 * A `struct str` never owns; the bytes live in an arena, a file mapping or a literal. Those made by this project's own
 * functions are followed by a NUL byte that is not counted, so that `.p` may be handed to C functions where the text
 * is known to hold no NUL.
 */
#ifndef ASSAY_STR_H
#define ASSAY_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *p;
	size_t n; /* bytes */
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })

static inline struct str str_of(const char *cstring)
{
	return (struct str){ cstring ? cstring : "", cstring ? strlen(cstring) : 0 };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *cstring)
{
	size_t n = strlen(cstring);
	return a.n == n && (n == 0 || memcmp(a.p, cstring, n) == 0);
}

static inline bool str_starts(struct str a, struct str prefix)
{
	return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(struct str a, struct str suffix)
{
	return a.n >= suffix.n && (suffix.n == 0 || memcmp(a.p + a.n - suffix.n, suffix.p, suffix.n) == 0);
}

#endif
