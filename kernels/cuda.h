/* cuda.h - what every .cu file sees: CUDA through nvcc, or the emulator (tests/cuda_emu.h) through g++.
 *
 * The same text is compiled both ways, so three things go through macros:
 *   CU_LAUNCH(kernel, grid, block, shared_bytes, stream, args...)   a launch
 *   CU_SHARED(type, name, count)                                    a block's shared array; starts poisoned in the emulator
 *   CU_SHARED_DYNAMIC(type, name)                                   the launch's dynamic shared memory
 * Everything else is CUDA's own words (__global__, threadIdx, __syncthreads, __shfl_sync, __ballot_sync, atomicAdd on integers,
 * __fmaf_rn, __fadd_rn, __fmul_rn, __fdiv_rn, __fsqrt_rn), which the emulator defines. Not used at all: float atomics, approximations,
 * textures, cooperative groups, warp size other than 32. Kernels are compiled with -fmad=false -ftz=false -prec-div=true -prec-sqrt=true.
 */
#ifndef ASSAY_CUDA_H
#define ASSAY_CUDA_H

#include <stddef.h>
#include <stdint.h>

#ifdef ASSAY_CUDA_EMU
#include "tests/cuda_emu.h"
#else
#include <cuda_runtime.h>
#define CU_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) kernel<<<grid, block, shared_bytes, stream>>>(__VA_ARGS__)
#define CU_SHARED(type, name, count) __shared__ type name[count]
#define CU_SHARED_DYNAMIC(type, name) \
	extern __shared__ __align__(16) unsigned char cu_dynamic_shared_[]; \
	type *name = reinterpret_cast<type *>(cu_dynamic_shared_)
#endif

#endif
