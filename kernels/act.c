/* act.c - activations of one row, and the operations that scale, limit or add: the scalar definition. The functions are those of
 * exactmath.h. What is stored is canonical.
 */
#include "kernels/exactmath.h"
#include "kernels/rowops.h"

static float act_of(float x, enum act a, const float *p)
{
	switch (a) {
	case ACT_SILU: return xm_silu(x);
	case ACT_GELU_ERF: return xm_gelu_erf(x);
	case ACT_GELU_TANH: return xm_gelu_tanh(x);
	case ACT_RELU: return xm_relu(x);
	case ACT_RELU2: return xm_relu2(x);
	case ACT_SIGMOID: return xm_sigmoid(x);
	case ACT_QUICK_GELU: return xm_swish(x, 1.702f);
	case ACT_XIELU: return xm_xielu(x, p[0], p[1], p[2], p[3]);
	default: return xm_canon(x);
	}
}

void act_c(float *y, const float *gate, const float *up, int d, enum act a, const float *p)
{
	for (int i = 0; i < d; i++) {
		if (a == ACT_SWIGLU_CLAMPED) {
			y[i] = xm_swiglu_clamped(gate[i], up[i], p[0], p[1]);
			continue;
		}
		float t = act_of(gate[i], a, p);
		y[i] = up ? xm_canon(t * up[i]) : t;
	}
}

void add_c(float *y, const float *x, int d)
{
	for (int i = 0; i < d; i++)
		y[i] = xm_canon(y[i] + x[i]);
}

void axpy_c(float *y, const float *x, float s, int d)
{
	for (int i = 0; i < d; i++)
		y[i] = xm_canon(xfmaf(x[i], s, y[i]));
}

void scale_c(float *x, float s, int d)
{
	for (int i = 0; i < d; i++)
		x[i] = xm_canon(x[i] * s);
}

void clip_c(float *x, float limit, int d)
{
	for (int i = 0; i < d; i++)
		x[i] = xm_clip(x[i], limit);
}

void softcap_c(float *x, float cap, int d)
{
	for (int i = 0; i < d; i++)
		x[i] = xm_softcap(x[i], cap);
}
