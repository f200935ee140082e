#!/bin/sh
# bench.sh PROGRAM FOLDER [DEVICE] - what a GPU reaches, as FOLDER/<device>-<date>.csv; part of `make bench-gpu` and of the packed folder.
#
# Runs `assay bench` for kernels, prefill and decode of random weights, exact and fast, cheapest first, each line with a time limit and
# all of them within LIMIT seconds (170): what has no time left is named and left out. Rows are written as they come; the
# columns are those of `assay bench` and the driver's version behind. Standard output has the same rows, standard error what
# went wrong. Exit status: 0 all measured, 1 something failed, 2 usage, 77 there is no GPU.
# DEVICE is cuda; another (cpu, for trying the script) takes small shapes.
set -u
[ $# -ge 2 ] && [ $# -le 3 ] || { echo "usage: bench.sh PROGRAM FOLDER [DEVICE]" >&2; exit 2; }
assay=$1
folder=$2
device=${3:-cuda}
LIMIT=${LIMIT:-170}
small=llama-1b
large=llama-8b
case $device in cuda*) ;; *) small=bench-tiny large=bench-tiny ;; esac
[ -x "$assay" ] || { echo "bench.sh: $assay is no program" >&2; exit 2; }
mkdir -p "$folder" || exit 2
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
start=$(date +%s)
failed=0

driver=$(head -1 /proc/driver/nvidia/version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' | head -1)
[ -n "$driver" ] || driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -1)
case $device in cuda*) ;; *) driver= ;; esac

# the first and shortest line says whether there is a device, and its name
"$assay" bench decode --shape bench-tiny --device "$device" >"$tmp/first" 2>"$tmp/err"
if [ $? -ne 0 ]; then
	cat "$tmp/err" >&2
	grep -qE 'there is no (NVIDIA driver|CUDA device)|built without CUDA' "$tmp/err" && exit 77
	exit 1
fi
# "cuda:0 NVIDIA H100 80GB HBM3, 81079 MiB, ..." -> nvidia-h100-80gb-hbm3
name=$(sed -n '2s/.*"\([^"]*\)".*/\1/p' "$tmp/first" | sed 's/^cuda:[0-9]* //; /^cpu/!s/,.*//' | tr 'A-Z' 'a-z' | tr -cs 'a-z0-9\n' - | sed 's/^-*//; s/-*$//')
out=$folder/${name:-device}-$(date +%Y-%m-%d).csv
sed '1s/$/,driver/; 1q' "$tmp/first" | tee "$out"

# line SECONDS WORDS...: rows of one call of `assay bench`
line() {
	limit=$1
	shift
	left=$((LIMIT - ($(date +%s) - start)))
	[ "$limit" -gt "$left" ] && limit=$left
	if [ "$limit" -lt 3 ]; then
		echo "bench.sh: no time is left for: $*" >&2
		failed=1
		return
	fi
	timeout -k 5 "$limit" "$assay" bench "$@" --device "$device" >"$tmp/rows" 2>"$tmp/err"
	status=$?
	sed "1d; s/\$/,$driver/" "$tmp/rows" | tee -a "$out"
	if [ "$status" -ne 0 ]; then
		failed=1
		[ "$status" -eq 124 ] && echo "longer than $limit s" >"$tmp/err"
		echo "bench.sh: $*: $(head -1 "$tmp/err")" >&2
	fi
}

exact="--numerics chain32/1"
fast="--numerics fast"
"$assay" list numerics | grep -q '^fast' || fast=
line 20 decode --shape $small --batch 1,8,64 $exact
line 20 prefill --shape $small $exact
[ -n "$fast" ] && line 20 decode --shape $small --batch 1,8,64 $fast
[ -n "$fast" ] && line 20 prefill --shape $small $fast
line 60 decode --shape $large --batch 1,8,64 $exact
line 60 prefill --shape $large $exact
[ -n "$fast" ] && line 30 decode --shape $large --batch 1,8,64 $fast
[ -n "$fast" ] && line 30 prefill --shape $large $fast
case $device in
cuda*)
	line 60 kernels $exact
	[ -n "$fast" ] && line 60 kernels $fast ;;
esac
echo "bench.sh: $out" >&2
exit $failed
