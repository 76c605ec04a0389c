"""GPT-2 (Radford et al. 2019): learned positions, LayerNorm, projections stored as Conv1D."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PositiveFloat

from townsfolk.models.families.fields import DecoderFields, Ids, refuse
from townsfolk.models.names import Architecture, TensorNames
from townsfolk.models.spec import EmbeddingSpec, MlpSpec, NormKind, NormSpec

ARCHITECTURES = ("GPT2LMHeadModel",)
MODEL_TYPES = ("gpt2",)

_NAMES = TensorNames(
    roots=("transformer.", ""),  # OpenAI's own files were saved without
    embedding="wte",
    positions="wpe",
    norm="ln_f",
    layer="h.{}.",
    attention_norm="ln_1",
    qkv=("attn.c_attn",),
    output="attn.c_proj",
    mlp_norm="ln_2",
    up=("mlp.c_fc",),
    down="mlp.c_proj",
    transposed=True,
    ignored=(".attn.bias", ".attn.masked_bias"),  # the causal mask
)
_FIELDS = {
    "hidden_size": "n_embd",
    "intermediate_size": "n_inner",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions",
    "hidden_act": "activation_function",
    "rms_norm_eps": "layer_norm_epsilon",
}
_DEFAULTS = {
    "vocab_size": 50257,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_positions": 1024,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
}


class Fields(DecoderFields):
    """Of `config.json`, under the names that other families give them."""

    rms_norm_eps: PositiveFloat = 1e-5
    tie_word_embeddings: bool = True
    bos_token_id: Ids = 50256
    eos_token_id: Ids = 50256
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False


def read(raw: Mapping[str, Any]) -> Architecture:
    """See `townsfolk.models.families`."""
    refuse(raw, add_cross_attention="only decoders are supported")
    given = {**_DEFAULTS, **{name: value for name, value in raw.items() if value is not None}}
    given["n_inner"] = raw.get("n_inner") or 4 * given["n_embd"]
    own = {name: given[theirs] for name, theirs in _FIELDS.items()}
    config = Fields.parse({**given, **own, "num_key_value_heads": None, "head_dim": None})
    norm = NormSpec(config.rms_norm_eps, NormKind.LAYER)
    mlp = MlpSpec(config.intermediate_size, config.activation, gated=False, bias=True)
    layers = []
    for index in range(config.num_hidden_layers):
        scale = config.width_of_head**-0.5 if config.scale_attn_weights else 1.0
        if config.scale_attn_by_inverse_layer_idx:
            scale /= index + 1
        attention = config.attention(None, scale=scale, qkv_bias=True, output_bias=True)
        layers.append(config.layer(attention, mlp=mlp, norm=norm))
    embedding = EmbeddingSpec(positions=config.max_position_embeddings)
    return config.architecture(layers, _NAMES, embedding=embedding)
