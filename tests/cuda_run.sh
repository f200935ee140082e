#!/bin/sh
# cuda_run.sh - the whole program over the emulated device (tests/assay_emu.cc): the CPU's bytes, and every way in which a device
# can fail: one sentence, the documented exit status, nothing half-written, what was answered kept.
set -u
assay=${builddir:-.}/assay
emu=${builddir:-.}/tests/assay_emu
[ -x "$emu" ] || { echo "skipped: no C++ compiler, so no emulated device"; exit 77; }
bad=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 99
fail() { echo "$*"; bad=1; }

# what must be equal: everything but the journal (a database) and what the machine was like
digest() {
	(cd "$1" && find . -type f ! -name 'journal.db*' ! -name environment.json | sort | xargs sha256sum) | sha256sum | cut -d' ' -f1
}
run() { # run PROGRAM OUT OPTIONS...: its exit status in $status, its sentence in the file stderr
	program=$1
	out=$2
	shift 2
	"$program" run --out "$out" --model stories260k --suite tiny-cloze gsm8k_excerpt --limit 2 --max-tokens 4 --quiet --json "$@" >stdout 2>stderr
	status=$?
}
field() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" stdout | tail -n 1; }

run "$assay" cpu
[ $status -eq 0 ] || { cat stderr; exit 1; }
want=$(digest cpu)
all=$(field computed)

ASSAY_EMU_LOG=log run "$emu" gpu --device cuda
[ $status -eq 0 ] || { fail "on the emulated device: exit $status"; cat stderr; }
[ "$(digest gpu)" = "$want" ] || { fail "other bytes on the emulated device"; diff -r cpu gpu | head -5; }
grep -q '"device":.*"cuda:0' gpu/runs/*/environment.json || fail "environment.json does not name the device"
launches=$(cut -d' ' -f1 log)
echo "$launches launches in $(cut -d' ' -f2 log) s"

# a device that is not there or cannot do it: VARIABLE=VALUE, --device, exit status, words of the sentence
while IFS='|' read -r set device code words; do
	rm -rf out
	(export "$set" && run "$emu" out --device "$device" && echo $status >status)
	status=$(cat status)
	[ "$status" -eq "$code" ] || fail "$set $device: exit $status instead of $code"
	[ "$(wc -l <stderr)" -eq 1 ] || { fail "$set $device: not one sentence"; cat stderr; }
	grep -qF "$words" stderr || { fail "$set $device: no '$words' in"; cat stderr; }
	find out -name '*.tmp*' -o -name leaderboard.csv -o -name '*.jsonl' -o -name manifest.json 2>/dev/null | grep . && fail "$set $device: files of a run that failed"
done <<EOF
ASSAY_EMU_DEVICES=0|cuda|1|there is no CUDA device on this machine
ASSAY_EMU_DEVICES=-1|cuda|1|the NVIDIA driver is too old
ASSAY_EMU_DEVICES=-2|cuda|1|there is no NVIDIA driver on this machine
ASSAY_EMU_DEVICES=2|cuda:2|1|there is no device cuda:2, this machine has 2
ASSAY_EMU_DEVICES=1|cuda:x|2|behind 'cuda:' comes the number of a device
ASSAY_EMU_DEVICES=1|cudo|2|did you mean 'cuda'
ASSAY_EMU_FAIL=cudaStreamCreate:1:999|cuda|1|cuda:0 cannot be used: unknown error
ASSAY_EMU_FAIL=cudaMallocHost:2:2|cuda|1|cuda:0 cannot be used: out of memory
ASSAY_EMU_MEMORY=9000000|cuda|1|does not fit: packed weights of 1.1 MiB
ASSAY_EMU_MEMORY=9400000|cuda|1|does not fit: packed weights of 1.1 MiB
ASSAY_EMU_MEMORY=9600000|cuda|1|does not fit: packed weights of 1.1 MiB
ASSAY_EMU_FAIL=cudaMemcpyAsync:3:1|cuda|1|cuda:0: put: invalid argument
ASSAY_EMU_LOSE=0:700|cuda|1|cuda:0 is lost: an illegal memory access was encountered
EOF

# lost in the middle: what was answered is kept, the CPU computes the rest, the bytes are the same
for lose in $((launches / 2)):700 $((launches * 3 / 4)):719 $((launches * 9 / 10)):214; do
	rm -rf out
	export ASSAY_EMU_LOSE=$lose
	run "$emu" out --device cuda --batch 40
	unset ASSAY_EMU_LOSE
	[ $status -eq 1 ] || fail "lost after $lose: exit $status"
	[ "$(wc -l <stderr)" -eq 1 ] && grep -q 'cuda:0 is lost: .*what was answered is kept' stderr || { fail "lost after $lose: not the sentence"; cat stderr; }
	find out -name '*.tmp*' -o -name leaderboard.csv | grep . && fail "lost after $lose: files of a run that failed"
	run "$assay" out
	[ $status -eq 0 ] || { fail "on the CPU after $lose: exit $status"; cat stderr; }
	left=$(field computed)
	[ "$left" -gt 0 ] && [ "$left" -lt "$all" ] || fail "lost after $lose: $left of $all are computed again"
	[ "$(digest out)" = "$want" ] || { fail "other bytes after $lose"; diff -r cpu out | head -5; }
done

# a filter stops too, and does not fail line by line
i=0
while [ $i -lt 30 ]; do
	echo '{"text":"Once upon a time"}'
	i=$((i + 1))
done >lines
ASSAY_EMU_LOSE=10:719 "$emu" score --model stories260k --device cuda <lines >stdout 2>stderr
status=$?
[ $status -eq 1 ] && [ "$(grep -c 'is lost' stderr)" -eq 1 ] && ! grep -q '"error"' stdout || { fail "score on a lost device: exit $status"; head -3 stdout stderr; }

# what there is, said by doctor and list; its absence is no failure
says() { # says WORDS COMMAND...
	words=$1
	shift
	"$@" >stdout 2>stderr || { fail "$*: exit $?"; cat stderr; }
	grep -qF "$words" stdout || { fail "$*: does not say '$words'"; grep -i cuda stdout; }
}
for command in doctor "list devices"; do
	says 'emulated, 8192 MiB' "$emu" $command
	ASSAY_EMU_DEVICES=0 says 'there is no CUDA device on this machine' "$emu" $command
	ASSAY_EMU_DEVICES=-1 says 'the NVIDIA driver is too old' "$emu" $command
	says cuda "$assay" $command
done
exit $bad
