/* rowops_neon.c - rowops_simd.h over Advanced SIMD of aarch64: 4 lanes. */
#include "kernels/simd_neon.h"

#ifndef ROWOPS_SYMBOL /* a test that compiles this file over emulated intrinsics gives another name */
#define ROWOPS_SYMBOL rowops_neon
#endif
#include "kernels/rowops_simd.h"
