"""Differential fuzzing: random templates, jinja2 against the driver (tests/tools/jinja_driver.c).

usage: jinja_fuzz.py DRIVER [SEED [COUNT [KINDS [FOLDER]]]]

KINDS: basic (here), or of jinja_gen.py programs, formats, texts, soup, several joined by commas; or published, which damages the
templates of FOLDER (what differs goes to the folder $JINJA_FUZZ_KEEP). Both sides must give the same text or both fail. Skipped are texts with an address or a type's name in them and
the refusals that runners/text/jinja.h lists; a skipped program never rendered two different texts otherwise.
"""
import copy
import json
import os
import random
import re
import resource
import subprocess
import sys
import warnings

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import jinja_ref  # noqa: E402

warnings.simplefilter("ignore")

VARS = {
    "s": "Hello, World", "t": "  a b\tc \n", "u": "ÄÖ ß ﬁ 你好 🤗", "e": "", "n": 7, "m": -3, "z": 0, "f": 2.5, "g": -0.125, "big": 1e16,
    "yes": True, "no": False, "nil": None, "l": [3, 1, 2], "ll": [[1, "a"], [2, "b"], [0, "C"]], "ls": ["b", "A", "c", "a"], "el": [],
    "d": {"a": 1, "b": [1, 2], "C": {"x": "y"}}, "ed": {}, "html": "<a href=\"x\">T & 'q'</a>",
    "users": [{"name": "Bob", "age": 5, "tags": ["x"]}, {"name": "alice", "age": 7, "tags": []}, {"name": "Carl", "age": 5, "on": True}],
    "mixed": [1, "1", 1.0, None, True, "a", [1], {"k": 2}], "items": "shadow", "q": {"items": 1, "keys": 2, "get": 3, "n": {"o": [4, 5]}},
    "p": "line one\nline two\r\n\n  line four", "num": "42", "fl": "3.75", "bad": "x1",
}
NAMES = list(VARS) + ["missing", "x", "y", "i", "ns"]
FILTERS = ["abs", "capitalize", "center(%i)", "count", "default(%e)", "default(%e, true)", "dictsort", "dictsort(true)", "dictsort(false, 'value')",
           "dictsort(reverse=true)", "escape", "e", "filesizeformat", "filesizeformat(true)", "first", "float", "float(%e)", "forceescape",
           "format(%e)", "format(%e, %e)", "groupby('age')", "groupby(%a)", "groupby(%a, default=%e)", "indent", "indent(%i)", "indent(%i, true)", "indent(2, blank=true)",
           "indent('> ', true, true)", "int", "int(%e)", "int(0, 16)", "items", "items|list", "join", "join(%s)", "join(', ', attribute='name')", "join('-', 0)",
           "last", "length", "list", "lower", "map('upper')", "map('upper')|list", "map(attribute='name')|list", "map(attribute=%a, default=%e)|list",
           "map('int')|sum", "map('default', 'q')|join", "max", "min", "max(attribute='age')", "min(true)", "reject", "reject|list", "reject('odd')|list",
           "reject('in', l)|list", "rejectattr('on')|list", "rejectattr('age', 'eq', 5)|map(attribute='name')|join(',')", "replace(%s, %s)", "replace(%s, %s, %i)",
           "reverse", "reverse|list", "round", "round(%i)", "round(%i, 'floor')", "round(1, 'ceil')", "safe", "select|list", "select('string')|list",
           "select('gt', 1)|list", "selectattr('on', 'defined')|list", "selectattr('tags')|map(attribute='age')|list", "slice(%i)|list", "slice(2, %e)|list",
           "batch(%i)|list", "batch(2, %e)|list", "sort", "sort(true)", "sort(case_sensitive=true)", "sort(attribute='name')", "sort(attribute='age,name')",
           "sort(false, false, %a)", "string", "striptags", "sum", "sum(attribute='age')", "sum(start=%e)", "title", "tojson", "tojson(indent=%i)", "trim", "trim(%s)",
           "truncate(%i)", "truncate(%i, true)", "truncate(9, false, '..', 0)", "unique|list", "unique(true)|list", "unique(attribute='age')|list", "upper",
           "urlencode", "wordcount", "wordwrap(%i)", "wordwrap(5, false)", "wordwrap(6, true, '|')", "wordwrap(7, break_on_hyphens=false)", "xmlattr", "xmlattr(false)", "d('dd')", "attr('upper')", "attr(%s)",
           "regex_replace(%s, %s)", "regex_replace('[aeiou]', '<\\\\g<0>>')", "regex_replace('(l+)|(o)', '[\\\\1\\\\2]')", "regex_replace('x*', '-')", "pprint"]
TESTS = ["odd", "even", "divisibleby(%i)", "divisibleby 3", "defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "lower", "upper",
         "string", "mapping", "number", "sequence", "iterable", "callable", "escaped", "sameas(%e)", "in(%e)", "in %e", "eq(%e)", "eq %e", "equalto(%e)",
         "ne(%e)", "gt(%e)", "ge(%e)", "lt(%e)", "le 3", "lessthan(%e)", "greaterthan(2)", "filter", "test", "sameas none"]
METHODS = ["upper()", "lower()", "strip()", "strip(%s)", "lstrip()", "rstrip()", "lstrip(%s)", "rstrip(%s)", "split()", "split(%s)", "split(%s, %i)", "rsplit(%s, 1)", "rsplit(none, %i)", "split(none, 1)",
           "splitlines()", "splitlines(true)", "replace(%s, %s)", "replace(%s, %s, %i)", "startswith(%s)", "endswith(%s)", "startswith((%s, %s))", "find(%s)",
           "rfind(%s)", "index(%s)", "rindex(%s)", "count(%s)", "find(%s, %i)", "find(%s, %i, %i)", "count(%s, %i)", "join(%e)", "join(ls)", "title()", "capitalize()", "swapcase()", "casefold()",
           "center(%i)", "center(%i, '*')", "ljust(%i)", "rjust(%i, '.')", "zfill(%i)", "expandtabs()", "expandtabs(4)", "partition(%s)", "rpartition(%s)",
           "isalpha()", "isdigit()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()", "isnumeric()", "isdecimal()", "isidentifier()", "isascii()", "isprintable()",
           "removeprefix(%s)", "removesuffix(%s)", "format(%e)", "format(%e, %e)", "get('a')", "get(%s, %e)", "get(%e)", "items()|list", "keys()|list", "values()|list", "items()", "keys()", "copy()",
           "index(%e)", "count(%e)", "append(1)", "pop()", "update(d)", "is_integer()", "bit_length()", "nope()", "__class__", "_x"]
ATTRS = ["a", "b", "C", "x", "name", "age", "n", "o", "items", "keys", "grouper", "list", "0", "1", "missing", "real"]
BINOPS = ["+", "-", "*", "/", "//", "%", "**", "~", "and", "or", "==", "!=", "<", ">", "<=", ">=", "in", "not in"]
STRINGS = ["''", "'a'", "'l'", "', '", "'lo'", "' '", "'o'", "'b'", "'{}'", "'%s'", "'%5.1f|'", "'{:>6}'", "'{0!r:<8}|'", "'\\n'", "'é'", "'A'", "\"it's\"", "'x-y z'", "'%d %s'", "'{a}'", "'<&>'",
           "'%r'", "'%05d'", "'%-6s|'", "'%x'", "'%+.2e'", "'%g'", "'{:,}'", "'{:.2f}'", "'{:08.3f}'", "'{:^9}'", "'{:x}'", "'{:#b}'", "'{:+}'", "'{:%}'", "'{:e}'", "'{:.3}'", "'1_000'", "' 12 '", "'1e3'", "'0x1f'", "'-7'", "'inf'"]


class Gen:
    def vars(self):
        return VARS

    def __init__(self, r):
        self.r = r

    def fill(self, t, depth):
        return re.sub("%([eias])(?![a-z.])", lambda m: {"e": lambda: self.expr(depth + 2), "i": lambda: str(self.r.choice([0, 1, 2, 3, 5, 8, 12, -1, -2])),
                                              "a": lambda: self.r.choice(["'name'", "'age'", "'tags.0'", "0", "1", "'on'", "'x'", "none"]),
                                              "s": lambda: self.r.choice(STRINGS) if self.r.random() < .8 else self.atom()}[m.group(1)](), t)

    def atom(self):
        r = self.r
        k = r.random()
        if k < .55:
            return r.choice(NAMES)
        if k < .7:
            return r.choice(STRINGS)
        if k < .85:
            return r.choice(["0", "1", "2", "3", "10", "1.5", "0.1", "1e3", "true", "false", "none", "1_000", "0x1F", "2.0", "100", "0b11", "7.25e-5", "1e22"])
        if k < .92:
            return r.choice(["[]", "{}", "()", "[1, 2, 3]", "{'a': 1}", "(1, 'b')", "['x', 'Y']", "{1: 2, 'k': [3]}", "range(5)", "range(2, 9, 3)", "range(3, 0, -1)", "dict(a=1, b=2)", "[none]"])
        return r.choice(["ns.v", "loop.index", "cycler('a','b').next()", "joiner('-')()", "f1(1)", "f1(b=2)", "f1()", "namespace(a=1).a", "varargs", "caller"])

    def expr(self, depth=0):
        r = self.r
        k = r.random()
        if depth > 4 or k < .28:
            return self.atom()
        a = self.expr(depth + 1)
        if k < .45:
            return f"{a} {r.choice(BINOPS)} {self.expr(depth + 1)}"
        if k < .60:
            return self.wrap(a) + "|" + self.fill(r.choice(FILTERS), depth)
        if k < .72:
            return self.wrap(a) + "." + self.fill(r.choice(METHODS), depth)
        if k < .78:
            return self.wrap(a) + "." + r.choice(ATTRS)
        if k < .82:
            return f"{self.wrap(a)}[{r.choice(['0', '-1', '1', repr(r.choice(ATTRS)), self.expr(depth + 2)])}]"
        if k < .86:
            part = lambda: r.choice(["", "0", "1", "-1", "2", "-3", "5", "none"])
            return f"{self.wrap(a)}[{part()}:{part()}{r.choice(['', ':' + r.choice(['', '1', '2', '-1', '-2'])])}]"
        if k < .91:
            return f"{a} is {r.choice(['', 'not '])}{self.fill(r.choice(TESTS), depth)}"
        if k < .94:
            return f"{a} if {self.expr(depth + 1)}" + (f" else {self.expr(depth + 1)}" if r.random() < .8 else "")
        if k < .96:
            return r.choice(["not ", "-", "+", "- "]) + a
        if k < .98:
            return f"({a})"
        return r.choice([f"[{a}, {self.expr(depth + 1)}]", f"{{{self.atom()}: {a}}}", f"({a},)", f"{a} < {self.atom()} < {self.atom()}"])

    # Typed expressions: they mostly render, so that values are compared rather than errors.
    def str(self, d=0):
        r = self.r
        if d > 3 or r.random() < .3:
            return r.choice(["s", "t", "u", "e", "html", "p", "num", "fl", "bad", "'x'", "users[1].name", "d.C.x", "ls[1]"] + STRINGS)
        a, n = self.wrap(self.str(d + 1)), self.num(d + 2)
        return r.choice([
            lambda: f"{a}|" + self.fill(r.choice(["upper", "lower", "title", "capitalize", "trim", "trim(%s)", "replace(%s, %s)", "indent(2)", "truncate(8)", "truncate(7, true)", "wordwrap(6)", "wordwrap(4, false)",
                                                  "center(9)", "escape", "striptags", "urlencode", "reverse", "string", "default('q')", "e|string", "forceescape", "safe"]), 3),
            lambda: f"{a}." + self.fill(r.choice(["upper()", "lower()", "strip()", "lstrip(%s)", "rstrip(%s)", "strip(%s)", "replace(%s, %s)", "replace(%s, %s, 1)", "title()", "capitalize()", "swapcase()", "center(9, '*')", "ljust(7)",
                                                  "rjust(8, '.')", "zfill(6)", "expandtabs(4)", "removeprefix(%s)", "removesuffix(%s)", "join(ls)", "partition(%s)[2]", "rpartition(%s)[0]", "casefold()"]), 3),
            lambda: f"{a} ~ {self.any(d + 1)}", lambda: f"{a} + {self.str(d + 1)}", lambda: f"{a} * 2", lambda: f"{a}[{r.choice(['0', '-1', '1:', ':-1', '::2', '::-1', '-3:', '1:4'])}]",
            lambda: f"'%s|%s' % ({self.any(d + 1)}, {a})", lambda: f"'%05d %.2f %x' % ({n}|int, {n}, {n}|int|abs)", lambda: f"'{{}}-{{:>6}}-{{0!r}}'.format({a})" if False else f"'{{}}-{{:>6}}'.format({self.any(d + 1)}, {a})",
            lambda: f"'{{:{r.choice(['.2f', '8.1f', '+.3e', ',.1f', '.3', 'g', '010.2f', '%'])}}}'.format({n})", lambda: f"{self.lst(d + 1)}|join({r.choice(STRINGS)})", lambda: f"({self.any(d + 1)})|tojson",
            lambda: f"({a} if {self.any(d + 1)} else {self.str(d + 1)})",
        ])()

    def num(self, d=0):
        r = self.r
        if d > 3 or r.random() < .35:
            return r.choice(["n", "m", "z", "f", "g", "big", "0", "1", "2", "3", "7", "-1", "0.1", "2.5", "1e3", "yes", "users[0].age", "100", "1.005", "2.675"])
        a, b = self.wrap(self.num(d + 1)), self.wrap(self.num(d + 1))
        return r.choice([lambda: f"{a} {r.choice(['+', '-', '*', '+', '-', '/', '//', '%'])} {b}", lambda: f"{a} ** {r.choice(['2', '3', '0', '-1', '0.5'])}", lambda: f"{a}|round", lambda: f"{a}|round({r.choice(['1', '2', '-1', '3'])})",
                         lambda: f"{a}|round(1, '{r.choice(['floor', 'ceil'])}')", lambda: f"{a}|abs", lambda: f"{a}|int", lambda: f"{a}|float", lambda: f"{self.lst(d + 1)}|length", lambda: f"-{a}",
                         lambda: f"{self.wrap(self.str(d + 1))}.find({r.choice(STRINGS)})", lambda: f"{self.wrap(self.str(d + 1))}.count({r.choice(STRINGS)})", lambda: f"{self.wrap(self.str(d + 1))}|int", lambda: f"{self.wrap(self.str(d + 1))}|float",
                         lambda: f"{self.wrap(self.str(d + 1))}|wordcount", lambda: f"(l|{r.choice(['sum', 'max', 'min', 'first', 'last'])})"])()

    def lst(self, d=0):
        r = self.r
        if d > 3 or r.random() < .3:
            return r.choice(["l", "ls", "el", "ll", "users", "mixed", "range(4)", "d", "[1, 2.0, '3']", "('a', 'B')", "d.keys()", "d.items()", "users[0].tags"])
        a = self.wrap(self.lst(d + 1))
        return r.choice([lambda: f"{a}|list", lambda: f"{a}|reverse|list", lambda: f"({a}|map('string')|list)", lambda: f"{a}|map('string')|sort", lambda: f"{a}|map('string')|unique|list", lambda: f"{a}|batch(2)|list",
                         lambda: f"{a}|batch(3, 'f')|list", lambda: f"{a}|slice(2)|list", lambda: f"{a}|slice(3, 0)|list", lambda: f"({a}|list)[{r.choice(['1:', ':-1', '::-1', '::2', '-2:'])}]", lambda: f"{self.wrap(self.str(d + 1))}.split()",
                         lambda: f"{self.wrap(self.str(d + 1))}.split({r.choice(STRINGS[1:])})", lambda: f"{self.wrap(self.str(d + 1))}.splitlines()", lambda: f"{self.wrap(self.str(d + 1))}|list", lambda: f"({a}|list + {self.lst(d + 1)}|list)",
                         lambda: f"{a}|select('string')|list", lambda: f"{a}|reject('number')|list", lambda: f"({a}|list) * 2", lambda: f"[{self.any(d + 1)}, {self.any(d + 1)}]", lambda: f"d|dictsort({r.choice(['', 'true', 'reverse=true'])})",
                         lambda: "users|groupby('age')|list", lambda: "users|groupby('name', case_sensitive=true)|map('first')|list", lambda: "users|selectattr('on', 'defined')|map(attribute='name')|list", lambda: f"users|sort(attribute='{r.choice(['age', 'name', 'age,name'])}')|map(attribute='name')|list",
                         lambda: f"{a}|map('default', 'x')|list", lambda: f"({a}|list)|sort(reverse=true)" if r.random() < .1 else f"l|sort({r.choice(['', 'true'])})"])()

    def any(self, d=0):
        r = self.r
        k = r.random()
        if k < .35:
            return self.str(d)
        if k < .6:
            return self.num(d)
        if k < .8:
            return self.lst(d)
        if k < .9:
            a, b = self.wrap(self.any(d + 1)) if d < 4 else "n", self.wrap(self.any(d + 1)) if d < 4 else "s"
            return r.choice([f"({a} == {b})", f"({a} != {b})", f"({a} and {b})", f"({a} or {b})", f"(not {a})", f"({a} is {r.choice(['string', 'number', 'defined', 'mapping', 'iterable', 'sequence', 'none', 'boolean', 'lower'])})",
                             f"({a} in {self.lst(d + 1)})", f"({self.wrap(self.str(d + 1))} < {self.str(d + 1)})", f"({self.wrap(self.num(d + 1))} <= {self.num(d + 1)})"]) if d < 4 else "yes"
        return r.choice(["d", "ed", "nil", "yes", "no", "users[2]", "d.C", "{'k': %s}" % (self.any(d + 1) if d < 4 else "1"), "d.get('a')", "d.get('zz', 5)", "users[0].missing|default('df')", "q.n.o", "q['items']"])

    def wrap(self, a):
        return a if re.fullmatch(r"\w+", a) or self.r.random() < .3 else f"({a})"

    def tag(self, inside):
        r = self.r
        return "{%" + r.choice(["", "", "", "-", "+"]) + " " + inside + " " + r.choice(["", "", "", "-", "+"]) + "%}"

    def text(self):
        return self.r.choice(["", " ", "\n", "  \n  ", "a", "X\n", "\n  b", "<", "\t", "{ % }", "  "])

    def stmt(self, depth):
        r = self.r
        k = r.random()
        if depth > 3 or k < .40:
            return "{{" + r.choice(["", "", "-"]) + " " + self.expr() + " " + r.choice(["", "", "-"]) + "}}"
        body = lambda: self.body(depth + 1)
        if k < .50:
            return self.tag("if " + self.expr(2)) + body() + (self.tag("elif " + self.expr(2)) + body() if r.random() < .3 else "") + \
                (self.tag("else") + body() if r.random() < .5 else "") + self.tag("endif")
        if k < .66:
            target = r.choice(["i", "i", "x", "i, j", "k, v", "i, (a, b)"])
            it = r.choice(["l", "ls", "users", "d", "d.items()", "ll", "range(4)", "s", "u", "el", "missing", "d|dictsort", "users|groupby('age')", "ls|map('upper')", self.expr(2)])
            cond = f" if {self.expr(2)}" if r.random() < .25 else ""
            rec = r.choice(["", "", "", " recursive"])
            extra = r.choice(["", "", "{{ loop.index }}", "{{ loop.last }}{{ loop.first }}", "{{ loop.revindex0 }}/{{ loop.length }}", "{{ loop.previtem }}<{{ loop.nextitem }}",
                              "{{ loop.cycle('o','e') }}", "{{ loop.changed(i) }}", "{{ i }}", "{{ x }},", "{% set x = i %}", "{% set ns.v = i %}", "{% if loop.index == 2 %}{% continue %}{% endif %}",
                              "{% if i == 1 %}{% break %}{% endif %}", "{% if i is iterable and i is not string %}{{ loop(i) }}{% endif %}", "{{ loop.depth }}"])
            return self.tag(f"for {target} in {it}{cond}{rec}") + extra + body() + (self.tag("else") + body() if r.random() < .2 else "") + self.tag("endfor")
        if k < .78:
            return self.tag(f"set {r.choice(['x', 'y', 'ns.v', 'i', 'x, y', 'l', 'n'])} = {self.expr(1)}")
        if k < .82:
            return self.tag(f"set {r.choice(['x', 'y', 's'])}{r.choice(['', '', ' | upper', ' | trim | length'])}") + body() + self.tag("endset")
        if k < .86:
            return self.tag(f"with {r.choice(['x', 'y', 'z'])} = {self.expr(2)}{r.choice(['', ', w = x'])}") + body() + self.tag("endwith")
        if k < .89:
            return self.tag("filter " + self.fill(r.choice(["upper", "trim", "replace('a', 'b')", "indent(2)", "length", "title", "default('q')"]), 2)) + body() + self.tag("endfilter")
        if k < .93:
            return self.tag(f"macro {r.choice(['f1', 'f2'])}({r.choice(['', 'a', 'a, b=2', 'a=1', 'x, y=x', 'caller=none'])})") + body() + \
                r.choice(["", "{{ a }}", "{{ varargs }}{{ kwargs }}", "{{ caller() }}", "{{ caller(1) if caller is defined }}", "{{ x }}{{ y }}"]) + self.tag("endmacro")
        if k < .95:
            return self.tag(f"call{r.choice(['', '(q)', '(q=3)'])} {r.choice(['f1', 'f2'])}({r.choice(['', '1', 'b=3', '1, 2'])})") + body() + self.tag("endcall")
        if k < .97:
            return r.choice(["{# c #}", "{#- c -#}", "{#+ c +#}\n", "{% raw %}{{ x }}{% endraw %}", "{%- raw -%} {% if %} {%- endraw -%}\n", "  {# c #}\n", "{% raw %}\n{% endraw %}\n"])
        if k < .985:
            return self.tag("generation") + body() + self.tag("endgeneration")
        return r.choice(["{% print 1, 2 %}", "{% endif %}", "{{", "{% if %}", "{{ 'a }}", "{{ 1 + }}", "{% for in x %}", "{{ x|nofilter }}", "{{ 1 is notest }}", "{% set %}", "{{ [1, }}", "}}", "%}"])

    def body(self, depth):
        return "".join(self.text() + self.stmt(depth) for _ in range(self.r.randint(0, 2))) + self.text()

    def template(self):
        r = self.r
        if r.random() < .6:
            return "|".join("{{ " + self.any() + " }}" for _ in range(r.randint(1, 2)))
        if r.random() < .3:
            return "{{ " + self.expr() + " }}"
        head = r.choice(["", "{% set ns = namespace(v=0) %}", "{% macro f1(a, b=1) %}[{{ a }}{{ b }}{{ caller() if caller }}]{% endmacro %}", "{% macro f1() %}{{ varargs }}{{ x }}{% endmacro %}{% set x = 1 %}"])
        return head + "".join(self.text() + self.stmt(0) for _ in range(r.randint(1, 4))) + self.text()


SKIP_REF = re.compile(r"name 'inf'|name 'nan'|Generator Object|element slice|object at 0x|<LoopContext|<function|<built-in|<bound|<class|<method|jinja2\.|TemplateReference|frozenset|MemoryError|RecursionError|recursion depth")
SKIP_OURS = re.compile(r"not subscriptable|unhashable type: 'slice'|keyword argument repeated|is unsafe|64 bits|not supported|read-only|nest|steps|memory|too large|output is longer|complex|only be turned off|a precision of more than|more than .* in a row")


def markup_regex(j):
    """re.sub of Markup escapes parts of the text in CPython 3.11 and others in 3.12."""
    return "regex_replace" in j["template"] and re.search(r"\|\s*(e|escape|safe|forceescape|tojson|xmlattr)\b", j["template"])


def generators(r, kinds, folder):
    import jinja_gen
    out = []
    for kind in kinds.split(","):
        out.append(Gen(r) if kind == "basic" else jinja_gen.Published(r, folder) if kind == "published" else jinja_gen.KINDS[kind](r))
    return out


def compare(driver, jobs, report):
    """Renders jobs with both; (same text, differ, skipped)."""
    run = subprocess.run([driver], input="".join(json.dumps(j) + "\n" for j in jobs), capture_output=True, text=True)
    if run.stderr:
        print(run.stderr[:4000])
    out = [json.loads(line) for line in run.stdout.split("\n")[:-1]]
    if len(out) < len(jobs):
        print("the driver stopped at", jobs[len(out)]["env"], repr(jobs[len(out)]["template"]))
    same = skipped = differ = failed = 0
    for j, o in zip(jobs, out):
        want = jinja_ref.render(j["env"], j["template"], copy.deepcopy(j["vars"]))
        if ("ok" in want) == ("ok" in o) and want.get("ok") == o.get("ok"):
            same += "ok" in o
            failed += "ok" not in o
        elif SKIP_REF.search(str(want)) or markup_regex(j) or SKIP_OURS.search(o.get("error", "")) or re.search("<[a-z_ ]+ object|<built-in|<function|<class", o.get("ok", "")):
            skipped += 1
        else:
            differ += 1
            report(j, want, o)
    return same, failed, differ + len(jobs) - len(out), skipped


def main():
    driver = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    kinds = sys.argv[4] if len(sys.argv) > 4 else "basic"
    folder = sys.argv[5] if len(sys.argv) > 5 else None
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    r = random.Random(seed)
    gens = generators(r, kinds, folder)
    total = [0, 0, 0, 0]
    shown = 0

    def report(j, want, o):
        nonlocal shown
        shown += 1
        if shown <= 25:
            v = "" if len(j["vars"]) > 12 or kinds == "published" else "\n  vars " + repr(j["vars"])[:300]
            print("---", j["env"], repr(j["template"]) if kinds != "published" else "", v, "\n  want", repr(want)[:300], "\n  got ", repr(o)[:300])
            if kinds == "published" and os.environ.get("JINJA_FUZZ_KEEP"):
                with open(os.path.join(os.environ["JINJA_FUZZ_KEEP"], f"differ_{seed}_{shown}.json"), "w") as f:
                    json.dump({"job": j, "want": want, "got": o}, f)

    for start in range(0, count, 2000):
        jobs = []
        for _ in range(min(2000, count - start)):
            g = r.choice(gens)
            t = g.template()
            jobs.append({"env": r.choice(["chat", "suite"]) if kinds != "published" else "chat", "template": t, "vars": g.vars(), "date": "2026-01-31T12:34:56"})
        for i, n in enumerate(compare(driver, jobs, report)):
            total[i] += n
    print(f"seed {seed}, {kinds}: {count} programs, {total[0]} rendered the same text, {total[1]} refused by both, {total[2]} differ, {total[3]} skipped")
    return 1 if total[2] else 0


if __name__ == "__main__":
    sys.exit(main())
