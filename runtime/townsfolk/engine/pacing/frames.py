"""When a game's frames begin and how long they keep the processor busy, as the game tells."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from statistics import median

TIMEOUT_S = 0.5
"""After so long without a report, or four frames if that is longer, nothing is paced any more."""

_FRAMES = 64  # that are remembered
_REPORTS = 64  # whose delays are
_UNBOUND = 0.9  # of the target, below which frames come when they can and not as aimed for
_LIKE_TARGET = 0.02  # part of the target by which frames may miss it and still be taken to keep it
_UNKNOWN = 0.5  # part of the target that a frame is taken to be busy that does not say
# Share of frames that are busy no longer than is reckoned with. Not all: a frame that a step met
# took longer than the game's own work does, and less would be left for steps on its account.
_BUSY = 0.9
_JITTER = 0.9  # share of frames that begin with no more jitter than is reckoned with


class PacePolicy(Enum):
    """What is given up for frames; the most considerate first.

    Attributes:
        quantile: share of the steps like one that are to fit.
        guard_s: kept free before a frame begins, beside its own jitter, in seconds.
        patience_s: after so long a step runs though it does not fit, in seconds.
        waits: whether steps wait for frames at all.
    """

    SMOOTH = (0.95, 0.0005, 0.25, True)
    BALANCED = (0.9, 0.00025, 0.08, True)
    FAST = (0.5, 0.0, 0.0, False)

    def __init__(self, quantile: float, guard_s: float, patience_s: float, waits: bool) -> None:
        self.quantile = quantile
        self.guard_s = guard_s
        self.patience_s = patience_s
        self.waits = waits


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a game.

    Attributes:
        age_s: how long before its report was sent its work began, in seconds.
        busy_s: how long that kept the processor busy, in seconds; 0 where the game does not know.
    """

    age_s: float
    busy_s: float


@dataclass(frozen=True, slots=True)
class FrameReport:
    """What a game tells of its frames.

    Attributes:
        reporter: who tells.
        arrived: when it came, on this process's monotonic clock, in seconds.
        clock: when it was sent, on the reporter's own clock, in seconds.
        target_s: from one frame's beginning to the next, as the game aims for.
        policy: what is to be given up for frames.
        frames: those since the last report, oldest first.
        done: whether the reporter reports no more.
    """

    reporter: str
    arrived: float
    clock: float
    target_s: float
    policy: PacePolicy
    frames: Sequence[Frame] = ()
    done: bool = False


class FrameClock:
    """The frames of one reporter, past and, as far as they keep their rhythm, to come.

    Only differences of the reporter's clock count. The least delay that its reports had of late is
    taken for what lies between the two clocks, so that one which came late does not move the
    frames, nor does it matter whether both run on the same machine.

    Frames of a game that draws more of them than it aims for have no gaps. Beside such a game a
    step may run at any time, but no longer than its target leaves it.

    Attributes:
        policy: what is to be given up for frames.
        frame_s: seconds from one frame's beginning to the next.
        late: frames that came half a target or more later than they should have.
    """

    def __init__(self, report: FrameReport) -> None:
        """Begin with a first report."""
        self.late = 0
        self._offsets: deque[float] = deque(maxlen=_REPORTS)
        # (beginning, seconds busy), on the reporter's clock
        self._frames: deque[tuple[float, float]] = deque(maxlen=_FRAMES)
        self.add(report)

    def add(self, report: FrameReport) -> None:
        """Take another report."""
        self.policy = report.policy
        self._target_s = report.target_s
        self._heard = report.arrived
        self._offsets.append(report.arrived - report.clock)
        for frame in report.frames:
            begin = report.clock - frame.age_s
            if self._frames:
                between = begin - self._frames[-1][0]
                if between <= 0:
                    continue  # told before
                self.late += between >= 1.5 * report.target_s
            self._frames.append((begin, frame.busy_s))
        self._learn()

    def is_live(self, now: float) -> bool:
        """Return whether the game is still there."""
        return now - self._heard < max(TIMEOUT_S, 4 * self._target_s)

    @property
    def ends_at(self) -> float:
        """When it is not any more, unless it reports again."""
        return self._heard + max(TIMEOUT_S, 4 * self._target_s)

    @property
    def room_s(self) -> float:
        """Seconds that are free in each frame; 0 if none are."""
        return max(self.frame_s - self._busy_s - self._guard_s, 0.0)

    def free(self, now: float) -> tuple[float, float]:
        """Return from when and until when the processor is free next: now, or after a frame.

        Empty, with the end at the beginning or before it, where frames leave no room.
        """
        if self._is_unbound:
            return now, now + self.room_s
        begin = self._anchor + math.floor((now - self._anchor) / self.frame_s) * self.frame_s
        free_from = begin + self._busy_s
        free_until = begin + self.frame_s - self._guard_s
        if now >= free_until:  # the guard of the next frame has begun
            free_from += self.frame_s
            free_until += self.frame_s
        return max(free_from, now), free_until

    def busy_within(self, begin: float, end: float) -> float:
        """Return for how many seconds of a span frames keep the processor busy by themselves."""
        if self._is_unbound:
            return 0.0
        busy = 0.0
        frame = self._anchor + math.floor((begin - self._anchor) / self.frame_s) * self.frame_s
        while frame < end:
            busy += max(min(end, frame + self._busy_s) - max(begin, frame), 0.0)
            frame += self.frame_s
        return busy

    def _learn(self) -> None:
        """Reckon what frames to come are like."""
        begins = [begin for begin, _ in self._frames]
        gaps = [after - before for before, after in pairwise(begins)]
        self.frame_s, self._is_unbound = self._target_s, False
        if len(gaps) >= 3:
            usual = median(gaps)
            self._is_unbound = usual < _UNBOUND * self._target_s
            if not self._is_unbound and abs(usual / self._target_s - 1) > _LIKE_TARGET:
                like = [gap for gap in gaps if 0.5 * usual < gap < 1.5 * usual]
                self.frame_s = sum(like) / len(like)
        offset = min(self._offsets)
        self._anchor = (begins[-1] if begins else 0.0) + offset
        busy = sorted(
            seconds if seconds > 0 else _UNKNOWN * self._target_s for _, seconds in self._frames
        )
        self._busy_s = quantile(busy, _BUSY) if busy else _UNKNOWN * self._target_s
        moved = 0.0
        if gaps and not self._is_unbound:
            jitter = sorted(abs(gap - round(gap / self.frame_s) * self.frame_s) for gap in gaps)
            moved = min(quantile(jitter, _JITTER), self.frame_s / 4)
        self._guard_s = self.policy.guard_s + moved


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that so large a share is not above; the nearest rank."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]
