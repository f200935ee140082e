/* dataset.c - where the rows of a split are, and their way in: file, bytes, rows, row operations.
 *
 * Local files (--files) come first and are marked as such; published data lie under the data directories by a fixed rule,
 * so that no suite names a path. Where a suite pins a SHA-256 the file must have it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/dataset.h"
#include "harness/reader.h"
#include "harness/rows.h"

/* "a/b" as a folder's name: "a__b". False when it could leave the data directory. */
static bool folder_name(char *out, size_t size, struct str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		bool slash = s.p[i] == '/';
		if (n + 3 > size || s.p[i] == 0)
			return false;
		out[n++] = slash ? '_' : s.p[i];
		if (slash)
			out[n++] = '_';
	}
	out[n] = 0;
	return n > 0 && out[0] != '.';
}

int dataset_find(const struct suite *s, const char *split, const struct data_sources *d, char path[4096], bool *local)
{
	char dataset[1024], config[512], name[512];
	*local = false;
	for (int i = 0; i < d->nfiles; i++)
		if (str_is(s->name, d->file[i].suite) && !strcmp(d->file[i].split, split)) {
			*local = true;
			return snprintf(path, 4096, "%s", d->file[i].path) < 4096;
		}
	if (!folder_name(dataset, sizeof dataset, s->dataset) || !folder_name(config, sizeof config, s->config) ||
	    !folder_name(name, sizeof name, str_of(split)))
		return 0;
	for (const char *const *dir = d->dirs; dir && *dir; dir++) {
		char folder[3072];
		if (snprintf(folder, sizeof folder, "%s/%s/%s", *dir, dataset, config) >= (int)sizeof folder || access(folder, X_OK))
			continue;
		for (const char *const *end = reader_endings(); *end; end++)
			if (snprintf(path, 4096, "%s/%s%s", folder, name, *end) < 4096 && access(path, R_OK) == 0)
				return 1;
	}
	return 0;
}

static int not_found(const struct suite *s, const char *split, const struct data_sources *d, struct err *e)
{
	char dataset[1024], config[512], where[600];
	size_t n = 0;
	where[0] = 0;
	if (!folder_name(dataset, sizeof dataset, s->dataset) || !folder_name(config, sizeof config, s->config))
		return err_set(e, E_FORMAT, "%s: dataset '%.200s' (%.100s) is not a name that a folder can have", s->file.p, s->dataset.p,
			       s->config.p);
	for (const char *const *dir = d->dirs; dir && *dir && n < sizeof where; dir++)
		n += (size_t)snprintf(where + n, sizeof where - n, "%s%s", n ? ", " : "", *dir);
	return err_set(e, E_IO, "no rows for split '%.60s' of %.100s (%.60s): looked for %.100s/%.60s/%.60s.jsonl[.gz] and the like in %.300s; "
		       "name a folder with --data, or a file with --files %.60s:%.60s=PATH",
		       split, s->dataset.p, s->config.p, dataset, config, split, n ? where : "no folder", s->name.p, split);
}

int dataset_read(struct rows *out, struct arena *a, const char *path, struct err *e)
{
	char *bytes, member[4096];
	size_t n;
	enum row_format format;
	*out = (struct rows){ 0 };
	if (snprintf(out->path, sizeof out->path, "%s", path) >= (int)sizeof out->path)
		return err_set(e, E_IO, "%.200s...: too long a path", path);
	if (reader_unwrap(&bytes, &n, member, &format, path, e))
		return -1;
	int rc = reader_rows(&out->v, &out->n, a, (struct str){ bytes ? bytes : "", n }, format, member, e);
	free(bytes);
	return rc ? -1 : digest_file(path, out->digest, e);
}

int dataset_load(struct rows *out, struct arena *a, const struct suite *s, const char *split, const struct data_sources *d, struct err *e)
{
	char path[4096];
	bool local;
	if (!dataset_find(s, split, d, path, &local)) {
		not_found(s, split, d, e);
		return err_wrap(e, "suite %s", s->name.p);
	}
	if (dataset_read(out, a, path, e))
		return err_wrap(e, "suite %s", s->name.p);
	out->local = local;
	for (int i = 0; i < s->nsha256 && !local; i++)
		if (str_is(s->sha256[i].split, split) && memcmp(s->sha256[i].digest, out->digest, DIGEST_BYTES)) {
			char want[DIGEST_HEX], got[DIGEST_HEX];
			digest_hex(s->sha256[i].digest, want);
			digest_hex(out->digest, got);
			return err_set(e, E_FORMAT, "suite %s: %s: SHA-256 is %s, %s says %s", s->name.p, path, got, s->file.p, want);
		}
	if (rows_apply(out, a, s, e))
		return err_wrap(e, "suite %s", s->name.p);
	if (out->n == 0)
		return err_set(e, E_FORMAT, "suite %s: %s: no row is left after the suite's row operations", s->name.p, path);
	return 0;
}
