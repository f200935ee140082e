/* recur.c - one token of a recurrent layer: the scalar definition, and the table of instruction sets.
 *
 * Formulas: struct conv, struct ssm, struct delta in ops.h. Chains rise from +0, products that are not written as fma are rounded.
 * An intermediate state keeps whatever NaN the machine makes; what is stored in y or in a slot is canonical, but for a convolution's
 * slot, which holds rows of x as they are.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "kernels/recur.h"

#include "kernels/exactmath.h"

static void conv_c(float *y, const float *const *x, const float *w, size_t ldw, const float *b, int width, int d, int silu)
{
	for (int i = 0; i < d; i++) {
		float s = 0.0f;
		for (int j = 0; j < width; j++)
			s = xfmaf(w[(size_t)j * ldw + (size_t)i], x[j][i], s);
		if (b)
			s = s + b[i];
		y[i] = silu ? xm_silu(s) : xm_canon(s);
	}
}

static void ssm_c(const struct recur_step *s)
{
	for (int i = 0; i < s->d; i++) {
		float u = s->plain ? s->value[i] : s->b * s->value[i], y = 0.0f;
		for (int j = 0; j < s->n; j++) {
			float t = xfmaf(s->g, s->src[(size_t)j * s->lds + (size_t)i], s->key[j] * u);
			s->dst[(size_t)j * s->ldd + (size_t)i] = s->keep ? xm_canon(t) : t;
			y = xfmaf(t, s->query[j], y);
		}
		if (s->has_skip)
			y = xfmaf(s->skip, s->value[i], y);
		s->y[i] = xm_canon(y);
	}
}

static void delta_c(const struct recur_step *s)
{
	for (int i = 0; i < s->d; i++) {
		float m = 0.0f, y = 0.0f;
		for (int j = 0; j < s->n; j++)
			m = xfmaf(s->g * s->src[(size_t)j * s->lds + (size_t)i], s->key[j], m);
		float u = s->b * (s->value[i] - m);
		for (int j = 0; j < s->n; j++) {
			float t = xfmaf(s->key[j], u, s->g * s->src[(size_t)j * s->lds + (size_t)i]);
			s->dst[(size_t)j * s->ldd + (size_t)i] = s->keep ? xm_canon(t) : t;
			y = xfmaf(t, s->query[j], y);
		}
		s->y[i] = xm_canon(y);
	}
}

void recurops_c(struct recurops *r)
{
	*r = (struct recurops){ .conv = conv_c, .ssm = ssm_c, .delta = delta_c };
}

void recurops_init(struct recurops *r, enum cpu_level max)
{
	recurops_c(r);
#ifdef HAVE_NEON
	if (max >= CPU_NEON && cpu_has(CPU_NEON))
		recurops_neon(r);
#endif
#ifdef HAVE_AVX2
	if (max >= CPU_AVX2 && cpu_has(CPU_AVX2))
		recurops_avx2(r);
#endif
#ifdef HAVE_AVX512
	if (max >= CPU_AVX512 && cpu_has(CPU_AVX512))
		recurops_avx512(r);
#endif
	(void)max;
}
