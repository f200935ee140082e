/* runner_engine.c - our own inference core as a runner: a model, a tokenizer, a chat template, one cache.
 *
 * runner_run in order: every request becomes token sequences (encode.c), all of them one trie (plan.c), computed in batches
 * (session.c); log-probabilities of an item arrive row by row into one array and are summed in token order when the last
 * is there, so an answer does not depend on the schedule.
 * What goes wrong inside one request (too long, bad ids, a template's own error, logits that are not numbers) is that
 * request's failed answer. The device failing or the caller's stop end the run. Memory: budget.h.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/log.h"
#include "runners/budget.h"
#include "runners/chat.h"
#include "runners/encode.h"
#include "runners/generate.h"
#include "runners/kinds.h"
#include "runners/model.h"
#include "runners/plan.h"
#include "runners/session.h"

enum { SCHEDULE_CHECK = 256 };

struct engine {
	struct runner base;
	struct device *dev;
	struct model *model;
	struct tokenizer *tok; /* NULL: ids alone */
	struct chat chat;
	struct encoder encoder;
	int32_t eos[16];
	int neos;
	bool no_share;
	bool plan_only;        /* weights are not read */
	bool warned_system;    /* once for a model is enough */
	struct arena scratch;  /* one request's */
	struct budget budget;
	/* the session's device memory: opened by the first run, kept */
	struct forward *forward;
	struct cache cache;
	bool has_cache;
};

/* -- opening -- */

static int check_directory(const char *dir, struct err *e)
{
	struct stat st;
	if (!dir)
		return err_set(e, E_USAGE, "no model is named");
	if (stat(dir, &st) != 0)
		return err_errno(e, E_IO, "model %s", dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, E_IO, "model %s is not a directory (one in Hugging Face layout is needed: config.json, *.safetensors, tokenizer.json)", dir);
	return 0;
}

static int open_tokenizer(struct engine *r, const struct runner_opts *o, struct err *e)
{
	if (o->no_tokenizer && !tokenizer_there(o->model))
		return 0;
	if (tokenizer_open(&r->tok, o->model, e))
		return -1;
	return chat_open(&r->chat, o->model, e);
}

static void engine_close(struct runner *base)
{
	struct engine *r = (struct engine *)base;
	if (r->has_cache)
		cache_close(&r->cache, r->model);
	if (r->forward)
		forward_close(r->forward);
	encoder_fini(&r->encoder);
	chat_close(&r->chat);
	if (r->tok)
		tokenizer_close(r->tok);
	if (r->model)
		model_close(r->model);
	if (r->dev)
		device_close(r->dev);
	arena_fini(&r->scratch);
	free(r);
}

static void fill_info(struct engine *r)
{
	const struct model_info *mi = model_info(r->model);
	struct runner_info *in = &r->base.info;
	snprintf(in->family, sizeof in->family, "%s", mi->family);
	snprintf(in->numerics, sizeof in->numerics, "%s", device_numerics(r->dev)); /* the whole id: of the journal's key too */
	snprintf(in->device, sizeof in->device, "%s", device_describe(r->dev));
	unsigned char d[DIGEST_BYTES] = { 0 };
	if (r->tok)
		tokenizer_digest(r->tok, d);
	digest_hex(d, in->tokenizer_digest);
	in->vocab = mi->vocab;
	in->max_length = encoder_max_length(mi->max_positions, r->tok);
	in->params_total = mi->params_total;
	in->params_active = mi->params_active;
	in->has_tokenizer = r->tok != NULL;
	in->has_chat_template = r->chat.jinja != NULL;
	in->weights_skipped = mi->skipped;
	in->weights_unknown = mi->unknown;
	in->weights_bytes = mi->weights_bytes;
	in->packed_bytes = mi->packed_bytes;
	in->bos = r->tok ? tokenizer_bos(r->tok) : mi->bos;
	in->eos = r->tok ? tokenizer_eos(r->tok) : mi->neos ? mi->eos[0] : -1;
	in->prefix = in->bos >= 0 ? in->bos : in->eos;
	for (int i = 0; i < mi->neos && i < (int)(sizeof r->eos / sizeof *r->eos); i++)
		r->eos[r->neos++] = mi->eos[i];
	if (r->neos == 0 && in->eos >= 0)
		r->eos[r->neos++] = in->eos;
}

static int open_parts(struct engine *r, const struct runner_opts *o, struct err *e)
{
	struct device_opts d = { .name = o->device ? o->device : "cpu", .threads = o->threads, .max_level = o->max_level, .numerics = o->numerics };
	if (check_directory(o->model, e) || device_open(&r->dev, &d, e) || model_plan(&r->model, o->model, r->dev, e) || open_tokenizer(r, o, e))
		return -1;
	fill_info(r);
	budget_make(&r->budget, r->model, o->memory, o->batch_rows, r->base.info.max_length);
	if (o->strict && r->base.info.weights_unknown)
		return err_set(e, E_FORMAT, "--strict: %s: tensor '%s' is not known to the family %s (%d in all)", o->model,
			       model_info(r->model)->first_unknown, r->base.info.family, r->base.info.weights_unknown);
	if (r->plan_only)
		return 0;
	if (budget_check(&r->budget, o->model, e) || model_read(r->model, e))
		return -1;
	digest_hex(model_info(r->model)->digest, r->base.info.digest);
	r->no_share = o->no_share;
	return encoder_init(&r->encoder, r->tok, r->base.info.vocab, r->base.info.max_length, e);
}

static int open_engine(struct runner **out, const struct runner_opts *o, bool plan_only, struct err *e)
{
	struct engine *r = xcalloc(1, sizeof *r);
	r->plan_only = plan_only;
	r->base.kind = &runner_engine;
	arena_init(&r->scratch);
	arena_init(&r->encoder.arena);
	if (open_parts(r, o, e)) {
		engine_close(&r->base);
		return -1;
	}
	*out = &r->base;
	return 0;
}

static int engine_open(struct runner **out, const struct runner_opts *o, struct err *e)
{
	return open_engine(out, o, false, e);
}

/* -- prompts, ids, keys -- */

static int engine_render(struct runner *base, const struct request *q, struct arena *a, struct str *out, struct err *e)
{
	struct engine *r = (struct engine *)base;
	const struct prompt *p = &q->context;
	*out = p->has_ids ? STR("") : p->text;
	if (!out->p)
		*out = STR("");
	if (p->nmessages <= 0)
		return 0;
	struct err first = { .code = E_NONE };
	if (chat_prompt(&r->chat, p, q->encode.date, false, a, out, &first) == 0)
		return 0;
	bool system = false;
	for (int i = 0; i < p->nmessages; i++)
		system |= str_is(p->messages[i].role, "system");
	/* lm-evaluation-harness tries again without system messages when a template refuses (SCORING.md 2.9) */
	if (q->encode.split == SPLIT_LMEVAL && system && r->chat.jinja && chat_prompt(&r->chat, p, q->encode.date, true, a, out, NULL) == 0) {
		if (!r->warned_system)
			log_warn("the chat template refuses system messages (%s): they are left out, as lm-evaluation-harness does", first.msg);
		r->warned_system = true;
		return 0;
	}
	return err_set(e, first.code, "%s", first.msg);
}

static int make_work(struct engine *r, const struct request *q, struct arena *a, struct work *w, struct err *e)
{
	struct str text;
	if (engine_render(&r->base, q, a, &text, e))
		return -1;
	if (q->ask == ASK_GENERATE && decode_check(&q->decode, e))
		return -1;
	return encode_request(&r->encoder, q, text, a, w, e);
}

static int engine_encode(struct runner *base, const struct request *q, struct arena *a, struct encoded *out, struct err *e)
{
	struct work w;
	if (make_work((struct engine *)base, q, a, &w, e))
		return -1;
	*out = w.encoded;
	return 0;
}

static int engine_decode(struct runner *base, const int32_t *ids, int n, bool skip_special, struct arena *a, struct str *out, struct err *e)
{
	struct engine *r = (struct engine *)base;
	if (!r->tok)
		return err_set(e, E_UNSUPPORTED, "text needs a tokenizer, which the model's directory lacks");
	return tokenizer_decode(r->tok, ids, n, skip_special, a, out, e);
}

static void key_ids(struct digest *d, const int32_t *ids, int n)
{
	digest_u64(d, (uint64_t)n);
	for (int i = 0; i < n;) {
		unsigned char b[1024];
		size_t k = 0;
		for (; i < n && k < sizeof b; i++, k += 4) {
			uint32_t v = (uint32_t)ids[i];
			b[k] = (unsigned char)v;
			b[k + 1] = (unsigned char)(v >> 8);
			b[k + 2] = (unsigned char)(v >> 16);
			b[k + 3] = (unsigned char)(v >> 24);
		}
		digest_add(d, b, k);
	}
}

static void key_double(struct digest *d, double x)
{
	uint64_t u;
	memcpy(&u, &x, sizeof u);
	digest_u64(d, u);
}

static void key_decode(struct digest *d, const struct request *q)
{
	const struct decode *c = &q->decode;
	digest_u64(d, (uint64_t)q->encode.split); /* the stop rule */
	digest_u64(d, (uint64_t)c->max_tokens);
	digest_u64(d, (uint64_t)c->nuntil);
	for (int i = 0; i < c->nuntil; i++)
		digest_field(d, c->until[i].p, c->until[i].n);
	key_double(d, c->temperature > 0 ? c->temperature : 0);
	if (c->temperature > 0) { /* greedy text does not depend on the rest */
		key_double(d, c->top_p);
		digest_u64(d, (uint64_t)c->top_k);
		digest_u64(d, c->seed);
		digest_u64(d, c->sample);
		if (c->min_p > 0)
			key_double(d, c->min_p);
	}
	if (gen_penalty(c) > 0) {
		digest_field(d, "repetition_penalty", 18);
		key_double(d, c->repetition_penalty);
	}
}

static int engine_key(struct runner *base, const struct request *q, struct keyed *out, struct err *e)
{
	struct engine *r = (struct engine *)base;
	struct work w;
	arena_reset(&r->scratch);
	if (make_work(r, q, &r->scratch, &w, e))
		return -1;
	*out = (struct keyed){ .ncontext = w.encoded.ncontext, .ncontinuation = w.ncontinuation, .nused = w.nused };
	const struct runner_info *in = &base->info;
	struct digest *d = digest_new();
	digest_field(d, "assay key 1", 11);
	digest_field(d, in->digest, DIGEST_HEX - 1);
	digest_field(d, in->tokenizer_digest, DIGEST_HEX - 1);
	digest_field(d, in->numerics, strlen(in->numerics));
	digest_u64(d, (uint64_t)q->ask);
	switch (q->ask) {
	case ASK_LOGLIK:
		key_ids(d, w.item->ids, w.item->first + 1);
		key_ids(d, w.item->ids + w.item->first + 1, w.ncontinuation);
		break;
	case ASK_ROLLING:
		key_ids(d, w.encoded.ids, w.encoded.nids);
		digest_u64(d, (uint64_t)w.max_length);
		break;
	case ASK_GENERATE:
		key_ids(d, w.item->ids, w.item->n);
		key_decode(d, q);
		break;
	case ASK_IDS:
		key_ids(d, w.item->ids, w.item->n);
		digest_u64(d, (uint64_t)q->nlogits_at);
		for (int i = 0; i < q->nlogits_at; i++)
			digest_u64(d, (uint64_t)q->logits_at[i]);
		break;
	}
	digest_end(d, out->key);
	return 0;
}

/* -- a run -- */

struct job { /* one request */
	uint32_t item, nitems;
	size_t left;    /* scored rows still to come; generation: 1 until it has ended */
	size_t result;  /* of its first scored row */
	int ncontext, ncontinuation, nused;
	const struct window *windows;
	float *logits;  /* ASK_IDS: rows asked for, made by the first */
	int nlogits;
	struct gen *gen;
	size_t stops;   /* which of the run's lists of stop strings */
};

struct run {
	struct engine *r;
	const struct request *q;
	size_t n;
	answer_fn *done;
	progress_fn *progress;
	void *ctx;
	struct arena arena;         /* ids, windows, jobs of generation: the run's */
	struct job *job;
	struct plan_item *item;
	uint32_t *item_job;
	size_t *item_result;        /* of row `first` */
	size_t nitems, cap_items;
	double *logprob;            /* [results] */
	int32_t *argmax;
	size_t nresults, answered;
	struct stops *stops;        /* one per distinct list of stop strings */
	const struct request **stops_of; /* a request that has it */
	size_t nstops, cap_stops;
};

static void give(struct run *u, size_t i, const struct answer *a)
{
	u->answered++;
	u->done(u->ctx, i, a);
}

static void give_failed(struct run *u, size_t i, const struct err *why)
{
	struct answer a = { .status = ANSWER_FAILED, .why = *why, .ncontext = u->job[i].ncontext, .ncontinuation = u->job[i].ncontinuation };
	give(u, i, &a);
}

static void answer_scored(struct run *u, size_t i)
{
	struct job *j = &u->job[i];
	const struct request *q = &u->q[i];
	struct answer a = { .status = ANSWER_OK, .ncontext = j->ncontext, .ncontinuation = j->ncontinuation, .windows = j->windows,
			    .logprobs = u->logprob + j->result, .argmax = u->argmax + j->result, .greedy = true,
			    .vocab = u->r->base.info.vocab };
	if (j->windows)
		a.nwindows = (int)j->nitems;
	size_t at = j->result;
	for (uint32_t k = j->item; k < j->item + j->nitems; k++) {
		const struct plan_item *it = &u->item[k];
		for (int32_t row = it->first; row < it->n; row++, at++) {
			if (it->open && row == it->n - 1)
				continue;
			a.logprob += u->logprob[at];
			a.greedy &= u->argmax[at] == it->ids[row + 1];
			a.ntokens++;
		}
	}
	a.nlogprobs = a.ntokens;
	a.nargmax = (int)(at - j->result);
	a.logits = j->logits;
	if (q->ask != ASK_IDS && isnan(a.logprob)) {
		struct err why;
		err_set(&why, E_DEVICE, "the model's logits are not numbers");
		give_failed(u, i, &why);
	} else {
		give(u, i, &a);
	}
	free(j->logits);
	j->logits = NULL;
}

static void answer_generated(struct run *u, size_t i)
{
	struct job *j = &u->job[i];
	struct gen *g = j->gen;
	struct answer a = { .status = ANSWER_OK, .ncontext = j->ncontext, .ncontinuation = g->n, .nused = j->nused, .ids = g->ids, .nids = g->n,
			    .stop = g->stop };
	arena_reset(&u->r->scratch);
	if (g->why.code != E_NONE || gen_text(g, &u->r->scratch, &a.text, &g->why))
		give_failed(u, i, &g->why);
	else
		give(u, i, &a);
	gen_fini(g);
	j->gen = NULL;
}

static void on_scored(void *ctx, uint32_t item, int32_t row, const struct lse *l, const float *logits)
{
	struct run *u = ctx;
	size_t i = u->item_job[item], at = u->item_result[item] + (size_t)(row - u->item[item].first);
	struct job *j = &u->job[i];
	u->logprob[at] = lse_logprob(l);
	u->argmax[at] = l->argmax;
	if (logits) {
		size_t v = (size_t)u->r->base.info.vocab;
		if (!j->logits)
			j->logits = xcalloc((size_t)u->q[i].nlogits_at, v * sizeof *j->logits);
		memcpy(j->logits + (size_t)j->nlogits++ * v, logits, v * sizeof *logits);
	}
	if (--j->left == 0)
		answer_scored(u, i);
}

static void on_draw(void *ctx, uint32_t item, struct draw *out)
{
	struct run *u = ctx;
	gen_draw(u->job[u->item_job[item]].gen, out);
}

static void on_seen(void *ctx, uint32_t item, uint32_t *bits)
{
	struct run *u = ctx;
	gen_seen(u->job[u->item_job[item]].gen, bits);
}

static bool on_next(void *ctx, uint32_t item, int32_t token)
{
	struct run *u = ctx;
	size_t i = u->item_job[item];
	arena_reset(&u->r->scratch);
	if (gen_next(u->job[i].gen, token, &u->r->scratch))
		return true;
	u->job[i].left = 0;
	answer_generated(u, i);
	return false;
}

static int on_progress(void *ctx, double rows, double total)
{
	struct run *u = ctx;
	struct progress p = { .done = u->answered, .total = u->n, .tokens_done = rows, .tokens_total = total };
	return u->progress ? u->progress(u->ctx, &p) : 0;
}

static bool same_stops(const struct request *a, const struct request *b)
{
	if (a->encode.split != b->encode.split || a->decode.nuntil != b->decode.nuntil)
		return false;
	for (int i = 0; i < a->decode.nuntil; i++)
		if (!str_eq(a->decode.until[i], b->decode.until[i]))
			return false;
	return true;
}

static int find_stops(struct run *u, const struct request *q, size_t *out, struct err *e)
{
	for (size_t k = u->nstops; k-- > 0;)
		if (same_stops(u->stops_of[k], q)) {
			*out = k;
			return 0;
		}
	if (u->nstops == u->cap_stops) {
		u->cap_stops = u->cap_stops ? 2 * u->cap_stops : 8;
		u->stops = xrealloc(u->stops, u->cap_stops * sizeof *u->stops);
		u->stops_of = xrealloc(u->stops_of, u->cap_stops * sizeof *u->stops_of);
	}
	struct engine *r = u->r;
	if (stops_make(&u->stops[u->nstops], r->tok, r->eos, r->neos, q->encode.split, q->decode.until, q->decode.nuntil, &u->arena, e))
		return -1;
	u->stops_of[u->nstops] = q;
	*out = u->nstops++;
	return 0;
}

static void add_item(struct run *u, size_t job, const struct plan_item *it)
{
	if (u->nitems == u->cap_items) {
		u->cap_items = u->cap_items ? 2 * u->cap_items : 1024;
		u->item = xrealloc(u->item, u->cap_items * sizeof *u->item);
		u->item_job = xrealloc(u->item_job, u->cap_items * sizeof *u->item_job);
		u->item_result = xrealloc(u->item_result, u->cap_items * sizeof *u->item_result);
	}
	u->item[u->nitems] = *it;
	u->item_job[u->nitems] = (uint32_t)job;
	u->item_result[u->nitems++] = u->nresults;
	if (!it->generate)
		u->nresults += (size_t)(it->n - it->first);
}

/* Items of one encoded request; its ids move to the run's arena. */
static int add_job(struct run *u, size_t i, const struct work *w, int most, struct err *e)
{
	const struct request *q = &u->q[i];
	struct job *j = &u->job[i];
	const bool generate = q->ask == ASK_GENERATE;
	j->ncontext = w->encoded.ncontext;
	j->ncontinuation = w->ncontinuation;
	j->nused = w->nused;
	j->item = (uint32_t)u->nitems;
	j->nitems = (uint32_t)w->nitems;
	j->result = u->nresults;
	const int growth = generate ? q->decode.max_tokens - 1 : 0;
	for (int k = 0; k < w->nitems; k++) {
		int64_t need = ((int64_t)w->item[k].n + growth + KV_PAGE - 1) / KV_PAGE;
		if (need > most)
			return err_set(e, E_MEMORY, "%lld positions of KV cache are needed, the memory limit holds %lld (%zu bytes a position)",
				       (long long)w->item[k].n + growth, (long long)most * KV_PAGE, model_info(u->r->model)->kv_page_bytes / KV_PAGE);
	}
	if (generate && find_stops(u, q, &j->stops, e))
		return -1;
	int32_t *ids = ARENA_ARRAY(&u->arena, w->encoded.nids + 1, int32_t);
	if (w->encoded.nids)
		memcpy(ids, w->encoded.ids, (size_t)w->encoded.nids * sizeof *ids);
	struct window *windows = q->ask == ASK_ROLLING ? ARENA_ARRAY(&u->arena, w->nitems + 1, struct window) : NULL;
	j->windows = windows;
	const int rope_switch = model_info(u->r->model)->rope_switch;
	for (int k = 0; k < w->nitems; k++) {
		const struct work_item *wi = &w->item[k];
		struct plan_item it = { .ids = ids + (wi->ids - w->encoded.ids), .n = wi->n, .first = wi->first,
					.far = rope_switch && wi->n > rope_switch, .open = generate || q->ask == ASK_IDS,
					.generate = generate, .growth = growth };
		if (generate)
			it.penalty = gen_penalty(&q->decode), it.draws = q->decode.temperature > 0 || it.penalty > 0;
		else if (q->ask == ASK_IDS && q->nlogits_at > 0)
			it.logits_at = q->logits_at, it.nlogits_at = q->nlogits_at;
		if (windows)
			windows[k] = (struct window){ wi->context, wi->n - wi->first };
		add_item(u, i, &it);
	}
	j->left = generate ? 1 : u->nresults - j->result;
	if (generate) {
		j->gen = ARENA_NEW(&u->arena, struct gen);
		gen_init(j->gen, &q->decode, ids + (w->item->ids - w->encoded.ids), w->item->n);
	}
	return 0;
}

static int collect(struct run *u, struct err *e)
{
	struct engine *r = u->r;
	int most = budget_pages(&r->budget);
	most = most < r->budget.pages_per_sequence ? most : r->budget.pages_per_sequence;
	for (size_t i = 0; i < u->n; i++) {
		struct err why = { .code = E_NONE };
		struct work w;
		arena_reset(&r->scratch);
		if (make_work(r, &u->q[i], &r->scratch, &w, &why) || add_job(u, i, &w, most, &why))
			give_failed(u, i, &why);
		else if (u->job[i].left == 0)
			answer_scored(u, i); /* a text without tokens */
		if (i % SCHEDULE_CHECK == SCHEDULE_CHECK - 1 && on_progress(u, 0, 0))
			return err_set(e, E_STOPPED, "stopped");
	}
	for (size_t i = 0; i < u->n; i++) /* now that the lists do not move any more */
		if (u->job[i].gen)
			u->job[i].gen->stops = &u->stops[u->job[i].stops];
	u->logprob = xcalloc(u->nresults + 1, sizeof *u->logprob);
	u->argmax = xcalloc(u->nresults + 1, sizeof *u->argmax);
	return 0;
}

/* -- the machine -- */

static int machine_eval(void *ctx, const struct eval *v, struct err *e)
{
	struct engine *r = ctx;
	return forward_eval(r->forward, &r->cache, v, e);
}

static void machine_copy(void *ctx, int dst, int src, int slots)
{
	struct engine *r = ctx;
	const struct ops *ops = device_ops(r->dev);
	for (int i = 0; i < model_info(r->model)->layers; i++)
		if (r->cache.layer[i].k)
			ops->kv_copy(r->dev, &r->cache.layer[i], dst, src, slots);
}

static size_t generations(const struct plan *p)
{
	size_t n = 0;
	for (size_t i = 0; i < p->nsegs; i++)
		n += (size_t)p->segs[i].ngenerate;
	return n;
}

/* Pages that a plan can make use of: all it ever needs, or what a few full batches and the widest generation hold. */
static size_t useful_pages(const struct engine *r, const struct plan *p)
{
	size_t all = 0, gens = generations(p), longest = (size_t)(p->longest + KV_PAGE - 1) / KV_PAGE;
	for (size_t i = 0; i < p->nsegs; i++)
		all += (size_t)((p->segs[i].end + KV_PAGE - 1) / KV_PAGE - p->segs[i].start / KV_PAGE);
	all += gens * (longest + 1) + longest;
	size_t running = gens < (size_t)r->budget.rows ? gens : (size_t)r->budget.rows;
	size_t wide = 2 * (size_t)r->budget.rows + 8 * longest + 64 + running * longest;
	return all < wide ? all : wide;
}

static int prepare(struct engine *r, const struct plan *p, struct err *e)
{
	if (!r->forward && forward_open(&r->forward, r->model, r->budget.rows, r->budget.scored, r->budget.rows, r->budget.pages_per_sequence, e))
		return -1;
	size_t useful = useful_pages(r, p), most = (size_t)budget_pages(&r->budget), sequences = p->nsegs + generations(p);
	int pages = (int)(useful < most ? useful : most), states = budget_states(&r->budget);
	states = sequences < (size_t)states ? (int)sequences : states;
	if (r->has_cache && r->cache.pages >= pages && r->cache.states >= states)
		return 0;
	if (r->has_cache) {
		pages = pages > r->cache.pages ? pages : r->cache.pages;
		states = states > r->cache.states ? states : r->cache.states;
		cache_close(&r->cache, r->model);
	}
	r->has_cache = false;
	if (cache_open(&r->cache, r->model, pages, states, e))
		return err_wrap(e, "KV cache of %d pages, %d states", pages, states);
	r->has_cache = true;
	return 0;
}

static int compute(struct run *u, struct err *e)
{
	struct engine *r = u->r;
	struct plan plan;
	plan_make(&plan, u->item, u->nitems, !r->no_share, model_info(r->model)->state_bytes > 0);
	int rc = prepare(r, &plan, e);
	if (rc == 0) {
		struct machine m = { .ctx = r, .eval = machine_eval, .copy = machine_copy, .vocab = r->base.info.vocab, .rows = r->budget.rows,
				     .scored = r->budget.scored, .sequences = r->budget.rows, .pages_per_sequence = r->budget.pages_per_sequence,
				     .pages = r->cache.pages, .states = r->cache.states, .rope_switch = model_info(r->model)->rope_switch,
				     .logits_bytes = r->budget.memory / 4 };
		struct session_hooks h = { .ctx = u, .scored = on_scored, .draw = on_draw, .next = on_next, .progress = on_progress, .seen = on_seen };
		rc = session_run(&m, &plan, &h, NULL, e);
	}
	plan_free(&plan);
	return rc;
}

static int engine_run(struct runner *base, const struct request *q, size_t n, answer_fn *done, progress_fn *progress, void *ctx, struct err *e)
{
	struct run u = { .r = (struct engine *)base, .q = q, .n = n, .done = done, .progress = progress, .ctx = ctx };
	if (n > (size_t)1 << 30)
		return err_set(e, E_LIMIT, "more than 2^30 requests in one run");
	arena_init(&u.arena);
	u.job = xcalloc(n + 1, sizeof *u.job);
	int rc = collect(&u, e);
	if (rc == 0 && u.nitems)
		rc = compute(&u, e);
	for (size_t i = 0; i < n; i++) {
		free(u.job[i].logits);
		if (u.job[i].gen)
			gen_fini(u.job[i].gen);
	}
	void *all[] = { u.job, u.item, u.item_job, u.item_result, u.logprob, u.argmax, u.stops, u.stops_of };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free(all[i]);
	arena_fini(&u.arena);
	return rc;
}

/* -- the plan of memory -- */

int engine_plan(const struct runner_opts *o, struct plan_row *rows, int max, struct err *e)
{
	struct runner *base;
	struct runner_opts opts = *o;
	opts.no_tokenizer = true;
	if (open_engine(&base, &opts, true, e))
		return -1;
	int n = budget_rows(&((struct engine *)base)->budget, rows, max);
	engine_close(base);
	return n;
}

const struct runner_kind runner_engine = {
	.name = "engine",
	.open = engine_open,
	.close = engine_close,
	.encode = engine_encode,
	.render = engine_render,
	.key = engine_key,
	.run = engine_run,
	.decode = engine_decode,
};
