/* model.c - opens a checkpoint: every layer's parts are bound to their tensors (bind_*.c) and packed onto the device.
 *
 * Checkpoints carry things that are not used (mask buffers, rotary tables, layers for multi-token prediction): those that the
 * family knows are counted, others are named in a warning. What the configuration and the tensors say differently is an
 * error that names both.
 *
 * Random weights (model_random) go the same way: each tensor that would be looked up is invented in the shape asked for, and
 * each place that would copy values lets the device make some.
 *
 * The embedding table stays in the mapped file. Everything else is copied once; the file's pages may go afterwards.
 */
#include "runners/bind.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/arena.h"
#include "kernels/base/log.h"

#define WARN_TENSORS 8 /* unknown tensors named one by one */

/* The head is a tensor of its own, or the embedding once more. */
static int load_head(struct binder *b, struct err *e)
{
	const struct role_name *head = family_role(b->f, R_HEAD);
	const struct config *c = b->c;
	const struct tensor *table = b->embed, *own = head && !b->random ? bind_find(b, head->name, 0, ".weight") : NULL;

	if (b->random && head && !c->tied)
		return bind_linear(b, &b->m->head, R_HEAD, 0, c->vocab, c->width, "", e);

	if (own && c->tied && own->bytes == table->bytes && memcmp(own->data, table->data, own->bytes) == 0) {
		b->params -= (double)own->count; /* written twice, one parameter */
		own = NULL;
	} else if (own && c->tied && c->tied_given) {
		return err_set(e, E_FORMAT, "%s: tensor '%s' differs from the embedding, but %s has 'tie_word_embeddings' true",
			       bind_file(b, own), own->name.p, c->path);
	} else if (!own && head && !c->tied && c->tied_given) {
		return bind_missing(b, head->name, 0, ".weight", ", but config.json has 'tie_word_embeddings' false", e);
	}
	if (own)
		return bind_linear(b, &b->m->head, R_HEAD, 0, c->vocab, c->width, "vocab_size, hidden_size", e);
	struct piece p = { .w = table, .rows = c->vocab, .every = 1, .row_step = c->width, .col_step = 1 };
	return bind_linear_of(b, &b->m->head, c->vocab, c->width, &p, 1, e);
}

/* Checkpoints of the bare model lack the first part of every name. */
static void find_prefix(struct binder *b)
{
	const char *name = family_role(b->f, R_EMBED)->name;
	char buf[256];

	if (!b->f->prefix || safetensors_find(b->m->files, bind_name(b, name, 0, ".weight", buf, sizeof buf)))
		return;
	b->strip = strlen(b->f->prefix);
	if (!safetensors_find(b->m->files, bind_name(b, name, 0, ".weight", buf, sizeof buf)))
		b->strip = 0;
}

/* Tensors that nothing asked for. */
static void report_rest(struct binder *b)
{
	static const char *const scales[] = { ".input_scale", ".input_scale_inv", ".k_scale", ".v_scale", NULL }; /* of activations */
	int unknown = 0;
	char shape[160];

	for (size_t i = 0; i < safetensors_count(b->m->files); i++) {
		const struct tensor *t = safetensors_at(b->m->files, i);
		bool known = false;
		if (b->used[i])
			continue;
		for (const char *const *j = b->c->quant.method ? scales : NULL; j && *j && !known; j++)
			known = str_ends(t->name, str_of(*j));
		for (const char *const *j = b->f->junk; j && *j && !known; j++)
			known = family_match(*j, t->name) ||
				(b->strip && !strncmp(*j, b->f->prefix, b->strip) && family_match(*j + b->strip, t->name));
		if (known)
			b->m->info.skipped++;
		else if (++unknown <= WARN_TENSORS)
			log_warn("%s: tensor '%.200s' %s is not known to the family %s and not used", bind_file(b, t), t->name.p,
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

static void fill_info(struct model *m, const struct binder *b)
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
	i->params_total = b->params;
	i->params_active = b->params_active;
	i->weights_bytes = m->files ? safetensors_bytes(m->files) : 0;
	i->head_flops = 2.0 * m->head.n * m->head.k;
	for (int k = 0; k < c->layers; k++) {
		struct kv kv;
		if (layer_kv(c, k, &kv))
			i->kv_page_bytes += (size_t)kv.hk * (size_t)(kv.d + kv.dv) * KV_PAGE * sizeof(float);
	}
}

static int load_block(struct binder *b, struct block *k, int i, struct err *e)
{
	const struct config *c = b->c;

	k->inner = c->inner;
	if (bind_norm(b, &k->norm1, R_NORM1, i, c->width, "hidden_size", e) != 0 ||
	    bind_norm(b, &k->norm2, R_NORM2, i, c->width, "hidden_size", e) != 0 ||
	    bind_norm(b, &k->post1, R_POST1, i, c->width, "hidden_size", e) != 0 ||
	    bind_norm(b, &k->post2, R_POST2, i, c->width, "hidden_size", e) != 0)
		return -1;
	if (c->mixer[i] == MIX_ATTENTION && bind_attention(b, k, i, e) != 0)
		return -1;
	return c->ff[i] == FF_DENSE ? bind_mlp(b, k, i, e) : 0;
}

static int load(struct binder *b, struct err *e)
{
	struct model *m = b->m;
	const struct config *c = b->c;

	b->active = 1;
	if (!b->random)
		find_prefix(b);
	if (bind_table(b, &m->embed, R_EMBED, c->vocab, c->width, "vocab_size, hidden_size", e) != 0)
		return -1;
	if (c->position == POSITION_LEARNED &&
	    bind_table(b, &m->positions, R_POSITIONS, c->max_positions + b->f->position_offset, c->width,
		       "max_position_embeddings, hidden_size", e) != 0)
		return -1;
	if (bind_norm(b, &m->embed_norm, R_EMBED_NORM, 0, c->width, "hidden_size", e) != 0)
		return -1;
	m->block = xcalloc((size_t)c->layers, sizeof *m->block);
	for (int i = 0; i < c->layers; i++)
		if (load_block(b, &m->block[i], i, e) != 0)
			return -1;
	if (bind_norm(b, &m->final_norm, R_FINAL_NORM, 0, c->width, "hidden_size", e) != 0)
		return -1;
	double flops = m->info.row_flops;
	if (load_head(b, e) != 0)
		return -1;
	m->info.row_flops = flops; /* the head's are counted apart */
	fill_info(m, b);
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
	arena_init(&m->arena);
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
	arena_init(&m->arena);
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

void model_close(struct model *m)
{
	if (!m)
		return;
	for (int i = 0; i < m->nlinears; i++)
		if (m->linears[i]->panels)
			m->ops->linear_free(m->dev, m->linears[i]);
	for (int i = 0; i < m->nowned; i++)
		m->ops->release(m->dev, m->owned[i]);
	free(m->linears);
	free(m->owned);
	free(m->block);
	arena_fini(&m->arena);
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

/* What layer i keeps of each position. False: nothing. */
bool layer_kv(const struct config *c, int i, struct kv *out)
{
	(void)i;
	*out = (struct kv){ .hk = c->kv_heads, .d = c->head_dim, .dv = c->head_dim };
	return true;
}

static int open_kv(struct kv *k, const struct model *m, struct err *e)
{
	size_t key, value;
	if (size_mul((size_t)k->pages, (size_t)k->hk * (size_t)k->d * KV_PAGE * sizeof(float), &key) != 0 ||
	    size_mul((size_t)k->pages, (size_t)k->hk * (size_t)k->dv * KV_PAGE * sizeof(float), &value) != 0)
		return err_set(e, E_RANGE, "a KV cache of %d pages cannot be", k->pages);
	return (k->k = m->ops->alloc(m->dev, key, e)) && (k->v = m->ops->alloc(m->dev, value, e)) ? 0 : -1;
}

int cache_open(struct cache *c, const struct model *m, int pages, int states, struct err *e)
{
	*c = (struct cache){ .pages = pages, .states = m->info.state_bytes ? states : 0 };
	if (m->info.state_bytes && states < 1)
		return err_set(e, E_RANGE, "%d states of a sequence cannot be", states);
	if (pages < 1)
		return err_set(e, E_RANGE, "a KV cache of %d pages cannot be", pages);
	c->layer = xcalloc((size_t)m->cfg.layers, sizeof *c->layer);
	for (int i = 0; i < m->cfg.layers; i++) {
		struct kv *k = &c->layer[i];
		if (!layer_kv(&m->cfg, i, k))
			continue;
		k->pages = pages;
		if (open_kv(k, m, e) != 0) {
			cache_close(c, m);
			return err_wrap(e, "KV cache of %d pages (%zu bytes a page)", pages, m->info.kv_page_bytes);
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
