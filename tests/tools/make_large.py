#!/usr/bin/env python3
"""Writes a checkpoint of a real model's shape with random weights, for measuring load time and memory.

    make_large.py DIR [--shape qwen-0.5b|llama-1b|llama-8b] [--dtype BF16|F16|F32|F8_E4M3] [--shards N] [--seed S]

Shapes are those of Qwen2.5 0.5B, Llama 3.2 1B and Llama 3.1 8B (from their config.json). F8_E4M3 has scales for blocks of
128 x 128. There is no tokenizer: `assay score` on ids and `assay doctor` need none. Weights are of variance 1 / inputs. numpy only.
"""
import argparse
import json
import os
import struct

import numpy as np

SHAPES = {
    "qwen-0.5b": dict(model_type="qwen2", architectures=["Qwen2ForCausalLM"], vocab_size=151936, hidden_size=896, intermediate_size=4864,
                      num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, max_position_embeddings=32768,
                      rms_norm_eps=1e-6, rope_theta=1e6, tie_word_embeddings=True),
    "llama-1b": dict(model_type="llama", architectures=["LlamaForCausalLM"], vocab_size=128256, hidden_size=2048, intermediate_size=8192,
                     num_hidden_layers=16, num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=131072,
                     rms_norm_eps=1e-5, rope_theta=5e5, tie_word_embeddings=True),
    "llama-8b": dict(model_type="llama", architectures=["LlamaForCausalLM"], vocab_size=128256, hidden_size=4096, intermediate_size=14336,
                     num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=131072,
                     rms_norm_eps=1e-5, rope_theta=5e5, tie_word_embeddings=False),
}
SIZE = {"BF16": 2, "F16": 2, "F32": 4, "F8_E4M3": 1}


def tensors(c, dtype):
    """(name, dtype, shape, standard deviation around mean) in order."""
    w, d = c["hidden_size"], c["hidden_size"] // c["num_attention_heads"]
    plain = dtype if dtype != "F8_E4M3" else "BF16"

    def linear(name, n, k, bias):
        yield name + ".weight", dtype, (n, k), k ** -0.5, 0
        if dtype == "F8_E4M3":
            yield name + ".weight_scale_inv", "F32", (-(-n // 128), -(-k // 128)), 0, k ** -0.5 / 100
        if bias:
            yield name + ".bias", plain, (n,), 0.1, 0

    yield "model.embed_tokens.weight", plain, (c["vocab_size"], w), 1, 0
    for i in range(c["num_hidden_layers"]):
        p = "model.layers.%d." % i
        q, kv, qwen = c["num_attention_heads"] * d, c["num_key_value_heads"] * d, c["model_type"] == "qwen2"
        yield p + "input_layernorm.weight", plain, (w,), 0.1, 1
        yield p + "post_attention_layernorm.weight", plain, (w,), 0.1, 1
        for name, n, k in (("q", q, w), ("k", kv, w), ("v", kv, w), ("o", w, q)):
            yield from linear(p + "self_attn." + name + "_proj", n, k, qwen and name != "o")
        for name, n, k in (("gate", c["intermediate_size"], w), ("up", c["intermediate_size"], w), ("down", w, c["intermediate_size"])):
            yield from linear(p + "mlp." + name + "_proj", n, k, False)
    yield "model.norm.weight", plain, (w,), 0.1, 1
    if not c["tie_word_embeddings"]:
        yield "lm_head.weight", plain, (c["vocab_size"], w), w ** -0.5, 0


def values(rng, dtype, shape, std, mean):
    """Raw bytes, a block at a time: one block of noise, shifted, is random enough."""
    n = int(np.prod(shape))
    block = rng.standard_normal(min(n, 1 << 20), dtype=np.float32) * np.float32(std if dtype != "F8_E4M3" else 1) + np.float32(mean)
    if dtype == "F8_E4M3":
        raw = rng.integers(0, 256, len(block), dtype=np.uint8)
        raw[(raw & 0x7f) == 0x7f] = 0
    elif dtype == "BF16":
        raw = (block.view(np.uint32) >> 16).astype("<u2")
    else:
        raw = block.astype("<f2" if dtype == "F16" else "<f4")
    for at in range(0, n, len(raw)):
        yield np.roll(raw, at // len(raw) * 977)[:n - at].tobytes()


def write(path, chosen, rng):
    head, at = {}, 0
    for name, dtype, shape, _, _ in chosen:
        size = int(np.prod(shape)) * SIZE[dtype]
        head[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, dtype, shape, std, mean in chosen:
            for raw in values(rng, dtype, shape, std, mean):
                f.write(raw)
    return at


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir")
    p.add_argument("--shape", choices=sorted(SHAPES), default="qwen-0.5b")
    p.add_argument("--dtype", choices=sorted(SIZE), default="BF16")
    p.add_argument("--shards", type=int, default=1)
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    c = dict(SHAPES[o.shape], torch_dtype="bfloat16", hidden_act="silu", eos_token_id=1)
    if o.dtype == "F8_E4M3":
        c["quantization_config"] = {"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}
    os.makedirs(o.dir, exist_ok=True)
    json.dump(c, open(os.path.join(o.dir, "config.json"), "w"), indent=1)
    every, rng, total, where = list(tensors(c, o.dtype)), np.random.default_rng(o.seed), 0, {}
    for s in range(o.shards):
        name = "model.safetensors" if o.shards == 1 else "model-%05d-of-%05d.safetensors" % (s + 1, o.shards)
        chosen = every[len(every) * s // o.shards:len(every) * (s + 1) // o.shards]
        total += write(os.path.join(o.dir, name), chosen, rng)
        where.update({t[0]: name for t in chosen})
    if o.shards > 1:
        json.dump({"metadata": {"total_size": total}, "weight_map": where}, open(os.path.join(o.dir, "model.safetensors.index.json"), "w"))
    print("%d bytes in %d tensors" % (total, len(every)))


if __name__ == "__main__":
    main()
