/* test_sample.c - drawing tokens: the generator, the weights, and tokens against a reference that sorts.
 *
 * golden/sample.tsv comes from golden/make_sample.py: ids drawn by NUMERICS.md section 5 in Python's integers, and powers of two
 * by mpmath. Philox vectors: Random123's kat_vectors (Salmon et al., SC 2011). `slow` below is the rule written down plainly: rank
 * all, sort, cut, add up; the device is asked for the same rows under many settings.
 */
#include <math.h> /* NAN, INFINITY */
#include <stdbool.h>

#include "kernels/base/dmath.h"
#include "kernels/sample.h"
#include "tests/sample_rows.h"
#include "tests/test.h"

enum { LARGEST = 151936 };
#define OFF (UINT64_C(1) << 32)
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

__extension__ typedef unsigned __int128 u128;

struct token {
	double d;
	int id;
	uint32_t weight;
};

static int by_rank(const void *x, const void *y)
{
	const struct token *a = x, *b = y;
	if (a->d != b->d)
		return a->d < b->d ? -1 : 1;
	return a->id < b->id ? -1 : 1;
}

static int by_id(const void *x, const void *y)
{
	return ((const struct token *)x)->id - ((const struct token *)y)->id;
}

static int32_t slow(const float *x, int v, const struct draw *q)
{
	static struct token t[LARGEST];
	int best = 0, n = 0, all;
	for (int i = 0; i < v; i++) {
		if (x[i] != x[i])
			return -1;
		if (x[i] > x[best])
			best = i;
	}
	if (q->scale == 0 || x[best] == INFINITY || x[best] == -INFINITY)
		return best;
	for (int i = 0; i < v; i++) {
		t[n] = (struct token){ .d = ((double)x[best] - (double)x[i]) * q->scale, .id = i };
		t[n].weight = sample_exp2(t[n].d);
		n += t[n].weight != 0;
	}
	qsort(t, (size_t)n, sizeof *t, by_rank);
	all = n = q->top_k > 0 && q->top_k < n ? q->top_k : n;
	u128 total = 0, sum = 0;
	for (int i = 0; i < all; i++)
		total += t[i].weight;
	for (int i = 0; i < all && q->share < OFF; i++)
		if (((sum += t[i].weight) << 32) >= total * q->share) {
			n = i + 1;
			break;
		}
	while (q->far > 0 && t[n - 1].d > q->far)
		n--;
	total = sum = 0;
	for (int i = 0; i < n; i++)
		total += t[i].weight;
	qsort(t, (size_t)n, sizeof *t, by_id);
	uint32_t out[4];
	sample_philox(q->counter, q->key, out);
	u128 pick = (((u128)out[1] << 32 | out[0]) * total) >> 64;
	for (int i = 0; i < n; i++)
		if ((sum += t[i].weight) > pick)
			return t[i].id;
	return -2;
}

static struct device *dev;

/* Rows of v logits through the device's table. */
static void on_device(int32_t *id, float *x, int n, int v, struct draw *q)
{
	struct err e = { 0 };
	const struct ops *o = device_ops(dev);
	o->sample(dev, id, (struct mat){ x, n, v, (size_t)v }, q);
	CHECK(o->sync(dev, &e) == 0, "%s", e.msg);
}

static void test_philox(void)
{
	static const struct {
		uint32_t counter[4], key[2], out[4];
	} kat[] = {
		{ { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
		{ { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
		{ { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 }, { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
	};
	for (size_t i = 0; i < COUNT(kat); i++) {
		uint32_t out[4];
		sample_philox(kat[i].counter, kat[i].key, out);
		CHECK(memcmp(out, kat[i].out, sizeof out) == 0, "vector %zu: %08x %08x %08x %08x", i, out[0], out[1], out[2], out[3]);
	}
}

static void test_exp2(void)
{
	double worst = 0;
	uint32_t before = UINT32_MAX;
	int rises = 0;
	for (int i = 0; i < 200000; i++) {
		double d = i * (33.0 / 200000), want = dm_exp(-d * 0.69314718055994531) * 2147483648.0, diff = want - sample_exp2(d);
		diff = diff < 0 ? -diff : diff;
		worst = diff > worst && d < 32 ? diff : worst;
		rises += sample_exp2(d) > before;
		before = sample_exp2(d);
		CHECK(sample_weighs(d) == (before != 0), "weight of %g", d);
	}
	CHECK(worst <= 2.0 && rises == 0, "off by %g units, %d rises", worst, rises);
	CHECK(sample_exp2(0) == 2147483648u && sample_exp2(1) == 1073741824u && sample_exp2(31) == 1, "powers of two");
	CHECK(sample_exp2(32) == 0 && sample_exp2(NAN) == 0 && sample_exp2(INFINITY) == 0, "nothing left");
}

/* Digit by digit is rank by rank; and 512 tokens at most share all digits but the last. */
static void test_digits(void)
{
	unsigned long long rng = test_seed();
	int wrong = 0;
	for (int n = 0; n < 300000; n++) {
		double d[2];
		int id[2], k = 0, less;
		for (int j = 0; j < 2; j++) {
			unsigned long long r = test_rand(&rng);
			d[j] = r % 9 == 0 ? 0 : (double)(r >> 20) * 0x1p-44 * (r % 9 == 1 ? 0x1p-50 : r % 9 == 2 ? 0x1p-20 : 32);
			id[j] = (int)(test_rand(&rng) >> (33 + r % 20));
		}
		if (n % 3 == 0)
			d[1] = d[0];
		if (n % 5 == 0)
			d[1] = d[0] + (n % 2 ? 0x1p-57 : 0x1p-50);
		if (!(d[0] < 32 && d[1] < 32))
			continue;
		while (k < SAMPLE_LEVELS && sample_digit(k, d[0], id[0]) == sample_digit(k, d[1], id[1]))
			k++;
		less = d[0] != d[1] ? d[0] < d[1] : id[0] < id[1];
		if (k == SAMPLE_LEVELS)
			wrong += d[0] != d[1] || id[0] != id[1];
		else
			wrong += (sample_digit(k, d[0], id[0]) < sample_digit(k, d[1], id[1])) != less;
		for (k = 0; k < SAMPLE_LEVELS; k++)
			wrong += sample_digit(k, d[0], id[0]) >= (k == SAMPLE_LEVELS - 1 ? SAMPLE_LAST : SAMPLE_BUCKETS);
	}
	CHECK(wrong == 0, "%d wrong", wrong);
}

/* The amounts that top_p asks for, at the edges of 64 bits, against 128. */
static void test_reach(void)
{
	static const uint64_t edge[] = { 1, 2, 3, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x1ffffffff, (UINT64_C(1) << 62) - 1,
					 UINT64_C(1) << 62, 0x123456789abcdef };
	for (size_t i = 0; i < COUNT(edge); i++)
		for (uint64_t share = 0; share < OFF; share += share < 5 ? 1 : 0x0fffffff) {
			u128 target = (u128)edge[i] * share;
			uint64_t sum = sample_reach(edge[i], share);
			CHECK((u128)sum << 32 >= target && sum >= 1 && (sum == 1 || (u128)(sum - 1) << 32 < target), "%llu of %llu: %llu",
			      (unsigned long long)share, (unsigned long long)edge[i], (unsigned long long)sum);
		}
}

static void test_golden(void)
{
	char path[4096], line[512];
	static float x[LARGEST];
	int draws = 0, weights = 0;
	snprintf(path, sizeof path, "%s/tests/golden/sample.tsv", test_srcdir());
	FILE *f = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (fgets(line, sizeof line, f)) {
		struct draw q = { 0 };
		int kind, v;
		int32_t id, got;
		unsigned seed, want;
		double temperature, top_p, d;
		if (sscanf(line, "exp2 %lf %u", &d, &want) == 2) {
			long long diff = (long long)want - sample_exp2(d);
			CHECK(diff >= -2 && diff <= 2, "2^-%g: off by %lld", d, diff);
			weights++;
		} else if (sscanf(line, "draw %d %u %d %lf %lf %d %u %u %u %u %u %u %d", &kind, &seed, &v, &temperature, &top_p, &q.top_k,
				  &q.counter[0], &q.counter[1], &q.counter[2], &q.counter[3], &q.key[0], &q.key[1], &id) == 13 &&
			   v > 0 && v <= LARGEST) {
			q.scale = 1.4426950408889634 / temperature;
			q.share = (uint64_t)(top_p * 4294967296.0);
			sample_row(x, v, kind, seed);
			on_device(&got, x, 1, v, &q);
			CHECK(got == id, "%d instead of %s", got, line);
			draws++;
		} else {
			CHECK(0, "%s", line);
		}
	}
	fclose(f);
	CHECK(draws == 700 && weights == 400, "%d draws, %d weights", draws, weights);
}

/* Every kind of row, sizes around the limits of pieces and buckets, cuts at every edge; many rows a call, dealt to threads. */
static void test_edges(void)
{
	static const int sizes[] = { 1, 2, 3, 7, 255, 256, 257, 511, 512, 513, 1024, 1025, 5000, 40000 };
	static const uint64_t shares[] = { 0, 1, OFF / 1000, OFF / 2, OFF / 10 * 9, OFF - 1, OFF };
	static const double scales[] = { 1.4426950408889634, 1.4426950408889634 / 0.3, 1e-3, 1.4426950408889634e6 };
	static const double fars[] = { 0, 0, 0x1p-1074, 0.5, 3, 40 };
	enum { ROWS = 40 };
	unsigned long long rng = test_seed();
	int wrong = 0, rows = 0;
	for (size_t a = 0; a < COUNT(sizes); a++)
		for (int kind = 0; kind < ROW_KINDS; kind++) {
			int v = sizes[a], n = v > 20000 ? 8 : ROWS;
			float *x = malloc((size_t)n * (size_t)v * sizeof *x);
			struct draw q[ROWS];
			int32_t id[ROWS];
			for (int i = 0; i < n; i++) {
				const int32_t ks[] = { 0, 1, 2, v / 2, v - 1, v, v + 1, INT32_MAX };
				sample_row(x + (size_t)i * (size_t)v, v, kind, (uint32_t)test_rand(&rng));
				q[i] = (struct draw){ .scale = scales[test_rand(&rng) % COUNT(scales)], .share = shares[test_rand(&rng) % COUNT(shares)],
						      .top_k = ks[test_rand(&rng) % COUNT(ks)], .far = fars[test_rand(&rng) % COUNT(fars)], .key = { (uint32_t)rng },
						      .counter = { (uint32_t)test_rand(&rng), (uint32_t)test_rand(&rng) } };
			}
			on_device(id, x, n, v, q);
			for (int i = 0; i < n; i++, rows++) {
				int32_t want = slow(x + (size_t)i * (size_t)v, v, &q[i]);
				wrong += want != id[i];
				if (want != id[i] && wrong < 10)
					CHECK(0, "kind %d of %d, scale %g, top_k %d, share %llu: %d instead of %d", kind, v, q[i].scale, q[i].top_k,
					      (unsigned long long)q[i].share, id[i], want);
			}
			free(x);
		}
	CHECK(wrong == 0 && rows > 5000, "%d of %d", wrong, rows);
}

/* Tokens that differ in the last bits of d, or not even there: all digits are walked. */
static void test_close(void)
{
	enum { V = 6000 };
	static float x[V];
	static const double scales[] = { 1.4426950408889634, 1e-12, 1e-30, 3.0 };
	for (int n = 0; n < 200; n++) {
		for (int i = 0; i < V; i++)
			x[i] = n % 2 ? (float)(i * 7919 % V) * 0x1p-140f : 1.0f - (float)(i * 7919 % V % 3000) * 0x1p-24f;
		struct draw q = { .scale = scales[n / 2 % 4], .top_k = n % 3 ? 1 + n * 29 % V : 0, .share = n % 5 ? OFF / 200 * (uint64_t)n : OFF,
				  .counter = { (uint32_t)n } };
		int32_t got;
		on_device(&got, x, 1, V, &q);
		CHECK(got == slow(x, V, &q), "case %d: %d instead of %d", n, got, slow(x, V, &q));
	}
}

static void test_greedy(void)
{
	float x[5] = { 1, 3, -INFINITY, 3, 2 };
	struct draw q[2] = { { .scale = 0, .share = OFF }, { .scale = 1.4426950408889634, .share = OFF } };
	int32_t id;
	on_device(&id, x, 1, 5, q);
	CHECK(id == 1, "greedy: %d", id);
	for (int at = 0; at < 5; at++)
		for (int k = 0; k < 2; k++) {
			float y[5];
			memcpy(y, x, sizeof y);
			y[at] = at % 2 ? NAN : -NAN;
			on_device(&id, y, 1, 5, &q[k]);
			CHECK(id == -1, "NaN at %d: %d", at, id);
		}
	on_device(NULL, x, 0, 5, q); /* no rows: nothing happens */
}

static void test_exact(void)
{
	float x[2000];
	for (size_t i = 0; i < COUNT(sample_exact); i++) {
		struct draw q = { .scale = 1, .share = OFF, .counter = { sample_exact[i].counter } };
		int32_t id;
		sample_row(x, sample_exact[i].v, ROW_EQUAL, 0);
		on_device(&id, x, 1, sample_exact[i].v, &q);
		CHECK(id == sample_exact[i].id, "%d of %d: %d", sample_exact[i].id, sample_exact[i].v, id);
	}
}

/* How often each of a few tokens is drawn, against what it should be (chi square). */
static void test_shares(void)
{
	enum { V = 6, N = 20000 };
	static const float logits[V] = { 1.0f, 2.0f, -1.0f, 2.0f, 0.5f, -20.0f };
	static const struct {
		double t, p;
		int k;
		bool in[V];
		double min_p;
	} cases[] = {
		{ 1, 1, 0, { 1, 1, 1, 1, 1, 1 } },
		{ 0.5, 1, 0, { 1, 1, 1, 1, 1, 1 } },
		{ 1, 1, 1, { 0, 1, 0, 0, 0, 0 } },   /* a tie at the top: the lower id */
		{ 1, 1, 3, { 1, 1, 0, 1, 0, 0 } },
		{ 1, 0.5, 0, { 0, 1, 0, 1, 0, 0 } }, /* 0.38 < 0.5: the next one in */
		{ 1, 0.8, 0, { 1, 1, 0, 1, 0, 0 } },
		{ 1, 1e-9, 0, { 0, 1, 0, 0, 0, 0 } },
		{ 1, 1, 0, { 1, 1, 0, 1, 0, 0 }, 0.3 }, /* e^-1 = 0.37, e^-1.5 = 0.22 */
		{ 0.5, 1, 0, { 0, 1, 0, 1, 0, 0 }, 0.3 }, /* after the temperature: e^-2 */
		{ 1, 0.95, 0, { 1, 1, 0, 1, 1, 0 }, 0.2 }, /* after top_p, which keeps all that min_p does */
	};
	for (size_t c = 0; c < COUNT(cases); c++) {
		struct draw q = { .scale = 1.4426950408889634 / cases[c].t, .share = (uint64_t)(cases[c].p * 4294967296.0), .top_k = cases[c].k,
				  .key = { 42, 0 }, .far = cases[c].min_p > 0 ? -dm_log(cases[c].min_p) * 1.4426950408889634 : 0 };
		double share[V], total = 0, chi = 0;
		int got[V] = { 0 };
		for (int i = 0; i < V; i++)
			total += share[i] = cases[c].in[i] ? dm_exp(logits[i] / cases[c].t) : 0;
		for (int i = 0; i < N; i++) {
			q.counter[0] = (uint32_t)i;
			got[sample_c(logits, V, &q)]++;
		}
		for (int i = 0; i < V; i++) {
			double want = N * share[i] / total;
			if (!cases[c].in[i])
				CHECK(got[i] == 0, "case %zu: token %d drawn %d times", c, i, got[i]);
			else if (want > 5)
				chi += (got[i] - want) * (got[i] - want) / want;
		}
		CHECK(chi < 25, "case %zu: chi square %.1f", c, chi);
	}
}

/* Ids whose bit is set, once each; rows with a penalty of 1 and whatever lies behind a row stay. */
static void test_penalise(void)
{
	static const int sizes[] = { 1, 2, 31, 32, 33, 64, 1000, 4097 };
	static const float penalties[] = { 1, 1.05f, 0.5f, 1.3f, 10, 0.01f };
	static const float odd[] = { 0.0f, -0.0f, INFINITY, -INFINITY, NAN, 0x1p-149f, -0x1p-149f, 0x1.fffffep127f, -0x1.fffffep127f };
	enum { ROWS = 9 };
	const struct ops *o = device_ops(dev);
	unsigned long long rng = test_seed();
	struct err e = { 0 };
	for (size_t a = 0; a < COUNT(sizes); a++) {
		int v = sizes[a], ld = v + 3;
		size_t words = ((size_t)v + 31) / 32;
		float *x = malloc(sizeof *x * ROWS * (size_t)ld), *want = malloc(sizeof *want * ROWS * (size_t)ld), p[ROWS];
		uint32_t *seen = calloc(ROWS * words, sizeof *seen);
		for (int i = 0; i < ROWS; i++) {
			p[i] = penalties[(size_t)i % COUNT(penalties)];
			for (int j = 0; j < ld; j++) {
				float *at = &x[i * ld + j];
				*at = test_rand(&rng) % 4 ? (float)(int)(test_rand(&rng) % 2001) * 0.01f - 10 : odd[test_rand(&rng) % COUNT(odd)];
				want[i * ld + j] = *at;
				if (j >= v || test_rand(&rng) % 3)
					continue;
				seen[(size_t)i * words + (size_t)j / 32] |= UINT32_C(1) << j % 32;
				if (p[i] != 1 && *at == *at)
					want[i * ld + j] = *at > 0 ? *at / p[i] : *at * p[i];
			}
		}
		o->penalise(dev, (struct mat){ x, ROWS, v, (size_t)ld }, seen, p);
		CHECK(o->sync(dev, &e) == 0, "%s", e.msg);
		CHECK(memcmp(x, want, sizeof *x * ROWS * (size_t)ld) == 0, "%d ids", v);
		free(x);
		free(want);
		free(seen);
	}
	/* transformers: score / p where it is above 0, else score * p */
	float x[4] = { 4, -4, 3, -3 }, p = 2;
	uint32_t seen = 0x3;
	o->penalise(dev, (struct mat){ x, 1, 4, 4 }, &seen, &p);
	CHECK(o->sync(dev, &e) == 0 && x[0] == 2 && x[1] == -8 && x[2] == 3 && x[3] == -3, "%g %g %g %g", x[0], x[1], x[2], x[3]);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "Philox4x32-10: published vectors", test_philox },
		{ "powers of two in integers", test_exp2 },
		{ "digits order as ranks do", test_digits },
		{ "the amount for top_p", test_reach },
		{ "golden draws", test_golden },
		{ "every kind of row and cut, against sorting", test_edges },
		{ "logits that hardly differ", test_close },
		{ "greedy, and rows with a NaN", test_greedy },
		{ "a draw that equals a running sum", test_exact },
		{ "shares of draws", test_shares },
		{ "repetition penalty", test_penalise },
		{ NULL, NULL },
	};
	struct device_opts o = { .name = "cpu", .threads = 2, .max_level = CPU_SCALAR };
	struct err e;
	if (device_open(&dev, &o, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		return 99;
	}
	int rc = test_main("sample", tests, argc, argv);
	device_close(dev);
	return rc;
}
