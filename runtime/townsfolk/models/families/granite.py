"""IBM's Granite 3 and the dense Granite 4: Llama with multipliers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import PositiveFloat, PositiveInt

from townsfolk.models.families.fields import DecoderFields, refuse
from townsfolk.models.families.rope import read_rope, stretched_context
from townsfolk.models.names import Architecture, TensorNames
from townsfolk.models.spec import EmbeddingSpec, HeadSpec, RopeSpec, UnsupportedModelError

ARCHITECTURES = ("GraniteForCausalLM", "GraniteMoeHybridForCausalLM")
MODEL_TYPES = ("granite", "granitemoehybrid")

# In Granite 4 the feed-forward block is what would be shared beside experts.
_NAMES_4 = TensorNames(up=("shared_mlp.input_linear",), down="shared_mlp.output_linear")


class Fields(DecoderFields):
    """Of `config.json`."""

    attention_bias: bool = False
    mlp_bias: bool = False
    embedding_multiplier: float = 1.0
    logits_scaling: PositiveFloat = 1.0
    residual_multiplier: float = 1.0
    attention_multiplier: float = 1.0


class Fields4(Fields):
    """Of `config.json`, Granite 4."""

    intermediate_size: PositiveInt = 11008
    shared_intermediate_size: PositiveInt = 1024
    position_embedding_type: str | None = None
    layer_types: list[str] | None = None
    num_local_experts: int | None = 8


def read(raw: Mapping[str, Any]) -> Architecture:
    """See `townsfolk.models.families`."""
    if "hybrid" not in f"{raw.get('architectures')} {raw.get('model_type')}".lower():
        config = Fields.parse(raw)
        return _decoder(config, TensorNames(), read_rope(config))
    kinds = raw.get("layers_block_type") or raw.get("layer_types")
    four = Fields4.parse({**raw, "layer_types": kinds})
    _refuse_other_layers(four)
    four = four.model_copy(update={"intermediate_size": four.shared_intermediate_size})
    is_rotary = four.position_embedding_type == "rope"
    return _decoder(four, _NAMES_4, read_rope(four) if is_rotary else None)


def _decoder(config: Fields, names: TensorNames, rope: RopeSpec | None) -> Architecture:
    bias = config.attention_bias
    attention = config.attention(
        rope, scale=config.attention_multiplier, qkv_bias=bias, output_bias=bias
    )
    layer = config.layer(attention, residual_multiplier=config.residual_multiplier)
    layer = replace(layer, mlp=replace(layer.mlp, bias=config.mlp_bias))
    return config.architecture(
        [layer] * config.num_hidden_layers,
        names,
        embedding=EmbeddingSpec(config.embedding_multiplier),
        head=HeadSpec(config.tie_word_embeddings, 1.0 / config.logits_scaling),
        context_length=stretched_context(config, rope) if rope else None,
    )


def _refuse_other_layers(config: Fields4) -> None:
    kinds = set(config.layer_types or ["mamba"])
    others = kinds - {"attention", "full_attention"}
    if others:
        raise UnsupportedModelError(
            f"layer_types names {', '.join(sorted(others))}: only Granite 4 models whose layers "
            "are all attention are supported"
        )
    refuse(
        {"num_local_experts": config.num_local_experts},
        num_local_experts="a mixture of experts is not supported",
    )
    if config.position_embedding_type not in (None, "rope", "nope"):
        raise UnsupportedModelError(
            f"position_embedding_type is {config.position_embedding_type!r}; supported are "
            "'rope' and 'nope'"
        )
