/* test_lmeval_scores.c - what the engine answers against what lm-evaluation-harness 0.4.13 recorded, document by document.
 *
 * All requests of one model's recorded files go into a single run. Token counts and greedy flags must be equal, log-
 * probabilities within 1e-4 * max(1, |x|), texts equal (up to the token where the recorded margin is below 1e-3).
 * The records are development data (ASSAY_ORACLE); the model is stories260k, which is in suites/models. More models that
 * the records' own script makes are used where ASSAY_TINY_MODELS names their folder.
 */
#include <dirent.h>

#include "runners/runner.h"
#include "runners/text/json.h"
#include "tests/test.h"

struct expect {
	const struct value *resp;  /* [logprob, greedy], a number or a text */
	const struct value *ncontext, *ncontinuation;
	const struct value *generated; /* NULL: not a generation */
	int nused;
	const char *where;
};

struct all {
	struct arena arena;
	struct request *q;
	struct expect *x;
	size_t n, cap;
	int greedy_near;  /* greedy differs though the log-probability agrees */
	double worst;
	size_t checked[4];
};

static double num(const struct value *v)
{
	return v->type == V_INT ? (double)v->i : v->f;
}

static void add(struct all *u, const struct request *q, const struct expect *x)
{
	if (u->n == u->cap) {
		u->cap = u->cap ? 2 * u->cap : 4096;
		u->q = xrealloc(u->q, u->cap * sizeof *u->q);
		u->x = xrealloc(u->x, u->cap * sizeof *u->x);
	}
	u->q[u->n] = *q;
	u->x[u->n++] = *x;
}

/* max_gen_toks and until of recorded generation settings. */
static void decode_of(struct all *u, const struct value *kw, struct decode *d)
{
	const struct value *until = v_getc(*kw, "until"), *most = v_getc(*kw, "max_gen_toks");
	*d = (struct decode){ .max_tokens = most ? (int)most->i : 256, .top_p = 1 };
	struct value list = v_list(&u->arena, 1);
	if (until && until->type == V_STR)
		v_push(&u->arena, list, *until);
	else if (until && until->type == V_LIST)
		list = *until;
	struct str *s = ARENA_ARRAY(&u->arena, list.list->n + 1, struct str);
	for (size_t i = 0; i < list.list->n; i++)
		s[d->nuntil++] = list.list->v[i].s;
	d->until = s;
}

static void add_line(struct all *u, struct str text, const char *file)
{
	struct value v;
	struct err e = { 0 };
	if (json_parse(&u->arena, text, file, &v, &e)) {
		CHECK(0, "%s", e.msg);
		return;
	}
	const struct value *bos = v_getc(*v_getc(v, "setting"), "add_bos_token"), *args = v_getc(v, "arguments");
	for (size_t i = 0; i < args->list->n; i++) {
		const struct list *a = args->list->v[i].list;
		struct request q = { .encode = { .split = SPLIT_LMEVAL } };
		q.encode.bos = bos->type != V_BOOL ? BOS_AUTO : bos->b ? BOS_ON : BOS_OFF;
		struct expect x = { .resp = &v_getc(v, "resps")->list->v[i], .ncontext = &v_getc(v, "n_context_tokens")->list->v[i],
				    .ncontinuation = &v_getc(v, "n_continuation_tokens")->list->v[i] };
		x.where = arena_printf(&u->arena, "%s doc %d request %zu", file, (int)v_getc(v, "doc_id")->i, i).p;
		if (a->n == 1) {
			q.ask = ASK_ROLLING;
			q.context.text = a->v[0].s;
		} else {
			q.context.text = v_getc(v, "contexts")->list->v[a->v[0].i].s;
			if (a->v[1].type == V_DICT) {
				q.ask = ASK_GENERATE;
				decode_of(u, &a->v[1], &q.decode);
				x.generated = &v_getc(v, "generated")->list->v[i];
				x.nused = (int)v_getc(v, "n_context_used")->list->v[i].i;
			} else {
				q.ask = ASK_LOGLIK;
				q.continuation = a->v[1].s;
			}
		}
		add(u, &q, &x);
	}
}

static void add_file(struct all *u, const char *path, const char *name)
{
	char cmd[9100];
	snprintf(cmd, sizeof cmd, "gzip -dc '%s'", path);
	FILE *f = popen(cmd, "r");
	char *line = NULL;
	size_t cap = 0;
	for (ssize_t n; f && (n = getline(&line, &cap, f)) > 0;)
		add_line(u, arena_str(&u->arena, line, (size_t)n), arena_printf(&u->arena, "%s", name).p);
	free(line);
	if (f)
		pclose(f);
}

static bool near(struct all *u, double got, double want)
{
	double d = got > want ? got - want : want - got, size = want < 0 ? -want : want;
	d /= size > 1 ? size : 1;
	u->worst = d > u->worst ? d : u->worst;
	return d <= 1e-4;
}

static void check_windows(const struct expect *x, const struct answer *a)
{
	const struct list *c = x->ncontext->list, *p = x->ncontinuation->list;
	CHECK((size_t)a->nwindows == c->n, "%s: %d windows, recorded %zu", x->where, a->nwindows, c->n);
	for (size_t i = 0; i < c->n && i < (size_t)a->nwindows; i++)
		CHECK(a->windows[i].context == c->v[i].i && a->windows[i].predicted == p->v[i].i, "%s: window %zu is %d+%d, recorded %d+%d",
		      x->where, i, a->windows[i].context, a->windows[i].predicted, (int)c->v[i].i, (int)p->v[i].i);
}

static void check_text(const struct expect *x, const struct answer *a)
{
	const struct value *g = x->generated, *head = v_getc(*g, "ids_head");
	double margin = num(v_getc(*g, "min_margin"));
	int64_t same = margin < 1e-3 ? v_getc(*g, "min_margin_at")->i : 1 << 30;
	CHECK(a->ncontext == x->ncontext->i && a->nused == x->nused, "%s: %d tokens, %d used; recorded %d, %d", x->where, a->ncontext, a->nused,
	      (int)x->ncontext->i, x->nused);
	for (size_t i = 0; i < head->list->n && (int64_t)i < same; i++)
		CHECK((int)i < a->nids && a->ids[i] == head->list->v[i].i, "%s: token %zu differs", x->where, i);
	if (same == 1 << 30)
		CHECK(a->nids == v_getc(*g, "n")->i && str_eq(a->text, x->resp->s), "%s: %d tokens '%.*s', recorded %d '%.*s'", x->where, a->nids,
		      (int)a->text.n, a->text.p, (int)v_getc(*g, "n")->i, (int)x->resp->s.n, x->resp->s.p);
}

static void on_answer(void *ctx, size_t i, const struct answer *a)
{
	struct all *u = ctx;
	const struct expect *x = &u->x[i];
	u->checked[u->q[i].ask]++;
	if (a->status == ANSWER_FAILED) {
		CHECK(0, "%s: %s", x->where, a->why.msg);
		return;
	}
	switch (u->q[i].ask) {
	case ASK_LOGLIK: {
		double want = num(&x->resp->list->v[0]);
		CHECK(a->ncontext == x->ncontext->i && a->ncontinuation == x->ncontinuation->i, "%s: %d+%d tokens, recorded %d+%d", x->where,
		      a->ncontext, a->ncontinuation, (int)x->ncontext->i, (int)x->ncontinuation->i);
		CHECK(near(u, a->logprob, want), "%s: %.9g, recorded %.9g", x->where, a->logprob, want);
		CHECK(a->greedy == x->resp->list->v[1].b, "%s: greedy %d", x->where, a->greedy);
		break;
	}
	case ASK_ROLLING:
		check_windows(x, a);
		CHECK(near(u, a->logprob, num(x->resp)), "%s: %.9g, recorded %.9g", x->where, a->logprob, num(x->resp));
		break;
	case ASK_GENERATE:
		check_text(x, a);
		break;
	case ASK_IDS:
		break;
	}
}

static void compare(const char *records, const char *model)
{
	struct all u = { .n = 0 };
	char path[8400];
	arena_init(&u.arena);
	snprintf(path, sizeof path, "%s/lmeval/%s", test_shared("oracle"), records);
	struct dirent **entry;
	int files = scandir(path, &entry, NULL, alphasort);
	for (int i = 0; i < files; i++) {
		const char *dot = strstr(entry[i]->d_name, ".jsonl.gz");
		const char *name = entry[i]->d_name;
		bool slow = strstr(name, "shots") || strstr(name, "european") || strstr(name, "law"); /* long prompts */
		if (dot && (!slow || getenv("ASSAY_TINY_MODELS"))) {
			char file[9000];
			snprintf(file, sizeof file, "%s/%s", path, entry[i]->d_name);
			add_file(&u, file, entry[i]->d_name);
		}
		free(entry[i]);
	}
	if (files >= 0)
		free(entry);
	struct runner *r;
	struct runner_opts o = { .kind = "engine", .model = model, .max_level = CPU_LEVELS - 1, .threads = 1 };
	struct err e = { 0 };
	int rc = runner_open(&r, &o, &e);
	CHECK(rc == 0 && u.n > 0, "%s: %zu requests, %s", records, u.n, e.msg);
	if (rc == 0) {
		CHECK(runner_run(r, u.q, u.n, on_answer, NULL, &u, &e) == 0, "%s", e.msg);
		runner_close(r);
	}
	printf("\n    %s: %zu loglik, %zu rolling, %zu generate; largest difference %.2g ", records, u.checked[ASK_LOGLIK], u.checked[ASK_ROLLING],
	       u.checked[ASK_GENERATE], u.worst);
	free(u.q);
	free(u.x);
	arena_fini(&u.arena);
}

static void test_stories(void)
{
	char model[4096];
	if (!test_shared("oracle")) {
		SKIP("no recorded answers here");
		return;
	}
	snprintf(model, sizeof model, "%s/suites/models/stories260k", test_srcdir());
	compare("stories260k-hf", model);
}

static void test_tiny(void)
{
	static const char *const names[] = { "tiny-pythia", "tiny-qwen2", "tiny-llama3" };
	const char *dir = getenv("ASSAY_TINY_MODELS");
	if (!dir || !test_shared("oracle")) {
		SKIP("ASSAY_TINY_MODELS names no folder");
		return;
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char model[4096];
		snprintf(model, sizeof model, "%s/%s", dir, names[i]);
		compare(names[i], model);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "stories260k", test_stories },
		{ "random models with real tokenizers", test_tiny },
		{ NULL, NULL },
	};
	return test_main("lmeval_scores", tests, argc, argv);
}
