# tests/local.mk - CUnit programs, one per module; `make check` needs no Python, GPU or network.
# A test is a line `TEST_PROGRAMS += tests/test_x` here and a file tests/test_x.c (further sources: tests_test_x_SOURCES).
TEST_PROGRAMS =
TEST_SCRIPTS = tests/layering.sh tests/docs.sh tests/cli.sh tests/hostile.sh tests/resume.sh
dist_check_SCRIPTS = $(TEST_SCRIPTS)
LDADD = $(ASSAY_LIBS) -lcunit
TEST_EXTENSIONS = .sh
AM_TESTS_ENVIRONMENT = srcdir='$(abs_srcdir)'; builddir='$(abs_builddir)'; ASSAY_ALLOC_GUARD=1; export srcdir builddir ASSAY_ALLOC_GUARD;
# what runs under ThreadSanitizer (threads) and valgrind (memory shaped by files)
TSAN_TESTS = tests/test_pool tests/test_invariance tests/test_matmul
VALGRIND_TESTS = tests/test_json tests/test_safetensors tests/test_suite tests/test_regex
if HAVE_CUNIT
check_PROGRAMS += $(TEST_PROGRAMS)
TESTS += $(TEST_PROGRAMS) $(TEST_SCRIPTS)
else
TESTS += $(TEST_SCRIPTS)
endif
EXTRA_DIST += tests/test.h

TEST_PROGRAMS += tests/test_utf8
TEST_PROGRAMS += tests/test_dmath
TEST_PROGRAMS += tests/test_safetensors
TEST_PROGRAMS += tests/test_config
TEST_PROGRAMS += tests/test_model
TEST_PROGRAMS += tests/test_matmul
TEST_PROGRAMS += tests/test_pyrandom
TEST_PROGRAMS += tests/test_suite
TEST_PROGRAMS += tests/test_lmeval_prompts
TEST_PROGRAMS += tests/test_dataset
