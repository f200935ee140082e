/* config_quant.c - quantization_config: how weights are stored that take fewer than 16 bits.
 *
 * Three ways are known: fp8 and fbgemm_fp8 (e4m3 with scales per block, output or tensor), compressed-tensors where all of its
 * groups are such weights, and mxfp4. Lists of modules that were left alone need no reading, since each tensor states its own
 * dtype. What is said about activations (activation_scheme, input_activations) is not applied: they stay fp32, as in the
 * reference. Every other method is an error that names it.
 */
#include "runners/config_int.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(struct value d, const char *key)
{
	const struct value *v = d.type == V_DICT ? v_getc(d, key) : NULL;
	return v && v->type == V_STR ? v->s.p : "";
}

static int read_blocks(struct config *c, const struct source *s, const struct value *v, const char *key, struct err *e)
{
	int *out[2] = { &c->quant.block_rows, &c->quant.block_cols };
	if (!v || v->type == V_NONE)
		return 0;
	if (v->type != V_LIST || v->list->n != 2)
		return err_set(e, E_FORMAT, "%s: 'quantization_config.%s' is no list of two sizes", s->path, key);
	for (int i = 0; i < 2; i++) {
		struct value size = v->list->v[i];
		if (size.type != V_INT || size.i < 1 || size.i > 1 << 20)
			return err_set(e, E_RANGE, "%s: 'quantization_config.%s': sizes of blocks are 1 to %d", s->path, key, 1 << 20);
		*out[i] = (int)size.i;
	}
	return 0;
}

static int read_fp8(struct config *c, const struct source *s, struct value q, struct err *e)
{
	const char *fmt = text_of(q, "fmt"), *experts = text_of(q, "expert_dtype");
	if (*fmt && strcmp(fmt, "e4m3") != 0)
		return err_set(e, E_UNSUPPORTED, "%s: 'quantization_config.fmt': '%.40s' is not known (known: e4m3)", s->path, fmt);
	if (*experts && strcmp(experts, "fp8") != 0)
		return err_set(e, E_UNSUPPORTED, "%s: 'quantization_config.expert_dtype': '%.40s' is not known (known: fp8)", s->path, experts);
	c->quant.block_rows = c->quant.block_cols = 128;
	return read_blocks(c, s, v_getc(q, "weight_block_size"), "weight_block_size", e);
}

static int read_group(struct config *c, const struct source *s, const char *name, struct value group, struct err *e)
{
	const struct value *w = group.type == V_DICT ? v_getc(group, "weights") : NULL;
	const struct value *bits = w && w->type == V_DICT ? v_getc(*w, "num_bits") : NULL;
	const struct value *symmetric = bits ? v_getc(*w, "symmetric") : NULL;
	const char *type = w ? text_of(*w, "type") : "", *strategy = w ? text_of(*w, "strategy") : "";

	if (!bits || bits->type != V_INT || bits->i != 8 || strcmp(type, "float") != 0)
		return err_set(e, E_UNSUPPORTED, "%s: 'quantization_config.config_groups.%.40s': weights of %lld bits of type '%.20s' are not known "
			       "(known: 8 bits, float)", s->path, name, bits && bits->type == V_INT ? (long long)bits->i : 0, type);
	if (symmetric && symmetric->type == V_BOOL && !symmetric->b)
		return err_set(e, E_UNSUPPORTED, "%s: 'quantization_config.config_groups.%.40s': weights that are not symmetric are not known",
			       s->path, name);
	if (strcmp(strategy, "tensor") && strcmp(strategy, "channel") && strcmp(strategy, "block"))
		return err_set(e, E_UNSUPPORTED, "%s: 'quantization_config.config_groups.%.40s': strategy '%.40s' is not known (known: tensor, channel, "
			       "block)", s->path, name, strategy);
	int rows = c->quant.block_rows, cols = c->quant.block_cols;
	if (read_blocks(c, s, v_getc(*w, "block_structure"), "config_groups.weights.block_structure", e) != 0)
		return -1;
	if (rows && (rows != c->quant.block_rows || cols != c->quant.block_cols))
		return err_set(e, E_UNSUPPORTED, "%s: 'quantization_config.config_groups' have blocks of different sizes", s->path);
	return 0;
}

static int read_compressed(struct config *c, const struct source *s, struct value q, struct err *e)
{
	const struct value *groups = v_getc(q, "config_groups"), *sparse = v_getc(q, "sparsity_config");
	const char *format = text_of(q, "format"), *sparsity = sparse ? text_of(*sparse, "format") : "";

	if (strcmp(format, "float-quantized") != 0)
		return err_set(e, E_UNSUPPORTED, "%s: 'quantization_config.format': weights compressed as '%.40s' are not known (known: "
			       "float-quantized)", s->path, format);
	if (*sparsity && strcmp(sparsity, "dense") != 0)
		return err_set(e, E_UNSUPPORTED, "%s: 'quantization_config.sparsity_config.format': '%.40s' is not known (known: dense)", s->path,
			       sparsity);
	if (!groups || groups->type != V_DICT || !groups->dict->n)
		return err_set(e, E_FORMAT, "%s: 'quantization_config.config_groups' is missing", s->path);
	for (size_t i = 0; i < groups->dict->n; i++)
		if (read_group(c, s, groups->dict->v[i].key.s.p, groups->dict->v[i].val, e) != 0)
			return -1;
	return 0;
}

static const struct {
	const char *name;
	enum quant method;
	int (*read)(struct config *c, const struct source *s, struct value q, struct err *e);
} methods[] = {
	{ "fp8", QUANT_FP8, read_fp8 },
	{ "fbgemm_fp8", QUANT_FP8, read_fp8 },
	{ "compressed-tensors", QUANT_FP8, read_compressed },
	{ "mxfp4", QUANT_MXFP4, NULL },
};

int config_quant(struct config *c, const struct source *s, struct err *e)
{
	const struct value *q = config_look(s, "quantization_config");
	if (!q)
		q = config_look(s, "compression_config");
	if (!q)
		return 0;
	const char *name = text_of(*q, "quant_method");
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (!strcmp(methods[i].name, name)) {
			c->quant.method = methods[i].method;
			return methods[i].read ? methods[i].read(c, s, *q, e) : 0;
		}
	return err_set(e, E_UNSUPPORTED, "%s: 'quantization_config': weights quantised by '%.60s' are not known (known: fp8, fbgemm_fp8, "
		       "compressed-tensors, mxfp4)", s->path, *name ? name : "?");
}
