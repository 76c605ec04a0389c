"""How likely some texts are behind one prompt, all of them in one pass over the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

from townsfolk.engine.runner import Runner
from townsfolk.kv import BlockPool, BlockTable, OutOfBlocksError
from townsfolk.models.batch import Chunk


@dataclass(frozen=True, slots=True)
class Branches:
    """Texts that could follow a prompt.

    Attributes:
        prompt_ids: tokens of the prompt, at least one.
        options: tokens of each text, at least one.
        namespace: where the prompt's keys and values are looked for.
    """

    prompt_ids: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
    namespace: str


class BranchScorer:
    """Scores branches whose prompt is in the cache. For the engine's thread only.

    Each option computes the prompt's last token and its own but the last, in blocks that are given
    back at once; all that comes before them is shared and stays as it is.
    """

    def __init__(self, pool: BlockPool, step_tokens: int) -> None:
        """Make a scorer.

        Args:
            pool: the blocks.
            step_tokens: the most tokens of a pass.
        """
        self._pool = pool
        self._step_tokens = step_tokens

    def score(self, runner: Runner, branches: Branches) -> list[list[float]]:
        """Return the log-probability of each token of the first options, in nats.

        Returns:
            as many as fit into a step; none where not all of the prompt is in the cache, or there
            is too little room.
        """
        prompt, options = branches.prompt_ids, self._first(branches.options)
        shared = len(prompt) - 1
        table = BlockTable(self._pool, branches.namespace)
        own: list[list[int]] = []
        try:
            if not options or (shared and table.open(prompt[:-1], shared) < shared):
                return []
            own = self._take(shared, options)
            return self._score(runner, prompt, options, table.block_ids, own)
        except OutOfBlocksError:
            return []
        finally:
            table.release()
            for block_ids in own:
                self._pool.release(block_ids)

    def _first(self, options: Sequence[tuple[int, ...]]) -> Sequence[tuple[int, ...]]:
        ends = accumulate(map(len, options))
        return options[: sum(1 for _ in takewhile(lambda end: end <= self._step_tokens, ends))]

    def _take(self, shared: int, options: Sequence[Sequence[int]]) -> list[list[int]]:
        """Return blocks for what each option computes, behind the full ones that are shared.

        Raises:
            OutOfBlocksError: there are too few; none were taken.
        """
        size = self._pool.block_size
        full = shared // size
        counts = [-(-(shared + len(option)) // size) - full for option in options]
        if sum(counts) > self._pool.num_available:
            raise OutOfBlocksError(f"{sum(counts)} KV blocks wanted")
        return [self._pool.allocate(count) for count in counts]

    def _score(
        self,
        runner: Runner,
        prompt: tuple[int, ...],
        options: Sequence[tuple[int, ...]],
        shared_ids: Sequence[int],
        own: Sequence[Sequence[int]],
    ) -> list[list[float]]:
        shared = len(prompt) - 1
        full, begun = divmod(shared, self._pool.block_size)
        begun_id = shared_ids[full] if begun else None
        chunks = [
            Chunk((prompt[-1], *option[:-1]), shared, (*shared_ids[:full], *block_ids))
            for option, block_ids in zip(options, own, strict=True)
        ]
        next_ids = [token_id for option in options for token_id in option]
        scored = iter(runner.score(begun_id, chunks, next_ids))
        return [[next(scored) for _ in option] for option in options]
