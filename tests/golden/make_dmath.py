#!/usr/bin/env python3
# make_dmath.py - golden values for tests/test_dmath.c, by mpmath at 2400 bits:  make_dmath.py > dmath.tsv
# Columns: function, x, y (pow and fma's second; "-" else), z (fma's third), value rounded to double, what is left of the
# value as a second double ("0x0p+0" where the first is exact, infinite or below 2^-1000). Doubles in hexadecimal.
import math
import random
from mpmath import mp, mpf, log, log1p, exp, expm1, sin, cos, loggamma, floor, inf, isinf

mp.prec = 2400
rnd = random.Random(20261124)


def to_double(v):
    """nearest double, subnormals and overflow included (float(mpf) rounds twice below 2^-1022)"""
    if isinf(v) or v == 0:
        return float(v)
    _, man, e, bc = (abs(v))._mpf_
    e2 = e + bc - 1  # floor(log2 |v|)
    unit = max(e2 - 52, -1074)
    q = abs(v) * mpf(2) ** (-unit)
    n = int(floor(q))
    r = q - n
    if r > mpf(1) / 2 or (r == mpf(1) / 2 and n & 1):
        n += 1
    try:
        f = math.ldexp(n, unit)
    except OverflowError:
        f = math.inf
    return -f if v < 0 else f


def row(fn, v, x, y=None, z=None):
    h = to_double(v)
    rest = 0.0 if isinf(v) or math.isinf(h) or abs(h) < 2.0 ** -1000 else to_double(v - mpf(h))
    cols = [fn, x.hex(), "-" if y is None else y.hex(), "-" if z is None else z.hex(), h.hex(), rest.hex()]
    print("\t".join(cols))


def spread(lo, hi, n):
    """n positive doubles, uniform in the exponent"""
    return [math.ldexp(1 + rnd.random(), rnd.randrange(lo, hi)) for _ in range(n)]


def near(points, n):
    out = []
    for p in points:
        out += [p, math.nextafter(p, math.inf), math.nextafter(p, -math.inf)]
        out += [p * (1 + rnd.uniform(-1, 1) * 2.0 ** -rnd.randrange(2, 50)) for _ in range(n)]
    return out


both = lambda xs: xs + [-x for x in xs]
positive = spread(-1074, 1023, 60) + spread(-4, 6, 100) + near([1.0, 2.0, 0.5, math.sqrt(0.5), math.sqrt(2)], 12)
positive += [5e-324, 2.0 ** -1022, 1.7976931348623157e308]
for x in positive:
    row("log", log(mpf(x)), x)
    row("log2", log(mpf(x)) / log(mpf(2)), x)
for x in both(spread(-60, 0, 120)) + spread(0, 1000, 60) + near([-0.5, 0.5, -0.29289, 0.41421, 1.0], 8) + [-1 + 2.0 ** -53, -0.9]:
    row("log1p", log1p(mpf(x)), x)
edge = [709.782712893384, 709.7827128933841, -745.1332191019411, -745.13321910194122, -708.3964185322641]
for x in both(spread(-40, 9, 150)) + near([math.log(2) * k / 2 for k in (-7, -3, -1, 1, 3, 9)], 6) + edge:
    row("exp", exp(mpf(x)), x)
    if x < 709.7:
        row("expm1", expm1(mpf(x)), x)
for x in both(spread(-30, 3, 100) + spread(3, 30, 120)) + near([math.pi / 4 * k for k in range(1, 17)], 4):
    if abs(x) < 2.0 ** 30:
        row("sin", sin(mpf(x)), x)
        row("cos", cos(mpf(x)), x)
for k in [1, 2, 3, 11, 355, 103993, 411557987, 683565275]:  # doubles next to multiples of pi/2
    x = float(mp.pi / 2 * k)
    row("sin", sin(mpf(x)), x)
    row("cos", cos(mpf(x)), x)
for _ in range(200):  # rope frequencies: base^(-2i/d)
    base, d = rnd.choice([10000.0, 500000.0, 1000000.0, 150000.0, 10.5]), rnd.choice([64, 96, 128, 80])
    y = -2.0 * rnd.randrange(d // 2) / d
    row("pow", mpf(base) ** mpf(y), base, y)
for x in spread(-1070, 1023, 150) + near([1.0], 30):
    y = rnd.uniform(-1, 1) * 740 / max(abs(math.log(x)), 1e-12)
    row("pow", mpf(x) ** mpf(y), x, y)
for b, e in [(10, 2), (10, 22), (2, -1074), (2, 1023), (3, 33), (7, -1), (1.5, 70), (4, 0.5), (2, 1024), (2, -1080)]:
    row("pow", mpf(b) ** mpf(e), float(b), float(e))
for x in both(spread(-20, 60, 60)) + near([1.0, -1.0, 4503599627370496.0, -4503599627370496.5, 0.5, 2147483648.0], 3):
    row("floor", floor(mpf(x)), x)
for x in spread(-80, 40, 150) + near([1.0, 2.0, 0.99, 1.01, 1.99, 2.01, 16.0, 3.0, 0.5], 10) + spread(40, 1010, 20) + [k / 2 for k in range(1, 60)]:
    row("lgamma", loggamma(mpf(x)), x)
for _ in range(500):
    kind = rnd.randrange(5)
    if kind == 0:  # everywhere
        a, b, c = [math.ldexp(rnd.uniform(-2, 2), rnd.randrange(-500, 500)) for _ in range(3)]
    elif kind == 1:  # c cancels the product but for its tail
        a, b = rnd.uniform(-2, 2), rnd.uniform(-2, 2)
        c = -(a * b)
    elif kind == 2:  # halfway cases and neighbours
        a, b = 1 + 2.0 ** -rnd.randrange(1, 53), 1 + 2.0 ** -rnd.randrange(1, 53)
        c = rnd.choice([-1, 1]) * 2.0 ** -rnd.randrange(0, 120)
    elif kind == 3:  # subnormal results
        a, b = rnd.uniform(-2, 2) * 2.0 ** -520, rnd.uniform(-2, 2) * 2.0 ** -rnd.randrange(500, 560)
        c = rnd.uniform(-2, 2) * 2.0 ** -rnd.randrange(1020, 1074)
    else:  # overflow
        a, b, c = rnd.uniform(1, 2) * 2.0 ** 511, rnd.uniform(1, 2) * 2.0 ** 512, rnd.uniform(-2, 2) * 2.0 ** 1022
    row("fma", mpf(a) * mpf(b) + mpf(c), a, b, c)
