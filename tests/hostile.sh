#!/bin/sh
# hostile.sh - wrong input, end to end: each gives one clear sentence with file and place, the documented exit status, and
# nothing half-written. No tool but sh, printf, dd is needed to make the files.
set -u
assay=${builddir:-.}/assay
src=$(cd "${srcdir:-.}" && pwd)
bad=0
n=0
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
cd "$tmp" || exit 99

# t STATUS PATTERN ARGS...: run into a fresh results folder; one error line that holds PATTERN; no leaderboard, no run
t() {
	want=$1
	pattern=$2
	shift 2
	n=$((n + 1))
	rm -rf out
	"$assay" "$@" >stdout 2>stderr
	got=$?
	lines=$(grep -c 'error:' stderr)
	if [ "$got" -ne "$want" ] || ! grep -qE -- "$pattern" stderr || [ "$lines" -ne 1 ]; then
		echo "assay $*: exit $got (wanted $want), $lines error lines, wanted /$pattern/:"
		head -5 stderr
		bad=1
	fi
	if [ -d out ] && find out \( -name '*.csv' -o -name 'manifest.json' -o -name '*.tmp*' -o -name '*.jsonl' \) | grep -q .; then
		echo "assay $*: half-written files:"
		find out -type f
		bad=1
	fi
}

# ---- suites
suite() { # suite NAME < the part of the YAML that differs
	cat >"$1.yaml"
}
mkdir -p data/own__rows/default
printf '%s\n' '{"q":"Tom had a","c":["ball","car"],"a":0}' '{"q":"The sun is","c":["hot","cold"],"a":1}' >data/own__rows/default/test.jsonl
head='suite: bad
version: 1
dataset:
  id: own/rows
splits:
  test: test
kind: multiple_choice
prompt: "{{q}}"
choices: "{{c}}"
target: "{{a}}"'
run="run --model stories260k --out out --data data --quiet --suite"

printf '%s\n' "$head" | suite good
"$assay" $run good.yaml >stdout 2>stderr || { echo "the good suite fails:"; cat stderr; bad=1; }
[ -f out/leaderboard.csv ] || { echo "the good suite writes no leaderboard"; bad=1; }

printf '%s\nnum_fewshots: 3\n' "$head" | suite s1
t 1 "s1.yaml:11.*unknown key 'num_fewshots'" $run s1.yaml
printf '%s\nshotz: 3\n' "$head" | suite s2
t 1 "s2.yaml:11.*unknown key 'shotz', did you mean 'shots'" $run s2.yaml
printf '%s\n' "$head" | sed 's/{{q}}/{{question}}/' | suite s3
t 1 "question" $run s3.yaml
printf '%s\n' "$head" | sed 's/{{a}}/7/' | suite s4
t 1 "7|range" $run s4.yaml
printf '%s\n' "$head" | sed 's/kind: .*/kind: choice/' | suite s5
t 1 "s5.yaml:7.*choice" $run s5.yaml
printf '%s\n' "$head" | sed 's/{{q}}/{{q/' | suite s6
t 1 "s6.yaml:8" $run s6.yaml
printf '%s\n  - [\n' "$head" | suite s7
t 1 "s7.yaml:1[12]" $run s7.yaml
printf '%s\nshots: many\n' "$head" | suite s8
t 1 "s8.yaml:11.*shots" $run s8.yaml
printf '%s\nmetrics: [accuracy]\n' "$head" | suite s9
t 1 "s9.yaml:11.*accuracy" $run s9.yaml
printf '%s\n' "$head" | sed 's|own/rows|own/nothing|' | suite s10
t 1 "own/nothing|own__nothing" $run s10.yaml
printf '%s\nkind: generate\n' "$head" | suite s11
t 1 "s11.yaml:11.*kind" $run s11.yaml
t 1 "no-such.yaml" $run no-such.yaml
printf '{"q":"x","c":["a","b"],"a":0}\n{"q":"x","c":["a"\n' >data/own__rows/default/test.jsonl
t 1 "test.jsonl:2" $run good.yaml
: >data/own__rows/default/test.jsonl
t 1 "test.jsonl" $run good.yaml
printf '%s\n' '{"q":"Tom had a","c":["ball","car"],"a":0}' '{"q":"The sun is","c":["hot","cold"],"a":1}' >data/own__rows/default/test.jsonl

# ---- a filter pattern that backtracks without end: the documents fail, the run goes on, exit status 3
cat >bt.yaml <<'Y'
suite: bt
version: 1
dataset:
  id: own/rows
splits:
  test: test
kind: generate
prompt: "{{q}}"
target: "x"
filters:
  - name: slow
    steps:
      - function: regex
        regex_pattern: "^(([a-z ])+.)+[A-Z]([a-z ])+$"
metrics: [exact_match]
Y
aaa=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
printf '{"suite":"bt","doc_id":0,"resps":["%s"]}\n{"suite":"bt","doc_id":1,"resps":["x"]}\n' "$aaa" >answers.jsonl
rm -rf out
"$assay" run --model m --runner replay:answers.jsonl --out out --data data --quiet --suite bt.yaml >stdout 2>stderr
[ $? -eq 3 ] || { echo "catastrophic backtracking: exit status is not 3"; cat stderr; bad=1; }
grep -q 'limit' out/runs/*/samples/bt.jsonl || { echo "catastrophic backtracking: no sentence in the sample log"; bad=1; }
n=$((n + 1))
sed 's/"^((.*/"([a-z"/' bt.yaml >bt2.yaml
t 1 "bt2.yaml:13.*pattern" run --model m --runner replay:answers.jsonl --out out --data data --quiet --suite bt2.yaml

# ---- checkpoints
model() { # model DIR: a copy of stories260k that may be damaged
	rm -rf "$1"
	cp -r "$src/suites/models/stories260k" "$1"
	chmod -R u+w "$1"
}
le64() { # 8 bytes little-endian of a number below 2^24
	printf "\\$(printf %03o $(($1 & 255)))\\$(printf %03o $((($1 >> 8) & 255)))\\$(printf %03o $((($1 >> 16) & 255)))\\000\\000\\000\\000\\000"
}
st() { # st DIR HEADER DATABYTES: model.safetensors with that header
	{
		le64 "${#2}"
		printf '%s' "$2"
		dd if=/dev/zero bs=1 count="$3" 2>/dev/null
	} >"$1/model.safetensors"
}
go="run --suite tiny-cloze --out out --quiet --model"
model m
dd if="$src/suites/models/stories260k/model.safetensors" of=m/model.safetensors bs=1 count=5 2>/dev/null
t 1 "m/model.safetensors" $go ./m
dd if="$src/suites/models/stories260k/model.safetensors" of=m/model.safetensors bs=1000 count=500 2>/dev/null
t 1 "m/model.safetensors" $go ./m
printf '\377\377\377\377\377\377\377\177{}' >m/model.safetensors
t 1 "m/model.safetensors.*header" $go ./m
st m '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}' 24
t 1 "m/model.safetensors.*(overlap|'b')" $go ./m
st m '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,99999]}}' 16
t 1 "m/model.safetensors.*'a'" $go ./m
st m '{"model.embed_tokens.weight":{"dtype":"F99","shape":[4],"data_offsets":[0,16]}}' 16
t 1 "m/model.safetensors.*F99" $go ./m
st m '{"a":{"dtype":"F32","shape":[4611686018427387904,16],"data_offsets":[0,16]}}' 16
t 1 "m/model.safetensors.*'a'" $go ./m
st m '{"a":' 16
t 1 "m/model.safetensors" $go ./m
st m '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}' 16
t 1 "model.embed_tokens.weight|missing" $go ./m
rm m/model.safetensors
t 1 "safetensors" $go ./m
model m
rm m/config.json
t 1 "config.json" $go ./m
printf '{"architectures":["LlamaForCausalLN"],"model_type":"lama"}' >m/config.json
t 1 "config.json.*(LlamaForCausalLN|lama)" $go ./m
model m
sed 's/"hidden_size": 64/"hidden_size": 96/' "$src/suites/models/stories260k/config.json" >m/config.json
t 1 "(hidden_size|96)" $go ./m
model m
printf '{"model":{"type":"BPE","merges":[]}}' >m/tokenizer.json
t 1 "tokenizer.json.*vocab" $go ./m
printf '{"model":{"type":"WordSoup"}}' >m/tokenizer.json
t 1 "tokenizer.json.*WordSoup" $go ./m
printf '{"model":' >m/tokenizer.json
t 1 "tokenizer.json" $go ./m
rm m/tokenizer.json
t 1 "tokenizer" $go ./m
t 1 "stories261k" $go stories261k
t 1 "no-such-dir" $go ./no-such-dir

# ---- a full disk (a file size limit stands in for it): an error, and what was there before stays whole
rm -rf full
"$assay" run --model stories260k --suite tiny-cloze --limit 4 --out full --quiet >/dev/null 2>stderr || { echo "run before the full disk failed"; cat stderr; bad=1; }
before=$(cat full/leaderboard.csv)
(
	ulimit -f 40
	"$assay" run --model stories260k babyllama105 --suite tiny-cloze --out full --quiet >/dev/null 2>stderr
)
[ $? -eq 1 ] || { echo "full disk: exit status is not 1"; cat stderr; bad=1; }
[ "$(grep -c 'error:' stderr)" -eq 1 ] || { echo "full disk: not one sentence:"; cat stderr; bad=1; }
[ "$before" = "$(cat full/leaderboard.csv)" ] || { echo "full disk: the leaderboard changed"; bad=1; }
find full -name '*.tmp*' | grep . && { echo "full disk: a temporary file is left"; bad=1; }
"$assay" run --model stories260k babyllama105 --suite tiny-cloze --out full --quiet >/dev/null 2>stderr || { echo "after the full disk it does not go on:"; cat stderr; bad=1; }
n=$((n + 1))
# ---- results folders and inputs that are something else
touch file
mkdir folder
ln -s nowhere dangling
mkdir -p taken/leaderboard.csv foreign/runs/x
echo junk >foreign/runs/x/rows.csv
some="run --model stories260k --suite tiny-cloze --limit 1 --quiet --out"
t 1 "file: is not a folder" $some file
t 1 "file: is not a folder" $some file/below
t 1 "dangling: is not a folder" $some dangling
t 1 "taken/leaderboard.csv: cannot replace" $some taken
t 1 "foreign/runs/x/rows.csv:1" $some foreign
t 1 "file/runs: " board --out file
t 1 "folder/: not a file" $go stories260k --suite ./folder/
t 1 "folder: not a file" run folder
t 1 "folder.*Is a directory" $go m --runner replay:folder
t 1 "file: not a directory" $go ./file
t 1 "config.json" $go ./folder
t 1 "folder: not a file" $some out --files tiny-cloze:test=folder
t 1 "folder: " $some out --files-from folder
find . -name '*.tmp*' | grep . && { echo "a temporary file is left"; bad=1; }
# ---- a journal that is none
rm -rf out
mkdir out
dd if=/dev/zero of=out/journal.db bs=4096 count=4 2>/dev/null
printf 'this is no database, it only has the name' | dd of=out/journal.db conv=notrunc 2>/dev/null
"$assay" run --model stories260k --suite tiny-cloze --out out --quiet >/dev/null 2>stderr
[ $? -eq 1 ] && grep -q 'journal.db' stderr || { echo "damaged journal:"; cat stderr; bad=1; }
n=$((n + 1))
[ $bad -eq 0 ] && echo "$n wrong inputs"
exit $bad
