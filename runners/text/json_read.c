/* json_read.c - JSON text to values; jansson parses.
 *
 * jansson keeps the order of keys and lets the last of two equal keys win in the first one's place. It refuses lone
 * surrogates, which Python accepts and which occur in scraped data: they are replaced in a copy of the text by \ufffd, of
 * the same length, so that line and column in messages stay right. Python's NaN, Infinity and NUL bytes in keys are
 * refused; so are integers beyond 64 bits and more than 2048 levels.
 * Apart from json.c because jansson's header has a json_dumps, JSON_COMPACT, ... of its own.
 */
#include "runners/text/json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static int hex4(const char *p, const char *end)
{
	int v = 0;
	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int c = (unsigned char)p[i];
		int d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* The text with lone surrogate escapes replaced; *owned is the copy to free, NULL when none was needed. A backslash can
 * stand only inside strings, so no other state is needed. */
static struct str mend_surrogates(struct str text, char **owned)
{
	const char *end = text.p + text.n, *p = text.p;
	*owned = NULL;
	while (p < end && (p = memchr(p, '\\', (size_t)(end - p)))) {
		int u = end - p > 1 && p[1] == 'u' ? hex4(p + 2, end) : -1;
		if (u < 0xd800 || u > 0xdfff) {
			p += end - p > 1 ? 2 : 1;
			continue;
		}
		int low = u < 0xdc00 && end - p > 7 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8, end) : -1;
		if (low >= 0xdc00 && low <= 0xdfff) {
			p += 12;
			continue;
		}
		if (!*owned) {
			*owned = xmalloc(text.n + 1);
			memcpy(*owned, text.p, text.n);
			(*owned)[text.n] = 0;
		}
		memcpy(*owned + (p - text.p) + 2, "fffd", 4);
		p += 6;
	}
	return (struct str){ *owned ? *owned : text.p, text.n };
}

static struct value from_jansson(struct arena *a, json_t *j)
{
	switch (json_typeof(j)) {
	case JSON_OBJECT: {
		struct value d = v_dict(a);
		const char *k;
		json_t *v;
		json_object_foreach(j, k, v)
		{
			struct value val = from_jansson(a, v);
			v_set(a, d, arena_str(a, k, strlen(k)), val);
		}
		return d;
	}
	case JSON_ARRAY: {
		size_t n = json_array_size(j);
		struct value l = v_list(a, n);
		for (size_t i = 0; i < n; i++)
			v_push(a, l, from_jansson(a, json_array_get(j, i)));
		return l;
	}
	case JSON_STRING:
		return v_str(arena_str(a, json_string_value(j), json_string_length(j)));
	case JSON_INTEGER:
		return v_int(json_integer_value(j));
	case JSON_REAL:
		return v_float(json_real_value(j));
	case JSON_TRUE:
	case JSON_FALSE:
		return v_bool(json_is_true(j));
	default:
		return VNONE;
	}
}

int json_parse(struct arena *a, struct str text, const char *name, struct value *out, struct err *e)
{
	json_error_t je;
	char *owned;
	struct str t = mend_surrogates(text, &owned);
	json_t *j = json_loadb(t.p, t.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
	free(owned);
	if (!j)
		return err_set(e, E_FORMAT, "%s:%d:%d: %s", name, je.line < 1 ? 1 : je.line,
			       je.column < 0 ? 0 : je.column, je.text);
	*out = from_jansson(a, j);
	json_decref(j);
	return 0;
}

int json_load(struct arena *a, const char *path, size_t max_bytes, struct value *out, struct err *e)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return err_errno(e, E_IO, "cannot open %s", path);
	struct buf b = { 0 };
	char chunk[65536];
	size_t n;
	int rc = 0;
	while (!rc && (n = fread(chunk, 1, sizeof chunk, f)) > 0) {
		buf_add(&b, chunk, n);
		if (b.n > max_bytes)
			rc = err_set(e, E_LIMIT, "%s: larger than %zu bytes", path, max_bytes);
	}
	if (!rc && ferror(f))
		rc = err_errno(e, E_IO, "cannot read %s", path);
	fclose(f);
	if (!rc)
		rc = json_parse(a, (struct str){ b.p ? b.p : "", b.n }, path, out, e);
	buf_fini(&b);
	return rc;
}
