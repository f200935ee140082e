/* fast.h - linear layers of a CUDA device on tensor cores, through cublasLt: the numerics fast/<arch>/<version>/<digest>.
 *
 * A layer is y = round(x) round(W)^T + bias: operands rounded to bf16, products accumulated in fp32 by the tensor cores, one addition
 * for the bias. Rows are computed in buckets of 16, 32 ... 4096 with zeros behind; for each shape one algorithm is pinned per bucket, and
 * all of them have been seen to give a row the same bits, alone or among others (fastpick_cuda.cu). NUMERICS.md section 8.
 *
 *   cublaslt_cuda.cu   opens the library
 *   fastlt_cuda.cu     what the library offers on this device, in an order; products of one shape
 *   fastpick_cuda.cu   the self-test, and the choice by it
 *   fastcache.c        choices kept in a file
 *   fast_cuda.cu       rounding, the layers, the id
 */
#ifndef ASSAY_FAST_H
#define ASSAY_FAST_H

#include "kernels/cublaslt.h"
#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FAST_BUCKETS 9                              /* 16, 32, ... 4096 rows */
#define FAST_ROWS(bucket) (16 << (bucket))
#define FAST_SCRATCH_BYTES ((size_t)256 << 20)      /* a shape's largest bucket is the last whose operand and result fit this */
#define FAST_PAD 8                                  /* n and k are padded to a multiple: 16 bytes of bf16 */
#define FAST_PROBES 3                               /* numbers of outputs that the library is asked about */
#define FAST_BEST 8                                 /* suggestions kept of each answer */
#define FAST_IDS 64
#define FAST_TILES 1024
#define FAST_STAGES 128
/* Changing any rule that decides bits, or the choice, changes this text and so the id. */
#define FAST_RULES "1: bf16 to nearest even, no flush; n, k to 8; 16<<0..8 rows, 2^28 bytes; probes 1024 4096 16384 x 4096, 8 each"

/* --- a hash for ids and files: FNV-1a with a last mix; guards against damage and confusion, not against an enemy. SHA-256
 * (base/digest.c) would bring libcrypto to builds that have none (bare.mk). */
#define FAST_HASH0 0xcbf29ce484222325ull
static inline uint64_t fast_hash(uint64_t h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const unsigned char *)p)[i]) * 0x100000001b3ull;
	return h;
}
static inline uint64_t fast_hash_end(uint64_t h)
{
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
	return h ^ h >> 32;
}

/* --- fastcache.c: the algorithms pinned for shapes */
struct fast_choice {
	int n, k, buckets; /* n and k padded */
	struct lt_algo algo[FAST_BUCKETS];
};
struct fast_cache {
	char path[4096]; /* empty: nowhere to keep it */
	char key[256];   /* what the choices hold for: id, device, driver */
	struct fast_choice *choice;
	int n, cap;
};
void fast_cache_open(struct fast_cache *c, const char *key); /* reads the file, if it is there and whole and of this key */
void fast_cache_close(struct fast_cache *c);
const struct fast_choice *fast_cache_find(const struct fast_cache *c, int n, int k);
void fast_cache_drop(struct fast_cache *c, int n, int k);
int fast_cache_add(struct fast_cache *c, const struct fast_choice *a); /* and writes the file; -1: no memory. An unwritable file is no error */

/* --- fastlt_cuda.cu: the library on one device */
struct fast_family { /* what must not change from bucket to bucket */
	int id, custom, inner;
};
struct fast_offer { /* one algorithm number, with its tiles in order of preference for many rows and for few */
	int id, ntiles, nstages;
	uint32_t tiles[2][FAST_TILES], stages[FAST_STAGES];
};
struct fast_lt {
	struct cublaslt lt;
	void *handle, *op;
	struct CUstream_st *stream;
	struct lt_algo best[FAST_PROBES][FAST_BUCKETS][FAST_BEST]; /* what the library itself would take */
	int nbest[FAST_PROBES][FAST_BUCKETS];
	struct fast_offer *offer;
	int noffers;
	struct fast_family *family; /* in the order in which they are tried */
	int nfamilies;
	uint64_t digest; /* of all that the library answered */
};
struct fast_shape { /* n and k padded; layouts of W, and of x and y per bucket */
	int n, k, buckets;
	void *w, *x[FAST_BUCKETS], *y[FAST_BUCKETS];
	struct lt_algo algo[FAST_BUCKETS];
};
int fast_lt_open(struct fast_lt *l, struct CUstream_st *stream, struct err *e);
void fast_lt_close(struct fast_lt *l);
int fast_shape_open(struct fast_lt *l, struct fast_shape *s, int n, int k, struct err *e);
void fast_shape_close(struct fast_lt *l, struct fast_shape *s);
/* The i-th algorithm of a family for n outputs: 1; 0 behind the last; -1 when the library refuses this one. */
int fast_candidate(const struct fast_lt *l, const struct fast_family *f, int n, int bucket, int i, struct lt_algo *out);
int fast_fits(const struct fast_lt *l, const struct fast_shape *s, int bucket, const struct lt_algo *a); /* without workspace */
int fast_product(const struct fast_lt *l, const struct fast_shape *s, int bucket, const struct lt_algo *a, void *y, const void *x,
		 const void *w); /* a status */

/* --- fastpick_cuda.cu. w, x, y are room for the operands of the largest bucket; what they held is lost. */
int fast_pick(const struct fast_lt *l, struct fast_shape *s, struct device *dev, void *w, void *x, float *y, struct err *e);

/* --- fast_cuda.cu: what device_cuda.cu calls */
struct fast;
/* asked: "fast", or the whole id, which must be this machine's. device, driver: of the cache's key. arch: 90 for sm_90;
 * sms, shared: multiprocessors and shared memory of a block, on which the library's choice may depend. */
struct fast_machine {
	const char *device;
	int driver, arch, sms;
	size_t shared;
};
int fast_open(struct fast **out, struct device *dev, struct CUstream_st *stream, const struct fast_machine *m, const char *asked,
	      struct err *e);
void fast_close(struct fast *f);
const char *fast_id(const struct fast *f);
size_t fast_linear_size(int n, int k); /* of the panels; 0: the shape is not possible */
int fast_linear_init(struct fast *f, struct linear *w, enum dtype dt, int n, int k, int bias, struct err *e);
int fast_linear_rows(struct fast *f, struct linear *w, int n0, const void *src, size_t ld, int rows, struct err *e);
int fast_linear(struct fast *f, struct mat y, struct mat x, const struct linear *w, struct err *e);

#ifdef __cplusplus
}
#endif

#endif
