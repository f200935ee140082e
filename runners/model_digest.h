/* model_digest.h - the digest of a model, computed beside the work of loading it. */
#ifndef ASSAY_MODEL_DIGEST_H
#define ASSAY_MODEL_DIGEST_H

#include <stdbool.h>

#include "runners/safetensors.h"

struct model_digest;
/* thread: begin at once, in a thread of its own; else all is done by the end. */
struct model_digest *model_digest_start(const struct safetensors *files, bool thread);
/* Waits and frees. out NULL: the digest is not wanted any more. */
void model_digest_end(struct model_digest *d, const unsigned char config[DIGEST_BYTES], unsigned char out[DIGEST_BYTES]);

#endif
