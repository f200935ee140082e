/* generate.h - one generated text: which token comes next, when it ends, what the text is.
 *
 * Two stop rules:
 *   SPLIT_NATIVE  the text ends before the first place where any stop string occurs, wherever tokens begin or end
 *   SPLIT_LMEVAL  as lm-evaluation-harness (SCORING.md 2.6, 2.15.9): a stop string ends the generation only where the text
 *                 of the last len(enc(stop)) + 2 tokens holds it; the decoded EOS is one more stop string; afterwards the
 *                 text is cut at each stop string in the list's order
 */
#ifndef ASSAY_GENERATE_H
#define ASSAY_GENERATE_H

#include "runners/model.h"
#include "runners/runner.h"
#include "runners/tokenizer.h"

/* Stop strings made ready; shared by all requests with the same list. */
struct stops {
	const struct tokenizer *tok; /* NULL: ids alone, no stop strings */
	enum split_rule rule;
	const int32_t *eos;          /* ids that end a text */
	int neos;
	int32_t tok_eos;             /* the tokenizer's own, -1: none */
	struct str *stop;
	int *look;                   /* tokens at the end in which stop[i] is looked for */
	int n;
};
/* In arena a (with copies of the strings). until without a tokenizer is an error. */
int stops_make(struct stops *out, const struct tokenizer *tok, const int32_t *eos, int neos, enum split_rule rule,
	       const struct str *until, int nuntil, struct arena *a, struct err *e);

struct gen {
	const struct stops *stops;
	const struct decode *decode;
	const int32_t *prompt; /* the caller's */
	int32_t *ids; /* generated */
	int n, nprompt;
	enum stop stop;
	struct draw draw; /* of the first token */
	struct err why; /* code != E_NONE: it failed */
};
int decode_check(const struct decode *d, struct err *e); /* settings in their ranges? */
void gen_init(struct gen *g, const struct decode *d, const int32_t *prompt, int nprompt); /* the caller sets g->stops */
void gen_fini(struct gen *g);
/* How the next token is drawn, at a temperature above 0: by the seed, the prompt, the sample and the position alone. */
void gen_draw(const struct gen *g, struct draw *out);
float gen_penalty(const struct decode *d); /* 0: none */
void gen_seen(const struct gen *g, uint32_t *bits); /* sets those of the ids that a penalty is for */
/* Takes the next token, -1: there is none. False: the text has ended (g->stop, or g->why). scratch is reset by the caller. */
bool gen_next(struct gen *g, int32_t id, struct arena *scratch);
int gen_text(const struct gen *g, struct arena *a, struct str *out, struct err *e);

#endif
