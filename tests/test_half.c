/* test_half - bf16 and fp16, all 65,536 values both ways, and rounding of every kind of fp32, against definitions in double. */
#include "tests/test.h"

#include <stdint.h>

#include "kernels/base/half.h"

/* IEEE 754 by its formula: value of a binary format with `e` exponent and `m` fraction bits. Inf and NaN are the caller's. */
static double value(unsigned bits, int e, int m)
{
	int bias = (1 << (e - 1)) - 1, exp = (int)(bits >> m) & ((1 << e) - 1);
	double frac = (double)(bits & ((1u << m) - 1u)) / (double)(1u << m), v = exp ? 1 + frac : frac;
	for (int i = exp ? exp : 1; i < bias; i++)
		v *= 0.5;
	for (int i = bias; i < exp; i++)
		v *= 2;
	return bits >> (e + m) & 1 ? -v : v;
}

static int finite_bits(unsigned bits, int e, int m)
{
	return ((bits >> m) & ((1u << e) - 1u)) != (1u << e) - 1u;
}

static const struct format {
	const char *name;
	int e, m;
	unsigned nan, inf;
	float (*widen)(uint16_t);
	uint16_t (*narrow)(float);
} formats[] = {
	{ "bf16", 8, 7, 0x7fc0, 0x7f80, bf16_to_f32, f32_to_bf16 },
	{ "f16", 5, 10, 0x7e00, 0x7c00, f16_to_f32, f32_to_f16 },
};

static void test_widen(void)
{
	for (size_t f = 0; f < 2; f++) {
		const struct format *t = &formats[f];
		int bad = 0;
		for (unsigned h = 0; h < 65536; h++) {
			float v = t->widen((uint16_t)h);
			if (finite_bits(h, t->e, t->m)) {
				bad += (double)v != value(h, t->e, t->m) || f32_bits(v) >> 31 != h >> 15;
				bad += t->narrow(v) != h; /* and back */
			} else if ((h & 0x7fff) == t->inf) {
				bad += f32_bits(v) != ((h >> 15) << 31 | 0x7f800000u) || t->narrow(v) != h;
			} else {
				bad += v == v || t->narrow(v) != t->nan;
			}
		}
		CHECK(!bad, "%s: %d wrong", t->name, bad);
	}
}

/* Around every pair of neighbours a < b: a, just above, just below the middle, the middle, just above it, just below b. */
static void test_round(void)
{
	for (size_t f = 0; f < 2; f++) {
		const struct format *t = &formats[f];
		int bad = 0;
		for (unsigned h = 0; h < t->inf; h++) {
			double a = value(h, t->e, t->m);
			/* beyond the largest: the next value there would be, which is where rounding to infinity begins */
			double b = h + 1 < t->inf ? value(h + 1, t->e, t->m) : a + (a - value(h - 1, t->e, t->m));
			float mid = (float)(a + (b - a) / 2);
			if (mid - mid != 0) /* bf16's last half lies at fp32's end */
				continue;
			uint16_t even = (uint16_t)(h & 1 ? h + 1 : h);
			for (unsigned sign = 0; sign < 2; sign++) {
				uint32_t s = sign << 31, m = f32_bits(mid);
				uint16_t hs = (uint16_t)(sign << 15);
				bad += t->narrow(f32_of_bits(m | s)) != (even | hs);
				bad += t->narrow(f32_of_bits((m + 1) | s)) != ((h + 1) | hs);
				bad += t->narrow(f32_of_bits((m - 1) | s)) != (h | hs);
			}
		}
		CHECK(!bad, "%s: %d wrong", t->name, bad);
	}
}

static void test_ends(void)
{
	static const struct {
		uint32_t f;
		uint16_t bf, h;
	} t[] = {
		{ 0x7f800000, 0x7f80, 0x7c00 }, { 0xff800000, 0xff80, 0xfc00 }, { 0x7f7fffff, 0x7f80, 0x7c00 },
		{ 0x7fc00000, 0x7fc0, 0x7e00 }, { 0xffc12345, 0x7fc0, 0x7e00 }, { 0x7f800001, 0x7fc0, 0x7e00 },
		{ 0x477fefff, 0x4780, 0x7bff }, { 0x477ff000, 0x4780, 0x7c00 }, { 0x33000000, 0x3300, 0 },
		{ 0x33000001, 0x3300, 1 },	{ 0x80000000, 0x8000, 0x8000 }, { 1, 0, 0 }, { 0x80000001, 0x8000, 0x8000 },
		{ 0x387fc000, 0x3880, 0x03ff }, { 0x387fe000, 0x3880, 0x0400 }, { 0x38800000, 0x3880, 0x0400 },
	};
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		float v = f32_of_bits(t[i].f);
		CHECK(f32_to_bf16(v) == t[i].bf, "bf16 of %08x is %04x, want %04x", t[i].f, f32_to_bf16(v), t[i].bf);
		CHECK(f32_to_f16(v) == t[i].h, "f16 of %08x is %04x, want %04x", t[i].f, f32_to_f16(v), t[i].h);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "widening, all values, and back", test_widen },
		{ "rounding to nearest even", test_round },
		{ "ends", test_ends },
		{ NULL, NULL },
	};
	return test_main("half", tests, argc, argv);
}
