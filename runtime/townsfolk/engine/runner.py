"""What runs the steps that the scheduler decides: model, then sampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from townsfolk.engine.late_changes import UNCHANGED, LateChanges
from townsfolk.engine.pace import Pacing
from townsfolk.engine.slot_adapters import SlotAdapters
from townsfolk.engine.step import ItemOutput, StepPlan
from townsfolk.grammar.matcher import Bits
from townsfolk.models.batch import Chunk


class Runner(Protocol):
    """Computes steps, in the order in which they are launched.

    A sequence has a slot of state, from the plan that admits it to the plan that finds it vacated.
    A step may be launched before the tokens of the one before are known: where a slot's latest
    token is still pending, the runner takes the one that it drew last for it.
    """

    depth: int
    """How many steps may be in flight at once."""
    least_forced: int | None
    """So many tokens are computed in one step, as a prompt's are, where a grammar leaves no choice
    of them; fewer are drawn one after the other. None: however many."""
    adapters: SlotAdapters
    """The adapters that sequences may have."""

    @property
    def mask_memory(self) -> Bits | None:
        """Where masks are best computed into, [rows, words]; None where it does not matter."""

    def pace(self) -> Pacing:
        """Return what decides how much of prompts its steps get; a new one each time."""

    def launch(self, plan: StepPlan) -> Any:
        """Start a step and return a handle to it, without waiting for the device.

        Raises:
            DeviceFailedError: nothing can be computed any more.
            Exception: the step can't be computed; none of its sequences can go on.
        """

    def mask(
        self, step: Any, places: Sequence[int], masks: Bits, changes: LateChanges = UNCHANGED
    ) -> None:
        """Have items draw that are `masked`; what is left out never draws.

        Args:
            step: the handle; all steps before it were collected.
            places: of the items in the plan.
            masks: [at most places, ceil(vocab / 32)]: bits of the tokens that each may draw; those
                behind them may draw any. Stays as it is until the step is collected.
            changes: what becomes of their logits; nothing where a place is missing.

        Raises:
            DeviceFailedError: as for `launch`.
            Exception: none of the items can go on.
        """

    def score(
        self, begun: int | None, chunks: Sequence[Chunk], next_ids: Sequence[int]
    ) -> list[float]:
        """Compute tokens that no step knows of, and wait; no step may be in flight.

        Args:
            begun: the block whose content is copied first to that in which each chunk begins, if
                one begins within a block.
            chunks: of sequences whose tokens before are in the cache.
            next_ids: the token behind each of theirs.

        Returns:
            the log-probability of each of these, in nats.

        Raises:
            DeviceFailedError: as for `launch`.
            Exception: they can't be computed.
        """

    def collect(self, step: Any) -> list[ItemOutput]:
        """Wait for a step; return one output for each of its items, in their order.

        Raises:
            DeviceFailedError: as for `launch`.
            Exception: as for `launch`.
        """

    def seconds(self, step: Any) -> float | None:
        """Return how long a step took that was collected; None where it was not measured."""

    def prepare(self) -> float | None:
        """Use a moment in which there is nothing to compute, a few milliseconds at most.

        Returns:
            after how many seconds without work it wants to go on; None when all is done.
        """

    def close(self) -> None:
        """End what it has others do, such as to compile; it runs no step any more."""
