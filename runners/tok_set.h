/* tok_set.h - sets of code points, as the classes of a pattern describe them. */
#ifndef ASSAY_TOK_SET_H
#define ASSAY_TOK_SET_H

#include "kernels/base/err.h"
#include "runners/text/uniprop.h"

struct cpset {
	uint32_t (*r)[2]; /* rising, apart from each other once normal */
	size_t n, cap;
};
void cpset_free(struct cpset *s);
void cpset_add(struct cpset *s, uint32_t from, uint32_t to);
void cpset_normal(struct cpset *s);
void cpset_union(struct cpset *s, const struct cpset *b);
void cpset_intersect(struct cpset *s, const struct cpset *b);
void cpset_invert(struct cpset *s);
void cpset_fold(struct cpset *s);        /* every character equal to a member without case joins */
bool cpset_has_many(const struct cpset *s); /* a member that equals several characters without case */
void cpset_mask(struct cpset *s, uint64_t mask);

/* "the pattern has WHAT '...' at byte N, which is not supported" */
int class_refuse(struct str s, size_t at, const char *what, struct err *e);
/* \p{name} or \P{^name}, any spelling of Oniguruma. */
int class_property(struct cpset *out, struct str name, struct err *e);
/* The character types \s \w \d \h and their capitals; outside: as they are outside of brackets. false: none of them. */
bool class_type(struct cpset *out, char letter, bool outside);
/* A bracket class at s.p[*i] = '[', brackets inside and && too; *i moves past it. negated: its own ^, not applied to out. */
int class_bracket(struct cpset *out, bool *negated, struct str s, size_t *i, int depth, struct err *e);
/* An escape that stands for one character, at s.p[*i] = '\\'. */
int class_char(uint32_t *out, struct str s, size_t *i, struct err *e);
/* The name of \p{...} at s.p[*i] = '\\'. */
int class_name(struct str *name, bool *negated, struct str s, size_t *i, struct err *e);

#endif
