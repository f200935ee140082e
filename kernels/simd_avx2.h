/* simd_avx2.h - the contract of simd.h over AVX2, FMA and F16C: 8 lanes, truth values as all-ones lanes. */
#ifndef ASSAY_SIMD_AVX2_H
#define ASSAY_SIMD_AVX2_H

#include <stdint.h>
#ifdef ASSAY_SIMD_EMU
#include "tests/simd_emu.h"
#else
#include <immintrin.h>
#endif

#define VW 8
typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm;

static inline vi vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
static inline vi vi_iota(void) { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
static inline vi vi_of_bits(vf a) { return _mm256_castps_si256(a); }
static inline vf vf_of_bits(vi a) { return _mm256_castsi256_ps(a); }

static inline vm vm_first(int n) { return vf_of_bits(_mm256_cmpgt_epi32(vi_set1(n), vi_iota())); }
static inline vm vm_and(vm a, vm b) { return _mm256_and_ps(a, b); }
static inline vm vm_or(vm a, vm b) { return _mm256_or_ps(a, b); }
static inline int vm_any(vm a) { return _mm256_movemask_ps(a) != 0; }

static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline vf vf_load_n(const float *p, int n) { return _mm256_maskload_ps(p, vi_of_bits(vm_first(n))); }
static inline void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
static inline void vf_store_n(float *p, vf a, int n) { _mm256_maskstore_ps(p, vi_of_bits(vm_first(n)), a); }
static inline vf vf_zero(void) { return _mm256_setzero_ps(); }
static inline vf vf_set1(float x) { return _mm256_set1_ps(x); }
static inline vf vf_bcast(const float *p) { return _mm256_broadcast_ss(p); }

static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); } /* maxps is a > b ? a : b */

static inline vm vf_gt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
static inline vm vf_ge(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
static inline vm vf_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
static inline vm vf_isnan(vf a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
static inline vf vf_sel(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
static inline vi vi_sel(vm m, vi a, vi b) { return vi_of_bits(vf_sel(m, vf_of_bits(a), vf_of_bits(b))); }

static inline vi vi_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
static inline vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
#define vi_shl(a, n) _mm256_slli_epi32(a, n)
#define vi_sar(a, n) _mm256_srai_epi32(a, n)
static inline vf vf_from_int(vi a) { return _mm256_cvtepi32_ps(a); }
static inline vf vf_neg(vf a) { return vf_of_bits(_mm256_xor_si256(vi_of_bits(a), vi_set1(INT32_MIN))); }
static inline vf vf_abs(vf a) { return vf_of_bits(vi_and(vi_of_bits(a), vi_set1(0x7fffffff))); }

static inline vf vf_bf16(const void *p)
{
	return vf_of_bits(vi_shl(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}
static inline vf vf_bf16_lo(vi a) { return vf_of_bits(vi_shl(a, 16)); }
static inline vf vf_bf16_hi(vi a) { return vf_of_bits(vi_and(a, vi_set1(-65536))); }
static inline vf vf_f16(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
static inline void v_prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }

#include "kernels/simd.h"

#endif
