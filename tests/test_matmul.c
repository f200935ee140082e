/* test_matmul - every variant of the linear layer that this machine runs against a plain loop written here: same bits, for
 * every shape, type, number of threads and grouping of rows, and nothing written or read outside.
 */
#include "tests/test.h"

#include <stdint.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "kernels/base/fma.h"
#include "kernels/base/half.h"
#include "kernels/isa.h"
#include "kernels/ops.h"

static unsigned long long seed;

static float gauss(void)
{
	float a = 0;
	for (int i = 0; i < 4; i++)
		a += (float)(test_rand(&seed) >> 40) * 0x1p-24f;
	return (a - 2.0f) * 1.7f;
}

/* SPECIAL mixes in what breaks careless kernels. */
enum fill { PLAIN, SMALL, SPECIAL };

static float value(enum fill f)
{
	static const uint32_t special[] = { 0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345, 0x7f812345, 0x80000000, 1,
					    0x807fffff, 0x2b800000, 0x2b7fffff, 0xab7fffff, 0x24000000, 0x23ffffff, 0x7f7fffff };
	unsigned long long u = test_rand(&seed);
	if (f == SPECIAL && u % 97 == 0)
		return f32_of_bits(special[(u >> 20) % (sizeof special / sizeof special[0])]);
	if (f == SMALL) /* magnitudes around both bounds of flushing */
		return f32_of_bits(((uint32_t)(u >> 32) & 0x807fffffu) | (60u + (uint32_t)(u >> 8) % 40u) << 23);
	return gauss();
}

/* A guarded block: canaries before and behind, and the whole filled with them. */
#define GUARD 64
#define CANARY 0x5ca1ab1eu

static float *guarded(size_t n)
{
	float *p = malloc((n + 2 * GUARD) * sizeof *p);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (size_t i = 0; i < n + 2 * GUARD; i++)
		p[i] = f32_of_bits(CANARY);
	return p + GUARD;
}

static void unguard(float *p)
{
	free(p - GUARD);
}

struct problem {
	int m, n, k;
	enum dtype dt;
	size_t ldx, ldy, ldw;
	float *x, *w, *bias; /* w: as fp32 values that dt holds exactly, before flushing */
	void *rows;          /* w in dt, as a checkpoint has it, at an odd address */
	unsigned char *rows_block;
	float *want;
};

static float flush(float v, float bound)
{
	return v < bound && v > -bound ? 0.0f : v;
}

static void make(struct problem *p, int m, int n, int k, enum dtype dt, enum fill fill, int bias)
{
	*p = (struct problem){ .m = m, .n = n, .k = k, .dt = dt, .ldx = (size_t)k + 3, .ldy = (size_t)n + 5, .ldw = (size_t)k + 1 };
	size_t size = dtype_size(dt);
	p->x = malloc((size_t)m * p->ldx * sizeof *p->x);
	p->w = malloc((size_t)n * (size_t)k * sizeof *p->w);
	p->rows_block = calloc((size_t)n * p->ldw * size + 1, 1);
	p->rows = p->rows_block + 1;
	p->bias = bias ? malloc((size_t)n * sizeof *p->bias) : NULL;
	for (size_t i = 0; i < (size_t)m * p->ldx; i++)
		p->x[i] = value(fill);
	for (int i = 0; bias && i < n; i++)
		p->bias[i] = value(fill);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < k; j++) {
			float v = value(fill);
			unsigned char *to = (unsigned char *)p->rows + ((size_t)i * p->ldw + (size_t)j) * size;
			uint16_t h = dt == DT_F16 ? f32_to_f16(v) : f32_to_bf16(v);
			if (dt == DT_F32)
				memcpy(to, &v, 4);
			else
				memcpy(to, &h, 2);
			p->w[(size_t)i * (size_t)k + (size_t)j] = dt == DT_F32 ? v : dt == DT_F16 ? f16_to_f32(h) : bf16_to_f32(h);
		}
}

/* The specification once more, straight from NUMERICS.md and nothing of the library but the fused multiply-add. */
static float reference(const struct problem *p, int i, int o)
{
	float t = 0;
	for (int c = 0; c < p->k; c += 256) {
		float s = 0;
		for (int k = c; k < p->k && k < c + 256; k++) {
			float a = flush(p->x[(size_t)i * p->ldx + (size_t)k], 0x1p-40f);
			float w = p->w[(size_t)o * (size_t)p->k + (size_t)k];
			w = p->dt == DT_F32 ? flush(w, 0x1p-40f) : p->dt == DT_BF16 ? flush(w, 0x1p-55f) : w;
			s = xfmaf(a, w, s);
		}
		t = c ? t + s : s;
	}
	if (p->bias)
		t += p->bias[o];
	return t != t ? f32_of_bits(0x7fc00000u) : t;
}

static void unmake(struct problem *p)
{
	free(p->x);
	free(p->w);
	free(p->rows_block);
	free(p->bias);
	if (p->want)
		unguard(p->want);
}

static struct device *open_at(enum cpu_level level, int threads)
{
	struct err e = { 0 };
	struct device *d = NULL;
	int rc = device_open(&d, &(struct device_opts){ .name = "cpu", .threads = threads, .max_level = level }, &e);
	CHECK(rc == 0, "%s", e.msg);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	return d;
}

static void load(struct device *d, struct linear *w, const struct problem *p)
{
	struct err e = { 0 };
	const struct ops *o = device_ops(d);
	size_t size = dtype_size(p->dt);
	CU_ASSERT_EQUAL_FATAL(o->linear_init(d, w, p->dt, p->n, p->k, p->bias != NULL, &e), 0);
	for (int at = 0, step; at < p->n; at += step) { /* in uneven pieces, as fused tensors arrive */
		step = 1 + (int)(test_rand(&seed) % 50);
		if (step > p->n - at)
			step = p->n - at;
		o->linear_rows(d, w, at, (const char *)p->rows + (size_t)at * p->ldw * size, p->ldw, step);
	}
	if (p->bias)
		o->put(d, w->bias, p->bias, (size_t)p->n * sizeof(float));
}

static void run(struct device *d, const struct linear *w, const struct problem *p, float *y, int row, int rows)
{
	device_ops(d)->linear(d, (struct mat){ y + (size_t)row * p->ldy, rows, p->n, p->ldy },
			      (struct mat){ p->x + (size_t)row * p->ldx, rows, p->k, p->ldx }, w);
}

/* The whole block, gaps and guards too. */
static int same_block(const float *a, const float *b, const struct problem *p)
{
	size_t n = (size_t)p->m * p->ldy + 2 * GUARD;
	return memcmp(a - GUARD, b - GUARD, n * sizeof *a) == 0;
}

static const enum cpu_level levels[] = { CPU_SCALAR, CPU_NEON, CPU_AVX2, CPU_AVX512, CPU_AVX512BF16 };
#define LEVELS (sizeof levels / sizeof levels[0])

static void check_at(const struct problem *p, enum cpu_level level, int threads)
{
	struct linear w;
	struct device *d = open_at(level, threads);
	size_t n = (size_t)p->m * p->ldy;
	load(d, &w, p);
	float *y = guarded(n);
	run(d, &w, p, y, 0, p->m);
	CHECK(same_block(y, p->want, p), "%s %s m=%d n=%d k=%d threads=%d: bits differ", cpu_level_name(level),
	      dtype_name(p->dt), p->m, p->n, p->k, threads);
	unguard(y);
	device_ops(d)->linear_free(d, &w);
	device_close(d);
}

/* Runs the problem at every level; scalar against reference() at `probes` random outputs and both corners (all when 0). */
static void check(struct problem *p, int probes)
{
	struct linear w;
	struct device *d = open_at(CPU_SCALAR, 1);
	p->want = guarded((size_t)p->m * p->ldy);
	load(d, &w, p);
	run(d, &w, p, p->want, 0, p->m);
	device_ops(d)->linear_free(d, &w);
	device_close(d);
	int all = p->m * p->n, count = probes && probes < all ? probes : all, bad = 0;
	for (int i = 0; i < count; i++) {
		int at = count == all ? i : i == 0 ? all - 1 : (int)(test_rand(&seed) % (unsigned)all);
		float want = reference(p, at / p->n, at % p->n);
		bad += f32_bits(want) != f32_bits(p->want[(size_t)(at / p->n) * p->ldy + (size_t)(at % p->n)]);
	}
	CHECK(!bad, "scalar %s m=%d n=%d k=%d: %d of %d differ from the specification", dtype_name(p->dt), p->m, p->n, p->k,
	      bad, count);
	for (size_t l = 1; l < LEVELS; l++)
		if (cpu_has(levels[l]))
			check_at(p, levels[l], 1);
}

static void test_shapes(void)
{
	static const int ms[] = { 1, 2, 3, 4, 7, 12, 13, 64, 513 }, ks[] = { 1, 2, 3, 63, 255, 256, 257, 513, 4096 };
	static const int ns[] = { 1, 8, 31, 33, 67, 129 };
	for (size_t l = 1; l < LEVELS; l++)
		if (!cpu_has(levels[l]))
			SKIP("this machine lacks %s", cpu_level_name(levels[l]));
	printf("seed %llu ", seed);
	for (size_t a = 0; a < sizeof ms / sizeof ms[0]; a++)
		for (size_t b = 0; b < sizeof ks / sizeof ks[0]; b++)
			for (int dt = 0; dt < DT_COUNT; dt++) {
				struct problem p;
				int n = ns[test_rand(&seed) % (sizeof ns / sizeof ns[0])];
				if ((long long)ms[a] * ks[b] > 100000)
					n = n > 33 ? 33 : n; /* the scalar twin has no vectors */
				make(&p, ms[a], n, ks[b], (enum dtype)dt, PLAIN, (int)(test_rand(&seed) & 1));
				check(&p, 64);
				unmake(&p);
			}
}

/* Every tile height and every number of outputs around a panel's edge. */
static void test_edges(void)
{
	for (int m = 1; m <= 27; m++)
		for (int n = 1; n <= 70; n += m < 5 || m == 12 ? 1 : 13) {
			struct problem p;
			make(&p, m, n, 300, (enum dtype)((m + n) % DT_COUNT), PLAIN, n & 1);
			check(&p, 8);
			unmake(&p);
		}
}

static void test_values(void)
{
	for (int dt = 0; dt < DT_COUNT; dt++)
		for (int f = SMALL; f <= SPECIAL; f++)
			for (int m = 1; m < 30; m += 6) {
				struct problem p;
				make(&p, m, 45, 600 - m, (enum dtype)dt, (enum fill)f, m & 1);
				check(&p, 0);
				unmake(&p);
			}
}

/* No level, number of threads or grouping of rows changes a bit of a row. */
static void test_rows_and_threads(void)
{
	static const int groups[] = { 1, 2, 5, 12, 30 };
	for (int dt = 0; dt < DT_COUNT; dt++) {
		struct problem p;
		make(&p, 61, 211, 777, (enum dtype)dt, PLAIN, 1);
		check(&p, 64);
		for (size_t l = 0; l < LEVELS; l++) {
			if (!cpu_has(levels[l]))
				continue;
			for (int threads = 1; threads <= 4; threads++) {
				check_at(&p, levels[l], threads);
				struct device *d = open_at(levels[l], threads);
				struct linear w;
				load(d, &w, &p);
				for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
					float *y = guarded((size_t)p.m * p.ldy);
					for (int i = 0; i < p.m; i += groups[g])
						run(d, &w, &p, y, i, p.m - i < groups[g] ? p.m - i : groups[g]);
					CHECK(same_block(y, p.want, &p), "%s threads=%d rows by %d: bits differ",
					      cpu_level_name(levels[l]), threads, groups[g]);
					unguard(y);
				}
				device_ops(d)->linear_free(d, &w);
				device_close(d);
			}
		}
		unmake(&p);
	}
}

/* Many rows of a wide k: more than one block of packed activations. */
static void test_blocks(void)
{
	struct problem p;
	make(&p, 90, 40, 20000, DT_BF16, PLAIN, 1);
	check(&p, 16);
	for (size_t l = 1; l < LEVELS; l++)
		if (cpu_has(levels[l]))
			check_at(&p, levels[l], 3);
	unmake(&p);
}

static void test_ftz(void)
{
#if defined(__x86_64__)
	unsigned old = _mm_getcsr();
	for (int dt = 0; dt < DT_COUNT; dt++)
		for (int f = SMALL; f <= SPECIAL; f++) {
			struct problem p;
			make(&p, 13, 45, 300, (enum dtype)dt, (enum fill)f, 1);
			check(&p, 0);
			_mm_setcsr(old | 0x8040u | 0x6000u); /* flush both ways, round to zero */
			for (size_t l = 0; l < LEVELS; l++)
				if (cpu_has(levels[l])) {
					check_at(&p, levels[l], 1);
					check_at(&p, levels[l], 3);
				}
			CU_ASSERT_EQUAL(_mm_getcsr() & 0xffc0u, (old | 0xe040u) & 0xffc0u); /* the caller's own is back */
			_mm_setcsr(old);
			unmake(&p);
		}
#else
	SKIP("written for MXCSR");
#endif
}

/* Sizes that no memory holds are an error, not a crash. */
static void test_sizes(void)
{
	static const struct {
		int n, k;
	} bad[] = { { 0, 4 }, { 4, 0 }, { -1, 4 }, { 4, -1 }, { INT32_MAX, 4 }, { INT32_MAX - 40, INT32_MAX } };
	struct device *d = open_at(CPU_AVX512BF16, 1);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err e = { 0 };
		struct linear w;
		CU_ASSERT_EQUAL(device_ops(d)->linear_init(d, &w, DT_F32, bad[i].n, bad[i].k, 1, &e), -1);
		CU_ASSERT(e.code != E_NONE && strlen(e.msg) > 10);
	}
	device_close(d);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "shapes and types", test_shapes },
		{ "edges of tiles and panels", test_edges },
		{ "tiny values, infinities, NaN", test_values },
		{ "rows alone and threads", test_rows_and_threads },
		{ "several blocks of rows", test_blocks },
		{ "a caller with FTZ, DAZ and another rounding", test_ftz },
		{ "impossible sizes", test_sizes },
		{ NULL, NULL },
	};
	seed = test_seed();
	return test_main("matmul", tests, argc, argv);
}
