/* test_cuda_passes - `assay bench prefill` and `decode` of a tiny model of random weights run to their end on the emulated CUDA device and
 * on the processor and report the same lines; device memory that ends at any point is a sentence, and nothing is kept. */
#include "tests/cuda_emu.h"

#include <string>
#include <vector>

#include "kernels/bench.h"
#include "kernels/cuda_ops.h"
#include "kernels/device.h"
#include "tests/test.h"
extern "C" {
#include "runners/bench.h"
}

static const struct bench_effort small = { 128, 0 };
static const int batches[] = { 1, 3 };

static void row(void *ctx, const struct bench_row *r)
{
	((std::vector<std::string> *)ctx)->push_back(std::string(r->what) + ", " + r->shape + ", " + r->numerics + ", " + r->unit);
	CHECK(r->value > 0 && r->value < 1e18 && r->floor > 0 && r->floor < 1e18, "%s: %g, floor %g", r->what, r->value, r->floor);
}

static void row_of_ops(void *ctx, const struct bench_row *r)
{
	((std::vector<std::string> *)ctx)->push_back(std::string(r->what) + ", " + r->shape + ", " + r->numerics);
	CHECK(r->value > 0 && r->value < 1e18, "%s: %g", r->what, r->value);
}

static struct bench_opts options(bool decode)
{
	struct bench_opts o = {};
	o.shape = "bench-tiny";
	o.decode = decode;
	o.dtype = decode ? "f32" : nullptr;
	o.tokens = 70;
	o.context = 60;
	o.batch = batches;
	o.nbatch = 2;
	return o;
}

static void test_lines(void)
{
	static const char *const want[] = { "prefill bench-tiny bf16, 70 tokens, chain32/1, tokens/s",
					    "decode bench-tiny f32, batch 1, context 60, chain32/1, tokens/s",
					    "decode bench-tiny f32, batch 3, context 60, chain32/1, tokens/s" };
	struct device_opts o = { "cpu", 1, cpu_best(), nullptr };
	struct bench_opts prefill = options(false), decode = options(true);
	struct device *dev[2];
	struct err e = {};
	size_t before = emu_allocations();
	CU_ASSERT_FATAL(device_open(&dev[0], &o, &e) == 0 && cuda_device_open(&dev[1], 0, 1, &e) == 0);
	for (struct device *d : dev) {
		std::vector<std::string> lines;
		CHECK(bench_passes(d, &prefill, &small, row, &lines, &e) == 0, "%s", e.msg);
		CHECK(bench_passes(d, &decode, &small, row, &lines, &e) == 0, "%s", e.msg);
		d->close(d);
		CHECK(lines.size() == 3, "%zu lines", lines.size());
		for (size_t i = 0; i < lines.size() && i < 3; i++)
			CHECK(lines[i] == want[i], "'%s', wanted '%s'", lines[i].c_str(), want[i]);
	}
	CU_ASSERT_EQUAL(emu_allocations(), before);
}

/* Numerics fast, over the library of the tests' own: the large product is measured, and layers are bf16 alone. */
static void test_fast(void)
{
	std::vector<std::string> lines;
	struct device *gpu;
	struct err e = {};
	size_t before = emu_allocations();
	CU_ASSERT_FATAL(cuda_device_open(&gpu, 0, 1, &e) == 0);
	if (cuda_device_fast(gpu, "fast", &e) < 0) {
		CHECK(0, "%s", e.msg);
	} else {
		CHECK(bench_device(gpu, &small, row_of_ops, &lines, &e) == 0, "%s", e.msg);
		int square = 0, exact = 0;
		for (const std::string &l : lines) {
			square += l.find("limit: large product") == 0;
			exact += l.find("linear f") == 0;
			CHECK(l.find(", fast/") != std::string::npos, "%s", l.c_str());
		}
		CHECK(square == 1 && exact == 0 && lines.size() > 20, "%d, %d of %zu lines", square, exact, lines.size());
	}
	gpu->close(gpu);
	CU_ASSERT_EQUAL(emu_allocations(), before);
}

static void test_memory(void)
{
	struct bench_opts o = options(true);
	struct device *gpu;
	struct err e = {};
	size_t before = emu_allocations();
	CU_ASSERT_FATAL(cuda_device_open(&gpu, 0, 1, &e) == 0);
	for (int n = 1; n < 55; n += 4) { /* limits, weights, cache, scratch: some sixty blocks in all */
		std::vector<std::string> lines;
		e = {};
		emu_fail("cudaMalloc", n, cudaErrorMemoryAllocation);
		CHECK(bench_passes(gpu, &o, &small, row, &lines, &e) == -1, "allocation %d failed and nobody noticed", n);
		CHECK(e.code == E_MEMORY && strstr(e.msg, "memory"), "%s", e.msg);
	}
	gpu->close(gpu);
	CU_ASSERT_EQUAL(emu_allocations(), before);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "the same lines on both devices", test_lines },
		{ "numerics fast", test_fast },
		{ "out of memory", test_memory },
		{ nullptr, nullptr },
	};
	char *cache = test_tmpdir();
	setenv("XDG_CACHE_HOME", cache, 1); /* of what fast layers choose */
	int rc = test_main("cuda_passes", tests, argc, argv);
	test_rmdir(cache);
	return rc;
}
