/* task.c - a suite on its rows: which documents, which shots, which requests.
 *
 * task_open finds and loads the rows: the evaluated split is the test split, else the validation split; shots come from
 * splits.shots, shot_examples, train, validation, test, the first that the suite names. Where a named split's file is not
 * there another of the suite's splits stands in, with a warning and a mark in the row's settings. task_next makes the
 * requests in lm-evaluation-harness's order: multiple choice one per choice, all
 * sharing one context; loglik and generate one; rolling the target itself.
 * What the document makes impossible (a choice index out of range, a prompt that is no text) is an error that names suite,
 * file and document; where the lm-eval profiles only score it wrong, they do.
 */
#include "harness/task.h"

#include <stdlib.h>

#include "harness/fewshot.h"
#include "harness/field.h"
#include "harness/turns.h"
#include "kernels/base/log.h"
#include "runners/text/json.h"
#include "runners/text/utf8.h"

struct task {
	const struct suite *s;
	const struct settings *set;
	struct arena a; /* rows and all that lives as long as the task */
	struct rows rows;
	struct str split;        /* evaluated */
	size_t *order, norder;   /* documents in the order of the split */
	size_t next;
	int shots;
	struct fewshot sampler;
	bool multiple_input;
	struct task_file file[2];
	int nfiles;
	const char *files_json;
};

/* ==== Rows ==== */

static void note_file(struct task *t, const struct rows *r, struct str split, struct str wanted)
{
	struct task_file *f = &t->file[t->nfiles++];
	*f = (struct task_file){ .split = split.p, .path = arena_cstr(&t->a, str_of(r->path)), .rows = r->n, .local = r->local };
	memcpy(f->digest, r->digest, DIGEST_BYTES);
	if (!str_eq(split, wanted))
		f->wanted = wanted.p;
}

/* The first of the splits whose file is there; the first named when none is. */
static struct str present(const struct task *t, const struct data_sources *d, const struct str *splits, int n)
{
	char path[4096];
	bool local;
	for (int i = 0; i < n; i++)
		if (splits[i].n && dataset_find(t->s, splits[i].p, d, path, &local))
			return splits[i];
	for (int i = 0; i < n; i++)
		if (splits[i].n)
			return splits[i];
	return (struct str){ 0 };
}

static int load_split(struct task *t, struct rows *r, const struct data_sources *d, struct str split, struct str wanted, const char *what,
		      struct err *e)
{
	if (!str_eq(split, wanted))
		log_warn("suite %s: split '%s' is not there; '%s' stands in for it (%s)", t->s->name.p, wanted.p, split.p, what);
	if (dataset_load(r, &t->a, t->s, split.p, d, e))
		return -1;
	note_file(t, r, split, wanted);
	return 0;
}

static int load_eval(struct task *t, const struct data_sources *d, struct err *e)
{
	const struct str splits[] = { t->s->test_split, t->s->validation_split };
	t->split = present(t, d, splits, 2);
	return load_split(t, &t->rows, d, t->split, splits[0].n ? splits[0] : splits[1], "evaluated documents", e);
}

/* The pool of shots, as the suite's definition says where from. */
static int load_pool(struct task *t, const struct data_sources *d, struct err *e)
{
	const struct suite *s = t->s;
	const struct str splits[] = { s->shot_split, s->train_split, s->validation_split, s->test_split };
	struct rows pool = t->rows;
	struct str wanted = { 0 }, split;
	uint64_t seed = t->set->seed < 0 ? SETTINGS_SEED : (uint64_t)t->set->seed;
	bool same = false;
	if (!s->shot_split.n && s->shot_examples.type == V_LIST) {
		fewshot_init(&t->sampler, s->shot_examples.list->v, s->shot_examples.list->n, seed);
	} else {
		for (int i = 3; i >= 0; i--)
			if (splits[i].n)
				wanted = splits[i];
		split = present(t, d, splits, 4);
		same = str_eq(split, t->split);
		if (same && !str_eq(split, wanted))
			log_warn("suite %s: split '%s' is not there; '%s' stands in for it (shots)", s->name.p, wanted.p, split.p);
		if (!same && load_split(t, &pool, d, split, wanted, "shots", e))
			return -1;
		if (same)
			note_file(t, &pool, split, wanted);
		fewshot_init(&t->sampler, pool.v, pool.n, seed);
	}
	t->sampler.first_n = str_is(s->shot_sampler, "first_n");
	t->sampler.by_document = !t->set->profile->lmeval;
	/* lm-eval compares the names in the definition, absent ones too; a stand-in that coincides must be excluded as well */
	t->sampler.exclude = str_eq(s->shot_split, s->test_split) || (same && t->file[t->nfiles - 1].wanted) ||
			     (same && !t->set->profile->lmeval);
	return 0;
}

/* ==== What is evaluated ==== */

static int choose_documents(struct task *t, struct err *e)
{
	const struct settings *set = t->set;
	size_t n = t->rows.n, k = 0;
	if (set->ndocs && set->limit)
		return err_set(e, E_USAGE, "--docs and --limit exclude each other");
	bool *wanted = arena_alloc(&t->a, n);
	for (int i = 0; i < set->ndocs; i++) {
		if (set->docs[i].first > set->docs[i].last || set->docs[i].last >= n)
			return err_set(e, E_USAGE, "--docs: there is no document %zu: split '%s' has %zu (0 to %zu)", set->docs[i].last,
				       t->split.p, n, n - 1);
		for (size_t x = set->docs[i].first; x <= set->docs[i].last; x++)
			wanted[x] = true;
	}
	t->order = ARENA_ARRAY(&t->a, n, size_t);
	for (size_t i = 0; i < n; i++)
		if (set->ndocs ? wanted[i] : !set->limit || i < set->limit)
			t->order[k++] = i;
	t->norder = k;
	return 0;
}

/* --files for this suite must name one of its splits. */
static int check_files(const struct suite *s, const struct data_sources *d, struct err *e)
{
	const struct str splits[] = { s->test_split, s->validation_split, s->train_split, s->shot_split };
	const char *words[5];
	int n = 0;
	char hint[200];
	for (int i = 0; i < 4; i++)
		if (splits[i].n)
			words[n++] = splits[i].p;
	words[n] = NULL;
	for (int i = 0; i < d->nfiles; i++) {
		bool known = false;
		if (!str_is(s->name, d->file[i].suite))
			continue;
		for (int k = 0; k < n; k++)
			known |= !strcmp(words[k], d->file[i].split);
		if (!known)
			return err_set(e, E_USAGE, "--files: suite %s has no split '%.60s'%s", s->name.p, d->file[i].split,
				       err_hint(hint, sizeof hint, d->file[i].split, words));
	}
	return 0;
}

static void write_files_json(struct task *t)
{
	struct value o = v_dict(&t->a);
	for (int i = 0; i < t->nfiles; i++) {
		const struct task_file *f = &t->file[i];
		char hex[DIGEST_HEX];
		digest_hex(f->digest, hex);
		if (f->wanted)
			v_set(&t->a, o, str_of(f->wanted), v_str(arena_printf(&t->a, "=%s", f->split)));
		if (f->local)
			v_set(&t->a, o, str_of(f->split), v_str(arena_str(&t->a, hex, DIGEST_HEX - 1)));
	}
	if (o.dict->n)
		t->files_json = json_text(&t->a, o, JSON_SORT | JSON_COMPACT, -1).p;
}

static int shots_wanted(const struct suite *s, const struct settings *set)
{
	bool fixed = set->profile->lmeval && s->shots_given && s->shots == 0; /* SCORING.md 2.1.7 */
	return set->shots < 0 || fixed ? s->shots : set->shots;
}

static int prepare(struct task *t, const struct data_sources *d, struct err *e)
{
	struct value v;
	if (t->s->kind == KIND_GROUP)
		return err_set(e, E_USAGE, "%s is a group, not a suite", t->s->name.p);
	if (check_files(t->s, d, e) || load_eval(t, d, e) || choose_documents(t, e))
		return -1;
	t->shots = t->s->kind == KIND_ROLLING ? 0 : shots_wanted(t->s, t->set);
	if (t->shots > 0 && load_pool(t, d, e))
		return -1;
	if (t->s->kind == KIND_CHOICE && t->rows.n) { /* as lm-eval: the first document says what kind of prompt it is */
		if (field_prompt(&v, &t->a, &t->s->prompt, true, t->rows.v[0], e))
			return err_wrap(e, "%s: document 0: prompt", t->rows.path);
		t->multiple_input = v.type == V_INT;
	}
	write_files_json(t);
	return 0;
}

int task_open(struct task **out, const struct suite *s, const struct settings *set, const struct data_sources *d, struct err *e)
{
	struct task *t = xcalloc(1, sizeof *t);
	t->s = s;
	t->set = set;
	arena_init(&t->a);
	if (prepare(t, d, e)) {
		task_close(t);
		return e && !strncmp(e->msg, "suite ", 6) ? -1 : err_wrap(e, "suite %s", s->name.p);
	}
	*out = t;
	return 0;
}

void task_close(struct task *t)
{
	if (!t)
		return;
	arena_fini(&t->a);
	free(t);
}

size_t task_size(const struct task *t)
{
	return t->norder;
}

const char *task_split(const struct task *t)
{
	return t->split.p;
}

int task_shots(const struct task *t)
{
	return t->shots;
}

int task_files(const struct task *t, const struct task_file **files)
{
	*files = t->file;
	return t->nfiles;
}

const char *task_files_json(const struct task *t)
{
	return t->files_json;
}

/* ==== A document ==== */

static int text_field(struct str *out, struct arena *a, const struct field *f, struct value row, const char *key, struct err *e)
{
	struct value v;
	*out = STR("");
	if (field_plain(&v, a, f, row, e))
		return err_wrap(e, "%s", key);
	if (v.type == V_STR)
		*out = v.s;
	else if (v_truth(v))
		return err_set(e, E_FORMAT, "%s must give text, not a %s", key, v_type_name(v));
	return 0;
}

/* A document's fields, evaluated once. */
struct doc {
	struct value prompt, target;
	struct str *choice;
	int nchoices;
	struct str prefix;
};

static int eval_doc(const struct task *t, struct arena *a, struct value row, struct doc *out, struct err *e)
{
	const struct suite *s = t->s;
	bool choices = s->choices.set;
	*out = (struct doc){ 0 };
	if (field_prompt(&out->prompt, a, &s->prompt, choices, row, e))
		return err_wrap(e, "prompt");
	if (field_target(&out->target, a, &s->target, choices, row, e))
		return err_wrap(e, "target");
	if (choices && field_choices(&out->choice, &out->nchoices, a, &s->choices, row, e))
		return err_wrap(e, "choices");
	return text_field(&out->prefix, a, &s->answer_prefix, row, "answer_prefix", e);
}

static int index_of(const struct value *v, int n, struct err *e)
{
	int64_t i = v->type == V_BOOL ? v->b : v->i;
	if (i < 0)
		i += n; /* Python's */
	if (i < 0 || i >= n)
		return err_set(e, E_RANGE, "target: choice %lld is out of range: there are %d choices", (long long)(v->type == V_BOOL ? v->b : v->i), n);
	return (int)i;
}

/* The answer of a shot as text; p NULL: it has none. */
static int shot_answer(const struct doc *d, bool choices, struct str *out, struct err *e)
{
	struct value v = d->target;
	*out = (struct str){ 0 };
	if (choices && d->nchoices && (v.type == V_INT || v.type == V_BOOL)) {
		int i = index_of(&v, d->nchoices, e);
		if (i < 0)
			return -1;
		*out = d->choice[i];
		return 0;
	}
	if ((v.type == V_LIST || v.type == V_TUPLE) && v.list->n)
		v = v.list->v[0];
	if (v.type == V_NONE || (d->target.type == V_STR && v.s.n == 0))
		return 0;
	if (v.type != V_STR)
		return err_set(e, E_FORMAT, "the answer of a shot must be text, not a %s", v_type_name(v));
	*out = v.s;
	return 0;
}

static int question_text(const struct task *t, const struct doc *d, struct str *out, struct err *e)
{
	if (t->multiple_input && d->prompt.type == V_INT) {
		int i = index_of(&d->prompt, d->nchoices, e);
		if (i < 0)
			return -1;
		*out = d->choice[i];
		return 0;
	}
	if (d->prompt.type != V_STR)
		return err_set(e, E_FORMAT, "prompt must give text, not a %s", v_type_name(d->prompt));
	*out = d->prompt.s;
	return 0;
}

static int push_shots(struct task *t, struct arena *a, const struct item *it, struct turns *turns, struct err *e)
{
	size_t *pos = ARENA_ARRAY(a, (size_t)t->shots, size_t);
	if (fewshot_draw(&t->sampler, (size_t)t->shots, it->row, it->doc_hash, pos, e))
		return -1;
	for (int i = 0; i < t->shots; i++) {
		struct doc d;
		struct str q, ans;
		if (eval_doc(t, a, t->sampler.pool[pos[i]], &d, e) || question_text(t, &d, &q, e) ||
		    shot_answer(&d, !t->multiple_input, &ans, e))
			return err_wrap(e, "shot %zu", pos[i]);
		turns_question(turns, a, q, ans, d.prefix, t->s->target_delimiter, t->s->shot_delimiter);
	}
	return 0;
}

/* All that precedes the question: system text and shots. */
static int push_before(struct task *t, struct arena *a, const struct item *it, struct turns *turns, struct err *e)
{
	struct str description;
	if (text_field(&description, a, &t->s->description, it->row, "description", e))
		return -1;
	struct str system = turns_delimit(a, str_of(t->set->system), description, t->s->shot_delimiter);
	if (system.n)
		turns_push(turns, a, "system", system, STR(""));
	return t->shots > 0 ? push_shots(t, a, it, turns, e) : 0;
}

/* The delimiter before a choice (SCORING.md 2.9). */
static struct str choice_delimiter(const struct task *t)
{
	const struct profile *p = t->set->profile;
	const struct field *prefix = &t->s->answer_prefix;
	if (!t->set->chat || p->chat_delimiter_kept)
		return t->s->target_delimiter;
	return p->chat_prefix_delimiter && prefix->set && prefix->text.n && !turns_ends_blank(prefix->text) ? t->s->target_delimiter : STR("");
}

static struct prompt finish(const struct task *t, struct arena *a, const struct turns *turns, struct str *log)
{
	struct prompt p = { 0 };
	bool multiturn = t->set->multiturn == UNSET ? t->set->profile->multiturn : t->set->multiturn == ON;
	*log = turns_text(turns, a);
	if (t->set->chat)
		turns_chat(turns, a, multiturn, &p);
	else
		p.text = *log;
	return p;
}

static struct request *add_request(const struct task *t, struct item *it, enum ask ask, struct prompt p, struct str log)
{
	struct request *q = &it->req[it->nreq];
	const struct settings *set = t->set;
	q->ask = ask;
	q->context = p;
	q->encode = (struct encode){ .bos = set->bos != BOS_AUTO ? set->bos : set->profile->bos, .split = set->profile->split, .date = set->date };
	it->context[it->nreq++] = log;
	return q;
}

static struct str concat(struct arena *a, struct str x, struct str y)
{
	char *p = arena_alloc(a, x.n + y.n + 1);
	memcpy(p, x.p, x.n);
	memcpy(p + x.n, y.p, y.n);
	return (struct str){ p, x.n + y.n };
}

/* Can any choice be right? */
static int gold_exists(const struct item *it, const struct value *g, struct err *e)
{
	if (g->type == V_LIST || g->type == V_TUPLE) {
		for (size_t i = 0; i < g->list->n; i++)
			if (gold_exists(it, &g->list->v[i], e))
				return -1;
		return 0;
	}
	if (g->type == V_INT || g->type == V_BOOL)
		return (g->type == V_INT && g->i < 0) || index_of(g, it->nchoices, e) < 0
			       ? err_set(e, E_RANGE, "target: choice %lld is out of range: there are %d choices",
					 (long long)(g->type == V_INT ? g->i : g->b), it->nchoices)
			       : 0;
	if (g->type != V_STR)
		return err_set(e, E_FORMAT, "target must be the number or the text of a choice, not a %s", v_type_name(*g));
	for (int i = 0; i < it->nchoices; i++)
		if (str_eq(it->choice[i], g->s))
			return 0;
	return err_set(e, E_RANGE, "target '%.100s' is none of the %d choices", g->s.p, it->nchoices);
}

/* The native profile does not score what cannot be right; lm-evaluation-harness warns and scores it wrong. */
static int check_gold(const struct task *t, const struct item *it, struct err *e)
{
	struct err why = { 0 };
	if (gold_exists(it, &it->gold, &why) == 0)
		return 0;
	if (!t->set->profile->lmeval)
		return err_set(e, why.code, "%s", why.msg);
	log_warn("suite %s: document %zu: %s; it is scored as wrong", t->s->name.p, it->doc, why.msg);
	return 0;
}

static int choice_requests(struct task *t, struct arena *a, struct turns *before, const struct doc *d, struct item *it, struct err *e)
{
	struct str q, log, suffix = { 0 };
	int nbefore = before->n;
	it->delimiter = choice_delimiter(t);
	it->multiple_input = t->multiple_input;
	it->gold = t->multiple_input ? d->prompt : d->target;
	if (check_gold(t, it, e))
		return -1;
	if (t->multiple_input) {
		if (d->target.type != V_STR)
			return err_set(e, E_FORMAT, "target must give text where the choices are the contexts, not a %s", v_type_name(d->target));
		suffix = concat(a, it->delimiter, d->target.s);
	} else if (question_text(t, d, &q, e))
		return -1;
	struct prompt p = { 0 };
	for (int i = 0; i < it->nchoices; i++) {
		if (i == 0 || t->multiple_input) {
			before->n = nbefore;
			turns_question(before, a, t->multiple_input ? it->choice[i] : q, (struct str){ 0 }, d->prefix,
				       t->multiple_input ? STR("") : t->s->target_delimiter, STR(""));
			p = finish(t, a, before, &log);
		}
		add_request(t, it, ASK_LOGLIK, p, log)->continuation =
			t->multiple_input ? suffix : concat(a, it->delimiter, it->choice[i]);
	}
	return 0;
}

static int single_request(struct task *t, struct arena *a, struct turns *turns, const struct doc *d, struct item *it, struct err *e)
{
	const struct suite *s = t->s;
	const struct sampling *how = t->set->sampling.set ? &t->set->sampling : &s->sampling;
	struct str q, log;
	if (question_text(t, d, &q, e))
		return -1;
	turns_question(turns, a, q, (struct str){ 0 }, d->prefix, s->target_delimiter, STR(""));
	struct prompt p = finish(t, a, turns, &log);
	if (s->kind == KIND_LOGLIK) {
		if (d->target.type != V_STR)
			return err_set(e, E_FORMAT, "target must give text, not a %s", v_type_name(d->target));
		add_request(t, it, ASK_LOGLIK, p, log)->continuation = d->target.s;
		return 0;
	}
	for (int i = 0; i < s->repeats; i++)
		add_request(t, it, ASK_GENERATE, p, log)->decode = (struct decode){
			.max_tokens = t->set->max_tokens ? t->set->max_tokens : s->max_tokens,
			.until = s->nuntil ? s->until : &s->shot_delimiter,
			.nuntil = s->nuntil ? s->nuntil : 1,
			.temperature = how->temperature,
			.top_p = how->top_p,
			.top_k = how->top_k,
			.min_p = how->min_p,
			.repetition_penalty = how->repetition_penalty,
			.seed = t->set->seed < 0 ? SETTINGS_SEED : (uint64_t)t->set->seed,
			.sample = (uint64_t)i,
		};
	return 0;
}

static int rolling_request(struct task *t, struct arena *a, const struct doc *d, struct item *it, struct err *e)
{
	if (d->target.type != V_STR)
		return err_set(e, E_FORMAT, "target must give text, not a %s", v_type_name(d->target));
	add_request(t, it, ASK_ROLLING, (struct prompt){ .text = d->target.s }, d->target.s);
	if (!t->s->counted.set)
		return 0;
	return text_field(&it->counted, a, &t->s->counted, it->row, "counted", e);
}

static struct value own_id(struct value row)
{
	static const char *const names[] = { "id", "idx", "ind", "question_id", "task_id", "key", NULL };
	for (int i = 0; names[i] && row.type == V_DICT; i++) {
		const struct value *v = v_getc(row, names[i]);
		if (v && (v->type == V_STR || v->type == V_INT))
			return *v;
	}
	return VNONE;
}

static void hash_doc(struct arena *a, struct value row, unsigned char out[DIGEST_BYTES])
{
	struct buf b = { 0 };
	json_write(&b, row, JSON_NAN, 2);
	digest_of(b.p, b.n, out);
	buf_fini(&b);
}

static int make_item(struct task *t, struct arena *a, struct item *it, struct err *e)
{
	struct doc d;
	struct turns turns = { 0 };
	hash_doc(a, it->row, it->doc_hash);
	it->doc_id = own_id(it->row);
	/* shots first: they consume the generator whatever comes of the document */
	if (t->s->kind != KIND_ROLLING && push_before(t, a, it, &turns, e))
		return -1;
	if (eval_doc(t, a, it->row, &d, e))
		return -1;
	it->target = it->gold = d.target;
	it->choice = d.choice;
	it->nchoices = t->s->kind == KIND_CHOICE ? d.nchoices : 0;
	size_t max = t->s->kind == KIND_CHOICE ? (size_t)d.nchoices : (size_t)t->s->repeats;
	it->req = ARENA_ARRAY(a, max, struct request);
	it->context = ARENA_ARRAY(a, max, struct str);
	return t->s->kind == KIND_CHOICE    ? choice_requests(t, a, &turns, &d, it, e)
	       : t->s->kind == KIND_ROLLING ? rolling_request(t, a, &d, it, e)
					    : single_request(t, a, &turns, &d, it, e);
}

int task_next(struct task *t, struct arena *a, struct item *out, struct err *e)
{
	if (t->next >= t->norder)
		return 0;
	*out = (struct item){ .doc = t->order[t->next++] };
	out->row = t->rows.v[out->doc];
	if (make_item(t, a, out, e))
		return err_wrap(e, "suite %s: %s: document %zu", t->s->name.p, t->rows.path, out->doc);
	return 1;
}
