/* matmul_avx512.c - matmul_simd.h over AVX-512: 32 registers of 16 lanes, 24 of them accumulators. */
#include "kernels/simd_avx512.h"

#define MR 12
#define ISA_LEVEL CPU_AVX512
#ifndef ISA_SYMBOL /* a test that compiles this file over emulated intrinsics gives another name */
#define ISA_SYMBOL matmul_avx512
#endif
#include "kernels/matmul_simd.h"
