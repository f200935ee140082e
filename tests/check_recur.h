/* check_recur.h - the steps of recurrent layers by one table against another, bit for bit: for test_recur.c (native levels against
 * scalar) and test_simd_emu_*.c (emulated ones). Inputs as in check_rowops.h.
 */
#ifndef ASSAY_CHECK_RECUR_H
#define ASSAY_CHECK_RECUR_H

#include "kernels/recur.h"
#include "tests/check_rowops.h"

static const int check_channels[] = { 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 47, 48, 49, 63, 64 };

static inline enum fill check_some_fill(void)
{
	return check_rand(2) ? FILL_PLAIN : (enum fill)check_rand(FILLS);
}

static inline void check_conv(const struct recurops *c, const struct recurops *v, const char *name)
{
	for (int width = 2; width <= CONV_WIDTH; width++)
		for (int k = 0; k < 3 * COUNT(check_channels); k++) {
			int d = k % 3 ? check_channels[k / 3] : 1 + (int)check_rand(CONV_BLOCK), silu = (int)check_rand(2);
			size_t ld = (size_t)d + check_rand(9);
			struct guarded x = check_alloc((size_t)width * ld), w = check_alloc((size_t)width * ld), b = check_alloc((size_t)d);
			struct guarded p = check_alloc((size_t)d), q = check_alloc((size_t)d);
			const float *rows[CONV_WIDTH], *bias = check_rand(2) ? b.p : NULL;
			check_fill(x.p, x.n, check_some_fill());
			check_fill(w.p, w.n, check_some_fill());
			check_fill(b.p, b.n, FILL_MIXED);
			for (int j = 0; j < width; j++)
				rows[j] = x.p + (size_t)j * ld;
			c->conv(p.p, rows, w.p, ld, bias, width, d, silu);
			v->conv(q.p, rows, w.p, ld, bias, width, d, silu);
			CHECK_SAME(p, q, "%s conv width=%d d=%d", name, width, d);
			CHECK(check_canonical(p.p, p.n), "conv: NaN not canonical");
			free(x.base), free(w.base), free(b.base), free(p.base), free(q.base);
		}
}

/* States with a gap between their rows, whose floats must stay; or in place. */
static inline void check_step(const struct recurops *c, const struct recurops *v, const char *name, int delta, int d, int n)
{
	size_t lds = (size_t)d + check_rand(5), ldd = (size_t)d + check_rand(5);
	struct guarded x = check_alloc((size_t)d), key = check_alloc((size_t)n), query = check_alloc((size_t)n);
	struct guarded src = check_alloc((size_t)n * lds), s = check_alloc((size_t)n * ldd), t = check_alloc((size_t)n * ldd);
	struct guarded p = check_alloc((size_t)d), q = check_alloc((size_t)d);
	struct recur_step r = { .y = p.p, .value = x.p, .key = key.p, .query = query.p, .src = src.p, .dst = s.p, .lds = lds, .ldd = ldd,
				.n = n, .d = d, .plain = !check_rand(4), .has_skip = (int)check_rand(2), .keep = (int)check_rand(2) };
	check_fill(x.p, x.n, check_some_fill());
	check_fill(key.p, key.n, check_some_fill());
	check_fill(query.p, query.n, check_some_fill());
	check_fill(src.p, src.n, check_some_fill());
	r.g = check_rand(8) ? (float)check_rand(1000) * 0.001f : check_value(FILL_ANY);
	r.b = check_rand(8) ? (float)check_rand(1000) * 0.001f : check_value(FILL_ANY);
	r.skip = check_value(FILL_MIXED);
	(delta ? c->delta : c->ssm)(&r);
	r.y = q.p;
	r.dst = t.p;
	(delta ? v->delta : v->ssm)(&r);
	if (r.keep) {
		CHECK_SAME(s, t, "%s %s state d=%d n=%d", name, delta ? "delta" : "ssm", d, n);
		for (int j = 0; j < n; j++)
			CHECK(check_canonical(s.p + (size_t)j * ldd, (size_t)d), "a state's NaN is not canonical");
	}
	CHECK_SAME(p, q, "%s %s y d=%d n=%d", name, delta ? "delta" : "ssm", d, n);
	CHECK(check_canonical(p.p, p.n), "a NaN is not canonical");
	r.dst = src.p;
	r.ldd = lds;
	r.keep = 1;
	(delta ? v->delta : v->ssm)(&r);
	CHECK_SAME(p, q, "%s %s y in place d=%d n=%d", name, delta ? "delta" : "ssm", d, n);
	CHECK(check_guard(&src), "%s: wrote outside of its state", name);
	for (int j = 0; j < n && check_canonical(s.p, s.n); j++)
		CHECK(!memcmp(src.p + (size_t)j * lds, s.p + (size_t)j * ldd, (size_t)d * sizeof(float)), "%s in place d=%d n=%d", name, d, n);
	free(x.base), free(key.base), free(query.base), free(src.base), free(s.base), free(t.base), free(p.base), free(q.base);
}

static inline void check_recur(const struct recurops *c, const struct recurops *v, const char *name)
{
	static const int ns[] = { 1, 2, 3, 16, 31, 64, 128 };
	check_state = test_seed();
	printf("[%s, seed %llu] ", name, check_state);
	check_conv(c, v, name);
	for (int i = 0; i < COUNT(check_channels); i++)
		for (int k = 0; k < COUNT(ns); k++)
			for (int round = 0; round < 8; round++)
				check_step(c, v, name, round % 2, check_channels[i], ns[k]);
}

#endif
