"""Weights whose parts are in different formats."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from townsfolk_kernels.ops.linear import LinearWeight
from townsfolk_kernels.quantized.matrix import QuantizedMatrix

Part = QuantizedMatrix | LinearWeight
"""Rows of a weight in blocks, or as numbers, then without a bias."""


class StackedWeight:
    """A weight whose rows come in parts, each in a format of its own; see `LinearWeight`.

    Attributes:
        parts: from the first row to the last.
        bias: [out_features], or None.
    """

    __slots__ = ("_biases", "_sizes", "bias", "parts")

    def __init__(
        self, parts: Sequence[Part], sizes: Sequence[int], bias: Tensor | None = None
    ) -> None:
        """Stack parts of so many rows each."""
        self.parts = tuple(parts)
        self.bias = bias
        self._sizes = list(sizes)
        split = bias.split(self._sizes) if bias is not None else [None] * len(self.parts)
        self._biases: list[Tensor | None] = list(split)

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        of_bias = 0 if self.bias is None else self.bias.nbytes
        return of_bias + sum(part.nbytes for part in self.parts)

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """Return a copy of the weight as an ordinary tensor, fp32, and the bias."""
        return torch.cat([_values(part) for part in self.parts]), self.bias

    def product(self, x: Tensor) -> Tensor:
        """Return `x @ weight.T + bias` of x [rows, in_features]."""
        out = x.new_empty(x.shape[0], sum(self._sizes))
        targets = out.split(self._sizes, dim=1)
        for part, target, bias in zip(self.parts, targets, self._biases, strict=True):
            if isinstance(part, QuantizedMatrix):
                part.multiply(x, target, bias)
            else:
                product = part.product(x)
                target.copy_(product if bias is None else product + bias)
        return out


def _values(part: Part) -> Tensor:
    if isinstance(part, QuantizedMatrix):
        return part.values(0, part.rows, torch.float32)
    return part.dense()[0].float()
