/* forward_open.c - the scratch of a forward pass: everything that it will ever need, made at open.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/arena.h"
#include "kernels/base/dmath.h"
#include "runners/forward_int.h"
#include "runners/ropetable.h"

#define LOGITS_FLOATS (1u << 20) /* logits scratch holds about this many, and at least LOGITS_ROWS rows */
#define LOGITS_ROWS 64
#define ROPE_ROWS 1024           /* rows of the rotary tables made at a time on the host */

static int chunk_rows(const struct model *m, int max_scored)
{
	int n = (int)(LOGITS_FLOATS / (unsigned)m->cfg.vocab);
	if (n < LOGITS_ROWS)
		n = LOGITS_ROWS;
	return n < max_scored ? n : max_scored;
}

void part_add(struct parts *p, size_t at, size_t count, size_t size)
{
	assert(p->n < (int)(sizeof p->part / sizeof p->part[0]));
	p->part[p->n++] = (struct part){ at, count, size };
}

static void list_parts(struct parts *p, const struct model *m, int max_rows, int max_scored, int sequences, int pages, int positions)
{
	const struct config *c = &m->cfg;
	size_t n = (size_t)max_rows, w = (size_t)c->width, chunk = (size_t)chunk_rows(m, max_scored);
	p->n = 0;
	PART(p, ids, n, int32_t);
	PART(p, pos, n, int32_t);
	PART(p, seq, n, int32_t);
	PART(p, table, (size_t)sequences * (size_t)pages, int32_t);
	PART(p, scored, (size_t)max_scored, int32_t);
	PART(p, target, (size_t)max_scored, int32_t);
	PART(p, x, n * w, float);
	PART(p, h, n * w, float);
	bool beside = false;
	for (int i = 0; i < c->layers; i++)
		beside |= (layer_dense(c, i) && layer_experts(c, i)) || c->mixer[i] == MIX_BOTH;
	if (c->parallel || beside)
		PART(p, side, n * w, float);
	attention_parts(p, m, n);
	mla_parts(p, m, n);
	recurrent_parts(p, m, n);
	layer_input_parts(p, m, n);
	mlp_parts(p, m, n);
	moe_parts(p, m, n);
	PART(p, top, chunk * w, float);
	PART(p, logits, chunk * (size_t)c->vocab, float);
	PART(p, lse, (size_t)max_scored, struct lse);
	PART(p, draw, (size_t)max_scored, struct draw);
	PART(p, drawn, (size_t)max_scored, int32_t);
	PART(p, seen, chunk * seen_words(c->vocab), uint32_t);
	PART(p, penalty, (size_t)max_scored, float);
	for (int i = 0; i < ROPE_TABLES; i++) {
		size_t count = (size_t)positions * (size_t)(c->rope[i].dims / 2) * (c->rope_switch ? 2 : 1);
		if (!c->rope[i].dims)
			continue;
		part_add(p, offsetof(struct forward, cos) + (size_t)i * sizeof(float *), count, sizeof(float));
		part_add(p, offsetof(struct forward, sin) + (size_t)i * sizeof(float *), count, sizeof(float));
	}
	if (m->info.state_bytes) {
		PART(p, from, n, int32_t);
		PART(p, to, n, int32_t);
		PART(p, run, n + 1, int32_t);
	}
	if (c->rope_switch)
		PART(p, turn, n, int32_t);
	if (c->q_growth > 0)
		PART(p, growth, (size_t)positions, float);
	if (c->embed_width)
		PART(p, narrow, (n > chunk ? n : chunk) * (size_t)c->embed_width, float);
	if (c->position == POSITION_LEARNED)
		PART(p, where, n, int32_t);
}

size_t forward_bytes(const struct model *m, int max_rows, int max_scored)
{
	struct parts p;
	int positions = m->cfg.max_positions ? m->cfg.max_positions : 2048;
	int pages = (positions + KV_PAGE - 1) / KV_PAGE;
	size_t bytes = 0;
	list_parts(&p, m, max_rows, max_scored, 1, pages, pages * KV_PAGE);
	for (int i = 0; i < p.n; i++)
		bytes += p.part[i].count * p.part[i].size;
	return bytes;
}

/* One rotary table, or the half of it that far sequences use. */
static void fill_rope(struct forward *f, int table, bool far)
{
	const struct rope_config *r = &f->m->cfg.rope[table];
	int dims = r->dims, half = dims / 2;
	double *freq = xmalloc((size_t)half * sizeof *freq);
	float *host = xmalloc(2 * (size_t)ROPE_ROWS * (size_t)half * sizeof *host);
	float *sin = host + (size_t)ROPE_ROWS * (size_t)half;

	ropetable_frequencies(freq, r, dims, far);
	for (int from = 0; from < f->max_position; from += ROPE_ROWS) {
		int n = f->max_position - from < ROPE_ROWS ? f->max_position - from : ROPE_ROWS;
		size_t at = ((size_t)from + (far ? (size_t)f->max_position : 0)) * (size_t)half, bytes = (size_t)n * (size_t)half * sizeof(float);
		ropetable_fill(host, sin, freq, ropetable_scale(r, far), dims, from, n);
		f->m->ops->put(f->m->dev, f->cos[table] + at, host, bytes);
		f->m->ops->put(f->m->dev, f->sin[table] + at, sin, bytes);
	}
	free(freq);
	free(host);
}

/* What queries are multiplied by at each position. */
static void fill_growth(struct forward *f)
{
	const struct config *c = &f->m->cfg;
	float *host = xmalloc((size_t)f->max_position * sizeof *host);
	for (int p = 0; p < f->max_position; p++)
		host[p] = (float)(1 + c->q_growth * dm_log(1 + (double)((p + c->q_from) / c->q_every)));
	f->m->ops->put(f->m->dev, f->growth, host, (size_t)f->max_position * sizeof *host);
	free(host);
}

static void fill_tables(struct forward *f)
{
	const struct config *c = &f->m->cfg;
	for (int i = 0; i < ROPE_TABLES; i++) {
		if (!f->cos[i])
			continue;
		fill_rope(f, i, false);
		if (c->rope_switch)
			fill_rope(f, i, true);
		f->rope[i] = (struct rope){ c->rope[i].dims, c->rope_layout, f->max_position * (c->rope_switch ? 2 : 1), f->cos[i], f->sin[i] };
	}
	if (f->growth)
		fill_growth(f);
	if (f->from)
		f->runs = xmalloc(((size_t)f->max_rows + 1) * sizeof *f->runs);
	if (f->where || f->turn)
		f->shifted = xmalloc((size_t)f->max_rows * sizeof *f->shifted);
}

int forward_open(struct forward **out, struct model *m, int max_rows, int max_scored, int max_sequences, int max_pages_per_sequence,
		 struct err *e)
{
	struct parts p;
	struct forward *f;

	*out = NULL;
	if (max_rows < 1 || max_scored < 1 || max_sequences < 1 || max_pages_per_sequence < 1)
		return err_set(e, E_RANGE, "a forward pass of %d rows, %d scored, %d sequences, %d pages cannot be", max_rows, max_scored,
			       max_sequences, max_pages_per_sequence);
	if (max_pages_per_sequence > (1 << 29) / KV_PAGE) /* rotary tables may have two rows a position */
		return err_set(e, E_RANGE, "%d pages in a sequence are more than positions can number", max_pages_per_sequence);
	f = xcalloc(1, sizeof *f);
	f->m = m;
	f->max_rows = max_rows;
	f->max_scored = max_scored;
	f->max_sequences = max_sequences;
	f->max_pages = max_pages_per_sequence;
	f->chunk = chunk_rows(m, max_scored);
	f->max_position = max_pages_per_sequence * KV_PAGE;
	if (m->cfg.position == POSITION_LEARNED && f->max_position > m->cfg.max_positions)
		f->max_position = m->cfg.max_positions;

	list_parts(&p, m, max_rows, max_scored, max_sequences, max_pages_per_sequence, f->max_position);
	for (int i = 0; i < p.n; i++) {
		size_t bytes;
		void *mem = NULL;
		if (size_mul(p.part[i].count, p.part[i].size, &bytes) != 0)
			err_set(e, E_MEMORY, "scratch of %d rows is more than memory can number", max_rows);
		else
			mem = m->ops->alloc(m->dev, bytes, e);
		if (!mem) {
			forward_close(f);
			return err_wrap(e, "scratch for %d rows, %d scored", max_rows, max_scored);
		}
		memcpy((char *)f + p.part[i].at, &mem, sizeof mem);
	}
	moe_open(f);
	fill_tables(f);
	*out = f;
	return 0;
}

void forward_close(struct forward *f)
{
	struct parts p;

	if (!f)
		return;
	list_parts(&p, f->m, f->max_rows, f->max_scored, f->max_sequences, f->max_pages, f->max_position);
	for (int i = 0; i < p.n; i++) {
		void *mem;
		memcpy(&mem, (char *)f + p.part[i].at, sizeof mem);
		if (mem)
			f->m->ops->release(f->m->dev, mem);
	}
	moe_close(f);
	free(f->runs);
	free(f->shifted);
	free(f);
}
