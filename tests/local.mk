# tests/local.mk - CUnit programs, one per module; `make check` needs no Python, GPU or network.
# A test is a line `TESTPROGS += tests/test_x` here and a file tests/test_x.c (further sources: tests_test_x_SOURCES).
TESTPROGS =
TESTSH = tests/layering.sh tests/bare.sh tests/docs.sh tests/ptx.sh tests/cli.sh tests/hostile.sh tests/resume.sh tests/fast.sh
TESTSH += tests/cuda_run.sh tests/planted.sh
EXTRA_DIST += $(TESTSH)
EXTRA_DIST += tests/gpu/bench.sh
LDADD = $(ASSAY_LIBS) -lcunit
TEST_EXTENSIONS = .sh
AM_TESTS_ENVIRONMENT = srcdir='$(abs_srcdir)'; builddir='$(abs_builddir)'; ASSAY_ALLOC_GUARD=1; NVCC='$(NVCC)'; export srcdir builddir ASSAY_ALLOC_GUARD NVCC; \
	CXX='$(CXX)' EMU_CXXFLAGS='$(AM_CXXFLAGS) $(CXXFLAGS)' EMU_LIBS='$(LDADD) $(LIBS)'; export CXX EMU_CXXFLAGS EMU_LIBS;
# what runs under ThreadSanitizer (threads) and valgrind (memory shaped by files)
TSAN_TESTS = tests/test_pool tests/test_ops tests/test_recur tests/test_sample tests/test_invariance tests/test_jinja tests/test_stats
VALGRIND_TESTS = tests/test_json tests/test_safetensors tests/test_config tests/test_suite tests/test_tokenizer_hostile tests/test_encode
EXTRA_DIST += tests/test.h tests/tokens.h tests/cunit_shim.h tests/gpu.h tests/gpu_pair.h tests/sample_rows.h tests/machine.h tests/checkpoint.h tests/families.h tests/family_cases.h tests/check_rowops.h tests/check_recur.h tests/recur_case.h tests/requests.h tests/simd_emu.h tests/simd_emu_main.h tests/golden tests/tools

include tests/fuzz.mk

TESTPROGS += tests/test_chat
TESTPROGS += tests/test_config
TESTPROGS += tests/test_cpu
TESTPROGS += tests/test_dataset
TESTPROGS += tests/test_dmath
TESTPROGS += tests/test_encode
TESTPROGS += tests/test_exactmath
TESTPROGS += tests/test_families
TESTPROGS += tests/test_filter
TESTPROGS += tests/test_generate
TESTPROGS += tests/test_half
TESTPROGS += tests/test_invariance
TESTPROGS += tests/test_jinja
TESTPROGS += tests/test_jinja_hostile
TESTPROGS += tests/test_journal
TESTPROGS += tests/test_json
TESTPROGS += tests/test_lmeval_prompts
TESTPROGS += tests/test_lmeval_scores
TESTPROGS += tests/test_matmul
TESTPROGS += tests/test_metric
TESTPROGS += tests/test_model
TESTPROGS += tests/test_expand
TESTPROGS += tests/test_ops
TESTPROGS += tests/test_plan
TESTPROGS += tests/test_pool
TESTPROGS += tests/test_pyrandom
TESTPROGS += tests/test_recur
TESTPROGS += tests/test_regex
TESTPROGS += tests/test_replay
TESTPROGS += tests/test_results
TESTPROGS += tests/test_route
TESTPROGS += tests/test_moe
TESTPROGS += tests/test_mla
TESTPROGS += tests/test_rowops
TESTPROGS += tests/test_run
TESTPROGS += tests/test_safetensors
TESTPROGS += tests/test_sample
TESTPROGS += tests/test_scripted
TESTPROGS += tests/test_shapes
TESTPROGS += tests/test_simd_emu_avx2
# sixteen emulated lanes times a 12x2 tile, instrumented, is minutes of compiling and proves nothing that the others do not
if !SANITIZED
TESTPROGS += tests/test_simd_emu_avx512
endif
TESTPROGS += tests/test_simd_emu_neon
TESTPROGS += tests/test_stats
TESTPROGS += tests/test_suite
TESTPROGS += tests/test_task
TESTPROGS += tests/test_tokenizer
TESTPROGS += tests/test_tokenizer_files
TESTPROGS += tests/test_tokenizer_hostile
TESTPROGS += tests/test_tok_patterns
TESTPROGS += tests/test_tok_scan
TESTPROGS += tests/test_utf8
TESTPROGS += tests/test_value

# CUDA without a GPU: the very same .cu files compiled by g++ over the emulator, against the scalar twins
CUEMU = tests/cuda_emu.h tests/cuda_emu_mem.h tests/cuda_emu_rt.h tests/cuda_emu_switch.h
EXTRA_DIST += $(CUEMU)
if HAVE_CXX
check_LIBRARIES += tests/libcudaemu.a
tests_libcudaemu_a_SOURCES = tests/cuda_emu.cc tests/cuda_emu_rt.cc tests/emu_matmul_cuda.cc tests/emu_logprob_cuda.cc \
	tests/emu_rowops_cuda.cc tests/emu_route_cuda.cc tests/emu_recur_cuda.cc tests/emu_attend_cuda.cc tests/emu_attend_tile_cuda.cc tests/emu_noise_cuda.cc tests/emu_sample_cuda.cc tests/emu_bench_cuda.cc tests/emu_device_cuda.cc
tests_libcudaemu_a_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_libcudaemu_a_CXXFLAGS = $(AM_CXXFLAGS) -O2
# the engine, and the whole program, over the emulated device
tests_libcudaemu_a_SOURCES += tests/emu_ops.c
TESTPROGS += tests/test_cuda_run
tests_test_cuda_run_SOURCES = tests/test_cuda_run.c
nodist_EXTRA_tests_test_cuda_run_SOURCES = cxx.cc
tests_test_cuda_run_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_test_cuda_run_LDFLAGS = -Wl,-u,cuda_device_open -Wl,-u,device_open
tests_test_cuda_run_LDADD = tests/libcudaemu.a $(LDADD)
# a tiny model of every family over it: a selection in `make check`, all by `make check-cuda-families` (some minutes)
TESTPROGS += tests/test_cuda_families
tests_test_cuda_families_SOURCES = tests/test_cuda_families.c
nodist_EXTRA_tests_test_cuda_families_SOURCES = cxx.cc
tests_test_cuda_families_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_test_cuda_families_LDFLAGS = -Wl,-u,cuda_device_open -Wl,-u,device_open
tests_test_cuda_families_LDADD = tests/libcudaemu.a $(LDADD)
check_PROGRAMS += tests/assay_emu
tests_assay_emu_SOURCES = tests/assay_emu.cc $(assay_SOURCES)
tests_assay_emu_LDFLAGS = -Wl,-u,cuda_device_open -Wl,-u,device_open -Wl,--wrap=main
tests_assay_emu_LDADD = tests/libcudaemu.a $(ASSAY_LIBS)
# numerics fast, over a cublasLt of the tests' own
tests_libcudaemu_a_SOURCES += tests/emu_cublaslt_cuda.cc tests/emu_fastlt_cuda.cc tests/emu_fastpick_cuda.cc tests/emu_fast_cuda.cc tests/fake_cublaslt.cc
EXTRA_DIST += tests/fake_cublaslt.h
# the emulated device comes first in the link, so whatever calls cuda_device_open takes it and none of the kernels that nvcc compiled
TESTPROGS += tests/test_cuda_emu tests/test_cuda_matmul tests/test_cuda_rowops tests/test_cuda_route tests/test_cuda_recur tests/test_cuda_noise \
	tests/test_cuda_sample tests/test_cuda_bench tests/test_cuda_passes tests/test_cuda_fast
tests_test_cuda_emu_SOURCES = tests/test_cuda_emu.cc
tests_test_cuda_matmul_SOURCES = tests/test_cuda_matmul.cc
tests_test_cuda_rowops_SOURCES = tests/test_cuda_rowops.cc
tests_test_cuda_route_SOURCES = tests/test_cuda_route.cc
tests_test_cuda_recur_SOURCES = tests/test_cuda_recur.cc
tests_test_cuda_noise_SOURCES = tests/test_cuda_noise.cc
tests_test_cuda_sample_SOURCES = tests/test_cuda_sample.cc
tests_test_cuda_bench_SOURCES = tests/test_cuda_bench.cc
tests_test_cuda_passes_SOURCES = tests/test_cuda_passes.cc
tests_test_cuda_fast_SOURCES = tests/test_cuda_fast.cc tests/cublaslt_abi.cc
tests_test_cuda_emu_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_test_cuda_matmul_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_test_cuda_rowops_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_test_cuda_route_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_test_cuda_recur_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_test_cuda_noise_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_test_cuda_sample_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_test_cuda_bench_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_test_cuda_passes_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU
tests_test_cuda_fast_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_CUDA_EMU $(CUDA_CPPFLAGS)
tests_test_cuda_emu_LDADD = tests/libcudaemu.a $(LDADD)
tests_test_cuda_matmul_LDADD = tests/libcudaemu.a $(LDADD)
tests_test_cuda_rowops_LDADD = tests/libcudaemu.a $(LDADD)
tests_test_cuda_route_LDADD = tests/libcudaemu.a $(LDADD)
tests_test_cuda_recur_LDADD = tests/libcudaemu.a $(LDADD)
tests_test_cuda_noise_LDADD = tests/libcudaemu.a $(LDADD)
tests_test_cuda_sample_LDADD = tests/libcudaemu.a $(LDADD)
tests_test_cuda_bench_LDADD = tests/libcudaemu.a $(LDADD)
tests_test_cuda_passes_LDADD = tests/libcudaemu.a $(LDADD)
tests_test_cuda_fast_LDADD = tests/libcudaemu.a $(LDADD)
endif

# What Python leaves behind is no part of the release.
dist-hook:
	find $(distdir) -name __pycache__ -exec rm -rf {} +

# Every reference model against float64, and the same bits every way of running it; needs python3 with numpy, and the oracle.
.PHONY: check-models
check-models: assay$(EXEEXT)
	python3 $(srcdir)/tests/tools/models_oracle.py --assay ./assay --oracle "$${ASSAY_ORACLE:-$(srcdir)/../shared/oracle}/models" --invariance

# A tiny model of every family over the emulated CUDA device.
.PHONY: check-cuda-families
check-cuda-families: tests/test_cuda_families$(EXEEXT)
	ASSAY_FAMILIES=all srcdir='$(abs_srcdir)' ./tests/test_cuda_families 'models'

if HAVE_CUNIT
check_PROGRAMS += $(TESTPROGS)
TESTS += $(TESTPROGS) $(TESTSH)
else
TESTS += $(TESTSH)
endif
