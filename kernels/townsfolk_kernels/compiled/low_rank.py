"""Low-rank adapters of rows, beside compiled products: each row may have another.

An adapter is a table of entries, one for each projection of a decoder. Ranks are padded to a
multiple of 16, a *unit*; a projection whose weight has several parts has A of each.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from townsfolk_kernels.compiled.compiler import compiled
from townsfolk_kernels.compiled.vectors import (
    LANES,
    add,
    load,
    load_bf16,
    load_int64,
    load_scalar,
    multiply_add,
    splat,
    store,
    store_scalar,
    total,
)

ENTRY = np.dtype(
    [
        ("a", np.int64),  # address of [parts * rank, in_features] bf16
        ("b", np.int64),  # address of [out_features / 16, rank, 16] bf16
        ("rank", np.int64),  # of each part, a multiple of 16; 0 where nothing is added
    ]
)
"""What an adapter adds to a projection."""
_ENTRY_BYTES = ENTRY.itemsize


def by_groups(b: Tensor) -> Tensor:
    """Return B [out_features, rank] as an `ENTRY` has it, with rows of zeros behind the last."""
    rows = -(-b.shape[0] // LANES) * LANES
    padded = torch.zeros(rows, b.shape[1], dtype=torch.bfloat16)
    padded[: b.shape[0]] = b
    return padded.view(-1, LANES, b.shape[1]).mT.contiguous()


@compiled
def shrink(table, projection, parts, unit, x, columns, target):
    """Compute a unit of `A x` of one row, where the adapter has so many.

    Args:
        table: address of its adapter's entries; 0 for none.
        projection: number of its entry.
        parts: of the projection.
        unit: number of the unit, among all parts'.
        x: address of the row [columns], fp32.
        columns: of the row.
        target: address of the row's results, fp32.
    """
    if table == 0:
        return
    entry = table + _ENTRY_BYTES * projection
    if LANES * unit >= parts * load_int64(entry + 16):
        return
    first = load_int64(entry) + 2 * LANES * unit * columns
    out = target + 4 * LANES * unit
    for _ in range(0, LANES, 4):
        second = first + 2 * columns
        third = second + 2 * columns
        fourth = third + 2 * columns
        a = b = c = d = splat(0.0)
        for at in range(0, 2 * columns, 2 * LANES):
            values = load(x + 2 * at)
            a = multiply_add(load_bf16(first + at), values, a)
            b = multiply_add(load_bf16(second + at), values, b)
            c = multiply_add(load_bf16(third + at), values, c)
            d = multiply_add(load_bf16(fourth + at), values, d)
        store_scalar(out, total(a))
        store_scalar(out + 4, total(b))
        store_scalar(out + 8, total(c))
        store_scalar(out + 12, total(d))
        first = fourth + 2 * columns
        out += 16


@compiled
def expand(table, projection, part, group, shrunk, tile):
    """Add `B (A x)` of one row to its product with 16 rows of a weight.

    Args:
        table: address of its adapter's entries; 0 for none.
        projection: number of its entry.
        part: of the weight, to which the rows belong.
        group: which 16 rows of the weight.
        shrunk: address of what `shrink` has computed of the row.
        tile: address of the product [16], fp32.
    """
    if table == 0:
        return
    entry = table + _ENTRY_BYTES * projection
    rank = load_int64(entry + 16)
    at = load_int64(entry + 8) + 2 * LANES * rank * group
    inner = shrunk + 4 * rank * part
    a = load(tile)
    b = c = d = splat(0.0)
    for _ in range(0, rank, 4):
        a = multiply_add(load_bf16(at), splat(load_scalar(inner)), a)
        b = multiply_add(load_bf16(at + 2 * LANES), splat(load_scalar(inner + 4)), b)
        c = multiply_add(load_bf16(at + 4 * LANES), splat(load_scalar(inner + 8)), c)
        d = multiply_add(load_bf16(at + 6 * LANES), splat(load_scalar(inner + 12)), d)
        at += 8 * LANES
        inner += 16
    store(tile, add(add(a, b), add(c, d)))
