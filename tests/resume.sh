#!/bin/sh
# resume.sh - the bytes of a run: the same again, on other threads, instruction sets and batches, in another order of suites,
# and after kill -9 at ten random moments.
set -u
assay=${builddir:-.}/assay
bad=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 99
seed=${ASSAY_SEED:-$(date +%s)}
echo "seed $seed"

# what must be equal: everything but the journal (a database) and what the machine was like
digest() {
	(cd "$1" && find . -type f ! -name 'journal.db*' ! -name environment.json | sort | xargs sha256sum) | sha256sum | cut -d' ' -f1
}
common="--suite tiny-cloze gsm8k_excerpt --limit 12 --max-tokens 12 --quiet"
run() { # run OUT OPTIONS...
	out=$1
	shift
	"$assay" run --out "$out" --model stories260k babyllama105 $common "$@" >stdout 2>stderr || { echo "run into $out: exit $?"; cat stderr; exit 1; }
}
run ref
want=$(digest ref)
"$assay" run --out ref --model stories260k babyllama105 $common --json >stdout 2>stderr
grep -q '"computed":0,' stdout || { echo "the same command again computes something:"; cat stdout; bad=1; }
[ "$(digest ref)" = "$want" ] || { echo "the same command again changes bytes"; bad=1; }

for opts in "--threads 1" "--threads 3" "--cpu-mask scalar" "--cpu-mask avx2" "--cpu-mask avx512" "--batch 3" "--batch 1000"; do
	rm -rf other
	run other $opts
	[ "$(digest other)" = "$want" ] || { echo "other bytes with $opts"; bad=1; }
done
rm -rf other
"$assay" run --out other --suite gsm8k_excerpt tiny-cloze --model babyllama105 stories260k --limit 12 --max-tokens 12 --quiet >stdout 2>stderr
[ "$(digest other)" = "$want" ] || { echo "other bytes in another order"; bad=1; }

# how long a whole run takes, in milliseconds: kills are spread over it
t0=$(date +%s%N)
rm -rf other
run other
ms=$((($(date +%s%N) - t0) / 1000000))
rm -rf killed
i=0
while [ $i -lt 10 ]; do
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	wait_ms=$((seed / 7 % (ms + 1)))
	"$assay" run --out killed --model stories260k babyllama105 $common >/dev/null 2>&1 &
	pid=$!
	sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	find killed -name leaderboard.csv -size 0 2>/dev/null | grep . && { echo "an empty leaderboard after kill -9"; bad=1; }
	i=$((i + 1))
done
run killed
find killed -name '*.tmp*' -exec rm {} + # a killed writer cannot tidy up; nothing else may differ
[ "$(digest killed)" = "$want" ] || { echo "other bytes after kill -9"; diff -rq ref killed; bad=1; }

# SIGTERM: stops soon, keeps what was answered, says so by its exit status
"$assay" run --out stopped --model stories260k --suite gsm8k_excerpt mmlu_excerpt --max-tokens 300 --quiet >/dev/null 2>stderr &
pid=$!
sleep 0.1
kill -TERM $pid
wait $pid
status=$?
[ $status -eq 143 ] || [ $status -eq 0 ] || { echo "SIGTERM: exit status $status"; cat stderr; bad=1; }
exit $bad
