/* attend_simd.h - attention as a template over simd.h, part of rowops_simd.h; attend.c is the definition.
 *
 * Scores run over keys: the page holds K as [d][64], so VW keys are one load and each lane is one key's chain over d.
 * The weighted sum runs over dv: V is [64][dv], each lane is one channel's chain over keys; the chain of l, one add a key,
 * goes along with it. Vectors without a valid key are not computed, since sequences of tiny models are short; lanes of
 * keys outside [first, last] hold -Inf and never reach a sum, whatever the page holds there.
 *
 *     scratch:  q * scale [d] | sum of the segment [dv] | running sum [dv] | scores, then weights of a tile [64]
 */
#define TILE KV_PAGE
#define SEGMENT 256

struct sum {
	float m, l, *o;
};

INLINE void score_vectors(float *p, const float *q, const float *k, int d, const int n)
{
	vf s[8];
	UNROLL
	for (int v = 0; v < n; v++)
		s[v] = vf_zero();
	for (int i = 0; i < d; i++) {
		vf qi = vf_bcast(q + i);
		UNROLL
		for (int v = 0; v < n; v++)
			s[v] = vf_fma(qi, vf_load(k + i * TILE + v * VW), s[v]);
	}
	UNROLL
	for (int v = 0; v < n; v++)
		vf_store(p + v * VW, s[v]);
}

/* Raw scores of the vectors that cover slots first..last of a page. */
static void score_tile(float *p, const float *q, const float *k, int d, int first, int last)
{
	int v = first / VW, end = last / VW + 1;
	for (; end - v >= 8; v += 8)
		score_vectors(p + v * VW, q, k + v * VW, d, 8);
	if (end - v >= 4) {
		score_vectors(p + v * VW, q, k + v * VW, d, 4);
		v += 4;
	}
	if (end - v >= 2) {
		score_vectors(p + v * VW, q, k + v * VW, d, 2);
		v += 2;
	}
	if (end > v)
		score_vectors(p + v * VW, q, k + v * VW, d, 1);
}

INLINE int clamp(int n)
{
	return n < 0 ? 0 : n > VW ? VW : n;
}

INLINE vf keys_from(int key)
{
	return vf_from_int(vi_add(vi_set1(key), vi_iota()));
}

/* To bf16, to nearest even. */
INLINE vf rounded(vf x)
{
	vi u = vi_of_bits(x), odd = vi_and(vi_sar(u, 16), vi_set1(1));
	u = vi_and(vi_add(u, vi_add(odd, vi_set1(0x7fff))), vi_set1(-0x10000));
	return vf_sel(vf_isnan(x), x, vf_of_bits(u));
}

/* Soft cap and slope, -Inf outside first..last; the largest to *top. Returns 0 when a valid score is NaN. */
static int finish_scores(float *top, float *p, const struct attend_head *a, int tile, int first, int last)
{
	vf low = vf_set1(f32_of_bits(0xff800000)), m = low, cap = vf_set1(a->softcap);
	vm nan = vm_first(0);
	for (int v = first / VW * VW; v <= last; v += VW) {
		vf s = vf_load(p + v);
		if (a->softcap != 0.0f)
			s = vf_mul(cap, vx_tanh(vf_div(s, cap)));
		if (a->has_slope && a->rounded_bias)
			s = vf_fma(vf_set1(a->scale), rounded(vf_mul(vf_set1(a->slope), rounded(keys_from(tile + v)))), s);
		else if (a->has_slope)
			s = vf_fma(vf_set1(a->slope), keys_from(tile + v - a->pos), s);
		if (a->softcap != 0.0f || a->has_slope)
			s = vf_mul(s, vf_set1(XM_LOG2E_HI));
		s = vf_sel(vm_first(clamp(last + 1 - v)), s, low);
		s = vf_sel(vm_first(clamp(first - v)), low, s);
		vf_store(p + v, s);
		nan = vm_or(nan, vf_isnan(s));
		m = vf_max(s, m);
	}
	*top = vf_hmax(m);
	return !vm_any(nan);
}

/* o[0..n*VW-1] = r * o + sum over keys of p v; with l not NULL also l = r * l + sum of p. */
INLINE void weigh_vectors(float *o, float *l, const float *v, const float *p, int keys, int d, float r, const int n)
{
	vf s[8], rv = vf_set1(r);
	float lo = l ? *l : 0.0f;
	UNROLL
	for (int i = 0; i < n; i++)
		s[i] = vf_load(o + i * VW);
	if (r != 1.0f) {
		lo *= r;
		UNROLL
		for (int i = 0; i < n; i++)
			s[i] = vf_mul(s[i], rv);
	}
	for (int j = 0; j < keys; j++) {
		vf pj = vf_bcast(p + j);
		if (l)
			lo += p[j];
		UNROLL
		for (int i = 0; i < n; i++)
			s[i] = vf_fma(pj, vf_load(v + (size_t)j * (size_t)d + i * VW), s[i]);
	}
	UNROLL
	for (int i = 0; i < n; i++)
		vf_store(o + i * VW, s[i]);
	if (l)
		*l = lo;
}

static void weigh_tail(float *o, float *l, const float *v, const float *p, int keys, int d, int n, float r)
{
	vf s = vf_load_n(o, n);
	float lo = l ? *l : 0.0f;
	if (r != 1.0f) {
		lo *= r;
		s = vf_mul(s, vf_set1(r));
	}
	for (int j = 0; j < keys; j++) {
		lo += p[j];
		s = vf_fma(vf_bcast(p + j), vf_load_n(v + (size_t)j * (size_t)d, n), s);
	}
	vf_store_n(o, s, n);
	if (l)
		*l = lo;
}

static void weigh_tile(struct sum *s, const float *v, const float *p, int keys, int d, float r)
{
	int i = 0;
	float *l = &s->l;
	for (; d - i >= 8 * VW; i += 8 * VW, l = NULL)
		weigh_vectors(s->o + i, l, v + i, p, keys, d, r, 8);
	if (d - i >= 4 * VW) {
		weigh_vectors(s->o + i, l, v + i, p, keys, d, r, 4);
		i += 4 * VW;
		l = NULL;
	}
	if (d - i >= 2 * VW) {
		weigh_vectors(s->o + i, l, v + i, p, keys, d, r, 2);
		i += 2 * VW;
		l = NULL;
	}
	if (d - i >= VW) {
		weigh_vectors(s->o + i, l, v + i, p, keys, d, r, 1);
		i += VW;
		l = NULL;
	}
	if (i < d)
		weigh_tail(s->o + i, l, v + i, p, keys, d, d - i, r);
}

static int sum_tile_v(struct sum *s, const struct attend_head *a, const float *q, float *p, int tile, int first, int last)
{
	size_t page = (size_t)a->table[tile / TILE], dv = (size_t)a->dv;
	float top;
	score_tile(p, q, a->k + page * a->k_page, a->d, first, last);
	if (!finish_scores(&top, p, a, tile, first, last))
		return 0;
	top = xm_ceil(top);
	float m = top > s->m ? top : s->m;
	if (m == f32_of_bits(0xff800000))
		return 1;
	for (int v = first / VW * VW; v <= last; v += VW)
		vf_store(p + v, vx_ex2(vf_sub(vf_load(p + v), vf_set1(m))));
	weigh_tile(s, a->v + page * a->v_page + (size_t)first * dv, p + first, last + 1 - first, a->dv, xm_ex2(s->m - m));
	s->m = m;
	return 1;
}

static void sum_clear_v(struct sum *s, int d)
{
	s->m = f32_of_bits(0xff800000);
	s->l = 0.0f;
	for (int i = 0; i < d; i += VW)
		put(s->o + i, vf_zero(), d - i);
}

static void sum_scale_v(struct sum *s, int d, float r)
{
	if (r == 1.0f)
		return;
	s->l *= r;
	for (int i = 0; i < d; i += VW)
		put(s->o + i, vf_mul(get(s->o + i, d - i), vf_set1(r)), d - i);
}

static void sum_merge_v(struct sum *t, struct sum *s, int d)
{
	float none = f32_of_bits(0xff800000), m = s->m > t->m ? s->m : t->m;
	if (s->m == none)
		return;
	if (t->m == none) { /* 0 * 0 + s * 1: but for the sign of zeros, which the last step forgets */
		struct sum u = *t;
		*t = *s;
		*s = u;
		return;
	}
	sum_scale_v(t, d, xm_ex2(t->m - m));
	sum_scale_v(s, d, xm_ex2(s->m - m));
	t->m = m;
	t->l += s->l;
	for (int i = 0; i < d; i += VW)
		put(t->o + i, vf_add(get(t->o + i, d - i), get(s->o + i, d - i)), d - i);
}

static void sum_sink_v(struct sum *s, int d, float t)
{
	float m = xm_ceil(t);
	m = m > s->m ? m : s->m;
	if (m == f32_of_bits(0xff800000))
		return;
	sum_scale_v(s, d, xm_ex2(s->m - m));
	s->m = m;
	s->l += xm_ex2(t - m);
}

static void attend_v(float *o, const struct attend_head *a, float *scratch)
{
	int d = a->dv, lo = attend_lo(a->pos, a->window, a->chunk);
	float *q = scratch, *o1 = q + a->d, *o2 = o1 + d, *p = o2 + d;
	struct sum s = { .o = o1 }, t = { .o = o2 };
	int ok = !a->has_sink || a->sink == a->sink;
	for (int i = 0; i < a->d; i += VW)
		put(q + i, vf_mul(get(a->q + i, a->d - i), vf_set1(a->scale)), a->d - i);
	sum_clear_v(&t, d);
	for (int seg = lo / SEGMENT * SEGMENT; ok && seg <= a->pos; seg += SEGMENT) {
		sum_clear_v(&s, d);
		for (int tile = seg; ok && tile < seg + SEGMENT && tile <= a->pos; tile += TILE) {
			int first = tile > lo ? 0 : lo - tile, last = a->pos - tile < TILE - 1 ? a->pos - tile : TILE - 1;
			if (first <= last)
				ok = sum_tile_v(&s, a, q, p, tile, first, last);
		}
		sum_merge_v(&t, &s, d);
	}
	if (ok && a->has_sink)
		sum_sink_v(&t, d, a->sink);
	for (int i = 0; i < d; i += VW) {
		vf r = vf_set1(f32_of_bits(0x7fc00000));
		if (ok)
			r = vf_canon(vf_div(vf_add(get(t.o + i, d - i), vf_zero()), vf_set1(t.l)));
		put(o + i, r, d - i);
	}
}
