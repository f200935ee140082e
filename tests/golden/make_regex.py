#!/usr/bin/env python3
"""Makes regex.jsonl with Python's own re (3.11): patterns x texts -> findall, sub, split; and patterns that Python refuses.

Usage: make_regex.py > regex.jsonl
"""
import json
import re
import sys
import warnings

warnings.simplefilter("ignore")
# not here: (?i) with U+0131, which Python takes for i
assert sys.version_info[:2] == (3, 11), "the vectors are those of Python 3.11"

TEXTS = [
    "", "a", "abc ABC aBc", "The answer is 18.", "#### 72\n", "he has $1,234.50 left; 12 apples, -3 pears\n#### 1,234",
    "Let me think.\nThe answer is (B).\n", "答案是 18 个苹果。\n#### １８", "x = 3\x1c4\x1f5\x85 6\u3000 7\u2028 8\u180e9", "aaaa", "aabbaabb",
    "foo.bar\\baz [x] {y} (z)", "tab\tnew\nline\r\nend\n", "ΑΣ ας ſ K İ ı straße", "one  two   three", "é_1 ²³ ½ ⅷ 五 ١٢٣ हिन्दी",
    "A: yes\nB: no\nC: maybe\n", "\\boxed{42} and $x^2$", "'quoted' \"double\" `tick`", "2024-01-31T12:34:56", "🙂 smile 🙂🙂", "a\0b\0c", "ab\n", "\n\n",
]
PATTERNS = [
    # answer extraction as task files write it
    r"#### (\-?[0-9\.\,]+)", r"(-?[$0-9.,]{2,})|(-?[0-9]+)", r"(?s).*#### ", r"\.$", r",", r"\$", r"(-?[0-9.,]{2,})|(-?[0-9]+)",
    r"The answer is (\-?[0-9\.\,]+).", r"(?:The answer is )(-?[$0-9.,]{2,})|(-?[0-9]+)", r"(\([A-Z]\))", r"(?<=the answer is )(.*)(?=.)",
    r"(?i)the answer is \(?([ABCD])\)?", r"\b([A-D])\b", r"^(.*?)(?=\n|$)", r"(?m)^(\w): (\w+)$", r"答案是\s*(\d+)", r":[\s]*(A|B|C|D)",
    r"\\boxed{(.*?)}", r"(?:^|\n)#### *(.+)", r"(?P<int>\d+)(?:\.(?P<frac>\d+))?", r"(\d{4})-(\d{2})-(\d{2})",
    # classes
    r"\s+", r"\S+", r"\d+", r"\D+", r"\w+", r"\W+", r"[\s]", r"[\S]+", r"[^\S]", r"[\d\s]+", r"[^\w\s]", r"[\W_]+", r"[\D]", r"(?a)\w+", r"(?a)\s",
    r"(?a:\d+)\d*", r"\b", r"\B", r"\b\w", r"(?a)\b\w", r".", r"(?s).", r"[]a]", r"[^]a]", r"[a-]", r"[-a]", r"[a\-z]", r"[\]\[]", r"[[a]", r"[.]",
    r"[\x41-\x43]", r"[\u4e00-\u9fff]+", r"\u7b54", r"[\b]", r"[\n\t]", r"\x1c", r"\0", r"[\0]", r"\v|\f|\r|\a", r"\141", r"[\141\60]", r"[a-c&&b]",
    # places
    r"^", r"$", r"^a", r"a$", r"\Aa", r"b\Z", r"(?m)^", r"(?m)$", r"(?m)^\w", r"(?m)\w$", r"\n$", r"$\n", r"(?m)^$",
    # repeats and empty matches
    r"a*", r"a+", r"a?", r"a*?", r"a+?", r"a??", r"a{2}", r"a{2,}", r"a{,2}", r"a{1,2}?", r"a{,}", r"a{}", r"a{x}", r"a{1", r"{", r"}", r"a{0}", r"x*",
    r"(a|b)*", r"(a*)*", r"(a*)+", r"(?:a|ab)(?:c|bcd)?", r"|a", r"a|", r"a||b", r"()", r"(a)|b", r"(a)|(b)|(c)", r"a++b", r"(?>a+)b", r"a*+a", r"a{1,3}+",
    # groups
    r"(a)(b)?", r"(a)\1", r"(?P<x>a)(?P=x)", r"(a)(b)\2", r"(?:a)(b)", r"(?=a)", r"(?!a)\w", r"(?<=a)b", r"(?<!a)b", r"(a)?(?(1)a|b)", r"(?(1)a|b)(c)?",
    r"(?P<q>')?\w+(?(q)')", r"((a)(b))", r"(?#comment)a", r"(a)(?#x)?", r"(?i)abc", r"(?i:A)bc", r"(?i)a(?-i:b)c", r"(?s:.)\n", r"(?x) a  b # note", r"(?x)[ ]\#",
    r"(?im)^ABC", r"(?i)(?s)a.", r"(?i)ß", r"(?i)σ", r"(?i)k", r"(?i)s", r"(?i)[a-c]+", r"(?u)\w", r"\.", r"\-", r"\ ", r"\#", r"\!", r"\é",
    r"(?P<ä>a)(?P=ä)", r"((((((((((a))))))))))\10", r"(a)(?:(?<=a)b)?", r"(?s)(.*)\n(.*)", r"[^\n]*", r"(?m)(?<=^)\w+", r"\w+(?=\s|$)",
]
BAD = [
    "(", ")", "a)", "(a", "[", "[a", "[]", "a**", "*a", "+", "?", "a{2}{3}", "^*", r"\b+", r"\q", r"\e", r"\h", r"\R", r"\K", r"\Q", r"\p{L}", r"\z",
    r"\x4", r"\u12", r"\1", r"(a)\2", r"(a\1)", "(?P<1a>x)", "(?P<a>x)(?P<a>y)", "(?P=no)", "(?P>a)", "(?<n>a)", "(?R)", "(?z)", "a(?i)", "(?-i)a", "(?i-i",
    "[z-a]", r"[\d-z]", r"[a-\d]", "a{3,2}", "(?", "(?P", "(?P<", "(?P<a", "(?(1)a)", "(?(x)a)", "(a)(?(1)a|b|c)", "(*ACCEPT)", "\\", "[\\", "(?<=a+)b",
    "(?#x", r"[\q]", r"\8", r"\400", "a|*", "(|*)", "(?i", "(?:a",
]
SUBS = [
    (r"\s+", " "), (r"\[.*?\]", ""), (r"(\w+) (\w+)", r"\2 \1"), (r"(?P<n>\d+)", r"<\g<n>>"), (r"(\d)", r"\g<1>0"), (r"x*", "-"), (r"a*", r"\g<0>."),
    (r"(a)|(b)", r"[\1|\2]"), (r",", ""), (r"\$", ""), (r"(?s).*#### ", ""), (r"\.$", ""), (r"\b", "|"), (r"a", r"\n\t\\"), (r"a", r"\."), (r"a", r"\0"),
    (r"a", r"\141"), (r"a", r"\377"), (r"(a)(b)?", r"\2"), (r"$", "!"), (r"(?m)$", "!"), (r"^", "> "), (r"", "-"), (r"(.)", r"\1\1"), (r"\(\s*([^\)]*?)\s*\)", r"(\1)"),
    (r"a|b", "中"), (r"(?i)A", r"\\g"),
]
BAD_SUBS = [(r"a", "\\"), (r"a", r"\1"), (r"(a)", r"\2"), (r"a", r"\g<x>"), (r"a", r"\g"), (r"a", r"\g<"), (r"a", r"\g<>"), (r"a", r"\q"), (r"a", r"\400"), (r"(a)", r"\g<9>")]


def out(**kw):
    print(json.dumps(kw, ensure_ascii=True))


out(texts=TEXTS)
for p in PATTERNS:
    r = re.compile(p)
    found = [[list(x) if isinstance(x, tuple) else x for x in r.findall(t)] for t in TEXTS]
    out(pattern=p, find=found)
    if r.groups == 0:
        out(pattern=p, split=[r.split(t) for t in TEXTS])
for p, w in SUBS:
    out(pattern=p, sub=w, result=[re.sub(p, w, t) for t in TEXTS])
for p in BAD:
    try:
        re.compile(p)
    except re.error:
        out(pattern=p, bad=True)
    else:
        sys.exit(f"Python takes {p!r}")
for p, w in BAD_SUBS:
    try:
        re.sub(p, w, "a")
    except (re.error, IndexError):
        out(pattern=p, bad_sub=w)
    else:
        sys.exit(f"Python takes {w!r}")
