"""Decode: low-rank adapters, of which each row of a batch may have another.

All adapters lie in one tensor at a fixed address, the *pool*; a table on the device says where. So
a step that is captured once serves any mix of them, also of such as are loaded later. An adapter's
rank is cut into *units* of 16. A small kernel lists the units of the batch at the beginning of a
step; before each product another one computes `A x` of each row, and the product itself adds
`B (A x)`: over all listed units at once, with zeros for the rows that have other adapters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import Tiles, options, power_of_two

UNIT = 16
"""Ranks that are taken together: the least that tensor cores sum over."""
MOST_RANK = 512
"""The largest rank."""
ENTRY = 4
"""Numbers of an entry of the table: where A and B begin in the pool, in units of 16 elements; the
rank, a multiple of 16, 0 where nothing is added; and nothing. So each begins at 16 bytes."""

_RANKS = 4  # of one program that computes A x
_WARP_WIDTH = 512  # columns of it for each warp
_UNITS_AT_ONCE = tl.constexpr(4)


@dataclass(frozen=True, slots=True)
class RowUnits:
    """Who of a batch has which adapter.

    Attributes:
        slots: [batch], int32: rows of `of_slot`; below 0 for a place that is not used.
        of_slot: [any], int32: the place of each slot's adapter in tables; below 0 for none.
        index: [batch], int32: the adapter's place in the table; below 0 for none.
        count: [1], int32: units that the batch has together.
        places: [any], int32: of each unit, its adapter's place.
        numbers: [any], int32: of each unit, its number within the adapter.
        shrunk: [batch * most parts * MOST_RANK], fp32: memory for `A x`.
    """

    slots: Tensor
    of_slot: Tensor
    index: Tensor
    count: Tensor
    places: Tensor
    numbers: Tensor
    shrunk: Tensor

    @classmethod
    def allocate(cls, of_slot: Tensor, batch: int, parts: int) -> RowUnits:
        """Take memory for batches of up to so many rows, and products of so many parts."""
        device = of_slot.device

        def numbers(count: int) -> Tensor:
            return torch.zeros(count, dtype=torch.int32, device=device)

        most = batch * (MOST_RANK // UNIT)
        inner = torch.zeros(batch * parts * MOST_RANK, device=device)
        index = numbers(batch)
        return cls(index, of_slot, index, numbers(1), numbers(most), numbers(most), inner)


@dataclass(frozen=True, slots=True)
class LowRankTable:
    """Adapters of one product.

    Attributes:
        pool: [any], dtype of activations: of each adapter A [parts, rank, in_features] and B
            [out_features, rank], with zeros up to a multiple of 16 ranks.
        entries: [places, ENTRY], int32, with any stride: see `ENTRY`.
        ends: one past the last row of each part of the weight: three at most.
    """

    pool: Tensor
    entries: Tensor
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LowRankRows:
    """What adapters add to a product of a batch.

    Attributes:
        table: of the product.
        rows: who has which.
    """

    table: LowRankTable
    rows: RowUnits


@kernel
def _list_kernel(
    slots,
    of_slot,
    sizes,
    index,
    count,
    places,
    numbers,
    batch,
    BATCH: tl.constexpr,
):
    m = tl.arange(0, BATCH)
    slot = tl.load(slots + m, mask=m < batch, other=-1)
    place = tl.load(of_slot + slot, mask=slot >= 0, other=-1)
    tl.store(index + m, place, mask=m < batch)
    before = (place[None, :] == place[:, None]) & (m[None, :] < m[:, None])
    is_first = (tl.sum(before.to(tl.int32), axis=1) == 0) & (place >= 0)
    units = tl.load(sizes + place, mask=is_first, other=0)
    ends = tl.cumsum(units, axis=0)
    tl.store(count, tl.sum(units, axis=0))
    for number in range(tl.max(units, axis=0)):
        inside = number < units
        tl.store(places + ends - units + number, place, mask=inside)
        tl.store(numbers + ends - units + number, tl.zeros_like(place) + number, mask=inside)


def list_units(sizes: Tensor, rows: RowUnits) -> None:
    """Note which adapters a batch has.

    Args:
        sizes: [places], int32: units of each adapter.
        rows: gets them.
    """
    batch = rows.slots.shape[0]
    _list_kernel[(1,)](
        rows.slots,
        rows.of_slot,
        sizes,
        rows.index,
        rows.count,
        rows.places,
        rows.numbers,
        batch,
        BATCH=max(power_of_two(batch), 2),
        **options(4),
    )


@kernel
def _shrink_kernel(
    x,
    slots,
    of_slot,
    pool,
    entries,
    shrunk,
    STRIDE: tl.constexpr,
    PARTS: tl.constexpr,
    K: tl.constexpr,
    WIDTH: tl.constexpr,
    MOST: tl.constexpr,
    RANKS: tl.constexpr,
    DEPENDENT: tl.constexpr,
    SIGNALS: tl.constexpr,
):
    row, part = tl.program_id(0), tl.program_id(1)
    first = tl.program_id(2) * RANKS
    # None of this is written by a kernel of the step, so it is loaded before the wait.
    slot = tl.load(slots + row)
    place = tl.load(of_slot + slot, mask=slot >= 0, other=-1)
    entry = entries + tl.maximum(place, 0) * STRIDE
    a, rank = tl.load(entry).to(tl.int64) * 16, tl.load(entry + 2)
    rank = tl.where(place >= 0, rank, 0)
    k, r = tl.arange(0, WIDTH), tl.arange(0, RANKS)
    own = pool + a + part * rank * K + (first + r)[:, None] * K + k[None, :]
    inside = (k < K)[None, :]
    held = tl.load(own, mask=inside & (rank > 0), other=0.0)
    if DEPENDENT:
        gdc_wait()
    # Behind the wait: the product begins before this ends, and reads what the kernel before wrote.
    if SIGNALS:
        gdc_launch_dependents()
    if rank > 0:
        values = tl.load(x + row * K + k, mask=k < K, other=0.0).to(tl.float32)[None, :]
        target = shrunk + (row * PARTS + part) * MOST + first + r
        tl.store(target, tl.sum(held.to(tl.float32) * values, axis=1))
        for begin in range(16, rank, 16):
            weights = tl.load(own + begin * K, mask=inside, other=0.0).to(tl.float32)
            tl.store(target + begin, tl.sum(weights * values, axis=1))


def shrink(x: Tensor, added: LowRankRows, dependent: bool = False) -> None:
    """Compute `A x` of each row and its adapter, into `added.rows.shrunk`.

    Programs of the product that follows start when all of these are behind their wait, so the
    kernel before has ended: those that multiply in a loop begin with it at once, and wait for
    this kernel before they add.

    Args:
        x: [batch, in_features], what is multiplied.
        added: of the product.
        dependent: launch by programmatic dependent launch.
    """
    (batch, columns), table, rows = x.shape, added.table, added.rows
    width = power_of_two(columns)
    _shrink_kernel[(batch, len(table.ends), UNIT // _RANKS)](
        x,
        rows.slots,
        rows.of_slot,
        table.pool,
        table.entries,
        rows.shrunk,
        STRIDE=table.entries.stride(0),
        PARTS=len(table.ends),
        K=columns,
        WIDTH=width,
        MOST=MOST_RANK,
        RANKS=_RANKS,
        DEPENDENT=dependent,
        SIGNALS=card_of(x.device).has_dependent_launch,
        **options(min(max(width // _WARP_WIDTH, 1), 8), dependent=dependent),
    )


@triton.jit
def add_low_rank(
    acc,
    n,
    pool,
    entries,
    shrunk,
    index,
    count,
    places,
    numbers,
    batch,
    STRIDE: tl.constexpr,
    PARTS: tl.constexpr,
    END0: tl.constexpr,
    END1: tl.constexpr,
    MOST: tl.constexpr,
    IS_DOT: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Add `B (A x)` to a product `acc` [rows of the weight, BATCH] of rows `n`; see `LowRankRows`.

    `END0` and `END1` are one past the last rows of the first two parts.
    """
    BATCH: tl.constexpr = acc.shape[1]
    AT_ONCE: tl.constexpr = _UNITS_AT_ONCE if IS_DOT else 1
    dtype: tl.constexpr = tl.bfloat16 if pool.dtype.element_ty == tl.bfloat16 else tl.float32
    m, c = tl.arange(0, BATCH), tl.arange(0, 16 * AT_ONCE)
    own = tl.load(index + m, mask=m < batch, other=-1)
    part_of = (n >= END0).to(tl.int32) + (n >= END1).to(tl.int32)
    first_part, last_part = tl.min(part_of, axis=0), tl.max(part_of, axis=0)
    total = tl.load(count)
    for begin in tl.range(0, total, AT_ONCE, num_stages=1):
        unit = begin + c // 16
        place = tl.load(places + unit, mask=unit < total, other=0)
        rank_at = tl.load(numbers + unit, mask=unit < total, other=0) * 16
        entry = entries + place * STRIDE
        b = tl.load(entry + 1).to(tl.int64) * 16
        rank = tl.load(entry + 2)
        inside = (unit < total) & (rank_at < rank)
        column = rank_at + c % 16
        at = b[None, :] + n[:, None] * rank[None, :] + column[None, :]
        left = tl.load(pool + at, mask=inside[None, :], other=0.0)  # [ROWS, 16 * AT_ONCE]
        is_own = inside[:, None] & (own[None, :] == place[:, None])
        for part in tl.static_range(PARTS):
            if (first_part <= part) & (part <= last_part):
                places_of = (m[None, :] * PARTS + part) * MOST + column[:, None]
                right = tl.load(shrunk + places_of, mask=is_own, other=0.0)
                chosen = left
                if PARTS > 1:
                    chosen = tl.where((part_of == part)[:, None], left, 0.0)
                if IS_DOT:
                    chosen, right = chosen.to(dtype), right.to(dtype)
                    acc = tl.dot(chosen, right, acc, input_precision=PRECISION)
                else:
                    products = chosen.to(tl.float32)[:, :, None] * right[None, :, :]
                    acc += tl.sum(products, axis=1)
    return acc


def with_registers_left(tiles: Tiles, in_features: int) -> Tiles:
    """Return the tiles of a product of one row, with threads enough to hold what adapters add too.

    With 14,336 inputs, threads of 8 warps would keep 16 bytes in memory on cards of 8.0 and 12.0.
    """
    width = power_of_two(tiles.share(in_features))
    if tiles.depth > 0 or tiles.matrix or width <= 8192 or tiles.warps > 8:
        return tiles
    return replace(tiles, warps=2 * tiles.warps)


def low_rank_arguments(added: LowRankRows | None, uses_tensor_cores: bool) -> dict[str, Any]:
    """Return the arguments of a product's kernel for `add_low_rank`."""
    if added is None:
        tensors = dict.fromkeys(
            ("pool", "entries", "shrunk", "index", "count", "places", "numbers")
        )
        numbers = {"STRIDE": 0, "ADDED": 0, "END0": 0, "END1": 0, "MOST": 0, "IS_DOT": False}
        return tensors | numbers
    table, rows = added.table, added.rows
    ends = (*table.ends[:-1], *[table.ends[-1]] * (3 - len(table.ends)))
    return {
        "pool": table.pool,
        "entries": table.entries,
        "shrunk": rows.shrunk,
        "index": rows.index,
        "count": rows.count,
        "places": rows.places,
        "numbers": rows.numbers,
        "STRIDE": table.entries.stride(0),
        "ADDED": len(table.ends),
        "END0": ends[0],
        "END1": ends[1],
        "MOST": MOST_RANK,
        "IS_DOT": uses_tensor_cores,
    }
