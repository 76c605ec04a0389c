"""Whether what was learned is more than chance: tests on episodes that nobody learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ROUNDS = 10_000
_NUMBERS = 1 << 18  # drawn at once: what a processor has near


@dataclass(frozen=True, slots=True)
class Comparison:
    """What episodes came to before and after.

    Attributes:
        before: their mean reward with the model that has learned nothing.
        after: the mean with the adapter.
        low: of the difference, the lower end of its 95% confidence interval (bootstrap).
        high: the upper end.
        p: how often as large a difference would come of chance, in either direction (permutation).
        episodes: how many there were of each.
    """

    before: float
    after: float
    low: float
    high: float
    p: float
    episodes: int

    @property
    def is_better(self) -> bool:
        """Whether the adapter is better, at the level of 1%."""
        return self.after > self.before and self.p < 0.01


def compare(before: Sequence[float], after: Sequence[float], seed: int = 0) -> Comparison:
    """Compare rewards of the same beginnings, pair by pair.

    Raises:
        ValueError: They are no pairs, or there are none.
    """
    if not before or len(before) != len(after):
        raise ValueError(f"{len(before)} episodes before and {len(after)} after are no pairs")
    differences = np.array(after) - np.array(before)  # [episodes]
    rng = np.random.default_rng(seed)
    count = len(differences)
    means = np.empty(ROUNDS)
    flipped = np.empty(ROUNDS)
    at_once = max(_NUMBERS // count, 1)
    for begin in range(0, ROUNDS, at_once):
        shape = (min(at_once, ROUNDS - begin), count)  # [rounds, episodes]
        rounds = slice(begin, begin + shape[0])
        means[rounds] = differences[rng.integers(0, count, shape)].mean(axis=1)
        signs = rng.integers(0, 2, shape, dtype=np.int8) * 2 - 1
        flipped[rounds] = signs @ differences / count
    low, high = np.quantile(means, (0.025, 0.975))
    at_least = np.abs(flipped) >= abs(differences.mean()) - 1e-12
    p = (at_least.sum() + 1) / (ROUNDS + 1)
    return Comparison(
        float(np.mean(before)), float(np.mean(after)), float(low), float(high), float(p), count
    )
