/* tok_make.c - writes the text of a tokenizer.json from a vocabulary, a class and the configuration; picks the file to
 * make it from.
 *
 * Added tokens are listed in the order in which transformers 5 adds them: the file's own, added_tokens_decoder by id,
 * the named special tokens, the extra ones; a later one of the same text overwrites the flags of an earlier one. Those
 * that are in the vocabulary keep their ids, others get the next free one. The post-processor puts bos and eos around a
 * text as add_bos_token and add_eos_token say, both off by default, which is transformers 5's default too.
 *
 * Refuses: an added_tokens_decoder whose ids are not those that come out; folders without any vocabulary; what the
 * readers of the formats refuse.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runners/text/json.h"
#include "runners/tok_files.h"

/* ---- the vocabulary ---- */

struct str make_line(struct str file, size_t *i)
{
	const char *nl = memchr(file.p + *i, '\n', file.n - *i);
	struct str s = { file.p + *i, nl ? (size_t)(nl - file.p) - *i : file.n - *i };
	*i += s.n + 1;
	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

struct str *make_room(struct make *m, uint32_t id)
{
	if (id >= m->cap) {
		uint32_t size = m->cap ? m->cap : 4096;
		while (size <= id)
			size *= 2;
		struct str *tok = ARENA_ARRAY(&m->a, size, struct str);
		if (m->cap)
			memcpy(tok, m->tok, m->cap * sizeof *tok);
		m->tok = tok;
		m->cap = size;
	}
	m->ntok = id >= m->ntok ? id + 1 : m->ntok;
	return &m->tok[id];
}

int32_t make_id(const struct make *m, struct str token)
{
	uint32_t at;
	return strmap_find(&m->map, m->tok, token, str_hash(token.p, token.n), &at);
}

int make_index(struct make *m, struct err *e)
{
	strmap_init(&m->map, &m->a, m->ntok);
	m->count = 0;
	for (uint32_t i = 0; i < m->ntok; i++) {
		int32_t other;
		if (!m->tok[i].p)
			continue;
		m->count++;
		if (strmap_put(&m->map, m->tok, (int32_t)i, &other) < 0)
			return err_set(e, E_FORMAT, "%s: the token '%.*s' has two ids, %d and %u", m->t->name,
				       str_shown(m->tok[i]), m->tok[i].p, other, i);
	}
	return m->count ? 0 : err_set(e, E_FORMAT, "%s: no tokens", m->t->name);
}

void make_merge(struct make *m, struct str left, struct str right)
{
	buf_puts(&m->merges, m->merges.n ? ",[" : "[");
	json_write_str(&m->merges, left, 0);
	buf_putc(&m->merges, ',');
	json_write_str(&m->merges, right, 0);
	buf_putc(&m->merges, ']');
}

void make_fini(struct make *m)
{
	struct buf *all[] = { &m->normalizer, &m->pre, &m->decoder, &m->post, &m->merges, &m->model };
	for (int k = 0; k < 6; k++)
		buf_fini(all[k]);
	arena_fini(&m->a);
}

/* ---- added tokens ---- */

struct listed {
	struct addtok tok;
	int32_t id;
};
struct tokens_list {
	struct listed *v;
	size_t n;
	struct strmap map; /* by content */
	struct str *text;
	struct addtok special[SP_KEYS + TOK_MAX_NAMED];
	size_t nnamed;
	int32_t next;
};

static struct listed *list_find(const struct tokens_list *l, struct str s)
{
	uint32_t at;
	int32_t i = strmap_find(&l->map, l->text, s, str_hash(s.p, s.n), &at);
	return i < 0 ? NULL : &l->v[i];
}

static void list_add(const struct make *m, struct tokens_list *l, struct addtok tok)
{
	struct listed *old = list_find(l, tok.content);
	for (size_t i = 0; i < l->nnamed; i++)
		tok.special |= str_eq(l->special[i].content, tok.content);
	if (!tok.content.n || old) {
		if (old)
			old->tok = tok;
		return;
	}
	int32_t id = make_id(m, tok.content), other;
	l->v[l->n] = (struct listed){ tok, id >= 0 ? id : l->next++ };
	l->text[l->n] = tok.content;
	strmap_put(&l->map, l->text, (int32_t)l->n, &other);
	l->n++;
}

/* Named special tokens: of the configuration, else of the file, else of the class; then others whose key ends in
 * _token. */
static int name_tokens(const struct make *m, struct tokens_list *l, struct err *e)
{
	const struct tokconf *c = m->conf;
	for (int k = 0; k < SP_KEYS; k++) {
		bool given;
		struct addtok tok;
		int rc = tokconf_token(c, tok_special_keys[k], &tok, &given, e);
		struct str fallback = m->special[k].p ? m->special[k] : str_of(m->cls->special[k]);
		if (rc < 0)
			return -1;
		if (!rc && (given || !fallback.n))
			continue;
		l->special[l->nnamed++] = rc ? tok : (struct addtok){ .content = fallback, .special = true };
	}
	for (size_t i = 0; i < c->specific.dict->n; i++) {
		if (l->nnamed == SP_KEYS + TOK_MAX_NAMED)
			return err_set(e, E_LIMIT, "%s: more than %d named tokens", m->t->name, TOK_MAX_NAMED);
		if (tokconf_extra(c, c->specific.dict->v[i].val, &l->special[l->nnamed++], e) < 0)
			return -1;
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	int32_t x = ((const struct listed *)a)->id, y = ((const struct listed *)b)->id;
	return (x > y) - (x < y);
}

static int list_build(const struct make *m, struct arena *a, struct tokens_list *l, struct err *e)
{
	const struct tokconf *c = m->conf;
	const struct value *x = v_getc(c->config, "extra_special_tokens");
	const struct value *old = v_getc(c->config, "additional_special_tokens");
	if (name_tokens(m, l, e) < 0)
		return -1;
	bool own = x && x->type != V_DICT; /* null too: nothing is added then */
	if (!own && !m->nextra)
		x = old;
	size_t nx = x && x->type == V_LIST ? x->list->n : 0;
	size_t cap = m->nfirst + c->nadded + l->nnamed + nx + m->nextra;
	l->v = ARENA_ARRAY(a, cap + 1, struct listed);
	l->text = ARENA_ARRAY(a, cap + 1, struct str);
	strmap_init(&l->map, a, cap + 1);
	l->next = (int32_t)m->count;
	for (size_t i = 0; i < m->nfirst; i++)
		list_add(m, l, m->first[i]);
	for (size_t i = 0; i < c->nadded; i++) {
		struct addtok tok = c->added[i];
		tok.normalized &= !m->raw;
		list_add(m, l, tok);
		const struct listed *it = list_find(l, tok.content);
		if (it && it->id != c->added_id[i])
			return err_set(e, E_FORMAT,
				       "%s: added token '%.*s' says id %d, but its place in the vocabulary is %d",
				       c->dir.p, str_shown(tok.content), tok.content.p,
				       c->added_id[i], it->id);
	}
	size_t fixed = l->n;
	for (size_t i = 0; i < l->nnamed; i++) {
		const struct listed *it = list_find(l, l->special[i].content);
		if (!it || (size_t)(it - l->v) >= fixed)
			list_add(m, l, l->special[i]);
	}
	for (size_t i = 0; i < (own || !m->nextra ? nx : m->nextra); i++) {
		struct addtok tok;
		if (!own && m->nextra)
			tok = m->extra[i];
		else if (tokconf_extra(c, x->list->v[i], &tok, e) < 0)
			return -1;
		const struct listed *it = list_find(l, tok.content);
		if (!it || (size_t)(it - l->v) >= fixed)
			list_add(m, l, tok);
	}
	return 0;
}

static void write_added(struct tokens_list *l, struct buf *out)
{
	static const char *const word[] = { "false", "true" };
	qsort(l->v, l->n, sizeof *l->v, by_id);
	for (size_t i = 0; i < l->n; i++) {
		const struct addtok *t = &l->v[i].tok;
		buf_printf(out, "%s{\"id\":%d,\"content\":", i ? "," : "", l->v[i].id);
		json_write_str(out, t->content, 0);
		buf_printf(out, ",\"single_word\":%s,\"lstrip\":%s,\"rstrip\":%s,\"normalized\":%s,\"special\":%s}",
			   word[t->single_word], word[t->lstrip], word[t->rstrip], word[t->normalized],
			   word[t->special]);
	}
}

/* ---- components ---- */

struct fill { /* what the marks in a class's JSON stand for */
	const char *scheme, *prefix;
	struct str eos;
	int32_t eos_id;
};

static void write_marked(struct buf *out, const char *json, const struct fill *f)
{
	for (; json && *json; json++) {
		struct buf s = { 0 };
		if (*json == 1) {
			buf_puts(out, f->scheme);
		} else if (*json == 2) {
			buf_puts(out, f->prefix);
		} else if (*json == 3) { /* inside quotes */
			json_write_str(&s, f->eos, 0);
			buf_add(out, s.p + 1, s.n - 2);
			buf_fini(&s);
		} else if (*json == 4) {
			buf_printf(out, "%d", f->eos_id);
		} else {
			buf_putc(out, *json);
		}
	}
}

/* bos and eos around the text. */
static void write_around(struct buf *out, struct str bos, int32_t bos_id, struct str eos, int32_t eos_id)
{
	const struct str s[2] = { bos, eos };
	const int32_t id[2] = { bos_id, eos_id };
	buf_puts(out, "{\"type\":\"TemplateProcessing\",\"single\":[");
	for (int k = 0; k < 2; k++) {
		if (k)
			buf_puts(out, "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}");
		if (id[k] < 0)
			continue;
		buf_puts(out, k ? ",{\"SpecialToken\":{\"id\":" : "{\"SpecialToken\":{\"id\":");
		json_write_str(out, s[k], 0);
		buf_puts(out, k ? ",\"type_id\":0}}" : ",\"type_id\":0}},");
	}
	buf_puts(out, "],\"pair\":[],\"special_tokens\":{");
	for (int k = 0; k < 2; k++) {
		if (id[k] < 0 || (k && id[0] >= 0 && str_eq(s[0], s[1])))
			continue;
		buf_puts(out, k && id[0] >= 0 ? "," : "");
		json_write_str(out, s[k], 0);
		buf_puts(out, ":{\"id\":");
		json_write_str(out, s[k], 0);
		buf_printf(out, ",\"ids\":[%d],\"tokens\":[", id[k]);
		json_write_str(out, s[k], 0);
		buf_puts(out, "]}");
	}
	buf_puts(out, "}}");
}

static int32_t named_id(const struct make *m, const struct tokens_list *l, int key, struct str *text)
{
	struct addtok tok;
	bool given;
	struct str fallback = m->special[key].p ? m->special[key] : str_of(m->cls->special[key]);
	int rc = tokconf_token(m->conf, tok_special_keys[key], &tok, &given, NULL);
	*text = rc > 0 ? tok.content : given ? STR("") : fallback;
	const struct listed *it = text->n ? list_find(l, *text) : NULL;
	return it ? it->id : -1;
}

static int write_post(const struct make *m, const struct tokens_list *l, const struct fill *f, struct buf *out,
		      struct err *e)
{
	bool bos, eos, given = v_getc(m->conf->config, "add_bos_token") || v_getc(m->conf->config, "add_eos_token");
	struct str b, s;
	int32_t bid = named_id(m, l, SP_BOS, &b), sid = named_id(m, l, SP_EOS, &s);
	if (m->cls->post) {
		if (f->eos_id < 0)
			return err_set(e, E_FORMAT, "%s: a %s needs an eos token", m->t->name, m->cls->name);
		write_marked(out, m->cls->post, f);
		return 0;
	}
	if (m->post.n && !given) {
		buf_add(out, m->post.p, m->post.n);
		return 0;
	}
	if (tokconf_bool(m->conf, "add_bos_token", false, false, &bos, e) < 0 ||
	    tokconf_bool(m->conf, "add_eos_token", false, false, &eos, e) < 0)
		return -1;
	write_around(out, b, bos ? bid : -1, s, eos ? sid : -1);
	return 0;
}

static void write_model(const struct make *m, struct buf *out)
{
	struct str unk;
	bool given, first = true;
	struct addtok tok;
	buf_printf(out, "{\"type\":\"%s\"", m->score ? "Unigram" : "BPE");
	if (m->model.n) {
		buf_putc(out, ',');
		buf_add(out, m->model.p, m->model.n);
	} else if (!m->score) {
		buf_puts(out, ",\"unk_token\":");
		unk = tokconf_token(m->conf, "unk_token", &tok, &given, NULL) > 0 ? tok.content
										  : str_of(m->cls->special[SP_UNK]);
		if (m->cls->unk)
			json_write_str(out, unk, 0);
		else
			buf_puts(out, "null");
		buf_printf(out, ",%s", m->cls->model);
	}
	buf_puts(out, m->score ? ",\"vocab\":[" : ",\"vocab\":{");
	for (uint32_t i = 0; i < m->ntok; i++) {
		if (!m->tok[i].p)
			continue;
		if (!first)
			buf_putc(out, ',');
		first = false;
		if (m->score)
			buf_putc(out, '[');
		json_write_str(out, m->tok[i], 0);
		if (m->score)
			buf_printf(out, ",%.17g]", m->score[i]);
		else
			buf_printf(out, ":%u", i);
	}
	if (m->score) {
		buf_puts(out, "]}");
		return;
	}
	buf_puts(out, "},\"merges\":[");
	buf_add(out, m->merges.n ? m->merges.p : "", m->merges.n);
	buf_puts(out, "]}");
}

static void write_part(struct buf *out, const char *name, const struct buf *own, const char *of_class,
		       const struct fill *f)
{
	buf_printf(out, ",\"%s\":", name);
	if (own->n)
		buf_add(out, own->p, own->n);
	else if (of_class)
		write_marked(out, of_class, f);
	else
		buf_puts(out, "null");
}

int make_text(struct make *m, struct buf *out, struct err *e)
{
	bool prefix, legacy;
	struct tokens_list *l = xcalloc(1, sizeof *l);
	struct fill f = { 0 };
	int rc = list_build(m, &m->a, l, e);
	if (rc == 0)
		rc = tokconf_bool(m->conf, "add_prefix_space", m->cls->prefix, m->cls->prefix, &prefix, e);
	if (rc == 0)
		rc = tokconf_bool(m->conf, "legacy", false, false, &legacy, e);
	if (rc == 0) {
		struct str eos;
		f.eos_id = named_id(m, l, SP_EOS, &eos);
		f.eos = eos;
		f.prefix = prefix ? "true" : "false";
		f.scheme = !prefix ? "never" : legacy || m->score ? "always" : "first";
		struct str none;
		m->t->bos = named_id(m, l, SP_BOS, &none);
		m->t->eos = f.eos_id;
		m->t->unk = named_id(m, l, SP_UNK, &none);
		struct buf added = { 0 }, post = { 0 };
		rc = write_post(m, l, &f, &post, e);
		write_added(l, &added); /* reorders the list: last */
		buf_puts(out, "{\"version\":\"1.0\",\"added_tokens\":[");
		buf_add(out, added.n ? added.p : "", added.n);
		buf_putc(out, ']');
		write_part(out, "normalizer", &m->normalizer, m->cls->normalizer, &f);
		write_part(out, "pre_tokenizer", &m->pre, m->cls->pre, &f);
		write_part(out, "post_processor", &post, NULL, &f);
		write_part(out, "decoder", &m->decoder, prefix || !m->cls->bare ? m->cls->decoder : m->cls->bare, &f);
		buf_puts(out, ",\"model\":");
		write_model(m, out);
		buf_putc(out, '}');
		buf_fini(&added);
		buf_fini(&post);
	}
	free(l);
	return rc;
}

/* ---- the file to make it from ---- */

/* What is looked for, in this order; then the one *.tiktoken. */
static const char *const names[] = { "tokenizer.model", "spiece.model", "tiktoken.model", "vocab.json", NULL };

/* How many *.tiktoken a folder has, and the last one's name. */
static int count_tiktoken(const char *dir, char name[256])
{
	DIR *d = opendir(dir);
	struct dirent *x;
	int n = 0;
	while (d && (x = readdir(d)) != NULL) {
		if (!str_ends(str_of(x->d_name), STR(".tiktoken")))
			continue;
		snprintf(name, 256, "%s", x->d_name);
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

bool tok_other_there(const char *dir)
{
	char path[4400], name[256];
	for (int k = 0; names[k]; k++) {
		snprintf(path, sizeof path, "%.4000s/%s", dir, names[k]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return count_tiktoken(dir, name) > 0;
}

static int pick(struct tokenizer *t, const char *dir, const char **path, struct err *e)
{
	char name[256];
	for (int k = 0; names[k]; k++) {
		*path = arena_printf(&t->a, "%s/%s", dir, names[k]).p;
		if (access(*path, F_OK) == 0)
			return 0;
	}
	int n = count_tiktoken(dir, name);
	if (n > 1)
		return err_set(e, E_FORMAT, "%s: %d files end in .tiktoken, and nothing says which one is meant", dir,
			       n);
	if (!n)
		return err_set(e, E_IO,
			       "%s: no tokenizer (tokenizer.json, tokenizer.model, spiece.model, tiktoken.model, "
			       "*.tiktoken or vocab.json "
			       "with merges.txt)",
			       dir);
	*path = arena_printf(&t->a, "%s/%s", dir, name).p;
	return 0;
}

static int read_vocab(struct make *m, const char *dir, struct str file, struct digest *d, struct err *e)
{
	const char *merges_path = arena_printf(&m->t->a, "%s/merges.txt", dir).p;
	struct str merges;
	if (tok_read_file(&merges, &m->a, merges_path, TOK_MAX_FILE, e) < 0)
		return -1;
	digest_field(d, merges.p, merges.n);
	return vocab_make(m, file, merges, merges_path, e);
}

int tok_other(struct tokenizer *t, const char *dir, const char *only, struct tokconf *c, struct buf *out,
	      struct digest *d, struct err *e)
{
	struct str file;
	const char *path = only;
	if ((!path && pick(t, dir, &path, e) < 0) || tokconf_load(t, c, dir, true, e) < 0)
		return -1;
	struct make m = { .t = t, .conf = c, .cls = tokclass_find(c) };
	t->name = (char *)arena_str(&t->a, path, strlen(path)).p;
	t->max_length = c->max_length;
	if (!m.cls) {
		struct str name = c->class.n ? c->class : c->model_class.n ? c->model_class : c->model_type;
		return err_set(e, E_UNSUPPORTED,
			       "%s: the tokenizer of '%.*s' is not supported without a tokenizer.json", dir,
			       str_shown(name), name.p);
	}
	arena_init(&m.a);
	if (tok_read_file(&file, &m.a, path, TOK_MAX_FILE, e) < 0) {
		make_fini(&m);
		return -1;
	}
	digest_field(d, file.p, file.n);
	for (int k = 0; k < 4; k++)
		digest_field(d, c->file[k].p, c->file[k].n);
	bool ranks = str_ends(str_of(path), STR(".tiktoken")) || tiktoken_is(file);
	int rc = str_ends(str_of(path), STR(".json")) ? read_vocab(&m, dir, file, d, e)
		 : ranks			      ? tiktoken_make(&m, file, e)
						      : spm_make(&m, file, e);
	if (rc == 0)
		rc = make_text(&m, out, e);
	make_fini(&m);
	return rc;
}
