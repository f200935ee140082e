/* rowops_simd.h - the row operations as a template over simd.h: rowops_avx2.c and its kin include their vector header, name
 * ROWOPS_SYMBOL and include this file. Each function repeats, lane for lane, the operations of its scalar definition
 * (norm.c, rope.c, act.c, embed.c, logprob.c); attention is in attend_simd.h.
 *
 * Three facts let the vectors differ in form from the definitions and not in bits: a lane sum starts at +0 and so is never
 * -0, hence adding a missing lane's +0 changes nothing; multiplication by 1 changes nothing; the largest of some floats
 * does not depend on the order of comparison (of zeros with two signs either will do: both have the ceiling +0).
 */
#include "kernels/attend.h"
#include "kernels/rowops.h"

#include "kernels/exactmath.h"
#define XM_VECTOR
#include "kernels/exactmath.h"
#undef XM_VECTOR

#define INLINE static inline __attribute__((always_inline))
#if defined __GNUC__ && !defined __clang__
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL _Pragma("unroll")
#endif

#define LANES 128
#define NV (LANES / VW)

INLINE vf get(const float *p, int n) /* min(n, VW) floats */
{
	return n >= VW ? vf_load(p) : vf_load_n(p, n);
}

INLINE void put(float *p, vf a, int n)
{
	if (n >= VW)
		vf_store(p, a);
	else
		vf_store_n(p, a, n);
}

/* ---- 128 lanes: s[0..used-1] hold them, vectors behind are +0 and may be unset */

static inline float fold(vf *s, int used)
{
	float t[VW];
	for (int h = NV / 2; h; h /= 2)
		for (int i = 0; i < h && i + h < used; i++)
			s[i] = vf_add(s[i], s[i + h]);
	vf_store(t, s[0]);
	for (int h = VW / 2; h; h /= 2)
		for (int i = 0; i < h; i++)
			t[i] += t[i + h];
	return t[0];
}

/* Sum over a row of term(x, mean, lanes there are), where `sum` adds a term to a lane: the three reductions by one loop. */
enum reduction { SUM, SUM_SQUARES, SUM_CENTRED };

INLINE vf step(vf s, vf x, vf mean, vm there, enum reduction how, int partial)
{
	if (how == SUM)
		return vf_add(s, x);
	if (how == SUM_CENTRED) {
		x = vf_sub(x, mean);
		if (partial)
			x = vf_sel(there, x, vf_zero());
	}
	return vf_fma(x, x, s);
}

INLINE float reduce(const float *x, int d, float mean, enum reduction how)
{
	vf s[NV], m = vf_set1(mean);
	vm all = vm_first(VW);
	int i = 0, used = d < LANES ? (d + VW - 1) / VW : NV;
	for (int v = 0; v < used; v++)
		s[v] = vf_zero();
	if (d >= LANES) {
		vf a[NV];
		UNROLL
		for (int v = 0; v < NV; v++)
			a[v] = vf_zero();
		for (; i + LANES <= d; i += LANES) {
			UNROLL
			for (int v = 0; v < NV; v++)
				a[v] = step(a[v], vf_load(x + i + v * VW), m, all, how, 0);
		}
		UNROLL
		for (int v = 0; v < NV; v++)
			s[v] = a[v];
	}
	int v = 0;
	for (; i + VW <= d; i += VW, v++)
		s[v] = step(s[v], vf_load(x + i), m, all, how, 0);
	if (i < d)
		s[v] = step(s[v], vf_load_n(x + i, d - i), m, vm_first(d - i), how, 1);
	return fold(s, used);
}

/* ---- norms */

static void rmsnorm_v(float *y, const float *x, const float *w, int d, float eps)
{
	float mean = reduce(x, d, 0.0f, SUM_SQUARES) * (1.0f / (float)d);
	vf r = vf_set1(1.0f / xm_sqrt(mean + eps));
	for (int i = 0; i < d; i += VW) {
		vf t = vf_mul(get(x + i, d - i), r);
		put(y + i, vf_canon(w ? vf_mul(t, get(w + i, d - i)) : t), d - i);
	}
}

static void layernorm_v(float *y, const float *x, const float *w, const float *b, int d, float eps)
{
	float rd = 1.0f / (float)d, mean = reduce(x, d, 0.0f, SUM) * rd;
	vf m = vf_set1(mean), r = vf_set1(1.0f / xm_sqrt(reduce(x, d, mean, SUM_CENTRED) * rd + eps));
	for (int i = 0; i < d; i += VW) {
		vf t = vf_mul(vf_sub(get(x + i, d - i), m), r);
		if (w && b)
			t = vf_fma(t, get(w + i, d - i), get(b + i, d - i));
		else if (w)
			t = vf_mul(t, get(w + i, d - i));
		else if (b)
			t = vf_add(t, get(b + i, d - i));
		put(y + i, vf_canon(t), d - i);
	}
}

/* ---- rope */

static void rope_v(float *x, int heads, int d, const float *cos, const float *sin, int dims, enum rope_layout layout)
{
	int half = dims / 2;
	for (int h = 0; h < heads; h++, x += d) {
		if (layout == ROPE_INTERLEAVED) { /* the compiler's own vectors: every operation is written out */
			for (int i = 0; i < half; i++) {
				float x0 = x[2 * i], x1 = x[2 * i + 1];
				x[2 * i] = xm_canon(xfmaf(x0, cos[i], -(x1 * sin[i])));
				x[2 * i + 1] = xm_canon(xfmaf(x0, sin[i], x1 * cos[i]));
			}
			continue;
		}
		for (int i = 0; i < half; i += VW) {
			vf c = get(cos + i, half - i), s = get(sin + i, half - i);
			vf x0 = get(x + i, half - i), x1 = get(x + half + i, half - i);
			put(x + i, vf_canon(vf_fma(x0, c, vf_neg(vf_mul(x1, s)))), half - i);
			put(x + half + i, vf_canon(vf_fma(x0, s, vf_mul(x1, c))), half - i);
		}
	}
}

/* ---- activations, add, widen */

#define ACT_LOOP(f, ...) \
	for (int i = 0; i < d; i += VW) { \
		vf t = f(get(gate + i, d - i), ##__VA_ARGS__); \
		put(y + i, up ? vf_canon(vf_mul(t, get(up + i, d - i))) : t, d - i); \
	}

static void act_v(float *y, const float *gate, const float *up, int d, enum act a, const float *p)
{
	switch (a) {
	case ACT_SILU: ACT_LOOP(vx_silu) break;
	case ACT_GELU_ERF: ACT_LOOP(vx_gelu_erf) break;
	case ACT_GELU_TANH: ACT_LOOP(vx_gelu_tanh) break;
	case ACT_RELU: ACT_LOOP(vx_relu) break;
	case ACT_RELU2: ACT_LOOP(vx_relu2) break;
	case ACT_SIGMOID: ACT_LOOP(vx_sigmoid) break;
	case ACT_QUICK_GELU: ACT_LOOP(vx_swish, vf_set1(1.702f)) break;
	case ACT_XIELU: ACT_LOOP(vx_xielu, vf_set1(p[0]), vf_set1(p[1]), vf_set1(p[2]), vf_set1(p[3])) break;
	case ACT_SWIGLU_CLAMPED:
		for (int i = 0; i < d; i += VW) {
			vf g = get(gate + i, d - i), u = get(up + i, d - i);
			put(y + i, vx_swiglu_clamped(g, u, vf_set1(p[0]), vf_set1(p[1])), d - i);
		}
		break;
	default: ACT_LOOP(vf_canon) break;
	}
}

static void add_v(float *y, const float *x, int d)
{
	for (int i = 0; i < d; i += VW)
		put(y + i, vf_canon(vf_add(get(y + i, d - i), get(x + i, d - i))), d - i);
}

static void axpy_v(float *y, const float *x, float s, int d)
{
	for (int i = 0; i < d; i += VW)
		put(y + i, vf_canon(vf_fma(get(x + i, d - i), vf_set1(s), get(y + i, d - i))), d - i);
}

static void scale_v(float *x, float s, int d)
{
	for (int i = 0; i < d; i += VW)
		put(x + i, vf_canon(vf_mul(get(x + i, d - i), vf_set1(s))), d - i);
}

static void clip_v(float *x, float limit, int d)
{
	for (int i = 0; i < d; i += VW)
		put(x + i, vx_clip(get(x + i, d - i), vf_set1(limit)), d - i);
}

static void softcap_v(float *x, float cap, int d)
{
	for (int i = 0; i < d; i += VW)
		put(x + i, vx_softcap(get(x + i, d - i), vf_set1(cap)), d - i);
}

static void widen_v(float *y, const void *x, int d, enum dtype dt)
{
	const unsigned char *p = x;
	int i = 0;
	if (dt == DT_F16)
		for (; i + VW <= d; i += VW)
			vf_store(y + i, vf_canon(vf_f16(p + 2 * (size_t)i)));
	else if (dt == DT_BF16)
		for (; i + VW <= d; i += VW)
			vf_store(y + i, vf_bf16(p + 2 * (size_t)i));
	widen_c(y + i, p + dtype_size(dt) * (size_t)i, d - i, dt);
}

/* ---- log-sum-exp */

#define LSE_SEGMENT 8192

/* The largest of n logits; 0 when one is NaN. */
static int largest(float *top, const float *x, int n)
{
	vf low = vf_set1(f32_of_bits(0xff800000)), m[4] = { low, low, low, low };
	vm nan = vm_first(0);
	int i = 0;
	for (; i + 4 * VW <= n; i += 4 * VW) {
		UNROLL
		for (int v = 0; v < 4; v++) {
			vf a = vf_load(x + i + v * VW);
			m[v] = vf_max(a, m[v]);
			nan = vm_or(nan, vf_isnan(a));
		}
	}
	for (; i < n; i += VW) {
		vf a = get(x + i, n - i);
		if (n - i < VW)
			a = vf_sel(vm_first(n - i), a, low);
		m[0] = vf_max(a, m[0]);
		nan = vm_or(nan, vf_isnan(a));
	}
	*top = vf_hmax(vf_max(vf_max(m[0], m[1]), vf_max(m[2], m[3])));
	return !vm_any(nan);
}

static float segment_sum_v(const float *x, int n, float m)
{
	vf s[NV], a[NV], l2 = vf_set1(XM_LOG2E_HI), mv = vf_set1(m);
	int i = 0;
	UNROLL
	for (int v = 0; v < NV; v++)
		a[v] = vf_zero();
	for (; i + LANES <= n; i += LANES) {
		UNROLL
		for (int v = 0; v < NV; v++)
			a[v] = vf_add(a[v], vx_ex2(vf_sub(vf_mul(vf_load(x + i + v * VW), l2), mv)));
	}
	UNROLL
	for (int v = 0; v < NV; v++)
		s[v] = a[v];
	for (int v = 0; i < n; i += VW, v++) {
		vf e = vx_ex2(vf_sub(vf_mul(get(x + i, n - i), l2), mv));
		s[v] = vf_add(s[v], n - i < VW ? vf_sel(vm_first(n - i), e, vf_zero()) : e);
	}
	return fold(s, NV);
}

static void lse_v(struct lse *out, const float *logits, int v, int target)
{
	float inf = f32_of_bits(0x7f800000), nan = f32_of_bits(0x7fc00000);
	float m = -inf, l = 0.0f, top = -inf;
	int best = 0;
	for (int i = 0; i < v; i += LSE_SEGMENT) {
		int n = v - i < LSE_SEGMENT ? v - i : LSE_SEGMENT;
		float t;
		if (!largest(&t, logits + i, n)) {
			*out = (struct lse){ .m = nan, .l = nan, .z = nan, .argmax = -1, .top = nan };
			return;
		}
		if (t > top) {
			top = t;
			best = i;
		}
		float ms = xm_ceil(t * XM_LOG2E_HI);
		if (ms == -inf)
			continue;
		float ls = segment_sum_v(logits + i, n, ms), mn = ms > m ? ms : m;
		l = l * xm_ex2(m - mn) + ls * xm_ex2(ms - mn);
		m = mn;
	}
	for (vf t = vf_set1(top); best + VW <= v && !vm_any(vf_eq(vf_load(logits + best), t)); best += VW)
		;
	while (logits[best] != top)
		best++;
	*out = (struct lse){ .m = m == -inf ? 0.0f : m, .l = xm_canon(l), .argmax = best, .top = logits[best],
			     .z = target < 0 ? 0.0f : logits[target] * XM_LOG2E_HI };
}

/* ---- softmax of a router */

static void softmax_v(float *x, int d)
{
	vf s[NV], l2 = vf_set1(XM_LOG2E_HI), m, l;
	float top;
	if (!largest(&top, x, d))
		top = f32_of_bits(0x7fc00000);
	m = vf_set1(xm_ceil(top * XM_LOG2E_HI));
	for (int v = 0; v < NV; v++)
		s[v] = vf_zero();
	for (int i = 0, v = 0; i < d; i += VW, v = (v + 1) % NV) {
		vf e = vx_ex2(vf_sub(vf_mul(get(x + i, d - i), l2), m));
		put(x + i, e, d - i);
		s[v] = vf_add(s[v], d - i < VW ? vf_sel(vm_first(d - i), e, vf_zero()) : e);
	}
	l = vf_set1(fold(s, NV));
	for (int i = 0; i < d; i += VW)
		put(x + i, vf_canon(vf_div(get(x + i, d - i), l)), d - i);
}

#include "kernels/attend_simd.h"

void ROWOPS_SYMBOL(struct rowops *r)
{
	*r = (struct rowops){
		.rmsnorm = rmsnorm_v,
		.layernorm = layernorm_v,
		.rope = rope_v,
		.act = act_v,
		.add = add_v,
		.axpy = axpy_v,
		.scale = scale_v,
		.clip = clip_v,
		.softcap = softcap_v,
		.softmax = softmax_v,
		.widen = widen_v,
		.attend = attend_v,
		.lse = lse_v,
	};
}
