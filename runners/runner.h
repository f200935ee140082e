/* runner.h - the only door to a model: requests in, answers out.
 *
 * The CLI, the harness, the bench and the tests know nothing of a model but this header. A runner may reorder, batch and
 * share prefixes as it likes; answers do not depend on it, not one bit (tests/test_invariance.c).
 * Kinds: "engine" (our own inference core) and "replay" (answers read from a file). runner.c has the table.
 */
#ifndef ASSAY_RUNNER_H
#define ASSAY_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/arena.h"
#include "kernels/base/bench.h"
#include "kernels/base/cpu.h"
#include "kernels/base/digest.h"
#include "kernels/base/err.h"
#include "kernels/base/str.h"

enum ask {
	ASK_LOGLIK,   /* log p(continuation | context) */
	ASK_ROLLING,  /* log p(text), in windows */
	ASK_GENERATE, /* text after the context */
	ASK_IDS,      /* token ids as given: log p(ids[i+1] | ids[0..i]) for every i; for tests and tools */
};

struct message {
	struct str role, content;
};

/* What comes first: exactly one of text, messages (rendered by the model's chat template) or ids. */
struct prompt {
	struct str text;
	const struct message *messages;
	int nmessages;                       /* > 0: messages */
	bool add_generation_prompt;          /* messages: open the assistant's turn */
	bool continue_final_message;         /* messages: the last message is left open */
	const int32_t *ids;
	int nids;                            /* >= 0 with has_ids */
	bool has_ids;
};

enum bos { BOS_AUTO, BOS_ON, BOS_OFF };  /* AUTO: as the tokenizer does by default */
enum split_rule {
	SPLIT_NATIVE, /* the ids of context+continuation as one text, cut before the token that holds the continuation's first
			 byte; nothing is moved, nothing is tokenized twice; empty context: [prefix] */
	SPLIT_LMEVAL, /* SCORING.md 2.2: trailing whitespace moves to the continuation; ctx = enc(ctx), cont = enc(ctx+cont)[len(ctx):] */
};

/* How text becomes ids. prefix token: BOS, else EOS. */
struct encode {
	enum bos bos;
	enum split_rule split;
	int max_length;  /* 0: the model's own (SCORING.md 2.2.7) */
	const char *date; /* what templates see as now, "YYYY-MM-DD" or "YYYY-MM-DDTHH:MM:SS"; NULL: JINJA_DATE_DEFAULT */
};

/* How text is generated. */
struct decode {
	int max_tokens;
	const struct str *until; /* stop strings: the text ends before the first that occurs */
	int nuntil;
	double temperature;      /* 0: greedy */
	double top_p;            /* 1: off */
	int top_k;               /* 0: off */
	double repetition_penalty; /* 0, 1: off; divides logits above 0 of ids in the prompt and the text so far, multiplies others */
	double min_p;            /* 0: off; tokens less likely than this share of the best one's probability are dropped */
	uint64_t seed, sample;
};

/* What a suite or a model's generation_config.json says about drawing (fields as in struct decode). */
struct sampling {
	bool set;                /* generation_config.json: it was asked for */
	double temperature, top_p, min_p;
	int top_k;
	double repetition_penalty;
};
/* generation_config.json, as transformers would apply it. */
int runner_sampling(struct sampling *out, const char *model_dir, struct err *e);

struct request {
	enum ask ask;
	struct prompt context;
	struct str continuation;  /* ASK_LOGLIK; ASK_ROLLING scores context.text */
	struct encode encode;
	struct decode decode;     /* ASK_GENERATE */
	const int *logits_at;     /* ASK_IDS: positions whose full logits are wanted, ascending */
	int nlogits_at;
	struct {                  /* where it comes from: what the replay runner looks answers up by; others ignore it */
		struct str suite, doc_id; /* doc_id as text: 7 and "7" are the same */
		int index;                /* number of the request among its document's, from 0 */
	} origin;
};

enum stop { STOP_NONE, STOP_EOS, STOP_UNTIL, STOP_LENGTH };
const char *stop_name(enum stop s); /* "none" "eos" "until" "length" */

struct window {
	int context, predicted; /* tokens */
};

enum answer_status { ANSWER_OK, ANSWER_FAILED }; /* one bad request never stops a run: it is recorded and counted */

/* Valid during the callback only. */
struct answer {
	enum answer_status status;
	struct err why;             /* FAILED */
	/* LOGLIK, ROLLING: natural log, summed in double in token order */
	double logprob;
	int ntokens;
	bool greedy;                /* LOGLIK: every continuation token is the argmax */
	int ncontext, ncontinuation; /* LOGLIK, GENERATE: tokens before truncation */
	const struct window *windows; /* ROLLING */
	int nwindows;
	/* GENERATE */
	struct str text;            /* special tokens skipped, cut before the stop string */
	const int32_t *ids;         /* generated ids, the stop token included */
	int nids;
	int nused;                  /* prompt tokens left after truncation */
	enum stop stop;
	/* per token: IDS nids-1 log-probs and nids argmax; LOGLIK ntokens of each */
	const double *logprobs;
	const int32_t *argmax;
	int nlogprobs, nargmax;
	const float *logits;        /* IDS: nlogits_at rows of `vocab` floats */
	int vocab;
};
typedef void answer_fn(void *ctx, size_t i, const struct answer *a); /* called once for every i, in any order, on the caller's thread */

/* Progress of a run, called now and then on the caller's thread; return non-zero to stop (runner_run then gives E_STOPPED). */
struct progress {
	size_t done, total;          /* requests */
	double tokens_done, tokens_total; /* unique tokens computed, planned (generation counts its maximum) */
};
typedef int progress_fn(void *ctx, const struct progress *p);

struct runner_opts {
	const char *kind;         /* "engine" or "replay" */
	const char *model;        /* engine: directory in Hugging Face layout. replay: the file */
	const char *device;       /* "cpu", "auto" */
	const char *numerics;     /* NULL: "chain32/1"; "fast", or a whole id fast/..., which must be this machine's */
	int threads;              /* 0: all */
	enum cpu_level max_level; /* highest instruction set used */
	size_t memory;            /* bytes the engine may hold, weights apart; 0: a sensible share */
	int batch_rows;           /* tokens in one forward pass; 0: default. Changes no bit */
	bool no_share;            /* compute every request by itself (tests): changes no bit */
	bool strict;              /* tensors that nobody knows are an error */
	bool no_tokenizer;        /* `assay score` with ids alone: do not need one */
};

struct runner_info {
	char family[32];          /* "llama" */
	char numerics[96];        /* "chain32/1", "fast/sm_90/13.1.0/0123abcd" */
	char digest[DIGEST_HEX];  /* of the weights and config */
	char tokenizer_digest[DIGEST_HEX];
	char device[128];
	int vocab, max_length;    /* max_length: SCORING.md 2.2.7 */
	double params_total, params_active;
	int32_t bos, eos, prefix; /* -1: none */
	bool has_tokenizer, has_chat_template;
	int weights_skipped, weights_unknown; /* tensors that are known and not used; that nobody knows */
	size_t weights_bytes, packed_bytes;
};

struct runner;
int runner_open(struct runner **out, const struct runner_opts *o, struct err *e);
void runner_close(struct runner *r);
const struct runner_info *runner_info(const struct runner *r);

struct encoded {
	const int32_t *ids;  /* context ids then continuation ids, before truncation */
	int nids, ncontext;
	const int32_t *offsets; /* NULL, or [nids][2]: code points in `text` (SPLIT_NATIVE) */
	struct str text;     /* the whole prompt as text, after the chat template */
};
/* ids and boundary of a request, in arena a; for explain and the sample log. */
int runner_encode(struct runner *r, const struct request *q, struct arena *a, struct encoded *out, struct err *e);
/* The prompt as text: the chat template applied to messages, or the text itself. */
int runner_render(struct runner *r, const struct request *q, struct arena *a, struct str *out, struct err *e);
/* The key of the journal: SHA-256 over model digest, tokenizer digest, numerics id, kind, context ids, continuation ids
 * (after truncation: what is computed), window length for ROLLING, decode parameters. Counts beside it, since they are
 * of the request as it was asked and not of the key. */
struct keyed {
	unsigned char key[DIGEST_BYTES];
	int ncontext, ncontinuation; /* tokens before truncation */
	int nused;                   /* GENERATE: prompt tokens after truncation */
};
int runner_key(struct runner *r, const struct request *q, struct keyed *out, struct err *e);
int runner_run(struct runner *r, const struct request *q, size_t n, answer_fn *done, progress_fn *progress, void *ctx, struct err *e);
/* Decodes ids to text as generation does; for explain. */
int runner_decode(struct runner *r, const int32_t *ids, int n, bool skip_special, struct arena *a, struct str *out, struct err *e);

/* The plan of memory for a model, without reading its weights: rows for `assay doctor MODEL`. */
struct plan_row {
	char what[48], size[24]; /* size: bytes, for people */
	double bytes;
	bool bad; /* does not fit */
};
int runner_plan(const struct runner_opts *o, struct plan_row *rows, int max, struct err *e); /* rows filled, or -1 */

/* Whole forward passes against the clock (bench.c): rows of tokens/s beside what the device's limits allow. */
struct bench_opts {
	bool decode;               /* false: prefill */
	const char *model, *shape; /* one of them: a directory; random weights in a shape of runner_shapes() */
	const char *dtype;         /* of random weights: "f32", "f16", "bf16" (NULL) */
	const char *device, *numerics;
	int threads;
	enum cpu_level max_level;
	int tokens;                /* prefill: of the prompt */
	int context;               /* decode: tokens before */
	const int *batch;          /* decode: sequences at once, a row for each */
	int nbatch;
};
int runner_bench(const struct bench_opts *o, bench_fn *row, void *ctx, struct err *e);

/* A tokenizer by itself, for `assay tokens`: a model directory or a tokenizer file. */
struct tokens;
int tokens_open(struct tokens **out, const char *path, struct err *e);
void tokens_close(struct tokens *t);
int tokens_encode(struct tokens *t, struct str text, bool special, struct arena *a, int32_t **ids, int32_t **offsets, int *n, struct err *e);
int tokens_decode(struct tokens *t, const int32_t *ids, int n, bool skip_special, struct arena *a, struct str *out, struct err *e);

/* The chat template of a model directory (chat_template.jinja, else tokenizer_config.json), and the special tokens that
 * templates see (bos_token, eos_token, ...), as name, value pairs. text.p NULL: the model has none. */
struct named_str {
	struct str name, value;
};
int chat_template_load(const char *dir, struct arena *a, struct str *text, struct named_str **special, int *nspecial, struct err *e);

/* Renders a compiled chat template over vars ("messages", ...) as transformers does, an open last message included. */
struct jinja;
struct value;
int chat_render(const struct jinja *j, struct arena *a, struct value vars, bool continue_final, const char *date, struct str *out, struct err *e);

/* Tables for `assay list`. Each returns rows; ends with a row whose name is NULL. */
struct list_row {
	const char *name, *text;
	const char *const *architectures; /* NULL-ended; of families */
	bool absent; /* a device: there is none here, and text says why */
};
const struct list_row *runner_families(void);
const struct list_row *runner_numerics(void);
const struct list_row *runner_devices(void);
const struct list_row *runner_tokenizers(void);
const struct list_row *runner_shapes(void);

#endif
