#!/bin/sh
# fast.sh - numerics fast from the command line to the leaderboard, over the emulated device and the tests' own cublasLt: the whole id in
# row, journal and manifest; the same bytes for any batch and on a second start; refusals of what this machine is not.
set -u
assay="${builddir:-.}/tests/assay_emu"
if ! [ -x "$assay" ]; then
	echo "skipped: there is no C++ compiler, and so no emulated device"
	exit 77
fi
model="${srcdir:-.}/suites/models/stories260k"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export XDG_CACHE_HOME="$tmp/cache"
mkdir "$XDG_CACHE_HOME"
bad=0

fail() {
	echo "$*"
	bad=1
}

# run OUT OPTIONS...: tiny-cloze into OUT; what it says into $tmp/log
run() {
	out="$tmp/$1"
	shift
	"$assay" run --model "$model" --suite tiny-cloze --limit 3 --out "$out" "$@" >"$tmp/log" 2>&1 || { cat "$tmp/log"; fail "run $*"; }
}

# refused WORDS OPTIONS...: score must say WORDS and fail
refused() {
	words=$1
	shift
	if "$assay" score --model "$model" "$@" </dev/null >"$tmp/log" 2>&1; then
		fail "not refused: $*"
	fi
	grep -qF -- "$words" "$tmp/log" || { cat "$tmp/log"; fail "no '$words' for: $*"; }
}

run first --device cuda --numerics fast
grep -q '6 computed\|12 computed' "$tmp/log" || fail "not computed: $(cat "$tmp/log")"
id=$(sed -n 's/.*\(fast\/sm_[0-9]*\/[0-9.]*\/[0-9a-f]*\).*/\1/p' "$tmp/first/leaderboard.csv" | head -n 1)
case $id in fast/sm_*/13.1.0/????????) ;; *) fail "the leaderboard's id is '$id'" ;; esac
grep -rqF "$id" "$tmp/first/runs" || fail "the id is not in the run's folder"
ls "$XDG_CACHE_HOME"/assay/fast-*.txt >/dev/null || fail "no file of choices"

run first --device cuda --numerics "$id"
grep -q ' 0 computed' "$tmp/log" || fail "the journal does not answer for the whole id: $(cat "$tmp/log")"
run second --device auto --numerics fast --batch 7 --threads 1
rm -rf "$XDG_CACHE_HOME/assay"
run third --device cuda:0 --numerics "$id" --batch 1
for r in second third; do
	cmp "$tmp/first/leaderboard.csv" "$tmp/$r/leaderboard.csv" || fail "$r: another leaderboard"
	for f in "$tmp"/first/runs/*/*.csv "$tmp"/first/runs/*/*.jsonl; do
		[ -f "$f" ] || continue
		cmp "$f" "$tmp/$r/${f#"$tmp"/first/}" || fail "$r: another ${f##*/}"
	done
done
run first --device cuda
grep -q ' 0 answered before' "$tmp/log" || fail "the journal serves fast answers for chain32: $(cat "$tmp/log")"
grep -q 'chain32/1' "$tmp/first/leaderboard.csv" || fail "no exact row beside the fast one"

refused "$id" --device cuda --numerics fast/sm_90/13.1.0/00000000
refused "need a CUDA device" --device cpu --numerics fast
refused "need a CUDA device" --device cpu --numerics "$id"
refused "did you mean 'fast'" --device cuda --numerics fats
exit $bad
