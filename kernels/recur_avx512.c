/* recur_avx512.c - recur_simd.h over AVX-512: 16 lanes. */
#include "kernels/simd_avx512.h"

#ifndef RECUR_SYMBOL /* a test that compiles this file over emulated intrinsics gives another name */
#define RECUR_SYMBOL recurops_avx512
#endif
#include "kernels/recur_simd.h"
