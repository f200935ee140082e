/* bind_values.h - single values of a tensor. Private to bind*.c. */
#ifndef ASSAY_BIND_VALUES_H
#define ASSAY_BIND_VALUES_H

#include <string.h>

#include "kernels/base/half.h"
#include "runners/bind.h"

static inline bool is_packed(const struct tensor *t) /* F8_E4M3, or MXFP4 */
{
	return t->dtype == ST_F8_E4M3 || t->dtype == ST_U8;
}

/* The type that holds every value. */
static inline enum dtype value_type(const struct tensor *t)
{
	if (t->dtype == ST_F8_E4M3) /* times a scale */
		return DT_F32;
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
void expand_row(const struct binder *b, unsigned char *out, enum dtype dt, const struct piece *p, int row, int k); /* bind_expand.c */
int expand_not_finite(const struct binder *b, const struct piece *p, int k, struct err *e); /* says where; -1 */
int bind_put_every(struct binder *b, float *dst, const struct tensor *t, size_t from, size_t every, size_t n, float plus, struct err *e);
int bind_put(struct binder *b, float *dst, const struct tensor *t, size_t from, size_t n, float plus, struct err *e);

#endif
