"""The blocks of one sequence."""

from __future__ import annotations

from collections.abc import Sequence

from townsfolk.kv.pool import BlockPool, OutOfBlocksError

# A growing sequence takes this many blocks at once while the pool has plenty, so that its blocks
# come in runs also when others grow beside it.
GROWTH = 4


class BlockTable:
    """The blocks with the keys and values of one sequence, and the tokens they are valid for.

    Only blocks that are full are shared; a shared block is never written. The last, partly filled
    one of another sequence is taken over when nobody holds it, else copied before it is written.
    """

    __slots__ = ("_digest", "_pool", "_root", "_tail", "block_ids", "namespace", "num_tokens")

    def __init__(self, pool: BlockPool, namespace: str) -> None:
        """Make an empty table; sequences of different namespaces never share a block."""
        self.namespace = namespace
        self.block_ids: list[int] = []
        self.num_tokens = 0
        """Tokens whose keys and values are valid, from the sequence's beginning."""
        self._pool = pool
        self._root = pool.index.root(namespace)
        self._digest = self._root  # of the full blocks
        self._tail: list[int] = []  # valid tokens of the block behind them

    def open(
        self, token_ids: Sequence[int], capacity: int, reuse: int | None = None, spare: int = 0
    ) -> int:
        """Take the longest cached prefix and room for `capacity` tokens, or nothing.

        Args:
            token_ids: the sequence.
            capacity: tokens to have room for, at least as many as can be reused.
            reuse: at most so many tokens of the cache are used; all by default.
            spare: blocks that must stay available.

        Returns:
            how many of the tokens were found: their keys and values are valid.

        Raises:
            OutOfBlocksError: there is no room. The table is still empty.
        """
        pool, index, size = self._pool, self._pool.index, self._pool.block_size
        limit = len(token_ids) if reuse is None else min(reuse, len(token_ids))
        source: int | None = None
        while self.num_tokens < limit:
            wanted = tuple(token_ids[self.num_tokens : min(self.num_tokens + size, limit)])
            match = index.find(self._digest, wanted)
            if match is None:
                break
            block_id, length = match
            pool.hold(block_id)
            self.num_tokens += length
            if length == size:
                self.block_ids.append(block_id)
                self._digest = index.child(self._digest, wanted)
                continue
            self._tail = list(wanted[:length])
            if pool.holders(block_id) == 1 and len(index.tokens(block_id)) == length:
                self.block_ids.append(block_id)
            else:
                source = block_id
            break
        try:
            self._extend(capacity, spare)
        except OutOfBlocksError:
            if source is None:
                self._abandon()
                raise
            # The block to copy from may be the very one that is missing.
            pool.release([source])
            self.num_tokens -= len(self._tail)
            self._tail, source = [], None
            try:
                self._extend(capacity, spare)
            except OutOfBlocksError:
                self._abandon()
                raise
        if source is not None:
            pool.copy_block(source, self.block_ids[self.num_tokens // size])
            pool.release([source])
        return self.num_tokens

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` tokens in all.

        Raises:
            OutOfBlocksError: there is no room. The table is as it was.
        """
        if capacity > len(self.block_ids) * self._pool.block_size:
            plenty = self._pool.num_available > self._pool.num_blocks // 2 + GROWTH
            ahead = (GROWTH - 1) * self._pool.block_size if plenty else 0
            self._extend(capacity + ahead, 0)

    def commit(self, token_ids: Sequence[int]) -> None:
        """Note that the next tokens' keys and values are written; full blocks can be shared."""
        size = self._pool.block_size
        full_blocks = self.num_tokens // size
        self.num_tokens += len(token_ids)
        self._tail += token_ids
        if len(self._tail) < size:
            return
        index = self._pool.index
        while len(self._tail) >= size:
            full = tuple(self._tail[:size])
            del self._tail[:size]
            index.add(self.block_ids[full_blocks], self._digest, full)
            self._digest = index.child(self._digest, full)
            full_blocks += 1

    def publish(self) -> None:
        """Let other sequences find the last block's tokens too, though it is not full."""
        if self._tail:
            block_id = self.block_ids[self.num_tokens // self._pool.block_size]
            self._pool.index.add(block_id, self._digest, tuple(self._tail))

    def release(self) -> None:
        """Give all blocks back; what they hold can be found until it is overwritten."""
        self.publish()
        self._abandon()

    def _abandon(self) -> None:
        self._pool.release(self.block_ids)
        self.block_ids = []
        self.num_tokens = 0
        self._digest = self._root
        self._tail = []

    def _extend(self, capacity: int, spare: int) -> None:
        pool = self._pool
        count = -(-capacity // pool.block_size) - len(self.block_ids)
        if count <= 0:
            return
        if count + spare > pool.num_available:
            raise OutOfBlocksError(
                f"{count} KV blocks wanted and {spare} to spare, {pool.num_available} available"
            )
        self.block_ids += pool.allocate(count, self.block_ids[-1] if self.block_ids else None)
