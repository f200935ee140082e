/* recur_neon.c - recur_simd.h over Advanced SIMD of aarch64: 4 lanes. */
#include "kernels/simd_neon.h"

#ifndef RECUR_SYMBOL /* a test that compiles this file over emulated intrinsics gives another name */
#define RECUR_SYMBOL recurops_neon
#endif
#include "kernels/recur_simd.h"
