/* bind_expand.c - weights stored in 8 and 4 bits, made exact values while their rows are packed.
 *
 * F8_E4M3: a value is the code's times its scale, one fp32 multiplication (NUMERICS.md section 1). The scale lies beside the
 * weight, named after it: NAME_scale_inv or NAME_scale (both multiply, whatever the name says), and its shape says what it
 * counts for: one number for all, one per output, or one per block of quantization_config's weight_block_size, where blocks
 * at the edges are partial. Stacked weights [e, n, k] have stacked scales.
 * MXFP4 (OCP Microscaling Formats 1.0): NAME_blocks holds two e2m1 codes a byte, the first in the low half, NAME_scales the
 * exponent of each 32 of them; the values fit bf16 exactly.
 *
 * Refused: codes and scales that stand for NaN, products that are infinite, an F8 weight without a scale where config.json
 * says that weights are quantised, a scale where it does not. Scales of activations are not applied.
 */
#include <math.h>
#include <stdio.h>

#include "runners/bind_values.h"

static const float e2m1[16] = { 0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f, -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f };
#define MX_BLOCK 32

static float scale_at(const struct piece *p, int64_t i)
{
	const struct tensor *t = p->scale.t;
	if (!t)
		return 1.0f;
	if (t->dtype == ST_F8_E8M0 || t->dtype == ST_U8) { /* 2^(code - 127) */
		uint32_t code = t->data[i];
		return code == 255 ? NAN : f32_of_bits(code ? code << 23 : 0x00400000u);
	}
	return value_at(t->data + (size_t)i * dtype_size(value_type(t)), value_type(t));
}

/* Rows of all planes one below the other: of which scale is column c of row r? */
static int64_t scale_index(const struct piece *p, int64_t r, int64_t c)
{
	const struct scaling *s = &p->scale;
	return r / s->n * s->plane + r % s->n / s->block_rows * s->row_step + c / s->block_cols * s->col_step;
}

static float code_value(const struct binder *b, const struct piece *p, int64_t at)
{
	if (p->w->dtype == ST_U8)
		return e2m1[p->w->data[at / 2] >> (at % 2 * 4) & 15];
	return b->e4m3[p->w->data[at]];
}

static void put_value(unsigned char *out, enum dtype dt, float v)
{
	if (dt == DT_F32) {
		memcpy(out, &v, 4);
	} else {
		uint16_t half = (uint16_t)(f32_bits(v) >> 16); /* exact: see MXFP4 above */
		memcpy(out, &half, 2);
	}
}

/* `n` values from value `at` on, under one scale. */
static void run_of_f8(float *out, const unsigned char *code, int64_t n, const float *e4m3, float scale)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = e4m3[code[i]] * scale;
}

static void run_of_mx(unsigned char *out, enum dtype dt, const unsigned char *data, int64_t at, int64_t n, float scale)
{
	float v[16];
	for (int i = 0; i < 16; i++)
		v[i] = e2m1[i] * scale;
	for (int64_t i = 0; i < n; i++, at++)
		put_value(out + (size_t)i * dtype_size(dt), dt, v[data[at / 2] >> (at % 2 * 4) & 15]);
}

void expand_row(const struct binder *b, unsigned char *out, enum dtype dt, const struct piece *p, int row, int k)
{
	int64_t width = p->scale.k, at = p->base + (p->row0 + (int64_t)row * p->every) * p->row_step;
	int64_t r = at / width, c = at % width, n;
	size_t size = dtype_size(dt);

	if (p->col_step != 1 || c + k > width) {
		for (int i = 0; i < k; i++, at += p->col_step)
			put_value(out + (size_t)i * size, dt,
				  code_value(b, p, at) * scale_at(p, scale_index(p, at / width, at % width)));
		return;
	}
	for (int64_t end = c + k; c < end; c += n, at += n, out += (size_t)n * size) {
		n = p->scale.block_cols - c % p->scale.block_cols;
		if (n > end - c)
			n = end - c;
		float scale = scale_at(p, scale_index(p, r, c));
		if (p->w->dtype == ST_U8)
			run_of_mx(out, dt, p->w->data, at, n, scale);
		else
			run_of_f8((float *)out, p->w->data + at, n, b->e4m3, scale);
	}
}

int expand_not_finite(const struct binder *b, const struct piece *p, int k, struct err *e)
{
	for (int row = 0; row < p->rows; row++) {
		int64_t at = p->base + (p->row0 + (int64_t)row * p->every) * p->row_step;
		for (int i = 0; i < k; i++, at += p->col_step) {
			int64_t s = scale_index(p, at / p->scale.k, at % p->scale.k);
			float code = code_value(b, p, at), scale = scale_at(p, s), v = code * scale;
			if (isfinite(v))
				continue;
			if (!isfinite(code))
				return err_set(e, E_RANGE, "%s: tensor '%s': value %lld is NaN", bind_file(b, p->w), p->w->name.p, (long long)at);
			if (!isfinite(scale))
				return err_set(e, E_RANGE, "%s: tensor '%s': value %lld is %s", bind_file(b, p->scale.t), p->scale.t->name.p,
					       (long long)s, scale != scale ? "NaN" : "infinite");
			return err_set(e, E_RANGE, "%s: tensor '%s': value %lld, %g, is infinite with its scale %g", bind_file(b, p->w),
				       p->w->name.p, (long long)at, (double)code, (double)scale);
		}
	}
	return err_set(e, E_IO, "%s: tensor '%s' changed while it was read", bind_file(b, p->w), p->w->name.p);
}

/* ---- finding scales ---- */

static const struct tensor *beside(struct binder *b, const struct tensor *t, const char *suffix)
{
	char buf[300];
	int n = snprintf(buf, sizeof buf, "%.*s%s", (int)t->name.n, t->name.p, suffix);
	return n < (int)sizeof buf ? bind_take(b, (struct str){ buf, (size_t)n }, 0) : NULL;
}

/* What the scale counts for, by its shape. False: it fits nothing. */
static bool fit(struct scaling *s, const struct tensor *t, const struct config *c, int64_t planes)
{
	int64_t rows = c->quant.block_rows, cols = c->quant.block_cols, each = t->count / planes;
	bool column = t->rank == 0 || t->rank == 1 || t->shape[t->rank - 1] == 1;

	s->t = t;
	s->plane = planes == 1 ? 0 : each;
	s->block_rows = s->n;
	s->block_cols = s->k;
	s->row_step = s->col_step = 0;
	if (t->count % planes || !each)
		return false;
	if (each == 1)
		return true;
	if (each == s->n && column) {
		s->block_rows = s->row_step = 1;
		return true;
	}
	if (!rows || t->rank < 2 || t->shape[t->rank - 2] != (s->n + rows - 1) / rows || t->shape[t->rank - 1] != (s->k + cols - 1) / cols ||
	    each != t->shape[t->rank - 2] * t->shape[t->rank - 1])
		return false;
	s->block_rows = rows;
	s->block_cols = cols;
	s->row_step = t->shape[t->rank - 1];
	s->col_step = 1;
	return true;
}

int bind_scale(struct binder *b, struct piece *p, struct err *e)
{
	const struct tensor *w = p->w, *t;
	char have[160], of[160];

	if (b->random || w->dtype != ST_F8_E4M3)
		return 0;
	p->scale = (struct scaling){ .n = w->shape[w->rank - 2], .k = w->shape[w->rank - 1] };
	p->scale.block_rows = p->scale.n;
	p->scale.block_cols = p->scale.k;
	if (!b->e4m3[1])
		for (int i = 0; i < 256; i++)
			b->e4m3[i] = f8_e4m3_to_f32((uint8_t)i);
	if (!(t = beside(b, w, "_scale_inv")))
		t = beside(b, w, "_scale");
	if (!t && b->c->quant.method == QUANT_NONE)
		return 0;
	if (!t)
		return err_set(e, E_FORMAT, "%s: tensor '%s' is of F8_E4M3, but neither '%s_scale_inv' nor '%s_scale' is there", bind_file(b, w),
			       w->name.p, w->name.p, w->name.p);
	if (b->c->quant.method != QUANT_FP8)
		return err_set(e, E_FORMAT, "%s: tensor '%s' scales weights, but 'quantization_config' of %s does not say that they are of fp8",
			       bind_file(b, t), t->name.p, b->c->path);
	if (t->dtype != ST_F32 && t->dtype != ST_F16 && t->dtype != ST_BF16 && t->dtype != ST_F8_E8M0)
		return err_set(e, E_UNSUPPORTED, "%s: tensor '%s' has dtype '%.40s', known for scales are F32, F16, BF16 and F8_E8M0",
			       bind_file(b, t), t->name.p, t->dtype_name.p);
	if (fit(&p->scale, t, b->c, w->rank == 3 ? w->shape[0] : 1))
		return 0;
	return err_set(e, E_FORMAT, "%s: tensor '%s' has shape %s, which fits %s neither as one scale, nor one per output, nor one per block of "
		       "%d x %d ('weight_block_size')", bind_file(b, t), t->name.p, tensor_shape_text(t, have, sizeof have),
		       tensor_shape_text(w, of, sizeof of), b->c->quant.block_rows, b->c->quant.block_cols);
}

bool bind_has_blocks(const struct binder *b, const char *name, int layer)
{
	char buf[256];
	return !b->random && safetensors_find(b->m->files, bind_name(b, name, layer, "_blocks", buf, sizeof buf));
}

int bind_blocks(struct binder *b, struct piece *p, const char *name, int layer, int experts, int rows, int k, const char *why, struct err *e)
{
	static const char *const suffix[2] = { "_blocks", "_scales" };
	const struct tensor *t[2];
	char buf[256], have[160];
	int64_t per = k / MX_BLOCK;

	if (k % MX_BLOCK)
		return err_set(e, E_RANGE, "%s: %d inputs of a layer in MXFP4 are no multiple of %d (%s)", b->c->path, k, MX_BLOCK, why);
	for (int i = 0; i < 2; i++) {
		if (!(t[i] = bind_take(b, bind_name(b, name, layer, suffix[i], buf, sizeof buf), i ? 0 : (double)experts * rows * k)))
			return bind_missing(b, name, layer, suffix[i], "", e);
		if (t[i]->dtype != ST_U8)
			return err_set(e, E_UNSUPPORTED, "%s: tensor '%s' has dtype '%.40s', known for MXFP4 is U8", bind_file(b, t[i]),
				       t[i]->name.p, t[i]->dtype_name.p);
		if (t[i]->rank != 4 - i || t[i]->shape[0] != experts || t[i]->shape[1] != rows || t[i]->shape[2] != per ||
		    (!i && t[i]->shape[3] != MX_BLOCK / 2))
			return err_set(e, E_FORMAT, i ? "%s: tensor '%s' has shape %s, but %s wants [%d, %d, %lld] (%s)"
					       : "%s: tensor '%s' has shape %s, but %s wants [%d, %d, %lld, 16] (%s)", bind_file(b, t[i]),
				       t[i]->name.p, tensor_shape_text(t[i], have, sizeof have), b->c->path, experts, rows, (long long)per, why);
	}
	if (b->c->quant.method != QUANT_MXFP4)
		return err_set(e, E_FORMAT, "%s: tensor '%s' is in MXFP4, but 'quantization_config' of %s does not say so", bind_file(b, t[0]),
			       t[0]->name.p, b->c->path);
	*p = (struct piece){ .w = t[0], .rows = rows, .every = 1, .row_step = k, .col_step = 1, .base = (int64_t)b->expert * rows * k };
	p->scale = (struct scaling){ t[1], rows, k, (int64_t)rows * per, 1, MX_BLOCK, per, 1 };
	return 0;
}
