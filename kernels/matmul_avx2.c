/* matmul_avx2.c - matmul_simd.h over AVX2: 16 registers of 8 lanes, 12 of them accumulators. */
#include "kernels/simd_avx2.h"

#define MR 6
#define ISA_LEVEL CPU_AVX2
#ifndef ISA_SYMBOL /* a test that compiles this file over emulated intrinsics gives another name */
#define ISA_SYMBOL matmul_avx2
#endif
#include "kernels/matmul_simd.h"
