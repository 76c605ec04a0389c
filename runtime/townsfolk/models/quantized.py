"""Sources of weights that stay in their blocks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import groupby

import torch
from townsfolk_kernels import LinearWeight, pack_linear
from townsfolk_kernels.ops.embedding import Table
from townsfolk_kernels.ops.stacked import Part, StackedWeight
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.matrix import (
    QUANTIZED,
    QuantizedMatrix,
    RawMatrix,
)

from townsfolk.models.weights import TensorSpec, WeightSource


class BlockSource(WeightSource):
    """Gives matrices in blocks where the tensors are; neighbours of one format are one matrix.

    Attributes:
        device: where weights go.
    """

    def __init__(
        self, device: torch.device, dtype: torch.dtype, target: torch.device | None = None
    ) -> None:
        """Give weights.

        Args:
            device: where they go.
            dtype: of tensors for which any will do. With fp32 the CPU multiplies blocks as the
                numbers that they stand for, else with rows of 8 bits.
            target: of whose layouts they are, if it isn't `device`.
        """
        self.device, self._dtype, self._target = device, dtype, target or device

    @abstractmethod
    def block_format(self, spec: TensorSpec) -> BlockFormat | None:
        """Return the format of a tensor; None for one that is used as numbers."""

    @abstractmethod
    def fill(self, matrix: QuantizedMatrix, begin: int, spec: TensorSpec) -> None:
        """Fill the rows of a tensor, of which the first is `begin`; they may come later."""

    def allocate(self, kind: BlockFormat, rows: int, columns: int) -> QuantizedMatrix:
        """Take the memory of a matrix."""
        if self._target.type == "cpu" and self._dtype == torch.float32:
            return RawMatrix(kind, rows, columns, self.device)
        return QUANTIZED.pick(self._target.type)(kind, rows, columns, self.device)

    def linear(
        self,
        weights: Sequence[TensorSpec],
        biases: Sequence[TensorSpec],
        dtype: torch.dtype,
        roomy: bool,
    ) -> LinearWeight:
        """See `WeightSource`."""
        groups = [(kind, list(specs)) for kind, specs in groupby(weights, self.block_format)]
        if all(kind is None for kind, _ in groups):
            return super().linear(weights, biases, dtype, roomy)
        parts: list[Part] = [
            pack_linear(self.tensor(specs, dtype), roomy=roomy)
            if kind is None
            else self._matrix(kind, specs)
            for kind, specs in groups
        ]
        sizes = [sum(spec.rows for spec in specs) for _, specs in groups]
        return StackedWeight(parts, sizes, self.tensor(biases, dtype) if biases else None)

    def table(self, spec: TensorSpec) -> Table:
        """See `WeightSource`."""
        kind = self.block_format(spec)
        return super().table(spec) if kind is None else self._matrix(kind, [spec])

    def _matrix(self, kind: BlockFormat, specs: Sequence[TensorSpec]) -> QuantizedMatrix:
        matrix = self.allocate(kind, sum(spec.rows for spec in specs), specs[0].shape[1])
        begin = 0
        for spec in specs:
            self.fill(matrix, begin, spec)
            begin += spec.rows
        return matrix
