/* session_pages.c - pages of the KV cache and slots of state: who holds which (session.c says when).
 *
 * A live is a sequence that holds pages; its number is also its slot of state, where it has one. Pages are counted: a child shares its parent's
 * full pages. Where it branches inside a page, the first to begin exactly where the page's use ends goes on in place, every
 * other one copies the first slots. The last one that goes on from a segment inherits its live whole: the pages that it would
 * have shared, and the slot, which holds the very state that it starts from.
 */
#include "runners/session_int.h"

#include <assert.h>
#include <string.h>

int32_t page_take(struct session *s, int32_t filled)
{
	assert(s->nfree > 0);
	int32_t p = s->page_free[--s->nfree];
	s->page_refs[p] = 1;
	s->page_filled[p] = filled;
	int used = s->m->pages - s->nfree;
	if (used > s->stats.peak_pages)
		s->stats.peak_pages = used;
	return p;
}

static void page_drop(struct session *s, int32_t p)
{
	assert(s->page_refs[p] > 0);
	if (--s->page_refs[p] == 0)
		s->page_free[s->nfree++] = p;
}

static int32_t live_take(struct session *s, int32_t seg, bool bare)
{
	int32_t i = bare ? s->bare_free[--s->nbare_free] : s->live_free[--s->nlive_free];
	s->live[i].npages = 0;
	s->live[i].seg = seg;
	s->live[i].batch = 0;
	return i;
}

void live_trim(struct session *s, int32_t i, int32_t npages)
{
	struct live *l = &s->live[i];
	while (l->npages > npages)
		page_drop(s, l->page[--l->npages]);
}

void live_drop(struct session *s, int32_t *i)
{
	live_trim(s, *i, 0);
	s->live[*i].seg = NONE;
	if (*i < s->slots)
		s->live_free[s->nlive_free++] = *i;
	else
		s->bare_free[s->nbare_free++] = *i;
	*i = NONE;
}

int32_t pages_needed(const struct session *s, int32_t parent, int32_t start, int32_t end, bool *copy, int32_t *shared)
{
	int32_t slot = start % KV_PAGE, full = start / KV_PAGE;
	bool claim = slot && parent != NONE && s->page_filled[s->live[s->seg[parent].live].page[full]] == slot;
	*copy = slot && !claim;
	*shared = full + claim;
	return pages_of(end) - full - claim;
}

bool live_inherits(const struct session *s, int32_t parent)
{
	const struct part *up = parent == NONE ? NULL : &s->seg[parent];
	return up && up->pending == 1 && up->batch && up->batch < s->batch;
}

int32_t live_begin(struct session *s, int32_t owner, int32_t parent, int32_t start, int32_t end, bool bare, bool fill_last)
{
	const bool inherits = live_inherits(s, parent);
	int32_t slot = start % KV_PAGE, full = start / KV_PAGE, need = pages_of(end);
	int32_t up = parent == NONE ? NONE : s->seg[parent].live, i = inherits ? up : live_take(s, owner, bare);
	struct live *l = &s->live[i];
	const int32_t *from = up == NONE ? NULL : s->live[up].page;
	int32_t branched = slot ? from[full] : NONE; /* the page in which the path begins */
	const bool claim = slot && s->page_filled[branched] == slot;
	if (inherits) {
		l->seg = owner;
		s->seg[parent].live = NONE;
		if (branched != NONE)
			s->page_refs[branched]++; /* until it is claimed or copied */
		live_trim(s, i, full);
	}
	for (int32_t k = l->npages; k < need; k++) {
		int32_t filled = k < need - 1 || fill_last ? KV_PAGE : end - k * KV_PAGE;
		if (k < full || (k == full && claim)) {
			l->page[k] = k == full ? branched : from[k];
			s->page_refs[l->page[k]]++;
			if (k == full)
				s->page_filled[branched] = filled;
		} else {
			l->page[k] = page_take(s, filled);
			if (k == full && slot) {
				s->m->copy(s->m->ctx, l->page[k], branched, slot);
				s->stats.copies++;
			}
		}
		l->npages = k + 1;
	}
	if (inherits && branched != NONE)
		page_drop(s, branched);
	return i;
}

int32_t table_row(struct session *s, int32_t live)
{
	struct live *l = &s->live[live];
	if (l->batch == s->batch)
		return l->row;
	if (s->nseq == s->m->sequences)
		return NONE;
	l->batch = s->batch;
	l->row = s->nseq++;
	memcpy(s->table + (size_t)l->row * (size_t)s->ld, l->page, (size_t)l->npages * sizeof *l->page);
	return l->row;
}
