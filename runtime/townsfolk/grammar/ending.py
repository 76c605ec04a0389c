"""Brings a reply to an end that its grammar allows, before it reaches its limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from townsfolk.grammar.matcher import Matcher

if TYPE_CHECKING:
    from llguidance import LLMatcher

# What closes a string, an object and an array; then what goes on to where something can close.
_STRING, _CLOSERS, _REST = b'"', b"}]", b'",: 0123456789-.ntfaeirslu[{'
_INSIDE = b"eoqz"  # what may follow within a text, and nowhere else in JSON
_TRIES = 8  # of a byte, before those behind it get their turn
_MOST = 512  # tokens of an end that is looked for
# How many tokens beyond what an end takes the first look is made.
_EARLY = 96
_SELDOM = 8  # tokens between looks where no end is found


class EndFinder:
    """Finds short ends of replies, byte by byte."""

    def __init__(
        self, bytes_ids: Mapping[int, int], nesting: Mapping[int, int], eos_id: int
    ) -> None:
        """Take what is to be known of a vocabulary.

        Args:
            bytes_ids: the tokens that are a single byte, by it.
            nesting: how many brackets more a token opens than it closes, where it has any.
            eos_id: a token that ends a reply.
        """
        self.nesting = nesting
        self._eos_id = eos_id
        every = [*_CLOSERS, *_REST, *range(0x20, 0x7F), *range(256)]
        order = [each for each in dict.fromkeys(every) if each in bytes_ids]
        self._bytes = order
        self._ids = np.array([bytes_ids[each] for each in order], dtype=np.int64)
        self._quote = bytes_ids.get(_STRING[0])
        self._inside = [order.index(each) for each in _INSIDE if each in order]

    def find(self, start: LLMatcher, most: int = _MOST) -> list[int] | None:
        """Return tokens that complete a reply from where it stands; None where none are found.

        They are few, but need not be the fewest.
        """
        raw, found, tried = start.deep_copy(), list[int](), Counter[int]()
        while not raw.is_accepting():
            step = raw.compute_ff_tokens() or self._choose(raw, tried, max(most // 2, _TRIES))
            if not step or len(found) + len(step) > most or not raw.consume_tokens(step):
                return None
            found += step
        return found

    def ends(self, raw: LLMatcher, token_ids: Sequence[int]) -> bool:
        """Return whether a reply can go on from where it stands by some tokens, and end there."""
        return raw.validate_tokens([*token_ids, self._eos_id]) == len(token_ids) + 1

    def _choose(self, raw: LLMatcher, tried: Counter[int], deepest: int) -> list[int]:
        """Return the token that looks best; nothing where no single byte may follow.

        Args:
            raw: where the reply stands.
            tried: how often each was chosen.
            deepest: so many objects, and as many arrays, may have to be closed.
        """
        mask = np.frombuffer(raw.compute_bitmask(), dtype=np.int32)
        allowed = (mask[self._ids >> 5] >> (self._ids & 31)) & 1
        if not allowed.any():
            return []
        if any(allowed[place] for place in self._inside) and self._quote is not None:
            quote = self._quote
            if mask[quote >> 5] >> (quote & 31) & 1 and tried[quote] < _TRIES * _TRIES:
                tried[quote] += 1
                return [quote]
        places = np.flatnonzero(allowed).tolist()

        def rank(place: int) -> tuple[int, int]:
            tries = deepest if self._bytes[place] in _CLOSERS else _TRIES
            return tried[int(self._ids[place])] // tries, place

        best = int(self._ids[min(places, key=rank)])
        tried[best] += 1
        return [best]


class Ender:
    """Sees to it that one reply can always end within its limit.

    Near the limit it looks at each token that is drawn: one behind which the reply could not end in
    time any more is replaced by an end.
    """

    __slots__ = ("_depth", "_end", "_finder", "_look_at", "_matcher")

    def __init__(self, finder: EndFinder, matcher: Matcher, most: int, limit: int) -> None:
        """Watch a reply from its beginning.

        Args:
            finder: of ends.
            matcher: where it stands.
            most: tokens of an end, wherever it stands.
            limit: tokens that it has.
        """
        self._finder, self._matcher = finder, matcher
        self._end: list[int] | None = None  # from where the reply stands
        self._look_at = max(most + _EARLY, limit // 4)  # tokens left then
        self._depth = 0  # brackets that are open, those in texts included

    def looks(self, left: int) -> bool:
        """Return whether a token is looked at that comes when so many may still come."""
        return left <= max(self._look_at, 2 * self._depth + _EARLY)

    def judge(self, token_id: int, left: int) -> list[int] | None:
        """Return tokens to end with instead of the one that was drawn; None where it can stay.

        Args:
            token_id: what was drawn; the matcher has not taken it yet.
            left: tokens that may still come, this one included.
        """
        looks = self.looks(left)
        self._depth += self._finder.nesting.get(token_id, 0)
        if not looks:
            return None
        raw, end = self._matcher.raw, self._end
        if end is None:
            end = self._end = self._finder.find(raw, left)
        if end is None:  # it is too late
            self._look_at, self._depth = left - _SELDOM, 0
            return None
        if len(end) < left and self._finder.ends(raw, [token_id, *end]):
            return None
        if end and end[0] == token_id:
            self._end = end[1:]
            return None
        after = raw.deep_copy()
        if not after.consume_token(token_id):
            return None  # which the matcher says itself
        new = self._finder.find(after, left - 1)
        if new is None:
            return end
        self._end = new
        return None
