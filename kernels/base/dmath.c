/* dmath.c - log, exp, pow, sin and their kin from +, -, *, / alone: the same bits on every machine and compiler.
 *
 * Every function reduces its argument to a short interval, keeps the leading part of the result as an unevaluated sum
 * of two doubles (a "double-double": Dekker 1971, Knuth TAOCP 4.2.2) and adds a Taylor or Stirling tail whose weight
 * is at most a tenth of the whole, so that nearly the only rounding that counts is the last one: measured 0.5 to 0.6 ulp.
 * pow and lgamma carry the logarithm in double-double to about 100 bits.
 *   log     x = 2^k m, m in [sqrt 1/2, sqrt 2), s = (m-1)/(m+1), log m = 2s + 2s^3/3 + ...
 *   exp     x = k ln 2 + r, |r| <= ln2/2, e^r by its series
 *   sin     x = n pi/2 + r with pi/2 in three doubles (159 bits), so |x| < 2^30 needs no larger table
 *   lgamma  Stirling at x + n >= 16 less the log of the product skipped; series at the zeros 1 and 2
 * No table, no libm, no contraction (the build sets -ffp-contract=off), no fused instruction: products are split
 * exactly by Veltkamp's method. What is refused: sin and cos beyond 2^30, pow of a negative number (NaN).
 */
#include "kernels/base/dmath.h"

#include <math.h>

#include "kernels/base/fma.h"

struct dd {
	double h, l;
};

#define LN2_HI 0x1.62e42fefa3800p-1 /* 42 bits: k * LN2_HI is exact for |k| < 2^11 */
#define LN2_LO 0x1.ef35793c76730p-45
#define LN2_LO2 0x1.f97b57a079a19p-103
#define LOG2E_HI 0x1.71547652b82fep+0
#define LOG2E_LO 0x1.777d0ffda0d24p-56
#define PIO2_1 0x1.921fb54442d18p+0
#define PIO2_2 0x1.1a62633145c07p-54
#define PIO2_3 -0x1.f1976b7ed8fbcp-110
#define TWO_OVER_PI 0x1.45f306dc9c883p-1

static uint64_t bits(double x)
{
	uint64_t u;
	memcpy(&u, &x, sizeof u);
	return u;
}

static double of_bits(uint64_t u)
{
	double x;
	memcpy(&x, &u, sizeof x);
	return x;
}

/* 2^k for -1022 <= k <= 1023 */
static double pow2i(int k)
{
	return of_bits((uint64_t)(k + 1023) << 52);
}

/* x * 2^k with one rounding, |k| <= 2044 */
static double scale(double x, int k)
{
	int half = k / 2;
	return x * pow2i(half) * pow2i(k - half);
}

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)), for finite x > 0 */
static double split2(double x, int *k)
{
	int bias = 0;
	if (x < 0x1p-1022) {
		x *= 0x1p54;
		bias = 54;
	}
	uint64_t u = bits(x);
	int e = (int)(u >> 52) - 1023;
	double m = of_bits((u & 0xfffffffffffffull) | 0x3ff0000000000000ull);
	if (m >= 0x1.6a09e667f3bcdp+0) {
		m *= 0.5;
		e++;
	}
	*k = e - bias;
	return m;
}

static int64_t nearest(double x)
{
	return (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
}

/* --- double-double ----------------------------------------------------------------------------------------------- */

static struct dd fast_two_sum(double a, double b) /* |a| >= |b|, or a == 0 */
{
	double s = a + b;
	return (struct dd){ s, b - (s - a) };
}

static struct dd two_sum(double a, double b)
{
	double s = a + b, t = s - a;
	return (struct dd){ s, (a - (s - t)) + (b - t) };
}

static struct dd two_prod(double a, double b) /* |a|, |b| < 2^996 */
{
	double p = a * b;
	double t = 134217729.0 * a, ah = t - (t - a), al = a - ah;
	t = 134217729.0 * b;
	double bh = t - (t - b), bl = b - bh;
	return (struct dd){ p, ((ah * bh - p) + ah * bl + al * bh) + al * bl };
}

static struct dd dd_add(struct dd a, struct dd b)
{
	struct dd s = two_sum(a.h, b.h), t = two_sum(a.l, b.l);
	s = fast_two_sum(s.h, s.l + t.h);
	return fast_two_sum(s.h, s.l + t.l);
}

static struct dd dd_mul(struct dd a, struct dd b)
{
	struct dd p = two_prod(a.h, b.h);
	return fast_two_sum(p.h, p.l + (a.h * b.l + a.l * b.h));
}

static struct dd dd_div(struct dd a, struct dd b)
{
	double q = a.h / b.h;
	struct dd p = two_prod(q, b.h);
	return fast_two_sum(q, ((a.h - p.h) - p.l + a.l - q * b.l) / b.h);
}

/* --- logarithms -------------------------------------------------------------------------------------------------- */

/* log(1 + f) for 1 + f in [sqrt 1/2, sqrt 2): relative error about 2^-58 */
static struct dd log_short(struct dd f)
{
	static const double c[] = { /* 2/3, 2/5, ... 2/25 */
		0x1.5555555555555p-1, 0x1.999999999999ap-2, 0x1.2492492492492p-2, 0x1.c71c71c71c71cp-3,
		0x1.745d1745d1746p-3, 0x1.3b13b13b13b14p-3, 0x1.1111111111111p-3, 0x1.e1e1e1e1e1e1ep-4,
		0x1.af286bca1af28p-4, 0x1.8618618618618p-4, 0x1.642c8590b2164p-4, 0x1.47ae147ae147bp-4,
	};
	struct dd t = fast_two_sum(2.0, f.h);
	t.l += f.l;
	struct dd s = dd_div(f, t);
	double z = s.h * s.h, p = c[11];
	for (int i = 10; i >= 0; i--)
		p = c[i] + z * p;
	return fast_two_sum(2.0 * s.h, 2.0 * s.l + s.h * (z * p));
}

/* log(x) to about 100 bits, finite x > 0 */
static struct dd log_long(double x)
{
	int k;
	double f = split2(x, &k) - 1.0;
	struct dd s = dd_div((struct dd){ f, 0 }, fast_two_sum(2.0, f));
	struct dd z = dd_mul(s, s), p = { 0, 0 };
	for (int n = 43; n >= 1; n -= 2)
		p = dd_add(dd_div((struct dd){ 2.0, 0 }, (struct dd){ n, 0 }), dd_mul(z, p));
	p = dd_mul(p, s);
	if (!k)
		return p;
	struct dd lo = two_prod(k, LN2_LO);
	lo.l += k * LN2_LO2;
	return dd_add(dd_add((struct dd){ k * LN2_HI, 0 }, lo), p);
}

/* k ln2 + log(1 + f), rounded */
static double log_join(int k, struct dd f)
{
	struct dd t = log_short(f);
	if (!k)
		return t.h + t.l;
	struct dd s = fast_two_sum(k * LN2_HI, t.h);
	return s.h + (s.l + (t.l + k * LN2_LO));
}

static double nan_of(double x) /* NaN in, NaN out; anything else has no value here */
{
	(void)x;
	return of_bits(0x7ff8000000000000ull);
}

double dm_log(double x)
{
	int k;
	if (!(x > 0))
		return x == 0 ? -INFINITY : nan_of(x);
	if (x == INFINITY)
		return x;
	double m = split2(x, &k);
	return log_join(k, (struct dd){ m - 1.0, 0 });
}

double dm_log1p(double x)
{
	int k;
	if (!(x > -1))
		return x == -1 ? -INFINITY : nan_of(x);
	if (x == INFINITY || (x < 0x1p-54 && x > -0x1p-54))
		return x;
	struct dd u = two_sum(1.0, x);
	double m = split2(u.h, &k);
	return log_join(k, two_sum(m - 1.0, k < 100 ? scale(u.l, -k) : 0.0));
}

double dm_log2(double x)
{
	int k;
	if (!(x > 0))
		return x == 0 ? -INFINITY : nan_of(x);
	if (x == INFINITY)
		return x;
	double m = split2(x, &k);
	struct dd t = dd_mul(log_short((struct dd){ m - 1.0, 0 }), (struct dd){ LOG2E_HI, LOG2E_LO });
	struct dd s = two_sum(k, t.h);
	return s.h + (s.l + t.l);
}

/* --- exponentials ------------------------------------------------------------------------------------------------ */

/* (e^r - 1 - r) / r^2 for |r| <= 0.35 */
static double exp_tail(double r)
{
	static const double c[] = { /* 1/2! ... 1/15! */
		0x1.0000000000000p-1, 0x1.5555555555555p-3, 0x1.5555555555555p-5, 0x1.1111111111111p-7,
		0x1.6c16c16c16c17p-10, 0x1.a01a01a01a01ap-13, 0x1.a01a01a01a01ap-16, 0x1.71de3a556c734p-19,
		0x1.27e4fb7789f5cp-22, 0x1.ae64567f544e4p-26, 0x1.1eed8eff8d898p-29, 0x1.6124613a86d09p-33,
		0x1.93974a8c07c9dp-37, 0x1.ae7f3e733b81fp-41,
	};
	double p = c[13];
	for (int i = 12; i >= 0; i--)
		p = c[i] + r * p;
	return p;
}

/* e^(x.h + x.l) = 2^k (result), |x.h| < 2000 */
static struct dd exp_short(struct dd x, int *k)
{
	*k = (int)nearest(x.h * LOG2E_HI);
	struct dd t = two_sum(x.h, -*k * LN2_HI);
	struct dd r = fast_two_sum(t.h, t.l + (x.l - *k * LN2_LO));
	struct dd s = fast_two_sum(1.0, r.h);
	return fast_two_sum(s.h, s.l + (r.l + r.h * r.h * exp_tail(r.h)));
}

double dm_exp(double x)
{
	int k;
	if (!(x < 710))
		return x >= 710 ? INFINITY : nan_of(x);
	if (x < -746)
		return 0;
	struct dd e = exp_short((struct dd){ x, 0 }, &k);
	return scale(e.h + e.l, k);
}

double dm_expm1(double x)
{
	int k;
	if (!(x < 710))
		return x >= 710 ? INFINITY : nan_of(x);
	if (x < -45)
		return -1;
	if (x < 0x1p-54 && x > -0x1p-54)
		return x;
	if (x < 0.34 && x > -0.34) {
		struct dd q = two_prod(x, x); /* x + x^2/2 + x^3/6 + ... */
		struct dd s = fast_two_sum(x, 0.5 * q.h);
		return s.h + (s.l + (0.5 * q.l + q.h * (exp_tail(x) - 0.5)));
	}
	struct dd e = exp_short((struct dd){ x, 0 }, &k);
	if (k > 100)
		return scale(e.h + e.l, k);
	struct dd s = two_sum(scale(e.h, k), -1.0);
	return s.h + (s.l + scale(e.l, k));
}

double dm_pow(double x, double y)
{
	int k;
	if (y == 0 || x == 1)
		return 1;
	if (!(x >= 0) || y != y)
		return nan_of(x);
	if (x == 0 || x == INFINITY)
		return (x == 0) == (y > 0) ? 0 : INFINITY;
	struct dd t = log_long(x);
	double est = t.h * y;
	if (est > 710)
		return INFINITY;
	if (est < -746)
		return 0;
	t = dd_mul(t, (struct dd){ y, 0 });
	t = exp_short(t, &k);
	return scale(t.h + t.l, k);
}

/* --- sine and cosine --------------------------------------------------------------------------------------------- */

/* x - n pi/2 in [-pi/4, pi/4]; returns n mod 4 */
static int quadrant(double x, struct dd *r)
{
	if (x <= 0x1.921fb54442d18p-1 && x >= -0x1.921fb54442d18p-1) {
		*r = (struct dd){ x, 0 };
		return 0;
	}
	int64_t n = nearest(x * TWO_OVER_PI);
	double d = (double)n;
	struct dd p1 = two_prod(d, PIO2_1), p2 = two_prod(d, PIO2_2);
	struct dd a = two_sum(x, -p1.h), b = two_sum(a.h, -p1.l), c = two_sum(b.h, -p2.h);
	*r = fast_two_sum(c.h, ((a.l + b.l) + c.l) - p2.l - d * PIO2_3);
	return (int)(n & 3);
}

static double sin_short(struct dd r)
{
	static const double c[] = { /* 1/3! 1/5! ... 1/19!, signs alternating */
		-0x1.5555555555555p-3, 0x1.1111111111111p-7, -0x1.a01a01a01a01ap-13, 0x1.71de3a556c734p-19,
		-0x1.ae64567f544e4p-26, 0x1.6124613a86d09p-33, -0x1.ae7f3e733b81fp-41, 0x1.952c77030ad4ap-49,
		-0x1.2f49b46814157p-57,
	};
	double z = r.h * r.h, p = c[8];
	for (int i = 7; i >= 0; i--)
		p = c[i] + z * p;
	return r.h + (r.l * (1.0 - 0.5 * z) + r.h * (z * p));
}

static double cos_short(struct dd r)
{
	static const double c[] = { /* 1/4! 1/6! ... 1/18!, signs alternating */
		0x1.5555555555555p-5, -0x1.6c16c16c16c17p-10, 0x1.a01a01a01a01ap-16, -0x1.27e4fb7789f5cp-22,
		0x1.1eed8eff8d898p-29, -0x1.93974a8c07c9dp-37, 0x1.ae7f3e733b81fp-45, -0x1.6827863b97d97p-53,
	};
	struct dd z = two_prod(r.h, r.h);
	double p = c[7];
	for (int i = 6; i >= 0; i--)
		p = c[i] + z.h * p;
	struct dd w = fast_two_sum(1.0, -0.5 * z.h);
	return w.h + (w.l + (z.h * (z.h * p) - (0.5 * z.l + r.h * r.l)));
}

double dm_sin(double x)
{
	struct dd r;
	if (!(x < 0x1p30 && x > -0x1p30))
		return nan_of(x);
	if (x < 0x1p-27 && x > -0x1p-27)
		return x;
	int q = quadrant(x, &r);
	double v = q & 1 ? cos_short(r) : sin_short(r);
	return q & 2 ? -v : v;
}

double dm_cos(double x)
{
	struct dd r;
	if (!(x < 0x1p30 && x > -0x1p30))
		return nan_of(x);
	int q = quadrant(x, &r);
	double v = q & 1 ? sin_short(r) : cos_short(r);
	return q == 1 || q == 2 ? -v : v;
}

/* --- the rest ---------------------------------------------------------------------------------------------------- */

double dm_floor(double x)
{
	if (!(x < 0x1p52 && x > -0x1p52) || x == 0)
		return x == x ? x : nan_of(x);
	double t = (double)(int64_t)x;
	if (t > x)
		t -= 1.0;
	return t == 0 && x < 0 ? -0.0 : t;
}

/* sum of c[i] d^(i+2) for i < n, after the linear term a d */
static double series(double a, const double *c, int n, double d)
{
	double p = c[n - 1];
	for (int i = n - 2; i >= 0; i--)
		p = c[i] + d * p;
	return d * (a + d * p);
}

double dm_lgamma(double x)
{
	/* around 1: -gamma d + sum (-1)^k zeta(k)/k d^k; around 2: (1-gamma) d + sum (-1)^k (zeta(k)-1)/k d^k */
	static const double at1[] = { 0x1.a51a6625307d3p-1, -0x1.9a4d55beab2d7p-2, 0x1.151322ac7d848p-2,
				      -0x1.a8b9c17aa6149p-3, 0x1.5b40cb100c306p-3, -0x1.2703a1dcea3aep-3,
				      0x1.010b36af86397p-3, -0x1.c806706d57db4p-4 };
	static const double at2[] = { 0x1.4a34cc4a60fa6p-2, -0x1.13e001a557607p-4, 0x1.51322ac7d8483p-6,
				      -0x1.e404fc218f5f2p-8, 0x1.7add6eadb6c30p-9, -0x1.38ac5c2bf8e08p-10,
				      0x1.0b36af86396e9p-11, -0x1.d3fd4c76d2fc8p-13 };
	/* Stirling: sum B(2j) / (2j (2j-1) x^(2j-1)) */
	static const double st[] = { 0x1.5555555555555p-4, -0x1.6c16c16c16c17p-9, 0x1.a01a01a01a01ap-11,
				     -0x1.3813813813814p-11, 0x1.b951e2b18ff23p-11, -0x1.f6ab0d9993c7dp-10,
				     0x1.a41a41a41a41ap-8, -0x1.e4286cb0f5398p-6 };
	if (!(x > 0))
		return x == 0 ? INFINITY : nan_of(x);
	if (x == INFINITY)
		return x;
	if (x == 1 || x == 2)
		return 0;
	if (x > 0.99 && x < 1.01)
		return series(-0x1.2788cfc6fb619p-1, at1, 8, x - 1.0);
	if (x > 1.99 && x < 2.01)
		return series(0x1.b0ee6072093cep-2, at2, 8, x - 2.0);
	if (x > 0x1p60) /* the product x (log x - 1) is all that a double shows */
		return x * (dm_log(x) - 1.0);

	struct dd z = { x, 0 }, skipped = { 1, 0 };
	while (z.h < 16) {
		skipped = dd_mul(skipped, z);
		z = dd_add(z, (struct dd){ 1.0, 0 });
	}
	double w = 1.0 / z.h, w2 = w * w, tail = st[7];
	for (int i = 6; i >= 0; i--)
		tail = st[i] + w2 * tail;
	/* log(z.h + z.l) = log z.h + z.l / z.h */
	struct dd lz = dd_add(log_long(z.h), (struct dd){ z.l / z.h, 0 });
	struct dd r = dd_mul(dd_add(z, (struct dd){ -0.5, 0 }), lz);
	r = dd_add(r, (struct dd){ -z.h, -z.l });
	r = dd_add(r, (struct dd){ 0x1.d67f1c864beb5p-1, -0x1.65b5a1b7ff5dfp-55 });
	r = dd_add(r, (struct dd){ w * tail, 0 });
	if (x < 16) {
		struct dd ls = dd_add(log_long(skipped.h), (struct dd){ skipped.l / skipped.h, 0 });
		r = dd_add(r, (struct dd){ -ls.h, -ls.l });
	}
	return r.h + r.l;
}

/* --- the fused multiply-add in integers -------------------------------------------------------------------------- */

typedef unsigned __int128 u128;

struct big { /* m * 2^e, m with its highest bit at 125 */
	u128 m;
	int e;
};

static int high_bit(u128 m)
{
	uint64_t h = (uint64_t)(m >> 64);
	return h ? 127 - __builtin_clzll(h) : 63 - __builtin_clzll((uint64_t)m);
}

static struct big big_norm(u128 m, int e)
{
	int s = 125 - high_bit(m);
	return (struct big){ s >= 0 ? m << s : m >> -s | ((m & (((u128)1 << -s) - 1)) != 0), e - s };
}

static uint64_t mantissa(double x, int *e)
{
	uint64_t u = bits(x), m = u & 0xfffffffffffffull;
	int x_e = (int)(u >> 52 & 2047);
	*e = (x_e ? x_e : 1) - 1075;
	return x_e ? m | 0x10000000000000ull : m;
}

/* m * 2^e, highest bit at 125 and a sticky lowest bit, rounded to nearest even */
static double big_round(struct big b, uint64_t sign)
{
	int exp = b.e + 125 + 1023, drop = 125 - 52; /* biased exponent, bits to drop */
	if (exp < 1) {
		drop += 1 - exp;
		exp = 0;
	}
	if (drop > 127)
		return of_bits(sign);
	uint64_t q = (uint64_t)(b.m >> drop);
	u128 rest = b.m & (((u128)1 << drop) - 1), half = (u128)1 << (drop - 1);
	q += rest > half || (rest == half && (q & 1));
	/* the hidden bit of q, where there is one, carries into the exponent field */
	uint64_t u = exp ? ((uint64_t)(exp - 1) << 52) + q : q;
	if (exp > 2046 || u >= 0x7ff0000000000000ull)
		u = 0x7ff0000000000000ull;
	return of_bits(u | sign);
}

double dm_fma(double a, double b, double c)
{
#if defined(__FMA__) || defined(__aarch64__) || defined(__FP_FAST_FMA)
	return __builtin_fma(a, b, c);
#else
	return dm_fma_soft(a, b, c);
#endif
}

double dm_fma_soft(double a, double b, double c)
{
	const uint64_t exps = 0x7ff0000000000000ull;
	uint64_t ua = bits(a), ub = bits(b), uc = bits(c), sp = (ua ^ ub) & 1ull << 63, sc = uc & 1ull << 63;
	if ((ua & exps) == exps || (ub & exps) == exps)
		return a * b + c;
	if ((uc & exps) == exps)
		return c + c;
	if (a == 0 || b == 0)
		return a * b + c;
	int ea, eb, ec;
	u128 m = mantissa(a, &ea);
	m *= mantissa(b, &eb);
	struct big p = big_norm(m, ea + eb);
	if (c == 0)
		return big_round(p, sp);
	m = mantissa(c, &ec);
	struct big q = big_norm(m, ec);
	if (p.e < q.e || (p.e == q.e && p.m < q.m)) { /* p the larger */
		struct big t = p;
		p = q;
		q = t;
		uint64_t s = sp;
		sp = sc;
		sc = s;
	}
	int d = p.e - q.e;
	if (d > 126)
		q.m = 1;
	else if (d)
		q.m = q.m >> d | ((q.m & (((u128)1 << d) - 1)) != 0);
	m = sp == sc ? p.m + q.m : p.m - q.m;
	if (!m)
		return 0;
	return big_round(big_norm(m, p.e), sp);
}
