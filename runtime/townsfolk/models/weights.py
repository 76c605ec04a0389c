"""A decoder's weights, fused for speed, read from a checkpoint or drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from townsfolk.models.config import DecoderConfig

# Returns the named tensors stacked along dimension 0.
Source = Callable[[Sequence["TensorSpec"]], Tensor]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor in a Hugging Face checkpoint.

    Attributes:
        name: its name there.
        shape: its shape there.
        rotary_dim: head_dim where its rows are rotary; 0 elsewhere. Hugging Face pairs dimension i
            of such a head with i + rotary_dim / 2; here the two become neighbours.
    """

    name: str
    shape: tuple[int, ...]
    rotary_dim: int = 0

    def place(self, tensor: Tensor, target: Tensor) -> None:
        """Copy the checkpoint's tensor to `target` of the same shape, rotary rows in pairs."""
        if self.rotary_dim:
            tensor = tensor.unflatten(0, (-1, 2, self.rotary_dim // 2)).transpose(1, 2)
            target = target.unflatten(0, (-1, self.rotary_dim // 2, 2))
        target.copy_(tensor)


@dataclass(frozen=True, slots=True)
class LinearWeights:
    """Weight [out, in] and bias [out] of a projection."""

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One transformer block."""

    attention_norm: Tensor  # [hidden]
    qkv: LinearWeights  # [(heads + 2 * kv_heads) * head_dim, hidden]
    output: LinearWeights  # [hidden, heads * head_dim]
    mlp_norm: Tensor  # [hidden]
    gate_up: LinearWeights  # [2 * intermediate, hidden]
    down: LinearWeights  # [hidden, intermediate]


@dataclass(frozen=True, slots=True)
class DecoderWeights:
    """All of a decoder."""

    embedding: Tensor  # [vocab, hidden]
    layers: tuple[LayerWeights, ...]
    norm: Tensor  # [hidden]
    head: LinearWeights  # [vocab, hidden]; the embedding itself where it is tied

    @classmethod
    def build(cls, config: DecoderConfig, source: Source) -> DecoderWeights:
        """Ask `source` for every tensor, in the order of the forward pass."""
        hidden = config.hidden_size

        def linear(prefix: str, rows: dict[str, int], columns: int, bias: bool) -> LinearWeights:
            weight, biases = [], []
            for name, count in rows.items():
                rotary = config.head_dim if name in ("q_proj", "k_proj") else 0
                weight.append(TensorSpec(f"{prefix}{name}.weight", (count, columns), rotary))
                biases.append(TensorSpec(f"{prefix}{name}.bias", (count,), rotary))
            return LinearWeights(source(weight), source(biases) if bias else None)

        def vector(name: str) -> Tensor:
            return source([TensorSpec(name, (hidden,))])

        def layer(index: int) -> LayerWeights:
            prefix = f"model.layers.{index}."
            q, kv = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
            inner = config.intermediate_size
            return LayerWeights(
                attention_norm=vector(f"{prefix}input_layernorm.weight"),
                qkv=linear(
                    f"{prefix}self_attn.",
                    {"q_proj": q, "k_proj": kv, "v_proj": kv},
                    hidden,
                    config.attention_bias,
                ),
                output=linear(f"{prefix}self_attn.", {"o_proj": hidden}, q, config.attention_bias),
                mlp_norm=vector(f"{prefix}post_attention_layernorm.weight"),
                gate_up=linear(
                    f"{prefix}mlp.", {"gate_proj": inner, "up_proj": inner}, hidden, config.mlp_bias
                ),
                down=linear(f"{prefix}mlp.", {"down_proj": hidden}, inner, config.mlp_bias),
            )

        embedding = source([TensorSpec("model.embed_tokens.weight", (config.vocab_size, hidden))])
        layers = tuple(layer(index) for index in range(config.num_layers))
        norm = vector("model.norm.weight")
        head = (
            LinearWeights(embedding, None)
            if config.tie_embeddings
            else linear("", {"lm_head": config.vocab_size}, hidden, False)
        )
        return cls(embedding, layers, norm, head)


def expected_tensors(config: DecoderConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors a checkpoint of this configuration holds."""
    found: dict[str, tuple[int, ...]] = {}

    def record(specs: Sequence[TensorSpec]) -> Tensor:
        found.update((spec.name, spec.shape) for spec in specs)
        return torch.empty(0)

    DecoderWeights.build(config, record)
    return found
