#!/usr/bin/env python3
"""Writes task.json: small suites, their rows, and the requests that lm-evaluation-harness 0.4.13 makes of them.

make_task.py LM_EVAL_DIR > task.json        LM_EVAL_DIR: the folder that holds the package lm_eval

Its own ConfigurableTask builds every request; packages that building needs no part of are replaced by empty ones. Under
a chat template the context is the messages that the template would get, as JSON.
"""
import hashlib, importlib.abc, importlib.machinery, json, sys, types

sys.path.insert(0, sys.argv[1])
STUBS = "datasets tqdm evaluate transformers torch requests tenacity sacrebleu sklearn yaml packaging dill more_itertools".split()


class Stub(types.ModuleType):
    def __getattr__(self, n):
        if n.startswith("__"):
            raise AttributeError(n)
        return type(n, (), {"__init__": lambda s, *a, **k: None})


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in STUBS:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        m = Stub(spec.name)
        m.__path__, m.__version__ = [], "9.9"
        return m

    def exec_module(self, m):
        pass


sys.meta_path.append(Finder())
import lm_eval.api.task as T
T.tqdm = lambda it, **k: it


class Rows(list):
    @property
    def features(self):
        return dict.fromkeys(self[0])


def build(case):
    cfg = dict(case["task"])
    data = {k: Rows(v) for k, v in case["rows"].items()}
    cfg["custom_dataset"] = lambda **k: data
    task = T.ConfigurableTask(config=cfg)
    s = case["settings"]
    n = s.get("shots")
    if n is not None and task.config.num_fewshot != 0:
        task.set_config("num_fewshot", n)
    if task.config.num_fewshot is None:
        task.set_config("num_fewshot", 0)
    task.set_fewshot_seed(s.get("seed", 1234))
    chat = bool(s.get("chat"))
    template = lambda m, add_generation_prompt=True: json.dumps([m, add_generation_prompt], ensure_ascii=False, separators=(",", ":"))
    task.build_all_requests(limit=s.get("limit"), samples=s.get("docs"), system_instruction=s.get("system"), apply_chat_template=chat,
                            fewshot_as_multiturn=bool(s.get("multiturn")), chat_template=template if chat else None)
    docs = {}
    for i in task.instances:
        d = docs.setdefault(i.doc_id, {"target": str(task.doc_to_target(i.doc)), "requests": [],
                                       "doc_hash": hashlib.sha256(json.dumps(i.doc, indent=2, ensure_ascii=False).encode()).hexdigest()})
        args = list(i.args)
        if len(args) > 1 and isinstance(args[1], dict):
            args[1] = {"until": args[1]["until"]}
        d["requests"].append(args)
    return list(docs.values())


KEYS = {"task": "suite", "output_type": "kind", "doc_to_text": "prompt", "doc_to_target": "target", "doc_to_choice": "choices",
        "gen_prefix": "answer_prefix", "fewshot_delimiter": "shot_delimiter", "target_delimiter": "target_delimiter",
        "num_fewshot": "shots", "description": "description", "generation_kwargs": "generation"}
KINDS = {"multiple_choice": "multiple_choice", "loglikelihood": "loglik", "loglikelihood_rolling": "rolling", "generate_until": "generate"}


def ours(task):
    s, splits = {"dataset": {"id": "golden/rows"}}, {}
    for k, v in task.items():
        if k in ("test_split", "validation_split"):
            splits[k[:-6]] = v
        elif k == "training_split":
            splits["train"] = v
        elif k == "fewshot_split":
            splits["shots"] = v
        elif k == "fewshot_config":
            if "sampler" in v:
                s["shot_sampler"] = v["sampler"]
            if "samples" in v:
                s["shot_examples"] = v["samples"]
        elif k == "metric_list":
            s["metrics"] = [m["metric"] for m in v]
        else:
            s[KEYS[k]] = KINDS.get(v, v) if k == "output_type" else v
    s["splits"] = splits
    return s


def rows(n, start=0):
    return [{"id": i, "q": "Question %d?" % i, "a": "answer %d" % i, "c": ["c%d" % i, "d %d" % i, "ß%d" % i], "g": i % 3, "s": str(i % 3),
             "t": "topic %d" % (i % 2)} for i in range(start, start + n)]


MC = {"output_type": "multiple_choice", "doc_to_text": "{{q}}", "doc_to_target": "g", "doc_to_choice": "c"}
GEN = {"output_type": "generate_until", "doc_to_text": "Q: {{q}}\nA:", "doc_to_target": "{{a}}"}
TT = {"test_split": "test", "training_split": "train"}
R = {"test": rows(6, 100), "train": rows(16)}
cases, sets = [], {}


def case(name, task, rows, **settings):
    t = dict(task, task="c%d" % len(cases))
    c = {"name": name, "task": t, "rows": rows, "settings": settings}
    c["docs"] = build(c)
    key = json.dumps(rows)
    cases.append({"name": name, "suite": ours(t), "rows": sets.setdefault(key, len(sets)), "settings": settings, "docs": c["docs"]})


V = {"validation_split": "validation"}
case("3 of 16 from train", dict(MC, **TT), R, shots=3)
case("another seed", dict(MC, **TT), R, shots=3, seed=7)
case("the splits coincide: n + 1 are drawn", dict(MC, **V), {"validation": rows(16)}, shots=3)
case("coinciding names of splits", dict(MC, test_split="test", fewshot_split="test"), {"test": rows(16)}, shots=5)
same = rows(1) * 3 + rows(3, 1)
case("duplicates: drawn anew", dict(MC, **V), {"validation": same}, shots=3)
case("validation as the pool", dict(MC, test_split="test", validation_split="validation"), {"test": rows(4, 50), "validation": rows(9)}, shots=2)
case("test as the pool", dict(MC, test_split="test"), {"test": rows(9)}, shots=2)
case("many shots", dict(GEN, **TT), {"test": rows(3, 900), "train": rows(150)}, shots=25)
case("first_n", dict(MC, test_split="test", fewshot_split="dev", fewshot_config={"sampler": "first_n"}), {"test": rows(3, 9), "dev": rows(5)}, shots=5)
case("first_n without the document", dict(MC, test_split="test", fewshot_split="test", fewshot_config={"sampler": "first_n"}), {"test": rows(6)}, shots=4)
case("examples of the definition", dict(MC, test_split="test", fewshot_config={"samples": rows(4, 70)}), {"test": rows(3)}, shots=2)
case("num_fewshot 0 is not overridden", dict(MC, num_fewshot=0, **TT), R, shots=3)
case("num_fewshot 2", dict(MC, num_fewshot=2, **TT), R)
case("limit", dict(MC, **TT), R, shots=2, limit=3)
case("documents 1 and 4", dict(MC, **TT), R, shots=2, docs=[1, 4])
for d in ("About {{t}}.\n\n", "t", "About", "", "{{t}}"):
    for system in (None, "You are careful.", "You are careful.\n", " "):
        case("description %r, system %r" % (d, system), dict(MC, description=d, **TT), R, shots=1, limit=2, **({"system": system} if system else {}))
for q in ("{{q}}", "{{q}}\n", "{{q}} ", "", "{{q}}\u3000"):
    for p in ("Answer:", "Answer: ", " Answer:", "{{t}}", "t", "\u3000x", ""):
        for delim in (" ", "\n", ""):
            for chat in ({}, {"chat": True, "multiturn": True}, {"chat": True}):
                if chat and delim == "\n":
                    continue
                case("prompt %r, prefix %r, delimiter %r, %s" % (q, p, delim, chat),
                     dict(MC, doc_to_text=q, gen_prefix=p, target_delimiter=delim, **TT), R, shots=1, limit=1, **chat)
for chat in ({"chat": True, "multiturn": True}, {"chat": True}):
    case("chat with all %s" % chat, dict(MC, description="About {{t}}.\n\n", **TT), R, shots=2, limit=2, system="Be brief.", **chat)
    case("chat without shots %s" % chat, dict(MC, **TT), R, limit=2, **chat)
    case("chat, generation %s" % chat, dict(GEN, **TT), R, shots=2, limit=2, **chat)
    case("chat, loglik %s" % chat, dict(GEN, output_type="loglikelihood", doc_to_target=" {{a}}", **TT), R, shots=1, limit=2, **chat)
for t in ("g", "{{g}}", "{{s}}", "s", 1, "{{c[g]}}", "{{a}}"):
    case("target %r" % t, dict(MC, doc_to_target=t, **TT), R, shots=2, limit=3)
for t in ("g", "{{g}}"):
    case("an integer target without shots %r" % t, dict(GEN, doc_to_target=t, **TT), R, limit=2)
for t in ("{{g}}", "{{c}}", "c", "[{{a}}]", "[{{g}}, {{g}}]", "[", "[]", "{{''}}", "{{[a, q]}}", ["x", "y"], "{{c|join(' ')}}\n"):
    n = 0 if t in ("[{{g}}, {{g}}]", "[]") else 2
    case("target %r of a generation" % (t,), dict(GEN, doc_to_target=t, **TT), R, shots=n, limit=2)
case("prompt is a column", dict(MC, doc_to_text="q", **TT), R, shots=1, limit=2)
case("choices from a template", dict(MC, doc_to_choice="{{c}}", **TT), R, shots=1, limit=2)
case("choices of awkward texts", dict(MC, doc_to_choice="{{[\"it's\", 'say \"hi\"', '\\n\\t\\\\', q, 'é\u00a0\u200b', '\U0001f600']}}", **TT), R, shots=1, limit=2)
case("choices as a list", dict(MC, doc_to_choice=["no", "yes", "{{q}}"], **TT), R, shots=2, limit=2)
for n in (0, 2):
    case("contexts are the choices, %d shots" % n, dict(MC, doc_to_text="{{g}}", doc_to_target=" {{a}}", doc_to_choice="c", target_delimiter=" ", **TT), R, shots=n, limit=3)
    case("contexts are the choices, chat, %d shots" % n, dict(MC, doc_to_text="{{g}}", doc_to_target="{{a}}", **TT), R, shots=n, limit=2, chat=True, multiturn=True)
case("loglik", dict(GEN, output_type="loglikelihood", doc_to_target=" {{a}}", **TT), R, shots=2, limit=2)
case("rolling", {"output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{q}}", "test_split": "test"}, {"test": R["test"]})
case("stops are the delimiter", dict(GEN, fewshot_delimiter="\n###\n", **TT), R, shots=2, limit=1)
case("stops", dict(GEN, generation_kwargs={"until": ["Q:", "</s>"]}, **TT), R, shots=2, limit=1)
odd = [{"q": "tab\there", "a": "x\u0085", "n": None, "f": 1e-7, "b": True, "l": [], "d": {}, "u": "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
        "deep": {"k": [1, [2, {"z": 0.1}]]}, "control": "\x1f\x7f\u2028"}]
case("documents of every type", dict(GEN, **TT), {"test": odd, "train": odd * 3}, shots=1)
write = lambda x: json.dumps(x, ensure_ascii=False, separators=(",", ":"))
print('{"rows":[' + ",\n".join(write(json.loads(k)) for k in sets) + '],\n"cases":[\n' + ",\n".join(map(write, cases)) + "]}")
