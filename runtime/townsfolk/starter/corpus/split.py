"""Which invented values are kept out of training.

Names, trades, homes and facts come from generators that can make many thousands of each. A value
belongs to the held-out set by its hash, so both sides are endless and never meet, however the
corpus is seeded.
"""

from collections.abc import Callable
from enum import Enum
from random import Random
from typing import Protocol, TypeAlias
from zlib import crc32

Templates: TypeAlias = tuple[str, ...]
"""Ways to say the same thing."""


class Source(Protocol):
    """Where values and phrasings come from."""

    def owns(self, value: str) -> bool:
        """Return whether the value may be drawn."""
        ...

    def draw(self, rng: Random, generate: Callable[[Random], str]) -> str:
        """Return a value like those of the generator."""
        ...

    def more(self, templates: Templates) -> Templates:
        """Return these templates, and others that say the same."""
        ...


HELD_OUT_SHARE = 10
"""One value in this many is held out."""

_SALT = "10"
"""Chosen so that the most usual trades (innkeeper, blacksmith, guard, ...) are learned."""


class Split(Enum):
    """A side of the split."""

    TRAIN = "train"
    HELD_OUT = "held-out"

    def owns(self, value: str) -> bool:
        """Return whether the value belongs to this side; letter case makes no difference."""
        held_out = crc32((_SALT + value.lower()).encode()) % HELD_OUT_SHARE == 0
        return held_out == (self is Split.HELD_OUT)

    def more(self, templates: Templates) -> Templates:
        """These templates; a side of the split knows no others."""
        return templates

    def draw(self, rng: Random, generate: Callable[[Random], str]) -> str:
        """Return the first value of the generator that belongs to this side."""
        while True:
            value = generate(rng)
            if self.owns(value):
                return value
