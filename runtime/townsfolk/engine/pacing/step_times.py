"""How long steps take, by their size, as measured of late."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

from townsfolk.engine.pacing.frames import quantile

_SAMPLES = 64  # of a size
_FEW = 8  # samples below which the longest, and more, is reckoned with
_MORE = 1.25
_STALE = 256  # steps of other sizes after which unlucky samples don't keep a size out any more
_USUAL = 0.5  # share of samples that stale ones are reckoned by
# Steps of a size in a row that ran though they seemed not to fit, after which these tell of it
# alone: they are few, and what was slow once would keep it out until as many as are kept have run.
_ANEW = 4
_HOST = 0.8  # share of the host's times
_PROMPTS = 2.0  # times what the host takes for a step without prompts, it takes at most with them
# A size that was not measured takes as many times longer than a smaller one as it has more tokens,
# to this power: reading the weights is most of a small step. If that is too little, one step tells.
_GROWTH = 0.5

CHUNKS = (16, 32, 64, 128, 256, 512, 1024, 2048)
"""Tokens in all of steps with prompts that the runner does not pad."""

Size = tuple[int, int]
"""Sequences that decode, and tokens in all, both rounded up."""


class StepSizes:
    """Which steps take equally long: those that the runner pads to the same size.

    Of steps without prompts, and where the runner pads nothing, those that are rounded up to the
    same powers of two.
    """

    def __init__(self, padded: Sequence[Size] = ()) -> None:
        """Take the sizes that steps with prompts are padded to.

        Args:
            padded: places for sequences that decode, and for tokens in all.
        """
        self._padded = sorted(padded)

    def of(self, decodes: int, prompt_tokens: int) -> Size:
        """Return the size of a step that computes so much."""
        if prompt_tokens:
            for places, total in self._beside(decodes):
                if total - places >= prompt_tokens:
                    return places, total
        return _rounded(decodes), _rounded(decodes + prompt_tokens)

    def chunks(self, decodes: int) -> list[int]:
        """Return how many tokens of prompts fill a step of each size, beside so many decodes."""
        own = self._beside(decodes)
        most = max((total for _, total in own), default=0)
        filled = [total - places for places, total in own]
        return [
            count
            for count in (*filled, *(total - decodes for total in CHUNKS if total > most))
            if count > 0
        ]

    def _beside(self, decodes: int) -> list[Size]:
        """Return the padded sizes for so many decodes, the smallest first."""
        least = min((size[0] for size in self._padded if size[0] >= decodes), default=None)
        return [size for size in self._padded if size[0] == least]


class _Samples:
    """The latest measurements of something.

    Attributes:
        when: the number of the step that gave the last one.
    """

    def __init__(self) -> None:
        self.when = 0
        self._forced = 0  # in a row
        self._latest: deque[float] = deque()
        self._ordered: list[float] = []

    def add(self, seconds: float, when: int, is_forced: bool = False) -> None:
        self._forced = self._forced + 1 if is_forced else 0
        kept = _ANEW if self._forced >= _ANEW else _SAMPLES
        while len(self._latest) >= kept:
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

    def __init__(self, sizes: StepSizes) -> None:
        """Know nothing yet of steps of these sizes."""
        self._sizes = sizes
        self._device: dict[Size, _Samples] = {}
        self._host: dict[bool, _Samples] = {}  # by whether there are prompts in the step
        self._steps = 0

    def note(
        self,
        decodes: int,
        prompt_tokens: int,
        device_s: float,
        host_s: float | None = None,
        is_forced: bool = False,
    ) -> None:
        """Learn how long a step took on the device, and beyond that on the host if known.

        Args:
            decodes: sequences that decoded in it.
            prompt_tokens: tokens of prompts in it.
            device_s: seconds on the device.
            host_s: seconds on the host alone.
            is_forced: whether it ran though it seemed not to fit.
        """
        self._steps += 1
        size = self._sizes.of(decodes, prompt_tokens)
        self._device.setdefault(size, _Samples()).add(device_s, self._steps, is_forced)
        if host_s is not None:
            self._host.setdefault(prompt_tokens > 0, _Samples()).add(host_s, self._steps)

    def is_known(self, decodes: int, prompt_tokens: int) -> bool:
        """Return whether such a step was measured."""
        return self._sizes.of(decodes, prompt_tokens) in self._device

    def estimate(self, decodes: int, prompt_tokens: int, share: float) -> float | None:
        """Return the seconds in which so large a share of such steps is done; None if unknown.

        Of a size that was not measured, what the fastest larger one takes, or as much more than a
        smaller one as its tokens tell, if that is less.
        """
        device = self._device_s(self._sizes.of(decodes, prompt_tokens), share)
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


def _rounded(count: int) -> int:
    return 1 << (count - 1).bit_length() if count else 0
