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
#include "runners/model_digest.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/arena.h"
#include "kernels/base/log.h"

#define WARN_TENSORS 8 /* unknown tensors named one by one */

static int embed_width(const struct config *c)
{
	return c->embed_width ? c->embed_width : c->width;
}

/* The head is a tensor of its own, or the embedding once more. */
static int load_head(struct binder *b, struct err *e)
{
	const struct config *c = b->c;
	const struct role_name *head = bind_role(b, R_HEAD, 0);
	int width = embed_width(c);
	const struct tensor *table = b->embed, *own = head && !b->random ? bind_find(b, head->name, 0, ".weight") : NULL;
	bool apart = own || (b->random && head && !c->tied);
	struct piece p = { .w = table, .rows = c->vocab, .every = 1, .row_step = width, .col_step = 1 };

	if (own && c->tied && own->bytes == table->bytes && (b->plan || memcmp(own->data, table->data, own->bytes) == 0)) {
		b->params -= (double)own->count; /* written twice, one parameter */
		apart = false;
	} else if (own && c->tied && c->tied_given) {
		return err_set(e, E_FORMAT, "%s: tensor '%s' differs from the embedding, but %s has 'tie_word_embeddings' true",
			       bind_file(b, own), own->name.p, c->path);
	} else if (!apart && head && !c->tied && c->tied_given) {
		return bind_missing(b, head->name, 0, ".weight", ", but config.json has 'tie_word_embeddings' false", e);
	}
	if (apart ? bind_piece(b, &p, R_HEAD, 0, c->vocab, width, "vocab_size, hidden_size", e) != 0 :
		    head && bind_bias(b, &p, head, 0, "vocab_size", e) != 0)
		return -1;
	p.unit = c->head_normed;
	return bind_linear_of(b, &b->m->head, c->vocab, width, &p, 1, e);
}

/* How names begin in this checkpoint: as the row has them, without the family's prefix (the bare model), or inside a model of several
 * kinds of input. */
static void find_layout(struct binder *b)
{
	static const char *const begins[] = { "", "language_model.", "model.language_model.", "model.language_model.model.", "thinker.model." };
	size_t prefix = b->f->prefix ? strlen(b->f->prefix) : 0;
	char buf[256];

	for (size_t i = 0; i < 2 * sizeof begins / sizeof begins[0]; i++) {
		b->begin = begins[i / 2];
		b->strip = i % 2 ? prefix : 0;
		const struct role_name *r = bind_role(b, R_EMBED, 0);
		if (safetensors_find(b->m->files, bind_name(b, r->name, 0, ".weight", buf, sizeof buf)))
			return;
	}
	b->begin = "";
	b->strip = 0;
}

/* Parts of models of several kinds of input that text does not use. */
static const char *const towers[] = {
	"vision_tower.*", "vision_model.*", "visual.*", "multi_modal_projector.*", "audio_tower.*", "embed_vision.*", "embed_audio.*",
	"model.vision_tower.*", "model.vision_model.*", "model.visual.*", "model.multi_modal_projector.*", "model.audio_tower.*",
	"model.embed_vision.*", "model.embed_audio.*", "model.vision_embed_tokens.*", "image_newline", "model.image_newline", "mtp.*", "talker.*", "token2wav.*",
};

/* A tensor's name without what this checkpoint's layout has in front, and what the row calls it without what the layout lacks. False: it
 * begins otherwise. */
static bool bare(const struct binder *b, struct str *name, const char **row)
{
	size_t n = strlen(b->begin);
	if (!str_starts(*name, str_of(b->begin)))
		return false;
	name->p += n;
	name->n -= n;
	if (b->strip && !strncmp(*row, b->f->prefix, b->strip))
		*row += b->strip;
	return true;
}

static bool is_junk(const struct binder *b, const char *pattern, struct str name)
{
	return family_match(pattern, name) || (bare(b, &name, &pattern) && family_match(pattern, name));
}

/* Is it of a layer behind the last one, where the family has such? */
static bool is_beyond(const struct binder *b, struct str name)
{
	const char *start = b->f->beyond;
	int64_t layer = 0;
	if (!start || !bare(b, &name, &start) || !str_starts(name, str_of(start)))
		return false;
	size_t from = strlen(start), i = from;
	for (; i < name.n && name.p[i] >= '0' && name.p[i] <= '9' && i < from + 9; i++)
		layer = 10 * layer + (name.p[i] - '0');
	return i > from && i < name.n && name.p[i] == '.' && layer >= b->c->layers;
}

/* Tensors that nothing asked for. */
static void report_rest(struct binder *b)
{
	static const char *const scales[] = { ".input_scale", ".input_scale_inv", ".k_scale", ".v_scale", NULL }; /* of activations */
	struct model_info *info = &b->m->info;
	char shape[160];

	for (size_t i = 0; i < safetensors_count(b->m->files); i++) {
		const struct tensor *t = safetensors_at(b->m->files, i);
		bool known = is_beyond(b, t->name);
		if (b->used[i])
			continue;
		for (const char *const *j = b->c->quant.method ? scales : NULL; j && *j && !known; j++)
			known = str_ends(t->name, str_of(*j));
		for (const char *const *j = b->f->junk; j && *j && !known; j++)
			known = is_junk(b, *j, t->name);
		for (size_t j = 0; *b->begin && j < sizeof towers / sizeof towers[0] && !known; j++)
			known = family_match(towers[j], t->name);
		if (known) {
			info->skipped++;
			continue;
		}
		if (info->unknown++ == 0)
			snprintf(info->first_unknown, sizeof info->first_unknown, "%s", t->name.p);
		if (info->unknown <= WARN_TENSORS && b->plan) /* once */
			log_warn("%s: tensor '%.200s' %s is not known to the family %s and not used", bind_file(b, t), t->name.p,
				 tensor_shape_text(t, shape, sizeof shape), b->f->name);
	}
	if (info->unknown > WARN_TENSORS && b->plan)
		log_warn("%s: %d more tensors are not used", safetensors_path(b->m->files, 0), info->unknown - WARN_TENSORS);
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
	i->rope_switch = c->rope_switch;
	i->table_bytes = (size_t)m->embed.v * (size_t)m->embed.d * dtype_size(m->embed.dt) +
			 (size_t)m->positions.v * (size_t)m->positions.d * dtype_size(m->positions.dt);
	i->weights_bytes = m->files ? safetensors_bytes(m->files) : 0;
	i->head_flops = 2.0 * m->head.n * m->head.k;
	for (int k = 0; k < c->layers; k++) {
		struct kv kv;
		size_t conv, main;
		if (layer_state(c, k, &conv, &main))
			i->state_bytes += (conv + main) * sizeof(float);
		if (layer_kv(c, k, &kv))
			i->kv_page_bytes += (size_t)kv.hk * (size_t)(kv.d + kv.dv) * KV_PAGE * sizeof(float);
		if (c->mixer[k] == MIX_ATTENTION || c->mixer[k] == MIX_BOTH || c->mixer[k] == MIX_MLA)
			i->key_flops += 2.0 * c->heads * (kv.d + kv.dv);
	}
}

static int load_block(struct binder *b, struct block *k, int i, struct err *e)
{
	const struct config *c = b->c;
	int at = c->halves ? i / 2 : i; /* the layer's number in names */

	b->expert = i % 2; /* which half; of those that have halves */
	bool mixes = c->mixer[i] != MIX_NONE, feeds = c->ff[i] != FF_NONE;
	if ((mixes && bind_norm(b, &k->norm1, R_NORM1, at, c->width, "hidden_size", e) != 0) ||
	    (feeds && !c->no_norm2 && bind_norm(b, &k->norm2, R_NORM2, at, c->width, "hidden_size", e) != 0) ||
	    (mixes && bind_norm(b, &k->post1, R_POST1, at, c->width, "hidden_size", e) != 0) ||
	    (feeds && bind_norm(b, &k->post2, R_POST2, at, c->width, "hidden_size", e) != 0))
		return -1;
	bool attends = c->mixer[i] == MIX_ATTENTION || c->mixer[i] == MIX_BOTH;
	if ((attends && bind_attention(b, k, i, e) != 0) || bind_recurrent(b, k, i, e) != 0)
		return -1;
	if (bind_layer_input(b, k, i, e) != 0)
		return -1;
	if (c->mixer[i] == MIX_MLA && bind_mla(b, k, at, e) != 0)
		return -1;
	int inner = c->inner * (c->wide_inner && c->kv_back[i] ? 2 : 1);
	if ((layer_dense(c, i) && bind_mlp(b, k, at, inner, e) != 0) || (layer_experts(c, i) && bind_moe(b, k, at, e) != 0))
		return -1;
	return c->ff[i] == FF_BESIDE ? bind_beside(b, k, at, e) : 0;
}

static int load(struct binder *b, struct err *e)
{
	struct model *m = b->m;
	const struct config *c = b->c;

	b->active = 1;
	b->begin = "";
	if (!b->random)
		find_layout(b);
	if (bind_table(b, &m->embed, R_EMBED, c->vocab, embed_width(c), "vocab_size, hidden_size", e) != 0)
		return -1;
	if (c->embed_width && (bind_linear(b, &m->project_in, R_PROJECT_IN, 0, c->width, c->embed_width, "hidden_size, word_embed_proj_dim", e) != 0 ||
			       bind_linear(b, &m->project_out, R_PROJECT_OUT, 0, c->embed_width, c->width, "word_embed_proj_dim, hidden_size", e) != 0))
		return -1;
	if (c->position == POSITION_LEARNED &&
	    bind_table(b, &m->positions, R_POSITIONS, c->max_positions + b->f->position_offset, c->width,
		       "max_position_embeddings, hidden_size", e) != 0)
		return -1;
	if (bind_norm(b, &m->embed_norm, R_EMBED_NORM, 0, c->width, "hidden_size", e) != 0)
		return -1;
	if (bind_given(b, e) != 0)
		return -1;
	m->block = xcalloc((size_t)c->layers, sizeof *m->block);
	for (int i = 0; i < c->layers; i++)
		if (load_block(b, &m->block[i], i, e) != 0)
			return -1;
	if (bind_slopes(b, e) != 0)
		return -1;
	if (!c->no_final_norm && bind_norm(b, &m->final_norm, R_FINAL_NORM, 0, c->width, "hidden_size", e) != 0)
		return -1;
	double flops = m->info.row_flops;
	if (load_head(b, e) != 0)
		return -1;
	m->info.row_flops = flops; /* the head's are counted apart */
	fill_info(m, b);
	if (!b->random)
		report_rest(b);
	return m->ops->sync(m->dev, e);
}

static int bind_all(struct model *m, bool plan, struct err *e)
{
	struct binder b = { .m = m, .c = &m->cfg, .f = m->cfg.family, .plan = plan };
	struct ops count;

	if (plan)
		bind_plan(&count, m->dev);
	m->ops = plan ? &count : device_ops(m->dev);
	b.used = xcalloc(safetensors_count(m->files) + 1, 1);
	struct model_digest *digest = plan ? NULL : model_digest_start(m->files, device_threads(m->dev) > 1);
	int rc = load(&b, e);
	if (digest)
		model_digest_end(digest, m->cfg.digest, rc == 0 ? m->info.digest : NULL);
	if (digest && rc == 0)
		safetensors_drop(m->files);
	free(b.used);
	free(b.stage);
	m->ops = device_ops(m->dev);
	if (plan)
		m->nowned = m->nlinears = 0;
	return rc;
}

int model_plan(struct model **out, const char *dir, struct device *dev, struct err *e)
{
	struct model *m = xcalloc(1, sizeof *m);

	*out = NULL;
	m->dev = dev;
	m->ops = device_ops(dev);
	arena_init(&m->arena);
	if (config_load(&m->cfg, dir, e) != 0 || safetensors_open(&m->files, dir, e) != 0 || bind_all(m, true, e) != 0) {
		model_close(m);
		return -1;
	}
	*out = m;
	return 0;
}

int model_read(struct model *m, struct err *e)
{
	struct model *planned = xmalloc(sizeof *planned);

	*planned = *m;
	*m = (struct model){ .dev = planned->dev, .files = planned->files };
	m->cfg = planned->cfg;
	planned->files = NULL;
	model_close(planned);
	arena_init(&m->arena);
	return bind_all(m, false, e);
}

int model_open(struct model **out, const char *dir, struct device *dev, struct err *e)
{
	if (model_plan(out, dir, dev, e) != 0)
		return -1;
	if (model_read(*out, e) == 0)
		return 0;
	model_close(*out);
	*out = NULL;
	return -1;
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
