"""Small random models of every family, as transformers writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

VOCABULARY = 101

# `initializer_range` is large, so that logits differ clearly and every part shows in them.
_SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,  # its embedding would have no gradient
}
_LONGROPE: dict[str, Any] = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "short_factor": [1.0 + 0.1 * index for index in range(6)],
    "long_factor": [1.5 + 0.7 * index for index in range(6)],
}
_YARN = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0}
_YARN["original_max_position_embeddings"] = 32
_GLOBAL_LINEAR = {
    "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
}
_GRANITE = {
    "embedding_multiplier": 12.0,
    "logits_scaling": 8.0,
    "residual_multiplier": 0.22,
    "attention_multiplier": 0.015625,
}


@dataclass(frozen=True)
class Family:
    """A family, its usual small model and others.

    Attributes:
        model_type: its name in transformers.
        fields: of the small model, beside those of all families.
        grid: changes of these fields, by name.
        windowed: changes that give every other layer, at least, a window of 8 positions.
    """

    model_type: str
    fields: dict[str, Any] = field(default_factory=dict)
    grid: dict[str, dict[str, Any]] = field(default_factory=dict)
    windowed: dict[str, Any] | None = None


_KINDS = ["sliding_attention", "full_attention", "sliding_attention"]
FAMILIES = {
    "llama": Family("llama"),
    "mistral": Family(
        "mistral", {"sliding_window": None}, windowed={"sliding_window": 8},
    ),
    "qwen2": Family(
        "qwen2",
        {"attention_bias": True},
        {
            "tied": {"tie_word_embeddings": True},
            "window on the last layers": {
                "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1,
            },
            "yarn": {"rope_parameters": _YARN},
        },
        {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
    ),
    "qwen3": Family(
        "qwen3",
        {"head_dim": 16},
        {
            "tied": {"tie_word_embeddings": True},
            "wide heads": {"head_dim": 32},
            "multi-query": {"num_key_value_heads": 1},
            "biases": {"attention_bias": True},
            "window by layer": {
                "use_sliding_window": True, "sliding_window": 8, "layer_types": _KINDS,
            },
        },
        {"use_sliding_window": True, "sliding_window": 8, "layer_types": _KINDS},
    ),
    "gemma3": Family(
        "gemma3_text",
        {
            "head_dim": 16, "query_pre_attn_scalar": 24, "sliding_window": 8,
            "layer_types": _KINDS, "attn_implementation": "eager",
        },
        {
            "soft cap": {"final_logit_softcapping": 3.0},
            "a legacy of Gemma 2": {"attn_logit_softcapping": 5.0},
            "untied": {"tie_word_embeddings": False},
            "usual pattern": {"layer_types": None, "num_hidden_layers": 7},
            "linear": {"rope_parameters": _GLOBAL_LINEAR},
            "biases": {"attention_bias": True},
            "multi-query": {"num_key_value_heads": 1},
        },
        {},
    ),
    "smollm3": Family(
        "smollm3",
        {"num_hidden_layers": 5},
        {
            "chosen layers": {"no_rope_layers": [0, 1, 1, 0, 1]},
            "interval": {"no_rope_layer_interval": 2},
            "all rotary": {"no_rope_layers": [1] * 5},
            "biases": {"attention_bias": True, "mlp_bias": True},
            "untied": {"tie_word_embeddings": False},
        },
        {
            "use_sliding_window": True, "sliding_window": 8,
            "no_rope_layers": [0, 1, 0, 1, 0],
        },
    ),
    "granite": Family(
        "granite",
        _GRANITE,
        {
            "biases": {"attention_bias": True, "mlp_bias": True},
            "tied": {"tie_word_embeddings": True},
            "no multipliers": dict.fromkeys(_GRANITE, 1.0) | {"attention_multiplier": 0.3},
        },
    ),
    "granite 4": Family(
        "granitemoehybrid",
        _GRANITE
        | {
            "layer_types": ["full_attention"] * 3, "num_local_experts": 0, "mamba_n_heads": 8,
            "shared_intermediate_size": 72, "position_embedding_type": "rope",
        },
        {"no positions": {"position_embedding_type": None}},
    ),
    "phi3": Family(
        "phi3",
        {},
        {
            "partial": {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
            "longrope, short": {
                "rope_parameters": _LONGROPE, "original_max_position_embeddings": 128,
            },
            "longrope, long": {
                "rope_parameters": _LONGROPE | {"partial_rotary_factor": 0.75},
                "num_attention_heads": 3, "num_key_value_heads": 1,
                "original_max_position_embeddings": 32, "max_position_embeddings": 256,
            },
            "tied": {"tie_word_embeddings": True},
        },
        {"sliding_window": 8},
    ),
    "gpt2": Family(
        "gpt2",
        {},
        {
            "inner": {"n_inner": 72},
            "plain scores": {"scale_attn_weights": False, "initializer_range": 0.1},
            "scaled by layer": {"scale_attn_by_inverse_layer_idx": True},
            "exact gelu": {"activation_function": "gelu"},
            "untied": {"tie_word_embeddings": False},
        },
    ),
}  # fmt: skip


def usual_fields(name: str) -> dict[str, Any]:
    """Fields of a family's usual small model."""
    return {**_SMALL, **FAMILIES[name].fields}


def make_model(name: str, seed: int = 1, **changes: Any) -> PreTrainedModel:
    """A random model in fp32 of a family, for inference."""
    family = FAMILIES[name]
    fields = usual_fields(name) | changes
    if family.model_type == "gpt2":
        del fields["num_key_value_heads"], fields["intermediate_size"]
    attention = fields.pop("attn_implementation", "sdpa")
    torch.manual_seed(seed)
    config = AutoConfig.for_model(family.model_type, **fields)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()
    randomise(model)
    return model


def write_model(name: str, directory: Path, seed: int = 1, **changes: Any) -> PreTrainedModel:
    """Write a model of a family; it is returned, too."""
    model = make_model(name, seed, **changes)
    model.save_pretrained(directory)
    return model


@torch.no_grad()
def randomise(model: PreTrainedModel) -> None:
    """Norms and biases start as ones and zeros, which would hide errors in their use."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.normal_(0.0, 0.3)
        elif parameter.dim() == 1:
            parameter.add_(torch.randn_like(parameter) * 0.3)


@torch.no_grad()
def oracle(model: PreTrainedModel, tokens: list[int]) -> torch.Tensor:
    """Logits [tokens, vocab] of the model in transformers."""
    return model(torch.tensor([tokens])).logits[0]
