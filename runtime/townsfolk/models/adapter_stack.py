"""Adapters in one tensor at a fixed address, for steps that are captured once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels.decode.low_rank import (
    ENTRY,
    MOST_RANK,
    UNIT,
    LowRankRows,
    LowRankTable,
    RowUnits,
    list_units,
)
from townsfolk_kernels.ops.low_rank import LowRankUpdate

from townsfolk.models.adapters import BoundAdapter, ProjectionUpdates
from townsfolk.models.decoder import Decoder
from townsfolk.models.projections import padded_ranks, projections_of
from townsfolk.models.weights import DecoderWeights

_PLACES = 512  # adapters at most


@dataclass(slots=True)
class _Held:
    """An adapter in the pool."""

    place: int  # in the table
    begin: int  # in the pool, in elements
    ranks: list[int]  # of each projection, a multiple of 16
    size: int  # elements


class AdapterStack:
    """Adapters on the device, of which steps find those of their rows by a table.

    Attributes:
        of_slot: [max_slots], int32: the place of each slot's adapter in tables; below 0 for none.
    """

    def __init__(self, decoder: Decoder, memory: int, max_slots: int) -> None:
        """Take the memory.

        Args:
            decoder: whose adapters they are.
            memory: bytes of all adapters together.
            max_slots: rows of the step's state.
        """
        device, self._dtype = decoder.device, decoder.dtype
        self._projections = projections_of(decoder.spec)
        self._weights = decoder.weights
        elements = memory // self._dtype.itemsize // UNIT * UNIT
        self.pool = torch.zeros(elements, dtype=self._dtype, device=device)
        shape = (_PLACES, len(self._projections), ENTRY)
        self._entries = torch.zeros(shape, dtype=torch.int32, device=device)
        self._sizes = torch.zeros(_PLACES, dtype=torch.int32, device=device)
        self.of_slot = torch.full((max_slots,), -1, dtype=torch.int32, device=device)
        self._slots = np.full(max_slots, -1, dtype=np.int32)
        self._held: dict[int, _Held] = {}
        self._end = 0

    def takes(self, adapter: BoundAdapter) -> bool:
        """Return whether an adapter can be added."""
        ranks = padded_ranks(adapter)
        size = self._size(ranks)
        fits = self._end + size <= len(self.pool) and len(self._held) < _PLACES
        return fits and max(ranks) <= MOST_RANK

    def add(self, number: int, adapter: BoundAdapter) -> None:
        """Copy an adapter to the device, behind the steps that were launched.

        Args:
            number: its own.
            adapter: one that it `takes`.
        """
        ranks = padded_ranks(adapter)
        used = {each.place for each in self._held.values()}
        place = next(free for free in range(_PLACES) if free not in used)
        held = _Held(place, self._end, ranks, self._size(ranks))
        self._copy(self._packed(adapter, ranks), self.pool[held.begin : held.begin + held.size])
        self._held[number] = held
        self._end += held.size
        self._write(held)

    def remove(self, number: int) -> None:
        """Let go of an adapter, and close the gap that it leaves."""
        gone = self._held.pop(number, None)
        if gone is None:
            return
        for each in sorted(self._held.values(), key=lambda each: each.begin):
            if each.begin < gone.begin:
                continue
            target = self.pool[each.begin - gone.size : each.begin - gone.size + each.size]
            target.copy_(self.pool[each.begin : each.begin + each.size].clone())
            each.begin -= gone.size
            self._write(each)
        self._end -= gone.size

    def holds(self, number: int) -> bool:
        """Return whether an adapter is there."""
        return number in self._held

    def assign(self, slot: int, number: int) -> bool:
        """Note whose adapter a slot has, for `upload`; return whether that is another."""
        place = self._held[number].place if number else -1
        changed = bool(self._slots[slot] != place)
        self._slots[slot] = place
        return changed

    def upload(self) -> None:
        """Bring to the device what `assign` has noted."""
        self._copy(torch.from_numpy(self._slots.copy()), self.of_slot)

    def updates(self, number: int) -> ProjectionUpdates:
        """Return an adapter's updates as they lie in the pool, until one is removed."""
        held, found = self._held[number], {}
        weights = self._weights.projections
        for weight, shape, rank, (a, b) in zip(
            weights, self._projections, held.ranks, self._places(held), strict=False
        ):
            if not rank:
                continue
            starts = (0, *shape.ends[:-1])
            inner = self.pool[a : a + rank * len(shape.ends) * shape.columns]
            outer = self.pool[b : b + shape.rows * rank].view(shape.rows, rank)
            bounds = zip(starts, shape.ends, strict=True)
            targets = [(start, outer[start:end]) for start, end in bounds]
            found[id(weight)] = LowRankUpdate.of_stacked(inner.view(-1, shape.columns), targets)
        return found

    def table(self, number: int) -> LowRankTable:
        """Return where adapters of a projection are, by its place in `DecoderWeights`."""
        return LowRankTable(self.pool, self._entries[:, number], self._projections[number].ends)

    def list_units(self, rows: RowUnits) -> None:
        """Note on the device which adapters the rows of a step have."""
        list_units(self._sizes, rows)

    def _size(self, ranks: list[int]) -> int:
        both = zip(self._projections, ranks, strict=True)
        return sum(shape.elements(rank) for shape, rank in both)

    def _places(self, held: _Held) -> list[tuple[int, int]]:
        """Return where A and B of each projection begin in the pool."""
        found, at = [], held.begin
        for shape, rank in zip(self._projections, held.ranks, strict=True):
            inner = rank * len(shape.ends) * shape.columns
            found.append((at, at + inner))
            at += inner + shape.rows * rank
        return found

    def _packed(self, adapter: BoundAdapter, ranks: list[int]) -> Tensor:
        """Return an adapter on the host, as it lies in the pool."""
        blocks = []
        for update, shape, rank in zip(adapter.updates, self._projections, ranks, strict=False):
            if update is None:
                continue
            a = torch.zeros(len(shape.ends), rank, shape.columns, dtype=self._dtype)
            b = torch.zeros(shape.rows, rank, dtype=self._dtype)
            for part in update.parts():
                own = part.a.shape[0]
                b[part.first : part.first + len(part.b), :own] = part.b
                bounds = itertools.pairwise((0, *shape.ends))
                for number, (start, end) in enumerate(bounds):
                    if part.first < end and start < part.first + len(part.b):
                        a[number, :own] = part.a
            blocks += [a.flatten(), b.flatten()]
        return torch.cat(blocks)

    def _write(self, held: _Held) -> None:
        """Write an adapter's row of the tables."""
        numbers = [
            (a // UNIT, b // UNIT, rank, 0)
            for (a, b), rank in zip(self._places(held), held.ranks, strict=True)
        ]
        self._copy(torch.tensor(numbers, dtype=torch.int32), self._entries[held.place])
        size = torch.tensor([max(held.ranks) // UNIT], dtype=torch.int32)
        self._copy(size, self._sizes[held.place : held.place + 1])

    @staticmethod
    def _copy(host: Tensor, target: Tensor) -> None:
        if target.device.type == "cuda":
            host = host.pin_memory()
        target.copy_(host, non_blocking=True)


class StackedRows:
    """The adapters of a decode step's rows; see `LowRankRows`."""

    def __init__(self, stack: AdapterStack, weights: DecoderWeights, max_batch: int) -> None:
        """Take memory for steps of up to `max_batch` rows."""
        self._stack = stack
        self._units = RowUnits.allocate(stack.of_slot, max_batch, 3)
        self._numbers = {id(each): number for number, each in enumerate(weights.projections)}

    def begin(self, slots: Tensor) -> None:
        """Look up the adapters of rows [batch], the first of a step's kernels."""
        self._units = replace(self._units, slots=slots)
        self._stack.list_units(self._units)

    def of(self, weight: object) -> LowRankRows:
        """Return what adapters add to the product with a projection's weight."""
        return LowRankRows(self._stack.table(self._numbers[id(weight)]), self._units)
