/* test_cuda_sample - tokens drawn on CUDA against the scalar definition (sample.c), memcmp: on the emulator of tests/cuda_emu.h, or
 * on a device.
 *
 * Rows of every kind, sizes around the limits of pieces, warps and what shared memory holds, cuts at their edges, rows with NaNs,
 * gaps between rows, many rows a call; the order of threads and blocks changes from case to case. Canaries lie behind the ids.
 */
#ifdef ASSAY_CUDA_EMU
#include "tests/cuda_emu.h"
#endif

#include <vector>

#include "kernels/cuda_ops.h"
#include "kernels/device.h"
#include "kernels/sample.h"
#include "tests/gpu.h"
#include "tests/sample_rows.h"
#include "tests/test.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))
#define OFF ((uint64_t)1 << 32)
#define CANARY 0x0badcafe

static struct device *gpu;
static unsigned long long rng;
static int cases;

static unsigned below(unsigned n)
{
	return (unsigned)((test_rand(&rng) >> 33) % n);
}

static void next_order(void)
{
#ifdef ASSAY_CUDA_EMU
	emu_order((enum emu_order)(cases % EMU_ORDERS));
	emu_guard_front(cases / EMU_ORDERS % 2);
#endif
	cases++;
}

static void *upload(const void *host, size_t bytes)
{
	struct err e = {};
	void *p = gpu->ops->alloc(gpu, bytes, &e);
	if (!p) {
		printf("%s\n", e.msg);
		exit(GPU_BROKEN);
	}
	gpu->ops->put(gpu, p, host, bytes);
	return p;
}

/* The rows x[n][ld] drawn on the device and here. */
static void check_rows(const std::vector<float> &x, int n, int v, int ld, const std::vector<struct draw> &q, const char *what)
{
	std::vector<int32_t> got((size_t)n + 2, CANARY), want((size_t)n + 2, CANARY);
	struct err e = {};
	next_order();
	void *dx = upload(x.data(), x.size() * sizeof(float)), *dq = upload(q.data(), q.size() * sizeof(struct draw));
	int32_t *dout = (int32_t *)upload(got.data(), got.size() * sizeof(int32_t));
	gpu->ops->sample(gpu, dout, { (float *)dx, n, v, (size_t)ld }, (const struct draw *)dq);
	gpu->ops->get(gpu, got.data(), dout, got.size() * sizeof(int32_t));
	CHECK(gpu->ops->sync(gpu, &e) == 0, "%s", e.msg);
	for (int i = 0; i < n; i++)
		want[(size_t)i] = sample_c(&x[(size_t)i * (size_t)ld], v, &q[(size_t)i]);
	int same = !memcmp(got.data(), want.data(), got.size() * sizeof(int32_t));
	CHECK(same, "%s: %d rows of %d", what, n, v);
	for (size_t i = 0; !same && i < got.size(); i++)
		if (got[i] != want[i]) {
			printf("\n    row %zu: %d instead of %d", i, got[i], want[i]);
			if (i < q.size())
				printf(" (scale %g, top_k %d, share %llu)", q[i].scale, q[i].top_k, (unsigned long long)q[i].share);
		}
	gpu->ops->release(gpu, dx);
	gpu->ops->release(gpu, dq);
	gpu->ops->release(gpu, dout);
}

static struct draw any_draw(int v)
{
	static const double scales[] = { 1.4426950408889634, 1.4426950408889634 / 0.3, 1e-3, 1.4426950408889634e6, 0 };
	static const uint64_t shares[] = { 0, 1, OFF / 1000, OFF / 2, OFF / 10 * 9, OFF - 1, OFF, OFF + 5 };
	static const double fars[] = { 0, 0, 0x1p-1074, 0.5, 3, 40 };
	const int32_t ks[] = { 0, 1, 2, v / 2, v - 1, v, v < INT32_MAX ? v + 1 : v, INT32_MAX, 40 };
	struct draw q = {};
	q.scale = below(12) ? scales[below(4)] : scales[4];
	q.share = shares[below(COUNT(shares))];
	q.top_k = ks[below(COUNT(ks))];
	q.far = fars[below(COUNT(fars))];
	for (int i = 0; i < 4; i++)
		q.counter[i] = (uint32_t)test_rand(&rng);
	q.key[0] = (uint32_t)test_rand(&rng);
	q.key[1] = (uint32_t)test_rand(&rng);
	return q;
}

static void some_rows(int n, int v, int kind, const char *what)
{
	int ld = v + (int)below(4);
	std::vector<float> x((size_t)n * (size_t)ld, __builtin_nanf(""));
	std::vector<struct draw> q;
	for (int i = 0; i < n; i++) {
		float *row = &x[(size_t)i * (size_t)ld];
		sample_row(row, v, kind, (uint32_t)test_rand(&rng));
		if (below(15) == 0)
			row[below((unsigned)v)] = __builtin_nanf("");
		q.push_back(any_draw(v));
	}
	check_rows(x, n, v, ld, q, what);
}

static void test_shapes(void)
{
	static const int sizes[] = { 1, 2, 3, 31, 32, 33, 63, 65, 511, 513, 1023, 1024, 1025, 1056, 2049, 5000 };
	for (int a = 0, step = gpu_cases(1, 3); a < COUNT(sizes); a += step)
		for (int kind = 0; kind < ROW_KINDS; kind++)
			some_rows(1 + (int)below(4), sizes[a], kind, "shapes");
}

static void test_vocabularies(void)
{
	static const int sizes[] = { 32000, 50257, 151936 };
	for (int a = 0, end = gpu_cases(COUNT(sizes), 1); a < end; a++)
		for (int kind = 0; kind < ROW_KINDS; kind++)
			some_rows(2, sizes[a], kind, "vocabularies");
}

/* Tokens that hardly differ: all digits of a rank are walked, the buckets hold more than shared memory does. */
static void test_close(void)
{
	static const double scales[] = { 1.4426950408889634, 1e-12, 1e-30, 3.0 };
	for (int n = 0, step = gpu_cases(1, 4); n < 24; n += step) {
		int v = 6000;
		std::vector<float> x((size_t)v);
		for (int i = 0; i < v; i++)
			x[(size_t)i] = n % 2 ? (float)(i * 7919 % v) * 0x1p-140f : 1.0f - (float)(i * 7919 % v % 3000) * 0x1p-24f;
		struct draw q = any_draw(v);
		q.scale = scales[n / 2 % 4];
		check_rows(x, 1, v, v, { q }, "close");
	}
}

static void test_exact(void)
{
	for (int i = 0; i < COUNT(sample_exact); i++) {
		struct draw q = {};
		std::vector<float> x((size_t)sample_exact[i].v);
		q.scale = 1;
		q.share = OFF;
		q.counter[0] = sample_exact[i].counter;
		sample_row(x.data(), sample_exact[i].v, ROW_EQUAL, 0);
		check_rows(x, 1, sample_exact[i].v, sample_exact[i].v, { q }, "exact");
	}
}

/* More rows than a device runs at once. */
static void test_many(void)
{
	some_rows(gpu_cases(300, 20), 700, ROW_PLAIN, "many");
	some_rows(gpu_cases(300, 20), 97, ROW_COARSE, "many");
}

/* Logits of a row of every kind behind a penalty, memcmp with the definition; gaps between rows stay. */
static void test_penalise(void)
{
	static const int sizes[] = { 1, 31, 32, 33, 1000, 1023, 1024, 1025, 5000, 50257 };
	static const float penalties[] = { 1.0f, 1.05f, 0.5f, 1.3f, 10.0f, 0.01f };
	static const float odd[] = { 0.0f, -0.0f, __builtin_inff(), -__builtin_inff(), __builtin_nanf(""), 0x1p-149f, -0x1p-149f, 0x1.fffffep127f };
	for (int a = 0; a < COUNT(sizes); a++) {
		int v = sizes[a], ld = v + (int)below(4), n = 1 + (int)below(5);
		size_t words = seen_words(v);
		std::vector<float> x((size_t)n * (size_t)ld), p((size_t)n);
		std::vector<uint32_t> seen((size_t)n * words);
		for (float &f : x)
			f = below(4) ? ((float)below(2001) - 1000.0f) * 0.01f : odd[below(COUNT(odd))];
		for (float &f : p)
			f = penalties[below(COUNT(penalties))];
		for (uint32_t &s : seen)
			s = below(3) ? (uint32_t)(test_rand(&rng) >> 32) : below(2) ? 0 : 0xffffffffu;
		std::vector<float> want(x), got(x.size());
		struct err e = {};
		next_order();
		void *dx = upload(x.data(), x.size() * sizeof(float)), *ds = upload(seen.data(), seen.size() * sizeof(uint32_t)),
		     *dp = upload(p.data(), p.size() * sizeof(float));
		gpu->ops->penalise(gpu, { (float *)dx, n, v, (size_t)ld }, (const uint32_t *)ds, (const float *)dp);
		gpu->ops->get(gpu, got.data(), dx, got.size() * sizeof(float));
		CHECK(gpu->ops->sync(gpu, &e) == 0, "%s", e.msg);
		for (int i = 0; i < n; i++)
			penalise_c(&want[(size_t)i * (size_t)ld], v, &seen[(size_t)i * words], p[(size_t)i]);
		CHECK(!memcmp(got.data(), want.data(), got.size() * sizeof(float)), "%d rows of %d", n, v);
		gpu->ops->release(gpu, dx);
		gpu->ops->release(gpu, ds);
		gpu->ops->release(gpu, dp);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "every kind of row at every size", test_shapes },
		{ "whole vocabularies", test_vocabularies },
		{ "logits that hardly differ", test_close },
		{ "a draw that equals a running sum", test_exact },
		{ "many rows", test_many },
		{ "repetition penalty", test_penalise },
		{ nullptr, nullptr },
	};
	struct err e = {};
	rng = test_seed();
	printf("[seed %llu] ", rng);
#ifdef ASSAY_CUDA_EMU
	emu_seed(rng);
#endif
	if (cuda_device_open(&gpu, 0, 1, &e) < 0)
		return gpu_absent(&e);
	int rc = test_main("cuda_sample", tests, argc, argv);
	gpu->close(gpu);
	return gpu_end(rc);
}
