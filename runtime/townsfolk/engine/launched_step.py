"""A step that was launched on a CUDA device, until what it drew has been collected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from townsfolk_kernels.sampling.logprobs import DrawReport

from townsfolk.engine.step import StepItem
from townsfolk.sampling import SampledTokens


@dataclass(frozen=True, slots=True)
class LateDraws:
    """Draws of a launch that wait for masks.

    Attributes:
        places: in a plan's items, with places in the report.
        draw: starts them, once the masks are on the device; told whether all of them draw, it
            returns where that arrives on the host, or None where the report gets it.
        logits: [rows, vocab], by place in the report; None where a graph has them.
        flat: the report, as one tensor.
        report: gets what is drawn.
    """

    places: list[tuple[int, int]]
    draw: Callable[[bool], Tensor | None]
    logits: Tensor | None
    flat: Tensor
    report: DrawReport

    def chosen(
        self, places: Sequence[int], masks: int
    ) -> tuple[list[tuple[int, int]], list[int] | None]:
        """Return those of some places of a plan's items that it draws for, in the order given.

        Args:
            places: those that draw now.
            masks: how many of them, the first ones, have a mask.

        Returns:
            the places, as `places` has them; and which masks are theirs, None for all.
        """
        if [place for place, _ in self.places] == places:
            return self.places, None
        numbers = {place: number for number, place in enumerate(places)}
        wanted = [each for each in self.places if each[0] in numbers]
        wanted.sort(key=lambda each: numbers[each[0]])
        theirs = [numbers[place] for place, _ in wanted if numbers[place] < masks]
        return wanted, None if theirs == [*range(masks)] else theirs


@dataclass(slots=True)
class LaunchedStep:
    """A step that was launched.

    Attributes:
        items: the plan's.
        is_simple: as the plan says.
        draws: for each launch, places in `items` with places in a report, and the report's copy on
            the host.
        scores: places in `items`, and the scored tokens that follow in the prompt.
        late: draws that wait for masks.
        errors: what went wrong, by place in `items`.
        keeps_logits: whether those of its graph are there until its draws end.
        begin: when it begins, where it is timed.
        ready: when all has arrived on the host.
    """

    items: Sequence[StepItem]
    is_simple: bool = False
    draws: list[tuple[list[tuple[int, int]], Tensor]] = field(default_factory=list)
    scores: list[tuple[int, SampledTokens]] = field(default_factory=list)
    late: list[LateDraws] = field(default_factory=list)
    errors: dict[int, Exception] = field(default_factory=dict)
    keeps_logits: bool = True
    begin: torch.cuda.Event | None = None
    ready: torch.cuda.Event | None = None

    def late_logits(self) -> dict[int, Tensor]:
        """Return those that are drawn from late, [1, vocab] each, by place in `items`."""
        return {
            place: each.logits[at : at + 1]
            for each in self.late
            if each.logits is not None
            for place, at in each.places
        }

    def asks(self, places: Sequence[tuple[int, int]]) -> bool:
        """Return whether any of some items, with places in a report, wants log-probabilities."""
        return not self.is_simple and any(
            self.items[place].logprobs is not None for place, _ in places
        )
