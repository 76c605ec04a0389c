"""Weights that are not trained: as files have them, and gradients pass through.

A matrix stays in 16 bits or in its quantised blocks. A product makes its numbers anew, forwards and
backwards, so that nothing wide is kept for the gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.matrix import RawMatrix

from townsfolk.checkpoint import TensorStore
from townsfolk.models.weights import Run, TensorSpec


@dataclass(frozen=True, slots=True, eq=False)
class FrozenMatrix:
    """A weight [out_features, in_features] and its bias, in numbers or in blocks.

    Attributes:
        weight: numbers, or blocks.
        bias: [out_features] fp32, or None.
        dtype: in which it is multiplied.
    """

    weight: Tensor | RawMatrix
    bias: Tensor | None = None
    dtype: torch.dtype = torch.float32

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return self.weight.nbytes + (0 if self.bias is None else self.bias.nbytes)

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """Return the weight as numbers, and the bias."""
        return self.values(), self.bias

    def values(self) -> Tensor:
        """Return the weight as numbers."""
        if isinstance(self.weight, RawMatrix):
            return self.weight.values(0, self.weight.rows, self.dtype)
        return self.weight.to(self.dtype)

    def product(self, x: Tensor) -> Tensor:
        """`x @ weight.T + bias` of x [..., in_features]."""
        product: Tensor = _Product.apply(x.to(self.dtype), self)  # type: ignore[no-untyped-call]
        return product


class _Product(torch.autograd.Function):
    """A product that keeps nothing for the gradient of its input, and has none for the weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: FrozenMatrix) -> Tensor:
        ctx.matrix = matrix
        bias = None if matrix.bias is None else matrix.bias.to(x.dtype)
        return F.linear(x, matrix.values(), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return gradient @ ctx.matrix.values(), None


class FrozenTensors:
    """Reads tensors in the order of rows that Hugging Face's checkpoints have, on a device."""

    def __init__(self, checkpoint: TensorStore, device: torch.device, paired: bool) -> None:
        """Read from a checkpoint.

        Args:
            checkpoint: Where tensors are.
            device: Where they go.
            paired: Rows of a rotary head that turn together are neighbours in the checkpoint; they
                are brought back to half a head apart.
        """
        self._checkpoint, self._device, self._paired = checkpoint, device, paired

    def numbers(self, spec: TensorSpec, dtype: torch.dtype | None = None) -> Tensor:
        """Return a tensor as numbers, [rows, ...]; None leaves the dtype that it has."""
        tensor = self._checkpoint.tensor(spec.name, dtype or torch.float32)
        tensor = tensor.to(self._device, dtype)
        return self._apart(spec, tensor.mT if spec.transposed else tensor)

    def matrix(self, spec: TensorSpec) -> Tensor | RawMatrix:
        """Return a matrix [rows, columns]: in its blocks, if it is in blocks."""
        encoding = self._checkpoint.stored(spec.name).encoding
        # Blocks of what is stored transposed run across the rows that are multiplied.
        if not isinstance(encoding, BlockFormat) or spec.transposed:
            return self.numbers(spec)
        return self.blocks(spec, encoding)

    def blocks(self, spec: TensorSpec, encoding: BlockFormat) -> RawMatrix:
        """Return a matrix in blocks."""
        rows, columns = spec.shape
        stored = self._checkpoint.stored(spec.name)
        raw = torch.empty(stored.nbytes, dtype=torch.uint8)
        stored.part(0)(raw)
        matrix = RawMatrix(encoding, rows, columns, self._device)
        matrix.fill(0, self._apart(spec, raw.view(rows, -1)).to(self._device))
        return matrix

    def _apart(self, spec: TensorSpec, rows: Tensor) -> Tensor:
        return rows.index_select(0, _apart(spec, rows.device)) if self._needs(spec) else rows

    def _needs(self, spec: TensorSpec) -> bool:
        return self._paired and spec.rotary is not None


def _apart(spec: TensorSpec, device: torch.device) -> Tensor:
    """Return where each row of a checkpoint's usual order is in one whose pairs are neighbours."""
    order = torch.arange(spec.rows, device=device)
    parts: Sequence[Run] = list(spec.runs(spec.rows))
    turned = torch.cat([run.turned(order[run.first : run.first + run.count]) for run in parts])
    return turned.argsort()
