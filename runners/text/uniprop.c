/* uniprop.c - properties of code points: two-step tables, scripts, lower case. See uniprop.h for whose answers they are.
 *
 * Refuses nothing: what is no code point (above U+10FFFF) has the properties of an unassigned one.
 */
#include "runners/text/uniprop.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/arena.h"
#include "runners/text/uni_case.h"
#include "runners/text/uni_tables.h"

char uni_class_high(uint32_t cp)
{
	size_t lo = 0, hi = sizeof high / sizeof high[0];
	if (cp > 0x10ffff)
		return high[0].class; /* unassigned */
	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;
		if (cp < high[mid].from)
			hi = mid;
		else
			lo = mid;
	}
	return high[lo].class;
}

uint32_t uni_mapped(const struct uni_map *map, size_t n, uint32_t cp)
{
	for (size_t lo = 0, hi = n; lo < hi;) {
		size_t mid = (lo + hi) / 2;
		const struct uni_map *m = &map[mid];
		if (cp > m->to)
			lo = mid + 1;
		else if (cp < m->from)
			hi = mid;
		else
			return (int64_t)(cp - m->from) % m->step ? cp : (uint32_t)((int64_t)cp + m->add);
	}
	return cp;
}

uint32_t uni_rust_lower(uint32_t cp)
{
	return uni_mapped(lower, sizeof lower / sizeof lower[0], cp);
}

const uint32_t (*uni_script(struct str name, size_t *n))[2]
{
	char low[32];
	size_t len = 0;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (c == ' ' || c == '_' || c == '-')
			continue;
		if (len + 1 == sizeof low)
			return NULL;
		low[len++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	low[len] = 0;
	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
		for (size_t k = 0; k < 3 && scripts[i].names[k]; k++)
			if (!strcmp(scripts[i].names[k], low)) {
				*n = scripts[i].n;
				return script_ranges + scripts[i].at;
			}
	return NULL;
}

uint32_t (*uni_ranges(uint64_t mask, size_t *n))[2]
{
	enum { NHIGH = sizeof high / sizeof high[0] };
	uint32_t (*r)[2] = NULL;
	size_t cap = 0, count = 0;
	for (uint32_t c = 0, step, k = 0; c <= 0x10ffff; c += step) {
		step = 1;
		if (c >= UNI_HIGH) {
			step = (k + 1 < NHIGH ? high[k + 1].from : 0x110000) - c;
			k++;
		}
		if (!(uni_props(c) & mask))
			continue;
		if (count && r[count - 1][1] + 1 == c) {
			r[count - 1][1] = c + step - 1;
			continue;
		}
		if (count == cap) {
			cap = cap ? 2 * cap : 64;
			r = xrealloc(r, cap * sizeof *r);
		}
		r[count][0] = c;
		r[count++][1] = c + step - 1;
	}
	*n = count;
	return r;
}

uint32_t uni_fold(uint32_t cp)
{
	return uni_mapped(folds, sizeof folds / sizeof folds[0], cp);
}

void uni_fold_each(void (*one)(void *ctx, uint32_t cp, uint32_t smallest), void *ctx)
{
	for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++)
		for (uint32_t c = folds[i].from; c <= folds[i].to; c += (uint32_t)folds[i].step)
			one(ctx, c, (uint32_t)((int64_t)c + folds[i].add));
}

bool uni_folds_to_many(uint32_t cp)
{
	for (size_t i = 0; i < sizeof fold_many / sizeof fold_many[0]; i++)
		if (cp >= fold_many[i][0] && cp <= fold_many[i][1])
			return true;
	return false;
}

bool uni_begins_many(uint32_t a, uint32_t b)
{
	for (size_t i = 0; i < sizeof fold_begin / sizeof fold_begin[0]; i++)
		if (uni_fold(a) == uni_fold(fold_begin[i][0]) && uni_fold(b) == uni_fold(fold_begin[i][1]))
			return true;
	return false;
}
