"""Decides when a step may run beside a game, and what it may compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from townsfolk.engine.pacing.frames import FrameClock, FrameReport, PacePolicy
from townsfolk.engine.pacing.step_times import Size, StepSizes, StepTimes

MOST_REPORTERS = 8

_FRAMES_AHEAD = 8  # in which room between the frames of several games is looked for
# Part of what the frames leave that must be left of it yet for a step that was never measured.
_FRESH = 0.8
# How much longer a chunk may take than the smallest one to be taken instead, when none fits.
_HARDLY_LONGER = 1.75
_REST_S = 0.001  # that a single game must leave for its beginning to be waited for without a step
_LEAST_WAIT_S = 0.00002  # so that rounding can't have it asked for ever at the same time


@dataclass(frozen=True, slots=True)
class Demand:
    """What there is to compute.

    Attributes:
        decodes: sequences that want their next token.
        prompt_tokens: tokens of prompts that wait.
    """

    decodes: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class StepLimit:
    """What a step may compute at most.

    Attributes:
        decodes: sequences that decode.
        prompt_tokens: tokens of prompts.
        estimate_s: what it is expected to take; None where that is not known.
        is_forced: whether it runs though it does not fit, or nobody knows whether it does.
    """

    decodes: int
    prompt_tokens: int
    estimate_s: float | None = None
    is_forced: bool = False


@dataclass(frozen=True, slots=True)
class StepSpan:
    """When a step was.

    Attributes:
        begin: when it was decided on, in seconds.
        end: when it was done.
        device_s: what the device took of that; the rest is the host's.
    """

    begin: float
    end: float
    device_s: float

    @property
    def host_s(self) -> float:
        """Seconds in which only the host was at work."""
        return max(self.end - self.begin - self.device_s, 0.0)


@dataclass(frozen=True, slots=True)
class PaceStats:
    """How steps keep out of the way of frames.

    Attributes:
        policy: the most considerate of all reporters'.
        frame_ms: from one frame's beginning to the next, of the reporter with the least room.
        budget_ms: what its frames leave free.
        steps_delayed: steps that waited for room.
        steps_forced: steps that ran though they did not fit.
        estimates_missed: steps that took longer than was estimated.
        frames_late: frames that came half a target or more later than they should have.
        reporters: games that report.
    """

    policy: PacePolicy
    frame_ms: float
    budget_ms: float
    steps_delayed: int
    steps_forced: int
    estimates_missed: int
    frames_late: int
    reporters: int


class FramePacer:
    """Lets a step run where it fits between the frames of every game that reports.

    Knows no thread and no clock: the caller says what time it is, in seconds. Where nothing
    fits, the smallest step that helps runs all the same once the policy's patience is at an end,
    for sequences that decode and for prompts each, so that answers go on beside any game.
    """

    def __init__(self, padded: Sequence[Size] = ()) -> None:
        """Pace nothing until a game reports.

        Args:
            padded: see `Pacing.padded`.
        """
        self._clocks: dict[str, FrameClock] = {}
        self._sizes = StepSizes(padded)
        self._times = StepTimes(self._sizes)
        # Since when sequences that decode, and prompts, have waited for a step.
        self._decodes_wait: float | None = None
        self._prompts_wait: float | None = None
        self._delayed = self._forced = self._missed = self._late = 0

    def report(self, report: FrameReport) -> None:
        """Take what a game tells of its frames."""
        self._forget(report.arrived)
        clock = self._clocks.get(report.reporter)
        if report.done:
            self._clocks.pop(report.reporter, None)
        elif clock is not None:
            late = clock.late
            clock.add(report)
            self._late += clock.late - late
        elif len(self._clocks) < MOST_REPORTERS:
            self._clocks[report.reporter] = FrameClock(report)

    def has_room_for(self, reporter: str, now: float) -> bool:
        """Return whether a report of this game would be listened to."""
        others = [name for name, clock in self._clocks.copy().items() if clock.is_live(now)]
        return reporter in others or len(others) < MOST_REPORTERS

    def is_paced(self, now: float) -> bool:
        """Return whether any game reports its frames."""
        self._forget(now)
        return bool(self._clocks)

    def decide(self, now: float, demand: Demand) -> StepLimit | float:
        """Return what the next step may compute, or after how many seconds to ask again.

        Only while it is paced, and where no step is under way. Where there is nothing to compute,
        nothing may be computed early in what a frame leaves: what the runner makes then for later
        meets no frame if it is short.
        """
        self._note_waits(now, demand)
        if not demand.decodes and not demand.prompt_tokens:
            return self._rest(now)
        policy = self._policy()
        if not policy.waits:
            fitting = self._fitting(demand, self._room_s(), policy.quantile)
            return self._begin(now, demand, fitting or self._smallest(demand, policy.quantile))
        forced_at = self._overdue_at(policy)
        window = self._window(now)
        if window is None:  # frames leave no room at all
            if now < forced_at:
                return max(forced_at - now, _LEAST_WAIT_S)
            return self._force(now, demand, policy)
        begin, end = window
        if begin > now:
            return max(begin - now, _LEAST_WAIT_S)
        limit = self._fitting(demand, end - now, policy.quantile)
        if limit is not None and not (now >= forced_at and self._neglects(limit, demand)):
            return self._begin(now, demand, limit)
        is_early = end - now >= _FRESH * self._room_s()
        is_due = now >= forced_at or self._is_new(demand)
        # What does not fit meets least of the next frame if it begins early in this one.
        if is_due and (is_early or now >= forced_at + self._frame_s()):
            return self._force(now, demand, policy)
        following = self._window(end)
        return max((following[0] if following else end) - now, _LEAST_WAIT_S)

    def note(self, decodes: int, prompt_tokens: int, seconds: float) -> None:
        """Learn how long a step took."""
        self._times.note(decodes, prompt_tokens, seconds)

    def note_limited(
        self, decodes: int, prompt_tokens: int, span: StepSpan, limit: StepLimit
    ) -> None:
        """Learn how long a step took that was limited.

        Args:
            decodes: sequences that decoded in it.
            prompt_tokens: tokens of prompts in it.
            span: when it was.
            limit: what was decided.
        """
        if limit.estimate_s is not None:
            self._missed += span.end - span.begin > limit.estimate_s
        device_s = span.device_s
        if self._clocks and self._policy().waits:
            # What a frame takes of the processor doesn't count for a step that meets one: else a
            # single step would keep all of its size out of every frame to come.
            clocks = self._clocks.values()
            met = max(clock.busy_within(span.begin, span.end) for clock in clocks)
            device_s = device_s - met if met < device_s else device_s
        self._times.note(decodes, prompt_tokens, device_s, span.host_s, limit.is_forced)

    def stats(self, now: float) -> PaceStats | None:
        """Return how it goes; None while nothing is paced. From any thread."""
        clocks = [clock for clock in self._clocks.copy().values() if clock.is_live(now)]
        if not clocks:
            return None
        tightest = min(clocks, key=lambda clock: clock.room_s)
        return PaceStats(
            policy=min((clock.policy for clock in clocks), key=_RANKS.__getitem__),
            frame_ms=1000 * tightest.frame_s,
            budget_ms=1000 * tightest.room_s,
            steps_delayed=self._delayed,
            steps_forced=self._forced,
            estimates_missed=self._missed,
            frames_late=self._late,
            reporters=len(clocks),
        )

    def _forget(self, now: float) -> None:
        gone = [name for name, clock in self._clocks.items() if not clock.is_live(now)]
        for name in gone:
            del self._clocks[name]
        if gone and not self._clocks:
            self._decodes_wait = self._prompts_wait = None

    def _policy(self) -> PacePolicy:
        return min((clock.policy for clock in self._clocks.values()), key=_RANKS.__getitem__)

    def _room_s(self) -> float:
        return min(clock.room_s for clock in self._clocks.values())

    def _frame_s(self) -> float:
        return max(clock.frame_s for clock in self._clocks.values())

    def _window(self, now: float) -> tuple[float, float] | None:
        """From when and until when no frame of any game is under way; None where that is never."""
        if self._room_s() <= 0:
            return None
        longest = max(clock.frame_s for clock in self._clocks.values())
        begin, last = now, now + _FRAMES_AHEAD * longest
        while begin <= last:
            free = [clock.free(begin) for clock in self._clocks.values()]
            latest, end = max(each[0] for each in free), min(each[1] for each in free)
            if latest <= begin:
                return begin, end
            begin = latest
        return None

    def _note_waits(self, now: float, demand: Demand) -> None:
        if not demand.decodes:
            self._decodes_wait = None
        elif self._decodes_wait is None:
            self._decodes_wait = now
        if not demand.prompt_tokens:
            self._prompts_wait = None
        elif self._prompts_wait is None:
            self._prompts_wait = now

    def _rest(self, now: float) -> StepLimit | float:
        """Return a limit of nothing, or the seconds until a frame still leaves most of its room."""
        window = self._window(now)
        is_known = len(self._clocks) == 1 and self._room_s() >= _REST_S
        if window is None or not is_known or not self._policy().waits:
            return StepLimit(0, 0)
        begin, end = window
        if begin <= now and end - now < _FRESH * self._room_s():
            following = self._window(end)
            begin = following[0] if following else end
        return StepLimit(0, 0) if begin <= now else max(begin - now, _LEAST_WAIT_S)

    def _overdue_at(self, policy: PacePolicy) -> float:
        waits = [wait for wait in (self._decodes_wait, self._prompts_wait) if wait is not None]
        return min(waits) + policy.patience_s

    def _neglects(self, limit: StepLimit, demand: Demand) -> bool:
        """Return whether a step leaves out what has waited longest."""
        decodes, prompts = self._decodes_wait, self._prompts_wait
        if prompts is None or (decodes is not None and decodes <= prompts):
            return limit.decodes < demand.decodes
        return limit.prompt_tokens == 0

    def _is_new(self, demand: Demand) -> bool:
        """Return whether the time of the smallest step that would help is unknown."""
        if demand.decodes:
            return not self._times.is_known(demand.decodes, 0)
        return not self._times.is_known(0, self._least(demand))

    def _fitting(self, demand: Demand, room_s: float, share: float) -> StepLimit | None:
        """Return the largest step that fits: decodes first, then prompts; None if none does."""
        decodes = demand.decodes
        while decodes:
            seconds = self._times.estimate(decodes, 0, share)
            if seconds is not None and seconds <= room_s:
                break
            decodes //= 2  # the most important of them
        if decodes < demand.decodes or not demand.prompt_tokens:
            if decodes:
                return StepLimit(decodes, 0, self._times.estimate(decodes, 0, share))
            return None if demand.decodes else self._prompts(0, demand, room_s, share)
        beside = self._prompts(decodes, demand, room_s, share)
        if beside is not None:
            return beside
        # No prompt fits beside all decodes: it has its turn when it has waited longer.
        if decodes and not self._prompts_waited_longer():
            return StepLimit(decodes, 0, self._times.estimate(decodes, 0, share))
        return self._prompts(0, demand, room_s, share) or (
            StepLimit(decodes, 0, self._times.estimate(decodes, 0, share)) if decodes else None
        )

    def _prompts_waited_longer(self) -> bool:
        if self._prompts_wait is None or self._decodes_wait is None:
            return False
        return self._prompts_wait < self._decodes_wait

    def _prompts(
        self, decodes: int, demand: Demand, room_s: float, share: float
    ) -> StepLimit | None:
        """Return the largest step with prompts that fits, beside so many decodes."""
        fitting = None
        for chunk in self._sizes.chunks(decodes):
            tokens = min(chunk, demand.prompt_tokens)
            seconds = self._times.estimate(decodes, tokens, share)
            if seconds is None or seconds > room_s:
                break
            fitting = StepLimit(decodes, tokens, seconds)
            if tokens == demand.prompt_tokens:
                break
        return fitting

    def _smallest(self, demand: Demand, share: float) -> StepLimit:
        """Return the smallest step that computes what has waited longest."""
        decodes, prompts = self._decodes_wait, self._prompts_wait
        if decodes is not None and (prompts is None or decodes <= prompts):
            seconds = self._times.estimate(demand.decodes, 0, share)
            return StepLimit(demand.decodes, 0, seconds)
        least = self._least(demand)
        seconds = self._times.estimate(0, least, share)
        if seconds is None:
            return StepLimit(0, least)
        limit = self._prompts(0, demand, _HARDLY_LONGER * seconds, share)
        return limit or StepLimit(0, least, seconds)

    def _least(self, demand: Demand) -> int:
        """Return the tokens of the smallest step that helps prompts."""
        return min(self._sizes.chunks(0)[0], demand.prompt_tokens)

    def _force(self, now: float, demand: Demand, policy: PacePolicy) -> StepLimit:
        self._forced += 1
        limit = self._smallest(demand, policy.quantile)
        return self._begin(now, demand, replace(limit, is_forced=True))

    def _begin(self, now: float, demand: Demand, limit: StepLimit) -> StepLimit:
        """Note that a step begins, and what need not wait for one any more."""
        waits = [wait for wait in (self._decodes_wait, self._prompts_wait) if wait is not None]
        self._delayed += min(waits) < now
        if limit.decodes >= demand.decodes:
            self._decodes_wait = None
        if limit.prompt_tokens:
            self._prompts_wait = None
        return limit


_RANKS = {policy: rank for rank, policy in enumerate(PacePolicy)}
