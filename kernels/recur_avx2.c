/* recur_avx2.c - recur_simd.h over AVX2, FMA and F16C: 8 lanes. */
#include "kernels/simd_avx2.h"

#ifndef RECUR_SYMBOL /* a test that compiles this file over emulated intrinsics gives another name */
#define RECUR_SYMBOL recurops_avx2
#endif
#include "kernels/recur_simd.h"
