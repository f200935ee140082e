#!/bin/sh
# cli.sh - the command line as CLI documents promise it: exit statuses, JSON lines filters, errors in place, help.
set -u
assay=${builddir:-.}/assay
bad=0
n=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# t STATUS PATTERN ARGS...: exit status, and a pattern that stdout+stderr must hold; stdin is $tmp/in
t() {
	want=$1
	pattern=$2
	shift 2
	n=$((n + 1))
	"$assay" "$@" <"$tmp/in" >"$tmp/out" 2>"$tmp/err"
	got=$?
	if [ "$got" -ne "$want" ] || ! cat "$tmp/out" "$tmp/err" | grep -qE -- "$pattern"; then
		echo "assay $*: exit $got (wanted $want), wanted /$pattern/, got:"
		head -5 "$tmp/out" "$tmp/err"
		bad=1
	fi
}
in_() { printf '%s\n' "$@" >"$tmp/in"; }
in_ ''

t 0 '^assay [0-9]+\.[0-9]+' --version
t 0 '^usage: assay COMMAND' --help
t 2 '^usage: assay COMMAND'
t 2 "unknown command 'rum', did you mean 'run'" rum
t 2 "unknown option '--modell', did you mean '--model'" run --modell x
t 2 '--limit wants a whole number' run --limit x
t 2 '--limit must lie between' run --limit 0
t 2 'wants a value' run --model
t 2 '--date wants' run --date 2025-02-30
t 2 '--memory wants' run --memory lots
t 2 'cpu-mask' run --cpu-mask avx3
t 2 '--model is missing' run
t 2 '--suite is missing' run --model stories260k
t 1 "no such directory" run --model no-such-model --suite tiny-cloze
t 2 "did you mean 'tiny-cloze'" run --model stories260k --suite tiny-clozed
t 2 'profile' run --model stories260k --suite tiny-cloze --profile lm-eval-9
t 2 '--docs' run --model stories260k --suite tiny-cloze --docs 5-2
t 2 'exclude each other' run --model stories260k --suite tiny-cloze --docs 1 --limit 2 --out "$tmp/none"
t 2 'name of the results folder is empty' run --model stories260k --suite tiny-cloze --out ''
t 2 'name of the results folder is empty' board --out ''
t 2 'name of the model is empty' run --model '' --suite tiny-cloze --out "$tmp/none"
t 2 "no suite of this run is called 'tiny-clozed'" run --model stories260k --suite tiny-cloze --files tiny-clozed:test=x --out "$tmp/none"
t 2 "no suite of this run is called 'x'" explain tiny-cloze --model stories260k --files x:test=x
[ ! -e "$tmp/none" ] || { echo "a usage error left a results folder"; bad=1; }
t 2 'nothing to list' list suits
t 2 'one of --model' tokens
t 0 'JSON lines' help score
t 0 'target_delimiter' help suite
t 1 'No such file' board --out "$tmp/nowhere"

# bench: columns, not figures
t 2 "did you mean 'prefill'" bench prefil
t 2 'one of --model and --shape' bench decode
t 2 'one of --model and --shape' bench prefill --model stories260k --shape bench-tiny
t 2 "unknown shape 'llama-8', did you mean 'llama-8b'" bench prefill --shape llama-8
t 2 '--batch wants' bench decode --shape bench-tiny --batch 1,,8
t 2 '--batch wants' bench decode --shape bench-tiny --batch 5000
t 2 '--dtype is for --shape' bench prefill --model stories260k --dtype f32
t 2 '--batch is not for bench prefill' bench prefill --shape bench-tiny --batch 3
t 2 '--tokens is not for bench decode' bench decode --shape bench-tiny --tokens 3
t 2 '--shape is not for bench kernels' bench --shape bench-tiny
t 2 '--dtype is not for bench tokens' bench tokens --model stories260k --dtype f32
t 0 '^bench-tiny ' list shapes
t 0 '^decode bench-tiny f16,"batch 3, context 9",chain32/1,"cpu [^"]*",[0-9.e+]+,tokens/s,([0-9.e+]+,[0-9.]+|,)$' bench decode --shape bench-tiny --dtype f16 --batch 1,3 --context 9
[ "$(wc -l <"$tmp/out")" -eq 3 ] && head -1 "$tmp/out" | grep -q '^what,shape,numerics,device,value,unit,floor,fraction$' || { echo "bench: a head and a line for each batch"; cat "$tmp/out"; bad=1; }
timeout 1 "$assay" bench kernels >"$tmp/out" 2>&1
[ $? -eq 124 ] || { echo "bench: does not end at SIGTERM"; bad=1; }
t 2 "one of --model and --tokenizer" bench tokens
t 1 'nowhere.txt: No such file' bench tokens --model stories260k nowhere.txt
[ -s "$tmp/out" ] && grep -q MB/s "$tmp/out" && { echo "bench tokens: rows before an error"; bad=1; }
t 2 "'x' is one word too many" bench kernels x
t 0 '^tokens warm,tiny-cloze [0-9]+ x [0-9]+ ids,-,"cpu, 1 thread",[0-9.e+]+,MB/s,,$' bench tokens --model stories260k
t 0 '^prefill stories260k,20 tokens,' bench prefill --model stories260k --tokens 20

# a copy of the program that carries suites along looks beside itself, unless ASSAY_DATADIR is set
mkdir -p "$tmp/carried/suites"
cp "$assay" "$tmp/carried/assay"
"$tmp/carried/assay" list models 2>&1 | grep -q "^assay: error: $tmp/carried/suites/" || { echo "a copy does not look beside itself"; bad=1; }
data=$("$assay" doctor | sed -n 's/^assay *data *ok *//p')
ASSAY_DATADIR=$data "$tmp/carried/assay" list models | grep -q '^stories260k' || { echo "ASSAY_DATADIR does not come first"; bad=1; }
rm -rf "$tmp/carried"

# tokens: text, ids, base64, a bad line in its place, ids given back
in_ '{"id":7,"text":"Once upon a time"}' '{"ids":[1,403,407,261,378]}' '{"text":{"base64":"T25jZQ=="}}' '{"txt":"x"}' '[1]' '{"text":1}' '{"ids":[99999]}' 'x'
t 3 '^\{"id":7,"ids":\[1,' tokens --model stories260k
[ "$(wc -l <"$tmp/out")" -eq 8 ] || { echo "tokens: not one answer per line"; bad=1; }
[ "$(grep -c '^{"error":' "$tmp/out")" -eq 4 ] || { echo "tokens: four lines should fail"; cat "$tmp/out"; bad=1; }
in_ '{"text":{"base64":""}}' '{"text":{"base64":"QQ=="}}' '{"text":{"base64":"A=AA"}}' '{"text":{"base64":"===="}}' '{"text":{"base64":"QQ="}}' '{"text":{"base64":" QQ=="}}' '{"text":{"base64":"QUE \n"}}' '{"text":{"base64":"QQ==","x":1}}'
cp "$tmp/out" "$tmp/out1"
t 3 '^\{"ids":\[1\]' tokens --model stories260k
[ "$(grep -c '^{"error":"line [3-8]: field .text.' "$tmp/out")" -eq 6 ] || { echo "tokens: six lines are not base64"; cat "$tmp/out"; bad=1; }
cp "$tmp/out1" "$tmp/out"
sed -n 4p "$tmp/out" | grep -q "line 4: unknown field 'txt'" || { echo "tokens: line number missing"; bad=1; }

# score: each form, errors in place
in_ '{"id":"a","context":"Once upon a","continuation":" time"}' '{"text":"Once upon a time"}' '{"ids":[1,403,407,261,378]}' \
	'{"ids":[1,403],"logits":[1]}' '{"context":"Once upon a","generate":{"max_tokens":4}}' '{"context":"x"}' \
	'{"ids":[1,2,3000]}' '{"context":"a","generate":{"max_token":4}}' '{"ids":[1],"generate":{"max_tokens":3}}' \
	'{"ids":[1],"logits":[]}' '{"ids":[]}' '{"ids":[1],"generate":{"until":""}}' '{"ids":[1],"generate":{"max_tokens":0}}' \
	'{"ids":[1],"generate":{"temperature":1,"seed":5,"max_tokens":9}}' '{"ids":[1],"generate":{"temperature":1,"seed":5,"max_tokens":9}}' \
	'{"ids":[1],"generate":{"temperature":1,"seed":6,"max_tokens":9}}'
t 3 '^\{"id":"a","logprob":-[0-9.]+,"ntokens":[0-9]+,"greedy":(true|false)\}' score --model stories260k --quiet
[ "$(wc -l <"$tmp/out")" -eq 16 ] || { echo "score: not one answer per line"; bad=1; }
[ "$(grep -c '^{"error":' "$tmp/out")" -eq 6 ] || { echo "score: six lines should fail"; cat "$tmp/out"; bad=1; }
sed -n 10p "$tmp/out" | grep -qE '^\{"logprobs":\[\],"argmax":\[[0-9]+\],"hash":"e3b0c442[0-9a-f]*","logits":\[\]\}$' || { echo "score: one id, no logits"; sed -n 10p "$tmp/out"; bad=1; }
sed -n 13p "$tmp/out" | grep -q 'between 1 and 1000000"' || { echo "score: range"; sed -n 13p "$tmp/out"; bad=1; }
[ "$(sed -n 14p "$tmp/out")" = "$(sed -n 15p "$tmp/out")" ] && [ "$(sed -n 14p "$tmp/out")" != "$(sed -n 16p "$tmp/out")" ] || { echo "score: seeds"; sed -n 14,16p "$tmp/out"; bad=1; }
sed -n 3p "$tmp/out" | grep -qE '^\{"logprobs":\[[^]]*\],"argmax":\[[0-9,]*\],"hash":"[0-9a-f]{64}"\}$' || { echo "score: ids"; sed -n 3p "$tmp/out"; bad=1; }
sed -n 5p "$tmp/out" | grep -qE '"stop":"length"\}$' || { echo "score: generation"; sed -n 5p "$tmp/out"; bad=1; }
cp "$tmp/out" "$tmp/out1"
t 3 '' score --model stories260k --quiet --threads 1 --cpu-mask scalar --batch 1
cmp -s "$tmp/out" "$tmp/out1" || { echo "score: other bits on one thread, scalar, batch 1"; bad=1; }

# render: both environments
printf '{%% for m in messages %%}[{{ m.role }}] {{ m.content }}{{ eos }}\n{%% endfor %%}{%% if add_generation_prompt %%}>{%% endif %%}' >"$tmp/t.jinja"
in_ '{"messages":[{"role":"user","content":"hi"}],"add_generation_prompt":true,"vars":{"eos":"|"}}' '{"messages":[{"role":"assistant","content":"hi you"}],"continue_final_message":true,"vars":{"eos":"|"}}'
t 0 '\[user\] hi\|' render --template "$tmp/t.jinja"
sed -n 2p "$tmp/out" | grep -qxF '{"text":"[assistant] hi you"}' || { echo "render: continue_final_message"; cat "$tmp/out"; bad=1; }
printf '{{ nothing }}' >"$tmp/t2.jinja"
in_ '{"vars":{}}'
t 0 '^\{"text":""\}' render --template "$tmp/t2.jinja"
t 3 "undefined" render --template "$tmp/t2.jinja" --env suite
t 1 'chat template' render --model stories260k
in_ '{"vars":5}'
t 3 "^.\"error\":\"line 1: 'vars'" render --template "$tmp/t.jinja"

# a model with a broken chat template: of use without it; the reason does not name the folder, which no result depends on
mkdir "$tmp/broken"
cp "${srcdir:-.}"/suites/models/stories260k/* "$tmp/broken"
chmod u+w "$tmp/broken"
printf '{%% for m in messages %%}{{ m.role ' >"$tmp/broken/chat_template.jinja"
in_ '{"context":"a","generate":{"max_tokens":2}}' '{"messages":[{"role":"user","content":"a"}],"generate":{"max_tokens":2}}'
t 3 '^.."?text' score --model "$tmp/broken" --quiet
sed -n 2p "$tmp/out" | grep -q '"error":"line 2: the chat template: line 1: ' || { echo "score: a broken chat template"; cat "$tmp/out"; bad=1; }
t 0 '"failed":0' run --model "$tmp/broken" --suite tiny-cloze --limit 1 --json --out "$tmp/rb"
t 3 'warning: 4 requests failed' run --model "$tmp/broken" --suite tiny-cloze --limit 1 --quiet --chat --out "$tmp/rb"
grep -q "$tmp" "$tmp"/rb/runs/*/* "$tmp"/rb/runs/*/samples/* 2>/dev/null && { echo "a run names a path of this machine"; bad=1; }

# explain and doctor
in_ ''
t 0 'context \| continuation' explain tiny-cloze --doc 3 --model stories260k
t 1 'there is no document' explain tiny-cloze --doc 100000 --model stories260k
t 0 'acc' explain tiny-cloze --doc 0 --model babyllama105
t 1 'the chat template: line 1' explain tiny-cloze --doc 0 --model "$tmp/broken" --chat
t 3 'request 0: failed: max_tokens is 100000' explain gsm8k_excerpt --doc 0 --model stories260k --max-tokens 100000
t 0 'the same bits as scalar' doctor
t 0 'plan' doctor stories260k

# a run: settings that cannot matter are not recorded; the board as JSON lines; several processes in one results folder
t 0 '"computed":8,"failed":0' run --model stories260k --suite tiny-cloze --limit 2 --max-tokens 3 --out "$tmp/r" --json
t 0 '"computed":0,"failed":0' run --model stories260k --suite tiny-cloze --limit 2 --out "$tmp/r" --json
t 0 '^\{"model":"stories260k","organisation":.*,"stderr":[^,]*,.*"limit":2,"settings":"\{\}",.*"run_id":"[0-9a-f]{16}"\}$' board --out "$tmp/r" --json
[ "$(find "$tmp/r/runs" -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ] || { echo "--max-tokens made another run of a suite that generates nothing"; bad=1; }
both="run --model stories260k babyllama105 --suite tiny-cloze --quiet"
"$assay" $both --out "$tmp/alone" || { echo "alone: exit $?"; bad=1; }
for i in 1 2 3; do
	("$assay" $both --out "$tmp/shared" 2>"$tmp/err$i" || { echo "process $i of three: exit $?"; cat "$tmp/err$i"; touch "$tmp/failed"; }) &
done
wait
[ ! -e "$tmp/failed" ] || bad=1
rm -f "$tmp/alone/journal.db" "$tmp/shared/journal.db"
diff -r "$tmp/alone" "$tmp/shared" || { echo "three processes at once leave other bytes than one"; bad=1; }

# standard streams that are full or closed
if [ -w /dev/full ]; then
	for what in "list suites" --version --help "run --help" "help run"; do
		"$assay" $what >/dev/full 2>"$tmp/err"
		[ $? -eq 1 ] && grep -q 'standard output' "$tmp/err" || { echo "assay $what: a full disk under stdout is no error"; bad=1; }
		n=$((n + 1))
	done
fi
in_ '{"ids":[1,2]}'
"$assay" score --model stories260k --quiet <&- >"$tmp/out" 2>"$tmp/err"
[ $? -eq 1 ] && grep -q 'standard input' "$tmp/err" || { echo "a closed stdin is no error"; bad=1; }
"$assay" score --model stories260k --quiet <"$tmp/in" >&- 2>"$tmp/err"
[ $? -eq 1 ] && grep -q 'standard output' "$tmp/err" || { echo "a closed stdout is no error"; bad=1; }
"$assay" $both --out "$tmp/closed" <&- >&- 2>&- || { echo "a quiet run with closed streams: exit $?"; bad=1; }
rm -f "$tmp/closed/journal.db"
diff -r "$tmp/alone" "$tmp/closed" || { echo "closed streams: other bytes"; bad=1; }
n=$((n + 6))
[ $bad -eq 0 ] && echo "$n command lines"
exit $bad
