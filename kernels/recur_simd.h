/* recur_simd.h - the steps of recurrent layers as a template over simd.h: recur_avx2.c and its kin include their vector header,
 * name RECUR_SYMBOL and include this file. Vectors run over channels, chains over the state's rows, as in recur.c; four vectors of
 * channels side by side hide the latency of a chain.
 */
#include "kernels/recur.h"

#include "kernels/exactmath.h"
#define XM_VECTOR
#include "kernels/exactmath.h"
#undef XM_VECTOR

#undef INLINE
#undef UNROLL
#define INLINE static inline __attribute__((always_inline))
#if defined __GNUC__ && !defined __clang__
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL _Pragma("unroll")
#endif

#define RECUR_SIDE 4 /* vectors side by side */

INLINE vf recur_get(const float *p, int n) /* min(n, VW) floats */
{
	return n >= VW ? vf_load(p) : vf_load_n(p, n);
}

INLINE void recur_put(float *p, vf a, int n)
{
	if (n >= VW)
		vf_store(p, a);
	else
		vf_store_n(p, a, n);
}

static void conv_v(float *y, const float *const *x, const float *w, size_t ldw, const float *b, int width, int d, int silu)
{
	for (int i = 0; i < d; i += VW) {
		vf s = vf_zero();
		for (int j = 0; j < width; j++)
			s = vf_fma(recur_get(w + (size_t)j * ldw + i, d - i), recur_get(x[j] + i, d - i), s);
		if (b)
			s = vf_add(s, recur_get(b + i, d - i));
		recur_put(y + i, silu ? vx_silu(s) : vf_canon(s), d - i);
	}
}

/* Channels i .. i + side * VW of a step; the last vector may be partial: left channels from i on. */
INLINE void ssm_side(const struct recur_step *s, int i, int side, int left, int keep)
{
	vf u[RECUR_SIDE], y[RECUR_SIDE], g = vf_set1(s->g), b = vf_set1(s->b), skip = vf_set1(s->skip);
	UNROLL
	for (int v = 0; v < side; v++) {
		u[v] = recur_get(s->value + i + v * VW, left - v * VW);
		if (!s->plain)
			u[v] = vf_mul(b, u[v]);
		y[v] = vf_zero();
	}
	for (int j = 0; j < s->n; j++) {
		const float *src = s->src + (size_t)j * s->lds + i;
		float *dst = s->dst + (size_t)j * s->ldd + i;
		vf key = vf_bcast(s->key + j), query = vf_bcast(s->query + j);
		UNROLL
		for (int v = 0; v < side; v++) {
			vf t = vf_fma(g, recur_get(src + v * VW, left - v * VW), vf_mul(key, u[v]));
			recur_put(dst + v * VW, keep ? vf_canon(t) : t, left - v * VW);
			y[v] = vf_fma(t, query, y[v]);
		}
	}
	UNROLL
	for (int v = 0; v < side; v++) {
		if (s->has_skip)
			y[v] = vf_fma(skip, recur_get(s->value + i + v * VW, left - v * VW), y[v]);
		recur_put(s->y + i + v * VW, vf_canon(y[v]), left - v * VW);
	}
}

INLINE void delta_side(const struct recur_step *s, int i, int side, int left, int keep)
{
	vf m[RECUR_SIDE], u[RECUR_SIDE], y[RECUR_SIDE], g = vf_set1(s->g), b = vf_set1(s->b);
	UNROLL
	for (int v = 0; v < side; v++)
		m[v] = y[v] = vf_zero();
	for (int j = 0; j < s->n; j++) {
		const float *src = s->src + (size_t)j * s->lds + i;
		vf key = vf_bcast(s->key + j);
		UNROLL
		for (int v = 0; v < side; v++)
			m[v] = vf_fma(vf_mul(g, recur_get(src + v * VW, left - v * VW)), key, m[v]);
	}
	UNROLL
	for (int v = 0; v < side; v++)
		u[v] = vf_mul(b, vf_sub(recur_get(s->value + i + v * VW, left - v * VW), m[v]));
	for (int j = 0; j < s->n; j++) {
		const float *src = s->src + (size_t)j * s->lds + i;
		float *dst = s->dst + (size_t)j * s->ldd + i;
		vf key = vf_bcast(s->key + j), query = vf_bcast(s->query + j);
		UNROLL
		for (int v = 0; v < side; v++) {
			vf t = vf_fma(key, u[v], vf_mul(g, recur_get(src + v * VW, left - v * VW)));
			recur_put(dst + v * VW, keep ? vf_canon(t) : t, left - v * VW);
			y[v] = vf_fma(t, query, y[v]);
		}
	}
	UNROLL
	for (int v = 0; v < side; v++)
		recur_put(s->y + i + v * VW, vf_canon(y[v]), left - v * VW);
}

/* All channels by SIDE(step, channel, vectors, channels left, keep), with everything but the channel a constant. */
#define RECUR_ALL(SIDE, s, keep) \
	do { \
		int i = 0; \
		for (; i + RECUR_SIDE * VW <= (s)->d; i += RECUR_SIDE * VW) \
			SIDE(s, i, RECUR_SIDE, RECUR_SIDE * VW, keep); \
		for (; i + VW <= (s)->d; i += VW) \
			SIDE(s, i, 1, VW, keep); \
		if (i < (s)->d) \
			SIDE(s, i, 1, (s)->d - i, keep); \
	} while (0)

static void ssm_v(const struct recur_step *s)
{
	if (s->keep)
		RECUR_ALL(ssm_side, s, 1);
	else
		RECUR_ALL(ssm_side, s, 0);
}

static void delta_v(const struct recur_step *s)
{
	if (s->keep)
		RECUR_ALL(delta_side, s, 1);
	else
		RECUR_ALL(delta_side, s, 0);
}

void RECUR_SYMBOL(struct recurops *r)
{
	*r = (struct recurops){ .conv = conv_v, .ssm = ssm_v, .delta = delta_v };
}
