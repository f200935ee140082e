/* device.h - what every kind of device begins with. Private to kernels/: ops.c opens by name, ops_cpu.c is one kind. */
#ifndef ASSAY_DEVICE_H
#define ASSAY_DEVICE_H

#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

struct device {
	const struct ops *ops;
	void (*close)(struct device *d); /* frees d too */
	int threads;
	char describe[160];
	char numerics[96]; /* empty: "chain32/1" */
};

int cpu_device_open(struct device **out, const struct device_opts *o, struct err *e);

#ifdef __cplusplus
}
#endif

#endif
