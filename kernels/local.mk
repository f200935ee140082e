# kernels/local.mk - one archive per instruction set: flags cannot leak into other files.
noinst_LIBRARIES += %D%/libkernels.a
%C%_libkernels_a_SOURCES = \
	%D%/base/arena.c %D%/base/arena.h %D%/base/bench.c %D%/base/bench.h %D%/base/cpu.c %D%/base/cpu.h %D%/base/digest.c %D%/base/digest.h \
	%D%/base/dmath.c %D%/base/dmath.h %D%/base/err.c %D%/base/err.h %D%/base/file.c %D%/base/file.h %D%/base/fma.h %D%/base/half.h %D%/base/log.c %D%/base/log.h \
	%D%/base/pool.c %D%/base/pool.h %D%/base/str.h \
	%D%/ops.h %D%/ops.c %D%/ops_cpu.c %D%/exactmath.h %D%/device.h %D%/isa.h %D%/rowops.h %D%/rowops.c %D%/simd.h \
	%D%/matmul.c %D%/matmul_simd.h %D%/norm.c %D%/rope.c %D%/act.c %D%/route.c %D%/attend.c %D%/attend.h %D%/logprob.c %D%/embed.c \
	%D%/rowops_simd.h %D%/attend_simd.h %D%/simd_avx2.h %D%/simd_avx512.h %D%/simd_neon.h \
	%D%/noise.c %D%/noise.h %D%/sample.c %D%/sample.h %D%/selfcheck.c %D%/selfcheck.h %D%/bench.c %D%/bench.h %D%/limits.c
%C%_libkernels_a_SOURCES += %D%/ops_recur.c %D%/recur.c %D%/recur.h %D%/recur_simd.h
%C%_libkernels_a_LIBADD =

if HAVE_AVX2
noinst_LIBRARIES += %D%/libkernels_avx2.a
%C%_libkernels_avx2_a_SOURCES = %D%/matmul_avx2.c %D%/rowops_avx2.c %D%/recur_avx2.c
%C%_libkernels_avx2_a_CFLAGS = $(AM_CFLAGS) $(AVX2_CFLAGS) -O3
ASSAY_LIBS += %D%/libkernels_avx2.a
endif
if HAVE_AVX512
noinst_LIBRARIES += %D%/libkernels_avx512.a
%C%_libkernels_avx512_a_SOURCES = %D%/matmul_avx512.c %D%/rowops_avx512.c %D%/recur_avx512.c
%C%_libkernels_avx512_a_CFLAGS = $(AM_CFLAGS) $(AVX512_CFLAGS) -O3
ASSAY_LIBS += %D%/libkernels_avx512.a
endif
if HAVE_NEON
noinst_LIBRARIES += %D%/libkernels_neon.a
%C%_libkernels_neon_a_SOURCES = %D%/matmul_neon.c %D%/rowops_neon.c %D%/recur_neon.c
%C%_libkernels_neon_a_CFLAGS = $(AM_CFLAGS) -O3
ASSAY_LIBS += %D%/libkernels_neon.a
else
EXTRA_DIST += %D%/matmul_neon.c %D%/rowops_neon.c %D%/recur_neon.c
endif
CUFILES = %D%/matmul_cuda.cu %D%/logprob_cuda.cu %D%/rowops_cuda.cu %D%/route_cuda.cu %D%/recur_cuda.cu %D%/attend_cuda.cu %D%/attend_tile_cuda.cu %D%/noise_cuda.cu %D%/sample_cuda.cu %D%/bench_cuda.cu %D%/device_cuda.cu
CUHEADS = %D%/cuda.h %D%/cuda_ops.h %D%/attend.h %D%/attend_cuda.h %D%/ops.h %D%/exactmath.h %D%/noise.h %D%/sample.h %D%/bench.h %D%/base/bench.h
EXTRA_DIST += %D%/bare.mk $(CUFILES) %D%/cuda.h %D%/cuda_ops.h %D%/attend_cuda.h
# linear layers on tensor cores, through cublasLt
FASTCU = %D%/cublaslt_cuda.cu %D%/fastlt_cuda.cu %D%/fastpick_cuda.cu %D%/fast_cuda.cu
FASTHEADS = %D%/cublaslt.h %D%/fast.h
%C%_libkernels_a_SOURCES += %D%/fastcache.c $(FASTHEADS)
EXTRA_DIST += $(FASTCU)
if HAVE_CUDA
noinst_LIBRARIES += %D%/libkernels_cuda.a
%C%_libkernels_cuda_a_SOURCES = %D%/matmul_cuda.cu %D%/logprob_cuda.cu %D%/rowops_cuda.cu %D%/route_cuda.cu %D%/recur_cuda.cu %D%/attend_cuda.cu %D%/attend_tile_cuda.cu %D%/noise_cuda.cu %D%/sample_cuda.cu %D%/bench_cuda.cu %D%/device_cuda.cu
%C%_libkernels_cuda_a_SOURCES += %D%/cublaslt_cuda.cu %D%/fastlt_cuda.cu %D%/fastpick_cuda.cu %D%/fast_cuda.cu
# automake follows no headers of .cu files: name them
$(%C%_libkernels_cuda_a_OBJECTS): $(CUHEADS) $(FASTHEADS)
ASSAY_LIBS += %D%/libkernels_cuda.a
endif
# the archives refer to each other: the base once more behind
ASSAY_LIBS += %D%/libkernels.a
ASSAY_LIBS += $(CUDA_LIBS)
