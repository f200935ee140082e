/* test_simd_emu_avx512.c - the avx512 variant of every kernel in plain C, so that it is checked on machines without it too. */
#define ASSAY_SIMD_EMU
#define EMU_NAME "avx512"

#define ISA_SYMBOL matmul_emu
#include "kernels/isa.h"
extern const struct matmul_isa matmul_emu;
#include "kernels/matmul_avx512.c"

/* both templates name these */
#undef INLINE
#undef UNROLL
#undef TILE

#define ROWOPS_SYMBOL rowops_emu
#include "kernels/rowops.h"
void rowops_emu(struct rowops *r);
#include "kernels/rowops_avx512.c"

#define RECUR_SYMBOL recurops_emu
#include "kernels/recur.h"
void recurops_emu(struct recurops *r);
#include "kernels/recur_avx512.c"

#include "tests/simd_emu_main.h"
