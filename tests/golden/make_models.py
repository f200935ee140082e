#!/usr/bin/env python3
"""Tiny random checkpoints and their exact logits, for tests/test_model.c.

    make_models.py                     writes models/NAME/{config.json,*.safetensors,expected.json} beside this script
    make_models.py --check DIR EXPECT  compares the reference below with other models' float64 logits:
                                       DIR/NAME is a checkpoint, EXPECT/NAME.json.gz has "cases" {ids, logits_at, logits}

The reference is plain numpy in double over the exact weight values, one position after another as the model papers write
it, sharing nothing with the C code. Needs numpy.
"""
import glob
import gzip
import json
import math
import os
import sys
import zlib

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


# ---- checkpoints: reading ----

def load_tensors(d):
    out = {}
    for path in sorted(glob.glob(os.path.join(d, "*.safetensors"))):
        raw = open(path, "rb").read()
        n = int.from_bytes(raw[:8], "little")
        for name, t in json.loads(raw[8:8 + n]).items():
            if name == "__metadata__":
                continue
            b = raw[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]
            if t["dtype"] == "BF16":
                v = (np.frombuffer(b, "<u2").astype(np.uint32) << 16).view(np.float32)
            elif t["dtype"] in ("F16", "F32"):
                v = np.frombuffer(b, {"F16": "<f2", "F32": "<f4"}[t["dtype"]])
            else:
                continue
            out[name] = v.astype(np.float64).reshape(t["shape"])
    return out


# ---- the reference ----

def erf(x):
    return np.vectorize(math.erf)(x)


ACTS = {
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "gelu_fast": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))),
}
ACTS["gelu_new"] = ACTS["gelu_fast"]


def rms(x, w, eps):
    return w * x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)


def layernorm(x, w, b, eps):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w + b


def inv_freq(c, r):
    f = float(c.get("rope_theta", c.get("rotary_emb_base", 10000))) ** (-2.0 * np.arange(r // 2) / r)
    s = c.get("rope_scaling")
    if s and s.get("rope_type") == "llama3":
        for k in range(len(f)):
            wave, orig = 2 * math.pi / f[k], s["original_max_position_embeddings"]
            if wave > orig / s["low_freq_factor"]:
                f[k] /= s["factor"]
            elif wave >= orig / s["high_freq_factor"]:
                t = (orig / wave - s["low_freq_factor"]) / (s["high_freq_factor"] - s["low_freq_factor"])
                f[k] = (1 - t) * f[k] / s["factor"] + t * f[k]
    else:
        assert not s, s
    return f


def rotate(x, f):  # x [n][heads][d]; the first 2 len(f) channels, half layout
    n, r = x.shape[0], 2 * len(f)
    a = np.arange(n)[:, None] * f[None, :]
    c, s = np.cos(a)[:, None, :], np.sin(a)[:, None, :]
    x0, x1 = x[..., :r // 2], x[..., r // 2:r]
    return np.concatenate([x0 * c - x1 * s, x1 * c + x0 * s, x[..., r:]], -1)


def attend(q, k, v):  # [n][h][d], [n][hk][d]
    n, h, d = q.shape
    k, v = (np.repeat(t, h // k.shape[1], 1) for t in (k, v))
    s = np.einsum("ihd,jhd->hij", q, k) / math.sqrt(d)
    s = np.where(np.tril(np.ones((n, n), bool)), s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return np.einsum("hij,jhd->ihd", p, v).reshape(n, h * d)


def llama(c, w, ids):
    h, hk = c["num_attention_heads"], c.get("num_key_value_heads", c["num_attention_heads"])
    d = c.get("head_dim", c["hidden_size"] // h)
    eps, f, n = c["rms_norm_eps"], inv_freq(c, d), len(ids)
    x = w["model.embed_tokens.weight"][ids]
    for i in range(c["num_hidden_layers"]):
        p = "model.layers.%d." % i
        def lin(x, name):
            y = x @ w[p + name + ".weight"].T
            return y + w[p + name + ".bias"] if p + name + ".bias" in w else y
        y = rms(x, w[p + "input_layernorm.weight"], eps)
        q, k, v = (lin(y, "self_attn.%s_proj" % t).reshape(n, -1, d) for t in "qkv")
        x = x + lin(attend(rotate(q, f), rotate(k, f), v), "self_attn.o_proj")
        y = rms(x, w[p + "post_attention_layernorm.weight"], eps)
        x = x + lin(ACTS[c["hidden_act"]](lin(y, "mlp.gate_proj")) * lin(y, "mlp.up_proj"), "mlp.down_proj")
    x = rms(x, w["model.norm.weight"], eps)
    return x @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T


def neox(c, w, ids):
    h, H = c["num_attention_heads"], c["hidden_size"]
    d, eps, n = H // h, c["layer_norm_eps"], len(ids)
    f = inv_freq(c, int(d * c["rotary_pct"]))
    x = w["gpt_neox.embed_in.weight"][ids]
    for i in range(c["num_hidden_layers"]):
        p = "gpt_neox.layers.%d." % i
        lin = lambda x, name: x @ w[p + name + ".weight"].T + w[p + name + ".bias"]
        norm = lambda x, name: layernorm(x, w[p + name + ".weight"], w[p + name + ".bias"], eps)
        qkv = lin(norm(x, "input_layernorm"), "attention.query_key_value").reshape(n, h, 3, d)
        q, k, v = qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2]
        a = lin(attend(rotate(q, f), rotate(k, f), v), "attention.dense")
        mlp = lambda x: lin(ACTS[c["hidden_act"]](lin(norm(x, "post_attention_layernorm"), "mlp.dense_h_to_4h")), "mlp.dense_4h_to_h")
        if c.get("use_parallel_residual", True):
            x = x + a + mlp(x)
        else:
            x = x + a
            x = x + mlp(x)
    x = layernorm(x, w["gpt_neox.final_layer_norm.weight"], w["gpt_neox.final_layer_norm.bias"], eps)
    return x @ w["embed_out.weight"].T


FAMILIES = {"LlamaForCausalLM": llama, "Qwen2ForCausalLM": llama, "GPTNeoXForCausalLM": neox}


# ---- checkpoints: writing ----

SIZES = {"F32": 4, "F16": 2, "BF16": 2, "BOOL": 1}


def encode(a, dtype):
    if dtype == "BF16":
        u = np.ascontiguousarray(a, np.float32).view(np.uint32).astype(np.uint64)
        return ((u + 0x7FFF + ((u >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return np.asarray(a).astype({"F32": "<f4", "F16": "<f2", "BOOL": "u1"}[dtype]).tobytes()


def write_safetensors(path, tensors):
    head, body, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, dtype, a in sorted(tensors, key=lambda t: -SIZES[t[1]]):
        b = encode(a, dtype)
        head[name] = {"dtype": dtype, "shape": list(np.shape(a)), "data_offsets": [at, at + len(b)]}
        body.append(b)
        at += len(b)
    h = json.dumps(head, separators=(",", ":")).encode()
    h += b" " * (-len(h) % 8)
    with open(path, "wb") as f:
        f.write(len(h).to_bytes(8, "little") + h + b"".join(body))


def llama_shapes(c, qkv_bias):
    H, I, V = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    h, hk = c["num_attention_heads"], c["num_key_value_heads"]
    d = c.get("head_dim", H // h)
    s = {"model.embed_tokens.weight": (V, H), "model.norm.weight": (H,)}
    if not c["tie_word_embeddings"]:
        s["lm_head.weight"] = (V, H)
    for i in range(c["num_hidden_layers"]):
        p = "model.layers.%d." % i
        for n, o, k in (("self_attn.q_proj", h * d, H), ("self_attn.k_proj", hk * d, H), ("self_attn.v_proj", hk * d, H),
                        ("self_attn.o_proj", H, h * d), ("mlp.gate_proj", I, H), ("mlp.up_proj", I, H), ("mlp.down_proj", H, I)):
            s[p + n + ".weight"] = (o, k)
            if qkv_bias and n[10] in "qkv":
                s[p + n + ".bias"] = (o,)
        for n in ("input_layernorm", "post_attention_layernorm"):
            s[p + n + ".weight"] = (H,)
    return s


def neox_shapes(c):
    H, I, V = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    s = {"gpt_neox.embed_in.weight": (V, H), "embed_out.weight": (V, H)}
    for n in ["final_layer_norm"] + ["layers.%d.%s" % (i, n) for i in range(c["num_hidden_layers"])
                                     for n in ("input_layernorm", "post_attention_layernorm")]:
        s["gpt_neox." + n + ".weight"] = s["gpt_neox." + n + ".bias"] = (H,)
    for i in range(c["num_hidden_layers"]):
        for n, o, k in (("attention.query_key_value", 3 * H, H), ("attention.dense", H, H), ("mlp.dense_h_to_4h", I, H), ("mlp.dense_4h_to_h", H, I)):
            s["gpt_neox.layers.%d.%s.weight" % (i, n)] = (o, k)
            s["gpt_neox.layers.%d.%s.bias" % (i, n)] = (o,)
    return s


BASE = dict(num_hidden_layers=2, torch_dtype="float32", bos_token_id=1, eos_token_id=2, max_position_embeddings=512)
MODELS = {
    "llama": (dict(BASE, architectures=["LlamaForCausalLM"], model_type="llama", vocab_size=83, hidden_size=40, intermediate_size=52,
                   num_attention_heads=6, num_key_value_heads=2, head_dim=8, hidden_act="silu", rms_norm_eps=1e-5, rope_theta=500000.0,
                   rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64),
                   tie_word_embeddings=False), "BF16", 2),
    "qwen2": (dict(BASE, architectures=["Qwen2ForCausalLM"], model_type="qwen2", vocab_size=61, hidden_size=32, intermediate_size=44,
                   num_attention_heads=4, num_key_value_heads=1, hidden_act="silu", rms_norm_eps=1e-6, rope_theta=1000000.0,
                   tie_word_embeddings=True, use_sliding_window=False, sliding_window=16, max_window_layers=1), "F32", 1),
    "neox": (dict(BASE, architectures=["GPTNeoXForCausalLM"], model_type="gpt_neox", vocab_size=97, hidden_size=48, intermediate_size=52,
                  num_attention_heads=3, hidden_act="gelu", rotary_pct=0.25, rotary_emb_base=10000, layer_norm_eps=1e-5,
                  use_parallel_residual=True, tie_word_embeddings=False), "F16", 1),
    "neox-sequential": (dict(BASE, architectures=["GPTNeoXForCausalLM"], model_type="gpt_neox", vocab_size=67, hidden_size=36, intermediate_size=50,
                             num_attention_heads=2, hidden_act="gelu_fast", rotary_pct=1.0, rotary_emb_base=10000, layer_norm_eps=1e-5,
                             use_parallel_residual=False, tie_word_embeddings=False), "BF16", 1),
}
AT = [0, 1, 63, 64, 65, 128, 255, 256, 257, 299]
N = 300


def write_model(name, out):
    c, dtype, shards = MODELS[name]
    rs = np.random.RandomState(zlib.crc32(name.encode()))
    shapes = neox_shapes(c) if "neox" in name else llama_shapes(c, name == "qwen2")
    tensors = []
    for t, shape in sorted(shapes.items()):
        norm = "norm" in t
        a = rs.standard_normal(shape) * (0.1 if norm or len(shape) == 1 else 2.0 / math.sqrt(shape[-1]) if "embed" not in t else 1.0)
        tensors.append((t, dtype, a + (1.0 if norm and t.endswith("weight") else 0.0)))
    for i in range(c["num_hidden_layers"]):  # what old checkpoints carry and nobody reads
        if name == "llama":
            tensors.append(("model.layers.%d.self_attn.rotary_emb.inv_freq" % i, "F32", np.ones(4)))
        if name == "neox":
            p = "gpt_neox.layers.%d.attention." % i
            tensors += [(p + "bias", "BOOL", np.tril(np.ones((8, 8)))[None, None]), (p + "masked_bias", "F32", np.array(-1e9)),
                        (p + "rotary_emb.inv_freq", "F32", np.ones(2))]
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "config.json"), "w", newline="\n") as f:
        json.dump(c, f, indent=1)
        f.write("\n")
    if shards == 1:
        write_safetensors(os.path.join(out, "model.safetensors"), tensors)
    else:
        index = {}
        for k in range(shards):
            fn = "model-%05d-of-%05d.safetensors" % (k + 1, shards)
            part = tensors[len(tensors) * k // shards:len(tensors) * (k + 1) // shards]
            write_safetensors(os.path.join(out, fn), part)
            index.update((t[0], fn) for t in part)
        with open(os.path.join(out, "model.safetensors.index.json"), "w", newline="\n") as f:
            json.dump({"metadata": {}, "weight_map": dict(sorted(index.items()))}, f, indent=1)
            f.write("\n")

    ids = [1] + [int(t) for t in rs.randint(0, c["vocab_size"], N - 1)]
    logits = FAMILIES[c["architectures"][0]](c, load_tensors(out), ids)
    m = logits.max(-1, keepdims=True)
    logp = logits - m - np.log(np.exp(logits - m).sum(-1, keepdims=True))
    with open(os.path.join(out, "expected.json"), "w", newline="\n") as f:
        json.dump({"ids": ids, "logits_at": AT, "logits": [[float("%.12g" % x) for x in logits[i]] for i in AT],
                   "logprobs": [float("%.12g" % logp[i, ids[i + 1]]) for i in range(N - 1)]}, f, separators=(",", ":"))
        f.write("\n")


def check(models, expected):
    for d in sorted(glob.glob(os.path.join(models, "*"))):
        c = json.load(open(os.path.join(d, "config.json")))
        run, name = FAMILIES.get(c["architectures"][0]), os.path.basename(d)
        if not run:
            continue
        w, worst = load_tensors(d), 0
        for case in json.load(gzip.open(os.path.join(expected, name + ".json.gz")))["cases"]:
            got, want = run(c, w, case["ids"])[case["logits_at"]], np.array(case["logits"])
            worst = max(worst, np.abs(got - want).max() / np.abs(want).max())
        print("%-20s %.2g" % (name, worst))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(sys.argv[2], sys.argv[3])
    else:
        for name in MODELS:
            write_model(name, os.path.join(HERE, "models", name))
            print(name)
