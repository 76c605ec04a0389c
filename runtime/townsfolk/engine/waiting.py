"""The sequences that wait to join the batch."""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterator

from townsfolk.engine.sequence import Sequence

_PIECE = 64  # tokens that are compared at once
_LOOKS = 32  # sequences that one call looks at, at most


class Waiting:
    """Sequences that wait, the most important first; some wait for another's prompt.

    When many come at once whose prompts begin alike, as with shared lore, the first one computes
    that beginning and the others then find it in the cache. Those are set aside until it is
    computed, so that no step looks at them in vain: a sequence is compared with one that computes
    when it would join, once, and not again until that one has got as far as they are alike.

    Equally important sequences of different namespaces take turns (start-time fair queueing): who
    asks for a hundred things has the first one done no later than others their first.
    """

    def __init__(self, block_size: int) -> None:
        """Make an empty queue.

        Args:
            block_size: tokens in a block; less than two blocks in common are not waited for.
        """
        self._worthwhile = 2 * block_size
        self._ready: list[Sequence] = []
        # By the sequence that computes what they need, in order: up to which position, and who.
        self._aside: dict[Sequence, list[tuple[int, int, Sequence]]] = {}
        self._aside_for: dict[Sequence, Sequence] = {}
        self._round = 0  # of the sequence that joined last
        self._last_rounds: dict[str, int] = {}  # by namespace, of those that are to come

    def __len__(self) -> int:
        return len(self._ready) + len(self._aside_for)

    def __iter__(self) -> Iterator[Sequence]:
        yield from self._ready
        yield from self._aside_for

    def __contains__(self, sequence: Sequence) -> bool:
        return sequence in self._aside_for or sequence in self._ready

    def add(self, sequence: Sequence) -> None:
        """Let a sequence wait for its turn."""
        if sequence.round is None:
            namespace = sequence.request.namespace
            sequence.round = max(self._round, self._last_rounds.get(namespace, -1) + 1)
            self._last_rounds[namespace] = sequence.round
        insort(self._ready, sequence, key=rank)

    def admit(self, sequence: Sequence) -> None:
        """Let go of one that joins the batch; it was its namespace's turn."""
        self.remove(sequence)
        if sequence.round is not None and sequence.round > self._round:
            self._round = sequence.round
            self._last_rounds = {
                namespace: last
                for namespace, last in self._last_rounds.items()
                if last >= self._round
            }

    def remove(self, sequence: Sequence) -> None:
        """Let go of one that waits.

        Raises:
            ValueError: it does not.
        """
        other = self._aside_for.pop(sequence, None)
        if other is None:
            self._ready.remove(sequence)
        else:
            self._aside[other] = [each for each in self._aside[other] if each[2] is not sequence]

    def first(self, computing: Collection[Sequence], least: int | None) -> Sequence | None:
        """Return the most important one that need not wait for another's prompt, if any is found.

        Only so many are looked at in one call.

        Args:
            computing: sequences in the batch whose prompts are not computed yet.
            least: only one of a higher priority than this is of use; None for any.
        """
        if self._aside:
            self._call_back(computing)
        for _ in range(_LOOKS):
            if not self._ready or (least is not None and self._ready[0].priority <= least):
                return None
            sequence = self._ready[0]
            if not any(self._set_aside(sequence, each) for each in computing):
                return sequence
        return None

    def _set_aside(self, sequence: Sequence, helper: Sequence) -> bool:
        """Have the first one wait if another will compute two blocks or more that it needs."""
        if (
            helper.priority < sequence.priority
            or helper.request.namespace != sequence.request.namespace
        ):
            return False
        limit = min(helper.prompt_length, sequence.reusable_tokens)
        soon = helper.table.num_tokens + self._worthwhile
        if soon > limit:
            return False
        alike = _alike(helper.token_ids, sequence.token_ids, limit)
        if soon > alike:
            return False
        del self._ready[0]
        until = alike - self._worthwhile
        insort(self._aside.setdefault(helper, []), (until, sequence.number, sequence))
        self._aside_for[sequence] = helper
        return True

    def _call_back(self, computing: Collection[Sequence]) -> None:
        """Have those be ready whose wait is over: the other has left, or got as far as of use."""
        for helper, aside in list(self._aside.items()):
            reached = helper.table.num_tokens if helper in computing else None
            count = 0
            while count < len(aside) and (reached is None or aside[count][0] < reached):
                count += 1
            for _, _, sequence in aside[:count]:
                del self._aside_for[sequence]
                self.add(sequence)
            del aside[:count]
            if not aside:
                del self._aside[helper]


def rank(sequence: Sequence) -> tuple[int, int, int]:
    """Sort key: the most important sequence first; of equals, whose turn it is, who came first."""
    return -sequence.priority, sequence.leader.round or 0, sequence.number


def _alike(one: list[int], other: list[int], limit: int) -> int:
    """Return how many leading tokens two sequences have in common, at most `limit`."""
    for start in range(0, limit, _PIECE):
        end = min(start + _PIECE, limit)
        if one[start:end] != other[start:end]:
            while one[start] == other[start]:
                start += 1
            return start
    return limit
