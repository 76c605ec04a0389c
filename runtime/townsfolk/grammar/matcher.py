"""Follows a reply under a grammar, and says which tokens may come next."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from townsfolk.grammar.errors import GrammarFailedError

if TYPE_CHECKING:
    from llguidance import LLExecutor, LLMatcher

Bits = NDArray[np.int32]
"""One bit for each token, from the lowest of the first word on."""

_MOST_THREADS = 4  # a game wants the others


def mask_words(vocab_size: int) -> int:
    """Return how many 32-bit words a mask over a vocabulary takes."""
    return -(-vocab_size // 32)


class Matcher:
    """Where one reply stands in its grammar. For one thread at a time."""

    __slots__ = ("raw",)

    def __init__(self, raw: LLMatcher) -> None:
        """Made by `CompiledGrammar.matcher`."""
        self.raw = raw

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
        return self.raw.compute_ff_tokens()

    def accept(self, token_id: int) -> None:
        """Go on by a token.

        Raises:
            GrammarFailedError: it does not follow, or the grammar is too complex here.
        """
        if not self.raw.consume_token(token_id):
            raise GrammarFailedError(f"the grammar can't go on: {self.raw.get_error()}")


class MaskRows:
    """Computes masks, several at once."""

    def __init__(self, vocab_size: int) -> None:
        """Make masks over a vocabulary of this size; threads start with the first two."""
        self._words = mask_words(vocab_size)
        self._executor: LLExecutor | None = None

    def fill(self, matchers: Sequence[Matcher]) -> tuple[Bits, dict[int, GrammarFailedError]]:
        """Return which tokens may come next in each of some replies.

        Returns:
            [matchers, words], and what is wrong with those that can't go on.
        """
        masks = np.zeros((len(matchers), self._words), dtype=np.int32)
        if not matchers:
            return masks, {}
        nbytes = self._words * masks.itemsize
        if len(matchers) == 1:
            matchers[0].raw.unsafe_compute_mask_ptr(masks.ctypes.data, nbytes)
        else:
            if self._executor is None:
                from llguidance import LLExecutor

                threads = min(_MOST_THREADS, max((os.cpu_count() or 1) - 1, 1))
                self._executor = LLExecutor(num_threads=threads)
            self._executor.unsafe_compute_mask_ptr(
                [(matcher.raw, number) for number, matcher in enumerate(matchers)],
                masks.ctypes.data,
                nbytes,
                len(matchers),
            )
        failed: dict[int, GrammarFailedError] = {}
        for number in np.flatnonzero(~masks.any(axis=1)).tolist():
            reason = matchers[number].raw.get_error() or "no token of the vocabulary may follow"
            failed[number] = GrammarFailedError(f"the grammar can't go on: {reason}")
        return masks, failed
