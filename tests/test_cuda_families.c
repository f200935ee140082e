/* test_cuda_families.c - a tiny model of each family on a CUDA device: the CPU's bits, and the committed hashes.
 *
 * Three requests a model: ids of its golden case, and two that share their first twenty ids and then part, so that states are
 * copied and pages branch. With ASSAY_CUDA_EMU the device is the emulated one, which takes seconds a model: a selection, one model
 * for each kind of block, with few ids; then that device is lost, and its memory ends, in the middle of such blocks. ASSAY_FAMILIES
 * says otherwise: "some" (those), "all" or a name: the short case whole then (`make check-cuda-families`). On the machine's own
 * device: all, with the long case too; there it is a part of the program of test_cuda_run.c, `test_cuda_run families`.
 */
#ifdef ASSAY_CUDA_EMU
#include "tests/cuda_emu.h"
#endif
#include "kernels/base/log.h"
#include "kernels/ops.h"
#include "runners/runner.h"
#include "tests/families.h"
#include "tests/gpu.h"

#ifdef ASSAY_GPU_ENGINE
int families_main(int argc, char **argv);
#endif

enum { MOST_IDS = 300, FEW_IDS = 36, SHARED = 20, PARTED = 28, ASKED = 3 };

static const char *const selection[] = {
	"bloom",         /* ALiBi, layer norm, biases */
	"gemma2",        /* soft caps, windows */
	"gemma4-text",   /* shared keys, wider heads, what tokens give each layer */
	"gpt-oss-mxfp4", /* sinks, MXFP4, experts with biases */
	"qwen2-moe",     /* a shared expert with a weight */
	"gemma4-moe",    /* experts beside a dense part */
	"deepseek-v3",   /* latent attention, groups of experts */
	"qwen3-next",    /* gated delta rule */
	"mamba2",        /* state space */
	"falcon-h1",     /* attention and state space in one layer */
	"lfm2",          /* short convolutions */
	"minimax",       /* lightning attention */
};

struct scores {
	double logprob[MOST_IDS];
	int32_t argmax[MOST_IDS];
	float logits[2][600];
	int n;
};

static void keep(void *ctx, size_t i, const struct answer *a)
{
	struct scores *s = (struct scores *)ctx + i;
	CHECK(a->status == ANSWER_OK && a->nargmax <= MOST_IDS && a->vocab <= 600, "%s", a->why.msg);
	if (a->status != ANSWER_OK || a->nargmax > MOST_IDS || a->vocab > 600)
		return;
	s->n = a->nlogprobs;
	memcpy(s->logprob, a->logprobs, (size_t)a->nlogprobs * sizeof *s->logprob);
	memcpy(s->argmax, a->argmax, (size_t)a->nargmax * sizeof *s->argmax);
	for (int k = 0; a->logits && k < 2; k++)
		memcpy(s->logits[k], a->logits + (size_t)k * (size_t)a->vocab, (size_t)a->vocab * sizeof(float));
}

static struct runner_opts on(const char *device, const char *dir)
{
	return (struct runner_opts){ .kind = "engine", .model = dir, .device = device, .max_level = CPU_LEVELS - 1, .threads = 1,
				     .no_tokenizer = true };
}

static int answer(const struct runner_opts *o, const struct request *q, struct scores *s, struct err *e)
{
	struct runner *r;
	memset(s, 0, ASKED * sizeof *s);
	if (runner_open(&r, o, e) != 0)
		return -1;
	int rc = runner_run(r, q, ASKED, keep, NULL, s, e);
	runner_close(r);
	return rc;
}

/* The requests of a case: its first `most` ids with two rows of logits, and the two that part. */
static void ask(struct request q[ASKED], struct value one, int most)
{
	static int32_t ids[ASKED][MOST_IDS];
	static int at[2];
	int n = read_ids(ids[0], MOST_IDS, one);

	at[1] = (n < most ? n : most) - 1;
	for (int i = 0; i < ASKED; i++)
		q[i] = (struct request){ .ask = ASK_IDS, .context = { .ids = ids[i], .nids = i ? PARTED : at[1] + 1, .has_ids = true } };
	for (int i = 1; i < ASKED; i++) {
		memcpy(ids[i], ids[0], SHARED * sizeof **ids);
		memcpy(ids[i] + SHARED, ids[0] + SHARED + 10 * i, (PARTED - SHARED) * sizeof **ids);
	}
	q[0].logits_at = at;
	q[0].nlogits_at = 2;
}

static void check_hash(const char *name, const struct scores *s, const char *want)
{
	char hex[DIGEST_HEX];
	hash_logprobs(hex, s->logprob, s->n);
	CHECK(!strcmp(hex, want), "%s: %d log-probs have the hash %s", name, s->n, hex);
}

/* One case; whole: all of its ids, and so the committed hash. */
static void compare(const char *dir, const char *name, struct value one, const char *hash, bool whole)
{
	static struct scores want[ASKED], got[ASKED];
	static const int rows[] = { 0, 5 };
	struct request q[ASKED];
	struct runner_opts cpu = on("cpu", dir), cuda = on("cuda", dir);
	struct err e = { 0 };

	ask(q, one, whole ? MOST_IDS : FEW_IDS);
	CHECK(answer(&cpu, q, want, &e) == 0, "%s: %s", name, e.msg);
	CHECK(want[0].n + 1 == q[0].context.nids && want[2].n + 1 == PARTED, "%s: too few log-probs", name);
	for (size_t i = 0; i < (whole ? sizeof rows / sizeof *rows : 1); i++) {
		cuda.batch_rows = rows[i];
		CHECK(answer(&cuda, q, got, &e) == 0, "%s: %s", name, e.msg);
		CHECK(!memcmp(want, got, sizeof want), "%s: other bits, %d rows a pass", name, rows[i]);
		if (whole)
			check_hash(name, got, hash);
	}
}

static void one_model(const char *dir, const char *name, bool whole)
{
	struct arena a;
	struct value golden;
	char hash[CASES][DIGEST_HEX];
	int cases = 1;

#ifndef ASSAY_CUDA_EMU
	cases = whole ? CASES : 1;
#endif
	CHECK(find_hashes(hash, name), "%s has no line in families/hashes", name);
	arena_init(&a);
	if (load_golden(&a, name, &golden) == 0) {
		write_checkpoint(dir, golden);
		for (int i = 0; i < cases; i++)
			compare(dir, name, v_getc(golden, "cases")->list->v[i], hash[i], whole);
	}
	arena_fini(&a);
}

static bool chosen(const char *name, const char *asked)
{
	bool in = !strcmp(asked, "all") || !strcmp(asked, name);
	for (size_t k = 0; k < sizeof selection / sizeof *selection && !strcmp(asked, "some"); k++)
		in |= !strcmp(selection[k], name);
	return in;
}

static void test_models(void)
{
	const char *asked = getenv("ASSAY_FAMILIES");
	char *name[256], *tmp = test_tmpdir();
	int n = list_models(name), tried = 0;

#ifdef ASSAY_CUDA_EMU
	asked = asked ? asked : "some";
#else
	asked = asked ? asked : "all";
#endif
	bool some = !strcmp(asked, "some");
	for (int i = 0; i < n; i++) {
		if (chosen(name[i], asked)) {
			tried++;
			printf("%s ", name[i]);
			fflush(stdout);
			one_model(tmp, name[i], !some);
		}
		free(name[i]);
	}
	CHECK(tried >= (some ? (int)(sizeof selection / sizeof *selection) : 1), "%d models are there", tried);
	printf("(%d models) ", tried);
	test_rmdir(tmp);
}

#ifdef ASSAY_CUDA_EMU
/* The device is lost, or its memory ends, at several moments: the run ends with its sentence, and nothing is made up. */
static void break_model(const char *dir, const char *name)
{
	static struct scores s[ASKED];
	struct request q[ASKED];
	struct arena a;
	struct value golden;
	struct runner_opts o = on("cuda", dir);
	struct err e = { 0 };

	arena_init(&a);
	if (load_golden(&a, name, &golden) == 0) {
		write_checkpoint(dir, golden);
		ask(q, v_getc(golden, "cases")->list->v[0], SHARED);
		unsigned long before = emu_launches();
		size_t bytes = emu_allocated();
		CHECK(answer(&o, q, s, &e) == 0, "%s: %s", name, e.msg);
		unsigned long all = emu_launches() - before;
		for (unsigned long at = 0; at < all; at += all / 7 + 1) {
			e = (struct err){ 0 };
			emu_lose(at, 700);
			CHECK(answer(&o, q, s, &e) == -1 && e.code == E_DEVICE && !strncmp(e.msg, "cuda:0 is lost: ", 16), "%s after %lu: %s", name, at, e.msg);
			emu_lose(0, 0);
		}
		int failed = 0, rc = -1;
		for (bytes += 1 << 17; rc && bytes < (size_t)1 << 30; bytes += bytes / 3) {
			e = (struct err){ 0 };
			emu_memory(bytes);
			rc = answer(&o, q, s, &e);
			CHECK(rc == 0 || e.code == E_MEMORY, "%s with %zu bytes: %s", name, bytes, e.msg);
			failed += rc != 0;
		}
		CHECK(rc == 0 && failed > 2, "%s: %d failed with too little memory, then: %s", name, failed, e.msg);
		emu_memory((size_t)8 << 30);
	}
	arena_fini(&a);
}

static void test_broken(void)
{
	static const char *const names[] = { "mixtral", "qwen3-next" };
	char *tmp = test_tmpdir();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		break_model(tmp, names[i]);
	test_rmdir(tmp);
}
#endif

#ifdef ASSAY_GPU_ENGINE
int families_main(int argc, char **argv)
#else
int main(int argc, char **argv)
#endif
{
	static const struct test tests[] = {
		{ "models of every kind of block", test_models },
#ifdef ASSAY_CUDA_EMU
		{ "a lost device, no memory", test_broken },
#endif
		{ NULL, NULL },
	};
#ifndef ASSAY_CUDA_EMU
	struct device *d;
	struct device_opts o = { "cuda", 1, CPU_LEVELS - 1 };
	struct err e = { 0 };
	if (device_open(&d, &o, &e))
		return gpu_absent(&e);
	device_close(d);
#endif
	log_set_level(LOG_WARN);
	int rc = test_main("cuda_families", tests, argc, argv);
	return gpu_end(rc);
}
