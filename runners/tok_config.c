/* tok_config.c - the small files beside a tokenizer: tokenizer_config.json, special_tokens_map.json, added_tokens.json,
 * config.json.
 *
 * Read as transformers 5.24's from_pretrained does: added_tokens_decoder stands for special_tokens_map.json and
 * added_tokens.json, which are looked at only without it. config.json gives model_type and tokenizer_class where there is no
 * tokenizer.json; beside one, add_bos_token and add_eos_token are ignored, as there.
 *
 * Only the keys that matter are parsed: these files carry chat templates, copies of all added tokens, and numbers like
 * 1e30 written out as whole numbers. Refuses: values of the wrong kind, each by its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runners/text/json.h"
#include "runners/text/utf8.h"
#include "runners/tok_files.h"

const char *const tok_special_keys[SP_KEYS + 1] = { "bos_token", "eos_token", "unk_token",  "sep_token",
						    "pad_token", "cls_token", "mask_token", NULL };
static const char *const small_keys[] = { /* two lists first */ "additional_special_tokens", "extra_special_tokens",
					  "added_tokens_decoder", "clean_up_tokenization_spaces",
					  "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
					  "legacy", "add_prefix_space", "tokenizer_class", "extra_ids", NULL };

int tok_read_file(struct str *out, struct arena *a, const char *path, size_t limit, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0)
		return err_errno(e, E_IO, "%s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, E_IO, "%s: not a regular file", path);
	}
	if (st.st_size > (off_t)limit) {
		close(fd);
		return err_set(e, E_LIMIT, "%s: %lld bytes, the limit is %zu", path, (long long)st.st_size, limit);
	}
	size_t size = (size_t)st.st_size, n = 0;
	char *p = arena_bytes(a, size + 1);
	while (n < size) {
		ssize_t r = read(fd, p + n, size - n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			int why = errno;
			close(fd);
			return r < 0 ? err_set(e, E_IO, "%s: %s", path, strerror(why)) : err_set(e, E_IO, "%s: became shorter while it was read", path);
		}
		n += (size_t)r;
	}
	close(fd);
	p[n] = 0;
	*out = (struct str){ p, n };
	return 0;
}

static bool listed(const char *const *list, struct str key)
{
	int k = 0;
	while (list[k] && !str_is(key, list[k]))
		k++;
	return list[k] != NULL;
}

static int read_length(struct tokconf *c, struct js *j, struct str s, const char *at, struct err *e)
{
	char number[400], *end;
	snprintf(number, sizeof number, "%.*s", (int)(s.n < 399 ? s.n : 399), s.p);
	double d = strtod(number, &end);
	j->p = at;
	if (!s.n || *end || s.n >= 399 || strchr("\"-NI", s.p[0]))
		return js_fail(j, e, "model_max_length must be a number from 0 up");
	j->p = at + s.n;
	c->max_length = d < 1e29 ? d : 0;
	return 0;
}

/* The wanted keys of one of the files, put into c->config. */
static int read_keys(struct tokenizer *t, struct tokconf *c, struct js *j, struct err *e)
{
	struct str key, s;
	bool first = true;
	int more;
	if (js_open(j, '{', e) < 0)
		return -1;
	while ((more = js_member(j, &first, &key, e)) > 0) {
		struct value v;
		bool wanted = listed(tok_special_keys, key) || listed(small_keys, key) || str_ends(key, STR("_token"));
		js_peek(j);
		const char *at = j->p;
		if ((wanted ? js_value(j, &t->a, &v, e) : js_skip(j, &s, e)) < 0)
			return -1;
		if (wanted)
			v_set(&t->a, c->config, arena_str(&t->a, key.p, key.n), v);
		else if (str_is(key, "model_max_length") && !str_is(s, "null") && read_length(c, j, s, at, e) < 0)
			return -1;
	}
	if (more < 0)
		return -1;
	return js_peek(j) || j->p < j->end ? js_fail(j, e, "something stands behind the object") : 0;
}

/* The n-th small file of the folder: 1 when it is there, and *j at its beginning. */
static int small_file(struct tokenizer *t, struct tokconf *c, int n, const char *name, struct js *j, struct err *e)
{
	const char *path = arena_printf(&t->a, "%s/%s", c->dir.p, name).p;
	if (access(path, F_OK) != 0)
		return 0;
	if (tok_read_file(&c->file[n], &t->a, path, TOK_MAX_SMALL, e) < 0)
		return -1;
	*j = (struct js){ c->file[n].p, c->file[n].p, c->file[n].p + c->file[n].n, path, &t->a };
	return utf8_valid(c->file[n]) ? 1 : err_set(e, E_FORMAT, "%s: not UTF-8", path);
}

int tokconf_bool(const struct tokconf *c, const char *key, bool fallback, bool null, bool *out, struct err *e)
{
	const struct value *v = v_getc(c->config, key);
	*out = !v ? fallback : v->type == V_NONE ? null : v->b;
	if (v && v->type != V_BOOL && v->type != V_NONE)
		return err_set(e, E_FORMAT, "%s/tokenizer_config.json: %s must be true or false", c->dir.p, key);
	return 0;
}

static bool has_text(struct value v)
{
	return v.type == V_STR || (v.type == V_DICT && v_getc(v, "content"));
}

/* A string, or an object with content and flags. */
static int read_token(const struct tokconf *c, struct value v, const char *what, struct addtok *out, struct err *e)
{
	static const char *const flags[] = { "single_word", "lstrip", "rstrip", "special", "normalized" };
	const struct value *s = v.type == V_DICT ? v_getc(v, "content") : &v;
	bool *to[] = { &out->single_word, &out->lstrip, &out->rstrip, &out->special, &out->normalized };
	*out = (struct addtok){ .special = v.type == V_STR };
	if (!s || s->type != V_STR)
		return err_set(e, E_FORMAT, "%s/%s: %s must be a string or an object with content", c->dir.p, c->name, what);
	out->content = s->s;
	for (int k = 0; v.type == V_DICT && k < 5; k++) {
		const struct value *f = v_getc(v, flags[k]);
		if (f && f->type != V_BOOL)
			return err_set(e, E_FORMAT, "%s/%s: %s: %s must be true or false", c->dir.p, c->name, what, flags[k]);
		*to[k] = f ? f->b : k == 4 ? !out->special : false;
		out->said = f != NULL; /* of the last, normalized */
	}
	return 0;
}

int tokconf_token(const struct tokconf *c, const char *key, struct addtok *out, bool *given, struct err *e)
{
	const struct value *v = v_getc(c->config, key);
	*given = v != NULL;
	if (!v || v->type == V_NONE)
		return 0;
	if (read_token(c, *v, key, out, e) < 0)
		return -1;
	for (size_t i = 0; i < c->nadded; i++)
		if (str_eq(c->added[i].content, out->content))
			*out = c->added[i];
	return 1;
}

/* How transformers adds a token named by itself: special, and searched in the raw text unless it says otherwise. */
static int named_token(const struct tokconf *c, struct value v, const char *what, struct addtok *out, struct err *e)
{
	if (read_token(c, v, what, out, e) < 0)
		return -1;
	out->special = true;
	if (v.type != V_DICT || !v_getc(v, "normalized"))
		out->normalized = false;
	return 0;
}

int tokconf_extra(const struct tokconf *c, struct value v, struct addtok *out, struct err *e)
{
	return read_token(c, v, "extra_special_tokens", out, e);
}

/* Tokens of added_tokens_decoder that a key names are special; what they leave unsaid follows from that. */
static void mark_added(struct tokconf *c, const struct addtok *named, size_t n)
{
	struct arena a;
	struct strmap map;
	arena_init(&a);
	struct str *text = ARENA_ARRAY(&a, n + 1, struct str);
	strmap_init(&map, &a, n);
	for (size_t i = 0; i < n; i++) {
		int32_t other;
		text[i] = named[i].content;
		strmap_put(&map, text, (int32_t)i, &other);
	}
	for (size_t i = 0; i < c->nadded; i++) {
		struct addtok *w = &c->added[i];
		uint32_t at;
		if (w->special || strmap_find(&map, text, w->content, str_hash(w->content.p, w->content.n), &at) < 0)
			continue;
		w->special = true;
		w->normalized &= w->said;
	}
	arena_fini(&a);
}

int tokconf_named(struct tokenizer *t, struct tokconf *c, struct addtok **out, size_t *n, size_t *keyed, struct err *e)
{
	size_t nspecific = c->specific.dict->n, nextra = c->extra.type == V_LIST ? c->extra.list->n : 0;
	struct addtok *v = ARENA_ARRAY(&t->a, SP_KEYS + nspecific + nextra, struct addtok);
	*out = v;
	*n = 0;
	for (int k = 0; k < SP_KEYS; k++) {
		const struct value *s = v_getc(c->config, tok_special_keys[k]);
		if (!s || s->type == V_NONE)
			continue;
		if (named_token(c, *s, tok_special_keys[k], &v[*n], e) < 0)
			return -1;
		for (size_t i = 0; i < c->nadded; i++)
			if (str_eq(c->added[i].content, v[*n].content))
				v[*n] = c->added[i];
		v[(*n)++].special = true;
	}
	for (size_t i = 0; i < nspecific; i++)
		if (named_token(c, c->specific.dict->v[i].val, "a named token", &v[(*n)++], e) < 0)
			return -1;
	*keyed = *n;
	mark_added(c, v, *n);
	for (size_t i = 0; i < nextra; i++)
		if (tokconf_extra(c, c->extra.list->v[i], &v[(*n)++], e) < 0)
			return -1;
	return 0;
}

struct numbered {
	int32_t id;
	size_t place;
	struct addtok tok;
};

static int by_id(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->place > y->place) - (x->place < y->place);
}

/* Sorts by id; the last of equal ones stays. */
static void keep_added(struct tokenizer *t, struct tokconf *c, struct numbered *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i].place = i;
	qsort(v, n, sizeof *v, by_id);
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || v[i].id != v[i + 1].id)
			v[kept++] = v[i];
	c->nadded = n = kept;
	c->added = ARENA_ARRAY(&t->a, n, struct addtok);
	c->added_id = ARENA_ARRAY(&t->a, n, int32_t);
	for (size_t i = 0; i < n; i++) {
		c->added[i] = v[i].tok;
		c->added_id[i] = v[i].id;
	}
}

/* added_tokens_decoder: {"3": {"content": ...}, ...}. */
static int read_decoder(struct tokenizer *t, struct tokconf *c, struct value d, struct err *e)
{
	if (d.type != V_DICT)
		return err_set(e, E_FORMAT, "%s/tokenizer_config.json: added_tokens_decoder must be an object",
			       c->dir.p);
	struct numbered *v = ARENA_ARRAY(&t->a, d.dict->n, struct numbered);
	for (size_t i = 0; i < d.dict->n; i++) {
		struct str key = d.dict->v[i].key.s;
		char *end, what[100];
		long id = key.n && key.n < 9 && key.p[0] >= '0' && key.p[0] <= '9' ? strtol(key.p, &end, 10) : -1;
		snprintf(what, sizeof what, "added_tokens_decoder: '%.40s'", key.p);
		if (id < 0 || *end || id >= TOK_MAX_ID)
			return err_set(e, E_FORMAT, "%s/tokenizer_config.json: %s is no id", c->dir.p, what);
		v[i].id = (int32_t)id;
		if (d.dict->v[i].val.type != V_DICT)
			return err_set(e, E_FORMAT, "%s/tokenizer_config.json: %s must be an object with content",
				       c->dir.p, what);
		if (read_token(c, d.dict->v[i].val, what, &v[i].tok, e) < 0)
			return -1;
	}
	keep_added(t, c, v, d.dict->n);
	return 0;
}

/* The special tokens, as keys: as transformers sees them before objects that say what they are ("__type") become tokens. */
static struct value named_texts(struct tokenizer *t, const struct tokconf *c)
{
	struct addtok tok;
	struct value d = v_dict(&t->a);
	const struct value *x = v_getc(c->config, "extra_special_tokens");
	for (int k = 0; k < SP_KEYS; k++) {
		const struct value *v = v_getc(c->config, tok_special_keys[k]);
		if (v && has_text(*v) && !(v->type == V_DICT && v_getc(*v, "__type")) && read_token(c, *v, "", &tok, NULL) == 0)
			v_set(&t->a, d, tok.content, VNONE);
	}
	for (size_t i = 0; x && x->type == V_LIST && i < x->list->n; i++)
		if (x->list->v[i].type == V_STR)
			v_set(&t->a, d, x->list->v[i].s, VNONE);
	return d;
}

/* added_tokens.json: {"token": id, ...}. */
static int read_added(struct tokenizer *t, struct tokconf *c, struct js *j, struct err *e)
{
	struct str key;
	bool first = true;
	int more;
	struct numbered *v = NULL;
	size_t n = 0, cap = 0;
	struct value named = named_texts(t, c);
	if (js_open(j, '{', e) < 0)
		return -1;
	while ((more = js_member(j, &first, &key, e)) > 0) {
		uint32_t id;
		if (js_uint(j, TOK_MAX_ID, &id, e) < 0)
			break;
		if (n == cap) {
			cap = cap ? 2 * cap : 64;
			v = xrealloc(v, cap * sizeof *v);
		}
		bool special = v_get(named, key) != NULL;
		v[n].id = (int32_t)id;
		v[n++].tok = (struct addtok){ .content = arena_str(&t->a, key.p, key.n),
					      .special = special,
					      .normalized = !special,
					      .said = true };
	}
	if (more == 0)
		keep_added(t, c, v, n);
	free(v);
	return more == 0 ? 0 : -1;
}

/* ---- special tokens beside the seven ---- */

/* Sets in `to` what d has under keys that end in _token, or under any key, the seven aside. */
static void set_tokens(struct tokenizer *t, struct value to, struct value d, bool any)
{
	for (size_t i = 0; d.type == V_DICT && i < d.dict->n; i++) {
		const struct pair *p = &d.dict->v[i];
		if (has_text(p->val) && (any || (str_ends(p->key.s, STR("_token")) && !listed(tok_special_keys, p->key.s))))
			v_set(&t->a, to, p->key.s, p->val);
	}
}

/* A list of special_tokens_map.json behind the configuration's. */
static struct value joined(struct tokenizer *t, const struct value *first, struct value more)
{
	struct value l = v_list(&t->a, 0);
	for (size_t i = 0; first && first->type == V_LIST && i < first->list->n; i++)
		v_push(&t->a, l, first->list->v[i]);
	for (size_t i = 0; i < more.list->n; i++)
		v_push(&t->a, l, more.list->v[i]);
	return l;
}

/* special_tokens_map.json: its values stand before those of the configuration, but not under other keys that end in _token;
 * objects are special tokens. */
static int read_map(struct tokenizer *t, struct tokconf *c, struct js *j, struct err *e)
{
	struct tokconf map = { .dir = c->dir, .name = "special_tokens_map.json", .config = v_dict(&t->a) };
	struct addtok tok;
	bool given;
	if (read_keys(t, &map, j, e) < 0)
		return -1;
	for (int k = 0; k < SP_KEYS; k++)
		if (tokconf_token(&map, tok_special_keys[k], &tok, &given, e) < 0)
			return -1;
	for (int k = 0; k < 2; k++) {
		const struct value *l = v_getc(map.config, small_keys[k]);
		for (size_t i = 0; l && l->type == V_LIST && i < l->list->n; i++)
			if (read_token(&map, l->list->v[i], small_keys[k], &tok, e) < 0)
				return -1;
	}
	struct value all = v_dict(&t->a);
	const struct value *extra = v_getc(map.config, "extra_special_tokens");
	set_tokens(t, all, map.config, false);
	if (extra)
		set_tokens(t, c->specific, *extra, true);
	set_tokens(t, all, c->specific, true);
	c->specific = all;
	for (size_t i = 0; i < map.config.dict->n; i++) {
		struct str key = map.config.dict->v[i].key.s;
		struct value v = map.config.dict->v[i].val;
		bool list = str_is(key, "extra_special_tokens");
		if (v.type == V_DICT && !list)
			v_set(&t->a, v, STR("special"), v_bool(true));
		v_set(&t->a, c->config, key, list && v.type == V_LIST ? joined(t, v_get(c->config, key), v) : v);
	}
	return 0;
}

static int read_model(struct tokenizer *t, struct tokconf *c, struct js *j, struct err *e)
{
	struct str key, s;
	bool first = true;
	int more;
	if (js_open(j, '{', e) < 0)
		return -1;
	while ((more = js_member(j, &first, &key, e)) > 0) {
		struct str *to = str_is(key, "model_type")	  ? &c->model_type
				 : str_is(key, "tokenizer_class") ? &c->model_class
								  : NULL;
		int rc = to && js_peek(j) == '"' ? js_str(j, &s, e) : js_skip(j, &s, e);
		if (rc < 0)
			return -1;
		if (to && s.n && !str_is(s, "null"))
			*to = arena_str(&t->a, s.p, s.n);
	}
	return more;
}

/* additional_special_tokens is the older name of extra_special_tokens. */
static void rename_extra(struct tokenizer *t, struct tokconf *c)
{
	const struct value *old = v_getc(c->config, "additional_special_tokens");
	const struct value *x = v_getc(c->config, "extra_special_tokens");
	bool empty =
		!x || x->type == V_NONE || (x->type == V_LIST && !x->list->n) || (x->type == V_DICT && !x->dict->n);
	if (old && empty) {
		v_set(&t->a, c->config, STR("extra_special_tokens"), *old);
		v_set(&t->a, c->config, STR("additional_special_tokens"), VNONE);
	}
}

int tokconf_load(struct tokenizer *t, struct tokconf *c, const char *dir, bool model, struct err *e)
{
	struct js j;
	*c = (struct tokconf){ .dir = str_of(dir), .name = "tokenizer_config.json", .config = v_dict(&t->a) };
	int rc = small_file(t, c, 0, "tokenizer_config.json", &j, e);
	if (rc < 0 || (rc && read_keys(t, c, &j, e) < 0))
		return -1;
	const struct value *cls = v_getc(c->config, "tokenizer_class"), *d = v_getc(c->config, "added_tokens_decoder");
	if (d && read_decoder(t, c, *d, e) < 0)
		return -1;
	rename_extra(t, c);
	c->specific = v_dict(&t->a);
	set_tokens(t, c->specific, c->config, false);
	const struct value *x = v_getc(c->config, "extra_special_tokens");
	if (x)
		set_tokens(t, c->specific, *x, true);
	if (cls && cls->type == V_STR)
		c->class = cls->s;
	if (!d) {
		if ((rc = small_file(t, c, 1, "special_tokens_map.json", &j, e)) < 0 ||
		    (rc && read_map(t, c, &j, e) < 0) || (rc = small_file(t, c, 2, "added_tokens.json", &j, e)) < 0 ||
		    (rc && read_added(t, c, &j, e) < 0))
			return -1;
	}
	x = v_getc(c->config, "extra_special_tokens");
	if (!x || x->type == V_DICT)
		x = v_getc(c->config, "additional_special_tokens");
	c->extra = x ? *x : VNONE;
	rc = model ? small_file(t, c, 3, "config.json", &j, e) : 0;
	return rc < 0 || (rc && read_model(t, c, &j, e) < 0) ? -1 : 0;
}
