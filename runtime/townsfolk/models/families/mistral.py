"""Mistral (Jiang et al. 2023, arXiv:2310.06825): Llama with a sliding window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PositiveInt

from townsfolk.models.families.fields import DecoderFields
from townsfolk.models.families.rope import read_rope, stretched_context
from townsfolk.models.names import Architecture

ARCHITECTURES = ("MistralForCausalLM",)
MODEL_TYPES = ("mistral",)


class Fields(DecoderFields):
    """Of `config.json`; an absent window is that of Mistral 7B v0.1, null is none."""

    num_key_value_heads: PositiveInt | None = 8
    sliding_window: PositiveInt | None = 4096
    layer_types: list[str] | None = None


def read(raw: Mapping[str, Any]) -> Architecture:
    """See `townsfolk.models.families`."""
    config = Fields.parse(raw)
    rope = read_rope(config)
    windows = config.windows(config.sliding_window, config.layer_types)
    layers = [config.layer(config.attention(rope, window=window)) for window in windows]
    return config.architecture(layers, context_length=stretched_context(config, rope))
