"""Phi 3, 3.5 and 4 mini (arXiv:2404.14219, arXiv:2503.01743): fused projections, LongRoPE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PositiveInt

from townsfolk.models.families.fields import DecoderFields, Ids
from townsfolk.models.families.rope import read_rope
from townsfolk.models.names import Architecture, TensorNames

ARCHITECTURES = ("Phi3ForCausalLM",)
MODEL_TYPES = ("phi3",)

_NAMES = TensorNames(qkv=("self_attn.qkv_proj",), up=("mlp.gate_up_proj",))
_LONGROPE = ("su", "yarn")  # what early files call it


class Fields(DecoderFields):
    """Of `config.json`."""

    max_position_embeddings: PositiveInt = 4096
    original_max_position_embeddings: PositiveInt = 4096
    rms_norm_eps: float = 1e-5
    sliding_window: PositiveInt | None = None
    bos_token_id: Ids = 1
    eos_token_id: Ids = 32000


def read(raw: Mapping[str, Any]) -> Architecture:
    """See `townsfolk.models.families`."""
    config = Fields.parse(raw)
    fields = dict(config.rope_scaling or config.rope_parameters or {})
    kind = fields.get("rope_type") or fields.get("type")
    if kind in _LONGROPE:
        fields["rope_type"] = "longrope"
    rope = read_rope(
        config,
        fields=fields,
        is_partial=True,
        original_context=config.original_max_position_embeddings,
    )
    layer = config.layer(config.attention(rope, window=config.sliding_window))
    return config.architecture([layer] * config.num_hidden_layers, _NAMES)
