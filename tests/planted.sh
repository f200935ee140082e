#!/bin/sh
# planted.sh - mistakes planted in the real kernels, one at a time: the tests on the emulator must catch every one.
#
# Each row below copies a kernel file with one text replaced, compiles the copy for the emulator, links it before the objects that
# `make check` has built, and runs one test, which must fail. The same test must pass over an unchanged copy. A text that does not
# occur exactly once is a failure: the kernel was rewritten, so find where the same mistake could be made now (the first words of
# the row say which) and take the new text, up to a whole line and over several lines where one would not be unique.
set -u
src=${srcdir:-.}
build=${builddir:-.}
[ -f "$build/tests/libcudaemu.a" ] && [ -n "${EMU_LIBS:-}" ] || { echo "skipped: the emulated device is not built"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0 caught=0 passed=' '
cd "$build" || exit 99

# replaced FILE TEXT WITH: the file on standard output; fails unless TEXT occurs exactly once
replaced() {
	TEXT=$2 WITH=$3 awk 'BEGIN { RS = "\001"; t = ENVIRON["TEXT"] } {
		at = index($0, t)
		if (!at || index(substr($0, at + 1), t)) exit 1
		printf "%s%s%s", substr($0, 1, at - 1), ENVIRON["WITH"], substr($0, at + length(t))
	}' "$1"
}

# built FILE PROGRAM NAME: compiles $tmp/FILE.cu and links it with the test program as $tmp/NAME
built() {
	$CXX ${EMU_CXXFLAGS:-} -O1 -w -DASSAY_CUDA_EMU -DHAVE_CONFIG_H -I. -I"$src" -x c++ -c "$tmp/$1.cu" -o "$tmp/$1.o" &&
		$CXX ${EMU_CXXFLAGS:-} -Wl,-u,cuda_device_open -o "$tmp/$3" "tests/$2-$2.o" "$tmp/$1.o" tests/libcudaemu.a $EMU_LIBS
}

tried() { ASSAY_TEST_SHORT=$3 timeout 60 "$tmp/$1" "$2" >"$tmp/out" 2>&1; }

plant() { # plant KIND FILE PROGRAM TEST TEXT WITH
	case $2 in attend*) short=1 ;; *) short=0 ;; esac
	case $passed in *" $2/$4 "*) ;; *)
		cp "$src/kernels/$2.cu" "$tmp/$2.cu"
		[ -x "$tmp/whole_$2_$3" ] || built "$2" "$3" "whole_$2_$3"
		tried "whole_$2_$3" "$4" $short || { echo "$2: the test '$4' does not pass without a mistake"; tail -5 "$tmp/out"; bad=1; }
		passed="$passed$2/$4 " ;;
	esac
	replaced "$src/kernels/$2.cu" "$5" "$6" >"$tmp/$2.cu" || { echo "$1: in $2.cu the text is not there exactly once: $5"; bad=1; return; }
	built "$2" "$3" planted || { echo "$1: the planted $2.cu does not compile"; bad=1; return; }
	tried planted "$4" $short
	status=$?
	if [ $status -eq 0 ] || ! grep -qE 'FAILED|ASSAY_SEED=|AddressSanitizer|runtime error: |host: |tests/test_[a-z_]*\.cc:[0-9]+: ' "$tmp/out"; then
		echo "$1: not caught in $2.cu by '$4' (exit $status)"
		bad=1
	else
		caught=$((caught + 1))
		echo "caught: $1 ($2.cu, '$4')"
	fi
}

plant 'missing barrier, a stage overwritten' matmul_cuda test_cuda_matmul 'edges' \
	'__syncthreads(); /* the stage before has been read */' ''
plant 'swapped chunk' matmul_cuda test_cuda_matmul 'tiny values' \
	'total = __fadd_rn(total, *partial(c, i, row, out));' 'total = __fadd_rn(total, *partial(c, chunks - i, row, out));'
plant 'missing NaN canonicalisation' matmul_cuda test_cuda_matmul 'tiny values' \
	'v == v ? v : __uint_as_float(0x7fc00000u)' 'v'
plant 'wrong tie-break' logprob_cuda test_cuda_matmul 'lse: widths' \
	'id[lane + h] < id[lane]' 'id[lane + h] > id[lane]'
plant 'missing barrier before memory is used again' logprob_cuda test_cuda_matmul 'lse: widths' \
	's = 0.0f;
		__syncthreads();' 's = 0.0f;'
plant 'missing barrier at the end of a round' sample_cuda test_cuda_sample 'every kind' \
	'hi = hi - lo > step ? lo + step : hi;
		__syncthreads();' 'hi = hi - lo > step ? lo + step : hi;'
plant 'wrong lane order in the tree' rowops_cuda test_cuda_rowops 'norms' \
	's[lane] = __fadd_rn(s[lane], s[lane + h]);' 's[lane] = __fadd_rn(s[lane], s[2 * h - 1 - lane]);'
plant 'contracted product' rowops_cuda test_cuda_rowops 'rope' \
	'__fmaf_rn(x0, c, -__fmul_rn(x1, s))' '__fmaf_rn(-x1, s, __fmul_rn(x0, c))'
plant 'missing canonical NaN of a sum' rowops_cuda test_cuda_rowops 'activations' \
	'to[i] = xm_canon(__fadd_rn(to[i], from[i]));' 'to[i] = __fadd_rn(to[i], from[i]);'
plant 'off-by-one page' rowops_cuda test_cuda_rowops 'keys and values' \
	'(size_t)(pos / KV_PAGE)]' '(size_t)((pos + 1) / KV_PAGE)]'
plant 'read out of range' rowops_cuda test_cuda_rowops 'embedding' \
	'at_row(x, rows[row]);' 'at_row(x, rows[row] + 64);'
plant 'sums of experts in two roundings' rowops_cuda test_cuda_rowops 'scalings and scatter' \
	'__fmaf_rn(from[i], by, to[i])' '__fadd_rn(__fmul_rn(from[i], by), to[i])'
plant 'equal experts: the later one' route_cuda test_cuda_route 'every form' \
	'(v[j] == v[i] && j < i)' '(v[j] == v[i] && j > i)'
plant 'missing barrier before the chosen are counted' route_cuda test_cuda_route 'every form' \
	'first[0] = i;
	}
	__syncthreads();' 'first[0] = i;
	}'
plant 'missing barrier, tokens overwritten' recur_cuda test_cuda_recur 'conv, ssm' \
	'__syncthreads();
		fetch(' 'fetch('
plant 'another product contracted' recur_cuda test_cuda_recur 'conv, ssm' \
	'__fmaf_rn(key[j], u, __fmul_rn(g, tile[j * step]))' '__fmaf_rn(g, tile[j * step], __fmul_rn(key[j], u))'
plant 'the state of a convolution off by one row' recur_cuda test_cuda_recur 'conv, ssm' \
	'(size_t)(c.width - 1 - (k - back))' '(size_t)(c.width - 2 - (k - back) + (k - back == c.width - 1))'
plant 'off-by-one page in attention' attend_tile_cuda test_cuda_rowops 'attention of many' \
	'+ (size_t)w.tile]' '+ (size_t)w.tile + 1]'
plant 'missing barrier, keys overwritten by values' attend_tile_cuda test_cuda_rowops 'attention of many' \
	'int marks = __syncthreads_or(scores<L, Q>(j, ln, p, q, k, w));' 'int marks = 1 | scores<L, Q>(j, ln, p, q, k, w);'
plant 'a window one key too wide' attend_tile_cuda test_cuda_rowops 'attention' \
	'ln.lo[i] = attend_lo(pos, j.at.window,' 'ln.lo[i] = attend_lo(pos, j.at.window + (j.at.window > 0),'
plant "another head's sink" attend_tile_cuda test_cuda_rowops 'attention' \
	'gain = 0.0f, sink = j.at.sinks ? j.at.sinks[head]' 'gain = 0.0f, sink = j.at.sinks ? j.at.sinks[0]'
plant 'contracted merge of segments' attend_tile_cuda test_cuda_rowops 'denormal' \
	'o[i] = __fadd_rn(__fmul_rn(o[i], rt),' 'o[i] = __fmaf_rn(o[i], rt,'
plant 'forgotten wait' device_cuda test_cuda_rowops 'memory' \
	'cudaError_t r = cudaStreamSynchronize(c->stream);' 'cudaError_t r = cudaSuccess;'
plant 'staging memory reused too early' device_cuda test_cuda_rowops 'memory' \
	'noted(c, "put", cudaEventSynchronize(c->half[c->now].done));' ''
plant 'the first failure overwritten' device_cuda test_cuda_rowops 'a failed operation' \
	'if (r != cudaSuccess && !c->failed.code)' 'if (r != cudaSuccess)'
plant 'an odd k read one too far' fast_cuda test_cuda_fast 'results against' \
	'2 * i + 1 < k)' '2 * i < k)'
plant 'cut instead of rounded' fast_cuda test_cuda_fast 'results against' \
	'return f32_to_bf16(dt == DT_F32 ? ((const float *)src)[i] : f16_to_f32(((const uint16_t *)src)[i]));' \
	'return f32_bits(dt == DT_F32 ? ((const float *)src)[i] : f16_to_f32(((const uint16_t *)src)[i])) >> 16;'
plant 'a self-test that passes all' fastpick_cuda test_cuda_fast 'algorithms that depend' \
	'? wrong == 0 :' '? 1 :'
echo "$caught planted mistakes caught"
exit $bad
