#!/bin/sh
# ptx.sh - the CUDA kernels as nvcc writes them: no approximations, no flushing, no contracted product and sum, no float atomics
# (NUMERICS.md section 6). Needs nvcc, no GPU. The checks are first shown to be able to fail, on planted code.
set -u
nvcc=${NVCC:-nvcc}
if ! command -v "$nvcc" >/dev/null 2>&1; then
	echo "skipped: there is no nvcc"
	exit 77
fi
cd "${srcdir:-.}" || exit 99
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0
exact="-fmad=false -ftz=false -prec-div=true -prec-sqrt=true"
ptx() { "$nvcc" -std=c++17 -O3 "$@" -arch=compute_90 -I. -ptx; } # ptx FLAGS... -o OUT FILE

# dirty FILE: the lines that must not be there
dirty() { grep -nE '\.approx|\.ftz|(atom|red)\.[a-z.:]*\.f(16|32|64)|mad\.f32|ex2\.|lg2\.|rsqrt|(sin|cos|tanh)\.' "$1"; }

cat >"$tmp/planted.cu" <<'C'
extern "C" __global__ void contracted(float *p) { p[0] = p[1] * p[2] + p[3]; }
extern "C" __global__ void approximate(float *p) { p[0] = __expf(p[1]); }
extern "C" __global__ void atomic(float *p) { atomicAdd(p, 1.0f); }
C
ptx $exact -o "$tmp/planted.ptx" "$tmp/planted.cu" || exit 99
dirty "$tmp/planted.ptx" >"$tmp/found"
grep -q 'ex2' "$tmp/found" || { echo "the check does not see an approximation"; bad=1; }
grep -qE 'atom|red' "$tmp/found" || { echo "the check does not see a float atomic"; bad=1; }
grep -q 'fma\.rn\.f32' "$tmp/planted.ptx" && { echo "-fmad=false does not stop contraction"; bad=1; }
ptx -o "$tmp/default.ptx" "$tmp/planted.cu" || exit 99
grep -q 'fma\.rn\.f32' "$tmp/default.ptx" || { echo "the compiler's default contracts nothing: this test proves nothing"; bad=1; }

for f in kernels/*_cuda.cu; do
	ptx $exact -o "$tmp/x.ptx" "$f" || { echo "$f: nvcc fails"; bad=1; continue; }
	if dirty "$tmp/x.ptx" >"$tmp/found"; then
		echo "$f: not exact:"
		head -5 "$tmp/found"
		bad=1
	fi
done
exit $bad
