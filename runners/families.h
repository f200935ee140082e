/* families.h - what one architecture is: how its tensors are named, which switches of the one forward pass it sets.
 *
 * A row of the table in families.c is the whole description; model.c binds tensors by it, forward.c reads the switches.
 *
 *     x = embed(ids) [+ positions]
 *     per layer, sequential:   x += post1(attn(norm1(x)))       each norm only where the row names it
 *                              x += post2(mlp(norm2(x)))
 *     per layer, parallel:     x += attn(norm1(x)) + mlp(norm2(x))     without norm2: norm1 for both
 *     logits = head(norm(x))
 */
#ifndef ASSAY_FAMILIES_H
#define ASSAY_FAMILIES_H

#include "kernels/base/err.h"
#include "kernels/base/str.h"
#include "kernels/ops.h"
#include "runners/config.h"

enum role {
	R_END, R_EMBED, R_EMBED_NORM, R_POSITIONS, R_HEAD, R_FINAL_NORM,
	R_PROJECT_IN, R_PROJECT_OUT, R_NORM1, R_NORM2, R_POST1, R_POST2, /* before attention and mlp; on their outputs */
	R_Q, R_K, R_V, R_QKV, R_Q_NORM, R_K_NORM, R_O, R_SINKS /* the whole name */,
	R_MLA_Q_A, R_MLA_Q_NORM, R_MLA_Q_B, R_MLA_KV_A, R_MLA_KV_NORM, R_MLA_KV_B,
	R_GATE, R_UP, R_GATE_UP, R_DOWN, R_ACT,
	R_GIVEN, R_GIVEN_OF, R_GIVEN_NORM, R_GIVE, R_TAKE, R_TAKEN, R_SCALE /* the whole name */, /* gemma4: what tokens give each layer */
	R_ROUTER, R_ROUTER_BIAS /* of the choice; the whole name */, R_ROUTER_SCALE /* [experts], of their weights; the whole name */,
	R_ROUTER_NORM /* the whole name */, R_POST_DENSE, R_NORM_X, R_POST_X, /* FF_BESIDE: of the router's input; on the dense part's output; before and behind the experts */
	R_X_GATE, R_X_UP, R_X_GATE_UP, R_X_DOWN, /* an expert's; where all experts are in one tensor its whole name */
	R_S_GATE, R_S_UP, R_S_GATE_UP, R_S_DOWN, R_S_WEIGHT, /* the shared expert's; what it is weighed by */
	R_REC_IN, R_REC_QKVZ, R_REC_BA, R_REC_QKV, R_REC_Z, R_REC_B, R_REC_A, R_REC_OUT, R_REC_CONV, R_REC_NORM,
	R_REC_LOG_A, R_REC_DT, R_REC_SKIP, /* names of these three are whole: without ".weight" */
};

/* When a linear layer has a bias: by a key of config.json, always, or never. */
enum bias_rule { BIAS_NEVER, BIAS_ALWAYS, BIAS_ATTENTION, BIAS_OUT /* attention_out_bias */, BIAS_MLP, BIAS_PROJ /* use_bias, of Mamba layers */, BIAS_PRESENT /* where the tensor is there */ };

struct role_name {
	enum role role;      /* several rows of one role: the first whose weight is in the files */
	const char *name;    /* without ".weight"; "{}" stands for the layer's number */
	enum bias_rule bias; /* linear layers */
};

/* How the tensors of experts lie: each expert's own ("{}" its number), or E experts in one tensor (and each expert's own where the row
 * names those too and the files have them). */
enum expert_layout {
	EXPERTS_APART,
	EXPERTS_OUT_IN, /* [E, out, in] */
	EXPERTS_IN_OUT, /* [E, in, out] */
	EXPERTS_EITHER, /* [E, out, in] or [E, in, out], as the shape has it */
	EXPERTS_ROWS,   /* dbrx: gate and up [E out, in], down [E in, out] */
};

/* The mixture of experts of a family (block_moe.c); what config.json says of it is in struct moe_config. */
struct moe_family {
	bool present;
	enum route_score score;
	enum expert_layout layout;
	bool interleaved;     /* rows of gate and up alternate */
	bool weigh_input;     /* an expert's input is multiplied by its weight, not its output */
	bool steps_from_zero; /* layer i is sparse where the step divides i, not i + 1 */
	int best_of;          /* members of a group that make its score */
	double floor;         /* added to the sum that weights are divided by */
};

enum norm_kind { NORM_RMS, NORM_LAYER, NORM_LAYER_NOBIAS, NORM_LAYER_PLAIN /* neither weight nor bias */ };
enum parallel_rule { PARALLEL_NEVER, PARALLEL_ALWAYS, PARALLEL_CONFIG /* use_parallel_residual */ };
enum window_rule { WINDOW_NONE, WINDOW_ALL, WINDOW_FLAG /* use_sliding_window, max_window_layers */, WINDOW_PATTERN /* layer_types or sliding_window_pattern */ };
enum local_rope { LOCAL_SAME, LOCAL_BASE /* rope_local_base_freq */, LOCAL_PLAIN /* the same base; both unscaled */ }; /* rotary table of layers that slide */
enum nope_rule { NOPE_NEVER, NOPE_LIST /* no_rope_layers, no_rope_layer_interval */, NOPE_FULL /* layers that do not slide, where there is a window */, NOPE_ALL_FULL /* layers that do not slide */ };

struct key_value {
	const char *key;
	double value;
};

#define FAMILY_DEFAULTS 16

struct source;
struct key;

struct family {
	const char *name;            /* as `assay list families` shows it */
	const char *text;            /* one line for people */
	const char *architectures[5]; /* at most four, then NULL */
	const char *model_types[4];
	const struct role_name *names; /* up to R_END */
	const char *prefix;          /* checkpoints of the bare model lack it at the front of names */
	const char *const *junk;     /* tensors known and not used: "{}" digits, a final "*" anything; NULL-ended */
	const char *beyond;          /* "model.layers.": tensors of layers behind the last one (multi-token prediction) are known and not used; or NULL */
	struct key_value defaults[FAMILY_DEFAULTS]; /* for keys that config.json lacks: any name of the key in config.c */
	struct key_value only[8];     /* keys that may be absent or have this value (true is 1): another is not known here */
	const struct key *keys;      /* keys of config.json that only this family reads (config_int.h), ended by one without a name; or NULL */
	/* What follows from the keys by a formula of the family's own (multipliers, kinds of layers), after all keys are read; or NULL */
	int (*derive)(struct config *c, const struct source *s, struct err *e);
	const char *act;             /* where config.json names none */
	enum norm_kind norm;
	enum parallel_rule parallel;
	enum position_kind position;
	int position_offset;         /* learned positions: row pos + offset */
	enum rope_layout rope;
	enum qkv_layout qkv;
	enum qk_norm qk_norm;
	struct key_value qk_norm_key; /* true or false: whether there are such norms, and what silence means; without a key there are */
	enum window_rule window;
	enum nope_rule nope;
	enum local_rope local_rope;
	enum alibi alibi;
	int window_pattern;          /* WINDOW_PATTERN: layer i is full iff (i + 1) % n == 0, where sliding_window_pattern says nothing */
	struct moe_family moe;
	bool gated;
	bool norm_plus_one;          /* norms multiply by 1 + weight */
	bool transposed;             /* linear weights are [in, out] */
	bool inner_4x;               /* the default of the inner width is four times the width */
};

/* A model around another family's, which family_find() takes in its place. */
struct wrapper {
	const char *name, *text, *architectures[2];
};

const struct family *family_at(int i); /* NULL behind the last */
const struct wrapper *family_wrapper_at(int i); /* the same; i counts from 0 without gaps */

/* By the name in "architectures" (preferred; not those that only wrap another family) or "model_type"; either may be NULL. Error: names it and all that is known. */
int family_find(const struct family **out, const char *architecture, const char *model_type, struct err *e);
const struct role_name *family_role(const struct family *f, enum role r); /* NULL: the family has none */
/* Does the whole of s match the pattern ("{}" one or more digits; "*", at the end, any bytes)? */
bool family_match(const char *pattern, struct str s);

#endif
