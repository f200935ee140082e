/* cpu.h - instruction set levels: what the processor and the operating system offer, and a mask that a user or test sets.
 *
 * Levels rise: every kernel table is filled with the scalar functions first, then overwritten by each level that is
 * compiled in, offered by the machine (CPUID and XGETBV), and not above the mask.
 */
#ifndef ASSAY_CPU_H
#define ASSAY_CPU_H

#include "kernels/base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

enum cpu_level {
	CPU_SCALAR,
	CPU_NEON,       /* aarch64 */
	CPU_AVX2,       /* AVX2 + FMA + F16C */
	CPU_AVX512,     /* F, BW, DQ, VL */
	CPU_AVX512BF16, /* + BF16 */
	CPU_LEVELS
};

enum cpu_level cpu_best(void);               /* highest level that machine and system offer */
const char *cpu_level_name(enum cpu_level l); /* "scalar", "neon", "avx2", "avx512", "avx512bf16" */
int cpu_level_parse(enum cpu_level *out, const char *name, struct err *e);
int cpu_has(enum cpu_level l);               /* is level l offered here? (scalar: always) */
const char *cpu_brand(void);                 /* the processor's own name, for doctor and manifests */

#ifdef __cplusplus
}
#endif

#endif
