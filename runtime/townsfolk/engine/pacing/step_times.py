"""How long steps take, by their size, as measured of late."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque

from townsfolk.engine.pacing.frames import quantile

_SAMPLES = 64  # of a size
_FEW = 8  # samples below which the longest, and more, is reckoned with
_MORE = 1.25
_STALE = 256  # steps of other sizes after which unlucky samples don't keep a size out any more
_USUAL = 0.5  # share of samples that stale ones are reckoned by
_HOST = 0.8  # share of the host's times
_PROMPTS = 2.0  # times what the host takes for a step without prompts, it takes at most with them
# A size that was not measured takes as many times longer than a smaller one as it has more tokens,
# to this power: reading the weights is most of a small step. If that is too little, one step tells.
_GROWTH = 0.5

Size = tuple[int, int]
"""Sequences that decode, and tokens in all, both rounded up to powers of two."""


class _Samples:
    """The latest measurements of something.

    Attributes:
        when: the number of the step that gave the last one.
    """

    def __init__(self) -> None:
        self.when = 0
        self._latest: deque[float] = deque()
        self._ordered: list[float] = []

    def add(self, seconds: float, when: int) -> None:
        if len(self._latest) == _SAMPLES:
            del self._ordered[bisect_left(self._ordered, self._latest.popleft())]
        self._latest.append(seconds)
        insort(self._ordered, seconds)
        self.when = when

    def estimate(self, share: float) -> float:
        if len(self._ordered) < _FEW and share > _USUAL:
            return _MORE * self._ordered[-1]
        return quantile(self._ordered, share)


class StepTimes:
    """Estimates what a step takes from those like it.

    The device's part depends on the size. The host's, from the decision to the launch and what it
    learns late, depends on the machine: it is taken from steps of all sizes, so that a moment in
    which the host was slow is forgotten with the next steps, whatever they compute.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._device: dict[Size, _Samples] = {}
        self._host: dict[bool, _Samples] = {}  # by whether there are prompts in the step
        self._steps = 0

    def note(
        self, decodes: int, prompt_tokens: int, device_s: float, host_s: float | None = None
    ) -> None:
        """Learn how long a step took on the device, and beyond that on the host if known."""
        self._steps += 1
        size = size_of(decodes, prompt_tokens)
        self._device.setdefault(size, _Samples()).add(device_s, self._steps)
        if host_s is not None:
            self._host.setdefault(prompt_tokens > 0, _Samples()).add(host_s, self._steps)

    def is_known(self, decodes: int, prompt_tokens: int) -> bool:
        """Return whether such a step was measured."""
        return size_of(decodes, prompt_tokens) in self._device

    def estimate(self, decodes: int, prompt_tokens: int, share: float) -> float | None:
        """Return the seconds in which so large a share of such steps is done; None if unknown.

        Of a size that was not measured, what the fastest larger one takes, or as much more than a
        smaller one as its tokens tell, if that is less.
        """
        device = self._device_s(size_of(decodes, prompt_tokens), share)
        if device is None:
            return None
        share = min(share, _HOST)
        host = {kind: samples.estimate(share) for kind, samples in self._host.items()}
        # Steps with prompts that do not fit are rare. Those without tell how fast the host is now.
        most = _PROMPTS * host[False] if prompt_tokens and False in host else math.inf
        return device + min(host.get(prompt_tokens > 0, 0.0), most)

    def _device_s(self, size: Size, share: float) -> float | None:
        own = self._device.get(size)
        if own is not None:
            is_stale = self._steps - own.when > _STALE
            return own.estimate(min(share, _USUAL) if is_stale else share)
        larger, grown = [], []
        for other, samples in self._device.items():
            if other[0] >= size[0] and other[1] >= size[1]:
                larger.append(samples.estimate(share))
            elif other[0] <= size[0] and other[1] <= size[1]:
                grown.append(samples.estimate(share) * (size[1] / other[1]) ** _GROWTH)
        guesses = [min(guess) for guess in (larger, grown) if guess]
        return min(guesses, default=None)


def size_of(decodes: int, prompt_tokens: int) -> Size:
    """Return the size of a step that computes so much."""
    return _rounded(decodes), _rounded(decodes + prompt_tokens)


def _rounded(count: int) -> int:
    return 1 << (count - 1).bit_length() if count else 0
