/* emu_cublaslt_cuda.cc - the file itself, over the tests' own library (fake_cublaslt.h) in place of NVIDIA's. */
#ifndef ASSAY_CUDA_EMU
#define ASSAY_CUDA_EMU 1
#endif
#include <dlfcn.h>

#include "tests/fake_cublaslt.h"

#define dlopen fake_dlopen
#define dlsym fake_dlsym
#define dlclose fake_dlclose
#include "kernels/cublaslt_cuda.cu"
