"""How long steps take, by their size, as measured of late."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

from townsfolk.engine.pacing.frames import quantile

_SAMPLES = 64  # of a size
_FEW = 8  # samples below which the longest, and more, is reckoned with
_MORE = 1.25

Size = tuple[int, int]
"""Sequences that decode, and tokens in all, both rounded up to powers of two."""


class _Samples:
    """The latest measurements of a size."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque()
        self._ordered: list[float] = []

    def add(self, seconds: float) -> None:
        if len(self._latest) == _SAMPLES:
            del self._ordered[bisect_left(self._ordered, self._latest.popleft())]
        self._latest.append(seconds)
        insort(self._ordered, seconds)

    def estimate(self, share: float) -> float:
        if len(self._ordered) < _FEW:
            return _MORE * self._ordered[-1]
        return quantile(self._ordered, share)


class StepTimes:
    """Estimates what a step takes from those like it."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._samples: dict[Size, _Samples] = {}

    def note(self, decodes: int, prompt_tokens: int, seconds: float) -> None:
        """Learn how long a step took."""
        size = size_of(decodes, prompt_tokens)
        self._samples.setdefault(size, _Samples()).add(seconds)

    def is_known(self, decodes: int, prompt_tokens: int) -> bool:
        """Return whether such a step was measured."""
        return size_of(decodes, prompt_tokens) in self._samples

    def estimate(self, decodes: int, prompt_tokens: int, share: float) -> float | None:
        """Return the seconds in which so large a share of such steps is done.

        Of a size that was not measured, as long as the fastest larger one, or as many times longer
        than a smaller one as it has more tokens, if that is less. None where nothing tells.
        """
        size = size_of(decodes, prompt_tokens)
        own = self._samples.get(size)
        if own is not None:
            return own.estimate(share)
        larger, grown = [], []
        for other, samples in self._samples.items():
            if other[0] >= size[0] and other[1] >= size[1]:
                larger.append(samples.estimate(share))
            elif other[0] <= size[0] and other[1] <= size[1]:
                grown.append(samples.estimate(share) * size[1] / other[1])
        guesses = [min(guess) for guess in (larger, grown) if guess]
        return min(guesses, default=None)


def size_of(decodes: int, prompt_tokens: int) -> Size:
    """Return the size of a step that computes so much."""
    return _rounded(decodes), _rounded(decodes + prompt_tokens)


def _rounded(count: int) -> int:
    return 1 << (count - 1).bit_length() if count else 0
