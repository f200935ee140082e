/* device.h - what every kind of device begins with. Private to kernels/: ops.c opens by name, ops_cpu.c is one kind. */
#ifndef ASSAY_DEVICE_H
#define ASSAY_DEVICE_H

#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What limits a device. FMA: chains of fused multiply-adds in registers. */
enum limit { LIMIT_FMA, LIMIT_READ, LIMIT_COPY, LIMITS };

struct device {
	const struct ops *ops;
	void (*close)(struct device *d); /* frees d too */
	/* Queues work at the limit of the device, about `work` FLOPs or just so many bytes of src (and dst); returns how many, 0: cannot. */
	double (*limit)(struct device *d, enum limit what, void *dst, const void *src, size_t work);
	int threads;
	char describe[160];
	char numerics[96]; /* empty: "chain32/1" */
};

int cpu_device_open(struct device **out, const struct device_opts *o, struct err *e);

#ifdef __cplusplus
}
#endif

#endif
