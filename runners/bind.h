/* bind.h - finding a checkpoint's tensors and packing them onto the device: what model.c and bind_*.c share.
 *
 * A tensor is looked up by the name that the family's row gives its role, checked against the shape that config.json says and
 * for NaN and infinity, and copied once. What is made here belongs to the model and ends with it. Every function fails with
 * a message that names file, tensor and the keys behind the shape. With random weights (model_random) each tensor is
 * invented in the shape asked for, and the device makes the values.
 */
#ifndef ASSAY_BIND_H
#define ASSAY_BIND_H

#include "kernels/base/arena.h"
#include "runners/model_int.h"

struct binder {
	struct model *m;
	const struct family *f;
	const struct config *c;
	unsigned char *used; /* [tensors] */
	const struct tensor *embed;
	size_t strip;        /* bytes of the family's prefix that this checkpoint lacks, */
	const char *begin;   /* and what stands there instead; strip 0: in front of every name */
	int expert;          /* what the second "{}" of a name stands for */
	unsigned char *stage;
	size_t stage_size;
	double params, params_active;
	double active;       /* share of the rows that use what is bound (experts: k / experts) */
	bool plan;           /* nothing is read or allocated: only sizes count (bind_plan.c) */
	bool random;         /* tensors are invented: of type dt, without values */
	enum dtype dt;
	struct arena invented;
	uint64_t seed;
	float e4m3[256];     /* the values of its codes, once one is needed */
};

/* The scales of a weight of fewer than 16 bits: that of value [r][c] of plane x (of [planes][n][k]) is value
 * x * plane + r / block_rows * row_step + c / block_cols * col_step of t. */
struct scaling {
	const struct tensor *t; /* NULL: all 1 */
	int64_t n, k, plane, block_rows, block_cols, row_step, col_step;
};

/* Some rows of a tensor that become outputs n0.. of a linear layer: row r is tensor row row0 + r * every, element i of it lies at
 * base + row * row_step + i * col_step. bind_piece fills in a plain [rows][k] tensor, or [k][rows] where the family is transposed. */
struct piece {
	const struct tensor *w, *bias;
	int row0, rows, n0;
	int every;
	int64_t base, row_step, col_step, bias_base; /* in values */
	struct scaling scale; /* F8_E4M3 and MXFP4 */
	bool unit;            /* each row is divided by its length, and becomes floats */
};

void bind_plan(struct ops *out, struct device *dev); /* the device's operations, such that they allocate and copy nothing */
const char *bind_file(const struct binder *b, const struct tensor *t);
struct str bind_name(const struct binder *b, const char *name, int layer, const char *suffix, char *buf, size_t size);
/* NULL: there is none. Counts as used. */
const struct tensor *bind_find(struct binder *b, const char *name, int layer, const char *suffix);
/* By the whole name; counts as `values` parameters when it is first used. */
const struct tensor *bind_take(struct binder *b, struct str name, double values);
/* The row's name of a role, of several the first that is in the files; NULL: the family has none. */
const struct role_name *bind_role(struct binder *b, enum role role, int layer);
bool bind_has(struct binder *b, enum role role, int layer); /* the role's weight is in the files (random: the row names it) */
int bind_missing(const struct binder *b, const char *name, int layer, const char *suffix, const char *why, struct err *e);
/* Finds a tensor and checks type and shape; d1 == 0: a vector of d0; d2 == 0: a matrix. `why` names the keys behind the shape. */
int bind_need(struct binder *b, const struct tensor **out, const char *name, int layer, const char *suffix, int64_t d0, int64_t d1,
	      int64_t d2, const char *why, struct err *e);
/* The same for weights, which may be of F8_E4M3 too; bind_scale then finds the scales of the piece's tensor ([n, k] or [planes, n, k]). */
int bind_need_weight(struct binder *b, const struct tensor **out, const char *name, int layer, const char *suffix, int64_t d0, int64_t d1,
		     int64_t d2, const char *why, struct err *e);
int bind_scale(struct binder *b, struct piece *p, struct err *e);
/* MXFP4: NAME_blocks [experts, rows, k/32, 16] and NAME_scales [experts, rows, k/32] as a piece: the rows of expert b->expert. */
bool bind_has_blocks(const struct binder *b, const char *name, int layer);
int bind_blocks(struct binder *b, struct piece *p, const char *name, int layer, int experts, int rows, int k, const char *why, struct err *e);
int bind_not_finite(const struct binder *b, const struct tensor *t, struct err *e);
int bind_finite(const struct binder *b, const struct tensor *t, struct err *e); /* every value */

/* Device memory of the model's own; zeroed. */
void *bind_alloc(struct binder *b, size_t bytes, struct err *e);
/* A role's vector as floats: host (in the model's arena) or device; `plus` is added to each value. */
int bind_host(struct binder *b, float **out, enum role role, int layer, const char *suffix, int n, const char *why, struct err *e);
int bind_vector(struct binder *b, float **out, enum role role, int layer, const char *suffix, int n, float plus, const char *why, struct err *e);
/* A tensor of one value. Where it may be missing and is, *out stays, as with random weights. */
int bind_single(struct binder *b, double *out, enum role role, int layer, const char *suffix, bool may_miss, struct err *e);
int bind_floats(struct binder *b, float **out, const float *host, size_t n, struct err *e); /* to the device */
int bind_norm(struct binder *b, struct norm *out, enum role role, int layer, int n, const char *why, struct err *e);

static inline struct piece piece_rows(const struct piece *all, int row0, int rows, int n0)
{
	struct piece p = *all;
	p.row0 = row0;
	p.rows = rows;
	p.n0 = n0;
	return p;
}

/* Weight (and bias, where the row's rule says so) of a role, as `rows` outputs of k inputs. */
int bind_piece(struct binder *b, struct piece *p, enum role role, int layer, int rows, int k, const char *why, struct err *e);
int bind_bias(struct binder *b, struct piece *p, const struct role_name *r, int layer, const char *why, struct err *e);
/* A linear layer from its pieces; they may differ in dtype (then all are widened to f32). */
int bind_linear_of(struct binder *b, struct linear *w, int n, int k, const struct piece *p, int npieces, struct err *e);
int bind_linear(struct binder *b, struct linear *w, enum role role, int layer, int n, int k, const char *why, struct err *e);
int bind_table(struct binder *b, struct table *out, enum role role, int rows, int width, const char *why, struct err *e);

int bind_attention(struct binder *b, struct block *k, int layer, struct err *e); /* bind_attention.c */
int bind_recurrent(struct binder *b, struct block *k, int layer, struct err *e);  /* bind_recurrent.c: nothing in other layers */
int bind_given(struct binder *b, struct err *e);                                 /* bind_layer_input.c: of the whole model, */
int bind_layer_input(struct binder *b, struct block *k, int layer, struct err *e); /* and of a layer */
int bind_mla(struct binder *b, struct block *k, int layer, struct err *e);        /* bind_mla.c */
int bind_slopes(struct binder *b, struct err *e);                                /* of the whole model */
int bind_mlp(struct binder *b, struct block *k, int layer, int inner, struct err *e); /* bind_mlp.c */
int bind_moe(struct binder *b, struct block *k, int layer, struct err *e);       /* bind_moe.c */
int bind_beside(struct binder *b, struct block *k, int layer, struct err *e);    /* bind_beside.c */

/* Gate and up as one layer of 2 inner outputs, from two roles or one that holds both; up alone where the family has no gate. */
struct gate_up {
	enum role gate, up, both;
};
int bind_gate_up(struct binder *b, struct linear *w, struct gate_up roles, int layer, int inner, const char *why, struct err *e);

#define WHY_MLP "intermediate_size, hidden_size"

#endif
