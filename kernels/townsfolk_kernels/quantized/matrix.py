"""Quantised weights: matrices in blocks that are multiplied with as they are.

A device's own layouts register with `QUANTIZED`; where one has none for a format, `RawMatrix` keeps
the bytes of the file and brings a few rows at a time into values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from townsfolk_kernels.quantized.blocks import BlockFormat, dequantize
from townsfolk_kernels.registry import Implementations

# Values that a product without a kernel of its own makes at once.
_TILE_VALUES = {"cpu": 1 << 18, "cuda": 1 << 24}


class QuantizedMatrix(ABC):
    """A weight, or rows of one, in one format of blocks, in the layout that its device reads.

    Attributes:
        block_format: of the values.
        rows: how many there are.
        columns: values of a row, a whole number of blocks.
        device: where it is.
    """

    def __init__(
        self, block_format: BlockFormat, rows: int, columns: int, device: torch.device
    ) -> None:
        """Say what it will hold once `fill` has been called for all rows."""
        self.block_format = block_format
        self.rows = rows
        self.columns = columns
        self.device = device

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory it takes."""

    @abstractmethod
    def fill(self, first: int, raw: Tensor) -> None:
        """Take some rows, without waiting for the device.

        Threads may fill disjoint rows at once, each on its current stream.

        Args:
            first: the first of them; any.
            raw: [count, bytes of a row] uint8, contiguous, on this device, as `dequantize` takes
                them. Its memory is the caller's again when the stream has come so far.
        """

    @abstractmethod
    def values(self, first: int, count: int, dtype: torch.dtype) -> Tensor:
        """Return what rows `first` to `first + count` stand for: [count, columns]."""

    @abstractmethod
    def gather(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        """Return what the rows `ids` [n] int64 stand for, without asking the host: [n, columns].

        Raises:
            IndexError: an id lies outside the rows (on CPU; unchecked on CUDA).
        """

    def multiply(self, x: Tensor, out: Tensor, bias: Tensor | None) -> None:
        """Write `x @ weight.T + bias` to `out`; summed in fp32, without asking the host.

        Args:
            x: [n, columns], contiguous.
            out: [n, rows], fp32 or dtype of `x`; its rows may lie apart from each other.
            bias: [rows], or None.
        """
        count = max(_TILE_VALUES[self.device.type] // self.columns, 1)
        wide = x.float()
        for first in range(0, self.rows, count):
            last = min(first + count, self.rows)
            values = self.values(first, last - first, torch.float32)
            added = None if bias is None else bias[first:last].float()
            out[:, first:last] = F.linear(wide, values, added)


class RawMatrix(QuantizedMatrix):
    """The bytes as a file has them."""

    def __init__(
        self, block_format: BlockFormat, rows: int, columns: int, device: torch.device
    ) -> None:
        """Take the memory; see `QuantizedMatrix`."""
        super().__init__(block_format, rows, columns, device)
        width = block_format.row_bytes(columns)
        self.raw = torch.empty(rows, width, dtype=torch.uint8, device=device)

    @property
    def nbytes(self) -> int:
        """See `QuantizedMatrix`."""
        return self.raw.nbytes

    def fill(self, first: int, raw: Tensor) -> None:
        """See `QuantizedMatrix`."""
        self.raw[first : first + len(raw)].copy_(raw, non_blocking=True)

    def values(self, first: int, count: int, dtype: torch.dtype) -> Tensor:
        """See `QuantizedMatrix`."""
        return dequantize(self.raw[first : first + count], self.block_format, dtype)

    def gather(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        """See `QuantizedMatrix`."""
        return dequantize(self.raw.index_select(0, ids), self.block_format, dtype)


QUANTIZED: Implementations[Callable[[BlockFormat, int, int, torch.device], QuantizedMatrix]] = (
    Implementations(RawMatrix)
)


def quantized_matrix(
    block_format: BlockFormat, rows: int, columns: int, device: torch.device
) -> QuantizedMatrix:
    """Take memory for a matrix in the layout that its device multiplies fastest; see `fill`."""
    return QUANTIZED.pick(device.type)(block_format, rows, columns, device)
