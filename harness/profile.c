/* profile.c - the table of profiles, and what of a run's settings differs from its profile (the `settings` column).
 *
 * A profile is a row: one more version of a harness that behaves differently is one more row. What each flag changes is
 * said in settings.h; why versions differ, in SCORING.md 2.0.
 */
#include <string.h>

#include "harness/settings.h"
#include "runners/text/json.h"

static const struct profile profiles[] = {
	{ .name = "native",
	  .text = "assay's own rules: nothing is tokenized twice, shots depend on the document alone",
	  .bos = BOS_AUTO, .split = SPLIT_NATIVE, .multiturn = true, .chat_prefix_delimiter = true },
	{ .name = "lm-eval-0.4.13",
	  .text = "as lm-evaluation-harness 0.4.13 does with its defaults",
	  .bos = BOS_AUTO, .split = SPLIT_LMEVAL, .multiturn = true, .lmeval = true, .chat_prefix_delimiter = true },
	{ .name = "lm-eval-0.4.9.1",
	  .text = "as lm-evaluation-harness 0.4.9.1: no BOS by default, shots in one user turn, pooled errors of groups",
	  .bos = BOS_OFF, .split = SPLIT_LMEVAL, .lmeval = true, .macro_se_pooled = true },
	{ .name = NULL },
};

const struct profile *profile_table(void)
{
	return profiles;
}

const struct profile *profile_find(const char *name, struct err *e)
{
	const char *words[sizeof profiles / sizeof *profiles];
	char hint[200];
	int n = 0;
	for (const struct profile *p = profiles; p->name; p++) {
		if (!strcmp(p->name, name))
			return p;
		words[n++] = p->name;
	}
	words[n] = NULL;
	err_set(e, E_USAGE, "no profile is called '%.100s'%s", name, err_hint(hint, sizeof hint, name, words));
	return NULL;
}

static struct str docs_text(struct arena *a, const struct settings *s)
{
	struct buf b = { 0 };
	for (int i = 0; i < s->ndocs; i++) {
		buf_printf(&b, "%s%zu", i ? "," : "", s->docs[i].first);
		if (s->docs[i].last != s->docs[i].first)
			buf_printf(&b, "-%zu", s->docs[i].last);
	}
	struct str out = arena_str(a, b.p ? b.p : "", b.n);
	buf_fini(&b);
	return out;
}

/* What was applied of the model's generation_config.json. */
static struct value sampling_value(struct arena *a, const struct sampling *s)
{
	struct value d = v_dict(a);
	v_set(a, d, STR("temperature"), v_float(s->temperature));
	if (s->temperature > 0 && s->min_p > 0)
		v_set(a, d, STR("min_p"), v_float(s->min_p));
	if (s->repetition_penalty > 0)
		v_set(a, d, STR("repetition_penalty"), v_float(s->repetition_penalty));
	if (s->temperature > 0 && s->top_k)
		v_set(a, d, STR("top_k"), v_int(s->top_k));
	if (s->temperature > 0 && s->top_p < 1)
		v_set(a, d, STR("top_p"), v_float(s->top_p));
	return d;
}

struct str settings_json(struct arena *a, const struct settings *s, bool generates, const char *files)
{
	const struct profile *p = s->profile;
	struct value d = v_dict(a), v;
	if (s->bos != BOS_AUTO && s->bos != p->bos)
		v_set(a, d, STR("bos"), v_cstr(s->bos == BOS_ON ? "on" : "off"));
	if (s->date && strcmp(s->date, JINJA_DATE_DEFAULT))
		v_set(a, d, STR("date"), v_cstr(s->date));
	if (s->ndocs)
		v_set(a, d, STR("docs"), v_str(docs_text(a, s)));
	if (files && json_parse(a, str_of(files), "files", &v, NULL) == 0)
		v_set(a, d, STR("files"), v);
	if (s->generation_config && generates)
		v_set(a, d, STR("generation_config"), sampling_value(a, &s->sampling));
	if (s->max_tokens && generates)
		v_set(a, d, STR("max_tokens"), v_int(s->max_tokens));
	if (s->chat && s->multiturn != UNSET && (s->multiturn == ON) != p->multiturn)
		v_set(a, d, STR("multiturn"), v_cstr(s->multiturn == ON ? "on" : "off"));
	if (s->seed >= 0 && s->seed != SETTINGS_SEED)
		v_set(a, d, STR("seed"), v_int(s->seed));
	if (s->system && *s->system)
		v_set(a, d, STR("system"), v_cstr(s->system));
	return json_text(a, d, JSON_SORT | JSON_COMPACT, -1);
}
