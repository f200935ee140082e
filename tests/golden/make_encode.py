#!/usr/bin/env python3
"""Golden splits of context and continuation: make_encode.py > encode.jsonl (needs the package tokenizers).

For the tokenizer of suites/models/stories260k (max_length 512, BOS 1 added by default, EOS 2) each line holds a request
and the ids it must become: "lmeval" by the rule of lm-evaluation-harness 0.4.13 (written down here from its behaviour),
"native" by offsets of the whole text. "fails": such a request cannot be scored there.
"""
import json, os, sys
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
TOK = Tokenizer.from_file(os.path.join(HERE, "../../suites/models/stories260k/tokenizer.json"))
PREFIX, MOST = 1, 512
BOS = TOK.id_to_token(PREFIX)


def enc(text, special=None, bos=None):
    add = special if special is not None else True if bos is None else bos
    if special is None and text.startswith(BOS):
        add = False
    return TOK.encode(text, add_special_tokens=add)


def lmeval(ctx, cont, bos):
    if ctx == "":
        c = enc(cont, special=False).ids
        if not c:
            return None
        pair = ([PREFIX], c) if c[0] != PREFIX else (c[:1], c[1:])
    else:
        n = len(ctx) - len(ctx.rstrip())
        if n:
            ctx, cont = ctx[:-n], ctx[-n:] + cont
        a = enc(ctx, bos=bos).ids
        pair = (a, enc(ctx + cont, bos=bos).ids[len(a):])
    return pair if pair[0] and pair[1] and len(pair[1]) <= MOST else None


def native(ctx, cont, bos):
    if ctx == "":
        return lmeval(ctx, cont, bos)
    e = enc(ctx + cont, bos=bos)
    cut = 0
    while cut < len(e.ids) and e.offsets[cut][1] <= len(ctx):
        cut += 1
    pair = (e.ids[:cut], e.ids[cut:]) if cut else ([PREFIX], e.ids)
    return pair if pair[1] and len(pair[1]) <= MOST else None


def windows(text, bos):
    t = enc(text, bos=bos).ids
    out, done = [], 0
    u = [PREFIX] + t
    while done < len(t):
        n = min(len(t) - done, MOST)
        end = done + n
        a = u[max(0, end - MOST):end]
        out.append([len(a) - (n - 1), n])
        done = end
    return t, out


LONG = "The dog ran to the big tree and sat down. " * 40
PAIRS = [
    ("Once upon a time", " there was"), ("Once upon a time ", "there was"), ("Once upon a time  ", " there was"),
    ("Once upon a time\n", "there"), ("Question: why?\n\n", "Because"), ("Answer:", "B"), ("Answer:", " B"), ("Answer: ", "B"),
    ("", "Lily"), ("", " Lily"), ("", ""), ("a", ""), ("a ", ""), ("", "<s> Lily"), ("", "<s>"), ("", "</s>"), (" ", "Lily"),
    ("\n\n", "Lily"), ("\u3000", "Lily"), ("a\u3000", "b"), ("a\x1c", "b"), ("a\x1f\x85", "b"), ("a\x85", "b"), ("a\u200b", "b"),
    ("a\u00a0", "b"), ("a\u2028\u2029", "b"), ("<s>Once", " upon"), ("<s> Once", " upon"), ("</s>Once", " upon"), ("x<s>", "y"),
    ("答案：", " A"), ("问题：天空是什么颜色？\n答案：", "蓝色"), ("caf", "é"), ("cafe", "\u0301 au lait"), ("🙂", "🙃"), ("ab", "c"),
    ("wat", "er"), ("She was very ha", "ppy."), ("Tom", "'s dog"), ("1 + 1 = ", "2"), ("tab\t", "x"), (LONG, " Then"), (LONG[:500], LONG),
    ("word", LONG), ("word", LONG * 3), ("", LONG * 2), ("▁", "a"), ("a▁", "b"), ("\x00", "b"), ("a", "\x00"), ("  a", "b"),
    ("the", " the the the"), ("a", "b "), ("a", " \n "), (".", "."), ("<unk>", "a"), ("a<unk>", " b"), ("a", "<s>b"),
]
TEXTS = ["", "Lily", " Lily", "<s>Lily", "<s>", LONG, LONG * 3, "\n", "x" * 511, "x" * 512, "x" * 513, "x" * 1024, "x" * 1025]

for ctx, cont in PAIRS:
    for bos in (None, True, False) if len(ctx + cont) < 600 else (None,):
        row = {"context": ctx, "continuation": cont, "bos": bos}
        for name, rule in (("lmeval", lmeval), ("native", native)):
            pair = rule(ctx, cont, bos)
            row[name] = {"fails": True} if pair is None else {"context": pair[0], "continuation": pair[1]}
        print(json.dumps(row))
for text in TEXTS:
    for bos in (None, True, False) if len(text) < 600 else (None,):
        t, w = windows(text, bos)
        print(json.dumps({"text": text, "bos": bos, "ids": t, "windows": w}))
