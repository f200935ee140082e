/* encode.h - from text to the token sequences that are computed: special tokens, split, truncation, windows.
 *
 * SPLIT_LMEVAL is lm-evaluation-harness 0.4.13 to the token (SCORING.md 2.2, 2.4, 2.6, 2.15), its failures included, which
 * become failed requests with a sentence. SPLIT_NATIVE tokenizes once and cuts by offsets (runner.h).
 */
#ifndef ASSAY_ENCODE_H
#define ASSAY_ENCODE_H

#include "kernels/base/arena.h"
#include "runners/runner.h"
#include "runners/tokenizer.h"

struct encoder {
	const struct tokenizer *tok; /* NULL: ids alone */
	int vocab;                   /* of the model: ids must be below */
	int max_length;              /* of the model */
	int32_t bos, eos, prefix;    /* -1: none */
	struct arena arena;          /* owns the texts below */
	struct str prefix_text, bos_text; /* p NULL: none */
	/* the last context's ids: a document's choices come in a row */
	struct buf last_text, last_ids;
	int last_flags;              /* -1: none */
};
int encoder_init(struct encoder *en, const struct tokenizer *tok, int vocab, int max_length, struct err *e);
void encoder_fini(struct encoder *en);
/* SCORING.md 2.2.7: the config's positions, else the tokenizer's model_max_length, else 2048. */
int encoder_max_length(int config_positions, const struct tokenizer *tok);

/* What is computed for a request: items of a trie, before they are one. */
struct work_item {
	const int32_t *ids; /* inputs, then the last target */
	int n, first;       /* inputs, first scored row */
	int context;        /* ROLLING: tokens of context as lm-eval counts them (not those predicted earlier) */
};
struct work {
	struct encoded encoded;   /* before truncation */
	int ncontinuation;
	struct work_item *item;   /* one; ROLLING: a window each, perhaps none */
	int nitems;
	int nused;                /* GENERATE: prompt tokens left */
	int max_length;           /* that held */
};
/* text: the context after the chat template (ignored where the prompt is ids). Fails with what goes into answer.why. */
int encode_request(struct encoder *en, const struct request *q, struct str text, struct arena *a, struct work *out, struct err *e);

#endif
