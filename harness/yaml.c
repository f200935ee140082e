/* yaml.c - libyaml's events gathered into a tree (yaml.h says what is refused and why).
 *
 * Scalars follow YAML 1.2's core schema: `null`, `~`, true, false, decimal integers and floats are special when plain; yes,
 * no, on, off are words, so that `choices: [no, yes]` is what it looks like.
 */
#include "harness/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <yaml.h>

struct reading {
	struct arena *a;
	const char *file;
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	size_t nodes;
};

static int next_event(struct reading *r, struct err *e)
{
	yaml_event_delete(&r->event);
	if (yaml_parser_parse(&r->parser, &r->event))
		return 0;
	const yaml_parser_t *p = &r->parser;
	size_t line = p->problem_mark.line + 1;
	memset(&r->event, 0, sizeof r->event);
	if (p->error == YAML_READER_ERROR)
		return err_set(e, E_FORMAT, "%s: not UTF-8 text, or a control character, at byte %zu", r->file,
			       p->problem_offset);
	if (p->error == YAML_MEMORY_ERROR)
		return err_set(e, E_MEMORY, "%s:%zu: out of memory", r->file, line);
	return err_set(e, E_FORMAT, "%s:%zu:%zu: %s%s%s", r->file, line, (size_t)p->problem_mark.column + 1,
		       p->problem ? p->problem : "not YAML", p->context ? " " : "", p->context ? p->context : "");
}

static struct yaml *node_new(struct reading *r, enum yaml_type type)
{
	struct yaml *y = ARENA_NEW(r->a, struct yaml);
	y->type = type;
	y->file = r->file;
	y->line = (int)r->event.start_mark.line + 1;
	y->column = (int)r->event.start_mark.column + 1;
	return y;
}

static void node_push(struct arena *a, struct yaml *y, struct yaml *key, struct yaml *item)
{
	if (y->n == y->cap) {
		size_t cap = y->cap ? 2 * y->cap : 4;
		struct yaml **items = ARENA_ARRAY(a, cap, struct yaml *), **keys = NULL;
		if (y->n)
			memcpy(items, y->item, y->n * sizeof *items);
		if (y->type == YAML_MAP) {
			keys = ARENA_ARRAY(a, cap, struct yaml *);
			if (y->n)
				memcpy(keys, y->key, y->n * sizeof *keys);
			y->key = keys;
		}
		y->item = items;
		y->cap = cap;
	}
	if (y->type == YAML_MAP)
		y->key[y->n] = key;
	y->item[y->n++] = item;
}

static int refuse(const struct reading *r, struct err *e, const char *what)
{
	return err_set(e, E_FORMAT, "%s:%zu: %s", r->file, (size_t)r->event.start_mark.line + 1, what);
}

static int check_plainness(const struct reading *r, const yaml_char_t *anchor, const yaml_char_t *tag, struct err *e)
{
	if (anchor)
		return refuse(r, e, "anchors (&name) are not supported: write the value again, or use include");
	if (tag)
		return refuse(r, e, "tags (!name) are not supported");
	return 0;
}

static int parse_node(struct reading *r, struct yaml **out, int depth, struct err *e);

static int parse_list(struct reading *r, struct yaml **out, int depth, struct err *e)
{
	struct yaml *y = node_new(r, YAML_LIST), *item;
	for (;;) {
		if (next_event(r, e))
			return -1;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (parse_node(r, &item, depth + 1, e))
			return -1;
		node_push(r->a, y, NULL, item);
	}
	*out = y;
	return 0;
}

static int parse_map(struct reading *r, struct yaml **out, int depth, struct err *e)
{
	struct yaml *y = node_new(r, YAML_MAP), *key, *item;
	for (;;) {
		if (next_event(r, e))
			return -1;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			break;
		if (r->event.type != YAML_SCALAR_EVENT)
			return refuse(r, e, r->event.type == YAML_ALIAS_EVENT ? "aliases (*name) are not supported"
									      : "a key must be plain text");
		if (parse_node(r, &key, depth + 1, e))
			return -1;
		for (size_t i = 0; i < y->n; i++)
			if (str_eq(y->key[i]->text, key->text))
				return err_set(e, E_FORMAT, "%s:%d: key '%.100s' is given twice (first in line %d)", r->file,
					       key->line, key->text.p, y->key[i]->line);
		if (y->n >= 1000)
			return refuse(r, e, "more than 1000 keys in one map");
		if (next_event(r, e) || parse_node(r, &item, depth + 1, e))
			return -1;
		node_push(r->a, y, key, item);
	}
	*out = y;
	return 0;
}

/* The node that the current event opens; ends on that node's last event. */
static int parse_node(struct reading *r, struct yaml **out, int depth, struct err *e)
{
	const yaml_event_t *v = &r->event;
	if (depth > YAML_DEPTH)
		return refuse(r, e, "nested too deeply");
	if (++r->nodes > YAML_NODES)
		return refuse(r, e, "too many values in one file");
	switch (v->type) {
	case YAML_SCALAR_EVENT: {
		if (check_plainness(r, v->data.scalar.anchor, v->data.scalar.tag, e))
			return -1;
		struct yaml *y = node_new(r, YAML_TEXT);
		y->text = arena_str(r->a, (const char *)v->data.scalar.value, v->data.scalar.length);
		y->plain = v->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		*out = y;
		return 0;
	}
	case YAML_SEQUENCE_START_EVENT:
		if (check_plainness(r, v->data.sequence_start.anchor, v->data.sequence_start.tag, e))
			return -1;
		return parse_list(r, out, depth, e);
	case YAML_MAPPING_START_EVENT:
		if (check_plainness(r, v->data.mapping_start.anchor, v->data.mapping_start.tag, e))
			return -1;
		return parse_map(r, out, depth, e);
	case YAML_ALIAS_EVENT:
		return refuse(r, e, "aliases (*name) are not supported: write the value again, or use include");
	default:
		return refuse(r, e, "a value was expected here");
	}
}

static int parse_stream(struct reading *r, struct yaml *docs, struct err *e)
{
	for (;;) {
		if (next_event(r, e))
			return -1;
		if (r->event.type == YAML_STREAM_END_EVENT)
			return 0;
		if (r->event.type != YAML_DOCUMENT_START_EVENT)
			continue; /* stream start, document end */
		struct yaml *doc;
		if (next_event(r, e) || parse_node(r, &doc, 1, e))
			return -1;
		node_push(r->a, docs, NULL, doc);
	}
}

int yaml_parse(struct yaml ***docs, size_t *ndocs, struct arena *a, struct str text, const char *file, struct err *e)
{
	struct reading r = { .a = a, .file = arena_cstr(a, str_of(file)) };
	struct yaml list = { .type = YAML_LIST };
	if (text.n > YAML_BYTES)
		return err_set(e, E_LIMIT, "%s: larger than %d MiB", file, YAML_BYTES >> 20);
	if (!yaml_parser_initialize(&r.parser))
		return err_set(e, E_MEMORY, "%s: out of memory", file);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p, text.n);
	int rc = parse_stream(&r, &list, e);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	*docs = list.item;
	*ndocs = list.n;
	return rc;
}

int yaml_load(struct yaml ***docs, size_t *ndocs, struct arena *a, const char *path, struct err *e)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return err_errno(e, E_IO, "%s: cannot be opened", path);
	struct stat st;
	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode)) {
		fclose(f);
		return err_set(e, E_IO, "%s: not a file", path);
	}
	if (st.st_size > YAML_BYTES) {
		fclose(f);
		return err_set(e, E_LIMIT, "%s: larger than %d MiB", path, YAML_BYTES >> 20);
	}
	size_t n = (size_t)st.st_size;
	char *text = xmalloc(n + 1);
	size_t got = fread(text, 1, n, f);
	int bad = ferror(f);
	fclose(f);
	int rc = bad ? err_set(e, E_IO, "%s: cannot be read", path)
		     : yaml_parse(docs, ndocs, a, (struct str){ text, got }, path, e);
	free(text);
	return rc;
}

struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	if (map && map->type == YAML_MAP)
		for (size_t i = 0; i < map->n; i++)
			if (str_is(map->key[i]->text, key))
				return map->item[i];
	return NULL;
}

static struct yaml *shallow_copy(struct arena *a, const struct yaml *y)
{
	struct yaml *c = ARENA_NEW(a, struct yaml);
	*c = *y;
	c->n = c->cap = 0;
	c->item = c->key = NULL;
	return c;
}

struct yaml *yaml_merge(struct arena *a, const struct yaml *base, const struct yaml *over)
{
	if (!base || base->type != YAML_MAP || over->type != YAML_MAP)
		return (struct yaml *)over;
	struct yaml *m = shallow_copy(a, over);
	for (size_t i = 0; i < base->n; i++) {
		struct yaml *o = yaml_get(over, base->key[i]->text.p);
		node_push(a, m, base->key[i], o ? yaml_merge(a, base->item[i], o) : base->item[i]);
	}
	for (size_t i = 0; i < over->n; i++)
		if (!yaml_get(base, over->key[i]->text.p))
			node_push(a, m, over->key[i], over->item[i]);
	return m;
}

struct yaml *yaml_without(struct arena *a, const struct yaml *map, const char *key)
{
	struct yaml *m = shallow_copy(a, map);
	for (size_t i = 0; i < map->n; i++)
		if (!str_is(map->key[i]->text, key))
			node_push(a, m, map->key[i], map->item[i]);
	return m;
}

/* The end of "{{ NAME }}" at text.p[i], with NAME a key of vars, and its value; 0 when there is none. */
static size_t placeholder(struct str text, size_t i, const struct yaml *vars, struct str *value)
{
	size_t j = i + 2, from;
	while (j < text.n && text.p[j] == ' ')
		j++;
	from = j;
	while (j < text.n && text.p[j] != ' ' && text.p[j] != '}')
		j++;
	struct str name = { text.p + from, j - from };
	while (j < text.n && text.p[j] == ' ')
		j++;
	if (j + 1 >= text.n || text.p[j] != '}' || text.p[j + 1] != '}')
		return 0;
	for (size_t k = 0; k < vars->n; k++)
		if (str_eq(vars->key[k]->text, name)) {
			*value = vars->item[k]->text;
			return j + 2;
		}
	return 0;
}

static struct str substitute_text(struct arena *a, struct str text, const struct yaml *vars)
{
	struct buf b = { 0 };
	struct str value;
	for (size_t i = 0; i < text.n;) {
		size_t end = i + 1 < text.n && text.p[i] == '{' && text.p[i + 1] == '{' ? placeholder(text, i, vars, &value) : 0;
		if (end) {
			buf_str(&b, value);
			i = end;
		} else
			buf_putc(&b, text.p[i++]);
	}
	struct str out = arena_str(a, b.p ? b.p : "", b.n);
	buf_fini(&b);
	return out;
}

int yaml_substitute(struct yaml **out, struct arena *a, const struct yaml *y, const struct yaml *vars, struct err *e)
{
	struct yaml *c = shallow_copy(a, y);
	if (y->type == YAML_TEXT)
		c->text = substitute_text(a, y->text, vars);
	for (size_t i = 0; i < y->n; i++) {
		struct yaml *item;
		if (yaml_substitute(&item, a, y->item[i], vars, e))
			return -1;
		node_push(a, c, y->type == YAML_MAP ? y->key[i] : NULL, item);
	}
	if (c->text.n > YAML_BYTES || a->used > ((size_t)1 << 30))
		return err_set(e, E_LIMIT, "%s:%d: substitution makes too much text", y->file, y->line);
	*out = c;
	return 0;
}

int yaml_int(const struct yaml *y, long long *out)
{
	if (y->type != YAML_TEXT || !y->plain || !y->text.n || y->text.n > 20)
		return 0;
	size_t i = y->text.p[0] == '-' || y->text.p[0] == '+';
	if (i == y->text.n)
		return 0;
	for (; i < y->text.n; i++)
		if (y->text.p[i] < '0' || y->text.p[i] > '9')
			return 0;
	char *end;
	errno = 0;
	*out = strtoll(y->text.p, &end, 10);
	return errno == 0 && *end == 0;
}

int yaml_number(const struct yaml *y, double *out)
{
	if (y->type != YAML_TEXT || !y->plain || !y->text.n || y->text.n > 60)
		return 0;
	for (size_t i = 0; i < y->text.n; i++)
		if (!strchr("0123456789+-.eE", y->text.p[i]))
			return 0;
	char *end;
	errno = 0;
	*out = strtod(y->text.p, &end);
	return errno == 0 && *end == 0;
}

int yaml_bool(const struct yaml *y, bool *out)
{
	if (y->type != YAML_TEXT || !y->plain || (!str_is(y->text, "true") && !str_is(y->text, "false")))
		return 0;
	*out = str_is(y->text, "true");
	return 1;
}

bool yaml_is_null(const struct yaml *y)
{
	return y->type == YAML_TEXT && y->plain &&
	       (y->text.n == 0 || str_is(y->text, "~") || str_is(y->text, "null"));
}
