/* test_cuda_run.c - the whole engine on a CUDA device: the CPU's bits, request by request and as committed hashes.
 *
 * With ASSAY_CUDA_EMU the device is the emulated one (tests/cuda_emu.h), with a selection of the requests that it gets through in
 * seconds, and the device fails in every way that it knows: each is one sentence, ends the run, and what was answered before
 * stays answered. Without, the same source runs the full set on the machine's device.
 */
#ifdef ASSAY_CUDA_EMU
#include "tests/cuda_emu.h"
#endif
#include "tests/gpu.h"
#include "tests/requests.h"

static char dir[4096];

static struct runner_opts on(const char *device, const char *model)
{
	snprintf(dir, sizeof dir, "%s/suites/models/%s", test_srcdir(), model);
	return (struct runner_opts){ .kind = "engine", .model = dir, .device = device, .max_level = CPU_LEVELS - 1, .threads = 1 };
}

static int differing(const struct set *a, const struct set *b, int every)
{
	int n = 0;
	for (size_t i = 0; i < a->n; i += (size_t)every)
		n += memcmp(a->hash[i], b->hash[i], DIGEST_BYTES) != 0;
	return n;
}

/* -- the CPU's bits -- */

/* One request in `every`; with each of the first so many variants one in `fewer`. */
static void compare(const char *model, const char *golden, int every, int fewer, size_t some)
{
	static struct set want, got;
	static const struct {
		const char *what;
		int rows, runs;
		bool alone;
		size_t memory;
	} variants[] = {
		{ "5 rows, 3 runs", .rows = 5, .runs = 3 },
		{ "1 row", .rows = 1 },
		{ "nothing shared", .alone = true },
		{ "3 MiB", .memory = 3 << 20 },
	};
	struct runner_opts cpu = on("cpu", model), cuda = on("cuda", model);
	run_set(&cpu, &want, 0, 1, 1);
	run_set(&cuda, &got, 0, 1, every);
	int differ = differing(&want, &got, every);
	CHECK(differ == 0, "%s: %d answers have other bits", model, differ);
	if (every == 1) {
		unsigned char all[DIGEST_BYTES];
		char hex[DIGEST_HEX];
		digest_of(got.hash, got.n * DIGEST_BYTES, all);
		digest_hex(all, hex);
		CHECK(!strcmp(hex, golden), "%s: hash %s, committed %s", model, hex, golden);
	}
	for (size_t i = 0; i < some && i < sizeof variants / sizeof *variants; i++) {
		cuda.batch_rows = variants[i].rows;
		cuda.no_share = variants[i].alone;
		cuda.memory = variants[i].memory;
		run_set(&cuda, &got, i, variants[i].runs ? variants[i].runs : 1, fewer);
		differ = differing(&want, &got, fewer);
		CHECK(differ == 0, "%s: %s: %d answers have other bits", model, variants[i].what, differ);
	}
}

#ifdef ASSAY_CUDA_EMU
#define PART(every, fewer, some) every, fewer, some
#else
#define PART(every, fewer, some) 1, 1, SIZE_MAX
#endif

static void test_stories(void)
{
	compare("stories260k", STORIES_HASH, PART(11, 37, 4));
}

static void test_babyllama(void)
{
	compare("babyllama105", BABYLLAMA_HASH, PART(23, 61, 1));
}

/* -- the hashes of tests/golden/bits.h: see test_model.c -- */

struct scores {
	double logprob[512];
	int32_t argmax[512];
	int nlogprobs, nargmax;
};

static void keep_scores(void *ctx, size_t i, const struct answer *a)
{
	struct scores *s = (struct scores *)ctx + i;
	CHECK(a->status == ANSWER_OK && a->nlogprobs < 512 && a->nargmax < 512, "%s", a->why.msg);
	s->nlogprobs = a->nlogprobs;
	s->nargmax = a->nargmax;
	memcpy(s->logprob, a->logprobs, (size_t)a->nlogprobs * sizeof *s->logprob);
	memcpy(s->argmax, a->argmax, (size_t)a->nargmax * sizeof *s->argmax);
}

static struct request ask_ids(const int32_t *ids, int n)
{
	return (struct request){ .ask = ASK_IDS, .context = { .ids = ids, .nids = n, .has_ids = true } };
}

/* A hundred ids, each the likeliest after those before, by the CPU. */
static void greedy(const struct runner_opts *o, int32_t *ids)
{
	static struct scores s;
	struct err e = { 0 };
	struct runner *r;
	CU_ASSERT_FATAL(runner_open(&r, o, &e) == 0);
	ids[0] = runner_info(r)->bos;
	for (int n = 1; n < 100; n++) {
		struct request q = ask_ids(ids, n);
		CU_ASSERT_FATAL(runner_run(r, &q, 1, keep_scores, NULL, &s, &e) == 0);
		ids[n] = s.argmax[n - 1];
	}
	runner_close(r);
}

static void test_bits(void)
{
	static const struct {
		const char *name, *sha256;
	} models[] = {
#include "tests/golden/bits.h"
	};
	static struct scores s[2];
	static int32_t random[250], likely[100];
	for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
		struct runner_opts cpu = on("cpu", models[m].name), cuda = on("cuda", models[m].name);
		struct err e = { 0 };
		struct runner *r;
		unsigned long long rng = 1;
		unsigned char sum[DIGEST_BYTES];
		char hex[DIGEST_HEX];
		greedy(&cpu, likely);
		CHECK(runner_open(&r, &cuda, &e) == 0, "%s", e.msg);
		if (e.code)
			return;
		for (int i = 0; i < 250; i++)
			random[i] = (int32_t)(test_rand(&rng) % (unsigned)runner_info(r)->vocab);
		const struct request q[] = { ask_ids(random, 250), ask_ids(likely, 100) };
		CHECK(runner_run(r, q, 2, keep_scores, NULL, s, &e) == 0, "%s", e.msg);
		struct digest *d = digest_new();
		for (int i = 0; i < s[0].nlogprobs; i++) {
			uint64_t u;
			memcpy(&u, &s[0].logprob[i], sizeof u);
			digest_u64(d, u);
		}
		for (int i = 0; i < s[1].nargmax; i++)
			digest_u64(d, (uint64_t)s[1].argmax[i]);
		digest_end(d, sum);
		digest_hex(sum, hex);
		CHECK(s[0].nlogprobs == 249 && s[1].nargmax == 100 && !strcmp(hex, models[m].sha256), "%s: %s", models[m].name, hex);
		runner_close(r);
	}
}

/* -- generation -- */

static void test_generation(void)
{
	static const struct str until[] = { { ".", 1 }, { "\n", 1 } };
	static const char *const begins[] = { "Once upon a time", "The cat", "Tom and his dog went to" };
	struct set a = { 0 }, b = { 0 };
	struct runner_opts opts[] = { on("cpu", "stories260k"), on("cuda", "stories260k") };
	struct set *sets[] = { &a, &b };
	for (int k = 0; k < 2; k++) {
		struct set *s = sets[k];
		size_t at[24];
		struct err e = { 0 };
		struct runner *r;
		for (size_t i = 0; i < 12; i++) {
			struct request *q = new_request(s, ASK_GENERATE);
			at[i] = i;
			q->context.text = lit(begins[i % 3]);
			q->decode = (struct decode){ .max_tokens = 12, .top_p = 1, .until = until, .nuntil = i % 3 ? 0 : 2 };
			if (i >= 4) { /* four greedy, the others drawn: with and without top_k and top_p, hot and cold */
				q->decode.temperature = i % 2 ? 0.7 : 1.5;
				q->decode.top_p = i % 3 ? 0.9 : 1;
				q->decode.top_k = i % 4 ? 0 : 20;
				q->decode.seed = 11;
				q->decode.sample = i;
			}
		}
		CHECK(runner_open(&r, &opts[k], &e) == 0, "%s", e.msg);
		if (e.code)
			return;
		struct order order = { s, at };
		CHECK(runner_run(r, s->q, s->n, on_answer, NULL, &order, &e) == 0 && s->answers == 12, "%s", e.msg);
		runner_close(r);
	}
	for (size_t i = 0; i < a.n; i++)
		CHECK(!memcmp(a.hash[i], b.hash[i], DIGEST_BYTES), "generation %zu is another", i);
}

#ifdef ASSAY_CUDA_EMU
/* -- failures -- */

enum { OUT_OF_MEMORY = 2, ECC = 214, ADDRESS = 700, LAUNCH = 719 }; /* cudaError_t */

static struct str words(void)
{
	return lit("Once upon a time, there was a little girl named Lily. She loved to play outside in the park.");
}

static void count_answer(void *ctx, size_t i, const struct answer *a)
{
	int *n = ctx;
	(void)i;
	n[a->status == ANSWER_OK ? 0 : 1]++;
}

/* Scores sixteen texts without sharing, one row a batch; e says how that ended, n how many were answered, and failed. */
static int score(const struct runner_opts *o, int n[2], struct err *e)
{
	struct request q[16] = { { .ask = ASK_ROLLING } };
	struct runner *r;
	n[0] = n[1] = 0;
	for (int i = 0; i < 16; i++) {
		q[i].ask = ASK_ROLLING;
		q[i].context.text = words();
		q[i].context.text.n = (size_t)(6 + 2 * i);
	}
	if (runner_open(&r, o, e))
		return -1;
	int rc = runner_run(r, q, 16, count_answer, NULL, n, e);
	runner_close(r);
	return rc;
}

/* A device that is lost at any moment: the run ends with its sentence, no request fails by itself, no bit is made up. */
static void test_lost(void)
{
	static const int errors[] = { ADDRESS, LAUNCH, ECC };
	static const char *const names[] = { "cudaErrorIllegalAddress", "cudaErrorLaunchFailure", "cudaErrorECCUncorrectable" };
	struct runner_opts o = on("cuda", "stories260k");
	struct err e = { 0 };
	int n[2], some = 0;
	o.batch_rows = 7;
	unsigned long before = emu_launches();
	CHECK(score(&o, n, &e) == 0 && n[0] == 16, "%s", e.msg);
	unsigned long all = emu_launches() - before;
	for (unsigned long at = 0; at < all; at += all / 9 + 1) {
		size_t k = (size_t)(at % 3);
		e = (struct err){ 0 };
		emu_lose(at, errors[k]);
		CHECK(score(&o, n, &e) == -1 && e.code == E_DEVICE, "after %lu launches: %s", at, e.msg);
		CHECK(!strncmp(e.msg, "cuda:0 is lost: ", 16) && strstr(e.msg, names[k]), "after %lu launches: %s", at, e.msg);
		CHECK(n[1] == 0 && n[0] < 16, "after %lu launches %d answers, %d failed", at, n[0], n[1]);
		some += n[0] > 0;
		emu_lose(0, 0);
	}
	CHECK(some > 0, "no run was lost in the middle");
	CHECK(score(&o, n, &e) == 0 && n[0] == 16, "%s", e.msg);
}

/* No memory: for the device itself and for the plan of what will be held; and, where the plan held, at each allocation in turn: for
 * weights, scratch, pages, partial sums in the middle of a pass. */
static void test_memory(void)
{
	struct runner_opts o = on("cuda", "stories260k");
	struct err e = { 0 };
	int n[2], kinds = 0;
	static const char *const where[] = { "cannot be used", "does not fit: ", "does not fit --memory", "memory for a block", "scratch for", "KV cache" };
	bool seen[sizeof where / sizeof *where] = { false };
	size_t bytes = emu_allocated() + 100000, step = 150000;
	bool done = false;
	for (int k = 1; !done && k < 2000; k++, bytes += step) {
		bool planned = bytes < (size_t)1 << 30;
		e = (struct err){ 0 };
		emu_memory(planned ? bytes : (size_t)8 << 30);
		if (!planned)
			emu_fail("cudaMalloc", k, 2 /* cudaErrorMemoryAllocation */);
		bool held = score(&o, n, &e) == 0;
		emu_fail("cudaMalloc", 0, 0);
		if (held && planned) { /* from here on there is room for everything */
			bytes = (size_t)1 << 30;
			k = 0;
			continue;
		}
		done = held;
		CHECK(held || (e.code == E_MEMORY && n[1] == 0), "%zu bytes, allocation %d: %s (%d failed)", bytes, k, e.msg, n[1]);
		for (size_t i = 0; !held && i < sizeof where / sizeof *where; i++)
			seen[i] |= strstr(e.msg, where[i]) != NULL;
	}
	for (size_t i = 0; i < sizeof where / sizeof *where; i++)
		kinds += seen[i];
	CHECK(done && n[0] == 16 && kinds >= 5, "%d answers, %d kinds of sentences", n[0], kinds);
	emu_memory((size_t)8 << 30);
}

static void test_open(void)
{
	static const struct {
		int devices;
		const char *device, *says;
		enum err_code code;
	} rows[] = {
		{ 0, "cuda", "there is no CUDA device on this machine", E_DEVICE },
		{ -1, "cuda", "the NVIDIA driver is too old: it serves CUDA 11.0, this program needs 12.0", E_DEVICE },
		{ -2, "cuda", "there is no NVIDIA driver on this machine (libcuda.so.1)", E_DEVICE },
		{ 1, "cuda:1", "there is no device cuda:1, this machine has 1 (the last is cuda:0)", E_DEVICE },
		{ 1, "cuda:", "behind 'cuda:' comes the number of a device", E_USAGE },
		{ 1, "cuda:-1", "behind 'cuda:' comes the number of a device", E_USAGE },
		{ 1, "cuda:99999", "behind 'cuda:' comes the number of a device", E_USAGE },
		{ 1, "cudda", "did you mean 'cuda'", E_USAGE },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct runner_opts o = on(rows[i].device, "stories260k");
		struct runner *r;
		struct err e = { 0 };
		emu_devices(rows[i].devices);
		CHECK(runner_open(&r, &o, &e) == -1 && e.code == rows[i].code && strstr(e.msg, rows[i].says), "%s: %s", rows[i].device, e.msg);
	}
	emu_devices(1);
}
#endif

#ifdef ASSAY_GPU_ENGINE
int families_main(int argc, char **argv); /* test_cuda_families.c */
#endif

int main(int argc, char **argv)
{
#ifdef ASSAY_GPU_ENGINE
	if (argc > 1 && !strcmp(argv[1], "families"))
		return families_main(argc - 1, argv + 1);
#endif
	static const struct test tests[] = {
		{ "stories260k", test_stories },
		{ "babyllama105", test_babyllama },
		{ "committed hashes", test_bits },
		{ "generation", test_generation },
#ifdef ASSAY_CUDA_EMU
		{ "opening: what is not there", test_open },
		{ "a lost device", test_lost },
		{ "no memory", test_memory },
#endif
		{ NULL, NULL },
	};
	struct runner_opts o = on("cuda", "stories260k");
	struct runner *r;
	struct err e = { 0 };
	if (runner_open(&r, &o, &e))
		return gpu_absent(&e);
	runner_close(r);
	int rc = test_main("cuda_run", tests, argc, argv);
	return gpu_end(rc);
}
