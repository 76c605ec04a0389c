"""Computing between a game's frames: when a step may run, and how large it may be."""

from townsfolk.engine.pacing.frames import Frame, FrameReport, PacePolicy
from townsfolk.engine.pacing.pacer import (
    MOST_REPORTERS,
    Demand,
    FramePacer,
    PaceStats,
    StepLimit,
    StepSpan,
)

__all__ = [
    "MOST_REPORTERS",
    "Demand",
    "Frame",
    "FramePacer",
    "FrameReport",
    "PacePolicy",
    "PaceStats",
    "StepLimit",
    "StepSpan",
]
