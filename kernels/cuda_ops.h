/* cuda_ops.h - launchers of the CUDA kernels, one per operation of ops.h; each queues its work on a stream and returns.
 *
 * Arguments are those of struct ops (ops.h has shapes, layouts, rounding); all pointers are device memory but the structs
 * themselves. Weights lie in the same panels as on the CPU (struct linear in ops.h). Bits equal the scalar twins
 * (matmul.c, norm.c, rope.c, act.c, embed.c, attend.c, logprob.c, sample.c, recur.c). `scratch` is device memory of *_scratch bytes.
 */
#ifndef ASSAY_CUDA_OPS_H
#define ASSAY_CUDA_OPS_H

#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

struct CUstream_st;

size_t cuda_linear_scratch(int m, const struct linear *w); /* bytes; partial sums of a decode split by chunk */
void cuda_linear(struct CUstream_st *s, struct mat y, struct mat x, const struct linear *w, void *scratch);
void cuda_embed(struct CUstream_st *s, struct mat y, const struct table *t, const int32_t *ids);
void cuda_gather(struct CUstream_st *s, struct mat y, struct mat x, const int32_t *rows);
void cuda_add(struct CUstream_st *s, struct mat y, struct mat x);
void cuda_axpy(struct CUstream_st *s, struct mat y, struct mat x, float by);
void cuda_scale(struct CUstream_st *s, struct mat x, float by);
void cuda_scale_rows(struct CUstream_st *s, struct mat x, const float *t, const int32_t *at);
void cuda_clip(struct CUstream_st *s, struct mat x, float limit);
void cuda_softcap(struct CUstream_st *s, struct mat x, float cap);
void cuda_scatter(struct CUstream_st *s, struct mat y, struct mat x, const int32_t *rows, const float *w);
void cuda_route(struct CUstream_st *s, int32_t *ids, float *weights, struct mat logits, const struct router *r);
void cuda_rmsnorm(struct CUstream_st *s, struct mat y, struct mat x, int parts, const float *w, float eps);
void cuda_layernorm(struct CUstream_st *s, struct mat y, struct mat x, int parts, const float *w, const float *b, float eps);
void cuda_rope(struct CUstream_st *s, struct mat x, int heads, const struct rope *r, const int32_t *pos);
void cuda_kv_write(struct CUstream_st *s, const struct kv *c, struct mat k, struct mat v, const struct batch *b);
void cuda_kv_copy(struct CUstream_st *s, const struct kv *c, int dst, int src, int slots);
size_t cuda_attend_scratch(int h, const struct kv *c, const struct batch *b); /* bytes; sums of segments computed
									 apart, which NULL as scratch forbids */
void cuda_attend(struct CUstream_st *s, struct mat y, struct mat q, int h, const struct kv *c, const struct attend *a,
		 const struct batch *b, void *scratch);
void cuda_act(struct CUstream_st *s, struct mat y, struct mat gate, struct mat up, enum act a, const float p[4]);
void cuda_conv(struct CUstream_st *s, struct mat y, struct mat x, const struct conv *c, const struct states *st, const struct batch *b);
void cuda_ssm(struct CUstream_st *s, struct mat y, struct mat x, struct mat B, struct mat C, struct mat dt, const struct ssm *c,
	      const struct states *st, const struct batch *b);
void cuda_delta(struct CUstream_st *s, struct mat y, struct mat q, struct mat k, struct mat v, struct mat alpha, struct mat beta,
		const struct delta *c, const struct states *st, const struct batch *b);
void cuda_noise(struct CUstream_st *s, void *p, enum dtype dt, size_t n, uint64_t seed, float scale);
void cuda_lse(struct CUstream_st *s, struct lse *out, struct mat logits, const int32_t *target);
void cuda_penalise(struct CUstream_st *s, struct mat logits, const uint32_t *seen, const float *penalty);
void cuda_sample(struct CUstream_st *s, int32_t *out, struct mat logits, const struct draw *draw);

/* Opens device number `index` (device_cuda.cu): dev becomes it; -1 with one sentence when there is no driver, no device, or a
 * driver that is too old. threads: of the host's, for packing weights; 0: all that the process may use. */
struct device;
int cuda_device_open(struct device **dev, int index, int threads, struct err *e);
/* What device number `index` is, in one line, without opening it: how many there are, or -1 and the same sentence. */
int cuda_device_about(int index, char *text, size_t size, struct err *e);
/* Numerics fast from now on, before the first linear layer: asked is "fast" or the whole id, which must be this device's. */
int cuda_device_fast(struct device *dev, const char *asked, struct err *e);

#ifdef __cplusplus
}
#endif

#endif
