"""The dense Qwen 3 (arXiv:2505.09388): Qwen 2 with norms of queries and keys, without biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PositiveInt

from townsfolk.models.families import qwen2
from townsfolk.models.families.rope import read_rope, stretched_context
from townsfolk.models.names import Architecture

ARCHITECTURES = ("Qwen3ForCausalLM",)
MODEL_TYPES = ("qwen3",)


class Fields(qwen2.Fields):
    """Of `config.json`."""

    head_dim: PositiveInt | None = 128
    attention_bias: bool = False


def read(raw: Mapping[str, Any]) -> Architecture:
    """See `townsfolk.models.families`."""
    config = Fields.parse(raw)
    rope, bias = read_rope(config), config.attention_bias
    layers = [
        config.layer(
            config.attention(
                rope, window=window, qkv_bias=bias, output_bias=bias, qk_norm=config.norm
            )
        )
        for window in config.layer_windows
    ]
    return config.architecture(layers, context_length=stretched_context(config, rope))
