/* families.h - the tiny model of each family: its description, its ids, and the committed hashes of its log-probabilities.
 *
 * tests/golden/families/NAME.json is read by tests/checkpoint.h; the file `hashes` beside it has a line "NAME SHORT LONG", the
 * SHA-256 of each case's log-probabilities as `assay score` gives it.
 */
#ifndef ASSAY_TESTS_FAMILIES_H
#define ASSAY_TESTS_FAMILIES_H

#include <dirent.h>

#include "kernels/base/arena.h"
#include "kernels/base/digest.h"
#include "tests/checkpoint.h"

#define CASES 2 /* the short one first */

static inline const char *family_folder(void)
{
	static char path[4400];
	snprintf(path, sizeof path, "%s/tests/golden/families", test_srcdir());
	return path;
}

/* The names of all models, to be freed by the caller; how many. */
static inline int list_models(char *name[256])
{
	struct dirent **list;
	int n = 0, all = scandir(family_folder(), &list, NULL, alphasort);
	CU_ASSERT_FATAL(all >= 0);
	for (int i = 0; i < all; i++) {
		if (str_ends(str_of(list[i]->d_name), STR(".json")) && n < 256) {
			name[n] = xstrdup(list[i]->d_name);
			name[n][strlen(name[n]) - 5] = 0;
			n++;
		}
		free(list[i]);
	}
	free(list);
	return n;
}

/* The description of a model: {"name", "config", "tensors", "cases", ...}. */
static inline int load_golden(struct arena *a, const char *name, struct value *golden)
{
	char path[5000];
	struct err e = { 0 };
	snprintf(path, sizeof path, "%s/%s.json", family_folder(), name);
	int rc = json_load(a, path, 1 << 24, golden, &e);
	CHECK(rc == 0, "%s", e.msg);
	return rc;
}

/* The ids of a case, at most max of them; how many there are. */
static inline int read_ids(int32_t *ids, int max, struct value one)
{
	const struct value *v = v_getc(one, "ids");
	for (size_t i = 0; i < v->list->n && (int)i < max; i++)
		ids[i] = (int32_t)v->list->v[i].i;
	return (int)v->list->n;
}

static inline bool find_hashes(char hash[CASES][DIGEST_HEX], const char *name)
{
	char path[5000], line[300], who[100];
	snprintf(path, sizeof path, "%s/hashes", family_folder());
	FILE *f = fopen(path, "r");
	bool found = false;
	while (f && !found && fgets(line, sizeof line, f))
		found = sscanf(line, "%99s %64s %64s", who, hash[0], hash[1]) == 3 && !strcmp(who, name);
	if (f)
		fclose(f);
	return found;
}

static inline void hash_logprobs(char hex[DIGEST_HEX], const double *p, int n)
{
	struct digest *d = digest_new();
	unsigned char raw[DIGEST_BYTES];
	for (int i = 0; i < n; i++) {
		uint64_t u;
		memcpy(&u, &p[i], sizeof u);
		digest_u64(d, u);
	}
	digest_end(d, raw);
	digest_hex(raw, hex);
}

#endif
