#!/usr/bin/env python3
"""Differential test of patterns: random regular expressions over random text, our Split against PyPI `tokenizers`' (Oniguruma).

usage: pattern_diff.py DRIVER [SEED [COUNT]]        DRIVER: tests/tools/tokens_driver.c
Patterns that we refuse by name are counted, those that Oniguruma refuses left out. The exit status is 1 when a split differs.
"""
import json
import random
import struct
import subprocess
import sys
import tempfile

import tokenizers

r = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
COUNT = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
CHARS = list('aabbcABkKsSx1 29_-&\n\r\t') + list('\u00e9\u00c9\u017f\u212a\u03c3\u03c2\u03a3\u00b2\u00bd\u4e00\u3042\u0301\u0663\U0001f600\u2028\u00a0\u0130\u00df')
LITERALS = list('aabbcABkKsx1 _') + ['\\-', '\\.', '\u00e9', '\u03c3', '\u212a', '\u4e00', '\\n', '\\r', '\\t', '\\u0061', '\\x{e9}', '\\x41', '-', '&']
TYPES = ['\\s', '\\S', '\\w', '\\W', '\\d', '\\D', '\\h', '\\H']
PROPS = ['\\p{%s}' % n for n in 'L Lu Ll N Nd No P S M Z C Han Latin Greek Alpha Alnum Upper Lower Punct Space Word Any Zs Hiragana ^L ^Word Letter White_Space'.split()] + ['\\P{L}', '\\P{N}', '\\P{Word}', '\\P{^Lu}']
POSIX = ['[:%s:]' % n for n in 'alpha alnum digit upper lower punct space word graph print cntrl blank xdigit ^alpha ^word ^space'.split()]


def member(depth):
    k = r.random()
    if k < .4:
        return r.choice(LITERALS[:19])
    if k < .5:
        return r.choice(('a-z', 'A-Z', '0-9', 'a-c', '\u00e0-\u00ff', '\u4e00-\u9fff', '\\x{61}-\\x{63}'))
    if k < .65:
        return r.choice(TYPES)
    if k < .8:
        return r.choice(PROPS)
    if k < .9:
        return r.choice(POSIX)
    return bracket(depth + 1) if depth < 2 else 'q'


def bracket(depth=0):
    body = ''.join(member(depth) for _ in range(r.choice((1, 1, 2, 3))))
    if r.random() < .15:
        body += '&&' + ''.join(member(depth) for _ in range(r.choice((1, 2))))
    return '[' + r.choice(('', '', '^')) + body + ']'


def atom(depth):
    k = r.random()
    if k < .4:
        return r.choice(LITERALS)
    if k < .6:
        return bracket()
    if k < .7:
        return r.choice(TYPES + PROPS)
    if k < .76:
        return r.choice(('.', '.', '\\R', '\\N', '\\O'))
    if k < .82:
        return r.choice(('^', '$', '\\b', '\\B', '\\A', '\\z', '\\Z'))
    if depth > 2:
        return 'a'
    if k < .85:
        return r.choice(('(?=', '(?!', '(?<=', '(?<!')) + (r.choice(LITERALS[:12]) if r.random() < .4 else atom(3)) + ')'
    if k < .87:
        return r.choice(('(?i)', '(?m)', '(?-i)'))
    return r.choice(('(', '(?:', '(?:', '(?>', '(?i:', '(?-i:', '(?m:', '(?x: ', '(?<n%d>' % r.randrange(10 ** 9))) + alternatives(depth + 1) + ')'


def sequence(depth):
    out = ''
    for _ in range(r.choice((1, 1, 2, 2, 3))):
        a = atom(depth)
        out += a
        if a not in ('^', '$') and a[:3] not in ('(?=', '(?!', '(?<', '(?i', '(?m', '(?-') and a[:2] not in ('\\b', '\\B', '\\A', '\\z', '\\Z') and r.random() < .35:
            out += r.choice(('*', '+', '?', '*?', '+?', '??', '*+', '++', '?+', '{2}', '{1,2}', '{,2}', '{1,}', '{1,2}?', '{2}?', '{1,2}+', '{2}+', '**', '+*', '?{2}'))
    return out


def alternatives(depth=0):
    return '|'.join(sequence(depth) for _ in range(r.choice((1, 1, 1, 2, 3))))


def main():
    path = tempfile.NamedTemporaryFile('w', suffix='.json').name
    done = refused = bad = 0
    why = {}
    while done < COUNT:
        p = alternatives()
        try:
            rx = tokenizers.Regex(p)
        except Exception:
            continue
        done += 1
        behavior = r.choice(('Isolated', 'Removed', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'))
        pre = {'type': 'Split', 'pattern': {'Regex': p}, 'behavior': behavior, 'invert': r.random() < .2}
        spec = {'version': '1.0', 'added_tokens': [], 'normalizer': None, 'pre_tokenizer': pre, 'post_processor': None, 'decoder': None,
                'model': {'type': 'WordLevel', 'vocab': {'<unk>': 0}, 'unk_token': '<unk>'}}
        with open(path, 'w') as f:
            json.dump(spec, f)
        tok = tokenizers.Tokenizer.from_str(json.dumps(spec))
        texts = [''.join(r.choices(CHARS, k=r.randrange(1, 14))) for _ in range(25)]
        try:
            want = [tok.encode(t).offsets for t in texts]
        except BaseException:
            continue
        run = subprocess.run([sys.argv[1], path], input=b''.join(struct.pack('II', 0, len(t.encode())) + t.encode() for t in texts), capture_output=True)
        if run.returncode:
            refused += 1
            msg = run.stderr.decode('utf-8', 'replace')
            key = msg.split('the pattern ')[-1][:32]
            why[key] = why.get(key, 0) + 1
            continue
        at = 0
        for t, w in zip(texts, want):
            size = struct.unpack_from('I', run.stdout, at)[0]
            n = struct.unpack_from('i', run.stdout, at + 4)[0]
            got = None
            if n >= 0:
                v = struct.unpack_from('%di' % (2 * n), run.stdout, at + 8 + 4 * n)
                got = list(zip(v[::2], v[1::2]))
            at += 4 + size
            if got != w:
                bad += 1
                print(json.dumps({'pattern': p, 'behavior': behavior, 'invert': pre['invert'], 'text': ascii(t), 'ours': got, 'theirs': w}))
                break
    print('%d patterns, %d refused, %d differ; refusals: %s' % (done, refused, bad, sorted(why.items(), key=lambda x: -x[1])[:12]))
    return bad > 0


sys.exit(main())
