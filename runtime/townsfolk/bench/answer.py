"""What the reader of an answer saw, and the figures made of many answers.

An answer arrives in messages of one or more tokens. TTFT is the time from the question to the first
message; every gap between two messages counts as one inter-token time, however many tokens the
later one brings, for that is what a player sees.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from townsfolk.bench.report import Row, percentile


class MeasurementError(Exception):
    """A measurement came to nothing; the message says why and, where it can, what to change."""


@dataclass(slots=True)
class Answer:
    """One answer. Times are seconds of `time.perf_counter`.

    Attributes:
        turn: its number in the conversation; 0 is the first.
        asked: when the question was put.
        arrivals: when each message came.
        sizes: how much each message brought: characters, or tokens where there is no text.
        generated: tokens of the answer.
        prompted: tokens of the prompt.
        cached: how many of these were in the KV cache.
    """

    turn: int
    asked: float
    arrivals: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    generated: int = 0
    prompted: int = 0
    cached: int = 0

    def receive(self, now: float, size: int) -> None:
        """Note a message."""
        self.arrivals.append(now)
        self.sizes.append(size)

    @property
    def first_token_s(self) -> float:
        """Seconds from the question to the first message."""
        return self.arrivals[0] - self.asked

    @property
    def gaps_s(self) -> list[float]:
        """Seconds between messages."""
        return [after - before for before, after in itertools.pairwise(self.arrivals)]

    @property
    def token_times_s(self) -> list[float]:
        """Seconds between messages for each token of the later one."""
        each = [self.generated * size / sum(self.sizes) for size in self.sizes[1:]]
        return [gap / tokens for gap, tokens in zip(self.gaps_s, each, strict=True)]

    def tokens_between(self, begin: float, end: float) -> float:
        """Return tokens that came after `begin` and until `end`.

        A message's tokens are taken to be its share of the answer's characters.
        """
        inside = (
            size for now, size in zip(self.arrivals, self.sizes, strict=True) if begin < now <= end
        )
        return self.generated * sum(inside) / sum(self.sizes)


class AnswersTooShortError(MeasurementError):
    """Some answers ended before others began."""


def steady_rate(answers: Sequence[Answer]) -> float:
    """Return tokens a second over all answers while all of them were being given, prefill left out.

    Raises:
        AnswersTooShortError: they were never given all at once.
    """
    begin = max(answer.arrivals[0] for answer in answers)
    end = min(answer.arrivals[-1] for answer in answers)
    if begin >= end:
        message = "an answer ended before another began: ask for more --new-tokens"
        raise AnswersTooShortError(message)
    return sum(answer.tokens_between(begin, end) for answer in answers) / (end - begin)


def long_enough(lengths: Sequence[int], run: Callable[[int], object]) -> int:
    """Return the first length of answers with which all are given at once for a while.

    Slow machines read the last prompt long after they have begun to answer the first.

    Args:
        lengths: to try, in this order.
        run: lets all answer at this length, and so warms up.

    Raises:
        AnswersTooShortError: none of them is.
    """
    *shorter, longest = lengths
    for length in shorter:
        with suppress(AnswersTooShortError):
            run(length)
            return length
    run(longest)
    return longest


def latencies(answers: Iterable[Answer]) -> Row:
    """TTFT of first and later turns and inter-token times, in ms, and what the messages held."""
    answers = [answer for answer in answers if answer.arrivals]
    opening = [answer.first_token_s for answer in answers if answer.turn == 0]
    later = [answer.first_token_s for answer in answers if answer.turn > 0]
    gaps = [gap for answer in answers for gap in answer.gaps_s]
    generated = sum(answer.generated for answer in answers)
    return {
        **_percentiles("TTFT first", opening),
        **_percentiles("TTFT later", later),
        **_percentiles("inter-token", gaps),
        "tokens/message": generated / max(sum(len(answer.arrivals) for answer in answers), 1),
        "cached share": sum(answer.cached for answer in answers)
        / max(sum(answer.prompted for answer in answers), 1),
    }


def _percentiles(name: str, seconds: Sequence[float]) -> Row:
    return {
        f"{name} p50 ms": 1000 * percentile(seconds, 0.5),
        f"{name} p99 ms": 1000 * percentile(seconds, 0.99),
    }
