"""Matrices of quantised weights on a CUDA device, packed; see `QuantizedMatrix`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from townsfolk_kernels.decode.operands import LaunchConfig
from townsfolk_kernels.decode.packed_projection import PackedRows, project_packed
from townsfolk_kernels.decode.packed_tiles import packed_split_workspace, packed_tiles
from townsfolk_kernels.gpu.launch import SplitWorkspace
from townsfolk_kernels.prefill.dequantize import dequantize_packed
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.matrix import QuantizedMatrix
from townsfolk_kernels.quantized.packing import pack, packed_row_bytes, packed_table

# Numbers that a product of many rows makes at once: 32 MiB of them stay in a large L2 cache until
# they are multiplied with. With so many rows that the cache matters little, and that the host
# launches kernel by kernel, it makes more at once, as each launch takes the host's time.
_TILE_VALUES, _LARGE_TILE_VALUES = 1 << 24, 1 << 25
_CAPTURED = 512  # rows that graphs hold
# Values of blocks that are packed at once: temporaries take some 8 bytes of each.
_PACKED_AT_ONCE = 1 << 24
_ROWS = 128  # of a tile, a multiple: what products in cuBLAS take at once
_MOST_FEW = 64  # rows of activations that kernels take without making numbers in memory


class PackedMatrix(QuantizedMatrix):
    """Rows in the layouts of `packing`."""

    def __init__(
        self, block_format: BlockFormat, rows: int, columns: int, device: torch.device
    ) -> None:
        """Take the memory; see `QuantizedMatrix`."""
        super().__init__(block_format, rows, columns, device)
        width = packed_row_bytes(block_format, columns)
        data = torch.empty(rows, width, dtype=torch.uint8, device=device)
        self.packed = PackedRows(data, block_format, columns, packed_table(block_format, device))

    @property
    def nbytes(self) -> int:
        """See `QuantizedMatrix`."""
        return self.packed.data.nbytes

    def fill(self, first: int, raw: Tensor) -> None:
        """See `QuantizedMatrix`."""
        step = max(_PACKED_AT_ONCE // self.columns, 1)
        for begin in range(0, len(raw), step):
            part = raw[begin : begin + step]
            at = first + begin
            self.packed.data[at : at + len(part)] = pack(part, self.block_format)

    def values(self, first: int, count: int, dtype: torch.dtype) -> Tensor:
        """See `QuantizedMatrix`."""
        return self._numbers(self.packed.data[first : first + count], dtype)

    def gather(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        """See `QuantizedMatrix`."""
        return self._numbers(self.packed.data, dtype, ids)

    def gather_drawn(self, rows: Tensor, drawn: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the values of the rows `drawn[rows]`, [n, columns]; any where `rows` is below 0.

        Args:
            rows: [n], integers.
            drawn: [any], integers.
            dtype: of the result.
        """
        return self._numbers(self.packed.data, dtype, rows, drawn)

    def multiply(self, x: Tensor, out: Tensor, bias: Tensor | None) -> None:
        """See `QuantizedMatrix`."""
        if len(x) == 0:
            return
        if len(x) <= _MOST_FEW:
            tiles = packed_tiles("plain", (self.packed,), len(x), x.dtype)
            sizes = packed_split_workspace("plain", (self.packed,), len(x), tiles)
            space = SplitWorkspace.allocate(*sizes, self.device)
            project_packed(x, (self.packed,), out, LaunchConfig(tiles, space, dependent=False))
            if bias is not None:
                out += bias
            return
        for first, last in self._tiles(len(x)):
            values, target = self.values(first, last - first, x.dtype), out[:, first:last]
            added = None if bias is None else bias[first:last]
            if out.dtype != x.dtype:
                target.copy_(F.linear(x, values, added))
            elif added is None:
                torch.mm(x, values.mT, out=target)
            else:
                torch.addmm(added, x, values.mT, out=target)
            del values  # so that the next tile takes the same memory

    def _tiles(self, count: int) -> Iterator[tuple[int, int]]:
        """Return runs of rows, about alike, that become numbers at once for `count` rows of `x`."""
        most = _TILE_VALUES if count <= _CAPTURED else _LARGE_TILE_VALUES
        tiles = -(-self.rows * self.columns // most)
        step = -(-self.rows // (tiles * _ROWS)) * _ROWS
        for first in range(0, self.rows, step):
            yield first, min(first + step, self.rows)

    def _numbers(
        self,
        data: Tensor,
        dtype: torch.dtype,
        ids: Tensor | None = None,
        drawn: Tensor | None = None,
    ) -> Tensor:
        table = self.packed.table
        return dequantize_packed(data, self.block_format, self.columns, dtype, table, ids, drawn)
