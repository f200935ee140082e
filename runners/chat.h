/* chat.h - a model's chat template, compiled, with the special tokens it may name. */
#ifndef ASSAY_CHAT_H
#define ASSAY_CHAT_H

#include "kernels/base/arena.h"
#include "kernels/base/err.h"
#include "runners/runner.h"
#include "runners/text/jinja.h"

struct chat {
	struct arena arena;
	struct jinja *jinja; /* NULL: the model has none, or a broken one */
	struct err broken;   /* why it is broken: a model is of use without its template, so this is said when it is asked for */
	struct named_str *special;
	int nspecial;
};
int chat_open(struct chat *c, const char *dir, struct err *e);
void chat_close(struct chat *c);
/* A prompt's messages as one text. drop_system: without messages of that role. */
int chat_prompt(const struct chat *c, const struct prompt *p, const char *date, bool drop_system, struct arena *a, struct str *out, struct err *e);

#endif
