/* session.c - the scheduler behind runner_run (session.h): fills batches, hands out KV pages, walks the trie depth first.
 *
 * Pages (64 positions each) are counted. A child shares its parent's full pages. Where it branches inside a page, the
 * first child to begin exactly where the page's use ends goes on in place; every other one gets a copy of the first slots,
 * which is possible once the parent's rows were computed in an earlier batch. A segment that has nothing left below it
 * gives its pages back after its batch.
 *
 *     batch t      [generations: 1 row each][rest of a long segment][segments by rising number .......]
 *     batch t+1    [generations            ][children that waited for a copy, then the next documents  ]
 *
 * Taking ready segments by rising number is depth-first order, which frees pages soonest. All but the first of a batch
 * leave a reserve of pages that the deepest path could need. If nothing can go on all the same, the children of the last
 * holder are cut loose: they compute their whole path themselves and the holder's pages come back. So any request that
 * fits by itself is answered, however small the cache. Pages: session_pages.c.
 *
 * A recurrent state exists only for the last row that was computed, so the plan is split and every sequence has one slot.
 * A run (rows of one sequence in one batch) starts from nothing, from its own slot, or from its parent's, which an earlier
 * batch wrote; the parent keeps its slot through the batch that reads it. The state after a run's last row is written,
 * except when that row will come once more for the rest of its wants: then the state before it. A segment from which nothing
 * goes on needs no slot if one batch holds all of it: most of what is scored. Slots alone being short, the holder whose
 * children and generations have the fewest rows to compute again is cut loose.
 *
 * A generation that grows longer than rope_switch is computed again from row 0 with the other tables, on fresh pages that
 * were promised to it when it began: what it had shared counts as promised too.
 */
#include "runners/session_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/arena.h"

/* -- ready segments: a heap by number -- */

static void heap_push(struct session *s, int32_t v)
{
	size_t i = s->nheap++;
	while (i > 0 && s->heap[(i - 1) / 2] > v) {
		s->heap[i] = s->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->heap[i] = v;
}

static int32_t heap_pop(struct session *s)
{
	int32_t top = s->heap[0], v = s->heap[--s->nheap];
	size_t i = 0;
	for (;;) {
		size_t c = 2 * i + 1;
		if (c >= s->nheap)
			break;
		if (c + 1 < s->nheap && s->heap[c + 1] < s->heap[c])
			c++;
		if (s->heap[c] >= v)
			break;
		s->heap[i] = s->heap[c];
		i = c;
	}
	s->heap[i] = v;
	return top;
}

/* -- filling a batch -- */

static void add_row(struct session *s, int32_t table, int32_t id, int32_t pos, bool far)
{
	s->far[s->n] = far;
	s->ids[s->n] = id;
	s->pos[s->n] = pos;
	s->seq[s->n++] = table;
}

static void add_penalty(struct session *s, float penalty, uint32_t item)
{
	size_t words = seen_words(s->m->vocab);
	uint32_t *bits = s->seen + (size_t)s->nscored * words;
	s->penalty[s->nscored] = penalty > 0 ? penalty : 1;
	memset(bits, 0, words * sizeof *bits);
	if (penalty > 0)
		s->h->seen(s->h->ctx, item, bits);
}

/* item: whose next token the row gives, where hit draws. */
static void add_scored(struct session *s, int32_t target, struct hit hit, uint32_t item)
{
	s->scored[s->nscored] = s->n - 1;
	s->target[s->nscored] = target;
	s->draw[s->nscored] = (struct draw){ 0 };
	if (hit.draws)
		s->h->draw(s->h->ctx, item, &s->draw[s->nscored]);
	if (s->penalty)
		add_penalty(s, hit.draws ? s->p->items[item].penalty : 0, item);
	s->hit[s->nscored++] = hit;
	s->want_logits |= hit.logits;
	s->want_draws |= hit.draws;
}

static bool opens_stream(const struct session *s, const struct want *w)
{
	const struct plan_item *it = &s->p->items[w->item];
	return it->generate && w->row == it->n - 1;
}

/* Wants that one scored row can serve: the same row and target. One that draws has a scored row of its own. */
static struct hit next_hit(const struct session *s, int32_t seg, size_t want, size_t end)
{
	const struct want *first = &s->p->wants[want];
	struct hit hit = { .stream = NONE, .seg = seg, .want = want };
	for (const struct want *w = first; want < end && w->row == first->row && w->target == first->target; w++, want++) {
		bool draws = s->p->items[w->item].draws && opens_stream(s, w);
		if (draws && hit.nwants)
			break;
		hit.nwants++;
		hit.logits |= w->logits;
		hit.draws = draws;
		if (draws)
			break;
	}
	return hit;
}

/* Adds what fits of a segment that has begun. True: its last row and all its wants are in. */
static bool segment_rows(struct session *s, int32_t i)
{
	struct part *st = &s->seg[i];
	const struct seg *sg = &s->p->segs[i];
	const struct plan_item *it = &s->p->items[sg->item];
	size_t end = sg->want + sg->nwants;
	int32_t table = table_row(s, st->live);
	if (table == NONE)
		return false;
	for (; st->at < sg->end; st->at++) {
		bool wanted = st->want < end && s->p->wants[st->want].row == st->at;
		if (s->n == s->m->rows || (wanted && s->nscored == s->max_scored))
			return false;
		add_row(s, table, it->ids[st->at], st->at, it->far);
		while (st->want < end && s->p->wants[st->want].row == st->at) {
			if (s->nscored == s->max_scored)
				return false; /* this row once more in the next batch, for the rest of its wants */
			struct hit hit = next_hit(s, i, st->want, end);
			add_scored(s, s->p->wants[st->want].target, hit, s->p->wants[st->want].item);
			st->want += hit.nwants;
		}
	}
	return true;
}

static void stream_rows(struct session *s, int32_t i)
{
	struct stream *t = &s->stream[i];
	struct live *l = &s->live[t->live];
	const struct plan_item *it = &s->p->items[t->item];
	while (l->npages < pages_of(t->len)) {
		l->page[l->npages++] = page_take(s, KV_PAGE);
		t->promised--;
		s->promised--;
	}
	int32_t table = table_row(s, t->live);
	if (table == NONE)
		return;
	for (; t->at < t->len; t->at++) {
		bool last = t->at == t->len - 1;
		if (s->n == s->m->rows || (last && s->nscored == s->max_scored))
			return;
		add_row(s, table, t->at < it->n ? it->ids[t->at] : t->token[t->at - it->n], t->at, t->far);
		if (last)
			add_scored(s, -1, (struct hit){ .stream = i, .seg = NONE, .draws = it->draws }, t->item);
	}
}

/* States of the run that begins at row `first` of the batch; `done` of its rows will not come again, the last of them is saved unless
 * nothing `follows`. */
static void run_states(struct session *s, int first, int32_t done, bool follows, int32_t live, int32_t *from, int32_t parent)
{
	assert(!follows || live < s->slots);
	for (int r = first; r < s->n; r++) {
		s->from[r] = r == first ? *from : STATE_CHAIN;
		s->to[r] = follows && r == first + done - 1 ? live : NONE;
	}
	if (done == 0 || *from == live)
		return;
	if (*from != STATE_ZERO)
		s->served[s->nserved++] = parent;
	*from = live;
}

/* Nothing goes on from the segment. */
static bool leaf(const struct session *s, int32_t i)
{
	return s->p->segs[i].nchildren == 0 && s->p->segs[i].ngenerate == 0;
}

static bool add_segment(struct session *s, int32_t i)
{
	struct part *st = &s->seg[i];
	int first = s->n;
	int32_t at = st->at;
	bool whole = segment_rows(s, i);
	run_states(s, first, st->at - at, !whole || !leaf(s, i), st->live, &st->from, st->parent);
	return whole;
}

static void add_stream(struct session *s, int32_t i)
{
	struct stream *t = &s->stream[i];
	int first = s->n;
	int32_t at = t->at, held = t->from;
	stream_rows(s, i);
	run_states(s, first, t->at - at, true, t->live, &t->from, t->owner);
	if (t->from != held)
		t->owner = NONE;
}

static void seg_release(struct session *s, int32_t i)
{
	struct part *st = &s->seg[i];
	if (st->pending == 0 && st->live != NONE && st->batch && st->batch < s->batch)
		live_drop(s, &st->live);
}

/* A child or generation has begun and needs the parent no more, or will not begin: its parent may be done with. */
static void seg_served(struct session *s, int32_t i)
{
	if (i == NONE)
		return;
	s->seg[i].pending--;
	seg_release(s, i);
}

/* One that goes on from `parent` has begun with `live`. Returns the slot of its first state; until that is read the parent stays. */
static int32_t begun_from(struct session *s, int32_t parent, int32_t live)
{
	if (parent == NONE)
		return STATE_ZERO;
	int32_t slot = s->seg[parent].live;
	if (slot == NONE || !s->m->states) {
		seg_served(s, parent);
		return live; /* inherited, or there is no state */
	}
	return slot;
}

/* The batch surely has room for all that is left of a segment that has not begun. */
static bool fits(const struct session *s, int32_t i)
{
	const struct seg *g = &s->p->segs[i];
	return g->end - s->seg[i].start <= s->m->rows - s->n && g->nwants <= (size_t)(s->max_scored - s->nscored);
}

enum { MOST_MISSED = 64 }; /* segments that a batch may pass over for want of a slot */
enum begin { BEGUN, WAIT_BATCH, NO_SLOT, NO_ROOM };

static enum begin seg_begin(struct session *s, int32_t i, bool first)
{
	struct part *st = &s->seg[i];
	bool copy;
	int32_t shared, need = pages_needed(s, st->parent, st->start, s->p->segs[i].end, &copy, &shared);
	if (st->parent != NONE && (copy || s->m->states) && s->seg[st->parent].batch == s->batch)
		return WAIT_BATCH;
	if (need > s->nfree - s->promised - (first ? 0 : s->reserve))
		return NO_ROOM;
	bool bare = s->nbare_free && leaf(s, i) && fits(s, i); /* begins and ends in this batch: leaves no state */
	if (!live_inherits(s, st->parent) && !bare && s->nlive_free <= (first ? 0 : s->reserve_live))
		return s->m->states ? NO_SLOT : NO_ROOM;
	st->live = live_begin(s, i, st->parent, st->start, s->p->segs[i].end, bare, false);
	st->begun = true;
	st->at = st->start;
	st->from = begun_from(s, st->parent, st->live);
	return BEGUN;
}

static bool stream_begin(struct session *s, int32_t i)
{
	struct stream *t = &s->stream[i];
	const struct plan_item *it = &s->p->items[t->item];
	int32_t start = t->owner == NONE ? 0 : it->n;
	bool copy, cross = s->m->rope_switch && !t->far && it->n + it->growth > s->m->rope_switch;
	int32_t shared, need = pages_needed(s, t->owner, start, it->n + it->growth, &copy, &shared);
	if (!cross)
		shared = 0;
	if (s->running >= s->m->rows || s->running >= s->m->sequences || s->running >= s->max_scored || need + shared > s->nfree - s->promised)
		return false;
	if (s->m->states && t->owner != NONE && !s->seg[t->owner].batch)
		return false; /* its last row comes once more: the state after it is not saved yet */
	if (!live_inherits(s, t->owner) && s->nlive_free == 0)
		return false;
	t->live = live_begin(s, NONE, t->owner, start, t->len, false, true);
	t->at = start;
	t->most = pages_of(it->n + it->growth);
	t->promised = t->most - s->live[t->live].npages + shared;
	s->promised += t->promised;
	t->begun = true;
	s->running++;
	t->from = begun_from(s, t->owner, t->live);
	if (t->from == STATE_ZERO || t->from == t->live)
		t->owner = NONE;
	return true;
}

/* The last row of a segment is in the batch: its children may begin (some in this very batch). */
static void seg_closed(struct session *s, int32_t i)
{
	s->seg[i].batch = s->batch;
	s->closed[s->nclosed++] = i;
	for (int32_t c = s->p->segs[i].child; c != NONE; c = s->p->segs[c].sibling)
		heap_push(s, c);
}

static void fill(struct session *s)
{
	s->batch++;
	s->n = s->nseq = s->nscored = 0;
	s->want_logits = s->want_draws = false;
	s->nclosed = s->nlater = s->nserved = 0;
	for (size_t i = 0; i < s->nstreams; i++)
		if (s->stream[i].begun)
			add_stream(s, (int32_t)i);
	for (size_t i = 0; i < s->nstreams; i++)
		if (!s->stream[i].begun && stream_begin(s, (int32_t)i))
			add_stream(s, (int32_t)i);
	if (s->partial != NONE && add_segment(s, s->partial)) {
		int32_t i = s->partial;
		s->partial = NONE;
		seg_closed(s, i);
	}
	bool first = s->n == 0;
	int missed = 0;
	while (s->partial == NONE && s->nheap && s->n < s->m->rows && s->nseq < s->m->sequences && s->nscored < s->max_scored) {
		int32_t i = heap_pop(s);
		switch (seg_begin(s, i, first)) {
		case NO_SLOT: /* those behind it may do without one */
			s->later[s->nlater++] = i;
			if (++missed == MOST_MISSED)
				goto full;
			continue;
		case WAIT_BATCH:
			s->later[s->nlater++] = i;
			continue;
		case NO_ROOM:
			heap_push(s, i);
			goto full;
		case BEGUN:
			break;
		}
		first = false;
		if (add_segment(s, i))
			seg_closed(s, i);
		else
			s->partial = i;
	}
full:
	while (s->nlater)
		heap_push(s, s->later[--s->nlater]);
}

/* The segment to take pages and a slot from: the last that has some, or, where only slots are short, the one whose loss costs the
 * fewest rows. */
static int32_t loosest(const struct session *s)
{
	int32_t best = NONE;
	int64_t least = 0;
	for (int k = 0; k < s->nlive; k++) {
		int32_t g = s->live[k].seg;
		if (g == NONE || !s->seg[g].batch)
			continue;
		int64_t cost = s->m->states && s->nlive_free == 0 ? (int64_t)s->p->segs[g].end * s->seg[g].pending : 0;
		if (best == NONE || cost < least || (cost == least && g > best)) {
			best = g;
			least = cost;
		}
	}
	return best;
}

/* Nothing could go on: takes the pages of a segment that holds some for others. False: there is none. */
static bool cut_loose(struct session *s)
{
	int32_t i = loosest(s);
	if (i == NONE)
		return false;
	for (int32_t c = s->p->segs[i].child; c != NONE; c = s->p->segs[c].sibling)
		if (!s->seg[c].begun) {
			s->total += s->seg[c].start;
			s->seg[c].start = 0;
			s->seg[c].parent = NONE;
			s->stats.loosened++;
		}
	for (size_t k = 0; k < s->nstreams; k++)
		if (s->stream[k].owner == i) {
			s->total += s->p->items[s->stream[k].item].n;
			s->stream[k].owner = NONE;
			s->stats.loosened++;
		}
	s->seg[i].pending = 0;
	live_drop(s, &s->seg[i].live);
	return true;
}

/* -- after a batch -- */

static void stream_push(struct session *s, int32_t i, int32_t token)
{
	struct stream *t = &s->stream[i];
	int32_t k = t->len - s->p->items[t->item].n;
	if (k == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 32;
		t->token = xrealloc(t->token, (size_t)t->cap * sizeof *t->token);
	}
	t->token[k] = token;
	t->len++;
}

static bool outgrown(const struct session *s, const struct stream *t)
{
	return s->m->rope_switch && !t->far && t->len > s->m->rope_switch;
}

/* The prompt of a generation is computed, and with it the first token. */
static void stream_open(struct session *s, uint32_t item, int32_t seg, int32_t token)
{
	const struct plan_item *it = &s->p->items[item];
	if (!s->h->next(s->h->ctx, item, token)) {
		s->total -= it->growth;
		s->seg[seg].pending--;
		return;
	}
	assert(it->growth > 0);
	if (s->nstreams == s->cap_streams) {
		s->cap_streams = s->cap_streams ? 2 * s->cap_streams : 64;
		s->stream = xrealloc(s->stream, s->cap_streams * sizeof *s->stream);
	}
	s->stream[s->nstreams++] = (struct stream){ .item = item, .owner = seg, .live = NONE, .len = it->n, .far = it->far };
	stream_push(s, (int32_t)s->nstreams - 1, token);
	struct stream *t = &s->stream[s->nstreams - 1];
	if (outgrown(s, t)) { /* the prompt was the longest that is not far */
		s->stats.crossed++;
		s->total += it->n;
		s->seg[seg].pending--;
		t->owner = NONE;
		t->far = true;
	}
}

/* The sequence has outgrown rope_switch: all its rows again, on pages that nobody else reads. */
static void stream_cross(struct session *s, struct stream *t)
{
	s->stats.crossed++;
	s->total += t->at;
	live_trim(s, t->live, 0);
	s->promised += t->most - t->promised;
	t->promised = t->most;
	t->far = true;
	t->at = 0;
	t->from = STATE_ZERO;
}

static void stream_next(struct session *s, int32_t i, int32_t token)
{
	struct stream *t = &s->stream[i];
	const struct plan_item *it = &s->p->items[t->item];
	if (s->h->next(s->h->ctx, t->item, token)) {
		assert(t->len < it->n + it->growth);
		stream_push(s, i, token);
		if (outgrown(s, t))
			stream_cross(s, t);
		return;
	}
	s->total -= it->n + it->growth - t->len;
	s->promised -= t->promised;
	s->running--;
	live_drop(s, &t->live);
	t->ended = true;
}

static void deliver(struct session *s)
{
	for (size_t k = 0; k < s->nserved; k++)
		seg_served(s, s->served[k]);
	for (int k = 0; k < s->nscored; k++) {
		const struct hit *hit = &s->hit[k];
		const float *logits = s->want_logits ? s->logits + (size_t)k * (size_t)s->m->vocab : NULL;
		int32_t token = hit->draws ? s->drawn[k] : s->out[k].argmax;
		if (hit->stream != NONE) {
			stream_next(s, hit->stream, token);
			continue;
		}
		for (size_t w = hit->want; w < hit->want + hit->nwants; w++) {
			const struct want *wt = &s->p->wants[w];
			if (opens_stream(s, wt))
				stream_open(s, wt->item, hit->seg, token);
			else
				s->h->scored(s->h->ctx, wt->item, wt->row, &s->out[k], wt->logits ? logits : NULL);
		}
	}
	size_t kept = 0;
	for (size_t i = 0; i < s->nstreams; i++) {
		if (s->stream[i].ended)
			free(s->stream[i].token);
		else
			s->stream[kept++] = s->stream[i];
	}
	s->nstreams = kept;
	for (size_t k = 0; k < s->nclosed; k++) {
		struct part *st = &s->seg[s->closed[k]];
		if (st->live == NONE)
			continue;
		if (st->pending == 0)
			live_drop(s, &st->live);
		else
			live_trim(s, st->live, pages_of(s->p->segs[s->closed[k]].keep));
	}
}

/* Slots that the hungriest segment and all below it need if one after the other is computed, each branch to its end: nobody need be
 * cut loose. The last to go on from a segment inherits its slot. */
static int slots_needed(const struct plan *p)
{
	int most = 1, *need = xcalloc(p->nsegs + 1, sizeof *need);
	for (size_t i = p->nsegs; i-- > 0;) {
		const struct seg *g = &p->segs[i];
		need[i] = g->nchildren == 0 && g->ngenerate == 0 ? 0 : g->ngenerate + g->nchildren > 1 && g->ngenerate > 0 ? 2 : 1;
		for (int32_t c = g->child; c != NONE; c = p->segs[c].sibling) {
			int one = need[c] + (need[c] && p->segs[c].sibling != NONE);
			need[i] = one > need[i] ? one : need[i];
		}
		most = need[i] > most ? need[i] : most;
	}
	free(need);
	return most;
}

static void init_lives(struct session *s, size_t generations)
{
	size_t all = s->p->nsegs + generations, lives = 2 * (size_t)s->m->rows + 64, most = ((size_t)64 << 20) / (4 * (size_t)(s->ld ? s->ld : 1));
	lives = lives < most ? lives : most;
	lives = lives < all ? lives : all;
	lives = lives > 4 ? lives : 4;
	s->slots = (int)lives;
	if (s->m->states && (size_t)s->m->states < lives) {
		s->slots = s->m->states;
		int need = slots_needed(s->p) - 1;
		s->reserve_live = need < s->slots / 2 ? need : s->slots / 2;
	}
	s->nlive = (int)lives;
	s->served = xcalloc(lives, sizeof *s->served);
	s->live = xcalloc(lives, sizeof *s->live);
	s->live_pages = xcalloc(lives * (size_t)(s->ld + 1), sizeof *s->live_pages);
	s->live_free = xcalloc(lives, sizeof *s->live_free);
	s->bare_free = xcalloc(lives, sizeof *s->bare_free);
	for (int i = s->nlive; i-- > 0;) {
		s->live[i] = (struct live){ .page = s->live_pages + (size_t)i * (size_t)s->ld, .seg = NONE };
		if (i < s->slots)
			s->live_free[s->nlive_free++] = i;
		else
			s->bare_free[s->nbare_free++] = i;
	}
}

static void session_init(struct session *s, const struct machine *m, const struct plan *p, const struct session_hooks *h)
{
	*s = (struct session){ .m = m, .p = p, .h = h, .partial = NONE, .total = (double)p->rows };
	assert(p->split || !m->states);
	size_t n = p->nsegs + 1, rows = (size_t)m->rows, scored = (size_t)m->scored, generations = 0;
	s->seg = xcalloc(n, sizeof *s->seg);
	s->heap = xcalloc(n, sizeof *s->heap);
	s->later = xcalloc(n, sizeof *s->later);
	s->closed = xcalloc(n, sizeof *s->closed);
	for (size_t i = 0; i < p->nsegs; i++) {
		const struct seg *g = &p->segs[i];
		s->seg[i] = (struct part){ .start = g->start, .parent = g->parent, .live = NONE, .want = g->want,
					   .pending = g->nchildren + g->ngenerate };
		generations += (size_t)g->ngenerate;
		if (g->parent == NONE)
			s->heap[s->nheap++] = (int32_t)i; /* ascending: a heap already */
	}
	bool penalties = false;
	for (size_t i = 0; i < p->nitems; i++) {
		s->total += p->items[i].growth;
		penalties |= p->items[i].penalty > 0;
	}
	s->ld = pages_of(p->longest);
	init_lives(s, generations);
	s->page_refs = xcalloc((size_t)m->pages, sizeof *s->page_refs);
	s->page_filled = xcalloc((size_t)m->pages, sizeof *s->page_filled);
	s->page_free = xcalloc((size_t)m->pages, sizeof *s->page_free);
	for (int i = 0; i < m->pages; i++)
		s->page_free[s->nfree++] = m->pages - 1 - i; /* low numbers first: memory that is not needed is never touched */
	s->reserve = s->ld + 2 < m->pages / 2 ? s->ld + 2 : m->pages / 2;
	s->max_scored = m->scored;
	if (p->logits) {
		size_t fit = (m->logits_bytes ? m->logits_bytes : (size_t)64 << 20) / (4 * (size_t)m->vocab);
		s->max_scored = fit < 1 ? 1 : fit < scored ? (int)fit : m->scored;
		s->logits = xcalloc((size_t)s->max_scored * (size_t)m->vocab, sizeof *s->logits);
	}
	if (penalties) {
		s->seen = xcalloc((size_t)s->max_scored * seen_words(m->vocab), sizeof *s->seen);
		s->penalty = xcalloc(scored, sizeof *s->penalty);
	}
	s->ids = xcalloc(rows, sizeof *s->ids);
	s->pos = xcalloc(rows, sizeof *s->pos);
	s->seq = xcalloc(rows, sizeof *s->seq);
	s->from = xcalloc(rows, sizeof *s->from);
	s->to = xcalloc(rows, sizeof *s->to);
	s->far = xcalloc(rows, sizeof *s->far);
	s->table = xcalloc((size_t)m->sequences * (size_t)(s->ld + 1), sizeof *s->table);
	s->scored = xcalloc(scored, sizeof *s->scored);
	s->target = xcalloc(scored, sizeof *s->target);
	s->out = xcalloc(scored, sizeof *s->out);
	s->draw = xcalloc(scored, sizeof *s->draw);
	s->drawn = xcalloc(scored, sizeof *s->drawn);
	s->hit = xcalloc(scored, sizeof *s->hit);
}

static void session_fini(struct session *s)
{
	for (size_t i = 0; i < s->nstreams; i++)
		free(s->stream[i].token);
	void *all[] = { s->seg, s->heap, s->later, s->closed, s->served, s->bare_free, s->live, s->live_pages, s->live_free, s->page_refs, s->page_filled,
			s->page_free, s->stream, s->logits, s->ids, s->pos, s->seq, s->table, s->scored, s->target, s->out, s->draw,
			s->drawn, s->seen, s->penalty, s->hit, s->from, s->to, s->far };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free(all[i]);
}

static int session_loop(struct session *s, struct err *e)
{
	while (s->nheap || s->nstreams || s->partial != NONE) {
		fill(s);
		if (s->n == 0) {
			if (!cut_loose(s))
				return err_set(e, E_MEMORY, "%d pages of KV cache hold no request that is left", s->m->pages);
			continue;
		}
		struct eval v = { .n = s->n, .ids = s->ids, .pos = s->pos, .seq = s->seq, .table = s->table, .sequences = s->nseq,
				  .from = s->m->states ? s->from : NULL, .to = s->m->states ? s->to : NULL,
				  .far = s->m->rope_switch ? s->far : NULL,
				  .ld_table = s->ld, .nscored = s->nscored, .scored = s->scored, .target = s->target, .out = s->out,
				  .logits = s->want_logits ? s->logits : NULL, .draw = s->want_draws ? s->draw : NULL,
				  .seen = s->want_draws ? s->seen : NULL, .penalty = s->want_draws ? s->penalty : NULL, .drawn = s->drawn };
		if (s->m->eval(s->m->ctx, &v, e))
			return -1;
		s->stats.batches++;
		s->stats.rows += (size_t)s->n;
		s->stats.scored += (size_t)s->nscored;
		s->done += s->n;
		deliver(s);
		if (s->h->progress && s->h->progress(s->h->ctx, s->done, s->done > s->total ? s->done : s->total))
			return err_set(e, E_STOPPED, "stopped");
	}
	return 0;
}

int session_run(const struct machine *m, const struct plan *p, const struct session_hooks *h, struct session_stats *stats, struct err *e)
{
	struct session s;
	session_init(&s, m, p, h);
	int rc = session_loop(&s, e);
	s.stats.pages_left = m->pages - s.nfree;
	s.stats.lives_left = s.nlive - s.nlive_free - s.nbare_free;
	if (stats)
		*stats = s.stats;
	session_fini(&s);
	return rc;
}
