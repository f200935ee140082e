/* simd.h - the vector words that the kernels are written in: a contract that three headers fill over raw intrinsics.
 *
 * matmul_simd.h and rowops_simd.h are templates: matmul_avx2.c etc. include one of simd_avx2.h, simd_avx512.h, simd_neon.h
 * and then the template. Every word below is one IEEE operation a lane, rounded to nearest even (or exact), so a template
 * gives the bits of its scalar definition whatever the width. Nothing here sums across lanes: order is the template's.
 *
 *   VW                       lanes of a vector: 16, 8 or 4
 *   vf  vi  vm               VW floats, VW int32, VW truth values
 *   vf_load vf_store         unaligned            vf_load_n(p, n)  vf_store_n(p, v, n)  the first n of 0..VW lanes only:
 *                                                 memory behind them is not touched, missing lanes load as +0
 *   vf_zero() vf_set1(x)     vf_bcast(p): *p in every lane
 *   vf_add vf_sub vf_mul vf_div vf_sqrt
 *   vf_fma(a, b, c)          a * b + c, rounded once
 *   vf_neg vf_abs            sign bit only, NaN too
 *   vf_max(a, b)             a > b ? a : b  (b when one is NaN or both are zeros)
 *   vf_gt vf_ge vf_eq        ordered comparisons: false with NaN;  vf_isnan
 *   vf_sel(m, a, b)          m ? a : b;  vi_sel likewise
 *   vm_and vm_or vm_any      vm_first(n): lanes 0..n-1, n in 0..VW
 *   vi_load vi_set1 vi_add vi_sub vi_and vi_iota()          vi_shl(a, n), vi_sar(a, n): n a constant; vi_sar keeps the sign
 *   vi_of_bits(vf) vf_of_bits(vi)                           reinterpretation
 *   vf_from_int(vi)          exact for |i| < 2^24
 *   vf_bf16(p)               VW bf16 values in natural order, widened exactly; p of any alignment
 *   vf_bf16_lo(v) vf_bf16_hi(v)   of VW packed dwords (ops.h): the low half, the high half of each
 *   vf_f16(p)                VW fp16 values; NaN stays NaN, its payload is not defined
 *   v_prefetch(p)
 * Derived, the same for all: vf_canon(a): NaN becomes the canonical 0x7fc00000; vf_hmax(a): the largest lane, by compare.
 *
 * With ASSAY_SIMD_EMU the headers take their intrinsics from tests/simd_emu.h, plain C: so every variant, NEON too, is
 * checked against scalar on every machine.
 */
#ifndef ASSAY_SIMD_H
#define ASSAY_SIMD_H

#if defined __FAST_MATH__
#error "assay must not be built with -ffast-math: results would differ between machines"
#endif

static inline vf vf_canon(vf a)
{
	return vf_sel(vf_isnan(a), vf_of_bits(vi_set1(0x7fc00000)), a);
}

/* Lanes must hold no NaN; of zeros with two signs either may come back. */
static inline float vf_hmax(vf a)
{
	float t[VW];
	vf_store(t, a);
	for (int h = VW / 2; h; h /= 2)
		for (int i = 0; i < h; i++)
			t[i] = t[i] > t[i + h] ? t[i] : t[i + h];
	return t[0];
}

#endif
