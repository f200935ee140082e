/* test_cuda_noise - random weights: the values that noise.h promises, and the same bits from the processor (any number of threads)
 * and from the CUDA kernel, on the emulator of tests/cuda_emu.h or on a GPU. Canaries lie behind each block. */
#include "kernels/cuda.h"

#include <vector>

#include "kernels/base/half.h"
#include "kernels/cuda_ops.h"
#include "kernels/device.h"
#include "tests/gpu.h"
#include "tests/test.h"

static struct device *cpu, *cpu3, *gpu;

static std::vector<unsigned char> fill(struct device *d, enum dtype dt, size_t n, uint64_t seed, float scale)
{
	size_t bytes = n * dtype_size(dt) + 16;
	std::vector<unsigned char> host(bytes, 0xa5);
	struct err e = {};
	void *p = d->ops->alloc(d, bytes, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	d->ops->put(d, p, host.data(), bytes);
	d->ops->noise(d, p, dt, n, seed, scale);
	d->ops->get(d, host.data(), p, bytes);
	CHECK(d->ops->sync(d, &e) == 0, "%s", e.msg);
	d->ops->release(d, p);
	for (size_t i = bytes - 16; i < bytes; i++)
		CHECK(host[i] == 0xa5, "byte %zu behind %zu values of %s was written", i - (bytes - 16), n, dtype_name(dt));
	return host;
}

static float value(const std::vector<unsigned char> &v, enum dtype dt, size_t i)
{
	uint16_t h;
	float f;
	if (dt == DT_F32) {
		memcpy(&f, &v[4 * i], 4);
		return f;
	}
	memcpy(&h, &v[2 * i], 2);
	return dt == DT_F16 ? f16_to_f32(h) : bf16_to_f32(h);
}

/* Steps computed by Python from the paper's text of splitmix64, whose first output for state 0 is 0xe220a8397b1dcdaf. */
static void test_values(void)
{
	static const struct { uint64_t seed; int j[4]; } known[] = { { 0, { 98, -17, -121, 120 } }, { 1234567, { -38, -83, 8, -64 } } };
	for (auto &k : known)
		for (int dt = 0; dt < DT_COUNT; dt++) {
			std::vector<unsigned char> v = fill(cpu, (enum dtype)dt, 4, k.seed, 0.25f);
			for (size_t i = 0; i < 4; i++)
				CHECK(value(v, (enum dtype)dt, i) == (float)k.j[i] / 512.0f, "seed %llu, value %zu of %s: %g",
				      (unsigned long long)k.seed, i, dtype_name((enum dtype)dt), (double)value(v, (enum dtype)dt, i));
		}
}

/* Every step occurs, none far more often than its share. */
static void test_spread(void)
{
	enum { N = 255 * 400 };
	std::vector<unsigned char> v = fill(cpu, DT_F32, N, 7, 128.0f);
	int count[255] = { 0 };
	for (size_t i = 0; i < N; i++) {
		int j = (int)value(v, DT_F32, i) + 127;
		CHECK(j >= 0 && j < 255, "value %zu is %g", i, (double)value(v, DT_F32, i));
		if (j >= 0 && j < 255)
			count[j]++;
	}
	for (int j = 0; j < 255; j++)
		CHECK(count[j] > 280 && count[j] < 520, "step %d occurs %d times", j - 127, count[j]); /* 6 standard deviations */
}

static void test_devices(void)
{
	static const size_t sizes[] = { 0, 1, 31, 255, 256, 257, 5000, 70001 };
	static const float scales[] = { 1.0f, 0x1p-6f, 0.3f, 0x1p-130f, -2.0f, 3e38f };
#ifdef ASSAY_CUDA_EMU
	int order = 0;
#endif
	for (size_t n : sizes)
		for (int dt = 0; dt < DT_COUNT; dt++)
			for (float scale : scales) {
				uint64_t seed = 0x123456789abcdefu * (n + 1) + (uint64_t)dt;
#ifdef ASSAY_CUDA_EMU
				emu_order((enum emu_order)(order++ % EMU_ORDERS));
#endif
				std::vector<unsigned char> want = fill(cpu, (enum dtype)dt, n, seed, scale);
				CHECK(want == fill(cpu3, (enum dtype)dt, n, seed, scale), "three threads: %zu of %s", n, dtype_name((enum dtype)dt));
				if (n < 6000 || scale == 1.0f)
					CHECK(want == fill(gpu, (enum dtype)dt, n, seed, scale), "cuda: %zu of %s, scale %g", n,
					      dtype_name((enum dtype)dt), (double)scale);
			}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "values", test_values },
		{ "spread", test_spread },
		{ "the same bits on every device", test_devices },
		{ nullptr, nullptr },
	};
	struct device_opts one = { "cpu", 1, CPU_SCALAR, nullptr }, three = { "cpu", 3, CPU_AVX512BF16, nullptr };
	struct err e = {};
	if (device_open(&cpu, &one, &e) < 0 || device_open(&cpu3, &three, &e) < 0 || cuda_device_open(&gpu, 0, 1, &e) < 0)
		return gpu_absent(&e);
	printf("%s", device_describe(gpu));
	int rc = test_main("cuda_noise", tests, argc, argv);
	gpu->close(gpu);
	cpu3->close(cpu3);
	cpu->close(cpu);
	return gpu_end(rc);
}
