/* emu_ops.c - kernels/ops.c as it is in a build with CUDA: devices by name, "cuda" among them, whatever this build has. */
#ifndef HAVE_CUDA
#define HAVE_CUDA 1
#endif
#include "kernels/ops.c"
