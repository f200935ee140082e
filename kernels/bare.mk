# bare.mk - the kernels and their tests with nothing but a compiler, GNU make and, where it is there, nvcc: for a machine on which
# `configure` would miss libraries (a borrowed GPU machine). No pkg-config, no CUnit (tests/cunit_shim.h), no libcrypto.
#
#     make -f kernels/bare.mk -j          builds into bare/ (another folder: B=DIR)
#     make -f kernels/bare.mk -j check    runs every test; those for a GPU end as skipped where there is none
#     make -f kernels/bare.mk check ONLY="test_half emu/test_cuda_rowops"
#
# CPU tests lie in B, CUDA kernels through the emulator in B/emu, those of them that run on a device too (they include tests/gpu.h)
# in B/gpu. What calls for a model or for another library is left out: base/digest.c (libcrypto) and the tests that include
# runners/. Flags as in configure.ac.
S := $(patsubst %/kernels/bare.mk,%,$(abspath $(lastword $(MAKEFILE_LIST))))
B ?= bare
OPT ?= -O2
KERNEL_OPT ?= -O3
NVCC ?= $(firstword $(shell command -v nvcc) $(wildcard /usr/local/cuda/bin/nvcc))
NVCCFLAGS ?= -O3
# device code a quarter as large; drivers older than CUDA 12.4 cannot read it, and CUDA 13 asks for a newer one anyway
squeeze := $(if $(NVCC),$(if $(shell $(NVCC) --version | grep 'release 1[3-9]'),--compress-mode=size))

machine := $(shell $(CC) -dumpmachine)
isas := $(if $(filter x86_64%,$(machine)),avx2 avx512,$(if $(filter aarch64%,$(machine)),neon))
avx2_flags = -mavx2 -mfma -mf16c
avx512_flags = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mprefer-vector-width=512
neon_flags =

cppflags = -D_GNU_SOURCE -DHAVE_CONFIG_H -DASSAY_NO_CUNIT -DASSAY_SRCDIR='"$(S)"' -I$(S) -I$(B) -MMD -MP
exact = -ffp-contract=off -fno-fast-math -fno-strict-aliasing
cflags = -std=gnu11 $(exact) -fexcess-precision=standard $(OPT) -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers
cxxflags = -std=gnu++17 $(exact) $(OPT) -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Wno-unknown-pragmas
nvflags = -std=c++17 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true -gencode arch=compute_80,code=sm_80 \
	-gencode arch=compute_90,code=[sm_90,compute_90] -Xcompiler -Wall,-Wextra,-ffp-contract=off,-fno-exceptions,-fno-threadsafe-statics
libs = -lpthread -ldl -lrt -lm

# ---- what there is
vector_sources = $(wildcard $(S)/kernels/*_avx2.c $(S)/kernels/*_avx512.c $(S)/kernels/*_neon.c)
sources = $(filter-out $(vector_sources) %/digest.c,$(wildcard $(S)/kernels/*.c $(S)/kernels/base/*.c))
isa_sources = $(foreach i,$(isas),$(wildcard $(S)/kernels/*_$(i).c))
objects = $(patsubst $(S)/%.c,$(B)/o/%.o,$(sources) $(isa_sources))
with_cuda = $(patsubst %/kernels/ops.o,$(B)/o/ops_with_cuda.o,$(objects))
emulated = $(patsubst $(S)/%.cc,$(B)/o/%.o,$(wildcard $(S)/tests/cuda_emu*.cc $(S)/tests/emu_*_cuda.cc $(S)/tests/fake_*.cc))
device = $(patsubst $(S)/%.cu,$(B)/o/%.o,$(wildcard $(S)/kernels/*.cu))

cpu_tests = test_half test_dmath test_exactmath test_cpu test_pool test_ops test_sample test_matmul test_route test_rowops test_recur \
	test_simd_emu_avx2 test_simd_emu_avx512 test_simd_emu_neon
emu_all := $(notdir $(basename $(shell grep -LE '"(runners|harness)/' $(S)/tests/test_cuda_*.cc)))
gpu_all := $(filter $(emu_all),$(notdir $(basename $(shell grep -l '"tests/gpu.h"' $(S)/tests/test_cuda_*.cc))))
tests := $(cpu_tests) $(addprefix emu/,$(emu_all)) $(if $(NVCC),$(addprefix gpu/,$(gpu_all)))
ONLY ?= $(tests)

.PHONY: all check clean gpu cpu
all: $(addprefix $(B)/,$(ONLY))
ifeq ($(NVCC),)
	@echo "there is no nvcc: the CUDA kernels are built for the emulator alone"
endif
gpu: $(addprefix $(B)/gpu/,$(gpu_all))
cpu: $(addprefix $(B)/,$(cpu_tests))

# ---- rules
$(B)/config.h: $(S)/kernels/bare.mk
	@mkdir -p $(@D)
	@for i in $(isas); do echo "#define HAVE_$$i 1" | tr a-z A-Z | sed 's/^#DEFINE/#define/'; done >$@

define isa_rule
$(B)/o/kernels/%_$(1).o: $(S)/kernels/%_$(1).c $(B)/config.h
	@mkdir -p $$(@D)
	$(CC) $$(cppflags) $$(cflags) $(KERNEL_OPT) $$($(1)_flags) $(CFLAGS) -c -o $$@ $$<
endef
$(foreach i,$(isas),$(eval $(call isa_rule,$(i))))

$(B)/o/%.o: $(S)/%.c $(B)/config.h
	@mkdir -p $(@D)
	$(CC) $(cppflags) $(cflags) $(CFLAGS) -c -o $@ $<
$(B)/o/ops_with_cuda.o: $(S)/kernels/ops.c $(B)/config.h
	@mkdir -p $(@D)
	$(CC) $(cppflags) -DHAVE_CUDA $(cflags) $(CFLAGS) -c -o $@ $<
$(B)/o/%.o: $(S)/%.cc $(B)/config.h
	@mkdir -p $(@D)
	$(CXX) $(cppflags) -DASSAY_CUDA_EMU $(cxxflags) $(CXXFLAGS) -c -o $@ $<
$(B)/o/%.o: $(S)/%.cu $(B)/config.h
	@mkdir -p $(@D)
	$(NVCC) $(NVCCFLAGS) $(squeeze) $(nvflags) -DHAVE_CONFIG_H -I$(S) -I$(B) -MMD -MP -c -o $@ $<
$(B)/o/gpu/%.o: $(S)/tests/%.cc $(B)/config.h
	@mkdir -p $(@D)
	$(NVCC) -std=c++17 $(OPT) -D_GNU_SOURCE -DASSAY_NO_CUNIT -DASSAY_SRCDIR='"$(S)"' -I$(S) -I$(B) -MMD -MP \
		-Xcompiler -Wall,-Wextra,-ffp-contract=off,-Wno-unused-parameter,-Wno-missing-field-initializers -c -o $@ $<

$(addprefix $(B)/,$(cpu_tests)): $(B)/%: $(B)/o/tests/%.o $(objects)
	$(CC) -o $@ $^ $(libs)
$(addprefix $(B)/emu/,$(emu_all)): $(B)/emu/%: $(B)/o/tests/%.o $(emulated) $(with_cuda)
	@mkdir -p $(@D)
	$(CXX) -static-libgcc -static-libstdc++ -o $@ $^ $(libs)
$(addprefix $(B)/gpu/,$(gpu_all)): $(B)/gpu/%: $(B)/o/gpu/%.o $(device) $(with_cuda)
	@mkdir -p $(@D)
	$(NVCC) -Xcompiler -static-libgcc,-static-libstdc++ -o $@ $^ $(libs)

# PASS, SKIP (77) or FAIL a program; its output lies beside it
check: all
	@bad=0; for t in $(ONLY); do \
		srcdir=$(S) $(B)/$$t >$(B)/$$t.log 2>&1; rc=$$?; \
		case $$rc in 0) say=PASS;; 77) say=SKIP;; *) say=FAIL; bad=1;; esac; \
		printf '%s: %s%s\n' $$say $$t "$$([ $$rc -eq 0 ] || echo ": exit $$rc: $$(tail -n 1 $(B)/$$t.log)")"; done; exit $$bad

clean:
	rm -rf $(B)

-include $(shell test -d $(B)/o && find $(B)/o -name '*.d')
