/* test_cuda_emu.cc - the emulator of CUDA (cuda_emu.h): right kernels give right results in every order, wrong ones are caught.
 *
 * The kernels below come in pairs: one as it should be, and the same with a planted mistake that a real kernel could have:
 * a missing barrier, a swapped chunk, a contracted product, an index one word or one page too far, a barrier in a branch, a
 * shuffle of a lane that is absent, shared memory read before it is written. Results are compared with plain C by memcmp.
 */
#include "kernels/cuda.h"

#include <time.h>

#include <vector>

#include "tests/test.h"

#define FULL 0xffffffffu
#define PLANTED __attribute__((no_sanitize("undefined"), unused)) /* the mistakes are on purpose */

/* Device memory with the contents of a vector, freed at the end of the scope. */
template <class T> struct dev {
	T *p;
	size_t n;
	explicit dev(const std::vector<T> &v) : p(nullptr), n(v.size())
	{
		CU_ASSERT_FATAL(cudaMalloc(&p, n * sizeof(T)) == cudaSuccess);
		cudaMemcpy(p, v.data(), n * sizeof(T), cudaMemcpyHostToDevice);
	}
	explicit dev(size_t n_) : p(nullptr), n(n_) { CU_ASSERT_FATAL(cudaMalloc(&p, n * sizeof(T)) == cudaSuccess); }
	dev(const dev &) = delete;
	~dev() { cudaFree(p); }
	std::vector<T> get() const
	{
		std::vector<T> v(n);
		cudaMemcpy(v.data(), p, n * sizeof(T), cudaMemcpyDeviceToHost);
		return v;
	}
};

template <class T> static bool same(const std::vector<T> &a, const std::vector<T> &b)
{
	return a.size() == b.size() && !memcmp(a.data(), b.data(), a.size() * sizeof(T));
}

/* fn's report must hold each of the words given. */
static void faults(const char *what, void (*fn)(void *), void *ctx, std::vector<const char *> words)
{
	const char *r = emu_expect_fault(fn, ctx);
	CHECK(r != NULL, "%s: no report", what);
	for (const char *w : words)
		CHECK(r && strstr(r, w), "%s: the report lacks '%s': %s", what, w, r ? r : "(none)");
}

template <class F> static void faults(const char *what, F fn, std::vector<const char *> words)
{
	faults(what, [](void *f) { (*static_cast<F *>(f))(); }, &fn, words);
}

static std::vector<float> numbers(size_t n, unsigned long long seed)
{
	std::vector<float> v(n);
	for (float &x : v)
		x = (float)((double)(test_rand(&seed) >> 40) / (1 << 22) - 2.0);
	return v;
}

/* ---- right kernels ---- */

static __global__ void k_where(int *seen, dim3 g, dim3 b)
{
	bool dims = gridDim.x == g.x && gridDim.y == g.y && gridDim.z == g.z;
	dims = dims && blockDim.x == b.x && blockDim.y == b.y && blockDim.z == b.z;
	unsigned t = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
	unsigned k = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
	if (dims)
		atomicAdd(&seen[k * blockDim.x * blockDim.y * blockDim.z + t], 1);
}

static void test_where(void)
{
	static const struct {
		dim3 g, b;
	} shapes[] = { { 1, 1 }, { 7, 33 }, { dim3(3, 2), dim3(8, 4) }, { dim3(2, 3, 4), dim3(5, 3, 2) }, { 1, 1024 } };
	for (const auto &s : shapes)
		for (int o = 0; o < EMU_ORDERS; o++) {
			emu_order((enum emu_order)o);
			size_t n = (size_t)s.g.x * s.g.y * s.g.z * s.b.x * s.b.y * s.b.z;
			dev<int> d(std::vector<int>(n, 0));
			CU_LAUNCH(k_where, s.g, s.b, 0, 0, d.p, s.g, s.b);
			CHECK(same(d.get(), std::vector<int>(n, 1)), "grid %u block %u", s.g.x, s.b.x);
		}
	emu_order(EMU_FORWARD);
}

static __global__ void k_ticket(int *next, int *order)
{
	if (threadIdx.x == 0)
		order[atomicAdd(next, 1)] = (int)blockIdx.x;
}

static std::vector<int> block_order(uint64_t seed, int n)
{
	dev<int> next(std::vector<int>(1, 0)), order(std::vector<int>((size_t)n, -1));
	emu_seed(seed);
	CU_LAUNCH(k_ticket, n, 2, 0, 0, next.p, order.p);
	return order.get();
}

static void test_blocks(void)
{
	std::vector<int> a = block_order(5, 100), b = block_order(6, 100), hit(100, 0);
	CHECK(!same(a, b), "two seeds, one order");
	for (int i : a)
		hit[(size_t)i]++;
	CHECK(same(hit, std::vector<int>(100, 1)), "not a permutation");
	emu_seed(test_seed());
}

/* Sum of a row as NUMERICS.md section 2 has it: 128 lanes, then a tree. barrier: 0 leaves out the tree's. */
template <int BARRIER> static __global__ void k_rowsum(float *y, const float *x, int d)
{
	CU_SHARED(float, s, 128);
	int l = (int)threadIdx.x;
	float v = 0.0f;
	for (int i = l; i < d; i += 128)
		v = __fadd_rn(v, x[i + (int)blockIdx.x * d]);
	s[l] = v;
	__syncthreads();
	for (int h = 64; h; h /= 2) {
		if (l < h)
			s[l] = __fadd_rn(s[l], s[l + h]);
		if (BARRIER)
			__syncthreads();
	}
	if (l == 0)
		y[blockIdx.x] = s[0];
}

static std::vector<float> rowsum_c(const std::vector<float> &x, size_t d)
{
	std::vector<float> y;
	for (size_t r = 0; r < x.size() / d; r++) {
		float s[128] = { 0 };
		for (size_t i = 0; i < d; i++)
			s[i % 128] += x[r * d + i];
		for (int h = 64; h; h /= 2)
			for (int i = 0; i < h; i++)
				s[i] += s[i + h];
		y.push_back(s[0]);
	}
	return y;
}

/* How many of the orders give the bits of `want`. */
template <class F> static int orders_right(const std::vector<float> &want, F run)
{
	int right = 0;
	for (int o = 0; o < EMU_ORDERS; o++) {
		emu_order((enum emu_order)o);
		dev<float> y(want.size());
		run(y.p);
		right += same(y.get(), want);
	}
	emu_order(EMU_FORWARD);
	return right;
}

static void test_barrier(void)
{
	const size_t d = 1000, rows = 9;
	std::vector<float> h = numbers(d * rows, 1), want = rowsum_c(h, d);
	dev<float> x(h);
	int right = orders_right(want, [&](float *y) { CU_LAUNCH(k_rowsum<1>, rows, 128, 0, 0, y, x.p, (int)d); });
	CHECK(right == EMU_ORDERS, "with barriers: %d of %d orders", right, EMU_ORDERS);
	right = orders_right(want, [&](float *y) { CU_LAUNCH(k_rowsum<0>, rows, 128, 0, 0, y, x.p, (int)d); });
	CHECK(right < EMU_ORDERS, "a missing barrier changes nothing");
}

/* A tile of x in shared memory, loaded anew each step: REUSE 0 leaves out the barrier before the next load. */
template <int REUSE> static __global__ void k_tiles(float *y, const float *x, int steps)
{
	CU_SHARED_DYNAMIC(float, tile);
	int l = (int)threadIdx.x, n = (int)blockDim.x;
	float v = 0.0f;
	for (int t = 0; t < steps; t++) {
		tile[l] = x[t * n + l];
		__syncthreads();
		for (int i = 0; i < n; i++)
			v = __fmaf_rn(tile[(l + i) % n], 0.75f, v);
		if (REUSE)
			__syncthreads();
	}
	y[l] = v;
}

static void test_reuse(void)
{
	const int n = 64, steps = 5;
	std::vector<float> h = numbers(n * steps, 2), want;
	dev<float> x(h);
	for (int l = 0; l < n; l++) {
		float v = 0.0f;
		for (int t = 0; t < steps; t++)
			for (int i = 0; i < n; i++)
				v = xfmaf(h[(size_t)(t * n + (l + i) % n)], 0.75f, v);
		want.push_back(v);
	}
	int right = orders_right(want, [&](float *y) { CU_LAUNCH(k_tiles<1>, 1, n, n * sizeof(float), 0, y, x.p, steps); });
	CHECK(right == EMU_ORDERS, "with both barriers: %d of %d orders", right, EMU_ORDERS);
	right = orders_right(want, [&](float *y) { CU_LAUNCH(k_tiles<0>, 1, n, n * sizeof(float), 0, y, x.p, steps); });
	CHECK(right == 0, "without the second barrier %d of %d orders are right", right, EMU_ORDERS);
}

/* ---- warps ---- */

static __global__ void k_warp(int *out)
{
	int l = (int)threadIdx.x & 31, *o = out + threadIdx.x * 20;
	o[0] = __shfl_sync(FULL, l * 3, 5);
	o[1] = __shfl_sync(FULL, l * 3, l + 1, 8);
	o[2] = __shfl_up_sync(FULL, l, 3);
	o[3] = __shfl_down_sync(FULL, l, 3);
	o[4] = __shfl_down_sync(FULL, l, 3, 16);
	o[5] = __shfl_xor_sync(FULL, l, 21);
	o[6] = (int)__ballot_sync(FULL, l % 3 == 0);
	o[7] = __any_sync(FULL, l == 40) + 2 * __any_sync(FULL, l == 7);
	o[8] = __all_sync(FULL, l < 32) + 2 * __all_sync(FULL, l < 31);
	o[9] = __reduce_add_sync(FULL, l - 20);
	o[10] = __reduce_min_sync(FULL, l - 20);
	o[11] = (int)__reduce_max_sync(FULL, (unsigned)(l - 20));
	/* halves of a warp apart, in a branch */
	o[12] = l < 16 ? __shfl_xor_sync(0xffffu, l, 15) : __shfl_xor_sync(0xffff0000u, l, 1);
	o[13] = (int)(__shfl_sync(FULL, (unsigned long long)l << 40, 9) >> 40);
	o[14] = (int)__shfl_xor_sync(FULL, (float)l, 1);
	o[15] = __syncthreads_count(l == 3);
	o[16] = __syncthreads_or(threadIdx.x == 63) + 2 * __syncthreads_and(threadIdx.x != 63);
	__syncwarp();
	o[17] = (int)__byte_perm(0x33221100u, 0x77665544u, 0x7520u);
	o[18] = __popc(0xf0f0u) + __ffs(8) + __clz(1) + min(3, -2) + max(7, 9);
	o[19] = (int)__umulhi(0x80000000u, 6u);
}

static void test_warp(void)
{
	for (int o = 0; o < EMU_ORDERS; o++) {
		emu_order((enum emu_order)o);
		dev<int> d(64 * 20);
		CU_LAUNCH(k_warp, 1, 64, 0, 0, d.p);
		std::vector<int> got = d.get();
		for (int t = 0; t < 64; t++) {
			int l = t % 32;
			unsigned thirds = 0;
			for (int i = 0; i < 32; i += 3)
				thirds |= 1u << i;
			const int want[20] = { 15, ((l & 24) | ((l + 1) & 7)) * 3, l < 3 ? l : l - 3, l > 28 ? l : l + 3,
				l % 16 > 12 ? l : l + 3, l ^ 21, (int)thirds, 2, 1, 31 * 32 / 2 - 640, -20, -1,
				l < 16 ? l ^ 15 : l ^ 1, 9, l ^ 1, 2, 1, 0x77552200, 8 + 4 + 31 - 2 + 9, 3 };
			for (int i = 0; i < 20; i++)
				CHECK(got[(size_t)(t * 20 + i)] == want[i], "order %d thread %d: result %d is %d, not %d", o, t, i,
				      got[(size_t)(t * 20 + i)], want[i]);
		}
	}
	emu_order(EMU_FORWARD);
}

/* Sums of rounds of x, each warp's by shuffles, then all warps': REUSE 0 leaves out the barrier before the next round's. */
template <int REUSE> static __global__ void k_rounds(float *y, const float *x, int rounds)
{
	CU_SHARED(float, part, 4);
	int t = (int)threadIdx.x;
	float v = 0.0f;
	for (int r = 0; r < rounds; r++) {
		float s = x[r * 128 + t];
		for (int i = 16; i; i /= 2)
			s = __fadd_rn(s, __shfl_xor_sync(FULL, s, i));
		if (t % 32 == 0)
			part[t / 32] = s;
		__syncthreads();
		for (int i = 0; i < 4; i++)
			v = __fadd_rn(v, part[i]);
		if (REUSE)
			__syncthreads();
	}
	y[t] = v;
}

/* Every warp leaves a number in the same place and takes it back behind a shuffle. */
static __global__ void k_one_place(float *y)
{
	CU_SHARED(float, place, 1);
	float mine = (float)(threadIdx.x / 32);
	if (threadIdx.x % 32 == 0)
		place[0] = mine;
	mine = __shfl_xor_sync(FULL, mine, 1);
	y[threadIdx.x] = place[0] - mine;
}

/* Between barriers warps go in step under one order and apart under another: each finds what the other does not. */
static void test_steps(void)
{
	const int rounds = 4;
	std::vector<float> h = numbers(128 * rounds, 8), want(128, 0.0f);
	dev<float> x(h);
	for (size_t at = 0; at < h.size(); at += 32) {
		float s[32];
		memcpy(s, &h[at], sizeof s);
		for (int n = 16; n; n /= 2)
			for (int i = 0; i < n; i++)
				s[i] += s[i + n];
		for (float &v : want)
			v += s[0];
	}
	int right = orders_right(want, [&](float *y) { CU_LAUNCH(k_rounds<1>, 1, 128, 0, 0, y, x.p, rounds); });
	CHECK(right == EMU_ORDERS, "with both barriers: %d of %d orders", right, EMU_ORDERS);
	right = orders_right(want, [&](float *y) { CU_LAUNCH(k_rounds<0>, 1, 128, 0, 0, y, x.p, rounds); });
	CHECK(right < EMU_ORDERS, "no warp goes ahead of the others");
	right = orders_right(std::vector<float>(128, 0.0f), [&](float *y) { CU_LAUNCH(k_one_place, 1, 128, 0, 0, y); });
	CHECK(right < EMU_ORDERS, "no warps are in step");
}

template <int KIND> static __global__ void k_bad_warp(int *out)
{
	int l = (int)threadIdx.x;
	if (KIND == 0 && l < 16)
		out[l] = __shfl_sync(0xffffu, l, 20); /* source outside the mask */
	if (KIND == 1 && l < 16)
		out[l] = __shfl_xor_sync(FULL, l, 1); /* names lanes that do not come */
	if (KIND == 2)
		out[l] = __shfl_xor_sync(0xffffu, l, 1); /* called by lanes that it leaves out */
	if (KIND == 3) {
		if (l == 9)
			return;
		out[l] = (int)__ballot_sync(FULL, 1); /* names a lane that has returned */
	}
	if (KIND == 4)
		out[l] = l < 8 ? __shfl_sync(FULL, l, 0) : __shfl_down_sync(FULL, l, 1); /* two operations */
	if (KIND == 5) {
		if (l < 31)
			__syncwarp();
		else
			__syncthreads();
	}
}

static void test_bad_warp(void)
{
	dev<int> o(32);
	faults("absent source", [&] { CU_LAUNCH(k_bad_warp<0>, 1, 32, 0, 0, o.p); }, { "k_bad_warp<0>", "from lane 20", "0000ffff" });
	faults("absent lanes", [&] { CU_LAUNCH(k_bad_warp<1>, 1, 32, 0, 0, o.p); }, { "not all lanes", "thread (16,0,0) has returned" });
	faults("own lane", [&] { CU_LAUNCH(k_bad_warp<2>, 1, 32, 0, 0, o.p); }, { "by lane 16", "leaves out" });
	faults("returned lane", [&] { CU_LAUNCH(k_bad_warp<3>, 1, 32, 0, 0, o.p); }, { "__ballot_sync", "thread (9,0,0) has returned" });
	faults("two operations", [&] { CU_LAUNCH(k_bad_warp<4>, 1, 32, 0, 0, o.p); }, { "__shfl_sync", "__shfl_down_sync" });
	faults("warp and block", [&] { CU_LAUNCH(k_bad_warp<5>, 1, 32, 0, 0, o.p); }, { "__syncwarp", "__syncthreads", "(31,0,0)" });
	faults("half a warp", [&] { CU_LAUNCH(k_bad_warp<1>, 1, 16, 0, 0, o.p); }, { "the block of 16 threads does not have" });
}

/* ---- barriers not reached by all ---- */

template <int KIND> static __global__ void k_bad_barrier(int *out, int n)
{
	int t = (int)threadIdx.x;
	if (KIND == 0 && t >= n)
		return;
	if (KIND == 1) {
		if (t < n)
			__syncthreads();
		else
			__syncthreads();
	} else if (KIND == 2) {
		if (t != n)
			__syncthreads();
	} else
		__syncthreads();
	out[t] = t;
}

static void test_bad_barrier(void)
{
	dev<int> o(64);
	for (int k = 0; k < EMU_ORDERS; k++) {
		emu_order((enum emu_order)k);
		faults("early return", [&] { CU_LAUNCH(k_bad_barrier<0>, 2, 64, 0, 0, o.p, 63); },
		       { "k_bad_barrier<0>", "barrier", "thread (63,0,0) has returned", emu_order_name((enum emu_order)k) });
		faults("two barriers", [&] { CU_LAUNCH(k_bad_barrier<1>, 1, 64, 0, 0, o.p, 32); },
		       { "barrier that not all threads reach", "thread (32,0,0) is at __syncthreads" });
		faults("a barrier in a branch", [&] { CU_LAUNCH(k_bad_barrier<2>, 1, 64, 0, 0, o.p, 40); },
		       { "barrier that not all threads reach", "thread (40,0,0) has returned" });
	}
	emu_order(EMU_FORWARD);
	CHECK(!emu_expect_fault([](void *p) { CU_LAUNCH(k_bad_barrier<3>, 2, 64, 0, 0, (int *)p, 0); }, o.p),
	      "a good kernel after bad ones");
}

/* ---- memory ---- */

static __global__ PLANTED void k_read(float *y, const float *x, long at)
{
	y[threadIdx.x] = x[at + threadIdx.x];
}
static __global__ PLANTED void k_write(float *y, long at)
{
	if (threadIdx.x == 3 && blockIdx.x == 2)
		y[at] = 1.0f;
}
static __global__ PLANTED void k_quad(float4 *y, const float *x, long at)
{
	*y = *reinterpret_cast<const float4 *>(x + at);
}

static void test_global(void)
{
	const long page = 64 * 128; /* one page of a key cache */
	dev<float> y(16), x(numbers(4 * page, 3)), odd(5);
	dev<float4> q(1);
	faults("one word", [&] { CU_LAUNCH(k_read, 1, 16, 0, 0, y.p, x.p, 4 * page - 15); },
	       { "k_read", "thread (15,0,0)", "0 bytes behind the end of cudaMalloc", "131072 bytes", "ASSAY_SEED=" });
	faults("one page", [&] { CU_LAUNCH(k_read, 1, 1, 0, 0, y.p, x.p, 4 * page); }, { "0 bytes behind the end" });
	faults("far", [&] { CU_LAUNCH(k_read, 1, 1, 0, 0, y.p, x.p, 8 * page); }, { "131072 bytes behind the end" });
	faults("write", [&] { CU_LAUNCH(k_write, 4, 8, 0, 0, x.p, 4 * page + 2); }, { "block (2,0,0), thread (3,0,0)", "8 bytes behind" });
#ifdef __x86_64__
	faults("write", [&] { CU_LAUNCH(k_write, 4, 8, 0, 0, x.p, 4 * page); }, { "write 0 bytes behind" });
#endif
	faults("into the rounding", [&] { CU_LAUNCH(k_write, 4, 8, 0, 0, odd.p, 5); }, { "a write just behind cudaMalloc", "20 bytes" });
	odd.p[5] = odd.p[7]; /* mends the poison */
	CHECK(!emu_expect_fault([](void *p) { CU_LAUNCH(k_write, 4, 8, 0, 0, (float *)p, 4); }, odd.p), "the last word");
	faults("before", [&] { CU_LAUNCH(k_write, 4, 8, 0, 0, odd.p, -1L); }, { "a write just before cudaMalloc", "20 bytes" });
	odd.p[-1] = odd.p[-3];
	faults("before", [&] { CU_LAUNCH(k_write, 4, 8, 0, 0, x.p, -1L); }, { "4 bytes before the start of cudaMalloc" });
	emu_guard_front(1);
	{
		dev<float> f(9);
		faults("before", [&] { CU_LAUNCH(k_read, 1, 1, 0, 0, y.p, f.p, -1L); }, { "4 bytes before the start", "36 bytes" });
	}
	emu_guard_front(0);
	float *gone;
	cudaMalloc(&gone, 256);
	cudaFree(gone);
	faults("freed", [&] { CU_LAUNCH(k_write, 4, 8, 0, 0, gone, 0L); }, { "argument 1", "was freed" });
	faults("freed", [&] { CU_LAUNCH(k_read, 1, 1, 0, 0, y.p, x.p, (long)(gone - x.p)); }, { "of 256 bytes, which was freed" });
	faults("freed twice", [&] { cudaFree(gone); }, { "host: cudaFree", "was freed" });
	float on_host[32] = { 0 };
	faults("host memory", [&] { CU_LAUNCH(k_read, 1, 16, 0, 0, y.p, on_host, 0L); }, { "argument 2", "not device memory" });
	faults("null", [&] { CU_LAUNCH(k_read, 1, 1, 0, 0, y.p, (const float *)NULL, 0L); }, { "no allocation" });
#if defined __SSE__ && defined __OPTIMIZE__
	faults("misaligned", [&] { CU_LAUNCH(k_quad, 1, 1, 0, 0, q.p, x.p, 1L); }, { "misaligned" });
#endif
	CHECK(emu_allocations() == 4, "%zu allocations", emu_allocations());
}

static __global__ PLANTED void k_shared(float *y, int at, int write)
{
	CU_SHARED(float, a, 64);
	CU_SHARED(uint16_t, b, 37);
	CU_SHARED_DYNAMIC(float, c);
	int t = (int)threadIdx.x;
	a[t] = c[t] = (float)t;
	b[t % 37] = 1;
	__syncthreads();
	if (write == 1 && t == 7)
		a[at] = 1.0f;
	if (write == 2 && t == 7)
		b[at] = 1;
	if (write == 3)
		y[t] = c[t + at];
	if (write == 0)
		y[t] = a[t + at];
}

/* Reads what nobody wrote, when the block has fewer threads than the array elements. */
static __global__ void k_unwritten(float *y, int n)
{
	CU_SHARED(float, a, 64);
	if ((int)threadIdx.x < n)
		a[threadIdx.x] = 0.0f;
	__syncthreads();
	y[threadIdx.x] = a[threadIdx.x];
}

static void test_shared(void)
{
	dev<float> y(64);
	CHECK(!emu_expect_fault([](void *p) { CU_LAUNCH(k_shared, 3, 64, 256, 0, (float *)p, 0, 0); }, y.p), "in range");
	faults("static", [&] { CU_LAUNCH(k_shared, 3, 64, 256, 0, y.p, 1, 0); },
	       { "thread (63,0,0)", "0 bytes behind the end of shared array a of 256 bytes" });
	faults("static", [&] { CU_LAUNCH(k_shared, 3, 64, 256, 0, y.p, 70, 1); }, { "thread (7,0,0)", "24 bytes behind" });
	faults("static", [&] { CU_LAUNCH(k_shared, 3, 64, 256, 0, y.p, -1, 1); }, { "a write just before shared array a" });
	faults("rounding", [&] { CU_LAUNCH(k_shared, 3, 64, 256, 0, y.p, 37, 2); }, { "a write just behind shared array b of 74 bytes" });
	faults("dynamic", [&] { CU_LAUNCH(k_shared, 3, 64, 256, 0, y.p, 1, 3); }, { "thread (63,0,0)", "dynamic shared memory of 256" });
	faults("none asked for", [&] { CU_LAUNCH(k_shared, 3, 64, 0, 0, y.p, 0, 0); }, { "without dynamic shared memory" });
	int right = orders_right(std::vector<float>(64, 0.0f), [](float *p) { CU_LAUNCH(k_unwritten, 2, 64, 0, 0, p, 64); });
	CHECK(right == EMU_ORDERS, "written");
	right = orders_right(std::vector<float>(64, 0.0f), [](float *p) { CU_LAUNCH(k_unwritten, 2, 64, 0, 0, p, 63); });
	CHECK(right == 0, "unwritten shared memory read as zero");
	std::vector<float> got = y.get();
	CU_LAUNCH(k_unwritten, 1, 64, 0, 0, y.p, 0);
	for (float v : y.get())
		CHECK(v != v, "poison is no NaN");
}

static __global__ void k_big(int *y)
{
	CU_SHARED_DYNAMIC(int, d);
	d[threadIdx.x] = 1;
	y[threadIdx.x] = d[threadIdx.x];
}
static __global__ void k_static(int *y)
{
	CU_SHARED(char, a, 40000);
	CU_SHARED(char, b, 9200);
	a[0] = b[0] = 1;
	y[0] = a[0] + b[0];
}
static __global__ void k_deep(int *y, int n)
{
	volatile char big[30000];
	big[n] = 1;
	y[0] = big[n];
	if (n > 0)
		k_deep(y, n - 1);
	y[0] += big[n];
}

static void test_limits(void)
{
	dev<int> y(1024);
	faults("threads", [&] { CU_LAUNCH(k_big, 1, 1025, 64, 0, y.p); }, { "1025 x 1 x 1", "1024 threads" });
	faults("threads", [&] { CU_LAUNCH(k_big, 1, dim3(32, 33), 64, 0, y.p); }, { "32 x 33" });
	faults("empty grid", [&] { CU_LAUNCH(k_big, 0, 32, 64, 0, y.p); }, { "grid of 0" });
	faults("no attribute", [&] { CU_LAUNCH(k_big, 1, 32, 50000, 0, y.p); }, { "cudaFuncSetAttribute" });
	CHECK(cudaFuncSetAttribute(k_big, cudaFuncAttributeMaxDynamicSharedMemorySize, 227 << 10) == cudaSuccess, "attribute");
	CHECK(!emu_expect_fault([](void *p) { CU_LAUNCH(k_big, 1, 1024, 227 << 10, 0, (int *)p); }, y.p), "227 KB");
	faults("228 KB", [&] { CU_LAUNCH(k_big, 1, 32, 228 << 10, 0, y.p); }, { "at most 232448" });
	CHECK(cudaFuncSetAttribute(k_big, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 << 10) == cudaErrorInvalidValue, "attribute");
	cudaGetLastError();
	faults("static", [&] { CU_LAUNCH(k_static, 1, 1, 0, 0, y.p); }, { "49200 bytes of static" });
	faults("stack", [&] { CU_LAUNCH(k_deep, 1, 1, 0, 0, y.p, 20); }, { "k_deep" });
	faults("nowhere", [] { __syncthreads(); }, { "outside a kernel" });
}

/* ---- folds: the order of chunks, fused or not ---- */

/* y = sum over chunks of (sum in a chunk by fma); SWAP adds the partial sums in the wrong order, SPLIT rounds the products. */
template <int SWAP, int SPLIT> static __global__ void k_fold(float *y, const float *x, const float *w, int chunks)
{
	CU_SHARED(float, part, 32);
	int c = (int)threadIdx.x;
	float s = 0.0f;
	for (int i = 0; i < 256; i++)
		s = SPLIT ? x[c * 256 + i] * w[c * 256 + i] + s : __fmaf_rn(x[c * 256 + i], w[c * 256 + i], s);
	part[c] = s;
	__syncthreads();
	if (c == 0) {
		float t = part[SWAP ? chunks - 1 : 0];
		for (int i = 1; i < chunks; i++)
			t = __fadd_rn(t, part[SWAP ? chunks - 1 - i : i]);
		y[0] = t;
	}
}

static void test_fold(void)
{
	const int chunks = 13;
	std::vector<float> hx = numbers(256 * chunks, 4), hw = numbers(256 * chunks, 5), want(1);
	dev<float> x(hx), w(hw);
	for (int c = 0; c < chunks; c++) {
		float s = 0.0f;
		for (int i = c * 256; i < c * 256 + 256; i++)
			s = xfmaf(hx[(size_t)i], hw[(size_t)i], s);
		want[0] = c ? want[0] + s : s;
	}
	int right = orders_right(want, [&](float *y) { CU_LAUNCH((k_fold<0, 0>), 1, chunks, 0, 0, y, x.p, w.p, chunks); });
	CHECK(right == EMU_ORDERS, "the fold itself: %d", right);
	right = orders_right(want, [&](float *y) { CU_LAUNCH((k_fold<1, 0>), 1, chunks, 0, 0, y, x.p, w.p, chunks); });
	CHECK(right == 0, "swapped chunks give the same bits");
	right = orders_right(want, [&](float *y) { CU_LAUNCH((k_fold<0, 1>), 1, chunks, 0, 0, y, x.p, w.p, chunks); });
	CHECK(right == 0, "a product that is rounded first gives the same bits");
}

/* The other way round: rotation has rounded products (NUMERICS.md section 3), FUSED contracts one. */
template <int FUSED> static __global__ void k_rotate(float *y, const float *x, const float *c)
{
	int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
	float p = __fmul_rn(x[2 * i + 1], c[2 * i + 1]);
	y[i] = FUSED ? __fmaf_rn(-x[2 * i + 1], c[2 * i + 1], __fmul_rn(x[2 * i], c[2 * i])) : __fmaf_rn(x[2 * i], c[2 * i], -p);
}

static void test_contracted(void)
{
	std::vector<float> hx = numbers(512, 6), hc = numbers(512, 7), want(256);
	dev<float> x(hx), c(hc);
	for (size_t i = 0; i < 256; i++)
		want[i] = xfmaf(hx[2 * i], hc[2 * i], -(hx[2 * i + 1] * hc[2 * i + 1]));
	CHECK(orders_right(want, [&](float *y) { CU_LAUNCH(k_rotate<0>, 4, 64, 0, 0, y, x.p, c.p); }) == EMU_ORDERS,
	      "the rotation itself");
	CHECK(orders_right(want, [&](float *y) { CU_LAUNCH(k_rotate<1>, 4, 64, 0, 0, y, x.p, c.p); }) == 0,
	      "the other product fused: the same bits");
}

/* ---- the runtime ---- */

static void test_runtime(void)
{
	char host[64] = { 1 }, back[64];
	void *p = NULL, *q = NULL;
	size_t before = emu_allocations(), bytes = emu_allocated();
	CHECK(cudaMalloc(&p, 64) == cudaSuccess && cudaMalloc(&q, 33) == cudaSuccess, "cudaMalloc");
	CHECK(emu_allocations() == before + 2 && emu_allocated() == bytes + 97, "counts");
	cudaMemcpy(p, host, 64, cudaMemcpyHostToDevice);
	cudaMemcpy(back, p, 64, cudaMemcpyDeviceToHost);
	CHECK(!memcmp(host, back, 64), "there and back");
	cudaMemset(q, 7, 33);
	cudaMemcpy(back, q, 33, cudaMemcpyDeviceToHost);
	CHECK(back[0] == 7 && back[32] == 7, "cudaMemset");
	faults("past the end", [&] { cudaMemcpy(q, host, 34, cudaMemcpyHostToDevice); }, { "34 bytes at 0", "33 bytes" });
	faults("wrong way", [&] { cudaMemcpy(host, back, 4, cudaMemcpyDeviceToHost); }, { "source", "not device memory" });
	faults("wrong way", [&] { cudaMemcpy(p, q, 4, cudaMemcpyHostToDevice); }, { "source is device memory" });
	cudaStream_t st;
	cudaStreamCreateWithFlags(&st, cudaStreamNonBlocking);
	back[0] = 0;
	cudaMemcpyAsync(back, q, 33, cudaMemcpyDeviceToHost, st);
	cudaStreamSynchronize(0);
	CHECK(back[0] != 7 && back[32] != 7, "a copy is there before its stream was waited for");
	cudaStreamSynchronize(st);
	CHECK(back[0] == 7 && back[32] == 7, "cudaMemcpyAsync");
	char *pinned;
	cudaEvent_t ev;
	cudaMallocHost((void **)&pinned, 64);
	memset(pinned, 1, 64);
	cudaEventCreateWithFlags(&ev, cudaEventDisableTiming);
	cudaMemcpyAsync(p, pinned, 32, cudaMemcpyHostToDevice, st);
	cudaEventRecord(ev, st);
	cudaMemcpyAsync(p, pinned + 32, 32, cudaMemcpyHostToDevice, st);
	pinned[32] = 2;
	CHECK(!emu_expect_fault([](void *e) { cudaEventSynchronize((cudaEvent_t)e); }, ev), "what the event does not wait for");
	pinned[0] = 2;
	faults("pinned memory", [&] { cudaStreamSynchronize(st); }, { "copy of 32 bytes was changed before its stream was waited for" });
	CHECK(!emu_expect_fault([](void *s) { cudaStreamSynchronize((cudaStream_t)s); }, st), "told twice");
	cudaMemcpyAsync(p, pinned, 32, cudaMemcpyHostToDevice, st);
	cudaEventRecord(ev, st);
	pinned[0] = 3;
	faults("pinned memory", [&] { cudaEventSynchronize(ev); }, { "changed before" });
	cudaEventDestroy(ev);
	cudaFreeHost(pinned);
	cudaStreamDestroy(st);
	emu_fail("cudaMalloc", 2, cudaErrorMemoryAllocation);
	void *a = NULL, *b = NULL;
	CHECK(cudaMalloc(&a, 8) == cudaSuccess && cudaMalloc(&b, 8) == cudaErrorMemoryAllocation, "emu_fail");
	CHECK(cudaGetLastError() == cudaErrorMemoryAllocation && cudaGetLastError() == cudaSuccess, "cudaGetLastError");
	cudaFree(a);
	emu_memory(emu_allocated() + 100);
	CHECK(cudaMalloc(&a, 101) == cudaErrorMemoryAllocation && cudaMalloc(&b, 100) == cudaSuccess, "emu_memory");
	cudaFree(b);
	cudaGetLastError();
	emu_memory((size_t)8 << 30);
	unsigned long n = emu_launches();
	emu_fail("launch", 1, cudaErrorLaunchFailure);
	CU_LAUNCH(k_write, 4, 8, 0, 0, (float *)p, 4096L);
	CHECK(cudaGetLastError() == cudaErrorLaunchFailure && emu_launches() == n, "a launch that fails");
	int count = -1;
	emu_devices(0);
	CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice && count == 0, "no device");
	emu_devices(-1);
	CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver, "an old driver");
	emu_devices(1);
	struct cudaDeviceProp prop;
	CHECK(cudaGetDeviceProperties(&prop, 0) == cudaSuccess && prop.major == 9, "properties");
	CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice, "device 1 of 1");
	cudaFree(p);
	cudaFree(q);
	CHECK(emu_allocations() == before && emu_allocated() == bytes, "leak");
}

/* ---- speed ---- */

static __global__ void k_spin(float *y, int steps)
{
	CU_SHARED(float, s, 128);
	float v = (float)threadIdx.x;
	for (int i = 0; i < steps; i++) {
		s[threadIdx.x] = v;
		__syncthreads();
		v = s[threadIdx.x ^ 1];
		__syncthreads();
	}
	y[threadIdx.x] = v;
}

static void test_speed(void)
{
	dev<float> y(128);
	struct timespec a, b;
	unsigned long n = emu_switches();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	CU_LAUNCH(k_spin, 50, 128, 0, 0, y.p, 200);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	n = emu_switches() - n;
	double ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)n;
	printf("\n    %lu switches, %.1f ns each ", n, ns);
	CHECK(n >= 50ul * 128 * 400, "too few switches");
	CHECK(ns < 20000, "a switch takes %.0f ns", ns);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "every thread of every block once, in every order", test_where },
		{ "blocks in an order drawn from the seed", test_blocks },
		{ "a tree in shared memory; the same with a missing barrier", test_barrier },
		{ "a tile loaded again and again; the same without the second barrier", test_reuse },
		{ "shuffles, votes, reductions", test_warp },
		{ "warps in step and apart: barriers missing behind shuffles", test_steps },
		{ "warp operations that not all lanes reach", test_bad_warp },
		{ "barriers that not all threads reach", test_bad_barrier },
		{ "global memory out of range", test_global },
		{ "shared memory out of range or unwritten", test_shared },
		{ "limits of a launch", test_limits },
		{ "a fold by chunks; swapped chunks; rounded products", test_fold },
		{ "a product contracted where it must be rounded", test_contracted },
		{ "the runtime: copies, failures, devices", test_runtime },
		{ "the cost of a switch", test_speed },
		{ NULL, NULL },
	};
	emu_seed(test_seed());
	printf("ASSAY_SEED=%llu\n", test_seed());
	int failed = test_main("cuda_emu", tests, argc, argv);
	emu_summary(stdout);
	return failed;
}
