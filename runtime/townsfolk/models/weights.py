"""A decoder's weights: which tensors they are, fused and laid out for speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from townsfolk_kernels import LinearWeight, activation_dtype, pack_linear

from townsfolk.models.config import DecoderConfig

# Up to this size weights may be kept in two layouts, if that makes a lone speaker faster.
_ROOMY_BYTES = 512 * 1024 * 1024


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


Source = Callable[[Sequence[TensorSpec], torch.dtype | None], Tensor]
"""Gives the named tensors stacked along dimension 0, in a dtype (None: whatever costs nothing)."""


@dataclass(frozen=True, slots=True)
class Precision:
    """Dtypes of a decoder.

    Attributes:
        weights: of the projections.
        activations: of what they are multiplied with, and of keys and values.
        residual: of the residual stream and the norms.
    """

    weights: torch.dtype
    activations: torch.dtype
    residual: torch.dtype

    @classmethod
    def choose(cls, weights: torch.dtype, device: torch.device) -> Precision:
        """What goes with weights of this dtype on this device."""
        activations = activation_dtype(weights, device)
        # On the CPU fp32 is not only more exact here: its sums and norms take half the time.
        residual = torch.float32 if device.type == "cpu" else activations
        return cls(weights, activations, residual)


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One transformer block."""

    attention_norm: Tensor  # [hidden]
    qkv: LinearWeight  # [(heads + 2 * kv_heads) * head_dim, hidden]
    output: LinearWeight  # [hidden, heads * head_dim]
    mlp_norm: Tensor  # [hidden]
    gate_up: LinearWeight  # [2 * intermediate, hidden]
    down: LinearWeight  # [hidden, intermediate]


@dataclass(frozen=True, slots=True)
class DecoderWeights:
    """All of a decoder."""

    embedding: Tensor  # [vocab, hidden]
    layers: tuple[LayerWeights, ...]
    norm: Tensor  # [hidden]
    head: LinearWeight  # [vocab, hidden]

    @classmethod
    def build(cls, config: DecoderConfig, precision: Precision, source: Source) -> DecoderWeights:
        """Ask `source` for every tensor, in the order of the forward pass."""
        hidden, inner = config.hidden_size, config.intermediate_size
        queries, keys = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim

        def vector(name: str) -> Tensor:
            return source([TensorSpec(name, (hidden,))], precision.residual)

        def projection(
            prefix: str, rows: dict[str, int], columns: int, bias: bool = False
        ) -> LinearWeight:
            weights, biases = [], []
            for name, count in rows.items():
                rotary = config.head_dim if name in ("q_proj", "k_proj") else 0
                weights.append(TensorSpec(f"{prefix}{name}.weight", (count, columns), rotary))
                biases.append(TensorSpec(f"{prefix}{name}.bias", (count,), rotary))
            return pack_linear(
                source(weights, precision.weights),
                source(biases, precision.weights) if bias else None,
                roomy=roomy,
            )

        def layer(prefix: str) -> LayerWeights:
            attention, mlp = f"{prefix}self_attn.", f"{prefix}mlp."
            qkv = {"q_proj": queries, "k_proj": keys, "v_proj": keys}
            return LayerWeights(
                attention_norm=vector(f"{prefix}input_layernorm.weight"),
                qkv=projection(attention, qkv, hidden, config.attention_bias),
                output=projection(attention, {"o_proj": hidden}, queries, config.attention_bias),
                mlp_norm=vector(f"{prefix}post_attention_layernorm.weight"),
                gate_up=projection(
                    mlp, {"gate_proj": inner, "up_proj": inner}, hidden, config.mlp_bias
                ),
                down=projection(mlp, {"down_proj": hidden}, inner, config.mlp_bias),
            )

        roomy = config.num_parameters * precision.weights.itemsize <= _ROOMY_BYTES
        embedding = source(
            [TensorSpec("model.embed_tokens.weight", (config.vocab_size, hidden))], None
        )
        layers = tuple(layer(f"model.layers.{index}.") for index in range(config.num_layers))
        norm = vector("model.norm.weight")
        if config.tie_embeddings:
            head = pack_linear(embedding.to(precision.weights), roomy=roomy)
        else:
            head = projection("", {"lm_head": config.vocab_size}, hidden)
        return cls(embedding, layers, norm, head)


def expected_tensors(config: DecoderConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors that a checkpoint of this configuration holds."""
    found: dict[str, tuple[int, ...]] = {}

    def record(specs: Sequence[TensorSpec], _: torch.dtype | None) -> Tensor:
        found.update((spec.name, spec.shape) for spec in specs)
        return torch.empty(0, device="meta")

    anything = Precision.choose(config.dtype, torch.device("meta"))
    DecoderWeights.build(config, anything, record)
    return found
