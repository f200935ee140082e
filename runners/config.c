/* config.c - config.json by table.
 *
 * Every key that the program reads is a row: its names (the first that the file has counts), type, range, place in the
 * struct, default. A family's row may change a default. A null says that there is none, where a key can say so in another way
 * too (0, false), and counts as absent elsewhere. Keys inside "text_config" go before keys outside. What config.json says and
 * this program would not honour (quantised weights, a rotary scaling or an activation that is not known) is an error that names
 * it and what is known; keys that no row names are left alone.
 *
 * Transformers 5 writes rope_parameters in place of rope_theta and rope_scaling: both are read.
 */
#include "runners/config_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runners/text/json.h"

#define CONFIG_MAX_BYTES (16u << 20)

static const struct key keys[] = {
	{ { "vocab_size" }, K_INT, CONFIG_AT(vocab), NEEDED, 1, 1 << 24 },
	{ { "hidden_size", "n_embd", "d_model", "n_embed" }, K_INT, CONFIG_AT(width), NEEDED, 1, 1 << 18 },
	{ { "num_hidden_layers", "n_layer", "num_layers", "n_layers" }, K_INT, CONFIG_AT(layers), 0, 1, CONFIG_MAX_LAYERS },
	{ { "num_attention_heads", "n_head", "n_heads", "num_heads" }, K_INT, CONFIG_AT(heads), NEEDED, 1, 4096 },
	{ { "num_key_value_heads", "num_kv_heads", "multi_query_group_num", "attn_config.kv_n_heads" }, K_INT, CONFIG_AT(kv_heads), 0, 1, 4096 },
	{ { "head_dim", "kv_channels" }, K_INT, CONFIG_AT(head_dim), 0, 1, 1024 },
	{ { "block_ff_dim", "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "ffn_config.ffn_hidden_size" }, K_INT, CONFIG_AT(inner), 0, 1, 1 << 20 },
	{ { "n_positions", "max_position_embeddings", "n_ctx", "max_seq_len", "seq_length" }, K_INT, CONFIG_AT(max_positions), 0, 1, 1 << 30 },
	{ { "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon", "layernorm_epsilon" }, K_NUM, CONFIG_AT(norm_eps), 1e-5, 0, 1 },
	{ { "rope_theta", "rotary_emb_base", "attn_config.rope_theta" }, K_NUM, CONFIG_AT(rope[0].theta), 10000, 2, 1e15 },
	{ { "partial_rotary_factor", "rotary_pct", "rope_pct" }, K_NUM, CONFIG_AT(rope[0].partial), 1, 0, 1 },
	{ { "rotary_dim" }, K_INT, CONFIG_AT(rotary_dim), 0, 1, 1024 },
	{ { "attention_bias", "use_qkv_bias", "add_qkv_bias", "bias", "qkv_bias" }, K_BOOL, CONFIG_AT(attention_bias), 0, 0, 1 },
	{ { "attention_out_bias" }, K_BOOL, CONFIG_AT(out_bias), 0, 0, 1 },
	{ { "mlp_bias" }, K_BOOL, CONFIG_AT(mlp_bias), 0, 0, 1 },
	{ { "use_parallel_residual" }, K_BOOL, CONFIG_AT(parallel), 0, 0, 1 },
	{ { "use_sliding_window" }, K_BOOL, CONFIG_AT(use_window), 0, 0, 1 },
	{ { "sliding_window", "window_size" }, K_INT, CONFIG_AT(window), 0, 0, 1 << 30 },
	{ { "max_window_layers" }, K_INT, CONFIG_AT(window_from), 28, 0, 1 << 20 },
	{ { "tie_word_embeddings" }, K_BOOL, CONFIG_AT(tied), 0, 0, 1 },
};

static const struct {
	const char *name;
	enum act act;
} acts[] = {
	{ "silu", ACT_SILU },
	{ "swish", ACT_SILU },
	{ "gelu", ACT_GELU_ERF },
	{ "gelu_python", ACT_GELU_ERF },
	{ "gelu_new", ACT_GELU_TANH },
	{ "gelu_fast", ACT_GELU_TANH },
	{ "gelu_pytorch_tanh", ACT_GELU_TANH },
	{ "relu", ACT_RELU },
	{ "relu2", ACT_RELU2 },
	{ "quick_gelu", ACT_QUICK_GELU },
	{ "xielu", ACT_XIELU },
};

/* ---- looking keys up ---- */

/* A value inside d; dots lead into objects. */
static const struct value *inside(struct value d, const char *name)
{
	const char *dot = strchr(name, '.');
	char first[64];
	if (!dot)
		return v_getc(d, name);
	snprintf(first, sizeof first, "%.*s", (int)(dot - name), name);
	const struct value *v = v_getc(d, first);
	return v && v->type == V_DICT ? inside(*v, dot + 1) : NULL;
}

bool config_null(const struct source *s, const char *name)
{
	const struct value *v = inside(s->first, name);
	if (!v && s->second.type == V_DICT)
		v = inside(s->second, name);
	return v && v->type == V_NONE;
}

const struct value *config_look(const struct source *s, const char *name)
{
	const struct value *v = inside(s->first, name);
	if ((!v || v->type == V_NONE) && s->second.type == V_DICT)
		v = inside(s->second, name);
	return v && v->type != V_NONE ? v : NULL;
}

static void put_key(void *base, const struct key *k, double v)
{
	char *at = (char *)base + k->offset;
	if (k->type == K_INT || k->type == K_EACH)
		*(int *)at = (int)v;
	else if (k->type == K_BOOL)
		*(bool *)at = v != 0;
	else
		*(double *)at = v;
}

/* The item that a list repeats; NULL: there is none. */
static const struct value *repeated(const struct value *v)
{
	for (size_t i = 0; i < v->list->n; i++)
		if (v->list->v[i].type != V_INT || v->list->v[i].i != v->list->v[0].i)
			return NULL;
	return v->list->n ? &v->list->v[0] : NULL;
}

static int read_key(const struct source *s, void *base, const struct key *k, const char *name, const struct value *v, struct err *e)
{
	static const char *const wanted[] = { "an integer", "a number", "true or false", "an integer" };
	if (k->type == K_EACH && v->type == V_LIST && !(v = repeated(v)))
		return err_set(e, E_UNSUPPORTED, "%s: '%s%s' differs between layers, which is not known", s->path, s->inside, name);
	bool ok = k->type == K_BOOL ? v->type == V_BOOL : v->type == V_INT || (k->type == K_NUM && v->type == V_FLOAT);
	if (!ok)
		return err_set(e, E_FORMAT, "%s: '%s%s' is of type %s, wanted %s", s->path, s->inside, name, v_type_name(*v),
			       wanted[k->type]);
	double d = v->type == V_BOOL ? v->b : v->type == V_INT ? (double)v->i : v->f;
	if (!(d >= k->lo && d <= k->hi))
		return err_set(e, E_RANGE, "%s: '%s%s' is %.17g, allowed is %.9g to %.9g", s->path, s->inside, name, d, k->lo, k->hi);
	put_key(base, k, d);
	return 0;
}

int config_keys(const struct source *s, void *base, const struct key *table, size_t n, const struct family *f, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct key *k = &table[i];
		const struct value *v = NULL;
		int j = 0;
		for (; j < MAX_NAMES && k->names[j]; j++)
			if ((v = config_look(s, k->names[j])))
				break;
		if (v) {
			if (read_key(s, base, k, k->names[j], v, e) != 0)
				return -1;
			continue;
		}
		double def = k->def;
		bool none = false;
		for (j = 0; j < MAX_NAMES && k->names[j]; j++)
			none |= def == 0 && config_null(s, k->names[j]);
		for (int d = 0; f && !none && d < FAMILY_DEFAULTS && f->defaults[d].key; d++)
			for (j = 0; j < MAX_NAMES && k->names[j]; j++)
				if (!strcmp(f->defaults[d].key, k->names[j]))
					def = f->defaults[d].value;
		if (def == NEEDED)
			return err_set(e, E_FORMAT, "%s: '%s%s' is missing", s->path, s->inside, k->names[0]);
		put_key(base, k, def);
	}
	return 0;
}

int config_switch(bool *on, const struct source *s, const char *name, bool otherwise, struct err *e)
{
	const struct key k = { { name }, K_BOOL, 0, otherwise, 0, 1 };
	return config_keys(s, on, &k, 1, NULL, e);
}

int config_layer_list(const struct value **list, const struct config *c, const struct source *s, const char *key, struct err *e)
{
	const struct value *v = *list = config_look(s, key);
	if (v && (v->type != V_LIST || v->list->n != (size_t)c->layers))
		return err_set(e, E_FORMAT, "%s: '%s' is no list with one entry for each of the %d layers", s->path, key, c->layers);
	return 0;
}

const char *config_string(const struct source *s, const char *name, struct arena *a, struct err *e)
{
	const struct value *v = config_look(s, name);
	if (!v)
		return "";
	if (v->type != V_STR || memchr(v->s.p, 0, v->s.n)) {
		err_set(e, E_FORMAT, "%s: '%s%s' is of type %s, wanted a string", s->path, s->inside, name, v_type_name(*v));
		return NULL;
	}
	return arena_cstr(a, v->s);
}

/* ---- parts ---- */

static int find_family(struct config *c, const struct source *s, struct arena *a, struct err *e)
{
	const char *architecture = NULL, *model_type;
	const struct value *v = v_getc(s->second.type == V_DICT ? s->second : s->first, "architectures");

	if (v && v->type == V_LIST && v->list->n) {
		if (v->list->v[0].type != V_STR)
			return err_set(e, E_FORMAT, "%s: 'architectures' is no list of strings", s->path);
		architecture = arena_cstr(a, v->list->v[0].s);
	} else if (v && v->type != V_NONE && v->type != V_LIST) {
		return err_set(e, E_FORMAT, "%s: 'architectures' is no list of strings", s->path);
	}
	if (!(model_type = config_string(s, "model_type", a, e)))
		return -1;
	if (family_find(&c->family, architecture, *model_type ? model_type : NULL, e) != 0)
		return err_wrap(e, "%s", s->path);
	return 0;
}

static int read_act(struct config *c, const struct source *s, struct arena *a, struct err *e)
{
	static const char *const names[] = { "hidden_act", "activation_function", "hidden_activation", "mlp_hidden_act", "activation", "ffn_config.ffn_act_fn.name", NULL };
	const char *words[sizeof acts / sizeof acts[0] + 1], *name = "", *key = names[0];
	char known[200] = "", hint[200];
	size_t n = 0, i;

	for (i = 0; names[i] && !*name; i++)
		if (!(name = config_string(s, key = names[i], a, e)))
			return -1;
	if (!*name)
		name = c->family->act;
	for (i = 0; i < sizeof acts / sizeof acts[0]; i++) {
		if (!strcmp(acts[i].name, name)) {
			c->act = acts[i].act;
			return 0;
		}
		words[i] = acts[i].name;
		n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", acts[i].name);
	}
	words[i] = NULL;
	return err_set(e, E_UNSUPPORTED, "%s: '%s': activation '%.100s' is not known%s (known: %s)", s->path, key, name,
		       err_hint(hint, sizeof hint, name, words), known);
}

static int read_id(int32_t *out, const char *path, const char *name, struct value v, struct err *e)
{
	if (v.type != V_INT || v.i < -1 || v.i > INT32_MAX)
		return err_set(e, E_FORMAT, "%s: '%s' is no token id", path, name);
	*out = (int32_t)v.i;
	return 0;
}

/* eos_token_id: one id or a list. */
static int read_eos(struct config *c, const char *path, const struct value *v, struct err *e)
{
	c->neos = 0;
	size_t n = v->type == V_LIST ? v->list->n : 1;
	if (n > CONFIG_MAX_EOS)
		return err_set(e, E_LIMIT, "%s: 'eos_token_id' lists %zu ids, at most %d are allowed", path, n, CONFIG_MAX_EOS);
	for (size_t i = 0; i < n; i++) {
		int32_t id = -1;
		if (read_id(&id, path, "eos_token_id", v->type == V_LIST ? v->list->v[i] : *v, e) != 0)
			return -1;
		if (id >= 0)
			c->eos[c->neos++] = id;
	}
	return 0;
}

static int read_ids(struct config *c, const struct source *s, const char *dir, struct arena *a, struct err *e)
{
	const struct value *v = config_look(s, "bos_token_id");
	c->bos = -1;
	if (v && read_id(&c->bos, s->path, "bos_token_id", *v, e) != 0)
		return -1;
	if ((v = config_look(s, "eos_token_id")) && read_eos(c, s->path, v, e) != 0)
		return -1;

	char *path = arena_cstr(a, arena_printf(a, "%s/generation_config.json", dir));
	struct value g;
	if (access(path, F_OK) != 0)
		return 0;
	if (json_load(a, path, CONFIG_MAX_BYTES, &g, e) != 0)
		return -1;
	if (g.type != V_DICT)
		return err_set(e, E_FORMAT, "%s: is no JSON object", path);
	v = v_getc(g, "eos_token_id");
	return v && v->type != V_NONE ? read_eos(c, path, v, e) : 0;
}

/* What follows from several keys together. */
static int complete(struct config *c, struct err *e)
{
	const struct family *f = c->family;

	if (!c->kv_heads)
		c->kv_heads = c->heads;
	if (c->heads % c->kv_heads)
		return err_set(e, E_RANGE, "%s: 'num_attention_heads' %d is no multiple of 'num_key_value_heads' %d", c->path, c->heads,
			       c->kv_heads);
	if (!c->head_dim) {
		if (c->width % c->heads)
			return err_set(e, E_RANGE, "%s: 'hidden_size' %d is no multiple of 'num_attention_heads' %d", c->path, c->width,
				       c->heads);
		c->head_dim = c->width / c->heads;
	}
	if (c->head_dim > 1024)
		return err_set(e, E_RANGE, "%s: a head of %d channels ('hidden_size' %d over 'num_attention_heads' %d), at most 1024 are allowed",
			       c->path, c->head_dim, c->width, c->heads);
	if (!c->inner && f->inner_4x)
		c->inner = 4 * c->width;
	if (!c->inner && family_role(f, R_DOWN))
		return err_set(e, E_FORMAT, "%s: 'intermediate_size' is missing", c->path);
	if (f->parallel != PARALLEL_CONFIG)
		c->parallel = f->parallel == PARALLEL_ALWAYS;
	if (c->position == POSITION_LEARNED && !c->max_positions)
		return err_set(e, E_FORMAT, "%s: 'max_position_embeddings' is missing", c->path);
	return 0;
}

/* Keys that the family's row knows with one value only. */
static int check_only(const struct config *c, const struct source *s, struct err *e)
{
	for (int i = 0; i < 8 && c->family->only[i].key; i++) {
		const struct key_value *o = &c->family->only[i];
		const struct value *v = config_look(s, o->key);
		if (!v)
			continue;
		double d = v->type == V_BOOL ? v->b : v->type == V_INT ? (double)v->i : v->type == V_FLOAT ? v->f : -1e300;
		if (d != o->value)
			return err_set(e, E_UNSUPPORTED, v->type == V_BOOL ? "%s: '%s': the family %s is known with the value %s only"
									   : "%s: '%s': the family %s is known with the value %.0s%g only",
				       s->path, o->key, c->family->name, o->value == 0 ? "false" : "true", o->value);
	}
	return 0;
}

static int read_qk_norm(struct config *c, const struct source *s, struct err *e)
{
	const struct key_value *k = &c->family->qk_norm_key;
	bool on = true;
	if (k->key && config_switch(&on, s, k->key, k->value != 0, e) != 0)
		return -1;
	if (!on)
		c->qk_norm = QK_NONE;
	return 0;
}

/* Layers of a kind that the family has no tensors for, and what all kinds need. */
static int check_layers(const struct config *c, struct err *e)
{
	const struct family *f = c->family;
	bool xielu = c->act == ACT_XIELU && !family_role(f, R_ACT); /* it has parameters in tensors */

	for (int i = 0; i < c->layers; i++) {
		bool dense = layer_dense(c, i), sparse = layer_experts(c, i);
		if ((dense && !family_role(f, R_DOWN)) || (sparse && !family_role(f, R_ROUTER)))
			return err_set(e, E_UNSUPPORTED, "%s: layer %d has %s, which the family %s does not know", c->path, i,
				       dense ? "no experts" : "experts", f->name);
		if (dense && c->inner < 1)
			return err_set(e, E_FORMAT, "%s: 'intermediate_size' is missing", c->path);
		if (xielu && (dense || sparse) && c->moe.act != ACT_SWIGLU_CLAMPED)
			return err_set(e, E_UNSUPPORTED, "%s: activation 'xielu' is not known in the family %s", c->path, f->name);
	}
	return 0;
}

static void make_digest(struct config *c, struct arena *a, struct value root)
{
	struct digest *d = digest_new();
	struct str text = json_text(a, root, JSON_SORT | JSON_COMPACT, -1);
	digest_field(d, text.p, text.n);
	digest_u64(d, (uint64_t)c->neos);
	for (int i = 0; i < c->neos; i++)
		digest_u64(d, (uint64_t)c->eos[i]);
	digest_end(d, c->digest);
}

void config_start(struct config *c)
{
	c->position = c->family->position;
	c->qkv = c->family->qkv;
	c->rope_layout = c->family->rope;
	c->qk_norm = c->family->qk_norm;
	for (int i = 0; i < 3; i++)
		c->keep[i] = c->gain[i] = 1;
	c->gate_scale = c->down_scale = 1;
	c->embed_scale = c->branch_scale = c->logit_scale = 1;
	c->bos = -1;
}

/* Said, and said alike: where the outer object and text_config differ, which one counts is the class's secret, and the tensors decide. */
static bool tie_is_given(const struct source *s)
{
	const struct value *in = v_getc(s->first, "tie_word_embeddings"), *out = s->second.type == V_DICT ? v_getc(s->second, "tie_word_embeddings") : NULL;
	if (in && out && in->type == V_BOOL && out->type == V_BOOL && in->b != out->b)
		return false;
	return config_look(s, "tie_word_embeddings") != NULL;
}

/* Where no key says how many layers there are, a list with an entry for each does (nemotron_h). */
static int count_layers(struct config *c, const struct source *s, struct err *e)
{
	static const char *const lists[] = { "layers_block_type", "layer_types" };
	for (size_t i = 0; i < CONFIG_COUNT(lists) && !c->layers; i++) {
		const struct value *v = config_look(s, lists[i]);
		if (v && v->type == V_LIST && v->list->n <= CONFIG_MAX_LAYERS)
			c->layers = (int)v->list->n;
	}
	return c->layers ? 0 : err_set(e, E_FORMAT, "%s: 'num_hidden_layers' is missing", c->path);
}

static int load(struct config *c, const char *dir, struct arena *a, struct err *e)
{
	struct value root;
	const char *dtype;

	char *params = arena_cstr(a, arena_printf(a, "%s/params.json", dir));
	if (access(c->path, F_OK) != 0 && access(params, F_OK) == 0)
		return err_set(e, E_UNSUPPORTED, "%s: is not there, but params.json is: a checkpoint in the publisher's own layout; take the files of the "
			       "same model in Hugging Face layout (config.json, model*.safetensors)", c->path);
	if (json_load(a, c->path, CONFIG_MAX_BYTES, &root, e) != 0)
		return -1;
	if (root.type != V_DICT)
		return err_set(e, E_FORMAT, "%s: is no JSON object", c->path);
	struct source s = { c->path, "", root, VNONE };
	const struct value *text = v_getc(root, "text_config");
	if (text && text->type == V_DICT) {
		s.first = *text;
		s.second = root;
	}
	if (find_family(c, &s, a, e) != 0)
		return -1;
	config_start(c);
	if (config_quant(c, &s, e) != 0)
		return -1;
	if (config_keys(&s, c, keys, CONFIG_COUNT(keys), c->family, e) != 0 || count_layers(c, &s, e) != 0)
		return -1;
	size_t own = 0;
	while (c->family->keys && c->family->keys[own].names[0])
		own++;
	if (config_keys(&s, c, c->family->keys, own, c->family, e) != 0)
		return -1;
	c->tied_given = tie_is_given(&s);
	if (!(dtype = config_string(&s, config_look(&s, "dtype") ? "dtype" : "torch_dtype", a, e)))
		return -1;
	snprintf(c->dtype, sizeof c->dtype, "%.15s", dtype);
	if (check_only(c, &s, e) != 0 || read_qk_norm(c, &s, e) != 0 || read_act(c, &s, a, e) != 0 || config_rope(c, &s, a, e) != 0 || complete(c, e) != 0 ||
	    config_layers(c, &s, e) != 0 ||
	    (c->family->moe.present && config_moe(c, &s, e) != 0) ||
	    (c->family->derive && c->family->derive(c, &s, e) != 0) || check_layers(c, e) != 0 || config_rope_dims(c, e) != 0 || read_ids(c, &s, dir, a, e) != 0)
		return -1;
	make_digest(c, a, root);
	return 0;
}

int config_load(struct config *c, const char *dir, struct err *e)
{
	struct arena a;

	memset(c, 0, sizeof *c);
	if (snprintf(c->path, sizeof c->path, "%s/config.json", dir) >= (int)sizeof c->path)
		return err_set(e, E_USAGE, "%.100s...: the path is too long", dir);
	arena_init(&a);
	int rc = load(c, dir, &a, e);
	arena_fini(&a);
	return rc;
}
