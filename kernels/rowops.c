/* rowops.c - fills the table of row operations: scalar first, then each instruction set that is compiled in, offered by the
 * machine and not above the mask. Every level gives the same bits, so the choice is one of speed alone.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "kernels/rowops.h"

void rowops_c(struct rowops *r)
{
	*r = (struct rowops){
		.rmsnorm = rmsnorm_c,
		.layernorm = layernorm_c,
		.rope = rope_c,
		.act = act_c,
		.add = add_c,
		.axpy = axpy_c,
		.scale = scale_c,
		.clip = clip_c,
		.softcap = softcap_c,
		.softmax = softmax_c,
		.widen = widen_c,
		.attend = attend_c,
		.lse = lse_c,
	};
}

void rowops_init(struct rowops *r, enum cpu_level max)
{
	rowops_c(r);
#ifdef HAVE_NEON
	if (max >= CPU_NEON && cpu_has(CPU_NEON))
		rowops_neon(r);
#endif
#ifdef HAVE_AVX2
	if (max >= CPU_AVX2 && cpu_has(CPU_AVX2))
		rowops_avx2(r);
#endif
#ifdef HAVE_AVX512
	if (max >= CPU_AVX512 && cpu_has(CPU_AVX512))
		rowops_avx512(r);
#endif
	(void)max;
}
