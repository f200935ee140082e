#!/bin/sh
# run.sh - everything that only a GPU can prove, cheapest and most telling first; part of `make check-gpu` and of the folder that
# `make gpu-kit` packs.
#
#     run.sh [-c] OUTDIR      -c: stop where there is no GPU, and measure nothing (make check-gpu)
#
# Each step has its own time limit, all of them together ten minutes; a failure does not end the others. OUTDIR gets at most eight
# files: summary.txt (the table), steps.csv, log.txt, machine.txt, bench.csv, leaderboard-{cpu,cuda,fast}.csv.
# Exit status: 0 all passed, 1 something failed, 77 nothing failed but there is no GPU.
# ASSAY, TESTS and SOURCE say where the program, the tests and the sources' data lie; in the packed folder they lie beside this file.
set -u
here=$(cd "$(dirname "$0")" && pwd)
ASSAY=${ASSAY:-$here/assay}
TESTS=${TESTS:-$here/tests}
SOURCE=${SOURCE:-$here}
BUDGET=${BUDGET:-590}
check=
[ "${1:-}" = -c ] && { check=1; shift; }
[ $# -eq 1 ] || { echo "usage: run.sh [-c] OUTDIR" >&2; exit 2; }
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd)
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
srcdir=$SOURCE
PATH=$PATH:/usr/local/cuda/bin
export srcdir PATH
# nothing of an earlier day: neither compiled kernels nor the choices of numerics fast
export CUDA_CACHE_PATH="$tmp/cache" XDG_CACHE_HOME="$tmp/cache"
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/cuda/lib64"
start=$(date +%s)
failed=0
gpu=77
absent='there is no (NVIDIA driver|CUDA device)'
rm -f "$out/summary.txt" "$out/steps.csv" "$out/log.txt" "$out/bench.csv" "$out"/leaderboard-*.csv
: >"$out/log.txt"
echo 'step,status,seconds,note' >"$out/steps.csv"

# row STATUS SECONDS NOTE NAME
row() {
	printf '%-4s %5ss  %-52s %s\n' "$1" "$2" "$4" "$3" | tee -a "$out/summary.txt"
	printf '"%s",%s,%s,"%s"\n' "$4" "$1" "$2" "$(printf %s "$3" | tr '"' "'")" >>"$out/steps.csv"
}

# step LIMIT NAME COMMAND...: runs it for LIMIT seconds at most (0: a function of this script, without a limit); 77 is a skip.
# Leaves the status in $status, the output in $tmp/out.
step() {
	limit=$1
	own=$1
	name=$2
	shift 2
	t0=$(date +%s)
	left=$((BUDGET - (t0 - start)))
	[ "$own" -eq 0 ] && limit=9
	[ "$limit" -gt "$left" ] && limit=$left
	if [ "$limit" -lt 2 ]; then
		status=77
		row SKIP 0 "no time is left" "$name"
		return
	fi
	if [ "$own" -eq 0 ]; then
		"$@" >"$tmp/out" 2>&1
	else
		timeout -k 5 "$limit" "$@" >"$tmp/out" 2>&1
	fi
	status=$?
	# the program itself has no status for it: on a machine without a GPU its sentence is a skip
	[ "$status" -ne 0 ] && [ "$gpu" -eq 77 ] && grep -qE "$absent" "$tmp/out" && status=77
	took=$(($(date +%s) - t0))
	{
		printf '\n=== %s (exit %s, %s s): %s\n' "$name" "$status" "$took" "$*"
		head -c 600000 "$tmp/out"
		echo
	} >>"$out/log.txt"
	note=$(grep -m 1 -oE "$absent.*" "$tmp/out" || grep -v '^[[:space:]]*$' "$tmp/out" | tail -n 1)
	note=$(printf %s "$note" | cut -c 1-110)
	case $status in
	0) row PASS "$took" "" "$name" ;;
	77) row SKIP "$took" "$note" "$name" ;;
	124 | 137)
		failed=1
		row FAIL "$took" "longer than $limit s" "$name" ;;
	*)
		failed=1
		why=$(grep -m 1 -E '^ *[A-Za-z_/.0-9-]+:[0-9]+: |ERROR SUMMARY: [1-9]|error' "$tmp/out" | sed 's/^ *//' | cut -c 1-110)
		row FAIL "$took" "exit $status: ${why:-$note}" "$name" ;;
	esac
}

# end STATUS: the last line of the table
end() {
	echo "$2" | tee -a "$out/summary.txt"
	exit "$1"
}

{
	date -u
	uname -a
	getconf GNU_LIBC_VERSION
	"$ASSAY" --version
	nvidia-smi -L
	nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit,compute_cap,ecc.mode.current,mig.mode.current --format=csv
	cat /proc/driver/nvidia/version
	nvcc --version
	compute-sanitizer --version
	"$ASSAY" list devices
} >"$out/machine.txt" 2>&1

# ---- is there one?
step 60 "the device opens" "$TESTS/gpu/test_cuda_rowops" "opening a device"
gpu=$status
if [ "$gpu" -eq 77 ] && [ -n "$check" ]; then
	end 77 "no GPU was checked: $note"
fi

# ---- every operation and shape against the scalar definitions
for t in rowops matmul sample noise fast; do
	[ -x "$TESTS/gpu/test_cuda_$t" ] && step 120 "operations: $t" "$TESTS/gpu/test_cuda_$t"
done
for t in "$TESTS"/gpu/test_cuda_*; do
	case $t in *.log | *_rowops | *_matmul | *_sample | *_noise | *_fast | *_run) continue ;; esac
	step 120 "operations: ${t##*/test_cuda_}" "$t"
done

# ---- two models: committed hashes, then every request; then the families
if [ -x "$TESTS/gpu/test_cuda_run" ]; then
	step 60 "models: committed hashes" "$TESTS/gpu/test_cuda_run" "committed hashes"
	step 150 "models: every request, any batch" "$TESTS/gpu/test_cuda_run"
	# tiny ones, made from tests/golden/families: experts, latent attention, states
	step 60 "families: one of each kind of block" env ASSAY_FAMILIES=some "$TESTS/gpu/test_cuda_run" families
	step 150 "families: all, committed hashes" env ASSAY_FAMILIES=all "$TESTS/gpu/test_cuda_run" families
fi

# ---- whole runs: the CPU's bytes
common="--model stories260k babyllama105 --suite tiny-cloze mmlu_excerpt gsm8k_excerpt --limit 20 --max-tokens 32 --quiet"
# same A B: the leaderboard and every file of every run, but what the machine was like
same() {
	(cd "$1" && find . -type f ! -name 'journal.db*' ! -name environment.json | sort) >"$tmp/a"
	(cd "$2" && find . -type f ! -name 'journal.db*' ! -name environment.json | sort) >"$tmp/b"
	cmp "$tmp/a" "$tmp/b" || return 1
	while read -r f; do
		cmp "$1/$f" "$2/$f" || return 1
	done <"$tmp/a"
	[ -s "$1/leaderboard.csv" ] && [ "$(wc -l <"$tmp/a")" -gt 12 ]
}
# whole DIR OPTIONS...: one run; its leaderboard is kept
whole() {
	dir=$1
	name=$2
	shift 2
	step 100 "$name" "$ASSAY" run --out "$tmp/$dir" $common "$@"
	cp "$tmp/$dir/leaderboard.csv" "$out/leaderboard-$dir.csv" 2>/dev/null
}
whole cpu "assay run on the CPU" --device cpu
whole cuda "assay run on the GPU, chain32/1" --device cuda --numerics chain32/1
[ "$status" -eq 0 ] && step 0 "the GPU's files are the CPU's" same "$tmp/cpu" "$tmp/cuda"
fast=
"$ASSAY" list numerics 2>/dev/null | grep -q '^fast' && fast=1
if [ -n "$fast" ]; then
	whole fast "assay run on the GPU, fast" --device cuda --numerics fast
	if [ "$status" -eq 0 ]; then
		step 100 "fast, three tokens a pass" "$ASSAY" run --out "$tmp/fast3" $common --device cuda --numerics fast --batch 3
		[ "$status" -eq 0 ] && step 0 "fast: the same files at any batch" same "$tmp/fast" "$tmp/fast3"
	fi
fi

# ---- this machine's CPU, for what the GPU was compared with
if [ -z "$check" ]; then
	step 60 "assay doctor" "$ASSAY" doctor
	for t in "$TESTS"/test_*; do
		case $t in *.log | *'*') continue ;; esac
		[ -x "$t" ] && step 60 "CPU: ${t##*/}" "$t"
	done
fi

# ---- figures: rows are kept as they come
if [ -z "$check" ]; then
	step 200 "figures" sh "$here/bench.sh" "$ASSAY" "$tmp/bench" ${BENCH_DEVICE:-cuda}
	cat "$tmp/bench"/*.csv >"$out/bench.csv" 2>/dev/null || rm -f "$out/bench.csv"
fi

# ---- accesses and races, on few cases: each takes a hundred times as long
ASSAY_TEST_SHORT=1
export ASSAY_TEST_SHORT
if command -v compute-sanitizer >/dev/null 2>&1; then
	for tool in memcheck racecheck; do
		for t in rowops matmul sample fast; do
			[ -x "$TESTS/gpu/test_cuda_$t" ] || continue
			step 90 "$tool: $t" compute-sanitizer --tool $tool --error-exitcode 9 --report-api-errors no "$TESTS/gpu/test_cuda_$t"
		done
	done
	[ -x "$TESTS/gpu/test_cuda_run" ] && ASSAY_FAMILIES=some && export ASSAY_FAMILIES &&
		step 90 "memcheck: families" compute-sanitizer --tool memcheck --error-exitcode 9 --report-api-errors no "$TESTS/gpu/test_cuda_run" families
else
	row SKIP 0 "compute-sanitizer is not there" "memcheck and racecheck"
fi

[ "$failed" -ne 0 ] && end 1 "FAILED: log.txt says more"
[ "$gpu" -eq 77 ] && end 77 "nothing failed, but no GPU was checked"
end 0 "all passed"
