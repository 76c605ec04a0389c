"""Qwen 2 and 2.5 (arXiv:2412.15115): Llama with biases of queries, keys and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PositiveInt

from townsfolk.models.families.fields import DecoderFields
from townsfolk.models.families.rope import read_rope, stretched_context
from townsfolk.models.names import Architecture

ARCHITECTURES = ("Qwen2ForCausalLM",)
MODEL_TYPES = ("qwen2",)


class Fields(DecoderFields):
    """Of `config.json`."""

    num_key_value_heads: PositiveInt | None = 32
    max_position_embeddings: PositiveInt = 32768
    use_sliding_window: bool = False
    sliding_window: PositiveInt | None = 4096
    max_window_layers: int = 28
    layer_types: list[str] | None = None

    @property
    def layer_windows(self) -> list[int | None]:
        """The window of each layer."""
        kinds = self.layer_types or [
            "full_attention" if index < self.max_window_layers else "sliding_attention"
            for index in range(self.num_hidden_layers)
        ]
        return self.windows(self.sliding_window if self.use_sliding_window else None, kinds)


def read(raw: Mapping[str, Any]) -> Architecture:
    """See `townsfolk.models.families`."""
    config = Fields.parse(raw)
    rope = read_rope(config)
    layers = [
        config.layer(config.attention(rope, window=window, qkv_bias=True))
        for window in config.layer_windows
    ]
    return config.architecture(layers, context_length=stretched_context(config, rope))
