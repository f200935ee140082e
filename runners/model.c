/* model.c - opens a checkpoint: finds each tensor that the family's row names, checks its shape against config.json and its
 * values for NaN and infinity, and packs it onto the device.
 *
 * Rows of query, key and value (and of gate and up) become one linear layer each, whatever the checkpoint's own grouping:
 * fewer, larger products, and no bit changes, since every output is its own chain. Checkpoints carry things that are not
 * used (mask buffers, rotary tables, layers for multi-token prediction): those that the family knows are counted, others
 * are named in a warning. What the configuration and the tensors say differently is an error that names both.
 *
 * Random weights (model_random) go the same way: each tensor that would be looked up is invented in the shape asked for, and
 * each place that would copy values lets the device make some.
 *
 * The embedding table stays in the mapped file. Everything else is copied once; the file's pages may go afterwards.
 */
#include "runners/model_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/arena.h"
#include "kernels/base/half.h"
#include "kernels/base/log.h"

#define STAGE_BYTES (1u << 20) /* rows are packed in blocks of about this size */
#define WARN_TENSORS 8         /* unknown tensors named one by one */

struct binder {
	struct model *m;
	const struct family *f;
	const struct config *c;
	unsigned char *used; /* [tensors] */
	const struct tensor *embed;
	size_t strip;        /* bytes of the family's prefix that this checkpoint lacks */
	unsigned char *stage;
	size_t stage_size;
	double params;
	bool random;         /* tensors are invented: of type dt, without values */
	enum dtype dt;
	struct arena invented;
	uint64_t seed;
};

/* ---- names ---- */

/* The tensor's name: the row's name with the layer's number, and the suffix. */
static struct str tensor_name(const struct binder *b, const char *name, int layer, const char *suffix, char *buf, size_t size)
{
	size_t n = 0;
	if (b->strip && !strncmp(name, b->f->prefix, b->strip))
		name += b->strip;
	const char *hole = strstr(name, "{}");
	if (hole)
		n = (size_t)snprintf(buf, size, "%.*s%d%s%s", (int)(hole - name), name, layer, hole + 2, suffix);
	else
		n = (size_t)snprintf(buf, size, "%s%s", name, suffix);
	return (struct str){ buf, n < size ? n : size - 1 };
}

static const struct tensor *find(struct binder *b, const char *name, int layer, const char *suffix)
{
	char buf[256];
	const struct tensor *t = safetensors_find(b->m->files, tensor_name(b, name, layer, suffix, buf, sizeof buf));
	if (t) {
		unsigned char *used = &b->used[t - safetensors_at(b->m->files, 0)];
		if (!*used)
			b->params += (double)t->count;
		*used = 1;
	}
	return t;
}

static const char *file_of(const struct binder *b, const struct tensor *t)
{
	return safetensors_path(b->m->files, t->file);
}

static int missing(const struct binder *b, const char *name, int layer, const char *suffix, const char *why, struct err *e)
{
	char buf[256];
	tensor_name(b, name, layer, suffix, buf, sizeof buf);
	return err_set(e, E_FORMAT, "%s: tensor '%s' is missing%s", safetensors_path(b->m->files, 0), buf, why);
}

static const struct tensor *invent(struct binder *b, int64_t d0, int64_t d1)
{
	static const enum st_dtype types[DT_COUNT] = { [DT_F32] = ST_F32, [DT_F16] = ST_F16, [DT_BF16] = ST_BF16 };
	struct tensor *t = ARENA_NEW(&b->invented, struct tensor);
	*t = (struct tensor){ .dtype = types[b->dt], .rank = d1 ? 2 : 1, .shape = { d0, d1 }, .count = d0 * (d1 ? d1 : 1) };
	t->bytes = (size_t)t->count * dtype_size(b->dt);
	b->params += (double)t->count;
	return t;
}

/* Finds a tensor and checks type and shape; d1 == 0: a vector of d0. `why` names the keys of config.json behind d0, d1. */
static int need(struct binder *b, const struct tensor **out, const char *name, int layer, const char *suffix, int64_t d0,
		int64_t d1, const char *why, struct err *e)
{
	const struct tensor *t = *out = b->random ? invent(b, d0, d1) : find(b, name, layer, suffix);
	char shape[160], wanted[64];

	if (b->random)
		return 0;
	if (!t)
		return missing(b, name, layer, suffix, "", e);
	if (t->dtype != ST_F32 && t->dtype != ST_F16 && t->dtype != ST_BF16)
		return err_set(e, E_UNSUPPORTED, "%s: tensor '%s' has dtype '%.40s', known are F32, F16 and BF16", file_of(b, t),
			       t->name.p, t->dtype_name.p);
	if (t->rank != (d1 ? 2 : 1) || t->shape[0] != d0 || (d1 && t->shape[1] != d1)) {
		snprintf(wanted, sizeof wanted, d1 ? "[%lld, %lld]" : "[%lld]", (long long)d0, (long long)d1);
		return err_set(e, E_FORMAT, "%s: tensor '%s' has shape %s, but %s wants %s (%s)", file_of(b, t), t->name.p,
			       tensor_shape_text(t, shape, sizeof shape), b->c->path, wanted, why);
	}
	return 0;
}

/* ---- values ---- */

static enum dtype dtype_of(const struct tensor *t)
{
	return t->dtype == ST_F32 ? DT_F32 : t->dtype == ST_F16 ? DT_F16 : DT_BF16;
}

static float value_at(const unsigned char *p, enum dtype dt)
{
	uint32_t u32;
	uint16_t u16;
	if (dt == DT_F32) {
		memcpy(&u32, p, 4);
		return f32_of_bits(u32);
	}
	memcpy(&u16, p, 2);
	return dt == DT_F16 ? f16_to_f32(u16) : bf16_to_f32(u16);
}

/* -1 when a value is NaN or infinite. The loops only or bits together, so that the compiler can use vectors. */
static int all_finite(const unsigned char *p, size_t n, enum dtype dt)
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

static int not_finite(const struct binder *b, const struct tensor *t, struct err *e)
{
	size_t size = dtype_size(dtype_of(t)), i = 0;
	while (all_finite(t->data + i * size, 1, dtype_of(t)) == 0)
		i++;
	float v = value_at(t->data + i * size, dtype_of(t));
	return err_set(e, E_RANGE, "%s: tensor '%s': value %zu is %s", file_of(b, t), t->name.p, i,
		       v != v ? "NaN" : v > 0 ? "infinite" : "minus infinite");
}

static unsigned char *stage(struct binder *b, size_t size)
{
	if (size > b->stage_size)
		b->stage = xrealloc(b->stage, b->stage_size = size);
	return b->stage;
}

/* A vector of the checkpoint as floats at device address dst. */
static int put_floats(struct binder *b, float *dst, const struct tensor *t, size_t from, size_t n, struct err *e)
{
	enum dtype dt = dtype_of(t);
	size_t size = dtype_size(dt);
	if (b->random) {
		b->m->ops->noise(b->m->dev, dst, DT_F32, n, b->seed++, 1.0f);
		return 0;
	}
	if (all_finite(t->data + from * size, n, dt) != 0)
		return not_finite(b, t, e);
	float *f = (float *)stage(b, n * sizeof *f);
	for (size_t i = 0; i < n; i++)
		f[i] = value_at(t->data + (from + i) * size, dt);
	b->m->ops->put(b->m->dev, dst, f, n * sizeof *f);
	return 0;
}

/* One run of rows: rows row0.. of t become outputs n0.. of a linear layer. */
struct piece {
	const struct tensor *w, *bias;
	int row0, rows, n0;
};

/* Copies rows row0..row0+rows-1 (columns, where the weights are [in, out]) into the stage, widened if need be. */
static void stage_rows(struct binder *b, const struct linear *w, const struct piece *p, int row0, int rows, bool transposed)
{
	enum dtype dt = dtype_of(p->w);
	size_t in = dtype_size(dt), out = dtype_size(w->dt), k = (size_t)w->k;
	size_t outputs = transposed ? (size_t)p->w->shape[1] : 0;
	unsigned char *s = stage(b, (size_t)rows * k * out);

	for (size_t r = 0; r < (size_t)rows; r++)
		for (size_t i = 0; i < k; i++) {
			size_t at = outputs ? i * outputs + (size_t)row0 + r : ((size_t)row0 + r) * k + i;
			if (in == out) {
				memcpy(s + (r * k + i) * out, p->w->data + at * in, out);
			} else {
				float v = value_at(p->w->data + at * in, dt);
				memcpy(s + (r * k + i) * out, &v, out);
			}
		}
}

static int pack(struct binder *b, struct linear *w, const struct piece *p, bool transposed, struct err *e)
{
	const struct ops *ops = b->m->ops;
	enum dtype dt = dtype_of(p->w);
	size_t row_bytes = (size_t)w->k * dtype_size(dt);
	int step = (int)(STAGE_BYTES / row_bytes / 32 * 32);
	bool direct = !transposed && dt == w->dt && (uintptr_t)p->w->data % dtype_size(dt) == 0;

	if (step < 32)
		step = 32;
	if (transposed && all_finite(p->w->data, (size_t)p->w->count, dt) != 0)
		return not_finite(b, p->w, e);
	for (int r = 0; r < p->rows; r += step) {
		int rows = p->rows - r < step ? p->rows - r : step;
		const unsigned char *src = p->w->data + ((size_t)p->row0 + (size_t)r) * row_bytes;
		if (!transposed && all_finite(src, (size_t)rows * (size_t)w->k, dt) != 0)
			return not_finite(b, p->w, e);
		if (!direct) {
			stage_rows(b, w, p, p->row0 + r, rows, transposed);
			src = b->stage;
		}
		ops->linear_rows(b->m->dev, w, p->n0 + r, src, (size_t)w->k, rows);
	}
	return p->bias ? put_floats(b, w->bias + p->n0, p->bias, (size_t)p->row0, (size_t)p->rows, e) : 0;
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

/* A linear layer from its pieces; they may differ in dtype (then all are widened to f32). */
static int make_linear(struct binder *b, struct linear *w, int n, int k, const struct piece *p, int npieces, bool transposed,
		       struct err *e)
{
	enum dtype dt = dtype_of(p[0].w);
	bool bias = false;
	for (int i = 0; i < npieces; i++) {
		if (dtype_of(p[i].w) != dt)
			dt = DT_F32;
		bias |= p[i].bias != NULL;
	}
	if (b->m->ops->linear_init(b->m->dev, w, dt, n, k, bias, e) != 0)
		return -1;
	b->m->info.packed_bytes += w->bytes + (bias ? (size_t)n * sizeof(float) : 0);
	if (b->random)
		random_linear(b, w);
	for (int i = 0; i < npieces && !b->random; i++)
		if (pack(b, w, &p[i], transposed, e) != 0)
			return -1;
	return 0;
}

/* ---- parts of the model ---- */

static int load_vector(struct binder *b, float **out, const char *name, int layer, const char *suffix, int n, const char *why,
		       struct err *e)
{
	const struct tensor *t;
	if (need(b, &t, name, layer, suffix, n, 0, why, e) != 0)
		return -1;
	if (!(*out = b->m->ops->alloc(b->m->dev, (size_t)n * sizeof(float), e)))
		return -1;
	b->m->info.packed_bytes += (size_t)n * sizeof(float);
	return put_floats(b, *out, t, 0, (size_t)n, e);
}

static int load_norm(struct binder *b, struct norm *out, enum role role, int layer, int n, const char *why, struct err *e)
{
	const struct role_name *r = family_role(b->f, role);
	enum norm_kind kind = b->f->norm;
	if (!r)
		return 0;
	out->present = true;
	if (kind == NORM_LAYER_PLAIN)
		return 0;
	if (load_vector(b, &out->w, r->name, layer, ".weight", n, why, e) != 0)
		return -1;
	return kind == NORM_LAYER ? load_vector(b, &out->b, r->name, layer, ".bias", n, why, e) : 0;
}

/* Weight and bias of one tensor pair that serves as `rows` outputs. */
static int need_linear(struct binder *b, struct piece *p, enum role role, int layer, int rows, int k, const char *why, struct err *e)
{
	const struct role_name *r = family_role(b->f, role);
	static const char *const key[] = { "", "", "attention_bias", "attention_out_bias", "mlp_bias" };
	char name[256], suffix[16] = "";
	bool t = b->f->transposed && role != R_HEAD;
	bool wanted = r->bias == BIAS_ALWAYS || (r->bias == BIAS_ATTENTION && b->c->attention_bias) ||
		      (r->bias == BIAS_OUT && b->c->out_bias) || (r->bias == BIAS_MLP && b->c->mlp_bias);

	*p = (struct piece){ .rows = rows };
	if (need(b, &p->w, r->name, layer, ".weight", t ? k : rows, t ? rows : k, why, e) != 0)
		return -1;
	if (b->random)
		return wanted ? need(b, &p->bias, r->name, layer, ".bias", rows, 0, why, e) : 0;
	if (wanted) {
		snprintf(suffix, sizeof suffix, ".bias");
		struct str s = tensor_name(b, r->name, layer, suffix, name, sizeof name);
		if (r->bias != BIAS_ALWAYS && !safetensors_find(b->m->files, s))
			return err_set(e, E_FORMAT, "%s: tensor '%s' is missing, but %s has '%s' true", file_of(b, p->w), name, b->c->path,
				       key[r->bias]);
		return need(b, &p->bias, r->name, layer, suffix, rows, 0, why, e);
	}
	if (safetensors_find(b->m->files, tensor_name(b, r->name, layer, ".bias", name, sizeof name))) {
		if (r->bias == BIAS_NEVER)
			return err_set(e, E_UNSUPPORTED, "%s: tensor '%s' is there, but the family %s has no such bias", file_of(b, p->w), name,
				       b->f->name);
		return err_set(e, E_FORMAT, "%s: tensor '%s' is there, but %s has '%s' false", file_of(b, p->w), name, b->c->path,
			       key[r->bias]);
	}
	return 0;
}

static int load_linear(struct binder *b, struct linear *out, enum role role, int layer, int n, int k, const char *why, struct err *e)
{
	struct piece p;
	if (need_linear(b, &p, role, layer, n, k, why, e) != 0)
		return -1;
	return make_linear(b, out, n, k, &p, 1, b->f->transposed && role != R_HEAD, e);
}

#define WHY_Q "num_attention_heads x head_dim, hidden_size"
#define WHY_KV "num_key_value_heads x head_dim, hidden_size"
#define WHY_MLP "intermediate_size, hidden_size"

/* Query, key and value as one layer, rows [all q][all k][all v]. */
static int load_qkv(struct binder *b, struct linear *out, int layer, struct err *e)
{
	const struct config *c = b->c;
	int d = c->head_dim, q = c->heads * d, kv = c->kv_heads * d, n = q + 2 * kv, g = c->heads / c->kv_heads;
	struct piece all, *p;

	if (!family_role(b->f, R_QKV)) {
		struct piece part[3];
		if (need_linear(b, &part[0], R_Q, layer, q, c->width, WHY_Q, e) != 0 ||
		    need_linear(b, &part[1], R_K, layer, kv, c->width, WHY_KV, e) != 0 ||
		    need_linear(b, &part[2], R_V, layer, kv, c->width, WHY_KV, e) != 0)
			return -1;
		part[1].n0 = q;
		part[2].n0 = q + kv;
		return make_linear(b, out, n, c->width, part, 3, b->f->transposed, e);
	}
	if (need_linear(b, &all, R_QKV, layer, n, c->width, "(num_attention_heads + 2 num_key_value_heads) x head_dim, hidden_size", e) != 0)
		return -1;
	if (b->f->qkv == QKV_PLAIN)
		return make_linear(b, out, n, c->width, &all, 1, b->f->transposed, e);
	p = xcalloc((size_t)c->kv_heads * 3, sizeof *p);
	for (int j = 0; j < c->kv_heads; j++) {
		int row = j * (g + 2) * d;
		for (int i = 0; i < 3; i++)
			p[3 * j + i] = all;
		p[3 * j] = (struct piece){ all.w, all.bias, row, g * d, j * g * d };
		p[3 * j + 1] = (struct piece){ all.w, all.bias, row + g * d, d, q + j * d };
		p[3 * j + 2] = (struct piece){ all.w, all.bias, row + (g + 1) * d, d, q + kv + j * d };
	}
	int rc = make_linear(b, out, n, c->width, p, 3 * c->kv_heads, b->f->transposed, e);
	free(p);
	return rc;
}

static int load_up(struct binder *b, struct linear *out, int layer, struct err *e)
{
	const struct config *c = b->c;
	struct piece part[2];

	if (!b->f->gated)
		return load_linear(b, out, R_UP, layer, c->inner, c->width, WHY_MLP, e);
	if (family_role(b->f, R_GATE_UP))
		return load_linear(b, out, R_GATE_UP, layer, 2 * c->inner, c->width, "2 intermediate_size, hidden_size", e);
	if (need_linear(b, &part[0], R_GATE, layer, c->inner, c->width, WHY_MLP, e) != 0 ||
	    need_linear(b, &part[1], R_UP, layer, c->inner, c->width, WHY_MLP, e) != 0)
		return -1;
	part[1].n0 = c->inner;
	return make_linear(b, out, 2 * c->inner, c->width, part, 2, b->f->transposed, e);
}

static int load_block(struct binder *b, struct block *k, int i, struct err *e)
{
	const struct config *c = b->c;
	bool whole = b->f->qk_norm == QK_PROJECTION;
	int d = c->head_dim;

	return load_norm(b, &k->norm1, R_NORM1, i, c->width, "hidden_size", e) != 0 ||
	       load_norm(b, &k->norm2, R_NORM2, i, c->width, "hidden_size", e) != 0 ||
	       load_norm(b, &k->post1, R_POST1, i, c->width, "hidden_size", e) != 0 ||
	       load_norm(b, &k->post2, R_POST2, i, c->width, "hidden_size", e) != 0 ||
	       load_norm(b, &k->q_norm, R_Q_NORM, i, whole ? c->heads * d : d, whole ? WHY_Q : "head_dim", e) != 0 ||
	       load_norm(b, &k->k_norm, R_K_NORM, i, whole ? c->kv_heads * d : d, whole ? WHY_KV : "head_dim", e) != 0 ||
	       load_qkv(b, &k->qkv, i, e) != 0 ||
	       load_linear(b, &k->out, R_O, i, c->width, c->heads * d, "hidden_size, num_attention_heads x head_dim", e) != 0 ||
	       load_up(b, &k->up, i, e) != 0 ||
	       load_linear(b, &k->down, R_DOWN, i, c->width, c->inner, "hidden_size, intermediate_size", e) != 0;
}

/* A table of rows for embedding. It stays where it is on devices that read host memory. */
static int load_table(struct binder *b, struct table *out, void **copy, enum role role, int rows, const char *why, struct err *e)
{
	const struct role_name *r = family_role(b->f, role);
	const struct tensor *t;

	if (need(b, &t, r->name, 0, ".weight", rows, b->c->width, why, e) != 0)
		return -1;
	*out = (struct table){ dtype_of(t), rows, b->c->width, t->data };
	if (role == R_EMBED)
		b->embed = t;
	if (!b->random && all_finite(t->data, (size_t)t->count, dtype_of(t)) != 0)
		return not_finite(b, t, e);
	if (!b->random && b->m->ops->host_rows)
		return 0;
	if (!(*copy = b->m->ops->alloc(b->m->dev, t->bytes, e)))
		return -1;
	if (b->random)
		b->m->ops->noise(b->m->dev, *copy, out->dt, (size_t)t->count, b->seed++, 1.0f);
	else
		b->m->ops->put(b->m->dev, *copy, t->data, t->bytes);
	out->rows = *copy;
	b->m->info.packed_bytes += t->bytes;
	return 0;
}

/* The head is a tensor of its own, or the embedding once more. */
static int load_head(struct binder *b, struct err *e)
{
	const struct role_name *head = family_role(b->f, R_HEAD);
	const struct config *c = b->c;
	const struct tensor *table = b->embed, *own = head && !b->random ? find(b, head->name, 0, ".weight") : NULL;

	if (b->random && head && !c->tied)
		return load_linear(b, &b->m->head, R_HEAD, 0, c->vocab, c->width, "", e);

	if (own && c->tied && own->bytes == table->bytes && memcmp(own->data, table->data, own->bytes) == 0) {
		b->params -= (double)own->count; /* written twice, one parameter */
		own = NULL;
	} else if (own && c->tied && c->tied_given) {
		return err_set(e, E_FORMAT, "%s: tensor '%s' differs from the embedding, but %s has 'tie_word_embeddings' true",
			       file_of(b, own), own->name.p, c->path);
	} else if (!own && head && !c->tied && c->tied_given) {
		return missing(b, head->name, 0, ".weight", ", but config.json has 'tie_word_embeddings' false", e);
	}
	if (own)
		return load_linear(b, &b->m->head, R_HEAD, 0, c->vocab, c->width, "vocab_size, hidden_size", e);
	struct piece p = { .w = table, .rows = c->vocab };
	return make_linear(b, &b->m->head, c->vocab, c->width, &p, 1, false, e);
}

/* Checkpoints of the bare model lack the first part of every name. */
static void find_prefix(struct binder *b)
{
	const char *name = family_role(b->f, R_EMBED)->name;
	char buf[256];

	if (!b->f->prefix || safetensors_find(b->m->files, tensor_name(b, name, 0, ".weight", buf, sizeof buf)))
		return;
	b->strip = strlen(b->f->prefix);
	if (!safetensors_find(b->m->files, tensor_name(b, name, 0, ".weight", buf, sizeof buf)))
		b->strip = 0;
}

/* Tensors that nothing asked for. */
static void report_rest(struct binder *b)
{
	int unknown = 0;
	char shape[160];

	for (size_t i = 0; i < safetensors_count(b->m->files); i++) {
		const struct tensor *t = safetensors_at(b->m->files, i);
		bool known = false;
		if (b->used[i])
			continue;
		for (const char *const *j = b->f->junk; j && *j && !known; j++)
			known = family_match(*j, t->name) ||
				(b->strip && !strncmp(*j, b->f->prefix, b->strip) && family_match(*j + b->strip, t->name));
		if (known)
			b->m->info.skipped++;
		else if (++unknown <= WARN_TENSORS)
			log_warn("%s: tensor '%.200s' %s is not known to the family %s and not used", file_of(b, t), t->name.p,
				 tensor_shape_text(t, shape, sizeof shape), b->f->name);
	}
	if (unknown > WARN_TENSORS)
		log_warn("%s: %d more tensors are not used", safetensors_path(b->m->files, 0), unknown - WARN_TENSORS);
}

static void make_digest(struct model *m)
{
	struct digest *d = digest_new();
	unsigned char one[DIGEST_BYTES];
	digest_add(d, m->cfg.digest, DIGEST_BYTES);
	for (int i = 0; i < safetensors_files(m->files); i++) {
		safetensors_digest(m->files, i, one);
		digest_add(d, one, DIGEST_BYTES);
	}
	digest_end(d, m->info.digest);
}

static void count_linear(struct model_info *i, const struct linear *w)
{
	i->row_flops += 2.0 * w->n * w->k;
	i->linear_bytes += w->bytes;
}

static void fill_info(struct model *m, double params)
{
	const struct config *c = &m->cfg;
	struct model_info *i = &m->info;

	snprintf(i->family, sizeof i->family, "%s", c->family->name);
	i->vocab = c->vocab;
	i->layers = c->layers;
	i->width = c->width;
	i->heads = c->heads;
	i->kv_heads = c->kv_heads;
	i->head_dim = c->head_dim;
	i->max_positions = c->max_positions;
	memcpy(i->eos, c->eos, sizeof i->eos);
	i->neos = c->neos;
	i->bos = c->bos;
	i->params_total = i->params_active = params;
	i->weights_bytes = m->files ? safetensors_bytes(m->files) : 0;
	for (int k = 0; k < c->layers; k++) {
		const struct block *b = &m->block[k];
		count_linear(i, &b->qkv);
		count_linear(i, &b->out);
		count_linear(i, &b->up);
		count_linear(i, &b->down);
	}
	i->head_flops = 2.0 * m->head.n * m->head.k;
	i->linear_bytes += m->head.bytes;
	i->kv_page_bytes = (size_t)c->layers * 2 * (size_t)c->kv_heads * (size_t)c->head_dim * KV_PAGE * sizeof(float);
}

static int load(struct binder *b, struct err *e)
{
	struct model *m = b->m;
	const struct config *c = b->c;

	if (!b->random)
		find_prefix(b);
	if (load_table(b, &m->embed, &m->embed_copy, R_EMBED, c->vocab, "vocab_size, hidden_size", e) != 0)
		return -1;
	if (b->f->position == POSITION_LEARNED &&
	    load_table(b, &m->positions, &m->positions_copy, R_POSITIONS, c->max_positions + b->f->position_offset,
		       "max_position_embeddings, hidden_size", e) != 0)
		return -1;
	m->block = xcalloc((size_t)c->layers, sizeof *m->block);
	for (int i = 0; i < c->layers; i++)
		if (load_block(b, &m->block[i], i, e) != 0)
			return -1;
	if (load_norm(b, &m->final_norm, R_FINAL_NORM, 0, c->width, "hidden_size", e) != 0 || load_head(b, e) != 0)
		return -1;
	fill_info(m, b->params);
	if (!b->random) {
		report_rest(b);
		make_digest(m);
		safetensors_drop(m->files);
	}
	return m->ops->sync(m->dev, e);
}

int model_open(struct model **out, const char *dir, struct device *dev, struct err *e)
{
	struct model *m = xcalloc(1, sizeof *m);
	struct binder b = { .m = m, .c = &m->cfg };
	int rc = -1;

	*out = NULL;
	m->dev = dev;
	m->ops = device_ops(dev);
	if (config_load(&m->cfg, dir, e) == 0 && safetensors_open(&m->files, dir, e) == 0) {
		b.f = m->cfg.family;
		b.used = xcalloc(safetensors_count(m->files) + 1, 1);
		rc = load(&b, e);
	}
	free(b.used);
	free(b.stage);
	if (rc != 0) {
		model_close(m);
		return -1;
	}
	*out = m;
	return 0;
}

int model_random(struct model **out, const struct config *c, enum dtype dt, struct device *dev, struct err *e)
{
	struct model *m = xcalloc(1, sizeof *m);
	struct binder b = { .m = m, .c = &m->cfg, .f = c->family, .random = true, .dt = dt };

	*out = NULL;
	m->dev = dev;
	m->ops = device_ops(dev);
	m->cfg = *c;
	arena_init(&b.invented);
	int rc = load(&b, e);
	arena_fini(&b.invented);
	if (rc != 0) {
		model_close(m);
		return -1;
	}
	*out = m;
	return 0;
}

static void free_norm(struct model *m, struct norm *n)
{
	if (n->w)
		m->ops->release(m->dev, n->w);
	if (n->b)
		m->ops->release(m->dev, n->b);
}

static void free_linear(struct model *m, struct linear *w)
{
	if (w->panels)
		m->ops->linear_free(m->dev, w);
}

void model_close(struct model *m)
{
	if (!m)
		return;
	for (int i = 0; m->block && i < m->cfg.layers; i++) {
		struct block *k = &m->block[i];
		struct norm *norms[] = { &k->norm1, &k->norm2, &k->post1, &k->post2, &k->q_norm, &k->k_norm };
		for (size_t j = 0; j < sizeof norms / sizeof norms[0]; j++)
			free_norm(m, norms[j]);
		free_linear(m, &k->qkv);
		free_linear(m, &k->out);
		free_linear(m, &k->up);
		free_linear(m, &k->down);
	}
	free(m->block);
	free_norm(m, &m->final_norm);
	free_linear(m, &m->head);
	if (m->embed_copy)
		m->ops->release(m->dev, m->embed_copy);
	if (m->positions_copy)
		m->ops->release(m->dev, m->positions_copy);
	safetensors_close(m->files);
	free(m);
}

const struct model_info *model_info(const struct model *m)
{
	return &m->info;
}

struct device *model_device(const struct model *m)
{
	return m->dev;
}

/* ---- KV pages ---- */

int cache_open(struct cache *c, const struct model *m, int pages, struct err *e)
{
	const struct config *g = &m->cfg;
	size_t bytes;

	*c = (struct cache){ .pages = pages };
	if (pages < 1 || size_mul((size_t)pages, (size_t)g->kv_heads * (size_t)g->head_dim * KV_PAGE * sizeof(float), &bytes) != 0)
		return err_set(e, E_RANGE, "a KV cache of %d pages cannot be", pages);
	c->layer = xcalloc((size_t)g->layers, sizeof *c->layer);
	for (int i = 0; i < g->layers; i++) {
		struct kv *k = &c->layer[i];
		*k = (struct kv){ .hk = g->kv_heads, .d = g->head_dim, .dv = g->head_dim, .pages = pages };
		if (!(k->k = m->ops->alloc(m->dev, bytes, e)) || !(k->v = m->ops->alloc(m->dev, bytes, e))) {
			cache_close(c, m);
			return err_wrap(e, "KV cache of %d pages (%zu bytes in %d layers)", pages, 2 * bytes, g->layers);
		}
	}
	return 0;
}

void cache_close(struct cache *c, const struct model *m)
{
	for (int i = 0; c->layer && i < m->cfg.layers; i++) {
		if (c->layer[i].k)
			m->ops->release(m->dev, c->layer[i].k);
		if (c->layer[i].v)
			m->ops->release(m->dev, c->layer[i].v);
	}
	free(c->layer);
	*c = (struct cache){ 0 };
}
