/* task.h - documents become requests: fields, shots, delimiters, chat turns (SCORING.md 2.1, 2.5, 2.9).
 *
 * task_open loads the rows and fixes which documents are evaluated; task_next gives them in order. Shots of the lm-eval
 * profiles consume one generator per suite in document order, so documents must be taken in order.
 */
#ifndef ASSAY_TASK_H
#define ASSAY_TASK_H

#include "harness/dataset.h"
#include "harness/settings.h"
#include "harness/suite.h"
#include "runners/runner.h"

struct item {
	size_t doc;            /* position in the evaluated split, after row operations */
	struct value row;      /* the document */
	struct value doc_id;   /* the data's own id column ("id", "idx", "ind", "question_id", "task_id", "key"), else V_NONE */
	unsigned char doc_hash[DIGEST_BYTES]; /* SHA-256 of json.dumps(doc, indent=2, ensure_ascii=False) */
	struct value target;   /* what the target field gave: int, string or list */
	struct value gold;     /* KIND_CHOICE: what is right among the choices: the target, or the prompt's integer for multiple_input */
	bool multiple_input;   /* KIND_CHOICE: the choices are the contexts, the target is the one continuation (WinoGrande) */
	struct str counted;    /* KIND_ROLLING: the text whose words and bytes are counted; p NULL: the text that is scored */
	struct str *choice;    /* KIND_CHOICE: texts without delimiter */
	int nchoices;
	struct str delimiter;  /* that was put before each choice */
	struct request *req;   /* in lm-eval's order */
	int nreq;
	struct str *context;   /* context[i]: the prompt text of req[i] before any chat template (messages: joined for the log) */
};

struct task;
int task_open(struct task **out, const struct suite *s, const struct settings *set, const struct data_sources *d, struct err *e);
void task_close(struct task *t);
size_t task_size(const struct task *t);           /* documents that will be given */
const char *task_split(const struct task *t);     /* the split evaluated */
int task_shots(const struct task *t);             /* shots used */
/* files that were read: names, digests; for the manifest */
struct task_file {
	const char *split, *path;
	unsigned char digest[DIGEST_BYTES];
	size_t rows;
	bool local;
	const char *wanted; /* the split that the suite names, where this one stands in for it; else NULL */
};
int task_files(const struct task *t, const struct task_file **files);
/* What of the files a result must own up to, for settings_json: {"test":"=validation"} a stand-in, {"test":"<SHA-256>"} a
 * local file. NULL when all is as published. */
const char *task_files_json(const struct task *t);
/* 1: *out filled, in arena a. 0: no more. -1: error naming suite, file and document. */
int task_next(struct task *t, struct arena *a, struct item *out, struct err *e);

#endif
