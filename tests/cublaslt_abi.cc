/* cublaslt_abi.cc - our declarations of cublasLt against the header of the installed toolkit, where there is one: nothing runs, a
 * difference does not compile. */
#if defined(__has_include)
#if __has_include(<cublasLt.h>)
#define HAS_HEADER 1
#endif
#endif

#ifdef HAS_HEADER
#include <cublasLt.h>

#include "kernels/cublaslt.h"

#define SAME(ours, theirs) static_assert((int)(ours) == (int)(theirs), "")
SAME(LT_OK, CUBLAS_STATUS_SUCCESS);
SAME(LT_NOT_INITIALIZED, CUBLAS_STATUS_NOT_INITIALIZED);
SAME(LT_ALLOC_FAILED, CUBLAS_STATUS_ALLOC_FAILED);
SAME(LT_INVALID_VALUE, CUBLAS_STATUS_INVALID_VALUE);
SAME(LT_ARCH_MISMATCH, CUBLAS_STATUS_ARCH_MISMATCH);
SAME(LT_NOT_SUPPORTED, CUBLAS_STATUS_NOT_SUPPORTED);
SAME(LT_R32F, CUDA_R_32F);
SAME(LT_R16BF, CUDA_R_16BF);
SAME(LT_COMPUTE_32F, CUBLAS_COMPUTE_32F);
SAME(LT_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSA);
SAME(LT_OP_T, CUBLAS_OP_T);
SAME(LT_PREF_WORKSPACE, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
SAME(LT_PREF_REDUCTION, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
SAME(LT_CAP_SPLITK, CUBLASLT_ALGO_CAP_SPLITK_SUPPORT);
SAME(LT_CAP_TILES, CUBLASLT_ALGO_CAP_TILE_IDS);
SAME(LT_CAP_STAGES, CUBLASLT_ALGO_CAP_STAGES_IDS);
SAME(LT_CAP_IMPL, CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS);
SAME(LT_CONFIG_ID, CUBLASLT_ALGO_CONFIG_ID);
SAME(LT_CONFIG_TILE, CUBLASLT_ALGO_CONFIG_TILE_ID);
SAME(LT_CONFIG_SPLITK, CUBLASLT_ALGO_CONFIG_SPLITK_NUM);
SAME(LT_CONFIG_REDUCTION, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME);
SAME(LT_CONFIG_SWIZZLE, CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING);
SAME(LT_CONFIG_CUSTOM, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION);
SAME(LT_CONFIG_STAGES, CUBLASLT_ALGO_CONFIG_STAGES_ID);
SAME(LT_CONFIG_INNER, CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID);
SAME(LT_CONFIG_CLUSTER, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID);
SAME(LT_IMPL_WANTED,
     CUBLASLT_NUMERICAL_IMPL_FLAGS_HMMA | CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_32F | CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_16BF);
SAME(LT_IMPL_NARROW, CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_16F);
SAME(sizeof(struct lt_algo), sizeof(cublasLtMatmulAlgo_t));
SAME(sizeof(struct lt_result), sizeof(cublasLtMatmulHeuristicResult_t));
SAME(offsetof(struct lt_result, workspace), offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
SAME(offsetof(struct lt_result, state), offsetof(cublasLtMatmulHeuristicResult_t, state));
/* the tiles and stages that fastlt_cuda.cu prefers, by name */
SAME(23, CUBLASLT_MATMUL_TILE_128x256);
SAME(20, CUBLASLT_MATMUL_TILE_128x128);
SAME(16, CUBLASLT_MATMUL_TILE_128x32);
SAME(35, CUBLASLT_MATMUL_TILE_256x32);
SAME(36, CUBLASLT_MATMUL_STAGES_128xAUTO);
/* the signatures: enums, pointers to opaque structures and descriptors are passed as int and void * */
#define CALL(symbol, ...) static_assert(sizeof(cublasLt##symbol(__VA_ARGS__)) == sizeof(int), "")
CALL(Create, (cublasLtHandle_t *)0);
CALL(Matmul, (cublasLtHandle_t)0, (cublasLtMatmulDesc_t)0, (const void *)0, (const void *)0, (cublasLtMatrixLayout_t)0, (const void *)0,
     (cublasLtMatrixLayout_t)0, (const void *)0, (const void *)0, (cublasLtMatrixLayout_t)0, (void *)0, (cublasLtMatrixLayout_t)0,
     (const cublasLtMatmulAlgo_t *)0, (void *)0, (size_t)0, (cudaStream_t)0);
CALL(MatrixLayoutCreate, (cublasLtMatrixLayout_t *)0, CUDA_R_32F, (uint64_t)0, (uint64_t)0, (int64_t)0);
CALL(MatmulAlgoGetHeuristic, (cublasLtHandle_t)0, (cublasLtMatmulDesc_t)0, (cublasLtMatrixLayout_t)0, (cublasLtMatrixLayout_t)0,
     (cublasLtMatrixLayout_t)0, (cublasLtMatrixLayout_t)0, (cublasLtMatmulPreference_t)0, 0, (cublasLtMatmulHeuristicResult_t *)0, (int *)0);
CALL(MatmulAlgoCheck, (cublasLtHandle_t)0, (cublasLtMatmulDesc_t)0, (cublasLtMatrixLayout_t)0, (cublasLtMatrixLayout_t)0,
     (cublasLtMatrixLayout_t)0, (cublasLtMatrixLayout_t)0, (const cublasLtMatmulAlgo_t *)0, (cublasLtMatmulHeuristicResult_t *)0);
#endif
