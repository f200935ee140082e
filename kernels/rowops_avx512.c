/* rowops_avx512.c - rowops_simd.h over AVX-512: 16 lanes. */
#include "kernels/simd_avx512.h"

#ifndef ROWOPS_SYMBOL /* a test that compiles this file over emulated intrinsics gives another name */
#define ROWOPS_SYMBOL rowops_avx512
#endif
#include "kernels/rowops_simd.h"
