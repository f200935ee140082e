/* ropetable.c - rotary tables in double, rounded once to float, from functions of our own: the same bits on any machine.
 *
 * Pair k of r rotated channels turns by theta^(-2k/r) a position (Su et al., 2021, arXiv:2104.09864). Scaled kinds change
 * these frequencies, not the positions:
 *   linear  all divided by `factor` (Chen et al., 2023, arXiv:2306.15595)
 *   llama3  by wavelength: long ones divided by `factor`, short ones kept, a linear blend between
 *   yarn    by the number of turns within the original context: a ramp between both (Peng et al., 2023, arXiv:2309.00071),
 *           and cosines and sines times 0.1 ln(factor) + 1
 *   longrope  each divided by a factor of its own, cosines and sines times sqrt(1 + ln(stretch) / ln(original)) (Ding et al., 2024,
 *           arXiv:2402.13753); sequences beyond the original context use other factors for all their positions: a second table
 *   alpha   the base times alpha^(r/(r-2)) (hunyuan);  dynamic  nothing up to the longest input, which is all there is here
 *   proportional  frequencies of the whole head, of which the first share turns (gemma4)
 */
#include "runners/ropetable.h"

#include "kernels/base/dmath.h"

#define PI 3.14159265358979323846

static double clamp(double x, double lo, double hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

static void llama3(double *f, const struct rope_config *r, int half)
{
	for (int k = 0; k < half; k++) {
		double turns = r->original_positions * f[k] / (2 * PI); /* original context over wavelength */
		if (turns < r->low_freq_factor)
			f[k] /= r->factor;
		else if (turns <= r->high_freq_factor) {
			double s = (turns - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);
			f[k] = (1 - s) * (f[k] / r->factor) + s * f[k];
		}
	}
}

/* The (fractional) pair that turns `turns` times within the original context. */
static double yarn_pair(const struct rope_config *r, int dims, double turns)
{
	return dims * dm_log(r->original_positions / (turns * 2 * PI)) / (2 * dm_log(r->theta));
}

static void yarn(double *f, const struct rope_config *r, int dims)
{
	double lo = yarn_pair(r, dims, r->beta_fast), hi = yarn_pair(r, dims, r->beta_slow);
	if (r->truncate) {
		lo = dm_floor(lo);
		hi = -dm_floor(-hi);
	}
	lo = clamp(lo, 0, dims - 1);
	hi = clamp(hi, 0, dims - 1);
	if (lo == hi)
		hi += 0.001;
	for (int k = 0; k < dims / 2; k++) {
		double ramp = clamp((k - lo) / (hi - lo), 0, 1);
		f[k] = f[k] / r->factor * ramp + f[k] * (1 - ramp);
	}
}

void ropetable_frequencies(double *out, const struct rope_config *r, int dims, bool far)
{
	double theta = r->theta;
	if (r->type == ROPE_ALPHA)
		theta *= dm_pow(r->alpha, (double)dims / (dims - 2));
	for (int k = 0; k < dims / 2; k++)
		out[k] = 1.0 / dm_pow(theta, 2.0 * k / dims);
	for (int k = 0; k < dims / 2; k++)
		if (r->type == ROPE_LINEAR)
			out[k] /= r->factor;
		else if (r->type == ROPE_LONG)
			out[k] /= far ? r->long_factor[k] : r->short_factor[k];
		else if (r->type == ROPE_PROPORTIONAL && k >= (int)(r->partial * dims / 2))
			out[k] = 0;
	if (r->type == ROPE_LLAMA3)
		llama3(out, r, dims / 2);
	else if (r->type == ROPE_YARN)
		yarn(out, r, dims);
}

double ropetable_mscale(double factor, double mscale)
{
	return factor <= 1 ? 1 : 0.1 * mscale * dm_log(factor) + 1;
}

double ropetable_scale(const struct rope_config *r, bool far)
{
	if (r->type == ROPE_LONG && r->short_mscale > 0 && r->long_mscale > 0)
		return far ? r->long_mscale : r->short_mscale;
	if (r->type == ROPE_LONG && r->attention_factor > 0)
		return r->attention_factor;
	if (r->type == ROPE_LONG && r->stretch > 1)
		return dm_pow(1 + dm_log(r->stretch) / dm_log(r->original_positions), 0.5);
	if (r->type != ROPE_YARN)
		return 1;
	if (r->attention_factor > 0)
		return r->attention_factor;
	if (r->mscale > 0 && r->mscale_all_dim > 0)
		return ropetable_mscale(r->factor, r->mscale) / ropetable_mscale(r->factor, r->mscale_all_dim);
	return ropetable_mscale(r->factor, 1);
}

void ropetable_fill(float *cos, float *sin, const double *freq, double scale, int dims, int from, int n)
{
	int half = dims / 2;
	for (int i = 0; i < n; i++)
		for (int k = 0; k < half; k++) {
			double angle = (double)(from + i) * freq[k];
			cos[(size_t)i * half + k] = (float)(dm_cos(angle) * scale);
			sin[(size_t)i * half + k] = (float)(dm_sin(angle) * scale);
		}
}
