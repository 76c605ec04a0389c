"""How much of a prompt a step may compute while others decode: the only place that decides it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

_WEIGHT = 0.2  # of a new measurement
_STALE = 500  # steps with prompts after which a size is tried again
_UNKNOWN = 1.2  # how much longer a size takes that was not measured than the one before, at a guess
_FIRST = 128  # places of a step before anything was measured
# Steps of the largest size that prompts without decodes go through rather than one of any
# size: such a step is launched by the host bit by bit, which took 8 ms for 512 tokens of
# Llama-3.2-1B on an H200, and 12 for 2,048.
_FEW = 3


class Allowance(Protocol):
    """What one step may compute of prompts; less with each that takes its part."""

    @property
    def tokens(self) -> int:
        """At most so many tokens."""

    def take(self, start: int, wanted: int) -> int:
        """Take the next tokens of a prompt, and return how many it gets.

        Args:
            start: position of the first.
            wanted: tokens that it could use.
        """


class Pacing(Protocol):
    """Decides how much of prompts a step computes, and learns from what steps took."""

    @property
    def padded(self) -> Sequence[tuple[int, int]]:
        """Sizes that the runner pads steps with prompts to, which take as long as if full.

        Each is places for sequences that decode, and for tokens in all. None where it pads nothing.
        """

    def allow(
        self, budget: int, decodes: int, prompts: int, wanted: Callable[[], int]
    ) -> Allowance:
        """Return what the next step may compute of prompts.

        Args:
            budget: tokens that it could compute.
            decodes: sequences that decode in it.
            prompts: sequences with prompts to compute, those that wait included.
            wanted: counts the tokens that all these need.
        """

    def note(self, decodes: int, prompt_tokens: int, seconds: float, pairs: int = 0) -> None:
        """Learn how long a step took.

        Args:
            decodes: sequences that decoded in it.
            prompt_tokens: tokens of prompts in it.
            seconds: what it took.
            pairs: of a token of a prompt with a position that it sees.
        """


@dataclass(slots=True)
class TokenAllowance:
    """So many tokens, whatever each costs."""

    tokens: int

    def take(self, start: int, wanted: int) -> int:
        """See `Allowance`."""
        count = min(wanted, self.tokens)
        self.tokens -= count
        return count


@dataclass(slots=True)
class _Measured:
    """How long steps of a size took of late, and when the last one was, in steps."""

    seconds: float
    when: int

    def add(self, seconds: float, when: int) -> None:
        self.seconds += _WEIGHT * (seconds - self.seconds)
        self.when = when


class Pace:
    """Keeps steps with prompts short, as measured, so that replies under way go on evenly.

    A step with prompts may take a certain share longer than one without. Where more prompts wait
    than the square root of the sequences that decode, it may take as many times longer: then to
    begin soon is worth more than to go on evenly. (With a fixed share, 64 prompts of 512 tokens
    that come at once take 560 ms on an H200; at its rate without decodes they would take 150.)
    While none decodes, prompts have the whole step, unless they need only a few of those sizes.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]] = (), slowdown: float = 0.8) -> None:
        """Make a pace that has measured nothing yet.

        Args:
            sizes: steps that the runner computes best, as places for decodes and places in all;
                without any, prompts always have the whole step.
            slowdown: how much longer a step with prompts may take, as a part of one without.
        """
        self._slowdown = slowdown
        self.padded = self._sizes = sorted(sizes)
        # By size; a step without prompts has as many places as are for decodes.
        self._measured: dict[tuple[int, int], _Measured] = {}
        self._steps = 0  # with prompts

    def allow(
        self, budget: int, decodes: int, prompts: int, wanted: Callable[[], int]
    ) -> TokenAllowance:
        """See `Pacing`."""
        if decodes:
            most = self.prompt_tokens(decodes, prompts)
        else:
            most = self.undisturbed_tokens(wanted()) if self._sizes else None
        tokens = budget if most is None else min(budget, most)
        room = self._room(decodes)
        # A step that is no graph takes as long as two that are.
        return TokenAllowance(room if room < tokens < 2 * room else tokens)

    def undisturbed_tokens(self, wanted: int) -> int | None:
        """Return prompt tokens for a step without decodes; None for as many as fit.

        Args:
            wanted: tokens that all prompts still need at most.
        """
        largest = self._room(0)
        return largest if 0 < wanted <= _FEW * largest else None

    def prompt_tokens(self, decodes: int, prompts: int) -> int | None:
        """Return prompt tokens for a step in which others decode; None for as many as fit.

        Args:
            decodes: requests that decode in the step.
            prompts: requests with prompts to compute, those that wait included.
        """
        own = self._places(decodes)
        totals = [total for places, total in self._sizes if places == own and total > places]
        if own is None or not totals:
            return None
        decoding = self._decode_seconds(own, totals)
        if decoding is None:
            small = [total for total in totals if total <= _FIRST]
            return max(small, default=totals[0]) - own
        allowed = decoding * (1 + self._slowdown * max(1.0, prompts / decodes**0.5))
        chosen = totals[0]
        seconds = [decoding]  # of sizes one after the other
        for total in totals:
            measured = self._measured.get((own, total))
            if measured is None or self._steps - measured.when > _STALE:
                seconds.append(seconds[-1] * _UNKNOWN)
            else:
                seconds.append(measured.seconds)
            if seconds[-1] > allowed:
                break
            chosen = total
        else:
            # More than any size has: as much as it takes longer.
            chosen = int(chosen * max(1.0, allowed / seconds[-1]))
        return chosen - own

    def note(self, decodes: int, prompt_tokens: int, seconds: float, pairs: int = 0) -> None:
        """See `Pacing`; positions count by the average of late."""
        own = self._places(decodes)
        if not decodes or own is None:
            return
        self._steps += prompt_tokens > 0
        size = (own, own)  # of a step without prompts
        if prompt_tokens:
            fitting = [s for s in self._sizes if s[0] == own and s[1] >= own + prompt_tokens]
            if not fitting:
                return
            size = fitting[0]
        if size in self._measured:
            self._measured[size].add(seconds, self._steps)
        else:
            self._measured[size] = _Measured(seconds, self._steps)

    def _decode_seconds(self, own: int, totals: Sequence[int]) -> float | None:
        """Return the seconds of a step without prompts; None where no such size was measured.

        When many come at once there may be no such step for long. Then it is reckoned from those
        with prompts, which were measured: else 64 prompts would go on in the smallest pieces.
        """
        if (own, own) in self._measured:
            return self._measured[own, own].seconds
        for above, total in enumerate(totals, start=1):
            if (own, total) in self._measured:
                return self._measured[own, total].seconds / _UNKNOWN**above
        return None

    def _room(self, decodes: int) -> int:
        """Return the prompt tokens of the largest size beside so many decodes; 0 without any."""
        return max((total - own for own, total in self._sizes if own >= decodes), default=0)

    def _places(self, decodes: int) -> int | None:
        return next((own for own, _ in self._sizes if own >= decodes), None)
