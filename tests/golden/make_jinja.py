"""Writes jinja.json: small templates rendered by real jinja2 (3.1.6) in the two environments of tests/tools/jinja_ref.py.

usage: make_jinja.py > jinja.json
"""
import copy
import json
import os
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import jinja_ref  # noqa: E402
from jinja_fuzz import VARS, Gen  # noqa: E402

warnings.simplefilter("ignore")

CASES = r"""
{{ 1 + 2 * 3 }}|{{ (1 + 2) * 3 }}|{{ 7 / 2 }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ 7 // -2 }}|{{ -7 % 3 }}|{{ 7 % -3 }}
{{ -7.5 // 2 }}|{{ -7.5 % 2 }}|{{ 7.5 % -2 }}|{{ 1e308 * 10 }}|{{ 0.1 + 0.2 }}|{{ 1.0 }}|{{ 1e16 }}|{{ 123456789012345680.0 }}|{{ 0.0001 }}|{{ 0.00001 }}
{{ 2 ** 10 }}|{{ 2 ** -1 }}|{{ 2 ** 3 ** 2 }}|{{ -2 ** 2 }}|{{ 2.5 ** 2 }}|{{ 1.1 ** 2 }}|{{ 9 ** 0.5 }}|{{ 0 ** 0 }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 5 // 0.0 }}
{{ 0 ** -1 }}
{{ 1 ~ 2 + 3 }}|{{ 'a' ~ 1 ~ none ~ true ~ 1.5 ~ [1, 'b'] }}
{{ 'ab' * 3 }}|{{ 2 * [1] }}|{{ (1,) * 2 }}|{{ 'ab' * -1 }}|{{ [1] + [2] }}|{{ (1,) + (2,) }}|{{ 'a' + 'b' }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ [1] + (2,) }}
{{ none + 1 }}
{{ true + true }}|{{ true * 3 }}|{{ -true }}|{{ +false }}
{{ -'a' }}
{{ 1 == 1.0 }}|{{ true == 1 }}|{{ '1' == 1 }}|{{ [1, 2] == [1.0, 2] }}|{{ (1,) == [1] }}|{{ {'a': 1} == {'a': true} }}|{{ none == false }}
{{ 1 < 2 < 3 }}|{{ 1 < 3 < 2 }}|{{ 3 > 2 > 1 }}|{{ 1 < 2 > 1 }}|{{ 'a' < 'b' }}|{{ [1, 2] < [1, 3] }}|{{ (1, 'a') < (1, 'b') }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ [] < {} }}
{{ 1 in l }}|{{ 9 not in l }}|{{ 'ell' in s }}|{{ 'a' in d }}|{{ '' in '' }}|{{ 2 in range(5) }}|{{ 'x' in missing }}
{{ 1 in 'a' }}
{{ 1 in 1 }}
{{ [] in d }}
{{ not 1 }}|{{ not '' }}|{{ not not [] }}|{{ 1 and 2 }}|{{ 0 or 'x' }}|{{ '' and 1 }}|{{ none or false or 0 }}
{{ 'a' if yes else 'b' }}|{{ 'a' if no else 'b' }}|{{ 'a' if no }}|{{ 1 if no else 2 if no else 3 }}
{{ s[0] }}|{{ s[-1] }}|{{ s[1:4] }}|{{ s[::-1] }}|{{ s[::2] }}|{{ s[-5:] }}|{{ s[:-5] }}|{{ s[10:2:-2] }}|{{ u[0] }}|{{ u[::-1] }}|{{ u[5:7] }}
{{ l[0] }}|{{ l[-1] }}|{{ l[1:] }}|{{ l[::-1] }}|{{ l[5:] }}|{{ l[-100:100] }}|{{ (1, 2, 3)[1:] }}|{{ range(10)[2:5] }}|{{ range(10)[::-3] }}
{{ l[10] }}
{{ l['a'] }}
{{ s[100] }}
{{ l[::0] }}
{{ l['a':] }}
{{ d.a }}|{{ d['a'] }}|{{ d.C.x }}|{{ d['C']['x'] }}|{{ d.b[1] }}|{{ d.b.1 }}|{{ ll.0.1 }}
{{ d.missing }}
{{ d.missing.more }}
{{ missing }}
{{ missing.more }}
{{ missing['more'] }}
{{ missing() }}
{{ missing + 1 }}
{{ missing is defined }}|{{ missing is undefined }}|{{ missing|default('q') }}|{{ d.zz is defined }}|{{ d.zz|d(1) }}
{{ missing == missing }}
{{ missing == 1 }}|{{ missing|length }}|{{ missing|list }}|{{ missing|join }}|{{ missing|string }}|{{ not missing }}
{% for i in missing %}x{% else %}empty{% endfor %}
{% if missing %}a{% else %}b{% endif %}
{{ none.x }}
{{ none.x.y }}
{{ (1).foo is defined }}|{{ 's'.foo is defined }}|{{ [].foo is defined }}
{{ q.items }}|{{ q['items'] }}|{{ q.keys() }}|{{ q['get'] }}|{{ q.n.o }}
{{ d.items() }}|{{ d.keys() }}|{{ d.values() }}|{{ d.get('a') }}|{{ d.get('z') }}|{{ d.get('z', 5) }}|{{ d.copy() }}|{{ d|length }}
{{ d.items()|list }}|{{ d|list }}|{{ d|items|list }}|{{ d.keys()|list }}|{{ d.values()|list|length }}
{{ d.nope() }}
{{ l.append(1) }}{{ l.__class__ }}
{{ d.update({'a': 2}) }}
{{ s.__class__ }}
{{ s.__class__.__mro__ }}
{{ ''.join(['a', 'b']) }}|{{ '-'.join('abc') }}|{{ ', '.join(ls) }}
{{ ', '.join(l) }}
{{ s.split() }}|{{ s.split(',') }}|{{ 'a,b,,c'.split(',') }}|{{ 'a b  c'.split(none, 1) }}|{{ 'a,b,c'.rsplit(',', 1) }}|{{ ''.split() }}|{{ ''.split(',') }}|{{ ' a b '.rsplit(none, 1) }}
{{ s.split('') }}
{{ t.strip() }}|{{ t.lstrip() }}|{{ t.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.lstrip('ab') }}|{{ 'é!é'.strip('é') }}
{{ s.replace('l', 'L') }}|{{ s.replace('l', 'L', 1) }}|{{ 'aaa'.replace('', '-') }}|{{ s.replace('zz', '') }}
{{ s.upper() }}|{{ s.lower() }}|{{ s.title() }}|{{ s.capitalize() }}|{{ s.swapcase() }}|{{ u.upper() }}|{{ u.lower() }}|{{ 'ß'.casefold() }}|{{ "it's a-b c_d".title() }}
{{ s.startswith('He') }}|{{ s.endswith(('x', 'ld')) }}|{{ s.startswith('lo', 3) }}|{{ s.find('o') }}|{{ s.rfind('o') }}|{{ s.find('zz') }}|{{ s.index('W') }}|{{ s.count('l') }}|{{ s.count('') }}|{{ s.find('o', 5, 7) }}
{{ s.index('zz') }}
{{ 'x'.center(5) }}|{{ 'x'.center(4, '*') }}|{{ 'ab'.ljust(5) }}|{{ 'ab'.rjust(5, '.') }}|{{ '-42'.zfill(6) }}|{{ 'a\tb'.expandtabs(4) }}
{{ 'a=b=c'.partition('=') }}|{{ 'a=b=c'.rpartition('=') }}|{{ 'abc'.partition('z') }}|{{ 'prefix'.removeprefix('pre') }}|{{ 'suffix'.removesuffix('fix') }}
{{ 'abc'.isalpha() }}|{{ '12'.isdigit() }}|{{ 'a1'.isalnum() }}|{{ ' '.isspace() }}|{{ 'AB'.isupper() }}|{{ 'ab'.islower() }}|{{ 'Ab Cd'.istitle() }}|{{ '½'.isnumeric() }}|{{ '²'.isdigit() }}|{{ '²'.isdecimal() }}|{{ 'a_1'.isidentifier() }}
{{ p.splitlines() }}|{{ p.splitlines(true) }}|{{ 'a\u2028b\x0bc'.splitlines() }}
{{ l.index(2) }}|{{ l.count(1) }}|{{ ['A', 'B'].index('B') }}|{{ (1, 2).index(2) }}
{{ l.index(99) }}
{{ '{} {}'.format(1, 'a') }}|{{ '{1}{0}'.format('a', 'b') }}|{{ '{x}'.format(x=3) }}|{{ '{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd') }}|{{ '{{}}'.format() }}
{{ '{:d} {:x} {:o} {:b} {:#x} {:05d} {:+d} {:,}'.format(42, 255, 8, 5, 255, 42, 7, 1234567) }}
{{ '{:.2f} {:8.3f} {:e} {:g} {:%} {:.1%} {:.3} {}'.format(3.14159, 2.5, 12345.678, 0.00001, 0.5, 0.256, 1234.5, 1e20) }}
{{ '{0.real} {1[a]} {1[C][x]}'.format(5, d) }}|{{ '{!r} {!s}'.format('a', 'b') }}|{{ '{:{}}'.format('x', 4) }}
{{ '{} {}'.format(1) }}
{{ '{x}'.format(1) }}
{{ '{:d}'.format('a') }}
{{ '%s %d %5.2f %x %r %%' % ('a', 3, 2.5, 255, 'q') }}|{{ '%s' % l }}|{{ '%s' % (l,) }}|{{ '%(a)s' % d }}|{{ '%-5s|%5s' % ('a', 'b') }}|{{ '%+d %05d' % (1, 2) }}
{{ '%d' % 'a' }}
{{ '%s %s' % 'a' }}
{{ '%s' % ('a', 'b') }}
{{ "%s-%s"|format('a', 1) }}|{{ "%(x)s"|format(x=2) }}
{{ [1, 'a', none, true, 1.5, (1,), {'k': 'v'}, "it's", 'a"b', 'x\ny', 'é', '\x00'] }}
{{ {'a': [1, {'b': none}], 1: 2, none: true} }}|{{ () }}|{{ (1, 2) }}|{{ {} }}|{{ [] }}
{{ 'a' 'b' }}|{{ "\u00e9\x41\101\n\t\\" }}|{{ '\q' }}|{{ "a\
b" }}
{{ 1_000 }}|{{ 0x1F }}|{{ 0b101 }}|{{ 0o17 }}|{{ 1e3 }}|{{ 1.5e-3 }}|{{ 00 }}
{{ {'a': 1, 'a': 2} }}|{{ {[1]: 2} }}
{% set x = 5 %}{{ x }}{% set x, y = 1, 2 %}{{ x }}{{ y }}{% set (a, b) = (b|default(3), 4) %}{{ a }}{{ b }}
{% set x %}a{{ n }}b{% endset %}[{{ x }}]{% set y | upper | trim %} abc {% endset %}[{{ y }}]
{% set x, y = [1] %}
{% set x, y = [1, 2, 3] %}
{% set x, y = 5 %}
{% set ns = namespace(a=1, b='x') %}{% set ns.a = 2 %}{% set ns.c = [1] %}{{ ns.a }}{{ ns.b }}{{ ns.c }}{{ ns.zz is defined }}
{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns['b'] }}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}
{% set d.a = 1 %}
{% set zz.a = 1 %}
{% for i in l %}{{ i }},{% endfor %}|{% for i in [] %}x{% else %}none{% endfor %}|{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}|{% for k in d %}{{ k }}{% endfor %}|{% for c in 'aé' %}{{ c }}.{% endfor %}
{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }};{% endfor %}
{% for i in l %}{{ loop.previtem|default('-') }}<{{ i }}>{{ loop.nextitem|default('-') }};{% endfor %}
{% for i in [1, 1, 2, 2, 1] %}{{ loop.changed(i) }}{{ loop.cycle('a', 'b') }};{% endfor %}
{% for i in l if i > 1 %}{{ i }}{{ loop.index }}{{ loop.length }}{{ loop.last }};{% else %}no{% endfor %}|{% for i in l if i > 9 %}{{ i }}{% else %}no{% endfor %}
{% for i in l|map('string') %}{{ loop.length }}{{ i }}{{ loop.last }}{% endfor %}
{% for x in [[1, [2, [3]]], [4]] recursive %}[{{ loop.depth }}{% if x is iterable %}{{ loop(x) }}{% else %}{{ x }}{% endif %}]{% endfor %}
{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for i in 5 %}{% endfor %}
{% for i in none %}{% endfor %}
{% set x = 1 %}{% for i in l %}{{ x }}{% set x = i %}{{ x }};{% endfor %}{{ x }}
{% set x = 1 %}{% if yes %}{% set x = 2 %}{% endif %}{{ x }}|{% with %}{% set x = 3 %}{{ x }}{% endwith %}{{ x }}|{% with x = 4, y = x %}{{ x }}{{ y }}{% endwith %}
{% if no %}{% set x = 2 %}{% endif %}{{ x is defined }}{% set n = 8 %}{{ n }}
{% for i in l %}{% if loop.first %}{% set y = 1 %}{% endif %}{{ y is defined }}{% endfor %}
{% for i in l %}{% for j in l %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}
{% set loop = 1 %}{{ loop }}
{% for i in l %}{% set loop = 1 %}{% endfor %}
{% for loop in l %}{% endfor %}
{% for i in range(6) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in l %}{% break %}{% else %}else{% endfor %}
{% break %}
{% for i in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}
{% if n > 5 %}a{% elif n > 3 %}b{% else %}c{% endif %}|{% if z %}a{% elif z == 0 %}b{% endif %}|{% if n and s or z %}x{% endif %}|{% if not n %}y{% endif %}
{% macro f(a, b=2, c=a) %}{{ a }},{{ b }},{{ c }};{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(1, c=5) }}{{ f(b=7, a=8) }}
{% macro f(a) %}{{ a is defined }}{% endmacro %}{{ f() }}{{ f(1) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(z=2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f() }}
{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, x=3) }}
{% macro f(a) %}{{ a }}{{ caller() }}{{ caller() }}{% endmacro %}{% call f(1) %}body{{ n }}{% endcall %}
{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b=5) f() %}{{ a }}{{ b }}{% endcall %}
{% macro f() %}{{ caller is defined }}{% if caller %}{{ caller() }}{% endif %}{% endmacro %}{{ f() }}{% call f() %}x{% endcall %}
{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}
{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{% set x = 2 %}{{ f() }}
{% macro f(x) %}{% set x = 9 %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f(2) }}{{ x }}
{% macro f(a, b=1, a=2) %}{% endmacro %}
{% macro f(a=1, b) %}{% endmacro %}
{% macro f() %}{% endmacro %}{{ f.name }}{{ f.arguments }}{{ f }}
{% call nope() %}{% endcall %}
{% call 1 %}{% endcall %}
{% filter upper %}a{{ s }}b{% endfilter %}|{% filter replace('a', 'b')|trim %} aaa {% endfilter %}
{% filter length %}abc{% endfilter %}
{% generation %}gen{{ n }}{% endgeneration %}|{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}
{% raw %}{{ x }}{% if %}{% endraw %}|{%- raw -%}  {{ y }}  {%- endraw -%}  |{# {{ x }} #}|{# a
b #}|
a  {%- if yes -%}  b  {%- endif -%}  c|a {{- n -}} b|a {#- x -#} b
a
  {% if yes %}
b
  {% endif %}
c
  {%+ if yes +%}
d
  {% endif +%}
e
  {# comment #}
f  {# x #}
  g{% if yes %} h
{% endif %}
{{ n }}
  {{ n }}
{%- set x = 1 +%}
 x {%+ set y = 2 -%}
 end
{% print 1, 'a' %}|{% autoescape false %}{{ html }}{% endautoescape %}
{{ cycler('a', 'b').next() }}{% set c = cycler(1, 2) %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.reset() }}{{ c.next() }}
{% set j = joiner('|') %}{{ j() }}a{{ j() }}b{{ j() }}c|{% set k = joiner() %}{{ k() }}{{ k() }}
{{ range(3) }}|{{ range(1, 4)|list }}|{{ range(5, 0, -2)|list }}|{{ range(0)|list }}|{{ range(3)|length }}|{{ 2 in range(3) }}|{{ range(3)[-1] }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{{ range() }}
{{ range(1000000) }}
{{ dict(a=1, b=2) }}|{{ dict([('a', 1)]) }}|{{ dict({'x': 1}, y=2) }}|{{ dict(d, a=5).a }}
{{ raise_exception('boom: ' ~ n) }}
{{ strftime_now('%Y-%m-%d %H:%M:%S %d %b %B %a %A %j %p %I %y %-d %e %% %U %W %V %G %u %w %D %F %T %R %x %X %c %h %n%t|%z|%Z|%f') }}
{{ lipsum is defined }}|{{ self is defined }}
{{ l|abs }}
{{ m|abs }}|{{ g|abs }}|{{ true|abs }}
{{ 'hello world'|capitalize }}|{{ 'a'|center(5) }}|{{ s|count }}|{{ l|count }}|{{ 5|upper }}|{{ none|lower }}
{{ missing|default }}|{{ missing|default('x') }}|{{ ''|default('x') }}|{{ ''|default('x', true) }}|{{ none|d('y') }}|{{ 0|d('z', boolean=true) }}
{{ d|dictsort }}|{{ d|dictsort(true) }}|{{ {'b': 2, 'A': 3}|dictsort(by='value') }}|{{ {'b': 2, 'A': 3}|dictsort(reverse=true) }}
{{ d|dictsort(by='nope') }}
{{ l|dictsort }}
{{ html|escape }}|{{ html|e }}|{{ html|e|e }}|{{ html|forceescape }}|{{ html|e|forceescape }}|{{ html|safe }}|{{ [html|e] }}|{{ (html|e) + '<' }}|{{ '<' + (html|e) }}|{{ '<' ~ (html|e) }}
{{ 1|filesizeformat }}|{{ 999|filesizeformat }}|{{ 1000|filesizeformat }}|{{ 1500000|filesizeformat }}|{{ 1024|filesizeformat(true) }}|{{ 1e30|filesizeformat }}|{{ '2000'|filesizeformat }}
{{ l|first }}|{{ l|last }}|{{ s|first }}|{{ s|last }}|{{ el|first }}|{{ el|last }}|{{ d|first }}|{{ d|last }}|{{ range(3)|last }}
{{ el|first is defined }}|{{ (l|map('string'))|first }}
{{ l|map('string')|last }}
{{ '3.5'|float }}|{{ 'x'|float }}|{{ 'x'|float(1.5) }}|{{ 3|float }}|{{ ' 1e3 '|float }}|{{ 'inf'|float }}|{{ 'nan'|float }}|{{ '1_0.5'|float }}|{{ '0x10'|float }}|{{ none|float }}|{{ true|float }}
{{ '42'|int }}|{{ '42.7'|int }}|{{ 'x'|int }}|{{ 'x'|int(5) }}|{{ 3.9|int }}|{{ -3.9|int }}|{{ '0x1f'|int(base=16) }}|{{ '1f'|int(0, 16) }}|{{ '0b11'|int(0, 2) }}|{{ '  7 '|int }}|{{ '1_000'|int }}|{{ none|int }}|{{ true|int }}|{{ '12abc'|int }}|{{ 'inf'|int }}|{{ [1]|int(9) }}
{{ (1e400)|int }}
{{ users|groupby('age') }}|{% for g in users|groupby('age') %}{{ g.grouper }}:{{ g.list|length }}{{ g[0] }};{% endfor %}|{% for a, us in users|groupby('age') %}{{ a }}{{ us|map(attribute='name')|join('+') }}{% endfor %}
{{ [{'c': 'CA'}, {'c': 'ny'}, {'c': 'ca'}]|groupby('c') }}|{{ [{'c': 'CA'}, {'c': 'ca'}]|groupby('c', case_sensitive=true) }}|{{ [{'c': 1}, {}]|groupby('c', default=0) }}
{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent(2, blank=true) }}|{{ 'a\nb'|indent('> ') }}|{{ 'a\nb\n'|indent(1) }}|{{ ''|indent }}|{{ ''|indent(first=true) }}
{{ 5|indent }}
{{ l|join }}|{{ l|join(', ') }}|{{ users|join(', ', attribute='name') }}|{{ s|join('.') }}|{{ d|join('+') }}|{{ [1, none, 'a']|join('|') }}|{{ l|join(5) }}
{{ 5|join }}
{{ s|length }}|{{ u|length }}|{{ d|length }}|{{ l|length }}|{{ ''|length }}
{{ 5|length }}
{{ none|length }}
{{ (l|map('string'))|length }}
{{ s|list }}|{{ d|list }}|{{ (1, 2)|list }}|{{ 'é你'|list }}
{{ users|map(attribute='name')|list }}|{{ users|map(attribute='zz', default='-')|list }}|{{ ls|map('upper')|list }}|{{ ls|map('replace', 'a', 'z')|list }}|{{ users|map(attribute='tags.0', default='none')|list }}|{{ ll|map('first')|list }}|{{ ll|map(attribute=1)|list }}
{{ ls|map()|list }}
{{ ls|map('nope')|list }}
{{ ls|map('nope') is defined }}
{{ l|max }}|{{ l|min }}|{{ ls|max }}|{{ ls|min }}|{{ ls|max(true) }}|{{ users|max(attribute='age') }}|{{ users|min(attribute='name') }}|{{ el|max is defined }}|{{ s|max }}
{{ [1, 'a']|max }}
{{ l|pprint }}|{{ d|pprint }}|{{ 'a'|pprint }}
{{ mixed|select('string')|list }}|{{ l|select('odd')|list }}|{{ l|reject('odd')|list }}|{{ mixed|select|list }}|{{ mixed|reject|list }}|{{ l|select('gt', 1)|list }}|{{ l|select('in', [1, 2])|list }}|{{ l|select('divisibleby', 3)|list }}
{{ users|selectattr('on')|list }}|{{ users|selectattr('age', 'eq', 5)|map(attribute='name')|list }}|{{ users|rejectattr('age', 'eq', 5)|list|length }}|{{ users|selectattr('on', 'defined')|list|length }}|{{ users|selectattr('name', 'in', ['Bob'])|list|length }}
{{ l|select('nope')|list }}
{{ users|selectattr()|list }}
{{ 'aXbX'|replace('X', '-') }}|{{ 'aXbX'|replace('X', '-', 1) }}|{{ 5|replace(5, 6) }}|{{ 'abc'|replace('', '.') }}
{{ s|reverse }}|{{ l|reverse|list }}|{{ u|reverse }}|{% for i in l|reverse %}{{ i }}{% endfor %}|{{ d|reverse|list }}|{{ range(3)|reverse|list }}
{{ 5|reverse }}
{{ 2.5|round }}|{{ 3.5|round }}|{{ 2.675|round(2) }}|{{ 1.005|round(2) }}|{{ 42.55|round(1, 'floor') }}|{{ 42.55|round(1, 'ceil') }}|{{ 5|round }}|{{ 1234.5|round(-2) }}|{{ 1250|round(-2) }}|{{ 1350|round(-2) }}|{{ -2.5|round }}|{{ 2.5|round|int }}|{{ 0.5|round }}|{{ 1e20|round(2) }}|{{ true|round }}
{{ 2.5|round(1, 'nope') }}
{{ 'a'|round }}
{{ l|slice(2)|list }}|{{ range(10)|slice(3)|list }}|{{ range(10)|slice(3, 'x')|list }}|{{ range(7)|batch(3)|list }}|{{ range(7)|batch(3, 'x')|list }}|{{ el|batch(2)|list }}|{{ range(2)|slice(4)|list }}
{{ l|sort }}|{{ l|sort(true) }}|{{ ls|sort }}|{{ ls|sort(case_sensitive=true) }}|{{ users|sort(attribute='age')|map(attribute='name')|list }}|{{ users|sort(attribute='age,name', reverse=true)|map(attribute='name')|list }}|{{ s|sort|join }}|{{ d|sort }}|{{ [[2, 1], [1, 2]]|sort }}
{{ mixed|sort }}
{{ [none, none]|sort }}
{{ 5|string }}|{{ none|string }}|{{ l|string }}|{{ 1.0|string }}|{{ (5|string) + 'a' }}
{{ '<p>a <b>b</b>\n c</p><!-- x -->d &amp; e'|striptags }}|{{ 'a < b'|striptags }}
{{ l|sum }}|{{ users|sum(attribute='age') }}|{{ l|sum(start=10) }}|{{ [1.5, 2]|sum }}|{{ el|sum }}|{{ [[1], [2]]|sum(start=[]) }}
{{ ls|sum }}
{{ "hello world-foo (bar) {baz} it's"|title }}|{{ 'ÄÖ éa'|title }}|{{ 5|title }}
{{ {'a': [1, 2.5, none, true, 'é<>&\'"']}|tojson }}|{{ {'b': 1, 'a': 2}|tojson }}|{{ l|tojson }}|{{ 'a\nb\u2028'|tojson }}|{{ {1: 2, none: 3}|tojson }}|{{ (1, 2)|tojson }}|{{ 1e16|tojson }}|{{ 'x'|tojson(indent=2) }}
{{ {'a': [1, {'b': []}], 'c': {}}|tojson(indent=2) }}|{{ [1, [2]]|tojson(indent=0) }}|{{ [1]|tojson(indent=4) }}
{{ {'z': 1, 'a': 'é'}|tojson(ensure_ascii=true, sort_keys=true, separators=(',', ':')) }}
{{ missing|tojson }}
{{ range(3)|tojson }}
{{ d.items()|tojson }}
{{ {(1, 2): 3}|tojson }}
{{ {1: 2, 'a': 3}|tojson }}
{{ '  a '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ 5|trim }}
{{ 'foo bar baz qux'|truncate(9) }}|{{ 'foo bar baz qux'|truncate(9, true) }}|{{ 'foo bar baz qux'|truncate(11) }}|{{ 'foo bar baz qux'|truncate(11, false, '...', 0) }}|{{ 'foobarbaz'|truncate(5, leeway=0) }}|{{ 'aé你b cdefg'|truncate(6, end='…', leeway=0) }}
{{ 'foo'|truncate(1) }}
{{ [1, 2, 1, 3]|unique|list }}|{{ ['a', 'A', 'b']|unique|list }}|{{ ['a', 'A']|unique(true)|list }}|{{ users|unique(attribute='age')|map(attribute='name')|list }}|{{ [1, 1.0, true]|unique|list }}
{{ [[1], [1]]|unique|list }}
{{ 'a b&c=d/é'|urlencode }}|{{ {'a b': 1, 'c': 'd&'}|urlencode }}|{{ [('x', 1)]|urlencode }}|{{ 5|urlencode }}
{{ "hello, world! it's me"|wordcount }}|{{ ''|wordcount }}|{{ 'a-b c_d é'|wordcount }}
{{ 'the quick brown fox jumps over'|wordwrap(10) }}|{{ 'aaaaaaaaaaaa bb'|wordwrap(5) }}|{{ 'aaaaaaaaaaaa bb'|wordwrap(5, false) }}|{{ 'well-known foo--bar baz'|wordwrap(7) }}|{{ 'a b\n\nc d e f'|wordwrap(3, true, '|') }}|{{ 'well-known'|wordwrap(6, break_on_hyphens=false) }}
{{ 'a'|wordwrap(0) }}
{{ {'class': 'a b', 'id': none, 'x': '<', 'n': 5}|xmlattr }}|{{ {'a': 1}|xmlattr(false) }}|{{ {}|xmlattr }}
{{ {'a b': 1}|xmlattr }}
{{ 'abc'|attr('upper') is callable }}|{{ d|attr('a') is defined }}
{{ 'Hello World'|regex_replace('o', '0') }}|{{ 'abc'|regex_replace('(a)(b)', '\\2\\1') }}|{{ 'aaa'|regex_replace('a', 'b', 2) }}|{{ 'abc'|regex_replace('x*', '-') }}|{{ 'a1b22'|regex_replace('\\d+', '<\\g<0>>') }}|{{ 'x'|regex_replace('(?P<n>x)', '\\g<n>\\n') }}
{{ 5|regex_replace('a', 'b') }}
{{ 'a'|regex_replace('(', 'b') }}
{{ 'a'|regex_replace('a', '\\1') }}
{{ 3 is odd }}|{{ 4 is even }}|{{ 9 is divisibleby 3 }}|{{ 9 is divisibleby(2) }}|{{ 1 is not even }}|{{ none is none }}|{{ 1 is none }}|{{ true is boolean }}|{{ 1 is boolean }}|{{ false is false }}|{{ 0 is false }}|{{ 1 is true }}
{{ 1 is integer }}|{{ true is integer }}|{{ 1.0 is integer }}|{{ 1.0 is float }}|{{ 1 is float }}|{{ true is number }}|{{ '1' is number }}|{{ 'a' is lower }}|{{ 'A' is upper }}|{{ 'a' is string }}|{{ {} is mapping }}|{{ [] is mapping }}
{{ [] is sequence }}|{{ {} is sequence }}|{{ 'a' is sequence }}|{{ 1 is sequence }}|{{ [] is iterable }}|{{ 1 is iterable }}|{{ d.items() is sequence }}|{{ range(2) is sequence }}|{{ range is callable }}|{{ 1 is callable }}|{{ (html|e) is escaped }}|{{ html is escaped }}
{{ 1 is eq 1 }}|{{ 1 is equalto(1) }}|{{ 1 is ne 2 }}|{{ 1 is gt 0 }}|{{ 1 is ge 1 }}|{{ 1 is lt 2 }}|{{ 1 is le 0 }}|{{ 1 is in [1] }}|{{ 'a' is in 'abc' }}|{{ 1 is sameas 1 }}|{{ none is sameas none }}|{{ l is sameas l }}|{{ [] is sameas [] }}
{{ 'upper' is filter }}|{{ 'nope' is filter }}|{{ 'odd' is test }}|{{ 'nope' is test }}
{{ 'a' is odd }}
{{ 1 is nope }}
{{ 1|nope }}
{% if no %}{{ 1|nope }}{{ 1 is nope }}{% endif %}ok
{{ 1|nope if no else 2 }}
{{ 1 is odd is even }}
{{ 1 if }}
{{ }}
{{ 1 2 }}
{{ (1 }}
{{ 1) }}
{{ [1, 2 }}
{{ {'a' 1} }}
{{ 'abc }}
{{ a b
{% if 1 %}
{% endif %}
{% for i in l %}{% endif %}
{% nope %}
{% if %}x{% endif %}
{% set 1 = 2 %}
{% set none = 2 %}
{{ f(a=1, 2) }}
{{ f(a=1, a=2) }}
{{ f(**d, **d) }}
{{ a! }}
{{ a $ b }}
{% raw %}x
{# x
{{ '\x4' }}
{{ 'a'|upper() }}|{{ 'a'|center(5)|length }}|{{ 'a'|upper(1) }}
{{ 'a'|center(width=3) }}|{{ 'a'|center(3, width=3) }}
{{ 'a'|replace('b') }}
{{ dict(**d).a }}|{{ '{}{}'.format(*ll[0]) }}|{{ dict(x=1, **{'y': 2}) }}
{{ dict(*5) }}
{{ dict(**l) }}
{{ 5() }}
{{ 'a'() }}
{{ s.upper }}
{{ (1, 2)[0] }}|{{ {'a': 1}['a'] }}|{{ [1, 2][-1] }}|{{ 'abc'[1] }}|{{ 'abc'.upper()[0] }}|{{ ('a' ~ 'b')|upper }}
{{ -1|abs }}|{{ -n|abs }}|{{ 2 + 3|string }}|{{ 1 + 2 * 3 - 4 // 2 % 3 ** 2 }}|{{ not 1 == 2 }}|{{ not n in l }}|{{ 1 in [1] == true }}
{{ s|upper|lower|title|length }}|{{ l|map('string')|map('upper')|join }}|{{ (s|upper).lower() }}|{{ s|upper.lower() }}
{{ 'a' if 1 is odd and 2 is even else 'b' }}|{{ 1 is not none and 2 }}|{{ n is defined and n > 3 }}|{{ n > 3 is true }}
{{ 1.e3 }}
{{ 1.real }}
{{ u }}{{ u|upper }}{{ u|length }}{{ u.encode }}
{{ choices.label.index(key) }}|{{ ['A', 'B', 'C'].index(key) }}
{% for c in choices.text %}{{ choices.label[loop.index0] }}. {{ c }}
{% endfor %}Answer:
Question: {{question.strip()}}
A. {{choices[0]}}
Answer: {{answer}}
{{ [question, s]|join(' ') }}{% if key == 'B' %} yes{% endif %}{{ (key|string).replace('B', 'X') }}{{ l|map('int')|list }}
{% for m in users|selectattr('age', 'eq', 7) %}{{ m.name }}{{ loop.last }}{{ loop.nextitem is defined }}{% endfor %}|{% for i in l|select('gt', 1) %}{{ i }}{% if loop.last %}.{% endif %}{% endfor %}
{{ '٣'|int }}|{{ '９'|float }}|{{ '1_0'|int }}|{{ '1_.5'|float(9) }}|{{ '1__0'|int(9) }}|{{ '_1'|int(9) }}
{{ '{:05}|{:<05}|{:x<05}'.format('ab', 3, 4) }}|{{ '{:n}|{:z.1f}|{:+z.0f}'.format(12, -0.01, -0.2) }}|{{ '%.12d' % 5 }}|{{ ('%.500d' % 1)|length }}
{{ '{:r}'.format(1.5) }}
{{ '{:,x}'.format(1000) }}
{{ '{:+c}'.format(65) }}
{{ '{:z}'.format(1) }}
{{ '%5%' % 1 }}
{{ '%(a)s %s' % d }}
{{ '%s %(a)s' % d }}
{{ '{}|{0[0]}'.format('abc') }}
{{ '{0[x]}'.format({}) }}
{{ '{0.x!r}|{0.x}'.format({'x': 1}) }}
{{ '{:{:{}}}'.format('a', 5, 3) }}
{{ ('<{}>'|safe).format('<b>') }}|{{ ('<%s>'|safe) % '<b>' }}|{{ ('{:5}'|safe).format('a'|safe) is defined }}
{{ ('<{}|{}>'|safe).format('<b>', '<i>'|safe) }}
{{ 'a<b c'|wordwrap(1, true, '<br>'|safe) }}|{{ 'a<'|indent('>'|safe, true, true) }}|{{ ('a<'|safe)|truncate(1, true, '', 0) }}|{{ (' '|safe).join([['<']]) }}
{{ (1e308 * 10 * 0)|filesizeformat }}|{{ (1e308 * 10)|filesizeformat }}
{{ (-1e308 * 10)|filesizeformat }}
{{ 100000.0 % -5.562684646268003e-309 }}|{{ 1.0 % 1e-310 }}|{{ -7.5 % 3e-320 }}|{{ 1.7976931348623157e308 ** 0.5 }}
{% set x | replace(s, 'a') %}b{% endset %}
{% set x | replace(s, 'a') %}{{ s }}b{% endset %}{{ x }}
{% macro m() %}{{ caller() }}{% endmacro %}{% call m(caller=1) %}x{% endcall %}
{% macro m() %}{{ caller() }}{% endmacro %}{% call m(**{'caller': 1}) %}x{% endcall %}
{% for m, in [[1]] %}{{ m }}{% endfor %}
{% for x in recursive or l recursive %}{{ x }}{% endfor %}
{% for i in l %}{{ loop.changed(i, nope) }}{% endfor %}
{{ [1, nope] == [2, nope] }}|{{ [1, nope] == [1] }}
{{ [1, nope] == [1, nope] }}
{{ 'abc'|truncate(9, true, nope) }}
{{ 'aé'|regex_replace('\\u00e9|\\v', 'x') }}
{{ 'a'|regex_replace('\\h', 'x') }}
{% for i in 'ab' %}{{ loop }}{% endfor %}
{{ (-0.0)|round(-1) }}|{{ (-0.0001)|round(3)|round(-2) }}|{{ 0.1|round(-2) }}
{{ nope.__class__ }}|
{{ nope.__foo__ }}
{{ '{:#}|{:#.0}|{:#,.0}|{:#.3}|{:#.9}'.format(1e16, 1e16, 1e16, 12.0, 123456.0) }}|{{ '{:#.1}|{:#.3}|{:.1}|{:#}'.format(1.0, 1e-5, 1.0, 1e-5) }}
{{ '%.*a' % (9223372036854775807, 'x') }}
{{ '%.*s|%*s|%.*s' % (2, 'xyz', -5, 'a', -3, 'xyz') }}
{{ 'abcb'.partition('b'|safe)[1] is escaped }}|{{ ('abcb'|safe).partition('b')[1] is escaped }}|{{ 'a'.partition('b'|safe)[1] is escaped }}|{{ 'abcb'.rpartition('b'|safe)[1] is escaped }}
{{ 'abcabc'.rfind('bc') }}|{{ 'abc'.rfind('') }}|{{ ''.rfind('a') }}|{{ 'aaa'.rsplit('aa') }}|{{ 'abc'.rpartition('b') }}|{{ 'aaaa'.count('aa') }}
{{ 'abc'|regex_replace('b','\\08') }}|{{ 'abc'|regex_replace('b','\\0007') }}|{{ 'abc'|regex_replace('b','\\101') }}
{{ 'abc'|regex_replace('b','\\400') }}
{{ '&#150;|&#x80|&#00000000000065;|&#1;x|&#xd800;|&#x110000;|&#99999999999;|&#65x|&#x;|&#xb;|&#xfffe;|&#127;'|striptags }}
{{ range(9).count(3) }}|{{ range(9).count('a') }}|{{ range(2, 9, 3).index(5.0) }}|{{ range(5, -5, -2).index(-1) }}|{{ range(5, -5, -2).count(0) }}|{{ range(3).count(true) }}
{{ range(9).index(30) }}
{{ 'x'|regex_replace('a', '\\g<1>') }}
{{ 'x'|regex_replace('a', '\\u') }}
{{ 'x'|regex_replace('a', '\\1') }}|
{{ ('a'|e).rjust(3, '<') }}
{{ ('a'|e).rjust(3, '<'|safe) }}|{{ 'a'.center(4, '<') }}|{{ ('a'|e).ljust(3, '-') }}
{{ range(9)[2:7:2] }}|{{ range(9)[::-1] }}|{{ range(5, -5, -3)[1:] }}|{{ range(5, -5, -3)[:-9] }}|{{ range(3)[7:9] }}|{{ range(0)[::2] }}|{{ range(90000)[5:80000:3][-1] }}
{% macro m() %}{{ kwargs|list }}{% endmacro %}{% call m(a=1, **{'z': 2}) %}{% endcall %}{% call m(**{'z': 2}) %}{% endcall %}{% call m(b=1) %}{% endcall %}
{{ strftime_now('%^e|%#e|%#a|%#p|%^p|%^P|%^B|%#B|%_H|%-I|%_y|%-y|%#c|%^c|%-f|%Ey|%Od|%EQ|%OH|%Ed|%^n') }}
{{ 01 }}
{{ 1_0.5e1 }}|{{ 0x_f }}|{{ 0b11 }}|{{ 00_0 }}|{{ 1e5 }}|{{ 1.e }}
{{ 'ꟗ'.isupper() }}|{{ '一'.isnumeric() }}|{{ 'ß'.casefold() }}|{{ 'ᏸᎠ'.casefold() }}|{{ 'ŉ'|title }}
{{ d.items() in d.keys() }}
{{ d.keys() in d }}
{{ d.values() in d.keys() }}|{{ d.items() in d.items() }}|{{ {d.values(): 2}|length }}|{{ d[d.items()] is defined }}
{{ [d.items()]|unique|list }}
{{ {(1, d.items()): 2} }}
{{ {'a':1}.keys() == {'a':2}.keys() }}|{{ {'a':1,'b':2}.keys() == {'b':2,'a':1}.keys() }}|{{ {'a':1}.keys() == {'b':1}.keys() }}|{{ {'a':1}.items() == {'a':1.0}.items() }}|{{ {'a':1}.items() == {'a':2}.items() }}|{{ {'a':1}.values() == {'a':1}.values() }}|{{ {}.keys() == {}.items() }}|{{ {'a':1}.keys() == {'a':1}.items() }}|{{ [d.keys()] == [d.keys()] }}|{{ d.keys() == ['a'] }}|{{ {}.values() == {}.values() }}
{{ namespace(missing) }}
{{ dict(missing, a=1) }}
{{ namespace('') }}|{{ namespace([('a', 2)]).a }}|{{ dict(['ab']) }}
{{ 'a\u0301'.isidentifier() }}|{{ '\u0301a'.isidentifier() }}|{{ 'a\u00b2'.isidentifier() }}|{{ 'a\u203f'.isidentifier() }}|{{ '\u2118'.isidentifier() }}|{{ ''.isidentifier() }}
{% set á = 3 %}{{ á }}
{% set a² = 3 %}{{ a² }}
"""


def main():
    # cases of several lines: those whose first line opens something; the rest is a case per line
    lines, cases = CASES.strip("\n").split("\n"), []
    joined = {"{{ 'a' 'b' }}": 1, "{% raw %}{{ x": 1, "a": 19, "{% for c in choices": 1, "Question:": 2}
    i = 0
    while i < len(lines):
        n = 0
        for start, extra in joined.items():
            if lines[i] == start if len(start) == 1 else lines[i].startswith(start):
                n = extra
        cases.append("\n".join(lines[i:i + n + 1]))
        i += n + 1
    import random
    r = random.Random(7)
    g = Gen(r)
    extra = {"choices": {"label": ["A", "B"], "text": ["one", "two"]}, "key": "B", "question": " Why? "}
    variables = {**VARS, **extra}
    out = []
    for env in ("chat", "suite"):
        for t in cases:
            out.append({"env": env, "template": t, **jinja_ref.render(env, t, copy.deepcopy(variables))})
    while len(out) < 1400:
        env, t = r.choice(["chat", "suite"]), g.template()
        res = jinja_ref.render(env, t, copy.deepcopy(variables))
        if len(t) < 400 and len(str(res)) < 600 and ("ok" in res or r.random() < .15):
            out.append({"env": env, "template": t, **res})
    known = ("object at 0x", "<function", "<built-in", "TemplateReference", "name 'inf'", "Exceeds", "jinja2.", "Generator Object", "element slice", "lipsum", ".append(", ".update(", "__class__", ".pop(")
    out = [c for c in out if not any(k in str(c) for k in known)]
    json.dump({"vars": variables, "date": "2026-01-31T12:34:56", "cases": out}, sys.stdout, ensure_ascii=True, indent=0)
    print()


main()
