/* test_cuda_bench - the benchmark of the kernels runs to its end on the CUDA device (emulated or a GPU) and on the processor, in shapes made
 * small, and reports the same lines on both. Speeds are not looked at, but that they are numbers above zero. */
#include "kernels/cuda.h"

#include <string>
#include <vector>

#include "kernels/bench.h"
#include "kernels/cuda_ops.h"
#include "tests/gpu.h"
#include "tests/test.h"

struct seen {
	std::vector<std::string> lines;
	std::string numerics, device;
};

static void row(void *ctx, const struct bench_row *r)
{
	struct seen *s = (struct seen *)ctx;
	s->lines.push_back(std::string(r->what) + ", " + r->shape);
	s->numerics = r->numerics;
	s->device = r->device;
	CHECK(r->value > 0 && r->value < 1e18, "%s: %g", r->what, r->value);
	CHECK(r->floor >= 0 && r->floor < 1e18, "%s: floor %g", r->what, r->floor);
	CHECK(strstr(r->unit, "FLOP/s") || strstr(r->unit, "B/s"), "%s: unit '%s'", r->what, r->unit);
}

static struct seen run(struct device *d)
{
	static const struct bench_effort small = { 128, 0 };
	struct seen s;
	struct err e = {};
	CHECK(bench_device(d, &small, row, &s, &e) == 0, "%s", e.msg);
	return s;
}

static void test_kernels(void)
{
	struct device_opts o = { "cpu", 1, CPU_AVX512BF16, nullptr };
	struct device *cpu, *gpu;
	struct err e = {};
#ifdef ASSAY_CUDA_EMU
	size_t before = emu_allocations();
#endif
	if (device_open(&cpu, &o, &e) < 0 || cuda_device_open(&gpu, 0, 1, &e) < 0) {
		CU_FAIL_FATAL("no device");
		return;
	}
	struct seen c = run(cpu), g = run(gpu);
	CHECK(g.numerics == "chain32/1" && g.device.find("cuda:0") == 0, "%s, %s", g.numerics.c_str(), g.device.c_str());
	CHECK(c.lines.size() >= 40, "%zu lines", c.lines.size());
	for (const std::string &line : c.lines) {
		bool found = line.find("limit:") == 0;
		for (const std::string &other : g.lines)
			found = found || line == other;
		CHECK(found, "'%s' is not there on CUDA", line.c_str());
	}
	gpu->close(gpu);
	cpu->close(cpu);
#ifdef ASSAY_CUDA_EMU
	CU_ASSERT_EQUAL(emu_allocations(), before);
#endif
}

#ifdef ASSAY_CUDA_EMU
/* Memory runs out at some line: a sentence, and nothing is kept. */
static void test_memory(void)
{
	static const struct bench_effort small = { 128, 0 };
	struct device *gpu;
	struct err e = {};
	struct seen s;
	size_t before = emu_allocations();
	CU_ASSERT_FATAL(cuda_device_open(&gpu, 0, 1, &e) == 0);
	for (int n : { 1, 2, 3, 5, 8, 13 }) {
		e = {};
		emu_fail("cudaMalloc", n, cudaErrorMemoryAllocation);
		CHECK(bench_device(gpu, &small, row, &s, &e) == -1, "allocation %d failed and nobody noticed", n);
		CHECK(e.code == E_MEMORY && strstr(e.msg, "memory"), "%s", e.msg);
	}
	gpu->close(gpu);
	CU_ASSERT_EQUAL(emu_allocations(), before);
}
#endif

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "every line runs", test_kernels },
#ifdef ASSAY_CUDA_EMU
		{ "out of memory", test_memory },
#endif
		{ nullptr, nullptr },
	};
	struct device *gpu;
	struct err e = {};
	if (cuda_device_open(&gpu, 0, 1, &e) < 0)
		return gpu_absent(&e);
	device_close(gpu);
	return test_main("cuda_bench", tests, argc, argv);
}
