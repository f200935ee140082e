/* shapes.h - shapes of models by name, for benchmarks of random weights. */
#ifndef ASSAY_SHAPES_H
#define ASSAY_SHAPES_H

#include "runners/config.h"

/* What config_load would give for a model of that shape, as far as a forward pass reads it. Error: names the nearest shape. */
int shape_config(struct config *c, const char *name, struct err *e);

#endif
