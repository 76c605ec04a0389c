"""SmolLM3: Llama with layers that know no positions (NoPE, Yang et al. 2025, arXiv:2501.18795)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import PositiveInt

from townsfolk.models.families.fields import DecoderFields
from townsfolk.models.families.rope import read_rope, stretched_context
from townsfolk.models.names import Architecture
from townsfolk.models.spec import UnsupportedModelError

ARCHITECTURES = ("SmolLM3ForCausalLM",)
MODEL_TYPES = ("smollm3",)


class Fields(DecoderFields):
    """Of `config.json`."""

    num_key_value_heads: PositiveInt | None = 4
    max_position_embeddings: PositiveInt = 32768
    tie_word_embeddings: bool = True
    use_sliding_window: bool = False
    sliding_window: PositiveInt | None = None
    no_rope_layers: list[int] | None = None  # 0 for a layer without rotary embedding
    no_rope_layer_interval: PositiveInt = 4
    layer_types: list[str] | None = None
    attention_bias: bool = False
    mlp_bias: bool = False


def read(raw: Mapping[str, Any]) -> Architecture:
    """See `townsfolk.models.families`."""
    config = Fields.parse(raw)
    rope = read_rope(config, 2_000_000.0)
    count, interval = config.num_hidden_layers, config.no_rope_layer_interval
    rotary = config.no_rope_layers
    if rotary is None:
        rotary = [int((index + 1) % interval != 0) for index in range(count)]
    if len(rotary) < count:
        raise UnsupportedModelError(f"no_rope_layers has {len(rotary)} entries for {count} layers")
    window = config.sliding_window if config.use_sliding_window else None
    kinds = config.layer_types or [
        "full_attention" if turns else "sliding_attention" for turns in rotary
    ]
    bias = config.attention_bias
    layers = []
    for turns, width in zip(rotary, config.windows(window, kinds), strict=False):
        attention = config.attention(
            rope if turns else None, window=width, qkv_bias=bias, output_bias=bias
        )
        layer = config.layer(attention)
        layers.append(replace(layer, mlp=replace(layer.mlp, bias=config.mlp_bias)))
    return config.architecture(layers, context_length=stretched_context(config, rope))
