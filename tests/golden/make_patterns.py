#!/usr/bin/env python3
"""Makes tests/golden/patterns.json: how PyPI `tokenizers` 0.23 (Oniguruma, and Rust's Unicode tables) cuts and normalizes texts.

usage: make_patterns.py OUT.json
"cuts": a pre-tokenizer and, for each text, the offsets of its pieces (from, to, from, to, ...). "normal": a normalizer and what it makes of each text.
A pattern that Oniguruma refuses ends the script.
"""
import json
import sys

from tokenizers import Regex, Tokenizer, pre_tokenizers

TYPES = 'a\u00b2\u00b3\u00b9\u00bc\u00bd\u00be_1\u0663\u00aa\u00b7 \u4e00'            # \w outside of brackets and inside of them
SPACES = 'a \t\x0b\x0c\r\n\r\x85\u00a0\u2028\u2029\u3000\u200bz'
WORDS = "It's THE caf\u00e9, can't (x-1)  12345 \u4eca\u5929\u5929\u6c14\n\n  end "
SIGNS = 'a+b<c>$d^e`f|g~h=!"#%&\'()*,-./:;?@[\\]_{}\u00a1\u00a7\u20ac\u3001'
FOLDS = 'kK\u212aKs S\u017f\u03c3\u03c2\u03a3\u00df\u1e9e\u0130iI\u0131\u00e9\u00c9'
RUNS = 'aaaabbbaab\nab\nb'
# Unicode 15: Kawi, Nag Mundari, CJK extensions H and I; Unicode 16: Garay, Todhri, Gurung Khema, Kirat Rai, Ol Onal, outlined digits, new Latin and Cyrillic
NEW = ('x\U00011f12\U00011f52\U0001e4d0\U0001e4f1\U00031350\U0002ebf0 \U00010d50\U00010d70\U00010d40\U000105c0\U00016100\U00016130 '
       '\U00016d43\U00016d70\U0001e5d0\U0001e5f1\U0001ccf3\u1c89\u1c8a\ua7cb\ua7cc\ua7cd\ua7da\ua7dc')
NEWSIGNS = 'a\u0897b\U00011f00c\U0001e4ecd\U00010d69e\U00011f43f\U00010d6eg\U00016d6eh\U0001e5ffi\u2427j\U00011b00k\U0001ccefl\u2ffcm\U0001fabd'
ALL = [TYPES, SPACES, WORDS, SIGNS, FOLDS, RUNS, NEW, NEWSIGNS]

# one character types, properties, classes
CLASSES = r'''\w [\w] \W [\W] [^\w] \d [\d] \D \s [\s] \S \h [\h] \H \p{Word} [\p{Word}] \p{^Word} [\p{^Word}] \P{Word} [[:word:]] [[:^word:]] [^[:word:]]
[[:punct:]] [[:^punct:]] \p{Punct} [\p{Punct}] \p{P} \p{S} [\p{P}\p{S}] \p{L} \p{Lu} \p{Ll} \p{Lt} \p{Lm} \p{Lo} \p{M} \p{Mn} \p{N} \p{Nd} \p{No} \p{Nl} \p{Z} \p{Zs} \p{C} \p{Cf}
\p{^L} \P{L} \P{^Lu} [^\p{L}\p{N}] [\p{^L}] \p{Alpha} \p{Alnum} \p{Upper} \p{Lower} \p{Space} \p{White_Space} \p{Letter} \p{Han} \p{Latin} \p{Greek} \p{Any}
[[:alpha:]] [[:alnum:]] [[:digit:]] [[:upper:]] [[:lower:]] [[:space:]] [[:graph:]] [[:print:]] [[:cntrl:]] [[:blank:]] [[:xdigit:]] [^[:space:]]
[a-c[1-3]] [^a-c[^a-z]] [a-z&&[^b]] [\w&&[^\d]] [\p{L}&&[^a-z]&&[^\p{Han}]] [^a&&\w] [a-z&&b-d&&[^c]] [\w&&\p{^Word}] [[a-z]&&[:^lower:]] [a\-z] [\]\[] [-a] [a-] [\x61-\x63] [\x{4e00}-\x{9fff}]
[\u0061] \x{e9} \R \N \O . (?m:.) [\n\r] [\t\v\f\e\a] \p{Hiragana}'''.split()
# where matches begin, end, and what they hold
RULES = r'''\b \B \b\w \w\b \B\w ^ $ \A \z \Z ^. .$ (?m)a.b (?=b) (?!b) (?<=a) (?<!a) (?<=a)b (?<!a)b a(?=b) a(?!b) \s+(?!\S) \s+(?=\S) (?<=\s)\S+
a* a+ a? a*? a+? a?? a*+ a++ a?+ a{2} a{1,2} a{,2} a{2,} a{1,2}? a{2}? a{1,2}+ a{2}+ (?:ab)+ (?:a|ab)(?:b|$) (?>a|ab)b (?>a*)a a|b|c aa|a|aaa |a a| (?:|a)b (a(b)?)+ (?:a*)* (?:a?b?){2} x* .*? .+ .* \R+ \O{3}
(?i)k (?i)s (?i)[k] (?i)[^k] (?i)i (?i)[a-z] (?i)\p{Lu} (?i)\p{Ll} (?i)[A-F] (?i)K|S k(?i)s|i (?:(?i)k)s (?i:'s|'t|'re|'ve|'m|'ll|'d) (?-i:k) (?i)a(?-i)b
(?x:a\x20b) (?m:a.)b (?<name>a)b (?#comment)a a*(?#x)+b a{2}(?#x)? a(?#x)*b \Aa|b\z \w+|[^\w\s]+ [^\s]+ \d{1,3}(?=(?:\d{3})*\b) (?<=\d)(?=(?:\d{3})+(?!\d))'''.split()
RULES += ['(?i:\u03c3)', '(?i)[\u03c3]', '(?i)[^\u03c3]', '(?i)\u017f+', '(?i)[\u212a]', '(?x: a b )', '(?i)\u00e9', '\u4e00', '[\u4e00-\u4eff]+']
TAIL = r' ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+'
SHORT = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
# published families: gpt-2, llama 3, qwen 2 and 3.5, gpt-oss, deepseek, and others
FAMILIES = [r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            SHORT + r'|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|' + TAIL, SHORT + r'|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|' + TAIL,
            SHORT + r'|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+',
            r'[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+' + SHORT + r'?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*' + SHORT +
            r'?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+',
            r'\p{N}{1,3}', '[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+',
            r'''[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+''',
            ' ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+',
            r'\s?\p{L}+|\s?\p{N}+|\s?[^\s\p{L}\p{N}]+|\s+', r'[\r\n]', '\\s?[A-Za-z\u00b5\u00c0-\u00d6]+', r'\p{Han}+|[\p{L}&&[^\p{Han}]]+', r'[^\r\n]+']
SIGMAS = ['\u03a3', '\u0391\u03a3', '\u0391\u03a3.', '\u0391\u03a3\u0391', '\u0391\u03a3\u0301', '\u0391\u03a3\'\u0392', '\u0391.\u03a3 \u03a3\u0391\u03a3 1\u03a3', '\u0391\u00ad\u03a3\u00ad', '\u0391\u03a3\U00010d50', '\U0001e4d0\u03a3',
          '\u1c89\u03a3', '\u0391\u0897\u03a3\u0897\u0391', '\ua7cb\ua7da\ua7dc\U00010d51\u0130I\u1e9e']
ACCENTS = ["\u1109\u1173\u11a7\u1109\u1173\u11a8 \uc2a4\u11a7",  # U+11A7 is no final jamo
           'e\u0301\u0327', 'a\u0897b', '\U00011f12\U00011f00\U00011f03', '\U0001e4d0\U0001e4ec', '\U00010d50\U00010d69', '\u0915\u093f\u094d\u20dd', '\u1ab0\u1dff\u0f39\u0eba\u0ec8', '\u00e9\u1ed9', '\U00016100\U0001611e']


def split(pattern, behavior='Isolated', invert=False):
    try:
        Regex(pattern)
    except Exception as e:
        sys.exit('%s: %s' % (pattern, e))
    return {'type': 'Split', 'pattern': {'Regex': pattern}, 'behavior': behavior, 'invert': invert}


def tokenizer(pre, norm, model):
    return {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': [], 'normalizer': norm, 'pre_tokenizer': pre, 'post_processor': None, 'decoder': PLAIN, 'model': model}


WHOLE = {'type': 'WordLevel', 'vocab': {'<unk>': 0}, 'unk_token': '<unk>'}
BYTES = {'type': 'BPE', 'vocab': {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, 'merges': []}
PLAIN = {'type': 'ByteLevel', 'add_prefix_space': False, 'trim_offsets': False, 'use_regex': False}


def main():
    cuts = [(split(p), ALL) for p in CLASSES] + [(split(p), [WORDS, FOLDS, RUNS, '', 'ab', SPACES]) for p in RULES] + [(split(p), ALL) for p in FAMILIES]
    for behavior in 'Isolated', 'Removed', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous':
        for invert in False, True:
            cuts += [(split(p, behavior, invert), [WORDS, RUNS, '']) for p in (r'\s', r'a|b', r'(?=b)', r'\w+')]
    cuts += [(p, ALL) for p in ({'type': 'Digits', 'individual_digits': True}, {'type': 'Digits', 'individual_digits': False}, {'type': 'Punctuation', 'behavior': 'Isolated'}, {'type': 'Whitespace'},
                                {'type': 'WhitespaceSplit'}, {'type': 'BertPreTokenizer'}, {'type': 'UnicodeScripts'})]
    out = {'texts': [], 'whole': WHOLE, 'bytes': BYTES, 'plain': PLAIN, 'cuts': [], 'normal': []}

    def number(text):
        if text not in out['texts']:
            out['texts'].append(text)
        return out['texts'].index(text)

    for pre, texts in cuts:
        t = Tokenizer.from_str(json.dumps(tokenizer(pre, None, WHOLE)))
        out['cuts'].append({'pre': pre, 'of': [number(x) for x in texts], 'off': [sum(map(list, t.encode(x).offsets), []) for x in texts]})
    strip = {'type': 'StripAccents'}
    for norm, texts in [({'type': 'Lowercase'}, SIGMAS + ALL), (strip, ACCENTS + ALL), ({'type': 'Sequence', 'normalizers': [{'type': 'NFD'}, strip]}, ACCENTS + ALL), ({'type': 'NFKC'}, ACCENTS + ALL), ({'type': 'NFC'}, ACCENTS),
                        ({'type': 'BertNormalizer', 'clean_text': True, 'handle_chinese_chars': True, 'strip_accents': None, 'lowercase': True}, SIGMAS + ACCENTS + ALL)]:
        t = Tokenizer.from_str(json.dumps(tokenizer(PLAIN, norm, BYTES)))
        out['normal'].append({'norm': norm, 'of': [number(x) for x in texts], 'text': [t.decode(t.encode(x).ids) for x in texts]})
    with open(sys.argv[1], 'w') as f:
        f.write(json.dumps(out, separators=(',', ':')) + '\n')
    print('%d texts, %d pre-tokenizers, %d cases, %d normalizers, %d cases' % (len(out['texts']), len(cuts), sum(len(c['of']) for c in out['cuts']), len(out['normal']), sum(len(c['of']) for c in out['normal'])))


main()
