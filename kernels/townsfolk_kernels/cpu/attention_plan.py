"""How the CPU runs the attention of a batch: planned once a step, followed by every layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from townsfolk_kernels.ops.paged_layout import PagedLayout

Ints = NDArray[np.int64]

# Reading a few pages in vain costs less than starting another product (15 us).
_MAX_GAP = 8
# With more ranges than this, and more than one to so many pages, copying pages costs less.
_MAX_RANGES = 4
_PAGES_A_RANGE = 16


@dataclass(frozen=True, slots=True)
class SharedPrefix:
    """Blocks that several sequences of a decode plan have in common."""

    rows: Tensor  # [sharers], int64, sequences of the plan
    pages: Tensor  # [count], int64
    positions: slice  # of the sequences' scores


@dataclass(frozen=True, slots=True)
class DecodePlan:
    """Sequences with one new token each.

    An entry is a page together with the sequence that reads it. Entries stand in the order of the
    pages, so that neighbouring pages are one view of the pool.
    """

    tokens: Tensor  # [sequences], int64, rows of the batch
    ranges: tuple[slice, ...]  # of the pool; their pages are the entries. Empty: pages are copied
    pages: Tensor  # [entries], int64
    owners: Tensor  # [entries], int64, the sequence that reads the entry
    width: int  # blocks of the longest sequence
    to_sequences: Tensor  # [sequences * heads * width], rows of [entries * heads]
    to_entries: Tensor  # [entries * heads], rows of [sequences * heads * width]
    bags: Tensor  # entries by sequence
    bag_starts: Tensor  # [sequences], int64
    hidden: Tensor  # [sequences, 1, width * block_size], bool: what a token does not see
    fresh: Tensor | None  # [count], pages whose first position is written in this step
    shared: tuple[SharedPrefix, ...]


@dataclass(frozen=True, slots=True)
class PrefillPlan:
    """One sequence with several new tokens."""

    tokens: slice  # of the batch
    pages: Tensor  # [count], int64, those it sees
    length: int  # positions in these pages, its new ones included
    tail: tuple[int, int]  # the last page, and its first offset without a position
    windowed: bool  # whether positions may be hidden because they are too far back
    mask: Tensor  # [new tokens, length]: 0 where a token sees, else -inf


@dataclass(frozen=True, slots=True)
class CpuPlan:
    """The attention of one batch."""

    decode: DecodePlan | None
    prefills: tuple[PrefillPlan, ...]


def make_plan(
    layout: PagedLayout, heads: int, dtype: torch.dtype, sliding_window: int | None
) -> CpuPlan:
    """Plan the attention of a batch whose layout lies in host memory."""
    starts = layout.query_starts.numpy()
    lengths = layout.kv_lengths.numpy()
    tables = layout.block_tables.numpy()
    single = np.flatnonzero(np.diff(starts) == 1)
    decode = None
    if single.size:
        decode = _plan_decode(
            torch.from_numpy(starts[single].astype(np.int64)),
            lengths[single],
            tables[single],
            layout.block_size,
            heads,
            sliding_window,
        )
    prefills = tuple(
        _plan_prefill(
            slice(int(starts[index]), int(starts[index + 1])),
            int(lengths[index]),
            tables[index],
            layout.block_size,
            dtype,
            sliding_window,
        )
        for index in np.flatnonzero(np.diff(starts) != 1)
    )
    return CpuPlan(decode, prefills)


def _plan_prefill(
    tokens: slice,
    length: int,
    table: NDArray[np.int32],
    block_size: int,
    dtype: torch.dtype,
    sliding_window: int | None,
) -> PrefillPlan:
    new = tokens.stop - tokens.start
    seen = 0 if sliding_window is None else max(0, length - new - sliding_window + 1)
    first, last = seen // block_size, -(-length // block_size)
    origin = first * block_size
    keys = torch.arange(origin, length)
    queries = torch.arange(length - new, length)[:, None]
    hidden = keys > queries  # [new, length - origin]
    windowed = sliding_window is not None and sliding_window < length
    if sliding_window is not None and windowed:
        hidden |= keys <= queries - sliding_window
    mask = torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, float("-inf"))
    pages = torch.from_numpy(table[first:last].astype(np.int64))
    tail = (int(table[last - 1]), length - (last - 1) * block_size)
    return PrefillPlan(tokens, pages, length - origin, tail, windowed, mask)


def _plan_decode(
    tokens: Tensor,
    lengths: NDArray[np.int32],
    tables: NDArray[np.int32],
    block_size: int,
    heads: int,
    sliding_window: int | None,
) -> DecodePlan:
    count = len(lengths)
    used = -(-lengths // block_size)
    seen = np.zeros_like(lengths)  # the first position that is
    if sliding_window is not None:
        seen = np.maximum(lengths - sliding_window, 0)
    first = seen // block_size
    width = int((used - first).max())
    columns = np.arange(width)
    own = columns < (used - first)[:, None]  # [count, width]: blocks a sequence reads by itself
    shared = []
    if not first.any():
        for rows, begin, end in _shared_prefixes(tables, (lengths - 1) // block_size):
            own[rows, begin:end] = False
            shared.append(
                SharedPrefix(
                    rows=torch.tensor(rows),
                    pages=torch.from_numpy(tables[rows[0], begin:end].astype(np.int64)),
                    positions=slice(begin * block_size, end * block_size),
                )
            )
    owner, column = np.nonzero(own)
    ranges, pages, entry = _entries(tables[owner, column + first[owner]].astype(np.int64))
    entry_of = np.zeros((count, width), dtype=np.int64)
    entry_of[owner, column] = entry
    owners = np.zeros(len(pages), dtype=np.int64)
    owners[entry] = owner
    place = np.zeros(len(pages), dtype=np.int64)  # first row of an entry among the weights
    place[entry] = owner * heads * width + column
    head = np.arange(heads)
    position = (first * block_size)[:, None] + np.arange(width * block_size)
    hidden = (position < seen[:, None]) | (position >= lengths[:, None])
    opened = np.flatnonzero(lengths % block_size == 1)
    fresh = tables[opened, used[opened] - 1].astype(np.int64)
    return DecodePlan(
        tokens=tokens,
        ranges=ranges,
        pages=torch.from_numpy(pages),
        owners=torch.from_numpy(owners),
        width=width,
        to_sequences=torch.from_numpy((entry_of[:, None, :] * heads + head[None, :, None]).ravel()),
        to_entries=torch.from_numpy((place[:, None] + head * width).ravel()),
        bags=torch.from_numpy(entry),
        bag_starts=torch.from_numpy(np.searchsorted(owner, np.arange(count))),
        hidden=torch.from_numpy(hidden).unsqueeze(1),
        fresh=torch.from_numpy(fresh) if fresh.size else None,
        shared=tuple(shared),
    )


def _entries(blocks: Ints) -> tuple[tuple[slice, ...], Ints, Ints]:
    """Return the ranges of the pool that cover the blocks, their pages, and the blocks' places."""
    ordered = np.unique(blocks)
    breaks = np.flatnonzero(np.diff(ordered) > _MAX_GAP) + 1
    too_many = max(_MAX_RANGES, len(ordered) // _PAGES_A_RANGE)
    if len(ordered) < len(blocks) or len(breaks) >= too_many:
        return (), blocks, np.arange(len(blocks))
    runs = np.split(ordered, breaks)
    ranges = tuple(slice(int(run[0]), int(run[-1]) + 1) for run in runs)
    pages = np.concatenate([np.arange(each.start, each.stop) for each in ranges])
    return ranges, pages, np.searchsorted(pages, blocks)


def _shared_prefixes(
    tables: NDArray[np.int32], limits: NDArray[np.int32]
) -> Iterator[tuple[list[int], int, int]]:
    """Return groups of sequences whose tables agree, and their first and last common block."""
    waiting: list[tuple[Sequence[int], int]] = [(range(len(tables)), 0)]
    while waiting:
        candidates, begin = waiting.pop()
        groups: dict[int, list[int]] = defaultdict(list)
        for row in candidates:
            if begin < limits[row]:
                groups[int(tables[row, begin])].append(row)
        for rows in groups.values():
            if len(rows) < 2:
                continue
            end = int(limits[rows].min())
            agree = (tables[rows, begin:end] == tables[rows[0], begin:end]).all(axis=0)
            end = end if agree.all() else begin + int(agree.argmin())
            yield rows, begin, end
            waiting.append((rows, end))
