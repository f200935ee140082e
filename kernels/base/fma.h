/* fma.h - the fused multiply-add in single precision, exact on every target.
 *
 * xfmaf(a, b, c) is a*b + c rounded once to nearest even, as IEEE 754-2019 defines it, in the default floating
 * environment. Where the target has the instruction it is the instruction. Elsewhere the product of two floats is exact
 * in double (48 <= 53 bits, exponents far inside the range), the sum with c is rounded to odd by the error term of
 * TwoSum, and the last rounding to float is then the only one that counts (Boldo & Melquiond, "Emulation of FMA and
 * correctly rounded sums: proved algorithms using rounding to odd", 2008: 53 >= 24 + 2 bits suffice).
 * No branches, so that a compiler can run it in vectors. The payload of a NaN is not defined: operations that store
 * results canonicalise it.
 */
#ifndef ASSAY_FMA_H
#define ASSAY_FMA_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "assay's arithmetic is exactly defined: -ffast-math must be off"
#endif
#if FLT_EVAL_METHOD != 0
#error "assay's arithmetic needs float and double evaluated in their own precision (FLT_EVAL_METHOD 0)"
#endif

/* The software path, always compiled so that tests can compare it with the hardware's. */
static inline float xfmaf_soft(float a, float b, float c)
{
	double p = (double)a * (double)b, d = (double)c;
	double s = p + d, t = s - p;
	double err = (p - (s - t)) + (d - t); /* p + d = s + err exactly; NaN when s is not finite */
	int64_t u, up = err > 0, down = err < 0, neg;
	memcpy(&u, &s, sizeof u);
	neg = u < 0;
	/* inexact and even: step to the odd neighbour on the side of the error */
	u += (~u & 1) * (up - down) * (1 - 2 * neg);
	memcpy(&s, &u, sizeof s);
	return (float)s;
}

static inline float xfmaf(float a, float b, float c)
{
#if defined(__FMA__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA) || defined(__FP_FAST_FMAF)
	return __builtin_fmaf(a, b, c);
#else
	return xfmaf_soft(a, b, c);
#endif
}

#endif
