/* embed.c - widening one row of a table of embeddings to fp32: the scalar definition.
 *
 * Exact: fp32 and bf16 keep their bits, NaN payloads too; an fp16 NaN becomes the canonical NaN (half.h). The row may
 * lie anywhere in a mapped file, at an odd address too.
 */
#include "kernels/base/half.h"
#include "kernels/rowops.h"

void widen_c(float *y, const void *x, int d, enum dtype dt)
{
	const unsigned char *p = x;
	uint16_t h;
	if (dt == DT_F32) {
		memcpy(y, x, (size_t)d * sizeof *y);
		return;
	}
	for (int i = 0; i < d; i++) {
		memcpy(&h, p + 2 * (size_t)i, sizeof h);
		y[i] = dt == DT_F16 ? f16_to_f32(h) : bf16_to_f32(h);
	}
}
