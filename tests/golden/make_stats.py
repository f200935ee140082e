#!/usr/bin/env python3
"""Makes stats.tsv: Student's t quantiles by mpmath (50 digits), Wilson intervals, and lm-evaluation-harness's bootstrap.

Usage: make_stats.py > stats.tsv
"""
import math
import random

from mpmath import mp, mpf, betainc, findroot, sqrt

mp.dps = 50


def t_quantile(p, df):
    p, df = mpf(p), mpf(df)
    f = lambda t: 1 - betainc(df / 2, mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2 - p
    lo, hi = mpf(0), mpf(2)
    while f(hi) < 0:
        lo, hi = hi, 2 * hi
    return findroot(f, (lo, hi), solver="anderson", tol=1e-40)


for df in (1, 2, 3, 4, 5, 9, 10, 29, 30, 39, 99, 100, 999, 1318, 10041, 100000):
    print("t", "0.975", df, mp.nstr(t_quantile("0.975", df), 20), sep="\t")
for df in (1, 7, 50):
    print("t", "0.9", df, mp.nstr(t_quantile("0.9", df), 20), sep="\t")
z = mpf("1.959963984540054")
for k, n in ((0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (125, 1000), (7021, 14042), (1, 1319)):
    p, m = mpf(k) / n, mpf(n)
    c = (p + z * z / (2 * m)) / (1 + z * z / m)
    h = z / (1 + z * z / m) * sqrt(p * (1 - p) / m + z * z / (4 * m * m))
    print("wilson", k, n, mp.nstr(c - h, 20), mp.nstr(c + h, 20), sep="\t")


def stdev(a):
    mu = sum(a) / len(a)
    return math.sqrt(sum([(x - mu) ** 2 for x in a]) / (len(a) - 1))


for n in (2, 5, 17):
    r = random.Random(n)
    xs = [-10 * r.random() for _ in range(n)]
    res = []
    for i in range(100):
        rnd = random.Random()
        rnd.seed(i)
        for _ in range(1000):
            s = rnd.choices(xs, k=n)
            res.append(math.exp(-(sum(s) / len(s))))
    print("bootstrap", n, repr(stdev(res)), *map(repr, xs), sep="\t")
    print("se", n, repr(stdev(xs) / math.sqrt(n)), *map(repr, xs), sep="\t")
