/* tokenizer.c - opens a tokenizer and runs the parts: encode here, decode in tok_decode.c.
 *
 * tokenizer.json is read as Hugging Face `tokenizers` 0.23 does (added tokens, normalizer, pre-tokenizer, model,
 * post-processor, decoder). Its truncation and padding are ignored: who calls decides about lengths. When a folder is opened,
 * the small files beside it give the bos/eos/unk tokens, the longest input and more added tokens, as transformers'
 * PreTrainedTokenizerFast takes them (tok_config.c, tok_added.c). The configuration's add_bos_token and add_eos_token are ignored, as transformers 5 does wherever
 * there is a tokenizer.json: the post-processor alone says what stands around a text. Without a tokenizer.json, what there is
 * becomes the text of one first (tok_files.h).
 *
 * Refuses: unknown components (named, with the nearest known one), texts beyond 1 GiB, everything tok_load.c refuses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runners/text/json.h"
#include "runners/text/utf8.h"
#include "runners/tok_files.h"

static const char engine[] = "assay tokenizer 3";

/* ---- components ---- */

int comp_unknown(const struct tokenizer *t, const char *where, struct str type, const char *const *words, struct err *e)
{
	char name[64], hint[128], list[400] = "";
	size_t n = type.n < sizeof name - 1 ? type.n : sizeof name - 1;
	memcpy(name, type.p, n);
	name[n] = 0;
	if (!*err_hint(hint, sizeof hint, name, words)) {
		for (int i = 0; words[i]; i++)
			snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", words[i]);
		return err_set(e, E_UNSUPPORTED, "%s: %s '%s' is not supported (known: %s)", t->name, where, name,
			       list);
	}
	return err_set(e, E_UNSUPPORTED, "%s: %s '%s' is not supported%s", t->name, where, name, hint);
}

int comp_type(const struct tokenizer *t, struct value v, const char *where, struct str *type, struct err *e)
{
	const struct value *s = v.type == V_DICT ? v_getc(v, "type") : NULL;
	if (!s || s->type != V_STR)
		return err_set(e, E_FORMAT, "%s: a %s must be an object with a type", t->name, where);
	*type = s->s;
	return 0;
}

int comp_str(const struct tokenizer *t, struct value v, const char *where, const char *key, struct str *out,
	     struct err *e)
{
	const struct value *s = v_getc(v, key);
	if (!s || s->type != V_STR)
		return err_set(e, E_FORMAT, "%s: %s: %s must be a string", t->name, where, key);
	*out = s->s;
	return 0;
}

int comp_bool(const struct tokenizer *t, struct value v, const char *where, const char *key, int fallback, bool *out,
	      struct err *e)
{
	const struct value *s = v_getc(v, key);
	if ((!s || s->type == V_NONE) && fallback >= 0) {
		*out = fallback;
		return 0;
	}
	if (!s || s->type != V_BOOL)
		return err_set(e, E_FORMAT, "%s: %s: %s must be true or false", t->name, where, key);
	*out = s->b;
	return 0;
}

int comp_pattern(const struct tokenizer *t, struct value v, const char *where, struct tokrx **out, struct err *e)
{
	const struct value *p = v_getc(v, "pattern");
	const struct value *s = p && p->type == V_DICT ? v_getc(*p, "String") : NULL;
	const struct value *r = p && p->type == V_DICT ? v_getc(*p, "Regex") : NULL;
	if (!s == !r || (s ? s : r)->type != V_STR)
		return err_set(e, E_FORMAT, "%s: %s: pattern must be {\"String\": ...} or {\"Regex\": ...}", t->name,
			       where);
	return tokrx_open(out, (s ? s : r)->s, s != NULL, e) < 0 ? err_wrap(e, "%s: %s", t->name, where) : 0;
}

int comp_each(struct tokenizer *t, struct value v, const char *where, const char *key,
	      int (*one)(struct tokenizer *t, struct value v, struct str type, struct err *e), int depth, struct err *e)
{
	struct str type;
	if (v.type == V_NONE || v.type == V_UNDEFINED)
		return 0;
	if (depth > 8)
		return err_set(e, E_LIMIT, "%s: more than 8 %s sequences inside each other", t->name, where);
	if (comp_type(t, v, where, &type, e) < 0)
		return -1;
	if (!str_is(type, "Sequence"))
		return one(t, v, type, e);
	const struct value *list = v_getc(v, key);
	if (!list || list->type != V_LIST)
		return err_set(e, E_FORMAT, "%s: %s Sequence: %s must be a list", t->name, where, key);
	for (size_t i = 0; i < list->list->n; i++) {
		if (list->list->v[i].type == V_NONE)
			return err_set(e, E_FORMAT, "%s: %s Sequence: item %zu is null", t->name, where, i);
		if (comp_each(t, list->list->v[i], where, key, one, depth + 1, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- tokenizer.json ---- */

enum part { ADDED, NORMALIZER, PRE_TOKENIZER, POST_PROCESSOR, DECODER, NPARTS };
static const char *const part_names[NPARTS] = { "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
						"decoder" };

/* The top object: the model is read as it comes, the small parts are parsed to values. */
static int read_top(struct tokenizer *t, struct js *j, struct value part[NPARTS], struct err *e)
{
	struct str key, s;
	bool first = true, model = false;
	int more;
	if (js_open(j, '{', e) < 0)
		return -1;
	while ((more = js_member(j, &first, &key, e)) > 0) {
		int k = 0;
		while (k < NPARTS && !str_is(key, part_names[k]))
			k++;
		if (str_is(key, "model")) {
			if (model)
				return js_fail(j, e, "model stands twice");
			model = true;
			if (model_load(t, j, e) < 0)
				return -1;
			continue;
		}
		if ((k < NPARTS ? js_value(j, &t->a, &part[k], e) : js_skip(j, &s, e)) < 0)
			return -1;
		if (str_is(key, "version") && !str_is(s, "\"1.0\""))
			return js_fail(j, e, "version must be \"1.0\"");
	}
	if (more < 0)
		return -1;
	if (js_peek(j) || j->p < j->end)
		return js_fail(j, e, "something stands behind the object");
	return model ? 0 : err_set(e, E_FORMAT, "%s: no model", t->name);
}

/* scratch: until the file is read */
static int load(struct tokenizer *t, struct str file, struct arena *scratch, struct err *e)
{
	struct js j = { file.p, file.p, file.p + file.n, t->name, scratch };
	struct value part[NPARTS] = { { 0 } };
	if (!utf8_valid(file))
		return err_set(e, E_FORMAT, "%s: not UTF-8", t->name);
	if (read_top(t, &j, part, e) < 0 || norm_load(t, part[NORMALIZER], e) < 0 || pre_load(t, part[PRE_TOKENIZER], e) < 0 ||
	    t->kind->finish(t, e) < 0)
		return -1;
	if (part[ADDED].type == V_UNDEFINED)
		part[ADDED] = VNONE;
	if (added_load(t, part[ADDED], e) < 0 || post_load(t, part[POST_PROCESSOR], e) < 0 ||
	    dec_load(t, part[DECODER], e) < 0)
		return -1;
	return 0;
}

/* ---- tokenizer_config.json ---- */

/* The id of a token that the configuration names; absent, null or unknown: -1. */
static int config_token(struct tokenizer *t, const struct tokconf *c, const char *key, int32_t *id, struct err *e)
{
	struct addtok tok;
	bool given;
	int rc = tokconf_token(c, key, &tok, &given, e);
	*id = rc > 0 ? tokenizer_id(t, tok.content) : -1;
	return rc < 0 ? -1 : 0;
}

/* ---- open and close ---- */

/* What libraries are installed is not part of it: no id depends on their versions of Unicode (uniprop.h, tok_norm.c). */
static struct digest *digest_begin(void)
{
	struct digest *d = digest_new();
	digest_field(d, engine, sizeof engine - 1);
	return d;
}

/* clean_up_tokenization_spaces: decoded text loses blanks before punctuation. transformers 5 does not do it to BPE unless forced. */
static int read_clean_up(struct tokenizer *t, const struct tokconf *c, struct err *e)
{
	bool on, force;
	if (c->config.type != V_DICT)
		return 0;
	if (tokconf_bool(c, "clean_up_tokenization_spaces", false, false, &on, e) < 0 ||
	    tokconf_bool(c, "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", false, false, &force, e) < 0)
		return -1;
	t->clean_up = on && (force || strcmp(t->kind->name, "BPE") != 0);
	return 0;
}

/* A tokenizer.json, and the configuration beside it when its folder was named. */
static int open_json(struct tokenizer *t, const char *dir, struct digest *d, struct err *e)
{
	struct str file = { "", 0 };
	struct tokconf c = { .config = VNONE };
	struct arena scratch;
	arena_init(&scratch);
	int rc = tok_read_file(&file, &scratch, t->name, TOK_MAX_FILE, e);
	if (rc == 0 && dir)
		rc = tokconf_load(t, &c, dir, false, e);
	t->max_length = c.max_length;
	struct addtok *named = NULL;
	if (rc == 0 && dir)
		rc = tokconf_named(t, &c, &named, &t->nnamed, &t->nkeyed, e);
	t->named = named;
	t->decoder = c.added;
	t->ndecoder = c.nadded;
	t->legacy = c.config.type == V_DICT && !v_getc(c.config, "added_tokens_decoder");
	t->legacy_id = t->legacy ? c.added_id : NULL;
	if (rc == 0)
		rc = load(t, file, &scratch, e);
	if (rc == 0 && dir &&
	    (config_token(t, &c, "bos_token", &t->bos, e) < 0 ||
	     config_token(t, &c, "eos_token", &t->eos, e) < 0 ||
	     config_token(t, &c, "unk_token", &t->unk, e) < 0))
		rc = -1;
	if (rc == 0)
		rc = read_clean_up(t, &c, e);
	digest_field(d, file.p, file.n);
	digest_field(d, c.file[0].p, c.file[0].n);
	for (int k = 1; k < 3; k++)
		if (c.file[k].p)
			digest_field(d, c.file[k].p, c.file[k].n);
	arena_fini(&scratch);
	return rc;
}

/* What a folder without a tokenizer.json has, or the file `only` in it. */
static int open_other(struct tokenizer *t, const char *dir, const char *only, struct digest *d, struct err *e)
{
	struct buf text = { 0 };
	struct tokconf c;
	struct arena scratch;
	arena_init(&scratch);
	int rc = tok_other(t, dir, only, &c, &text, d, e);
	if (rc == 0)
		rc = load(t, (struct str){ text.p, text.n }, &scratch, e);
	arena_fini(&scratch);
	if (rc == 0)
		rc = read_clean_up(t, &c, e);
	buf_fini(&text);
	return rc;
}

bool tokenizer_there(const char *dir)
{
	char path[4400];
	snprintf(path, sizeof path, "%.4000s/tokenizer.json", dir);
	return access(path, F_OK) == 0 || tok_other_there(dir);
}

/* A file of its own is a tokenizer.json when it begins as an object and is no vocab.json. */
static int is_json(const char *path, struct err *e)
{
	char c = 0;
	const char *slash = strrchr(path, '/');
	FILE *f = fopen(path, "rb");
	if (!f)
		return err_errno(e, E_IO, "%s", path);
	while (fread(&c, 1, 1, f) == 1 && strchr(" \t\r\n", c))
		;
	fclose(f);
	return str_ends(str_of(path), STR(".json")) ? strcmp(slash ? slash + 1 : path, "vocab.json") != 0 : c == '{';
}

int tokenizer_open(struct tokenizer **out, const char *path, struct err *e)
{
	struct stat st;
	*out = NULL;
	if (stat(path, &st) < 0)
		return err_errno(e, E_IO, "%s", path);
	if (strlen(path) > 4000)
		return err_set(e, E_RANGE, "a path of %zu bytes", strlen(path));
	struct tokenizer *t = xcalloc(1, sizeof *t);
	struct digest *d = digest_begin();
	arena_init(&t->a);
	t->bos = t->eos = t->unk = -1;
	bool dir = S_ISDIR(st.st_mode);
	t->name = (char *)arena_printf(&t->a, "%s%s", path, dir ? "/tokenizer.json" : "").p;
	int json = dir ? access(t->name, F_OK) == 0 : S_ISREG(st.st_mode) ? is_json(path, e) : 1, rc;
	if (json) {
		rc = json < 0 ? -1 : open_json(t, dir ? path : NULL, d, e);
	} else {
		const char *slash = dir ? NULL : strrchr(path, '/');
		const char *folder = dir ? path : slash ? arena_str(&t->a, path, slash > path ? (size_t)(slash - path) : 1).p : ".";
		rc = open_other(t, folder, dir ? NULL : path, d, e);
	}
	digest_end(d, t->digest);
	if (rc == 0)
		*out = t;
	else
		tokenizer_close(t);
	return rc;
}

void tokenizer_close(struct tokenizer *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < TOK_MAX_COMPONENTS; i++) {
		tokrx_close(t->norm[i].rx);
		tokrx_close(t->pre[i].rx);
		tokrx_close(t->dec[i].rx);
	}
	if (t->kind && t->kind->free)
		t->kind->free(t);
	free(t->raw.node);
	free(t->normal.node);
	free(t->bpe.cache.line);
	arena_fini(&t->a);
	free(t);
}

/* ---- encode ---- */

int enc_token(struct enc *x, int32_t id, struct piece pc, size_t from, size_t to, const struct str *value)
{
	if (x->n == x->cap) {
		x->cap = x->cap ? 2 * x->cap : 64;
		x->id = xrealloc(x->id, x->cap * sizeof *x->id);
		if (x->cp)
			x->offset = xrealloc(x->offset, x->cap * sizeof *x->offset);
		if (x->cp && x->t->trims)
			x->value = xrealloc(x->value, x->cap * sizeof *x->value);
	}
	if (x->cp) {
		uint32_t s = pc.al ? pc.al[from].s : pc.o + (uint32_t)from;
		uint32_t e = pc.al ? pc.al[to - 1].e : pc.o + (uint32_t)to;
		x->offset[x->n][0] = (int32_t)x->cp[s];
		/* the end of the character in which the last byte lies */
		x->offset[x->n][1] = pc.al ? (int32_t)x->cp[e] : (int32_t)x->cp[e - 1] + 1;
		if (x->t->trims)
			x->value[x->n] = value ? *value : x->t->voc.tok[id];
	}
	x->id[x->n++] = id;
	return 0;
}

static int pre_first(struct enc *x, struct piece pc)
{
	return pre_run(x, 0, pc);
}

static int normalize(struct enc *x, struct piece pc)
{
	return norm_run(x, &pc) < 0 ? -1 : added_scan(x, &x->t->normal, pc, pre_first);
}

static void count_characters(struct enc *x)
{
	x->cp = xmalloc((x->text.n + 1) * sizeof *x->cp);
	uint32_t n = 0;
	for (size_t i = 0; i < x->text.n;) {
		size_t at = i;
		utf8_next(x->text, &i);
		for (; at < i; at++)
			x->cp[at] = n;
		n++;
	}
	x->cp[x->text.n] = n;
}

int tokenizer_encode(const struct tokenizer *t, struct str text, int flags, struct arena *a, struct ids *out,
		     struct err *e)
{
	if (text.n > TOK_MAX_TEXT)
		return err_set(e, E_LIMIT, "a text of %zu bytes, the limit is %d", text.n, TOK_MAX_TEXT);
	struct enc x = { .t = t, .e = e };
	arena_init(&x.scratch);
	x.text = utf8_clean(&x.scratch, text);
	x.track = (flags & TOK_OFFSETS) || t->needs_track;
	if (flags & TOK_OFFSETS)
		count_characters(&x);
	struct piece pc = { x.text.p, x.text.n, NULL, 0 };
	int rc = added_scan(&x, &t->raw, pc, normalize);
	if (rc == 0)
		rc = post_run(&x, flags & TOK_SPECIAL);
	if (rc == 0 && x.n > INT32_MAX)
		rc = err_set(e, E_LIMIT, "the text has %zu tokens", x.n);
	if (rc == 0) {
		*out = (struct ids){ .id = ARENA_ARRAY(a, x.n, int32_t), .n = (int)x.n };
		if (x.n)
			memcpy(out->id, x.id, x.n * sizeof *x.id);
		if (flags & TOK_OFFSETS) {
			out->offset = arena_array(a, x.n, sizeof *x.offset);
			if (x.n)
				memcpy(out->offset, x.offset, x.n * sizeof *x.offset);
		}
	}
	free(x.id);
	free(x.offset);
	free(x.value);
	free(x.cp);
	free(x.sym);
	free(x.heap);
	scan_fini(&x.scan);
	arena_fini(&x.scratch);
	return rc;
}

/* ---- questions ---- */

int tokenizer_vocab(const struct tokenizer *t)
{
	return t->vocab;
}

int32_t tokenizer_id(const struct tokenizer *t, struct str token)
{
	const struct added *a = added_find(t, token);
	return a ? a->id : vocab_find(&t->voc, token);
}

struct str tokenizer_token(const struct tokenizer *t, int32_t id)
{
	const struct added *a = added_by_id(t, id);
	if (a)
		return a->content;
	return id >= 0 && (uint32_t)id < t->voc.ntok ? t->voc.tok[id] : (struct str){ NULL, 0 };
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
	const struct added *a = added_by_id(t, id);
	return a && a->special;
}

int32_t tokenizer_bos(const struct tokenizer *t)
{
	return t->bos;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
	return t->eos;
}

double tokenizer_model_max_length(const struct tokenizer *t)
{
	return t->max_length;
}

void tokenizer_digest(const struct tokenizer *t, unsigned char out[DIGEST_BYTES])
{
	memcpy(out, t->digest, DIGEST_BYTES);
}

const char *const *tokenizer_components(void)
{
	static const char *const rows[] = {
		"model BPE",
		"model WordPiece",
		"model WordLevel",
		"model Unigram",
		"normalizer NFC",
		"normalizer NFD",
		"normalizer NFKC",
		"normalizer NFKD",
		"normalizer Lowercase",
		"normalizer Strip",
		"normalizer StripAccents",
		"normalizer Prepend",
		"normalizer Replace",
		"normalizer Precompiled",
		"normalizer BertNormalizer",
		"normalizer Nmt",
		"normalizer ByteLevel",
		"normalizer Sequence",
		"pre-tokenizer ByteLevel",
		"pre-tokenizer Metaspace",
		"pre-tokenizer Split",
		"pre-tokenizer Digits",
		"pre-tokenizer Punctuation",
		"pre-tokenizer Whitespace",
		"pre-tokenizer WhitespaceSplit",
		"pre-tokenizer BertPreTokenizer",
		"pre-tokenizer CharDelimiterSplit",
		"pre-tokenizer UnicodeScripts",
		"pre-tokenizer FixedLength",
		"pre-tokenizer Sequence",
		"post-processor TemplateProcessing",
		"post-processor ByteLevel",
		"post-processor BertProcessing",
		"post-processor RobertaProcessing",
		"post-processor Sequence",
		"decoder ByteLevel",
		"decoder ByteFallback",
		"decoder Metaspace",
		"decoder WordPiece",
		"decoder BPEDecoder",
		"decoder Fuse",
		"decoder Strip",
		"decoder Replace",
		"decoder Sequence",
		NULL,
	};
	return rows;
}
