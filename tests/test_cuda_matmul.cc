/* test_cuda_matmul - the CUDA kernels of linear layers and of log-sum-exp against their scalar twins: the same bits.
 *
 * Through the emulator (tests/cuda_emu.h) every case runs under another order of threads and blocks, with guard pages behind
 * or before every buffer; compiled by nvcc the same cases run on a device. Weights are packed by the CPU's own
 * matmul_pack_rows, whose layout the kernels share; y has gaps between rows and is compared whole, gaps and all.
 */
#include "kernels/cuda.h"

#include "tests/test.h"

extern "C" {
#include "kernels/base/half.h"
#include "kernels/isa.h"
#include "kernels/rowops.h"
}
#include "kernels/cuda_ops.h"
#include "kernels/device.h"
#include "tests/gpu.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

static unsigned long long seed;
static struct pool *pool; /* of one thread: packs the weights */
static int runs; /* counts cases: chooses order, seed and side of the guard page */

static unsigned below(unsigned n)
{
	return (unsigned)(test_rand(&seed) >> 33) % n;
}

static void next_order(void)
{
	runs++;
#ifdef ASSAY_CUDA_EMU
	emu_order(static_cast<enum emu_order>(runs % EMU_ORDERS));
	emu_seed(seed ^ (unsigned)runs);
	emu_guard_front(runs / EMU_ORDERS % 2);
#endif
}

static void *device_copy(const void *host, size_t bytes)
{
	char *p = NULL;
	cudaError_t e = cudaMalloc(&p, bytes);
	if (e == cudaSuccess && host)
		e = cudaMemcpy(p, host, bytes, cudaMemcpyHostToDevice);
	CHECK(e == cudaSuccess, "%s", cudaGetErrorString(e));
	if (e != cudaSuccess)
		exit(99);
	return p;
}

static void fetch(void *host, const void *p, size_t bytes)
{
	cudaError_t e = cudaDeviceSynchronize();
	if (e == cudaSuccess)
		e = cudaGetLastError();
	if (e == cudaSuccess)
		e = cudaMemcpy(host, p, bytes, cudaMemcpyDeviceToHost);
	CHECK(e == cudaSuccess, "%s", cudaGetErrorString(e));
}

static void *alloc(size_t bytes)
{
	void *p = calloc(bytes ? bytes : 1, 1);
	if (!p)
		abort();
	return p;
}

/* --- values ------------------------------------------------------------------------------------------------------ */

enum fill { PLAIN, SMALL, SPECIAL, ANY, FILLS };

static float gauss(void)
{
	float a = 0;
	for (int i = 0; i < 4; i++)
		a += (float)(test_rand(&seed) >> 40) * 0x1p-24f;
	return (a - 2.0f) * 1.7f;
}

static float value(enum fill f)
{
	static const uint32_t special[] = { 0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345, 0x7f812345, 0x80000000, 1,
					    0x807fffff, 0x2b800000, 0x2b7fffff, 0xab7fffff, 0x24000000, 0x23ffffff, 0x7f7fffff };
	unsigned long long u = test_rand(&seed);
	if (f == SPECIAL && u % 97 == 0)
		return f32_of_bits(special[(u >> 20) % COUNT(special)]);
	if (f == SMALL) /* magnitudes around both bounds of flushing */
		return f32_of_bits(((uint32_t)(u >> 32) & 0x807fffffu) | (60u + (uint32_t)(u >> 8) % 40u) << 23);
	if (f == ANY)
		return f32_of_bits((uint32_t)(u >> 32));
	return gauss();
}

static void fill_floats(float *p, size_t n, enum fill f)
{
	for (size_t i = 0; i < n; i++)
		p[i] = value(f);
}

/* --- linear ------------------------------------------------------------------------------------------------------ */

/* A layer on both sides: the CPU's panels and a copy. */
struct layer {
	struct linear host, dev;
};

static void layer_make(struct layer *l, enum dtype dt, int n, int k, int bias, enum fill f)
{
	size_t bytes = matmul_panel_bytes(dt, n, k), count = (size_t)n * (size_t)k;
	float *v = static_cast<float *>(alloc(count * sizeof(float)));
	uint16_t *h = static_cast<uint16_t *>(alloc(count * sizeof *h));
	fill_floats(v, count, f);
	for (size_t i = 0; i < count; i++)
		h[i] = dt == DT_BF16 ? f32_to_bf16(v[i]) : f == ANY ? (uint16_t)test_rand(&seed) : f32_to_f16(v[i]);
	*l = {};
	l->host.dt = dt;
	l->host.n = n;
	l->host.k = k;
	l->host.bytes = bytes;
	l->host.panels = alloc(bytes);
	if (bias) {
		l->host.bias = static_cast<float *>(alloc((size_t)n * sizeof(float)));
		fill_floats(l->host.bias, (size_t)n, f);
	}
	matmul_pack_rows(pool, l->host.panels, dt, k, 0, dt == DT_F32 ? static_cast<void *>(v) : h, (size_t)k, n);
	l->dev = l->host;
	l->dev.panels = device_copy(l->host.panels, bytes);
	l->dev.bias = bias ? static_cast<float *>(device_copy(l->host.bias, (size_t)n * sizeof(float))) : NULL;
	free(v);
	free(h);
}

static void layer_free(struct layer *l)
{
	free(l->host.panels);
	free(l->host.bias);
	cudaFree(l->dev.panels);
	cudaFree(l->dev.bias);
}

/* Runs m rows on both sides. Row i of the device's call is row i of x, so calls on fewer rows compare with the same `want`. */
static void check_rows(const struct layer *l, const float *x, size_t ldx, int m, const float *want, size_t ldy, const char *what)
{
	int n = l->host.n, k = l->host.k;
	size_t floats = (size_t)(m - 1) * ldy + (size_t)n, bytes = cuda_linear_scratch(m, &l->dev);
	float *got = static_cast<float *>(alloc(floats * sizeof(float)));
	next_order();
	for (size_t i = 0; i < floats; i++)
		got[i] = f32_of_bits(0x5ca1ab1e);
	float *dx = static_cast<float *>(device_copy(x, ((size_t)(m - 1) * ldx + (size_t)k) * sizeof(float)));
	float *dy = static_cast<float *>(device_copy(got, floats * sizeof(float)));
	void *scratch = bytes ? device_copy(NULL, bytes) : NULL;
	cuda_linear(NULL, { dy, m, n, ldy }, { dx, m, k, ldx }, &l->dev, scratch);
	fetch(got, dy, floats * sizeof(float));
	size_t bad = 0;
	while (bad < floats && f32_bits(got[bad]) == f32_bits(want[bad]))
		bad++;
	CHECK(bad == floats, "%s %s m=%d n=%d k=%d bias=%d: row %zu output %zu is %a (%08x), scalar %a (%08x)", what, dtype_name(l->host.dt), m,
	      n, k, l->host.bias != NULL, bad / ldy, bad % ldy, (double)got[bad % floats], (unsigned)f32_bits(got[bad % floats]),
	      (double)want[bad % floats], (unsigned)f32_bits(want[bad % floats]));
	cudaFree(dx);
	cudaFree(dy);
	cudaFree(scratch);
	free(got);
}

static float *scalar(const struct layer *l, const float *x, size_t ldx, int m, size_t ldy)
{
	size_t floats = (size_t)m * ldy;
	float *want = static_cast<float *>(alloc(floats * sizeof(float)));
	for (size_t i = 0; i < floats; i++)
		want[i] = f32_of_bits(0x5ca1ab1e);
	struct matmul_job j = {};
	j.y = want;
	j.ldy = ldy;
	j.x = x;
	j.ldx = ldx;
	j.bias = l->host.bias;
	j.m = m;
	j.n = l->host.n;
	j.k = l->host.k;
	j.dt = l->host.dt;
	j.panels = l->host.panels;
	j.height = 1;
	matmul_c.run(&j, 0, matmul_panels(j.n), 0, m);
	return want;
}

/* One layer, and the first rows of one x in calls of every size in ms. */
static void check_layer(enum dtype dt, int n, int k, int bias, enum fill f, const int *ms, int count, const char *what)
{
	struct layer l;
	int most = 0;
	for (int i = 0; i < count; i++)
		most = ms[i] > most ? ms[i] : most;
	size_t ldx = (size_t)k + 3, ldy = (size_t)n + 5;
	float *x = static_cast<float *>(alloc((size_t)most * ldx * sizeof(float)));
	layer_make(&l, dt, n, k, bias, f);
	fill_floats(x, (size_t)most * ldx, f);
	float *want = scalar(&l, x, ldx, most, ldy);
	for (int i = 0; i < count; i++)
		check_rows(&l, x, ldx, ms[i], want, ldy, what);
	layer_free(&l);
	free(x);
	free(want);
}

static void test_shapes(void)
{
	static const int ms[] = { 1, 2, 7, 12, 13, 33, 64, 129 }, ks[] = { 1, 2, 3, 15, 16, 17, 255, 256, 257, 600 };
	static const int ns[] = { 1, 31, 32, 33, 67, 129, 161 };
	printf("seed %llu ", seed);
	for (int a = 0, step = gpu_cases(1, 4); a < COUNT(ks); a += step)
		for (int dt = 0; dt < DT_COUNT; dt++)
			check_layer((enum dtype)dt, ns[below(COUNT(ns))], ks[a], (int)below(2), PLAIN, ms, COUNT(ms), "shapes");
}

/* Every number of outputs around the edges of panels and tiles, every number of rows around those of warps and tiles. */
static void test_edges(void)
{
	static const int ms[] = { 1, 3, 4, 5, 8, 9, 16, 17, 31, 32, 33, 63, 65 };
	static const int ns[] = { 1, 2, 15, 16, 17, 30, 31, 32, 33, 48, 63, 64, 65, 95, 97, 127, 128, 129, 130, 255, 257 };
	for (int i = 0, step = gpu_cases(1, 5); i < COUNT(ns); i += step) {
		int some[3];
		for (int j = 0; j < 3; j++)
			some[j] = ms[below(COUNT(ms))];
		check_layer((enum dtype)(i % DT_COUNT), ns[i], 258 + i, i & 1, PLAIN, some, 3, "edges");
	}
	for (int dt = 0; dt < DT_COUNT; dt++)
		check_layer((enum dtype)dt, 35, 270, 1, PLAIN, ms, COUNT(ms), "edges");
}

static void test_values(void)
{
	static const int ms[] = { 2, 13, 40 };
	for (int dt = 0; dt < DT_COUNT; dt++)
		for (int f = SMALL; f < FILLS; f++)
			for (int k = 30, step = gpu_cases(267, 800); k < 700; k += step)
				check_layer((enum dtype)dt, 45, k, k & 1, (enum fill)f, ms, COUNT(ms), "values");
}

/* Both kernels with and without their chunks split, so wide that there are blocks enough without. */
static void test_unsplit(void)
{
	static const int few[] = { 1, 9 }, many[] = { 33 };
	struct linear w = {};
	w.k = 513;
	w.n = 1024 * 32 - 32;
	CU_ASSERT_EQUAL(cuda_linear_scratch(1, &w), 3 * sizeof(float) * (size_t)w.n);
	w.n++;
	CU_ASSERT_EQUAL(cuda_linear_scratch(1, &w), 0);
	w.n = 131 * 128;
	CU_ASSERT_EQUAL(cuda_linear_scratch(64, &w), 64 * 3 * sizeof(float) * (size_t)w.n);
	CU_ASSERT_EQUAL(cuda_linear_scratch(65, &w), 0);
	w.k = 256;
	CU_ASSERT_EQUAL(cuda_linear_scratch(64, &w), 0);
	for (int dt = 0, end = gpu_cases(DT_COUNT, 0); dt < end; dt++) {
		check_layer((enum dtype)dt, 1023 * 32 + 5, 258, 1, PLAIN, few, 1 + (dt == DT_BF16), "unsplit");
		check_layer((enum dtype)dt, 131 * 128 + 3, dt == DT_F16 ? 513 : 259, 0, PLAIN, many, 1, "unsplit");
	}
}

static void test_none(void)
{
	struct layer l;
	layer_make(&l, DT_F32, 3, 300, 0, PLAIN);
	CU_ASSERT_EQUAL(cuda_linear_scratch(0, &l.dev), 0);
	cuda_linear(NULL, { NULL, 0, 3, 3 }, { NULL, 0, 300, 300 }, &l.dev, NULL);
	cuda_lse(NULL, NULL, { NULL, 0, 5, 5 }, NULL);
	CU_ASSERT_EQUAL(cudaDeviceSynchronize(), cudaSuccess);
	layer_free(&l);
}

/* --- lse --------------------------------------------------------------------------------------------------------- */

enum row { R_PLAIN, R_WIDE, R_ANY, R_TINY, R_ZEROS, R_TIES, R_RISING, R_FALLING, R_NONE, R_HALF, R_INF, R_NAN_FIRST, R_NAN_LAST, R_NAN, R_HUGE, R_LOW, ROWS };

static void lse_row(float *x, int v, enum row kind)
{
	float inf = f32_of_bits(0x7f800000);
	for (int i = 0; i < v; i++) {
		float p = gauss();
		switch (kind) {
		case R_WIDE: p *= 60.0f; break;
		case R_ANY: p = f32_of_bits((uint32_t)test_rand(&seed) & 0xff7fffffu); break; /* no NaN, no Inf */
		case R_TINY: p *= 0x1p-126f; break;
		case R_ZEROS: p = below(2) ? 0.0f : -0.0f; break;
		case R_TIES: p = (float)below(3) - 1.0f; break;
		case R_RISING: p += (float)(i / 4096) * 40.0f; break;
		case R_FALLING: p -= (float)(i / 4096) * 70.0f; break;
		case R_NONE: p = -inf; break;
		case R_HALF: p = i < v / 2 ? -inf : p; break;
		case R_HUGE: p *= 0x1p+126f; break;
		case R_LOW: p = -f32_of_bits(0x7f7fffff); break; /* times log2 e: -Inf */
		default: break;
		}
		x[i] = p;
	}
	int at = kind == R_NAN_FIRST ? 0 : kind == R_NAN_LAST ? v - 1 : (int)below((unsigned)v);
	if (kind == R_INF)
		x[at] = inf;
	if (kind == R_NAN_FIRST || kind == R_NAN_LAST || kind == R_NAN)
		x[at] = f32_of_bits(0xffc12345);
}

static void check_lse(int v, const int *kinds, int rows)
{
	size_t ld = (size_t)v + 3, floats = (size_t)(rows - 1) * ld + (size_t)v;
	float *x = static_cast<float *>(alloc(floats * sizeof(float)));
	int32_t *target = static_cast<int32_t *>(alloc((size_t)rows * sizeof(int32_t)));
	struct lse *want = static_cast<struct lse *>(alloc((size_t)rows * sizeof *want));
	struct lse *got = static_cast<struct lse *>(alloc((size_t)rows * sizeof *got));
	for (size_t i = 0; i < floats; i++)
		x[i] = f32_of_bits(0x7fc00000); /* between the rows */
	for (int i = 0; i < rows; i++) {
		lse_row(x + (size_t)i * ld, v, (enum row)kinds[i]);
		target[i] = below(4) ? (int32_t)below((unsigned)v) : -1;
		lse_c(&want[i], x + (size_t)i * ld, v, target[i]);
	}
	next_order();
	float *dx = static_cast<float *>(device_copy(x, floats * sizeof(float)));
	int32_t *dt = static_cast<int32_t *>(device_copy(target, (size_t)rows * sizeof *target));
	struct lse *dout = static_cast<struct lse *>(device_copy(NULL, (size_t)rows * sizeof *got));
	cuda_lse(NULL, dout, { dx, rows, v, ld }, dt);
	fetch(got, dout, (size_t)rows * sizeof *got);
	for (int i = 0; i < rows; i++)
		CHECK(!memcmp(&got[i], &want[i], sizeof *got), "lse v=%d kind %d target %d: m %a %a l %a %a z %a %a argmax %d %d top %a %a", v,
		      kinds[i], target[i], (double)got[i].m, (double)want[i].m, (double)got[i].l, (double)want[i].l, (double)got[i].z,
		      (double)want[i].z, got[i].argmax, want[i].argmax, (double)got[i].top, (double)want[i].top);
	cudaFree(dx);
	cudaFree(dt);
	cudaFree(dout);
	free(x);
	free(target);
	free(want);
	free(got);
}

static void test_lse(void)
{
	static const int widths[] = { 1, 2, 3, 100, 127, 128, 129, 255, 1000, 8191, 8192, 8193, 8320, 8321, 16385, 50257 };
	int kinds[ROWS];
	for (int i = 0; i < ROWS; i++)
		kinds[i] = i;
	for (int i = 0, step = gpu_cases(1, 3); i < COUNT(widths); i += step)
		check_lse(widths[i], kinds, ROWS);
}

/* More segments than groups of a block, ends at, before and behind. */
static void test_lse_rounds(void)
{
	static const int widths[] = { 8 * 8192 - 1, 8 * 8192, 8 * 8192 + 1, 128256, 151936 };
	static const int kinds[] = { R_PLAIN, R_RISING, R_FALLING, R_HALF, R_NAN_LAST, R_TIES };
	for (int i = 0, end = gpu_cases(COUNT(widths), 1); i < end; i++)
		check_lse(widths[i], kinds, COUNT(kinds));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "linear: shapes and types", test_shapes },
		{ "linear: edges of panels and tiles", test_edges },
		{ "linear: tiny values, infinities, NaN", test_values },
		{ "linear: wide layers, chunks not split", test_unsplit },
		{ "lse: widths and values", test_lse },
		{ "lse: many segments", test_lse_rounds },
		{ "no rows", test_none },
		{ NULL, NULL },
	};
	struct err e = {};
	struct device *gpu;
	seed = test_seed();
	if (cuda_device_open(&gpu, 0, 1, &e))
		return gpu_absent(&e);
	printf("%s", device_describe(gpu));
	if (pool_open(&pool, 1, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		return GPU_BROKEN;
	}
	int rc = test_main("cuda_matmul", tests, argc, argv);
	pool_close(pool);
	device_close(gpu);
	return gpu_end(rc);
}
