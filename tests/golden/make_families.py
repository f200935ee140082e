#!/usr/bin/env python3
"""Cuts reference models down to what tests/test_families.c needs: make_families.py ORACLE NAME...  writes families/NAME.json

ORACLE holds specs/NAME.json (config, and every tensor as a function of a seed: name, shape, dtype, std, mean) and
expected/NAME.json.gz (token ids; logits and log-probabilities of transformers in float64). Of the longest case all
log-probabilities are kept, and the whole row of logits at the last position that has one. The test makes the weights itself.
Standard library only.
"""
import gzip
import json
import os
import sys

oracle, out = sys.argv[1], os.path.join(os.path.dirname(os.path.abspath(__file__)), "families")
os.makedirs(out, exist_ok=True)
for name in sys.argv[2:]:
    spec = json.load(open(os.path.join(oracle, "specs", name + ".json")))
    exp = json.load(gzip.open(os.path.join(oracle, "expected", name + ".json.gz")))
    case = max(exp["cases"], key=lambda c: len(c["ids"]))
    tensors = [[t["name"], t["dtype"], t["shape"], t["std"], t["mean"]] if "kind" not in t else [t["name"], t["dtype"], t["shape"]]
               for t in spec["tensors"]]
    with open(os.path.join(out, name + ".json"), "w", newline="\n") as f:
        f.write('{"name": %s,\n"reference": %s,\n"fp32_err": %s,\n"config": %s,\n"tensors": [\n' % (
            json.dumps(name), json.dumps(exp["reference"]), json.dumps(exp["hf_fp32_max_rel_err"]), json.dumps(spec["config"])))
        f.write(",\n".join(json.dumps(t) for t in tensors))
        f.write('],\n"ids": %s,\n"logits_at": %d,\n"logits": %s,\n"logprobs": %s}\n' % (
            json.dumps(case["ids"]), case["logits_at"][-1], json.dumps([float("%.10g" % x) for x in case["logits"][-1]]),
            json.dumps([float("%.10g" % x) for x in case["logprobs"]])))
    print(name)
