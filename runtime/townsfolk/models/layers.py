"""The forward pass of a decoder's layers, written once.

It runs over operations that differ in where keys and values are: in pages for inference (see
`townsfolk.models.paged`), in the batch itself for training.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor
from townsfolk_kernels import LinearWeight

from townsfolk.models.spec import MlpSpec
from townsfolk.models.weights import DecoderWeights, Layer, Norm


class Ops(Protocol):
    """What a layer is made of. All tensors are [..., width], with the same tokens in front."""

    def linear(self, x: Tensor, weight: LinearWeight) -> Tensor:
        """Return `x @ weight.T + bias`."""

    def norm(self, x: Tensor, norm: Norm) -> Tensor:
        """Return the rows normalised, ready for a product."""

    def add_norm(
        self, x: Tensor, residual: Tensor, norm: Norm, multiplier: float
    ) -> tuple[Tensor, Tensor]:
        """Return `residual + multiplier * x`, normalised and as it is; may overwrite `residual`."""

    def attend(self, number: int, layer: Layer, qkv: Tensor) -> Tensor:
        """Compute attention of layer `number`, of its projection [..., queries + keys + values].

        Queries and keys are normalised and rotated as the layer's spec says.

        Returns:
            [..., heads * head_dim].
        """

    def activate(self, x: Tensor, mlp: MlpSpec) -> Tensor:
        """Return what comes between the projections of the feed-forward block: [..., mlp.width]."""


def run_layer(
    number: int, layer: Layer, next_norm: Norm, normed: Tensor, residual: Tensor, ops: Ops
) -> tuple[Tensor, Tensor]:
    """Return one layer: attention and the feed-forward block, each added to the residual stream.

    Args:
        number: which layer it is.
        layer: the layer.
        next_norm: the norm before what follows it.
        normed: [..., hidden], the residual stream behind the layer's first norm.
        residual: [..., hidden], the residual stream.
        ops: the operations.

    Returns:
        `normed` and `residual` for what follows.
    """
    multiplier = layer.spec.residual_multiplier
    out = attention_output(number, layer, normed, ops)
    if layer.after_attention is not None:
        out = ops.norm(out, layer.after_attention)
    normed, residual = ops.add_norm(out, residual, layer.mlp_norm, multiplier)
    out = mlp_output(layer, normed, ops)
    if layer.after_mlp is not None:
        out = ops.norm(out, layer.after_mlp)
    return ops.add_norm(out, residual, next_norm, multiplier)


RunLayer = Callable[[int, Layer, Norm, Tensor, Tensor, Ops], tuple[Tensor, Tensor]]
"""Computes one layer, as `run_layer` does."""


def run_layers(
    weights: DecoderWeights, residual: Tensor, ops: Ops, run: RunLayer = run_layer
) -> Tensor:
    """Return all layers and the last norm.

    Args:
        weights: of the decoder.
        residual: [..., hidden], the embeddings. May be overwritten.
        ops: the operations.
        run: computes each layer.

    Returns:
        [..., hidden], ready for the head.
    """
    normed = ops.norm(residual, weights.layers[0].attention_norm)
    next_norms = [layer.attention_norm for layer in weights.layers[1:]] + [weights.norm]
    for number, (layer, next_norm) in enumerate(zip(weights.layers, next_norms, strict=True)):
        normed, residual = run(number, layer, next_norm, normed, residual, ops)
    return normed


def attention_output(number: int, layer: Layer, normed: Tensor, ops: Ops) -> Tensor:
    """Return the output of a layer's attention, [..., hidden], of the normalised stream."""
    qkv = ops.linear(normed, layer.qkv)
    return ops.linear(ops.attend(number, layer, qkv), layer.output)


def mlp_output(layer: Layer, normed: Tensor, ops: Ops) -> Tensor:
    """Return the output of a layer's feed-forward block, [..., hidden], of normalised rows."""
    inner = ops.activate(ops.linear(normed, layer.up), layer.spec.mlp)
    return ops.linear(inner, layer.down)
