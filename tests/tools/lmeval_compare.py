#!/usr/bin/env python3
"""Runs `assay run` over recorded runs of lm-evaluation-harness and compares document by document.

    lmeval_compare.py --assay build/assay --oracle DIR --rows DIR --out DIR NAME=MODELDIR...

DIR of --oracle holds tasks.json (where each task's rows are) and NAME/<task>[+tags].jsonl.gz with NAME/summary.json; --rows the datasets.
Only tasks that assay has a suite for are run. Compared: document hashes, contexts and continuations byte for byte, token counts, rolling windows,
log-probabilities (1e-4 relative above 1), greedy flags, generated texts, metrics of every document, aggregated values and standard errors.
Standard library only. Exit status 1 when anything differs.
"""
import argparse
import collections
import csv
import glob
import gzip
import json
import math
import os
import subprocess
import sys

TAGS = {"nobos": ["--bos", "off"], "bos": ["--bos", "on"], "chat": ["--chat"], "chat1": ["--chat", "--multiturn", "off"], "sys": []}


def close(a, b, tol):
    return abs(a - b) <= tol * max(1.0, abs(b))


def command(opts, model_dir, task, tags, lines, files, out):
    """The words of `assay run` for one recorded file, or None when a tag is not known."""
    setting = lines[0]["setting"]
    words = [opts.assay, "run", "--model", model_dir, "--suite", task, "--profile", "lm-eval-0.4.13", "--files-from", files,
             "--out", out, "--quiet", "--limit", str(len(lines))]
    for tag in tags:
        if tag.startswith("shots"):
            words += ["--shots", tag[5:]]
        elif tag in TAGS:
            words += TAGS[tag]
        elif not tag.startswith("gen"):
            return None
    kwargs = setting.get("gen_kwargs") or ""
    if isinstance(kwargs, str):
        kwargs = dict(p.split("=") for p in kwargs.split(",") if p)
    if "max_gen_toks" in kwargs:
        words += ["--max-tokens", str(kwargs["max_gen_toks"])]
    if setting.get("system_instruction"):
        words += ["--system", setting["system_instruction"]]
    return words


def compare_request(q, i, rec, count):
    """One request of a sample line against the record; returns the relative difference of its log-probability."""
    arg, resp = rec["arguments"][i], rec["resps"][i]
    if q["kind"] == "rolling":
        count["text"] += q["text"] != arg[0]
        windows = [list(w) for w in zip(rec["n_context_tokens"][i], rec["n_continuation_tokens"][i])]
        count["windows"] += q["windows"] != windows
        want = resp[0] if isinstance(resp, list) else resp
    else:
        count["context"] += q["context"] != rec["contexts"][arg[0]]
        count["context tokens"] += q["ids_context"] != rec["n_context_tokens"][i]
        if q["kind"] == "generate":
            count["tokens used"] += q["ids_used"] != rec["n_context_used"][i]
            if q["text"] != resp:
                count["generated (margin < 1e-3)" if rec["generated"][i]["min_margin"] < 1e-3 else "generated"] += 1
            return 0.0
        count["continuation"] += q["continuation"] != arg[1]
        count["continuation tokens"] += q["ids_continuation"] != rec["n_continuation_tokens"][i]
        count["greedy"] += q["greedy"] != resp[1]
        want = resp[0]
    count["log-prob"] += not close(q["logprob"], want, 1e-4)
    return abs(q["logprob"] - want) / max(1.0, abs(want))


def compare_metrics(sample, rec, count):
    for name, want in rec["metrics"].items():
        got = sample["metrics"].get(name)
        pairs = zip(got, want) if isinstance(want, list) and got is not None else [(got, want)]
        count["metric " + name] += got is None or any(not close(float(a), float(b), 1e-4) for a, b in pairs)


def compare_summary(rows, task, want, count):
    for name, value in want.items():
        if "," not in name or "_stderr" in name:
            continue
        metric, filt = name.split(",")
        row = next((r for r in rows if (r["suite"], r["metric"], r["filter"]) == (task, metric, filt)), None)
        count["value " + name] += row is None or not close(float(row["value"]), value, 1e-4)
        se = want.get(f"{metric}_stderr,{filt}")
        if row is not None and isinstance(se, float):
            got = float(row["stderr"] or math.nan)
            count["stderr " + name] += not close(got, se, 1e-3)


def one_file(opts, path, name, model_dir, files, summary, total):
    stem = os.path.basename(path)[:-len(".jsonl.gz")]
    task, *tags = stem.split("+")
    with gzip.open(path, "rt") as f:
        lines = [json.loads(x) for x in f]
    out = os.path.join(opts.out, name, stem)
    words = command(opts, model_dir, task, tags, lines, files, out)
    if words is None:
        return 0.0
    run = subprocess.run(words, capture_output=True, text=True)
    if run.returncode:
        print(f"{name}/{stem}: exit {run.returncode}: {run.stderr.strip()[:300]}")
        total["failed runs"] += 1
        return 0.0
    count, worst = collections.Counter(), 0.0
    with open(glob.glob(f"{out}/runs/*/samples/{task}.jsonl")[0]) as f:
        samples = [json.loads(x) for x in f]
    count["number of documents"] += len(samples) != len(lines)
    for sample, rec in zip(samples, lines):
        count["doc hash"] += sample["doc_hash"] != rec["doc_hash"]
        count["number of requests"] += len(sample["requests"]) != len(rec["arguments"])
        for i, q in enumerate(sample["requests"][:len(rec["arguments"])]):
            worst = max(worst, compare_request(q, i, rec, count))
        compare_metrics(sample, rec, count)
        total["requests"] += len(rec["arguments"])
    with open(f"{out}/leaderboard.csv") as f:
        compare_summary(list(csv.DictReader(f)), task, summary.get(stem, {}), count)
    bad = {k: v for k, v in count.items() if v}
    print(f"{name}/{stem}: {len(lines)} documents, worst log-prob {worst:.1e}{'' if not bad else ' DIFFERS ' + str(bad)}")
    total["files"] += 1
    total["documents"] += len(lines)
    for k, v in bad.items():
        total["differs: " + k] += v
    return worst


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for o in ("assay", "oracle", "rows", "out"):
        p.add_argument("--" + o, required=True)
    p.add_argument("--only", action="append", help="a recorded file's name without .jsonl.gz; may be repeated")
    p.add_argument("model", nargs="+", metavar="NAME=MODELDIR")
    opts = p.parse_args()
    with open(os.path.join(opts.oracle, "tasks.json")) as f:
        tasks = json.load(f)
    rows = os.path.abspath(opts.rows)
    mapping = {t: {s: os.path.join(rows, x) for s, x in v["dataset_kwargs"]["data_files"].items()} for t, v in tasks.items()
               if "data_files" in v.get("dataset_kwargs", {})}
    os.makedirs(opts.out, exist_ok=True)
    files = os.path.join(os.path.abspath(opts.out), "files.json")
    with open(files, "w") as f:
        json.dump(mapping, f)
    listed = subprocess.run([opts.assay, "list", "suites", "--json"], capture_output=True, text=True, check=True).stdout
    suites = {json.loads(x)["name"] for x in listed.splitlines()}
    total, worst = collections.Counter(), 0.0
    for spec in opts.model:
        name, model_dir = spec.split("=", 1)
        with open(os.path.join(opts.oracle, name, "summary.json")) as f:
            summary = json.load(f)
        for path in sorted(glob.glob(os.path.join(opts.oracle, name, "*.jsonl.gz"))):
            stem = os.path.basename(path)[:-len(".jsonl.gz")]
            if stem.split("+")[0] in suites and (not opts.only or stem in opts.only):
                worst = max(worst, one_file(opts, path, name, model_dir, files, summary, total))
    print(", ".join(f"{k} {v}" for k, v in total.items()), f"worst log-prob {worst:.1e}")
    bad = [k for k in total if k.startswith("differs") and "margin" not in k] + (["failed"] if total["failed runs"] else [])
    sys.exit(1 if bad or not total["files"] else 0)


if __name__ == "__main__":
    main()
