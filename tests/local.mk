# tests/local.mk - CUnit programs, one per module; `make check` needs no Python, GPU or network.
# A test is a line `TESTPROGS += tests/test_x` here and a file tests/test_x.c (further sources: tests_test_x_SOURCES).
TESTPROGS =
TESTSH = tests/layering.sh tests/docs.sh tests/cli.sh tests/hostile.sh tests/resume.sh
EXTRA_DIST += $(TESTSH)
LDADD = $(ASSAY_LIBS) -lcunit
TEST_EXTENSIONS = .sh
AM_TESTS_ENVIRONMENT = srcdir='$(abs_srcdir)'; builddir='$(abs_builddir)'; ASSAY_ALLOC_GUARD=1; export srcdir builddir ASSAY_ALLOC_GUARD;
# what runs under ThreadSanitizer (threads) and valgrind (memory shaped by files)
TSAN_TESTS = tests/test_pool tests/test_invariance tests/test_matmul
VALGRIND_TESTS = tests/test_json tests/test_safetensors tests/test_suite tests/test_regex
if HAVE_CUNIT
check_PROGRAMS += $(TESTPROGS)
TESTS += $(TESTPROGS) $(TESTSH)
else
TESTS += $(TESTSH)
endif
EXTRA_DIST += tests/test.h

TESTPROGS += tests/test_utf8
TESTPROGS += tests/test_dmath
TESTPROGS += tests/test_safetensors
TESTPROGS += tests/test_config
TESTPROGS += tests/test_model
TESTPROGS += tests/test_families
EXTRA_DIST += tests/machine.h tests/golden/bits.h tests/golden/ropetable.h tests/golden/make_ropetable.py tests/golden/make_models.py \
	tests/golden/make_families.py tests/golden/models tests/golden/families
TESTPROGS += tests/test_matmul
TESTPROGS += tests/test_pyrandom
TESTPROGS += tests/test_suite
TESTPROGS += tests/test_lmeval_prompts
TESTPROGS += tests/test_dataset
TESTPROGS += tests/test_rowops
TESTPROGS += tests/test_exactmath
TESTPROGS += tests/test_simd_emu_avx2
TESTPROGS += tests/test_simd_emu_avx512
TESTPROGS += tests/test_simd_emu_neon
EXTRA_DIST += tests/check_rowops.h tests/simd_emu.h tests/simd_emu_main.h
TESTPROGS += tests/test_pool
TESTPROGS += tests/test_half
TESTPROGS += tests/test_cpu
TESTPROGS += tests/test_task
TESTPROGS += tests/test_tokenizer
TESTPROGS += tests/test_tokenizer_hostile
TESTPROGS += tests/test_regex
TESTPROGS += tests/test_scripted
EXTRA_DIST += tests/golden/pyrandom.vec tests/golden/make_pyrandom.py tests/golden/task.json tests/golden/make_task.py
TESTPROGS += tests/test_filter
TESTPROGS += tests/test_stats
TESTPROGS += tests/test_journal
TESTPROGS += tests/test_results
TESTPROGS += tests/test_ops
TESTPROGS += tests/test_metric
TESTPROGS += tests/test_run
EXTRA_DIST += tests/golden/utf8.txt tests/golden/make_utf8.py tests/golden/tokenizers.json tests/golden/make_tokenizer.py
TESTPROGS += tests/test_value
TESTPROGS += tests/test_json
TESTPROGS += tests/test_jinja
TESTPROGS += tests/test_jinja_hostile
EXTRA_DIST += tests/golden/value.json tests/golden/make_value.py tests/golden/jinja.json tests/golden/make_jinja.py tests/tools/jinja_ref.py \
	tests/tools/jinja_fuzz.py tests/tools/jinja_driver.c
