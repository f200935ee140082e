/* exactmath.h - the functions of NUMERICS.md section 3: one text for scalar C, for the vector templates and for CUDA.
 *
 * Every function is a fixed sequence of IEEE single-precision operations without a branch, so the same inputs give the
 * same bits on every machine; libm is not used. The text is written in words (XM_ADD, XM_FMA, XM_SEL ...) that are bound
 * below: to float (functions xm_ex2 ...; nvcc binds the same words to its _rn intrinsics), or, when XM_VECTOR is defined
 * before a second inclusion, to the vectors of simd.h (functions vx_ex2 ...). A NaN result is the canonical 0x7fc00000.
 *
 *   ex2       2^x; exact for integers; +0 for x <= -126, Inf for x >= 128
 *   exp       2^(x log2 e), log2 e in two parts;  the same limits: no denormal result
 *   expm1 log1p tanh sigmoid softplus
 *   silu      x / (1 + exp(-x))
 *   gelu_tanh x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3), the exponent carried in two parts
 *   gelu_erf  x Phi(x): near 0 Phi = 1/2 + x p0(x^2), else Phi(-a) = exp(-a^2/2) p(t) / (a + k), t = (a - k)/(a + k),
 *             the exponent in two parts
 *   relu      +0 for x <= 0;  relu2: its square
 *   swish     x / (1 + exp(-a x)), a log2 e and the exponent in two parts
 *   xielu     x > 0: fma(ap x, x, beta x), else fma(an, expm1(min(x, eps)) - x, beta x)
 *   swiglu_clamped   (u + 1) swish(g, a), g the gate from above and u from both sides clamped to limit
 *   clip      to [-limit, limit];  softcap: cap tanh(x / cap)
 * Errors over all floats against double (tests/test_exactmath.c): at most 1.75 ulp; sigmoid, silu, swish, gelu_tanh 2.5; softcap 3 (where
 * x / cap is no denormal); gelu_erf 5. The other two, of several arguments, are tested at points (tests/test_rowops.c).
 * Coefficients: tests/golden/make_exactmath.py.
 */
#ifndef ASSAY_EXACTMATH_H
#define ASSAY_EXACTMATH_H

#include "kernels/base/fma.h"
#include "kernels/base/half.h"

#define XM_LOG2E_HI 0x1.715476p+0f
#define XM_LOG2E_LO 0x1.4ae0cp-26f
#define XM_LN2_HI 0x1.62e4p-1f
#define XM_LN2_LO 0x1.7f7d1cp-20f
/* EX2_: degree 6 on [-0.5000, 0.5000], error 0.104 x 2^-24 (in real coefficients 0.033) */
#define XM_EX2_0 0x1p+0f
#define XM_EX2_1 0x1.62e43p-1f
#define XM_EX2_2 0x1.ebfbdap-3f
#define XM_EX2_3 0x1.c6af18p-5f
#define XM_EX2_4 0x1.3b2d58p-7f
#define XM_EX2_5 0x1.5f3e56p-10f
#define XM_EX2_6 0x1.41fbbep-13f
/* EXPM1_: degree 5 on [-0.3500, 0.3500], error 0.014 x 2^-24 (in real coefficients 0.004) */
#define XM_EXPM1_0 0x1p-1f
#define XM_EXPM1_1 0x1.555554p-3f
#define XM_EXPM1_2 0x1.5554cap-5f
#define XM_EXPM1_3 0x1.111232p-7f
#define XM_EXPM1_4 0x1.6d78d8p-10f
#define XM_EXPM1_5 0x1.a0332ep-13f
/* LOG1P_: degree 8 on [-0.2929, 0.4142], error 0.072 x 2^-24 (in real coefficients 0.069) */
#define XM_LOG1P_0 -0x1.fffff8p-2f
#define XM_LOG1P_1 0x1.55555p-2f
#define XM_LOG1P_2 -0x1.000428p-2f
#define XM_LOG1P_3 0x1.99a3fap-3f
#define XM_LOG1P_4 -0x1.54277ap-3f
#define XM_LOG1P_5 0x1.2271ap-3f
#define XM_LOG1P_6 -0x1.0f3766p-3f
#define XM_LOG1P_7 0x1.08483cp-3f
#define XM_LOG1P_8 -0x1.382fc4p-4f
/* TANH_: degree 5 on [0.0000, 0.3600], error 0.007 x 2^-24 (in real coefficients 0.002) */
#define XM_TANH_0 -0x1.555554p-2f
#define XM_TANH_1 0x1.11109ap-3f
#define XM_TANH_2 -0x1.b9f9eep-5f
#define XM_TANH_3 0x1.6411a4p-6f
#define XM_TANH_4 -0x1.0ec0f4p-7f
#define XM_TANH_5 0x1.23e4ecp-9f
/* PHI_: degree 9 on [-0.6646, 0.5976], error 0.119 x 2^-24 (in real coefficients 0.017) */
#define XM_PHI_0 0x1.7b6eep-1f
#define XM_PHI_1 -0x1.1b21ccp-1f
#define XM_PHI_2 0x1.2e7704p-2f
#define XM_PHI_3 -0x1.92fb12p-4f
#define XM_PHI_4 0x1.1db924p-7f
#define XM_PHI_5 0x1.00438ep-7f
#define XM_PHI_6 -0x1.273f78p-9f
#define XM_PHI_7 -0x1.b5f13ep-11f
#define XM_PHI_8 0x1.46055cp-12f
#define XM_PHI_9 0x1.f83ebap-14f
/* PHI0_: degree 4 on [0.0000, 0.5000], error 0.959 x 2^-24 (in real coefficients 0.045) */
#define XM_PHI0_0 0x1.988454p-2f
#define XM_PHI0_1 -0x1.105834p-4f
#define XM_PHI0_2 0x1.46c914p-7f
#define XM_PHI0_3 -0x1.35fd04p-10f
#define XM_PHI0_4 0x1.b545b4p-14f
#define XM_GELU_K1_HI 0x1.26aec2p+1f
#define XM_GELU_K1_LO 0x1.bce75ap-27f
#define XM_GELU_K2_HI 0x1.a5a7dp-4f
#define XM_GELU_K2_LO -0x1.151aaep-29f

#endif /* ASSAY_EXACTMATH_H */

#ifndef ASSAY_EXACTMATH_ONCE
#define ASSAY_EXACTMATH_ONCE
/* The smallest integer not below x; zero is always +0; Inf and NaN come back. */
#ifdef __CUDACC__
static __host__ __device__ inline float xm_ceil(float x)
#else
static inline float xm_ceil(float x)
#endif
{
	if (!(x > -8388608.0f && x < 8388608.0f))
		return x;
	float n = (float)(int32_t)x;
	return n < x ? n + 1.0f : n;
}

/* The correctly rounded square root, as the instruction: the library's sqrtf would be called for errno. */
#ifdef __CUDACC__
static __host__ __device__ inline float xm_sqrt(float x)
#else
static inline float xm_sqrt(float x)
#endif
{
#if defined __CUDA_ARCH__
	return __fsqrt_rn(x);
#elif defined __x86_64__
	__asm__("sqrtss %1, %0" : "=x"(x) : "x"(x));
	return x;
#elif defined __aarch64__
	__asm__("fsqrt %s0, %s1" : "=w"(x) : "w"(x));
	return x;
#else
	return __builtin_sqrtf(x);
#endif
}
#endif

/* ---- the words */
#if defined XM_VECTOR && !defined ASSAY_EXACTMATH_VECTOR
#define ASSAY_EXACTMATH_VECTOR
#define XM_BIND
#define XM_FN static inline __attribute__((unused))
#define XM_NAME(f) vx_##f
#define XM_F vf
#define XM_I vi
#define XM_C(x) vf_set1(x)
#define XM_IC(x) vi_set1(x)
#define XM_ADD(a, b) vf_add(a, b)
#define XM_SUB(a, b) vf_sub(a, b)
#define XM_MUL(a, b) vf_mul(a, b)
#define XM_DIV(a, b) vf_div(a, b)
#define XM_FMA(a, b, c) vf_fma(a, b, c)
#define XM_NEG(a) vf_neg(a)
#define XM_ABS(a) vf_abs(a)
#define XM_GT(a, b) vf_gt(a, b)
#define XM_GE(a, b) vf_ge(a, b)
#define XM_EQ(a, b) vf_eq(a, b)
#define XM_ISNAN(a) vf_isnan(a)
#define XM_SEL(m, a, b) vf_sel(m, a, b)
#define XM_BITS(a) vi_of_bits(a)
#define XM_FLOAT(a) vf_of_bits(a)
#define XM_FROM_INT(a) vf_from_int(a)
#define XM_IADD(a, b) vi_add(a, b)
#define XM_ISUB(a, b) vi_sub(a, b)
#define XM_IAND(a, b) vi_and(a, b)
#define XM_ISHL(a, n) vi_shl(a, n)
#define XM_ISAR(a, n) vi_sar(a, n)
#elif !defined XM_VECTOR && !defined ASSAY_EXACTMATH_SCALAR
#define ASSAY_EXACTMATH_SCALAR
#define XM_BIND
#ifdef __CUDACC__
#define XM_FN static __host__ __device__ inline
#else
#define XM_FN static inline __attribute__((unused))
#endif
#define XM_NAME(f) xm_##f
#define XM_F float
#define XM_I uint32_t
#define XM_C(x) (x)
#define XM_IC(x) ((uint32_t)(x))
#ifdef __CUDA_ARCH__
#define XM_ADD(a, b) __fadd_rn(a, b)
#define XM_SUB(a, b) __fsub_rn(a, b)
#define XM_MUL(a, b) __fmul_rn(a, b)
#define XM_DIV(a, b) __fdiv_rn(a, b)
#define XM_FMA(a, b, c) __fmaf_rn(a, b, c)
#define XM_BITS(a) __float_as_uint(a)
#define XM_FLOAT(a) __uint_as_float(a)
#else
#define XM_ADD(a, b) ((a) + (b))
#define XM_SUB(a, b) ((a) - (b))
#define XM_MUL(a, b) ((a) * (b))
#define XM_DIV(a, b) ((a) / (b))
#define XM_FMA(a, b, c) xfmaf(a, b, c)
#define XM_BITS(a) f32_bits(a)
#define XM_FLOAT(a) f32_of_bits(a)
#endif
#define XM_NEG(a) XM_FLOAT(XM_BITS(a) ^ 0x80000000u)
#define XM_ABS(a) XM_FLOAT(XM_BITS(a) & 0x7fffffffu)
#define XM_GT(a, b) ((a) > (b))
#define XM_GE(a, b) ((a) >= (b))
#define XM_EQ(a, b) ((a) == (b))
#define XM_ISNAN(a) ((a) != (a))
#define XM_SEL(m, a, b) ((m) ? (a) : (b))
#define XM_FROM_INT(a) ((float)(int32_t)(a))
#define XM_IADD(a, b) ((a) + (b))
#define XM_ISUB(a, b) ((a) - (b))
#define XM_IAND(a, b) ((a) & (b))
#define XM_ISHL(a, n) ((a) << (n))
#define XM_ISAR(a, n) ((uint32_t)((int32_t)(a) >> (n)))
#endif

#ifdef XM_BIND
/* ---- the functions */
#define XM_MAGIC XM_C(12582912.0f) /* 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits */
#define XM_INF XM_FLOAT(XM_IC(0x7f800000))

XM_FN XM_F XM_NAME(canon)(XM_F x)
{
	return XM_SEL(XM_ISNAN(x), XM_FLOAT(XM_IC(0x7fc00000)), x);
}

/* 2^n * 2^f for t = XM_MAGIC + n and |f| <= 1/2; x, about n + f, decides the range. */
XM_FN XM_F XM_NAME(scale2)(XM_F x, XM_F t, XM_F f)
{
	XM_F p = XM_FMA(XM_C(XM_EX2_6), f, XM_C(XM_EX2_5));
	p = XM_FMA(p, f, XM_C(XM_EX2_4));
	p = XM_FMA(p, f, XM_C(XM_EX2_3));
	p = XM_FMA(p, f, XM_C(XM_EX2_2));
	p = XM_FMA(p, f, XM_C(XM_EX2_1));
	p = XM_FMA(p, f, XM_C(XM_EX2_0));
	p = XM_FLOAT(XM_IADD(XM_BITS(p), XM_ISHL(XM_BITS(t), 23)));
	p = XM_SEL(XM_GT(x, XM_C(-126.0f)), p, XM_C(0.0f));
	p = XM_SEL(XM_GE(x, XM_C(128.0f)), XM_INF, p);
	return XM_SEL(XM_ISNAN(x), XM_FLOAT(XM_IC(0x7fc00000)), p);
}

XM_FN XM_F XM_NAME(ex2)(XM_F x)
{
	XM_F t = XM_ADD(x, XM_MAGIC), n = XM_SUB(t, XM_MAGIC);
	return XM_NAME(scale2)(x, t, XM_SUB(x, n));
}

/* 2^(hi + lo), |lo| far below 1 */
XM_FN XM_F XM_NAME(ex2_pair)(XM_F hi, XM_F lo)
{
	XM_F t = XM_ADD(hi, XM_MAGIC), n = XM_SUB(t, XM_MAGIC);
	return XM_NAME(scale2)(hi, t, XM_ADD(XM_SUB(hi, n), lo));
}

XM_FN XM_F XM_NAME(exp)(XM_F x)
{
	XM_F y = XM_MUL(x, XM_C(XM_LOG2E_HI));
	XM_F t = XM_ADD(y, XM_MAGIC), n = XM_SUB(t, XM_MAGIC);
	XM_F f = XM_FMA(x, XM_C(XM_LOG2E_HI), XM_NEG(n));
	return XM_NAME(scale2)(y, t, XM_FMA(x, XM_C(XM_LOG2E_LO), f));
}

XM_FN XM_F XM_NAME(expm1)(XM_F x)
{
	/* n clamped, so that 2^(n-1) below is a normal float */
	XM_F c = XM_SEL(XM_GT(x, XM_C(89.0f)), XM_C(89.0f), x);
	c = XM_SEL(XM_GT(c, XM_C(-18.0f)), c, XM_C(-18.0f));
	XM_F t = XM_FMA(c, XM_C(XM_LOG2E_HI), XM_MAGIC), n = XM_SUB(t, XM_MAGIC);
	XM_F r = XM_FMA(XM_NEG(n), XM_C(XM_LN2_HI), c);
	r = XM_FMA(XM_NEG(n), XM_C(XM_LN2_LO), r);
	XM_F p = XM_FMA(XM_C(XM_EXPM1_5), r, XM_C(XM_EXPM1_4));
	p = XM_FMA(p, r, XM_C(XM_EXPM1_3));
	p = XM_FMA(p, r, XM_C(XM_EXPM1_2));
	p = XM_FMA(p, r, XM_C(XM_EXPM1_1));
	p = XM_FMA(p, r, XM_C(XM_EXPM1_0));
	XM_F q = XM_FMA(XM_MUL(r, r), p, r); /* e^r - 1 */
	/* 2^n q + (2^n - 1), at half size because 2^128 is no float */
	XM_F s = XM_FLOAT(XM_IADD(XM_ISHL(XM_BITS(t), 23), XM_IC(0x3f000000)));
	XM_F y = XM_FMA(s, q, XM_SUB(s, XM_C(0.5f)));
	y = XM_ADD(y, y);
	y = XM_SEL(XM_EQ(n, XM_C(0.0f)), q, y);
	y = XM_SEL(XM_EQ(x, XM_C(0.0f)), x, y);
	return XM_SEL(XM_ISNAN(x), XM_FLOAT(XM_IC(0x7fc00000)), y);
}

XM_FN XM_F XM_NAME(log1p)(XM_F x)
{
	XM_F u = XM_ADD(x, XM_C(1.0f));
	/* u = 2^k m, m in [sqrt(1/2), sqrt(2)) */
	XM_I i = XM_IADD(XM_BITS(u), XM_IC(0x3f800000 - 0x3f3504f3));
	XM_F k = XM_FROM_INT(XM_ISUB(XM_ISAR(i, 23), XM_IC(127)));
	XM_F m = XM_FLOAT(XM_IADD(XM_IAND(i, XM_IC(0x007fffff)), XM_IC(0x3f3504f3)));
	/* what the addition of 1 lost */
	XM_F c = XM_SEL(XM_GT(x, XM_C(1.0f)), XM_SUB(XM_C(1.0f), XM_SUB(u, x)), XM_SUB(x, XM_SUB(u, XM_C(1.0f))));
	XM_F f = XM_SUB(m, XM_C(1.0f));
	c = XM_DIV(c, u);
	c = XM_SEL(XM_EQ(k, XM_C(0.0f)), XM_C(0.0f), c);
	f = XM_SEL(XM_EQ(k, XM_C(0.0f)), x, f);
	XM_F p = XM_FMA(XM_C(XM_LOG1P_8), f, XM_C(XM_LOG1P_7));
	p = XM_FMA(p, f, XM_C(XM_LOG1P_6));
	p = XM_FMA(p, f, XM_C(XM_LOG1P_5));
	p = XM_FMA(p, f, XM_C(XM_LOG1P_4));
	p = XM_FMA(p, f, XM_C(XM_LOG1P_3));
	p = XM_FMA(p, f, XM_C(XM_LOG1P_2));
	p = XM_FMA(p, f, XM_C(XM_LOG1P_1));
	p = XM_FMA(p, f, XM_C(XM_LOG1P_0));
	XM_F y = XM_FMA(XM_MUL(f, f), p, XM_FMA(k, XM_C(XM_LN2_LO), c));
	y = XM_FMA(k, XM_C(XM_LN2_HI), XM_ADD(y, f));
	y = XM_SEL(XM_EQ(x, XM_C(0.0f)), x, y);
	y = XM_SEL(XM_EQ(x, XM_INF), x, y);
	y = XM_SEL(XM_EQ(x, XM_C(-1.0f)), XM_NEG(XM_INF), y);
	return XM_SEL(XM_GE(x, XM_C(-1.0f)), y, XM_FLOAT(XM_IC(0x7fc00000)));
}

XM_FN XM_F XM_NAME(tanh)(XM_F x)
{
	XM_F a = XM_ABS(x), z = XM_MUL(a, a);
	XM_F p = XM_FMA(XM_C(XM_TANH_5), z, XM_C(XM_TANH_4));
	p = XM_FMA(p, z, XM_C(XM_TANH_3));
	p = XM_FMA(p, z, XM_C(XM_TANH_2));
	p = XM_FMA(p, z, XM_C(XM_TANH_1));
	p = XM_FMA(p, z, XM_C(XM_TANH_0));
	p = XM_FMA(XM_MUL(a, z), p, a);
	XM_F e = XM_NAME(exp)(XM_ADD(a, a));
	e = XM_SUB(XM_C(1.0f), XM_DIV(XM_C(2.0f), XM_ADD(e, XM_C(1.0f))));
	e = XM_SEL(XM_GT(XM_C(0.6f), a), p, e); /* >= +0 */
	e = XM_FLOAT(XM_IADD(XM_BITS(e), XM_IAND(XM_BITS(x), XM_IC(0x80000000))));
	return XM_SEL(XM_ISNAN(x), XM_FLOAT(XM_IC(0x7fc00000)), e);
}

XM_FN XM_F XM_NAME(sigmoid)(XM_F x)
{
	return XM_NAME(canon)(XM_DIV(XM_C(1.0f), XM_ADD(XM_C(1.0f), XM_NAME(exp)(XM_NEG(x)))));
}

XM_FN XM_F XM_NAME(softplus)(XM_F x)
{
	XM_F y = XM_NAME(log1p)(XM_NAME(exp)(XM_NEG(XM_ABS(x))));
	return XM_NAME(canon)(XM_ADD(XM_SEL(XM_GT(x, XM_C(0.0f)), x, XM_C(0.0f)), y));
}

XM_FN XM_F XM_NAME(silu)(XM_F x)
{
	return XM_NAME(canon)(XM_DIV(x, XM_ADD(XM_C(1.0f), XM_NAME(exp)(XM_NEG(x)))));
}

XM_FN XM_F XM_NAME(gelu_tanh)(XM_F x)
{
	/* w + wl = 2u log2 e = c (k1 + k2 c^2); beyond 16 the exponential is out of range anyway */
	XM_F c = XM_SEL(XM_GT(x, XM_C(16.0f)), XM_C(16.0f), x);
	c = XM_SEL(XM_GT(c, XM_C(-16.0f)), c, XM_C(-16.0f));
	XM_F z = XM_MUL(c, c), zl = XM_FMA(c, c, XM_NEG(z));
	XM_F p = XM_MUL(XM_C(XM_GELU_K2_HI), z), pl = XM_FMA(XM_C(XM_GELU_K2_HI), z, XM_NEG(p));
	XM_F h = XM_ADD(p, XM_C(XM_GELU_K1_HI)), b = XM_SUB(h, p);
	XM_F l = XM_ADD(XM_SUB(p, XM_SUB(h, b)), XM_SUB(XM_C(XM_GELU_K1_HI), b));
	l = XM_ADD(l, pl);
	l = XM_FMA(XM_C(XM_GELU_K2_LO), z, l);
	l = XM_FMA(XM_C(XM_GELU_K2_HI), zl, l);
	l = XM_ADD(l, XM_C(XM_GELU_K1_LO));
	XM_F w = XM_MUL(c, h), wl = XM_FMA(c, h, XM_NEG(w));
	wl = XM_FMA(c, l, wl);
	XM_F e = XM_NAME(ex2_pair)(XM_NEG(w), XM_NEG(wl));
	return XM_NAME(canon)(XM_DIV(x, XM_ADD(XM_C(1.0f), e)));
}

XM_FN XM_F XM_NAME(gelu_erf)(XM_F x)
{
	XM_F a = XM_ABS(x);
	XM_F c = XM_SEL(XM_GT(XM_C(14.0f), a), a, XM_C(14.0f)); /* NaN: 14 */
	XM_F z = XM_MUL(c, c), zl = XM_FMA(c, c, XM_NEG(z));
	/* w + wl = c^2 / 2 log2 e */
	XM_F w = XM_MUL(z, XM_C(0.5f * XM_LOG2E_HI)), wl = XM_FMA(z, XM_C(0.5f * XM_LOG2E_HI), XM_NEG(w));
	wl = XM_FMA(z, XM_C(0.5f * XM_LOG2E_LO), wl);
	wl = XM_FMA(zl, XM_C(0.5f * XM_LOG2E_HI), wl);
	XM_F e = XM_NAME(ex2_pair)(XM_NEG(w), XM_NEG(wl));
	XM_F q = XM_DIV(XM_C(1.0f), XM_ADD(c, XM_C(3.375f)));
	XM_F t = XM_MUL(XM_SUB(c, XM_C(3.375f)), q);
	XM_F p = XM_FMA(XM_C(XM_PHI_9), t, XM_C(XM_PHI_8));
	p = XM_FMA(p, t, XM_C(XM_PHI_7));
	p = XM_FMA(p, t, XM_C(XM_PHI_6));
	p = XM_FMA(p, t, XM_C(XM_PHI_5));
	p = XM_FMA(p, t, XM_C(XM_PHI_4));
	p = XM_FMA(p, t, XM_C(XM_PHI_3));
	p = XM_FMA(p, t, XM_C(XM_PHI_2));
	p = XM_FMA(p, t, XM_C(XM_PHI_1));
	p = XM_FMA(p, t, XM_C(XM_PHI_0));
	p = XM_MUL(e, XM_MUL(p, q)); /* Phi(-a) */
	XM_F y = XM_SEL(XM_GT(x, XM_C(0.0f)), XM_FMA(XM_NEG(x), p, x), XM_MUL(x, p));
	y = XM_SEL(XM_GE(x, XM_C(14.0f)), x, y);
	/* near 0: x (1/2 + x p0(x^2)) */
	p = XM_FMA(XM_C(XM_PHI0_4), z, XM_C(XM_PHI0_3));
	p = XM_FMA(p, z, XM_C(XM_PHI0_2));
	p = XM_FMA(p, z, XM_C(XM_PHI0_1));
	p = XM_FMA(p, z, XM_C(XM_PHI0_0));
	p = XM_MUL(x, XM_FMA(x, p, XM_C(0.5f)));
	y = XM_SEL(XM_GT(XM_C(0.7f), a), p, y);
	return XM_NAME(canon)(y);
}

XM_FN XM_F XM_NAME(relu)(XM_F x)
{
	return XM_NAME(canon)(XM_SEL(XM_GE(XM_C(0.0f), x), XM_C(0.0f), x));
}

XM_FN XM_F XM_NAME(relu2)(XM_F x)
{
	XM_F y = XM_NAME(relu)(x);
	return XM_NAME(canon)(XM_MUL(y, y));
}

XM_FN XM_F XM_NAME(swish)(XM_F x, XM_F a)
{
	XM_F k = XM_MUL(a, XM_C(XM_LOG2E_HI)), kl = XM_FMA(a, XM_C(XM_LOG2E_HI), XM_NEG(k));
	kl = XM_FMA(a, XM_C(XM_LOG2E_LO), kl);
	XM_F w = XM_MUL(x, k), wl = XM_FMA(x, k, XM_NEG(w));
	wl = XM_FMA(x, kl, wl);
	XM_F e = XM_NAME(ex2_pair)(XM_NEG(w), XM_NEG(wl));
	return XM_NAME(canon)(XM_DIV(x, XM_ADD(XM_C(1.0f), e)));
}

XM_FN XM_F XM_NAME(xielu)(XM_F x, XM_F ap, XM_F an, XM_F beta, XM_F eps)
{
	XM_F b = XM_MUL(beta, x), m = XM_SUB(XM_NAME(expm1)(XM_SEL(XM_GT(x, eps), eps, x)), x);
	return XM_NAME(canon)(XM_SEL(XM_GT(x, XM_C(0.0f)), XM_FMA(XM_MUL(ap, x), x, b), XM_FMA(an, m, b)));
}

XM_FN XM_F XM_NAME(clip)(XM_F x, XM_F limit)
{
	XM_F low = XM_NEG(limit), y = XM_SEL(XM_GT(x, limit), limit, x);
	return XM_NAME(canon)(XM_SEL(XM_GT(low, x), low, y));
}

XM_FN XM_F XM_NAME(swiglu_clamped)(XM_F g, XM_F u, XM_F a, XM_F limit)
{
	g = XM_SEL(XM_GT(g, limit), limit, g);
	u = XM_ADD(XM_NAME(clip)(u, limit), XM_C(1.0f));
	return XM_NAME(canon)(XM_MUL(u, XM_NAME(swish)(g, a)));
}

XM_FN XM_F XM_NAME(softcap)(XM_F x, XM_F cap)
{
	return XM_NAME(canon)(XM_MUL(cap, XM_NAME(tanh)(XM_DIV(x, cap))));
}

#undef XM_MAGIC
#undef XM_INF
#undef XM_BIND
#undef XM_FN
#undef XM_NAME
#undef XM_F
#undef XM_I
#undef XM_C
#undef XM_IC
#undef XM_ADD
#undef XM_SUB
#undef XM_MUL
#undef XM_DIV
#undef XM_FMA
#undef XM_NEG
#undef XM_ABS
#undef XM_GT
#undef XM_GE
#undef XM_EQ
#undef XM_ISNAN
#undef XM_SEL
#undef XM_BITS
#undef XM_FLOAT
#undef XM_FROM_INT
#undef XM_IADD
#undef XM_ISUB
#undef XM_IAND
#undef XM_ISHL
#undef XM_ISAR
#endif /* XM_BIND */
