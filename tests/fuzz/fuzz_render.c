/* fuzz_render.c - variables, as JSON, for templates of the shapes that publishers use: one for conversations with tools,
 * tool calls, parts of content and reasoning, one that formats and sorts whatever it is given, one of a suite. */
#include "runners/text/jinja.h"
#include "runners/text/json.h"
#include "tests/fuzz/fuzz.h"

static const char chat[] =
	"{%- macro show(x, depth=0) -%}{%- if x is mapping -%}{%- for k, v in x|dictsort -%}{{ k ~ ': ' }}{{ show(v, depth + 1) }}{%- endfor -%}{%- elif x is iterable and x is not string -%}"
	"{%- for i in x recursive -%}{{ loop.index }}{% if not loop.last %}, {% endif %}{{ show(i, depth + 1) }}{%- endfor -%}{%- else -%}{{ x|tojson }}{%- endif -%}{%- endmacro -%}"
	"{{- bos_token }}{% set ns = namespace(tool=false, last=messages|length - 1, text='') %}{% for t in tools or [] %}{{ t|tojson(indent=2) }}{{ t.function.name if t.function }}{{ show(t) }}{% endfor %}"
	"{% for m in messages[::-1] %}{% if m.role == 'user' and not ns.tool and m.content is string and not (m.content.startswith('<x>') and m.content.endswith('</x>')) %}{% set ns.last = loop.index0 %}{% set ns.tool = true %}{% endif %}{% endfor %}"
	"{% for m in messages %}{% set content = m.content if m.content is string else '' %}{% if m.content is not string and m.content is iterable %}{% for p in m.content %}{% if 'text' in p %}{% set ns.text = ns.text ~ p.text %}{% endif %}{% endfor %}{% endif %}"
	"{{ m['role']|upper }}{% if '</think>' in content %}{{ content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') }}{% set content = content.split('</think>')[-1] %}{% endif %}{{ content|trim }}{% if m.tool_calls %}"
	"{% for c in m.tool_calls %}{% set c = c.function or c %}{{ c.name }}{{ c.arguments if c.arguments is string else c.arguments|tojson }}{% for k, v in c.arguments.items() %}{{ k }}{{ v|string|replace('a', '\\\\') }}{% endfor %}{% endfor %}{% endif %}"
	"{% if loop.previtem is defined and loop.previtem.role != m.role %}{{ loop.nextitem.role }}{{ loop.changed(m.role) }}{% endif %}{% endfor %}{{ ns.text }}{% if add_generation_prompt %}{{ '<|a|>' }}{% endif %}";

static const char values[] =
	"{% for v in x %}{{ v }}{{ v is sequence }}{{ v == y }}{{ v in x }}{% if v is string %}{{ v.title() ~ v[::-1] ~ v[1:3] ~ v|urlencode ~ v|wordwrap(5) ~ v|truncate(4) ~ v|center(9) ~ v|e|indent ~ v|int ~ v|float }}{{ '%s|%r|%5.2s' % (v, v, v) }}"
	"{{ v.split() }}{{ v.split(v[:1] or ' ') }}{{ v.splitlines() }}{{ v|striptags }}{{ v.find(y|string) }}{% elif v is number %}{{ v // 7, v % 7, v * 3, v ** 2, v|round(1), v|abs, -v }}{{ '%d %x %e %g %s'|format(v, v|int, v, v, v) }}{{ '{:,} {:>9} {!r}'.format(v, v, v) }}"
	"{% elif v is mapping %}{{ v|dictsort }}{{ v.items()|list }}{{ v|tojson(sort_keys=true, separators=(',', ':'), ensure_ascii=true) }}{{ dict(v, q=1) }}{{ v|xmlattr }}{% else %}{{ v|list }}{{ v|join('-') }}{{ v|sum }}{% endif %}{% endfor %}";

static const char lists[] = "{{ x|sort }}{{ x|unique|list }}{{ x|map('string')|sort|join(', ') }}{{ x|groupby(0)|list }}{{ x|min }}{{ x|max }}{{ x|batch(2, y)|list }}{{ x|slice(3)|list }}{{ x|reverse|list }}{{ x[1:] + x[:1] }}{{ x < x[::-1] }}{{ x|map(attribute='a')|list }}{{ x|tojson }}";

static const char suite[] = "{{ doc.q.strip() }}{% for c in doc.n %}{{ loop.index }}. {{ c|regex_replace('\\\\s+', ' ')|capitalize }}\n{% endfor %}{{ doc['answer'][0] ~ doc.q[doc.k] }}{{ '%s' % doc.q }}{{ doc|tojson }}";

static void render(const char *source, enum jinja_env env, struct str text)
{
	static const struct jinja_limits limits = { .steps = 20000, .output_bytes = 1 << 18, .memory_bytes = 8 << 20, .depth = 60 };
	struct jinja *j;
	struct arena a;
	struct value vars;
	struct str out;
	struct err e = { 0 };
	if (jinja_compile(&j, str_of(source), env, "fixed", &e))
		abort();
	arena_init(&a);
	if (json_parse(&a, text, "vars", &vars, &e) == 0 && vars.type == V_DICT && jinja_render(j, &a, vars, "2026-01-31", &limits, &out, &e) && !e.msg[0])
		abort();
	arena_fini(&a);
	jinja_free(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	render(chat, JINJA_CHAT, text);
	render(values, JINJA_CHAT, text);
	render(lists, JINJA_CHAT, text);
	render(lists, JINJA_SUITE, text);
	render(suite, JINJA_SUITE, text);
	return 0;
}
