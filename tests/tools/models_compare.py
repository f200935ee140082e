"""What models_oracle.py and models_variants.py share: asking `assay score`, and the bound that NUMERICS.md section 7.5 sets.

An error is max |ours - reference| / max |reference logit|. Allowed is the larger of 1e-5 and twice the error of the reference
implementation's own fp32 run. A log-probability is held to the same absolute bound as a logit. An argmax may differ only where
our own two logits lie closer than twice the allowed absolute error: otherwise no two logits within the bound could have changed
places. numpy only.
"""

import json
import subprocess

import numpy as np


class Failed(Exception):
    """assay refused: its first line."""


def ask(assay, folder, lines, options=()):
    """The answers of `assay score` to a list of requests."""
    p = subprocess.run(
        [assay, "score", "--model", folder, "--quiet", *options],
        input="".join(json.dumps(x) + "\n" for x in lines),
        capture_output=True,
        text=True,
    )
    said = p.stderr.strip().split("\n")
    errors = [s for s in said if "warning" not in s.lower()]
    out = [json.loads(s) for s in p.stdout.split("\n") if s]
    for a in out:
        if "error" in a:
            raise Failed(a["error"])
    if p.returncode != 0 or len(out) != len(lines):
        first = (errors or said or [""])[0] or "exit status %d" % p.returncode
        first = first.replace(folder.rstrip("/") + "/", "")
        raise Failed(first if len(first) < 200 else first[:200] + "...")
    return out, [s for s in said if s]


def numbers(row):
    """JSON has no infinity: null is one (or a NaN), and makes every difference infinite."""
    return np.array([np.inf if x is None else x for x in row], dtype=np.float64)


def allowed(fp32):
    return max(1e-5, 2 * fp32)


def compare(assay, folder, cases, fp32, options=()):
    """cases: dicts with ids, logits_at, logits, logprobs, argmax. Returns a dict of errors; raises Failed."""
    answers, said = ask(assay, folder, [{"ids": c["ids"], "logits": c["logits_at"]} for c in cases], options)
    r = {
        "logits": 0.0,
        "logprobs": 0.0,
        "argmax": 0,
        "near": 0,
        "warnings": [s for s in said if "warning" in s.lower()],
        "hashes": [],
        "where": "",
    }
    for k, (c, a) in enumerate(zip(cases, answers)):
        want = np.array(c["logits"], dtype=np.float64)
        top = np.abs(want).max()
        got = [numbers(x) for x in a["logits"]]
        if (
            any(len(g) != want.shape[1] for g in got)
            or len(a["argmax"]) != len(c["ids"])
            or len(a["logprobs"]) != len(c["logprobs"])
        ):
            raise Failed("answer of another size: %d logits (wanted %d)" % (len(got[0]), want.shape[1]))
        by_row = np.array([np.abs(g - w).max() for g, w in zip(got, want)]) / top
        by_token = np.abs(numbers(a["logprobs"]) - np.array(c["logprobs"])) / top
        bad = [c["logits_at"][i] for i in range(len(by_row)) if not by_row[i] <= allowed(fp32)]
        bad_lp = [i for i in range(len(by_token)) if not by_token[i] <= allowed(fp32)]
        if bad or bad_lp:
            r["where"] += "%scase of %d: logits off at %d of %d positions (%s), log-probs at %d (first %s)" % (
                "; " if r["where"] else "",
                len(c["ids"]),
                len(bad),
                len(by_row),
                " ".join(map(str, bad[:6])),
                len(bad_lp),
                bad_lp[:1],
            )
        r["logits"] = max(r["logits"], by_row.max())
        r["logprobs"] = max(r["logprobs"], by_token.max() if len(by_token) else 0)
        r["hashes"].append(a["hash"])
        differ = [i for i in range(len(c["ids"])) if a["argmax"][i] != c["argmax"][i]]
        if differ:
            rows = ask(assay, folder, [{"ids": c["ids"], "logits": differ}], options)[0][0]["logits"]
            for i, row in zip(differ, rows):
                gap = numbers(row)[a["argmax"][i]] - numbers(row)[c["argmax"][i]]
                r["near" if gap <= 2 * allowed(fp32) * top else "argmax"] += 1
    r["ratio"] = r["logits"] / fp32 if fp32 else 0.0
    r["pass"] = bool(r["logits"] <= allowed(fp32) and r["logprobs"] <= allowed(fp32) and r["argmax"] == 0)
    return r


def invariance(assay, folder, cases, hashes, masks):
    """Every way of running the cases that must not change a bit; returns the names of those that did."""
    lines = [{"ids": c["ids"]} for c in cases]
    ways = [("mask " + m, ["--cpu-mask", m, "--threads", "1"], lines) for m in masks]
    ways += [
        ("threads 2", ["--threads", "2"], lines),
        ("batch 1", ["--threads", "1", "--batch", "1"], [{"ids": lines[0]["ids"]}]),
        ("batch 7", ["--threads", "2", "--batch", "7"], lines),
        ("batch 64", ["--threads", "1", "--batch", "64"], lines),
        ("order", ["--threads", "2"], lines[::-1] + lines),
        ("alone", ["--threads", "1"], lines[-1:]),
    ]
    wrong = []
    for name, options, some in ways:
        want = {len(c["ids"]): h for c, h in zip(cases, hashes)}
        for line, a in zip(some, ask(assay, folder, some, options)[0]):
            if a["hash"] != want[len(line["ids"])] and name not in wrong:
                wrong.append(name)
    return wrong


def table(rows, tail=True):
    """rows: dicts with name, fp32, and either error or what compare() returns. Text for people."""
    out = ["%-28s %10s %10s %10s %7s  %s" % ("name", "logits", "log-probs", "fp32 eager", "ratio", "")]
    for r in rows:
        if "error" in r:
            out.append("%-28s %10s %10s %10.1e %7s  FAIL %s" % (r["name"], "-", "-", r["fp32"], "-", r["error"]))
            continue
        notes = ["argmax differs at %d" % r["argmax"]] if r["argmax"] else []
        notes += ["bits differ: " + ", ".join(r["bits"])] if r.get("bits") else []
        notes += [r["where"]] if r["where"] else []
        notes += ["(%d near ties)" % r["near"]] if r["near"] else []
        notes += ["(%d warnings: %s)" % (len(r["warnings"]), r["warnings"][0])] if r["warnings"] else []
        out.append(
            "%-28s %10.1e %10.1e %10.1e %7.2f  %s %s"
            % (r["name"], r["logits"], r["logprobs"], r["fp32"], r["ratio"], "pass" if good(r) else "FAIL", " ".join(notes))
        )
    ran = [r for r in rows if "error" not in r]
    if tail and ran:
        out.append(
            "\npassed %d of %d; median ratio %.2f; worst five: %s"
            % (
                sum(map(good, rows)),
                len(rows),
                float(np.median([r["ratio"] for r in ran if good(r)] or [0])),
                ", ".join("%s %.2f" % (r["name"], r["ratio"]) for r in sorted(ran, key=lambda r: -r["ratio"])[:5]),
            )
        )
    return "\n".join(s.rstrip() for s in out)


def good(r):
    return "error" not in r and r["pass"] and not r.get("bits")
