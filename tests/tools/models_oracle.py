#!/usr/bin/env python3
"""Runs `assay score` over the reference models and compares with transformers in float64.

    models_oracle.py --assay build/assay --oracle DIR [--models DIR] [--only NAME,...] [--invariance] [--clean] [--json]

DIR of --oracle holds specs/, expected/ and make_models.py, which writes checkpoints from specs; --models is the folder of
checkpoints: what it lacks is made there, one model at a time, and removed again with --clean. Prints for each model our
error, the error of PyTorch's own fp32 run, their ratio, and what failed; then a summary. With --invariance every instruction
set, number of threads, batch and order must give the same hash of all log-probabilities. --hashes FILE writes the hashes of
models that passed, short case and long, into the lines of FILE (tests/golden/families/hashes). Exit status 1 when anything
failed. numpy only.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile

import models_compare
import models_files


def masks():
    """The levels of --cpu-mask that this processor has."""
    try:
        flags = open("/proc/cpuinfo").read().split()
    except OSError:
        return ["scalar"]
    need = {"scalar": [], "neon": ["asimd"], "avx2": ["avx2", "fma"], "avx512": ["avx512f"], "avx512bf16": ["avx512_bf16"]}
    return [m for m, f in need.items() if all(x in flags for x in f)]


def with_keys(folder, keys):
    """A folder of links to the same files, with further keys in config.json."""
    tmp = tempfile.mkdtemp()
    for f in os.listdir(folder):
        os.symlink(os.path.abspath(os.path.join(folder, f)), os.path.join(tmp, f))
    config = json.load(open(os.path.join(folder, "config.json")))
    os.unlink(os.path.join(tmp, "config.json"))
    with open(os.path.join(tmp, "config.json"), "w") as f:
        json.dump({**config, **keys}, f)
    return tmp


def one(opts, make, name):
    expected = models_files.expected(opts.oracle, name)
    row = {"name": name, "fp32": expected["hf_fp32_max_rel_err"]}
    folder = os.path.join(opts.models, name)
    made = not os.path.exists(os.path.join(folder, "config.json"))
    if made:
        make.write_model(models_files.spec(opts.oracle, name), opts.models)
    also = models_files.ALSO.get(name)
    run = with_keys(folder, also) if also else folder
    try:
        row.update(models_compare.compare(opts.assay, run, expected["cases"], row["fp32"], ["--threads", "2"]))
        if opts.invariance:
            row["bits"] = models_compare.invariance(opts.assay, run, expected["cases"], row["hashes"], masks())
    except models_compare.Failed as e:
        row["error"] = str(e)
    if run != folder:
        shutil.rmtree(run)
    if made and opts.clean:
        shutil.rmtree(folder)
    return row


def write_hashes(path, rows):
    """Other models' lines stay; a hash that changes is said, for it means that the bits of a numerics id changed."""
    lines = [s.split() for s in open(path)] if os.path.exists(path) else []
    known = {w[0]: w[1:] for w in lines if w and w[0] != "#"}
    for r in rows:
        if models_compare.good(r):
            if known.get(r["name"], r["hashes"]) != r["hashes"]:
                print("changed: the hashes of " + r["name"], file=sys.stderr)
            known[r["name"]] = r["hashes"]
    with open(path, "w", newline="\n") as f:
        f.write("# chain32/1: model, SHA-256 of the log-probs of its short and its long case (assay score); tests/tools/models_oracle.py --hashes\n")
        f.writelines("%s %s\n" % (n, " ".join(known[n])) for n in sorted(known))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--assay", required=True)
    p.add_argument("--oracle", required=True)
    p.add_argument("--models")
    p.add_argument("--only", default="")
    p.add_argument("--invariance", action="store_true")
    p.add_argument("--hashes", metavar="FILE")
    p.add_argument("--clean", action="store_true")
    p.add_argument("--json", action="store_true")
    opts = p.parse_args()
    make = models_files.maker(opts.oracle)
    names = models_files.names(opts.oracle)
    wanted = [n for n in opts.only.split(",") if n]
    for n in wanted:
        if n not in names:
            sys.exit("models_oracle.py: no reference model '%s'" % n)
    temporary = tempfile.mkdtemp() if not opts.models else None
    opts.models = opts.models or temporary
    rows = [one(opts, make, n) for n in wanted or names]
    if temporary:
        shutil.rmtree(temporary)
    if opts.hashes:
        write_hashes(opts.hashes, rows)
    if opts.json:
        for r in rows:
            print(json.dumps(r))
    else:
        print(models_compare.table(rows))
    return 0 if all(map(models_compare.good, rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
