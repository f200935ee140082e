/* cpu.c - which instruction sets the processor has and the operating system lets us use.
 *
 * x86: CPUID leaves 1 and 7, then XGETBV, because a processor may have registers that the system does not save
 * (Intel SDM vol. 1, 13.3). aarch64: Advanced SIMD is part of the architecture. A level is offered only with all of its
 * parts, and only when the levels below it on the same family are.
 */
#include "kernels/base/cpu.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

static const char *const names[CPU_LEVELS + 1] = { "scalar", "neon", "avx2", "avx512", "avx512bf16", NULL };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned char offered[CPU_LEVELS];
static char brand[64];

#if defined(__x86_64__) || defined(__i386__)
static uint64_t xcr0(void)
{
	uint32_t lo, hi;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static void detect(void)
{
	unsigned a, b, c, d, c1 = 0, b7 = 0, a71 = 0;
	offered[CPU_SCALAR] = 1;
	if ((unsigned)__get_cpuid_max(0x80000000u, NULL) >= 0x80000004u) {
		unsigned w[12];
		for (unsigned i = 0; i < 3; i++)
			__cpuid(0x80000002u + i, w[4 * i], w[4 * i + 1], w[4 * i + 2], w[4 * i + 3]);
		memcpy(brand, w, sizeof w);
	}
	if (__get_cpuid(1, &a, &b, &c, &d))
		c1 = c;
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		b7 = b;
		if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
			a71 = a;
	}
	const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29, avx2 = 1u << 5;
	const unsigned f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
	uint64_t os = c1 & osxsave ? xcr0() : 0;
	offered[CPU_AVX2] = (c1 & (fma | avx | f16c)) == (fma | avx | f16c) && (b7 & avx2) && (os & 6) == 6;
	offered[CPU_AVX512] = offered[CPU_AVX2] && (b7 & f_dq_bw_vl) == f_dq_bw_vl && (os & 0xe6) == 0xe6;
	offered[CPU_AVX512BF16] = offered[CPU_AVX512] && (a71 & 1u << 5);
}
#else
static void detect(void)
{
	offered[CPU_SCALAR] = 1;
#if defined(__aarch64__)
	offered[CPU_NEON] = 1;
	strcpy(brand, "aarch64");
#endif
}
#endif

static void detect_once(void)
{
	detect();
	brand[sizeof brand - 1] = 0;
	char *to = brand; /* without leading, trailing and double blanks */
	for (const char *p = brand; *p; p++)
		if (*p != ' ' || (to > brand && to[-1] != ' '))
			*to++ = *p;
	while (to > brand && to[-1] == ' ')
		to--;
	*to = 0;
	if (!brand[0])
		strcpy(brand, "unknown processor");
}

int cpu_has(enum cpu_level l)
{
	pthread_once(&once, detect_once);
	return (unsigned)l < CPU_LEVELS && offered[l];
}

enum cpu_level cpu_best(void)
{
	enum cpu_level l = CPU_LEVELS - 1;
	while (l > CPU_SCALAR && !cpu_has(l))
		l--;
	return l;
}

const char *cpu_level_name(enum cpu_level l)
{
	return (unsigned)l < CPU_LEVELS ? names[l] : "?";
}

int cpu_level_parse(enum cpu_level *out, const char *name, struct err *e)
{
	char hint[64];
	for (int i = 0; i < CPU_LEVELS; i++)
		if (!strcmp(name, names[i])) {
			*out = (enum cpu_level)i;
			return 0;
		}
	return err_set(e, E_USAGE, "unknown instruction set '%s'%s", name, err_hint(hint, sizeof hint, name, names));
}

const char *cpu_brand(void)
{
	pthread_once(&once, detect_once);
	return brand;
}
