/* json.h - JSON to values and back (parsing over jansson).
 *
 * Objects keep their order; the last of two equal keys wins in the first one's place, as in Python. Integers beyond 64 bits
 * are an error that names the line. Lone surrogates (\ud800) become U+FFFD.
 */
#ifndef ASSAY_JSON_H
#define ASSAY_JSON_H

#include "runners/text/value.h"

int json_parse(struct arena *a, struct str text, const char *name, struct value *out, struct err *e); /* name: for messages */
int json_load(struct arena *a, const char *path, size_t max_bytes, struct value *out, struct err *e); /* a whole file */

enum {
	JSON_ASCII = 1,   /* ensure_ascii: \uXXXX */
	JSON_SORT = 2,    /* keys sorted by code point */
	JSON_COMPACT = 4, /* separators "," ":" ; otherwise Python's ", " ": " */
	JSON_NAN = 8,     /* NaN, Infinity as Python writes them; otherwise null */
};
/* json.dumps. indent < 0: one line; else as Python's indent=N. Floats as repr(float). */
void json_write(struct buf *out, struct value v, int flags, int indent);
struct str json_text(struct arena *a, struct value v, int flags, int indent); /* (jansson owns the name json_dumps) */
void json_write_str(struct buf *out, struct str s, int flags); /* a quoted string */
/* Any separators and indent, within the budget of `walk` (values that a template built). */
struct json_style {
	int flags;               /* JSON_ASCII, JSON_SORT, JSON_NAN */
	bool indented;           /* a new line per item */
	struct str indent;       /* of one level */
	struct str item_sep, key_sep;
};
void json_write_styled(struct buf *out, struct value v, const struct json_style *style, struct vwalk *walk);
/* The two number styles of CLI.md: doubles %.17g, floats %.9g; null when not finite. */
void json_write_double(struct buf *out, double d);
void json_write_float(struct buf *out, float f);

#endif
