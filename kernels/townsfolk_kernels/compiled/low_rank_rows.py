"""What adapters add to a product of any number of rows, as a step of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numba import types
from numba.np.numpy_support import from_dtype
from numpy.typing import NDArray
from torch import Tensor

from townsfolk_kernels.compiled.compiler import entry
from townsfolk_kernels.compiled.low_rank import expand, shrink
from townsfolk_kernels.compiled.team import enter, finish, leave, local_team, take, wait
from townsfolk_kernels.compiled.vectors import LANES, load_int64

_GROUPS = 16  # of a weight's rows, in a chunk
_ROWS = 16  # of x, in a chunk

_ADDITION = np.dtype(
    [
        ("team", np.int64),
        ("count", np.int64),  # rows of x
        ("columns", np.int64),  # of x
        ("groups", np.int64),  # of 16 rows of the weight
        ("x", np.int64),  # address of [count, columns] fp32
        ("adapters", np.int64),  # address of [count] int64
        ("projection", np.int64),
        ("parts", np.int64),
        ("first_end", np.int64),
        ("second_end", np.int64),
        ("units", np.int64),
        ("shrunk", np.int64),  # address of [count, parts * units * 16] fp32
        ("out", np.int64),  # address of [count, groups * 16] fp32
    ]
)


def add_to_rows(
    x: Tensor,
    out: Tensor,
    adapters: NDArray[np.int64],
    units: int,
    projection: int,
    ends: Sequence[int],
) -> None:
    """Add to a product what the adapters of its rows change.

    Args:
        x: [count, in_features].
        out: [count, out_features], changed in place.
        adapters: [count], addresses of their entries; 0 for none.
        units: of 16 ranks, that one part of any of them has at most.
        projection: number of the entry.
        ends: one past the last row of each part of the weight, three at most.
    """
    team, (count, columns) = local_team(), x.shape
    wide = x.float().contiguous()
    groups = -(-out.shape[1] // LANES)
    added = torch.zeros(count, LANES * groups)
    shrunk = torch.empty(count, len(ends) * units * LANES)
    first, second = (*ends, ends[-1])[:2]
    addition = np.zeros(1, dtype=_ADDITION)
    addition[0] = (
        team.address, count, columns, groups, wide.data_ptr(), adapters.ctypes.data, projection,
        len(ends), first, second, units, shrunk.data_ptr(), added.data_ptr(),
    )  # fmt: skip
    team.run(lambda thread: _run(addition, thread))
    out.add_(added[:, : out.shape[1]])


@entry(types.void(from_dtype(_ADDITION)[::1], types.int64))
def _run(additions, thread):
    step = additions[0]
    team = step.team
    if not enter(team):
        return
    units = step.parts * step.units
    row_bytes = 4 * LANES * units
    blocks = (step.count + _ROWS - 1) // _ROWS
    items = blocks * units
    item = take(team, 0)
    while item < items:
        unit, first = item // blocks, item % blocks * _ROWS
        for row in range(first, min(first + _ROWS, step.count)):
            table = load_int64(step.adapters + 8 * row)
            source, target = step.x + 4 * step.columns * row, step.shrunk + row_bytes * row
            shrink(table, step.projection, step.parts, unit, source, step.columns, target)
        finish(team, 0)
        item = take(team, 0)
    wait(team, 0, items)
    chunks = (step.groups + _GROUPS - 1) // _GROUPS
    items = chunks * blocks
    item = take(team, 1)
    while item < items:
        first, begin = item // chunks * _ROWS, item % chunks * _GROUPS
        for group in range(begin, min(begin + _GROUPS, step.groups)):
            part = 0
            if LANES * group >= step.first_end:
                part = 2 if LANES * group >= step.second_end else 1
            for row in range(first, min(first + _ROWS, step.count)):
                table = load_int64(step.adapters + 8 * row)
                tile = step.out + 4 * LANES * (step.groups * row + group)
                expand(table, step.projection, part, group, step.shrunk + row_bytes * row, tile)
        finish(team, 1)
        item = take(team, 1)
    wait(team, 1, items)
    leave(team, thread == 0)
