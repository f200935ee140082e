/* shapes.c - shapes of models by name: the numbers of published config.json files, so that `assay bench` measures a forward pass of
 * a model that nobody has to fetch.
 *
 * llama-1b and llama-8b are Llama 3.2 1B and Llama 3.1 8B; the names in bench- are small models for comparisons on a
 * processor, qwen-350m in the shape of Qwen2.5 0.5B. What a shape does not say is as in a config.json that lacks the key.
 */
#include "runners/shapes.h"

#include <stdio.h>
#include <string.h>

#include "runners/families.h"
#include "runners/runner.h"

static const struct shape {
	const char *name, *text, *model_type;
	int vocab, width, inner, layers, heads, kv_heads, max_positions;
	double norm_eps, theta, factor; /* factor: of llama3's rotary scaling from 8192 positions; 0: plain */
	bool tied;
} shapes[] = {
	{ "llama-1b", "Llama 3.2 1B", "llama", 128256, 2048, 8192, 16, 32, 8, 131072, 1e-5, 5e5, 32, true },
	{ "llama-8b", "Llama 3.1 8B", "llama", 128256, 4096, 14336, 32, 32, 8, 131072, 1e-5, 5e5, 8, false },
	{ "bench-llama-125m", "a small Llama", "llama", 32000, 768, 2048, 12, 12, 4, 4096, 1e-5, 1e4, 0, false },
	{ "bench-qwen-350m", "Qwen2.5 0.5B", "qwen2", 151936, 896, 4864, 24, 14, 2, 32768, 1e-6, 1e6, 0, true },
	{ "bench-tiny", "for trying the command", "llama", 32000, 64, 176, 2, 4, 2, 4096, 1e-5, 1e4, 0, false },
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static const struct shape *find(const char *name, struct err *e)
{
	const char *words[SHAPES + 1] = { NULL };
	char hint[128], known[200] = "";
	size_t n = 0;
	for (int i = 0; i < SHAPES; i++) {
		words[i] = shapes[i].name;
		if (n < sizeof known)
			n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", shapes[i].name);
		if (strcmp(name, shapes[i].name) == 0)
			return &shapes[i];
	}
	err_set(e, E_USAGE, "unknown shape '%.100s'%s (known: %s)", name, err_hint(hint, sizeof hint, name, words), known);
	return NULL;
}

int shape_config(struct config *c, const char *name, struct err *e)
{
	const struct shape *s = find(name, e);
	memset(c, 0, sizeof *c);
	if (!s || family_find(&c->family, NULL, s->model_type, e) != 0)
		return -1;
	config_start(c);
	c->vocab = s->vocab;
	c->width = s->width;
	c->inner = s->inner;
	c->layers = s->layers;
	c->heads = s->heads;
	c->kv_heads = s->kv_heads;
	c->head_dim = s->width / s->heads;
	c->max_positions = s->max_positions;
	c->act = ACT_SILU;
	c->norm_eps = s->norm_eps;
	c->rope[0] = (struct rope_config){ .dims = c->head_dim, .type = s->factor > 0 ? ROPE_LLAMA3 : ROPE_PLAIN, .theta = s->theta, .partial = 1, .factor = s->factor,
					.low_freq_factor = 1, .high_freq_factor = 4, .original_positions = 8192 };
	c->tied = c->tied_given = s->tied;
	c->bos = -1;
	return 0;
}

const struct list_row *runner_shapes(void)
{
	static struct list_row rows[SHAPES + 1];
	for (int i = 0; i < SHAPES; i++)
		rows[i] = (struct list_row){ shapes[i].name, shapes[i].text };
	return rows;
}
