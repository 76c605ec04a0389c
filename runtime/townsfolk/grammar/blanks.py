"""Keeps texts in JSON from filling up with white space, which small models do not leave again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_BLANK = 16
"""Blanks in a row, the first time; half as many each time after."""

# As bytes of a document: blanks, no-break spaces, and what stands for them in a JSON text.
_BLANK = re.compile(
    rb"(?:[ \t\r\n]|\xc2\xa0|\xe3\x80\x80|\\[nrt]|\\u(?:0009|000a|000d|0020|00a0))+"
)


@dataclass(frozen=True, slots=True, eq=False)
class Blanks:
    """Tokens of a vocabulary that are white space and nothing else.

    Attributes:
        lengths: how many blanks each is, by token id.
        bits: a bit for each token that is none, as masks have them: [words] int32.
    """

    lengths: dict[int, int]
    bits: NDArray[np.int32]

    @classmethod
    def of(cls, tokens: Sequence[bytes], words: int) -> Blanks:
        """Find them.

        Args:
            tokens: the bytes of each.
            words: 32-bit words of a mask.
        """
        found = [n for n, data in enumerate(tokens) if _BLANK.fullmatch(data)]
        bits = np.full(words, -1, dtype=np.int32)
        for token_id in found:
            bits[token_id // 32] &= ~np.int32(np.uint32(1 << token_id % 32).view(np.int32))
        return cls({n: max(len(tokens[n].decode(errors="replace")), 1) for n in found}, bits)


class BlankCount:
    """Counts the blanks at the end of one reply."""

    __slots__ = ("_blanks", "_count", "_most")

    def __init__(self, blanks: Blanks) -> None:
        """Begin a reply."""
        self._blanks = blanks
        self._count, self._most = 0, MOST_BLANK

    def add(self, token_id: int) -> None:
        """Go on by a token."""
        length = self._blanks.lengths.get(token_id)
        if length is not None:
            self._count += length
        elif self._count:
            if self._count >= self._most:
                self._most = max(self._most // 2, 1)
            self._count = 0

    @property
    def are_many(self) -> bool:
        """Whether there are so many that no others may follow."""
        return self._count >= self._most

    def restrict(self, mask: NDArray[np.int32]) -> None:
        """Take blanks out of a mask, [words], once there are too many and others may follow."""
        if not self.are_many:
            return
        rest = mask & self._blanks.bits
        if rest.any():
            mask[:] = rest
