#!/usr/bin/env python3
"""Makes tests/golden/tokenizer_parts.json: tokenizers trained with PyPI's `tokenizers` (0.23) on this project's own documents, one for each
model kind and component and their options, with what `tokenizers` encodes and decodes with them.

Training gives another model each time, so the trained models are those of the tokenizer_parts.json that is there: the rest of the file
is made again, byte for byte. `--train` trains new ones.

Usage: make_tokenizer_parts.py [--train] OUT.json [DIR]   (DIR: write each tokenizer as DIR/NAME/tokenizer.json, too)
"""
import base64, itertools, json, os, struct, sys
from tokenizers import Tokenizer, models, trainers, pre_tokenizers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from make_tokenizer import TEXTS as OLD_TEXTS, bl, meta, seq, split, template, added

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, '..', '..')
FOREIGN = ['\u4eca\u5929\u5929\u6c14\u5f88\u597d\uff0c\u6211\u4eec\u53bb\u516c\u56ed\u3002', '\u3053\u308c\u306f\u672c\u3067\u3059\u3002\u30ab\u30e1\u30e9\u30fc\u3082\u3042\u308b', '\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a \u0434\u0435\u043b\u0430? \u0401\u043b\u043a\u0430',
           'caf\u00e9 na\u00efve Stra\u00dfe \u00c5ngstr\u00f6m \u0130stanbul', '\u0915\u094d\u0937\u0947\u0924\u094d\u0930 \u0939\u093f\u0928\u094d\u0926\u0940', '\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48\u0e01\u0e33', '\u0627\u0644\u0633\u0644\u0627\u0645 \u0639\u0644\u064a\u0643\u0645', 'e\u0301 a\u030a\u0323 \ufb01n \u2460 \u2122 \uff21\uff22\uff23']


def corpus():
    return open(os.path.join(TOP, 'COPYING'), encoding='utf-8').read().splitlines() + FOREIGN * 5


TRAIN = '--train' in sys.argv
ARGS = [a for a in sys.argv[1:] if a != '--train']
KEPT = {} if TRAIN else json.load(open(os.path.join(HERE, 'tokenizer_parts.json')))['families']


def trained(name, model, trainer, pre):
    """name: of a tokenizer that has the model as it is."""
    if KEPT:
        return KEPT[name]['tokenizer']['model']
    t = Tokenizer(model)
    t.pre_tokenizer = pre
    t.train_from_iterator(corpus(), trainer)
    return json.loads(t.to_str())['model']


def unigram():
    return trained('unigram', models.Unigram(), trainers.UnigramTrainer(vocab_size=220, unk_token='<unk>', special_tokens=['<pad>', '</s>', '<unk>'], show_progress=False,
                                                             initial_alphabet=['\u2581', 'e', 't']), pre_tokenizers.Metaspace())


def wordpiece():
    return trained('bert-11n1', models.WordPiece(unk_token='[UNK]'), trainers.WordPieceTrainer(vocab_size=290, special_tokens=['[PAD]', '[UNK]', '[CLS]', '[SEP]'], show_progress=False),
                   pre_tokenizers.BertPreTokenizer())


def wordlevel():
    return trained('level-whitespace', models.WordLevel(unk_token='<unk>'), trainers.WordLevelTrainer(vocab_size=200, special_tokens=['<unk>', '<s>'], show_progress=False), pre_tokenizers.Whitespace())


def bpe(name, suffix='', bytes=True, prefix=''):
    kw = dict(end_of_word_suffix=suffix) if suffix else {}
    if prefix:
        kw['continuing_subword_prefix'] = prefix
    alphabet = pre_tokenizers.ByteLevel.alphabet() if bytes else []
    return trained(name, models.BPE(unk_token=None if bytes else '<unk>', **({'end_of_word_suffix': suffix} if suffix else {}), **({'continuing_subword_prefix': prefix} if prefix else {})),
                   trainers.BpeTrainer(vocab_size=300, special_tokens=['<unk>', '<s>', '</s>'], show_progress=False, initial_alphabet=alphabet, **kw),
                   pre_tokenizers.ByteLevel() if bytes else pre_tokenizers.Whitespace())


def charsmap(rules):
    """SentencePiece's table: a double array (darts-clone's units) over the keys, and the replacements behind it."""
    text, place, trie = b'', {}, {}
    for key, new in rules.items():
        if new not in place:
            place[new] = len(text)
            text += new.encode() + b'\0'
        node = trie
        for b in key.encode():
            node = node.setdefault(b, {})
        node[-1] = place[new]
    units, todo, low = {0: 0}, [(0, trie)], 1
    while todo:
        at, node = todo.pop()
        labels = [0 if b < 0 else b for b in node]
        base = low
        while any((base ^ b) in units for b in labels):
            base += 1
        low += all(base ^ b == low for b in labels)
        offset = at ^ base
        units[at] |= (offset << 10 if offset < 1 << 21 else (offset >> 8) << 10 | 1 << 9) | (1 << 8 if -1 in node else 0)
        for b, child in node.items():
            units[base ^ max(b, 0)] = 1 << 31 | child if b < 0 else b
        todo += [(base ^ b, child) for b, child in node.items() if b >= 0]
    size = (max(units) | 255) + 1
    blob = struct.pack('<I', 4 * size) + b''.join(struct.pack('<I', units.get(i, 0)) for i in range(size))
    return {'type': 'Precompiled', 'precompiled_charsmap': base64.b64encode(blob + text).decode()}


RULES = {'\uff21': 'A', '\uff22': 'B', '\uff23': 'C', '\u2122': 'TM', '\ufb01': 'fi', '\u2460': '1', '\u3000': ' ', '\t': ' ', '\n': ' ', '\r': ' ', '\x1e': '', '\u200b': '', '\u00ad': '', 'a\u030a': '\u00e5', 'e\u0301': '\u00e9',
         '\u1100\u1161': '\uac00', 'x': 'xx', 'q': '', '\r\n': '\n', '\u0e33': '\u0e4d\u0e32', '\u212b': '\u00c5', '\U0001f468': 'man', 'abc': 'z', '\u2026': '...', '\u00bd': ' 1\u20442', '\u0915\u094d': 'k', '\U0001f1e9': 'D'}


def tok(model, norm=None, pre=None, post=None, dec=None, add=()):
    names = model['vocab'] if isinstance(model['vocab'], dict) else {p: i for i, (p, _) in enumerate(model['vocab'])}
    out, n = [], len(model['vocab'])
    for content, flags in add:
        out.append(added(content, names.get(content, n), flags))
        n += content not in names
    return {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': sorted(out, key=lambda a: a['id']), 'normalizer': norm, 'pre_tokenizer': pre,
            'post_processor': post, 'decoder': dec, 'model': model}


def bert(clean=True, chinese=True, accents=None, lower=True):
    return {'type': 'BertNormalizer', 'clean_text': clean, 'handle_chinese_chars': chinese, 'strip_accents': accents, 'lowercase': lower}


def suite():
    S = {}
    uni, wp, wl = unigram(), wordpiece(), wordlevel()
    piece = {p: i for i, (p, _) in enumerate(uni['vocab'])}
    pad = [('<pad>', 's'), ('</s>', 's'), ('<unk>', 's')]
    metadec = meta()
    S['unigram'] = tok(uni, None, meta(), template([], ['</s>'], {'</s>': 1}), metadec, pad)
    S['unigram-t5'] = tok({k: uni[k] for k in ('unk_id', 'vocab')}, charsmap(RULES), seq('pretokenizers', {'type': 'WhitespaceSplit'}, meta()), template([], ['</s>'], {'</s>': 1}), metadec, pad + [('<extra_id_0>', 's'), ('<E>', 'n')])
    S['unigram-whole'] = tok(uni, seq('normalizers', charsmap(RULES), {'type': 'Replace', 'pattern': {'Regex': ' {2,}'}, 'content': ' '}), meta('first', False), None, metadec, pad)
    S['unigram-plain'] = tok(uni, None, None, None, None)
    S['unigram-bytes'] = tok(uni | {'vocab': uni['vocab'] + [['<0x%02X>' % b, -9.5] for b in range(256)], 'byte_fallback': True}, None, meta('never'), None,
                             seq('decoders', {'type': 'ByteFallback'}, {'type': 'Fuse'}, {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 0}), pad)
    S['unigram-some-bytes'] = tok(uni | {'vocab': uni['vocab'] + [['<0x%02X>' % b, -9.5] for b in range(0x80, 0xe3)], 'byte_fallback': True}, None, meta(), None, metadec)
    S['unigram-byte-level'] = tok(unigram() | {'vocab': [['<unk>', 0]] + [[c, -5 - i / 7] for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))] + [['th', -3.1], ['\u0120th', -2.9], ['e\u0120', -3]], 'unk_id': 0},
                                  {'type': 'ByteLevel'}, None, bl(trim=True), bl())
    S['unigram-pre-byte-level'] = tok(S['unigram-byte-level']['model'], None, bl(prefix=True), bl(prefix=True, trim=True), bl())
    ties = [['<unk>', -1.5], ['a', -1], ['b', -1], ['ab', -2], ['aa', -2.0], ['aaa', -3e0], ['ba', -20e-1], ['aab', -2.9999999999999996], ['aaaa', 0.4e1], ['c', -0.1], ['cc', -0.2], ['ccc', -0.30000000000000004],
            ['the', -0], ['th', -1e-5], ['e', -1.00000000000000000000001], ['h', -1.2345678901234567e19], ['t', -3.2985000610351562], ['he', -11.543751402773303], ['', -2], ['\u00e9', -8]]
    S['unigram-ties'] = tok(dict(type='Unigram', unk_id=0, vocab=ties, byte_fallback=False), None, None, None, {'type': 'Fuse'})
    S['unigram-unk-high'] = tok(dict(type='Unigram', unk_id=3, vocab=ties, byte_fallback=False), None, {'type': 'WhitespaceSplit'}, None, {'type': 'Fuse'})
    S['unigram-twice'] = tok(dict(type='Unigram', unk_id=1, vocab=[['a', -5], ['<u>', 0], ['b', -1], ['ab', -9], ['a', -1], ['ab', -1.5], ['b', -7], [' ', -3]], byte_fallback=False), None, None, None, {'type': 'Fuse'})
    S['unigram-known-unknown'] = tok(dict(type='Unigram', unk_id=0, vocab=[['<unk>', 0], ['the', -1], ['\u4eca\u5929', -700], ['<0xE4>', -1], ['t', -30], ['cat', -999]], byte_fallback=True), None, None, None, {'type': 'ByteFallback'})
    for name, norm in dict(nmt={'type': 'Nmt'}, accents=seq('normalizers', {'type': 'NFKD'}, {'type': 'StripAccents'}), strip={'type': 'StripAccents'}, charsmap=charsmap(RULES),
                           empty=charsmap({'zzz': 'z'})).items():
        S['norm-' + name] = tok(uni, norm, meta(), None, metadec, [('<E\u0301>', 'n'), ('<unk>', 's')])
    marks = {'[CLS]': wp['vocab']['[CLS]'], '[SEP]': wp['vocab']['[SEP]']}
    bertpost = {'type': 'BertProcessing', 'sep': ['[SEP]', marks['[SEP]']], 'cls': ['[CLS]', marks['[CLS]']]}
    wpadd = [(t, 's') for t in ('[PAD]', '[UNK]', '[CLS]', '[SEP]')]
    for c, h, a, l in itertools.product((True, False), (True, False), (None, True, False), (True, False)):
        if (c, h) != (False, False) or a is None:
            S['bert-%d%d%s%d' % (c, h, {None: 'n', True: '1', False: '0'}[a], l)] = tok(wp, bert(c, h, a, l), {'type': 'BertPreTokenizer'}, bertpost if c else None, {'type': 'WordPiece', 'prefix': '##', 'cleanup': h}, wpadd)
    S['wordpiece-short'] = tok({k: v for k, v in wp.items() if k != 'type'} | {'max_input_chars_per_word': 5}, None, {'type': 'WhitespaceSplit'}, bertpost, {'type': 'WordPiece', 'prefix': '', 'cleanup': True}, wpadd)
    S['wordpiece-no-prefix'] = tok(wp | {'continuing_subword_prefix': ''}, None, {'type': 'Whitespace'}, None, {'type': 'WordPiece', 'prefix': '##', 'cleanup': False})
    S['wordpiece-strange-prefix'] = tok(wp | {'continuing_subword_prefix': '#?'}, bert(), {'type': 'BertPreTokenizer'}, None, None)
    S['wordpiece-whole'] = tok(wp | {'max_input_chars_per_word': 100000}, None, None, None, {'type': 'WordPiece', 'prefix': '##', 'cleanup': True})
    S['cleanup'] = tok(dict(type='WordLevel', unk_token='.', vocab={t: i for i, t in enumerate([' .', 'a ,b', "do n't ' x", "I 'm", ' do not ', "'s 's", " 've 're", '?', '!', '.', "##'", ' ! ? .', 'the', '', 'cat', "n't", 'do not'])}),
                       None, {'type': 'WhitespaceSplit'}, None, {'type': 'WordPiece', 'prefix': '##', 'cleanup': True})
    for name, pre in dict(whitespace={'type': 'Whitespace'}, delimiter={'type': 'CharDelimiterSplit', 'delimiter': '-'}, wide={'type': 'CharDelimiterSplit', 'delimiter': '\u3002'}, scripts={'type': 'UnicodeScripts'},
                          length={'type': 'FixedLength'}, one={'type': 'FixedLength', 'length': 1}, three={'type': 'FixedLength', 'length': 3},
                          mixed=seq('pretokenizers', {'type': 'UnicodeScripts'}, {'type': 'FixedLength', 'length': 4}, {'type': 'CharDelimiterSplit', 'delimiter': 'e'}), bert={'type': 'BertPreTokenizer'}).items():
        S['level-' + name] = tok(wl, None, pre, None, None, [('<s>', 's'), ('cat', 'w')])
    S['level-untyped'] = tok({'vocab': wl['vocab'], 'unk_token': '<unk>'}, {'type': 'Lowercase'}, {'type': 'WhitespaceSplit'}, None, None)
    b = bpe('roberta-11')
    for trim, prefix in itertools.product((True, False), (True, False)):
        S['roberta-%d%d' % (trim, prefix)] = tok(b, None, bl(prefix=prefix), {'type': 'RobertaProcessing', 'sep': ['</s>', b['vocab']['</s>']], 'cls': ['<s>', b['vocab']['<s>']], 'trim_offsets': trim, 'add_prefix_space': prefix}, bl(),
                                                 [('<s>', 's'), ('</s>', 's'), ('<mask>', 'ls')])
    S['roberta-then-template'] = tok(b, None, bl(), seq('processors', {'type': 'RobertaProcessing', 'sep': ['</s>', b['vocab']['</s>']], 'cls': ['<s>', b['vocab']['<s>']], 'trim_offsets': True, 'add_prefix_space': False},
                                                        template(['<s>'], [], {'<s>': b['vocab']['<s>']})), bl(), [('<s>', 's'), ('</s>', 's')])
    S['bpe-byte-normalizer'] = tok(b, {'type': 'ByteLevel'}, split('\u0120', 'MergedWithNext', False, 'String'), None, bl(), [('<E>', 'n')])
    S['bpe-suffix'] = tok(bpe('bpe-suffix', '</w>', False), bert(), {'type': 'BertPreTokenizer'}, None, {'type': 'BPEDecoder', 'suffix': '</w>'}, [('<s>', 's')])
    S['bpe-prefix'] = tok(bpe('bpe-prefix', '', False, '##'), None, {'type': 'Whitespace'}, None, {'type': 'WordPiece', 'prefix': '##', 'cleanup': False}, [('<s>', 's')])
    S['bpe-decoder-empty'] = tok(bpe('bpe-decoder-empty', '', False), None, {'type': 'Whitespace'}, None, seq('decoders', {'type': 'BPEDecoder', 'suffix': ''}, {'type': 'Fuse'}))
    return S


TEXTS = OLD_TEXTS + FOREIGN + ['\uff21\uff22\u2122\x1eg \x1ecat', '\x1e\x1e', 'q', 'qq\u00adcat x', 'a\r\nb\rc\n', 'a\u030a\u0301b e\u0301\u0323', '\u1100\u1161\u11a8 \uac00', '\U0001f468\u200d\U0001f469 \U0001f1e9\U0001f1ea', 'Apples are \u308a\u3093\u3054 \u6797\u6a8e', ' \u3000 12 ab',
                               "I do not . like 's , it 'm ' x !", '[CLS] a [SEP] [MASK]', 'aaaabaabcccaaa', 'the\u4eca\u5929\u4ecacat', 'x' * 101, 'supercalifragilistic unaffable', '\ufeff\u200b\u200ea\ue000b\ufffd', 'abcabd', '<E\u0301> <E>', '<mask>  <mask>a', '#? ##the']

if __name__ == '__main__':
    out = {}
    for name, t in suite().items():
        T = Tokenizer.from_str(json.dumps(t))
        if len(ARGS) > 1:
            os.makedirs(os.path.join(ARGS[1], name), exist_ok=True)
            json.dump(t, open(os.path.join(ARGS[1], name, 'tokenizer.json'), 'w'))
        cases = []
        for text in TEXTS:
            e, s = T.encode(text, add_special_tokens=False), T.encode(text, add_special_tokens=True)
            cases.append({'ids': e.ids, 'ids_special': s.ids, 'off': [x for o in e.offsets for x in o], 'dec': T.decode(e.ids, skip_special_tokens=False),
                          'dec_skip': T.decode(s.ids, skip_special_tokens=True)})
        out[name] = {'tokenizer': t, 'cases': cases}
    json.dump({'texts': TEXTS, 'families': out}, open(ARGS[0], 'w'), ensure_ascii=True, separators=(',', ':'))
