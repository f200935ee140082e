/* dmath.h - double-precision functions of our own, built from +, -, *, /, sqrt and fma alone.
 *
 * libm is banned on every path that reaches a result: expf, sinf, powf, logf differ between versions and processors.
 * These give the same bits everywhere (no contraction, round to nearest). Error at most 1 ulp (dm_pow: 2 ulp) over the
 * ranges named, measured in tests/test_dmath.c against a higher-precision reference.
 */
#ifndef ASSAY_DMATH_H
#define ASSAY_DMATH_H

double dm_log(double x);    /* x > 0; 0 gives -Inf, negative and NaN give NaN */
double dm_log1p(double x);
double dm_exp(double x);    /* overflow gives +Inf, underflow 0 */
double dm_expm1(double x);
double dm_pow(double x, double y); /* x > 0 */
double dm_sin(double x);    /* |x| < 2^30, Cody-Waite + double-double reduction; beyond: NaN */
double dm_cos(double x);
double dm_log2(double x);
double dm_floor(double x);
double dm_lgamma(double x); /* x > 0, relative 1e-13: for Student's t and the beta function */
double dm_fma(double a, double b, double c); /* exact fused multiply-add, hardware or integer */
double dm_fma_soft(double a, double b, double c); /* the integer path of dm_fma, for tests */

#endif
