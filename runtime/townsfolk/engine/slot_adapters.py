"""Which adapter each slot of the batch has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels import upload

from townsfolk.engine.step import StepItem, StepPlan
from townsfolk.models import Decoder
from townsfolk.models.adapters import (
    BatchAdapters,
    BoundAdapter,
    ProjectionUpdates,
    RowAdapters,
)

if TYPE_CHECKING:
    from townsfolk.models.adapter_stack import AdapterStack
    from townsfolk.models.compiled_adapters import CompiledAdapter, CompiledProjections


class SlotAdapters:
    """Adapters on the device, by number, and the number of each slot; 0 for none."""

    def __init__(
        self,
        decoder: Decoder,
        max_slots: int,
        stack: AdapterStack | None = None,
        projections: CompiledProjections | None = None,
    ) -> None:
        """Make it for a decoder, without adapters.

        Args:
            decoder: whose rows have them.
            max_slots: rows of the step's state.
            stack: where graphs find them; None where no graph knows any.
            projections: the decoder's, where compiled code adds them; None where there is none.
        """
        self._decoder = decoder
        self._stack = stack
        self._projections = projections
        self._compiled: dict[int, CompiledAdapter] = {}
        self._updates: dict[int, ProjectionUpdates] = {}
        self._of_slot = [0] * max_slots

    def add(self, number: int, adapter: BoundAdapter) -> None:
        """Take an adapter to the device."""
        if self._projections is not None:
            self._compiled[number] = self._projections.laid_out(adapter)
            return
        if self._stack is not None and self._stack.takes(adapter):
            self._stack.add(number, adapter)
            self._updates[number] = self._stack.updates(number)
            return
        device = self._decoder.device
        own = adapter.to(device, self._decoder.precision.residual)
        self._updates[number] = own.of(self._decoder.weights)

    def remove(self, number: int) -> None:
        """Let go of an adapter; no sequence of the steps to come has it."""
        self._updates.pop(number, None)
        self._compiled.pop(number, None)
        if self._stack is not None and self._stack.holds(number):
            self._stack.remove(number)
            for other in self._updates:  # they may have moved
                if self._stack.holds(other):
                    self._updates[other] = self._stack.updates(other)

    def update(self, plan: StepPlan) -> None:
        """Note the adapters of sequences that join."""
        changed = False
        for each in plan.admitted:
            slot = each.sampling.slot
            self._of_slot[slot] = each.adapter
            if self._stack is not None:
                held = each.adapter if self._stack.holds(each.adapter) else 0
                changed |= self._stack.assign(slot, held)
        if self._stack is not None and changed:
            self._stack.upload()

    def any_of(self, items: Sequence[StepItem]) -> bool:
        """Return whether any of some items has an adapter."""
        return bool(self._updates or self._compiled) and any(
            self._of_slot[item.slot] for item in items
        )

    def in_stack(self, items: Sequence[StepItem]) -> bool:
        """Return whether all adapters of some items are where graphs find them."""
        stack = self._stack
        numbers = {self._of_slot[item.slot] for item in items} - {0}
        return stack is not None and all(stack.holds(number) for number in numbers)

    def rows(self, items: Sequence[StepItem]) -> BatchAdapters | None:
        """Return the adapters of a flat batch's rows; None where there are none.

        Args:
            items: of the batch, in the order of their tokens.
        """
        if not self.any_of(items):
            return None
        if self._projections is not None:
            own = [self._compiled.get(self._of_slot[item.slot]) for item in items]
            counts = [item.count for item in items]
            return self._projections.rows(
                [each for each, count in zip(own, counts, strict=True) for _ in range(count)]
            )
        places: dict[int, list[int]] = {}
        end = 0
        for item in items:
            if number := self._of_slot[item.slot]:
                places.setdefault(number, []).extend(range(end, end + item.count))
            end += item.count
        return RowAdapters(
            [(self._updates[number], self._rows(own, end)) for number, own in places.items()]
        )

    def _rows(self, places: list[int], count: int) -> slice | Tensor:
        """Return some of `count` rows as a slice, where they are one, else as their numbers."""
        if len(places) == count:
            return slice(None)  # what lies behind them is not used
        if places[-1] - places[0] == len(places) - 1:
            return slice(places[0], places[-1] + 1)
        device = self._decoder.device
        if device.type == "cpu":
            return torch.tensor(places)
        return upload(np.array(places, dtype=np.int64), device)
