/* half.h - bf16, fp16 and fp8 (e4m3) to and from fp32, by integer arithmetic only (IEEE 754-2019; round to nearest even).
 *
 * Narrowing NaN gives the canonical quiet NaN (bf16 0x7fc0, fp16 0x7e00). Widening keeps the value exactly, subnormals too.
 */
#ifndef ASSAY_HALF_H
#define ASSAY_HALF_H

#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__ /* CUDA's kernels use the same text */
#define HALF_FN static __host__ __device__ inline
#else
#define HALF_FN static inline
#endif

HALF_FN float f32_of_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

HALF_FN uint32_t f32_bits(float f)
{
	uint32_t u;
	memcpy(&u, &f, sizeof u);
	return u;
}

HALF_FN float bf16_to_f32(uint16_t h)
{
	return f32_of_bits((uint32_t)h << 16);
}

HALF_FN uint16_t f32_to_bf16(float f)
{
	uint32_t u = f32_bits(f);
	if ((u & 0x7fffffffu) > 0x7f800000u)
		return 0x7fc0;
	u += 0x7fffu + ((u >> 16) & 1u);
	return (uint16_t)(u >> 16);
}

HALF_FN float f16_to_f32(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
	uint32_t exp = (h >> 10) & 31u, man = h & 1023u;
	if (exp == 31)
		return f32_of_bits(man ? 0x7fc00000u : sign | 0x7f800000u);
	if (exp)
		return f32_of_bits(sign | (exp + 112u) << 23 | man << 13);
	if (!man)
		return f32_of_bits(sign);
	exp = 113;
	while (!(man & 1024u)) {
		man <<= 1;
		exp--;
	}
	return f32_of_bits(sign | exp << 23 | (man & 1023u) << 13);
}

HALF_FN uint16_t f32_to_f16(float f)
{
	uint32_t u = f32_bits(f), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
	if (a > 0x7f800000u)
		return 0x7e00;
	if (a >= 0x477ff000u)
		return (uint16_t)(sign | 0x7c00u);
	if (a >= 0x38800000u) { /* normal */
		a += 0xfffu + ((a >> 13) & 1u);
		return (uint16_t)(sign | (a - 0x38000000u) >> 13);
	}
	if (a < 0x33000000u)
		return (uint16_t)sign;
	uint32_t shift = 126u - (a >> 23), man = (a & 0x7fffffu) | 0x800000u;
	uint32_t q = man >> shift, rest = man & ((1u << shift) - 1u), half = 1u << (shift - 1u);
	q += rest > half || (rest == half && (q & 1u));
	return (uint16_t)(sign | q);
}

/* e4m3 of OCP's 8-bit floating point (no infinity; 0x7f and 0xff are NaN). */
HALF_FN float f8_e4m3_to_f32(uint8_t code)
{
	uint32_t sign = (uint32_t)(code & 0x80u) << 24, exp = (code >> 3) & 15u, man = code & 7u;
	if (exp == 15 && man == 7)
		return f32_of_bits(0x7fc00000u);
	if (exp)
		return f32_of_bits(sign | (exp + 120u) << 23 | man << 20);
	float v = (float)man * 0.001953125f; /* 2^-9 */
	return sign ? -v : v;
}

#undef HALF_FN

#endif
