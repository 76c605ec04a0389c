"""The operations of inference: a flat batch of tokens, keys and values in pages.

On a CUDA device none of them asks the host anything, so that any layer can be captured in a graph.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from townsfolk_kernels import (
    AttentionPlans,
    LinearWeight,
    add_rms_norm,
    gated,
    layer_norm,
    linear,
    norm_heads,
    paged_attention,
    rms_norm,
    rope_and_store,
)

from townsfolk.models.batch import KvPages, ModelBatch
from townsfolk.models.spec import MlpSpec
from townsfolk.models.weights import Layer, Norm


class PagedOps:
    """See `townsfolk.models.layers.Ops`; for one step, tensors are [tokens, width]."""

    def __init__(
        self, batch: ModelBatch, kv: KvPages, rotations: Sequence[Tensor], dtype: torch.dtype
    ) -> None:
        """Take a batch to operate on.

        Args:
            batch: T tokens.
            kv: pages of `dtype`.
            rotations: each layer's, [T, head_dim / 2, 2] fp32.
            dtype: of activations.
        """
        self._batch = batch
        self._kv = kv
        self._rotations = rotations
        self._dtype = dtype
        self._plans = AttentionPlans()

    def linear(self, x: Tensor, weight: LinearWeight) -> Tensor:
        """See `Ops`."""
        out = linear(x, weight)
        if self._batch.adapters is not None:
            self._batch.adapters.add(x, weight, out)
        return out

    def norm(self, x: Tensor, norm: Norm) -> Tensor:
        """See `Ops`."""
        if norm.bias is not None:
            return layer_norm(x, norm.weight, norm.bias, norm.spec.eps, self._dtype)
        return rms_norm(x, norm.weight, norm.spec.eps, self._dtype)

    def add_norm(
        self, x: Tensor, residual: Tensor, norm: Norm, multiplier: float
    ) -> tuple[Tensor, Tensor]:
        """See `Ops`."""
        if norm.bias is None:
            return add_rms_norm(x, residual, norm.weight, norm.spec.eps, multiplier)
        residual.add_(x, alpha=multiplier)
        return self.norm(residual, norm), residual

    def attend(self, number: int, layer: Layer, qkv: Tensor) -> Tensor:
        """See `Ops`."""
        spec, batch = layer.spec.attention, self._batch
        k_pages, v_pages = self._kv.k[number], self._kv.v[number]
        if spec.qk_norm is not None:
            assert layer.q_norm is not None
            assert layer.k_norm is not None
            qkv = norm_heads(qkv, layer.q_norm, layer.k_norm, spec.qk_norm.eps, spec.num_heads)
        q = rope_and_store(qkv, self._rotations[number], k_pages, v_pages, batch.slots)
        out = paged_attention(
            q, k_pages, v_pages, batch.layout, spec.scale, spec.window, self._plans
        )
        return out.flatten(1)

    def activate(self, x: Tensor, mlp: MlpSpec) -> Tensor:
        """See `Ops`."""
        return gated(x, mlp.activation) if mlp.gated else mlp.activation(x)
