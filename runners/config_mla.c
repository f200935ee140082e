/* config_mla.c - multi-head latent attention in config.json: ranks, widths of a head's parts, the scale of scores.
 *
 * A query head has a part without position and a rotated one; a value has a width of its own. q_lora_rank null is a statement,
 * queries come straight from the stream, while an absent one is the family's. num_key_value_heads counts for nothing, and neither
 * does head_dim, which some files give as the rotated width. Refused are ranks that make a cached key wider than 1024.
 */
#include "runners/config_int.h"

#include "kernels/base/dmath.h"
#include "runners/ropetable.h"

#define AT(field) offsetof(struct config, mla.field)
static const struct key keys[] = {
	{ { "q_lora_rank" }, K_INT, AT(q_rank), 0, 1, 1 << 16 },
	{ { "kv_lora_rank" }, K_INT, AT(kv_rank), 512, 1, 1023 },
	{ { "qk_nope_head_dim" }, K_INT, AT(nope), 128, 1, 1024 },
	{ { "qk_rope_head_dim" }, K_INT, AT(rope), 64, 2, 1022 },
	{ { "v_head_dim" }, K_INT, AT(value), 128, 1, 1024 },
	{ { "mla_scale_q_lora" }, K_BOOL, AT(scale_q), 0, 0, 1 },
	{ { "mla_scale_kv_lora" }, K_BOOL, AT(scale_kv), 0, 0, 1 },
};
#undef AT

int config_mla(struct config *c, const struct source *s, struct err *e)
{
	struct mla_config *m = &c->mla;
	const struct rope_config *r = &c->rope[0];

	if (config_keys(s, c, keys, CONFIG_COUNT(keys), c->family, e) != 0)
		return -1;
	if (m->kv_rank + m->rope > 1024)
		return err_set(e, E_RANGE, "%s: a cached key of %d channels ('kv_lora_rank' %d and 'qk_rope_head_dim' %d), at most 1024 are allowed",
			       c->path, m->kv_rank + m->rope, m->kv_rank, m->rope);
	for (int i = 0; i < c->layers; i++)
		c->mixer[i] = MIX_MLA;
	c->head_dim = m->nope + m->rope;
	c->kv_heads = c->heads;
	c->rotary_dim = m->rope;
	c->score_scale = dm_pow(c->head_dim, -0.5);
	if (r->type != ROPE_PLAIN && r->mscale_all_dim > 0) {
		double scale = ropetable_mscale(r->factor, r->mscale_all_dim);
		c->score_scale *= scale * scale;
	}
	if (m->scale_q && m->q_rank)
		c->score_scale *= dm_pow((double)c->width / m->q_rank, 0.5);
	m->kv_scale = m->scale_kv ? dm_pow((double)c->width / m->kv_rank, 0.5) : 1;
	return 0;
}
