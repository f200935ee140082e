/* registry.c - suites/registry.csv: who made a model, where, under which licence, how large it is.
 *
 * Columns: name (or model_id), organisation, country, licence (or license), family, params_total, params_active in any
 * order; more columns are allowed and left alone, so that larger registries can be used as they are (--registry FILE). country is an ISO 3166 code ("US", "CN"). A name may occur
 * once. Errors say file and line.
 */
#include "harness/results_int.h"

static const struct {
	const char *name, *synonym;
	bool number;
	size_t offset;
} wanted[] = {
	{ "name", "model_id", false, offsetof(struct registry_row, name) },
	{ "organisation", "organization", false, offsetof(struct registry_row, organisation) },
	{ "country", NULL, false, offsetof(struct registry_row, country) },
	{ "licence", "license", false, offsetof(struct registry_row, licence) },
	{ "family", NULL, false, offsetof(struct registry_row, family) },
	{ "params_total", NULL, true, offsetof(struct registry_row, params_total) },
	{ "params_active", NULL, true, offsetof(struct registry_row, params_active) },
};
enum { WANTED = sizeof wanted / sizeof *wanted };

int registry_load(const char *path, struct arena *a, struct registry_row **rows, size_t *n, struct err *e)
{
	struct csv_table t;
	size_t at[WANTED];
	*rows = NULL;
	*n = 0;
	if (csv_load(&t, a, path, e))
		return -1;
	for (size_t w = 0; w < WANTED; w++) {
		at[w] = 0;
		while (at[w] < t.columns && !str_is(t.cell[0][at[w]], wanted[w].name) &&
		       !(wanted[w].synonym && str_is(t.cell[0][at[w]], wanted[w].synonym)))
			at[w]++;
		if (at[w] == t.columns)
			return err_set(e, E_FORMAT, "%s:1: the column '%s' is missing", path, wanted[w].name);
	}
	struct registry_row *out = ARENA_ARRAY(a, t.rows, struct registry_row);
	for (size_t i = 1; i < t.rows; i++) {
		for (size_t w = 0; w < WANTED; w++) {
			struct str cell = t.cell[i][at[w]];
			void *p = (char *)&out[i - 1] + wanted[w].offset;
			if (!wanted[w].number)
				*(struct str *)p = cell;
			else if (csv_to_number(cell, p))
				return err_set(e, E_FORMAT, "%s:%d: '%.40s' is no number (column %s)", path, t.line[i], cell.p, wanted[w].name);
		}
		if (!out[i - 1].name.n)
			return err_set(e, E_FORMAT, "%s:%d: a model without a name", path, t.line[i]);
		for (size_t k = 0; k + 1 < i; k++)
			if (str_eq(out[k].name, out[i - 1].name))
				return err_set(e, E_FORMAT, "%s:%d: '%.100s' is in line %d already", path, t.line[i], out[k].name.p, t.line[k + 1]);
	}
	*rows = out;
	*n = t.rows - 1;
	return 0;
}
