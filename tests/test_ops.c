/* test_ops - the device's operations as a whole: which rows they touch, paging, and that neither threads nor the grouping
 * of rows changes a bit. What one row computes is the business of test_rowops and test_matmul.
 */
#include "tests/test.h"

#include <stdint.h>

#include "kernels/base/half.h"
#include "kernels/ops.h"

#define CANARY 0x5ca1ab1eu

static unsigned long long seed;

static void fill(float *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (float)(int32_t)(test_rand(&seed) >> 32) * 0x1p-29f;
}

static void paint(float *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = f32_of_bits(CANARY);
}

static struct device *open_with(int threads)
{
	struct device *d = NULL;
	struct err e = { 0 };
	int rc = device_open(&d, &(struct device_opts){ .name = "cpu", .threads = threads, .max_level = cpu_best() }, &e);
	CHECK(rc == 0, "%s", e.msg);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	return d;
}

static float *need(struct device *d, size_t n)
{
	struct err e = { 0 };
	float *p = device_ops(d)->alloc(d, n * sizeof *p, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	return p;
}

static void test_open(void)
{
	struct device *d = NULL;
	struct err e = { 0 };
	CU_ASSERT_EQUAL(device_open(&d, &(struct device_opts){ .name = "cpi", .max_level = cpu_best() }, &e), -1);
	CU_ASSERT_EQUAL(e.code, E_USAGE);
	CHECK(strstr(e.msg, "'cpu'") != NULL, "no hint in: %s", e.msg);
	CU_ASSERT_EQUAL(device_open(&d, &(struct device_opts){ .name = "cpu", .threads = 100000 }, &e), -1);
	CU_ASSERT_EQUAL(device_open(&d, &(struct device_opts){ .name = "auto", .threads = 3, .max_level = CPU_SCALAR }, &e), 0);
	CU_ASSERT_EQUAL(device_threads(d), 3);
	device_close(d);
	CU_ASSERT_EQUAL(device_open(&d, &(struct device_opts){ .name = "cuda:x", .max_level = CPU_SCALAR }, &e), -1);
	CHECK(e.code == E_USAGE || strstr(e.msg, "without CUDA"), "%s", e.msg);
	CU_ASSERT_EQUAL(device_open(&d, &(struct device_opts){ .name = "cpu:1", .max_level = CPU_SCALAR }, &e), -1);
	CU_ASSERT_EQUAL(e.code, E_USAGE);
	CU_ASSERT_EQUAL(device_open(&d, &(struct device_opts){ .name = "cpu", .threads = 3, .max_level = CPU_SCALAR }, &e), 0);
	CU_ASSERT_EQUAL(device_threads(d), 3);
	CHECK(strstr(device_describe(d), "cpu scalar, 3 threads") == device_describe(d), "%s", device_describe(d));
	device_close(d);
	device_close(NULL);
	CU_ASSERT_STRING_EQUAL(dtype_name(DT_BF16), "bf16");
	CU_ASSERT_STRING_EQUAL(dtype_name((enum dtype)99), "?");
}

/* Zeroed, aligned, of every size around the border between heap and system; the impossible is an error. */
static void test_memory(void)
{
	static const size_t sizes[] = { 0, 1, 63, 64, 65, 4096, (1u << 20) - 65, (1u << 20) - 64, (1u << 20) - 63, 1u << 20, 5u << 20 };
	struct device *d = open_with(1);
	const struct ops *o = device_ops(d);
	struct err e = { 0 };
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		unsigned char *p = o->alloc(d, sizes[i], &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		CU_ASSERT_EQUAL((uintptr_t)p % 64, 0);
		int dirty = 0;
		for (size_t k = 0; k < sizes[i]; k++)
			dirty |= p[k];
		CU_ASSERT_EQUAL(dirty, 0);
		memset(p, 0xff, sizes[i]);
		o->release(d, p);
	}
	o->release(d, NULL);
	CU_ASSERT_PTR_NULL(o->alloc(d, SIZE_MAX, &e));
	CU_ASSERT_EQUAL(e.code, E_MEMORY);
	CU_ASSERT_PTR_NULL(o->alloc(d, SIZE_MAX / 2 - 100, &e));
	CU_ASSERT_EQUAL(o->sync(d, &e), 0);
	device_close(d);
}

static void test_moves(void)
{
	enum { N = 37, D = 50, LD = 53, V = 11 };
	static const int32_t some[N] = { 3, 3, 0, 10, 5, 1, 9, 2 };
	float x[V * LD], y[N * LD];
	uint16_t half[V * D];
	struct device *d = open_with(2);
	const struct ops *o = device_ops(d);
	fill(x, V * LD);
	paint(y, N * LD);
	o->gather(d, (struct mat){ y, N, D, LD }, (struct mat){ x, V, D, LD }, some);
	int bad = 0;
	for (int i = 0; i < N; i++) {
		bad += memcmp(y + i * LD, x + some[i] * LD, D * sizeof *x) != 0;
		for (int j = D; j < LD; j++)
			bad += f32_bits(y[i * LD + j]) != CANARY;
	}
	CU_ASSERT_EQUAL(bad, 0);
	for (int i = 0; i < V * D; i++)
		half[i] = f32_to_bf16(x[i]);
	o->embed(d, (struct mat){ y, N, D, LD }, &(struct table){ DT_BF16, V, D, half }, some);
	for (int i = 0; i < N; i++)
		for (int j = 0; j < LD; j++)
			bad += j < D ? y[i * LD + j] != bf16_to_f32(half[some[i] * D + j]) : f32_bits(y[i * LD + j]) != CANARY;
	CU_ASSERT_EQUAL(bad, 0);
	/* no rows: nothing happens */
	o->gather(d, (struct mat){ y, 0, D, LD }, (struct mat){ x, V, D, LD }, some);
	o->add(d, (struct mat){ y, 0, D, LD }, (struct mat){ x, 0, D, LD });
	device_close(d);
}

/* Where kv_write puts what, by the layout that ops.h draws; kv_copy takes the first slots and nothing else. */
static void test_pages(void)
{
	enum { HK = 3, D = 20, DV = 28, PAGES = 5, N = 200, LD = HK * DV + 1, SIZE = PAGES * HK * D * KV_PAGE, VSIZE = PAGES * HK * DV * KV_PAGE };
	static const int32_t table[2][4] = { { 4, 0, 2, 1 }, { 3, 0, 0, 0 } };
	struct device *d = open_with(3);
	const struct ops *o = device_ops(d);
	float *k = need(d, SIZE), *v = need(d, VSIZE), *x = need(d, 2 * N * LD);
	int32_t pos[N], seq[N];
	struct kv c = { k, v, HK, D, PAGES, DV };
	fill(x, 2 * N * LD);
	paint(k, SIZE);
	paint(v, VSIZE);
	for (int i = 0; i < N; i++) { /* rows in no order: sequence 1 from its end, sequence 0 up */
		seq[i] = i < 20;
		pos[i] = i < 20 ? 40 - i : i - 20;
	}
	struct batch b = { N, NULL, pos, seq, &table[0][0], 4 };
	o->kv_write(d, &c, (struct mat){ x, N, HK * D, LD }, (struct mat){ x + N * LD, N, HK * DV, LD }, &b);
	int bad = 0, written = 0, kept = 0;
	for (int i = 0; i < N; i++)
		for (int h = 0; h < HK; h++)
			for (int j = 0; j < DV; j++) {
				size_t head = (size_t)(table[seq[i]][pos[i] / 64] * HK + h) * 64, s = (size_t)(pos[i] % 64);
				bad += j < D && k[head * D + (size_t)j * 64 + s] != x[i * LD + h * D + j];
				bad += v[(head + s) * DV + (size_t)j] != x[(N + i) * LD + h * DV + j];
			}
	for (int i = 0; i < SIZE; i++)
		kept += f32_bits(k[i]) == CANARY;
	for (int i = 0; i < VSIZE; i++)
		written += f32_bits(v[i]) != CANARY;
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_EQUAL(written, N * HK * DV);
	CU_ASSERT_EQUAL(kept, SIZE - N * HK * D);
	for (int slots = 0; slots <= KV_PAGE; slots += 32 - (slots == 32)) { /* 0, 32, 63 */
		float *k0 = need(d, SIZE), *v0 = need(d, VSIZE);
		memcpy(k0, k, SIZE * sizeof *k);
		memcpy(v0, v, VSIZE * sizeof *v);
		o->kv_copy(d, &c, 1, 4, slots);
		for (int i = 0; i < SIZE; i++) {
			int page = i / (HK * D * 64), from = i + 3 * HK * D * 64;
			bad += f32_bits(k[i]) != f32_bits(page == 1 && i % 64 < slots ? k0[from] : k0[i]);
		}
		for (int i = 0; i < VSIZE; i++) {
			int page = i / (HK * DV * 64), from = i + 3 * HK * DV * 64;
			bad += f32_bits(v[i]) != f32_bits(page == 1 && i / DV % 64 < slots ? v0[from] : v0[i]);
		}
		o->release(d, k0);
		o->release(d, v0);
	}
	CU_ASSERT_EQUAL(bad, 0);
	o->release(d, k);
	o->release(d, v);
	o->release(d, x);
	device_close(d);
}

/* One small layer's worth of operations over n rows, results in out; rows in pieces of `group`. */
struct layer {
	int n, group;
	const float *x;
	const int32_t *pos, *seq, *table;
};

enum { H = 6, HK = 2, HD = 24, DV = 16, WIDE = H * HD, LAYER = 9 * WIDE, VOCAB = 9000 };

static void run_layer(struct device *d, const struct layer *l, float *out, struct lse *lse)
{
	enum { PAGES = 12 };
	const struct ops *o = device_ops(d);
	size_t cache = (size_t)PAGES * HK * HD * KV_PAGE;
	float *k = need(d, cache), *v = need(d, cache), *lv = need(d, cache), *cs = need(d, 400 * 12 * 2), *logits = need(d, (size_t)l->group * VOCAB);
	unsigned long long s = 77;
	for (int i = 0; i < 400 * 12 * 2; i++)
		cs[i] = (float)(int32_t)(test_rand(&s) >> 32) * 0x1p-31f;
	struct kv c = { k, v, HK, HD, PAGES, HD }, latent = { k, lv, HK, HD, PAGES, DV };
	struct rope r = { HD, ROPE_HALF, 400, cs, cs + 400 * 12 };
	static const float slopes[H] = { 0.5f, 0.25f, 0.125f, 0.0625f, 0.70703125f, 0.353515625f }, sinks[H] = { -3, 0, 2, 1, 5, 3 };
	struct attend plain = { .scale = 0.2f }, window = { .scale = 0.2f, .window = 70, .softcap = 30, .sinks = sinks };
	struct attend chunk = { .scale = 0.2f, .chunk = 50 }, bias = { .scale = 0.2f, .slopes = slopes, .rounded_bias = 1 };
	for (int i = 0; i < l->n; i += l->group) {
		int n = l->n - i < l->group ? l->n - i : l->group;
		struct batch b = { n, NULL, l->pos + i, l->seq + i, l->table, 6 };
		struct mat at[9], x = { (float *)l->x + (size_t)i * WIDE, n, WIDE, WIDE };
		for (int j = 0; j < 9; j++)
			at[j] = (struct mat){ out + (size_t)i * LAYER + j * WIDE, n, WIDE, LAYER };
		o->rmsnorm(d, at[0], x, 1, l->x, 1e-6f);
		o->layernorm(d, at[1], x, 1, l->x, l->x + WIDE, 1e-5f);
		o->act(d, at[2], at[0], at[1], ACT_SILU, NULL);
		o->gather(d, at[3], x, l->table + 6 * 3);
		o->rope(d, at[3], H, &r, b.pos);
		struct mat key = { at[3].p, n, HK * HD, LAYER }, val = { at[1].p, n, HK * HD, LAYER };
		o->kv_write(d, &c, key, val, &b);
		o->attend(d, at[4], at[3], H, &c, &plain, &b);
		o->attend(d, at[5], at[3], H, &c, &window, &b);
		val.d = HK * DV;
		o->kv_write(d, &latent, key, val, &b);
		o->attend(d, (struct mat){ at[7].p, n, H * DV, LAYER }, at[3], H, &latent, &chunk, &b);
		o->attend(d, at[8], at[3], H, &c, &bias, &b);
		o->gather(d, at[6], at[4], l->table + 6 * 3);
		o->add(d, at[6], at[2]);
		for (int j = 0; j < n; j++)
			for (int t = 0; t < VOCAB; t++)
				logits[(size_t)j * VOCAB + (size_t)t] = at[6].p[(size_t)j * LAYER + (size_t)(t * 7 % WIDE)] + 1e-4f * (float)t;
		o->lse(d, lse + i, (struct mat){ logits, n, VOCAB, VOCAB }, l->pos + i);
	}
	struct err e = { 0 };
	CU_ASSERT_EQUAL(o->sync(d, &e), 0);
	o->release(d, k);
	o->release(d, v);
	o->release(d, lv);
	o->release(d, cs);
	o->release(d, logits);
}

/* Three sequences of different lengths side by side; their rows in one call, in pieces, one by one; 1 to 5 threads. */
static void test_invariance(void)
{
	enum { N = 300 };
	static const int groups[] = { N, 100, 33, 1 }, lengths[] = { 40, 190, 70 };
	static int32_t pos[N], seq[N], table[6 * 3 + N];
	static const int32_t pages[18] = { 7, 0, 0, 0, 0, 0, 3, 9, 1, 11, 0, 0, 5, 2, 0, 0, 0, 0 };
	static float x[N * WIDE], want[N * LAYER], got[N * LAYER];
	static struct lse want_lse[N], got_lse[N];
	int at[3] = { 0 };
	memcpy(table, pages, sizeof pages);
	for (int i = 0; i < N; i++) { /* rows of the sequences interleaved, each ascending; behind the table: 0, 1, 2 ... */
		int s = i % 3;
		while (at[s] == lengths[s])
			s = (s + 1) % 3;
		seq[i] = s;
		pos[i] = at[s]++;
		table[18 + i] = i;
	}
	printf("seed %llu ", test_seed());
	fill(x, N * WIDE);
	struct layer l = { N, N, x, pos, seq, table };
	struct device *d = open_with(1);
	run_layer(d, &l, want, want_lse);
	device_close(d);
	for (int threads = 1; threads <= 5; threads++)
		for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
			d = open_with(threads);
			l.group = groups[g];
			memset(got, 0, sizeof got);
			memset(got_lse, 0, sizeof got_lse);
			run_layer(d, &l, got, got_lse);
			CHECK(!memcmp(got, want, sizeof got), "%d threads, rows by %d: bits differ", threads, groups[g]);
			CHECK(!memcmp(got_lse, want_lse, sizeof got_lse), "%d threads, rows by %d: lse differs", threads, groups[g]);
			device_close(d);
		}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "opening", test_open },
		{ "memory", test_memory },
		{ "gather and embed", test_moves },
		{ "pages of keys and values", test_pages },
		{ "threads and grouping of rows", test_invariance },
		{ NULL, NULL },
	};
	seed = test_seed();
	return test_main("ops", tests, argc, argv);
}
