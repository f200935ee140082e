/* cublaslt.h - the few calls of NVIDIA's cublasLt that the fast linear layers make, as a table of pointers.
 *
 * The library is opened with dlopen when fast numerics are asked for and not before, so a program that computes exactly needs
 * none of its half gigabyte. Types, constants and signatures are declared here, from the documented interface, and not taken
 * from the toolkit's header: the build then needs no more than a compiler, tests run over a library of their own, and the
 * same text is compiled by nvcc and g++. tests/cublaslt_abi.cc holds every constant and size to the header where it is installed.
 * All calls return a status, 0 being success. Accepted is version LT_OLDEST and later: what is used here has not changed since.
 */
#ifndef ASSAY_CUBLASLT_H
#define ASSAY_CUBLASLT_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LT_OLDEST 120000 /* 12.0.0 */

enum lt_status { LT_OK, LT_NOT_INITIALIZED = 1, LT_ALLOC_FAILED = 3, LT_INVALID_VALUE = 7, LT_ARCH_MISMATCH = 8, LT_NOT_SUPPORTED = 15 };
enum lt_type { LT_R32F = 0, LT_R16BF = 14, LT_COMPUTE_32F = 68 };
enum lt_desc { LT_DESC_TRANSA = 3, LT_OP_T = 1 };
enum lt_pref { LT_PREF_WORKSPACE = 1, LT_PREF_REDUCTION = 3 };
enum lt_cap { LT_CAP_SPLITK = 0, LT_CAP_TILES = 6, LT_CAP_STAGES = 13, LT_CAP_IMPL = 15 };
enum lt_config {
	LT_CONFIG_ID, LT_CONFIG_TILE, LT_CONFIG_SPLITK, LT_CONFIG_REDUCTION, LT_CONFIG_SWIZZLE, LT_CONFIG_CUSTOM, LT_CONFIG_STAGES,
	LT_CONFIG_INNER, LT_CONFIG_CLUSTER, LT_CONFIGS
};
#define LT_IMPL_WANTED 0x020202ull /* tensor cores of 16-bit operands, accumulator fp32, input bf16 */
#define LT_IMPL_NARROW 0x000100ull /* accumulator fp16 */

struct lt_algo {
	uint64_t data[8]; /* opaque; may be kept and used again with the same version of the library */
};
struct lt_result {
	struct lt_algo algo;
	size_t workspace;
	int state;
	float waves;
	int reserved[4];
};

struct CUstream_st;

/* field, symbol behind "cublasLt", arguments */
#define LT_CALLS(X) \
	X(create, Create, (void **handle)) \
	X(destroy, Destroy, (void *handle)) \
	X(matmul, Matmul, \
	  (void *handle, void *op, const void *alpha, const void *a, void *la, const void *b, void *lb, const void *beta, const void *c, \
	   void *lc, void *d, void *ld, const struct lt_algo *algo, void *workspace, size_t bytes, struct CUstream_st *stream)) \
	X(layout_create, MatrixLayoutCreate, (void **layout, int type, uint64_t rows, uint64_t cols, int64_t ld)) \
	X(layout_destroy, MatrixLayoutDestroy, (void *layout)) \
	X(op_create, MatmulDescCreate, (void **op, int compute, int scale)) \
	X(op_destroy, MatmulDescDestroy, (void *op)) \
	X(op_set, MatmulDescSetAttribute, (void *op, int attribute, const void *value, size_t bytes)) \
	X(pref_create, MatmulPreferenceCreate, (void **pref)) \
	X(pref_destroy, MatmulPreferenceDestroy, (void *pref)) \
	X(pref_set, MatmulPreferenceSetAttribute, (void *pref, int attribute, const void *value, size_t bytes)) \
	X(suggest, MatmulAlgoGetHeuristic, \
	  (void *handle, void *op, void *la, void *lb, void *lc, void *ld, void *pref, int most, struct lt_result *out, int *n)) \
	X(ids, MatmulAlgoGetIds, (void *handle, int compute, int scale, int a, int b, int c, int d, int most, int *ids, int *n)) \
	X(init, MatmulAlgoInit, (void *handle, int compute, int scale, int a, int b, int c, int d, int id, struct lt_algo *out)) \
	X(check, MatmulAlgoCheck, \
	  (void *handle, void *op, void *la, void *lb, void *lc, void *ld, const struct lt_algo *algo, struct lt_result *out)) \
	X(cap, MatmulAlgoCapGetAttribute, (const struct lt_algo *algo, int attribute, void *value, size_t bytes, size_t *written)) \
	X(config_set, MatmulAlgoConfigSetAttribute, (struct lt_algo *algo, int attribute, const void *value, size_t bytes)) \
	X(config_get, MatmulAlgoConfigGetAttribute, (const struct lt_algo *algo, int attribute, void *value, size_t bytes, size_t *written))

struct cublaslt {
	void *lib;
	size_t version; /* 130100: 13.1.0 */
#define X(field, symbol, args) int (*field) args;
	LT_CALLS(X)
#undef X
	const char *(*status_name)(int status);
	size_t (*get_version)(void);
};

int cublaslt_open(struct cublaslt *lt, struct err *e);
void cublaslt_close(struct cublaslt *lt);

#ifdef __cplusplus
}
#endif

#endif
