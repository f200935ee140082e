/* bind_values.h - single values of a tensor. Private to bind.c and bind_pack.c. */
#ifndef ASSAY_BIND_VALUES_H
#define ASSAY_BIND_VALUES_H

#include <string.h>

#include "kernels/base/half.h"
#include "runners/bind.h"

static inline enum dtype value_type(const struct tensor *t)
{
	return t->dtype == ST_F32 ? DT_F32 : t->dtype == ST_F16 ? DT_F16 : DT_BF16;
}

static inline float value_at(const unsigned char *p, enum dtype dt)
{
	uint32_t u32;
	uint16_t u16;
	if (dt == DT_F32) {
		memcpy(&u32, p, 4);
		return f32_of_bits(u32);
	}
	memcpy(&u16, p, 2);
	return dt == DT_F16 ? f16_to_f32(u16) : bf16_to_f32(u16);
}

int values_finite(const unsigned char *p, size_t n, enum dtype dt); /* -1 when a value is NaN or infinite */
unsigned char *bind_stage(struct binder *b, size_t size);           /* scratch, until the next call */
int bind_put(struct binder *b, float *dst, const struct tensor *t, size_t from, size_t n, float plus, struct err *e);

#endif
