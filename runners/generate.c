/* generate.c - stopping and decoding of generated text (generate.h). Scheduling is session.c's, drawing the device's; how
 * tokens are drawn is written down here (NUMERICS.md section 5).
 *
 * The native rule is exact: a stop string of n bytes that has just been completed lies in the text of the last n tokens
 * that print something, so after each token only the text of the last n + 8 such tokens is searched (eight more, because
 * a decoder may treat the beginning of a text specially); a hit is looked up in the whole text.
 * Ids that the tokenizer does not know (rows of padding in the embedding) print nothing.
 */
#include "runners/generate.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/dmath.h"

#define LOG2E 1.4426950408889634

enum { NOT_FOUND = -1 };

static long find(struct str text, struct str what)
{
	if (what.n == 0)
		return 0;
	for (size_t i = 0; i + what.n <= text.n; i++) {
		const char *p = memchr(text.p + i, what.p[0], text.n - what.n - i + 1);
		if (!p)
			return NOT_FOUND;
		i = (size_t)(p - text.p);
		if (memcmp(p, what.p, what.n) == 0)
			return (long)i;
	}
	return NOT_FOUND;
}

static int decode_ids(const struct stops *s, const int32_t *ids, int n, bool skip_special, struct arena *a, struct str *out, struct err *e)
{
	int known = 0, vocab = tokenizer_vocab(s->tok);
	int32_t *keep = ARENA_ARRAY(a, n, int32_t);
	for (int i = 0; i < n; i++)
		if (ids[i] >= 0 && ids[i] < vocab)
			keep[known++] = ids[i];
	return tokenizer_decode(s->tok, keep, known, skip_special, a, out, e);
}

int stops_make(struct stops *out, const struct tokenizer *tok, const int32_t *eos, int neos, enum split_rule rule,
	       const struct str *until, int nuntil, struct arena *a, struct err *e)
{
	*out = (struct stops){ .tok = tok, .rule = rule, .eos = eos, .neos = neos, .tok_eos = tok ? tokenizer_eos(tok) : -1 };
	if (!tok && nuntil > 0)
		return err_set(e, E_UNSUPPORTED, "stop strings need a tokenizer, which the model's directory lacks");
	out->stop = ARENA_ARRAY(a, nuntil + 1, struct str);
	out->look = ARENA_ARRAY(a, nuntil + 1, int);
	bool has_eos = false;
	struct str eos_text = { NULL, 0 };
	if (rule == SPLIT_LMEVAL && out->tok_eos >= 0)
		if (tokenizer_decode(tok, &out->tok_eos, 1, false, a, &eos_text, e))
			return -1;
	for (int i = 0; i < nuntil; i++) {
		has_eos |= str_eq(until[i], eos_text);
		if (rule == SPLIT_LMEVAL || until[i].n > 0)
			out->stop[out->n++] = arena_str(a, until[i].p, until[i].n);
	}
	if (eos_text.p && !has_eos)
		out->stop[out->n++] = eos_text;
	for (int i = 0; i < out->n; i++) {
		if (rule == SPLIT_LMEVAL) {
			struct ids ids;
			if (tokenizer_encode(tok, out->stop[i], 0, a, &ids, e))
				return -1;
			out->look[i] = ids.n + 2;
		} else {
			out->look[i] = out->stop[i].n < 1 << 20 ? (int)out->stop[i].n + 8 : 1 << 20;
		}
	}
	return 0;
}

int decode_check(const struct decode *d, struct err *e)
{
	if (d->max_tokens < 1)
		return err_set(e, E_RANGE, "max_tokens is %d, it must be at least 1", d->max_tokens);
	if (!(d->temperature >= 0 && d->temperature < 1e6))
		return err_set(e, E_RANGE, "temperature is %g, it must be at least 0", d->temperature);
	if (d->temperature > 0 && d->temperature < 1e-6)
		return err_set(e, E_RANGE, "temperature is %g, it must be 0 or at least 1e-6", d->temperature);
	if (d->temperature > 0 && !(d->top_p > 0 && d->top_p <= 1))
		return err_set(e, E_RANGE, "top_p is %g, it must be above 0 and at most 1", d->top_p);
	if (d->temperature > 0 && !(d->min_p >= 0 && d->min_p <= 1))
		return err_set(e, E_RANGE, "min_p is %g, it must be 0 to 1", d->min_p);
	if (d->repetition_penalty != 0 && !(d->repetition_penalty >= 0.01 && d->repetition_penalty <= 10))
		return err_set(e, E_RANGE, "repetition_penalty is %g, it must be 0.01 to 10", d->repetition_penalty);
	if (d->top_k < 0)
		return err_set(e, E_RANGE, "top_k is %d, it must be at least 0", d->top_k);
	return 0;
}

static uint32_t word(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static struct draw first_draw(const struct decode *d, const int32_t *prompt, int nprompt)
{
	unsigned char hash[DIGEST_BYTES];
	struct digest *h = digest_new();
	for (int i = 0; i < nprompt; i++) {
		uint32_t id = (uint32_t)prompt[i];
		unsigned char b[4] = { (unsigned char)id, (unsigned char)(id >> 8), (unsigned char)(id >> 16), (unsigned char)(id >> 24) };
		digest_add(h, b, 4);
	}
	digest_end(h, hash);
	double far = d->min_p > 0 ? -dm_log(d->min_p) * LOG2E : 0;
	if (d->min_p > 0 && !(far > 0))
		far = 0x1p-1074; /* the best alone */
	return (struct draw){ .far = far, .scale = LOG2E / d->temperature, .share = (uint64_t)(d->top_p * 4294967296.0), .top_k = d->top_k,
			      .counter = { (uint32_t)nprompt, (uint32_t)d->sample, word(hash), word(hash + 4) ^ (uint32_t)(d->sample >> 32) },
			      .key = { (uint32_t)d->seed, (uint32_t)(d->seed >> 32) } };
}

void gen_init(struct gen *g, const struct decode *d, const int32_t *prompt, int nprompt)
{
	*g = (struct gen){ .decode = d, .prompt = prompt, .nprompt = nprompt };
	if (d->temperature > 0)
		g->draw = first_draw(d, prompt, nprompt);
}

void gen_draw(const struct gen *g, struct draw *out)
{
	*out = g->draw;
	out->counter[0] += (uint32_t)g->n;
}

float gen_penalty(const struct decode *d)
{
	return d->repetition_penalty == 1 ? 0 : (float)d->repetition_penalty;
}

void gen_seen(const struct gen *g, uint32_t *bits)
{
	for (int i = 0; i < g->nprompt; i++)
		bits[g->prompt[i] / 32] |= UINT32_C(1) << g->prompt[i] % 32;
	for (int i = 0; i < g->n; i++)
		bits[g->ids[i] / 32] |= UINT32_C(1) << g->ids[i] % 32;
}

void gen_fini(struct gen *g)
{
	free(g->ids);
	g->ids = NULL;
}

/* The last `look` ids; native: so many that print something. */
static int tail_from(const struct gen *g, int look)
{
	const struct stops *s = g->stops;
	int from = g->n;
	while (from > 0 && look > 0) {
		from--;
		bool prints = true;
		if (s->rule == SPLIT_NATIVE) {
			struct str t = { NULL, 0 };
			if (g->ids[from] < tokenizer_vocab(s->tok))
				t = tokenizer_token(s->tok, g->ids[from]);
			prints = t.p && t.n > 0 && !tokenizer_is_special(s->tok, g->ids[from]);
		}
		look -= prints;
	}
	return from;
}

static int stop_seen(const struct gen *g, struct arena *a, bool *seen, struct err *e)
{
	const struct stops *s = g->stops;
	bool native = s->rule == SPLIT_NATIVE;
	int from = -1;
	struct str text = { NULL, 0 };
	*seen = false;
	for (int i = 0; i < s->n && !*seen; i++) {
		int f = tail_from(g, s->look[i]);
		if (f != from) {
			if (decode_ids(s, g->ids + f, g->n - f, native, a, &text, e))
				return -1;
			from = f;
		}
		*seen = find(text, s->stop[i]) >= 0;
	}
	return 0;
}

bool gen_next(struct gen *g, int32_t id, struct arena *scratch)
{
	const struct stops *s = g->stops;
	if (id < 0) {
		err_set(&g->why, E_DEVICE, "the model's logits are not numbers after %d tokens", g->nprompt + g->n);
		return false;
	}
	if ((g->n & (g->n - 1)) == 0) /* 0, 1, 2, 4, ...: room for as many again */
		g->ids = xrealloc(g->ids, (g->n ? 2 * (size_t)g->n : 1) * sizeof *g->ids);
	g->ids[g->n++] = id;
	for (int i = 0; i < s->neos; i++)
		if (id == s->eos[i])
			g->stop = STOP_EOS;
	bool seen = false;
	if (g->stop == STOP_NONE && s->n > 0 && stop_seen(g, scratch, &seen, &g->why))
		return false;
	if (seen)
		g->stop = s->rule == SPLIT_LMEVAL && id == s->tok_eos ? STOP_EOS : STOP_UNTIL;
	if (g->stop == STOP_NONE && g->n >= g->decode->max_tokens)
		g->stop = STOP_LENGTH;
	return g->stop == STOP_NONE;
}

int gen_text(const struct gen *g, struct arena *a, struct str *out, struct err *e)
{
	const struct stops *s = g->stops;
	*out = STR("");
	if (!s->tok)
		return 0;
	bool native = s->rule == SPLIT_NATIVE;
	int n = g->n - (native && g->stop == STOP_EOS);
	if (decode_ids(s, g->ids, n, true, a, out, e))
		return -1;
	size_t cut = out->n;
	for (int i = 0; i < s->n; i++) {
		struct str text = { out->p, native ? out->n : cut };
		long at = s->stop[i].n ? find(text, s->stop[i]) : NOT_FOUND;
		if (at >= 0 && (size_t)at < cut)
			cut = (size_t)at;
	}
	*out = arena_str(a, out->p, cut);
	return 0;
}
