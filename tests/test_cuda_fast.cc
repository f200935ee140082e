/* test_cuda_fast - numerics fast: the layers on tensor cores through cublasLt, their id, the self-test and the file of choices.
 *
 * What a layer gives is compared with float64 of the rounded operands, and row by row with the same row in any other batch (memcmp).
 * Over the emulator (ASSAY_CUDA_EMU) the library is the tests' own (fake_cublaslt.h): it is then also old, absent, incomplete,
 * and full of algorithms that depend on the batch. On a device it is NVIDIA's, and the same shapes run through it.
 */
#include "kernels/cuda.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "kernels/base/half.h"
#include "kernels/cuda_ops.h"
#include "kernels/device.h"
#include "kernels/fast.h"
#include "tests/gpu.h"
#include "tests/test.h"

#ifdef ASSAY_CUDA_EMU
#include "tests/fake_cublaslt.h"
#endif

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

static unsigned long long state;
static const char *cache; /* this test's own, never the user's */

static float plain(void) /* about N(0, 1) */
{
	float s = 0.0f;
	for (int i = 0; i < 4; i++)
		s += (float)(test_rand(&state) >> 42) * 0x1p-21f - 1.0f;
	return s;
}

/* --- the folder of the cache --- */

static std::string cached(void) /* the one file in it, or "" */
{
	std::string dir = std::string(cache) + "/assay", name;
	DIR *d = opendir(dir.c_str());
	while (struct dirent *f = d ? readdir(d) : nullptr)
		if (f->d_name[0] != '.')
			name = dir + "/" + f->d_name;
	if (d)
		closedir(d);
	return name;
}

static std::string text_of(const std::string &path)
{
	std::string s;
	FILE *f = fopen(path.c_str(), "r");
	for (int c; f && (c = fgetc(f)) != EOF;)
		s += (char)c;
	if (f)
		fclose(f);
	return s;
}

static void forget(void)
{
	for (std::string f; !(f = cached()).empty();)
		unlink(f.c_str());
}

/* --- devices --- */

static struct device *open_fast(const char *asked, struct err *e)
{
	struct device *d = nullptr;
	*e = {};
	if (cuda_device_open(&d, 0, 1, e) < 0)
		return nullptr;
	if (cuda_device_fast(d, asked, e) == 0)
		return d;
	device_close(d);
	return nullptr;
}

static struct device *must_open(void)
{
	struct err e;
	struct device *d = open_fast("fast", &e);
	if (!d) {
		printf("\n    %s\n", e.msg);
		exit(99);
	}
	return d;
}

/* --- layers --- */

struct layer {
	int n, k;
	enum dtype dt;
	std::vector<float> w; /* as rounded to bf16 */
	std::vector<float> bias;
	struct linear on;
};

/* Random weights of the type, given to the device in two calls, rows ld apart. */
static int make(struct layer *l, struct device *d, int n, int k, enum dtype dt, int bias, struct err *e)
{
	size_t ld = (size_t)k + (n % 2 ? 3 : 0);
	std::vector<float> f32((size_t)n * ld, NAN);
	std::vector<uint16_t> half((size_t)n * ld, 0x7fff);
	l->n = n;
	l->k = k;
	l->dt = dt;
	l->w.resize((size_t)n * (size_t)k);
	l->bias.assign((size_t)n, 0.0f);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < k; j++) {
			size_t at = (size_t)i * ld + (size_t)j;
			float v = plain() * 0.125f;
			half[at] = dt == DT_BF16 ? f32_to_bf16(v) : f32_to_f16(v);
			f32[at] = dt == DT_F32 ? v : dt == DT_BF16 ? bf16_to_f32(half[at]) : f16_to_f32(half[at]);
			l->w[(size_t)i * (size_t)k + (size_t)j] = bf16_to_f32(f32_to_bf16(f32[at]));
		}
	if (d->ops->linear_init(d, &l->on, dt, n, k, bias, e) < 0)
		return -1;
	const char *src = dt == DT_F32 ? (const char *)f32.data() : (const char *)half.data();
	int first = n / 3;
	d->ops->linear_rows(d, &l->on, 0, src, ld, first);
	d->ops->linear_rows(d, &l->on, first, src + (size_t)first * ld * dtype_size(dt), ld, n - first);
	for (int i = 0; bias && i < n; i++)
		l->bias[(size_t)i] = plain();
	if (bias)
		d->ops->put(d, l->on.bias, l->bias.data(), (size_t)n * 4);
	return d->ops->sync(d, e);
}

static struct layer made(struct device *d, int n, int k, enum dtype dt, int bias)
{
	struct layer l;
	struct err e = {};
	CHECK(make(&l, d, n, k, dt, bias, &e) == 0, "%dx%d: %s", n, k, e.msg);
	return l;
}

static std::vector<float> random_rows(int m, int k)
{
	std::vector<float> x((size_t)m * (size_t)k);
	for (float &v : x)
		v = plain();
	return x;
}

#define GAP 5 /* floats behind each row of x and y, which nobody may read or write */

static std::vector<float> run(struct device *d, const struct layer *l, const float *x, int m, struct err *e)
{
	size_t ldx = (size_t)l->k + GAP, ldy = (size_t)l->n + GAP;
	std::vector<float> in((size_t)m * ldx, NAN), out((size_t)m * ldy, 77.0f), y((size_t)m * (size_t)l->n);
	for (int i = 0; i < m; i++)
		memcpy(&in[(size_t)i * ldx], x + (size_t)i * (size_t)l->k, (size_t)l->k * 4);
	void *dx = d->ops->alloc(d, in.size() * 4, e), *dy = d->ops->alloc(d, out.size() * 4, e);
	*e = {};
	d->ops->put(d, dx, in.data(), in.size() * 4);
	d->ops->put(d, dy, out.data(), out.size() * 4);
	d->ops->linear(d, { (float *)dy, m, l->n, ldy }, { (float *)dx, m, l->k, ldx }, &l->on);
	d->ops->get(d, out.data(), dy, out.size() * 4);
	d->ops->sync(d, e);
	for (int i = 0; i < m; i++) {
		memcpy(&y[(size_t)i * (size_t)l->n], &out[(size_t)i * ldy], (size_t)l->n * 4);
		for (size_t j = (size_t)l->n; j < ldy; j++)
			if (out[(size_t)i * ldy + j] != 77.0f)
				CHECK(0, "row %d: the gap is written", i);
	}
	d->ops->release(d, dx);
	d->ops->release(d, dy);
	return y;
}

/* The largest error against float64, of the rounded operands (what the sums lose) and of the activations as they came (RMS, relative
 * to the RMS of the results). */
static void errors(const struct layer *l, const float *x, const float *y, int m, double *sums, double *all)
{
	double worst = 0, e2 = 0, y2 = 0;
	for (int i = 0; i < m; i++)
		for (int j = 0; j < l->n; j++) {
			double s = 0, size = 0, s0 = 0;
			for (int k = 0; k < l->k; k++) {
				double a = x[(size_t)i * (size_t)l->k + (size_t)k], w = l->w[(size_t)j * (size_t)l->k + (size_t)k];
				double r = bf16_to_f32(f32_to_bf16((float)a));
				s += r * w;
				s0 += a * w;
				size += fabs(r * w);
			}
			double got = (double)y[(size_t)i * (size_t)l->n + (size_t)j] - (double)l->bias[(size_t)j];
			double off = fabs(got - s) / (size + fabs((double)l->bias[(size_t)j]) + 1e-30);
			worst = off > worst ? off : worst;
			e2 += (got - s0) * (got - s0);
			y2 += s0 * s0;
		}
	*sums = worst;
	*all = sqrt(e2 / (y2 + 1e-30));
}

static const struct {
	int n, k;
	enum dtype dt;
	int bias;
} shapes[] = {
	{ 64, 64, DT_BF16, 0 }, { 33, 50, DT_F32, 1 }, { 1, 1, DT_F16, 1 }, { 7, 129, DT_BF16, 1 }, { 40, 8, DT_F16, 0 }, { 100, 257, DT_F32, 0 },
};

static void test_results(void)
{
	struct device *d = must_open();
	for (int i = 0; i < COUNT(shapes); i++) {
		struct layer l = made(d, shapes[i].n, shapes[i].k, shapes[i].dt, shapes[i].bias);
		static const int batch[] = { 1, 16, 17, 70 };
		for (int m : batch) {
			struct err e;
			std::vector<float> x = random_rows(m, l.k), y = run(d, &l, x.data(), m, &e);
			double sums, all;
			CHECK(e.code == E_NONE, "%s", e.msg);
			errors(&l, x.data(), y.data(), m, &sums, &all);
			CHECK(sums < 0x1p-16, "%dx%d, %d rows: sums are off by %g", l.n, l.k, m, sums);
			CHECK(all < 0x1p-8, "%dx%d, %d rows: %g RMS", l.n, l.k, m, all);
		}
		d->ops->linear_free(d, &l.on);
		CHECK(!l.on.panels && !l.on.bias, "freed");
	}
	device_close(d);
}

/* A row's bits are the same alone, and at any place of any batch, larger than the largest bucket too. */
static void batches(int n, int k)
{
	struct device *d = must_open();
	struct layer l = made(d, n, k, DT_BF16, 1);
	const int rows = 4100;
	struct err e;
	std::vector<float> x = random_rows(rows, l.k), all = run(d, &l, x.data(), rows, &e);
	CHECK(e.code == E_NONE, "%s", e.msg);
	static const int cut[][2] = { { 0, 1 }, { 4099, 1 }, { 4095, 2 }, { 3, 16 }, { 77, 33 }, { 1000, 64 }, { 5, 129 }, { 2000, 513 }, { 2, 2049 } };
	for (const auto &c : cut) {
		std::vector<float> y = run(d, &l, &x[(size_t)c[0] * (size_t)l.k], c[1], &e);
		CHECK(!memcmp(y.data(), &all[(size_t)c[0] * (size_t)l.n], y.size() * 4), "rows %d to %d by themselves", c[0], c[0] + c[1] - 1);
	}
	d->ops->linear_free(d, &l.on);
	device_close(d);
}

static void test_batches(void)
{
	batches(24, 72);
#ifndef ASSAY_CUDA_EMU /* shapes of models, at which tensor cores are busy */
	static const int shape[][2] = { { 4096, 4096 }, { 1024, 4096 }, { 14336, 4096 }, { 4096, 14336 }, { 2048, 2048 }, { 50257, 768 }, { 8192, 2048 } };
	for (int i = 0; i < gpu_cases(COUNT(shape), 1); i++)
		batches(shape[i][0], shape[i][1]);
#endif
}

/* Random weights in place of those of a checkpoint: whatever its type, every weight of every row is noise of the type that a layer holds. */
static void test_noise(void)
{
	struct device *d = must_open();
	for (int dt = 0; dt < DT_COUNT; dt++) {
		struct err e = {};
		struct linear w;
		CU_ASSERT_FATAL(d->ops->linear_init(d, &w, (enum dtype)dt, 64, 64, 0, &e) == 0);
		size_t n = w.bytes / dtype_size(w.held), odd = 0, zero = 0;
		std::vector<uint16_t> held(n);
		d->ops->noise(d, w.panels, w.held, n, 7, 0.25f);
		CHECK(w.held == DT_BF16 && n == 64 * 64, "%s: %zu values", dtype_name((enum dtype)dt), n);
		d->ops->get(d, held.data(), w.panels, n * 2);
		CHECK(d->ops->sync(d, &e) == 0, "%s", e.msg);
		for (uint16_t v : held) {
			zero += !(v & 0x7fff);
			odd += !(fabsf(bf16_to_f32(v)) < 0.25f);
		}
		CHECK(odd == 0 && zero < n / 64, "%s: %zu values too large, %zu zeros of %zu", dtype_name((enum dtype)dt), odd, zero, n);
		d->ops->linear_free(d, &w);
	}
	device_close(d);
}

/* A NaN or Inf reaches its own row alone, and comes out canonical. */
static void test_nan(void)
{
	struct device *d = must_open();
	struct layer l = made(d, 9, 20, DT_F32, 1);
	struct err e;
	std::vector<float> x = random_rows(3, l.k), clean = run(d, &l, x.data(), 3, &e);
	x[(size_t)l.k + 3] = f32_of_bits(0xffc12345u);
	std::vector<float> y = run(d, &l, x.data(), 3, &e);
	for (int j = 0; j < l.n; j++) {
		CHECK(f32_bits(y[(size_t)(l.n + j)]) == 0x7fc00000u, "0x%08x", f32_bits(y[(size_t)(l.n + j)]));
		CHECK(f32_bits(y[(size_t)j]) == f32_bits(clean[(size_t)j]) && f32_bits(y[(size_t)(2 * l.n + j)]) == f32_bits(clean[(size_t)(2 * l.n + j)]),
		      "another row changed");
	}
	x[(size_t)l.k + 3] = 0.0f;
	x[(size_t)l.k + 4] = 3.4e38f; /* rounds to Inf */
	y = run(d, &l, x.data(), 3, &e);
	CHECK(isinf(y[(size_t)l.n]), "%g", (double)y[(size_t)l.n]);
	y = run(d, &l, x.data(), 0, &e);
	CHECK(e.code == E_NONE, "no rows: %s", e.msg);
	d->ops->linear_free(d, &l.on);
	device_close(d);
}

static void test_ids(void)
{
	struct err e;
	struct device *d = must_open();
	std::string id = device_numerics(d);
	unsigned arch, a, b, c, digest;
	char end;
	CHECK(sscanf(id.c_str(), "fast/sm_%u/%u.%u.%u/%8x%c", &arch, &a, &b, &c, &digest, &end) == 5, "%s", id.c_str());
	device_close(d);
	d = open_fast(id.c_str(), &e);
	CHECK(d && id == device_numerics(d), "%s", e.msg);
	device_close(d);
	CHECK(!open_fast("fast/sm_20/1.0.0/00000000", &e) && e.code == E_UNSUPPORTED && strstr(e.msg, "fast/sm_20/1.0.0/00000000") &&
	      strstr(e.msg, id.c_str()), "%s", e.msg);
	d = nullptr;
	CHECK(cuda_device_open(&d, 0, 1, &e) == 0 && !strcmp(device_numerics(d), "chain32/1"), "exact");
	device_close(d);
	struct device_opts o = {};
	o.name = "cpu";
	o.threads = 1;
	o.numerics = "fast";
	CHECK(device_open(&d, &o, &e) == -1 && e.code == E_USAGE && strstr(e.msg, "CUDA"), "%s", e.msg);
	o.numerics = id.c_str();
	CHECK(device_open(&d, &o, &e) == -1 && e.code == E_USAGE, "%s", e.msg);
	o.numerics = "fats";
	CHECK(device_open(&d, &o, &e) == -1 && e.code == E_USAGE && strstr(e.msg, "did you mean 'fast'"), "%s", e.msg);
	o.numerics = "chain32/1";
	CHECK(device_open(&d, &o, &e) == 0 && !strcmp(device_numerics(d), "chain32/1"), "%s", e.msg);
	device_close(d);
}

/* A second start reads the choice and gives the same bits; so does one without the file. */
static void test_starts(void)
{
	forget();
	const unsigned long long seed = state;
	std::vector<float> first;
	for (int i = 0; i < 3; i++) {
		state = seed;
		struct device *d = must_open();
		struct layer l = made(d, 48, 96, DT_BF16, 0);
		struct err e;
		std::vector<float> x = random_rows(40, l.k), y = run(d, &l, x.data(), 40, &e);
		if (i == 0)
			first = y;
		CHECK(!memcmp(first.data(), y.data(), y.size() * 4), "start %d", i);
		CHECK(!cached().empty(), "no file of choices");
		if (i == 1)
			forget();
		d->ops->linear_free(d, &l.on);
		device_close(d);
	}
}

static void write_text(const std::string &path, const std::string &s)
{
	FILE *f = fopen(path.c_str(), "w");
	fwrite(s.data(), 1, s.size(), f);
	fclose(f);
}

/* A file with one byte changed anywhere, of any smaller length, or of another key, is as good as none. */
static void test_damage(void)
{
	static const char key[] = "fast/sm_90/13.1.0/01234567 | some device | driver 13010";
	struct fast_cache c;
	struct fast_choice a = {};
	forget();
	fast_cache_open(&c, key);
	CHECK(c.n == 0 && !fast_cache_find(&c, 16, 24), "empty");
	for (int n = 8; n <= 24; n += 8) {
		a = {};
		a.n = n;
		a.k = 24;
		a.buckets = FAST_BUCKETS - a.n / 16;
		for (int i = 0; i < a.buckets * 8; i++)
			a.algo[i / 8].data[i % 8] = test_rand(&state);
		CHECK(fast_cache_add(&c, &a) == 0, "added");
	}
	std::string path = c.path, good = text_of(path);
	CHECK(path == cached() && good.size() > 1000, "%s", path.c_str());
	a = *fast_cache_find(&c, 24, 24);
	fast_cache_close(&c);
	fast_cache_open(&c, key);
	CHECK(c.n == 3 && fast_cache_find(&c, 24, 24) && !memcmp(fast_cache_find(&c, 24, 24), &a, sizeof a), "read again: %d", c.n);
	fast_cache_drop(&c, 8, 24);
	CHECK(c.n == 2 && !fast_cache_find(&c, 8, 24) && fast_cache_find(&c, 16, 24), "dropped");
	fast_cache_close(&c);
	for (size_t i = 0; i < good.size(); i += i < 150 || i + 100 > good.size() ? 1 : 101) {
		std::string bad = good;
		bad[i] = (char)(bad[i] ^ (i % 3 ? 1 : 0x80));
		write_text(path, bad);
		fast_cache_open(&c, key);
		CHECK(c.n == 0, "byte %zu changed", i);
		fast_cache_close(&c);
		write_text(path, good.substr(0, i));
		fast_cache_open(&c, key);
		CHECK(c.n == 0, "%zu bytes", i);
		fast_cache_close(&c);
	}
	/* whole, but not what it should be: the digest is right */
	static const char *const odd[] = { "shape 16 24 9 \n", "shape 0 24 1 ", "shape 16 24 10 ", "shape 99999999999 1 1 ", "nothing\n", "shape 16 24 1 zz" };
	for (const char *o : odd) {
		std::string s = std::string("assay fast choices 1\n") + key + "\n" + o + std::string(128, '0') + "\n";
		char digest[32];
		snprintf(digest, sizeof digest, "digest %016llx\n", (unsigned long long)fast_hash_end(fast_hash(FAST_HASH0, s.data(), s.size())));
		write_text(path, s + digest);
		fast_cache_open(&c, key);
		CHECK(c.n == 0, "%s", o);
		fast_cache_close(&c);
	}
	write_text(path, good);
	fast_cache_open(&c, "another key");
	CHECK(c.n == 0 && path != c.path, "another key");
	fast_cache_close(&c);
	forget();
}

#ifdef ASSAY_CUDA_EMU

/* --- the library is what it should not be --- */

static void test_libraries(void)
{
	struct err e;
	fake_reset();
	int opened = fake.opened, closed = fake.closed;
	struct device *d = nullptr;
	CHECK(cuda_device_open(&d, 0, 1, &e) == 0 && fake.opened == opened, "exact numerics open no library");
	device_close(d);
	fake.absent = 1;
	CHECK(!open_fast("fast", &e) && e.code == E_UNSUPPORTED && strstr(e.msg, "libcublasLt.so.13") && strstr(e.msg, "not on this machine"), "%s",
	      e.msg);
	static const char *const names[] = { "libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so" };
	for (const char *name : names) {
		fake_reset();
		fake.only = name;
		d = open_fast("fast", &e);
		CHECK(d, "%s: %s", name, e.msg);
		device_close(d);
	}
	fake_reset();
	fake.version = 110803;
	CHECK(!open_fast("fast", &e) && strstr(e.msg, "12.0") && strstr(e.msg, "11.8.3"), "%s", e.msg);
	static const char *const symbols[] = { "cublasLtMatmul", "cublasLtMatmulAlgoCheck", "cublasLtGetVersion", "cublasLtGetStatusName" };
	for (const char *s : symbols) {
		fake_reset();
		fake.missing = s;
		CHECK(!open_fast("fast", &e) && e.code == E_UNSUPPORTED && strstr(e.msg, s), "%s: %s", s, e.msg);
	}
	fake_reset();
	fake.create_status = 1;
	CHECK(!open_fast("fast", &e) && e.code == E_DEVICE && strstr(e.msg, "NOT_INITIALIZED") && strstr(e.msg, "13.1.0"), "%s", e.msg);
	fake_reset();
	CHECK(fake.handles == 0 && fake.objects == 0 && fake.opened - opened == fake.closed - closed, "left: %d handles, %d objects, %d of %d closed",
	      fake.handles, fake.objects, fake.closed - closed, fake.opened - opened);
}

/* Which algorithms a fresh choice for a shape runs with: those of a call, after the self-test. */
static unsigned chosen(struct device *d, struct layer *l)
{
	struct err e;
	unsigned taken = 0;
	static const int batch[] = { 1, 100, 600, 4096 };
	for (int m : batch) {
		std::vector<float> x = random_rows(m, l->k);
		fake.taken = 0;
		run(d, l, x.data(), m, &e);
		taken |= fake.taken;
	}
	return taken;
}

static void test_choice(void)
{
	static const struct {
		int offered[8], n;
		int no_suggestions;
		unsigned want; /* 0: an error */
	} cases[] = {
		{ { FAKE_WORKSPACE, FAKE_HALF, FAKE_VARIES, FAKE_SPLITS, FAKE_PLACED, FAKE_GOOD }, 6, 0, 1u << FAKE_GOOD },
		{ { FAKE_GOOD, FAKE_VARIES, FAKE_SPLITS, FAKE_PLACED }, 4, 1, 1u << FAKE_GOOD },
		{ { FAKE_VARIES, FAKE_MIXED }, 2, 0, 1u << FAKE_MIXED },
		{ { FAKE_MIXED, FAKE_GOOD }, 2, 0, 1u << FAKE_MIXED },
		{ { FAKE_VARIES }, 1, 0, 0 },
		{ { FAKE_SPLITS }, 1, 0, 0 },
		{ { FAKE_PLACED }, 1, 0, 0 },
		{ { FAKE_WORKSPACE }, 1, 0, 0 },
		{ { FAKE_HALF }, 1, 0, 0 },
	};
	for (int i = 0; i < COUNT(cases); i++) {
		forget();
		fake_reset();
		memcpy(fake.offered, cases[i].offered, sizeof fake.offered);
		fake.noffered = cases[i].n;
		fake.no_suggestions = cases[i].no_suggestions;
		struct device *d = must_open();
		struct layer l;
		struct err e = {};
		int rc = make(&l, d, 16, 80, DT_BF16, 0, &e);
		if (cases[i].want) {
			CHECK(rc == 0, "case %d: %s", i, e.msg);
			unsigned got = rc == 0 ? chosen(d, &l) : 0;
			CHECK(got == cases[i].want, "case %d: algorithms 0x%x, wanted 0x%x", i, got, cases[i].want);
			d->ops->linear_free(d, &l.on);
		} else {
			CHECK(rc == -1 && e.code == E_UNSUPPORTED && strstr(e.msg, "16 outputs and 80 inputs"), "case %d: %d %s", i, rc, e.msg);
			CHECK(cached().empty(), "case %d: an error is kept", i);
		}
		device_close(d);
	}
	fake_reset();
}

/* The id follows what the library offers and suggests, and its version; not what is no concern of it. */
static void test_digest(void)
{
	std::vector<std::string> ids;
	for (int i = 0; i < 5; i++) {
		fake_reset();
		if (i == 1)
			fake.version = 130200;
		if (i == 2)
			fake.offered[0] = fake.offered[1] = FAKE_MIXED;
		if (i == 3)
			fake.no_suggestions = 1;
		if (i == 4)
			fake.only = "libcublasLt.so";
		struct device *d = must_open();
		ids.push_back(device_numerics(d));
		device_close(d);
	}
	fake_reset();
	CHECK(ids[1] != ids[0] && strstr(ids[1].c_str(), "/13.2.0/"), "%s", ids[1].c_str());
	CHECK(ids[2] != ids[0] && ids[3] != ids[0] && ids[2] != ids[3], "%s %s", ids[2].c_str(), ids[3].c_str());
	CHECK(ids[4] == ids[0], "%s %s", ids[4].c_str(), ids[0].c_str());
}

/* --- the file of choices --- */

static int products_of_a_start(int n, int k) /* of the self-test */
{
	fake.matmuls = 0;
	struct device *d = must_open();
	struct layer l = made(d, n, k, DT_BF16, 0);
	d->ops->linear_free(d, &l.on);
	device_close(d);
	return fake.matmuls;
}

static void test_cache(void)
{
	fake_reset();
	forget();
	CHECK(products_of_a_start(16, 24) > 20 && products_of_a_start(16, 24) == 0, "kept and read");
	CHECK(products_of_a_start(32, 24) > 20 && products_of_a_start(16, 24) == 0 && products_of_a_start(32, 24) == 0, "two shapes");
	/* the same padded shape is one choice */
	CHECK(products_of_a_start(31, 17) == 0, "31x17 is 32x24");
	std::string path = cached(), good = text_of(path);
	CHECK(good.size() > 1000 && !good.compare(0, 20, "assay fast choices 1"), "%s", good.substr(0, 40).c_str());
	write_text(path, good.substr(0, good.size() - 1));
	CHECK(products_of_a_start(16, 24) > 20 && text_of(path).size() < good.size() && products_of_a_start(16, 24) == 0, "cut short, made again");
	write_text(path, good);
	CHECK(products_of_a_start(32, 24) == 0 && text_of(path) == good, "restored");
	/* another library has another id, and so another file */
	fake.version = 130200;
	CHECK(products_of_a_start(16, 24) > 20 && products_of_a_start(16, 24) == 0, "another version");
	fake.version = 130100;
	CHECK(products_of_a_start(16, 24) == 0, "the first is still there");
	/* nowhere to write */
	forget();
	std::string file = std::string(cache) + "/file";
	write_text(file, "no folder");
	setenv("XDG_CACHE_HOME", file.c_str(), 1);
	CHECK(products_of_a_start(16, 24) > 20 && products_of_a_start(16, 24) > 20, "nothing is kept");
	setenv("XDG_CACHE_HOME", "relative", 1);
	setenv("HOME", cache, 1);
	CHECK(products_of_a_start(16, 24) > 20 && products_of_a_start(16, 24) == 0, "HOME");
	std::string home = std::string(cache) + "/.cache";
	CHECK(access((home + "/assay").c_str(), F_OK) == 0, "~/.cache/assay");
	setenv("XDG_CACHE_HOME", cache, 1);
}

/* --- failures --- */

static void test_failures(void)
{
	struct err e = {};
	fake_reset();
	forget();
	size_t before = emu_allocations();
	struct device *d = must_open();
	struct layer l;
	for (int i = 1; i <= 6; i++) { /* panels, x, y, the reference, the counter; then none */
		emu_fail("cudaMalloc", i, cudaErrorMemoryAllocation);
		int rc = make(&l, d, 16, 24, DT_BF16, 0, &e);
		emu_fail("cudaMalloc", 0, cudaSuccess);
		if (i <= 5)
			CHECK(rc == -1 && e.code == E_MEMORY && strstr(e.msg, "memory"), "block %d: %d %s", i, rc, e.msg);
		if (l.on.panels)
			d->ops->linear_free(d, &l.on);
		device_close(d);
		CHECK(emu_allocations() == before, "block %d: %zu allocations are left", i, emu_allocations() - before);
		forget();
		d = must_open();
	}
	e = {};
	fake.matmul_status = 13;
	CHECK(make(&l, d, 16, 24, DT_BF16, 0, &e) == -1 && e.code == E_DEVICE && strstr(e.msg, "EXECUTION_FAILED"),
	      "a failing device is no reason to choose another algorithm: %s", e.msg);
	fake.matmul_status = 0;
	l = made(d, 16, 24, DT_BF16, 0);
	fake.matmul_status = 13;
	std::vector<float> x = random_rows(2, 24);
	run(d, &l, x.data(), 2, &e);
	CHECK(e.code == E_DEVICE && strstr(e.msg, "EXECUTION_FAILED"), "%s", e.msg);
	fake.matmul_status = 0;
	run(d, &l, x.data(), 2, &e);
	CHECK(e.code == E_NONE, "%s", e.msg);
	d->ops->linear_free(d, &l.on);
	CHECK(d->ops->linear_init(d, &l.on, DT_F32, 0, 4, 0, &e) == -1 && e.code == E_RANGE, "%s", e.msg);
	CHECK(d->ops->linear_init(d, &l.on, DT_F32, 1 << 29, 1 << 24, 0, &e) == -1, "%s", e.msg);
	device_close(d);
	CHECK(emu_allocations() == before && fake.handles == 0 && fake.objects == 0, "left: %zu allocations, %d handles, %d objects",
	      emu_allocations() - before, fake.handles, fake.objects);
}

#endif

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "ids", test_ids },
		{ "results against float64", test_results },
		{ "a row's bits in any batch", test_batches },
		{ "random weights", test_noise },
		{ "NaN and Inf", test_nan },
		{ "every start the same", test_starts },
		{ "damaged files of choices", test_damage },
#ifdef ASSAY_CUDA_EMU
		{ "libraries: absent, old, incomplete, failing", test_libraries },
		{ "algorithms that depend on the batch are not taken", test_choice },
		{ "the id follows the library", test_digest },
		{ "the file of choices", test_cache },
		{ "failures", test_failures },
#endif
		{ NULL, NULL },
	};
	struct device *d = nullptr;
	struct err e = {};
	state = test_seed();
	cache = test_tmpdir();
	setenv("XDG_CACHE_HOME", cache, 1);
	int rc = cuda_device_open(&d, 0, 1, &e) < 0 ? gpu_absent(&e) : 0;
	if (rc == 0 && cuda_device_fast(d, "fast", &e) < 0) {
		printf("%s\n", e.msg);
		rc = strstr(e.msg, "which is not on this machine") ? GPU_SKIPPED : GPU_BROKEN;
	} else if (rc == 0) {
		printf("%s, %s", device_describe(d), device_numerics(d));
	}
	device_close(d);
	if (rc == 0)
		rc = test_main("cuda_fast", tests, argc, argv);
	test_rmdir(cache);
	return gpu_end(rc);
}
