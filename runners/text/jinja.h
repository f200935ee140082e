/* jinja.h - the template language of chat templates and suites, as jinja2 3.1 behaves.
 *
 * One engine, two environments:
 *   JINJA_CHAT   as transformers renders: sandboxed, trim_blocks, lstrip_blocks, loop controls, undefined prints nothing,
 *                raise_exception(), strftime_now(), tojson without escaping and with indent, {% generation %}
 *   JINJA_SUITE  as lm-evaluation-harness renders: StrictUndefined, keep_trailing_newline, filter regex_replace
 * Lexer -> AST -> tree-walking evaluator on an arena. Limits (steps, output bytes, nesting) end a render with E_LIMIT.
 * Nothing is reachable from a template but what it is given. Differences from jinja2: listed at the end of this header.
 */
#ifndef ASSAY_JINJA_H
#define ASSAY_JINJA_H

#include "runners/text/value.h"

#define JINJA_DATE_DEFAULT "2025-01-01T00:00:00"

enum jinja_env { JINJA_CHAT, JINJA_SUITE };

struct jinja; /* a compiled template, read-only: may be rendered by many threads */

struct jinja_limits {
	uint64_t steps;       /* evaluated nodes; 0: 50 million */
	size_t output_bytes;  /* 0: 64 MiB */
	size_t memory_bytes;  /* arena growth of one render; 0: 256 MiB */
	int depth;            /* nesting of calls and expressions; 0: 200 */
};

/* name: for messages ("suites/x.yaml:12: prompt"). Errors carry "NAME: line N: ..." of the template. The source is copied. */
int jinja_compile(struct jinja **out, struct str source, enum jinja_env env, const char *name, struct err *e);
void jinja_free(struct jinja *j);
/* vars: a V_DICT. date: what strftime_now sees, NULL: the default. limits NULL: defaults. Result and temporaries in a.
 * A template's raise_exception(msg) gives E_FORMAT with exactly msg as e->msg's last part. */
int jinja_render(const struct jinja *j, struct arena *a, struct value vars, const char *date, const struct jinja_limits *limits,
		 struct str *out, struct err *e);
/* The source when it holds no template syntax at all ({{ {% {#): rendering gives it back. */
bool jinja_is_plain(const struct jinja *j);

/* Names of filters and tests, NULL-ended: messages suggest from them. */
const char *const *jinja_filters(enum jinja_env env);
const char *const *jinja_tests(void);

/* Differences from jinja2 3.1.6
 * - Refused: include, import, from, extends, block, autoescape on; the filters random and urlize; pprint of more than one
 *   line; \N{NAME} in strings. Absent: lipsum, self, the string methods encode, translate and maketrans,
 *   sets (what - & | ^ < make of keys() and items() is an error), widths and %s in strftime_now (they stay as they are).
 * - Lists and dicts cannot be changed in the suite environment either (append, update, ...): documents are shared, and what one
 *   render does to them would show in the next.
 * - Names like __class__ are out of reach in the suite environment too.
 * - Integers are 64-bit: a larger result is an error. A negative number to a fractional power is an error.
 * - Text that is no valid scalar value (lone surrogates in escapes) becomes U+FFFD.
 * - Functions and generators print without an address. An expression of constants, which jinja2 folds at compile time, is judged
 *   as at run time: {{ 3[1:2] }} is an error here, [1e300 * 1e10] is not (jinja2 writes inf into its code and fails), and an
 *   error in what a constant condition leaves out counts.
 * - x ** y of floats is rounded correctly for small whole y; C libraries are off by a unit at times, and CPython with them.
 * - Precisions of more than 10000 digits are refused. re.sub of Markup gives its text unescaped (CPython 3.11 escapes parts).
 * - Limits: 16 MiB of source, 1000 variables per function, nesting of about 100 brackets, keys of a million items in nested
 *   tuples, the limits above.
 */

#endif
