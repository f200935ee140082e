/* bench.c - how fast the operations of a device are, each beside the limit of that device measured in the same run.
 *
 * Everything is made on the device (ops->noise) and timed there with bench.h's stop-watch, by shapes of tables below. Large
 * products are held against fused multiply-adds (with fast numerics: against a large square product of the same
 * layer), everything else against memory: the bytes that must move, each counted once, over a plain read or a copy. Weights of
 * few-row lines are several copies used in turn, more bytes than caches hold; operations on rows may fit a cache and then
 * exceed their floor. Nothing is stored, nothing is judged.
 */
#include "kernels/bench.h"

#include <stdio.h>
#include <string.h>

#include "kernels/selfcheck.h"

#define BLOCKS 24
#define SPREAD_BYTES ((size_t)256 << 20) /* weights of a few-row line, at least */
#define COPIES 8

struct bench {
	struct device *dev;
	const struct ops *ops;
	const struct bench_effort *how;
	struct limits limits;
	bench_fn *row;
	void *ctx;
	struct err *e;
	void *block[BLOCKS]; /* memory of one line */
	int nblocks, short_of; /* short_of: a block could not be had */
	uint64_t seed;
};

/* --- memory of a line -------------------------------------------------------------------------------------------- */

/* Device memory until drop(); NULL and b->short_of when there is none. */
static void *take(struct bench *b, size_t bytes)
{
	void *p = b->short_of || b->nblocks == BLOCKS ? NULL : b->ops->alloc(b->dev, bytes, b->e);
	if (p)
		b->block[b->nblocks++] = p;
	else
		b->short_of = 1;
	return p;
}

static float *floats(struct bench *b, size_t n)
{
	float *p = take(b, n * sizeof *p);
	if (p)
		b->ops->noise(b->dev, p, DT_F32, n, b->seed++, 1.0f);
	return p;
}

static struct mat matrix(struct bench *b, int n, int d)
{
	return (struct mat){ floats(b, (size_t)n * (size_t)d), n, d, (size_t)d };
}

/* n numbers, number i = from + i % mod * step, on the device */
static int32_t *numbers(struct bench *b, int n, int from, int step, int mod)
{
	int32_t some[256], *p = take(b, (size_t)n * sizeof *p);
	for (int i = 0; p && i < n; i += 256) {
		int k = n - i < 256 ? n - i : 256;
		for (int j = 0; j < k; j++)
			some[j] = from + (i + j) % mod * step;
		b->ops->put(b->dev, p + i, some, (size_t)k * sizeof *some);
	}
	return p;
}

static void drop(struct bench *b)
{
	while (b->nblocks)
		b->ops->release(b->dev, b->block[--b->nblocks]);
	b->short_of = 0;
}

static int smaller(const struct bench *b, int n)
{
	return n > b->how->shrink ? n / b->how->shrink : 1;
}

/* --- measuring --------------------------------------------------------------------------------------------------- */

struct line;
typedef void work_fn(const struct line *l, int i); /* queues the operation; i counts the times */

struct line {
	struct bench *b;
	work_fn *fn;
	struct mat x, y, w, v;
	struct linear linear[COPIES];
	int nlinear;
	struct table table;
	struct rope rope;
	struct kv kv;
	struct attend how;
	struct batch batch;
	struct mat key, query, gate;
	struct conv conv;
	struct ssm ssm;
	struct delta delta;
	struct states states;
	struct lse *lse;
	struct draw *draw;
	int32_t *ids;
};

static int line_work(void *ctx, int times, struct err *e)
{
	const struct line *l = ctx;
	for (int i = 0; i < times; i++)
		l->fn(l, i);
	return l->b->ops->sync(l->b->dev, e);
}

enum unit { FLOPS, BYTES };

static void report(struct bench *b, const char *what, const char *shape, enum unit unit, double value, double floor)
{
	static const char *const units[2][2] = { { "TFLOP/s", "GFLOP/s" }, { "TB/s", "GB/s" } };
	int host = strcmp(b->ops->name, "cpu") == 0;
	double scale = host ? 1e-9 : 1e-12;
	struct bench_row r = { .value = value * scale, .floor = floor * scale };
	snprintf(r.what, sizeof r.what, "%s", what);
	snprintf(r.shape, sizeof r.shape, "%s", shape);
	snprintf(r.unit, sizeof r.unit, "%s", units[unit][host]);
	snprintf(r.numerics, sizeof r.numerics, "%s", device_numerics(b->dev));
	snprintf(r.device, sizeof r.device, "%s", device_describe(b->dev));
	b->row(b->ctx, &r);
}

/* Times the line and reports `work` FLOPs or bytes over its seconds; floor in the same per second. */
static int measure(struct line *l, enum unit unit, double work, double floor, const char *what, const char *shape)
{
	double s;
	if (l->b->short_of || bench_time(&s, line_work, l, l->b->how->seconds, l->b->e) < 0)
		return -1;
	report(l->b, what, shape, unit, work / s, floor);
	return 0;
}

static void report_limits(struct bench *b)
{
	const struct limits *l = &b->limits;
	if (l->fma > 0)
		report(b, "limit: fma in registers", "", FLOPS, l->fma, l->fma);
	if (l->read > 0)
		report(b, "limit: read", "", BYTES, l->read, l->read);
	report(b, "limit: copy", "", BYTES, l->copy, l->copy);
	if (l->fast > 0)
		report(b, "limit: large product of this layer", "8192x8192x8192 bf16", FLOPS, l->fast, l->fast);
}

/* --- linear layers ----------------------------------------------------------------------------------------------- */

static void linear_work(const struct line *l, int i)
{
	l->b->ops->linear(l->b->dev, l->y, l->x, &l->linear[i % l->nlinear]);
}

static int random_linear(struct bench *b, struct linear *w, enum dtype dt, int n, int k)
{
	if (b->ops->linear_init(b->dev, w, dt, n, k, 0, b->e) < 0)
		return -1;
	b->ops->noise(b->dev, w->panels, w->held, w->bytes / dtype_size(w->held), b->seed++, 0x1p-6f);
	return 0;
}

/* m rows through a layer of n outputs and k inputs. */
static int bench_linear(struct bench *b, enum dtype dt, int m, int n, int k, int stream)
{
	struct line l = { .b = b, .fn = linear_work, .x = matrix(b, m, k), .y = matrix(b, m, n), .nlinear = 0 };
	char what[48], shape[64];
	size_t spread = SPREAD_BYTES / (size_t)b->how->shrink / (size_t)b->how->shrink, have = 0;
	int rc = b->short_of ? -1 : 0;
	do {
		struct linear *w = &l.linear[l.nlinear];
		rc = rc ? rc : random_linear(b, w, dt, n, k);
		have += w->bytes;
	} while (!rc && ++l.nlinear < COPIES && stream && have < spread);
	snprintf(what, sizeof what, "linear %s", dtype_name(dt));
	snprintf(shape, sizeof shape, "%dx%dx%d", m, n, k);
	if (!rc && stream)
		rc = measure(&l, BYTES, (double)l.linear[0].bytes, b->limits.read, what, shape);
	else if (!rc)
		rc = measure(&l, FLOPS, 2.0 * m * n * k, b->limits.fast > 0 ? b->limits.fast : b->limits.fma, what, shape);
	for (int i = 0; i < l.nlinear; i++)
		b->ops->linear_free(b->dev, &l.linear[i]);
	drop(b);
	return rc;
}

static int bench_linears(struct bench *b, enum dtype dt)
{
	static const struct {
		int n, k;
	} layers[] = { { 4096, 4096 }, { 14336, 4096 }, { 4096, 14336 } };
	static const int few[] = { 1, 4, 16, 32 }, many[] = { 512, 2048 };
	int rc = 0;
	for (int i = 0; i < 4 && !rc; i++)
		rc = bench_linear(b, dt, few[i], smaller(b, 14336), smaller(b, 4096), 1);
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 3 && !rc; j++)
			rc = bench_linear(b, dt, smaller(b, many[i]), smaller(b, layers[j].n), smaller(b, layers[j].k), 0);
	return rc;
}

int bench_square(struct device *dev, double *out, const struct bench_effort *how, struct err *e)
{
	struct bench b = { .dev = dev, .ops = device_ops(dev), .how = how, .e = e };
	int n = smaller(&b, 8192);
	struct line l = { .b = &b, .fn = linear_work, .x = matrix(&b, n, n), .y = matrix(&b, n, n), .nlinear = 1 };
	double s;
	int rc = b.short_of || random_linear(&b, &l.linear[0], DT_BF16, n, n) < 0 ? -1 : bench_time(&s, line_work, &l, how->seconds, e);
	if (!rc)
		*out = 2.0 * n * n * n / s;
	if (l.linear[0].panels)
		b.ops->linear_free(dev, &l.linear[0]);
	drop(&b);
	return rc;
}

/* --- attention --------------------------------------------------------------------------------------------------- */

enum { H = 32, HK = 8, D = 128 };

static void attend_work(const struct line *l, int i)
{
	(void)i;
	l->b->ops->attend(l->b->dev, l->y, l->x, H, &l->kv, &l->how, &l->batch);
}

/* Keys and values of `sequences` sequences of `keys` positions; n rows: the last ones of one sequence, or the last of each. */
static void make_cache(struct line *l, int n, int sequences, int keys)
{
	struct bench *b = l->b;
	int pages = (keys - 1) / KV_PAGE + 1;
	size_t cache = (size_t)sequences * (size_t)pages * HK * D * KV_PAGE;
	l->kv = (struct kv){ floats(b, cache), floats(b, cache), HK, D, sequences * pages, D };
	l->batch = (struct batch){ .n = n, .ld_table = pages };
	l->batch.pos = sequences == 1 ? numbers(b, n, keys - n, 1, n) : numbers(b, n, keys - 1, 0, 1);
	l->batch.seq = sequences == 1 ? numbers(b, n, 0, 0, 1) : numbers(b, n, 0, 1, n);
	l->batch.table = numbers(b, sequences * pages, 0, 1, sequences * pages);
}

static int bench_prompt(struct bench *b, int n)
{
	struct line l = { .b = b, .fn = attend_work, .x = matrix(b, n, H * D), .y = matrix(b, n, H * D), .how = { .scale = 0.125f } };
	char shape[64];
	make_cache(&l, n, 1, n);
	snprintf(shape, sizeof shape, "%d rows of one sequence, %d/%d heads of %d", n, H, HK, D);
	int rc = measure(&l, FLOPS, 4.0 * H * D * n * (n + 1) / 2, b->limits.fma, "attend", shape);
	drop(b);
	return rc;
}

static int bench_decode(struct bench *b, int n, int keys)
{
	struct line l = { .b = b, .fn = attend_work, .x = matrix(b, n, H * D), .y = matrix(b, n, H * D), .how = { .scale = 0.125f } };
	char shape[64];
	make_cache(&l, n, n, keys);
	snprintf(shape, sizeof shape, "%d sequence%s, %d keys, %d/%d heads of %d", n, n == 1 ? "" : "s", keys, H, HK, D);
	int rc = measure(&l, BYTES, 8.0 * HK * D * keys * n, b->limits.read, "attend", shape);
	drop(b);
	return rc;
}

/* --- recurrent layers -------------------------------------------------------------------------------------------- */

static void conv_work(const struct line *l, int i)
{
	(void)i;
	l->b->ops->conv(l->b->dev, l->y, l->x, &l->conv, &l->states, &l->batch);
}

static void ssm_work(const struct line *l, int i)
{
	(void)i;
	l->b->ops->ssm(l->b->dev, l->y, l->x, l->key, l->query, l->gate, &l->ssm, &l->states, &l->batch);
}

static void delta_work(const struct line *l, int i)
{
	(void)i;
	l->b->ops->delta(l->b->dev, l->y, l->query, l->key, l->x, l->gate, l->gate, &l->delta, &l->states, &l->batch);
}

/* Layers of Mamba-2 (2.7B) and Qwen3-Next. state: floats of a sequence; flops: of a token. */
static const struct recurrent {
	const char *what, *shape;
	work_fn *fn;
	int heads, d, n, groups;
	double state, flops;
} recurrents[] = {
	{ "conv", "8192 channels of width 4", conv_work, 1, 8192, 4, 1, 3 * 8192.0, 8 * 8192.0 },
	{ "ssm", "64 heads of 64, state 128", ssm_work, 64, 64, 128, 1, 64 * 64 * 128.0, 5 * 64 * 64 * 128.0 },
	{ "delta", "32 heads of 128, state 128", delta_work, 32, 128, 128, 16, 32 * 128 * 128.0, 7 * 32 * 128 * 128.0 },
};

/* n rows: one sequence, or one row of each of n; each ends in a slot of its own. */
static int bench_recurrent(struct bench *b, const struct recurrent *r, int n, int decode)
{
	int slots = decode ? n : 1, width = r->heads * r->d;
	struct line l = { .b = b, .fn = r->fn, .x = matrix(b, n, width), .y = matrix(b, n, width), .key = matrix(b, n, r->groups * r->n),
			  .query = matrix(b, n, r->groups * r->n), .gate = matrix(b, n, r->heads), .w = matrix(b, 4, r->d), .v = matrix(b, 1, r->heads) };
	char shape[64];
	float *a = floats(b, (size_t)r->heads), decay = -0.25f;
	for (int h = 0; a && h < r->heads; h++)
		b->ops->put(b->dev, a + h, &decay, sizeof decay);
	if (!b->short_of) /* keys of about length 1: a state stays finite */
		b->ops->noise(b->dev, l.key.p, DT_F32, (size_t)n * (size_t)l.key.d, b->seed++, 0x1p-3f);
	l.states = (struct states){ floats(b, (size_t)slots * (size_t)r->state), (size_t)r->state, slots };
	l.batch = (struct batch){ .n = n, .runs = slots };
	l.batch.run = decode ? numbers(b, n + 1, 0, 1, n + 1) : numbers(b, 2, 0, n, 2);
	l.batch.from = decode ? numbers(b, n, 0, 1, n) : numbers(b, n, STATE_CHAIN, 0, 1);
	l.batch.to = decode ? numbers(b, n, 0, 1, n) : numbers(b, n, -1, 0, 1);
	if (!decode && !b->short_of)
		b->ops->put(b->dev, (void *)(uintptr_t)l.batch.from, &(int32_t){ 0 }, sizeof(int32_t));
	l.conv = (struct conv){ r->d, 4, l.w.p, NULL, 1 };
	l.ssm = (struct ssm){ r->heads, r->d, r->n, r->groups, a, l.v.p, NULL, 0.001f, 100.0f };
	l.delta = (struct delta){ r->groups, r->heads, r->n, r->d, a, l.v.p };
	snprintf(shape, sizeof shape, "%d %s, %s", n, decode ? "sequences" : "rows of one sequence", r->shape);
	int rc = decode ? measure(&l, BYTES, 8.0 * r->state * n, b->limits.copy, r->what, shape)
			: measure(&l, FLOPS, r->flops * n, b->limits.fma, r->what, shape);
	drop(b);
	return rc;
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

#define ROW_WORK(name, call) \
	static void name##_work(const struct line *l, int i) \
	{ \
		(void)i; \
		l->b->ops->call; \
	}
ROW_WORK(rmsnorm, rmsnorm(l->b->dev, l->y, l->x, 1, l->w.p, 1e-6f))
ROW_WORK(layernorm, layernorm(l->b->dev, l->y, l->x, 1, l->w.p, l->w.p, 1e-6f))
ROW_WORK(silu, act(l->b->dev, l->y, l->x, l->v, ACT_SILU, NULL))
ROW_WORK(gelu, act(l->b->dev, l->y, l->x, (struct mat){ 0 }, ACT_GELU_ERF, NULL))
ROW_WORK(add, add(l->b->dev, l->y, l->x))
ROW_WORK(rope, rope(l->b->dev, l->x, l->x.d / D, &l->rope, l->batch.pos))
ROW_WORK(kv_write, kv_write(l->b->dev, &l->kv, l->x, l->v, &l->batch))
ROW_WORK(embed, embed(l->b->dev, l->y, &l->table, l->ids))
ROW_WORK(lse, lse(l->b->dev, l->lse, l->x, l->ids))
ROW_WORK(sample, sample(l->b->dev, l->ids, l->x, l->draw))

#define VOCAB 151936

/* moved: floats read and written for each of n x d */
static const struct row_op {
	const char *what;
	work_fn *fn;
	int n, d;
	double moved;
	enum limit limit;
} row_ops[] = {
	{ "rmsnorm", rmsnorm_work, 2048, 4096, 2, LIMIT_COPY },
	{ "layernorm", layernorm_work, 2048, 4096, 2, LIMIT_COPY },
	{ "silu gated", silu_work, 2048, 14336, 3, LIMIT_COPY },
	{ "gelu", gelu_work, 2048, 14336, 2, LIMIT_COPY },
	{ "add", add_work, 2048, 4096, 3, LIMIT_COPY },
	{ "rope", rope_work, 2048, 5120, 2, LIMIT_COPY },
	{ "kv_write", kv_write_work, 2048, HK * D, 4, LIMIT_COPY },
	{ "embed bf16", embed_work, 2048, 4096, 1.5, LIMIT_COPY },
	{ "lse", lse_work, 64, VOCAB, 1, LIMIT_READ },
	{ "sample greedy", sample_work, 64, VOCAB, 1, LIMIT_READ },
	{ "sample top-p 0.9", sample_work, 64, VOCAB, 1, LIMIT_READ },
};

/* What an operation needs beside x and y. */
static void add_parts(struct line *l, const struct row_op *o, int n, int d)
{
	struct bench *b = l->b;
	if (o->fn == kv_write_work || o->fn == rope_work)
		make_cache(l, n, 1, n);
	if (o->fn == rope_work)
		l->rope = (struct rope){ D, ROPE_HALF, n, floats(b, (size_t)n * D / 2), floats(b, (size_t)n * D / 2) };
	if (o->fn == embed_work) {
		size_t count = (size_t)smaller(b, 128256) * (size_t)d;
		uint16_t *rows = take(b, count * sizeof *rows);
		if (rows)
			b->ops->noise(b->dev, rows, DT_BF16, count, b->seed++, 1.0f);
		l->table = (struct table){ DT_BF16, smaller(b, 128256), d, rows };
		l->ids = numbers(b, n, 0, l->table.v / n, n);
	}
	if (o->fn == lse_work || o->fn == sample_work) {
		struct draw draw = { .scale = strchr(o->what, '.') ? 1.4426950408889634 : 0, .share = (uint64_t)(0.9 * 0x1p32) };
		if (!b->short_of) /* logits from -16 to 16: few ids are likely, as in a model */
			b->ops->noise(b->dev, l->x.p, DT_F32, (size_t)n * (size_t)d, b->seed++, 16.0f);
		l->lse = take(b, (size_t)n * sizeof *l->lse);
		l->draw = take(b, (size_t)n * sizeof *l->draw);
		l->ids = numbers(b, n, 0, 1, n);
		for (int i = 0; l->draw && i < n; i++) {
			draw.counter[0] = (uint32_t)i;
			b->ops->put(b->dev, l->draw + i, &draw, sizeof draw);
		}
	}
}

static int bench_row_op(struct bench *b, const struct row_op *o)
{
	int n = smaller(b, o->n), d = o->fn == kv_write_work ? o->d : (smaller(b, o->d) + D - 1) / D * D;
	double floor = o->limit == LIMIT_READ ? b->limits.read : b->limits.copy;
	struct line l = { .b = b, .fn = o->fn, .x = matrix(b, n, d), .y = matrix(b, n, d), .w = matrix(b, 1, d), .v = matrix(b, n, d) };
	char shape[64];
	add_parts(&l, o, n, d);
	snprintf(shape, sizeof shape, "%dx%d", n, d);
	int rc = measure(&l, BYTES, 4.0 * o->moved * n * d, floor, o->what, shape);
	drop(b);
	return rc;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

int bench_device(struct device *dev, const struct bench_effort *how, bench_fn *row, void *ctx, struct err *e)
{
	struct bench b = { .dev = dev, .ops = device_ops(dev), .how = how, .row = row, .ctx = ctx, .e = e };
	static const struct { int n, keys; } decodes[] = { { 1, 1024 }, { 1, 4096 }, { 64, 1024 }, { 64, 4096 } };
	int rc = device_limits(dev, &b.limits, how, e);
	if (!rc)
		report_limits(&b);
	for (int dt = 0; dt < DT_COUNT && !rc; dt++)
		if (dt == DT_BF16 || b.limits.fast <= 0) /* fast layers hold bf16 whatever comes */
			rc = bench_linears(&b, (enum dtype)dt);
	if (!rc)
		rc = bench_prompt(&b, smaller(&b, 2048));
	for (size_t i = 0; i < sizeof decodes / sizeof decodes[0] && !rc; i++)
		rc = bench_decode(&b, decodes[i].n, smaller(&b, decodes[i].keys));
	for (size_t i = 0; i < 2 * sizeof recurrents / sizeof recurrents[0] && !rc; i++)
		rc = bench_recurrent(&b, &recurrents[i / 2], i % 2 ? smaller(&b, 64) : smaller(&b, 2048), i % 2);
	for (size_t i = 0; i < sizeof row_ops / sizeof row_ops[0] && !rc; i++)
		rc = bench_row_op(&b, &row_ops[i]);
	return rc;
}

int bench_kernels(const char *device, const char *numerics, enum cpu_level max, int threads, bench_fn *row, void *ctx, struct err *e)
{
	struct device *dev;
	struct device_opts o = { .name = device ? device : "cpu", .threads = threads, .max_level = max, .numerics = numerics };
	if (device_open(&dev, &o, e) < 0)
		return -1;
	int rc = bench_device(dev, &BENCH_EFFORT, row, ctx, e);
	device_close(dev);
	return rc;
}
