#!/usr/bin/env python3
"""Cuts reference models down to what tests/test_families.c needs: make_families.py ORACLE [NAME...]  writes families/NAME.json

ORACLE holds specs/NAME.json (config, and every tensor as a function of a seed: name, shape, dtype, std, mean) and
expected/NAME.json.gz (token ids; logits and log-probabilities of transformers in float64). Of each case, the shorter first,
all log-probabilities are kept, and the whole row of logits at the last position that has one. The test makes the weights
itself. families/hashes is made by tests/tools/models_oracle.py --hashes. Standard library only.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tools"))
import models_files

if len(sys.argv) < 2:
    sys.exit(__doc__)
oracle, out = sys.argv[1], os.path.join(os.path.dirname(os.path.abspath(__file__)), "families")
os.makedirs(out, exist_ok=True)


def tensor(t):
    kind = t.get("kind", "normal")
    return [t["name"], t["dtype"], t["shape"]] + {"normal": [t.get("std"), t.get("mean")], "randint": [t.get("low"), t.get("high")]}.get(kind, [])


def short(row):
    return json.dumps([float("%.10g" % x) for x in row], separators=(",", ":"))


for name in sys.argv[2:] or models_files.names(oracle):
    spec = models_files.spec(oracle, name)
    exp = models_files.expected(oracle, name)
    cases = ['{"ids": %s,\n"logits_at": %d,\n"logits": %s,\n"logprobs": %s}' % (
        json.dumps(c["ids"], separators=(",", ":")), c["logits_at"][-1], short(c["logits"][-1]), short(c["logprobs"]))
        for c in sorted(exp["cases"], key=lambda c: len(c["ids"]))]
    with open(os.path.join(out, name + ".json"), "w", newline="\n") as f:
        f.write('{"name": %s,\n"reference": %s,\n"fp32_err": %s,\n"config": %s,\n"tensors": [\n%s],\n"cases": [\n%s]}\n' % (
            json.dumps(name), json.dumps(exp["reference"]), json.dumps(exp["hf_fp32_max_rel_err"]), json.dumps({**spec["config"], **models_files.ALSO.get(name, {})}),
            ",\n".join(json.dumps(tensor(t)) for t in spec["tensors"]), ",\n".join(cases)))
    print(name)
