/* test_jinja_hostile.c - templates that try to take all memory, time or stack, or that are broken in the middle. Each must
 * end soon with E_LIMIT or E_FORMAT and a sentence; under the sanitizers nothing may be read or written outside. */
#include "tests/test.h"

#include <time.h>

#include "runners/text/jinja.h"

static struct arena item;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int try_render(enum jinja_env env, struct str source, const struct jinja_limits *limits, struct str *out, struct err *e)
{
	struct jinja *j;
	*e = (struct err){ 0 };
	if (jinja_compile(&j, source, env, "t", e))
		return -1;
	int rc = jinja_render(j, &item, v_dict(&item), NULL, limits, out, e);
	jinja_free(j);
	return rc;
}

/* `head`, `middle` n times, `mid`, `tail` n times, `end`. */
static struct str repeated(const char *head, const char *middle, const char *mid, const char *tail, const char *end, size_t n)
{
	struct buf b = { 0 };
	buf_puts(&b, head);
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, middle);
	buf_puts(&b, mid);
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, tail);
	buf_puts(&b, end);
	struct str s = arena_str(&item, b.p, b.n);
	buf_fini(&b);
	return s;
}

static void must_fail(struct str source, int code)
{
	struct jinja_limits limits = { .steps = 3000000, .memory_bytes = (size_t)64 << 20, .output_bytes = 1 << 20 };
	for (int env = JINJA_CHAT; env <= JINJA_SUITE; env++) {
		struct err e;
		struct str out;
		double t = now();
		int rc = try_render((enum jinja_env)env, source, &limits, &out, &e);
		CHECK(rc == -1 && (code ? (int)e.code == code : e.code == E_LIMIT || e.code == E_FORMAT), "%.100s: %d '%s'", source.p, e.code, rc ? e.msg : "rendered");
		CHECK(now() - t < 60, "%.100s took %.1f s", source.p, now() - t);
	}
	arena_reset(&item);
}

static void test_growth(void)
{
	static const char *const templates[] = {
		"{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
		"{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
		"{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
		"{% set ns = namespace(l=[1]) %}{% for i in range(80) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
		"{% set ns = namespace(l=[1]) %}{% for i in range(80) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l|tojson }}",
		"{% set ns = namespace(l=[1], m=[1]) %}{% for i in range(80) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
		"{% set ns = namespace(l=[1]) %}{% for i in range(80) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ '%s' % (ns.l,) }}",
		"{% set ns = namespace(l=[1]) %}{% for i in range(9000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
		"{% set ns = namespace(l=[1]) %}{% for i in range(9000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|tojson }}",
		"{{ 'x' * 9000000000000000000 }}", "{{ 'x' * 100000000 }}", "{{ [1] * 100000000 }}", "{{ (1,) * 9000000000000000000 }}",
		"{{ 'x'|center(1000000000) }}", "{{ 'x'.ljust(9000000000000000000) }}", "{{ 'x'.zfill(1000000000) }}", "{{ '%1000000000d' % 1 }}", "{{ '%*d' % (1000000000, 1) }}",
		"{{ '{:1000000000}'.format(1) }}", "{{ '%.1000000f' % 1.5 }}", "{{ '{:.100000}'.format(0.1) }}", "{{ 'a\\tb'.expandtabs(1000000000) }}", "{{ 'a'|indent(1000000000) }}",
		"{{ [1]|tojson(indent=1000000000) }}", "{{ ('x' * 10000)|replace('', 'y' * 100000) }}", "{{ ('x' * 100000).replace('x', 'y' * 100000) }}",
		"{{ ('y' * 100000).join('x' * 100000) }}", "{{ ('x' * 100000)|join('y' * 100000) }}", "{{ [1]|batch(1000000000, 'x')|list }}", "{{ [1]|slice(1000000000, 'x')|list }}",
		"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% macro f(x) %}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
		"{% macro f() %}{{ caller() }}{% call f() %}{{ f() }}{% endcall %}{% endmacro %}{% call f() %}{% endcall %}",
		"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
		"{% for i in range(100000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}", "{% for i in range(100000) if i > 1000000 %}{% endfor %}{% for i in range(99999) %}{{ range(99999)|sum }}{% endfor %}",
		"{% set x %}{% for i in range(100000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endset %}", "{{ range(0, 9000000000000000000)|list }}",
		"{% for i in range(100000) %}{% set x = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] * 10 %}{% endfor %}", "{{ (range(100000)|list * 50)|sort|length }}{{ ((range(99999)|list) * 50)|sort }}",
		"{% set ns = namespace(g=[1]) %}{% for i in range(3000) %}{% set ns.g = ns.g|map('string') %}{% endfor %}{{ ns.g|list }}",
		"{% set ns = namespace(d={}) %}{% for i in range(2000) %}{% set ns.d = dict(ns.d, **{i|string: ns.d}) %}{% endfor %}{{ ns.d }}",
	};
	for (size_t i = 0; i < sizeof templates / sizeof *templates; i++)
		must_fail(str_of(templates[i]), 0);
}

/* At the limits that a render has when nothing is said, but a tenth of the steps (a hundredth under a sanitizer). Those marked must give an error; the others may render. */
static void test_default_limits(void)
{
	static const struct { bool fails; const char *source; } cases[] = {
		{ true, "{{ 'a' * 10**9 }}" }, { true, "{{ [none] * 10**9 }}" }, { false, "{{ ('a' * -10**9)|length }}" }, { true, "{{ (10**9) * 'ab' }}" }, { true, "{{ 'x' * 9223372036854775807 }}" },
		{ true, "{{ range(10**9)|list }}" }, { true, "{{ range(10**9)|sum }}" }, { true, "{{ range(0, 9223372036854775807)|map('string')|join }}" }, { true, "{% for i in range(10**9) %}{% endfor %}" },
		{ true, "{% for i in range(99999) %}{% for j in range(99999) %}{{ i }}{% endfor %}{% endfor %}" }, { true, "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}" }, { true, "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}" },
		{ true, "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s|replace('x', 'xxxxxxxxxx') %}{% endfor %}" }, { true, "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s.join([ns.s, ns.s, ns.s]) %}{% endfor %}" },
		{ true, "{% set ns = namespace(l=['ab']) %}{% for i in range(40) %}{% set ns.l = ns.l + ns.l %}{% endfor %}{{ ns.l|join(ns.l|join) }}" }, { true, "{% set ns = namespace(s='a') %}{% for i in range(99999) %}{% set ns.s = ns.s ~ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' %}{% endfor %}" },
		{ true, "{{ 'a'|center(10**9) }}" }, { true, "{{ 'a'.rjust(10**9) }}" }, { true, "{{ 'a'.zfill(10**18) }}" }, { true, "{{ '\t'.expandtabs(10**18) }}" }, { true, "{{ 'a'|indent(10**9, true) }}" }, { true, "{{ 'a b'|wordwrap(10**9)|center(10**9) }}" },
		{ true, "{{ '%999999999d' % 1 }}" }, { true, "{{ '%.999999999d' % 1 }}" }, { true, "{{ '%.999999999f' % 1 }}" }, { false, "{{ '%.999999999s' % 'a' }}" }, { true, "{{ '%*d' % (10**9, 1) }}" }, { true, "{{ '{:>999999999}'.format(1) }}" }, { true, "{{ '{:0999999999,}'.format(1) }}" },
		{ true, "{{ '{:{}}'.format('a', 10**9) }}" }, { true, "{{ '{:.999999999e}'.format(1.0) }}" }, { true, "{{ ('{0}' * 10**6).format('a' * 10**3) }}" }, { true, "{{ ('%s' * 3000)|format(*(['a' * 10**6] * 3000)) }}" },
		{ true, "{% set ns = namespace(l=[]) %}{% for i in range(99999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|tojson }}" }, { true, "{% set ns = namespace(d={}) %}{% for i in range(99999) %}{% set ns.d = {'a': ns.d} %}{% endfor %}{{ ns.d }}" },
		{ true, "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l|tojson(indent=4) }}" }, { true, "{{ [[[[1]]]]|tojson(indent=10**9) }}" }, { false, "{{ ('abc' * 1000)[::9223372036854775807] ~ ('abc' * 1000)[::-9223372036854775807] }}" },
		{ false, "{{ [1, 2, 3][-9223372036854775807:9223372036854775807:-1] }}" }, { true, "{{ 2 ** (2 ** 62) }}" }, { true, "{{ 9223372036854775807 * 9223372036854775807 }}" }, { true, "{{ [1]|batch(10**9, 0)|list }}" }, { true, "{{ [1]|slice(10**9, 0)|list }}" },
		{ true, "{{ (range(90000)|list * 90)|sort(reverse=true)|length ~ (range(90000)|list * 90)|groupby(0) }}" }, { true, "{{ ('ab ' * 10**7)|wordwrap(1)|title|wordwrap(1)|title|wordwrap(1)|title|wordwrap(1) }}" }, { true, "{% set x = 'a' * 10**7 %}{% for i in range(9999) %}{% set y = x.upper() %}{% endfor %}" },
		{ true, "{% set x = 'ab' * 10**6 %}{% for i in range(99999) %}{% if x.find('b' * 1000) == 1 %}{% endif %}{% endfor %}" }, { true, "{% set x = 'a' * 10**6 %}{% for i in range(99999) %}{{ x.count('ab') }}{% endfor %}" }, { false, "{% set x = ('a' * 10**6).split('b') %}{% for i in range(99999) %}{% if x == ['b'] or x|list|length > 5 %}{% endif %}{% endfor %}" },
		{ true, "{% set x = 'a' * 10**6 %}{% for i in range(99999) %}{% if x == x ~ 'b' %}{% endif %}{% endfor %}" }, { true, "{% set x = 'a' * 10**6 %}{% for i in range(99999) %}{% if x.isalpha() and x|length and x.lower() and x is lower %}{% endif %}{% endfor %}" }, { true, "{% set x = 'é' * 10**6 %}{% for i in range(99999) %}{{ x[500000] }}{% endfor %}" },
		{ true, "{% set x = range(90000)|list %}{% for i in x %}{% if -i in x and 'q' in x %}{% endif %}{% endfor %}" }, { true, "{% set x = 'a' * 10**6 %}{% for i in range(99999) %}{% if x is in {x: 1} and x.strip('a') and x|trim %}{% endif %}{% endfor %}" }, { true, "{% set x = ('é' * 1000).split('x')[0] %}{% for i in range(99999) %}{{ x|urlencode|e|striptags|reverse|length }}{% endfor %}" },
	};
#if defined(__SANITIZE_ADDRESS__)
	const struct jinja_limits limits = { .steps = 500000 };
#else
	const struct jinja_limits limits = { .steps = 5000000 };
#endif
	double slowest = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool chat = i % 2 && !strstr(cases[i].source, "range(10**9)") && !strstr(cases[i].source, "range(0,"); /* which has a range limit */
		struct err e;
		struct str out;
		double t = now();
		int rc = try_render(chat ? JINJA_CHAT : JINJA_SUITE, str_of(cases[i].source), &limits, &out, &e);
		t = now() - t;
		CHECK(rc == 0 ? !cases[i].fails : e.code == E_LIMIT || e.code == E_FORMAT, "%s: %s", cases[i].source, rc ? e.msg : "rendered");
		CHECK(t < 30, "%.150s took %.1f s", cases[i].source, t);
		slowest = t > slowest ? t : slowest;
		arena_fini(&item); /* what it took is given back */
		arena_init(&item);
	}
	printf("slowest %.2f s ", slowest);
}

/* Long texts: comparing, searching and cutting them counts by their bytes, or few steps would read without end. */
static void test_long_texts(void)
{
#define TWICE "{% for i in range(99999) %}{% for k in range(99999) %}"
#define ENDS "{% endfor %}{% endfor %}"
	static const char *const uses[] = { "{{ x.rfind('a' * (5 * 10**6) ~ 'b') }}{{ x.rfind('b' ~ x[1:5000001]) }}", "{{ x.rsplit('a' * (5 * 10**6) ~ 'b')|length }}", TWICE "{{ 'b' in x }}" ENDS,
		TWICE "{{ x == y }}" ENDS, TWICE "{{ x < y }}" ENDS, TWICE "{{ {x: 1}[y] }}" ENDS, TWICE "{{ y in {'b': 1} }}" ENDS, TWICE "{{ x[1:3] }}" ENDS, "{{ [x] * 1000000 == [y] * 1000000 }}",
		"{{ [x] * 1000000 < [y] * 1000000 }}", "{{ ([x, y] * 150000)|sort(case_sensitive=true)|length }}", "{{ x.startswith((y[1:] ~ 'b',) * 900000) }}", "{{ (y ~ 'b') in [x ~ 'c'] * 900000 }}",
		"{{ ([x] * 900000).count(y) }}", "{{ ('%.3s' * 300000) % ((x,) * 300000) }}", "{{ ('{:.3}' * 300000).format(*((x,) * 300000)) }}", TWICE "{{ x is sameas y }}" ENDS };
	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
		struct buf b = { 0 };
		buf_printf(&b, "{%% set x = 'a' * 10**7 %%}{%% set y = 'a' * 10**7 %%}%s", uses[i]);
		must_fail((struct str){ b.p, b.n }, E_LIMIT);
		buf_fini(&b);
	}
	/* tuples of themselves as keys */
	must_fail(str_of("{% set ns = namespace(t=(1,)) %}{% for i in range(60) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}{{ {ns.t: 1} }}"), E_FORMAT);
	must_fail(str_of("{% set ns = namespace(t=(1,)) %}{% for i in range(90000) %}{% set ns.t = (ns.t,) %}{% endfor %}{{ {ns.t: 1} }}"), E_FORMAT);
}

static void test_nesting(void)
{
	static const char *const nests[][5] = {
		{ "{{ ", "(", "1", ")", " }}" }, { "{{ ", "[", "1", "]", " }}" }, { "{{ ", "{'a':", "1", "}", " }}" }, { "{{ ", "not ", "1", "", " }}" }, { "{{ ", "-", "1", "", " }}" },
		{ "{{ ", "f(", "1", ")", " }}" }, { "{{ a", "[a", "", "]", " }}" }, { "{{ a", ".a", "", "", " }}" }, { "{{ a", "|e", "", "", " }}" }, { "{{ a", "()", "", "", " }}" },
		{ "{{ ", "1 if 1 else ", "1", "", " }}" }, { "{{ 1", " if 1", "", "", " }}" }, { "{{ a", "|f(a", "", ")", " }}" }, { "{{ ", "a is eq ", "a", "", " }}" },
		{ "", "{% if 1 %}", "x", "{% endif %}", "" }, { "", "{% for i in a %}", "x", "{% endfor %}", "" }, { "", "{% with %}", "x", "{% endwith %}", "" },
		{ "", "{% macro f() %}", "x", "{% endmacro %}", "" }, { "", "{% set x %}", "x", "{% endset %}", "" }, { "", "{% filter e %}", "x", "{% endfilter %}", "" },
		{ "", "{% call f() %}", "x", "{% endcall %}", "" }, { "{% set ", "(", "a", ")", " = 1 %}" }, { "{% for ", "(", "a", ")", " in b %}{% endfor %}" }, { "{{ ", "1 + (", "1", ")", " }}" },
		{ "{{ ", "a[", "1", "]", " }}" }, { "{{ ", "- - + ", "1", "", " }}" }, { "", "{% if 1 %}{% else %}", "x", "{% endif %}", "" }, { "{{ ", "x ** (", "1", ")", " }}" },
	};
	for (size_t i = 0; i < sizeof nests / sizeof *nests; i++) {
		const char *const *p = nests[i];
		must_fail(repeated(p[0], p[1], p[2], p[3], p[4], 50000), 0);
		must_fail(repeated(p[0], p[1], p[2], "", "", 300), 0);
	}
	struct err e;
	struct str out;
	CHECK(try_render(JINJA_CHAT, repeated("{{ 1", " + 1", "", "", " }}", 20000), NULL, &out, &e) == 0 && str_is(out, "20001"), "a long sum does not nest: %s", e.msg);
	CHECK(try_render(JINJA_CHAT, repeated("{{ 0", " or 0", " or 7", "", " }}", 20000), NULL, &out, &e) == 0 && str_is(out, "7"), "nor a long or: %s", e.msg);
	CHECK(try_render(JINJA_CHAT, repeated("{{ ''", " ~ 'a'", "", "", " }}", 20000), NULL, &out, &e) == 0 && out.n == 20000, "nor a long ~: %s", e.msg);
	CHECK(try_render(JINJA_CHAT, repeated("{% if 0 %}", "{% elif 0 %}", "{% else %}x", "", "{% endif %}", 20000), NULL, &out, &e) == 0 && str_is(out, "x"), "nor elifs: %s", e.msg);
	CHECK(try_render(JINJA_CHAT, repeated("", "{% if 1 %}", "x", "{% endif %}", "", 100), NULL, &out, &e) == 0 && str_is(out, "x"), "100 blocks: %s", e.msg);
	CHECK(try_render(JINJA_CHAT, repeated("{{ ", "[", "1", "]", " }}", 60), NULL, &out, &e) == 0 && out.n == 121, "60 lists: %s", e.msg);
	arena_reset(&item);
}

static void test_variables(void)
{
	struct buf b = { 0 };
	for (int i = 0; i < 20000; i++)
		buf_printf(&b, "{%% if a%d %%}{%% set b%d = 1 %%}{%% endif %%}", i, i);
	must_fail((struct str){ b.p, b.n }, E_LIMIT);
	buf_fini(&b);
	for (int i = 0; i < 20000; i++)
		buf_printf(&b, "{%% if a %%}{%% set b%d = 1 %%}{%% elif c %%}{%% endif %%}", i % 300);
	struct err e;
	struct str out;
	double t = now();
	try_render(JINJA_CHAT, (struct str){ b.p, b.n }, NULL, &out, &e);
	CHECK(now() - t < 60, "20000 conditions took %.1f s", now() - t);
	buf_fini(&b);
	arena_reset(&item);
}

static void test_broken(void)
{
	static const char *const whole = "a{% set ns = namespace(x=1) %}{%- macro f(a, b=2, *c) -%}{{ a|default('q', true)|replace(\"x\", 'y')[1:2] }}{% endmacro +%}"
					 "{% for i, (j, k) in {'a': [1, 2.5e3, 0x1f]}.items() if i is not none recursive %}{{ loop.index }}{% else %}{# c #}{% endfor %}"
					 "{% raw %}{{ }}{% endraw %}{% call(x) f(**d) %}{{ x if y else z }}{% endcall %}{% filter upper %}\xc3\xa9{% endfilter %}";
	static const char *const bad[] = { "{{", "{%", "{#", "{{ '", "{{ \"\\", "{{ '\\", "{{ '\\x", "{{ 1.", "{% raw", "{% raw %}", "{% raw %}{% endraw", "{%-", "{{-", "{{ a.", "{{ a[", "{{ a|", "{{ a is",
		"{{ a is not", "{{ a(", "{{ a(b=", "{{ a(*", "{{ {", "{{ {'a'", "{% for", "{% for a", "{% for a in", "{% set", "{% set a", "{% set a =", "{% macro", "{% macro f", "{% macro f(", "{% call", "{% with",
		"{% filter", "{{ \xff }}", "{{ \xc3 }}", "{% \xc3\x28 %}", "{{ not", "{{ a if", "{{ a if b else", "{{ -", "{{ (", "{{ )", "{{ ]", "{{ }", "{{ (]", "{{ @", "{{ \x01 }}", "{{ a b }}", "{% if a %}{% else %}{% else %}{% endif %}",
		"{% endfor %}", "{% elif %}", "{{ 1_ }}", "{{ 1__0 }}", "{{ 0x }}", "{{ 1e }}", "{% set a.b.c = 1 %}", "{% set a() = 1 %}", "{% set a[0] = 1 %}", "{% for a.b in c %}{% endfor %}", "{% from x import y %}" };
	struct str out;
	struct err e;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		for (int env = JINJA_CHAT; env <= JINJA_SUITE; env++) {
			char *copy = xmalloc(strlen(bad[i]) + 1); /* of its exact size, for the sanitizer */
			memcpy(copy, bad[i], strlen(bad[i]));
			int rc = try_render((enum jinja_env)env, (struct str){ copy, strlen(bad[i]) }, NULL, &out, &e);
			bool allowed = strcmp(bad[i], "{#") == 0 || strcmp(bad[i], "{% raw %}") == 0; /* empty for jinja2 when nothing follows */
			CHECK(allowed || (rc == -1 && e.code != E_NONE), "%s must fail", bad[i]);
			free(copy);
		}
	/* every prefix, and every single byte replaced */
	static const char with[] = "{}%#-+'\"\\()[]|.:,=*~x0 \n";
	size_t n = strlen(whole);
	for (size_t i = 0; i <= n; i++) {
		char *copy = xmalloc(n + 1);
		memcpy(copy, whole, i);
		try_render(JINJA_CHAT, (struct str){ copy, i }, NULL, &out, &e);
		memcpy(copy, whole, n);
		for (size_t k = 0; i < n && k < sizeof with; k++) {
			copy[i] = with[k];
			try_render(k & 1 ? JINJA_CHAT : JINJA_SUITE, (struct str){ copy, n }, NULL, &out, &e);
		}
		free(copy);
		arena_reset(&item);
	}
	CHECK(true, "no crash");
}

static void test_random(void)
{
	static const char *const words[] = { "{{", "}}", "{%", "%}", "{#", "#}", "-", "+", " ", "for", "in", "if", "else", "elif", "endif", "endfor", "set", "endset", "macro", "endmacro", "call", "endcall", "filter", "endfilter",
		"with", "endwith", "raw", "endraw", "is", "not", "and", "or", "loop", "recursive", "x", "y", "f", "ns", "namespace", "range", "1", "2.5", "'a'", "\"b\"", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|", "=", "==", "<", "*", "**",
		"//", "%", "~", "upper", "join", "map", "list", "length", "items", "caller", "varargs", "kwargs", "break", "continue", "generation", "endgeneration", "print", "\n", "none", "true", "é", "tojson", "format", "default" };
	unsigned long long seed = test_seed();
	struct jinja_limits limits = { .steps = 20000, .memory_bytes = 4 << 20, .output_bytes = 1 << 16 };
	struct str out;
	struct err e;
	size_t ok = 0;
	for (int i = 0; i < 20000; i++) {
		struct buf b = { 0 };
		buf_puts(&b, i % 3 == 0 ? "{{ " : i % 3 == 1 ? "{% " : "{% if 1 %}{{ ");
		for (size_t n = 1 + test_rand(&seed) % 30; n; n--) {
			buf_puts(&b, words[test_rand(&seed) % (sizeof words / sizeof *words)]);
			if (test_rand(&seed) % 2)
				buf_putc(&b, ' ');
		}
		int rc = try_render(i & 1 ? JINJA_CHAT : JINJA_SUITE, (struct str){ b.p, b.n }, &limits, &out, &e);
		ok += rc == 0;
		if (rc && e.code == E_NONE)
			CHECK(false, "an error without a code: %s", b.p);
		buf_fini(&b);
		arena_reset(&item);
	}
	printf("%zu of 20000 rendered ", ok);
}

static void test_regex(void)
{
	must_fail(str_of("{{ ('a' * 40 + 'd')|regex_replace('(a+)+[bc]$', 'x') }}"), 0);
	must_fail(str_of("{{ 'a'|regex_replace('(' * 5000, 'x') }}"), 0);
	must_fail(str_of("{{ ('a' * 100000)|regex_replace('', 'y' * 10000) }}"), 0);
}

static void test_limits(void)
{
	struct err e;
	struct str out;
	struct jinja_limits steps = { .steps = 100 }, output = { .output_bytes = 10 }, memory = { .memory_bytes = 1000 }, depth = { .depth = 5 };
	CHECK(try_render(JINJA_CHAT, str_of("{% for i in range(200) %}{{ i }}{% endfor %}"), &steps, &out, &e) == -1 && e.code == E_LIMIT && strstr(e.msg, "steps"), "%s", e.msg);
	CHECK(try_render(JINJA_CHAT, str_of("0123456789a"), &output, &out, &e) == -1 && e.code == E_LIMIT && strstr(e.msg, "output"), "%s", e.msg);
	CHECK(try_render(JINJA_CHAT, str_of("0123456789"), &output, &out, &e) == 0, "%s", e.msg);
	CHECK(try_render(JINJA_CHAT, str_of("{{ 'abc' * 1000 }}"), &memory, &out, &e) == -1 && e.code == E_LIMIT && strstr(e.msg, "memory"), "%s", e.msg);
	static const struct {
		const char *source, *word;
		struct jinja_limits limits;
	} over[] = {
		/* what a statement alone takes counts where it runs again */
		{ "{% for i in range(9) %}{{ 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 }}{% endfor %}", "steps", { .steps = 100 } },
		{ "{% for i in range(9) %}{% for k in range(9) %}{% endfor %}{% endfor %}", "steps", { .steps = 100 } },
		{ "{% macro m(n) %}{{ m(n - 1) if n }}{% endmacro %}{{ m(30) }}", "steps", { .steps = 100 } },
		{ "{{ 1 }}{{ 1 }}{{ 1 }}{{ 1 }}{{ 1 }}{{ 1 }}{{ 1 }}{{ 1 }}", "steps", { .steps = 5 } },
		{ "{{ range(500)|map('string')|join }}", "steps", { .steps = 100 } },
		{ "{% for i in range(999) %}{% set x = [1, 2, 3, 4, 5, 6, 7, 8, 9] %}{% endfor %}", "memory", { .memory_bytes = 100000 } },
		{ "{% set ns = namespace(s='0123456789') %}{% for i in range(30) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "memory", { .memory_bytes = 100000 } },
		{ "{% set ns = namespace(s='0123456789') %}{% for i in range(30) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "memory", { .memory_bytes = 100000 } },
		{ "{{ ('a' * 60000)|upper|lower|upper|lower }}", "memory", { .memory_bytes = 100000 } },
		{ "{% set x %}{{ 'a' * 600 }}{% endset %}", "output", { .output_bytes = 500 } },
		{ "{{ 'a' * 300 + 'b' * 300 }}", "output", { .output_bytes = 500 } },
		{ "{{ 'a' * 300 ~ 'b' * 300 }}", "output", { .output_bytes = 500 } },
		{ "{{ 'a' * 4000 }}{{ 'b' * 4000 }}{{ 'c' * 4000 }}", "output", { .output_bytes = 11999 } },
		{ "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", "nest", { .depth = 50 } },
		{ "{% macro m(n) %}{{ ((((m(n + 1) ~ 1) ~ 1) ~ 1) ~ 1) }}{% endmacro %}{{ m(0) }}", "nest", { .depth = 2000 } },
		{ "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}", "nest", { .depth = 50 } },
		{ "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}", "nest", { .depth = 50 } },
		{ "{{ 1|abs|abs|abs|abs|abs|abs|abs }}", "nest", { .depth = 5 } },
		{ "{% for i in [1] if [[[[[[i]]]]]] %}{% endfor %}", "nest", { .depth = 5 } },
		{ "{% macro m(x=[[[[[[1]]]]]]) %}{% endmacro %}{{ m() }}", "nest", { .depth = 5 } },
	};
	for (size_t i = 0; i < sizeof over / sizeof *over; i++)
		CHECK(try_render(JINJA_CHAT, str_of(over[i].source), &over[i].limits, &out, &e) == -1 && e.code == E_LIMIT && strstr(e.msg, over[i].word), "%s: %s",
		      over[i].source, e.msg);
	output.output_bytes = 12000;
	CHECK(try_render(JINJA_CHAT, str_of("{{ 'a' * 4000 }}{{ 'b' * 4000 }}{{ 'c' * 4000 }}"), &output, &out, &e) == 0 && out.n == 12000, "%s", e.msg);
	CHECK(try_render(JINJA_CHAT, str_of("{{ [[[[[[1]]]]]] }}"), &depth, &out, &e) == -1 && e.code == E_LIMIT && strstr(e.msg, "nest"), "%s", e.msg);
	arena_reset(&item);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "growth", test_growth }, { "default limits", test_default_limits }, { "long texts", test_long_texts }, { "nesting", test_nesting }, { "variables", test_variables }, { "broken", test_broken },
		{ "random", test_random }, { "regular expressions", test_regex }, { "limits", test_limits }, { NULL, NULL } };
	arena_init(&item);
	int rc = test_main("jinja_hostile", tests, argc, argv);
	arena_fini(&item);
	return rc;
}
