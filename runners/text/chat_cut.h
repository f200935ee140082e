/* chat_cut.h - continue_final_message: where a rendered chat is cut so that the last message stays open.
 *
 * As transformers' apply_chat_template does: the last occurrence of the final message (stripped) is found, and the text
 * ends behind it, with the message's own trailing blanks where the template kept them.
 */
#ifndef ASSAY_CHAT_CUT_H
#define ASSAY_CHAT_CUT_H

#include "runners/text/value.h"

/* text is shortened in place (a view). messages: the list that was rendered. */
int chat_continue(struct value messages, struct arena *a, struct str *text, struct err *e);
/* The same for the final message's content alone. */
int chat_cut(struct str content, struct str *text, struct err *e);

#endif
