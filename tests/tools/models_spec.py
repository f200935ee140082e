#!/usr/bin/env python3
"""Makes the reference of a new family: specs/NAME.json and expected/NAME.json.gz in the form of the oracle's.

    models_spec.py --oracle DIR --out DIR [NAME...]

models_more.json beside this file has, by NAME, config.json as on the hub, and the dtype and mean of norm weights where they
are not BF16 and 1; "like" names an entry whose keys count where there are none here. Names and shapes of tensors come from transformers (save_pretrained undoes its own renaming), values from
a seed, expected numbers from the model class of `architectures` in float64 (models_reference.py). Afterwards --out serves
tests/golden/make_families.py and models_oracle.py --oracle as the oracle itself does. --oracle: where make_models.py is,
which is copied. Needs numpy, torch and transformers 5.24.
"""
import argparse
import gzip
import json
import os
import shutil

import numpy as np

import models_files
import models_reference as ref

HERE = os.path.dirname(os.path.abspath(__file__))


def describe(name, shape, dtype, mean):
    t = {"name": name, "shape": list(shape), "dtype": dtype, "std": 0.1, "mean": 0.0}
    if len(shape) >= 2:
        t["std"] = float("%.5g" % (1.2 / shape[-1] ** 0.5))
    elif name.endswith(("weight", "scale", "layer_scalar")):
        t["mean"] = mean
    return t


def arranged(shapes, experts):
    """Where a release has its experts in one tensor and transformers writes another form: "in-out" [E, in, out], "stacked" [E, out, in]."""
    out = dict(shapes)
    for name, shape in shapes.items():
        if experts == "in-out" and name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            out[name] = [shape[0], shape[2], shape[1]]
        if experts == "stacked" and ".experts." in name:
            head, number, part, _ = name.rsplit(".", 3)
            one = out.pop(name)
            stack = out.setdefault(head + (".down_proj" if part == "down_proj" else ".gate_up_proj"), [0, one[0] * (1 if part == "down_proj" else 2), one[1]])
            stack[0] = max(stack[0], int(number) + 1)
    return out


def one(opts, make, name, entry):
    config = entry["config"]
    shapes = arranged(ref.released(name, config), entry.get("experts"))
    tensors = [describe(k, s, entry.get("dtype", "BF16"), entry.get("norms", 1.0)) for k, s in sorted(shapes.items())]
    model = ref.Reference(name, config, {t["name"]: ref.decode(t, make.tensor_bytes(name, t)) for t in tensors})
    text = config.get("text_config", config)
    cases, fp32, margin = [], 0.0, np.inf
    for n in (70, 300):
        case, a, b = ref.case(model, ref.ids_of(name + str(n), n, text["vocab_size"]))
        top = np.sort(a, 1)
        cases.append(case)
        fp32 = max(fp32, np.abs(a - b).max() / np.abs(a).max())
        margin = min(margin, (top[:, -1] - top[:, -2]).min())
    if model.narrow or model.unread:
        print("%s: narrower than float64: %s; not read: %s" % (name, sorted(model.narrow)[:4], model.unread[:4]))
    spec = {"name": name, "config": config, "shards": 1, "tensors": tensors}
    spec["sha256"] = make.write_model(spec, os.path.join(opts.out, "models"), check=False)
    expected = {"name": name, "reference": "transformers %s float64" % ref.transformers.__version__, "hf_fp32_max_rel_err": float("%.3g" % fp32),
                "argmax_margin_min": float("%.3g" % margin), "cases": cases}
    make.dump(os.path.join(opts.out, "specs", name + ".json"), spec)
    with gzip.open(os.path.join(opts.out, "expected", name + ".json.gz"), "wt") as f:
        json.dump(expected, f)
    print("%-20s %d tensors, fp32 %.1e, smallest margin %.1e, largest logit %.1f" % (
        name, len(tensors), expected["hf_fp32_max_rel_err"], expected["argmax_margin_min"], max(np.abs(c["logits"]).max() for c in cases)))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--oracle", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("names", nargs="*", metavar="NAME")
    opts = p.parse_args()
    for d in "specs", "expected":
        os.makedirs(os.path.join(opts.out, d), exist_ok=True)
    shutil.copy(os.path.join(opts.oracle, "make_models.py"), opts.out)
    make = models_files.maker(opts.out)
    more = json.load(open(os.path.join(HERE, "models_more.json")))
    for name in opts.names or more:
        one(opts, make, name, {**more[more[name]["like"]], **more[name]} if "like" in more[name] else more[name])


if __name__ == "__main__":
    main()
