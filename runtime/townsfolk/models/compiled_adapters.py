"""Adapters as compiled code reads them: on the CPU, each row of a batch with its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from townsfolk_kernels import LinearWeight
from townsfolk_kernels.compiled.low_rank import ENTRY, by_groups
from townsfolk_kernels.compiled.low_rank_rows import add_to_rows
from townsfolk_kernels.compiled.vectors import LANES

from townsfolk.models.adapters import BoundAdapter
from townsfolk.models.decoder import Decoder
from townsfolk.models.projections import Projection, padded_ranks, projections_of


class CompiledAdapter:
    """An adapter in memory.

    Attributes:
        entries: [projections], `ENTRY`s.
        units: of 16 ranks, the most that a part of a projection has.
    """

    def __init__(self, adapter: BoundAdapter, projections: Sequence[Projection]) -> None:
        """Lay out an adapter of some projections."""
        self.entries = np.zeros(len(projections), dtype=ENTRY)
        self._kept: list[Tensor] = []  # what the entries point to
        own = zip(adapter.updates[:-1], padded_ranks(adapter), projections, strict=True)
        for entry, (update, rank, shape) in zip(self.entries, own, strict=True):
            if update is None:
                continue
            a = torch.zeros(len(shape.ends), rank, shape.columns, dtype=torch.bfloat16)
            b = torch.zeros(shape.rows, rank, dtype=torch.bfloat16)
            for part in update.parts():
                count, end = part.a.shape[0], part.first + len(part.b)
                b[part.first : end, :count] = part.b
                for number, (start, stop) in enumerate(itertools.pairwise((0, *shape.ends))):
                    if part.first < stop and start < end:
                        a[number, :count] = part.a
            grouped = by_groups(b)
            self._kept += [a, grouped]
            entry["a"], entry["b"], entry["rank"] = a.data_ptr(), grouped.data_ptr(), rank
        self.units = int(self.entries["rank"].max()) // LANES


class CompiledRows:
    """Adapters of the rows of a batch.

    Attributes:
        addresses: [rows], of each row's entries; 0 for none.
        units: of 16 ranks, the most that a part has.
    """

    def __init__(
        self, projections: CompiledProjections, adapters: Sequence[CompiledAdapter | None]
    ) -> None:
        """Take the adapter of each row."""
        self._projections = projections
        self._adapters = adapters  # whose memory is read
        given = [0 if each is None else each.entries.ctypes.data for each in adapters]
        self.addresses: NDArray[np.int64] = np.array(given, dtype=np.int64)
        self.units = max((each.units for each in adapters if each is not None), default=0)

    def add(self, x: Tensor, weight: LinearWeight, out: Tensor) -> None:
        """See `RowAdapters`."""
        number, shape = self._projections.of(weight)
        add_to_rows(x, out, self.addresses, self.units, number, shape.ends)


class CompiledProjections:
    """The projections of a decoder, by their weights."""

    def __init__(self, decoder: Decoder) -> None:
        """Note where each is."""
        self.all = projections_of(decoder.spec)
        weights = decoder.weights.projections
        self._numbers = {id(weight): number for number, weight in enumerate(weights[:-1])}

    def of(self, weight: LinearWeight) -> tuple[int, Projection]:
        """Return the number of a weight's projection, and the projection."""
        number = self._numbers[id(weight)]
        return number, self.all[number]

    def laid_out(self, adapter: BoundAdapter) -> CompiledAdapter:
        """Return an adapter of them as compiled code reads it."""
        return CompiledAdapter(adapter, self.all)

    def rows(self, adapters: Sequence[CompiledAdapter | None]) -> CompiledRows:
        """Return the adapters of a batch's rows."""
        return CompiledRows(self, adapters)
