/* ops.c - devices by name, the names of types, and the last step of a log-probability.
 *
 * A kind of device is a row of `kinds`. "auto" is the first row.
 */
#include "kernels/ops.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "kernels/base/dmath.h"
#include "kernels/device.h"

const char *dtype_name(enum dtype t)
{
	static const char *const names[DT_COUNT] = { "f32", "f16", "bf16" };
	return (unsigned)t < DT_COUNT ? names[t] : "?";
}

const char *act_name(enum act a)
{
	static const char *const names[ACT_COUNT] = { "silu", "gelu", "gelu_tanh", "relu" };
	return (unsigned)a < ACT_COUNT ? names[a] : "?";
}

double lse_logprob(const struct lse *r)
{
	if (r->argmax < 0)
		return NAN;
	return ((double)r->z - (double)r->m) * 0x1.62e42fefa39efp-1 - dm_log((double)r->l);
}

static const struct kind {
	const char *name;
	int (*open)(struct device **out, const struct device_opts *o, struct err *e);
} kinds[] = {
	{ "cpu", cpu_device_open },
};

int device_open(struct device **out, const struct device_opts *o, struct err *e)
{
	const char *words[sizeof kinds / sizeof kinds[0] + 2] = { "auto" };
	char hint[64];
	if (!o->name || !strcmp(o->name, "auto"))
		return kinds[0].open(out, o, e);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (!strcmp(o->name, kinds[i].name))
			return kinds[i].open(out, o, e);
		words[i + 1] = kinds[i].name;
	}
	return err_set(e, E_USAGE, "unknown device '%s'%s (there is: auto, cpu)", o->name,
		       err_hint(hint, sizeof hint, o->name, words));
}

void device_close(struct device *d)
{
	if (d)
		d->close(d);
}

const struct ops *device_ops(const struct device *d)
{
	return d->ops;
}

const char *device_describe(const struct device *d)
{
	return d->describe;
}

int device_threads(const struct device *d)
{
	return d->threads;
}
