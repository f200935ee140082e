/* test_cuda_rowops - the CUDA device against the scalar CPU device, bit for bit, on the emulator of tests/cuda_emu.h or on a GPU: every
 * operation on rows, attention over paged keys, packing of weights, memory and errors.
 *
 * One case is the same bytes on both devices and the same call; then the whole of each buffer is compared with memcmp, gaps
 * between rows and canaries included. Inputs are ordinary values, denormals, huge ones, signed zeros, Inf, NaN and random bits.
 * The order of threads and blocks changes from case to case, so that a race shows. What no operation may read holds NaN, and
 * page numbers behind the last visible key lie outside the cache.
 */
#include "kernels/cuda.h"

#include <initializer_list>
#include <vector>

#include "kernels/base/half.h"
#include "kernels/isa.h"
#include "tests/gpu.h"
#include "tests/gpu_pair.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))
#define CANARY 0xdeadbeefu
#define STALE 0x7fa00000u /* a NaN where nothing may look */

static unsigned long long state;
static int cases;

static int draw(int n) /* 0..n-1 */
{
	return (int)((test_rand(&state) >> 33) % (unsigned)n);
}

template <class T, size_t N> static T pick(const T (&a)[N])
{
	return a[draw((int)N)];
}

enum fill { PLAIN, TINY, HUGE_, MIXED, INFINITE, NANS, ANY, ZERO, FILLS };

static float plain(void) /* about N(0, 1) */
{
	float s = 0.0f;
	for (int i = 0; i < 4; i++)
		s += (float)draw(1 << 22) * 0x1p-21f - 1.0f;
	return s;
}

static float value(int f)
{
	static const uint32_t odd[] = { 0x80000000u, 0u, 1u, 0x80000001u, 0x007fffffu, 0x00800000u, 0x3f800000u, 0xbf800000u, 0x7f7fffffu,
					0xff7fffffu, 0x33000000u, 0x4b000000u };
	float x = plain();
	switch (f) {
	case PLAIN: return x;
	case TINY: return x * (draw(2) ? 0x1p-126f : 0x1p-70f);
	case HUGE_: return x * (draw(2) ? 0x1p+60f : 0x1p+125f);
	case INFINITE: return draw(40) ? x : f32_of_bits(draw(2) ? 0x7f800000u : 0xff800000u);
	case NANS: return draw(40) ? x : f32_of_bits(0x7f800001u + (uint32_t)draw(0x7ffffe) + ((uint32_t)draw(2) << 31));
	case ANY: return f32_of_bits((uint32_t)test_rand(&state));
	case ZERO: return draw(2) ? 0.0f : -0.0f;
	default: return draw(4) ? x : f32_of_bits(pick(odd));
	}
}

/* The same bytes on both devices. */
struct both {
	void *c, *g;
	size_t bytes;
	both(const void *host, size_t n) : bytes(n)
	{
		struct err e = {};
		c = cpu->ops->alloc(cpu, n, &e);
		g = gpu->ops->alloc(gpu, n, &e);
		if (!c || !g) {
			printf("%s\n", e.msg);
			exit(99);
		}
		cpu->ops->put(cpu, c, host, n);
		gpu->ops->put(gpu, g, host, n);
	}
	template <class T> explicit both(const std::vector<T> &v) : both(v.data(), v.size() * sizeof(T)) {}
	both(const both &) = delete;
	~both()
	{
		cpu->ops->release(cpu, c);
		gpu->ops->release(gpu, g);
	}
	/* The first 32-bit word that differs, or -1. */
	long differs(void) const
	{
		std::vector<uint32_t> got(bytes / 4 + 1);
		struct err e = {};
		gpu->ops->get(gpu, got.data(), g, bytes);
		if (gpu->ops->sync(gpu, &e) < 0) {
			printf("\n    %s", e.msg);
			return 0;
		}
		if (!memcmp(got.data(), c, bytes))
			return -1;
		for (size_t i = 0; i < bytes / 4; i++)
			if (memcmp(&got[i], (const char *)c + 4 * i, 4)) {
				printf("\n    word %zu: 0x%08x, scalar 0x%08x", i, got[i], ((const uint32_t *)c)[i]);
				return (long)i;
			}
		return 0;
	}
};

#define SAME(b, ...) CHECK((b).differs() < 0, __VA_ARGS__)

/* n rows of d values with a gap behind each; the gaps hold canaries. */
static std::vector<float> rows(int n, int d, int ld, int f)
{
	std::vector<float> v((size_t)n * (size_t)ld, f32_of_bits(CANARY));
	for (int i = 0; i < n; i++)
		for (int j = 0; j < d; j++)
			v[(size_t)i * (size_t)ld + (size_t)j] = value(f);
	return v;
}

static struct mat mat_c(const both &b, int n, int d, int ld)
{
	return { (float *)b.c, n, d, (size_t)ld };
}

static struct mat mat_g(const both &b, int n, int d, int ld)
{
	return { (float *)b.g, n, d, (size_t)ld };
}

static void next_order(void)
{
	pair_order(cases++);
}

static const int widths[] = { 1, 2, 3, 5, 16, 33, 64, 100, 127, 128, 129, 192, 255, 256, 257, 384, 576, 1000, 1024, 1025, 2053 };

/* --- norms, rotations, activations -------------------------------------------------------------------------------- */

static void norm_case(int d, int f)
{
	int n = 1 + draw(3), ld = d + draw(4);
	float eps = draw(2) ? 1e-5f : 1e-6f;
	std::vector<float> x = rows(n, d, ld, f), blank = rows(n, 0, ld, 0);
	both bx(x), bw(rows(1, d, d, draw(2) ? f : PLAIN)), bb(rows(1, d, d, MIXED)), by(blank), bz(x);
	int parts = d % 3 == 0 && draw(2) ? 3 : d % 8 == 0 && draw(2) ? 8 : 1, bare = !draw(4);
	cpu->ops->rmsnorm(cpu, mat_c(by, n, d, ld), mat_c(bx, n, d, ld), parts, bare ? nullptr : (float *)bw.c, eps);
	gpu->ops->rmsnorm(gpu, mat_g(by, n, d, ld), mat_g(bx, n, d, ld), parts, bare ? nullptr : (float *)bw.g, eps);
	SAME(by, "rmsnorm n=%d d=%d parts=%d fill=%d without weights=%d", n, d, parts, f, bare);
	cpu->ops->rmsnorm(cpu, mat_c(bz, n, d, ld), mat_c(bz, n, d, ld), 1, (float *)bw.c, eps);
	gpu->ops->rmsnorm(gpu, mat_g(bz, n, d, ld), mat_g(bz, n, d, ld), 1, (float *)bw.g, eps);
	SAME(bz, "rmsnorm in place n=%d d=%d fill=%d", n, d, f);
	for (int k = 0; k < 4; k++) {
		const both *w = k & 1 ? &bw : nullptr, *b = k & 2 ? &bb : nullptr;
		both in(x);
		for (both *y : { &by, &in }) {
			const both *from = y == &in ? &in : &bx;
			cpu->ops->layernorm(cpu, mat_c(*y, n, d, ld), mat_c(*from, n, d, ld), parts, w ? (float *)w->c : nullptr,
					    b ? (float *)b->c : nullptr, eps);
			gpu->ops->layernorm(gpu, mat_g(*y, n, d, ld), mat_g(*from, n, d, ld), parts, w ? (float *)w->g : nullptr,
					    b ? (float *)b->g : nullptr, eps);
			SAME(*y, "layernorm n=%d d=%d parts=%d fill=%d w,b=%d", n, d, parts, f, k);
		}
	}
}

static void test_norms(void)
{
	for (int i = 0, fills = gpu_cases(FILLS, 1), step = gpu_cases(1, 3); i < COUNT(widths); i += step)
		for (int f = 0; f < fills; f++) {
			next_order();
			norm_case(widths[i], f);
		}
}

static void test_rope(void)
{
	static const struct { int heads, d, dims; } shapes[] = {
		{ 1, 2, 2 }, { 3, 4, 2 }, { 2, 6, 6 }, { 5, 8, 8 }, { 3, 20, 10 }, { 4, 32, 32 }, { 7, 64, 64 }, { 2, 80, 32 },
		{ 3, 128, 128 }, { 1, 256, 64 }, { 2, 9, 6 }, { 2, 66, 66 }, { 40, 128, 128 },
	};
	enum { POSITIONS = 9 };
	for (int i = 0, fills = gpu_cases(FILLS, 1); i < COUNT(shapes); i++)
		for (int f = 0; f < fills; f++)
			for (int layout = ROPE_HALF; layout <= ROPE_INTERLEAVED; layout++) {
				int heads = shapes[i].heads, d = shapes[i].d, dims = shapes[i].dims, n = 1 + draw(3), ld = heads * d + draw(3);
				std::vector<int32_t> pos((size_t)n);
				for (int32_t &p : pos)
					p = draw(POSITIONS);
				next_order();
				both x(rows(n, heads * d, ld, f)), bp(pos), c(rows(POSITIONS, dims / 2, dims / 2, PLAIN));
				both s(rows(POSITIONS, dims / 2, dims / 2, f == PLAIN ? MIXED : PLAIN));
				struct rope rc = { dims, (enum rope_layout)layout, POSITIONS, (float *)c.c, (float *)s.c };
				struct rope rg = { dims, (enum rope_layout)layout, POSITIONS, (float *)c.g, (float *)s.g };
				cpu->ops->rope(cpu, mat_c(x, n, heads * d, ld), heads, &rc, (int32_t *)bp.c);
				gpu->ops->rope(gpu, mat_g(x, n, heads * d, ld), heads, &rg, (int32_t *)bp.g);
				SAME(x, "rope heads=%d d=%d dims=%d layout=%d fill=%d", heads, d, dims, layout, f);
			}
}

static void test_acts(void)
{
	for (int i = 0, fills = gpu_cases(FILLS, 1), step = gpu_cases(1, 3); i < COUNT(widths); i += step)
		for (int f = 0; f < fills; f++)
			for (int a = 0; a < ACT_COUNT; a++) {
				static const float xielu[4] = { 0.8f, 1.3f, 0.5f, -1e-6f }, swiglu[4] = { 1.702f, 1.5f, 0.0f, 0.0f };
				const float *p = a == ACT_XIELU ? xielu : a == ACT_SWIGLU_CLAMPED ? swiglu : nullptr;
				int n = 1 + draw(3), d = widths[i], ld = d + draw(3), gated = draw(2) || a == ACT_SWIGLU_CLAMPED;
				next_order();
				both g(rows(n, d, ld, f)), u(rows(n, d, ld, draw(2) ? f : PLAIN)), y(rows(n, 0, ld, 0));
				struct mat none = { nullptr, 0, 0, 0 };
				for (both *to : { &y, &g }) {
					cpu->ops->act(cpu, mat_c(*to, n, d, ld), mat_c(g, n, d, ld), gated ? mat_c(u, n, d, ld) : none, (enum act)a, p);
					gpu->ops->act(gpu, mat_g(*to, n, d, ld), mat_g(g, n, d, ld), gated ? mat_g(u, n, d, ld) : none, (enum act)a, p);
					SAME(*to, "%s gated=%d d=%d fill=%d in place=%d", act_name((enum act)a), gated, d, f, to == &g);
				}
				cpu->ops->add(cpu, mat_c(y, n, d, ld), mat_c(u, n, d, ld));
				gpu->ops->add(gpu, mat_g(y, n, d, ld), mat_g(u, n, d, ld));
				SAME(y, "add d=%d fill=%d", d, f);
			}
}

static void scaling_case(int d, int f)
{
	int n = 1 + draw(4), v = n + draw(3), ld = d + draw(3);
	float s = value(draw(2) ? f : PLAIN);
	std::vector<int32_t> to((size_t)n), any((size_t)n);
	for (int i = 0; i < n; i++) {
		to[(size_t)i] = (i + v / 2) % v; /* each row once */
		any[(size_t)i] = draw(n);
	}
	both x(rows(n, d, ld, f)), y(rows(v, d, ld, draw(2) ? f : PLAIN)), w(rows(1, n, n, f)), bt(to), ba(any);
	int has_rows = draw(2), has_w = draw(2);
	cpu->ops->scatter(cpu, mat_c(y, v, d, ld), mat_c(x, n, d, ld), has_rows ? (int32_t *)bt.c : nullptr, has_w ? (float *)w.c : nullptr);
	gpu->ops->scatter(gpu, mat_g(y, v, d, ld), mat_g(x, n, d, ld), has_rows ? (int32_t *)bt.g : nullptr, has_w ? (float *)w.g : nullptr);
	SAME(y, "scatter d=%d fill=%d rows=%d w=%d", d, f, has_rows, has_w);
	cpu->ops->axpy(cpu, mat_c(y, n, d, ld), mat_c(x, n, d, ld), s);
	gpu->ops->axpy(gpu, mat_g(y, n, d, ld), mat_g(x, n, d, ld), s);
	SAME(y, "axpy d=%d fill=%d", d, f);
	cpu->ops->scale_rows(cpu, mat_c(x, n, d, ld), (float *)w.c, has_rows ? (int32_t *)ba.c : nullptr);
	gpu->ops->scale_rows(gpu, mat_g(x, n, d, ld), (float *)w.g, has_rows ? (int32_t *)ba.g : nullptr);
	SAME(x, "scale_rows d=%d fill=%d at=%d", d, f, has_rows);
	cpu->ops->scale(cpu, mat_c(x, n, d, ld), s);
	gpu->ops->scale(gpu, mat_g(x, n, d, ld), s);
	SAME(x, "scale d=%d fill=%d", d, f);
	both z(rows(n, d, ld, f));
	cpu->ops->clip(cpu, mat_c(z, n, d, ld), 1.5f);
	gpu->ops->clip(gpu, mat_g(z, n, d, ld), 1.5f);
	SAME(z, "clip d=%d fill=%d", d, f);
	cpu->ops->softcap(cpu, mat_c(z, n, d, ld), 0.75f);
	gpu->ops->softcap(gpu, mat_g(z, n, d, ld), 0.75f);
	SAME(z, "softcap d=%d fill=%d", d, f);
}

static void test_scalings(void)
{
	for (int i = 0, fills = gpu_cases(FILLS, 1), step = gpu_cases(1, 3); i < COUNT(widths); i += step)
		for (int f = 0; f < fills; f++) {
			next_order();
			scaling_case(widths[i], f);
		}
}

/* Every 16-bit value and random words; then rows in any order. */
static void test_embed(void)
{
	for (int dt = 0; dt < DT_COUNT; dt++) {
		constexpr int V = 64, D = 1024;
		std::vector<unsigned char> t((size_t)V * D * dtype_size((enum dtype)dt));
		for (size_t i = 0; i < (size_t)V * D; i++) {
			uint32_t w = (uint32_t)test_rand(&state);
			uint16_t h = (uint16_t)i;
			if (dt == DT_F32)
				memcpy(&t[4 * i], &w, 4);
			else
				memcpy(&t[2 * i], &h, 2);
		}
		for (int d : { D, 1, 33, 256, 1500 }) {
			int v = V * D / d, n = d == D ? V : 7, ld = d + draw(3);
			std::vector<int32_t> ids((size_t)n);
			for (int i = 0; i < n; i++)
				ids[(size_t)i] = d == D ? V - 1 - i : draw(v);
			next_order();
			both bt(t), bi(ids), y(rows(n, 0, ld, 0)), z(rows(n, 0, ld, 0));
			struct table tc = { (enum dtype)dt, v, d, bt.c }, tg = { (enum dtype)dt, v, d, bt.g };
			cpu->ops->embed(cpu, mat_c(y, n, d, ld), &tc, (int32_t *)bi.c);
			gpu->ops->embed(gpu, mat_g(y, n, d, ld), &tg, (int32_t *)bi.g);
			SAME(y, "embed %s d=%d", dtype_name((enum dtype)dt), d);
			for (int32_t &id : ids)
				id = draw(n);
			both br(ids);
			cpu->ops->gather(cpu, mat_c(z, n, d, ld), mat_c(y, n, d, ld), (int32_t *)br.c);
			gpu->ops->gather(gpu, mat_g(z, n, d, ld), mat_g(y, n, d, ld), (int32_t *)br.g);
			SAME(z, "gather d=%d", d);
		}
	}
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

/* Sequences over a cache with pages in random order; sequence s holds keys 0..last[s]. */
struct pages {
	enum { LD = 12 };
	int hk, d, dv, n;
	std::vector<int32_t> table;
	std::vector<float> k, v;

	pages(int hk_, int d_, int dv_, const std::vector<int> &last, int fk, int fv) : hk(hk_), d(d_), dv(dv_), n(2)
	{
		std::vector<int32_t> free_;
		for (int p : last)
			n += p / KV_PAGE + 1;
		for (int i = 0; i < n; i++)
			free_.push_back(i);
		for (int i = n - 1; i > 0; i--)
			std::swap(free_[(size_t)i], free_[(size_t)draw(i + 1)]);
		table.assign(last.size() * LD, 1 << 24); /* a page outside */
		k.assign((size_t)(n * hk * d * KV_PAGE), f32_of_bits(STALE));
		v.assign((size_t)(n * hk * dv * KV_PAGE), f32_of_bits(STALE));
		for (size_t s = 0; s < last.size(); s++)
			for (int t = 0; t <= last[s]; t++) {
				int32_t *page = &table[s * LD + (size_t)(t / KV_PAGE)];
				if (t % KV_PAGE == 0) {
					*page = free_.back();
					free_.pop_back();
				}
				for (int h = 0; h < hk; h++)
					for (int i = 0; i < d || i < dv; i++) {
						int at = (*page * hk + h) * KV_PAGE;
						if (i < d)
							k[(size_t)(at * d + i * KV_PAGE + t % KV_PAGE)] = value(fk);
						if (i < dv)
							v[(size_t)((at + t % KV_PAGE) * dv + i)] = value(fv);
					}
			}
	}
};

static struct batch batch_of(int n, void *pos, void *seq, void *table)
{
	return { n, nullptr, (int32_t *)pos, (int32_t *)seq, (int32_t *)table, pages::LD };
}

static void test_kv(void)
{
	static const int dims[] = { 1, 2, 5, 8, 20, 64, 80, 128, 256 };
	for (int i = 0, most = gpu_cases(60, 10); i < most; i++) {
		int d = dims[i % COUNT(dims)], dv = i % 3 ? d : dims[draw(6)], hk = 1 + draw(4), n = 1 + draw(9), ld = hk * (d > dv ? d : dv) + draw(5);
		std::vector<int> last = { i % 3 ? draw(700) : KV_PAGE * (1 + draw(10)) - 1, draw(130), draw(3) }; /* ends of pages too */
		struct pages p(hk, d, dv, last, ZERO, ZERO);
		std::vector<int32_t> pos, seq;
		for (int r = 0; r < n; r++) { /* every position once */
			seq.push_back(r % 3);
			pos.push_back((last[(size_t)(r % 3)] + r) % (last[(size_t)(r % 3)] + 1));
		}
		for (int r = 3; r < n; r++)
			for (int q = r % 3; q < r; q += 3)
				if (pos[(size_t)q] == pos[(size_t)r]) {
					pos.resize((size_t)r);
					n = r;
				}
		next_order();
		both k(p.k), v(p.v), key(rows(n, hk * d, ld, ANY)), val(rows(n, hk * dv, ld, ANY)), bp(pos), bs(seq), bt(p.table);
		struct kv kc = { (float *)k.c, (float *)v.c, hk, d, p.n, dv }, kg = { (float *)k.g, (float *)v.g, hk, d, p.n, dv };
		struct batch bc = batch_of(n, bp.c, bs.c, bt.c), bg = batch_of(n, bp.g, bs.g, bt.g);
		cpu->ops->kv_write(cpu, &kc, mat_c(key, n, hk * d, ld), mat_c(val, n, hk * dv, ld), &bc);
		gpu->ops->kv_write(gpu, &kg, mat_g(key, n, hk * d, ld), mat_g(val, n, hk * dv, ld), &bg);
		SAME(k, "kv_write keys d=%d hk=%d n=%d", d, hk, n);
		SAME(v, "kv_write values d=%d dv=%d hk=%d n=%d", d, dv, hk, n);
		int dst = draw(p.n), src = (dst + 1 + draw(p.n - 1)) % p.n, slots = i % 4 ? draw(KV_PAGE + 1) : i % 8 ? KV_PAGE : 0;
		cpu->ops->kv_copy(cpu, &kc, dst, src, slots);
		gpu->ops->kv_copy(gpu, &kg, dst, src, slots);
		SAME(k, "kv_copy keys d=%d hk=%d slots=%d", d, hk, slots);
		SAME(v, "kv_copy values d=%d dv=%d hk=%d slots=%d", d, dv, hk, slots);
	}
}

/* What sees what, and biases: of the case's own window and scale. */
static void vary(struct attend *a)
{
	static const int chunks[] = { 1, 3, 50, 64, 100, 128, 256, 300, 8192 };
	a->chunk = draw(3) ? 0 : pick(chunks);
	a->rounded_bias = draw(2);
}

static float a_slope(void)
{
	return draw(3) ? 1.0f / (float)(1 << draw(9)) : draw(4) ? plain() : value(MIXED);
}

static void attend_case(int d, int dv)
{
	static const int where[] = { 0, 1, 7, 31, 62, 63, 64, 65, 127, 128, 191, 192, 255, 256, 257, 320, 511, 512, 513, 700 };
	static const int windows[] = { 1, 2, 5, 63, 64, 65, 128, 200, 256, 257, 500, 1000 };
	int hk = 1 + draw(2), h = hk * (1 + draw(3)), n = 1 + draw(3), ld = h * (d > dv ? d : dv) + draw(3);
	int fk = draw(3) ? PLAIN : draw(FILLS), fv = draw(3) ? PLAIN : draw(FILLS), fq = draw(6) ? PLAIN : draw(FILLS);
	std::vector<int> last = { draw(2) ? pick(where) : draw(701), draw(100) };
	struct pages p(hk, d, dv, last, fk, fv);
	if (!draw(8)) /* scores of -Inf and +Inf: whole tiles, beginnings, single keys */
		for (int t = draw(64), s = 0; s < (int)p.k.size(); s += 1 + draw(t + 1))
			p.k[(size_t)s] = f32_of_bits(draw(30) ? 0xff800000u : 0x7f800000u);
	std::vector<int32_t> pos, seq;
	for (int r = 0; r < n; r++) {
		int32_t s = r == 0 ? 0 : draw(2);
		seq.push_back(s);
		pos.push_back(r == 0 || draw(2) ? last[(size_t)s] : draw(last[(size_t)s] + 1));
	}
	std::vector<float> slopes, sinks;
	for (int i = 0; i < h; i++) {
		slopes.push_back(a_slope());
		sinks.push_back(draw(12) ? plain() * (draw(3) ? 3.0f : 100.0f) : value(ANY));
	}
	std::vector<float> query = rows(n, h * d, ld, fq);
	if (!draw(6)) /* scores all of one sign, with -Inf keys: everything drops out */
		for (float &x : query)
			x = f32_of_bits(f32_bits(x) & 0x7fffffffu);
	next_order();
	both k(p.k), v(p.v), q(query), y(rows(n, 0, ld, 0)), bp(pos), bs(seq), bt(p.table), sl(slopes), si(sinks);
	struct attend a = { 1.0f / (1.0f + (float)draw(16)), draw(3) ? 0.0f : draw(2) ? 50.0f : 0.5f, nullptr,
			    draw(3) ? 0 : pick(windows), nullptr };
	if (!draw(4))
		a.scale *= 200.0f; /* a maximum that jumps */
	vary(&a);
	struct attend ac = a, ag = a;
	if (!draw(3))
		ac.slopes = (float *)sl.c, ag.slopes = (float *)sl.g;
	if (!draw(3))
		ac.sinks = (float *)si.c, ag.sinks = (float *)si.g;
	struct kv kc = { (float *)k.c, (float *)v.c, hk, d, p.n, dv }, kg = { (float *)k.g, (float *)v.g, hk, d, p.n, dv };
	struct batch bc = batch_of(n, bp.c, bs.c, bt.c), bg = batch_of(n, bp.g, bs.g, bt.g);
	cpu->ops->attend(cpu, mat_c(y, n, h * dv, ld), mat_c(q, n, h * d, ld), h, &kc, &ac, &bc);
	gpu->ops->attend(gpu, mat_g(y, n, h * dv, ld), mat_g(q, n, h * d, ld), h, &kg, &ag, &bg);
	SAME(y, "attend d=%d dv=%d h=%d hk=%d n=%d pos=%d window=%d chunk=%d softcap=%g slopes=%d,%d sinks=%d fill k=%d v=%d q=%d", d, dv, h, hk, n,
	     pos[0], a.window, a.chunk, (double)a.softcap, ac.slopes != nullptr, a.rounded_bias, ac.sinks != nullptr, fk, fv, fq);
}

/* One key a segment counts, values are denormal: products of the merge round, and a fused one would round otherwise. */
static void test_merge(void)
{
	for (int i = 0, most = gpu_cases(30, 2); i < most; i++) {
		int d = 64, n = 300 + draw(400);
		std::vector<int> last = { n - 1 };
		std::vector<int32_t> pos = last, seq(1, 0);
		struct pages p(1, d, d, last, ZERO, TINY);
		std::vector<float> q((size_t)d, 0.0f);
		q[0] = 1.0f;
		for (int t = 0; t < n; t++) {
			size_t at = (size_t)p.table[(size_t)(t / KV_PAGE)] * (size_t)d * KV_PAGE;
			p.k[at + (size_t)(t % KV_PAGE)] = t % 256 == 30 ? (float)draw(4) : -1000.0f;
			for (int c = 0; c < d; c++)
				p.v[at + (size_t)(t % KV_PAGE * d + c)] = plain() * 0x1.234567p-126f;
		}
		next_order();
		both k(p.k), v(p.v), bq(q), y(q), bp(pos), bs(seq), bt(p.table);
		struct attend a = { 1.0f, 0.0f, nullptr, 0, nullptr };
		struct kv kc = { (float *)k.c, (float *)v.c, 1, d, p.n, d }, kg = { (float *)k.g, (float *)v.g, 1, d, p.n, d };
		struct batch bc = batch_of(1, bp.c, bs.c, bt.c), bg = batch_of(1, bp.g, bs.g, bt.g);
		cpu->ops->attend(cpu, mat_c(y, 1, d, d), mat_c(bq, 1, d, d), 1, &kc, &a, &bc);
		gpu->ops->attend(gpu, mat_g(y, 1, d, d), mat_g(bq, 1, d, d), 1, &kg, &a, &bg);
		SAME(y, "attend over denormal values, %d keys", n);
	}
}

static void test_attend(void)
{
	static const int dims[] = { 1, 2, 3, 4, 5, 8, 16, 20, 32, 40, 64, 80, 96, 112, 128, 192, 256, 257, 300 };
	int small = 0;
	for (int i = 0, most = gpu_cases(1200, 40); i < most; i++) {
		int d = i < COUNT(dims) ? dims[i] : (small = !small) ? dims[draw(10)] : pick(dims);
		attend_case(d, d);
	}
	/* two widths: in and out of tiles, tiles too large for a device, a head as wide as there is */
	static const struct { int d, dv; } two[] = {
		{ 24, 16 }, { 192, 128 }, { 576, 512 }, { 48, 32 }, { 40, 3 }, { 16, 36 }, { 1, 7 }, { 260, 64 }, { 64, 260 }, { 1024, 1024 }, { 256, 64 },
	};
	for (int i = 0, most = gpu_cases(120, COUNT(two)); i < most; i++) {
		int at = i < COUNT(two) ? i : draw(7);
		attend_case(two[at].d, two[at].dv);
	}
}

/* Many rows: of one sequence in order, as a prompt; of a few; of many in any order; some share pages, some of them garbage behind their
 * last key. Large blocks and small ones, segments apart and not. */
static void tiles_case(int d, int dv, int kind)
{
	static const int windows[] = { 1, 63, 65, 200, 300 };
	int hk = 1 + draw(2), group = draw(3) ? 1 + draw(5) : 1 + draw(9), h = hk * group;
	int n = kind == 3 ? 3 + draw(6) : 9 + draw(d > 64 ? 40 : 90);
	int ld = h * (d > dv ? d : dv) + draw(3), seqs = kind == 0 ? 1 : kind == 1 ? 2 + draw(3) : 12, odd = draw(5) ? PLAIN : draw(FILLS);
	std::vector<int> last;
	for (int s = 0; s < seqs; s++)
		last.push_back(s < 2 ? 150 + draw(450) : draw(300));
	struct pages p(hk, d, dv, last, PLAIN, odd);
	for (int s = 1; s < seqs; s++) /* whole pages of the first */
		for (int t = 0, m = draw(2) ? draw(10) : 0; t < m && t < last[0] / KV_PAGE && t <= last[(size_t)s] / KV_PAGE; t++)
			p.table[(size_t)(s * pages::LD + t)] = p.table[(size_t)t];
	if (!draw(6)) /* keys of -Inf */
		for (size_t s = 0; s < p.k.size(); s += 1 + (size_t)draw(40))
			p.k[s] = f32_of_bits(draw(50) ? 0xff800000u : 0x7f800000u);
	std::vector<int32_t> pos, seq;
	for (int r = 0, at = draw(100); r < n; r++) {
		int s = kind < 2 ? r * seqs / n : draw(seqs);
		seq.push_back(s);
		pos.push_back(kind < 2 ? (at + r) % (last[(size_t)s] + 1) : draw(4) ? last[(size_t)s] : draw(last[(size_t)s] + 1));
	}
	std::vector<float> slopes, sinks, query = rows(n, h * d, ld, draw(5) ? PLAIN : draw(FILLS));
	for (int i = 0; i < h; i++) {
		slopes.push_back(a_slope());
		sinks.push_back(draw(12) ? plain() : value(ANY));
	}
	both k(p.k), v(p.v), q(query), bp(pos), bs(seq), bt(p.table), sl(slopes), si(sinks);
	struct attend ac = { 1.0f / (1.0f + (float)draw(16)), draw(4) ? 0.0f : 5.0f, nullptr, draw(3) ? 0 : pick(windows), nullptr };
	vary(&ac);
	struct attend ag = ac;
	if (!draw(4))
		ac.slopes = (float *)sl.c, ag.slopes = (float *)sl.g;
	if (!draw(4))
		ac.sinks = (float *)si.c, ag.sinks = (float *)si.g;
	struct kv kc = { (float *)k.c, (float *)v.c, hk, d, p.n, dv }, kg = { (float *)k.g, (float *)v.g, hk, d, p.n, dv };
	struct batch bc = batch_of(n, bp.c, bs.c, bt.c), bg = batch_of(n, bp.g, bs.g, bt.g);
	std::vector<float> fresh = rows(n, 0, ld, 0);
	both apart(fresh), one(fresh), room(std::vector<float>(cuda_attend_scratch(h, &kg, &bg) / sizeof(float), f32_of_bits(STALE)));
	CHECK(room.bytes > 0, "no scratch for %d rows of %d heads", n, h);
	next_order();
	cpu->ops->attend(cpu, mat_c(apart, n, h * dv, ld), mat_c(q, n, h * d, ld), h, &kc, &ac, &bc);
	memcpy(one.c, apart.c, one.bytes);
	struct err e = {};
	CHECK(gpu->ops->sync(gpu, &e) == 0, "%s", e.msg); /* the device's stream is not the one used here */
	cuda_attend(nullptr, mat_g(apart, n, h * dv, ld), mat_g(q, n, h * d, ld), h, &kg, &ag, &bg, room.g);
#ifdef ASSAY_CUDA_EMU
	if (!draw(8)) /* no shared memory for the tiles: another kernel */
		emu_fail("cudaFuncSetAttribute", 1, cudaErrorInvalidValue);
#endif
	cuda_attend(nullptr, mat_g(one, n, h * dv, ld), mat_g(q, n, h * d, ld), h, &kg, &ag, &bg, nullptr);
	CU_ASSERT_EQUAL(cudaDeviceSynchronize(), cudaSuccess);
	SAME(apart, "attend, segments apart: kind %d d=%d dv=%d h=%d hk=%d n=%d window=%d chunk=%d softcap=%g slopes=%d,%d sinks=%d", kind, d, dv, h, hk, n,
	     ac.window, ac.chunk, (double)ac.softcap, ac.slopes != nullptr, ac.rounded_bias, ac.sinks != nullptr);
	SAME(one, "attend: kind %d d=%d dv=%d h=%d hk=%d n=%d window=%d chunk=%d softcap=%g slopes=%d,%d sinks=%d", kind, d, dv, h, hk, n, ac.window,
	     ac.chunk, (double)ac.softcap, ac.slopes != nullptr, ac.rounded_bias, ac.sinks != nullptr);
}

static void test_tiles(void)
{
	static const int dims[] = { 4, 8, 20, 64, 16, 32, 80, 128, 132, 256 };
	for (int i = 0; i < gpu_cases(60, 8); i++) {
		int d = i % 3 == 2 ? dims[i / 3 % COUNT(dims)] : dims[draw(3)];
		tiles_case(d, d, i % 4);
	}
	static const struct { int d, dv; } two[] = { { 24, 16 }, { 192, 128 }, { 8, 20 }, { 48, 32 }, { 256, 64 }, { 64, 256 }, { 132, 72 }, { 40, 128 } };
	for (int i = 0; i < gpu_cases(24, 8); i++) {
		int at = i % COUNT(two);
		tiles_case(two[at].d, two[at].dv, (i + i / COUNT(two)) % 4);
	}
	/* where the number of blocks or of bytes decides against a split */
	struct kv c = { nullptr, nullptr, 8, 64, 0, 64 };
	struct batch b = batch_of(8, nullptr, nullptr, nullptr);
	CU_ASSERT_EQUAL(cuda_attend_scratch(32, &c, &b), (size_t)8 * 32 * 3 * 66 * 4);
	b.n = 64 * 33; /* 33 large blocks of a head each */
	CU_ASSERT_EQUAL(cuda_attend_scratch(8, &c, &b), 0);
	b.n -= 64;
	CU_ASSERT_EQUAL(cuda_attend_scratch(8, &c, &b), (size_t)2048 * 8 * 3 * 66 * 4);
	b.ld_table = 4;
	CU_ASSERT_EQUAL(cuda_attend_scratch(8, &c, &b), 0);
	b.ld_table = 4096;
	CU_ASSERT_EQUAL(cuda_attend_scratch(8, &c, &b), 0);
	b.ld_table = 12;
	c.dv = 20;
	CU_ASSERT_EQUAL(cuda_attend_scratch(8, &c, &b), (size_t)2048 * 8 * 3 * 22 * 4);
	c.dv = 6;
	CU_ASSERT_EQUAL(cuda_attend_scratch(8, &c, &b), 0);
	c.dv = 64;
	c.d = 6;
	b.n = 8;
	CU_ASSERT_EQUAL(cuda_attend_scratch(8, &c, &b), 0);
}

/* --- the device --------------------------------------------------------------------------------------------------- */

/* Panels and bias are the CPU's, whatever pieces the rows come in. */
static void test_packing(void)
{
	for (int i = 0, most = gpu_cases(40, 6); i < most; i++) {
		enum dtype dt = (enum dtype)(i % DT_COUNT);
		int n = 1 + draw(200), k = i % 7 ? 1 + draw(300) : 9000, ld = k + draw(5);
		std::vector<unsigned char> src((size_t)n * (size_t)ld * dtype_size(dt));
		for (unsigned char &b : src)
			b = (unsigned char)draw(256);
		struct linear c, g;
		struct err e = {};
		next_order();
		CU_ASSERT_EQUAL_FATAL(cpu->ops->linear_init(cpu, &c, dt, n, k, 1, &e), 0);
		CU_ASSERT_EQUAL_FATAL(gpu->ops->linear_init(gpu, &g, dt, n, k, 1, &e), 0);
		for (int at = 0; at < n;) {
			int some = 1 + draw(n - at);
			const unsigned char *p = &src[(size_t)at * (size_t)ld * dtype_size(dt)];
			cpu->ops->linear_rows(cpu, &c, at, p, (size_t)ld, some);
			gpu->ops->linear_rows(gpu, &g, at, p, (size_t)ld, some);
			at += some;
		}
		std::vector<unsigned char> got(g.bytes + 4 * (size_t)n);
		gpu->ops->get(gpu, got.data(), g.panels, g.bytes);
		gpu->ops->get(gpu, &got[g.bytes], g.bias, 4 * (size_t)n);
		CHECK(gpu->ops->sync(gpu, &e) == 0, "%s", e.msg);
		CHECK(c.bytes == g.bytes && !memcmp(got.data(), c.panels, c.bytes), "panels of %s n=%d k=%d differ", dtype_name(dt), n, k);
		CHECK(!memcmp(&got[g.bytes], c.bias, 4 * (size_t)n), "a fresh bias is not zero");
		gpu->ops->linear_free(gpu, &g);
		cpu->ops->linear_free(cpu, &c);
	}
	struct linear w;
	struct err e = {};
	CU_ASSERT_EQUAL(gpu->ops->linear_init(gpu, &w, DT_F32, 0, 5, 0, &e), -1);
	CU_ASSERT_EQUAL(e.code, E_RANGE);
}

/* linear as a call of the device: its scratch grows with the rows. */
static void test_linear(void)
{
	for (int m : { 1, 3, 2, 17 }) {
		int n = 70, k = 600;
		std::vector<float> src = rows(n, k, k, PLAIN);
		struct linear c, g;
		struct err e = {};
		next_order();
		cpu->ops->linear_init(cpu, &c, DT_F32, n, k, 0, &e);
		gpu->ops->linear_init(gpu, &g, DT_F32, n, k, 0, &e);
		cpu->ops->linear_rows(cpu, &c, 0, src.data(), (size_t)k, n);
		gpu->ops->linear_rows(gpu, &g, 0, src.data(), (size_t)k, n);
		{
			both x(rows(m, k, k, PLAIN)), y(rows(m, 0, n, 0)), lse(std::vector<uint32_t>((size_t)m * 5));
			both target(std::vector<int32_t>((size_t)m, 1));
			cpu->ops->linear(cpu, mat_c(y, m, n, n), mat_c(x, m, k, k), &c);
			gpu->ops->linear(gpu, mat_g(y, m, n, n), mat_g(x, m, k, k), &g);
			SAME(y, "linear m=%d", m);
			cpu->ops->lse(cpu, (struct lse *)lse.c, mat_c(y, m, n, n), (int32_t *)target.c);
			gpu->ops->lse(gpu, (struct lse *)lse.g, mat_g(y, m, n, n), (int32_t *)target.g);
			SAME(lse, "lse m=%d", m);
		}
		gpu->ops->linear_free(gpu, &g);
		cpu->ops->linear_free(cpu, &c);
	}
}

/* Zeroed; bytes handed to put may change at once; more than both pinned halves hold. */
static void test_memory(void)
{
	const struct ops *o = gpu->ops;
	struct err e = {};
	size_t n = (size_t)9 << 20;
	CU_ASSERT_EQUAL(o->host_rows, 0);
	CU_ASSERT_EQUAL(cpu->ops->host_rows, 1);
	for (size_t bytes : { (size_t)0, (size_t)1, (size_t)63, (size_t)65, (size_t)4096, n }) {
		std::vector<unsigned char> got(bytes + 1, 1), zero(bytes + 1, 0);
		void *p = o->alloc(gpu, bytes, &e);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		CU_ASSERT_EQUAL((uintptr_t)p % 4, 0);
		o->get(gpu, got.data(), p, bytes);
		got[bytes] = 0;
		CU_ASSERT_EQUAL(o->sync(gpu, &e), 0);
		CHECK(got == zero, "%zu bytes are not zeroed", bytes);
		std::vector<unsigned char> host(bytes), kept;
		for (unsigned char &b : host)
			b = (unsigned char)draw(256);
		kept = host;
		o->put(gpu, p, host.data(), bytes);
		std::fill(host.begin(), host.end(), 0);
		o->get(gpu, host.data(), p, bytes);
		CU_ASSERT_EQUAL(o->sync(gpu, &e), 0);
		CHECK(host == kept, "%zu bytes did not come back", bytes);
		o->release(gpu, p);
	}
	o->release(gpu, nullptr);
	CU_ASSERT_PTR_NULL(o->alloc(gpu, SIZE_MAX - 3, &e));
	CU_ASSERT_EQUAL(e.code, E_MEMORY);
#ifdef ASSAY_CUDA_EMU
	emu_memory(emu_allocated() + 1000);
	size_t large = 123456;
#else
	size_t large = (size_t)1 << 46; /* more than any device has */
#endif
	char says[80];
	snprintf(says, sizeof says, "cuda:0: no memory for a block of %zu bytes: ", large);
	CU_ASSERT_PTR_NULL(o->alloc(gpu, large, &e));
#ifdef ASSAY_CUDA_EMU
	emu_memory((size_t)4 << 30);
#endif
	CU_ASSERT_EQUAL(e.code, E_MEMORY);
	CHECK(strstr(e.msg, says) && strstr(e.msg, "are free"), "%s", e.msg);
	CU_ASSERT_EQUAL(o->sync(gpu, &e), 0);
}

#ifdef ASSAY_CUDA_EMU
/* The first failure is kept, with the operation's name, and told once. */
static void test_failures(void)
{
	const struct ops *o = gpu->ops;
	struct err e = {};
	both x(rows(1, 8, 8, PLAIN)), y(rows(1, 8, 8, PLAIN)), first(std::vector<int32_t>(1, 0));
	emu_fail("launch", 1, cudaErrorLaunchFailure);
	o->add(gpu, mat_g(y, 1, 8, 8), mat_g(x, 1, 8, 8));
	emu_fail("launch", 1, cudaErrorLaunchOutOfResources);
	o->gather(gpu, mat_g(y, 1, 8, 8), mat_g(x, 1, 8, 8), (int32_t *)first.g);
	CU_ASSERT_EQUAL(o->sync(gpu, &e), -1);
	CU_ASSERT_EQUAL(e.code, E_DEVICE);
	CHECK(strstr(e.msg, "cuda:0: add: "), "%s", e.msg);
	o->gather(gpu, mat_g(y, 1, 8, 8), mat_g(x, 1, 8, 8), (int32_t *)first.g);
	CU_ASSERT_EQUAL(o->sync(gpu, &e), 0);
}

static void test_sync_failure(void)
{
	const struct ops *o = gpu->ops;
	struct err e = {};
	both x(rows(1, 8, 8, PLAIN)), y(rows(1, 8, 8, PLAIN));
	o->add(gpu, mat_g(y, 1, 8, 8), mat_g(x, 1, 8, 8));
	emu_fail("cudaStreamSynchronize", 1, cudaErrorIllegalAddress);
	CU_ASSERT_EQUAL(o->sync(gpu, &e), -1);
	CU_ASSERT_EQUAL(e.code, E_DEVICE);
	CHECK(strstr(e.msg, "'add'") && strstr(e.msg, "cudaErrorIllegalAddress"), "%s", e.msg);
	CU_ASSERT_EQUAL(o->sync(gpu, &e), 0);
}

/* No driver, an old one, no device, a wrong number, no memory: one sentence each; nothing is left behind. */
static void test_open(void)
{
	static const struct { const char *call; int error; enum err_code code; const char *says; } fails[] = {
		{ "cudaGetDeviceCount", cudaErrorInsufficientDriver, E_DEVICE, "driver" },
		{ "cudaGetDeviceCount", cudaErrorNoDevice, E_DEVICE, "there is no CUDA device" },
		{ "cudaGetDeviceCount", cudaErrorUnknown, E_DEVICE, "CUDA does not start" },
		{ "cudaGetDeviceProperties", cudaErrorInvalidDevice, E_DEVICE, "cannot be used" },
		{ "cudaSetDevice", cudaErrorUnknown, E_DEVICE, "cannot be used" },
		{ "cudaStreamCreate", cudaErrorUnknown, E_DEVICE, "cannot be used" },
		{ "cudaMallocHost", cudaErrorMemoryAllocation, E_MEMORY, "cannot be used" },
	};
	size_t before = emu_allocations();
	struct device *d = nullptr;
	struct err e = {};
	for (int i = 0; i < COUNT(fails); i++) {
		e.msg[0] = 0;
		emu_fail(fails[i].call, 1, fails[i].error);
		CHECK(cuda_device_open(&d, 0, 1, &e) == -1, "%s did not fail", fails[i].call);
		CU_ASSERT_PTR_NULL(d);
		CHECK(e.code == fails[i].code && strstr(e.msg, fails[i].says), "%s: %s", fails[i].call, e.msg);
		CU_ASSERT_EQUAL(emu_allocations(), before);
	}
	CU_ASSERT_EQUAL(cuda_device_open(&d, 7, 1, &e), -1);
	CHECK(e.code == E_DEVICE && strstr(e.msg, "there is no device cuda:7"), "%s", e.msg);
	CU_ASSERT_EQUAL(cuda_device_open(&d, -1, 1, &e), -1);
	emu_devices(0);
	CU_ASSERT_EQUAL(cuda_device_open(&d, 0, 1, &e), -1);
	CHECK(e.code == E_DEVICE && strstr(e.msg, "there is no CUDA device"), "%s", e.msg);
	emu_devices(2);
	CHECK(cuda_device_open(&d, 1, 2, &e) == 0, "%s", e.msg);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CHECK(strstr(d->describe, "cuda:1 ") == d->describe && strstr(d->describe, "compute capability"), "%s", d->describe);
	CU_ASSERT_EQUAL(d->threads, 2);
	d->close(d);
	emu_devices(1);
	CU_ASSERT_EQUAL(emu_allocations(), before);
}

#else
/* On a device: numbers that it does not have, and a second opening beside the first. */
static void test_open(void)
{
	struct device *d = nullptr;
	struct err e = {};
	for (int index : { -1, 4096 }) {
		CU_ASSERT_EQUAL(cuda_device_open(&d, index, 1, &e), -1);
		CU_ASSERT_PTR_NULL(d);
		CHECK(e.code == E_DEVICE && strstr(e.msg, "there is no device cuda:"), "%s", e.msg);
	}
	CHECK(cuda_device_open(&d, 0, 2, &e) == 0, "%s", e.msg);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CHECK(strstr(d->describe, "cuda:0 ") == d->describe && strstr(d->describe, "compute capability"), "%s", d->describe);
	CU_ASSERT_EQUAL(d->threads, 2);
	d->close(d);
	CU_ASSERT_EQUAL(gpu->ops->sync(gpu, &e), 0);
}
#endif

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "opening a device", test_open },
		{ "memory", test_memory },
		{ "packing of weights", test_packing },
		{ "norms", test_norms },
		{ "rope", test_rope },
		{ "activations and addition", test_acts },
		{ "scalings and scatter", test_scalings },
		{ "embedding and gather", test_embed },
		{ "keys and values", test_kv },
		{ "attention", test_attend },
		{ "attention of many rows", test_tiles },
		{ "attention: segments of denormal values", test_merge },
		{ "linear and log-sum-exp through the device", test_linear },
#ifdef ASSAY_CUDA_EMU
		{ "a failed operation", test_failures },
		{ "a failed synchronisation", test_sync_failure },
#endif
		{ nullptr, nullptr },
	};
	state = test_seed();
	return pair_main("cuda_rowops", tests, state, argc, argv);
}
