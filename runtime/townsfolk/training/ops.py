"""The layer's operations with gradients, on whole rows of documents.

What a layer computes is defined where inference has it, in `townsfolk.models.layers`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from townsfolk_kernels import LinearWeight

from townsfolk.models import DecoderSpec
from townsfolk.models.spec import MlpSpec, NormSpec
from townsfolk.models.weights import Layer, Norm

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
    """Return each token's position in its own document. [batch, length], integer."""
    index = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    starts = torch.ones_like(documents, dtype=torch.bool)
    starts[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return index - torch.where(starts, index, 0).cummax(dim=1).values


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
