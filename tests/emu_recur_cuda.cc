/* emu_recur_cuda.cc - the kernel file itself, compiled for the emulator. */
#ifndef ASSAY_CUDA_EMU
#define ASSAY_CUDA_EMU 1
#endif
#include "kernels/recur_cuda.cu"
