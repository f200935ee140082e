"""Speed of our tokenizers beside PyPI tokenizers and tiktoken, one thread, in one run: a table with ratios.

usage: tokens_peers.py ASSAY TOKENIZERS PEERS DATASETS [FAMILY ...]

ASSAY is the program, TOKENIZERS a folder of folders with tokenizer.json, PEERS the folder of hf_tokenizers.py, which chooses the texts and has
tiktoken's patterns, DATASETS its data. MB (10^6 bytes) a second of processor time; peers best of three passes, as ours when warm; "cold" is our
first pass after opening. Turns alternate, so that a busy machine is busy for all.
"""
import csv
import json
import os
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


def seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start


def ours(assay, tokenizer, files):
    rows = csv.DictReader(subprocess.run([assay, "bench", "tokens", "--tokenizer", tokenizer, *files], check=True, capture_output=True, text=True).stdout.splitlines())
    found = {}
    for r in rows:
        key = (r["what"].split()[1], r["shape"].split()[0])
        found.setdefault(key, float(r["value"]))
    return found


def main():
    assay, tokenizers, peers, data, *families = sys.argv[1:]
    sys.path.insert(0, peers)
    import hf_tokenizers as hf
    import tokenizers as pypi
    try:
        import tiktoken
    except ImportError:
        tiktoken = None
    texts = hf.texts(data, 1.0)
    folder = tempfile.mkdtemp()
    files = []
    for name, docs in texts.items():
        files.append(os.path.join(folder, name))
        with open(files[-1], "w", encoding="utf-8", newline="") as f:
            f.write("".join(docs))
    size = {name: sum(len(d.encode()) for d in docs) / 1e6 for name, docs in texts.items()}
    print(f"{'family':14} {'text':8} {'cold':>7} {'warm':>7} {'tiktoken':>9} {'encode':>7} {'fast':>7}   cold/tiktoken cold/encode warm/tiktoken warm/encode warm/fast  load ms")
    for family in families or hf.FAMILIES:
        path = os.path.join(tokenizers, family, "tokenizer.json")
        tok, enc = pypi.Tokenizer.from_file(path), None
        if tiktoken and family in hf.TIKTOKEN:
            u = hf.bytes_of_unicode()
            with open(path, encoding="utf-8") as f:
                vocab = json.load(f)["model"]["vocab"]
            ranks = {bytes(u[c] for c in t): i for t, i in vocab.items() if all(c in u for c in t)}
            enc = tiktoken.Encoding(family, pat_str=hf.PATTERN[family], mergeable_ranks=ranks, special_tokens={})
        best = {}
        for _ in range(3):
            for (kind, name), v in ours(assay, path, files).items():
                pick = min if kind == "load" else max
                best[kind, name] = pick(best.get((kind, name), v), v)
            for name, docs in texts.items():
                ways = {"encode": lambda: [tok.encode(d, add_special_tokens=False) for d in docs],
                        "fast": lambda: tok.encode_batch_fast(docs, add_special_tokens=False)}
                if enc:
                    ways["tiktoken"] = lambda: [enc.encode_ordinary(d) for d in docs]
                for way, work in ways.items():
                    best[way, name] = max(best.get((way, name), 0), size[name] / seconds(work))
        load = next(v for (kind, _), v in best.items() if kind == "load")
        for name in texts:
            cold, warm, tik, encode, fast = (best.get((k, name), 0) for k in ("cold", "warm", "tiktoken", "encode", "fast"))
            ratio = lambda a, b: f"{a / b:.1f}x" if b else "-"
            print(f"{family:14} {name:8} {cold:7.1f} {warm:7.1f} {tik:9.1f} {encode:7.1f} {fast:7.1f}   {ratio(cold, tik):>13} {ratio(cold, encode):>11} {ratio(warm, tik):>13} {ratio(warm, encode):>11} {ratio(warm, fast):>9} {load:8.0f}", flush=True)


if __name__ == "__main__":
    main()
