"""What a decoder computes, as data: an embedding, layers, a head.

A family (see `townsfolk.models.families`) turns a checkpoint's configuration into a `DecoderSpec`;
`townsfolk.models.decoder` runs any of them. Specs are frozen and compare by value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import torch
from townsfolk_kernels import Activation


class UnsupportedModelError(ValueError):
    """The model cannot be run, and the message says exactly why."""


class RopeType(Enum):
    """How rotary frequencies are stretched for contexts longer than those of the pretraining."""

    DEFAULT = "default"
    LINEAR = "linear"
    DYNAMIC = "dynamic"
    LLAMA3 = "llama3"
    YARN = "yarn"
    LONGROPE = "longrope"


@dataclass(frozen=True, slots=True)
class RopeSpec:
    """Rotary position embedding.

    Attributes:
        dim: dimensions of a head that are rotated, the first ones; even.
        theta: base of the frequencies.
        type: how they are scaled; the fields below are read by the types that need them.
        factor: how many times longer the context becomes (linear, dynamic, llama3, yarn).
        low_freq_factor: of llama3: wavelengths above original_context / low are divided in full.
        high_freq_factor: of llama3: wavelengths below original_context / high stay as they are.
        original_context: positions of the pretraining (dynamic, llama3, yarn, longrope).
        beta_fast: of yarn: dimensions with more rotations in the original context stay as they are.
        beta_slow: of yarn: those with fewer are divided in full.
        truncate: of yarn: the bounds between the two are whole dimensions.
        magnitude: what cosines and sines are multiplied with (yarn, longrope).
        short_factors: of longrope: divisors of the frequencies, dim / 2 of them, where the engine's
            context is at most original_context.
        long_factors: of longrope: those where it is longer.
    """

    dim: int
    theta: float = 10000.0
    type: RopeType = RopeType.DEFAULT
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_context: int = 0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    magnitude: float = 1.0
    short_factors: tuple[float, ...] = ()
    long_factors: tuple[float, ...] = ()


class NormKind(Enum):
    """How rows are normalised."""

    RMS = "rms"
    LAYER = "layer"


@dataclass(frozen=True, slots=True)
class NormSpec:
    """A norm of rows.

    Attributes:
        eps: added to the mean square or the variance.
        kind: by the root mean square; or LayerNorm, with a mean that is taken off and a bias.
        unit_offset: the checkpoint holds weights minus one.
    """

    eps: float
    kind: NormKind = NormKind.RMS
    unit_offset: bool = False


@dataclass(frozen=True, slots=True)
class AttentionSpec:
    """Causal attention of one layer.

    Attributes:
        num_heads: query heads.
        num_kv_heads: key and value heads; divides num_heads.
        head_dim: width of a head; even.
        scale: factor of the scores.
        rope: rotary position embedding; None for a layer without.
        window: positions a token sees, itself included; None for all.
        qkv_bias: the projections of queries, keys and values have biases.
        output_bias: the output projection has one.
        qk_norm: RMSNorm of each head's queries and keys before they are rotated.
    """

    num_heads: int
    num_kv_heads: int
    head_dim: int
    scale: float
    rope: RopeSpec | None = None
    window: int | None = None
    qkv_bias: bool = False
    output_bias: bool = False
    qk_norm: NormSpec | None = None

    @property
    def query_width(self) -> int:
        """Columns of all query heads."""
        return self.num_heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Columns of all key heads, and of all value heads."""
        return self.num_kv_heads * self.head_dim


@dataclass(frozen=True, slots=True)
class MlpSpec:
    """The feed-forward block of one layer.

    Attributes:
        width: columns between the two projections.
        activation: of the gate, or of the projection itself.
        gated: the activated gate is multiplied with a projection of its own.
        bias: the projections have biases.
    """

    width: int
    activation: Activation = Activation.SILU
    gated: bool = True
    bias: bool = False


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One layer: attention and feed-forward block, each behind a norm and added to the stream.

    Attributes:
        attention: its attention.
        mlp: its feed-forward block.
        norm: of all its norms.
        norm_after: each block's output is normalised, too, before it is added.
        residual_multiplier: factor of what each block adds.
    """

    attention: AttentionSpec
    mlp: MlpSpec
    norm: NormSpec
    norm_after: bool = False
    residual_multiplier: float = 1.0


@dataclass(frozen=True, slots=True)
class EmbeddingSpec:
    """From tokens to the residual stream.

    Attributes:
        multiplier: factor of the embeddings.
        rounded: the multiplier is rounded to the dtype of the weights, as it was in training.
        positions: rows of a learned table that is added by position; 0 for none.
    """

    multiplier: float = 1.0
    rounded: bool = False
    positions: int = 0


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """From the last norm to logits.

    Attributes:
        tied: the projection is the embedding.
        multiplier: factor of the logits.
        soft_cap: logits become cap * tanh(logits / cap); None for none.
    """

    tied: bool = False
    multiplier: float = 1.0
    soft_cap: float | None = None


@dataclass(frozen=True, slots=True)
class DecoderSpec:
    """A decoder.

    Attributes:
        vocab_size: rows of the embedding.
        hidden_size: width of the residual stream.
        layers: its layers.
        norm: of the last norm.
        embedding: how tokens become the stream.
        head: how it becomes logits.
        context_length: longest sequence the model was made for, in tokens.
        bos_id: token that starts a text, if there is one.
        eos_ids: tokens that end one.
        dtype: of the checkpoint.
    """

    vocab_size: int
    hidden_size: int
    layers: tuple[LayerSpec, ...]
    norm: NormSpec
    embedding: EmbeddingSpec = EmbeddingSpec()
    head: HeadSpec = HeadSpec()
    context_length: int = 2048
    bos_id: int | None = None
    eos_ids: frozenset[int] = frozenset()
    dtype: torch.dtype = torch.bfloat16

    @property
    def num_layers(self) -> int:
        """How many layers there are."""
        return len(self.layers)

    @property
    def num_parameters(self) -> int:
        """Parameters of the decoder; tied embeddings are counted once."""
        hidden = self.hidden_size
        tables = (1 if self.head.tied else 2) * self.vocab_size + self.embedding.positions
        layers = sum(layer_parameters(layer, hidden) for layer in self.layers)
        return layers + tables * hidden + _norm_parameters(self.norm, hidden)


def product_parameters(layer: LayerSpec, hidden: int) -> int:
    """Return weights of a layer's products, without biases."""
    attention, mlp = layer.attention, layer.mlp
    projections = 2 * (attention.query_width + attention.kv_width) * hidden
    return projections + (3 if mlp.gated else 2) * mlp.width * hidden


def layer_parameters(layer: LayerSpec, hidden: int) -> int:
    """Return parameters of a layer."""
    attention, mlp = layer.attention, layer.mlp
    count = product_parameters(layer, hidden)
    if attention.qkv_bias:
        count += attention.query_width + 2 * attention.kv_width
    if attention.output_bias:
        count += hidden
    if mlp.bias:
        count += (2 if mlp.gated else 1) * mlp.width + hidden
    if attention.qk_norm is not None:
        count += 2 * attention.head_dim
    return count + (4 if layer.norm_after else 2) * _norm_parameters(layer.norm, hidden)


def _norm_parameters(norm: NormSpec, hidden: int) -> int:
    return hidden * (2 if norm.kind is NormKind.LAYER else 1)
