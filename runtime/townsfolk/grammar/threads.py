"""Masks by as many threads as it takes: to wake them can cost more than they save."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from llguidance import LLExecutor, LLMatcher

_MOST = 8  # and not more than half: a game wants the others
_TRIES = 4  # of each number of threads before the fastest is taken
_AGAIN = 500  # calls until another is tried once more: masks and machines change
_WEIGHT = 0.1  # of the latest time in a mean
_FEW = 4  # masks, which no thread is woken for


def most_threads() -> int:
    """Return how many threads may compute masks on this machine."""
    return min(_MOST, max((os.cpu_count() or 1) // 2, 1))


class Threads:
    """Computes masks with the number of threads that was fastest of late.

    Where processes share few processors, or a sandbox makes it slow to wake a thread, that is one.
    """

    def __init__(self, counts: Sequence[int] | None = None) -> None:
        """Know nothing yet.

        Args:
            counts: numbers of threads to choose from; those that suit the machine if not given.
        """
        if counts is None:
            counts = [each for each in (1, 2, 4, 8) if each <= most_threads()]
        self._seconds: dict[int, float] = dict.fromkeys(counts, 0.0)  # of a mask
        self._tried: dict[int, int] = dict.fromkeys(counts, 0)
        self._pools: dict[int, LLExecutor] = {}
        self._calls = 0

    def compute(self, matchers: Sequence[tuple[LLMatcher, int]], rows: NDArray[np.int32]) -> None:
        """Compute masks.

        Args:
            matchers: each with the number of its row; may be none.
            rows: [rows, words], contiguous.
        """
        if len(matchers) <= _FEW or len(self._seconds) == 1:
            self._run(1 if len(matchers) <= _FEW else next(iter(self._seconds)), matchers, rows)
            return
        count = self._next()
        begin = time.perf_counter()
        self._run(count, matchers, rows)
        self._note(count, (time.perf_counter() - begin) / len(matchers))

    def _next(self) -> int:
        """Return how many threads compute now."""
        self._calls += 1
        if self._calls % _AGAIN == 0:
            return min(self._tried, key=self._tried.__getitem__)
        untried = [count for count, tries in self._tried.items() if tries < _TRIES]
        return untried[0] if untried else min(self._seconds, key=self._seconds.__getitem__)

    def _note(self, count: int, seconds: float) -> None:
        self._tried[count] += 1
        known = self._seconds[count]
        # The first time, threads start.
        if self._tried[count] <= 2:
            self._seconds[count] = seconds
        else:
            self._seconds[count] = known + _WEIGHT * (seconds - known)

    def _run(
        self, count: int, matchers: Sequence[tuple[LLMatcher, int]], rows: NDArray[np.int32]
    ) -> None:
        base, nbytes = rows.ctypes.data, rows.shape[1] * rows.itemsize
        if count == 1:
            for raw, row in matchers:
                raw.unsafe_compute_mask_ptr(base + row * nbytes, nbytes)
            return
        if count not in self._pools:
            from llguidance import LLExecutor

            self._pools[count] = LLExecutor(num_threads=count)
        self._pools[count].unsafe_compute_mask_ptr([*matchers], base, nbytes, len(rows))
