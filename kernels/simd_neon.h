/* simd_neon.h - the contract of simd.h over Advanced SIMD of aarch64: 4 lanes. Partial loads and stores go lane by lane. */
#ifndef ASSAY_SIMD_NEON_H
#define ASSAY_SIMD_NEON_H

#include <stdint.h>
#include <string.h>
#ifdef ASSAY_SIMD_EMU
#include "tests/simd_emu.h"
#else
#include <arm_neon.h>
#endif

#define VW 4
typedef float32x4_t vf;
typedef int32x4_t vi;
typedef uint32x4_t vm;

static inline vi vi_set1(int32_t x) { return vdupq_n_s32(x); }
static inline vi vi_load(const void *p)
{
	int32_t t[4];
	memcpy(t, p, sizeof t);
	return vld1q_s32(t);
}
static inline vi vi_iota(void)
{
	static const int32_t t[4] = { 0, 1, 2, 3 };
	return vld1q_s32(t);
}
static inline vi vi_of_bits(vf a) { return vreinterpretq_s32_f32(a); }
static inline vf vf_of_bits(vi a) { return vreinterpretq_f32_s32(a); }

static inline vm vm_first(int n) { return vcgtq_s32(vi_set1(n), vi_iota()); }
static inline vm vm_and(vm a, vm b) { return vandq_u32(a, b); }
static inline vm vm_or(vm a, vm b) { return vorrq_u32(a, b); }
static inline int vm_any(vm a) { return vmaxvq_u32(a) != 0; }

static inline vf vf_load(const float *p) { return vld1q_f32(p); }
static inline vf vf_load_n(const float *p, int n)
{
	float t[4] = { 0, 0, 0, 0 };
	memcpy(t, p, (size_t)n * sizeof *p);
	return vld1q_f32(t);
}
static inline void vf_store(float *p, vf a) { vst1q_f32(p, a); }
static inline void vf_store_n(float *p, vf a, int n)
{
	float t[4];
	vst1q_f32(t, a);
	memcpy(p, t, (size_t)n * sizeof *p);
}
static inline vf vf_set1(float x) { return vdupq_n_f32(x); }
static inline vf vf_zero(void) { return vdupq_n_f32(0.0f); }
static inline vf vf_bcast(const float *p) { return vdupq_n_f32(*p); }

static inline vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
static inline vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
static inline vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
static inline vf vf_div(vf a, vf b) { return vdivq_f32(a, b); }
static inline vf vf_sqrt(vf a) { return vsqrtq_f32(a); }
static inline vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }

static inline vm vf_gt(vf a, vf b) { return vcgtq_f32(a, b); }
static inline vm vf_ge(vf a, vf b) { return vcgeq_f32(a, b); }
static inline vm vf_eq(vf a, vf b) { return vceqq_f32(a, b); }
static inline vm vf_isnan(vf a) { return vmvnq_u32(vceqq_f32(a, a)); }
static inline vf vf_sel(vm m, vf a, vf b) { return vbslq_f32(m, a, b); }
static inline vi vi_sel(vm m, vi a, vi b) { return vbslq_s32(m, a, b); }
static inline vf vf_max(vf a, vf b) { return vf_sel(vf_gt(a, b), a, b); } /* FMAX would return NaN */

static inline vi vi_add(vi a, vi b) { return vaddq_s32(a, b); }
static inline vi vi_sub(vi a, vi b) { return vsubq_s32(a, b); }
static inline vi vi_and(vi a, vi b) { return vandq_s32(a, b); }
#define vi_shl(a, n) vshlq_n_s32(a, n)
#define vi_sar(a, n) vshrq_n_s32(a, n)
static inline vf vf_from_int(vi a) { return vcvtq_f32_s32(a); }
static inline vf vf_neg(vf a) { return vf_of_bits(veorq_s32(vi_of_bits(a), vi_set1(INT32_MIN))); }
static inline vf vf_abs(vf a) { return vf_of_bits(vi_and(vi_of_bits(a), vi_set1(0x7fffffff))); }

static inline vf vf_bf16(const void *p)
{
	uint16_t t[4];
	memcpy(t, p, sizeof t);
	return vf_of_bits(vreinterpretq_s32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(t)), 16)));
}
static inline vf vf_bf16_lo(vi a) { return vf_of_bits(vi_shl(a, 16)); }
static inline vf vf_bf16_hi(vi a) { return vf_of_bits(vi_and(a, vi_set1(-65536))); }
static inline vf vf_f16(const void *p)
{
	uint16_t t[4];
	memcpy(t, p, sizeof t);
	return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(t)));
}
static inline void v_prefetch(const void *p) { __builtin_prefetch(p); }

#include "kernels/simd.h"

#endif
