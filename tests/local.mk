# tests/local.mk - CUnit programs, one per module; `make check` needs no Python, GPU or network.
TEST_PROGRAMS =
TEST_SCRIPTS =
TEST_PROGRAMS += tests/test_utf8
TEST_PROGRAMS += tests/test_dmath
