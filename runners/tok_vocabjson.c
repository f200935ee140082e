/* tok_vocabjson.c - vocab.json and merges.txt, the two files of GPT-2 and those after it.
 *
 * vocab.json is one object, token -> id; merges.txt a pair a line, "left right", the first line may be "#version". What
 * the text goes through before and after is not in them: the tokenizer class says it.
 *
 * Refuses: classes that are not made from these files, merges of tokens that are not in the vocabulary (with the line).
 */
#include <stdlib.h>

#include "runners/text/json.h"
#include "runners/text/utf8.h"
#include "runners/tok_files.h"

/* The largest id is known before memory is taken for all of them. */
static int check_ids(struct js j, struct err *e)
{
	struct str key;
	bool first = true;
	int more;
	size_t count = 0;
	uint32_t id, max = 0;
	if (js_open(&j, '{', e) < 0)
		return -1;
	while ((more = js_member(&j, &first, &key, e)) > 0) {
		if (js_uint(&j, TOK_MAX_ID, &id, e) < 0)
			return -1;
		max = id > max ? id : max;
		count++;
	}
	if (more == 0 && !ids_fit(max, count))
		return js_fail(&j, e, "id %u is far beyond the %zu tokens", max, count);
	return more;
}

static int read_vocab(struct make *m, struct js *j, struct err *e)
{
	struct str key;
	bool first = true;
	int more;
	uint32_t id;
	if (check_ids(*j, e) < 0 || js_open(j, '{', e) < 0)
		return -1;
	while ((more = js_member(j, &first, &key, e)) > 0) {
		if (js_uint(j, TOK_MAX_ID, &id, e) < 0)
			return -1;
		if (make_room(m, id)->p)
			return js_fail(j, e, "the tokens '%.*s' and '%.*s' both have id %u", str_shown(m->tok[id]),
				       m->tok[id].p, str_shown(key), key.p, id);
		if (key.n > TOK_MAX_TOKEN)
			return js_fail(j, e, "a token of %zu bytes, the limit is %d", key.n, TOK_MAX_TOKEN);
		m->tok[id] = key;
	}
	if (more < 0)
		return -1;
	return js_peek(j) || j->p < j->end ? js_fail(j, e, "something stands behind the object") : 0;
}

static int known(const struct make *m, struct str s, long line, const char *verb, const char *path, struct err *e)
{
	if (make_id(m, s) >= 0)
		return 0;
	return err_set(e, E_FORMAT, "%s:%ld: the merge %s '%.*s', which is not in the vocabulary", path, line, verb,
		       str_shown(s), s.p);
}

static int read_merges(struct make *m, struct str file, const char *path, struct err *e)
{
	struct buf both = { 0 };
	int rc = 0;
	long line = 0;
	for (size_t i = 0; i < file.n && rc == 0;) {
		struct str s = make_line(file, &i);
		line++;
		if (str_starts(s, STR("#version")))
			continue;
		const char *blank = memchr(s.p, ' ', s.n);
		if (!blank || memchr(blank + 1, ' ', s.n - (size_t)(blank + 1 - s.p))) {
			rc = err_set(e, E_FORMAT, "%s:%ld: '%.*s' must be two tokens with one blank between", path,
				     line, str_shown(s), s.p);
			break;
		}
		struct str l = { s.p, (size_t)(blank - s.p) }, r = { blank + 1, s.n - l.n - 1 };
		both.n = 0;
		buf_str(&both, l);
		buf_str(&both, r);
		if (known(m, l, line, "names", path, e) < 0 || known(m, r, line, "names", path, e) < 0 ||
		    known(m, (struct str){ both.p, both.n }, line, "makes", path, e) < 0)
			rc = -1;
		else
			make_merge(m, l, r);
	}
	buf_fini(&both);
	return rc;
}

int vocab_make(struct make *m, struct str vocab, struct str merges, const char *merges_path, struct err *e)
{
	struct js j = { vocab.p, vocab.p, vocab.p + vocab.n, m->t->name, &m->a };
	if (!(m->cls->reads & READS_VOCAB))
		return err_set(e, E_UNSUPPORTED,
			       "%s: vocab.json and merges.txt say nothing about how text is cut, and the class %s is "
			       "not made from them; "
			       "tokenizer_class in tokenizer_config.json must name one that is (GPT2Tokenizer, "
			       "Qwen2Tokenizer ...)",
			       m->conf->dir.p, m->cls->name);
	if (!utf8_valid(vocab) || !utf8_valid(merges))
		return err_set(e, E_FORMAT, "%s: not UTF-8", utf8_valid(vocab) ? merges_path : m->t->name);
	if (read_vocab(m, &j, e) < 0 || make_index(m, e) < 0 || read_merges(m, merges, merges_path, e) < 0)
		return -1;
	if (str_is(str_of(m->cls->name), "CodeGenTokenizer"))
		buf_puts(
			&m->post,
			"{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":false,\"use_regex\":true}");
	return 0;
}
