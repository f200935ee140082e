/* run_score.c - the answers of a suite become filtered texts, per-document scores, aggregates, rows and sample lines.
 *
 * A document fails when one of its requests failed, or when a filter or metric did (a pattern past its limits): it is
 * logged with its reason, counted in n_failed, and is in no score. A group's row combines the rows of its leaves that have
 * the metric and filter (SCORING.md 2.8); groups inside it get rows of their own.
 */
#include <stdlib.h>

#include "harness/filter.h"
#include "harness/run_int.h"
#include "harness/samples.h"
#include "harness/stats.h"
#include "runners/text/json.h"

/* ---- one document ---- */

struct scoring {
	struct run *run;
	struct leaf *leaf;
	int nfilters, nmetrics;
	struct score *score;  /* [filters][metrics][documents] */
	size_t scored;        /* documents */
	long failed, truncated, *unparsed; /* [filters] */
	struct arena item;    /* reset after each document */
};

static bool truncated(const struct run *r, const struct item *it, const struct resp *p)
{
	int own = runner_info(r->runner)->max_length;
	for (int i = 0; i < it->nreq; i++) {
		int max = it->req[i].encode.max_length ? it->req[i].encode.max_length : own;
		if (it->req[i].ask == ASK_GENERATE && (p[i].stop == STOP_LENGTH || p[i].nused < p[i].ncontext))
			return true;
		if (it->req[i].ask == ASK_LOGLIK && max > 0 && p[i].ncontext + p[i].ncontinuation > max + 1)
			return true;
	}
	return false;
}

/* Did the filter find nothing? */
static bool is_unparsed(const struct value *filtered)
{
	const struct list *l = filtered->list;
	return l->n == 1 && l->v[0].type == V_STR && str_is(l->v[0].s, "[invalid]");
}

/* Filters and metrics of document d into filtered[] and x[filters][metrics]. */
static int score_document(struct scoring *s, size_t d, struct value *filtered, struct score *x, struct err *e)
{
	const struct suite *u = s->leaf->suite;
	const struct item *it = &s->leaf->item[d];
	const struct resp *p = s->leaf->resp[d];
	struct str *texts = ARENA_ARRAY(&s->item, (size_t)it->nreq, struct str);
	for (int i = 0; i < it->nreq; i++) {
		if (!p[i].answered)
			return err_set(e, E_FORMAT, "request %d: %.*s", i + 1, (int)(p[i].why.n < 900 ? p[i].why.n : 900), p[i].why.p);
		texts[i] = p[i].text;
	}
	for (int f = 0; f < s->nfilters; f++) {
		bool generated = u->kind == KIND_GENERATE;
		if (generated && filter_apply(&u->filter[f], &s->item, &it->row, texts, it->nreq, &filtered[f], e))
			return -1;
		for (int m = 0; m < s->nmetrics; m++)
			if (metric_doc(&u->metric[m], u, it, p, generated ? &filtered[f] : NULL, &s->item, &x[f * s->nmetrics + m], e))
				return -1;
	}
	return 0;
}

static int log_document(struct scoring *s, size_t d, const struct value *filtered, const struct score *x, const struct err *why,
			struct atomic_file *f, struct buf *line, struct err *e)
{
	struct sample sample = { .suite = s->leaf->suite, .item = &s->leaf->item[d], .resp = s->leaf->resp[d],
				 .filtered = x && s->leaf->suite->kind == KIND_GENERATE ? filtered : NULL, .score = x, .why = str_of(why->msg) };
	line->n = 0;
	if (sample_line(line, &sample, s->run->runner, s->run->o->set.log_ids, &s->item, e))
		return -1;
	return atomic_write(f, line->p, line->n, e);
}

static int score_documents(struct scoring *s, struct atomic_file *f, struct buf *line, struct err *e)
{
	struct leaf *l = s->leaf;
	int per_doc = s->nfilters * s->nmetrics;
	for (size_t d = 0; d < l->n; d++) {
		struct err why = { 0 };
		struct value *filtered = ARENA_ARRAY(&s->item, (size_t)s->nfilters, struct value);
		struct score *x = ARENA_ARRAY(&s->item, (size_t)per_doc, struct score);
		bool ok = score_document(s, d, filtered, x, &why) == 0, asked = true;
		if (log_document(s, d, filtered, ok ? x : NULL, &why, f, line, e))
			return -1;
		for (int i = 0; i < l->item[d].nreq; i++)
			asked = asked && l->resp[d][i].answered;
		s->failed += !ok;
		s->run->sum->failed += !ok && asked; /* failed requests are counted already */
		s->truncated += asked && truncated(s->run, &l->item[d], l->resp[d]);
		for (int k = 0; ok && k < s->nfilters; k++)
			s->unparsed[k] += l->suite->kind == KIND_GENERATE && is_unparsed(&filtered[k]);
		for (int k = 0; ok && k < per_doc; k++)
			s->score[(size_t)k * l->n + s->scored] = x[k];
		s->scored += ok;
		arena_reset(&s->item);
	}
	return 0;
}

/* ---- rows ---- */

static struct str hex_of(struct arena *a, const unsigned char d[DIGEST_BYTES])
{
	char hex[DIGEST_HEX];
	digest_hex(d, hex);
	return arena_str(a, hex, strlen(hex));
}

/* What every row of this model and suite has in common. files: as settings_json takes them. */
static struct row base_row(struct run *r, struct job *j, const struct suite *u, int shots, const char *files)
{
	const struct runner_info *info = runner_info(r->runner);
	const struct registry_row *g = &r->model->registry;
	const struct settings *set = &r->o->set;
	struct arena *a = r->per_model;
	double total = g->params_total > 0 ? g->params_total : info->params_total, active = g->params_active > 0 ? g->params_active : info->params_active;
	return (struct row){ .model = str_of(r->model->name), .organisation = g->organisation, .country = g->country, .licence = g->licence,
			     .params_total = total > 0 ? total : STATS_NAN, .params_active = active > 0 ? active : STATS_NAN,
			     .suite = u->name, .suite_version = arena_printf(a, "%d", u->version), .language = u->language,
			     .shots = shots, .chat = set->chat, .profile = str_of(set->profile->name), .numerics = str_of(info->numerics),
			     .limit = set->limit ? (long)set->limit : -1, .settings = settings_json(a, set, suite_generates(u), files),
			     .model_digest = str_of(info->digest), .suite_digest = hex_of(a, u->digest), .run_id = str_of(j->run_id) };
}

static void set_numbers(struct row *row, const struct aggregate_result *g)
{
	row->value = g->value;
	row->stderr_ = g->stderr_;
	row->ci_low = g->ci_low;
	row->ci_high = g->ci_high;
	row->n = (long)g->n;
}

static void make_rows(struct scoring *s, struct job *j)
{
	struct leaf *l = s->leaf;
	struct run *r = s->run;
	struct row base = base_row(r, j, l->suite, task_shots(l->task), task_files_json(l->task));
	l->nrows = s->nfilters * s->nmetrics;
	l->row = ARENA_ARRAY(r->per_model, (size_t)l->nrows, struct row);
	l->agg = ARENA_ARRAY(r->per_model, (size_t)l->nrows, struct aggregate_result);
	for (int k = 0; k < l->nrows; k++) {
		int f = k / s->nmetrics, m = k % s->nmetrics;
		struct row *row = &l->row[k];
		metric_aggregate(metric_find(l->suite->metric[m].name), s->score + (size_t)k * l->n, s->scored, r->o->set.profile,
				 r->o->runner.threads, &l->agg[k]);
		*row = base;
		row->metric = l->suite->metric[m].name;
		row->filter = l->suite->filter[f].name;
		row->n_failed = s->failed;
		row->n_truncated = s->truncated;
		row->n_unparsed = s->unparsed[f];
		set_numbers(row, &l->agg[k]);
	}
}

int run_score_leaf(struct run *r, struct job *j, struct leaf *l, struct err *e)
{
	struct scoring s = { .run = r, .leaf = l, .nfilters = sample_filters(l->suite), .nmetrics = l->suite->nmetrics };
	struct buf line = { 0 };
	struct atomic_file *f;
	struct str path = arena_printf(r->per_model, "%s/samples/%.*s.jsonl", j->dir, (int)l->suite->name.n, l->suite->name.p);
	if (atomic_open(&f, path.p, e))
		return -1;
	arena_init(&s.item);
	s.score = xcalloc((size_t)(s.nfilters * s.nmetrics) * l->n, sizeof *s.score);
	s.unparsed = xcalloc((size_t)s.nfilters, sizeof *s.unparsed);
	int status = score_documents(&s, f, &line, e);
	if (status)
		atomic_abort(f);
	else
		status = atomic_commit(f, e);
	if (status == 0)
		make_rows(&s, j);
	arena_fini(&s.item);
	buf_fini(&line);
	free(s.score);
	free(s.unparsed);
	return status;
}

/* ---- groups ---- */

struct table {
	struct row *v;
	size_t n, cap;
};

static void add_row(struct table *out, struct arena *a, struct row row)
{
	if (out->n == out->cap) {
		struct row *more = ARENA_ARRAY(a, out->cap ? 2 * out->cap : 64, struct row);
		if (out->n)
			memcpy(more, out->v, out->n * sizeof *more);
		out->v = more;
		out->cap = out->cap ? 2 * out->cap : 64;
	}
	out->v[out->n++] = row;
}

static int leaves_of(const struct suite *s)
{
	int n = 0;
	if (s->kind != KIND_GROUP)
		return 1;
	for (int i = 0; i < s->nmembers; i++)
		n += leaves_of(s->member[i]);
	return n;
}

/* The leaves' files for a group's row: what they all say, else a digest of what each says. NULL: all as published. */
static const char *group_files(struct arena *a, const struct leaf *l, int n)
{
	const char *first = task_files_json(l[0].task);
	bool same = true, any = false;
	struct digest *d = digest_new();
	unsigned char sum[DIGEST_BYTES];
	for (int i = 0; i < n; i++) {
		const char *files = task_files_json(l[i].task);
		same = same && (files ? first && !strcmp(files, first) : !first);
		any = any || files;
		digest_field(d, l[i].suite->name.p, l[i].suite->name.n);
		digest_field(d, files ? files : "", files ? strlen(files) : 0);
	}
	digest_end(d, sum);
	if (!any || same)
		return first;
	return arena_printf(a, "{\"*\":\"%s\"}", hex_of(a, sum).p).p;
}

static const struct row *leaf_row(const struct leaf *l, const struct row *like, const struct aggregate_result **agg)
{
	for (int k = 0; k < l->nrows; k++)
		if (str_eq(l->row[k].metric, like->metric) && str_eq(l->row[k].filter, like->filter)) {
			*agg = &l->agg[k];
			return &l->row[k];
		}
	return NULL;
}

/* A group that names metrics has rows for these alone. */
static bool wants(const struct suite *g, struct str metric)
{
	bool found = g->nmetrics == 0;
	for (int i = 0; i < g->nmetrics; i++)
		found = found || str_eq(g->metric[i].name, metric);
	return found;
}

static void group_row(struct run *r, const struct suite *g, const struct leaf *l, int n, const struct row *like, struct row base, struct table *out)
{
	struct aggregate_result *leaf = ARENA_ARRAY(r->per_model, (size_t)n, struct aggregate_result), sum;
	int k = 0;
	base.metric = like->metric;
	base.filter = like->filter;
	for (int i = 0; i < n; i++) {
		const struct aggregate_result *agg;
		const struct row *row = leaf_row(&l[i], like, &agg);
		if (!row)
			continue;
		leaf[k++] = *agg;
		base.n_failed += row->n_failed;
		base.n_truncated += row->n_truncated;
		base.n_unparsed += row->n_unparsed;
		base.shots = row->shots == base.shots ? base.shots : -1;
	}
	metric_group(leaf, k, g->weight_by_size, r->o->set.profile, &sum);
	set_numbers(&base, &sum);
	add_row(out, r->per_model, base);
}

/* Has a leaf before number `i` a row of this metric and filter? */
static bool seen(const struct leaf *l, int i, const struct row *like)
{
	const struct aggregate_result *agg;
	while (i-- > 0)
		if (leaf_row(&l[i], like, &agg))
			return true;
	return false;
}

static void group_rows(struct run *r, struct job *j, const struct suite *g, const struct leaf *l, struct table *out)
{
	int n = leaves_of(g);
	if (g->kind != KIND_GROUP)
		return;
	struct row base = base_row(r, j, g, task_shots(l[0].task), group_files(r->per_model, l, n));
	for (int i = 0; i < n; i++)
		for (int k = 0; k < l[i].nrows; k++)
			if (wants(g, l[i].row[k].metric) && !seen(l, i, &l[i].row[k]))
				group_row(r, g, l, n, &l[i].row[k], base, out);
	for (int i = 0; i < g->nmembers; i++) {
		group_rows(r, j, g->member[i], l, out);
		l += leaves_of(g->member[i]);
	}
}

int run_rows(struct run *r, struct job *j, struct row **rows, size_t *n, struct err *e)
{
	struct table out = { 0 };
	group_rows(r, j, j->suite, j->leaf, &out);
	for (int i = 0; i < j->nleaves; i++)
		for (int k = 0; k < j->leaf[i].nrows; k++)
			add_row(&out, r->per_model, j->leaf[i].row[k]);
	*rows = out.v;
	*n = out.n;
	return 0;
}
