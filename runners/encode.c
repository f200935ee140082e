/* encode.c - see encode.h. The order of steps follows lm-evaluation-harness 0.4.13's api/model.py (loglikelihood,
 * _encode_pair), models/huggingface.py (tok_encode, tok_batch_encode, _loglikelihood_tokens, generate_until) and utils.py
 * (get_rolling_token_windows, make_disjoint_window), read for their facts.
 *
 * Special tokens: BOS_AUTO and BOS_ON ask the tokenizer's post-processor, BOS_ON also puts the BOS in front where that
 * does not (as transformers rebuilds it for add_bos_token=True), BOS_OFF asks for none. A text that begins with the text
 * of the prefix token (loglik, rolling) or of the BOS (generation) gets none: chat templates write their own.
 */
#include "runners/encode.h"

#include <string.h>

#include "runners/text/utf8.h"

int encoder_max_length(int config_positions, const struct tokenizer *tok)
{
	if (config_positions > 0)
		return config_positions;
	double n = tok ? tokenizer_model_max_length(tok) : 0;
	return n >= 1 && n < 1e9 ? (int)n : 2048;
}

int encoder_init(struct encoder *en, const struct tokenizer *tok, int vocab, int max_length, struct err *e)
{
	*en = (struct encoder){ .tok = tok, .vocab = vocab, .max_length = max_length, .bos = -1, .eos = -1, .prefix = -1, .last_flags = -1 };
	arena_init(&en->arena);
	if (!tok)
		return 0;
	en->bos = tokenizer_bos(tok);
	en->eos = tokenizer_eos(tok);
	en->prefix = en->bos >= 0 ? en->bos : en->eos;
	if (en->bos >= 0) {
		struct str s = tokenizer_token(tok, en->bos);
		if (s.p)
			en->bos_text = arena_str(&en->arena, s.p, s.n);
	}
	if (en->prefix >= 0 && tokenizer_decode(tok, &en->prefix, 1, false, &en->arena, &en->prefix_text, e)) {
		encoder_fini(en);
		return -1;
	}
	return 0;
}

void encoder_fini(struct encoder *en)
{
	arena_fini(&en->arena);
	buf_fini(&en->last_text);
	buf_fini(&en->last_ids);
}

enum specials { SPECIALS_NONE, SPECIALS_AUTO, SPECIALS_ON };

static enum specials specials_for(enum bos bos, struct str text, struct str own)
{
	if (own.p && str_starts(text, own))
		return SPECIALS_NONE;
	return bos == BOS_OFF ? SPECIALS_NONE : bos == BOS_ON ? SPECIALS_ON : SPECIALS_AUTO;
}

static int tokenize(struct encoder *en, struct str text, enum specials sp, bool offsets, struct arena *a, struct ids *out, struct err *e)
{
	int flags = (sp != SPECIALS_NONE ? TOK_SPECIAL : 0) | (offsets ? TOK_OFFSETS : 0);
	if (tokenizer_encode(en->tok, text, flags, a, out, e))
		return -1;
	if (sp == SPECIALS_ON && en->bos >= 0 && (out->n == 0 || out->id[0] != en->bos)) {
		int32_t *id = ARENA_ARRAY(a, out->n + 1, int32_t);
		id[0] = en->bos;
		memcpy(id + 1, out->id, (size_t)out->n * sizeof *id);
		if (offsets) {
			int32_t(*at)[2] = arena_array(a, (size_t)out->n + 1, sizeof *at);
			memcpy(at + 1, out->offset, (size_t)out->n * sizeof *at);
			out->offset = at;
		}
		out->id = id;
		out->n++;
	}
	return 0;
}

/* tokenize without offsets, remembering the last text: the choices of a document share their context. */
static int tokenize_context(struct encoder *en, struct str text, enum specials sp, struct arena *a, struct ids *out, struct err *e)
{
	struct str last = { en->last_text.p, en->last_text.n };
	if (en->last_flags == (int)sp && str_eq(last, text)) {
		out->n = (int)(en->last_ids.n / sizeof *out->id);
		out->id = ARENA_ARRAY(a, out->n, int32_t);
		out->offset = NULL;
		if (out->n)
			memcpy(out->id, en->last_ids.p, en->last_ids.n);
		return 0;
	}
	if (tokenize(en, text, sp, false, a, out, e))
		return -1;
	en->last_flags = (int)sp;
	en->last_text.n = en->last_ids.n = 0;
	buf_add(&en->last_text, text.p, text.n);
	buf_add(&en->last_ids, out->id, (size_t)out->n * sizeof *out->id);
	return 0;
}

static struct str join(struct arena *a, struct str x, struct str y)
{
	char *p = arena_alloc(a, x.n + y.n + 1);
	if (x.n)
		memcpy(p, x.p, x.n);
	if (y.n)
		memcpy(p + x.n, y.p, y.n);
	return (struct str){ p, x.n + y.n };
}

static int no_prefix(struct err *e)
{
	return err_set(e, E_UNSUPPORTED, "the tokenizer has neither a BOS nor an EOS token, so nothing can stand before an empty context");
}

/* ids of context then continuation into out->encoded; ncontext says where it is cut. */
static void put_pair(struct arena *a, struct work *out, const int32_t *ctx, int nctx, const int32_t *cont, int ncont)
{
	int32_t *ids = ARENA_ARRAY(a, nctx + ncont, int32_t);
	memcpy(ids, ctx, (size_t)nctx * sizeof *ids);
	if (ncont)
		memcpy(ids + nctx, cont, (size_t)ncont * sizeof *ids);
	out->encoded.ids = ids;
	out->encoded.nids = nctx + ncont;
	out->encoded.ncontext = nctx;
	out->ncontinuation = ncont;
}

/* An empty context: [prefix], or the continuation's own first token where that is the prefix (both split rules). */
static int pair_empty(struct encoder *en, struct str continuation, struct arena *a, struct work *out, struct err *e)
{
	struct ids c;
	if (tokenize(en, continuation, SPECIALS_NONE, false, a, &c, e))
		return -1;
	if (c.n == 0)
		return err_set(e, E_RANGE, "the continuation has no tokens");
	if (en->prefix < 0)
		return no_prefix(e);
	if (c.id[0] == en->prefix)
		put_pair(a, out, c.id, 1, c.id + 1, c.n - 1);
	else
		put_pair(a, out, &en->prefix, 1, c.id, c.n);
	return 0;
}

static int pair_lmeval(struct encoder *en, struct str context, struct str continuation, enum bos bos, struct arena *a, struct work *out,
		       struct err *e)
{
	struct str whole = join(a, context, continuation), head = str_rstrip(context);
	struct ids w, c;
	if (tokenize(en, whole, specials_for(bos, whole, en->prefix_text), false, a, &w, e))
		return -1;
	if (tokenize_context(en, head, specials_for(bos, head, en->prefix_text), a, &c, e))
		return -1;
	if (c.n == 0)
		return err_set(e, E_RANGE, "the context has no tokens once its trailing whitespace has moved to the continuation");
	put_pair(a, out, c.id, c.n, w.n > c.n ? w.id + c.n : NULL, w.n > c.n ? w.n - c.n : 0);
	return 0;
}

static int pair_native(struct encoder *en, struct str context, struct str continuation, enum bos bos, struct arena *a, struct work *out,
		       struct err *e)
{
	struct str whole = join(a, context, continuation);
	struct ids w;
	if (tokenize(en, whole, specials_for(bos, whole, en->prefix_text), true, a, &w, e))
		return -1;
	int32_t at = (int32_t)utf8_len(context);
	int cut = 0;
	while (cut < w.n && w.offset[cut][1] <= at)
		cut++;
	if (cut == 0) { /* the first token already holds some of the continuation */
		if (en->prefix < 0)
			return no_prefix(e);
		put_pair(a, out, &en->prefix, 1, w.id, w.n);
		int32_t(*off)[2] = arena_array(a, (size_t)w.n + 1, sizeof *off);
		memcpy(off + 1, w.offset, (size_t)w.n * sizeof *off);
		w.offset = off;
	} else {
		put_pair(a, out, w.id, cut, w.id + cut, w.n - cut);
	}
	out->encoded.offsets = &w.offset[0][0];
	return 0;
}

static int check_ids(const struct encoder *en, const int32_t *ids, int n, struct err *e)
{
	for (int i = 0; i < n; i++)
		if (ids[i] < 0 || ids[i] >= en->vocab)
			return err_set(e, E_RANGE, "token %d at position %d is outside the vocabulary of %d that the model's config.json gives", ids[i], i,
				       en->vocab);
	return 0;
}

static int need_tokenizer(const struct encoder *en, struct err *e)
{
	return en->tok ? 0 : err_set(e, E_UNSUPPORTED, "text needs a tokenizer, which the model's directory lacks");
}

static struct work_item *one_item(struct arena *a, struct work *out)
{
	out->item = ARENA_NEW(a, struct work_item);
	out->nitems = 1;
	return out->item;
}

static int request_loglik(struct encoder *en, const struct request *q, struct str text, struct arena *a, struct work *out, struct err *e)
{
	if (need_tokenizer(en, e))
		return -1;
	bool lmeval = q->encode.split == SPLIT_LMEVAL;
	if (q->context.has_ids) {
		struct ids c;
		if (tokenize(en, q->continuation, SPECIALS_NONE, false, a, &c, e))
			return -1;
		if (q->context.nids < 1)
			return err_set(e, E_RANGE, "the context has no tokens");
		put_pair(a, out, q->context.ids, q->context.nids, c.id, c.n);
	} else if (text.n == 0 ? pair_empty(en, q->continuation, a, out, e) :
		   lmeval ? pair_lmeval(en, text, q->continuation, q->encode.bos, a, out, e) :
			    pair_native(en, text, q->continuation, q->encode.bos, a, out, e)) {
		return -1;
	}
	struct encoded *enc = &out->encoded;
	enc->text = join(a, text, q->continuation);
	if (out->ncontinuation == 0)
		return err_set(e, E_RANGE, "the continuation has no tokens of its own (%d tokens of context)", enc->ncontext);
	if (out->ncontinuation > out->max_length)
		return err_set(e, E_RANGE, "the continuation has %d tokens, more than the longest input of %d", out->ncontinuation, out->max_length);
	if (check_ids(en, enc->ids, enc->nids, e))
		return -1;
	int drop = enc->nids - (out->max_length + 1);
	drop = drop > 0 ? drop : 0;
	struct work_item *it = one_item(a, out);
	it->ids = enc->ids + drop;
	it->n = enc->nids - drop - 1;
	it->first = it->n - out->ncontinuation;
	return 0;
}

/* Windows over u = [prefix] + tokens: each predicts up to `most` tokens that no earlier one predicted, from the inputs
 * before them, at most `most` of them. So the first has all its tokens' own past; later full ones one token of context. */
static int request_rolling(struct encoder *en, const struct request *q, struct str text, struct arena *a, struct work *out, struct err *e)
{
	struct ids t;
	const int most = out->max_length;
	if (q->context.has_ids) {
		t = (struct ids){ ARENA_ARRAY(a, q->context.nids, int32_t), NULL, q->context.nids };
		memcpy(t.id, q->context.ids, (size_t)t.n * sizeof *t.id);
	} else if (need_tokenizer(en, e) || tokenize(en, text, specials_for(q->encode.bos, text, en->prefix_text), false, a, &t, e)) {
		return -1;
	}
	bool again = q->encode.split == SPLIT_NATIVE && t.n > 0 && t.id[0] == en->prefix; /* it has its prefix already */
	out->encoded.text = text;
	if (t.n - again <= 0)
		return 0;
	if (!again && en->prefix < 0)
		return no_prefix(e);
	if (again)
		put_pair(a, out, t.id, 1, t.id + 1, t.n - 1);
	else
		put_pair(a, out, &en->prefix, 1, t.id, t.n);
	const int32_t *u = out->encoded.ids;
	int n = out->ncontinuation;
	if (check_ids(en, u, n + 1, e))
		return -1;
	out->nitems = (n - 1) / most + 1;
	out->item = ARENA_ARRAY(a, out->nitems, struct work_item);
	for (int i = 0, done = 0; i < out->nitems; i++) {
		int predict = n - done < most ? n - done : most, end = done + predict;
		int from = end > most ? end - most : 0;
		out->item[i] = (struct work_item){ .ids = u + from, .n = end - from, .first = end - from - predict,
						   .context = end - from - (predict - 1) };
		done = end;
	}
	return 0;
}

static int request_generate(struct encoder *en, const struct request *q, struct str text, struct arena *a, struct work *out, struct err *e)
{
	bool lmeval = q->encode.split == SPLIT_LMEVAL;
	struct ids t;
	if (q->context.has_ids) {
		t = (struct ids){ ARENA_ARRAY(a, q->context.nids, int32_t), NULL, q->context.nids };
		memcpy(t.id, q->context.ids, (size_t)t.n * sizeof *t.id);
	} else {
		struct str own = lmeval ? en->bos_text : en->prefix_text;
		if (need_tokenizer(en, e) || tokenize(en, text, specials_for(q->encode.bos, text, own), !lmeval && text.n > 0, a, &t, e))
			return -1;
		if (t.n == 0 && !lmeval && en->prefix >= 0)
			t = (struct ids){ &en->prefix, NULL, 1 };
	}
	if (t.n == 0)
		return err_set(e, E_RANGE, "the prompt has no tokens");
	put_pair(a, out, t.id, t.n, NULL, 0);
	out->encoded.offsets = t.offset ? &t.offset[0][0] : NULL;
	out->encoded.text = text;
	int room = out->max_length - q->decode.max_tokens;
	if (room <= 0)
		return err_set(e, E_RANGE, "max_tokens is %d, which leaves no room for a prompt in the longest input of %d", q->decode.max_tokens,
			       out->max_length);
	if (check_ids(en, out->encoded.ids, t.n, e))
		return -1;
	out->nused = t.n < room ? t.n : room;
	struct work_item *it = one_item(a, out);
	it->ids = out->encoded.ids + (t.n - out->nused);
	it->n = out->nused;
	it->first = it->n - 1;
	return 0;
}

static int request_ids(struct encoder *en, const struct request *q, struct str text, struct arena *a, struct work *out, struct err *e)
{
	(void)text;
	const struct prompt *p = &q->context;
	if (!p->has_ids || p->nids < 1)
		return err_set(e, E_RANGE, "there are no ids");
	if (p->nids > out->max_length)
		return err_set(e, E_RANGE, "%d ids are more than the longest input of %d", p->nids, out->max_length);
	if (check_ids(en, p->ids, p->nids, e))
		return -1;
	for (int i = 0; i < q->nlogits_at; i++)
		if (q->logits_at[i] < 0 || q->logits_at[i] >= p->nids || (i > 0 && q->logits_at[i] <= q->logits_at[i - 1]))
			return err_set(e, E_RANGE, "logits are asked for at position %d: positions must rise and lie below %d", q->logits_at[i], p->nids);
	put_pair(a, out, p->ids, p->nids, NULL, 0);
	struct work_item *it = one_item(a, out);
	it->ids = out->encoded.ids;
	it->n = p->nids;
	it->first = 0;
	return 0;
}

int encode_request(struct encoder *en, const struct request *q, struct str text, struct arena *a, struct work *out, struct err *e)
{
	static int (*const kinds[])(struct encoder *, const struct request *, struct str, struct arena *, struct work *, struct err *) = {
		[ASK_LOGLIK] = request_loglik,
		[ASK_ROLLING] = request_rolling,
		[ASK_GENERATE] = request_generate,
		[ASK_IDS] = request_ids,
	};
	*out = (struct work){ .max_length = q->encode.max_length > 0 ? q->encode.max_length : en->max_length };
	if (out->max_length > en->max_length)
		return err_set(e, E_RANGE, "max_length %d is more than the model's own %d", out->max_length, en->max_length);
	return kinds[q->ask](en, q, text, a, out, e);
}
