/* tok_post.c - post-processors: special tokens around the text (TemplateProcessing, BertProcessing, RobertaProcessing), blanks cut off
 * offsets (ByteLevel, RobertaProcessing).
 *
 * Templates for one text only: assay never asks for pairs. Special tokens have the offset (0,0).
 *
 * Refuses: components it does not know, by name; a template that names a second text or a token it does not define.
 */
#include <stdlib.h>

#include "runners/text/uniprop.h"
#include "runners/text/utf8.h"
#include "runners/tok_int.h"

static bool is_blank(uint32_t c) /* Rust's char::is_whitespace, or the byte-level stand-in of the blank */
{
	return c == 0x120 || uni_props(c) & UNI_SPACE;
}

static void trim(struct enc *x, const struct post *p)
{
	for (size_t i = 0; i < x->n; i++) {
		struct str s = x->value[i];
		int32_t lead = 0, trail = 0, *o = x->offset[i];
		bool all = true;
		for (size_t k = 0; k < s.n;) {
			bool blank = is_blank(utf8_next(s, &k));
			all &= blank;
			lead += all;
			trail = blank ? trail + 1 : 0;
		}
		if (lead > 0) {
			if ((i == 0 || o[0] == 0) && p->prefix_space && lead == 1)
				lead = 0;
			o[0] = o[0] + lead < o[1] ? o[0] + lead : o[1];
		}
		if (trail > 0 && o[1] >= trail)
			o[1] = o[1] - trail > o[0] ? o[1] - trail : o[0];
	}
}

static void fill(struct enc *x, const struct post *p)
{
	size_t extra = 0, old = x->n, at = 0;
	for (int i = 0; i < p->ntpl; i++)
		extra += p->tpl[i].sequence ? old : (size_t)p->tpl[i].n;
	struct enc y = *x;
	y.cap = extra + 1;
	y.id = xmalloc(y.cap * sizeof *y.id);
	y.offset = x->cp ? xmalloc(y.cap * sizeof *y.offset) : NULL;
	y.value = x->cp && x->t->trims ? xmalloc(y.cap * sizeof *y.value) : NULL;
	for (int i = 0; i < p->ntpl; i++) {
		const struct post_piece *q = &p->tpl[i];
		size_t n = q->sequence ? old : (size_t)q->n;
		if (!n)
			continue;
		memcpy(y.id + at, q->sequence ? x->id : q->id, n * sizeof *y.id);
		if (y.offset && q->sequence)
			memcpy(y.offset + at, x->offset, n * sizeof *y.offset);
		else if (y.offset)
			memset(y.offset + at, 0, n * sizeof *y.offset);
		if (y.value)
			memcpy(y.value + at, q->sequence ? x->value : q->token, n * sizeof *y.value);
		at += n;
	}
	y.n = at;
	free(x->id);
	free(x->offset);
	free(x->value);
	*x = y;
}

int post_run(struct enc *x, bool special)
{
	for (size_t i = 0; i < x->t->npost; i++) {
		const struct post *p = &x->t->post[i];
		if (p->trim && x->value)
			trim(x, p);
		if (p->tpl && special)
			fill(x, p);
	}
	return 0;
}

/* ---- loading ---- */

static int special_ids(struct tokenizer *t, struct value specials, struct str name, struct post_piece *q, struct err *e)
{
	int n = str_shown(name);
	const struct value *s = specials.type == V_DICT ? v_get(specials, name) : NULL;
	const struct value *ids = s && s->type == V_DICT ? v_getc(*s, "ids") : NULL;
	const struct value *tokens = s && s->type == V_DICT ? v_getc(*s, "tokens") : NULL;
	if (!ids || ids->type != V_LIST || !tokens || tokens->type != V_LIST || ids->list->n != tokens->list->n)
		return err_set(
			e, E_FORMAT,
			"%s: post-processor TemplateProcessing: special_tokens does not say ids and tokens of '%.*s'",
			t->name, n, name.p);
	q->n = (int)ids->list->n;
	q->id = ARENA_ARRAY(&t->a, ids->list->n, int32_t);
	q->token = ARENA_ARRAY(&t->a, ids->list->n, struct str);
	for (size_t i = 0; i < ids->list->n; i++) {
		struct value id = ids->list->v[i], tok = tokens->list->v[i];
		if (id.type != V_INT || id.i < 0 || id.i >= t->vocab || tok.type != V_STR)
			return err_set(e, E_FORMAT,
				       "%s: post-processor TemplateProcessing: '%.*s' has an id that no token has",
				       t->name, n, name.p);
		q->id[i] = (int32_t)id.i;
		q->token[i] = tok.s;
	}
	return 0;
}

static int template_load(struct tokenizer *t, struct post *p, struct value v, struct err *e)
{
	const struct value *single = v_getc(v, "single"), *specials = v_getc(v, "special_tokens");
	if (!single || single->type != V_LIST)
		return err_set(e, E_FORMAT, "%s: post-processor TemplateProcessing: single must be a list", t->name);
	p->ntpl = (int)single->list->n;
	p->tpl = ARENA_ARRAY(&t->a, single->list->n + 1, struct post_piece);
	int texts = 0;
	for (int i = 0; i < p->ntpl; i++) {
		struct value item = single->list->v[i];
		const struct value *seq = item.type == V_DICT ? v_getc(item, "Sequence") : NULL;
		const struct value *sp = item.type == V_DICT ? v_getc(item, "SpecialToken") : NULL;
		const struct value *id = seq && seq->type == V_DICT ? v_getc(*seq, "id")
					 : sp && sp->type == V_DICT ? v_getc(*sp, "id")
								    : NULL;
		if (!id || id->type != V_STR || (seq && !str_is(id->s, "A")))
			return err_set(e, E_FORMAT,
				       "%s: post-processor TemplateProcessing: item %d of single is neither a "
				       "SpecialToken nor the Sequence A",
				       t->name, i);
		p->tpl[i].sequence = seq != NULL;
		texts += seq != NULL;
		if (!seq && special_ids(t, specials ? *specials : VNONE, id->s, &p->tpl[i], e) < 0)
			return -1;
	}
	if (texts != 1)
		return err_set(e, E_UNSUPPORTED,
			       "%s: post-processor TemplateProcessing: single has the Sequence A %d times", t->name,
			       texts);
	return 0;
}

/* ["token", id] under key, as one piece of a template. */
static int read_mark(struct tokenizer *t, struct value v, const char *where, const char *key, struct post_piece *q,
		     struct err *e)
{
	const struct value *m = v_getc(v, key);
	if (!m || m->type != V_LIST || m->list->n != 2 || m->list->v[0].type != V_STR || m->list->v[1].type != V_INT)
		return err_set(e, E_FORMAT, "%s: %s: %s must be a token and its id", t->name, where, key);
	if (m->list->v[1].i < 0 || m->list->v[1].i >= t->vocab)
		return err_set(e, E_FORMAT, "%s: %s: %s has an id that no token has", t->name, where, key);
	*q = (struct post_piece){ .id = ARENA_ARRAY(&t->a, 1, int32_t), .token = ARENA_ARRAY(&t->a, 1, struct str), .n = 1 };
	q->id[0] = (int32_t)m->list->v[1].i;
	q->token[0] = m->list->v[0].s;
	return 0;
}

/* cls, the text, sep. */
static int bert_load(struct tokenizer *t, struct post *p, struct value v, struct err *e)
{
	static const char where[] = "post-processor BertProcessing";
	p->ntpl = 3;
	p->tpl = ARENA_ARRAY(&t->a, 3, struct post_piece);
	p->tpl[1].sequence = true;
	return read_mark(t, v, where, "cls", &p->tpl[0], e) < 0 ? -1 : read_mark(t, v, where, "sep", &p->tpl[2], e);
}

static int trim_load(struct tokenizer *t, struct post *p, struct value v, const char *where, struct err *e)
{
	if (comp_bool(t, v, where, "trim_offsets", -1, &p->trim, e) < 0 ||
	    comp_bool(t, v, where, "add_prefix_space", -1, &p->prefix_space, e) < 0)
		return -1;
	t->trims |= p->trim;
	return 0;
}

static int byte_level_load(struct tokenizer *t, struct post *p, struct value v, struct err *e)
{
	return trim_load(t, p, v, "post-processor ByteLevel", e);
}

static int roberta_load(struct tokenizer *t, struct post *p, struct value v, struct err *e)
{
	return bert_load(t, p, v, e) < 0 ? -1 : trim_load(t, p, v, "post-processor RobertaProcessing", e);
}

static int post_one(struct tokenizer *t, struct value v, struct str type, struct err *e)
{
	static const struct {
		const char *name;
		int (*load)(struct tokenizer *t, struct post *p, struct value v, struct err *e);
	} kinds[] = {
		{ "TemplateProcessing", template_load },
		{ "ByteLevel", byte_level_load },
		{ "BertProcessing", bert_load },
		{ "RobertaProcessing", roberta_load },
	};
	enum { N = sizeof kinds / sizeof kinds[0] };
	const char *words[N + 2] = { NULL };
	if (t->npost == TOK_MAX_COMPONENTS)
		return err_set(e, E_LIMIT, "%s: more than %d post-processors", t->name, TOK_MAX_COMPONENTS);
	for (size_t k = 0; k < N; k++) {
		if (str_is(type, kinds[k].name))
			return kinds[k].load(t, &t->post[t->npost++], v, e);
		words[k] = kinds[k].name;
	}
	words[N] = "Sequence";
	return comp_unknown(t, "post-processor", type, words, e);
}

int post_load(struct tokenizer *t, struct value v, struct err *e)
{
	return comp_each(t, v, "post-processor", "processors", post_one, 0, e);
}
