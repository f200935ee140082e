/* plan.c - sorts items, finds what neighbours share, and hangs each rest under its parent (plan.h).
 *
 * The order is that of the ids' bytes (memcmp), not of their numbers: any order in which sequences with a common prefix
 * are neighbours makes the same trie, and memcmp is the fastest of them. One pass with a stack of the current path builds
 * the segments: sorted order visits the trie in preorder, so the parent of a rest that starts at row L is the segment on
 * the stack that holds row L - 1.
 *
 * What later items share with a segment only shrinks along the order, so the children of a segment, ascending, start at
 * falling rows. Therefore a split plan's preorder is the old one with each segment replaced by its pieces: below a piece
 * come first the next piece with all that hangs under it, then the children that branch off where the piece ends.
 */
#include "runners/plan.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/arena.h"

static int by_ids(const void *x, const void *y)
{
	const struct plan_item *a = *(const struct plan_item *const *)x, *b = *(const struct plan_item *const *)y;
	int n = a->n < b->n ? a->n : b->n;
	if (a->far != b->far)
		return a->far ? 1 : -1;
	int c = memcmp(a->ids, b->ids, (size_t)n * sizeof *a->ids);
	if (c)
		return c;
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	return a < b ? -1 : a > b; /* same ids: the order they came in */
}

static int by_row(const void *x, const void *y)
{
	const struct want *a = x, *b = y;
	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	if (a->target != b->target)
		return a->target < b->target ? -1 : 1;
	return a->item < b->item ? -1 : a->item > b->item;
}

static int32_t common(const struct plan_item *a, const struct plan_item *b)
{
	int32_t n = a->n < b->n ? a->n : b->n, i = 0;
	if (a->far != b->far)
		return 0;
	while (i + 8 <= n && memcmp(a->ids + i, b->ids + i, 8 * sizeof *a->ids) == 0)
		i += 8;
	while (i < n && a->ids[i] == b->ids[i])
		i++;
	return i;
}

static bool wants_logits(const struct plan_item *it, int32_t row)
{
	int lo = 0, hi = it->nlogits_at;
	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;
		if (it->logits_at[mid] < row)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < it->nlogits_at && it->logits_at[lo] == row;
}

static int32_t target(const struct plan_item *it, int32_t row)
{
	return it->open && row == it->n - 1 ? -1 : it->ids[row + 1];
}

/* The path from the root to the segment of the item at hand. */
struct path {
	int32_t *seg;
	int n;
	size_t cap;
};

/* Calls for every scored row of the item, with the segment on the path that computes it: counts, or fills. */
static void attach(struct plan *p, const struct path *path, uint32_t item, bool fill)
{
	const struct plan_item *it = &p->items[item];
	int32_t end = it->n; /* rows below `end` are still to attach, from the deepest segment up */
	for (int k = path->n - 1; k >= 0 && end > it->first; k--) {
		struct seg *s = &p->segs[path->seg[k]];
		int32_t from = s->start > it->first ? s->start : it->first;
		if (from >= end)
			continue;
		if (fill)
			for (int32_t r = from; r < end; r++)
				p->wants[s->want + s->nwants++] = (struct want){ r, target(it, r), item, wants_logits(it, r) };
		else
			s->nwants += (size_t)(end - from);
		end = from;
	}
}

/* One pass over the sorted items. fill false: makes the segments and counts wants; true: writes the wants. */
static void walk(struct plan *p, const struct plan_item **order, bool share, bool fill, struct path *path)
{
	size_t made = 0;
	path->n = 0;
	for (size_t i = 0; i < p->nitems; i++) {
		uint32_t item = (uint32_t)(order[i] - p->items);
		const struct plan_item *it = order[i];
		int32_t lcp = share && i > 0 ? common(order[i - 1], it) : 0;
		bool again = share && i > 0 && lcp == it->n; /* the same ids as the item before */
		while (!again && path->n > 0 && p->segs[path->seg[path->n - 1]].start >= lcp)
			path->n--;
		if (!again) {
			struct seg *s = &p->segs[made];
			if (!fill) {
				*s = (struct seg){ .item = item, .start = lcp, .end = it->n, .child = -1, .sibling = -1 };
				s->parent = path->n > 0 ? path->seg[path->n - 1] : -1;
				p->rows += (size_t)(it->n - lcp);
			}
			if ((size_t)path->n == path->cap) {
				path->cap = path->cap ? 2 * path->cap : 64;
				path->seg = xrealloc(path->seg, path->cap * sizeof *path->seg);
			}
			path->seg[path->n++] = (int32_t)made++;
		}
		attach(p, path, item, fill);
		if (!fill && it->generate) { /* goes on from the segment that holds its last row */
			struct seg *s = &p->segs[path->seg[path->n - 1]];
			s->ngenerate++;
			s->keep = s->keep > it->n ? s->keep : it->n;
		}
	}
	p->nsegs = made;
}

/* Links segments to their parents. */
static void hang(struct plan *p)
{
	for (size_t i = p->nsegs; i-- > 0;) { /* backwards, so that children come in ascending order */
		struct seg *s = &p->segs[i];
		if (s->parent < 0)
			continue;
		struct seg *up = &p->segs[s->parent];
		s->sibling = up->child;
		up->child = (int32_t)i;
		up->nchildren++;
		up->keep = up->keep > s->start ? up->keep : s->start;
	}
}

/* Rows within the segment at which children branch off, each once. */
static int32_t cuts(const struct plan *p, const struct seg *s)
{
	int32_t n = 0, last = s->end;
	for (int32_t c = s->child; c >= 0; c = p->segs[c].sibling) {
		n += p->segs[c].start < last;
		last = p->segs[c].start;
	}
	return n;
}

/* Pieces of one segment at out[0..]; tells each child which piece, counted from `base`, it hangs under. Returns how many. */
static int32_t cut(const struct plan *p, const struct seg *s, struct seg *out, int32_t base, int32_t *under)
{
	int32_t last = cuts(p, s), k = last, start;
	size_t want = s->want + s->nwants;
	int32_t end = s->end, c = s->child;
	for (; k >= 0; k--, end = start) {
		for (; c >= 0 && p->segs[c].start == end; c = p->segs[c].sibling)
			under[c] = base + k;
		start = c >= 0 ? p->segs[c].start : s->start;
		struct seg *o = &out[k];
		*o = (struct seg){ .item = s->item, .start = start, .end = end, .parent = base + k - 1, .child = -1, .sibling = -1, .want = want };
		while (o->want > s->want && p->wants[o->want - 1].row >= start)
			o->want--;
		o->nwants = want - o->want;
		want = o->want;
	}
	out[last].ngenerate = s->ngenerate;
	out[last].keep = s->ngenerate ? s->end : 0;
	return last + 1;
}

static void split_segs(struct plan *p)
{
	size_t n = p->nsegs, made = 0;
	for (size_t i = 0; i < p->nsegs; i++)
		n += (size_t)cuts(p, &p->segs[i]);
	struct seg *to = xcalloc(n ? n : 1, sizeof *to);
	int32_t *under = xcalloc(n ? n : 1, sizeof *under);
	for (size_t i = 0; i < p->nsegs; i++) {
		int32_t pieces = cut(p, &p->segs[i], to + made, (int32_t)made, under);
		to[made].parent = p->segs[i].parent < 0 ? -1 : under[i];
		made += (size_t)pieces;
	}
	free(under);
	free(p->segs);
	p->segs = to;
	p->nsegs = made;
	hang(p);
}

void plan_make(struct plan *p, const struct plan_item *items, size_t n, bool share, bool split)
{
	*p = (struct plan){ .items = items, .nitems = n, .split = split };
	const struct plan_item **order = xcalloc(n ? n : 1, sizeof *order);
	for (size_t i = 0; i < n; i++) {
		order[i] = &items[i];
		int32_t rows = items[i].n + items[i].growth;
		p->longest = rows > p->longest ? rows : p->longest;
		p->logits |= items[i].nlogits_at > 0;
	}
	if (share)
		qsort(order, n, sizeof *order, by_ids);
	p->segs = xcalloc(n ? n : 1, sizeof *p->segs);
	struct path path = { NULL, 0, 0 };
	walk(p, order, share, false, &path);
	for (size_t i = 0; i < p->nsegs; i++) {
		struct seg *s = &p->segs[i];
		s->want = p->nwants;
		p->nwants += s->nwants;
		s->nwants = 0;
	}
	p->wants = xcalloc(p->nwants ? p->nwants : 1, sizeof *p->wants);
	walk(p, order, share, true, &path);
	free(path.seg);
	free(order);
	for (size_t i = 0; i < p->nsegs; i++)
		qsort(p->wants + p->segs[i].want, p->segs[i].nwants, sizeof *p->wants, by_row);
	hang(p);
	if (split)
		split_segs(p);
}

void plan_free(struct plan *p)
{
	free(p->segs);
	free(p->wants);
	*p = (struct plan){ 0 };
}
