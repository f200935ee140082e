#!/usr/bin/env python3
"""Makes runners/text/uni_tables.h and uni_case.h from what PyPI `tokenizers` itself does with every code point (Oniguruma's properties for
patterns; the tables of its Rust crates for normalizers and pre-tokenizers), and from Perl's Unicode data which code points
exist since Unicode 9.0 (the version whose normal forms `tokenizers` computes).

usage: make_unitables.py tables > runners/text/uni_tables.h; make_unitables.py case > runners/text/uni_case.h        needs: pip install tokenizers; perl
"""
import contextlib
import io
import subprocess
import sys
from tokenizers import Regex, normalizers, pre_tokenizers, __version__

CPS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
TEXT = ''.join(map(chr, CPS))
GC = 'Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn'.split()
HIGH = 0x33800  # from here to the private planes only tags and variation selectors are assigned
PAGE = 128


def removed(pre):
    gone = bytearray(b'\1' * len(TEXT))
    for _, (a, b) in pre.pre_tokenize_str(TEXT):
        gone[a:b] = bytes(b - a)
    return {c for c, g in zip(CPS, gone) if g}


def prop(p):
    return removed(pre_tokenizers.Split(Regex(p), 'removed'))


def perl(code):
    return [int(x) for x in subprocess.run(['perl', '-e', code], capture_output=True, text=True, check=True).stdout.split()]


def ranges(s):
    out = []
    for c in sorted(s):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def wrap(items, width=118):
    line = '\t'
    for x in items:
        if len(line) + len(x) + 4 > width:
            print(line.rstrip())
            line = '\t'
        line += x + ' '
    print(line.rstrip())


def script_names():
    names = subprocess.run(['perl', '-MUnicode::UCD=prop_values,prop_value_aliases', '-e',
                            'print join(" ", prop_value_aliases("sc", $_)), "\\n" for prop_values("sc")'],
                           capture_output=True, text=True, check=True).stdout.splitlines()
    late = [['Kawi'], ['Nagm', 'Nag_Mundari'], ['Gara', 'Garay'], ['Gukh', 'Gurung_Khema'], ['Krai', 'Kirat_Rai'], ['Onao', 'Ol_Onal'],
            ['Sunu', 'Sunuwar'], ['Todr', 'Todhri'], ['Tutg', 'Tulu_Tigalari']]
    known = sorted({tuple(n.split()) for n in names if n.split()} | {tuple(n) for n in late})
    return [n for n in known if n[0] not in ('Zyyy', 'Zinh', 'Zzzz', 'Hrkt')] + [('Zyyy', 'Common'), ('Zinh', 'Inherited', 'Qaai')]


def main():
    props = {}
    gc = {}
    for g in GC:
        if g == 'Cs':
            continue
        for c in prop(r'\p{%s}' % g):
            gc[c] = g
    for c in range(0xD800, 0xE000):
        gc[c] = 'Cs'
    props['UNI_ALPHABETIC'] = prop(r'\p{Alphabetic}')
    props['UNI_UPPERCASE'] = prop(r'\p{Uppercase}')
    props['UNI_LOWERCASE'] = prop(r'\p{Lowercase}')
    props['UNI_SPACE'] = prop(r'\p{White_Space}')
    props['UNI_EMOJI'] = prop(r'\p{Emoji}')
    props['UNI_PICTOGRAPH'] = prop(r'\p{Extended_Pictographic}')
    digits = pre_tokenizers.Digits()
    props['UNI_NUMERIC'] = {c for c in CPS if len(digits.pre_tokenize_str('a%s' % chr(c))) == 2}
    props['UNI_PUNCT'] = removed(pre_tokenizers.Punctuation('removed'))
    bert = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    props['UNI_CONTROL'] = {c for c in CPS if not bert.normalize_str(chr(c))}
    accents = normalizers.StripAccents()
    props['UNI_ACCENT'] = {c for c in CPS if not accents.normalize_str(chr(c))}
    props['UNI_AGE9'] = set(perl(r'for (0..0x10ffff) { next if $_ >= 0xd800 && $_ < 0xe000; print "$_\n" if chr($_) =~ /\p{Present_In: 9.0}/ }'))
    for p in (r'\s', r'[[:space:]]'):
        assert prop(p) == props['UNI_SPACE']
    assert prop(r'\d') == {c for c in CPS if gc[c] == 'Nd'}
    word = props['UNI_ALPHABETIC'] | {c for c in CPS if gc[c] in ('Mn', 'Mc', 'Me', 'Nd', 'Pc')}
    assert prop(r'\w') == word | {0xb2, 0xb3, 0xb9, 0xbc, 0xbd, 0xbe} and prop('[[:word:]]') == word
    assert removed(pre_tokenizers.WhitespaceSplit()) == props['UNI_SPACE']

    tuples, code = {}, {}
    alphabet = [chr(c) for c in range(0x21, 0x7f) if chr(c) not in '"\\?']
    for c in range(0x110000):
        t = (gc[c],) + tuple(n for n in props if c in props[n])
        if t not in tuples:
            tuples[t] = alphabet[len(tuples)]
        code[c] = tuples[t]
    pages, index = [], []
    for at in range(0, HIGH, PAGE):
        p = ''.join(code[c] for c in range(at, at + PAGE))
        if p not in pages:
            pages.append(p)
        index.append(pages.index(p))
    runs = []
    for c in range(HIGH, 0x110000):
        if not runs or runs[-1][1] != code[c]:
            runs.append([c, code[c]])

    print('/* uni_tables.h - properties of every code point; made by tests/golden/make_unitables.py from tokenizers %s.' % __version__)
    print(' *\n * A code point has a class, a printable character; uni_class_props says which properties a class has.\n */')
    print('#ifndef ASSAY_UNI_TABLES_H\n#define ASSAY_UNI_TABLES_H\n')
    print('const uint64_t uni_class_props[128] = {')
    for t, ch in tuples.items():
        print("\t['%s'] = UNI_%s%s," % (ch.replace("'", "\\'"), t[0].upper(), ''.join(' | ' + x for x in t[1:])))
    print('};\n\n/* the page of code points below UNI_HIGH, by cp / %d */' % PAGE)
    print('const uint16_t uni_page[UNI_HIGH / UNI_PAGE] = {')
    wrap(['%d,' % i for i in index])
    print('};\n\nconst char uni_pages[][UNI_PAGE + 1] = {')
    for p in pages:
        print('\t"%s",' % p)
    print('};\n\n/* above: where a run of one class begins */\nstatic const struct {\n\tuint32_t from;\n\tchar class;\n} high[] = {')
    wrap(["{ 0x%x, '%s' }," % (a, b.replace("'", "\\'")) for a, b in runs])
    print('};\n\n/* scripts: their names, and where their ranges are in script_ranges */')
    all_ranges, rows = [], []
    for names in script_names():
        try:
            r = ranges(prop(r'\p{%s}' % names[-1 if names[-1] != 'Qaai' else 1]))
        except Exception:
            continue
        ok = []
        for n in names:
            try:
                pre_tokenizers.Split(Regex(r'\p{%s}' % n), 'removed')
                ok.append(n)
            except Exception:
                pass
        rows.append((ok, len(all_ranges), len(r)))
        all_ranges += r
    print('static const struct {\n\tconst char *names[3];\n\tuint16_t at, n;\n} scripts[] = {')
    wrap(['{ { %s }, %d, %d },' % (', '.join('"%s"' % ''.join(x for x in n.lower() if x.isalnum()) for n in dict.fromkeys(ok)), at, n) for ok, at, n in rows])
    print('};\n\nstatic const uint32_t script_ranges[][2] = {')
    wrap(['{ 0x%x, 0x%x },' % tuple(r) for r in all_ranges])
    print('};\n\n#endif')
    print('/* uni_case.h - lower case, and equality without case; made by tests/golden/make_unitables.py from tokenizers %s. */' % __version__)
    print('#ifndef ASSAY_UNI_CASE_H\n#define ASSAY_UNI_CASE_H\n\n#include "runners/text/uniprop.h"')
    print('\n/* one-character lower case (Rust\'s char::to_lowercase): from, to, step, what is added */')
    low = normalizers.Lowercase()
    rows = []
    for c in CPS:
        m = low.normalize_str(chr(c))
        if m == chr(c):
            continue
        if len(m) != 1:
            assert c == 0x130 and m == 'i\u0307'
            continue
        d = ord(m) - c
        if rows and rows[-1][3] == d:
            r = rows[-1]
            step = c - r[1]
            if (r[0] == r[1] and step <= 2) or step == r[2]:
                r[1], r[2] = c, step
                continue
        rows.append([c, c, 1, d])
    print('static const struct uni_map lower[] = {')
    wrap(['{ 0x%x, 0x%x, %d, %d },' % tuple(r) for r in rows])
    print('};\n\n/* matching without case: a character, the smallest that it is equal to (from, to, step, what is added) */')
    cased = sorted(props['UNI_UPPERCASE'] | props['UNI_LOWERCASE'] | {c for c in CPS if gc[c] == 'Lt' or len(chr(c).casefold()) > 1 or chr(c).casefold() != chr(c)})
    text = '\x00'.join(map(chr, cased))
    smallest = {}
    for c in cased:
        if c in smallest:
            continue
        left = {i for _, (a, b) in pre_tokenizers.Split(Regex('(?i:\\x{%x})' % c), 'removed').pre_tokenize_str(text) for i in range(a, b, 1)}
        same = [d for i, d in enumerate(cased) if 2 * i not in left]
        assert c in same and c == min(same), hex(c)
        for d in same:
            smallest[d] = c
    rows = []
    for c in sorted(smallest):
        d = smallest[c] - c
        if not d:
            continue
        if rows and rows[-1][3] == d:
            r = rows[-1]
            step = c - r[1]
            if (r[0] == r[1] and step <= 2) or step == r[2]:
                r[1], r[2] = c, step
                continue
        rows.append([c, c, 1, d])
    print('static const struct uni_map folds[] = {')
    wrap(['{ 0x%x, 0x%x, %d, %d },' % tuple(r) for r in rows])
    many = {c: chr(c).casefold() for c in CPS if len(chr(c).casefold()) > 1}
    print('};\n\n/* characters that equal several others without case, and how those begin */')
    print('static const uint32_t fold_many[][2] = {')
    wrap(['{ 0x%x, 0x%x },' % tuple(r) for r in ranges(many)])
    print('};\n\nstatic const uint32_t fold_begin[][2] = {')
    wrap(['{ 0x%x, 0x%x },' % x for x in sorted({(ord(f[0]), ord(f[1])) for f in many.values()})])
    print('};\n\n#endif')


out = io.StringIO()
with contextlib.redirect_stdout(out):
    main()
both = out.getvalue().split('/* uni_case.h')
print(both[0] if sys.argv[1:] == ['tables'] else '/* uni_case.h' + both[1], end='')
