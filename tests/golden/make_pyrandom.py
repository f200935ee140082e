#!/usr/bin/env python3
"""Writes pyrandom.vec: what CPython's random.Random gives. One line per call: WHAT SEED N K : VALUES"""
import random

def line(what, seed, n, k, values):
    print(what, seed, n, k, ":", *values)

seeds = [0, 1, 42, 1234, 999999, 2**31 - 1, 2**32 - 1, 2**32, 2**53 + 1, 2**64 - 1]
for s in seeds:
    r = random.Random(s)
    line("random", s, 0, 5, [r.random().hex() for _ in range(5)])
    for n in (1, 2, 3, 100, 2**31, 2**32, 2**32 + 1, 2**40 + 7, 2**63 + 5):
        r = random.Random(s)
        line("below", s, n, 6, [r._randbelow(n) for _ in range(6)])
    for n, k in ((0, 0), (1, 1), (5, 5), (8, 3), (16, 3), (20, 5), (21, 4), (22, 4), (21, 5), (22, 5), (37, 6), (84, 6), (85, 6), (86, 6), (100, 25),
                 (277, 25), (278, 25), (1000, 22), (7473, 5), (39905, 11), (2000, 100), (1045, 100), (1046, 100)):
        r = random.Random(s)
        line("sample", s, n, k, r.sample(range(n), k))
    for n, k in ((1, 4), (100, 8), (1319, 20)):
        r = random.Random(s)
        line("choices", s, n, k, r.choices(range(n), k=k))
    for n in (0, 1, 2, 4, 10, 50):
        r = random.Random(s)
        v = list(range(n))
        r.shuffle(v)
        line("shuffle", s, n, n, v)
# one generator for many calls: the state carries over
r = random.Random(1234)
for _ in range(300):
    line("chain", 1234, 7473, 5, r.sample(range(7473), 5))
