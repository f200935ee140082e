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

/* A tensor of all experts, or of the biases of all, which only some families have. */
struct stack {
	const struct tensor *w, *bias;
};

static int need_stack(struct binder *b, struct stack *out, enum role role, int layer, int n, int k, bool flipped, struct err *e)
{
	const struct role_name *r = family_role(b->f, role);
	int experts = b->c->moe.experts, rows = flipped ? k : n, cols = flipped ? n : k;

	*out = (struct stack){ NULL, NULL };
	if (b->f->moe.layout == EXPERTS_ROWS) {
		if ((int64_t)experts * b->c->moe.inner > INT32_MAX)
			return err_set(e, E_RANGE, "%s: %d experts of width %d are too many", b->c->path, experts, b->c->moe.inner);
		return bind_need(b, &out->w, r->name, layer, "", (int64_t)experts * b->c->moe.inner, b->c->width, 0, WHY_ALL, e);
	}
	if (bind_need(b, &out->w, r->name, layer, "", experts, rows, cols, WHY_ALL, e) != 0)
		return -1;
	return r->bias == BIAS_ALWAYS ? bind_need(b, &out->bias, r->name, layer, "_bias", experts, n, 0, WHY_ALL, e) : 0;
}

/* Expert i's n x k in it. */
static struct piece slice(const struct stack *s, int i, int n, int k, bool flipped)
{
	return (struct piece){ .w = s->w, .bias = s->bias, .rows = n, .every = 1, .base = (int64_t)i * n * k, .row_step = flipped ? 1 : k,
			       .col_step = flipped ? n : 1, .bias_base = (int64_t)i * n };
}

/* Gate and up of expert i, both in one tensor of all experts. */
static int bind_both(struct binder *b, struct linear *w, const struct stack *s, int i, bool flipped, struct err *e)
{
	int inner = b->c->moe.inner, width = b->c->width;
	struct piece part[2];

	part[0] = part[1] = slice(s, i, 2 * inner, width, flipped);
	if (!b->f->moe.interleaved)
		return bind_linear_of(b, w, 2 * inner, width, part, 1, e);
	part[0].rows = part[1].rows = inner;
	part[0].every = part[1].every = 2;
	part[1].row0 = 1;
	part[1].n0 = inner;
	return bind_linear_of(b, w, 2 * inner, width, part, 2, e);
}

static int bind_stacked(struct binder *b, struct moe_block *x, int layer, struct err *e)
{
	enum expert_layout layout = b->f->moe.layout;
	int inner = b->c->moe.inner, width = b->c->width;
	bool both = family_role(b->f, R_X_GATE_UP) != NULL, flipped = layout == EXPERTS_IN_OUT, down_flipped = layout != EXPERTS_OUT_IN;
	struct stack gate, up, down;

	if (both && need_stack(b, &gate, R_X_GATE_UP, layer, 2 * inner, width, flipped, e) != 0)
		return -1;
	if (!both && (need_stack(b, &gate, R_X_GATE, layer, inner, width, flipped, e) != 0 ||
		      need_stack(b, &up, R_X_UP, layer, inner, width, flipped, e) != 0))
		return -1;
	if (need_stack(b, &down, R_X_DOWN, layer, width, inner, down_flipped, e) != 0)
		return -1;
	for (int i = 0; i < b->c->moe.experts; i++) {
		struct piece d = slice(&down, i, width, inner, down_flipped);
		struct piece part[2];
		if (both && bind_both(b, &x->up[i], &gate, i, flipped, e) != 0)
			return -1;
		if (!both) {
			part[0] = slice(&gate, i, inner, width, flipped);
			part[1] = slice(&up, i, inner, width, flipped);
			part[1].n0 = inner;
			if (bind_linear_of(b, &x->up[i], 2 * inner, width, part, 2, e) != 0)
				return -1;
		}
		if (bind_linear_of(b, &x->down[i], width, inner, &d, 1, e) != 0)
			return -1;
	}
	return 0;
}

static int bind_apart(struct binder *b, struct moe_block *x, int layer, struct err *e)
{
	int inner = b->c->moe.inner;
	for (b->expert = 0; b->expert < b->c->moe.experts; b->expert++)
		if (bind_gate_up(b, &x->up[b->expert], (struct gate_up){ R_X_GATE, R_X_UP, R_X_GATE_UP }, layer, inner, WHY_EXPERT, e) != 0 ||
		    bind_linear(b, &x->down[b->expert], R_X_DOWN, layer, b->c->width, inner, WHY_EXPERT, e) != 0)
			return -1;
	return 0;
}

/* What is added to scores for the choice alone: [experts], or [1, experts]. */
static int bind_choice(struct binder *b, struct moe_block *x, int layer, int experts, struct err *e)
{
	const struct role_name *r = family_role(b->f, R_ROUTER_BIAS);
	const struct tensor *t;
	float *p;

	if (!r || (r->bias == BIAS_PRESENT && (b->random || !bind_find(b, r->name, layer, ""))))
		return 0;
	t = b->random ? NULL : bind_find(b, r->name, layer, "");
	if (t && t->rank == 2) {
		if (bind_need(b, &t, r->name, layer, "", 1, experts, 0, WHY_ROUTER, e) != 0 || !(p = bind_alloc(b, (size_t)experts * sizeof *p, e)) ||
		    bind_put(b, p, t, 0, (size_t)experts, 0.0f, e) != 0)
			return -1;
	} else if (bind_vector(b, &p, r->name, layer, "", experts, 0.0f, WHY_ROUTER, e) != 0) {
		return -1;
	}
	x->rule.bias = p;
	return 0;
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
	    bind_shared(b, x, layer, e) != 0)
		return -1;
	double active = b->active;
	b->active *= (double)c->k / all;
	int rc = b->f->moe.layout == EXPERTS_APART ? bind_apart(b, x, layer, e) : bind_stacked(b, x, layer, e);
	b->active = active;
	return rc;
}
