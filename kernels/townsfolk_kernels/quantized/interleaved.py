"""Blocks brought into the layout of the processor's compiled products: 16 rows side by side.

The layout is described in `townsfolk_kernels.compiled.blocks`. Integers stay as they are; scales
are multiplied out and rounded to fp16, so Q4_K grows by 11%, Q5_K by 9%, Q6_K by 7%, others not at
all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from townsfolk_kernels.large_pages import empty_on_large_pages
from townsfolk_kernels.quantized.blocks import BlockFormat, cut, five_bits, half, k_scales, unpack
from townsfolk_kernels.quantized.matrix import QUANTIZED, QuantizedMatrix, RawMatrix
from townsfolk_kernels.registry import has_numba

LANES, _COLUMNS = 16, 32
_CHUNK_VALUES = 1 << 18  # that are brought into values at once


@dataclass(frozen=True, slots=True)
class InterleavedShape:
    """A layout of blocks of 16 rows and 32 columns.

    Attributes:
        bits: of an integer.
        halved: whether there is a scale for each 16 columns, else for each 32.
        shifted: whether there are shifts.
        offset: what is taken off integers without shifts.
    """

    bits: int
    halved: bool = False
    shifted: bool = False
    offset: int = 0

    @property
    def scale_bytes(self) -> int:
        """Bytes of scales and shifts."""
        return 2 * LANES * (1 + self.halved + self.shifted)

    @property
    def nbytes(self) -> int:
        """Bytes of a block."""
        return self.scale_bytes + LANES * _COLUMNS * self.bits // 8


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Rows as integers and what they are multiplied with.

    Attributes:
        integers: [rows, columns], uint8.
        scales: [rows, columns / 32], fp32; of halved blocks [rows, columns / 16].
        shifts: [rows, columns / 32], fp32, where the format has them.
    """

    integers: Tensor
    scales: Tensor
    shifts: Tensor | None = None


def _q8_0(blocks: Tensor) -> _Numbers:
    scale, values = cut(blocks, 2, 32)
    return _Numbers(values ^ 0x80, half(scale))


def _q4_0(blocks: Tensor) -> _Numbers:
    scale, packed = cut(blocks, 2, 16)
    return _Numbers(unpack(packed, 4, 16), half(scale))


def _q4_1(blocks: Tensor) -> _Numbers:
    scale, least, packed = cut(blocks, 2, 2, 16)
    return _Numbers(unpack(packed, 4, 16), half(scale), half(least))


def _q5_0(blocks: Tensor) -> _Numbers:
    scale, high, low = cut(blocks, 2, 4, 16)
    return _Numbers(five_bits(high, low).byte(), half(scale))


def _q5_1(blocks: Tensor) -> _Numbers:
    scale, least, high, low = cut(blocks, 2, 2, 4, 16)
    return _Numbers(five_bits(high, low).byte(), half(scale), half(least))


def _q4_k(blocks: Tensor) -> _Numbers:
    scale, least, scales, packed = cut(blocks, 2, 2, 12, 128)
    factors, leasts = k_scales(scale, least, scales)
    return _Numbers(unpack(packed, 4, 32), factors, -leasts)


def _q5_k(blocks: Tensor) -> _Numbers:
    scale, least, scales, high, low = cut(blocks, 2, 2, 12, 32, 128)
    factors, leasts = k_scales(scale, least, scales)
    return _Numbers(unpack(low, 4, 32) | (unpack(high, 1, 32) << 4), factors, -leasts)


def _q6_k(blocks: Tensor) -> _Numbers:
    low, high, scales, scale = cut(blocks, 128, 64, 16, 2)
    integers = unpack(low, 4, 64) | (unpack(high, 2, 32) << 4)
    return _Numbers(integers, half(scale) * scales.view(torch.int8).float())


_FORMATS: dict[BlockFormat, tuple[InterleavedShape, Callable[[Tensor], _Numbers]]] = {
    BlockFormat.Q8_0: (InterleavedShape(8, offset=128), _q8_0),
    BlockFormat.Q4_0: (InterleavedShape(4, offset=8), _q4_0),
    BlockFormat.Q4_1: (InterleavedShape(4, shifted=True), _q4_1),
    BlockFormat.Q5_0: (InterleavedShape(5, offset=16), _q5_0),
    BlockFormat.Q5_1: (InterleavedShape(5, shifted=True), _q5_1),
    BlockFormat.Q4_K: (InterleavedShape(4, shifted=True), _q4_k),
    BlockFormat.Q5_K: (InterleavedShape(5, shifted=True), _q5_k),
    BlockFormat.Q6_K: (InterleavedShape(6, halved=True, offset=32), _q6_k),
}


class InterleavedMatrix(QuantizedMatrix):
    """A matrix whose rows lie side by side, 16 at a time.

    Attributes:
        shape: of its blocks.
        blocks: [rows / 16, columns / 32, shape.nbytes], uint8; rows that don't exist are zero.
    """

    def __init__(
        self, block_format: BlockFormat, rows: int, columns: int, device: torch.device
    ) -> None:
        """Take the memory; see `QuantizedMatrix`."""
        super().__init__(block_format, rows, columns, device)
        self.shape, self._read = _FORMATS[block_format]
        groups = -(-rows // LANES)
        sizes = (groups, columns // _COLUMNS, self.shape.nbytes)
        self.blocks = empty_on_large_pages(math.prod(sizes), device).view(sizes)
        self.blocks[-1] = 0

    @property
    def nbytes(self) -> int:
        """See `QuantizedMatrix`."""
        return self.blocks.nbytes

    def fill(self, first: int, raw: Tensor) -> None:
        """See `QuantizedMatrix`."""
        count = max(_CHUNK_VALUES // self.columns, 1)
        for begin in range(0, len(raw), count):
            self._fill(first + begin, raw[begin : begin + count])

    def values(self, first: int, count: int, dtype: torch.dtype) -> Tensor:
        """See `QuantizedMatrix`."""
        return self.gather(torch.arange(first, first + count), dtype)

    def gather(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        """See `QuantizedMatrix`."""
        from townsfolk_kernels.compiled.products import PART, part_of
        from townsfolk_kernels.compiled.rows import gather_rows

        numbers = ids.numpy()
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self.rows:
            raise IndexError(f"a row lies outside the {self.rows} rows of the matrix")
        out = torch.empty(len(numbers), self.columns)
        part = np.array([part_of(self)], dtype=PART)
        gather_rows(part, np.ascontiguousarray(numbers), out.data_ptr())
        return out.to(dtype)

    def multiply(self, x: Tensor, out: Tensor, bias: Tensor | None) -> None:
        """See `QuantizedMatrix`; the rows of `x` are quantised to 8 bits."""
        from townsfolk_kernels.compiled.multiply import multiply_rows

        multiply_rows(self, x, out, bias)

    def _planes(self) -> tuple[Tensor, Tensor]:
        """Return the scales and integers by row, as views.

        Returns:
            scales and shifts [groups, 16, blocks, kinds] fp16, and bytes of integers
            [groups, 16, blocks, vectors, 4] uint8.
        """
        scales = self.blocks.view(torch.float16)[:, :, : self.shape.scale_bytes // 2]
        integers = self.blocks[:, :, self.shape.scale_bytes :]
        return (
            scales.unflatten(2, (-1, LANES)).permute(0, 3, 1, 2),
            integers.unflatten(2, (-1, LANES, 4)).permute(0, 3, 1, 2, 4),
        )

    def _fill(self, first: int, raw: Tensor) -> None:
        layout, shape, rows = self.block_format.layout, self.shape, len(raw)
        numbers = self._read(raw.reshape(-1, layout.nbytes))
        blocks = self.columns // _COLUMNS
        factors = [numbers.scales.reshape(rows, blocks, -1)]
        if numbers.shifts is not None:
            factors.append(numbers.shifts.reshape(rows, blocks, 1))
        # [rows, blocks, halves, vectors of a half, 4]
        integers = numbers.integers.reshape(rows, blocks, 2, 4, 4)
        scales, planes = self._planes()
        row = torch.arange(first, first + rows)
        group, lane = row // LANES, row % LANES
        scales[group, lane] = torch.cat(factors, dim=2).half()
        planes[group, lane] = _to_planes(integers, shape.bits)


def _to_planes(integers: Tensor, bits: int) -> Tensor:
    """Return bytes [rows, blocks, vectors, 4] of integers [rows, blocks, 2, 4, 4] uint8."""
    if bits == 8:
        return integers.flatten(2, 3)
    low, high = integers.unbind(2)
    planes = [(low & 15) | ((high & 15) << 4)]
    if bits == 5:
        planes.append(_joined(integers.flatten(2, 3) >> 4, 1))
    if bits == 6:
        planes += [_joined(low >> 4, 2), _joined(high >> 4, 2)]
    return torch.cat(planes, dim=2)


def _joined(parts: Tensor, bits: int) -> Tensor:
    """Join vectors of a few bits [rows, blocks, vectors, 4] to bytes [rows, blocks, 1, 4]."""
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8).view(-1, 1)
    joined: Tensor = (parts << shifts).sum(dim=2, keepdim=True, dtype=torch.uint8)
    return joined


@QUANTIZED.register("cpu")
def _matrix(
    block_format: BlockFormat, rows: int, columns: int, device: torch.device
) -> QuantizedMatrix:
    if block_format in _FORMATS and has_numba():
        return InterleavedMatrix(block_format, rows, columns, device)
    return RawMatrix(block_format, rows, columns, device)
