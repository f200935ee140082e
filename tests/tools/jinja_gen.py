"""More random templates for jinja_fuzz.py, each kind a class with template() and vars():

  Programs   statements as publishers write them: macros, call blocks, scopes, loops, white space control
  Formats    % and str.format with all kinds of conversions, numbers and their text
  Texts      methods and filters of text, on text of many scripts
  Soup       tokens in any order: which programs are refused
  Published  given templates with small damage, in random conversations
"""
import json
import os
import random
import re

from jinja_fuzz import STRINGS, Gen

TOKEN = re.compile(r"""\{%[-+]?|[-+]?%\}|\{\{-?|-?\}\}|\{\#.*?\#\}|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\w+|\s+|.""", re.S)
UNICODE = ["é", "ß", "İ", "ı", "ﬁ", "Ǆ", "ǅ", "Σ", "ς", "σ", "你", "好", "한", "글", "𝔘", "𐐀", "𐐨", "🤗", "👩‍👩‍👧", "e\u0301", "a\u0308\u0323", "\u200d", "\u00a0", "\u2028", "\u3000", "\u0345", "\u1e9e",
           "ŉ", "ΐ", "٣", "²", "½", "Ⅷ", "〇", "\u00ad", "\ufeff", "\ue000", "\x85", "\x1c", "\x0b", "\x0c", "\x00", "\x7f", "ʰ", "ª", "Ⓐ", "ﷺ", "ก", "ำ", "\u0e33", "\U0010ffff", "\ufffd", "’"]
SEPARATORS = ["none", "(',', ':')", "(', ', ': ')", "[';', '=']"]


def mutate(r, text, n):
    """n small changes of the tokens of a template."""
    t = TOKEN.findall(text)
    for _ in range(n):
        if not t:
            break
        i = r.randrange(len(t))
        k = r.random()
        tags = [m for m, x in enumerate(t) if "%" in x or "{" in x or "}" in x or x.isidentifier()]
        if tags and r.random() < .6:  # words inside and around tags rather than plain text
            i = r.choice(tags)
        if k < .3:
            del t[i]
        elif k < .5:
            t.insert(i, t[i])
        elif k < .7:
            j = r.randrange(len(t))
            t[i], t[j] = t[j], t[i]
        elif k < .85:
            t[i] = t[r.randrange(len(t))]
        else:
            t[i] = r.choice(["-", "+", "not ", "(", ")", "[", "]", ".", "|", ",", ":", "none", "0", "1", "-1", "''", "'a'", "loop", "x", "==", "in ", "is ", "and ", "or ", " if ", " else ", "{%-", "-%}", "{%", "%}", "{{", "}}",
                             "\n", " ", "\r\n", "~", "*", "//", "messages", "message", "content", "tools", "|list", "|length", "|tojson", "|trim", ".items()", "|items", "|string", "[0]", "[-1]", "[1:]", "[::-1]", ".content"])
    return "".join(t)


def exchange(r, text, n):
    """n tokens in tags exchanged for others of their kind: most such templates still parse."""
    t = TOKEN.findall(text)
    words = {"for", "in", "if", "else", "elif", "endif", "endfor", "set", "endset", "macro", "endmacro", "is", "not", "and", "or", "call", "endcall", "filter", "endfilter", "generation", "endgeneration", "break", "continue"}
    inside, kinds = False, {}
    for i, x in enumerate(t):
        inside = True if x.startswith(("{%", "{{")) else False if x.endswith(("%}", "}}")) else inside
        kind = "tag" if "{%" in x or "%}" in x else "s" if x[0] in "'\"" else "n" if x.isidentifier() and x not in words else "o" if x in ("and", "or", "+", "~", "<", ">") else "d" if x.isdigit() else "t" if not inside and x.strip() else None
        if kind and (inside or kind in ("tag", "t")):
            kinds.setdefault(kind, []).append(i)
    for _ in range(n):
        if kinds:
            kind = r.choice(list(kinds))
            i, j = r.choice(kinds[kind]), r.choice(kinds[kind])
            if kind == "tag":
                t[i] = r.choice(["{%", "{%-", "{%+"] if "{" in t[i] else ["%}", "-%}", "+%}"])
            else:
                t[i] = t[j]
    return "".join(t)


class Programs(Gen):
    VARS = {
        "messages": [{"role": "system", "content": " Be brief. "}, {"role": "user", "content": "Hi <b>ä 你好"},
                     {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1, "y": [True, None]}}}]}, {"role": "tool", "content": "{\"a\": 1}"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": ["array", "null"]}}, "required": ["x"]}}}],
        "tree": [{"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3, "kids": [{"v": 4, "kids": []}]}]}, {"v": 5, "kids": []}],
        "add_generation_prompt": True, "bos_token": "<s>", "n": 3, "zero": 0, "s": "Hello", "l": [3, 1, 2], "ls": ["b", "a", "a"], "d": {"a": 1, "b": "x"}, "pairs": [[1, 2], [3, 4]], "none_": None, "f": 2.5, "e": "", "el": [],
    }

    def vars(self):
        return self.VARS

    def name(self):
        return self.r.choice(["x", "y", "z", "s", "n", "l", "i", "j", "m", "item", "d", "loop", "caller", "varargs", "kwargs", "undefd"])

    def value(self, d=0):
        r = self.r
        if d > 2 or r.random() < .45:
            return r.choice(["x", "y", "z", "i", "n", "s", "l", "ls", "d", "m", "item", "none", "true", "1", "2", "'t'", "''", "[]", "[1, 2]", "{'k': 1}", "undefd", "messages", "messages[0]", "tools", "tree", "ns.a", "ns.b", "loop.index", "loop.first", "m.role",
                             "m['content']", "item.v", "f", "e", "el", "none_", "zero", "pairs", "(1, 'b')", "range(3)", "ns", "d.a", "d['zz']", "m.zz.y", "s.upper", "s.upper()", "d.items()", "mac", "loop", "loop.length"])
        v = lambda: self.value(d + 1)
        return r.choice([
            lambda: f"{v()} {r.choice(['+', '-', '*', '~', '~', '==', '!=', '<', '>', 'and', 'or', 'in', 'not in', '%', '//', '**', '/'])} {v()}", lambda: f"({v()})", lambda: f"not {v()}", lambda: f"{v()} if {v()}", lambda: f"{v()} if {v()} else {v()}",
            lambda: f"{self.wrap(v())}|{r.choice(['length', 'tojson', 'trim', 'upper', 'list', 'string', 'first', 'last', 'join', 'items|list', 'default(9)', 'reverse|list', 'int', 'safe', 'sort', 'e', 'tojson(indent=2)', 'map(attribute=1)|list', 'count'])}",
            lambda: f"{self.wrap(v())} is {r.choice(['', 'not '])}{r.choice(['defined', 'none', 'string', 'mapping', 'iterable', 'sequence', 'number', 'true', 'false', 'undefined', 'sameas none', 'in [1, 2]', 'odd', 'callable', 'eq 1'])}",
            lambda: f"mac({self.args(d)})", lambda: f"mac2({self.args(d)})", lambda: f"caller({self.args(d)})", lambda: f"[{v()}, {v()}]", lambda: f"{{'a': {v()}, {r.choice(['1', 's', 'n'])}: {v()}}}", lambda: f"{self.wrap(v())}[{r.choice(['0', '-1', '1:', ':-1', '::-1', '::2', '1:5:2', v()])}]",
            lambda: f"{self.wrap(v())}.{r.choice(['a', 'role', 'content', 'v', 'kids', 'items()', 'get(0)', 'index', 'upper()', 'name', 'arguments'])}", lambda: f"-{v()}", lambda: f"{v()} < {v()} <= {v()}", lambda: f"{v()} == {v()} != {v()}", lambda: f"1 in {v()} in {v()}",
            lambda: f"loop.{r.choice(['index', 'index0', 'revindex', 'revindex0', 'first', 'last', 'length', 'previtem', 'nextitem', 'depth', 'depth0', 'cycle(1, 2)', 'changed(i)', 'changed()', 'cycle()', 'zz'])}",
            lambda: f"namespace({r.choice(['', 'a=1', 'd', 'd, b=2', '**d'])})", lambda: f"dict({r.choice(['', 'd', 'a=1', 'd, zz=1', '**d', 'pairs'])})", lambda: "'a' 'b'", lambda: f"{v()}, {v()}", lambda: "raise_exception('no')" if r.random() < .2 else "1",
            lambda: "strftime_now('%d %b %Y')", lambda: f"({v()})|tojson(ensure_ascii={r.choice(['true', 'false'])}, indent={r.choice(['none', '0', '1', '4'])}, separators={r.choice(SEPARATORS)}, sort_keys={r.choice(['true', 'false'])})",
        ])()

    def args(self, d):
        r = self.r
        v = lambda: self.value(d + 1) if d < 3 else "1"
        a = [self.flat(v()) for _ in range(r.choice([0, 0, 1, 1, 2, 3]))] + [f"{r.choice(['a', 'b', 'c', 'caller', 'x'])}={self.flat(v())}" for _ in range(r.choice([0, 0, 0, 1, 2]))]
        if r.random() < .08:
            a.append("*" + r.choice(["l", "pairs", "varargs", "s", "d"]))
        if r.random() < .08:
            a.append("**" + r.choice(["d", "kwargs", "{'a': 2}", "{1: 2}"]))
        if r.random() < .05:
            a.append("")
        return ", ".join(a)

    def flat(self, v):
        return f"({v})" if ", " in v else v

    def params(self):
        r = self.r
        names = r.sample(["a", "b", "c", "x", "s", "caller", "kwargs", "varargs"], r.choice([0, 1, 1, 2, 2, 3]))
        k = r.randint(0, len(names))
        return ", ".join(n if i < k and r.random() < .97 else f"{n}={self.flat(self.value(2))}" for i, n in enumerate(names))

    def tag(self, inside):
        r = self.r
        return "{%" + r.choice(["", "", "-", "-", "+"]) + r.choice([" ", " ", "", "\n ", "  "]) + inside + r.choice([" ", " ", "", "\n", "\t"]) + r.choice(["", "", "-", "-", "+"]) + "%}"

    def text(self):
        return self.r.choice(["", "", " ", "\n", "\n\n", "  \n  ", "a", "X\n", "\n  b", "\t", "  ", "\r\n", "\r", " \r\n ", "\n\t", "a ", "\x0b\n", "\u00a0", "{", "}", "%}", "#", "é\n", "- ", "\f", "\u2028 "])

    def out(self, e):
        r = self.r
        return "{{" + r.choice(["", "", "-", "+"]) + " " + e + " " + r.choice(["", "", "-"]) + "}}"

    def stmt(self, depth):
        r = self.r
        k = r.random()
        body = lambda: self.body(depth + 1)
        value = lambda: self.value(1)
        if depth > 4 or k < .33:
            return self.out(self.value())
        if k < .45:
            return self.tag("if " + value()) + body() + "".join(self.tag("elif " + value()) + body() for _ in range(r.choice([0, 0, 0, 1, 2]))) + (self.tag("else") + body() if r.random() < .5 else "") + self.tag("endif")
        if k < .62:
            target = r.choice(["i", "i", "m", "item", "x", "i, j", "i, (x, y)", "m, ", "k, v", "loop"] if r.random() < .05 else ["i", "i", "m", "item", "x", "i, j"])
            seq = r.choice(["messages", "tree", "l", "ls", "d", "d.items()", "d|items", "pairs", "range(3)", "range(n)", "s", "e", "el", "undefd", "item.kids", "m.tool_calls", "l|reverse", "messages[::-1]", "l if n else ls", "ls|map('upper')", "messages|selectattr('role', 'eq', 'user')",
                            "l, ls", "[x, y]", "loop", "varargs", "kwargs.items()", "tree|map(attribute='kids')", "namespace()", value()])
            extra = r.choice(["", "", "{% break %}", "{% continue %}", "{%- if loop.index == 2 %}{% continue %}{% endif -%}", "{% if not loop.first %}{% break %}{% endif %}", "{% set x = i %}", "{% set ns.a = i %}", "{% set ns.b = ns.b ~ i %}", "{{ loop(item.kids) }}",
                              "{{ loop(item.kids) if item.kids }}", "{{ loop.previtem }}", "{{ loop.nextitem.v }}", "{{ loop.changed(i, x) }}", "{{ loop.index ~ loop.length }}", "{% set outer = loop %}{% for q in ls %}{{ outer.index }}{{ loop.index }}{% endfor %}", "{{ loop.cycle(*ls) }}",
                              "{{ loop.depth }}", "{% macro mac() %}{{ loop.index }}{{ i }}{% endmacro %}", "{% if loop.last %}|{% endif %}"])
            return self.tag(f"for {target} in {seq}" + (f" if {self.value(2)}" if r.random() < .2 else "") + r.choice(["", "", "", " recursive"])) + extra + body() + (self.tag("else") + body() if r.random() < .25 else "") + self.tag("endfor")
        if k < .74:
            return self.tag(f"set {r.choice(['x', 'y', 'z', 'ns.a', 'ns.b', 's', 'l', 'x, y', 'ns.a, x', 'ns', 'i', 'mac', 'x, (y, z)', 'n', 'outer.a', self.name()])} = {value()}")
        if k < .79:
            return self.tag(f"set {r.choice(['x', 'y', 'ns.a', self.name()])}{r.choice(['', '', ' | upper', ' | trim', ' | length', ' | replace(s, x)', ' | tojson'])}") + body() + self.tag("endset")
        if k < .83:
            return self.tag("with" + r.choice(["", f" x = {self.flat(value())}", f" x = 1, y = x", f" x, y = {self.flat(value())}", f" ns = namespace(a=x), z = {self.flat(value())}"])) + body() + self.tag("endwith")
        if k < .86:
            return self.tag("filter " + r.choice(["upper", "trim", "replace('a', x)", "indent(2)", "length", "title", "e", "indent(width=n, first=true)", "trim|upper", "tojson", "default(x)", "lower|indent"])) + body() + self.tag("endfilter")
        if k < .92:
            return self.tag(f"macro {r.choice(['mac', 'mac', 'mac2'])}({self.params()})") + body() + r.choice(["", "{{ a }}", "{{ a }}{{ b }}{{ c }}", "{{ varargs }}{{ kwargs }}", "{{ caller() }}", "{{ caller(1, 2) if caller }}", "{% set x = 9 %}{{ x }}", "{{ mac2(a) }}", "{% if n %}{% set n = n - 1 %}{{ mac(n) }}{% endif %}",
                                                                                                     "{% if a is number and a > 0 %}{{ mac(a - 1) }}{% endif %}", "{% for v in varargs %}{{ v }}{% endfor %}"]) + self.tag("endmacro")
        if k < .955:
            return self.tag(f"call{r.choice(['', '', '(q)', '(q, w=3)', '(x, y=x)', '()'])} {r.choice(['mac', 'mac', 'mac2', 'caller', 'ns.f', 's.upper'])}({self.args(2)})") + body() + r.choice(["", "{{ q }}", "{{ x }}{{ caller is defined }}"]) + self.tag("endcall")
        if k < .975:
            return r.choice(["{# c #}", "{#- c -#}", "{#+ c +#}\n", "\n  {# c\n #}\n", "{% raw %} {{ x }} {% endraw %}", "{%- raw -%}\n {% if %}\n {%- endraw -%}\n", "  {%+ raw %} \n{%+ endraw +%}\n", "{#-#}", "{##}", "{% raw %}{% raw %}{% endraw %}", "{#%}#}", "{%- raw %}{#{% endraw -%}"])
        if k < .99:
            return self.tag(r.choice(["generation", "generation", "autoescape false", "scoped"])) + body() + self.tag(r.choice(["endgeneration", "endgeneration", "endautoescape"]))
        return r.choice(["{% print x, y %}", "{% print %}", "{% else %}", "{{ x", "{% do x %}", "{% set x %}", "{{ }}", "{%%}", "{%- -%}", "{{ x }} }}", "{% endfor %}", "{% if x: %}a{% endif %}", "{% for i in l: %}{{ i }}{% endfor: %}"])

    def template(self):
        r = self.r
        head = r.choice(["{%- set ns = namespace(a=0, b='') %}", "{% set ns = namespace(a=1) %}", ""])
        head += r.choice(["", "{% macro mac(a, b=2) %}[{{ a }}|{{ b }}|{{ caller(a) if caller }}]{% endmacro %}", "{%- macro mac(a=n, b=a) -%} {{ a }}{{ b }}{{ kwargs }}{{ varargs }} {%- endmacro -%}", "{% macro mac2(x, c='q') %}{{ x }}{{ c }}{{ s }}{% endmacro %}"])
        t = head + "".join(self.text() + self.stmt(0) for _ in range(r.randint(1, 4))) + self.text()
        return mutate(r, t, r.choice([1, 2])) if r.random() < .15 else t


class Formats(Gen):
    VARS = {"n": 7, "m": -3, "z": 0, "f": 2.5, "g": -0.125, "big": 1e16, "big2": 123456789012345678, "max": 9223372036854775807, "min": -9223372036854775808, "tiny": 5e-324, "huge": 1.7976931348623157e308, "third": 0.1, "pi": 3.14159265358979, "t": True,
            "s": "text", "u": "né🤗", "e": "", "l": [1, "a"], "d": {"a": 1, "b": {"c": "x"}, "k y": 2}, "nil": None, "num": " 12 ", "hex": "0x1F", "us": "1_000", "fl": "-1.5e3"}
    NUMS = ["n", "m", "z", "f", "g", "big", "big2", "max", "min", "tiny", "huge", "third", "pi", "t", "0", "1", "-1", "10", "0.0", "-0.0", "1e16", "1e15", "123456.0", "1e22", "1e-5", "0.0001", "9.5", "0.5", "1.5", "2.675", "1e100", "999999.5", "99999.95", "1e300*1e10", "-1e300*1e10",
            "(1e300*1e10)*0", "1_000", "0x_ff", "0b101", "0o17", "1_0.2_5", "12345678", "1e1", "1E+2", "5e-1", "00", "0_0", "1.0e5", "4503599627370496.5", "9007199254740993", "0.1+0.2", "100", "255", "65", "128516"]

    def vars(self):
        return self.VARS

    def num(self, d=0):
        r = self.r
        if d > 2 or r.random() < .4:
            return r.choice(self.NUMS)
        a, b = self.num(d + 1), self.num(d + 1)
        return r.choice([lambda: f"({a} {r.choice(['+', '-', '*', '/', '//', '%'])} {b})", lambda: f"({a}) ** {r.choice(['2', '-1', '0', '0.5', 't'])}", lambda: f"{r.choice(['n', 'm', '2', '-1', '10', '255', '0', '7'])} ** {r.choice(['2', '3', '63', '10', '0', '-2', 'n', 't'])}", lambda: f"-{a}", lambda: f"({a})|round({r.choice(['', '0', '1', '2', '3', '-1', '-2', '15'])})", lambda: f"({a})|round({r.choice(['0', '1', '2'])}, '{r.choice(['floor', 'ceil', 'common'])}')", lambda: f"({a})|abs",
                         lambda: f"({a})|int", lambda: f"({a})|float", lambda: f"'{r.choice(['12', ' 7 ', '1_0', '-5', '+5', '0x1f', '1e3', '.5', '5.', 'nan', '-inf', 'x', '', '٣', '1__0', '0b1', '1 2', '９'])}'|{r.choice(['int', 'float', 'int(9)', 'float(1.5)', 'int(0, 16)', 'int(0, 0)', 'int(0, 2)', 'int(base=8)'])}",
                         lambda: f"[{a}, {b}]|{r.choice(['sum', 'max', 'min', 'sort|first'])}", lambda: f"({a})|filesizeformat", lambda: f"({a})|filesizeformat(true)"])()

    def arg(self):
        r = self.r
        return self.num(1) if r.random() < .6 else r.choice(["s", "u", "e", "l", "d", "nil", "missing", "num", "(1, 2)", "'%'", "true", "'é'", "[[]]", "{}"])

    def percent(self):
        r = self.r
        one = lambda: "%" + r.choice(["", "", "", "(a)", "(b)", "(k y)"] if r.random() < .15 else [""]) + "".join(r.sample(["-", "+", " ", "0", "#"], r.choice([0, 0, 1, 1, 2, 3]))) + r.choice(["", "", "5", "8", "12", "1", "*", "20"] if r.random() < .9 else ["0", "100", "-3"]) + \
            r.choice(["", "", ".0", ".2", ".", ".10", ".*", ".17"]) + r.choice(["", "", "", "l", "h", "L"] if r.random() < .1 else [""]) + r.choice(["s", "d", "i", "u", "f", "F", "e", "E", "g", "G", "x", "X", "o", "c", "r", "a", "%", "s", "d", "f"] if r.random() < .97 else ["b", "q", "", "y", "é"])
        f = r.choice(["", "a", "é "]) + r.choice(["", "|"]).join(one() for _ in range(r.choice([1, 1, 1, 2, 3])))
        args = self.arg() if r.random() < .3 else "d" if "%(" in f else "(" + "".join(self.arg() + ", " for _ in range(f.count("%") + f.count("*"))) + ")"
        return f"'{f}' % {args}" if r.random() < .8 else f"'{f}'|format({self.arg()}{', ' + self.arg() if r.random() < .5 else ''})"

    def spec(self):
        r = self.r
        return r.choice(["", "", "", "*", "0", "é", "🤗", " ", "<", "}"] if r.random() < .3 else [""]) + r.choice(["", "", "<", ">", "^", "="]) + r.choice(["", "", "", "+", "-", " "]) + r.choice(["", "", "", "", "z"] if r.random() < .1 else [""]) + r.choice(["", "", "", "#"]) + r.choice(["", "", "", "0"]) + r.choice(["", "", "5", "12", "1", "20"]) + \
            r.choice(["", "", "", ",", "_"]) + r.choice(["", "", ".0", ".2", ".5", ".", ".17", ".10"]) + r.choice(["", "", "d", "s", "f", "F", "e", "E", "g", "G", "%", "x", "X", "o", "b", "c", "n", "r"])

    def braces(self):
        r = self.r
        field = lambda: r.choice(["", "", "", "0", "1", "a", "0.real", "0[0]", "d[a]", "d[b][c]", "d[k y]", "0[1]", "a.b", "0.upper", "-1", "0[-1]", "d.items", "0.__class__"] if r.random() < .3 else [""]) + r.choice(["", "", "", "!r", "!s", "!a"] + (["!x", "!"] if r.random() < .1 else [])) + \
            r.choice([":" + self.spec(), ":" + self.spec(), "", ":{}", ":{1}", ":.{}f", ":{}{}"] if r.random() < .95 else [":{:}", ":{{}}"])
        f = r.choice(["", "x", "{{", "}}", "é"]) + r.choice(["", "|"]).join("{" + field() + "}" for _ in range(r.choice([1, 1, 2]))) + (r.choice(["{", "}", "}}}"]) if r.random() < .04 else "")
        return f"'{f}'.format({', '.join([self.arg() for _ in range(r.choice([1, 1, 2, 3]))] + r.choice([[], [], ['a=' + self.arg()], ['d=d']]))})"

    def template(self):
        r = self.r
        e = r.choice([self.percent, self.percent, self.braces, self.braces, self.num, lambda: f"[{self.num()}, {self.num()}]", lambda: f"({self.num()}) {r.choice(['==', '<', '>=', '!=', 'in', '~'])} [{self.num()}]|first", lambda: f"{{ {self.num()}: {self.num()}, {self.num()}: 2 }}",
                      lambda: f"[{self.num()}, s, {self.num()}]|tojson", lambda: f"'%s' % ({self.num()},)", lambda: f"({self.num()}) is {r.choice(['odd', 'even', 'integer', 'float', 'number', 'divisibleby 3', 'lt 5', 'eq 1.0', 'in [1, 2]', 'divisibleby 0'])}", lambda: f"s[{self.num()}]", lambda: f"range(10)[{r.choice(['', '-3', 'n', 'max', 'min'])}:{r.choice(['', '5', 'min', 'max'])}:{r.choice(['', '2', '-2', 'max', 'min', '0'])}]|list",
                      lambda: f"'abcdefé🤗'[{r.choice(['', '-3', 'n', 'max', 'min', 'nil', 'f', 't'])}:{r.choice(['', '5', 'min', 'max', '-2'])}:{r.choice(['', '2', '-2', 'max', 'min', '0', '-1'])}]", lambda: f"'ab' * ({self.num()})", lambda: f"({self.num()})|string|length", lambda: f"{self.num()} < {self.num()} < {self.num()}"])()
        return "{{ " + e + " }}"


class Texts(Gen):
    def __init__(self, r):
        super().__init__(r)
        self.v = None

    def piece(self):
        r = self.r
        pool = r.choice([UNICODE, "abcABC xyz", " \t\n\r", "aA1 _-.,'\"", UNICODE + list("ab C1 \n'")])
        return "".join(r.choice(pool) for _ in range(r.choice([0, 1, 2, 3, 5, 8, 20])))

    def vars(self):
        self.v = self.v or {k: self.piece() for k in "stuvw"} | {"l": [self.piece() for _ in range(4)], "n": 3, "d": {self.piece(): self.piece() for _ in range(3)}}
        return self.v

    def str(self, d=0):
        r = self.r
        if d > 2 or r.random() < .3:
            return r.choice(["s", "t", "u", "v", "w", "s", "t", "l[0]", "l|join", "'ab'", "' '", "''", "'\\n'", "s[0]", "t[-1]", "s[:2]"])
        a, b, c = self.wrap(self.str(d + 1)), self.wrap(self.str(d + 1)), self.str(d + 2)
        i = r.choice(["0", "1", "2", "5", "9", "-1", "-2", "20", "none"])
        j = r.choice(["0", "1", "3", "-1", "8"])
        return r.choice([
            f"{a}.{r.choice(['upper', 'lower', 'title', 'capitalize', 'swapcase', 'casefold', 'strip', 'lstrip', 'rstrip'])}()", f"{a}.{r.choice(['strip', 'lstrip', 'rstrip', 'removeprefix', 'removesuffix'])}({b})", f"{a}.replace({b}, {c})", f"{a}.replace({b}, {c}, {j})",
            f"{a}.{r.choice(['center', 'ljust', 'rjust'])}({j}, {b})", f"{a}.{r.choice(['center', 'ljust', 'rjust', 'zfill', 'expandtabs'])}({j})", f"{a}.expandtabs()", f"{a}.join({self.wrap(self.lst(d + 1))})", f"{a}.{r.choice(['partition', 'rpartition'])}({b})[{r.choice('012')}]",
            f"{a} ~ {b}", f"{a} + {b}", f"{a} * 2", f"{a}[{i}:{j}]", f"{a}[::{r.choice(['-1', '2', '-2', '3'])}]", f"{a}|{r.choice(['upper', 'lower', 'title', 'capitalize', 'trim', 'reverse', 'escape', 'e', 'forceescape', 'striptags', 'urlencode', 'string', 'safe', 'tojson', 'pprint', 'first', 'last'])}", f"{a}|trim({b})", f"{a}|replace({b}, {c})",
            f"{a}|replace({b}, {c}, {j})", f"{a}|indent({j})", f"{a}|indent({b}, true, true)", f"{a}|truncate({j})", f"{a}|truncate({j}, true, {b}, 0)", f"{a}|wordwrap({r.choice(['1', '3', '6', '10'])})", f"{a}|wordwrap(5, false)", f"{a}|wordwrap(4, true, {b})", f"{a}|center({j})",
            f"{self.wrap(self.lst(d + 1))}|join({b})", f"{a}|tojson(ensure_ascii=true)", f"{a}|e|replace({b}, {c})", f"({a}|e) + {b}", f"({a}|safe).join({self.wrap(self.lst(d + 1))})", f"({a}|e)|upper", f"'%s-%r' % ({a}, {b})", f"'{{!r:>8}}|{{!a}}'.format({a}, {b})", f"{a}|regex_replace({b}, {c})", f"{a}|regex_replace('\\\\w+', '<\\\\g<0>>')",
            f"{a}|regex_replace('(\\\\s)|(.)', '\\\\2\\\\1', 3)", f"{a}|xmlattr" if d else f"{{'a': {a}, 'b': {b}}}|xmlattr", f"{{{a}: {b}}}|urlencode", f"{a}|format({b})"])

    def lst(self, d=0):
        r = self.r
        if d > 2 or r.random() < .3:
            return r.choice(["l", "d", "d.items()", "[s, t]", "s", "t|list", "d.keys()", "d.values()|list", "l[1:]"])
        a, b = self.wrap(self.str(d + 1)), self.wrap(self.str(d + 1))
        m = self.wrap(self.lst(d + 1))
        i = r.choice(["0", "1", "2", "-1"])
        return r.choice([f"{a}.split()", f"{a}.split({b})", f"{a}.split({b}, {i})", f"{a}.rsplit({b}, {i})", f"{a}.rsplit(none, {i})", f"{a}.split(none, {i})", f"{a}.splitlines()", f"{a}.splitlines(true)", f"{a}.partition({b})", f"{a}.rpartition({b})", f"{a}|list", f"{m}|list", f"{m}|sort", f"{m}|sort(true, true)", f"{m}|unique|list",
                         f"{m}|unique(true)|list", f"{m}|map('upper')|list", f"{m}|map('length')|list", f"{m}|reverse|list", f"{m}|select('in', {a})|list", f"{m}|batch(2, {a})|list", f"{m}|slice(2, {a})|list", f"d|dictsort", f"d|dictsort(true, 'value')", f"{m}|map('trim')|list", f"{m}|map('replace', {a}, {b})|list", f"{m}|groupby(0)|list", f"{m}|map(attribute=0)|list",
                         f"{m}|max", f"{m}|min(true)"])

    def template(self):
        r = self.r
        self.v = None
        a, b = self.wrap(self.str()), self.wrap(self.str(1))
        i, j = r.choice(["0", "1", "-1", "3", "-3", "9"]), r.choice(["0", "1", "-1", "3", "9"])
        e = r.choice([a, a, f"{a} ~ {b}", self.lst(), self.lst(), f"[{a}, {b}]", f"{a}.{r.choice(['find', 'rfind', 'count', 'startswith', 'endswith', 'index', 'rindex'])}({b}{r.choice(['', ', ' + i, f', {i}, {j}'])})", f"{a}.is{r.choice(['alpha', 'digit', 'alnum', 'space', 'upper', 'lower', 'title', 'numeric', 'decimal', 'identifier', 'ascii', 'printable'])}()",
                      f"{a} {r.choice(['<', '==', 'in', '>=', 'not in'])} {b}", f"{a}|length", f"{a}|wordcount", f"{a} is {r.choice(['lower', 'upper', 'string', 'escaped', 'in ' + b])}", f"{{{a}: {b}}}", f"{a}|int", f"{a}|float"])
        return "{{ " + e + " }}"


class Soup(Gen):
    WORDS = ["for", "in", "if", "else", "elif", "endif", "endfor", "set", "endset", "macro", "endmacro", "call", "endcall", "filter", "endfilter", "with", "endwith", "is", "not", "and", "or", "loop", "recursive", "x", "y", "l", "s", "1", "2.5", "'a'", "\"b\"", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|", "=", "==", "<", "*", "**",
             "//", "%", "~", "-", "+", "upper", "join", "list", "length", "items", "caller", "break", "continue", "generation", "endgeneration", "print", "\n", "none", "true", "defined", "eq", ".5", "1.", "1e5", "0x", "_", "é", "!=", ">=", "!", ";", "@", "$", "..", "...", "autoescape", "raw", "endraw", "do", "import", "block", "None", "null"]
    VARS = {"x": 1, "y": [1, 2], "l": ["a", "b"], "s": "str", "f": None}

    def vars(self):
        return self.VARS

    def template(self):
        r = self.r
        k = r.random()
        if k < .35:
            t = r.choice(["{{ ", "{% set x = ", "{% if 1 %}{{ "]) + " ".join(r.choice(self.WORDS) for _ in range(r.randint(1, 5))) + r.choice([" }}", " %}", " }}{% endif %}"])
        elif k < .6:
            t = r.choice(["{%", "{%-", "{% for", "{% set", "{% macro f(", "{% call", "{% with", "{% filter"]) + " " + r.choice([" ", ""]).join(r.choice(self.WORDS) for _ in range(r.randint(1, 6))) + " %}" + r.choice(["", "{% endfor %}", "{% endif %}", "{% endset %}", "{% endmacro %}", "{% endcall %}", "{% endwith %}", "{% endfilter %}"])
        else:
            t = mutate(r, r.choice([
                "{% for i, (a, b) in [(1, (2, 3))] if i recursive %}{{ loop.index }}{% else %}x{% endfor %}", "{% macro f(a, b=1, *c) %}{{ a }}{% endmacro %}{{ f(1, b=2) }}", "{% call(u) f(1, *l, **{}) %}{{ u }}{% endcall %}", "{{ x if y else s }}{{ x if y }}", "{{ l[1:2, 3] }}{{ l[::2] }}{{ y[0,] }}",
                "{% set x, y = 1, 2 %}{% set ns.a = 1 %}{% set x | upper %}a{% endset %}", "{% with a = 1, b = a %}{{ a }}{% endwith %}", "{{ not x is not defined and x not in y or -x ** 2 }}", "{% filter upper|trim %}a{% endfilter %}", "{{ x is divisibleby 3 }}{{ x is eq(1) }}{{ s is in l }}", "{{ {'a': 1, 'b': [1, 2, (3,)],} }}",
                "{%- raw -%} a {%- endraw -%} {#- c -#} {%+ if x +%} b {%- endif %}", "{{ 'a' 'b' \"c\" ~ 1 + 2 * 3 ** 4 // 5 % 6 }}", "{% if x %}{% elif y %}{% else %}{% endif %}", "{{ s.upper().lower()[0].title()|join(',')|list|first }}", "{{ (x, y) }}{{ (x,) }}{{ () }}{{ x, y }}", "{% print x, y, %}{% autoescape false %}a{% endautoescape %}",
                "{{ x.0 }}{{ y.1.real }}{{ 1.5.real }}{{ 1 .real }}", "{{ f(a=1, b=2, **k) }}{{ f(*a, b=1) }}", "{% for i in y %}{% if i %}{% break %}{% endif %}{% continue %}{% endfor %}", "{% generation %}{{ x }}{% endgeneration %}", "{{ s|default(1, true)|replace('a', 'b')|map('upper', 1, a=2) }}", "{{ - - + x }}{{ x - -1 }}{{ not not x }}",
                "{{ 'a\\n\\x41\\u00e9\\'\\\\\\q\\101\\0' }}", "{{ x == 1 < 2 >= 3 != 4 in y not in l }}", "{{ -x|abs }}{{ (-x)|abs }}{{ x|abs + 1 }}{{ -x.y[0]() }}{{ 2**-1 }}{{ 2**3**2 }}", "{% set x = y if x else z if y else l %}{{ x }}", "{% for x in y if x else l %}{% endfor %}", "{% for x in y or l recursive %}{% endfor %}", "{{ x is not none }}{{ x is string is true }}{{ x is (y) }}",
            ]), r.choice([1, 1, 2, 3]))
        return t if r.random() < .7 else r.choice(["a\n", " ", "\r\n  "]) + t + r.choice(["\n", "\n b", "\r\n"])


class Published(Gen):
    """Templates of a folder, most of them with some tokens changed."""

    def __init__(self, r, folder):
        super().__init__(r)
        self.files = sorted(os.listdir(folder))
        self.text_of = {f: open(os.path.join(folder, f), encoding="utf-8").read() for f in self.files}

    def words(self):
        r = self.r
        return r.choice(["Hi", "", " a b ", "Weather in 北京?", "<think>\nhm\n</think>\n\nOk", "<think>x", "a</think>b", "line\n\nline\r\n", "🤗 é", "[INST] x [/INST]", "{\"a\": 1}", "<|im_end|>", "'q' \"d\" \\ <b>&", "\n x \n", "1", "<tool_response>\ny\n</tool_response>", "/no_think", "{{ x }}"])

    def json(self, d=0):
        r = self.r
        k = r.random()
        if d > 2 or k < .6:
            return r.choice([None, True, False, 0, 1, -2, 2.5, 1e20, self.words(), self.words(), "string", [], {}])
        if k < .8:
            return [self.json(d + 1) for _ in range(r.randint(0, 3))]
        return {r.choice(["a", "type", "name", "é", "b c", "items", "keys", "description"]): self.json(d + 1) for _ in range(r.randint(0, 3))}

    def schema(self, d=0):
        r = self.r
        s = {"type": r.choice(["string", "integer", "number", "boolean", "array", "object", ["string", "null"], "null", None, "any"])}
        if s["type"] == "object" or (d == 0 and r.random() < .8):
            s["properties"] = {r.choice(["city", "unit", "n", "é", "items"]): self.schema(d + 1) for _ in range(r.randint(0, 3))} if d < 3 else {}
            s["required"] = [k for k in s["properties"] if r.random() < .5]
        if s["type"] == "array" and r.random() < .8:
            s["items"] = self.schema(d + 1) if d < 3 else {"type": "string"}
        for k, v in (("description", self.words()), ("enum", ["a", "b", 1]), ("default", self.json(2)), ("nullable", True), ("title", "T"), ("minimum", 0), ("oneOf", [{"type": "string"}]), ("format", "x")):
            if r.random() < .2:
                s[k] = v
        if r.random() < .05:
            s.pop("type")
        return s

    def tool(self):
        r = self.r
        f = {"name": r.choice(["get_weather", "f", "browser", "python", "code_interpreter"]), "description": self.words(), "parameters": self.schema()}
        for k in list(f):
            if r.random() < .06:
                f.pop(k)
        if r.random() < .2:
            f["return"] = self.schema(1)
        return {"type": "function", "function": f} if r.random() < .8 else r.choice([f, {"function": f}, "tool", {"type": "retrieval"}])

    def content(self):
        r = self.r
        k = r.random()
        if k < .65:
            return self.words()
        if k < .72:
            return None
        part = lambda: r.choice([{"type": "text", "text": self.words()}, {"type": "image"}, {"type": "image_url", "image_url": {"url": "u"}}, {"type": "audio"}, {"type": "video", "video": "v"}, {"text": self.words()}, {"type": "text", "content": self.words()}, self.words(), {"type": "thinking", "thinking": self.words()}, {"type": "tool_use"}])
        return [part() for _ in range(r.randint(0, 3))] if k < .95 else self.json()

    def call(self):
        r = self.r
        args = r.choice([{"city": "北京", "days": 2}, {}, "{\"a\": 1}", self.json(), {"x": self.json(), "y": self.json()}])
        f = {"name": r.choice(["get_weather", "f"]), "arguments": args}
        if r.random() < .06:
            f.pop(r.choice(list(f)))
        c = {"id": r.choice(["call12345", "123456789", "", "x"]), "type": "function", "function": f} if r.random() < .85 else f
        if r.random() < .1 and "id" in c:
            c.pop("id")
        return c

    def message(self, role):
        r = self.r
        m = {"role": role, "content": self.content()}
        if role == "assistant" and r.random() < .35:
            m["tool_calls"] = [self.call() for _ in range(r.choice([0, 1, 1, 2, 3]))] if r.random() < .95 else None
        if role == "assistant" and r.random() < .3:
            m[r.choice(["reasoning_content", "reasoning", "thinking", "thought", "tool_plan", "thinking_blocks"])] = r.choice([self.words(), "", None])
        if role in ("tool", "function", "ipython") or r.random() < .05:
            m.update({k: v for k, v in (("tool_call_id", r.choice(["call12345", "123456789"])), ("name", "get_weather")) if r.random() < .7})
        if r.random() < .05:
            m.pop(r.choice(list(m)))
        if r.random() < .1:
            m[r.choice(["name", "prefix", "citations", "documents", "id", "recipient", "channel", "cut", "x", "date", "metadata"])] = r.choice([self.words(), True, [], {"a": 1}])
        return m

    def vars(self):
        r = self.r
        roles = []
        if r.random() < .5:
            roles.append(r.choice(["system", "system", "developer"]))
        for _ in range(r.choice([0, 1, 1, 2, 3])):
            roles += r.choice([["user", "assistant"], ["user", "assistant", "tool", "assistant"], ["user"], ["user", "assistant", "tool", "tool"]])
        if r.random() < .7:
            roles.append("user")
        if r.random() < .2:
            roles = [r.choice(["user", "assistant", "system", "tool", "developer", "ipython", "function", "observation", "odd", "", "User"]) for _ in range(r.randint(0, 4))]
        v = {"messages": [self.message(x) for x in roles], "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": r.random() < .6}
        options = {"tools": lambda: r.choice([None, [], [self.tool() for _ in range(r.randint(1, 3))], [self.tool()]]), "documents": lambda: r.choice([None, [], [{"title": self.words(), "text": self.words()}], [{"doc_id": 1, "title": "T", "text": "x"}, {"content": "c"}], [self.json()]]), "enable_thinking": lambda: r.random() < .5,
                   "builtin_tools": lambda: r.choice([["brave_search", "code_interpreter"], [], None]), "date_string": lambda: "26 Jul 2024", "tools_in_user_message": lambda: r.random() < .5, "custom_tools": lambda: [self.tool()], "unk_token": lambda: "<unk>", "pad_token": lambda: r.choice(["<pad>", None]), "thinking": lambda: r.random() < .5,
                   "reasoning_effort": lambda: r.choice(["low", "high", None]), "model_identity": lambda: "You are X.", "image_token": lambda: "<image>", "functions": lambda: r.choice(["f()", None, []]), "controls": lambda: {"length": "long", "originality": "x"}, "available_tools": lambda: [self.tool()], "datetime": lambda: "2026", "add_vision_id": lambda: True,
                   "xml_tools": lambda: r.choice([None, [self.tool()]]), "python_tools": lambda: None, "system_message": lambda: self.words(), "citation_options": lambda: {"mode": "fast"}, "guardian_config": lambda: r.choice([{"risk_name": "harm"}, {"criteria_id": "jailbreak"}, {}]), "safe": lambda: 1, "categories": lambda: [{"name": "A", "description": "b"}], "clear_thinking": lambda: r.random() < .5}
        for k, f in options.items():
            if r.random() < (.4 if k in ("tools", "documents", "enable_thinking") else .1):
                v[k] = f()
        for k in ("bos_token", "eos_token", "add_generation_prompt", "messages"):
            if r.random() < (.02 if k == "messages" else .05):
                v.pop(k)
        return json.loads(json.dumps(v))

    def template(self):
        r = self.r
        t = self.text_of[r.choice(self.files)]
        k = r.random()
        t = mutate(r, t, r.choice([1, 1, 2, 3])) if k < .3 else exchange(r, t, r.choice([1, 2, 3, 5, 10])) if k < .85 else t
        return t.replace("\n", r.choice(["\r\n", "\r"])) if r.random() < .03 else t


KINDS = {"programs": Programs, "formats": Formats, "texts": Texts, "soup": Soup}
