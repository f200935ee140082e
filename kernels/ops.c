/* ops.c - devices by name, and the names of types.
 *
 * A kind of device is a row of `kinds`. "auto" is a CUDA device where the program has them and one is there, else the CPU;
 * with numerics fast, which only a CUDA device has, it is that or an error.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "kernels/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda_ops.h"
#include "kernels/device.h"

const char *dtype_name(enum dtype t)
{
	static const char *const names[DT_COUNT] = { "f32", "f16", "bf16" };
	return (unsigned)t < DT_COUNT ? names[t] : "?";
}

const char *act_name(enum act a)
{
	static const char *const names[ACT_COUNT] = { "silu", "gelu", "gelu_tanh", "relu", "relu2", "sigmoid", "none", "quick_gelu",
						      "xielu", "swiglu_clamped" };
	return (unsigned)a < ACT_COUNT ? names[a] : "?";
}

static int wants_fast(const struct device_opts *o)
{
	return o->numerics && (!strcmp(o->numerics, "fast") || !strncmp(o->numerics, "fast/", 5));
}

/* "cuda" or "cuda:N" */
static int open_cuda(struct device **out, const struct device_opts *o, struct err *e)
{
#ifdef HAVE_CUDA
	const char *digits = o->name && o->name[4] == ':' ? o->name + 5 : "0";
	size_t n = strspn(digits, "0123456789");
	if (n < 1 || n > 4 || digits[n])
		return err_set(e, E_USAGE, "device '%.40s': behind 'cuda:' comes the number of a device", o->name);
	if (cuda_device_open(out, atoi(digits), o->threads, e) < 0)
		return -1;
	if (!wants_fast(o) || cuda_device_fast(*out, o->numerics, e) == 0)
		return 0;
	device_close(*out);
	*out = NULL;
	return -1;
#else
	(void)out;
	return err_set(e, E_UNSUPPORTED, "device '%.40s': this program was built without CUDA (there is: auto, cpu)", o->name);
#endif
}

static int list_cpu(struct device_row *rows, int max)
{
	if (max < 1)
		return 0;
	rows[0] = (struct device_row){ .name = "cpu", .there = 1 };
	snprintf(rows[0].text, sizeof rows[0].text, "this machine's processor, with the highest instruction set that it offers (%s)",
		 cpu_level_name(cpu_best()));
	return 1;
}

static int list_cuda(struct device_row *rows, int max)
{
	int n = 0, all = 1;
	for (; n < all && n < max; n++) {
		rows[n] = (struct device_row){ .name = "cuda" };
#ifdef HAVE_CUDA
		struct err e = { 0 };
		int count = cuda_device_about(n, rows[n].text, sizeof rows[n].text, &e);
		rows[n].there = count > 0;
		snprintf(rows[n].name, sizeof rows[n].name, count > 0 ? "cuda:%d" : "cuda", n);
		if (count < 0)
			snprintf(rows[n].text, sizeof rows[n].text, "%.*s", (int)sizeof rows[n].text - 1, e.msg);
		else
			all = count;
#else
		snprintf(rows[n].text, sizeof rows[n].text, "this program was built without CUDA");
#endif
	}
	return n;
}

static int open_cpu(struct device **out, const struct device_opts *o, struct err *e)
{
	if (wants_fast(o))
		return err_set(e, E_USAGE, "numerics fast are of tensor cores: they need a CUDA device (--device cuda), the CPU computes chain32/1");
	return cpu_device_open(out, o, e);
}

static const struct kind {
	const char *name;
	int (*open)(struct device **out, const struct device_opts *o, struct err *e);
	int (*list)(struct device_row *rows, int max);
	int numbered; /* NAME:N is a name too */
} kinds[] = {
	{ "cpu", open_cpu, list_cpu, 0 },
	{ "cuda", open_cuda, list_cuda, 1 },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static int open_auto(struct device **out, const struct device_opts *o, struct err *e)
{
#ifdef HAVE_CUDA
	struct device_opts cuda = *o;
	cuda.name = "cuda";
	if (open_cuda(out, &cuda, wants_fast(o) ? e : NULL) == 0)
		return 0;
	if (wants_fast(o))
		return err_wrap(e, "device auto has no numerics fast");
#endif
	return open_cpu(out, o, e);
}

static int check_numerics(const struct device_opts *o, struct err *e)
{
	static const char *const words[] = { "chain32/1", "fast", NULL };
	char hint[64];
	if (!o->numerics || !strcmp(o->numerics, words[0]) || wants_fast(o))
		return 0;
	return err_set(e, E_USAGE, "unknown numerics '%.100s'%s (known: chain32/1, fast)", o->numerics,
		       err_hint(hint, sizeof hint, o->numerics, words));
}

int device_open(struct device **out, const struct device_opts *o, struct err *e)
{
	const char *words[KINDS + 2] = { "auto" };
	char hint[64];
	if (check_numerics(o, e) < 0)
		return -1;
	if (!o->name || !strcmp(o->name, "auto"))
		return open_auto(out, o, e);
	for (size_t i = 0; i < KINDS; i++) {
		size_t n = strlen(kinds[i].name);
		if (!strncmp(o->name, kinds[i].name, n) && (!o->name[n] || (kinds[i].numbered && o->name[n] == ':')))
			return kinds[i].open(out, o, e);
		words[i + 1] = kinds[i].name;
	}
	return err_set(e, E_USAGE, "unknown device '%s'%s (there is: auto, cpu, cuda)", o->name,
		       err_hint(hint, sizeof hint, o->name, words));
}

int device_list(struct device_row *rows, int max)
{
	int n = 0;
	for (size_t i = 0; i < KINDS; i++)
		n += kinds[i].list(rows + n, max - n);
	return n;
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

const char *device_numerics(const struct device *d)
{
	return d->numerics[0] ? d->numerics : "chain32/1";
}
