#!/bin/sh
# bare.sh - kernels/bare.mk builds and its tests run without configure, pkg-config, CUnit or nvcc: two programs of it, every other rule
# named by a dry run; and the stand-in for CUnit counts failures as CUnit does.
set -u
src=${srcdir:-.}
make=${MAKE:-make}
bad=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL CFLAGS CXXFLAGS

if ! command -v g++ >/dev/null 2>&1 || ! command -v "$make" >/dev/null 2>&1; then
	echo "skipped: there is no g++ or no make"
	exit 77
fi
bare() { "$make" -f "$src/kernels/bare.mk" B="$tmp/b" KERNEL_OPT=-O1 "$@" >"$tmp/out" 2>&1; }
bare -j2 NVCC= ONLY="test_half test_rowops" check || { echo "bare.mk check: exit $?"; tail -20 "$tmp/out"; bad=1; }
for t in test_half test_rowops; do
	grep -q "^PASS: $t\$" "$tmp/out" || { echo "$t did not pass"; bad=1; }
done
grep -qi 'warning' "$tmp/out" && { echo "bare.mk: warnings"; grep -i warning "$tmp/out" | head; bad=1; }
bare -n NVCC=nvcc all || { echo "bare.mk has a target without a rule:"; tail -3 "$tmp/out"; bad=1; }
for t in "$src"/tests/test_cuda_*.cc; do
	name=$(basename "$t" .cc)
	grep -qE '"(runners|harness)/' "$t" && continue
	grep -q -- "-o $tmp/b/emu/$name " "$tmp/out" || { echo "$name is not built for the emulator"; bad=1; }
	! grep -q '"tests/gpu.h"' "$t" || grep -q -- "-o $tmp/b/gpu/$name " "$tmp/out" || { echo "$name is not built for a device"; bad=1; }
done

cat >"$tmp/planted.c" <<'C'
#include "tests/test.h"
static void counted(void) { CU_ASSERT(1); CHECK(0, "said %d", 3); CU_ASSERT_EQUAL(1, 2); }
static void ended(void) { CU_ASSERT_FATAL(0); printf("went on"); }
static void good(void) { CU_PASS("x"); }
int main(int argc, char **argv)
{
	static const struct test tests[] = { { "counted", counted }, { "ended", ended }, { "good", good }, { NULL, NULL } };
	return test_main("planted", tests, argc, argv);
}
C
gcc -std=gnu11 -D_GNU_SOURCE -DASSAY_NO_CUNIT -DASSAY_SRCDIR='"."' -I"$src" -o "$tmp/planted" "$tmp/planted.c" || exit 99
"$tmp/planted" >"$tmp/out"
[ $? -eq 1 ] || { echo "failed assertions do not make the exit status 1"; bad=1; }
"$tmp/planted" good >/dev/null || { echo "the good test alone fails"; bad=1; }
for want in 'said 3FAILED' 'asserts      5      5      2      3' 'tests      3      3      1      2'; do
	grep -q "$want" "$tmp/out" || { echo "no '$want' in:"; cat "$tmp/out"; bad=1; }
done
grep -q 'went on' "$tmp/out" && { echo "a fatal assertion does not end its test"; bad=1; }
exit $bad
