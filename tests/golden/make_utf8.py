#!/usr/bin/env python3
"""Makes runners/text/utf8_tables.h (argument "tables") and tests/golden/utf8.txt (argument "golden") from Python itself.

The tables are Unicode 16's whatever Python this is, from 3.11 (Unicode 14) on: between 14 and 16 letters with a lower case came,
which `tokenizers` knows (pip install tokenizers); their lower case letters, new or old, map back to them. The golden file is this Python's.

Golden lines: "range NAME lo hi"; "map NAME cp cp..." for code points that the mapping changes; "str NAME input output" with
the strings as hex of UTF-8 ("-" for an empty one); "dec input output" for bytes.decode("utf-8", "replace").
"""
import random, sys, unicodedata as u

ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and u.category(chr(c)) != 'Cn']


def ranges(s):
    out = []
    for c in sorted(s):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def new_letters():
    """{lower: upper} of the letters that Unicode 16 has and this Python does not know"""
    from tokenizers import Regex, normalizers
    low, unassigned = normalizers.Lowercase(), normalizers.Replace(Regex(r'\p{Cn}'), '')
    known, out = set(ALL), {}
    for c in range(0x80, 0x110000):
        if c not in known and not 0xD800 <= c < 0xE000:
            x = low.normalize_str(chr(c))
            if x != chr(c) and unassigned.normalize_str(chr(c)):
                out[ord(x)] = c
    return out


def wrap(rows, each):
    for i in range(0, len(rows), each):
        print('\t' + ' '.join(rows[i:i + each]))
    print('};\n')


def simple(name, pairs):
    """a table of struct uni_map: runs of equal distance in steps of 1 or 2"""
    rows = []
    for c, d in sorted(pairs.items()):
        d -= c
        if d and rows and rows[-1][3] == d:
            r = rows[-1]
            step = c - r[1]
            if step in (1, 2) and (r[0] == r[1] or r[2] == step):
                r[1], r[2] = c, step
                continue
        if d:
            rows.append([c, c, 1, d])
    print('static const struct uni_map %s[] = {' % name)
    wrap(['{ 0x%x, 0x%x, %d, %d },' % tuple(r) for r in rows], 5)


def tables():
    cat = {c: u.category(chr(c)) for c in ALL}
    start = {c for c in ALL if chr(c).isidentifier()}
    part = {c for c in ALL if ('a' + chr(c)).isidentifier()}
    letters = {c for c in ALL if cat[c][0] == 'L' or cat[c] == 'Nl'}
    others = {c for c in ALL if cat[c] in ('Mn', 'Mc', 'Nd', 'Pc')}
    print('/* utf8_tables.h - how Python maps case, and its digits; Unicode 16, made by tests/golden/make_utf8.py. */')
    print('#ifndef ASSAY_UTF8_TABLES_H\n#define ASSAY_UTF8_TABLES_H\n\n#include "runners/text/uniprop.h"\n')
    for name, what, s in (
        ('digit_no', 'characters of category No with a digit value', [c for c in ALL if chr(c).isdigit() and cat[c] != 'Nd']),
        ('numeric_other', 'characters of other categories than N* with a numeric value', [c for c in ALL if chr(c).isnumeric() and cat[c][0] != 'N']),
        ('id_start', 'other characters than letters and Nl that may begin an identifier', start - letters),
        ('id_part', 'characters of other categories that may stand in one', part - letters - others - start),
        ('id_not_first', 'letters that may not begin one', (part & letters) - start),
        ('id_never', 'letters that may not stand in one', letters - part),
    ):
        print('/* %s */\nstatic const uint32_t %s[][2] = {' % (what, name))
        r = ['{ 0x%04x, 0x%04x },' % tuple(x) for x in ranges(s)]
        for i in range(0, len(r), 6):
            print('\t' + ' '.join(r[i:i + 6]))
        print('};\n')
    new = new_letters()
    print('/* upper case, where it is one character */')
    simple('simple_upper', {**{c: ord(chr(c).upper()) for c in ALL if len(chr(c).upper()) == 1}, **new})
    print('/* title case, where it is one character and not the upper case */')
    differ = [c for c in ALL if len(chr(c).title()) == 1 and chr(c).title() != chr(c).upper() and len(chr(c).upper()) == 1]
    simple('simple_title', {c: ord(chr(c).title()) for c in differ})
    print('/* letters whose title case is themselves and whose upper case is not */')
    print('static const uint32_t title_same[][2] = {')
    wrap(['{ 0x%04x, 0x%04x },' % tuple(x) for x in ranges(c for c in differ if chr(c).title() == chr(c))], 8)
    print('/* case folding, where it is one character and not the lower case */')
    simple('simple_fold', {c: ord(chr(c).casefold()) for c in ALL if len(chr(c).casefold()) == 1 and chr(c).casefold() != chr(c).lower() and chr(c).casefold() != chr(c)})
    print('/* letters whose case folding is themselves and whose lower case is not */')
    print('static const uint32_t fold_same[][2] = {')
    wrap(['{ 0x%04x, 0x%04x },' % tuple(x) for x in ranges(c for c in ALL if chr(c).casefold() == chr(c) != chr(c).lower())], 8)
    for name in 'upper', 'title', 'casefold':
        print('/* full mappings to more than one character: str.%s() */\nstatic const uint32_t full_%s[][4] = {' % (name, name))
        m = [(c, [ord(x) for x in getattr(chr(c), name)()]) for c in ALL]
        r = ['{ ' + ', '.join('0x%04x' % x for x in ([c] + v + [0, 0])[:4]) + ' },' for c, v in m if len(v) > 1 or
             name == 'title' and len(chr(c).upper()) > 1]
        for i in range(0, len(r), 4):
            print('\t' + ' '.join(r[i:i + 4]))
        print('};\n')
    print('#endif')


def hexs(s):
    b = s if isinstance(s, bytes) else s.encode('utf-8')
    return b.hex() or '-'


def golden():
    for name, f in (('space', str.isspace), ('digit', str.isdigit), ('alpha', str.isalpha), ('alnum', str.isalnum),
                    ('upper', str.isupper), ('lower', str.islower), ('punct', lambda x: u.category(x)[0] == 'P'), ('decimal', str.isdecimal),
                    ('numeric', str.isnumeric), ('titled', lambda x: u.category(x) == 'Lt'), ('printable', str.isprintable), ('idstart', str.isidentifier), ('idpart', lambda x: ('a' + x).isidentifier())):
        for lo, hi in ranges(c for c in ALL if f(chr(c))):
            print('range', name, '%x %x' % (lo, hi))
    for lo, hi in ranges(ALL):
        print('range assigned %x %x' % (lo, hi))
    for name in 'lower', 'upper', 'title', 'casefold':
        for c in ALL:
            m = getattr(chr(c), name)()
            if m != chr(c):
                print('map', name, '%x' % c, ' '.join('%x' % ord(x) for x in m))
    rnd = random.Random(7)
    pool = [chr(c) for c in ALL if chr(c).lower() != chr(c) or chr(c).upper() != chr(c)]
    ign = list("\u2024\u0387'\u2027\uff07.\uff0e\ufe52\ufe13\u05f4\ufe55\u00b7\u2018\u2019:\uff1a\u055f\u00ad\u0301\u0345\u02b0^`")
    sp = list(' \t\n\x1c\x1f\x85\xa0\u2003\u3000\u200b\u180e')
    mix = list('aBzZ \u00df\u0149\u0130\u01c4\u01c5\u1fb3\ufb03\u03a3\u03c3\u03c2\u0391\u4e2d1-_\U0001f600\U00010400\u10d0\u13a0')
    fixed = ['', 'hello world', "they're bill's friends", '\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3', '\u00dfeta', '\u0149x',
             '\u0130stanbul', '\u01c6 \u01c4 \u01c5', '\ufb03ne', '\u03a3', 'A\u03a3', 'A\u03a3.', "A'\u03a3'b", 'A\u03a3\u0345', '\u0345\u03a3',
             '  x  ', '\x1c\x1dx\x85', ' ', '\x00a\x00']
    strs = fixed + [''.join(rnd.choice(rnd.choice([pool, ign, sp, mix, mix, ['\u03a3']])) for _ in range(rnd.randint(1, 12)))
                    for _ in range(300)]
    for s in strs:
        for name in 'lower', 'upper', 'title', 'capitalize', 'strip', 'lstrip', 'rstrip':
            print('str', name, hexs(s), hexs(getattr(s, name)()))
    comb = list('e\u0301\u0327\u0308\u00e9\u1e69\u0323\ufb01\u00bd\u2460\uac00\u1100\u1161\u11a8\u212b\u03a9\u2126\u0f73\u0344\u2fa1\uff21\u3392x ')
    for _ in range(300):
        s = ''.join(rnd.choice(rnd.choice([comb, comb, pool])) for _ in range(rnd.randint(1, 10)))
        for form in 'NFC', 'NFD', 'NFKC', 'NFKD':
            print('str', form, hexs(s), hexs(u.normalize(form, s)))
    lead = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff]
    for n in 1, 2:
        for i in range(len(lead) ** n):
            b = bytes(lead[i // len(lead) ** k % len(lead)] for k in range(n))
            print('dec', hexs(b), hexs(b.decode('utf-8', 'replace')))
    for _ in range(800):
        b = bytes(rnd.choice(lead) for _ in range(rnd.randint(3, 8)))
        print('dec', hexs(b), hexs(b.decode('utf-8', 'replace')))


{'tables': tables, 'golden': golden}[sys.argv[1]]()
