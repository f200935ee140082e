/* check_rowops.h - one table of row operations against another, bit for bit: shared by test_rowops.c (native levels against
 * scalar) and test_simd_emu_*.c (emulated ones against scalar).
 *
 * Inputs come from a printed seed: ordinary values, denormals, huge ones, signed zeros, Inf and NaN. Outputs are compared
 * with memcmp, lie at odd offsets between canaries, and are computed in place too where ops.h allows it.
 */
#ifndef ASSAY_CHECK_ROWOPS_H
#define ASSAY_CHECK_ROWOPS_H

#include "kernels/base/half.h"
#include "kernels/rowops.h"
#include "tests/test.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))
#define GUARD 24
#define CANARY 0xdeadbeefu

static unsigned long long check_state;

static inline unsigned check_rand(unsigned n) /* 0..n-1 */
{
	return (unsigned)(test_rand(&check_state) >> 33) % n;
}

enum fill { FILL_PLAIN, FILL_TINY, FILL_HUGE, FILL_MIXED, FILL_INF, FILL_NAN, FILL_ANY, FILL_ZERO, FILLS };

static inline float check_plain(void) /* about N(0, 1) */
{
	float s = 0.0f;
	for (int i = 0; i < 4; i++)
		s += (float)check_rand(1 << 22) * 0x1p-21f - 1.0f;
	return s;
}

static inline float check_value(enum fill f)
{
	static const uint32_t odd[] = { 0x80000000u, 0u, 1u, 0x80000001u, 0x007fffffu, 0x00800000u, 0x3f800000u, 0xbf800000u,
					0x7f7fffffu, 0xff7fffffu, 0x33000000u, 0x4b000000u };
	float x = check_plain();
	switch (f) {
	case FILL_PLAIN: return x;
	case FILL_TINY: return x * (check_rand(2) ? 0x1p-126f : 0x1p-70f);
	case FILL_HUGE: return x * (check_rand(2) ? 0x1p+60f : 0x1p+125f);
	case FILL_INF: return check_rand(40) ? x : f32_of_bits(check_rand(2) ? 0x7f800000u : 0xff800000u);
	case FILL_NAN: return check_rand(40) ? x : f32_of_bits(0x7f800001u + check_rand(0x7ffffe) + (check_rand(2) << 31));
	case FILL_ANY: return f32_of_bits((uint32_t)test_rand(&check_state));
	case FILL_ZERO: return check_rand(2) ? 0.0f : -0.0f;
	default: return check_rand(4) ? x : f32_of_bits(odd[check_rand(COUNT(odd))]);
	}
}

static inline void check_fill(float *p, size_t n, enum fill f)
{
	for (size_t i = 0; i < n; i++)
		p[i] = check_value(f);
}

/* A guarded array of n floats at an odd offset; free(g.base). */
struct guarded {
	float *base, *p;
	size_t n;
};

static inline struct guarded check_alloc(size_t n)
{
	struct guarded g = { .base = malloc((n + 2 * GUARD + 1) * sizeof(float)), .n = n };
	if (!g.base)
		abort();
	g.p = g.base + GUARD + 1;
	for (size_t i = 0; i < n + 2 * GUARD + 1; i++)
		g.base[i] = f32_of_bits(CANARY);
	return g;
}

static inline int check_guard(const struct guarded *g)
{
	for (int i = 0; i < GUARD; i++)
		if (f32_bits(g->p[-1 - i]) != CANARY || f32_bits(g->p[g->n + (size_t)i]) != CANARY)
			return 0;
	return 1;
}

/* The first index where a and b differ in a bit, or -1. */
static inline long check_same(const float *a, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (f32_bits(a[i]) != f32_bits(b[i]))
			return (long)i;
	return -1;
}

static inline int check_canonical(const float *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != a[i] && f32_bits(a[i]) != 0x7fc00000u)
			return 0;
	return 1;
}

#define CHECK_SAME(a, b, fmt, ...) \
	do { \
		long at_ = check_same((a).p, (b).p, (a).n); \
		CHECK(at_ < 0, fmt ": element %ld: %a, scalar %a", __VA_ARGS__, at_, (double)(b).p[at_ < 0 ? 0 : at_], \
		      (double)(a).p[at_ < 0 ? 0 : at_]); \
		CHECK(check_guard(&(a)) && check_guard(&(b)), fmt ": wrote outside", __VA_ARGS__); \
	} while (0)

static const int check_widths[] = { 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 129, 130, 144,
				    192, 255, 256, 257, 320, 384, 511, 576, 1000, 1024, 2048, 2053 };

static inline void check_norms(const struct rowops *c, const struct rowops *v, const char *name)
{
	for (int i = 0; i < COUNT(check_widths); i++)
		for (enum fill f = 0; f < FILLS; f++) {
			int d = check_widths[i];
			struct guarded x = check_alloc((size_t)d), w = check_alloc((size_t)d), b = check_alloc((size_t)d);
			struct guarded p = check_alloc((size_t)d), q = check_alloc((size_t)d);
			float eps = check_rand(2) ? 1e-5f : 1e-6f;
			check_fill(x.p, x.n, f);
			check_fill(w.p, w.n, check_rand(2) ? f : FILL_PLAIN);
			check_fill(b.p, b.n, FILL_MIXED);
			c->rmsnorm(p.p, x.p, NULL, d, eps);
			v->rmsnorm(q.p, x.p, NULL, d, eps);
			CHECK_SAME(p, q, "%s rmsnorm without weights d=%d fill=%d", name, d, f);
			c->rmsnorm(p.p, x.p, w.p, d, eps);
			v->rmsnorm(q.p, x.p, w.p, d, eps);
			CHECK_SAME(p, q, "%s rmsnorm d=%d fill=%d", name, d, f);
			CHECK(check_canonical(p.p, p.n), "rmsnorm: NaN not canonical");
			memcpy(q.p, x.p, x.n * sizeof(float));
			v->rmsnorm(q.p, q.p, w.p, d, eps);
			CHECK_SAME(p, q, "%s rmsnorm in place d=%d fill=%d", name, d, f);
			for (int k = 0; k < 4; k++) {
				const float *wp = k & 1 ? w.p : NULL, *bp = k & 2 ? b.p : NULL;
				c->layernorm(p.p, x.p, wp, bp, d, eps);
				v->layernorm(q.p, x.p, wp, bp, d, eps);
				CHECK_SAME(p, q, "%s layernorm d=%d fill=%d w,b=%d", name, d, f, k);
				CHECK(check_canonical(p.p, p.n), "layernorm: NaN not canonical");
				memcpy(q.p, x.p, x.n * sizeof(float));
				v->layernorm(q.p, q.p, wp, bp, d, eps);
				CHECK_SAME(p, q, "%s layernorm in place d=%d fill=%d w,b=%d", name, d, f, k);
			}
			free(x.base), free(w.base), free(b.base), free(p.base), free(q.base);
		}
}

static inline void check_rope(const struct rowops *c, const struct rowops *v, const char *name)
{
	static const struct { int heads, d, dims; } shapes[] = {
		{ 1, 2, 2 }, { 1, 4, 4 }, { 3, 4, 2 }, { 2, 6, 6 }, { 5, 8, 8 }, { 2, 16, 16 }, { 3, 20, 10 }, { 4, 32, 32 }, { 1, 64, 16 },
		{ 7, 64, 64 }, { 2, 80, 32 }, { 2, 96, 96 }, { 3, 128, 128 }, { 1, 256, 64 }, { 2, 256, 256 }, { 2, 9, 6 }, { 2, 66, 66 },
	};
	for (int i = 0; i < COUNT(shapes); i++)
		for (enum fill f = 0; f < FILLS; f++)
			for (int layout = ROPE_HALF; layout <= ROPE_INTERLEAVED; layout++) {
				int heads = shapes[i].heads, d = shapes[i].d, dims = shapes[i].dims;
				struct guarded p = check_alloc((size_t)(heads * d)), q = check_alloc((size_t)(heads * d));
				struct guarded cs = check_alloc((size_t)dims / 2), sn = check_alloc((size_t)dims / 2);
				check_fill(p.p, p.n, f);
				memcpy(q.p, p.p, p.n * sizeof(float));
				check_fill(cs.p, cs.n, FILL_PLAIN);
				check_fill(sn.p, sn.n, f == FILL_PLAIN ? FILL_MIXED : FILL_PLAIN);
				c->rope(p.p, heads, d, cs.p, sn.p, dims, layout);
				v->rope(q.p, heads, d, cs.p, sn.p, dims, layout);
				CHECK_SAME(p, q, "%s rope heads=%d d=%d dims=%d layout=%d fill=%d", name, heads, d, dims, layout, f);
				free(p.base), free(q.base), free(cs.base), free(sn.base);
			}
}

/* x = f(x, s): s ordinary, and for what only multiplies any float too */
static inline void check_scalings(const struct rowops *c, const struct rowops *v, const char *name, const float *x, const float *y, int d, enum fill f)
{
	struct guarded p = check_alloc((size_t)d), q = check_alloc((size_t)d);
	const struct { const char *what; void (*c)(float *, float, int), (*v)(float *, float, int); float s; } ops[] = {
		{ "scale", c->scale, v->scale, check_value(f) }, { "clip", c->clip, v->clip, 0.75f }, { "clip to 0", c->clip, v->clip, 0.0f },
		{ "softcap", c->softcap, v->softcap, 1.5f }, { "softcap", c->softcap, v->softcap, 30.0f },
	};
	for (int i = 0; i < COUNT(ops) + 2; i++) {
		const char *what = i < COUNT(ops) ? ops[i].what : i == COUNT(ops) ? "softmax" : "axpy";
		float s = check_value(f);
		memcpy(p.p, x, p.n * sizeof(float));
		memcpy(q.p, x, q.n * sizeof(float));
		if (i < COUNT(ops))
			ops[i].c(p.p, ops[i].s, d), ops[i].v(q.p, ops[i].s, d);
		else if (i == COUNT(ops))
			c->softmax(p.p, d), v->softmax(q.p, d);
		else
			c->axpy(p.p, y, s, d), v->axpy(q.p, y, s, d);
		CHECK_SAME(p, q, "%s %s d=%d fill=%d", name, what, d, f);
		CHECK(check_canonical(p.p, p.n), "%s: NaN not canonical", what);
	}
	free(p.base), free(q.base);
}

static inline void check_acts(const struct rowops *c, const struct rowops *v, const char *name)
{
	for (int i = 0; i < COUNT(check_widths); i++)
		for (enum fill f = 0; f < FILLS; f++) {
			int d = check_widths[i];
			struct guarded g = check_alloc((size_t)d), u = check_alloc((size_t)d);
			struct guarded p = check_alloc((size_t)d), q = check_alloc((size_t)d);
			check_fill(g.p, g.n, f);
			check_fill(u.p, u.n, check_rand(2) ? f : FILL_PLAIN);
			for (enum act a = 0; a < ACT_COUNT; a++)
				for (int gated = a == ACT_SWIGLU_CLAMPED; gated < 2; gated++) {
					static const float xielu[4] = { 0.8f, 1.3f, 0.5f, -1e-6f }, swiglu[4] = { 1.702f, 1.5f, 0.0f, 0.0f };
					const float *par = a == ACT_XIELU ? xielu : a == ACT_SWIGLU_CLAMPED ? swiglu : NULL;
					c->act(p.p, g.p, gated ? u.p : NULL, d, a, par);
					v->act(q.p, g.p, gated ? u.p : NULL, d, a, par);
					CHECK_SAME(p, q, "%s act %d gated=%d d=%d fill=%d", name, a, gated, d, f);
					CHECK(check_canonical(p.p, p.n), "act %d: NaN not canonical", a);
					memcpy(q.p, g.p, g.n * sizeof(float));
					v->act(q.p, q.p, gated ? u.p : NULL, d, a, par);
					CHECK_SAME(p, q, "%s act %d in place gated=%d d=%d fill=%d", name, a, gated, d, f);
				}
			memcpy(p.p, g.p, g.n * sizeof(float));
			memcpy(q.p, g.p, g.n * sizeof(float));
			c->add(p.p, u.p, d);
			v->add(q.p, u.p, d);
			CHECK_SAME(p, q, "%s add d=%d fill=%d", name, d, f);
			CHECK(check_canonical(p.p, p.n), "add: NaN not canonical");
			check_scalings(c, v, name, g.p, u.p, d, f);
			free(g.base), free(u.base), free(p.base), free(q.base);
		}
}

/* Every 16-bit value, and rows at odd addresses. */
static inline void check_widen(const struct rowops *c, const struct rowops *v, const char *name)
{
	enum { ALL = 1 << 16 };
	unsigned char *src = malloc(4 * ALL + 8);
	struct guarded p = check_alloc(ALL), q = check_alloc(ALL);
	if (!src)
		abort();
	for (enum dtype dt = 0; dt < DT_COUNT; dt++)
		for (int off = 0; off < 4; off++) {
			for (int i = 0; i < ALL; i++) {
				uint32_t w = (uint32_t)test_rand(&check_state);
				uint16_t h = (uint16_t)i;
				if (dt == DT_F32)
					memcpy(src + off + 4 * i, &w, 4);
				else
					memcpy(src + off + 2 * i, &h, 2);
			}
			c->widen(p.p, src + off, ALL, dt);
			v->widen(q.p, src + off, ALL, dt);
			CHECK_SAME(p, q, "%s widen dtype=%d offset=%d", name, dt, off);
			for (int i = 0; i < COUNT(check_widths); i++) {
				struct guarded a = check_alloc((size_t)check_widths[i]), b = check_alloc(a.n);
				c->widen(a.p, src + off, (int)a.n, dt);
				v->widen(b.p, src + off, (int)a.n, dt);
				CHECK_SAME(a, b, "%s widen dtype=%d d=%d", name, dt, (int)a.n);
				free(a.base), free(b.base);
			}
		}
	free(src), free(p.base), free(q.base);
}

static inline void check_lse(const struct rowops *c, const struct rowops *v, const char *name)
{
	static const int widths[] = { 1,   2,   3,    5,    16,   17,   100,  127,   128,   129,   255,  1000,
				      3001, 8191, 8192, 8193, 8320, 8321, 16384, 16385, 20000, 50257 };
	float inf = f32_of_bits(0x7f800000u);
	for (int i = 0; i < COUNT(widths); i++)
		for (int kind = 0; kind < FILLS + 5; kind++) {
			int n = widths[i], cut = n / 2;
			struct guarded x = check_alloc((size_t)n);
			check_fill(x.p, x.n, kind < FILLS ? (enum fill)kind : FILL_PLAIN);
			for (int j = 0; j < n; j++) {
				x.p[j] *= kind == FILL_PLAIN ? 8.0f : 1.0f;
				if (kind == FILLS)
					x.p[j] = -inf;
				else if (kind == FILLS + 1 && j < cut)
					x.p[j] = -inf;
				else if (kind == FILLS + 2) /* many ties */
					x.p[j] = (float)check_rand(3) - 1.0f;
				else if (kind == FILLS + 3) /* a rising maximum, far apart */
					x.p[j] = (float)(j / 4096) * 40.0f + check_plain();
			}
			if (kind == FILLS + 4)
				x.p[n - 1] = f32_of_bits(0xffc12345u);
			int target = check_rand(4) ? (int)check_rand((unsigned)n) : -1;
			struct lse a, b;
			memset(&a, 0x55, sizeof a);
			memset(&b, 0x55, sizeof b);
			c->lse(&a, x.p, n, target);
			v->lse(&b, x.p, n, target);
			CHECK(!memcmp(&a, &b, sizeof a), "%s lse v=%d kind=%d: m %a %a l %a %a z %a %a argmax %d %d top %a %a", name, n, kind,
			      (double)a.m, (double)b.m, (double)a.l, (double)b.l, (double)a.z, (double)b.z, a.argmax, b.argmax,
			      (double)a.top, (double)b.top);
			CHECK(check_canonical(&a.l, 1) && check_canonical(&a.top, 1), "lse: NaN not canonical");
			free(x.base);
		}
}

/* A paged cache of one layer with random page order; every slot that no test may read holds NaN. */
struct check_kv {
	float *k, *v;
	int32_t table[16];
	int hk, d, dv;
};

static inline void check_kv_fill(struct check_kv *c, int hk, int d, int dv, int keys, enum fill fk, enum fill fv)
{
	enum { PAGES = 14 };
	size_t k_page = (size_t)hk * (size_t)d * KV_PAGE, v_page = (size_t)hk * (size_t)dv * KV_PAGE;
	c->hk = hk;
	c->d = d;
	c->dv = dv;
	c->k = malloc(PAGES * k_page * sizeof(float));
	c->v = malloc(PAGES * v_page * sizeof(float));
	if (!c->k || !c->v)
		abort();
	for (size_t i = 0; i < PAGES * k_page; i++)
		c->k[i] = f32_of_bits(0x7fa00000u);
	for (size_t i = 0; i < PAGES * v_page; i++)
		c->v[i] = f32_of_bits(0x7fa00000u);
	for (int i = 0; i < PAGES; i++)
		c->table[i] = i;
	for (int i = PAGES - 1; i > 0; i--) {
		int j = (int)check_rand((unsigned)i + 1);
		int32_t t = c->table[i];
		c->table[i] = c->table[j];
		c->table[j] = t;
	}
	for (int t = 0; t < keys; t++)
		for (int h = 0; h < hk; h++) {
			float *k = c->k + (size_t)c->table[t / KV_PAGE] * k_page + (size_t)h * (size_t)d * KV_PAGE;
			float *v = c->v + (size_t)c->table[t / KV_PAGE] * v_page + (size_t)h * (size_t)dv * KV_PAGE;
			for (int i = 0; i < d || i < dv; i++) {
				if (i < d)
					k[i * KV_PAGE + t % KV_PAGE] = check_value(fk);
				if (i < dv)
					v[(t % KV_PAGE) * dv + i] = check_value(fv);
			}
		}
	for (int i = (keys - 1) / KV_PAGE + 1; i < PAGES; i++)
		c->table[i] = 1 << 24; /* a page outside: reading it crashes */
}

static inline void check_attend(const struct rowops *c, const struct rowops *v, const char *name, int cases)
{
	static const int dims[] = { 1, 2, 3, 4, 5, 8, 12, 16, 20, 32, 40, 48, 64, 72, 80, 96, 112, 128, 160, 192, 256 };
	static const int where[] = { 0, 1, 2, 7, 15, 16, 17, 31, 62, 63, 64, 65, 100, 127, 128, 191, 192, 255, 256, 257, 300, 320, 511, 512, 513, 700 };
	static const int windows[] = { 1, 2, 5, 63, 64, 65, 128, 200, 256, 257, 500, 1000 };
	static const struct { int d, dv; } latent[] = { { 24, 16 }, { 48, 32 }, { 192, 128 }, { 576, 512 }, { 40, 3 }, { 16, 36 }, { 1, 7 }, { 1024, 1024 } };
	for (int i = 0; i < cases; i++) {
		int d = dims[i < COUNT(dims) ? (unsigned)i : check_rand(COUNT(dims))], hk = 1 + (int)check_rand(2), dv = d;
		if (i % 5 == 4) {
			unsigned l = i / 5 < COUNT(latent) ? (unsigned)i / 5 : check_rand(COUNT(latent) - 1);
			d = latent[l].d;
			dv = latent[l].dv;
		}
		int pos = check_rand(2) ? where[check_rand(COUNT(where))] : (int)check_rand(701);
		enum fill fk = check_rand(3) ? FILL_PLAIN : (enum fill)check_rand(FILLS);
		enum fill fv = check_rand(3) ? FILL_PLAIN : (enum fill)check_rand(FILLS);
		struct check_kv kv;
		check_kv_fill(&kv, hk, d, dv, pos + 1, fk, fv);
		struct guarded q = check_alloc((size_t)d), a = check_alloc((size_t)dv), b = check_alloc((size_t)dv);
		struct guarded s = check_alloc(ATTEND_SCRATCH(d, dv));
		int plain = fk != FILL_PLAIN || check_rand(6);
		check_fill(q.p, q.n, plain ? FILL_PLAIN : FILL_MIXED);
		size_t head = check_rand((unsigned)hk) * KV_PAGE, page = (size_t)hk * KV_PAGE;
		struct attend_head h = { .q = q.p, .k = kv.k + head * (size_t)d, .v = kv.v + head * (size_t)dv, .k_page = page * (size_t)d,
					 .v_page = page * (size_t)dv, .table = kv.table, .pos = pos, .d = d, .dv = dv, .scale = 1.0f / (1.0f + (float)check_rand(16)) };
		if (!check_rand(4))
			h.scale *= 200.0f; /* a maximum that jumps */
		h.softcap = check_rand(3) ? 0.0f : check_rand(2) ? 50.0f : 0.5f;
		h.has_slope = !check_rand(3);
		h.slope = !h.has_slope ? 0.0f : check_rand(3) ? 1.0f / (float)(1 << check_rand(9)) : check_rand(8) ? check_plain() : check_value(FILL_ANY);
		h.rounded_bias = !check_rand(2);
		h.has_sink = !check_rand(3);
		h.sink = check_rand(12) ? check_plain() * (check_rand(3) ? 3.0f : 100.0f) : check_value(FILL_ANY);
		h.window = check_rand(3) ? 0 : windows[check_rand(COUNT(windows))];
		h.chunk = check_rand(3) ? 0 : windows[check_rand(COUNT(windows))];
		c->attend(a.p, &h, s.p);
		v->attend(b.p, &h, s.p);
		CHECK_SAME(a, b, "%s attend d=%d dv=%d hk=%d pos=%d window=%d chunk=%d softcap=%g slope=%g rounded=%d sink=%d,%g fill k=%d v=%d", name, d, dv, hk, pos,
			   h.window, h.chunk, (double)h.softcap, (double)h.slope, h.rounded_bias, h.has_sink, (double)h.sink, fk, fv);
		CHECK(check_canonical(a.p, a.n), "attend: NaN not canonical");
		CHECK(check_guard(&s), "%s attend d=%d: wrote behind its scratch", name, d);
		/* with ordinary values a NaN can only come from a stale slot */
		CHECK(!plain || fk != FILL_PLAIN || fv != FILL_PLAIN || (h.has_sink && h.sink - h.sink != 0.0f) || h.slope - h.slope != 0.0f ||
			      (h.slope > 1e30f || h.slope < -1e30f) || a.p[0] == a.p[0],
		      "%s attend d=%d pos=%d: a stale slot was read", name, d, pos);
		free(kv.k), free(kv.v), free(q.base), free(a.base), free(b.base), free(s.base);
	}
}

static inline void check_rowops(const struct rowops *c, const struct rowops *v, const char *name, int attend_cases)
{
	check_state = test_seed();
	printf("[%s, seed %llu] ", name, check_state);
	check_norms(c, v, name);
	check_rope(c, v, name);
	check_acts(c, v, name);
	check_widen(c, v, name);
	check_lse(c, v, name);
	check_attend(c, v, name, attend_cases);
}

#endif
