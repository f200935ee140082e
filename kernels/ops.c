/* ops.c - devices by name, and the names of types.
 *
 * A kind of device is a row of `kinds`. "auto" is the first row.
 */
#include "kernels/ops.h"

#include <string.h>

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
