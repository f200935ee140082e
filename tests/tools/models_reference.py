"""The reference of models_variants.py: transformers (5.24) and PyTorch on the CPU, in float64 and as the stock fp32 eager model.

A model is a config as on the hub and tensors under the names of released checkpoints. `released` asks transformers for names
and shapes (save_pretrained reverses its own renaming); `to_reference` re-packs what lives in remote code (qwen1, baichuan,
internlm2, chatglm3, minicpm, mimo, kimi-k2) into equivalents, and expands packed weights; `load` builds both models.

float64 means all of it: while a model is made and run, torch.float32 and torch.float are float64 and Tensor.float() is
double(), so that the places where transformers asks for float32 are widened; `run64` names every operation that still
returned a narrower number. Checked by models_variants.py --check against the oracle's own float64 logits.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
import zlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from torch.overrides import TorchFunctionMode

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)
FLOAT32 = torch.float32
NARROW = (torch.float32, torch.bfloat16, torch.float16)


@contextlib.contextmanager
def widened():
    saved = torch.float32, torch.float, torch.Tensor.float
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = lambda self, *a, **k: self.double()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = saved
        torch.set_default_dtype(FLOAT32)


class Watch(TorchFunctionMode):
    """Names of the functions that returned less than float64."""

    def __init__(self):
        super().__init__()
        self.narrow = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for x in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(x, torch.Tensor) and x.dtype in NARROW:
                self.narrow.add(getattr(func, "__name__", str(func)))
        return out


# ---- what released checkpoints call things, and what transformers makes of them ----


def alibi_slopes(n):
    c = 1 << (n.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * (i + 1) / c) for i in range(c)]
    return slopes + [2.0 ** (-4.0 * (i + 1) / c) for i in range(0, 2 * (n - c), 2)]


def renamed(rules):
    def rename(name):
        for a, b in rules:
            name = re.sub(a, b, name)
        return name

    return rename


LLAMA_MLP = ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]


def layers(tensors, pattern):
    """(layer, tensor) for names like 'model.layers.{}.x', which are taken out of the dict."""
    i = 0
    while pattern.format(i) in tensors:
        yield i, tensors.pop(pattern.format(i))
        i += 1


def baichuan(config, t):
    c = dict(config, architectures=["LlamaForCausalLM"], model_type="llama", num_key_value_heads=config["num_attention_heads"])
    c["max_position_embeddings"] = c.get("max_position_embeddings", c.get("model_max_length", 4096))
    for i, w in layers(t, "model.layers.{}.self_attn.W_pack.weight"):
        for name, part in zip("qkv", np.split(w, 3)):
            t["model.layers.%d.self_attn.%s_proj.weight" % (i, name)] = part
    if "z_loss_weight" in config:
        t["lm_head.weight"] = t["lm_head.weight"] / np.sqrt((t["lm_head.weight"] ** 2).sum(1, keepdims=True))
    return c, t


def qwen1(config, t):
    c = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": config["vocab_size"],
        "hidden_size": config["hidden_size"],
        "intermediate_size": config["intermediate_size"] // 2,
        "num_hidden_layers": config["num_hidden_layers"],
        "num_attention_heads": config["num_attention_heads"],
        "num_key_value_heads": config["num_attention_heads"],
        "head_dim": config["kv_channels"],
        "rms_norm_eps": config["layer_norm_epsilon"],
        "rope_theta": config["rotary_emb_base"],
        "max_position_embeddings": config["seq_length"],
        "tie_word_embeddings": False,
    }
    for kind in ("weight", "bias"):
        for i, w in layers(t, "transformer.h.{}.attn.c_attn." + kind):
            for name, part in zip("qkv", np.split(w, 3)):
                t["transformer.h.%d.attn.%s_proj.%s" % (i, name, kind)] = part
    rename = renamed(
        [
            ("wte", "embed_tokens"),
            ("ln_f", "norm"),
            (r"\.h\.", ".layers."),
            ("^transformer", "model"),
            ("ln_1", "input_layernorm"),
            ("ln_2", "post_attention_layernorm"),
            ("attn.c_proj", "attn.o_proj"),
            ("attn", "self_attn"),
            ("mlp.w1", "mlp.up_proj"),
            ("mlp.w2", "mlp.gate_proj"),
            ("mlp.c_proj", "mlp.down_proj"),
        ]
    )
    return c, {rename(k): v for k, v in t.items()}


def internlm2(config, t):
    c = dict(config, architectures=["LlamaForCausalLM"], model_type="llama", attention_bias=config["bias"])
    kv, h = config["num_key_value_heads"], config["num_attention_heads"]
    d = config["hidden_size"] // h
    if (c.get("rope_scaling") or {}).get("type") == "dynamic":
        c["rope_scaling"] = None
    for kind in ("weight", "bias"):
        for i, w in layers(t, "model.layers.{}.attention.wqkv." + kind):
            x = w.reshape(kv, h // kv + 2, d, -1)
            for name, part in ("q", x[:, :-2]), ("k", x[:, -2]), ("v", x[:, -1]):
                t["model.layers.%d.attention.%s_proj.%s" % (i, name, kind)] = part.reshape((-1,) + w.shape[1:])
    rename = renamed(
        [
            ("tok_embeddings", "embed_tokens"),
            ("attention_norm", "input_layernorm"),
            ("ffn_norm", "post_attention_layernorm"),
            (r"attention\.", "self_attn."),
            (r"self_attn\.wo", "self_attn.o_proj"),
            ("feed_forward.w1", "mlp.gate_proj"),
            ("feed_forward.w2", "mlp.down_proj"),
            ("feed_forward.w3", "mlp.up_proj"),
            ("^output", "lm_head"),
        ]
    )
    return c, {rename(k): v for k, v in t.items()}


def chatglm3(config, t):
    h, kv, d = (
        config["num_attention_heads"],
        config["multi_query_group_num"] if config["multi_query_attention"] else config["num_attention_heads"],
        config["kv_channels"],
    )
    c = {
        "architectures": ["GlmForCausalLM"],
        "model_type": "glm",
        "vocab_size": config["padded_vocab_size"],
        "hidden_size": config["hidden_size"],
        "intermediate_size": config["ffn_hidden_size"],
        "num_hidden_layers": config["num_layers"],
        "num_attention_heads": h,
        "num_key_value_heads": kv,
        "head_dim": d,
        "rms_norm_eps": config["layernorm_epsilon"],
        "rope_theta": 10000.0 * config.get("rope_ratio", 1),
        "partial_rotary_factor": 0.5,
        "max_position_embeddings": config["seq_length"],
        "attention_bias": config["add_qkv_bias"],
        "tie_word_embeddings": False,
        "pad_token_id": 0,
    }
    for kind in ("weight", "bias"):
        for i, w in layers(t, "transformer.encoder.layers.{}.self_attention.query_key_value." + kind):
            for name, part in zip("qkv", np.split(w, [h * d, (h + kv) * d])):
                t["transformer.encoder.layers.%d.self_attn.%s_proj.%s" % (i, name, kind)] = part
    rename = renamed(
        [
            ("embedding.word_embeddings", "embed_tokens"),
            ("encoder.final_layernorm", "norm"),
            ("transformer.output_layer", "lm_head"),
            (r"transformer\.(encoder\.)?", "model."),
            ("self_attention.dense", "self_attn.o_proj"),
            ("dense_4h_to_h", "down_proj"),
            ("dense_h_to_4h", "gate_up_proj"),
        ]
    )
    return c, {rename(k): v for k, v in t.items() if "inv_freq" not in k}


def minicpm(config, t):
    d = config["hidden_size"] // config["num_attention_heads"]
    c = dict(
        config,
        architectures=["GraniteForCausalLM"],
        model_type="granite",
        embedding_multiplier=config["scale_emb"],
        attention_multiplier=d**-0.5,
        residual_multiplier=config["scale_depth"] / config["num_hidden_layers"] ** 0.5,
        logits_scaling=config["hidden_size"] / config["dim_model_base"],
    )
    return c, t


def mimo(config, t):
    c = dict(config, architectures=["Qwen2ForCausalLM"], model_type="qwen2")
    return c, {k: v for k, v in t.items() if "mtp_layers" not in k}


def dbrx(config, t):
    return dict(config, rope_theta=config["attn_config"].get("rope_theta", 10000)), t


def longcat(config, t):
    n, zero = config["n_routed_experts"], config.get("zero_expert_num") or 0
    for name in [k for k in t if ".experts.0.gate_proj" in k or ".experts.0.up_proj" in k]:
        for i in range(n, n + zero):  # transformers makes room for them and never reads it
            t[name.replace("experts.0.", "experts.%d." % i)] = np.zeros_like(t[name])
    return config, t


def text_part(prefix, keep, architecture):
    def adapt(config, t):
        c = dict(
            config["text_config"],
            architectures=[architecture],
            tie_word_embeddings=config.get("tie_word_embeddings", config["text_config"].get("tie_word_embeddings", False)),
        )
        return c, {re.sub(prefix, keep, k): v for k, v in t.items() if re.search(prefix, k) or k.startswith("lm_head")}

    return adapt


FP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def mxfp4(config, t):
    """Blocks [E, rows, K/32, 16] and scales to the [E, K, rows] that transformers multiplies by."""
    out = {}
    for name, x in t.items():
        if name.endswith("_blocks"):
            pair = np.stack([FP4[x.astype(int) & 15], FP4[x.astype(int) >> 4]], -1)
            w = pair.reshape(x.shape[:3] + (32,)) * 2.0 ** (t[name[:-7] + "_scales"].astype(np.float64)[..., None] - 127)
            out[name[:-7]] = w.reshape(x.shape[0], x.shape[1], -1).transpose(0, 2, 1)
        elif not name.endswith("_scales"):
            out[name] = x
    return {k: v for k, v in config.items() if k != "quantization_config"}, out


E4M3 = np.array(
    [(-1) ** (c >> 7) * ((c & 7) * 2.0**-9 if c & 120 == 0 else (8 + (c & 7)) * 2.0 ** ((c >> 3 & 15) - 10)) for c in range(256)]
)


def decode(t, raw):
    """A tensor's bytes as float64."""
    if t["dtype"] == "BF16":
        a = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    elif t["dtype"] == "F8_E4M3":
        a = E4M3[np.frombuffer(raw, np.uint8)]
    else:
        a = np.frombuffer(raw, {"F64": "<f8", "F32": "<f4", "F16": "<f2", "U8": "u1"}[t["dtype"]])
    return a.astype(np.float64).reshape(t["shape"])


def fp8(config, t):
    """Codes (float values here already) times their scale by block, row or tensor."""
    out, block = {}, (config["quantization_config"].get("weight_block_size") or [1, 1])
    for name, x in t.items():
        if name.endswith(("weight_scale_inv", "weight_scale", "input_scale")):
            continue
        s = t.get(name + "_scale_inv", t.get(name + "_scale"))
        if (
            s is not None
            and s.ndim == 2
            and x.ndim == 2
            and s.shape != (x.shape[0], 1)
            and s.size > 1
            or name + "_scale_inv" in t
            and block != [1, 1]
        ):
            s = np.repeat(np.repeat(s, block[0], 0), block[1], 1)[: x.shape[0], : x.shape[1]]
        out[name] = x if s is None else x * s
    return {k: v for k, v in config.items() if k != "quantization_config"}, out


ADAPT = {
    "baichuan-7b": baichuan,
    "baichuan-13b": baichuan,
    "baichuan2-7b": baichuan,
    "baichuan2-13b": baichuan,
    "qwen1": qwen1,
    "internlm2": internlm2,
    "chatglm3": chatglm3,
    "minicpm": minicpm,
    "mimo": mimo,
    "dbrx": dbrx,
    "longcat-flash": longcat,
    "kimi-k2": lambda c, t: (dict(c, model_type="deepseek_v3"), t),
    "gemma4-text": text_part(r"^model\.language_model\.", "model.", "Gemma4ForCausalLM"),
    "gemma4-moe": text_part(r"^model\.language_model\.", "model.", "Gemma4ForCausalLM"),
    "qwen3.5-text": text_part(r"^model\.language_model\.", "model.", "Qwen3_5ForCausalLM"),
    "llama4-text": text_part(r"^language_model\.", "", "Llama4ForCausalLM"),
    "gpt-oss-mxfp4": mxfp4,
    "deepseek-v3-fp8": fp8,
    "qwen3-fp8": fp8,
}
# names that transformers writes -> names of the release; None: no such tensor there
RELEASED = {
    "bloom": [("^transformer.", "")],
    "gpt2": [("^transformer.", "")],
    "llama4-text": [("^", "language_model.")],
    "qwen3.5-text": [("^model.", "model.language_model.")],
    "gemma4-text": [("^model.", "model.language_model.")],
    "gemma4-moe": [("^model.", "model.language_model.")],
}
UNRELEASED = {"minimax": r"_decay$|slope_rate$"}


def to_reference(name, config, tensors):
    config, tensors = ADAPT.get(name, lambda c, t: (c, t))(json.loads(json.dumps(config)), dict(tensors))
    config.pop("auto_map", None)
    return config, tensors


def parse(config):
    folder = tempfile.mkdtemp()
    try:
        json.dump(config, open(folder + "/config.json", "w"))
        return transformers.AutoConfig.from_pretrained(folder)
    finally:
        shutil.rmtree(folder)


def released(name, config):
    """{tensor name: shape} of a checkpoint with this config, as transformers would save it, under released names."""
    if name in SHAPES:
        return SHAPES[name](config)
    c = to_reference(name, config, {})[0]
    c.pop("quantization_config", None)
    folder = tempfile.mkdtemp()
    try:
        m = (
            make_class(c).from_config(parse(c), dtype=torch.float32)
            if make_class(c) is transformers.AutoModelForCausalLM
            else make_class(c)(parse(c))
        )
        m.save_pretrained(folder)
        out = {}
        for f in sorted(os.listdir(folder)):
            if f.endswith(".safetensors"):
                with safe_open(folder + "/" + f, "pt") as h:
                    out.update({k: list(h.get_slice(k).get_shape()) for k in h.keys()})
    finally:
        shutil.rmtree(folder)
    rename = renamed(RELEASED.get(name, []))
    out = {k if k.startswith("lm_head") and name == "qwen3.5-text" else rename(k): v for k, v in out.items()}
    if name in UNRELEASED:
        out = {k: v for k, v in out.items() if not re.search(UNRELEASED[name], k)}
    if name == "longcat-flash":
        out = {
            k: v
            for k, v in out.items()
            if "experts." not in k or int(re.search(r"experts\.(\d+)", k).group(1)) < config["n_routed_experts"]
        }
    return out


def make_class(config):
    arch = config["architectures"][0]
    own = arch in ("Gemma4ForCausalLM", "Qwen3_5ForCausalLM", "Llama4ForCausalLM") or arch.endswith("ForConditionalGeneration")
    return getattr(transformers, arch) if own else transformers.AutoModelForCausalLM


# ---- shapes of families that live in remote code ----


def shapes_baichuan(c):
    h, f, v = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    out = {"model.embed_tokens.weight": [v, h], "model.norm.weight": [h], "lm_head.weight": [v, h]}
    for i in range(c["num_hidden_layers"]):
        p = "model.layers.%d." % i
        out.update(
            {
                p + "self_attn.W_pack.weight": [3 * h, h],
                p + "self_attn.o_proj.weight": [h, h],
                p + "mlp.gate_proj.weight": [f, h],
                p + "mlp.down_proj.weight": [h, f],
                p + "mlp.up_proj.weight": [f, h],
                p + "input_layernorm.weight": [h],
                p + "post_attention_layernorm.weight": [h],
            }
        )
    return out


def shapes_qwen1(c):
    h, f, v, a = c["hidden_size"], c["intermediate_size"] // 2, c["vocab_size"], c["num_attention_heads"] * c["kv_channels"]
    out = {"transformer.wte.weight": [v, h], "transformer.ln_f.weight": [h], "lm_head.weight": [v, h]}
    for i in range(c["num_hidden_layers"]):
        p = "transformer.h.%d." % i
        out.update(
            {
                p + "ln_1.weight": [h],
                p + "ln_2.weight": [h],
                p + "attn.c_attn.weight": [3 * a, h],
                p + "attn.c_attn.bias": [3 * a],
                p + "attn.c_proj.weight": [h, a],
                p + "mlp.w1.weight": [f, h],
                p + "mlp.w2.weight": [f, h],
                p + "mlp.c_proj.weight": [h, f],
            }
        )
    return out


def shapes_internlm2(c):
    h, f, v = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    a = h + 2 * h // c["num_attention_heads"] * c["num_key_value_heads"]
    out = {"model.tok_embeddings.weight": [v, h], "model.norm.weight": [h], "output.weight": [v, h]}
    for i in range(c["num_hidden_layers"]):
        p = "model.layers.%d." % i
        out.update(
            {
                p + "attention.wqkv.weight": [a, h],
                p + "attention.wo.weight": [h, h],
                p + "feed_forward.w1.weight": [f, h],
                p + "feed_forward.w2.weight": [h, f],
                p + "feed_forward.w3.weight": [f, h],
                p + "attention_norm.weight": [h],
                p + "ffn_norm.weight": [h],
            }
        )
        if c["bias"]:
            out.update({p + "attention.wqkv.bias": [a], p + "attention.wo.bias": [h]})
    return out


def shapes_chatglm3(c):
    h, f, v, n, d = c["hidden_size"], c["ffn_hidden_size"], c["padded_vocab_size"], c["num_attention_heads"], c["kv_channels"]
    a = (n + 2 * (c["multi_query_group_num"] if c["multi_query_attention"] else n)) * d
    e = "transformer.encoder."
    out = {
        "transformer.embedding.word_embeddings.weight": [v, h],
        e + "final_layernorm.weight": [h],
        "transformer.output_layer.weight": [v, h],
    }
    for i in range(c["num_layers"]):
        p = e + "layers.%d." % i
        out.update(
            {
                p + "input_layernorm.weight": [h],
                p + "post_attention_layernorm.weight": [h],
                p + "self_attention.query_key_value.weight": [a, h],
                p + "self_attention.dense.weight": [h, n * d],
                p + "mlp.dense_h_to_4h.weight": [2 * f, h],
                p + "mlp.dense_4h_to_h.weight": [h, f],
            }
        )
        if c["add_qkv_bias"]:
            out[p + "self_attention.query_key_value.bias"] = [a]
    return out


def shapes_mxfp4(c):
    out = released("gpt-oss", {k: v for k, v in c.items() if k != "quantization_config"})
    for name in [k for k in out if k.endswith("experts.gate_up_proj") or k.endswith("experts.down_proj")]:
        e, k, rows = out.pop(name)
        out[name + "_blocks"] = [e, rows, k // 32, 16]
        out[name + "_scales"] = [e, rows, k // 32]
    return out


SHAPES = {
    "baichuan-7b": shapes_baichuan,
    "baichuan-13b": shapes_baichuan,
    "baichuan2-7b": shapes_baichuan,
    "baichuan2-13b": shapes_baichuan,
    "qwen1": shapes_qwen1,
    "internlm2": shapes_internlm2,
    "chatglm3": shapes_chatglm3,
    "gpt-oss-mxfp4": shapes_mxfp4,
}


# ---- the two models ----


class Reference:
    def __init__(self, name, config, tensors):
        c, t = to_reference(name, config, tensors)
        self.m32 = self.build(name, c, t, FLOAT32)
        with widened():
            self.m64 = self.build(name, c, t, torch.float64)
        self.slopes = alibi_slopes(config["num_attention_heads"]) if name in ("baichuan-13b", "baichuan2-13b") else None
        if self.slopes:
            for m in self.m32, self.m64:
                m.model.rotary_emb.forward = lambda x, position_ids, d=c["hidden_size"] // c["num_attention_heads"]: (
                    torch.ones(1, x.shape[1], d, dtype=x.dtype),
                    torch.zeros(1, x.shape[1], d, dtype=x.dtype),
                )
        self.narrow = set()

    def build(self, name, config, tensors, dtype):
        folder = tempfile.mkdtemp()
        try:
            json.dump(config, open(folder + "/config.json", "w"))
            save_file(
                {k: torch.tensor(np.array(v, order="C"), dtype=dtype) for k, v in tensors.items()},
                folder + "/model.safetensors",
                metadata={"format": "pt"},
            )
            attention = "sdpa" if config.get("alibi") else "eager"  # the eager code of Falcon adds the bias twice
            m, info = make_class(config).from_pretrained(
                folder, dtype=dtype, attn_implementation=attention, experts_implementation="eager", output_loading_info=True
            )
        finally:
            shutil.rmtree(folder)
        missing = [k for k in info["missing_keys"] if not re.search(UNRELEASED.get(name, "^$"), k)]
        self.unread = sorted(info["unexpected_keys"])
        if missing or info.get("mismatched_keys"):
            raise RuntimeError("transformers: missing %s, mismatched %s" % (missing[:3], list(info["mismatched_keys"])[:2]))
        return m.eval()

    def run(self, m, ids, dtype):
        more = {}
        if self.slopes:
            p = torch.arange(len(ids), dtype=dtype)
            bias = (p[None, :] - p[:, None]).masked_fill(p[None, :] > p[:, None], torch.finfo(dtype).min)
            far = p[None, :] > p[:, None]
            bias = torch.stack([((p[None, :] - p[:, None]) * s).masked_fill(far, torch.finfo(dtype).min) for s in self.slopes])[
                None
            ]
            more["attention_mask"] = bias
        with torch.no_grad():
            return m(torch.tensor([ids]), use_cache=False, **more).logits[0]

    def run64(self, ids):
        with widened(), Watch() as w:
            out = self.run(self.m64, ids, torch.float64).numpy()
        self.narrow |= w.narrow
        return out

    def run32(self, ids):
        return self.run(self.m32, ids, FLOAT32).double().numpy()


# ---- what is asked of it ----


def ids_of(seed, n, vocab):
    return [1] + [int(x) for x in np.random.RandomState(zlib.crc32(seed.encode())).randint(3, vocab, n - 1)]


def case(model, ids):
    """What the reference gives for the ids, as in expected/NAME.json.gz, and all its logits, float64 and fp32."""
    a, b = model.run64(ids), model.run32(ids)
    if not np.isfinite(a).all():
        raise RuntimeError("the reference is not finite")
    z = a - a.max(1, keepdims=True)
    lp = z - np.log(np.exp(z).sum(1, keepdims=True))
    n = len(ids)
    at = sorted({0, 1, 31, 64, n // 2, n - 2, n - 1})
    return (
        {
            "ids": ids,
            "logits_at": at,
            "logits": [a[i].tolist() for i in at],
            "logprobs": [float(lp[i, ids[i + 1]]) for i in range(n - 1)],
            "argmax": a.argmax(1).tolist(),
        },
        a,
        b,
    )
