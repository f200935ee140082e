/* uniprop.c - properties of code points: two-step tables, scripts, lower case. See uniprop.h for whose answers they are.
 *
 * Refuses nothing: what is no code point (above U+10FFFF) has the properties of an unassigned one.
 */
#include "runners/text/uniprop.h"

#include <string.h>

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

uint32_t uni_rust_lower(uint32_t cp)
{
	size_t lo = 0, hi = sizeof lower / sizeof lower[0];
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (cp > lower[mid].to)
			lo = mid + 1;
		else if (cp < lower[mid].from)
			hi = mid;
		else
			return (int64_t)(cp - lower[mid].from) % lower[mid].step
				       ? cp
				       : (uint32_t)((int64_t)cp + lower[mid].add);
	}
	return cp;
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
