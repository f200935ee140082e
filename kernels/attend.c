/* attend.c - attention of one query head of one row over its paged keys: the scalar definition (NUMERICS.md section 4).
 *
 * Keys come in tiles of 64 (a page) and segments of 256 at absolute positions. A score is the fma chain over d of the
 * scaled query and the key, in log2 units. The running maximum M is an integer, so rescaling is a multiplication by an
 * exact power of two and neither the page size, nor how a prompt was cut, nor what was shared changes a bit.
 *
 * Only keys in [attend_lo, pos] are used; slots behind pos may hold anything. A NaN score makes the row NaN; a tile whose
 * scores are all -Inf before any other adds nothing and its values are not read. A key has d channels, a value dv: latent
 * attention has two widths. scratch: q [d], o [dv], the running o [dv], scores.
 */
#include "kernels/attend.h"
#include "kernels/exactmath.h"
#include "kernels/rowops.h"

#define TILE KV_PAGE
#define SEGMENT 256

struct sum { /* of p = 2^(s - m) over some keys: l = sum p, o[dv] = sum p v; m is -Inf where there is none */
	float m, l, *o;
};

static void sum_clear(struct sum *s, int d)
{
	s->m = f32_of_bits(0xff800000);
	s->l = 0.0f;
	for (int i = 0; i < d; i++)
		s->o[i] = 0.0f;
}

static void sum_scale(struct sum *s, int d, float r)
{
	s->l *= r;
	for (int i = 0; i < d; i++)
		s->o[i] *= r;
}

static float score(const struct attend_head *a, const float *q, const float *k, int key)
{
	float s = 0.0f;
	for (int i = 0; i < a->d; i++)
		s = xfmaf(q[i], k[i * TILE + key % TILE], s);
	if (a->softcap != 0.0f)
		s = a->softcap * xm_tanh(s / a->softcap);
	if (a->has_slope && a->rounded_bias)
		s = xfmaf(a->scale, attend_rounded(a->slope, key), s);
	else if (a->has_slope)
		s = xfmaf(a->slope, (float)(key - a->pos), s);
	return a->softcap != 0.0f || a->has_slope ? s * XM_LOG2E_HI : s;
}

/* Keys first..last, all of one tile. Returns 0 when a score is NaN. */
static int sum_tile(struct sum *s, const struct attend_head *a, const float *q, float *p, int first, int last)
{
	size_t page = (size_t)a->table[first / TILE];
	const float *k = a->k + page * a->k_page, *v = a->v + page * a->v_page;
	float top = f32_of_bits(0xff800000);
	for (int j = first; j <= last; j++) {
		float t = p[j - first] = score(a, q, k, j);
		if (t != t)
			return 0;
		top = t > top ? t : top;
	}
	top = xm_ceil(top);
	float m = top > s->m ? top : s->m;
	if (m == f32_of_bits(0xff800000))
		return 1;
	sum_scale(s, a->dv, xm_ex2(s->m - m));
	s->m = m;
	for (int j = first; j <= last; j++) {
		float e = xm_ex2(p[j - first] - m);
		s->l += e;
		for (int i = 0; i < a->dv; i++)
			s->o[i] = xfmaf(e, v[(j % TILE) * a->dv + i], s->o[i]);
	}
	return 1;
}

static void sum_merge(struct sum *t, struct sum *s, int d)
{
	float m = s->m > t->m ? s->m : t->m;
	if (m == f32_of_bits(0xff800000))
		return;
	sum_scale(t, d, xm_ex2(t->m - m));
	sum_scale(s, d, xm_ex2(s->m - m));
	t->m = m;
	t->l += s->l;
	for (int i = 0; i < d; i++)
		t->o[i] += s->o[i];
}

/* One more key with v = 0, its score t in log2 units. */
static void sum_sink(struct sum *s, int d, float t)
{
	float m = xm_ceil(t);
	m = m > s->m ? m : s->m;
	if (m == f32_of_bits(0xff800000))
		return;
	sum_scale(s, d, xm_ex2(s->m - m));
	s->m = m;
	s->l += xm_ex2(t - m);
}

void attend_c(float *o, const struct attend_head *a, float *scratch)
{
	int d = a->dv, lo = attend_lo(a->pos, a->window, a->chunk);
	float *q = scratch, *o1 = q + a->d, *o2 = o1 + d, *p = o2 + d;
	struct sum s = { .o = o1 }, t = { .o = o2 };
	int ok = !a->has_sink || a->sink == a->sink;
	for (int i = 0; i < a->d; i++)
		q[i] = a->q[i] * a->scale;
	sum_clear(&t, d);
	for (int seg = lo / SEGMENT * SEGMENT; ok && seg <= a->pos; seg += SEGMENT) {
		sum_clear(&s, d);
		for (int tile = seg; ok && tile < seg + SEGMENT && tile <= a->pos; tile += TILE) {
			int first = tile > lo ? tile : lo, last = tile + TILE - 1 < a->pos ? tile + TILE - 1 : a->pos;
			if (first <= last)
				ok = sum_tile(&s, a, q, p, first, last);
		}
		sum_merge(&t, &s, d);
	}
	if (ok && a->has_sink)
		sum_sink(&t, d, a->sink);
	for (int i = 0; i < d; i++)
		o[i] = ok ? xm_canon((t.o[i] + 0.0f) / t.l) : f32_of_bits(0x7fc00000);
}
