/* cuda_emu_mem.h - what cuda_emu.cc and cuda_emu_rt.cc have in common: guarded memory, reports, pretended failures. */
#ifndef ASSAY_CUDA_EMU_MEM_H
#define ASSAY_CUDA_EMU_MEM_H

#include <stddef.h>
#include <stdint.h>

#define EMU_GUARD ((size_t)1 << 20) /* bytes without access on either side of memory */

struct emu_region {
	const char *call; /* "cudaMalloc" */
	char *p;
	size_t bytes;
	int serial;
	bool live;
};

void emu_fault(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
void emu_handlers(void);
uint32_t emu_poison(void); /* the NaN pattern of the order that is set */

/* Reserves len bytes, of which `open` after the first guard may be used. */
void *emu_reserve(size_t len, size_t open);
bool emu_find(const void *address, struct emu_region *r); /* the allocation, live or freed, whose surroundings hold it */
void emu_check_canaries(void);                            /* of all live allocations */
size_t emu_dynamic_limit(const void *kernel);
bool emu_failing(const char *call); /* this call shall fail: the error is then cudaGetLastError's */
bool emu_losing(void);              /* this launch is where the device is lost, or it is lost already */

#endif
