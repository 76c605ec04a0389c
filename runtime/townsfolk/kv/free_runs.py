"""Empty blocks, kept as runs of neighbouring ids."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort


class FreeRuns:
    """The ids of empty blocks.

    Ids are handed out so that one sequence's blocks lie beside each other: attention on the CPU
    reads such a run as one view, without gathering. A sequence that can't continue where it ends
    starts in the middle of the longest run, so that it and the run's left neighbour both have room
    to grow.
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
        """Takes `count` ids, which must be there; right behind the id `after` if possible."""
        taken: list[int] = []
        if after is not None and after + 1 in self._ends:
            taken += self._cut(after + 1, after + 1, count)
        while len(taken) < count:
            missing = count - len(taken)
            start = max(self._starts, key=lambda first: self._ends[first] - first)
            half = (self._ends[start] - start) // 2
            taken += self._cut(start, start + half if half >= missing else start, missing)
        return taken

    def give(self, block_id: int) -> None:
        """Puts an id back."""
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

    def _cut(self, start: int, first: int, count: int) -> list[int]:
        """Takes up to `count` ids from `first` on, out of the run that begins at `start`."""
        end = self._ends[start]
        last = min(end, first + count)
        if first == start:
            del self._starts[bisect_left(self._starts, start)]
            del self._ends[start]
        else:
            self._ends[start] = first
        if last < end:
            insort(self._starts, last)
            self._ends[last] = end
        self._count -= last - first
        return list(range(first, last))
