"""Chunks of prompts by time: where any number of tokens will do, and each position costs more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from townsfolk.engine.pace import Allowance, TokenAllowance

Floats = NDArray[np.float64]

# Seconds that a step may take: while others decode, whose replies would falter, and while none
# does, when only requests that come or are cancelled wait for its end. Where a step that only
# decodes takes long, so many times that: smaller chunks read all weights for few tokens.
_DECODING_S, _DECODING_TIMES = 0.05, 3.0
_ALONE_S, _ALONE_TIMES = 0.25, 12.0
_LEAST = 16  # tokens of a step, however long they take
_FORGETS = 0.97  # what is left of the weight of a measurement with each one that comes
# What a measurement is in: sequences, tokens, and positions that they see.
_UNITS = np.array([1.0, 16.0, 128.0, 128.0 * 1024.0])


class TimedPace:
    """Gives prompts as many tokens as fit into a time, as measured: a power of two of them.

    A step takes some time in any case, and so much for each sequence that decodes, for each token
    of a prompt, and for each position that one of these sees: four figures, fitted to the steps of
    late. (A step of 128 tokens takes 0.02 s at the beginning of a prompt and 0.8 s behind
    8,000 tokens of it.)
    """

    padded: Sequence[tuple[int, int]] = ()

    def __init__(self) -> None:
        """Make a pace that has measured nothing yet, and begins with small chunks."""
        self._squares = np.zeros((4, 4))
        self._products = np.zeros(4)
        self._costs: Floats | None = None  # seconds for each of `_UNITS`
        self._largest = _LEAST  # tokens of prompts in a step that was measured

    def allow(
        self, budget: int, decodes: int, prompts: int, wanted: Callable[[], int]
    ) -> Allowance:
        """See `Pacing`."""
        most = min(budget, 4 * self._largest)
        if self._costs is None:
            return TokenAllowance(most)
        base, decode, token, pair = (self._costs / _UNITS).tolist()
        fixed = base + decode * decodes
        if decodes:
            # As many times longer where more wait than decode: to begin soon is worth more then.
            crowd = max(1.0, prompts / decodes**0.5 / 2)
            seconds = max(_DECODING_S, _DECODING_TIMES * crowd * fixed)
        else:
            seconds = max(_ALONE_S, _ALONE_TIMES * fixed)
        return _TimeAllowance(most, seconds - fixed, token, pair)

    def note(self, decodes: int, prompt_tokens: int, seconds: float, pairs: int = 0) -> None:
        """See `Pacing`."""
        self._largest = max(self._largest, prompt_tokens)
        amounts = np.array([1.0, decodes, prompt_tokens, pairs]) / _UNITS
        if prompt_tokens:
            self._squares *= _FORGETS
            self._products *= _FORGETS
        self._squares += np.outer(amounts, amounts)
        self._products += amounts * seconds
        self._costs = _fit(self._squares, self._products)


class _TimeAllowance:
    """So many seconds, at most so many tokens."""

    def __init__(self, tokens: int, seconds: float, token: float, pair: float) -> None:
        self.tokens = tokens
        self._seconds = seconds
        self._token, self._pair = token, pair
        self._given = 0

    def take(self, start: int, wanted: int) -> int:
        count, least = min(wanted, self.tokens), max(_LEAST - self._given, 0)
        while count > least and self._cost(start, count) > self._seconds:
            count = max(least, 1 << (count - 1).bit_length() >> 1)  # the next lower power of two
        self.tokens -= count
        self._given += count
        self._seconds -= self._cost(start, count)
        return count

    def _cost(self, start: int, count: int) -> float:
        return self._token * count + self._pair * count * (start + count / 2)


def _fit(squares: Floats, products: Floats) -> Floats:
    """Least squares with no cost below 0: those that would be are left out one by one."""
    used = [0, 1, 2, 3]
    ridge = 1e-6 * float(np.trace(squares))
    costs = np.zeros(4)
    while used:
        part = squares[np.ix_(used, used)] + ridge * np.eye(len(used))
        found = np.linalg.solve(part, products[used])
        lowest = int(found.argmin())
        if found[lowest] >= 0:
            costs[used] = found
            break
        del used[lowest]
    return costs
