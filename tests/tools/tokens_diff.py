#!/usr/bin/env python3
"""Differential test: our tokenizer (tests/tools/tokens_driver.c) against PyPI `tokenizers`: ids, offsets, both decodings.

usage: tokens_diff.py DRIVER TOKENIZER_JSON [--seed N] [--count N] [--docs FILE ...] [--points] [--show N]

--count   random strings: all scripts, emoji with joiners, white space, digits, controls, unassigned code points, runs of one
          character, added tokens, contractions, pieces of the documents (NUL-separated files), mutations; some are broken UTF-8,
          which counts as Python's errors="replace" decodes it. Every tenth record is a list of random ids to decode.
--points  every code point but surrogates: alone, as a<c>b, and between spaces.
The exit status is 1 when something differs.
"""
import argparse
import itertools
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from array import array

os.environ['TOKENIZERS_PARALLELISM'] = 'false'
import tokenizers  # noqa: E402


def span(*pairs):
    return [chr(c) for lo, hi in pairs for c in range(lo, hi + 1) if not 0xD800 <= c < 0xE000]


LATIN = span((0x41, 0x5a), (0x61, 0x7a)) * 4 + span((0xc0, 0x24f), (0x1e00, 0x1eff), (0xff21, 0xff5a))
MARKS = span((0x300, 0x36f), (0x483, 0x489), (0x591, 0x5c7), (0x64b, 0x65f), (0x1ab0, 0x1ace), (0x1dc0, 0x1dff), (0x20d0, 0x20f0), (0x302a, 0x302f), (0x3099, 0x309a))
POOLS = [
    LATIN, LATIN, span((0x61, 0x7a)), span((0x20, 0x7e)), span((0x20, 0x7e)), span((0x41, 0x5a)) * 3 + span((0x61, 0x7a)),
    MARKS + LATIN[:200], MARKS,
    span((0x400, 0x52f)), span((0x370, 0x3ff), (0x1f00, 0x1fff)), span((0x600, 0x6ff), (0x750, 0x77f), (0xfb50, 0xfdff), (0xfe70, 0xfeff)),
    span((0x590, 0x5ff), (0xfb1d, 0xfb4f)), span((0x900, 0x97f), (0xa8e0, 0xa8ff)), span((0x980, 0xdff)), span((0xe00, 0xe7f)), span((0xe80, 0x109f)),
    span((0x1100, 0x11ff), (0xa960, 0xa97f), (0xd7b0, 0xd7ff)), span((0xac00, 0xd7a3)), span((0x3130, 0x318f), (0xac00, 0xac80)),
    span((0x4e00, 0x9fff)), span((0x4e00, 0x5200)), span((0x3400, 0x4dbf), (0x20000, 0x2a6df), (0x2a700, 0x33500), (0xf900, 0xfaff), (0x2f800, 0x2fa1f)),
    span((0x3040, 0x30ff), (0x31f0, 0x31ff)), span((0x3000, 0x303f), (0xff00, 0xffef), (0xfe30, 0xfe4f)), span((0x10a0, 0x10ff), (0x1c90, 0x1cbf)), span((0x13a0, 0x167f), (0xab70, 0xabbf)),
    span((0x30, 0x39)) * 6, span((0x30, 0x39)) * 3 + span((0xb2, 0xb3), (0xb9, 0xb9), (0xbc, 0xbe), (0x660, 0x669), (0x966, 0x96f), (0x2070, 0x209c), (0x2150, 0x218b), (0x2460, 0x24ff), (0x3220, 0x3247), (0xff10, 0xff19), (0x1d7ce, 0x1d7ff), (0x11de0, 0x11de9), (0x1f100, 0x1f10c)),
    list(' \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2000\u2003\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff'),
    list('   \n\n\t\r'), list(' \r\n'), list('\n '), span((0, 0x20), (0x7f, 0x9f)), list("'\u2019\u02bc\u0149sStTdDmM\u017f\u212akK lLvVrReE"),
    span((0x2000, 0x206f)), span((0x20a0, 0x20cf), (0x2100, 0x2bff)), span((0x1f300, 0x1faff)), list('\u200d\ufe0f\ufe0e\u20e3\u2640\u2642') + span((0x1f3fb, 0x1f3ff), (0x1f466, 0x1f469), (0x1f1e6, 0x1f1ff), (0xe0061, 0xe007f)),
    span((0xe000, 0xe0ff), (0xfdd0, 0xfdef), (0xfff0, 0xffff), (0xf0000, 0xf0010), (0x10fff0, 0x10ffff)), span((0x1c80, 0x1cff), (0x10d40, 0x10d8f), (0x16ea0, 0x16ed3), (0x1e5d0, 0x1e5ff)),
    span((0x0, 0x2fff)), span((0x10000, 0x1ffff)), list('\u0130\u0131\u01c5\u00df\u1e9e\ufb00\ufb06\u03a3\u03c2\u0345\u1fb3'), list('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'),
    list('\u2581\u2581 \u0120\u010a\u00c4_'), list('\ufffd\ufeff\u00ad\u034f'),
]
FORMS = ["'s", "'T", "\u2019s", "'Re", "'VE", "'ll", "'LL", "'d", "'m", "'\u017f", "don't", "I'M", " it's", "'S's", "\r\n", "\r\n\r\n", "\n\n  ", "   ", "<0x41>", "<0xFF>",
         '\U0001f469\u200d\U0001f469\u200d\U0001f467', '\U0001f3f3\ufe0f\u200d\U0001f308', '1\ufe0f\u20e3', '\U0001f1e9\U0001f1ea', '\U0001f44d\U0001f3fd', 'e\u0301', 'A\u030a', '\u1112\u1161\u11ab',
         '\u0915\u094d\u0937', '\u0e01\u0e33', 'http://a.b/c?d=e&f', '3.14159', '1,000,000', '0x1F', '\ufeff', '\x00', '\u00a0', ' \u3000', '://', '=====', '...', '!!!', '/**/', '//\n', '```', '\t\t']


class Maker:
    def __init__(self, seed, added, docs):
        self.r = random.Random(seed)
        self.added = added or ['<s>']
        self.docs = docs

    def part(self, k):
        r = self.r
        if k < 14:
            return ''.join(r.choices(r.choice(POOLS), k=r.choice((1, 2, 3, 5, 8, 13))))
        if k < 19 and self.docs:
            d = r.choice(self.docs)
            at = r.randrange(len(d))
            return d[at:at + r.choice((3, 9, 20, 60))]
        if k < 21:
            return r.choice(FORMS)
        if k < 23:
            return r.choice(('', '', ' ', '\n', 'a', '\u3000')) + r.choice(self.added) + r.choice(('', '', ' ', '  ', 'b', '\t'))
        if k < 24:
            return chr(r.choice((r.randrange(0xd800), r.randrange(0xe000, 0x30000), r.randrange(0xe000, 0x110000))))
        if k < 25:
            return r.choice(r.choice(POOLS)) * r.choice((2, 3, 4, 7, 16, 33, 100 if r.random() < .1 else 5))
        if k < 26:
            a = r.choice(self.added)  # a piece of a token
            return a[r.randrange(len(a)):] if r.random() < .5 else a[:r.randrange(len(a)) + 1]
        return ' '

    def text(self):
        r = self.r
        n = r.choice((1, 1, 2, 2, 3, 4, 6, 9)) if r.random() < .97 else r.randrange(40)
        s = ''.join(self.part(r.randrange(28)) for _ in range(n))
        if s and r.random() < .15:
            i, j = sorted((r.randrange(len(s)), r.randrange(len(s))))
            s = r.choice((s[:i] + s[j:], s[:i] + s[i:j] * 2 + s[j:], s[:i] + r.choice(s) + s[i:], s[:i] + s[i:j][::-1] + s[j:], s.upper(), s.lower(), s[i:j]))
        if r.random() < .0005:
            s = (s or 'a') * r.randrange(2, 200)
        return s

    def broken(self):
        b = bytearray(self.text().encode())
        for _ in range(self.r.randrange(1, 4)):
            at = self.r.randrange(len(b) + 1)
            if self.r.random() < .5:
                b[at:at + 1] = b''
            else:
                b[at:at] = bytes([self.r.choice((0x80, 0xbf, 0xc0, 0xc3, 0xe0, 0xe2, 0xed, 0xa0, 0xf0, 0x9f, 0xf4, 0x90, 0xf5, 0xff, self.r.randrange(256)))])
        return bytes(b)


def records(args, tok, docs):
    """(kind, payload, what to hand to tokenizers)"""
    if args.points:
        for c in itertools.chain(range(0xd800), range(0xe000, 0x110000)):
            for s in (chr(c), 'a%sb' % chr(c), ' %s ' % chr(c)):
                yield c & 1, s.encode(), s
        return
    added = [t.content for t in tok.get_added_tokens_decoder().values() if t.content]
    m = Maker(args.seed, added, docs)
    size = tok.get_vocab_size()
    for i in range(args.count):
        if i % 10 == 9:
            ids = [m.r.choice((m.r.randrange(size), m.r.randrange(min(size, 600)), size - 1 - m.r.randrange(min(size, 600)))) for _ in range(m.r.randrange(12))]
            yield 2, struct.pack('%di' % len(ids), *ids), ids
        if i % 33 == 7:
            b = m.broken()
            yield i & 1, b, b.decode('utf-8', 'replace')
        else:
            s = m.text()
            yield i & 1, s.encode(), s


def block(s):
    b = s.encode('utf-8', 'surrogatepass')
    return struct.pack('I', len(b)) + b


def oracle(tok, kind, x):
    ids, head = x, b''
    if kind != 2:
        enc = tok.encode(x, add_special_tokens=bool(kind))
        ids = enc.ids
        head = struct.pack('I', len(ids)) + array('i', ids).tobytes() + array('i', itertools.chain.from_iterable(enc.offsets)).tobytes()
    return head + block(tok.decode(ids, skip_special_tokens=False)) + block(tok.decode(ids, skip_special_tokens=True))


def split(kind, b):
    if b[:4] == b'\xff\xff\xff\xff':
        return {'error': b[4:].decode()}
    out, at = {}, 0
    if kind != 2:
        n = struct.unpack_from('I', b)[0]
        out['ids'] = list(struct.unpack_from('%di' % n, b, 4))
        f = struct.unpack_from('%di' % (2 * n), b, 4 + 4 * n)
        out['offsets'] = list(zip(f[::2], f[1::2]))
        at = 4 + 12 * n
    for name in 'decoded', 'skipped':
        n = struct.unpack_from('I', b, at)[0]
        out[name] = b[at + 4:at + 4 + n].decode('utf-8', 'replace')
        at += 4 + n
    return out


def compare(tok, batch, driver, path):
    with tempfile.TemporaryFile() as fin, tempfile.TemporaryFile() as fout:
        for kind, raw, _ in batch:
            fin.write(struct.pack('II', kind, len(raw)) + raw)
        fin.flush()
        fin.seek(0)
        subprocess.run([driver, path], stdin=fin, stdout=fout, check=True)
        fout.seek(0)
        got = fout.read()
    at = 0
    for kind, raw, x in batch:
        n = struct.unpack_from('I', got, at)[0]
        mine = got[at + 4:at + 4 + n]
        at += 4 + n
        want = oracle(tok, kind, x)
        if mine != want:
            yield kind, raw, x, split(kind, mine), split(kind, want)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('driver')
    p.add_argument('tokenizer')
    p.add_argument('--seed', type=int, default=1)
    p.add_argument('--count', type=int, default=20000)
    p.add_argument('--docs', nargs='*', default=[])
    p.add_argument('--points', action='store_true')
    p.add_argument('--show', type=int, default=10)
    args = p.parse_args()
    tok = tokenizers.Tokenizer.from_file(args.tokenizer)
    docs = [d.decode('utf-8', 'replace') for f in args.docs for d in open(f, 'rb').read(4 << 20).split(b'\0') if d.strip()]
    all_of_them = records(args, tok, docs)
    done = bad = 0
    kinds = {}
    while batch := list(itertools.islice(all_of_them, 100000)):
        for kind, raw, x, mine, want in compare(tok, batch, args.driver, args.tokenizer):
            bad += 1
            what = 'error' if 'error' in mine else ','.join(k for k in want if want[k] != mine.get(k))
            kinds[what] = kinds.get(what, 0) + 1
            if bad <= args.show:
                print(json.dumps({'kind': kind, 'text': x if isinstance(x, list) else ascii(x), 'differs': what,
                                  'ours': mine if 'error' in mine else {k: mine[k] for k in want if want[k] != mine[k]},
                                  'theirs': {k: want[k] for k in want if 'error' in mine or want[k] != mine[k]}})[:1500])
        done += len(batch)
    print('%s: %d records, %d differences %s' % (args.tokenizer, done, bad, kinds or ''))
    return bad > 0


sys.exit(main())
