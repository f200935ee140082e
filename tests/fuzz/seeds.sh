#!/bin/sh
# seeds.sh TARGET SRCDIR FOLDER: first inputs of a fuzz target, from the files of this tree; formats as in fuzz_TARGET.c.
set -e
src=$2
out=$3
mkdir -p "$out"
cut="printf \\377"

case $1 in
json)
	cp "$src"/suites/models/*/config.json "$out" 2>/dev/null || :
	cp "$src"/tests/golden/value.json "$src"/tests/golden/models/llama/*.json "$out"
	printf '[-0.0, 1e400, "\\ud83d\\ude00\\ud800", {"a": null, "a": [true, false]}]' >"$out/odd" ;;
regex)
	n=0
	while IFS='	' read -r pattern with text; do
		n=$((n + 1))
		{ printf %s "$pattern"; $cut; printf %s "$with"; $cut; printf %s "$text"; } >"$out/$n"
	done <"$src/tests/fuzz/seeds/regex" ;;
jinja)
	awk -v out="$out/" 'BEGIN { RS = "\n----\n" } { f = out NR; printf "%s", $0 >f; close(f) }' "$src/tests/fuzz/seeds/jinja" ;;
suite)
	cp "$src"/suites/*.yaml "$out" ;;
tokenizer)
	n=0
	for t in "$src"/suites/models/*/tokenizer.json "$src"/tests/fuzz/seeds/tokenizer*.json; do
		n=$((n + 1))
		{ cat "$t"; $cut; printf '{"bos_token": "<s>", "model_max_length": 512}'; $cut; printf "The cat's 12 <s> x\\n"; } >"$out/$n"
	done ;;
model)
	for m in "$src"/tests/golden/models/*/; do
		test -f "${m}model.safetensors" || continue
		{ cat "${m}config.json"; $cut; cat "${m}model.safetensors"; } >"$out/$(basename "$m")"
	done
	for m in "$src"/tests/golden/families/*.json; do
		sed -n 's/^"config": \(.*\),$/\1/p' "$m" >"$out/$(basename "$m")"
	done ;;
esac
