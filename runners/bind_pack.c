/* bind_pack.c - linear layers from pieces of tensors.
 *
 * Rows of query, key and value (and of gate and up) become one layer each, whatever the checkpoint's own grouping: fewer,
 * larger products, and no bit changes, since every output is its own chain. Rows go through a stage of about a megabyte where
 * the device cannot take them as they lie in the file.
 */
#include "runners/bind.h"

#include <stdio.h>

#include "kernels/base/dmath.h"
#include "runners/bind_values.h"

#define STAGE_BYTES (1u << 20) /* rows are packed in blocks of about this size */

static enum dtype piece_type(const struct piece *p)
{
	return p->unit ? DT_F32 : value_type(p->w);
}

static void unit_row(float *v, size_t k)
{
	double sum = 0;
	for (size_t i = 0; i < k; i++)
		sum += (double)v[i] * v[i];
	double length = sum > 0 ? dm_pow(sum, 0.5) : 0;
	length = length > 1e-7 ? length : 1e-7;
	for (size_t i = 0; i < k; i++)
		v[i] = (float)(v[i] / length);
}

/* Copies rows `from`.. of the piece into the stage, widened if need be. */
static void stage_rows(struct binder *b, const struct linear *w, const struct piece *p, int from, int rows)
{
	enum dtype dt = value_type(p->w);
	size_t in = dtype_size(dt), out = dtype_size(w->dt), k = (size_t)w->k;
	unsigned char *s = bind_stage(b, (size_t)rows * k * out);

	for (int r = 0; r < rows && is_packed(p->w); r++, s += k * out)
		expand_row(b, s, w->dt, p, from + r, w->k);
	for (int r = 0; r < rows && !is_packed(p->w); r++) {
		const unsigned char *row = p->w->data + (size_t)(p->base + (p->row0 + (int64_t)(from + r) * p->every) * p->row_step) * in;
		for (size_t i = 0; i < k; i++, s += out) {
			const unsigned char *at = row + i * (size_t)p->col_step * in;
			if (in == out) {
				memcpy(s, at, out);
			} else {
				float v = value_at(at, dt);
				memcpy(s, &v, out);
			}
		}
	}
	for (int r = 0; r < rows && p->unit; r++)
		unit_row((float *)b->stage + (size_t)r * k, k);
}

static int pack(struct binder *b, struct linear *w, const struct piece *p, struct err *e)
{
	const struct ops *ops = b->m->ops;
	size_t size = dtype_size(value_type(p->w));
	int step = (int)(STAGE_BYTES / ((size_t)w->k * dtype_size(w->dt)) / 32 * 32);
	bool direct = !is_packed(p->w) && !p->unit && p->col_step == 1 && p->every == 1 && p->row_step == w->k && value_type(p->w) == w->dt &&
		      (uintptr_t)p->w->data % size == 0;

	if (step < 32)
		step = 32;
	for (int r = 0; r < p->rows; r += step) {
		int rows = p->rows - r < step ? p->rows - r : step;
		const unsigned char *src = direct ? p->w->data + (size_t)(p->base + (p->row0 + (int64_t)r) * p->row_step) * size : NULL;
		if (!direct) {
			stage_rows(b, w, p, r, rows);
			src = b->stage;
		}
		if (values_finite(src, (size_t)rows * (size_t)w->k, w->dt) != 0)
			return is_packed(p->w) ? expand_not_finite(b, p, w->k, e) : bind_not_finite(b, p->w, e);
		ops->linear_rows(b->m->dev, w, p->n0 + r, src, (size_t)w->k, rows);
	}
	if (!p->bias)
		return 0;
	return bind_put_every(b, w->bias + p->n0, p->bias, (size_t)(p->bias_base + p->row0), (size_t)p->every, (size_t)p->rows, 0.0f, e);
}

/* What was read of the piece's tensor is not needed again, but for a table that is a head, too. */
static void release(const struct binder *b, const struct piece *p, int k)
{
	int64_t bits = p->w->dtype == ST_U8 ? 4 : st_dtype_bits(p->w->dtype), first = p->base + p->row0 * p->row_step,
		last = p->base + (p->row0 + (int64_t)(p->rows - 1) * p->every) * p->row_step + k;
	if (p->w == b->embed)
		return;
	if (p->col_step != 1)
		first = 0, last = (int64_t)p->w->bytes * 8 / bits;
	safetensors_release(p->w->data + first * bits / 8, (size_t)((last - first) * bits / 8));
}

/* Random values for a layer of k inputs: with inputs of variance 1 the outputs have about that, too. */
static void random_linear(struct binder *b, const struct linear *w)
{
	float scale = 1.0f;
	while (scale * scale * (float)w->k > 3.0f)
		scale *= 0.5f;
	b->m->ops->noise(b->m->dev, w->panels, w->held, w->bytes / dtype_size(w->held), b->seed++, scale);
	if (w->bias)
		b->m->ops->noise(b->m->dev, w->bias, DT_F32, (size_t)w->n, b->seed++, scale);
}

int bind_linear_of(struct binder *b, struct linear *w, int n, int k, const struct piece *p, int npieces, struct err *e)
{
	struct model *m = b->m;
	enum dtype dt = piece_type(&p[0]);
	bool bias = false;
	for (int i = 0; i < npieces; i++) {
		if (piece_type(&p[i]) != dt)
			dt = DT_F32;
		bias |= p[i].bias != NULL;
	}
	if (m->ops->linear_init(m->dev, w, dt, n, k, bias, e) != 0)
		return -1;
	if (m->nlinears == m->cap_linears)
		m->linears = xrealloc(m->linears, (size_t)(m->cap_linears = m->cap_linears ? 2 * m->cap_linears : 256) * sizeof *m->linears);
	m->linears[m->nlinears++] = w;
	m->info.row_flops += 2.0 * n * k * b->active;
	m->info.linear_bytes += w->bytes;
	m->info.packed_bytes += w->bytes + (bias ? (size_t)n * sizeof(float) : 0);
	if (b->random)
		random_linear(b, w);
	for (int i = 0; i < npieces && !b->random && !b->plan; i++) {
		if (pack(b, w, &p[i], e) != 0)
			return -1;
		release(b, &p[i], k);
	}
	return 0;
}

/* The bias of a role beside its weight p->w, by the row's rule. */
int bind_bias(struct binder *b, struct piece *p, const struct role_name *r, int layer, const char *why, struct err *e)
{
	static const char *const key[] = { "", "", "attention_bias", "attention_out_bias", "mlp_bias", "use_bias", "" };
	char name[256];
	int rows = p->rows;
	bool wanted = r->bias == BIAS_ALWAYS || (r->bias == BIAS_ATTENTION && b->c->attention_bias) ||
		      (r->bias == BIAS_OUT && b->c->out_bias) || (r->bias == BIAS_MLP && b->c->mlp_bias) || (r->bias == BIAS_PROJ && b->c->mamba.proj_bias);

	if (b->random)
		return wanted ? bind_need(b, &p->bias, r->name, layer, ".bias", rows, 0, 0, why, e) : 0;
	bool there = safetensors_find(b->m->files, bind_name(b, r->name, layer, ".bias", name, sizeof name)) != NULL;
	if (wanted) {
		if (r->bias != BIAS_ALWAYS && !there)
			return err_set(e, E_FORMAT, "%s: tensor '%s' is missing, but %s has '%s' true", bind_file(b, p->w), name, b->c->path,
				       key[r->bias]);
		return bind_need(b, &p->bias, r->name, layer, ".bias", rows, 0, 0, why, e);
	}
	if (there && r->bias == BIAS_PRESENT)
		return bind_need(b, &p->bias, r->name, layer, ".bias", rows, 0, 0, why, e);
	if (there && r->bias == BIAS_NEVER)
		return err_set(e, E_UNSUPPORTED, "%s: tensor '%s' is there, but the family %s has no such bias", bind_file(b, p->w), name,
			       b->f->name);
	if (there)
		return err_set(e, E_FORMAT, "%s: tensor '%s' is there, but %s has '%s' false", bind_file(b, p->w), name, b->c->path,
			       key[r->bias]);
	return 0;
}

int bind_piece(struct binder *b, struct piece *p, enum role role, int layer, int rows, int k, const char *why, struct err *e)
{
	const struct role_name *r = bind_role(b, role, layer);
	bool t = b->f->transposed && role != R_HEAD;

	if (!r)
		return err_set(e, E_UNSUPPORTED, "%s: asks for a part that the family %s has no tensors for (%s)", b->c->path, b->f->name, why);
	*p = (struct piece){ .rows = rows, .every = 1, .row_step = t ? 1 : k, .col_step = t ? rows : 1 };
	if (bind_need_weight(b, &p->w, r->name, layer, ".weight", t ? k : rows, t ? rows : k, 0, why, e) != 0 || bind_scale(b, p, e) != 0)
		return -1;
	return bind_bias(b, p, r, layer, why, e);
}

int bind_linear(struct binder *b, struct linear *w, enum role role, int layer, int n, int k, const char *why, struct err *e)
{
	struct piece p;
	if (bind_piece(b, &p, role, layer, n, k, why, e) != 0)
		return -1;
	return bind_linear_of(b, w, n, k, &p, 1, e);
}
