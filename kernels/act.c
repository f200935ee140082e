/* act.c - activations and the residual add of one row: the scalar definition. The functions are those of exactmath.h. */
#include "kernels/exactmath.h"
#include "kernels/rowops.h"

static float act_of(float x, enum act a)
{
	switch (a) {
	case ACT_SILU: return xm_silu(x);
	case ACT_GELU_ERF: return xm_gelu_erf(x);
	case ACT_GELU_TANH: return xm_gelu_tanh(x);
	default: return xm_relu(x);
	}
}

void act_c(float *y, const float *gate, const float *up, int d, enum act a, const float *p)
{
	(void)p;
	for (int i = 0; i < d; i++) {
		float t = act_of(gate[i], a);
		y[i] = up ? xm_canon(t * up[i]) : t;
	}
}

void add_c(float *y, const float *x, int d)
{
	for (int i = 0; i < d; i++)
		y[i] = xm_canon(y[i] + x[i]);
}
