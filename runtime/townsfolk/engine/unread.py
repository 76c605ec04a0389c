"""How much of what was generated may wait for readers who don't read."""

from __future__ import annotations

from collections.abc import Iterable

from townsfolk.engine.errors import UnreadLimitError
from townsfolk.engine.outputs import TokenInfo

MIB = 1024 * 1024
# What nobody reads, of one reader and of all of a process, in bytes as Python holds them. Twenty
# log-probabilities take 2.5 KB a token.
MOST_OF_ONE = 8 * MIB
MOST_OF_ALL = 64 * MIB
# Who has less than this unread reads, and is left alone also where others do not.
_LITTLE = 64 * 1024
# Objects of a token, and of each of its alternatives, in bytes.
_TOKEN, _ALTERNATIVE = 200, 112


def size(text: str, tokens: Iterable[TokenInfo] = ()) -> int:
    """Return about how many bytes a text and its tokens take."""
    return 2 * len(text) + sum([_TOKEN + _ALTERNATIVE * len(token.top) for token in tokens])


class Unread:
    """What one reader has not read yet, in bytes; part of what another object counts."""

    __slots__ = ("_most", "_within", "held")

    def __init__(self, most: int, within: Unread | None = None) -> None:
        """Count nothing yet.

        Args:
            most: How much it may be.
            within: What counts it, too; whoever owns this object need not give anything back.
        """
        self.held = 0
        self._most = most
        self._within = within

    def reader(self) -> Unread:
        """Return the count of one more reader."""
        return Unread(MOST_OF_ONE, within=self)

    def add(self, count: int) -> None:
        """Count more.

        Raises:
            UnreadLimitError: It is too much, here or where this is part of. It is counted all the
                same.
        """
        over: int | None = None
        part: Unread | None = self
        while part is not None:
            part.held += count
            if part.held > part._most and self.held > _LITTLE:
                over = part._most
            part = part._within
        if over is not None:
            raise UnreadLimitError(over)

    def take(self, count: int) -> None:
        """Count less: so much was read."""
        part: Unread | None = self
        while part is not None:
            part.held -= count
            part = part._within

    def clear(self) -> None:
        """Count nothing: all was read."""
        self.take(self.held)

    def __del__(self) -> None:
        self.clear()
