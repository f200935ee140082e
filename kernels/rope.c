/* rope.c - rotary position embedding of one row (Su et al. 2021, RoFormer, section 3.4.2): the scalar definition.
 *
 * The first `dims` channels of each head are rotated in pairs by the angles whose cosine and sine the tables hold, one
 * value a pair. Pairs are (i, i + dims/2), the Hugging Face layout, or (2i, 2i + 1), GPT-J's; a wrong choice still gives
 * fluent text. The product x1*s (x1*c) is rounded, the other is fused with the sum (NUMERICS.md section 3).
 */
#include "kernels/exactmath.h"
#include "kernels/rowops.h"

void rope_c(float *x, int heads, int d, const float *cos, const float *sin, int dims, enum rope_layout layout)
{
	int half = dims / 2;
	int step = layout == ROPE_INTERLEAVED ? 2 : 1, other = layout == ROPE_INTERLEAVED ? 1 : half;
	for (int h = 0; h < heads; h++, x += d)
		for (int i = 0; i < half; i++) {
			float *p = x + i * step, x0 = p[0], x1 = p[other];
			p[0] = xm_canon(xfmaf(x0, cos[i], -(x1 * sin[i])));
			p[other] = xm_canon(xfmaf(x0, sin[i], x1 * cos[i]));
		}
}
