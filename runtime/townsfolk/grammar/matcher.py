"""Follows a reply under a grammar, and says which tokens may come next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from townsfolk.grammar.blanks import BlankCount
from townsfolk.grammar.errors import GrammarFailedError
from townsfolk.grammar.threads import Threads

if TYPE_CHECKING:
    from llguidance import LLMatcher

Bits = NDArray[np.int32]
"""One bit for each token, from the lowest of the first word on."""

_BEGIN = 32  # words: the first 1,024 tokens


def mask_words(vocab_size: int) -> int:
    """Return how many 32-bit words a mask over a vocabulary takes."""
    return -(-vocab_size // 32)


class Matcher:
    """Where one reply stands in its grammar. For one thread at a time."""

    __slots__ = ("_forced", "_went_on", "blanks", "lexer", "raw")

    def __init__(self, raw: LLMatcher, blanks: BlankCount | None = None, lexer: int = 0) -> None:
        """Made by `CompiledGrammar.matcher`.

        Args:
            raw: llguidance's.
            blanks: keeps it from filling up with white space, where that is wanted.
            lexer: which one `raw` has; those with the same wait for each other.
        """
        self.raw = raw
        self.blanks = blanks
        self.lexer = lexer
        self._forced: list[int] = []  # what must follow as far as that is known, the last first
        self._went_on: bool | None = None  # whether it could, by a token that is yet to be accepted

    @property
    def is_over(self) -> bool:
        """Whether the reply is complete and nothing can follow."""
        return self.raw.is_stopped()

    @property
    def is_complete(self) -> bool:
        """Whether the reply could end here."""
        return self.raw.is_accepting()

    def forced(self) -> list[int]:
        """Return tokens of which the grammar leaves no choice; takes some microseconds."""
        return self.look_ahead()[::-1]

    def look_ahead(self) -> list[int]:
        """Return what must follow, the last first; not to be changed.

        A mask that is computed next does not ask for it again.
        """
        if not self._forced:
            self._forced = self.raw.compute_ff_tokens()[::-1]
        return self._forced

    def accept(self, token_id: int) -> None:
        """Go on by a token.

        Raises:
            GrammarFailedError: it does not follow, or the grammar is too complex here.
        """
        went_on, self._went_on = self._went_on, None
        if went_on is None:
            went_on = self._consume(token_id)
        if not went_on:
            raise GrammarFailedError(f"the grammar can't go on: {self.raw.get_error()}")

    def go_on(self, token_id: int) -> bool:
        """Go on by the token that is accepted next; return whether it follows."""
        self._went_on = went_on = self._consume(token_id)
        return went_on

    def _consume(self, token_id: int) -> bool:
        if self._forced and self._forced.pop() != token_id:
            self._forced = []
        if self.blanks is not None:
            self.blanks.add(token_id)
        return self.raw.consume_token(token_id)


class MaskRows:
    """Computes masks, several at once, into memory that is used again."""

    def __init__(self, vocab_size: int, threads: int | None = None) -> None:
        """Make masks over a vocabulary of this size; threads start when there is use for them.

        Args:
            vocab_size: of the masks.
            threads: that compute; as many as are found to be fastest if not given.
        """
        self._words = mask_words(vocab_size)
        self._rows: Bits = np.zeros((1, self._words), dtype=np.int32)
        self._memory: Bits | None = None
        self._threads = Threads() if threads is None else Threads([threads])
        self._ready: list[Matcher] = []  # those of the first rows

    def use(self, memory: Bits | None) -> None:
        """Compute masks into other memory from now on, [rows, words], as far as it has room."""
        if memory is not None and memory is not self._memory:
            self._memory = self._rows = memory
            self._ready = []

    def go_on(self, matchers: Sequence[Matcher], token_ids: Sequence[int]) -> None:
        """Have replies go on by a token each, and compute the masks behind them for `fill`.

        Their `accept` of these tokens tells what went wrong.
        """
        good = [
            matcher
            for matcher, token_id in zip(matchers, token_ids, strict=True)
            if matcher.go_on(token_id)
        ]
        self._compute(good, 0)
        self._ready = good

    def fill(self, matchers: Sequence[Matcher]) -> tuple[Bits, dict[int, GrammarFailedError]]:
        """Return which tokens may come next in each of some replies.

        Returns:
            [matchers, words], until the next call of a method, and what is wrong with those that
            can't go on.
        """
        ready, self._ready = self._ready, []
        masks = self._rows[: len(matchers)]
        if ready != [*matchers]:
            places = {matcher: row for row, matcher in enumerate(ready)}
            fresh = [matcher for matcher in matchers if matcher not in places]
            self._compute(fresh, len(ready))
            places.update((matcher, row) for row, matcher in enumerate(fresh, len(ready)))
            wanted = [places[matcher] for matcher in matchers]
            in_order = wanted == [*range(len(wanted))]
            masks = self._rows[: len(wanted)] if in_order else self._rows[wanted]
        # Nearly all may go on by a byte, and those are among the first tokens.
        begins: list[bool] = np.asarray(masks[:, :_BEGIN].any(axis=1)).tolist()
        failed: dict[int, GrammarFailedError] = {}
        for number, matcher in enumerate(matchers):
            is_empty = not (begins[number] or masks[number].any())
            if is_empty or matcher.raw.is_error():
                reason = matcher.raw.get_error() or "no token of the vocabulary may follow"
                failed[number] = GrammarFailedError(f"the grammar can't go on: {reason}")
        return masks, failed

    def _compute(self, matchers: Sequence[Matcher], first: int) -> None:
        """Compute masks into rows from the first on, whose predecessors stay."""
        if not matchers:
            return
        if first + len(matchers) > len(self._rows):
            rows = np.zeros((2 * (first + len(matchers)), self._words), dtype=np.int32)
            rows[:first] = self._rows[:first]
            self._rows = rows
        chosen: list[tuple[Matcher, int]] = []
        for row, matcher in enumerate(matchers, first):
            forced = matcher.look_ahead()
            if forced:
                self._allow_only(row, forced[-1])
            else:
                chosen.append((matcher, row))
        # A thread gets neighbours, and those with the same lexer would wait for each other.
        chosen.sort(key=lambda each: each[0].lexer)
        self._threads.compute([(each.raw, row) for each, row in chosen], self._rows)
        for each, row in chosen:
            if each.blanks is not None and each.blanks.are_many:
                each.blanks.restrict(self._rows[row])

    def _allow_only(self, row: int, token_id: int) -> None:
        mask = self._rows[row]
        mask.fill(0)
        mask.view(np.uint32)[token_id // 32] = 1 << token_id % 32
