"""Products of one weight in blocks with any number of rows, as a step of its own."""

from __future__ import annotations

import numpy as np
import torch
from numba import types
from numba.np.numpy_support import from_dtype
from torch import Tensor

from townsfolk_kernels.compiled.blocks import COLUMNS, QUANTIZED_BYTES, quantize
from townsfolk_kernels.compiled.compiler import entry
from townsfolk_kernels.compiled.products import PART, Block, multiply_part, part_of
from townsfolk_kernels.compiled.team import enter, finish, leave, local_team, take, wait
from townsfolk_kernels.compiled.vectors import LANES, load, store

_STRIPE = 64  # rows of x at a time

_PRODUCT = np.dtype(
    [
        ("team", np.int64),
        ("threads", np.int64),
        ("count", np.int64),
        ("x", np.int64),  # address of [count, columns] fp32
        ("quantized", np.int64),  # address of room for as much in int8
        ("out", np.int64),  # address of [count, groups * 16] fp32
        ("tiles", np.int64),  # address of [threads, _STRIPE, 16] fp32
    ]
)


def multiply_rows(matrix: Block, x: Tensor, out: Tensor, bias: Tensor | None) -> None:
    """Write `x @ matrix.T + bias` to `out`.

    Args:
        matrix: the weight.
        x: [count, columns], contiguous.
        out: [count, rows].
        bias: [rows], or None.
    """
    team = local_team()
    count, columns = x.shape
    wide = x.float().contiguous()
    groups = len(matrix.blocks)
    result = torch.empty(count, LANES * groups)
    quantized = torch.empty(count, columns // COLUMNS * QUANTIZED_BYTES, dtype=torch.uint8)
    tiles = torch.empty(team.size, _STRIPE, LANES)
    product = np.zeros(1, dtype=_PRODUCT)
    product[0] = (
        team.address,
        team.size,
        count,
        wide.data_ptr(),
        quantized.data_ptr(),
        result.data_ptr(),
        tiles.data_ptr(),
    )
    parts = np.array([part_of(matrix)], dtype=PART)
    team.run(lambda thread: _run(product, parts, thread))
    result = result[:, : matrix.rows]
    out.copy_(result if bias is None else result + bias)


@entry(types.void(from_dtype(_PRODUCT)[::1], from_dtype(PART)[::1], types.int64))
def _run(products, parts, thread):
    product, part = products[0], parts[0]
    team, count, columns = product.team, product.count, part.columns
    if not enter(team):
        return
    row_bytes = columns // COLUMNS * QUANTIZED_BYTES
    row = take(team, 0)
    while row < count:
        quantize(product.x + 4 * columns * row, columns, product.quantized + row_bytes * row)
        finish(team, 0)
        row = take(team, 0)
    wait(team, 0, count)
    tile = product.tiles + thread * (4 * _STRIPE * LANES)
    groups = (part.rows + LANES - 1) // LANES
    group = take(team, 1)
    while group < groups:
        for first in range(0, count, _STRIPE):
            rows = min(_STRIPE, count - first)
            x = product.x + 4 * columns * first
            multiply_part(part, group, x, product.quantized + row_bytes * first, rows, tile)
            for number in range(rows):
                target = 4 * LANES * (groups * (first + number) + group)
                store(product.out + target, load(tile + 4 * LANES * number))
        finish(team, 1)
        group = take(team, 1)
    wait(team, 1, groups)
    leave(team, thread == 0)
