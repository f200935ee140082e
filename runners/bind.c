/* bind.c - tensors by name, checked, and their values as floats (bind.h). Linear layers are bind_pack.c's. */
#include "runners/bind.h"

#include <stdio.h>
#include <stdlib.h>

#include "runners/bind_values.h"

/* ---- names ---- */

/* The tensor's name: the row's name with the layer's number for the first "{}" and the expert's for the second, and the suffix,
 * in this checkpoint's layout (find_layout in model.c): with another beginning in place of the family's prefix. */
struct str bind_name(const struct binder *b, const char *name, int layer, const char *suffix, char *buf, size_t size)
{
	size_t n = 0;
	int number = layer;
	if (b->strip && !strncmp(name, b->f->prefix, b->strip)) {
		name += b->strip;
		n = (size_t)snprintf(buf, size, "%s", b->begin);
	} else if (!b->strip) {
		n = (size_t)snprintf(buf, size, "%s", b->begin);
	}
	for (const char *hole; (hole = strstr(name, "{}")) && n < size; name = hole + 2, number = b->expert)
		n += (size_t)snprintf(buf + n, size - n, "%.*s%d", (int)(hole - name), name, number);
	if (n < size)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", name, suffix);
	return (struct str){ buf, n < size ? n : size - 1 };
}

const struct role_name *bind_role(struct binder *b, enum role role, int layer)
{
	const struct role_name *first = NULL;
	char buf[256];
	for (const struct role_name *r = b->f->names; r->role != R_END; r++) {
		if (r->role != role)
			continue;
		if (!first)
			first = r;
		if (b->random || safetensors_find(b->m->files, bind_name(b, r->name, layer, ".weight", buf, sizeof buf)))
			return r;
	}
	return first;
}

const struct tensor *bind_take(struct binder *b, struct str name, double values)
{
	const struct tensor *t = safetensors_find(b->m->files, name);
	if (t) {
		unsigned char *used = &b->used[t - safetensors_at(b->m->files, 0)];
		if (!*used) {
			values = values < 0 ? (double)t->count : values;
			b->params += values;
			b->params_active += values * b->active;
		}
		*used = 1;
	}
	return t;
}

const struct tensor *bind_find(struct binder *b, const char *name, int layer, const char *suffix)
{
	char buf[256];
	return bind_take(b, bind_name(b, name, layer, suffix, buf, sizeof buf), -1);
}

bool bind_has(struct binder *b, enum role role, int layer)
{
	const struct role_name *r = bind_role(b, role, layer);
	char buf[256];
	return r && (b->random || safetensors_find(b->m->files, bind_name(b, r->name, layer, ".weight", buf, sizeof buf)));
}

const char *bind_file(const struct binder *b, const struct tensor *t)
{
	return safetensors_path(b->m->files, t->file);
}

int bind_missing(const struct binder *b, const char *name, int layer, const char *suffix, const char *why, struct err *e)
{
	char buf[256];
	bind_name(b, name, layer, suffix, buf, sizeof buf);
	return err_set(e, E_FORMAT, "%s: tensor '%s' is missing%s", safetensors_path(b->m->files, 0), buf, why);
}

static const struct tensor *invent(struct binder *b, int64_t d0, int64_t d1, int64_t d2)
{
	static const enum st_dtype types[DT_COUNT] = { [DT_F32] = ST_F32, [DT_F16] = ST_F16, [DT_BF16] = ST_BF16 };
	struct tensor *t = ARENA_NEW(&b->invented, struct tensor);
	*t = (struct tensor){ .dtype = types[b->dt], .rank = d2 ? 3 : d1 ? 2 : 1, .shape = { d0, d1, d2 },
			      .count = d0 * (d1 ? d1 : 1) * (d2 ? d2 : 1) };
	t->bytes = (size_t)t->count * dtype_size(b->dt);
	b->params += (double)t->count;
	b->params_active += (double)t->count * b->active;
	return t;
}

static int need(struct binder *b, const struct tensor **out, bool packed, const char *name, int layer, const char *suffix, int64_t d0,
		int64_t d1, int64_t d2, const char *why, struct err *e)
{
	const struct tensor *t = *out = b->random ? invent(b, d0, d1, d2) : bind_find(b, name, layer, suffix);
	char shape[160], wanted[96];
	int rank = d2 ? 3 : d1 ? 2 : 1;

	if (b->random)
		return 0;
	if (!t)
		return bind_missing(b, name, layer, suffix, "", e);
	if (t->dtype != ST_F32 && t->dtype != ST_F16 && t->dtype != ST_BF16 && !(packed && t->dtype == ST_F8_E4M3))
		return err_set(e, E_UNSUPPORTED, "%s: tensor '%s' has dtype '%.40s', known are %s", bind_file(b, t), t->name.p,
			       t->dtype_name.p, packed ? "F32, F16, BF16 and F8_E4M3" : "F32, F16 and BF16 here");
	if (t->rank != rank || t->shape[0] != d0 || (d1 && t->shape[1] != d1) || (d2 && t->shape[2] != d2)) {
		snprintf(wanted, sizeof wanted, d2 ? "[%lld, %lld, %lld]" : d1 ? "[%lld, %lld]" : "[%lld]", (long long)d0, (long long)d1,
			 (long long)d2);
		return err_set(e, E_FORMAT, "%s: tensor '%s' has shape %s, but %s wants %s (%s)", bind_file(b, t), t->name.p,
			       tensor_shape_text(t, shape, sizeof shape), b->c->path, wanted, why);
	}
	return 0;
}

int bind_need(struct binder *b, const struct tensor **out, const char *name, int layer, const char *suffix, int64_t d0, int64_t d1,
	      int64_t d2, const char *why, struct err *e)
{
	return need(b, out, false, name, layer, suffix, d0, d1, d2, why, e);
}

int bind_need_weight(struct binder *b, const struct tensor **out, const char *name, int layer, const char *suffix, int64_t d0, int64_t d1,
		     int64_t d2, const char *why, struct err *e)
{
	return need(b, out, true, name, layer, suffix, d0, d1, d2, why, e);
}

/* ---- values ---- */

/* The loops only or bits together, so that the compiler can use vectors. */
int values_finite(const unsigned char *p, size_t n, enum dtype dt)
{
	if (dt == DT_F32) {
		uint32_t bad = 0;
		for (size_t i = 0; i < n; i++) {
			uint32_t u;
			memcpy(&u, p + 4 * i, 4);
			bad |= (u & 0x7f800000u) == 0x7f800000u;
		}
		return bad ? -1 : 0;
	}
	uint16_t mask = dt == DT_F16 ? 0x7c00 : 0x7f80, bad = 0;
	for (size_t i = 0; i < n; i++) {
		uint16_t u;
		memcpy(&u, p + 2 * i, 2);
		bad |= (u & mask) == mask;
	}
	return bad ? -1 : 0;
}

int bind_not_finite(const struct binder *b, const struct tensor *t, struct err *e)
{
	size_t size = dtype_size(value_type(t)), i = 0;
	while (values_finite(t->data + i * size, 1, value_type(t)) == 0)
		i++;
	float v = value_at(t->data + i * size, value_type(t));
	return err_set(e, E_RANGE, "%s: tensor '%s': value %zu is %s", bind_file(b, t), t->name.p, i,
		       v != v ? "NaN" : v > 0 ? "infinite" : "minus infinite");
}

int bind_finite(const struct binder *b, const struct tensor *t, struct err *e)
{
	if (b->random || b->plan || values_finite(t->data, (size_t)t->count, value_type(t)) == 0)
		return 0;
	return bind_not_finite(b, t, e);
}

unsigned char *bind_stage(struct binder *b, size_t size)
{
	if (size > b->stage_size)
		b->stage = xrealloc(b->stage, b->stage_size = size);
	return b->stage;
}

void *bind_alloc(struct binder *b, size_t bytes, struct err *e)
{
	struct model *m = b->m;
	void *p = m->ops->alloc(m->dev, bytes, e);
	if (!p)
		return NULL;
	if (m->nowned == m->cap_owned)
		m->owned = xrealloc(m->owned, (size_t)(m->cap_owned = m->cap_owned ? 2 * m->cap_owned : 256) * sizeof *m->owned);
	m->info.packed_bytes += bytes;
	return m->owned[m->nowned++] = p;
}

/* Values from, from + every, ... (n of them) of a tensor, plus `plus`, as floats at device address dst. */
int bind_put_every(struct binder *b, float *dst, const struct tensor *t, size_t from, size_t every, size_t n, float plus, struct err *e)
{
	enum dtype dt = value_type(t);
	size_t size = dtype_size(dt);
	if (b->plan)
		return 0;
	if (b->random) {
		b->m->ops->noise(b->m->dev, dst, DT_F32, n, b->seed++, 1.0f);
		return 0;
	}
	if (values_finite(t->data + from * size, (n - 1) * every + 1, dt) != 0)
		return bind_not_finite(b, t, e);
	float *f = (float *)bind_stage(b, n * sizeof *f);
	for (size_t i = 0; i < n; i++)
		f[i] = value_at(t->data + (from + i * every) * size, dt) + plus;
	b->m->ops->put(b->m->dev, dst, f, n * sizeof *f);
	return 0;
}

int bind_put(struct binder *b, float *dst, const struct tensor *t, size_t from, size_t n, float plus, struct err *e)
{
	return bind_put_every(b, dst, t, from, 1, n, plus, e);
}

int bind_floats(struct binder *b, float **out, const float *host, size_t n, struct err *e)
{
	if (!(*out = bind_alloc(b, n * sizeof **out, e)))
		return -1;
	b->m->ops->put(b->m->dev, *out, host, n * sizeof **out);
	return 0;
}

int bind_host(struct binder *b, float **out, enum role role, int layer, const char *suffix, int n, const char *why, struct err *e)
{
	const struct tensor *t;
	if (bind_need(b, &t, bind_role(b, role, layer)->name, layer, suffix, n, 0, 0, why, e) != 0 || bind_finite(b, t, e) != 0)
		return -1;
	*out = ARENA_ARRAY(&b->m->arena, (size_t)n, float);
	for (int i = 0; i < n; i++)
		(*out)[i] = b->random ? 1.0f : value_at(t->data + (size_t)i * dtype_size(value_type(t)), value_type(t));
	return 0;
}

int bind_vector(struct binder *b, float **out, enum role role, int layer, const char *suffix, int n, float plus, const char *why, struct err *e)
{
	const struct tensor *t;
	if (bind_need(b, &t, bind_role(b, role, layer)->name, layer, suffix, n, 0, 0, why, e) != 0)
		return -1;
	if (!(*out = bind_alloc(b, (size_t)n * sizeof(float), e)))
		return -1;
	return bind_put(b, *out, t, 0, (size_t)n, plus, e);
}

int bind_single(struct binder *b, double *out, enum role role, int layer, const char *suffix, bool may_miss, struct err *e)
{
	const char *name = bind_role(b, role, layer)->name;
	const struct tensor *t = b->random ? NULL : bind_find(b, name, layer, suffix);
	if (!t)
		return b->random || may_miss ? 0 : bind_missing(b, name, layer, suffix, "", e);
	if (t->count != 1 || (t->dtype != ST_F32 && t->dtype != ST_F16 && t->dtype != ST_BF16))
		return err_set(e, E_FORMAT, "%s: tensor '%s' is no single value of F32, F16 or BF16", bind_file(b, t), t->name.p);
	if (bind_finite(b, t, e) != 0)
		return -1;
	*out = value_at(t->data, value_type(t));
	return 0;
}

int bind_norm(struct binder *b, struct norm *out, enum role role, int layer, int n, const char *why, struct err *e)
{
	enum norm_kind kind = b->f->norm;
	if (!family_role(b->f, role))
		return 0;
	out->present = true;
	if (kind == NORM_LAYER_PLAIN)
		return 0;
	if (bind_vector(b, &out->w, role, layer, ".weight", n, b->f->norm_plus_one ? 1.0f : 0.0f, why, e) != 0)
		return -1;
	return kind == NORM_LAYER ? bind_vector(b, &out->b, role, layer, ".bias", n, 0.0f, why, e) : 0;
}

int bind_table(struct binder *b, struct table *out, enum role role, int rows, int width, const char *why, struct err *e)
{
	const struct role_name *r = bind_role(b, role, 0);
	const struct tensor *t;
	void *copy;

	if (bind_need(b, &t, r->name, 0, ".weight", rows, width, 0, why, e) != 0 || bind_finite(b, t, e) != 0)
		return -1;
	*out = (struct table){ value_type(t), rows, width, t->data };
	if (role == R_EMBED)
		b->embed = t;
	if (!b->random && b->m->ops->host_rows)
		return 0;
	if (!(copy = bind_alloc(b, t->bytes, e)))
		return -1;
	if (b->random)
		b->m->ops->noise(b->m->dev, copy, out->dt, (size_t)t->count, b->seed++, 1.0f);
	else
		b->m->ops->put(b->m->dev, copy, t->data, t->bytes);
	out->rows = copy;
	return 0;
}
