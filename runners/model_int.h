/* model_int.h - what model.c builds and forward.c reads. Private to the two.
 *
 * One block of the transformer holds four linear layers: query, key and value rows in one (q first, then k, then v), the
 * output, gate and up in one (gate first; up alone where nothing is gated), down.
 */
#ifndef ASSAY_MODEL_INT_H
#define ASSAY_MODEL_INT_H

#include "runners/config.h"
#include "runners/families.h"
#include "runners/model.h"
#include "runners/safetensors.h"

struct norm {
	float *w, *b; /* device, [width] each; NULL: none */
	bool present;
};

struct block {
	struct norm norm1, norm2, post1, post2;
	struct norm q_norm, k_norm;
	struct linear qkv;  /* [(h + 2 hk) d][width] */
	struct linear out;  /* [width][h d] */
	struct linear up;   /* [2 inner or inner][width] */
	struct linear down; /* [width][inner] */
};

struct model {
	struct model_info info;
	struct config cfg;
	struct device *dev;
	const struct ops *ops;
	struct safetensors *files; /* stays mapped: the embedding may point into it */
	struct table embed, positions; /* [vocab][width]; positions.rows NULL: none */
	void *embed_copy, *positions_copy; /* device memory, where the device does not read the mapping */
	struct norm final_norm;
	struct linear head; /* [vocab][width] */
	struct block *block; /* [layers] */
};

#endif
