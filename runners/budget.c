/* budget.c - rows of a forward pass, slots and pages that a memory limit allows; what would be held as a sentence, an error, a table
 * (budget.h).
 */
#include "runners/budget.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/log.h"

enum { DEFAULT_ROWS = 512, MAX_ROWS = 65536, DEFAULT_STATES = 16, MAX_PAGES = 1 << 24 };

static size_t default_memory(const struct model *m)
{
	const struct model_info *mi = model_info(m);
	size_t want = ((size_t)64 << 20) + mi->packed_bytes + DEFAULT_STATES * mi->state_bytes;
	size_t room = device_ops(model_device(m))->room(model_device(m), mi->packed_bytes);
	return want < room ? want : room;
}

/* Of the limit, for states and pages. */
static size_t beside_scratch(const struct budget *b)
{
	size_t scratch = forward_bytes(b->model, b->rows, b->scored);
	return b->memory > scratch ? b->memory - scratch : 0;
}

int budget_states(const struct budget *b)
{
	const struct model_info *mi = model_info(b->model);
	size_t left = beside_scratch(b), one = mi->state_bytes, page = mi->kv_page_bytes, share = left;
	if (one == 0)
		return 0;
	if (page)
		share = left / 2 < page && left > page ? left - page : left / 2;
	size_t n = share / one, useful = 2 * (size_t)b->rows + 64;
	n = n > 0 ? n : left / one > 0;
	return (int)(n < useful ? n : useful);
}

int budget_pages(const struct budget *b)
{
	size_t page = model_info(b->model)->kv_page_bytes, left = beside_scratch(b);
	size_t states = (size_t)budget_states(b) * model_info(b->model)->state_bytes;
	size_t n = page == 0 ? MAX_PAGES : left > states ? (left - states) / page : 0;
	return n > MAX_PAGES ? MAX_PAGES : (int)n;
}

void budget_make(struct budget *b, const struct model *m, size_t memory, int batch_rows, int max_length)
{
	*b = (struct budget){ .model = m, .memory = memory ? memory : default_memory(m), .max_length = max_length };
	b->rows = batch_rows > 0 ? (batch_rows < MAX_ROWS ? batch_rows : MAX_ROWS) : DEFAULT_ROWS;
	size_t fit = b->memory / 4 / (sizeof(float) * (size_t)model_info(m)->vocab);
	int most = fit < 1 ? 1 : fit > MAX_ROWS ? MAX_ROWS : (int)fit;
	for (;; b->rows = (b->rows + 1) / 2) {
		b->scored = b->rows < most ? b->rows : most;
		if (b->rows == 1 || forward_bytes(m, b->rows, b->scored) <= b->memory / 2)
			break;
	}
	int64_t longest = ((int64_t)max_length + KV_PAGE - 1) / KV_PAGE, held = budget_pages(b);
	b->pages_per_sequence = (int)(held < 1 ? 1 : held < longest ? held : longest);
}

/* The least that is held while one sequence is computed. */
struct need {
	size_t packed, scratch, one; /* one: a page and a state */
	size_t left;                 /* on the device */
	bool beyond_device, beyond_limit;
};

static struct need need_of(const struct budget *b)
{
	const struct model_info *mi = model_info(b->model);
	struct device *dev = model_device(b->model);
	struct need n = { .packed = mi->packed_bytes, .scratch = forward_bytes(b->model, b->rows, b->scored), .one = mi->kv_page_bytes + mi->state_bytes,
			  .left = device_ops(dev)->left(dev, 0) };
	n.beyond_device = n.packed > n.left || n.scratch + n.one > n.left - n.packed;
	n.beyond_limit = n.scratch + n.one > b->memory;
	return n;
}

struct size_text {
	char s[24];
};

static struct size_text size_text(double bytes)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	struct size_text t;
	int u = 0;
	for (; u < 4 && bytes >= 1024; u++)
		bytes /= 1024;
	snprintf(t.s, sizeof t.s, u ? "%.1f %s" : "%.0f %s", bytes, unit[u]);
	return t;
}

int budget_check(const struct budget *b, const char *name, struct err *e)
{
	const struct model_info *mi = model_info(b->model);
	const struct need n = need_of(b);
	struct size_text packed = size_text((double)n.packed), scratch = size_text((double)n.scratch), one = size_text((double)n.one);
	char state[64] = "";

	if (mi->state_bytes)
		snprintf(state, sizeof state, ", %s of state a sequence", size_text((double)mi->state_bytes).s);
	log_note("memory: weights %s in the files, %s packed; scratch %s; KV cache %s a position%s; at most %s in all",
		 size_text((double)mi->weights_bytes).s, packed.s, scratch.s, size_text((double)mi->kv_page_bytes / KV_PAGE).s, state,
		 size_text((double)n.packed + (double)b->memory).s);
	if (n.beyond_device)
		return err_set(e, E_MEMORY, "model %s does not fit: packed weights of %s, scratch of %s and %s for one sequence of %d positions are needed, "
			       "%s are left", name, packed.s, scratch.s, one.s, KV_PAGE, size_text((double)n.left).s);
	if (n.beyond_limit)
		return err_set(e, E_MEMORY, "model %s does not fit --memory: scratch of %s and %s for one sequence of %d positions are needed, %s are allowed",
			       name, scratch.s, one.s, KV_PAGE, size_text((double)b->memory).s);
	return 0;
}

int budget_rows(const struct budget *b, struct plan_row *rows, int max)
{
	const struct model_info *mi = model_info(b->model);
	const struct need need = need_of(b);
	const double page = (double)mi->kv_page_bytes, state = (double)mi->state_bytes;
	const struct {
		const char *what;
		double bytes;
		bool bad;
	} all[] = {
		{ "weights in the files, mapped", (double)mi->weights_bytes, false },
		{ "of these, embeddings", (double)mi->table_bytes, false },
		{ "weights, packed for the device", (double)need.packed, need.beyond_device },
		{ "scratch of one forward pass", (double)need.scratch, need.beyond_limit },
		{ "KV cache, one position", page / KV_PAGE, false },
		{ "KV cache, one sequence of the longest length", page * ((b->max_length - 1) / KV_PAGE + 1), false },
		{ "KV cache, at most", page * budget_pages(b), false },
		{ "recurrent state, one sequence", state, false },
		{ "recurrent state, at most", state * budget_states(b), false },
		{ "limit, packed weights apart", (double)b->memory, need.beyond_limit },
		{ "left on the device", (double)need.left, need.beyond_device },
	};
	int n = (int)(sizeof all / sizeof *all);
	n = n < max ? n : max;
	for (int i = 0; i < n; i++) {
		rows[i] = (struct plan_row){ .bytes = all[i].bytes, .bad = all[i].bad };
		snprintf(rows[i].what, sizeof rows[i].what, "%s", all[i].what);
		snprintf(rows[i].size, sizeof rows[i].size, "%s", size_text(all[i].bytes).s);
	}
	return n;
}
