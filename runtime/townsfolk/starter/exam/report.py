"""What came of an exam: shares of right answers with their confidence intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

from townsfolk.starter.exam.question import Mark

_Z = 1.959963984540054
"""Of a normal distribution, 95% of which lies within so many standard deviations."""


def wilson(right: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share.

    Args:
        right: How many were right.
        of: Of how many, at least one.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    1927.
    """
    share, square = right / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    # The ends that are 0 and 1 are so exactly; rounding must not push them inside.
    low = 0.0 if right == 0 else max(middle - half, 0.0)
    high = 1.0 if right == of else min(middle + half, 1.0)
    return low, high


@dataclass(frozen=True, slots=True)
class Tally:
    """How often answers of a kind were right.

    Attributes:
        right: Right and cleanly said.
        exact: What was asked for stood in them letter for letter, whatever else was wrong.
        looped: They went round in circles.
        of: How many there were.
    """

    right: int
    exact: int
    looped: int
    of: int

    @classmethod
    def count(cls, marks: Iterable[Mark]) -> Tally:
        """Count marks."""
        all_marks = list(marks)
        return cls(
            right=sum(mark.right for mark in all_marks),
            exact=sum(mark.exact for mark in all_marks),
            looped=sum(mark.looped for mark in all_marks),
            of=len(all_marks),
        )

    @property
    def share(self) -> float:
        """Of right answers; 0 where there are none."""
        return self.right / self.of if self.of else 0.0

    @property
    def cells(self) -> Sequence[str]:
        """Return the row of a table: right, share, interval, exact, looped."""
        if not self.of:
            return ("0 of 0", "", "", "", "")
        low, high = wilson(self.right, self.of)
        return (
            f"{self.right} of {self.of}",
            f"{self.share:.1%}",
            f"{low:.0%} to {high:.0%}",
            str(self.exact),
            str(self.looped),
        )


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    each = list(tallies)
    return Tally(
        right=sum(tally.right for tally in each),
        exact=sum(tally.exact for tally in each),
        looped=sum(tally.looped for tally in each),
        of=sum(tally.of for tally in each),
    )
