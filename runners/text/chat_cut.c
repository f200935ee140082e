/* chat_cut.c - see chat_cut.h. */
#include "runners/text/chat_cut.h"

#include "runners/text/utf8.h"

int chat_cut(struct str content, struct str *text, struct err *e)
{
	struct str bare = str_strip(content), left = str_lstrip(content);
	size_t at = text->n + 1;
	for (size_t i = text->n >= bare.n ? text->n - bare.n + 1 : 0; i-- > 0;)
		if (memcmp(text->p + i, bare.p, bare.n) == 0) {
			at = i;
			break;
		}
	if (at > text->n)
		return err_set(e, E_FORMAT, "continue_final_message: the final message does not appear in the rendered chat");
	/* transformers compares the slice with the whole message, leading blanks included */
	bool kept = left.n == content.n && text->n - at >= left.n && memcmp(text->p + at, left.p, left.n) == 0;
	text->n = at + (kept ? left.n : bare.n);
	return 0;
}

int chat_continue(struct value messages, struct arena *a, struct str *text, struct err *e)
{
	if (messages.type != V_LIST || !messages.list->n || messages.list->v[messages.list->n - 1].type != V_DICT)
		return err_set(e, E_FORMAT, "continue_final_message: the last message is no object");
	const struct value *content = v_getc(messages.list->v[messages.list->n - 1], "content");
	if (content && (content->type == V_LIST || content->type == V_TUPLE)) {
		/* content blocks: the last one that has a text */
		const struct value *blocks = content;
		content = NULL;
		for (size_t i = blocks->list->n; i-- > 0 && !content;)
			if (blocks->list->v[i].type == V_DICT)
				content = v_getc(blocks->list->v[i], "text");
	}
	if (!content || content->type != V_STR)
		return err_set(e, E_FORMAT, "continue_final_message: the last message has no text");
	if (chat_cut(content->s, text, e))
		return -1;
	*text = arena_str(a, text->p, text->n);
	return 0;
}
