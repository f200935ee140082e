/* emu_attend_tile_cuda.cc - the kernel file itself, compiled for the emulator. */
#ifndef ASSAY_CUDA_EMU
#define ASSAY_CUDA_EMU 1
#endif
#include "kernels/attend_tile_cuda.cu"
