/* limits.c - what a device can do at best, measured and not looked up: the figures that benchmarks are held against.
 *
 * Three limits: fused multiply-adds in registers only, a plain read of a block larger than caches, and a copy of it (both
 * directions counted). A device says how its limits are driven (device.h); here they are timed. For fast numerics, whose
 * products run on units that no plain kernel reaches, a large square product by the linear layer itself is the yardstick
 * of other shapes: it says what a shape loses, not what the hardware could do.
 */
#include <string.h>

#include "kernels/base/pool.h"
#include "kernels/bench.h"
#include "kernels/device.h"

#define FMA_FLOPS ((size_t)16 << 30)  /* in one call, about */
#define BLOCK_BYTES ((size_t)256 << 20)

/* ---- the processor ---- */

struct drive {
	const struct matmul_isa *isa;
	char *dst;
	const char *src;
	size_t work; /* of one part */
	volatile unsigned sink;
};

static void fma_part(void *ctx, int part, int nparts)
{
	struct drive *d = ctx;
	(void)part;
	(void)nparts;
	d->isa->peak((long)d->work);
}

static void read_part(void *ctx, int part, int nparts)
{
	struct drive *d = ctx;
	(void)nparts;
	if (d->isa->scan(d->src + d->work * (size_t)part, d->work) == 0x12345678u)
		d->sink = 1; /* so that the loads are not thrown away */
}

static void copy_part(void *ctx, int part, int nparts)
{
	struct drive *d = ctx;
	(void)nparts;
	memcpy(d->dst + d->work * (size_t)part, d->src + d->work * (size_t)part, d->work);
}

double cpu_limit(struct pool *pool, const struct matmul_isa *isa, enum limit what, void *dst, const void *src, size_t work)
{
	int threads = pool_threads(pool);
	struct drive d = { .isa = isa, .dst = dst, .src = src, .work = work / (size_t)threads / 256 * 256 };
	if ((what == LIMIT_FMA && !isa->peak) || (what == LIMIT_READ && !isa->scan))
		return 0;
	if (what == LIMIT_FMA) {
		double step = isa->peak(1);
		d.work = (size_t)((double)work / threads / step) + 1;
		pool_run(pool, fma_part, &d, threads);
		return step * (double)d.work * threads;
	}
	pool_run(pool, what == LIMIT_READ ? read_part : copy_part, &d, threads);
	return (double)d.work * threads * (what == LIMIT_READ ? 1 : 2);
}

/* ---- any device ---- */

struct limit_call {
	struct device *dev;
	enum limit what;
	void *dst, *src;
	size_t work;
	double done; /* FLOPs or bytes of one time */
};

static int limit_work(void *ctx, int times, struct err *e)
{
	struct limit_call *c = ctx;
	for (int i = 0; i < times; i++)
		c->done = c->dev->limit(c->dev, c->what, c->dst, c->src, c->work);
	return c->dev->ops->sync(c->dev, e);
}

int device_limits(struct device *dev, struct limits *out, const struct bench_effort *how, struct err *e)
{
	size_t bytes = BLOCK_BYTES / (size_t)how->shrink / (size_t)how->shrink;
	struct limit_call c = { .dev = dev };
	double *const to[LIMITS] = { &out->fma, &out->read, &out->copy };
	int rc = -1;

	*out = (struct limits){ 0 };
	if ((c.src = dev->ops->alloc(dev, bytes, e)) && (c.dst = dev->ops->alloc(dev, bytes, e))) {
		dev->ops->noise(dev, c.src, DT_F32, bytes / sizeof(float), 1, 1.0f);
		rc = 0;
	}
	for (int i = 0; i < LIMITS && !rc; i++) {
		double s = 1;
		c.what = (enum limit)i;
		c.work = i == LIMIT_FMA ? FMA_FLOPS / (size_t)how->shrink / (size_t)how->shrink : bytes;
		rc = bench_time(&s, limit_work, &c, 2 * how->seconds, e); /* all lines hang on it */
		*to[i] = c.done / s;
	}
	dev->ops->release(dev, c.dst);
	dev->ops->release(dev, c.src);
	if (!rc && strncmp(device_numerics(dev), "fast", 4) == 0)
		rc = bench_square(dev, &out->fast, how, e);
	return rc;
}
