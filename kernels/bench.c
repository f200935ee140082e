/* bench.c - how fast the kernels are here, each beside the limit measured in the same run on the same threads.
 *
 * Limits: FMA in registers only (GFLOP/s), and plain loads over the same weights (GB/s). A measurement repeats its call
 * until enough time has passed and keeps the best, since other programs only ever make it slower. Weights are larger than
 * caches usually are, so that the few-row lines show memory. What is refused: nothing is stored, nothing is judged.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernels/base/pool.h"
#include "kernels/base/half.h"
#include "kernels/isa.h"
#include "kernels/ops.h"
#include "kernels/selfcheck.h"

#define MIN_SECONDS 0.25
#define MIN_CALLS 3

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct bench {
	struct device *dev;
	const struct ops *ops;
	struct pool *pool;
	const struct matmul_isa *isa;
	double fma, read; /* limits: GFLOP/s, GB/s; 0: not known */
	volatile unsigned sink;
	bench_fn *row;
	void *ctx;
	struct err *e;
};

typedef void work_fn(struct bench *b, void *arg);

static double best_seconds(struct bench *b, work_fn *fn, void *arg)
{
	double best = 0, start = now();
	fn(b, arg); /* scratch grows, pages are touched */
	for (int i = 0; i < MIN_CALLS || now() - start < MIN_SECONDS; i++) {
		double t = now();
		fn(b, arg);
		t = now() - t;
		if (!i || t < best)
			best = t;
	}
	return best > 0 ? best : 1e-9;
}

static void report(struct bench *b, const char *what, const char *shape, const char *unit, double value, double floor)
{
	struct bench_row r = { .value = value, .floor = floor };
	snprintf(r.what, sizeof r.what, "%s", what);
	snprintf(r.shape, sizeof r.shape, "%s", shape);
	snprintf(r.unit, sizeof r.unit, "%s", unit);
	snprintf(r.isa, sizeof r.isa, "%s", cpu_level_name(b->isa->level));
	b->row(b->ctx, &r);
}

/* Something that is neither zero nor the same everywhere. */
static void fill(float *p, size_t n)
{
	uint32_t u = 12345;
	for (size_t i = 0; i < n; i++) {
		u = u * 1664525u + 1013904223u;
		p[i] = (float)(int32_t)u * 0x1p-31f;
	}
}

static float *floats(struct bench *b, size_t n)
{
	float *p = b->ops->alloc(b->dev, n * sizeof *p, b->e);
	if (p)
		fill(p, n);
	return p;
}

/* --- limits ------------------------------------------------------------------------------------------------------ */

#define PEAK_STEPS 4000000L /* tens of milliseconds, as long as the calls measured against it */

static void peak_part(void *ctx, int part, int nparts)
{
	(void)part;
	(void)nparts;
	((struct bench *)ctx)->isa->peak(PEAK_STEPS);
}

static void peak_work(struct bench *b, void *arg)
{
	(void)arg;
	pool_run(b->pool, peak_part, b, pool_threads(b->pool));
}

static void measure_fma(struct bench *b)
{
	if (!b->isa->peak)
		return;
	double flops = b->isa->peak(1) * (double)PEAK_STEPS * pool_threads(b->pool);
	b->fma = flops / best_seconds(b, peak_work, NULL) * 1e-9;
	report(b, "fma in registers", "", "GFLOP/s", b->fma, b->fma);
}

struct span {
	struct bench *b;
	const char *p;
	size_t bytes;
};

static void scan_part(void *ctx, int part, int nparts)
{
	struct span *s = ctx;
	size_t each = s->bytes / (size_t)nparts / 256 * 256;
	if (s->b->isa->scan(s->p + each * (size_t)part, each) == 0x12345678u)
		s->b->sink = 1; /* so that the loads are not thrown away */
}

static void scan_work(struct bench *b, void *arg)
{
	pool_run(b->pool, scan_part, arg, pool_threads(b->pool));
}

/* --- linear layers ----------------------------------------------------------------------------------------------- */

struct linear_arg {
	struct mat y, x;
	struct linear *w;
};

static void linear_work(struct bench *b, void *arg)
{
	struct linear_arg *a = arg;
	b->ops->linear(b->dev, a->y, a->x, a->w);
}

#define SOURCE_ROWS 64

static int make_linear(struct bench *b, struct linear *w, enum dtype dt, int n, int k)
{
	float *src = floats(b, (size_t)SOURCE_ROWS * (size_t)k);
	int rc = src ? b->ops->linear_init(b->dev, w, dt, n, k, 0, b->e) : -1;
	uint16_t *half = (uint16_t *)src; /* narrowed in place, front to back */
	for (size_t i = 0; src && dt != DT_F32 && i < (size_t)SOURCE_ROWS * (size_t)k; i++) {
		float v;
		memcpy(&v, (char *)src + i * sizeof v, sizeof v);
		uint16_t h = dt == DT_F16 ? f32_to_f16(v) : f32_to_bf16(v);
		memcpy((char *)half + i * sizeof h, &h, sizeof h);
	}
	for (int at = 0; !rc && at < n; at += SOURCE_ROWS)
		b->ops->linear_rows(b->dev, w, at, src, (size_t)k, n - at < SOURCE_ROWS ? n - at : SOURCE_ROWS);
	b->ops->release(b->dev, src);
	return rc;
}

static int bench_linear(struct bench *b, enum dtype dt)
{
	static const struct {
		int m, n, k, stream; /* stream: measured against memory */
	} shapes[] = { { 1, 14336, 4096, 1 }, { 4, 14336, 4096, 1 }, { 16, 4096, 4096, 0 }, { 128, 4096, 4096, 0 },
		       { 512, 4096, 4096, 0 }, { 512, 4096, 14336, 0 } };
	int rc = 0;
	for (size_t i = 0; !rc && i < sizeof shapes / sizeof shapes[0]; i++) {
		int m = shapes[i].m, n = shapes[i].n, k = shapes[i].k;
		struct linear w = { 0 };
		float *x = floats(b, (size_t)m * (size_t)k), *y = floats(b, (size_t)m * (size_t)n);
		char what[32], shape[48];
		rc = x && y && make_linear(b, &w, dt, n, k) == 0 ? 0 : -1;
		if (!rc) {
			struct linear_arg a = { { y, m, n, (size_t)n }, { x, m, k, (size_t)k }, &w };
			double s = best_seconds(b, linear_work, &a);
			snprintf(what, sizeof what, "linear %s", dtype_name(dt));
			snprintf(shape, sizeof shape, "%dx%dx%d", m, n, k);
			if (shapes[i].stream) {
				struct span all = { b, w.panels, w.bytes };
				double floor = b->isa->scan ? (double)w.bytes / best_seconds(b, scan_work, &all) * 1e-9 : 0;
				b->read = floor > b->read ? floor : b->read;
				report(b, what, shape, "GB/s", (double)w.bytes / s * 1e-9, floor);
			} else {
				report(b, what, shape, "GFLOP/s", 2.0 * m * n * k / s * 1e-9, b->fma);
			}
			b->ops->linear_free(b->dev, &w);
		}
		b->ops->release(b->dev, x);
		b->ops->release(b->dev, y);
	}
	return rc;
}

/* --- attention --------------------------------------------------------------------------------------------------- */

struct attend_arg {
	struct mat y, q;
	int h;
	struct kv kv;
	struct attend how;
	struct batch batch;
};

static void attend_work(struct bench *b, void *arg)
{
	struct attend_arg *a = arg;
	b->ops->attend(b->dev, a->y, a->q, a->h, &a->kv, &a->how, &a->batch);
}

/* n rows that end a sequence of `keys` */
static int bench_attend(struct bench *b, int n, int keys)
{
	enum { H = 32, HK = 8, D = 128 };
	int pages = (keys - 1) / KV_PAGE + 1, rc = -1;
	size_t rows = (size_t)n, cache = (size_t)pages * HK * D * KV_PAGE;
	float *q = floats(b, rows * H * D), *y = floats(b, rows * H * D), *k = floats(b, cache), *v = floats(b, cache);
	int32_t *ints = b->ops->alloc(b->dev, (2 * rows + (size_t)pages) * sizeof *ints, b->e);
	if (q && y && k && v && ints) {
		int32_t *pos = ints, *seq = ints + n, *table = ints + 2 * n;
		double work = 0;
		char shape[48];
		for (int i = 0; i < n; i++) {
			pos[i] = keys - n + i;
			seq[i] = 0;
			work += 4.0 * H * D * (pos[i] + 1);
		}
		for (int i = 0; i < pages; i++)
			table[i] = i;
		struct attend_arg a = { .y = { y, n, H * D, H * D }, .q = { q, n, H * D, H * D }, .h = H,
					.kv = { k, v, HK, D, pages }, .how = { .scale = 0.1275f },
					.batch = { n, NULL, pos, seq, table, pages } };
		double s = best_seconds(b, attend_work, &a);
		snprintf(shape, sizeof shape, "%d rows, %d keys, %d/%d heads of %d", n, keys, H, HK, D);
		report(b, "attend", shape, "GFLOP/s", work / s * 1e-9, b->fma);
		rc = 0;
	}
	b->ops->release(b->dev, ints);
	b->ops->release(b->dev, v);
	b->ops->release(b->dev, k);
	b->ops->release(b->dev, y);
	b->ops->release(b->dev, q);
	return rc;
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

struct rows_arg {
	struct mat y, x;
	const float *w;
	struct lse *lse;
	int32_t *target;
};

static void rmsnorm_work(struct bench *b, void *arg)
{
	struct rows_arg *a = arg;
	b->ops->rmsnorm(b->dev, a->y, a->x, a->w, 1e-6f);
}

static void layernorm_work(struct bench *b, void *arg)
{
	struct rows_arg *a = arg;
	b->ops->layernorm(b->dev, a->y, a->x, a->w, a->w, 1e-6f);
}

static void silu_work(struct bench *b, void *arg)
{
	struct rows_arg *a = arg;
	b->ops->act(b->dev, a->y, a->x, a->x, ACT_SILU);
}

static void gelu_work(struct bench *b, void *arg)
{
	struct rows_arg *a = arg;
	b->ops->act(b->dev, a->y, a->x, (struct mat){ 0 }, ACT_GELU_ERF);
}

static void lse_work(struct bench *b, void *arg)
{
	struct rows_arg *a = arg;
	b->ops->lse(b->dev, a->lse, a->x, a->target);
}

/* GB/s of what is read once and written once */
static int bench_rows(struct bench *b)
{
	static const struct {
		const char *what;
		work_fn *fn;
		int n, d, passes;
	} t[] = {
		{ "rmsnorm", rmsnorm_work, 64, 4096, 2 },  { "layernorm", layernorm_work, 64, 4096, 2 },
		{ "silu gated", silu_work, 64, 14336, 2 }, { "gelu", gelu_work, 64, 14336, 2 },
		{ "lse", lse_work, 16, 151936, 1 },
	};
	int rc = 0;
	for (size_t i = 0; !rc && i < sizeof t / sizeof t[0]; i++) {
		int n = t[i].n, d = t[i].d;
		float *x = floats(b, (size_t)n * (size_t)d), *y = floats(b, (size_t)n * (size_t)d), *w = floats(b, (size_t)d);
		struct lse *l = b->ops->alloc(b->dev, (size_t)n * sizeof *l, b->e);
		int32_t *target = b->ops->alloc(b->dev, (size_t)n * sizeof *target, b->e);
		rc = x && y && w && l && target ? 0 : -1;
		if (!rc) {
			struct rows_arg a = { { y, n, d, (size_t)d }, { x, n, d, (size_t)d }, w, l, target };
			char shape[48];
			snprintf(shape, sizeof shape, "%dx%d", n, d);
			report(b, t[i].what, shape, "GB/s", 4.0 * t[i].passes * n * d / best_seconds(b, t[i].fn, &a) * 1e-9, 0);
		}
		b->ops->release(b->dev, target);
		b->ops->release(b->dev, l);
		b->ops->release(b->dev, w);
		b->ops->release(b->dev, y);
		b->ops->release(b->dev, x);
	}
	return rc;
}

int bench_kernels(enum cpu_level max, int threads, bench_fn *row, void *ctx, struct err *e)
{
	struct bench b = { .isa = matmul_isa(max), .row = row, .ctx = ctx, .e = e };
	if (device_open(&b.dev, &(struct device_opts){ .name = "cpu", .threads = threads, .max_level = max }, e) < 0)
		return -1;
	b.ops = device_ops(b.dev);
	int rc = pool_open(&b.pool, device_threads(b.dev), e); /* for the limits */
	for (int dt = 0; !rc && dt < DT_COUNT; dt++) {
		measure_fma(&b); /* beside each type: clocks change */
		rc = bench_linear(&b, (enum dtype)dt);
	}
	if (!rc)
		rc = bench_attend(&b, 64, 1024);
	if (!rc)
		rc = bench_attend(&b, 1, 4096);
	if (!rc)
		rc = bench_rows(&b);
	pool_close(b.pool);
	if (!rc)
		rc = device_ops(b.dev)->sync(b.dev, e);
	device_close(b.dev);
	return rc;
}
