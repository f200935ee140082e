/* test_cuda_route - routing to experts on CUDA against the scalar CPU device, bit for bit, on the emulator of tests/cuda_emu.h or on a
 * GPU: every form, with and without bias and groups, over ordinary logits, ties, signed zeros, infinities, NaN and random bits.
 */
#include "kernels/cuda.h"

#include <vector>

#include "kernels/base/half.h"
#include "tests/gpu.h"
#include "tests/gpu_pair.h"

static unsigned long long state;

static int draw(int n) /* 0..n-1 */
{
	return (int)((test_rand(&state) >> 33) % (unsigned)n);
}

enum { PLAIN, TIES, ZEROS, INFINITE, NANS, ANY, SMALL, FILLS };

static float value(int f)
{
	float x = ((float)draw(1 << 24) * 0x1p-23f - 1.0f) * 6.0f;
	switch (f) {
	case TIES: return (float)draw(5) * 0.5f - 1.0f;
	case ZEROS: return draw(3) ? draw(2) ? 0.0f : -0.0f : (float)draw(3) - 1.0f;
	case INFINITE: return draw(6) ? x : f32_of_bits(draw(4) ? 0xff800000u : 0x7f800000u);
	case NANS: return draw(60) ? x : f32_of_bits(0x7f800001u + (uint32_t)draw(0x7ffffe));
	case ANY: return f32_of_bits((uint32_t)test_rand(&state));
	case SMALL: return x * 0x1p-126f;
	default: return x;
	}
}

static void *on(struct device *d, const void *host, size_t bytes)
{
	struct err e = {};
	void *p = d->ops->alloc(d, bytes, &e);
	if (!p) {
		printf("%s\n", e.msg);
		exit(99);
	}
	d->ops->put(d, p, host, bytes);
	return p;
}

/* What device d makes of n rows of logits: ids, then weights, with a canary behind each. */
static std::vector<uint32_t> routed(struct device *d, const std::vector<float> &x, int n, int ld, struct router r, const std::vector<float> &bias)
{
	size_t all = (size_t)n * (size_t)r.k + 1;
	std::vector<uint32_t> out(2 * all, 0xdeadbeefu);
	struct err e = {};
	float *logits = (float *)on(d, x.data(), x.size() * sizeof(float)), *b = (float *)on(d, bias.data(), bias.size() * sizeof(float));
	int32_t *ids = (int32_t *)on(d, out.data(), out.size() * sizeof(uint32_t));
	r.bias = r.bias ? b : nullptr;
	d->ops->route(d, ids, (float *)ids + all, { logits, n, r.experts, (size_t)ld }, &r);
	d->ops->get(d, out.data(), ids, out.size() * sizeof(uint32_t));
	CHECK(d->ops->sync(d, &e) == 0, "%s", e.msg);
	d->ops->release(d, logits);
	d->ops->release(d, b);
	d->ops->release(d, ids);
	return out;
}

static void test_route(void)
{
	static const struct { int experts, groups, k; } shapes[] = {
		{ 1, 1, 1 }, { 2, 1, 2 }, { 8, 1, 2 }, { 8, 4, 2 }, { 16, 1, 1 }, { 33, 33, 5 }, { 60, 1, 4 }, { 64, 8, 6 }, { 64, 1, 64 },
		{ 128, 1, 8 }, { 129, 1, 8 }, { 160, 8, 6 }, { 256, 8, 8 }, { 768, 1, 12 }, { 1024, 1, 64 }, { 1024, 512, 9 }, { 12, 6, 6 },
	};
	int cases = 0, turns = gpu_cases(12, 2);
	for (const auto &shape : shapes)
		for (int score = ROUTE_SOFTMAX; score <= ROUTE_SPARSEMIX; score++)
			for (int turn = 0; turn < turns; turn++) {
				struct router r = {};
				int mix = score == ROUTE_SPARSEMIX, n = 1 + draw(4), ld = shape.experts + draw(3), f = turn % FILLS;
				if (mix && (shape.experts < 2 || shape.groups > 1))
					continue;
				r.score = (enum route_score)score;
				r.experts = shape.experts;
				r.k = mix ? 2 : shape.k;
				r.groups = shape.groups;
				int size = r.experts / r.groups, least = (r.k - 1) / size + 1;
				r.groups_kept = least + draw(r.groups - least + 1);
				r.best_of = size > 1 ? 1 + draw(2) : 1;
				r.normalise = draw(2);
				r.floor = draw(2) ? 1e-20f : 0.0f;
				r.factor = draw(2) ? 2.5f : 1.0f;
				r.jitter = draw(2) ? 0.01f : 0.25f;
				std::vector<float> x((size_t)(n * ld)), bias((size_t)r.experts);
				for (float &v : x)
					v = value(f);
				for (float &v : bias)
					v = value(draw(3) ? f == TIES ? TIES : PLAIN : ZEROS);
				if (!mix && draw(2))
					r.bias = bias.data();
				pair_order(cases++);
				std::vector<uint32_t> want = routed(cpu, x, n, ld, r, bias), got = routed(gpu, x, n, ld, r, bias);
				size_t at = 0;
				while (at < want.size() && want[at] == got[at])
					at++;
				CHECK(at == want.size(), "form %d, %d experts in %d groups, k %d, fill %d: word %zu of %zu is %08x, not %08x", score,
				      r.experts, r.groups, r.k, f, at, want.size(), got[at], want[at]);
			}
	struct router r = {};
	r.experts = r.k = 1;
	gpu->ops->route(gpu, nullptr, nullptr, { nullptr, 0, 1, 1 }, &r); /* no rows: nothing happens */
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "every form against the CPU", test_route }, { nullptr, nullptr } };
	state = test_seed();
	return pair_main("cuda_route", tests, state, argc, argv);
}
