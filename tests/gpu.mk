# tests/gpu.mk - `make check-gpu`: what only a GPU can prove. `make gpu-kit`: the same for a machine that has a GPU and little else.
# The tests of the operations come from kernels/bare.mk, which needs no library; that of the engine is linked here.
EXTRA_DIST += tests/gpu.mk tests/gpu/run.sh tests/gpu/kit.sh
BARE = $(MAKE) -f $(srcdir)/kernels/bare.mk B=gpu.build CC="$(CC)" CXX="$(CXX)" NVCC="$(NVCC)"

.PHONY: check-gpu gpu-kit gpu-tests
if HAVE_CUDA
# the whole engine, which calls for more than the kernels: one program, since the libraries in it are large
EXTRA_PROGRAMS += tests/gpu/test_cuda_run
tests_gpu_test_cuda_run_SOURCES = tests/test_cuda_run.c tests/test_cuda_families.c
tests_gpu_test_cuda_run_CPPFLAGS = $(AM_CPPFLAGS) -DASSAY_NO_CUNIT -DASSAY_GPU_ENGINE
tests_gpu_test_cuda_run_LDADD = $(ASSAY_LIBS)

check-gpu: assay$(EXEEXT) gpu-tests tests/gpu/test_cuda_run$(EXEEXT)
	@cp tests/gpu/test_cuda_run$(EXEEXT) gpu.build/gpu
	@ASSAY=./assay TESTS=gpu.build SOURCE='$(abs_srcdir)' $(SHELL) $(srcdir)/tests/gpu/run.sh -c check-gpu.out

gpu-tests:
	+@$(BARE) gpu

gpu-kit: assay$(EXEEXT) gpu-tests tests/gpu/test_cuda_run$(EXEEXT)
	+@$(BARE) cpu
	@CC='$(CC)' OBJECTS='$(assay_OBJECTS)' RUN_OBJECTS='$(tests_gpu_test_cuda_run_OBJECTS)' ARCHIVES='$(ASSAY_LIBS)' $(SHELL) $(srcdir)/tests/gpu/kit.sh '$(abs_srcdir)' gpu.build gpu-kit
else
check-gpu gpu-kit:
	@echo "$@: this build has no CUDA kernels (configure --with-cuda says why)"; exit 77
endif
