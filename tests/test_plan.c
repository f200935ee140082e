/* test_plan.c - the planner and the scheduler over a fake machine that remembers which token every slot of every page holds.
 *
 * For a scored row the fake reads the whole path through the page table and answers with a hash of it; the test knows the
 * hash of the path that it asked for. So a page shared wrongly, freed too early, copied too late or overwritten shows.
 * A state is the hash of all rows so far: for every row, scored or not, it must be that of the path in the pages. Rows that
 * belong to sequences longer than the rope switch are another token to both.
 * Random sets of sequences with shared prefixes, duplicates, several targets for one row, and generations, under limits
 * from ample to the least possible.
 */
#include "runners/plan.h"
#include "runners/session.h"
#include "tests/test.h"

enum { VOCAB = 13, MAX_LEN = 700, MAX_ITEMS = 400 };

struct slot {
	int32_t id, pos;
	bool far;
	uint32_t writer; /* batch */
	int32_t seq;
};

struct fake_state {
	uint64_t hash;
	int32_t rows;              /* that it has seen */
	uint32_t written, read;    /* batch */
	int32_t reader;            /* sequence */
};

struct fake {
	struct fake_state *state; /* [states] */
	struct slot *kv; /* [pages][64] */
	struct machine m;
	uint32_t batch;
	int bad;         /* what went wrong, counted */
	size_t max_rows;
};

enum { FAR = 1000 };

static uint64_t mix(uint64_t h, int32_t id)
{
	h = (h ^ (uint32_t)id) * 0x9E3779B97F4A7C15u;
	return h ^ h >> 31;
}

static void answer_for(uint64_t h, int32_t target, struct lse *out)
{
	out->argmax = (int32_t)(h % VOCAB);
	out->m = (float)(h >> 8 & 1023);
	out->l = 1;
	out->z = (float)(mix(h, target) & 0xffff);
	out->top = 0;
}

static uint64_t row_path(struct fake *f, const struct eval *v, int r)
{
	uint64_t h = 1;
	for (int p = 0; p <= v->pos[r]; p++) {
		int32_t page = v->table[v->seq[r] * v->ld_table + p / KV_PAGE];
		const struct slot *s = &f->kv[page * KV_PAGE + p % KV_PAGE];
		f->bad += s->pos != p;
		h = mix(h, s->id + (s->far ? FAR : 0));
	}
	return h;
}

/* Sequences as if they ran at the same time: all read before any writes. */
static void fake_states(struct fake *f, const struct eval *v)
{
	static uint64_t after[4096];
	for (int i = 0; i < v->n; i++) {
		uint64_t h = 1;
		bool chain = v->from[i] == STATE_CHAIN, again = i > 0 && v->seq[i] == v->seq[i - 1];
		f->bad += chain != again;
		if (chain && i > 0) {
			h = after[i - 1];
		} else if (v->from[i] == STATE_ZERO) {
			f->bad += v->pos[i] != 0;
		} else if (v->from[i] < 0 || v->from[i] >= f->m.states) {
			f->bad++;
		} else {
			struct fake_state *t = &f->state[v->from[i]];
			f->bad += t->rows != v->pos[i] || t->written == f->batch;
			f->bad += t->read == f->batch && t->reader != v->seq[i] && v->to[i] == v->from[i];
			t->reader = t->read == f->batch && t->reader != v->seq[i] ? -1 : v->seq[i]; /* -1: several */
			t->read = f->batch;
			h = t->hash;
		}
		after[i] = mix(h, v->ids[i] + (v->far && v->far[i] ? FAR : 0));
		f->bad += after[i] != row_path(f, v, i);
	}
	for (int i = 0; i < v->n; i++) {
		if (v->to[i] == -1)
			continue;
		if (v->to[i] < 0 || v->to[i] >= f->m.states) {
			f->bad++;
			continue;
		}
		struct fake_state *t = &f->state[v->to[i]];
		f->bad += t->written == f->batch || (t->read == f->batch && t->reader != v->seq[i]);
		*t = (struct fake_state){ after[i], v->pos[i] + 1, f->batch, t->read, t->reader };
	}
}

/* A number that tells the penalty of a scored row and the ids it is for. */
static uint64_t penalty_mark(struct fake *f, const struct eval *v, int k)
{
	uint64_t sum = 0;
	if (!v->penalty)
		return 0;
	for (int i = 0; i < (int)seen_words(VOCAB) * 32; i++)
		if (v->seen[(size_t)k * seen_words(VOCAB) + (size_t)i / 32] >> i % 32 & 1)
			sum += 7 * (uint64_t)i + 1;
	f->bad += (v->penalty[k] == 1) != (sum == 0);
	return v->penalty[k] == 1 ? 0 : sum + (uint64_t)(v->penalty[k] * 64);
}

static int fake_eval(void *ctx, const struct eval *v, struct err *e)
{
	struct fake *f = ctx;
	(void)e;
	f->batch++;
	f->bad += v->n < 1 || v->n > f->m.rows || v->nscored > f->m.scored || v->sequences > f->m.sequences;
	f->bad += !v->from != !f->m.states || !v->to != !f->m.states || !v->far != !f->m.rope_switch;
	f->max_rows = (size_t)v->n > f->max_rows ? (size_t)v->n : f->max_rows;
	for (int i = 0; i < v->n; i++) {
		int32_t page = v->table[v->seq[i] * v->ld_table + v->pos[i] / KV_PAGE];
		if (page < 0 || page >= f->m.pages || v->seq[i] >= v->sequences) {
			f->bad++;
			continue;
		}
		f->bad += i > 0 && (v->seq[i] == v->seq[i - 1] ? v->pos[i] != v->pos[i - 1] + 1 : v->seq[i] != v->seq[i - 1] + 1);
		struct slot *s = &f->kv[page * KV_PAGE + v->pos[i] % KV_PAGE];
		f->bad += s->writer == f->batch; /* two rows into one slot */
		*s = (struct slot){ v->ids[i], v->pos[i], v->far && v->far[i], f->batch, v->seq[i] };
	}
	if (v->from && v->to)
		fake_states(f, v);
	for (int k = 0; k < v->nscored; k++) {
		int r = v->scored[k];
		f->bad += r < 0 || r >= v->n;
		uint64_t h = row_path(f, v, r);
		answer_for(h, v->target[k], &v->out[k]);
		if (v->draw) /* a token that tells from which draw it was */
			v->drawn[k] = v->draw[k].scale == 0 ? -7 : (int32_t)((h + v->draw[k].counter[0] * 5 + v->draw[k].counter[1] + penalty_mark(f, v, k)) % VOCAB);
		if (v->logits)
			for (int i = 0; i < VOCAB; i++)
				v->logits[k * VOCAB + i] = (float)(h >> 20 & 0xffff) + (float)i;
	}
	return 0;
}

static void fake_copy(void *ctx, int dst, int src, int slots)
{
	struct fake *f = ctx;
	f->bad += slots < 1 || slots >= KV_PAGE || dst == src;
	for (int i = 0; i < KV_PAGE; i++) {
		f->kv[dst * KV_PAGE + i] = i < slots ? f->kv[src * KV_PAGE + i] : (struct slot){ -1, -1, false, 0, 0 };
		f->kv[dst * KV_PAGE + i].writer = 0;
	}
}

struct seen {
	int32_t next; /* row expected next */
	int32_t *token;
	int ntoken, ended, wrong;
};

struct run {
	const struct plan_item *item;
	struct seen *seen;
	double last_done, last_total;
	int stop_after;
	int rope_switch;
};

static uint64_t path_hash(const int32_t *ids, int n, bool far)
{
	uint64_t h = 1;
	for (int i = 0; i < n; i++)
		h = mix(h, ids[i] + (far ? FAR : 0));
	return h;
}

static void on_scored(void *ctx, uint32_t item, int32_t row, const struct lse *l, const float *logits)
{
	struct run *u = ctx;
	const struct plan_item *it = &u->item[item];
	struct seen *s = &u->seen[item];
	struct lse want;
	uint64_t h = path_hash(it->ids, row + 1, it->far);
	answer_for(h, it->open && row == it->n - 1 ? -1 : it->ids[row + 1], &want);
	s->wrong += row != s->next || want.z != l->z || want.m != l->m || want.argmax != l->argmax;
	bool asked = false;
	for (int i = 0; i < it->nlogits_at; i++)
		asked |= it->logits_at[i] == row;
	s->wrong += asked != (logits != NULL);
	if (logits)
		s->wrong += logits[3] != (float)(h >> 20 & 0xffff) + 3;
	s->next = row + 1;
}

static void on_draw(void *ctx, uint32_t item, struct draw *out)
{
	struct run *u = ctx;
	u->seen[item].wrong += !u->item[item].draws;
	*out = (struct draw){ .scale = 1, .counter = { (uint32_t)u->seen[item].ntoken, item } };
}

static void on_seen(void *ctx, uint32_t item, uint32_t *bits)
{
	struct run *u = ctx;
	uint32_t id[2] = { item % VOCAB, (uint32_t)u->seen[item].ntoken % VOCAB };
	u->seen[item].wrong += u->item[item].penalty == 0;
	for (int i = 0; i < 2; i++)
		bits[id[i] / 32] |= UINT32_C(1) << id[i] % 32;
}

/* penalty_mark of what on_seen set */
static uint64_t seen_mark(const struct plan_item *it, uint32_t item, int ntoken)
{
	uint64_t a = item % VOCAB, b = (uint64_t)ntoken % VOCAB;
	return it->penalty == 0 ? 0 : (uint64_t)(it->penalty * 64) + 7 * a + 1 + (a == b ? 0 : 7 * b + 1);
}

static bool on_next(void *ctx, uint32_t item, int32_t token)
{
	struct run *u = ctx;
	const struct plan_item *it = &u->item[item];
	struct seen *s = &u->seen[item];
	bool far = u->rope_switch && it->n + s->ntoken > u->rope_switch;
	uint64_t h = path_hash(it->ids, it->n, far);
	for (int i = 0; i < s->ntoken; i++)
		h = mix(h, s->token[i] + (far ? FAR : 0));
	struct lse want;
	answer_for(h, -1, &want);
	if (it->draws)
		want.argmax = (int32_t)((h + (uint32_t)s->ntoken * 5u + item + seen_mark(it, item, s->ntoken)) % VOCAB);
	s->wrong += s->ended || want.argmax != token;
	s->token[s->ntoken++] = token;
	s->ended = s->ntoken == it->growth + 1 || h % 37 == 0;
	return !s->ended;
}

static int on_progress(void *ctx, double done, double total)
{
	struct run *u = ctx;
	if (done < u->last_done || done > total)
		u->stop_after = 1;
	u->last_done = done;
	u->last_total = total;
	return u->stop_after;
}

struct shape {
	const char *name;
	int items, alphabet, max_len, branch; /* branch: percent of items that take over a prefix of an earlier one */
	int rows, scored, sequences, pages;   /* 0 pages: the least that hold the longest; -1: ample */
	bool share, generate;
	int states, rope_switch;
};

/* What any plan must be: a preorder of segments that hang where they should, and hold the wants of exactly their rows. */
static void check_plan(const struct plan *p, const char *name)
{
	size_t wants = 0, rows = 0;
	int bad = 0;
	for (size_t i = 0; i < p->nsegs; i++) {
		const struct seg *s = &p->segs[i], *up = s->parent < 0 ? NULL : &p->segs[s->parent];
		const struct plan_item *it = &p->items[s->item];
		rows += (size_t)(s->end - s->start);
		bad += s->start >= s->end || s->end > it->n || s->want != wants || s->parent >= (int32_t)i;
		wants += s->nwants;
		bad += up ? s->start <= up->start || s->start > up->end || (p->split && s->start != up->end) : s->start != 0;
		if (up) {
			bad += it->far != p->items[up->item].far;
			bad += memcmp(it->ids, p->items[up->item].ids, (size_t)s->start * sizeof *it->ids) != 0;
		}
		for (size_t k = s->want; k < s->want + s->nwants; k++) {
			const struct want *w = &p->wants[k];
			bad += w->row < s->start || w->row >= s->end || p->items[w->item].far != it->far;
			bad += memcmp(p->items[w->item].ids, it->ids, (size_t)(w->row + 1) * sizeof *it->ids) != 0;
			bad += p->items[w->item].generate && w->row == p->items[w->item].n - 1 && w->row != s->end - 1;
		}
		int32_t n = 0, last = (int32_t)i;
		for (int32_t c = s->child; c >= 0; c = p->segs[c].sibling, n++) {
			bad += p->segs[c].parent != (int32_t)i || c <= last || p->segs[c].start > s->keep;
			last = c;
		}
		bad += n != s->nchildren;
	}
	CHECK(bad == 0 && wants == p->nwants && rows == p->rows, "%s: plan: %d faults, %zu of %zu wants, %zu of %zu rows", name, bad, wants, p->nwants,
	      rows, p->rows);
}

static void run_shape(const struct shape *sh, unsigned long long *rng)
{
	static int32_t pool[MAX_ITEMS][MAX_LEN + 1];
	struct plan_item item[MAX_ITEMS];
	static const int at[2] = { 0, 5 };
	int longest = 1;
	for (int i = 0; i < sh->items; i++) {
		int n = 1 + (int)(test_rand(rng) % (unsigned)sh->max_len), from = 0;
		if (i > 0 && test_rand(rng) % 100 < (unsigned)sh->branch) {
			int k = (int)(test_rand(rng) % (unsigned)i);
			from = (int)(test_rand(rng) % (unsigned)(item[k].n + 1));
			if (test_rand(rng) % 4 == 0)
				from = from / KV_PAGE * KV_PAGE; /* branch at a page's edge too */
			memcpy(pool[i], pool[k], (size_t)from * sizeof **pool);
			n = from + (int)(test_rand(rng) % 12);
			n = n < 1 ? 1 : n > sh->max_len ? sh->max_len : n;
		}
		for (int j = from; j <= n; j++)
			pool[i][j] = (int32_t)(test_rand(rng) % (unsigned)sh->alphabet);
		int first = n - 1 - (int)(test_rand(rng) % (unsigned)(n < 20 ? n : 20));
		item[i] = (struct plan_item){ .ids = pool[i], .n = n, .first = test_rand(rng) % 8 ? first : 0 };
		if (sh->generate && test_rand(rng) % 3 == 0) {
			item[i].generate = item[i].open = true;
			item[i].first = n - 1;
			item[i].growth = (int)(test_rand(rng) % 90);
			item[i].draws = test_rand(rng) % 2;
			if (item[i].draws && test_rand(rng) % 2)
				item[i].penalty = 1.25f + (float)(i % 8);
		} else if (test_rand(rng) % 5 == 0 && n > 5) {
			item[i].open = true;
			item[i].first = 0;
			item[i].logits_at = at;
			item[i].nlogits_at = 2;
		}
		item[i].far = sh->rope_switch && item[i].n > sh->rope_switch;
		int rows = item[i].n + item[i].growth;
		longest = rows > longest ? rows : longest;
	}
	struct plan p;
	plan_make(&p, item, (size_t)sh->items, sh->share, sh->states > 0);
	check_plan(&p, sh->name);
	CHECK(p.longest == longest, "%s: longest %d", sh->name, p.longest);
	int pages = sh->pages < 0 ? 20000 : sh->pages ? sh->pages : (longest + KV_PAGE - 1) / KV_PAGE;
	struct fake f = { .kv = calloc((size_t)pages * KV_PAGE, sizeof *f.kv), .state = calloc((size_t)sh->states + 1, sizeof *f.state) };
	f.m = (struct machine){ .ctx = &f, .eval = fake_eval, .copy = fake_copy, .vocab = VOCAB, .rows = sh->rows, .scored = sh->scored,
				.sequences = sh->sequences, .pages_per_sequence = (longest + KV_PAGE - 1) / KV_PAGE, .pages = pages,
				.states = sh->states, .rope_switch = sh->rope_switch };
	struct run u = { .item = item, .seen = calloc((size_t)sh->items, sizeof *u.seen), .rope_switch = sh->rope_switch };
	size_t grown = 0, crossed = 0;
	for (int i = 0; i < sh->items; i++) {
		u.seen[i].next = item[i].first;
		u.seen[i].token = calloc((size_t)item[i].growth + 1, sizeof *u.seen[i].token);
	}
	struct session_hooks h = { &u, on_scored, on_draw, on_next, on_progress, on_seen };
	struct session_stats st;
	struct err e = { 0 };
	int rc = session_run(&f.m, &p, &h, &st, &e);
	CHECK(rc == 0, "%s: %s", sh->name, e.msg);
	CHECK(f.bad == 0, "%s: the machine saw %d faults", sh->name, f.bad);
	CHECK(st.lives_left == 0, "%s: %d sequences are left", sh->name, st.lives_left);
	CHECK(st.pages_left == 0 && st.peak_pages <= pages, "%s: %d pages left, %d of %d used", sh->name, st.pages_left, st.peak_pages, pages);
	for (int i = 0; i < sh->items; i++) {
		struct seen *s = &u.seen[i];
		bool whole = item[i].generate ? s->ended : s->next == item[i].n;
		CHECK(whole && s->wrong == 0, "%s: item %d: %d wrong, next %d of %d", sh->name, i, s->wrong, s->next, item[i].n);
		grown += s->ntoken > 0 ? (size_t)s->ntoken - 1 : 0;
		crossed += sh->rope_switch && !item[i].far && item[i].n + s->ntoken - 1 > sh->rope_switch;
		free(s->token);
	}
	CHECK(st.crossed == crossed, "%s: %zu computed again because of their length, not %zu", sh->name, st.crossed, crossed);
	grown += crossed * (size_t)sh->rope_switch;
	if (sh->pages < 0 && sh->scored >= 64 && (sh->states == 0 || sh->states > 2 * sh->items)) {
		CHECK(st.loosened == 0, "%s: %zu computed again", sh->name, st.loosened);
		CHECK(st.rows >= p.rows + grown && st.rows <= p.rows + grown + st.batches, "%s: %zu rows computed, %zu planned", sh->name, st.rows,
		      p.rows + grown);
	}
	CHECK(u.last_done == (double)st.rows && u.last_done <= u.last_total, "%s: progress ends at %g of %g", sh->name, u.last_done, u.last_total);
	free(f.kv);
	free(f.state);
	free(u.seen);
	plan_free(&p);
}

static void test_schedules(void)
{
	static const struct shape shapes[] = {
		{ "ample", 300, 4, 200, 70, 256, 256, 256, -1, true, false },
		{ "alone", 100, 4, 200, 70, 256, 256, 256, -1, false, false },
		{ "one row", 40, 3, 150, 80, 1, 1, 1, -1, true, true },
		{ "one sequence", 60, 3, 150, 80, 64, 64, 1, -1, true, true },
		{ "few scored", 120, 4, 200, 70, 100, 3, 50, -1, true, true },
		{ "least memory", 150, 3, 400, 90, 128, 128, 128, 0, true, true },
		{ "least memory alone", 50, 3, 400, 90, 128, 128, 128, 0, false, true },
		{ "little memory", 300, 3, 500, 90, 200, 200, 200, 20, true, true },
		{ "deep", 300, 2, 60, 100, 64, 64, 64, 4, true, true },
		{ "binary", 400, 2, 40, 50, 512, 512, 512, -1, true, true },
		{ "unary", 200, 1, 300, 50, 100, 100, 100, -1, true, true },
		{ "unary, little memory", 200, 1, 600, 50, 100, 100, 100, 12, true, true },
		{ "odd limits", 200, 5, 300, 60, 37, 19, 7, 30, true, true },
	};
	unsigned long long rng = test_seed();
	printf("\n    seed %llu ", rng);
	static const int states[] = { 0, 1, 2, 3, 7, 40, 1000 }, switches[] = { 0, 20, 100, 64 };
	enum { STATES = sizeof states / sizeof *states, SWITCHES = sizeof switches / sizeof *switches };
	for (int again = 0; again < STATES * SWITCHES; again++)
		for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
			struct shape sh = shapes[i];
			char name[80];
			sh.states = states[again % STATES];
			sh.rope_switch = switches[again / STATES];
			snprintf(name, sizeof name, "%s, %d slots, switch at %d", shapes[i].name, sh.states, sh.rope_switch);
			sh.name = name;
			run_shape(&sh, &rng);
		}
}

static void test_segments(void)
{
	static const int32_t a[] = { 1, 10, 11, 12, 13 }, b[] = { 1, 10, 11, 14, 15, 16 }, c[] = { 1, 10, 11 }, d[] = { 1, 10, 11, 12, 13 };
	const struct plan_item item[] = {
		{ .ids = a, .n = 4, .first = 2 },              /* rows 2, 3 */
		{ .ids = b, .n = 5, .first = 2 },              /* shares 3 rows; row 2 with another target */
		{ .ids = c, .n = 3, .first = 0, .open = true }, /* a prefix of both */
		{ .ids = d, .n = 4, .first = 3 },              /* the same ids as the first */
	};
	struct plan p;
	plan_make(&p, item, 4, true, false);
	CHECK(p.nsegs == 3 && p.rows == 3 + 1 + 2, "%zu segments, %zu rows", p.nsegs, p.rows);
	CHECK(p.segs[0].start == 0 && p.segs[0].end == 3 && p.segs[0].nchildren == 2 && p.segs[0].keep == 3, "the shared part");
	CHECK(p.segs[1].parent == 0 && p.segs[2].parent == 0 && p.segs[0].child == 1 && p.segs[1].sibling == 2, "its children");
	CHECK(p.nwants == 2 + 3 + 3 + 1, "%zu wants", p.nwants);
	CHECK(p.segs[0].nwants == 3 + 2, "%zu wants in the shared part", p.segs[0].nwants);
	for (size_t i = 1; i < p.segs[0].nwants; i++)
		CHECK(p.wants[i - 1].row <= p.wants[i].row, "order of wants");
	plan_free(&p);
	plan_make(&p, item, 4, false, false);
	CHECK(p.nsegs == 4 && p.rows == 4 + 5 + 3 + 4 && p.segs[3].parent == -1, "alone: %zu segments, %zu rows", p.nsegs, p.rows);
	plan_free(&p);
	plan_make(&p, item, 0, true, false);
	CHECK(p.nsegs == 0 && p.rows == 0, "nothing");
	plan_free(&p);
}

static void test_split(void)
{
	static const int32_t a[] = { 1, 2, 3, 4 }, b[] = { 1, 2, 3, 5, 6 }, c[] = { 1, 2, 7 }, d[] = { 1, 2, 3, 4, 5 };
	const struct plan_item item[] = {
		{ .ids = a, .n = 4, .first = 0, .open = true },
		{ .ids = b, .n = 5, .first = 4, .open = true },
		{ .ids = c, .n = 3, .first = 2, .open = true, .generate = true, .growth = 3 },
		{ .ids = d, .n = 5, .first = 4, .open = true },
	};
	static const struct {
		int32_t start, end, parent, keep;
		size_t nwants;
	} want[] = { { 0, 2, -1, 2, 2 }, { 2, 3, 0, 3, 1 }, { 3, 4, 1, 4, 1 }, { 4, 5, 2, 0, 1 }, { 3, 5, 1, 0, 1 }, { 2, 3, 0, 3, 1 } };
	struct plan p;
	plan_make(&p, item, 4, true, true);
	check_plan(&p, "split");
	CHECK(p.nsegs == 6 && p.rows == 8, "%zu segments, %zu rows", p.nsegs, p.rows);
	for (size_t i = 0; i < 6 && i < p.nsegs; i++) {
		const struct seg *s = &p.segs[i];
		CHECK(s->start == want[i].start && s->end == want[i].end && s->parent == want[i].parent && s->keep == want[i].keep &&
			      s->nwants == want[i].nwants,
		      "segment %zu: rows %d..%d under %d, keeps %d, %zu wants", i, s->start, s->end, s->parent, s->keep, s->nwants);
	}
	CHECK(p.segs[5].ngenerate == 1, "the generation goes on from its segment's end");
	plan_free(&p);
	plan_make(&p, item, 4, false, true);
	CHECK(p.nsegs == 4, "nothing shared: %zu segments", p.nsegs);
	plan_free(&p);
}

static void test_few_batches(void)
{
	/* 40 documents of 100 tokens with 4 continuations of 5: as many batches as the rows fill, and a few */
	static int32_t ids[160][106];
	struct plan_item item[160];
	for (int i = 0; i < 160; i++) {
		for (int j = 0; j < 106; j++)
			ids[i][j] = j < 100 ? (i / 4 * 31 + j * 7) % 400 + 1 : i % 4 * 50 + j;
		item[i] = (struct plan_item){ .ids = ids[i], .n = 105, .first = 99 };
	}
	struct plan p;
	plan_make(&p, item, 160, true, false);
	struct fake f = { .kv = calloc(1000 * KV_PAGE, sizeof *f.kv) };
	f.m = (struct machine){ &f, fake_eval, fake_copy, VOCAB, 512, 512, 512, 2, 1000, 0 };
	struct run u = { .item = item, .seen = calloc(160, sizeof *u.seen) };
	for (int i = 0; i < 160; i++)
		u.seen[i].next = 99;
	struct session_hooks h = { &u, on_scored, on_draw, on_next, on_progress, on_seen };
	struct session_stats st;
	struct err e;
	CHECK(session_run(&f.m, &p, &h, &st, &e) == 0 && f.bad == 0, "run");
	CHECK(p.rows <= 40 * 120 && st.batches <= p.rows / 512 + 3, "%zu rows in %zu batches", p.rows, st.batches);
	free(f.kv);
	free(u.seen);
	plan_free(&p);
}

/* Runs items with few slots of state; nothing may be computed twice. Returns batches. */
static size_t run_few_slots(const char *name, const struct plan_item *item, size_t n, int rows, int slots)
{
	struct plan p;
	plan_make(&p, item, n, true, true);
	struct fake f = { .kv = calloc(2000 * KV_PAGE, sizeof *f.kv), .state = calloc((size_t)slots, sizeof *f.state) };
	f.m = (struct machine){ .ctx = &f, .eval = fake_eval, .copy = fake_copy, .vocab = VOCAB, .rows = rows, .scored = rows,
				.sequences = rows, .pages_per_sequence = 20, .pages = 2000, .states = slots };
	struct run u = { .item = item, .seen = calloc(n, sizeof *u.seen) };
	size_t grown = 0;
	for (size_t i = 0; i < n; i++) {
		u.seen[i].next = item[i].first;
		u.seen[i].token = calloc((size_t)item[i].growth + 1, sizeof *u.seen[i].token);
	}
	struct session_hooks h = { &u, on_scored, on_draw, on_next, on_progress, on_seen };
	struct session_stats st;
	struct err e;
	CHECK(session_run(&f.m, &p, &h, &st, &e) == 0 && f.bad == 0, "%s: run", name);
	for (size_t i = 0; i < n; i++) {
		CHECK(u.seen[i].wrong == 0 && (item[i].generate ? u.seen[i].ended : u.seen[i].next == item[i].n), "%s: item %zu", name, i);
		grown += u.seen[i].ntoken > 0 ? (size_t)u.seen[i].ntoken - 1 : 0;
		free(u.seen[i].token);
	}
	CHECK(st.loosened == 0 && st.rows == p.rows + grown, "%s: %zu computed again, %zu rows of %zu", name, st.loosened, st.rows, p.rows + grown);
	free(f.kv);
	free(f.state);
	free(u.seen);
	plan_free(&p);
	return st.batches;
}

static void test_few_slots(void)
{
	static int32_t ids[240][420];
	static struct plan_item item[240];
	/* 60 questions behind 300 shared tokens, 4 choices each: 4 slots are one for these, one in reserve, two for questions at a time */
	for (int i = 0; i < 240; i++) {
		for (int j = 0; j < 420; j++)
			ids[i][j] = j < 300 ? j : j < 330 ? i / 4 * 3 + j : i + j;
		item[i] = (struct plan_item){ .ids = ids[i], .n = 333, .first = 329 };
	}
	size_t batches = run_few_slots("choices", item, 240, 256, 4);
	CHECK(batches < 70, "choices: %zu batches", batches);
	/* 40 generations behind the same: 8 slots */
	for (int i = 0; i < 40; i++)
		item[i] = (struct plan_item){ .ids = ids[4 * i], .n = 330, .first = 329, .open = true, .generate = true, .growth = 20 };
	batches = run_few_slots("generations", item, 40, 256, 8);
	CHECK(batches < 40 * 21 / 4, "generations: %zu batches", batches);
	/* 8 samples of each of 5 prompts */
	for (int i = 0; i < 40; i++)
		item[i] = (struct plan_item){ .ids = ids[i / 8 * 4], .n = 330, .first = 329, .open = true, .generate = true, .growth = 20, .draws = true };
	run_few_slots("samples", item, 40, 256, 4);
	/* windows that all branch off one text, each a token later */
	for (int i = 0; i < 100; i++) {
		for (int j = 0; j < 420; j++)
			ids[i][j] = j <= 10 + 3 * i ? j % 7 : 8 + i % 3;
		item[i] = (struct plan_item){ .ids = ids[i], .n = 15 + 3 * i, .first = 11 + 3 * i };
	}
	run_few_slots("a comb", item, 100, 256, 1);
	/* a binary tree of 6 levels, 5 tokens a level */
	for (int i = 0; i < 64; i++) {
		for (int j = 0; j < 420; j++)
			ids[i][j] = (i >> (5 - (j / 5 < 6 ? j / 5 : 5)) & 1) + j % 5;
		item[i] = (struct plan_item){ .ids = ids[i], .n = 32, .first = 0 };
	}
	run_few_slots("a tree", item, 64, 256, 6);
}

static void test_stopped(void)
{
	static int32_t ids[3] = { 1, 2, 3 };
	struct plan_item item[1] = { { .ids = ids, .n = 2, .first = 0 } };
	struct plan p;
	plan_make(&p, item, 1, true, false);
	struct fake f = { .kv = calloc(4 * KV_PAGE, sizeof *f.kv) };
	f.m = (struct machine){ &f, fake_eval, fake_copy, VOCAB, 1, 1, 1, 2, 4, 0 };
	struct run u = { .item = item, .seen = calloc(1, sizeof *u.seen), .stop_after = 1 };
	struct session_hooks h = { &u, on_scored, on_draw, on_next, on_progress, on_seen };
	struct err e;
	CHECK(session_run(&f.m, &p, &h, NULL, &e) == -1 && e.code == E_STOPPED && f.batch == 1, "a progress function that says stop");
	free(f.kv);
	free(u.seen);
	plan_free(&p);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "segments of a small trie", test_segments },
		{ "segments are split where something branches off", test_split },
		{ "every schedule gives every row its own path", test_schedules },
		{ "choices of many documents share batches", test_few_batches },
		{ "few slots of state, and nothing computed twice", test_few_slots },
		{ "the caller may stop", test_stopped },
		{ NULL, NULL },
	};
	return test_main("plan", tests, argc, argv);
}
