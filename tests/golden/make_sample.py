#!/usr/bin/env python3
"""Makes sample.tsv: tokens drawn by NUMERICS.md section 5 in Python's integers and doubles, and exact powers of two by mpmath.

Usage: make_sample.py > sample.tsv
Lines, by tabs:
  exp2 d weight                        d as a hexadecimal double, weight = round(2^31 2^-d)
  draw kind seed v temperature top_p top_k c0 c1 c2 c3 k0 k1 id
The row of logits is made from (kind, seed, v) by the same few integer operations here and in tests/sample_rows.h.
"""
import random
import struct
from fractions import Fraction

from mpmath import mp, mpf, power, nint

mp.dps = 60
M64 = (1 << 64) - 1
M32 = (1 << 32) - 1


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def row(kind, seed, v):
    x = (seed * 2654435769 + 1) & M64
    out = []
    for i in range(v):
        x = (x * 6364136223846793005 + 1442695040888963407) & M64
        u = x >> 40  # 24 bits
        j = u - (1 << 23)
        if kind == 0:
            y = j * 2.0**-20
        elif kind == 1:
            y = (u >> 21) * 0.5 - 2
        elif kind == 2:
            y = 1.5
        elif kind == 3:
            y = 2.0**100 if i == seed % v else j * 2.0**-20
        elif kind == 4:
            y = float("-inf") if u & 1 else j * 2.0**-21
        elif kind == 5:
            y = 20.0 + (u & 63) * 2.0**-19
        elif kind == 6:
            y = j * 2.0**-18 if u & 127 == 5 else j * 2.0**-22 - 12
        elif kind == 7:
            y = float("-inf")
        elif kind == 8:
            y = float("inf") if i in (v // 2, v - 1) else j * 2.0**-20
        elif kind == 9:
            y = -0.0 if u & 1 else 0.0
        out.append(f32(y))
    return out


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & M32, (a >> 32) ^ c[3] ^ k[1], a & M32]
        k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
    return c


# ln(2)^k / k! in units of 2^-32, from the definition
def series():
    out = []
    for k in range(12):
        t = mp.log(2) ** k / mp.factorial(k)
        out.append(int(nint(t * 2**32)))
    return out


SERIES = series()


def weight(d):
    if not d < 32:
        return 0
    v = int(Fraction(d) * 2**32)  # truncates
    n, f = v >> 32, v & M32
    h = SERIES[-1]
    for c in reversed(SERIES[:-1]):
        h = c - ((h * f) >> 32)
    return (h >> 1) >> n


def draw(logits, temperature, top_p, top_k, counter, key):
    top = max(logits)
    if top in (float("inf"), float("-inf")):
        return logits.index(top)
    scale = 1.4426950408889634 / temperature
    ranks = []
    memo = {}
    for i, l in enumerate(logits):
        w = memo.get(l)
        if w is None:
            d = (top - l) * scale
            w = memo[l] = (d, weight(d))
        if w[1]:
            ranks.append((w[0], i, w[1]))
    ranks.sort()
    if top_k > 0:
        ranks = ranks[:top_k]
    if top_p < 1:
        total = sum(r[2] for r in ranks)
        share, s = int(Fraction(top_p) * 2**32), 0
        for n, r in enumerate(ranks):
            s += r[2]
            if s << 32 >= total * share:
                ranks = ranks[: n + 1]
                break
    total = sum(r[2] for r in ranks)
    out = philox(counter, key)
    pick = ((out[1] << 32 | out[0]) * total) >> 64
    s = 0
    for _, i, w in sorted(ranks, key=lambda r: r[1]):
        s += w
        if s > pick:
            return i


def main():
    rng = random.Random(20261124)
    for k in range(400):
        d = rng.random() * 33 if k > 70 else k / 2
        w = int(nint(power(2, 31 - mpf(d)))) if d < 32 else 0
        print("exp2", float(d).hex(), w, sep="\t")
    temperatures = [1.0, 0.7, 0.25, 2.0, 1e-6, 100.0, 0.8]
    shares = [1.0, 0.9, 0.95, 0.5, 1e-12, 0.999999, 0.1]
    sizes = [1, 2, 3, 31, 33, 255, 257, 1000, 1024, 1025, 2048, 5000, 32000]
    for n in range(700):
        kind = n % 10
        v = rng.choice(sizes[:-1]) if n % 25 else sizes[-1]
        if n in (101, 234, 456):
            v = 151936
        ks = [0, 0, 1, 2, 5, 40, 1000, v, v + 1, 2**31 - 1]
        t, p, k = rng.choice(temperatures), rng.choice(shares), rng.choice(ks)
        seed = rng.randrange(1 << 20)
        counter = [rng.getrandbits(32) for _ in range(4)]
        key = [rng.getrandbits(32) for _ in range(2)]
        print("draw", kind, seed, v, repr(t), repr(p), k, *counter, *key, draw(row(kind, seed, v), t, p, k, counter, key), sep="\t")


main()
