"""A decoder whose parameters bear the checkpoint's names, for gradients.

What a layer computes is defined where inference has it, in `townsfolk.models.layers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from townsfolk_kernels import LinearWeight
from townsfolk_kernels.ops.embedding import Table

from townsfolk.models import Architecture, DecoderSpec, read_config
from townsfolk.models.layers import run_layers
from townsfolk.models.rope import Rotations
from townsfolk.models.spec import MlpSpec, NormSpec
from townsfolk.models.weights import DecoderWeights, Layer, Norm, Precision, Source, TensorSpec

_FULL = Precision(torch.float32, torch.float32, torch.float32)
_DEVIATION = 0.02

Mask = Tensor | BlockMask
"""Who may attend to whom: bool [batch, 1, queries, keys], or blocks for compiled CUDA code."""

Masks = dict[int | None, Mask]
"""By window, which differs from layer to layer."""


def document_masks(documents: Tensor, spec: DecoderSpec, blockwise: bool) -> Masks:
    """Causal attention inside each document only, for every window of a decoder.

    Args:
        documents: The number of the document of each position. [batch, length], integer.
        spec: The decoder.
        blockwise: Make block masks (for compiled code on CUDA) instead of dense ones.
    """
    windows = {layer.attention.window for layer in spec.layers}
    return {window: _mask(documents, window, blockwise) for window in windows}


def _mask(documents: Tensor, window: int | None, blockwise: bool) -> Mask:
    batch, length = documents.shape
    if blockwise:

        def allowed(b: Tensor, _h: Tensor, query: Tensor, key: Tensor) -> Tensor:
            seen = (query >= key) & (documents[b, query] == documents[b, key])
            return seen if window is None else seen & (query - key < window)

        return create_block_mask(
            allowed, batch, None, length, length, str(documents.device), _compile=True
        )
    same = documents[:, None, :, None] == documents[:, None, None, :]
    seen = same.tril()  # [batch, 1, length, length]
    return seen if window is None else seen.triu(1 - window)


def document_positions(documents: Tensor) -> Tensor:
    """Each token's position in its own document. [batch, length], integer."""
    index = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    starts = torch.ones_like(documents, dtype=torch.bool)
    starts[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return index - torch.where(starts, index, 0).cummax(dim=1).values


@dataclass(frozen=True, slots=True)
class TrainedWeight:
    """A weight of parameters that are multiplied one by one; see `LinearWeight`.

    Attributes:
        parts: each a weight, as stored, and its bias.
        transposed: weights are stored [in_features, out_features].
    """

    parts: tuple[tuple[nn.Parameter, nn.Parameter | None], ...]
    transposed: bool = False

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return sum(weight.nbytes for weight, _ in self.parts)

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """The weight as one tensor, and the bias."""
        weights: list[Tensor] = [w.mT if self.transposed else w for w, _ in self.parts]
        biases: list[Tensor] = [bias for _, bias in self.parts if bias is not None]
        return torch.cat(weights), torch.cat(biases) if biases else None

    def product(self, x: Tensor) -> Tensor:
        """`x @ weight.T + bias` of x [..., in_features]."""
        products = [
            F.linear(x, weight.mT if self.transposed else weight, bias)
            for weight, bias in self.parts
        ]
        return products[0] if len(products) == 1 else torch.cat(products, dim=-1)


class _Parameters(Source):
    """Makes parameters of a module, drawn as GPT-2's are."""

    def __init__(self, module: nn.Module, architecture: Architecture) -> None:
        self._module = module
        names = architecture.names
        # What writes to the residual stream starts smaller.
        self._writers = tuple(f".{name}.weight" for name in (names.output, names.down))
        self._shrink = (2 * architecture.spec.num_layers) ** -0.5

    def tensor(self, specs: Sequence[TensorSpec], dtype: torch.dtype | None) -> Tensor:
        (spec,) = specs
        return self._parameter(spec)

    def linear(
        self,
        weights: Sequence[TensorSpec],
        biases: Sequence[TensorSpec],
        dtype: torch.dtype,
        roomy: bool,
    ) -> LinearWeight:
        made = [self._parameter(spec) for spec in weights]
        of_parts: list[nn.Parameter | None] = [None] * len(made)
        of_parts[: len(biases)] = map(self._parameter, biases)
        return TrainedWeight(tuple(zip(made, of_parts, strict=True)), weights[0].transposed)

    def tied(self, embedding: Table, dtype: torch.dtype, roomy: bool) -> LinearWeight:
        assert isinstance(embedding, nn.Parameter)
        return TrainedWeight(((embedding, None),))

    def _parameter(self, spec: TensorSpec) -> nn.Parameter:
        value = torch.full(spec.shape, spec.mean)
        if len(spec.shape) > 1:
            shrink = self._shrink if spec.name.endswith(self._writers) else 1.0
            value.normal_(std=_DEVIATION * shrink)
        *path, last = spec.name.split(".")
        module = self._module
        for name in path:
            if name not in module._modules:
                module.add_module(name, nn.Module())
            module = module.get_submodule(name)
        parameter = nn.Parameter(value)
        module.register_parameter(last, parameter)
        return parameter


class TrainingOps:
    """See `townsfolk.models.layers.Ops`; tensors are [batch, length, width]."""

    def __init__(self, rotations: Sequence[Tensor], masks: Masks) -> None:
        """Operations on a batch.

        Args:
            rotations: Each layer's. [batch * length, head_dim / 2, 2], fp32.
            masks: From ``document_masks``.
        """
        self._rotations = rotations
        self._masks = masks

    def linear(self, x: Tensor, weight: LinearWeight) -> Tensor:
        """See `Ops`."""
        return weight.product(x)

    def norm(self, x: Tensor, norm: Norm) -> Tensor:
        """See `Ops`."""
        if norm.bias is not None:
            wide = x.float()
            return F.layer_norm(wide, norm.weight.shape, norm.weight, norm.bias, norm.spec.eps)
        return _rms_norm(x, norm.weight, norm.spec)

    def add_norm(
        self, x: Tensor, residual: Tensor, norm: Norm, multiplier: float
    ) -> tuple[Tensor, Tensor]:
        """See `Ops`."""
        residual = residual + (x if multiplier == 1.0 else x * multiplier)
        return self.norm(residual, norm), residual

    def attend(self, number: int, layer: Layer, qkv: Tensor) -> Tensor:
        """See `Ops`."""
        spec, mask = layer.spec.attention, self._masks[layer.spec.attention.window]
        batch, length, _ = qkv.shape
        heads = qkv.view(batch, length, -1, spec.head_dim).transpose(1, 2)
        q, k, v = heads.split((spec.num_heads, spec.num_kv_heads, spec.num_kv_heads), dim=1)
        if spec.qk_norm is not None:
            assert layer.q_norm is not None
            assert layer.k_norm is not None
            q, k = (
                _rms_norm(q, layer.q_norm, spec.qk_norm),
                _rms_norm(k, layer.k_norm, spec.qk_norm),
            )
        if spec.rope is not None:
            turned = spec.rope.dim
            rotation = self._rotations[number].view(batch, 1, length, -1, 2)[..., : turned // 2, :]
            q, k = rotate(q, rotation).to(v.dtype), rotate(k, rotation).to(v.dtype)
        out: Tensor
        if isinstance(mask, BlockMask):
            out = flex_attention(q, k, v, block_mask=mask, scale=spec.scale, enable_gqa=True)
        else:
            out = F.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, scale=spec.scale, enable_gqa=True
            )
        return out.transpose(1, 2).reshape(batch, length, -1)

    def activate(self, x: Tensor, mlp: MlpSpec) -> Tensor:
        """See `Ops`."""
        if not mlp.gated:
            return mlp.activation(x)
        gate, up = x.chunk(2, dim=-1)
        return mlp.activation(gate) * up


def _rms_norm(x: Tensor, weight: Tensor, spec: NormSpec) -> Tensor:
    """In fp32; the weight is as the checkpoint has it."""
    wide = x.float()
    wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + spec.eps)
    return (wide * (weight + 1.0 if spec.unit_offset else weight)).to(x.dtype)


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Rotary embedding of the first dimensions of each head, as checkpoints pair them: by halves.

    Args:
        x: [batch, heads, length, head_dim].
        rotation: Cosine and sine of each pair. [batch, 1, length, pairs, 2].

    Returns:
        As ``x``, fp32 or wider.
    """
    pairs = rotation.shape[-2]
    first, second, still = x.split((pairs, pairs, x.shape[-1] - 2 * pairs), dim=-1)
    cos, sin = rotation.unbind(-1)
    return torch.cat(
        (first * cos - second * sin, second * cos + first * sin, still.float()), dim=-1
    )


class TrainableDecoder(nn.Module):
    """A decoder of any family: tokens to logits, with gradients."""

    def __init__(self, shape: Mapping[str, Any], architecture: Architecture | None = None) -> None:
        """A decoder with new weights.

        Args:
            shape: The contents of a `config.json`.
            architecture: What it says, if that is known already.

        Raises:
            UnsupportedModelError: No family has such a shape.
        """
        super().__init__()
        self.shape = dict(shape)
        self.architecture = architecture or read_config(shape)
        self.spec = self.architecture.spec
        source = _Parameters(self, self.architecture)
        self._weights = DecoderWeights.build(self.architecture, _FULL, source)
        self._rotations = self._new_rotations()

    def forward(self, tokens: Tensor, positions: Tensor, masks: Masks) -> Tensor:
        """Logits for every position.

        Args:
            tokens: [batch, length], int64.
            positions: Each token's position in its document. [batch, length], int64.
            masks: From ``document_masks``.

        Returns:
            [batch, length, vocabulary].
        """
        weights, head = self._weights, self.spec.head
        assert isinstance(weights.embedding, Tensor)
        x = F.embedding(tokens, weights.embedding)  # [batch, length, hidden]
        if self.spec.embedding.multiplier != 1.0:
            x = x * self.spec.embedding.multiplier
        if weights.positions is not None:
            x = x + F.embedding(positions, weights.positions)
        x = run_layers(weights, x, TrainingOps(self._rotations(positions.flatten()), masks))
        logits = weights.head.product(x)
        if head.multiplier != 1.0:
            logits = logits * head.multiplier
        if head.soft_cap is not None:
            logits = torch.tanh(logits / head.soft_cap) * head.soft_cap
        return logits

    def weights(self) -> dict[str, Tensor]:
        """The state dict under the checkpoint's names; a tied head is not in it."""
        return dict(self.state_dict())

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Load a state dict; raises RuntimeError naming missing or unknown weights."""
        self.load_state_dict(dict(weights))

    def _new_rotations(self) -> Rotations:
        attentions = [layer.attention for layer in self.spec.layers]
        device = self._weights.embedding.device
        return Rotations(attentions, self.spec.context_length, device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._rotations = self._new_rotations()
        return self
