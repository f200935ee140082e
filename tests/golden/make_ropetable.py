#!/usr/bin/env python3
"""Rotary frequencies and tables at 60 digits, for tests/test_config.c. Usage: make_ropetable.py > ropetable.h  (needs mpmath)

Formulas: plain and linear from the papers; llama3 by wavelength as in the released model code; yarn as in its paper with the
released code's rounding of the ramp's bounds.
"""
from mpmath import mp, mpf, cos, sin, log, pi, floor, ceil

mp.dps = 60
AT = [0, 1, 2, 63, 511, 4095, 131071]
CASES = [
    ("plain 8", 8, dict(type="PLAIN", theta=10000)),
    ("plain 6 of 24", 6, dict(type="PLAIN", theta=10000)),
    ("theta 1e6", 16, dict(type="PLAIN", theta=1000000)),
    ("linear", 8, dict(type="LINEAR", theta=10000, factor=2.5)),
    ("llama3", 16, dict(type="LLAMA3", theta=500000, factor=8, low=1, high=4, orig=64)),
    ("llama 3.1", 128, dict(type="LLAMA3", theta=500000, factor=8, low=1, high=4, orig=8192)),
    ("yarn", 20, dict(type="YARN", theta=10000, factor=20, orig=64)),
    ("yarn, not truncated", 64, dict(type="YARN", theta=150000, factor=32, orig=4096, truncate=False)),
    ("yarn with attention_factor", 16, dict(type="YARN", theta=10000, factor=4, orig=128, att=1.25)),
    ("yarn with two mscales", 16, dict(type="YARN", theta=10000, factor=40, orig=128, ms=0.7, msa=0.9)),
    ("yarn with one mscale", 16, dict(type="YARN", theta=10000, factor=40, orig=128, ms=0.7)),
]


def frequencies(dims, c):
    theta, factor = mpf(c["theta"]), mpf(c.get("factor", 1))
    f = [theta ** (-mpf(2 * k) / dims) for k in range(dims // 2)]
    if c["type"] == "LINEAR":
        return [x / factor for x in f]
    if c["type"] == "LLAMA3":
        out = []
        for x in f:
            wave = 2 * pi / x
            if wave < mpf(c["orig"]) / c["high"]:
                out.append(x)
            elif wave > mpf(c["orig"]) / c["low"]:
                out.append(x / factor)
            else:
                s = (c["orig"] / wave - c["low"]) / (c["high"] - c["low"])
                out.append((1 - s) * x / factor + s * x)
        return out
    if c["type"] == "YARN":
        def dim(rot):
            return dims * log(c["orig"] / (2 * pi * rot)) / (2 * log(theta))
        lo, hi = dim(32), dim(1)
        if c.get("truncate", True):
            lo, hi = floor(lo), ceil(hi)
        lo, hi = max(lo, mpf(0)), min(hi, mpf(dims - 1))
        hi = max(hi, mpf(0)); lo = min(lo, mpf(dims - 1))
        if lo == hi:
            hi += mpf("0.001")
        ramp = [min(max((k - lo) / (hi - lo), mpf(0)), mpf(1)) for k in range(dims // 2)]
        return [x / factor * r + x * (1 - r) for x, r in zip(f, ramp)]
    return f


def scale(c):
    if c["type"] != "YARN":
        return mpf(1)
    m = lambda s: mpf("0.1") * s * log(c["factor"]) + 1
    if "att" in c:
        return mpf(c["att"])
    if "ms" in c and "msa" in c:
        return m(mpf(str(c["ms"]))) / m(mpf(str(c["msa"])))
    return m(mpf(1))


def row(v):
    return "{ " + ", ".join(mp.nstr(x, 20) for x in v) + " }"


print("/* Made by make_ropetable.py. */")
print("#define GOLDEN_ROPE_POSITIONS %d" % len(AT))
print("static const int golden_rope_at[GOLDEN_ROPE_POSITIONS] = { %s };" % ", ".join(map(str, AT)))
print("static const struct golden_rope {")
print("\tconst char *name;\n\tint dims;\n\tstruct rope_config config;\n\tdouble scale, freq[64], cos[GOLDEN_ROPE_POSITIONS][64], sin[GOLDEN_ROPE_POSITIONS][64];")
print("} golden_rope[] = {")
for name, dims, c in CASES:
    f, s = frequencies(dims, c), scale(c)
    conf = [".type = ROPE_" + c["type"], ".theta = %g" % c["theta"], ".factor = %g" % c.get("factor", 0), ".truncate = %d" % c.get("truncate", True),
            ".beta_fast = 32", ".beta_slow = 1", ".original_positions = %d" % c.get("orig", 0), ".low_freq_factor = %g" % c.get("low", 0),
            ".high_freq_factor = %g" % c.get("high", 0), ".attention_factor = %g" % c.get("att", 0), ".mscale = %g" % c.get("ms", 0),
            ".mscale_all_dim = %g" % c.get("msa", 0)]
    print('\t{ "%s", %d, { %s }, %s,\n\t  %s,\n\t  {' % (name, dims, ", ".join(conf), mp.nstr(s, 20), row(f)))
    for p in AT:
        print("\t    " + row([cos(p * x) * s for x in f]) + ",")
    print("\t  },\n\t  {")
    for p in AT:
        print("\t    " + row([sin(p * x) * s for x in f]) + ",")
    print("\t  } },")
print("};")
