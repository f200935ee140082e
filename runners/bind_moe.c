/* bind_moe.c - the tensors of a layer with experts: router, experts, shared expert.
 *
 * Each expert becomes two linear layers, gate and up in one, wherever its values lie: in tensors of its own or in one tensor of
 * all experts, rows of gate behind each other or alternating with those of up (enum expert_layout).
 */
#include "runners/bind.h"

#include <string.h>

#include "runners/bind_values.h"

#define WHY_ROUTER "experts, hidden_size"
#define WHY_EXPERT "moe_intermediate_size or intermediate_size, hidden_size"
#define WHY_ALL "experts, moe_intermediate_size or intermediate_size, hidden_size"
#define WHY_SHARED "width of the shared expert, hidden_size"

/* n outputs of k inputs of every expert in one tensor. */
struct stack {
	const char *name;
	int layer, n, k;
	bool flipped;       /* values lie [k][n] */
	bool blocks;        /* in MXFP4, never flipped */
	struct piece whole; /* of expert 0, but for blocks */
};

/* Are the values of EXPERTS_EITHER [k][n]? */
static bool lies_flipped(const struct binder *b, const char *name, int layer, int n, int k)
{
	char buf[256];
	const struct tensor *t = b->random ? NULL : safetensors_find(b->m->files, bind_name(b, name, layer, "", buf, sizeof buf));
	return t && t->rank == 3 && n != k && t->shape[1] == k && t->shape[2] == n;
}

static int find_stack(struct binder *b, struct stack *s, enum role role, int layer, int n, int k, struct err *e)
{
	const struct role_name *r = bind_role(b, role, layer);
	const struct moe_config *c = &b->c->moe;
	enum expert_layout layout = b->f->moe.layout;
	struct piece *p = &s->whole;

	*s = (struct stack){ .name = r->name, .layer = layer, .n = n, .k = k, .blocks = bind_has_blocks(b, r->name, layer),
			     .flipped = layout == EXPERTS_IN_OUT || (layout == EXPERTS_ROWS && role == R_X_DOWN) };
	if (layout == EXPERTS_EITHER)
		s->flipped = lies_flipped(b, r->name, layer, n, k);
	*p = (struct piece){ .rows = n, .every = 1, .row_step = s->flipped ? 1 : k, .col_step = s->flipped ? n : 1 };
	if (r->bias == BIAS_ALWAYS && bind_need(b, &p->bias, r->name, layer, "_bias", c->experts, n, 0, WHY_ALL, e) != 0)
		return -1;
	if (s->blocks)
		return 0;
	if (layout == EXPERTS_ROWS)
		return bind_need(b, &p->w, r->name, layer, "", (int64_t)c->experts * c->inner, b->c->width, 0, WHY_ALL, e);
	if (bind_need_weight(b, &p->w, r->name, layer, "", c->experts, s->flipped ? k : n, s->flipped ? n : k, WHY_ALL, e) != 0)
		return -1;
	return bind_scale(b, p, e);
}

/* The part of expert b->expert. */
static int take(struct binder *b, struct piece *p, const struct stack *s, struct err *e)
{
	*p = s->whole;
	if (s->blocks && bind_blocks(b, p, s->name, s->layer, b->c->moe.experts, s->n, s->k, WHY_ALL, e) != 0)
		return -1;
	p->bias = s->whole.bias;
	p->bias_base = (int64_t)b->expert * s->n;
	if (!s->blocks)
		p->base = (int64_t)b->expert * s->n * s->k;
	return 0;
}

/* Gate and up from a stack of both, or of one each. */
static int bind_pair(struct binder *b, struct linear *w, const struct stack *gate, const struct stack *up, struct err *e)
{
	int inner = b->c->moe.inner, width = b->c->width;
	struct piece part[2];

	if (take(b, &part[0], gate, e) != 0)
		return -1;
	if (!up && !b->f->moe.interleaved)
		return bind_linear_of(b, w, 2 * inner, width, part, 1, e);
	if (up) {
		if (take(b, &part[1], up, e) != 0)
			return -1;
	} else {
		part[1] = part[0];
		part[0].rows = part[1].rows = inner;
		part[0].every = part[1].every = 2;
		part[1].row0 = 1;
	}
	part[1].n0 = inner;
	return bind_linear_of(b, w, 2 * inner, width, part, 2, e);
}

static int bind_stacked(struct binder *b, struct moe_block *x, int layer, struct err *e)
{
	int inner = b->c->moe.inner, width = b->c->width;
	bool both = family_role(b->f, R_X_GATE_UP) != NULL;
	struct stack gate, up, down;
	struct piece p;

	if (find_stack(b, &gate, both ? R_X_GATE_UP : R_X_GATE, layer, both ? 2 * inner : inner, width, e) != 0 ||
	    (!both && find_stack(b, &up, R_X_UP, layer, inner, width, e) != 0) ||
	    find_stack(b, &down, R_X_DOWN, layer, width, inner, e) != 0)
		return -1;
	for (b->expert = 0; b->expert < b->c->moe.experts; b->expert++)
		if (bind_pair(b, &x->up[b->expert], &gate, both ? NULL : &up, e) != 0 || take(b, &p, &down, e) != 0 ||
		    bind_linear_of(b, &x->down[b->expert], width, inner, &p, 1, e) != 0)
			return -1;
	return 0;
}

static int bind_apart(struct binder *b, struct moe_block *x, int layer, struct err *e)
{
	int inner = b->c->moe.inner;
	enum role both = b->f->moe.layout == EXPERTS_APART ? R_X_GATE_UP : R_END;
	for (b->expert = 0; b->expert < b->c->moe.experts; b->expert++)
		if (bind_gate_up(b, &x->up[b->expert], (struct gate_up){ R_X_GATE, R_X_UP, both }, layer, inner, WHY_EXPERT, e) != 0 ||
		    bind_linear(b, &x->down[b->expert], R_X_DOWN, layer, b->c->width, inner, WHY_EXPERT, e) != 0)
			return -1;
	return 0;
}

/* What is added to scores for the choice alone: [experts], or [1, experts]. */
static int bind_choice(struct binder *b, struct moe_block *x, int layer, int experts, struct err *e)
{
	const struct role_name *r = bind_role(b, R_ROUTER_BIAS, layer);
	const struct tensor *t;
	float *p;

	if (!r || (r->bias == BIAS_PRESENT && (b->random || !bind_find(b, r->name, layer, ""))))
		return 0;
	t = b->random ? NULL : bind_find(b, r->name, layer, "");
	if (t && t->rank == 2) {
		if (bind_need(b, &t, r->name, layer, "", 1, experts, 0, WHY_ROUTER, e) != 0 || !(p = bind_alloc(b, (size_t)experts * sizeof *p, e)) ||
		    bind_put(b, p, t, 0, (size_t)experts, 0.0f, e) != 0)
			return -1;
	} else if (bind_vector(b, &p, R_ROUTER_BIAS, layer, "", experts, 0.0f, WHY_ROUTER, e) != 0) {
		return -1;
	}
	x->rule.bias = p;
	return 0;
}

/* What the weights of each expert are multiplied by. */
static int bind_scales(struct binder *b, struct moe_block *x, int layer, struct err *e)
{
	if (!family_role(b->f, R_ROUTER_SCALE))
		return 0;
	return bind_host(b, &x->scale, R_ROUTER_SCALE, layer, "", b->c->moe.experts, "experts", e);
}

static int bind_shared(struct binder *b, struct moe_block *x, int layer, struct err *e)
{
	int width = b->c->width, inner = b->c->moe.shared;
	if (!inner)
		return 0;
	if (bind_gate_up(b, &x->shared_up, (struct gate_up){ R_S_GATE, R_S_UP, R_S_GATE_UP }, layer, inner, WHY_SHARED, e) != 0 ||
	    bind_linear(b, &x->shared_down, R_S_DOWN, layer, width, inner, WHY_SHARED, e) != 0)
		return -1;
	return family_role(b->f, R_S_WEIGHT) ? bind_linear(b, &x->shared_weight, R_S_WEIGHT, layer, 1, width, "1, hidden_size", e) : 0;
}

int bind_moe(struct binder *b, struct block *k, int layer, struct err *e)
{
	const struct moe_config *c = &b->c->moe;
	struct moe_block *x = k->moe = ARENA_NEW(&b->m->arena, struct moe_block);
	int all = c->experts + c->identity;

	*x = (struct moe_block){ .up = ARENA_ARRAY(&b->m->arena, (size_t)c->experts, struct linear),
				 .down = ARENA_ARRAY(&b->m->arena, (size_t)c->experts, struct linear) };
	memset(x->up, 0, (size_t)c->experts * sizeof *x->up);
	memset(x->down, 0, (size_t)c->experts * sizeof *x->down);
	x->rule = (struct router){ .score = c->score, .experts = all, .k = c->k, .groups = c->groups, .groups_kept = c->groups_kept,
				   .best_of = c->best_of, .normalise = c->normalise, .floor = (float)c->floor, .factor = (float)c->factor,
				   .jitter = (float)c->jitter };
	if (bind_linear(b, &x->router, R_ROUTER, layer, all, b->c->width, WHY_ROUTER, e) != 0 || bind_choice(b, x, layer, all, e) != 0 ||
	    bind_scales(b, x, layer, e) != 0 || bind_shared(b, x, layer, e) != 0)
		return -1;
	double active = b->active;
	b->active *= (double)c->k / all;
	b->expert = 0;
	bool apart = b->f->moe.layout == EXPERTS_APART ||
		     (!b->random && family_role(b->f, R_X_GATE_UP) && bind_has(b, R_X_UP, layer));
	int rc = apart ? bind_apart(b, x, layer, e) : bind_stacked(b, x, layer, e);
	b->active = active;
	return rc;
}
