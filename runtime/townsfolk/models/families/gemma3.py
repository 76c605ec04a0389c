"""The text decoder of Gemma 3 (arXiv:2503.19786): local and global layers, four norms a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PositiveFloat, PositiveInt

from townsfolk.models.families.fields import DecoderFields, Ids, refuse
from townsfolk.models.families.rope import read_rope, stretched_context
from townsfolk.models.names import Architecture, TensorNames
from townsfolk.models.spec import EmbeddingSpec, HeadSpec, NormSpec

ARCHITECTURES = ("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration")
MODEL_TYPES = ("gemma3_text", "gemma3")

_NAMES = TensorNames(
    # The text decoder of a checkpoint that sees, too, lies deeper.
    roots=("model.", "language_model.model.", "model.language_model."),
    after_attention="post_attention_layernorm",
    mlp_norm="pre_feedforward_layernorm",
    after_mlp="post_feedforward_layernorm",
    ignored=(
        "rotary_emb.inv_freq",
        *(f"{root}{part}" for root in ("", "model.") for part in ("vision_tower.", "multi_modal_")),
    ),
)


class Fields(DecoderFields):
    """Of `config.json`, or of its `text_config`.

    `attn_logit_softcapping` is there, too: a legacy of Gemma 2, which no Gemma 3 applies.
    """

    vocab_size: PositiveInt = 262_208
    hidden_size: PositiveInt = 2304
    intermediate_size: PositiveInt = 9216
    num_hidden_layers: PositiveInt = 26
    num_attention_heads: PositiveInt = 8
    num_key_value_heads: PositiveInt | None = 4
    head_dim: PositiveInt | None = 256
    hidden_activation: str = "gelu_pytorch_tanh"
    max_position_embeddings: PositiveInt = 131_072
    tie_word_embeddings: bool = True
    bos_token_id: Ids = 2
    eos_token_id: Ids = 1
    rope_local_base_freq: PositiveFloat = 10_000.0
    query_pre_attn_scalar: PositiveFloat = 256.0
    sliding_window: PositiveInt | None = 4096
    sliding_window_pattern: PositiveInt = 6
    layer_types: list[str] | None = None
    final_logit_softcapping: PositiveFloat | None = None
    attention_bias: bool = False


def read(raw: Mapping[str, Any]) -> Architecture:
    """See `townsfolk.models.families`."""
    if "text_config" in raw:
        shared = ("dtype", "torch_dtype", "quantization_config", "bos_token_id", "eos_token_id")
        outer = {name: raw[name] for name in shared if raw.get(name) is not None}
        raw = {**raw["text_config"], **outer}
    refuse(raw, use_bidirectional_attention="only causal attention is supported")
    config = Fields.parse({**raw, "hidden_act": raw.get("hidden_activation", "gelu_pytorch_tanh")})
    given = config.rope_parameters or {}
    if "full_attention" in given or "sliding_attention" in given:
        of_global, of_local = given.get("full_attention", {}), given.get("sliding_attention", {})
    else:
        of_global, of_local = config.rope_scaling or given, {}
    global_rope = read_rope(config, 1_000_000.0, fields=of_global)
    local_theta = {"rope_theta": config.rope_local_base_freq}
    local_rope = read_rope(config, fields={**local_theta, **of_local})
    kinds = config.layer_types or [
        "sliding_attention" if (index + 1) % config.sliding_window_pattern else "full_attention"
        for index in range(config.num_hidden_layers)
    ]
    norm = NormSpec(config.rms_norm_eps, unit_offset=True)
    layers = []
    for kind, window in zip(kinds, config.windows(config.sliding_window, kinds), strict=False):
        attention = config.attention(
            local_rope if kind == "sliding_attention" else global_rope,
            window=window,
            scale=config.query_pre_attn_scalar**-0.5,
            qkv_bias=config.attention_bias,
            output_bias=config.attention_bias,
            qk_norm=norm,
        )
        layers.append(config.layer(attention, norm=norm, norm_after=True))
    return config.architecture(
        layers,
        _NAMES,
        embedding=EmbeddingSpec(multiplier=config.hidden_size**0.5, rounded=True),
        head=HeadSpec(config.tie_word_embeddings, soft_cap=config.final_logit_softcapping),
        context_length=stretched_context(config, global_rope),
    )
