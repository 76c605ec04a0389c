"""Who holds which block."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from townsfolk.kv.free_runs import FreeRuns
from townsfolk.kv.prefix_index import PrefixIndex


class OutOfBlocksError(Exception):
    """The pool has fewer blocks to give than were asked for. Nothing was taken."""


class BlockPool:
    """Hands out blocks, counts their holders, and keeps the content of those nobody holds.

    A block is *used* while somebody holds it, *cached* while nobody does but the index knows its
    content, else *free*. Cached blocks are given away when no free one is left, the least recently
    used first. Not for use by several threads at once.
    """

    def __init__(
        self, num_blocks: int, block_size: int, copy_block: Callable[[int, int], None]
    ) -> None:
        """Make a pool of free blocks; `copy_block(source, target)` copies content."""
        self.num_blocks = num_blocks
        self.block_size = block_size
        self.copy_block = copy_block
        self.index = PrefixIndex()
        self._free = FreeRuns(num_blocks)
        self._cached: OrderedDict[int, None] = OrderedDict()  # least recently used first
        self._holders = [0] * num_blocks

    @property
    def num_free(self) -> int:
        """Blocks without content."""
        return len(self._free)

    @property
    def num_cached(self) -> int:
        """Blocks that nobody holds, with content to be found again."""
        return len(self._cached)

    @property
    def num_used(self) -> int:
        """Blocks that somebody holds."""
        return self.num_blocks - self.num_free - self.num_cached

    @property
    def num_available(self) -> int:
        """Blocks that can be allocated."""
        return self.num_free + self.num_cached

    def holders(self, block_id: int) -> int:
        """Return how many hold a block."""
        return self._holders[block_id]

    def allocate(self, count: int, after: int | None = None) -> list[int]:
        """Take `count` blocks of undefined content, side by side and behind `after` if possible.

        Raises:
            OutOfBlocksError: fewer than `count` are available.
        """
        if count > self.num_available:
            raise OutOfBlocksError(f"{count} KV blocks wanted, {self.num_available} available")
        while count > self.num_free:
            self._forget_oldest()
        taken = self._free.take(count, after)
        for block_id in taken:
            self._holders[block_id] = 1
        return taken

    def hold(self, block_id: int) -> None:
        """Add a holder to a block that is used or cached."""
        if self._holders[block_id] == 0:
            del self._cached[block_id]
        self._holders[block_id] += 1

    def release(self, block_ids: Sequence[int]) -> None:
        """Take one holder from each of a sequence's blocks, given in the sequence's order.

        Those that nobody holds then are cached if the index knows them, else free. The end of the
        sequence is given away before its beginning, without which the end could not be found.
        """
        for block_id in reversed(block_ids):
            if self._holders[block_id] == 0:
                raise ValueError(f"block {block_id} is released but nobody holds it")
            self._holders[block_id] -= 1
            if self._holders[block_id] == 0:
                if block_id in self.index:
                    self._cached[block_id] = None
                else:
                    self._free.give(block_id)

    def forget(self) -> None:
        """Free all cached blocks: their content is lost."""
        while self._cached:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        block_id, _ = self._cached.popitem(last=False)
        self.index.discard(block_id)
        self._free.give(block_id)

    def check(self) -> None:
        """Check that every block is exactly one of used, cached and free.

        Raises:
            RuntimeError: it is not so; the message names the block.
        """
        for block_id, holders in enumerate(self._holders):
            cached, free = block_id in self._cached, block_id in self._free
            if (holders > 0) + cached + free != 1:
                state = f"{holders} holders, cached: {cached}, free: {free}"
                raise RuntimeError(f"KV block {block_id} is in an impossible state: {state}")
            if (cached and block_id not in self.index) or (free and block_id in self.index):
                raise RuntimeError(f"KV block {block_id} and the prefix index disagree")
        if self.num_used < 0:
            raise RuntimeError("the KV pool counts more blocks than it has")
