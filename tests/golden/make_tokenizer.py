#!/usr/bin/env python3
"""Makes tests/golden/tokenizers.json: small tokenizers, one for each component and its options, with what PyPI's
`tokenizers` (0.23) encodes and decodes with them. Also the vectors of the two tiny models in suites/models.

Usage: make_tokenizer.py OUT.json [DIR]   (DIR: write each tokenizer as DIR/NAME/tokenizer.json, too)
"""
import copy, json, os, sys
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = """the cat sat on the mat, the dog ran to the end of the road; and then there were the others. hello hello world!
low lower lowest new newer newest wide wider widest 12 123 2024 it's they're I'm can't the-final--countdown caf\u00e9 na\u00efve"""


def train(words, nmerges, mark=None):
    """A plain BPE over words (tuples of symbols): the alphabet and the merges in order."""
    words = [list(w) for w in words]
    alphabet, merges = sorted({c for w in words for c in w}), []
    for _ in range(nmerges):
        count = {}
        for w in words:
            for a, b in zip(w, w[1:]):
                count[a, b] = count.get((a, b), 0) + 1
        if not count:
            break
        best = max(sorted(count), key=lambda p: count[p])
        merges.append(best)
        for w in words:
            i = 0
            while i + 1 < len(w):
                if (w[i], w[i + 1]) == best:
                    w[i:i + 2] = [w[i] + w[i + 1]]
                i += 1
    return alphabet, merges


def byte_chars():
    bs = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    cs, n = bs[:], 0
    for b in range(256):
        if b not in bs:
            bs.append(b)
            cs.append(256 + n)
            n += 1
    return {b: chr(c) for b, c in zip(bs, cs)}


BYTES = byte_chars()


def model(kind, nmerges=60, **kw):
    if kind == 'bytes':
        words = [''.join(BYTES[b] for b in (' ' + w).encode()) for w in CORPUS.split()]
        alphabet, merges = train(words, nmerges)
        vocab = [BYTES[b] for b in range(256)]
    elif kind == 'few-bytes':
        words = [''.join(BYTES[b] for b in (' ' + w).encode()) for w in CORPUS.split()]
        vocab, merges = train(words, nmerges)
    elif kind == 'spm':
        vocab, merges = train(['\u2581' + w for w in CORPUS.split()], nmerges)
    elif kind == 'plain':
        vocab, merges = train(CORPUS.split() + [' ', '-'], nmerges)
    vocab = kw.pop('first', []) + list(vocab) + [a + b for a, b in merges]
    vocab += kw.pop('extra', [])
    vocab = list(dict.fromkeys(vocab))
    m = {'type': 'BPE', 'dropout': None, 'unk_token': None, 'continuing_subword_prefix': None, 'end_of_word_suffix': None,
         'fuse_unk': False, 'byte_fallback': False, 'ignore_merges': False}
    pairs = kw.pop('pairs', True)
    m.update(kw)
    m['vocab'] = {t: i for i, t in enumerate(vocab)}
    m['merges'] = [list(p) for p in merges] if pairs else [' '.join(p) for p in merges]
    return m


def added(content, id, flags='s'):
    return {'id': id, 'content': content, 'single_word': 'w' in flags, 'lstrip': 'l' in flags, 'rstrip': 'r' in flags,
            'normalized': 'n' in flags, 'special': 's' in flags}


def tok(model, norm=None, pre=None, post=None, dec=None, add=()):
    n = len(model['vocab'])
    out = []
    for a in add:
        content, flags = a
        if content in model['vocab']:
            out.append(added(content, model['vocab'][content], flags))
        else:
            out.append(added(content, n, flags))
            n += 1
    return {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': out, 'normalizer': norm, 'pre_tokenizer': pre,
            'post_processor': post, 'decoder': dec, 'model': model}


def seq(key, *items):
    return {'type': 'Sequence', key: list(items)}


def template(pre=(), post=(), ids={}):
    sp = lambda t: {'SpecialToken': {'id': t, 'type_id': 0}}
    single = [sp(t) for t in pre] + [{'Sequence': {'id': 'A', 'type_id': 0}}] + [sp(t) for t in post]
    return {'type': 'TemplateProcessing', 'single': single, 'pair': single + [{'Sequence': {'id': 'B', 'type_id': 1}}],
            'special_tokens': {t: {'id': t, 'ids': [ids[t]], 'tokens': [t]} for t in list(pre) + list(post)}}


def bl(prefix=False, trim=True, regex=True):
    return {'type': 'ByteLevel', 'add_prefix_space': prefix, 'trim_offsets': trim, 'use_regex': regex}


def split(pattern, behavior='Isolated', invert=False, kind='Regex'):
    return {'type': 'Split', 'pattern': {kind: pattern}, 'behavior': behavior, 'invert': invert}


def meta(scheme='always', split=True):
    return {'type': 'Metaspace', 'replacement': '\u2581', 'prepend_scheme': scheme, 'split': split}


QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPMDEC = seq('decoders', {'type': 'Replace', 'pattern': {'String': '\u2581'}, 'content': ' '}, {'type': 'ByteFallback'}, {'type': 'Fuse'},
             {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 0})
SPMNORM = seq('normalizers', {'type': 'Prepend', 'prepend': '\u2581'}, {'type': 'Replace', 'pattern': {'String': ' '}, 'content': '\u2581'})
FB = ['<unk>', '<s>', '</s>'] + ['<0x%02X>' % b for b in range(256)]


def suite():
    S = {}
    S['bytes-prefix-trim'] = tok(model('bytes'), None, bl(prefix=True), bl(prefix=True, trim=True), bl(), [('<|end|>', 's'), ('dog', '')])
    S['bytes-trim'] = tok(model('bytes', pairs=False), None, bl(), bl(prefix=False, trim=True), bl(), [('<|end|>', 's')])
    m = model('bytes', ignore_merges=True, extra=['\u0120then\u0120', '\u0120qu', 'cats'])
    S['bytes-nfc-split'] = tok(m, {'type': 'NFC'}, seq('pretokenizers', split(QWEN), bl(regex=False)),
                               seq('processors', bl(trim=True), template(['<b>'], ['<e>'], {'<b>': len(m['vocab']), '<e>': len(m['vocab']) + 1})),
                               bl(), [('<b>', 's'), ('<e>', 's'), ('  ', 'n')])
    S['bytes-missing'] = tok(model('few-bytes'), None, bl(), None, bl())
    S['bytes-missing-unk'] = tok(model('few-bytes', unk_token='<unk>', first=['<unk>']), None, bl(), None, bl())
    S['bytes-not-last'] = tok(model('bytes'), None, seq('pretokenizers', bl(), {'type': 'Digits', 'individual_digits': True}), None, bl())
    S['spm-fallback'] = tok(model('spm', first=FB, unk_token='<unk>', fuse_unk=True, byte_fallback=True), SPMNORM, None,
                            template(['<s>'], [], {'<s>': 1}), SPMDEC, [('<unk>', 's'), ('<s>', 's'), ('</s>', 's')])
    for name, kw in ('fuse', dict(fuse_unk=True)), ('nofuse', dict(fuse_unk=False)):
        S['spm-' + name] = tok(model('spm', first=['<unk>'], unk_token='<unk>', **kw), SPMNORM, None, None, SPMDEC, [('<unk>', 's')])
    S['spm-few-bytes'] = tok(model('spm', first=FB[:170], unk_token='<unk>', byte_fallback=True, fuse_unk=True), SPMNORM, None, None, SPMDEC)
    S['drop-unknown'] = tok(model('plain'), None, None, None, None)
    for scheme in 'always', 'first', 'never':
        for sp in True, False:
            S['metaspace-%s-%s' % (scheme, sp)] = tok(model('spm', first=['<unk>'], unk_token='<unk>'), {'type': 'Strip', 'strip_left': True,
                'strip_right': scheme == 'first'}, meta(scheme, sp), None, meta(scheme, sp), [('<x>', 's'), ('[m]', 'n')])
    for b in 'Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous':
        S['split-' + b] = tok(model('plain', 0), None, split('-', b, False, 'String'), None, {'type': 'Fuse'})
        S['split-invert-' + b] = tok(model('plain', 90), None, split('[a-z]+', b, True), None, {'type': 'Fuse'})
        S['punctuation-' + b] = tok(model('plain', unk_token='-', ), None, {'type': 'Punctuation', 'behavior': b}, None, {'type': 'Fuse'})
    for name, p in dict(word=r'\w+|\W', digit=r'\d+|\D', hex=r'\h+', inverted=r'[^\w\s]+', escape='[\\u0061-\\u0065]+', repeat=r'\d{1,2}+|.',
                        upto=r'[a-z]{,2}', lines=r'^.|.$', look=r'(?<=t)h|e(?= )|x*', case=r'(?i:THE|S)+', group=r'(a|e)(?:t|n)?', possessive=r'[a-z]++t?',
                        posix=r'[[:alpha:]]+', anchors=r'\A.|.\z', brace=r't{|\{').items():
        S['regex-' + name] = tok(model('plain', 10, unk_token='!'), None, split(p, 'Isolated'), None, {'type': 'Fuse'})
    S['digits-each'] = tok(model('plain'), None, {'type': 'Digits', 'individual_digits': True}, None, None)
    S['digits'] = tok(model('plain', unk_token='!'), None, {'type': 'Digits', 'individual_digits': False}, None, None)
    S['whitespace'] = tok(model('plain', unk_token='!', fuse_unk=True), None, {'type': 'Whitespace'}, None, None)
    S['whitespace-split'] = tok(model('plain', unk_token='!'), None, {'type': 'WhitespaceSplit'}, None, None)
    for f in 'NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase':
        S[f.lower()] = tok(model('plain', unk_token='!', extra=['e', '\u0301', '\u0327', 'f', 'i', 's', '1', '2']), {'type': f}, None, None, {'type': 'Fuse'},
                           [('<X\u00c9>', 'n'), ('\u212b', 's')])
    S['replace-regex'] = tok(model('plain', unk_token='!'), seq('normalizers', {'type': 'Replace', 'pattern': {'Regex': '[0-9]+'}, 'content': 'the'},
                             {'type': 'Replace', 'pattern': {'String': 'cat'}, 'content': ''}), None, None,
                             seq('decoders', {'type': 'Replace', 'pattern': {'Regex': 't+'}, 'content': 'TT'}, {'type': 'Strip', 'content': 'e', 'start': 0, 'stop': 1}))
    pre = model('plain', 0)
    v, ms = train([[w[0]] + ['##' + c for c in w[1:]] for w in CORPUS.split()], 0)
    pre['vocab'] = {t: i for i, t in enumerate(v + ['[u]', 'th', '##at', 'the', '##th'])}
    pre.update(continuing_subword_prefix='##', unk_token='[u]', merges=[['t', '##h'], ['##a', '##t'], ['th', '##e'], ['##t', '##h']])
    S['prefix'] = tok(pre, None, {'type': 'WhitespaceSplit'}, None, {'type': 'Fuse'})
    suf = model('plain', 0)
    v, ms = train([list(w[:-1]) + [w[-1] + '</w>'] for w in CORPUS.split()], 40)
    suf['vocab'] = {t: i for i, t in enumerate(v + [a + b for a, b in ms] + ['[u]'])}
    suf.update(end_of_word_suffix='</w>', unk_token='[u]', merges=[list(p) for p in ms])
    S['suffix'] = tok(suf, None, {'type': 'WhitespaceSplit'}, None, seq('decoders', {'type': 'Replace', 'pattern': {'String': '</w>'}, 'content': ' '}))
    S['added-flags'] = tok(model('plain', unk_token='!'), {'type': 'Lowercase'}, None, None, {'type': 'Fuse'},
                           [('<l>', 'ls'), ('<r>', 'rs'), ('<lr>', 'lr'), ('word', 'w'), ('Yes', 'n'), ('No', 'nw'), ('<S>', 's'), ('<SS>', ''), ('the', 'w')])
    S['special-normalized'] = tok(model('plain', unk_token='!'), {'type': 'Lowercase'}, None, None, {'type': 'Fuse'},
                                  [('<S>', 'sn'), ('<B>', 's'), ('<b>', 'sn'), ('<x>', '')])
    S['ignore-merges'] = tok(model('plain', 20, ignore_merges=True, extra=['the cat', 'mat,', 'zebra'], unk_token='!'), None, {'type': 'WhitespaceSplit'}, None, {'type': 'Fuse'})
    S['no-decoder'] = tok(model('plain'), None, {'type': 'WhitespaceSplit'}, None, None, [('<s>', 's')])
    for d in 'tests/../suites/models/stories260k', 'tests/../suites/models/babyllama105':
        S['model:' + os.path.basename(d)] = None
    return S


TEXTS = ['', ' ', 'the cat sat on the mat', 'the-final--countdown', '--the-', ' the  cat ', 'hello world!  12 2024-01', "it's they're I'M can'T",
         'caf\u00e9 cafe\u0301 na\u00efve', '\u00c9\u0130\u1e9e \ufb01 \u2460 \u212b \u00c5 A\u030a\u0323 \uac01 \u1100\u1161\u11a8', '\u4eca\u5929 the \U0001f600 cat', 'a\u0000b\r\n\t c',
         '<s>the</s> <s> cat<unk>', ' <l>  <r>  <lr>  x <lr>y', 'word words word. sword yes Yes YES no No noon', '<S>the<SS><s>', '<|end|> dog dogs<|end|>',
         '<b>low  lower<e>   newest', '<x> the [m] cat [m]', 'zebra the cat mat,', 'ff\n\nfe  \n0x1F\u00a0\u180e\u2003x', 'the\nThe\nTHE thethe t{e}', '\u212b<X\u00c9><x\u00e9>',
         '\u2581the\u2581 \u2581cat', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa hellohellohellohellohellohello', 'lowest_newer\u203fwidest \u00b2\u00bd\u2167',
         'cat123cat45', 'e\u0327\u0301 e\u0301\u0327 \u1e69 s\u0307\u0323']

if __name__ == '__main__':
    out = {}
    for name, t in suite().items():
        if t is None:
            path = os.path.join(HERE, '..', '..', 'suites', 'models', name.split(':')[1], 'tokenizer.json')
            T = Tokenizer.from_file(path)
        else:
            T = Tokenizer.from_str(json.dumps(t))
        if len(sys.argv) > 2 and t:
            os.makedirs(os.path.join(sys.argv[2], name), exist_ok=True)
            json.dump(t, open(os.path.join(sys.argv[2], name, 'tokenizer.json'), 'w'))
        cases = []
        for text in TEXTS:
            e, s = T.encode(text, add_special_tokens=False), T.encode(text, add_special_tokens=True)
            cases.append({'ids': e.ids, 'ids_special': s.ids, 'off': [x for o in e.offsets for x in o], 'dec': T.decode(e.ids, skip_special_tokens=False),
                          'dec_skip': T.decode(s.ids, skip_special_tokens=True)})
        out[name] = {'tokenizer': t, 'cases': cases}
    json.dump({'texts': TEXTS, 'families': out}, open(sys.argv[1], 'w'), ensure_ascii=True, separators=(',', ':'))
