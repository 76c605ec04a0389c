"""Llama (Touvron et al. 2023, arXiv:2302.13971) and what shares its shape, such as TinyLlama."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from townsfolk.models.families.fields import DecoderFields
from townsfolk.models.families.rope import read_rope, stretched_context
from townsfolk.models.names import Architecture

ARCHITECTURES = ("LlamaForCausalLM",)
MODEL_TYPES = ("llama",)


class Fields(DecoderFields):
    """Of `config.json`."""

    attention_bias: bool = False
    mlp_bias: bool = False


def read(raw: Mapping[str, Any]) -> Architecture:
    """See `townsfolk.models.families`."""
    config = Fields.parse(raw)
    rope = read_rope(config)
    bias = config.attention_bias
    layer = config.layer(config.attention(rope, qkv_bias=bias, output_bias=bias))
    layer = replace(layer, mlp=replace(layer.mlp, bias=config.mlp_bias))
    return config.architecture(
        [layer] * config.num_hidden_layers, context_length=stretched_context(config, rope)
    )
