/* model_int.h - what bind_*.c build and forward.c and block_*.c read. Private to them.
 *
 * A layer is a mixer (attention or another) and a feed-forward part. Attention holds query, key and value rows in one linear
 * layer (q first, then k, then v); a dense feed-forward gate and up in one (gate first; up alone where nothing is gated).
 */
#ifndef ASSAY_MODEL_INT_H
#define ASSAY_MODEL_INT_H

#include "kernels/base/arena.h"
#include "runners/config.h"
#include "runners/families.h"
#include "runners/model.h"
#include "runners/safetensors.h"

struct norm {
	float *w, *b; /* device, [width] each; NULL: none */
	bool present;
};

/* A layer with a recurrent state: what goes in as one linear layer, the convolution, constants of heads, what comes out. */
struct recurrent {
	struct linear in, out;
	struct conv conv;
	struct ssm ssm;
	struct delta delta;
	float *norm;             /* device: weights of the gated norm; NULL: none */
	float *q_unit, *k_unit;  /* device, [key_dim]: what queries and keys of length sqrt(d) are multiplied by */
};

/* Multi-head latent attention (block_mla.c). */
struct mla {
	struct linear down;         /* [q rank + kv rank + rope][width] */
	struct linear nope, rope;   /* queries: [h nope][q rank or width], [h rope][the same] */
	struct linear *key, *value; /* [h]: [kv rank][nope] a query to the latents' channels; [value][kv rank] an output from them */
	float *q_norm, *kv_norm;    /* device; q_norm NULL: there is no latent of queries */
};

struct block {
	struct norm norm1, norm2, post1, post2;
	struct norm q_norm, k_norm;
	struct linear qkv;  /* [(h + 2 hk) d][width] */
	struct linear out;  /* [width][h d] */
	struct linear up;   /* [2 inner or inner][width] */
	struct linear down; /* [width][inner] */
	struct linear give, take; /* gemma4: into the width of what tokens give, and back */
	struct norm taken;
	float scale;        /* of the layer's output */
	float act[4];       /* parameters of the activation */
	struct recurrent *rec;
	struct mla *mla;
	float *sinks;       /* device, [h]; NULL: none */
	struct moe_block *moe; /* of layers with experts */
	struct beside *beside; /* of layers FF_BESIDE */
};

/* Norms of experts beside a dense part (block_beside.c): of the router's input, of the dense part's output, before and behind the experts. */
struct beside {
	struct norm route, dense, before, after;
};

struct moe_block {
	struct linear router;      /* [experts, and those that give back their input][width] */
	struct router rule;
	float *scale;              /* host, [experts]: a weight of the expert is multiplied by it; NULL: none */
	struct linear *up, *down;  /* [experts]: [2 inner][width], gate first; [width][inner] */
	struct linear shared_up, shared_down; /* n 0: no shared expert */
	struct linear shared_weight; /* [1][width], then a sigmoid; n 0: the shared expert counts as it is */
};

struct model {
	struct model_info info;
	struct config cfg;
	struct device *dev;
	const struct ops *ops;
	struct safetensors *files; /* stays mapped: the embedding may point into it */
	struct table embed, positions; /* [vocab][width]; positions.rows NULL: none */
	struct linear project_in, project_out; /* where the embedding has a width of its own */
	struct norm embed_norm, final_norm;
	struct table given;         /* gemma4: [vocab][layers x layer_input]; [layers x layer_input][width]; [layer_input] */
	struct linear given_of;
	struct norm given_norm;
	struct linear head; /* [vocab][width] */
	float *slopes;      /* device, [h]: ALiBi; NULL: none */
	struct block *block; /* [layers] */
	struct arena arena; /* host memory of the blocks */
	void **owned;       /* device memory to release */
	struct linear **linears; /* to free */
	int nowned, nlinears, cap_owned, cap_linears;
};

/* Floats of state that a sequence keeps in layer i: of the convolution, and beside. False: none. */
bool layer_state(const struct config *c, int i, size_t *conv, size_t *main);
bool layer_kv(const struct config *c, int i, struct kv *out); /* what layer i keeps of each position; false: nothing */

#endif
