/* matmul_neon.c - matmul_simd.h over Advanced SIMD: 32 registers of 4 lanes, 24 of them accumulators. */
#include "kernels/simd_neon.h"

#define MR 12
#define ISA_LEVEL CPU_NEON
#ifndef ISA_SYMBOL /* a test that compiles this file over emulated intrinsics gives another name */
#define ISA_SYMBOL matmul_neon
#endif
#include "kernels/matmul_simd.h"
