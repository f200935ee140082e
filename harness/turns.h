/* turns.h - a prompt as messages, the form from which both plain text and chat are made (SCORING.md 2.1, 2.9). */
#ifndef ASSAY_TURNS_H
#define ASSAY_TURNS_H

#include "runners/runner.h"

struct turn {
	const char *role; /* "system", "user", "assistant" */
	struct str content;
	struct str delimiter; /* follows in plain text; chat drops it */
};
struct turns {
	struct turn *v;
	int n, cap;
};

void turns_push(struct turns *t, struct arena *a, const char *role, struct str content, struct str delimiter);
/* Question and answer as one pair of turns. answer.p NULL: none yet; prefix: how the answer begins ("": not given). */
void turns_question(struct turns *t, struct arena *a, struct str question, struct str answer, struct str prefix,
		    struct str target_delimiter, struct str shot_delimiter);
/* All of it as one text. */
struct str turns_text(const struct turns *t, struct arena *a);
/* As messages for a chat template: every turn, or (multiturn false) all that the user sees in one. */
void turns_chat(const struct turns *t, struct arena *a, bool multiturn, struct prompt *out);
/* prefix + suffix, with the delimiter between only where neither has white space there. */
struct str turns_delimit(struct arena *a, struct str prefix, struct str suffix, struct str delimiter);
bool turns_ends_blank(struct str s); /* its last character is white space */

#endif
