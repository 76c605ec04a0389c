"""A step that is computed between a game's frames."""

from __future__ import annotations

import time
from dataclasses import dataclass

from townsfolk.engine.pacing import StepLimit, StepSpan


@dataclass(frozen=True, slots=True)
class PacedStep:
    """A step beside frames, which also wait for the host that plans and launches it.

    Attributes:
        limit: what it may compute.
        decided: when that was decided.
        launched: when the host was done with it.
    """

    limit: StepLimit
    decided: float
    launched: float

    @classmethod
    def of(cls, limit: StepLimit | None, decided: float) -> PacedStep | None:
        """Return the step that was launched just now; None where nothing is paced."""
        return None if limit is None else cls(limit, decided, time.monotonic())

    def span(self, device_s: float, collected: float) -> StepSpan:
        """Return when it was, given what the device needed for it."""
        return StepSpan(self.decided, min(self.launched + device_s, collected), device_s)
