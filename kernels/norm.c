/* norm.c - RMSNorm and LayerNorm of one row: the scalar definition.
 *
 * Sums run over 128 strided lanes, lane l taking elements l, 128 + l, 256 + l ... in that order, and are folded by the
 * tree 64, 32, ... 1 (NUMERICS.md section 2). The lanes are what 8 AVX-512 registers, 16 AVX2 registers or 128 threads of a
 * GPU hold, so every machine adds in this order. The variance of LayerNorm is two-pass. 1/sqrt is one IEEE square root and
 * one IEEE division. NaN results are canonical.
 */
#include "kernels/exactmath.h"
#include "kernels/rowops.h"

#define LANES 128

static float tree(float *s)
{
	for (int h = LANES / 2; h; h /= 2)
		for (int i = 0; i < h; i++)
			s[i] += s[i + h];
	return s[0];
}

void rmsnorm_c(float *y, const float *x, const float *w, int d, float eps)
{
	float s[LANES] = { 0 };
	for (int i = 0; i < d; i++)
		s[i % LANES] = xfmaf(x[i], x[i], s[i % LANES]);
	float mean = tree(s) * (1.0f / (float)d);
	float r = 1.0f / xm_sqrt(mean + eps);
	for (int i = 0; i < d; i++)
		y[i] = xm_canon(w ? (x[i] * r) * w[i] : x[i] * r);
}

void layernorm_c(float *y, const float *x, const float *w, const float *b, int d, float eps)
{
	float s[LANES] = { 0 }, q[LANES] = { 0 }, rd = 1.0f / (float)d;
	for (int i = 0; i < d; i++)
		s[i % LANES] += x[i];
	float mean = tree(s) * rd;
	for (int i = 0; i < d; i++) {
		float c = x[i] - mean;
		q[i % LANES] = xfmaf(c, c, q[i % LANES]);
	}
	float r = 1.0f / xm_sqrt(tree(q) * rd + eps);
	for (int i = 0; i < d; i++) {
		float t = (x[i] - mean) * r;
		if (w && b)
			t = xfmaf(t, w[i], b[i]);
		else if (w)
			t *= w[i];
		else if (b)
			t += b[i];
		y[i] = xm_canon(t);
	}
}
