#!/usr/bin/env python3
"""Other configs of the same families: makes tiny models with transformers, runs `assay score` and compares with float64.

    models_variants.py --assay build/assay --oracle DIR --cache DIR [--only NAME[/VARIANT],...] [--check] [--json]

For each reference model of the oracle the changes of models_configs.py are applied to its config. Names and shapes come from
transformers, values from a seed (crc32 of model, variant and tensor) with the oracle's spreads; config.json is written as on
the hub. Checkpoints and expected numbers are kept in --cache, so that a later run costs the time of assay alone; a variant is
made again when its config or this program's version of it changes. --check compares the reference itself with the oracle's
float64 logits first. Needs numpy, torch and transformers 5.24. Exit status 1 when anything failed.
"""

import argparse
import copy
import gzip
import hashlib
import json
import os
import re
import shutil
import sys

import numpy as np

import models_compare
import models_configs
import models_files

VERSION = 1
MAX_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length", "model_max_length")


def text_of(config):
    return config.get("text_config", config)


def set_key(config, key, value):
    at, path = (config, key[1:]) if key[0] == "/" else (text_of(config), key)
    parts = path.split(".")
    for p in parts[:-1]:
        at[p] = dict(at[p])
        at = at[p]
    if value is models_configs.DROP:
        at.pop(parts[-1], None)
    elif value == "flip":
        at[parts[-1]] = not at.get(parts[-1], False)
    elif value == "flip40":
        at[parts[-1]] = None if at.get(parts[-1]) else 40
    else:
        at[parts[-1]] = value


def changed(config, changes, length):
    out = copy.deepcopy(config)
    for k, v in changes.items():
        if k[0] != "@":
            set_key(out, k, v)
    if not any(k in changes for k in MAX_KEYS):
        for k in MAX_KEYS:
            if isinstance(text_of(out).get(k), int) and text_of(out)[k] < length:
                text_of(out)[k] = 768
    return out


def plain(name):
    return re.sub(r"\d+", "#", name)


class Values:
    """Tensor values by the oracle's spreads; the bytes by its make_models.py."""

    def __init__(self, make, spec):
        self.make = make
        self.by_name = {}
        for t in spec["tensors"]:
            self.by_name.setdefault(plain(t["name"]), t)

    def describe(self, name, shape, dtype, small):
        like = self.by_name.get(plain(name))
        if like is None:
            t = {"std": 0.1, "mean": 0.0, "dtype": "BF16"}
            if len(shape) >= 2:
                t["std"] = 1.0 / shape[-1] ** 0.5
            elif "norm" in name and name.endswith("weight"):
                t["mean"] = 1.0
            some = [x["dtype"] for x in self.by_name.values() if x["dtype"] in ("BF16", "F16", "F32")]
            t["dtype"] = max(set(some), key=some.count)
        else:
            t = {k: like[k] for k in ("std", "mean", "dtype", "kind", "low", "high") if k in like}
        dtype = small if small and len(shape) == 1 else dtype
        if dtype and t["dtype"] in ("BF16", "F16"):
            t["dtype"] = dtype
        return dict(t, name=name, shape=list(shape))


def with_scales(tensors, values, scale, block):
    """The scales of tensors that the spec stores as e4m3: by block (weight_scale_inv), by channel or tensor (weight_scale)."""
    out = []
    for t in tensors:
        out.append(t)
        if t["dtype"] != "F8_E4M3":
            continue
        like = values.by_name[plain(t["name"] + "_scale_inv")]
        if scale == "block":
            out.append(
                dict(like, name=t["name"] + "_scale_inv", shape=[-(-t["shape"][0] // block[0]), -(-t["shape"][1] // block[1])])
            )
        else:
            out.append(
                dict(
                    like,
                    name=t["name"] + "_scale",
                    shape=[t["shape"][0], 1] if scale == "channel" else [1],
                    dtype="F32" if scale == "tensor" else like["dtype"],
                )
            )
    return out


def compressed(kind):
    weights = {"num_bits": 8, "type": "float", "symmetric": True, "strategy": kind, "dynamic": False}
    return {
        "quant_method": "compressed-tensors",
        "format": "float-quantized",
        "ignore": ["lm_head"],
        "config_groups": {
            "group_0": {"targets": ["Linear"], "weights": weights, "input_activations": None, "output_activations": None}
        },
    }


def make_variant(opts, make, spec, variant, changes, folder):
    """Writes folder/{config.json,model.safetensors,expected.json.gz}."""
    import models_reference as ref

    name = spec["name"]
    length = changes.get("@len", 200)
    config = changed(spec["config"], changes, length)
    scale = changes.get("@scale", "block")
    values = Values(make, spec)
    block = (config.get("quantization_config") or {}).get("weight_block_size", [128, 128])
    tensors = [
        values.describe(k, s, changes.get("@dtype"), changes.get("@small")) for k, s in sorted(ref.released(name, config).items())
    ]
    tensors = with_scales(tensors, values, scale, block)
    if scale != "block":
        config["quantization_config"] = compressed(scale)
    seed = name + "/" + variant
    arrays = {t["name"]: ref.decode(t, make.tensor_bytes(seed, t)) for t in tensors}
    model = ref.Reference(name, config, arrays)
    if changes.get("@v5"):
        saved = json.loads(model.m32.config.to_json_string(use_diff=True))
        if name in ref.ADAPT and name != "dbrx":
            raise SkipVariant("config of another class")
        config = dict(saved, architectures=spec["config"]["architectures"])
        config["dtype"] = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}[
            max((t["dtype"] for t in tensors if len(t["shape"]) > 1), key=[t["dtype"] for t in tensors].count)
        ]
    vocab = text_of(config).get("padded_vocab_size") or text_of(config)["vocab_size"]
    cases, err, top = [], 0.0, 0.0
    for n in (70, length):
        case, a, b = ref.case(model, ref.ids_of(seed + models_configs.SALT.get(seed, "") + str(n), n, vocab))
        cases.append(case)
        err, top = max(err, np.abs(a - b).max()), max(top, np.abs(a).max())
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    make.dump(folder + "/config.json", config)
    open(folder + "/model.safetensors", "wb").write(make.safetensors(seed, tensors))
    done = {"key": key_of(spec, changes), "fp32": err / top, "cases": cases, "narrow": sorted(model.narrow), "unread": model.unread}
    with gzip.open(folder + "/expected.json.gz", "wt") as f:
        json.dump(done, f)
    return done


class SkipVariant(Exception):
    pass


def key_of(spec, changes):
    text = json.dumps([VERSION, spec["config"], {k: repr(v) for k, v in changes.items()}], sort_keys=True)
    return hashlib.sha256(re.sub(r" at 0x\w+", "", text).encode()).hexdigest()


def known_keys(ref, spec):
    own = text_of(spec["config"])
    if "auto_map" in spec["config"] or spec["name"] in ("mimo", "kimi-k2"):
        return own  # another class computes it, whose keys it does not have
    c = ref.parse({k: v for k, v in spec["config"].items() if k != "quantization_config"})
    return {**c.get_text_config().to_dict(), **own}


def variants_of(opts, make, spec):
    path = os.path.join(opts.cache, spec["name"] + ".known.json")
    if not os.path.exists(path):
        import models_reference as ref

        os.makedirs(opts.cache, exist_ok=True)
        json.dump(known_keys(ref, spec), open(path, "w"))
    table = models_configs.TABLE.get(spec["name"], [])
    mine = {n for n, _ in table}
    return [
        (n, c) for n, c in models_configs.general(spec["name"], text_of(spec["config"]), json.load(open(path))) if n not in mine
    ] + table


def one(opts, make, spec, variant, changes):
    row = {
        "name": spec["name"] + "/" + variant,
        "fp32": 0.0,
        "changes": str({k: "dropped" if v is models_configs.DROP else v for k, v in changes.items()}),
    }
    folder = os.path.join(opts.cache, spec["name"], variant)
    try:
        try:
            done = json.load(gzip.open(folder + "/expected.json.gz"))
        except OSError:
            done = {}
        if done.get("key") != key_of(spec, changes):
            done = make_variant(opts, make, spec, variant, changes, folder)
    except SkipVariant:
        return None
    except Exception as e:  # whatever transformers raises: the variant is none of its configs
        return dict(row, reference="%s: %s" % (type(e).__name__, re.sub(r"\s+", " ", str(e))[:160]))
    row["fp32"] = done["fp32"]
    try:
        row.update(models_compare.compare(opts.assay, folder, done["cases"], done["fp32"], ["--threads", "2"]))
    except models_compare.Failed as e:
        row["error"] = str(e)
    if done["narrow"]:
        row["narrow"] = done["narrow"]
    return row


def check(opts, make, spec):
    import models_reference as ref

    expected = models_files.expected(opts.oracle, spec["name"])
    arrays = {
        t["name"]: ref.decode(t, make.tensor_bytes(spec["name"], t))
        for t in spec["tensors"]
        if t["dtype"] not in ("BOOL", "I64")
    }
    model = ref.Reference(spec["name"], spec["config"], arrays)
    worst = 0.0
    for c in expected["cases"]:
        want = np.array(c["logits"])
        worst = max(worst, np.abs(model.run64(c["ids"])[c["logits_at"]] - want).max() / np.abs(want).max())
    return worst


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--assay", required=True)
    p.add_argument("--oracle", required=True)
    p.add_argument("--cache", required=True)
    p.add_argument("--only", default="")
    p.add_argument("--check", action="store_true")
    p.add_argument("--json", action="store_true")
    opts = p.parse_args()
    make = models_files.maker(opts.oracle)
    names = models_files.names(opts.oracle)
    only = [x.split("/") for x in opts.only.split(",") if x]
    rows, failed = [], 0
    for name in names:
        wanted = [x for x in only if x[0] == name]
        if only and not wanted:
            continue
        spec = models_files.spec(opts.oracle, name)
        if opts.check:
            worst = check(opts, make, spec)
            failed += not worst < 1e-7
            print("reference of %-20s %.1e of the oracle's float64 logits" % (name, worst), flush=True)
        for variant, changes in variants_of(opts, make, spec):
            if not wanted or any(len(x) == 1 or x[1] == variant for x in wanted):
                rows.append(one(opts, make, spec, variant, changes))
    rows = [r for r in rows if r]
    none = [r for r in rows if "reference" in r]
    rows = [r for r in rows if "reference" not in r]
    if opts.json:
        for r in rows + none:
            print(json.dumps(r))
    else:
        print(models_compare.table(rows))
        for r in rows:
            if not models_compare.good(r):
                print("%-28s %s" % (r["name"], r["changes"]))
        for r in none:
            print("no reference: %-24s %s  %s" % (r["name"], r["changes"], r["reference"]))
        for r in rows:
            if r.get("narrow") and not r["name"].startswith("falcon-rw"):
                print("not float64 throughout: %s (%s)" % (r["name"], ", ".join(r["narrow"][:5])))
    return 0 if not failed and all(map(models_compare.good, rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
