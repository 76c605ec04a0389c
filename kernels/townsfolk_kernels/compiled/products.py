"""Products of a weight with a few rows, 16 of its own rows at a time.

Every element of a product is summed in one order, whatever other rows are multiplied with it: a
row has the same bits alone and in any batch.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

import numpy as np
from torch import Tensor

from townsfolk_kernels.compiled.blocks import eight_bits, five_bits, four_bits, six_bits
from townsfolk_kernels.compiled.compiler import compiled
from townsfolk_kernels.compiled.vectors import (
    LANES,
    load,
    load_bf16,
    load_scalar,
    multiply_add,
    prefetch,
    splat,
    store_scalar,
    total,
)

# Rows are too short for the processor to foresee where the next ones are. Bytes beyond the rows in
# use; one thread reads [100000, 768] bf16 at 11 GB/s without prefetching, at 23 with 12 KiB.
_AHEAD = 8192


class BlockShape(Protocol):
    """How blocks are laid out; see `townsfolk_kernels.compiled.blocks`."""

    @property
    def bits(self) -> int:
        """Of an integer."""

    @property
    def nbytes(self) -> int:
        """Of a block."""

    @property
    def shifted(self) -> bool:
        """Whether there are shifts."""

    @property
    def offset(self) -> int:
        """What is taken off integers without shifts."""


class Block(Protocol):
    """A matrix in blocks.

    Attributes:
        rows: how many there are.
        columns: of each.
        blocks: [rows / 16, columns / 32, shape.nbytes] uint8.
    """

    rows: int
    columns: int
    blocks: Tensor

    @property
    def shape(self) -> BlockShape:
        """Of its blocks."""


class Format(IntEnum):
    """How a weight lies in memory."""

    BF16 = 0
    """[rows, columns], bf16."""
    BITS_4 = 1
    """Blocks of integers of so many bits; see `townsfolk_kernels.compiled.blocks`."""
    BITS_5 = 2
    BITS_6 = 3
    BITS_8 = 4


_FORMATS = {4: Format.BITS_4, 5: Format.BITS_5, 6: Format.BITS_6, 8: Format.BITS_8}
PART = np.dtype(
    [
        ("format", np.int64),
        ("address", np.int64),
        ("first", np.int64),  # of its rows, in the whole weight: a multiple of 16
        ("rows", np.int64),
        ("columns", np.int64),  # a multiple of 16
        ("bias", np.int64),  # address, [rows] fp32; 0 for none
        ("block_bytes", np.int64),  # of blocks, 16 rows of 32 columns
        ("shifted", np.int64),  # whether a block has shifts
        ("offset", np.float64),  # what is taken off integers without shifts
    ]
)
"""Some rows of a weight, all in one format."""
WEIGHT = np.dtype(
    [
        ("first", np.int64),  # of its parts, among all of a decoder
        ("parts", np.int64),
        ("rows", np.int64),
        ("columns", np.int64),
    ]
)


def part_of(matrix: Block, first: int = 0, bias: int = 0) -> tuple[float, ...]:
    """Return a `PART` of a matrix in blocks, with its first row and the address of its bias."""
    shape = matrix.shape
    return (
        _FORMATS[shape.bits],
        matrix.blocks.data_ptr(),
        first,
        matrix.rows,
        matrix.columns,
        bias,
        shape.nbytes,
        shape.shifted,
        shape.offset,
    )


def _plain(load_weights, size):
    """Multiply with a weight whose numbers take `size` bytes each."""

    @compiled
    def of_group(part, group, x, count, tile):
        columns = part.columns
        last = part.rows - 1 - LANES * group
        base = part.address + LANES * group * columns * size
        for row in range(0, LANES, 4):
            # Behind the last row there is nothing to read: it is read again.
            first = base + min(row, last) * columns * size
            second = base + min(row + 1, last) * columns * size
            third = base + min(row + 2, last) * columns * size
            fourth = base + min(row + 3, last) * columns * size
            sequence = 0
            while sequence < count:
                ahead = first + (_AHEAD + 4 * columns * size if sequence == 0 else 0)
                x_1 = x + 4 * columns * sequence
                out = tile + 4 * (LANES * sequence + row)
                a_1 = b_1 = c_1 = d_1 = splat(0.0)
                if sequence + 4 <= count:
                    x_2 = x_1 + 4 * columns
                    x_3 = x_2 + 4 * columns
                    x_4 = x_3 + 4 * columns
                    a_2 = b_2 = c_2 = d_2 = splat(0.0)
                    a_3 = b_3 = c_3 = d_3 = splat(0.0)
                    a_4 = b_4 = c_4 = d_4 = splat(0.0)
                    for column in range(0, columns, LANES):
                        _prefetch_rows(ahead + 4 * size * column, size)
                        a = load_weights(first + size * column)
                        b = load_weights(second + size * column)
                        c = load_weights(third + size * column)
                        d = load_weights(fourth + size * column)
                        of_x = load(x_1 + 4 * column)
                        a_1 = multiply_add(a, of_x, a_1)
                        b_1 = multiply_add(b, of_x, b_1)
                        c_1 = multiply_add(c, of_x, c_1)
                        d_1 = multiply_add(d, of_x, d_1)
                        of_x = load(x_2 + 4 * column)
                        a_2 = multiply_add(a, of_x, a_2)
                        b_2 = multiply_add(b, of_x, b_2)
                        c_2 = multiply_add(c, of_x, c_2)
                        d_2 = multiply_add(d, of_x, d_2)
                        of_x = load(x_3 + 4 * column)
                        a_3 = multiply_add(a, of_x, a_3)
                        b_3 = multiply_add(b, of_x, b_3)
                        c_3 = multiply_add(c, of_x, c_3)
                        d_3 = multiply_add(d, of_x, d_3)
                        of_x = load(x_4 + 4 * column)
                        a_4 = multiply_add(a, of_x, a_4)
                        b_4 = multiply_add(b, of_x, b_4)
                        c_4 = multiply_add(c, of_x, c_4)
                        d_4 = multiply_add(d, of_x, d_4)
                    _store_totals(out, a_1, b_1, c_1, d_1)
                    _store_totals(out + 4 * LANES, a_2, b_2, c_2, d_2)
                    _store_totals(out + 8 * LANES, a_3, b_3, c_3, d_3)
                    _store_totals(out + 12 * LANES, a_4, b_4, c_4, d_4)
                    sequence += 4
                else:
                    for column in range(0, columns, LANES):
                        _prefetch_rows(ahead + 4 * size * column, size)
                        of_x = load(x_1 + 4 * column)
                        a_1 = multiply_add(load_weights(first + size * column), of_x, a_1)
                        b_1 = multiply_add(load_weights(second + size * column), of_x, b_1)
                        c_1 = multiply_add(load_weights(third + size * column), of_x, c_1)
                        d_1 = multiply_add(load_weights(fourth + size * column), of_x, d_1)
                    _store_totals(out, a_1, b_1, c_1, d_1)
                    sequence += 1

    return of_group


@compiled
def _prefetch_rows(address, size):
    """Prefetch as much as 16 columns of 4 rows take."""
    for line in range(size):
        prefetch(address + 64 * line)


@compiled
def _store_totals(out, a, b, c, d):
    store_scalar(out, total(a))
    store_scalar(out + 4, total(b))
    store_scalar(out + 8, total(c))
    store_scalar(out + 12, total(d))


_bf16 = _plain(load_bf16, 2)


@compiled
def multiply_part(part, group, x, quantized, count, tile):
    """Multiply rows with 16 rows of a part; see `multiply_group`."""
    if part.format == Format.BF16:
        _bf16(part, group, x, count, tile)
    elif part.format == Format.BITS_4:
        four_bits(part, group, quantized, count, tile)
    elif part.format == Format.BITS_5:
        five_bits(part, group, quantized, count, tile)
    elif part.format == Format.BITS_6:
        six_bits(part, group, quantized, count, tile)
    else:
        eight_bits(part, group, quantized, count, tile)


@compiled
def multiply_group(parts, weight, group, x, quantized, count, tile):
    """Multiply rows with 16 rows of a weight, and add their bias.

    Args:
        parts: of all weights, `PART`s.
        weight: a `WEIGHT`.
        group: which 16 rows.
        x: address of [count, columns] fp32.
        quantized: address of the same in int8, where a part is in blocks.
        count: rows of `x`.
        tile: address of [count, 16] fp32, the result; what lies behind the weight's last row is
            undefined.
    """
    number = weight.first
    while LANES * group >= parts[number].first + parts[number].rows:
        number += 1
    part = parts[number]
    group -= part.first // LANES
    multiply_part(part, group, x, quantized, count, tile)
    if part.bias == 0:
        return
    for row in range(min(LANES, part.rows - LANES * group)):
        bias = load_scalar(part.bias + 4 * (LANES * group + row))
        for at in range(tile + 4 * row, tile + 4 * (row + LANES * count), 4 * LANES):
            store_scalar(at, load_scalar(at) + bias)
