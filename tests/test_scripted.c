/* test_scripted.c - filters, metrics and aggregates against lm-evaluation-harness 0.4.13, from its own recorded answers.
 *
 * For every oracle file whose task is one of our suites (ASSAY_ORACLE, rows from ASSAY_MATERIAL): the documents' recorded
 * responses go through our filters and metrics; filtered responses and metrics must be equal document by document, the
 * aggregated values within 1e-12 and the standard errors within 1e-9 of summary.json. "scripted" holds answers made up to
 * be awkward. No model is needed.
 */
#include "tests/test.h"

#include <dirent.h>
#include <math.h>

#include "harness/filter.h"
#include "harness/metric.h"
#include "harness/samples.h"
#include "kernels/base/log.h"
#include "runners/text/json.h"

static const char *oracle, *material;
static struct value tasks_json;
static struct arena all;
static size_t files, documents, filtered_seen, metrics_seen, values_seen, errors_seen, not_available;

static int files_of(struct data_file *out, struct arena *a, const char *task)
{
	const struct value *t = v_getc(tasks_json, task), *k = t ? v_getc(*t, "dataset_kwargs") : NULL, *f = k ? v_getc(*k, "data_files") : NULL;
	if (!f)
		return 0;
	for (size_t i = 0; i < f->dict->n; i++)
		out[i] = (struct data_file){ task, f->dict->v[i].key.s.p, arena_printf(a, "%s/rows/%s", material, f->dict->v[i].val.s.p).p };
	return (int)f->dict->n;
}

static double num(struct value v)
{
	return v.type == V_INT ? (double)v.i : v.type == V_FLOAT ? v.f : NAN;
}

/* Recorded log-probabilities are float32, printed with as many digits as a float32 needs. Rolling ones are sums of several
 * such in double, printed alike: their last digits are lost, and perplexities of them agree to 2e-6 only. */
static double sum(struct value v)
{
	return (double)(float)num(v);
}

/* resps of a line as answers to the item's requests. */
static int answers(struct resp *out, const struct item *it, struct value line, enum suite_kind kind)
{
	const struct list *r = v_getc(line, "resps")->list;
	if (r->n != (size_t)it->nreq)
		return -1;
	for (size_t i = 0; i < r->n; i++) {
		struct value v = r->v[i];
		if (v.type == V_LIST && v.list->n == 1)
			v = v.list->v[0];
		out[i] = (struct resp){ .answered = true };
		if (kind == KIND_GENERATE)
			out[i].text = v.s;
		else if (kind == KIND_ROLLING)
			out[i].logprob = num(v);
		else {
			out[i].logprob = sum(v.list->v[0]);
			out[i].greedy = v.list->v[1].b;
		}
	}
	return 0;
}

static bool same_score(struct value want, struct score got, bool pair)
{
	if (pair)
		return want.type == V_LIST && want.list->n == 2 && num(want.list->v[0]) == got.v && num(want.list->v[1]) == got.w;
	return sum(want) == got.v;
}

struct table {
	struct score *x; /* [filters][metrics][documents] */
	size_t n;
};

static void one_document(const char *file, const struct suite *s, const struct item *it, struct value line, struct table *t, size_t d, struct arena *a)
{
	struct resp *resp = ARENA_ARRAY(a, (size_t)it->nreq, struct resp);
	struct str *texts = ARENA_ARRAY(a, (size_t)it->nreq, struct str);
	struct value filtered = { 0 };
	struct err e = { 0 };
	char hex[DIGEST_HEX];
	digest_hex(it->doc_hash, hex);
	CHECK(str_is(v_getc(line, "doc_hash")->s, hex), "%s document %zu: another document", file, d);
	if (answers(resp, it, line, s->kind)) {
		CHECK(0, "%s document %zu: %d requests", file, d, it->nreq);
		return;
	}
	for (int i = 0; i < it->nreq; i++)
		texts[i] = resp[i].text;
	for (int f = 0; f < sample_filters(s); f++) {
		if (s->kind == KIND_GENERATE) {
			const struct value *want = v_get(*v_getc(line, "filtered_resps"), s->filter[f].name);
			int ok = filter_apply(&s->filter[f], a, &it->row, texts, it->nreq, &filtered, &e) == 0;
			CHECK(ok && want && v_equal(filtered, *want), "%s document %zu filter %s: %s, wanted %s", file, d, s->filter[f].name.p,
			      ok ? v_repr(a, filtered).p : e.msg, want ? v_repr(a, *want).p : "no such filter");
			filtered_seen++;
		}
		for (int m = 0; m < s->nmetrics; m++) {
			struct score *x = &t->x[(size_t)(f * s->nmetrics + m) * t->n + d];
			struct str key = arena_printf(a, "%s,%s", s->metric[m].name.p, s->filter[f].name.p);
			const struct value *want = v_get(*v_getc(line, "metrics"), key);
			bool pair = metric_find(s->metric[m].name)->pair;
			int ok = metric_doc(&s->metric[m], s, it, resp, &filtered, a, x, &e) == 0;
			CHECK(ok && want && same_score(*want, *x, pair), "%s document %zu %s: %.17g %.17g %s, wanted %s", file, d, key.p, x->v, x->w, e.msg,
			      want ? v_repr(a, *want).p : "no such metric");
			metrics_seen++;
		}
	}
}

static bool near(double got, double want, double tolerance)
{
	return got == want || fabs(got - want) <= tolerance * (fabs(want) > 1 ? fabs(want) : 1);
}

static void aggregates(const char *file, const struct suite *s, const struct table *t, const struct value *summary, struct arena *a)
{
	const struct profile *p = profile_find("lm-eval-0.4.13", NULL);
	for (int f = 0; summary && f < sample_filters(s); f++)
		for (int m = 0; m < s->nmetrics; m++) {
			struct aggregate_result g, g1;
			const char *name = s->metric[m].name.p, *filter = s->filter[f].name.p;
			const struct value *want = v_get(*summary, arena_printf(a, "%s,%s", name, filter));
			const struct value *se = v_get(*summary, arena_printf(a, "%s_stderr,%s", name, filter));
			const struct metric_info *info = metric_find(s->metric[m].name);
			const struct score *x = t->x + (size_t)(f * s->nmetrics + m) * t->n;
			metric_aggregate(info, x, t->n, p, 2, &g);
			CHECK(want && near(g.value, num(*want), s->kind == KIND_ROLLING ? 2e-6 : 1e-12), "%s %s,%s: %.17g, wanted %.17g", file, name, filter, g.value, want ? num(*want) : NAN);
			values_seen++;
			if (se && se->type == V_STR) { /* "N/A" */
				CHECK(isnan(g.stderr_), "%s %s,%s: stderr %.17g, wanted none", file, name, filter, g.stderr_);
				not_available++;
			} else {
				CHECK(se && near(g.stderr_, num(*se), 1e-9), "%s %s,%s: stderr %.17g, wanted %.17g", file, name, filter, g.stderr_, se ? num(*se) : NAN);
				errors_seen++;
			}
			if (info->agg == AGG_PERPLEXITY && errors_seen < 40) {
				metric_aggregate(info, x, t->n, p, 1, &g1);
				CHECK(memcmp(&g, &g1, sizeof g) == 0, "%s %s: threads change the bootstrap", file, name);
			}
		}
}

static void settings_of(struct settings *set, struct docs_range *range, const struct value *setting, size_t n)
{
	const struct value *samples = setting ? v_getc(*setting, "samples") : NULL;
	*set = (struct settings){ .profile = profile_find("lm-eval-0.4.13", NULL), .seed = -1, .multiturn = UNSET, .limit = n };
	if (samples && samples->type == V_LIST) {
		*range = (struct docs_range){ (size_t)samples->list->v[0].i, (size_t)samples->list->v[1].i };
		set->docs = range;
		set->ndocs = 1;
		set->limit = 0;
	}
}

static void one_file(const char *path, const char *file, struct suite *s, const struct value *summary)
{
	struct arena a, item;
	struct rows lines;
	struct settings set;
	struct docs_range range;
	struct data_file df[8];
	struct err e = { 0 };
	struct task *t = NULL;
	struct item it;
	arena_init(&a);
	arena_init(&item);
	int rc = dataset_read(&lines, &a, path, &e);
	if (rc == 0) {
		struct data_sources d = { .file = df, .nfiles = files_of(df, &a, s->name.p) };
		settings_of(&set, &range, v_getc(lines.v[0], "setting"), lines.n);
		rc = task_open(&t, s, &set, &d, &e);
	}
	struct table table = { .n = lines.n };
	if (rc == 0)
		table.x = ARENA_ARRAY(&a, (size_t)(sample_filters(s) * s->nmetrics) * lines.n, struct score);
	for (size_t i = 0; rc == 0 && i < lines.n; i++) {
		arena_reset(&item);
		rc = task_next(t, &item, &it, &e) == 1 ? 0 : -1;
		if (rc == 0)
			one_document(file, s, &it, lines.v[i], &table, i, &item);
		documents++;
	}
	CHECK(rc == 0, "%s: %s", file, e.msg);
	if (rc == 0)
		aggregates(file, s, &table, summary, &a);
	files++;
	task_close(t);
	arena_fini(&a);
	arena_fini(&item);
}

static void one_folder(const char *model, struct suites *suites)
{
	char dir[4096], path[8192], task[256], setting[256];
	struct dirent **names;
	struct value summary;
	struct err e = { 0 };
	snprintf(dir, sizeof dir, "%s/lmeval/%s", oracle, model);
	snprintf(path, sizeof path, "%s/summary.json", dir);
	CHECK(json_load(&all, path, 1 << 24, &summary, &e) == 0, "%s", e.msg);
	int n = scandir(dir, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name, *end = strstr(name, ".jsonl.gz");
		struct suite *s;
		snprintf(task, sizeof task, "%.*s", (int)strcspn(name, "+."), name);
		snprintf(setting, sizeof setting, "%.*s", end ? (int)(end - name) : 0, name);
		snprintf(path, sizeof path, "%s/%s", dir, name);
		if (end && suite_find(suites, task, &s, &e) == 0)
			one_file(path, path + strlen(oracle) + 8, s, v_getc(summary, setting));
		free(names[i]);
	}
	free(names);
}

static int open_all(struct suites **suites)
{
	static char dir[4200];
	static const char *dirs[] = { dir, NULL };
	struct err e = { 0 };
	char path[4200];
	snprintf(dir, sizeof dir, "%s/suites", test_srcdir());
	oracle = test_shared("oracle");
	material = test_shared("material");
	if (!oracle || !material) {
		SKIP("no oracle here (ASSAY_ORACLE, ASSAY_MATERIAL)");
		return -1;
	}
	snprintf(path, sizeof path, "%s/lmeval/tasks.json", oracle);
	if (json_load(&all, path, 1 << 24, &tasks_json, &e) || suites_open(suites, dirs, &e)) {
		CHECK(0, "%s", e.msg);
		return -1;
	}
	return 0;
}

static void test_scripted(void)
{
	struct suites *suites;
	if (open_all(&suites))
		return;
	one_folder("scripted", suites);
	CHECK(files >= 2 && filtered_seen > 50, "%zu files, %zu filtered responses", files, filtered_seen);
	suites_close(suites);
}

static void test_recorded(void)
{
	static const char *const models[] = { "stories260k-hf", "tiny-llama3", "tiny-pythia", "tiny-qwen2" };
	struct suites *suites;
	if (open_all(&suites))
		return;
	for (size_t i = 0; i < sizeof models / sizeof *models; i++)
		one_folder(models[i], suites);
	printf("\n    %zu files, %zu documents: %zu filtered responses, %zu metrics; %zu aggregates, %zu standard errors, %zu not available ", files,
	       documents, filtered_seen, metrics_seen, values_seen, errors_seen, not_available);
	CHECK(documents > 1000 && errors_seen > 100, "the oracle is smaller than it should be");
	suites_close(suites);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "made-up answers", test_scripted }, { "recorded answers", test_recorded }, { NULL, NULL } };
	log_set_level(LOG_QUIET);
	arena_init(&all);
	int r = test_main("scripted", tests, argc, argv);
	arena_fini(&all);
	return r;
}
