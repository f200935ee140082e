/* gpu_pair.h - for tests that compare the CUDA device with the scalar CPU device: both opened and closed, and orders of threads that
 * change from case to case, so that a race shows.
 */
#ifndef ASSAY_TESTS_GPU_PAIR_H
#define ASSAY_TESTS_GPU_PAIR_H

#include "kernels/cuda_ops.h"
#include "kernels/device.h"
#include "tests/gpu.h"
#include "tests/test.h"

static struct device *cpu, *gpu;

static inline void pair_order(int number)
{
#ifdef ASSAY_CUDA_EMU
	emu_order((enum emu_order)(number % EMU_ORDERS));
	emu_guard_front(number / EMU_ORDERS % 2);
#endif
	(void)number;
}

static inline int pair_main(const char *name, const struct test *tests, unsigned long long seed, int argc, char **argv)
{
	struct device_opts o = {};
	struct err e = {};
	int rc;
	o.name = "cpu";
	o.threads = 1;
	o.max_level = CPU_SCALAR;
#ifdef ASSAY_CUDA_EMU
	emu_seed(seed);
#endif
	if (device_open(&cpu, &o, &e) < 0) {
		printf("%s\n", e.msg);
		return GPU_BROKEN;
	}
	if (cuda_device_open(&gpu, 0, 2, &e) < 0) {
		rc = gpu_absent(&e);
		device_close(cpu);
		return rc;
	}
	printf("%s [seed %llu] ", device_describe(gpu), seed);
	rc = test_main(name, tests, argc, argv);
	device_close(gpu);
	device_close(cpu);
	return gpu_end(rc);
}

#endif
