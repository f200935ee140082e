/* manifest.c - a run's inputs and their digest.
 *
 * The run id is a function of what decides the scores and of nothing else: digests of weights and tokenizer, the numerics
 * id, the suites' digests, the data's digests, the profile and the settings. Names and paths, the machine, threads, batch
 * size and the time are not in it: two people who run the same thing get the same id. manifest.json holds those inputs and
 * the digests of what was written; it too is the same bytes after the same command on any machine. Where it first ran is
 * in environment.json, which is never overwritten.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "harness/manifest.h"

#include <unistd.h>

#include "harness/results_int.h"
#include "runners/text/json.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

static struct value hex_value(struct arena *a, const unsigned char d[DIGEST_BYTES])
{
	char hex[DIGEST_HEX];
	digest_hex(d, hex);
	return v_str(arena_str(a, hex, strlen(hex)));
}

static struct value leaf_inputs(struct arena *a, const struct manifest_leaf *l)
{
	struct value v = v_dict(a), files = v_list(a, 2);
	const struct task_file *f;
	int n = task_files(l->task, &f);
	for (int i = 0; i < n; i++) {
		struct value x = v_dict(a);
		v_set(a, x, STR("split"), v_cstr(f[i].split));
		v_set(a, x, STR("rows"), v_int((int64_t)f[i].rows));
		v_set(a, x, STR("sha256"), hex_value(a, f[i].digest));
		if (f[i].wanted)
			v_set(a, x, STR("stands_in_for"), v_cstr(f[i].wanted));
		v_push(a, files, x);
	}
	v_set(a, v, STR("name"), v_str(l->suite->name));
	v_set(a, v, STR("digest"), hex_value(a, l->suite->digest));
	v_set(a, v, STR("documents"), v_int((int64_t)task_size(l->task)));
	v_set(a, v, STR("files"), files);
	v_set(a, v, STR("shots"), v_int(task_shots(l->task)));
	v_set(a, v, STR("split"), v_cstr(task_split(l->task)));
	return v;
}

struct value manifest_inputs(struct arena *a, const struct runner_info *model, const struct suite *asked, const struct manifest_leaf *leaf,
			     int nleaves, const struct settings *set)
{
	struct value v = v_dict(a), suites = v_list(a, (size_t)nleaves), m = v_dict(a), s, suite = v_dict(a);
	for (int i = 0; i < nleaves; i++)
		v_push(a, suites, leaf_inputs(a, &leaf[i]));
	v_set(a, m, STR("digest"), v_cstr(model->digest));
	v_set(a, m, STR("tokenizer_digest"), v_cstr(model->tokenizer_digest));
	v_set(a, suite, STR("name"), v_str(asked->name));
	v_set(a, suite, STR("digest"), hex_value(a, asked->digest));
	if (json_parse(a, settings_json(a, set, suite_generates(asked), NULL), "settings", &s, NULL))
		s = VNONE;
	v_set(a, v, STR("format"), v_int(1));
	v_set(a, v, STR("chat"), v_bool(set->chat));
	v_set(a, v, STR("limit"), set->limit ? v_int((int64_t)set->limit) : VNONE);
	v_set(a, v, STR("model"), m);
	v_set(a, v, STR("numerics"), v_cstr(model->numerics));
	v_set(a, v, STR("profile"), v_cstr(set->profile->name));
	v_set(a, v, STR("settings"), s);
	v_set(a, v, STR("suite"), suite);
	v_set(a, v, STR("leaves"), suites);
	return v;
}

void manifest_run_id(struct arena *a, struct value inputs, char id[RUN_ID_HEX])
{
	unsigned char d[DIGEST_BYTES];
	char hex[DIGEST_HEX];
	struct str text = json_text(a, inputs, JSON_SORT | JSON_COMPACT, -1);
	digest_of(text.p, text.n, d);
	digest_hex(d, hex);
	memcpy(id, hex, RUN_ID_HEX - 1);
	id[RUN_ID_HEX - 1] = 0;
}

static int add_digest(struct arena *a, struct value out, const char *dir, struct str name, struct err *e)
{
	unsigned char d[DIGEST_BYTES];
	if (digest_file(arena_printf(a, "%s/%.*s", dir, (int)name.n, name.p).p, d, e))
		return -1;
	v_set(a, out, name, hex_value(a, d));
	return 0;
}

static int write_json(const char *path, struct value v, struct err *e)
{
	struct buf b = { 0 };
	json_write(&b, v, JSON_SORT, 1);
	buf_putc(&b, '\n');
	int r = file_write(path, &b, e);
	buf_fini(&b);
	return r;
}

int manifest_write(struct arena *a, const char *dir, const char *run_id, struct value inputs, const char *model_name,
		   const struct runner_info *model, const struct manifest_leaf *leaf, int nleaves, struct err *e)
{
	struct value v = v_dict(a), out = v_dict(a), env = v_dict(a);
	for (int i = 0; i < nleaves; i++)
		if (add_digest(a, out, dir, arena_printf(a, "samples/%.*s.jsonl", (int)leaf[i].suite->name.n, leaf[i].suite->name.p), e))
			return -1;
	if (add_digest(a, out, dir, STR("rows.csv"), e))
		return -1;
	v_set(a, v, STR("run_id"), v_cstr(run_id));
	v_set(a, v, STR("inputs"), inputs);
	v_set(a, v, STR("model"), v_cstr(model_name));
	v_set(a, v, STR("outputs"), out);
	v_set(a, v, STR("tensors_skipped"), v_int(model->weights_skipped));
	v_set(a, v, STR("tensors_unknown"), v_int(model->weights_unknown));
	if (write_json(arena_printf(a, "%s/manifest.json", dir).p, v, e))
		return -1;
	struct str path = arena_printf(a, "%s/environment.json", dir);
	if (access(path.p, F_OK) == 0)
		return 0;
	v_set(a, env, STR("assay"), v_cstr(PACKAGE_VERSION));
	v_set(a, env, STR("device"), v_cstr(model->device));
	return write_json(path.p, env, e);
}
