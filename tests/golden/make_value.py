"""Writes value.json: repr of floats, ast.literal_eval and json.dumps by CPython.  usage: make_value.py > value.json"""
import ast
import json
import random
import struct
import warnings

warnings.simplefilter("ignore")
r = random.Random(3)
floats = [0.0, -0.0, 1.0, 0.1, 1e15, 1e16, 1e17, 123456789012345678.0, 0.0001, 0.00001, 1e-5, 5e-324, 1.7976931348623157e308, 2.5, 1 / 3, 1e22, 1e23,
          9007199254740993.0, 4.35, 0.3, 2e-3, 1e100, float("inf"), float("-inf"), 100.0, 123456.789]
floats += [struct.unpack("<d", r.randbytes(8))[0] for _ in range(400)] + [round(r.uniform(-1e4, 1e4), r.randint(0, 6)) for _ in range(200)]
floats = [f for f in floats if f == f]
literals = r"""1|-1|+1|1_000|0x1f|0b11|0o17|00|01|1.5|.5|5.|1e3|1E-3|1_0.0_1|1__0|_1|1_|0x|1.e2|1e|--1|-True|True|False|None|true|[]|[1, 2]|[1, 2,]|[1,,2]|(1)|(1,)|()|(1, 2)|1, 2|1,|{}|{'a': 1}|{'a': 1, 'b': [2]}|{1: 2, 1.0: 3}|{[1]: 2}|{'a'}|{'a': 1,}|{'a' 1}|'a'|"a"|'it\'s'|"it's"|'a' 'b'|'''x'''|'a\nb\t\\'|'\x41\u00e9\101\0'|'\q'|r'\n'|u'x'|b'x'|f'x'|'unterminated|'a' b|[1|1]|foo|foo()|1 + 2|1 + 2j|2j|'é'|['Ж', "ü"]| 1|1 | [ 1 , 2 ] # c|[1, # c|"\N{DASH}"|'\x4'|1a|0xg|...|99999999999999999999|9223372036854775807|-9223372036854775808|-9223372036854775809|1e400|{1: {2: {3: (4, [5])}}}|["A", "B", "C"]|{'x': None, "y": True}|(1, 'a', [2.5])|- 1|+ 2.5|-'a'|'a' + 'b'|[*[1]]|{**{}}|lambda: 1|x if 1 else 2|1 if True else 2|''|""|"""  # noqa
literals = literals.split("|") + ["[1,\n 2]", "1\n", "\n1", "'a\\\nb'", "'''a\nb'''", "'a\nb'", "[" * 60 + "]" * 60, "'\t'", "1\n2", "('a'\n'b')"]
cases = []
for text in literals:
    try:
        v = ast.literal_eval(text)
        if isinstance(v, (set, bytes, complex, type(...))) or (isinstance(v, int) and abs(v) > 2**63):
            raise ValueError("not a value here")
        if isinstance(v, int) and not -2**63 <= v < 2**63:
            raise ValueError("beyond 64 bits")
        cases.append([text, repr(v)])
    except Exception:
        cases.append([text, None])
cases = [c for c in cases if "\\x00" not in c[0]]
values = [{"a": [1, 2.5, None, True, False, "é\u2028\x7f\x1f\"\\/\b\f\n\r\t🤗"], "Z": {}, "b": [], "c": [[1], {"x": {"y": []}}]}, [], {}, "x", 1.5, 10**15, -7, [1e16, 1e-7, -0.0],
          {"b": 1, "a": 2, "é": 3, "B": 4}, [[[]]], "\ud83e\udd17 \u0000".encode("utf-16", "surrogatepass").decode("utf-16")]
dumps = []
for v in values:
    dumps.append({"value": v, "plain": json.dumps(v, ensure_ascii=False), "ascii": json.dumps(v), "sorted": json.dumps(v, sort_keys=True),
                  "compact": json.dumps(v, ensure_ascii=False, separators=(",", ":")), "indent2": json.dumps(v, ensure_ascii=False, indent=2),
                  "indent0": json.dumps(v, indent=0)})
strings = ["a", "it's", 'say "x"', "it's \"x\"", "\n\t\r\\", "\x00\x7f\x80\xa0\xad", "é你🤗", "\u2028\u200b\ufeff\ue000", "\u0378", "\U000e0001", "́", "　", ""]
print(json.dumps({"floats": [[repr(f) if f in (float("inf"), float("-inf")) else f.hex(), repr(f)] for f in floats], "literals": cases, "dumps": dumps,
                  "strings": [[s, repr(s)] for s in strings]}, indent=0))
