/* attend_cuda.h - the two halves of attention on CUDA: attend_cuda.cu chooses, attend_tile_cuda.cu has the kernels for heads whose
 * channels, of keys and of values, are a multiple of 4, 256 at most. Arguments are those of cuda_attend (cuda_ops.h).
 */
#ifndef ASSAY_ATTEND_CUDA_H
#define ASSAY_ATTEND_CUDA_H

#include "kernels/cuda_ops.h"

int attend_tile_fits(const struct kv *c);
size_t attend_tile_scratch(int h, const struct kv *c, const struct batch *b); /* bytes; 0, or NULL as scratch: nothing is split */
/* Returns 0, and queues nothing, on a device with too little shared memory for these heads. */
int attend_tile(struct CUstream_st *s, struct mat y, struct mat q, int h, const struct kv *c, const struct attend *a,
		const struct batch *b, void *scratch);

#endif
