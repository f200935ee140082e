/* turns.c - where delimiters go, to the byte as lm-evaluation-harness 0.4.13 puts them (build_qa_turn, maybe_delimit,
 * multiturn_to_singleturn). A delimiter belongs to the turn before it, so that chat can leave all of them out. */
#include "harness/turns.h"

#include "runners/text/utf8.h"

void turns_push(struct turns *t, struct arena *a, const char *role, struct str content, struct str delimiter)
{
	if (t->n == t->cap) {
		int cap = t->cap ? 2 * t->cap : 8;
		struct turn *v = ARENA_ARRAY(a, (size_t)cap, struct turn);
		if (t->n)
			memcpy(v, t->v, (size_t)t->n * sizeof *v);
		t->v = v;
		t->cap = cap;
	}
	t->v[t->n++] = (struct turn){ role, content, delimiter };
}

bool turns_ends_blank(struct str s)
{
	if (s.n == 0)
		return false;
	size_t i = s.n - 1;
	while (i > 0 && ((unsigned char)s.p[i] & 0xc0) == 0x80)
		i--;
	return uni_is_space(utf8_next(s, &i));
}

static bool begins_blank(struct str s)
{
	size_t i = 0;
	return s.n > 0 && uni_is_space(utf8_next(s, &i));
}

static struct str join(struct arena *a, struct str x, struct str y, struct str z)
{
	char *p = arena_alloc(a, x.n + y.n + z.n + 1);
	memcpy(p, x.p, x.n);
	memcpy(p + x.n, y.p, y.n);
	memcpy(p + x.n + y.n, z.p, z.n);
	return (struct str){ p, x.n + y.n + z.n };
}

struct str turns_delimit(struct arena *a, struct str prefix, struct str suffix, struct str delimiter)
{
	if (prefix.n == 0)
		return suffix.n ? suffix : STR("");
	if (suffix.n == 0)
		return prefix;
	return join(a, prefix, turns_ends_blank(prefix) || begins_blank(suffix) ? STR("") : delimiter, suffix);
}

void turns_question(struct turns *t, struct arena *a, struct str question, struct str answer, struct str prefix,
		    struct str target_delimiter, struct str shot_delimiter)
{
	bool answered = answer.p != NULL;
	bool blank = question.n == 0 || turns_ends_blank(question) || begins_blank(prefix);
	bool delimited = prefix.n ? !blank : answered;
	turns_push(t, a, "user", question, delimited ? target_delimiter : STR(""));
	if (answered)
		turns_push(t, a, "assistant", turns_delimit(a, prefix, answer, STR(" ")), shot_delimiter);
	else if (prefix.n)
		turns_push(t, a, "assistant", prefix, STR(""));
}

static struct str text_of(const struct turn *v, int n, bool last_delimited, struct arena *a)
{
	size_t size = 0, k = 0;
	for (int i = 0; i < n; i++)
		size += v[i].content.n + v[i].delimiter.n;
	char *p = arena_alloc(a, size + 1);
	for (int i = 0; i < n; i++) {
		memcpy(p + k, v[i].content.p, v[i].content.n);
		k += v[i].content.n;
		if (i + 1 < n || last_delimited) {
			memcpy(p + k, v[i].delimiter.p, v[i].delimiter.n);
			k += v[i].delimiter.n;
		}
	}
	p[k] = 0;
	return (struct str){ p, k };
}

struct str turns_text(const struct turns *t, struct arena *a)
{
	return text_of(t->v, t->n, true, a);
}

void turns_chat(const struct turns *t, struct arena *a, bool multiturn, struct prompt *out)
{
	struct message *m = ARENA_ARRAY(a, (size_t)t->n, struct message);
	bool open = t->n && !strcmp(t->v[t->n - 1].role, "assistant");
	int n = 0, first = t->n && !strcmp(t->v[0].role, "system");
	if (first)
		m[n++] = (struct message){ str_of(t->v[0].role), t->v[0].content };
	if (multiturn)
		for (int i = first; i < t->n; i++)
			m[n++] = (struct message){ str_of(t->v[i].role), t->v[i].content };
	else {
		m[n++] = (struct message){ STR("user"), text_of(t->v + first, t->n - first - open, false, a) };
		if (open)
			m[n++] = (struct message){ STR("assistant"), t->v[t->n - 1].content };
	}
	*out = (struct prompt){ .messages = m, .nmessages = n, .add_generation_prompt = !open, .continue_final_message = open };
}
