/* paths.c - where the program's own suites, data and models lie, and what a MODEL on the command line means. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/cmd.h"

static int has_suites(const char *dir)
{
	char path[PATH_MAX];
	struct stat st;
	return snprintf(path, sizeof path, "%s/suites", dir) < (int)sizeof path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The folder that holds suites/: ASSAY_DATADIR; beside an installed program (PREFIX/bin -> PREFIX/share/assay); the program's own
 * folder (a copy that carries its suites along); the source tree that the program was built from; the configured folder. */
const char *data_dir(void)
{
	static char found[PATH_MAX];
	if (found[0])
		return found;
	const char *env = getenv("ASSAY_DATADIR");
	if (env && *env) {
		snprintf(found, sizeof found, "%s", env);
		return found;
	}
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (n > 0) {
		exe[n] = 0;
		char *slash = strrchr(exe, '/');
		if (slash) {
			*slash = 0;
			if (snprintf(found, sizeof found, "%s/../share/assay", exe) < (int)sizeof found && has_suites(found))
				return found;
			if (snprintf(found, sizeof found, "%s", exe) < (int)sizeof found && has_suites(found))
				return found;
		}
	}
	snprintf(found, sizeof found, "%s", has_suites(ASSAY_SRCDIR) ? ASSAY_SRCDIR : ASSAY_PKGDATADIR);
	return found;
}

static const char *last_part(struct arena *a, const char *path)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	size_t start = n;
	while (start > 0 && path[start - 1] != '/')
		start--;
	return arena_cstr(a, (struct str){ path + start, n - start });
}

int model_resolve(const char *spec, struct arena *a, const char **path, const char **name, struct err *e)
{
	struct stat st;
	const char *dir = spec, *eq = strrchr(spec, '=');
	*name = NULL;
	if (!*spec)
		return err_set(e, E_USAGE, "--model: the name of the model is empty");
	if (stat(spec, &st) != 0 && eq && eq != spec) {
		if (!eq[1])
			return err_set(e, E_USAGE, "--model %s: the name behind '=' is empty", spec);
		dir = arena_cstr(a, (struct str){ spec, (size_t)(eq - spec) });
		*name = eq + 1;
	}
	if (stat(dir, &st) == 0) {
		*path = dir;
	} else {
		if (strchr(dir, '/'))
			return err_errno(e, E_IO, "model %s", dir);
		const char *own = arena_printf(a, "%s/suites/models/%s", data_dir(), dir).p;
		if (stat(own, &st) != 0)
			return err_set(e, E_IO, "model '%s': no such directory, and no embedded model has that name (assay list models)", dir);
		*path = own;
	}
	if (!S_ISDIR(st.st_mode))
		return err_set(e, E_IO, "model %s: not a directory (a model is a folder with config.json, *.safetensors and tokenizer.json)", dir);
	if (!*name) {
		char real[PATH_MAX];
		*name = last_part(a, *path);
		if ((!strcmp(*name, ".") || !strcmp(*name, "..")) && realpath(*path, real))
			*name = last_part(a, real);
	}
	return 0;
}
