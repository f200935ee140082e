/* simd_emu.h - the few intrinsics that kernels/simd_*.h use, as plain C on plain structs, lane by lane.
 *
 * Included in place of <immintrin.h> and <arm_neon.h> under ASSAY_SIMD_EMU, so that a test can run the AVX2, AVX-512 and
 * NEON variants of every kernel on any machine. Each function follows the instruction's definition (Intel SDM, Arm ARM):
 * fused where it is fused (xfmaf), ordered where it is ordered, and partial loads and stores touch only their lanes, so
 * that a sanitizer sees what the processor would. What is not here cannot be used in a kernel by accident.
 */
#ifndef ASSAY_TEST_SIMD_EMU_H
#define ASSAY_TEST_SIMD_EMU_H

#include <stdint.h>
#include <string.h>

#include "kernels/base/fma.h"
#include "kernels/base/half.h"
#include "kernels/exactmath.h"

#define EMU static inline __attribute__((unused))
#define EMU_EACH(n) for (int i = 0; i < (n); i++)

enum { _CMP_EQ_OQ = 0x00, _CMP_UNORD_Q = 0x03, _CMP_GE_OQ = 0x1d, _CMP_GT_OQ = 0x1e };

EMU int emu_cmp(float a, float b, int how)
{
	switch (how) {
	case _CMP_EQ_OQ: return a == b;
	case _CMP_UNORD_Q: return a != a || b != b;
	case _CMP_GE_OQ: return a >= b;
	default: return a > b;
	}
}

typedef struct { int32_t v[4]; } __m128i;
typedef struct { float v[8]; } __m256;
typedef struct { int32_t v[8]; } __m256i;
typedef struct { float v[16]; } __m512;
typedef struct { int32_t v[16]; } __m512i;
typedef uint16_t __mmask16;

/* What the two x86 widths share, B = _mm256 or _mm512, F and I the types, N the lanes, S the bits. */
#define EMU_X86(B, F, I, N, S) \
	EMU F B##_loadu_ps(const float *p) { F r; memcpy(&r, p, sizeof r); return r; } \
	EMU void B##_storeu_ps(float *p, F a) { memcpy(p, &a, sizeof a); } \
	EMU I B##_loadu_si##S(const void *p) { I r; memcpy(&r, p, sizeof r); return r; } \
	EMU F B##_set1_ps(float x) { F r; EMU_EACH(N) r.v[i] = x; return r; } \
	EMU F B##_setzero_ps(void) { return B##_set1_ps(0.0f); } \
	EMU I B##_set1_epi32(int32_t x) { I r; EMU_EACH(N) r.v[i] = x; return r; } \
	EMU F B##_add_ps(F a, F b) { EMU_EACH(N) a.v[i] = a.v[i] + b.v[i]; return a; } \
	EMU F B##_sub_ps(F a, F b) { EMU_EACH(N) a.v[i] = a.v[i] - b.v[i]; return a; } \
	EMU F B##_mul_ps(F a, F b) { EMU_EACH(N) a.v[i] = a.v[i] * b.v[i]; return a; } \
	EMU F B##_div_ps(F a, F b) { EMU_EACH(N) a.v[i] = a.v[i] / b.v[i]; return a; } \
	EMU F B##_sqrt_ps(F a) { EMU_EACH(N) a.v[i] = xm_sqrt(a.v[i]); return a; } \
	EMU F B##_fmadd_ps(F a, F b, F c) { EMU_EACH(N) c.v[i] = xfmaf(a.v[i], b.v[i], c.v[i]); return c; } \
	EMU F B##_max_ps(F a, F b) { EMU_EACH(N) a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i]; return a; } \
	EMU I B##_castps_si##S(F a) { I r; memcpy(&r, &a, sizeof r); return r; } \
	EMU F B##_castsi##S##_ps(I a) { F r; memcpy(&r, &a, sizeof r); return r; } \
	EMU F B##_cvtepi32_ps(I a) { F r; EMU_EACH(N) r.v[i] = (float)a.v[i]; return r; } \
	EMU I B##_add_epi32(I a, I b) { EMU_EACH(N) a.v[i] = (int32_t)((uint32_t)a.v[i] + (uint32_t)b.v[i]); return a; } \
	EMU I B##_sub_epi32(I a, I b) { EMU_EACH(N) a.v[i] = (int32_t)((uint32_t)a.v[i] - (uint32_t)b.v[i]); return a; } \
	EMU I B##_and_si##S(I a, I b) { EMU_EACH(N) a.v[i] &= b.v[i]; return a; } \
	EMU I B##_xor_si##S(I a, I b) { EMU_EACH(N) a.v[i] ^= b.v[i]; return a; } \
	EMU I B##_slli_epi32(I a, int n) { EMU_EACH(N) a.v[i] = (int32_t)((uint32_t)a.v[i] << n); return a; } \
	EMU I B##_srai_epi32(I a, int n) { EMU_EACH(N) a.v[i] >>= n; return a; }

EMU_X86(_mm256, __m256, __m256i, 8, 256)
EMU_X86(_mm512, __m512, __m512i, 16, 512)

EMU void _mm_prefetch(const char *p, int hint) { (void)p, (void)hint; }
enum { _MM_HINT_T0 = 3 };

/* ---- AVX2 */
EMU __m256i _mm256_setr_epi32(int a, int b, int c, int d, int e, int f, int g, int h)
{
	return (__m256i){ { a, b, c, d, e, f, g, h } };
}
EMU __m256i _mm256_cmpgt_epi32(__m256i a, __m256i b) { EMU_EACH(8) a.v[i] = -(a.v[i] > b.v[i]); return a; }
EMU __m256 _mm256_cmp_ps(__m256 a, __m256 b, int how)
{
	__m256i r;
	EMU_EACH(8) r.v[i] = -emu_cmp(a.v[i], b.v[i], how);
	return _mm256_castsi256_ps(r);
}
EMU __m256 _mm256_and_ps(__m256 a, __m256 b)
{
	return _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}
EMU __m256 _mm256_or_ps(__m256 a, __m256 b)
{
	__m256i x = _mm256_castps_si256(a), y = _mm256_castps_si256(b);
	EMU_EACH(8) x.v[i] |= y.v[i];
	return _mm256_castsi256_ps(x);
}
EMU int _mm256_movemask_ps(__m256 a)
{
	int m = 0;
	EMU_EACH(8) m |= (f32_bits(a.v[i]) >> 31 != 0) << i;
	return m;
}
EMU __m256 _mm256_blendv_ps(__m256 a, __m256 b, __m256 m) /* by the sign bit */
{
	__m256i x = _mm256_castps_si256(a), y = _mm256_castps_si256(b), s = _mm256_castps_si256(m);
	EMU_EACH(8) x.v[i] = s.v[i] < 0 ? y.v[i] : x.v[i];
	return _mm256_castsi256_ps(x);
}
EMU __m256 _mm256_maskload_ps(const float *p, __m256i m)
{
	__m256 r = _mm256_setzero_ps();
	EMU_EACH(8) if (m.v[i] < 0) memcpy(&r.v[i], p + i, 4);
	return r;
}
EMU void _mm256_maskstore_ps(float *p, __m256i m, __m256 a)
{
	EMU_EACH(8) if (m.v[i] < 0) memcpy(p + i, &a.v[i], 4);
}
EMU __m256 _mm256_broadcast_ss(const float *p) { return _mm256_set1_ps(*p); }
EMU __m128i _mm_loadu_si128(const __m128i *p) { __m128i r; memcpy(&r, p, sizeof r); return r; }
EMU __m256i _mm256_cvtepu16_epi32(__m128i a)
{
	uint16_t h[8];
	__m256i r;
	memcpy(h, &a, sizeof h);
	EMU_EACH(8) r.v[i] = h[i];
	return r;
}
EMU __m256 _mm256_cvtph_ps(__m128i a)
{
	uint16_t h[8];
	__m256 r;
	memcpy(h, &a, sizeof h);
	EMU_EACH(8) r.v[i] = f16_to_f32(h[i]);
	return r;
}

/* ---- AVX-512 */
EMU __m512i _mm512_setr_epi32(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l, int m,
			      int n, int o, int p)
{
	return (__m512i){ { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p } };
}
EMU __mmask16 _mm512_cmp_ps_mask(__m512 a, __m512 b, int how)
{
	int m = 0;
	EMU_EACH(16) m |= emu_cmp(a.v[i], b.v[i], how) << i;
	return (__mmask16)m;
}
EMU __m512i _mm512_mask_blend_epi32(__mmask16 m, __m512i a, __m512i b)
{
	EMU_EACH(16) a.v[i] = m >> i & 1 ? b.v[i] : a.v[i];
	return a;
}
EMU __m512 _mm512_mask_blend_ps(__mmask16 m, __m512 a, __m512 b)
{
	return _mm512_castsi512_ps(_mm512_mask_blend_epi32(m, _mm512_castps_si512(a), _mm512_castps_si512(b)));
}
EMU __m512 _mm512_maskz_loadu_ps(__mmask16 m, const float *p)
{
	__m512 r = _mm512_setzero_ps();
	EMU_EACH(16) if (m >> i & 1) memcpy(&r.v[i], p + i, 4);
	return r;
}
EMU void _mm512_mask_storeu_ps(float *p, __mmask16 m, __m512 a)
{
	EMU_EACH(16) if (m >> i & 1) memcpy(p + i, &a.v[i], 4);
}
EMU __m512i _mm512_cvtepu16_epi32(__m256i a)
{
	uint16_t h[16];
	__m512i r;
	memcpy(h, &a, sizeof h);
	EMU_EACH(16) r.v[i] = h[i];
	return r;
}
EMU __m512 _mm512_cvtph_ps(__m256i a)
{
	uint16_t h[16];
	__m512 r;
	memcpy(h, &a, sizeof h);
	EMU_EACH(16) r.v[i] = f16_to_f32(h[i]);
	return r;
}

/* ---- NEON */
typedef struct { float v[4]; } float32x4_t;
typedef struct { int32_t v[4]; } int32x4_t;
typedef struct { uint32_t v[4]; } uint32x4_t;
typedef struct { uint16_t v[4]; } uint16x4_t, float16x4_t;

EMU float32x4_t vld1q_f32(const float *p) { float32x4_t r; memcpy(&r, p, sizeof r); return r; }
EMU void vst1q_f32(float *p, float32x4_t a) { memcpy(p, &a, sizeof a); }
EMU int32x4_t vld1q_s32(const int32_t *p) { int32x4_t r; memcpy(&r, p, sizeof r); return r; }
EMU uint16x4_t vld1_u16(const uint16_t *p) { uint16x4_t r; memcpy(&r, p, sizeof r); return r; }
EMU float32x4_t vdupq_n_f32(float x) { return (float32x4_t){ { x, x, x, x } }; }
EMU int32x4_t vdupq_n_s32(int32_t x) { return (int32x4_t){ { x, x, x, x } }; }
EMU float32x4_t vaddq_f32(float32x4_t a, float32x4_t b) { EMU_EACH(4) a.v[i] = a.v[i] + b.v[i]; return a; }
EMU float32x4_t vsubq_f32(float32x4_t a, float32x4_t b) { EMU_EACH(4) a.v[i] = a.v[i] - b.v[i]; return a; }
EMU float32x4_t vmulq_f32(float32x4_t a, float32x4_t b) { EMU_EACH(4) a.v[i] = a.v[i] * b.v[i]; return a; }
EMU float32x4_t vdivq_f32(float32x4_t a, float32x4_t b) { EMU_EACH(4) a.v[i] = a.v[i] / b.v[i]; return a; }
EMU float32x4_t vsqrtq_f32(float32x4_t a) { EMU_EACH(4) a.v[i] = xm_sqrt(a.v[i]); return a; }
EMU float32x4_t vfmaq_f32(float32x4_t c, float32x4_t a, float32x4_t b)
{
	EMU_EACH(4) c.v[i] = xfmaf(a.v[i], b.v[i], c.v[i]);
	return c;
}
#define EMU_NEON_CMP(name, T, op) \
	EMU uint32x4_t name(T a, T b) { uint32x4_t r; EMU_EACH(4) r.v[i] = a.v[i] op b.v[i] ? 0xffffffffu : 0u; return r; }
EMU_NEON_CMP(vcgtq_f32, float32x4_t, >)
EMU_NEON_CMP(vcgeq_f32, float32x4_t, >=)
EMU_NEON_CMP(vceqq_f32, float32x4_t, ==)
EMU_NEON_CMP(vcgtq_s32, int32x4_t, >)
EMU uint32x4_t vandq_u32(uint32x4_t a, uint32x4_t b) { EMU_EACH(4) a.v[i] &= b.v[i]; return a; }
EMU uint32x4_t vorrq_u32(uint32x4_t a, uint32x4_t b) { EMU_EACH(4) a.v[i] |= b.v[i]; return a; }
EMU uint32x4_t vmvnq_u32(uint32x4_t a) { EMU_EACH(4) a.v[i] = ~a.v[i]; return a; }
EMU uint32_t vmaxvq_u32(uint32x4_t a)
{
	uint32_t m = a.v[0];
	EMU_EACH(4) m = a.v[i] > m ? a.v[i] : m;
	return m;
}
EMU int32x4_t vbslq_s32(uint32x4_t m, int32x4_t a, int32x4_t b) /* bit by bit */
{
	EMU_EACH(4) a.v[i] = (int32_t)((m.v[i] & (uint32_t)a.v[i]) | (~m.v[i] & (uint32_t)b.v[i]));
	return a;
}
EMU int32x4_t vreinterpretq_s32_f32(float32x4_t a) { int32x4_t r; memcpy(&r, &a, sizeof r); return r; }
EMU float32x4_t vreinterpretq_f32_s32(int32x4_t a) { float32x4_t r; memcpy(&r, &a, sizeof r); return r; }
EMU int32x4_t vreinterpretq_s32_u32(uint32x4_t a) { int32x4_t r; memcpy(&r, &a, sizeof r); return r; }
EMU float32x4_t vbslq_f32(uint32x4_t m, float32x4_t a, float32x4_t b)
{
	return vreinterpretq_f32_s32(vbslq_s32(m, vreinterpretq_s32_f32(a), vreinterpretq_s32_f32(b)));
}
EMU int32x4_t vaddq_s32(int32x4_t a, int32x4_t b)
{
	EMU_EACH(4) a.v[i] = (int32_t)((uint32_t)a.v[i] + (uint32_t)b.v[i]);
	return a;
}
EMU int32x4_t vsubq_s32(int32x4_t a, int32x4_t b)
{
	EMU_EACH(4) a.v[i] = (int32_t)((uint32_t)a.v[i] - (uint32_t)b.v[i]);
	return a;
}
EMU int32x4_t vandq_s32(int32x4_t a, int32x4_t b) { EMU_EACH(4) a.v[i] &= b.v[i]; return a; }
EMU int32x4_t veorq_s32(int32x4_t a, int32x4_t b) { EMU_EACH(4) a.v[i] ^= b.v[i]; return a; }
EMU int32x4_t vshlq_n_s32(int32x4_t a, int n) { EMU_EACH(4) a.v[i] = (int32_t)((uint32_t)a.v[i] << n); return a; }
EMU int32x4_t vshrq_n_s32(int32x4_t a, int n) { EMU_EACH(4) a.v[i] >>= n; return a; }
EMU uint32x4_t vshlq_n_u32(uint32x4_t a, int n) { EMU_EACH(4) a.v[i] <<= n; return a; }
EMU float32x4_t vcvtq_f32_s32(int32x4_t a) { float32x4_t r; EMU_EACH(4) r.v[i] = (float)a.v[i]; return r; }
EMU uint32x4_t vmovl_u16(uint16x4_t a) { uint32x4_t r; EMU_EACH(4) r.v[i] = a.v[i]; return r; }
EMU float16x4_t vreinterpret_f16_u16(uint16x4_t a) { return a; }
EMU float32x4_t vcvt_f32_f16(float16x4_t a) { float32x4_t r; EMU_EACH(4) r.v[i] = f16_to_f32(a.v[i]); return r; }

#endif
