/* checkpoint.h - tiny checkpoints made from a description, for tests of whole models.
 *
 * A tensor is (name, dtype, shape, std, mean). NumPy's RandomState(crc32(model + tensor)) is the Mersenne Twister with the
 * polar method for normals and masked draws for integers, so the values are those that the reference implementation read.
 */
#ifndef ASSAY_TESTS_CHECKPOINT_H
#define ASSAY_TESTS_CHECKPOINT_H

#include <math.h>

#include "kernels/base/dmath.h"
#include "kernels/base/half.h"
#include "runners/text/json.h"
#include "tests/test.h"

/* ---- numpy.random.RandomState ---- */

struct mt {
	uint32_t v[624];
	int at, saved;
	double next;
};

static void mt_seed(struct mt *m, uint32_t seed)
{
	for (int i = 0; i < 624; i++) {
		m->v[i] = seed;
		seed = 1812433253u * (seed ^ seed >> 30) + (uint32_t)i + 1;
	}
	m->at = 624;
	m->saved = 0;
}

static uint32_t mt_next(struct mt *m)
{
	if (m->at == 624) {
		for (int i = 0; i < 624; i++) {
			uint32_t y = (m->v[i] & 0x80000000u) | (m->v[(i + 1) % 624] & 0x7fffffffu);
			m->v[i] = m->v[(i + 397) % 624] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
		}
		m->at = 0;
	}
	uint32_t y = m->v[m->at++];
	y ^= y >> 11;
	y ^= y << 7 & 0x9d2c5680u;
	y ^= y << 15 & 0xefc60000u;
	return y ^ y >> 18;
}

static double mt_double(struct mt *m)
{
	double a = mt_next(m) >> 5, b = mt_next(m) >> 6;
	return (a * 67108864.0 + b) / 9007199254740992.0;
}

static double mt_normal(struct mt *m) /* polar Box-Muller; two at a time */
{
	double x, y, r;
	if (m->saved) {
		m->saved = 0;
		return m->next;
	}
	do {
		x = 2.0 * mt_double(m) - 1.0;
		y = 2.0 * mt_double(m) - 1.0;
		r = x * x + y * y;
	} while (r >= 1.0 || r == 0.0);
	double root = sqrt(-2.0 * dm_log(r) / r);
	m->saved = 1;
	m->next = root * x;
	return root * y;
}

static int64_t mt_integer(struct mt *m, int64_t low, int64_t high) /* in [low, high): masked, what is too large is drawn again */
{
	uint32_t range = (uint32_t)(high - 1 - low), mask = range, x;
	for (int i = 1; i < 32; i *= 2)
		mask |= mask >> i;
	do
		x = mt_next(m) & mask;
	while (x > range);
	return low + (int64_t)x;
}

static uint32_t crc32_of(const char *a, struct str b)
{
	struct str part[2] = { str_of(a), b };
	uint32_t c = ~0u;
	for (int p = 0; p < 2; p++)
		for (size_t i = 0; i < part[p].n; i++) {
			c ^= (unsigned char)part[p].p[i];
			for (int k = 0; k < 8; k++)
				c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
		}
	return ~c;
}

/* A double to fp16 with one rounding: through the nearest multiple of its quantum, which a float holds. */
static uint16_t double_to_f16(double d)
{
	uint64_t u;
	memcpy(&u, &d, 8);
	int e = (int)(u >> 52 & 2047) - 1023;
	u = (uint64_t)((e < -14 ? -14 : e) - 10 + 1023) << 52;
	double quantum;
	memcpy(&quantum, &u, 8);
	volatile double t = d / quantum + 6755399441055744.0;
	return f32_to_f16((float)((t - 6755399441055744.0) * quantum));
}

/* The nearest e4m3 code, ties to the even one; at most 448. */
static uint8_t float_to_e4m3(float x)
{
	double m = fabs((double)x), best = 1e9;
	uint8_t code = 0;
	for (int c = 0; c < 127; c++) {
		double v = c < 8 ? c / 512.0 : ((8 + (c & 7)) << (c >> 3)) / 1024.0;
		double d = fabs((m < 448 ? m : 448) - v);
		if (d < best || (d == best && !(c & 1))) {
			best = d;
			code = (uint8_t)c;
		}
	}
	return code | (x < 0 ? 0x80 : 0);
}

static double number(struct value v)
{
	return v.type == V_INT ? (double)v.i : v.f;
}

/* ---- a checkpoint from its description ---- */

static void write_file(const char *dir, const char *name, const struct buf *b)
{
	test_write(dir, name, b->p, b->n);
}

static const struct {
	const char *name;
	size_t size;
} dtypes[] = { { "F32", 4 }, { "F16", 2 }, { "BF16", 2 }, { "F8_E4M3", 1 }, { "U8", 1 }, { "BOOL", 1 } };

enum { T_F32, T_F16, T_BF16, T_F8, T_U8, T_BOOL, NTYPES };

static int dtype_of(struct str s)
{
	int i = 0;
	while (i < NTYPES && !str_is(s, dtypes[i].name))
		i++;
	if (i == NTYPES) {
		fprintf(stderr, "no such dtype: %s\n", s.p);
		exit(99);
	}
	return i;
}

/* [name, dtype, shape, std, mean], for U8 [..., low, high]; [name, dtype, shape] is a buffer that nobody reads */
static void add_tensor(struct buf *head, struct buf *data, const char *model, struct value t)
{
	static struct mt m;
	const struct value *f = t.list->v;
	int type = dtype_of(f[1].s);
	size_t n = 1, size = dtypes[type].size, from = data->n;
	char dims[200] = "";

	for (size_t i = 0; i < f[2].list->n; i++) {
		n *= (size_t)f[2].list->v[i].i;
		snprintf(dims + strlen(dims), sizeof dims - strlen(dims), "%s%lld", i ? "," : "", (long long)f[2].list->v[i].i);
	}
	mt_seed(&m, crc32_of(model, f[0].s));
	for (size_t i = 0; i < n; i++) {
		union {
			char b[4];
			float f;
			uint16_t h;
			uint8_t u;
		} raw = { { 0 } };
		if (t.list->n == 5 && type == T_U8) {
			raw.u = (uint8_t)mt_integer(&m, f[3].i, f[4].i);
		} else if (t.list->n == 5) {
			double v = mt_normal(&m) * number(f[3]) + number(f[4]);
			if (type == T_F32)
				raw.f = (float)v;
			else if (type == T_F8)
				raw.u = float_to_e4m3((float)v);
			else
				raw.h = type == T_F16 ? double_to_f16(v) : f32_to_bf16((float)v);
		}
		buf_add(data, raw.b, size);
	}
	buf_printf(head, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", head->n > 1 ? "," : "", f[0].s.p, f[1].s.p,
		   dims, from, data->n);
}

/* golden: {"name", "config", "tensors"}. Wide types come first, so that all are aligned. */
static void write_checkpoint(const char *dir, struct value golden)
{
	struct buf config = { 0 }, head = { 0 }, data = { 0 }, all = { 0 };
	const struct value *tensors = v_getc(golden, "tensors");

	json_write(&config, *v_getc(golden, "config"), 0, -1);
	write_file(dir, "config.json", &config);
	buf_putc(&head, '{');
	for (size_t size = 4; size; size /= 2)
		for (size_t i = 0; i < tensors->list->n; i++)
			if (dtypes[dtype_of(tensors->list->v[i].list->v[1].s)].size == size)
				add_tensor(&head, &data, v_getc(golden, "name")->s.p, tensors->list->v[i]);
	buf_putc(&head, '}');
	while (head.n % 8)
		buf_putc(&head, ' ');
	for (int i = 0; i < 8; i++)
		buf_putc(&all, (char)(head.n >> (8 * i) & 255));
	buf_add(&all, head.p, head.n);
	buf_add(&all, data.p, data.n);
	write_file(dir, "model.safetensors", &all);
	buf_fini(&config);
	buf_fini(&head);
	buf_fini(&data);
	buf_fini(&all);
}

#endif
