"""Which other configs of each family models_variants.py tries: a table, and the changes that apply to any family.

A change is {key: value}. Keys are of text_config where there is one, a dot goes into an object, a leading slash means the top
level; DROP removes a key. Keys with @ are not of the config: @dtype (of what the spec has in 16 bits), @small (of the vectors
among it), @len (ids of the longer case), @v5 (config.json as transformers 5 saves it), @scale (how e4m3 is scaled).
"""

import zlib

DROP = object()
ROPES = [
    ("linear", {"type": "linear", "factor": 4.0}),
    (
        "llama3",
        {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    ),
    ("yarn", {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 64}),
    (
        "yarn-mscale",
        {
            "type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 128,
            "beta_fast": 16,
            "beta_slow": 2,
            "mscale": 0.9,
            "mscale_all_dim": 0.7,
        },
    ),
    (
        "yarn-attention",
        {"rope_type": "yarn", "factor": 6.0, "original_max_position_embeddings": 96, "attention_factor": 1.3, "truncate": False},
    ),
]
# families whose rotary settings are part of what they are, and have variants of their own below
OWN_ROPE = set("""
    gemma3-text gemma4-text olmo3 hunyuan-dense hunyuan-moe ministral3 phi3 phi3-longrope phi-moe deepseek-v2
    deepseek-v2-lite deepseek-v3 deepseek-v3-fp8 kimi-k2 gpt-oss-mxfp4 qwen3.5-text internlm2 minicpm qwen1 chatglm3
    baichuan-7b baichuan2-7b dbrx longcat-flash granite-moe-hybrid mimo phi stablelm nemotron mixtral baichuan-13b
    baichuan2-13b
    """.split())
NO_HEADS = set("""
    deepseek-v2 deepseek-v2-lite deepseek-v3 deepseek-v3-fp8 kimi-k2 longcat-flash gemma4-text phi mamba2
    """.split())
BIASES = list("""
    attention_bias mlp_bias use_bias bias use_qkv_bias attention_out_bias add_qkv_bias conv_bias use_conv_bias
    mamba_conv_bias mamba_proj_bias lm_head_bias
    """.split())
EPS = "rms_norm_eps layer_norm_eps layer_norm_epsilon norm_eps norm_epsilon layernorm_epsilon block_norm_eps".split()
NO_BIAS = set("""
    mimo gpt-oss-mxfp4 deepseek-v2 deepseek-v3 longcat-flash falcon-7b llama4-text qwen3.5-text gemma4-text
    hunyuan-dense hunyuan-moe
    """.split())
NO_TIE = set("""
    baichuan-7b baichuan-13b baichuan2-7b baichuan2-13b qwen1 chatglm3 phi phi-moe gpt-j internlm2 mpt bloom
    longcat-flash dbrx llama4-text nemotron-h gemma4-text
    """.split())

# Ids of another seed, where two experts of the reference lay closer together than fp32 rounding (1.1e-6 at id 11): any engine may choose either.
SALT = {"qwen3-next/bias": "a"}

SLIDE = ["sliding_attention", "full_attention"]
LLAMA4_NOPE = [1, 0, 1, 1]
YARN_DS = {
    "type": "yarn",
    "factor": 8.0,
    "original_max_position_embeddings": 64,
    "beta_fast": 32,
    "beta_slow": 1,
    "mscale": 1.0,
    "mscale_all_dim": 0.5,
}
SPARSE = [
    ("dense-layers", {"decoder_sparse_step": 2, "mlp_only_layers": [0]}),
    ("top1", {"num_experts_per_tok": 1, "norm_topk_prob": True, "num_experts": 7}),
    ("norm-flip", {"norm_topk_prob": "flip", "num_experts_per_tok": 5, "num_experts": 9}),
]
DEEPSEEK = [
    ("rope-default", {"rope_scaling": None, "@len": 300}),
    ("rope-yarn", {"rope_scaling": YARN_DS, "@len": 700}),
    (
        "heads",
        {
            "num_attention_heads": 5,
            "num_key_value_heads": 5,
            "qk_nope_head_dim": 28,
            "qk_rope_head_dim": 8,
            "v_head_dim": 36,
            "kv_lora_rank": 52,
        },
    ),
    ("dense2", {"first_k_dense_replace": 2}),
    ("moe-all", {"first_k_dense_replace": 0, "num_experts_per_tok": 2}),
    ("q-flip", {"q_lora_rank": "flip40"}),
    ("shared", {"n_shared_experts": 3, "routed_scaling_factor": 1.7}),
]
MAMBA_ATT = [("conv", {"mamba_d_conv": 3, "mamba_d_state": 16}), ("groups", {"mamba_n_groups": 2})]

TABLE = {
    "pythia": [
        ("sequential", {"use_parallel_residual": False, "rotary_pct": 0.5}),
        ("gelu-tanh", {"hidden_act": "gelu_new", "rotary_emb_base": 25000, "rotary_pct": 1.0}),
        ("wide", {"hidden_size": 320, "intermediate_size": 640, "num_attention_heads": 5}),
        ("nobias", {"attention_bias": False}),
    ],
    "neox-sequential": [
        ("parallel", {"use_parallel_residual": True, "rotary_pct": 0.75, "hidden_act": "gelu"}),
        ("one", {"num_hidden_layers": 1, "num_attention_heads": 2}),
    ],
    "bloom": [
        ("post-residual", {"apply_residual_connection_post_layernorm": True}),
        ("heads8", {"n_head": 8}),
        ("heads3", {"n_head": 3, "n_layer": 2, "@len": 700}),
    ],
    "llama2": [
        ("dynamic", {"rope_scaling": {"type": "dynamic", "factor": 2.0}}),
        ("wide", {"hidden_size": 320, "intermediate_size": 600, "num_attention_heads": 5}),
        ("gqa", {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 20}),
        ("gelu", {"hidden_act": "gelu", "rms_norm_eps": 1e-3}),
    ],
    "llama3-scaled": [
        ("gqa3", {"num_key_value_heads": 3, "head_dim": 64}),
        ("untied", {"/tie_word_embeddings": False, "attention_bias": True, "mlp_bias": True}),
    ],
    "llama4-text": [
        ("top2", {"num_experts_per_tok": 2, "num_local_experts": 5}),
        ("all-moe", {"interleave_moe_layer_step": 1, "attention_chunk_size": 32}),
        ("nope", {"no_rope_layers": LLAMA4_NOPE, "attn_temperature_tuning": False, "@len": 700}),
        ("no-norm", {"use_qk_norm": False}),
        ("floor", {"floor_scale": 16, "attn_scale": 0.3, "rope_scaling": None, "@len": 700}),
        ("moe-list", {"moe_layers": [0, 3]}),
    ],
    "olmo": [("no-clip", {"clip_qkv": None}), ("clip", {"clip_qkv": 0.5, "@len": 700})],
    "olmo2": [("wide", {"hidden_size": 288, "num_attention_heads": 6, "num_key_value_heads": 3})],
    "olmo3": [
        (
            "types",
            {
                "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
                "sliding_window": 20,
                "@len": 700,
            },
        ),
        ("default", {"rope_scaling": None, "layer_types": DROP}),
        ("gqa", {"num_key_value_heads": 2}),
        ("all-sliding", {"layer_types": ["sliding_attention"] * 4}),
    ],
    "olmoe": [
        ("clip", {"clip_qkv": 0.7}),
        ("norm", {"norm_topk_prob": True, "num_experts": 9, "num_experts_per_tok": 2}),
        ("top1", {"num_experts_per_tok": 1}),
        ("all", {"num_experts": 6, "num_experts_per_tok": 6}),
    ],
    "gpt-oss-mxfp4": [
        ("types", {"layer_types": SLIDE[::-1] * 2, "sliding_window": 17, "@len": 700}),
        ("experts", {"num_local_experts": 5, "num_experts_per_tok": 2, "experts_per_token": 2}),
        ("rope-default", {"rope_scaling": None}),
        (
            "truncate",
            {
                "rope_scaling": {
                    "rope_type": "yarn",
                    "factor": 8.0,
                    "original_max_position_embeddings": 64,
                    "beta_fast": 32.0,
                    "beta_slow": 1.0,
                }
            },
        ),
        ("limit", {"swiglu_limit": 7.0, "num_local_experts": 4, "hidden_size": 160, "intermediate_size": 96}),
        ("nobias", {"attention_bias": False}),
    ],
    "qwen1": [
        ("heads", {"num_attention_heads": 3, "kv_channels": 32, "@len": 700}),
        ("wide", {"hidden_size": 288, "num_attention_heads": 12, "intermediate_size": 700}),
    ],
    "qwen2": [
        ("window", {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1, "@len": 700}),
        (
            "types",
            {
                "use_sliding_window": True,
                "sliding_window": 40,
                "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            },
        ),
    ],
    "qwen2-moe": SPARSE
    + [
        ("window", {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1}),
        ("shared", {"shared_expert_intermediate_size": 36}),
    ],
    "qwen3": [
        ("window", {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": 1, "@len": 700}),
        ("bias", {"attention_bias": True, "head_dim": 20}),
    ],
    "qwen3-moe": SPARSE + [("bias", {"attention_bias": True, "use_sliding_window": True, "sliding_window": 24})],
    "qwen3-fp8": [
        ("channel", {"@scale": "channel"}),
        ("tensor", {"@scale": "tensor"}),
        ("blocks", {"@scale": "block", "hidden_size": 288, "head_dim": 48, "num_attention_heads": 6, "intermediate_size": 130}),
        ("small-block", {"@scale": "block", "/quantization_config.weight_block_size": [64, 32]}),
    ],
    "qwen3-next": SPARSE[:1]
    + SPARSE[2:]
    + [
        ("types", {"layer_types": ["full_attention", "linear_attention", "linear_attention", "full_attention"], "@len": 700}),
        (
            "linear-heads",
            {"linear_num_key_heads": 3, "linear_num_value_heads": 3, "linear_key_head_dim": 24, "linear_value_head_dim": 12},
        ),
        ("conv2", {"linear_conv_kernel_dim": 2, "partial_rotary_factor": 0.5}),
        ("interval", {"full_attention_interval": 2}),
    ],
    "qwen3.5-text": [
        ("types", {"layer_types": ["full_attention", "linear_attention", "linear_attention", "full_attention"], "@len": 700}),
        (
            "linear-heads",
            {"linear_num_key_heads": 3, "linear_num_value_heads": 3, "linear_key_head_dim": 24, "linear_value_head_dim": 12},
        ),
        ("conv3", {"linear_conv_kernel_dim": 3, "rope_parameters.partial_rotary_factor": 0.5}),
        ("kv1", {"num_key_value_heads": 1, "head_dim": 40}),
        ("tied", {"/tie_word_embeddings": True, "tie_word_embeddings": True}),
    ],
    "deepseek-v2-lite": DEEPSEEK,
    "deepseek-v2": DEEPSEEK
    + [("groups", {"n_group": 3, "topk_group": 1, "num_experts_per_tok": 2}), ("greedy", {"topk_method": "greedy"})],
    "deepseek-v3": DEEPSEEK
    + [
        ("groups", {"n_group": 2, "topk_group": 1, "n_routed_experts": 14}),
        ("no-norm", {"norm_topk_prob": False}),
        ("half-rope", {"rope_interleave": False}),
    ],
    "deepseek-v3-fp8": [
        ("blocks", {"@scale": "block", "hidden_size": 272, "moe_intermediate_size": 64}),
        ("groups", {"n_group": 1, "topk_group": 1, "n_routed_experts": 6}),
    ],
    "kimi-k2": [
        ("no-q-lora", {"q_lora_rank": None}),
        ("experts", {"n_routed_experts": 9, "num_experts_per_tok": 8, "rope_scaling": None}),
        ("dense2", {"first_k_dense_replace": 2, "@len": 700}),
    ],
    "glm": [("rotary", {"partial_rotary_factor": 1.0, "attention_bias": False}), ("head", {"head_dim": 40})],
    "glm4": [("rotary", {"partial_rotary_factor": 1.0, "attention_bias": True}), ("head", {"head_dim": 40, "@len": 700})],
    "glm4-moe": [
        ("no-qk-norm", {"use_qk_norm": False, "attention_bias": False}),
        ("groups", {"n_group": 2, "topk_group": 1, "norm_topk_prob": False}),
        ("dense", {"first_k_dense_replace": 2, "n_shared_experts": 2}),
        ("rotary", {"partial_rotary_factor": 1.0, "num_experts_per_tok": 1}),
    ],
    "chatglm3": [
        ("ratio", {"rope_ratio": 50, "@len": 500}),
        ("mha", {"multi_query_attention": False}),
        ("group1", {"multi_query_group_num": 1, "kv_channels": 32}),
        ("nobias", {"add_qkv_bias": False}),
    ],
    "internlm2": [
        ("mha", {"num_key_value_heads": 6}),
        ("bias", {"bias": True, "num_key_value_heads": 3}),
        ("no-scaling", {"rope_scaling": None, "num_key_value_heads": 1, "num_hidden_layers": 4}),
    ],
    "baichuan-7b": [("heads", {"num_attention_heads": 3, "num_hidden_layers": 4})],
    "baichuan2-7b": [("heads", {"num_attention_heads": 8, "hidden_size": 128})],
    "baichuan-13b": [("heads", {"num_attention_heads": 8, "hidden_size": 128}), ("heads12", {"num_attention_heads": 12})],
    "baichuan2-13b": [("heads", {"num_attention_heads": 10, "@len": 500})],
    "minicpm": [
        ("scales", {"scale_emb": 5, "scale_depth": 2.0, "dim_model_base": 32, "num_hidden_layers": 5}),
        ("gqa", {"num_key_value_heads": 2, "@len": 500}),
        ("untied", {"/tie_word_embeddings": False}),
    ],
    "minimax": [
        ("types", {"layer_types": ["full_attention", "linear_attention", "full_attention", "linear_attention"], "@len": 700}),
        (
            "factors",
            {"linear_attn_alpha_factor": 1.0, "linear_attn_beta_factor": 0.7, "mlp_beta_factor": 1.3, "full_attn_beta_factor": 0.9},
        ),
        ("top1", {"num_experts_per_tok": 1, "num_local_experts": 3}),
        ("block", {"block_size": 32, "num_key_value_heads": 4, "@len": 300}),
    ],
    "minimax-m2": [
        ("rotary", {"rotary_dim": 24, "num_experts_per_tok": 1}),
        ("experts", {"num_local_experts": 5, "num_experts_per_tok": 5}),
        ("kv6", {"num_key_value_heads": 6, "head_dim": 16, "rotary_dim": 8}),
    ],
    "ernie4_5": [("bias", {"use_bias": True, "head_dim": 24}), ("untied", {"/tie_word_embeddings": False, "@len": 700})],
    "ernie4_5-moe": [
        ("start0", {"moe_layer_start_index": 0}),
        ("interval", {"moe_layer_interval": 2, "num_hidden_layers": 5}),
        ("no-shared", {"moe_num_shared_experts": 0}),
        ("end", {"moe_layer_end_index": 1, "moe_k": 1}),
        ("bias", {"use_bias": True, "moe_k": 6, "moe_num_experts": 6}),
    ],
    "hunyuan-dense": [
        ("default", {"rope_scaling": None, "@len": 500}),
        ("alpha", {"rope_scaling.alpha": 50.0, "head_dim": 32}),
        ("mha", {"num_key_value_heads": 4}),
    ],
    "hunyuan-moe": [
        ("topk", {"moe_topk": [2, 2, 2], "num_experts": 5}),
        ("scalar", {"moe_topk": 1, "num_shared_expert": 1, "moe_intermediate_size": 44}),
        ("default", {"rope_scaling": None, "@len": 500}),
    ],
    "seed-oss": [
        ("out-bias", {"attention_out_bias": True, "mlp_bias": True}),
        ("nobias", {"attention_bias": False, "num_attention_heads": 6, "num_key_value_heads": 3}),
    ],
    "dots1": [
        ("groups", {"n_group": 3, "topk_group": 2}),
        ("no-norm", {"norm_topk_prob": False, "n_shared_experts": 1}),
        ("dense2", {"first_k_dense_replace": 2}),
        (
            "window",
            {
                "use_sliding_window": True,
                "sliding_window": 24,
                "layer_types": ["full_attention", "sliding_attention", "full_attention"],
                "@len": 500,
            },
        ),
        ("top1", {"num_experts_per_tok": 1, "attention_bias": True}),
    ],
    "longcat-flash": [
        ("no-zero", {"zero_expert_num": 2, "moe_topk": 2}),
        (
            "heads",
            {"num_attention_heads": 3, "num_key_value_heads": 3, "qk_nope_head_dim": 28, "v_head_dim": 12, "kv_lora_rank": 52},
        ),
        ("layers", {"num_layers": 3, "routed_scaling_factor": 1.5, "@len": 500}),
    ],
    "mimo": [("gqa", {"num_key_value_heads": 1, "head_dim": 20, "@len": 500}), ("mha", {"num_key_value_heads": 6})],
    "gpt2": [
        ("inverse", {"scale_attn_by_inverse_layer_idx": True}),
        ("unscaled", {"scale_attn_weights": False}),
        ("inner", {"n_inner": 100, "activation_function": "relu"}),
        ("gelu", {"activation_function": "gelu", "n_head": 3}),
    ],
    "gpt-j": [("rotary", {"rotary_dim": 24}), ("inner", {"n_inner": 100, "n_head": 2, "rotary_dim": 16})],
    "gpt-neo": [
        (
            "types",
            {
                "attention_types": [[["global", "global", "local", "local"], 1]],
                "attention_layers": ["global", "global", "local", "local"],
                "window_size": 10,
            },
        ),
        ("inner", {"intermediate_size": 100, "@len": 500}),
        ("global", {"attention_types": [[["global"], 4]], "attention_layers": ["global"] * 4}),
    ],
    "opt": [
        ("post-norm", {"do_layer_norm_before": False}),
        ("project", {"word_embed_proj_dim": 40}),
        ("post-project", {"do_layer_norm_before": False, "word_embed_proj_dim": 40}),
        ("no-final", {"_remove_final_layer_norm": True}),
        ("gelu", {"activation_function": "gelu"}),
        ("nobias", {"enable_bias": False}),
        ("no-affine", {"layer_norm_elementwise_affine": False}),
    ],
    "gemma": [
        ("act", {"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh"}),
        ("kv2", {"num_key_value_heads": 2, "head_dim": 20, "@len": 500}),
    ],
    "gemma2": [
        ("no-caps", {"attn_logit_softcapping": None, "final_logit_softcapping": None}),
        (
            "types",
            {
                "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
                "sliding_window": 20,
                "@len": 500,
            },
        ),
        ("scalar", {"query_pre_attn_scalar": 100}),
    ],
    "gemma3-text": [
        ("default", {"rope_scaling": None, "sliding_window_pattern": DROP, "num_hidden_layers": 7}),
        ("pattern2", {"sliding_window_pattern": 2, "rope_local_base_freq": 25000, "@len": 500}),
        (
            "types",
            {
                "sliding_window_pattern": DROP,
                "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
            },
        ),
        ("scalar", {"query_pre_attn_scalar": 100, "num_key_value_heads": 4}),
        ("caps", {"attn_logit_softcapping": 5.0, "final_logit_softcapping": 4.0}),
    ],
    "gemma4-text": [
        ("no-shared", {"num_kv_shared_layers": 0, "use_double_wide_mlp": False}),
        ("no-ple", {"hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0, "use_double_wide_mlp": False}),
        ("kv2", {"num_key_value_heads": 2, "head_dim": 16, "@len": 500}),
        ("k-eq-v", {"attention_k_eq_v": True, "num_global_key_value_heads": 2, "num_kv_shared_layers": 0}),
        ("no-cap", {"final_logit_softcapping": None}),
        ("moe", {"enable_moe_block": True, "num_experts": 6, "top_k_experts": 2, "moe_intermediate_size": 36}),
        ("factor", {"rope_parameters.full_attention.partial_rotary_factor": 0.5, "global_head_dim": 48}),
    ],
    "phi": [
        ("qk-norm", {"qk_layernorm": True}),
        ("gqa", {"num_key_value_heads": 2, "partial_rotary_factor": 0.5}),
        ("linear", {"rope_scaling": {"type": "linear", "factor": 2.0}, "@len": 500}),
        ("f32", {"@dtype": "F32", "num_hidden_layers": 2, "vocab_size": 301}),
    ],
    "phi3": [
        ("window", {"sliding_window": 17, "@len": 500}),
        ("no-window", {"sliding_window": None}),
        ("partial", {"partial_rotary_factor": 0.5}),
        ("gqa", {"num_key_value_heads": 2}),
    ],
    "phi3-longrope": [
        ("short", {"original_max_position_embeddings": 700, "max_position_embeddings": 1400, "@len": 500}),
        ("long", {"@len": 700, "num_key_value_heads": 1}),
        ("same", {"max_position_embeddings": 128, "@len": 100}),
        ("attention", {"rope_scaling.attention_factor": 1.4}),
    ],
    "phi-moe": [
        ("experts", {"num_local_experts": 5}),
        ("nobias", {"attention_bias": False, "lm_head_bias": False}),
        ("jitter", {"router_jitter_noise": 0.05}),
        ("long", {"@len": 700}),
    ],
    "granite": [
        ("scales", {"embedding_multiplier": 1.0, "attention_multiplier": 0.3, "residual_multiplier": 1.0, "logits_scaling": 4.0}),
        ("bias", {"attention_bias": True, "mlp_bias": True}),
    ],
    "granite-moe": [
        ("experts", {"num_local_experts": 5, "num_experts_per_tok": 1}),
        ("all", {"num_local_experts": 4, "num_experts_per_tok": 4, "@len": 500}),
    ],
    "granite-moe-hybrid": MAMBA_ATT
    + [
        ("rope", {"position_embedding_type": "rope", "@len": 500}),
        ("no-moe", {"num_local_experts": 0, "num_experts_per_tok": 0}),
        (
            "types",
            {
                "layer_types": ["attention", "mamba", "attention", "mamba"],
                "layers_block_type": ["attention", "mamba", "attention", "mamba"],
            },
        ),
        ("expand", {"mamba_expand": 3, "mamba_n_heads": 12}),
    ],
    "nemotron": [
        ("rotary", {"partial_rotary_factor": 1.0, "@len": 500}),
        ("bias", {"attention_bias": True, "mlp_bias": True}),
        ("head", {"head_dim": 16, "num_key_value_heads": 1}),
    ],
    "nemotron-h": [
        ("pattern", {"hybrid_override_pattern": "*M-M-", "n_groups": 4}),
        ("moves", {"hybrid_override_pattern": "MM*-", "num_hidden_layers": 4, "@len": 500}),
        ("conv3", {"conv_kernel": 3, "ssm_state_size": 16}),
        ("bias", {"mlp_bias": True, "attention_bias": True, "use_bias": True, "use_conv_bias": False}),
        ("groups1", {"n_groups": 1, "mamba_num_heads": 5}), ("moe", {"hybrid_override_pattern": "MEE*E", "n_routed_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 36, "moe_shared_expert_intermediate_size": 52, "n_shared_experts": 1, "n_group": 2, "topk_group": 1, "norm_topk_prob": True, "routed_scaling_factor": 1.7}),
    ],
    "starcoder2": [
        ("nobias", {"use_bias": False}),
        ("window", {"sliding_window": 17, "@len": 500}),
        ("no-window", {"sliding_window": None, "num_key_value_heads": 6}),
    ],
    "stablelm": [
        ("parallel", {"use_parallel_residual": True}),
        ("qk-norm", {"qk_layernorm": True, "num_key_value_heads": 2}),
        ("full", {"partial_rotary_factor": 1.0, "@len": 500}),
        ("both", {"use_parallel_residual": True, "qk_layernorm": True, "use_qkv_bias": False}),
    ],
    "smollm3": [
        ("nope", {"no_rope_layers": [0, 1, 0, 1]}),
        ("interval", {"no_rope_layers": DROP, "no_rope_layer_interval": 2}),
        ("window", {"use_sliding_window": True, "sliding_window": 24, "layer_types": SLIDE * 2, "@len": 500}),
    ],
    "lfm2": [
        ("types", {"layer_types": ["full_attention", "conv", "full_attention", "conv"]}),
        ("conv4", {"conv_L_cache": 4, "conv_bias": True}),
        ("ff", {"block_auto_adjust_ff_dim": False}),
        ("multiplier", {"block_ffn_dim_multiplier": 1.3, "block_multiple_of": 16, "@len": 500}),
    ],
    "lfm2-moe": [
        ("no-bias", {"use_expert_bias": False}),
        ("no-norm", {"norm_topk_prob": False, "routed_scaling_factor": 1.7}),
        ("dense2", {"num_dense_layers": 2, "num_experts": 5, "num_experts_per_tok": 1}),
        ("dense0", {"num_dense_layers": 0, "conv_L_cache": 2}),
    ],
    "arcee": [
        ("default", {"rope_scaling": None}),
        ("bias", {"attention_bias": True, "mlp_bias": True, "num_attention_heads": 10, "num_key_value_heads": 2, "head_dim": 24}),
    ],
    "dbrx": [
        ("kv1", {"attn_config.kv_n_heads": 1, "attn_config.clip_qkv": 0.5}),
        ("kv4", {"attn_config.kv_n_heads": 4}),
        ("experts", {"ffn_config.moe_num_experts": 5, "ffn_config.moe_top_k": 1}),
        ("no-norm", {"ffn_config.moe_normalize_expert_weights": None, "@len": 500}),
        ("norm2", {"ffn_config.moe_normalize_expert_weights": 2.0}),
    ],
    "mpt": [
        ("clip", {"attn_config.clip_qkv": 0.6}),
        ("scale", {"attn_config.softmax_scale": 0.3}),
        ("heads8", {"n_heads": 8, "@len": 500}),
        ("heads3", {"n_heads": 3}),
        ("heads12", {"n_heads": 12}),
    ],
    "mamba2": [
        ("groups", {"n_groups": 4, "state_size": 16}),
        ("conv3", {"conv_kernel": 3, "use_conv_bias": False, "@len": 500}),
        ("bias", {"use_bias": True}),
        ("expand", {"expand": 3, "num_heads": 12, "n_groups": 3}),
        ("limit", {"time_step_limit": [0.05, 0.5]}),
        ("tied", {"/tie_word_embeddings": True}),
    ],
    "mistral": [
        ("no-window", {"sliding_window": None}),
        ("window", {"sliding_window": 65, "@len": 700}),
        ("no-head-dim", {"head_dim": DROP}),
    ],
    "ministral3": [
        (
            "beta",
            {"rope_parameters.llama_4_scaling_beta": 0.3, "rope_parameters.original_max_position_embeddings": 32, "@len": 700},
        ),
        ("mscale", {"rope_parameters.mscale_all_dim": 0.5}),
        ("window", {"sliding_window": 40}),
        ("kv1", {"num_key_value_heads": 1, "head_dim": 16}),
    ],
    "mixtral": [
        ("top1", {"num_experts_per_tok": 1, "num_local_experts": 3}),
        ("top4", {"num_experts_per_tok": 4, "num_local_experts": 5}),
        ("window", {"sliding_window": 20, "@len": 500}),
        ("head", {"head_dim": 24}),
        ("rope-yarn", {"head_dim": 16, "rope_scaling": ROPES[2][1], "@len": 500}),
    ],
    "cohere": [
        ("qk-norm", {"use_qk_norm": True, "num_key_value_heads": 2}),
        ("scale", {"logit_scale": 0.3}),
        ("bias", {"attention_bias": True}),
    ],
    "cohere2": [
        ("pattern2", {"sliding_window_pattern": 2, "layer_switch": 2, "@len": 500}),
        (
            "types",
            {
                "sliding_window_pattern": DROP,
                "layer_switch": DROP,
                "layer_types": ["full_attention", "sliding_attention", "full_attention", "sliding_attention"],
                "sliding_window": 20,
            },
        ),
        ("no-pattern", {"sliding_window_pattern": DROP, "layer_switch": DROP}),
    ],
    "falcon-7b": [
        ("sequential", {"parallel_attn": False}),
        ("mha", {"multi_query": False}),
        ("bias", {"bias": True}),
        ("ffn", {"ffn_hidden_size": 200, "@len": 500}),
        ("untied", {"/tie_word_embeddings": False}),
    ],
    "falcon-40b": [
        ("one-norm", {"num_ln_in_parallel_attn": 1}),
        ("kv4", {"num_kv_heads": 4, "@len": 500}),
        ("kv8", {"num_kv_heads": 8}),
        ("bias", {"bias": True}),
    ],
    "falcon-rw": [
        ("heads8", {"num_attention_heads": 8, "num_kv_heads": 8}),
        ("nobias", {"bias": False, "@len": 500}),
        ("parallel", {"parallel_attn": True}),
        ("rotary", {"alibi": False}),
    ],
    "falcon-h1": MAMBA_ATT
    + [
        ("norm", {"mamba_rms_norm": True}),
        ("norm-groups", {"mamba_rms_norm": True, "mamba_n_groups": 2, "mamba_norm_before_gate": True}),
        ("heads", {"mamba_n_heads": 4, "mamba_d_head": 24}),
        ("bias", {"mamba_proj_bias": True, "mlp_bias": True, "attention_bias": True, "mamba_conv_bias": False}),
        ("plain", {"embedding_multiplier": 1.0, "ssm_multipliers": [1.0] * 5, "mlp_multipliers": [1.0, 1.0]}),
    ],
    "apertus": [
        ("default", {"rope_scaling": {"rope_type": "default"}}),
        ("bias", {"attention_bias": True, "@len": 700}),
        ("head", {"head_dim": 24}),
    ],
    "exaone4": [
        ("no-window", {"sliding_window": None, "layer_types": ["full_attention"] * 4}),
        ("types", {"layer_types": SLIDE * 2, "sliding_window_pattern": "LG", "sliding_window": 20, "@len": 700}),
        ("pattern", {"layer_types": DROP, "sliding_window_pattern": 2}),
    ],
}


def general(name, text, known):
    """The changes of every family; text: the part of the config that holds its keys, known: what transformers' class reads."""
    sets = []
    heads = text.get("num_attention_heads")
    kv = {} if name in NO_HEADS or "num_key_value_heads" not in known or not heads else {"num_key_value_heads": 1}
    flip = {} if name in NO_TIE else {"/tie_word_embeddings": "flip"}
    biases = {} if name in NO_BIAS else {k: "flip" for k in BIASES if k in known and isinstance(known[k], bool)}
    vocabulary = (
        {"vocab_size": 301, **({"padded_vocab_size": 301} if "padded_vocab_size" in text else {})}
        if name not in ("gemma4-text", "qwen3.5-text", "llama4-text")
        else {}
    )
    sets.append(("f32", {"@dtype": "F32", **vocabulary, **kv}))
    sets.append(("f16", {"@dtype": "F16", **({k: heads for k in kv} if kv else {}), **flip}))
    if biases:
        sets.append(("bias", biases))
    if "head_dim" in known and name not in NO_HEADS and name not in ("mamba2", "minimax-m2", "mimo"):
        sets.append(
            (
                "head-dim",
                {"head_dim": 36 if name not in ("glm", "glm4", "glm4-moe", "qwen3-next", "qwen3.5-text") else 48, "@len": 700},
            )
        )
    eps = {k: 1e-3 for k in EPS if k in text}
    if name not in ("gpt-oss-mxfp4", "qwen1", "hunyuan-moe") and "intermediate_size" in text:
        eps["intermediate_size"] = 101
    sets.append(("eps-odd", eps))
    if text.get("hidden_act") == "silu":
        sets.append(("act", {"hidden_act": "gelu_new"}))
    sets.append(("v5", {"@v5": True, "@small": "F32"}))
    if name not in OWN_ROPE and ("rope_theta" in text or "rope_scaling" in text):
        i = zlib.crc32(name.encode()) % len(ROPES)
        sets += [
            ("rope-" + ROPES[j % len(ROPES)][0], {"rope_scaling": ROPES[j % len(ROPES)][1], "@len": 300 + 200 * (j - i)})
            for j in (i, i + 2)
        ]
    return sets
