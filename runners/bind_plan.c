/* bind_plan.c - binding without reading: what a model will hold, from config.json and the headers of its files.
 *
 * The same functions that bind tensors run once with operations that only count. So every name and shape is checked, and the
 * sizes are known, before anything large is allocated; and the plan cannot say other than what is done later. Values are not
 * looked at, apart from short vectors that a family needs on the host.
 */
#include "runners/bind.h"

static char nowhere[64]; /* stands for device memory: never read, never written */

static void *plan_alloc(struct device *dev, size_t bytes, struct err *e)
{
	(void)dev, (void)bytes, (void)e;
	return nowhere;
}

static void plan_release(struct device *dev, void *p)
{
	(void)dev, (void)p;
}

static void plan_put(struct device *dev, void *dst, const void *host, size_t bytes)
{
	(void)dev, (void)dst, (void)host, (void)bytes;
}

static int plan_sync(struct device *dev, struct err *e)
{
	(void)dev, (void)e;
	return 0;
}

static int plan_linear(struct device *dev, struct linear *w, enum dtype dt, int n, int k, int bias, struct err *e)
{
	size_t bytes = device_ops(dev)->linear_size(dev, dt, n, k);
	if (!bytes)
		return err_set(e, E_RANGE, "a linear layer of %d outputs and %d inputs is not possible", n, k);
	*w = (struct linear){ .dt = dt, .held = dt, .n = n, .k = k, .panels = nowhere, .bias = bias ? (float *)(void *)nowhere : NULL, .bytes = bytes };
	return 0;
}

static void plan_rows(struct device *dev, struct linear *w, int n0, const void *src, size_t ld, int rows)
{
	(void)dev, (void)w, (void)n0, (void)src, (void)ld, (void)rows;
}

static void plan_free(struct device *dev, struct linear *w)
{
	(void)dev;
	*w = (struct linear){ 0 };
}

static void plan_noise(struct device *dev, void *p, enum dtype dt, size_t n, uint64_t seed, float scale)
{
	(void)dev, (void)p, (void)dt, (void)n, (void)seed, (void)scale;
}

void bind_plan(struct ops *out, struct device *dev)
{
	*out = *device_ops(dev);
	out->alloc = plan_alloc;
	out->release = plan_release;
	out->put = plan_put;
	out->sync = plan_sync;
	out->linear_init = plan_linear;
	out->linear_rows = plan_rows;
	out->linear_free = plan_free;
	out->noise = plan_noise;
}
