#!/usr/bin/env python3
"""Makes filter.jsonl with lm_eval 0.4.13's own filters: steps x documents' responses -> what the metric would see.

Usage: PYTHONPATH=DIR_OF_LM_EVAL make_filter.py > filter.jsonl   (only lm_eval/filters and lm_eval/api/{filter,registry}.py are loaded)
"""
import importlib.util
import json
import os
import sys
import types

root = next(p for p in sys.path if os.path.isdir(os.path.join(p, "lm_eval")))


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, os.path.join(root, path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


registered = {}
registry = types.ModuleType("lm_eval.api.registry")
registry.register_filter = lambda name: lambda cls: registered.setdefault(name, cls)
for name in ("lm_eval", "lm_eval.api", "lm_eval.filters"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["lm_eval.api.registry"] = registry
sys.modules["lm_eval.api.instance"] = types.SimpleNamespace(Instance=object)
load("lm_eval.api.filter", "lm_eval/api/filter.py")
for name in ("extraction", "selection", "transformation"):
    load("lm_eval.filters." + name, f"lm_eval/filters/{name}.py")

TEXTS = [
    "", "The answer is (B).", "the answer is b", "A: 1, B: 2", "#### 1,234.50 and #### 7", "####5", " 12 apples, -3 pears, $4.50. ", "no number",
    "It is Guilty of Romance, surely", "guilty", "answer: C", "answer:\n D", "I think: E", "x # y", "a.b", "aXb", "  spaced  ", "\u3000全角\u3000",
    "答案：（B）", "Ελλάς", "STRASSE straße", "(A) or (C)", "one\ntwo", "Yes!", "yes", "YES.",
]
CHOICES = [
    ["Guilty", "Guilty of Romance", "Not guilty", "None"], ["a.b", "aXb", "x # y", "(x)"], ["1", "2", "3", "4"], ["yes", "no"], ["Yes!", "No?", "", "  maybe "],
    ["Ελλάς", "ελλάς", "全角", "B"],
]
LISTS = [["a", "b", "a"], ["b", "a", "b", "a"], ["x"], ["7", "#### 7", "#### 7", "8"], TEXTS]


def run(steps, resps, choices=None):
    out = [list(resps)]
    docs = [{"choices": choices}] if choices is not None else [{}]
    for name, kwargs in steps:
        out = list(registered[name](**kwargs).apply(out, docs))
    if not isinstance(out[0], str):
        out = [list(out[0]) if not isinstance(out[0], (list, type(None), int)) else out[0]]
    return out


def emit(steps, resps, choices=None):
    line = {"steps": [dict(function=n, **k) for n, k in steps], "resps": list(resps), "want": run(steps, resps, choices)}
    if choices is not None:
        line["choices"] = choices
    print(json.dumps(line, ensure_ascii=False))


first = ("take_first", {})
for resps in LISTS:
    emit([first], resps)
    emit([("majority_vote", {}), first], resps)
    emit([("majority_vote", {})], resps)
    emit([("take_first_k", {"k": 1})], resps)
    emit([("take_first_k", {"k": len(resps)}), ("majority_vote", {}), first], resps)
    emit([("lowercase", {}), first], resps)
    emit([("lowercase", {})], resps)
    emit([("uppercase", {})], resps)
    emit([("remove_whitespace", {})], resps)
    emit([("map", {"mapping_dict": {"a": 1, "b": "bee", "x": None}, "default_value": -1})], resps)
    emit([("map", {"mapping_dict": {"a": 1}}), first], resps)
    emit([("regex", {}), first], resps)
    for pattern in [r"#### (\-?[0-9\.\,]+)", r"(-?[$0-9.,]{2,})|(-?[0-9]+)", r"[A-Z]", r"\(([A-Z])\)|answer is (\w)", r"(x*)", r"()(z)?", r"(?i)yes"]:
        for group in (0, -1):
            emit([("regex", {"regex_pattern": pattern, "group_select": group}), first], resps)
            emit([("regex", {"regex_pattern": pattern, "group_select": group, "fallback": "none"})], resps)
    emit([("regex", {"regex_pattern": r"#### (\d+)"}), ("majority_vote", {}), first], resps)
for choices in CHOICES:
    for kwargs in [
        {"regex_pattern": r"(\([A-Z]\))"}, {"regex_pattern": r"(\([A-Z]\))", "ignore_case": True}, {"regex_pattern": r"nothing", "group_select": -1},
        {"regex_pattern": r"(\([A-Z]\))", "ignore_case": True, "ignore_punctuation": True}, {"regex_pattern": "(z)|(zz)?", "fallback": "?"},
        {"regex_pattern": r"nothing", "ignore_case": True, "ignore_punctuation": True, "regexes_to_ignore": ["of", r"\s+"]},
    ]:
        emit([("multi_choice_regex", kwargs)], TEXTS, choices)
        emit([("multi_choice_regex", kwargs), first], TEXTS[1:3], choices)
