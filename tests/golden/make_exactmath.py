#!/usr/bin/env python3
"""Prints the constants of kernels/exactmath.h (needs mpmath).

Each is the minimax polynomial of its function under the relative error of the final result, by the Remez exchange in
50 digits. Coefficients are then rounded to floats, and neighbours of one or two of them are tried as long as the largest
error falls. That error is printed in front, in units of 2^-24.
"""
from mpmath import mp, mpf, matrix, lu_solve, log, exp, expm1, log1p, tanh, erfc, sqrt, cos, pi, inf
import struct

mp.dps = 50
LN2 = log(2)


def to_float(v):
    return mpf(struct.unpack("f", struct.pack("f", float(v)))[0])


def hexf(v):
    h = float(v).hex()
    m, e = h.split("p")
    return (m.rstrip("0").rstrip(".") if "." in m else m) + "p" + e + "f"


def remez(g, w, lo, hi, n, grid=700):
    """min max |w(x) (g(x) - sum c_i x^i)|, i < n, on [lo, hi]"""
    # cosine-spaced points: the error turns faster at the ends
    xs = [lo + (hi - lo) * (1 - cos(pi * (i + mpf(1) / 2) / grid)) / 2 for i in range(grid)]
    gs, ws = [g(x) for x in xs], [w(x) for x in xs]
    pw = [[x ** p for p in range(n)] for x in xs]
    ref = [int(grid * (1 - cos(pi * i / n)) / 2) for i in range(n + 1)]
    ref = [min(max(r, 0), grid - 1) for r in ref]
    for _ in range(30):
        a, b = matrix(n + 1, n + 1), matrix(n + 1, 1)
        for r, i in enumerate(ref):
            for c in range(n):
                a[r, c] = pw[i][c]
            a[r, n] = (-1) ** r / ws[i]
            b[r] = gs[i]
        s = lu_solve(a, b)
        err = [ws[i] * (gs[i] - sum(s[c] * pw[i][c] for c in range(n))) for i in range(grid)]
        best = max(abs(e) for e in err)
        if best <= abs(s[n]) * mpf("1.0005"):
            break
        # the extremum of every run of one sign
        runs, start = [], 0
        for i in range(1, grid + 1):
            if i == grid or (err[i] > 0) != (err[start] > 0):
                runs.append(max(range(start, i), key=lambda k: abs(err[k])))
                start = i
        while len(runs) > n + 1:
            runs.pop(0 if abs(err[runs[0]]) < abs(err[runs[-1]]) else -1)
        if len(runs) < n + 1:
            break
        ref = runs
    return [s[c] for c in range(n)], best


def fit(name, g, w, lo, hi, degree, fixed=()):
    """fixed: coefficients of the lowest powers that are given"""
    lo, hi, m = mpf(lo), mpf(hi), len(fixed)
    low = [mpf(k) for k in fixed]
    tail, best = remez(lambda x: (g(x) - sum(k * x ** i for i, k in enumerate(low))) / x ** m if m else g(x),
                       lambda x: w(x) * abs(x) ** m, lo, hi, degree + 1 - m)
    c = low + [to_float(k) for k in tail]
    xs = [lo + (hi - lo) * i / 198 + mpf("1e-9") for i in range(198)]
    table = [(w(x), g(x), [x ** i for i in range(degree + 1)]) for x in xs]

    def worst(c):
        return max(abs(wx * (gx - sum(k * p for k, p in zip(c, pw)))) for wx, gx, pw in table)

    err, better = worst(c), True
    while better:  # neighbours of one or two coefficients
        better = False
        for i in range(m, degree + 1):
            for j in range(i, degree + 1):
                for si in (-1, 1):
                    for sj in (-1, 1) if j > i else (0,):
                        t = list(c)
                        t[i] = to_float(t[i] + si * ulp(t[i]))
                        t[j] = to_float(t[j] + sj * ulp(t[j]))
                        e = worst(t)
                        if e < err * mpf("0.999"):
                            c, err, better = t, e, True
    print("/* %s: degree %d on [%.4f, %.4f], error %.3f x 2^-24 (in real coefficients %.3f) */"
          % (name, degree, lo, hi, err * 2 ** 24, best * 2 ** 24))
    print("\n".join("#define XM_%s%d %s" % (name, i, hexf(k)) for i, k in enumerate(c)))


def ulp(v):
    return mpf(2) ** (int(mp.floor(log(abs(v), 2))) - 23)


def part(name, v, n):
    """v as n floats, each the rounding of what is left"""
    for i in range(n):
        f = to_float(v)
        print("#define XM_%s%s %s" % (name, ["_HI", "_LO", "_LO2"][i], hexf(f)))
        v -= f


def nz(x):  # the limit at 0, for quotients
    return x if abs(x) > mpf(10) ** -15 else mpf(10) ** -15


part("LOG2E", 1 / LN2, 2)
# n * LN2_HI is exact for |n| < 256: 16 bits
hi = mpf(int(LN2 * 2 ** 16)) / 2 ** 16
print("#define XM_LN2_HI %s" % hexf(hi))
print("#define XM_LN2_LO %s" % hexf(to_float(LN2 - hi)))
fit("EX2_", lambda x: mpf(2) ** x, lambda x: mpf(2) ** -x, -0.5, 0.5, 6, fixed=[1])
# expm1(r) = r + r^2 p(r)
g = lambda r: (expm1(nz(r)) - nz(r)) / nz(r) ** 2
h = LN2 / 2 * mpf("1.01")
fit("EXPM1_", g, lambda r: nz(r) ** 2 / abs(expm1(nz(r))), -h, h, 5)
# log1p(f) = f + f^2 p(f)
g = lambda f: (log1p(nz(f)) - nz(f)) / nz(f) ** 2
fit("LOG1P_", g, lambda f: nz(f) ** 2 / abs(log1p(nz(f))), sqrt(mpf(1) / 2) - 1, sqrt(mpf(2)) - 1, 8)
# tanh(x) = x + x z p(z), z = x^2
g = lambda z: (tanh(sqrt(nz(z))) / sqrt(nz(z)) - 1) / nz(z)
fit("TANH_", g, lambda z: nz(z) * sqrt(nz(z)) / tanh(sqrt(nz(z))), 0, mpf("0.36"), 5)
# Phi(-a) = exp(-a^2/2) p(t) / (a + K), t = (a - K) / (a + K)
K = mpf("3.375")  # among its neighbours the one whose coefficients round best
r = lambda a: exp(a * a / 2) * erfc(a / sqrt(2)) / 2 * (a + K)
g = lambda t: r(K * (1 + t) / (1 - t))
fit("PHI_", g, lambda t: 1 / g(t), (mpf("0.68") - K) / (mpf("0.68") + K), (mpf("13.4") - K) / (mpf("13.4") + K), 9)
# Phi(x) = 1/2 + x p(z), z = x^2
g = lambda z: (1 - erfc(sqrt(nz(z) / 2))) / 2 / sqrt(nz(z))
fit("PHI0_", g, lambda z: 2 / g(z), 0, mpf("0.5"), 4)
part("GELU_K1", 2 * sqrt(2 / pi) / LN2, 2)
part("GELU_K2", 2 * sqrt(2 / pi) * mpf("0.044715") / LN2, 2)
