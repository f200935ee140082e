/* machine.h - a device, a model, its cache and its forward pass opened together, for tests of whole models.
 */
#ifndef ASSAY_TESTS_MACHINE_H
#define ASSAY_TESTS_MACHINE_H

#include "runners/model.h"
#include "tests/test.h"

#define MAX_IDS 512
#define PAGES 8 /* of a sequence */

struct machine {
	struct device *dev;
	struct model *m;
	struct cache cache;
	struct forward *f;
};

static inline int machine_open(struct machine *k, const char *dir, int threads, enum cpu_level level, int sequences, struct err *e)
{
	struct device_opts o = { "cpu", threads, level };
	memset(k, 0, sizeof *k);
	return device_open(&k->dev, &o, e) != 0 || model_open(&k->m, dir, k->dev, e) != 0 ||
	       cache_open(&k->cache, k->m, sequences * PAGES, sequences, e) != 0 ||
	       forward_open(&k->f, k->m, sequences * MAX_IDS, sequences * MAX_IDS, sequences, PAGES, e) != 0 ? -1 : 0;
}

static inline void machine_close(struct machine *k)
{
	forward_close(k->f);
	if (k->m) {
		cache_close(&k->cache, k->m);
		model_close(k->m);
	}
	if (k->dev)
		device_close(k->dev);
}

/* Completes a call whose rows are those of one sequence of n tokens in all: where its state comes from and goes, and which rope tables. */
static inline void carry(const struct machine *k, struct eval *v, int32_t *from, int32_t *to, unsigned char *far, int32_t slot, int n)
{
	const struct model_info *mi = model_info(k->m);
	for (int i = 0; i < v->n; i++) {
		from[i] = i > 0 ? STATE_CHAIN : v->pos[0] > 0 ? slot : STATE_ZERO;
		to[i] = i == v->n - 1 ? slot : -1;
		far[i] = mi->rope_switch && n > mi->rope_switch;
	}
	v->from = mi->state_bytes ? from : NULL;
	v->to = mi->state_bytes ? to : NULL;
	v->far = mi->rope_switch ? far : NULL;
}

/* Runs the ids in calls of `step` rows; out[n], logits NULL or [n][vocab]. Pages are dealt in a scrambled order. */
static inline int run(struct machine *k, const int32_t *ids, int n, int step, struct lse *out, float *logits)
{
	int32_t state_from[MAX_IDS], state_to[MAX_IDS];
	unsigned char far[MAX_IDS];
	int32_t pos[MAX_IDS], seq[MAX_IDS], scored[MAX_IDS], target[MAX_IDS], table[PAGES] = { 3, 0, 7, 1, 6, 2, 5, 4 };
	struct err e = { 0 };
	for (int from = 0; from < n; from += step) {
		int rows = n - from < step ? n - from : step;
		for (int i = 0; i < rows; i++) {
			pos[i] = from + i;
			seq[i] = 0;
			scored[i] = i;
			target[i] = from + i + 1 < n ? ids[from + i + 1] : -1;
		}
		struct eval v = { .n = rows, .ids = ids + from, .pos = pos, .seq = seq, .table = table, .sequences = 1, .ld_table = PAGES,
				  .nscored = rows, .scored = scored, .target = target, .out = out + from,
				  .logits = logits ? logits + (size_t)from * (size_t)model_info(k->m)->vocab : NULL };
		carry(k, &v, state_from, state_to, far, 0, n);
		if (forward_eval(k->f, &k->cache, &v, &e) != 0) {
			CHECK(0, "forward_eval: %s", e.msg);
			return -1;
		}
	}
	return 0;
}

#endif
