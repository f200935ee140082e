/* logprob.c - what is left of a row of logits: the scalar definition of lse, and the host's last step.
 *
 * z = logit * log2(e), rounded once. The vocabulary is cut in segments of 8192 ids; each has its integer maximum
 * M = ceil(max z) and 128 lanes of sums of 2^(z - M) (lane = id mod 128, folded by the tree 64 ... 1). Segments merge in
 * ascending order, both sides scaled by exact powers of two to the larger M, then added (NUMERICS.md sections 3 and 4).
 *
 * A segment of -Inf alone adds nothing; when all are, m = 0 and l = +0. A +Inf makes m = +Inf and l NaN. A NaN makes
 * every field NaN and argmax -1. Of equal logits (-0 equals +0) the lowest id is the argmax.
 */
#include "kernels/base/dmath.h"
#include "kernels/exactmath.h"
#include "kernels/rowops.h"

#define SEGMENT 8192
#define LANES 128

/* Sum of 2^(z - m) over n logits whose ids start at a multiple of 128. */
static float segment_sum(const float *logits, int n, float m)
{
	float s[LANES] = { 0 };
	for (int i = 0; i < n; i++)
		s[i % LANES] += xm_ex2(logits[i] * XM_LOG2E_HI - m);
	for (int h = LANES / 2; h; h /= 2)
		for (int i = 0; i < h; i++)
			s[i] += s[i + h];
	return s[0];
}

void lse_c(struct lse *out, const float *logits, int v, int target)
{
	float inf = f32_of_bits(0x7f800000), nan = f32_of_bits(0x7fc00000);
	float m = -inf, l = 0.0f;
	int best = 0;
	for (int i = 0; i < v; i++) {
		if (logits[i] != logits[i]) {
			*out = (struct lse){ .m = nan, .l = nan, .z = nan, .argmax = -1, .top = nan };
			return;
		}
		best = logits[i] > logits[best] ? i : best;
	}
	for (int i = 0; i < v; i += SEGMENT) {
		int n = v - i < SEGMENT ? v - i : SEGMENT;
		float top = logits[i];
		for (int j = i + 1; j < i + n; j++)
			top = logits[j] > top ? logits[j] : top;
		float ms = xm_ceil(top * XM_LOG2E_HI);
		if (ms == -inf)
			continue;
		float ls = segment_sum(logits + i, n, ms), mn = ms > m ? ms : m;
		l = l * xm_ex2(m - mn) + ls * xm_ex2(ms - mn);
		m = mn;
	}
	*out = (struct lse){ .m = m == -inf ? 0.0f : m, .l = xm_canon(l), .argmax = best, .top = logits[best],
			     .z = target < 0 ? 0.0f : logits[target] * XM_LOG2E_HI };
}

double lse_logprob(const struct lse *r)
{
	return ((double)r->z - (double)r->m) * 0x1.62e42fefa39efp-1 - dm_log((double)r->l);
}
