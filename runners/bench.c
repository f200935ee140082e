/* bench.c - whole forward passes against the clock: a prompt computed (prefill), one more token of each of some sequences (decode).
 *
 * The model is a checkpoint or random weights in a shape by name. Passes go through forward_eval as the engine's do, ids and
 * page tables sent along and results read back, so that what the host costs is in the figure. A decode starts behind a
 * context whose keys and values are random: what they hold changes no time.
 *
 * The floor of a line is what the device's own limits allow, the longer of two times: floating-point operations over
 * the fused multiply-adds (with fast numerics the linear layers' over a large product), and bytes over a plain read, weights
 * once a pass, keys and values once a step. Every key counts, in layers with a sliding window, too.
 */
#include "runners/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/arena.h"
#include "runners/model.h"
#include "runners/shapes.h"

#define PASS_ROWS 2048 /* of a prompt in one pass, at most */
#define STEPS 8        /* of a decode between two readings of the clock */
#define MOST_TOKENS (1 << 20)
#define MOST_BATCH 4096

struct job {
	struct model *m;
	struct forward *f;
	struct cache cache;
	int rows, pages;             /* of a pass; of a sequence */
	int first, steps, step_rows; /* positions: first; passes of a measurement; rows of each pass but perhaps the last */
	int total;                   /* prefill: tokens */
	bool decode;
	int32_t *ids, *pos, *seq, *from, *to, *table, *scored, *target;
	bool states;                 /* the model has a recurrent state */
	struct lse *out;
};

/* --- passes ------------------------------------------------------------------------------------------------------ */

static int one_pass(struct job *j, int step, struct err *e)
{
	int from = step * j->step_rows, n = j->decode ? j->rows : j->total - from < j->rows ? j->total - from : j->rows;
	for (int i = 0; i < n; i++) {
		int slot = j->decode ? i : 0;
		j->pos[i] = j->decode ? j->first + step : from + i;
		j->from[i] = i > 0 && !j->decode ? STATE_CHAIN : step == 0 ? STATE_ZERO : slot;
		j->to[i] = j->decode || i == n - 1 ? slot : -1;
	}
	bool last = step == j->steps - 1;
	if (!j->decode)
		j->scored[0] = n - 1;
	struct eval v = { .n = n, .ids = j->ids, .pos = j->pos, .seq = j->seq, .table = j->table, .sequences = j->decode ? n : 1,
			  .from = j->states ? j->from : NULL, .to = j->states ? j->to : NULL, .ld_table = j->pages,
			  .nscored = j->decode ? n : last, .scored = j->scored, .target = j->target, .out = j->out };
	return forward_eval(j->f, &j->cache, &v, e);
}

static int job_work(void *ctx, int times, struct err *e)
{
	struct job *j = ctx;
	for (int i = 0; i < times; i++)
		for (int s = 0; s < j->steps; s++)
			if (one_pass(j, s, e) < 0)
				return -1;
	return 0;
}

static void job_close(struct job *j)
{
	if (j->f)
		forward_close(j->f);
	cache_close(&j->cache, j->m);
	free(j->ids);
	free(j->out);
}

/* `sequences` sequences of `pages` pages, their keys and values random; passes of `rows` rows. */
static int job_open(struct job *j, int rows, int sequences, int pages, struct err *e)
{
	struct device *dev = model_device(j->m);
	const struct model_info *mi = model_info(j->m);
	int n = rows > sequences ? rows : sequences, kv = sequences * pages;
	j->rows = rows;
	j->pages = pages;
	j->ids = xcalloc(7 * (size_t)n + (size_t)kv, sizeof *j->ids);
	j->out = xcalloc((size_t)n, sizeof *j->out);
	j->pos = j->ids + n;
	j->seq = j->pos + n;
	j->scored = j->seq + n;
	j->target = j->scored + n;
	j->from = j->target + n;
	j->to = j->from + n;
	j->table = j->to + n;
	j->states = mi->state_bytes > 0;
	for (int i = 0; i < n; i++) {
		j->ids[i] = (int32_t)((uint32_t)i * 7919u % (uint32_t)mi->vocab);
		j->seq[i] = j->decode ? i : 0;
		j->scored[i] = i;
		j->target[i] = j->ids[i];
	}
	for (int i = 0; i < kv; i++)
		j->table[i] = i;
	if (cache_open(&j->cache, j->m, kv, sequences, e) != 0)
		return -1;
	for (int i = 0; i < mi->layers; i++) {
		const struct kv *k = &j->cache.layer[i];
		size_t slots = (size_t)kv * KV_PAGE * (size_t)k->hk;
		if (!k->k)
			continue; /* keeps no keys */
		device_ops(dev)->noise(dev, k->k, DT_F32, slots * (size_t)k->d, 2u * (unsigned)i, 1.0f);
		if (k->v)
			device_ops(dev)->noise(dev, k->v, DT_F32, slots * (size_t)k->dv, 2u * (unsigned)i + 1, 1.0f);
	}
	return forward_open(&j->f, j->m, rows, j->decode ? rows : 1, sequences, pages, e);
}

/* --- floors ------------------------------------------------------------------------------------------------------ */

/* Seconds that the limits allow for `rows` rows over `keys` visible pairs of row and key, with `scored` rows of logits, in `passes`
 * passes that read `positions` positions of keys and values; 0: not known. */
static double floor_seconds(const struct model_info *m, const struct limits *l, double rows, double scored, double keys, double passes,
			    double positions)
{
	double linear = rows * m->row_flops + scored * m->head_flops, attend = m->key_flops * keys;
	double bytes = passes * (double)m->linear_bytes + positions * (double)m->kv_page_bytes / KV_PAGE;
	if (l->fma <= 0 || l->read <= 0)
		return 0;
	double compute = linear / (l->fast > 0 ? l->fast : l->fma) + attend / l->fma, memory = bytes / l->read;
	return compute > memory ? compute : memory;
}

static void report(const struct model *m, const char *what, const char *shape, double tokens, double seconds, double floor, bench_fn *row,
		   void *ctx)
{
	struct bench_row r = { .value = tokens / seconds, .floor = floor > 0 ? tokens / floor : 0 };
	snprintf(r.what, sizeof r.what, "%s", what);
	snprintf(r.shape, sizeof r.shape, "%s", shape);
	snprintf(r.unit, sizeof r.unit, "tokens/s");
	snprintf(r.numerics, sizeof r.numerics, "%s", device_numerics(model_device(m)));
	snprintf(r.device, sizeof r.device, "%s", device_describe(model_device(m)));
	row(ctx, &r);
}

/* --- the two measurements ---------------------------------------------------------------------------------------- */

static int prefill(struct model *m, const char *name, const struct limits *l, int tokens, double least, bench_fn *row, void *ctx, struct err *e)
{
	struct job j = { .m = m, .total = tokens };
	int rows = tokens < PASS_ROWS ? tokens : PASS_ROWS;
	char what[48], shape[64];
	double s, n = tokens;
	j.step_rows = rows;
	j.steps = (tokens - 1) / rows + 1;
	int rc = job_open(&j, rows, 1, (tokens - 1) / KV_PAGE + 1, e);
	if (!rc)
		rc = bench_time(&s, job_work, &j, least, e);
	if (!rc) {
		snprintf(what, sizeof what, "prefill %s", name);
		snprintf(shape, sizeof shape, "%d tokens", tokens);
		report(m, what, shape, n, s, floor_seconds(model_info(m), l, n, 1, n * (n + 1) / 2, j.steps, n), row, ctx);
	}
	job_close(&j);
	return rc;
}

static int decode(struct model *m, const char *name, const struct limits *l, int batch, int context, double least, bench_fn *row, void *ctx,
		  struct err *e)
{
	struct job j = { .m = m, .decode = true, .first = context, .steps = STEPS };
	char what[48], shape[64];
	double s, n = (double)batch * STEPS, keys = n * (context + (STEPS + 1) / 2.0);
	int rc = job_open(&j, batch, batch, (context + STEPS - 1) / KV_PAGE + 1, e);
	if (!rc)
		rc = bench_time(&s, job_work, &j, least, e);
	if (!rc) {
		snprintf(what, sizeof what, "decode %s", name);
		snprintf(shape, sizeof shape, "batch %d, context %d", batch, context);
		report(m, what, shape, n, s, floor_seconds(model_info(m), l, n, n, keys, STEPS, keys), row, ctx);
	}
	job_close(&j);
	return rc;
}

static int check(const struct bench_opts *o, struct err *e)
{
	if (!o->model == !o->shape)
		return err_set(e, E_USAGE, "one of a model and a shape is needed");
	if (!o->decode && (o->tokens < 1 || o->tokens > MOST_TOKENS))
		return err_set(e, E_RANGE, "a prompt of %d tokens: 1 to %d are possible", o->tokens, MOST_TOKENS);
	if (o->decode && (o->context < 0 || o->context > MOST_TOKENS))
		return err_set(e, E_RANGE, "a context of %d tokens: 0 to %d are possible", o->context, MOST_TOKENS);
	for (int i = 0; o->decode && i < o->nbatch; i++)
		if (o->batch[i] < 1 || o->batch[i] > MOST_BATCH)
			return err_set(e, E_RANGE, "a batch of %d sequences: 1 to %d are possible", o->batch[i], MOST_BATCH);
	return 0;
}

static int open_model(struct model **m, struct device *dev, const struct bench_opts *o, char *name, size_t size, struct err *e)
{
	enum dtype dt = DT_BF16;
	struct config c;
	if (o->model) {
		const char *base = strrchr(o->model, '/');
		snprintf(name, size, "%.38s", base && base[1] ? base + 1 : o->model);
		return model_open(m, o->model, dev, e);
	}
	for (int i = 0; i < DT_COUNT; i++)
		if (o->dtype && strcmp(o->dtype, dtype_name((enum dtype)i)) == 0)
			dt = (enum dtype)i;
	snprintf(name, size, "%.30s %s", o->shape, dtype_name(dt));
	return shape_config(&c, o->shape, e) != 0 ? -1 : model_random(m, &c, dt, dev, e);
}

int bench_passes(struct device *dev, const struct bench_opts *o, const struct bench_effort *how, bench_fn *row, void *ctx, struct err *e)
{
	struct model *m = NULL;
	struct limits l;
	char name[40];
	int rc = -1;
	if (device_limits(dev, &l, how, e) == 0 && open_model(&m, dev, o, name, sizeof name, e) == 0)
		rc = o->decode ? 0 : prefill(m, name, &l, o->tokens, how->seconds, row, ctx, e);
	for (int i = 0; rc == 0 && o->decode && i < o->nbatch; i++)
		rc = decode(m, name, &l, o->batch[i], o->context, how->seconds, row, ctx, e);
	model_close(m);
	return rc;
}

int runner_bench(const struct bench_opts *o, bench_fn *row, void *ctx, struct err *e)
{
	struct device *dev;
	struct config c;
	struct device_opts d = { .name = o->device ? o->device : "cpu", .threads = o->threads, .max_level = o->max_level, .numerics = o->numerics };
	if (check(o, e) != 0 || (o->shape && shape_config(&c, o->shape, e) != 0) || device_open(&dev, &d, e) != 0)
		return -1;
	int rc = bench_passes(dev, o, &BENCH_EFFORT, row, ctx, e);
	device_close(dev);
	return rc;
}
