/* ropetable.h - cosines and sines of rotary position embeddings, for every position and rotated pair of channels.
 */
#ifndef ASSAY_ROPETABLE_H
#define ASSAY_ROPETABLE_H

#include "runners/config.h"

/* Rotation per position of pair k, in radians: out[dims/2]. far: of sequences beyond the switch (longrope). */
void ropetable_frequencies(double *out, const struct rope_config *r, int dims, bool far);
/* What cosines and sines are multiplied by (yarn, longrope); 1 otherwise. */
double ropetable_mscale(double factor, double mscale); /* yarn: 0.1 mscale ln(factor) + 1 */
double ropetable_scale(const struct rope_config *r, bool far);
/* Rows from..from+n-1 of the tables, [n][dims/2], rounded once from double. */
void ropetable_fill(float *cos, float *sin, const double *freq, double scale, int dims, int from, int n);

#endif
