/* gpu.h - what tests of the CUDA kernels share between the emulator (tests/cuda_emu.h) and a device.
 *
 * The same sources are compiled for both. What belongs to the emulator alone (orders of threads, planted failures, limits of
 * memory) stands under #ifdef ASSAY_CUDA_EMU; device memory is reached through cudaMemcpy or ops->put and ops->get only.
 * A program that finds no GPU prints the device's own sentence and ends with 77, which means skipped (automake's word for it).
 * ASSAY_TEST_SHORT in the environment asks for few cases: under compute-sanitizer each takes a hundred times as long.
 */
#ifndef ASSAY_TESTS_GPU_H
#define ASSAY_TESTS_GPU_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/err.h"
#ifdef ASSAY_CUDA_EMU
#include "tests/cuda_emu.h"
#endif

#define GPU_SKIPPED 77
#define GPU_BROKEN 99

/* The exit status of a test whose device did not open; prints why. */
static inline int gpu_absent(const struct err *e)
{
	printf("%s\n", e->msg);
	return e->code == E_DEVICE && strstr(e->msg, "there is no ") ? GPU_SKIPPED : GPU_BROKEN;
}

/* The exit status of a test that has closed its devices: rc, or 1 where the emulator holds device memory still. */
static inline int gpu_end(int rc)
{
#ifdef ASSAY_CUDA_EMU
	emu_summary(stdout);
	printf("%lu launches, %.1f s in kernels\n", emu_launches(), emu_seconds());
	if (emu_allocations()) {
		printf("%zu blocks of device memory were not released\n", emu_allocations());
		return 1;
	}
#endif
	return rc;
}

/* `full`, or `few` when the tests are asked to be short: a number of cases, or a step between them. */
static inline int gpu_cases(int full, int few)
{
	const char *s = getenv("ASSAY_TEST_SHORT");
	return s && *s && strcmp(s, "0") != 0 ? few : full;
}

#endif
