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
template | render)
	awk -v out="$out/" 'BEGIN { RS = "\n----\n" } { f = out NR; printf "%s", $0 >f; close(f) }' "$src/tests/fuzz/seeds/$1" ;;
suite)
	cp "$src"/suites/*.yaml "$out" ;;
tokenizer)
	n=0
	for t in "$src"/suites/models/*/tokenizer.json "$src"/tests/fuzz/seeds/tokenizer*.json; do
		n=$((n + 1))
		{ cat "$t"; $cut; printf '{"bos_token": "<s>", "model_max_length": 512}'; $cut; printf "The cat's 12 <s> x\\n"; } >"$out/$n"
	done ;;
sentencepiece)
	n=0
	for m in "$src"/tests/golden/tokfiles/*.model "$src"/tests/golden/tokfiles/*.tiktoken; do
		for c in '{}' '{"tokenizer_class":"LlamaTokenizer","model_type":"llama","add_bos_token":true,"legacy":true}' \
			'{"model_type":"t5","extra_ids":3}' '{"model_type":"gemma","added_tokens_decoder":{"2":{"content":"</s>"}}}' '{"model_type":"qwen"}'; do
			n=$((n + 1))
			{ printf %s "$c"; $cut; head -c 4000 "$m"; tail -c 900 "$m"; } >"$out/$n"
		done
	done
	{ printf '{"tokenizer_class":"Qwen2Tokenizer"}'; $cut; cat "$src/tests/golden/tokfiles/vocab.json"; $cut; cat "$src/tests/golden/tokfiles/merges.txt"; } >"$out/vocab"
	{ printf '{}'; $cut; printf '\012\015\012\005<unk>\025\0\0\0\0\030\002\012\010\012\001a\025\0\0\0\0\022\002\030\002'; } >"$out/small" ;;
model)
	for m in "$src"/tests/golden/models/*/; do
		test -f "${m}model.safetensors" || continue
		{ cat "${m}config.json"; $cut; cat "${m}model.safetensors"; } >"$out/$(basename "$m")"
	done
	for m in "$src"/tests/golden/families/*.json; do
		sed -n 's/^"config": \(.*\),$/\1/p' "$m" >"$out/$(basename "$m")"
	done ;;
esac
