"""Empty blocks, kept as runs of neighbouring ids."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class FreeRuns:
    """The ids of empty blocks.

    Ids are handed out from the lowest on, and one sequence's side by side where they can be: the
    CPU's attention reads neighbouring blocks of all its sequences as one view, without copying.
    """

    def __init__(self, count: int) -> None:
        self._starts = [0]  # sorted first ids of the runs
        self._ends = {0: count}  # first id -> one past the run's last id
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __contains__(self, block_id: int) -> bool:
        position = bisect_right(self._starts, block_id)
        return position > 0 and block_id < self._ends[self._starts[position - 1]]

    def take(self, count: int, after: int | None = None) -> list[int]:
        """Take `count` ids, which must be there; right behind the id `after` if possible."""
        taken: list[int] = []
        if after is not None and after + 1 in self._ends:
            taken += self._cut(after + 1, count)
        while len(taken) < count:
            missing = count - len(taken)
            roomy = (first for first in self._starts if self._ends[first] - first >= missing)
            start = next(roomy, None)
            if start is None:
                start = max(self._starts, key=lambda first: self._ends[first] - first)
            taken += self._cut(start, missing)
        return taken

    def give(self, block_id: int) -> None:
        """Put an id back."""
        start, end = block_id, block_id + 1
        position = bisect_left(self._starts, block_id)
        if end in self._ends:  # joins the run on its right
            del self._starts[position]
            end = self._ends.pop(end)
        if position > 0 and self._ends[self._starts[position - 1]] == start:  # and on its left
            start = self._starts[position - 1]
        else:
            self._starts.insert(position, start)
        self._ends[start] = end
        self._count += 1

    def _cut(self, start: int, count: int) -> list[int]:
        """Take up to `count` ids from the beginning of a run."""
        end = self._ends.pop(start)
        last = min(end, start + count)
        position = bisect_left(self._starts, start)
        if last < end:
            self._starts[position] = last
            self._ends[last] = end
        else:
            del self._starts[position]
        self._count -= last - start
        return list(range(start, last))
