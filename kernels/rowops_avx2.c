/* rowops_avx2.c - rowops_simd.h over AVX2, FMA and F16C: 8 lanes. */
#include "kernels/simd_avx2.h"

#ifndef ROWOPS_SYMBOL /* a test that compiles this file over emulated intrinsics gives another name */
#define ROWOPS_SYMBOL rowops_avx2
#endif
#include "kernels/rowops_simd.h"
